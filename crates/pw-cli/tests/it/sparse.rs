//! Where the user's checkout is sparse.

use std::path::Path;

use pw_testkit::plans::TWO;

use crate::repo;

const PLACE: &str = "worktrees/_integration-b-y";

#[test]
#[ignore = "long; .ci/run runs it"]
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

/// A plan whose worker `a` reads one folder besides its own; `b` reads all.
fn reading() -> String {
    TWO.replace("owns: [a]", "owns: ['a/**'], reads: ['lib/*.h']")
        .replace("owns: [b]", "owns: ['b/**']")
}

fn large(repo: &pw_testkit::repo::TestRepo) {
    for path in ["lib/x.h", "lib/deep/y.h", "docs/guide", "a/old.c", "b/old", "top"] {
        repo.write(path, &format!("{path}\n"));
    }
    repo.git(&["add", "lib", "docs", "a", "b", "top"]);
    repo.git(&["commit", "-q", "-m", "folders"]);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_worker_has_its_scope_and_what_the_plan_says_it_reads() {
    let repo = repo(&reading());
    large(&repo);
    repo.pw("pw-setup create plan.yaml").data();
    let [a, b] = ["a-x", "b-y"].map(|label| repo.worker(label));
    let has = |path: &str| a.path.join(path).exists();
    assert!(has("lib/x.h") && has("lib/deep/y.h") && has("a/old.c") && has("top"));
    assert!(!has("docs") && !has("b") && b.path.join("docs/guide").exists());
    let brief = a.pw(&["brief"]).data();
    assert_eq!(brief["checkout"]["folders"], serde_json::json!(["a", "lib", "shared.txt"]));
    assert!(b.pw(&["brief"]).data().get("checkout").is_none());

    // More is there when it asks for it, as its brief says.
    let more = brief["checkout"]["more"].as_str().unwrap().replace("FOLDER", "docs");
    a.git(&more.split(' ').skip(1).collect::<Vec<_>>());
    assert!(has("docs/guide"));
    a.write("a/new.c", "1");
    b.write("b/new", "2");
    for worker in [&a, &b] {
        worker.pw(&["checkpoint", "one step"]).data();
        worker.pw(&["complete", "all"]).data();
        assert_eq!(worker.git(&["status", "--porcelain"]), "");
    }
    repo.pw("pw-integrate run").data();
    repo.pw("pw-integrate finish").data();
    repo.pw("pw-integrate cleanup").data();
    assert_eq!(repo.read("a/new.c") + &repo.read("b/new"), "12");
    assert!(repo.root().join("docs/guide").exists());
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? plan.yaml");
}

#[test]
fn what_a_changed_plan_reads_is_there_and_work_is_not_touched() {
    let repo = repo(&reading());
    large(&repo);
    repo.pw("pw-setup create plan.yaml").data();
    let a = repo.worker("a-x");
    a.write("a/old.c", "mine").write("a/fresh", "new");
    repo.write("plan.yaml", &reading().replace("['lib/*.h']", "[docs]"));
    repo.pw("pw-setup create plan.yaml").data();
    let read = |path: &str| std::fs::read_to_string(a.path.join(path)).unwrap();
    assert_eq!(read("docs/guide") + &read("a/old.c") + &read("a/fresh"), "docs/guide\nminenew");
    assert!(a.path.join("lib/x.h").exists(), "nothing that a session may have open is taken away");
    // A worktree that was removed by hand is made of the same folders again.
    a.pw(&["checkpoint", "one"]).data();
    std::fs::remove_dir_all(&a.path).unwrap();
    repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(read("docs/guide") + &read("a/old.c"), "docs/guide\nmine");
    assert!(!a.path.join("lib").exists() && !a.path.join("b").exists());
}

#[test]
fn a_clone_without_contents_fetches_what_its_worker_reads_alone() {
    let repo = repo(&format!("{}remote: origin\n", reading()));
    large(&repo);
    let remote = repo.beside("remote.git");
    repo.git(&["init", "-q", "--bare", "-b", "main", &remote.to_string_lossy()]);
    repo.git_in(&remote, &["config", "uploadpack.allowFilter", "true"]);
    repo.git(&["remote", "add", "origin", &remote.to_string_lossy()]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo.pw("pw-setup create plan.yaml").data();

    let lazy = repo.beside("lazy");
    let url = format!("file://{}", remote.display());
    let clone = ["clone", "-q", "--no-checkout", "--filter=blob:none", &url];
    repo.git(&[&clone[..], &[&*lazy.to_string_lossy()]].concat());
    repo.pw_in(&lazy, &["pw-setup", "join", "a"]).data();
    let worktree = lazy.join("worktrees/a-x");
    std::fs::write(worktree.join("a/new.c"), "1").unwrap();
    repo.pw_in(&worktree, &["pw-worker", "checkpoint", "one step"]).data();
    repo.pw_in(&worktree, &["pw-worker", "complete"]).data();

    let missing = ["rev-list", "--objects", "--missing=print", "origin/main"];
    let missing = repo.git_in(&lazy, &missing);
    let is_here = |path: &str| {
        let blob = repo.git(&["rev-parse", &format!("main:{path}")]);
        !missing.contains(&format!("?{blob}"))
    };
    assert!(is_here("lib/x.h") && is_here("a/old.c") && is_here("top"));
    assert!(!is_here("docs/guide") && !is_here("b/old"));
    repo.pw("pw-monitor status --fetch").data();
}
