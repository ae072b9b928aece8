//! Where the user's checkout is sparse.

use std::path::Path;

use pw_testkit::plans::TWO;

use crate::repo;

const PLACE: &str = "worktrees/_integration-b-y";

#[test]
fn a_sparse_checkout_gives_workers_their_files_and_loses_none() {
    let plan = TWO.replace("owns: [a]", "owns: ['a/*.c']").replace("[shared.txt]", "[in/shared]");
    let repo = repo(&format!("{plan}verify: test -f out/deep/h && test -f a/new.c\n"));
    for path in ["in/shared", "out/g", "out/deep/h", "a/old.c", "b/old"] {
        repo.write(path, "base\n");
    }
    repo.git(&["add", "in", "out", "a", "b"]);
    repo.git(&["commit", "-q", "-m", "folders"]);
    repo.git(&["sparse-checkout", "set", "in"]);
    repo.pw("pw-setup create plan.yaml").data();
    let [a, b] = ["a-x", "b-y"].map(|label| repo.worker(label));
    let has = |folder: &Path, path: &str| folder.join(path).exists();
    assert!(has(&a.path, "a/old.c") && has(&a.path, "in/shared") && has(&b.path, "b/old"));
    assert!(!has(&a.path, "b") && !has(&a.path, "out") && !has(&b.path, "a"));

    a.write("a/new.c", "1").write("in/shared", "a\n");
    b.write("b/old", "2").write("in/shared", "b\n");
    for worker in [&a, &b] {
        worker.pw(&["checkpoint", "one step"]).data();
        worker.pw(&["complete", "all"]).data();
        assert_eq!(worker.git(&["status", "--porcelain"]), "");
    }
    assert_eq!(a.git(&["diff", "--name-only", "main", "HEAD"]), "a/new.c\nin/shared");
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    let place = repo.root().join(PLACE);
    assert!(
        has(&place, "out/deep/h") && has(&place, "b/old"),
        "the session that resolves sees all"
    );
    std::fs::write(place.join("in/shared"), "both\n").unwrap();
    repo.git_in(&place, &["add", "in/shared"]);
    repo.pw("pw-integrate continue").data();

    repo.pw("pw-integrate finish").data();
    assert_eq!(repo.read("in/shared"), "both\n");
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? plan.yaml");
    assert!(!has(&repo.root(), "a") && !has(&repo.root(), "b") && !has(&repo.root(), "out"));

    // What is skipped and not there is no deletion; what is there all the same is work.
    b.write("out/g", "mine");
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(
        (&data["removed"][0]["worker"], &data["kept"][0]["worker"]),
        (&"a".into(), &"b".into())
    );
    assert_eq!(data["kept"][0]["reasons"][0]["paths"], serde_json::json!(["out/g"]));
    let data = repo.pw("pw-integrate cleanup --snapshot").data();
    repo.follow(&data["removed"][0]["restore"]);
    let back = repo.root().join("worktrees/_restored-b-1");
    assert_eq!(std::fs::read_to_string(back.join("out/g")).unwrap(), "mine");
    assert_eq!(repo.git_in(&back, &["status", "--porcelain"]), " M out/g");
}

#[test]
fn where_patterns_are_no_cone_a_worker_has_everything() {
    let repo = repo(TWO);
    for path in ["in/f", "out/deep/h", "b/old"] {
        repo.write(path, "base\n");
    }
    repo.git(&["add", "in", "out", "b"]);
    repo.git(&["commit", "-q", "-m", "folders"]);
    repo.git(&["sparse-checkout", "set", "--no-cone", "/in/*", "!/b/"]);
    repo.pw("pw-setup create plan.yaml").data();
    let b = repo.worker("b-y");
    assert!(b.path.join("b/old").exists() && b.path.join("out/deep/h").exists());
    assert_eq!(b.git(&["status", "--porcelain"]), "");
}
