//! Reads the text of a glob.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

use super::glob::{Class, Pattern, Segment, Symbol, Token};

/// Most paths that the braces of all globs of one worker may stand for.
pub(super) const MAX_PATTERNS: usize = 1_024;

/// Most alternatives the braces of one glob may stand for.
const MAX_ALTERNATIVES: usize = 256;

/// How a name with a bracket is written.
const BRACKET: &str = "the letter [ itself is written [[]";

/// Why a glob cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadGlob {
    /// What is wrong, with the glob.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

fn bad<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, BadGlob> {
    Err(BadGlob { message: message.into(), hint: hint.into() })
}

/// Returns the glob without segments that mean nothing: `./src//x` is `src/x`, and `.` is all there is.
pub(super) fn tidied(text: &str) -> Cow<'_, str> {
    let is_idle = |part: &str| matches!(part, "" | ".");
    let body = text.strip_suffix('/').unwrap_or(text);
    if text.starts_with('/') || !body.split('/').any(is_idle) || text.is_empty() {
        return Cow::Borrowed(text);
    }
    let parts: Vec<&str> = body.split('/').filter(|part| !is_idle(part)).collect();
    let end = if text.ends_with('/') || text.ends_with("/.") { "/" } else { "" };
    Cow::Owned(if parts.is_empty() { "**".to_owned() } else { parts.join("/") + end })
}

/// Reads one glob (without its `!`) into the patterns its braces stand for, `room` at most.
pub(super) fn parse(text: &str, room: usize) -> Result<Vec<Pattern>, BadGlob> {
    if text.is_empty() {
        return bad("the glob is empty", "write a path such as \"src/api/**\"");
    }
    if text.starts_with('/') || text.contains('\\') {
        let message = format!("`{text}` is absolute or uses a backslash");
        let spelled = text.replace('\\', "/");
        let spelled = spelled.trim_start_matches('/');
        let hint = "write paths from the repository's root, separated by /";
        return bad(message, format!("{hint}: `{spelled}`, if that is what is meant"));
    }
    if text.chars().any(char::is_control) {
        return bad(format!("{text:?} holds a control character"), "remove it");
    }
    let mut alternatives = Vec::new();
    expand(text, &mut alternatives)?;
    if alternatives.len() > room {
        let message = format!("with `{text}` the globs stand for more than {MAX_PATTERNS} paths");
        return bad(message, "own folders instead of listing their files in braces");
    }
    alternatives.iter().map(|alternative| pattern(text, alternative)).collect()
}

/// Expands the first brace group and recurses; `{` without `}` is an error.
fn expand(text: &str, out: &mut Vec<String>) -> Result<(), BadGlob> {
    let Some((before, rest)) = text.split_once('{') else {
        if text.contains('}') {
            return bad(format!("`{text}` has a }} without a {{"), "balance the braces");
        }
        out.push(text.to_owned());
        if out.len() > MAX_ALTERNATIVES {
            let message = format!("the braces stand for more than {MAX_ALTERNATIVES} paths");
            return bad(message, "own the folder instead of listing its files");
        }
        return Ok(());
    };
    let Some((choices, after)) = split_group(rest) else {
        return bad(format!("`{text}` has a {{ without a }}"), "balance the braces");
    };
    choices.iter().try_for_each(|choice| expand(&format!("{before}{choice}{after}"), out))
}

/// Splits `a,{b,c}}tail` into its top-level choices and the tail.
fn split_group(rest: &str) -> Option<(Vec<&str>, &str)> {
    let (mut depth, mut start, mut choices) = (0_u32, 0, Vec::new());
    for (at, c) in rest.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                choices.push(&rest[start..at]);
                return Some((choices, &rest[at + 1..]));
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                choices.push(&rest[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    None
}

fn pattern(glob: &str, text: &str) -> Result<Pattern, BadGlob> {
    let (body, below_only) = match text.strip_suffix('/') {
        Some(body) => (body, true),
        None => (text, false),
    };
    let mut segments = Vec::new();
    for part in body.split('/') {
        segments.push(segment(glob, part)?);
    }
    let last_is_any = matches!(segments.last(), Some(Segment::Any));
    let last_is_literal = segments.last().is_some_and(Segment::is_literal);
    if below_only || last_is_any {
        // `docs/` and `docs/**` are what lies below docs: at least one more segment.
        if !last_is_any {
            segments.push(Segment::Any);
        }
        segments.push(Segment::One(vec![Token::Star]));
    } else if last_is_literal && !segments.contains(&Segment::Any) {
        // Below a `**` a literal end is that name alone: `**/a.rs` and `**/b.rs` would else meet in
        // `a.rs/b.rs`.
        segments.push(Segment::Any);
    }
    Ok(Pattern { text: text.to_owned(), segments })
}

fn segment(glob: &str, part: &str) -> Result<Segment, BadGlob> {
    match part {
        "" => return bad(format!("`{glob}` has an empty segment"), "write a/b, not a//b"),
        "." | ".." => {
            let hint = "write the path from the repository's root, without . and ..";
            return bad(format!("`{glob}` leaves or repeats a folder with `{part}`"), hint);
        }
        "**" => return Ok(Segment::Any),
        _ => {}
    }
    if part.contains("**") {
        return bad(format!("`{glob}` has ** inside a segment"), "** stands alone: src/**/x.rs");
    }
    let tokens = tokens(glob, part)?;
    let literal = |token: &Token| match token {
        Token::Literal(symbol) => char::from_u32(*symbol),
        _ => None,
    };
    let name: Option<String> = tokens.iter().map(literal).collect();
    if name.is_some_and(|name| name.eq_ignore_ascii_case(".git")) {
        return bad(format!("`{glob}` reaches into .git"), "no worker can own git's own folder");
    }
    Ok(Segment::One(tokens))
}

fn tokens(glob: &str, part: &str) -> Result<Vec<Token>, BadGlob> {
    let mut out = Vec::new();
    let mut rest = part.chars().peekable();
    while let Some(c) = rest.next() {
        out.push(match c {
            '?' => Token::One,
            '*' => Token::Star,
            '[' => {
                // A class of one letter is how a bracket is written: no wildcard.
                let class = class(glob, &mut rest)?;
                one(&class.ranges).map_or(Token::Class(class), Token::Literal)
            }
            _ => Token::Literal(u32::from(c)),
        });
    }
    Ok(out)
}

/// Returns the only member of a class.
fn one(ranges: &[(Symbol, Symbol)]) -> Option<Symbol> {
    match ranges {
        [(low, high)] if low == high => Some(*low),
        _ => None,
    }
}

/// Reads a class from behind its `[` to behind its `]`.
fn class(glob: &str, rest: &mut Peekable<Chars<'_>>) -> Result<Class, BadGlob> {
    let negated = rest.next_if(|c| matches!(c, '!' | '^')).is_some();
    let mut ranges = Vec::new();
    loop {
        let Some(low) = rest.next() else {
            return bad(
                format!("`{glob}` has a [ without a ]"),
                format!("close the class: [a-z]; {BRACKET}"),
            );
        };
        // A ] right after the opening is a member, as in a shell.
        if low == ']' && !ranges.is_empty() {
            return Ok(if negated { Class::negated(ranges) } else { Class::new(ranges) });
        }
        let mut ahead = rest.clone();
        let high = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(high)) if high != ']' => {
                *rest = ahead;
                high
            }
            _ => low,
        };
        if low > high {
            return bad(
                format!("`{glob}` has the empty range {low}-{high}"),
                format!("turn it round; {BRACKET}"),
            );
        }
        ranges.push((u32::from(low), u32::from(high)));
    }
}
