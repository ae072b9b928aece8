//! A pattern read as an automaton over the letters of a path.

use super::glob::{Pattern, Segment, Symbol, Token};

pub(super) const SEPARATOR: Symbol = '/' as Symbol;

/// One letter of a path as each side spells it.
pub(super) type Letter = [Symbol; 2];

/// A pattern read as an automaton.
pub(super) struct Automaton<'a> {
    pub(super) pattern: &'a Pattern,
    pub(super) side: usize,
    pub(super) is_owner: bool,
}

/// A place in a pattern: before token `token` of segment `segment`, or inside a name that a `**`
/// takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct State {
    segment: usize,
    token: usize,
    /// Whether at least one symbol of the present name was read: no name is empty.
    named: bool,
}

impl State {
    pub(super) fn segment(segment: usize) -> Self {
        Self { segment, token: 0, named: false }
    }
}

impl<'a> Automaton<'a> {
    pub(super) fn tokens(&self) -> impl Iterator<Item = &'a Token> + use<'a> {
        self.pattern.segments.iter().flat_map(|segment| match segment {
            Segment::Any => &[][..],
            Segment::One(tokens) => tokens,
        })
    }

    /// Returns whether the pattern spells this symbol out, as a letter or in a class.
    pub(super) fn writes(&self, symbol: Symbol) -> bool {
        self.tokens().any(|token| is_written(token) && token.accepts(symbol))
    }

    pub(super) fn accepts(&self, states: &[State]) -> bool {
        let rest_is_any = |from: usize| {
            self.pattern.segments.iter().skip(from).all(|segment| matches!(segment, Segment::Any))
        };
        states
            .iter()
            .any(|state| state.named && self.at_end(state) && rest_is_any(state.segment + 1))
    }

    /// Returns whether every path that goes on from here with a name matches.
    pub(super) fn takes_the_rest(&self, states: &[State]) -> bool {
        // What lies below a folder is read as `**` or as `**/*`.
        let is_any_name = |tokens: &Vec<Token>| tokens[..] == [Token::Star];
        states.iter().any(|state| match self.pattern.segments.get(state.segment..) {
            Some([Segment::Any]) => !state.named,
            Some([Segment::Any, Segment::One(tokens)]) => !state.named && is_any_name(tokens),
            _ => false,
        })
    }

    /// Returns whether the name may end here.
    fn at_end(&self, state: &State) -> bool {
        match self.pattern.segments.get(state.segment) {
            Some(Segment::Any) => true,
            Some(Segment::One(tokens)) => state.token == tokens.len(),
            None => false,
        }
    }

    /// Returns where this side's spelling of the letter leads.
    pub(super) fn step(&self, states: &[State], letter: Letter) -> Vec<State> {
        let symbol = letter[self.side];
        // Where the spellings differ, no wildcard takes the letter.
        let must_write = self.is_owner && letter[0] != letter[1];
        let next = states.iter().filter_map(|state| {
            if symbol == SEPARATOR {
                let any = matches!(self.pattern.segments[state.segment], Segment::Any);
                let segment = if any { state.segment } else { state.segment + 1 };
                return (state.named && self.at_end(state)).then(|| State::segment(segment));
            }
            let Segment::One(tokens) = &self.pattern.segments[state.segment] else {
                return (!must_write).then_some(State { named: true, ..*state });
            };
            let token = tokens.get(state.token)?;
            let stays = matches!(token, Token::Star);
            let after = if stays { state.token } else { state.token + 1 };
            let takes = token.accepts(symbol) && (!must_write || is_written(token));
            takes.then_some(State { token: after, named: true, ..*state })
        });
        self.closure(next)
    }

    /// Adds what can be reached without reading: past a star, and past a `**` between names.
    pub(super) fn closure(&self, states: impl IntoIterator<Item = State>) -> Vec<State> {
        let mut all: Vec<State> = states.into_iter().collect();
        let mut at = 0;
        while let Some(state) = all.get(at).copied() {
            at += 1;
            let further = match self.pattern.segments.get(state.segment) {
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
        all.retain(|state| state.segment < self.pattern.segments.len());
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn is_written(token: &Token) -> bool {
    matches!(token, Token::Literal(_) | Token::Class(_))
}
