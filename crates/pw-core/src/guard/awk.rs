//! What a program of `awk` writes and runs: `print > FILE`, `print | COMMAND`, `system(COMMAND)`.

use super::arguments::{Arguments, Known, UNKNOWN, Word};
use super::call::Call;
use super::decide::Change;
use super::judge::Judge;

/// A piece of a program, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Text(String),
    Name(String),
    Sign(char),
    /// `>>`.
    Append,
    /// The end of a statement.
    End,
}

/// What a program does beyond printing.
enum Effect {
    Writes(String),
    Runs(String),
}

/// Judges the program that `awk` is given.
pub(super) fn judge(judge: &mut Judge<'_>, rest: &Call) {
    let long = ["--assign", "--field-separator", "--file", "--source", "--include"];
    let given = Arguments::read(&rest.words, Known { short: "vfFei", long: &long });
    let assigned: Vec<(String, String)> = given
        .values(&["-v", "--assign"])
        .filter_map(|word| word.text.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut programs: Vec<String> =
        given.values(&["-e", "--source"]).map(|word| word.text.clone()).collect();
    let mut files = given.values(&["-f", "--file"]).peekable();
    if programs.is_empty() && files.peek().is_none() {
        programs.extend(given.operands.first().map(|word| word.text.clone()));
    }
    if files.any(|file| matches!(file.text.as_str(), "-" | "/dev/stdin")) {
        programs.extend(rest.stdin.clone());
    }
    for effect in effects(&tokens(&programs.join("\n")), &assigned) {
        match effect {
            Effect::Writes(file) => judge.changes(Change::Content, &Word::new(file)),
            Effect::Runs(script) => drop(judge.subshell(&script)),
        }
    }
}

fn effects(tokens: &[Token], assigned: &[(String, String)]) -> Vec<Effect> {
    let mut found = Vec::new();
    // Of `print`: how many brackets are open since, in which `>` compares.
    let mut printing = None;
    for (at, token) in tokens.iter().enumerate() {
        let value = || value(&tokens[at + 1..], assigned);
        match token {
            Token::Name(name) if name == "print" || name == "printf" => printing = Some(0),
            Token::Name(name) if name == "system" => found.push(Effect::Runs(value())),
            Token::Name(name) if name == "getline" => {
                let is_pipe = at > 1 && tokens[at - 1] == Token::Sign('|');
                if let Some(Token::Text(script)) =
                    tokens.get(at.wrapping_sub(2)).filter(|_| is_pipe)
                {
                    found.push(Effect::Runs(script.clone()));
                }
            }
            Token::Sign('(') => printing = printing.map(|depth| depth + 1),
            Token::Sign(')') => printing = printing.map(|depth: usize| depth.saturating_sub(1)),
            Token::Sign('>') | Token::Append if printing == Some(0) => {
                found.push(Effect::Writes(value()));
                printing = None;
            }
            Token::Sign('|') if printing == Some(0) => {
                found.push(Effect::Runs(value()));
                printing = None;
            }
            Token::End => printing = None,
            _ => {}
        }
    }
    found
}

/// Returns the text of an expression, as far as it is written out.
fn value(tokens: &[Token], assigned: &[(String, String)]) -> String {
    let mut text = String::new();
    let ends = |token: &&Token| !matches!(token, Token::End | Token::Sign('|' | ','));
    for token in tokens.iter().take_while(ends) {
        match token {
            Token::Text(more) => text += more,
            Token::Sign('(' | ')') => {}
            Token::Name(name) => match assigned.iter().find(|(known, _)| known == name) {
                Some((_, value)) => text += value,
                None => text.push(UNKNOWN),
            },
            _ => text.push(UNKNOWN),
        }
    }
    text
}

fn tokens(program: &str) -> Vec<Token> {
    let mut found: Vec<Token> = Vec::new();
    let mut rest = program.chars().peekable();
    while let Some(c) = rest.next() {
        let token = match c {
            '"' => Token::Text(quoted(&mut rest, '"')),
            // Behind a value `/` divides.
            '/' if !is_value(found.last()) => Token::Name(quoted(&mut rest, '/') + "/"),
            '#' => {
                while rest.peek().is_some_and(|c| *c != '\n') {
                    rest.next();
                }
                continue;
            }
            '\\' if rest.peek() == Some(&'\n') => {
                rest.next();
                continue;
            }
            '>' if rest.peek() == Some(&'>') => {
                rest.next();
                Token::Append
            }
            '|' if rest.peek() == Some(&'|') => {
                rest.next();
                Token::Sign('?')
            }
            '|' if rest.peek() == Some(&'&') => {
                rest.next();
                Token::Sign('|')
            }
            ';' | '\n' | '{' | '}' => Token::End,
            c if c.is_whitespace() => continue,
            c if is_part(c) => {
                let mut name = String::from(c);
                while let Some(c) = rest.next_if(|c| is_part(*c)) {
                    name.push(c);
                }
                Token::Name(name)
            }
            c => Token::Sign(c),
        };
        found.push(token);
    }
    found
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == UNKNOWN
}

fn is_value(token: Option<&Token>) -> bool {
    match token {
        Some(Token::Name(name)) => !matches!(name.as_str(), "print" | "printf" | "return"),
        Some(Token::Text(_) | Token::Sign(')' | ']' | '$')) => true,
        _ => false,
    }
}

fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, end: char) -> String {
    let mut text = String::new();
    while let Some(c) = rest.next() {
        match c {
            c if c == end => break,
            '\\' => text.extend(rest.next().map(|c| if c == 'n' { '\n' } else { c })),
            c => text.push(c),
        }
    }
    text
}
