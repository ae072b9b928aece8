//! Words of a command; options and operands, the way getopt and git read them.

/// A placeholder for text that is known only when the command runs.
pub(super) const UNKNOWN: char = '\u{fffc}';

/// A placeholder for any path below a folder, as `find` gives it: `folder/` and this.
pub(super) const ANY_BELOW: &str = "\u{fffc}\u{fffb}";

/// A word of a command after all expansions but that of file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// The word, [`UNKNOWN`] where it cannot be told.
    pub(super) text: String,
    /// The same as a pattern for file names, when it is one.
    pub(super) pattern: Option<String>,
}

impl Word {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), pattern: None }
    }

    /// Returns whether enough of a text is known to follow it.
    pub(super) fn is_told(text: &str) -> bool {
        !text.contains(UNKNOWN) || text.contains(ANY_BELOW)
    }

    pub(super) fn is_known(&self) -> bool {
        !self.text.contains(UNKNOWN)
    }
}

/// Which options take the next word as their value.
#[derive(Clone, Copy, Default)]
pub(super) struct Known<'a> {
    /// Letters of short options.
    pub(super) short: &'a str,
    /// Long options, with their dashes.
    pub(super) long: &'a [&'a str],
}

/// The words behind a command's name.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    /// Each option as `-x` or `--name`, clusters taken apart, with its value.
    pub(super) options: Vec<(String, Option<Word>)>,
    /// What is no option.
    pub(super) operands: Vec<Word>,
    /// How many operands stand before `--`; `None` without one.
    pub(super) before_dashes: Option<usize>,
}

impl Arguments {
    pub(super) fn read(words: &[Word], known: Known<'_>) -> Self {
        let mut found = Self::default();
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            if text == "--" {
                found.before_dashes = Some(found.operands.len());
                found.operands.extend(rest.cloned());
                break;
            }
            if let Some(long) = text.strip_prefix("--") {
                let (name, mut value) = match long.split_once('=') {
                    Some((name, value)) => (format!("--{name}"), Some(Word::new(value))),
                    None => (text.to_owned(), None),
                };
                if value.is_none() && known.long.contains(&name.as_str()) {
                    value = rest.next().cloned();
                }
                found.options.push((name, value));
            } else if text.len() > 1 && text.starts_with('-') {
                let letters: Vec<char> = text.chars().skip(1).collect();
                for (at, letter) in letters.iter().enumerate() {
                    let takes = known.short.contains(*letter);
                    let attached: String = letters[at + 1..].iter().collect();
                    let value = match takes {
                        true if attached.is_empty() => rest.next().cloned(),
                        true => Some(Word::new(attached)),
                        false => None,
                    };
                    found.options.push((format!("-{letter}"), value));
                    if takes {
                        break;
                    }
                }
            } else {
                found.operands.push(word.clone());
            }
        }
        found
    }

    /// Returns whether any of these options is there; a long one also cut short, as git takes it.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.options.iter().any(|(option, _)| names.iter().any(|name| is(option, name)))
    }

    /// Returns the values of any of these options.
    pub(super) fn values<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a Word> {
        let named = |option: &str| names.iter().any(|name| is(option, name));
        self.options.iter().filter(move |(option, _)| named(option)).filter_map(|(_, v)| v.as_ref())
    }
}

fn is(option: &str, name: &str) -> bool {
    let is_cut = option.len() > 4 && name.starts_with("--") && name.starts_with(option);
    option == name || is_cut
}
