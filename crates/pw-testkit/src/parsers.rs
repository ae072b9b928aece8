//! What reads text that others write. Each takes any bytes and must neither panic nor take long, and what it
//! understood must be what it would write itself. `fuzz/` looks for inputs, `tests/it/corpora.rs` tries
//! those that are kept.

use std::collections::BTreeMap;

use pw_core::analyze::items::{Reading, Tracked};
use pw_core::guard::{self, Decision, Surroundings, Target};
use pw_core::path::RepoPath;
use pw_core::plan::Plan;
use pw_core::record::Event;
use pw_core::session::{Registered, Tail};
use pw_core::signal::{self, Subject};

/// Reads any bytes; panics when what it made of them is not what it reads again.
type Parser = fn(&[u8]);

/// Each parser by the name of its folder in `fuzz/corpus`.
pub const PARSERS: &[(&str, Parser)] = &[
    ("client", client),
    ("items", items),
    ("plan", plan),
    ("record", record),
    ("shell", shell),
    ("signal", signal),
];

/// The files of the client: its registry of sessions, and the end of a transcript.
pub fn client(bytes: &[u8]) {
    let _ = Registered::parse(bytes);
    let _ = Tail::parse(&String::from_utf8_lossy(bytes));
}

/// A Markdown document with work items.
pub fn items(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let tracked = Tracked::new(["src/a.rs", "src/b.rs", "docs/a.md"].map(RepoPath::from));
    let reading = Reading::of(&[("doc.md".to_owned(), text)]);
    let _ = reading.identifiers(&tracked);
    let (items, _) = reading.items(&tracked, &BTreeMap::new());
    let ids: Vec<&String> = items.iter().map(|item| &item.id).collect();
    for item in &items {
        assert!(item.after.iter().all(|id| ids.contains(&id)), "{item:?}");
        assert!(!item.after.contains(&item.id), "{item:?}");
    }
}

/// A plan, or everything that is wrong with it.
pub fn plan(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match Plan::parse(&text) {
        Ok(plan) => assert!(!plan.workers.is_empty(), "{text}"),
        Err(failure) => assert!(!failure.to_string().is_empty(), "{text}"),
    }
}

/// A line of the record.
pub fn record(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Some(event) = Event::parse(&text) {
        assert_eq!(Event::parse(&event.to_string()), Some(event), "{text}");
    }
}

/// A shell command that a session would run.
pub fn shell(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let plan = "workflow: w\nworkers:\n  - {id: a, name: x, owns: [a]}\n";
    let plan = Plan::parse(plan).unwrap();
    match guard::shell(&plan, &plan.workers[0], &text, &Around) {
        Decision::Silent => {}
        Decision::Allow(reason) | Decision::Deny(reason) => assert!(!reason.is_empty(), "{text}"),
    }
}

/// A commit message: a signal means the same in a subject and in a trailer.
pub fn signal(bytes: &[u8]) {
    let message = String::from_utf8_lossy(bytes);
    let Subject::Signal { signal, .. } = signal::read(&message) else { return };
    let trailer = format!("subject\n\n{}: {}\n", signal::KEY, signal.value());
    for again in [format!("{} text", signal.marker()), trailer] {
        match signal::read(&again) {
            Subject::Signal { signal: read, .. } => assert_eq!(read, signal, "{message:?}"),
            other => panic!("{message:?} says {signal:?}, and {again:?} {other:?}"),
        }
    }
}

/// A worktree in `/r/w` in which there is nothing.
struct Around;

impl Surroundings for Around {
    fn folder(&self) -> String {
        self.worktree()
    }

    fn worktree(&self) -> String {
        "/r/w".to_owned()
    }

    fn is_folder(&self, _: &str) -> bool {
        false
    }

    fn target(&self, path: &str) -> Target {
        match path.strip_prefix("/r/w/") {
            Some(inside) => Target::Inside(inside.into()),
            None if path.starts_with('/') => Target::Outside(path.to_owned()),
            None => Target::Inside(path.into()),
        }
    }

    fn exists(&self, _: &RepoPath) -> bool {
        false
    }

    fn is_ignored(&self, _: &RepoPath) -> bool {
        false
    }

    fn is_tracked(&self, _: &RepoPath) -> bool {
        false
    }

    fn names_commit(&self, _: &str) -> bool {
        false
    }

    fn alias(&self, verb: &str) -> Option<String> {
        (verb == "x").then(|| "x".to_owned())
    }

    fn variable(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/me".to_owned())
    }

    fn matching(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}
