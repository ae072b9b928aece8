//! Killed at every call of git, each command goes on when it is run again, and nothing is lost.

use pw_testkit::plans::THREE;
use pw_testkit::repo::TestRepo;

use crate::{created, repo};

/// Runs `command` with a git that kills the helper at its call number 1, 2, 3, …, before or after
/// it did its work; each time in a fresh repository of `prepare`, then once more undisturbed.
fn sweep(command: &str, prepare: &dyn Fn() -> TestRepo, intact: &dyn Fn(&TestRepo, usize)) {
    for when in ["before", "after"] {
        for call in 1.. {
            let mut repo = prepare();
            let counter = repo.beside("calls");
            let kill = "kill -9 $PPID; exit 1";
            let (before, after) = if when == "before" { (kill, "exit $code") } else { (":", kill) };
            repo.shim_git(&format!(
                "n=$(($(cat {0} 2>/dev/null || echo 0) + 1)); echo $n > {0}\n\
                 if [ $n = {call} ]; then {before}; fi\n\
                 $GIT \"$@\"; code=$?\n\
                 if [ $n = {call} ]; then {after}; fi\nexit $code",
                counter.display()
            ));
            let killed = repo.pw(command).code.is_none();
            repo.unshim_git();
            intact(&repo, call);
            repo.pw(command).data();
            if !killed {
                assert!(call > 3, "{command} made no calls");
                break;
            }
        }
    }
}

/// The user's checkout is as it was.
fn checkout_is_untouched(repo: &TestRepo) {
    assert_eq!(repo.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    assert_eq!(
        repo.git(&["status", "--porcelain"]).replace("?? worktrees/", "").trim(),
        "?? plan.yaml"
    );
    assert_eq!(repo.git(&["config", "--local", "core.bare"]), "false");
}

#[test]
fn create() {
    sweep("pw-setup create plan.yaml", &|| repo(THREE), &|repo, _| checkout_is_untouched(repo));
}

#[test]
fn run() {
    let prepare = || {
        let repo = created(THREE);
        for (label, path) in [
            ("task-1-users", "api/users.py"),
            ("task-2-posts", "api/posts.py"),
            ("task-3-docs", "docs/a"),
        ] {
            repo.worker(label).write(path, "1").commit("[COMPLETE] done");
        }
        repo
    };
    sweep("pw-integrate run", &prepare, &|repo, call| {
        checkout_is_untouched(repo);
        // All or nothing: either the branch is not there, or it has everybody.
        if repo
            .try_git(&repo.root(), &["rev-parse", "-q", "--verify", "integration/rest-api"])
            .status
            .success()
        {
            let files = repo.git(&["ls-tree", "-r", "--name-only", "integration/rest-api"]);
            assert_eq!(files.lines().count(), 4, "half an integration at call {call}: {files}");
        }
    });
}

#[test]
fn continue_after_a_resolution() {
    let prepare = || {
        let repo = created(THREE);
        repo.worker("task-1-users").write("shared.txt", "a\n").commit("[COMPLETE] a");
        repo.worker("task-2-posts").write("shared.txt", "b\n").commit("[COMPLETE] b");
        repo.worker("task-3-docs").write("docs/a", "1").commit("[COMPLETE] c");
        let error = repo.pw("pw-integrate run").error(4, "merge_conflict");
        let place = repo.root().join(error["details"]["worktree"].as_str().unwrap());
        std::fs::write(place.join("shared.txt"), "resolved\n").unwrap();
        repo.git_in(&place, &["add", "shared.txt"]);
        repo
    };
    let place = "worktrees/_integration-task-2-posts/shared.txt";
    for call in 1.. {
        let mut repo = prepare();
        let counter = repo.beside("calls");
        repo.shim_git(&format!(
            "n=$(($(cat {0} 2>/dev/null || echo 0) + 1)); echo $n > {0}\n\
             if [ $n = {call} ]; then kill -9 $PPID; exit 1; fi\nexec $GIT \"$@\"",
            counter.display()
        ));
        let killed = repo.pw("pw-integrate continue").code.is_none();
        repo.unshim_git();
        checkout_is_untouched(&repo);
        // The resolution is in the worktree until it is in the candidate, there until in the branch.
        let published = repo
            .try_git(&repo.root(), &["rev-parse", "-q", "--verify", "integration/rest-api"])
            .status
            .success();
        if !published {
            let kept =
                repo.try_git(&repo.root(), &["show", "refs/pw/rest-api/candidate:shared.txt"]);
            let is_kept = kept.stdout == b"resolved\n";
            assert!(is_kept || repo.read(place) == "resolved\n", "lost at call {call}");
            repo.pw("pw-integrate continue").data();
        }
        assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]), "resolved");
        assert_eq!(repo.git(&["show", "integration/rest-api:docs/a"]), "1");
        if !killed {
            break;
        }
    }
}
