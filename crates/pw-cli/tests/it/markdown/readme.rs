//! The README's tour, run as a reader would run it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pw_core::permissions::orchestrator::{READERS, WRITERS};
use tempfile::TempDir;

use super::page::Page;

#[test]
fn the_tour_runs() {
    let page = Page::read("README.md");
    let [(_, plan)] = &page.fences("yaml")[..] else { panic!("one plan in the README") };
    let home = TempDir::new().unwrap();
    let repo = home.path().join("shop");
    fs::create_dir(&repo).unwrap();
    fs::write(home.path().join(".gitconfig"), "[user]\nname = Ada\nemail = ada@example.com\n")
        .unwrap();
    fs::write(repo.join("plan.yaml"), plan).unwrap();
    sh(home.path(), "git init -q -b main && git commit -q --allow-empty -m start");
    let mut ran = 0;
    for (line, text) in page.fences("console") {
        for (number, command) in (line..).zip(text.lines()) {
            let Some(command) = command.strip_prefix("$ ") else { continue };
            let output = sh(home.path(), command);
            assert!(output.status.success(), "README.md:{number}: {command}\n{output:#?}");
            ran += 1;
        }
    }
    assert!(ran > 0, "no tour in the README");
    let status = sh(home.path(), "git status --porcelain");
    assert_eq!(String::from_utf8(status.stdout).unwrap(), "?? plan.yaml\n");
}

#[test]
fn what_it_says_to_allow_are_the_commands_that_only_read() {
    let page = Page::read("README.md");
    let [(_, settings)] = &page.fences("json")[..] else { panic!("one list of permissions") };
    let settings: serde_json::Value = serde_json::from_str(settings).unwrap();
    let rules: Vec<String> = READERS.iter().map(|command| format!("Bash({command})")).collect();
    assert_eq!(settings["permissions"]["allow"], serde_json::json!(rules));
    for command in READERS.iter().chain(WRITERS) {
        let words: Vec<&str> = command.trim_end_matches(" *").split(' ').collect();
        let helper = super::helper(words[0]).unwrap();
        assert!(
            words.get(1).is_none_or(|verb| helper.find_subcommand(verb).is_some()),
            "{command}"
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "a test: runs the tour's commands")]
fn sh(home: &Path, command: &str) -> Output {
    let bin = Path::new(env!("CARGO_BIN_EXE_pw-setup")).parent().unwrap();
    let path = std::env::join_paths(
        std::iter::once(bin.to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).current_dir(home.join("shop")).env_clear();
    shell.env("PATH", path.unwrap()).env("HOME", home).output().unwrap()
}
