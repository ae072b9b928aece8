//! What a glob means, and whether a real path matches it.

use super::wildcards::{self, Wild};

/// A character of a path; a byte that is not UTF-8 becomes a symbol above all characters.
pub(super) type Symbol = u32;

/// The first symbol that stands for a byte outside UTF-8, and the last symbol of all.
pub(super) const FIRST_BYTE: Symbol = 0x11_0000;
pub(super) const LAST_SYMBOL: Symbol = FIRST_BYTE + 0xff;

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
    pub(super) fn new(ranges: Vec<(Symbol, Symbol)>) -> Self {
        Self { ranges: merged(ranges) }
    }

    pub(super) fn negated(mut ranges: Vec<(Symbol, Symbol)>) -> Self {
        // NUL and the separator are in no name, so they belong to what is taken away.
        ranges.extend([(0, 0), (u32::from('/'), u32::from('/'))]);
        Self { ranges: complement(&merged(ranges)) }
    }

    pub(super) fn contains(&self, symbol: Symbol) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&symbol))
    }
}

/// Returns the same ranges sorted, those that touch as one.
fn merged(mut ranges: Vec<(Symbol, Symbol)>) -> Vec<(Symbol, Symbol)> {
    ranges.sort_unstable();
    let mut out: Vec<(Symbol, Symbol)> = Vec::with_capacity(ranges.len());
    for (low, high) in ranges {
        match out.last_mut() {
            Some(last) if low <= last.1 + 1 => last.1 = last.1.max(high),
            _ => out.push((low, high)),
        }
    }
    out
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

    /// Returns whether this token, no star, surely stands for every symbol that `narrow` does.
    pub(super) fn covers(&self, narrow: &Self) -> bool {
        match (self, narrow) {
            (_, Self::Star) => false,
            (Self::One, _) => true,
            (token, Self::Literal(symbol)) => token.accepts(*symbol),
            (token, narrow) => token == narrow,
        }
    }

    /// Returns whether there is a symbol that both tokens can stand for.
    pub(super) fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Literal(symbol), token) | (token, Self::Literal(symbol)) => {
                token.accepts(*symbol)
            }
            (Self::Class(a), Self::Class(b)) => {
                let touches = |a: &(Symbol, Symbol), b: &(Symbol, Symbol)| a.0 <= b.1 && b.0 <= a.1;
                a.ranges.iter().any(|range| b.ranges.iter().any(|other| touches(range, other)))
            }
            _ => true,
        }
    }
}

impl Wild for Token {
    fn is_any(&self) -> bool {
        matches!(self, Self::Star)
    }
}

impl Wild for Segment {
    fn is_any(&self) -> bool {
        matches!(self, Self::Any)
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

impl Segment {
    /// Returns the letters of a segment that is literal.
    fn letters(&self) -> String {
        let letter = |token: &Token| match token {
            Token::Literal(symbol) => char::from_u32(*symbol),
            _ => None,
        };
        match self {
            Self::Any => String::new(),
            Self::One(tokens) => tokens.iter().filter_map(letter).collect(),
        }
    }
}

impl Pattern {
    /// Returns whether the pattern matches a path given as the symbols of its segments.
    pub(super) fn matches(&self, path: &[Vec<Symbol>]) -> bool {
        wildcards::matches(&self.segments, path, |segment, name| match segment {
            Segment::Any => true,
            Segment::One(tokens) => tokens_match(tokens, name),
        })
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

    /// Returns the folder that all this matches lies below, or is; `None` where that may be
    /// anywhere. Empty for files at the top alone.
    pub(super) fn folder(&self) -> Option<String> {
        let literal = self.segments.iter().take_while(|segment| segment.is_literal()).count();
        let at_top = self.segments.len() == 1 && !matches!(self.segments[0], Segment::Any);
        let words = self.segments[..literal].iter().map(Segment::letters);
        (literal > 0 || at_top).then(|| words.collect::<Vec<_>>().join("/"))
    }

    /// Returns whether the last segment is a wildcard that stays in its folder.
    pub(super) fn is_shallow(&self) -> bool {
        let ends_open = self.segments.last().is_some_and(|segment| !segment.is_literal());
        let below_any = self.segments.iter().any(|segment| matches!(segment, Segment::Any));
        ends_open && !below_any
    }
}

pub(super) fn tokens_match(tokens: &[Token], name: &[Symbol]) -> bool {
    wildcards::matches(tokens, name, |token, symbol| token.accepts(*symbol))
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
