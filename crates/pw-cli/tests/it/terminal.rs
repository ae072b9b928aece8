//! Answers at a real terminal of any width: no name is broken, nothing is coloured that cannot be
//! seen, and what takes long says so.

use std::io::Read as _;

use pty_process::Size;
use pty_process::blocking::Command;
use pw_testkit::plans::THREE;
use pw_testkit::repo::{TestRepo, write_program};

use crate::repo;

/// Runs a helper at a terminal, its stdout there or elsewhere; returns what was shown.
pub(crate) fn shown(
    repo: &TestRepo,
    width: u16,
    environment: &[(&str, &str)],
    line: &str,
) -> String {
    at_terminal(&repo.helper(&repo.root(), &["pw-setup"]), width, environment, line)
}

/// Runs a line of the shell at a terminal, where and with what the model would run.
pub(crate) fn at_terminal(
    model: &std::process::Command,
    width: u16,
    environment: &[(&str, &str)],
    line: &str,
) -> String {
    let (mut pty, pts) = pty_process::blocking::open().unwrap();
    pty.resize(Size::new(24, width)).unwrap();
    let envs = model.get_envs().filter_map(|(name, value)| Some((name, value?)));
    let command = Command::new("sh")
        .args(["-c", line])
        .env_clear()
        .envs(envs)
        .env("TERM", "xterm-256color")
        .envs(environment.iter().copied())
        .current_dir(model.get_current_dir().unwrap());
    let mut child = command.spawn(pts).unwrap();
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while let Ok(count @ 1..) = pty.read(&mut bytes) {
        text += &String::from_utf8_lossy(&bytes[..count]);
    }
    child.wait().unwrap();
    text.replace("\r\n", "\n")
}

fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\u{1b}') {
        out += before;
        rest = escape.split_once('m').map_or("", |(_, after)| after);
    }
    out + rest
}

/// Workers with long names, one of whom asks something.
fn story() -> TestRepo {
    let repo = repo(&THREE.replace("name: users", "name: users-and-authentication"));
    repo.pw("pw-setup create plan.yaml").data();
    repo.worker("task-2-posts").pw(&["blocked", "which database should posts use?"]).data();
    repo
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn no_width_breaks_a_word_of_a_table() {
    let repo = story();
    for width in [0, 1, 20, 40, 60, 80, 200] {
        for (line, words) in [
            ("pw-monitor status", &["task-1-users-and-authentication", "blocked", "database"][..]),
            ("pw-setup check plan.yaml", &["task-1-users-and-authentication", "tests/users/**"]),
            ("pw-setup list", &["rest-api", "workers", "integrated"]),
            ("pw-integrate check", &["blocked", "reasons"]),
            ("pw-retro report", &["task-1-users-and-authentication", "starting"]),
        ] {
            let shown = plain(&shown(&repo, width, &[], line));
            for word in words {
                let mut parts = shown.split(|c: char| c.is_whitespace() || c == ':');
                assert!(parts.any(|part| part == *word), "{width} {line}: {word}\n{shown}");
            }
        }
    }
    // At the usual width a row is a row, and what is empty is left out.
    let status = plain(&shown(&repo, 80, &[], "pw-monitor status"));
    let table: Vec<&str> = status.lines().skip(2).take_while(|line| !line.is_empty()).collect();
    assert!(
        table.iter().all(|line| line.chars().count() <= 80 || line.starts_with("  ")),
        "{status}"
    );
    assert!(!table[0].contains("outside") && !table[0].contains("open"), "{status}");
}

/// A terminal would break a longer line wherever it ends; a command stays whole, to be copied.
#[test]
fn a_sentence_is_folded_between_words_and_a_command_is_not() {
    let repo = story();
    repo.git(&["config", "gc.pruneExpire", "now"]);
    let doctor = "pw-setup doctor --no-trial --verbose";
    for line in ["pw-retro report", doctor, "pw-integrate run", "pw-integrate check nothing"] {
        let shown = plain(&shown(&repo, 60, &[], line));
        let is_command = |line: &str| {
            let starts = ["  pw-", "  git ", "  npm ", "next: ", "    Bash("];
            starts.iter().any(|start| line.starts_with(start)) || !line.trim().contains(' ')
        };
        let next = shown.split("\nNext\n").next().unwrap();
        let mut prose = next.lines().filter(|line| !is_command(line));
        assert!(prose.all(|line| line.chars().count() <= 60), "{line}\n{shown}");
    }
    // All of it was asked for.
    let healthy = |line: &str| shown(&repo, 60, &[], line).contains("\nok, ");
    assert!(healthy(doctor) && !healthy("pw-setup doctor --no-trial"));
}

#[test]
fn colours_are_those_of_the_terminal_and_none_where_there_should_be_none() {
    let repo = story();
    let coloured = shown(&repo, 80, &[], "pw-monitor status");
    assert!(coloured.contains("\u{1b}[38;5;1m blocked"), "{coloured:?}");
    // Bright colours vanish on a white background.
    assert!((8..16).all(|bright| !coloured.contains(&format!("38;5;{bright}m"))), "{coloured:?}");
    for environment in [("TERM", "dumb"), ("NO_COLOR", "1")] {
        for line in ["pw-monitor status", "pw-setup check plan.yaml", "pw-setup --help", "pw-setup"]
        {
            let shown = shown(&repo, 80, &[environment], line);
            assert!(
                !shown.contains('\u{1b}') && !shown.is_empty(),
                "{environment:?} {line}: {shown:?}"
            );
        }
    }
}

#[test]
fn who_keeps_the_answer_in_a_file_sees_what_is_being_done() {
    let repo = repo(&format!("{THREE}verify: test ! -e api/users.py\n"));
    let made = shown(&repo, 80, &[], "pw-setup create plan.yaml > answer.json");
    assert!(made.contains("creating task-1-users"), "{made:?}");
    assert!(repo.read("answer.json").starts_with("{\"schema\":\"pw-setup.create/1\""));
    // A gate that is asked again says why.
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    let line = "pw-integrate run --without task-2 --without task-3 > answer.json";
    let tested = shown(&repo, 80, &[], line);
    let (first, again) = tested.split_once(", once more, to be certain\n").expect(&tested);
    assert!(first.contains("gate verify on ") && !again.contains("once more"), "{tested}");
}

#[test]
fn a_live_view_is_not_drawn_on_a_terminal_without_a_size() {
    let repo = story();
    let shown = shown(&repo, 0, &[], "pw-monitor watch");
    assert!(shown.contains("stty rows 24 cols 80") && shown.contains("pw-monitor wait"), "{shown}");
}

#[test]
fn the_wrapper_tells_a_person_in_words_why_there_are_no_helpers() {
    let repo = story();
    let wrapper = crate::markdown::root().join("bin/pw-setup");
    let bare = [("PATH", "/usr/bin:/bin"), ("CARGO_HOME", "/nowhere"), ("HOME", "/nowhere")];
    let shown = shown(&repo, 80, &bare, wrapper.to_str().unwrap());
    assert!(shown.contains("rustup.rs") && !shown.contains("\"schema\""), "{shown}");
}

/// What asks at the terminal gets no answer there, and waits for its time to be over: `setup` has
/// none.
#[test]
fn a_command_of_the_plan_that_asks_at_the_terminal_is_ended_and_named() {
    let asks = "read -r answer < /dev/tty";
    let gates = format!("verify: [{{name: asks, run: \"{asks}\", timeout: 5s}}]\n");
    let repo = repo(&format!("{THREE}{gates}"));
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    let worker = repo.worker("task-1-users");
    worker.write("api/users.py", "1").pw(&["checkpoint", "one"]).data();
    worker.pw(&["complete", "all"]).data();
    for line in [
        "pw-integrate run --without task-2 --without task-3",
        "pw-worker -C worktrees/task-1-users run",
        "pw-worker -C worktrees/task-1-users complete --run again",
    ] {
        let said = shown(&repo, 80, &[], &format!("{line} --format json"));
        assert!(said.contains("ended: it asks at the terminal"), "{line}: {said}");
    }
    let setup = format!("setup: \"echo Password; {asks}\"\n");
    let repo = crate::repo(&format!("{THREE}{setup}"));
    let said = shown(&repo, 80, &[], "pw-setup create plan.yaml --no-trial --format json");
    assert!(said.contains("setup_failed") && said.contains("asks at the terminal"), "{said}");
}

#[test]
fn a_hook_that_asks_at_the_terminal_is_ended_and_named() {
    let repo = repo(THREE);
    let hook = repo.root().join(".git/hooks/pre-commit");
    write_program(&hook, "#!/bin/sh\necho 'Sure?' >&2\nread -r answer < /dev/tty\n");
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    repo.worker("task-1-users").write("api/users.py", "1");
    let line = "pw-worker -C worktrees/task-1-users checkpoint one --format json; echo \"exit $?\"";
    let said = shown(&repo, 80, &[], line);
    assert!(
        said.contains("the hook pre-commit refused the commit") && said.contains("exit 1\n"),
        "{said}"
    );
    assert!(said.contains("asks at the terminal") && said.contains("Sure?"), "{said}");
    // What is to be run next runs from here, too.
    assert!(said.contains("pw-worker -C worktrees/task-1-users blocked"), "{said}");
}
