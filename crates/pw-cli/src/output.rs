//! What a program of the user's printed, for an answer: its end, and where it first says what is
//! wrong.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

use pw_core::gate;
use pw_core::text::bounded;

/// How many lines of the end an answer holds, and how many from the first failure on.
const LINES: (usize, usize) = (60, 12);
/// How much of the end an answer holds, in bytes, where it also holds the first failure.
const TAIL: usize = 1_800;
/// How much of one line is read, in bytes, and how much of it an answer holds, in characters.
const LINE: (u64, usize) = (64 * 1024, 300);

/// What an answer holds of a program's output, without colours and other escapes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    /// The last lines; empty when there is no log.
    pub(crate) tail: String,
    /// The first lines that say what is wrong, when the tail begins after them.
    pub(crate) first_failure: Option<String>,
}

impl Output {
    /// Reads what a log holds.
    pub(crate) fn of(log: &Path) -> Self {
        File::open(log).map(|file| Self::read(BufReader::new(file))).unwrap_or_default()
    }

    fn read(mut log: impl BufRead) -> Self {
        let mut tail = VecDeque::new();
        let (mut first, mut began) = (Vec::new(), None);
        let mut bytes = Vec::new();
        for number in 0_usize.. {
            bytes.clear();
            // A line without an end may be as long as the log.
            let read = log.by_ref().take(LINE.0).read_until(b'\n', &mut bytes);
            if !matches!(read, Ok(length) if length > 0) {
                break;
            }
            let line = plain(&bytes);
            if is_progress(&line) {
                continue;
            }
            if began.is_none() && gate::says_what_is_wrong(&line) {
                began = Some(number);
            }
            if began.is_some() && first.len() < LINES.1 {
                first.push(line.clone());
            }
            if tail.len() == LINES.0 {
                tail.pop_front();
            }
            tail.push_back((number, line));
        }
        let mut left = TAIL;
        let fits = tail.iter().rev().take_while(|(_, line)| {
            let is_room = left > line.len();
            left = left.saturating_sub(line.len() + 1);
            is_room
        });
        let fits = fits.count();
        // What says it first must not be lost with it.
        if began.is_some() && fits > 0 {
            tail.drain(..tail.len() - fits);
        }
        let above = began.zip(tail.front()).map_or(0, |(at, (start, _))| start.saturating_sub(at));
        // Where it goes on, the tail tells.
        first.truncate(above);
        let tail: Vec<String> = tail.into_iter().map(|(_, line)| line).collect();
        Self { tail: tail.join("\n"), first_failure: (above > 0).then(|| first.join("\n")) }
    }
}

/// Returns whether a line only says how far a test runner is, as `....s..F...  [ 40%]`: what failed, it says
/// below.
fn is_progress(line: &str) -> bool {
    let (marks, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
    let is_share = |rest: &str| {
        let share = rest.trim().strip_prefix('[').and_then(|share| share.strip_suffix("%]"));
        share.is_some_and(|share| share.trim().parse::<u8>().is_ok())
    };
    let is_mark = |c| ".sxXEFP".contains(c);
    let dots = marks.matches(['.', 's']).count();
    marks.chars().all(is_mark) && dots >= 5 && (rest.trim().is_empty() || is_share(rest))
}

/// Returns a line as it would look on a terminal, and no more of it than an answer holds.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end();
    // What a progress bar wrote over is not to be seen any more.
    let text = text.rsplit('\r').next().unwrap_or_default();
    bounded(&anstream::adapter::strip_str(text).to_string(), LINE.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[String]) -> Output {
        Output::read(lines.join("\n").as_bytes())
    }

    fn noise(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|nth| format!("test number {nth} ... ok"))
    }

    #[test]
    fn the_first_failure_is_told_where_the_end_does_not_show_it() {
        let failure = "\u{1b}[31mtest users::are_listed ... FAILED\u{1b}[0m".to_owned();
        let short: Vec<String> = noise(10).chain([failure.clone()]).chain(noise(40)).collect();
        assert_eq!(read(&short).first_failure, None);
        let long: Vec<String> = noise(10).chain([failure]).chain(noise(400)).collect();
        let output = read(&long);
        let first = output.first_failure.unwrap();
        assert!(first.starts_with("test users::are_listed ... FAILED\ntest number 0"), "{first}");
        assert_eq!((first.lines().count(), output.tail.lines().count()), (12, 60));
        // Just above the tail: what that tells is not told twice.
        let failure = "test users::are_listed ... FAILED".to_owned();
        let near: Vec<String> =
            [failure.clone(), "why".to_owned()].into_iter().chain(noise(60)).collect();
        assert_eq!(read(&near).first_failure, Some(format!("{failure}\nwhy")));
    }

    #[test]
    fn how_far_a_test_runner_is_is_not_told() {
        let lines =
            ["...F..s..  [ 50%]", "..........", "..", "E   assert 1 == 2", "....s...[100%]"];
        let output = read(&lines.map(str::to_owned));
        assert_eq!(output.tail, "..\nE   assert 1 == 2\n....s...[100%]");
    }

    #[test]
    fn long_lines_do_not_push_the_first_failure_out() {
        let trace = |nth: usize| format!("error {nth}: {}", "x".repeat(200));
        let output = read(&(0..50).map(trace).collect::<Vec<_>>());
        assert!(output.tail.len() <= TAIL && output.tail.contains("error 49"), "{output:?}");
        assert!(output.first_failure.unwrap().starts_with("error 0: "));
    }

    #[test]
    fn nothing_of_a_terminal_and_no_endless_line_reaches_an_answer() {
        let output = read(&[
            "10 %\r90 %\r100 %".to_owned(),
            "\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7}\u{1b}[2K".to_owned(),
            "x".repeat(200_000),
        ]);
        assert!(output.tail.starts_with("100 %\nlink\nxxx"), "{output:?}");
        assert!(output.tail.len() < 2_000);
    }
}
