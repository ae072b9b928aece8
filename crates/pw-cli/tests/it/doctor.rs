//! `pw-setup doctor`: each thing that is wrong is a line with what helps, and what it says to run
//! does help.

use std::fs;

use pw_testkit::plans::TWO;
use pw_testkit::repo::{TestRepo, write_program};
use serde_json::{Value, json};

use crate::{complete_all, created, repo};

/// A repository on a machine where nothing is wrong.
fn healthy(plan: &str) -> TestRepo {
    let mut repo = repo(plan);
    repo.commit("plan");
    repo.shim("claude", "echo '2.1.332 (Claude Code)'");
    repo.shim("tmux", "exit 0");
    let trusted = json!({ "projects": { repo.root().to_str().unwrap(): { "hasTrustDialogAccepted": true } } });
    fs::write(repo.beside(".claude.json"), trusted.to_string()).unwrap();
    fs::create_dir_all(repo.beside(".claude")).unwrap();
    let allowed = json!({ "permissions": { "allow": ["Bash(pw-*)"] } });
    fs::write(repo.beside(".claude/settings.json"), allowed.to_string()).unwrap();
    repo
}

fn findings(repo: &TestRepo) -> Vec<Value> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let words = format!("pw-setup doctor --now {}", now.as_secs() + 300);
    repo.pw(&words).data()["findings"].as_array().unwrap().clone()
}

/// The one finding that is not as it should be.
fn only(repo: &TestRepo, about: &str) -> Value {
    let found = findings(repo);
    assert!(found.len() == 1 && found[0]["about"] == about, "{about}: {found:#?}");
    found[0].clone()
}

#[test]
fn what_is_well_is_counted_and_nothing_is_written() {
    let repo = healthy(TWO);
    let before = repo.fingerprint();
    let data = repo.pw("pw-setup doctor").data();
    assert_eq!(data["findings"], json!([]), "{data:#}");
    let all = repo.pw("pw-setup doctor --verbose").data();
    let told = all["findings"].as_array().unwrap();
    assert_eq!(data["healthy"], json!(told.len()));
    assert!(told.iter().all(|finding| finding["level"] == "ok"), "{all:#}");
    let about = |finding: &Value| finding["about"].as_str().unwrap().to_owned();
    let kinds: std::collections::BTreeSet<String> = told.iter().map(about).collect();
    assert_eq!(kinds.len(), 16, "each thing is looked at: {kinds:?}");
    assert_eq!(before, repo.fingerprint());
    assert!(repo.pw("pw-setup doctor").stdout.len() < 300, "a small answer");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn each_fault_is_named_and_what_it_says_to_run_helps() {
    type Break = fn(&TestRepo);
    let table: &[(&str, &str, &str, Break)] = &[
        ("settings", "problem", "core.bare", |repo| {
            repo.git(&["config", "core.bare", "true"]);
        }),
        ("settings", "problem", "gc.pruneexpire=now", |repo| {
            repo.git(&["config", "gc.pruneExpire", "now"]);
        }),
        ("settings", "warning", "remote.hub.mirror", |repo| {
            repo.git(&["config", "remote.hub.mirror", "true"]);
        }),
        ("settings", "problem", "refs/pw", |repo| {
            repo.git(&["config", "remote.hub.fetch", "+refs/*:refs/*"]);
        }),
        ("settings", "note", "pull.rebase", |repo| {
            repo.git(&["config", "pull.rebase", "true"]);
        }),
        ("locks", "warning", "index.lock", |repo| {
            fs::write(repo.root().join(".git/index.lock"), "").unwrap();
        }),
        ("locks", "warning", "refs/heads/x.lock", |repo| {
            fs::write(repo.root().join(".git/refs/heads/x.lock"), "").unwrap();
        }),
        ("remote", "warning", "origin/main has 1 commit", |repo| {
            repo.commit("pushed");
            repo.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
            repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
        }),
        ("worktrees", "note", "the branch `work/task-9-gone` belongs to no", |repo| {
            repo.git(&["branch", "work/task-9-gone"]);
        }),
    ];
    for (about, level, words, break_it) in table {
        let repo = healthy(TWO);
        break_it(&repo);
        let found = only(&repo, about);
        assert_eq!(found["level"], *level, "{found:#}");
        assert!(found["message"].as_str().unwrap().contains(words), "{found:#}");
        repo.follow(&found["command"]);
        assert_eq!(findings(&repo), [] as [Value; 0], "after {}", found["command"]);
    }
}

#[test]
fn what_only_a_person_can_put_right_is_said_in_words() {
    type Break = fn(&mut TestRepo);
    let table: &[(&str, &str, &str, Break)] = &[
        ("hooks", "warning", "signal", |repo| {
            let hook = repo.root().join(".git/hooks/commit-msg");
            write_program(&hook, "#!/bin/sh\ngrep -q '^feat: ' \"$1\"\n");
        }),
        ("hooks", "warning", ".husky/_", |repo| {
            let hook = repo.root().join(".husky/_/pre-push");
            repo.write(".husky/_/pre-push", "");
            write_program(&hook, "#!/bin/sh\n");
            repo.git(&["config", "core.hooksPath", ".husky/_"]);
        }),
        ("trust", "warning", "trust", |repo| {
            fs::write(repo.beside(".claude.json"), "{}").unwrap();
        }),
        ("trust", "problem", "no worker is guarded", |repo| {
            repo.write(".claude/settings.json", r#"{"disableAllHooks": true}"#);
        }),
        ("trust", "problem", "no worker is guarded", |repo| {
            let off = r#"{"enabledPlugins": {"parallel-workflows@x": false}}"#;
            repo.write(".claude/settings.local.json", off);
        }),
        ("permissions", "note", "34 rules", |repo| {
            fs::remove_file(repo.beside(".claude/settings.json")).unwrap();
        }),
        ("workflows", "problem", "the record of lost", |repo| {
            repo.git(&["update-ref", "refs/pw/lost/record", "HEAD"]);
        }),
    ];
    for (about, level, words, break_it) in table {
        let mut repo = healthy(TWO);
        break_it(&mut repo);
        let found: Vec<Value> =
            findings(&repo).into_iter().filter(|found| found["about"] == *about).collect();
        assert_eq!(found.len(), 1, "{about}: {found:#?}");
        assert_eq!(found[0]["level"], *level, "{found:#?}");
        assert!(found[0]["message"].as_str().unwrap().contains(words), "{found:#?}");
        assert!(
            found[0]["remedy"].is_string() || found[0]["command"].is_string() || *about == "hooks"
        );
    }
    // Outside of a repository, and in one without a commit, the rest is told all the same.
    let repo = healthy(TWO);
    fs::create_dir(repo.beside("empty")).unwrap();
    for (folder, hint) in [("", "git init"), ("empty", "first commit")] {
        let folder = repo.beside(folder);
        if hint == "first commit" {
            repo.git_in(&folder, &["init", "-q"]);
        }
        let data = repo.pw_in(&folder, &["pw-setup", "doctor", "--verbose"]).data();
        let text = data.to_string();
        for told in [hint, "\"helpers\"", "claude 2.1.332 is installed"] {
            assert!(text.contains(told), "{told}: {data:#}");
        }
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_a_workflow_left_behind_is_found() {
    let repo = created(pw_testkit::plans::THREE);
    let about = |about: &str| -> Vec<Value> {
        findings(&repo).into_iter().filter(|found| found["about"] == about).collect()
    };
    assert_eq!(about("workflows"), [] as [Value; 0], "an open workflow is none");
    complete_all(&repo);
    repo.pw("pw-integrate run").data();
    repo.pw("pw-integrate finish").data();
    let landed = about("workflows");
    assert!(landed.len() == 1 && landed[0]["level"] == "note", "{landed:#?}");
    repo.follow(&landed[0]["command"]);
    assert_eq!(about("workflows"), [] as [Value; 0], "closed now");

    // A record that a user threw away while its worktrees were there.
    let other = created(TWO);
    for name in other.git(&["for-each-ref", "--format=%(refname)", "refs/pw"]).lines() {
        other.git(&["update-ref", "-d", name]);
    }
    let found = findings(&other);
    let strays: Vec<&Value> = found.iter().filter(|f| f["about"] == "worktrees").collect();
    assert_eq!(strays.len(), 3, "two worktrees, and their branches: {strays:#?}");
    other.follow(&strays[0]["command"]);
}

#[test]
fn permissions_are_written_on_the_users_word_and_nothing_else_in_the_file_changes() {
    let repo = repo(TWO);
    let file = ".claude/settings.local.json";
    let shown = repo.pw("pw-setup doctor").data()["permissions"].clone();
    assert!(!repo.root().join(file).exists(), "only shown");
    assert_eq!(shown["file"], file);
    let rules = shown["missing"].as_array().unwrap();
    assert!(rules.contains(&json!("Bash(pw-integrate run *)")), "{shown:#}");

    repo.write(
        file,
        "{\n  \"model\": \"x\",\n  \"permissions\": {\"deny\": [\"Bash(rm *)\"]}\n}\n",
    );
    let written = repo.pw("pw-setup doctor --fix-permissions").data()["permissions"].clone();
    assert_eq!(written["written"], shown["missing"]);
    let settings: Value = serde_json::from_str(&repo.read(file)).unwrap();
    assert_eq!(settings["model"], "x");
    assert_eq!(settings["permissions"]["deny"], json!(["Bash(rm *)"]));
    assert_eq!(settings["permissions"]["allow"], shown["missing"]);
    let before = repo.fingerprint();
    let again = repo.pw("pw-setup doctor --fix-permissions").data();
    assert_eq!(again["permissions"], json!({ "file": file }), "twice is once");
    assert_eq!(before, repo.fingerprint());

    for text in ["{ // a comment\n}", "[]", r#"{"permissions": {"allow": "all"}}"#] {
        repo.write(file, text);
        let refused = repo.pw("pw-setup doctor --fix-permissions").error(2, "settings_unreadable");
        assert!(refused["message"].as_str().unwrap().contains(file));
        assert_eq!(repo.read(file), text, "left as it is");
    }
    // A worker's session gives itself no permissions.
    fs::remove_file(repo.root().join(file)).unwrap();
    let mut session = repo.helper(&repo.root(), &["pw-setup", "doctor", "--fix-permissions"]);
    let output = session.env("PW_WORKER", "task-1").output().unwrap();
    pw_testkit::repo::Answer::from(output).error(3, "other_worker");
    assert!(!repo.root().join(file).exists());
}

#[test]
fn a_link_to_settings_elsewhere_stays_a_link() {
    let repo = repo(TWO);
    fs::write(repo.beside("dotfiles.json"), "{}").unwrap();
    fs::create_dir(repo.root().join(".claude")).unwrap();
    let link = repo.root().join(".claude/settings.local.json");
    std::os::unix::fs::symlink(repo.beside("dotfiles.json"), &link).unwrap();
    repo.pw("pw-setup doctor --fix-permissions").data();
    assert!(link.is_symlink());
    assert!(fs::read_to_string(repo.beside("dotfiles.json")).unwrap().contains("pw-integrate run"));
}

#[test]
fn people_see_the_worst_first_and_a_command_on_a_line_of_its_own() {
    let repo = healthy(TWO);
    repo.git(&["config", "gc.pruneExpire", "now"]);
    repo.git(&["config", "pull.rebase", "true"]);
    let shown = repo.pw("pw-setup doctor --format human").stdout;
    let lines: Vec<&str> = shown.lines().collect();
    assert!(lines[0].starts_with("1 problem, 1 note; "), "{shown}");
    let at = |words: &str| lines.iter().position(|line| line.contains(words)).unwrap();
    assert!(at("problem, settings") < at("note, settings"), "{shown}");
    assert!(lines.contains(&"  git config gc.pruneexpire 2.weeks.ago"), "{shown}");
    // What helps is told after what is wrong, with nothing of another finding below it.
    fs::remove_file(repo.beside(".claude/settings.json")).unwrap();
    repo.git(&["branch", "work/task-9-gone"]);
    let shown = repo.pw("pw-setup doctor --format human").stdout;
    assert!(shown.ends_with("refuses the rest:\n  git branch -d work/task-9-gone\n"), "{shown}");
    let whole = repo.pw("pw-setup doctor --format human --verbose").stdout;
    let (_, rules) = whole.split_once("\nrules that --fix-permissions writes\n").expect(&whole);
    assert!(rules.lines().all(|line| line.starts_with("  Bash(pw-")), "{whole}");
}

#[test]
fn the_client_is_asked_for_its_version() {
    let mut repo = healthy(TWO);
    let all = repo.pw("pw-setup doctor --verbose").data();
    assert!(all.to_string().contains("claude 2.1.332 is installed"), "{all:#}");
    for (script, message, command) in [
        ("echo '2.1.99 (Claude Code)'", "claude is 2.1.99, and", "claude update"),
        ("echo starting; sleep 0", "does not say", "claude --version"),
        ("echo '2.1.332 (Claude Code)'; exit 1", "does not say", "claude --version"),
        ("echo 'v18'", "does not say", "claude --version"),
    ] {
        repo.shim("claude", script);
        let found = only(&repo, "client");
        assert!(found["message"].as_str().unwrap().contains(message), "{found:#}");
        assert_eq!((&found["level"], &found["command"]), (&json!("warning"), &json!(command)));
    }
}
