//! Conflict markers: the hunks between them, and which of them were left in a resolved file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many hunks of a file, lines of a side and characters of a line are shown.
const MAX_HUNKS: usize = 5;
const MAX_LINES: usize = 20;
const MAX_CHARS: usize = 200;

/// How long git's markers are unless the attribute `conflict-marker-size` says otherwise.
pub const MARKER_SIZE: usize = 7;

/// Lines that two sides changed differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hunk {
    /// The line of its first marker in the file git wrote, from 1.
    pub line: usize,
    /// What the merges before have; without control characters, bounded.
    pub ours: String,
    /// What the worker's branch has.
    pub theirs: String,
    /// Whether the file has more of it than is shown here.
    pub cut: bool,
}

/// Returns the first hunks of a file that git wrote, and how many there are in all. `labels` are
/// the names of both sides as git was given them; text about markers has other labels.
pub fn hunks(content: &[u8], size: usize, labels: [&str; 2]) -> (Vec<Hunk>, usize) {
    let marker = |sign: char, label: &str| format!("{} {label}", sign.to_string().repeat(size));
    let (open, close) = (marker('<', labels[0]), marker('>', labels[1]));
    let middle = "=".repeat(size);
    let mut hunks = Vec::new();
    let mut total = 0;
    let mut lines = content.split(|byte| *byte == b'\n').map(trimmed).zip(1..);
    while let Some((_, line)) = lines.find(|(text, _)| text.starts_with(open.as_bytes())) {
        let (mut ours, mut theirs) = (HunkText::default(), HunkText::default());
        let mut rest = lines.by_ref().map(|(text, _)| text);
        rest.by_ref().take_while(|text| *text != middle.as_bytes()).for_each(|l| ours.add(l));
        rest.take_while(|text| !text.starts_with(close.as_bytes())).for_each(|l| theirs.add(l));
        total += 1;
        if total <= MAX_HUNKS {
            let cut = ours.cut || theirs.cut;
            hunks.push(Hunk { line, ours: ours.text, theirs: theirs.text, cut });
        }
    }
    (hunks, total)
}

/// One side of a hunk, as far as it is shown.
#[derive(Default)]
struct HunkText {
    text: String,
    lines: usize,
    cut: bool,
}

impl HunkText {
    fn add(&mut self, line: &[u8]) {
        self.lines += 1;
        if self.lines > MAX_LINES {
            self.cut = true;
            return;
        }
        let line = String::from_utf8_lossy(line);
        let safe = |c: char| if c.is_control() && c != '\t' { '\u{fffd}' } else { c };
        self.cut |= line.chars().nth(MAX_CHARS).is_some();
        self.text.extend(line.chars().take(MAX_CHARS).map(safe));
        self.text.push('\n');
    }
}

/// Returns whether a resolved file still has a marker: a line that looks like one and is in neither
/// of `sides`, where it would be text about markers.
pub fn is_left_over(content: &[u8], size: usize, sides: &[&[u8]]) -> bool {
    let known = |line: &[u8]| {
        sides.iter().any(|side| side.split(|byte| *byte == b'\n').any(|l| trimmed(l) == line))
    };
    let mut lines = content.split(|byte| *byte == b'\n').map(trimmed);
    lines.any(|line| is_marker(line, size) && !known(line))
}

fn is_marker(line: &[u8], size: usize) -> bool {
    let Some(&sign @ (b'<' | b'>' | b'|' | b'=')) = line.first() else { return false };
    let length = line.iter().take_while(|byte| **byte == sign).count();
    let rest = &line[length..];
    length == size && (rest.is_empty() || sign != b'=' && rest[0] == b' ')
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks_are_read_by_the_names_of_the_sides() {
        let text = b"a\n<<<<<<< one:x\r\nours \x1b[2J\r\n=======\r\n<<<<<<< HEAD\n>>>>>>> HEAD\r\n>>>>>>> two\r\nb\n";
        let (hunks, total) = hunks(text, 7, ["one", "two"]);
        assert_eq!(total, 1);
        assert_eq!((hunks[0].line, hunks[0].cut), (2, false));
        assert_eq!(hunks[0].ours, "ours \u{fffd}[2J\n");
        assert_eq!(hunks[0].theirs, "<<<<<<< HEAD\n>>>>>>> HEAD\n");
    }

    #[test]
    fn hunks_are_bounded() {
        let hunk =
            format!("<<<<<<< a\n{}=======\n{}\n>>>>>>> b\n", "x\n".repeat(30), "y".repeat(300));
        let (hunks, total) = hunks(hunk.repeat(9).as_bytes(), 7, ["a", "b"]);
        assert_eq!((hunks.len(), total), (MAX_HUNKS, 9));
        assert!(hunks[0].cut && hunks[0].ours.lines().count() == MAX_LINES);
        assert_eq!(hunks[0].theirs.len(), MAX_CHARS + 1);
    }

    #[test]
    fn left_over_markers_are_told_from_text_about_markers() {
        let text = b"how to\n<<<<<<< HEAD\nx\n=======\ny\n>>>>>>> abc\n";
        assert!(is_left_over(text, 7, &[b"how to\n"]));
        assert!(!is_left_over(text, 7, &[text]));
        assert!(!is_left_over(text, 9, &[]));
        assert!(is_left_over(b"a\n=======\nb\n", 7, &[b"a\n", b"b\n"]), "one marker of three");
        assert!(is_left_over(b"a\r\n>>>>>>> abc\r\n", 7, &[]));
        assert!(!is_left_over(b" <<<<<<< HEAD\n========\n<<<<<<<x\n", 7, &[]));
    }
}
