//! What the guard keeps of a record between two tool calls never answers otherwise than git would.

use std::path::{Path, PathBuf};

use pw_testkit::dice::Dice;
use pw_testkit::plans::THREE;
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::created;
use crate::guard::ask;

/// Where it lies.
fn kept(repo: &TestRepo, label: &str) -> PathBuf {
    repo.root().join(".git/pw/rest-api").join(label).join("record.json")
}

fn says(repo: &TestRepo, cwd: &Path, path: &str) -> String {
    let said = ask(repo, cwd, "Write", json!({"file_path": path}));
    said["permissionDecision"].as_str().unwrap_or("silent").to_owned()
}

fn replan(repo: &TestRepo, plan: &str) {
    repo.write("plan.yaml", plan);
    repo.pw("pw-setup create plan.yaml").data();
}

#[test]
fn once_it_is_kept_the_guard_starts_no_git() {
    let mut repo = created(THREE);
    let at = repo.worker("task-1-users").path;
    assert_eq!(says(&repo, &at, "api/users.py"), "allow");
    let calls = repo.beside("calls");
    repo.shim_git(&format!("echo \"$@\" >> {}\nexec $GIT \"$@\"", calls.display()));
    assert_eq!(says(&repo, &at, "api/users.py"), "allow");
    assert_eq!(says(&repo, &at, "api/posts.py"), "deny");
    assert_eq!(says(&repo, &at.join("tests"), "users/new.py"), "allow");
    let elsewhere = repo.worker("task-2-posts").path.join("api/posts.py");
    assert_eq!(says(&repo, &at, elsewhere.to_str().unwrap()), "deny");
    let told = ask(&repo, &at, "Bash", json!({"command": "cargo test 2>&1 | tail"}));
    assert_eq!(told, Value::Null);
    assert!(!calls.exists(), "{}", std::fs::read_to_string(&calls).unwrap());
}

#[test]
fn what_is_kept_of_an_older_record_counts_for_nothing() {
    let repo = created(THREE);
    let at = repo.worker("task-1-users").path;
    assert_eq!(says(&repo, &at, "api/users.py"), "allow");
    let file = kept(&repo, "task-1-users");
    let old = std::fs::read_to_string(&file).unwrap();
    replan(&repo, &THREE.replace("[api/users.py, \"tests/users/**\"]", "[api/people.py]"));
    // It is put back, with the newest commit in it, cut off, and as another worker's.
    let tip = repo.git(&["rev-parse", "refs/pw/rest-api/record"]);
    let mut forged: Value = serde_json::from_str(&old).unwrap();
    forged["record"] = json!(tip);
    let planted = [&old, &forged.to_string(), &old[..old.len() / 2], ""];
    for text in planted {
        std::fs::write(&file, text).unwrap();
        assert_eq!(says(&repo, &at, "api/users.py"), "deny", "{text}");
        std::fs::write(&file, text).unwrap();
        assert_eq!(says(&repo, &at, "api/people.py"), "allow", "{text}");
    }
}

/// Something happens to the repository; the rolled number says what.
fn change(repo: &TestRepo, dice: &mut Dice) -> String {
    let users = repo.worker("task-1-users").path;
    let (place, moved) = (users.to_str().unwrap(), repo.beside("moved"));
    let git = |words: &[&str]| drop(repo.try_git(&repo.root(), words));
    // It is refused where something is not as it was made.
    let plan = |text: &str| {
        repo.write("plan.yaml", text);
        drop(repo.pw("pw-setup create plan.yaml"));
    };
    let what = dice.roll(11);
    match what {
        0 => plan(THREE),
        1 => plan(&THREE.replace("tests/users", "tests/u")),
        2 => plan(&THREE.replace("[shared.txt]", "[shared.txt, docs/users]")),
        3 => git(&["pack-refs", "--all", "--prune"]),
        4 => git(&["worktree", "unlock", place]),
        5 => git(&["worktree", "lock", "--reason", "mine", place]),
        6 => git(&["worktree", "move", "-f", "-f", place, moved.to_str().unwrap()]),
        7 => drop(repo.pw("pw-setup repair")),
        8 => git(&["worktree", "add", "-q", "--detach", "worktrees/mine"]),
        9 => git(&["config", "core.bare", if dice.roll(2) == 0 { "true" } else { "false" }]),
        _ => git(&["refs", "migrate", "--ref-format=reftable"]),
    }
    format!("after {what}")
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_is_kept_never_answers_otherwise_than_git_would() {
    let cases = std::env::var("PW_CASES").ok().and_then(|number| number.parse().ok()).unwrap_or(1);
    for case in 0..cases {
        let (repo, mut dice) = (created(THREE), Dice(case));
        let mut story = Vec::new();
        for _ in 0..6 {
            story.push(change(&repo, &mut dice));
            let places = [repo.worker("task-1-users").path, repo.beside("moved")];
            for cwd in places.iter().filter(|cwd| cwd.is_dir()) {
                for path in ["tests/u/x", "docs/users", "../mine/x"] {
                    let ask = || ask(&repo, cwd, "Write", json!({"file_path": path}));
                    let with = ask();
                    let _ = std::fs::remove_file(kept(&repo, "task-1-users"));
                    let without = ask();
                    assert_eq!(
                        with,
                        without,
                        "case {case}, {story:?}: {path} in {}",
                        cwd.display()
                    );
                }
            }
        }
    }
}
