//! Names without letter case and Unicode form, for systems that do not tell them apart.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;

use super::glob::{Class, Symbol, Token};

/// Lists of symbols that differ in letter case only, the folded one first.
pub(super) static SPELLINGS: LazyLock<Vec<Vec<Symbol>>> = LazyLock::new(|| {
    // No letter with two cases lies above this one.
    const LAST_LETTER: char = '\u{1ffff}';
    let has_cases = |letter: &char| {
        !letter.to_lowercase().eq([*letter]) || !letter.to_uppercase().eq([*letter])
    };
    let mut spellings: BTreeMap<Symbol, Vec<Symbol>> = BTreeMap::new();
    for letter in ('\0'..=LAST_LETTER).filter(has_cases) {
        if let Some(folded) = fold_one(letter) {
            let all = spellings.entry(folded).or_insert_with(|| vec![folded]);
            all.extend(Some(u32::from(letter)).filter(|symbol| *symbol != folded));
        }
    }
    spellings.into_values().collect()
});

/// Returns the folded form of a character that stays one character.
fn fold_one(letter: char) -> Option<Symbol> {
    let mut folded = fold_text(std::iter::once(letter));
    folded.next().filter(|_| folded.next().is_none()).map(u32::from)
}

/// Returns the text without letter case and Unicode form.
pub fn folded(text: &str) -> String {
    fold_text(text.chars()).collect()
}

/// Returns the text in one letter case and Unicode form.
///
/// Letter by letter, so that a final sigma is any sigma; by way of the capitals, which is full case
/// folding for ß (SS), ſ (S) and the ligatures, and also makes ı an i.
fn fold_text(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    text.nfd()
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfc()
}

/// Returns the tokens of a segment folded. A `?` or a class stays one character of the folded name:
/// `stra?e` is not STRASSE.
pub(super) fn fold(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut literal = String::new();
    for token in tokens {
        match token {
            Token::Literal(symbol) => literal.extend(char::from_u32(*symbol)),
            other => {
                flush(&mut literal, &mut out);
                out.push(match other {
                    Token::Class(class) => Token::Class(fold_class(class)),
                    other => other.clone(),
                });
            }
        }
    }
    flush(&mut literal, &mut out);
    out
}

fn flush(literal: &mut String, out: &mut Vec<Token>) {
    out.extend(fold_text(literal.chars()).map(|c| Token::Literal(u32::from(c))));
    literal.clear();
}

/// Returns the class with the folded forms of its members.
fn fold_class(class: &Class) -> Class {
    let mut ranges = class.ranges.clone();
    for symbols in SPELLINGS.iter() {
        if symbols.iter().any(|symbol| class.contains(*symbol)) {
            ranges.push((symbols[0], symbols[0]));
        }
    }
    Class::new(ranges)
}
