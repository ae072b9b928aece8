//! Which edits follow files that another branch moved.

use std::collections::BTreeMap;

use anyhow::Result;
use pw_core::facts::Facts;
use pw_core::id::{Oid, WorkerId};
use pw_core::moved_edit::{MovedEdit, Moving};
use pw_git::Repo;

/// Returns what merging these workers carries over, among those of them that merge. git is asked
/// only where one removed what another changed, once for each that did.
pub(crate) fn among<'a>(
    repo: &Repo,
    facts: &'a Facts,
    workers: impl IntoIterator<Item = &'a WorkerId>,
) -> Result<Vec<MovedEdit>> {
    let side = |id: &'a WorkerId| {
        let known = facts.workers.get(id)?;
        let (tip, brought) = (known.tip.as_ref()?, known.brought.as_ref()?);
        Some((tip, Moving::new(Some(id), &brought.since, tip, &brought.changes)))
    };
    let sides: Vec<(&Oid, Moving<'_>)> = workers.into_iter().filter_map(side).collect();
    let contains = |one: &Oid, other: &Oid| facts.history.contains(one, other);
    let pairs = sides.iter().flat_map(|(one, mover)| {
        let others = sides.iter().filter(move |(other, _)| one != other);
        let apart = others.filter(move |(other, _)| !contains(one, other) && !contains(other, one));
        apart.map(move |(_, editor)| (mover, editor))
    });
    carried(repo, pairs)
}

/// Returns what is carried over between pairs of one that moves files and one that changes some.
pub(crate) fn carried<'a>(
    repo: &Repo,
    pairs: impl IntoIterator<Item = (&'a Moving<'a>, &'a Moving<'a>)>,
) -> Result<Vec<MovedEdit>> {
    let mut renames = BTreeMap::new();
    let mut found = Vec::new();
    for (mover, editor) in pairs {
        let moved = mover.moved_under(editor);
        if moved.is_empty() {
            continue;
        }
        let known = match renames.entry(mover.range.newest.clone()) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(none) => {
                none.insert(repo.renames(&mover.range)?)
            }
        };
        let renamed = known.iter().filter(|(path, _)| moved.contains(&path));
        found.extend(renamed.map(|(path, to)| MovedEdit {
            path: path.clone(),
            to: to.clone(),
            moved_by: mover.worker.cloned(),
            changed_by: editor.worker.cloned(),
        }));
    }
    Ok(found)
}
