//! A repository with rules for commit messages: said before any worker starts, and kept by signals.

use pw_testkit::plans::TWO;
use pw_testkit::repo::{TestRepo, write_program};
use pw_testkit::rows::rows;
use serde_json::{Value, json};

use crate::repo;

/// A hook that wants conventional commits.
const TYPES: &str =
    "grep -qE '^(feat|fix|chore)(\\(.*\\))?: ' \"$1\" || { echo 'say what type' >&2; exit 1; }";
/// One that wants a ticket, and one that writes it itself.
const TICKET: &str = "head -1 \"$1\" | grep -q '^AB-[0-9]' || exit 1";
const PREFIX: &str = "sed -i '1s/^/AB-1 /' \"$1\"";

fn hook(repo: &TestRepo, name: &str, script: &str) {
    write_program(&repo.root().join(".git/hooks").join(name), &format!("#!/bin/sh\n{script}\n"));
}

/// A repository with a hook of this name, and a plan with more keys.
fn with_hook(name: &str, script: &str, keys: &str) -> TestRepo {
    let repo = repo(&format!("{TWO}{keys}"));
    hook(&repo, name, script);
    repo
}

fn trailer(keys: &Value) -> String {
    let subject = keys["signal_subject"].as_str();
    let subject = subject.map(|text| format!("signal_subject: {text:?}\n"));
    format!("signal: {}\n{}", keys["signal"].as_str().unwrap(), subject.unwrap_or_default())
}

#[test]
fn check_tries_message_hooks_without_a_trace_and_names_the_keys_that_help() {
    for (name, script, verdict, keys) in rows(&[
        (
            "commit-msg",
            TYPES,
            "refused",
            json!({ "signal": "trailer", "signal_subject": "chore: {text}" }),
        ),
        ("commit-msg", "exit 0", "accepted", json!(null)),
        (
            "commit-msg",
            TICKET,
            "refused",
            json!({ "signal": "trailer", "signal_subject": "AB-7 {text}" }),
        ),
        (
            "commit-msg",
            "! head -1 \"$1\" | grep -q '\\['",
            "refused",
            json!({ "signal": "trailer" }),
        ),
        ("prepare-commit-msg", PREFIX, "changed", json!({ "signal": "trailer" })),
        ("commit-msg", "no-such-linter", "untried", json!(null)),
        ("commit-msg", "exit 1", "refused", json!(null)),
        ("pre-commit", "exit 1", "", json!(null)),
    ]) {
        let repo = with_hook(name, &format!("echo ran >>ran\n{script}"), "");
        repo.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", "AB-7 the newest"]);
        let before = repo.fingerprint();
        let data = repo.pw("pw-setup check plan.yaml").data();
        assert!(before == repo.fingerprint(), "check left a trace: {name} {script}");
        let tried = &data["message_hooks"];
        if verdict.is_empty() {
            assert!(tried.is_null(), "{data}");
            continue;
        }
        assert_eq!((&tried["verdict"], &tried["plan"]), (&json!(verdict), keys), "{name} {script}");
        let warned = data["warnings"].to_string();
        assert_eq!(warned.contains("hook"), *verdict != "accepted", "{warned}");
        if keys.is_null() {
            continue;
        }
        // What is named helps: all goes through, and no worker's commit is refused.
        let repo = with_hook(name, script, &trailer(keys));
        repo.git(&["commit", "-q", "--no-verify", "--allow-empty", "-m", "AB-7 the newest"]);
        let data = repo.pw("pw-setup create plan.yaml").data();
        assert_eq!(data["message_hooks"]["verdict"], "accepted", "{data}");
        let [one, other] = ["a-x", "b-y"].map(|label| repo.worker(label));
        one.write("a", "1").pw(&["checkpoint", "one"]).data();
        one.pw(&["blocked", "no key", "a text"]).data();
        one.pw(&["complete"]).data();
        other.pw(&["needs", "a", "it"]).data();
        let state = repo.pw("pw-monitor status").data()["workers"].clone();
        assert_eq!((&state[0]["state"], &state[0]["ready"]), (&json!("complete"), &json!(true)));
        assert_eq!(
            (&state[1]["state"], &state[1]["signal"]["item"]),
            (&json!("waiting"), &json!("it"))
        );
        other.pw(&["sync"]).data();
        other.write("b", "1").pw(&["checkpoint", "two"]).data();
        other.pw(&["complete", "all of it"]).data();
        repo.pw("pw-integrate run").data();
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn signals_in_trailers_are_read_as_those_in_subjects() {
    let keys = "signal: trailer\nsignal_subject: \"chore({name}): {text}\"\n";
    let repo = with_hook("commit-msg", TYPES, keys);
    repo.pw("pw-setup create plan.yaml").data();
    let worker = repo.worker("a-x");
    assert_eq!(worker.pw(&["brief"]).data()["commit_subject"], "chore({name}): {text}");
    let head = || worker.git(&["log", "-1", "--format=%B"]);
    let signal = || repo.pw("pw-monitor status").data()["workers"][0]["signal"].clone();

    worker.write("a", "1").pw(&["checkpoint", "a step", "--detail", "Refs: one"]).data();
    assert_eq!(head(), "chore(x): a step\n\n- Refs: one\n\nPw-Signal: CHECKPOINT");
    assert_eq!(signal()["kind"], "checkpoint");
    worker.pw(&["blocked", "no key"]).data();
    assert_eq!(head(), "chore(x): blocked: no key\n\nPw-Signal: BLOCKED:no key");
    assert_eq!(signal()["reason"], "no key");
    // git reads the same trailer.
    assert_eq!(
        worker.git(&["log", "-1", "--format=%(trailers:key=Pw-Signal,valueonly)"]),
        "BLOCKED:no key"
    );

    // Only the last paragraph counts; a near miss is refused by git's hook, and named by status.
    let try_commit = |message: &str| {
        let words = ["commit", "-q", "--allow-empty", "-m", message];
        String::from_utf8(repo.try_git(&worker.path, &words).stderr).unwrap()
    };
    let said = try_commit("fix: a\n\nPw-Signal: complete");
    assert!(said.contains("Pw-Signal: COMPLETE"), "{said}");
    worker.commit("fix: a\n\nPw-Signal: COMPLETE\n\nand more");
    let data = repo.pw("pw-monitor status").data()["workers"][0].clone();
    assert_eq!(
        (&data["state"], data["near_misses"].as_array().unwrap().len()),
        (&json!("blocked"), 1)
    );

    // What quotes another commit says nothing, on the branch or on the base.
    worker.commit("squash! fix: a\n\nPw-Signal: COMPLETE");
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["state"], "blocked");
    repo.git(&[
        "commit",
        "-q",
        "--no-verify",
        "--allow-empty",
        "-m",
        "theirs\n\nPw-Signal: COMPLETE",
    ]);
    worker.git(&["merge", "-q", "--no-verify", "-m", "Merge main", "main"]);
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["state"], "blocked");

    let commits = || worker.git(&["rev-list", "--count", "HEAD"]);
    for words in [&["needs", "b", "it"][..], &["blocked", "no key"], &["complete", "all of it"]] {
        worker.pw(words).data();
        let before = commits();
        for _ in 0..2 {
            worker.pw(words).data();
        }
        assert_eq!(commits(), before, "a signal that is there is given once: {words:?}");
    }
    let retro = repo.pw("pw-retro report").data();
    assert_eq!(retro["workers"][0]["checkpoints"], 1, "{retro}");
    repo.pw("pw-integrate run --without b").data();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_worker_whose_message_is_refused_or_changed_hears_of_the_other_place_for_signals() {
    let repo = with_hook("commit-msg", TYPES, "");
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    let worker = repo.worker("a-x");
    worker.write("a", "1");
    for (name, script) in [("commit-msg", TYPES), ("prepare-commit-msg", PREFIX)] {
        hook(&repo, name, script);
        let error = worker.pw(&["checkpoint", "one"]).error(1, "hook_refused");
        assert!(error["hint"].as_str().unwrap().contains("`signal: trailer`"), "{name}: {error}");
        std::fs::remove_file(repo.root().join(".git/hooks").join(name)).unwrap();
    }
    assert_eq!(worker.git(&["rev-list", "--count", "main..HEAD"]), "0");
    // The user follows it while workers are at work; both kinds of signals count.
    worker.pw(&["checkpoint", "one"]).data();
    hook(&repo, "commit-msg", TYPES);
    repo.write(
        "plan.yaml",
        &format!("{TWO}signal: trailer\nsignal_subject: \"chore: {{text}}\"\n"),
    );
    repo.pw("pw-setup create plan.yaml").data();
    worker.write("a", "2").pw(&["checkpoint", "two"]).data();
    worker.pw(&["complete"]).data();
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0]["state"], "complete");
    assert_eq!(repo.pw("pw-retro report").data()["workers"][0]["checkpoints"], 2);
}

/// Git says only that the message is empty: nobody looks for a hook then.
#[test]
#[ignore = "long; .ci/run runs it"]
fn a_hook_that_leaves_nothing_of_a_message_is_named() {
    for (name, script) in [
        ("commit-msg", ": > \"$1\""),
        ("prepare-commit-msg", "printf '\\n \\n' > \"$1\""),
        ("commit-msg", "printf 'Signed-off-by: A <a@example.invalid>\\n' > \"$1\""),
    ] {
        let repo = with_hook(name, script, "");
        let tried = repo.pw("pw-setup check plan.yaml").data()["message_hooks"].clone();
        let verdict = tried["verdict"].as_str().unwrap();
        assert!(["refused", "changed"].contains(&verdict), "{name} {script}: {tried}");
        repo.pw("pw-setup create plan.yaml --no-trial").data();
        let worker = repo.worker("a-x");
        worker.write("a", "1");
        let error = worker.pw(&["checkpoint", "one"]).error(1, "hook_refused");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(name), "{script}: {error}");
        assert_eq!(worker.git(&["rev-list", "--count", "main..HEAD"]), "0");
        // A question gets out all the same.
        worker.pw(&["blocked", "no key"]).data();
    }
}

#[test]
fn hooks_are_left_alone_where_the_user_wants_no_trial() {
    let repo = repo(TWO);
    let log = repo.beside("ran");
    hook(&repo, "commit-msg", &format!("echo ran >>{}", log.display()));
    let data = repo.pw("pw-setup create plan.yaml --no-trial").data();
    assert!(data["message_hooks"].is_null() && !log.exists(), "{data}");
    repo.pw("pw-setup check plan.yaml").data();
    assert!(log.exists());
}
