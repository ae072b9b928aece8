//! Which workflows a repository has a record of.

use std::collections::BTreeMap;

use anyhow::Result;
use pw_core::id::{Oid, Slug};
use pw_core::record::Refs;
use pw_git::Repo;

/// The prefixes of all refs that a workflow is read from: branches, refs of ours, and refs of a
/// remote as they were fetched last.
pub(crate) const REFS: &[&str] = &["refs/heads", "refs/pw", "refs/pw-remote"];

/// Reads all refs that a workflow is read from.
pub(crate) fn read_refs(repo: &Repo) -> Result<BTreeMap<String, Oid>> {
    repo.refs(REFS)
}

/// Returns the workflows that have a record, with its newest commit.
pub(crate) fn recorded(refs: &BTreeMap<String, Oid>) -> Vec<(Slug, Oid)> {
    let known = refs.iter().filter_map(|(full, tip)| Some((of_record(full)?, tip.clone())));
    known.collect()
}

/// Returns the workflow whose record a ref is.
pub(crate) fn of_record(name: &str) -> Option<Slug> {
    name.strip_prefix("refs/pw/")?.strip_suffix("/record")?.parse().ok()
}

/// Returns whether a workflow is closed; anything that happens to it later opens it again.
pub(crate) fn is_closed(refs: &BTreeMap<String, Oid>, workflow: &Slug, record: &Oid) -> bool {
    refs.get(&Refs(workflow).closed()) == Some(record)
}
