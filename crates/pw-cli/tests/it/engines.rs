//! Engines: what is submitted, what of it runs on another machine, and what never leaves this one.
//! The commands of the engines are stand-ins here; `scripts/slurm-trial` runs a real Slurm.

use std::path::Path;

use pw_testkit::plans::THREE;
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::json;

use crate::repo;

const PLANTED: &str = "sk-planted-7391";

/// A repository with a remote and stand-ins: a client that does a worker's work, and Slurm.
fn led(more: &str) -> TestRepo {
    let mut repo = repo(&format!("{THREE}remote: origin\n{more}"));
    let remote = repo.beside("remote.git");
    repo.git(&["init", "-q", "--bare", "-b", "main", &remote.to_string_lossy()]);
    repo.git_in(&remote, &["config", "uploadpack.allowFilter", "true"]);
    repo.git(&["remote", "add", "origin", &format!("file://{}", remote.display())]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo.shim(
        "claude",
        r#"case $PW_WORKER in task-1) file=api/users.py;; task-2) file=api/posts.py;; *) file=docs/a.md;; esac
mkdir -p "$(dirname $file)"; echo "$PW_WORKER" >> $file
if [ -e "$HOME/die" ]; then rm "$HOME/die"; pw-worker checkpoint half; kill -9 $$; fi
pw-worker checkpoint done && pw-worker complete"#,
    );
    // Takes a job as Slurm does: the script, and of the environment only what is exported.
    repo.shim(
        "sbatch",
        r#"printf '%s\n' "$@" > "$HOME/submitted.args"; cat > "$HOME/submitted.sh"; env > "$HOME/submitted.env"
[ -e "$HOME/full" ] && { echo 'sbatch: error: QOSMaxSubmitJobPerUserLimit' >&2; exit 1; }
echo 4711"#,
    );
    repo.shim(
        "squeue",
        r#"for job in "$@"; do :; done
[ -e "$HOME/deaf" ] && exit 1
[ -e "$HOME/runs" ] && echo "$job RUNNING" && exit 0
echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1"#,
    );
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    repo
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

    let mut found = Vec::new();
    leaks(&repo.beside(""), &mut found);
    assert_eq!(found, Vec::<String>::new());
    repo.git(&["remote", "set-url", "origin", "https://me:sk-planted-7391@example.com/a.git"]);
    let error = repo.pw("pw-setup launch --with slurm --dry-run").error(2, "usage");
    assert!(!error.to_string().contains(PLANTED), "{error:#}");
}

#[test]
fn whoever_has_a_job_gets_no_second_one() {
    let repo = led("");
    std::fs::write(repo.beside("full"), "").unwrap();
    let error = repo.pw("pw-setup launch --with slurm").error(4, "launch_failed");
    assert!(error["details"]["output_tail"].as_str().unwrap().contains("QOSMax"), "{error:#}");
    std::fs::remove_file(repo.beside("full")).unwrap();
    repo.pw("pw-setup launch task-1 --with slurm").data();
    // Waiting or running, and also when Slurm does not tell.
    for mark in ["runs", "deaf"] {
        std::fs::write(repo.beside(mark), "").unwrap();
        let error = repo.pw("pw-setup launch task-1 --with slurm").error(3, "session_alive");
        assert_eq!(error["details"]["sessions"][0]["id"], "4711_0");
        let all = repo.pw("pw-setup launch --with slurm --dry-run").data();
        assert_eq!(all["skipped"][0]["reason"], "session_alive");
        std::fs::remove_file(repo.beside(mark)).unwrap();
    }
    // Over, by Slurm's word or the user's.
    repo.pw("pw-setup launch task-1 --with slurm").data();
    std::fs::write(repo.beside("deaf"), "").unwrap();
    repo.pw("pw-setup launch task-1 --with slurm --ended").data();
    // Without a remote, no machine could work.
    let alone = crate::created(THREE);
    alone.pw("pw-setup launch --with slurm --dry-run").error(2, "usage");
}

#[test]
fn ssh_takes_the_hosts_in_turn_and_starts_each_worker_in_tmux() {
    let mut repo = led("engine: {hosts: [one, me@two]}\n");
    repo.shim("ssh", "printf '%s\\n' \"$@\" >> \"$HOME/ssh.args\"; cat >> \"$HOME/ssh.in\"");
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
    assert!(launched["next"].to_string().contains("tmux attach -t"), "{launched:#}");
    let hostile = repo.read("plan.yaml").replace("one,", "-oProxyCommand=x,");
    repo.write("plan.yaml", &hostile);
    repo.pw("pw-setup check plan.yaml").error(3, "plan_invalid");
    let bare = led("");
    bare.pw("pw-setup launch --with ssh").error(2, "usage");
}
