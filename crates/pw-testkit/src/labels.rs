//! One label for one command, whichever helper names it: held in every answer that a test looks at.

use serde_json::Value;

/// A helper, a verb of it, and what a step that runs it is called: one word, unless the same command
/// is for another reason.
const LABELS: &[(&str, &str, &[&str])] = &[
    ("pw-setup", "advance", &["advance"]),
    ("pw-setup", "analyze", &["plan"]),
    ("pw-setup", "check", &["check"]),
    ("pw-setup", "create", &["create"]),
    // For the first time, in another clone, or to be told where its session is.
    ("pw-setup", "launch", &["launch", "look"]),
    ("pw-setup", "join", &["launch"]),
    ("pw-setup", "repair", &["repair"]),
    ("pw-monitor", "status", &["watch"]),
    ("pw-monitor", "wait", &["wait"]),
    ("pw-integrate", "preview", &["preview"]),
    ("pw-integrate", "run", &["integrate"]),
    // A conflict, or a red gate.
    ("pw-integrate", "continue", &["resolve", "correct"]),
    ("pw-integrate", "finish", &["land"]),
    ("pw-integrate", "cleanup", &["clean up", "keep and clean up"]),
    // The snapshots, or one of them.
    ("pw-integrate", "restore", &["list", "restore"]),
    ("pw-worker", "brief", &["go on"]),
    // A provider that is asked for more.
    ("pw-worker", "checkpoint", &["save", "reopen"]),
    ("pw-worker", "complete", &["finish"]),
    ("pw-worker", "sync", &["take in"]),
    ("pw-worker", "undo", &["undo"]),
    ("pw-worker", "blocked", &["say again"]),
    ("pw-worker", "needs", &["say again"]),
    ("pw-retro", "report", &["look back"]),
    ("pw-retro", "remember", &["remember"]),
];

/// Fails when a step is called otherwise than its command is everywhere.
pub(crate) fn hold(next: &Value) {
    for step in next.as_array().into_iter().flatten() {
        let command = step["command"].as_str().unwrap_or_default();
        let words: Vec<&str> = command.split_whitespace().collect();
        let words = match words[..] {
            [helper, "-C", _, verb, ..] | [helper, verb, ..] => (helper, verb),
            _ => continue,
        };
        if !words.0.starts_with("pw-") {
            continue;
        }
        let known = LABELS.iter().find(|(helper, verb, _)| (*helper, *verb) == words);
        let label = step["action"].as_str().unwrap_or_default();
        assert!(
            known.is_some_and(|(_, _, labels)| labels.contains(&label)),
            "`{command}` is called {label:?}; elsewhere {known:?}"
        );
    }
}
