//! Snapshots: a worktree's files as a commit, without touching its index.

use std::path::Path;

use anyhow::Result;
use pw_core::id::Oid;

use crate::Repo;

impl Repo {
    /// Writes everything in a worktree, ignored files too, as a commit on its HEAD. Ignored folders
    /// named in `disposable` are left out.
    pub fn snapshot(&self, worktree: &Path, disposable: &[String], message: &str) -> Result<Oid> {
        let git = self.git.at(worktree);
        let folder = tempfile::TempDir::with_prefix("pw-index-")?;
        let index = folder.path().join("index");
        let head = git.plumbing(["rev-parse", "--verify", "HEAD^{commit}"]).reader();
        let head = crate::objects::oid(head)?;
        git.user(["read-tree", head.as_str()]).env("GIT_INDEX_FILE", &index).run()?;
        // Into an index of our own: the worktree's stays as it is.
        let left_out = disposable.iter().flat_map(|name| {
            let name = name.trim_matches('/');
            [format!(":(exclude,glob)**/{name}"), format!(":(exclude,glob)**/{name}/**")]
        });
        let args =
            ["add", "--all", "--force", "--", "."].map(str::to_owned).into_iter().chain(left_out);
        git.user(args).env("GIT_INDEX_FILE", &index).env("GIT_LITERAL_PATHSPECS", "0").run()?;
        let tree = crate::objects::oid(git.user(["write-tree"]).env("GIT_INDEX_FILE", &index))?;
        self.write_commit(&self.author()?, &tree, &[&head], message)
    }
}
