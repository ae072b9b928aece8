//! Decides which scopes could own one path, and names such a path.
//!
//! Two patterns meet when their segments can be paired, `**` taking any number of them, and the
//! segments of every pair meet as wildcards. Nearly every pair of patterns parts at an end, of the
//! path or of a name, so the answer for a whole plan is quick.

use std::collections::HashMap;

use super::fold::fold;
use super::glob::{Pattern, Segment};
use super::name::{Name, bytes};
use super::subtract::{OwnedPattern, PLAN_STEPS, Remainder, Spelling, remainder};
use super::wildcards::{self, Wild};
use super::{Glob, Scope};
use crate::path::RepoPath;

/// Two scopes that could both own one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The indexes of the two scopes, the smaller first.
    pub scopes: (usize, usize),
    /// The globs that meet, as written.
    pub globs: (String, String),
    /// A path that both own.
    pub witness: RepoPath,
    /// Whether the two names of that path differ in letter case or Unicode form.
    pub folded: bool,
    /// Whether the exclusions were too many to decide; such scopes count as overlapping.
    pub undecided: bool,
}

/// Returns one meeting for each pair of scopes that could own a common path.
pub fn overlaps(scopes: &[&Scope]) -> Vec<Meeting> {
    first_overlaps(scopes, usize::MAX)
}

/// Returns the first of these meetings: the pairs after them are not looked at.
pub fn first_overlaps(scopes: &[&Scope], limit: usize) -> Vec<Meeting> {
    let mut table = Table::default();
    let read: Vec<Read<'_>> = scopes.iter().map(|scope| table.read(scope)).collect();
    let (mut meetings, mut steps) = (Vec::new(), PLAN_STEPS);
    for second in 0..scopes.len() {
        for first in 0..second {
            if meetings.len() >= limit {
                return meetings;
            }
            let (one, two) = (&read[first], &read[second]);
            let pairs = one.owned.iter().flat_map(|a| two.owned.iter().map(move |b| (a, b)));
            meetings.extend(pairs.into_iter().find_map(|(a, b)| {
                let found = table.meeting([a, b], [&one.excluded, &two.excluded], &mut steps)?;
                let globs = (a.glob.text.clone(), b.glob.text.clone());
                let Found { witness, folded, undecided } = found;
                Some(Meeting { scopes: (first, second), globs, witness, folded, undecided })
            }));
        }
    }
    meetings
}

/// A scope, its segments as numbers of the table.
struct Read<'a> {
    owned: Vec<Numbered<'a>>,
    excluded: Vec<Numbered<'a>>,
}

struct Numbered<'a> {
    glob: &'a Glob,
    pattern: &'a Pattern,
    numbers: Vec<Number>,
}

/// A path that two patterns have in common.
struct Found {
    witness: RepoPath,
    folded: bool,
    undecided: bool,
}

/// The place of a segment in the table.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Number(usize);

/// The number of `**` in every table.
const ANY: Number = Number(0);

impl Wild for Number {
    fn is_any(&self) -> bool {
        *self == ANY
    }
}

/// All different segments, so that equal ones are not compared again and again.
struct Table {
    numbers: HashMap<Segment, Number>,
    entries: Vec<Entry>,
}

/// A segment as written, and folded where that differs.
#[derive(Default)]
struct Entry {
    exact: Name,
    folded: Option<Name>,
}

impl Default for Table {
    fn default() -> Self {
        let numbers = HashMap::from([(Segment::Any, ANY)]);
        Self { numbers, entries: vec![Entry::default()] }
    }
}

impl Table {
    fn read<'a>(&mut self, scope: &'a Scope) -> Read<'a> {
        let mut list = |globs: &'a [Glob]| {
            let patterns =
                globs.iter().flat_map(|glob| glob.patterns.iter().map(move |p| (glob, p)));
            let numbered = |(glob, pattern): (&'a Glob, &'a Pattern)| {
                let numbers = pattern.segments.iter().map(|segment| self.number(segment)).collect();
                Numbered { glob, pattern, numbers }
            };
            patterns.map(numbered).collect()
        };
        Read { owned: list(&scope.owned), excluded: list(&scope.excluded) }
    }

    fn number(&mut self, segment: &Segment) -> Number {
        let Segment::One(tokens) = segment else { return ANY };
        if let Some(number) = self.numbers.get(segment) {
            return *number;
        }
        let number = Number(self.entries.len());
        self.numbers.insert(segment.clone(), number);
        let folded = Some(fold(tokens)).filter(|folded| folded != tokens).map(Name::new);
        self.entries.push(Entry { exact: Name::new(tokens.clone()), folded });
        number
    }

    /// Returns what two patterns have in common and their scopes do not exclude.
    fn meeting(
        &self,
        pair: [&Numbered<'_>; 2],
        excluded: [&Vec<Numbered<'_>>; 2],
        plan_steps: &mut usize,
    ) -> Option<Found> {
        let [a, b] = pair;
        if !self.patterns_meet(a, b, Spelling::Any) {
            return None;
        }
        let meets_exactly = self.patterns_meet(a, b, Spelling::Same);
        // An exclusion that misses one of the two takes nothing from what they share.
        let relevant = |not: &&Numbered<'_>| {
            pair.iter().all(|pattern| self.patterns_meet(not, pattern, Spelling::Any))
        };
        let sides = [0, 1].map(|side| OwnedPattern {
            owned: pair[side].pattern,
            excluded: excluded[side].iter().filter(relevant).map(|not| not.pattern).collect(),
        });
        let found = |witness, folded, undecided| Some(Found { witness, folded, undecided });
        if sides.iter().all(|side| side.excluded.is_empty()) {
            return found(self.witness(a, b), !meets_exactly, false);
        }
        // Nearly always one exclusion has all of the other's pattern, which is seen at once.
        let takes_all = |not: &Numbered<'_>| pair.iter().any(|owned| self.covers(not, owned));
        let mut is_taken = meets_exactly && excluded.iter().any(|list| list.iter().any(takes_all));
        let same = (!is_taken).then_some(Spelling::Same);
        for spelling in same.into_iter().chain([Spelling::Any]) {
            match remainder(&sides, spelling, plan_steps) {
                Remainder::Path(path) => return found(path, spelling == Spelling::Any, false),
                Remainder::Undecided => return found(self.witness(a, b), !meets_exactly, true),
                Remainder::Taken => is_taken = true,
                Remainder::Apart => {}
            }
        }
        // Names that differ in Unicode form, or as ß and ss: no exclusion is read into those.
        if is_taken { None } else { found(self.witness(a, b), true, false) }
    }

    fn patterns_meet(&self, a: &Numbered<'_>, b: &Numbered<'_>, spelling: Spelling) -> bool {
        wildcards::meet(&a.numbers, &b.numbers, |a, b| self.segments_meet(*a, *b, spelling))
    }

    /// Returns whether `wide` surely matches every path that `narrow` matches.
    fn covers(&self, wide: &Numbered<'_>, narrow: &Numbered<'_>) -> bool {
        wildcards::matches(&wide.numbers, &narrow.numbers, |wide, narrow| {
            *narrow != ANY && self.entries[wide.0].exact.covers(&self.entries[narrow.0].exact)
        })
    }

    fn segments_meet(&self, a: Number, b: Number, spelling: Spelling) -> bool {
        if a == b || a == ANY || b == ANY {
            return true;
        }
        let (one, two) = (&self.entries[a.0], &self.entries[b.0]);
        if one.exact.meets(&two.exact) {
            return true;
        }
        let may_fold = one.folded.is_some() || two.folded.is_some();
        spelling == Spelling::Any && may_fold && one.in_one_case().meets(two.in_one_case())
    }

    /// Returns a path for two patterns that meet, in one letter case where the names differ.
    fn witness(&self, a: &Numbered<'_>, b: &Numbered<'_>) -> RepoPath {
        let meets_exactly = self.patterns_meet(a, b, Spelling::Same);
        let spelling = if meets_exactly { Spelling::Same } else { Spelling::Any };
        let meets = |a: &Number, b: &Number| self.segments_meet(*a, *b, spelling);
        let pairs = wildcards::common(&a.numbers, &b.numbers, meets);
        let names: Vec<Vec<u8>> = pairs.into_iter().map(|(a, b)| self.name(*a, *b)).collect();
        RepoPath::new(names.join(&b'/'))
    }

    fn name(&self, a: Number, b: Number) -> Vec<u8> {
        let (one, two) = (&self.entries[a.0], &self.entries[b.0]);
        let (one, two) = match self.segments_meet(a, b, Spelling::Same) {
            true => (&one.exact, &two.exact),
            false => (one.in_one_case(), two.in_one_case()),
        };
        bytes(&one.common(two))
    }
}

impl Entry {
    fn in_one_case(&self) -> &Name {
        self.folded.as_ref().unwrap_or(&self.exact)
    }
}

impl Scope {
    /// Returns paths that each glob owns; where it owns all below a folder, one of these, too.
    pub fn examples(&self) -> Vec<(&str, RepoPath)> {
        let all = Self::parse(&["**"]).unwrap_or_default();
        let example = |text: String| {
            let text = if text.ends_with("**") { text + "/x" } else { text };
            let one = Self::parse(&[text]).ok()?;
            Some(overlaps(&[&one, &all]).pop()?.witness)
        };
        let of = |glob: &'_ Glob| glob.patterns.iter().flat_map(Pattern::spelled_out).collect();
        let each = self.owned.iter().map(|glob| (glob, of(glob)));
        each.flat_map(|(glob, texts): (&Glob, Vec<String>)| {
            texts.into_iter().filter_map(example).map(|path| (glob.text.as_str(), path))
        })
        .collect()
    }
}
