//! Landing the integration branch: only forward, only onto a checkout without changes.

use pw_testkit::plans::THREE;
use pw_testkit::repo::{TestRepo, write_program};
use serde_json::json;

use crate::created;

/// All three workers are integrated; `main` is checked out, without changes.
fn integrated() -> TestRepo {
    integrated_with(THREE)
}

fn integrated_with(plan: &str) -> TestRepo {
    let repo = created(plan);
    crate::complete_all(&repo);
    repo.pw("pw-integrate run").data();
    repo
}

fn at(repo: &TestRepo, name: &str) -> String {
    repo.git(&["rev-parse", name])
}

/// `finish` is refused like this, and nothing has changed.
fn refused(repo: &TestRepo, words: &str, code: &str) -> serde_json::Value {
    let before = (repo.git(&["for-each-ref"]), repo.git(&["status", "--porcelain"]));
    let error = repo.pw(&format!("pw-integrate finish{words}")).error(3, code);
    assert_eq!((repo.git(&["for-each-ref"]), repo.git(&["status", "--porcelain"])), before);
    error
}

#[test]
fn a_clean_checkout_of_the_base_goes_along_once() {
    let repo = integrated();
    let before = at(&repo, "main");
    let data = repo.pw("pw-integrate finish").data();
    assert_eq!((&data["landed"], &data["before"]), (&json!("fast_forward"), &json!(before)));
    assert_eq!(data["commit"], json!(at(&repo, "integration/rest-api")));
    assert_eq!(at(&repo, "main"), at(&repo, "integration/rest-api"));
    assert_eq!(data["checkout"], json!(repo.root().to_str().unwrap()));
    assert_eq!(repo.read("docs/a.md"), "task-3-docs");
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? plan.yaml");
    assert!(
        repo.git(&["log", "-1", "--format=%s", "refs/pw/rest-api/record"]).starts_with("finished ")
    );

    let refs = repo.git(&["for-each-ref"]);
    assert_eq!(repo.pw("pw-integrate finish").data()["landed"], "already");
    assert_eq!(repo.git(&["for-each-ref"]), refs);
}

#[test]
fn the_monitor_says_whether_the_result_has_landed_and_calls_it_no_drift() {
    let repo = integrated();
    let status = |repo: &TestRepo| repo.pw("pw-monitor status").data();
    let now = status(&repo);
    assert_eq!(now["summary"], "3 workers: 3 integrated; not landed.");
    assert_eq!(now["next"][1]["action"], "land");
    repo.follow(&now["next"][1]["command"]);
    let now = status(&repo);
    assert_eq!((&now["integration"]["landed"], now.get("drift")), (&json!(true), None));
    assert_eq!(now["summary"], "3 workers: 3 integrated.");

    // What others do afterwards is.
    repo.write("docs/b.md", "new");
    repo.commit("main moves on");
    let drift = status(&repo)["drift"].clone();
    let touches = json!([{"worker": "task-3", "paths": ["docs/b.md"]}]);
    assert_eq!((&drift["commits"], &drift["touches"]), (&json!(1), &touches));

    // What is integrated after that has not.
    repo.worker("task-3-docs").write("docs/a.md", "more").commit("[COMPLETE] more");
    repo.pw("pw-integrate run").data();
    assert_eq!(status(&repo)["integration"]["landed"], false);
}

#[test]
fn what_a_killed_landing_wrote_is_taken_back_and_nobody_elses_file() {
    let mut repo = integrated();
    let written = "mkdir -p api docs; printf task-1 > api/users.py; echo mine > docs/a.md";
    let killed = format!("*--ff-only*) {written}; kill -9 $PPID; exit ;;");
    repo.shim_git(&format!("case \"$*\" in {killed} esac\nexec $GIT \"$@\""));
    assert_eq!(repo.pw("pw-integrate finish").code, None);
    repo.unshim_git();
    let error = repo.pw("pw-integrate finish").error(3, "in_the_way");
    assert_eq!(error["details"]["paths"], json!(["docs/a.md"]));
    assert!(!repo.root().join("api/users.py").exists());
    std::fs::remove_file(repo.root().join("docs/a.md")).unwrap();
    repo.pw("pw-integrate finish").data();
    assert_eq!(repo.read("api/users.py"), "task-1-users");
}

#[test]
fn a_base_that_nobody_has_checked_out_is_moved_alone() {
    let repo = integrated();
    repo.git(&["switch", "-q", "--detach"]);
    let data = repo.pw("pw-integrate finish --merge").data();
    assert_eq!((&data["landed"], &data["checkout"]), (&json!("merge"), &json!(null)));
    assert_eq!(at(&repo, "main^2"), at(&repo, "integration/rest-api"));
    assert_eq!(at(&repo, "main^{tree}"), at(&repo, "integration/rest-api^{tree}"));
    assert_eq!(
        repo.git(&["log", "-1", "--format=%B", "main"]),
        "Merge integration/rest-api into main\n\nREST API with three parts\n\nWorkers:\n\
         - task-1-users: task-1-users\n- task-2-posts: task-2-posts\n- task-3-docs: task-3-docs\n\n\
         Pw-Workflow: rest-api"
    );
    assert!(!repo.root().join("docs").exists(), "a checkout on another commit stays");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_base_that_moved_is_merged_on_request_and_conflicts_are_named() {
    let repo = integrated();
    repo.write("elsewhere.txt", "new");
    repo.git(&["add", "elsewhere.txt"]);
    repo.git(&["commit", "-q", "-m", "meanwhile"]);
    refused(&repo, " --ff-only", "base_moved");
    let error = refused(&repo, "", "base_moved");
    repo.follow(&error["next"]);
    assert_eq!(
        (repo.read("elsewhere.txt"), repo.read("docs/a.md")),
        ("new".into(), "task-3-docs".into())
    );
    assert_eq!(
        repo.git(&["log", "--first-parent", "--format=%s", "-2", "main"]),
        "Merge integration/rest-api into main\nmeanwhile"
    );

    let repo = integrated();
    repo.write("docs/a.md", "other docs");
    repo.git(&["add", "docs"]);
    repo.git(&["commit", "-q", "-m", "meanwhile"]);
    let error = refused(&repo, " --merge", "base_conflict");
    assert_eq!(error["details"]["conflicts"], json!([{"path": "docs/a.md", "kind": "add_add"}]));
    // As the hint says: resolved on the integration branch, which then is ahead of the base.
    let commands = error["details"]["commands"].as_array().unwrap();
    assert_eq!((commands.len(), &commands[0]), (4, &error["next"]));
    let succeeds = |nth: usize| {
        let mut command = repo.shell(commands[nth].as_str().unwrap());
        command.current_dir(repo.beside("")).status().unwrap().success()
    };
    assert!(succeeds(0), "from any folder");
    assert!(!succeeds(1), "there is nothing to resolve");
    repo.write("worktrees/_landing/docs/a.md", "both");
    assert!(succeeds(2) && succeeds(3));
    assert_eq!(repo.pw("pw-integrate finish").data()["landed"], "fast_forward");
    assert_eq!(repo.read("docs/a.md"), "both");
}

#[test]
fn a_base_that_moved_into_a_conflict_has_one_way_out() {
    let repo = integrated();
    repo.write("docs/a.md", "other docs");
    repo.git(&["add", "docs"]);
    repo.git(&["commit", "-q", "-m", "meanwhile"]);
    repo.write("README.md", "at work");
    repo.write("api/posts.py", "at work, too");
    // Not a merge commit, which would be refused next: what is resolved is ahead of the base.
    let error = refused(&repo, "", "base_conflict");
    let told = &error["details"]["obstacles"][1];
    assert_eq!(told["code"], "dirty_tree", "{error:#}");
    let third = &error["details"]["obstacles"][2];
    assert_eq!(third["details"]["paths"], json!(["api/posts.py"]), "{error:#}");
    assert_eq!(told["details"]["commands"][1], "pw-integrate finish rest-api");
    assert_eq!(error["details"]["obstacles"][0]["details"], json!({}), "told twice: {error:#}");

    // Without a conflict the second of the three commands lands as the user is asked to.
    let repo = integrated();
    repo.write("elsewhere.txt", "new");
    repo.git(&["add", "elsewhere.txt"]);
    repo.git(&["commit", "-q", "-m", "meanwhile"]);
    repo.write("README.md", "at work");
    let error = refused(&repo, "", "base_moved");
    let commands = error["details"]["obstacles"][1]["details"]["commands"].clone();
    assert_eq!(commands[1], "pw-integrate finish rest-api --merge");
    (0..3).for_each(|nth| drop(repo.follow(&commands[nth])));
    assert_eq!(
        (repo.read("README.md"), repo.read("elsewhere.txt")),
        ("at work".into(), "new".into())
    );
}

#[test]
fn an_integration_branch_that_the_user_moved_goes_once_the_base_has_it() {
    let repo = integrated();
    repo.write("elsewhere.txt", "new");
    repo.git(&["add", "elsewhere.txt"]);
    repo.git(&["commit", "-q", "-m", "meanwhile"]);
    repo.git(&["worktree", "add", "-q", "worktrees/_landing", "integration/rest-api"]);
    repo.git(&["-C", "worktrees/_landing", "merge", "-q", "main"]);
    repo.git(&["worktree", "remove", "worktrees/_landing"]);
    repo.pw("pw-integrate finish").data();
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(data["closed"], true, "{data:#}");
    assert_eq!(repo.git(&["branch", "--list", "integration/*"]), "", "{data:#}");
}

#[test]
fn what_lands_is_what_was_verified() {
    // Both halves are good, and together they are not.
    let plan = THREE.replace("shared:", "verify: test ! -e docs/a.md || test ! -e other\nshared:");
    let repo = integrated_with(&plan);
    repo.write("other", "new");
    repo.git(&["add", "other"]);
    repo.git(&["commit", "-q", "-m", "meanwhile"]);
    let main = at(&repo, "main");
    let error = repo.pw("pw-integrate finish --merge").error(4, "gate_failed");
    assert_eq!(error["details"]["command"], "test ! -e docs/a.md || test ! -e other");
    assert_eq!((at(&repo, "main"), repo.root().join("docs").exists()), (main, false));
    let data = repo.pw("pw-integrate finish --merge --no-gate").data();
    assert_eq!(
        (&data["gate"], &data["notes"]),
        (&json!(null), &json!(["nothing was tested: --no-gate"]))
    );

    // What was tested as this very tree is not tested again.
    let repo = integrated_with(&plan);
    let data = repo.pw("pw-integrate finish").data();
    assert_eq!(
        (&data["gate"]["runs"], &data["gate"]["gates"][0]["cached"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(data["gate"]["commit"], data["commit"]);
}

#[test]
fn nobodys_work_in_the_checkout_is_overwritten() {
    let repo = integrated();
    repo.write("README.md", "my change");
    assert_eq!(refused(&repo, "", "dirty_tree")["details"]["paths"], json!(["README.md"]));
    repo.git(&["checkout", "-q", "README.md"]);

    repo.write("docs/a.md", "mine");
    assert_eq!(refused(&repo, "", "in_the_way")["details"]["paths"], json!(["docs/a.md"]));
    repo.write(".git/info/exclude", "/worktrees/\ndocs\n");
    refused(&repo, "", "in_the_way");
    assert_eq!(repo.read("docs/a.md"), "mine");
    std::fs::remove_dir_all(repo.root().join("docs")).unwrap();

    // In the middle of a rebase, HEAD is on no branch, and the branch is in use all the same.
    repo.git(&["switch", "-q", "-c", "side", "main~0"]);
    repo.write("README.md", "side");
    repo.git(&["commit", "-q", "-a", "-m", "side"]);
    repo.git(&["switch", "-q", "main"]);
    repo.git(&["-c", "sequence.editor=sed -i 1ibreak", "rebase", "-q", "-i", "--root"]);
    refused(&repo, "", "wrong_branch");
    repo.git(&["rebase", "--abort"]);

    // The same in another worktree.
    repo.git(&["switch", "-q", "side"]);
    repo.git(&["worktree", "add", "-q", "../other", "main"]);
    std::fs::write(repo.beside("other/README.md"), "theirs").unwrap();
    refused(&repo, "", "dirty_tree");
    repo.git_in(&repo.beside("other"), &["checkout", "-q", "README.md"]);
    let data = repo.pw("pw-integrate finish").data();
    assert_eq!(data["checkout"], json!(repo.beside("other").to_str().unwrap()));
    assert!(repo.beside("other/docs/a.md").exists());
}

#[test]
fn a_base_whose_worktree_is_gone_is_refused_with_a_command_that_runs() {
    let repo = integrated();
    repo.git(&["switch", "-q", "--detach"]);
    repo.git(&["worktree", "add", "-q", "../gone", "main"]);
    std::fs::remove_dir_all(repo.beside("gone")).unwrap();
    let error = refused(&repo, "", "wrong_branch");
    repo.follow(&error["next"]);
    repo.git(&["worktree", "prune"]);
    repo.pw("pw-integrate finish").data();
}

#[test]
fn what_is_not_whole_does_not_land() {
    let repo = created(THREE);
    refused(&repo, "", "nothing_to_land");
    for label in ["task-1-users", "task-2-posts"] {
        repo.worker(label).write(&format!("api/{}.py", &label[7..]), "1").commit("[COMPLETE] done");
    }
    repo.pw("pw-integrate run --without task-3").data();
    let error = refused(&repo, "", "not_ready");
    assert_eq!(error["details"]["workers"][0]["worker"], "task-3");
    refused(&repo, " --without nobody", "unknown_worker");

    // A worker that went on after its merge is told, not waited for.
    repo.worker("task-1-users").write("api/users.py", "2").commit("[CHECKPOINT] more");
    let data = repo.pw("pw-integrate finish --without task-3").data();
    assert_eq!((&data["newer"], &data["without"]), (&json!(["task-1"]), &json!(["task-3"])));
    assert_eq!(repo.read("api/users.py"), "1");
}

#[test]
fn a_base_that_is_gone_or_never_was_is_no_target() {
    let repo = integrated();
    repo.git(&["switch", "-q", "--detach"]);
    repo.git(&["branch", "-q", "-D", "main"]);
    refused(&repo, "", "no_base");
    // Another branch of that name, with no common history.
    repo.git(&["branch", "-q", "main", &repo.git(&["commit-tree", "-m", "x", "HEAD^{tree}"])]);
    refused(&repo, " --merge", "no_base");

    let repo = crate::repo(THREE);
    repo.git(&["switch", "-q", "--detach"]);
    repo.pw("pw-setup create plan.yaml").data();
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] done");
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
    refused(&repo, " --without task-2 --without task-3", "no_base");
}

#[test]
fn an_integration_branch_moved_or_stopped_is_not_landed() {
    let repo = integrated();
    repo.git(&["branch", "-f", "integration/rest-api", "main"]);
    refused(&repo, "", "integration_moved");
    repo.git(&["branch", "-D", "integration/rest-api"]);
    let error = refused(&repo, "", "integration_moved");
    repo.follow(&error["next"]);
    repo.worker("task-3-docs").write("docs/more.md", "more").commit("[COMPLETE] more");
    repo.pw("pw-integrate run --verify false").error(4, "gate_failed");
    assert_eq!(refused(&repo, "", "not_ready")["next"], "pw-integrate continue rest-api");
    repo.pw("pw-integrate abort").data();
    for (label, text) in [("task-1-users", "a"), ("task-2-posts", "b")] {
        repo.worker(label).write("shared.txt", text).commit("[COMPLETE] shared");
    }
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(refused(&repo, "", "not_ready")["next"], "pw-integrate continue rest-api");
}

/// A bare repository beside, as `origin`.
fn with_origin(plan: &str) -> TestRepo {
    let repo = integrated_with(plan);
    let remote = repo.beside("remote.git");
    repo.git(&["init", "-q", "--bare", remote.to_str().unwrap()]);
    repo.git(&["remote", "add", "origin", remote.to_str().unwrap()]);
    repo
}

#[test]
fn a_pull_request_is_opened_once_and_moves_nothing_here() {
    let mut repo = with_origin(&THREE.replace("\"GET /users\"", "\"`GET` @all #1\""));
    let log = repo.beside("gh.log");
    // What `gh` was told, and a pull request once there is one.
    repo.shim(
        "gh",
        &format!(
            "printf '%s|' \"$@\" >> {0}; echo >> {0}\n\
             case $2 in\n\
             view) [ -f {0}.open ] && echo https://forge/1 ;;\n\
             create) touch {0}.open; for last; do :; done; cat \"$last\" > {0}.body; echo https://forge/1 ;;\n\
             esac",
            log.display()
        ),
    );
    let main = at(&repo, "main");
    let data = repo.pw("pw-integrate finish --pr").data();
    assert_eq!((&data["landed"], &data["commit"]), (&json!("pull_request"), &json!(main)));
    assert_eq!(data["pull_request"]["url"], "https://forge/1");
    assert_eq!(at(&repo, "main"), main);
    let remote = repo.beside("remote.git");
    assert_eq!(
        repo.git_in(&remote, &["rev-parse", "integration/rest-api"]),
        at(&repo, "integration/rest-api")
    );
    assert_eq!(
        repo.git_in(&remote, &["for-each-ref", "--format=%(refname)"]),
        "refs/heads/integration/rest-api"
    );
    let body = std::fs::read_to_string(repo.beside("gh.log.body")).unwrap();
    assert_eq!(data["pull_request"]["body"], json!(body));
    assert!(body.contains("- `` `GET` @all #1 ``\n"), "{body}");
    assert!(body.contains("- `[COMPLETE] task-3-docs`\n"), "{body}");

    repo.pw("pw-integrate finish --pr").data();
    let calls = std::fs::read_to_string(&log).unwrap();
    assert_eq!(calls.lines().filter(|line| line.starts_with("pr|create|")).count(), 1, "{calls}");
    assert!(calls.contains("|--base|main|--head|integration/rest-api|"), "{calls}");
}

#[test]
fn a_forge_that_refuses_leaves_the_same_command_to_run_again() {
    let mut repo = with_origin(THREE);
    repo.shim("gh", "echo 'not logged in' >&2; exit 1");
    let error = repo.pw("pw-integrate finish --pr").error(4, "push_failed");
    assert_eq!(error["details"]["said"], "not logged in");
    assert_eq!(error["next"], "pw-integrate finish rest-api --pr");
    repo.git(&["remote", "set-url", "origin", "/nowhere"]);
    repo.pw("pw-integrate finish --pr").error(4, "push_failed");
    repo.git(&["remote", "remove", "origin"]);
    repo.pw("pw-integrate finish --pr").error(4, "push_failed");
}

#[test]
fn without_gh_the_commands_are_handed_over_and_nothing_is_pushed() {
    let repo = with_origin(THREE);
    if which(&repo, "gh") {
        return; // The machine has one: the other tests play it.
    }
    let data = repo.pw("pw-integrate finish --pr").data();
    assert_eq!(data["pull_request"]["pushed"], false);
    assert_eq!(repo.git_in(&repo.beside("remote.git"), &["for-each-ref"]), "");
    let push = data["next"][0]["command"].as_str().unwrap();
    assert!(repo.shell(push).output().unwrap().status.success(), "{push}");
    let propose = data["next"][1]["command"].as_str().unwrap();
    assert!(
        propose.starts_with("gh pr create --base main --head integration/rest-api"),
        "{propose}"
    );
}

fn which(repo: &TestRepo, program: &str) -> bool {
    repo.shell(&format!("command -v {program}")).output().unwrap().status.success()
}

#[test]
fn a_base_that_the_user_holds_in_ways_that_status_does_not_show_stays_and_is_told() {
    let repo = crate::repo(pw_testkit::plans::TWO);
    repo.write("a", "1\n");
    repo.git(&["add", "a"]);
    repo.git(&["commit", "-q", "-m", "a"]);
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    repo.worker("a-x").write("a", "2\n").commit("[COMPLETE] a");
    repo.worker("b-y").write("b", "1\n").commit("[COMPLETE] b");
    repo.pw("pw-integrate run").data();
    let before = repo.git(&["rev-parse", "main"]);

    // What people do with settings of their own in a tracked file.
    for flag in ["skip-worktree", "assume-unchanged"] {
        repo.git(&["update-index", &format!("--{flag}"), "a"]);
        repo.write("a", "mine");
        assert_eq!(refused(&repo, "", "dirty_tree")["details"]["paths"], json!(["a"]));
        repo.git(&["update-index", &format!("--no-{flag}"), "a"]);
        repo.git(&["checkout", "-q", "a"]);
    }
    // The other worktree would have the landing undone in its index.
    repo.git(&["worktree", "add", "-q", "--force", "../two", "main"]);
    let error = refused(&repo, "", "wrong_branch");
    repo.sh(&repo.root(), error["next"].as_str().unwrap());
    repo.git(&["worktree", "add", "-q", "--force", "../gone", "main"]);
    std::fs::remove_dir_all(repo.beside("gone")).unwrap();
    // A hook of the user that refuses to move the branch, whatever lands there.
    let hook = repo.root().join(".git/hooks/reference-transaction");
    write_program(&hook, "#!/bin/sh\ntest $1 != prepared || ! grep refs/heads/main || exit 1\n");
    for way in ["", " --merge", " --squash -m x"] {
        let error = repo.pw(&format!("pw-integrate finish{way}")).error(1, "hook_refused");
        assert_eq!(error["details"]["hook"], "reference-transaction", "{error:#}");
        assert!(error["next"].as_str().unwrap().ends_with("finish two --pr"), "{error:#}");
    }
    assert_eq!((repo.git(&["rev-parse", "main"]), repo.read("a")), (before, "1\n".into()));
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? plan.yaml");
    std::fs::remove_file(&hook).unwrap();
    repo.pw("pw-integrate finish").data();
    assert_eq!(repo.read("a"), "2\n");
}
