//! Jobs on other machines: what the engine says of them is asked and told, and when it says nothing
//! the last push decides, by the clock of this machine.

use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::engines::{asked, led, say, unsay};

fn status(repo: &TestRepo, words: &str) -> Value {
    repo.pw(format!("pw-monitor status --verbose {words}").trim()).data()
}

/// A launch by Slurm of three workers, of which the first pushed a step from its node.
fn launched() -> TestRepo {
    let repo = led("");
    repo.pw("pw-setup launch --with slurm").data();
    say(&repo, "die", "");
    let node = "SLURM_ARRAY_TASK_ID=0 sh \"$HOME/submitted.sh\"";
    assert!(!repo.shell(node).current_dir("/").status().unwrap().success());
    repo
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn every_end_of_a_job_is_a_cause_with_a_command() {
    let repo = launched();
    let relaunch = "pw-setup launch task-1 --workflow rest-api --with slurm";
    let look = "scontrol show job 4711_0";
    // What Slurm says; the cause at once and after the limit; the command.
    let table = [
        ("PENDING|Priority", None, Some("queued"), look),
        ("PENDING|QOSMaxJobsPerUserLimit", None, Some("quota"), look),
        ("PENDING|JobHeldAdmin", Some("held"), Some("held"), look),
        ("RUNNING|None", None, Some("silent"), look),
        ("FAILED|NonZeroExitCode", Some("job_failed"), Some("job_failed"), look),
        ("CANCELLED|None", Some("cancelled"), Some("cancelled"), relaunch),
        ("TIMEOUT|TimeLimit", Some("time_limit"), Some("time_limit"), relaunch),
        ("NODE_FAIL|NodeDown", Some("node_lost"), Some("node_lost"), relaunch),
        ("PREEMPTED|None", Some("preempted"), Some("preempted"), relaunch),
        ("COMPLETED|None", Some("gone"), Some("gone"), relaunch),
    ];
    asked(&repo);
    for (line, now, late, command) in table {
        let rest = "4711_1|RUNNING|None\n4711_2|PENDING|Resources\n";
        say(&repo, "queue", &format!("4711_0|{line}\n{rest}"));
        for (words, cause) in [("--fetch", now), ("--fetch --stall-after 0s", late)] {
            let told = status(&repo, words);
            let stall = &told["workers"][0]["stall"];
            assert_eq!(stall["cause"].as_str(), cause, "{line} {words}: {told:#}");
            if cause.is_some() {
                assert_eq!(stall["remedy"], command, "{line}");
                let message = stall["message"].as_str().unwrap();
                assert!(message.contains("4711_0"), "{line}: {message}");
            }
            // One question for all jobs.
            assert_eq!(asked(&repo).len(), 1, "{line}");
            assert_eq!(told["engines"], json!([{ "engine": "slurm", "jobs": 3 }]));
            let job = &told["workers"][2]["session"]["job"];
            assert_eq!(
                (&job["state"], &job["cancel"]),
                (&json!("queued"), &json!("scancel 4711_2"))
            );
        }
    }
    // What the queue has forgotten, the accounts may know.
    unsay(&repo, "queue");
    say(&repo, "sacct.says", "4711_0|TIMEOUT\n4711_1|CANCELLED by 0\n");
    let told = status(&repo, "--fetch");
    let causes = [0, 1, 2].map(|nth: usize| told["workers"][nth]["stall"]["cause"].clone());
    assert_eq!(causes, ["time_limit", "cancelled", "gone"]);
    let waited = repo.pw("pw-monitor wait --fetch --for stalled --timeout 0s").data();
    assert_eq!(waited["changes"].as_array().unwrap().len(), 3);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn an_engine_that_does_not_tell_leaves_it_to_the_last_push() {
    let repo = launched();
    // A client keeps its registry here, and knows nothing of sessions elsewhere.
    std::fs::create_dir_all(repo.beside(".claude/sessions")).unwrap();
    let told = status(&repo, "");
    for worker in told["workers"].as_array().unwrap() {
        assert_eq!(worker["stall"], Value::Null, "{worker:#}");
        assert_eq!(
            (&worker["session"]["alive"], &worker["session"]["job"]["state"]),
            (&Value::Null, &Value::Null)
        );
    }
    assert!(told.get("engines").is_none());
    assert_eq!(told["next"][0]["command"], "pw-monitor status --fetch rest-api", "{told:#}");
    assert_eq!(
        asked(&repo).iter().filter(|line| line.starts_with("squeue --noheader --array")).count(),
        0
    );
    for (text, trouble) in [
        ("slurm_load_jobs error: Unable to contact slurm controller", "Unable to contact"),
        ("", "exit code 1"),
    ] {
        say(&repo, "squeue.fails", text);
        let told = status(&repo, "--fetch --stall-after 0s");
        let answer = &told["engines"][0];
        assert!(answer["trouble"].as_str().unwrap().contains(trouble), "{told:#}");
        let stall = &told["workers"][0]["stall"];
        assert_eq!(stall["cause"], "unknown");
        let message = stall["message"].as_str().unwrap();
        assert!(
            message.contains("nothing was pushed") && message.contains("slurm does not tell"),
            "{message}"
        );
        // Starting it again asks the engine first.
        let words: Vec<&str> = stall["remedy"].as_str().unwrap().split(' ').collect();
        repo.pw_in(&repo.root(), &words).error(3, "session_alive");
    }
    unsay(&repo, "squeue.fails");
    say(&repo, "squeue.says", "the queue is being moved to another machine\n");
    let told = status(&repo, "--fetch");
    assert!(told["engines"][0]["trouble"].as_str().unwrap().contains("the queue is being moved"));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn no_other_clock_says_how_long_a_worker_was_silent() {
    let repo = led("");
    // A node of which the clock is a year behind pushes a step; another one's is a year ahead.
    for (worker, date) in [("task-1", "@1500000000"), ("task-2", "@1900000000")] {
        let node = repo.beside(worker);
        let url = format!("file://{}", repo.beside("remote.git").display());
        repo.git(&["clone", "-q", &url, &node.to_string_lossy()]);
        repo.pw_in(&node, &["pw-setup", "join", worker]).data();
        let label = if worker == "task-1" { "task-1-users" } else { "task-2-posts" };
        let tree = node.join("worktrees").join(label);
        let script = format!(
            "export GIT_COMMITTER_DATE='{date} +0000' GIT_AUTHOR_DATE='{date} +0000'\n\
             git commit -q --no-verify --allow-empty -m '[CHECKPOINT] a step'\n\
             git push -q origin HEAD:work/{label}"
        );
        repo.sh(&tree, &script);
    }
    for words in ["--fetch", "--fetch", "", "--fetch --stall-after 1h"] {
        let told = status(&repo, words);
        for worker in &told["workers"].as_array().unwrap()[..2] {
            assert_eq!(worker["stall"], Value::Null, "{words}: {worker:#}");
        }
    }
    let told = status(&repo, "--fetch --stall-after 0s");
    for worker in &told["workers"].as_array().unwrap()[..2] {
        let message = worker["stall"]["message"].as_str().unwrap();
        assert!(message.starts_with("nothing was pushed for"), "{message}");
        assert!(worker["stall"]["since_seconds"].as_i64().unwrap() < 3600, "{worker:#}");
    }
}
