//! What keeps a repository in order: worktrees put right, permissions, the numbers of finished runs.

use pw_testkit::repo::TestRepo;
use serde_json::Value;

use super::{RECORD_GROWS, Story, WORKER_COMMITS, finished, not_created, working};
use crate::repair::is_guarded;

const PERMISSIONS: &str = ".claude/settings.local.json";

/// One of the hooks of `a`, its launcher, and the way of `b` to its hooks are gone.
fn harmed() -> TestRepo {
    let repo = working("");
    for file in ["hooks/pre-commit", "launch.sh"] {
        std::fs::remove_file(repo.root().join(".git/pw/two/a-x").join(file)).unwrap();
    }
    repo.worker("b-y").git(&["config", "--worktree", "--unset", "core.hooksPath"]);
    repo
}

/// Two workers' work has landed.
fn landed() -> TestRepo {
    let repo = finished("");
    repo.pw("pw-integrate run --no-gate").data();
    repo.pw("pw-integrate finish").data();
    repo
}

/// How many finished runs are kept.
fn runs(repo: &TestRepo) -> usize {
    repo.pw("pw-retro compare").data()["runs"].as_array().unwrap().len()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn repair() {
    let story = Story {
        is_whole: |data| data["left"].as_array().unwrap().is_empty(),
        ..Story::new("pw-setup repair", |repo| {
            let status = repo.pw("pw-monitor status --verbose").data();
            for worker in status["workers"].as_array().unwrap() {
                let gaps = worker["gaps"].as_array().map_or(0, Vec::len);
                assert_eq!(gaps, 0, "{worker:#}");
            }
            for label in ["a-x", "b-y"] {
                assert!(is_guarded(repo, &repo.worker(label).path), "{label}");
            }
        })
    };
    story.sweep(harmed(), &[WORKER_COMMITS, RECORD_GROWS]);
}

#[test]
fn permissions() {
    let story = Story {
        changes: &[PERMISSIONS],
        ..Story::new("pw-setup doctor --fix-permissions", |repo| {
            let settings: Value = serde_json::from_str(&repo.read(PERMISSIONS)).unwrap();
            assert_eq!(settings["model"], "x");
            let allowed = settings["permissions"]["allow"].as_array().unwrap();
            assert!(allowed.contains(&"Bash(pw-integrate run *)".into()), "{settings:#}");
        })
    };
    let repo = not_created("");
    repo.write(PERMISSIONS, "{\"model\": \"x\"}\n");
    story.sweep(repo, &[]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn runs_that_are_kept() {
    // Numbers that are out of date, or are to be forgotten, are what the ref loses.
    let changes = &["refs/pw/history"];
    let story =
        Story { changes, ..Story::new("pw-retro remember", |repo| assert_eq!(runs(repo), 1)) };
    let repo = story.sweep(landed(), &[WORKER_COMMITS, RECORD_GROWS]);
    repo.pw("pw-retro remember").data();
    let story =
        Story { changes, ..Story::new("pw-retro forget two", |repo| assert_eq!(runs(repo), 0)) };
    story.sweep(repo, &[RECORD_GROWS]);
}
