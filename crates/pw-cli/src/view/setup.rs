//! Plans, worktrees and sessions.

use pw_core::analyze::neighbours::Neighbour;
use pw_core::diagnosis::{Diagnosis, Level};
use pw_core::doctor::Doctor;
use pw_core::engine::RepositoryFile;
use pw_core::gap::Repaired;
use pw_core::launch::{LaunchStatus, Launched};
use pw_core::prerequisites::{Prerequisites, WillRun};
use pw_core::remedy::{Explained, Row, Topic};
use pw_core::retro::SizeRetro;
use pw_core::setup::{Check, Created, List, Setup, SetupStatus};
use pw_core::text::counted;
use pw_core::time::about;

use super::table::{cell, drawn, next, plain, plain_lines, prose, table};

/// Branch and worktree are called like the worker: that is said once.
fn setup(setup: &Setup, done: bool) -> String {
    let mut rows = table(&["worker", "status", "owns"]);
    for worker in &setup.workers {
        let word = match worker.status {
            SetupStatus::Created if done => "created".to_owned(),
            SetupStatus::Created => "new".to_owned(),
            SetupStatus::Exists => "exists".to_owned(),
            SetupStatus::Removed => "merged, removed".to_owned(),
            SetupStatus::Waiting => {
                let after: Vec<&str> = worker.after.iter().map(|id| id.as_str()).collect();
                format!("after {}", after.join(", "))
            }
        };
        rows.add_row([cell(&worker.label), cell(word), cell(worker.owns.join(" "))]);
    }
    let folder = setup.workers.first().and_then(|worker| worker.worktree.rsplit_once('/'));
    let folder = folder.map_or("worktrees", |(folder, _)| folder);
    format!(
        "{} on {}: branches work/<worker>, worktrees in {}/\n\n{}",
        setup.workflow,
        setup.base.commit.short(),
        plain(folder),
        drawn(&rows)
    )
}

pub(crate) fn check(check: &Check) -> String {
    let mut out = setup(&check.setup, false);
    if !check.hot_files.is_empty() {
        out += "\nFiles that change often\n";
        for file in &check.hot_files {
            let owner = match (&file.owner, file.shared) {
                (Some(owner), _) => format!("owned by {owner}"),
                (None, true) => "shared".to_owned(),
                (None, false) => "owned by no worker".to_owned(),
            };
            out += &format!(
                "  {} ({} commits): {owner}\n",
                plain(&file.path.to_string()),
                file.commits
            );
        }
    }
    out += &neighbours(&check.neighbours);
    if let Some(past) = &check.past {
        let runs = counted(past.runs, "finished run");
        let size = |size: &SizeRetro| format!("{:?} {}", size.size, about(size.median_seconds));
        let sizes: Vec<String> = past.sizes.iter().map(size).collect();
        out += &format!("\nBy {runs}: {}\n", sizes.join(", "));
        if let Some(expected) = past.expected_seconds {
            out += &format!("  the plan takes about {}\n", about(expected));
        }
        for gate in &past.flaky_gates {
            out += &format!("  the gate {} was flaky in {} of {runs}\n", gate.name, gate.runs);
        }
    }
    out += &prerequisites(&check.prerequisites);
    out + &next(&check.setup.next)
}

/// Files that changed with a worker's, a line each.
fn neighbours(all: &[Neighbour]) -> String {
    let mut out = String::new();
    for Neighbour { worker, pair, owner } in all {
        let owner =
            owner.as_ref().map_or("no worker owns it".to_owned(), |id| format!("{id} owns it"));
        out += &format!(
            "\n{worker}: {} changed with {} in {} of {} changes; {owner}\n",
            plain(&pair.with.to_string()),
            plain(&pair.path.to_string()),
            pair.together,
            pair.of
        );
    }
    out
}

pub(crate) fn created(created: &Created) -> String {
    let looked = created.prerequisites.as_ref().map(prerequisites).unwrap_or_default();
    let notes: String = created.notes.iter().map(|note| format!("  {}\n", plain(note))).collect();
    setup(&created.setup, true) + &notes + &looked + &next(&created.setup.next)
}

fn prerequisites(found: &Prerequisites) -> String {
    let WillRun { setup, smoke, verify, launch, notify, remote, copied, hooks, .. } =
        &found.will_run;
    let gates = verify.iter().map(|gate| (gate.name.as_str(), gate.command.clone()));
    let keys = [
        ("setup", setup),
        ("smoke", smoke),
        ("launch", launch),
        ("notify", notify),
        ("remote", remote),
    ];
    let keys = keys.into_iter().filter_map(|(key, text)| Some((key, text.clone()?)));
    let copied = (*copied > 0).then(|| ("copy", counted(*copied, "ignored file")));
    let hooks = (!hooks.is_empty()).then(|| ("hooks", hooks.join(", ")));
    let lines = keys.chain(gates).chain(copied).chain(hooks);
    let lines: String = lines
        .map(|(key, text)| {
            format!("  {key}: {}\n", plain_lines(text.trim_end()).replace('\n', "\n    "))
        })
        .collect();
    let mut out = if lines.is_empty() { lines } else { format!("\nWill run\n{lines}") };
    for warning in &found.warnings {
        out += &format!("\nwarning: {}\n", plain(warning));
    }
    out
}

pub(crate) fn launched(launched: &Launched) -> String {
    let mut out = String::new();
    for launch in &launched.workers {
        // Not in a table: a command that is cut cannot be copied.
        let word = match launch.status {
            LaunchStatus::Printed => "run this in a terminal of its own",
            status => status.word(),
        };
        out += &format!("{} ({word})\n  {}\n", launch.worker, plain(&launch.command));
    }
    if let Some(RepositoryFile { path, content }) = &launched.file {
        out += &format!("the base branch needs the file {path}:\n{}\n", plain_lines(content));
    }
    for submission in &launched.submissions {
        out += &format!("{}\n{}\n", plain(&submission.words()), plain_lines(&submission.input));
    }
    for skipped in &launched.skipped {
        out += &format!("  left alone: {}\n", plain(&skipped.message));
    }
    for note in &launched.notes {
        out += &format!("  note: {}\n", plain(note));
    }
    if let Some(attach) = &launched.attach {
        out += &format!("  to see them: {attach}\n");
    }
    out + &next(&launched.next)
}

pub(crate) fn repaired(repaired: &Repaired) -> String {
    let mut out = String::new();
    for worker in &repaired.workers {
        out += &format!("{} is as it was made again\n", worker.worker);
        let gaps = worker.gaps.iter().map(|gap| &gap.message);
        out.extend(worker.worktree.iter().chain(gaps).map(|text| format!("  {}\n", plain(text))));
    }
    for left in &repaired.left {
        out += &format!("{}: {}\n", left.worker, plain(&left.message));
    }
    if out.is_empty() {
        out = "nothing to repair\n".to_owned();
    }
    out + &next(&repaired.next)
}

pub(crate) fn list(list: &List) -> String {
    if list.workflows.is_empty() {
        return "no workflows\n".to_owned();
    }
    let mut rows = table(&["workflow", "workers", "integrated", "started", "goal"]);
    for line in &list.workflows {
        rows.add_row([
            cell(&line.workflow),
            cell(line.workers),
            cell(line.integrated),
            cell(&line.started_at),
            cell(line.goal.lines().next().unwrap_or_default()),
        ]);
    }
    drawn(&rows)
}

/// The rows of one word, a paragraph each.
pub(crate) fn explained(explained: &Explained) -> String {
    let row = |row: &Row| {
        let of = match row.of {
            Topic::Code => "a refusal",
            Topic::State => "the state of a worker",
            Topic::Reason => "why a worker is not ready",
            Topic::Kept => "why cleanup keeps a worker",
        };
        let exit = row.exit.map(|exit| format!(", exit code {exit}")).unwrap_or_default();
        let meaning = row.meaning.map(|meaning| format!("  {meaning}\n")).unwrap_or_default();
        format!("{} ({of}{exit})\n{meaning}  {}\n", row.word, row.action)
    };
    explained.rows.iter().map(row).collect()
}

/// A line for each thing that is not as it should be, the worst first, and when asked for each that is; a command
/// on a line of its own, so that it can be copied.
pub(crate) fn doctor(doctor: &Doctor, is_whole: bool) -> String {
    let mut out = prose(&doctor.summary) + "\n";
    for Diagnosis { about, level, message, remedy, command } in &doctor.findings {
        let mark = match level {
            Level::Ok if is_whole => "ok",
            Level::Ok => continue,
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Problem => "problem",
        };
        out += &format!("\n{}\n", prose(&format!("{mark}, {}: {}", about.word(), plain(message))));
        let end = if command.is_some() { ":" } else { "" };
        out.extend(remedy.iter().map(|remedy| prose(&format!("  {}{end}", plain(remedy))) + "\n"));
        out.extend(command.iter().map(|command| format!("  {}\n", plain(command))));
    }
    let Some(allowed) = &doctor.permissions else { return out };
    if is_whole && !allowed.missing.is_empty() {
        out += &format!("\nrules that --fix-permissions writes\n{}", rules(&allowed.missing));
    }
    if !allowed.written.is_empty() {
        out += &format!("\nwritten to {}\n{}", allowed.file, rules(&allowed.written));
    }
    out
}

/// Of a rule without arguments and the same with some, the one says the other.
fn rules(rules: &[String]) -> String {
    let is_said = |rule: &String| rules.contains(&rule.replace(')', " *)"));
    let shown = rules.iter().filter(|rule| !is_said(rule));
    shown.map(|rule| format!("  {rule}\n")).collect()
}
