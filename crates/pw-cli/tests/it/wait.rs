//! `pw-monitor wait` against real git: it ends when something happened, and only then.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::{Value, json};

use crate::created;
use crate::session::{Client, now};

fn kinds(waited: &Value) -> Vec<&str> {
    let changes = waited["changes"].as_array().unwrap();
    changes.iter().map(|change| change["kind"].as_str().unwrap()).collect()
}

fn look(repo: &TestRepo, more: &str) -> Value {
    repo.pw(format!("pw-monitor wait --timeout 0s {more}").trim()).data()
}

fn cursor(waited: &Value) -> &str {
    waited["cursor"].as_str().unwrap()
}

/// A repository whose git writes down what it is asked.
fn observed(plan: &str) -> TestRepo {
    let mut repo = created(plan);
    observe(&mut repo);
    repo
}

/// From now on, git writes down what it is asked.
pub(crate) fn observe(repo: &mut TestRepo) {
    let log = repo.beside("calls").display().to_string();
    repo.shim_git(&format!("echo \"$@\" >> {log}\nexec $GIT \"$@\""));
}

/// How many worktrees were looked into.
fn looks(repo: &TestRepo) -> usize {
    let calls = std::fs::read_to_string(repo.beside("calls")).unwrap_or_default();
    calls.lines().filter(|call| call.contains(" status ")).count()
}

/// Starts a wait, and returns when it has read all refs and is inside the worktrees.
fn start(repo: &TestRepo, more: &str) -> Child {
    start_with(repo, &format!("--timeout 60s {more}"), 3)
}

/// The same, with this many worktrees to look into.
pub(crate) fn start_with(repo: &TestRepo, options: &str, worktrees: usize) -> Child {
    let line = format!("pw-monitor wait {options}");
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut command = repo.helper(&repo.root(), &words);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while looks(repo) < worktrees {
        assert!(Instant::now() < end, "it never looked");
        std::thread::yield_now();
    }
    child
}

pub(crate) fn ended(child: Child) -> Answer {
    child.wait_with_output().unwrap().into()
}

#[test]
fn what_needs_somebody_already_is_told_at_once_and_only_once() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] routes");
    repo.worker("task-3-docs").commit("[BLOCKED:no style guide] which one?");
    let first = look(&repo, "");
    assert_eq!(
        (first["happened"].as_bool(), kinds(&first)),
        (Some(true), vec!["completed", "blocked"])
    );
    assert_eq!(first["changes"][1]["text"], "task-3 is blocked: no style guide: which one?");
    repo.follow(&first["changes"][1]["command"]);

    let again = first["next"].as_array().unwrap().last().unwrap();
    assert_eq!(again["action"], "wait");
    let second = repo.pw(again["command"].as_str().unwrap()).data();
    assert_eq!((second["happened"].as_bool(), kinds(&second)), (Some(false), vec![]));
    assert_eq!(cursor(&second), cursor(&first));

    // Between two waits: one thing more, and one less.
    repo.worker("task-2-posts").commit("[NEEDS:task-1/UserModel] for authors");
    repo.worker("task-3-docs").commit("[CHECKPOINT] went on");
    let third = look(&repo, &format!("--since {}", cursor(&second)));
    assert_eq!(kinds(&third), ["satisfied"]);
    assert_eq!(third["changes"][0]["to"], "waiting");
}

#[test]
fn an_event_ends_the_wait_and_progress_does_not() {
    let repo = observed(THREE);
    let child = start(&repo, "");
    let docs = repo.worker("task-3-docs");
    docs.commit("[CHECKPOINT] outline");
    docs.commit("[BLOCKED:no style guide] which one?");
    let answer = ended(child).data();
    assert_eq!(kinds(&answer), ["blocked"]);
    // A notice ended it, not the look that is due after half a minute in any case.
    assert!(answer["waited_seconds"].as_i64().unwrap() < 25, "{answer}");
    let from = answer["changes"][0]["from"].as_str().unwrap();
    assert!(["starting", "in_progress"].contains(&from), "{from}");
}

#[test]
fn packing_refs_and_new_branches_are_noticed() {
    let repo = observed(THREE);
    repo.worker("task-1-users").commit("[CHECKPOINT] model");
    repo.git(&["pack-refs", "--all", "--prune"]);
    let child = start(&repo, "");
    repo.worker("task-1-users").commit("[COMPLETE] all");
    assert_eq!(kinds(&ended(child).data()), ["completed"]);
}

#[test]
fn what_happens_during_a_look_is_not_lost() {
    let mut repo = created(THREE);
    let once = repo.beside("once").display().to_string();
    let docs = repo.worker("task-3-docs").path.display().to_string();
    // When the worktrees are looked into, the refs have been read.
    repo.shim_git(&format!(
        "case \" $* \" in *\" status \"*) if mkdir {once} 2>/dev/null; then\n\
         $GIT -C '{docs}' commit -q --no-verify --allow-empty -m '[BLOCKED:x] y' </dev/null; fi;; esac\n\
         exec $GIT \"$@\""
    ));
    let answer = repo.pw("pw-monitor wait --timeout 60s").data();
    assert_eq!(kinds(&answer), ["blocked"]);
}

#[test]
fn a_session_that_begins_to_wait_for_somebody_ends_it() {
    let repo = observed(THREE);
    let client = Client::of(&repo, "task-2-posts");
    let child = start(&repo, "--for stalled");
    client.registered(now(), &json!({"status": "waiting", "waitingFor": "permission prompt"}));
    let answer = ended(child).data();
    assert_eq!(kinds(&answer), ["stalled"]);
    assert_eq!(answer["changes"][0]["command"], "claude attach 5e551011");
    assert!(answer["waited_seconds"].as_i64().unwrap() < 25, "{answer}");
}

#[test]
fn only_what_is_awaited_ends_it() {
    let repo = observed(THREE);
    repo.worker("task-3-docs").commit("[BLOCKED:x] y");
    let child = start(&repo, "--for complete");
    repo.worker("task-2-posts").commit("[NEEDS:task-1/x] y");
    repo.worker("task-1-users").commit("[COMPLETE] all");
    let answer = ended(child).data();
    assert_eq!(kinds(&answer), ["completed"]);
    // What was not awaited was not told.
    let rest = look(&repo, &format!("--since {}", cursor(&answer)));
    assert_eq!(kinds(&rest), ["satisfied", "blocked"]);
}

#[test]
fn a_workflow_is_led_to_its_end_by_waiting() {
    let repo = created(WAVES);
    repo.worker("base-model").write("model", "1").commit("[COMPLETE] m");
    repo.worker("side-extra").write("extra", "1").commit("[COMPLETE] e");
    let waited = look(&repo, "");
    assert_eq!(kinds(&waited), ["completed", "completed", "advance"]);
    repo.pw(waited["changes"][2]["command"].as_str().unwrap()).data();
    repo.worker("top-api").write("api", "1").commit("[COMPLETE] a");
    let waited = look(&repo, &format!("--since {}", cursor(&waited)));
    assert_eq!(kinds(&waited), ["completed", "ready"]);
    repo.pw(waited["changes"][1]["command"].as_str().unwrap()).data();
    let waited = look(&repo, &format!("--since {}", cursor(&waited)));
    assert_eq!(kinds(&waited), ["integrated"]);
    let actions: Vec<&Value> =
        waited["next"].as_array().unwrap().iter().map(|step| &step["action"]).collect();
    assert!(!actions.contains(&&json!("wait")), "there is nothing to wait for: {actions:?}");
}

#[test]
fn nobody_looks_while_nothing_happens() {
    let repo = observed(THREE);
    let before = repo.fingerprint();
    repo.pw("pw-monitor status").data();
    let once = looks(&repo);
    let answer = repo.pw("pw-monitor wait --timeout 2s").data();
    assert_eq!((&answer["happened"], &answer["notes"]), (&json!(false), &json!([])));
    // At the start and at the end: our own looks are no reason to look.
    assert_eq!(looks(&repo), 3 * once);
    assert!(repo.fingerprint() == before, "waiting changed something");
}

#[test]
fn interrupting_it_leaves_nothing_behind() {
    use std::os::unix::process::ExitStatusExt as _;
    let repo = observed(THREE);
    let before = repo.fingerprint();
    let child = start(&repo, "");
    // Not SIGINT, which a shell makes what it starts in the background ignore.
    let kill = format!("kill -TERM {}", child.id());
    assert!(repo.shell(&kill).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.signal() == Some(15) && output.stdout.is_empty(), "{output:?}");
    assert!(repo.fingerprint() == before, "waiting changed something");
}

#[test]
fn a_wrong_cursor_or_duration_is_refused() {
    let repo = created(THREE);
    for words in ["--since w1-12", "--since nonsense", "--timeout soon", "--timeout -5m"] {
        repo.pw(&format!("pw-monitor wait {words}")).error(2, "usage");
    }
    repo.pw("pw-monitor wait nothing").error(3, "unknown_workflow");
}
