//! Never a second session in the worktree of a living one, whichever way either was started.

use std::process::{Child, Stdio};

use pw_testkit::plans::THREE;
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::{Value, json};

use crate::created;
use crate::session::{Client, now};

const LAUNCH: &str = "sh .git/pw/rest-api/task-1-users/launch.sh";

fn launch(repo: &TestRepo, more: &str) -> Answer {
    repo.shell(&format!("{LAUNCH} {more}")).output().unwrap().into()
}

#[track_caller]
fn refused(repo: &TestRepo, more: &str, words: &str) {
    let answer = launch(repo, more);
    assert_eq!(answer.code, Some(3), "{answer:?}");
    assert!(answer.stderr.contains("task-1 has a living session"), "{answer:?}");
    assert!(answer.stderr.contains(words), "{answer:?}");
    let seen = std::fs::read_to_string(repo.beside("seen")).unwrap_or_default();
    assert_eq!(seen, "", "a second client was started");
}

#[test]
fn of_launchers_at_once_one_becomes_the_session() {
    let mut repo = created(THREE);
    // Says that it runs, and goes on until the test closes its stdin.
    repo.shim("claude", "echo $$ >> \"$HOME/started\"\nexec cat");
    for round in 1..=3 {
        let start = || -> Child {
            let mut shell = repo.shell(&format!("exec {LAUNCH}"));
            shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        };
        let mut children: Vec<Child> = (0..4).map(|_| start()).collect();
        let codes = |children: &mut Vec<Child>| -> Vec<Option<i32>> {
            let ended =
                |child: &mut Child| child.try_wait().unwrap().map(|status| status.code().unwrap());
            children.iter_mut().map(ended).collect()
        };
        while codes(&mut children).iter().flatten().count() < 3 {
            std::thread::yield_now();
        }
        let ended = codes(&mut children);
        assert!(ended.iter().flatten().all(|code| *code == 3), "round {round}: {ended:?}");
        // It ended, so that its process says nothing any more.
        for mut child in children {
            drop(child.stdin.take());
            child.wait().unwrap();
        }
        let started = std::fs::read_to_string(repo.beside("started")).unwrap();
        assert_eq!(started.lines().count(), round, "{started}");
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_session_that_somebody_started_by_hand_is_found() {
    let mut repo = created(THREE);
    repo.shim("claude", "echo x >> \"$HOME/seen\"");
    let client = Client::of(&repo, "task-1-users");
    let link = repo.beside("link");
    std::os::unix::fs::symlink(repo.root(), &link).unwrap();
    let pid = std::process::id().to_string();
    let by_hand = json!({"kind": "interactive", "jobId": null, "status": "idle"});
    let with = |more: Value| {
        let mut entry = by_hand.clone();
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        entry
    };
    for entry in [
        by_hand.clone(),
        with(json!({"cwd": client.worktree.join("api")})),
        with(json!({"cwd": link.join("worktrees/task-1-users")})),
        with(json!({"status": null})),
    ] {
        client.registered(now(), &entry);
        refused(&repo, "", &pid);
        refused(&repo, "--resume 5e551011-0000", &pid);
        let error = repo.pw("pw-setup launch task-1").error(3, "session_alive");
        assert!(error["message"].as_str().unwrap().contains(&pid), "{entry:#}: {error:#}");
    }
    // One in the background can be shown.
    client.registered(now(), &json!({"status": "busy"}));
    refused(&repo, "--bg -n task-1-users", "claude attach 5e551011");
    // In another worker's worktree, or long before this process began: not its session.
    client.registered(now(), &with(json!({"cwd": repo.worker("task-2-posts").path})));
    assert_eq!(launch(&repo, "").code, Some(0));
    client.registered(1_000, &by_hand);
    assert_eq!(launch(&repo, "").code, Some(0));
    // An id that another process has by now.
    let note = repo.root().join(".git/pw/rest-api/task-1-users/session");
    std::fs::write(&note, format!("{pid} Sun Nov  2 11:06:25 2025\n")).unwrap();
    assert_eq!(launch(&repo, "").code, Some(0));
    std::fs::write(&note, format!("{pid} \n")).unwrap();
    assert_eq!(launch(&repo, "").code, Some(0), "that process works elsewhere");
}

#[test]
#[cfg(target_os = "linux")]
fn a_session_whose_repository_was_renamed_is_found() {
    let mut repo = created(THREE);
    repo.shim("claude", "echo x >> \"$HOME/seen\"");
    let client = Client::of(&repo, "task-1-users");
    let mut session = repo.shell("echo; exec cat");
    session.current_dir(&client.worktree).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut session = session.spawn().unwrap();
    let by_hand = json!({"pid": session.id(), "jobId": null, "status": "idle"});
    client.registered(now() + 1, &by_hand);
    let new = repo.beside("new");
    std::fs::rename(repo.root(), &new).unwrap();
    repo.pw_in(&new, &["pw-setup", "repair"]).data();
    let mut shell = repo.shell(LAUNCH);
    let answer: Answer = shell.current_dir(&new).output().unwrap().into();
    assert_eq!(answer.code, Some(3), "{answer:?}");
    assert!(answer.stderr.contains(&session.id().to_string()), "{answer:?}");
    drop(session.stdin.take());
    session.wait().unwrap();
    assert_eq!(repo.shell(LAUNCH).current_dir(&new).status().unwrap().code(), Some(0));
}

#[test]
fn who_can_go_on_and_lives_is_attached_to_and_not_started() {
    let repo = created(THREE);
    repo.worker("task-2-posts").write("api/posts.py", "1").commit("[COMPLETE] posts");
    repo.worker("task-1-users").commit("[NEEDS:task-2/Post] for users");
    let client = Client::of(&repo, "task-1-users");
    let next = |action: &str| {
        let status = repo.pw("pw-monitor status").data();
        let waited = repo.pw("pw-monitor wait --timeout 0s --verbose").data();
        let steps = status["next"].as_array().unwrap();
        assert!(steps.iter().all(|step| waited["next"].as_array().unwrap().contains(step)));
        let mine = |step: &&Value| step["worker"] == "task-1" && step["action"] == action;
        let step = steps.iter().find(mine).unwrap_or_else(|| panic!("{action}: {status:#}"));
        step["command"].as_str().unwrap().to_owned()
    };
    assert!(next("resume").ends_with("launch.sh"));
    client.registered(now(), &json!({"status": "idle"}));
    assert_eq!(next("attach"), "claude attach 5e551011");
    client.registered(now(), &json!({"status": "idle", "jobId": null}));
    assert!(next("attach").starts_with("ps -o pid"));
}

#[test]
fn a_launcher_without_its_helper_starts_nothing() {
    let mut repo = created(THREE);
    repo.shim("claude", "echo x >> \"$HOME/seen\"");
    let link = repo.root().join(".git/pw/rest-api/task-1-users/pw-worker");
    std::fs::remove_file(&link).unwrap();
    let mut shell = repo.shell(LAUNCH);
    let answer: Answer = shell.env("PATH", "/usr/bin:/bin").output().unwrap().into();
    assert_eq!(answer.code, Some(127), "{answer:?}");
    assert!(answer.stderr.contains("pw-setup repair rest-api"), "{answer:?}");
    assert!(!repo.beside("seen").exists());
    // It is found on the search path, too.
    assert_eq!(launch(&repo, "").code, Some(0));
}

/// A session's own process ids, as in a container; nothing where the system does not permit that.
#[cfg(target_os = "linux")]
#[expect(clippy::print_stderr, reason = "the log of a run says what was not tested")]
fn apart(repo: &TestRepo, line: &str) -> Option<Child> {
    let root = "unshare --map-root-user --pid --fork --mount-proc";
    if !repo.shell(&format!("{root} true")).output().unwrap().status.success() {
        eprintln!("skipped: no namespace of process ids can be made here");
        return None;
    }
    let mut shell = repo.shell(&format!("exec {root} {line}"));
    let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    Some(shell.spawn().unwrap())
}

fn wait_for(file: &std::path::Path) {
    while !file.exists() {
        std::thread::yield_now();
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_session_in_another_container_is_seen_by_the_lock_it_holds() {
    let mut repo = created(THREE);
    repo.shim("claude", "echo x > \"$HOME/started\"\nexec cat");
    let started = repo.beside("started");
    let Some(mut session) = apart(&repo, LAUNCH) else { return };
    wait_for(&started);
    std::fs::remove_file(&started).unwrap();
    refused(&repo, "", "another container of this machine");
    let error = repo.pw("pw-setup launch task-1").error(3, "session_alive");
    assert!(error["details"]["sessions"][0]["pid"].is_null(), "{error:#}");
    // It lives, whatever the user says.
    repo.pw("pw-setup launch task-1 --ended").error(3, "session_alive");
    let status = repo.pw("pw-monitor status").data();
    let own = &status["workers"][0]["session"];
    assert_eq!((&own["alive"], &own["pid"]), (&json!(true), &Value::Null), "{status:#}");
    let steps = status["next"].as_array().unwrap();
    assert!(!steps.iter().any(|step| step["worker"] == "task-1"), "{status:#}");
    drop(session.stdin.take());
    session.wait().unwrap();
    // It ended, and with it the lock.
    repo.shim("claude", "echo x >> \"$HOME/seen\"");
    assert_eq!(launch(&repo, "").code, Some(0));

    // The other way round: from a container, one that lives outside of it.
    repo.shim("claude", "echo x > \"$HOME/started\"\nexec cat");
    let mut shell = repo.shell(&format!("exec {LAUNCH}"));
    let mut session = shell.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    wait_for(&started);
    let answer = apart(&repo, LAUNCH).unwrap().wait().unwrap();
    assert_eq!(answer.code(), Some(3));
    drop(session.stdin.take());
    session.wait().unwrap();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn of_a_session_on_another_machine_the_user_has_to_say_that_it_is_over() {
    let mut repo = created(THREE);
    repo.shim("claude", "echo x > \"$HOME/began\"");
    assert_eq!(launch(&repo, "").code, Some(0));
    let note = repo.root().join(".git/pw/rest-api/task-1-users/session");
    let own = std::fs::read_to_string(&note).unwrap();
    let with = |names: &[&str]| -> String {
        let line = |line: &str| match line.split_once('=') {
            Some((name, _)) if names.contains(&name) => format!("{name}=other\n"),
            _ => format!("{line}\n"),
        };
        own.lines().map(line).collect()
    };
    repo.shim("claude", "echo x >> \"$HOME/seen\"");
    for names in
        [&["boot", "host"][..], &["boot", "machine"], &["boot", "host", "machine"], &["system"]]
    {
        std::fs::write(&note, with(names)).unwrap();
        refused_unseen(&repo);
        let status = repo.pw("pw-monitor status").data();
        let own = &status["workers"][0]["session"];
        assert_eq!(own["alive"], Value::Null, "{status:#}");
        assert!(own["elsewhere"].as_str().unwrap().contains("machine"), "{status:#}");
        let steps = status["next"].as_array().unwrap();
        let mut mine = steps.iter().filter(|step| step["worker"] == "task-1");
        assert!(mine.all(|step| step["action"] == "look"), "{status:#}");
        let error = repo.pw("pw-setup launch task-1").error(3, "session_alive");
        let hint = error["hint"].as_str().unwrap();
        repo.follow(&json!(hint[hint.rfind(": ").unwrap() + 2..]));
        assert_eq!(launch(&repo, "").code, Some(0));
        std::fs::remove_file(repo.beside("seen")).unwrap();
    }
    // It ended with the machine, or its process is seen to be gone, or an older release wrote it.
    for names in [&["boot"][..], &["boot", "space"], &[]] {
        std::fs::write(&note, with(names)).unwrap();
        assert_eq!(launch(&repo, "").code, Some(0), "{names:?}");
    }
    std::fs::write(&note, own.lines().next().unwrap()).unwrap();
    assert_eq!(launch(&repo, "").code, Some(0));
    // The user says so of one worker, never of all at once.
    repo.pw("pw-setup launch --ended").error(2, "usage");
}

#[track_caller]
fn refused_unseen(repo: &TestRepo) {
    let answer = launch(repo, "");
    assert_eq!(answer.code, Some(3), "{answer:?}");
    assert!(answer.stderr.contains("--ended"), "{answer:?}");
    assert!(!repo.beside("seen").exists(), "a second client was started");
}

#[test]
#[cfg(target_os = "linux")]
fn a_session_started_by_hand_in_another_container_keeps_a_second_one_away() {
    let mut repo = created(THREE);
    repo.shim("claude", "echo x >> \"$HOME/seen\"");
    let client = Client::of(&repo, "task-1-users");
    let entry = json!({"jobId": null, "status": "idle", "pidDomain": "linux:other:pid:[1]"});
    client.registered(now(), &entry);
    refused_unseen(&repo);
    let status = repo.pw("pw-monitor status").data();
    let steps = status["next"].as_array().unwrap();
    assert!(!steps.iter().any(|step| step["worker"] == "task-1" && step["action"] == "launch"));
    repo.pw("pw-setup launch task-1").error(3, "session_alive");
    repo.pw("pw-setup launch task-1 --ended").data();
    assert_eq!(launch(&repo, "").code, Some(0));
}
