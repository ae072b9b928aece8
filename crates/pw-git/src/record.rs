//! The record of a workflow, as a ref: reading it, and preparing what a transaction will add.

use anyhow::{Context as _, Result};
use pw_core::id::{Oid, Slug};
use pw_core::record::{Event, Record, Refs};

use crate::process::both;
use crate::{Author, CommitWriter, Repo, Transaction};

impl Repo {
    /// Returns the plan and the record that end at `tip`.
    pub fn record(&self, tip: &Oid) -> Result<(String, Record)> {
        let (events, plan) = both(|| self.subjects(tip), || self.plan_text(tip))?;
        let events = events.iter().filter_map(|(subject, at)| Some((Event::parse(subject)?, *at)));
        let record = Record::replay(events).context("the record does not begin with its base")?;
        Ok((plan, record))
    }

    /// Returns the plan that a record's commit holds.
    pub fn plan_text(&self, tip: &Oid) -> Result<String> {
        String::from_utf8(self.blob(tip, "plan.yaml")?).context("the recorded plan is not UTF-8")
    }
}

/// Adds events to a record. Each becomes a commit at once; the ref moves with a transaction, so
/// that the events stand there exactly when their effects do.
#[derive(Debug)]
pub struct Journal {
    name: String,
    tree: Oid,
    /// Where the ref is; `None` when there is no record yet.
    published: Option<Oid>,
    tip: Option<Oid>,
    author: Author,
    /// Begun with the first event.
    commits: Option<CommitWriter>,
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
            name: Refs(workflow).record(),
            tree: repo.write_tree_of("plan.yaml", plan.as_bytes())?,
            tip: published.clone(),
            published,
            author,
            commits: None,
        })
    }

    /// Writes one event.
    pub fn add(&mut self, repo: &Repo, event: &Event) -> Result<()> {
        let parents: Vec<&Oid> = self.tip.iter().collect();
        let mut commits = match self.commits.take() {
            Some(commits) => commits,
            None => repo.commit_writer(self.author.clone(), None)?,
        };
        self.tip = Some(commits.write(&self.tree, &parents, &format!("{event}\n"))?);
        self.commits = Some(commits);
        Ok(())
    }

    /// Adds the move of the record's ref to a transaction.
    pub fn join(&self, transaction: Transaction) -> Transaction {
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
    /// `locked` when the record or one of the refs was moved by another process.
    pub fn publish(&mut self, repo: &Repo, transaction: Transaction) -> Result<()> {
        self.join(transaction).publish(repo)?;
        self.published.clone_from(&self.tip);
        Ok(())
    }

    /// The same; false when another process moved the record or one of the refs.
    pub fn try_publish(&mut self, repo: &Repo, transaction: Transaction) -> Result<bool> {
        let done = self.join(transaction).commit(repo)?;
        if done {
            self.published.clone_from(&self.tip);
        }
        Ok(done)
    }

    /// Publishes one event about what has happened already, on top of what another process wrote to
    /// the record meanwhile.
    ///
    /// # Errors
    ///
    /// `locked` when other processes moved the record during each of three tries.
    pub fn append(&mut self, repo: &Repo, event: &Event) -> Result<()> {
        for _ in 0..2 {
            self.add(repo, event)?;
            if self.try_publish(repo, Transaction::default())? {
                return Ok(());
            }
            let now = repo.refs(&[&self.name])?.remove(&self.name);
            self.tip.clone_from(&now);
            self.published = now;
        }
        self.add(repo, event)?;
        self.publish(repo, Transaction::default())
    }

    /// Returns the newest event's commit, published or not.
    pub fn tip(&self) -> Option<&Oid> {
        self.tip.as_ref()
    }

    /// Returns whether everything that was added is published.
    pub fn is_published(&self) -> bool {
        self.tip == self.published
    }
}
