//! How many rows of a long table are tried.

/// Returns the rows that are tried: all with `PW_ROWS=all`, as `.ci/run` asks; else every tenth,
/// always the same, for those who wait in front of a screen.
pub fn rows<T>(table: &[T]) -> impl Iterator<Item = &T> {
    let is_whole = std::env::var("PW_ROWS").is_ok_and(|wanted| wanted == "all");
    table.iter().step_by(if is_whole { 1 } else { 10 })
}
