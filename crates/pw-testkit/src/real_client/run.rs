//! What one prompt came to, read from the client's stream of JSON lines.

use serde_json::Value;

use crate::scripted_api::{first_json, text_of};

/// One finished prompt.
pub struct Run {
    events: Vec<Value>,
}

/// A tool the model called, with what came back.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// The input it was called with.
    pub input: Value,
    /// The result as text; empty when there was none.
    pub result: String,
    /// Whether the result is an error.
    pub is_error: bool,
    /// Whether a subagent made the call.
    pub in_subagent: bool,
}

/// A hook that ran.
#[derive(Clone, Debug)]
pub struct HookRun {
    /// The event, such as `SessionStart`.
    pub event: String,
    /// The client's word for how it went, such as `success`.
    pub outcome: String,
    /// The exit code, when there was one.
    pub exit_code: Option<i64>,
    /// What it printed, stdout and stderr.
    pub output: String,
}

impl Run {
    pub(super) fn read(stream: &str) -> Self {
        Self { events: stream.lines().filter_map(|line| serde_json::from_str(line).ok()).collect() }
    }

    /// Returns every tool call in order, those of foreground subagents included.
    pub fn tool_calls(&self) -> Vec<ToolCall> {
        let results: Vec<&Value> =
            self.blocks("user", "tool_result").map(|(_, block)| block).collect();
        self.blocks("assistant", "tool_use")
            .map(|(event, call)| {
                let result = results.iter().find(|result| result["tool_use_id"] == call["id"]);
                ToolCall {
                    name: text_of(&call["name"]),
                    input: call["input"].clone(),
                    result: result.map(|result| text_of(result)).unwrap_or_default(),
                    is_error: result.is_some_and(|result| result["is_error"] == true),
                    in_subagent: event["parent_tool_use_id"].is_string(),
                }
            })
            .collect()
    }

    /// Returns the answer of the one Bash call of `command`, which must have been a JSON document.
    #[track_caller]
    pub fn answer_of(&self, command: &str) -> Value {
        let calls = self.tool_calls();
        let call = calls.iter().find(|call| call.input["command"] == command);
        let answer = call.map(|call| first_json(&call.result)).unwrap_or_default();
        assert!(!answer.is_null(), "no JSON from {command:?} among {calls:#?}");
        answer
    }

    /// Returns the hooks that have ended, in order.
    pub fn hooks(&self) -> Vec<HookRun> {
        let ended = self.events.iter().filter(|event| event["subtype"] == "hook_response");
        ended
            .map(|event| HookRun {
                event: text_of(&event["hook_event"]),
                outcome: text_of(&event["outcome"]),
                exit_code: event["exit_code"].as_i64(),
                output: text_of(&event["stdout"]) + &text_of(&event["stderr"]),
            })
            .collect()
    }

    /// Returns the last words of the main conversation.
    pub fn final_text(&self) -> String {
        self.result().map(|result| text_of(&result["result"])).unwrap_or_default()
    }

    /// Returns the session, for `--resume`.
    pub fn session(&self) -> String {
        self.result().map(|result| text_of(&result["session_id"])).unwrap_or_default()
    }

    pub(super) fn ended_well(&self) -> bool {
        self.result().is_some_and(|result| result["is_error"] == false)
    }

    fn result(&self) -> Option<&Value> {
        self.events.iter().rfind(|event| event["type"] == "result")
    }

    /// The content blocks of one kind, each with the event that brought it.
    fn blocks(
        &self,
        event: &'static str,
        block: &'static str,
    ) -> impl Iterator<Item = (&Value, &Value)> {
        let events = self.events.iter().filter(move |e| e["type"] == event);
        let pairs = events.flat_map(|e| {
            e["message"]["content"].as_array().into_iter().flatten().map(move |b| (e, b))
        });
        pairs.filter(move |(_, b)| b["type"] == block)
    }
}
