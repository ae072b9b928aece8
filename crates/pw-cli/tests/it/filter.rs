//! Filters as git-lfs has them: what is stored is not what is checked out.

use pw_testkit::plans::TWO;
use pw_testkit::repo::TestRepo;

use crate::repo;

const PLACE: &str = "worktrees/_integration-b-y";

/// The filter that checks out works, or fails.
fn smudge(repo: &TestRepo, works: bool) {
    let line = if works { "sed s/stored:/disk:/" } else { "exit 7" };
    std::fs::write(repo.beside("smudge"), line).unwrap();
}

/// With a filter that fails, a command says so and leaves everything as it was; with one that
/// works, it goes on. Returns its answer.
fn tried(repo: &TestRepo, command: &str) -> pw_testkit::repo::Answer {
    let state = || {
        let refs = repo.git(&["for-each-ref", "refs/heads/main", "refs/heads/integration"]);
        (refs, repo.git(&["status", "--porcelain"]))
    };
    let before = state();
    smudge(repo, false);
    let error = repo.pw(command).error(1, "program_failed");
    assert!(error["details"]["git"].as_str().unwrap().contains("failed 7"), "{error:#}");
    assert_eq!(state(), before, "{command}");
    smudge(repo, true);
    repo.pw(command)
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn everybody_sees_what_is_checked_out_and_a_filter_that_fails_leaves_nothing_half_done() {
    let repo = repo(&format!("{TWO}verify: 'grep -q ^disk: shared.txt'\n"));
    smudge(&repo, true);
    let script = format!("sh '{}'", repo.beside("smudge").display());
    for (key, value) in [
        ("filter.store.clean", "sed s/disk:/stored:/"),
        ("filter.store.smudge", &script),
        ("filter.store.required", "true"),
    ] {
        repo.git(&["config", key, value]);
    }
    repo.write(".gitattributes", "shared.txt filter=store\n");
    repo.write("shared.txt", "disk:base\n");
    repo.git(&["add", ".gitattributes", "shared.txt"]);
    repo.git(&["commit", "-q", "-m", "filtered"]);
    assert_eq!(repo.git(&["show", "main:shared.txt"]), "stored:base");

    tried(&repo, "pw-setup create plan.yaml").data();
    for (label, path) in [("a-x", "a"), ("b-y", "b")] {
        let worker = repo.worker(label);
        assert_eq!(repo.read(&format!("worktrees/{label}/shared.txt")), "disk:base\n");
        worker.write("shared.txt", &format!("disk:{path}\n")).write(path, "1");
        worker.pw(&["checkpoint", "one step"]).data();
        worker.pw(&["complete", "all"]).data();
    }
    // The gate sees what a person would; then so does the session that resolves.
    tried(&repo, "pw-integrate run --without b").data();
    tried(&repo, "pw-integrate run").error(4, "merge_conflict");
    let conflicted = repo.read(&format!("{PLACE}/shared.txt"));
    assert!(
        conflicted.contains("\ndisk:a\n=") && conflicted.contains("\ndisk:b\n>"),
        "{conflicted}"
    );
    repo.write(&format!("{PLACE}/shared.txt"), "disk:both\n");
    repo.git_in(&repo.root().join(PLACE), &["add", "shared.txt"]);
    tried(&repo, "pw-integrate continue").data();
    assert_eq!(repo.git(&["show", "integration/two:shared.txt"]), "stored:both");
    tried(&repo, "pw-integrate finish").data();
    assert_eq!(repo.read("shared.txt"), "disk:both\n");
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? plan.yaml");

    // Snapshots hold what was on disk: bringing one back needs no filter.
    repo.worker("b-y").write("shared.txt", "disk:not committed\n");
    smudge(&repo, false);
    repo.pw("pw-integrate cleanup --snapshot").data();
    repo.pw("pw-integrate restore --snapshot b/1 --into worktrees/back").data();
    assert_eq!(repo.read("worktrees/back/shared.txt"), "disk:not committed\n");
}
