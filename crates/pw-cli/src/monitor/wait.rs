//! `pw-monitor wait`: returns when something happened that the user or an agent must act on.

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;
use pw_core::channel::Channel;
use pw_core::next::{Next, NextStep};
use pw_core::status::{Awaited, Cursor, State, Status, Waited, news};
use pw_core::time::{Seconds, human};

use super::notice::Notices;
use super::notification;
use crate::facts::Worktrees;
use crate::shell::{Answer, Context};
use crate::view;
use crate::workflow::Workflow;

/// Returns when something happened that the user or an agent must act on
///
/// At once if there is such a thing that --since does not cover, else as soon as there is one, or
/// when the time is up: then `happened` is false, and the exit code 0.
///
/// It is one of these: a worker is complete, went on after that, is blocked, needs another or can
/// go on, wrote a signal that does not count, is stalled or missing; two workers do not merge, or
/// wait for each other; a next wave can be created; every worker can be merged or is merged; a merge
/// waits for its resolution. A checkpoint is nothing to act on.
///
/// Each answer carries a cursor. With it as --since nothing is told twice, nothing that happened
/// between two waits is lost, and what was settled meanwhile is not told.
#[derive(Debug, clap::Args)]
pub(super) struct Wait {
    /// The workflow; needed only when there are several
    workflow: Option<String>,
    /// What to wait for
    #[arg(long = "for", value_enum, default_value = "any", value_name = "WHAT")]
    awaited: For,
    /// How long at most: 90s, 30m, 1h; 0s only looks
    #[arg(long, default_value = "30m", value_parser = pw_core::time::parse_human)]
    timeout: Seconds,
    /// The cursor of the answer before; without it, all that must be acted on now is told
    #[arg(long, value_name = "CURSOR")]
    since: Option<Cursor>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// A worker is complete or went on after it; a next wave; all can be merged, or are
    Complete,
    /// A worker cannot go on without an answer or another worker; a merge is stopped
    Blocked,
    /// A worker does not move any more, or is missing
    Stalled,
    /// All that the user or an agent must act on, conflicts included
    Any,
}

impl For {
    fn awaited(self) -> Awaited {
        match self {
            Self::Complete => Awaited::Complete,
            Self::Blocked => Awaited::Blocked,
            Self::Stalled => Awaited::Stalled,
            Self::Any => Awaited::Any,
        }
    }
}

/// How often a look may fail while waiting: a worktree that is just being made cannot be read.
const PATIENCE: u32 = 3;
/// A year, in seconds.
const LONGEST: Seconds = 365 * 24 * 60 * 60;

impl Wait {
    pub(super) fn run(&self, context: &Context) -> Result<Answer> {
        let begin = Instant::now();
        let limit = u64::try_from(self.timeout.min(LONGEST)).unwrap_or_default();
        let end = begin + Duration::from_secs(limit);
        let mut notices = Notices::new();
        let mut told = self.since.clone().unwrap_or_default();
        let mut before = None;
        let mut failures = 0;
        let mut notes = Vec::new();
        loop {
            let look = Instant::now();
            let now = context.now + seconds(begin.elapsed());
            let status = match self.look(context, &mut notices, &mut notes, now) {
                Ok(status) => status,
                Err(_) if before.is_some() && failures < PATIENCE => {
                    failures += 1;
                    std::thread::sleep(super::notice::QUIET);
                    continue;
                }
                Err(error) => return Err(error),
            };
            failures = 0;
            let (changes, cursor) =
                news(&told, self.awaited.awaited(), before.as_ref(), &status, now);
            if !changes.is_empty() || Instant::now() >= end {
                let remote = status.remote.as_ref().filter(|remote| remote.trouble.is_some());
                let unasked = remote.and_then(Channel::note);
                let waited = Waited {
                    workflow: status.workflow.clone(),
                    happened: !changes.is_empty(),
                    changes,
                    waited_seconds: seconds(begin.elapsed()),
                    summary: status.summary.clone(),
                    next: self.next(&status, &cursor),
                    cursor,
                    notes: notices.notes().into_iter().chain(unasked).chain(notes).collect(),
                };
                return Answer::of(&waited, view::waited);
            }
            if before.is_none() {
                let limit = human(self.timeout);
                context.progress(&format!("{} Waiting, at most {limit}.", status.summary));
            }
            (told, before) = (cursor, Some(status));
            notices.wait(look.elapsed(), end, context.fetch);
        }
    }

    fn look(
        &self,
        context: &Context,
        notices: &mut Notices,
        notes: &mut Vec<String>,
        now: Seconds,
    ) -> Result<Status> {
        let workflow = Workflow::open_to_look(context, self.workflow.as_deref())?;
        notices.watch(&workflow);
        let status = workflow.status(now, Worktrees::All)?;
        notes.extend(notification::send(&workflow, &status, now));
        Ok(status)
    }

    /// Returns the status's next steps, and how to wait on while anything can still happen.
    fn next(&self, status: &Status, cursor: &Cursor) -> Vec<NextStep> {
        let mut next = status.next.clone();
        if status.workers.iter().any(|worker| worker.state != State::Integrated) {
            let value = self.awaited.to_possible_value();
            let wait = Next::Wait {
                workflow: &status.workflow,
                awaited: value.as_ref().map(|v| v.get_name()).filter(|name| *name != "any"),
                seconds: self.timeout,
                since: &cursor.to_string(),
            };
            next.push(NextStep::new("wait", wait));
        }
        next
    }
}

fn seconds(duration: Duration) -> Seconds {
    Seconds::try_from(duration.as_secs()).unwrap_or(Seconds::MAX)
}
