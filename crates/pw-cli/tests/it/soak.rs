//! Everybody at once, for as long as one likes: workers commit, amend, rebase and take in what others
//! did, while status, preview, run and advance go on, are killed, and the user works and repacks.
//! Afterwards nothing is lost, nothing is locked, and no commit failed because of us.
//!
//! `PW_SOAK=300 PW_SOAK_WORKERS=64 cargo test --workspace --test it -- --ignored soak` for five
//! minutes; without, a few seconds.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use pw_testkit::dice::Dice;
use pw_testkit::repo::TestRepo;
use serde_json::Value;

use crate::repo;

/// Begins every script. `t` runs a command and takes down what it says when it fails, unless that is
/// a refusal which is as it should be; `p` the same for a helper, whose answer has a code.
const BEGIN: &str = r#"
t() { out=$("$@" 2>&1) || printf '%s: %s\n' "$*" "$out" >> "$FAULTS"; }
p() {
  out=$("$@" 2>"$ERRORS"); code=$?
  case $out in
    '{'*'"ok":true'*) [ $code = 0 ] && return ;;
    *'"code":"internal"'*|*'"code":"git_failed"'*) ;;
    '{'*'"ok":false'*) [ $code -ge 1 ] && [ $code -le 4 ] && { echo "$out" | sed 's/.*"code":"\([a-z_]*\)".*/\1/' >> "$CODES"; return; } ;;
  esac
  printf '%s: %s %.400s %s\n' "$*" $code "$out" "$(cat "$ERRORS")" >> "$FAULTS"
}
on() { [ "$(date +%s)" -lt "$END" ] || exit 0; }
made() { git rev-parse HEAD >> "$COMMITS"; }
"#;

const NAMES: &[&str] = &["plain", "a b", "$(id)", "quo'te", "[x]", "-f", "ünï", "*", "#h", "~"];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What one worker does, round upon round.
fn work(at: u64, workers: u64) -> String {
    let mut dice = Dice(at.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut script = String::new();
    for round in 0..2000 {
        let name = dice.of(NAMES).replace('\'', r"'\''");
        writeln!(script, "on\nprintf '{round}\\n' > './w{at}/{name}'").unwrap();
        let other = dice.roll(workers);
        let step = match dice.roll(10) {
            0..=2 => {
                format!("t git add w{at}; t git commit -q --allow-empty -m 'round {round}'; made")
            }
            // Not what the worker began from, which is the user's.
            3 => "[ \"$(git rev-parse HEAD)\" = \"$BASE\" ] || t git commit -q --amend --no-edit --allow-empty; made"
                .to_owned(),
            4 => "t git add -A; t git commit -q --allow-empty -m before; made; \
                  t git rebase -q --force-rebase --keep-empty HEAD~1; made"
                .to_owned(),
            5 => format!("p pw-worker complete 'round {round}' --format json; made"),
            6 => format!("p pw-worker sync w{other} --format json; made"),
            7 => format!(
                "echo '- w{at} {round}' >> CHANGES; p pw-worker checkpoint 'line {round}' --format json; made"
            ),
            _ => format!("p pw-worker checkpoint 'round {round}' --format json; made"),
        };
        writeln!(script, "{step}").unwrap();
    }
    script
}

const OBSERVERS: &[&str] = &[
    "p pw-monitor status --format json; p pw-monitor status --verbose --format json",
    "p pw-integrate preview --format json; p pw-integrate check --format json",
    "p pw-integrate run --format json; sleep 1",
    "p pw-setup advance --format json; p pw-setup repair --format json; sleep 1",
    "echo \"$(date +%N)\" > user; t git add user; t git commit -q -m user; sleep 1",
    // Not -d: git removes an empty folder of objects while another git writes into it.
    "t git pack-refs --all; t git repack -q; sleep 2",
    // A power cut, again and again.
    "for verb in run preview cleanup; do pw-integrate $verb > /dev/null 2>&1 & \
     sleep 0.$(date +%N | cut -c1-2); kill -9 $!; wait; done 2> /dev/null; sleep 1",
];

#[test]
#[ignore = "as long as one likes: PW_SOAK=300 PW_SOAK_WORKERS=64"]
#[expect(clippy::print_stdout, reason = "who asked for it wants to see how much was done")]
fn soak() {
    let (seconds, workers) = (number("PW_SOAK", 20), number("PW_SOAK_WORKERS", 6));
    let list: String =
        (0..workers).map(|at| format!("  - {{id: w{at}, name: w, owns: [w{at}]}}\n")).collect();
    let repo = repo(&format!("workflow: soak\nunion: [CHANGES]\nworkers:\n{list}"));
    // 64 workers on two cores hold the lock of packed refs for longer than the second that git waits.
    repo.git(&["config", "core.packedRefsTimeout", "30000"]);
    repo.write("CHANGES", "# Changes\n");
    repo.commit("changes");
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    let base = repo.git(&["rev-parse", "HEAD"]);
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + seconds;
    let play = |name: String, folder: &Path, script: String| {
        let (file, log) =
            (repo.beside(&format!("{name}.sh")), |kind| repo.beside(&format!("{name}.{kind}")));
        std::fs::write(&file, format!("{BEGIN}{script}")).unwrap();
        let mut shell = repo.shell(&format!("exec sh '{}'", file.display()));
        shell.current_dir(folder).env("END", end.to_string()).env("BASE", &base);
        for (variable, kind) in
            [("FAULTS", "faults"), ("ERRORS", "errors"), ("COMMITS", "commits"), ("CODES", "codes")]
        {
            shell.env(variable, log(kind));
        }
        shell.spawn().unwrap()
    };
    let mut all = Vec::new();
    for at in 0..workers {
        let folder = repo.worker(&format!("w{at}-w")).path;
        std::fs::create_dir(folder.join(format!("w{at}"))).unwrap();
        all.push(play(format!("w{at}"), &folder, work(at, workers)));
    }
    for (at, step) in OBSERVERS.iter().enumerate() {
        let script = format!("while on; do {step}; done\n");
        all.push(play(format!("o{at}"), &repo.root(), script));
    }
    all.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));

    assert_eq!(logs(&repo, "faults"), [""; 0]);
    let commits = logs(&repo, "commits");
    nothing_is_lost(&repo, &commits);
    for at in 0..workers {
        repo.worker(&format!("w{at}-w")).pw(&["checkpoint", "the rest"]);
        repo.worker(&format!("w{at}-w")).pw(&["complete", "all"]).data();
    }
    let status = repo.pw("pw-monitor status --verbose").data();
    for worker in status["workers"].as_array().unwrap() {
        assert_eq!(
            (&worker["state"], &worker["ready"]),
            (&"complete".into(), &Value::Bool(true)),
            "{worker:#}"
        );
    }
    repo.pw("pw-integrate run").data();
    for at in 0..workers {
        let names = [format!("integration/soak:w{at}"), format!("work/w{at}-w:w{at}")];
        let trees = names.map(|name| repo.git(&["rev-parse", &name]));
        assert_eq!(trees[0], trees[1], "w{at}");
    }
    let codes = logs(&repo, "codes");
    println!("{} commits, {} refusals: {:?}", commits.len(), codes.len(), counted(codes));
}

fn counted(mut codes: Vec<String>) -> Vec<(String, usize)> {
    codes.sort();
    let groups = codes.chunk_by(|a, b| a == b);
    groups.map(|group| (group[0].clone(), group.len())).collect()
}

/// Returns the lines that all scripts took down.
fn logs(repo: &TestRepo, kind: &str) -> Vec<String> {
    let is_log = |path: &PathBuf| path.extension().is_some_and(|it| it == kind);
    let files = std::fs::read_dir(repo.beside("")).unwrap().map(|entry| entry.unwrap().path());
    let text: String =
        files.filter(is_log).map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().map(str::to_owned).collect()
}

/// Every commit is there and reachable, git finds nothing wrong, and no lock is left.
fn nothing_is_lost(repo: &TestRepo, commits: &[String]) {
    let known = repo.git(&["rev-list", "--all", "--reflog"]);
    let known: std::collections::HashSet<&str> = known.lines().collect();
    let lost: Vec<&String> = commits.iter().filter(|it| !known.contains(it.as_str())).collect();
    assert!(lost.is_empty(), "{lost:?}");
    repo.git(&["fsck", "--strict", "--no-dangling"]);
    let locks = repo.shell("find .git -name '*.lock' -o -name 'index.stash*'").output().unwrap();
    assert_eq!(String::from_utf8_lossy(&locks.stdout), "");
}
