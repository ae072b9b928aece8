//! What a repository's own hooks may do to a worker's commits.

use pw_testkit::plans::TWO;
use pw_testkit::repo::{TestRepo, write_program};
use serde_json::json;

use crate::{created, repo};

fn hook(repo: &TestRepo, name: &str, script: &str) {
    write_program(&repo.root().join(".git/hooks").join(name), &format!("#!/bin/sh\n{script}\n"));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_hook_that_refuses_is_named_with_what_it_said() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    for name in ["pre-commit", "commit-msg", "prepare-commit-msg"] {
        hook(&repo, name, "git rev-parse nothing >/dev/null 2>&1; echo it is too late; exit 1");
        worker.write("a", name);
        let error = worker.pw(&["checkpoint", "x"]).error(1, "hook_refused");
        assert_eq!(
            (&error["details"]["hook"], &error["details"]["output"]),
            (&json!(name), &json!("it is too late"))
        );
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
        // The signal gets out all the same, and the files stay for the user, who decides.
        repo.follow(&json!(format!(
            "cd {} && {}",
            worker.path.display(),
            error["next"].as_str().unwrap()
        )));
        let data = worker.pw(&["needs", "b", "a rule"]).data();
        assert_eq!((&data["paths"], &data["left"]), (&json!([]), &json!(["a"])));
        assert!(data["notes"][0].as_str().unwrap().contains(name), "{data}");
        assert_eq!(
            worker.git(&["log", "-2", "--format=%s"]),
            format!("[NEEDS:b/a rule]\n[BLOCKED:the hook {name} refuses]")
        );
        std::fs::remove_file(repo.root().join(".git/hooks").join(name)).unwrap();
        assert_eq!(worker.pw(&["checkpoint", "x"]).data()["paths"], json!(["a"]));
    }
}

#[test]
fn a_hook_that_puts_files_right_takes_them_the_second_time() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    // As those do that fix white space: corrected, said so, refused.
    let fix = "grep -q ' $' a || exit 0; sed -i 's/ *$//' a; echo fixed a; exit 1";
    hook(&repo, "pre-commit", fix);
    worker.write("a", "1  \n");
    let data = worker.pw(&["checkpoint", "x"]).data();
    assert_eq!((&data["paths"], &data["left"]), (&json!(["a"]), &json!([])));
    assert_eq!(worker.git(&["show", "HEAD:a"]), "1");
    // One that is never content is asked twice.
    hook(&repo, "pre-commit", "echo again >>a; echo x >>../../asked; exit 1");
    worker.write("a", "2\n");
    worker.pw(&["checkpoint", "x"]).error(1, "hook_refused");
    assert_eq!(repo.read("asked"), "x\nx\n");
}

#[test]
fn what_a_hook_puts_right_in_a_part_of_the_index_is_in_all_of_it() {
    let repo = created(TWO);
    hook(&repo, "pre-commit", "sed -i 's/ *$//' a/f; echo made >a/made; git add a");
    let worker = repo.worker("a-x");
    // What is staged of another's keeps the commit from being all of the index.
    worker.write("a/f", "1  \n").write("b/theirs", "2\n").git(&["add", "b"]);
    let said = worker.pw(&["blocked", "no key", "x"]).data();
    assert_eq!(said["left"], json!(["b/theirs"]), "{said:#}");
    assert_eq!(worker.git(&["status", "--porcelain"]), "A  b/theirs");
    assert_eq!(worker.git(&["show", "HEAD:a/f"]), "1");
}

#[test]
fn hooks_see_globs_as_git_means_them() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    hook(&repo, "pre-commit", "git diff --cached --name-only -- '*' | grep -q a");
    worker.write("a", "1");
    worker.pw(&["checkpoint", "x"]).data();
}

#[test]
fn a_worker_that_is_stuck_is_heard_whatever_a_hook_makes_of_its_subject() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    hook(&repo, "commit-msg", "sed -i '1s/^/JIRA-1 /' \"$1\"");
    worker.write("a", "1");
    let data = worker.pw(&["blocked", "no network"]).data();
    assert!(data["notes"][0].as_str().unwrap().contains("a hook changed"), "{data}");
    assert_eq!(
        worker.git(&["log", "-2", "--format=%s"]),
        "[BLOCKED:no network]\nJIRA-1 [BLOCKED:no network]"
    );
    assert_eq!(worker.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_hook_that_takes_the_change_back_leaves_no_empty_commit() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    worker.write("a", "1\n");
    worker.pw(&["checkpoint", "x"]).data();
    // As a formatter that undoes what was done by hand.
    hook(&repo, "pre-commit", "echo 1 >a; git add a");
    worker.write("a", "2\n");
    let head = worker.git(&["rev-parse", "HEAD"]);
    let error = worker.pw(&["checkpoint", "x"]).error(3, "nothing_to_commit");
    assert!(error["message"].as_str().unwrap().contains("hook pre-commit took"), "{error}");
    assert_eq!(worker.git(&["rev-parse", "HEAD"]), head);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_a_hook_adds_outside_the_scope_is_taken_out_again_and_the_hook_is_named() {
    let repo = repo(TWO);
    repo.write("tracked", "0\n");
    repo.git(&["add", "tracked"]);
    repo.git(&["commit", "-q", "-m", "files"]);
    repo.pw("pw-setup create plan.yaml").data();
    let worker = repo.worker("a-x");
    let add = "mkdir -p gen; date +%N >gen/new; date +%N >tracked; git add gen tracked";
    hook(&repo, "pre-commit", add);
    let signals = [
        (&["checkpoint", "x"][..], json!(["a"])),
        (&["blocked", "x"], json!(["a"])),
        (&["needs", "b", "it"], json!(["a"])),
        (&["complete", "x"], json!([])),
    ];
    for (number, (words, paths)) in signals.into_iter().enumerate() {
        if words[0] != "complete" {
            worker.write("a", &number.to_string());
        }
        let data = worker.pw(words).data();
        assert_eq!((&data["paths"], &data["left"]), (&paths, &json!([])), "{words:?}: {data}");
        let note = data["notes"].to_string();
        assert!(note.contains("hook pre-commit") && note.contains("`gen/new`"), "{data}");
        assert_eq!(worker.git(&["status", "--porcelain"]), "", "{words:?}");
        assert_eq!(repo.read("worktrees/a-x/tracked"), "0\n");
    }
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["ready"], true);

    // What the worker has there itself, uncommitted, stays as it is.
    worker.write("a", "9").write("other", "mine");
    hook(&repo, "pre-commit", "git add other");
    let data = worker.pw(&["checkpoint", "x"]).data();
    assert_eq!((&data["paths"], &data["left"]), (&json!(["a"]), &json!(["other"])), "{data}");
    assert_eq!(repo.read("worktrees/a-x/other"), "mine");
}

#[test]
fn a_hook_that_refuses_a_merge_leaves_the_worktree_as_it_was() {
    let repo = created(TWO);
    let (worker, other) = (repo.worker("a-x"), repo.worker("b-y"));
    worker.write("a", "1").write("shared.txt", "1").commit("[COMPLETE] a");
    other.write("b", "1");
    other.pw(&["checkpoint", "b"]).data();
    let state = || other.git(&["status", "--porcelain=v2", "--branch", "--ignored"]);
    let before = state();
    for name in ["pre-merge-commit", "prepare-commit-msg", "commit-msg"] {
        hook(&repo, name, "echo not today; exit 1");
        let error = other.pw(&["sync", "a"]).error(1, "hook_refused");
        assert_eq!(error["details"]["hook"], json!(name));
        assert!(error["message"].as_str().unwrap().ends_with(": not today"), "{error}");
        assert_eq!(state(), before, "{name}");
        assert!(!repo.root().join(".git/worktrees/b-y/MERGE_HEAD").exists(), "{name}");
        std::fs::remove_file(repo.root().join(".git/hooks").join(name)).unwrap();
    }
    other.pw(&["sync", "a"]).data();
}
