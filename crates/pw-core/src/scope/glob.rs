//! One glob: parsing, and matching against a real path.

use unicode_normalization::UnicodeNormalization as _;

/// Most alternatives the braces of one glob may stand for.
const MAX_ALTERNATIVES: usize = 256;

/// A character of a path; a byte that is not UTF-8 becomes a symbol above all characters.
pub(super) type Symbol = u32;

/// The first symbol that stands for a byte outside UTF-8, and the last symbol of all.
const FIRST_BYTE: Symbol = 0x11_0000;
const LAST_SYMBOL: Symbol = FIRST_BYTE + 0xff;

/// Why a glob cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadGlob {
    pub message: String,
    pub hint: String,
}

fn bad<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, BadGlob> {
    Err(BadGlob { message: message.into(), hint: hint.into() })
}

/// One alternative of a glob.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    /// The alternative as written, braces expanded.
    pub(super) text: String,
    pub(super) segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Segment {
    /// `**`: any number of segments, none included.
    Any,
    One(Vec<Token>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Token {
    Literal(Symbol),
    /// `?`
    One,
    /// `*`
    Star,
    Class(Class),
}

/// The members of `[a-z]` or `[!a-z]`: closed ranges, never a separator.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Class {
    pub(super) ranges: Vec<(Symbol, Symbol)>,
}

impl Class {
    fn new(mut ranges: Vec<(Symbol, Symbol)>, negated: bool) -> Self {
        ranges.sort_unstable();
        if negated {
            // NUL and the separator are in no name, so they belong to what is taken away.
            ranges.extend([(0, 0), (u32::from('/'), u32::from('/'))]);
            ranges.sort_unstable();
            ranges = complement(&ranges);
        }
        Self { ranges }
    }

    pub(super) fn contains(&self, symbol: Symbol) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&symbol))
    }

    /// Returns the class with the small form of every capital letter in it.
    fn folded(&self) -> Self {
        let capitals = ('A'..='Z').filter(|c| self.contains(u32::from(*c)));
        let small = capitals.map(|c| u32::from(c.to_ascii_lowercase())).map(|c| (c, c));
        Self { ranges: self.ranges.iter().copied().chain(small).collect() }
    }
}

/// Returns the gaps between sorted ranges, up to the last symbol there is.
fn complement(ranges: &[(Symbol, Symbol)]) -> Vec<(Symbol, Symbol)> {
    let (mut gaps, mut next) = (Vec::new(), 0);
    for (low, high) in ranges {
        if *low > next {
            gaps.push((next, low - 1));
        }
        next = next.max(high + 1);
    }
    gaps.push((next, LAST_SYMBOL));
    gaps
}

impl Token {
    /// Returns whether this token can stand for `symbol`; never true of a separator.
    pub(super) fn accepts(&self, symbol: Symbol) -> bool {
        match self {
            Self::Literal(literal) => *literal == symbol,
            Self::One | Self::Star => symbol != u32::from('/'),
            Self::Class(class) => class.contains(symbol),
        }
    }
}

impl Segment {
    pub(super) fn is_literal(&self) -> bool {
        match self {
            Self::Any => false,
            Self::One(tokens) => tokens.iter().all(|token| matches!(token, Token::Literal(_))),
        }
    }
}

impl Pattern {
    /// Returns whether the pattern matches a path given as the symbols of its segments.
    pub(super) fn matches(&self, path: &[Vec<Symbol>]) -> bool {
        segments_match(&self.segments, path)
    }

    /// Returns the same paths as globs in which only `*`, `?`, `**` and classes have a meaning and
    /// a literal end is that path alone.
    pub(super) fn spelled_out(&self) -> Vec<String> {
        let body = self.text.trim_end_matches('/');
        let below = format!("{body}/**");
        match self.segments.last() {
            Some(Segment::Any) => vec![body.to_owned(), below],
            _ if self.text.ends_with('/') => vec![below],
            _ => vec![body.to_owned()],
        }
    }

    /// Returns whether the last segment is a wildcard that stays in its folder.
    pub(super) fn is_shallow(&self) -> bool {
        let ends_open = self.segments.last().is_some_and(|segment| !segment.is_literal());
        let below_any = self.segments.iter().any(|segment| matches!(segment, Segment::Any));
        ends_open && !below_any
    }

    /// Returns the pattern with letter case and Unicode form removed.
    pub(super) fn folded(&self) -> Self {
        let segments = self.segments.iter().map(|segment| match segment {
            Segment::Any => Segment::Any,
            Segment::One(tokens) => Segment::One(fold(tokens)),
        });
        Self { text: self.text.clone(), segments: segments.collect() }
    }
}

/// Wildcard matching in linear space: on a mismatch go back to the last `**`.
fn segments_match(pattern: &[Segment], path: &[Vec<Symbol>]) -> bool {
    let (mut p, mut s, mut back) = (0, 0, None);
    while s < path.len() {
        match pattern.get(p) {
            Some(Segment::Any) => {
                back = Some((p, s));
                p += 1;
            }
            Some(Segment::One(tokens)) if tokens_match(tokens, &path[s]) => {
                p += 1;
                s += 1;
            }
            _ => {
                let Some((any, from)) = back else { return false };
                back = Some((any, from + 1));
                (p, s) = (any + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|segment| matches!(segment, Segment::Any))
}

pub(super) fn tokens_match(tokens: &[Token], text: &[Symbol]) -> bool {
    let (mut t, mut s, mut back) = (0, 0, None);
    while s < text.len() {
        match tokens.get(t) {
            Some(Token::Star) => {
                back = Some((t, s));
                t += 1;
            }
            Some(token) if token.accepts(text[s]) => {
                t += 1;
                s += 1;
            }
            _ => {
                let Some((star, from)) = back else { return false };
                back = Some((star, from + 1));
                (t, s) = (star + 1, from + 1);
            }
        }
    }
    tokens[t..].iter().all(|token| matches!(token, Token::Star))
}

/// Returns the symbols of one segment of a real path.
pub(super) fn symbols(segment: &[u8]) -> Vec<Symbol> {
    let mut out = Vec::with_capacity(segment.len());
    for chunk in segment.utf8_chunks() {
        out.extend(chunk.valid().chars().map(u32::from));
        out.extend(chunk.invalid().iter().map(|byte| FIRST_BYTE + u32::from(*byte)));
    }
    out
}

fn fold(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut literal = String::new();
    for token in tokens {
        match token {
            Token::Literal(symbol) if char::from_u32(*symbol).is_some() => {
                literal.extend(char::from_u32(*symbol));
                continue;
            }
            _ => flush(&mut literal, &mut out),
        }
        out.push(match token {
            Token::Class(class) => Token::Class(class.folded()),
            other => other.clone(),
        });
    }
    flush(&mut literal, &mut out);
    out
}

fn flush(literal: &mut String, out: &mut Vec<Token>) {
    let folded: String = literal.to_lowercase().nfc().collect();
    out.extend(folded.chars().map(|c| Token::Literal(u32::from(c))));
    literal.clear();
}

/// Reads one glob (without its `!`) into the patterns its braces stand for.
pub(super) fn parse(text: &str) -> Result<Vec<Pattern>, BadGlob> {
    if text.is_empty() {
        return bad("the glob is empty", "write a path such as \"src/api/**\"");
    }
    if text.starts_with('/') || text.contains('\\') {
        let message = format!("`{text}` is absolute or uses a backslash");
        return bad(message, "write paths from the repository's root, separated by /");
    }
    if text.chars().any(char::is_control) {
        return bad(format!("{text:?} holds a control character"), "remove it");
    }
    let mut alternatives = Vec::new();
    expand(text, &mut alternatives)?;
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
        return bad(format!("`{glob}` reaches into .git"), "git's own folder belongs to nobody");
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
                let negated = rest.next_if(|c| matches!(c, '!' | '^')).is_some();
                let mut ranges = Vec::new();
                loop {
                    let Some(low) = rest.next() else {
                        return bad(
                            format!("`{glob}` has a [ without a ]"),
                            "close the class: [a-z]",
                        );
                    };
                    // A ] right after the opening is a member, as in a shell.
                    if low == ']' && !ranges.is_empty() {
                        break;
                    }
                    let mut ahead = rest.clone();
                    let high = match (ahead.next(), ahead.next()) {
                        (Some('-'), Some(high)) if high != ']' => {
                            rest = ahead;
                            high
                        }
                        _ => low,
                    };
                    if low > high {
                        return bad(
                            format!("`{glob}` has the empty range {low}-{high}"),
                            "turn it round",
                        );
                    }
                    ranges.push((u32::from(low), u32::from(high)));
                }
                Token::Class(Class::new(ranges, negated))
            }
            _ => Token::Literal(u32::from(c)),
        });
    }
    Ok(out)
}
