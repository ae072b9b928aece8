//! A worktree, a branch and a session belong to the workflow whose record made them.

use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::repo;

/// A workflow with one worker, `task-1-users`.
fn plan(workflow: &str, owns: &str) -> String {
    format!(
        "workflow: {workflow}\ngoal: {workflow}\nworkers:\n  - {{id: task-1, name: users, owns: [{owns}]}}\n"
    )
}

fn create(repo: &TestRepo, workflow: &str, owns: &str) -> Value {
    repo.write("plan.yaml", &plan(workflow, owns));
    repo.pw("pw-setup create plan.yaml").data()
}

/// A workflow that is finished and cleaned up, and a second one with the same label.
fn second() -> TestRepo {
    let repo = repo("");
    create(&repo, "alpha", "users");
    repo.worker("task-1-users").write("users/a", "a").commit("[COMPLETE] a");
    repo.pw("pw-integrate run alpha").data();
    repo.pw("pw-integrate finish alpha").data();
    let cleaned = repo.pw("pw-integrate cleanup alpha").data();
    assert_eq!(cleaned["removed"].as_array().unwrap().len(), 1, "{cleaned:#}");
    create(&repo, "beta", "newusers");
    repo
}

fn state(repo: &TestRepo, workflow: &str) -> Value {
    let status = repo.pw(&format!("pw-monitor status {workflow}")).data();
    status["workers"][0].clone()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_name_that_was_cleaned_up_is_the_next_workflows() {
    let repo = second();
    let users = repo.worker("task-1-users");
    let brief = users.pw(&["brief"]).data();
    assert_eq!((&brief["workflow"], &brief["owns"]), (&json!("beta"), &json!(["newusers"])));

    // The session and the commit are held to the second plan.
    let ask = |path: &str| {
        let input = json!({"hook_event_name": "PreToolUse", "cwd": users.path, "tool_name": "Write",
            "tool_input": {"file_path": users.path.join(path)}});
        let words = ["pw-worker", "guard", "pre-tool-use"];
        let said = repo.pw_with_input(&users.path, &words, &input.to_string()).json();
        said["hookSpecificOutput"]["permissionDecision"].clone()
    };
    assert_eq!((ask("newusers/x"), ask("users/x")), (json!("allow"), json!("deny")));
    users.write("newusers/x", "x").pw(&["checkpoint", "x"]).data();
    users.write("users/y", "y");
    users.git(&["add", "users/y"]);
    assert!(!repo.try_git(&users.path, &["commit", "-qm", "alpha's file"]).status.success());

    // The first workflow has nothing there any more, whatever is done there.
    let alpha = state(&repo, "alpha");
    assert_eq!((&alpha["state"], &alpha["uncommitted"]), (&json!("integrated"), &json!([])));
    assert_eq!(state(&repo, "beta")["state"], "in_progress");
    for command in ["run", "cleanup --dry-run", "cleanup"] {
        let (verb, option) = command.split_once(' ').unwrap_or((command, ""));
        let words = format!("pw-integrate {verb} alpha {option}");
        repo.pw(words.trim_end()).data();
    }
    repo.write("plan.yaml", &plan("alpha", "users"));
    let again = repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(again["workers"][0]["status"], "removed", "{again:#}");
    assert_eq!(users.pw(&["brief"]).data()["workflow"], "beta");
    users.git(&["rm", "-q", "--cached", "users/y"]);
    std::fs::remove_file(users.path.join("users/y")).unwrap();
    users.pw(&["complete", "x"]).data();
    repo.pw("pw-integrate run beta").data();
    assert_eq!(state(&repo, "beta")["state"], "integrated");
}

#[test]
fn a_name_that_another_workflow_has_is_refused_with_one_that_is_free() {
    let repo = repo("");
    create(&repo, "alpha", "users");
    repo.write("plan.yaml", &plan("beta", "newusers"));
    // Also when the user removed what it names.
    for gone in [false, true] {
        if gone {
            let worktree = repo.worker("task-1-users").path;
            repo.git(&["worktree", "unlock", worktree.to_str().unwrap()]);
            repo.git(&["worktree", "remove", "--force", worktree.to_str().unwrap()]);
            repo.git(&["branch", "-q", "-D", "work/task-1-users"]);
        }
        for verb in ["check", "create"] {
            let refs = repo.git(&["for-each-ref"]);
            let error = repo.pw(&format!("pw-setup {verb} plan.yaml")).error(3, "in_the_way");
            let problem = &error["details"]["problems"][0];
            assert_eq!(problem["code"], "label_taken", "{error:#}");
            assert!(problem["message"].as_str().unwrap().contains("alpha"));
            assert!(problem["hint"].as_str().unwrap().contains("`name: users-2`"), "{problem}");
            assert_eq!(repo.git(&["for-each-ref"]), refs);
        }
    }
    repo.write("plan.yaml", &plan("beta", "newusers").replace("users,", "users-2,"));
    repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(repo.worker("task-1-users-2").pw(&["brief"]).data()["workflow"], "beta");

    // A branch of the user's takes a name, too.
    repo.git(&["branch", "work/task-1-docs"]);
    repo.write("plan.yaml", &plan("gamma", "docs").replace("users", "docs"));
    let error = repo.pw("pw-setup create plan.yaml").error(3, "in_the_way");
    let problem = &error["details"]["problems"][0];
    assert_eq!(problem["code"], "branch_exists");
    assert!(problem["hint"].as_str().unwrap().contains("`name: docs-2`"), "{problem}");
}

#[test]
fn the_lock_tells_whose_worktree_it_is_and_the_record_where_it_is_unlocked() {
    let repo = repo("");
    create(&repo, "alpha", "users");
    // As a workflow of an older version left it: both records name the same worktree.
    std::fs::remove_dir_all(repo.root().join(".git/pw/alpha")).unwrap();
    let worktree = repo.worker("task-1-users").path;
    repo.git(&["worktree", "unlock", worktree.to_str().unwrap()]);
    repo.git(&["worktree", "remove", "--force", worktree.to_str().unwrap()]);
    repo.git(&["branch", "-q", "-D", "work/task-1-users"]);
    create(&repo, "beta", "newusers");
    let users = repo.worker("task-1-users");
    users.write("newusers/x", "x").commit("[CHECKPOINT] x");
    assert_eq!(users.pw(&["brief"]).data()["workflow"], "beta");
    assert_eq!(state(&repo, "alpha")["state"], "missing");
    assert_eq!(state(&repo, "beta")["state"], "in_progress");

    repo.git(&["worktree", "unlock", worktree.to_str().unwrap()]);
    assert_eq!(users.pw(&["brief"]).data()["workflow"], "beta");

    // A worktree of the user's is no worker's, whatever it is called.
    let own = repo.beside("task-1-users");
    repo.git(&["worktree", "add", "-q", "-b", "own", own.to_str().unwrap()]);
    repo.pw_in(&own, &["pw-worker", "brief"]).error(3, "not_a_worker");
    // Nor does a branch make a worker that was never created.
    repo.write(
        "plan.yaml",
        &(plan("gamma", "docs").replace("users", "docs")
            + "  - {id: task-2, name: api, owns: [api], after: [task-1]}\n"),
    );
    repo.pw("pw-setup create plan.yaml").data();
    repo.git(&["branch", "work/task-2-api"]);
    let status = repo.pw("pw-monitor status gamma").data();
    assert_eq!(status["workers"][1]["state"], "planned");
}

#[test]
fn a_clone_that_has_the_record_and_not_the_commits_is_told_what_to_fetch() {
    let repo = repo(&plan("alpha", "users"));
    repo.pw("pw-setup create plan.yaml").data();
    repo.git(&["switch", "-q", "--orphan", "docs"]);
    repo.write("page", "1");
    repo.commit("docs");
    let clone = repo.beside("clone");
    let from = format!("file://{}", repo.root().display());
    let to = clone.to_str().unwrap();
    repo.git(&["clone", "-q", "--single-branch", "--branch", "docs", &from, to]);
    let records = "+refs/pw/alpha/record:refs/pw/alpha/record";
    repo.git_in(&clone, &["fetch", "-q", "origin", records]);
    for words in [["pw-monitor", "status"], ["pw-integrate", "run"], ["pw-integrate", "cleanup"]] {
        let error = repo.pw_in(&clone, &words).error(1, "objects_missing");
        assert!(error["hint"].as_str().unwrap().contains("git fetch --all"), "{error:#}");
    }
}

#[test]
fn old_workflows_cost_a_tool_call_nothing() {
    let mut repo = repo("");
    create(&repo, "newest", "users");
    repo.write("plan.yaml", &plan("older", "docs").replace("users", "docs"));
    repo.pw("pw-setup create plan.yaml").data();
    let users = repo.worker("task-1-users").path;
    let log = repo.beside("calls");
    let kept = repo.root().join(".git/pw/newest/task-1-users/record.json");
    let calls = |repo: &mut TestRepo| {
        // Else it starts none at all.
        let _ = std::fs::remove_file(&kept);
        repo.shim_git(&format!("echo x >> '{}'\nexec $GIT \"$@\"", log.display()));
        let input = json!({"hook_event_name": "PreToolUse", "cwd": users, "tool_name": "Write",
            "tool_input": {"file_path": users.join("users/x")}});
        let words = ["pw-worker", "guard", "pre-tool-use"];
        assert!(repo.pw_with_input(&users, &words, &input.to_string()).stdout.contains("allow"));
        repo.unshim_git();
        let count = std::fs::read_to_string(&log).unwrap().lines().count();
        std::fs::remove_file(&log).unwrap();
        count
    };
    let alone = calls(&mut repo);
    let record = repo.git(&["rev-parse", "refs/pw/older/record"]);
    for number in 0..20 {
        repo.git(&["update-ref", &format!("refs/pw/a{number}/record"), &record]);
    }
    assert_eq!(calls(&mut repo), alone);
}
