//! Mergiraf is asked where git gives up, if the plan allows it, and what it did is told.

use pw_testkit::plans::THREE;
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::repo;

/// Plays mergiraf: keeps both sides of `shared.txt`, and gives up on any other file.
const PLAYED: &str = "for last; do :; done; echo \"$*\" >> \"$0.log\"\n\
    [ \"$last\" = shared.txt ] || exit 1\n\
    exec git merge-file --union \"$4\" \"$3\" \"$5\"";

/// Task-1 and task-2 change the same line of `paths`.
fn colliding(keys: &str, paths: &[&str]) -> TestRepo {
    let shared = format!("shared: [{}]", paths.join(", "));
    let mut repo = repo(&THREE.replace("shared: [shared.txt]", &format!("{shared}\n{keys}")));
    for path in paths {
        repo.write(path, "base\n");
    }
    repo.commit("shared files");
    repo.pw("pw-setup create plan.yaml").data();
    for label in ["task-1-users", "task-2-posts"] {
        for path in paths {
            repo.worker(label).write(path, &format!("{label}\n"));
        }
        repo.worker(label).commit("[COMPLETE] done");
    }
    repo.worker("task-3-docs").write("docs/a.md", "docs").commit("[COMPLETE] docs");
    repo.shim("mergiraf", PLAYED);
    repo
}

fn merged(data: &Value) -> &Value {
    &data["merged"][2]["by_mergiraf"]
}

#[test]
fn what_it_merges_is_merged_and_named() {
    let repo = colliding("merge_driver: mergiraf", &["shared.txt"]);
    let before = repo.git(&["status", "--porcelain"]);
    let data = repo.pw("pw-integrate run").data();
    assert_eq!(merged(&data), &json!(["shared.txt"]));
    assert_eq!(
        repo.git(&["show", "integration/rest-api:shared.txt"]),
        "task-1-users\ntask-2-posts"
    );
    assert_eq!(repo.git(&["show", "integration/rest-api:docs/a.md"]), "docs");
    let commit = data["merged"][2]["commit"].as_str().unwrap();
    assert!(repo.git(&["log", "-1", "--format=%B", commit]).ends_with("Pw-Mergiraf: shared.txt"));
    assert_eq!(repo.git(&["status", "--porcelain"]), before);
    let asked = std::fs::read_to_string(repo.beside("shim/mergiraf.log")).unwrap();
    assert_eq!(asked.lines().count(), 1, "only where git gave up: {asked}");
}

#[test]
fn what_is_left_is_resolved_by_somebody_and_the_rest_is_there() {
    let repo = colliding("merge_driver: mergiraf", &["shared.txt", "other.txt"]);
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    let details = &error["details"];
    assert_eq!(details["conflicts"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&details["conflicts"][0]["path"], &details["by_mergiraf"]),
        (&json!("other.txt"), &json!(["shared.txt"]))
    );
    let place = repo.root().join("worktrees/_integration-task-2-posts");
    let both = "task-1-users\ntask-2-posts\n";
    assert_eq!(std::fs::read_to_string(place.join("shared.txt")).unwrap(), both);
    assert_eq!(repo.git_in(&place, &["diff", "--name-only", "--diff-filter=U"]), "other.txt");
    std::fs::write(place.join("other.txt"), "both\n").unwrap();
    repo.git_in(&place, &["add", "other.txt"]);
    let data = repo.pw("pw-integrate continue").data();
    assert_eq!(merged(&data), &json!(["shared.txt"]));
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]), both.trim_end());
}

#[test]
fn it_is_not_asked_against_the_plan_or_the_repository() {
    let asked = |repo: &TestRepo| repo.beside("shim/mergiraf.log").exists();
    let repo = colliding("", &["shared.txt"]);
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert!(!asked(&repo));

    let repo = colliding("merge_driver: mergiraf", &["shared.txt"]);
    repo.write(".git/info/attributes", "shared.txt merge\n");
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert!(!asked(&repo));
}

#[test]
fn markers_it_leaves_are_a_conflict_and_so_is_a_failure() {
    for played in ["printf '<<<<<<< a\\nx\\n>>>>>>> b\\n' > \"$4\"", "echo broken > \"$4\"; exit 3"]
    {
        let mut repo = colliding("merge_driver: mergiraf", &["shared.txt"]);
        repo.shim("mergiraf", played);
        let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
        assert_eq!(error["details"]["conflicts"][0]["hunks"][0]["theirs"], "task-2-posts\n");
    }
}

#[test]
fn without_it_git_merges_alone_and_says_so() {
    let mut repo = colliding("merge_driver: mergiraf", &["shared.txt"]);
    repo.unshim_git();
    if repo.shell("command -v mergiraf").output().unwrap().status.success() {
        return; // The machine has one: the other tests play it.
    }
    let note = json!(["mergiraf is not installed: git merged alone"]);
    let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
    assert_eq!(error["details"]["notes"], note);
    let data = repo.pw("pw-setup check plan.yaml").data();
    assert_eq!(data["workflow"], "rest-api");
    repo.write("plan.yaml", &repo.read("plan.yaml").replace("mergiraf", "magic"));
    let error = repo.pw("pw-setup check plan.yaml").error(3, "plan_invalid");
    assert!(error["details"]["problems"][0]["hint"].as_str().unwrap().contains("mergiraf"));
}
