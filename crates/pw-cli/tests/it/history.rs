//! Shallow clones, and branches that have nothing in common with the others.

use pw_testkit::plans::TWO;
use pw_testkit::repo::TestRepo;

use crate::{created, repo};

/// Makes the repository a clone that has only the newest commit of its upstream; returns that.
fn shallow() -> (TestRepo, String) {
    let repo = repo(TWO);
    let upstream = repo.beside("upstream");
    std::fs::rename(repo.root(), &upstream).unwrap();
    repo.git_in(&upstream, &["commit", "-q", "--allow-empty", "-m", "second"]);
    let url = format!("file://{}", upstream.display());
    let root = repo.root();
    let clone = ["clone", "-q", "--depth", "1", &url, root.to_str().unwrap()];
    repo.git_in(&upstream, &clone);
    repo.write("plan.yaml", TWO);
    repo.pw("pw-setup create plan.yaml").data();
    (repo, upstream.display().to_string())
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_shallow_clone_merges_unless_it_cannot_know_the_merge_base() {
    let (repo, upstream) = shallow();
    let [a, b] = ["a-x", "b-y"].map(|label| repo.worker(label));
    a.write("a", "1").commit("[COMPLETE] a");
    b.write("b", "1").commit("[COMPLETE] b");
    assert_eq!(repo.pw("pw-integrate preview").data()["clean"], true);
    repo.pw("pw-integrate run --without b").data();

    // Each takes in another state of the upstream; that one comes after the other is cut off.
    let takes_in = |worker: &pw_testkit::repo::Worker<'_>, change: &str| {
        let line = format!("cd '{upstream}' && {change} && git commit -q -m upstream");
        assert!(repo.shell(&line).status().unwrap().success());
        repo.git(&["fetch", "-q", "--depth", "1", "origin", "+main:upstream"]);
        let merge = ["merge", "-q", "--allow-unrelated-histories", "-m", "upstream", "upstream"];
        worker.git(&merge);
        worker.commit("[COMPLETE] with upstream");
    };
    takes_in(&a, "echo 1 > old && git add old");
    takes_in(&b, "git rm -q old");
    let before = repo.git(&["for-each-ref"]);
    for command in ["preview", "run --allow-out-of-scope"] {
        let error = repo.pw(&format!("pw-integrate {command}")).error(3, "no_merge_base");
        assert_eq!(error["next"], "git fetch --unshallow");
    }
    repo.git(&["reset", "-q", "--hard", "upstream"]);
    let error = repo.pw("pw-integrate finish --without b").error(3, "no_base");
    assert_eq!(error["next"], "git fetch --unshallow");
    repo.git(&["reset", "-q", "--hard", "main@{1}"]);
    assert_eq!(repo.git(&["for-each-ref"]), before, "refused, and refs changed");

    repo.follow(&error["next"]);
    repo.pw("pw-integrate run --allow-out-of-scope").data();
    repo.git(&["reset", "-q", "--hard", "upstream"]);
    repo.pw("pw-integrate finish").data();
    assert_eq!((repo.read("a"), repo.read("b")), ("1".to_owned(), "1".to_owned()));
    assert!(!repo.root().join("old").exists(), "what the upstream removed came back");
    assert_eq!(repo.pw("pw-integrate cleanup").data()["removed"].as_array().unwrap().len(), 2);
}

#[test]
fn a_shallow_clone_may_only_not_know_what_a_branch_contains() {
    let (repo, upstream) = shallow();
    let a = repo.worker("a-x");
    a.write("a", "1").commit("[COMPLETE] a");
    a.git(&["push", "-q", &upstream, "HEAD:refs/heads/a"]);
    a.git(&["fetch", "-q", "--depth", "1", "origin", "a"]);
    let error = repo.pw("pw-integrate run --without b").error(3, "not_ready");
    let reasons = error["details"]["workers"][0]["reasons"].to_string();
    assert!(reasons.contains("history_rewritten"), "{error:#}");
    repo.follow(&error["next"]);
    repo.pw("pw-integrate run --without b").data();
}

#[test]
fn branches_with_nothing_in_common_are_named_and_stay() {
    let repo = created(TWO);
    for (label, path) in [("a-x", "a"), ("b-y", "b")] {
        repo.worker(label).write(path, "1").commit(&format!("[COMPLETE] {path}"));
    }
    // The same branch with another beginning.
    repo.worker("a-x").git(&["checkout", "-q", "--orphan", "anew"]);
    repo.worker("a-x").commit("[COMPLETE] anew");
    repo.worker("a-x").git(&["checkout", "-q", "-B", "work/a-x"]);
    let orphan = repo.git(&["rev-parse", "work/a-x"]);

    let preview = repo.pw("pw-integrate preview").data();
    assert_eq!(
        (&preview["skipped"][0]["worker"], preview["steps"].as_array().unwrap().len()),
        (&"a".into(), 1)
    );
    let error = repo.pw("pw-integrate run --allow-out-of-scope").error(3, "not_ready");
    let kinds = error["details"]["workers"][0]["reasons"].to_string();
    assert!(kinds.contains("history_rewritten") && error["hint"].to_string().contains("--without"));
    let head = repo.git(&["rev-parse", "work/b-y"]);
    repo.worker("b-y").pw(&["sync", "a"]).error(3, "no_merge_base");
    assert_eq!(repo.git(&["rev-parse", "work/b-y"]), head);
    repo.pw("pw-integrate run --without a").data();

    repo.git(&["checkout", "-q", "--orphan", "afresh"]);
    repo.git(&["commit", "-q", "-m", "anew"]);
    repo.git(&["checkout", "-q", "-B", "main"]);
    for merge in ["", " --merge"] {
        let error = repo.pw(&format!("pw-integrate finish --without a{merge}")).error(3, "no_base");
        assert!(!error["next"].to_string().contains("unshallow"), "{error:#}");
    }
    let kept = repo.pw("pw-integrate cleanup").data()["kept"].clone();
    assert_eq!(
        (&kept[0]["worker"], &kept[0]["reasons"][0]["kind"]),
        (&"a".into(), &"not_merged".into())
    );
    assert_eq!(repo.worker("a-x").git(&["rev-parse", "HEAD"]), orphan);
}
