#![expect(clippy::print_stdout, reason = "a test that measures prints what it found")]

use super::*;
use crate::analyze::backtest::Past;
use crate::analyze::log::{Entry, Log, Touch, TouchKind};
use crate::analyze::probable::Subjects;
use crate::plan::Size::{L, M, S, Xl};

/// What a person reads in one item: words of its beginning, files, ids of items before it.
struct Wanted(&'static str, &'static [&'static str], &'static [usize], Option<Size>);

const TRACKED: &[&str] = &[
    "api/auth.py",
    "api/health.py",
    "api/limits.py",
    "api/notes.py",
    "api/sessions.py",
    "deploy/compose.yaml",
    "docs/api.md",
    "export/archive.py",
    "export/markdown.py",
    "importers/evernote.py",
    "notes/models.py",
    "search/index.py",
    "search/rank.py",
    "templates/mail.html",
    "tests/test_limits.py",
    "tests/test_upload.py",
    "web/src/Editor.tsx",
    "web/src/Results.tsx",
    "web/src/Settings.tsx",
    "web/src/dates.ts",
    "web/src/utils.ts",
    "web/src/editor/utils.ts",
    "web/vite.config.ts",
];

/// The answer by hand to `mixed.md`.
const BY_HAND: &[Wanted] = &[
    Wanted("AUTH-1", &["api/auth.py", "templates/reset.html"], &[], Some(M)),
    Wanted("AUTH-2", &["api/auth.py"], &[1], Some(S)),
    Wanted("AUTH-3", &["api/sessions.py", "web/src/Settings.tsx"], &[2], None),
    Wanted("Show the last login", &[], &[], None),
    Wanted("Rebuild the index", &["search/index.py"], &[], Some(L)),
    Wanted("Rank exact", &["search/rank.py"], &[5], Some(S)),
    Wanted("Highlight", &["web/src/Results.tsx"], &[], None),
    Wanted("Measure", &[], &[5, 6], None),
    Wanted("PDF export", &["export/pdf.py"], &[], Some(Xl)),
    Wanted("Export of a whole", &["export/archive.py"], &[], None),
    Wanted("Attachments", &["export/archive.py", "export/markdown.py"], &[], None),
    Wanted("Decide whether", &[], &[], None),
    Wanted("Task 7", &["importers"], &[], Some(Xl)),
    Wanted("P0: Return", &["api/limits.py"], &[], None),
    Wanted("P1: Document", &["docs/api.md"], &[14], None),
    Wanted("P2: Deprecate", &[], &[], None),
    Wanted("P3: Write", &["docs/openapi.yaml"], &[], Some(L)),
    Wanted("Split the bundle", &["web/vite.config.ts"], &[], None),
    Wanted("Load the editor", &["web/src/Editor.tsx"], &[], None),
    Wanted("Replace `moment`", &["web/src/dates.ts"], &[], Some(M)),
    Wanted("Dark mode", &[], &[], None),
    Wanted("Fix the flicker", &[], &[], None),
    Wanted("Fix the flaky", &["tests/test_upload.py"], &[], None),
    Wanted("Add a health check", &["api/health.py"], &[], None),
    Wanted("Backups run", &[], &[24], None),
    Wanted("Update `deploy", &["deploy/compose.yaml"], &[], None),
    Wanted("Rename `notes.models`", &["notes/models.py"], &[], None),
    Wanted("Remove `LegacyNote`", &["notes/models.py"], &[27], None),
    Wanted(
        "Translate",
        &[],
        &[
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24,
            25, 26, 27, 28,
        ],
        None,
    ),
];

fn tracked() -> Tracked {
    Tracked::new(TRACKED.iter().map(|path| RepoPath::from(*path)))
}

fn definitions() -> BTreeMap<String, Vec<RepoPath>> {
    let files = |paths: &[&str]| paths.iter().map(|path| RepoPath::from(*path)).collect();
    BTreeMap::from([
        ("check_password".to_owned(), files(&["api/auth.py"])),
        ("rank_results".to_owned(), files(&["search/rank.py"])),
        ("RateLimiter".to_owned(), files(&["api/limits.py", "tests/test_limits.py"])),
        ("LegacyNote".to_owned(), files(&["notes/models.py"])),
    ])
}

fn read(text: &str) -> (Vec<WorkItem>, Vec<String>) {
    let reading = Reading::of(&[("todo.md".to_owned(), text.to_owned())]);
    reading.items(&tracked(), &definitions())
}

/// Counts what was found and is right, what was found, and what is to be found.
#[derive(Default)]
struct Measure {
    right: usize,
    found: usize,
    wanted: usize,
}

impl Measure {
    fn add<T: PartialEq>(&mut self, found: &[T], wanted: &[T]) {
        self.right += found.iter().filter(|one| wanted.contains(one)).count();
        self.found += found.len();
        self.wanted += wanted.len();
    }

    fn told(&self, name: &str) -> (f64, f64) {
        let share = crate::analyze::log::share;
        let (precision, recall) = (share(self.right, self.found), share(self.right, self.wanted));
        let counts = format!("{} of {} found, {} wanted", self.right, self.found, self.wanted);
        println!("{name}: precision {precision:.2}, recall {recall:.2} ({counts})");
        (precision, recall)
    }
}

/// The hand-made answer has 29 items and one that is done; precision and recall are printed by
/// `cargo test mixed -- --nocapture`.
#[test]
fn a_document_of_thirty_mixed_items_is_read_as_by_hand() {
    let (items, notes) = read(include_str!("tests/mixed.md"));
    let of = |wanted: &Wanted| items.iter().find(|item| item.action.starts_with(wanted.0));
    let found: Vec<&str> = items.iter().map(|item| item.action.as_str()).collect();
    let pairs: Vec<(&Wanted, Option<&WorkItem>)> = BY_HAND.iter().map(|w| (w, of(w))).collect();
    let (mut all, mut files, mut after, mut sizes) =
        (Measure::default(), Measure::default(), Measure::default(), Measure::default());
    all.found = items.len();
    for (at, (wanted, item)) in pairs.iter().enumerate() {
        all.wanted += 1;
        all.right += usize::from(item.is_some());
        let paths = |item: &WorkItem| item.files.iter().map(|file| file.path.to_string()).collect();
        let told: Vec<String> = item.map(paths).unwrap_or_default();
        let wished: Vec<String> = wanted.1.iter().map(|path| (*path).to_owned()).collect();
        files.add(&told, &wished);
        let told = item.map(|item| item.after.clone()).unwrap_or_default();
        let wished: Vec<String> = wanted.2.iter().map(|place| format!("item-{place}")).collect();
        after.add(&told, &wished);
        let size = item.and_then(|item| item.size);
        sizes.add(&size.into_iter().collect::<Vec<_>>(), &wanted.3.into_iter().collect::<Vec<_>>());
        if told != wished {
            println!("{}: {told:?}, by hand {wished:?}", at + 1);
        }
    }
    let told = [all.told("items"), files.told("files"), after.told("after"), sizes.told("sizes")];
    assert!(told.iter().all(|(p, r)| *p >= 0.95 && *r >= 0.95), "{told:?}\n{found:#?}");

    let unclear = |start: &str| {
        let item = items.iter().find(|item| item.action.starts_with(start)).unwrap();
        item.needs_clarification.join("; ")
    };
    assert!(unclear("Fix the flicker").contains("web/src/editor/utils.ts, web/src/utils.ts"));
    assert!(
        unclear("Update").contains("“the upgrade of the client library”"),
        "{}",
        unclear("Update")
    );
    assert!(unclear("Dark mode").contains("names no file"));
    assert!(unclear("Decide").contains("leave it open"));
    assert!(unclear("Task 7").contains("XL"));
    assert_eq!(unclear("AUTH-1"), "");
    assert_eq!(items[0].priority, Some(Priority::High), "from the heading");
    assert_eq!(items[0].line, 17);
    assert_eq!(items[13].priority, Some(Priority::High));
    let notes = notes.join("; ");
    assert!(
        notes.contains("1 table of todo.md not read") && notes.contains("1 item done already"),
        "{notes}"
    );
    assert!(notes.contains("Background, Non-goals"), "{notes}");
}

/// What was done in such a service before, and in which of its files.
const BEFORE: &[(&str, &[&str])] = &[
    ("auth: check passwords in constant time", &["api/auth.py"]),
    ("Send the mail for a new account", &["api/auth.py", "templates/mail.html"]),
    ("auth: lock after many wrong passwords, undone", &["api/auth.py"]),
    ("sessions: end a login after a day", &["api/sessions.py", "web/src/Settings.tsx"]),
    ("Settings page for accounts", &["web/src/Settings.tsx"]),
    ("search: index new notes", &["search/index.py"]),
    ("search: rebuild the index on start", &["search/index.py"]),
    ("search: rank titles first", &["search/rank.py"]),
    ("Show results with the words around them", &["web/src/Results.tsx"]),
    ("export: archive a folder", &["export/archive.py"]),
    ("export: Markdown of attachments", &["export/markdown.py", "export/archive.py"]),
    ("importers: read notes of Evernote", &["importers/evernote.py"]),
    ("api: rate limits for each user", &["api/limits.py", "tests/test_limits.py"]),
    ("limits: return the time to wait", &["api/limits.py"]),
    ("docs: describe endpoints", &["docs/api.md"]),
    ("web: editor keeps the cursor", &["web/src/Editor.tsx", "web/src/editor/utils.ts"]),
    ("web: smaller bundle", &["web/vite.config.ts"]),
    ("web: dates in the user's language", &["web/src/dates.ts"]),
    ("Fix upload test", &["tests/test_upload.py"]),
    ("health: answer while the database starts", &["api/health.py"]),
    ("deploy: compose with Postgres 15", &["deploy/compose.yaml"]),
    ("models: notes have tags", &["notes/models.py", "api/notes.py"]),
    ("models: remove unused columns", &["notes/models.py"]),
];

/// The same document with no file named: its words and what was done before find the files.
#[test]
fn the_files_of_mixed_items_are_found_by_their_words() {
    let paths: Vec<RepoPath> = TRACKED.iter().map(|path| RepoPath::from(*path)).collect();
    let id =
        |path: &&str| u32::try_from(TRACKED.iter().position(|of| of == path).unwrap()).unwrap();
    let entry = |(subject, files): &(&str, &[&str])| Entry {
        files: files.len(),
        touches: files.iter().map(|f| Touch { path: id(f), how: TouchKind::Edited }).collect(),
        subject: (*subject).to_owned(),
        ..Entry::default()
    };
    let log = Log { paths, entries: BEFORE.iter().map(entry).collect(), ..Log::default() };
    let past = Past::new(log.changes(), |path| Kind::of(path).is_shared());
    let known = log.today(BEFORE.len());
    let subjects = Subjects::new(&past, &known);

    let (mut files, mut first, mut unknown) = (Measure::default(), Measure::default(), 0);
    for item in read(include_str!("tests/mixed.md")).0 {
        let plain: String = item.action.split('`').step_by(2).collect();
        let told: Vec<String> =
            subjects.probable(&plain).iter().map(|file| file.path.to_string()).collect();
        let by_hand = BY_HAND.iter().find(|wanted| item.action.starts_with(wanted.0)).unwrap();
        let wished: Vec<String> = by_hand.1.iter().map(|path| (*path).to_owned()).collect();
        let wished: Vec<String> =
            wished.into_iter().filter(|path| TRACKED.contains(&path.as_str())).collect();
        if wished.is_empty() {
            unknown += usize::from(told.is_empty());
            continue;
        }
        println!("{}: {told:?}, by hand {wished:?}", item.action);
        first.add(&told[..told.len().min(1)], &wished);
        files.add(&told, &wished);
    }
    println!("{unknown} items of no file are known to be of none");
    let (told, first) = (files.told("told"), first.told("first"));
    assert!(told.0 >= 0.5 && told.1 >= 0.7 && first.0 >= 0.75, "{told:?} {first:?}");
    assert_eq!(subjects.probable("Dark mode"), []);
}

#[test]
fn forms_of_documents() {
    let actions =
        |text: &str| -> Vec<String> { read(text).0.into_iter().map(|item| item.action).collect() };
    for (text, wanted) in [
        ("", vec![]),
        ("\u{feff}- one\n- two", vec!["one", "two"]),
        ("Add a.\n\nThe b is old.\n\nFix c.", vec!["Add a.", "Fix c."]),
        // No form at all: every paragraph may be work.
        ("a is slow\n\nb is old", vec!["a is slow", "b is old"]),
        ("1. [ ] one\n2. [x] two\n", vec!["one"]),
        ("- ~~dropped~~\n- kept", vec!["kept"]),
        ("## Add a\n\nBecause.\n\n## Why\n\nIt is.", vec!["Add a"]),
        (
            "## Task 1: a\n\n### Steps\n\n- [ ] x\n\n## Task 2: b\n\ntext",
            vec!["Task 1: a", "Task 2: b"],
        ),
        ("## Task 1: a\n\n- [x] x\n\n## Task 2: b\n\ntext", vec!["Task 2: b"]),
        ("1. Backend\n   - [ ] one\n2. Client\n   - [ ] two", vec!["one", "two"]),
        ("- [ ] one\n  - [ ] step\n\nplain words", vec!["one"]),
    ] {
        assert_eq!(actions(text), wanted, "{text}");
    }
}

#[test]
fn no_document_takes_forever_or_the_stack() {
    for piece in
        ["- ", "> ", "[", "*a ", "`a", "<!--", "1. a\n", "- a after 1\n", "# a\n", "\n- [x] a"]
    {
        let (items, _) = read(&piece.repeat(20_000));
        assert!(items.len() <= MAX_ITEMS, "{piece}");
    }
    let (items, _) = read(&format!("- {}", "after item 1, `x` ".repeat(20_000)));
    assert!(items[0].action.len() < 1_000);
}

#[test]
fn ways_to_say_what_comes_first() {
    let after = |text: &str| -> Vec<String> {
        read(text).0.into_iter().map(|item| item.after.join(" ")).collect()
    };
    for (text, wanted) in [
        ("1. a\n2. b (after 1)", ["", "item-1"]),
        ("1. a\n2. b, depends on item 1", ["", "item-1"]),
        ("- a\n- b (after the previous one)", ["", "item-1"]),
        ("- Add user model\n- List users, once the user model is there", ["", "item-1"]),
        ("- Add user model\n- List users\n  - Depends on: user model", ["", "item-1"]),
        ("- T1 a\n- T2 b, blocked by T1", ["", "item-1"]),
        ("1. a, before item 2\n2. b", ["", "item-1"]),
        ("## Phase 1\n- a\n## Phase 2 (after phase 1)\n- b", ["", "item-1"]),
        // Said of other things.
        ("1. a\n2. log out after 30 minutes", ["", ""]),
        ("1. a\n2. b requires Python 3", ["", ""]),
        ("- Add login\n- Redirect after login", ["", ""]),
        ("1. a, after 2\n2. b, after 1", ["", ""]),
    ] {
        assert_eq!(after(text), wanted, "{text}");
    }
}

#[test]
fn names_of_files_in_many_spellings() {
    let files = |text: &str| -> String {
        let item = read(&format!("- {text}")).0.remove(0);
        let told = |file: &ItemFile| format!("{}{}", file.path, if file.is_new { "+" } else { "" });
        item.files.iter().map(told).collect::<Vec<_>>().join(" ")
    };
    for (text, wanted) in [
        ("Fix `./api/auth.py:12`", "api/auth.py"),
        ("Fix `auth.py`", "api/auth.py"),
        ("Fix api/auth.py, now", "api/auth.py"),
        ("Fix [it](api/auth.py#L3)", "api/auth.py"),
        ("Fix `export/`", "export"),
        ("Fix `export/**`", "export"),
        ("Fix `export/*.py`", "export/archive.py export/markdown.py"),
        ("Fix `api.auth.check_password`", "api/auth.py"),
        ("Add `api/tags.py`", "api/tags.py+"),
        ("Fix `api/tags.py`", "api/tags.py+"),
        ("Fix `gone.py`", ""),
        ("Fix `utils.ts`", ""),
        ("Run `cargo test` for `text/html` and/or `../x.py`", ""),
        ("See [docs](https://example.org/api/auth.py)", ""),
    ] {
        assert_eq!(files(text), wanted, "{text}");
    }
}
