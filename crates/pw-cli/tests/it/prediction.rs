//! What `pw-monitor status` predicts, and that looking leaves no trace.

use std::io::Write as _;
use std::process::Stdio;

use pw_testkit::plans::THREE;
use pw_testkit::repo::{START, TestRepo};
use serde_json::{Value, json};

use crate::created;

fn status(repo: &TestRepo) -> Value {
    repo.pw("pw-monitor status").data()
}

/// Twenty lines, some of them replaced.
fn lines(replaced: std::ops::Range<u32>, by: &str) -> String {
    let line =
        |n| if replaced.contains(&n) { format!("{by} {n}\n") } else { format!("line {n}\n") };
    (1..=20).map(line).collect()
}

#[test]
fn uncommitted_work_conflicts_too() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    users.write("shared.txt", "users\n");
    posts.write("shared.txt", "posts\n").commit("[CHECKPOINT] posts");
    let now = status(&repo);
    let hunk = json!({"line": 1, "ours": "users\n", "theirs": "posts\n", "cut": false});
    let mut finding = json!({"path": "shared.txt", "kind": "add_add"});
    assert_eq!(
        now["conflicts"],
        json!([{"workers": ["task-1", "task-2"], "paths": ["shared.txt"],
                "findings": [finding], "uncommitted": true}])
    );
    assert_eq!(
        now["trial"],
        json!({"order": ["task-1", "task-2"], "commits_only": [],
               "stops": [{"worker": "task-2", "with": ["task-1"], "findings": [finding]}]})
    );
    // Which lines collide is read where they are merged.
    finding["hunk"] = hunk;
    let all = repo.pw("pw-monitor status --verbose").data();
    assert_eq!(all["conflicts"][0]["findings"], json!([finding]));
    assert_eq!(all["trial"]["stops"][0]["findings"], json!([finding]));
    let past = repo.pw("pw-monitor status --no-worktrees").data();
    assert_eq!((&past["conflicts"], &past["trial"]["stops"]), (&json!([]), &json!([])));

    users.commit("[CHECKPOINT] users");
    assert_eq!(status(&repo)["conflicts"][0]["uncommitted"], false);
    // In the middle of a merge, files are no worker's own work.
    users.write("api/users.py", "1");
    assert!(!repo.try_git(&users.path, &["merge", "-q", "work/task-2-posts"]).status.success());
    let now = status(&repo);
    assert_eq!(now["conflicts"][0]["uncommitted"], false);
    assert_eq!(now["trial"]["commits_only"], json!(["task-1"]));
}

#[test]
fn a_collision_of_three_that_no_pair_shows_is_found() {
    let repo = crate::repo(THREE);
    repo.write("shared.txt", &lines(0..0, ""));
    repo.commit("a file");
    repo.pw("pw-setup create plan.yaml").data();
    let users = repo.worker("task-1-users");
    users
        .write("shared.txt", &lines(1..10, "users"))
        .commit("[CHECKPOINT] rewrites the first half");
    let posts = repo.worker("task-2-posts");
    posts.write("shared.txt", &lines(11..15, "posts"));
    posts.git(&["mv", "shared.txt", "moved.txt"]);
    posts.commit("[CHECKPOINT] moves it");
    repo.worker("task-3-docs")
        .write("shared.txt", &lines(18..19, "docs"))
        .commit("[CHECKPOINT] edits");
    let now = status(&repo);
    assert_eq!(now["conflicts"], json!([]));
    let view = repo.pw("pw-monitor status --format human").stdout;
    assert!(view.contains("1 conflict predicted"), "{view}");
    assert!(view.contains("task-3 will not merge after task-1, task-2: shared.txt"), "{view}");
    // After both, too little is left of it to be seen as moved.
    let stop = &now["trial"]["stops"][0];
    assert_eq!(
        (&stop["worker"], &stop["with"], &stop["findings"][0]["kind"]),
        (&json!("task-3"), &json!(["task-1", "task-2"]), &json!("modify_delete"))
    );
}

#[test]
fn what_is_integrated_counts_in_the_trial() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("shared.txt", "users\n").commit("[COMPLETE] a");
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
    repo.worker("task-2-posts").write("shared.txt", "posts\n").commit("[CHECKPOINT] b");
    let now = status(&repo);
    assert_eq!(now["conflicts"], json!([]));
    let stop = &now["trial"]["stops"][0];
    assert_eq!((&stop["worker"], &stop["with"]), (&json!("task-2"), &json!(["task-1"])));
    assert_eq!(stop["findings"], json!([{"path": "shared.txt", "kind": "add_add"}]));
}

/// A repository in which everything there is to try needs objects that are there already.
fn busy() -> TestRepo {
    let repo = crate::repo(THREE);
    repo.write("lib/a.rs", &lines(0..0, ""));
    repo.write("lib/b.rs", "b\n");
    repo.commit("a folder");
    repo.pw("pw-setup create plan.yaml").data();
    let (users, posts, docs) =
        (repo.worker("task-1-users"), repo.worker("task-2-posts"), repo.worker("task-3-docs"));
    users.write("lib/a.rs", &lines(1..3, "users")).write("shared.txt", "1\n");
    users.commit("[COMPLETE] edits");
    posts.git(&["mv", "lib", "new"]);
    posts.write("new/a.rs", &lines(9..10, "posts")).commit("[CHECKPOINT] renames a folder");
    docs.write("lib/a.rs", &lines(15..17, "docs")).write("shared.txt", "3\n");
    docs.commit("[CHECKPOINT] takes in");
    docs.git(&["merge", "-q", "--no-edit", "-X", "ours", "work/task-1-users"]);
    docs.commit("[COMPLETE] docs");
    posts.write("shared.txt", "2\n").commit("[COMPLETE] posts");
    // A stopped integration leaves the results of its merges behind.
    repo.pw("pw-integrate run --allow-out-of-scope").error(4, "merge_conflict");
    repo.pw("pw-integrate abort").data();
    repo.git(&["repack", "-q", "-d"]);
    docs.git(&["mv", "lib/b.rs", "lib/z.rs"]);
    // A filter of the user's that writes into the repository, as LFS does. Git itself runs it for a
    // file as young as the index, so this one is old.
    let file = std::fs::File::options().write(true).open(posts.path.join("shared.txt")).unwrap();
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(START.unsigned_abs()))
        .unwrap();
    posts.git(&["update-index", "--refresh"]);
    repo.git(&["config", "filter.odd.clean", "tee -a \"$(git rev-parse --git-common-dir)/odd\""]);
    repo.git(&["config", "filter.odd.required", "true"]);
    repo.write(".git/info/attributes", "*.txt filter=odd\n");
    users.write("shared.txt", "longer than before\n").write("lib/c.rs", "c\n");
    docs.write("shared.txt", "longer than before, too\n");
    repo
}

#[test]
fn what_somebody_commits_to_the_integration_branch_counts_too() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
    let place = repo.beside("place");
    repo.git(&["worktree", "add", "-q", place.to_str().unwrap(), "integration/rest-api"]);
    std::fs::write(place.join("shared.txt"), "by hand\n").unwrap();
    repo.git_in(&place, &["add", "shared.txt"]);
    repo.git_in(&place, &["commit", "-q", "-m", "by hand"]);
    repo.git(&["worktree", "remove", "-f", place.to_str().unwrap()]);
    repo.worker("task-2-posts").write("api/posts.py", "1").commit("[CHECKPOINT] posts");
    repo.worker("task-3-docs").write("shared.txt", "docs\n").commit("[CHECKPOINT] docs");
    let now = status(&repo);
    assert_eq!(
        (&now["conflicts"], &now["trial"]["order"]),
        (&json!([]), &json!(["task-2", "task-3"]))
    );
    let stop = &now["trial"]["stops"][0];
    assert_eq!((&stop["worker"], &stop["with"]), (&json!("task-3"), &json!([])));
    assert_eq!(stop["findings"][0]["kind"], "add_add");
    let shown =
        String::from_utf8(repo.shell("pw-monitor status --format human").output().unwrap().stdout);
    let told = "task-3 will not merge after what is on the integration branch: shared.txt";
    assert!(shown.unwrap().contains(told));
}

#[test]
fn trial_merges_leave_no_trace() {
    let repo = busy();
    let before = repo.fingerprint();
    for command in [
        "pw-monitor status",
        "pw-monitor status --no-worktrees",
        "pw-integrate check",
        "pw-integrate preview",
        "pw-retro report",
    ] {
        let data = repo.pw(command).data();
        let after = repo.fingerprint();
        let touched: Vec<_> = after
            .iter()
            .filter(|(path, known)| before.get(*path) != Some(known))
            .map(|(path, _)| path)
            .collect();
        assert!(touched.is_empty() && after.len() == before.len(), "{command}: {touched:?}");
        if command == "pw-monitor status" {
            assert!(!data["conflicts"].as_array().unwrap().is_empty(), "nothing was tried");
            assert_eq!(data["trial"]["commits_only"], json!([]));
        }
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_worker_that_commits_meanwhile_never_meets_a_lock() {
    let repo = busy();
    let users = repo.worker("task-1-users");
    let helper = || repo.helper(&repo.root(), &["pw-monitor", "status"]);
    let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo $n > api.py; \
                  git add -A && git commit -q --no-verify -m \"[CHECKPOINT] $n\" || exit 1; done";
    let mut line = repo.shell(&format!("cd {} && {script}", users.path.display()));
    let mut worker = line.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut looks = 0;
    while worker.try_wait().unwrap().is_none() {
        let output = helper().output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        looks += 1;
    }
    let output = worker.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(looks > 0);
}

/// Made-up work of many workers, as one input of `git fast-import`.
fn made_up(workers: u32, base: &str, seed: u32) -> String {
    let mut state = seed;
    let mut random = move |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    let paths = ["d/a", "d/b", "d/e/c", "f/a", "f", "d", "g/a", "d/new", "d/e/new", "g/d/a"];
    let mut out = String::new();
    for worker in 1..=workers {
        out += &format!(
            "commit refs/heads/work/w{worker}-x\ncommitter W <w@x> {} +0000\n",
            1_750_000_000 + worker
        );
        out += &format!("data 1\nx\nfrom {base}\n");
        out += ["", "", "R d h\n", "R d/e i\n"][random(4) as usize];
        for _ in 0..=random(3) {
            let path = paths[random(10) as usize];
            match random(4) {
                0 => out += &format!("D {path}\n"),
                _ => {
                    let (at, text) = (random(20), random(3).to_string());
                    let text = lines(at..at + 1, &text);
                    out += &format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len());
                }
            }
        }
        out += "\n";
    }
    out
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn pairs_that_are_not_tried_would_have_merged() {
    const WORKERS: u32 = 12;
    let workers: String =
        (1..=WORKERS).map(|n| format!("  - {{id: w{n}, name: x, owns: [own{n}]}}\n")).collect();
    let plan = format!("workflow: many\ngoal: collide\nworkers:\n{workers}");
    let repo = crate::repo(&plan);
    for path in ["d/a", "d/b", "d/e/c", "g/a"] {
        repo.write(path, &lines(0..0, ""));
    }
    repo.commit("files");
    repo.pw("pw-setup create plan.yaml").data();
    let base = repo.git(&["rev-parse", "main"]);
    let mut collisions = 0;
    for seed in 1..=5 {
        let mut import = repo.shell("git fast-import --quiet --force");
        let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
        let stream = made_up(WORKERS, &base, seed);
        import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
        assert!(import.wait().unwrap().success());
        let mut expected = Vec::new();
        for second in 1..=WORKERS {
            for first in 1..second {
                let names = [first, second].map(|n| format!("work/w{n}-x"));
                let args =
                    ["-c", "merge.directoryRenames=conflict", "merge-tree", &names[0], &names[1]];
                match repo.try_git(&repo.root(), &args).status.code() {
                    Some(0) => {}
                    Some(1) => expected.push(json!([format!("w{first}"), format!("w{second}")])),
                    code => panic!("{names:?}: {code:?}"),
                }
            }
        }
        let found = repo.pw("pw-monitor status --no-worktrees").data()["conflicts"].clone();
        let found: Vec<Value> =
            found.as_array().unwrap().iter().map(|conflict| conflict["workers"].clone()).collect();
        collisions += found.len();
        assert_eq!(found, expected, "seed {seed}");
    }
    assert!(collisions > 50, "only {collisions} collisions were made up");
}
