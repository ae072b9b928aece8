//! Cleanup: what is merged goes, whatever could be missed stays, with every reason.

use std::os::unix::fs::symlink;

use pw_testkit::plans::THREE;
use pw_testkit::repo::{TestRepo, Worker};
use pw_testkit::rows::rows;
use serde_json::{Value, json};

use crate::{created, repo};

/// A workflow whose three workers are integrated.
fn integrated() -> TestRepo {
    let repo = created(&format!("disposable: [target]\n{THREE}"));
    for (label, path) in [
        ("task-1-users", "api/users.py"),
        ("task-2-posts", "api/posts.py"),
        ("task-3-docs", "docs/a.md"),
    ] {
        repo.worker(label).write(path, label).commit("[COMPLETE] done");
    }
    repo.pw("pw-integrate run").data();
    repo.write(".git/info/exclude", "/worktrees/\n*.log\ntarget/\n");
    repo
}

fn workers(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|entry| entry["worker"].as_str().unwrap()).collect()
}

fn kinds(kept: &Value) -> Vec<&str> {
    kept["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| reason["kind"].as_str().unwrap())
        .collect()
}

#[test]
fn what_is_merged_goes_and_comes_back_with_one_command() {
    let repo = integrated();
    repo.worker("task-1-users").write("target/built", "1");
    let tip = repo.git(&["rev-parse", "work/task-1-users"]);
    let before = repo.fingerprint();
    let data = repo.pw("pw-integrate cleanup --dry-run").data();
    let touched: Vec<_> = repo
        .fingerprint()
        .into_iter()
        .filter(|(path, known)| before.get(path) != Some(known))
        .map(|(path, _)| path)
        .collect();
    assert!(touched.is_empty(), "a dry run writes nothing: {touched:?}");
    assert_eq!(data["next"][0]["command"], "pw-integrate cleanup rest-api");
    assert_eq!(
        (workers(&data["removed"]), &data["kept"]),
        (vec!["task-1", "task-2", "task-3"], &json!([]))
    );

    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(workers(&data["removed"]), ["task-1", "task-2", "task-3"]);
    assert_eq!(data["removed"][0]["snapshot"], "task-1/1");
    assert!(
        !repo.root().join("worktrees").exists()
            && !repo.root().join(".git/pw/rest-api/task-1-users").exists()
    );
    assert_eq!(
        repo.git(&["for-each-ref", "--format=%(refname)", "refs/heads"]),
        "refs/heads/integration/rest-api\nrefs/heads/main"
    );
    assert_eq!(repo.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(repo.read(".git/info/exclude"), "*.log\ntarget/\n");

    let again = repo.pw("pw-integrate cleanup").data();
    assert_eq!((&again["removed"], &again["kept"]), (&json!([]), &json!([])));
    let status = repo.pw("pw-monitor status").data();
    assert!(
        status["workers"].as_array().unwrap().iter().all(|w| w["state"] == "integrated"),
        "{status:#}"
    );
    repo.pw("pw-retro report").data();
    repo.pw("pw-setup advance").data();
    assert!(!repo.root().join(".git/pw/rest-api/task-1-users").exists());
    repo.follow(&data["restore"]);
    repo.follow(&data["removed"][0]["restore"]);
    let place = repo.root().join("worktrees/_restored-task-1-1");
    assert_eq!(repo.git_in(&place, &["rev-parse", "HEAD"]), tip);
    assert_eq!(repo.read("worktrees/_restored-task-1-1/api/users.py"), "task-1-users");
}

/// One kind of work that git would delete without a word, or at all.
type Plant = (&'static str, fn(&TestRepo, &Worker<'_>));

const PLANTS: &[Plant] = &[
    ("untracked", |_, worker| {
        worker.write("note", "mine");
    }),
    ("untracked", |_, worker| {
        worker.git(&["config", "status.showUntrackedFiles", "no"]);
        worker.write("note", "mine");
    }),
    ("dirty_tree", |_, worker| {
        worker.write("api/users.py", "mine");
    }),
    ("dirty_tree", |_, worker| {
        worker.write("api/users.py", "mine").git(&["add", "-A"]);
        worker.write("api/users.py", "task-1-users");
    }),
    ("dirty_tree", |_, worker| std::fs::remove_file(worker.path.join("README.md")).unwrap()),
    ("ignored", |_, worker| {
        worker.write("run.log", "mine");
    }),
    ("hidden", |_, worker| {
        worker.git(&["update-index", "--assume-unchanged", "README.md"]);
        worker.write("README.md", "mine");
    }),
    ("hidden", |_, worker| {
        worker.git(&["update-index", "--skip-worktree", "README.md"]);
        worker.write("README.md", "mine");
    }),
    ("not_merged", |_, worker| {
        worker.write("api/users.py", "more").commit("more");
    }),
    ("wrong_branch", |_, worker| {
        worker.git(&["switch", "-q", "--detach"]);
        worker.write("api/users.py", "more").commit("on no branch");
    }),
    ("wrong_branch", |_, worker| drop(worker.git(&["switch", "-q", "-c", "other"]))),
    ("nested_repository", |repo, worker| {
        worker.write("run.log/x", "");
        repo.git_in(&worker.path.join("run.log"), &["init", "-q"]);
    }),
    ("nested_repository", |_, worker| {
        worker.write("odd/.git/precious", "mine");
    }),
    ("operation_in_progress", |repo, worker| {
        let head = repo.git(&["rev-parse", "HEAD"]);
        worker.git(&["bisect", "start", "HEAD", &head]);
    }),
    ("operation_in_progress", |repo, worker| {
        repo.try_git(&worker.path, &["rebase", "-q", "--exec", "false", "HEAD~"]);
    }),
    ("locked", |repo, worker| {
        let path = worker.path.to_str().unwrap();
        repo.git(&["worktree", "unlock", path]);
        repo.git(&["worktree", "lock", "--reason", "mine", path]);
    }),
    ("locked", |repo, _| repo.write(".git/worktrees/task-1-users/index.lock", "")),
    ("branch_elsewhere", |repo, worker| {
        repo.git(&["worktree", "unlock", worker.path.to_str().unwrap()]);
        repo.git(&["worktree", "move", worker.path.to_str().unwrap(), "worktrees/moved"]);
    }),
    ("worktree_missing", |repo, worker| {
        std::fs::rename(&worker.path, repo.beside("away")).unwrap()
    }),
    ("foreign", |repo, worker| {
        std::fs::rename(&worker.path, repo.beside("away")).unwrap();
        symlink(repo.beside("away"), &worker.path).unwrap();
    }),
    ("foreign", |repo, worker| {
        std::fs::rename(&worker.path, repo.beside("away")).unwrap();
        std::fs::create_dir(&worker.path).unwrap();
        repo.git_in(&worker.path, &["init", "-q"]);
    }),
    ("foreign", |_, worker| {
        std::fs::remove_file(worker.path.join(".git")).unwrap();
    }),
];

#[test]
fn work_that_git_would_delete_silently_is_kept_and_named() {
    let files_alone = ["untracked", "dirty_tree", "ignored", "hidden"];
    let repo = integrated();
    let fresh = repo.beside("fresh");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let line = format!("rm -rf {1} && cp -a {0} {1}", from.display(), to.display());
        assert!(repo.shell(&format!("cd / && {line}")).output().unwrap().status.success());
    };
    copy(&repo.root(), &fresh);
    for (number, (kind, plant)) in rows(PLANTS).enumerate() {
        copy(&fresh, &repo.root());
        drop(std::fs::remove_dir_all(repo.beside("away")));
        let worker = repo.worker("task-1-users");
        plant(&repo, &worker);
        let before = repo.fingerprint();
        let refs = repo.git(&["for-each-ref"]);
        let data = repo.pw("pw-integrate cleanup rest-api task-1").data();
        assert_eq!(
            (&data["removed"], workers(&data["kept"])),
            (&json!([]), vec!["task-1"]),
            "plant {number}, {kind}"
        );
        assert!(kinds(&data["kept"][0]).contains(kind), "plant {number}: {data:#}");
        assert_eq!(repo.git(&["for-each-ref"]), refs, "plant {number}, {kind}");
        let after = repo.fingerprint();
        let lost: Vec<_> = before
            .iter()
            .filter(|(path, (_, content))| {
                !path.ends_with("pw/lock") && after.get(*path).is_none_or(|(_, now)| now != content)
            })
            .map(|(path, _)| path)
            .collect();
        assert!(lost.is_empty(), "plant {number}, {kind}: {lost:?}");
        // Asked for, a snapshot is enough for files, and for nothing else.
        let data = repo.pw("pw-integrate cleanup rest-api task-1 --snapshot").data();
        if files_alone.contains(kind) {
            assert_eq!(workers(&data["removed"]), ["task-1"], "plant {number}: {data:#}");
            assert!(!worker.path.exists());
            repo.follow(&data["removed"][0]["restore"]);
            let back = repo.root().join("worktrees/_restored-task-1-1");
            for (path, (_, content)) in
                before.iter().filter(|(path, _)| path.starts_with(&worker.path) && path.is_file())
            {
                let name = path.strip_prefix(&worker.path).unwrap();
                assert!(
                    name.ends_with(".git") || std::fs::read(back.join(name)).unwrap() == *content,
                    "{name:?}"
                );
            }
        } else {
            assert_eq!(workers(&data["kept"]), ["task-1"], "plant {number}, {kind}");
        }
    }
}

#[test]
fn squashed_and_rebased_work_is_recognised_by_its_content() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1\n").commit("[CHECKPOINT] one");
    users.write("api/users.py", "2\n").commit("[COMPLETE] two");
    repo.worker("task-2-posts").write("api/posts.py", "1\n").commit("[COMPLETE] posts");
    repo.git(&["merge", "-q", "--squash", "work/task-1-users"]);
    repo.git(&["commit", "-qm", "squashed"]);
    repo.git(&["cherry-pick", "work/task-2-posts"]);
    // Changed since: only the patch tells.
    repo.write("api/posts.py", "3\n");
    repo.git(&["commit", "-qam", "later"]);
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(
        (workers(&data["removed"]), workers(&data["kept"])),
        (vec!["task-1", "task-2"], vec!["task-3"])
    );
    assert_eq!(kinds(&data["kept"][0]), ["not_begun"]);
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0]["state"], "integrated", "{status:#}");
    // Named, a worker that never began goes, too, and can be made again.
    assert_eq!(
        workers(&repo.pw("pw-integrate cleanup rest-api task-3").data()["removed"]),
        ["task-3"]
    );
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][2]["state"], "planned");
    repo.pw("pw-setup create plan.yaml").data();
    assert!(repo.worker("task-3-docs").path.exists());
}

#[test]
fn a_program_at_work_in_a_worktree_and_a_late_change_keep_it() {
    let mut repo = integrated();
    let path = repo.worker("task-1-users").path.clone();
    let mut sleeper = repo.shell("exec sleep 600").current_dir(&path).spawn().unwrap();
    let data = repo.pw("pw-integrate cleanup rest-api task-1").data();
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert_eq!(kinds(&data["kept"][0]), ["in_use"]);
    // A file that appears between the first look and the last one.
    repo.shim_git(&format!(
        "case \"$*\" in *.removing-*status*) echo late > {}/worktrees/.removing-task-1-users/late.log;; esac\nexec $GIT \"$@\"",
        repo.root().display()
    ));
    let data = repo.pw("pw-integrate cleanup rest-api task-1").data();
    repo.unshim_git();
    assert_eq!(kinds(&data["kept"][0]), ["changed_meanwhile"], "{data:#}");
    assert_eq!(repo.read("worktrees/task-1-users/late.log"), "late\n");
    assert_eq!(repo.git_in(&path, &["status", "--porcelain"]), "");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_removal_that_was_given_up_vouches_for_nothing_later() {
    let mut repo = integrated();
    repo.worker("task-3-docs").write("note", "mine");
    // Taken back by the run itself, or by the next one, since it was killed.
    for (id, label, path, end) in [
        ("task-1", "task-1-users", "api/users.py", "echo late > late.log"),
        ("task-2", "task-2-posts", "api/posts.py", "kill -9 $PPID"),
    ] {
        let cleanup = format!("pw-integrate cleanup rest-api {id}");
        let aside = repo.root().join(format!("worktrees/.removing-{label}"));
        let aside = aside.display();
        let line = format!("*.removing-*status*) (cd {aside} && {end});;");
        repo.shim_git(&format!("case \"$*\" in {line} esac\nexec $GIT \"$@\""));
        repo.pw(&cleanup);
        repo.unshim_git();
        let worker = repo.worker(label);
        if !worker.path.exists() {
            repo.pw("pw-integrate cleanup rest-api task-3").data();
        }
        drop(std::fs::remove_file(worker.path.join("late.log")));

        worker.write(path, "staged").git(&["add", path]);
        std::fs::rename(&worker.path, repo.beside("away")).unwrap();
        let data = repo.pw(&cleanup).data();
        assert_eq!(kinds(&data["kept"][0]), ["worktree_missing"], "{data:#}");
        std::fs::rename(repo.beside("away"), &worker.path).unwrap();
        assert_eq!(worker.git(&["diff", "--cached", "--name-only"]), path);

        worker.commit("[COMPLETE] more");
        repo.pw("pw-integrate run").data();
        repo.git(&["worktree", "remove", "-f", "-f", worker.path.to_str().unwrap()]);
        let data = repo.pw(&cleanup).data();
        let snapshot = data["removed"][0]["snapshot"].as_str().unwrap();
        let kept = format!("refs/pw/rest-api/snapshot/{snapshot}:{path}");
        assert_eq!(repo.git(&["show", &kept]), "staged", "{data:#}");
    }
}

#[test]
fn the_gates_worktree_goes_with_the_last_worker_unless_it_is_in_use() {
    let repo = integrated();
    repo.pw("pw-integrate run --verify true").data();
    let bench = repo.root().join(".git/pw/gate/rest-api");
    assert_eq!(
        workers(&repo.pw("pw-integrate cleanup rest-api task-1").data()["removed"]),
        ["task-1"]
    );
    assert!(bench.exists(), "others are still at work");
    let lock = |reason: &str| {
        repo.git(&["worktree", "unlock", bench.to_str().unwrap()]);
        repo.git(&["worktree", "lock", "--reason", reason, bench.to_str().unwrap()]);
    };
    lock("mine");
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(workers(&data["removed"]), ["task-2", "task-3"]);
    let note = data["notes"][0].as_str().unwrap();
    assert!(note.contains("is not the worktree we made for gates"), "{data:#}");
    assert!(bench.exists());
    lock("pw rest-api gate");
    assert_eq!(repo.pw("pw-integrate cleanup").data()["notes"], json!([]));
    assert!(!bench.exists());
}

#[test]
fn caches_that_git_ignores_keep_no_worktree_and_fill_no_snapshot() {
    let repo = integrated();
    let names =
        ["__pycache__/", ".pytest_cache/", ".mypy_cache/", ".eslintcache", "tagged/", "bare/"];
    repo.write(".git/info/exclude", &format!("/worktrees/\n.env\n{}\n", names.join("\n")));
    let worker = repo.worker("task-1-users");
    for path in
        ["__pycache__/a.pyc", "tests/users/__pycache__/b.pyc", ".pytest_cache/v", ".eslintcache"]
    {
        worker.write(path, "1");
    }
    worker.write("tagged/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# by hand\n");
    worker.write("tagged/big", "1");
    let data = repo.pw("pw-integrate cleanup --dry-run").data();
    assert_eq!(workers(&data["removed"]), ["task-1", "task-2", "task-3"], "{data:#}");
    // A folder that only says so, and a file of the user's beside, are no caches.
    worker.write("bare/CACHEDIR.TAG", "a cache, honestly\n");
    repo.worker("task-2-posts").write(".env", "KEY=1");
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(workers(&data["removed"]), ["task-3"], "{data:#}");
    assert_eq!(data["kept"][0]["reasons"][0]["paths"], json!(["bare"]), "{data:#}");
    assert_eq!(data["kept"][1]["reasons"][0]["paths"], json!([".env"]), "{data:#}");
}

#[test]
fn what_copy_brought_keeps_no_worktree_in_a_folder_either_as_long_as_it_is_the_same() {
    let plan = format!("{THREE}copy: [.env, 'gen/**']\n");
    let repo = repo(&plan);
    repo.write(".git/info/exclude", "/worktrees/\n.env\ngen\n");
    for path in [".env", "gen/port.h", "gen/deep/a.h"] {
        repo.write(path, "made\n");
    }
    symlink("port.h", repo.root().join("gen/link.h")).unwrap();
    repo.pw("pw-setup create plan.yaml").data();
    crate::complete_all(&repo);
    repo.pw("pw-integrate run").data();
    let [users, posts] = ["task-1-users", "task-2-posts"].map(|label| repo.worker(label));
    assert!(users.path.join("gen/deep/a.h").exists());
    users.write("gen/port.h", "mine\n");
    posts.write("gen/more.h", "made\n");
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(workers(&data["removed"]), ["task-3"], "{data:#}");
    assert_eq!(data["kept"][0]["reasons"][0]["paths"], json!(["gen"]), "{data:#}");
    users.write("gen/port.h", "made\n");
    std::fs::remove_file(posts.path.join("gen/more.h")).unwrap();
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(workers(&data["removed"]), ["task-1", "task-2"], "{data:#}");
}
