//! Budgets: who nears one is told of, who is over it is asked to save and stop, and nothing is ended.

use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::guard::{ask, hear};
use crate::session::Client;
use crate::{created, repo};

fn plan(all: &str, own: &str) -> String {
    format!(
        "workflow: two\n{all}workers:\n  - {{id: a, name: x, owns: [a]{own}}}\n  - {{id: b, name: y, owns: [b]}}\n"
    )
}

/// The session of a worker, which used this many tokens in this many minutes.
fn used(repo: &TestRepo, label: &str, tokens: u64, minutes: u32) {
    let message = |minute: u32, tokens: u64| {
        json!({"type": "assistant", "timestamp": format!("2026-11-22T13:{minute:02}:10.692Z"), "message": {
            "id": format!("{label}-{minute}"), "model": "claude-x", "content": [],
            "usage": {"input_tokens": tokens}}})
    };
    let mut said: Vec<Value> = (0..minutes).map(|minute| message(minute, 0)).collect();
    said.push(message(59, tokens));
    Client::of(repo, label).said(&said);
}

fn told(repo: &TestRepo) -> Vec<String> {
    let waited = repo.pw("pw-monitor wait --timeout 0s").data();
    let mut changes: Vec<Value> = waited["changes"].as_array().unwrap().clone();
    changes.retain(|change| change["kind"] == "budget");
    changes.iter().map(|change| change["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn who_nears_a_budget_or_is_over_it_is_told() {
    let repo = created(&plan("budget: {tokens: 1000}\n", ", budget: {tokens: 500, minutes: 40}"));
    assert_eq!(told(&repo), [""; 0]);
    used(&repo, "a-x", 399, 0);
    assert_eq!(told(&repo), [""; 0]);
    used(&repo, "a-x", 400, 0);
    assert_eq!(told(&repo), ["a has used 80 % of the budget, 400 of 500 tokens"]);
    used(&repo, "b-y", 600, 0);
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0]["budget"]["level"], "near");
    assert_eq!(status["workers"][1].get("budget"), None);
    assert_eq!(
        (&status["budget"]["level"], &status["budget"]["percent"]),
        (&json!("over"), &json!(100))
    );
    let shown = repo.pw("pw-monitor status --format human").stdout;
    assert!(
        shown.contains("all together have used 100 % of the budget, 1000 of 1000 tokens"),
        "{shown}"
    );

    // The same level is told once, the next one again.
    let cursor =
        repo.pw("pw-monitor wait --timeout 0s").data()["cursor"].as_str().unwrap().to_owned();
    used(&repo, "a-x", 450, 0);
    let again =
        |cursor: &str| repo.pw(&format!("pw-monitor wait --timeout 0s --since {cursor}")).data();
    assert_eq!(again(&cursor)["happened"], false);
    used(&repo, "a-x", 100, 50);
    assert_eq!(
        again(&cursor)["changes"][0]["text"],
        "a has used 150 % of the budget, 60 of 40 minutes"
    );
    // Who is done uses nothing any more.
    repo.worker("a-x").write("a", "").commit("[COMPLETE] a");
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0].get("budget"), None);
}

#[test]
fn a_session_over_its_budget_is_asked_to_save_and_far_over_it_may_only_save() {
    let repo = created(&plan("", ", budget: {tokens: 1000}"));
    let worker = repo.worker("a-x");
    let (at, now) = (worker.path.clone(), crate::session::now());
    // A count holds for a minute; each step here is an hour later.
    let mut hours = 0;
    let mut hook = |tool: &str, input: Value| {
        hours += 1;
        let hook = json!({"hook_event_name": "PreToolUse", "cwd": at, "tool_name": tool, "tool_input": input});
        let later = (now + hours * 3600).to_string();
        let words = ["pw-worker", "guard", "pre-tool-use", "--now", &later];
        let answer = repo.pw_with_input(&repo.root(), &words, &hook.to_string());
        let said: Value = serde_json::from_str(&answer.stdout).unwrap_or_default();
        let said = said["hookSpecificOutput"].clone();
        (said["permissionDecision"].clone(), said["additionalContext"].clone())
    };
    let edit = json!({"file_path": at.join("a")});
    let bash = |command: &str| json!({"command": command});
    used(&repo, "a-x", 999, 0);
    assert_eq!(hook("Edit", edit.clone()), (json!("allow"), Value::Null));
    used(&repo, "a-x", 1000, 0);
    let (decision, asked) = hook("Edit", edit.clone());
    assert_eq!(decision, "allow");
    let asked = asked.as_str().unwrap();
    assert!(
        asked.contains("1000 of 1000 tokens") && asked.contains("pw-worker checkpoint"),
        "{asked}"
    );
    assert!(hook("Bash", bash("make")).1.is_string());

    used(&repo, "a-x", 1300, 0);
    assert_eq!(hook("Edit", edit.clone()).0, "deny");
    assert_eq!(hook("Bash", bash("make")).0, "deny");
    for saving in
        ["pw-worker checkpoint \"half\"", "pw-worker blocked budget \"the rest\"", "git diff a"]
    {
        assert_eq!(hook("Bash", bash(saving)).0, "allow", "{saving}");
    }
    // What is refused anyway is refused for its own reason.
    assert_eq!(hook("Edit", json!({"file_path": at.join("b")})).0, "deny");

    // At the end of a turn it is asked for the same, not for all of its work.
    worker.write("a", "half");
    let stop = hear(&repo, "stop", &json!({"hook_event_name": "Stop", "cwd": at}));
    assert!(stop["reason"].as_str().unwrap().contains("Begin nothing new"), "{stop}");
    worker.pw(&["checkpoint", "half"]).data();
    worker.pw(&["blocked", "budget", "the rest"]).data();
    assert_eq!(hear(&repo, "stop", &json!({"hook_event_name": "Stop", "cwd": at})), Value::Null);

    // The user raises it.
    repo.write("plan.yaml", &plan("", ", budget: {tokens: 5000}"));
    repo.pw("pw-setup create plan.yaml").data();
    assert_eq!(ask(&repo, &at, "Edit", edit)["permissionDecision"], "allow");
}

#[test]
fn a_budget_is_numbers() {
    for budget in ["5", "{}", "{minutes: 0}", "{tokens: many}", "{cost: -1}", "{hours: 1}"] {
        let repo = repo(&plan(&format!("budget: {budget}\n"), ""));
        let answer = repo.pw("pw-setup check plan.yaml");
        assert_eq!(answer.code == Some(0), budget == "{}", "{budget}: {answer:?}");
    }
    repo(&plan("budget: {cost: 2.5}\n", ", budget: {minutes: 90}"))
        .pw("pw-setup check plan.yaml")
        .data();
}
