//! `pw-setup` against real git.

use std::path::Path;

use pw_testkit::plans::{THREE, WAVES};
use serde_json::{Value, json};

use crate::{created, repo};

fn field<'a>(data: &'a Value, name: &str) -> Vec<&'a Value> {
    data["workers"].as_array().unwrap().iter().map(|worker| &worker[name]).collect()
}

#[test]
fn create_makes_a_branch_a_worktree_and_a_launcher_for_each_worker() {
    let repo = repo(THREE);
    let head = repo.git(&["rev-parse", "main"]);
    let data = repo.pw("pw-setup create plan.yaml").data();

    assert_eq!(data["workflow"], "rest-api");
    assert_eq!(data["waves"], json!([["task-1", "task-2", "task-3"]]));
    assert_eq!(field(&data, "status"), ["created", "created", "created"]);
    assert_eq!(data["workers"][0]["branch"], "work/task-1-users");
    assert_eq!(data["workers"][0]["worktree"], "worktrees/task-1-users");
    for worker in data["workers"].as_array().unwrap() {
        assert_eq!(repo.git(&["rev-parse", worker["branch"].as_str().unwrap()]), head);
        assert_eq!(
            repo.read(&format!("{}/README.md", worker["worktree"].as_str().unwrap())),
            "a project\n"
        );
        assert!(repo.root().join(worker["launch"]["script"].as_str().unwrap()).is_file());
    }
    // The user's checkout: same branch, same commit, nothing new but the plan they wrote.
    assert_eq!(repo.git(&["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    assert_eq!(repo.git(&["status", "--porcelain"]), "?? plan.yaml");
}

#[test]
fn the_record_tells_what_happened_in_plain_git() {
    let repo = created(THREE);
    let log = repo.git(&["log", "--reverse", "--format=%s", "refs/pw/rest-api/record"]);
    let events: Vec<String> =
        log.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert!(events[0].starts_with("planned "));
    assert_eq!(events[1..4], ["creating task-1", "creating task-2", "creating task-3"]);
    assert_eq!(events[4..], ["created task-1", "created task-2", "created task-3"]);
    assert_eq!(repo.git(&["show", "refs/pw/rest-api/record:plan.yaml"]), THREE.trim_end());
}

#[test]
fn create_twice_is_create_once() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "mine").commit("[CHECKPOINT] model");
    let refs = repo.git(&["for-each-ref"]);
    let data = repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(field(&data, "status"), ["exists", "exists", "exists"]);
    assert_eq!(repo.git(&["for-each-ref"]), refs);
}

#[test]
fn a_removed_worktree_comes_back_with_the_branch_as_it_was() {
    let repo = created(THREE);
    let worker = repo.worker("task-1-users");
    worker.write("api/users.py", "mine").commit("[CHECKPOINT] model");
    std::fs::remove_dir_all(&worker.path).unwrap();
    let data = repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(field(&data, "status"), ["created", "exists", "exists"]);
    assert_eq!(repo.read("worktrees/task-1-users/api/users.py"), "mine");
}

#[test]
fn a_lost_branch_is_named_and_not_made_anew() {
    let repo = created(THREE);
    repo.git(&["worktree", "remove", "-f", "-f", "worktrees/task-1-users"]);
    repo.git(&["branch", "-D", "work/task-1-users"]);
    let error = repo.pw("pw-setup create plan.yaml").error(3, "in_the_way");
    assert_eq!(error["details"]["problems"][0]["code"], "branch_missing");
}

#[test]
fn later_waves_start_from_the_results_they_build_upon() {
    let repo = created(WAVES);
    let data = repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(data["waves"], json!([["base", "side"], ["top"]]));
    assert_eq!(field(&data, "status"), ["exists", "exists", "waiting"]);

    repo.worker("base-model").write("model/a", "1").commit("[COMPLETE] model");
    assert_eq!(
        field(&repo.pw("pw-setup advance").data(), "status"),
        ["exists", "exists", "waiting"]
    );

    repo.worker("side-extra").write("extra/b", "2").commit("[COMPLETE] extra");
    assert_eq!(repo.pw("pw-monitor status").data()["next"][0]["action"], "advance");
    assert_eq!(
        field(&repo.pw("pw-setup advance").data(), "status"),
        ["exists", "exists", "created"]
    );
    assert_eq!(repo.read("worktrees/top-api/model/a"), "1");
    assert_eq!(repo.read("worktrees/top-api/extra/b"), "2");
    // What it was forked from is not its own work.
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(
        (&status["workers"][2]["state"], &status["workers"][2]["commits"]),
        (&json!("starting"), &json!(0))
    );
}

#[test]
fn a_plan_may_grow_and_must_not_contradict_what_exists() {
    let repo = created(THREE);
    repo.write("plan.yaml", &format!("{THREE}  - {{id: task-4, name: cli, owns: [cli]}}\n"));
    let data = repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(field(&data, "status"), ["exists", "exists", "exists", "created"]);

    repo.write("plan.yaml", &THREE.replace("name: users", "name: people"));
    let error = repo.pw("pw-setup create plan.yaml").error(3, "plan_changed");
    assert!(error["message"].as_str().unwrap().contains("task-4 is missing"), "{error}");
}

#[test]
fn setup_and_copy_prepare_each_worktree() {
    let plan = format!("{THREE}setup: cat .env > prepared.log\ncopy: [.env]\n");
    let repo = repo(&plan);
    repo.write(".gitignore", ".env\n*.log\nbig/\n");
    repo.git(&["add", ".gitignore"]);
    repo.git(&["commit", "-q", "-m", "ignore"]);
    repo.write(".env", "SECRET=1\n");
    repo.write("big/cache", "not asked for");
    repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(repo.read("worktrees/task-2-posts/prepared.log"), "SECRET=1\n");
    assert!(!repo.root().join("worktrees/task-2-posts/big").exists());
}

#[test]
fn the_users_checkout_hook_runs_in_each_worktree_and_its_failure_is_none() {
    let repo = repo(THREE);
    let hook = "#!/bin/sh\necho \"$1 $2 $3 ${PWD##*/}\" >> \"$HOME/hooked\"\nexit 1\n";
    pw_testkit::repo::write_program(&repo.root().join(".git/hooks/post-checkout"), hook);
    repo.pw("pw-setup create plan.yaml").data();
    let (nothing, head) = ("0".repeat(40), repo.git(&["rev-parse", "main"]));
    let labels = ["task-1-users", "task-2-posts", "task-3-docs"];
    let hooked = repo.shell("sort \"$HOME/hooked\"").output().unwrap().stdout;
    let expected = labels.map(|label| format!("{nothing} {head} 1 {label}\n")).concat();
    assert_eq!(String::from_utf8(hooked).unwrap(), expected);
}

#[test]
fn a_failing_setup_command_stops_and_the_same_command_goes_on() {
    let repo = repo(&format!("{THREE}setup: echo no tool here >&2; test -e {{OK}}\n"));
    let ok = repo.beside("ok");
    let plan = repo.read("plan.yaml").replace("{OK}", &ok.to_string_lossy());
    repo.write("plan.yaml", &plan);
    let error = repo.pw("pw-setup create plan.yaml").error(4, "setup_failed");
    assert_eq!(error["details"]["worker"], "task-1");
    assert_eq!(error["details"]["output_tail"], "no tool here");
    std::fs::write(ok, "").unwrap();
    assert_eq!(
        field(&repo.pw("pw-setup create plan.yaml").data(), "status"),
        ["created", "created", "created"]
    );
}

#[test]
fn check_tells_everything_and_changes_nothing() {
    let repo = repo(THREE);
    for number in 1..4 {
        repo.write("shared.txt", &number.to_string());
        repo.write("api/users.py", &number.to_string());
        repo.write("setup.cfg", &number.to_string());
        repo.git(&["add", "shared.txt", "api", "setup.cfg"]);
        repo.git(&["commit", "-q", "-m", "work"]);
    }
    let before = repo.fingerprint();
    let told = repo.pw("pw-setup check plan.yaml").data();
    assert!(repo.fingerprint() == before, "check wrote to the repository");
    // What has an owner, or is shared, is as it should be.
    assert_eq!(told["hot_files"].as_array().unwrap().len(), 1);
    assert_eq!(told["hot_files"][0]["path"], "setup.cfg");
    let hot: Vec<_> = repo.pw("pw-setup check plan.yaml --verbose").data()["hot_files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| (f["path"].clone(), f["owner"].clone(), f["shared"].clone()))
        .collect();
    assert_eq!(
        hot,
        [
            (json!("api/users.py"), json!("task-1"), json!(false)),
            (json!("setup.cfg"), Value::Null, json!(false)),
            (json!("shared.txt"), Value::Null, json!(true)),
        ]
    );
}

#[test]
fn every_problem_of_a_plan_is_reported_at_once() {
    let repo = repo(
        r#"workflow: Rest API
colour: red
goal: a
goal: b
workers:
  - id: task-1
    name: users
    owns: [api/mod.rs, ../outside]
    after: [task-9]
  - id: task-1
    name: 404
    owns: [!docs/**]
  - id: task-3
    name: all
    owns: ["api/*.rs"]
    after: [task-4]
  - {id: task-4, name: b, owns: ["**/mod.rs"], after: [task-3]}
"#,
    );
    let before = repo.fingerprint();
    let error = repo.pw("pw-setup create plan.yaml").error(3, "plan_invalid");
    assert!(repo.fingerprint() == before);
    let problems = error["details"]["problems"].as_array().unwrap();
    let found: Vec<(&str, u64)> = problems
        .iter()
        .map(|p| (p["code"].as_str().unwrap(), p["line"].as_u64().unwrap()))
        .collect();
    for expected in [
        ("bad_name", 1),
        ("unknown_key", 2),
        ("duplicate_key", 4),
        ("bad_glob", 8),
        ("unknown_worker", 9),
        ("duplicate_id", 10),
        ("wrong_type", 11),
        ("tag", 12),
        ("cycle", 13),
        ("scope_overlap", 17),
    ] {
        assert!(found.contains(&expected), "{expected:?} is not in {found:?}");
    }
    let overlap = problems.iter().find(|p| p["code"] == "scope_overlap").unwrap();
    assert_eq!(
        (&overlap["workers"], &overlap["path"]),
        (&json!(["task-3", "task-4"]), &json!("api/mod.rs"))
    );
}

#[test]
fn hostile_yaml_is_refused_with_a_line() {
    for (plan, code) in [
        ("workflow: [", "plan_unreadable"),
        ("a: &x 1\nb: *x\n", "plan_unreadable"),
        ("workers:\n  - owns: [**/x]\n", "plan_unreadable"),
        ("---\na: 1\n---\nb: 1\n", "plan_unreadable"),
        ("", "plan_invalid"),
        ("- a\n", "plan_invalid"),
    ] {
        let answer = repo(plan).pw("pw-setup check plan.yaml").json();
        assert_eq!(answer["error"]["code"], code, "{plan:?}");
        assert!(answer["error"]["details"]["problems"][0]["hint"].is_string(), "{plan:?}");
    }
    let nested = format!("a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    repo(&nested).pw("pw-setup check plan.yaml").error(2, "plan_unreadable");
    repo(&"x".repeat(2 << 20)).pw("pw-setup check plan.yaml").error(2, "plan_unreadable");
    repo("").pw("pw-setup check missing.yaml").error(2, "plan_unreadable");
}

#[test]
fn whatever_stands_in_the_way_is_named_before_anything_is_made() {
    let repo = repo(THREE);
    repo.git(&["branch", "work/task-1-users"]);
    repo.git(&["branch", "work/task-2-posts/x"]);
    repo.git(&["branch", "integration"]);
    repo.write("worktrees/task-3-docs/mine", "precious");
    let refs = repo.git(&["for-each-ref"]);
    for command in ["pw-setup check plan.yaml", "pw-setup create plan.yaml"] {
        let error = repo.pw(command).error(3, "in_the_way");
        let problems = error["details"]["problems"].as_array().unwrap();
        let codes: Vec<&str> = problems.iter().map(|p| p["code"].as_str().unwrap()).collect();
        assert_eq!(codes, ["branch_exists", "branch_exists", "folder_exists", "branch_exists"]);
    }
    assert_eq!(repo.git(&["for-each-ref"]), refs);
    assert_eq!(repo.read("worktrees/task-3-docs/mine"), "precious");
}

#[test]
fn places_where_nothing_can_be_set_up_are_refused() {
    let repo = repo(THREE);
    let plan = repo.root().join("plan.yaml").to_string_lossy().into_owned();
    let outside = repo.beside("outside");
    std::fs::create_dir(&outside).unwrap();
    repo.pw_in(&outside, &["pw-setup", "create", &plan]).error(3, "not_a_repository");
    repo.git(&["init", "-q", "--bare", "../bare.git"]);
    // Unlike git 3.0, which takes one only by its name.
    let settings = repo.beside("gitconfig").to_string_lossy().into_owned();
    repo.git(&["config", "--file", &settings, "safe.bareRepository", "all"]);
    repo.pw_in(&repo.beside("bare.git"), &["pw-setup", "create", &plan])
        .error(3, "bare_repository");
    repo.git(&["init", "-q", "../unborn"]);
    repo.pw_in(&repo.beside("unborn"), &["pw-setup", "create", &plan]).error(3, "no_commit");
    repo.write("plan.yaml", &format!("{THREE}base: nowhere\n"));
    let error = repo.pw("pw-setup create plan.yaml").error(3, "plan_invalid");
    assert_eq!(error["details"]["problems"][0]["code"], "unknown_base");
}

#[test]
fn a_dirty_or_merging_checkout_is_nobodys_business() {
    let repo = repo(THREE);
    repo.write("README.md", "theirs\n");
    repo.git(&["commit", "-q", "-a", "-m", "theirs"]);
    repo.git(&["switch", "-q", "-c", "other", "HEAD~1"]);
    repo.write("README.md", "ours\n");
    repo.git(&["commit", "-q", "-a", "-m", "ours"]);
    assert!(!repo.try_git(&repo.root(), &["merge", "main"]).status.success());
    let before = repo.git(&["status", "--porcelain"]);
    assert!(before.contains("UU README.md"));
    repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(repo.git(&["status", "--porcelain"]), before);
}

#[test]
fn names_cannot_reach_a_shell_or_a_ref() {
    for name in ["$(id)", "a;b", "`id`", "../x", "-x", "A", "a b", "x\ty"] {
        let plan = format!("workflow: w\nworkers:\n  - {{id: {name:?}, name: n, owns: [a]}}\n");
        let error = repo(&plan).pw("pw-setup check plan.yaml").error(3, "plan_invalid");
        assert_eq!(error["details"]["problems"][0]["code"], "bad_name", "{name}");
    }
    // Finished runs are kept in a ref of this name.
    let plan = "workflow: history\nworkers:\n  - {id: a, name: n, owns: [a]}\n";
    let error = repo(plan).pw("pw-setup check plan.yaml").error(3, "plan_invalid");
    assert_eq!(error["details"]["problems"][0]["code"], "bad_name");
}

#[test]
fn a_launcher_runs_claude_in_the_worktree_with_the_prompt_as_one_argument() {
    let plan = THREE.replace("GET /users", "it's $(touch hacked) `id` \\\"x\\\"");
    let repo = created(&plan);
    let seen = repo.beside("seen");
    let fake = repo.beside("fake");
    std::fs::create_dir(&fake).unwrap();
    let script = format!(
        "#!/bin/sh\npwd > {0}\nprintf '%s\\n' \"$#\" \"$1\" \"$2\" \"$3\" >> {0}\n",
        seen.display()
    );
    pw_testkit::repo::write_program(&fake.join("claude"), &script);

    let data = repo.pw("pw-setup create plan.yaml").data();
    let command = data["workers"][0]["launch"]["command"].as_str().unwrap();
    let line = format!("PATH={}:$PATH {command} --model opus", fake.display());
    assert!(repo.shell(&line).status().unwrap().success());
    let seen = std::fs::read_to_string(seen).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[0], repo.root().join("worktrees/task-1-users").to_string_lossy());
    assert_eq!(&lines[1..3], ["6", "--settings"]);
    assert!(!repo.root().join("worktrees/task-1-users/hacked").exists());
    let prompt = repo.read(".git/pw/rest-api/task-1-users/prompt.md");
    // What there is to do, the brief says: texts of the plan reach no shell.
    assert!(prompt.contains("pw-worker brief") && !prompt.contains("hacked"), "{prompt}");
}

#[test]
fn git_knows_what_a_worktree_holds_once_its_session_began() {
    let mut repo = repo(THREE);
    repo.write("docs/a", "");
    repo.commit("a folder");
    repo.shim("claude", "exit 0");
    let data = repo.pw("pw-setup create plan.yaml").data();
    repo.follow(&data["workers"][0]["launch"]["command"]);
    let trace = "GIT_TRACE2_PERF=\"$PWD/trace\" git --no-optional-locks";
    let line = format!("{trace} -C worktrees/task-1-users status");
    assert!(repo.shell(&line).status().unwrap().success());
    let trace = repo.read("trace");
    assert!(trace.contains("node-creation:0"), "a folder is new to it: {trace}");
}

#[test]
fn every_worker_has_a_port_of_its_own_that_stays() {
    let repo = repo(&format!("setup: echo $PW_PORT $PW_WORKER > port\n{THREE}"));
    assert!(repo.pw("pw-setup check plan.yaml").data()["workers"][0].get("port").is_none());
    let ports = |data: Value| -> Vec<u64> {
        data["workers"].as_array().unwrap().iter().map(|w| w["port"].as_u64().unwrap()).collect()
    };
    let first = ports(repo.pw("pw-setup create plan.yaml").data());
    assert!(first[0] != first[1] && first[1] != first[2] && first[0] != first[2], "{first:?}");
    assert!(first.iter().all(|port| (20_000..40_000).contains(port)));
    assert_eq!(ports(repo.pw("pw-setup create plan.yaml").data()), first);
    assert_eq!(ports(repo.pw("pw-setup check plan.yaml").data()), first);
    assert_eq!(repo.read("worktrees/task-2-posts/port"), format!("{} task-2\n", first[1]));
    assert!(
        repo.git(&["log", "--format=%s", "refs/pw/rest-api/record"])
            .lines()
            .any(|l| l.starts_with("created task-1 ") && l.ends_with(&first[0].to_string()))
    );

    // Another workflow of the repository keeps clear of them, and later waves have none yet.
    repo.write("plan.yaml", WAVES);
    let other = repo.pw("pw-setup create plan.yaml").data();
    assert!(!first.contains(&other["workers"][0]["port"].as_u64().unwrap()));
    assert!(other["workers"][2].get("port").is_none());
}

#[test]
fn list_names_every_workflow() {
    let repo = created(THREE);
    repo.write("plan.yaml", WAVES);
    repo.pw("pw-setup create plan.yaml").data();
    let data = repo.pw("pw-setup list").data();
    let names: Vec<&Value> =
        data["workflows"].as_array().unwrap().iter().map(|line| &line["workflow"]).collect();
    assert_eq!(names, ["rest-api", "waves"]);
    let error = repo.pw("pw-monitor status").error(3, "ambiguous_workflow");
    assert_eq!(error["details"]["workflows"], json!(["rest-api", "waves"]));
    repo.pw("pw-monitor status waves").data();
    repo.pw("pw-monitor status nothing").error(3, "unknown_workflow");
}

#[test]
fn two_workers_never_share_a_branch() {
    let repo = repo(
        "workflow: w\nworkers:\n  - {id: a, name: b-c, owns: [a]}\n  - {id: a-b, name: c, owns: [b]}\n",
    );
    let error = repo.pw("pw-setup check plan.yaml").error(3, "plan_invalid");
    assert_eq!(error["details"]["problems"][0]["workers"], json!(["a", "a-b"]));
}

#[test]
fn a_command_line_of_any_bytes_gets_an_answer() {
    use std::os::unix::ffi::OsStrExt as _;
    let repo = repo(THREE);
    let mut command = repo.helper(&repo.root(), &["pw-setup", "check"]);
    let output = command.arg(std::ffi::OsStr::from_bytes(b"caf\xe9.yaml")).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn whoever_was_made_before_a_failure_keeps_all_work() {
    let repo = repo(&format!("{THREE}setup: \"case $PWD in *task-2*) exit 1;; esac\"\n"));
    repo.pw("pw-setup create plan.yaml").error(4, "setup_failed");
    // The first is handed over, the second is not: no next step says to start it.
    let status = repo.pw("pw-monitor status").data();
    let states: Vec<&Value> =
        status["workers"].as_array().unwrap().iter().map(|worker| &worker["state"]).collect();
    assert_eq!(states, ["starting", "planned", "planned"]);
    let command = status["next"][0]["command"].as_str().unwrap();
    assert!(Path::new(command.strip_prefix("sh ").unwrap()).is_file(), "{command}");
    for label in ["task-1-users", "task-2-posts"] {
        repo.worker(label)
            .write("untracked", "precious")
            .commit("[CHECKPOINT] went on")
            .write("more", "precious");
    }
    repo.write("plan.yaml", THREE);
    repo.pw("pw-setup create plan.yaml").data();
    for label in ["task-1-users", "task-2-posts"] {
        assert_eq!(repo.read(&format!("worktrees/{label}/more")), "precious");
    }
    assert_eq!(
        field(&repo.pw("pw-setup create plan.yaml").data(), "status"),
        ["exists", "exists", "exists"]
    );
}

#[test]
fn a_folder_for_worktrees_holds_nothing_else() {
    let repo = repo(&format!("{THREE}worktrees: api\n"));
    repo.write("api/users.py", "1");
    repo.git(&["add", "api"]);
    repo.git(&["commit", "-q", "-m", "api"]);
    let error = repo.pw("pw-setup create plan.yaml").error(3, "in_the_way");
    assert_eq!(error["details"]["problems"][0]["code"], "folder_exists");
    repo.write("plan.yaml", &format!("{THREE}worktrees: link\n"));
    let elsewhere = repo.beside("elsewhere");
    std::fs::create_dir_all(elsewhere.join("deep/er")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, repo.root().join("link")).unwrap();
    std::os::unix::fs::symlink("nowhere", repo.root().join("dangling")).unwrap();
    std::os::unix::fs::symlink("link/deep", repo.root().join("twice")).unwrap();
    // The link itself, and one above the folder: the worktrees would be where it leads.
    for folder in ["link", "link/new", "link/deep/er", "twice/er/new", "dangling/new"] {
        repo.write("plan.yaml", &format!("{THREE}worktrees: {folder}\n"));
        for verb in ["check", "create"] {
            let error = repo.pw(&format!("pw-setup {verb} plan.yaml")).error(3, "in_the_way");
            let problem = &error["details"]["problems"][0];
            assert_eq!(problem["code"], "folder_exists", "{folder}: {error}");
        }
    }
    assert_eq!(repo.git(&["for-each-ref", "refs/heads/work", "refs/pw"]), "");
    assert_eq!(std::fs::read_dir(elsewhere.join("deep/er")).unwrap().count(), 0);
}

#[test]
fn a_wave_opens_from_what_was_integrated_with_a_resolution() {
    let plan = WAVES.replace("goal:", "shared: [s]\ngoal:");
    let repo = created(&plan);
    repo.worker("base-model").write("s", "1\n").commit("[COMPLETE] model");
    repo.worker("side-extra").write("s", "2\n").commit("[COMPLETE] extra");
    repo.pw("pw-setup advance").error(3, "dependency_conflict");
    repo.pw("pw-integrate run --without top").error(4, "merge_conflict");
    let place = repo.root().join("worktrees/_integration-side-extra");
    std::fs::write(place.join("s"), "both\n").unwrap();
    repo.git_in(&place, &["add", "s"]);
    repo.pw("pw-integrate continue").data();
    repo.pw("pw-setup advance").data();
    assert_eq!(repo.read("worktrees/top-api/s"), "both\n");
}

#[test]
fn a_branch_that_is_checked_out_elsewhere_is_named() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    repo.git(&["worktree", "unlock", "worktrees/task-1-users"]);
    repo.git(&["worktree", "move", "worktrees/task-1-users", "../moved"]);
    let error = repo.pw("pw-setup create plan.yaml").error(3, "in_the_way");
    assert!(error["message"].as_str().unwrap().contains("moved"), "{error}");
    assert!(!users.path.exists());
}

#[test]
fn plans_that_are_no_plain_files_are_not_read() {
    let repo = repo(THREE);
    repo.pw("pw-setup check /dev/zero").error(2, "plan_unreadable");
    repo.pw("pw-setup check .").error(2, "plan_unreadable");
    repo.pw("pw-setup -C nowhere check plan.yaml").error(2, "usage");
    repo.write("plan.yaml", &format!("{THREE}base: HEAD\n"));
    repo.pw("pw-setup check plan.yaml").data();
}

#[test]
fn what_git_sees_changed_in_each_new_worktree_is_told_before_anybody_starts() {
    for is_normalised in [false, true] {
        let repo = crate::repo(pw_testkit::plans::TWO);
        repo.write("other.txt", "as\r\nWindows\r\nhas it\r\n");
        repo.git(&["add", "other.txt"]);
        repo.git(&["commit", "-q", "-m", "other"]);
        repo.write(".gitattributes", "*.txt text\n");
        repo.git(&["add", ".gitattributes"]);
        if is_normalised {
            repo.git(&["add", "--renormalize", "."]);
        }
        repo.git(&["commit", "-q", "-m", "attributes"]);
        let made = repo.pw("pw-setup create plan.yaml --no-trial").data();
        // Git compares contents only where file and index are of one second, as here nearly always.
        let seen = repo.worker("a-x").git(&["status", "--porcelain"]);
        let told = made["notes"].to_string();
        let says = told.contains("`other.txt` first, and no worker can finish beside that");
        assert_eq!(says, !seen.is_empty(), "{made:#}");
        assert!(!is_normalised || seen.is_empty(), "{seen}");
    }
}
