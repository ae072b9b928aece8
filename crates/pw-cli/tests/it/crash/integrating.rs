//! Merging all workers: through, to a conflict and on from it, past gates.

use pw_testkit::repo::TestRepo;

use super::{BRANCH_MOVES, RECORD_GROWS, Story, WORKER_COMMITS, finished};

const GREEN: &str = "verify: test -e a && test -e b\n";
/// Fails with `b`, whichever other worker is there.
const RED: &str = "verify: test ! -e b\n";

/// Merges that were not resolved by hand are made anew as they were.
const CANDIDATE: &[&str] = &["refs/pw/two/candidate"];

const FILE_APPEARS: &str = "cd worktrees/_integration-b-y && echo precious > late && \
    $GIT hash-object late > $KEEP";

/// Both are complete, and do not merge.
fn colliding() -> TestRepo {
    let repo = finished("");
    for (label, text) in [("a-x", "a\n"), ("b-y", "b\n")] {
        repo.worker(label).write("shared.txt", text).commit("[COMPLETE] shared");
    }
    repo
}

/// Stopped at `b`, with this text in the file that collided.
fn stopped(text: &str) -> TestRepo {
    let repo = colliding();
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    let place = repo.root().join("worktrees/_integration-b-y");
    std::fs::write(place.join("shared.txt"), text).unwrap();
    repo.git_in(&place, &["add", "shared.txt"]);
    repo
}

fn branch_holds(repo: &TestRepo, path: &str) -> String {
    repo.git(&["show", &format!("integration/two:{path}")])
}

/// The goal of going on: both are in the branch, and the shared file as it was resolved.
fn is_integrated(repo: &TestRepo) {
    assert!(branch_holds(repo, "a").starts_with('1') && branch_holds(repo, "b") == "2");
    let data = repo.pw("pw-monitor status").data();
    let states = data["workers"].as_array().unwrap().iter().map(|worker| &worker["state"]);
    // Complete anew: the worker committed after it was taken in.
    assert!(states.into_iter().all(|s| s == "integrated" || s == "complete"), "{data:#}");
}

fn is_resolved(repo: &TestRepo) {
    is_integrated(repo);
    assert_eq!(branch_holds(repo, "shared.txt"), "both");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn run() {
    let story = Story { changes: CANDIDATE, ..Story::new("pw-integrate run", is_integrated) };
    story.sweep(finished(GREEN), &[WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn run_to_a_red_gate() {
    let story = Story {
        when: "to a red gate",
        ends: (4, Some("gate_failed")),
        changes: CANDIDATE,
        ..Story::new("pw-integrate run", |repo| {
            let status = repo.pw("pw-monitor status").data();
            assert_eq!(status["integration"]["red"]["workers"], serde_json::json!(["b"]));
            assert!(!repo.git(&["for-each-ref", "refs/heads"]).contains("integration/two\n"));
        })
    };
    story.sweep(finished(RED), &[WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn run_that_stops() {
    let story = Story {
        when: "to a conflict",
        ends: (4, Some("merge_conflict")),
        ..Story::new("pw-integrate run", |repo| {
            let text = repo.read("worktrees/_integration-b-y/shared.txt");
            assert!(text.contains("<<<<<<<"), "{text}");
        })
    };
    story.sweep(colliding(), &[WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn going_on() {
    let races = [WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES, FILE_APPEARS];
    let story =
        Story { over: Some("nothing_stopped"), ..Story::new("pw-integrate continue", is_resolved) };
    story.sweep(stopped("both\n"), &races);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn abort() {
    let story = Story {
        over: Some("nothing_stopped"),
        ..Story::new("pw-integrate abort", |repo| {
            repo.pw("pw-integrate continue").error(3, "nothing_stopped");
        })
    };
    story.sweep(stopped("half done\n"), &[WORKER_COMMITS, RECORD_GROWS, FILE_APPEARS]);
}
