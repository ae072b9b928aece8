//! What is said before any worker starts: what will run, what is off, what a fresh worktree lacks.

use pw_testkit::plans::TWO;
use pw_testkit::repo::{TestRepo, write_program};
use serde_json::json;

use crate::repo;

fn warned(data: &serde_json::Value, words: &str) -> bool {
    data["warnings"].as_array().unwrap().iter().any(|text| text.as_str().unwrap().contains(words))
}

#[test]
fn check_and_create_list_what_will_run_and_what_is_off() {
    let keys = "verify: 'true'\nsetup: ': prepared'\nlaunch: term {script}\nremote: origin\ncopy: [.env]\n\
                git_hooks: false\npermissions: dangerously-skip-permissions\n";
    let repo = repo(&format!("{keys}{TWO}"));
    repo.write(".gitignore", ".env\n");
    repo.write("a", "committed\n");
    repo.git(&["add", "a", ".gitignore"]);
    repo.git(&["commit", "-q", "-m", "files"]);
    repo.write(".env", "KEY=1");
    repo.write("a", "at work\n");
    repo.write("elsewhere", "new\n");
    write_program(&repo.root().join(".git/hooks/pre-commit"), "#!/bin/sh\n");
    for (words, trial) in [("check", json!(null)), ("create", json!("passed"))] {
        let before = repo.fingerprint();
        let data = repo.pw(&format!("pw-setup {words} plan.yaml")).data();
        assert!(words == "create" || before == repo.fingerprint());
        let run = &data["will_run"];
        assert_eq!(
            (&run["setup"], &run["launch"], &run["remote"]),
            (&json!(": prepared"), &json!("term {script}"), &json!("origin"))
        );
        assert_eq!((&run["copied"], &run["copies"]), (&json!(1), &json!([".env"])));
        assert_eq!(run["verify"][0]["command"], "true");
        assert_eq!(run["hooks"], json!(["pre-commit"]));
        for off in [
            "git_hooks: false",
            "sessions run every command",
            "1 file inside scopes is not committed, `a`",
        ] {
            assert!(warned(&data, off), "{off}: {data:#}");
        }
        assert_eq!(data["trial"]["outcome"], trial, "{data:#}");
    }
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 3, "the trial leaves no worktree");
}

#[test]
fn what_the_repository_lacks_is_said_with_what_helps() {
    let origin = repo(TWO);
    let repo = repo(&format!("verify: 'true'\n{TWO}"));
    // A base behind its remote, as of the last fetch.
    repo.git(&["fetch", "-q", origin.root().to_str().unwrap(), "main:refs/remotes/origin/main"]);
    repo.git(&["reset", "-q", "--soft", "refs/remotes/origin/main"]);
    origin.commit("newer");
    repo.git(&["fetch", "-q", origin.root().to_str().unwrap(), "main:refs/remotes/origin/main"]);
    // Hooks of a manager, in a folder that is in no commit.
    repo.write(".husky/_/commit-msg", "");
    write_program(&repo.root().join(".husky/_/commit-msg"), "#!/bin/sh\nexit 0\n");
    repo.write(".git/info/exclude", ".husky/_\n");
    repo.git(&["config", "core.hooksPath", ".husky/_"]);
    // A submodule.
    repo.write(".gitmodules", "[submodule \"lib\"]\n\tpath = lib\n\turl = ../lib\n");
    repo.git(&["add", ".gitmodules"]);
    let head = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},lib")]);
    repo.git(&["commit", "-q", "--no-verify", "-m", "a submodule"]);
    let data = repo.pw("pw-setup check plan.yaml").data();
    for lack in [
        "origin/main has 1 commit that the base lacks",
        "the repository's hooks (commit-msg) will not run in fresh worktrees",
        "1 submodule of the repository, `lib` first",
    ] {
        assert!(warned(&data, lack), "{lack}: {data:#}");
    }
    // With what makes them, nothing is left to say.
    let setup = "setup: mkdir -p .husky/_ && git submodule status\n";
    repo.write("plan.yaml", &format!("verify: 'true'\n{setup}{TWO}"));
    let data = repo.pw("pw-setup create plan.yaml").data();
    assert!(!warned(&data, "husky") && !warned(&data, "submodule"), "{data:#}");

    let mut nobody = repo.helper(&repo.root(), &["pw-setup", "check", "plan.yaml"]);
    for name in ["GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"]
    {
        nobody.env_remove(name);
    }
    nobody.env("EMAIL", "").env("GIT_CONFIG_COUNT", "0");
    repo.git(&["config", "user.useConfigOnly", "true"]);
    let answer: pw_testkit::repo::Answer = nobody.output().unwrap().into();
    assert!(warned(&answer.data(), "user.name NAME"), "{answer:?}");
}

/// A repository whose test needs a file that git ignores.
fn generated(keys: &str) -> TestRepo {
    let repo = repo(&format!("{keys}{TWO}"));
    repo.write(".gitignore", "_version.py\n*.local\nnode_modules/\n");
    repo.commit("files");
    repo.write("src/_version.py", "1");
    repo.write("other.local", "1");
    repo.write("node_modules/x/index.js", "1");
    repo
}

#[test]
fn ignored_files_without_which_a_fresh_worktree_does_not_work_are_named_for_copy() {
    for (key, verify) in [
        ("verify", "test -e src/_version.py || { echo no module src._version; exit 1; }"),
        ("smoke", "test -e src/_version.py"),
    ] {
        let repo = generated(&format!("{key}: '{verify}'\n"));
        let checkout = |repo: &TestRepo| {
            let ours = [".git", "worktrees"].map(|name| repo.root().join(name));
            let all = repo.fingerprint().into_keys();
            all.filter(|path| !ours.iter().any(|ours| path.starts_with(ours))).collect::<Vec<_>>()
        };
        let before = checkout(&repo);
        let data = repo.pw("pw-setup create plan.yaml").data();
        assert_eq!(data["trial"]["outcome"], "lacks_files", "{data:#}");
        assert_eq!(data["trial"]["copy"], json!(["src/_version.py"]), "{data:#}");
        assert!(warned(&data, "`copy: [\"src/_version.py\"]`"), "{data:#}");
        assert_eq!(checkout(&repo), before, "the user's checkout stays as it is");
        assert!(!repo.root().join("worktrees/a-x/src/_version.py").exists());

        // What is named helps, also workers that are there already.
        repo.write("plan.yaml", &format!("{key}: '{verify}'\ncopy: [src/_version.py]\n{TWO}"));
        let data = repo.pw("pw-setup create plan.yaml").data();
        assert_eq!(data["trial"]["outcome"], "passed", "{data:#}");
        assert_eq!(repo.read("worktrees/a-x/src/_version.py"), "1");
        // The same plan is not tried again.
        assert!(repo.pw("pw-setup create plan.yaml").data()["trial"].is_null());
    }
}

#[test]
fn a_trial_that_fails_for_another_reason_or_is_left_out_is_said_so() {
    let repo = generated("verify: 'echo broken; exit 3'\n");
    let data = repo.pw("pw-setup create plan.yaml").data();
    let trial = &data["trial"];
    assert_eq!((&trial["outcome"], &trial["exit_code"]), (&json!("failed"), &json!(3)), "{data:#}");
    assert_eq!(
        (&trial["output_tail"], &trial["made"]),
        (&json!("broken"), &json!(["node_modules"]))
    );
    assert!(warned(&data, "node_modules") && warned(&data, "as `setup`"), "{data:#}");
    // It is tried once more until it passes, and one field of it can be asked for.
    let again = repo.pw("pw-setup create plan.yaml --only trial.output_tail").data();
    assert_eq!(again, json!({ "trial": { "output_tail": "broken" } }));
    repo.pw("pw-setup create plan.yaml --only trial.output").error(2, "usage");

    let repo = generated("verify: 'echo ran >>../../ran; exit 1'\n");
    let data = repo.pw("pw-setup create plan.yaml --no-trial").data();
    assert!(data["trial"].is_null() && data["message_hooks"].is_null());
    assert!(!repo.root().join("ran").exists() && !repo.root().join(".git/ran").exists());
}

/// A pattern that ends in a slash matches no link, a lock file is rewritten: no worker may commit
/// that, and none could finish beside it.
#[test]
fn what_setup_leaves_is_no_workers_to_stumble_over() {
    let keys = "setup: 'ln -s \"$PW_CHECKOUT\"/node_modules node_modules; echo 2 >> pkg.lock'\n";
    let repo = repo(&format!("{keys}{TWO}"));
    repo.write(".gitignore", "node_modules/\n");
    repo.write("pkg.lock", "1\n");
    repo.commit("files");
    repo.write("node_modules/x/index.js", "1");
    let exclude = repo.read(".git/info/exclude");
    let data = repo.pw("pw-setup create plan.yaml --no-trial").data();
    let notes = data["notes"].to_string();
    for words in ["`node_modules` first", "`pkg.lock` first", "pw-worker undo"] {
        assert!(notes.contains(words), "{words}: {notes}");
    }
    let worker = repo.worker("a-x");
    assert_eq!(worker.git(&["status", "--porcelain"]), " M pkg.lock");
    worker.pw(&["undo"]).data();
    worker.write("a", "1").pw(&["checkpoint", "one"]).data();
    worker.pw(&["complete", "all"]).data();
    // Twice is once, and nothing of it stays.
    repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(repo.read(".git/info/exclude").matches("node_modules").count(), 1);
    repo.pw("pw-integrate run --without b").data();
    repo.pw("pw-integrate finish --without b").data();
    repo.pw("pw-integrate cleanup two a b --snapshot").data();
    assert_eq!(repo.read(".git/info/exclude"), exclude);
}

/// Links that `setup` makes: from a gate's worktree the way to the checkout is another, and what the
/// checkout has installed may lead back to the checkout's own sources.
#[test]
fn a_setup_that_tests_nothing_of_the_workers_is_told() {
    let linked = |setup: &str| {
        let repo = repo(&format!("verify: 'true'\nsetup: '{setup}'\n{TWO}"));
        repo.write(".gitignore", "node_modules\n.venv\n");
        repo.write("ui/index.js", "1");
        repo.write("src/shop/__init__.py", "1");
        repo.commit("files");
        repo.write("node_modules/left-pad/index.js", "1");
        repo.write(".venv/lib/python3.12/site-packages/pip.py", "1");
        repo
    };
    let create = |repo: &TestRepo| repo.pw("pw-setup create plan.yaml").data();

    let data = create(&linked("ln -s ../../node_modules node_modules"));
    assert!(warned(&data, "write \"$PW_CHECKOUT/node_modules\""), "{data:#}");

    let whole = "ln -s \"$PW_CHECKOUT\"/node_modules . && ln -s \"$PW_CHECKOUT\"/.venv .";
    let repo = linked(whole);
    let data = create(&repo);
    assert!(!warned(&data, "in a fresh worktree"), "{data:#}");
    assert_eq!(repo.read("worktrees/a-x/node_modules/left-pad/index.js"), "1");

    // A package of the workspace, as npm, pnpm and yarn link it.
    let repo = linked(whole);
    repo.sh(&repo.root(), "mkdir node_modules/@shop && ln -s ../../ui node_modules/@shop/ui");
    let data = create(&repo);
    assert!(
        warned(&data, "`node_modules` in a fresh worktree is that of your checkout"),
        "{data:#}"
    );
    assert!(warned(&data, "leads to `ui`"), "{data:#}");

    // An editable install, as pip writes it.
    let repo = linked(whole);
    let source = repo.root().canonicalize().unwrap().join("src");
    repo.write(
        ".venv/lib/python3.12/site-packages/__editable__.shop.pth",
        &format!("{}\n", source.display()),
    );
    let data = create(&repo);
    assert!(warned(&data, "leads to `src`"), "{data:#}");
}

#[test]
fn files_that_an_open_workflow_owns_too_are_told() {
    let repo = repo(&TWO.replace("workflow: two", "workflow: one"));
    repo.pw("pw-setup create plan.yaml").data();
    let plan =
        "workflow: two\nverify: 'true'\nworkers:\n  - {id: c, name: z, owns: [\"a/**\", d]}\n";
    repo.write("plan.yaml", plan);
    let data = repo.pw("pw-setup check plan.yaml").data();
    assert!(warned(&data, "c and a of the workflow one, which is open, both own `a/"), "{data:#}");
    // What all workers of one workflow may change, too.
    for (mine, theirs) in [("owns: [c]}\nshared: [a]", "owns: [a"), ("owns: [c]}\nshared: [q]", "")]
    {
        let plan =
            format!("workflow: two\nverify: 'true'\nworkers:\n  - {{id: c, name: z, {mine}\n");
        repo.write("plan.yaml", &plan);
        let data = repo.pw("pw-setup check plan.yaml").data();
        let said = "a shared file and a of the workflow one, which is open, both may change `a";
        assert_eq!(warned(&data, said), !theirs.is_empty(), "{data:#}");
    }
    repo.write("plan.yaml", plan);
    // What is merged and did not land may still conflict.
    for (label, file) in [("a-x", "a/1"), ("b-y", "b")] {
        repo.worker(label).write(file, "1").commit("[COMPLETE] done");
    }
    repo.pw("pw-integrate run one").data();
    let data = repo.pw("pw-setup check plan.yaml").data();
    assert!(warned(&data, "of the workflow one"), "{data:#}");
    repo.pw("pw-integrate finish one").data();
    let data = repo.pw("pw-setup check plan.yaml").data();
    assert!(!warned(&data, "workflow one"), "{data:#}");
}
