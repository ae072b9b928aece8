//! The names under which a workflow keeps commits reachable.

use std::collections::BTreeMap;

use crate::branch::Branch;
use crate::id::{Oid, Slug, WorkerId};
use crate::snapshot::SnapshotId;

/// The names of a workflow's refs; the record is the only thing kept outside branches.
#[derive(Clone, Debug)]
pub struct Refs<'a>(pub &'a Slug);

impl Refs<'_> {
    /// The record itself: a chain of commits, one event each.
    pub fn record(&self) -> String {
        format!("refs/pw/{}/record", self.0)
    }

    /// The newest merged tip of a worker, kept reachable.
    pub fn merged(&self, worker: &WorkerId) -> String {
        format!("refs/pw/{}/merged/{worker}", self.0)
    }

    /// The merges made before an integration stopped, and what is being tested.
    pub fn candidate(&self) -> String {
        format!("refs/pw/{}/candidate", self.0)
    }

    /// What git remembers of resolutions, for the next time the same hunks meet.
    pub fn memory(&self) -> String {
        format!("refs/pw/{}/rerere", self.0)
    }

    /// Where we last put the integration branch; keeps that commit reachable when the user moves
    /// the branch.
    pub fn integrated(&self) -> String {
        format!("refs/pw/{}/integrated", self.0)
    }

    /// Where the record was when the workflow was closed: it is closed as long as both are there.
    pub fn closed(&self) -> String {
        format!("refs/pw/{}/closed", self.0)
    }

    /// One snapshot of a worker, or of a resolution that was given up.
    pub fn snapshot(&self, id: &SnapshotId) -> String {
        format!("{}{id}", self.snapshots())
    }

    /// What the names of all snapshots begin with.
    pub fn snapshots(&self) -> String {
        format!("refs/pw/{}/snapshot/", self.0)
    }

    /// The branch that holds the result, for the user to see.
    pub fn integration(&self) -> String {
        Branch::integration(self.0).full()
    }
}

/// Returns the ref beside which git cannot have one of this full name, since one of the two would have
/// to be a file and a folder at once.
pub fn beside<'a>(refs: &'a BTreeMap<String, Oid>, wanted: &str) -> Option<&'a str> {
    let below = |name: &str, folder: &str| {
        name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    };
    refs.keys().map(String::as_str).find(|name| below(name, wanted) || below(wanted, name))
}
