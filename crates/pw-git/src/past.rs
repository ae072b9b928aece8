//! Finished runs, as a ref of one commit without a parent: what is forgotten is gone with it.

use anyhow::{Context as _, Result};
use pw_core::id::Oid;
use pw_core::retro::past::{HISTORY, Past};

use crate::{Repo, Transaction};

/// The one file of its tree.
const FILE: &str = "runs.jsonl";

impl Repo {
    /// Returns the finished runs that a commit keeps.
    pub fn past(&self, commit: &Oid) -> Result<Past> {
        let text = String::from_utf8(self.blob(commit, FILE)?);
        Ok(Past::read(&text.context("the kept runs are not UTF-8")?))
    }

    /// Keeps these runs in place of those that `old` keeps; without any, nothing is kept.
    ///
    /// # Errors
    ///
    /// `locked` when another process moved the ref, and then nothing changed.
    pub fn set_past(&self, past: &Past, old: Option<&Oid>) -> Result<()> {
        let text = past.text();
        let transaction = match (text.is_empty(), old) {
            (true, None) => return Ok(()),
            (true, Some(old)) => Transaction::default().delete(HISTORY, old),
            (false, _) => {
                let tree = self.write_tree_of(FILE, text.as_bytes())?;
                let author = self.author()?;
                let commit = self.write_commit(&author, &tree, &[], "finished runs\n")?;
                Transaction::default().set(HISTORY, &commit, old)
            }
        };
        transaction.publish(self)
    }
}
