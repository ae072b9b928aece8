//! The scope contract in the session and at the commit.

use std::path::Path;

use pw_testkit::plans::THREE;
use pw_testkit::repo::{TestRepo, write_program};
use serde_json::{Value, json};

use crate::{created, repo};

/// What the guard says to the client about a tool call made in `cwd`.
pub(crate) fn ask(repo: &TestRepo, cwd: &Path, tool: &str, input: Value) -> Value {
    let hook = json!({"hook_event_name": "PreToolUse", "cwd": cwd, "tool_name": tool, "tool_input": input});
    hear(repo, "pre-tool-use", &hook)["hookSpecificOutput"].clone()
}

/// What the guard answers to a hook of the client; `null` when it says nothing.
pub(crate) fn hear(repo: &TestRepo, event: &str, hook: &Value) -> Value {
    let answer =
        repo.pw_with_input(&repo.root(), &["pw-worker", "guard", event], &hook.to_string());
    assert_eq!(answer.code, Some(0), "{answer:?}");
    if answer.stdout.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&answer.stdout).unwrap()
    }
}

fn verdict(repo: &TestRepo, cwd: &Path, path: &Path) -> String {
    let said = ask(repo, cwd, "Write", json!({"file_path": path}));
    said["permissionDecision"].as_str().unwrap_or("silent").to_owned()
}

#[test]
fn a_session_writes_its_own_files_and_no_others() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    let at = &users.path;
    users.write("api/deep/x", "");
    std::os::unix::fs::symlink("../../task-2-posts/api", at.join("tests")).unwrap();
    std::os::unix::fs::symlink(repo.root().join("README.md"), at.join("api/users-link.py"))
        .unwrap();
    for (path, expected) in [
        (at.join("api/users.py"), "allow"),
        (at.join("shared.txt"), "allow"),
        (at.join("api/../api/users.py"), "allow"),
        (at.join("api/posts.py"), "deny"),
        (at.join("new/folder/file"), "deny"),
        (at.join("tests/users/x.py"), "deny"),
        (at.join("api/users-link.py"), "deny"),
        (at.join(".git"), "deny"),
        (repo.root().join(".git/config"), "deny"),
        (repo.root().join("README.md"), "deny"),
        (repo.root().join("worktrees/task-2-posts/api/users.py"), "deny"),
        (at.join("../task-2-posts/api/users.py"), "deny"),
        ("/etc/passwd".into(), "deny"),
    ] {
        assert_eq!(verdict(&repo, at, &path), expected, "{}", path.display());
    }
    let said = ask(&repo, at, "Edit", json!({"file_path": at.join("api/posts.py")}));
    let reason = said["permissionDecisionReason"].as_str().unwrap();
    assert!(reason.contains("owned by task-2") && reason.contains("[NEEDS:task-2/"), "{reason}");
    assert_eq!(
        ask(&repo, at, "NotebookEdit", json!({"notebook_path": at.join("x.ipynb")}))["permissionDecision"],
        "deny"
    );
    assert_eq!(ask(&repo, at, "Edit", json!({"something": "new"}))["permissionDecision"], "deny");
}

#[test]
fn shell_commands_that_harm_others_are_denied_and_helpers_need_no_question() {
    let repo = created(THREE);
    let at = repo.worker("task-1-users").path;
    let decide = |command: &str| {
        ask(&repo, &at, "Bash", json!({"command": command}))["permissionDecision"].clone()
    };
    assert_eq!(decide("git stash"), "deny");
    assert_eq!(decide("pw-worker checkpoint \"model\""), "allow");
    assert_eq!(decide("cargo test"), Value::Null);
    for (command, expected) in [
        ("echo x > api/posts.py", json!("deny")),
        ("make 2>> ../task-2-posts/log", json!("deny")),
        ("echo x > .git/config", json!("deny")),
        ("echo x > api/users.py", Value::Null),
        ("make > /dev/null 2>&1", Value::Null),
    ] {
        assert_eq!(decide(command), expected, "{command}");
    }
    let said = ask(&repo, &at, "Bash", json!({"command": "echo x > api/posts.py"}));
    assert!(said["permissionDecisionReason"].as_str().unwrap().contains("owned by task-2"));
}

/// Every tool of the client that changes files, and what of its input says which. What a script of its Code Mode calls
/// are these as well, and what its Monitor runs is asked for as Bash.
#[test]
fn the_client_asks_about_every_tool_that_writes() {
    let hooks: Value = serde_json::from_str(include_str!("../../../../hooks/hooks.json")).unwrap();
    let matcher = hooks["hooks"]["PreToolUse"][0]["matcher"].as_str().unwrap();
    let repo = created(THREE);
    let at = repo.worker("task-1-users").path;
    let command = || json!({"command": "echo x > api/posts.py", "description": "x"});
    let file = || json!({"file_path": at.join("api/posts.py")});
    for (tool, input) in [
        ("Edit", file()),
        ("Write", file()),
        ("MultiEdit", file()),
        ("NotebookEdit", json!({"notebook_path": at.join("api/posts.ipynb")})),
        ("Bash", command()),
        ("PowerShell", command()),
    ] {
        assert!(matcher.split('|').any(|name| name == tool), "{tool} is not in {matcher}");
        let said = ask(&repo, &at, tool, input);
        assert_eq!(said["permissionDecision"], "deny", "{tool}: {said:#}");
    }
}

#[test]
fn outside_a_workers_worktree_the_guard_is_silent_and_asks_no_git() {
    let mut repo = created(THREE);
    let calls = repo.beside("calls");
    repo.git(&["worktree", "add", "-q", "../mine", "HEAD"]);
    let own = repo.beside("mine");
    repo.shim_git(&format!("echo call >> {}\nexec $GIT \"$@\"", calls.display()));
    let write = |cwd: &Path| ask(&repo, cwd, "Write", json!({"file_path": cwd.join("x")}));
    assert_eq!(write(&repo.root()), Value::Null);
    assert_eq!(write(&repo.beside("")), Value::Null);
    assert!(!calls.exists(), "the guard started git");
    // A worktree of the user's own is no worker's scope.
    assert_eq!(write(&own), Value::Null);
}

#[test]
fn a_session_is_told_its_assignment_at_every_start() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").commit("[CHECKPOINT] model");
    repo.worker("task-3-docs").commit("[COMPLETE] docs");
    for source in ["startup", "resume", "compact"] {
        let said = hear(&repo, "session-start", &json!({"cwd": users.path, "source": source}));
        let text = said["hookSpecificOutput"]["additionalContext"].as_str().unwrap().to_owned();
        for part in [
            "task-1",
            "api/users.py",
            "GET /users",
            "in_progress",
            "model",
            r#""name":"docs","state":"complete""#,
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let (_, brief) = text.split_once('{').unwrap();
        let brief: Value = serde_json::from_str(&format!("{{{brief}")).unwrap();
        assert_eq!(brief["tasks"], users.pw(&["brief"]).data()["tasks"]);
    }
    assert_eq!(hear(&repo, "session-start", &json!({"cwd": repo.root()})), Value::Null);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_session_does_not_end_without_saying_where_it_stands() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    let stop =
        |active: bool| hear(&repo, "stop", &json!({"cwd": users.path, "stop_hook_active": active}));
    assert_eq!(stop(false)["decision"], "block");
    assert_eq!(stop(true), Value::Null);
    users.write("api/users.py", "1");
    let reason = stop(false)["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("api/users.py") && reason.contains("pw-worker checkpoint"), "{reason}");
    users.pw(&["blocked", "no key"]).data();
    assert_eq!(stop(false), Value::Null);
    users.write("api/users.py", "2");
    assert_eq!(stop(false)["decision"], "block");
    users.pw(&["checkpoint", "x"]).data();
    users.pw(&["complete", "x"]).data();
    assert_eq!(stop(false), Value::Null);
}

/// Commits with plain git; returns what was said when it was refused.
fn commit(repo: &TestRepo, at: &Path, args: &[&str]) -> Option<String> {
    let words: Vec<&str> = ["commit", "-q"].into_iter().chain(args.iter().copied()).collect();
    let output = repo.try_git(at, &words);
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn plain_git_commits_are_held_to_the_scope_too() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").git(&["add", "api"]);
    assert_eq!(commit(&repo, &users.path, &["-m", "a plain subject"]), None);
    users.write("api/users.py", "2").write("api/posts.py", "x").git(&["add", "api"]);
    let said = commit(&repo, &users.path, &["-m", "both"]).unwrap();
    assert!(said.contains("api/posts.py is owned by task-2"), "{said}");
    assert_eq!(commit(&repo, &users.path, &["-m", "mine", "api/users.py"]), None);
    users.git(&["rm", "-q", "--cached", "api/posts.py"]);
    let said = commit(&repo, &users.path, &["--allow-empty", "-m", "[complete] all"]).unwrap();
    assert!(said.contains("[COMPLETE] all"), "{said}");
    assert!(commit(&repo, &users.path, &["--allow-empty", "-m", "[NEEDS:task-9/x] y"]).is_some());
    // Merging another worker's work brings their files, and that is fine.
    repo.worker("task-2-posts").write("api/posts.py", "theirs").commit("[COMPLETE] posts");
    std::fs::remove_file(users.path.join("api/posts.py")).unwrap();
    users.git(&["merge", "-q", "--no-edit", "work/task-2-posts"]);
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["out_of_scope"], json!([]));
}

#[test]
fn what_slips_past_the_hooks_is_vetoed_before_the_merge() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("stray", "x").git(&["add", "stray"]);
    users.git(&[
        "-c",
        "core.hooksPath=/dev/null",
        "commit",
        "-q",
        "-m",
        "[COMPLETE] past the guard",
    ]);
    let worker = &repo.pw("pw-monitor status").data()["workers"][0];
    assert_eq!((&worker["out_of_scope"], &worker["ready"]), (&json!(["stray"]), &json!(false)));
}

#[test]
fn the_users_own_hooks_still_run_wherever_they_are() {
    let repo = repo(THREE);
    let log = repo.beside("log");
    let hook = |name: &str| format!("#!/bin/sh\necho {name} >> {}\n", log.display());
    // As git-lfs leaves them: in .git/hooks.
    write_program(&repo.root().join(".git/hooks/post-commit"), &hook("lfs-post-commit"));
    write_program(&repo.root().join(".git/hooks/pre-push"), &hook("lfs-pre-push"));
    repo.pw("pw-setup create plan.yaml").data();
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1");
    users.pw(&["checkpoint", "x"]).data();
    repo.git(&["init", "-q", "--bare", "../remote.git"]);
    users.git(&["push", "-q", "../../../remote.git", "HEAD"]);
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "lfs-post-commit\nlfs-pre-push\n");

    // As husky does: a relative core.hooksPath, found anew in each worktree.
    repo.git(&["config", "core.hooksPath", ".husky"]);
    users.write(".husky/x", "").git(&["clean", "-q", "-f"]);
    std::fs::create_dir_all(users.path.join(".husky")).unwrap();
    write_program(&users.path.join(".husky/commit-msg"), &hook("husky-commit-msg"));
    users.write("api/users.py", "2");
    users.pw(&["checkpoint", "y"]).data();
    assert!(std::fs::read_to_string(&log).unwrap().ends_with("husky-commit-msg\n"));
    // The guard runs beside it.
    users.write("stray", "x").git(&["add", "stray"]);
    assert!(commit(&repo, &users.path, &["-m", "stray"]).unwrap().contains("stray"));
    // The main checkout sees nothing of this.
    assert_eq!(repo.git(&["config", "core.hooksPath"]), ".husky");

    // Named in a file that the user's settings include.
    let dotfiles = repo.beside("dotfiles");
    std::fs::create_dir(&dotfiles).unwrap();
    write_program(&dotfiles.join("commit-msg"), &hook("included-commit-msg"));
    let text = format!("[core]\n\thooksPath = {}\n", dotfiles.display());
    std::fs::write(dotfiles.join("config"), text).unwrap();
    repo.git(&["config", "--unset", "core.hooksPath"]);
    repo.git(&["config", "include.path", dotfiles.join("config").to_str().unwrap()]);
    users.write("api/users.py", "3").git(&["clean", "-qfd", "."]);
    users.git(&["reset", "-q", "stray"]);
    std::fs::remove_file(users.path.join("stray")).ok();
    users.pw(&["checkpoint", "z"]).data();
    assert!(std::fs::read_to_string(&log).unwrap().ends_with("included-commit-msg\n"));
}

#[test]
fn a_plan_may_do_without_hooks() {
    let repo = created(&format!("{THREE}git_hooks: false\n"));
    let users = repo.worker("task-1-users");
    users.write("stray", "x").commit("not held");
    assert!(!repo.root().join(".git/pw/rest-api/task-1-users/hooks").exists());
}

#[test]
fn a_guard_that_is_gone_refuses_instead_of_waving_through() {
    let repo = created(THREE);
    let ours = repo.root().join(".git/pw/rest-api/task-1-users");
    std::fs::remove_file(ours.join("pw-worker")).unwrap();
    let hook = ours.join("hooks/commit-msg");
    let text = std::fs::read_to_string(&hook).unwrap();
    write_program(&hook, &text.replace("command -v pw-worker", "command -v pw-nothing"));
    let said =
        commit(&repo, &repo.worker("task-1-users").path, &["--allow-empty", "-m", "x"]).unwrap();
    assert!(said.contains("pw-worker is gone"), "{said}");
}

#[test]
fn the_clients_permissions_follow_the_scope() {
    let plan = THREE.replace("owns: [docs]", "owns: [\"docs/{a,b}/**\", \"!docs/a/gen\"]");
    let repo = created(&format!("{plan}verify: make check\n"));
    let text = repo.read(".git/pw/rest-api/task-3-docs/settings.json");
    let settings: Value = serde_json::from_str(&text).unwrap();
    let at = format!("/{}", repo.worker("task-3-docs").path.display());
    let list = |key: &str| -> Vec<String> {
        serde_json::from_value(settings["permissions"][key].clone()).unwrap()
    };
    for rule in ["docs/a/**", "docs/b/**", "shared.txt"] {
        assert!(list("allow").contains(&format!("Edit({at}/{rule})")), "{rule}: {text}");
    }
    assert!(list("allow").contains(&"Bash(make check)".to_owned()));
    assert!(list("deny").contains(&format!("Edit({at}/docs/a/gen/**)")));
    assert!(
        list("deny").contains(&format!("Edit(/{}/**)", repo.worker("task-1-users").path.display()))
    );
    assert!(list("deny").contains(&"Bash(git push *)".to_owned()));
}

#[test]
fn a_commit_with_another_workers_repository_is_refused_wherever_it_is_made() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    let git_dir = posts.git(&["rev-parse", "--absolute-git-dir"]);
    let before = posts.git(&["rev-parse", "HEAD"]);
    let option = format!("--git-dir={git_dir}");
    let commit = [option.as_str(), "commit", "-q", "--allow-empty", "-m", "[COMPLETE] forged"];
    assert!(!repo.try_git(&users.path, &commit).status.success());
    assert_eq!(posts.git(&["rev-parse", "HEAD"]), before);
    users.git(&["commit", "-q", "--allow-empty", "-m", "[CHECKPOINT] own"]);
}
