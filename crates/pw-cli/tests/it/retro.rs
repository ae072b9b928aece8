//! `pw-retro` against real git.

use std::path::Path;

use pw_testkit::plans::THREE;
use pw_testkit::repo::{START, TestRepo};
use serde_json::{Value, json};

use crate::{created, repo};

#[test]
fn the_report_measures_a_run() {
    let repo = repo(THREE);
    let at = START.to_string();
    repo.pw_in(&repo.root(), &["pw-setup", "create", "plan.yaml", "--now", &at]).data();
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").commit("[CHECKPOINT] model");
    users.commit("[BLOCKED:key] x");
    users.write("shared.txt", "a").commit("[COMPLETE] users");
    let posts = repo.worker("task-2-posts");
    posts.write("shared.txt", "b").commit("[NEEDS:task-1/UserModel] x");
    posts.write("api/posts.py", "1").commit("[COMPLETE] posts");

    let data = repo.pw("pw-retro report").data();
    let worker = &data["workers"][0];
    assert_eq!(
        (&worker["commits"], &worker["checkpoints"], &worker["files"]),
        (&json!(3), &json!(1), &json!(2))
    );
    assert!(worker["blocked_seconds"].as_i64().unwrap() >= 60, "{worker}");
    assert_eq!(worker["waiting_seconds"], 0);
    assert!(data["workers"][1]["waiting_seconds"].as_i64().unwrap() >= 60);
    assert_eq!(data["workers"][2]["duration_seconds"], Value::Null);
    assert_eq!(data["overlaps"], json!([{"path": "shared.txt", "workers": ["task-1", "task-2"]}]));
    assert_eq!(data["conflicts"][0]["paths"], json!(["shared.txt"]));
    assert_eq!(data["integrated"], false);
}

#[test]
fn the_report_outlives_branches_and_worktrees() {
    let repo = repo(THREE);
    repo.pw("pw-setup create plan.yaml").data();
    for (label, path) in [
        ("task-1-users", "api/users.py"),
        ("task-2-posts", "api/posts.py"),
        ("task-3-docs", "docs/a"),
    ] {
        repo.worker(label).write(path, "1").commit("[COMPLETE] done");
    }
    repo.pw("pw-integrate run").data();
    let before = repo.pw("pw-retro report").data();
    for label in ["task-1-users", "task-2-posts", "task-3-docs"] {
        repo.git(&["worktree", "remove", "-f", "-f", &format!("worktrees/{label}")]);
        repo.git(&["branch", "-D", &format!("work/{label}")]);
    }
    assert_eq!(repo.pw("pw-retro report").data(), before);
    assert_eq!(
        (&before["integrated"], &before["workers"][0]["commits"]),
        (&json!(true), &json!(1))
    );
}

/// Runs git in a worktree at a minute of the run.
fn at(repo: &TestRepo, folder: &Path, minute: i64, words: &str) -> String {
    let date = format!("{} +0000", START + minute * 60);
    let line = format!("export GIT_AUTHOR_DATE='{date}' GIT_COMMITTER_DATE='{date}'; git {words}");
    let output = repo.shell(&line).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A worker's commit of one file, at a minute of the run.
fn commit(repo: &TestRepo, label: &str, minute: i64, subject: &str, path: &str) {
    let worker = repo.worker(label);
    worker.write(path, &format!("{label} {minute}"));
    worker.git(&["add", "--all"]);
    at(repo, &worker.path, minute, &format!("commit -q --no-verify -m '{subject}'"));
}

/// Writes the record anew, each entry at the minute that `minute` says.
fn redate(repo: &TestRepo, minute: impl Fn(&str) -> i64) {
    let name = "refs/pw/rest-api/record";
    let entries = repo.git(&["log", "--reverse", "--format=%T %s", name]);
    let mut tip = String::new();
    for entry in entries.lines() {
        let (tree, subject) = entry.split_once(' ').unwrap();
        let parent = if tip.is_empty() { String::new() } else { format!("-p {tip}") };
        let words = format!("commit-tree {tree} {parent} -m '{subject}'");
        tip = at(repo, &repo.root(), minute(subject), &words);
    }
    repo.git(&["update-ref", name, &tip]);
}

/// An hour in which each minute is known.
fn known() -> TestRepo {
    let repo = created(THREE);
    commit(&repo, "task-1-users", 10, "[CHECKPOINT] model", "api/users.py");
    commit(&repo, "task-1-users", 15, "[BLOCKED:no key] which?", "shared.txt");
    commit(&repo, "task-1-users", 35, "[CHECKPOINT] key", "api/users.py");
    commit(&repo, "task-1-users", 40, "[COMPLETE] users", "api/users.py");
    commit(&repo, "task-2-posts", 20, "[NEEDS:task-1/UserModel] x", "api/posts.py");
    commit(&repo, "task-2-posts", 50, "[COMPLETE] posts", "api/posts.py");
    commit(&repo, "task-3-docs", 30, "[COMPLETE] docs", "docs/a");
    repo.pw("pw-integrate run").data();
    let minute = |subject: &str| match subject.split(' ').next().unwrap() {
        "planned" | "creating" | "created" => 0,
        _ => 60,
    };
    redate(&repo, minute);
    repo
}

fn now(minute: i64) -> String {
    (START + minute * 60).to_string()
}

#[test]
fn every_minute_of_a_known_run_is_where_it_belongs() {
    let repo = known();
    let report = |words: &[&str]| {
        let now = now(100);
        let words = [&["pw-retro", "report", "--now", &now], words].concat();
        repo.pw_in(&repo.root(), &words).data()
    };
    let data = report(&[]);
    let minutes = |worker: &Value| {
        ["lifetime", "busy", "blocked", "waiting", "idle"]
            .map(|kind| worker[format!("{kind}_seconds")].as_i64().unwrap() / 60)
    };
    let found: Vec<[i64; 5]> = data["workers"].as_array().unwrap().iter().map(minutes).collect();
    assert_eq!(found, [[40, 20, 20, 0, 0], [50, 20, 0, 30, 0], [30, 30, 0, 0, 0]]);
    assert_eq!((&data["elapsed_seconds"], &data["worked_seconds"]), (&json!(3_600), &json!(7_200)));
    // 70 minutes of work in an hour; two hours of lifetimes are not two workers at work.
    assert_eq!((&data["parallelism"], &data["interim"]), (&json!(1.17), &json!(false)));
    // What task-1 did before task-2 took it, 20 minutes, and that of task-2 itself before, are less
    // than what task-3 did alone.
    assert_eq!(
        data["critical_path"],
        json!({"seconds": 1_800, "steps": [{"worker": "task-3", "seconds": 1_800}]})
    );
    // 20 and 20 minutes one after the other beside 30, and as much lost around it as in this run. The longest
    // part has no checkpoint at which two could have shared it.
    let otherwise = data["counterfactuals"].as_array().unwrap();
    let range = |one: &Value| {
        ["workers", "least_seconds", "most_seconds"].map(|name| one[name].as_i64().unwrap())
    };
    assert_eq!(otherwise.iter().map(range).collect::<Vec<_>>(), [[2, 2_400, 4_800]]);
    assert_eq!(data["handovers"][0]["unnoticed_seconds"], 600);
    assert_eq!((&data["clocks"], &data["missing"]), (&json!([]), &json!([])));
    assert!(data["timeline"].is_null());
    let kinds: Vec<Value> = report(&["--verbose"])["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|moment| moment["kind"].clone())
        .collect();
    assert_eq!(kinds.first(), Some(&json!("planned")));
    assert!(kinds.contains(&json!("unblocked")) && kinds.contains(&json!("taken_in")), "{kinds:?}");
}

/// One worker does all in two folders, the other little.
const UNEVEN: &str = "workflow: rest-api
goal: two parts
workers:
  - {id: task-1, name: api, owns: [api, lib]}
  - {id: task-2, name: docs, owns: [docs]}
";

/// The same plan for the next workflow, while branches of this one are still there.
fn next(plan: &str) -> String {
    plan.replace("rest-api", "next")
        .replace("name: api", "name: api-2")
        .replace("name: docs", "name: docs-2")
}

fn uneven() -> TestRepo {
    let repo = created(UNEVEN);
    commit(&repo, "task-1-api", 30, "[CHECKPOINT] one", "api/one");
    commit(&repo, "task-1-api", 50, "[CHECKPOINT] more", "lib/a");
    commit(&repo, "task-1-api", 70, "[CHECKPOINT] more", "lib/b");
    commit(&repo, "task-1-api", 90, "[COMPLETE] two", "api/two");
    commit(&repo, "task-2-docs", 10, "[COMPLETE] docs", "docs/a");
    repo.pw("pw-integrate run").data();
    redate(&repo, |subject| {
        if subject.starts_with("planned") || subject.starts_with("creat") { 0 } else { 100 }
    });
    repo
}

#[test]
fn hindsight_says_what_to_change_in_the_next_plan() {
    let repo = uneven();
    let words =
        ["pw-retro", "report", "--now", &now(100), "--html", "page.html", "--markdown", "run.md"];
    let found = repo.pw_in(&repo.root(), &words).data()["hindsight"].clone();
    // 90 minutes of one worker beside 10: with the 40 of a folder in other hands, 50.
    let minutes = ["own_seconds", "least_seconds", "most_seconds"]
        .map(|name| found[name].as_i64().unwrap() / 60);
    assert_eq!(minutes, [90, 50, 55]);
    assert_eq!(
        (&found["moves"][0]["glob"], &found["moves"][0]["files"]),
        (&json!("lib/**"), &json!(2))
    );
    assert_eq!(found["moves"][0]["commits"].as_array().unwrap().len(), 2);
    assert_eq!(
        found["owns"],
        json!([{"worker": "task-1", "add": ["!lib/**"]}, {"worker": "task-2", "add": ["lib/**"]}])
    );
    // The change is one that the next plan takes as it is.
    let plan = UNEVEN
        .replace("[api, lib]", "[api, lib, \"!lib/**\"]")
        .replace("[docs]", "[docs, \"lib/**\"]");
    repo.write("plan.next.yaml", &next(&plan));
    repo.pw("pw-setup check plan.next.yaml").data();
    let (page, markdown) = (repo.read("page.html"), repo.read("run.md"));
    assert!(
        page.contains("The split that hindsight suggests") && page.contains("<code>!lib/**</code>"),
        "{page}"
    );
    assert!(markdown.contains("to `owns` of task-2 add lib/&#42;&#42;"), "{markdown}");
    let shown = repo.pw("pw-retro report --format human").stdout;
    assert!(
        shown.contains("lib/** to task-2 in place of task-1: 50m to 56m, not 1h 40m"),
        "{shown}"
    );
}

#[test]
fn flaky_gates_are_remembered_by_name() {
    let elsewhere = repo(UNEVEN);
    let seen = elsewhere.beside("seen");
    let unit =
        format!("{{name: unit, run: 'test -e {0} || {{ touch {0}; exit 1; }}'}}", seen.display());
    let plan = format!("{UNEVEN}smoke: 'true'\nverify:\n  - {unit}\n");
    let repo = created(&plan);
    for (label, path) in [("task-1-api", "api/a"), ("task-2-docs", "docs/a")] {
        repo.worker(label).write(path, "1").commit("[COMPLETE] done");
    }
    repo.pw("pw-integrate run").data();
    let gates = repo.pw("pw-retro report").data()["gates"].clone();
    assert_eq!((&gates["flaky_names"], &gates["failed"]), (&json!(["unit"]), &json!(1)));
    repo.pw("pw-retro remember").data();
    repo.write("next.yaml", &next(&plan));
    let check = repo.pw("pw-setup check next.yaml").data();
    assert_eq!(check["past"]["flaky_gates"], json!([{"name": "unit", "runs": 1}]));
    let warned = check["warnings"].to_string();
    assert!(
        warned.contains("the gate `unit` failed and then passed on the same tree in 1 of 1"),
        "{warned}"
    );
    assert_eq!(repo.pw("pw-setup analyze").data()["past"]["flaky_gates"][0]["name"], "unit");
    let shown = repo.pw("pw-setup check next.yaml --format human").stdout;
    assert!(shown.contains("the gate unit was flaky in 1 of 1 finished run"), "{shown}");
}

#[test]
fn the_page_shows_this_run_beside_the_ones_before() {
    let repo = uneven();
    let page = |repo: &TestRepo| {
        let words = ["pw-retro", "report", "--now", &now(100), "--html", "page.html"];
        repo.pw_in(&repo.root(), &words).data();
        repo.read("page.html")
    };
    assert!(!page(&repo).contains("Runs of this repository"), "one run is no comparison");
    let kept = repo.pw_in(&repo.root(), &["pw-retro", "remember", "--now", &now(100)]).data();
    assert_eq!(kept["changed"], true);
    let same = page(&repo);
    assert!(!same.contains("Runs of this repository"), "the run that is kept is this one");
    // The same numbers once more, as if of an earlier run.
    let script = r#"kept=$(git show refs/pw/history:runs.jsonl)
earlier=$(printf '%s' "$kept" | sed 's/rest-api/search/;s/"started_at":"20/"started_at":"19/')
blob=$(printf '%s\n%s\n' "$earlier" "$kept" | git hash-object -w --stdin)
tree=$(printf '100644 blob %s\truns.jsonl\n' "$blob" | git mktree)
git update-ref refs/pw/history "$(git commit-tree "$tree" -m runs)""#;
    repo.sh(&repo.root(), script);
    let both = page(&repo);
    let (_, section) = both.split_once("Runs of this repository").unwrap();
    let (picture, table) = section.split_once("</svg>").unwrap();
    assert!(picture.find(">search<").unwrap() < picture.find(">rest-api<").unwrap(), "{picture}");
    // 100 busy minutes of 100, twice; no other kind has a part in any bar.
    assert_eq!(picture.matches("<title>busy 100 %</title>").count(), 2, "{picture}");
    assert!(table.contains(">search<") && table.contains(">1h 40m<"), "{table}");
    assert_eq!(page(&repo), both, "the same bytes");
}

#[test]
fn a_commit_whose_clock_is_wrong_is_named_and_changes_no_other_number() {
    let repo = known();
    commit(&repo, "task-3-docs", 9_999_999, "[COMPLETE] docs, once more", "docs/b");
    let words = ["pw-retro", "report", "--now", &now(100)];
    let data = repo.pw_in(&repo.root(), &words).data();
    assert_eq!(data["clocks"][0]["worker"], "task-3");
    assert_eq!(data["clocks"][0]["commit"], repo.worker("task-3-docs").git(&["rev-parse", "HEAD"]));
    assert_eq!(
        (&data["elapsed_seconds"], &data["workers"][2]["lifetime_seconds"]),
        (&json!(3_600), &json!(1_800))
    );
}

#[test]
fn the_page_needs_nothing_runs_nothing_and_gives_nothing_away() {
    let repo = known();
    let hostile = "<script>alert(1)</script><img src=http://x.test/y> &amp; \u{202e}evil";
    commit(&repo, "task-3-docs", 70, hostile, "docs/<b onload=x>");
    let words = ["pw-retro", "report", "--now", &now(100), "--html", "page.html", "--markdown"];
    let before = repo.git(&["for-each-ref"]);
    let data = repo.pw_in(&repo.root(), &words).data();
    assert_eq!(data["written"], json!(["page.html", "docs/retrospective-run1.md"]));
    assert_eq!(repo.git(&["for-each-ref"]), before);

    let page = repo.read("page.html");
    assert!(page.contains("default-src 'none'") && page.contains("<svg"), "{page}");
    for banned in ["<script", "<img", "<b ", "<link", "href=", "style=\"", "\u{202e}"] {
        assert!(!page.contains(banned), "{banned}");
    }
    assert!(page.contains("&lt;script&gt;"), "the subject is shown");
    let root = repo.root().to_string_lossy().into_owned();
    let markdown = repo.read("docs/retrospective-run1.md");
    assert!(!page.contains(&root) && !markdown.contains(&root));
    assert!(markdown.contains("| task-1-users |") && !markdown.contains("<b"), "{markdown}");

    // The same run, the same bytes; a file of ours is written anew, the next run gets its own.
    let data = repo.pw_in(&repo.root(), &words).data();
    assert_eq!(data["written"], json!(["page.html", "docs/retrospective-run2.md"]));
    assert_eq!(repo.read("page.html"), page);
    assert_eq!(repo.read("docs/retrospective-run2.md"), markdown);
}

#[test]
fn no_file_of_the_users_is_written_over() {
    let repo = known();
    repo.write("mine.html", "my own page");
    for file in ["mine.html", "README.md", "docs", ".git/config"] {
        if file == "docs" {
            std::fs::create_dir_all(repo.root().join("docs")).unwrap();
        }
        let before = repo.fingerprint();
        let words = ["pw-retro", "report", "--markdown", "new.md", "--html", file];
        repo.pw_in(&repo.root(), &words).error(3, "in_the_way");
        assert!(repo.fingerprint() == before, "{file}");
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn finished_runs_are_kept_compared_and_forgotten() {
    let repo = created(THREE);
    let kept = |repo: &TestRepo| repo.git(&["for-each-ref", "refs/pw/history"]);
    let error = repo.pw("pw-retro remember").error(3, "not_ready");
    assert_eq!(error["message"].as_str().unwrap().matches("not over").count(), 1, "{error:#}");
    assert_eq!(error["next"], "pw-monitor status rest-api");
    assert_eq!(repo.pw("pw-retro compare").data()["runs"], json!([]));

    let repo = known();
    let first = repo.pw("pw-retro remember").data();
    assert_eq!((&first["changed"], &first["runs"]), (&json!(true), &json!(1)));
    let reference = kept(&repo);
    assert_eq!(repo.pw("pw-retro remember").data()["changed"], false);
    assert_eq!(kept(&repo), reference, "twice is once");

    // What is kept outlives the workflow, and holds no text that workers or the user wrote.
    repo.pw("pw-retro forget --all").data();
    let offers = |answer: &Value| {
        let next = answer["next"].as_array().unwrap();
        next.iter().find(|step| step["action"] == "remember").unwrap()["command"].clone()
    };
    let finished = repo.pw("pw-integrate finish").data();
    assert_eq!(kept(&repo), "", "kept on the user's word");
    let cleaned = repo.pw("pw-integrate cleanup").data();
    assert_eq!(offers(&finished), offers(&cleaned));
    repo.follow(&offers(&cleaned));
    let data = repo.pw("pw-retro compare").data();
    assert_eq!(
        (&data["runs"][0]["workflow"], &data["runs"][0]["elapsed_seconds"]),
        (&json!("rest-api"), &json!(3_600))
    );
    assert_eq!(
        data["sizes"][0],
        json!({"size": "M", "workers": 1, "least_seconds": 1_200, "median_seconds": 1_200, "most_seconds": 1_200})
    );
    let text = repo.git(&["show", "refs/pw/history:runs.jsonl"]);
    assert!(!text.contains("no key") && !text.contains("REST API"), "{text}");

    // The next plan is told of it, and so is who plans.
    repo.write(
        "next.yaml",
        "workflow: next\nverify: 'true'\nworkers:\n  - {id: x, name: a, owns: [api/users.py], size: M}\n  \
         - {id: y, name: b, owns: [docs], size: M, after: [x]}\n",
    );
    let past = repo.pw("pw-setup check next.yaml").data()["past"].clone();
    assert_eq!((&past["runs"], &past["expected_seconds"]), (&json!(1), &json!(2_400)));
    assert_eq!(past["sizes"], data["sizes"]);
    assert_eq!(repo.pw("pw-setup analyze").data()["past"]["sizes"], data["sizes"]);
    let shown = repo.pw("pw-setup check next.yaml --format human").stdout;
    assert!(shown.contains("By 1 finished run: M 20m\n  the plan takes about 40m"), "{shown}");

    repo.pw("pw-retro forget").error(2, "usage");
    assert_eq!(repo.pw("pw-retro forget other").data()["forgotten"], 0);
    assert_eq!(repo.pw("pw-retro forget rest-api").data(), json!({"forgotten": 1, "runs": 0}));
    assert_eq!(kept(&repo), "");
}

#[test]
fn refs_of_an_older_workflow_called_history_are_left_alone() {
    let repo = created(THREE);
    for (label, path) in [
        ("task-1-users", "api/users.py"),
        ("task-2-posts", "api/posts.py"),
        ("task-3-docs", "docs/a"),
    ] {
        repo.worker(label).write(path, "1").commit("[COMPLETE] done");
    }
    repo.git(&["update-ref", "refs/pw/history/record", "HEAD"]);
    let before = repo.git(&["for-each-ref"]);
    repo.pw("pw-retro remember").error(3, "in_the_way");
    assert_eq!(repo.git(&["for-each-ref"]), before);
}
