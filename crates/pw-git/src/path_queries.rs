//! Small questions of the guard about one worktree, each one process, asked only when they matter.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use anyhow::Result;
use pw_core::path::RepoPath;
use pw_core::setup::leavings::Leavings;

use crate::Repo;
use crate::process::records;

impl Repo {
    /// Returns whether git ignores a path of a worktree. What it tracks it does not ignore.
    pub fn ignores(&self, worktree: &Path, path: &RepoPath) -> Result<bool> {
        // This command takes no literal pathspecs; nothing behind `./` means more than itself.
        let path = [b"./", path.as_bytes()].concat();
        let args = ["check-ignore", "--quiet", "--"].map(OsStr::new);
        let call = self.git.at(worktree).user(args.into_iter().chain([OsStr::from_bytes(&path)]));
        let call = call.env("GIT_LITERAL_PATHSPECS", "0");
        Ok(call.reader().codes(&[0, 1]).run()?.code == 0)
    }

    /// Returns whether the index of a worktree has a path, or anything below it.
    pub fn tracks(&self, worktree: &Path, path: &RepoPath) -> Result<bool> {
        let path = match path.as_bytes() {
            b"" => OsStr::new("."),
            bytes => OsStr::from_bytes(bytes),
        };
        let args = ["ls-files", "-z", "--"].map(OsStr::new);
        let call = self.git.at(worktree).user(args.into_iter().chain([path]));
        Ok(!call.reader().bytes()?.is_empty())
    }

    /// Returns the files of a worktree that are not as in its index, and those that are not in it.
    pub fn unlike_index(&self, worktree: &Path) -> Result<Vec<RepoPath>> {
        let args = ["ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard"];
        let answer = self.git.at(worktree).user(args).reader().bytes()?;
        Ok(records(&answer).map(RepoPath::new).collect())
    }

    /// Returns what a worktree holds besides its commit, ignored files left out.
    pub fn leavings(&self, worktree: &Path) -> Result<Leavings> {
        let what = ["--modified", "--deleted", "--others", "--exclude-standard"];
        let args = ["ls-files", "-z", "-t"].into_iter().chain(what);
        let answer = self.git.at(worktree).user(args).reader().bytes()?;
        let mut found = Leavings::default();
        for record in records(&answer) {
            match record {
                [b'?', b' ', path @ ..] => found.untracked.insert(RepoPath::new(path)),
                [_, b' ', path @ ..] => found.changed.insert(RepoPath::new(path)),
                _ => false,
            };
        }
        Ok(found)
    }

    /// Returns the user's alias for a word behind `git`.
    pub fn alias(&self, worktree: &Path, verb: &str) -> Result<Option<String>> {
        let name = format!("alias.{verb}");
        let call = self.git.at(worktree).user(["config", "--get", &name]).reader();
        let output = call.any_code().run()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok((output.code == 0).then(|| text.trim_end().to_owned()))
    }
}
