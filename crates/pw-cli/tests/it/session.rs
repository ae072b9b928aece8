//! What the client's own files tell of a worker's session, in the shapes the real client writes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pw_testkit::plans::THREE;
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::created;

/// The client's folder, and the sessions of one worker in it.
pub(crate) struct Client<'a> {
    repo: &'a TestRepo,
    root: PathBuf,
    pub(crate) worktree: PathBuf,
}

impl<'a> Client<'a> {
    pub(crate) fn of(repo: &'a TestRepo, label: &str) -> Self {
        let (root, worktree) = (repo.beside(".claude"), repo.worker(label).path);
        fs::create_dir_all(root.join("sessions")).unwrap();
        Self { repo, root, worktree }
    }

    fn put(&self, path: &str, text: &str) -> &Self {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// An entry for a session of this test's own process, which lives, begun at that time.
    pub(crate) fn registered(&self, started: i64, status: &Value) -> &Self {
        let mut entry = json!({
            "pid": std::process::id(), "sessionId": "5e551011-0000", "cwd": self.worktree,
            "startedAt": started * 1000, "procStart": "136188", "version": "2.1.330", "kind": "bg",
            "jobId": "5e551011", "statusUpdatedAt": started * 1000,
        });
        entry.as_object_mut().unwrap().extend(status.as_object().unwrap().clone());
        self.put("sessions/1.json", &entry.to_string())
    }

    /// The transcript of that session.
    pub(crate) fn said(&self, records: &[Value]) -> &Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let folder: String = self.worktree.to_str().unwrap().chars().map(plain).collect();
        let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
        self.put(&format!("projects/{folder}/5e551011-0000.jsonl"), &lines)
    }

    fn forget(&self) {
        fs::remove_dir_all(&self.root).unwrap();
        fs::create_dir_all(self.root.join("sessions")).unwrap();
    }

    fn worker(&self) -> Value {
        let status = self.repo.pw("pw-monitor status --verbose").data();
        let path = |worker: &Value| self.worktree.ends_with(worker["worktree"].as_str().unwrap());
        status["workers"].as_array().unwrap().iter().find(|worker| path(worker)).unwrap().clone()
    }

    fn stall(&self) -> Value {
        self.worker()["stall"].clone()
    }
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

fn user(text: &str) -> Value {
    json!({"type": "user", "timestamp": "2026-11-22T13:06:36.692Z", "message": {"role": "user", "content": text}})
}

fn assistant(id: &str, content: Value, output: u64) -> Value {
    json!({"type": "assistant", "timestamp": "2026-11-22T13:06:37.692Z", "message": {
        "id": id, "role": "assistant", "model": "claude-x", "content": [content],
        "usage": {"input_tokens": 100, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 5,
                  "output_tokens": output}}})
}

fn words(text: &str) -> Value {
    assistant("msg_words", json!({"type": "text", "text": text}), 20)
}

fn refused(status: u16, error: &str, text: &str) -> Value {
    json!({"type": "assistant", "timestamp": "2026-11-22T13:06:38.692Z", "isApiErrorMessage": true,
           "error": error, "apiErrorStatus": status, "message": {
        "id": "f2155d9c", "role": "assistant", "model": "<synthetic>", "content": [{"type": "text", "text": text}],
        "usage": {"input_tokens": 0, "output_tokens": 0}}})
}

const BASH: &str = "touch file";

#[test]
#[ignore = "long; .ci/run runs it"]
fn who_waits_fails_or_was_killed_is_told_apart() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").commit("[CHECKPOINT] model");
    let client = Client::of(&repo, "task-1-users");
    let call = json!({"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": BASH}});
    let asking = [user("go"), assistant("a", call, 1)];
    let (attach, launch) = ("claude attach 5e551011", "pw-setup launch task-1 --workflow rest-api");
    let idle = json!({"status": "idle"});
    for (status, records, cause, said, remedy) in [
        (
            json!({"status": "waiting", "waitingFor": "permission prompt"}),
            &asking[..],
            "waiting_for_permission",
            BASH,
            attach,
        ),
        (
            json!({"status": "waiting", "waitingFor": "input needed"}),
            &asking,
            "waiting_for_answer",
            "answer",
            attach,
        ),
        (idle.clone(), &[user("go"), words("What next?")], "waiting_for_answer", "answer", attach),
        (
            idle.clone(),
            &[user("go"), refused(429, "rate_limit", "API Error: (429) until 5pm")],
            "rate_limit",
            "until 5pm",
            attach,
        ),
        (
            idle.clone(),
            &[refused(401, "authentication_failed", "Invalid API key")],
            "login",
            "Invalid API key",
            attach,
        ),
        (idle, &[refused(529, "server_error", "Overloaded")], "api_error", "Overloaded", attach),
    ] {
        client.forget();
        client.registered(now(), &status).said(records);
        let stall = client.stall();
        assert_eq!((&stall["cause"], &stall["remedy"]), (&json!(cause), &json!(remedy)));
        assert!(stall["message"].as_str().unwrap().contains(said), "{stall:#}");
    }

    // Its process id is another process's by now: this test began long after that session.
    let busy = json!({"status": "busy"});
    client.forget();
    client.registered(now(), &busy).said(&asking);
    assert_eq!(client.stall(), Value::Null);
    assert_eq!(
        client.worker()["session"],
        json!({"alive": true, "activity": "busy", "pid": std::process::id(), "attach": attach})
    );
    client.registered(1_000, &busy);
    assert_eq!(
        (&client.stall()["cause"], &client.stall()["remedy"]),
        (&json!("gone"), &json!(launch))
    );
    users.write("api/users.py", "2");
    let worker = client.worker();
    assert_eq!(worker["stall"]["cause"], "gone_with_work");
    assert_eq!(worker["session"]["alive"], false);

    // A session that ended by itself leaves the registry, and its transcript stays.
    fs::remove_file(client.root.join("sessions/1.json")).unwrap();
    assert_eq!(client.stall()["cause"], "gone_with_work");
    // On another machine, or in a container, the id says nothing.
    client.registered(1_000, &json!({"status": "busy", "pidDomain": "linux:other:pid:[1]"}));
    assert_eq!(client.worker()["session"], Value::Null);
}

#[test]
fn silence_needs_its_time_which_plan_and_caller_can_set() {
    let repo = created(&format!("stall_after: 2h\n{THREE}"));
    repo.worker("task-1-users").commit("[CHECKPOINT] model");
    let client = Client::of(&repo, "task-1-users");
    let begun = now();
    client.registered(begun, &json!({"status": "busy"}));
    let cause = |after: i64, more: &[&str]| {
        let now = (begun + after).to_string();
        let words = [&["pw-monitor", "status", "--now", &now], more].concat();
        let status = repo.pw_in(&repo.root(), &words).data();
        status["workers"][0]["stall"]["cause"].clone()
    };
    assert_eq!(cause(7_100, &[]), Value::Null);
    assert_eq!(cause(7_300, &[]), "silent");
    assert_eq!(cause(700, &["--stall-after", "10m"]), "silent");
    repo.pw("pw-monitor status --stall-after soon").error(2, "usage");
    let words = repo.pw("pw-monitor status --format human").stdout;
    assert!(!words.contains("does not move"), "{words}");

    repo.write("plan.yaml", &format!("stall_after: soon\n{THREE}"));
    let error = repo.pw("pw-setup check plan.yaml").error(3, "plan_invalid");
    assert_eq!(error["details"]["problems"][0]["line"], 1);
}

#[test]
fn tokens_count_once_and_cost_when_it_is_told() {
    let repo = created(THREE);
    let client = Client::of(&repo, "task-1-users");
    let part = |output| assistant("msg_1", json!({"type": "text", "text": "a"}), output);
    let cost = json!({"type": "cost-state", "totalCostUSD": 0.25, "hasUnknownModelCost": false});
    let tokens = json!({"input_tokens": 200, "output_tokens": 30, "cache_read_tokens": 10, "cache_write_tokens": 14});
    client.said(&[user("go"), part(3), part(10), words("done")]);
    assert_eq!(client.worker()["usage"], tokens);

    client.said(&[user("go"), part(3), part(10), words("done"), cost]);
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let folder: String = client.worktree.to_str().unwrap().chars().map(plain).collect();
    let aside = assistant("msg_2", json!({"type": "text", "text": "b"}), 1);
    client.put(
        &format!("projects/{folder}/5e551011-0000/subagents/workflows/wf_1/agent-1.jsonl"),
        &format!("{aside}\n"),
    );
    let used = client.worker()["usage"].clone();
    assert_eq!((&used["output_tokens"], &used["cost_usd"]), (&json!(31), &json!(0.25)));
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["usage"], used);
    assert_eq!(status["workers"][1].get("usage"), None);
    let view = repo.pw("pw-monitor status --format human").stdout;
    assert!(view.contains("tokens") && view.contains("$0.25"), "{view}");
}

#[test]
fn looking_at_sessions_leaves_no_trace_and_follows_the_clients_own_folder() {
    let repo = created(THREE);
    repo.worker("task-1-users").commit("[CHECKPOINT] model");
    let client = Client::of(&repo, "task-1-users");
    client.registered(now(), &json!({"status": "waiting", "waitingFor": "permission prompt"}));
    client.said(&[user("go")]).put("sessions/broken.json", "{").put("sessions/2.json", "[]");
    let moved = repo.beside("elsewhere");
    fs::rename(&client.root, &moved).unwrap();
    let before = (repo.fingerprint(), files(&moved));
    let mut command = repo.helper(&repo.root(), &["pw-monitor", "status"]);
    let output = command.env("CLAUDE_CONFIG_DIR", &moved).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(status["data"]["workers"][0]["stall"]["cause"], "waiting_for_permission");
    assert!(before == (repo.fingerprint(), files(&moved)), "looking changed something");
    assert_eq!(client.stall(), Value::Null);
}

/// Every file below a folder with its time.
fn files(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        found.push((path.clone(), path.metadata().unwrap().modified().unwrap()));
        if path.is_dir() {
            found.extend(files(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn nobody_is_started_beside_a_session_that_a_person_opened() {
    let repo = created(THREE);
    let client = Client::of(&repo, "task-1-users");
    client.registered(now(), &json!({"status": "idle", "kind": "interactive", "jobId": null}));
    let error = repo.pw("pw-setup launch task-1").error(3, "session_alive");
    assert_eq!(error["details"]["sessions"][0]["pid"], std::process::id());
    // Killed, its entry stays.
    client.registered(1_000, &json!({"status": "busy"}));
    repo.pw("pw-setup launch task-1").data();
}

#[test]
fn the_next_session_is_told_what_is_finished_and_what_remains() {
    let plan = THREE.replacen("size: M", "checkpoints: [model, routes, tests]", 1);
    let repo = created(&plan);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").commit("[CHECKPOINT] User model").commit("plain");
    let brief = users.pw(&["brief"]).data();
    assert_eq!(brief["finished"], json!(["User model"]));
    assert_eq!(brief["remaining"], json!(["routes", "tests"]));

    let words = ["pw-worker", "guard", "session-start"];
    let input = json!({"cwd": users.path, "source": "startup"}).to_string();
    let told = repo.pw_with_input(&users.path, &words, &input).json();
    let text = told["hookSpecificOutput"]["additionalContext"].as_str().unwrap();
    let (_, told) = text.split_once(":\n").unwrap();
    let told: Value = serde_json::from_str(told).unwrap();
    assert_eq!((&told["finished"], &told["remaining"]), (&brief["finished"], &brief["remaining"]));
}

#[test]
fn a_session_that_had_the_folder_before_the_worker_is_not_its() {
    let repo = created(THREE);
    let client = Client::of(&repo, "task-1-users");
    client.said(&[user("go"), words("done")]);
    assert!(client.worker()["usage"].is_object());
    // The worktree's name was another workflow's an hour ago.
    let before = SystemTime::now() - std::time::Duration::from_secs(3600);
    for path in fs::read_dir(client.root.join("projects")).unwrap() {
        for transcript in fs::read_dir(path.unwrap().path()).unwrap() {
            let file = fs::File::options().write(true).open(transcript.unwrap().path()).unwrap();
            file.set_modified(before).unwrap();
        }
    }
    let mut gone = repo.shell("exit").spawn().unwrap();
    gone.wait().unwrap();
    client.registered(now() - 3600, &json!({"pid": gone.id(), "status": "busy"}));
    let worker = client.worker();
    assert_eq!((&worker["session"], worker.get("usage")), (&Value::Null, None), "{worker:#}");
    assert_eq!((&worker["state"], &worker["stall"]), (&json!("starting"), &Value::Null));
    client.registered(now(), &json!({"pid": gone.id(), "status": "busy"}));
    assert_eq!(client.worker()["session"]["alive"], false);
}
