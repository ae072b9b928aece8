//! Snapshots: what there is, what came back, what is gone.

use pw_core::snapshot::{Forgotten, Restore, Snapshot};
use pw_core::time::human;

use super::{cell, drawn, next, plain, table};

pub(crate) fn restore(restore: &Restore) -> String {
    if let Some(restored) = &restore.restored {
        let place = restored.worktree.as_deref().or(restored.branch.as_deref()).unwrap_or_default();
        let files = pw_core::report::counted(restored.files, "file");
        return format!("{} is back in {}: {files}\n", restored.snapshot, plain(place))
            + &next(&restore.next);
    }
    if restore.snapshots.is_empty() {
        return format!("{} has no snapshots\n", restore.workflow);
    }
    lines(&restore.snapshots) + &next(&restore.next)
}

pub(crate) fn forgotten(forgotten: &Forgotten) -> String {
    if forgotten.forgotten.is_empty() {
        return "nothing was forgotten that had not been before\n".to_owned();
    }
    let back = "until git collects them, git branch NAME COMMIT still brings them back\n";
    lines(&forgotten.forgotten) + back
}

fn lines(snapshots: &[Snapshot]) -> String {
    let mut rows = table(&["snapshot", "age", "holds", "why", "commit"]);
    for snapshot in snapshots {
        rows.add_row([
            cell(&snapshot.snapshot),
            cell(human(snapshot.age_seconds)),
            cell(snapshot.content()),
            cell(&snapshot.message),
            cell(snapshot.commit.short()),
        ]);
    }
    drawn(&rows)
}
