//! What the words of a document say besides what is to be done: whether it is work at all, how
//! urgent, how much, and what is left open.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::Size;

/// How urgent an item is, in whatever words the document has.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// `P0`, `P1`, high, urgent, critical, must have.
    High,
    /// `P2`, medium, should have.
    Medium,
    /// `P3`, `P4`, low, could have, nice to have.
    Low,
}

/// Verbs that begin a task.
const VERBS: &str = "\
    add adjust allow audit automate avoid backfill benchmark build bump cache change check clean \
    collect configure consolidate convert cover create cut decide define delete deprecate \
    describe design detect disable document drop emit enable encrypt enforce ensure evaluate \
    expand explain expose extend extract figure finish fix generate guard handle harden hide \
    implement import improve index install instrument integrate introduce investigate isolate \
    limit link list load localize log make map measure merge migrate mock move normalize notify \
    offer open optimize paginate parse patch persist pin polish port prevent print profile \
    provide publish read record redesign reduce refactor reject release remember remove rename \
    render reorganize repair replace report require research resolve respect restrict retry \
    return review rework rewrite run sanitize save scaffold send separate serve set setup ship \
    show simplify sort speed split stop store stream support switch sync teach test throttle \
    tidy track translate trim tune turn unify update upgrade use validate verify warn wire wrap \
    write";

/// Words before the verb of a task.
const POLITE: &[&str] = &["also", "finally", "first", "lastly", "next", "please", "then"];

/// Phrases with which a sentence asks for something.
const WISHES: &[&str] = &["we need to ", "we have to ", "we should ", "we want to ", "we must "];

/// Headings below which stands no work of this document.
const BACKGROUND: &[&str] = &[
    "acceptance criteria",
    "appendix",
    "assumptions",
    "background",
    "changelog",
    "completed",
    "constraints",
    "contents",
    "context",
    "definition of done",
    "done",
    "future",
    "glossary",
    "history",
    "introduction",
    "license",
    "links",
    "motivation",
    "non goals",
    "nongoals",
    "not planned",
    "notes",
    "open questions",
    "out of scope",
    "overview",
    "principles",
    "questions",
    "references",
    "rejected",
    "resources",
    "risks",
    "see also",
    "success criteria",
    "summary",
    "table of contents",
    "terminology",
    "won t do",
    "won t have",
];

/// What a line tells about an item instead of being one.
const LABELS: &[&str] = &[
    "acceptance",
    "after",
    "assignee",
    "blocked by",
    "depends",
    "depends on",
    "dependencies",
    "deps",
    "effort",
    "est",
    "estimate",
    "file",
    "files",
    "note",
    "notes",
    "owner",
    "priority",
    "requires",
    "risk",
    "size",
    "status",
    "touches",
    "why",
];

/// Words of a heading that is one item, before its number.
const NOUNS: &[&str] = &["feature", "issue", "item", "story", "task", "ticket"];

/// Words that leave open what is to be done.
const OPEN: &[&str] = &[
    "tbd",
    "to be decided",
    "to be defined",
    "unclear",
    "not sure",
    "decide whether",
    "figure out",
    "somehow",
];

/// Returns the words, in lower case, without punctuation around them.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '#');
    text.split(move |c| !word(c)).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Returns the words with one blank between them and around the whole, to look phrases up in.
fn spaced(text: &str) -> String {
    words(text).fold(" ".to_owned(), |all, word| all + &word + " ")
}

/// Returns whether a text asks for something to be done.
pub(super) fn is_action(text: &str) -> bool {
    let text = without_key(text);
    let lower = text.to_lowercase();
    if WISHES.iter().any(|wish| lower.starts_with(wish)) {
        return true;
    }
    let mut words = words(text).skip_while(|word| POLITE.contains(&word.as_str()));
    words.next().is_some_and(|word| VERBS.split(' ').any(|verb| verb == word))
}

/// Returns whether a sentence of a paragraph asks for something to be done.
pub(super) fn asks(text: &str) -> bool {
    let wishes = |sentence: &str| {
        let lower = sentence.trim_start().to_lowercase();
        WISHES.iter().any(|wish| lower.starts_with(wish))
    };
    is_action(text) || text.split(['.', ':', ';']).any(wishes)
}

/// Returns whether what stands below a heading is no work.
pub(super) fn is_background(heading: &str) -> bool {
    let words = spaced(heading);
    BACKGROUND.iter().any(|title| {
        let rest = words.trim_start().strip_prefix(title).map(str::trim_start);
        // `Notes service` is what is built; `Notes on style` are notes.
        let goes_on = |rest: &str| ["and ", "of ", "on "].iter().any(|word| rest.starts_with(word));
        rest.is_some_and(|rest| rest.is_empty() || title.contains(' ') || goes_on(rest))
    })
}

/// Returns whether a heading with all that stands below it is one item: `Task 3: …`.
pub(super) fn is_item_heading(heading: &str) -> bool {
    let mut words = words(heading);
    let noun = words.next().unwrap_or_default();
    let number = words.next().unwrap_or_default();
    NOUNS.contains(&noun.as_str()) && number.trim_start_matches('#').parse::<u64>().is_ok()
}

/// Returns whether a line tells of an item, `Files: …`, instead of being one.
pub(super) fn is_label(text: &str) -> bool {
    let label = text.split_once(':').map(|(label, _)| label.to_lowercase());
    label.is_some_and(|label| LABELS.contains(&label.trim()))
}

/// Returns the name that a document gives an item at its beginning: `AUTH-1`, `T3`, `#7`.
pub(super) fn key(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(['[', '(']);
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, ':' | ']' | ')' | '.' | ','));
    let key = &text[..end?];
    is_key(key).then_some(key)
}

/// Returns whether a word is a name of an item: capitals and a number, or a number after `#`.
pub(super) fn is_key(word: &str) -> bool {
    let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let has_number = letters.len() < word.len();
    let project = letters.trim_end_matches('-');
    let is_project = !project.is_empty()
        && project.starts_with(|c: char| c.is_ascii_uppercase())
        && project.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
    has_number && !matches!(project, "P" | "H" | "Q" | "V") && (letters == "#" || is_project)
}

/// Returns the text behind its key and its labels in brackets.
pub(super) fn without_key(text: &str) -> &str {
    let mut rest = text.trim_start();
    if let Some(key) = key(rest) {
        let at = rest.find(key).unwrap_or(0) + key.len();
        rest = rest[at..].trim_start_matches([']', ')', ':', '.', ',', ' ', '-', '–', '—']);
    }
    while let Some((_, behind)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        rest = behind.trim_start_matches([':', ' ', '-', '–', '—']);
    }
    let lower = rest.to_lowercase();
    match lower.split_once(':') {
        Some((label, _)) if priority_of(label.trim()).is_some() || is_item_heading(label) => {
            rest.split_once(':').map_or(rest, |(_, behind)| behind.trim_start())
        }
        _ => rest,
    }
}

/// Returns what stands in brackets, part by part: `(S, after 2)` has two.
pub(super) fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    let groups = text.split(['(', '[']).skip(1).filter_map(|rest| rest.split([')', ']']).next());
    groups.flat_map(|group| group.split([',', ';', '|', '·'])).map(str::trim)
}

/// Returns how urgent a text says it is.
pub(super) fn priority(text: &str) -> Option<Priority> {
    let all: Vec<String> = words(text).collect();
    let spoken = all.iter().find_map(|word| {
        let number = word.strip_prefix('p').filter(|number| number.len() == 1);
        number.and_then(|_| priority_of(word))
    });
    let beside = all.iter().position(|word| word == "priority").and_then(|at| {
        let after = all.get(at + 1).and_then(|word| priority_of(word));
        after.or_else(|| at.checked_sub(1).and_then(|before| priority_of(&all[before])))
    });
    let wish = spaced(text);
    let wish = ["must", "should", "could", "nice to"].into_iter().find(|wanted| {
        let phrase = format!("{wanted} have ");
        wish.trim_start().starts_with(&phrase)
    });
    let labelled = text.split_once(':').and_then(|(label, _)| priority_of(&label.to_lowercase()));
    let bracketed = || bracketed(text).find_map(|part| priority_of(&part.to_lowercase()));
    spoken.or(beside).or(wish.and_then(priority_of)).or(labelled).or_else(bracketed)
}

fn priority_of(word: &str) -> Option<Priority> {
    Some(match word {
        "p0" | "p1" | "high" | "urgent" | "critical" | "must" => Priority::High,
        "p2" | "medium" | "should" => Priority::Medium,
        "p3" | "p4" | "low" | "could" | "nice to" | "nice to have" | "optional" | "minor" => {
            Priority::Low
        }
        _ => return None,
    })
}

/// Returns how much work a text says it is.
pub(super) fn size(text: &str) -> Option<Size> {
    let part = |part: &str| size_of(part).or_else(|| duration(part));
    let labelled = || {
        let lower = text.to_lowercase();
        ["size", "effort", "estimate", "est.", "est"].iter().find_map(|label| {
            let (_, rest) = lower.split_once(&format!("{label}:"))?;
            part(rest.split([',', ';', ')', ']', '.']).next()?.trim())
        })
    };
    let about = || text.split_once('~').and_then(|(_, rest)| duration(rest));
    let last = || {
        let (before, last) = text.rsplit_once(' ')?;
        let is_apart = before.trim_end().ends_with(['—', '–', '-', '|', ':']);
        size_of(last).filter(|_| is_apart)
    };
    let behind =
        || text.rsplit_once(", ").and_then(|(_, rest)| duration(rest.trim_end_matches('.')));
    bracketed(text).find_map(part).or_else(labelled).or_else(about).or_else(last).or_else(behind)
}

fn size_of(word: &str) -> Option<Size> {
    let lower = word.to_lowercase();
    let word = lower.strip_prefix("size").unwrap_or(&lower).trim_matches([':', ' ']);
    Some(match word {
        "s" | "xs" | "small" => Size::S,
        "m" => Size::M,
        "l" | "large" | "big" => Size::L,
        "xl" | "xxl" | "huge" => Size::Xl,
        _ => return None,
    })
}

/// Returns the size of a time, the longer of two: `2h`, `1-2 days`, `half a day`, `3 points`.
fn duration(text: &str) -> Option<Size> {
    let lower = text.trim_start_matches('~').trim().to_lowercase();
    let lower = lower.replace("half a day", "4h").replace("half day", "4h");
    let lower = lower.strip_prefix("an hour").map_or(lower.clone(), |rest| format!("1h{rest}"));
    let lower = lower.strip_prefix("a day").map_or(lower.clone(), |rest| format!("1d{rest}"));
    let numbers = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '–');
    let unit_at = lower.find(|c: char| !numbers(c))?;
    let longest = lower[..unit_at].rsplit(['-', '–']).next()?;
    let number: f64 = longest.parse().ok()?;
    let unit = lower[unit_at..].trim();
    let unit = unit.split([' ', ',', ';', ')', '.']).next().unwrap_or_default();
    let minutes = match unit {
        "m" | "min" | "mins" | "minute" | "minutes" => number,
        "h" | "hr" | "hrs" | "hour" | "hours" => number * 60.0,
        "d" | "day" | "days" => number * 480.0,
        "w" | "week" | "weeks" => number * 2400.0,
        "pt" | "pts" | "point" | "points" | "sp" => match number {
            n if n <= 1.0 => 30.0,
            n if n <= 3.0 => 120.0,
            n if n <= 5.0 => 240.0,
            _ => 480.0,
        },
        _ => return None,
    };
    Some(match minutes {
        n if n <= 30.0 => Size::S,
        n if n <= 120.0 => Size::M,
        n if n <= 240.0 => Size::L,
        _ => Size::Xl,
    })
}

/// Returns the words that leave open what is to be done.
pub(super) fn left_open(text: &str) -> Option<&'static str> {
    let words = spaced(text);
    let phrase = OPEN.iter().find(|phrase| words.contains(&format!(" {phrase} "))).copied();
    phrase.or_else(|| text.contains("??").then_some("??")).or_else(|| {
        let text = text.trim_end_matches([')', ']', ' ']);
        text.ends_with('?').then_some("?")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_priorities_in_many_words() {
        let sizes = [
            ("Add a (S)", Some(Size::S)),
            ("Add a [XL, P1]", Some(Size::Xl)),
            ("Add a — L", Some(Size::L)),
            ("Add a (~2h)", Some(Size::M)),
            ("Add a, ~3 hours", Some(Size::L)),
            ("Add a (1-2 days)", Some(Size::Xl)),
            ("Add a (half a day)", Some(Size::L)),
            ("Estimate: 30 min", Some(Size::S)),
            ("Add a (size: M)", Some(Size::M)),
            ("Add a (3 points)", Some(Size::M)),
            ("Add a, 2-3 days", Some(Size::Xl)),
            ("Log out after 30 minutes", None),
            ("Add a (see b)", None),
        ];
        for (text, wanted) in sizes {
            assert_eq!(size(text), wanted, "{text}");
        }
        let priorities = [
            ("[P1] Add a", Some(Priority::High)),
            ("Add a (high)", Some(Priority::High)),
            ("Low priority", Some(Priority::Low)),
            ("Priority: medium", Some(Priority::Medium)),
            ("Nice to have", Some(Priority::Low)),
            ("Add a high fence", None),
            ("Users must have a name", None),
        ];
        for (text, wanted) in priorities {
            assert_eq!(priority(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_work() {
        for text in ["Add a", "AUTH-1: add a", "[P1] Fix b", "We need to move c", "High: drop d"] {
            assert!(is_action(text), "{text}");
        }
        for text in ["The router is slow", "AUTH is old", "Users log in"] {
            assert!(!is_action(text), "{text}");
        }
        assert!(is_background("Non-goals") && is_background("Notes on style"));
        assert!(!is_background("Notifications") && !is_background("Notes service"));
        assert!(is_item_heading("Task 3: Add a") && !is_item_heading("Tasks"));
        assert_eq!(
            (key("AUTH-1: add"), key("T3 add"), key("P1 add")),
            (Some("AUTH-1"), Some("T3"), None)
        );
    }
}
