//! Tries the repository's message hooks in a copy of it: what they make of signals shows before any
//! worker commits.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::configured_hooks::ConfiguredHooks;
use pw_core::gate::{End, Gate};
use pw_core::id::Oid;
use pw_core::message_hooks::{self, MessageHooks, NAMES, Ran};
use pw_core::path::RepoPath;
use pw_core::plan::Plan;
use pw_core::shell_word::shell_word;
use pw_core::time::Seconds;
use pw_git::Repo;

use crate::command;
use crate::output::Output;

/// How long a hook may take for one message.
const LIMIT: Seconds = 20;
/// How many of the newest commits are looked at for rules of subjects.
const SUBJECTS: usize = 5;
/// Where git has a message while hooks look at it.
const MESSAGE: &str = ".git/COMMIT_EDITMSG";

/// One of them, where it is tried.
struct Hook {
    name: &'static str,
    /// What a shell runs, without the arguments.
    command: String,
    /// The program of it in the folder of hooks; a setting has none.
    file: Option<PathBuf>,
}

/// Tries them; nothing where there are none.
pub(super) fn tried(
    repo: &Repo,
    plan: &Plan,
    base: &Oid,
    configured: ConfiguredHooks<'_>,
) -> Result<Option<MessageHooks>> {
    let folder = repo.hooks_folder()?;
    let place = repo.place().join(&folder);
    let is_in_folder = |name: &str| is_program(&place.join(name));
    let mut names: Vec<&'static str> = Vec::from(NAMES);
    names.retain(|name| is_in_folder(name) || !configured.commands(name).is_empty());
    let Some(worker) = plan.workers.first().filter(|_| !names.is_empty()) else { return Ok(None) };
    let copy = repo.copy_of(base, &worker.branch())?;
    link_ignored(repo, &plan.worktrees, copy.path())?;
    let of = |name: &'static str| {
        let set = configured.commands(name).into_iter();
        let set = set.map(move |command| Hook { name, command, file: None });
        let file = copy.path().join(&folder).join(name);
        let command = shell_word(&file.to_string_lossy());
        set.chain(is_in_folder(name).then_some(Hook { name, command, file: Some(file) }))
    };
    let hooks: Vec<Hook> = names.iter().flat_map(|name| of(name)).collect();
    let commits = repo.recent(base, SUBJECTS)?;
    let subject = |message: &str| message.lines().next().unwrap_or_default().to_owned();
    let subjects: Vec<String> = commits.iter().map(|commit| subject(&commit.message)).collect();
    let names = names.into_iter().map(str::to_owned).collect();
    let mut run = |message: &str| run_all(&hooks, copy.path(), message);
    message_hooks::tried(plan, names, &subjects, &mut run).map(Some)
}

/// Runs the hooks on one message as `git commit -m` would.
fn run_all(hooks: &[Hook], copy: &Path, message: &str) -> Result<Ran> {
    let file = copy.join(MESSAGE);
    std::fs::write(&file, message).with_context(|| format!("writing {}", file.display()))?;
    let log = copy.join(".git/pw-hook.log");
    for Hook { name, command, file } in hooks {
        if let Some(file) = file.as_ref().filter(|file| !is_program(file)) {
            let said = format!("{} is not in a fresh worktree", file.display());
            return Ok(Ran::Failed { hook: (*name).to_owned(), code: None, said });
        }
        let source = if *name == "prepare-commit-msg" { " message" } else { "" };
        let command = format!("{command} {MESSAGE}{source}");
        let gate = Gate { timeout_seconds: LIMIT, ..Gate::only(command).context("a gate's name")? };
        let environment =
            [("GIT_INDEX_FILE", ".git/index".to_owned()), ("GIT_EDITOR", ":".to_owned())];
        let (end, _) = command::run_gate(&gate, copy, &log, environment, None, &mut |_| ())?;
        if !end.passed() {
            let said = match end {
                End::Timeout => format!("it did not end within {LIMIT} seconds"),
                _ => Output::of(&log).tail,
            };
            return Ok(Ran::Failed { hook: (*name).to_owned(), code: end.code(), said });
        }
    }
    let bytes = std::fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
    Ok(Ran::Passed { message: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Links folders that git ignores in the user's checkout into the copy: hooks find their programs
/// there, such as `node_modules`.
fn link_ignored(repo: &Repo, worktrees: &str, copy: &Path) -> Result<()> {
    let Some(checkout) = repo.checkout() else { return Ok(()) };
    let worktrees = RepoPath::from(worktrees);
    for path in repo.unseen(&checkout.path)?.ignored {
        let folder = path.without_slash();
        let (from, to) = (checkout.path.join(folder.to_path()), copy.join(folder.to_path()));
        // Also one that is a link itself.
        let is_folder = from.is_dir();
        let is_ours = folder == worktrees || worktrees.contains(&folder);
        if !is_folder || is_ours || to.symlink_metadata().is_ok() || from.join(".git").exists() {
            continue;
        }
        let home = to.parent().context("a folder lies in one")?;
        std::fs::create_dir_all(home)
            .and_then(|()| std::os::unix::fs::symlink(&from, &to))
            .with_context(|| format!("linking {folder}"))?;
    }
    Ok(())
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}
