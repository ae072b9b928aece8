//! Real hook managers, installed by one worker: no other worker notices, and what they install runs
//! beside the guard. `.ci/run` brings them; one that is not there is skipped with a word.

use std::path::Path;

use pw_testkit::plans::TWO;
use pw_testkit::repo::{Answer, TestRepo, write_program};

use crate::repo;

/// Its program, the command by which a worker installs its hooks, and the word that these say.
const MANAGERS: &[(&str, &str, &str)] = &[
    ("lefthook", "lefthook install", "lefthook-ran"),
    ("lefthook", "lefthook install --force", "lefthook-ran"),
    ("lefthook", "lefthook install --reset-hooks-path", "lefthook-ran"),
    ("husky", "husky", "husky-ran"),
    ("simple-git-hooks", "simple-git-hooks", "simple-ran"),
    // It refuses while core.hooksPath is set, and says how to go on.
    ("pre-commit", "pre-commit install", ""),
    (
        "pre-commit",
        "git config --worktree --unset-all core.hooksPath; pre-commit install",
        "precommit-ran",
    ),
    ("git-lfs", "git lfs install --local", ""),
    ("git-lfs", "git lfs install --local --force", ""),
];

fn configured() -> TestRepo {
    let repo = repo(TWO);
    let log = repo.beside("ran").display().to_string();
    repo.write(
        "lefthook.yml",
        &format!("pre-commit:\n  commands:\n    x: {{run: echo lefthook-ran >> {log}}}\n"),
    );
    repo.write(
        ".pre-commit-config.yaml",
        &format!(
            "repos:\n- repo: local\n  hooks:\n  - {{id: x, name: x, language: system, always_run: true, \
             pass_filenames: false, entry: sh -c \"echo precommit-ran >> {log}\"}}\n"
        ),
    );
    let simple = serde_json::json!({
        "name": "x",
        "simple-git-hooks": { "pre-commit": format!("echo simple-ran >> {log}") },
    });
    repo.write("package.json", &simple.to_string());
    std::fs::create_dir(repo.root().join(".husky")).unwrap();
    let husky = repo.root().join(".husky/pre-commit");
    write_program(&husky, &format!("#!/bin/sh\necho husky-ran >> {log}\n"));
    repo.commit("managers");
    repo.pw("pw-setup create plan.yaml").data();
    repo
}

fn commits_stray(repo: &TestRepo, worktree: &Path) -> bool {
    let line = "echo x > stray && git add stray && git commit -q -m stray; left=$?; git rm -q --cached stray; \
                rm -f stray; exit $left";
    repo.shell(line).current_dir(worktree).output().unwrap().status.success()
}

#[test]
#[ignore = "needs hook managers; .ci/run brings them"]
#[expect(clippy::print_stderr, reason = "says what was not tested")]
fn hook_managers_disturb_nobody_and_run_beside_the_guard() {
    for (program, install, word) in MANAGERS {
        let repo = configured();
        if !repo.shell(&format!("command -v {program}")).output().unwrap().status.success() {
            eprintln!("skipped: {program} is not installed");
            continue;
        }
        let [one, other] = ["a-x", "b-y"].map(|label| repo.worker(label));
        // Whatever its exit code: some refuse where they see a hook of others.
        let said: Answer = repo.shell(install).current_dir(&one.path).output().unwrap().into();
        let gaps =
            |index: usize| repo.pw("pw-monitor status").data()["workers"][index]["gaps"].clone();
        assert!(gaps(1).is_null(), "{install}: {said:?}");
        assert!(!commits_stray(&repo, &other.path), "{install}: {said:?}");
        repo.pw("pw-setup repair").data();
        assert!(gaps(0).is_null(), "{install}: {said:?}");
        assert!(!commits_stray(&repo, &one.path), "{install}: {said:?}");
        let _ = std::fs::remove_file(repo.beside("ran"));
        one.write("a", "1").pw(&["checkpoint", "one"]).data();
        let ran = std::fs::read_to_string(repo.beside("ran")).unwrap_or_default();
        assert!(ran.contains(word), "{install}: {ran:?} {said:?}");
        eprintln!("tried: {install}");
    }
}
