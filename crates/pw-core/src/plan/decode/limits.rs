//! Numbers of the plan: how much of something there may be.

use super::{Fields, Reader, field};
use crate::plan::{Budget, MAX_HEAVY, ProblemCode};
use crate::yaml::Value;

const BUDGET_KEYS: &[&str] = &["minutes", "tokens", "cost"];
/// The largest limits of a budget, which is about what one could mean.
const MAX_MINUTES: u64 = 1_000_000;
const MAX_TOKENS: u64 = 1_000_000_000_000;
const MAX_COST: f64 = 1_000_000.0;

impl Reader<'_> {
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
