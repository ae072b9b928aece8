//! Code that is handed to an interpreter: what its text names, as far as a glance tells.
//!
//! A program can hide anything it does. This sees the plain cases: another worker's file named in
//! code that writes, and a git command in a string.

use super::arguments::Word;
use super::call::Call;
use super::decide::Change;
use super::judge::Judge;
use super::session;

const INTERPRETERS: &[&str] =
    &["python", "node", "nodejs", "deno", "bun", "ruby", "perl", "php", "osascript"];

/// What code that changes files calls.
const WRITERS: &[&str] = &[
    "'w'",
    "\"w\"",
    "'a'",
    "\"a\"",
    "'x'",
    "\"x\"",
    "'wb'",
    "\"wb\"",
    "'ab'",
    "'r+'",
    "\"r+\"",
    "'>",
    "\">",
    "write_text",
    "write_bytes",
    "writeFile",
    "appendFile",
    "WriteStream",
    "File.write",
    "IO.write",
    "put_contents",
    "unlink",
    "remove(",
    "rename",
    "rmtree",
    "rmSync",
    "rmdir",
    "rm(",
    "truncate",
    "copyfile",
    "copyFile",
    "copy(",
    "move(",
    "touch(",
    "symlink",
    "chmod",
    "FileUtils",
];

/// Most strings of a script that are looked at.
const MAX_STRINGS: usize = 200;

/// Judges the code that an interpreter is given.
pub(super) fn judge(judge: &mut Judge<'_>, name: &str, rest: &Call) {
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !INTERPRETERS.contains(&plain) {
        return;
    }
    let is_code =
        |word: &Word| matches!(word.text.as_str(), "-c" | "-e" | "--eval" | "-E" | "-r" | "-p");
    let given =
        rest.words.windows(2).filter(|pair| is_code(&pair[0])).map(|pair| pair[1].text.clone());
    // Without a file it reads what it runs.
    let has_file = rest.words.iter().any(|word| !word.text.starts_with('-'));
    let read = rest.stdin.clone().filter(|_| !has_file);
    for code in given.chain(read).collect::<Vec<_>>() {
        look(judge, &code);
    }
}

fn look(judge: &mut Judge<'_>, code: &str) {
    let is_bare = judge.shell.is_bare;
    judge.shell.is_bare |= session::is_left_by_code(code);
    let strings = strings(code);
    let writes = WRITERS.iter().any(|writer| code.contains(writer));
    for (at, text) in strings.iter().enumerate() {
        if text.starts_with("git ") {
            judge.subshell(text);
        } else if text == "git" {
            let words = strings[at..].iter().take(8).map(Word::new).collect();
            judge.call(&Call { words, ..Call::default() });
        } else if writes && text.contains(['/', '.']) && !text.contains([' ', '\n', '*', ':']) {
            // A string that names nothing is no file; nor is one that code may only read told
            // apart.
            if judge.names_tracked(text) {
                judge.changes(Change::Content, &Word::new(text));
            }
        }
    }
    judge.shell.is_bare = is_bare;
}

/// Returns the quoted strings.
fn strings(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code.chars();
    while let Some(open) = rest.next() {
        if !matches!(open, '\'' | '"' | '`') {
            continue;
        }
        found.push(rest.by_ref().take_while(|c| *c != open).collect());
        if found.len() >= MAX_STRINGS {
            break;
        }
    }
    found
}
