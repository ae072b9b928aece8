//! The client's own list of sessions: `sessions/<pid>.json` for what runs, `jobs/<id>/state.json`
//! for the background, and `claude agents --json` over both.

use serde::Deserialize;

use super::{Activity, BEGINNING, Process};
use crate::plan::Worker;
use crate::time::{Seconds, parse_rfc3339};

/// The longest folder name under `projects` before the client cuts it.
const MAX_FOLDER: usize = 200;

/// Returns the name of the folder of a working folder's transcripts, and whether it is only how
/// that name begins.
pub fn folder_name(cwd: &str) -> (String, bool) {
    let plain = |unit: char| if unit.is_ascii_alphanumeric() { unit } else { '-' };
    // The client counts in UTF-16: what takes two units there becomes two dashes.
    let units = cwd.chars().flat_map(|c| std::iter::repeat_n(plain(c), c.len_utf16()));
    let name: String = units.collect();
    match name.get(..MAX_FOLDER) {
        Some(cut) if name.len() > MAX_FOLDER => (format!("{cut}-"), true),
        _ => (name, false),
    }
}

/// A session that ran when its entry was written; a killed one leaves its entry behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The client's process.
    pub pid: u32,
    /// The session's id, the name of its transcript.
    pub session: Option<String>,
    /// The folder it was started in, absolute.
    pub cwd: String,
    /// Unknown of a client that does not tell.
    pub started: Option<Seconds>,
    /// Its id in the background.
    pub job: Option<String>,
    /// What it does; `None` of a client that does not tell.
    pub activity: Option<Activity>,
    /// Since when it does that.
    pub since: Option<Seconds>,
    /// Which machine and container its process id belongs to.
    pub domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEntry {
    pid: u32,
    session_id: Option<String>,
    cwd: String,
    started_at: Option<f64>,
    job_id: Option<String>,
    status: Option<String>,
    waiting_for: Option<String>,
    status_updated_at: Option<f64>,
    pid_domain: Option<String>,
}

impl Registered {
    /// Reads an entry; `None` when it is malformed, or half written.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let raw: RawEntry = serde_json::from_slice(json).ok()?;
        let activity = match (raw.status.as_deref(), raw.waiting_for.as_deref()) {
            (Some("busy"), _) => Some(Activity::Busy),
            (Some("idle"), _) => Some(Activity::Idle),
            (
                Some("waiting"),
                Some("permission prompt" | "sandbox request" | "worker request" | "goal proposal"),
            ) => Some(Activity::AsksPermission),
            (Some("waiting"), _) => Some(Activity::AsksAnswer),
            _ => None,
        };
        Some(Self {
            pid: raw.pid,
            session: raw.session_id,
            cwd: raw.cwd,
            started: raw.started_at.map(seconds),
            job: raw.job_id,
            activity,
            since: raw.status_updated_at.map(seconds),
            domain: raw.pid_domain,
        })
    }

    /// Returns the process whose session this is.
    pub fn process(&self) -> Process {
        match self.started {
            Some(at) => Process::running_at(self.pid, at),
            None => Process::undated(self.pid),
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "any time out of range is as good as another")]
fn seconds(milliseconds: f64) -> Seconds {
    (milliseconds / 1000.0) as Seconds
}

/// What the client says about a background session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What it waits for, such as `approve Bash: …`.
    pub needs: Option<String>,
    /// Something it started goes on by itself.
    pub is_in_flight: bool,
    /// When the client wrote this; `None` when it does not say.
    pub updated: Option<Seconds>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawJob {
    needs: Option<String>,
    in_flight: Option<RawInFlight>,
    updated_at: Option<String>,
}

#[derive(Deserialize)]
struct RawInFlight {
    #[serde(default)]
    tasks: u64,
    #[serde(default)]
    queued: u64,
}

impl Job {
    /// Reads `state.json` of a background session; `None` when it is malformed, or half written.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let raw: RawJob = serde_json::from_slice(json).ok()?;
        Some(Self {
            needs: raw.needs,
            is_in_flight: raw.in_flight.is_some_and(|flight| flight.tasks + flight.queued > 0),
            updated: raw.updated_at.as_deref().and_then(parse_rfc3339),
        })
    }
}

/// A session as `claude agents --json` lists it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// What `claude attach` takes; empty when it is not in the background.
    #[serde(default)]
    pub id: String,
    pid: Option<u32>,
    started_at: Option<f64>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    cwd: String,
    #[serde(default)]
    state: String,
}

impl Agent {
    /// Reads the list; `None` when it is malformed.
    pub fn parse_all(json: &[u8]) -> Option<Vec<Self>> {
        serde_json::from_slice(json).ok()
    }

    /// Returns whether this is the living session of a worker: the one that was recorded, or one
    /// that was started before a kill kept us from recording it.
    pub fn is_alive_for(
        &self,
        worker: &Worker,
        worktree: &str,
        recorded: Option<&str>,
        now: Seconds,
    ) -> bool {
        let is_known = recorded == Some(self.id.as_str());
        let is_its_own = self.name == worker.label() && self.cwd == worktree;
        let is_over = matches!(self.state.as_str(), "done" | "stopped" | "failed");
        // A killed one keeps the state it was in; one that begins has no process yet, either.
        let is_old = self.started_at.is_some_and(|at| now.saturating_sub(seconds(at)) >= BEGINNING);
        (is_known || is_its_own) && !is_over && (self.pid.is_some() || !is_old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    #[test]
    fn an_entry_says_what_a_session_does() {
        let read = |status: &str| {
            let json =
                format!(r#"{{"pid": 9, "cwd": "/w", "startedAt": 1795352795534.5, {status}}}"#);
            Registered::parse(json.as_bytes()).unwrap()
        };
        for (status, activity) in [
            (r#""status": "busy""#, Some(Activity::Busy)),
            (r#""status": "idle", "waitingFor": null"#, Some(Activity::Idle)),
            (
                r#""status": "waiting", "waitingFor": "permission prompt""#,
                Some(Activity::AsksPermission),
            ),
            (
                r#""status": "waiting", "waitingFor": "sandbox request""#,
                Some(Activity::AsksPermission),
            ),
            (r#""status": "waiting", "waitingFor": "input needed""#, Some(Activity::AsksAnswer)),
            (r#""status": "waiting", "waitingFor": "dialog open""#, Some(Activity::AsksAnswer)),
            (r#""status": "waiting""#, Some(Activity::AsksAnswer)),
            (r#""status": "of a newer client""#, None),
        ] {
            assert_eq!(read(status).activity, activity, "{status}");
        }
        assert_eq!(read(r#""status": "busy", "new": [1]"#).started, Some(1_795_352_795));
        // A session that says little is one all the same: no second one may be started beside it.
        for little in [r#"{"pid": 1, "cwd": "/w"}"#, r#"{"pid": 1, "cwd": "/w", "startedAt": 1}"#] {
            assert_eq!(Registered::parse(little.as_bytes()).unwrap().activity, None);
        }
        for bad in ["", "{", "[]", r#"{"pid": -1}"#, r#"{"pid": 1}"#] {
            assert_eq!(Registered::parse(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn transcripts_are_in_the_folder_the_client_names() {
        assert_eq!(folder_name("/tmp/x_1/w.é").0, "-tmp-x-1-w--");
        assert_eq!(folder_name("/😀").0, "---");
        let (long, cut) = folder_name(&format!("/{}", "a".repeat(300)));
        assert_eq!((long.len(), cut), (201, true));
        assert_eq!(folder_name(&"a".repeat(200)), ("a".repeat(200), false));
    }

    #[test]
    fn a_listed_session_is_alive_until_it_is_over() {
        let plan = Plan::parse("workflow: w\nworkers:\n  - {id: t, name: n, owns: [a]}\n").unwrap();
        let alive = |json: &str, recorded| {
            let agents = Agent::parse_all(json.as_bytes()).unwrap();
            agents.iter().any(|agent| agent.is_alive_for(&plan.workers[0], "/w", recorded, 1_119))
        };
        let busy = r#"[{"pid": 1, "id": "ab", "cwd": "/x", "state": "working"}]"#;
        assert!(alive(busy, Some("ab")) && !alive(busy, Some("cd")) && !alive(busy, None));
        assert!(alive(r#"[{"id": "ab", "cwd": "/w", "name": "t-n", "state": "blocked"}]"#, None));
        for over in ["done", "stopped", "failed"] {
            assert!(!alive(&format!(r#"[{{"id": "ab", "state": "{over}"}}]"#), Some("ab")));
        }
        let killed = r#"[{"id": "ab", "state": "blocked", "startedAt": 999000.5}]"#;
        let begins = r#"[{"id": "ab", "state": "working", "startedAt": 1000000}]"#;
        assert!(!alive(killed, Some("ab")) && alive(begins, Some("ab")));
        assert!(Agent::parse_all(b"not json").is_none());
    }
}
