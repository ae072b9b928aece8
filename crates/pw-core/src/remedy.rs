//! What to do about a word in an answer: one row for each, which `pw-setup explain` prints, and of
//! which the page recovery.md is made.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cleanup::KeepKind;
use crate::failure::{Code, Failure};
use crate::report::Report;
use crate::status::{ReasonKind, State};

/// The answer of `explain`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Explained {
    /// As it was asked for.
    pub word: String,
    /// One row for each meaning of the word.
    pub rows: Vec<Row>,
}

impl Report for Explained {
    const SCHEMA: &'static str = "pw-setup.explain/1";
}

/// What a word means, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Row {
    /// Where the word stands.
    pub of: Topic,
    /// As it stands in an answer.
    pub word: String,
    /// What happened; of a state only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// The exit code of the helper; of a code only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<u8>,
    /// What to do about it.
    pub action: &'static str,
}

/// Where a word stands in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// `error.code`.
    Code,
    /// `state` of a worker.
    State,
    /// `kind` of a reason why a worker is not ready.
    Reason,
    /// `kind` of a reason why cleanup keeps a worker.
    Kept,
}

/// Returns all that is known of a word.
///
/// # Errors
///
/// `usage`, when no answer has it.
pub fn explain(word: &str) -> Result<Explained, Failure> {
    let rows: Vec<Row> = all().into_iter().filter(|row| row.word == word).collect();
    if rows.is_empty() {
        return Err(Failure::new(Code::Usage, format!("no answer has the word {word:?}"))
            .hint("give a code, a state, or the kind of a reason as it stands in an answer"));
    }
    Ok(Explained { word: word.to_owned(), rows })
}

/// Returns every row, topic after topic.
pub fn all() -> Vec<Row> {
    let row = |of, word: String, action| Row { of, word, meaning: None, exit: None, action };
    let code = |code: &Code| Row {
        exit: Some(code.exit()),
        ..row(Topic::Code, word(code), of_code(*code))
    };
    let state = |(state, meaning, action): &(State, &'static str, &'static str)| Row {
        meaning: Some(meaning),
        ..row(Topic::State, word(state), action)
    };
    let reasons = REASONS.iter().flat_map(|(kinds, action)| {
        kinds.iter().map(move |kind| row(Topic::Reason, word(kind), *action))
    });
    let kept = KEPT.iter().flat_map(|(kinds, action)| {
        kinds.iter().map(move |kind| row(Topic::Kept, word(kind), *action))
    });
    Code::ALL.iter().map(code).chain(STATES.iter().map(state)).chain(reasons).chain(kept).collect()
}

fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map(str::to_owned).unwrap_or_default()
}

const STATES: &[(State, &str, &str)] = &[
    (
        State::Planned,
        "the workers it comes after are not ready",
        "wait; `pw-setup advance` when they are",
    ),
    (
        State::Starting,
        "created, nothing committed",
        "ask whether its launch command runs in a terminal",
    ),
    (State::InProgress, "at work", "wait; quote its last checkpoint and its age"),
    (
        State::Blocked,
        "it said why it cannot go on",
        "quote reason and text; the user answers in its terminal, or put the answer into its `notes`, run `pw-setup create` again and let the user restart it",
    ),
    (
        State::Waiting,
        "it needs an item of another worker",
        "satisfied: the user tells it to go on, or restarts it; else the other worker comes first",
    ),
    (State::Complete, "finished", "ready: integrate; else see its reasons"),
    (
        State::Reopened,
        "it committed after finishing",
        "wait for its next `[COMPLETE]`; ask the user what it is doing",
    ),
    (State::Integrated, "merged", "nothing"),
    (
        State::Missing,
        "its branch or worktree is gone",
        "`pw-setup advance` makes a lost worktree again; of a lost branch, give the user the hint in its problems",
    ),
];

const REASONS: &[(&[ReasonKind], &str)] = &[
    (&[ReasonKind::NotComplete], "see its state"),
    (
        &[ReasonKind::DirtyTree],
        "the worker commits the files with `pw-worker checkpoint`, or removes them, then completes again",
    ),
    (
        &[ReasonKind::Unmerged, ReasonKind::OperationInProgress],
        "the worker finishes or gives up its git operation",
    ),
    (
        &[ReasonKind::OutOfScope],
        "the worker undoes those files; or, if no worker owns them, the plan gives them to it; or the user agrees to merge them",
    ),
    (&[ReasonKind::WrongBranch], "the worker runs `git switch` to its own branch"),
    (&[ReasonKind::BranchMissing, ReasonKind::WorktreeMissing], "as state `missing`"),
    (
        &[ReasonKind::WorktreeBroken, ReasonKind::WorktreeMoved],
        "run `pw-setup repair`, and show what it says; never `git worktree repair`, which in a copied repository takes the worktrees away from the original",
    ),
    (
        &[ReasonKind::Contested],
        "one of the two workers was moved onto the other's branch: ask the user whose work it is",
    ),
    (
        &[ReasonKind::UnclaimedCommits],
        "its branch holds commits that the worker they came from has dropped, or from a branch of the user's: show the user the files; they leave it out, or agree to `--allow-out-of-scope`",
    ),
    (
        &[ReasonKind::OutdatedCommits],
        "the worker it took work from has rewritten that: it takes in what is there now, or the conflict is resolved when it is merged",
    ),
    (
        &[ReasonKind::HollowEntry],
        "the worker takes these out of its branch as `pw-worker complete` says, then completes again",
    ),
    (
        &[ReasonKind::Diverged],
        "two clones committed for the same worker, or the remote was rewound: show both tips (`tip`, `other_tip`); the user merges the one into the other",
    ),
    (&[ReasonKind::HistoryRewritten], "stop; the user decides what the branch should hold"),
];

const KEPT: &[(&[KeepKind], &str)] = &[
    (&[KeepKind::NotMerged], "integrate first; or leave it"),
    (
        &[KeepKind::NotComplete],
        "it is still at work, or waits for an answer: answer, or have it say `pw-worker complete`",
    ),
    (&[KeepKind::NotBegun], "name the worker: `pw-integrate cleanup <workflow> task-3`"),
    (
        &[KeepKind::DirtyTree, KeepKind::Untracked, KeepKind::Ignored, KeepKind::Hidden],
        "show the files; on the user's word `--snapshot` keeps them and removes the worktree; what is built anew belongs in `disposable`",
    ),
    (&[KeepKind::NestedRepository], "the user pushes or moves it: no snapshot can hold it"),
    (
        &[KeepKind::Unmerged, KeepKind::OperationInProgress, KeepKind::WrongBranch],
        "the user ends the operation, or switches back",
    ),
    (
        &[
            KeepKind::BranchElsewhere,
            KeepKind::WorktreeMissing,
            KeepKind::Foreign,
            KeepKind::Unreadable,
        ],
        "tell the user what the message says",
    ),
    (
        &[KeepKind::Locked, KeepKind::InUse, KeepKind::SessionAlive],
        "the user ends the session or unlocks; never do it yourself",
    ),
    (&[KeepKind::IntegrationStopped], "continue or abort first"),
    (&[KeepKind::ChangedMeanwhile], "a process works there: ask the user, then the same command"),
];

fn of_code(code: Code) -> &'static str {
    match code {
        Code::Internal => "report message and hint word for word, stop",
        Code::GitFailed => {
            "quote what git said, stop; once the cause is gone, run the same command again"
        }
        Code::CannotWrite => {
            "tell the user that the disk is full or the repository may not be written; then run the same command again"
        }
        Code::ProgramFailed => {
            "show `.error.message`: a filter such as git-lfs, or signing, does not work; once the user repaired it, run the same command again"
        }
        Code::NoIdentity => {
            "the user tells git who commits, in this repository: `git config user.name NAME` and `git config user.email ADDRESS`; then the same command again"
        }
        Code::HookRefused => {
            "a worker: do what `.error.details.output` asks for, then the same command again; else `.error.next`; integrating: quote it to the user; landing: nothing has landed, give another `-m`"
        }
        Code::ObjectsMissing => {
            "a partial clone, or one without the workflow's commits: with the user's consent run the next command, or what the hint says, which uses the network, then the same command again"
        }
        Code::HelperNotBuilt => {
            "give the user message and hint (none packaged, and no cargo or a failed build), stop"
        }
        Code::HelperBuilding => "run the same command again in a minute",
        Code::Usage => "correct the command line",
        Code::SettingsUnreadable => {
            "tell the user which file of the client's settings is no JSON, and where; nothing was written: never correct it yourself"
        }
        Code::PlanUnreadable => "correct the file name or the YAML at the line named",
        Code::PlanInvalid => "correct every problem listed, check again",
        Code::NotARepository => {
            "with a next command, run that: a worktree is parted from its repository; else change to the repository; `git init` only if the user wants one"
        }
        Code::BareRepository => {
            "work in the main checkout, or in a bare clone called `.bare` in a folder of its own"
        }
        Code::NoCommit => "the user makes the first commit",
        Code::UnsafeRepository => {
            "`.error.message` says why git does not trust the folder; the user decides whether to"
        }
        Code::RecordUnreadable => {
            "give the user message and hint, stop: nothing was changed, branches and worktrees are as they were"
        }
        Code::UnknownWorkflow => "take a name from `pw-setup list`",
        Code::AmbiguousWorkflow => "name the workflow; ask the user which one if it is not clear",
        Code::UnknownWorker => "use an id of the plan",
        Code::UnknownItem => {
            "ask for one of `.error.details.provides[]`, or for a file that worker owns; what the plan forgot, ask the user for with `pw-worker blocked`"
        }
        Code::NotAWorker => {
            "run worker commands in a worker's worktree; with a `worker` in the details the folder is one that was moved, exchanged or copied: follow the hint, commit nothing there"
        }
        Code::OtherWorker => {
            "the session is a worker's: what is another worker's or everybody's is not its to change; go back to its own worktree, or run the command in the user's own session"
        }
        Code::Locked => {
            "another helper is at work: run the same command again; with a `lock` in the details, ask the user whether a git still runs there before following the hint"
        }
        Code::InTheWay => {
            "rename the worker or the workflow; move other people's branches or folders only when the user agrees; a worker that syncs moves its own ignored files away; a resolution whose worktree lost its link waits for `.error.next`"
        }
        Code::PlanChanged => {
            "keep id, name and `after` of workers that exist; give changed ones a new id"
        }
        Code::NotReady => "see each worker's reasons; wait, or leave it out if the user agrees",
        Code::DependencyConflict => {
            "they changed a shared file in different ways. Opening a wave: run `.error.next`, resolve where it stops, `pw-integrate continue`, then `pw-setup advance`. A worker that syncs: take their version of each file (`.error.next` does it for the first), checkpoint, sync again, then add yours to it"
        }
        Code::NoMergeBase => {
            "in a shallow clone run `.error.next`, then the same command again; else the user decides what the branches should hold"
        }
        Code::MergeConflict => "resolve in the worktree named, then continue; or abort",
        Code::Unresolved => "finish the files named, add them, continue",
        Code::WaitingForWorkers => {
            "the resolution is kept; wait for the workers named and continue, or continue without them if the user agrees"
        }
        Code::GateFailed => {
            "nothing was published; report the message, which says who is at fault, and the end of the output; once that is corrected, continue; or, if the user agrees, run `next`, which leaves them out; or abort"
        }
        Code::NothingStopped => {
            "nothing to continue or abort: `pw-integrate check` says where things stand"
        }
        Code::IntegrationMoved => {
            "tell the user what the message says; with their word run `next`, which keeps those commits under another name, then run again"
        }
        Code::NoBase => {
            "tell the user what the message says; the work stays in the integration branch, to be landed by hand, with `next` if the user agrees"
        }
        Code::BaseMoved => "ask the user whether a merge commit is wanted, then run `next`",
        Code::BaseConflict => {
            "name the files; the user merges the base into the integration branch as the hint says, then finish again"
        }
        Code::NothingToLand => "integrate first",
        Code::PushFailed => {
            "quote what the remote or `gh` said; once the cause is gone, the same command again"
        }
        Code::RemoteFailed => {
            "quote what the remote said (`.error.details`); once it answers, the same command again; nothing was changed"
        }
        Code::RemoteMoved => {
            "another clone wrote first, and nothing was changed: look with `pw-monitor status --fetch`, then run `next`, which takes what it wrote"
        }
        Code::UnknownSnapshot => "take a name from `pw-integrate restore`; a forgotten one is gone",
        Code::OutOfScope => "a worker: undo, then `needs` or `blocked`; integrating: ask the user",
        Code::HollowEntry => {
            "do what the hint says (a repository inside the worktree, or a link that leads out: its content would be in no commit), then the same command"
        }
        Code::FileRefused => {
            "git does not take the files in `.error.details.paths[]` (line ends, encoding, name): correct them as the hint says, then the same command; else `.error.next`"
        }
        Code::DirtyTree => "commit own files, undo foreign ones, then the same command",
        Code::NothingToCommit => {
            "go on working; if all is done, `pw-worker complete`; where the hint names ignored files, `git add -f` those that belong to the work"
        }
        Code::WrongBranch => {
            "switch back to the worker's branch, or end the git operation in progress"
        }
        Code::SignalLost => {
            "the commit is there, its signal is not: a commit hook changed the message; [other place for signals](plan.md#rules-for-messages), or the user adapts the hook"
        }
        Code::SetupFailed => {
            "quote the end of the log; correct the plan's `setup` or what it lacks, run the same command again"
        }
        Code::NotCreated => {
            "the worker's wave has not come, or it was not created: `pw-setup advance`"
        }
        Code::LaunchFailed => "quote what the log says; workers named before it run already",
        Code::EngineFileMissing => {
            "write `.error.details.content` to `.error.details.path`; the user commits it on the base branch and the default branch and pushes; launch again"
        }
        Code::VerifyFailed => "the worker corrects what the output shows, commits, completes again",
        Code::CommandFailed => {
            "correct what `.error.details.output_tail` and `.error.details.first_failure` show; all the output is in `.error.details.log`; the exit code is the command's own"
        }
        Code::ProgramMissing => {
            "tell the user what to install, or take the other way that the hint names"
        }
        Code::SessionAlive => {
            "the worker runs already: go to that session instead of starting another; with `is_unseen` in the details, ask the user to look where it ran, and only when it is over run `pw-setup launch WORKER --ended`"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use schemars::schema_for;

    use super::*;

    /// The words of an enum, as its schema lists them.
    fn words<T: JsonSchema>() -> BTreeSet<String> {
        let schema = schema_for!(T).to_value();
        let parts = schema["oneOf"].as_array().cloned().unwrap_or_default();
        let single = parts.iter().filter_map(|part| part["const"].as_str());
        let all = parts.iter().chain([&schema]).filter_map(|part| part["enum"].as_array());
        let listed = all.flatten().filter_map(|word| word.as_str());
        single.chain(listed).map(str::to_owned).collect()
    }

    #[test]
    fn every_word_of_an_answer_has_one_row() {
        for (topic, words) in [
            (Topic::Code, words::<Code>()),
            (Topic::State, words::<State>()),
            (Topic::Reason, words::<ReasonKind>()),
            (Topic::Kept, words::<KeepKind>()),
        ] {
            assert!(words.len() > 8, "{topic:?}: {words:?}");
            let rows: Vec<String> =
                all().into_iter().filter(|row| row.of == topic).map(|row| row.word).collect();
            assert_eq!(rows.len(), words.len(), "{topic:?}");
            assert_eq!(rows.into_iter().collect::<BTreeSet<_>>(), words, "{topic:?}");
        }
    }

    #[test]
    fn a_word_with_two_meanings_has_two_rows_and_an_unknown_one_none() {
        let of = |word| explain(word).map(|found| found.rows.iter().map(|row| row.of).collect());
        assert_eq!(of("out_of_scope"), Ok(vec![Topic::Code, Topic::Reason]));
        assert_eq!(of("blocked"), Ok(vec![Topic::State]));
        assert_eq!(of("nonsense").map_err(|failure| failure.code), Err::<Vec<_>, _>(Code::Usage));
    }
}
