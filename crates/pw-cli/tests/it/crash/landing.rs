//! What comes after: landing on the base, removing what is merged, snapshots.

use pw_testkit::repo::TestRepo;
use serde_json::Value;

use super::{BRANCH_MOVES, RECORD_GROWS, Story, WORKER_COMMITS, finished};

/// Whatever is staged, and nothing more.
const WORKER_GOES_ON: &str = "cd worktrees/a-x || exit; \
    $GIT commit -q --no-verify --allow-empty -m '[COMPLETE] more'; $GIT rev-parse HEAD > $KEEP";
const USER_COMMITS: &str = "echo mine > m && $GIT add m && $GIT commit -q --no-verify -m mine; \
    $GIT rev-parse HEAD > $KEEP";
const BASE_MOVES: &str = "m=refs/heads/main; \
    $GIT update-ref $m $($GIT commit-tree -p $m -m mine $m^{tree}); $GIT rev-parse $m > $KEEP";
/// Where `a` is to be checked out; not when it is there already.
const IN_THE_WAY: &str = "test -e a || { echo mine > a; $GIT hash-object a > $KEEP; }";
const FILE_APPEARS: &str = "cd worktrees/b-y || cd worktrees/.removing-b-y || exit; \
    echo precious > late; $GIT hash-object late > $KEEP";
/// The next one, whichever that is.
const SNAPSHOT_APPEARS: &str = "r=refs/pw/two/snapshot/b/1; \
    $GIT rev-parse -q --verify $r && r=refs/pw/two/snapshot/b/2; \
    $GIT update-ref $r $($GIT commit-tree -p HEAD -m theirs HEAD^{tree}) ''; \
    $GIT rev-parse $r > $KEEP";
const BACK_APPEARS: &str = "mkdir -p worktrees/back && cd worktrees/back && echo mine > late && \
    $GIT hash-object late > $KEEP";
const BRANCH_APPEARS: &str = "b=refs/heads/back; $GIT rev-parse -q --verify $b || \
    $GIT update-ref $b $($GIT commit-tree -p HEAD -m mine HEAD^{tree}); $GIT rev-parse $b > $KEEP";

/// What landing changes of the main checkout, and what stood in its way.
const LANDED: &[&str] =
    &["a", "b", "m", "mine", "parts/changed", "parts/gone", "parts/new", ".git/index"];

/// Both are integrated, having passed a gate.
fn integrated() -> TestRepo {
    let repo = finished("verify: test -e a\n");
    repo.pw("pw-integrate run").data();
    repo
}

/// Both are integrated; `a` has gone on in every way that git does not keep, `b` has not.
fn integrated_and_busy() -> TestRepo {
    let repo = integrated();
    repo.worker("a-x").write("a", "staged").git(&["add", "a"]);
    repo.worker("a-x").write("a", "edited").write("note", "untracked").write(".env", "SECRET=2\n");
    repo
}

/// Both are removed; the snapshot `a/1` holds more than commits.
fn removed() -> TestRepo {
    let repo = integrated_and_busy();
    let data = repo.pw("pw-integrate cleanup --snapshot").data();
    assert_eq!(data["kept"], serde_json::json!([]));
    repo
}

/// Everything is on the base, and the record says so.
fn has_landed(repo: &TestRepo) {
    let record = repo.git(&["log", "--format=%s", "refs/pw/two/record"]);
    let finished = record.lines().find_map(|line| line.strip_prefix("finished ")).unwrap();
    assert!(repo.git(&["branch", "--contains", finished]).contains("main"), "{record}");
    let landed = repo.git(&["ls-tree", "--name-only", finished]);
    assert!(["a", "b"].iter().all(|path| landed.lines().any(|line| line == *path)), "{landed}");
    let status = ["--no-optional-locks", "status", "--porcelain", "-uno"];
    assert_eq!(repo.git(&status), "");
}

/// Whether no worker was kept only because of what went wrong, or as a git still runs in its worktree.
fn is_whole(data: &Value) -> bool {
    let kept = data["kept"].as_array().unwrap();
    let reasons = kept.iter().flat_map(|kept| kept["reasons"].as_array().unwrap());
    let mut kinds = reasons.map(|reason| reason["kind"].as_str().unwrap());
    !kinds.any(|kind| matches!(kind, "unreadable" | "changed_meanwhile" | "in_use"))
}

fn is_there(repo: &TestRepo, label: &str) -> bool {
    repo.root().join("worktrees").join(label).exists()
        || repo.git(&["worktree", "list"]).contains(label)
        || !repo.git(&["for-each-ref", &format!("refs/heads/work/{label}")]).is_empty()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn finish() {
    let story = Story {
        changes: LANDED,
        // When the user moves the integration branch after it has landed.
        over: Some("nothing_to_land"),
        clear: |repo| {
            std::fs::rename(repo.root().join("a"), repo.root().join("mine")).unwrap();
        },
        ..Story::new("pw-integrate finish", has_landed)
    };
    let races = [WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES, USER_COMMITS, IN_THE_WAY];
    story.sweep(integrated(), &races);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn finish_on_a_base_that_moved() {
    let repo = integrated();
    repo.write("elsewhere", "new");
    repo.git(&["add", "elsewhere"]);
    repo.git(&["commit", "-q", "-m", "meanwhile"]);
    repo.git(&["switch", "-q", "--detach"]);
    let races = [WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES, BASE_MOVES];
    let story = Story {
        when: "the base has moved",
        ..Story::new("pw-integrate finish --merge", has_landed)
    };
    story.sweep(repo, &races);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn finish_with_one_commit() {
    let story = Story {
        changes: LANDED,
        clear: |repo| {
            std::fs::rename(repo.root().join("a"), repo.root().join("mine")).unwrap();
        },
        ..Story::new("pw-integrate finish --squash -m 'feat: both'", |repo| {
            has_landed(repo);
            let subjects = repo.git(&["log", "--format=%s", "--first-parent", "main"]);
            assert_eq!(subjects.matches("feat: both").count(), 1, "{subjects}");
        })
    };
    let races = [WORKER_COMMITS, RECORD_GROWS, BRANCH_MOVES, USER_COMMITS, IN_THE_WAY];
    story.sweep(integrated(), &races);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn cleanup_of_what_landed() {
    let repo = integrated();
    repo.pw("pw-integrate finish").data();
    let story = Story {
        when: "the workflow has landed",
        changes: &["refs/heads/integration/two", "refs/pw/two/"],
        is_whole,
        ..Story::new("pw-integrate cleanup", |repo| {
            // Who went on after all was landed stays, and what lay in a worktree meanwhile.
            let left = repo.git(&["branch", "--no-merged", "main"]);
            assert!(left.contains("work/a-x") || !is_there(repo, "a-x"), "{left}");
            let late = repo.root().join("worktrees/b-y/late");
            assert!(late.exists() || !is_there(repo, "b-y"));
            assert_eq!(repo.git(&["show", "main:b"]), "2");
        })
    };
    story.sweep(repo, &[WORKER_GOES_ON, RECORD_GROWS, FILE_APPEARS]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn cleanup() {
    let story = Story {
        is_whole,
        ..Story::new("pw-integrate cleanup", |repo| {
            assert!(repo.root().join("worktrees/a-x/note").exists());
            let late = repo.root().join("worktrees/b-y/late");
            assert!(late.exists() || !is_there(repo, "b-y"));
        })
    };
    let repo = story.sweep(integrated_and_busy(), &[FILE_APPEARS, SNAPSHOT_APPEARS]);
    let story = Story {
        is_whole,
        ..Story::new("pw-integrate cleanup --snapshot", |repo| {
            // Who has gone on stays, and who is in the result no longer.
            let left = repo.git(&["branch", "--no-merged", "integration/two"]);
            assert!(left.contains("work/b-y") || !is_there(repo, "b-y"));
            if left.contains("work/a-x") {
                return;
            }
            assert!(!is_there(repo, "a-x"));
            assert_eq!(repo.git(&["show", "refs/pw/two/snapshot/a/1:note"]), "untracked");
            assert_eq!(repo.git(&["show", "refs/pw/two/snapshot/a/1^2:index/a"]), "staged");
        })
    };
    story.sweep(repo, &[WORKER_GOES_ON, RECORD_GROWS, BRANCH_MOVES, FILE_APPEARS]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn snapshots() {
    let story = Story {
        clear: |repo| {
            let folder = repo.root().join("worktrees");
            std::fs::rename(folder.join("back"), folder.join("theirs")).unwrap();
        },
        ..Story::new("pw-integrate restore --snapshot a/1 --into worktrees/back", |repo| {
            let back = repo.worker("back");
            assert_eq!(back.git(&["show", ":a"]), "staged");
            for (path, text) in [("a", "edited"), ("note", "untracked"), (".env", "SECRET=2\n")] {
                assert_eq!(repo.read(&format!("worktrees/back/{path}")), text);
            }
            assert!(!repo.git(&["worktree", "list", "--porcelain"]).contains("locked"));
        })
    };
    let repo = story.sweep(removed(), &[RECORD_GROWS, SNAPSHOT_APPEARS, BACK_APPEARS]);

    let story = Story {
        clear: |repo| drop(repo.git(&["branch", "-m", "back", "theirs"])),
        ..Story::new("pw-integrate restore --snapshot a/1 --branch back", |repo| {
            assert_eq!(repo.git(&["show", "back:note"]), "untracked");
        })
    };
    let repo = story.sweep(repo, &[RECORD_GROWS, SNAPSHOT_APPEARS, BRANCH_APPEARS]);

    let story = Story {
        changes: &["refs/pw/two/snapshot/a/1"],
        ..Story::new("pw-integrate forget --snapshot a/1", |repo| {
            let left = repo.git(&["for-each-ref", "--format=%(refname)", "refs/pw/two/snapshot"]);
            assert!(!left.contains("/a/1") && left.contains("/b/1"), "{left}");
            let record = repo.git(&["log", "--format=%s", "refs/pw/two/record"]);
            assert!(record.contains("forgot a/1"), "{record}");
        })
    };
    story.sweep(repo, &[RECORD_GROWS, SNAPSHOT_APPEARS]);
}
