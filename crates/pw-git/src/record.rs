//! The record of a workflow, as a ref: reading it, and preparing what a transaction will add.

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::channel::{clash, tracking};
use pw_core::failure::{Code, Failure};
use pw_core::id::{Oid, Slug};
use pw_core::next::Next;
use pw_core::record::{Event, Record, Refs};
use pw_core::remote::{RefChange, RemoteTrouble};
use pw_core::time::Seconds;

use crate::channel::{Channel, Sent};
use crate::process::both;
use crate::remote::RemoteError;
use crate::{Author, CommitWriter, Repo, Transaction};

impl Repo {
    /// Returns the plan and the record that end at `tip`.
    pub fn record(&self, tip: &Oid) -> Result<(String, Record)> {
        let text = self.record_text(tip)?;
        let record = text.replay()?;
        Ok((text.plan, record))
    }

    /// Returns what the record that ends at `tip` holds, which is always the same.
    pub fn record_text(&self, tip: &Oid) -> Result<RecordText> {
        let (events, plan) = both(|| self.subjects(tip), || self.plan_text(tip))?;
        Ok(RecordText { plan, events })
    }

    /// Returns the plan that a record's commit holds.
    pub fn plan_text(&self, tip: &Oid) -> Result<String> {
        String::from_utf8(self.blob(tip, "plan.yaml")?).context("the recorded plan is not UTF-8")
    }
}

/// A record as its commits hold it.
#[derive(Debug)]
pub struct RecordText {
    /// The plan's YAML.
    pub plan: String,
    /// The subjects of its commits, the oldest first, each with the time of the commit.
    pub events: Vec<(String, Seconds)>,
}

impl RecordText {
    /// Returns what they tell; events of a newer version are passed over.
    ///
    /// # Errors
    ///
    /// When the record does not begin as one does.
    pub fn replay(&self) -> Result<Record> {
        let events = self.events.iter();
        let events = events.filter_map(|(subject, at)| Some((Event::parse(subject)?, *at)));
        Record::replay(events).context("the record does not begin with its base")
    }
}

/// How often a journal tries to publish while other clones do so, too.
const TRIES: usize = 5;

/// Adds events to a record. Each becomes a commit at once; the ref moves with a transaction, so
/// that the events stand there exactly when their effects do.
///
/// With a [`Channel`], the remote has the first word: a clone that lost the race there has changed
/// nothing here.
#[derive(Debug)]
pub struct Journal {
    workflow: Slug,
    name: String,
    tree: Oid,
    /// Where the ref is; `None` when there is no record yet.
    published: Option<Oid>,
    tip: Option<Oid>,
    /// What was added since.
    pending: Vec<Event>,
    author: Author,
    /// Begun with the first event.
    commits: Option<CommitWriter>,
    channel: Option<Channel>,
}

impl Journal {
    /// Begins to write behind `published`, with this plan in the tree.
    pub fn new(
        repo: &Repo,
        author: Author,
        workflow: &Slug,
        published: Option<Oid>,
        plan: &str,
    ) -> Result<Self> {
        Ok(Self {
            workflow: workflow.clone(),
            name: Refs(workflow).record(),
            tree: repo.write_tree_of("plan.yaml", plan.as_bytes())?,
            tip: published.clone(),
            published,
            pending: Vec::new(),
            author,
            commits: None,
            channel: None,
        })
    }

    /// The same, published on a remote, too.
    #[must_use]
    pub fn through(self, channel: Option<Channel>) -> Self {
        Self { channel, ..self }
    }

    /// Has the remote get a worker's branch with what is published next, unless it has one of this
    /// name.
    pub fn bring(&mut self, branch: &Branch, tip: &Oid) {
        self.channel.iter_mut().for_each(|channel| channel.bring(branch, tip));
    }

    /// Has the remote lose a worker's branch with what is published next, if it is at `tip` there.
    pub fn drop_branch(&mut self, branch: &Branch, tip: &Oid) {
        self.channel.iter_mut().for_each(|channel| channel.drop_branch(branch, tip));
    }

    /// Returns what the user should know about publishing on the remote.
    pub fn notes(&self) -> Vec<String> {
        self.channel.as_ref().map(|channel| channel.notes().to_vec()).unwrap_or_default()
    }

    /// Writes one event.
    pub fn add(&mut self, repo: &Repo, event: &Event) -> Result<()> {
        self.write(repo, &event.to_string())?;
        self.pending.push(event.clone());
        Ok(())
    }

    fn write(&mut self, repo: &Repo, subject: &str) -> Result<()> {
        let parents: Vec<&Oid> = self.tip.iter().collect();
        let mut commits = match self.commits.take() {
            Some(commits) => commits,
            None => repo.commit_writer(self.author.clone(), None)?,
        };
        self.tip = Some(commits.write(&self.tree, &parents, &format!("{subject}\n"))?);
        self.commits = Some(commits);
        Ok(())
    }

    /// Adds the move of the record's ref to a transaction.
    fn join(&self, transaction: Transaction) -> Transaction {
        match &self.tip {
            Some(tip) => transaction.set(&self.name, tip, self.published.as_ref()),
            None => transaction,
        }
    }

    /// Publishes what was added, together with the other changes of `transaction`: all of it or
    /// nothing.
    ///
    /// # Errors
    ///
    /// `locked` when the record or one of the refs was moved by another process; `remote_moved`
    /// when another clone was first, `remote_failed` when that cannot be known.
    pub fn publish(&mut self, repo: &Repo, transaction: Transaction) -> Result<()> {
        let transaction = self.send(repo, transaction)?;
        self.join(transaction).publish(repo)?;
        self.settle();
        Ok(())
    }

    /// The same; false when another process moved the record or one of the refs.
    ///
    /// # Errors
    ///
    /// `remote_moved` and `remote_failed`, as [`Self::publish`].
    pub fn try_publish(&mut self, repo: &Repo, transaction: Transaction) -> Result<bool> {
        let transaction = self.send(repo, transaction)?;
        let done = self.join(transaction).commit(repo)?;
        if done {
            self.settle();
        }
        Ok(done)
    }

    fn settle(&mut self) {
        self.published.clone_from(&self.tip);
        self.pending.clear();
    }

    /// Publishes one event about what has happened already, on top of what another process wrote to
    /// the record meanwhile.
    ///
    /// # Errors
    ///
    /// `locked` when other processes moved the record during each of three tries.
    pub fn append(&mut self, repo: &Repo, event: &Event) -> Result<()> {
        self.append_all(repo, std::slice::from_ref(event))
    }

    /// The same for several, published together.
    ///
    /// # Errors
    ///
    /// As [`Self::append`].
    pub fn append_all(&mut self, repo: &Repo, events: &[Event]) -> Result<()> {
        for _ in 0..2 {
            events.iter().try_for_each(|event| self.add(repo, event))?;
            if self.try_publish(repo, Transaction::default())? {
                return Ok(());
            }
            let now = repo.refs(&[&self.name])?.remove(&self.name);
            self.tip.clone_from(&now);
            self.published = now;
            self.pending.clear();
        }
        events.iter().try_for_each(|event| self.add(repo, event))?;
        self.publish(repo, Transaction::default())
    }

    /// Publishes on the remote first; returns what is to be changed here.
    fn send(&mut self, repo: &Repo, mut transaction: Transaction) -> Result<Transaction> {
        for tries in (1..=TRIES).rev() {
            let Some(channel) = &mut self.channel else { return Ok(transaction) };
            match channel.send(repo, &transaction, self.tip.as_ref())? {
                Ok(Sent::Done) => return Ok(transaction),
                Ok(Sent::Behind(theirs)) => {
                    transaction = match self.replay(repo, &theirs, transaction)? {
                        Ok(transaction) => transaction,
                        Err((error, transaction)) => return self.later(error, transaction),
                    };
                }
                Err(error) if error.trouble == RemoteTrouble::Moved => channel.look_again(),
                // Another clone's push is over in a moment; one that was killed stays.
                Err(error) if error.trouble == RemoteTrouble::Locked && tries > 1 => {
                    channel.look_again();
                }
                Err(error) => return self.later(error, transaction),
            }
        }
        Err(self.overtaken("other clones write to it all the time"))
    }

    /// Lets what is true whatever other clones do go on without the remote; it is published with
    /// what comes next. The first plan may be made while there is no remote yet.
    fn later(&mut self, error: RemoteError, transaction: Transaction) -> Result<Transaction> {
        let is_plan = |event: &&Event| matches!(event, Event::Planned { .. } | Event::Replanned);
        if self.pending.iter().any(|event| event.is_exclusive() && !is_plan(&event)) {
            return Err(Failure::from(error).into());
        }
        let note = format!(
            "the record is not published: {}; the next command that writes does it",
            error.sentence()
        );
        self.channel.iter_mut().for_each(|channel| channel.note(note.clone()));
        Ok(transaction)
    }

    /// Puts our events behind those of the remote, if they are true there, too; our other refs
    /// follow it.
    fn replay(
        &mut self,
        repo: &Repo,
        theirs: &Oid,
        mut transaction: Transaction,
    ) -> Result<Result<Transaction, (RemoteError, Transaction)>> {
        let Some(channel) = &mut self.channel else { return Ok(Ok(transaction)) };
        let changes = match channel.take(repo, &transaction)? {
            Ok(changes) => changes,
            Err(error) => return Ok(Err((error, transaction))),
        };
        let ours = match &self.tip {
            Some(tip) => repo.subjects_since(theirs, tip)?,
            None => Vec::new(),
        };
        let new = match &self.tip {
            Some(tip) => repo.subjects_since(tip, theirs)?,
            None => Vec::new(),
        };
        // A newer version of ours may have written what this one does not know.
        let events: Option<Vec<Event>> = ours.iter().map(|line| Event::parse(line)).collect();
        let new: Vec<Event> = new.iter().filter_map(|line| Event::parse(line)).collect();
        let clash = match &events {
            Some(events) => clash(events, &new).map(ToString::to_string),
            None => Some("an event of a newer version".to_owned()),
        };
        if let Some(event) = clash {
            return Err(self.overtaken(&format!("`{event}` was decided without knowing that")));
        }
        for RefChange { name, new, old } in changes {
            transaction = match (new, old) {
                (Some(new), old) => transaction.set(&name, &new, old.as_ref()),
                (None, Some(old)) => transaction.delete(&name, &old),
                (None, None) => transaction,
            };
        }
        let plan = repo.plan_text(theirs)?;
        self.tree = repo.write_tree_of("plan.yaml", plan.as_bytes())?;
        self.tip = Some(theirs.clone());
        ours.iter().try_for_each(|subject| self.write(repo, subject))?;
        Ok(Ok(transaction))
    }

    fn overtaken(&self, why: &str) -> anyhow::Error {
        let (ours, theirs) = (&self.name, tracking(&self.name));
        Failure::new(Code::RemoteMoved, format!("another clone wrote the record first: {why}"))
            .hint(format!(
                "nothing was changed: run the same command again with --fetch, which takes what it wrote; if this \
                 repeats, both did the same at once: compare git log {theirs} with git log {ours}, and put the one \
                 in place that is to count"
            ))
            .next(Next::FetchedStatus(&self.workflow))
            .into()
    }

    /// Returns the newest event's commit, published or not.
    pub fn tip(&self) -> Option<&Oid> {
        self.tip.as_ref()
    }

    /// Returns whether nothing is left to publish; only the remote of a plan tells whether it has
    /// everything.
    pub fn is_published(&self) -> bool {
        self.tip == self.published && self.channel.is_none()
    }
}
