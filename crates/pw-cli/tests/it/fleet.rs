//! Many workers over one remote: each signal is one push, none is lost, and a clone that only looks
//! sees all of them in a few processes of git.

use std::path::PathBuf;
use std::time::Instant;

use crate::repo;

/// How many processes of git a look may start, however many workers there are.
const MOST: usize = 30;
/// How many clones the workers are spread over.
const CLONES: usize = 4;

fn plan(workers: usize) -> String {
    let worker =
        |nth| format!("  - {{id: task-{nth}, name: part, owns: [parts/{nth}.txt], size: S}}\n");
    let workers: String = (0..workers).map(worker).collect();
    format!("workflow: fleet\ngoal: many parts\nremote: origin\nworkers:\n{workers}")
}

/// What the workers of one clone do, one after the other.
fn script(workers: impl Iterator<Item = usize>) -> String {
    let work = |nth| {
        format!(
            "pw-setup join task-{nth}; cd worktrees/task-{nth}-part; mkdir parts; echo part > parts/{nth}.txt; \
             pw-worker checkpoint half; pw-worker complete; cd ../..\n"
        )
    };
    format!("set -e; exec >/dev/null\n{}", workers.map(work).collect::<String>())
}

/// `PW_FLEET=200` for the real size, which takes minutes.
#[test]
#[ignore = "long; .ci/run runs it"]
#[expect(clippy::print_stderr, reason = "the times are what a run of the real size is for")]
fn many_workers_over_one_remote_lose_no_signal() {
    let count = std::env::var("PW_FLEET").ok().and_then(|count| count.parse().ok()).unwrap_or(12);
    let mut repo = repo(&plan(count));
    let remote = repo.beside("remote.git");
    repo.git(&["init", "-q", "--bare", "-b", "main", &remote.to_string_lossy()]);
    repo.git(&["remote", "add", "origin", &remote.to_string_lossy()]);
    repo.git(&["push", "-q", "origin", "main"]);
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    let clones: Vec<PathBuf> =
        (0..=CLONES).map(|nth| repo.beside(&format!("clone-{nth}"))).collect();
    for clone in &clones {
        repo.git(&["clone", "-q", &remote.to_string_lossy(), &clone.to_string_lossy()]);
    }
    // Every push leaves a line.
    let hook = "mkdir -p hooks; printf '#!/bin/sh\\necho push >> pushes\\n' > hooks/post-receive; \
                chmod +x hooks/post-receive";
    repo.sh(&remote, hook);
    let (third, clones) = clones.split_last().unwrap();
    let starts = clones.iter().enumerate().map(|(nth, clone)| {
        let script = script((nth..count).step_by(CLONES));
        repo.shell(&script).current_dir(clone).spawn().unwrap()
    });
    for mut clone in starts.collect::<Vec<_>>() {
        assert!(clone.wait().unwrap().success());
    }
    let pushes = std::fs::read_to_string(remote.join("pushes")).unwrap().lines().count();
    assert_eq!(pushes, 2 * count, "one push for each signal");

    let look = |words: &str| {
        let began = Instant::now();
        let words: Vec<&str> = words.split(' ').collect();
        let status = repo.pw_in(third, &words).data();
        eprintln!("{count} workers, {}: {:.2} s", words.join(" "), began.elapsed().as_secs_f64());
        let workers = status["workers"].as_array().unwrap().clone();
        assert_eq!(workers.len(), count);
        assert!(workers.iter().all(|worker| worker["ready"] == true), "{status:#}");
    };
    look("pw-monitor status --fetch");
    look("pw-monitor status --fetch");
    let status = repo.pw_in(third, &["pw-monitor", "status", "--verbose"]).data();
    let said = status["workers"].as_array().unwrap().iter();
    assert!(said.map(|worker| &worker["checkpoints"][0]).all(|said| said == "half"));
    // The leading clone has branches of its own, all of them behind: what is new is one question.
    repo.shim_git("echo \"$1\" >> \"$HOME/started\"; exec \"$GIT\" \"$@\"");
    let began = Instant::now();
    repo.pw("pw-monitor status --fetch --no-worktrees").data();
    eprintln!("{count} workers, from the clone that leads: {:.2} s", began.elapsed().as_secs_f64());
    let started = std::fs::read_to_string(repo.beside("started")).unwrap();
    let started = started.lines().count();
    assert!(started <= MOST, "{started} processes of git for {count} workers");
}
