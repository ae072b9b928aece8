//! Which items a text comes after: by number, by name, by section, or in words.
//!
//! `after` and `requires` are also said of things that are no items ("log out after 30 minutes"), so
//! outside of brackets and labels only what names an item for sure counts.

use std::collections::BTreeSet;

use super::sections::Draft;
use super::words::{bracketed, is_key, key, words};
use crate::text::bounded;

/// What comes before the thing that is waited for; whether it is never said of anything else.
const TRIGGERS: &[(&str, bool)] = &[
    ("after", false),
    ("blocked by", true),
    ("builds on", true),
    ("dependencies", true),
    ("dependent on", true),
    ("depends on", true),
    ("depends upon", true),
    ("depends", true),
    ("deps", true),
    ("following", false),
    ("needs", false),
    ("once", false),
    ("requires", false),
    ("waits for", true),
];

/// What comes before the thing that waits.
const REVERSED: &[&str] = &["before", "blocks"];

const NOUNS: &[&str] = &[
    "item", "items", "task", "tasks", "step", "steps", "story", "ticket", "issue", "no", "number",
];

const PARTS: &[&str] = &["phase", "milestone", "stage", "wave", "part", "step"];

/// Words that say nothing about which item is meant.
const EMPTY: &[&str] = &[
    "a",
    "all",
    "an",
    "and",
    "are",
    "available",
    "be",
    "been",
    "both",
    "complete",
    "completed",
    "done",
    "exist",
    "exists",
    "finished",
    "for",
    "from",
    "has",
    "have",
    "in",
    "is",
    "item",
    "its",
    "landed",
    "merged",
    "of",
    "on",
    "or",
    "our",
    "place",
    "ready",
    "shipped",
    "task",
    "that",
    "the",
    "there",
    "this",
    "to",
    "with",
    "work",
    "works",
];

/// What an item waits for.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    /// Items, as places among the drafts.
    pub on: BTreeSet<usize>,
    /// Items that wait for this one.
    pub blocks: BTreeSet<usize>,
    /// What it waits for besides, as the document says it: no item has that name.
    pub unknown: Vec<String>,
}

/// One thing that a clause names.
#[derive(Debug)]
enum Reference<'t> {
    /// `2`, `item 2`; whether it is sure to be an item.
    Number(u64, bool),
    Key(&'t str),
    Part(String),
    Previous,
    AllBefore,
    Phrase(&'t str, bool),
}

/// Returns what the item at a place waits for.
pub(super) fn waits(drafts: &[Draft], at: usize) -> Waits {
    let mut waits = Waits::default();
    let draft = &drafts[at];
    for text in [&draft.text].into_iter().chain(&draft.steps).chain(draft.context.last()) {
        let first = bracketed(text).filter_map(|part| part.strip_suffix(" first"));
        let by_word = TRIGGERS.iter().flat_map(|(word, sure)| clauses(text, word, *sure));
        for (clause, is_sure) in by_word.chain(first.map(|clause| (clause, true))) {
            for reference in references(clause) {
                match resolve(drafts, at, &reference, is_sure) {
                    Some(found) => waits.on.extend(found),
                    None if is_sure => waits.unknown.extend(named(&reference)),
                    None => {}
                }
            }
        }
        let reversed = REVERSED.iter().flat_map(|word| clauses(text, word, false));
        let reversed = reversed.flat_map(|(clause, _)| references(clause));
        let found = reversed.filter_map(|reference| resolve(drafts, at, &reference, false));
        waits.blocks.extend(found.flatten());
    }
    waits.on.remove(&at);
    waits.blocks.remove(&at);
    waits
}

/// Returns what follows a word up to the end of its clause, and whether it can only be an item.
fn clauses<'t>(
    text: &'t str,
    word: &'t str,
    is_sure: bool,
) -> impl Iterator<Item = (&'t str, bool)> {
    let lower = text.to_ascii_lowercase();
    let found: Vec<usize> = lower.match_indices(word).map(|(at, _)| at).collect();
    found.into_iter().filter_map(move |at| {
        let (before, rest) = (&text[..at], &text[at + word.len()..]);
        let is_word = |c: Option<char>| {
            c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '`'))
        };
        if is_word(before.chars().next_back()) || is_word(rest.chars().next()) {
            return None;
        }
        if word == "depends" && rest.trim_start().starts_with(['o', 'u']) {
            return None;
        }
        let is_label = before.is_empty() && rest.starts_with(':');
        let open = before.trim_end().ends_with(['(', '[', ',', ';', '—', '–']);
        let is_bracketed = before.rfind(['(', '[']) > before.rfind([')', ']']);
        let rest = rest.trim_start_matches([':', ' ']);
        let ends = [". ", "; ", ")", "]", " so ", " because ", " — ", " – "];
        let end = ends.iter().filter_map(|end| rest.find(end)).min().unwrap_or(rest.len());
        let clause = rest[..end].trim_end_matches(['.', ';', ' ']);
        (!clause.is_empty()).then_some((clause, is_sure || is_label || (open && is_bracketed)))
    })
}

/// Returns what a clause names: a list of numbers and names, or words.
fn references(clause: &str) -> Vec<Reference<'_>> {
    let quoted: Vec<&str> = clause
        .split(['"', '“', '”'])
        .enumerate()
        .filter(|(at, part)| at % 2 == 1 && !part.is_empty())
        .map(|(_, part)| part)
        .collect();
    if !quoted.is_empty() {
        return quoted.into_iter().map(|part| Reference::Phrase(part, true)).collect();
    }
    let mut found = Vec::new();
    let mut tokens =
        clause.split([' ', ',', '&', '+']).filter(|token| !token.is_empty()).peekable();
    let mut noun = false;
    while let Some(token) = tokens.next() {
        let lower = token.to_lowercase();
        if ["and", "or", "the", "both", "of", "all"].contains(&lower.as_str()) {
            continue;
        }
        let next = tokens.peek().copied();
        let number = |token: &str| token.trim_start_matches('#').parse::<u64>().ok();
        if let Some(part) = next.and_then(number).filter(|_| PARTS.contains(&lower.as_str())) {
            found.push(Reference::Part(format!("{lower} {part}")));
            // A step is also what items are called.
            if lower == "step" {
                found.pop();
                noun = true;
                continue;
            }
            tokens.next();
        } else if NOUNS.contains(&lower.as_str()) {
            noun = true;
        } else if let Some((first, last)) = range(token) {
            found.extend((first..=last).map(|number| Reference::Number(number, noun)));
        } else if let Some(n) = number(token).filter(|_| !token.starts_with('#')) {
            // A bare number is an item's only where the list ends with it: not `30 minutes`.
            let ends = next.is_none_or(|next| {
                number(next).is_some() || ["and", "or"].contains(&next.to_lowercase().as_str())
            });
            if !noun && !ends {
                break;
            }
            found.push(Reference::Number(n, noun));
        } else if is_key(token) {
            found.push(Reference::Key(token));
        } else if lower.starts_with("previous") || lower.starts_with("preceding") {
            found.push(Reference::Previous);
        } else if lower == "above" || lower == "everything" {
            found.push(if lower == "above" && !clause.contains("all") {
                Reference::Previous
            } else {
                Reference::AllBefore
            });
            break;
        } else {
            break;
        }
    }
    if found.is_empty() {
        found.push(Reference::Phrase(clause, false));
    }
    found
}

/// Reads `1-3`.
fn range(token: &str) -> Option<(u64, u64)> {
    let (first, last) = token.split_once(['-', '–'])?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first < last && last - first < 50).then_some((first, last))
}

fn named(reference: &Reference<'_>) -> Option<String> {
    Some(match reference {
        Reference::Number(number, _) => format!("item {number}"),
        Reference::Key(key) => (*key).to_owned(),
        Reference::Part(part) => part.clone(),
        Reference::Phrase(phrase, _) => bounded(phrase, 60),
        Reference::Previous | Reference::AllBefore => return None,
    })
}

/// Returns the items that are meant; `None` when it is not sure that there is one.
fn resolve(
    drafts: &[Draft],
    at: usize,
    reference: &Reference<'_>,
    is_sure: bool,
) -> Option<Vec<usize>> {
    let own = &drafts[at];
    let all = || (0..drafts.len()).filter(|other| *other != at);
    let here = || all().filter(|other| drafts[*other].document == own.document);
    match reference {
        Reference::Number(number, noun) => {
            let has = |other: &usize| drafts[*other].number == Some(*number);
            let beside = here().filter(|other| drafts[*other].section == own.section).find(has);
            let only = || one(here().filter(has));
            let nth = || {
                let first = (0..drafts.len()).find(|i| drafts[*i].document == own.document)?;
                let nth = first + usize::try_from(*number).ok()?.checked_sub(1)?;
                let has_numbers = here().any(|other| drafts[other].number.is_some());
                here().find(|other| *other == nth && !has_numbers && *noun)
            };
            beside.or_else(only).or_else(nth).map(|found| vec![found])
        }
        Reference::Key(wanted) => {
            let has = |other: &usize| key(&drafts[*other].text) == Some(wanted);
            one(all().filter(has)).map(|found| vec![found])
        }
        Reference::Part(part) => {
            let is_in = |other: &usize| {
                let titles = &drafts[*other].context;
                titles.iter().any(|title| {
                    let title: Vec<String> = words(title).take(2).collect();
                    title.join(" ") == *part
                })
            };
            let found: Vec<usize> = here().filter(is_in).collect();
            (!found.is_empty()).then_some(found)
        }
        Reference::Previous => at.checked_sub(1).map(|before| vec![before]),
        Reference::AllBefore => Some(here().filter(|other| *other < at).collect()),
        Reference::Phrase(phrase, is_quoted) => {
            phrase_of(drafts, at, phrase, is_sure || *is_quoted)
        }
    }
}

/// Returns the one item whose words are those of a phrase, most of them at least.
fn phrase_of(drafts: &[Draft], at: usize, phrase: &str, is_sure: bool) -> Option<Vec<usize>> {
    let whole = best(drafts, at, phrase, is_sure).map(|found| vec![found]);
    whole.or_else(|| {
        let parts: Vec<&str> = phrase.split(" and ").flat_map(|part| part.split(", ")).collect();
        let found = parts.iter().map(|part| best(drafts, at, part, is_sure));
        found.collect::<Option<Vec<usize>>>().filter(|_| parts.len() > 1)
    })
}

fn best(drafts: &[Draft], at: usize, phrase: &str, is_sure: bool) -> Option<usize> {
    let wanted = telling(phrase);
    if wanted.is_empty() || (!is_sure && wanted.len() < 2) {
        return None;
    }
    let score = |other: usize| {
        let has = telling(&drafts[other].text);
        let found = wanted.iter().filter(|word| has.contains(*word)).count();
        // All words, or all but one of many; then the item with the fewest others.
        (found * 4 >= wanted.len() * 3).then_some((found, std::cmp::Reverse(has.len())))
    };
    let others = (0..drafts.len()).filter(|other| *other != at);
    let mut scored: Vec<_> = others.filter_map(|other| Some((score(other)?, other))).collect();
    scored.sort_unstable();
    let (most, found) = scored.pop()?;
    scored.last().is_none_or(|(next, _)| next.0 < most.0 || next.1 < most.1).then_some(found)
}

/// Returns the words that tell one item from another, without an `s` at their end.
fn telling(text: &str) -> BTreeSet<String> {
    let words = words(text).filter(|word| !EMPTY.contains(&word.as_str()));
    words.map(|word| word.strip_suffix('s').map_or(word.clone(), str::to_owned)).collect()
}

fn one(mut found: impl Iterator<Item = usize>) -> Option<usize> {
    let first = found.next()?;
    found.next().is_none().then_some(first)
}
