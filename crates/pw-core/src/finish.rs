//! Landing: how the integration branch gets into the base branch, and what a pull request says.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::branch::Branch;
use crate::conflict::FileConflict;
use crate::details::Conflicts;
use crate::failure::{Code, Failure};
use crate::gate_report::{self, GateReport};
use crate::history::{Commit, History};
use crate::id::{Oid, Slug, WorkerId};
use crate::integration::{Readiness, Unready};
use crate::next::{CommandLine, Next, NextStep, Way};
use crate::own_commits::OwnCommits;
use crate::plan::{Plan, Worker};
use crate::report::Report;
use crate::status::{State, WorkerStatus};
use crate::text::{bounded, counted};
use crate::trailer;

/// Longest body of a pull request, in characters; GitHub takes 65,536.
const MAX_BODY: usize = 60_000;
/// Longest line of a worker's that it repeats, in characters, and how many of a kind.
const MAX_LINE: usize = 300;
const MAX_LINES: usize = 50;
/// The key of the trailer that names the result which one commit holds.
const RESULT: &str = "Pw-Result";

/// The answer of `pw-integrate finish`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Finished {
    /// The workflow whose result lands.
    pub workflow: Slug,
    /// The base branch.
    pub base: Branch,
    /// Where the base branch is now.
    pub commit: Oid,
    /// Where it was before.
    pub before: Oid,
    /// How it got there.
    pub landed: Landed,
    /// The checkout of the base branch that was brought along; absent when it is not checked out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkout: Option<String>,
    /// Workers left out on request.
    pub without: Vec<WorkerId>,
    /// Workers with commits newer than what lands.
    pub newer: Vec<WorkerId>,
    /// What the gates said about `commit`; `null` when none ran. With `pull_request`, about the
    /// integration branch.
    pub gate: Option<GateReport>,
    /// What else there is to know about how it was tested.
    pub notes: Vec<String>,
    /// With `pull_request` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_request: Option<PullRequest>,
    /// What to do next, the usual thing first.
    pub next: Vec<NextStep>,
}

impl Report for Finished {
    const SCHEMA: &'static str = "pw-integrate.finish/1";

    fn shorten(data: &mut serde_json::Value) {
        gate_report::shorten(data);
    }
}

/// How the work got into the base branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Landed {
    /// The base branch went on to the integration branch.
    FastForward,
    /// A merge commit on the base branch.
    Merge,
    /// One commit on the base branch, with the user's message.
    Squash,
    /// It was there before.
    Already,
    /// Not by us: it is proposed as a pull request.
    PullRequest,
}

/// A pull request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PullRequest {
    /// The remote it was pushed to.
    pub remote: String,
    /// Whether the integration branch was pushed; false when `gh` is not there to go on.
    pub pushed: bool,
    /// Where it is; `null` when it is not opened yet.
    pub url: Option<String>,
    /// One line.
    pub title: String,
    /// GitHub Markdown.
    pub body: String,
}

/// How the user wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LandingMode {
    /// By fast-forward where that is possible; else the user is asked.
    Unsaid,
    /// Only by fast-forward.
    FastForward,
    /// By a merge commit, also where a fast-forward is possible.
    Merge,
    /// As one commit with the user's message.
    Squash,
}

/// Returns the refusal of several obstacles at once: the first one, with all of them in
/// `details.obstacles`.
pub fn together(mut obstacles: Vec<Failure>) -> Option<Failure> {
    if obstacles.len() < 2 {
        return obstacles.pop();
    }
    let mut first = obstacles[0].clone().beside(&obstacles);
    let others: Vec<String> = obstacles[1..].iter().map(ToString::to_string).collect();
    first.message = format!("{}; also: {}", first.message, others.join("; "));
    Some(first)
}

/// Returns how to land. `is_ahead`: the integration branch contains the base branch.
///
/// # Errors
///
/// `base_moved`, with the choice there is.
pub fn landing(
    plan: &Plan,
    base: &Branch,
    is_ahead: bool,
    mode: LandingMode,
) -> Result<Landed, Failure> {
    match mode {
        LandingMode::Merge => Ok(Landed::Merge),
        LandingMode::Squash => Ok(Landed::Squash),
        LandingMode::Unsaid | LandingMode::FastForward if is_ahead => Ok(Landed::FastForward),
        LandingMode::Unsaid | LandingMode::FastForward => Err(Failure::new(
            Code::BaseMoved,
            format!("{base} has commits of its own since: there is no fast-forward"),
        )
        .hint("if the user agrees to a merge commit, ask for one; the result is verified first")
        .next(Next::Finish { workflow: &plan.workflow, way: Some(Way::Merge) })),
    }
}

/// Returns the refusal of a base branch that the result does not merge into: `base_conflict`. Its
/// commands run from anywhere: git is called in `checkout`, and merges in the folder `place`.
pub fn conflict(
    plan: &Plan,
    base: &Branch,
    conflicts: Vec<FileConflict>,
    checkout: &Path,
    place: &Path,
) -> Failure {
    let branch = plan.integration_branch();
    let in_place = |words: &str| CommandLine::git(place, words);
    let add = CommandLine::git(checkout, "worktree add").path(place).word(&branch);
    let commands = vec![
        add.clone(),
        in_place("merge").word(base),
        in_place("commit --all --no-edit"),
        CommandLine::git(checkout, "worktree remove").path(place),
    ];
    let files = counted(conflicts.len(), "file");
    Failure::new(Code::BaseConflict, format!("{branch} does not merge into {base}: conflicts in {files}"))
        .hint(format!(
            "the user runs the four commands: {base} is merged in a worktree of {branch}, resolved, committed; then finish again"
        ))
        .next(add)
        .details(Conflicts { conflicts, commands })
}

/// Refuses unless every worker was merged or is left out; returns the workers with newer commits.
///
/// # Errors
///
/// `not_ready`, with the workers that are missing.
pub fn require_all_merged(
    plan: &Plan,
    states: &[WorkerStatus],
    is_merged: &dyn Fn(&WorkerId) -> bool,
    without: &[WorkerId],
) -> Result<Vec<WorkerId>, Failure> {
    let open = || states.iter().filter(|status| status.state != State::Integrated);
    let missing: Vec<&WorkerStatus> =
        open().filter(|s| !is_merged(&s.id) && !without.contains(&s.id)).collect();
    if missing.is_empty() {
        return Ok(open().filter(|s| is_merged(&s.id)).map(|s| s.id.clone()).collect());
    }
    let names: Vec<&str> = missing.iter().map(|status| status.id.as_str()).collect();
    let workers: Vec<Readiness> = missing.iter().map(|status| Readiness::from(*status)).collect();
    Err(Failure::new(Code::NotReady, format!("not integrated: {}", names.join(", ")))
        .hint("integrate them, or leave them out with --without if the user agrees")
        .next(Next::Check(&plan.workflow))
        .details(Unready { workers }))
}

/// Refuses to leave out workers whose commits the result contains all the same. `range`: the
/// result, and where the base branch is, which may have them already.
///
/// # Errors
///
/// `not_ready`, with the first such worker.
pub fn require_left_out(
    plan: &Plan,
    work: &[OwnCommits<'_>],
    history: &History,
    range: [&Oid; 2],
    without: &[WorkerId],
) -> Result<(), Failure> {
    let [result, base] = range;
    let lands = history.ancestors([result]).without(&history.ancestors([base]));
    let is_in =
        |work: &OwnCommits<'_>| work.commits.iter().any(|commit| lands.contains(&commit.oid));
    let mut left_out = plan.ids().zip(work).filter(|(id, _)| without.contains(id));
    let Some((id, _)) = left_out.find(|(_, work)| is_in(work)) else { return Ok(()) };
    let message = format!("{} holds commits of {id}, which is left out", plan.integration_branch());
    Err(Failure::new(Code::NotReady, message)
        .hint("they would land; integrate that worker, too, or take the merge that brought them out by hand")
        .next(Next::Check(&plan.workflow)))
}

/// What is said of one worker.
#[derive(Clone, Debug)]
pub struct Share<'a> {
    /// The worker, as planned.
    pub worker: &'a Worker,
    /// Where it stands.
    pub status: &'a WorkerStatus,
    /// Its signals, the oldest first.
    pub signals: Vec<String>,
}

/// Returns the message of the merge commit on the base branch.
pub fn merge_message(plan: &Plan, base: &Branch, shares: &[Share<'_>]) -> String {
    let mut message = format!("Merge {} into {base}\n", plan.integration_branch());
    let goal = one_line(&plan.goal);
    if !goal.is_empty() {
        message += &format!("\n{goal}\n");
    }
    let said = |share: &Share<'_>| {
        let text = share.status.signal.as_ref().map(|s| one_line(&s.text)).unwrap_or_default();
        format!("- {}: {text}", share.worker.label()).trim_end_matches([':', ' ']).to_owned() + "\n"
    };
    if !shares.is_empty() {
        message += &format!("\nWorkers:\n{}", shares.iter().map(said).collect::<String>());
    }
    message + &format!("\nPw-Workflow: {}\n", plan.workflow)
}

/// Returns the user's message for the one commit that lands, with who else wrote what is in it, and
/// where the history of that is.
pub fn squash_message(plan: &Plan, message: &str, authors: &[String], result: &Oid) -> String {
    let is_new = |author: &&String| !message.contains(author.as_str());
    let authors = authors.iter().filter(is_new).map(|author| ("Co-authored-by", author.clone()));
    let ours = [("Pw-Workflow", plan.workflow.to_string()), (RESULT, result.to_string())];
    trailer::add(message, &authors.chain(ours).collect::<Vec<_>>())
}

/// Returns whether a commit is the one that we landed this result as.
pub fn is_squash_of(commit: &Commit, result: &Oid) -> bool {
    trailer::values(&commit.message, RESULT).iter().any(|named| *named == result.as_str())
}

/// Returns title and body of a pull request. Text from the plan and from workers stands in code
/// spans and blocks, where it can neither format, link nor mention.
pub fn pull_request(
    plan: &Plan,
    shares: &[Share<'_>],
    gate: Option<&GateReport>,
) -> (String, String) {
    let goal = one_line(&plan.goal);
    let title = if goal.is_empty() { plan.workflow.to_string() } else { bounded(&goal, 100) };
    let mut body = String::new();
    if !plan.goal.trim().is_empty() {
        body += &code_block(&bounded(&plan.goal, MAX_LINE * 10));
    }
    for Share { worker, status, signals } in shares {
        body += &format!("\n## {}\n", code(&worker.label()));
        let paths: Vec<String> = status.out_of_scope.iter().map(ToString::to_string).collect();
        for (name, lines) in
            [("Tasks", &worker.tasks), ("Signals", signals), ("Changed outside its scope", &paths)]
        {
            body += &list(name, lines);
        }
    }
    body += "\n## Verification\n\n";
    for gate in gate.iter().flat_map(|report| &report.gates) {
        let flaky = if gate.flaky { ", after it had failed on the same tree" } else { "" };
        body += &format!("- {} passed{flaky}\n", code(&gate.command));
    }
    if gate.is_none() {
        body += "Nothing was tested.\n";
    }
    (title, bounded(&body, MAX_BODY))
}

fn list(name: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let shown = lines.iter().take(MAX_LINES).map(|line| format!("- {}\n", code(line)));
    let more = match lines.len().saturating_sub(MAX_LINES) {
        0 => String::new(),
        n => format!("- and {n} more\n"),
    };
    format!("\n{name}:\n\n{}{more}", shown.collect::<String>())
}

/// Returns a text as Markdown code on one line.
pub fn code(text: &str) -> String {
    let text = bounded(&one_line(text), MAX_LINE);
    let fence = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    if text.is_empty() { String::new() } else { format!("{fence}{pad}{text}{pad}{fence}") }
}

fn code_block(text: &str) -> String {
    let safe = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    let text: String = text.trim_end().chars().map(safe).collect();
    let fence = "`".repeat(longest_run(&text, '`').max(2) + 1);
    format!("{fence}text\n{text}\n{fence}\n")
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(str::len).max().unwrap_or_default()
}

pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Obstacles;

    #[test]
    fn what_somebody_wrote_cannot_leave_its_code() {
        assert_eq!(code("see #1 @all <b>"), "`see #1 @all <b>`");
        assert_eq!(code("a ` b `` c"), "```a ` b `` c```");
        assert_eq!(code("`x`\n# not a title \x1b[2J"), "`` `x` # not a title \u{fffd}[2J ``");
        assert_eq!(code_block("a\n```\n# b"), "````text\na\n```\n# b\n````\n");
        assert!(code(&"x".repeat(1000)).chars().count() < MAX_LINE + 10);
    }

    #[test]
    fn obstacles_are_told_together_and_one_alone_as_it_is() {
        let failure = |code, text: &str| Failure::new(code, text).hint("do it");
        let (one, two) = (failure(Code::NotReady, "a"), failure(Code::DirtyTree, "b"));
        assert_eq!(together(Vec::new()), None);
        assert_eq!(together(vec![one.clone()]), Some(one.clone()));
        let all = together(vec![one, two]).unwrap();
        assert_eq!((all.code, all.message.as_str()), (Code::NotReady, "a; also: b"));
        let told = all.told::<Obstacles>().unwrap().obstacles;
        assert_eq!((told[1].code, told[0].message.as_str()), (Code::DirtyTree, "a"));
    }

    #[test]
    fn one_commit_names_who_else_wrote_it() {
        let plan =
            Plan::parse("workflow: shop\nworkers:\n  - {id: a, name: a, owns: [a]}\n").unwrap();
        let result: Oid = "a".repeat(40).parse().unwrap();
        let authors = ["B <b@x>".to_owned(), "C <c@x>".to_owned()];
        let message = "feat: it\n\nRefs: 1\nCo-authored-by: B <b@x>";
        assert_eq!(
            squash_message(&plan, message, &authors, &result),
            format!("{message}\nCo-authored-by: C <c@x>\nPw-Workflow: shop\nPw-Result: {result}\n")
        );
    }

    #[test]
    fn a_base_that_moved_needs_a_merge_commit_and_a_word() {
        let plan =
            Plan::parse("workflow: shop\ngoal: x\nworkers:\n  - {id: a, name: a, owns: [a]}\n")
                .unwrap();
        assert_eq!(
            landing(&plan, &"main".into(), true, LandingMode::Unsaid),
            Ok(Landed::FastForward)
        );
        assert_eq!(landing(&plan, &"main".into(), true, LandingMode::Merge), Ok(Landed::Merge));
        assert_eq!(landing(&plan, &"main".into(), false, LandingMode::Merge), Ok(Landed::Merge));
        for mode in [LandingMode::Unsaid, LandingMode::FastForward] {
            let failure = landing(&plan, &"main".into(), false, mode).unwrap_err();
            assert_eq!(&*failure.next.unwrap(), "pw-integrate finish shop --merge");
        }
    }
}
