//! A remote as the channel between clones: what one says, the others see, and nothing is lost when
//! they do it at once or the remote does not do its part.

use std::path::{Path, PathBuf};

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::{Value, json};

use crate::repo;

/// A repository with a bare remote, in which the plan's first wave was created.
fn led(plan: &str) -> TestRepo {
    let repo = repo(&format!("{plan}remote: origin\nremote_limit: 4s\n"));
    let remote = repo.beside("remote.git");
    repo.git(&["init", "-q", "--bare", "-b", "main", &remote.to_string_lossy()]);
    repo.git(&["remote", "add", "origin", &remote.to_string_lossy()]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    repo
}

/// Another clone of the remote.
fn clone(repo: &TestRepo, name: &str) -> PathBuf {
    let folder = repo.beside(name);
    let (from, to) = (repo.beside("remote.git"), folder.to_string_lossy().into_owned());
    repo.git(&["clone", "-q", &from.to_string_lossy(), &to]);
    folder
}

fn run(repo: &TestRepo, folder: &Path, words: &str) -> Answer {
    repo.pw_in(folder, &words.split(' ').collect::<Vec<_>>())
}

/// A worker works in a clone that it joined: a file, a checkpoint, and complete.
fn works(repo: &TestRepo, folder: &Path, id: &str, label: &str, file: &str) {
    run(repo, folder, &format!("pw-setup join {id}")).data();
    let worktree = folder.join("worktrees").join(label);
    let path = worktree.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, label).unwrap();
    let data = run(repo, &worktree, "pw-worker checkpoint half").data();
    assert_eq!(data["pushed"]["ok"], true, "{data:#}");
    run(repo, &worktree, "pw-worker complete").data();
}

fn there(repo: &TestRepo) -> String {
    repo.git_in(&repo.beside("remote.git"), &["for-each-ref", "--format=%(refname)"])
}

fn record(repo: &TestRepo, workflow: &str) -> Vec<String> {
    let name = format!("refs/pw/{workflow}/record");
    let text = repo.git_in(&repo.beside("remote.git"), &["log", "--reverse", "--format=%s", &name]);
    let word = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    text.lines().map(word).collect()
}

/// Whether every ref is where it was, those of the remote left out.
fn refs(repo: &TestRepo, folder: &Path) -> String {
    let words = ["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/pw"];
    repo.git_in(folder, &words)
}

fn worker<'a>(status: &'a Value, id: &str) -> &'a Value {
    status["workers"].as_array().unwrap().iter().find(|worker| worker["id"] == id).unwrap()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn workers_in_other_clones_are_seen_merged_and_reported_like_those_here() {
    let repo = led(WAVES);
    assert_eq!(
        there(&repo),
        "refs/heads/main\nrefs/heads/work/base-model\nrefs/heads/work/side-extra\nrefs/pw/waves/record"
    );
    // A clone that knows nothing takes the record, and says how the worker gets its worktree.
    let (node, third) = (clone(&repo, "node"), clone(&repo, "third"));
    assert_eq!(run(&repo, &node, "pw-setup list").data()["workflows"], json!([]));
    let listed = run(&repo, &node, "pw-setup list --fetch").data();
    assert_eq!(listed["workflows"][0]["workflow"], "waves");
    let status = run(&repo, &node, "pw-monitor status").data();
    assert_eq!(status["next"][0]["command"], "pw-setup join base --workflow waves");
    assert_eq!(worker(&status, "base")["tip_from"], "remote");

    works(&repo, &node, "base", "base-model", "model");
    repo.worker("side-extra").write("extra", "1");
    repo.worker("side-extra").pw(&["checkpoint", "here"]).data();
    repo.worker("side-extra").pw(&["complete"]).data();

    // Unasked, the leading clone does not know; asked, it does, and says where each tip is.
    assert_eq!(worker(&repo.pw("pw-monitor status").data(), "base")["state"], "starting");
    let status = repo.pw("pw-monitor status --fetch").data();
    assert_eq!(status["remote"], json!({"name": "origin", "fetched": true, "record": "same"}));
    for (id, from) in [("base", "remote"), ("side", "both")] {
        let worker = worker(&status, id);
        assert_eq!((&worker["ready"], &worker["tip_from"]), (&json!(true), &json!(from)));
    }
    let waited = run(&repo, &third, "pw-monitor wait --fetch --timeout 0s").data();
    assert_eq!(waited["happened"], true);

    // The next wave is opened in another clone, and integrated in a third one.
    run(&repo, &node, "pw-setup advance --fetch").data();
    works(&repo, &third, "top", "top-api", "api");
    let merged = run(&repo, &third, "pw-integrate run --fetch").data();
    assert_eq!(merged["merged"].as_array().unwrap().len(), 3);
    let tip = repo.git_in(&repo.beside("remote.git"), &["rev-parse", "integration/waves"]);
    assert_eq!(merged["commit"], tip);
    let report = repo.pw("pw-retro report --fetch").data();
    assert!(
        report["workers"].as_array().unwrap().iter().all(|worker| worker["state"] == "integrated"),
        "{report:#}"
    );
    assert_eq!(repo.git(&["rev-parse", "integration/waves"]), tip);

    // What is over here is over there: the branches go, and the record says so.
    repo.pw("pw-integrate finish").data();
    let cleanup = repo.pw("pw-integrate cleanup").data();
    assert_eq!(cleanup["kept"][0]["worker"], "top", "{cleanup:#}");
    assert_eq!(cleanup["removed"].as_array().unwrap().len(), 2);
    assert!(!there(&repo).contains("work/base-model"), "{}", there(&repo));
    let now = run(&repo, &third, "pw-monitor status --fetch").data();
    assert!(
        now["workers"].as_array().unwrap().iter().all(|worker| worker["state"] == "integrated"),
        "{now:#}"
    );
    assert!(!there(&repo).contains("snapshot"), "snapshots stay where they were taken");
}

/// Makes the remote fail in a way, and well again.
fn break_remote(repo: &TestRepo, how: &str, folder: &Path) {
    let remote = repo.beside("remote.git");
    let config = |name: &str, value: &str| repo.git_in(folder, &["config", name, value]);
    match how {
        "down" => std::fs::rename(&remote, repo.beside("away.git")).unwrap(),
        "up" => std::fs::rename(repo.beside("away.git"), &remote).unwrap(),
        "slow" => {
            config("remote.origin.receivepack", "sleep 60; git-receive-pack");
            config("remote.origin.uploadpack", "sleep 60; git-upload-pack");
        }
        "fast" => {
            repo.git_in(folder, &["config", "--unset", "remote.origin.receivepack"]);
            repo.git_in(folder, &["config", "--unset", "remote.origin.uploadpack"]);
        }
        "closed" => {
            let hook = remote.join("hooks/pre-receive");
            std::fs::create_dir_all(remote.join("hooks")).unwrap();
            repo.sh(
                &remote,
                &format!(
                    "printf '#!/bin/sh\\necho read-only >&2\\nexit 1\\n' > {0} && chmod +x {0}",
                    hook.display()
                ),
            );
        }
        "open" => std::fs::remove_file(remote.join("hooks/pre-receive")).unwrap(),
        _ => unreachable!(),
    }
}

const TROUBLES: [(&str, &str, &str); 3] =
    [("down", "up", "unreachable"), ("slow", "fast", "timed_out"), ("closed", "open", "refused")];

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_signal_is_kept_when_the_remote_fails_and_pushed_with_the_next_one() {
    let repo = led(THREE);
    let users = repo.worker("task-1-users");
    for (number, (broken, whole, trouble)) in TROUBLES.into_iter().enumerate() {
        break_remote(&repo, broken, &repo.root());
        users.write("api/users.py", &number.to_string());
        let data = users.pw(&["checkpoint", "kept"]).data();
        assert_eq!(
            (&data["pushed"]["ok"], &data["pushed"]["trouble"]),
            (&json!(false), &json!(trouble)),
            "{broken}: {data:#}"
        );
        assert!(data["notes"].to_string().contains("the next signal pushes it"), "{data:#}");
        // Looking goes on with what is known, and says what is not.
        let status = repo.pw("pw-monitor status --fetch").data();
        if broken != "closed" {
            assert_eq!(status["remote"]["trouble"], trouble, "{status:#}");
        }
        break_remote(&repo, whole, &repo.root());
        let data = users.pw(&["blocked", "a question"]).data();
        assert_eq!(data["pushed"]["ok"], true, "{data:#}");
        let tip = repo.git_in(&repo.beside("remote.git"), &["rev-parse", "work/task-1-users"]);
        assert_eq!(data["commit"], tip);
    }
}

#[test]
fn what_only_one_clone_may_decide_waits_for_the_remote_and_all_else_is_published_later() {
    let repo = led(THREE);
    crate::complete_all(&repo);
    let before = refs(&repo, &repo.root());
    break_remote(&repo, "down", &repo.root());
    let error = repo.pw("pw-integrate run").error(3, "remote_failed");
    assert_eq!(error["details"]["trouble"], "unreachable");
    repo.pw("pw-integrate run --fetch").error(3, "remote_failed");
    assert_eq!(refs(&repo, &repo.root()), before);
    // A wave can be made without the remote: it hears of it with the next command that writes.
    let made = repo.pw("pw-setup create plan.yaml").data();
    assert!(made["notes"][0].as_str().unwrap().contains("not published"), "{made:#}");
    break_remote(&repo, "up", &repo.root());
    repo.pw("pw-integrate run").data();
    assert!(record(&repo, "rest-api").contains(&"merged task-3".to_owned()));

    break_remote(&repo, "closed", &repo.root());
    repo.worker("task-1-users").write("api/users.py", "more").commit("[COMPLETE] more");
    let error = repo.pw("pw-integrate run").error(3, "remote_failed");
    assert_eq!(error["details"]["trouble"], "refused");
}

#[test]
fn a_workflow_that_began_without_its_remote_is_published_whole() {
    let repo = repo(&format!("{THREE}remote: origin\n"));
    let made = repo.pw("pw-setup create plan.yaml --no-trial").data();
    assert!(made["notes"][0].as_str().unwrap().contains("cannot be reached"), "{made:#}");
    crate::complete_all(&repo);
    let remote = repo.beside("remote.git");
    repo.git(&["init", "-q", "--bare", &remote.to_string_lossy()]);
    repo.git(&["remote", "add", "origin", &remote.to_string_lossy()]);
    // The remote has nothing of ours: that is said, and no reason to refuse.
    let status = repo.pw("pw-monitor status --fetch").data();
    assert_eq!(status["remote"]["record"], "missing");
    repo.pw("pw-integrate run").data();
    assert!(there(&repo).contains("refs/heads/integration/rest-api"));
    assert!(there(&repo).contains("refs/pw/rest-api/merged/task-1"));
    repo.pw("pw-setup create plan.yaml").data();
    assert!(there(&repo).contains("refs/heads/work/task-3-docs"));
    // Without a remote in the plan, there is nothing to ask.
    let alone = crate::created(THREE);
    alone.pw("pw-monitor status --fetch").error(2, "usage");
}

/// Has another clone run this command at the moment when the next push begins.
fn meanwhile(repo: &mut TestRepo, folder: &Path, command: &str) {
    let mark = repo.beside("mark");
    std::fs::write(&mark, "").unwrap();
    let (mark, folder) = (mark.display().to_string(), folder.display().to_string());
    repo.shim_git(&format!(
        r#"case " $* " in *" push "*) if rm '{mark}' 2>/dev/null; then (cd '{folder}' && GIT_COMMITTER_NAME=Other {command}) > '{mark}.out' 2>&1; fi;; esac
exec "$GIT" "$@""#
    ));
}

fn said_meanwhile(repo: &TestRepo) -> Value {
    let text = std::fs::read_to_string(repo.beside("mark.out")).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn of_two_clones_that_integrate_at_once_one_wins_and_the_other_has_changed_nothing() {
    let mut repo = led(THREE);
    crate::complete_all(&repo);
    for label in ["task-1-users", "task-2-posts", "task-3-docs"] {
        repo.worker(label).pw(&["complete"]).data();
    }
    let other = clone(&repo, "other");
    run(&repo, &other, "pw-setup list --fetch").data();
    meanwhile(&mut repo, &other, "pw-integrate run --fetch --without task-3");
    let before = refs(&repo, &repo.root());
    let error = repo.pw("pw-integrate run").error(3, "remote_moved");
    assert_eq!(said_meanwhile(&repo)["ok"], true);
    assert_eq!(refs(&repo, &repo.root()), before);
    assert_eq!(error["next"], "pw-monitor status --fetch rest-api");

    // What the other one did stays, and this one adds to it.
    let merged = repo.pw("pw-integrate run --fetch").data();
    assert_eq!(merged["merged"][0]["worker"], "task-3", "{merged:#}");
    let written = record(&repo, "rest-api");
    for id in ["task-1", "task-2", "task-3"] {
        assert_eq!(written.iter().filter(|line| **line == format!("merged {id}")).count(), 1);
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn of_two_clones_that_open_a_wave_at_once_one_makes_it_and_what_else_they_do_stands_in_a_row() {
    let mut repo = led(WAVES);
    let other = clone(&repo, "other");
    for (label, file) in [("base-model", "model"), ("side-extra", "extra")] {
        repo.worker(label).write(file, "1");
        repo.worker(label).pw(&["checkpoint", "x"]).data();
        repo.worker(label).pw(&["complete"]).data();
    }
    run(&repo, &other, "pw-setup list --fetch").data();
    meanwhile(&mut repo, &other, "pw-setup advance --fetch");
    let before = refs(&repo, &repo.root());
    repo.pw("pw-setup advance").error(3, "remote_moved");
    assert_eq!(said_meanwhile(&repo)["ok"], true);
    assert_eq!(refs(&repo, &repo.root()), before);
    let again = repo.pw("pw-setup advance --fetch").data();
    let top = again["workers"].as_array().unwrap().iter().find(|it| it["id"] == "top").unwrap();
    assert_eq!(top["status"], "exists");
    assert_eq!(record(&repo, "waves").iter().filter(|line| **line == "creating top").count(), 1);

    // Two launches are no decision: both stand in the record.
    let before = record(&repo, "waves").len();
    let plan = repo.read("plan.yaml").replace("remote:", "launch: 'true {script}'\nremote:");
    repo.write("plan.yaml", &plan);
    repo.pw("pw-setup create plan.yaml").data();
    run(&repo, &other, "pw-monitor status --fetch").data();
    run(&repo, &other, "pw-setup join top").data();
    meanwhile(&mut repo, &other, "pw-setup launch top --with custom");
    repo.pw("pw-setup launch base --with custom").data();
    assert_eq!(said_meanwhile(&repo)["ok"], true);
    let written = record(&repo, "waves");
    assert_eq!(written[before..], ["replanned", "launched top", "launched base"]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn two_sessions_of_one_worker_in_two_clones_overwrite_nothing() {
    let repo = led(THREE);
    let node = clone(&repo, "node");
    works(&repo, &node, "task-1", "task-1-users", "api/users.py");
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "another");
    let data = users.pw(&["checkpoint", "at once"]).data();
    assert_eq!(data["pushed"]["trouble"], "moved", "{data:#}");
    let status = repo.pw("pw-monitor status --fetch --verbose").data();
    let told = worker(&status, "task-1");
    assert_eq!((&told["tip_from"], &told["tip"]), (&json!("diverged"), &data["commit"]));
    let tip = repo.git_in(&repo.beside("remote.git"), &["rev-parse", "work/task-1-users"]);
    assert_eq!(told["other_tip"], tip);
    let kinds: Vec<&str> =
        told["reasons"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"diverged"), "{told:#}");
    repo.pw("pw-setup join task-1").error(3, "remote_moved");
    // Merged by the user, it goes on.
    users.git(&["merge", "-q", "-X", "ours", "-m", "both", &tip]);
    let data = users.pw(&["complete"]).data();
    assert_eq!(data["pushed"]["ok"], true);
    assert_eq!(worker(&repo.pw("pw-monitor status --fetch").data(), "task-1")["tip_from"], "both");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_a_rewound_remote_took_away_is_kept_and_said() {
    let repo = led(THREE);
    let (node, third) = (clone(&repo, "node"), clone(&repo, "third"));
    works(&repo, &node, "task-1", "task-1-users", "api/users.py");
    let seen = run(&repo, &third, "pw-monitor status --fetch --verbose").data();
    let tip = worker(&seen, "task-1")["tip"].clone();
    let remote = repo.beside("remote.git");
    let base = repo.git(&["rev-parse", "main"]);
    repo.git_in(&remote, &["update-ref", "refs/heads/work/task-1-users", &base]);
    let status = run(&repo, &third, "pw-monitor status --fetch --verbose").data();
    let told = worker(&status, "task-1");
    assert_eq!((&told["tip_from"], &told["other_tip"]), (&json!("diverged"), &tip));
    // The clone with the work pushes it again, and all is well.
    let worktree = node.join("worktrees/task-1-users");
    assert_eq!(run(&repo, &worktree, "pw-worker complete").data()["pushed"]["ok"], true);
    let status = run(&repo, &third, "pw-monitor status --fetch --verbose").data();
    assert_eq!(worker(&status, "task-1")["tip_from"], "remote");
    assert_eq!(worker(&status, "task-1")["tip"], tip);

    // A record that was rewound is made whole; one that was replaced is not overwritten.
    let name = "refs/pw/rest-api/record";
    let ours = repo.git(&["rev-parse", name]);
    repo.git_in(&remote, &["update-ref", name, &format!("{ours}~2")]);
    assert_eq!(repo.pw("pw-monitor status --fetch").data()["remote"]["record"], "ahead");
    repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(repo.git_in(&remote, &["rev-parse", name]), ours);
    let tree = format!("{ours}^{{tree}}");
    let line = "planned 1111111111111111111111111111111111111111";
    let foreign = repo.git_in(&remote, &["commit-tree", "-m", line, &tree]);
    repo.git_in(&remote, &["update-ref", name, &foreign]);
    assert_eq!(repo.pw("pw-monitor status --fetch").data()["remote"]["record"], "diverged");
    crate::complete_all(&repo);
    repo.pw("pw-integrate run --without task-1").error(3, "remote_moved");
    assert_eq!(repo.git_in(&remote, &["rev-parse", name]), foreign);
    assert_eq!(repo.git(&["rev-parse", name]), ours);
}

#[test]
fn a_result_that_another_hand_moved_on_the_remote_stays_there() {
    let repo = led(THREE);
    crate::complete_all(&repo);
    repo.pw("pw-integrate run").data();
    let remote = repo.beside("remote.git");
    let base = repo.git(&["rev-parse", "main"]);
    repo.git_in(&remote, &["update-ref", "refs/heads/integration/rest-api", &base]);
    repo.worker("task-1-users").write("api/users.py", "more").commit("[COMPLETE] more");
    let merged = repo.pw("pw-integrate run").data();
    assert!(merged["notes"].to_string().contains("moved by another hand"), "{merged:#}");
    assert_eq!(repo.git_in(&remote, &["rev-parse", "integration/rest-api"]), base);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_worker_takes_in_what_another_clone_finished_and_joins_a_clone_without_contents() {
    let repo = led(THREE);
    let remote = repo.beside("remote.git");
    repo.git_in(&remote, &["config", "uploadpack.allowFilter", "true"]);
    let node = clone(&repo, "node");
    works(&repo, &node, "task-1", "task-1-users", "api/users.py");
    // Nothing is checked out, and no content is here until a worktree asks for it.
    let bare = repo.beside("lazy");
    let url = format!("file://{}", remote.display());
    let words =
        ["clone", "-q", "--no-checkout", "--filter=blob:none", &url, &bare.to_string_lossy()];
    repo.git(&words);
    run(&repo, &bare, "pw-setup join task-2").data();
    let posts = bare.join("worktrees/task-2-posts");
    assert!(posts.join("README.md").is_file());
    run(&repo, &posts, "pw-worker needs task-1 UserModel").data();
    let synced = run(&repo, &posts, "pw-worker sync").data();
    assert_eq!(synced["files"][0]["path"], "api/users.py");
    assert_eq!(synced["pushed"]["ok"], true);
    // The same again brings nothing, and does no harm.
    let again = run(&repo, &bare, "pw-setup join task-2").data();
    assert_eq!(again["workers"][1]["status"], "exists");
    run(&repo, &bare, "pw-setup join task-9").error(3, "unknown_worker");
    // A clone that joins later begins where the other one was.
    let later = clone(&repo, "later");
    run(&repo, &later, "pw-setup join task-2").data();
    assert!(later.join("worktrees/task-2-posts/api/users.py").is_file());
}

/// Ends a helper, its git and the remote's at the moment when the remote has all and moved nothing,
/// as a machine that loses its power. The remote keeps what git there had begun: its lock of the ref.
const POWER_CUT: &str = r#"#!/bin/sh
read old new ref
touch "$PWD/$ref.lock"
pid=$$
while read comm < /proc/$pid/comm && [ "$comm" != pw-worker ]; do
    pid=$(sed 's/.*) . //; s/ .*//' /proc/$pid/stat); [ "$pid" -gt 1 ] || exit 1; all="$pid $all"
done
rm "$0"; kill -9 $all
"#;

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_node_that_dies_while_it_pushes_loses_nothing_that_it_committed() {
    let repo = led(THREE);
    let (node, remote) = (clone(&repo, "node"), repo.beside("remote.git"));
    run(&repo, &node, "pw-setup join task-1").data();
    let worktree = node.join("worktrees/task-1-users");
    std::fs::create_dir_all(worktree.join("api")).unwrap();
    std::fs::write(worktree.join("api/users.py"), "half\n").unwrap();
    std::fs::create_dir_all(remote.join("hooks")).unwrap();
    pw_testkit::repo::write_program(&remote.join("hooks/pre-receive"), POWER_CUT);
    let cut = repo.helper(&worktree, &["pw-worker", "checkpoint", "half"]).output().unwrap();
    assert_eq!((cut.status.code(), cut.stdout.len()), (None, 0), "{cut:?}");
    let pushed = |of: &Path| repo.git_in(of, &["rev-parse", "work/task-1-users"]);
    let kept = pushed(&node);
    assert_ne!(pushed(&remote), kept);

    // Elsewhere it begins where the remote is, which nothing half-made has changed; the lock that is
    // left there is told as what it is, to whoever pushes.
    let other = clone(&repo, "other");
    run(&repo, &other, "pw-setup join task-1").data();
    assert_eq!(pushed(&other), pushed(&remote));
    let again = run(&repo, &worktree, "pw-worker blocked question").data();
    assert_eq!(again["pushed"]["trouble"], "locked", "{again:#}");
    let lock = remote.join("refs/heads/work/task-1-users.lock");
    let note = again["notes"].to_string();
    assert!(
        note.contains("refs/heads/work/task-1-users.lock") && !note.contains("another clone"),
        "{note}"
    );
    std::fs::remove_file(lock).unwrap();

    // The machine is up again: its job goes on with what it had committed, and all of it arrives.
    run(&repo, &node, "pw-setup join task-1").data();
    std::fs::write(worktree.join("api/users.py"), "whole\n").unwrap();
    let whole = run(&repo, &worktree, "pw-worker checkpoint whole").data();
    assert_eq!(whole["pushed"]["ok"], true, "{whole:#}");
    assert_eq!(pushed(&remote), pushed(&node));
    repo.git_in(&remote, &["merge-base", "--is-ancestor", &kept, "work/task-1-users"]);
    let status = repo.pw("pw-monitor status --fetch --verbose").data();
    assert_eq!(worker(&status, "task-1")["tip"], pushed(&node));
}

#[test]
fn a_lock_that_a_killed_git_left_on_the_record_is_named() {
    let repo = led(THREE);
    crate::complete_all(&repo);
    let remote = repo.beside("remote.git");
    let lock = remote.join("refs/pw/rest-api/record.lock");
    std::fs::write(&lock, "").unwrap();
    let before = refs(&repo, &repo.root());
    let error = repo.pw("pw-integrate run").error(3, "remote_failed");
    assert_eq!(error["details"]["trouble"], "locked", "{error:#}");
    assert!(error["message"].as_str().unwrap().contains("record.lock"), "{error:#}");
    assert_eq!(refs(&repo, &repo.root()), before);
    std::fs::remove_file(&lock).unwrap();
    repo.pw("pw-integrate run").data();

    // One that a killed fetch left in a clone is named as well.
    let other = clone(&repo, "other");
    let here = other.join(".git/refs/pw-remote/pw/rest-api/record.lock");
    std::fs::create_dir_all(here.parent().unwrap()).unwrap();
    std::fs::write(&here, "").unwrap();
    let error = run(&repo, &other, "pw-setup join task-1").error(3, "remote_failed");
    assert_eq!(error["details"]["trouble"], "locked", "{error:#}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&*here.to_string_lossy()) && !message.contains("push"), "{message}");
    std::fs::remove_file(&here).unwrap();
    run(&repo, &other, "pw-monitor status --fetch").data();
}

#[test]
fn a_snapshot_leaves_its_clone_on_request_and_with_ignored_files_only_on_the_users_word() {
    let repo = led(THREE);
    let users = repo.worker("task-1-users");
    repo.write(".git/info/exclude", ".env\nworktrees\n");
    for label in ["task-1-users", "task-2-posts", "task-3-docs"] {
        repo.worker(label).commit("[COMPLETE]");
    }
    repo.pw("pw-integrate run").data();
    users.write(".env", "KEY=1").write("api/users.py", "draft\n");
    repo.pw("pw-integrate cleanup --snapshot").data();

    let error = repo.pw("pw-integrate restore --snapshot task-1/1 --push").error(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("`.env`"), "{error:#}");
    assert!(!there(&repo).contains("snapshot"));
    let data = repo.pw("pw-integrate restore --snapshot task-1/1 --push --with-ignored").data();
    assert!(there(&repo).contains("refs/pw/rest-api/snapshot/task-1/1"), "{data:#}");
    repo.pw("pw-integrate restore --snapshot task-1/1 --push --with-ignored").data();

    let other = clone(&repo, "other");
    run(&repo, &other, "pw-monitor status --fetch").data();
    let words: Vec<&str> =
        data["next"][0]["command"].as_str().unwrap().split(' ').skip(1).collect();
    repo.git_in(&other, &words);
    let back = repo.beside("back");
    let restore = ["pw-integrate", "restore", "--snapshot", "task-1/1", "--into"];
    repo.pw_in(&other, &[&restore[..], &[&*back.to_string_lossy()]].concat()).data();
    let read = |path: &str| std::fs::read_to_string(back.join(path)).unwrap();
    assert_eq!(read(".env") + &read("api/users.py"), "KEY=1draft\n");
}
