//! The name that one segment of a glob stands for.

use super::glob::{FIRST_BYTE, Symbol, Token, tokens_match};
use super::wildcards;

/// The tokens of a segment, and the letters they start and end with.
#[derive(Default)]
pub(super) struct Name {
    tokens: Vec<Token>,
    head: Vec<Symbol>,
    tail: Vec<Symbol>,
}

impl Name {
    pub(super) fn new(tokens: Vec<Token>) -> Self {
        let letter = |token: &Token| match token {
            Token::Literal(symbol) => Some(*symbol),
            _ => None,
        };
        let head = tokens.iter().map_while(letter).collect();
        let mut tail: Vec<Symbol> = tokens.iter().rev().map_while(letter).collect();
        tail.reverse();
        Self { tokens, head, tail }
    }

    /// Returns whether a file name matches both.
    pub(super) fn meets(&self, other: &Self) -> bool {
        let head = self.head.len().min(other.head.len());
        let tail = self.tail.len().min(other.tail.len());
        self.head[..head] == other.head[..head]
            && self.tail[self.tail.len() - tail..] == other.tail[other.tail.len() - tail..]
            && wildcards::meet(&self.tokens, &other.tokens, Token::meets)
    }

    /// Returns whether this surely matches every file name that `narrow` matches.
    pub(super) fn covers(&self, narrow: &Self) -> bool {
        wildcards::matches(&self.tokens, &narrow.tokens, Token::covers)
    }

    /// Returns a file name that both match, if they meet.
    pub(super) fn common(&self, other: &Self) -> Vec<Symbol> {
        let (a, b) = (&self.tokens, &other.tokens);
        let pairs = wildcards::common(a, b, Token::meets);
        let mut name: Vec<Symbol> = pairs.iter().filter_map(|(a, b)| common_symbol(a, b)).collect();
        // No file is called "", "." or "..": the stars that allow these allow a longer name, too.
        let dots = name.len() < 3 && name.iter().all(|symbol| *symbol == u32::from('.'));
        let longer: Vec<Symbol> = name.iter().copied().chain([u32::from('x')]).collect();
        if dots && tokens_match(a, &longer) && tokens_match(b, &longer) {
            name = longer;
        }
        name
    }
}

/// Returns the bytes of a path that these symbols are.
pub(super) fn bytes(symbols: &[Symbol]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(symbols.len());
    for symbol in symbols {
        match char::from_u32(*symbol) {
            Some(letter) => bytes.extend(letter.encode_utf8(&mut [0; 4]).bytes()),
            None => bytes.extend(symbol.checked_sub(FIRST_BYTE).and_then(|n| u8::try_from(n).ok())),
        }
    }
    bytes
}

/// Returns a symbol that both tokens accept, a letter where there is a choice.
fn common_symbol(a: &Token, b: &Token) -> Option<Symbol> {
    let ends = |token: &Token| match token {
        Token::Literal(symbol) => vec![*symbol],
        Token::Class(class) => class.ranges.iter().flat_map(|(low, high)| [*low, *high]).collect(),
        Token::One | Token::Star => Vec::new(),
    };
    // Two unions of ranges that meet do so at the end of a range.
    let candidates = [u32::from('x')].into_iter().chain(ends(a)).chain(ends(b));
    candidates.into_iter().find(|symbol| a.accepts(*symbol) && b.accepts(*symbol))
}
