//! Decides which scopes could own one path, and names such a path.
//!
//! Segment by segment: two patterns meet when their segments can be aligned, `**` taking any
//! number of them, and every aligned pair of segments meets as a wildcard. Both are small dynamic
//! programs; each pair of different segments is decided once.

use std::collections::HashMap;

use super::glob::{Pattern, Segment, Symbol, Token, tokens_match};
use super::subtract::{Remainder, remainder};
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
    let mut table = SegmentTable::default();
    let owned: Vec<Vec<Owned<'_>>> = scopes.iter().map(|scope| table.owned(scope)).collect();
    let mut meetings = Vec::new();
    for second in 0..scopes.len() {
        for first in 0..second {
            let excluded = [scopes[first], scopes[second]].map(|scope| &scope.excluded);
            let pairs = owned[first].iter().flat_map(|a| owned[second].iter().map(move |b| (a, b)));
            let met = pairs.into_iter().find_map(|(a, b)| {
                let (witness, folded, undecided) = table.meet(a, b, &excluded)?;
                let globs = (a.glob.text.clone(), b.glob.text.clone());
                Some(Meeting { scopes: (first, second), globs, witness, folded, undecided })
            });
            meetings.extend(met);
        }
    }
    meetings
}

/// One pattern of a scope, exactly and folded, its segments as numbers of the table.
struct Owned<'a> {
    glob: &'a Glob,
    exact: (&'a Pattern, Vec<usize>),
    folded: (&'a Pattern, Vec<usize>),
}

/// The number of `**` in every table.
const ANY: usize = 0;

/// All different segments, and which pairs of them are known to meet.
struct SegmentTable {
    numbers: HashMap<Segment, usize>,
    segments: Vec<Segment>,
    /// How the names of each segment begin and end.
    ends: Vec<Ends>,
    meet: HashMap<(usize, usize), bool>,
}

/// What every name that a segment matches begins and ends with.
#[derive(Default)]
struct Ends {
    prefix: Vec<Symbol>,
    suffix: Vec<Symbol>,
    is_literal: bool,
}

impl Ends {
    fn of(segment: &Segment) -> Self {
        let Segment::One(tokens) = segment else { return Self::default() };
        let literal = |token: &Token| match token {
            Token::Literal(symbol) => Some(*symbol),
            _ => None,
        };
        Self {
            prefix: tokens.iter().map_while(literal).collect(),
            suffix: tokens.iter().rev().map_while(literal).collect(),
            is_literal: segment.is_literal(),
        }
    }

    /// Returns whether two segments could have a name in common, as far as the ends tell.
    fn fit(&self, other: &Self) -> bool {
        let agree = |a: &[Symbol], b: &[Symbol]| a.iter().zip(b).all(|(a, b)| a == b);
        !(self.is_literal && other.is_literal)
            && agree(&self.prefix, &other.prefix)
            && agree(&self.suffix, &other.suffix)
    }
}

impl Default for SegmentTable {
    fn default() -> Self {
        let numbers = HashMap::from([(Segment::Any, ANY)]);
        Self {
            numbers,
            segments: vec![Segment::Any],
            ends: vec![Ends::default()],
            meet: HashMap::new(),
        }
    }
}

impl SegmentTable {
    fn owned<'a>(&mut self, scope: &'a Scope) -> Vec<Owned<'a>> {
        let pairs = |glob: &'a Glob| glob.patterns.iter().zip(&glob.folded).map(move |p| (glob, p));
        let all = scope.owned.iter().flat_map(pairs);
        all.map(|(glob, (exact, folded))| Owned {
            glob,
            exact: (exact, self.numbers(exact)),
            folded: (folded, self.numbers(folded)),
        })
        .collect()
    }

    fn numbers(&mut self, pattern: &Pattern) -> Vec<usize> {
        let segments = pattern.segments.iter();
        segments
            .map(|segment| match self.numbers.get(segment) {
                Some(number) => *number,
                None => {
                    self.segments.push(segment.clone());
                    self.ends.push(Ends::of(segment));
                    self.numbers.insert(segment.clone(), self.segments.len() - 1);
                    self.segments.len() - 1
                }
            })
            .collect()
    }

    /// Returns a common path, whether only folding makes it common, and whether that is a guess.
    fn meet(
        &mut self,
        a: &Owned<'_>,
        b: &Owned<'_>,
        excluded: &[&Vec<Glob>; 2],
    ) -> Option<(RepoPath, bool, bool)> {
        // Folded patterns match more, so this one question settles nearly every pair.
        if !self.patterns_meet(&a.folded.1, &b.folded.1) {
            return None;
        }
        let excluded = || excluded.iter().flat_map(|globs| globs.iter());
        let exact: Vec<&Pattern> = excluded().flat_map(|glob| &glob.patterns).collect();
        let folded: Vec<&Pattern> = excluded().flat_map(|glob| &glob.folded).collect();
        for (a, b, excluded, is_folded) in
            [(&a.exact, &b.exact, exact, false), (&a.folded, &b.folded, folded, true)]
        {
            if !self.patterns_meet(&a.1, &b.1) {
                continue;
            }
            if excluded.is_empty() {
                return Some((self.witness(&a.1, &b.1), is_folded, false));
            }
            match remainder(a.0, b.0, &excluded) {
                Remainder::Empty => {}
                Remainder::Path(path) => return Some((path, is_folded, false)),
                Remainder::Undecided => return Some((self.witness(&a.1, &b.1), is_folded, true)),
            }
        }
        None
    }

    fn segments_meet(&mut self, a: usize, b: usize) -> bool {
        if a == b || a == ANY || b == ANY {
            return true;
        }
        // Settles nearly all; only what is left is worth a table.
        if !self.ends[a].fit(&self.ends[b]) {
            return false;
        }
        let (one, two) = (&self.segments[a], &self.segments[b]);
        *self.meet.entry((a.min(b), a.max(b))).or_insert_with(|| match (one, two) {
            (Segment::One(one), Segment::One(two)) => common_name(one, two).is_some(),
            _ => true,
        })
    }

    fn patterns_meet(&mut self, a: &[usize], b: &[usize]) -> bool {
        // Most patterns part in a literal folder or in the last name, on either side of their
        // `**`; no table is needed to see that.
        let before_any = |x: &usize, y: &usize| *x != ANY && *y != ANY;
        let front = a.iter().zip(b).take_while(|(x, y)| before_any(x, y)).count();
        let back = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| before_any(x, y)).count();
        (0..front).all(|at| self.segments_meet(a[at], b[at]))
            && (1..=back).all(|at| self.segments_meet(a[a.len() - at], b[b.len() - at]))
            && self.alignment(a, b)[0][0]
    }

    /// Returns for every pair of suffixes whether they meet.
    fn alignment(&mut self, a: &[usize], b: &[usize]) -> Vec<Vec<bool>> {
        let mut meets = vec![vec![false; b.len() + 1]; a.len() + 1];
        meets[a.len()][b.len()] = true;
        for i in (0..=a.len()).rev() {
            for j in (0..=b.len()).rev() {
                let (any_a, any_b) = (a.get(i) == Some(&ANY), b.get(j) == Some(&ANY));
                if any_a || any_b {
                    meets[i][j] |= i < a.len() && meets[i + 1][j];
                    meets[i][j] |= j < b.len() && meets[i][j + 1];
                } else if i < a.len() && j < b.len() && self.segments_meet(a[i], b[j]) {
                    meets[i][j] = meets[i + 1][j + 1];
                }
            }
        }
        meets
    }

    /// Returns a path for two patterns that meet: walks the alignment from its start.
    fn witness(&mut self, a: &[usize], b: &[usize]) -> RepoPath {
        let meets = self.alignment(a, b);
        let (mut i, mut j, mut names) = (0, 0, Vec::new());
        while i < a.len() || j < b.len() {
            let (any_a, any_b) = (a.get(i) == Some(&ANY), b.get(j) == Some(&ANY));
            if !any_a && !any_b {
                names.push(self.name(a[i], b[j]));
                (i, j) = (i + 1, j + 1);
            } else if any_a && meets[i + 1][j] {
                i += 1;
            } else if any_b && meets[i][j + 1] {
                j += 1;
            } else if any_a {
                names.push(self.name(b[j], b[j]));
                j += 1;
            } else {
                names.push(self.name(a[i], a[i]));
                i += 1;
            }
        }
        RepoPath::new(names.join(&b'/'))
    }

    fn name(&self, a: usize, b: usize) -> Vec<u8> {
        match (&self.segments[a], &self.segments[b]) {
            (Segment::One(a), Segment::One(b)) => utf8(&common_name(a, b).unwrap_or_default()),
            _ => Vec::new(),
        }
    }
}

/// Returns the UTF-8 of symbols, which holds for every symbol a glob can name.
pub(super) fn utf8(symbols: &[Symbol]) -> Vec<u8> {
    symbols.iter().filter_map(|symbol| char::from_u32(*symbol)).collect::<String>().into_bytes()
}

/// Returns a file name that both token lists match, if there is one.
fn common_name(a: &[Token], b: &[Token]) -> Option<Vec<Symbol>> {
    let star = |tokens: &[Token], at: usize| matches!(tokens.get(at), Some(Token::Star));
    let mut meets = vec![vec![false; b.len() + 1]; a.len() + 1];
    meets[a.len()][b.len()] = true;
    for i in (0..=a.len()).rev() {
        for j in (0..=b.len()).rev() {
            if star(a, i) || star(b, j) {
                meets[i][j] |= i < a.len() && meets[i + 1][j];
                meets[i][j] |= j < b.len() && meets[i][j + 1];
            } else if i < a.len() && j < b.len() && common_symbol(&a[i], &b[j]).is_some() {
                meets[i][j] = meets[i + 1][j + 1];
            }
        }
    }
    if !meets[0][0] {
        return None;
    }
    let (mut i, mut j, mut name) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        let (star_a, star_b) = (star(a, i), star(b, j));
        if !star_a && !star_b {
            name.extend(common_symbol(&a[i], &b[j]));
            (i, j) = (i + 1, j + 1);
        } else if star_a && meets[i + 1][j] {
            i += 1;
        } else if star_b && meets[i][j + 1] {
            j += 1;
        } else if star_a {
            name.extend(common_symbol(&b[j], &b[j]));
            j += 1;
        } else {
            name.extend(common_symbol(&a[i], &a[i]));
            i += 1;
        }
    }
    // No file is called "", "." or "..": the stars that allow these allow a longer name, too.
    let dots = name.len() < 3 && name.iter().all(|symbol| *symbol == u32::from('.'));
    let longer: Vec<Symbol> = name.iter().copied().chain([u32::from('x')]).collect();
    if dots && tokens_match(a, &longer) && tokens_match(b, &longer) {
        name = longer;
    }
    (!name.is_empty()).then_some(name)
}

/// Returns a symbol that both tokens accept, a letter where there is a choice.
fn common_symbol(a: &Token, b: &Token) -> Option<Symbol> {
    let ends = |token: &Token| match token {
        Token::Literal(symbol) => vec![*symbol],
        Token::Class(class) => class.ranges.iter().flat_map(|(low, high)| [*low, *high]).collect(),
        Token::One | Token::Star => Vec::new(),
    };
    // Two unions of ranges that meet do so at the end of a range.
    let candidates = [u32::from('x')].into_iter().chain(ends(a)).chain(ends(b));
    candidates.into_iter().find(|symbol| a.accepts(*symbol) && b.accepts(*symbol))
}
