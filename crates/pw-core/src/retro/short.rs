//! What of a retrospective is told by default: the numbers, and of what happened what advice needs. When it
//! happened, and in which commits, is in the page and in the whole answer.

use serde_json::{Value, json};

use crate::report::{IN_FULL, cut, is_nothing, leave_out, list};

/// How many commits of a recommendation are named.
const COMMITS: usize = 1;
/// How many entries of a list are told: two of sixteen workers can collide in 120 pairs.
const SHOWN: usize = 8;
/// Lists that grow faster than the number of workers.
const LISTS: [&str; 7] =
    ["missing", "clocks", "handovers", "overlaps", "conflicts", "stops", "allowed"];
/// Numbers of a worker that most workers do not have; of many workers the second, too.
const OFTEN_NOUGHT: [&str; 3] = ["out_of_scope", "near_misses", "stops"];
const OF_MANY: [&str; 3] = ["blocked_seconds", "waiting_seconds", "idle_seconds"];

pub(super) fn shorten(data: &mut Value) {
    leave_out(data, &["goal", "sizes"]);
    shorten_workers(list(data, "workers"));
    // The longest come first: they are told.
    for (name, by) in [("handovers", "waited_seconds"), ("stops", "seconds")] {
        list(data, name).sort_by_key(|entry| std::cmp::Reverse(entry[by].as_i64()));
    }
    let pairs = list(data, "conflicts");
    pairs.iter_mut().for_each(|pair| leave_out(pair, &["findings"]));
    let workers = list(data, "workers");
    workers.iter_mut().for_each(|worker| leave_out(worker, &["label"]));
    for (name, fields) in [
        ("handovers", &["needed_at", "provided_at", "taken_at"][..]),
        ("stops", &["at", "commit", "resolution"]),
        ("allowed", &["at"]),
    ] {
        list(data, name).iter_mut().for_each(|entry| leave_out(entry, fields));
    }
    for advice in list(data, "recommendations") {
        cut(advice, "commits", COMMITS);
    }
    if let Some(hindsight) = data.get_mut("hindsight")
        && is_nothing(&hindsight["moves"])
    {
        leave_out(hindsight, &["own_seconds", "least_seconds", "most_seconds", "sure", "past"]);
    }
    let mut unlisted = serde_json::Map::new();
    for name in LISTS {
        let left = cut(data, name, SHOWN);
        if left > 0 {
            unlisted.insert(name.to_owned(), json!(left));
        }
    }
    let left = data.get_mut("gates").map_or(0, |gates| cut(gates, "red", SHOWN));
    if left > 0 {
        unlisted.insert("red".to_owned(), json!(left));
    }
    if !unlisted.is_empty() {
        data["more"] = unlisted.into();
    }
}

fn shorten_workers(workers: &mut [Value]) {
    let are_many = workers.len() > IN_FULL;
    for worker in workers {
        if are_many {
            leave_out(worker, &["label", "duration_seconds", "lifetime_seconds", "checkpoints"]);
        }
        let is_nought = |value: &Value| *value == 0 || is_nothing(value);
        if let Some(fields) = worker.as_object_mut() {
            fields.retain(|name, value| {
                let is_odd =
                    OFTEN_NOUGHT.contains(&&**name) || are_many && OF_MANY.contains(&&**name);
                !is_odd || !is_nought(value)
            });
        }
    }
}
