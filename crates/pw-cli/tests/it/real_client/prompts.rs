//! Skills and agents by name, in sessions that ask nobody anything: what `pw-setup doctor --fix-permissions` wrote
//! lets every command of theirs through, and no other.

use std::fs;

use pw_testkit::scripted_api::{ScriptedApi, Track};
use serde_json::json;

use super::scene::{Scene, bash, done, write};
use super::{agent, call, first_line, listed};

const WORKER: &str = "skills/parallel-worker/SKILL.md";
const RETROSPECTIVE: &str = "skills/parallel-retrospective/SKILL.md";

/// Nobody is there to answer, so that what asks is refused.
const UNASKED: [&str; 2] = ["--permission-mode", "dontAsk"];

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_runs_skills_and_agents_by_name_and_asks_nobody() {
    let api = ScriptedApi::start([monitor(), worker(), progress(), retrospective(), talk()]);
    let scene = Scene::new(&api);
    let client = &scene.client;
    client.helper(&scene.plugin, "pw-setup", &["doctor", "--fix-permissions"]);

    let worked = scene.work("task-1-users", "You are worker task-1, go on.", &[]);
    assert_eq!(worked.final_text(), "All is complete.", "{}", api.story());
    let orders = scene.worktree("task-2-orders");
    fs::write(orders.join("orders/list.txt"), "one\n").unwrap();
    client.git_in(&orders, ["commit", "--quiet", "--all", "--message", "[COMPLETE] orders"]);

    let asked = client.prompt("Use the parallel-monitor agent to check progress", &UNASKED);
    assert_eq!(asked.final_text(), "Both are complete.", "{}", api.story());

    client.helper(&scene.plugin, "pw-integrate", &["run"]);
    let looked = client.prompt("what went wrong in this workflow?", &UNASKED);
    let report = looked.answer_of("pw-retro report");
    let headline = report["data"]["headline"].as_str().unwrap();
    assert_eq!(looked.final_text(), headline, "{}", api.story());

    // Talk that is not about workers gets nothing from the plugin but the lists.
    let other = client.prompt("tests run in parallel here, why?", &UNASKED);
    assert!(
        other.hooks().iter().all(|hook| !hook.output.contains("worker")),
        "{:#?}",
        other.hooks()
    );
    api.verdict();
}

fn skill(name: &str) -> serde_json::Value {
    json!({"skill": format!("parallel-workflows:{name}")})
}

/// A worker's session that takes its skill and does as it says.
fn worker() -> Track {
    Track::when_user_says("You are worker task-1, go on")
        .sees_context(&listed(WORKER))
        .tool("Skill", skill("parallel-worker"))
        .sees(|turn| turn.tail().contains(&first_line(WORKER)))
        .tool("Bash", bash("pw-worker brief --only asked,notes,owns,next"))
        .sees(|turn| turn.json()["data"]["owns"] == json!(["users"]))
        .tool("Write", write("users/list.txt", "ann\n"))
        .sees(done)
        .tool("Bash", bash("pw-worker run -- awk 'END{print NR}' users/list.txt"))
        .sees(done)
        .tool("Bash", bash("pw-worker checkpoint \"the list\""))
        .sees_ok()
        .tool("Bash", bash("pw-worker complete --run \"users\""))
        .sees_ok()
        .say("All is complete.")
}

fn progress() -> Track {
    Track::when_user_says("Use the parallel-monitor agent")
        .sees_context(&listed("agents/parallel-monitor.md"))
        .tool("Agent", call("monitor", "Report where the workers are."))
        .sees_result("2 complete")
        .say("Both are complete.")
}

fn monitor() -> Track {
    agent("monitor")
        .tool("Bash", bash("pw-monitor status"))
        .sees_ok()
        .say_from(|turn| turn.json()["data"]["summary"].to_string())
}

/// What the retrospective's Markdown has run, and what it may not: a command that no rule names.
fn retrospective() -> Track {
    Track::when_user_says("what went wrong")
        .sees_context(&listed(RETROSPECTIVE))
        .tool("Skill", skill("parallel-retrospective"))
        .sees(|turn| turn.tail().contains(&first_line(RETROSPECTIVE)))
        .tool("Bash", bash("touch x"))
        .sees(|turn| turn.tool_failed())
        .tool("Bash", bash("pw-retro compare"))
        .sees_ok()
        .tool("Bash", bash("pw-retro report"))
        .sees_ok()
        .say_from(|turn| turn.json()["data"]["headline"].as_str().unwrap().to_owned())
}

/// A question about something else.
fn talk() -> Track {
    Track::when_user_says("tests run in parallel here")
        .sees(|turn| !turn.context().contains(&first_line(WORKER)))
        .say("They share a file.")
}
