//! Whatever goes wrong at whatever call of git: nothing is lost, the answer is proper, and there is
//! a way on that reaches the goal.
//!
//! By default a few faults of each story, always the same; all of them with `PW_SWEEP=all`, one with
//! `PW_SWEEP='Claims 7'`.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use pw_core::failure::Code;
use pw_testkit::faults::{Belongings, Fault};
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::Value;

use crate::repo;

/// How many faults of a story are tried by default.
const SAMPLE: usize = 8;

const PLAN: &str = "workflow: two
goal: two parts
shared: [shared.txt]
copy: [.env]
launch: 'true {script}'
workers:
  - {id: a, name: x, owns: [a]}
  - {id: b, name: y, owns: [b], after: []}
";

/// A command, where it runs, and how to tell that its goal is reached.
struct Story {
    command: &'static str,
    folder: &'static str,
    /// The exit code and, if it is no success, the error of an undisturbed run.
    ends: (i32, Option<&'static str>),
    /// The refusal when everything was done before.
    over: Option<&'static str>,
    goal: fn(&TestRepo),
}

impl Story {
    fn new(command: &'static str, goal: fn(&TestRepo)) -> Self {
        Self { command, folder: ".", ends: (0, None), over: None, goal }
    }

    /// Tells the story with each fault at each call, or with a sample of them.
    fn sweep(&self, mut repo: TestRepo, races: &[&'static str]) {
        repo.save();
        repo.break_git(Fault::Fails, 0);
        self.assert_done(&self.run(&repo));
        let calls = repo.calls();
        let races = races.iter().map(|script| Fault::Raced(script));
        let faults = Fault::ALONE.iter().copied().chain(races);
        let all: Vec<(Fault, usize)> =
            faults.flat_map(|fault| (1..=calls).map(move |call| (fault, call))).collect();
        let wanted = std::env::var("PW_SWEEP").unwrap_or_default();
        // A stride that is prime to nearly every number of calls visits all faults and all phases.
        let stride = (all.len() / SAMPLE).max(1) | 1;
        let mut failed = Vec::new();
        for (at, (fault, call)) in all.iter().enumerate() {
            let name = format!("{fault:?} {call}");
            if wanted == "all" || wanted == name || wanted.is_empty() && at % stride == stride / 2 {
                repo.restore();
                let tell = AssertUnwindSafe(|| self.tell(&mut repo, *fault, *call));
                if std::panic::catch_unwind(tell).is_err() {
                    failed.push(name);
                    repo.unshim_git();
                }
            }
        }
        assert!(failed.is_empty(), "{} went wrong with {failed:#?}", self.command);
    }

    fn tell(&self, repo: &mut TestRepo, fault: Fault, call: usize) {
        let before = Belongings::of(repo);
        repo.break_git(fault, call);
        let answer = self.run(repo);
        let broken = repo.broken_call();
        repo.unshim_git();
        before.assert_kept(repo);
        assert_proper(&answer);
        let is_race = matches!(fault, Fault::Raced(_));
        let is_lie = fault == Fault::Mute || fault == Fault::Claims && !is_effect(&broken);
        if answer.code == Some(3) && !is_race && !is_lie {
            assert_eq!(Belongings::of(repo).refs, before.refs, "refused, and refs changed");
        }
        let theirs = Belongings::of(repo);
        if !is_killed(&answer) && self.is_done(&answer) && !is_lie && !is_race {
            (self.goal)(repo);
        }
        self.reach(repo, is_race);
        before.assert_kept(repo);
        theirs.assert_kept(repo);
        repo.assert_kept_meanwhile();
        (self.goal)(repo);
    }

    /// Runs the command again, and what it says is next, until it is done. Where somebody else did
    /// something, `also` does what comes after it, too.
    fn reach(&self, repo: &TestRepo, also: bool) {
        for _ in 0..4 {
            let mut answer = self.run(repo);
            assert_proper(&answer);
            if self.is_done(&answer) && !(also && self.is_over(&answer)) {
                return;
            }
            for _ in 0..3 {
                let document = serde_json::from_str(&answer.stdout).unwrap_or(Value::Null);
                let Some(next) = document["error"]["next"].as_str() else { break };
                let place = self.place(repo);
                answer = repo.shell(next).current_dir(place).output().unwrap().into();
            }
        }
        self.assert_done(&self.run(repo));
    }

    /// Whether all was done before.
    fn is_over(&self, answer: &Answer) -> bool {
        self.over.is_some() && answer.json()["error"]["code"].as_str() == self.over
    }

    fn is_done(&self, answer: &Answer) -> bool {
        let code = answer.json()["error"]["code"].as_str().map(str::to_owned);
        self.is_over(answer) || (answer.code, code.as_deref()) == (Some(self.ends.0), self.ends.1)
    }

    fn assert_done(&self, answer: &Answer) {
        assert!(self.is_done(answer), "{}: {answer:?}", self.command);
    }

    fn run(&self, repo: &TestRepo) -> Answer {
        let words = repo.shell(self.command).current_dir(self.place(repo)).output();
        words.unwrap().into()
    }

    fn place(&self, repo: &TestRepo) -> PathBuf {
        repo.root().join(self.folder)
    }
}

/// A signal ended the helper, or the shell that tells of it with 137.
fn is_killed(answer: &Answer) -> bool {
    matches!(answer.code, None | Some(137))
}

/// Whether a call of git is to change something. What is only asked can be lied about unseen.
fn is_effect(call: &str) -> bool {
    let effects =
        ["update-ref", "worktree add", "worktree remove", "config --", " merge ", " commit "];
    effects.iter().any(|effect| call.contains(effect))
}

/// One document, a known code with its exit class, and something to do next.
fn assert_proper(answer: &Answer) {
    assert!(!answer.stderr.contains("panicked"), "{answer:?}");
    if is_killed(answer) {
        return;
    }
    let document = answer.json();
    if answer.code == Some(0) {
        assert_eq!(document["ok"], true);
        return;
    }
    let error = &document["error"];
    let code: Code = serde_json::from_value(error["code"].clone()).unwrap();
    assert_eq!(answer.code, Some(i32::from(code.exit())), "{document:#}");
    for text in ["message", "hint"] {
        assert_ne!(error[text].as_str(), Some(""), "{document:#}");
    }
}

fn with_secret() -> TestRepo {
    let repo = repo(PLAN);
    repo.write(".gitignore", ".env\n");
    repo.commit("ignore");
    repo.write(".env", "SECRET=1\n");
    repo.write("draft", "not committed\n");
    repo
}

fn working() -> TestRepo {
    let repo = with_secret();
    repo.pw("pw-setup create plan.yaml").data();
    repo
}

/// Both are complete; with `collide` they do not merge.
fn finished(collide: bool) -> TestRepo {
    let repo = working();
    repo.worker("a-x").write("a", "1").commit("[COMPLETE] a");
    repo.worker("b-y").write("b", "2");
    if collide {
        for (label, text) in [("a-x", "a\n"), ("b-y", "b\n")] {
            repo.worker(label).write("shared.txt", text).commit("[COMPLETE] shared");
        }
    }
    repo.worker("b-y").commit("[COMPLETE] b");
    repo
}

/// Stopped at `b`, with this text in the file that collided.
fn stopped(text: &str) -> TestRepo {
    let repo = finished(true);
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    let place = repo.root().join("worktrees/_integration-b-y");
    std::fs::write(place.join("shared.txt"), text).unwrap();
    repo.git_in(&place, &["add", "shared.txt"]);
    repo
}

const WORKER_COMMITS: &str = "cd worktrees/a-x; echo more >> a; \
    $GIT commit -q --no-verify -a -m '[COMPLETE] more'; $GIT rev-parse HEAD > $KEEP";
const RECORD_GROWS: &str = "r=refs/pw/two/record; $GIT rev-parse -q --verify $r && \
    $GIT update-ref $r $($GIT commit-tree -p $r -m 'something newer' $r^{tree}); \
    $GIT rev-parse -q --verify $r > $KEEP";
const BRANCH_MOVES: &str = "b=refs/heads/integration/two; \
    $GIT update-ref $b $($GIT commit-tree -p HEAD -m mine HEAD^{tree}); $GIT rev-parse $b > $KEEP";
const FILE_APPEARS: &str = "cd worktrees/_integration-b-y && echo precious > late && \
    $GIT hash-object late > $KEEP";

fn branch_holds(repo: &TestRepo, path: &str) -> String {
    repo.git(&["show", &format!("integration/two:{path}")])
}

/// The goal of going on: both are in the branch, and the shared file as it was resolved.
fn is_integrated(repo: &TestRepo) {
    assert!(branch_holds(repo, "a").starts_with('1') && branch_holds(repo, "b") == "2");
    let data = repo.pw("pw-monitor status").data();
    let states = data["workers"].as_array().unwrap().iter().map(|worker| &worker["state"]);
    // Complete anew: somebody committed after it was taken in.
    assert!(states.into_iter().all(|s| s == "integrated" || s == "complete"), "{data:#}");
}

fn is_resolved(repo: &TestRepo) {
    is_integrated(repo);
    assert_eq!(branch_holds(repo, "shared.txt"), "both");
}

#[test]
fn create() {
    Story::new("pw-setup create plan.yaml", |repo| {
        let status = repo.pw("pw-monitor status").data();
        for worker in status["workers"].as_array().unwrap() {
            assert_eq!(
                (&worker["state"], &worker["uncommitted"]),
                (&"starting".into(), &Value::Array(vec![]))
            );
        }
        for label in ["a-x", "b-y"] {
            let hooks = repo.worker(label).git(&["rev-parse", "--git-path", "hooks"]);
            assert!(hooks.ends_with("pw/hooks"), "{hooks}");
        }
    })
    .sweep(with_secret(), &[RECORD_GROWS]);
}

#[test]
fn advance() {
    let repo = repo(pw_testkit::plans::WAVES);
    repo.pw("pw-setup create plan.yaml").data();
    repo.worker("base-model").write("model/a", "1").commit("[COMPLETE] model");
    repo.worker("side-extra").write("extra/b", "2").commit("[COMPLETE] extra");
    Story::new("pw-setup advance", |repo| {
        assert_eq!(repo.read("worktrees/top-api/model/a"), "1");
        assert_eq!(repo.read("worktrees/top-api/extra/b"), "2");
    })
    .sweep(repo, &[RECORD_GROWS]);
}

#[test]
fn run() {
    let races = [WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES];
    Story::new("pw-integrate run", is_integrated).sweep(finished(false), &races);
}

#[test]
fn run_that_stops() {
    let story = Story {
        ends: (4, Some("merge_conflict")),
        ..Story::new("pw-integrate run", |repo| {
            let text = repo.read("worktrees/_integration-b-y/shared.txt");
            assert!(text.contains("<<<<<<<"), "{text}");
        })
    };
    story.sweep(finished(true), &[WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES]);
}

#[test]
fn going_on() {
    let races = [WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES, FILE_APPEARS];
    let story =
        Story { over: Some("nothing_stopped"), ..Story::new("pw-integrate continue", is_resolved) };
    story.sweep(stopped("both\n"), &races);
}

#[test]
fn abort() {
    let story = Story {
        over: Some("nothing_stopped"),
        ..Story::new("pw-integrate abort", |repo| {
            repo.pw("pw-integrate continue").error(3, "nothing_stopped");
        })
    };
    story.sweep(stopped("half done\n"), &[WORKER_COMMITS, RECORD_GROWS, FILE_APPEARS]);
}

#[test]
fn checkpoint() {
    let repo = working();
    repo.worker("a-x").write("a", "1").write("stray", "not mine");
    let story = Story {
        folder: "worktrees/a-x",
        over: Some("nothing_to_commit"),
        ..Story::new("pw-worker checkpoint 'one step'", |repo| {
            let commit = repo.git(&["log", "-1", "--format=%s", "--name-only", "work/a-x"]);
            assert_eq!(commit, "[CHECKPOINT] one step\n\na");
        })
    };
    story.sweep(repo, &[RECORD_GROWS]);
}

#[test]
fn sync() {
    let repo = working();
    repo.worker("a-x").write("a", "1").commit("[COMPLETE] a");
    repo.worker("b-y").write("b", "2").commit("[CHECKPOINT] b");
    let story = Story {
        folder: "worktrees/b-y",
        ..Story::new("pw-worker sync a", |repo| {
            assert!(repo.git(&["show", "work/b-y:a"]).starts_with('1'));
        })
    };
    story.sweep(repo, &[WORKER_COMMITS, RECORD_GROWS]);
}

#[test]
fn launch() {
    Story::new("pw-setup launch --with custom", |repo| {
        let record = repo.git(&["log", "--format=%s", "refs/pw/two/record"]);
        assert!(record.contains("launched a custom") && record.contains("launched b custom"));
    })
    .sweep(working(), &[WORKER_COMMITS, RECORD_GROWS]);
}
