//! A split that `pw-setup analyze` found, from the history to the landed result: workers that follow a script change
//! every file that is theirs, and nothing crosses, conflicts or is lost.
#![expect(clippy::print_stderr, reason = "a test that is left out says why")]

use std::collections::BTreeMap;

use pw_core::path::RepoPath;
use pw_core::scope::Scope;
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::house::root;

/// How many commits of this repository are worth a split.
const ENOUGH: usize = 200;

const PARTS: [&str; 3] = ["users", "orders", "search"];

/// One commit that changes these files.
fn change(repo: &TestRepo, number: usize, paths: &[String]) {
    paths.iter().for_each(|path| repo.write(path, &format!("{number}\n")));
    repo.commit(&format!("change {number}"));
}

/// Three features across the folders, a router that every fifth change needs, and files that moved half-way.
fn three_features() -> TestRepo {
    let repo = crate::repo("");
    let file = |top: &str, part: &str, is_moved: bool| match is_moved {
        true => format!("{top}/{part}/main.txt"),
        false => format!("{top}/{part}.txt"),
    };
    for number in 0..90 {
        if number == 45 {
            for (top, part) in ["api", "web", "tests"].iter().flat_map(|t| PARTS.map(|p| (t, p))) {
                std::fs::create_dir_all(repo.root().join(top).join(part)).unwrap();
                repo.git(&["mv", &file(top, part, false), &file(top, part, true)]);
            }
            repo.commit("moved");
        }
        let part = PARTS[number % 3];
        let mut paths: Vec<String> =
            ["api", "web", "tests"].map(|top| file(top, part, number >= 45)).to_vec();
        paths.push("CHANGELOG.md".to_owned());
        paths.extend((number % 5 == 0).then(|| "app/router.txt".to_owned()));
        change(&repo, number, &paths);
    }
    repo
}

/// Analyzes, checks, creates, works, merges and lands; returns the answer of `analyze` and the owner of each file.
fn worked_to_the_end(repo: &TestRepo, words: &str) -> (Value, BTreeMap<String, usize>) {
    let data = repo.pw(&format!("pw-setup analyze{words} --emit-plan split.yaml")).data();
    let shown = repo.pw(&format!("pw-setup analyze{words} --format human")).stdout;
    let speedup = data["backtest"]["speedup"]["mean"].as_f64().unwrap();
    assert!(shown.contains(&format!("{speedup:.2} times as fast")), "{shown}");
    repo.follow(&data["next"][0]["command"]);
    repo.pw("pw-setup create split.yaml").data();

    let brief = |label: &str| repo.worker(label).pw(&["brief", "--verbose"]).data();
    let labels: Vec<String> = data["workers"]
        .as_array()
        .unwrap()
        .iter()
        .enumerate()
        .map(|(at, part)| format!("task-{}-{}", at + 1, part["name"].as_str().unwrap()))
        .collect();
    let scopes: Vec<Scope> = labels
        .iter()
        .map(|label| {
            let owns = brief(label)["owns"].clone();
            let globs: Vec<String> = serde_json::from_value(owns).unwrap();
            Scope::parse(&globs).unwrap()
        })
        .collect();
    let tracked = repo.git(&["ls-files"]);
    let owner = |path: &&str| {
        let path = RepoPath::from(*path);
        scopes.iter().position(|scope| scope.owns(&path))
    };
    let owners: BTreeMap<String, usize> =
        tracked.lines().filter_map(|path| Some((path.to_owned(), owner(&path)?))).collect();
    for (at, label) in labels.iter().enumerate() {
        let worker = repo.worker(label);
        for (path, _) in owners.iter().filter(|(_, owner)| **owner == at) {
            worker.write(path, &format!("by {label}\n"));
        }
        let saved = worker.pw(&["checkpoint", "as asked"]).data();
        assert_eq!(saved["left"], json!([]), "every change is its own: {saved:#}");
        worker.pw(&["complete"]).data();
    }

    let status = repo.pw("pw-monitor status --verbose").data();
    for worker in status["workers"].as_array().unwrap() {
        let told = (&worker["ready"], &worker["out_of_scope"]);
        assert_eq!(told, (&json!(true), &json!([])), "{worker:#}");
    }
    assert_eq!(status["conflicts"], json!([]));
    let merged = repo.pw("pw-integrate run --no-gate").data();
    assert_eq!(merged["merged"].as_array().unwrap().len(), labels.len(), "{merged:#}");
    repo.pw("pw-integrate finish").data();
    for (path, owner) in &owners {
        let landed = repo.git(&["show", &format!("main:{path}")]);
        assert_eq!(landed, format!("by {}", labels[*owner]), "{path}");
    }
    (data, owners)
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn features_across_folders_with_a_hub_and_moved_files_are_split_and_land() {
    let repo = three_features();
    let (data, owners) = worked_to_the_end(&repo, " --workers 3");
    assert_eq!(data["verdict"]["advice"], "split", "{data:#}");
    let backtest = &data["backtest"];
    let best = backtest["best_possible"]["speedup"].as_f64().unwrap();
    let (this, folders) = (&backtest["speedup"]["mean"], &backtest["folders"]["speedup"]);
    assert!(this.as_f64() > folders.as_f64() && this.as_f64() <= Some(best), "{backtest:#}");
    for part in PARTS {
        let owner = |top: &str| owners[&format!("{top}/{part}/main.txt")];
        assert_eq!((owner("api"), owner("api")), (owner("web"), owner("tests")), "{part}");
    }
    assert_eq!(data["hubs"][0]["path"], "app/router.txt", "{data:#}");
    assert_eq!(data["shared"], json!(["CHANGELOG.md"]));
}

/// The history of this very repository, where it is there.
#[test]
#[ignore = "long; .ci/run runs it"]
fn the_split_of_this_repository_holds() {
    let repo = crate::repo("");
    let own = root().canonicalize().unwrap();
    let from = |args: &[&str]| {
        let output = repo.try_git(&own, args);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let commits = from(&["rev-list", "--count", "HEAD"]).parse().unwrap_or(0);
    if commits < ENOUGH || from(&["rev-parse", "--is-shallow-repository"]) != "false" {
        eprintln!("left out: {commits} commits of this repository are here, of a whole history");
        return;
    }
    repo.git(&["fetch", "-q", own.to_str().unwrap(), "HEAD"]);
    repo.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
    let (data, owners) = worked_to_the_end(&repo, " --workers 3 --windows 2");
    assert!(data["history"]["commits"].as_u64() >= Some(ENOUGH.try_into().unwrap()), "{data:#}");
    assert!(owners.len() > 100, "{}", owners.len());
}
