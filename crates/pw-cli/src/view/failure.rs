//! A refusal, for people.

use pw_core::failure::Failure;

use super::table::plain;

pub(crate) fn failure(failure: &Failure) -> String {
    let mut out = format!("error: {}\n", plain(&failure.message));
    let problems = failure.details.get("problems").and_then(|problems| problems.as_array());
    for problem in problems.into_iter().flatten() {
        let text =
            |key: &str| problem.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        let line = problem.get("line").map(|line| format!("line {line}: ")).unwrap_or_default();
        out += &format!("  {line}{}\n    {}\n", plain(text("message")), plain(text("hint")));
    }
    let conflicts = failure.details.get("conflicts").and_then(|conflicts| conflicts.as_array());
    for conflict in conflicts.into_iter().flatten() {
        let text =
            |key: &str| conflict.get(key).and_then(|value| value.as_str()).unwrap_or_default();
        out += &format!("  {} ({})\n", plain(text("path")), text("kind").replace('_', " "));
    }
    let output = failure.details.get("output_tail").and_then(|output| output.as_str());
    for line in output.into_iter().flat_map(str::lines) {
        out += &format!("  | {}\n", plain(line));
    }
    if !failure.hint.is_empty() {
        out += &format!("hint: {}\n", plain(&failure.hint));
    }
    if let Some(next) = &failure.next {
        out += &format!("next: {}\n", plain(next));
    }
    out
}
