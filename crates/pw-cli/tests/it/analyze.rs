//! `pw-setup analyze` on histories that are known, against real git.

use std::path::Path;

use pw_core::path::RepoPath;
use pw_core::scope::Scope;
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

fn repo() -> TestRepo {
    let helpers = Path::new(env!("CARGO_BIN_EXE_pw-setup")).parent().unwrap();
    TestRepo::new(helpers)
}

/// One commit that changes these files.
fn change(repo: &TestRepo, number: usize, paths: &[&str]) {
    paths.iter().for_each(|path| repo.write(path, &format!("{number}\n")));
    repo.commit("a change");
}

/// Two features, each across the folders: the folders at the top are the wrong parts. So many changes that the
/// search is believed in every window.
fn features() -> TestRepo {
    let repo = repo();
    let mut stream = String::new();
    for number in 0..300 {
        let name = if number % 2 == 0 { "users" } else { "posts" };
        let who = format!("committer A <a@example.com> {} +0000", 1_700_000_000 + number);
        let from = if number == 0 { "from refs/heads/main^0\n" } else { "" };
        stream += &format!("commit refs/heads/main\n{who}\ndata 8\na change\n{from}");
        for path in ["api", "docs", "tests"].map(|top| format!("{top}/{name}/main.txt")) {
            stream += &format!("M 100644 inline {path}\ndata <<E\n{number}\nE\n");
        }
        stream += &format!("M 100644 inline CHANGELOG.md\ndata <<E\n{number}\nE\n");
    }
    repo.write("stream", &stream);
    let import = "git fast-import --quiet <stream && rm stream && git reset -q --hard";
    repo.sh(&repo.root(), import);
    repo
}

#[test]
fn features_across_folders_are_found_and_beat_the_folders() {
    let repo = features();
    let data = repo.pw("pw-setup analyze --workers 2").data();
    assert_eq!(data["verdict"]["advice"], "split", "{data:#}");
    let backtest = &data["backtest"];
    assert_eq!((&backtest["inside"]["mean"], &backtest["crossing"]), (&json!(1.0), &json!(0.0)));
    assert!(backtest["speedup"]["mean"].as_f64() > Some(1.8), "{backtest:#}");
    assert!(backtest["folders"]["speedup"].as_f64() < Some(1.3), "{backtest:#}");
    assert!(backtest["best_possible"]["speedup"].as_f64() >= backtest["speedup"]["mean"].as_f64());
    // Every change writes a line of the changelog, so no worker owns it.
    assert_eq!(data["shared"], json!(["CHANGELOG.md"]));
    assert_eq!(data["coupled"][0]["together"], 150);
    let foretold = &data["foretold"];
    assert_eq!(
        (&foretold["top_three"], &foretold["sure"]),
        (&json!(1.0), &json!(1.0)),
        "{foretold}"
    );
    assert!(data.to_string().len() < 4096);
}

#[test]
fn the_plan_that_is_written_is_accepted_and_gives_new_files_an_owner() {
    let repo = features();
    let data = repo.pw("pw-setup analyze --emit-plan split.yaml").data();
    assert_eq!(data["plan"], "split.yaml");
    repo.follow(&data["next"][0]["command"]);
    let plan = repo.read("split.yaml");
    assert!(plan.contains("best possible"), "{plan}");
    assert!(plan.contains("users/**"), "a folder, not its files: {plan}");

    repo.write("split.yaml", "mine");
    repo.pw("pw-setup analyze --emit-plan split.yaml").error(3, "in_the_way");
    assert_eq!(repo.read("split.yaml"), "mine");
}

/// The whole way: history, plan, workers that change old files and make new ones, and the merge.
#[test]
fn the_split_of_a_history_is_worked_on_and_merged() {
    let repo = features();
    let data = repo.pw("pw-setup analyze --workers 2 --emit-plan split.yaml").data();
    repo.follow(&data["next"][0]["command"]);
    repo.pw("pw-setup create split.yaml").data();
    let owners = data["workers"].as_array().unwrap();
    for feature in ["users", "posts"] {
        let path = RepoPath::from(format!("api/{feature}/main.txt").as_str());
        let scope = |part: &Value| {
            let globs = part["owns"].as_array().unwrap();
            let globs: Vec<String> =
                globs.iter().map(|glob| glob.as_str().unwrap().to_owned()).collect();
            Scope::parse(&globs).unwrap()
        };
        let at = owners.iter().position(|part| scope(part).owns(&path)).unwrap();
        let (number, part) = (at + 1, &owners[at]);
        let label = format!("task-{number}-{}", part["name"].as_str().unwrap());
        let worker = repo.worker(&label);
        for top in ["api", "docs", "tests"] {
            worker.write(&format!("{top}/{feature}/main.txt"), "better\n");
            worker.write(&format!("{top}/{feature}/more.txt"), "new\n");
        }
        let saved = worker.pw(&["checkpoint", feature]).data();
        assert_eq!(saved["left"], json!([]), "every file has its owner: {saved:#}");
        worker.pw(&["complete", feature]).data();
    }
    let merged = repo.pw("pw-integrate run").data();
    assert_eq!(merged["merged"].as_array().unwrap().len(), 2, "{merged:#}");
    let shown = repo.git(&["show", "integration/split:docs/posts/more.txt"]);
    assert_eq!(shown, "new");
}

#[test]
fn a_change_that_needs_everything_is_for_one_session() {
    let repo = repo();
    for number in 0..60 {
        change(&repo, number, &["api/a", "ui/b", "db/c"]);
    }
    let data = repo.pw("pw-setup analyze").data();
    assert_eq!(data["verdict"]["advice"], "one_session", "{data:#}");
    assert!(data["verdict"]["reason"].as_str().unwrap().contains("below 1.3"));
    assert_eq!(data["next"], json!([]));
}

/// Every change adds a file of its own to one folder: that parts no worker from the others, and each may.
#[test]
fn a_changelog_in_pieces_is_every_workers() {
    let repo = repo();
    for number in 0..80 {
        let name = if number % 2 == 0 { "users" } else { "posts" };
        let paths = [format!("src/{name}.txt"), format!("tests/{name}.txt")];
        let piece = format!(".changeset/piece-{number}.md");
        change(&repo, number, &[&paths[0], &paths[1], &piece]);
    }
    let data = repo.pw("pw-setup analyze --workers 2 --emit-plan split.yaml").data();
    assert_eq!(data["verdict"]["advice"], "split", "{data:#}");
    assert_eq!(data["shared"], json!([".changeset/**"]));
    repo.follow(&data["next"][0]["command"]);
    repo.pw("pw-setup create split.yaml").data();
    let label = format!("task-1-{}", data["workers"][0]["name"].as_str().unwrap());
    let worker = repo.worker(&label);
    worker.write(".changeset/new.md", "what is new\n");
    assert_eq!(worker.pw(&["checkpoint", "a piece"]).data()["left"], json!([]));
}

/// git is not waited for when it has written the changes that the windows and their splits need.
#[test]
fn a_long_history_is_read_no_further_than_needed() {
    let repo = repo();
    let mut stream = String::from("reset refs/heads/main\n");
    for number in 1..=2_500 {
        let name = if number % 2 == 0 { "a" } else { "b" };
        let who = format!("committer A <a@example.com> {} +0000", 1_700_000_000 + number);
        stream += &format!("commit refs/heads/main\n{who}\ndata 1\nx\n");
        stream += &format!("M 100644 inline {name}/main.txt\ndata <<E\n{number}\nE\n");
    }
    repo.write("stream", &stream);
    let import = "git fast-import --quiet --force <stream && rm stream && git reset -q --hard";
    repo.sh(&repo.root(), import);
    let history = |words: &str| {
        let history = &repo.pw(words).data()["history"];
        (history["commits"].as_u64().unwrap(), history["cut"].as_bool().unwrap())
    };
    assert_eq!(history("pw-setup analyze --workers 2 --windows 1"), (2_060, true));
    assert_eq!(history("pw-setup analyze --workers 2 --windows 1 --commits 90"), (90, true));
}

#[test]
fn the_answer_is_the_same_every_time_and_nothing_is_written() {
    let repo = features();
    let before = repo.fingerprint();
    let first = repo.pw("pw-setup analyze").stdout;
    assert_eq!(first, repo.pw("pw-setup analyze").stdout);
    assert_eq!(repo.fingerprint(), before);
}

/// Asks about a repository that has too little to say, and returns the answer.
fn partial(repo: &TestRepo) -> Value {
    let data = repo.pw("pw-setup analyze --emit-plan plan2.yaml").data();
    assert_ne!(data["verdict"]["advice"], "split", "{data:#}");
    assert!(!data["verdict"]["reason"].as_str().unwrap().is_empty());
    assert_eq!(data.get("backtest"), None);
    data
}

#[test]
fn too_little_history_is_said_and_not_guessed() {
    // No commit at all.
    let repo = repo();
    repo.git(&["checkout", "-q", "--orphan", "empty"]);
    let data = partial(&repo);
    assert_eq!((&data["history"]["commits"], &data["workers"]), (&json!(0), &json!([])));

    // One commit, one file.
    repo.git(&["checkout", "-q", "-f", "main"]);
    let data = partial(&repo);
    assert_eq!(data["history"]["commits"], 1);
    assert_eq!(data["verdict"]["advice"], "one_session");

    // Bulk commits only: files to share out, and no reason to do it in one way or another.
    let files: Vec<String> = (0..40).map(|at| format!("d{}/f{at}", at % 4)).collect();
    for number in 0..30 {
        change(&repo, number, &files.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let data = partial(&repo);
    assert_eq!(
        (&data["history"]["bulk"], &data["verdict"]["advice"]),
        (&json!(30), &json!("unknown"))
    );
    assert!(data["notes"].to_string().contains("30 of 31 changes"), "{data:#}");
}

#[test]
fn a_shallow_clone_says_so() {
    let repo = features();
    let clone = repo.beside("clone");
    let url = format!("file://{}", repo.root().display());
    repo.git(&["clone", "-q", "--depth", "5", &url, clone.to_str().unwrap()]);
    let data = repo.pw_in(&clone, &["pw-setup", "analyze"]).data();
    assert_eq!(
        (&data["history"]["shallow"], &data["history"]["commits"]),
        (&json!(true), &json!(5))
    );
    assert_eq!(data["verdict"]["advice"], "unknown");
    assert!(data["notes"].to_string().contains("--unshallow"), "{data:#}");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn work_that_lands_by_merges_is_counted_by_merges_and_renames_are_followed() {
    let repo = repo();
    for number in 0..30 {
        let name = if number % 2 == 0 { "a" } else { "b" };
        repo.git(&["checkout", "-q", "-b", "topic"]);
        for part in ["x", "y"] {
            change(&repo, number, &[&format!("{part}/{name}.txt")]);
        }
        repo.git(&["checkout", "-q", "main"]);
        repo.git(&["merge", "-q", "--no-ff", "-m", "a topic", "topic"]);
        repo.git(&["branch", "-q", "-D", "topic"]);
    }
    std::fs::create_dir(repo.root().join("z")).unwrap();
    repo.git(&["mv", "x/a.txt", "z/a.txt"]);
    repo.commit("moved");
    let data = repo.pw("pw-setup analyze --workers 2").data();
    assert_eq!(data["history"]["by_merges"], true);
    let pair = data["coupled"].as_array().unwrap().iter().find(|pair| pair["path"] == "y/a.txt");
    let pair = pair.unwrap_or_else(|| panic!("{data:#}"));
    assert_eq!((&pair["with"], &pair["together"]), (&json!("z/a.txt"), &json!(15)));
}

#[test]
fn names_that_mean_something_in_globs_or_yaml_do_no_harm() {
    let repo = repo();
    for number in 0..40 {
        let name = if number % 2 == 0 { "[id].txt" } else { "!a \"b\": {c}#.txt" };
        change(&repo, number, &[&format!("pages/{name}"), &format!("t{}/é{name}", number % 2)]);
    }
    let data = repo.pw("pw-setup analyze --emit-plan split.yaml").data();
    repo.follow(&data["next"][0]["command"]);
}

#[test]
fn people_get_tables() {
    let repo = features();
    let shown = repo.pw("pw-setup analyze --format human").stdout;
    assert!(shown.starts_with("Split: ") && shown.contains("best possible"), "{shown}");
    let row = repo.pw("pw-setup analyze --format human --row").stdout;
    assert_eq!((row.lines().count(), row.matches('|').count()), (3, 30), "{row}");
}

#[test]
fn check_counts_merges_where_work_lands_by_merges() {
    let repo = repo();
    for number in 0..16 {
        let name = if number % 2 == 0 { "users" } else { "posts" };
        repo.git(&["checkout", "-q", "-b", "topic"]);
        for part in ["api", "docs"] {
            change(&repo, number, &[&format!("{part}/{name}.txt")]);
        }
        repo.git(&["checkout", "-q", "main"]);
        repo.git(&["merge", "-q", "--no-ff", "-m", "a topic", "topic"]);
        repo.git(&["branch", "-q", "-D", "topic"]);
    }
    repo.write(
        "plan.yaml",
        "workflow: w\ngoal: g\nworkers:\n  - {id: a, name: api, owns: [api/users.txt]}\n",
    );
    let data = repo.pw("pw-setup check plan.yaml").data();
    let told = &data["neighbours"][0];
    assert_eq!(
        (&told["with"], &told["together"]),
        (&json!("docs/users.txt"), &json!(8)),
        "{data:#}"
    );
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn status_tells_on_request_what_history_says_is_left_behind() {
    let repo = features();
    repo.write(
        "plan.yaml",
        "workflow: w\ngoal: g\nworkers:\n  - {id: a, name: api, owns: [api]}\n  \
         - {id: d, name: docs, owns: [docs]}\n",
    );
    repo.pw("pw-setup create plan.yaml").data();
    let api = repo.worker("a-api");
    api.write("api/users/main.txt", "new\n");
    assert_eq!(repo.pw("pw-monitor status").data().get("left_behind"), None);
    let left = || -> Vec<(Value, Value, Value)> {
        let data = repo.pw("pw-monitor status --history").data();
        let left = data["left_behind"].as_array().unwrap();
        left.iter()
            .map(|of| (of["worker"].clone(), of["with"].clone(), of["owner"].clone()))
            .collect()
    };
    let docs = (json!("a"), json!("docs/users/main.txt"), json!("d"));
    let tests = (json!("a"), json!("tests/users/main.txt"), json!(null));
    assert!(left().contains(&docs) && left().contains(&tests), "{:?}", left());
    let shown = repo.pw("pw-monitor status --history --format human").stdout;
    let line = "in 100 % of history docs/users/main.txt, owned by d, changes with it";
    assert!(shown.contains(line), "{shown}");

    // Its owner has done its part.
    let worker = repo.worker("d-docs");
    worker.write("docs/users/main.txt", "new\n");
    worker.pw(&["checkpoint", "described"]).data();
    assert!(!left().contains(&docs), "{:?}", left());
}

#[test]
fn check_names_files_that_change_with_a_scope_and_that_its_worker_may_not_change() {
    let repo = features();
    let plan = |shared: &str| {
        format!(
            "workflow: w\ngoal: g\nshared: [CHANGELOG.md{shared}]\nworkers:\n  \
             - {{id: a, name: api, owns: [api/users]}}\n  - {{id: d, name: docs, owns: [docs]}}\n"
        )
    };
    repo.write("plan.yaml", &plan(""));
    let data = repo.pw("pw-setup check plan.yaml").data();
    let said = |at: usize| {
        let of = &data["neighbours"][at];
        (of["worker"].clone(), of["with"].clone(), of["owner"].clone(), of["together"].clone())
    };
    let docs = (json!("a"), json!("docs/users/main.txt"), json!("d"), json!(150));
    assert!((0..4).map(said).any(|said| said == docs), "{data:#}");
    let tests = (json!("a"), json!("tests/users/main.txt"), json!(null), json!(150));
    assert!((0..4).map(said).any(|said| said == tests), "{data:#}");

    repo.write("plan.yaml", &plan(", tests"));
    let data = repo.pw("pw-setup check plan.yaml").data();
    let named = data["neighbours"].to_string();
    assert!(!named.contains("tests/"), "what is shared may be changed: {named}");
}
