//! Workers that the helpers start: sessions in the background and in tmux, from the command that the user's session
//! runs to the end of what they do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use pw_testkit::scripted_api::{ScriptedApi, Track};
use serde_json::Value;

use super::GRANTS;
use super::scene::{Scene, bash, done, refused, write};

const LIMIT: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_starts_a_worker_in_the_background() {
    let is_seen = Arc::new(AtomicBool::new(false));
    let api = ScriptedApi::start([
        users(is_seen.clone()),
        launching("pw-setup launch task-1 --with background"),
    ]);
    let scene = Scene::new(&api);
    let run = scene.client.prompt("start the first worker", &GRANTS);
    let started =
        run.answer_of("pw-setup launch task-1 --with background")["data"]["workers"][0].clone();
    assert_eq!(started["status"], "started", "{started:#}");

    let attach = format!("claude attach {}", started["id"].as_str().unwrap());
    lives_to_the_end(&scene, &attach, &is_seen);

    scene.client.end_background(started["id"].as_str().unwrap());
    until(&scene, "gone", |users| users["session"]["alive"] != true);
    api.verdict();
}

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_starts_a_worker_in_tmux() {
    let is_seen = Arc::new(AtomicBool::new(false));
    let api = ScriptedApi::start([
        users(is_seen.clone()),
        launching("pw-setup launch task-1 --with tmux"),
    ]);
    let scene = Scene::new(&api);
    let run = scene.client.prompt("start the first worker", &GRANTS);
    let launched = run.answer_of("pw-setup launch task-1 --with tmux")["data"].clone();
    assert_eq!(launched["workers"][0]["status"], "started", "{launched:#}");
    assert_eq!(launched["attach"], "tmux attach -t pw-shop");

    lives_to_the_end(&scene, "tmux attach -t pw-shop:task-1-users", &is_seen);

    scene.client.tmux(&["kill-window", "-t", "pw-shop:task-1-users"]).unwrap();
    until(&scene, "gone", |users| users["session"]["alive"] != true);
    api.verdict();
}

/// Status sees the session while it works, with the way to it, and when it is complete.
fn lives_to_the_end(scene: &Scene<'_>, attach: &str, is_seen: &AtomicBool) {
    let alive = until(scene, "alive", |users| users["session"]["alive"] == true);
    assert_eq!(alive["session"]["attach"], attach, "{alive:#}");
    is_seen.store(true, Ordering::Relaxed);
    let done = until(scene, "complete", |users| users["state"] == "complete");
    assert_eq!(done["session"]["alive"], true, "it waits for the user: {done:#}");
    completed(scene);
}

/// The user's session, which starts a worker when asked to.
fn launching(command: &'static str) -> Track {
    Track::when_user_says("start the first worker")
        .tool("Bash", bash(command))
        .sees_ok()
        .say("It is started.")
}

/// A worker's session that was started by its launcher, and that works once the test has seen it.
fn users(is_seen: Arc<AtomicBool>) -> Track {
    Track::when_user_says("You are worker task-1")
        .sees_context("list the users")
        .tool_from("Write", move |_| {
            let end = Instant::now() + LIMIT;
            while !is_seen.load(Ordering::Relaxed) && Instant::now() < end {
                std::thread::sleep(Duration::from_millis(20));
            }
            write("users/list.txt", "ann\n")
        })
        .sees(done)
        .tool("Write", write("orders/list.txt", "mine\n"))
        .sees(refused("orders/list.txt is owned by task-2"))
        .tool("Bash", bash("pw-worker checkpoint \"the list\""))
        .sees_ok()
        .tool("Bash", bash("pw-worker complete \"users\""))
        .sees_ok()
        .say("All is complete.")
}

/// What the first worker left, and nothing else.
fn completed(scene: &Scene<'_>) {
    let subjects = scene.git("task-1-users", &["log", "--format=%s", "main.."]);
    assert_eq!(subjects, "[COMPLETE] users\n[CHECKPOINT] the list");
    assert_eq!(scene.changed("task-1-users"), "users/list.txt");
    assert_eq!(scene.client.git(["status", "--porcelain"]), "");
}

/// Waits until `pw-monitor status` says so of the first worker, and returns what it says.
fn until(scene: &Scene<'_>, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + LIMIT;
    loop {
        let status = scene.client.helper(&scene.plugin, "pw-monitor", &["status", "--verbose"]);
        let users = status["data"]["workers"][0].clone();
        if is_so(&users) {
            return users;
        }
        assert!(Instant::now() < end, "never {what}: {users:#}\n{}", screen(scene));
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// What the pane of the first worker shows, if there is one.
fn screen(scene: &Scene<'_>) -> String {
    scene.client.tmux(&["capture-pane", "-p", "-t", "pw-shop:task-1-users"]).unwrap_or_default()
}
