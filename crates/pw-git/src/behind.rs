//! What stands behind committed entries that are no files: links and submodules.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use pw_core::facts::Behind;
use pw_core::history::Change;
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::Repo;

impl Repo {
    /// Reads what links and `.gitmodules` say, where any of these changes is one of a link or a
    /// submodule; most never do, and then git is not asked.
    pub fn behind<'a>(
        &self,
        changes: &[&Change],
        tips: impl Iterator<Item = &'a Oid>,
    ) -> Result<Behind> {
        let entries = || changes.iter().filter_map(|change| change.new.as_deref());
        let ids = entries().filter_map(|entry| entry.strip_prefix("120000 ")?.parse().ok());
        let ids: Vec<Oid> = ids.collect::<BTreeSet<_>>().into_iter().collect();
        let mut behind = Behind::default();
        if !ids.is_empty() {
            let said = self.contents(&ids, None)?;
            behind.links = ids.into_iter().zip(said).collect();
        }
        if entries().any(|entry| entry.starts_with("160000 ")) {
            behind.modules = self.modules_of(tips)?;
        }
        Ok(behind)
    }

    fn modules_of<'a>(
        &self,
        tips: impl Iterator<Item = &'a Oid>,
    ) -> Result<BTreeMap<Oid, BTreeSet<RepoPath>>> {
        let tips: Vec<&Oid> = tips.collect();
        let asked: String = tips.iter().map(|tip| format!("{tip}:.gitmodules\n")).collect();
        let check = self.git.plumbing(["cat-file", "--batch-check=%(objectname)"]).reader();
        let answer = String::from_utf8_lossy(&check.input(asked).bytes()?).into_owned();
        let blobs: Vec<Option<Oid>> = answer.lines().map(|line| line.parse().ok()).collect();
        anyhow::ensure!(blobs.len() == tips.len(), "git cat-file ended early");
        // Most have the same.
        let mut known: BTreeMap<Option<Oid>, BTreeSet<RepoPath>> = [(None, BTreeSet::new())].into();
        let mut modules = BTreeMap::new();
        for (tip, blob) in tips.into_iter().zip(blobs) {
            let named = match known.get(&blob) {
                Some(named) => named.clone(),
                None => self.modules(self.root(), blob.as_ref().map(Oid::as_str))?,
            };
            known.insert(blob, named.clone());
            modules.insert(tip.clone(), named);
        }
        Ok(modules)
    }
}
