//! What every answer has: the id of its schema.

use schemars::JsonSchema;
use serde::Serialize;

/// An answer a helper can print; the text is the `schema` of its document.
pub trait Report: Serialize + JsonSchema {
    /// The `schema` of the document, `pw-monitor.status/1` for example.
    const SCHEMA: &'static str;
}

/// A single next step, with a command that can be run as it is.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize, JsonSchema)]
pub struct NextStep {
    /// What to do, one word: `launch`, `read`, `resume`, `finish`, `advance`, `integrate`, …
    pub action: String,
    /// The worker it concerns; absent when it is about all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<crate::id::WorkerId>,
    /// A shell command, complete and quoted.
    pub command: String,
}

impl NextStep {
    /// A step about all workers.
    pub fn new(action: &str, command: impl Into<String>) -> Self {
        Self { action: action.to_owned(), worker: None, command: command.into() }
    }
}

/// Returns `1 file`, `2 files`.
pub fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Returns at most `limit` characters of a text, and `…` where more follows.
pub fn bounded(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns `text` as one word of a POSIX shell command.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    let ordinary = !text.is_empty() && !text.starts_with(['-', '~']) && text.chars().all(plain);
    if ordinary { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn words_are_quoted_only_where_a_shell_would_read_more_into_them() {
        assert_eq!(shell_word("/a/b-c.sh"), "/a/b-c.sh");
        assert_eq!(shell_word("it's $(id)"), r"'it'\''s $(id)'");
        assert_eq!(shell_word(""), "''");
    }
}
