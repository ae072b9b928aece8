//! What a worker's session may ask of the helpers: it reads everything, writes as itself, and leaves
//! to the user what is done to all workers.

use std::collections::BTreeSet;
use std::path::Path;

use clap::CommandFactory as _;
use pw_testkit::plans::THREE;
use pw_testkit::repo::{Answer, TestRepo};

use crate::created;

/// Changes what belongs to all workers, or to another one: refused to each worker's session.
const FOR_ALL: &[&str] = &[
    "pw-setup create plan.yaml",
    "pw-setup advance",
    "pw-setup advance rest-api",
    "pw-setup launch --with tmux",
    "pw-setup launch task-2 --with background",
    "pw-setup launch task-1 --with custom",
    "pw-setup launch task-2 --ended",
    "pw-setup doctor --fix-permissions",
    "pw-setup join task-1",
    "pw-integrate run",
    "pw-integrate run --without task-2",
    "pw-integrate run rest-api --no-gate",
    "pw-integrate continue",
    "pw-integrate continue --retest",
    "pw-integrate abort",
    "pw-integrate finish",
    "pw-integrate finish --merge",
    "pw-integrate finish --pr",
    "pw-integrate cleanup",
    "pw-integrate cleanup rest-api task-2 --snapshot",
    "pw-integrate restore --snapshot task-2/1 --into back",
    "pw-integrate restore --snapshot task-1/1 --branch back",
    "pw-integrate forget --all",
    "pw-integrate forget --snapshot task-2/1",
    "pw-retro remember",
    "pw-retro forget --all",
];

/// Signals, syncs or runs: refused in another worker's worktree alone.
const AS_ITSELF: &[&str] = &[
    "pw-worker checkpoint x",
    "pw-worker blocked x",
    "pw-worker needs task-3 x",
    "pw-worker complete x",
    "pw-worker sync task-3",
    "pw-worker undo",
    "pw-worker run -- true",
];

/// Reads: for each session, in every folder.
const READS: &[&str] = &[
    "pw-setup check plan.yaml",
    "pw-setup launch",
    "pw-setup launch task-2 --with print",
    "pw-setup analyze",
    "pw-setup doctor",
    "pw-setup list",
    "pw-setup explain out_of_scope",
    "pw-setup schema",
    "pw-setup repair",
    "pw-monitor status",
    "pw-monitor status rest-api --no-worktrees",
    "pw-monitor wait --timeout 0s",
    "pw-monitor watch",
    "pw-monitor schema",
    "pw-integrate check",
    "pw-integrate preview",
    "pw-integrate cleanup --dry-run",
    "pw-integrate restore",
    "pw-integrate schema",
    "pw-worker brief",
    "pw-worker schema",
    "pw-retro report",
    "pw-retro compare",
    "pw-retro schema",
];

/// What each helper prints for other programs; nothing of a repository is read.
const TEXTS: [&str; 2] = ["completions bash", "man"];

/// What hooks and launchers call, which the other tests of the guard and of sessions try.
const OF_HOOKS: &[&str] = &["pw-worker guard", "pw-worker begin"];

fn run(repo: &TestRepo, folder: &Path, session: &[(&str, &str)], words: &str) -> Answer {
    let plan = repo.root().join("plan.yaml").display().to_string();
    let words: Vec<&str> =
        words.split(' ').map(|word| if word == "plan.yaml" { &plan } else { word }).collect();
    let mut command = repo.helper(folder, &words);
    command.envs(session.iter().copied()).output().unwrap().into()
}

/// Every ref, and what each worktree holds.
fn everything(repo: &TestRepo) -> String {
    let refs = repo.git(&["for-each-ref"]) + &repo.git(&["worktree", "list", "--porcelain"]);
    let files = repo.shell("find . -path ./.git/objects -prune -o -type f -print | sort").output();
    refs + &String::from_utf8(files.unwrap().stdout).unwrap()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_is_done_to_all_workers_is_for_the_users_session() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    users.write("api/users.py", "1").commit("[COMPLETE] x");
    let before = everything(&repo);
    for session in [
        &[("PW_WORKFLOW", "rest-api"), ("PW_WORKER", "task-1")][..],
        &[("PW_WORKER", "task-1")],
        &[("PW_WORKFLOW", "another"), ("PW_WORKER", "task-1")],
    ] {
        for words in FOR_ALL {
            for folder in [&users.path, &posts.path, &repo.root()] {
                let error = run(&repo, folder, session, words).error(3, "other_worker");
                let said = error["message"].as_str().unwrap();
                assert!(
                    said.contains("task-1") && said.contains(&words[..words.find(' ').unwrap()])
                );
                assert!(error["hint"].as_str().unwrap().contains("pw-worker blocked"), "{error}");
            }
        }
        for words in AS_ITSELF {
            run(&repo, &posts.path, session, words).error(3, "other_worker");
            run(&repo, &repo.root(), session, words).error(3, "not_a_worker");
        }
    }
    assert_eq!(everything(&repo), before);
    let other = [("PW_WORKFLOW", "another"), ("PW_WORKER", "task-1")];
    run(&repo, &users.path, &other, "pw-setup repair").error(3, "other_worker");
    let own = [("PW_WORKFLOW", "rest-api"), ("PW_WORKER", "task-1")];
    for words in READS {
        let folder = if words.starts_with("pw-worker") { &posts.path } else { &users.path };
        let answer = run(&repo, folder, &own, words);
        assert!(!answer.stdout.contains("\"code\":\"other_worker\""), "{words}");
        // A watch wants a terminal, and an analysis more history.
        if !words.contains("watch") && !words.contains("analyze") {
            answer.data();
        }
    }
    assert_eq!(everything(&repo), before);
    // The user's session may do it all.
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
}

#[test]
fn every_verb_is_in_one_of_the_tables() {
    let mut verbs = BTreeSet::new();
    for helper in [
        pw_cli::Setup::command(),
        pw_cli::Monitor::command(),
        pw_cli::Integrate::command(),
        pw_cli::WorkerCli::command(),
        pw_cli::RetroCli::command(),
    ] {
        let name = helper.get_name().to_owned();
        verbs.extend(helper.get_subcommands().map(|verb| format!("{name} {}", verb.get_name())));
    }
    let tables = [FOR_ALL, AS_ITSELF, READS, OF_HOOKS].concat();
    let helpers: BTreeSet<&str> = tables.iter().filter_map(|row| row.split(' ').next()).collect();
    let texts = helpers.iter().flat_map(|helper| TEXTS.map(|text| format!("{helper} {text}")));
    let all: Vec<String> = tables.iter().map(|row| (*row).to_owned()).chain(texts).collect();
    let named = all.iter().map(|row| row.split(' ').take(2).collect::<Vec<_>>().join(" "));
    assert_eq!(named.collect::<BTreeSet<_>>(), verbs);
}

#[test]
fn a_workers_session_starts_no_other_one() {
    let mut repo = created(THREE);
    repo.shim("claude", "echo x >> \"$HOME/seen\"");
    let launch = |label: &str| {
        let line = format!("sh .git/pw/rest-api/{label}/launch.sh");
        let mut command = repo.shell(&line);
        let session = [("PW_WORKFLOW", "rest-api"), ("PW_WORKER", "task-1")];
        let answer: Answer = command.envs(session).output().unwrap().into();
        answer
    };
    let answer = launch("task-2-posts");
    assert_eq!(answer.code, Some(3), "{answer:?}");
    assert!(answer.stderr.contains("this session is that of task-1"), "{answer:?}");
    assert!(!repo.beside("seen").exists());
    assert_eq!(launch("task-1-users").code, Some(0));
}
