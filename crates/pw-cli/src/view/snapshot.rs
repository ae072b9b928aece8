//! Snapshots: what there is, what came back, what is gone; and what a cleanup did.

use pw_core::branch::Branch;
use pw_core::cleanup::{Cleanup, Stays};
use pw_core::snapshot::{Forgotten, PushedSnapshot, Restore, Snapshot};
use pw_core::time::human;

use super::table::{cell, drawn, next, plain, table};

pub(crate) fn cleanup(cleanup: &Cleanup) -> String {
    let mut out = String::new();
    let verb = if cleanup.dry_run { "would remove" } else { "removed" };
    for removed in &cleanup.removed {
        let id = removed.snapshot.as_ref().map(|id| format!(", kept as {id}"));
        out += &format!(
            "{verb} {} and {}{}\n",
            removed.branch,
            removed.worktree,
            id.unwrap_or_default()
        );
    }
    for kept in &cleanup.kept {
        out += &format!("kept {}\n", kept.worker);
        for reason in &kept.reasons {
            out += &format!("  {}\n", plain(&reason.message));
        }
    }
    if cleanup.removed.is_empty() && cleanup.kept.is_empty() {
        out += "there is nothing to clean up\n";
    }
    for Stays { what, why } in &cleanup.stays {
        out += &format!("{} stays: {}\n", plain(what), plain(why));
    }
    for note in &cleanup.notes {
        out += &format!("note: {}\n", plain(note));
    }
    out + &next(&cleanup.next)
}

pub(crate) fn restore(restore: &Restore) -> String {
    if let Some(restored) = &restore.restored {
        let place = restored
            .worktree
            .as_deref()
            .or(restored.branch.as_ref().map(Branch::as_str))
            .unwrap_or_default();
        let files = pw_core::text::counted(restored.files, "file");
        return format!("{} is back in {}: {files}\n", restored.snapshot, plain(place))
            + &next(&restore.next);
    }
    if let Some(pushed) = &restore.pushed {
        let PushedSnapshot { snapshot, remote, name } = pushed;
        let remote = plain(remote);
        return format!("{remote} has {snapshot} as {name}; in another clone:\n")
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
    format!(
        "Forgotten, so that pw-integrate restore has them no more:\n\n{}{back}",
        lines(&forgotten.forgotten)
    )
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
