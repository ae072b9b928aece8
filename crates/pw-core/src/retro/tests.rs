//! A run with known times, number by number; and a thousand others, whose parts add up.

use proptest::prelude::*;

use super::hindsight::{Closer, Hindsight, PastChanges};
use super::*;
use crate::analyze::log::{Entry, Log, Touch, TouchKind};
use crate::facts::{Facts, WorkerFacts, WorktreeFacts};
use crate::history::{Change, Commit, Content, History};
use crate::plan::Plan;
use crate::record::{Event, Record};
use crate::status::Board;

const M: Seconds = 60;
/// When runs begin.
const T: Seconds = 1_750_000_000;

const PLAN: &str = "workflow: rest-api
goal: three parts
shared: [lock]
workers:
  - {id: users, name: users, owns: [users], size: M, checkpoints: [model, routes]}
  - {id: posts, name: posts, owns: [posts], size: M}
  - {id: docs, name: docs, owns: [docs], size: S, after: [users]}
";

fn oid(number: usize) -> Oid {
    format!("{number:040x}").parse().unwrap()
}

/// One commit: the minute, the subject, the files it adds.
type Told<'a> = (Seconds, &'a str, &'a [&'a str]);

struct Story {
    plan: Plan,
    record: Record,
    facts: Facts,
    log: Log,
}

impl Story {
    /// Begins a run; each worker has its minute of creation and its commits.
    fn new(plan: &str, now: Seconds, workers: &[(Option<Seconds>, Vec<Told<'_>>)]) -> Self {
        let plan = Plan::parse(plan).unwrap();
        let base = oid(0);
        let mut record = Record::new(Some("main".into()), base.clone(), T);
        let mut facts =
            Facts { now: T + now * M, base_tip: Some(base.clone()), ..Facts::default() };
        let mut commits = Vec::new();
        for (at, (created, told)) in workers.iter().enumerate() {
            let id = plan.workers[at].id.clone();
            let Some(created) = created else { continue };
            let event = Event::Created { worker: id.clone(), fork: base.clone(), port: None };
            record.apply(event, T + created * M);
            let mut tip = base.clone();
            for (number, (minute, subject, files)) in told.iter().enumerate() {
                let change = |path: &&str| Change {
                    path: (*path).into(),
                    old: None,
                    new: Some(Content::named(id.as_str())),
                };
                let commit = Commit {
                    oid: oid((at + 1) * 1_000 + number),
                    parents: vec![tip],
                    time: T + minute * M,
                    message: (*subject).to_owned(),
                    changes: files.iter().map(change).collect(),
                };
                tip = commit.oid.clone();
                commits.push(commit);
            }
            let worktree = WorktreeFacts::Unread;
            facts
                .workers
                .insert(id, WorkerFacts { tip: Some(tip), worktree, ..WorkerFacts::default() });
        }
        facts.history = History::new(commits);
        Self { plan, record, facts, log: Log::default() }
    }

    /// Writes an event to the record.
    fn record(&mut self, minute: Seconds, line: &str) {
        self.record.apply(Event::parse(line).unwrap(), T + minute * M);
    }

    fn merged(&mut self, minute: Seconds, worker: &str) {
        let tip = self.facts.workers[&worker.parse().unwrap()].tip.clone().unwrap();
        self.record(minute, &format!("merged {worker} {tip}"));
    }

    fn review(&self) -> Review {
        let Self { plan, record, facts, .. } = self;
        let board = Board::new(plan, record, facts);
        let files = |commit: &&Commit| {
            let paths = commit.changes.iter().map(|change| change.path.clone());
            (commit.oid.clone(), paths.collect())
        };
        let changed = board.work.iter().flat_map(|work| &work.commits).map(files).collect();
        let closer = Closer { changed, log: self.log.clone() };
        measure(plan, record, facts, &board.work, &board.states, Vec::new(), &closer)
    }

    /// Ends a run in which all has landed.
    fn landed(mut self, minute: Seconds) -> Self {
        self.record(minute, &format!("finished {}", oid(3)));
        self
    }

    fn hindsight(&self) -> Hindsight {
        self.review().retro.hindsight.unwrap()
    }
}

/// Two hours in which everything happens once.
fn known() -> Story {
    let users: Vec<Told<'_>> = vec![
        (10, "[CHECKPOINT] model", &["users/model", "lock"]),
        (15, "[BLOCKED:no key] which?", &[]),
        (35, "[CHECKPOINT] routes", &["users/routes"]),
        (50, "[COMPLETE] users", &[]),
    ];
    let posts: Vec<Told<'_>> = vec![
        (20, "[NEEDS:users/UserModel] for posts", &[]),
        (60, "taken in", &["posts/a", "lock"]),
        (65, "[CHECKPOINT] posts", &["docs/odd"]),
        (90, "[COMPLETE] posts", &[]),
    ];
    let docs: Vec<Told<'_>> = vec![
        (70, "[complete] docs", &["docs/a"]),
        (80, "[COMPLETE] docs", &[]),
        (100, "one more", &["docs/b"]),
        (110, "[COMPLETE] docs", &[]),
    ];
    let mut story = Story::new(PLAN, 200, &[(Some(0), users), (Some(0), posts), (Some(55), docs)]);
    story.record(5, "launched posts custom");
    story.record(112, &format!("stopped posts {} {}", oid(2_003), oid(0)));
    story.record(115, &format!("resolved posts {}", oid(7)));
    story.record(116, &format!("gated {} {} exit=1 30", oid(8), oid(9)));
    story.record(117, &format!("gated {} {} exit=0 30", oid(8), oid(9)));
    for worker in ["users", "posts", "docs"] {
        story.merged(120, worker);
    }
    story.record(120, &format!("integrated {} passed", oid(10)));
    story.facts.integration_tip = Some(oid(10));
    story.facts.landed_as = story
        .facts
        .workers
        .values()
        .filter_map(|known| Some((known.tip.clone()?, oid(10))))
        .collect();
    story
}

#[test]
fn a_run_with_known_times_is_measured_minute_by_minute() {
    let review = known().review();
    let retro = &review.retro;
    let minutes = |worker: &WorkerRetro| {
        [
            worker.lifetime_seconds,
            worker.busy_seconds,
            worker.blocked_seconds,
            worker.waiting_seconds,
            worker.idle_seconds,
        ]
        .map(|seconds| seconds / M)
    };
    assert_eq!(
        retro.workers.iter().map(minutes).collect::<Vec<_>>(),
        [[50, 30, 20, 0, 0], [90, 40, 0, 45, 5], [55, 35, 0, 0, 20]]
    );
    let durations = retro.workers.iter().map(|worker| worker.duration_seconds.unwrap() / M);
    assert_eq!(durations.collect::<Vec<_>>(), [50, 90, 55]);
    assert_eq!((retro.elapsed_seconds / M, retro.worked_seconds / M), (120, 195));
    // 30 + 40 + 35 minutes busy in two hours; blocked and waiting time is none of it.
    assert_eq!((retro.times.busy_seconds / M, retro.parallelism), (105, Some(0.88)));
    assert!(retro.integrated && !retro.interim);

    // docs builds upon users, who was busy for 30 minutes.
    let path = retro.critical_path.as_ref().unwrap();
    let steps = path.steps.iter().map(|step| (step.worker.as_str(), step.seconds / M));
    assert_eq!(steps.collect::<Vec<_>>(), [("users", 30), ("docs", 35)]);
    assert_eq!((path.seconds / M, retro.efficiency), (65, Some(0.54)));
    assert_eq!(retro.balance, Some(0.88));
    // 5 units of size took 105 minutes: M promises 42.
    let against = retro.workers.iter().map(|worker| worker.against_estimate.unwrap());
    assert_eq!(against.collect::<Vec<_>>(), [0.71, 0.95, 1.67]);

    let [handover] = &retro.handovers[..] else { panic!("{:?}", retro.handovers) };
    assert_eq!((handover.from.as_str(), handover.to.as_str()), ("users", "posts"));
    assert_eq!(handover.waited_seconds / M, 45);
    assert_eq!(handover.unnoticed_seconds / M, 15);

    assert_eq!(retro.overlaps.len(), 1);
    assert!(!retro.overlaps[0].unshared && retro.overlaps[0].path == "lock".into());
    assert_eq!(retro.workers[1].out_of_scope, ["docs/odd".into()]);
    assert_eq!((retro.stops.len(), retro.stops[0].seconds / M), (1, 3));
    assert_eq!((retro.gates.runs, retro.gates.failed, retro.gates.flaky.len()), (2, 1, 1));
    assert_eq!((&retro.clocks[..], &retro.missing[..]), (&[][..], &[][..]));

    let points = retro.grade.parts.iter().map(|part| part.points.unwrap());
    // 65 of 195 minutes blocked or waiting; 1 of 3 stopped; 10 of 12 conventions; 54 % of 70 %.
    assert_eq!(points.collect::<Vec<_>>(), [30.0, 0.0, 13.33, 12.5, 11.57]);
    assert_eq!(retro.grade.letter, Some('D'));
    let found = retro.hindsight.as_ref().unwrap();
    // Without any pause the run takes its critical path; no folder has several files that could be another's.
    assert_eq!((found.own_seconds / M, found.least_seconds / M), (65, 65));
    assert_eq!(moves(found), <[String; 0]>::default());
    let keys: Vec<&str> = retro.recommendations.iter().map(|one| one.key.as_str()).collect();
    assert_eq!(keys, ["workers", "after", "notes", "owns", "verify"]);
    assert!(retro.recommendations.iter().all(|one| !one.commits.is_empty()));
    assert_eq!(
        retro.headline,
        "rest-api: 3 workers took 2h for 1h 45m of work: one session might have been as quick. \
         33 % of the workers' time was blocked or waiting. Grade D."
    );
    let words: Vec<&str> = review.moments.iter().map(|moment| moment.kind.words()).collect();
    assert_eq!(
        words.join(", "),
        "created, created, launched, checkpoint, blocked, needs, unblocked, checkpoint, complete, \
         created, commit, taken in, checkpoint, near miss, complete, complete, reopened, complete, \
         merge stopped, resolved, gate failed, gate passed, merged, merged, merged, integrated"
    );
}

#[test]
fn a_wrong_clock_is_named_and_not_believed() {
    let right = known().review().retro;
    let mut story = known();
    let commits: Vec<Commit> = ["users", "posts", "docs"]
        .iter()
        .flat_map(|id| {
            let tip = story.facts.workers[&id.parse().unwrap()].tip.clone().unwrap();
            let mut chain: Vec<Commit> = story.facts.history.chain(&tip).cloned().collect();
            if *id == "posts" {
                // The newest says that it was made in ten years.
                chain[0].time += 10 * 365 * 24 * 60 * M;
            }
            chain
        })
        .collect();
    story.facts.history = History::new(commits);
    let wrong = story.review().retro;
    assert_eq!(wrong.clocks.len(), 1);
    assert_eq!(wrong.clocks[0].commit, Some(oid(2_003)));
    assert!(wrong.clocks[0].says.starts_with("2035") && wrong.clocks[0].used.starts_with("2025"));
    assert_eq!(wrong.elapsed_seconds, right.elapsed_seconds);
    assert_eq!(wrong.missing.len(), 1);
    // All else stays; what lay between is not made up.
    assert_eq!(wrong.workers[0].busy_seconds, right.workers[0].busy_seconds);
    assert_eq!(wrong.workers[1].lifetime_seconds / M, 65);
}

#[test]
fn a_run_that_goes_on_says_so_and_counts_until_now() {
    let users: Vec<Told<'_>> = vec![(10, "[BLOCKED:no key] which?", &["users/a"])];
    let posts: Vec<Told<'_>> = vec![(30, "[COMPLETE] posts", &["posts/a"])];
    let retro =
        Story::new(PLAN, 70, &[(Some(0), users), (Some(0), posts), (None, vec![])]).review().retro;
    assert!(retro.interim && !retro.integrated);
    assert_eq!(retro.workers[0].blocked_seconds / M, 60);
    assert_eq!(retro.elapsed_seconds / M, 30);
    // 10 and 30 minutes busy in the 70 that have passed.
    assert_eq!(retro.parallelism, Some(0.57));
    let kinds: Vec<MissingKind> = retro.missing.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [MissingKind::NotDone, MissingKind::NotCreated, MissingKind::NotIntegrated]);
    assert!(retro.headline.contains("not over: 1 of 3 workers"), "{}", retro.headline);
}

#[test]
fn a_run_of_nothing_has_no_numbers_and_no_grade_to_be_proud_of() {
    let retro =
        Story::new(PLAN, 0, &[(None, vec![]), (None, vec![]), (None, vec![])]).review().retro;
    assert_eq!((retro.parallelism, retro.efficiency, retro.balance), (None, None, None));
    assert_eq!((retro.elapsed_seconds, retro.ended_at), (0, None));
    assert_eq!(retro.grade.letter, Some('F'));
    assert_eq!(retro.missing.len(), 3);
}

/// Who should have owned what: glob, from, to.
fn moves(found: &Hindsight) -> Vec<String> {
    found.moves.iter().map(|one| format!("{} {} {}", one.glob, one.from, one.to)).collect()
}

const TWO: &str = "workflow: w
goal: g
shared: [lock]
workers:
  - {id: a, name: a, owns: [src]}
  - {id: b, name: b, owns: [docs]}
";

/// Two hours of `a` in two folders, twenty minutes of `b`.
fn uneven() -> Story {
    let a: Vec<Told<'_>> = vec![
        (30, "[CHECKPOINT] api", &["src/api/a", "lock"]),
        (60, "[CHECKPOINT] search", &["src/search/a", "src/search/b"]),
        (70, "[BLOCKED:key] which?", &[]),
        (80, "[CHECKPOINT] key", &[]),
        (90, "[CHECKPOINT] api", &["src/api/b"]),
        (130, "[COMPLETE] search", &["src/search/a"]),
    ];
    let b: Vec<Told<'_>> = vec![(20, "[COMPLETE] docs", &["docs/a"])];
    Story::new(TWO, 200, &[(Some(0), a), (Some(0), b)]).landed(150)
}

#[test]
fn hindsight_relieves_who_took_longest() {
    let story = uneven();
    let found = story.hindsight();
    assert_eq!(moves(&found), ["src/api/** a b"]);
    // 120 busy minutes of a, 50 of them in the folder: b has these after its own 20.
    let minutes = [found.own_seconds, found.least_seconds].map(|seconds| seconds / M);
    assert_eq!(minutes, [120, 70]);
    // Ten blocked minutes were lost around 120 of work.
    assert_eq!(found.most_seconds / M, 75);
    assert!(found.sure > 0.9, "{}", found.sure);
    let owns: Vec<String> =
        found.owns.iter().map(|new| format!("{} {}", new.worker, new.add.join(" "))).collect();
    assert_eq!(owns, ["a !src/api/**", "b src/api/**"]);
    assert_eq!((found.past, found.moves[0].files), (None, 2));
    let retro = story.review().retro;
    let advised = retro.recommendations.iter().find(|one| one.key == "owns").unwrap();
    assert_eq!(advised.commits, found.moves[0].commits);
    assert!(retro.recommendations.iter().all(|one| !one.change.contains("in two")));
}

#[test]
fn a_gate_before_the_end_is_advised_to_one_who_was_at_fault_alone() {
    let advised = |workers: &str| -> String {
        let mut story = known();
        story.record(118, &format!("red {} test{workers}", oid(8)));
        let all = story.review().retro.recommendations;
        all.into_iter().find(|one| one.evidence.starts_with("the gate test")).unwrap().key
    };
    assert_eq!(advised(" worker=posts"), "verify_on_complete");
    // Each of them passes it.
    assert_eq!(advised(" worker=users worker=posts"), "after");
}

#[test]
fn history_keeps_together_what_belongs_together() {
    let mut story = uneven();
    let paths = ["src/api/a", "src/api/b", "src/search/a", "src/search/b"];
    story.log.paths = paths.iter().map(|path| (*path).into()).collect();
    let touch = |path| Touch { path, how: TouchKind::Edited };
    let entry = |touches: [u32; 2]| Entry {
        is_mainline: true,
        files: 2,
        touches: touches.map(touch).to_vec(),
        ..Entry::default()
    };
    story.log.entries = vec![entry([0, 1]); 30];
    let found = story.hindsight();
    assert_eq!(found.past, Some(PastChanges { changes: 30, crossing: 0, would_cross: 0 }));
    assert_eq!(moves(&found), ["src/api/** a b"]);
    // Where every past change of the one needs the other, they stay with one worker.
    story.log.entries = (0..30).map(|at| entry([at % 2, 2 + at % 2])).collect();
    let found = story.hindsight();
    assert!(!moves(&found).contains(&"src/api/** a b".to_owned()), "{found:?}");
}

#[test]
fn hindsight_gives_a_file_of_all_to_one() {
    let plan = "workflow: w\ngoal: g\nworkers:\n  - {id: a, name: a, owns: [a]}\n  - {id: b, name: b, owns: [b]}\n  - {id: c, name: c, owns: [c]}\n";
    let told = |own: &'static [&'static str], hub: &'static [&'static str]| -> Vec<Told<'static>> {
        vec![(40, "[CHECKPOINT] own", own), (60, "[COMPLETE] route", hub)]
    };
    let workers = [
        (Some(0), told(&["a/x"], &["routes", "a/x"])),
        (Some(0), told(&["b/x"], &["b/x", "b/y"])),
        (Some(0), told(&["c/x"], &["routes", "c/y"])),
    ];
    let found = Story::new(plan, 99, &workers).landed(70).hindsight();
    // c/y belongs to the change of the file that a and c share: with a, c need not stand still for it.
    assert!(found.least_seconds <= found.own_seconds);
    assert!(found.moves.iter().all(|one| one.from != one.to));
}

#[test]
fn hindsight_says_so_when_nothing_would_have_been_better() {
    let even = |path: &'static [&'static str]| -> Vec<Told<'static>> {
        vec![(60, "[COMPLETE] all", path)]
    };
    let workers = [(Some(0), even(&["src/a"])), (Some(0), even(&["docs/a"]))];
    let found = Story::new(TWO, 99, &workers).landed(70).hindsight();
    assert_eq!((found.moves.len(), found.owns.len(), found.sure), (0, 0, 0.0));
    assert_eq!((found.least_seconds / M, found.most_seconds / M), (60, 60));
    assert!(found.text.starts_with("no other owner"), "{}", found.text);
    // Of one worker alone, and of a run that goes on, nothing is told.
    let alone = [(Some(0), even(&["src/a"])), (Some(0), vec![])];
    assert_eq!(Story::new(TWO, 99, &alone).landed(70).review().retro.hindsight, None);
    let open: Vec<Told<'_>> = vec![(20, "[CHECKPOINT] half", &["docs/a"])];
    let open = [(Some(0), even(&["src/a"])), (Some(0), open)];
    assert_eq!(Story::new(TWO, 99, &open).review().retro.hindsight, None);
}

fn subjects() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just("[CHECKPOINT] x"),
        Just("[BLOCKED:key] x"),
        Just("[NEEDS:users/X] x"),
        Just("[NEEDS:docs/X] x"),
        Just("[COMPLETE] x"),
        Just("work"),
        Just("[DONE] x"),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn times_add_up_in_every_run(
        now in 0_i64..3_000,
        workers in prop::collection::vec(
            (prop::option::of(-50_i64..500), prop::collection::vec((0_i64..300, subjects(), 0..20_u8), 0..9)),
            3,
        ),
        launched in -50_i64..500,
        is_finished in any::<bool>(),
    ) {
        let told = |(created, signs): &(Option<Seconds>, Vec<(Seconds, &'static str, u8)>)| {
            let mut minute = created.unwrap_or(0);
            let told = signs.iter().map(|(gap, subject, clock)| {
                minute += gap;
                // One in ten clocks is years off, either way.
                let at = match clock { 0 => minute + 9_999_999, 1 => minute - 9_999_999, _ => minute };
                (at, *subject, &[][..])
            });
            (*created, told.collect())
        };
        let workers: Vec<_> = workers.iter().map(told).collect();
        let mut story = Story::new(PLAN, now, &workers);
        story.record(launched, "launched posts custom");
        if is_finished {
            story.record(now, &format!("finished {}", oid(3)));
        }
        let Review { retro, lanes, span, .. } = story.review();
        for (worker, lane) in retro.workers.iter().zip(&lanes) {
            let sum = worker.busy_seconds
                + worker.blocked_seconds
                + worker.waiting_seconds
                + worker.idle_seconds;
            prop_assert_eq!(sum, worker.lifetime_seconds);
            prop_assert!(lane.segments.windows(2).all(|pair| pair[0].until == pair[1].from));
            prop_assert!(lane.segments.iter().all(|segment| segment.seconds() > 0));
            prop_assert!(lane.ended().is_none_or(|ended| ended <= T + now.max(0) * M + 120));
        }
        let all: Seconds = retro.workers.iter().map(|worker| worker.lifetime_seconds).sum();
        prop_assert_eq!(all, retro.times.lifetime_seconds);
        prop_assert!(span.0 <= span.1);
        let longest = lanes.iter().filter_map(|lane| Some(lane.ended()? - lane.began()?)).max();
        if let Some(path) = &retro.critical_path {
            let steps: Seconds = path.steps.iter().map(|step| step.seconds).sum();
            prop_assert_eq!(steps, path.seconds);
            prop_assert!(path.seconds <= all && longest.is_some());
        }
    }
}
