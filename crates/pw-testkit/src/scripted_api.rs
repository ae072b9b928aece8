//! A model on loopback that plays a script: the real client talks to it instead of the Messages
//! API.
//!
//! ```no_run
//! # use pw_testkit::scripted_api::{ScriptedApi, Track};
//! # use serde_json::json;
//! let api = ScriptedApi::start([
//!     Track::when_system_says("You set up").tool("Bash", json!({"command": "pw-setup check
//!     plan.yaml"})),
//!     Track::when_user_says("split work")
//!         .sees(|turn| turn.context().contains("parallel-setup"))
//!         .tool("Agent", json!({"subagent_type": "parallel-workflows:parallel-setup"}))
//!         .sees_result("created")
//!         .say("DONE"),
//! ]);
//! // … let the client talk to `api.url()` …
//! api.verdict();
//! ```
//!
//! What went otherwise than written is kept, and told as a story by [`ScriptedApi::verdict`].

use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tiny_http::{Header, Method, Request, Response, Server};

mod script;
mod turn;
mod wire;

pub use script::Track;
pub use turn::Turn;
pub(crate) use turn::{bounded, first_json, text_of};

/// A forgotten server ends by itself; no story takes this long.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Far above any conversation of a test; keeps a runaway client from filling the memory.
const LARGEST_BODY: u64 = 32 << 20;

/// What the client asks on its own account (mark in the system prompt or in the question, answer);
/// no script need know these.
const SIDE_QUERIES: [(&str, &str); 3] = [
    (
        "A user kicked off a Claude Code agent to do a coding task and walked away",
        r#"{"state": "done", "detail": "finished", "output": {"result": "finished"}}"#,
    ),
    ("word lowercase label for this job", "some work"),
    ("You are a strict, terse evaluation judge for coding-agent traces", "PASS"),
];

/// The running server; it ends when dropped.
pub struct ScriptedApi {
    url: String,
    stage: Arc<Stage>,
    ending: Arc<AtomicBool>,
    door: Option<JoinHandle<()>>,
}

/// What the threads that answer share.
struct Stage {
    tracks: Vec<Track>,
    log: Mutex<Vec<Entry>>,
}

/// One request of the conversation and what came of it.
struct Entry {
    turn: Turn,
    track: Option<(usize, usize)>,
    answer: String,
    problems: Vec<String>,
}

impl ScriptedApi {
    /// Starts the server. The first track that matches a request answers it, so the narrower ones
    /// come first.
    pub fn start(tracks: impl IntoIterator<Item = Track>) -> Self {
        let server = Server::http("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.server_addr());
        let tracks = tracks.into_iter().map(Track::closed).collect();
        let stage = Arc::new(Stage { tracks, log: Mutex::new(Vec::new()) });
        let ending = Arc::new(AtomicBool::new(false));
        let door = std::thread::spawn({
            let (stage, ending, deadline) =
                (stage.clone(), ending.clone(), Instant::now() + LIFETIME);
            move || {
                while !ending.load(Ordering::Relaxed) && Instant::now() < deadline {
                    if let Ok(Some(request)) = server.recv_timeout(Duration::from_millis(50)) {
                        let stage = stage.clone();
                        // One thread each: subagents ask at the same time.
                        std::thread::spawn(move || serve(&stage, request));
                    }
                }
            }
        });
        Self { url, stage, ending, door: Some(door) }
    }

    /// Returns the address for `ANTHROPIC_BASE_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns every request of the conversation so far, in order of arrival.
    pub fn requests(&self) -> Vec<Turn> {
        self.stage.log().iter().map(|entry| entry.turn.clone()).collect()
    }

    /// Panics with the whole story unless every request was in the script, every expectation held
    /// and every track was played to its end.
    #[track_caller]
    pub fn verdict(&self) {
        self.judge([self.departures(), self.unplayed()].concat());
    }

    /// Panics as [`Self::verdict`] does, but leaves open what has not been asked yet.
    #[track_caller]
    pub fn verdict_so_far(&self) {
        self.judge(self.departures());
    }

    #[track_caller]
    fn judge(&self, problems: Vec<String>) {
        let told = problems.join("\n\n");
        assert!(problems.is_empty(), "the client left the script:\n\n{told}\n\n{}", self.story());
    }

    /// Returns what was asked and answered so far, one line per request.
    pub fn story(&self) -> String {
        let mut story = "what happened:\n".to_owned();
        for (nth, entry) in self.stage.log().iter().enumerate() {
            let place = match entry.track {
                Some((track, step)) => {
                    format!("{} step {}", self.stage.tracks[track].name(), step + 1)
                }
                None => "(no track)".to_owned(),
            };
            let seen = match entry.turn.answered() {
                // The first request brings pages of reminders; what it asks is the track's name.
                0 => "a new conversation".to_owned(),
                _ => turn::bounded(entry.turn.tail(), 160).replace('\n', " "),
            };
            writeln!(
                story,
                "{:3}. {place}: {seen}\n     -> {}",
                nth + 1,
                turn::bounded(&entry.answer, 200)
            )
            .unwrap();
        }
        story
    }

    fn departures(&self) -> Vec<String> {
        self.stage.log().iter().flat_map(|entry| entry.problems.iter().cloned()).collect()
    }

    fn unplayed(&self) -> Vec<String> {
        let log = self.stage.log();
        let reached = |index| {
            let played =
                log.iter().filter_map(|entry| entry.track).filter(|(track, _)| *track == index);
            played.map(|(_, step)| step + 1).max().unwrap_or(0)
        };
        let tracks =
            self.stage.tracks.iter().enumerate().map(|(index, track)| (track, reached(index)));
        tracks
            .filter(|(track, reached)| *reached < track.len())
            .map(|(track, reached)| {
                format!("{} was asked for {reached} of its {} steps", track.name(), track.len())
            })
            .collect()
    }
}

impl Drop for ScriptedApi {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(door) = self.door.take() {
            // A second panic while one unwinds would abort the process and hide the first.
            let _ = door.join();
        }
    }
}

impl Stage {
    fn log(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.log.lock().unwrap()
    }

    /// Answers one turn of a conversation: the content block to send, without its id.
    fn answer(&self, turn: Turn) -> Value {
        let is_asked = |mark| turn.system().contains(mark) || turn.first_user().contains(mark);
        if let Some((_, text)) = SIDE_QUERIES.iter().find(|(mark, _)| is_asked(mark)) {
            return json!({"type": "text", "text": text});
        }
        let chosen = self.tracks.iter().position(|track| track.matches(&turn));
        let (block, step, problems) = match chosen {
            Some(index) => self.tracks[index].play(&turn),
            None => {
                let asked = turn::quoted("first user", turn.first_user())
                    + &turn::quoted("system", turn.system());
                (
                    json!({"type": "text", "text": "OK"}),
                    0,
                    vec![format!("no track answers this request\n{asked}")],
                )
            }
        };
        let answer = block.get("text").and_then(Value::as_str).map_or_else(
            || match block["status"].as_u64() {
                Some(status) => format!("refuses with {status}"),
                None => format!("{} {}", block["name"].as_str().unwrap_or("?"), block["input"]),
            },
            |text| format!("says {text:?}"),
        );
        self.log().push(Entry { turn, track: chosen.map(|track| (track, step)), answer, problems });
        block
    }
}

fn serve(stage: &Stage, mut request: Request) {
    let mut raw = Vec::new();
    let _ = request.as_reader().take(LARGEST_BODY).read_to_end(&mut raw);
    let path = request.url().split('?').next().unwrap_or_default().to_owned();
    let asked = serde_json::from_slice::<Value>(&raw).unwrap_or_default();
    let mut status = 200;
    let (kind, body) = match (request.method(), path.as_str()) {
        (Method::Post, "/v1/messages") => {
            let block = stage.answer(Turn::new(&asked));
            if let Some(code) = block["status"].as_u64() {
                status = u16::try_from(code).unwrap();
                ("application/json", wire::error(&block))
            } else {
                wire::message(&block, &asked)
            }
        }
        (Method::Post, "/v1/messages/count_tokens") => {
            ("application/json", json!({"input_tokens": raw.len() / 4 + 1}).to_string())
        }
        (_, "/v1/models") => {
            ("application/json", json!({"data": [], "has_more": false}).to_string())
        }
        // Any other request of the client is answered, so that it neither waits nor retries.
        _ => ("application/json", "{}".to_owned()),
    };
    let header = Header::from_bytes("content-type", kind).unwrap();
    // The client may have gone; that is its business.
    let _ =
        request.respond(Response::from_string(body).with_header(header).with_status_code(status));
}

#[cfg(test)]
mod tests;
