//! The whole workflow in the real client: installed as users install it, driven by a scripted model.
//!
//! The script decides what the model would: which skill, which agent, which command. All else is real: the
//! client, the plugin out of this repository, the helpers that its `bin/` builds, git.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pw_testkit::real_client::RealClient;
use pw_testkit::scripted_api::{ScriptedApi, Track};
use serde_json::{Value, json};

mod conflict;
mod evals;
mod guard;
mod launched;
mod packaged;
mod prompts;
mod scene;
mod size;
mod stall;

const PLAN: &str = r#"workflow: rest-api
goal: a REST API with three endpoints
verify: test -f api/users.txt -a -f api/orders.txt -a -f api/stock.txt
workers:
  - {id: task-1, name: users, owns: [api/users.txt], size: S, tasks: [list the users]}
  - {id: task-2, name: orders, owns: [api/orders.txt], size: S, tasks: [list the orders]}
  - {id: task-3, name: stock, owns: [api/stock.txt], size: S, tasks: [count the stock]}
"#;

const ORCHESTRATOR: &str = "skills/parallel-orchestrator/SKILL.md";

/// What a user grants: edits in the project, the helpers by name, the plugin's skills.
const GRANTS: [&str; 7] = [
    "--permission-mode",
    "acceptEdits",
    "--allowedTools",
    "Bash(pw-setup *)",
    "Bash(pw-monitor *)",
    "Bash(pw-integrate *)",
    "Skill(parallel-workflows:*)",
];

/// Without a release to install, the first call of a helper compiles it, on whatever machine this is.
const BUILD_LIMIT: Duration = Duration::from_secs(1500);

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_runs_the_whole_workflow() {
    let api = ScriptedApi::start(script());
    let client = RealClient::new(bin(), &api);
    fs::write(client.project().join("README.md"), "# shop\n").unwrap();
    client.git(["init", "--quiet"]);
    client.git(["add", "--all"]);
    client.git(["commit", "--quiet", "--message", "start"]);
    let before = checkout(&client);

    let plugin = client.install_from_github(&release());
    assert!(plugin.root().starts_with(client.home()), "the client's copy runs, not the checkout");
    client.wait_for_helper(&plugin, "pw-setup", BUILD_LIMIT);

    let setup =
        client.prompt("split work: a REST API with three endpoints, over three workers", &GRANTS);
    assert_eq!(setup.final_text(), "Three workers are set up.", "{}", api.story());
    let hooks = setup.hooks();
    assert!(hooks.iter().any(|hook| hook.event == "SessionStart"), "{hooks:#?}");
    assert!(hooks.iter().all(|hook| hook.outcome == "success"), "{hooks:#?}");
    let created = setup.answer_of("pw-setup create plan.yaml");
    let workers = created["data"]["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 3, "{created:#}");
    workers.iter().for_each(|worker| work(&client, worker));

    let progress = client.prompt("check progress", &GRANTS);
    let status = progress.answer_of("pw-monitor status");
    for worker in status["data"]["workers"].as_array().unwrap() {
        assert_eq!(
            (&worker["state"], &worker["ready"]),
            (&json!("complete"), &json!(true)),
            "{worker:#}"
        );
    }

    let combined = client.prompt("combine the work", &GRANTS);
    let integrated = combined.answer_of("pw-integrate run");
    assert_eq!(integrated["data"]["branch"], "integration/rest-api", "{integrated:#}");
    assert_eq!(integrated["data"]["merged"].as_array().unwrap().len(), 3, "{integrated:#}");

    api.verdict();
    let files = client.git(["ls-tree", "-r", "--name-only", "integration/rest-api"]);
    assert_eq!(files, "README.md\napi/orders.txt\napi/stock.txt\napi/users.txt");
    // The plan is the one thing that the user's checkout gained, and the user asked for it.
    fs::remove_file(client.project().join("plan.yaml")).unwrap();
    assert_eq!(checkout(&client), before);
}

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_has_the_status_command() {
    let says = "Run this once, with the workflow that the user names here, if any";
    let api = ScriptedApi::start([Track::when_user_says(says)
        .tool("Bash", json!({"command": "pw-monitor status"}))
        .sees(|turn| turn.tail().contains("unknown_workflow"))
        .say("There is no workflow.")]);
    let client = RealClient::new(bin(), &api);
    client.git(["init", "--quiet"]);
    client.git(["commit", "--quiet", "--allow-empty", "--message", "start"]);
    let plugin = client.install_from_github(&release());
    client.wait_for_helper(&plugin, "pw-monitor", BUILD_LIMIT);
    // Without a grant of the user's: the command brings its own.
    let run = client.prompt("/parallel-workflows:status", &[]);
    assert_eq!(run.final_text(), "There is no workflow.", "{}", api.story());
    api.verdict();
}

/// Returns the client to run.
fn bin() -> OsString {
    let bin = std::env::var_os("CLAUDE_BIN");
    bin.expect("set CLAUDE_BIN to the path of the Claude Code client (the `claude` program)")
}

/// The model's part. The main conversations know the agents by the list in their context; each agent is
/// known by its own Markdown, which is its system prompt.
fn script() -> [Track; 6] {
    let main = |request: &str| {
        let files = [
            "agents/parallel-setup.md",
            "agents/parallel-monitor.md",
            "agents/parallel-integrate.md",
            ORCHESTRATOR,
        ];
        files
            .iter()
            .fold(Track::when_user_says(request), |track, file| track.sees_context(&listed(file)))
    };
    [
        agent("setup")
            .tool("Bash", json!({"command": "pw-setup check plan.yaml"}))
            .sees_ok()
            .tool("Bash", json!({"command": "pw-setup create plan.yaml"}))
            .sees_ok()
            .say_from(|turn| turn.json()["data"]["workflow"].to_string()),
        agent("monitor")
            .tool("Bash", json!({"command": "pw-monitor status"}))
            .sees_ok()
            .say_from(|turn| turn.json()["data"]["summary"].to_string()),
        agent("integrate")
            .tool("Bash", json!({"command": "pw-integrate run"}))
            .sees_ok()
            .say_from(|turn| turn.json()["data"]["branch"].to_string()),
        main("split work")
            .tool("Skill", json!({"skill": "parallel-workflows:parallel-orchestrator"}))
            .sees(|turn| turn.tail().contains(&first_line(ORCHESTRATOR)))
            .tool("Write", json!({"file_path": "plan.yaml", "content": PLAN}))
            .sees(|turn| !turn.tool_failed())
            .tool("Agent", call("setup", "Check plan.yaml, then create the workers."))
            .sees_result("rest-api")
            .say("Three workers are set up."),
        main("check progress")
            .tool("Agent", call("monitor", "Report where the workers are."))
            .sees(|turn| !turn.tool_failed())
            .say("All are complete."),
        main("combine the work")
            .tool("Agent", call("integrate", "Merge what is ready."))
            .sees_result("integration/rest-api")
            .say("It is on the integration branch."),
    ]
}

fn agent(noun: &str) -> Track {
    Track::when_system_says(&first_line(&format!("agents/parallel-{noun}.md")))
}

fn call(noun: &str, prompt: &str) -> Value {
    // In the foreground: the answer comes back as the tool's result, and the next step can look at it.
    json!({"description": noun, "prompt": prompt, "run_in_background": false,
           "subagent_type": format!("parallel-workflows:parallel-{noun}")})
}

/// A worker session as git sees it: a checkpoint, then the end of its one file's work.
fn work(client: &RealClient<'_>, worker: &Value) {
    let worktree = client.project().join(worker["worktree"].as_str().unwrap());
    let branch = client.git_in(&worktree, ["symbolic-ref", "--short", "HEAD"]);
    assert_eq!(branch, worker["branch"].as_str().unwrap());
    let name = branch.rsplit('-').next().unwrap();
    fs::create_dir_all(worktree.join("api")).unwrap();
    for (subject, lines) in
        [("[CHECKPOINT] first half", "one\n"), ("[COMPLETE] done", "one\ntwo\n")]
    {
        fs::write(worktree.join(format!("api/{name}.txt")), lines).unwrap();
        client.git_in(&worktree, ["add", "api"]);
        client.git_in(&worktree, ["commit", "--quiet", "--message", subject]);
    }
}

/// What must stay as it is: the user's branch, commit, files and what git says of them.
fn checkout(client: &RealClient<'_>) -> [String; 4] {
    [
        client.git(["symbolic-ref", "HEAD"]),
        client.git(["rev-parse", "HEAD"]),
        client.git(["status", "--porcelain"]),
        fs::read_to_string(client.project().join("README.md")).unwrap(),
    ]
}

/// Returns how the client lists a skill or an agent to the model: its name and how its description begins.
fn listed(file: &str) -> String {
    let (head, _) = parts(file);
    let name = head.lines().find_map(|line| line.strip_prefix("name: ")).unwrap();
    let (_, description) = head.split_once("\ndescription:").unwrap();
    // Plain, quoted or a block: the first words are the same.
    let start: String = description
        .trim_start_matches([' ', '\n', '>', '|', '-', '"', '\''])
        .chars()
        .take(24)
        .collect();
    format!("- parallel-workflows:{name}: {start}")
}

/// Returns the first line of text in the body that the client does not fill in. Read rather than quoted, so
/// that rewording a prompt does not break this test.
fn first_line(file: &str) -> String {
    let (_, body) = parts(file);
    let mut lines =
        body.lines().filter(|line| line.starts_with(char::is_alphanumeric) && !line.contains('$'));
    lines.next().unwrap().to_owned()
}

/// Returns the frontmatter and the body of a Markdown file of this plugin.
fn parts(file: &str) -> (String, String) {
    let text =
        fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    let (head, body) = text.trim_start_matches("---").split_once("\n---\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// The folder that users' plugin is published from: a release that `scripts/release` made, as `.ci/run` has it
/// make one, or the repository, whose helpers are built when they are first called.
fn release() -> PathBuf {
    std::env::var_os("PW_RELEASE").map_or_else(root, PathBuf::from)
}

/// The repository, which is the plugin.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}
