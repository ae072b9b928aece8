use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;

fn post(api: &ScriptedApi, body: &Value) -> String {
    let body = body.to_string();
    let mut stream = TcpStream::connect(api.url().trim_start_matches("http://")).unwrap();
    let head =
        format!("POST /v1/messages?beta=true HTTP/1.0\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn asked(result: &str) -> Value {
    json!({"stream": true, "messages": [
        {"role": "user", "content": "split work please"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": result}]},
    ]})
}

fn two_steps() -> ScriptedApi {
    ScriptedApi::start([Track::when_user_says("split work")
        .tool("Bash", json!({"command": "ls"}))
        .sees_ok()
        .say_from(|turn| format!("found {}", turn.json()["data"]))])
}

#[test]
fn plays_the_step_that_the_conversation_is_at() {
    let api = two_steps();
    let first = json!({"messages": [{"role": "user", "content": "split work please"}]});
    assert!(post(&api, &first).contains(r#""input":{"command":"ls"}"#));
    assert!(post(&api, &asked("{note}\n  {\"ok\": true, \"data\": 7}\nusage")).contains("found 7"));
    api.verdict();
}

#[test]
fn tells_what_was_wanted_and_what_was_seen() {
    let api = two_steps();
    post(&api, &asked("{\"ok\": false, \"error\": \"no plan\"}"));
    post(&api, &json!({"messages": [{"role": "user", "content": "something else"}]}));
    let problems = api.departures().join("\n");
    assert!(problems.contains("step 2 of 2: a tool result that says ok"), "{problems}");
    assert!(problems.contains("tests.rs:") && problems.contains("no plan"), "{problems}");
    assert!(
        problems.contains("no track answers this request") && problems.contains("something else"),
        "{problems}"
    );
    assert!(api.story().contains("-> says \"found null\""), "{}", api.story());
}

#[test]
fn tells_which_steps_were_never_asked_for() {
    assert_eq!(two_steps().unplayed(), ["user says \"split work\" was asked for 0 of its 2 steps"]);
}
