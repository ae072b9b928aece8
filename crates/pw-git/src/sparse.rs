//! Sparse checkouts: a plan may name the folders that workers read, and git hands the user's own
//! choice of folders down to every new worktree.

use std::path::Path;

use anyhow::Result;
use pw_core::path::RepoPath;

use crate::Repo;

impl Repo {
    /// Makes a worktree without files yet one that will have no others than those at the top, below
    /// `folders`, and beside these. Of a clone without contents, no others are fetched then.
    pub fn narrow(&self, worktree: &Path, folders: &[RepoPath]) -> Result<()> {
        let set = ["sparse-checkout", "set", "--cone", "--skip-checks", "--stdin"];
        self.git.at(worktree).user(set).input(lines(folders)).run().map(drop)
    }

    /// Sees to it that a worktree which has only part of the files has all those below `folders`,
    /// too; `None` stands for everywhere.
    pub fn widen(&self, worktree: &Path, folders: Option<&[RepoPath]>) -> Result<()> {
        let own = self.own_git_dir(worktree);
        if !own.is_some_and(|own| own.join("info/sparse-checkout").is_file()) {
            return Ok(());
        }
        let git = self.git.at(worktree);
        let asked = ["config", "--type=bool", "--get", "core.sparseCheckoutCone"];
        let is_cone = git.user(asked).reader().codes(&[0, 1]).line()? == "true";
        match folders.filter(|_| is_cone) {
            Some([]) => Ok(()),
            Some(folders) => {
                let add = ["sparse-checkout", "add", "--skip-checks", "--stdin"];
                git.user(add).input(lines(folders)).run().map(drop)
            }
            // Patterns without a cone may take away again what another one adds.
            None => git.user(["sparse-checkout", "disable"]).run().map(drop),
        }
    }
}

/// Returns the lines that git reads names of folders from.
fn lines(folders: &[RepoPath]) -> String {
    folders.iter().map(|folder| format!("{}\n", folder.quoted())).collect()
}
