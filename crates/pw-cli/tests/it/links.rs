//! A worktree and git's entry of it, parted in every way: nothing is lost, no session works in a folder
//! that git takes for another one, and the command that is named leads back.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use pw_testkit::plans::{THREE, TWO};
use pw_testkit::repo::TestRepo;
use pw_testkit::rows::rows;
use serde_json::{Value, json};

use crate::created;
use crate::repair::{copy_all, is_guarded, mv};

const REPAIR: &str = "pw-setup repair two";

fn place(repo: &TestRepo) -> PathBuf {
    repo.worker("a-x").path
}

fn entry(repo: &TestRepo) -> PathBuf {
    repo.root().join(".git/worktrees/a-x")
}

fn unlock(repo: &TestRepo, path: &Path) {
    repo.git(&["worktree", "unlock", path.to_str().unwrap()]);
}

fn status(repo: &TestRepo) -> Value {
    repo.pw("pw-monitor status").data()
}

/// What becomes of worker a; returns where its files are then.
type Harm = fn(&TestRepo) -> PathBuf;

const HARMS: &[(&str, Harm)] = &[
    ("entry removed", |repo| {
        fs::remove_dir_all(entry(repo)).unwrap();
        place(repo)
    }),
    ("entry pruned while the folder was away", |repo| {
        unlock(repo, &place(repo));
        mv(place(repo), repo.beside("away"));
        repo.git(&["worktree", "prune"]);
        mv(repo.beside("away"), place(repo));
        place(repo)
    }),
    ("entry pruned, folder still away", |repo| {
        unlock(repo, &place(repo));
        mv(place(repo), repo.beside("away"));
        repo.git(&["worktree", "prune"]);
        repo.beside("away")
    }),
    ("entry removed, folder behind a link", |repo| {
        fs::remove_dir_all(entry(repo)).unwrap();
        mv(place(repo), repo.beside("disk"));
        symlink(repo.beside("disk"), place(repo)).unwrap();
        repo.beside("disk")
    }),
    ("gitdir leads nowhere", |repo| {
        fs::write(entry(repo).join("gitdir"), "/nowhere/.git\n").unwrap();
        place(repo)
    }),
    ("gitdir leads to the other worker", |repo| {
        let other = repo.worker("b-y").path.join(".git");
        fs::write(entry(repo).join("gitdir"), format!("{}\n", other.display())).unwrap();
        place(repo)
    }),
    ("gitdir gone", |repo| {
        fs::remove_file(entry(repo).join("gitdir")).unwrap();
        place(repo)
    }),
    ("link gone", |repo| {
        fs::remove_file(place(repo).join(".git")).unwrap();
        place(repo)
    }),
    ("link garbage", |repo| {
        fs::write(place(repo).join(".git"), "garbage\n").unwrap();
        place(repo)
    }),
    ("link empty", |repo| {
        fs::write(place(repo).join(".git"), "").unwrap();
        place(repo)
    }),
    ("link leads nowhere", |repo| {
        fs::write(place(repo).join(".git"), "gitdir: /nowhere\n").unwrap();
        place(repo)
    }),
    ("HEAD empty", |repo| {
        fs::write(entry(repo).join("HEAD"), "").unwrap();
        place(repo)
    }),
    ("HEAD gone, unlocked", |repo| {
        unlock(repo, &place(repo));
        fs::remove_file(entry(repo).join("HEAD")).unwrap();
        place(repo)
    }),
    ("HEAD garbage", |repo| {
        fs::write(entry(repo).join("HEAD"), "\0\0\0\0").unwrap();
        place(repo)
    }),
    ("commondir gone", |repo| {
        fs::remove_file(entry(repo).join("commondir")).unwrap();
        place(repo)
    }),
    ("folder behind a link", |repo| {
        mv(place(repo), repo.beside("disk"));
        symlink(repo.beside("disk"), place(repo)).unwrap();
        repo.beside("disk")
    }),
    ("moved by hand, unlocked", |repo| {
        unlock(repo, &place(repo));
        mv(place(repo), repo.beside("moved"));
        repo.beside("moved")
    }),
    ("moved by hand, locked by the user", |repo| {
        unlock(repo, &place(repo));
        let path = place(repo);
        repo.git(&["worktree", "lock", "--reason", "usb", path.to_str().unwrap()]);
        mv(place(repo), repo.root().join("worktrees/moved"));
        repo.root().join("worktrees/moved")
    }),
    ("moved by git", |repo| {
        unlock(repo, &place(repo));
        repo.git(&["worktree", "move", "worktrees/a-x", "../by-git"]);
        repo.beside("by-git")
    }),
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn however_a_worktree_and_its_entry_were_parted_repair_brings_them_together() {
    for (name, harm) in rows(HARMS) {
        let repo = created(TWO);
        let worker = repo.worker("a-x");
        worker.write("a/one", "committed").pw(&["checkpoint", "one"]).data();
        worker.write("a/one", "changed").write("a/staged", "staged").write("a/new", "new");
        worker.git(&["add", "a/staged"]);
        let folder = harm(&repo);

        // No session works there as the worker; one that tries is told what to do.
        for words in [&["brief"][..], &["checkpoint", "x"]] {
            let words = [&["pw-worker"], words].concat();
            let answer = repo.pw_in(&folder, &words);
            let error = answer.json()["error"].clone();
            assert_eq!(answer.code, Some(3), "{name}: {error:#}");
            let next = error["next"].as_str().unwrap_or_default();
            assert!(next.contains("repair"), "{name}: {error:#}");
        }
        let said = status(&repo);
        let reasons = said["workers"][0]["reasons"].to_string();
        assert!(reasons.contains("worktree_"), "{name}: {said:#}");
        assert!(!reasons.contains("worktree_missing"), "{name}: {said:#}");
        assert_eq!(said["next"][0], json!({"action": "repair", "command": REPAIR}), "{name}");
        for command in ["pw-setup advance", "pw-setup create plan.yaml"] {
            let error = repo.pw(command).error(3, "in_the_way");
            assert_eq!(error["next"], REPAIR, "{name}: {error:#}");
        }

        let done = repo.pw(REPAIR).data();
        assert_eq!(done["left"], json!([]), "{name}: {done:#}");
        assert_eq!(done["workers"][0]["worker"], "a", "{name}: {done:#}");
        for (file, text) in [("one", "changed"), ("staged", "staged"), ("new", "new")] {
            assert_eq!(repo.read(&format!("worktrees/a-x/a/{file}")), text, "{name}");
        }
        let said = status(&repo);
        let uncommitted = json!(["a/new", "a/one", "a/staged"]);
        assert_eq!(said["workers"][0]["uncommitted"], uncommitted, "{name}: {said:#}");
        assert_eq!(said["workers"][0]["gaps"], Value::Null, "{name}: {said:#}");
        assert_eq!(repo.pw(REPAIR).data()["workers"], json!([]), "{name}");
        assert!(!repo.root().join(".git/pw/register").exists(), "{name}");
        worker.pw(&["checkpoint", "two"]).data();
        assert_eq!(worker.git(&["ls-files"]), "README.md\na/new\na/one\na/staged", "{name}");
        assert!(is_guarded(&repo, &worker.path), "{name}");
        repo.worker("b-y").pw(&["brief"]).data();
    }
}

#[test]
fn what_the_user_has_to_do_is_said_as_a_command_that_works() {
    let harms: &[(&str, Harm)] = &[
        ("a file in its place", |repo| {
            mv(place(repo), repo.beside("away"));
            fs::write(place(repo), "a file").unwrap();
            repo.beside("away")
        }),
        ("another folder in its place", |repo| {
            mv(place(repo), repo.beside("away"));
            fs::create_dir(place(repo)).unwrap();
            fs::write(place(repo).join("precious"), "x").unwrap();
            repo.beside("away")
        }),
        ("a repository in its place", |repo| {
            mv(place(repo), repo.beside("away"));
            repo.git(&["init", "-q", "worktrees/a-x"]);
            repo.beside("away")
        }),
        ("a link to elsewhere, and no entry", |repo| {
            mv(place(repo), repo.beside("a-x"));
            fs::remove_dir_all(entry(repo)).unwrap();
            symlink(repo.root(), place(repo)).unwrap();
            repo.beside("a-x")
        }),
    ];
    for (name, harm) in harms {
        let repo = created(TWO);
        repo.worker("a-x").write("a", "not committed");
        harm(&repo);
        assert_eq!(status(&repo)["next"][0]["command"], REPAIR, "{name}");
        let done = repo.pw(REPAIR).data();
        let message = done["left"][0]["message"].as_str().unwrap_or_default().to_owned();
        // The command stands at its end.
        let command = &message[message.rfind(": ").map_or(0, |at| at + 2)..];
        repo.follow(&json!(command));
        assert_eq!(repo.read("worktrees/a-x/a"), "not committed", "{name}: {message}");
        assert_eq!(status(&repo)["workers"][0]["uncommitted"], json!(["a"]), "{name}");
    }
}

#[test]
fn a_repository_made_in_a_worktree_that_lost_its_link_is_left_alone() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    worker.write("a", "not committed");
    fs::remove_file(worker.path.join(".git")).unwrap();
    worker.git(&["init", "-q"]);
    assert_eq!(status(&repo)["next"][0]["command"], REPAIR);
    repo.pw("pw-setup advance").error(3, "in_the_way");
    let message = repo.pw(REPAIR).data()["left"][0]["message"].to_string();
    assert!(message.contains("is not its worktree: move it away, mv "), "{message}");
    assert_eq!(repo.read("worktrees/a-x/a"), "not committed");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn in_a_copy_of_a_worktree_nobody_is_the_worker() {
    for (number, unlocked) in [false, true].into_iter().enumerate() {
        let repo = created(TWO);
        let worker = repo.worker("a-x");
        worker.write("a/one", "1").pw(&["checkpoint", "one"]).data();
        if unlocked {
            unlock(&repo, &worker.path);
        }
        for copy in [repo.root().join("worktrees/copy"), repo.beside("copy")] {
            copy_all(&worker.path, &copy);
            fs::write(copy.join("a/two"), "2").unwrap();
            let tip = repo.git(&["rev-parse", "work/a-x"]);
            for words in [&["brief"][..], &["checkpoint", "x"], &["complete", "x"], &["sync", "b"]]
            {
                let error =
                    repo.pw_in(&copy, &[&["pw-worker"], words].concat()).error(3, "not_a_worker");
                assert!(error["message"].as_str().unwrap().contains("is a copy"), "{error:#}");
                assert_eq!(error["details"]["worker"], "a", "{number}");
                repo.follow(&error["next"]);
                let hint = error["hint"].as_str().unwrap();
                assert!(hint.contains(&format!("rm {}/.git", copy.display())), "{hint}");
            }
            let input = json!({"hook_event_name": "PreToolUse", "cwd": copy, "tool_name": "Write",
                "tool_input": {"file_path": copy.join("a/two")}});
            let hook = ["pw-worker", "guard", "pre-tool-use"];
            let said = repo.pw_with_input(&copy, &hook, &input.to_string());
            assert!(unlocked || said.stdout.contains("deny"), "{said:?}");
            // Git finds the hooks from the same depth.
            if copy.starts_with(repo.root()) {
                repo.git_in(&copy, &["add", "a/two"]);
                assert!(!repo.try_git(&copy, &["commit", "-qm", "in a copy"]).status.success());
                repo.git_in(&copy, &["rm", "-q", "--cached", "a/two"]);
            }
            assert_eq!(repo.git(&["rev-parse", "work/a-x"]), tip);
            worker.pw(&["brief"]).data();
            assert_eq!(repo.pw(REPAIR).data()["workers"], json!([]));
            assert_eq!(status(&repo)["workers"][0]["state"], "in_progress");
            fs::remove_dir_all(&copy).unwrap();
        }
        // The copy in the place of the original is the worktree.
        copy_all(&worker.path, &repo.beside("copy"));
        fs::remove_dir_all(&worker.path).unwrap();
        repo.follow(&json!(REPAIR));
        assert_eq!(repo.read("worktrees/a-x/a/one"), "1");
        worker.pw(&["brief"]).data();
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn worktrees_that_were_exchanged_are_nobodys_until_they_are_back() {
    let labels = ["task-1-users", "task-2-posts", "task-3-docs"];
    // Which folder goes to whose place.
    for to in [vec![1, 0, 2], vec![1, 2, 0], vec![2, 1, 0]] {
        for repaired_by_git in [false, true] {
            let repo = created(THREE);
            let places = labels.map(|label| repo.worker(label).path);
            for (label, place) in labels.iter().zip(&places) {
                fs::write(place.join("own"), label).unwrap();
            }
            for (number, place) in places.iter().enumerate() {
                mv(place, repo.beside(&number.to_string()));
            }
            for (number, to) in to.iter().enumerate() {
                mv(repo.beside(&number.to_string()), &places[*to]);
            }
            if repaired_by_git {
                repo.git(&[
                    "worktree",
                    "repair",
                    places[0].to_str().unwrap(),
                    places[1].to_str().unwrap(),
                    places[2].to_str().unwrap(),
                ]);
            }
            let tips = repo.git(&["for-each-ref", "refs/heads"]);
            for (number, place) in
                places.iter().enumerate().filter(|(number, _)| to[*number] != *number)
            {
                let error =
                    repo.pw_in(place, &["pw-worker", "checkpoint", "x"]).error(3, "not_a_worker");
                assert_eq!(error["next"], "pw-setup repair rest-api", "{number}: {error:#}");
                fs::write(place.join("stray"), "x").unwrap();
                repo.git_in(place, &["add", "stray"]);
                assert!(!repo.try_git(place, &["commit", "-qm", "exchanged"]).status.success());
                repo.git_in(place, &["rm", "-qf", "stray"]);
            }
            assert_eq!(repo.git(&["for-each-ref", "refs/heads"]), tips);
            repo.pw("pw-setup launch task-1").error(3, if to[0] == 0 { "" } else { "not_created" });
            let said = status(&repo);
            assert_eq!(said["next"][0]["command"], "pw-setup repair rest-api", "{said:#}");
            let done = repo.pw("pw-setup repair rest-api").data();
            assert_eq!(done["left"], json!([]), "{done:#}");
            for (label, place) in labels.iter().zip(&places) {
                assert_eq!(fs::read_to_string(place.join("own")).unwrap(), *label);
                assert_eq!(repo.worker(label).pw(&["brief"]).data()["label"], *label);
            }
            for worker in status(&repo)["workers"].as_array().unwrap() {
                assert_eq!((&worker["state"], &worker["gaps"]), (&json!("starting"), &Value::Null));
            }
            let held: Vec<_> = fs::read_dir(repo.root().join("worktrees")).unwrap().collect();
            assert_eq!(held.len(), 3);
        }
    }
}
