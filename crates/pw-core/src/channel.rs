//! A remote as the channel between clones: which refs travel, what to give, what to take, and which
//! tip of a worker counts.
//!
//! The record is a chain, and every ref of ours moves in one transaction with it. So of two clones,
//! the one whose record contains the other's has the newer of everything.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::branch::Branch;
use crate::id::{Oid, Slug, WorkerId};
use crate::record::{Event, Refs};
use crate::remote::{RefChange, RemoteTrouble};

/// What the names begin with under which refs of the remote are kept here, as of the last fetch.
pub const TRACKING: &str = "refs/pw-remote/";

/// What all workers' branches begin with.
pub const BRANCHES: &str = "refs/heads/work/";

/// Returns where a ref of the remote is kept here.
pub fn tracking(name: &str) -> String {
    format!("{TRACKING}{}", name.strip_prefix("refs/").unwrap_or(name))
}

/// Returns where a branch's commits are kept that the remote had and took away.
pub fn taken_away(branch: &Branch) -> String {
    format!("{TRACKING}before/{branch}")
}

/// Returns whether a ref of the workflow is the same in all clones. Snapshots stay in the clone
/// they were taken in unless the user has one pushed: they may hold ignored files.
pub fn travels(workflow: &Slug, name: &str) -> bool {
    let names = Refs(workflow);
    let own = name.strip_prefix("refs/pw/").and_then(|name| name.strip_prefix(workflow.as_str()));
    let own = own.and_then(|name| name.strip_prefix('/'));
    name == names.integration()
        || own.is_some_and(|own| {
            let is_one = ["record", "candidate", "integrated", "closed", "rerere"].contains(&own);
            is_one || own.starts_with("merged/")
        })
}

/// Returns the refs that one has to ask a remote for: their names begin with these.
pub fn asked(workflow: &Slug) -> Vec<String> {
    vec![format!("refs/pw/{workflow}/"), Refs(workflow).integration()]
}

/// What to push so that the remote has of the workflow what is here.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    /// All together or not at all.
    pub changes: Vec<RefChange>,
    /// What is left as it is there, since another hand than ours moved it.
    pub left: Vec<String>,
}

/// Returns what to push; `ours` and `theirs` are refs by full name. The record there must be in
/// ours.
pub fn mirror(
    workflow: &Slug,
    ours: &BTreeMap<String, Oid>,
    theirs: &BTreeMap<String, Oid>,
) -> Mirror {
    let names = Refs(workflow);
    let mut mirror = Mirror::default();
    for name in all(workflow, ours, theirs) {
        let (new, old) = (ours.get(name), theirs.get(name));
        let is_gone = new.is_none() && name.contains("/merged/");
        if new == old || is_gone {
            continue;
        }
        let is_untouched = old.is_none() || old == theirs.get(&names.integrated());
        if *name == names.integration() && !is_untouched {
            mirror.left.push(name.clone());
            continue;
        }
        let (name, new, old) = (name.clone(), new.cloned(), old.cloned());
        mirror.changes.push(RefChange { name, new, old });
    }
    mirror
}

/// Returns how our refs move to what the remote has; its record must contain ours. A branch that
/// the user moved stays.
pub fn adoption(
    workflow: &Slug,
    ours: &BTreeMap<String, Oid>,
    theirs: &BTreeMap<String, Oid>,
) -> Vec<RefChange> {
    let names = Refs(workflow);
    let is_wanted = |name: &&String| {
        let (old, new) = (ours.get(*name), theirs.get(*name));
        let is_untouched = old.is_none() || old == ours.get(&names.integrated());
        match new {
            _ if old == new => false,
            _ if **name == names.integration() => is_untouched,
            Some(_) => true,
            // What was merged stays reachable.
            None => [names.candidate(), names.closed()].contains(name),
        }
    };
    let change = |name: &String| RefChange {
        name: name.clone(),
        new: theirs.get(name).cloned(),
        old: ours.get(name).cloned(),
    };
    all(workflow, ours, theirs).into_iter().filter(is_wanted).map(change).collect()
}

/// Returns the first of our events that cannot stand behind those that the remote has and we lack:
/// only one clone can decide it.
pub fn clash<'a>(ours: &'a [Event], theirs: &[Event]) -> Option<&'a Event> {
    let is_made_there = |id: &WorkerId| {
        theirs.iter().any(|event| matches!(event, Event::Creating { worker, .. } if worker == id))
    };
    ours.iter().find(|event| match event {
        Event::Creating { worker, .. } => is_made_there(worker),
        event => event.is_exclusive(),
    })
}

fn all<'a>(
    workflow: &Slug,
    ours: &'a BTreeMap<String, Oid>,
    theirs: &'a BTreeMap<String, Oid>,
) -> BTreeSet<&'a String> {
    ours.keys().chain(theirs.keys()).filter(|name| travels(workflow, name)).collect()
}

/// Where the tip of a worker's branch is that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TipFrom {
    /// Here; the remote has none of it, or an older tip.
    Local,
    /// The remote has a newer one, or the only one.
    Remote,
    /// Here and there.
    Both,
    /// Each has commits that the other one lacks; the one here counts, and is not merged.
    Diverged,
}

/// A worker's tip, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// The commit.
    pub commit: Oid,
    /// Where it is.
    pub from: TipFrom,
    /// The other tip, of two that diverged.
    pub other: Option<Oid>,
}

/// Returns the newest of what is known of a branch: here, on the remote, and what the remote had
/// before it took it away. `contains` tells whether the first commit has the second one.
pub fn newest(
    local: Option<&Oid>,
    remote: Option<&Oid>,
    before: Option<&Oid>,
    contains: impl Fn(&Oid, &Oid) -> bool,
) -> Option<Tip> {
    let has = |new: &Oid, old: &Oid| new == old || contains(new, old);
    let tip = |commit: &Oid, from| Tip { commit: commit.clone(), from, other: None };
    let newest = match (local, remote) {
        (None, None) => return before.map(|before| tip(before, TipFrom::Remote)),
        (Some(local), None) => tip(local, TipFrom::Local),
        (None, Some(remote)) => tip(remote, TipFrom::Remote),
        (Some(local), Some(remote)) if local == remote => tip(local, TipFrom::Both),
        (Some(local), Some(remote)) if contains(local, remote) => tip(local, TipFrom::Local),
        (Some(local), Some(remote)) if contains(remote, local) => tip(remote, TipFrom::Remote),
        (Some(local), Some(remote)) => {
            Tip { other: Some(remote.clone()), ..tip(local, TipFrom::Diverged) }
        }
    };
    Some(match before {
        Some(before) if !has(&newest.commit, before) => {
            Tip { from: TipFrom::Diverged, other: Some(before.clone()), ..newest }
        }
        _ => newest,
    })
}

/// How the record here and that of the remote differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordAt {
    /// Both are the same.
    Same,
    /// The remote lacks events: the next command that writes publishes them.
    Ahead,
    /// Ours lacks events, since another helper held the lock when they were fetched.
    Behind,
    /// Each has events that the other lacks: the next command that writes joins them, or says why
    /// that cannot be.
    Diverged,
    /// The remote has no record of this workflow.
    Missing,
}

/// What a status tells of the plan's remote.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// Its name in the plan.
    pub name: String,
    /// Whether it was asked just now, with `--fetch`; else this is as of the last time.
    pub fetched: bool,
    /// How its record differs from ours.
    pub record: RecordAt,
    /// Why it could not be asked; absent when it was, or was not to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<RemoteTrouble>,
    /// What it said then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl Channel {
    /// Returns a sentence about a remote that is not as this clone; nothing while it is.
    pub fn note(&self) -> Option<String> {
        let name = &self.name;
        if let Some(trouble) = self.trouble {
            let said = self.said.as_deref().and_then(|said| said.lines().next());
            let said = said.map(|said| format!(": {said}")).unwrap_or_default();
            let known = "what follows is as of the last time";
            return Some(format!("{name} {}{said}; {known}", trouble.words()));
        }
        let what = match self.record {
            RecordAt::Same => return None,
            RecordAt::Ahead => {
                "lacks events of the record: the next command that writes brings them"
            }
            RecordAt::Missing => {
                "has no record of this workflow: the next command that writes brings it"
            }
            RecordAt::Behind => "has events of the record that are not here: look again",
            RecordAt::Diverged => {
                "has another record: the next command that writes joins them, or says why not"
            }
        };
        Some(format!("{name} {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oid(letter: char) -> Oid {
        letter.to_string().repeat(40).parse().unwrap()
    }

    fn refs(list: &[(&str, char)]) -> BTreeMap<String, Oid> {
        list.iter().map(|(name, letter)| ((*name).to_owned(), oid(*letter))).collect()
    }

    fn slug() -> Slug {
        "shop".parse().unwrap()
    }

    #[test]
    fn what_is_the_same_in_all_clones_travels_and_nothing_else() {
        let table = [
            ("refs/pw/shop/record", true),
            ("refs/pw/shop/merged/task-1", true),
            ("refs/pw/shop/candidate", true),
            ("refs/heads/integration/shop", true),
            ("refs/pw/shop/snapshot/task-1/1", false),
            ("refs/pw/shop-2/record", false),
            ("refs/pw/history", false),
            ("refs/heads/integration/shop-2", false),
            ("refs/heads/work/task-1-users", false),
            ("refs/heads/main", false),
            ("refs/pw-remote/pw/shop/record", false),
        ];
        for (name, expected) in table {
            assert_eq!(travels(&slug(), name), expected, "{name}");
        }
    }

    #[test]
    fn a_mirror_pushes_what_differs_and_never_over_a_branch_that_another_hand_moved() {
        let branch = "refs/heads/integration/shop";
        let ours = refs(&[
            ("refs/pw/shop/record", 'b'),
            ("refs/pw/shop/integrated", 'd'),
            ("refs/pw/shop/snapshot/task-1/1", 'e'),
            (branch, 'd'),
        ]);
        let names = |mirror: &Mirror| {
            mirror.changes.iter().map(|change| change.name.clone()).collect::<Vec<_>>()
        };
        let first = mirror(&slug(), &ours, &refs(&[]));
        assert_eq!(names(&first), [branch, "refs/pw/shop/integrated", "refs/pw/shop/record"]);

        let there = [
            ("refs/pw/shop/record", 'a'),
            ("refs/pw/shop/integrated", 'c'),
            ("refs/pw/shop/candidate", 'f'),
            ("refs/pw/shop/merged/task-1", 'f'),
        ];
        let later = mirror(&slug(), &ours, &refs(&[&there[..], &[(branch, 'c')]].concat()));
        // The candidate goes; what was merged stays reachable.
        assert!(later.changes.contains(&RefChange {
            name: "refs/pw/shop/candidate".to_owned(),
            new: None,
            old: Some(oid('f')),
        }));
        assert!(!names(&later).contains(&"refs/pw/shop/merged/task-1".to_owned()));
        assert!(names(&later).contains(&branch.to_owned()) && later.left.is_empty());

        let moved = mirror(&slug(), &ours, &refs(&[&there[..], &[(branch, '9')]].concat()));
        assert_eq!(moved.left, [branch]);
        assert!(!names(&moved).contains(&branch.to_owned()));
    }

    #[test]
    fn an_adoption_takes_all_but_a_branch_that_the_user_moved() {
        let branch = "refs/heads/integration/shop";
        let theirs =
            refs(&[("refs/pw/shop/record", 'b'), ("refs/pw/shop/integrated", 'd'), (branch, 'd')]);
        let take = |ours: &[(&str, char)]| -> Vec<String> {
            let changes = adoption(&slug(), &refs(ours), &theirs);
            changes.into_iter().map(|change| change.name).collect()
        };
        let before = [("refs/pw/shop/record", 'a'), ("refs/pw/shop/integrated", 'c')];
        assert_eq!(take(&[]).len(), 3);
        assert!(take(&[&before[..], &[(branch, 'c')]].concat()).contains(&branch.to_owned()));
        assert!(!take(&[&before[..], &[(branch, '9')]].concat()).contains(&branch.to_owned()));
        let more = [("refs/pw/shop/candidate", 'f'), ("refs/pw/shop/merged/task-1", 'f')];
        let taken = take(&[&before[..], &more].concat());
        assert!(taken.contains(&"refs/pw/shop/candidate".to_owned()));
        assert!(!taken.contains(&"refs/pw/shop/merged/task-1".to_owned()));
    }

    #[test]
    fn what_only_one_clone_can_decide_is_not_put_behind_what_another_decided() {
        // `A` and `B` stand for two commits.
        let table = [
            ("launched task-1 tmux", "integrated A passed", true),
            ("created task-1 A 20000", "creating task-1 A", true),
            ("creating task-2 A", "creating task-1 A", true),
            ("creating task-1 B", "creating task-1 A", false),
            ("integrated B passed", "launched task-1 tmux", false),
            ("stopped task-1 A B", "gated A B exit=0 3", false),
            ("replanned", "launched task-1 tmux", false),
            ("cleaned task-1", "replanned", true),
        ];
        for (ours, theirs, is_free) in table {
            let read = |line: &str| {
                let line = line.replace('A', &"a".repeat(40)).replace('B', &"b".repeat(40));
                Event::parse(&line).unwrap()
            };
            let (ours, theirs) = (read(ours), read(theirs));
            let (first, second) = ([ours.clone()], [theirs.clone()]);
            assert_eq!(clash(&first, &second).is_none(), is_free, "{ours} behind {theirs}");
        }
    }

    #[test]
    fn the_newest_tip_counts_and_nothing_that_was_seen_is_forgotten() {
        // a is in b, b is in c; f is aside.
        let contains = |new: &Oid, old: &Oid| {
            let rank = |oid: &Oid| "abc".find(&oid.as_str()[..1]);
            rank(new).zip(rank(old)).is_some_and(|(new, old)| new > old)
        };
        let table = [
            ("a", "", "", "a local"),
            ("", "a", "", "a remote"),
            ("a", "a", "", "a both"),
            ("b", "a", "", "b local"),
            ("a", "b", "", "b remote"),
            ("b", "f", "", "b diverged f"),
            // The remote was rewound.
            ("", "a", "b", "a diverged b"),
            ("c", "a", "b", "c local"),
            ("", "c", "b", "c remote"),
            ("", "", "b", "b remote"),
            ("a", "a", "f", "a diverged f"),
            ("", "", "", ""),
        ];
        for (local, remote, before, expected) in table {
            let of = |text: &str| text.chars().next().map(oid);
            let (local, remote, before) = (of(local), of(remote), of(before));
            let tip = newest(local.as_ref(), remote.as_ref(), before.as_ref(), contains);
            let said = tip.map(|tip| {
                let from = serde_json::to_value(tip.from).unwrap();
                let other = tip.other.map(|other| format!(" {}", &other.as_str()[..1]));
                let letter = &tip.commit.as_str()[..1];
                format!("{letter} {}{}", from.as_str().unwrap(), other.unwrap_or_default())
            });
            assert_eq!(said.unwrap_or_default(), expected);
        }
    }
}
