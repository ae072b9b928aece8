//! What a stopped integration tells, what counts as a resolution, and what is remembered of it.

use std::path::PathBuf;

use pw_testkit::plans::THREE;
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::repo;

const PLACE: &str = "worktrees/_integration-task-2-posts";

/// Task-1 and task-2 change line 3 of `shared.txt`, which the base has; task-3 stays out of it.
fn colliding() -> TestRepo {
    colliding_on("one\ntwo\nthree\nfour\nfive\n", "shared.txt")
}

fn colliding_on(text: &str, path: &str) -> TestRepo {
    let repo = repo(&THREE.replace("shared.txt", path).replace(
        "owns: [api/posts.py]\n",
        "owns: [api/posts.py]\n    tasks: [list posts]\n    notes: newest first\n",
    ));
    repo.write(path, text);
    repo.commit("a shared file");
    repo.pw("pw-setup create plan.yaml").data();
    repo.worker("task-1-users")
        .write(path, &text.replace("three", "users"))
        .commit("[CHECKPOINT] users are listed")
        .commit("[COMPLETE] users");
    repo.worker("task-2-posts").write(path, &text.replace("three", "posts")).commit("plain words");
    repo.worker("task-2-posts").commit("[COMPLETE] posts");
    repo.worker("task-3-docs").write("docs/a.md", "docs").commit("[COMPLETE] docs");
    repo
}

/// The same, and task-3 comes last: it changed line 5, and so could collide with both.
fn colliding_with_a_late_one() -> TestRepo {
    let repo = colliding();
    let docs = repo.worker("task-3-docs");
    docs.write("shared.txt", "one\ntwo\nthree\nfour\ndocs\n").commit("[COMPLETE] docs");
    repo
}

fn place(repo: &TestRepo) -> PathBuf {
    repo.root().join(PLACE)
}

fn resolve(repo: &TestRepo, path: &str, text: &str) {
    std::fs::write(place(repo).join(path), text).unwrap();
    repo.git_in(&place(repo), &["add", "--", path]);
}

fn exists(repo: &TestRepo, name: &str) -> bool {
    repo.try_git(&repo.root(), &["rev-parse", "-q", "--verify", name]).status.success()
}

#[test]
fn a_stop_tells_both_sides_their_workers_and_what_they_wanted() {
    let repo = colliding();
    let details =
        repo.pw("pw-integrate run --verbose").error(4, "merge_conflict")["details"].clone();
    let file = &details["conflicts"][0];
    assert_eq!((&file["path"], &file["kind"]), (&json!("shared.txt"), &json!("content")));
    let blob = |name: &str| json!({"oid": repo.git(&["rev-parse", &format!("{name}:shared.txt")]), "mode": "100644"});
    assert_eq!(file["base"], blob("main"));
    assert_eq!(file["ours"], blob("work/task-1-users"));
    assert_eq!(file["theirs"], blob("work/task-2-posts"));
    assert_eq!(
        file["changed_by"],
        json!([
            {"side": "ours", "worker": "task-1", "subject": "[CHECKPOINT] users are listed",
             "commit": repo.git(&["rev-parse", "work/task-1-users~1"])},
            {"side": "theirs", "worker": "task-2", "subject": "plain words",
             "commit": repo.git(&["rev-parse", "work/task-2-posts~1"])},
        ])
    );
    let hunk = json!({"line": 3, "ours": "users\n", "theirs": "posts\n", "cut": false});
    assert_eq!((&file["hunks"], &file["hunk_count"]), (&json!([hunk]), &json!(1)));
    assert_eq!(
        details["intents"],
        json!([
            {"worker": "task-1", "tasks": ["GET /users", "POST /users"], "notes": "", "said": "users"},
            {"worker": "task-2", "tasks": ["list posts"], "notes": "newest first", "said": "posts"},
        ])
    );
    // Asked again in any way, the same is told; by default without what git alone reads.
    let unresolved = repo.pw("pw-integrate continue --verbose").error(4, "unresolved");
    assert_eq!(unresolved["details"], details);
    let mut again = repo.pw("pw-integrate run").error(4, "merge_conflict")["details"].clone();
    assert_eq!(again["conflicts"][0].get("base"), None);
    for side in ["base", "ours", "theirs"] {
        again["conflicts"][0][side] = file[side].clone();
    }
    assert_eq!(again, details);
}

#[test]
fn a_side_without_the_file_is_null_and_a_commit_by_hand_is_nobodys() {
    let repo = colliding();
    repo.pw("pw-integrate run --without task-2").data();
    repo.git(&["switch", "-q", "integration/rest-api"]);
    repo.git(&["rm", "-q", "shared.txt"]);
    repo.git(&["commit", "-q", "-m", "no longer shared"]);
    repo.git(&["switch", "-q", "main"]);
    let details = repo.pw("pw-integrate run").error(4, "merge_conflict")["details"].clone();
    let file = &details["conflicts"][0];
    assert_eq!((&file["kind"], &file["ours"]), (&json!("modify_delete"), &Value::Null));
    let by: Vec<(&Value, bool)> = file["changed_by"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (&change["subject"], change["worker"].is_null()))
        .collect();
    assert_eq!(
        by,
        [
            (&json!("[CHECKPOINT] users are listed"), false),
            (&json!("no longer shared"), true),
            (&json!("plain words"), false),
        ]
    );
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn text_about_markers_is_no_marker_and_markers_of_any_length_are() {
    let text = "how to\n<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> main\nthree\n";
    let repo = colliding_on(text, "shared.txt");
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    let only_middle = text.replace("three\n", "users\n=======\nposts\n");
    resolve(&repo, "shared.txt", &only_middle);
    // One line of three is taken for text, since the file had such lines; the closing one is not.
    let closing = text.replace("three\n", "both\n>>>>>>> work\n");
    resolve(&repo, "shared.txt", &closing);
    repo.pw("pw-integrate continue").error(4, "unresolved");
    resolve(&repo, "shared.txt", &text.replace("three", "both"));
    repo.pw("pw-integrate continue").data();

    let repo = colliding_on("three\n", "shared.txt");
    repo.write(".git/info/attributes", "shared.txt conflict-marker-size=12\n");
    let details = repo.pw("pw-integrate run").error(4, "merge_conflict")["details"].clone();
    assert_eq!(details["conflicts"][0]["hunks"][0]["ours"], "users\n");
    resolve(&repo, "shared.txt", "<<<<<<<<<<<< HEAD\nusers\nposts\n");
    repo.pw("pw-integrate continue").error(4, "unresolved");
    resolve(&repo, "shared.txt", "<<<<<<< HEAD\nis how a marker begins\n");
    repo.pw("pw-integrate continue").data();
}

#[test]
fn markers_do_not_hide_in_a_file_of_another_name() {
    let repo = colliding();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    repo.git_in(&place(&repo), &["add", "shared.txt"]);
    repo.git_in(&place(&repo), &["mv", "shared.txt", "moved.txt"]);
    let error = repo.pw("pw-integrate continue").error(4, "unresolved");
    assert_eq!(error["details"]["conflicts"][0]["path"], "moved.txt");
}

#[test]
fn a_resolution_is_kept_while_a_later_worker_is_not_ready() {
    let repo = colliding_with_a_late_one();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    repo.worker("task-3-docs").write("docs/b.md", "more").commit("[CHECKPOINT] more");
    resolve(&repo, "shared.txt", "one\ntwo\nboth\nfour\nfive\n");
    let error = repo.pw("pw-integrate continue").error(4, "waiting_for_workers");
    assert_eq!(error["details"]["workers"][0]["worker"], "task-3");
    assert!(error["message"].as_str().unwrap().contains("task-3 is not ready"), "{error:#}");
    assert!(!place(&repo).exists() && !exists(&repo, "integration/rest-api"));
    assert_eq!(
        repo.git(&["show", "refs/pw/rest-api/candidate:shared.txt"]).lines().nth(2),
        Some("both")
    );
    assert_eq!(repo.pw("pw-monitor status").data()["integration"]["stopped_at"], "task-2");

    // Any way on comes to the same resolution: both commands, with or without the one who is late.
    repo.pw("pw-integrate run").error(4, "waiting_for_workers");
    let data = repo.pw("pw-integrate continue --without task-3").data();
    let merged: Vec<&Value> =
        data["merged"].as_array().unwrap().iter().map(|merged| &merged["worker"]).collect();
    assert_eq!(merged, ["task-1", "task-2"]);
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]).lines().nth(2), Some("both"));
    assert!(!exists(&repo, "refs/pw/rest-api/candidate"));
}

/// Both were merged before and have gone on: the one that comes after is merged upon the resolution.
#[test]
fn what_builds_upon_a_resolved_worker_is_merged_with_it() {
    let repo = crate::created(
        "workflow: two\ngoal: g\nshared: [shared.txt]\nworkers:\n  - {id: a, name: x, owns: [a]}\n  \
         - {id: b, name: y, owns: [b]}\n  - {id: c, name: z, owns: [c], after: [a]}\n",
    );
    repo.worker("a-x").write("a", "1\n").commit("[COMPLETE] a");
    repo.worker("b-y").write("shared.txt", "b\n").commit("[COMPLETE] b");
    repo.pw("pw-setup advance").data();
    repo.worker("c-z").write("c", "1\n").commit("[COMPLETE] c");
    repo.pw("pw-integrate run").data();
    repo.worker("a-x").write("shared.txt", "a\n").commit("[COMPLETE] again");
    repo.worker("c-z").write("c", "2\n").commit("[COMPLETE] again");
    let stop = repo.pw("pw-integrate run").error(4, "merge_conflict");
    let folder = stop["details"]["worktree"].as_str().unwrap();
    repo.write(&format!("{folder}/shared.txt"), "both\n");
    repo.pw("pw-integrate continue --add").data();
    let held = repo.git(&["grep", "-h", "", "integration/two", "--", "c", "shared.txt"]);
    assert_eq!(held, "2\nboth");
    let state = repo.pw("pw-monitor status").data();
    let states: Vec<_> = state["workers"].as_array().unwrap().iter().map(|w| &w["state"]).collect();
    assert_eq!(states, ["integrated"; 3]);
}

#[test]
fn a_kept_resolution_can_be_given_up_and_is_brought_back() {
    let repo = colliding_with_a_late_one();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    repo.worker("task-3-docs").commit("[CHECKPOINT] more");
    resolve(&repo, "shared.txt", "both\n");
    repo.pw("pw-integrate continue").error(4, "waiting_for_workers");
    let data = repo.pw("pw-integrate abort").data();
    repo.follow(&data["restore"]);
    assert_eq!(repo.read("worktrees/_restored-integration-1/shared.txt").trim_end(), "both");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn the_same_hunks_are_resolved_once_and_looked_at_each_time() {
    let repo = colliding();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    resolve(&repo, "shared.txt", "one\ntwo\nboth\nfour\nfive\n");
    repo.pw("pw-integrate abort").data();
    assert!(!repo.root().join(".git/rr-cache").exists(), "the user's own memory is not ours");

    // Line 1 is another now; the hunk is the same.
    repo.worker("task-1-users").write("shared.txt", "1\ntwo\nusers\nfour\nfive\n");
    repo.worker("task-1-users").commit("[COMPLETE] users");
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(error["details"]["conflicts"][0]["remembered"], true);
    assert!(error["hint"].as_str().unwrap().contains("look at them first"), "{error:#}");
    assert_eq!(repo.read(&format!("{PLACE}/shared.txt")), "1\ntwo\nboth\nfour\nfive\n");
    assert_eq!(error["details"]["conflicts"][0].get("hunks"), None, "told before: {error:#}");
    let error = repo.pw("pw-integrate continue").error(4, "unresolved");
    assert_eq!(error["details"]["conflicts"][0]["remembered"], true);
    let stopped = repo.pw("pw-integrate run").error(4, "merge_conflict");
    repo.follow(&stopped["next"]);
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]).lines().nth(2), Some("both"));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn the_newest_resolution_of_the_same_hunks_counts() {
    let repo = colliding();
    for text in ["first", "second"] {
        repo.pw("pw-integrate run").error(4, "merge_conflict");
        resolve(&repo, "shared.txt", &format!("one\ntwo\n{text}\nfour\nfive\n"));
        repo.pw("pw-integrate abort").data();
    }
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(repo.read(&format!("{PLACE}/shared.txt")), "one\ntwo\nsecond\nfour\nfive\n");
    // What is not resolved is not remembered.
    std::fs::write(place(&repo).join("shared.txt"), "third, not added\n").unwrap();
    repo.pw("pw-integrate abort").data();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(repo.read(&format!("{PLACE}/shared.txt")), "one\ntwo\nsecond\nfour\nfive\n");
}

#[test]
fn commits_made_on_the_branch_meanwhile_are_not_left_behind() {
    let repo = colliding();
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    resolve(&repo, "shared.txt", "one\ntwo\nboth\nfour\nfive\n");
    repo.git(&["switch", "-q", "integration/rest-api"]);
    repo.write("fix.txt", "by hand");
    repo.git(&["add", "fix.txt"]);
    repo.git(&["commit", "-q", "-m", "a fix"]);
    repo.git(&["switch", "-q", "main"]);
    let error = repo.pw("pw-integrate continue").error(3, "integration_moved");
    repo.follow(&error["next"]);
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(error["details"]["conflicts"][0]["remembered"], true);
    repo.git_in(&place(&repo), &["add", "shared.txt"]);
    repo.pw("pw-integrate continue").data();
    assert_eq!(repo.git(&["show", "integration/rest-api:fix.txt"]), "by hand");
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]).lines().nth(2), Some("both"));
}

#[test]
fn abort_leaves_no_trace_but_what_it_names() {
    let repo = colliding();
    let refs = || repo.git(&["for-each-ref", "--format=%(refname)"]);
    let config = || repo.read(".git/config");
    let before = (refs(), config(), repo.git(&["worktree", "list"]));
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    let snapshot = repo.pw("pw-integrate abort").data()["snapshot"].as_str().unwrap().to_owned();
    let after = refs().replace(&format!("\n{snapshot}"), "");
    assert_eq!((after, config(), repo.git(&["worktree", "list"])), before);
    assert!(!place(&repo).exists());
}

#[test]
fn a_resolution_whose_worktree_lost_its_link_is_not_taken_for_a_leftover() {
    let repo = colliding();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    let text = "one\ntwo\nboth\nfour\nfive\n";
    resolve(&repo, "shared.txt", text);
    std::fs::remove_file(place(&repo).join(".git")).unwrap();
    for command in ["pw-integrate continue", "pw-integrate run", "pw-integrate abort"] {
        let error = repo.pw(command).error(3, "in_the_way");
        assert_eq!(repo.read(&format!("{PLACE}/shared.txt")), text, "{command}");
        if command.ends_with("abort") {
            repo.follow(&error["next"]);
        }
    }
    // The other way to lose it: everything is somewhere else now.
    let moved = repo.beside("moved");
    std::fs::rename(repo.root(), &moved).unwrap();
    let error = repo.pw_in(&moved, &["pw-integrate", "continue"]).error(3, "in_the_way");
    assert_eq!(std::fs::read_to_string(moved.join(PLACE).join("shared.txt")).unwrap(), text);
    let next = error["next"].as_str().unwrap();
    assert!(repo.shell(next).current_dir(&moved).output().unwrap().status.success(), "{next}");
    repo.pw_in(&moved, &["pw-integrate", "continue"]).data();
    let merged = repo.git_in(&moved, &["show", "integration/rest-api:shared.txt"]);
    assert_eq!(merged.lines().nth(2), Some("both"));
}

#[test]
fn what_stood_beside_a_resolution_is_kept() {
    let repo = colliding();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    repo.write(".git/info/exclude", "/worktrees/\n*.log\n");
    std::fs::write(place(&repo).join("seen.log"), "what I saw").unwrap();
    resolve(&repo, "shared.txt", "one\ntwo\nboth\nfour\nfive\n");
    repo.pw("pw-integrate continue").data();
    assert!(!place(&repo).exists());
    let kept = repo.pw("pw-integrate restore").data();
    assert!(kept.to_string().contains("resolution of task-2"), "{kept:#}");
}

/// Puts a worktree with the user's note where a resolution will be.
fn leave_over(repo: &TestRepo, note: &str) {
    repo.git(&["worktree", "add", "-q", "--detach", PLACE, "main"]);
    std::fs::write(place(repo).join("note"), note).unwrap();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_is_left_over_where_a_merge_stops_is_kept_and_in_nobodys_way() {
    let repo = colliding_with_a_late_one();
    leave_over(&repo, "mine");
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert!(error["hint"].as_str().unwrap().contains("kept as integration/1"), "{error:#}");
    let kept = |number: u32, path: &str| {
        repo.git(&["show", &format!("refs/pw/rest-api/snapshot/integration/{number}:{path}")])
    };
    assert_eq!(kept(1, "note"), "mine");
    // Another, since what is kept already is not kept twice, beside a resolution that is given up.
    repo.worker("task-3-docs").commit("[CHECKPOINT] more");
    resolve(&repo, "shared.txt", "both\n");
    repo.pw("pw-integrate continue").error(4, "waiting_for_workers");
    leave_over(&repo, "mine, too");
    let data = repo.pw("pw-integrate abort").data();
    assert_eq!(data["snapshot"], "refs/pw/rest-api/snapshot/integration/3");
    assert_eq!((kept(2, "note"), kept(3, "shared.txt")), ("mine, too".into(), "both".into()));

    // What must not be touched is told before anything is recorded.
    std::fs::create_dir(place(&repo)).unwrap();
    std::fs::write(place(&repo).join("note"), "mine").unwrap();
    repo.worker("task-3-docs").commit("[COMPLETE] docs");
    repo.pw("pw-integrate run").error(3, "in_the_way");
    assert_eq!(repo.pw("pw-monitor status").data()["integration"]["stopped_at"], Value::Null);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_resolution_has_to_pass_the_gate_too() {
    let repo = colliding();
    repo.write("plan.yaml", &(repo.read("plan.yaml") + "verify: grep -q users shared.txt\n"));
    repo.pw("pw-setup create plan.yaml").data();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    resolve(&repo, "shared.txt", "one\ntwo\nposts\nfour\nfive\n");
    repo.pw("pw-integrate continue").error(4, "gate_failed");
    assert!(!exists(&repo, "integration/rest-api"));
    // The resolution is not lost for that: given up, the next run knows it.
    repo.pw("pw-integrate abort").data();
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(error["details"]["conflicts"][0]["remembered"], true);
    resolve(&repo, "shared.txt", "one\ntwo\nusers, posts\nfour\nfive\n");
    assert_eq!(repo.pw("pw-integrate continue").data()["gate"]["gates"][0]["passed"], true);
}

#[test]
fn what_is_edited_is_added_on_request_and_nothing_else_is() {
    let repo = colliding();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    // git's markers are still there.
    let error = repo.pw("pw-integrate continue --add").error(4, "unresolved");
    assert!(error["message"].as_str().unwrap().contains("conflict markers"), "{error:#}");
    repo.write(&format!("{PLACE}/shared.txt"), "one\ntwo\nboth\nfour\nfive\n");
    repo.pw("pw-integrate continue").error(4, "unresolved");
    repo.pw("pw-integrate continue --add").data();
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]).lines().nth(2), Some("both"));
}
