//! What the script of `sed` writes and runs: its commands `w`, `W` and `e`, and the flag `w` of `s`.

use super::arguments::{Arguments, Known, Word};
use super::call::Call;
use super::decide::Change;
use super::judge::Judge;

/// Options of `sed` that take a value.
pub(super) const OPTIONS: Known<'_> =
    Known { short: "efl", long: &["--expression", "--file", "--line-length"] };

/// What a script does beyond printing.
enum Effect {
    Writes(String),
    Runs(String),
}

/// Judges the scripts that `sed` is given.
pub(super) fn judge(judge: &mut Judge<'_>, rest: &Call) {
    let given = Arguments::read(&rest.words, OPTIONS);
    let mut scripts: Vec<String> =
        given.values(&["-e", "--expression"]).map(|word| word.text.clone()).collect();
    let mut files = given.values(&["-f", "--file"]).peekable();
    if scripts.is_empty() && files.peek().is_none() {
        scripts.extend(given.operands.first().map(|word| word.text.clone()));
    }
    if files.any(|file| matches!(file.text.as_str(), "-" | "/dev/stdin")) {
        scripts.extend(rest.stdin.clone());
    }
    let script: Vec<char> = scripts.join("\n").chars().collect();
    for effect in effects(&script) {
        match effect {
            Effect::Writes(file) => judge.changes(Change::Content, &Word::new(file)),
            Effect::Runs(script) => drop(judge.subshell(&script)),
        }
    }
}

/// Reads a script command by command, as far as it can be read.
fn effects(script: &[char]) -> Vec<Effect> {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(command) = command(script, &mut at) {
        match command {
            'w' | 'W' => found.push(Effect::Writes(line(script, &mut at))),
            'e' => found.push(Effect::Runs(line(script, &mut at))),
            // A backslash at the end of a line goes on with the text.
            'a' | 'i' | 'c' => while line(script, &mut at).ends_with('\\') {},
            'b' | 't' | 'T' => {
                while script.get(at).is_some_and(|c| !matches!(c, ';' | '\n' | '}')) {
                    at += 1;
                }
            }
            'r' | 'R' | '#' | ':' => drop(line(script, &mut at)),
            's' => {
                let delimiter = script.get(at).copied();
                skip_to(script, &mut at, delimiter);
                at = at.saturating_sub(1);
                skip_to(script, &mut at, delimiter);
                while script.get(at).is_some_and(|c| "gpIiMme0123456789".contains(*c)) {
                    at += 1;
                }
                if script.get(at) == Some(&'w') {
                    at += 1;
                    found.push(Effect::Writes(line(script, &mut at)));
                }
            }
            'y' => {
                let delimiter = script.get(at).copied();
                skip_to(script, &mut at, delimiter);
                at = at.saturating_sub(1);
                skip_to(script, &mut at, delimiter);
            }
            _ => {}
        }
    }
    found
}

/// Returns the next command, its address skipped.
fn command(script: &[char], at: &mut usize) -> Option<char> {
    loop {
        let c = *script.get(*at)?;
        match c {
            '/' => skip_to(script, at, Some('/')),
            '\\' => {
                *at += 1;
                let delimiter = script.get(*at).copied();
                skip_to(script, at, delimiter);
            }
            'I' | 'M' => *at += 1,
            c if c.is_ascii_alphabetic() || matches!(c, '#' | ':') => {
                *at += 1;
                return Some(c);
            }
            _ => *at += 1,
        }
    }
}

/// Goes behind the next delimiter after the one it stands on.
fn skip_to(script: &[char], at: &mut usize, delimiter: Option<char>) {
    let mut in_class = false;
    *at += 1;
    while let Some(c) = script.get(*at) {
        *at += 1;
        match *c {
            '\\' => *at += 1,
            c if Some(c) == delimiter && !in_class => return,
            // Of GNU's sed a delimiter in a class is none.
            '[' if script[*at..].iter().take_while(|c| **c != '\n').any(|c| *c == ']') => {
                in_class = true;
            }
            ']' => in_class = false,
            _ => {}
        }
    }
}

/// Returns the rest of the line, blanks in front left out.
fn line(script: &[char], at: &mut usize) -> String {
    let rest: String =
        script[(*at).min(script.len())..].iter().take_while(|c| **c != '\n').collect();
    *at += rest.chars().count() + 1;
    rest.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_write() {
        for (script, expected) in [
            ("w a b", "w a b"),
            ("1,/x/w a", "w a"),
            ("\\,w,w a\np", "w a"),
            ("s/a/w b/", ""),
            ("s,/,w,gw a\ns/x/y/", "w a"),
            ("s/[/]/x/w a", "w a"),
            ("y/w/x/;w a", "w a"),
            ("a\\\nw x\\\nw y\nw z", "w z"),
            ("a w x", ""),
            ("/w x/!d", ""),
            ("1e make\nw a", "e make,w a"),
            (":w\nbw", ""),
            ("# w x", ""),
            ("{h;w a", "w a"),
            ("s", ""),
            ("s/", ""),
            ("\\", ""),
        ] {
            let script: Vec<char> = script.chars().collect();
            let shown = effects(&script).into_iter().map(|effect| match effect {
                Effect::Writes(file) => format!("w {file}"),
                Effect::Runs(script) => format!("e {script}"),
            });
            assert_eq!(shown.collect::<Vec<_>>().join(","), expected);
        }
    }
}
