//! Repositories with submodules.

use pw_testkit::plans::TWO;
use serde_json::Value;

use crate::repo;

const PLACE: &str = "worktrees/_integration-b-y";

#[test]
#[ignore = "long; .ci/run runs it"]
fn commits_of_submodules_are_merged_and_never_lost() {
    let plan = TWO.replace("[shared.txt]", "[lib]");
    let repo = repo(&format!("{plan}  - {{id: c, name: z, owns: [c]}}\n"));
    let lib = repo.beside("lib");
    repo.git(&["init", "-q", "-b", "main", lib.to_str().unwrap()]);
    repo.git_in(&lib, &["commit", "-q", "--allow-empty", "-m", "lib"]);
    repo.git(&["config", "protocol.file.allow", "always"]);
    let allow = ["-c", "protocol.file.allow=always", "submodule", "--quiet"];
    repo.git(&[&allow[..], &["add", lib.to_str().unwrap(), "lib"]].concat());
    repo.git(&["commit", "-q", "-m", "a submodule"]);
    let first = repo.git(&["rev-parse", "main:lib"]);
    repo.pw("pw-setup create plan.yaml").data();

    // Two bump it, each to a commit that is nowhere else.
    let mut bumps = Vec::new();
    for label in ["a-x", "b-y"] {
        let worker = repo.worker(label);
        worker.git(&[&allow[..], &["update", "--init"]].concat());
        let inner = worker.path.join("lib");
        repo.git_in(&inner, &["commit", "-q", "--allow-empty", "-m", label]);
        bumps.push(repo.git_in(&inner, &["rev-parse", "HEAD"]));
        worker.pw(&["checkpoint", "bump"]).data();
        worker.pw(&["complete", "bumped"]).data();
    }
    repo.worker("c-z").write("c", "1").commit("[COMPLETE] c");
    let conflicts = repo.pw("pw-monitor status").data()["conflicts"].clone();
    assert_eq!(conflicts[0]["findings"][0]["kind"], "submodule");

    let gitlink = |name: &str| repo.git(&["rev-parse", &format!("{name}:lib")]);
    repo.pw("pw-integrate run --without b").data();
    assert_eq!(gitlink("integration/two"), bumps[0]);
    let details =
        repo.pw("pw-integrate run --verbose").error(4, "merge_conflict")["details"].clone();
    let file = &details["conflicts"][0];
    let sides = [&file["base"], &file["ours"], &file["theirs"]].map(|side| side["oid"].clone());
    assert_eq!(sides, [&first, &bumps[0], &bumps[1]].map(|oid| Value::from(oid.as_str())));
    let hint = repo.pw("pw-integrate continue").error(4, "unresolved")["hint"].to_string();
    assert!(hint.contains("--cacheinfo 160000,"), "{hint}");
    let entry = format!("160000,{},lib", bumps[1]);
    repo.git_in(&repo.root().join(PLACE), &["update-index", "--cacheinfo", &entry]);
    repo.pw("pw-integrate continue").data();
    assert_eq!(gitlink("integration/two"), bumps[1]);
    repo.pw("pw-integrate finish").data();
    assert_eq!(gitlink("main"), bumps[1]);

    // Their commits are in the worktree's own part of git, which no snapshot can hold.
    for flag in ["", " --snapshot"] {
        let data = repo.pw(&format!("pw-integrate cleanup{flag}")).data();
        let kept = data["kept"].as_array().unwrap();
        let named: Vec<_> =
            kept.iter().map(|kept| (&kept["worker"], &kept["reasons"][0]["kind"])).collect();
        let nested = "nested_repository".into();
        assert_eq!(named, [(&"a".into(), &nested), (&"b".into(), &nested)]);
    }
    for (label, bump) in ["a-x", "b-y"].into_iter().zip(&bumps) {
        repo.git_in(&repo.worker(label).path.join("lib"), &["cat-file", "-e", bump]);
    }
    // Where it was not checked out, there is nothing to lose, and the snapshot names its commit.
    repo.pw("pw-integrate restore --snapshot c/1 --into worktrees/back").data();
    let back = repo.root().join("worktrees/back");
    assert_eq!(repo.git_in(&back, &["ls-files", "-s", "lib"]), format!("160000 {first} 0\tlib"));
    assert_eq!(repo.git_in(&back, &["status", "--porcelain"]), "");
}
