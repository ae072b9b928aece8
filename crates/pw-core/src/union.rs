//! Files that only grow, such as changelogs: where both sides only added lines, both are kept, as
//! git's driver `union` does.
//!
//! The driver itself is named by an attribute, which is the user's; and it keeps both versions of a
//! line that both sides rewrote, and brings back one that a side removed beside an added one. So
//! git merges as always, and a file that it could not merge is looked at here.

use imara_diff::{Algorithm, Diff, Hunk, InternedInput, Interner};

/// Without its line end, which a last line may lack.
type Line<'a> = &'a [u8];

/// Returns a file with what both sides did to `base`; `None` where they did more to the same lines
/// than add some. Lines that both added stand there once, at the beginning or end of what was added.
pub fn united(base: &[u8], ours: &[u8], theirs: &[u8]) -> Option<Vec<u8>> {
    let is_ended = ours.ends_with(b"\n") || theirs.ends_with(b"\n");
    let base = lines(base);
    let mut sides = [ours, theirs].map(|side| Side::new(&base, lines(side)));
    let (mut merged, mut at) = (Vec::new(), 0);
    while let Some(start) = sides.iter().filter_map(Side::next).min() {
        // Changes that touch are one question, as they are to git.
        let (before, mut end) = (sides.each_ref().map(|side| side.passed), start);
        while let Some(side) = sides.iter_mut().find(|side| side.next().is_some_and(|n| n <= end)) {
            end = end.max(side.pass());
        }
        let [ours, theirs] = [0, 1].map(|which| sides[which].changed(before[which], start, end));
        merged.extend(&base[at..start]);
        match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours == theirs => merged.extend(ours),
            (Some(ours), Some(theirs)) if start == end => add_both(&mut merged, ours, theirs),
            (Some(_), Some(_)) => return None,
            (ours, theirs) => merged.extend(ours.or(theirs).unwrap_or_default()),
        }
        at = end;
    }
    merged.extend(&base[at..]);
    let mut text = merged.join(&b'\n');
    if is_ended && !merged.is_empty() {
        text.push(b'\n');
    }
    Some(text)
}

fn lines(text: &[u8]) -> Vec<Line<'_>> {
    let ended = text.strip_suffix(b"\n");
    match text {
        b"" => Vec::new(),
        text => ended.unwrap_or(text).split(|byte| *byte == b'\n').collect(),
    }
}

fn add_both<'a>(merged: &mut Vec<Line<'a>>, ours: &[Line<'a>], theirs: &[Line<'a>]) {
    let first = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let (first, ours) = ours.split_at(first);
    let theirs = &theirs[first.len()..];
    let pairs = ours.iter().rev().zip(theirs.iter().rev());
    let last = pairs.take_while(|(ours, theirs)| ours == theirs).count();
    merged.extend(first);
    merged.extend(&ours[..ours.len() - last]);
    merged.extend(theirs);
}

/// One side, walked through from change to change.
struct Side<'a> {
    lines: Vec<Line<'a>>,
    /// Sorted; no two of them touch.
    hunks: Vec<Hunk>,
    /// How many of them were walked through.
    passed: usize,
}

impl<'a> Side<'a> {
    fn new(base: &[Line<'a>], lines: Vec<Line<'a>>) -> Self {
        let (before, after) = (Vec::new(), Vec::new());
        let interner = Interner::new(base.len() + lines.len());
        let mut input = InternedInput { before, after, interner };
        input.update_before(base.iter().copied());
        input.update_after(lines.iter().copied());
        let mut diff = Diff::compute(Algorithm::Histogram, &input);
        // Where a change may stand in several places, both sides have it in the same.
        diff.postprocess_no_heuristic(&input);
        Self { hunks: diff.hunks().collect(), lines, passed: 0 }
    }

    /// Returns the line of the base where the next change begins.
    fn next(&self) -> Option<usize> {
        self.hunks.get(self.passed).map(|hunk| hunk.before.start as usize)
    }

    /// Walks through the next change; returns the line of the base behind it.
    fn pass(&mut self) -> usize {
        self.passed += 1;
        self.hunks[self.passed - 1].before.end as usize
    }

    /// Returns what this side has for these lines of the base; `None` when no change since the
    /// `before`th was walked through.
    fn changed(&self, before: usize, start: usize, end: usize) -> Option<&[Line<'a>]> {
        let hunks = &self.hunks[before..self.passed];
        let (first, last) = (hunks.first()?, hunks.last()?);
        let from = first.after.start as usize - (first.before.start as usize - start);
        let to = last.after.end as usize + (end - last.before.end as usize);
        self.lines.get(from..to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &str) -> Vec<u8> {
        lines.split_whitespace().map(|line| format!("{line}\n")).collect::<String>().into()
    }

    #[test]
    fn what_both_add_is_kept_and_nothing_else_is_decided() {
        let cases = [
            ("at the end", "a", "a b", "a c", Some("a b c")),
            ("at the beginning", "z", "b z", "c z", Some("b c z")),
            ("in the middle", "a z", "a b z", "a c z", Some("a b c z")),
            ("to nothing", "", "b", "c", Some("b c")),
            ("the same", "a", "a b", "a b", Some("a b")),
            ("the same beginning", "a", "a h b", "a h c", Some("a h b c")),
            ("the same end", "a", "a b e", "a c e", Some("a b c e")),
            ("one has it all", "a", "a b", "a b c", Some("a b c")),
            ("between equal lines", "- - -", "- b - -", "- c - -", Some("- b c - -")),
            ("with a change elsewhere", "a b c d", "A b c d x", "a b c d y", Some("A b c d x y")),
            ("and both removed the same", "a b c d", "b c d x", "b c d y", Some("b c d x y")),
            ("one rewrote the line, too", "a", "A b", "a c", None),
            ("both rewrote it", "a", "b", "c", None),
            ("one removed what stands beside", "a b", "a", "a b c", None),
            ("one removed all", "a b", "", "a b c", None),
        ];
        for (name, base, ours, theirs, wanted) in cases {
            for [ours, theirs, swapped] in [[ours, theirs, ""], [theirs, ours, "swapped"]] {
                let known = united(&text(base), &text(ours), &text(theirs));
                let sorted = |text: &[u8]| {
                    let mut lines: Vec<Vec<u8>> =
                        text.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                    lines.sort();
                    lines
                };
                match (swapped, &known, wanted.map(text)) {
                    ("", known, wanted) => assert_eq!(*known, wanted, "{name}"),
                    (_, Some(known), Some(wanted)) => {
                        assert_eq!(sorted(known), sorted(&wanted), "{name}, swapped");
                    }
                    (_, known, wanted) => assert_eq!(*known, wanted, "{name}, swapped"),
                }
            }
        }
    }

    #[test]
    fn a_last_line_may_lack_its_end() {
        assert_eq!(united(b"a", b"a\nb", b"a\nc").unwrap(), b"a\nb\nc");
        assert_eq!(united(b"a", b"a\nb\n", b"a\nc").unwrap(), b"a\nb\nc\n");
        assert_eq!(united(b"", b"", b"").unwrap(), b"");
        assert_eq!(united(b"a\r\n", b"a\r\nb\r\n", b"a\r\nc\r\n").unwrap(), b"a\r\nb\r\nc\r\n");
        assert_eq!(united(b"", b"\n", b"\n\n").unwrap(), b"\n\n");
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_lost_and_none_is_made_up(
            base in "[ab]{0,6}", ours in "[abcd]{0,9}", theirs in "[abxy]{0,9}",
        ) {
            let text = |s: &str| s.chars().map(|c| format!("{c}\n")).collect::<String>();
            let count = |s: &[u8], c: char| s.iter().filter(|b| **b == c as u8).count();
            let (base, ours, theirs) = (text(&base), text(&ours), text(&theirs));
            if let Some(merged) = united(base.as_bytes(), ours.as_bytes(), theirs.as_bytes()) {
                for c in "cd".chars() {
                    proptest::prop_assert_eq!(count(&merged, c), count(ours.as_bytes(), c));
                }
                for c in "xy".chars() {
                    proptest::prop_assert_eq!(count(&merged, c), count(theirs.as_bytes(), c));
                }
            }
            // A side that changed nothing decides nothing.
            let taken = united(base.as_bytes(), base.as_bytes(), theirs.as_bytes());
            proptest::prop_assert_eq!(taken.unwrap(), theirs.as_bytes());
        }
    }
}
