//! Whatever goes wrong at whatever call of git: nothing is lost, the answer is proper, and there is
//! a way on that reaches the goal.
//!
//! By default a few faults of each story, always the same; all of them with `PW_SWEEP=all`, every tenth
//! with `PW_SWEEP=/10`, those of one kind with `PW_SWEEP=Claims`, one with `PW_SWEEP='Claims 7'`. With
//! `PW_SWEEP_LOG` each story adds a line to that file, of which `scripts/faults` makes its table.

mod integrating;
mod landing;
mod remote;
mod upkeep;
mod verbs;
mod working;

use std::io::Write as _;

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

use pw_core::failure::Code;
use pw_testkit::faults::{Belongings, Fault};
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::Value;

use crate::repo;

/// How many faults of a story are tried by default.
const SAMPLE: usize = 4;

/// A command, where it runs, and how to tell that its goal is reached.
struct Story {
    command: &'static str,
    /// In which situation, where a command has several stories.
    when: &'static str,
    folder: &'static str,
    /// The exit code and, if it is no success, the error of an undisturbed run.
    ends: (i32, Option<&'static str>),
    /// The refusal when everything was done before.
    over: Option<&'static str>,
    /// What it is there to change: files of the main checkout, and the beginnings of names of refs.
    changes: &'static [&'static str],
    /// Whether an answer that succeeded says that all was done.
    is_whole: fn(&Value) -> bool,
    /// What a person does who is told that something is in the way.
    clear: fn(&TestRepo),
    goal: fn(&TestRepo),
}

impl Story {
    fn new(command: &'static str, goal: fn(&TestRepo)) -> Self {
        Self {
            command,
            when: "",
            folder: ".",
            ends: (0, None),
            over: None,
            changes: &[],
            is_whole: |_| true,
            clear: |_| {},
            goal,
        }
    }

    /// Tells the story with each fault at each call, or with a sample of them. Returns the
    /// repository as it was.
    fn sweep(&self, mut repo: TestRepo, races: &[&'static str]) -> TestRepo {
        repo.save();
        repo.break_git(Fault::Fails, 0);
        self.assert_done(&self.run(&repo));
        let calls = repo.calls();
        let races = races.iter().map(|script| Fault::Raced(script));
        let faults = Fault::ALONE.iter().copied().chain(races);
        let each = |fault: Fault| {
            let possible =
                |(at, call): (usize, &String)| fault.is_possible(call).then_some((fault, at + 1));
            calls.iter().enumerate().filter_map(possible).collect::<Vec<_>>()
        };
        let all: Vec<(Fault, usize)> = faults.flat_map(each).collect();
        let wanted = std::env::var("PW_SWEEP").unwrap_or_default();
        let is_wanted = |name: &str, at: usize, stride: usize| {
            let kind = name.split([' ', '(']).next();
            if let Some(every) = wanted.strip_prefix('/') {
                return at.is_multiple_of(every.parse().unwrap());
            }
            match wanted.as_str() {
                "" => at % stride == stride / 2,
                wanted => wanted == "all" || Some(wanted) == kind || wanted == name,
            }
        };
        // A stride that is prime to nearly every number of calls visits all faults and all phases.
        let stride = (all.len() / SAMPLE).max(1) | 1;
        let (mut failed, mut tried) = (Vec::new(), 0);
        for (at, (fault, call)) in all.iter().enumerate() {
            let name = format!("{fault:?} {call}");
            if is_wanted(&name, at, stride) {
                tried += 1;
                repo.restore();
                let tell = AssertUnwindSafe(|| self.tell(&mut repo, *fault, *call));
                if std::panic::catch_unwind(tell).is_err() {
                    failed.push(format!("{name}: git {}", repo.broken_call()));
                    repo.unshim_git();
                }
            }
        }
        if let Some(log) = std::env::var_os("PW_SWEEP_LOG") {
            let mut log = std::fs::File::options().create(true).append(true).open(log).unwrap();
            let (command, calls, all, failed) =
                (self.command, calls.len(), all.len(), failed.len());
            writeln!(log, "{command}\t{}\t{calls}\t{all}\t{tried}\t{failed}", self.when).unwrap();
        }
        assert!(failed.is_empty(), "{} went wrong with {failed:#?}", self.command);
        repo.restore();
        repo
    }

    fn tell(&self, repo: &mut TestRepo, fault: Fault, call: usize) {
        let before = Belongings::of(repo, self.changes);
        repo.break_git(fault, call);
        let answer = self.run(repo);
        let broken = repo.broken_call();
        repo.unshim_git();
        before.assert_kept(repo);
        assert_proper(&answer);
        let is_race = matches!(fault, Fault::Raced(_));
        let is_lie = fault == Fault::Mute || fault == Fault::Claims && !is_effect(&broken);
        if answer.code == Some(3) && !is_race && !is_lie {
            assert_eq!(
                Belongings::of(repo, self.changes).refs,
                before.refs,
                "refused, and refs changed"
            );
        }
        let theirs = Belongings::of(repo, self.changes);
        if !is_killed(&answer) && self.is_done(&answer) && !is_lie && !is_race {
            (self.goal)(repo);
        }
        self.reach(repo, is_race, matches!(fault, Fault::BothKilled(_)));
        before.assert_kept(repo);
        theirs.assert_kept(repo);
        repo.assert_kept_meanwhile();
        (self.goal)(repo);
    }

    /// Runs the command again, and what it says is next, until it is done. Where another process did
    /// something, `also` does what comes after it, too. Where git is dead, its lock is removed as the
    /// hint says.
    fn reach(&self, repo: &TestRepo, also: bool, is_git_dead: bool) {
        for _ in 0..4 {
            let mut answer = self.run(repo);
            assert_proper(&answer);
            if self.is_done(&answer) && !(also && self.is_over(&answer)) {
                return;
            }
            if answer.json()["error"]["code"] == "in_the_way" {
                (self.clear)(repo);
            }
            if let Some(lock) =
                answer.json()["error"]["details"]["lock"].as_str().filter(|_| is_git_dead)
            {
                std::fs::remove_file(lock).unwrap();
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
        let document = answer.json();
        let code = document["error"]["code"].as_str();
        let is_end = (answer.code, code) == (Some(self.ends.0), self.ends.1);
        self.is_over(answer) || is_end && (self.is_whole)(&document["data"])
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
    // What is refused after the first effect is stopped half-way, whatever its code.
    let is_half_way = code.exit() == 3 && answer.code == Some(4);
    assert!(is_half_way || answer.code == Some(i32::from(code.exit())), "{document:#}");
    for text in ["message", "hint"] {
        assert_ne!(error[text].as_str(), Some(""), "{document:#}");
    }
}

const PLAN: &str = "workflow: two
goal: two parts
shared: [shared.txt]
copy: [.env]
launch: 'true {script}'
workers:
  - {id: a, name: x, owns: [a, parts]}
  - {id: b, name: y, owns: [b], after: []}
";

/// Created with what the plan says besides; in the main checkout lie a secret and a draft.
fn working(more: &str) -> TestRepo {
    let repo = not_created(more);
    repo.pw("pw-setup create plan.yaml").data();
    repo
}

fn not_created(more: &str) -> TestRepo {
    let repo = repo(&format!("{PLAN}{more}"));
    repo.write(".gitignore", ".env\n");
    // What is changed or goes is kept elsewhere: nothing of it is anybody's alone.
    let readme = repo.read("README.md");
    repo.write("parts/changed", &readme);
    repo.write("parts/gone", &readme);
    repo.commit("ignore");
    repo.write(".env", "SECRET=1\n");
    repo.write("draft", "not committed\n");
    repo
}

/// `a` is complete: files are new, one is changed, one is gone.
fn complete_a(repo: &TestRepo) {
    let a = repo.worker("a-x");
    a.write("a", "1").write("parts/changed", "a project\nof parts\n").write("parts/new", "1");
    std::fs::remove_file(a.path.join("parts/gone")).unwrap();
    a.commit("[COMPLETE] a");
}

/// Both workers are complete.
fn finished(more: &str) -> TestRepo {
    let repo = working(more);
    complete_a(&repo);
    repo.worker("b-y").write("b", "2").commit("[COMPLETE] b");
    repo
}

const WORKER_COMMITS: &str = "cd worktrees/a-x || exit; echo more >> a; \
    $GIT commit -q --no-verify -a -m '[COMPLETE] more'; $GIT rev-parse HEAD > $KEEP";
const RECORD_GROWS: &str = "r=refs/pw/two/record; $GIT rev-parse -q --verify $r && \
    $GIT update-ref $r $($GIT commit-tree -p $r -m 'something newer' $r^{tree}); \
    $GIT rev-parse -q --verify $r > $KEEP";
const BRANCH_MOVES: &str = "b=refs/heads/integration/two; \
    $GIT update-ref $b $($GIT commit-tree -p HEAD -m mine HEAD^{tree}); $GIT rev-parse $b > $KEEP";
