//! Which times can be: clocks of machines differ, and any commit may claim any time.

use crate::time::Seconds;

/// By how much clocks may differ without a word.
pub(super) const SKEW: Seconds = 120;

/// When things happened to one worker, in the order they did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Believed {
    /// When the worker was created; `None` when that was not recorded, or cannot be.
    pub(super) created: Option<Seconds>,
    /// Never before the one before: what is not believed has the time of what came before it.
    pub(super) commits: Vec<Seconds>,
    /// The indices of the commits whose own time is not used.
    pub(super) doubted: Vec<usize>,
}

/// Believes as many times as do not contradict each other. `said` is what commits say, in their
/// order on the branch; of two that contradict each other the record's is believed, unless more
/// than one commit is against it.
pub(super) fn believe(created: Option<Seconds>, said: &[Seconds], now: Seconds) -> Believed {
    let limit = now.saturating_add(SKEW);
    // Git gives a commit without a readable time none at all: 1970.
    let created = created.filter(|at| (1..=limit).contains(at));
    let since = created.map_or(1, |at| at.saturating_sub(SKEW));
    let (bound, free) = (rising(said, since, limit), rising(said, 1, limit));
    let created = created.filter(|_| free.len() <= bound.len() + 1);
    let kept = if created.is_some() { bound } else { free };
    let mut believed = Believed { created, commits: Vec::new(), doubted: Vec::new() };
    let first = kept.first().map(|at| said[*at]);
    let mut last = created.or(first).unwrap_or(now);
    let mut ahead = kept.iter().copied().peekable();
    for (at, time) in said.iter().copied().enumerate() {
        let next = ahead.peek().map_or(limit, |next| said[*next]);
        if ahead.next_if_eq(&at).is_some() {
            last = last.max(time);
        } else if time >= last.saturating_sub(SKEW) && time <= next.saturating_add(SKEW) {
            last = time.clamp(last, last.max(next));
        } else {
            believed.doubted.push(at);
        }
        believed.commits.push(last);
    }
    believed
}

/// Returns the indices of the longest sequence of times that never falls, all between the bounds.
fn rising(times: &[Seconds], since: Seconds, until: Seconds) -> Vec<usize> {
    // For each length, the sequence of that length with the earliest end; and who comes before whom.
    let (mut ends, mut before): (Vec<usize>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
    for (at, time) in times.iter().enumerate() {
        let place = ends.partition_point(|end| times[*end] <= *time);
        before.push(place.checked_sub(1).map(|shorter| ends[shorter]));
        if *time < since || *time > until {
            continue;
        }
        match ends.get_mut(place) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let chain = std::iter::successors(ends.last().copied(), |at| before[*at]);
    let mut kept: Vec<usize> = chain.collect();
    kept.reverse();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubted(created: Option<Seconds>, said: &[Seconds]) -> Vec<usize> {
        believe(created, said, 10_000).doubted
    }

    #[test]
    fn one_clock_that_is_wrong_is_found_wherever_it_stands() {
        assert_eq!(doubted(Some(1_000), &[2_000, 3_000, 4_000]), [0; 0]);
        for (at, said) in [
            [90_000, 3_000, 4_000],
            [2_000, 90_000, 4_000],
            [2_000, 3_000, 90_000],
            [5, 3_000, 4_000],
            [2_000, 5, 4_000],
            [2_000, 3_000, 5],
            [2_000, 9_000, 4_000],
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(doubted(Some(1_000), &said), [[0, 1, 2, 0, 1, 2, 1][at]], "{said:?}");
        }
        assert_eq!(believe(Some(1_000), &[2_000, 5, 4_000], 10_000).commits, [2_000, 2_000, 4_000]);
    }

    #[test]
    fn a_few_seconds_between_machines_are_no_fault() {
        let believed = believe(Some(1_000), &[990, 2_000, 1_950, 3_000], 10_000);
        assert_eq!(believed.doubted, [0; 0]);
        assert_eq!(believed.commits, [1_000, 1_950, 1_950, 3_000]);
    }

    #[test]
    fn the_record_is_believed_unless_two_commits_are_against_it() {
        let one = believe(Some(5_000), &[2_000], 10_000);
        assert_eq!((one.created, one.doubted.len()), (Some(5_000), 1));
        let two = believe(Some(5_000), &[2_000, 3_000], 10_000);
        assert_eq!((two.created, two.commits), (None, vec![2_000, 3_000]));
        assert_eq!(believe(Some(90_000), &[2_000], 10_000).created, None);
    }

    #[test]
    fn without_any_time_to_believe_there_is_now() {
        let lost = believe(None, &[90_000, 95_000, 0, i64::MIN], 10_000);
        assert_eq!((lost.commits, lost.doubted), (vec![10_000; 4], vec![0, 1, 2, 3]));
        assert_eq!(believe(Some(1), &[], 10).commits, [0; 0]);
    }
}
