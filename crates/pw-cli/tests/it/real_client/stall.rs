//! Sessions of the real client that do not move, told apart by the files it really writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pw_testkit::real_client::RealClient;
use pw_testkit::scripted_api::{ScriptedApi, Track};
use serde_json::{Value, json};

use super::bin;

const PLAN: &str = r#"workflow: shop
goal: users, orders and stock
workers:
  - {id: task-1, name: users, owns: [users]}
  - {id: task-2, name: orders, owns: [orders]}
  - {id: task-3, name: stock, owns: [stock]}
"#;

const LIMIT: Duration = Duration::from_secs(120);

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_sessions_that_do_not_move_are_told_apart() {
    let api = ScriptedApi::start([
        Track::when_user_says("ask me").tool("Bash", json!({"command": "touch users"})),
        Track::when_user_says("too much").refuse(429, "rate_limit_error"),
        Track::when_user_says("be killed")
            .tool("Write", json!({"file_path": "stock", "content": "half\n"}))
            .say_from(|_| {
                // The model thinks until the test is over.
                std::thread::sleep(LIMIT);
                String::new()
            }),
    ]);
    let client = RealClient::new(bin(), &api);
    fs::write(client.project().join("plan.yaml"), PLAN).unwrap();
    client.git(["init", "--quiet"]);
    client.git(["add", "--all"]);
    client.git(["commit", "--quiet", "--message", "start"]);
    client.answer(Path::new(env!("CARGO_BIN_EXE_pw-setup")), &["create", "plan.yaml"]);
    let worktree = |label: &str| -> PathBuf { client.project().join("worktrees").join(label) };
    let workers = || -> Value {
        let monitor = Path::new(env!("CARGO_BIN_EXE_pw-monitor"));
        client.answer(monitor, &["status", "--verbose"])["data"]["workers"].clone()
    };
    let until = |what: &str, is_so: &dyn Fn(&Value) -> bool| -> Value {
        let end = Instant::now() + LIMIT;
        loop {
            let now = workers();
            if is_so(&now) {
                return now;
            }
            assert!(Instant::now() < end, "never {what}: {now:#}\n{}", api.story());
            std::thread::sleep(Duration::from_millis(200));
        }
    };

    let mode = |mode| ["-n", "worker", "--permission-mode", mode];
    client.begin_background(&worktree("task-1-users"), "ask me", &mode("default"));
    client.begin_background(&worktree("task-2-orders"), "too much", &mode("dontAsk"));
    let args = ["--permission-mode", "acceptEdits"];
    let mut doomed = client.begin(&worktree("task-3-stock"), "be killed", &args);

    let now = until("two stalls and one at work", &|now| {
        now[0]["stall"] != Value::Null
            && now[1]["stall"] != Value::Null
            && now[2]["uncommitted"] == json!(["stock"])
    });
    let causes = |now: &Value| [0, 1, 2].map(|worker| now[worker]["stall"]["cause"].clone());
    let expected = [json!("waiting_for_permission"), json!("rate_limit"), Value::Null];
    assert_eq!(causes(&now), expected, "{now:#}");
    assert!(now[0]["stall"]["message"].as_str().unwrap().contains("touch users"), "{now:#}");
    assert!(now[0]["stall"]["remedy"].as_str().unwrap().starts_with("claude attach "), "{now:#}");
    assert_eq!(now[2]["session"]["alive"], true, "{now:#}");
    assert!(now[2]["usage"]["input_tokens"].as_u64().unwrap() > 0, "{now:#}");

    doomed.kill();
    let now = workers();
    assert_eq!(now[2]["stall"]["cause"], "gone_with_work", "{now:#}");
    assert_eq!(now[2]["stall"]["remedy"], "pw-setup launch task-3 --workflow shop");
    assert_eq!(causes(&now)[..2], expected[..2], "{now:#}");
    api.verdict_so_far();
}
