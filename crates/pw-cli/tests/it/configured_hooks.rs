//! Hooks that settings name, which git 2.54 and later run: `scripts/matrix` tells these with such a
//! git, an older one skips them with a word.

use pw_testkit::plans::TWO;
use pw_testkit::repo::TestRepo;
use serde_json::json;

use crate::repo;

/// Returns a repository, unless git is older than that.
#[expect(clippy::print_stderr, reason = "what was skipped is said")]
fn since(minor: u32, plan: &str) -> Option<TestRepo> {
    let repo = repo(plan);
    let version = repo.git(&["version"]);
    let mut numbers = version.trim_start_matches("git version ").split('.');
    let [major, own]: [u32; 2] = std::array::from_fn(|_| numbers.next().unwrap().parse().unwrap());
    let is_new = (major, own) >= (2, minor);
    if !is_new {
        eprintln!("skipped: git 2.{minor} is the first that does this, not {version}");
    }
    is_new.then_some(repo)
}

fn configure(repo: &TestRepo, name: &str, command: &str, events: &[&str]) {
    repo.git(&["config", &format!("hook.{name}.command"), command]);
    for event in events {
        repo.git(&["config", "--add", &format!("hook.{name}.event"), event]);
    }
}

#[test]
fn they_are_named_and_tried_like_those_in_the_folder() {
    let Some(repo) = since(54, TWO) else { return };
    configure(&repo, "types", "grep -q '^chore: '", &["commit-msg"]);
    configure(&repo, "lint", "true", &["pre-commit"]);
    let data = repo.pw("pw-setup check plan.yaml").data();
    let tried = &data["message_hooks"];
    assert_eq!((&tried["verdict"], &tried["hook"]), (&json!("refused"), &json!("commit-msg")));
    assert_eq!(tried["plan"]["signal_subject"], "chore: {text}", "{data}");
    assert_eq!(data["will_run"]["hooks"], json!(["pre-commit", "commit-msg"]), "{data}");
    repo.write("plan.yaml", &format!("{TWO}signal: trailer\nsignal_subject: 'chore: {{text}}'\n"));
    let data = repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(data["message_hooks"]["verdict"], "accepted", "{data}");
    let worker = repo.worker("a-x");
    worker.write("a", "1").pw(&["checkpoint", "one"]).data();
    worker.pw(&["complete"]).data();
}

#[test]
fn the_helpers_own_steps_run_none_and_workers_commits_run_all() {
    let Some(repo) = since(55, TWO) else { return };
    repo.pw("pw-setup create plan.yaml").data();
    let log = repo.beside("log");
    let command = format!("echo ran >>{}; :", log.display());
    configure(
        &repo,
        "all",
        &command,
        &["reference-transaction", "post-index-change", "post-merge"],
    );
    configure(
        &repo,
        "more",
        &command,
        &["post-checkout", "pre-commit", "commit-msg", "post-commit"],
    );
    repo.worker("a-x").write("a", "1").commit("[COMPLETE] a");
    repo.worker("b-y").write("b", "1").commit("[COMPLETE] b");
    assert!(log.exists(), "git runs them");
    std::fs::remove_file(&log).unwrap();
    repo.pw("pw-monitor status").data();
    repo.pw("pw-integrate run").data();
    assert!(!log.exists(), "a merge ran the user's hooks");
}

#[test]
fn a_hook_that_is_switched_off_is_said_before_anybody_starts() {
    let Some(repo) = since(55, TWO) else { return };
    repo.git(&["config", "hook.pre-commit.enabled", "false"]);
    let warned = repo.pw("pw-setup check plan.yaml").data()["warnings"].to_string();
    assert!(warned.contains("git config hook.pre-commit.enabled true"), "{warned}");
}
