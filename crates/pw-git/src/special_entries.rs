//! What committed entries that are no files lead to: symbolic links and submodules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use pw_core::blob::{Blob, FileMode};
use pw_core::facts::SpecialEntries;
use pw_core::history::{Change, Content};
use pw_core::id::Oid;
use pw_core::path::RepoPath;

use crate::Repo;
use crate::process::records;

/// What a commit's own list of submodules is called.
const MODULES: &[u8] = b".gitmodules";

impl Repo {
    /// Reads what links and `.gitmodules` say in those of the tips whose changes have to do with
    /// any; most never do, and then git is not asked.
    pub fn special_entries<'a>(
        &self,
        tips: impl Iterator<Item = (&'a Oid, &'a [Change])>,
    ) -> Result<SpecialEntries> {
        let is_modules = |change: &Change| change.path.as_bytes() == MODULES;
        let is_odd = |change: &Change| {
            let is_special = |blob: &Blob| !blob.mode.is_file();
            change.new.as_ref().and_then(Content::blob).is_some_and(is_special)
                || is_modules(change)
        };
        let odd: Vec<_> = tips.filter(|(_, changes)| changes.iter().any(is_odd)).collect();
        let mut behind = SpecialEntries::default();
        for (tip, changes) in &odd {
            behind.entries.insert((*tip).clone(), self.list_special_entries(tip)?);
            let old = changes.iter().find(|change| is_modules(change));
            if let Some(blob) = old.and_then(|change| change.old.as_ref()?.blob()) {
                let named = self.modules(self.place(), Some(blob.oid.as_str()))?;
                behind.named_before.insert((*tip).clone(), named);
            }
        }
        let entries = || behind.entries.values().flat_map(BTreeMap::values);
        let links = entries().filter(|entry| entry.mode == FileMode::LINK);
        let ids: BTreeSet<Oid> = links.map(|link| link.oid.clone()).collect();
        let ids: Vec<Oid> = ids.into_iter().collect();
        let has_modules = entries().any(|entry| entry.mode == FileMode::SUBMODULE);
        if !ids.is_empty() {
            let said = self.contents(&ids, None)?;
            behind.links = ids.into_iter().zip(said).collect();
        }
        if has_modules {
            behind.modules = self.modules_of(odd.iter().map(|(tip, _)| *tip))?;
        }
        Ok(behind)
    }

    /// Returns the links and submodules of a commit.
    fn list_special_entries(&self, commit: &Oid) -> Result<BTreeMap<RepoPath, Blob>> {
        let args = ["ls-tree", "-r", "-z", "--full-tree", commit.as_str()];
        let listed = self.git.plumbing(args).reader().bytes()?;
        let entry = |record: &[u8]| {
            let is_odd = record.starts_with(b"120000 ") || record.starts_with(b"160000 ");
            let at = record.iter().position(|byte| *byte == b'\t').filter(|_| is_odd)?;
            let about = std::str::from_utf8(&record[..at]).ok()?;
            let [mode, _, id] = about.split(' ').collect::<Vec<_>>()[..] else { return None };
            let blob = Blob { oid: id.parse().ok()?, mode: mode.parse().ok()? };
            Some((RepoPath::new(&record[at + 1..]), blob))
        };
        Ok(records(&listed).filter_map(entry).collect())
    }

    /// Returns whether another clone could fetch a submodule's commit: a remote-tracking branch or
    /// a tag of the submodule contains it. True where that cannot be told, as of a submodule that
    /// is not checked out.
    pub fn is_published(&self, submodule: &Path, commit: &str) -> Result<bool> {
        if submodule.join(".git").symlink_metadata().is_err() {
            return Ok(true);
        }
        let args = ["for-each-ref", "--count=1", "--contains", commit, "refs/remotes", "refs/tags"];
        let output = self.git.at(submodule).plumbing(args).reader().any_code().run()?;
        Ok(output.code != 0 || !output.stdout.is_empty())
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
                None => self.modules(self.place(), blob.as_ref().map(Oid::as_str))?,
            };
            known.insert(blob, named.clone());
            modules.insert(tip.clone(), named);
        }
        Ok(modules)
    }
}
