//! `pw-worker sync`, `verify` and pushing.

use pw_testkit::plans::THREE;
use serde_json::json;

use crate::created;

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_worker_takes_in_what_it_waited_for() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    posts.pw(&["sync"]).error(2, "usage");
    posts.pw(&["needs", "task-1", "UserModel", "authors"]).data();
    posts.pw(&["sync"]).error(3, "not_ready");
    users.write("api/users.py", "one\ntwo\n").commit("[COMPLETE] users");
    posts.write("api/posts.py", "1");
    posts.pw(&["needs", "task-1", "UserModel"]).data();
    // The checkpoint that saves what is open does not make it forget whom it waits for.
    posts.write("api/posts.py", "2");
    posts.pw(&["sync"]).error(3, "dirty_tree");
    posts.pw(&["checkpoint", "half"]).data();

    let data = posts.pw(&["sync"]).data();
    assert_eq!(data["files"], json!([{"path": "api/users.py", "added": 2, "deleted": 0}]));
    assert_eq!(posts.git(&["log", "-1", "--format=%s"]), "[CHECKPOINT] took in task-1: UserModel");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(
        (&status["workers"][1]["state"], &status["workers"][1]["out_of_scope"]),
        (&json!("in_progress"), &json!([]))
    );
    // Once more takes in nothing.
    let again = posts.pw(&["sync", "task-1"]).data();
    assert_eq!((&again["commit"], &again["files"]), (&data["commit"], &json!([])));
}

#[test]
fn a_conflict_or_an_ignored_file_leaves_nothing_half_merged() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    posts.write("shared.txt", "posts\n").commit("[CHECKPOINT] a");
    users.write("shared.txt", "users\n").commit("[COMPLETE] b");
    let before = posts.git(&["rev-parse", "HEAD"]);
    let error = posts.pw(&["sync", "task-1"]).error(3, "dependency_conflict");
    assert_eq!(error["details"]["conflicts"][0]["path"], "shared.txt");
    assert_eq!(
        (posts.git(&["rev-parse", "HEAD"]), posts.git(&["status", "--porcelain"])),
        (before.clone(), String::new())
    );
    assert_eq!(error["next"], "git restore --source work/task-1-users -- shared.txt");
    posts.git(&["restore", "--source", "work/task-1-users", "--", "shared.txt"]);
    posts.pw(&["checkpoint", "theirs"]).data();
    posts.pw(&["sync", "task-1"]).data();

    repo.write(".git/info/exclude", "/worktrees/\ndata.db\nout\n");
    let docs = repo.worker("task-3-docs");
    docs.git(&["config", "core.excludesFile", "/dev/null"]);
    // As a file, and as a file where a folder is to be.
    for (ignored, theirs) in [("data.db", "data.db"), ("out", "out/it/x")] {
        docs.write(ignored, "precious");
        users.write(theirs, "theirs").git(&["add", "-f", theirs]);
        users.git(&["commit", "-q", "--no-verify", "-m", "[COMPLETE] c"]);
        docs.pw(&["sync", "task-1"]).error(3, "in_the_way");
        assert_eq!(repo.read(&format!("worktrees/task-3-docs/{ignored}")), "precious");
        users.git(&["reset", "-q", "--hard", "HEAD~1"]);
    }
}

#[test]
fn a_folder_that_becomes_a_file_and_a_link_that_becomes_a_folder_are_in_nobodys_way() {
    let plan = THREE.replace("api/users.py,", "api/users.py, api/users,");
    let repo = crate::repo(&plan);
    repo.write("api/users.py/part", "1");
    std::os::unix::fs::symlink("/nowhere", repo.root().join("api/users")).unwrap();
    repo.commit("a folder and a link");
    repo.pw("pw-setup create plan.yaml").data();
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    users.git(&["rm", "-q", "-r", "api"]);
    users.write("api/users.py", "a file").write("api/users/b", "2").commit("[COMPLETE] users");
    // What git does not track in such a folder is in the way.
    posts.write("api/users.py/mine", "precious");
    let error = posts.pw(&["sync", "task-1"]).error(3, "in_the_way");
    assert_eq!(error["details"]["paths"], json!(["api/users.py/mine"]));
    std::fs::remove_file(posts.path.join("api/users.py/mine")).unwrap();
    posts.pw(&["sync", "task-1"]).data();
    assert_eq!(repo.read("worktrees/task-2-posts/api/users.py"), "a file");

    posts.pw(&["complete"]).data();
    repo.worker("task-3-docs").pw(&["complete"]).data();
    repo.pw("pw-integrate run").data();
    repo.pw("pw-integrate finish").data();
    assert_eq!(repo.read("api/users/b"), "2");
}

#[test]
fn what_a_killed_sync_wrote_of_a_shared_file_is_no_checkpoint() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    users.write("shared.txt", "one\ntwo\n").commit("[COMPLETE] users");
    let before = posts.git(&["rev-parse", "HEAD"]);
    let begun = format!("{before} {}", users.git(&["rev-parse", "HEAD"]));
    let own = std::path::PathBuf::from(posts.git(&["rev-parse", "--absolute-git-dir"])).join("pw");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("written"), begun).unwrap();
    posts.write("shared.txt", "one\n").write("api/posts.py", "1");
    assert_eq!(posts.pw(&["checkpoint", "x"]).data()["paths"], json!(["api/posts.py"]));
    posts.pw(&["sync", "task-1"]).data();
    assert_eq!(repo.read("worktrees/task-2-posts/shared.txt"), "one\ntwo\n");
}

#[test]
fn what_a_killed_sync_wrote_goes_back_before_the_next_and_what_others_changed_is_undone() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    for file in ["api/users.py", "api/users_new.py", "api/users_too.py"] {
        users.write(file, "one\ntwo\n");
    }
    users.commit("[COMPLETE] users");
    // git is killed while it writes the second file, as by a machine that goes down.
    let dead = repo.beside("dead");
    let filter = format!(
        "if mkdir {0} 2>/dev/null; then cat; elif mkdir {0}/2 2>/dev/null; then kill -9 $PPID; else cat; fi",
        dead.display()
    );
    repo.write(".git/info/attributes", "api/users* filter=dies\n");
    repo.git(&["config", "filter.dies.smudge", &filter]);
    posts.pw(&["sync", "task-1"]).error(1, "git_failed");
    assert_eq!(posts.git(&["status", "--porcelain"]), "", "git was ended, and its helper was not");
    let lock = posts.pw(&["sync", "task-1"]).error(3, "locked")["details"]["lock"].clone();
    std::fs::remove_file(lock.as_str().unwrap()).unwrap();

    // Killed after all files were merged, git has only to conclude.
    posts.git(&["merge", "-q", "--no-ff", "--no-commit", "work/task-1-users"]);
    let next = posts.pw(&["sync", "task-1"]).error(3, "dirty_tree")["next"].clone();
    assert_eq!(next, "pw-worker checkpoint \"what was done\"");
    posts.git(&["merge", "--abort"]);
    // What was changed outside the scope is not to be committed: it is undone.
    posts.write("README.md", "formatted\n");
    assert_eq!(posts.pw(&["sync", "task-1"]).error(3, "dirty_tree")["next"], "pw-worker undo");
    posts.pw(&["undo"]).data();
    posts.write("stray", "mine").git(&["add", "stray"]);
    let next = posts.pw(&["sync", "task-1"]).error(3, "dirty_tree")["next"].clone();
    assert_eq!(next, "git restore --staged -- stray");
    posts.git(&["restore", "--staged", "--", "stray"]);
    // A new file stays where it is, and is told when it is in the way.
    posts.write("api/users_new.py", "mine");
    posts.pw(&["sync", "task-1"]).error(3, "in_the_way");
    std::fs::remove_file(posts.path.join("api/users_new.py")).unwrap();
    let files = posts.pw(&["sync", "task-1"]).data()["files"].clone();
    assert_eq!(files.as_array().unwrap().len(), 3);
    assert_eq!(posts.git(&["status", "--porcelain"]), "?? stray");
}

#[test]
fn complete_runs_the_plans_check_when_it_says_so() {
    let repo = created(&format!(
        "{THREE}verify: echo checking; test -f api/users.py\nverify_on_complete: true\n"
    ));
    let users = repo.worker("task-1-users");
    let error = users.pw(&["complete"]).error(3, "verify_failed");
    assert_eq!(
        (&error["details"]["exit_code"], &error["details"]["output_tail"]),
        (&json!(1), &json!("checking"))
    );
    users.write("api/users.py", "1");
    users.pw(&["checkpoint", "x"]).data();
    users.pw(&["complete"]).data();
}

#[test]
fn signals_are_pushed_where_the_plan_says() {
    let repo = created(&format!("{THREE}remote: origin\n"));
    repo.git(&["init", "-q", "--bare", "../remote.git"]);
    repo.git(&["remote", "add", "origin", &repo.beside("remote.git").to_string_lossy()]);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1");
    let data = users.pw(&["checkpoint", "x"]).data();
    assert_eq!(
        (&data["pushed"]["remote"], &data["pushed"]["ok"]),
        (&json!("origin"), &json!(true)),
        "{data:#}"
    );
    let there = repo.git_in(&repo.beside("remote.git"), &["rev-parse", "work/task-1-users"]);
    assert_eq!(json!(there), data["commit"]);
    // A remote that is away keeps no worker from working.
    std::fs::remove_dir_all(repo.beside("remote.git")).unwrap();
    assert_eq!(users.pw(&["complete"]).data()["pushed"]["ok"], false);
}
