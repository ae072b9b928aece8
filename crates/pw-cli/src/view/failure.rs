//! A refusal, for people.

use pw_core::conflict::ConflictKind;
use pw_core::details::{
    Conflicts, DependencyConflicts, Ended, GitCall, GitSaid, HookSaid, RemoteSaid,
};
use pw_core::failure::Failure;
use pw_core::gate_report::GateStop;
use pw_core::path::RepoPath;
use pw_core::plan::Problems;
use pw_core::report::LISTED;
use pw_core::stop::Stop;

use super::table::{plain, prose};

pub(crate) fn failure(failure: &Failure) -> String {
    let mut out = prose(&format!("error: {}", plain(&failure.message))) + "\n";
    let problems = failure.told::<Problems>().map(|told| told.problems).unwrap_or_default();
    for problem in problems.iter().take(LISTED) {
        let line = problem.line.map(|line| format!("line {line}: ")).unwrap_or_default();
        let (message, hint) = (plain(&problem.message), plain(&problem.hint));
        out += &format!(
            "{}\n{}\n",
            prose(&format!("  {line}{message}")),
            prose(&format!("    {hint}"))
        );
    }
    for (path, kind) in conflicts(failure).into_iter().take(LISTED) {
        out += &format!("  {} ({})\n", plain(&path.to_string()), kind.words());
    }
    for command in failure.told::<Conflicts>().map(|told| told.commands).unwrap_or_default() {
        out += &format!("  $ {}\n", plain(&command));
    }
    for line in output(failure).unwrap_or_default().lines() {
        out += &format!("  | {}\n", plain(line));
    }
    if !failure.hint.is_empty() {
        out += &(prose(&format!("hint: {}", plain(&as_shown(&failure.hint)))) + "\n");
    }
    if let Some(next) = &failure.next {
        out += &format!("next: {}\n", plain(next));
    }
    out
}

/// Returns the files that do not merge.
fn conflicts(failure: &Failure) -> Vec<(RepoPath, ConflictKind)> {
    if let Some(stop) = failure.told::<Stop>() {
        return stop.conflicts.into_iter().map(|file| (file.path, file.kind)).collect();
    }
    let dependency = || failure.told::<DependencyConflicts>().map(|told| told.conflicts);
    let conflicts = failure.told::<Conflicts>().map(|told| told.conflicts).or_else(dependency);
    conflicts.into_iter().flatten().map(|file| (file.path, file.kind)).collect()
}

/// Returns what git, a remote or a program of the user's said, or the end of it.
fn output(failure: &Failure) -> Option<String> {
    let gate = || failure.told::<GateStop>().map(|told| told.output_tail);
    let hook = || failure.told::<HookSaid>().map(|told| told.output);
    let call = || failure.told::<GitCall>().map(|told| told.git);
    let git = || failure.told::<GitSaid>().map(|told| told.git);
    let remote = || failure.told::<RemoteSaid>().map(|told| told.said);
    let ended = failure.told::<Ended>().map(|told| told.output_tail);
    ended.or_else(gate).or_else(hook).or_else(call).or_else(git).or_else(remote)
}

/// What a hint calls a field of the document is above, where a person reads it.
const SHOWN: [(&str, &str); 5] = [
    ("entry of details.problems", "entry above"),
    ("details.output_tail", "the output above"),
    ("details.output", "the output above"),
    ("details.git", "what git said above"),
    ("details.said", "what was said above"),
];

fn as_shown(hint: &str) -> String {
    SHOWN.iter().fold(hint.to_owned(), |hint, (field, words)| hint.replace(field, words))
}
