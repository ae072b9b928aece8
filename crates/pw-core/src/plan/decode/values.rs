//! Scopes, numbers, times and templates of the plan.

use super::{Fields, Reader, field};
use crate::plan::{Budget, MAX_HEAVY, NOTIFY, ProblemCode};
use crate::scope::{MAX_GLOBS, Scope};
use crate::template;
use crate::time::{Seconds, parse_human};
use crate::yaml::Value;

const BUDGET_KEYS: &[&str] = &["minutes", "tokens", "cost"];
/// The largest limits of a budget, which is about what one could mean.
const MAX_MINUTES: u64 = 1_000_000;
const MAX_TOKENS: u64 = 1_000_000_000_000;
const MAX_COST: f64 = 1_000_000.0;

impl Reader<'_> {
    /// Returns what is read besides scopes; an empty list, too, says that nothing else is.
    pub(super) fn reads(&mut self, fields: &Fields<'_>) -> Option<Scope> {
        field(fields, "reads").map(|_| self.scope(fields, "reads").0)
    }

    pub(super) fn scope(&mut self, fields: &Fields<'_>, key: &str) -> (Scope, Vec<(String, u32)>) {
        let globs = self.texts(fields, key);
        if globs.len() > MAX_GLOBS {
            let message = format!("`{key}` has {} globs, more than {MAX_GLOBS}", globs.len());
            self.report(globs[0].1, ProblemCode::BadGlob, message, "own folders instead of files");
            return (Scope::default(), globs);
        }
        let texts: Vec<&str> = globs.iter().map(|(text, _)| text.as_str()).collect();
        let scope = Scope::parse(&texts).unwrap_or_else(|bad| {
            for (index, error) in bad {
                let line = globs[index].1;
                self.report(
                    line,
                    ProblemCode::BadGlob,
                    format!("`{key}`: {}", error.message),
                    error.hint,
                );
            }
            Scope::default()
        });
        (scope, globs)
    }

    pub(super) fn heavy(&mut self, fields: &Fields<'_>) -> Option<u16> {
        self.count(fields, "heavy", MAX_HEAVY)
    }

    pub(super) fn budget(&mut self, fields: &Fields<'_>) -> Option<Budget> {
        let limits = self.fields(field(fields, "budget")?, "`budget`", BUDGET_KEYS)?;
        Some(Budget {
            minutes: self.count(&limits, "minutes", MAX_MINUTES),
            tokens: self.count(&limits, "tokens", MAX_TOKENS),
            cost: self.count(&limits, "cost", MAX_COST),
        })
    }

    pub(super) fn duration(&mut self, fields: &Fields<'_>, key: &str) -> Option<Seconds> {
        let text = self.text(fields, key)?;
        match parse_human(&text) {
            Ok(duration) => Some(duration),
            Err(hint) => {
                let message = format!("`{key}` {text:?} is no duration");
                let line = field(fields, key).map_or(1, |node| node.line);
                self.report(line, ProblemCode::WrongType, message, hint);
                None
            }
        }
    }

    /// Returns the command for events, whose placeholders are known.
    pub(super) fn notify(&mut self, fields: &Fields<'_>) -> Option<String> {
        let key = "notify";
        let text = self.text(fields, key)?;
        let values = NOTIFY.map(|name| (name, ""));
        if let Err(bad) = template::fill(key, &text, &values) {
            let line = field(fields, key).map_or(1, |node| node.line);
            self.report(line, ProblemCode::WrongType, bad.message, bad.hint);
        }
        Some(text)
    }

    /// Returns a number from 1 on.
    fn count<T>(&mut self, fields: &Fields<'_>, key: &str, most: T) -> Option<T>
    where
        T: std::str::FromStr + std::fmt::Display + PartialOrd + From<u8> + Copy,
    {
        let node = field(fields, key)?;
        let number = match &node.value {
            Value::Number(number) if node.tag.is_none() => number.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| (T::from(1)..=most).contains(number));
        if number.is_none() {
            let message = format!("`{key}` is no number from 1 to {most}");
            let hint = format!("write a number without a unit, as in `{key}: 1`");
            self.report(node.line, ProblemCode::WrongType, message, hint);
        }
        number
    }
}
