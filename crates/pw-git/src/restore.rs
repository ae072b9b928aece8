//! Bringing a snapshot back: byte for byte into a new worktree, or as a commit on a new branch.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{OpenOptions, Permissions};
use std::io::{BufRead as _, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use pw_core::blob::FileMode;
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::Repo;
use crate::process::{Git, records};
use crate::snapshot::{FLAGS, INDEX, OWN, PERMISSIONS, shape};

/// What a merge that was under way needs to be gone on with. A rebase is not among it: its state
/// names a branch that may be elsewhere by now.
const UNDER_WAY: &[&str] =
    &["MERGE_HEAD", "MERGE_MSG", "MERGE_MODE", "CHERRY_PICK_HEAD", "REVERT_HEAD"];

/// The permissions of files that are not those of a fresh checkout.
type OwnPermissions = BTreeMap<RepoPath, u32>;

/// One file of a tree.
struct TreeEntry {
    mode: FileMode,
    oid: String,
    path: RepoPath,
}

impl Repo {
    /// Makes a worktree at `path`, which must not be there, of a snapshot: its HEAD, detached; its
    /// files, modes and links; its index. `reason` locks it until it is whole. Returns how many
    /// files there are.
    pub fn restore_into(
        &self,
        path: &Path,
        snapshot: &Oid,
        head: &Oid,
        reason: &str,
    ) -> Result<usize> {
        // No hook runs and nothing is checked out: what stands there must be the snapshot alone.
        let args = [
            "worktree",
            "add",
            "--quiet",
            "--no-checkout",
            "--detach",
            "--lock",
            "--reason",
            reason,
            "--",
        ];
        let args =
            args.map(OsStr::new).into_iter().chain([path.as_os_str(), OsStr::new(head.as_str())]);
        self.git.without_hooks().user(args).run()?;
        let own = self.own_git_dir(path).context("git made no worktree")?;
        let git = self.git.at(path);
        let state = self.state_of(snapshot)?;
        let permissions = state.as_ref().map(|state| self.permissions(state)).transpose()?;
        let files = self.write_files(path, snapshot.as_str(), &permissions.unwrap_or_default())?;
        match state {
            None => git.plumbing(["read-tree", snapshot.as_str()]).run().map(drop)?,
            Some(state) => {
                self.restore_index(&git, &state)?;
                let own_files = self.tree_entries(&format!("{state}:{OWN}"))?;
                for entry in own_files
                    .iter()
                    .filter(|entry| UNDER_WAY.iter().any(|name| entry.path == (*name).into()))
                {
                    let bytes =
                        self.git.plumbing(["cat-file", "blob", &entry.oid]).reader().bytes()?;
                    let place = own.join(entry.path.to_path());
                    std::fs::write(&place, bytes)
                        .with_context(|| format!("writing {}", place.display()))?;
                }
            }
        }
        self.git
            .user([
                OsStr::new("worktree"),
                OsStr::new("unlock"),
                OsStr::new("--"),
                path.as_os_str(),
            ])
            .run()?;
        Ok(files)
    }

    /// Returns a commit of all files of a snapshot on top of what HEAD was; the same one each time.
    pub fn commit_of_snapshot(
        &self,
        snapshot: &Oid,
        head: Option<&Oid>,
        title: &str,
    ) -> Result<Oid> {
        let known = self.shapes([snapshot.as_str()])?;
        let shape = shape(&known, snapshot.as_str())?;
        let date = format!("@{} +0000", shape.time);
        let parents = head.iter().flat_map(|head| ["-p", head.as_str()]);
        let call =
            self.git.plumbing(["commit-tree", shape.tree.as_str()].into_iter().chain(parents));
        let call = self.author()?.sign(call.input(format!("{title}\n")));
        crate::objects::oid(call.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date))
    }

    /// Returns whether two snapshots have the same files on disk and in the index.
    pub fn has_same_files(&self, a: &Oid, b: &Oid) -> Result<bool> {
        let trees = |snapshot: &Oid| -> Result<(Oid, Option<Vec<u8>>)> {
            let tree = self.tree_of(snapshot)?;
            let Some(state) = self.state_of(snapshot)? else { return Ok((tree, None)) };
            let listed = self.git.plumbing(["ls-tree", "-z", state.as_str()]).reader().bytes()?;
            let of_index =
                |record: &&[u8]| !record.ends_with(b"\tchanges") && !record.ends_with(b"\tgit");
            Ok((tree, Some(records(&listed).filter(of_index).collect::<Vec<_>>().join(&0))))
        };
        let ((a, of_a), (b, of_b)) = (trees(a)?, trees(b)?);
        // A branch alone was kept without an index: then that is as its commit.
        Ok(a == b && (of_a == of_b || of_a.is_none() || of_b.is_none()))
    }

    /// Returns whether git takes this as the name of a branch.
    pub fn is_branch_name(&self, name: &str) -> Result<bool> {
        let call = self.git.plumbing(["check-ref-format", &format!("refs/heads/{name}")]);
        Ok(!name.starts_with('-') && call.codes(&[0, 1]).run()?.code == 0)
    }

    /// Returns how many files a snapshot holds.
    pub fn files_of(&self, snapshot: &Oid) -> Result<usize> {
        Ok(self.tree_entries(snapshot.as_str())?.len())
    }

    fn tree_entries(&self, tree: &str) -> Result<Vec<TreeEntry>> {
        let answer =
            self.git.plumbing(["ls-tree", "-r", "-z", "--full-tree", tree]).reader().bytes()?;
        records(&answer)
            .map(|record| tree_entry(record).context("an unreadable line of git ls-tree"))
            .collect()
    }

    /// Writes every file of a tree below `folder`, without filters.
    fn write_files(&self, folder: &Path, tree: &str, own: &OwnPermissions) -> Result<usize> {
        let mut entries = self.tree_entries(tree)?;
        // A submodule that was not checked out is an empty folder.
        for submodule in entries.extract_if(.., |entry| entry.mode == FileMode::SUBMODULE) {
            let place = place(folder, &submodule.path)?;
            std::fs::create_dir_all(&place)
                .with_context(|| format!("making {}", place.display()))?;
        }
        let input: String = entries.iter().map(|entry| format!("{}\n", entry.oid)).collect();
        let call = self.git.plumbing(["cat-file", "--batch"]).reader().input(input);
        let ((), _) = call.stream(|stdout| {
            for entry in &entries {
                let mut header = String::new();
                stdout.read_line(&mut header).context("reading from git cat-file")?;
                let size = header.trim_end().split_once(" blob ").map(|(_, size)| size);
                let size = size.and_then(|size| size.parse().ok());
                let size: u64 =
                    size.with_context(|| format!("git has no content of `{}`", entry.path))?;
                let place = place(folder, &entry.path)?;
                let written = {
                    let content = &mut stdout.by_ref().take(size);
                    write_file(&place, entry.mode, own.get(&entry.path), content)
                };
                let written = written.with_context(|| format!("writing {}", place.display()))?;
                ensure!(written == size, "git ended in the middle of `{}`", entry.path);
                stdout.read_exact(&mut [0]).context("reading from git cat-file")?;
            }
            Ok(())
        })?;
        Ok(entries.len())
    }

    /// Returns the permissions that files had; a snapshot of an earlier release tells none.
    fn permissions(&self, state: &Oid) -> Result<OwnPermissions> {
        let listed = self.git.plumbing(["ls-tree", "-z", state.as_str(), "--", PERMISSIONS]);
        if listed.reader().bytes()?.is_empty() {
            return Ok(OwnPermissions::new());
        }
        let read = |record: &[u8]| {
            let at = record.iter().position(|byte| *byte == b' ')?;
            let bits = u32::from_str_radix(std::str::from_utf8(&record[..at]).ok()?, 8).ok()?;
            Some((RepoPath::new(&record[at + 1..]), bits & 0o777))
        };
        records(&self.blob(state, PERMISSIONS)?)
            .map(|record| read(record).context("the snapshot has unreadable permissions"))
            .collect()
    }

    fn restore_index(&self, git: &Git, state: &Oid) -> Result<()> {
        let feed = |args: &[&str], input: Vec<u8>| git.plumbing(args).input(input).run().map(drop);
        git.plumbing(["read-tree", &format!("{state}:{INDEX}")]).run()?;
        let top =
            self.git.plumbing(["ls-tree", "-z", "--name-only", state.as_str()]).reader().bytes()?;
        let mut unmerged = Vec::new();
        for stage in 1..4 {
            let name = format!("stage-{stage}");
            if !records(&top).any(|known| known == name.as_bytes()) {
                continue;
            }
            for TreeEntry { mode, oid, path } in self.tree_entries(&format!("{state}:{name}"))? {
                unmerged.extend(
                    [format!("{mode} {oid} {stage}\t").as_bytes(), path.as_bytes(), b"\0"].concat(),
                );
            }
        }
        feed(&["update-index", "-z", "--index-info"], unmerged)?;
        let flags = self.blob(state, FLAGS)?;
        let flagged = |wanted: &[u8]| -> Vec<u8> {
            let of = |record: &&[u8]| record.first().is_some_and(|flag| wanted.contains(flag));
            records(&flags).filter(of).flat_map(|record| [&record[2..], b"\0"].concat()).collect()
        };
        // What was only going to be added; ignored or not, and as it is.
        let intended = flagged(b"A");
        if !intended.is_empty() {
            let args = [
                "add",
                "--intent-to-add",
                "--force",
                "--pathspec-from-file=-",
                "--pathspec-file-nul",
            ];
            feed(&args, intended)?;
        }
        feed(&["update-index", "-z", "--skip-worktree", "--stdin"], flagged(b"Ss"))?;
        feed(&["update-index", "-z", "--assume-unchanged", "--stdin"], flagged(b"hs"))
    }
}

/// Returns where a path lies, unless it leads out of the folder.
fn place(folder: &Path, path: &RepoPath) -> Result<PathBuf> {
    let harmless = |segment: &[u8]| {
        !matches!(segment, b"" | b"." | b"..") && !segment.eq_ignore_ascii_case(b".git")
    };
    ensure!(path.segments().all(harmless), "the snapshot has a file named `{path}`");
    Ok(folder.join(path.to_path()))
}

/// Writes a new file or link; returns how many bytes there were.
fn write_file(
    place: &Path,
    mode: FileMode,
    own: Option<&u32>,
    content: &mut impl Read,
) -> Result<u64> {
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let bits = match mode {
        FileMode::LINK => {
            let mut target = Vec::new();
            content.read_to_end(&mut target)?;
            std::os::unix::fs::symlink(OsStr::from_bytes(&target), place)?;
            return Ok(target.len() as u64);
        }
        mode if mode.is_program() => 0o777,
        mode if mode.is_file() => 0o666,
        other => bail!("it has the unknown mode {other}"),
    };
    // Never readable for others in between.
    let bits = own.map_or(bits, |own| own & bits);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(bits).open(place)?;
    if let Some(own) = own {
        file.set_permissions(Permissions::from_mode(*own))?;
    }
    Ok(std::io::copy(content, &mut file)?)
}

/// Reads `mode type oid`, tab, path.
fn tree_entry(record: &[u8]) -> Option<TreeEntry> {
    let at = record.iter().position(|byte| *byte == b'\t')?;
    let words: Vec<&str> = std::str::from_utf8(&record[..at]).ok()?.split(' ').collect();
    let [mode, _, oid] = words[..] else { return None };
    Some(TreeEntry {
        mode: mode.parse().ok()?,
        oid: oid.to_owned(),
        path: RepoPath::new(&record[at + 1..]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let folder = Path::new("/new");
        assert_eq!(place(folder, &"a/b".into()).unwrap(), Path::new("/new/a/b"));
        for bad in ["../a", "a/../../b", "/etc/passwd", "a//b", ".git/config", "a/.GIT/hooks"] {
            assert!(place(folder, &bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_tree_is_read_with_any_path() {
        let oid = "c".repeat(40);
        let entry = tree_entry(format!("100755 blob {oid}\ta\tb\n").as_bytes()).unwrap();
        assert_eq!((entry.mode, entry.oid, entry.path), (FileMode::PROGRAM, oid, "a\tb\n".into()));
        assert!(tree_entry(b"nonsense").is_none());
    }
}
