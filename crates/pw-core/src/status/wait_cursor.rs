//! What happened that the user or an agent must act on, told apart from what was told before.
//!
//! News are the [news](super::news) whose mark is not in the cursor that an earlier answer gave.
//! So nothing is told twice, nothing between two answers is lost, and what was settled meanwhile is
//! no news.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Status;
use super::news::{NewsItem, NewsKind, current_news, worker_mark};
use crate::id::Slug;
use crate::next::{self, NextStep};
use crate::report::{Report, list};
use crate::time::Seconds;

/// What waiting came to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Waited {
    /// The workflow that was watched.
    pub workflow: Slug,
    /// False when the time was up.
    pub happened: bool,
    /// What the user or an agent must act on and was not told before.
    pub changes: Vec<NewsItem>,
    /// Everything told so far: give it to `--since` of the next wait.
    pub cursor: Cursor,
    /// How long the command waited.
    pub waited_seconds: Seconds,
    /// The whole workflow in one sentence.
    pub summary: String,
    /// Everything that can be done now, told before or not; waiting on comes last.
    pub next: Vec<NextStep>,
    /// What made waiting worse than it should be.
    pub notes: Vec<String>,
}

impl Report for Waited {
    const SCHEMA: &'static str = "pw-monitor.wait/1";

    /// A step about a worker that a change of this answer names is not told again.
    fn shorten(data: &mut serde_json::Value) {
        next::one_for_many_launches(data);
        let told: Vec<_> =
            list(data, "changes").iter().map(|change| change["command"].clone()).collect();
        if let Some(steps) = data.get_mut("next").and_then(serde_json::Value::as_array_mut) {
            steps.retain(|step| step["worker"].is_null() || !told.contains(&step["command"]));
        }
    }
}

/// What a wait is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// A worker is done, or all are; a next wave.
    Complete,
    /// A worker cannot go on without an answer.
    Blocked,
    /// A worker's session or worktree needs help.
    Stalled,
    /// Everything that the user or an agent must act on.
    Any,
}

impl Awaited {
    fn includes(self, kind: NewsKind) -> bool {
        use NewsKind::{
            Advance, Blocked, Budget, Completed, Conflict, Deadlock, Integrated, Missing, NearMiss,
            Needs, NotReady, Ready, Reopened, Satisfied, Stalled, Stopped,
        };
        match kind {
            Completed | NotReady | Reopened | Advance | Ready | Integrated => {
                matches!(self, Self::Complete | Self::Any)
            }
            Stopped | Deadlock | Blocked | Needs | Satisfied | NearMiss => {
                matches!(self, Self::Blocked | Self::Any)
            }
            Missing | Stalled => matches!(self, Self::Stalled | Self::Any),
            Conflict | Budget => self == Self::Any,
        }
    }
}

/// The marks of all news that was told, `w1-0123abcd-…`; the empty one is `w1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Cursor(BTreeSet<u32>);

const VERSION: &str = "w1";

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        self.0.iter().try_for_each(|mark| write!(f, "-{mark:08x}"))
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || "not a cursor that a wait answered with".to_owned();
        let mut words = text.split('-');
        if words.next() != Some(VERSION) {
            return Err(bad());
        }
        let is_mark = |word: &str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
        let mark = |word: &str| u32::from_str_radix(word, 16).ok().filter(|_| is_mark(word));
        words.map(mark).collect::<Option<_>>().map(Self).ok_or_else(bad)
    }
}

impl TryFrom<String> for Cursor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Cursor> for String {
    fn from(cursor: Cursor) -> Self {
        cursor.to_string()
    }
}

/// Returns what is new to a reader who has the cursor `told`, and the next cursor.
///
/// `status` was taken at `now`, `before` by the previous poll. News that is not awaited stays
/// untold; what is settled leaves the cursor, so that it is news when it comes back.
pub fn news(
    told: &Cursor,
    awaited: Awaited,
    before: Option<&Status>,
    status: &Status,
    now: Seconds,
) -> (Vec<NewsItem>, Cursor) {
    let (mut changes, mut cursor) = (Vec::new(), Cursor::default());
    for (mark, mut change) in current_news(status, now) {
        let is_known = told.0.contains(&mark);
        if is_known || awaited.includes(change.kind) {
            cursor.0.insert(mark);
        }
        if !is_known && awaited.includes(change.kind) {
            let find = |status: &Status| {
                let mut workers = status.workers.iter();
                workers.find(|worker| Some(&worker.id) == change.worker.as_ref()).map(|w| w.state)
            };
            change.from = before.and_then(find);
            changes.push(change);
        }
    }
    (changes, cursor)
}

/// Returns a status with its cursor; with `told`, without the workers that cursor covers.
pub fn since(mut status: Status, told: Option<&Cursor>, now: Seconds) -> Status {
    let nothing = Cursor::default();
    let (changes, mut cursor) = news(told.unwrap_or(&nothing), Awaited::Any, None, &status, now);
    let mark = |worker| worker_mark(&status.workflow, worker);
    cursor.0.extend(status.workers.iter().map(mark));
    status.cursor = Some(cursor);
    if let Some(told) = told {
        let all = status.workers.len();
        let workflow = &status.workflow;
        status.workers.retain(|worker| !told.0.contains(&worker_mark(workflow, worker)));
        status.unchanged = Some(all - status.workers.len());
        status.changes = Some(changes);
    }
    status
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::conflict::TrialMerge;
    use crate::facts::{Facts, TreeState, WorkerFacts, WorktreeFacts};
    use crate::history::{Commit, History};
    use crate::id::{Oid, WorkerId};
    use crate::next::CommandLine;
    use crate::plan::{Plan, Worker};
    use crate::record::{Event, Record};
    use crate::status::{Board, Places, Stall, StallCause, State};

    struct Nowhere;

    impl Places for Nowhere {
        fn launch(&self, worker: &Worker) -> CommandLine {
            CommandLine::of("launch").word(&worker.id)
        }
        fn worktree(&self, _: &Worker) -> PathBuf {
            PathBuf::new()
        }
    }

    /// The state of workers `a`, `b`, …, each with these subjects on its branch, the oldest first,
    /// and of `z`, which comes after all of them.
    fn status(subjects: &[&[&str]]) -> Status {
        let ids = &["a", "b", "c"][..subjects.len()];
        let worker = |id: &&str| format!("  - {{id: {id}, name: {id}, owns: [{id}]}}\n");
        let text = format!(
            "workflow: w\ngoal: g\nworkers:\n{}  - {{id: z, name: z, owns: [z], after: [{}]}}\n",
            ids.iter().map(worker).collect::<String>(),
            ids.join(", ")
        );
        let plan = Plan::parse(&text).unwrap();
        let base: Oid = "0".repeat(40).parse().unwrap();
        let mut record = Record::new(None, base.clone(), 0);
        let (mut commits, mut facts) = (Vec::new(), Facts::default());
        for (at, (id, subjects)) in ids.iter().zip(subjects).enumerate() {
            let id: WorkerId = id.parse().unwrap();
            let created = Event::Created { worker: id.clone(), fork: base.clone(), port: None };
            record.apply(created, 0);
            let mut tip = base.clone();
            for (number, subject) in subjects.iter().enumerate() {
                let oid: Oid = format!("{:040x}", (at + 1) * 1000 + number).parse().unwrap();
                let message = (*subject).to_owned();
                let parents = vec![tip];
                commits.push(Commit {
                    oid: oid.clone(),
                    parents,
                    time: 0,
                    message,
                    changes: vec![],
                });
                tip = oid;
            }
            let branch = Some(plan.worker(&id).unwrap().branch());
            let worktree = WorktreeFacts::Present(TreeState { branch, ..TreeState::default() });
            facts
                .workers
                .insert(id, WorkerFacts { tip: Some(tip), worktree, ..WorkerFacts::default() });
        }
        facts.history = History::new(commits);
        Board::new(&plan, &record, &facts).status(Vec::new(), TrialMerge::default(), &Nowhere)
    }

    fn kinds(told: &Cursor, awaited: Awaited, now: &Status) -> (Vec<NewsKind>, Cursor) {
        let (changes, cursor) = news(told, awaited, None, now, 0);
        (changes.iter().map(|change| change.kind).collect(), cursor)
    }

    #[test]
    fn what_was_told_is_no_news_and_what_happens_anew_is() {
        use NewsKind::{Blocked, Needs};
        let first = status(&[&["[BLOCKED:key] which?"], &["[NEEDS:a/x] for y"]]);
        let (told, cursor) = kinds(&Cursor::default(), Awaited::Any, &first);
        assert_eq!(told, [Blocked, Needs]);
        assert_eq!(kinds(&cursor, Awaited::Any, &first), (vec![], cursor.clone()));

        // A checkpoint is no news, and takes the old mark out.
        let on = status(&[&["[BLOCKED:key] which?", "[CHECKPOINT] on"], &["[NEEDS:a/x] for y"]]);
        let (told, later) = kinds(&cursor, Awaited::Any, &on);
        assert_eq!((told, later.0.len()), (vec![], 1));

        // The same words in another commit are news again.
        let again = ["[BLOCKED:key] which?", "[CHECKPOINT] on", "[BLOCKED:key] which?"];
        let again = status(&[&again, &["[NEEDS:a/x] for y"]]);
        for known in [&cursor, &later] {
            assert_eq!(kinds(known, Awaited::Any, &again).0, [Blocked]);
        }
    }

    #[test]
    fn one_worker_that_finishes_makes_others_matter() {
        use NewsKind::{Advance, Completed, Reopened, Satisfied};
        let before = status(&[&["[CHECKPOINT] half"], &["[NEEDS:a/x] for y"]]);
        let (_, cursor) = kinds(&Cursor::default(), Awaited::Any, &before);
        let now = status(&[&["[CHECKPOINT] half", "[COMPLETE] all"], &["[NEEDS:a/x] for y"]]);
        let (changes, _) = news(&cursor, Awaited::Any, Some(&before), &now, 0);
        let told: Vec<_> = changes.iter().map(|c| (c.kind, c.from, c.to)).collect();
        let (half, done) = (Some(State::InProgress), Some(State::Complete));
        let waits = Some(State::Waiting);
        assert_eq!(told, [(Completed, half, done), (Satisfied, waits, waits)]);
        assert_eq!(changes[0].text, "a is complete: all");
        assert_eq!(changes[1].text, "b can go on, what it needs is there: x of a: for y");
        assert!(changes[1].command.is_some());

        let all = status(&[&["[COMPLETE] all"], &["[COMPLETE] all"]]);
        let (told, cursor) = kinds(&Cursor::default(), Awaited::Any, &all);
        assert_eq!(told, [Completed, Completed, Advance]);
        let reopened = status(&[&["[COMPLETE] all", "oops"], &["[COMPLETE] all"]]);
        assert_eq!(kinds(&cursor, Awaited::Any, &reopened).0, [Reopened]);
    }

    #[test]
    fn what_was_not_awaited_stays_untold() {
        use NewsKind::{Blocked, Completed, NearMiss};
        let now = status(&[&["[BLOCKED:key] which?"], &["[COMPLETE] all"], &["[complete] all"]]);
        let (told, cursor) = kinds(&Cursor::default(), Awaited::Complete, &now);
        assert_eq!(told, [Completed]);
        assert_eq!(kinds(&cursor, Awaited::Any, &now).0, [Blocked, NearMiss]);
    }

    #[test]
    fn a_stall_is_told_once_for_as_long_as_it_lasts() {
        let mut status = status(&[&["[CHECKPOINT] half"]]);
        let mut stalled = |cause, now, since| {
            let (message, remedy) = ("silent".to_owned(), CommandLine::of("look"));
            status.workers[0].stall =
                Some(Stall { cause, message, since_seconds: Some(now - since), remedy });
            (status.clone(), now)
        };
        let (now, at) = stalled(StallCause::Silent, 2000, 100);
        let (changes, cursor) = news(&Cursor::default(), Awaited::Stalled, None, &now, at);
        assert_eq!((changes.len(), changes[0].command.as_deref()), (1, Some("look")));
        for (stall, told) in [
            (stalled(StallCause::Silent, 2500, 100), 0),
            (stalled(StallCause::Silent, 2500, 400), 1),
            (stalled(StallCause::Gone, 2500, 100), 1),
        ] {
            assert_eq!(news(&cursor, Awaited::Stalled, None, &stall.0, stall.1).0.len(), told);
        }
    }

    #[test]
    fn circles_are_told_once() {
        let now = status(&[&["[NEEDS:b/x] 1"], &["[NEEDS:a/y] 2"]]);
        let (told, cursor) = kinds(&Cursor::default(), Awaited::Any, &now);
        assert_eq!(told[0], NewsKind::Deadlock);
        assert_eq!(kinds(&cursor, Awaited::Any, &now).0, []);
    }

    #[test]
    fn a_cursor_survives_being_written_down() {
        let now = status(&[&["[BLOCKED:key] which?"], &["[COMPLETE] all"]]);
        let (_, cursor) = kinds(&Cursor::default(), Awaited::Any, &now);
        assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
        assert_eq!("w1".parse(), Ok(Cursor::default()));
        let cut = &cursor.to_string()[..cursor.to_string().len() - 1];
        for bad in ["", "w2", "w1-", "w1-+1234567", "nonsense", cut] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
