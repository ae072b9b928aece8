//! What of its budget a worker, or all of them together, has used.
//!
//! Nothing is ended because of it: who nears it is told of, who is over it is asked to save and stop, and who
//! goes on for long all the same may only save.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::State;
use crate::id::WorkerId;
use crate::plan::Budget;
use crate::session::Usage;

/// From how much of a budget on it is told of, in percent.
const NEAR: u64 = 80;
/// From how much on a session may only save what there is.
const HELD: u64 = 125;

/// A budget that is nearly used up, or more than that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BudgetUse {
    /// How far it is.
    pub level: BudgetLevel,
    /// How much of it is used, in percent; of several limits, the most.
    pub percent: u64,
    /// The same in words.
    pub message: String,
}

/// How far a budget is used.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum BudgetLevel {
    /// 80 % or more.
    Near,
    /// All of it: its session is asked to save and stop.
    Over,
    /// A quarter more than all of it: its session may only save.
    Held,
}

impl BudgetLevel {
    fn of(percent: u64) -> Option<Self> {
        match percent {
            HELD.. => Some(Self::Held),
            100.. => Some(Self::Over),
            NEAR.. => Some(Self::Near),
            _ => None,
        }
    }
}

/// Returns how far a budget is used; `None` below 80 %, and of what is not known.
pub fn used(budget: &Budget, usage: &Usage) -> Option<BudgetUse> {
    let whole = |used: u64, limit: u64, what: &str| {
        (percent(used as f64, limit as f64), format!("{used} of {limit} {what}"))
    };
    let minutes = budget.minutes.map(|limit| whole(usage.minutes, limit, "minutes"));
    let tokens = budget.tokens.map(|limit| whole(usage.tokens(), limit, "tokens"));
    let cost = budget.cost.zip(usage.cost_usd);
    let cost = cost
        .map(|(limit, used)| (percent(used, limit), format!("{used:.2} of {limit:.2} US dollars")));
    let (percent, of) = [minutes, tokens, cost].into_iter().flatten().max()?;
    let level = BudgetLevel::of(percent)?;
    Some(BudgetUse { level, percent, message: format!("{percent} % of the budget, {of}") })
}

fn percent(used: f64, limit: f64) -> u64 {
    (used / limit * 100.0).floor() as u64
}

/// Returns whether a worker in this state can still use something.
pub fn is_spending(state: State) -> bool {
    !matches!(state, State::Planned | State::Complete | State::Integrated | State::Missing)
}

/// Returns what the session of a worker is asked to do; nothing while it may go on.
pub fn asked(worker: &WorkerId, used: &BudgetUse) -> Option<String> {
    let rest = match used.level {
        BudgetLevel::Near => return None,
        BudgetLevel::Over => "",
        BudgetLevel::Held => " Until then only pw-worker and reading with git are allowed.",
    };
    Some(format!(
        "{worker} has used {}. Begin nothing new: save what there is with \
         `pw-worker checkpoint \"what was done\"`, then `pw-worker blocked budget \"what is left\"`, and stop. To go on, \
         the user raises `budget` in the plan and runs pw-setup create.{rest}",
        used.message
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_is_used_most_decides_and_what_is_unknown_is_not_told() {
        let usage = |minutes, input_tokens, cost_usd| Usage {
            minutes,
            input_tokens,
            cost_usd,
            ..Usage::default()
        };
        let all = Budget { minutes: Some(60), tokens: Some(1000), cost: Some(2.0) };
        let cases = [
            (usage(47, 799, Some(1.59)), None),
            (usage(48, 0, None), Some((BudgetLevel::Near, "80 % of the budget, 48 of 60 minutes"))),
            (
                usage(10, 999, None),
                Some((BudgetLevel::Near, "99 % of the budget, 999 of 1000 tokens")),
            ),
            (
                usage(60, 999, None),
                Some((BudgetLevel::Over, "100 % of the budget, 60 of 60 minutes")),
            ),
            (
                usage(0, 0, Some(2.49)),
                Some((BudgetLevel::Over, "124 % of the budget, 2.49 of 2.00 US dollars")),
            ),
            (
                usage(0, 1250, Some(2.0)),
                Some((BudgetLevel::Held, "125 % of the budget, 1250 of 1000 tokens")),
            ),
        ];
        for (usage, expected) in cases {
            let told = used(&all, &usage);
            let told = told.as_ref().map(|told| (told.level, told.message.as_str()));
            assert_eq!(told, expected, "{usage:?}");
        }
        let only_cost = Budget { minutes: None, tokens: None, ..all };
        assert_eq!(used(&only_cost, &usage(999, 99_999, None)), None);
    }
}
