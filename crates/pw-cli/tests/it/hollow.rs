//! Entries whose content no commit holds: repositories inside the worktree, links that lead out.

use pw_testkit::plans::TWO;
use pw_testkit::rows::rows;
use serde_json::{Value, json};

use crate::{created, repo};

/// What leads to a hollow entry in `a/`, and to a commit once it is refused.
const HOLLOW: &[(&str, &str, &str)] = &[
    ("a repository without a commit", "git init -q a/app; echo 1 >a/app/f", "rm -r a/app/.git"),
    (
        "one with a commit",
        "git init -q a/app; cd a/app; echo 1 >f; git add f; git commit -qnm x",
        "rm -rf a/app/.git",
    ),
    (
        "one that is staged",
        "git init -q a/app; cd a/app; echo 1 >f; git add f; git commit -qnm x; cd ../..; git add a/app",
        "git rm -qf --cached a/app; rm -rf a/app/.git",
    ),
    (
        "deep in a new folder",
        "git init -q a/new/deep/app; echo 1 >a/new/f; echo 1 >a/new/deep/app/f",
        "rm -r a/new/deep/app/.git",
    ),
    (
        "in place of a file",
        "rm a/f; git init -q a/f; cd a/f; echo 1 >f; git add f; git commit -qnm x",
        "rm -rf a/f/.git",
    ),
    (
        "another worktree",
        "git worktree add -q --detach a/app",
        "git worktree remove a/app; echo 1 >a/new",
    ),
    ("an absolute link", "ln -s /etc/passwd a/app", "ln -sf f a/app"),
    ("a link out of the repository", "ln -s ../../../x a/app", "ln -sf f a/app"),
    ("a link to git's own files", "ln -s ../.git a/app", "ln -sf f a/app"),
    ("a pipe", "rm a/f; mkfifo a/f", "rm a/f"),
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn no_commit_without_its_content() {
    let repo = repo(TWO);
    repo.write("a/f", "f");
    repo.git(&["add", "a"]);
    repo.git(&["commit", "-q", "-m", "files"]);
    repo.pw("pw-setup create plan.yaml").data();
    let worker = repo.worker("a-x");
    let start = worker.git(&["rev-parse", "HEAD"]);
    let state = || worker.git(&["status", "--porcelain=v2", "--branch", "-uall"]);
    for (what, script, correct) in rows(HOLLOW) {
        repo.sh(&worker.path, script);
        let before = state();
        for words in [&["checkpoint", "x"][..], &["complete", "x"]] {
            let error = worker.pw(words).error(3, "hollow_entry");
            assert!(error["hint"].as_str().unwrap().contains("a/"), "{what}: {error}");
            assert_eq!(error["details"]["paths"].as_array().unwrap().len(), 1, "{what}: {error}");
            assert_eq!(state(), before, "{what}");
        }
        // Other files of its own are not held up by it; nor is a worker that is stuck.
        worker.write("a/other", "1");
        let data = worker.pw(&["checkpoint", "x", "--path", "a/other"]).data();
        assert_eq!(data["paths"], json!(["a/other"]), "{what}");
        worker.write("a/more", "1");
        let data = worker.pw(&["blocked", "what now"]).data();
        let wanted = if *what == "deep in a new folder" {
            json!(["a/more", "a/new/f"])
        } else {
            json!(["a/more"])
        };
        assert_eq!((&data["paths"], data["left"] == json!([])), (&wanted, false), "{what}: {data}");
        assert!(data["notes"][0].as_str().unwrap().starts_with("left: "), "{what}: {data}");

        repo.sh(&worker.path, correct);
        worker.pw(&["checkpoint", "x"]).data();
        worker.pw(&["complete", "x"]).data();
        assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["ready"], true, "{what}");
        worker.git(&["reset", "-q", "--hard", &start]);
        worker.git(&["clean", "-qffdx"]);
    }
    // A bare repository is plain files.
    repo.sh(&worker.path, "git init -q --bare a/bare.git");
    worker.pw(&["checkpoint", "x"]).data();
}

#[test]
fn what_a_branch_holds_already_does_not_land_unseen() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    repo.sh(&worker.path,
        "mkdir a; ln -s /etc/passwd a/link; git init -q a/app; cd a/app; git commit -qm x --allow-empty",
    );
    // With plain git, past the hooks.
    worker.commit("[COMPLETE] x");
    let tip = worker.git(&["rev-parse", "HEAD"]);
    repo.worker("b-y").write("b", "1").commit("[COMPLETE] y");
    let status = repo.pw("pw-monitor status").data();
    let reason = &status["workers"][0]["reasons"][0];
    assert_eq!(
        (&reason["kind"], &reason["paths"]),
        (&json!("hollow_entry"), &json!(["a/app", "a/link"]))
    );
    let preview = repo.pw("pw-integrate preview").data();
    let kinds = |step: &Value| {
        step["conflicts"].as_array().unwrap().iter().map(|c| c["kind"].clone()).collect::<Vec<_>>()
    };
    let step =
        preview["steps"].as_array().unwrap().iter().find(|step| step["worker"] == "a").unwrap();
    assert_eq!((kinds(step), &preview["clean"]), (vec![json!("hollow_entry"); 2], &json!(false)));
    for flag in ["", " --allow-out-of-scope"] {
        repo.pw(&format!("pw-integrate run{flag}")).error(3, "not_ready");
    }
    assert_eq!(worker.git(&["rev-parse", "HEAD"]), tip);
    worker.pw(&["complete", "again"]).error(3, "hollow_entry");

    repo.sh(
        &worker.path,
        "git rm -qf --cached a/app; rm -rf a/app/.git; rm a/link; echo 1 >a/app/f",
    );
    worker.pw(&["checkpoint", "files"]).data();
    worker.pw(&["complete", "files"]).data();
    repo.pw("pw-integrate run").data();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_submodule_needs_its_line_in_gitmodules() {
    let repo = created(TWO);
    let lib = repo.beside("lib");
    repo.sh(
        &repo.root(),
        &format!("git init -q {0}; cd {0}; git commit -qm x --allow-empty", lib.display()),
    );
    repo.git(&["config", "protocol.file.allow", "always"]);
    let worker = repo.worker("a-x");
    let add =
        format!("git -c protocol.file.allow=always submodule --quiet add {} a/lib", lib.display());
    repo.sh(&worker.path, &add);
    // No worker owns .gitmodules.
    worker.pw(&["checkpoint", "x"]).error(3, "out_of_scope");
    let data = worker.pw(&["blocked", "a submodule"]).data();
    assert_eq!((&data["paths"], &data["left"]), (&json!([]), &json!([".gitmodules", "a/lib"])));
    worker.git(&["restore", "--staged", ".gitmodules"]);
    worker.pw(&["checkpoint", "x"]).error(3, "hollow_entry");

    // The plan shares the file.
    let plan = TWO.replace("[shared.txt]", "[shared.txt, .gitmodules]");
    repo.write("plan.yaml", &plan);
    repo.pw("pw-setup create plan.yaml").data();
    let data = worker.pw(&["checkpoint", "x"]).data();
    assert_eq!(data["paths"], json!([".gitmodules", "a/lib"]));
    worker.pw(&["complete", "x"]).data();
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["ready"], true);

    // What the submodule has not committed, a checkpoint cannot.
    worker.write("a/lib/new", "1").write("a/file", "1");
    assert_eq!(worker.pw(&["checkpoint", "x"]).data()["left"], json!(["a/lib"]));
    for words in [&["checkpoint", "x"][..], &["complete", "x"]] {
        let error = worker.pw(words).error(3, "hollow_entry");
        assert!(error["hint"].as_str().unwrap().contains("commit in a/lib"), "{error}");
    }
    repo.sh(&worker.path, "cd a/lib; git add new; git commit -qnm new");
    let data = worker.pw(&["checkpoint", "bump"]).data();
    assert_eq!(data["paths"], json!(["a/lib"]));
    assert!(data["notes"][0].as_str().unwrap().contains("push it from a/lib"), "{data}");
    // No other clone could check that commit out.
    let data = worker.pw(&["complete", "x"]).data();
    assert!(data["notes"][0].as_str().unwrap().contains("push it from a/lib"), "{data}");
    repo.sh(&worker.path, "cd a/lib; git push -q origin HEAD:refs/heads/new");
    worker.pw(&["complete", "x"]).data();

    // Its line is taken away, and it stays.
    worker.git(&["rm", "-q", "--cached", ".gitmodules"]);
    std::fs::remove_file(worker.path.join(".gitmodules")).unwrap();
    worker.pw(&["checkpoint", "x"]).error(3, "hollow_entry");
}

#[test]
fn a_link_that_only_moves_was_there_before() {
    let repo = repo(TWO);
    repo.sh(&repo.root(), "mkdir a; ln -s /opt/tool a/tool; git add a; git commit -qm tool");
    repo.pw("pw-setup create plan.yaml").data();
    let worker = repo.worker("a-x");
    worker.git(&["mv", "a/tool", "a/moved"]);
    worker.commit("[COMPLETE] moved");
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["ready"], true);
}

#[test]
fn a_resolution_is_no_way_around() {
    let repo = created(TWO);
    for (label, text) in [("a-x", "1"), ("b-y", "2")] {
        repo.worker(label).write("shared.txt", text).commit("[COMPLETE] x");
    }
    let details = repo.pw("pw-integrate run").error(4, "merge_conflict")["details"].clone();
    let place = repo.root().join(details["worktree"].as_str().unwrap());
    let resolve = "echo 3 >shared.txt; git init -q app; cd app; git commit -qm x --allow-empty; cd ..; git add . 2>/dev/null";
    repo.sh(&place, resolve);
    let error = repo.pw("pw-integrate continue").error(3, "hollow_entry");
    assert_eq!(error["details"]["paths"], json!(["app"]));
    assert_eq!(repo.pw("pw-monitor status").data()["integration"]["stopped_at"], "b");
    repo.sh(&place, "git rm -qf --cached app; rm -rf app");
    repo.follow(&json!(format!(
        "cd {} && {}",
        repo.root().display(),
        error["next"].as_str().unwrap()
    )));
}

/// Links in `a/`, the last of which leads out through those before it.
const THROUGH: &[&str] = &[
    "mkdir a/d; ln -s .. a/d/up; ln -s d/up/../../etc/x a/out",
    "ln -s .. a/up; ln -s up/../x a/out",
    "ln -s .. a/up; ln -s up/.git/config a/out",
    "ln -s .. a/up; ln -s up a/again; ln -s again/../x a/out",
    "ln -s ../opt/passwd a/out",
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_link_that_leads_out_through_others_is_seen_before_and_after_its_commit() {
    let repo = repo(TWO);
    repo.sh(
        &repo.root(),
        "mkdir a; echo f >a/f; ln -s /etc opt; git add a opt; git commit -qm files",
    );
    repo.pw("pw-setup create plan.yaml").data();
    let worker = repo.worker("a-x");
    let start = worker.git(&["rev-parse", "HEAD"]);
    for script in THROUGH {
        repo.sh(&worker.path, script);
        let error = worker.pw(&["checkpoint", "x"]).error(3, "hollow_entry");
        assert_eq!(error["details"]["paths"], json!(["a/out"]), "{script}");
        worker.commit("[COMPLETE] past the hooks");
        let status = repo.pw("pw-monitor status").data();
        let reason = &status["workers"][0]["reasons"][0];
        assert_eq!(
            (&reason["kind"], &reason["paths"]),
            (&json!("hollow_entry"), &json!(["a/out"])),
            "{script}"
        );
        worker.git(&["reset", "-q", "--hard", &start]);
        worker.git(&["clean", "-qffdx"]);
    }
    // These stay inside.
    repo.sh(
        &worker.path,
        "ln -s .. a/up; ln -s up/a/f a/in; ln -s loop a/loop; ln -s gone a/later",
    );
    worker.pw(&["checkpoint", "x"]).data();
    worker.pw(&["complete", "x"]).data();
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["ready"], true);
    // What a link leads to is here alone.
    worker.write("a/.gitignore", "*.db\n").write("a/data.db", "1");
    repo.sh(&worker.path, "ln -s data.db a/current");
    let data = worker.pw(&["checkpoint", "x"]).data();
    assert!(data["notes"].to_string().contains("`a/current` leads to `a/data.db`"), "{data}");
}

#[test]
fn a_submodule_that_lost_its_line_is_seen_also_when_it_was_there_before() {
    let repo = repo(&TWO.replace("owns: [a]", "owns: [a, .gitmodules]"));
    let lib = repo.beside("lib");
    let script = format!(
        "git init -q {0}; (cd {0}; git commit -qm x --allow-empty); \
         git -c protocol.file.allow=always submodule --quiet add {0} lib; \
         git -c protocol.file.allow=always submodule --quiet add {0} other; git commit -qm lib",
        lib.display()
    );
    repo.sh(&repo.root(), &script);
    repo.pw("pw-setup create plan.yaml").data();
    let worker = repo.worker("a-x");
    for script in [
        "git config -f .gitmodules --remove-section submodule.lib",
        "git rm -q --cached .gitmodules; rm .gitmodules",
    ] {
        repo.sh(&worker.path, script);
        worker.commit("[COMPLETE] past the hooks");
        let status = repo.pw("pw-monitor status").data();
        let reason = &status["workers"][0]["reasons"][0];
        assert_eq!(reason["kind"], "hollow_entry", "{script}: {status}");
        assert!(reason["paths"].as_array().unwrap().contains(&json!("lib")), "{reason}");
        worker.pw(&["complete", "x"]).error(3, "hollow_entry");
    }
    // With its entry removed, too, nothing is hollow.
    worker.git(&["reset", "-q", "--hard", "HEAD~2"]);
    repo.sh(
        &worker.path,
        "git rm -q --cached lib; git config -f .gitmodules --remove-section submodule.lib",
    );
    worker.commit("[COMPLETE] without it");
    let status = repo.pw("pw-monitor status").data();
    let kinds: Vec<&Value> =
        status["workers"][0]["reasons"].as_array().unwrap().iter().map(|r| &r["kind"]).collect();
    assert!(!kinds.contains(&&json!("hollow_entry")), "{status}");
}
