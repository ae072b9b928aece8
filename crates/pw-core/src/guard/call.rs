//! A simple command, once its words are known.

use super::arguments::Word;

/// A simple command about to be judged.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) words: Vec<Word>,
    /// Variables set for it alone.
    pub(super) assigned: Vec<(String, String)>,
    pub(super) stdin: Option<String>,
}

impl Call {
    /// Returns the same call without its first words.
    pub(super) fn past(&self, count: usize) -> Self {
        let words = self.words.get(count..).unwrap_or_default().to_vec();
        Self { words, ..self.clone() }
    }
}
