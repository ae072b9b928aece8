//! `pw-monitor watch`: the live view. Looking happens beside it, so that keys are answered at once.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use crossterm::event::Event;
use pw_core::own_commits::OwnCommits;
use pw_core::time::Seconds;

use super::notice::Notices;
use super::notification;
use crate::facts::Worktrees;
use crate::shell::{Answer, Context, Live, Screen};
use crate::view::{Picture, Step, Watch};
use crate::workflow::Workflow;

/// How soon a new look is shown.
const TICK: Duration = Duration::from_millis(200);
/// How often the ages are drawn anew.
const SECOND: Duration = Duration::from_secs(1);
/// How many of a worker's commits are kept.
const COMMITS: usize = 200;
/// How long a look that failed keeps away: a worktree that is just being made cannot be read.
const PAUSE: Duration = Duration::from_millis(500);

const HINT: &str =
    "pw-monitor wait tells of changes without one, pw-monitor status shows them once";

pub(super) fn run(context: &Context, workflow: Option<&str>) -> Result<Answer> {
    context.require_terminal(HINT)?;
    let poller = Poller {
        context: context.at(&context.directory),
        workflow: workflow.map(str::to_owned),
        notices: Notices::new(),
        begin: Instant::now(),
    };
    Ok(Answer::Live(Box::new(Watching::start(poller)?)))
}

/// Reads the workflow whenever there is a reason to.
struct Poller {
    context: Context,
    workflow: Option<String>,
    notices: Notices,
    begin: Instant,
}

impl Poller {
    fn look(&mut self) -> Result<Picture> {
        let now = now(&self.context, self.begin);
        let workflow = Workflow::open_to_look(&self.context, self.workflow.as_deref())?;
        self.notices.watch(&workflow);
        let (mut status, facts) = workflow.picture(now, Worktrees::All)?;
        if let Some(folder) = &self.context.named {
            for step in &mut status.next {
                step.command = step.command.anchored(folder);
            }
        }
        let mut notes = self.notices.notes();
        notes.extend(notification::send(&workflow, &status, now));
        let own =
            |work: &OwnCommits<'_>| work.commits.iter().take(COMMITS).copied().cloned().collect();
        let work = workflow.board(&facts).work;
        let commits: BTreeMap<_, Vec<_>> =
            workflow.plan.ids().cloned().zip(work.iter().map(own)).collect();
        Ok(Picture { status, commits, at: now, notes })
    }

    /// Polls again and again, until the view closes the polling or drops the receiver.
    fn run(mut self, polling: &Mutex<Polling>, pictures: &Sender<Result<Picture, String>>) {
        let mut took = self.begin.elapsed();
        loop {
            self.notices.wait(took, Instant::now() + SECOND * 3600, self.context.fetch);
            let polling = polling.lock().unwrap_or_else(PoisonError::into_inner);
            if *polling == Polling::Closed {
                return;
            }
            let begin = Instant::now();
            let picture = self.look().map_err(|error| format!("{error:#}"));
            took = begin.elapsed();
            drop(polling);
            if picture.is_err() {
                std::thread::sleep(PAUSE);
                let _ = self.notices.sender().try_send(());
            }
            if pictures.send(picture).is_err() {
                return;
            }
        }
    }
}

/// Held during a poll: once the view has closed it, no poll is under way and none will begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Polling {
    Open,
    Closed,
}

/// The view, and what comes from the looks beside it.
#[derive(Debug)]
struct Watching {
    watch: Watch,
    pictures: Receiver<Result<Picture, String>>,
    ask: SyncSender<()>,
    polling: Arc<Mutex<Polling>>,
    clock: (Seconds, Instant),
}

impl Watching {
    /// Takes the first look, which may be refused, and leaves the next ones to a thread.
    fn start(mut poller: Poller) -> Result<Self> {
        let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let watch = Watch::new(poller.look()?, has_colour);
        let (send, pictures) = channel();
        let polling = Arc::new(Mutex::new(Polling::Open));
        let ask = poller.notices.sender();
        let clock = (poller.context.now, poller.begin);
        let held = Arc::clone(&polling);
        std::thread::spawn(move || poller.run(&held, &send));
        Ok(Self { watch, pictures, ask, polling, clock })
    }

    /// Takes over what was seen since; returns whether there was anything.
    fn update(&mut self) -> Result<bool> {
        let mut is_new = false;
        loop {
            match self.pictures.try_recv() {
                Ok(Ok(picture)) => self.watch.show(picture),
                Ok(Err(trouble)) => self.watch.fail(trouble),
                Err(TryRecvError::Empty) => return Ok(is_new),
                Err(TryRecvError::Disconnected) => bail!("looking ended unexpectedly"),
            }
            is_new = true;
        }
    }
}

impl Live for Watching {
    fn show(&mut self, screen: &mut Screen) -> Result<()> {
        let mut drawn: Option<Instant> = None;
        while !screen.is_over() {
            if self.update()? || drawn.is_none_or(|at| at.elapsed() >= SECOND) {
                let (start, begin) = self.clock;
                let now = start + seconds(begin.elapsed());
                screen.draw(|frame| self.watch.draw(frame, now))?;
                drawn = Some(Instant::now());
            }
            let Some(event) = screen.event(TICK)? else { continue };
            drawn = None;
            if let Event::Key(key) = event {
                match self.watch.on_key(key) {
                    Step::Stay => {}
                    Step::Refresh => drop(self.ask.try_send(())),
                    Step::Quit => return Ok(()),
                }
            }
        }
        Ok(())
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        *self.polling.lock().unwrap_or_else(PoisonError::into_inner) = Polling::Closed;
    }
}

fn now(context: &Context, begin: Instant) -> Seconds {
    context.now + seconds(begin.elapsed())
}

fn seconds(duration: Duration) -> Seconds {
    Seconds::try_from(duration.as_secs()).unwrap_or(Seconds::MAX)
}
