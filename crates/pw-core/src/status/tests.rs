//! The whole state machine: from subjects, worktree, record and trunk to states, without git.

use std::path::PathBuf;

use super::*;
use crate::conflict::TrialMerge;
use crate::facts::{Facts, TreeState, WorkerFacts, WorktreeFacts};
use crate::history::{Commit, History};
use crate::next::{CommandLine, NextStep};
use crate::plan::{Plan, Worker};
use crate::record::{Placement, Record};
use crate::session::{Activity, ApiError, ErrorKind, SessionFacts};

const NOW: Seconds = 1_000_000;

struct Here;

impl Places for Here {
    fn launch(&self, worker: &Worker) -> CommandLine {
        CommandLine::of("sh").word(format!("{}.sh", worker.id))
    }

    fn worktree(&self, worker: &Worker) -> PathBuf {
        format!("/r/{}", worker.id).into()
    }
}

fn oid(number: usize) -> Oid {
    format!("{number:040x}").parse().unwrap()
}

fn plan() -> Plan {
    let workers = "  - {id: t, name: n, owns: [a], checkpoints: [model, routes]}\n  - {id: u, name: n, owns: [b]}\n";
    Plan::parse(&format!("workflow: w\nworkers:\n{workers}")).unwrap()
}

/// A workflow whose worker `t` made commits with these subjects, the oldest first.
struct Story {
    plan: Plan,
    record: Record,
    facts: Facts,
}

impl Story {
    fn new(subjects: &[&str]) -> Self {
        let plan = plan();
        let id = plan.workers[0].id.clone();
        let commit = |number: usize, subject: &str| Commit {
            oid: oid(number),
            parents: vec![oid(number - 1)],
            time: NOW,
            message: format!("{subject}\n"),
            changes: Vec::new(),
        };
        let commits = subjects.iter().enumerate().map(|(nth, subject)| commit(nth + 1, subject));
        let tree = TreeState { branch: Some("work/t-n".into()), ..TreeState::default() };
        let known = WorkerFacts {
            tip: Some(oid(subjects.len())),
            brought: None,
            worktree: WorktreeFacts::Present(tree),
            ..WorkerFacts::default()
        };
        let mut record = Record::new(Some("main".into()), oid(0), NOW);
        let placement = Placement { fork: oid(0), created: true, port: None, at: NOW };
        record.placements.insert(id.clone(), placement);
        let facts = Facts {
            now: NOW,
            history: History::new(commits),
            workers: [(id, known)].into(),
            base_tip: Some(oid(0)),
            ..Facts::default()
        };
        Self { plan, record, facts }
    }

    fn known(&mut self) -> &mut WorkerFacts {
        self.facts.workers.values_mut().next().unwrap()
    }

    fn status(&self) -> Status {
        let Self { plan, record, facts } = self;
        Board::new(plan, record, facts).status(Vec::new(), TrialMerge::default(), &Here)
    }

    fn worker(&self) -> WorkerStatus {
        self.status().workers[0].clone()
    }

    fn cause(&self) -> Option<StallCause> {
        self.worker().stall.map(|stall| stall.cause)
    }
}

/// Every state that subjects lead to, the shortest way, and the state one plain commit later.
const BY_SUBJECT: [(&[&str], State, State); 8] = [
    (&[], State::Starting, State::InProgress),
    (&["plain"], State::InProgress, State::InProgress),
    (&["[CHECKPOINT] model"], State::InProgress, State::InProgress),
    (&["[BLOCKED:no key] asked"], State::Blocked, State::Blocked),
    (&["[NEEDS:u/item] x"], State::Waiting, State::Waiting),
    (&["[COMPLETE] all"], State::Complete, State::Reopened),
    (&["[COMPLETE] all", "more"], State::Reopened, State::Reopened),
    (&["[COMPLETE] all", "[CHECKPOINT] more"], State::InProgress, State::InProgress),
];

/// Each signal leads to the same state from every other one.
const SIGNALS: [(&str, State); 4] = [
    ("[CHECKPOINT] x", State::InProgress),
    ("[BLOCKED:y] x", State::Blocked),
    ("[NEEDS:u/y] x", State::Waiting),
    ("[COMPLETE] x", State::Complete),
];

const NEAR_MISSES: [&str; 17] = [
    "[complete] done",
    " [COMPLETE] done",
    "fix: [COMPLETE]",
    "[COMPLETE]x",
    "[COMPLETE]: x",
    "**[COMPLETE]** x",
    "［COMPLETE］ x",
    "[DONE] x",
    "[COMPLETE",
    "[BLOCKED] x",
    "[BLOCKED: ] x",
    "[blocked:ci] x",
    "[NEEDS:task-1] x",
    "[Needs: task-1/a] x",
    "[CHECKPOINT][COMPLETE] x",
    "[CHECKPOINT] [COMPLETE] x",
    "[checkpoint] x",
];

#[test]
fn signals_lead_from_every_state_to_theirs_and_near_misses_to_none() {
    for (before, state, after_plain) in BY_SUBJECT {
        assert_eq!(Story::new(before).worker().state, state, "{before:?}");
        let then = |subject: &str| Story::new(&[before, &[subject]].concat()).worker();
        for (signal, wanted) in SIGNALS {
            assert_eq!(then(signal).state, wanted, "{before:?}, then {signal}");
        }
        for near_miss in NEAR_MISSES {
            let worker = then(near_miss);
            assert_eq!(worker.state, after_plain, "{before:?}, then {near_miss:?}");
            assert_eq!(worker.near_misses.len(), 1, "{near_miss:?}");
            assert!(!worker.ready, "{near_miss:?}");
        }
    }
}

#[test]
fn git_and_the_record_outrank_what_was_said() {
    for (subjects, said, _) in BY_SUBJECT {
        let mut planned = Story::new(subjects);
        planned.record.placements.values_mut().next().unwrap().created = false;
        assert_eq!(planned.worker().state, State::Planned, "{subjects:?}");

        let elsewhere = WorktreeFacts::At("/x".to_owned());
        for lost in
            [WorktreeFacts::Missing, WorktreeFacts::Broken, WorktreeFacts::Unlinked, elsewhere]
        {
            let mut missing = Story::new(subjects);
            missing.known().worktree = lost;
            assert_eq!(missing.worker().state, State::Missing, "{subjects:?}");
        }
        let mut branchless = Story::new(subjects);
        branchless.known().tip = None;
        assert_eq!(branchless.worker().state, State::Missing, "{subjects:?}");

        let mut unread = Story::new(subjects);
        unread.known().worktree = WorktreeFacts::Unread;
        assert_eq!(unread.worker().state, said, "{subjects:?}");

        let mut merged = Story::new(subjects);
        let (id, tip) = (merged.plan.workers[0].id.clone(), oid(subjects.len()));
        merged.record.merged.insert(id, (tip, NOW));
        assert_eq!(merged.worker().state, State::Integrated, "{subjects:?}");
    }
}

#[test]
fn who_is_settled_never_stalls_and_who_says_nothing_does_in_time() {
    for (subjects, state, _) in BY_SUBJECT {
        let mut story = Story::new(subjects);
        story.facts.now = NOW + DEFAULT_STALL_AFTER - 1;
        assert_eq!(story.cause(), None, "{subjects:?}");
        story.facts.now += 1;
        let wanted = match state {
            State::Starting => Some(StallCause::NeverStarted),
            State::InProgress | State::Reopened => Some(StallCause::Unknown),
            _ => None,
        };
        assert_eq!(story.cause(), wanted, "{subjects:?}");
        story.plan.stall_after = Some(DEFAULT_STALL_AFTER + 1);
        assert_eq!(story.cause(), None, "{subjects:?}");
    }
}

#[test]
fn any_sign_of_life_counts_but_none_from_the_future() {
    let mut story = Story::new(&["plain"]);
    story.facts.now = NOW + 5_000;
    let since = |story: &Story| story.worker().stall.and_then(|stall| stall.since_seconds);
    assert_eq!(since(&story), Some(5_000));
    let touched = |at: Seconds| {
        let branch = Some("work/t-n".into());
        let changed = vec!["a".into()];
        WorktreeFacts::Present(TreeState {
            branch,
            changed,
            touched: Some(at),
            ..TreeState::default()
        })
    };
    story.known().worktree = touched(NOW + 3_000);
    assert_eq!(since(&story), Some(2_000));
    story.known().worktree = touched(NOW + 500_000);
    assert_eq!(since(&story), Some(5_000));
    story.known().session.last = Some(NOW + 4_000);
    assert_eq!(story.cause(), None);
    story.known().session.last = Some(NOW + 500_000);
    assert_eq!(since(&story), Some(5_000));
}

#[test]
fn causes_come_with_a_command_and_lead_the_next_steps() {
    let steps = |story: &Story| -> Vec<(String, String)> {
        let own = |step: &NextStep| step.worker.as_ref().is_some_and(|id| id.as_str() == "t");
        let steps = story.status().next;
        steps.into_iter().filter(own).map(|step| (step.action, step.command.to_string())).collect()
    };
    let with = |subjects: &[&str], session: SessionFacts| {
        let mut story = Story::new(subjects);
        story.known().session = session;
        story
    };
    let step = |action: &str, command: &str| vec![(action.to_owned(), command.to_owned())];
    let alive = |activity, id: Option<&str>| SessionFacts {
        alive: Some(true),
        activity: Some(activity),
        pid: Some(7),
        id: id.map(str::to_owned),
        ..SessionFacts::default()
    };
    let asks = with(&["plain"], alive(Activity::AsksPermission, Some("ab")));
    assert_eq!(steps(&asks), step("answer", "claude attach ab"));
    let elsewhere = with(&["plain"], alive(Activity::AsksAnswer, None));
    assert_eq!(steps(&elsewhere), step("answer", "ps -o pid,tty,lstart,args -p 7"));
    let error = Some(ApiError { kind: ErrorKind::RateLimit, message: "until 5pm".to_owned() });
    let limited = with(&["plain"], SessionFacts { error, ..alive(Activity::Idle, Some("ab")) });
    assert_eq!(steps(&limited), step("retry", "claude attach ab"));
    assert!(limited.worker().stall.unwrap().message.ends_with(": until 5pm"));
    let gone = SessionFacts { alive: Some(false), ..SessionFacts::default() };
    let gone = with(&["[CHECKPOINT] model"], gone);
    assert_eq!(steps(&gone), step("launch", "pw-setup launch t --workflow w"));
    assert!(gone.status().summary.contains("1 stalled"));

    // Nothing asks to start a session that runs.
    assert_eq!(steps(&Story::new(&[])), step("launch", "sh t.sh"));
    assert_eq!(steps(&with(&[], alive(Activity::Busy, None))), []);
}

#[test]
fn all_checkpoints_said_is_finished_and_some_are_not() {
    let gone = |subjects: &[&str]| {
        let mut story = Story::new(subjects);
        story.known().session.alive = Some(false);
        story.cause()
    };
    assert_eq!(gone(&["[CHECKPOINT] the model"]), Some(StallCause::Gone));
    let said = ["[CHECKPOINT] the model", "[CHECKPOINT] Routes and tests"];
    assert_eq!(gone(&said), Some(StallCause::FinishedWithoutComplete));
    assert_eq!(
        gone(&["[CHECKPOINT] a", "[CHECKPOINT] b"]),
        Some(StallCause::FinishedWithoutComplete)
    );
    assert_eq!(
        gone(&["[CHECKPOINT] model, routes", "[complete]"]),
        Some(StallCause::FinishedWithoutComplete)
    );
    assert_eq!(gone(&["[complete] all"]), Some(StallCause::FinishedWithoutComplete));
    assert_eq!(gone(&["[complete] all", "more"]), Some(StallCause::Gone));
    assert_eq!(gone(&["[CHECKPOINT] model, routes", "[COMPLETE]"]), None);
    let plan = plan();
    assert_eq!(plan.workers[0].remaining(&["Model".to_owned()]), ["routes"]);
}
