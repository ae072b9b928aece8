//! A conflict that the integrate agent resolves: from the stop to a branch that has both sides.

use std::fs;
use std::sync::{Arc, OnceLock};

use pw_testkit::real_client::RealClient;
use pw_testkit::scripted_api::{ScriptedApi, Track, Turn};
use serde_json::{Value, json};

use super::{BUILD_LIMIT, GRANTS, agent, bin, call, release};

const PLAN: &str = "workflow: shop
goal: users and orders
verify: test -f names.txt
shared: [names.txt]
workers:
  - {id: task-1, name: users, owns: [users.txt]}
  - {id: task-2, name: orders, owns: [orders.txt]}
";

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_has_the_integrate_agent_resolve_a_conflict() {
    let api = ScriptedApi::start([
        resolving(),
        Track::when_user_says("combine the work")
            .tool("Agent", call("integrate", "Merge what is ready."))
            .sees_result("integration/shop")
            .say("Both are in."),
    ]);
    let client = RealClient::new(bin(), &api);
    for (path, text) in [("names.txt", "start\n"), ("plan.yaml", PLAN)] {
        fs::write(client.project().join(path), text).unwrap();
    }
    client.git(["init", "--quiet"]);
    client.git(["add", "--all"]);
    client.git(["commit", "--quiet", "--message", "start"]);
    let before = client.git(["rev-parse", "HEAD"]);
    let plugin = client.install_from_github(&release());
    client.wait_for_helper(&plugin, "pw-setup", BUILD_LIMIT);
    let created = client.helper(&plugin, "pw-setup", &["create", "plan.yaml"]);
    for worker in created["data"]["workers"].as_array().unwrap() {
        let worktree = client.project().join(worker["worktree"].as_str().unwrap());
        let name = worker["branch"].as_str().unwrap().rsplit('-').next().unwrap();
        fs::write(worktree.join("names.txt"), format!("start\n{name}\n")).unwrap();
        let complete = ["commit", "--quiet", "--all", "--message", "[COMPLETE] named"];
        client.git_in(&worktree, complete);
    }

    // What the client asks about unless the user granted it: looking into the worktree.
    let run = client.prompt("combine the work", &[&GRANTS[..], &["Bash(git -C *)"]].concat());
    assert_eq!(run.final_text(), "Both are in.", "{}", api.story());
    api.verdict();

    let names = client.git(["show", "integration/shop:names.txt"]);
    assert_eq!(names, "start\nusers\norders");
    for worker in created["data"]["workers"].as_array().unwrap() {
        let branch = worker["branch"].as_str().unwrap();
        let is_in = ["merge-base", "--is-ancestor", branch, "integration/shop"];
        assert!(client.git_succeeds(&client.project(), &is_in), "{branch}");
    }
    // No word of it in the user's checkout, and nothing left of where it was resolved.
    assert_eq!(client.git(["rev-parse", "HEAD"]), before);
    assert_eq!(client.git(["status", "--porcelain"]), "");
    let worktrees = client.git(["worktree", "list", "--porcelain"]);
    assert!(!worktrees.contains("_integration-"), "{worktrees}");
}

/// What the agent does by its Markdown: the file that `.error` names, in the folder that it names, and the
/// commands of `.error.next`. Before that, all that it must not: change the user's checkout or branch.
fn resolving() -> Track {
    let file = Arc::new(OnceLock::new());
    let (told, again, known) = (file.clone(), file.clone(), file);
    let refused = |turn: &Turn| turn.tool_failed();
    let next = |turn: &Turn| json!({"command": turn.json()["error"]["next"]});
    agent("integrate")
        .tool("Bash", json!({"command": "pw-integrate run shop"}))
        .sees(|turn| turn.json()["error"]["code"] == "merge_conflict")
        .tool_from("Read", move |turn| {
            json!({"file_path": told.get_or_init(|| conflicted(turn))})
        })
        .sees(|turn| turn.tool_result().contains("<<<<<<<"))
        .tool("Read", json!({"file_path": "names.txt"}))
        .tool("Edit", json!({"file_path": "names.txt", "old_string": "start", "new_string": "both"}))
        .sees(|turn| turn.tool_failed() && turn.tool_result().contains(".error.details.worktree"))
        .tool("Bash", json!({"command": "git commit --allow-empty -m mine"}))
        .sees(refused)
        .tool("Bash", json!({"command": "git update-ref refs/heads/main integration/shop"}))
        .sees(refused)
        .tool("Bash", json!({"command": "git merge work/shop/task-1-users"}))
        .sees(refused)
        .tool("Bash", json!({"command": "pw-integrate continue shop --add"}))
        .sees(|turn| turn.json()["error"]["code"] == "unresolved")
        .tool_from("Bash", next)
        .sees(|turn| !turn.tool_failed() && turn.tool_result().contains("<<<<<<<"))
        .tool_from("Read", move |_| json!({"file_path": again.get().unwrap()}))
        .tool_from("Edit", move |turn| {
            json!({"file_path": known.get().unwrap(), "old_string": hunk(turn), "new_string": "users\norders"})
        })
        .sees(|turn| !turn.tool_failed())
        .tool("Bash", json!({"command": "pw-integrate continue shop --add"}))
        .sees_ok()
        .say_from(|turn| turn.json()["data"]["branch"].to_string())
}

fn conflicted(turn: &Turn) -> String {
    let details: Value = turn.json()["error"]["details"].clone();
    let [worktree, path] = [&details["worktree"], &details["conflicts"][0]["path"]];
    format!("{}/{}", worktree.as_str().unwrap(), path.as_str().unwrap())
}

/// Returns the lines of the conflict, without the numbers that the client puts before them.
fn hunk(turn: &Turn) -> String {
    let numbered = turn.tool_result().lines();
    let lines = numbered.map(|line| line.split_once(['\t', '→']).map_or(line, |(_, text)| text));
    let lines = lines.skip_while(|line| !line.starts_with("<<<<<<<"));
    let mut hunk: Vec<&str> = lines.take_while(|line| !line.starts_with(">>>>>>>")).collect();
    let last =
        turn.tool_result().lines().find_map(|line| line.find(">>>>>>>").map(|at| &line[at..]));
    hunk.extend(last);
    hunk.join("\n")
}
