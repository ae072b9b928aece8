//! A conflicted merge in a worktree of our own, where the user or a session resolves it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use pw_core::blob::Blob;
use pw_core::conflict_markers::MARKER_SIZE;
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::Repo;
use crate::changes::portions;
use crate::overrides;
use crate::process::{GitError, records};

impl Repo {
    /// Starts a merge of `tip` in a worktree of our own, and leaves conflict markers for the user
    /// or a session to resolve.
    ///
    /// git sees the user's configuration, since clean and smudge filters must be those the files
    /// were checked out with; settings that would change the result are overridden.
    pub fn start_merge(&self, worktree: &Path, tip: &Oid) -> Result<()> {
        let options = [
            "merge",
            "--quiet",
            "--no-commit",
            "--no-ff",
            "--no-autostash",
            "--no-verify-signatures",
        ];
        self.require_free_index(worktree)?;
        let args = overrides::of_merge().chain(options).chain([tip.as_str()]);
        let call = self.author()?.sign(self.git.at(worktree).without_hooks().user(args).any_code());
        let output = call.run()?;
        if self.merge_head(worktree)?.as_ref() != Some(tip) {
            let stderr = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
            return Err(
                GitError { command: format!("merge {tip}"), code: output.code, stderr }.into()
            );
        }
        Ok(())
    }

    /// Returns the commit that a worktree is merging, if it is.
    pub fn merge_head(&self, worktree: &Path) -> Result<Option<Oid>> {
        let git = self.git.at(worktree);
        let asked = git
            .plumbing(["rev-parse", "--verify", "--quiet", "MERGE_HEAD"])
            .codes(&[0, 1])
            .run()?;
        Ok(String::from_utf8_lossy(&asked.stdout).trim_end().parse().ok())
    }

    /// Returns the files of a worktree that differ from its index.
    pub fn unstaged(&self, worktree: &Path) -> Result<Vec<RepoPath>> {
        let git = self.git.at(worktree);
        // `diff-files` compares the stat data in the index: refreshed, only real differences are
        // left.
        git.user(["update-index", "-q", "--refresh"]).any_code().run()?;
        let answer = git.user([
            "diff-files",
            "-z",
            "--name-only",
            "--no-renames",
            "--ignore-submodules=none",
        ]);
        Ok(crate::process::records(&answer.bytes()?).map(RepoPath::new).collect())
    }

    /// Returns the tree of a worktree's index.
    pub fn index_tree(&self, worktree: &Path) -> Result<Oid> {
        crate::objects::oid(self.git.at(worktree).plumbing(["write-tree"]))
    }

    /// Returns the blobs that are resolved in a worktree's index, among `paths`.
    pub fn index_blobs(
        &self,
        worktree: &Path,
        paths: &[RepoPath],
    ) -> Result<BTreeMap<RepoPath, Oid>> {
        let entry = |record: &[u8]| {
            let at = record.iter().position(|byte| *byte == b'\t')?;
            let about = std::str::from_utf8(&record[..at]).ok()?;
            let [_, id, "0"] = about.split(' ').collect::<Vec<_>>()[..] else { return None };
            Some((RepoPath::new(&record[at + 1..]), id.parse().ok()?))
        };
        let mut blobs = BTreeMap::new();
        for some in portions(paths) {
            let words = ["ls-files", "-z", "--stage", "--"].map(std::ffi::OsString::from);
            let call = self.git.at(worktree).plumbing(words.into_iter().chain(some)).reader();
            blobs.extend(records(&call.bytes()?).filter_map(entry));
        }
        Ok(blobs)
    }

    /// Returns the tree of a commit.
    pub fn tree_of(&self, commit: &Oid) -> Result<Oid> {
        let name = format!("{commit}^{{tree}}");
        crate::objects::oid(self.git.plumbing(["rev-parse", "--verify", &name]).reader())
    }

    /// Returns how long conflict markers in each of `paths` are: what the attribute
    /// `conflict-marker-size` says.
    pub fn marker_sizes(&self, worktree: &Path, paths: &[RepoPath]) -> Result<Vec<usize>> {
        let sizes = self.attributes(worktree, "conflict-marker-size", paths)?.into_iter();
        let sizes = sizes.map(|size| size?.parse().ok().filter(|n| *n > 0));
        Ok(sizes.map(|size| size.unwrap_or(MARKER_SIZE)).collect())
    }

    /// Returns the value of an attribute for each of `paths`; `None` where none is given.
    pub fn attributes(
        &self,
        worktree: &Path,
        name: &str,
        paths: &[RepoPath],
    ) -> Result<Vec<Option<String>>> {
        let asked = self.git.at(worktree).user(["check-attr", "-z", "--stdin", name]);
        let answer = asked.reader().input(crate::changes::joined(paths)).bytes()?;
        let fields: Vec<&[u8]> = records(&answer).collect();
        let value =
            |fields: &[&[u8]]| fields.get(2).map(|v| String::from_utf8_lossy(v).into_owned());
        ensure!(fields.len() == 3 * paths.len(), "git told attributes of other paths");
        let values = fields.chunks(3).map(value);
        Ok(values.map(|value| value.filter(|value| value != "unspecified")).collect())
    }

    /// Resolves a file of a worktree with a blob, on disk and in the index.
    pub fn settle(&self, worktree: &Path, path: &RepoPath, blob: &Blob) -> Result<()> {
        let git = self.git.at(worktree);
        let head = format!("{} {}\t", blob.mode, blob.oid);
        let line = [head.as_bytes(), path.as_bytes(), b"\0"].concat();
        git.user(["update-index", "-z", "--index-info"]).input(line).run()?;
        let paths = crate::changes::joined(std::slice::from_ref(path));
        git.user(["checkout-index", "--force", "-z", "--stdin"]).input(paths).run().map(drop)
    }

    /// Writes `content` to a file of a worktree as a checkout would: with line ends and smudge
    /// filter.
    pub fn write_checked_out(
        &self,
        worktree: &Path,
        path: &RepoPath,
        content: &[u8],
    ) -> Result<()> {
        let content = self.checked_out(worktree, path, content)?;
        let file = worktree.join(path.to_path());
        std::fs::write(&file, content).with_context(|| format!("writing {}", file.display()))
    }

    /// Returns what a checkout of this content would write to a worktree's file.
    pub fn checked_out(&self, worktree: &Path, path: &RepoPath, content: &[u8]) -> Result<Vec<u8>> {
        self.filtered(worktree, path, &self.write_blob(content, None)?)
    }

    /// Returns what a checkout of a blob would write to a worktree's file.
    pub(crate) fn filtered(&self, worktree: &Path, path: &RepoPath, blob: &Oid) -> Result<Vec<u8>> {
        let mut option = std::ffi::OsString::from("--path=");
        option.push(path.to_path());
        let words = ["cat-file".into(), "--filters".into(), option, blob.as_str().into()];
        self.git.at(worktree).user(words).reader().bytes()
    }
}
