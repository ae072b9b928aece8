//! Refs: reading many at once, changing many at once or none.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use pw_core::id::Oid;

use crate::Repo;

impl Repo {
    /// Returns the commits of all refs below the prefixes, by full name.
    pub fn refs(&self, prefixes: &[&str]) -> Result<BTreeMap<String, Oid>> {
        let asked = ["for-each-ref", "--format=%(objectname) %(refname)"].into_iter();
        let answer = self.git.plumbing(asked.chain(prefixes.iter().copied())).reader().bytes()?;
        parse_refs(&answer)
    }
}

fn parse_refs(bytes: &[u8]) -> Result<BTreeMap<String, Oid>> {
    // Ref names hold no newline; bytes that are not UTF-8 cannot be refs of ours.
    let text = String::from_utf8_lossy(bytes);
    let entry = |line: &str| {
        let (oid, name) = line.split_once(' ').context("git for-each-ref printed no name")?;
        Ok((name.to_owned(), oid.parse().ok().context("git for-each-ref printed no object id")?))
    };
    text.lines().map(entry).collect()
}

/// Changes to refs that happen all together or not at all, each only if the ref is as expected.
#[derive(Debug, Default)]
pub struct Transaction {
    input: Vec<u8>,
}

impl Transaction {
    /// Moves a ref from `old` (`None`: it must not exist) to `new`.
    #[must_use]
    pub fn set(mut self, name: &str, new: &Oid, old: Option<&Oid>) -> Self {
        let old = old.map_or_else(|| "0".repeat(new.as_str().len()), ToString::to_string);
        self.input.extend(format!("update {name}\0{new}\0{old}\0").bytes());
        self
    }

    /// Deletes a ref that must be at `old`.
    #[must_use]
    pub fn delete(mut self, name: &str, old: &Oid) -> Self {
        self.input.extend(format!("delete {name}\0{old}\0").bytes());
        self
    }

    /// Applies all changes; false when any ref was not as expected, and then nothing changed.
    pub fn commit(self, repo: &Repo) -> Result<bool> {
        let call = repo.git.plumbing(["update-ref", "--stdin", "-z", "-m", "parallel-workflows"]);
        let output = call.input(self.input).codes(&[0, 1, 128]).run()?;
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.code != 0 && !message.contains("cannot lock ref") {
            anyhow::bail!("git update-ref failed: {}", message.trim_end());
        }
        Ok(output.code == 0)
    }
}
