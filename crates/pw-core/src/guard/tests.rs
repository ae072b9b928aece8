//! The rules of the guard as tables: a command, and what is said to it.

use super::*;

/// A worktree at `/r/worktrees/task-1-a` of the repository `/r`, written down.
pub(super) struct Drawn;

const HERE: &str = "/r/worktrees/task-1-a";
const TRACKED: &[&str] = &["a/x", "b/y", "README.md"];

impl Surroundings for Drawn {
    fn folder(&self) -> String {
        HERE.to_owned()
    }

    fn worktree(&self) -> String {
        HERE.to_owned()
    }

    fn is_folder(&self, path: &str) -> bool {
        matches!(self.target(path), Target::Inside(path) if ["", "a", "b"].contains(&path.to_string().as_str()))
    }

    fn target(&self, path: &str) -> Target {
        let full = if path.starts_with('/') { path.to_owned() } else { format!("{HERE}/{path}") };
        let mut names: Vec<&str> = Vec::new();
        for name in full.split('/') {
            match name {
                "" | "." => {}
                ".." => drop(names.pop()),
                name => names.push(name),
            }
        }
        let is_git = names.contains(&".git");
        match names[..] {
            ["r", ..] if is_git => Target::Git,
            ["r", "worktrees", "task-1-a", ..] => {
                Target::Inside(names[3..].join("/").as_str().into())
            }
            ["r", ..] | [] => Target::Elsewhere(path.to_owned()),
            ["tmp", ..] => Target::Temporary,
            _ => Target::Outside(path.to_owned()),
        }
    }

    fn exists(&self, path: &RepoPath) -> bool {
        self.is_tracked(path) || self.is_ignored(path)
    }

    fn is_ignored(&self, path: &RepoPath) -> bool {
        let path = path.to_string();
        path.starts_with("target")
            || path.starts_with("out/")
            || path.ends_with(".pyc")
            || path.contains("__pycache__/")
    }

    fn is_tracked(&self, path: &RepoPath) -> bool {
        TRACKED.iter().any(|known| {
            path.as_bytes().is_empty()
                || *known == path.to_string()
                || path.contains(&(*known).into())
        })
    }

    fn names_commit(&self, word: &str) -> bool {
        ["main", "work/task-1-a", "work/task-2-b", "v1"].contains(&word)
    }

    fn alias(&self, verb: &str) -> Option<String> {
        let known = [
            ("pu", "push"),
            ("st", "status -s"),
            ("wipe", "!git stash && git clean -fd"),
            ("x", "x"),
        ];
        known.iter().find(|(name, _)| *name == verb).map(|(_, alias)| (*alias).to_owned())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/me".to_owned())
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        let below = pattern.strip_suffix("/*").unwrap_or_default();
        let found = TRACKED.iter().map(|path| format!("{HERE}/{path}"));
        found
            .filter(|path| path.rsplit_once('/').is_some_and(|(folder, _)| folder == below))
            .collect()
    }
}

fn plan() -> Plan {
    Plan::parse(
        "workflow: w\nshared: [Cargo.lock]\nverify: make all && test *\nworkers:\n  - {id: task-1, name: a, owns: [a]}\n  - {id: task-2, name: b, owns: [b]}\n",
    )
    .unwrap()
}

fn decide(command: &str) -> Decision {
    let plan = plan();
    shell(&plan, &plan.workers[0], command, &Drawn)
}

/// Returns those commands whose refusal is not as expected, with the reason where there is one.
fn wrong(commands: &[&str], is_denied: bool) -> Vec<(String, Decision)> {
    let decided = commands.iter().map(|command| ((*command).to_owned(), decide(command)));
    decided.filter(|(_, said)| matches!(said, Decision::Deny(_)) != is_denied).collect()
}

#[track_caller]
fn all_denied(commands: &[&str]) {
    let passed = wrong(commands, true);
    assert!(passed.is_empty(), "passed: {passed:#?}");
}

#[track_caller]
fn none_denied(commands: &[&str]) {
    let denied = wrong(commands, false);
    assert!(denied.is_empty(), "denied: {denied:#?}");
}

/// Returns the commands of a table, one a line, `⏎` for a newline.
fn lines(table: &str) -> impl Iterator<Item = String> {
    table.lines().map(|line| line.replace('⏎', "\n"))
}

/// Holds both halves of a table: what is denied, and what is not.
#[track_caller]
fn held(table: &str) {
    let (denied, passed) = table.split_once("\n\n").unwrap();
    let rows = |half| lines(half).skip(1).collect::<Vec<_>>();
    let (denied, passed) = (rows(denied), rows(passed));
    let wrong = |rows: &[String], is_denied| {
        wrong(&rows.iter().map(String::as_str).collect::<Vec<_>>(), is_denied)
    };
    let found = [wrong(&denied, true), wrong(&passed, false)];
    assert!(found.iter().all(Vec::is_empty), "passed, and denied: {found:#?}");
}

#[test]
fn files_are_allowed_by_the_scope_of_the_plan() {
    let plan = plan();
    let decide = |path: &str| write(&plan, &plan.workers[0], path, &Drawn);
    assert!(matches!(decide("a/x"), Decision::Allow(_)));
    assert!(matches!(decide("Cargo.lock"), Decision::Allow(_)));
    assert!(matches!(decide("b/x"), Decision::Deny(reason) if reason.contains("owned by task-2")));
    assert!(matches!(decide("c"), Decision::Deny(reason) if reason.contains("no worker's scope")));
    assert!(matches!(decide("/etc/x"), Decision::Deny(_)));
    assert_eq!(decide("target/log"), Decision::Silent);
    assert_eq!(decide("/tmp/x"), Decision::Silent);
    assert_eq!(decide("a/.claude/x"), Decision::Silent);
}

#[test]
fn git_that_harms_others_is_denied_and_readers_and_own_work_are_not() {
    held(include_str!("tests/git.txt"));
}

#[test]
fn a_session_stays_the_worker_that_it_is() {
    held(include_str!("tests/identity.txt"));
}

#[test]
fn whatever_wraps_a_command_is_seen_through() {
    let wrapped = include_str!("tests/wrapped.txt");
    for harm in ["git stash", "rm -rf ../task-2-b", "git -C /r commit", "tee b/y"] {
        let commands: Vec<String> = lines(wrapped).map(|text| text.replace('X', harm)).collect();
        all_denied(&commands.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for fine in ["git status", "rm -rf target", "tee a/x", "make"] {
        let commands: Vec<String> = lines(wrapped).map(|text| text.replace('X', fine)).collect();
        none_denied(&commands.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn programs_that_change_files_are_held_to_the_scope() {
    // `Y` is a file; each command changes it.
    let changing = include_str!("tests/changes.txt");
    for foreign in ["b/y", "README.md"] {
        let commands: Vec<String> =
            lines(changing).map(|text| text.replace('Y', foreign)).collect();
        all_denied(&commands.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for own in ["a/x", "Cargo.lock"] {
        let commands: Vec<String> = lines(changing).map(|text| text.replace('Y', own)).collect();
        none_denied(&commands.iter().map(String::as_str).collect::<Vec<_>>());
    }

    held(include_str!("tests/files.txt"));
}

#[test]
fn programs_that_write_are_known_by_their_options_and_scripts() {
    held(include_str!("tests/writers.txt"));
}

#[test]
fn plain_helper_calls_need_no_question_and_others_do() {
    for command in [
        "pw-worker checkpoint \"model, routes\"",
        "pw-worker checkpoint 'a [b] {c}' --path a/x",
        "pw-worker complete",
        "pw-worker needs task-2 item \"what for\" --format json",
        "pw-monitor status",
        "pw-monitor status w --verbose",
        "git log --oneline -5",
        "git diff main...HEAD",
        "git show HEAD",
        "git status -s",
        "git restore a/x",
        "git rm -f a/x",
        "git add -f a/x",
        // Another worker's file, as it was.
        "git restore -- b/y",
        "make all && test *",
    ] {
        assert!(matches!(decide(command), Decision::Allow(_)), "{command}");
    }
    for command in [
        "pw-worker checkpoint \"$(id)\"",
        "pw-worker brief; id",
        "pw-worker brief & id",
        "pw-worker brief > a/x",
        "PATH=/x pw-worker brief",
        "./pw-worker brief",
        "pw-setup create p",
        "pw-setup check p",
        "pw-integrate run",
        "pw-worker guard stop",
        "pw-worker brief x",
        "pw-worker brief --now 1",
        "pw-monitor status -C /r",
        "pw-monitor status --format",
        "pw-worker checkpoint x --detail -C/r",
        "git log --output=a/x",
        "git log --outp a/x",
        "git diff --no-ind /etc/passwd x",
        "git diff --ext-diff",
        "git -c a=b log",
        "git restore",
        "git log; id",
        "git log $X",
        "git log > a/x",
        "git restore \"*\"",
        "make all && test * ; id",
        "env git log",
    ] {
        assert!(!matches!(decide(command), Decision::Allow(_)), "{command}");
    }
    all_denied(&[
        "pw-worker complete x -C ../task-2-b",
        "pw-worker run -C ../task-2-b -- make",
        "cd ../task-2-b && pw-worker run",
        "pw-worker -C/r sync",
        "pw-worker -C ../task-2-b checkpoint x",
        "env pw-worker blocked a -C x",
        "git restore b/y && git push",
    ]);
}

#[test]
fn what_cannot_be_read_is_denied_soon() {
    let repeated = |open: &str, middle: &str, close: &str, times| {
        format!("{}{middle}{}", open.repeat(times), close.repeat(times))
    };
    let mut odd: Vec<String> = [
        "'",
        "\"",
        "$(",
        "`",
        "(",
        "{",
        "if",
        "a &&",
        "<<E",
        "a\0b",
        "case x in",
        "${",
        "$((",
        "[[",
    ]
    .map(str::to_owned)
    .to_vec();
    for (open, middle, close) in [
        ("(", "x", ")"),
        ("{ ", "x;", " }"),
        ("$(", "x", ")"),
        ("\"$(", "x", ")\""),
        ("if x; then ", "x;", " fi;"),
        ("f() { ", "x;", " }"),
        ("((", "1", "))"),
        ("$((", "1", "))"),
        ("${x:-", "y", "}"),
    ] {
        odd.push(repeated(open, middle, close, 2_000));
        odd.push(open.repeat(2_000));
    }
    odd.push("git status\n".repeat(20_000));
    odd.push("x".repeat(1 << 20));
    odd.push(repeated("sh -c '", "x", "'", 200));
    odd.push("for i in {1..9}; do ".repeat(14) + "x" + &"; done".repeat(14));
    odd.push("for i in 1 2 3 4 5 6 7 8 9; do ".repeat(9) + "x" + &"; done".repeat(9));
    for command in &odd {
        let shown: String = command.chars().take(40).collect();
        if !matches!(decide(command), Decision::Deny(_)) {
            assert!(
                ["git status", "sh -c ", "((((", "${x", "for i in {"]
                    .iter()
                    .any(|known| shown.starts_with(known)),
                "{shown}"
            );
        }
    }
    for harmless in ["", "   ", "\n", "#", "\u{fffc}", "🦀", "a\tb", "x".repeat(10_000).as_str()]
    {
        assert!(!matches!(decide(harmless), Decision::Deny(_)), "{harmless}");
    }
    // Numbers that the parser cannot hold, where it makes one of them.
    all_denied(&["echo x 99999999999>a/x", "cat ~99999999999999999999/x"]);
    none_denied(&["sleep 99999999999", "echo 99999999999 > a/x", "echo {1..9}"]);
    // Braces that expand to too many words stay as they are.
    none_denied(&[&format!("echo {}", "{a,b}".repeat(30))]);
    all_denied(&["f() { f; }; f; git push"]);
}

/// Numbers that look random, the same in every run.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    }
}

#[test]
fn whatever_a_command_was_made_of_it_gets_an_answer() {
    const ODD: &[&str] = &[
        "'",
        "\"",
        "`",
        "\\",
        "$(",
        "${",
        "$((",
        ")",
        "}",
        "))",
        "{",
        "(",
        "[",
        "]",
        "[[",
        "<<E\n",
        "\n",
        "|",
        "&",
        ";",
        ">",
        "<(",
        ">>",
        "*",
        "?",
        "~",
        "!",
        "#",
        "\0",
        "\u{fffc}",
        "\u{fffc}\u{fffb}",
        "🦀",
        "\u{202e}",
        "ﬀ",
        "İ",
        "$'\\x",
        "--",
        "-",
        "=",
        "/",
        "//",
        "..",
        ".",
        " ",
        "\t",
        "\r",
        "%s",
        "{}",
        "+",
        ",",
        "-C",
        "-i",
        "w ",
        "s/",
        "99999999999999999999",
        "-p9999999999",
        "-p-1",
        "/dev/stdin",
        "$1",
        "$@",
        "\u{301}",
    ];
    let tables = [
        include_str!("tests/changes.txt"),
        include_str!("tests/files.txt"),
        include_str!("tests/git.txt"),
        include_str!("tests/identity.txt"),
        include_str!("tests/wrapped.txt"),
        include_str!("tests/writers.txt"),
    ];
    let seeds: Vec<Vec<char>> =
        tables.iter().flat_map(|table| lines(table)).map(|row| row.chars().collect()).collect();
    let mut random = random();
    for _ in 0..1_200 {
        let mut made = seeds[random(seeds.len())].clone();
        for _ in 0..=random(4) {
            let (from, to) = (random(made.len() + 1), random(made.len() + 1));
            let (from, to) = (from.min(to), from.max(to));
            match random(6) {
                0 => made.truncate(to),
                1 => drop(made.drain(from..to)),
                2 => {
                    let other = &seeds[random(seeds.len())];
                    let part = other[random(other.len() + 1)..].to_vec();
                    drop(made.splice(from..to, part));
                }
                3 => {
                    let part = made[from..to].repeat(1 + random(30));
                    drop(made.splice(from..from, part));
                }
                _ => drop(made.splice(from..from, ODD[random(ODD.len())].chars())),
            }
        }
        // An answer, whichever: it neither panics nor goes on for ever.
        decide(&made.iter().collect::<String>());
    }
}

#[test]
fn commits_and_messages_are_refused_with_the_fix() {
    let plan = plan();
    let worker = &plan.workers[0];
    assert!(commit(&plan, worker, &["a/x".into(), "Cargo.lock".into()]).is_none());
    let said = commit(&plan, worker, &["a/x".into(), "b/y".into()]).unwrap();
    assert!(said.contains("owned by task-2"));
    assert!(message(&plan, worker, "[complete] x").unwrap().contains("[COMPLETE] x"));
    assert!(message(&plan, worker, "[NEEDS:task-1/x]").unwrap().contains("task-2"));
    assert!(message(&plan, worker, "[NEEDS:task-2/x] y").is_none());
    assert!(message(&plan, worker, "a plain subject").is_none());
}

#[test]
fn what_rewrites_a_folder_is_told_whose_it_is() {
    let plan = Plan::parse(
        "workflow: w\nworkers:\n  - {id: task-1, name: a, owns: [a/x, a/z]}\n  - {id: task-2, name: b, owns: [b]}\n",
    )
    .unwrap();
    for (command, told) in [
        ("ruff format a", "not all that is in a is yours"),
        ("black --line-length 100 a", "not all that is in a is yours"),
        ("rm -r a", "not all that is in a is yours"),
        ("ruff format b", "owned by task-2"),
        ("ruff check --fix --select I,F a/x", ""),
        ("ruff check --fix --select=I,F --exclude b a/x", ""),
        ("black -l 100 -t py310 a/x", ""),
        ("isort --profile black a/x", ""),
        ("prettier --write --parser babel a/x --config b/y", ""),
        ("prettier -l --write b/y", "owned by task-2"),
        ("ruff check --select I --fix .", "files of all workers"),
        ("eslint --fix --rule semi:2 b/y", "owned by task-2"),
    ] {
        let said = match shell(&plan, &plan.workers[0], command, &Drawn) {
            Decision::Deny(reason) => reason,
            _ => String::new(),
        };
        assert!(said.contains(told) && said.is_empty() == told.is_empty(), "{command}: {said}");
    }
}
