//! The files a worker is started with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::permissions;
use pw_core::plan::{Plan, Worker};
use pw_core::prompt;
use pw_core::report::shell_word;
use pw_core::setup::Launch;
use pw_git::Repo;

/// Returns the folder of our files about a worker, in no worktree and in no commit.
pub(crate) fn folder(repo: &Repo, plan: &Plan, worker: &Worker) -> PathBuf {
    repo.common().join("pw").join(plan.workflow.as_str()).join(worker.label())
}

/// Returns how a worker is started.
pub(crate) fn of(repo: &Repo, plan: &Plan, worker: &Worker) -> Launch {
    let script = folder(repo, plan, worker).join("launch.sh");
    let shown = script.strip_prefix(repo.root()).unwrap_or(&script);
    Launch {
        script: shown.to_string_lossy().into_owned(),
        command: format!("sh {}", shell_word(&script.to_string_lossy())),
    }
}

/// Writes a worker's prompt and launcher; the same again when they are there.
pub(crate) fn write(repo: &Repo, plan: &Plan, worker: &Worker, port: Option<u16>) -> Result<()> {
    let folder = folder(repo, plan, worker);
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    let worktree = repo.root().join(plan.worktree(worker));
    let (worktree, here) = (worktree.to_string_lossy(), folder.to_string_lossy());
    let settings =
        permissions::settings(plan, worker, &repo.root().to_string_lossy(), &worktree, port);
    let script = prompt::launcher(plan, worker, &worktree, &here, port);
    replace(&folder.join("settings.json"), &format!("{settings:#}\n"))?;
    replace(&folder.join("prompt.md"), &prompt::kickoff(plan, worker))?;
    replace(&folder.join("launch.sh"), &script)
}

/// Writes a file whole or not at all: a launcher may be read while it is written anew.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text).with_context(|| format!("writing {}", new.display()))?;
    std::fs::rename(&new, path).with_context(|| format!("replacing {}", path.display()))
}
