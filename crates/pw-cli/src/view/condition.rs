//! How a worker is, in a word or two.

use pw_core::status::{SignalReport, State, WorkerStatus};
use pw_core::time::Seconds;

/// What a word about a worker asks of its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// The user or an agent has to act; red.
    Needs,
    /// It waits; yellow.
    Waits,
    /// Green.
    Done,
    Works,
}

/// Returns a worker's state, or what is more urgent than it.
pub(super) fn condition(worker: &WorkerStatus) -> (String, Tone) {
    let can_go_on = worker.waits_for.as_ref().is_some_and(|waits| waits.satisfied);
    let word = match worker.state {
        _ if worker.stall.is_some() => return ("stalled".to_owned(), Tone::Needs),
        State::Complete if !worker.ready => return ("not ready".to_owned(), Tone::Needs),
        State::Waiting if can_go_on => return ("can go on".to_owned(), Tone::Needs),
        state => state.word().replace('_', " "),
    };
    (word, tone(worker.state))
}

pub(super) fn tone(state: State) -> Tone {
    match state {
        State::Blocked | State::Missing | State::Reopened => Tone::Needs,
        State::Waiting | State::Planned | State::Starting => Tone::Waits,
        State::Complete | State::Integrated => Tone::Done,
        State::InProgress => Tone::Works,
    }
}

/// Returns what a signal says besides its kind, which the state shows.
pub(super) fn said(signal: &SignalReport) -> String {
    match (&signal.reason, &signal.worker, &signal.item) {
        (Some(reason), ..) => reason.clone(),
        (_, Some(worker), Some(item)) => format!("{item} of {worker}"),
        _ => signal.text.clone(),
    }
}

/// Returns an age that changes at most once a minute: `<1m`, `12m`, `3h 5m`, `2d 3h`.
pub(super) fn age(seconds: Seconds) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => "<1m".to_owned(),
        (0, 0, minutes) => format!("{minutes}m"),
        (0, hours, minutes) => format!("{hours}h {}m", minutes % 60),
        (days, hours, _) => format!("{days}d {}h", hours % 24),
    }
}
