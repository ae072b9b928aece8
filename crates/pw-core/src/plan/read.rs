//! From text to a plan: read, decoded, held to the rules.

use super::decode::{self, Draft};
use super::problem::{Problem, ProblemCode, Problems, refused};
use super::{Plan, rules};
use crate::failure::{Code, Failure};
use crate::yaml;

impl Plan {
    /// Reads a plan.
    ///
    /// # Errors
    ///
    /// `plan_unreadable` when it is no YAML; `plan_invalid`, with everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        Self::read(text, rules::check)
    }

    /// Reads a plan that was valid when it was recorded: the rules between its workers are not
    /// checked again, which takes longer than all else.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn recorded(text: &str) -> Result<Self, Failure> {
        Self::read(text, |_, _| {})
    }

    fn read(text: &str, check: fn(&Draft, &mut Vec<Problem>)) -> Result<Self, Failure> {
        let root = yaml::read(text).map_err(|error| {
            let at = error.line.map(|line| format!("line {line}: ")).unwrap_or_default();
            let problem = Problem {
                line: error.line,
                ..Problem::new(ProblemCode::Yaml, &error.message, error.hint)
            };
            Failure::new(Code::PlanUnreadable, format!("{at}{}", error.message))
                .hint(error.hint)
                .details(Problems { problems: vec![problem] })
        })?;
        let mut problems = Vec::new();
        let draft = decode::draft(&root, &mut problems);
        check(&draft, &mut problems);
        match draft.finish() {
            Some(plan) if problems.is_empty() => Ok(plan),
            _ => Err(refused(problems)),
        }
    }
}
