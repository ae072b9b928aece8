//! A worker's session in the real client: it knows its assignment, keeps to its scope, and does not
//! end without saying where it stands.

use std::path::Path;

use pw_testkit::real_client::{RealClient, Run};
use pw_testkit::repo::TestRepo;
use pw_testkit::scripted_api::{ScriptedApi, Track, Turn};
use serde_json::json;

use super::bin;
use super::scene::{Scene, bash, done, monitor, refused, replace, unattended, write};

/// What only the SessionStart hook says.
const STANDING: &str = "so you need not run it";

/// What it says of a worker that is done.
const COMPLETE: &str = r#""state":"complete""#;

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_keeps_a_worker_in_its_scope() {
    let api = ScriptedApi::start([after_compaction(), users(), orders(), without_hooks()]);
    let scene = Scene::new(&api);

    let run = scene.work("task-1-users", &scene.kickoff("task-1-users"), &[]);
    assert_eq!(run.final_text(), "All is complete.", "{}", api.story());
    assert_eq!(told(&run), 1, "{:#?}", run.hooks());
    assert_eq!(sent_back(&run), 1, "{:#?}", run.hooks());
    assert_eq!(
        scene.git("task-1-users", &["log", "--format=%s", "main.."]),
        "[COMPLETE] users\n[CHECKPOINT] the list"
    );
    assert_eq!(scene.changed("task-1-users"), "users/list.txt");

    let more = ["--resume", &run.session()];
    let resumed = scene.work("task-1-users", "Where are we?", &more);
    assert_eq!(sent_back(&resumed), 0, "{:#?}", resumed.hooks());
    let compaction = scene.work("task-1-users", "/compact", &more);
    assert_eq!(told(&compaction), 2, "as it resumed, and after the compaction");
    let compacted = scene.work("task-1-users", "Go on.", &more);
    assert_eq!(compacted.final_text(), "Still complete.", "{}", api.story());

    let settings = scene.settings_without_hooks("task-1-users");
    scene.client.prompt_in(
        &scene.worktree("task-1-users"),
        "Work unguarded.",
        &unattended(&settings),
    );
    assert_eq!(scene.changed("task-1-users"), "users/list.txt\nusers/more.txt");

    scene.client.prompt_background(
        &scene.worktree("task-2-orders"),
        &scene.kickoff("task-2-orders"),
        &unattended(&scene.made("task-2-orders", "settings.json")),
    );
    assert_eq!(
        scene.git("task-2-orders", &["log", "--format=%s", "main.."]),
        "[BLOCKED:no key] the shop refuses it\n[CHECKPOINT] the list"
    );
    assert_eq!(scene.changed("task-2-orders"), "orders/new.txt");

    api.verdict();
    assert_eq!(scene.client.git(["status", "--porcelain"]), "");
}

/// A session from its first prompt to its end, resumed and compacted.
fn users() -> Track {
    Track::when_user_says("You are worker task-1")
        .sees_context(STANDING)
        .sees_context("list the users")
        .sees_context(r#""name":"orders","state":"starting""#)
        .tool("Write", write("users/list.txt", "ann\n"))
        .sees(done)
        .tool("Bash", bash("awk 'END{print NR}' users/list.txt 2>&1 | tail -5"))
        .sees(done)
        .tool("Edit", replace("users/list.txt", "ann", "ann, bob"))
        .sees(done)
        .tool("Read", json!({"file_path": "orders/list.txt"}))
        .sees(done)
        .tool("Edit", replace("orders/list.txt", "none", "mine"))
        .sees(refused("orders/list.txt is owned by task-2"))
        .tool("Write", write("orders/new.txt", "mine\n"))
        .sees(refused("orders/new.txt is owned by task-2"))
        .tool("Bash", bash("echo mine > orders/list.txt"))
        .sees(refused("orders/list.txt is owned by task-2"))
        .tool("ToolSearch", json!({"query": "select:Monitor"}))
        .sees(done)
        .tool("Monitor", monitor("echo mine > orders/list.txt"))
        .sees(refused("orders/list.txt is owned by task-2"))
        .tool("Bash", bash("git stash"))
        .sees(refused("pw-worker checkpoint"))
        .tool("Bash", bash("pw-worker checkpoint \"the list\""))
        .sees_ok()
        .say("I am done.")
        .sees(|turn| turn.tail().contains("does not say where the work stands"))
        .tool("Bash", bash("pw-worker complete \"users\""))
        .sees_ok()
        .say("All is complete.")
        .sees(|turn| turn.tail().contains(STANDING) && turn.tail().contains(COMPLETE))
        .say("Complete.")
        .sees(|turn| turn.tail().contains("TEXT ONLY"))
        .say("<summary>SUMMED UP</summary>")
}

/// The same session when its beginning is only a summary.
fn after_compaction() -> Track {
    Track::when_user_says("SUMMED UP")
        .say("Complete. The client keeps this newest answer as it was.")
        .sees(|turn| turn.tail().contains(STANDING) && turn.tail().contains(COMPLETE))
        .say("Still complete.")
}

/// A session in the background.
fn orders() -> Track {
    Track::when_user_says("You are worker task-2")
        .sees_context(STANDING)
        .tool("Write", write("orders/new.txt", "one\n"))
        .sees(done)
        .tool("Write", write("users/list.txt", "mine\n"))
        .sees(refused("users/list.txt is owned by task-1"))
        .tool("Bash", bash("echo mine > users/list.txt"))
        .sees(refused("users/list.txt is owned by task-1"))
        .tool("Bash", bash("pw-worker checkpoint \"the list\""))
        .sees_ok()
        .say("I am done.")
        .sees(|turn| turn.tail().contains("does not say where the work stands"))
        .tool("Bash", bash("pw-worker blocked \"no key\" \"the shop refuses it\""))
        .sees_ok()
        .say("I am blocked.")
}

/// What the client's own permissions hold when no hook runs.
fn without_hooks() -> Track {
    let refused = |turn: &Turn| turn.tool_failed();
    Track::when_user_says("Work unguarded")
        .sees(|turn| !turn.context().contains(STANDING))
        .tool("Write", write("users/more.txt", "eve\n"))
        .sees(done)
        .tool("Write", write("orders/new.txt", "mine\n"))
        .sees(refused)
        .tool("Bash", bash("echo mine > orders/new.txt"))
        .sees(refused)
        .tool("Bash", bash("git stash"))
        .sees(refused)
        .tool("Bash", bash("pw-worker checkpoint \"more\""))
        .sees_ok()
        .say("I am done.")
}

/// A worker that owns names which mean something in rules, in a repository whose path does.
const ODD_PLAN: &str = r#"workflow: shop
verify: grep -c 'a(b)\.' users/more.txt
workers:
  - {id: task-1, name: users, owns: [users, "app/(auth)/**", "app/[xy]/z"]}
  - {id: task-2, name: orders, owns: [orders]}
"#;

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_takes_odd_names_in_rules_as_they_are() {
    let helpers = Path::new(env!("CARGO_BIN_EXE_pw-setup")).parent().unwrap();
    for name in ["sh[o]p", "sh(o)p (1)", "s*p?", r"back\slash", "#s+h^o$ {a,b} |"] {
        let repo = TestRepo::named(helpers, name);
        repo.write("plan.yaml", ODD_PLAN);
        repo.pw("pw-setup create plan.yaml").data();
        let (users, orders) = (repo.worker("task-1-users"), repo.worker("task-2-orders"));
        let api = ScriptedApi::start([odd_names(&orders.path)]);
        let client = RealClient::new(bin(), &api);
        let settings = repo.root().join(".git/pw/shop/task-1-users/settings.json");
        client.prompt_in(&users.path, "Work by the rules alone.", &unattended(&settings));
        api.verdict();
        assert_eq!(repo.read("README.md"), "a project\n", "{name}");
        assert_eq!(orders.git(&["status", "--porcelain"]), "", "{name}");
        let changed = users.git(&["status", "--porcelain", "-uall"]);
        assert_eq!(changed, "?? app/(auth)/page\n?? app/x/z\n?? users/more.txt", "{name}");
    }
}

/// What the rules let pass and what they hold, whatever the repository is called.
fn odd_names(orders: &Path) -> Track {
    let refused = |turn: &Turn| turn.tool_failed();
    Track::when_user_says("Work by the rules alone")
        .tool("Write", write("users/more.txt", "a(b).\n"))
        .sees(done)
        .tool("Write", write("app/(auth)/page", "x\n"))
        .sees(done)
        .tool("Write", write("app/x/z", "x\n"))
        .sees(done)
        .tool("Write", write("app/q/z", "x\n"))
        .sees(refused)
        .tool("Write", write("app/auth/page", "x\n"))
        .sees(refused)
        .tool("Write", write(orders.join("orders/x").to_str().unwrap(), "x\n"))
        .sees(refused)
        .tool("Bash", bash(r"grep -c 'a(b)\.' users/more.txt"))
        .sees(done)
        .tool("Bash", bash("git log -1"))
        .sees(done)
        .tool("Bash", bash("git log --output=README.md"))
        .sees(refused)
        .tool("Bash", bash("git diff --output=../../README.md HEAD~0"))
        .sees(refused)
        .tool("Bash", bash("git show --outp=README.md"))
        .sees(refused)
        .tool("Bash", bash("git rm -f README.md"))
        .sees(refused)
        .say("I am done.")
}

/// Returns how often the session was told its assignment.
fn told(run: &Run) -> usize {
    let hooks = run.hooks();
    hooks
        .iter()
        .filter(|hook| hook.event == "SessionStart" && hook.output.contains(STANDING))
        .count()
}

/// Returns how often the session wanted to end and was sent back.
fn sent_back(run: &Run) -> usize {
    let hooks = run.hooks();
    hooks.iter().filter(|hook| hook.event == "Stop" && hook.output.contains("\"block\"")).count()
}
