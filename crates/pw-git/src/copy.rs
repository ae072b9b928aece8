//! A throw-away repository with the files of one commit, to try the user's programs in: it borrows
//! the objects, and nothing that happens there reaches the user's repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::id::Oid;
use tempfile::TempDir;

use crate::Repo;
use crate::own_settings::include;

/// A copy of a repository, removed when this is dropped.
#[derive(Debug)]
pub struct Copy {
    folder: TempDir,
}

impl Copy {
    /// Returns the top of its worktree.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Repo {
    /// Returns the folder that the user's own hooks are in, from the top of a checkout.
    pub fn hooks_folder(&self) -> Result<PathBuf> {
        let words = ["config", "--path", "--get", "core.hooksPath"];
        let named = self.git.at(self.place()).user(words).reader().codes(&[0, 1]).line()?;
        match named.is_empty() {
            true => Ok(self.common().join("hooks")),
            false => Ok(named.into()),
        }
    }

    /// Makes a copy with the files of a commit, on a branch of this name. The user's settings count
    /// there, and no filter runs: what git-lfs keeps stays a pointer.
    pub fn copy_of(&self, commit: &Oid, branch: &Branch) -> Result<Copy> {
        let folder = TempDir::with_prefix("pw-copy-").context("making a temporary folder")?;
        let git = self.git.at(folder.path());
        let format = if commit.as_str().len() == 64 { "sha256" } else { "sha1" };
        let format = format!("--object-format={format}");
        let first = format!("--initial-branch={branch}");
        git.plumbing(["init", "--quiet", "--template=", &format, &first]).run()?;
        let own = folder.path().join(".git");
        let append = |name: &str, text: Vec<u8>| {
            let file = own.join(name);
            let old = fs::read(&file).unwrap_or_default();
            let home = file.parent().map_or(Ok(()), fs::create_dir_all);
            home.and_then(|()| fs::write(&file, [old, text].concat()))
                .with_context(|| format!("writing {}", file.display()))
        };
        let objects = self.common().join("objects");
        append(
            "objects/info/alternates",
            [objects.as_os_str().as_encoded_bytes(), b"\n"].concat(),
        )?;
        git.plumbing(["update-ref", "HEAD", commit.as_str()]).run()?;
        git.plumbing(["read-tree", "--reset", "-u", commit.as_str()]).run()?;
        let settings = include(&self.common().join("config"));
        append("config", [&settings[..], b"[core]\n\tbare = false\n"].concat())?;
        Ok(Copy { folder })
    }
}
