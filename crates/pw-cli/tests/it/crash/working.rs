//! Workers at work: made, started, committing, taking others in.

use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use super::{RECORD_GROWS, Story, WORKER_COMMITS, complete_a, not_created, working};

#[test]
#[ignore = "long; .ci/run runs it"]
fn create() {
    Story::new("pw-setup create plan.yaml", |repo| {
        let status = repo.pw("pw-monitor status").data();
        for worker in status["workers"].as_array().unwrap() {
            assert_eq!(
                (&worker["state"], &worker["uncommitted"]),
                (&"starting".into(), &Value::Array(vec![]))
            );
        }
        for label in ["a-x", "b-y"] {
            let hooks = repo.worker(label).git(&["rev-parse", "--git-path", "hooks"]);
            assert!(hooks.ends_with(&format!(".git/pw/two/{label}/hooks")), "{hooks}");
        }
    })
    .sweep(not_created(""), &[RECORD_GROWS]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn advance() {
    let repo = crate::repo(pw_testkit::plans::WAVES);
    repo.pw("pw-setup create plan.yaml").data();
    repo.worker("base-model").write("model/a", "1").commit("[COMPLETE] model");
    repo.worker("side-extra").write("extra/b", "2").commit("[COMPLETE] extra");
    Story::new("pw-setup advance", |repo| {
        assert_eq!(repo.read("worktrees/top-api/model/a"), "1");
        assert_eq!(repo.read("worktrees/top-api/extra/b"), "2");
    })
    .sweep(repo, &[RECORD_GROWS]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn launch() {
    Story::new("pw-setup launch --with custom", |repo| {
        let record = repo.git(&["log", "--format=%s", "refs/pw/two/record"]);
        assert!(record.contains("launched a custom") && record.contains("launched b custom"));
    })
    .sweep(working(""), &[WORKER_COMMITS, RECORD_GROWS]);
}

#[test]
fn checkpoint() {
    let story = Story {
        folder: "worktrees/a-x",
        over: Some("nothing_to_commit"),
        ..Story::new("pw-worker checkpoint 'one step'", |repo| {
            let commit = repo.git(&["log", "-1", "--format=%s", "--name-only", "work/a-x"]);
            assert_eq!(commit, "[CHECKPOINT] one step\n\na");
        })
    };
    story.sweep(begun(), &[RECORD_GROWS]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn sync() {
    let repo = working("");
    complete_a(&repo);
    repo.worker("b-y").write("b", "2").commit("[CHECKPOINT] b");
    let story = Story {
        folder: "worktrees/b-y",
        ..Story::new("pw-worker sync a", |repo| {
            assert!(repo.git(&["show", "work/b-y:a"]).starts_with('1'));
        })
    };
    story.sweep(repo, &[WORKER_COMMITS, RECORD_GROWS]);
}

/// Whether the newest commit of `a` has this subject, and its work is in it.
fn says(repo: &TestRepo, subject: &str) {
    assert_eq!(repo.git(&["log", "-1", "--format=%s", "work/a-x"]), subject);
    assert_eq!(repo.git(&["show", "work/a-x:a"]), "1");
}

/// `a` has begun: what it wrote is not committed, and a file that is not its own lies beside it.
fn begun() -> TestRepo {
    let repo = working("");
    repo.worker("a-x").write("a", "1").write("stray", "not mine");
    repo
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn blocked() {
    let story = Story {
        folder: "worktrees/a-x",
        // Where the files cannot be committed, the signal is, alone, and that is said.
        is_whole: |data| !data["left"].as_array().unwrap().contains(&json!("a")),
        ..Story::new("pw-worker blocked network 'no way out'", |repo| {
            says(repo, "[BLOCKED:network] no way out");
        })
    };
    story.sweep(begun(), &[RECORD_GROWS]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn needs() {
    let story = Story {
        folder: "worktrees/a-x",
        is_whole: |data| !data["left"].as_array().unwrap().contains(&json!("a")),
        ..Story::new("pw-worker needs b part 'to build on'", |repo| {
            says(repo, "[NEEDS:b/part] to build on");
        })
    };
    story.sweep(begun(), &[RECORD_GROWS]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn complete() {
    let repo = working("");
    repo.worker("a-x").write("a", "1").commit("[CHECKPOINT] a");
    let story = Story {
        folder: "worktrees/a-x",
        ..Story::new("pw-worker complete 'all of it'", |repo| says(repo, "[COMPLETE] all of it"))
    };
    story.sweep(repo, &[RECORD_GROWS]);
}

#[test]
fn undo() {
    let repo = begun();
    repo.worker("a-x").write("README.md", "formatted\n");
    let story = Story {
        folder: "worktrees/a-x",
        changes: &["worktrees/a-x/README.md"],
        ..Story::new("pw-worker undo", |repo| {
            let a = repo.worker("a-x").path;
            let read = |path: &str| std::fs::read_to_string(a.join(path)).unwrap();
            assert_eq!((read("README.md"), read("a")), ("a project\n".into(), "1".into()));
            // What was undone is kept as a patch.
            let found = repo.shell("grep -rl '^+formatted' .git/pw").output().unwrap();
            assert!(!found.stdout.is_empty());
        })
    };
    story.sweep(repo, &[RECORD_GROWS]);
}
