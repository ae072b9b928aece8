//! Expands the words of a shell command, as far as that can be told without running it.

use brush_parser::word::{self, Parameter, ParameterExpr, SpecialParameter, TildeExpr, WordPiece};
use brush_parser::{ParserOptions, ast};

use super::arguments::{UNKNOWN, Word};
use super::judge::Judge;
use super::session;

/// Longest value and pattern of `${x%pattern}` that are looked at.
const MAX_TRIMMED: usize = 500;

/// Most words that the braces of one word may stand for.
const MAX_ALTERNATIVES: usize = 64;

/// A character, and what the shell still makes of it.
#[derive(Clone, Copy)]
enum Letter {
    /// It has its meaning: a brace, a wildcard.
    Plain(char),
    /// Only itself.
    Quoted(char),
    /// The end of a word: a blank in an expansion without quotes.
    Split,
}

impl Letter {
    fn is(self, c: char) -> bool {
        matches!(self, Self::Plain(own) if own == c)
    }
}

/// Returns the words that one word of the source expands to; commands that it substitutes are
/// judged.
pub(super) fn words(judge: &mut Judge<'_>, source: &str) -> Vec<Word> {
    let letters = letters(judge, source);
    // Quotes make a word of nothing, but not of a list without words.
    let is_list = ["[@]", "$@", "${@"].iter().any(|list| source.contains(list));
    let quoted = source.contains(['\'', '"']) && !(is_list && letters.is_empty());
    let mut found = Vec::new();
    for letters in alternatives(&letters) {
        for letters in letters.split(|letter| matches!(letter, Letter::Split)) {
            if !letters.is_empty() || quoted {
                found.push(finished(letters));
            }
        }
    }
    found
}

/// Returns the expansion of one word of the source where the shell does not split it.
pub(super) fn text(judge: &mut Judge<'_>, source: &str) -> String {
    letters(judge, source)
        .into_iter()
        .map(|letter| match letter {
            Letter::Plain(c) | Letter::Quoted(c) => c,
            Letter::Split => ' ',
        })
        .collect()
}

/// Returns the text of a here-document, in which quotes mean nothing.
pub(super) fn text_of_document(judge: &mut Judge<'_>, source: &str) -> String {
    let quoted = source.replace('"', "\\\"");
    text(judge, &format!("\"{quoted}\""))
}

fn finished(letters: &[Letter]) -> Word {
    let (mut text, mut pattern, mut is_pattern) = (String::new(), String::new(), false);
    for letter in letters {
        match *letter {
            Letter::Plain(c) => {
                text.push(c);
                pattern.push(c);
                is_pattern |= "*?[".contains(c);
            }
            Letter::Quoted(c) => {
                text.push(c);
                if "*?[]\\{}!".contains(c) {
                    pattern.push('\\');
                }
                pattern.push(c);
            }
            Letter::Split => {}
        }
    }
    Word { text, pattern: is_pattern.then_some(pattern) }
}

fn letters(judge: &mut Judge<'_>, source: &str) -> Vec<Letter> {
    let mut found = Vec::new();
    match word::parse(source, &judge.options) {
        Ok(pieces) => {
            for piece in pieces {
                add(judge, piece.piece, false, &mut found);
            }
        }
        Err(_) => {
            judge.give_up("a word in it cannot be read");
            found.push(Letter::Quoted(UNKNOWN));
        }
    }
    found
}

fn add(judge: &mut Judge<'_>, piece: WordPiece, in_quotes: bool, found: &mut Vec<Letter>) {
    match piece {
        WordPiece::Text(text) if in_quotes => found.extend(text.chars().map(Letter::Quoted)),
        WordPiece::Text(text) => found.extend(text.chars().map(Letter::Plain)),
        WordPiece::SingleQuotedText(text) => found.extend(text.chars().map(Letter::Quoted)),
        WordPiece::AnsiCQuotedText(text) => found.extend(ansi(&text).chars().map(Letter::Quoted)),
        WordPiece::EscapeSequence(text) => {
            let c = text.chars().nth(1).filter(|c| *c != '\n');
            found.extend(c.map(Letter::Quoted));
        }
        WordPiece::DoubleQuotedSequence(pieces)
        | WordPiece::GettextDoubleQuotedSequence(pieces) => {
            for piece in pieces {
                add(judge, piece.piece, true, found);
            }
        }
        WordPiece::TildeExpansion(whose) => {
            let folder = match whose {
                TildeExpr::Home => judge.variable("HOME"),
                TildeExpr::WorkingDir => judge.variable("PWD"),
                TildeExpr::OldWorkingDir => judge.variable("OLDPWD"),
                _ => None,
            };
            expanded(folder, true, found);
        }
        WordPiece::CommandSubstitution(script) => {
            let value = judge.substitution(&script);
            expanded(value, in_quotes, found);
        }
        WordPiece::BackquotedCommandSubstitution(script) => {
            let script = script.replace("\\`", "`").replace("\\$", "$").replace("\\\\", "\\");
            let value = judge.substitution(&script);
            expanded(value, in_quotes, found);
        }
        WordPiece::ParameterExpansion(expression) => {
            parameter(judge, expression, in_quotes, found);
        }
        WordPiece::ArithmeticExpression(expression) => {
            arithmetic(judge, &expression);
            expanded(None, in_quotes, found);
        }
    }
}

/// Judges what an arithmetic expression runs; its value, a number, is not needed.
pub(super) fn arithmetic(judge: &mut Judge<'_>, expression: &ast::UnexpandedArithmeticExpr) {
    session::set_by(&expression.value).iter().for_each(|name| judge.names(name));
    counted(judge, &expression.value);
    if expression.value.contains(['$', '`']) {
        text(judge, &expression.value);
    }
}

/// Forgets the variables that an arithmetic expression can set.
pub(super) fn counted(judge: &mut Judge<'_>, expression: &str) {
    if ["=", "++", "--"].iter().any(|sets| expression.contains(sets)) {
        let names = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let known: Vec<&str> =
            names.filter(|name| judge.shell.variables.contains_key(*name)).collect();
        known.into_iter().for_each(|name| judge.set(name, None));
    }
}

fn expanded(value: Option<String>, in_quotes: bool, found: &mut Vec<Letter>) {
    let Some(value) = value else { return found.push(Letter::Quoted(UNKNOWN)) };
    found.extend(value.chars().map(|c| match c {
        ' ' | '\t' | '\n' if !in_quotes => Letter::Split,
        c if "*?[".contains(c) && !in_quotes => Letter::Plain(c),
        c => Letter::Quoted(c),
    }));
}

fn parameter(
    judge: &mut Judge<'_>,
    expression: ParameterExpr,
    in_quotes: bool,
    found: &mut Vec<Letter>,
) {
    let is_largest_suffix = matches!(expression, ParameterExpr::RemoveLargestSuffixPattern { .. });
    let is_largest_prefix = matches!(expression, ParameterExpr::RemoveLargestPrefixPattern { .. });
    match expression {
        ParameterExpr::Parameter { parameter, indirect: false } => {
            if let Some((words, is_one)) = list(judge, &parameter) {
                return all(judge, words, is_one, in_quotes, found);
            }
            let value = value(judge, &parameter);
            expanded(value, in_quotes, found);
        }
        ParameterExpr::MemberKeys { variable_name, concatenate } => {
            let places = judge.array(&variable_name).map(|array| array.places());
            all(judge, places, concatenate, in_quotes, found);
        }
        ParameterExpr::Substring { parameter, indirect: false, offset, length } => {
            let mut number = |source: &str| text(judge, source).trim().parse::<usize>().ok();
            let from = number(&offset.value);
            let count = length.map_or(Some(usize::MAX), |length| number(&length.value));
            let Some((words, is_one)) = list(judge, &parameter) else {
                return expanded(None, in_quotes, found);
            };
            let words = (|| Some(part(words?, from?, count?, &parameter)))();
            all(judge, words, is_one, in_quotes, found);
        }
        ParameterExpr::UseDefaultValues {
            parameter, indirect: false, default_value: more, ..
        }
        | ParameterExpr::AssignDefaultValues {
            parameter,
            indirect: false,
            default_value: more,
            ..
        } => {
            let more = more.map(|more| text(judge, &more)).unwrap_or_default();
            let known = value(judge, &parameter).filter(|value| !value.is_empty());
            // A variable that the script does not set counts as unset: the default applies.
            expanded(Some(known.unwrap_or(more)), in_quotes, found);
        }
        ParameterExpr::VariableNames { prefix, .. } => {
            // Of all variables with this prefix only the session's own are known.
            let names: Vec<&str> = session::begun(&prefix).collect();
            if names.is_empty() {
                found.push(Letter::Quoted(UNKNOWN));
            }
            for name in names {
                expanded(Some(name.to_owned()), true, found);
                found.push(Letter::Split);
            }
        }
        ParameterExpr::UseAlternativeValue { alternative_value: Some(more), .. }
        | ParameterExpr::IndicateErrorIfNullOrUnset { error_message: Some(more), .. } => {
            text(judge, &more);
            expanded(None, in_quotes, found);
        }
        ParameterExpr::RemoveSmallestSuffixPattern { parameter, indirect: false, pattern }
        | ParameterExpr::RemoveLargestSuffixPattern { parameter, indirect: false, pattern } => {
            let value = trimmed(judge, &parameter, pattern, |value, matches| {
                let mut ends =
                    value.char_indices().map(|(at, _)| at).filter(|at| matches(&value[*at..]));
                if is_largest_suffix { ends.next() } else { ends.last() }
                    .map(|at| value[..at].to_owned())
            });
            expanded(value, in_quotes, found);
        }
        ParameterExpr::RemoveSmallestPrefixPattern { parameter, indirect: false, pattern }
        | ParameterExpr::RemoveLargestPrefixPattern { parameter, indirect: false, pattern } => {
            let value = trimmed(judge, &parameter, pattern, |value, matches| {
                let mut starts = value
                    .char_indices()
                    .map(|(at, c)| at + c.len_utf8())
                    .filter(|at| matches(&value[..*at]));
                if is_largest_prefix { starts.last() } else { starts.next() }
                    .map(|at| value[at..].to_owned())
            });
            expanded(value, in_quotes, found);
        }
        other => {
            let other = format!("{other:?}");
            if other.contains("$(") || other.contains('`') {
                judge.give_up("a command inside of `${…}` cannot be read");
            }
            expanded(None, in_quotes, found);
        }
    }
}

/// Returns what `cut` leaves of a variable, given whether a part matches the pattern.
fn trimmed(
    judge: &mut Judge<'_>,
    parameter: &Parameter,
    pattern: Option<String>,
    cut: impl Fn(&str, &dyn Fn(&str) -> bool) -> Option<String>,
) -> Option<String> {
    let pattern = text(judge, &pattern.unwrap_or_default());
    let known = value(judge, parameter).filter(|value| value.len() < MAX_TRIMMED)?;
    if pattern.contains([UNKNOWN, '[', '(']) || pattern.len() > MAX_TRIMMED {
        return None;
    }
    let pattern: Vec<char> = pattern.chars().collect();
    let left = cut(&known, &|part| matches_pattern(&pattern, part));
    Some(left.unwrap_or(known))
}

/// Returns whether a text is what `*` and `?` stand for; here `*` also stands for slashes.
fn matches_pattern(pattern: &[char], text: &str) -> bool {
    // For each end of the pattern read so far, whether the text read so far can reach it.
    let mut reached: Vec<bool> = vec![false; pattern.len() + 1];
    reached[0] = true;
    let through_stars = |reached: &mut Vec<bool>| {
        for at in 0..pattern.len() {
            reached[at + 1] |= reached[at] && pattern[at] == '*';
        }
    };
    through_stars(&mut reached);
    for c in text.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for at in 0..pattern.len() {
            next[at] |= reached[at] && pattern[at] == '*';
            next[at + 1] |= reached[at] && (pattern[at] == '?' || pattern[at] == c);
        }
        through_stars(&mut next);
        reached = next;
    }
    reached[pattern.len()]
}

/// Returns the words of a parameter that can stand for several, and whether quotes make them one.
fn list(judge: &Judge<'_>, parameter: &Parameter) -> Option<(Option<Vec<String>>, bool)> {
    match parameter {
        Parameter::Special(SpecialParameter::AllPositionalParameters { concatenate }) => {
            Some((judge.shell.positional.clone(), *concatenate))
        }
        Parameter::NamedWithAllIndices { name, concatenate } => {
            Some((judge.array(name).map(|array| array.words()), *concatenate))
        }
        _ => None,
    }
}

/// Returns the part of a list that `${x[@]:from:count}` means; `$@` counts from one.
fn part(words: Vec<String>, from: usize, count: usize, parameter: &Parameter) -> Vec<String> {
    let is_positional = matches!(parameter, Parameter::Special(_));
    let from = from.saturating_sub(usize::from(is_positional));
    words.into_iter().skip(from).take(count).collect()
}

fn all(
    judge: &Judge<'_>,
    words: Option<Vec<String>>,
    is_one: bool,
    in_quotes: bool,
    found: &mut Vec<Letter>,
) {
    let Some(words) = words else {
        return found.push(Letter::Quoted(UNKNOWN));
    };
    if is_one && in_quotes {
        let between = judge.variable("IFS").map(|ifs| ifs.chars().take(1).collect::<String>());
        return expanded(between.map(|between| words.join(&between)), in_quotes, found);
    }
    for (index, word) in words.into_iter().enumerate() {
        if index > 0 {
            found.push(Letter::Split);
        }
        expanded(Some(word), in_quotes, found);
    }
}

fn value(judge: &mut Judge<'_>, parameter: &Parameter) -> Option<String> {
    match parameter {
        Parameter::Named(name) => judge.variable(name),
        Parameter::Positional(number) => {
            let at = usize::try_from(*number).ok()?.checked_sub(1)?;
            judge.shell.positional.as_ref()?.get(at).cloned()
        }
        Parameter::NamedWithIndex { name, index } => {
            let index = text(judge, index);
            let array = judge.array(name)?;
            array.get(judge.place(&array, &index).as_ref()).map(str::to_owned)
        }
        Parameter::Special(SpecialParameter::ShellName) => judge.shell.zero.clone(),
        _ => None,
    }
}

/// Returns the words that the braces of one word stand for; too many stay as they are.
fn alternatives(letters: &[Letter]) -> Vec<Vec<Letter>> {
    let (mut done, mut open) = (Vec::new(), vec![letters.to_vec()]);
    while let Some(word) = open.pop() {
        match first_braces(&word) {
            Some((from, commas, to)) if done.len() + open.len() < MAX_ALTERNATIVES => {
                let ends = [&[from], &commas[..], &[to]].concat();
                let parts = ends.windows(2).rev().map(|pair| {
                    [&word[..from], &word[pair[0] + 1..pair[1]], &word[to + 1..]].concat()
                });
                open.extend(parts);
            }
            _ => done.push(word),
        }
    }
    done
}

/// Finds the first `{a,b}`: where it begins, its commas, where it ends.
fn first_braces(word: &[Letter]) -> Option<(usize, Vec<usize>, usize)> {
    let mut open: Vec<(usize, Vec<usize>)> = Vec::new();
    let mut found: Option<(usize, Vec<usize>, usize)> = None;
    for (at, letter) in word.iter().enumerate() {
        if letter.is('{') {
            open.push((at, Vec::new()));
        } else if letter.is(',') {
            if let Some((_, commas)) = open.last_mut() {
                commas.push(at);
            }
        } else if letter.is('}')
            && let Some((from, commas)) = open.pop()
            && !commas.is_empty()
            && found.as_ref().is_none_or(|(known, ..)| from < *known)
        {
            found = Some((from, commas, at));
        }
    }
    found
}

/// Returns the text of a word that no variable, setting or folder of a shell can change.
pub(super) fn literal(source: &str, options: &ParserOptions) -> Option<String> {
    let mut text = String::new();
    for piece in word::parse(source, options).ok()? {
        match piece.piece {
            WordPiece::Text(plain) if !plain.contains(['{', '}', '*', '?', '[', '~', '!', '#']) => {
                text.push_str(&plain);
            }
            WordPiece::SingleQuotedText(quoted) => text.push_str(&quoted),
            WordPiece::DoubleQuotedSequence(pieces) => {
                for piece in pieces {
                    match piece.piece {
                        WordPiece::Text(quoted) => text.push_str(&quoted),
                        WordPiece::EscapeSequence(escaped) => text.push_str(escaped.get(1..)?),
                        _ => return None,
                    }
                }
            }
            _ => return None,
        }
    }
    Some(text)
}

/// Returns the text of `$'…'`.
fn ansi(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\\' {
            found.push(c);
            continue;
        }
        let (radix, longest) = match rest.next() {
            Some('n') => {
                found.push('\n');
                continue;
            }
            Some('t') => {
                found.push('\t');
                continue;
            }
            Some('x') => (16, 2),
            Some('u') => (16, 4),
            Some('U') => (16, 8),
            Some(c) if c.is_digit(8) => {
                found.push_str(&number(Some(c), &mut rest, 8, 3));
                continue;
            }
            Some(c @ ('\\' | '\'' | '"' | '?')) => {
                found.push(c);
                continue;
            }
            _ => {
                found.push(UNKNOWN);
                continue;
            }
        };
        found.push_str(&number(None, &mut rest, radix, longest));
    }
    found
}

fn number(
    first: Option<char>,
    rest: &mut std::iter::Peekable<std::str::Chars<'_>>,
    radix: u32,
    longest: usize,
) -> String {
    let mut digits: String = first.into_iter().collect();
    while digits.len() < longest
        && let Some(c) = rest.next_if(|c| c.is_digit(radix))
    {
        digits.push(c);
    }
    let code = u32::from_str_radix(&digits, radix).ok();
    code.and_then(char::from_u32).unwrap_or(UNKNOWN).to_string()
}
