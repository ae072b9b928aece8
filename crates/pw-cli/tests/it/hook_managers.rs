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

/// A repository as people have it: its tools, how they are put in, what must hold in a worktree.
struct Kit {
    name: &'static str,
    programs: &'static [&'static str],
    files: &'static [(&'static str, &'static str)],
    /// Run in the checkout, once all is committed; `$MODULES` is where npm has put the tools.
    install: &'static str,
    setup: &'static str,
    /// Whether messages have to be conventional.
    has_rule: bool,
}

const PARTS: &str = "workflow: parts
goal: two parts
workers:
  - {id: a, name: x, owns: [a.txt]}
  - {id: b, name: y, owns: [b.txt, \"*.bin\"], provides: [it]}
";

const KITS: &[Kit] = &[
    Kit {
        name: "husky, commitlint and lint-staged",
        programs: &["husky", "commitlint", "lint-staged"],
        files: &[
            (".gitignore", "node_modules\n"),
            (".husky/commit-msg", "commitlint --edit \"$1\"\n"),
            (".husky/pre-commit", "lint-staged --quiet\n"),
            (
                "commitlint.config.mjs",
                "export default { extends: ['@commitlint/config-conventional'] };\n",
            ),
            (
                "package.json",
                "{\"name\": \"x\", \"lint-staged\": {\"*.txt\": \"sed -i s/wrong/right/\"}}\n",
            ),
        ],
        install: "ln -s \"$MODULES\" node_modules && husky",
        setup: "ln -s \"$MODULES\" node_modules && husky",
        has_rule: true,
    },
    Kit {
        name: "lefthook and commitlint",
        programs: &["lefthook", "commitlint"],
        files: &[
            (".gitignore", "node_modules\n"),
            (
                "commitlint.config.mjs",
                "export default { extends: ['@commitlint/config-conventional'] };\n",
            ),
            (
                "lefthook.yml",
                "commit-msg:\n  commands:\n    lint: {run: 'commitlint --edit {1}'}\npre-commit:\n  commands:\n    \
                 fix: {glob: '*.txt', run: 'sed -i s/wrong/right/ {staged_files}', stage_fixed: true}\n",
            ),
        ],
        install: "ln -s \"$MODULES\" node_modules && lefthook install",
        setup: "ln -s \"$MODULES\" node_modules",
        has_rule: true,
    },
    Kit {
        name: "pre-commit",
        programs: &["pre-commit"],
        files: &[(
            ".pre-commit-config.yaml",
            "default_install_hook_types: [pre-commit, commit-msg]\nrepos:\n- repo: local\n  hooks:\n  \
             - {id: fix, name: fix, language: system, files: 'txt$', entry: sed -i s/wrong/right/}\n  \
             - {id: rule, name: rule, language: system, stages: [commit-msg], entry: grep -qE '^(feat|chore)'}\n",
        )],
        install: "pre-commit install",
        setup: "",
        has_rule: true,
    },
    Kit {
        name: "git-lfs",
        programs: &["git-lfs"],
        files: &[(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")],
        install: "git lfs install --local",
        setup: "",
        has_rule: false,
    },
];

/// Returns the folder of npm's packages that the tools are from.
fn modules() -> String {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = std::env::split_paths(&path);
    let bin = folders.find(|folder| folder.ends_with("node_modules/.bin"));
    bin.and_then(|bin| Some(bin.parent()?.display().to_string())).unwrap_or_default()
}

fn equipped(kit: &Kit) -> TestRepo {
    let repo = repo(PARTS);
    let modules = modules();
    for (path, text) in kit.files {
        repo.write(path, text);
    }
    repo.write(".git/info/exclude", "plan.yaml\n");
    repo.commit("chore: tools");
    repo.sh(&repo.root(), &kit.install.replace("$MODULES", &modules));
    if !kit.setup.is_empty() {
        let setup = kit.setup.replace("$MODULES", &modules);
        repo.write("plan.yaml", &format!("{PARTS}setup: '{setup}'\n"));
    }
    repo
}

/// The five steps, from the check of the plan to a repository as it was.
fn goes_through(kit: &Kit) {
    let repo = equipped(kit);
    let config = repo.git(&["config", "--local", "--list"]);
    let checked = repo.pw("pw-setup check plan.yaml").data();
    let tried = &checked["message_hooks"];
    if kit.has_rule {
        assert_eq!(tried["verdict"], "refused", "{}: {checked:#}", kit.name);
        assert_eq!(tried["plan"]["signal_subject"], "chore: {text}", "{}: {checked:#}", kit.name);
        let keys = "signal: trailer\nsignal_subject: \"chore: {text}\"\n";
        repo.write("plan.yaml", &format!("{}{keys}", repo.read("plan.yaml")));
    }
    let created = repo.pw("pw-setup create plan.yaml").data();
    let verdict = created["message_hooks"]["verdict"].as_str();
    assert_eq!(verdict, kit.has_rule.then_some("accepted"), "{}: {created:#}", kit.name);
    let [one, other] = ["a-x", "b-y"].map(|label| repo.worker(label));
    one.pw(&["needs", "b", "it"]).data();
    other.write("b.txt", "wrong\n").write("x.bin", "content\n");
    let data = other.pw(&["checkpoint", "both files"]).data();
    assert_eq!(data["left"], serde_json::json!([]), "{}: {data:#}", kit.name);
    let expected = if kit.has_rule { "right" } else { "wrong" };
    assert_eq!(other.git(&["show", "HEAD:b.txt"]), expected, "{}", kit.name);
    other.pw(&["complete", "all of it"]).data();
    one.pw(&["sync"]).data();
    one.write("a.txt", "wrong\n").pw(&["checkpoint", "the first", "--detail", "why"]).data();
    one.pw(&["complete"]).data();
    repo.pw("pw-integrate run").data();
    let squash = |message: &str| {
        repo.pw_in(&repo.root(), &["pw-integrate", "finish", "--squash", "-m", message])
    };
    if kit.has_rule {
        squash("both parts").error(1, "hook_refused");
    }
    squash("feat: both parts").data();
    assert_eq!(repo.read("x.bin"), "content\n", "{}", kit.name);
    let is_pointer = repo.git(&["show", "HEAD:x.bin"]).starts_with("version https://git-lfs");
    assert_eq!(is_pointer, kit.name == "git-lfs");
    assert_eq!(repo.pw("pw-retro report").data()["workers"][0]["checkpoints"], 2, "{}", kit.name);
    // What `setup` has put there is no worker's work, and is named all the same.
    let cleaned = repo.pw("pw-integrate cleanup --snapshot").data();
    assert_eq!(cleaned["closed"], true, "{}: {cleaned:#}", kit.name);
    assert_eq!(repo.git(&["status", "--porcelain"]), "", "{}", kit.name);
    assert_eq!(repo.git(&["config", "--local", "--list"]), config, "{}", kit.name);
}

#[test]
#[ignore = "needs hook managers; .ci/run brings them"]
#[expect(clippy::print_stderr, reason = "says what was not tested")]
fn hook_managers_and_linters_go_through_the_five_steps() {
    for kit in KITS {
        let repo = repo(PARTS);
        let is_there = |program: &&&str| {
            repo.shell(&format!("command -v {program}")).output().unwrap().status.success()
        };
        let missing: Vec<&&str> = kit.programs.iter().filter(|p| !is_there(p)).collect();
        if !missing.is_empty() {
            eprintln!("skipped: {}: {missing:?} are not installed", kit.name);
            continue;
        }
        goes_through(kit);
        eprintln!("tried: {}", kit.name);
    }
}
