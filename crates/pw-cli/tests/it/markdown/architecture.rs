//! docs/architecture.md, held to the code: the files it names, the grammar of the record, the refs.

use std::collections::BTreeSet;
use std::fs;

use pw_core::id::{Slug, WorkerId};
use pw_core::record::{Event, Refs};
use pw_core::retro::past::HISTORY;
use pw_core::snapshot::SnapshotId;

use super::page::{Page, root};

const PAGE: &str = "docs/architecture.md";

#[test]
fn every_file_that_is_named_is_there() {
    let page = Page::read(PAGE);
    let code = page.code();
    let files = code.iter().filter(|(_, text)| text.starts_with("crates/"));
    let missing: Vec<_> = files.clone().filter(|(_, text)| !root().join(text).is_file()).collect();
    assert!(files.count() > 20, "the walks name files");
    assert_eq!(missing, <Vec<&(usize, &str)>>::new());
    // One named without its crate would be looked for by no test.
    let loose = |text: &str| text.ends_with(".rs") && !text.starts_with("crates/");
    assert!(!code.iter().any(|(_, text)| loose(text)), "a file without its folder");
}

#[test]
fn walks_are_short_and_enter_no_file_twice() {
    let page = Page::read(PAGE);
    for (title, limit) in [("A stopped merge", 7), ("The picture", 8)] {
        let walk = page.text.split(&format!("\n## {title}\n")).nth(1).unwrap();
        let walk = walk.split("\n## ").next().unwrap();
        let steps = walk.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        let files: Vec<&str> = steps.map(|step| step.split('`').nth(1).unwrap()).collect();
        assert_eq!(files.iter().collect::<BTreeSet<_>>().len(), files.len(), "{files:?}");
        assert!((1..=limit).contains(&files.len()), "{files:?}");
    }
}

#[test]
fn the_grammar_is_that_of_the_record() {
    let page = Page::read(PAGE);
    let [(_, grammar)] = &page.fences("events")[..] else { panic!("one grammar in {PAGE}") };
    for line in grammar.lines() {
        for subject in [line.split(" [").next().unwrap().to_owned(), line.replace(['[', ']'], "")] {
            let subject = sample(&subject);
            let read = Event::parse(&subject).unwrap_or_else(|| panic!("{line}: {subject}"));
            assert_eq!(read.to_string(), subject);
        }
    }
    let words = grammar.lines().map(|line| line.split(' ').next().unwrap());
    let source = fs::read_to_string(root().join("crates/pw-core/src/record/event.rs")).unwrap();
    let arms = source.lines().filter_map(|line| line.trim().strip_prefix("[\"")?.split('"').next());
    assert_eq!(words.collect::<BTreeSet<_>>(), arms.collect());
}

/// Puts a value in each place of a line.
fn sample(line: &str) -> String {
    let id = "a".repeat(40);
    let values = [
        ("<commit>", id.as_str()),
        ("<tree>", &id),
        ("<terms>", &id),
        ("<worker>", "task-1"),
        ("<branch>", "main"),
        ("<number>", "20000"),
        ("<how>", "tmux"),
        ("<session>", "shop"),
        ("<proof>", "passed"),
        ("<end>", "exit=1"),
        ("<gate>", "verify"),
        ("<choice>", "without=task-3"),
    ];
    values.iter().fold(line.to_owned(), |line, (place, value)| line.replace(place, value))
}

#[test]
fn every_ref_is_named() {
    let page = Page::read(PAGE);
    let code: Vec<&str> = page.code().into_iter().map(|(_, text)| text).collect();
    let (workflow, worker): (Slug, WorkerId) = ("shop".parse().unwrap(), "task-1".parse().unwrap());
    let (refs, id) = (Refs(&workflow), SnapshotId { of: worker.clone(), number: 7 });
    let names = [
        refs.record(),
        refs.merged(&worker),
        refs.candidate(),
        refs.memory(),
        refs.integrated(),
        refs.snapshot(&id),
        refs.integration(),
        HISTORY.to_owned(),
    ];
    for name in names {
        let written = name.replace("shop", "<workflow>").replace("task-1/7", "<worker>/<number>");
        let written = written.replace("task-1", "<worker>");
        assert!(code.contains(&written.as_str()), "{written}");
    }
}
