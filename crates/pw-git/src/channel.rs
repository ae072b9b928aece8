//! Publishing the record on a remote, with all that moves with it, by compare-and-swap there.

use std::collections::BTreeMap;

use anyhow::Result;
use pw_core::branch::Branch;
use pw_core::channel::{BRANCHES, Mirror, adoption, asked, mirror, tracking, travels};
use pw_core::id::{Oid, Slug};
use pw_core::record::Refs;
use pw_core::remote::RefChange;

use crate::remote::Asked;
use crate::{Remote, Repo, Transaction};

/// The remote of a plan, as a journal publishes there.
#[derive(Debug)]
pub struct Channel {
    remote: Remote,
    workflow: Slug,
    /// Workers' branches that the remote is to have from the beginning.
    branches: BTreeMap<String, Oid>,
    /// Workers' branches that go, if the remote has no more of them than this.
    dropped: BTreeMap<String, Oid>,
    /// What the remote had when it was asked last, changed by what we pushed since.
    seen: Option<BTreeMap<String, Oid>>,
    /// What was left as it is there, for the user to know.
    notes: Vec<String>,
}

/// What became of publishing.
pub(crate) enum Sent {
    /// The remote has it.
    Done,
    /// Nothing was changed: the remote has this record, with events that ours lacks.
    Behind(Oid),
}

impl Channel {
    /// The channel of a workflow through its plan's remote.
    pub fn new(remote: Remote, workflow: Slug) -> Self {
        let (branches, dropped) = (BTreeMap::new(), BTreeMap::new());
        Self { remote, workflow, branches, dropped, seen: None, notes: Vec::new() }
    }

    pub(crate) fn bring(&mut self, branch: &Branch, tip: &Oid) {
        self.branches.insert(branch.full(), tip.clone());
    }

    pub(crate) fn drop_branch(&mut self, branch: &Branch, tip: &Oid) {
        self.dropped.insert(branch.full(), tip.clone());
    }

    pub(crate) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Forgets what was seen: another clone changed it.
    pub(crate) fn look_again(&mut self) {
        self.seen = None;
    }

    /// Gives the remote what the refs here will be once `transaction` is done and the record is at
    /// `tip`.
    pub(crate) fn send(
        &mut self,
        repo: &Repo,
        transaction: &Transaction,
        tip: Option<&Oid>,
    ) -> Result<Asked<Sent>> {
        let theirs = match self.look(repo)? {
            Ok(theirs) => theirs,
            Err(error) => return Ok(Err(error)),
        };
        let record = Refs(&self.workflow).record();
        if let (Some(there), Some(tip)) = (theirs.get(&record), tip)
            && there != tip
            && !repo.contains(tip, there)?
        {
            return Ok(Ok(Sent::Behind(there.clone())));
        }
        let ours = self.ours(repo, transaction, tip)?;
        let Mirror { mut changes, left } = mirror(&self.workflow, &ours, &theirs);
        changes.extend(self.branch_changes(&theirs));
        for name in left {
            let (name, remote) = (name.trim_start_matches("refs/heads/"), &self.remote.name);
            self.note(format!("{name} on {remote} was moved by another hand, and stays there"));
        }
        if let Err(error) = repo.push_refs(&self.remote, &changes)? {
            // A push that was cut short may have arrived.
            self.look_again();
            let arrived = self.look(repo)?.is_ok_and(|now| has_all(&now, &changes));
            if !arrived {
                return Ok(Err(error));
            }
        }
        let mut now = theirs;
        for RefChange { name, new, .. } in changes {
            match new {
                Some(new) => now.insert(name, new),
                None => now.remove(&name),
            };
        }
        self.seen = Some(now);
        Ok(Ok(Sent::Done))
    }

    fn look(&mut self, repo: &Repo) -> Result<Asked<BTreeMap<String, Oid>>> {
        if let Some(seen) = &self.seen {
            return Ok(Ok(seen.clone()));
        }
        let mut prefixes = asked(&self.workflow);
        prefixes.push(BRANCHES.to_owned());
        let answer = repo.remote_refs(&self.remote, &prefixes)?;
        self.seen = answer.as_ref().ok().cloned();
        Ok(answer)
    }

    fn ours(
        &self,
        repo: &Repo,
        transaction: &Transaction,
        tip: Option<&Oid>,
    ) -> Result<BTreeMap<String, Oid>> {
        let prefixes = asked(&self.workflow);
        let prefixes: Vec<&str> = prefixes.iter().map(|name| name.trim_end_matches('/')).collect();
        let mut ours = repo.refs(&prefixes)?;
        for name in transaction.changed() {
            match transaction.change(name).flatten() {
                Some(new) => ours.insert(name.clone(), new.clone()),
                None => ours.remove(name),
            };
        }
        let record = Refs(&self.workflow).record();
        ours.extend(tip.map(|tip| (record, tip.clone())));
        Ok(ours)
    }

    /// Workers' branches that are there already are the workers' to push.
    fn branch_changes(&self, theirs: &BTreeMap<String, Oid>) -> Vec<RefChange> {
        let new = self.branches.iter().filter(|(name, _)| !theirs.contains_key(*name));
        let new = new.map(|(name, tip)| (name, Some(tip.clone()), None));
        let gone = self.dropped.iter().filter(|(name, tip)| theirs.get(*name) == Some(tip));
        let gone = gone.map(|(name, tip)| (name, None, Some(tip.clone())));
        let change = |(name, new, old): (&String, _, _)| RefChange { name: name.clone(), new, old };
        new.chain(gone).map(change).collect()
    }

    /// Fetches what the remote has of the workflow, and returns how our refs follow it, those that
    /// `transaction` changes and the record left out.
    pub(crate) fn take(
        &mut self,
        repo: &Repo,
        transaction: &Transaction,
    ) -> Result<Asked<Vec<RefChange>>> {
        let theirs = match self.look(repo)? {
            Ok(theirs) => theirs,
            Err(error) => return Ok(Err(error)),
        };
        let shared = theirs.iter().filter(|(name, _)| travels(&self.workflow, name));
        let shared: Vec<(String, String)> =
            shared.map(|(name, _)| (name.clone(), tracking(name))).collect();
        if let Err(error) = repo.fetch_refs(&self.remote, &shared)? {
            return Ok(Err(error));
        }
        let ours = self.ours(repo, &Transaction::default(), None)?;
        let mut changes = adoption(&self.workflow, &ours, &theirs);
        let names = Refs(&self.workflow);
        let branch = Branch::integration(&self.workflow);
        let is_held = repo.checkout_of(&branch).is_some();
        changes.retain(|RefChange { name, .. }| {
            transaction.change(name).is_none()
                && *name != names.record()
                && !(is_held && *name == branch.full())
        });
        Ok(Ok(changes))
    }
}

fn has_all(refs: &BTreeMap<String, Oid>, changes: &[RefChange]) -> bool {
    changes.iter().all(|RefChange { name, new, .. }| refs.get(name) == new.as_ref())
}
