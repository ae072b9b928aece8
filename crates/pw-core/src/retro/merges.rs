//! What integrating cost: merges that stopped, gates, and what the user let pass.

use super::{Allowed, AllowedKind, Gates, Outcome, RedRetro, StopRetro};
use crate::id::{GateName, Oid};
use crate::record::{Event, Proof, Record, Red, RunOptions, Stopped};
use crate::time::{Seconds, rfc3339};

/// Returns the merges that stopped, the oldest first.
pub(super) fn stops(record: &Record, now: Seconds) -> Vec<StopRetro> {
    let events = record.events.iter().enumerate();
    let stop = |(place, (event, at)): (usize, &(Event, Seconds))| {
        let Event::Stopped(stopped) = event else { return None };
        let later = record.events[place + 1..].iter();
        let (outcome, resolution, until) = later
            .filter_map(|(event, at)| end(stopped, event, *at))
            .next()
            .unwrap_or((Outcome::Open, None, now));
        Some(StopRetro {
            worker: stopped.worker.clone(),
            commit: stopped.tip.clone(),
            at: rfc3339(*at),
            seconds: until.saturating_sub(*at).max(0),
            outcome,
            resolution,
        })
    };
    events.filter_map(stop).collect()
}

type End = (Outcome, Option<crate::id::Oid>, Seconds);

/// Returns how an event ends a stop, if it does.
fn end(stopped: &Stopped, event: &Event, at: Seconds) -> Option<End> {
    match event {
        Event::Resolved { worker, commit } if *worker == stopped.worker => {
            Some((Outcome::Resolved, Some(commit.clone()), at))
        }
        // The last stop of an integration is resolved with the integration itself.
        Event::Integrated { .. } | Event::Red(_) => Some((Outcome::Resolved, None, at)),
        Event::Aborted { .. } | Event::Stopped(_) => Some((Outcome::Aborted, None, at)),
        _ => None,
    }
}

/// Returns what gates cost and found.
pub(super) fn gates(record: &Record) -> Gates {
    let mut gates = Gates::default();
    for (event, at) in &record.events {
        match event {
            Event::Gated { end, seconds, .. } => {
                gates.runs += 1;
                gates.failed += usize::from(!end.passed());
                gates.seconds += seconds;
            }
            Event::Red(Red { candidate, gate, workers, .. }) => gates.red.push(RedRetro {
                gate: gate.clone(),
                commit: candidate.clone(),
                at: rfc3339(*at),
                workers: workers.clone(),
            }),
            _ => {}
        }
    }
    let flaky = record.verdicts.iter().filter(|(_, verdict)| verdict.is_flaky());
    for (key, _) in flaky {
        gates.flaky.push(key.0.clone());
        gates.flaky_names.extend(name_of(record, key));
    }
    gates.flaky.dedup();
    gates.flaky_names.sort();
    gates.flaky_names.dedup();
    gates
}

/// Returns what a gate was called when it ran last on this tree.
fn name_of(record: &Record, (of, under): &(Oid, Oid)) -> Option<GateName> {
    record.events.iter().rev().find_map(|(event, _)| match event {
        Event::Gated { tree, terms, gate, .. } if (tree, terms) == (of, under) => gate.clone(),
        _ => None,
    })
}

/// Returns what the user let pass, each once. Only integrations that stopped, or did without gates,
/// leave a trace of what they were asked for.
pub(super) fn allowed(record: &Record) -> Vec<Allowed> {
    let mut allowed: Vec<Allowed> = Vec::new();
    for (event, at) in &record.events {
        let found = match event {
            Event::Stopped(Stopped { options, worker, .. }) => {
                of_options(options, std::slice::from_ref(worker))
            }
            Event::Red(Red { options, .. }) => of_options(options, &[]),
            Event::Integrated { proof: Proof::NoGate, .. } => {
                vec![(AllowedKind::NoGate, Vec::new())]
            }
            _ => Vec::new(),
        };
        for (kind, workers) in found {
            let is_known = |known: &Allowed| known.kind == kind && known.workers == workers;
            if !allowed.iter().any(is_known) {
                allowed.push(Allowed { kind, at: rfc3339(*at), workers });
            }
        }
    }
    allowed
}

fn of_options(
    options: &RunOptions,
    whom: &[crate::id::WorkerId],
) -> Vec<(AllowedKind, Vec<crate::id::WorkerId>)> {
    let scope = options.allow_out_of_scope.then(|| (AllowedKind::OutOfScope, whom.to_vec()));
    let without =
        (!options.without.is_empty()).then(|| (AllowedKind::Without, options.without.clone()));
    scope.into_iter().chain(without).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads events, a minute apart.
    fn record(lines: &[&str]) -> Record {
        let oid = |text: &str| text.repeat(40);
        let line = |line: &&str| {
            let words = line.split(' ').map(|word| match word.strip_prefix('@') {
                Some(name) => oid(name),
                None => word.to_owned(),
            });
            Event::parse(&words.collect::<Vec<_>>().join(" ")).unwrap()
        };
        let planned = [(Event::Planned { branch: None, base: oid("0").parse().unwrap() }, 0)];
        let events = lines.iter().map(line).zip((1..).map(|minute| minute * 60));
        Record::replay(planned.into_iter().chain(events)).unwrap()
    }

    #[test]
    fn a_stop_lasts_until_it_is_resolved_or_given_up() {
        let story = record(&[
            "stopped a @1 @2 out-of-scope without=c",
            "resolved a @3",
            "stopped b @4 @3 out-of-scope without=c",
            "aborted b",
            "stopped b @4 @3",
            "integrated @5 no-gate",
            "stopped c @6 @5",
        ]);
        let found = stops(&story, 600);
        let short = |stop: &StopRetro| (stop.worker.to_string(), stop.seconds, stop.outcome);
        assert_eq!(
            found.iter().map(short).collect::<Vec<_>>(),
            [
                ("a".to_owned(), 60, Outcome::Resolved),
                ("b".to_owned(), 60, Outcome::Aborted),
                ("b".to_owned(), 60, Outcome::Resolved),
                ("c".to_owned(), 180, Outcome::Open),
            ]
        );
        assert!(found[0].resolution.is_some());
        let kinds: Vec<AllowedKind> = allowed(&story).iter().map(|one| one.kind).collect();
        use AllowedKind::{NoGate, OutOfScope, Without};
        assert_eq!(kinds, [OutOfScope, Without, OutOfScope, NoGate]);
    }

    #[test]
    fn gates_are_counted_with_their_flakes_and_culprits() {
        let gates = gates(&record(&[
            "gated @a @b exit=1 10 unit",
            "gated @a @b exit=0 12 unit",
            "gated @c @b exit=1 8",
            "red @d verify worker=b",
        ]));
        assert_eq!((gates.runs, gates.failed, gates.seconds), (3, 2, 30));
        assert_eq!(gates.flaky, ["a".repeat(40).parse().unwrap()]);
        assert_eq!(gates.flaky_names, ["unit".parse().unwrap()]);
        assert_eq!(gates.red[0].workers, ["b".parse().unwrap()]);
    }
}
