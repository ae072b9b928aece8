//! `pw-integrate` against real git.

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::created;

/// All three workers complete; the first two collide in `shared.txt` when `collide`.
fn finished(collide: bool) -> TestRepo {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "users").commit("[COMPLETE] users");
    repo.worker("task-2-posts").write("api/posts.py", "posts").commit("[CHECKPOINT] posts");
    if collide {
        repo.worker("task-1-users").write("shared.txt", "users\n").commit("[COMPLETE] users");
        repo.worker("task-2-posts").write("shared.txt", "posts\n");
    }
    repo.worker("task-2-posts").commit("[COMPLETE] posts");
    repo.worker("task-3-docs").write("docs/a.md", "docs").commit("[COMPLETE] docs");
    repo
}

fn integration(repo: &TestRepo) -> String {
    repo.git(&["rev-parse", "integration/rest-api"])
}

#[test]
fn run_merges_everybody_without_touching_any_checkout() {
    let repo = finished(false);
    let before = (repo.git(&["rev-parse", "HEAD"]), repo.git(&["status", "--porcelain"]));
    let data = repo.pw("pw-integrate run").data();
    assert_eq!(data["branch"], "integration/rest-api");
    assert_eq!(data["commit"], json!(integration(&repo)));
    let merged: Vec<&Value> =
        data["merged"].as_array().unwrap().iter().map(|merged| &merged["worker"]).collect();
    assert_eq!(merged, ["task-1", "task-2", "task-3"]);
    assert_eq!(repo.git(&["show", "integration/rest-api:docs/a.md"]), "docs");
    assert_eq!((repo.git(&["rev-parse", "HEAD"]), repo.git(&["status", "--porcelain"])), before);
    let message =
        repo.git(&["log", "-1", "--format=%B", data["merged"][0]["commit"].as_str().unwrap()]);
    assert_eq!(
        message.replace(&repo.git(&["rev-parse", "work/task-1-users"]), "TIP"),
        "Merge task-1-users into integration/rest-api\n\nusers\n\n\
         Tasks:\n- GET /users\n- POST /users\n\nSignals:\n- [COMPLETE] users\n\n\
         Pw-Workflow: rest-api\nPw-Worker: task-1\nPw-Tip: TIP"
    );

    let refs = repo.git(&["for-each-ref"]);
    assert_eq!(repo.pw("pw-integrate run").data()["merged"], json!([]));
    assert_eq!(repo.git(&["for-each-ref"]), refs);
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0]["state"], "integrated");
    assert_eq!(status["next"][0]["command"], "pw-retro report rest-api");
}

#[test]
fn nobody_is_merged_until_everybody_is_ready() {
    let repo = finished(false);
    repo.worker("task-2-posts").write("api/posts.py", "more");
    let refs = repo.git(&["for-each-ref"]);
    let error = repo.pw("pw-integrate run").error(3, "not_ready");
    assert_eq!(error["details"]["workers"][0]["worker"], "task-2");
    assert_eq!(error["details"]["workers"][0]["reasons"][0]["kind"], "dirty_tree");
    assert_eq!(repo.git(&["for-each-ref"]), refs);
    let check = repo.pw("pw-integrate check").data();
    assert_eq!(
        (&check["ready"], &check["order"]),
        (&json!(false), &json!(["task-1", "task-2", "task-3"]))
    );

    let data = repo.pw("pw-integrate run --without task-2").data();
    assert_eq!(
        (data["merged"].as_array().unwrap().len(), &data["without"]),
        (2, &json!(["task-2"]))
    );
    repo.worker("task-2-posts").commit("[COMPLETE] more");
    assert_eq!(repo.pw("pw-integrate run").data()["merged"][0]["worker"], "task-2");
}

#[test]
fn work_outside_a_scope_needs_a_word_and_is_written_down() {
    let repo = finished(false);
    repo.worker("task-3-docs").write("setup.cfg", "x").commit("[COMPLETE] docs");
    let error = repo.pw("pw-integrate run").error(3, "out_of_scope");
    assert_eq!(error["details"]["workers"][0]["reasons"][0]["paths"], json!(["setup.cfg"]));
    let data = repo.pw("pw-integrate run --allow-out-of-scope").data();
    let commit = data["merged"][2]["commit"].as_str().unwrap();
    assert!(
        repo.git(&["log", "-1", "--format=%B", commit]).contains("outside the scope:\n- setup.cfg")
    );
}

#[test]
fn preview_walks_the_whole_merge() {
    let repo = finished(true);
    let data = repo.pw("pw-integrate preview").data();
    assert_eq!(data["clean"], false);
    let conflicts: Vec<&Value> =
        data["steps"].as_array().unwrap().iter().map(|step| &step["conflicts"]).collect();
    assert_eq!(
        conflicts,
        [&json!([]), &json!([]), &json!([{"path": "shared.txt", "kind": "add_add"}])]
    );
}

#[test]
fn a_conflict_stops_is_resolved_in_its_own_worktree_and_goes_on() {
    let repo = finished(true);
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    let details = &error["details"];
    assert_eq!(
        (&details["worker"], &details["merged"]),
        (&json!("task-2"), &json!(["task-3", "task-1"]))
    );
    assert_eq!(details["conflicts"][0]["path"], "shared.txt");
    assert_eq!(details["conflicts"][0]["kind"], "add_add");
    assert!(
        !repo
            .try_git(&repo.root(), &["rev-parse", "-q", "--verify", "integration/rest-api"])
            .status
            .success()
    );
    // Asking again changes nothing.
    assert_eq!(
        repo.pw("pw-integrate run").error(4, "merge_conflict")["details"]["worker"],
        "task-2"
    );

    let place = repo.root().join(details["worktree"].as_str().unwrap());
    assert_eq!(
        repo.pw("pw-integrate continue").error(4, "unresolved")["details"]["conflicts"][0]["path"],
        "shared.txt"
    );
    std::fs::write(place.join("shared.txt"), "users\nposts\n").unwrap();
    let error = repo.pw("pw-integrate continue").error(4, "unresolved");
    repo.follow(&error["next"]);
    std::fs::write(place.join("note"), "left lying about").unwrap();
    repo.pw("pw-integrate continue").error(4, "unresolved");
    std::fs::remove_file(place.join("note")).unwrap();

    let data = repo.pw("pw-integrate continue").data();
    let merged: Vec<&Value> =
        data["merged"].as_array().unwrap().iter().map(|merged| &merged["worker"]).collect();
    assert_eq!(merged, ["task-3", "task-1", "task-2"]);
    assert_eq!(repo.git(&["rev-list", "--count", "--merges", "integration/rest-api"]), "3");
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]), "users\nposts");
    assert_eq!(repo.git(&["show", "integration/rest-api:docs/a.md"]), "docs");
    assert!(!place.exists());
    repo.pw("pw-integrate continue").error(3, "nothing_stopped");
}

#[test]
fn a_merge_that_was_undone_in_the_worktree_is_never_taken_for_a_resolution() {
    let repo = finished(true);
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    let place = repo.root().join(error["details"]["worktree"].as_str().unwrap());
    repo.git_in(&place, &["merge", "--abort"]);
    repo.pw("pw-integrate continue").error(4, "merge_conflict");
    assert!(std::fs::read_to_string(place.join("shared.txt")).unwrap().contains("<<<<<<<"));
    // A resolution that the user committed by hand is one.
    std::fs::write(place.join("shared.txt"), "both\n").unwrap();
    repo.git_in(&place, &["commit", "-q", "-a", "-m", "resolved"]);
    repo.pw("pw-integrate continue").data();
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]), "both");
}

#[test]
fn abort_keeps_what_was_resolved() {
    let repo = finished(true);
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    let place = repo.root().join(error["details"]["worktree"].as_str().unwrap());
    std::fs::write(place.join("shared.txt"), "half done").unwrap();
    std::fs::write(place.join("idea.txt"), "an idea").unwrap();
    let data = repo.pw("pw-integrate abort").data();
    assert!(!place.exists());
    repo.follow(&data["restore"]);
    assert_eq!(repo.read("worktrees/_restored-integration-1/shared.txt"), "half done");
    assert_eq!(repo.read("worktrees/_restored-integration-1/idea.txt"), "an idea");
    repo.pw("pw-integrate abort").error(3, "nothing_stopped");
    repo.pw("pw-integrate run").error(4, "merge_conflict");
}

#[test]
fn the_integration_branch_is_moved_by_us_alone() {
    let repo = finished(false);
    repo.git(&["branch", "integration/rest-api", "main"]);
    repo.pw("pw-integrate run").error(3, "integration_moved");
    repo.git(&["branch", "-D", "integration/rest-api"]);
    repo.pw("pw-integrate run --without task-3").data();
    let ours = integration(&repo);

    // Following `next` twice keeps what the user put there and brings the branch back.
    repo.write("by-hand", "the user's");
    repo.git(&["add", "by-hand"]);
    repo.git(&["commit", "-q", "-m", "by hand"]);
    repo.git(&["branch", "-f", "integration/rest-api", "main"]);
    for _ in 0..2 {
        let error = repo.pw("pw-integrate run").error(3, "integration_moved");
        repo.follow(&error["next"]);
    }
    assert_eq!(integration(&repo), ours);
    assert_eq!(
        repo.git(&["rev-parse", "integration/rest-api-by-hand"]),
        repo.git(&["rev-parse", "main"])
    );
    // Moved back, it has nothing to keep.
    repo.git(&["branch", "-f", "integration/rest-api", "integration/rest-api~"]);
    let error = repo.pw("pw-integrate run").error(3, "integration_moved");
    repo.follow(&error["next"]);
    assert_eq!(integration(&repo), ours);
    repo.pw("pw-integrate run").data();

    repo.git(&["worktree", "add", "-q", "../looking", "integration/rest-api"]);
    let error = repo.pw("pw-integrate run").error(3, "integration_moved");
    repo.follow(&error["next"]);
    repo.pw("pw-integrate run").data();
}

#[test]
fn commits_after_the_merge_are_reported_and_merged_next_time() {
    let repo = finished(false);
    repo.pw("pw-integrate run").data();
    repo.worker("task-1-users").write("api/users.py", "v2").commit("[CHECKPOINT] v2");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(
        (&status["workers"][0]["state"], &status["workers"][0]["commits"]),
        (&json!("in_progress"), &json!(2))
    );
    let data = repo.pw("pw-integrate run --without task-1").data();
    assert_eq!(data["newer"], json!(["task-1"]));
    repo.worker("task-1-users").commit("[COMPLETE] v2");
    repo.pw("pw-integrate run").data();
    assert_eq!(repo.git(&["show", "integration/rest-api:api/users.py"]), "v2");
}

#[test]
fn who_builds_upon_another_is_merged_after_it() {
    let repo = created(WAVES);
    repo.worker("base-model").write("model/a", "1").commit("[COMPLETE] model");
    repo.worker("side-extra").write("extra/b", "2").commit("[COMPLETE] extra");
    repo.pw("pw-setup advance").data();
    repo.worker("top-api").write("api/c", "3").commit("[COMPLETE] api");
    let error = repo.pw("pw-integrate run --without base").error(3, "not_ready");
    assert!(error["message"].as_str().unwrap().contains("top builds upon base"), "{error}");
    let data = repo.pw("pw-integrate run").data();
    let merged: Vec<&Value> =
        data["merged"].as_array().unwrap().iter().map(|merged| &merged["worker"]).collect();
    assert_eq!(merged, ["base", "side", "top"]);
}

#[test]
fn a_worker_that_moved_its_branch_back_is_not_merged() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] a");
    repo.worker("task-1-users").git(&["checkout", "-q", "--orphan", "lost"]);
    repo.worker("task-1-users").commit("[COMPLETE] from nothing");
    repo.worker("task-1-users").git(&["branch", "-q", "-M", "work/task-1-users"]);
    let error = repo.pw("pw-integrate run --without task-2 --without task-3").error(3, "not_ready");
    let reasons = error["details"]["workers"][0]["reasons"].as_array().unwrap().clone();
    assert!(reasons.iter().any(|reason| reason["kind"] == "history_rewritten"), "{error:#}");
}

#[test]
fn hooks_of_the_user_do_not_run_for_our_merges() {
    let repo = finished(true);
    for hook in ["pre-merge-commit", "commit-msg", "reference-transaction"] {
        let path = repo.root().join(".git/hooks").join(hook);
        pw_testkit::repo::write_program(&path, "#!/bin/sh\nexit 1\n");
    }
    repo.pw("pw-integrate run --without task-2").data();
}

#[test]
fn one_helper_at_a_time_changes_a_repository() {
    let repo = finished(false);
    std::fs::create_dir_all(repo.root().join(".git/pw")).unwrap();
    let lock = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(repo.root().join(".git/pw/lock"))
        .unwrap();
    lock.lock().unwrap();
    std::fs::write(repo.root().join(".git/pw/lock"), "pw-integrate run (process 1) since noon\n")
        .unwrap();
    for command in ["pw-integrate run", "pw-setup create plan.yaml", "pw-setup advance"] {
        let error = repo.pw(command).error(3, "locked");
        assert!(error["details"]["holder"].as_str().unwrap().contains("since noon"));
    }
    repo.pw("pw-monitor status").data();
    drop(lock);
    repo.pw("pw-integrate run").data();
}

#[test]
fn a_conflict_can_be_resolved_with_nothing_but_a_personal_configuration() {
    let repo = finished(true);
    let personal = repo.beside("gitconfig");
    std::fs::write(
        &personal,
        "[user]\nname = Me\nemail = me@example.com\n[core]\nautocrlf = true\n[merge]\nff = only\n",
    )
    .unwrap();
    let mut command = repo.helper(&repo.root(), &["pw-integrate", "run"]);
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"]
    {
        command.env_remove(name);
    }
    let output = command.env("GIT_CONFIG_GLOBAL", &personal).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(repo.read("worktrees/_integration-task-2-posts/shared.txt").contains("<<<<<<<"));
}

/// Resolves `shared.txt` in the worktree of a stop at task-2.
fn resolve(repo: &TestRepo, text: &str) {
    let place = repo.root().join("worktrees/_integration-task-2-posts");
    std::fs::write(place.join("shared.txt"), text).unwrap();
    repo.git_in(&place, &["add", "shared.txt"]);
}

#[test]
fn going_on_keeps_to_what_was_asked_for() {
    let repo = finished(true);
    repo.pw("pw-integrate run --without task-3").error(4, "merge_conflict");
    repo.worker("task-3-docs").write("docs/b.md", "not finished").commit("[CHECKPOINT] more");
    resolve(&repo, "both\n");
    let data = repo.pw("pw-integrate continue").data();
    assert_eq!(data["without"], json!(["task-3"]));
    assert_eq!(data["merged"].as_array().unwrap().len(), 2);
}

#[test]
fn a_merge_that_drops_the_others_work_is_out_of_scope() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    let posts = repo.worker("task-2-posts");
    posts.write("api/posts.py", "1").commit("[CHECKPOINT] posts");
    posts.git(&["merge", "-q", "-s", "ours", "-m", "took users in", "work/task-1-users"]);
    posts.commit("[COMPLETE] posts");
    let error = repo.pw("pw-integrate run --without task-3").error(3, "out_of_scope");
    assert_eq!(error["details"]["workers"][0]["reasons"][0]["paths"], json!(["api/users.py"]));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_has_no_markers_is_never_decided_by_following_next() {
    let repo = created(&THREE.replace("shared: [shared.txt]", "shared: [bin, gone]"));
    repo.write("bin", "a\0b");
    repo.write("gone", "text\n");
    repo.commit("more");
    let repo = {
        // Forked from the newer main.
        repo.git(&["worktree", "remove", "-f", "-f", "worktrees/task-3-docs"]);
        repo
    };
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    for worker in [&users, &posts] {
        worker.git(&["merge", "-q", "--no-ff", "-m", "main", "main"]);
    }
    users.write("bin", "users\0").write("gone", "changed\n").commit("[COMPLETE] users");
    posts.write("bin", "posts\0").git(&["rm", "-q", "gone"]);
    posts.commit("[COMPLETE] posts");
    let error = repo.pw("pw-integrate run --without task-3").error(4, "merge_conflict");
    let kinds: Vec<&Value> =
        error["details"]["conflicts"].as_array().unwrap().iter().map(|c| &c["kind"]).collect();
    assert_eq!(kinds, ["binary", "modify_delete"]);
    for _ in 0..3 {
        let error = repo.pw("pw-integrate continue").error(4, "unresolved");
        repo.follow(&error["next"]);
    }
    let place = repo.root().join("worktrees/_integration-task-2-posts");
    std::fs::write(place.join("bin"), "both\0").unwrap();
    repo.git_in(&place, &["add", "bin"]);
    repo.git_in(&place, &["rm", "-q", "gone"]);
    repo.pw("pw-integrate continue").data();
}

#[test]
fn a_resolution_folder_that_somebody_removed_is_made_again() {
    let repo = finished(true);
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    let place = repo.root().join("worktrees/_integration-task-2-posts");
    std::fs::remove_dir_all(&place).unwrap();
    repo.pw("pw-integrate continue").error(4, "merge_conflict");
    std::fs::remove_dir_all(&place).unwrap();
    repo.pw("pw-integrate abort").data();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    resolve(&repo, "both\n");
    // Committed by hand, with more on top: a resolution all the same.
    repo.git_in(&place, &["commit", "-q", "-m", "resolved"]);
    repo.git_in(&place, &["commit", "-q", "--allow-empty", "-m", "and more"]);
    repo.pw("pw-integrate continue").data();
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]), "both");
}

#[test]
fn a_commit_on_top_of_our_result_stays() {
    let repo = finished(false);
    repo.pw("pw-integrate run --without task-3").data();
    repo.git(&["switch", "-q", "integration/rest-api"]);
    repo.write("fix.txt", "by hand");
    repo.git(&["add", "fix.txt"]);
    repo.git(&["commit", "-q", "-m", "a fix"]);
    repo.git(&["switch", "-q", "main"]);
    repo.pw("pw-integrate run").data();
    assert_eq!(repo.git(&["show", "integration/rest-api:fix.txt"]), "by hand");
    assert_eq!(repo.git(&["show", "integration/rest-api:docs/a.md"]), "docs");
}

#[test]
fn abort_keeps_ignored_files_too() {
    let repo = finished(true);
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    repo.write(".git/info/exclude", "/worktrees/\n*.log\n");
    let place = repo.root().join("worktrees/_integration-task-2-posts");
    std::fs::write(place.join("run.log"), "what I saw").unwrap();
    let snapshot = repo.pw("pw-integrate abort").data()["snapshot"].as_str().unwrap().to_owned();
    assert_eq!(repo.git(&["show", &format!("{snapshot}:run.log")]), "what I saw");
}

#[test]
fn a_chain_of_merges_is_one_process_and_git_searches_for_no_base() {
    let mut repo = finished(false);
    let (calls, merges) = (repo.beside("calls"), repo.beside("merges"));
    repo.shim_git(&format!(
        "echo call >> {}\ncase \"$*\" in\n*merge-tree*) tee -a {} | $GIT \"$@\" ;;\n*) exec $GIT \"$@\" ;;\nesac",
        calls.display(),
        merges.display()
    ));
    let count = |command: &str| {
        let _ = std::fs::remove_file(&calls);
        repo.pw(command).data();
        std::fs::read_to_string(&calls).unwrap().lines().count()
    };
    let (two, one) = (
        count("pw-integrate run --without task-3"),
        count("pw-integrate run --without task-1 --without task-2"),
    );
    assert_eq!((two, one), (14 + 3, 14 + 3), "as many for one as for two");
    let base = repo.git(&["rev-parse", "main"]);
    let asked = std::fs::read_to_string(&merges).unwrap();
    // Behind each a question whose answer is known.
    let (merges, marks): (Vec<&str>, Vec<&str>) =
        asked.lines().partition(|line| line.starts_with(&format!("{base} -- ")));
    let is_mark = |line: &str| line.split_once(' ').is_some_and(|(ours, theirs)| ours == theirs);
    assert!(merges.len() == 3 && marks.into_iter().all(is_mark), "{asked}");
}

#[test]
fn a_git_that_takes_no_base_merges_all_the_same() {
    let repo_of = || finished(true);
    let trees = |repo: &TestRepo| {
        let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
        let onto = repo.git(&["rev-parse", "refs/pw/rest-api/candidate^{tree}"]);
        (error["details"]["conflicts"].clone(), onto)
    };
    let newer = trees(&repo_of());
    let mut repo = repo_of();
    // As git 2.39 does.
    repo.shim_git(
        "case \"$*\" in\n*merge-tree*) while read -r line; do\n\
         case $line in *' -- '*) echo 'fatal: malformed input line' >&2; exit 128 ;; esac\n\
         printf '%s\\n' \"$line\"\ndone | $GIT \"$@\" ;;\n*) exec $GIT \"$@\" ;;\nesac",
    );
    assert_eq!(trees(&repo), newer);
}

#[test]
fn a_git_that_says_all_of_an_answer_at_once_merges_all_the_same() {
    let trees = |repo: &TestRepo| {
        let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
        let onto = repo.git(&["rev-parse", "refs/pw/rest-api/candidate^{tree}"]);
        (error["details"]["conflicts"].clone(), onto)
    };
    let older = trees(&finished(true));
    // From git 2.49 on, the NUL behind an answer comes with it or right after it; it may be read with
    // one answer and not with another.
    let once =
        "case $at in '') at=1; head -c -1 \"$0.said\"; continue ;; 1) at=2; printf '\\0' ;; esac";
    for printed in [
        "cat \"$0.said\"",
        "head -c -1 \"$0.said\"; tail -c 1 \"$0.said\"",
        &format!("{once}; cat \"$0.said\""),
    ] {
        let mut repo = finished(true);
        repo.shim_git(&format!(
            "case \"$*\" in\n*merge-tree*) while read -r line; do\n\
             echo \"$line\" | $GIT \"$@\" >\"$0.said\" || exit; {printed}\ndone ;;\n*) exec $GIT \"$@\" ;;\nesac"
        ));
        assert_eq!(trees(&repo), older, "{printed}");
    }
}

#[test]
fn who_could_collide_comes_last_and_the_answer_says_so() {
    let repo = finished(true);
    let check = repo.pw("pw-integrate check").data();
    assert_eq!(check["order"], json!(["task-3", "task-1", "task-2"]));
    assert_eq!(
        check["turns"][1],
        json!({"worker": "task-1", "after": [], "meets": ["task-2"],
               "because": "could conflict with 1 other: task-2"})
    );
    let preview = repo.pw("pw-integrate preview").data();
    assert_eq!(preview["turns"], check["turns"]);
    assert_eq!(preview["steps"][0]["worker"], "task-3");
    // So the stop keeps back as little as possible.
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(error["details"]["worker"], "task-2");
    assert_eq!(error["details"]["merged"], json!(["task-3", "task-1"]));
}

/// git keeps refs as files and folders: it cannot have a branch beside one that is its folder.
#[test]
fn a_branch_that_leaves_the_result_no_name_is_named_with_the_way_out() {
    for (taken, moved) in [
        ("integration", "integration-by-hand"),
        ("integration/rest-api/x", "integration-rest-api-x-by-hand"),
    ] {
        let repo = finished(false);
        repo.git(&["branch", taken]);
        let before = repo.git(&["for-each-ref"]);
        let error = repo.pw("pw-integrate run").error(3, "in_the_way");
        assert!(error["message"].as_str().unwrap().contains(taken), "{error:#}");
        assert_eq!(repo.git(&["for-each-ref"]), before);
        assert!(repo.follow(&error["next"]).status.success(), "{error:#}");
        repo.pw("pw-integrate run").data();
        repo.git(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{moved}")]);
    }
}
