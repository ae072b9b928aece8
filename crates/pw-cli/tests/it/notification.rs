//! `notify` in the plan: the user's command, once for each event, by the helper that sees it first.

use std::process::Stdio;

use pw_testkit::plans::TWO;
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::json;

use crate::{created, repo};

const NOTIFY: &str = "printf '%s|%s|%s|%s\\n' {kind} {worker} {text} {workflow} >> \"$HOME/told\"";

fn plan(notify: &str) -> String {
    format!("{TWO}notify: {}\n", json!(notify))
}

/// The lines that the command wrote since the last call.
fn told(repo: &TestRepo) -> Vec<String> {
    let home = repo.shell("cat \"$HOME/told\" 2>/dev/null; rm -f \"$HOME/told\"").output().unwrap();
    let mut lines: Vec<String> =
        String::from_utf8(home.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn each_event_is_told_once_whoever_looks_and_however_often() {
    let repo = created(&plan(NOTIFY));
    let look = |more: &str| repo.pw(&format!("pw-monitor wait --timeout 0s{more}")).data();
    look("");
    assert_eq!(told(&repo), [""; 0]);
    let worker = repo.worker("a-x");
    worker.commit("[BLOCKED:$(touch \"$HOME/x\")] it's `id`; {text} \"or\" not\u{1b}[31m?");
    // Four look at once, none with a cursor; one of them is for something else.
    let start = |more: &[&str]| {
        let words = [&["pw-monitor", "wait", "--timeout", "0s"], more].concat();
        repo.helper(&repo.root(), &words).stdout(Stdio::piped()).spawn().unwrap()
    };
    let looks = [start(&["--for", "complete"]), start(&[]), start(&[]), start(&[])];
    for look in looks {
        let answer: Answer = look.wait_with_output().unwrap().into();
        assert_eq!(answer.data()["notes"], json!([]));
    }
    assert_eq!(
        told(&repo),
        [
            "blocked|a|a is blocked: $(touch \"$HOME/x\"): it's `id`; {text} \"or\" not\u{fffd}[31m?|two"
        ]
    );
    assert!(!repo.shell("test -e \"$HOME/x\"").status().unwrap().success());
    // Readers tell nothing.
    repo.worker("b-y").commit("[COMPLETE] all");
    repo.pw("pw-monitor status").data();
    assert_eq!(told(&repo), [""; 0]);
    look("");
    assert_eq!(told(&repo), ["completed|b|b is complete: all|two"]);
    // Answered, and asked again: that is another event.
    worker.commit("[CHECKPOINT] went on");
    look("");
    worker.commit("[BLOCKED:key] which?");
    look("");
    assert_eq!(told(&repo), ["blocked|a|a is blocked: key: which?|two"]);
    // A name that a shell would read more into.
    worker.commit("[NEEDS:b/src/$(touch \"$HOME/x\")/it's -n\\%s `id`.py] now & then");
    look("");
    assert_eq!(
        told(&repo),
        [
            "satisfied|a|a can go on, what it needs is there: src/$(touch \"$HOME/x\")/it's -n\\%s `id`.py of b: now & then|two"
        ]
    );
    assert!(!repo.shell("test -e \"$HOME/x\"").status().unwrap().success());
}

#[test]
fn a_command_that_fails_is_said_and_many_events_are_summed_up() {
    let repo = created(&plan("echo oops; exit 3"));
    repo.worker("a-x").commit("[BLOCKED:key] which?");
    let waited = repo.pw("pw-monitor wait --timeout 0s").data();
    assert_eq!(waited["notes"], json!(["`notify` failed with exit code 3: oops"]));

    let workers: String =
        (0..8).map(|nth| format!("  - {{id: w{nth}, name: x, owns: [w{nth}]}}\n")).collect();
    let many = created(&format!("workflow: many\nnotify: {}\nworkers:\n{workers}", json!(NOTIFY)));
    for nth in 0..8 {
        many.worker(&format!("w{nth}-x")).commit("[BLOCKED:key] which?");
    }
    many.pw("pw-monitor wait --timeout 0s").data();
    let lines = told(&many);
    assert_eq!((lines.len(), lines.last().unwrap().as_str()), (6, "more||3 more events|many"));
}

#[test]
fn it_is_listed_with_what_will_run_and_refused_when_a_value_would_not_be_a_word() {
    let good = repo(&plan(NOTIFY));
    let run = good.pw("pw-setup check plan.yaml").data()["will_run"].clone();
    assert_eq!(run["notify"], NOTIFY);
    for (bad, words) in [("say {txt}", "{txt}"), ("say '{text}'", "inside quotes")] {
        let repo = repo(&plan(bad));
        let error = repo.pw("pw-setup check plan.yaml").error(3, "plan_invalid");
        let message = error["details"]["problems"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("`notify`") && message.contains(words), "{message}");
    }
}
