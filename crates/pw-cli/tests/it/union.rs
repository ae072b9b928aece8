//! Files of which the plan says that they only grow: wherever we merge, what both sides added is
//! kept, and it is said.

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::repo;

const LOG: &str = "docs/changes.md";
const FIRST: &str = "# Changes\n\n- one\n";

/// A workflow whose workers all may add to `docs/changes.md`.
fn growing(plan: &str, more: &str) -> TestRepo {
    let repo = repo(&format!("{plan}union: [docs/changes.md]\n{more}"));
    repo.write(LOG, FIRST);
    repo.write("shared.txt", "base\n");
    repo.commit("changes");
    repo.pw("pw-setup create plan.yaml").data();
    repo
}

fn with(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("- {line}\n")).collect();
    format!("{FIRST}{lines}")
}

fn shown(repo: &TestRepo, commit: &str) -> String {
    repo.git(&["show", &format!("{commit}:{LOG}")]) + "\n"
}

#[test]
fn all_workers_add_a_line_and_every_step_agrees_that_they_merge() {
    let repo = growing(THREE, "");
    let workers = ["task-1-users", "task-2-posts", "task-3-docs"];
    for label in workers {
        repo.worker(label).write(LOG, &with(&[label])).commit(&format!("[COMPLETE] {label}"));
    }
    // Work that is not committed yet is no other.
    repo.worker(workers[2]).write(LOG, &with(&[workers[2], "and more"]));
    let status = repo.pw("pw-monitor status").data();
    assert_eq!((&status["conflicts"], &status["trial"]["stops"]), (&json!([]), &json!([])));
    repo.worker(workers[2]).commit("[COMPLETE] more");

    let preview = repo.pw("pw-integrate preview").data();
    assert_eq!(preview["clean"], true);
    let by_union = |list: &Value| -> Vec<Value> {
        list.as_array().unwrap().iter().map(|item| item["by_union"].clone()).collect()
    };
    let told = [Value::Null, json!([LOG]), json!([LOG])];
    assert_eq!(by_union(&preview["steps"]), told);
    let run = repo.pw("pw-integrate run").data();
    assert_eq!(by_union(&run["merged"]), told);
    let all = with(&[workers[0], workers[1], workers[2], "and more"]);
    assert_eq!(shown(&repo, "integration/rest-api"), all);
    let message = repo.git(&["log", "-1", "--format=%B", "integration/rest-api"]);
    assert!(message.ends_with("Pw-Union: docs/changes.md"), "{message}");

    // The base went on meanwhile.
    repo.write(LOG, &with(&["theirs"]));
    repo.commit("theirs");
    let landed = repo.pw("pw-integrate finish --merge").data();
    let notes = landed["notes"].to_string();
    assert!(notes.contains("merged by union") && notes.contains(LOG), "{notes}");
    assert_eq!(repo.read(LOG), with(&["theirs", workers[0], workers[1], workers[2], "and more"]));
    assert_eq!(repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_later_worker_begins_with_what_both_added() {
    let repo = growing(WAVES, "");
    for label in ["base-model", "side-extra"] {
        repo.worker(label).write(LOG, &with(&[label])).commit("[COMPLETE] done");
    }
    let advanced = repo.pw("pw-setup advance").data();
    assert_eq!(advanced["notes"].to_string().matches("merged by union").count(), 1, "{advanced}");
    assert_eq!(repo.read(&format!("worktrees/top-api/{LOG}")), with(&["base-model", "side-extra"]));
    assert_eq!(repo.worker("top-api").git(&["status", "--porcelain"]), "");
    let brief = repo.worker("top-api").pw(&["brief"]).data();
    assert_eq!((&brief["union"], &brief["shared"]), (&json!([LOG]), &json!([LOG])));
}

#[test]
fn a_worker_takes_in_what_both_added_past_the_users_hooks() {
    let repo = growing(THREE, "");
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    users.write(LOG, &with(&["users"])).write("api/users.py", "1").commit("[COMPLETE] users");
    posts.write(LOG, &with(&["posts"])).commit("posts");
    let hook = repo.root().join(".git/hooks/commit-msg");
    let refuse = "#!/bin/sh\n[ -e ../../allow ] || { echo not now; exit 1; }\n";
    pw_testkit::repo::write_program(&hook, refuse);
    let before = posts.git(&["rev-parse", "HEAD"]);
    let error = posts.pw(&["sync", "task-1"]).error(1, "hook_refused");
    assert!(error.to_string().contains("not now"), "{error}");
    assert_eq!(posts.git(&["rev-parse", "HEAD"]), before);
    assert_eq!(posts.git(&["status", "--porcelain"]), "", "nothing half merged");

    repo.write("allow", "");
    let synced = posts.pw(&["sync", "task-1"]).data();
    assert_eq!(synced["by_union"], json!([LOG]));
    assert_eq!(posts.git(&["status", "--porcelain"]), "");
    assert_eq!(repo.read(&format!("worktrees/task-2-posts/{LOG}")), with(&["posts", "users"]));
    assert_eq!(posts.git(&["log", "-1", "--format=%s %P"]).split(' ').count(), 6, "a merge");
    posts.write("api/posts.py", "1").commit("posts");
    posts.pw(&["complete", "all"]).data();
    let run = repo.pw("pw-integrate run --without task-3").data();
    assert_eq!(shown(&repo, "integration/rest-api"), with(&["posts", "users"]));
    assert_eq!(run["merged"].as_array().unwrap().len(), 2);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_was_rewritten_or_is_not_named_is_resolved_by_the_user() {
    let repo = growing(THREE, "");
    let rewritten = FIRST.replace("one", "two");
    for (label, log, shared) in [
        ("task-1-users", with(&["users"]), "users\n"),
        ("task-2-posts", with(&["posts"]), "posts\n"),
        ("task-3-docs", format!("{rewritten}- docs\n"), "base\n"),
    ] {
        let worker = repo.worker(label);
        worker.write(LOG, &log).write("shared.txt", shared).commit("[COMPLETE] done");
    }
    let status = repo.pw("pw-monitor status").data();
    let named: Vec<_> =
        status["conflicts"].as_array().unwrap().iter().map(|found| &found["paths"]).collect();
    assert_eq!(named, [&json!(["shared.txt"]), &json!([LOG]), &json!([LOG])]);

    let details = repo.pw("pw-integrate run").error(4, "merge_conflict")["details"].clone();
    let (worktree, label) = (details["worktree"].as_str().unwrap(), details["worker"].clone());
    assert_eq!((&label, &details["by_union"]), (&json!("task-2"), &json!([LOG])));
    assert_eq!(details["conflicts"].as_array().unwrap().len(), 1);
    let place = repo.root().join(worktree);
    assert_eq!(repo.git_in(&place, &["diff", "--name-only", "--diff-filter=U"]), "shared.txt");
    assert_eq!(std::fs::read_to_string(place.join(LOG)).unwrap(), with(&["users", "posts"]));
    std::fs::write(place.join("shared.txt"), "both\n").unwrap();
    repo.git_in(&place, &["add", "shared.txt"]);

    let details = repo.pw("pw-integrate continue").error(4, "merge_conflict")["details"].clone();
    assert_eq!(details["conflicts"][0]["path"], LOG);
    let place = repo.root().join(details["worktree"].as_str().unwrap());
    let whole = format!("{rewritten}- users\n- posts\n- docs\n");
    std::fs::write(place.join(LOG), &whole).unwrap();
    repo.git_in(&place, &["add", LOG]);
    let run = repo.pw("pw-integrate continue").data();
    assert_eq!(run["merged"][1]["by_union"], json!([LOG]));
    assert_eq!(shown(&repo, "integration/rest-api"), whole);
}

#[test]
fn a_file_that_both_add_and_one_that_changed_its_mode_are_files_too() {
    let repo = repo(&format!("{THREE}union: ['*.log']\n"));
    repo.write("tool.log", "a\n");
    repo.commit("log");
    repo.pw("pw-setup create plan.yaml").data();
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    users.write("tool.log", "a\nb\n").write("new.log", "users");
    posts.write("tool.log", "a\nc\n").write("new.log", "posts");
    posts.git(&["update-index", "--chmod=+x", "tool.log"]);
    std::fs::set_permissions(
        repo.root().join("worktrees/task-2-posts/tool.log"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    users.commit("[COMPLETE] a");
    posts.commit("[COMPLETE] b");
    let run = repo.pw("pw-integrate run --without task-3").data();
    assert_eq!(run["merged"][1]["by_union"], json!(["new.log", "tool.log"]));
    let tree = repo.git(&["ls-tree", "integration/rest-api", "new.log", "tool.log"]);
    assert!(tree.contains("100644 blob") && tree.contains("100755 blob"), "{tree}");
    assert_eq!(repo.git(&["show", "integration/rest-api:new.log"]), "users\nposts");
    assert_eq!(repo.git(&["show", "integration/rest-api:tool.log"]), "a\nb\nc");
}

#[test]
fn a_merge_of_culprits_unites_as_the_real_one_does() {
    let repo = growing(THREE, "verify: test ! -e api/posts.py\n");
    for (label, path) in [
        ("task-1-users", "api/users.py"),
        ("task-2-posts", "api/posts.py"),
        ("task-3-docs", "docs/a.md"),
    ] {
        repo.worker(label).write(LOG, &with(&[label])).write(path, "1").commit("[COMPLETE] done");
    }
    let details = repo.pw("pw-integrate run").error(4, "gate_failed")["details"].clone();
    assert_eq!(details["workers"], json!(["task-2"]), "{details}");
    repo.pw("pw-integrate run --without task-2").data();
    assert_eq!(shown(&repo, "integration/rest-api"), with(&["task-1-users", "task-3-docs"]));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_tool_that_takes_lines_out_is_told_of_and_a_worker_may_take_its_own_out() {
    let repo = growing(THREE, "");
    let users = repo.worker("task-1-users");
    let checkpoint = |text: &str| {
        users.write(LOG, text);
        users.pw(&["checkpoint", "changes"]).data()["notes"].to_string()
    };
    assert_eq!(checkpoint(&with(&["users", "a typo"])), "null");
    assert_eq!(checkpoint(&with(&["users", "no typo"])), "null");
    // What was there before is another's, also when the worker goes on with the rest.
    let noted = checkpoint("- users\n");
    assert!(noted.contains(LOG) && noted.contains("3 lines that were there"), "{noted}");
    users.write("api/users.py", "1");
    assert_eq!(users.pw(&["checkpoint", "more"]).data().get("notes"), None, "told once");
    assert_eq!(checkpoint(&with(&["users"])), "null");
}

#[test]
fn a_landing_that_conflicts_names_what_the_users_merge_will_find() {
    let repo = growing(THREE, "");
    let users = repo.worker("task-1-users");
    users.write(LOG, &with(&["users"])).write("shared.txt", "users\n").commit("[COMPLETE] users");
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
    repo.write(LOG, &with(&["theirs"]));
    repo.write("shared.txt", "theirs\n");
    repo.commit("theirs");
    let error = repo
        .pw("pw-integrate finish --merge --without task-2 --without task-3")
        .error(3, "base_conflict");
    let details = &error["details"];
    let named: Vec<&Value> =
        details["conflicts"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    let commands: Vec<&str> =
        details["commands"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
    repo.follow(&details["commands"][0]);
    assert!(!repo.shell(commands[1]).output().unwrap().status.success());
    let place = repo.root().join("worktrees/_landing");
    let found = repo.git_in(&place, &["diff", "--name-only", "--diff-filter=U"]);
    assert_eq!(named, found.lines().collect::<Vec<_>>());
    assert!(error["message"].as_str().unwrap().contains("2 files"), "{error}");
}
