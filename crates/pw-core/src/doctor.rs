//! The answer of `pw-setup doctor`: what of the machine, the repository and the client is not as it
//! should be, a line each.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::diagnosis::{Diagnosis, Level};
use crate::permissions::orchestrator::Allowed;
use crate::report::Report;
use crate::text::counted;

/// What was found.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Doctor {
    /// All of it in one sentence.
    pub summary: String,
    /// How many things are as they should be; told one by one with `--verbose`.
    pub healthy: usize,
    /// The worst first.
    pub findings: Vec<Diagnosis>,
    /// The rules that let the client run the helpers without a question in this repository; absent
    /// where there is no repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Allowed>,
}

impl Report for Doctor {
    const SCHEMA: &'static str = "pw-setup.doctor/1";

    fn shorten(data: &mut Value) {
        if let Some(findings) = data["findings"].as_array_mut() {
            findings.retain(|finding| finding["level"] != "ok");
        }
    }
}

/// Puts together what was found.
pub fn report(mut findings: Vec<Diagnosis>, permissions: Option<Allowed>) -> Doctor {
    // Stable: things of one kind stay together.
    findings.sort_by_key(|finding| Reverse(finding.level));
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (healthy, all) = (count(Level::Ok), findings.len());
    let worse = [(Level::Problem, "problem"), (Level::Warning, "warning"), (Level::Note, "note")];
    let worse: Vec<String> = worse
        .iter()
        .map(|(level, noun)| (count(*level), noun))
        .filter(|(number, _)| *number > 0)
        .map(|(number, noun)| counted(number, noun))
        .collect();
    let summary = match worse.is_empty() {
        true => format!("all {all} things are as they should be"),
        false => format!("{}; {healthy} of {all} things are as they should be", worse.join(", ")),
    };
    Doctor { summary, healthy, findings, permissions }
}
