//! `pw-retro` against real git.

use pw_testkit::plans::THREE;
use pw_testkit::repo::START;
use serde_json::{Value, json};

use crate::repo;

#[test]
fn the_report_measures_a_run() {
    let repo = repo(THREE);
    let at = START.to_string();
    repo.pw_in(&repo.root(), &["pw-setup", "create", "plan.yaml", "--now", &at]).data();
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").commit("[CHECKPOINT] model");
    users.commit("[BLOCKED:key] x");
    users.write("shared.txt", "a").commit("[COMPLETE] users");
    let posts = repo.worker("task-2-posts");
    posts.write("shared.txt", "b").commit("[NEEDS:task-1/UserModel] x");
    posts.write("api/posts.py", "1").commit("[COMPLETE] posts");

    let data = repo.pw("pw-retro report").data();
    let worker = &data["workers"][0];
    assert_eq!(
        (&worker["commits"], &worker["checkpoints"], &worker["files"]),
        (&json!(3), &json!(1), &json!(2))
    );
    assert!(worker["blocked_seconds"].as_i64().unwrap() >= 60, "{worker}");
    assert_eq!(worker["waiting_seconds"], 0);
    assert!(data["workers"][1]["waiting_seconds"].as_i64().unwrap() >= 60);
    assert_eq!(data["workers"][2]["duration_seconds"], Value::Null);
    assert_eq!(data["overlaps"], json!([{"path": "shared.txt", "workers": ["task-1", "task-2"]}]));
    assert_eq!(data["conflicts"][0]["paths"], json!(["shared.txt"]));
    assert_eq!(data["integrated"], false);
}

#[test]
fn the_report_outlives_branches_and_worktrees() {
    let repo = repo(THREE);
    repo.pw("pw-setup create plan.yaml").data();
    for (label, path) in [
        ("task-1-users", "api/users.py"),
        ("task-2-posts", "api/posts.py"),
        ("task-3-docs", "docs/a"),
    ] {
        repo.worker(label).write(path, "1").commit("[COMPLETE] done");
    }
    repo.pw("pw-integrate run").data();
    let before = repo.pw("pw-retro report").data();
    for label in ["task-1-users", "task-2-posts", "task-3-docs"] {
        repo.git(&["worktree", "remove", "-f", "-f", &format!("worktrees/{label}")]);
        repo.git(&["branch", "-D", &format!("work/{label}")]);
    }
    assert_eq!(repo.pw("pw-retro report").data(), before);
    assert_eq!(
        (&before["integrated"], &before["workers"][0]["commits"]),
        (&json!(true), &json!(1))
    );
}
