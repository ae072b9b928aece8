//! Which workers do not move any more, why, and the command that helps.
//!
//! Some causes are certain at once; mere silence needs its time. A sign that is missing never makes
//! a worker look well: without any, the cause is `unknown`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::next::{Places, terminal};
use super::{State, WorkerStatus};
use crate::facts::{Facts, WorktreeFacts};
use crate::next::{CommandLine, Next};
use crate::operation::Operation;
use crate::plan::{Plan, Worker};
use crate::record::Record;
use crate::session::{Activity, ErrorKind, JobState, LaunchMode, SessionFacts};
use crate::text::counted;
use crate::time::{Seconds, human};

/// How long a worker may show nothing, unless the plan or the caller says otherwise.
pub const DEFAULT_STALL_AFTER: Seconds = 30 * 60;

/// How far a time may lie ahead of ours and still be a sign of life.
const SKEW: Seconds = 60;

/// A worker that does not go on by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stall {
    /// What keeps it from moving, for an agent.
    pub cause: StallCause,
    /// One sentence for a person.
    pub message: String,
    /// Since its last sign of life; `null` when there is none.
    pub since_seconds: Option<Seconds>,
    /// A command that runs as it is.
    pub remedy: CommandLine,
}

/// Why a worker does not move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StallCause {
    /// Its session asks whether it may use a tool.
    WaitingForPermission,
    /// Its session asked something, or ended its turn: it waits for words.
    WaitingForAnswer,
    /// The account of its session is not accepted.
    Login,
    /// Its session was refused for now: too many requests, or too much used.
    RateLimit,
    /// The service failed its session for another reason.
    ApiError,
    /// Its session is gone, and work in the worktree is not committed.
    GoneWithWork,
    /// Its session is gone, and nothing is pending.
    Gone,
    /// Its session runs and shows nothing.
    Silent,
    /// A merge, rebase or the like was begun and is not ended.
    Wedged,
    /// All its checkpoints are committed, or its last words meant so, and it did not say
    /// `[COMPLETE]`.
    FinishedWithoutComplete,
    /// Created, and no session was ever seen.
    NeverStarted,
    /// Its job on another machine waits for a place.
    Queued,
    /// Its job waits, since a limit of the user's account, group or namespace is reached.
    Quota,
    /// Its job waits for a person: held, to be approved, or asking for what there is not.
    Held,
    /// Its job failed.
    JobFailed,
    /// Its job was ended by the user or an administrator.
    Cancelled,
    /// Its job had to make room, and was not queued again.
    Preempted,
    /// The machine of its job went away, and the job was not queued again.
    NodeLost,
    /// The time of its job was over.
    TimeLimit,
    /// Nothing is known of a session.
    Unknown,
}

impl StallCause {
    /// Returns the word used in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::WaitingForPermission => "waiting_for_permission",
            Self::WaitingForAnswer => "waiting_for_answer",
            Self::Login => "login",
            Self::RateLimit => "rate_limit",
            Self::ApiError => "api_error",
            Self::GoneWithWork => "gone_with_work",
            Self::Gone => "gone",
            Self::Silent => "silent",
            Self::Wedged => "wedged",
            Self::FinishedWithoutComplete => "finished_without_complete",
            Self::NeverStarted => "never_started",
            Self::Queued => "queued",
            Self::Quota => "quota",
            Self::Held => "held",
            Self::JobFailed => "job_failed",
            Self::Cancelled => "cancelled",
            Self::Preempted => "preempted",
            Self::NodeLost => "node_lost",
            Self::TimeLimit => "time_limit",
            Self::Unknown => "unknown",
        }
    }

    /// Returns what the user or an agent has to do, in one word.
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::WaitingForPermission | Self::WaitingForAnswer => "answer",
            Self::Login => "login",
            Self::RateLimit | Self::ApiError => "retry",
            Self::GoneWithWork
            | Self::Gone
            | Self::NeverStarted
            | Self::Cancelled
            | Self::Preempted
            | Self::NodeLost
            | Self::TimeLimit
            | Self::Unknown => "launch",
            Self::FinishedWithoutComplete => "launch",
            Self::Silent => "attach",
            Self::Wedged | Self::Queued | Self::Quota | Self::Held | Self::JobFailed => "look",
        }
    }

    /// Returns whether looking at the job is what helps.
    fn is_for_job(self) -> bool {
        matches!(self, Self::Queued | Self::Quota | Self::Held | Self::JobFailed)
    }
}

/// What the verdict rests on.
struct Signs<'a> {
    state: State,
    session: &'a SessionFacts,
    /// How many files are not committed.
    open: usize,
    operation: Option<Operation>,
    /// The worktree was not read, so that `open` and `operation` say nothing.
    is_unread: bool,
    is_finished: bool,
    was_launched: bool,
    /// It works in another clone: what it does is seen when it pushes.
    is_elsewhere: bool,
    /// Since the last sign of life.
    since: Option<Seconds>,
    limit: Seconds,
}

impl Signs<'_> {
    fn cause(&self) -> Option<StallCause> {
        match self.state {
            State::Planned | State::Complete | State::Integrated | State::Missing => None,
            // It announced that it waits; only what keeps an answer from arriving counts.
            State::Blocked | State::Waiting => {
                let is_expected = [StallCause::Gone, StallCause::FinishedWithoutComplete].map(Some);
                let cause = self.certain();
                cause.filter(|_| !is_expected.contains(&cause)).or_else(|| self.wedged())
            }
            State::Starting | State::InProgress | State::Reopened => self
                .job_over()
                .or_else(|| self.certain())
                .or_else(|| self.turn_over())
                .or_else(|| self.wedged())
                .or_else(|| self.quiet()),
        }
    }

    /// Returns why its job does not go on, by its engine's word.
    fn job_over(&self) -> Option<StallCause> {
        match self.session.job.as_ref()?.state? {
            JobState::Held => Some(StallCause::Held),
            JobState::Failed => Some(StallCause::JobFailed),
            JobState::Cancelled => Some(StallCause::Cancelled),
            JobState::Preempted => Some(StallCause::Preempted),
            JobState::NodeLost => Some(StallCause::NodeLost),
            JobState::TimeLimit => Some(StallCause::TimeLimit),
            JobState::Queued | JobState::Quota | JobState::Running | JobState::Ended => None,
        }
    }

    /// Returns what needs no time to be sure of.
    fn certain(&self) -> Option<StallCause> {
        let error = self.session.error.as_ref().map(|error| match error.kind {
            ErrorKind::Login => StallCause::Login,
            ErrorKind::RateLimit => StallCause::RateLimit,
            ErrorKind::Other => StallCause::ApiError,
        });
        match (self.session.alive?, self.session.activity) {
            (true, Some(Activity::AsksPermission)) => Some(StallCause::WaitingForPermission),
            (true, Some(Activity::AsksAnswer)) => Some(StallCause::WaitingForAnswer),
            (true, Some(Activity::Busy)) => None,
            (true, _) => error,
            (false, _) if error.is_some() => error,
            (false, _) if self.operation.is_some() => Some(StallCause::Wedged),
            (false, _) if self.open > 0 => Some(StallCause::GoneWithWork),
            (false, _) if self.is_finished => Some(StallCause::FinishedWithoutComplete),
            (false, _) => Some(StallCause::Gone),
        }
    }

    /// After a turn ended, a session does nothing until the user types something.
    fn turn_over(&self) -> Option<StallCause> {
        let over = self.session.alive == Some(true)
            && self.session.activity == Some(Activity::Idle)
            && self.session.turn_ended;
        over.then_some(match self.is_finished {
            true => StallCause::FinishedWithoutComplete,
            false => StallCause::WaitingForAnswer,
        })
    }

    fn wedged(&self) -> Option<StallCause> {
        self.operation.filter(|_| self.is_late()).map(|_| StallCause::Wedged)
    }

    fn quiet(&self) -> Option<StallCause> {
        let is_untouched = self.state == State::Starting && self.open == 0 && !self.is_unread;
        let job = self.session.job.as_ref().and_then(|job| job.state);
        self.is_late().then_some(match self.session.alive {
            Some(true) if job == Some(JobState::Queued) => StallCause::Queued,
            Some(true) if job == Some(JobState::Quota) => StallCause::Quota,
            Some(true) => StallCause::Silent,
            _ if self.is_finished => StallCause::FinishedWithoutComplete,
            _ if is_untouched && !self.was_launched => StallCause::NeverStarted,
            _ => StallCause::Unknown,
        })
    }

    fn is_late(&self) -> bool {
        self.since.is_none_or(|since| since >= self.limit)
    }

    fn message(&self, cause: StallCause) -> String {
        let age = self.since.map(|since| format!(" for {}", human(since))).unwrap_or_default();
        let colon = |text: &Option<String>| {
            text.as_ref().map(|text| format!(": {text}")).unwrap_or_default()
        };
        let error = self.session.error.as_ref().map(|error| error.message.clone());
        let gone = if self.session.alive == Some(false) { ", and its session is gone" } else { "" };
        let open = counted(self.open, "uncommitted file");
        match cause {
            StallCause::WaitingForPermission => {
                format!("its session waits for a permission{}", colon(&self.session.needs))
            }
            StallCause::WaitingForAnswer => {
                format!("its session waits for an answer{}", colon(&self.session.needs))
            }
            StallCause::Login => format!("its session is not logged in{}{gone}", colon(&error)),
            StallCause::RateLimit => format!("its session hit a limit{}{gone}", colon(&error)),
            StallCause::ApiError => {
                format!("the service failed its session{}{gone}", colon(&error))
            }
            StallCause::GoneWithWork => format!("its session is gone and left {open}"),
            StallCause::Gone => match &self.session.job {
                Some(job) => format!("its job {} is over, and it is not complete", job.place()),
                None => "its session is gone".to_owned(),
            },
            StallCause::Silent => match &self.session.job {
                Some(job) => format!("its job {} runs, and nothing was pushed{age}", job.place()),
                None => format!("its session runs, and nothing happened{age}"),
            },
            StallCause::Wedged => {
                let operation = self.operation.map_or("git operation", Operation::as_str);
                format!("a {operation} was begun and nothing happened{age}{gone}")
            }
            StallCause::FinishedWithoutComplete => {
                "everything seems to be done, and it did not say [COMPLETE]".to_owned()
            }
            StallCause::NeverStarted => format!("created, and no session was seen{age}"),
            StallCause::Queued
            | StallCause::Quota
            | StallCause::Held
            | StallCause::JobFailed
            | StallCause::Cancelled
            | StallCause::Preempted
            | StallCause::NodeLost
            | StallCause::TimeLimit => self.job_words(),
            StallCause::Unknown => match &self.session.job {
                Some(job) => format!(
                    "nothing was pushed{age}, and {} does not tell of its job {}",
                    job.engine.word(),
                    job.id
                ),
                None if self.is_elsewhere => {
                    format!("nothing was pushed{age}, and nothing is known of a session")
                }
                None => format!("nothing happened{age}, and nothing is known of a session"),
            },
        }
    }
}

impl Signs<'_> {
    fn job_words(&self) -> String {
        let Some(job) = &self.session.job else { return String::new() };
        let words = job.state.map_or("is not told of", JobState::words);
        let said = job.said.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
        format!("its job {} {words}{said}", job.place())
    }
}

/// Returns why a worker does not move; nothing while it does, or need not.
pub(super) fn stall(
    plan: &Plan,
    record: &Record,
    facts: &Facts,
    worker: &Worker,
    status: &WorkerStatus,
    places: &dyn Places,
) -> Option<Stall> {
    let known = facts.workers.get(&worker.id)?;
    let tree = match &known.worktree {
        WorktreeFacts::Present(tree) => Some(tree),
        _ => None,
    };
    let launch = record.launches.get(&worker.id);
    let commit = known.tip.as_ref().and_then(|tip| facts.history.commit(tip));
    let is_elsewhere = status.is_elsewhere(launch);
    let signs_of_life = match is_elsewhere {
        // By this machine's clock alone; what was never looked at is as new as can be.
        true => [Some(known.seen.unwrap_or(facts.now)), None, None, None, None],
        false => [
            commit.map(|commit| commit.time),
            record.placements.get(&worker.id).map(|placement| placement.at),
            launch.map(|launch| launch.at),
            tree.and_then(|tree| tree.touched),
            known.session.last,
        ],
    };
    // A time that lies ahead would make a worker look busy until it comes.
    let newest = signs_of_life
        .into_iter()
        .flatten()
        .filter(|at| *at <= facts.now.saturating_add(SKEW))
        .max();
    let signs = Signs {
        state: status.state,
        session: &known.session,
        open: status.uncommitted.len(),
        operation: tree.and_then(|tree| tree.operation),
        is_unread: tree.is_none(),
        is_finished: is_finished(worker, status) && tree.is_some(),
        was_launched: launch.is_some(),
        is_elsewhere,
        since: newest.map(|at| facts.now.saturating_sub(at).max(0)),
        limit: plan.stall_after.unwrap_or(DEFAULT_STALL_AFTER),
    };
    let cause = signs.cause()?;
    let attach = status.session.as_ref().and_then(|session| session.attach.clone());
    let remedy = match (cause, known.session.alive, known.session.pid) {
        (cause, ..) if cause.is_for_job() => attach,
        (StallCause::Wedged, ..) => Some(CommandLine::git(&places.worktree(worker), "status")),
        (_, Some(true), pid) => attach.or_else(|| pid.map(terminal)),
        _ => None,
    }
    .unwrap_or_else(|| relaunch(plan, worker, launch.map(|launch| launch.how)));
    Some(Stall { cause, message: signs.message(cause), since_seconds: signs.since, remedy })
}

/// Returns whether all that was planned is committed, or the newest commit meant to say so.
fn is_finished(worker: &Worker, status: &WorkerStatus) -> bool {
    let meant = status.near_misses.first().is_some_and(|miss| {
        status.tip.as_ref() == Some(&miss.commit) && miss.fix.starts_with("[COMPLETE]")
    });
    status.uncommitted.is_empty() && (meant || worker.has_said_all(&status.checkpoints))
}

/// Starts a session as before; refuses when one is alive after all.
fn relaunch(plan: &Plan, worker: &Worker, how: Option<LaunchMode>) -> CommandLine {
    let how = how.filter(|how| *how != LaunchMode::Print).map(LaunchMode::word);
    Next::Launch { worker: &worker.id, workflow: &plan.workflow, how }.into()
}

#[cfg(test)]
mod tests {
    use super::StallCause::*;
    use super::*;
    use crate::session::{ApiError, EngineJob};

    const LIMIT: Seconds = 1_800;
    const SETTLED: [State; 4] =
        [State::Planned, State::Complete, State::Integrated, State::Missing];
    const ANNOUNCED: [State; 2] = [State::Blocked, State::Waiting];
    const WORKING: [State; 3] = [State::Starting, State::InProgress, State::Reopened];

    fn session(alive: Option<bool>, activity: Option<Activity>) -> SessionFacts {
        SessionFacts { alive, activity, ..SessionFacts::default() }
    }

    fn failed(kind: ErrorKind, session: SessionFacts) -> SessionFacts {
        SessionFacts { error: Some(ApiError { kind, message: String::new() }), ..session }
    }

    fn by_job(state: Option<JobState>) -> SessionFacts {
        let (engine, id) = (LaunchMode::Slurm, "4711_0".to_owned());
        let job = EngineJob { engine, id, state, said: None, cancel: CommandLine::of("scancel") };
        SessionFacts::default().by(job, CommandLine::of("look"))
    }

    fn ended(session: SessionFacts) -> SessionFacts {
        SessionFacts { turn_ended: true, ..session }
    }

    fn signs(session: &SessionFacts) -> Signs<'_> {
        Signs {
            state: State::InProgress,
            session,
            open: 0,
            operation: None,
            is_unread: false,
            is_finished: false,
            was_launched: true,
            is_elsewhere: false,
            since: Some(0),
            limit: LIMIT,
        }
    }

    type Change = fn(&mut Signs<'_>);

    /// What a worker looks like, and the cause while it works: at once, then after the limit; and
    /// while it says that it stands still: at once, then after the limit.
    fn table() -> Vec<(SessionFacts, Change, [Option<StallCause>; 4])> {
        let (yes, no) =
            (|activity| session(Some(true), Some(activity)), session(Some(false), None));
        let untold = SessionFacts::default();
        let (busy, idle) = (yes(Activity::Busy), yes(Activity::Idle));
        let rate = |session: &SessionFacts| failed(ErrorKind::RateLimit, ended(session.clone()));
        let same: Change = |_| {};
        let open: Change = |signs| signs.open = 2;
        let merging: Change = |signs| signs.operation = Some(Operation::Merge);
        let finished: Change = |signs| signs.is_finished = true;
        let unlaunched: Change = |signs| signs.was_launched = false;
        let always = |cause| [Some(cause); 4];
        let while_working = |cause| [Some(cause), Some(cause), None, None];
        let late = |cause| [None, Some(cause), None, None];
        vec![
            (yes(Activity::AsksPermission), same, always(WaitingForPermission)),
            (yes(Activity::AsksPermission), merging, always(WaitingForPermission)),
            (yes(Activity::AsksAnswer), open, always(WaitingForAnswer)),
            (failed(ErrorKind::Login, ended(idle.clone())), same, always(Login)),
            (rate(&idle), finished, always(RateLimit)),
            (failed(ErrorKind::Other, ended(idle.clone())), open, always(ApiError)),
            // It goes on after an error: what the error was is over.
            (rate(&busy), same, late(Silent)),
            (rate(&no), open, always(RateLimit)),
            (busy.clone(), same, late(Silent)),
            (busy.clone(), finished, late(Silent)),
            (busy, merging, [None, Some(Wedged), None, Some(Wedged)]),
            (ended(idle.clone()), same, while_working(WaitingForAnswer)),
            (ended(idle.clone()), finished, while_working(FinishedWithoutComplete)),
            // Idle at the very start, or while something in the background goes on.
            (idle, same, late(Silent)),
            (session(Some(true), None), same, late(Silent)),
            (no.clone(), open, always(GoneWithWork)),
            (no.clone(), merging, always(Wedged)),
            (no.clone(), finished, while_working(FinishedWithoutComplete)),
            (no, same, while_working(Gone)),
            (untold.clone(), same, late(Unknown)),
            (untold.clone(), open, late(Unknown)),
            (untold.clone(), finished, late(FinishedWithoutComplete)),
            (untold.clone(), merging, [None, Some(Wedged), None, Some(Wedged)]),
            (untold, unlaunched, late(Unknown)),
            // What its engine says of its job.
            (by_job(None), same, late(Unknown)),
            (by_job(Some(JobState::Queued)), same, late(Queued)),
            (by_job(Some(JobState::Quota)), same, late(Quota)),
            (by_job(Some(JobState::Running)), same, late(Silent)),
            (by_job(Some(JobState::Held)), same, while_working(Held)),
            (by_job(Some(JobState::Ended)), same, while_working(Gone)),
            (by_job(Some(JobState::Failed)), same, while_working(JobFailed)),
            (by_job(Some(JobState::Cancelled)), same, while_working(Cancelled)),
            (by_job(Some(JobState::Preempted)), same, while_working(Preempted)),
            (by_job(Some(JobState::NodeLost)), same, while_working(NodeLost)),
            (by_job(Some(JobState::TimeLimit)), same, while_working(TimeLimit)),
        ]
    }

    #[test]
    fn every_state_and_every_sign_lead_to_one_cause() {
        for (nth, (session, change, [now, late, announced, announced_late])) in
            table().into_iter().enumerate()
        {
            for state in SETTLED.into_iter().chain(ANNOUNCED).chain(WORKING) {
                for since in [Some(0), Some(LIMIT - 1), Some(LIMIT), None] {
                    let mut signs = Signs { state, since, ..signs(&session) };
                    change(&mut signs);
                    // No sign of life at all is as bad as an old one.
                    let is_late = since.is_none_or(|since| since == LIMIT);
                    let mut wanted = match (SETTLED.contains(&state), is_late) {
                        (true, _) => None,
                        (_, true) if ANNOUNCED.contains(&state) => announced_late,
                        (_, false) if ANNOUNCED.contains(&state) => announced,
                        (_, true) => late,
                        (_, false) => now,
                    };
                    if wanted == Some(Unknown) && state == State::Starting && !signs.was_launched {
                        wanted = Some(NeverStarted);
                    }
                    assert_eq!(signs.cause(), wanted, "row {nth}, {state:?}, {since:?}");
                }
            }
        }
    }

    #[test]
    fn a_worker_nobody_looked_into_is_not_called_untouched() {
        let untold = SessionFacts::default();
        let signs = Signs {
            state: State::Starting,
            was_launched: false,
            is_unread: true,
            since: None,
            ..signs(&untold)
        };
        assert_eq!(signs.cause(), Some(Unknown));
    }
}
