//! Gates: the integration branch moves only to what passed them.

use std::collections::BTreeSet;

use pw_testkit::plans::THREE;
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::{Value, json};

use crate::created;

/// All three workers of a plan with this `verify` are complete.
fn finished(verify: &str) -> TestRepo {
    let repo = created(&format!("{THREE}{verify}"));
    complete(&repo);
    repo
}

fn complete(repo: &TestRepo) {
    for (label, path) in [
        ("task-1-users", "api/users.py"),
        ("task-2-posts", "api/posts.py"),
        ("task-3-docs", "docs/a.md"),
    ] {
        repo.worker(label).write(path, "1\n").commit("[COMPLETE] done");
    }
}

/// Whether a process still runs; one that no parent waited for does not.
fn runs_still(repo: &TestRepo, pid: &str) -> bool {
    let state = repo.shell(&format!("ps -o stat= -p {}", pid.trim())).output().unwrap();
    !state.stdout.is_empty() && !state.stdout.starts_with(b"Z")
}

fn has_integration(repo: &TestRepo) -> bool {
    let name = ["rev-parse", "-q", "--verify", "refs/heads/integration/rest-api"];
    repo.try_git(&repo.root(), &name).status.success()
}

/// A gate that writes a line outside its worktree each time it runs, then does this.
fn counted(repo: &TestRepo, command: &str) -> String {
    format!("echo run >> {}; {command}", repo.beside("runs").display())
}

fn runs(repo: &TestRepo) -> usize {
    std::fs::read_to_string(repo.beside("runs")).unwrap_or_default().lines().count()
}

/// Runs `pw-integrate run --verify` with this command.
fn verify(repo: &TestRepo, command: &str, more: &[&str]) -> Answer {
    let words = ["pw-integrate", "run", "--verify", command];
    repo.pw_in(&repo.root(), &words.into_iter().chain(more.iter().copied()).collect::<Vec<_>>())
}

/// What runs nothing would pass whatever was merged.
#[test]
fn a_gate_without_a_command_is_not_taken_for_one() {
    let repo = finished("verify: \"false\"\n");
    for nothing in ["", "  ", "# later", "\n# one\n\n# two\n"] {
        let error = verify(&repo, nothing, &[]).error(2, "usage");
        let text = error.to_string();
        assert!(text.contains("no command") && text.contains("--no-gate"), "{nothing:?}: {error}");
        let words = ["pw-integrate", "continue", "--verify", nothing];
        repo.pw_in(&repo.root(), &words).error(2, "usage");
    }
    assert!(!has_integration(&repo));
}

#[test]
fn the_gate_sees_exactly_the_candidate_in_a_clean_environment() {
    let plan = "verify:\n  - {name: files, run: test -f docs/a.md && test -f api/users.py}\n  \
                - name: clean\n    run: |\n      echo \"at $PW_COMMIT $PW_GATE\"\n      \
                test \"$(git rev-parse HEAD)\" = \"$PW_COMMIT\" && test -z \"$(git status --porcelain)\" && \
                test -z \"$GIT_DIR$PW_WORKER$CLAUDECODE\" && test \"$(cat)\" = ''\n    timeout: 10m\n";
    let repo = finished(plan);
    let mut command = repo.helper(&repo.root(), &["pw-integrate", "run", "--verbose"]);
    command.env("GIT_DIR", "/nowhere").env("CLAUDECODE", "1");
    command.env_remove("GIT_DIR");
    let answer: Answer = command.output().unwrap().into();
    let data = answer.data();
    let gate = &data["gate"];
    assert_eq!((&gate["commit"], &gate["mode"]), (&data["commit"], &json!("final")));
    assert_eq!(gate["gates"][0]["name"], "files");
    assert_eq!(
        gate["gates"][1]["output_tail"],
        format!("at {} clean", data["commit"].as_str().unwrap())
    );
    assert!(
        repo.git(&["log", "-1", "--format=%s", "refs/pw/rest-api/record"]).ends_with(" passed")
    );
    // Asking again tests nothing.
    let again = repo.pw("pw-integrate run").data();
    assert_eq!(
        (&again["gate"]["runs"], &again["gate"]["gates"][1]["cached"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? plan.yaml");
}

#[test]
fn nothing_tested_is_never_called_passed() {
    let repo = finished("");
    let data = repo.pw("pw-integrate run").data();
    assert_eq!(data["gate"], Value::Null);
    assert!(data["notes"][0].as_str().unwrap().contains("nothing was tested"));
    assert!(
        repo.git(&["log", "-1", "--format=%s", "refs/pw/rest-api/record"]).ends_with(" no-verify")
    );

    let repo = finished("verify: 'false'\n");
    let data = repo.pw("pw-integrate run --no-gate").data();
    assert_eq!(
        (&data["gate"], &data["notes"]),
        (&Value::Null, &json!(["nothing was tested: --no-gate"]))
    );
    assert!(
        repo.git(&["log", "-1", "--format=%s", "refs/pw/rest-api/record"]).ends_with(" no-gate")
    );
}

#[test]
fn a_red_gate_publishes_nothing_and_goes_on_when_it_is_corrected() {
    let repo = finished("verify: echo looking; grep -q 2 api/posts.py\n");
    let error = repo.pw("pw-integrate run").error(4, "gate_failed");
    let details = &error["details"];
    assert_eq!((&details["exit_code"], &details["gate"]), (&json!(1), &json!("verify")));
    assert_eq!(details["output_tail"], "looking");
    assert!(!has_integration(&repo));
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["integration"]["red"]["gate"], "verify");
    assert_eq!(status["next"][0]["command"], "pw-integrate continue rest-api");

    // Nothing changed, so nothing is tested again.
    let again = repo.pw("pw-integrate continue").error(4, "gate_failed");
    assert_eq!(again["details"]["runs"], 0);
    let view = repo.pw("pw-integrate continue --format human").stderr;
    assert!(view.contains("  | looking\n"), "{view}");
    repo.worker("task-2-posts").write("api/posts.py", "2\n").commit("[COMPLETE] corrected");
    let data = repo.pw("pw-integrate continue").data();
    assert_eq!(data["merged"].as_array().unwrap().len(), 3);
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["integration"].get("red"), None);
    repo.pw("pw-integrate continue").error(3, "nothing_stopped");
}

#[test]
fn abort_after_a_red_gate_leaves_no_trace() {
    let repo = finished("verify: 'false'\n");
    repo.pw("pw-integrate run").error(4, "gate_failed");
    let data = repo.pw("pw-integrate abort").data();
    assert_eq!((data.get("worker"), data.get("snapshot")), (None, None));
    assert!(!has_integration(&repo));
    assert!(!repo.git(&["for-each-ref"]).contains("candidate"));
    assert!(!repo.git(&["worktree", "list"]).contains("/pw/gate/"));
    assert!(!repo.root().join(".git/pw/gate/rest-api").exists());
    repo.pw("pw-integrate abort").error(3, "nothing_stopped");
}

#[test]
fn what_passes_at_the_second_attempt_is_flaky() {
    let repo = finished("");
    let seen = repo.beside("seen");
    let command = format!("test -e {0} || {{ touch {0}; exit 1; }}", seen.display());
    let data = verify(&repo, &command, &[]).data();
    let gate = &data["gate"];
    assert_eq!((&gate["runs"], &gate["gates"][0]["flaky"]), (&json!(2), &json!(true)));
    let again = verify(&repo, &command, &[]).data();
    assert_eq!(
        (&again["gate"]["gates"][0]["flaky"], &again["gate"]["gates"][0]["cached"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn no_tree_is_tested_twice_unless_asked_for() {
    let repo = finished("");
    let command = counted(&repo, "false");
    verify(&repo, &command, &["--without", "task-3"]).error(4, "gate_failed");
    let before = runs(&repo);
    assert!(before >= 2);
    verify(&repo, &command, &["--without", "task-3"]).error(4, "gate_failed");
    assert_eq!(runs(&repo), before);
    verify(&repo, &command, &["--without", "task-3", "--retest"]).error(4, "gate_failed");
    assert!(runs(&repo) > before);
}

#[test]
fn the_worktree_is_used_again_and_what_builds_leave_behind_stays() {
    let verify = "setup: echo made >> made\nverify: |\n  cat made built 2>/dev/null\n  echo once >> built\n  \
                  echo x > stray; echo x >> api/users.py\n  git -c user.name=g -c user.email=g commit -qam mine; git switch -q -C gate-branch\n";
    let repo = crate::repo(&format!("{THREE}{verify}"));
    std::fs::write(repo.root().join(".git/info/exclude"), "made\nbuilt\n").unwrap();
    repo.pw("pw-setup create plan.yaml").data();
    complete(&repo);
    let data = repo.pw("pw-integrate run --without task-3 --verbose").data();
    assert_eq!(data["gate"]["gates"][0]["output_tail"], "made");
    assert!(data["notes"][0].as_str().unwrap().contains("the gate verify changed"), "{data:#}");
    let data = repo.pw("pw-integrate run --verbose").data();
    assert_eq!(data["gate"]["gates"][0]["output_tail"], "made\nonce");
    assert_eq!(repo.git(&["show", "integration/rest-api:api/users.py"]), "1");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_takes_too_long_is_ended_with_all_it_started() {
    let repo = finished("");
    let pid = repo.beside("pid");
    let plan = repo.read("plan.yaml");
    let run = format!("sleep 600 & echo $! > {}; wait", pid.display());
    repo.write(
        "plan.yaml",
        &format!("{plan}verify:\n  - {{name: slow, run: '{run}', timeout: 1s}}\n"),
    );
    repo.pw("pw-setup create plan.yaml").data();
    let error = repo.pw("pw-integrate run").error(4, "gate_failed");
    assert_eq!(error["details"]["timed_out"], true);
    assert!(!runs_still(&repo, &std::fs::read_to_string(&pid).unwrap()));
}

#[test]
fn a_killed_helper_takes_its_gate_with_it() {
    let repo = finished("");
    let pid = repo.beside("pid");
    // The gate kills the helper, which is the parent of its shell, and would go on for ever.
    let command =
        format!("test -e {0} || {{ echo $$ > {0}; kill -9 $PPID; sleep 600; }}", pid.display());
    assert_eq!(verify(&repo, &command, &[]).code, None);
    assert!(!has_integration(&repo));
    let data = verify(&repo, &command, &[]).data();
    assert_eq!(data["gate"]["gates"][0]["flaky"], false);
    assert!(!runs_still(&repo, &std::fs::read_to_string(&pid).unwrap()));
}

#[test]
fn a_process_that_fled_keeps_the_next_gate_away() {
    let repo = finished("");
    let pid = repo.beside("pid");
    let command = format!(
        "test -s {0} || setsid -f sh -c 'echo $$ > {0}; exec sleep 600'; until test -s {0}; do :; done",
        pid.display()
    );
    verify(&repo, &command, &[]).data();
    let error = verify(&repo, &command, &["--retest"]).error(3, "locked");
    assert!(error["hint"].as_str().unwrap().contains("end it"));
    let fled = std::fs::read_to_string(&pid).unwrap();
    assert!(repo.shell(&format!("kill -9 {}", fled.trim())).status().unwrap().success());
    verify(&repo, &command, &["--retest"]).data();
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let repo = finished("verify: 'true'\n");
    let place = repo.root().join(".git/pw/gate/rest-api");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::create_dir(repo.beside("precious")).unwrap();
    std::os::unix::fs::symlink(repo.beside("precious"), &place).unwrap();
    std::fs::write(repo.beside("precious/work"), "mine").unwrap();
    repo.pw("pw-integrate run").error(3, "in_the_way");
    std::fs::remove_file(&place).unwrap();
    repo.git(&["init", "-q", place.to_str().unwrap()]);
    repo.pw("pw-integrate run").error(3, "in_the_way");
    repo.git(&["worktree", "add", "-q", "--detach", "../theirs"]);
    std::fs::remove_dir_all(&place).unwrap();
    repo.git(&["worktree", "move", "../theirs", place.to_str().unwrap()]);
    repo.pw("pw-integrate run").error(3, "in_the_way");
    repo.git(&["worktree", "remove", place.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(repo.beside("precious/work")).unwrap(), "mine");
    repo.pw("pw-integrate run").data();
}

/// Workers `task-1` to `task-8`; each complete, with `w<n>/file`.
fn eight(verify: &str) -> TestRepo {
    let ids = 1..=8;
    let workers: String =
        ids.clone().map(|n| format!("  - {{id: task-{n}, name: w{n}, owns: [w{n}]}}\n")).collect();
    let repo = created(&format!("workflow: eight\n{verify}workers:\n{workers}"));
    for n in ids {
        let worker = repo.worker(&format!("task-{n}-w{n}"));
        worker.write(&format!("w{n}/file"), "x\n").commit("[COMPLETE] done");
    }
    repo
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn two_workers_that_fail_only_together_are_named_in_few_runs() {
    let repo = eight("");
    let command = counted(&repo, "test ! -e w2/file || test ! -e w6/file");
    let error = verify(&repo, &command, &[]).error(4, "gate_failed");
    let details = &error["details"];
    assert_eq!(
        (&details["cause"], &details["workers"]),
        (&json!("interaction"), &json!(["task-2", "task-6"]))
    );
    let fault = &details["faults"][0];
    assert_eq!((&fault["alone"], &fault["certain"]), (&json!(true), &json!(true)));
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("task-2 and task-6 together; each passes alone"), "{message}");
    // The result twice, the start, 3 to bisect eight, task-6 alone, 2 to bisect the five before it,
    // the pair, task-2 alone, the others without task-6.
    let minimal = 2 + 1 + 3 + 1 + 2 + 1 + 1 + 1;
    assert_eq!((runs(&repo), &details["runs"]), (minimal, &json!(minimal)));
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["integration"]["red"]["workers"], json!(["task-2", "task-6"]));

    // The others were tested as such, so following `next` tests nothing.
    assert_eq!(details["rest"]["without"], json!(["task-6"]));
    let data = Answer::from(repo.follow(&error["next"])).data();
    assert_eq!((&data["without"], &data["gate"]["runs"]), (&json!(["task-6"]), &json!(0)));
    assert_eq!(data["gate"]["tree"], details["rest"]["tree"]);
    assert_eq!(repo.git(&["ls-tree", "--name-only", "integration/eight"]).lines().count(), 8);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn one_worker_at_fault_is_named_in_few_runs_and_several_one_by_one() {
    let repo = eight(
        "verify:\n  - {name: lint, run: test ! -e w7/file}\n  - {name: test, run: test ! -e w3/file}\n",
    );
    let error = repo.pw("pw-integrate run").error(4, "gate_failed");
    let details = &error["details"];
    assert_eq!(
        (&details["cause"], &details["workers"]),
        (&json!("worker"), &json!(["task-3", "task-7"]))
    );
    assert_eq!(
        details["faults"],
        json!([
            {"gate": "lint", "workers": ["task-7"], "alone": false, "certain": true},
            {"gate": "test", "workers": ["task-3"], "alone": false, "certain": true},
        ])
    );
    assert_eq!(error["next"], "pw-integrate run eight --without task-3 --without task-7");

    let repo = eight("");
    let command = counted(&repo, "test ! -e w5/file");
    let error = verify(&repo, &command, &[]).error(4, "gate_failed");
    assert_eq!(error["details"]["workers"], json!(["task-5"]));
    // The result twice, the start, 3 to bisect eight, task-5 alone, the others.
    assert_eq!(runs(&repo), 2 + 1 + 3 + 1 + 1);
    // Corrected: everything is merged again with the new tip; that tree passed as the others did.
    let worker = repo.worker("task-5-w5");
    worker.git(&["rm", "-q", "w5/file"]);
    worker.commit("[COMPLETE] without the file");
    let data = repo.pw("pw-integrate continue").data();
    assert_eq!((data["merged"].as_array().unwrap().len(), runs(&repo)), (8, 8));
}

#[test]
fn nobody_is_blamed_for_a_start_that_fails() {
    let repo = eight("");
    let command = counted(&repo, "test -e tool");
    let error = verify(&repo, &command, &[]).error(4, "gate_failed");
    assert_eq!(
        (&error["details"]["cause"], &error["details"]["workers"]),
        (&json!("start"), &json!([]))
    );
    // The result and the start, each twice: either may have failed by a whim.
    assert_eq!(runs(&repo), 4);
    // What was missing may not be in the repository: only a new test can tell.
    assert!(error["next"].as_str().unwrap().ends_with("--retest"));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_gate_after_each_merge_names_the_last_one() {
    let repo = eight("");
    let command = counted(&repo, "test ! -e w3/file");
    let error = verify(&repo, &command, &["--gate", "each"]).error(4, "gate_failed");
    assert_eq!(error["details"]["workers"], json!(["task-3"]));
    // Two that pass, the third twice, the third alone, the others.
    assert_eq!(runs(&repo), 2 + 2 + 1 + 1);
    assert!(error["next"].as_str().unwrap().contains("--gate each"), "{error:#}");
    let data = Answer::from(repo.follow(&error["next"])).data();
    let gate = &data["gate"];
    assert_eq!((&gate["mode"], &gate["gates"][0]["passed"]), (&json!("each"), &json!(true)));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn workers_that_do_not_merge_without_another_are_no_proof_against_anybody() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("shared.txt", "1\n").commit("[COMPLETE] users");
    for (label, path) in [("task-2-posts", "api/posts.py"), ("task-3-docs", "docs/a.md")] {
        let worker = repo.worker(label);
        worker.write("shared.txt", "2\n").write(path, "x\n").commit("[COMPLETE] done");
    }
    // Both conflict with the first; resolved, the third fails together with the second.
    let place = |label: &str| repo.root().join(format!("worktrees/_integration-{label}"));
    let command = "test ! -e docs/a.md || test ! -e api/posts.py";
    verify(&repo, command, &[]).error(4, "merge_conflict");
    std::fs::write(place("task-2-posts").join("shared.txt"), "1\n2\n").unwrap();
    repo.git_in(&place("task-2-posts"), &["add", "shared.txt"]);
    repo.pw("pw-integrate continue").error(4, "merge_conflict");
    std::fs::write(place("task-3-docs").join("shared.txt"), "1\n2\n").unwrap();
    repo.git_in(&place("task-3-docs"), &["add", "shared.txt"]);
    let error = repo.pw("pw-integrate continue").error(4, "gate_failed");
    assert_eq!(error["details"]["workers"], json!(["task-2", "task-3"]), "{error:#}");

    // What was resolved before the one left out is kept.
    let data = Answer::from(repo.follow(&error["next"])).data();
    assert_eq!((&data["without"], &data["gate"]["runs"]), (&json!(["task-3"]), &json!(0)));
    assert_eq!(repo.git(&["show", "integration/rest-api:shared.txt"]), "1\n2");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_search_that_was_killed_asks_only_what_was_not_answered() {
    let repo = eight("");
    let (trees, once) = (repo.beside("runs"), repo.beside("once"));
    let command = format!(
        "git rev-parse 'HEAD^{{tree}}' >> {0}; \
         if test $(wc -l < {0}) = 6 && test ! -e {1}; then touch {1}; kill -9 $PPID; sleep 600; fi; \
         test ! -e w2/file || test ! -e w6/file",
        trees.display(),
        once.display()
    );
    assert_eq!(verify(&repo, &command, &[]).code, None);
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["next"][0]["command"], "pw-integrate continue eight");
    let error = repo.pw("pw-integrate continue").error(4, "gate_failed");
    assert_eq!(error["details"]["workers"], json!(["task-2", "task-6"]));
    // The result was tested twice on purpose, and what was killed again.
    let tested = std::fs::read_to_string(&trees).unwrap();
    let distinct: BTreeSet<&str> = tested.lines().collect();
    assert_eq!(tested.lines().count(), distinct.len() + 2);
}

#[test]
fn commits_made_while_the_gate_runs_are_told_and_not_merged() {
    let repo = finished("");
    let worker = repo.worker("task-1-users");
    let commit = "git -c user.name=w -c user.email=w commit -q --no-verify --allow-empty -m more";
    let data = verify(&repo, &format!("cd {} && {commit}", worker.path.display()), &[]).data();
    assert_eq!(data["newer"], json!(["task-1"]));
    assert_ne!(data["merged"][0]["tip"], json!(worker.git(&["rev-parse", "HEAD"])));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn who_was_integrated_before_is_named_with_those_that_fail_with_it() {
    let repo = eight("verify: test ! -e w2/new || test ! -e w6/file\n");
    let all_but = |id: u32| (1..=8).filter(move |other| *other != id);
    let without =
        |ids: &[u32]| ids.iter().map(|n| format!(" --without task-{n}")).collect::<String>();
    let run = |ids: &[u32]| repo.pw(&format!("pw-integrate run{}", without(ids)));
    let two: Vec<u32> = all_but(2).collect();
    run(&two).data();
    let second = repo.worker("task-2-w2");
    second.write("w2/new", "x\n").commit("[COMPLETE] more");
    run(&two).data();
    // Upon what is integrated the sixth fails alone; it is the second's newer commit, too.
    let error = run(&[]).error(4, "gate_failed");
    let details = &error["details"];
    assert_eq!(
        (&details["cause"], &details["workers"]),
        (&json!("interaction"), &json!(["task-2", "task-6"])),
        "{error:#}"
    );
    assert_eq!(details["rest"]["without"], json!(["task-6"]));

    // The other way round: the newer commit comes last.
    let repo = eight("verify: test ! -e w2/new || test ! -e w6/file\n");
    repo.pw("pw-integrate run").data();
    repo.worker("task-2-w2").write("w2/new", "x\n").commit("[COMPLETE] more");
    let details = &repo.pw("pw-integrate run").error(4, "gate_failed")["details"];
    assert_eq!(details["faults"][0]["workers"], json!(["task-6", "task-2"]), "{details:#}");
    assert_eq!(details["faults"][0]["alone"], json!(true), "{details:#}");
    // Who fails upon the base alone is named alone.
    let repo = eight("verify: test ! -e w2/new\n");
    repo.pw("pw-integrate run").data();
    repo.worker("task-2-w2").write("w2/new", "x\n").commit("[COMPLETE] more");
    let details = &repo.pw("pw-integrate run").error(4, "gate_failed")["details"];
    assert_eq!(
        (&details["cause"], &details["workers"]),
        (&json!("worker"), &json!(["task-2"])),
        "{details:#}"
    );
}
