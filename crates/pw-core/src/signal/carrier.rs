//! Where a workflow's commits carry their signals: at the start of the subject, or in a trailer
//! where the repository has rules for subjects.

use super::{KEY, Signal};
use crate::id::WorkerId;
use crate::trailer;

/// What the plan says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Carrier {
    /// A marker at the start of the subject.
    #[default]
    Subject,
    /// A trailer; the subject is the worker's text in this template.
    Trailer { template: Template },
}

/// What stands for the worker's text.
const TEXT: &str = "{text}";
/// What stands for the id of the worker, and for its name.
const NAMES: [&str; 2] = ["{id}", "{name}"];

/// How the subject of a signal reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(String);

impl Default for Template {
    fn default() -> Self {
        Self(TEXT.to_owned())
    }
}

impl Template {
    /// Reads one line that has `{text}` in it, once.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.replacen(TEXT, "", 1);
        let has_text = rest != text;
        for name in NAMES {
            rest = rest.replace(name, "");
        }
        let is_one_line = !text.chars().any(char::is_control);
        (has_text && is_one_line && !rest.contains(['{', '}'])).then(|| Self(text.to_owned()))
    }

    /// Returns it as the plan has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn subject(&self, text: &str, id: &WorkerId, name: &WorkerId) -> String {
        let [id_mark, name_mark] = NAMES;
        let filled = self.0.replace(id_mark, id.as_str()).replace(name_mark, name.as_str());
        filled.replacen(TEXT, text, 1).trim().to_owned()
    }
}

impl Carrier {
    /// Returns how subjects read, where these are the worker's own text.
    pub fn template(&self) -> Option<&Template> {
        match self {
            Self::Subject => None,
            Self::Trailer { template } => Some(template),
        }
    }

    /// Returns the message of a commit that gives a signal; `details` are the lines of its body.
    pub fn message(
        &self,
        signal: &Signal,
        text: &str,
        [id, name]: [&WorkerId; 2],
        details: &[String],
    ) -> String {
        let body: Vec<String> = details.iter().map(|line| format!("- {line}")).collect();
        let body = if body.is_empty() { String::new() } else { format!("\n{}\n", body.join("\n")) };
        match self {
            Self::Subject => {
                let subject = format!("{} {text}", signal.marker());
                format!("{}\n{body}", subject.trim_end())
            }
            Self::Trailer { template } => {
                let spoken = signal.spoken();
                let text = if text.is_empty() { &spoken } else { text };
                let subject = template.subject(text, id, name);
                trailer::add(&format!("{subject}\n{body}"), &[(KEY, signal.value())])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Subject, read};

    #[test]
    fn every_signal_is_read_back_from_each_carrier() {
        let [id, name]: [WorkerId; 2] = ["task-1", "users"].map(|id| id.parse().unwrap());
        let trailer = |text| Carrier::Trailer { template: Template::parse(text).unwrap() };
        let carriers = [
            Carrier::Subject,
            Carrier::Trailer { template: Template::default() },
            trailer("chore({name}): {text}"),
            trailer("{text} (JIRA-1, {id})"),
        ];
        let signals = [
            Signal::Checkpoint,
            Signal::Complete,
            Signal::Blocked { reason: "no key: ".to_owned() + &"ask again ".repeat(18) + "now" },
            Signal::Needs { worker: "task-2".parse().unwrap(), item: "api/a b.py".to_owned() },
        ];
        for carrier in &carriers {
            for signal in &signals {
                for text in ["", "users: a model", "Merge the lists", "fix: #1"] {
                    for details in [&[][..], &["one".to_owned(), "Refs: two".to_owned()]] {
                        let message = carrier.message(signal, text, [&id, &name], details);
                        let Subject::Signal { signal: found, .. } = read(&message) else {
                            panic!("{message:?} gives no signal");
                        };
                        assert_eq!(found, *signal, "{message}");
                        let is_marked = message.starts_with('[');
                        assert_eq!(is_marked, *carrier == Carrier::Subject, "{message}");
                    }
                }
            }
        }
        let message = carriers[2].message(&signals[0], "a model", [&id, &name], &[]);
        assert_eq!(message, "chore(users): a model\n\nPw-Signal: CHECKPOINT\n");
    }

    #[test]
    fn a_template_holds_the_text_once_and_nothing_unknown() {
        for good in ["{text}", "chore: {text}", "{text} [{id}]", "x({name}): {text}"] {
            assert_eq!(Template::parse(good).map(|template| template.0).as_deref(), Some(good));
        }
        for bad in
            ["", "chore", "{text}{text}", "{texts}", "{ticket} {text}", "{text}\nx", "{}{text}"]
        {
            assert_eq!(Template::parse(bad), None, "{bad:?}");
        }
    }
}
