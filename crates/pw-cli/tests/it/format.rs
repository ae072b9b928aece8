//! Repositories that keep refs in tables, or name objects by SHA-256.

use pw_testkit::plans::TWO;

use crate::{repo, wait};

const PLACE: &str = "worktrees/_integration-b-y";

#[test]
#[ignore = "long; .ci/run runs it"]
fn refs_in_tables_and_names_of_sha_256_change_nothing() {
    let plan = TWO.replace("owns: [b]", "owns: [b], after: [a]");
    let mut repo = repo(&format!("{plan}verify: 'true'\n"));
    std::fs::remove_dir_all(repo.root().join(".git")).unwrap();
    let init = ["init", "-q", "-b", "main", "--object-format=sha256", "--ref-format=reftable"];
    if !repo.try_git(&repo.root(), &init).status.success() {
        // An older git, which keeps every ref in a file.
        repo.git(&init[..5]);
    }
    repo.write("shared.txt", "base\n");
    repo.git(&["add", "README.md", "shared.txt"]);
    repo.git(&["commit", "-q", "-m", "first"]);
    repo.pw("pw-setup create plan.yaml").data();

    // A waiting process is woken, and not by the look that is taken every half a minute: there may be
    // no file for a branch.
    wait::observe(&mut repo);
    let waiting = wait::start_with(&repo, "--timeout 25s", 1);
    let a = repo.worker("a-x");
    a.write("a", "1").write("shared.txt", "a\n");
    a.pw(&["checkpoint", "one step"]).data();
    a.pw(&["complete", "all"]).data();
    let woken = wait::ended(waiting).data();
    assert!(woken["waited_seconds"].as_i64().unwrap() < 20, "{woken:#}");
    assert_eq!(
        (&woken["happened"], &woken["changes"][0]["kind"]),
        (&true.into(), &"completed".into())
    );
    repo.unshim_git();

    repo.pw("pw-setup advance").data();
    let a = repo.worker("a-x");
    let b = repo.worker("b-y");
    b.write("b", "1").write("shared.txt", "b\n");
    b.pw(&["checkpoint", "one step"]).data();
    b.pw(&["complete", "all"]).data();
    a.write("shared.txt", "a again\n").commit("[COMPLETE] again");
    let preview = repo.pw("pw-integrate preview").data();
    assert_eq!(preview["steps"][1]["conflicts"][0]["path"], "shared.txt");
    for text in ["both\n", ""] {
        repo.pw("pw-integrate run").error(4, "merge_conflict");
        if text.is_empty() {
            break;
        }
        repo.write(&format!("{PLACE}/shared.txt"), text);
        repo.git_in(&repo.root().join(PLACE), &["add", "shared.txt"]);
        repo.pw("pw-integrate abort").data();
    }
    // What was resolved is remembered.
    assert_eq!(repo.read(&format!("{PLACE}/shared.txt")), "both\n");
    repo.git_in(&repo.root().join(PLACE), &["add", "shared.txt"]);
    repo.pw("pw-integrate continue").data();
    repo.pw("pw-integrate finish").data();
    assert_eq!(repo.read("shared.txt"), "both\n");

    b.write("b", "more").write("new", "not committed");
    let removed = repo.pw("pw-integrate cleanup --snapshot").data()["removed"].clone();
    assert_eq!(removed.as_array().unwrap().len(), 2, "{removed:#}");
    repo.pw("pw-integrate restore --snapshot b/1 --into worktrees/back").data();
    let back = repo.root().join("worktrees/back");
    assert_eq!(repo.git_in(&back, &["status", "--porcelain"]), " M b\n?? new");
    let report = repo.pw("pw-retro report").data();
    assert_eq!(report["workers"].as_array().unwrap().len(), 2);
    repo.git(&["fsck", "--strict", "--no-dangling"]);
}
