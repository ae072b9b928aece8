//! Every command that we tell agents and people to run next is one that its helper takes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use pw_core::id::{Slug, WorkerId};
use pw_core::next::{CommandLine, Next, Options, Way};

use crate::house::{code, modules};
use crate::markdown::{helper, root};

/// Returns a command of each kind, with all that it can be told.
fn commands<'a>(
    workflow: &'a Slug,
    workers: &'a [WorkerId],
    documents: &'a [PathBuf],
    text: &'a str,
) -> Vec<Next<'a>> {
    let options = Options {
        without: workers,
        allow_out_of_scope: true,
        no_gate: false,
        gate: Some("each"),
        verify: Some(text),
    };
    let ungated = Options { no_gate: true, ..Options::default() };
    let cleanup = |workers: &'a [WorkerId], dry_run: bool| {
        let snapshot = !dry_run;
        Next::Cleanup { workflow, workers, dry_run, snapshot }
    };
    let since = "w1-0123abcd";
    let path = documents[0].as_path();
    let wait = |awaited| Next::Wait { workflow, awaited, seconds: 90, since };
    let launch = |how| Next::Launch { worker: &workers[0], workflow, how };
    let mut all = vec![
        Next::List,
        Next::FixPermissions,
        Next::CheckPlan(path),
        Next::Create(path),
        Next::Advance(workflow),
        launch(None),
        Next::LaunchAll(workflow),
        Next::Schema("pw-setup"),
        Next::Ended(&workers[0]),
        Next::Join { worker: &workers[0], workflow },
        Next::FetchedStatus(workflow),
        Next::Repair(None),
        Next::Repair(Some(workflow)),
        Next::EmitPlan { workers: Some(3), documents: &[] },
        Next::EmitPlan { workers: None, documents },
        Next::Status(workflow),
        wait(None),
        Next::Check(workflow),
        Next::Preview(workflow),
        Next::run(workflow),
        Next::Run { workflow, options },
        Next::Run { workflow, options: ungated },
        Next::go_on(workflow),
        Next::Continue { workflow, add: true, retest: true },
        Next::Abort(workflow),
        Next::Finish { workflow, way: None },
        Next::Finish { workflow, way: Some(Way::Merge) },
        Next::Finish { workflow, way: Some(Way::PullRequest) },
        cleanup(&[], true),
        cleanup(workers, false),
        Next::Snapshots(workflow),
        Next::Restore { workflow, snapshot: "task-1/2", into: path },
        Next::Brief,
        Next::Checkpoint("what was done"),
        Next::Undo,
        Next::Sync,
        Next::Complete,
        Next::Needs { worker: &workers[0], item: text },
        Next::Blocked { reason: text },
        Next::BlockedByHook("pre-commit"),
        Next::BlockedByHook(text),
        Next::Report(workflow),
        Next::Remember(workflow),
        Next::ForgetRun(workflow),
    ];
    all.extend(["complete", "blocked", "stalled"].map(|what| wait(Some(what))));
    all.extend(["tmux", "background", "custom"].map(|how| launch(Some(how))));
    for name in ["pw-setup", "pw-monitor", "pw-integrate", "pw-worker", "pw-retro"] {
        all.push(Next::Help { helper: name, verb: None });
    }
    all.push(Next::Help { helper: "pw-setup", verb: Some("launch") });
    all
}

/// The words of a command as a shell hands them to the program.
#[expect(clippy::disallowed_methods, reason = "a test: only a shell knows how it reads quotes")]
fn shell_words(command: &CommandLine) -> Vec<String> {
    let shell = Command::new("sh").args(["-c", &format!("printf '%s\\0' {command}")]).output();
    let said = String::from_utf8(shell.unwrap().stdout).unwrap();
    said.trim_end_matches('\0').split('\0').map(str::to_owned).collect()
}

#[test]
fn every_next_command_is_one_that_its_helper_takes() {
    let (workflow, workers) =
        ("shop".parse().unwrap(), ["task-1", "b"].map(|id| id.parse().unwrap()));
    let (path, text) =
        (Path::new("/it's here/$(id)/plan \"a\".yaml"), "needs `$(id)`, isn't it; \"a\"");
    let documents = [path.to_path_buf()];
    let all = commands(&workflow, &workers, &documents, text);
    for next in &all {
        let here = shell_words(&(*next).into());
        let there = shell_words(&next.at(path));
        let called = helper(&here[0]).unwrap_or_else(|| panic!("{next} calls no helper"));
        for words in [&here, &there] {
            let parsed = called.clone().try_get_matches_from(words);
            let is_help = words.last().is_some_and(|word| word == "--help");
            assert!(parsed.is_ok() || is_help, "{next}: {}", parsed.unwrap_err());
        }
        assert_eq!(there[1..3], ["-C", &path.to_string_lossy()], "{next}");
        assert_eq!(there[3..], here[1..], "{next}");
        for (value, shown) in [(path.to_str().unwrap(), "plan "), (text, "needs ")] {
            let is_told = here.iter().all(|word| !word.contains(shown) || word.contains(value));
            assert!(is_told, "{next} tells only part of {value}: {here:?}");
        }
    }
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric()).collect::<String>();
    let tried: BTreeSet<String> = all.iter().map(|next| name(&format!("{next:?}"))).collect();
    let source = std::fs::read_to_string(root().join("crates/pw-core/src/next.rs")).unwrap();
    let (_, variants) = source.split_once("pub enum Next<'a> {\n").unwrap();
    let lines = variants.split("\n}\n").next().unwrap().lines().map(str::trim);
    let is_variant = |line: &&str| line.starts_with(|c: char| c.is_ascii_uppercase());
    let known: BTreeSet<String> = lines.filter(is_variant).map(name).collect();
    assert_eq!(tried, known, "a command that no test has tried");
}

#[test]
fn quoted_commands_in_messages_have_verbs_of_their_helpers() {
    for (module, text) in ["pw-core", "pw-git", "pw-cli"].into_iter().flat_map(modules) {
        let code = code(&text);
        for quoted in code.lines().flat_map(|line| line.split('`').skip(1).step_by(2)) {
            let mut words = quoted.split_whitespace();
            let called = words.next().and_then(helper);
            let Some((called, verb)) = called.zip(words.next()) else { continue };
            assert!(called.find_subcommand(verb).is_some(), "{module:?}: `{quoted}`");
        }
    }
}

#[test]
fn with_a_folder_named_a_command_of_gits_runs_from_elsewhere_too() {
    let repo = crate::created(pw_testkit::plans::TWO);
    repo.pw("pw-worker -C worktrees/a-x blocked tone which?").data();
    repo.git(&["branch", "work/task-9-gone"]);
    // Another repository, in which the same command would find, or change, something else.
    let elsewhere = repo.beside("elsewhere");
    repo.sh(
        &repo.root(),
        &format!("git init -q {0} && git -C {0} branch -m work", elsewhere.display()),
    );
    let root = repo.root();
    let from_there = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let named = [&words[..1], &["-C", root.to_str().unwrap()], &words[1..]].concat();
        repo.pw_in(&elsewhere, &named).data()
    };
    let status = from_there("pw-monitor status");
    let findings = from_there("pw-setup doctor")["findings"].clone();
    let stray = |found: &&serde_json::Value| found["about"] == "worktrees";
    let stray = findings.as_array().unwrap().iter().find(stray).expect("a branch of nobody's");
    for (command, said) in
        [(&status["next"][0]["command"], "which?"), (&stray["command"], "work/task-9-gone")]
    {
        let line = command.as_str().unwrap();
        assert!(line.starts_with("git -C "), "{line}");
        let output = repo.shell(line).current_dir(&elsewhere).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains(said), "{line}: {output:?}");
    }
}
