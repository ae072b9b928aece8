//! Git hooks for one worktree: ours first, then whatever the user has.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::Repo;

/// The hooks git may start in a worktree. Where ours has nothing to say, the user's own runs alone.
const NAMES: &[&str] = &[
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "post-rewrite",
    "pre-auto-gc",
];

/// Hooks git starts many times for each command: forwarded only where the user has one.
const FREQUENT: &[&str] = &["reference-transaction", "post-index-change"];

impl Repo {
    /// Writes the dispatcher under every hook name; returns its folder.
    pub fn write_hooks(&self, dispatcher: &str) -> Result<PathBuf> {
        let folder = self.common().join("pw/hooks");
        std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let frequent =
            FREQUENT.iter().filter(|name| self.common().join("hooks").join(name).exists());
        for name in NAMES.iter().chain(frequent) {
            let path = folder.join(name);
            if std::fs::read(&path).is_ok_and(|known| known == dispatcher.as_bytes()) {
                continue;
            }
            // Replaced whole: a commit may be running this very hook.
            let new = folder.join(format!(".{name}.new"));
            std::fs::write(&new, dispatcher)
                .with_context(|| format!("writing {}", new.display()))?;
            make_executable(&new)?;
            std::fs::rename(&new, &path)
                .with_context(|| format!("replacing {}", path.display()))?;
        }
        Ok(folder)
    }

    /// Makes git look for hooks in `folder`, in this worktree alone; the setting goes with it.
    pub fn use_hooks(&self, worktree: &Path, folder: &Path) -> Result<()> {
        let known = self.git.user(["config", "--local", "--get", "extensions.worktreeConfig"]);
        if known.codes(&[0, 1]).line()? != "true" {
            self.git.user(["config", "--local", "extensions.worktreeConfig", "true"]).run()?;
        }
        let words = ["config", "--worktree", "core.hooksPath"].map(std::ffi::OsString::from);
        let args = words.into_iter().chain([folder.as_os_str().to_owned()]);
        self.git.at(worktree).user(args).run().map(drop)
    }
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode)
        .with_context(|| format!("making {} a program", path.display()))
}
