//! Sparse checkouts: git hands the user's choice of folders down to every new worktree.

use std::path::Path;

use anyhow::Result;
use pw_core::path::RepoPath;

use crate::Repo;

impl Repo {
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
                let lines: String =
                    folders.iter().map(|folder| format!("{}\n", folder.quoted())).collect();
                let add = ["sparse-checkout", "add", "--skip-checks", "--stdin"];
                git.user(add).input(lines).run().map(drop)
            }
            // Patterns without a cone may take away again what another one adds.
            None => git.user(["sparse-checkout", "disable"]).run().map(drop),
        }
    }
}
