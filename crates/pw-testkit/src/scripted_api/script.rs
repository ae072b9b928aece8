//! What a script is made of: tracks, each a conversation that is expected, step by step.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use serde_json::{Value, json};

use super::turn::Turn;

type Rule = Box<dyn Fn(&Turn) -> bool + Send + Sync>;

/// One expected conversation: how to know it, and its answers in order. The step to play is the
/// number of assistant turns the request already holds, so a track keeps no state and parallel
/// subagents may share it.
pub struct Track {
    name: String,
    known_by: Rule,
    steps: Vec<Step>,
    /// Expectations written since the last answer; they belong to the next one.
    open: Vec<Expectation>,
}

struct Step {
    expectations: Vec<Expectation>,
    answer: Box<dyn Fn(&Turn) -> Value + Send + Sync>,
}

struct Expectation {
    written: &'static Location<'static>,
    wanted: String,
    holds: Rule,
}

impl Track {
    /// Answers conversations whose first user turn contains `text`.
    pub fn when_user_says(text: &str) -> Self {
        let wanted = text.to_owned();
        Self::new(format!("user says {text:?}"), move |turn| turn.first_user().contains(&wanted))
    }

    /// Answers conversations whose system prompt contains `text`: those of the subagent it is the
    /// body of.
    pub fn when_system_says(text: &str) -> Self {
        let wanted = text.to_owned();
        Self::new(format!("system says {text:?}"), move |turn| turn.system().contains(&wanted))
    }

    fn new(name: String, known_by: impl Fn(&Turn) -> bool + Send + Sync + 'static) -> Self {
        Self { name, known_by: Box::new(known_by), steps: Vec::new(), open: Vec::new() }
    }

    /// The next answer calls a tool.
    pub fn tool(self, name: &str, input: Value) -> Self {
        self.tool_from(name, move |_| input.clone())
    }

    /// The next answer calls a tool with an input made from what the request shows.
    pub fn tool_from(
        self,
        name: &str,
        input: impl Fn(&Turn) -> Value + Send + Sync + 'static,
    ) -> Self {
        let name = name.to_owned();
        self.step(move |turn| json!({"type": "tool_use", "name": name, "input": input(turn)}))
    }

    /// The next answer is an error of the service; the client may ask again.
    pub fn refuse(self, status: u16, kind: &str) -> Self {
        let kind = kind.to_owned();
        self.step(move |_| json!({"type": "error", "status": status, "kind": kind}))
    }

    /// The next answer is text, which ends the turn.
    pub fn say(self, text: &str) -> Self {
        let text = text.to_owned();
        self.say_from(move |_| text.clone())
    }

    /// The next answer is text made from what the request shows.
    pub fn say_from(self, text: impl Fn(&Turn) -> String + Send + Sync + 'static) -> Self {
        self.step(move |turn| json!({"type": "text", "text": text(turn)}))
    }

    /// The request for the next answer must satisfy `rule`.
    #[track_caller]
    pub fn sees(self, rule: impl Fn(&Turn) -> bool + Send + Sync + 'static) -> Self {
        self.expect("what `sees` asks for".to_owned(), rule)
    }

    /// The request for the next answer must bring a tool result that contains `text`.
    #[track_caller]
    pub fn sees_result(self, text: &str) -> Self {
        let wanted = text.to_owned();
        self.expect(format!("a tool result with {text:?}"), move |turn| {
            turn.tool_result().contains(&wanted)
        })
    }

    /// The request for the next answer must have `text` in its context: an agent's or a skill's
    /// entry, say.
    #[track_caller]
    pub fn sees_context(self, text: &str) -> Self {
        let wanted = text.to_owned();
        self.expect(format!("a context with {text:?}"), move |turn| {
            turn.context().contains(&wanted)
        })
    }

    /// The request for the next answer must bring a JSON document that says `"ok": true`.
    #[track_caller]
    pub fn sees_ok(self) -> Self {
        self.expect("a tool result that says ok".to_owned(), |turn| turn.json()["ok"] == true)
    }

    #[track_caller]
    fn expect(
        mut self,
        wanted: String,
        rule: impl Fn(&Turn) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.open.push(Expectation { written: Location::caller(), wanted, holds: Box::new(rule) });
        self
    }

    fn step(mut self, answer: impl Fn(&Turn) -> Value + Send + Sync + 'static) -> Self {
        let expectations = std::mem::take(&mut self.open);
        self.steps.push(Step { expectations, answer: Box::new(answer) });
        self
    }

    /// Expectations after the last answer need a request to look at, and so an answer of their own.
    pub(super) fn closed(self) -> Self {
        if self.open.is_empty() && !self.steps.is_empty() { self } else { self.say("DONE") }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(super) fn matches(&self, turn: &Turn) -> bool {
        (self.known_by)(turn)
    }

    /// Returns the answer to `turn` (a content block without id), its step, and what was not as
    /// expected.
    pub(super) fn play(&self, turn: &Turn) -> (Value, usize, Vec<String>) {
        let at = turn.answered();
        let Some(step) = self.steps.get(at) else {
            let problem = format!("{} ended, and was asked again\n{}", self.name, turn.looks());
            return (json!({"type": "text", "text": "the script has ended"}), at, vec![problem]);
        };
        let mut problems = Vec::new();
        for expectation in &step.expectations {
            turn.forget_looks();
            // A rule that panics (an index, an unwrap) has not held; the client still gets its
            // answer.
            if !catch_unwind(AssertUnwindSafe(|| (expectation.holds)(turn))).unwrap_or(false) {
                let Expectation { written, wanted, .. } = expectation;
                let (name, nth, of) = (&self.name, at + 1, self.steps.len());
                problems.push(format!(
                    "{name}, step {nth} of {of}: {wanted} ({}:{}) was not there; it looked at\n{}",
                    written.file(),
                    written.line(),
                    turn.looks()
                ));
            }
        }
        turn.forget_looks();
        let block = catch_unwind(AssertUnwindSafe(|| (step.answer)(turn))).unwrap_or_else(|_| {
            problems.push(format!(
                "{}, step {}: its answer panicked over\n{}",
                self.name,
                at + 1,
                turn.looks()
            ));
            json!({"type": "text", "text": "the script has failed"})
        });
        (block, at, problems)
    }
}
