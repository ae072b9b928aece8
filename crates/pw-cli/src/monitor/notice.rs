//! Says when it is worth looking again: the files that git writes are watched, and those in which
//! the client says what its sessions do. No process is asked.
//!
//! Our own polls only read, and a read is no event, so that a poll never causes the next one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::session;
use crate::workflow::Workflow;

/// How long it must be quiet before a look: git writes many files for one commit.
pub(super) const QUIET: Duration = Duration::from_millis(150);
/// How long a look is put off while it does not get quiet.
const BURST: Duration = Duration::from_secs(1);
/// How long at most without a look: a process that dies, a silence that grows too long and a file
/// that is not git's give no notice.
const CALM: Duration = Duration::from_secs(30);
/// The same where a remote is asked at every look: nothing notifies us of what is pushed there.
const ASKED: Duration = Duration::from_secs(15);
/// The same where no notices are to be had.
const BLIND: Duration = Duration::from_secs(5);

/// How long at most one keeps away after a look.
const REST: Duration = Duration::from_secs(3);

/// The entries of git's common folder whose changes are events.
const SHARED: [&str; 4] = ["packed-refs", "refs", "reftable", "worktrees"];

/// Notices of one workflow's changes.
#[derive(Debug)]
pub(super) struct Notices {
    notices: Receiver<()>,
    send: SyncSender<()>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    notes: Vec<String>,
}

impl Notices {
    pub(super) fn new() -> Self {
        // One pending notice says as much as many.
        let (send, notices) = sync_channel(1);
        Self { notices, send, watcher: None, watched: BTreeSet::new(), notes: Vec::new() }
    }

    /// Returns a sender that makes the waiting thread poll at once.
    pub(super) fn sender(&self) -> SyncSender<()> {
        self.send.clone()
    }

    /// Returns why changes may be seen late.
    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    /// Watches what there is of the workflow by now. To be called before each poll, so that no
    /// change falls between the poll and the watching.
    pub(super) fn watch(&mut self, workflow: &Workflow) {
        let common = workflow.repo.common();
        if self.watcher.is_none() && self.notes.is_empty() {
            self.watcher = self.start(common).map_err(|error| self.complain(&error)).ok();
        }
        let below = ["refs", "reftable", "worktrees"].map(|name| common.join(name));
        self.add(common, RecursiveMode::NonRecursive);
        below.iter().for_each(|folder| self.add(folder, RecursiveMode::Recursive));
        if let Some(sessions) = session::registry() {
            self.add(&sessions, RecursiveMode::NonRecursive);
        }
    }

    fn start(&self, common: &Path) -> notify::Result<RecommendedWatcher> {
        let (send, common) = (self.send.clone(), common.to_owned());
        notify::recommended_watcher(move |event: notify::Result<Event>| {
            if !event.is_ok_and(|event| !matters(&event, &common)) {
                let (Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(()))) =
                    send.try_send(());
            }
        })
    }

    fn add(&mut self, folder: &Path, mode: RecursiveMode) {
        // A folder that went away took its watch along.
        if !folder.is_dir() {
            self.watched.remove(folder);
            return;
        }
        let Some(watcher) = &mut self.watcher else { return };
        if !self.watched.contains(folder) {
            match watcher.watch(folder, mode) {
                Ok(()) => drop(self.watched.insert(folder.to_owned())),
                Err(error) => {
                    self.watcher = None;
                    self.complain(&error);
                }
            }
        }
    }

    fn complain(&mut self, error: &notify::Error) {
        let every = BLIND.as_secs();
        self.notes.push(format!(
            "file notifications are not available ({error}): looked every {every} s instead"
        ));
    }

    /// Waits until something changed and it is quiet again, until `end`, or for as long as goes
    /// without a look. A look that `took` long is followed by a longer rest.
    pub(super) fn wait(&self, took: Duration, end: Instant, is_remote: bool) {
        let begin = Instant::now();
        let rest = (took * 4).min(REST);
        let most = match self.watcher {
            Some(_) if is_remote => ASKED,
            Some(_) => CALM,
            None => BLIND,
        };
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        if self.notices.recv_timeout(until(end.min(begin + most))).is_err() {
            return;
        }
        let burst = end.min((begin + rest).max(Instant::now() + BURST));
        std::thread::sleep(until(begin + rest).min(until(end)));
        while self.notices.recv_timeout(QUIET.min(until(burst))).is_ok() && Instant::now() < burst {
        }
    }
}

/// Returns whether an event may mean that a fact has changed.
fn matters(event: &Event, common: &Path) -> bool {
    let is_noise = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.ends_with(".lock") || path.parent() == Some(common) && !SHARED.contains(&name)
    };
    let is_seen = !event.paths.is_empty() && event.paths.iter().all(is_noise);
    event.need_rescan() || !event.kind.is_access() && !is_seen
}
