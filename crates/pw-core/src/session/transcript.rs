//! A session's transcript, JSON lines: how it ends, and what it used.

use std::collections::{BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::bounded;
use crate::time::{Seconds, parse_rfc3339};

/// The longest pause, in minutes, that still counts as work: a build, a long answer.
const PAUSE: Seconds = 10;
/// Longest text of a session that a report repeats, in characters.
const MAX_TEXT: usize = 200;

/// An error of the service that ended a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// In the client's words.
    pub message: String,
}

/// The kinds of errors, by what helps against them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The client is not logged in: the user has to.
    Login,
    /// A limit was reached: time helps.
    RateLimit,
    /// Any other; the message says what.
    Other,
}

/// How a transcript ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// When the newest record was written.
    pub at: Option<Seconds>,
    /// The error that ended the newest turn; `None` when none did.
    pub error: Option<ApiError>,
    /// Whether the newest turn ended with words, so that the session waits.
    pub turn_ended: bool,
    /// The tool call that has no result, `Bash: …`.
    pub asks: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Option<String>,
    #[serde(default)]
    is_sidechain: bool,
    #[serde(default)]
    is_api_error_message: bool,
    error: Option<String>,
    api_error_status: Option<u16>,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Blocks(Vec<Block>),
}

impl Default for Content {
    fn default() -> Self {
        Self::Blocks(Vec::new())
    }
}

#[derive(Deserialize)]
struct Block {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    name: Option<String>,
    input: Option<serde_json::Value>,
}

impl Content {
    fn block(&self, kind: &str) -> Option<&Block> {
        match self {
            Self::Text(_) => None,
            Self::Blocks(blocks) => blocks.iter().rfind(|block| block.kind == kind),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Blocks(_) => {
                self.block("text").and_then(|block| block.text.as_deref()).unwrap_or_default()
            }
        }
    }
}

impl Tail {
    /// Reads the end of a transcript; its first line may be cut.
    pub fn parse(text: &str) -> Self {
        let mut tail = Self::default();
        // A conversation's records are small; what surrounds them can be huge.
        let said = |line: &&str| {
            line.contains(r#""type":"assistant""#) || line.contains(r#""type":"user""#)
        };
        for line in text.lines().filter(said) {
            let Ok(record) = serde_json::from_str::<Record>(line) else { continue };
            tail.at = record.timestamp.as_deref().and_then(parse_rfc3339).max(tail.at);
            if !record.is_sidechain {
                tail.take(record);
            }
        }
        tail
    }

    fn take(&mut self, record: Record) {
        let Some(message) = record.message else { return };
        let text = message.content.text();
        (self.error, self.asks) = (None, None);
        match record.kind.as_str() {
            "assistant" if record.is_api_error_message => {
                let kind = kind(record.error.as_deref(), record.api_error_status);
                self.error = Some(ApiError { kind, message: bounded(text, MAX_TEXT) });
                self.turn_ended = true;
            }
            "assistant" => {
                self.asks = message.content.block("tool_use").map(asks);
                self.turn_ended = self.asks.is_none() && !text.is_empty();
            }
            _ => self.turn_ended = text.starts_with("[Request interrupted by user"),
        }
    }
}

fn kind(error: Option<&str>, status: Option<u16>) -> ErrorKind {
    match (error, status) {
        (Some("rate_limit"), _) | (_, Some(429)) => ErrorKind::RateLimit,
        (Some("authentication_failed" | "oauth_org_not_allowed" | "cloud_credential_error"), _)
        | (_, Some(401 | 403)) => ErrorKind::Login,
        _ => ErrorKind::Other,
    }
}

/// Returns a tool call in a few words.
fn asks(call: &Block) -> String {
    let input = call.input.as_ref();
    let told = ["command", "file_path", "url"].iter().find_map(|key| input?.get(key)?.as_str());
    let question = || input?.pointer("/questions/0/question")?.as_str();
    let name = call.name.as_deref().unwrap_or("?");
    match told.or_else(question) {
        Some(told) => bounded(&format!("{name}: {told}"), MAX_TEXT),
        None => name.to_owned(),
    }
}

/// Tokens that were used, and what the client says they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Tokens sent that were in no cache.
    pub input_tokens: u64,
    /// Tokens the model wrote.
    pub output_tokens: u64,
    /// Tokens that were read from the cache.
    pub cache_read_tokens: u64,
    /// Tokens that were written to the cache.
    pub cache_write_tokens: u64,
    /// Minutes in which its sessions did something; pauses of more than ten are none.
    #[serde(skip)]
    pub minutes: u64,
    /// US dollars; absent while a session has not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_usd: Option<f64>,
}

impl Usage {
    /// Returns all tokens together.
    pub fn tokens(&self) -> u64 {
        self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_write_tokens
    }

    /// Returns the sum of several; `None` of none. A cost is told when each of them has one.
    pub fn sum(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        let add = |sum: Self, next: Self| Self {
            input_tokens: sum.input_tokens + next.input_tokens,
            output_tokens: sum.output_tokens + next.output_tokens,
            cache_read_tokens: sum.cache_read_tokens + next.cache_read_tokens,
            cache_write_tokens: sum.cache_write_tokens + next.cache_write_tokens,
            minutes: sum.minutes + next.minutes,
            cost_usd: sum.cost_usd.zip(next.cost_usd).map(|(a, b)| a + b),
        };
        all.into_iter().reduce(add)
    }
}

/// A record without what was said: all transcripts are read for it, whole.
#[derive(Deserialize)]
struct Billed {
    message: BilledMessage,
}

#[derive(Deserialize)]
struct BilledMessage {
    id: String,
    model: Option<String>,
    usage: RawUsage,
}

#[derive(Deserialize)]
struct RawUsage {
    #[serde(default)]
    input_tokens: u64,
    #[serde(default)]
    output_tokens: u64,
    #[serde(default)]
    cache_read_input_tokens: u64,
    #[serde(default)]
    cache_creation_input_tokens: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CostState {
    #[serde(rename = "totalCostUSD")]
    total: f64,
    #[serde(default)]
    has_unknown_model_cost: bool,
}

/// What a session says it cost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cost {
    Unused,
    /// It used something since it last told, or cannot tell.
    Untold,
    Told(f64),
}

/// Counts what the sessions of one worker used. A message can be in several lines and, after a
/// session was forked, in several files.
#[derive(Debug, Default)]
pub struct Ledger {
    messages: HashMap<String, Usage>,
    costs: Vec<Cost>,
    /// Minutes since 1970 in which a record was written.
    minutes: BTreeSet<Seconds>,
    is_subagent: bool,
}

impl Ledger {
    /// Begins the next transcript; a subagent's cost is in that of its session.
    pub fn begin(&mut self, is_subagent: bool) {
        self.is_subagent = is_subagent;
        if !is_subagent {
            self.costs.push(Cost::Unused);
        }
    }

    /// Takes one line.
    pub fn line(&mut self, line: &str) {
        self.minutes.extend(written(line).map(|at| at / 60));
        if line.contains(r#""type":"assistant""#) && line.contains(r#""usage""#) {
            self.message(line);
        } else if line.contains(r#""type":"cost-state""#)
            && let Ok(state) = serde_json::from_str::<CostState>(line)
        {
            self.cost(if state.has_unknown_model_cost {
                Cost::Untold
            } else {
                Cost::Told(state.total)
            });
        }
    }

    fn cost(&mut self, cost: Cost) {
        if let Some(newest) = self.costs.last_mut().filter(|_| !self.is_subagent) {
            *newest = cost;
        }
    }

    fn message(&mut self, line: &str) {
        let Ok(Billed { message }) = serde_json::from_str(line) else { return };
        let BilledMessage { id, model, usage } = message;
        // The client's own words, such as errors.
        if model.as_deref() == Some("<synthetic>") {
            return;
        }
        let new = Usage {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cache_read_tokens: usage.cache_read_input_tokens,
            cache_write_tokens: usage.cache_creation_input_tokens,
            ..Usage::default()
        };
        let known = self.messages.entry(id).or_insert(new);
        // The last line of a message has its final count.
        if new.tokens() > known.tokens() {
            *known = new;
        }
        self.cost(Cost::Untold);
    }

    /// Returns the sum; `None` when no message was found.
    pub fn total(self) -> Option<Usage> {
        let told = |sum: f64, cost: Cost| match cost {
            Cost::Unused => Some(sum),
            Cost::Told(cost) => Some(sum + cost),
            Cost::Untold => None,
        };
        let cost_usd = self.costs.into_iter().try_fold(0.0, told);
        let minutes = busy(&self.minutes);
        Some(Usage { cost_usd, minutes, ..Usage::sum(self.messages.into_values())? })
    }
}

/// Returns when a record was written, without reading the rest of it.
fn written(line: &str) -> Option<Seconds> {
    const KEY: &str = r#""timestamp":""#;
    let value = &line[line.find(KEY)? + KEY.len()..];
    parse_rfc3339(value.split('"').next()?)
}

/// Returns how many minutes lie between these, long pauses left out.
fn busy(minutes: &BTreeSet<Seconds>) -> u64 {
    let gaps = minutes.iter().zip(minutes.iter().skip(1)).map(|(from, to)| to - from);
    let busy: Seconds = gaps.filter(|gap| *gap <= PAUSE).sum();
    let last = Seconds::from(!minutes.is_empty());
    u64::try_from(busy + last).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(more: &str) -> String {
        format!(r#"{{"type":"assistant","timestamp":"2026-11-22T13:08:32.492Z",{more}}}"#)
    }

    #[test]
    fn a_transcript_tells_how_its_turn_ended() {
        let user =
            r#"{"type":"user","timestamp":"2026-11-22T13:08:30Z","message":{"content":"go"}}"#;
        let asks = said(
            r#""message":{"content":[{"type":"tool_use","name":"Bash","input":{"command":"ls"}}]}"#,
        );
        let words = said(r#""message":{"content":[{"type":"text","text":"Done."}]}"#);
        let refused = |status: u16, error: &str| {
            said(
                &format!(
                    r#""isApiErrorMessage":true,"apiErrorStatus":{status},"error":"{error}",
                "message":{{"content":[{{"type":"text","text":"API Error"}}]}}"#
                )
                .replace('\n', ""),
            )
        };
        let tail = |lines: &[&str]| Tail::parse(&lines.join("\n"));

        let asking = tail(&[user, &asks]);
        assert_eq!((asking.asks.as_deref(), asking.turn_ended), (Some("Bash: ls"), false));
        assert_eq!(asking.at, Some(1_795_352_912));
        assert!(tail(&[user, &asks, user, &words]).turn_ended);
        assert!(!tail(&[&words, user]).turn_ended);
        let stopped = user.replace("go", "[Request interrupted by user for tool use]");
        assert!(tail(&[&asks, &stopped]).turn_ended);

        for (status, error, kind) in [
            (429, "rate_limit", ErrorKind::RateLimit),
            (429, "of a newer client", ErrorKind::RateLimit),
            (401, "authentication_failed", ErrorKind::Login),
            (403, "oauth_org_not_allowed", ErrorKind::Login),
            (529, "server_error", ErrorKind::Other),
        ] {
            let ended = tail(&[user, &refused(status, error)]);
            assert_eq!(ended.error.map(|error| error.kind), Some(kind), "{status} {error}");
        }
        // It went on.
        assert_eq!(tail(&[&refused(429, "rate_limit"), user]).error, None);
        // A cut line, a line of another program, a subagent's words.
        let aside =
            words.replace(r#""type":"assistant","#, r#""type":"assistant","isSidechain":true,"#);
        assert!(!tail(&[r#"ge":{}},"type":"user"}"#, "nonsense", user, &aside]).turn_ended);
    }

    #[test]
    fn minutes_are_those_of_work_wherever_they_are_written_down() {
        let at = |minute: u32| {
            let (hour, minute) = (10 + minute / 60, minute % 60);
            format!(r#"{{"type":"user","timestamp":"2026-11-22T{hour}:{minute:02}:30Z"}}"#)
        };
        let busy = |transcripts: &[&[u32]]| {
            let mut ledger = Ledger::default();
            ledger.line(&said(r#""message":{"id":"x","usage":{}}"#).replace("13:08", "10:00"));
            for minutes in transcripts {
                ledger.begin(false);
                minutes.iter().for_each(|minute| ledger.line(&at(*minute)));
            }
            ledger.total().map(|usage| usage.minutes)
        };
        assert_eq!(busy(&[&[]]), Some(1));
        assert_eq!(busy(&[&[0, 4, 14]]), Some(15));
        // A night between, a second session beside the first, a fork that repeats it.
        assert_eq!(busy(&[&[0, 10, 120, 121]]), Some(12));
        assert_eq!(busy(&[&[0, 10], &[5, 12], &[0, 10]]), Some(13));
    }

    #[test]
    fn messages_count_once_and_costs_only_when_all_are_told() {
        let used = |id: &str, output: u64| {
            said(&format!(
                r#""message":{{"id":"{id}","model":"m","usage":{{"input_tokens":10,"output_tokens":{output},"cache_read_input_tokens":5,"cache_creation_input_tokens":7}}}}"#
            ))
        };
        let cost = |told: &str| format!(r#"{{"type":"cost-state","totalCostUSD":{told}}}"#);
        let count = |transcripts: &[(bool, &[String])]| {
            let mut ledger = Ledger::default();
            for (is_subagent, lines) in transcripts {
                ledger.begin(*is_subagent);
                lines.iter().for_each(|line| ledger.line(line));
            }
            ledger.total()
        };
        let lines = [used("a", 1), used("a", 3), used("b", 4), cost("0.5")];
        let one = count(&[(false, &lines), (true, &[used("c", 1)])]).unwrap();
        assert_eq!((one.input_tokens, one.output_tokens), (30, 8));
        assert_eq!((one.cache_read_tokens, one.cache_write_tokens), (15, 21));
        assert_eq!(one.cost_usd, Some(0.5));
        // The newest total of a session holds the ones before.
        let told = count(&[(false, &[used("a", 1), cost("0.5"), used("b", 1), cost("0.75")])]);
        assert_eq!(told.unwrap().cost_usd, Some(0.75));
        let runs_on = count(&[(false, &lines), (false, &[used("d", 1)])]).unwrap();
        assert_eq!(runs_on.cost_usd, None);
        let unknown = cost(r#"1,"hasUnknownModelCost":true"#);
        assert_eq!(count(&[(false, &[used("a", 1), unknown])]).unwrap().cost_usd, None);
        let own = said(r#""message":{"id":"x","model":"<synthetic>","usage":{"input_tokens":0}}"#);
        assert_eq!(count(&[(false, &[own, cost("0")])]), None);
    }
}
