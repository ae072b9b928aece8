//! Engines: what is submitted, what of it runs on another machine, and what never leaves this one.
//! The commands of the engines are stand-ins here; `scripts/slurm-trial` runs a real Slurm.

use std::path::Path;

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::json;

use crate::repo;

const PLANTED: &str = "sk-planted-7391";

/// A repository with a remote and stand-ins: a client that does a worker's work, and Slurm.
pub(crate) fn led(more: &str) -> TestRepo {
    prepared(&format!("{THREE}remote: origin\n{more}"))
}

fn prepared(plan: &str) -> TestRepo {
    let mut repo = repo(plan);
    let remote = repo.beside("remote.git");
    repo.git(&["init", "-q", "--bare", "-b", "main", &remote.to_string_lossy()]);
    repo.git_in(&remote, &["config", "uploadpack.allowFilter", "true"]);
    repo.git(&["remote", "add", "origin", &format!("file://{}", remote.display())]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo.shim(
        "claude",
        r#"case $PW_WORKER in task-1) file=api/users.py;; task-2) file=api/posts.py;; task-3) file=docs/a.md;; base) file=model;; side) file=extra;; *) file=api;; esac
mkdir -p "$(dirname $file)"; echo "$PW_WORKER" >> $file
if [ -e "$HOME/die" ]; then rm "$HOME/die"; pw-worker checkpoint half; kill -9 $$; fi
pw-worker checkpoint done && pw-worker complete"#,
    );
    shims(&mut repo);
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    repo
}

/// Stand-ins for the commands of engines. Each writes down how it was called, and what it was given;
/// it fails as `NAME.fails` says, and tells what `NAME.says` holds.
fn shims(repo: &mut TestRepo) {
    let begin = |name: &str| {
        format!(
            r#"echo "{name} $*" >> "$HOME/asked"; printf '%s\n' "$@" > "$HOME/{name}.args"
cat > "$HOME/{name}.in"; env > "$HOME/{name}.env"
[ -e "$HOME/{name}.fails" ] && {{ cat "$HOME/{name}.fails" >&2; exit 1; }}
[ -e "$HOME/{name}.says" ] && {{ cat "$HOME/{name}.says"; exit 0; }}
"#
        )
    };
    // Takes a job as Slurm does: the script, and of the environment only what is exported.
    let sbatch = r#"case "$*" in *--dependency=*) cp "$HOME/sbatch.in" "$HOME/follow.sh"; echo 4712; exit;; esac
cp "$HOME/sbatch.in" "$HOME/submitted.sh"; cp "$HOME/sbatch.args" "$HOME/submitted.args"; echo 4711"#;
    repo.shim("sbatch", &(begin("sbatch") + sbatch));
    let squeue = r#"case "$*" in *--name=*) cat "$HOME/found" 2>/dev/null; exit 0;; esac
[ -e "$HOME/queue" ] && { cat "$HOME/queue"; exit 0; }
echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"#;
    repo.shim("squeue", &(begin("squeue") + squeue));
    repo.shim(
        "sacct",
        &(begin("sacct") + "echo 'Slurm accounting storage is disabled' >&2; exit 1"),
    );
    repo.shim("ssh", &(begin("ssh") + "echo asked"));
    let kubectl = r#"case "$*" in
*' create '*|'create '*) sed -n 's,^    "name": "\(pw-[^"]*\)".*,job.batch/\1,p' "$HOME/kubectl.in" | head -n 1
  cp "$HOME/kubectl.in" "$HOME/manifest.json";;
*'get job '*) cat "$HOME/found" 2>/dev/null;;
*) echo '{"items": []}';;
esac"#;
    repo.shim("kubectl", &(begin("kubectl") + kubectl));
    let gh = r#"case "$*" in *--jq*) cat "$HOME/found" 2>/dev/null; exit 0;; 'run list'*) echo '[]';; 'run view'*) echo '{"jobs": []}';; esac"#;
    repo.shim("gh", &(begin("gh") + gh));
}

pub(crate) fn say(repo: &TestRepo, file: &str, text: &str) {
    std::fs::write(repo.beside(file), text).unwrap();
}

pub(crate) fn unsay(repo: &TestRepo, file: &str) {
    std::fs::remove_file(repo.beside(file)).unwrap();
}

/// How the commands of engines were called, and not since the last time.
pub(crate) fn asked(repo: &TestRepo) -> Vec<String> {
    let text = std::fs::read_to_string(repo.beside("asked")).unwrap_or_default();
    let _ = std::fs::remove_file(repo.beside("asked"));
    text.lines().map(str::to_owned).collect()
}

/// Runs a task of what was submitted, as a node does.
fn node(repo: &TestRepo, task: usize) -> std::process::Output {
    let line = format!("SLURM_ARRAY_TASK_ID={task} sh \"$HOME/submitted.sh\"");
    repo.shell(&line).current_dir("/").output().unwrap()
}

fn with_secret(repo: &TestRepo, words: &str) -> Answer {
    let words: Vec<&str> = words.split(' ').collect();
    let mut helper = repo.helper(&repo.root(), &words);
    helper.env("ANTHROPIC_API_KEY", PLANTED).env("CLAUDE_CODE_OAUTH_TOKEN", PLANTED);
    helper.output().unwrap().into()
}

/// Every file that holds the planted secret.
fn leaks(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        } else if path.is_dir() {
            leaks(&path, found);
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(PLANTED.len()).any(|part| part == PLANTED.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn a_dry_run_prints_exactly_what_is_submitted_then() {
    let repo = led("engine: {partition: short, time: 90m, path: /opt/pw/bin}\n");
    let before = repo.fingerprint();
    let dry = repo.pw("pw-setup launch --with slurm --dry-run").data();
    assert_eq!(repo.fingerprint(), before);
    assert!(!repo.beside("submitted.sh").exists());
    let launched = repo.pw("pw-setup launch --with slurm").data();
    let read = |name: &str| std::fs::read_to_string(repo.beside(name)).unwrap();
    let mut words = vec![json!("sbatch")];
    words.extend(read("submitted.args").lines().map(|word| json!(word)));
    let submission = &dry["submissions"][0];
    assert_eq!(
        (&submission["command"], &submission["input"]),
        (&json!(words), &json!(read("submitted.sh")))
    );
    for word in ["--array=0-2", "--requeue", "--partition=short", "--time=90"] {
        assert!(words.contains(&json!(word)), "{word}: {words:?}");
    }
    let ids: Vec<_> = launched["workers"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["4711_0", "4711_1", "4711_2"]);
    assert_eq!(launched["next"][1]["command"], "scancel 4711_0");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_killed_job_goes_on_where_its_branch_is_and_no_secret_goes_anywhere() {
    let repo = led("");
    assert_eq!(with_secret(&repo, "pw-setup launch --with slurm").code, Some(0));
    std::fs::write(repo.beside("die"), "").unwrap();
    assert!(!node(&repo, 0).status.success());
    let status = repo.pw("pw-monitor status --fetch --verbose").data();
    assert_eq!(status["workers"][0]["checkpoints"], json!(["half"]));
    // Queued again on another node, whose clone is new.
    std::fs::rename(repo.beside(".cache"), repo.beside("lost-node")).unwrap();
    for task in 0..3 {
        let output = node(&repo, task);
        assert!(output.status.success(), "{output:?}");
    }
    let status = repo.pw("pw-monitor status --fetch --verbose").data();
    assert_eq!(status["workers"][0]["checkpoints"], json!(["half", "done"]));
    let merged = repo.pw("pw-integrate run --fetch").data();
    assert_eq!(merged["merged"].as_array().unwrap().len(), 3);
    assert_eq!(repo.git(&["show", "integration/rest-api:api/users.py"]), "task-1\ntask-1");
    repo.pw("pw-retro report --fetch").data();
    assert!(repo.root().join(".git/pw/rest-api/seen.json").is_file());

    let mut found = Vec::new();
    leaks(&repo.beside(""), &mut found);
    assert_eq!(found, Vec::<String>::new());
    repo.git(&["remote", "set-url", "origin", "https://me:sk-planted-7391@example.com/a.git"]);
    let error = repo.pw("pw-setup launch --with slurm --dry-run").error(2, "usage");
    assert!(!error.to_string().contains(PLANTED), "{error:#}");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn whoever_has_a_job_gets_no_second_one() {
    let repo = led("");
    say(&repo, "sbatch.fails", "sbatch: error: QOSMaxSubmitJobPerUserLimit");
    let error = repo.pw("pw-setup launch --with slurm").error(4, "launch_failed");
    assert!(error["details"]["output_tail"].as_str().unwrap().contains("QOSMax"), "{error:#}");
    unsay(&repo, "sbatch.fails");
    repo.pw("pw-setup launch task-1 --with slurm").data();
    // Waiting or running, and also when Slurm does not tell.
    for (file, text) in [("queue", "4711_0|RUNNING|None\n"), ("squeue.fails", "")] {
        say(&repo, file, text);
        let error = repo.pw("pw-setup launch task-1 --with slurm").error(3, "session_alive");
        assert_eq!(error["details"]["sessions"][0]["id"], "4711_0");
        let all = repo.pw("pw-setup launch --with slurm --dry-run").data();
        assert_eq!(all["skipped"][0]["reason"], "session_alive");
        // Nor one here.
        repo.pw("pw-setup launch task-1").error(3, "session_alive");
        unsay(&repo, file);
    }
    // Over, by Slurm's word or the user's.
    repo.pw("pw-setup launch task-1 --with slurm").data();
    say(&repo, "squeue.fails", "");
    repo.pw("pw-setup launch task-1 --with slurm --ended").data();
    // Without a remote, no machine could work.
    let alone = crate::created(THREE);
    alone.pw("pw-setup launch --with slurm --dry-run").error(2, "usage");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_an_engine_cannot_say_clearly_is_named_and_nothing_is_submitted_twice() {
    let settings = "engine: {hosts: [one, two], image: pw/worker, advance: false}\n";
    // How the command fails, and with which words the refusal names that.
    let failures = [
        ("fails", "no such partition\n", "did not take"),
        ("says", "Welcome to the cluster!\n", "cannot be read"),
    ];
    for (engine, program, name) in [
        ("slurm", "sbatch", "4711\n"),
        ("kubernetes", "kubectl", "job.batch/NAME\n"),
        ("ssh", "ssh", ""),
    ] {
        for (how, text, named) in failures {
            if (engine, how) == ("ssh", "says") {
                continue; // Its exit code is all it says.
            }
            let repo = led(settings);
            let launch = format!("pw-setup launch --with {engine}");
            // What is found is asked by the same program there.
            let file = format!("{program}.{how}");
            say(&repo, &file, text);
            let error = repo.pw(&launch).error(4, "launch_failed");
            let row = format!("{engine} {how}: {error:#}");
            assert!(error["message"].as_str().unwrap().contains(named), "{row}");
            assert!(
                error["details"]["output_tail"].as_str().unwrap().contains(text.trim()),
                "{row}"
            );
            assert!(
                !repo.git(&["log", "--format=%s", "refs/pw/rest-api/record"]).contains("launched")
            );
            unsay(&repo, &file);
            asked(&repo);
            // It was taken all the same: found by its name, which is the same until it is recorded.
            if !name.is_empty() {
                let dry = repo.pw(&format!("{launch} --dry-run")).data();
                let all = dry["submissions"].to_string();
                let own = all
                    .split("pw-rest-api-")
                    .nth(1)
                    .unwrap()
                    .split(['"', '\\', ' '])
                    .next()
                    .unwrap();
                say(&repo, "found", &name.replace("NAME", &format!("pw-rest-api-{own}")));
            }
            repo.pw(&launch).data();
            let submitted = asked(&repo)
                .iter()
                .filter(|line| line.contains("sbatch") || line.contains(" create "))
                .count();
            assert_eq!(submitted, 0, "{row}");
        }
        let repo = led(settings);
        std::fs::remove_file(repo.beside("shim").join(program)).unwrap();
        if which(program) {
            continue; // The machine that tests has it, too.
        }
        repo.pw(&format!("pw-setup launch --with {engine}")).error(3, "program_missing");
    }
}

fn which(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

#[test]
fn half_of_a_wave_that_was_taken_is_recorded_and_the_rest_goes_on_later() {
    let mut repo = led("engine: {hosts: [one, two]}\n");
    let ssh = r#"echo "$*" >> "$HOME/asked"; cat > /dev/null
case "$*" in *' -- two '*) [ -e "$HOME/down" ] && { echo 'ssh: connect to host two: refused' >&2; exit 255; };; esac
case "$*" in *list-sessions*) case "$*" in *' -- one '*) echo pw-rest-api-task-1-users;; esac; echo asked;; esac"#;
    repo.shim("ssh", ssh);
    say(&repo, "down", "");
    let error = repo.pw("pw-setup launch --with ssh").error(4, "launch_failed");
    assert_eq!(error["details"]["worker"], "task-2", "{error:#}");
    let status = repo.pw("pw-monitor status --fetch").data();
    assert_eq!(status["workers"][0]["session"]["job"]["state"], "running");
    unsay(&repo, "down");
    asked(&repo);
    let launched = repo.pw("pw-setup launch --with ssh").data();
    assert_eq!(launched["skipped"][0]["worker"], "task-1");
    let ids: Vec<_> =
        launched["workers"].as_array().unwrap().iter().map(|it| &it["worker"]).collect();
    assert_eq!(ids, ["task-2", "task-3"]);
    assert_eq!(asked(&repo).iter().filter(|line| line.contains("new-session")).count(), 2);
}

#[test]
fn ssh_takes_the_hosts_in_turn_and_starts_each_worker_in_tmux() {
    let repo = led("engine: {hosts: [one, me@two]}\n");
    let launched = repo.pw("pw-setup launch --with ssh").data();
    let ids: Vec<_> = launched["workers"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(
        ids,
        [
            "one/pw-rest-api-task-1-users",
            "me@two/pw-rest-api-task-2-posts",
            "one/pw-rest-api-task-3-docs"
        ]
    );
    assert!(launched["next"].to_string().contains("tail -n 100"), "{launched:#}");
    let hostile = repo.read("plan.yaml").replace("one,", "-oProxyCommand=x,");
    repo.write("plan.yaml", &hostile);
    repo.pw("pw-setup check plan.yaml").error(3, "plan_invalid");
    let bare = led("");
    bare.pw("pw-setup launch --with ssh --dry-run").error(2, "usage");
    bare.pw("pw-setup launch --with ssh").error(2, "usage");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_cluster_is_given_one_indexed_job_with_its_secret_by_reference() {
    let repo =
        led("engine: {image: example.com/pw:1, namespace: agents, secret: claude, time: 2h}\n");
    let dry = repo.pw("pw-setup launch --with kubernetes --dry-run").data();
    let launched = repo.pw("pw-setup launch --with kubernetes").data();
    let given = std::fs::read_to_string(repo.beside("manifest.json")).unwrap();
    assert_eq!(dry["submissions"][0]["input"], json!(given));
    let manifest: serde_json::Value = serde_json::from_str(&given).unwrap();
    let spec = &manifest["spec"];
    assert_eq!((&spec["completions"], &spec["activeDeadlineSeconds"]), (&json!(3), &json!(7200)));
    assert_eq!(spec["podFailurePolicy"]["rules"][0]["action"], "Ignore");
    let container = &spec["template"]["spec"]["containers"][0];
    assert_eq!(container["envFrom"], json!([{ "secretRef": { "name": "claude" } }]));
    let name = manifest["metadata"]["name"].as_str().unwrap();
    assert_eq!(launched["workers"][2]["id"], format!("{name}/2"));
    assert_eq!(
        launched["next"][1]["command"],
        format!("kubectl --namespace agents delete job {name}")
    );
    // What runs in the pod is a worker.
    let script = container["command"][2].as_str().unwrap();
    std::fs::write(repo.beside("pod.sh"), script).unwrap();
    let line = "JOB_COMPLETION_INDEX=1 sh \"$HOME/pod.sh\"";
    assert!(repo.shell(line).current_dir("/").status().unwrap().success());
    let status = repo.pw("pw-monitor status --fetch").data();
    assert_eq!(status["workers"][1]["state"], "complete");
    led("").pw("pw-setup launch --with kubernetes").error(2, "usage");
}

#[test]
fn github_is_given_data_and_the_workflow_file_lies_in_the_repository() {
    let repo = led("base: main\nengine: {runner: big, time: 90m, secret: MY_KEY}\n");
    let error = repo.pw("pw-setup launch --with github").error(3, "engine_file_missing");
    let (path, content) =
        (&error["details"]["path"], error["details"]["content"].as_str().unwrap());
    assert_eq!(path, ".github/workflows/parallel-workflows.yml");
    for part in ["runs-on: big", "timeout-minutes: 90", "secrets.MY_KEY", "pw_worker \"$WORKER\""] {
        assert!(content.contains(part), "{part} in {content}");
    }
    assert!(!content.contains("rest-api"), "the same for every plan: {content}");
    repo.write(path.as_str().unwrap(), "name: another\n");
    repo.git(&["add", ".github"]);
    repo.git(&["commit", "-qm", "another"]);
    let error = repo.pw("pw-setup launch --with github").error(3, "engine_file_missing");
    assert!(error["message"].as_str().unwrap().contains("is not as"), "{error:#}");
    repo.write(path.as_str().unwrap(), content);
    repo.git(&["commit", "-qam", "workflow"]);
    let dry = repo.pw("pw-setup launch --with github --dry-run").data();
    assert_eq!(dry["file"], error["details"]);
    asked(&repo);
    let launched = repo.pw("pw-setup launch --with github").data();
    assert_eq!(
        asked(&repo).last().unwrap(),
        "gh workflow run parallel-workflows.yml --json --ref=main"
    );
    let given = std::fs::read_to_string(repo.beside("gh.in")).unwrap();
    assert_eq!(dry["submissions"][0]["input"], json!(given));
    let inputs: serde_json::Value = serde_json::from_str(&given).unwrap();
    let workers: serde_json::Value =
        serde_json::from_str(inputs["workers"].as_str().unwrap()).unwrap();
    assert_eq!(workers[1], json!({ "id": "task-2", "label": "task-2-posts" }));
    let run = inputs["run"].as_str().unwrap();
    assert_eq!(launched["workers"][0]["id"], format!("{run}/task-1-users"));
}

#[test]
fn the_cloud_is_for_the_users_terminal() {
    let mut repo = led("engine: {environment: ccpool_1}\n");
    let dry = repo.pw("pw-setup launch --with cloud --dry-run").data();
    let command = dry["submissions"][2]["command"].as_array().unwrap();
    assert_eq!(command[..2], [json!("claude"), json!("--cloud")]);
    assert!(command[2].as_str().unwrap().contains("pw-setup join task-3 --workflow rest-api"));
    assert_eq!(
        command[3..],
        ["--name", "task-3-docs", "--environment", "ccpool_1"].map(|word| json!(word))
    );
    repo.shim("claude", "echo '  --cloud [description]  Create a cloud session'");
    let error = repo.pw("pw-setup launch --with cloud").error(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("terminal"), "{error:#}");
    repo.shim("claude", "echo '  --help'");
    let error = repo.pw("pw-setup launch --with cloud").error(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("no --cloud"), "{error:#}");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn no_engine_is_told_a_secret() {
    let repo = led("base: main\nengine: {hosts: [one], image: pw/worker}\n");
    let error = repo.pw("pw-setup launch --with github").error(3, "engine_file_missing");
    let path = error["details"]["path"].as_str().unwrap();
    repo.write(path, error["details"]["content"].as_str().unwrap());
    repo.git(&["add", ".github"]);
    repo.git(&["commit", "-qm", "workflow"]);
    for engine in ["slurm", "ssh", "github", "kubernetes"] {
        let launch = format!("pw-setup launch --with {engine}");
        for command in
            [format!("{launch} --dry-run"), launch, "pw-monitor status --fetch".to_owned()]
        {
            let answer = with_secret(&repo, &command);
            assert_eq!(answer.code, Some(0), "{command}: {answer:?}");
            assert!(!format!("{answer:?}").contains(PLANTED), "{command}");
        }
    }
    for program in ["sbatch", "squeue", "ssh", "gh", "kubectl"] {
        assert!(repo.beside(&format!("{program}.env")).is_file(), "{program} was not called");
    }
    let mut found = Vec::new();
    leaks(&repo.beside(""), &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn two_waves_go_through_without_the_user() {
    let repo = prepared(&format!("{WAVES}remote: origin\n"));
    let dry = repo.pw("pw-setup launch --with slurm --dry-run").data();
    assert!(dry["submissions"][1]["command"].to_string().contains("--dependency=afterany:JOB"));
    let launched = repo.pw("pw-setup launch --with slurm").data();
    assert!(
        launched["notes"][0].as_str().unwrap().contains("job 4712 opens the next wave"),
        "{launched:#}"
    );
    assert!(asked(&repo).last().unwrap().contains("--dependency=afterany:4711 "));
    for task in 0..2 {
        let output = node(&repo, task);
        assert!(output.status.success(), "{output:?}");
    }
    // Slurm runs it then, on some node. Nothing is left for a third wave.
    let opens = || repo.shell("sh \"$HOME/follow.sh\"").current_dir("/").output().unwrap();
    let output = opens();
    assert!(output.status.success(), "{output:?}");
    let told = asked(&repo);
    assert_eq!(told.iter().filter(|line| line.starts_with("sbatch")).count(), 1, "{told:?}");
    assert!(node(&repo, 0).status.success());
    let status = repo.pw("pw-monitor status --fetch").data();
    assert!(
        status["workers"].as_array().unwrap().iter().all(|worker| worker["ready"] == true),
        "{status:#}"
    );
    // Once more changes nothing: who is not opened is not started.
    assert!(opens().status.success());
    assert_eq!(asked(&repo).iter().filter(|line| line.starts_with("sbatch")).count(), 0);
    repo.pw("pw-integrate run --fetch").data();
}
