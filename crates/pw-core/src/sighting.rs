//! Since when what this clone sees of a worker on another machine is as it is, by this machine's
//! clock. Dates of commits and of records come from other clocks, and decide nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::WorkerId;
use crate::time::Seconds;

/// What was seen of one worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// Its tip and its job.
    pub mark: String,
    /// When that was seen first.
    pub since: Seconds,
}

/// What was seen of all of them.
pub type Sightings = BTreeMap<WorkerId, Sighting>;

/// Returns what is seen now; what has not changed keeps its time.
pub fn sightings(
    before: &Sightings,
    marks: impl IntoIterator<Item = (WorkerId, String)>,
    now: Seconds,
) -> Sightings {
    let seen = |(id, mark): (WorkerId, String)| {
        let known = before.get(&id).filter(|known| known.mark == mark);
        // A clock that was put back makes no worker look busy.
        let since = known.map_or(now, |known| known.since.min(now));
        (id, Sighting { mark, since })
    };
    marks.into_iter().map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_change_keeps_the_time_at_which_it_was_first_seen() {
        let id: WorkerId = "task-1".parse().unwrap();
        let look = |before: &Sightings, mark: &str, now| {
            sightings(before, [(id.clone(), mark.to_owned())], now)
        };
        let since = |seen: &Sightings| seen[&id].since;
        let first = look(&Sightings::new(), "a", 100);
        let again = look(&first, "a", 200);
        assert_eq!((since(&first), since(&again)), (100, 100));
        assert_eq!(since(&look(&again, "b", 300)), 300);
        assert_eq!(since(&look(&again, "a", 50)), 50);
        assert_eq!(sightings(&again, [], 400), Sightings::new());
    }
}
