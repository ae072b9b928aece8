//! The signals workers give in their commits: in the subject, or in a trailer.
//!
//! ```text
//! line    = marker [ SP text ]
//! trailer = "Pw-Signal:" SP signal
//! marker  = "[" signal "]"
//! signal  = "CHECKPOINT" / "COMPLETE" / "BLOCKED:" reason / "NEEDS:" worker "/" item
//! ```
//! `line` is the first non-blank line of the message; trailers are what git takes for trailers.
//! Anything close to one of both but not exactly that never counts; it is a near miss, reported
//! with the line that would have counted. What a commit quotes of others announces nothing.

mod carrier;

pub use self::carrier::{Carrier, Template};
use crate::id::WorkerId;
use crate::text::bounded;
use crate::trailer;

/// A state a worker announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A step is finished, more follow.
    Checkpoint,
    /// It cannot go on by itself.
    Blocked {
        /// In its own words, without `]`, at most 200 characters.
        reason: String,
    },
    /// It waits for another worker.
    Needs {
        /// Whom it waits for; the plan may not have such a worker.
        worker: WorkerId,
        /// What it waits for: one of that worker's `provides`, or any other words.
        item: String,
    },
    /// Its work is done.
    Complete,
}

/// What the message of a commit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// It begins with a marker.
    Signal {
        /// What the marker says.
        signal: Signal,
        /// The rest of the line; empty when there is none.
        text: String,
    },
    /// It looks like a signal and is none.
    NearMiss {
        /// The line as it is.
        line: String,
        /// The line that would count.
        fix: String,
    },
    /// It says nothing about the worker's state.
    Plain,
}

const MAX_ARGUMENT: usize = 200;
/// How much of an argument a subject repeats: rules for subjects often allow 72 characters.
const MAX_SPOKEN: usize = 40;
/// The key of the trailer that carries a signal.
pub const KEY: &str = "Pw-Signal";

/// Returns whether `text` can stand as a reason or an item inside a marker.
pub fn is_item(text: &str) -> bool {
    let allowed = |c: char| c != ']' && !c.is_control();
    !text.trim().is_empty() && text.chars().count() <= MAX_ARGUMENT && text.chars().all(allowed)
}

impl Signal {
    /// Returns the marker, as it must stand at the start of a subject.
    pub fn marker(&self) -> String {
        format!("[{}]", self.value())
    }

    /// Returns the value of the trailer that carries it.
    pub fn value(&self) -> String {
        match self {
            Self::Checkpoint => "CHECKPOINT".to_owned(),
            Self::Blocked { reason } => format!("BLOCKED:{reason}"),
            Self::Needs { worker, item } => format!("NEEDS:{worker}/{item}"),
            Self::Complete => "COMPLETE".to_owned(),
        }
    }

    /// Returns it in words, for a subject to which the worker said nothing.
    fn spoken(&self) -> String {
        match self {
            Self::Checkpoint => "a step is finished".to_owned(),
            Self::Blocked { reason } => format!("blocked: {}", bounded(reason, MAX_SPOKEN)),
            Self::Needs { worker, item } => {
                format!("needs {} of {worker}", bounded(item, MAX_SPOKEN))
            }
            Self::Complete => "all work is finished".to_owned(),
        }
    }

    /// Returns whether it says that a worker cannot go on: such a signal is committed even when the
    /// worker's files cannot be.
    pub fn gets_out(&self) -> bool {
        matches!(self, Self::Blocked { .. } | Self::Needs { .. })
    }

    /// Reads a marker at the very start of `line`; returns it with the rest.
    fn strip(line: &str) -> Option<(Self, &str)> {
        let (inner, rest) = line.strip_prefix('[')?.split_once(']')?;
        // A trailer's value ends in no space either.
        let inner = inner.trim_end();
        let signal = match inner.split_once(':') {
            None if inner == "CHECKPOINT" => Self::Checkpoint,
            None if inner == "COMPLETE" => Self::Complete,
            Some(("BLOCKED", reason)) if is_item(reason) => {
                Self::Blocked { reason: reason.to_owned() }
            }
            Some(("NEEDS", target)) => {
                let (worker, item) = target.split_once('/')?;
                let worker = worker.parse().ok().filter(|_| is_item(item))?;
                Self::Needs { worker, item: item.to_owned() }
            }
            _ => return None,
        };
        Some((signal, rest))
    }
}

/// Reads a commit message: its first non-blank line, and its trailers.
pub fn read(message: &str) -> Subject {
    let line = message.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let line = line.trim_end_matches(['\r', ' ', '\t']);
    // These quote another commit; their author announces nothing.
    let quotes = ["Revert \"", "Reapply \"", "fixup! ", "squash! ", "amend! "];
    if quotes.iter().any(|prefix| line.starts_with(prefix)) {
        return Subject::Plain;
    }
    let marked = marked(line);
    let trailers = trailer::values(message, KEY);
    let carried = trailers.iter().map(|value| signal_of(value));
    // One commit announces one state.
    let mut all = marked.iter().map(|(signal, _)| Some(signal.clone())).chain(carried);
    match all.next() {
        Some(Some(signal)) if all.all(|other| other.as_ref() == Some(&signal)) => {
            let text = marked.map_or(line, |(_, text)| text).to_owned();
            Subject::Signal { signal, text }
        }
        Some(first) => unclear(&trailers, first.filter(|_| marked.is_some())),
        // A trailer that a paragraph follows is none.
        None => match message.lines().skip(1).find(|line| is_ours(line)) {
            Some(line) => misplaced(line),
            None if line.starts_with("Merge ") => Subject::Plain,
            None => match suggestion(line) {
                Some(fix) => Subject::NearMiss { line: line.to_owned(), fix },
                None => Subject::Plain,
            },
        },
    }
}

/// Reads a marker that counts at the start of a subject; returns it with the text behind it.
fn marked(line: &str) -> Option<(Signal, &str)> {
    let (signal, rest) = Signal::strip(line)?;
    let text = rest.strip_prefix(' ').unwrap_or_default().trim();
    let exact = rest.is_empty() || rest.starts_with(' ');
    (exact && !looks_like_marker(text)).then_some((signal, text))
}

fn signal_of(value: &str) -> Option<Signal> {
    let marker = format!("[{value}]");
    let (signal, rest) = Signal::strip(&marker)?;
    rest.is_empty().then_some(signal)
}

/// Returns the near miss of trailers that say no signal, or several, or another one than the
/// subject.
fn unclear(trailers: &[String], subject: Option<Signal>) -> Subject {
    let wrong = trailers.iter().find(|value| signal_of(value).is_none());
    let wrong = wrong.or(trailers.last()).cloned().unwrap_or_default();
    let fix = match subject {
        Some(signal) => format!("{KEY}: {}", signal.value()),
        None => format!("{KEY}: {}", corrected(&wrong)),
    };
    Subject::NearMiss { line: format!("{KEY}: {wrong}"), fix }
}

fn is_ours(line: &str) -> bool {
    trailer::split(line).is_some_and(|(key, _)| key.eq_ignore_ascii_case(KEY))
}

/// Returns the near miss of a line that would be a trailer at the end of the message.
fn misplaced(line: &str) -> Subject {
    let value = trailer::split(line).map(|(_, value)| corrected(value)).unwrap_or_default();
    let fix = format!("{KEY}: {value}, in the last paragraph, among trailers alone");
    Subject::NearMiss { line: line.to_owned(), fix }
}

/// Returns the value of a trailer that would count instead of this one.
fn corrected(value: &str) -> String {
    let bare = value.trim().trim_start_matches('[').split(']').next().unwrap_or_default();
    let marker = match bracket(bare) {
        Some((name, argument)) => fixed(name, argument, ""),
        None => "[CHECKPOINT]".to_owned(),
    };
    marker.trim_matches(['[', ']']).to_owned()
}

/// What people write when they mean a marker.
const SYNONYMS: &[(&str, &str)] = &[
    ("checkpoint", "CHECKPOINT"),
    ("check-point", "CHECKPOINT"),
    ("check point", "CHECKPOINT"),
    ("checkpoints", "CHECKPOINT"),
    ("complete", "COMPLETE"),
    ("completed", "COMPLETE"),
    ("done", "COMPLETE"),
    ("finished", "COMPLETE"),
    ("blocked", "BLOCKED"),
    ("block", "BLOCKED"),
    ("blocker", "BLOCKED"),
    ("needs", "NEEDS"),
    ("need", "NEEDS"),
];

/// Returns the bracket's word as a marker's name, and what follows the colon.
fn bracket(text: &str) -> Option<(&'static str, &str)> {
    let (word, argument) = text.split_once(':').unwrap_or((text, ""));
    let word = word.trim().to_lowercase();
    let (_, name) = SYNONYMS.iter().find(|(synonym, _)| *synonym == word)?;
    Some((name, argument.trim()))
}

fn looks_like_marker(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    inner.is_some_and(|(inner, _)| bracket(inner).is_some())
}

/// Returns the line that would count, when `line` holds something that looks like a marker.
fn suggestion(line: &str) -> Option<String> {
    let line = line.replace(['［', '【'], "[").replace(['］', '】'], "]").replace('：', ":");
    let mut rest = line.as_str();
    while let Some((before, after)) = rest.split_once('[') {
        let Some((inner, text)) = after.split_once(']') else {
            // `[COMPLETE` or `[BLOCKED:no key`, never closed.
            let (word, argument) = after.split_once([':', ' ']).unwrap_or((after, ""));
            return bracket(word)
                .filter(|_| before.is_empty())
                .map(|(name, _)| fixed(name, argument, ""));
        };
        if let Some((name, argument)) = bracket(inner) {
            return Some(fixed(name, argument, text));
        }
        rest = text;
    }
    None
}

fn fixed(name: &str, argument: &str, text: &str) -> String {
    let marker = match name {
        "BLOCKED" if is_item(argument) => format!("[BLOCKED:{argument}]"),
        "BLOCKED" => "[BLOCKED:<reason>]".to_owned(),
        "NEEDS" => match argument.split_once('/') {
            Some((worker, item)) if worker.parse::<WorkerId>().is_ok() && is_item(item) => {
                format!("[NEEDS:{worker}/{item}]")
            }
            _ => "[NEEDS:<worker>/<item>]".to_owned(),
        },
        other => format!("[{other}]"),
    };
    let text = text.trim_start_matches(['*', '`', ':', '-', ' ', '\t']).trim();
    // A second marker cannot be kept: one subject announces one state.
    let text = if looks_like_marker(text) {
        text.split_once(']').map_or("", |(_, t)| t.trim())
    } else {
        text
    };
    if text.is_empty() { marker } else { format!("{marker} {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(line: &str) -> Option<(String, String)> {
        match read(line) {
            Subject::Signal { signal, text } => Some((signal.marker(), text)),
            _ => None,
        }
    }

    #[test]
    fn exact_markers_count() {
        for (line, marker, text) in [
            ("[CHECKPOINT] model done", "[CHECKPOINT]", "model done"),
            ("[COMPLETE]", "[COMPLETE]", ""),
            ("\n  \n[COMPLETE] all\nbody", "[COMPLETE]", "all"),
            ("[COMPLETE] \t\r", "[COMPLETE]", ""),
            ("[BLOCKED:no API key] asked", "[BLOCKED:no API key]", "asked"),
            ("[NEEDS:task-1/UserModel] x", "[NEEDS:task-1/UserModel]", "x"),
            ("[NEEDS:task-1/api/users.py]", "[NEEDS:task-1/api/users.py]", ""),
            ("[CHECKPOINT]  [skip ci] x", "[CHECKPOINT]", "[skip ci] x"),
        ] {
            assert_eq!(signal(line), Some((marker.to_owned(), text.to_owned())), "{line:?}");
        }
    }

    #[test]
    fn a_trailer_counts_as_a_marker_does() {
        for (message, marker, text) in [
            ("feat: a\n\nPw-Signal: CHECKPOINT\n", "[CHECKPOINT]", "feat: a"),
            ("JIRA-1 a\n\nwhy\n\npw-signal: COMPLETE\nRefs: 1", "[COMPLETE]", "JIRA-1 a"),
            ("a\n\nPw-Signal: BLOCKED:no\n key\n", "[BLOCKED:no key]", "a"),
            ("a\n\nPw-Signal: NEEDS:b/x y\nChange-Id: I1", "[NEEDS:b/x y]", "a"),
            ("fix: [COMPLETE] a\n\nPw-Signal: COMPLETE", "[COMPLETE]", "fix: [COMPLETE] a"),
            ("[COMPLETE] a\n\nPw-Signal: COMPLETE", "[COMPLETE]", "a"),
            ("Merge the lists\n\nPw-Signal: COMPLETE", "[COMPLETE]", "Merge the lists"),
        ] {
            assert_eq!(signal(message), Some((marker.to_owned(), text.to_owned())), "{message:?}");
        }
    }

    #[test]
    fn a_trailer_that_is_quoted_misplaced_or_unclear_never_counts() {
        for (message, expected) in [
            ("Revert \"a\"\n\nPw-Signal: COMPLETE", None),
            ("fixup! a\n\nPw-Signal: COMPLETE", None),
            ("squash! a\n\nPw-Signal: COMPLETE", None),
            // As git merge --squash quotes others.
            (
                "Squashed commit of the following:\n\ncommit 1\n\n    a\n\n    Pw-Signal: COMPLETE",
                None,
            ),
            ("a\n\nPw-Signal: complete", Some("Pw-Signal: COMPLETE")),
            ("a\n\nPw-Signal: [DONE]", Some("Pw-Signal: COMPLETE")),
            ("a\n\nPw-Signal: BLOCKED", Some("Pw-Signal: BLOCKED:<reason>")),
            ("a\n\nPw-Signal: who knows", Some("Pw-Signal: CHECKPOINT")),
            ("a\n\nPw-Signal: CHECKPOINT\nPw-Signal: COMPLETE", Some("Pw-Signal: COMPLETE")),
            ("[COMPLETE] a\n\nPw-Signal: CHECKPOINT", Some("Pw-Signal: COMPLETE")),
            (
                "a\n\nPw-Signal: COMPLETE\n\nmore",
                Some("Pw-Signal: COMPLETE, in the last paragraph, among trailers alone"),
            ),
        ] {
            let fix = match read(message) {
                Subject::NearMiss { fix, .. } => Some(fix),
                Subject::Plain => None,
                signal => panic!("{message:?} was read as {signal:?}"),
            };
            assert_eq!(fix.as_deref(), expected, "{message:?}");
        }
    }

    #[test]
    fn near_misses_never_count_and_say_how_they_would() {
        for (line, fix) in [
            ("[complete] done", "[COMPLETE] done"),
            (" [COMPLETE] done", "[COMPLETE] done"),
            ("\u{feff}[COMPLETE] done", "[COMPLETE] done"),
            ("fix: [COMPLETE]", "[COMPLETE]"),
            ("[COMPLETE]x", "[COMPLETE] x"),
            ("[COMPLETE]: x", "[COMPLETE] x"),
            ("**[COMPLETE]** x", "[COMPLETE] x"),
            ("［COMPLETE］ x", "[COMPLETE] x"),
            ("[DONE] x", "[COMPLETE] x"),
            ("[BLOCKED] x", "[BLOCKED:<reason>] x"),
            ("[BLOCKED: ] x", "[BLOCKED:<reason>] x"),
            ("[blocked:ci] x", "[BLOCKED:ci] x"),
            ("[NEEDS:task-1] x", "[NEEDS:<worker>/<item>] x"),
            ("[Needs: task-1/a] x", "[NEEDS:task-1/a] x"),
            ("[CHECKPOINT][COMPLETE] x", "[CHECKPOINT] x"),
            ("[CHECKPOINT] [COMPLETE] x", "[CHECKPOINT] x"),
            ("[COMPLETE", "[COMPLETE]"),
        ] {
            match read(line) {
                Subject::NearMiss { fix: found, .. } => assert_eq!(found, fix, "{line:?}"),
                other => panic!("{line:?} was read as {other:?}"),
            }
        }
    }

    #[test]
    fn ordinary_subjects_are_plain() {
        for line in [
            "",
            "add users",
            "[skip ci] x",
            "[JIRA-1] x",
            "array[0] = done",
            "Revert \"[COMPLETE] x\"",
            "fixup! [COMPLETE] x",
            "squash! [CHECKPOINT] y",
            "Merge branch 'x' [COMPLETE]",
            "a[b",
        ] {
            assert_eq!(read(line), Subject::Plain, "{line:?}");
        }
    }
}
