//! What to run next: every command that we tell agents and people to run is put together here.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::id::{Slug, WorkerId};
use crate::path::RepoPath;
use crate::shell_word::{shell_bytes, shell_word};

/// What our commands begin with.
const HELPERS: [&str; 5] = ["pw-setup", "pw-monitor", "pw-integrate", "pw-worker", "pw-retro"];
/// What stands between two commands.
const AND_THEN: &str = " && ";
/// How many first launches an answer lists one by one: more are one command.
const MAX_LAUNCHES: usize = 1;

/// A command that can be run as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct CommandLine {
    text: String,
    /// Where a command begins that runs when those before it went well.
    #[serde(skip)]
    others: Vec<usize>,
}

/// A single next step, with a command that can be run as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NextStep {
    /// What to do, one word: `launch`, `read`, `resume`, `finish`, `advance`, `integrate`, …
    pub action: String,
    /// The worker it concerns; absent when it is about all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<WorkerId>,
    /// A shell command, complete and quoted.
    pub command: CommandLine,
}

impl NextStep {
    /// A step about all workers.
    pub fn new(action: &str, command: impl Into<CommandLine>) -> Self {
        Self { action: action.to_owned(), worker: None, command: command.into() }
    }

    /// A step about one worker.
    pub fn of(worker: &WorkerId, action: &str, command: impl Into<CommandLine>) -> Self {
        Self { worker: Some(worker.clone()), ..Self::new(action, command) }
    }
}

/// A command of our helpers.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "fields are the arguments of the command that their variant names")]
pub enum Next<'a> {
    /// The schema of all answers of a helper.
    Schema(&'a str),
    /// The help of a helper, or of one of its verbs.
    Help { helper: &'a str, verb: Option<&'a str> },

    /// `pw-setup list`
    List,
    /// `pw-setup check`; the plan's file as it was named.
    CheckPlan(&'a Path),
    /// `pw-setup create`
    Create(&'a Path),
    /// `pw-setup advance`
    Advance(&'a Slug),
    /// `pw-setup join`
    Join { worker: &'a WorkerId, workflow: &'a Slug },
    /// `pw-setup launch`; `how` as in `--with`.
    Launch { worker: &'a WorkerId, workflow: &'a Slug, how: Option<&'static str> },
    /// `pw-setup launch` of all workers that have no session.
    LaunchAll(&'a Slug),
    /// `pw-setup launch --ended`, which says that a session is over.
    Ended(&'a WorkerId),
    /// `pw-setup repair`; the only workflow there is unless one is named.
    Repair(Option<&'a Slug>),
    /// `pw-setup doctor --fix-permissions`
    FixPermissions,
    /// `pw-setup analyze`, for a plan that does not exist yet.
    EmitPlan { workers: Option<usize>, documents: &'a [PathBuf] },

    /// `pw-monitor status`
    Status(&'a Slug),
    /// `pw-monitor status`, with what the plan's remote has.
    FetchedStatus(&'a Slug),
    /// `pw-monitor wait`; `awaited` as in `--for`.
    Wait { workflow: &'a Slug, awaited: Option<&'a str>, seconds: i64, since: &'a str },

    /// `pw-integrate check`
    Check(&'a Slug),
    /// `pw-integrate preview`
    Preview(&'a Slug),
    /// `pw-integrate run`
    Run { workflow: &'a Slug, options: Options<'a> },
    /// `pw-integrate continue`
    Continue { workflow: &'a Slug, add: bool, retest: bool },
    /// `pw-integrate abort`
    Abort(&'a Slug),
    /// `pw-integrate finish`
    Finish { workflow: &'a Slug, way: Option<Way> },
    /// `pw-integrate cleanup`; of all workers when none is named.
    Cleanup { workflow: &'a Slug, workers: &'a [WorkerId], dry_run: bool, snapshot: bool },
    /// `pw-integrate restore`, which lists the snapshots.
    Snapshots(&'a Slug),
    /// `pw-integrate restore`, of one snapshot into a new folder.
    Restore { workflow: &'a Slug, snapshot: &'a str, into: &'a Path },

    /// `pw-worker brief`
    Brief,
    /// `pw-worker checkpoint`
    Checkpoint(&'static str),
    /// `pw-worker undo`
    Undo,
    /// `pw-worker sync`
    Sync,
    /// `pw-worker complete`
    Complete,
    /// `pw-worker needs`
    Needs { worker: &'a WorkerId, item: &'a str },
    /// `pw-worker blocked`
    Blocked { reason: &'a str },
    /// The same, because of a git hook of the user's.
    BlockedByHook(&'a str),

    /// `pw-retro report`
    Report(&'a Slug),
    /// `pw-retro remember`
    Remember(&'a Slug),
    /// `pw-retro forget`
    ForgetRun(&'a Slug),
}

/// Options of `pw-integrate run`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Workers to leave out.
    pub without: &'a [WorkerId],
    /// Whether changes outside a scope are merged, too.
    pub allow_out_of_scope: bool,
    /// Whether no gate runs.
    pub no_gate: bool,
    /// As in `--gate`.
    pub gate: Option<&'static str>,
    /// The shell command to run instead of the plan's gates.
    pub verify: Option<&'a str>,
}

/// How to land, when it is said.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// By a merge commit.
    Merge,
    /// Not by us: as a pull request.
    PullRequest,
}

impl<'a> Next<'a> {
    /// `pw-integrate run`, as the plan says.
    pub fn run(workflow: &'a Slug) -> Self {
        Self::Run { workflow, options: Options::default() }
    }

    /// `pw-integrate continue`, as it was begun.
    pub fn go_on(workflow: &'a Slug) -> Self {
        Self::Continue { workflow, add: false, retest: false }
    }

    /// Returns the command for any folder: it runs as if started in `directory`.
    pub fn at(self, directory: &Path) -> CommandLine {
        self.render(Some(directory))
    }

    fn render(self, directory: Option<&Path>) -> CommandLine {
        let helper = CommandLine::of(self.helper());
        self.arguments(match directory {
            Some(directory) => helper.and("-C").path(directory),
            None => helper,
        })
    }

    fn helper(&self) -> &str {
        match self {
            Self::Help { helper, .. } | Self::Schema(helper) => helper,
            Self::List
            | Self::CheckPlan(_)
            | Self::Create(_)
            | Self::Advance(_)
            | Self::Join { .. }
            | Self::Launch { .. }
            | Self::LaunchAll(_)
            | Self::Ended(_)
            | Self::Repair(_)
            | Self::FixPermissions
            | Self::EmitPlan { .. } => "pw-setup",
            Self::Status(_) | Self::FetchedStatus(_) | Self::Wait { .. } => "pw-monitor",
            Self::Check(_)
            | Self::Preview(_)
            | Self::Run { .. }
            | Self::Continue { .. }
            | Self::Abort(_)
            | Self::Finish { .. }
            | Self::Cleanup { .. }
            | Self::Snapshots(_)
            | Self::Restore { .. } => "pw-integrate",
            Self::Brief
            | Self::Checkpoint(_)
            | Self::Undo
            | Self::Sync
            | Self::Complete
            | Self::Needs { .. }
            | Self::Blocked { .. }
            | Self::BlockedByHook(_) => "pw-worker",
            Self::Report(_) | Self::Remember(_) | Self::ForgetRun(_) => "pw-retro",
        }
    }

    /// Appends the verb and what it is told.
    fn arguments(self, helper: CommandLine) -> CommandLine {
        match self {
            Self::Schema(_) => helper.and("schema"),
            Self::Help { verb, .. } => helper.and_all(verb).and("--help"),
            Self::List => helper.and("list"),
            Self::CheckPlan(plan) => helper.and("check").path(plan),
            Self::Create(plan) => helper.and("create").path(plan),
            Self::Advance(workflow) => helper.and("advance").word(workflow),
            Self::Join { worker, workflow } => {
                helper.and("join").word(worker).and("--workflow").word(workflow)
            }
            Self::Launch { worker, workflow, how } => {
                let launch = helper.and("launch").word(worker).and("--workflow").word(workflow);
                how.into_iter().fold(launch, |launch, how| launch.and("--with").word(how))
            }
            Self::LaunchAll(workflow) => helper.and("launch --workflow").word(workflow),
            Self::Ended(worker) => helper.and("launch").word(worker).and("--ended"),
            Self::Repair(workflow) => {
                workflow.into_iter().fold(helper.and("repair"), CommandLine::word)
            }
            Self::FixPermissions => helper.and("doctor --fix-permissions"),
            Self::EmitPlan { workers, documents } => {
                let analyze = helper.and("analyze");
                let analyze = documents.iter().fold(analyze, |line, document| line.path(document));
                let analyze =
                    workers.into_iter().fold(analyze, |line, n| line.and("--workers").word(n));
                analyze.and("--emit-plan plan.yaml")
            }
            Self::Status(workflow) => helper.and("status").word(workflow),
            Self::FetchedStatus(workflow) => helper.and("status --fetch").word(workflow),
            Self::Wait { workflow, awaited, seconds, since } => {
                let wait = helper.and("wait").word(workflow);
                let wait =
                    awaited.into_iter().fold(wait, |wait, what| wait.and("--for").word(what));
                wait.and("--timeout").word(format!("{seconds}s")).and("--since").word(since)
            }
            Self::Check(workflow) => helper.and("check").word(workflow),
            Self::Preview(workflow) => helper.and("preview").word(workflow),
            Self::Run { workflow, options } => options.append(helper.and("run").word(workflow)),
            Self::Continue { workflow, add, retest } => {
                let options =
                    add.then_some("--add").into_iter().chain(retest.then_some("--retest"));
                helper.and("continue").word(workflow).and_all(options)
            }
            Self::Abort(workflow) => helper.and("abort").word(workflow),
            Self::Finish { workflow, way } => {
                let option = way.map(|way| match way {
                    Way::Merge => "--merge",
                    Way::PullRequest => "--pr",
                });
                helper.and("finish").word(workflow).and_all(option)
            }
            Self::Cleanup { workflow, workers, dry_run, snapshot } => {
                let cleanup = helper.and("cleanup").word(workflow);
                let cleanup = workers.iter().fold(cleanup, CommandLine::word);
                let options = [dry_run.then_some("--dry-run"), snapshot.then_some("--snapshot")];
                cleanup.and_all(options.into_iter().flatten())
            }
            Self::Snapshots(workflow) => helper.and("restore").word(workflow),
            Self::Restore { workflow, snapshot, into } => {
                let restore = helper.and("restore").word(workflow);
                restore.and("--snapshot").word(snapshot).and("--into").path(into)
            }
            Self::Brief => helper.and("brief"),
            Self::Checkpoint(what) => helper.and("checkpoint").sentence(what),
            Self::Undo => helper.and("undo"),
            Self::Sync => helper.and("sync"),
            Self::Complete => helper.and("complete --run").sentence("what was done"),
            Self::Needs { worker, item } => helper.and("needs").word(worker).word(item),
            Self::Blocked { reason } => helper.and("blocked").word(reason),
            Self::BlockedByHook(hook) => {
                helper.and("blocked").sentence(&format!("the hook {hook} refuses"))
            }
            Self::Report(workflow) => helper.and("report").word(workflow),
            Self::Remember(workflow) => helper.and("remember").word(workflow),
            Self::ForgetRun(workflow) => helper.and("forget").word(workflow),
        }
    }
}

impl Options<'_> {
    fn append(self, run: CommandLine) -> CommandLine {
        let run = self.without.iter().fold(run, |run, worker| run.and("--without").word(worker));
        let run = run.and_all(self.allow_out_of_scope.then_some("--allow-out-of-scope"));
        let run = run.and_all(self.no_gate.then_some("--no-gate"));
        let run = self.gate.into_iter().fold(run, |run, gate| run.and("--gate").word(gate));
        self.verify.into_iter().fold(run, |run, command| run.and("--verify").word(command))
    }
}

impl From<Next<'_>> for CommandLine {
    fn from(next: Next<'_>) -> Self {
        next.render(None)
    }
}

impl fmt::Display for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.render(None).fmt(f)
    }
}

impl CommandLine {
    /// The beginning of a command: words that need no quotes.
    pub fn of(words: &str) -> Self {
        Self { text: words.to_owned(), others: Vec::new() }
    }

    /// A command of git, in a folder.
    pub fn git(folder: &Path, words: &str) -> Self {
        Self::of("git -C").path(folder).and(words)
    }

    /// Appends words that need no quotes.
    #[must_use]
    pub fn and(mut self, words: &str) -> Self {
        self.text = format!("{} {words}", self.text);
        self
    }

    fn and_all<'a>(self, words: impl IntoIterator<Item = &'a str>) -> Self {
        words.into_iter().fold(self, Self::and)
    }

    /// Appends a value as one word, in quotes where a shell would read more into it.
    #[must_use]
    pub fn word(self, value: impl fmt::Display) -> Self {
        let word = shell_word(&value.to_string());
        self.and(&word)
    }

    /// Appends a file as one word that stands for its bytes, whatever they are.
    #[must_use]
    pub fn file(self, file: &RepoPath) -> Self {
        // Git reads more into a colon in front.
        let here: &[u8] = if file.as_bytes().starts_with(b":") { b"./" } else { b"" };
        self.and(&shell_bytes(&[here, file.as_bytes()].concat()))
    }

    /// Appends a command that runs when this one went well.
    #[must_use]
    pub fn then(self, other: &Self) -> Self {
        let begin = self.text.len() + AND_THEN.len();
        let others = other.others.iter().map(|at| begin + at);
        Self {
            text: [&self.text, AND_THEN, &other.text].concat(),
            others: self.others.into_iter().chain([begin]).chain(others).collect(),
        }
    }

    /// Appends a path as one word.
    #[must_use]
    pub fn path(self, path: &Path) -> Self {
        self.word(path.display())
    }

    /// Returns the command as it runs from where the user stands, who had the helper run in
    /// `folder`: git, or one of our helpers, that names no folder gets that one.
    #[must_use]
    pub fn anchored(&self, folder: &Path) -> Self {
        let Some(at) = self.others.last() else { return self.anchored_alone(folder) };
        let before = Self {
            text: self.text[..at - AND_THEN.len()].to_owned(),
            others: self.others[..self.others.len() - 1].to_vec(),
        };
        before.anchored(folder).then(&Self::of(&self.text[*at..]).anchored_alone(folder))
    }

    fn anchored_alone(&self, folder: &Path) -> Self {
        let Some((program, rest)) = self.text.split_once(' ') else { return self.clone() };
        let is_bound = match program {
            "git" => !rest.starts_with('-'),
            _ => {
                HELPERS.contains(&program)
                    && !rest.starts_with('-')
                    && rest != "schema"
                    && !rest.contains(" -C ")
            }
        };
        match is_bound {
            true => Self::of(program).and("-C").path(folder).and(rest),
            false => self.clone(),
        }
    }

    /// Appends a text that the reader is to replace by another, in the quotes that it needs then.
    fn sentence(self, text: &str) -> Self {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || " -_.,".contains(c);
        match text.chars().all(is_plain) {
            true => self.and(&format!("\"{text}\"")),
            false => self.word(text),
        }
    }
}

impl std::ops::Deref for CommandLine {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Anchors all commands of an answer that can be run as they are; returns what they were, and are.
pub fn anchor(answer: &mut Value, folder: &Path) -> Vec<(String, String)> {
    let mut changed = Vec::new();
    match answer {
        Value::Array(items) => changed.extend(items.iter_mut().flat_map(|v| anchor(v, folder))),
        Value::Object(fields) => {
            // The plan's own commands are told as the shell gets or got them.
            let has_run = fields.contains_key("seconds");
            for (key, value) in fields.iter_mut() {
                match value {
                    Value::String(text)
                        if !has_run && ["command", "next", "restore"].contains(&key.as_str()) =>
                    {
                        let anchored = CommandLine::of(text).anchored(folder).to_string();
                        if anchored != *text {
                            changed.push((std::mem::replace(text, anchored.clone()), anchored));
                        }
                    }
                    _ if ["will_run", "gate", "trial"].contains(&key.as_str()) => {}
                    value => changed.extend(anchor(value, folder)),
                }
            }
        }
        _ => {}
    }
    changed
}

/// Many workers that were never started are one step, which prints how to start each.
pub(crate) fn one_for_many_launches(answer: &mut Value) {
    let workflow = answer["workflow"].as_str().and_then(|name| name.parse::<Slug>().ok());
    let Some(workflow) = workflow else { return };
    let Some(next) = answer.get_mut("next").and_then(Value::as_array_mut) else { return };
    // In another clone each has to be joined.
    let joins =
        |step: &Value| step["command"].as_str().is_some_and(|c| c.starts_with("pw-setup join"));
    let is_launch = |step: &Value| step["action"] == "launch" && !joins(step);
    let first = next.iter().position(is_launch);
    if let Some(first) = first
        && next.iter().filter(|step| is_launch(step)).count() > MAX_LAUNCHES
    {
        next.retain(|step| !is_launch(step));
        let step = NextStep::new("launch", Next::LaunchAll(&workflow));
        next.insert(first, json!(step));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_runs_from_where_the_user_stands() {
        let anchored = |text: &str| CommandLine::of(text).anchored(Path::new("a b")).to_string();
        for (text, told) in [
            ("pw-worker brief", "pw-worker -C 'a b' brief"),
            ("pw-worker complete --run \"x\"", "pw-worker -C 'a b' complete --run \"x\""),
            ("pw-setup --help", "pw-setup --help"),
            ("pw-setup schema", "pw-setup schema"),
            ("pw-worker -C /x brief", "pw-worker -C /x brief"),
            ("git status", "git -C 'a b' status"),
            ("git -C /x status", "git -C /x status"),
            ("git add -- 'x && git y'", "git -C 'a b' add -- 'x && git y'"),
            (
                "git --git-dir /x/.git config core.bare false",
                "git --git-dir /x/.git config core.bare false",
            ),
            ("sh /x/launch.sh", "sh /x/launch.sh"),
        ] {
            assert_eq!(anchored(text), told);
        }
        let [switch, merge, list] =
            ["git switch b", "git merge 'x && git y'", "ls"].map(CommandLine::of);
        let all = switch.then(&merge.then(&list)).anchored(Path::new("d"));
        assert_eq!(&*all, "git -C d switch b && git -C d merge 'x && git y' && ls");
        assert_eq!(all.others.len(), 2);
        let step = json!({ "action": "finish", "command": "pw-worker complete" });
        let gate = json!({ "command": "pw-worker run" });
        let mut answer =
            json!({ "next": [step], "restore": "pw-integrate restore w", "gate": gate });
        let changed = anchor(&mut answer, Path::new("d"));
        assert_eq!(answer["next"][0]["command"], "pw-worker -C d complete");
        assert_eq!(answer["restore"], "pw-integrate -C d restore w");
        assert_eq!(answer["gate"]["command"], "pw-worker run");
        assert_eq!(changed.len(), 2);
        for mut ran in [
            json!({ "command": "git diff --check", "seconds": 3 }),
            json!({ "trial": { "command": "git diff --check", "exit_code": 1 } }),
        ] {
            assert_eq!(anchor(&mut ran, Path::new("d")), [], "the plan's own");
        }
    }

    #[test]
    fn many_first_launches_are_one_step() {
        let step = |nth| json!({ "action": "launch", "worker": nth, "command": "sh x" });
        let read = json!({ "action": "read", "command": "r" });
        for (launches, told) in [(1, 2), (2, 2), (4, 2)] {
            let mut next: Vec<Value> = (0..launches).map(step).collect();
            next.push(read.clone());
            let mut answer = json!({ "workflow": "w", "next": next });
            one_for_many_launches(&mut answer);
            assert_eq!(answer["next"].as_array().unwrap().len(), told);
            assert_eq!(answer["next"][told - 1], read);
        }
    }
}
