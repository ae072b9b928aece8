//! Heavy commands: as many at once as the plan says, and nothing printed of what passed.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use pw_testkit::plans::TWO;
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::{Value, json};

use crate::{created, repo};

/// Both workers, and two pipes to meet at, in the folder above the worktrees.
fn with_pipes(keys: &str) -> TestRepo {
    let repo = created(&format!("{TWO}{keys}"));
    let made = repo.shell("mkfifo \"$HOME/one\" \"$HOME/two\"").status();
    assert!(made.unwrap().success());
    repo
}

fn started(repo: &TestRepo, label: &str, script: &str) -> Child {
    let worktree = repo.root().join("worktrees").join(label);
    let mut command = repo.helper(&worktree, &["pw-worker", "run", "--", script]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The next line that a helper says on stderr.
fn said(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

fn done(child: Child) -> Answer {
    child.wait_with_output().unwrap().into()
}

fn soon(repo: &TestRepo, line: &str) {
    let status = repo.shell(&format!("timeout 60 sh -c '{line}'")).status();
    assert!(status.unwrap().success(), "{line}");
}

#[test]
fn what_passed_prints_nothing_and_what_failed_its_end_with_the_commands_own_exit_code() {
    let repo = created(&format!(
        "{TWO}verify:\n  - {{name: lint, run: 'true'}}\n  - {{name: test, run: 'test ! -f a'}}\n"
    ));
    let worker = repo.worker("a-x");
    let noise = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo line $i; done";
    let passed = worker.pw(&["run", "--", &format!("{noise}; test -n \"$NO_COLOR\"")]);
    assert!(passed.stdout.len() < 800 && passed.stderr.is_empty(), "{passed:?}");
    assert_eq!(passed.data()["passed"][0].get("log"), None, "there is nothing to read");
    let passed = worker.pw(&["run", "--verbose", "--", noise]);
    let log = passed.data()["passed"][0]["log"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read_to_string(&log).unwrap().lines().count(), 300);
    assert!(log.starts_with(repo.root().join(".git/pw/two/a-x").to_str().unwrap()), "{log}");

    for exit in [1, 2, 7, 101, 255] {
        let script = format!("echo 'error: {exit}'; {noise}; exit {exit}");
        let error = worker.pw(&["run", "--", &script]).error(exit, "command_failed");
        let details = &error["details"];
        assert_eq!(details["exit_code"], exit);
        assert_eq!(details["output_tail"].as_str().unwrap().lines().count(), 60);
        assert!(
            details["first_failure"].as_str().unwrap().starts_with(&format!("error: {exit}\n"))
        );
    }
    // Several words are a command as it stands; it runs where it was called, as this worker.
    let words = [
        "run",
        "--",
        "sh",
        "-c",
        "test \"$1\" = 'a b' && test $PW_WORKER = a && git status",
        "x",
        "a b",
    ];
    worker.pw(&words).data();
    worker.pw(&["run", "--", "no-such-program-here"]).error(127, "command_failed");

    // Without a command: the plan's gates.
    let gates = worker.pw(&["run"]).data();
    let names: Vec<&Value> =
        gates["passed"].as_array().unwrap().iter().map(|g| &g["gate"]).collect();
    assert_eq!(names, ["lint", "test"]);
    worker.write("a", "");
    assert_eq!(worker.pw(&["run"]).error(1, "command_failed")["details"]["gate"], "test");
    worker.pw(&["run", "--gate", "lint"]).data();
    worker.pw(&["run", "--gate", "nonsense"]).error(2, "usage");
}

#[test]
fn one_at_a_time_and_the_next_goes_on_when_the_first_was_killed() {
    let repo = with_pipes("heavy: 1\n");
    let mut first = started(&repo, "a-x", "echo > \"$HOME/one\"; exec sleep 600");
    soon(&repo, "read started < \"$HOME/one\"");
    let mut second = started(&repo, "b-y", "true");
    let line = said(&mut second);
    assert!(line.contains("waiting") && line.contains("a-x: echo >"), "{line}");
    first.kill().unwrap();
    first.wait().unwrap();
    let data = done(second).data();
    assert_eq!(data["worker"], "b");
}

#[test]
fn a_gate_of_an_integration_waits_for_its_turn_too() {
    let repo = with_pipes("heavy: 1\nverify: 'test \"$PW_HEAVY\" = 1'\n");
    for (label, path) in [("a-x", "a"), ("b-y", "b")] {
        repo.worker(label).write(path, "1").commit("[COMPLETE] done");
    }
    let script = "echo > \"$HOME/one\"; read x < \"$HOME/two\"";
    let build = started(&repo, "a-x", script);
    soon(&repo, "read started < \"$HOME/one\"");
    let mut run = repo.helper(&repo.root(), &["pw-integrate", "run"]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let line = said(&mut run);
    assert!(line.contains("waiting") && line.contains("a-x: echo >"), "{line}");
    soon(&repo, "echo > \"$HOME/two\"");
    done(build).data();
    assert_eq!(done(run).data()["gate"]["gates"][0]["passed"], true);
}

#[test]
fn as_many_run_at_once_as_the_plan_says() {
    let repo = with_pipes("heavy: 2\n");
    // Each waits for the other.
    let one = started(&repo, "a-x", "echo > \"$HOME/one\"; read x < \"$HOME/two\"");
    let two = started(&repo, "b-y", "read x < \"$HOME/one\"; echo > \"$HOME/two\"");
    done(one).data();
    done(two).data();
}

#[test]
fn what_a_heavy_command_starts_is_part_of_it() {
    let repo = created(&format!(
        "{TWO}heavy: 1\nverify: pw-worker run -- true\nverify_on_complete: true\n"
    ));
    let worker = repo.worker("a-x");
    worker.pw(&["run", "--", "pw-worker run -- pw-worker run"]).data();
    worker.write("a", "").commit("work");
    worker.pw(&["complete", "done"]).data();
}

#[test]
fn how_many_is_a_number_of_the_plan() {
    for heavy in ["0", "-1", "65", "1.5", "many", "true"] {
        let repo = repo(&format!("{TWO}heavy: {heavy}\n"));
        let problems =
            repo.pw("pw-setup check plan.yaml").error(3, "plan_invalid")["details"].clone();
        assert_eq!(problems["problems"][0]["code"], json!("wrong_type"), "{heavy}");
    }
}
