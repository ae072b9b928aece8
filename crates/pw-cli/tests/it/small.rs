//! An agent pays for every byte it reads: the answers it reads most often have a size.

use pw_testkit::repo::{Answer, TestRepo};
use serde_json::{Value, json};

use crate::{created, repo};

/// A plan of this many workers, as people write them.
fn plan(workers: usize) -> String {
    let worker = |nth: usize| {
        format!(
            "  - id: task-{nth}\n    name: part-{nth}\n    owns: [src/part{nth}, \"tests/part{nth}/**\"]\n    \
             provides: [Part{nth}Model]\n    size: M\n    tasks: [\"the model of part {nth}\", \
             \"its list and detail pages\", \"tests for both\"]\n    checkpoints: [model, pages, tests]\n"
        )
    };
    let workers: String = (1..=workers).map(worker).collect();
    format!(
        "workflow: shop\ngoal: |\n  Every part of the shop gets a model, pages and tests, as the \
         first one has.\nverify: 'true'\nshared: [deps.txt]\nworkers:\n{workers}"
    )
}

/// A repository in which this many workers are at work, each with a checkpoint.
fn at_work(workers: usize) -> TestRepo {
    let repo = created(&plan(workers));
    work(&repo, workers);
    repo
}

fn work(repo: &TestRepo, workers: usize) {
    for nth in 1..=workers {
        let worker = repo.worker(&format!("task-{nth}-part-{nth}"));
        worker.write(&format!("src/part{nth}/model.py"), "class Model: pass\n");
        worker.write(&format!("tests/part{nth}/test_model.py"), "def test(): pass\n");
        worker.commit("[CHECKPOINT] the model and its tests, both pages to come");
    }
}

fn size(repo: &TestRepo, command: &str) -> usize {
    let answer = repo.pw(command);
    answer.data();
    answer.stdout.len()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn the_answers_about_many_healthy_workers_are_small() {
    for (workers, limit) in [(16, 6 * 1024), (64, 16 * 1024)] {
        let repo = created(&plan(workers));
        let is_small = |when: &str| {
            let size = size(&repo, "pw-monitor status");
            assert!(size < limit, "{workers} {when}: {size} bytes");
        };
        is_small("that begin");
        work(&repo, workers);
        is_small("at work");
        let brief = repo.worker("task-2-part-2").pw(&["brief"]);
        assert!(brief.stdout.len() < 2 * 1024, "{workers}: {}", brief.stdout);
        assert_eq!(brief.data()["owns"], json!(["src/part2", "tests/part2/**"]));
        for nth in 1..=workers {
            repo.worker(&format!("task-{nth}-part-{nth}")).commit("[COMPLETE] model, pages, tests");
        }
        is_small("that are complete");
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_plan_of_many_workers_is_checked_and_created_in_few_words() {
    for (workers, limit) in [(16, 6 * 1024), (64, 19 * 1024)] {
        let repo = repo(&plan(workers));
        for command in ["check", "create", "create"] {
            let answer = repo.pw(&format!("pw-setup {command} plan.yaml"));
            let data = answer.data();
            let size = answer.stdout.len();
            assert!(size < limit, "{workers}, {command}: {size} bytes");
            let told = data["workers"].as_array().unwrap();
            assert_eq!((told.len(), &data["in_short"]), (workers, &json!(workers)));
            assert_eq!(data["waves"][0].as_array().unwrap().len(), workers);
            for field in ["id", "label", "branch", "worktree", "launch", "status"] {
                assert!(told.iter().all(|worker| worker[field] != Value::Null), "{field}");
            }
            assert!(told[3]["launch"]["command"].as_str().unwrap().starts_with("sh "));
        }
        let data = repo.pw("pw-setup create plan.yaml --verbose").data();
        assert_eq!(data["workers"][1]["owns"], json!(["src/part2", "tests/part2/**"]));
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_plan_in_which_all_workers_meet_is_refused_in_few_words() {
    let repo = repo("");
    let globs = |count: usize| {
        let globs: Vec<String> = (0..count).map(|n| format!("d/f{n}*")).collect();
        globs.join(", ")
    };
    // More pairs than are named; wildcards that meet in many ways; more globs than are compared.
    for (workers, owns) in [
        (160, "src/**".to_owned()),
        (40, format!("\"**/{}*/**/*[a-m]?\"", "*a".repeat(20))),
        (30, globs(201)),
    ] {
        let worker = |n| format!("  - {{id: w{n}, name: n, owns: [{owns}]}}\n");
        let workers: String = (0..workers).map(worker).collect();
        repo.write("plan.yaml", &format!("workflow: big\nworkers:\n{workers}"));
        let answer = repo.pw("pw-setup check plan.yaml");
        let error = answer.error(3, "plan_invalid");
        assert!(error["message"].as_str().unwrap().ends_with("more)"), "{error}");
        assert!(answer.stdout.len() < 40 << 10, "{owns}: {}", answer.stdout.len());
    }
}

#[test]
fn a_created_workflow_is_told_without_what_the_plan_says() {
    let repo = repo(&plan(4));
    let data = repo.pw("pw-setup create plan.yaml").data();
    for field in ["owns", "after", "size"] {
        assert_eq!(data["workers"][1].get(field), None, "{field}");
    }
    let only = repo.pw("pw-setup create plan.yaml --only notes,warnings,next");
    assert!(only.stdout.len() < 250, "{}", only.stdout);
    assert_eq!(only.data()["next"][0]["command"], "pw-monitor status shop");
    repo.pw("pw-setup create plan.yaml --only next,wokers").error(2, "usage");
    let worker = repo.worker("task-2-part-2");
    assert_eq!(worker.pw(&["brief"]).data()["others"][0].get("owns"), None);
    let all = worker.pw(&["brief", "--verbose"]).data();
    assert_eq!(all["others"][0]["owns"], json!(["src/part1", "tests/part1/**"]));
    let only = worker.pw(&["brief", "--only", "notes,owns,next"]).data();
    assert_eq!(only, json!({"owns": ["src/part2", "tests/part2/**"], "notes": "", "next": []}));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_retrospective_of_many_workers_that_collide_is_bounded() {
    for (workers, limit) in [(4, 5 * 1024), (16, 8 * 1024), (64, 20 * 1024)] {
        let repo = at_work(workers);
        for nth in 1..=workers {
            let worker = repo.worker(&format!("task-{nth}-part-{nth}"));
            worker.write("deps.txt", &format!("{nth}\n")).commit("[COMPLETE] model, pages, tests");
        }
        let size = size(&repo, "pw-retro report");
        assert!(size < limit, "{workers}: {size} bytes");
    }
    let repo = at_work(6);
    for nth in 1..=6 {
        let worker = repo.worker(&format!("task-{nth}-part-{nth}"));
        worker.write("deps.txt", &format!("{nth}\n")).commit("[COMPLETE] model, pages, tests");
    }
    let told = repo.pw("pw-retro report").data();
    let all = repo.pw("pw-retro report --verbose").data();
    assert_eq!((all["conflicts"].as_array().unwrap().len(), all.get("more")), (15, None));
    assert_eq!(told["more"]["conflicts"], 15 - told["conflicts"].as_array().unwrap().len());
    assert_eq!((told.get("goal"), told["headline"].clone()), (None, all["headline"].clone()));
}

#[test]
fn what_is_wrong_with_one_of_many_is_told_and_the_rest_counted() {
    let repo = at_work(12);
    repo.worker("task-3-part-3").commit("[BLOCKED:key] which key signs the release?");
    repo.worker("task-5-part-5").write("src/part6/model.py", "mine\n");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(
        (&status["in_short"], status["workers"].as_array().unwrap().len()),
        (&json!(10), 12)
    );
    let worker = |nth: usize| &status["workers"][nth - 1];
    assert_eq!(worker(3)["signal"]["reason"], "key");
    assert_eq!(worker(5)["out_of_scope"], json!(["src/part6/model.py"]));
    assert_eq!((worker(1).get("worktree"), &worker(1)["state"]), (None, &json!("in_progress")));

    let all = repo.pw("pw-monitor status --verbose --now 1750001500").data();
    assert!(all["workers"][0]["tip"].is_string() && all["workers"][0]["stall"].is_null());
    let only = repo.pw("pw-monitor status --only workers --now 1750001500").data();
    assert_eq!(only.as_object().unwrap().len(), 1);
    assert_eq!(only["workers"], all["workers"]);
    let error = repo.pw("pw-monitor status --only wokers").error(2, "usage");
    assert_eq!(error["next"], "pw-monitor schema");
}

#[test]
fn a_second_look_tells_only_what_changed() {
    let repo = at_work(3);
    let look = |cursor: &Value| {
        repo.pw(&format!("pw-monitor status --since {}", cursor.as_str().unwrap())).data()
    };
    let first = repo.pw("pw-monitor status").data();
    let second = look(&first["cursor"]);
    assert_eq!((&second["workers"], &second["unchanged"]), (&json!([]), &json!(3)));
    assert_eq!((&second["changes"], &second["cursor"]), (&json!([]), &first["cursor"]));

    repo.worker("task-2-part-2").write("src/part2/a.py", "").commit("[CHECKPOINT] pages");
    repo.worker("task-3-part-3").commit("[BLOCKED:key] which?");
    let third = look(&second["cursor"]);
    let told: Vec<&Value> =
        third["workers"].as_array().unwrap().iter().map(|worker| &worker["id"]).collect();
    assert_eq!(told, ["task-2", "task-3"]);
    assert_eq!(
        (third["changes"][0]["kind"].as_str(), &third["unchanged"]),
        (Some("blocked"), &json!(1))
    );
    // Waiting on from there tells nothing twice.
    let cursor = third["cursor"].as_str().unwrap();
    let waited = repo.pw(&format!("pw-monitor wait --timeout 0s --since {cursor}")).data();
    assert_eq!(waited["happened"], false);
}

#[test]
fn a_gate_that_passed_has_no_output_and_one_that_failed_its_end_in_plain_text() {
    let noise = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); printf '\\033[32mtest %s ... ok\\033[0m\\n' $i; done";
    let failing = "if [ -f bad ]; then printf '\\033[31mtest first ... FAILED\\033[0m\\n'; fi";
    let gate =
        format!("{failing}; {noise}; test -z \"$FORCE_COLOR\" -a -n \"$NO_COLOR\" -a ! -f bad");
    let plan = format!(
        "workflow: w\ngoal: g\nverify: |\n  {gate}\nworkers:\n  - {{id: a, name: x, owns: [good, bad]}}\n"
    );
    let repo = repo(&plan);
    repo.pw("pw-setup create plan.yaml").data();
    let worker = repo.worker("a-x");
    worker.write("good", "1").commit("[COMPLETE] good");
    let mut run = repo.helper(&repo.root(), &["pw-integrate", "run"]);
    let passed: pw_testkit::repo::Answer = run.env("FORCE_COLOR", "1").output().unwrap().into();
    let result = &passed.data()["gate"]["gates"][0];
    assert_eq!((&result["passed"], result.get("output_tail")), (&json!(true), None));
    assert!(passed.stdout.len() < 1_600, "{}", passed.stdout);
    let all = repo.pw("pw-integrate run --verbose").data();
    let tail = all["gate"]["gates"][0]["output_tail"].as_str().unwrap();
    assert_eq!((tail.lines().count(), tail.lines().last()), (60, Some("test 300 ... ok")));

    worker.write("bad", "1").commit("[COMPLETE] bad");
    let details = repo.pw("pw-integrate run").error(4, "gate_failed")["details"].clone();
    let first = details["first_failure"].as_str().unwrap();
    assert!(first.starts_with("test first ... FAILED\ntest 1 ... ok\n"), "{first}");
    assert!(!details.to_string().contains("\\u001b"), "{details:#}");
}

#[test]
fn a_word_of_an_answer_is_explained_alone() {
    let repo = repo("");
    let found = repo.pw("pw-setup explain dirty_tree").data();
    let of: Vec<&Value> = found["rows"].as_array().unwrap().iter().map(|row| &row["of"]).collect();
    assert_eq!(of, ["code", "reason", "kept"]);
    assert_eq!(found["rows"][0]["exit"], 3);
    repo.pw("pw-setup explain nonsense").error(2, "usage");
    let shown = repo.pw("pw-setup explain blocked --format human").stdout;
    assert!(shown.starts_with("blocked (the state of a worker)\n"), "{shown}");
}

#[test]
fn what_a_wait_tells_as_a_change_is_not_among_its_next_steps_again() {
    let repo = at_work(2);
    repo.worker("task-1-part-1").commit("[BLOCKED:key] which?");
    let first = repo.pw("pw-monitor wait --timeout 0s").data();
    assert!(first["changes"][0]["command"].as_str().unwrap().starts_with("git log"), "{first}");
    let actions = |waited: &Value| {
        let steps = waited["next"].as_array().unwrap();
        steps.iter().map(|step| step["action"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(actions(&first), [json!("wait")]);
    repo.worker("task-2-part-2").commit("[COMPLETE] all");
    let since = first["cursor"].as_str().unwrap();
    let then = repo.pw(&format!("pw-monitor wait --timeout 0s --since {since}")).data();
    assert_eq!(
        (actions(&then), &then["changes"][0]["worker"]),
        (vec![json!("read"), json!("wait")], &json!("task-2"))
    );
    let all = repo.pw("pw-monitor wait --timeout 0s --verbose").data();
    assert!(actions(&all).contains(&json!("read")), "{all}");
}

#[test]
fn each_answer_on_the_way_of_four_workers_has_a_budget() {
    let repo = repo(&plan(4));
    let told = |answer: &Answer, what: &str, limit: usize| {
        answer.data();
        let size = answer.stdout.len();
        assert!(size < limit, "{what}: {size} bytes: {}", answer.stdout);
    };
    let runs = |command: &str, limit| told(&repo.pw(command), command, limit);
    runs("pw-setup create plan.yaml --only notes,warnings", 100);
    for nth in 1..=4 {
        let worker = repo.worker(&format!("task-{nth}-part-{nth}"));
        let says = |words: &[&str], limit| told(&worker.pw(words), words[0], limit);
        worker.write(&format!("src/part{nth}/model.py"), "class Model: pass\n");
        says(&["checkpoint", "the model and its tests, both pages to come"], 360);
        says(&["run", "--", "true"], 150);
        says(&["complete", "--run", "model, pages, tests"], 240);
    }
    runs("pw-monitor wait --timeout 0s", 1_400);
    runs("pw-integrate run", 1_200);
    runs("pw-integrate finish", 950);
    runs("pw-integrate cleanup --dry-run", 700);
    runs("pw-integrate cleanup", 2_200);
}
