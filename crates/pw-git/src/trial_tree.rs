//! Trees of uncommitted work, for trial merges.

use std::ffi::OsString;
use std::fs::File;
use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::id::Oid;
use pw_core::path::RepoPath;
use tempfile::TempDir;

use crate::process::{Call, records};
use crate::{Repo, Scratch};

/// Settings that switch off the user's clean filters: a filter may write anywhere, as LFS does into
/// `.git`.
#[derive(Debug)]
pub struct NoFilters {
    settings: Vec<(OsString, &'static str)>,
}

impl NoFilters {
    fn apply(&self, mut call: Call) -> Call {
        for (number, (name, value)) in self.settings.iter().enumerate() {
            call = call.env(&format!("GIT_CONFIG_KEY_{number}"), name);
            call = call.env(&format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        call.env("GIT_CONFIG_COUNT", self.settings.len().to_string())
    }
}

impl Repo {
    /// Asks which programs there are.
    pub fn no_filters(&self) -> Result<NoFilters> {
        let args = ["config", "--null", "--name-only", "--get-regexp", "^filter\\."];
        let names = self.git.user(args).reader().codes(&[0, 1]).bytes()?;
        let settings = records(&names).filter_map(|name| {
            use std::os::unix::ffi::OsStringExt as _;
            let driver = &name[..name.iter().rposition(|byte| *byte == b'.')?];
            let setting =
                |key: &str, value| (OsString::from_vec([driver, key.as_bytes()].concat()), value);
            Some([setting(".clean", ""), setting(".process", ""), setting(".required", "false")])
        });
        Ok(NoFilters { settings: settings.flatten().collect() })
    }

    /// Returns the tree of a worktree's index with these of its files as they are now.
    ///
    /// Everything is written to `scratch`, and no other file is read. Line ends are converted as
    /// git would; files with a filter of the user's are taken as they are.
    pub fn trial_tree(
        &self,
        worktree: &Path,
        paths: &[RepoPath],
        filters: &NoFilters,
        scratch: &Scratch,
    ) -> Result<Oid> {
        let folder = TempDir::with_prefix("pw-index-").context("making a temporary folder")?;
        let index = folder.path().join("index");
        let own = self.own_git_dir(worktree).context("the worktree has lost its link to git")?;
        copy_index(&own.join("index"), &index).context("copying the index of the worktree")?;
        let git = self.git.at(worktree).without_hooks();
        // Also writing the index anew may compare a file, and run its filter.
        let call = |verb: &[&str]| {
            let settings = ["-c", "core.safecrlf=false"];
            let call = git.user(settings.iter().chain(verb)).env("GIT_INDEX_FILE", &index);
            filters.apply(self.within(Some(scratch), call))
        };
        // Of a path below what is a link now, git will not hear.
        let is_beyond = |path: &&RepoPath| {
            let folder = |folder: &[u8]| worktree.join(RepoPath::new(folder).to_path());
            path.ancestors().any(|path| folder(path).is_symlink())
        };
        let (beyond, plain): (Vec<&RepoPath>, Vec<&RepoPath>) = paths.iter().partition(is_beyond);
        let update = ["update-index", "-z", "--add", "--remove", "--replace", "--stdin"];
        call(&update).input(crate::changes::joined(plain)).run()?;
        if !beyond.is_empty() {
            let remove = ["update-index", "-z", "--force-remove", "--stdin"];
            call(&remove).input(crate::changes::joined(beyond)).run()?;
        }
        crate::objects::oid(call(&["write-tree"]))
    }
}

/// Copies an index with its time: git looks anew at a file that was changed in the moment the index
/// was written, and tells such files by that time.
fn copy_index(from: &Path, to: &Path) -> std::io::Result<()> {
    let time = from.metadata()?.modified()?;
    std::fs::copy(from, to)?;
    File::options().write(true).open(to)?.set_modified(time)
}
