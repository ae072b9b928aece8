//! Input that no user would write: whatever it is, a helper answers with one document and a code of
//! the closed set, and calls nothing a defect of its own. Made from seeds; `PW_ROWS=all` tries all.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::Stdio;

use pw_core::failure::Code;
use pw_testkit::dice::Dice;
use pw_testkit::plans::THREE;
use pw_testkit::repo::{Answer, TestRepo};
use pw_testkit::rows::rows;
use serde_json::{Value, json};

use crate::{created, repo};

/// What is put in somewhere, or in the place of something.
const PIECES: &[&[u8]] = &[
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b"\t",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"'",
    b"\"",
    b"\\",
    b"$(id)",
    b"`id`",
    b"../",
    b"/",
    b"//",
    b"~",
    b"-",
    b"--help",
    b"*",
    b"**",
    b"[",
    b"]",
    b"{",
    b"}",
    b"!",
    b"?",
    b":",
    b"#",
    b"&a",
    b"*a",
    b"<<: *a",
    b"!!binary ",
    b"!tag ",
    b"|",
    b">",
    b"%YAML 9.9",
    b"---",
    b"...",
    b"- ",
    b"null",
    b"true",
    b"1e999",
    b"-0",
    b"0x10",
    b"99999999999999999999",
    b"\xe2\x80\xae",
    b"\xcc\x81",
    b"\xf0\x9f\x92\xa9",
    b"\\ud800",
    b"\\u0000",
    b".git",
    b".git/config",
    b"task-1",
    b"workflow: x\n",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    b"{a: {a: {a: {a: {a: {a: {a: ",
    b"[COMPLETE]",
    b"[NEEDS:task-1/x]",
];

/// Returns `text` with one to six places changed.
fn spoiled(text: &[u8], seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995);
    let mut text = text.to_vec();
    for _ in 0..=dice.roll(6) {
        let at = dice.below(text.len() + 1);
        let end = (at + dice.below(12)).min(text.len());
        match dice.roll(8) {
            // Something long, and something often.
            0 => drop(text.splice(at..at, std::iter::repeat_n(b'a', dice.below(100_000)))),
            1 => {
                let part = text[at..end].to_vec();
                drop(text.splice(at..at, part.repeat(dice.below(400))));
            }
            2 => drop(text.splice(at..end, [])),
            3 => drop(text.drain(at..)),
            4 if at < text.len() => text[at] = u8::try_from(dice.roll(256)).unwrap(),
            _ => drop(text.splice(at..end, dice.of(PIECES).iter().copied())),
        }
    }
    text
}

/// Seeds of which every one is a case.
fn seeds(number: u64) -> Vec<u64> {
    (1..=number).collect()
}

/// Returns what is wrong with an answer, if anything.
fn wrong(answer: &Answer) -> Option<String> {
    let Ok(document) = serde_json::from_str::<Value>(&answer.stdout) else {
        return Some("no document".to_owned());
    };
    let code = &document["error"]["code"];
    let is_known = Code::ALL.iter().any(|known| json!(known) == *code);
    let is_defect = *code == "internal" || answer.stderr.contains("panicked");
    match (answer.code, document["ok"] == true) {
        (Some(0), true) if !is_defect => None,
        (Some(1..=4), false) if is_known && !is_defect => None,
        _ => Some(document.to_string()),
    }
}

/// Tries each case, and tells of all that went wrong at once.
fn tried(cases: &[u64], answer: impl Fn(u64) -> Vec<(String, Answer)>) {
    let mut faults = Vec::new();
    for seed in rows(cases) {
        for (what, answer) in answer(*seed) {
            if let Some(fault) = wrong(&answer) {
                let fault: String = fault.chars().take(600).collect();
                let stderr: String = answer.stderr.chars().take(600).collect();
                faults.push(format!("{seed} {what}: {:?} {fault} {stderr}", answer.code));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_plan_of_any_bytes_is_read_or_refused() {
    let repo = repo(THREE);
    let whole = format!(
        "{THREE}base: main\nverify: [{{name: a, run: 'true', timeout: 1m}}]\nsetup: 'true'\ncopy: [.env]\n\
         disposable: [target]\nunion: [CHANGES]\nworktrees: trees\nstall_after: 30m\nsignal: trailer\n\
         signal_subject: 'x: {{text}}'\nmerge_driver: mergiraf\nlaunch: 'sh {{script}}'\n"
    );
    let file = repo.beside("odd.yaml");
    tried(&seeds(400), |seed| {
        std::fs::write(&file, spoiled(whole.as_bytes(), seed)).unwrap();
        let check =
            repo.pw_in(&repo.root(), &["pw-setup", "check", file.to_str().unwrap(), "--no-trial"]);
        vec![("check".to_owned(), check)]
    });
    assert_eq!(repo.git(&["for-each-ref", "refs/pw", "refs/heads/work"]), "");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_hook_with_any_input_says_what_the_client_can_read() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users").path;
    let input = json!({
        "session_id": "s", "cwd": users, "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": "cd api && cat <<'E' > users.py\nx\nE\ngit add users.py"},
    });
    let input = input.to_string();
    for seed in rows(&seeds(300)) {
        let text = spoiled(input.as_bytes(), *seed);
        let event = ["pre-tool-use", "session-start", "stop"][usize::try_from(seed % 3).unwrap()];
        let mut hook = repo.helper(&users, &["pw-worker", "guard", event]);
        let hook = hook.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = hook.spawn().unwrap();
        // It may not read all of it.
        let _ = child.stdin.take().unwrap().write_all(&text);
        let answer: Answer = child.wait_with_output().unwrap().into();
        let is_read = answer.stdout.trim().is_empty()
            || serde_json::from_str::<Value>(&answer.stdout).is_ok()
            || event == "session-start";
        let is_well = matches!(answer.code, Some(0 | 2)) && is_read;
        assert!(is_well && !answer.stderr.contains("panicked"), "{seed} {event}: {answer:?}");
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn files_of_any_name_are_told_and_committed_or_refused() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    let names: Vec<Vec<u8>> = seeds(200).into_iter().map(file_name).collect();
    let made: Vec<&Vec<u8>> = rows(&names)
        .filter(|name| {
            let path = users.path.join("tests/users").join(OsStr::from_bytes(name));
            path.parent().is_some_and(|folder| std::fs::create_dir_all(folder).is_ok())
                && std::fs::write(&path, "x").is_ok()
        })
        .collect();
    assert!(made.len() > 10, "{}", made.len());
    let all = |words: &[&str], folder: &Path| wrong(&repo.pw_in(folder, words));
    assert_eq!(all(&["pw-monitor", "status", "--verbose"], &repo.root()), None);
    for name in made.iter().take(40) {
        let named = format!("tests/users/{}", String::from_utf8_lossy(name));
        let words = ["pw-worker", "checkpoint", "one", "--path", &named];
        // A NUL cannot be given to a program at all.
        if !named.contains('\0') {
            assert_eq!(all(&words, &users.path), None, "{named:?}");
        }
    }
    users.pw(&["checkpoint", "the rest"]);
    assert_eq!(users.git(&["status", "--porcelain"]), "");
    let human = repo.pw("pw-monitor status --format human").stdout;
    assert!(!human.contains(['\u{1b}', '\u{202e}', '\r']), "{human:?}");
    // Outside the scope a name is shown, on one line.
    users.write("evil\ntask-2 is ready\u{202e}", "x");
    let human = repo.pw("pw-monitor status --format human").stdout;
    assert!(human.contains("evil task-2 is ready\u{fffd}"), "{human:?}");
    let error = users.pw(&["complete", "all", "--format", "human"]);
    assert!(error.stderr.contains("`evil task-2 is ready"), "{error:?}");
    std::fs::remove_file(users.path.join("evil\ntask-2 is ready\u{202e}")).unwrap();
    users.pw(&["complete", "all"]).data();
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
    let whole = repo.git(&["rev-parse", "work/task-1-users^{tree}", "integration/rest-api^{tree}"]);
    let trees: Vec<&str> = whole.lines().collect();
    assert_eq!(trees[0], trees[1]);
}

#[test]
fn what_is_offered_for_a_file_of_any_name_does_it() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    let names: [&[u8]; 9] = [
        b"caf\xe9",
        b"\"quoted\"",
        b"-5%s 100%\\n\\351\xff",
        b"it's `id` $(id) \"!\xfe",
        b"end\n",
        b"end\xe9\n\n",
        b":(top)\xe9",
        b":!x",
        b"x && git y",
    ];
    let folder = users.path.to_str().unwrap();
    for name in names {
        let file = users.path.join(OsStr::from_bytes(name));
        std::fs::write(&file, "x").unwrap();
        users.git(&["add", "--all"]);
        let words = ["pw-worker", "-C", folder, "sync"];
        let error = repo.pw_in(&repo.root(), &words).error(3, "dirty_tree");
        repo.sh(&repo.root(), error["next"].as_str().unwrap());
        assert_eq!(users.git(&["diff", "--cached", "--name-only"]), "", "{error}");
        std::fs::remove_file(file).unwrap();
    }
}

/// A name that a file can have, nearly always.
fn file_name(seed: u64) -> Vec<u8> {
    let mut name = spoiled(b"name of a file.txt", seed);
    name.retain(|byte| *byte != 0);
    name.truncate(200);
    // Not out of the folder.
    let text: Vec<&[u8]> =
        name.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    let safe = text.into_iter().filter(|part| !matches!(*part, b"." | b".." | b".git"));
    let mut name = safe.collect::<Vec<_>>().join(&b'/');
    name.extend(format!(".{seed}").bytes());
    name
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_record_of_any_bytes_is_no_defect_of_ours() {
    let repo = created(THREE);
    let record = "refs/pw/rest-api/record";
    let good = repo.git(&["rev-parse", record]);
    let plan = repo.git(&["show", &format!("{record}:plan.yaml")]);
    let message = repo.git(&["log", "-1", "--format=%B", record]);
    tried(&seeds(150), |seed| {
        let [odd_plan, odd_message] = match seed % 2 {
            0 => [plan.clone().into_bytes(), spoiled(message.as_bytes(), seed)],
            _ => [spoiled(plan.as_bytes(), seed), message.clone().into_bytes()],
        };
        let parent = if seed % 7 == 0 { None } else { Some(good.as_str()) };
        let commit = record_of(&repo, &odd_plan, &odd_message, parent);
        repo.git(&["update-ref", record, &commit]);
        let words = [
            "pw-monitor status",
            "pw-setup list",
            "pw-integrate check",
            "pw-retro report",
            "pw-setup check plan.yaml",
        ];
        let answers = words.map(|words| (words.to_owned(), repo.pw(words)));
        repo.git(&["update-ref", record, &good]);
        answers.into()
    });
    repo.pw("pw-monitor status").data();
}

fn record_of(repo: &TestRepo, plan: &[u8], message: &[u8], parent: Option<&str>) -> String {
    let file = repo.beside("piece");
    let write = |kind: &str, bytes: &[u8]| {
        std::fs::write(&file, bytes).unwrap();
        let words = ["hash-object", "-w", "--literally", "-t", kind, file.to_str().unwrap()];
        repo.git(&words)
    };
    let blob = write("blob", plan);
    std::fs::write(&file, format!("100644 blob {blob}\tplan.yaml\n")).unwrap();
    repo.sh(&repo.root(), "git mktree < ../piece > ../tree");
    let tree = std::fs::read_to_string(repo.beside("tree")).unwrap();
    let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
    let who = "a <a@b> 1750000000 +0000";
    let head = format!("tree {}\n{parent}author {who}\ncommitter {who}\n\n", tree.trim());
    write("commit", &[head.as_bytes(), message].concat())
}

#[test]
fn words_of_any_bytes_are_usage_or_refused() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users").path;
    let lines: &[&[&str]] = &[
        &["pw-worker", "checkpoint", "{}"],
        &["pw-worker", "blocked", "{}"],
        &["pw-worker", "needs", "task-2", "{}"],
        &["pw-worker", "needs", "{}", "x"],
        &["pw-worker", "complete", "{}"],
        &["pw-worker", "sync", "{}"],
        &["pw-monitor", "status", "{}"],
        &["pw-setup", "check", "{}"],
        &["pw-setup", "explain", "{}"],
        &["pw-setup", "launch", "{}", "--with", "print"],
        &["pw-integrate", "restore", "rest-api", "--snapshot", "{}"],
        &["pw-integrate", "run", "--without", "{}"],
        &["pw-retro", "report", "{}"],
    ];
    tried(&seeds(200), |seed| {
        let mut word = spoiled(b"a word", seed);
        word.retain(|byte| *byte != 0);
        word.truncate(50_000);
        let line = lines[usize::try_from(seed).unwrap() % lines.len()];
        let mut command = repo.helper(&users, &line[..1]);
        for part in &line[1..] {
            match *part {
                "{}" => command.arg(OsStr::from_bytes(&word)),
                part => command.arg(part),
            };
        }
        let answer: Answer = command.output().unwrap().into();
        // Help is for people.
        let is_help = word.starts_with(b"-h") || word.starts_with(b"--h");
        if is_help { Vec::new() } else { vec![(line.join(" "), answer)] }
    });
}
