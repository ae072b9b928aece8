//! The numbers of a run: on a terminal, and as Markdown for a pull request.

use pw_core::retro::hindsight::{Hindsight, NewGlobs};
use pw_core::retro::{Retro, TimeKind};
use pw_core::time::{Seconds, about};

use super::table::{cell, count, drawn, plain, prose, state, table};

/// What the first line of a file of ours holds: such a file may be written anew.
pub(crate) const MARKER: &str = "<!-- parallel-workflows pw-retro -->";

/// Overlaps that a terminal shows.
const LISTED: usize = 10;

pub(crate) fn retro(retro: &Retro) -> String {
    let mut rows = table(&[
        "worker", "state", "commits", "files", "lifetime", "busy", "blocked", "waiting", "idle",
        "stops",
    ]);
    let time = |seconds: Seconds| if seconds == 0 { String::new() } else { about(seconds) };
    for worker in &retro.workers {
        rows.add_row([
            cell(&worker.label),
            state(worker.state),
            cell(worker.commits),
            cell(worker.files),
            cell(time(worker.lifetime_seconds)),
            cell(time(worker.busy_seconds)),
            cell(time(worker.blocked_seconds)),
            cell(time(worker.waiting_seconds)),
            cell(time(worker.idle_seconds)),
            count(worker.stops as usize),
        ]);
    }
    let mut out = format!("{}\n\n{}", prose(&plain(&retro.headline)), drawn(&rows));
    let mut line = |text: String| out += &(prose(&format!("  {}", plain(&text))) + "\n");
    for overlap in retro.overlaps.iter().take(LISTED) {
        let names: Vec<&str> = overlap.workers.iter().map(|id| id.as_str()).collect();
        line(format!("{} was changed by {}", overlap.path, names.join(", ")));
    }
    let left = retro.overlaps.len().saturating_sub(LISTED);
    if left > 0 {
        line(format!("and {left} more files of several workers"));
    }
    retro.missing.iter().for_each(|one| line(one.message.clone()));
    retro.counterfactuals.iter().for_each(|one| line(one.text.clone()));
    retro.hindsight.iter().for_each(|found| line(found.text.clone()));
    if !retro.recommendations.is_empty() {
        out += "\nWhat would have helped\n";
        for one in &retro.recommendations {
            let text = format!("{}: {} ({})", one.key, one.change, one.evidence);
            out += &(prose(&format!("  {}", plain(&text))) + "\n");
        }
    }
    for file in &retro.written {
        out += &format!("\nWritten: {}\n", plain(file));
    }
    out
}

/// Returns the same as Markdown, without what a terminal has no room for either.
pub(crate) fn retro_markdown(retro: &Retro) -> String {
    let grade = retro.grade.letter.map_or_else(|| "–".to_owned(), |letter| letter.to_string());
    let mut out = format!(
        "{MARKER}\n# Retrospective of {}\n\n**{}**\n\n{}",
        retro.workflow,
        text(&retro.headline),
        quoted(&retro.goal)
    );
    if !retro.recommendations.is_empty() {
        out += "\n## What would have helped\n\n";
        for (number, one) in retro.recommendations.iter().enumerate() {
            let commits = one.commits.iter().take(5).map(|commit| format!(" `{}`", commit.short()));
            let (key, change, evidence) = (text(&one.key), text(&one.change), text(&one.evidence));
            let commits: String = commits.collect();
            out += &format!("{}. {change} (`{key}`). {evidence}.{commits}\n", number + 1);
        }
    }
    let time = |seconds: Seconds| if seconds == 0 { "–".to_owned() } else { about(seconds) };
    let kinds = TimeKind::ALL.map(TimeKind::word).join(" | ");
    out += &format!(
        "\n## Workers\n\n| worker | state | lifetime | {kinds} | commits | files | stops |\n\
         |---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for worker in &retro.workers {
        out += &format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            text(&worker.label),
            worker.state.word().replace('_', " "),
            time(worker.lifetime_seconds),
            time(worker.busy_seconds),
            time(worker.blocked_seconds),
            time(worker.waiting_seconds),
            time(worker.idle_seconds),
            worker.commits,
            worker.files,
            worker.stops,
        );
    }
    out += &format!("\n## Grade {grade}\n\n| part | points | why |\n|---|---:|---|\n");
    for part in &retro.grade.parts {
        let points = part.points.map_or_else(|| "–".to_owned(), |points| points.to_string());
        let (name, of, why) = (part.name.word(), part.of, text(&part.verdict));
        out += &format!("| {name} | {points} of {of} | {why} |\n");
    }
    let section = |title: &str, lines: Vec<String>| match lines.is_empty() {
        true => String::new(),
        false => format!("\n## {title}\n\n- {}\n", lines.join("\n- ")),
    };
    let handovers = retro.handovers.iter().take(20).map(|one| {
        let (waited, item) = (about(one.waited_seconds), text(&one.item));
        format!("{} waited {waited} for {item} of {} (`{}`)", one.to, one.from, one.commit.short())
    });
    out += &section("Hand-overs", handovers.collect());
    let conflicts = retro.conflicts.iter().take(20).map(|one| {
        let paths: Vec<String> =
            one.paths.iter().take(5).map(|path| text(&path.to_string())).collect();
        format!("{} and {}: {}", one.workers[0], one.workers[1], paths.join(", "))
    });
    out += &section("Branches that did not merge as they were", conflicts.collect());
    let otherwise = retro.counterfactuals.iter().map(|one| text(&one.text));
    out += &section("Another number of workers", otherwise.collect());
    let hindsight = retro.hindsight.iter().flat_map(hindsight_lines).collect();
    out += &section("The split that hindsight suggests", hindsight);
    out +=
        &section("What is not known", retro.missing.iter().map(|one| text(&one.message)).collect());
    out
}

/// What hindsight says, and what it adds to `owns`.
fn hindsight_lines(found: &Hindsight) -> Vec<String> {
    let add = |new: &NewGlobs| {
        let globs: Vec<String> = new.add.iter().map(|glob| text(glob)).collect();
        format!("to `owns` of {} add {}", new.worker, globs.join(", "))
    };
    std::iter::once(text(&found.text)).chain(found.owns.iter().map(add)).collect()
}

fn quoted(goal: &str) -> String {
    let goal = pw_core::text::bounded(goal.trim(), 600);
    goal.lines().map(|line| format!("> {}\n", text(line))).collect()
}

/// Returns a text of one line in which nothing means anything to Markdown, nor to a forge: no
/// mention, no link, no HTML.
fn text(said: &str) -> String {
    let meant = |c: char| "\\`*_{}[]<>()#!|~@&$".contains(c);
    let escaped = |c: char| match c {
        c if c.is_control() => " ".to_owned(),
        c if meant(c) => format!("&#{};", u32::from(c)),
        c => c.to_string(),
    };
    // An address would become a link.
    said.chars().map(escaped).collect::<String>().replace("://", "&#58;//")
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn no_text_of_a_worker_means_anything_in_markdown() {
        assert_eq!(text("plain words, 3.5 %"), "plain words, 3.5 %");
        let hostile = "<script>|*x*|[a](http://b) @team #12\n# h";
        let shown = text(hostile);
        assert!(!shown.contains(['<', '|', '*', '[', '(', '@', '\n']), "{shown}");
        assert!(!shown.contains("://"), "{shown}");
    }
}
