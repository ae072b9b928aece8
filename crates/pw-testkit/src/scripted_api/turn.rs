//! One request of the client, as a script looks at it.

use std::cell::RefCell;

use serde_json::Value;

/// A request for the next assistant turn. Remembers which views were read, for the story of a
/// failure.
#[derive(Clone)]
pub struct Turn {
    system: String,
    context: String,
    first_user: String,
    tail: String,
    tool_result: String,
    tools: Vec<String>,
    model: String,
    failed: bool,
    answered: usize,
    looked: RefCell<Vec<&'static str>>,
}

impl Turn {
    pub(super) fn new(body: &Value) -> Self {
        let messages = list(&body["messages"]);
        let with_role = |role: &'static str| {
            messages.iter().filter(move |m| m["role"] == role).map(|m| text_of(&m["content"]))
        };
        let since =
            messages.iter().rposition(|m| m["role"] == "assistant").map_or(0, |last| last + 1);
        let tail = &messages[since..];
        let results: Vec<&Value> = tail
            .iter()
            .flat_map(|m| list(&m["content"]))
            .filter(|b| b["type"] == "tool_result")
            .collect();
        Self {
            system: text_of(&body["system"]),
            context: joined(with_role("system")),
            first_user: with_role("user").next().unwrap_or_default(),
            tail: joined(tail.iter().map(|m| text_of(&m["content"]))),
            tool_result: joined(results.iter().map(|b| text_of(b))),
            tools: list(&body["tools"])
                .iter()
                .filter_map(|t| t["name"].as_str())
                .map(str::to_owned)
                .collect(),
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            failed: results.iter().any(|b| b["is_error"] == true),
            answered: with_role("assistant").count(),
            looked: RefCell::default(),
        }
    }

    /// Returns the system prompt: of a subagent, the body of its Markdown is in it.
    pub fn system(&self) -> &str {
        self.read("system", &self.system)
    }

    /// Returns the turns of role `system`: environment, agents, skills, what a SessionStart hook
    /// added.
    pub fn context(&self) -> &str {
        self.read("context", &self.context)
    }

    /// Returns the first thing the user said, reminders of the client included.
    pub fn first_user(&self) -> &str {
        self.read("first user", &self.first_user)
    }

    /// Returns all that came since the last assistant turn: tool results, skill bodies, hook
    /// feedback.
    pub fn tail(&self) -> &str {
        self.read("tail", &self.tail)
    }

    /// Returns the tool results in the tail.
    pub fn tool_result(&self) -> &str {
        self.read("tool result", &self.tool_result)
    }

    /// Returns the first JSON document in the tool results, or `null`.
    pub fn json(&self) -> Value {
        first_json(self.tool_result())
    }

    /// Returns whether a tool result in the tail is an error.
    pub fn tool_failed(&self) -> bool {
        self.read("tool result", &self.tool_result);
        self.failed
    }

    /// Returns the names of the tools on offer.
    pub fn tools(&self) -> &[String] {
        &self.tools
    }

    /// Returns the model that was asked for.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Returns how many assistant turns the conversation already has, which is the step to play.
    pub(super) fn answered(&self) -> usize {
        self.answered
    }

    pub(super) fn forget_looks(&self) {
        self.looked.borrow_mut().clear();
    }

    /// Returns the views read since [`Self::forget_looks`], quoted.
    pub(super) fn looks(&self) -> String {
        let looked = self.looked.take();
        let text = |view: &str| match view {
            "system" => &self.system,
            "context" => &self.context,
            "first user" => &self.first_user,
            "tool result" => &self.tool_result,
            _ => &self.tail,
        };
        let mut looks: String = looked.iter().map(|view| quoted(view, text(view))).collect();
        if looks.is_empty() {
            looks = quoted("tail", &self.tail);
        }
        looks
    }

    fn read<'a>(&self, view: &'static str, text: &'a str) -> &'a str {
        let mut looked = self.looked.borrow_mut();
        if !looked.contains(&view) {
            looked.push(view);
        }
        text
    }
}

/// Returns the first JSON object that starts a line of `text`, or `null`. The line may be indented:
/// the client indents what a subagent reports.
pub(crate) fn first_json(text: &str) -> Value {
    let lines =
        std::iter::once(text).chain(text.match_indices('\n').map(|(at, _)| &text[at + 1..]));
    let objects = lines.map(str::trim_start).filter(|rest| rest.starts_with('{'));
    let mut documents = objects
        .filter_map(|rest| serde_json::Deserializer::from_str(rest).into_iter().next()?.ok());
    documents.next().unwrap_or_default()
}

/// Flattens content of any shape (string, block, list of blocks) to text.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(blocks) => joined(blocks.iter().map(text_of)),
        block => match block["type"].as_str() {
            Some("text") => text_of(&block["text"]),
            Some("tool_result") => text_of(&block["content"]),
            Some("tool_use") => block["input"].to_string(),
            _ => block.to_string(),
        },
    }
}

/// Returns `text`, or its first and last part when it is much longer than `limit` characters.
pub(crate) fn bounded(text: &str, limit: usize) -> String {
    let length = text.chars().count();
    if length <= limit {
        return text.to_owned();
    }
    let head: String = text.chars().take(limit * 2 / 3).collect();
    let tail: String = text.chars().skip(length - limit / 3).collect();
    format!("{head} […{} characters…] {tail}", length - limit / 3 - limit * 2 / 3)
}

/// Returns `text` under its title, bounded and set off from the story around it.
pub(super) fn quoted(title: &str, text: &str) -> String {
    let text = bounded(text, 1500).replace('\n', "\n     | ");
    format!("   {title}:\n     | {text}\n")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join("\n")
}
