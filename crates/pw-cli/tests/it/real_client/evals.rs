//! The client reads every eval of the plugin, and plays them with a model that is scripted; what Claude makes of them
//! needs an account.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use pw_testkit::real_client::RealClient;
use pw_testkit::scripted_api::{ScriptedApi, Track};
use serde_json::{Value, json};

use super::{bin, release, root};
use crate::evals::cases;

/// What a plugin is made of, for the client; a release has its helpers as well.
const PARTS: [&str; 9] = [
    ".claude-plugin",
    "agents",
    "bin",
    "commands",
    "evals",
    "helpers",
    "hooks",
    "scripts",
    "skills",
];

/// Graders that look for a command: the client lets no shell run where it cannot confine it.
const OF_COMMANDS: [&str; 3] = ["goes-on", "integrates", "looks"];

/// What the page of the evals says to grant.
const GRANTS: [&str; 4] = ["--allow-tools", "Bash(pw-*)", "Bash(git *)", "Edit"];

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_reads_every_eval() {
    let api = ScriptedApi::start([Track::when_user_says("never asked").say("")]);
    let client = RealClient::new(bin(), &api);
    let plugin = client.home().join("plugin");
    // Not the checkout itself: a build has files of two names, which the client does not take.
    copy_parts(&root(), &plugin);
    // The ceiling ends it before the first paid request, when all cases are read.
    let read = |plugin: &Path| {
        let ceiling = ["--scaffold", "--max-cost-usd", "0"];
        client.evals(plugin, &[&GRANTS[..], &ceiling].concat())
    };
    let said = read(&plugin);
    assert!(said.contains("cost ceiling"), "{said}");
    for odd in ["Couldn't load", "cannot pass"] {
        assert!(!said.contains(odd), "{said}");
    }
    // It would say so.
    let case = plugin.join("evals").join(cases()[0].file_name().unwrap()).join("case.yaml");
    std::fs::write(&case, "schema_version: \"1.0\"\nname: x\n").unwrap();
    assert!(read(&plugin).contains("Couldn't load 1 case"), "{}", read(&plugin));
}

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_plays_every_eval() {
    // Where the model does as it should, and where it does the opposite.
    let (played, failed) = play(|tags| tags.contains("[triggering]"), &["--scaffold"]);
    assert_eq!((played, failed), (cases().len(), BTreeSet::new()));
    let triggers = ["--tag", "triggering", "not-triggering", "--no-scaffold"];
    let (_, wrong) = play(|tags| !tags.contains("[triggering]"), &triggers);
    for name in [
        "in-worktrees orchestrator",
        "split-this orchestrator",
        "review-a-pull-request no-plugin",
        "tests-in-parallel no-plugin",
    ] {
        assert!(wrong.contains(name), "{name} passed: {wrong:#?}");
    }
}

/// Plays cases once, and returns how many, and which graders fail, each after its case, but for those of commands.
fn play(calls_the_skill: fn(&str) -> bool, options: &[&str]) -> (usize, BTreeSet<String>) {
    let api = ScriptedApi::start(cases().iter().map(|case| answer(case, calls_the_skill)));
    let client = RealClient::new(bin(), &api);
    let plugin = client.home().join("plugin");
    copy_parts(&release(), &plugin);
    let results = client.home().join("results.json");
    let once = ["--runs", "1", "--ablation", "none", "--concurrency", "2"];
    let json = ["--json", results.to_str().unwrap()];
    let said = client.evals(&plugin, &[&once[..], options, &json].concat());
    let text = fs::read(&results).unwrap_or_else(|error| panic!("{error}: {said}"));
    let results: Value = serde_json::from_slice(&text).unwrap();
    let played = results["cases"].as_array().unwrap();
    let mut failed = BTreeSet::new();
    for case in played {
        let run = &case["arms"]["with"][0];
        assert!(run["error"].is_null() && run["turns"] != 0, "{case:#}");
        let graders = run["graders"].as_array().unwrap().iter();
        let names = graders.filter(|one| one["passed"] != true).map(|one| one["name"].as_str());
        let names = names.map(Option::unwrap).filter(|name| !OF_COMMANDS.contains(name));
        failed.extend(names.map(|name| format!("{} {name}", case["name"].as_str().unwrap())));
    }
    (played.len(), failed)
}

/// The model's part in a case: it takes the orchestrator's skill, or only talks.
fn answer(case: &Path, calls_the_skill: fn(&str) -> bool) -> Track {
    let text = fs::read_to_string(case.join("case.yaml")).unwrap();
    let mut lines = text.lines().skip_while(|line| !line.starts_with("tags:"));
    let is_called = calls_the_skill(lines.next().unwrap());
    let mut lines = lines.skip_while(|line| !line.ends_with("prompt: |"));
    let track = Track::when_user_says(lines.nth(1).unwrap().trim());
    let track = match is_called {
        true => track.tool("Skill", json!({"skill": "parallel-workflows:parallel-orchestrator"})),
        false => track,
    };
    track.say("One session is enough. Shall I land it?")
}

fn copy_parts(from: &Path, to: &Path) {
    let there = PARTS.iter().filter(|part| from.join(part).exists());
    there.for_each(|part| copy(&from.join(part), &to.join(part)));
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
