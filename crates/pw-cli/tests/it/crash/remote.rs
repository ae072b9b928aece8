//! Where the plan has a remote: what happens here is there, or is brought there by the same command.

use pw_testkit::repo::TestRepo;

use super::{Story, finished, not_created};

/// The remote lies in git's own folder: it is saved and brought back with the repository.
const REMOTE: &str = ".git/remote.git";

/// A repository with a remote, in which nothing was created.
fn with_remote(repo: TestRepo) -> TestRepo {
    let remote = repo.root().join(REMOTE).to_string_lossy().into_owned();
    repo.git(&["init", "-q", "--bare", "-b", "main", &remote]);
    repo.git(&["remote", "add", "origin", &remote]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo
}

fn there(repo: &TestRepo, name: &str) -> String {
    let remote = repo.root().join(REMOTE);
    repo.git_in(&remote, &["for-each-ref", "--format=%(objectname)", name])
}

/// Whether the remote has this ref as it is here.
fn is_published(repo: &TestRepo, name: &str) {
    assert_eq!(there(repo, name), repo.git(&["rev-parse", name]), "{name}");
}

/// The worktree of `a` as another clone made it: branch and record are on the remote alone.
fn elsewhere() -> TestRepo {
    let repo = with_remote(not_created("remote: origin\n"));
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    for (label, file) in [("a-x", "a"), ("b-y", "b")] {
        repo.worker(label).write(file, "1").pw(&["checkpoint", "half"]).data();
        let worktree = format!("worktrees/{label}");
        repo.git(&["worktree", "remove", "-f", "-f", &worktree]);
        repo.git(&["branch", "-D", &format!("work/{label}")]);
    }
    repo.git(&["update-ref", "-d", "refs/pw/two/record"]);
    std::fs::remove_dir_all(repo.root().join(".git/pw")).unwrap();
    repo
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn create() {
    let repo = with_remote(not_created("remote: origin\n"));
    let story = Story {
        when: "with a remote",
        changes: &["refs/pw-remote/", "refs/remotes/"],
        // What did not reach the remote is said, and brought there by the same command.
        is_whole: |data| !data["notes"].to_string().contains("the record is not published"),
        ..Story::new("pw-setup create plan.yaml --no-trial", |repo| {
            for name in ["refs/heads/work/a-x", "refs/heads/work/b-y", "refs/pw/two/record"] {
                is_published(repo, name);
            }
        })
    };
    story.sweep(repo, &[]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn join() {
    let story = Story {
        changes: &["refs/pw-remote/", "refs/remotes/"],
        ..Story::new("pw-setup join a --workflow two", |repo| {
            let a = repo.worker("a-x");
            assert_eq!(a.git(&["show", "HEAD:a"]), "1");
            let hooks = a.git(&["rev-parse", "--git-path", "hooks"]);
            assert!(hooks.ends_with(".git/pw/two/a-x/hooks"), "{hooks}");
            is_published(repo, "refs/heads/work/a-x");
        })
    };
    story.sweep(elsewhere(), &[]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn run() {
    let repo = with_remote(finished(""));
    // What was created before is published by what comes next.
    let plan = repo.read("plan.yaml") + "remote: origin\n";
    repo.write("plan.yaml", &plan);
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    let story = Story {
        when: "with a remote",
        changes: &["refs/pw-remote/", "refs/remotes/"],
        ..Story::new("pw-integrate run --no-gate", |repo| {
            assert_eq!(repo.git(&["show", "integration/two:b"]), "2");
            for name in ["refs/heads/integration/two", "refs/pw/two/record"] {
                is_published(repo, name);
            }
        })
    };
    story.sweep(repo, &[]);
}
