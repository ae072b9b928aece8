//! Variables of a shell that hold several words.

use std::collections::BTreeMap;

use super::arguments::UNKNOWN;

/// Where an element stands; elements are told in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Index(usize),
    /// Of an array that is `declare -A`.
    Key(String),
}

impl Place {
    /// Returns the place of the word behind this one.
    pub(super) fn next(&self) -> Option<Self> {
        match self {
            Self::Index(index) => index.checked_add(1).map(Self::Index),
            Self::Key(_) => None,
        }
    }
}

/// The elements of one variable, as far as they are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Array {
    /// Whether words, not numbers, tell its elements apart.
    pub(super) has_keys: bool,
    elements: BTreeMap<Place, String>,
    /// Elements whose place the script does not tell: each can be any other one.
    strays: Vec<String>,
}

impl Array {
    pub(super) fn new(words: impl IntoIterator<Item = String>) -> Self {
        let mut array = Self::default();
        words.into_iter().for_each(|word| array.push(word));
        array
    }

    pub(super) fn with_keys() -> Self {
        Self { has_keys: true, ..Self::default() }
    }

    /// Adds an element behind the last.
    pub(super) fn push(&mut self, value: String) {
        let next = self.past_last();
        self.elements.insert(Place::Index(next), value);
    }

    /// Sets an element; one whose place is unknown replaces none.
    pub(super) fn set(&mut self, place: Option<Place>, value: String) {
        match place {
            Some(place) => drop(self.elements.insert(place, value)),
            None => self.strays.push(value),
        }
    }

    /// Takes an element away, if its place is known.
    pub(super) fn unset(&mut self, place: Option<&Place>) {
        place.map(|place| self.elements.remove(place));
    }

    /// Returns an element, if there is one that it must be.
    pub(super) fn get(&self, place: Option<&Place>) -> Option<&str> {
        let mut can_be: Vec<&String> = match place {
            Some(place) => self.elements.get(place).into_iter().collect(),
            None => self.elements.values().collect(),
        };
        can_be.extend(&self.strays);
        can_be.sort_unstable();
        can_be.dedup();
        if let [only] = can_be[..] { Some(only) } else { None }
    }

    /// Returns all elements in their order.
    pub(super) fn words(&self) -> Vec<String> {
        self.elements.values().chain(&self.strays).cloned().collect()
    }

    /// Returns the places of all elements, as `${!x[@]}` tells them.
    pub(super) fn places(&self) -> Vec<String> {
        let known = self.elements.keys().map(|place| match place {
            Place::Index(index) => index.to_string(),
            Place::Key(key) => key.clone(),
        });
        known.chain(self.strays.iter().map(|_| UNKNOWN.to_string())).collect()
    }

    /// Returns what an index means, of which all variables are expanded.
    pub(super) fn place(
        &self,
        index: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Option<Place> {
        if index.contains(UNKNOWN) {
            return None;
        }
        if self.has_keys {
            return Some(Place::Key(index.to_owned()));
        }
        let index = index.trim();
        let number = match index.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            true => number(&variable(index)?),
            false => number(index),
        }?;
        let from_end =
            || self.past_last().checked_sub(usize::try_from(number.unsigned_abs()).ok()?);
        let index = usize::try_from(number).ok().or_else(from_end)?;
        Some(Place::Index(index))
    }

    fn past_last(&self) -> usize {
        match self.elements.last_key_value() {
            Some((Place::Index(last), _)) => last.saturating_add(1),
            _ => 0,
        }
    }
}

/// Reads a number; with a zero in front it would be one of base 8.
fn number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits == "0" || !digits.starts_with(['0', '+']);
    text.parse().ok().filter(|_| is_plain)
}
