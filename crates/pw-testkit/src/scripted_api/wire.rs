//! The answer as the Messages API writes it, streamed or whole.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

/// Returns content type and body of the message that holds `block`, in the form that was `asked`
/// for.
pub(super) fn message(block: &Value, asked: &Value) -> (&'static str, String) {
    static IDS: AtomicU64 = AtomicU64::new(1);
    let id = IDS.fetch_add(1, Ordering::Relaxed);
    let is_tool = block["type"] == "tool_use";
    let mut block = block.clone();
    if is_tool {
        block["id"] = json!(format!("toolu_scripted{id:06}"));
    }
    let stop = if is_tool { "tool_use" } else { "end_turn" };
    let message = |content: Value, stop: Value| {
        json!({
            "id": format!("msg_scripted{id:06}"), "type": "message", "role": "assistant", "model": asked["model"],
            "content": content, "stop_reason": stop, "stop_sequence": null,
            "usage": {"input_tokens": 100, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                      "output_tokens": 20},
        })
    };
    if asked["stream"] != true {
        return ("application/json", message(json!([block]), json!(stop)).to_string());
    }
    // A block starts empty and is filled by deltas: text in one piece, a tool's input as partial
    // JSON.
    let (delta, key, empty) = if is_tool {
        (
            json!({"type": "input_json_delta", "partial_json": block["input"].to_string()}),
            "input",
            json!({}),
        )
    } else {
        (json!({"type": "text_delta", "text": block["text"]}), "text", json!(""))
    };
    let mut opening = block;
    opening[key] = empty;
    let events = [
        json!({"type": "message_start", "message": message(json!([]), Value::Null)}),
        json!({"type": "content_block_start", "index": 0, "content_block": opening}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": null},
               "usage": {"output_tokens": 20}}),
        json!({"type": "message_stop"}),
    ];
    let body = events.iter().map(|event| {
        let name = event["type"].as_str().unwrap_or_default();
        format!("event: {name}\ndata: {event}\n\n")
    });
    ("text/event-stream; charset=utf-8", body.collect())
}

/// Returns the body of an error.
pub(super) fn error(block: &Value) -> String {
    let error = json!({"type": block["kind"], "message": "the script refuses"});
    json!({"type": "error", "error": error}).to_string()
}
