//! What a worker is told.

use pw_core::path::RepoPath;
use pw_core::text::counted;
use pw_core::worker::{Brief, Committed, Passed, Ran, Synced, Undone};

use super::table::{next, paths, plain, plain_lines};

pub(crate) fn ran(ran: &Ran) -> String {
    let line =
        |passed: &Passed| format!("passed, {} s: {}\n", passed.seconds, plain(&passed.command));
    ran.passed.iter().map(line).collect()
}

pub(crate) fn brief(brief: &Brief) -> String {
    let list = |title: &str, items: &[String]| {
        let lines: String = items.iter().map(|item| format!("  - {}\n", plain(item))).collect();
        if items.is_empty() { String::new() } else { format!("\n{title}\n{lines}") }
    };
    let mut out = format!(
        "{} ({}) of {}: {}\n",
        brief.label,
        brief.branch,
        brief.workflow,
        brief.state.word()
    );
    out += &format!("\nGoal\n  {}\n", plain_lines(&brief.goal).replace('\n', "\n  "));
    out += &list("You own", &brief.owns);
    out += &list("Every worker may change", &brief.shared);
    out += &list("Of these, add lines and change none", &brief.union);
    if let Some(checkout) = &brief.checkout {
        let folders: Vec<String> = checkout.folders.iter().map(RepoPath::to_string).collect();
        out += &list("Checked out are the files at the top and", &folders);
        out += &format!("  more: {}\n", checkout.more);
    }
    out += &list("Tasks", &brief.tasks);
    out += &list("Checkpoints", &brief.checkpoints);
    if !brief.finished.is_empty() {
        out += &list("Committed so far", &brief.finished);
        out += &list("Checkpoints that remain", &brief.remaining);
    }
    out += &list("Others need from you", &brief.provides);
    if !brief.notes.is_empty() {
        out += &format!("\nNotes\n  {}\n", plain_lines(&brief.notes).replace('\n', "\n  "));
    }
    if !brief.out_of_scope.is_empty() {
        out += &format!("\nOutside your scope: {}\n", paths(&brief.out_of_scope));
    }
    out.extend(
        brief.gaps.iter().map(|gap| format!("\nNot as it was made: {}\n", plain(&gap.message))),
    );
    for other in &brief.others {
        out += &format!(
            "\n{} ({}) is {}; owns {}",
            other.worker,
            other.name,
            other.state.word(),
            plain(&other.owns.join(" "))
        );
    }
    out + "\n" + &next(&brief.next)
}

pub(crate) fn committed(committed: &Committed) -> String {
    let mut out = format!("{} {}\n", committed.commit.short(), plain(&committed.subject));
    out.extend(committed.paths.iter().map(|path| format!("  {}\n", plain(&path.to_string()))));
    if !committed.left.is_empty() {
        out += &format!("left uncommitted: {}\n", paths(&committed.left));
    }
    out.extend(committed.notes.iter().map(|note| format!("{}\n", plain(note))));
    out.extend(
        committed.repaired.iter().map(|gap| format!("put right: {}\n", plain(&gap.message))),
    );
    out.extend(
        committed.gaps.iter().map(|gap| format!("not as it was made: {}\n", plain(&gap.message))),
    );
    out + &next(&committed.next)
}

pub(crate) fn undone(undone: &Undone) -> String {
    let mut out = match undone.files {
        0 => "nothing to undo\n".to_owned(),
        files => {
            format!("as committed again: {} ({})\n", counted(files, "file"), paths(&undone.undone))
        }
    };
    if !undone.left.is_empty() {
        out += &format!("not yours, and left: {}\n", paths(&undone.left));
    }
    if let Some(restore) = &undone.restore {
        out += &format!("to have it back: {restore}\n");
    }
    out + &next(&undone.next)
}

pub(crate) fn synced(synced: &Synced) -> String {
    let mut out = format!("took in {} as {}\n", synced.from, synced.commit.short());
    for file in &synced.files {
        let lines =
            file.added.zip(file.deleted).map_or("binary".to_owned(), |(a, d)| format!("+{a} -{d}"));
        out += &format!("  {} {lines}\n", plain(&file.path.to_string()));
    }
    if !synced.by_union.is_empty() {
        out += &format!("  both sides' lines are kept in {}\n", paths(&synced.by_union));
    }
    out.extend(synced.notes.iter().map(|note| format!("{}\n", plain(note))));
    out + &next(&synced.next)
}
