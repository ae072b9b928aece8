//! Code that is handed to an interpreter: the files it opens for writing or removes, and the
//! commands it runs, as far as its text tells.
//!
//! A program can hide anything it does. This sees the plain cases, and takes nothing for a change
//! that only reads.

use super::arguments::Word;
use super::call::Call;
use super::decide::Change;
use super::functions::{Function, Value, functions};
use super::judge::Judge;
use super::script;
use super::session;

const INTERPRETERS: &[&str] =
    &["python", "pypy", "node", "nodejs", "deno", "bun", "ruby", "perl", "php", "osascript"];

/// Most strings of a script that are looked at.
const MAX_STRINGS: usize = 200;

/// Which arguments of a function are files that it changes.
#[derive(Clone, Copy)]
enum Files {
    First,
    Second,
    /// The first goes away, and becomes the second.
    Moved,
    /// Every one goes away.
    Removed,
    /// The path whose method it is.
    Receiver,
}

/// Functions whose name says what they do, whatever they belong to.
const FUNCTIONS: &[(Files, &str)] = &[
    (
        Files::First,
        "writeFile writeFileSync appendFile appendFileSync createWriteStream outputFile outputFileSync \
         outputJson writeJson writeTextFile writeTextFileSync file_put_contents truncateSync chmodSync \
         utimesSync binwrite",
    ),
    (
        Files::Second,
        "copyfile copy2 copytree copyFile copyFileSync cpSync cp_r symlinkSync linkSync ln_s ln_sf",
    ),
    (Files::Moved, "renameSync moveSync"),
    (
        Files::Removed,
        "unlink unlinkSync rmSync rmdirSync rmtree removeSync rm_rf rm_r rm_f emptyDir emptyDirSync \
         removedirs delete_file",
    ),
    (Files::Receiver, "write_text write_bytes symlink_to hardlink_to"),
];

/// Functions whose name means this in these modules only; other things have methods of that name.
const OF_MODULES: &[(&str, Files, &str)] = &[
    ("os", Files::Removed, "remove rmdir"),
    ("os", Files::First, "truncate chmod utime chown mkfifo"),
    ("os", Files::Moved, "rename replace renames"),
    ("os", Files::Second, "symlink link"),
    ("shutil", Files::Second, "copy copymode copystat"),
    ("shutil", Files::Moved, "move"),
    ("fs", Files::Removed, "rm rmdir remove"),
    ("fs", Files::First, "truncate chmod utimes"),
    ("fs", Files::Moved, "rename move"),
    ("fs", Files::Second, "cp copy symlink link"),
    ("File", Files::First, "write truncate"),
    ("File", Files::Removed, "delete"),
    ("File", Files::Moved, "rename"),
    ("IO", Files::First, "write"),
    ("Bun", Files::First, "write"),
    ("Deno", Files::Removed, "remove removeSync"),
    ("FileUtils", Files::Removed, "rm rmdir remove"),
    ("FileUtils", Files::First, "touch"),
    ("FileUtils", Files::Moved, "mv move"),
    ("FileUtils", Files::Second, "cp copy"),
    // Functions of Perl and PHP, or imported by their name.
    ("", Files::Removed, "remove rmdir"),
    ("", Files::First, "truncate touch"),
    ("", Files::Moved, "rename move"),
    ("", Files::Second, "symlink link copy"),
];

/// Methods of a path.
const OF_PATHS: &[&str] = &["unlink", "touch", "rename", "replace", "rmdir", "chmod"];

const RUNNERS: &[&str] = &[
    "system",
    "popen",
    "exec",
    "execSync",
    "spawn",
    "spawnSync",
    "run",
    "call",
    "check_call",
    "check_output",
    "Popen",
    "execFile",
    "execFileSync",
    "shell_exec",
    "passthru",
    "getoutput",
];

/// Judges the code that an interpreter is given.
pub(super) fn judge(judge: &mut Judge<'_>, name: &str, rest: &Call) {
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !INTERPRETERS.contains(&plain) {
        return;
    }
    // `perl -ne CODE`; `deno eval CODE`.
    let is_code = |word: &Word| {
        let cluster = word.text.strip_prefix('-').is_some_and(|letters| {
            plain == "perl" && letters.ends_with(['e', 'E']) && letters.len() < 6
        });
        cluster
            || matches!(word.text.as_str(), "-c" | "-e" | "--eval" | "-E" | "-r" | "-p" | "-pe")
            || (matches!(plain, "deno" | "bun") && word.text == "eval")
    };
    let words: Vec<String> = rest.words.iter().map(|word| word.text.clone()).collect();
    let given = rest.words.windows(2).enumerate().filter(|(_, pair)| is_code(&pair[0]));
    let mut codes: Vec<(String, &[String])> =
        given.map(|(at, pair)| (pair[1].text.clone(), &words[at + 2..])).collect();
    // Without a file it reads what it runs.
    let file = words.iter().position(|word| !word.starts_with('-') || word == "-");
    if codes.is_empty() && file.is_none_or(|at| words[at] == "-") {
        let behind = file.map_or(&[][..], |at| &words[at + 1..]);
        codes.extend(rest.stdin.clone().map(|code| (code, behind)));
    }
    let runs_quoted = matches!(plain, "perl" | "ruby" | "php");
    for (code, words) in codes {
        look(judge, &code, words, runs_quoted);
    }
}

fn look(judge: &mut Judge<'_>, code: &str, words: &[String], runs_quoted: bool) {
    let is_bare = judge.shell.is_bare;
    judge.shell.is_bare |= session::is_left_by_code(code);
    let strings = strings(code);
    for (at, (quote, text)) in strings.iter().enumerate() {
        if text.starts_with("git ") {
            judge.subshell(text);
        } else if text == "git" {
            let words = strings[at..].iter().take(8).map(|(_, text)| Word::new(text)).collect();
            judge.call(&Call { words, ..Call::default() });
        } else if *quote == '`' && runs_quoted {
            run(judge, text);
        }
    }
    for function in functions(code, words) {
        called(judge, &function);
    }
    judge.shell.is_bare = is_bare;
}

/// Judges one call of a function.
fn called(judge: &mut Judge<'_>, function: &Function) {
    let (module, last) = function.name.rsplit_once('.').unwrap_or(("", &function.name));
    if RUNNERS.contains(&last) {
        return started(judge, function);
    }
    if matches!(last, "open" | "openSync" | "fopen") || function.name == "File.new" {
        return opened(judge, function);
    }
    // `fs.promises.rm`, `node:fs`, `fs-extra`.
    let first =
        module.split(['.', '/', '-']).next().unwrap_or_default().trim_start_matches("node:");
    let named = |names: &str| names.split(' ').any(|name| name == last);
    let files =
        FUNCTIONS.iter().find(|(_, names)| named(names)).map(|(files, _)| *files).or_else(|| {
            let is_its = |known: &str| known == first && !function.name.starts_with('.');
            let mut known = OF_MODULES.iter();
            known.find(|(module, _, names)| is_its(module) && named(names)).map(|row| row.1)
        });
    let is_path = function.receiver.is_path;
    let argument = |at: usize| function.arguments.get(at);
    match files {
        _ if is_path && OF_PATHS.contains(&last) => {
            changed(judge, Change::Content, Some(&function.receiver));
            if matches!(last, "rename" | "replace") {
                changed(judge, Change::Content, argument(0));
            }
        }
        Some(Files::Receiver) => changed(judge, Change::Content, Some(&function.receiver)),
        Some(Files::First) => changed(judge, Change::Content, argument(0)),
        Some(Files::Second) => changed(judge, Change::Content, argument(1)),
        Some(Files::Moved) => {
            changed(judge, Change::Removal, argument(0));
            changed(judge, Change::Content, argument(1));
        }
        Some(Files::Removed) => {
            for value in &function.arguments {
                changed(judge, Change::Removal, Some(value));
            }
        }
        None => {}
    }
}

fn changed(judge: &mut Judge<'_>, change: Change, value: Option<&Value>) {
    for text in value.iter().flat_map(|value| &value.texts).filter(|text| !text.contains('\n')) {
        judge.changes(change, &Word::new(text));
    }
}

/// Judges `open`: the mode tells whether it writes. In Perl the mode stands before the file, or in
/// front of it.
fn opened(judge: &mut Judge<'_>, function: &Function) {
    let text = |value: &Value| value.texts.first().cloned().unwrap_or_default();
    let is_mode = |text: &str| text.len() <= 4 && text.chars().all(|c| "rwaxbtU+".contains(c));
    let writes = |text: &str| is_mode(text) && text.contains(['w', 'a', 'x', '+']);
    let (path, others) = match function.receiver.is_path {
        true => (Some(&function.receiver), &function.arguments[..]),
        false => (function.arguments.first(), function.arguments.get(1..).unwrap_or_default()),
    };
    let is_writer = others.iter().any(|value| {
        let is_of_mode = value.keyword.as_deref().is_none_or(|keyword| keyword == "mode");
        (is_of_mode && writes(&text(value)))
            || ["O_WRONLY", "O_RDWR", "O_CREAT"].iter().any(|flag| value.name.contains(flag))
    });
    if is_writer {
        changed(judge, Change::Content, path);
    }
    for (at, value) in others.iter().enumerate() {
        let said = text(value);
        let Some(rest) = said.strip_prefix('>').or_else(|| said.strip_prefix("+<")) else {
            continue;
        };
        let file = rest.trim_start_matches('>').trim();
        match others.get(at + 1) {
            Some(file) => changed(judge, Change::Content, Some(file)),
            None if !file.is_empty() && !file.starts_with('&') => {
                judge.changes(Change::Content, &Word::new(file));
            }
            None => {}
        }
    }
}

/// Judges the command that a function starts.
fn started(judge: &mut Judge<'_>, function: &Function) {
    let folder = judge.shell.folder.clone();
    let mut given = function.arguments.iter().filter(|value| value.keyword.is_none());
    let into = function.arguments.iter().find(|value| value.keyword.as_deref() == Some("cwd"));
    if let Some(to) = into.and_then(|value| value.texts.first()) {
        judge.shell.folder = judge.absolute(to);
    }
    let first = given.next().cloned().unwrap_or_default();
    let more: Vec<&String> =
        given.take_while(|v| !v.texts.is_empty()).flat_map(|v| &v.texts).collect();
    if first.is_list || !more.is_empty() {
        let words = first.texts.iter().chain(more).map(Word::new).collect();
        judge.call(&Call { words, ..Call::default() });
    } else if let [text] = &first.texts[..] {
        run(judge, text);
    }
    judge.shell.folder = folder;
}

/// Judges a string as a script, if it is one: not all that is run is run by a shell.
fn run(judge: &mut Judge<'_>, text: &str) {
    if script::parse(text, &judge.options).is_ok() {
        judge.subshell(text);
    }
}

/// Returns the quoted strings, each with its quote.
fn strings(code: &str) -> Vec<(char, String)> {
    let mut found = Vec::new();
    let mut rest = code.chars();
    while let Some(open) = rest.next() {
        if !matches!(open, '\'' | '"' | '`') {
            continue;
        }
        found.push((open, rest.by_ref().take_while(|c| *c != open).collect()));
        if found.len() >= MAX_STRINGS {
            break;
        }
    }
    found
}
