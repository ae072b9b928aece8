//! What two patterns have in common once exclusions are taken away.
//!
//! Needed only for a pair that meets where one side has `!globs`. All patterns are read as
//! automata over characters and run together, breadth first, so the first path found is a shortest
//! one. Exclusions can make this exponential; past a budget the answer is "undecided".

use std::collections::{HashMap, VecDeque};

use super::glob::{Pattern, Segment, Symbol, Token};
use super::overlap::utf8;
use crate::path::RepoPath;

/// Most joint states looked at for one pair.
const BUDGET: usize = 100_000;

const SEPARATOR: Symbol = '/' as Symbol;

pub(super) enum Remainder {
    /// The exclusions take every common path away.
    Empty,
    /// A shortest path that both still own.
    Path(RepoPath),
    Undecided,
}

/// Returns what `a` and `b` both match and none of `excluded` does.
pub(super) fn remainder(a: &Pattern, b: &Pattern, excluded: &[&Pattern]) -> Remainder {
    let machines: Vec<Machine<'_>> =
        [a, b].into_iter().chain(excluded.iter().copied()).map(Machine).collect();
    let alphabet = alphabet(&machines);
    let start: Joint =
        machines.iter().map(|machine| machine.closure([State::segment(0)])).collect();
    // Every joint state seen, with the one it came from and the symbol that led to it.
    let mut trail: Vec<(usize, Symbol)> = vec![(0, 0)];
    let mut seen: HashMap<Joint, usize> = HashMap::from([(start.clone(), 0)]);
    let mut queue = VecDeque::from([(start, 0)]);
    while let Some((joint, number)) = queue.pop_front() {
        let accepted = |index: usize| machines[index].accepts(&joint[index]);
        if accepted(0) && accepted(1) && !(2..machines.len()).any(accepted) {
            return Remainder::Path(RepoPath::new(utf8(&spell(&trail, number))));
        }
        for symbol in &alphabet {
            let step =
                |(machine, states): (&Machine<'_>, &Vec<State>)| machine.step(states, *symbol);
            let next: Joint = machines.iter().zip(&joint).map(step).collect();
            if next[0].is_empty() || next[1].is_empty() || seen.contains_key(&next) {
                continue;
            }
            if trail.len() == BUDGET {
                return Remainder::Undecided;
            }
            trail.push((number, *symbol));
            seen.insert(next.clone(), trail.len() - 1);
            queue.push_back((next, trail.len() - 1));
        }
    }
    Remainder::Empty
}

/// The states every machine can be in, machine by machine.
type Joint = Vec<Vec<State>>;

fn spell(trail: &[(usize, Symbol)], mut number: usize) -> Vec<Symbol> {
    let mut symbols = Vec::new();
    while number != 0 {
        symbols.push(trail[number].1);
        number = trail[number].0;
    }
    symbols.reverse();
    symbols
}

/// Returns one symbol for every set of symbols that no token tells apart, a letter if possible.
fn alphabet(machines: &[Machine<'_>]) -> Vec<Symbol> {
    let mut starts = vec![1, SEPARATOR, SEPARATOR + 1];
    let segments = machines.iter().flat_map(|machine| &machine.0.segments);
    for token in segments.flat_map(|segment| match segment {
        Segment::Any => &[][..],
        Segment::One(tokens) => tokens,
    }) {
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
    let ends = starts.iter().skip(1).copied().chain([Symbol::MAX]);
    let letter =
        |from: Symbol, to: Symbol| ('a'..='z').map(u32::from).find(|c| (from..to).contains(c));
    starts.iter().zip(ends).map(|(from, to)| letter(*from, to).unwrap_or(*from)).collect()
}

/// A pattern read as an automaton.
struct Machine<'a>(&'a Pattern);

/// A place in a pattern: before token `token` of segment `segment`, or inside a name that a `**`
/// takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct State {
    segment: usize,
    token: usize,
    /// Whether at least one symbol of the present name was read: no name is empty.
    named: bool,
}

impl State {
    fn segment(segment: usize) -> Self {
        Self { segment, token: 0, named: false }
    }
}

impl Machine<'_> {
    fn accepts(&self, states: &[State]) -> bool {
        let rest_is_any = |from: usize| {
            self.0.segments.iter().skip(from).all(|segment| matches!(segment, Segment::Any))
        };
        states
            .iter()
            .any(|state| state.named && self.at_end(state) && rest_is_any(state.segment + 1))
    }

    /// Returns whether the name may end here.
    fn at_end(&self, state: &State) -> bool {
        match self.0.segments.get(state.segment) {
            Some(Segment::Any) => true,
            Some(Segment::One(tokens)) => state.token == tokens.len(),
            None => false,
        }
    }

    fn step(&self, states: &[State], symbol: Symbol) -> Vec<State> {
        let next = states.iter().filter_map(|state| {
            if symbol == SEPARATOR {
                let any = matches!(self.0.segments[state.segment], Segment::Any);
                let segment = if any { state.segment } else { state.segment + 1 };
                return (state.named && self.at_end(state)).then(|| State::segment(segment));
            }
            let Segment::One(tokens) = &self.0.segments[state.segment] else {
                return Some(State { named: true, ..*state });
            };
            let token = tokens.get(state.token)?;
            let stays = matches!(token, Token::Star);
            let after = if stays { state.token } else { state.token + 1 };
            token.accepts(symbol).then_some(State { token: after, named: true, ..*state })
        });
        self.closure(next)
    }

    /// Adds what can be reached without reading: past a star, and past a `**` between names.
    fn closure(&self, states: impl IntoIterator<Item = State>) -> Vec<State> {
        let mut all: Vec<State> = states.into_iter().collect();
        let mut at = 0;
        while let Some(state) = all.get(at).copied() {
            at += 1;
            let further = match self.0.segments.get(state.segment) {
                Some(Segment::Any) if !state.named => State::segment(state.segment + 1),
                Some(Segment::One(tokens))
                    if matches!(tokens.get(state.token), Some(Token::Star)) =>
                {
                    State { token: state.token + 1, ..state }
                }
                _ => continue,
            };
            if !all.contains(&further) {
                all.push(further);
            }
        }
        all.retain(|state| state.segment < self.0.segments.len());
        all.sort_unstable();
        all.dedup();
        all
    }
}
