//! Git hooks for one worktree: ours first, then whatever the user has.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::Repo;
use crate::process::records;

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
        let git = self.git.at(worktree);
        let setting = |name: &[u8], value: &[u8]| [name, b"\n", value].concat();
        let shared = setting(b"extensions.worktreeconfig", b"true");
        let own = setting(b"core.hookspath", folder.as_os_str().as_encoded_bytes());
        let read = || -> Result<(bool, bool)> {
            let names = "^(extensions\\.worktreeconfig|core\\.hookspath)$";
            let call = git.user(["config", "-z", "--get-regexp", names]).codes(&[0, 1]);
            let answer = call.bytes()?;
            let newest = |name: &[u8]| records(&answer).filter(|r| r.starts_with(name)).last();
            let is_set = |name, wanted: &[u8]| newest(name) == Some(wanted);
            Ok((is_set(b"extensions.", &shared), is_set(b"core.", &own)))
        };
        let (is_per_worktree, is_ours) = read()?;
        if !is_per_worktree {
            self.git.user(["config", "--local", "extensions.worktreeConfig", "true"]).run()?;
        }
        if !is_ours {
            let words = ["config", "--worktree", "core.hooksPath"].map(std::ffi::OsString::from);
            git.user(words.into_iter().chain([folder.as_os_str().to_owned()])).run()?;
        }
        if (is_per_worktree && is_ours) || read()? == (true, true) {
            return Ok(());
        }
        bail!("git does not look for hooks in {}", folder.display())
    }
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode)
        .with_context(|| format!("making {} a program", path.display()))
}
