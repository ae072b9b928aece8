//! What a person is told of a command line: help with examples, what was probably meant, scripts
//! that complete it, and pages for `man`.

use clap::{Command, CommandFactory as _};
use pw_testkit::plans::TWO;
use pw_testkit::repo::{Answer, TestRepo};

use crate::repo;

fn helpers() -> [Command; 5] {
    [
        pw_cli::Setup::command(),
        pw_cli::Monitor::command(),
        pw_cli::Integrate::command(),
        pw_cli::WorkerCli::command(),
        pw_cli::RetroCli::command(),
    ]
}

/// Every command that a person may call, `pw-setup check`.
fn commands() -> Vec<(String, String)> {
    let verbs = |helper: Command| {
        let seen = helper.get_subcommands().filter(|verb| !verb.is_hide_set());
        let name = helper.get_name().to_owned();
        seen.map(|verb| (name.clone(), verb.get_name().to_owned())).collect::<Vec<_>>()
    };
    helpers().into_iter().flat_map(verbs).collect()
}

#[test]
fn every_command_has_examples_that_parse_and_says_its_exit_codes() {
    let repo = repo(TWO);
    for (helper, verb) in commands() {
        let shown = repo.pw(&format!("{helper} {verb} --help")).stdout;
        assert!(shown.contains("Exit codes: 0 done"), "{helper} {verb}: {shown}");
        let examples = shown.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{shown}"));
        let lines: Vec<&str> =
            examples.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
        assert!(!lines.is_empty(), "{helper} {verb}");
        for line in lines {
            assert!(line.starts_with(&format!("{helper} {verb}")), "{line}");
            // As a shell reads it: `printf` gives one word a line.
            let words = repo.shell(&format!("printf '%s\\n' {line}")).output().unwrap().stdout;
            let words = String::from_utf8(words).unwrap();
            let parser = helpers().into_iter().find(|known| known.get_name() == helper).unwrap();
            let parsed = parser.try_get_matches_from(words.lines());
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}

#[test]
fn who_has_no_plan_is_led_to_one_that_can_be_taken_over() {
    let repo = repo(TWO);
    for line in ["pw-monitor status", "pw-setup check none.yaml"] {
        let answer: serde_json::Value = serde_json::from_str(&repo.pw(line).stdout).unwrap();
        assert_eq!(answer["error"]["next"], "pw-setup check --help", "{line}: {answer:#}");
    }
    let shown = repo.pw("pw-setup check --help").stdout;
    let (_, plan) = shown.split_once("A plan:\n").unwrap();
    let lines: Vec<&str> = plan.lines().take_while(|line| !line.is_empty()).collect();
    repo.write("shown.yaml", &lines.join("\n"));
    assert_eq!(repo.pw("pw-setup check shown.yaml").data()["warnings"], serde_json::json!([]));
}

#[test]
fn what_is_missing_or_misspelt_is_named_with_what_was_meant() {
    let repo = repo(TWO);
    for (line, message, hint, next) in [
        ("pw-setup", "pw-setup needs a command: check, create", "help", "pw-setup --help"),
        (
            "pw-setup create",
            "pw-setup create needs <PLAN>",
            "pw-setup create",
            "pw-setup create --help",
        ),
        (
            "pw-setup creat plan.yaml",
            "'creat'",
            "did you mean create?",
            "pw-setup create plan.yaml",
        ),
        ("pw-setup creat", "'creat'", "did you mean create?", "pw-setup --help"),
        (
            "pw-setup lanch --with tmux",
            "'lanch'",
            "did you mean launch?",
            "pw-setup launch --with tmux",
        ),
        (
            "pw-monitor status --verbos",
            "'--verbos'",
            "did you mean --verbose?",
            "pw-monitor status --verbose",
        ),
        (
            "pw-integrate run rest-api --gate eech",
            "'eech'",
            "did you mean each?",
            "pw-integrate run rest-api --gate each",
        ),
        ("pw-integrate forgt --all", "'forgt'", "did you mean forget?", "pw-integrate --help"),
        (
            "pw-worker needs task-1",
            "pw-worker needs needs <ITEM>",
            "pw-worker needs",
            "pw-worker needs --help",
        ),
        ("pw-setup launch --with tmx", "use print, tmux", "help", "pw-setup launch --help"),
        (
            "pw-integrate forget",
            "needs <--snapshot <NAME>|--all>",
            "pw-integrate forget",
            "pw-integrate forget --help",
        ),
        ("pw-retro forget", "pw-retro forget needs", "pw-retro forget", "pw-retro forget --help"),
        ("pw-setup man nothing", "no command \"nothing\"", "check, create", "pw-setup --help"),
    ] {
        let error = repo.pw(line).error(2, "usage");
        let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        assert!(text("message").contains(message), "{line}: {error:#}");
        assert!(text("hint").contains(hint), "{line}: {error:#}");
        assert_eq!(text("next"), next, "{line}: {error:#}");
    }
}

#[test]
fn who_types_a_name_alone_at_a_terminal_sees_what_there_is() {
    let repo = repo(TWO);
    for helper in helpers() {
        let answer = repo.pw(&format!("{} --format human", helper.get_name()));
        assert_eq!(answer.code, Some(2), "{answer:?}");
        assert!(answer.stdout.contains("Commands:") && answer.stderr.is_empty(), "{answer:?}");
    }
}

/// Feeds a script to a program, where the machine has it.
fn checked(repo: &TestRepo, script: &str, name: &str, line: &str) {
    let file = repo.beside(name);
    std::fs::write(&file, script).unwrap();
    let program = line.split(' ').next().unwrap();
    if repo.shell(&format!("command -v {program}")).output().unwrap().status.success() {
        let output = repo.shell(&format!("{line} {}", file.display())).output().unwrap();
        let answer = Answer::from(output);
        assert_eq!((answer.code, answer.stderr.as_str()), (Some(0), ""), "{name}");
    }
}

#[test]
fn shells_complete_every_command() {
    let repo = repo(TWO);
    for (shell, line) in [
        ("bash", "bash -n"),
        ("zsh", "zsh -n"),
        ("fish", "fish --no-execute"),
        ("powershell", "pwsh -NoProfile -File"),
    ] {
        for helper in helpers() {
            let name = helper.get_name();
            let script = repo.pw(&format!("{name} completions {shell}"));
            assert_eq!(script.code, Some(0), "{script:?}");
            for (_, verb) in commands().iter().filter(|(of, _)| of == name) {
                assert!(script.stdout.contains(verb.as_str()), "{shell}: {name} {verb}");
            }
            checked(&repo, &script.stdout, &format!("{name}.{shell}"), line);
        }
    }
    // What bash makes of it when a person presses tab.
    let pressed = "source <(pw-setup completions bash); COMP_WORDS=(pw-setup la); COMP_CWORD=1; \
                   _pw__setup pw-setup la pw-setup; echo \"${COMPREPLY[@]}\"";
    let output = repo.shell(&format!("bash -c '{pressed}'")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "launch\n");
}

#[test]
fn there_is_a_page_for_man_of_every_command() {
    let repo = repo(TWO);
    for (helper, verb) in commands() {
        let page = repo.pw(&format!("{helper} man {verb}")).stdout;
        assert!(page.contains(&format!(".TH {helper}-{verb} ")), "{page}");
        assert!(page.contains("Exit codes") && page.contains("Examples"), "{page}");
    }
    let page = repo.pw("pw-setup man").stdout;
    checked(&repo, &page, "pw-setup.1", "man --warnings -l");
}

#[test]
fn what_a_hint_calls_a_field_is_shown_to_people_above_it() {
    let repo = repo("workflow: x\nworkers: []\n");
    let shown = repo.pw("pw-setup check plan.yaml --format human").stderr;
    assert!(shown.contains("hint: correct every entry above"), "{shown}");
    let told = |text: &str| {
        let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_' && c != '.');
        words.filter(|word| word.starts_with("details.")).map(str::to_owned).collect::<Vec<_>>()
    };
    let view = include_str!("../../src/view/failure.rs");
    for (module, text) in
        ["pw-core", "pw-git", "pw-cli"].into_iter().flat_map(crate::house::modules)
    {
        // The page of recovery is for agents.
        let is_hint = |line: &&str| line.contains(".hint(") || line.trim_start().starts_with('"');
        let text = crate::house::code(&text);
        let hints = text.lines().filter(|_| module != ["remedy"]).filter(is_hint);
        for field in hints.flat_map(told) {
            assert!(view.contains(&format!("{field}\"")), "{module:?}: {field}");
        }
    }
}
