//! What two patterns have in common once exclusions are taken away.
//!
//! Needed only for a pair that meets where one side has `!globs`. All patterns are read as
//! automata over characters and run together, breadth first, so the first path found is a shortest
//! one. Exclusions can make this exponential; past a budget the answer is "undecided".
//!
//! The two sides may spell the path differently; each then reads its own spelling, its exclusions
//! too: `!src/x` takes nothing from `Src/**`. They differ only in letters that both patterns write:
//! a wildcard takes the spelling of the other side, so `src/**` without `src/api/**` is not said to
//! own `src/API/x`.

use std::collections::{BTreeMap, HashSet, VecDeque};

use super::automaton::{Automaton, Letter, SEPARATOR, State};
use super::fold::SPELLINGS;
use super::glob::{FIRST_BYTE, LAST_SYMBOL, Pattern, Symbol, Token};
use super::name::bytes;
use crate::path::RepoPath;

/// Most steps from one state of one pattern taken for a pair of patterns, and for a whole plan.
const PAIR_STEPS: usize = 500_000;
pub(super) const PLAN_STEPS: usize = 2_000_000;

/// The symbols that can stand in a path: characters, without the surrogates, and the bytes that begin
/// no character of UTF-8.
const NAMEABLE: [(Symbol, Symbol); 3] =
    [(1, 0xd7ff), (0xe000, 0x10_ffff), (FIRST_BYTE + 0x80, LAST_SYMBOL)];

/// A pattern, and what its scope excludes.
pub(super) struct OwnedPattern<'a> {
    pub(super) owned: &'a Pattern,
    pub(super) excluded: Vec<&'a Pattern>,
}

/// Whether two names may differ in letter case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    Same,
    Any,
}

pub(super) enum Remainder {
    /// The two have no path in common, or none with two spellings where these were asked for.
    Apart,
    /// The exclusions take every common path away.
    Taken,
    /// A shortest path that both still own, as the first spells it.
    Path(RepoPath),
    Undecided,
}

/// Returns what both sides match and neither excludes; takes its steps from `plan_steps`.
pub(super) fn remainder(
    sides: &[OwnedPattern<'_>; 2],
    spelling: Spelling,
    plan_steps: &mut usize,
) -> Remainder {
    let automata = automata(sides);
    let letters = letters(&automata, spelling);
    if spelling == Spelling::Any && letters.iter().all(|[x, y]| x == y) {
        return Remainder::Apart;
    }
    let start = automata.iter().map(|automaton| automaton.closure([State::segment(0)]));
    let start = Joint { states: start.collect(), is_taken: false }.settled(&automata);
    // Every joint state seen, with the one it came from and the symbol that led to it.
    let mut trail: Vec<(usize, Symbol)> = vec![(0, 0)];
    let mut seen: HashSet<Joint> = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([(start, 0)]);
    let (mut is_taken, mut pair_steps) = (false, PAIR_STEPS);
    while let Some((joint, number)) = queue.pop_front() {
        let accepted = |index: usize| automata[index].accepts(&joint.states[index]);
        if accepted(0) && accepted(1) {
            if !joint.is_taken && !(2..automata.len()).any(accepted) {
                return Remainder::Path(RepoPath::new(bytes(&spell(&trail, number))));
            }
            is_taken = true;
        }
        let cost =
            letters.len() * joint.states.iter().map(|states| 1 + states.len()).sum::<usize>();
        if pair_steps.min(*plan_steps) < cost {
            return Remainder::Undecided;
        }
        pair_steps -= cost;
        *plan_steps -= cost;
        for letter in &letters {
            let next = joint.step(&automata, *letter);
            if next.states[0].is_empty() || next.states[1].is_empty() || seen.contains(&next) {
                continue;
            }
            trail.push((number, letter[0]));
            seen.insert(next.clone());
            queue.push_back((next, trail.len() - 1));
        }
    }
    if is_taken { Remainder::Taken } else { Remainder::Apart }
}

/// The states every automaton can be in, automaton by automaton.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Joint {
    states: Vec<Vec<State>>,
    /// An exclusion takes every path that goes on from here: none of them is followed any more.
    is_taken: bool,
}

impl Joint {
    fn step(&self, automata: &[Automaton<'_>], letter: Letter) -> Self {
        let step = |(automaton, states): (&Automaton<'_>, &Vec<State>)| {
            if states.is_empty() { Vec::new() } else { automaton.step(states, letter) }
        };
        let states = automata.iter().zip(&self.states).map(step).collect();
        Self { states, is_taken: self.is_taken }.settled(automata)
    }

    /// Forgets the exclusions where one of them takes all that follows: what they are in does not
    /// matter then, and there are fewer states to see.
    fn settled(mut self, automata: &[Automaton<'_>]) -> Self {
        let takes = |index: usize| automata[index].takes_the_rest(&self.states[index]);
        if self.is_taken || (2..automata.len()).any(takes) {
            self.is_taken = true;
            self.states[2..].iter_mut().for_each(Vec::clear);
        }
        self
    }
}

/// Returns the two owners, then all exclusions.
fn automata<'a>(sides: &[OwnedPattern<'a>; 2]) -> Vec<Automaton<'a>> {
    let owners = sides.iter().enumerate().map(|(side, from)| (side, from.owned, true));
    let excluded = sides
        .iter()
        .enumerate()
        .flat_map(|(side, from)| from.excluded.iter().map(move |pattern| (side, *pattern, false)));
    let automaton = |(side, pattern, is_owner)| Automaton { pattern, side, is_owner };
    owners.chain(excluded).map(automaton).collect()
}

fn spell(trail: &[(usize, Symbol)], mut number: usize) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    while number != 0 {
        symbols.push(trail[number].1);
        number = trail[number].0;
    }
    symbols.reverse();
    symbols
}

/// Returns one letter for every set of letters that no token tells apart.
fn letters(automata: &[Automaton<'_>], spelling: Spelling) -> Vec<Letter> {
    let starts = starts(automata);
    let ends = starts.iter().skip(1).copied().chain([Symbol::MAX]);
    let small =
        |from: Symbol, to: Symbol| ('a'..='z').map(u32::from).find(|c| (from..to).contains(c));
    let real = |from: Symbol, to: Symbol| {
        NAMEABLE.iter().find_map(|(low, high)| {
            let first = from.max(*low);
            (first < to && first <= *high).then_some(first)
        })
    };
    let same = starts.iter().zip(ends);
    let same = same.filter_map(|(from, to)| small(*from, to).or_else(|| real(*from, to)));
    let mut letters: Vec<Letter> = same.map(|symbol| [symbol, symbol]).collect();
    // Small letters first make the path that is found easy to read.
    letters.sort_by_key(|[symbol, _]| small(*symbol, symbol + 1).is_none());
    if spelling == Spelling::Any {
        let set = |symbol: &Symbol| starts.partition_point(|start| start <= symbol);
        let mut differing = BTreeMap::new();
        for spellings in SPELLINGS.iter() {
            let written = |side: usize| {
                let automaton = &automata[side];
                spellings.iter().filter(move |symbol| automaton.writes(**symbol))
            };
            for (x, y) in written(0).flat_map(|x| written(1).map(move |y| (x, y))) {
                differing.entry((set(x), set(y))).or_insert([*x, *y]);
            }
        }
        letters.extend(differing.into_values().filter(|[x, y]| x != y));
    }
    letters
}

/// Returns where the sets of symbols that no token tells apart start.
fn starts(automata: &[Automaton<'_>]) -> Vec<Symbol> {
    let mut starts = vec![1, SEPARATOR, SEPARATOR + 1];
    for token in automata.iter().flat_map(Automaton::tokens) {
        match token {
            Token::Literal(symbol) => starts.extend([*symbol, symbol + 1]),
            Token::Class(class) => {
                starts.extend(class.ranges.iter().flat_map(|(l, h)| [*l, h + 1]))
            }
            Token::One | Token::Star => {}
        }
    }
    starts.sort_unstable();
    starts.dedup();
    starts
}
