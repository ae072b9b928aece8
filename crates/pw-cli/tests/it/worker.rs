//! `pw-worker` against real git.

use pw_testkit::plans::THREE;
use pw_testkit::repo::{TestRepo, write_program};
use serde_json::{Value, json};

use crate::created;

#[test]
fn brief_tells_a_worker_everything_it_needs() {
    let repo = created(&THREE.replace("size: M", "notes: mind the gap\n    size: M"));
    repo.worker("task-3-docs").commit("[COMPLETE] docs");
    let data = repo.worker("task-1-users").pw(&["brief"]).data();
    assert_eq!(
        (&data["worker"], &data["state"], &data["notes"]),
        (&json!("task-1"), &json!("starting"), &json!("mind the gap"))
    );
    assert_eq!(data["owns"], json!(["api/users.py", "tests/users/**"]));
    assert_eq!(data["shared"], json!(["shared.txt"]));
    assert_eq!(
        (&data["others"][1]["worker"], &data["others"][1]["state"]),
        (&json!("task-3"), &json!("complete"))
    );
    // From a folder inside the worktree, too.
    repo.worker("task-1-users").write("tests/users/a", "");
    let inside = repo.root().join("worktrees/task-1-users/tests/users");
    assert_eq!(repo.pw_in(&inside, &["pw-worker", "brief"]).data()["worker"], "task-1");
    repo.pw("pw-worker brief").error(3, "not_a_worker");
}

#[test]
fn a_worker_saves_its_own_files_with_a_marker_that_counts() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users
        .write("api/users.py", "1")
        .write("tests/users/deep/t.py", "1")
        .write("api/posts.py", "not mine");
    let data = users.pw(&["checkpoint", "model", "--detail", "one", "--detail", "two"]).data();
    assert_eq!(data["subject"], "[CHECKPOINT] model");
    assert_eq!(data["paths"], json!(["api/users.py", "tests/users/deep/t.py"]));
    assert_eq!(data["left"], json!(["api/posts.py"]));
    assert_eq!(users.git(&["log", "-1", "--format=%B"]), "[CHECKPOINT] model\n\n- one\n- two");
    users.pw(&["checkpoint", "again"]).error(3, "nothing_to_commit");

    users.write("api/users.py", "2").write("shared.txt", "x");
    let data = users.pw(&["checkpoint", "half", "--path", "api"]).error(3, "out_of_scope");
    assert_eq!(data["details"]["owner"], "task-2");
    let data = users.pw(&["checkpoint", "half", "--path", "api/users.py"]).data();
    assert_eq!(
        (&data["paths"], &data["left"]),
        (&json!(["api/users.py"]), &json!(["api/posts.py", "shared.txt"]))
    );

    // A deleted file is a change like any other.
    std::fs::remove_file(users.path.join("api/users.py")).unwrap();
    std::fs::remove_file(users.path.join("api/posts.py")).unwrap();
    assert_eq!(
        users.pw(&["checkpoint", "gone"]).data()["paths"],
        json!(["api/users.py", "shared.txt"])
    );
}

#[test]
fn what_is_there_already_is_taken_in_at_once() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    let needs = ["needs", "task-1", "UserModel", "posts have one"];
    assert_eq!(posts.pw(&needs).data()["next"], json!([]));
    users.write("api/users.py", "1").pw(&["complete", "the model"]).error(3, "dirty_tree");
    users.commit("[COMPLETE] the model");
    let asked = |data: Value| data["next"][0]["command"].clone();
    assert_eq!(asked(posts.pw(&["brief"]).data()), "pw-worker sync");
    posts.write("api/posts.py", "1").pw(&["checkpoint", "posts so far"]).data();
    assert_eq!(asked(posts.pw(&needs).data()), "pw-worker sync");
    posts.pw(&["sync"]).data();
}

#[test]
fn blocked_and_needs_save_what_there_is() {
    let repo = created(THREE);
    let posts = repo.worker("task-2-posts");
    posts.write("api/posts.py", "half");
    let data = posts.pw(&["needs", "task-1", "UserModel", "for authors"]).data();
    assert_eq!(
        (&data["subject"], &data["paths"]),
        (&json!("[NEEDS:task-1/UserModel] for authors"), &json!(["api/posts.py"]))
    );
    assert_eq!(posts.pw(&["blocked", "no network"]).data()["subject"], "[BLOCKED:no network]");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(
        (&status["workers"][1]["state"], &status["workers"][1]["near_misses"]),
        (&json!("blocked"), &json!([]))
    );
    posts.pw(&["needs", "task-9", "x"]).error(3, "unknown_worker");
    posts.pw(&["needs", "task-2", "x"]).error(2, "usage");
    posts.pw(&["blocked", "a]b"]).error(2, "usage");
    posts.pw(&["checkpoint", "[COMPLETE] x"]).error(2, "usage");
}

#[test]
fn complete_means_that_everything_is_committed() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1");
    let error = users.pw(&["complete", "done"]).error(3, "dirty_tree");
    assert_eq!(error["next"], "pw-worker checkpoint \"what was done\"");
    assert!(
        repo.pw_in(&users.path, &["pw-worker", "checkpoint", "what was done"]).json()["ok"]
            .as_bool()
            .unwrap()
    );
    users.write("stray", "");
    assert_eq!(
        users.pw(&["complete"]).error(3, "dirty_tree")["details"]["paths"],
        json!(["stray"])
    );
    std::fs::remove_file(users.path.join("stray")).unwrap();
    assert_eq!(users.pw(&["complete", "all", "routes"]).json()["error"]["code"], "usage");
    users.pw(&["complete", "all routes"]).data();
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["ready"], true);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn nothing_is_committed_elsewhere_or_in_the_middle_of_something() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1");
    users.git(&["switch", "-q", "--detach"]);
    let go_back = || {
        let error = users.pw(&["checkpoint", "x"]).error(3, "wrong_branch");
        repo.sh(&users.path, error["next"].as_str().unwrap());
    };
    go_back();
    users.pw(&["checkpoint", "x"]).data();
    // What was committed without a branch comes along.
    users.git(&["switch", "-q", "--detach"]);
    users.write("tests/users/new", "1").git(&["add", "tests"]);
    users.git(&["-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "on no branch"]);
    go_back();
    assert_eq!(users.git(&["log", "-1", "--format=%s", "work/task-1-users"]), "on no branch");

    // Under another name, the branch is made again; the guard lets the worker do so.
    users.git(&["branch", "-q", "-m", "feature/users"]);
    let status = repo.pw("pw-monitor status").data();
    let error = users.pw(&["checkpoint", "x"]).error(3, "wrong_branch");
    assert!(
        status["next"][0]["command"].as_str().unwrap().ends_with("switch -c work/task-1-users")
    );
    assert_eq!(error["next"], "git switch -c work/task-1-users");
    let asked = json!({ "command": error["next"] });
    assert_eq!(crate::guard::ask(&repo, &users.path, "Bash", asked), Value::Null);
    go_back();
    assert_eq!(users.git(&["log", "-1", "--format=%s", "work/task-1-users"]), "on no branch");
    // One that another worktree has is for the user to free.
    users.git(&["switch", "-q", "--detach"]);
    repo.worker("task-2-posts").git(&["switch", "-q", "work/task-1-users"]);
    let error = users.pw(&["checkpoint", "x"]).error(3, "wrong_branch");
    assert!(error["hint"].as_str().unwrap().contains("task-2-posts"), "{error:#}");
    go_back();
    repo.worker("task-2-posts").git(&["switch", "-q", "work/task-2-posts"]);
    users.git(&["switch", "-q", "work/task-1-users"]);

    // What another process put into the index would be committed with the rest.
    users.write("api/users.py", "2").write("setup.cfg", "x").git(&["add", "setup.cfg"]);
    users.pw(&["checkpoint", "x"]).error(3, "out_of_scope");
}

/// Runs what an answer of `pw-worker -C` offers, from the folder in which that was called.
fn follow(repo: &TestRepo, words: &[&str], code: &str) -> Value {
    let call = [&["pw-worker", "-C", "worktrees/task-1-users"], words].concat();
    let error = repo.pw_in(&repo.root(), &call).error(3, code);
    repo.sh(&repo.root(), error["next"].as_str().unwrap());
    error
}

#[test]
fn what_leads_back_to_the_branch_runs_in_the_worktree_and_while_git_lets_it() {
    let repo = created(THREE);
    let (users, main) = (repo.worker("task-1-users"), repo.git(&["rev-parse", "main"]));
    users.write("api/users.py", "1").commit("[CHECKPOINT] 1").git(&["switch", "-q", "--detach"]);
    users.write("api/users.py", "2").git(&[
        "-c",
        "core.hooksPath=/dev/null",
        "commit",
        "-qam",
        "2",
    ]);
    follow(&repo, &["checkpoint", "x"], "wrong_branch");
    let tip = users.git(&["rev-parse", "work/task-1-users"]);
    assert_eq!(
        (users.git(&["log", "-1", "--format=%s"]), repo.git(&["rev-parse", "main"])),
        ("2".into(), main)
    );

    // No branch can be switched to in the middle of a rebase, where HEAD is on none.
    repo.try_git(&users.path, &["rebase", "-q", "--exec", "false", "HEAD~1"]);
    let error = follow(&repo, &["blocked", "x", "y"], "wrong_branch");
    assert!(error["hint"].as_str().unwrap().ends_with("git rebase --abort"), "{error:#}");
    users.git(&["rebase", "--abort"]);

    // Git takes a branch that is checked out from under its worktree, and says nothing of it.
    repo.git(&["update-ref", "-d", "refs/heads/work/task-1-users"]);
    users.write("api/users.py", "3").git(&["add", "api/users.py"]);
    let error = follow(&repo, &["checkpoint", "x"], "wrong_branch");
    let asked = json!({ "command": format!("git restore --staged --source {tip} -- :/ && git merge --ff-only {tip}") });
    assert_eq!(crate::guard::ask(&repo, &users.path, "Bash", asked), Value::Null, "{error:#}");
    assert_eq!(users.pw(&["checkpoint", "x"]).data()["paths"], json!(["api/users.py"]));
    assert_eq!(users.git(&["rev-parse", "HEAD~1"]), tip);
}

#[test]
fn a_merge_is_concluded_with_the_others_files() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    let posts = repo.worker("task-2-posts");
    posts.write("api/posts.py", "1").commit("[CHECKPOINT] a");
    posts.git(&["merge", "-q", "--no-commit", "--no-ff", "work/task-1-users"]);
    posts.pw(&["complete"]).error(3, "dirty_tree");
    let data = posts.pw(&["checkpoint", "took users in"]).data();
    assert_eq!(data["left"], json!([]));
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][1]["out_of_scope"], json!([]));
}

#[test]
fn hooks_of_the_user_run_and_a_lost_marker_is_noticed() {
    let repo = created(THREE);
    let hook = repo.root().join(".git/hooks/commit-msg");
    write_program(&hook, "#!/bin/sh\nsed -i '1s/^/JIRA-1 /' \"$1\"\n");
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1");
    let error = users.pw(&["checkpoint", "model"]).error(4, "signal_lost");
    assert_eq!(error["details"]["wanted"], "[CHECKPOINT] model");

    write_program(&hook, "#!/bin/sh\necho no >&2\nexit 1\n");
    users.write("api/users.py", "2");
    let error = users.pw(&["checkpoint", "model"]).error(1, "hook_refused");
    assert_eq!(error["details"]["git"], "no");
}

#[test]
fn a_change_outside_the_scope_is_undone_with_the_same_commands() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("README.md", "mine").write("stray", "x").write("api/users.py", "1").commit("oops");
    assert_eq!(
        users.pw(&["complete"]).error(3, "out_of_scope")["details"]["paths"],
        json!(["README.md", "stray"])
    );
    users.git(&["restore", "--source", "main", "README.md"]);
    std::fs::remove_file(users.path.join("stray")).unwrap();
    let data = users.pw(&["checkpoint", "undone"]).data();
    assert_eq!((&data["paths"], &data["left"]), (&json!(["README.md", "stray"]), &json!([])));
    users.pw(&["complete"]).data();
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["ready"], true);
}

#[test]
fn only_what_is_named_is_committed() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("tests/users/a", "1").write("tests/users/b", "1").git(&["add", "tests/users/b"]);
    let inside = users.path.join("tests");
    let data =
        repo.pw_in(&inside, &["pw-worker", "checkpoint", "one", "--path", "./users/a"]).data();
    assert_eq!(
        (&data["paths"], &data["left"]),
        (&json!(["tests/users/a"]), &json!(["tests/users/b"]))
    );
    users.pw(&["blocked", "x", "--path", "tests/users/typo"]).error(2, "usage");
    users.pw(&["checkpoint", "x", "--path", "/etc/passwd"]).error(2, "usage");
}

#[test]
fn complete_twice_is_complete_once() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1");
    users.pw(&["checkpoint", "x"]).data();
    let first = users.pw(&["complete", "x"]).data();
    assert_eq!(users.pw(&["complete", "x"]).data()["commit"], first["commit"]);
}
