//! What earlier work left behind: locks whose git is gone, workflows that are over, worktrees and
//! branches of workers that no record knows.

use std::path::PathBuf;

use super::{About, Diagnosis};
use crate::id::{Slug, WorkerId};
use crate::lock::Holder;
use crate::next::{CommandLine, Next};
use crate::text::counted;
use crate::time::Seconds;

/// How old a lock of git's is at least when the git that made it is taken to be gone.
const STALE: Seconds = 60;
/// How long a helper of ours may hold the lock before that is odd: gates run without it.
const LONG: Seconds = 600;

/// A lock file of git's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockFile {
    /// Absolute.
    pub path: PathBuf,
    /// Since it was made.
    pub age: Seconds,
}

/// A helper that is changing the repository.
#[derive(Clone, Debug)]
pub struct Held {
    /// What it wrote into the lock.
    pub holder: Holder,
    /// Since then.
    pub age: Seconds,
}

/// A recorded workflow.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its name.
    pub workflow: Slug,
    /// How it is, or why its record cannot be read.
    pub condition: Result<Condition, String>,
}

/// How a workflow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its result is not in the base.
    Open,
    /// It is, and worktrees or branches of its workers are left.
    Landed,
    /// It has landed and was cleaned up.
    Closed,
}

/// A worktree that is locked as a worker's of a workflow that has no such worker.
#[derive(Clone, Debug)]
pub struct Stray {
    /// Absolute.
    pub path: PathBuf,
    /// The workflow that its lock names.
    pub workflow: Slug,
    /// The worker that its lock names.
    pub worker: WorkerId,
}

/// Judges locks: one that was left keeps git from writing until it is removed.
pub fn locks(files: &[LockFile], held: Option<&Held>) -> Vec<Diagnosis> {
    let mut found: Vec<Diagnosis> = files.iter().map(lock_file).collect();
    if let Some(Held { holder, age }) = held {
        found.push(match *age > LONG {
            true => About::Locks
                .warning(format!("a helper has been changing the repository for long: {holder}"))
                .remedy("look whether it still works; when its process ends, the lock does"),
            false => About::Locks.note(format!("a helper is changing the repository: {holder}")),
        });
    }
    if found.is_empty() {
        found.push(About::Locks.ok("nothing is locked"));
    }
    found
}

fn lock_file(lock: &LockFile) -> Diagnosis {
    let path = lock.path.display();
    if lock.age < STALE {
        return About::Locks.note(format!("git is at work: {path}"));
    }
    let minutes = counted(usize::try_from(lock.age / 60).unwrap_or_default(), "minute");
    About::Locks
        .warning(format!("{path} is {minutes} old: git was killed there, or waits for something"))
        .remedy("when no git is at work there any more, remove it")
        .command(CommandLine::of("rm").path(&lock.path))
}

/// Judges recorded workflows.
pub fn workflows(recorded: &[Recorded]) -> Vec<Diagnosis> {
    let judge = |Recorded { workflow, condition }: &Recorded| match condition {
        Err(why) => Some(
            About::Workflows
                .problem(format!("the record of {workflow} cannot be read: {why}"))
                .remedy("show this to the user: its branches and worktrees are untouched"),
        ),
        Ok(Condition::Landed) => Some(
            About::Workflows
                .note(format!("{workflow} has landed and was never closed"))
                .remedy("remove its worktrees and branches, snapshots first")
                .command(Next::Cleanup { workflow, workers: &[], dry_run: false, snapshot: false }),
        ),
        Ok(Condition::Open | Condition::Closed) => None,
    };
    let mut found: Vec<Diagnosis> = recorded.iter().filter_map(judge).collect();
    if found.is_empty() {
        let is_open = |known: &&Recorded| known.condition == Ok(Condition::Open);
        let open = recorded.iter().filter(is_open).count();
        found.push(About::Workflows.ok(format!("{} open", counted(open, "workflow"))));
    }
    found
}

/// Judges worktrees of workers, and branches that are called like those of workers and results,
/// which no record knows.
pub fn worktrees(strays: &[Stray], branches: &[String]) -> Vec<Diagnosis> {
    let stray = |stray: &Stray| {
        let path = stray.path.display();
        About::Worktrees
            .warning(format!(
                "{path} was made for {} of {}, which no record knows any more",
                stray.worker, stray.workflow
            ))
            .remedy("see what it holds; then git worktree unlock, and git worktree remove")
            .command(CommandLine::git(&stray.path, "status --short --ignored"))
    };
    let mut found: Vec<Diagnosis> = strays.iter().map(stray).collect();
    if let Some(first) = branches.first() {
        let message = match branches.len() {
            1 => format!("the branch `{first}` belongs to no recorded workflow"),
            many => format!("{many} branches belong to no recorded workflow, `{first}` first"),
        };
        let delete = branches.iter().fold(CommandLine::of("git branch -d"), CommandLine::word);
        found.push(
            About::Worktrees
                .note(message)
                .remedy("git deletes what is in the branch checked out, and refuses the rest")
                .command(delete),
        );
    }
    if found.is_empty() {
        found.push(About::Worktrees.ok("each worktree of a worker has its record"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Level;

    #[test]
    fn a_lock_is_stale_when_its_git_should_have_ended() {
        let lock = |age| [LockFile { path: "/r/.git/index.lock".into(), age }];
        for (age, level) in [(0, Level::Note), (59, Level::Note), (60, Level::Warning)] {
            let found = locks(&lock(age), None);
            assert_eq!((found.len(), found[0].level), (1, level), "{found:?}");
            assert_eq!(found[0].command.is_some(), level == Level::Warning);
        }
        let holder = Holder::new("pw-integrate run", 7, "2025-06-15T15:06:40Z");
        for (age, level) in [(5, Level::Note), (3_600, Level::Warning)] {
            let held = Held { holder: holder.clone(), age };
            assert_eq!(locks(&[], Some(&held))[0].level, level);
        }
        assert_eq!(locks(&[], None)[0].level, Level::Ok);
    }

    #[test]
    fn only_what_is_over_or_unreadable_is_told_of_workflows() {
        let recorded = |condition| Recorded { workflow: "shop".parse().unwrap(), condition };
        for (condition, level) in [
            (Ok(Condition::Open), Level::Ok),
            (Ok(Condition::Closed), Level::Ok),
            (Ok(Condition::Landed), Level::Note),
            (Err("no plan".to_owned()), Level::Problem),
        ] {
            assert_eq!(workflows(&[recorded(condition)])[0].level, level);
        }
    }
}
