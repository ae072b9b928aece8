//! What was moved, replaced or lost of a worker's worktree, hooks and launcher is said, and put right
//! by the one command that is named.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pw_testkit::plans::{THREE, TWO};
use pw_testkit::repo::{Answer, TestRepo, Worker, write_program};
use pw_testkit::rows::rows;
use serde_json::{Value, json};

use crate::{created, repo};

const REPAIR: &str = "pw-setup repair rest-api";

fn ours(repo: &TestRepo, label: &str) -> PathBuf {
    repo.root().join(".git/pw/rest-api").join(label)
}

fn worker(repo: &TestRepo, root: &Path, index: usize) -> Value {
    let status = repo.pw_in(root, &["pw-monitor", "status"]).data();
    status["workers"][index].clone()
}

fn gaps(repo: &TestRepo, index: usize) -> Vec<String> {
    let worker = worker(repo, &repo.root(), index);
    let gaps = worker["gaps"].as_array().cloned().unwrap_or_default();
    gaps.iter().map(|gap| gap["kind"].as_str().unwrap().to_owned()).collect()
}

fn reasons(repo: &TestRepo, root: &Path) -> String {
    worker(repo, root, 0)["reasons"].to_string()
}

/// Whether git refuses a commit of another worker's file in this worktree.
pub(crate) fn is_guarded(repo: &TestRepo, worktree: &Path) -> bool {
    fs::write(worktree.join("stray"), "x").unwrap();
    let git = |args: &[&str]| repo.try_git(worktree, args).status.success();
    assert!(git(&["add", "stray"]));
    let refused = !git(&["commit", "-q", "-m", "stray"]);
    if refused {
        assert!(git(&["rm", "-q", "--cached", "stray"]));
        fs::remove_file(worktree.join("stray")).unwrap();
    } else {
        assert!(git(&["reset", "-q", "--hard", "HEAD~"]));
    }
    refused
}

pub(crate) fn mv(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    fs::rename(from, to).unwrap();
}

/// What becomes of worker 1, and what is said of it.
type Harm = (&'static str, fn(&TestRepo, &Worker<'_>, &Path));

const HARMS: &[Harm] = &[
    ("hook_missing", |_, _, folder| fs::remove_file(folder.join("hooks/pre-commit")).unwrap()),
    ("hook_missing", |_, _, folder| fs::remove_dir_all(folder.join("hooks")).unwrap()),
    ("hook_missing", |_, _, folder| {
        let hook = folder.join("hooks/commit-msg");
        fs::remove_file(&hook).unwrap();
        symlink("/nowhere/hook", &hook).unwrap();
    }),
    ("hook_missing", |_, _, folder| {
        fs::remove_dir_all(folder.join("hooks")).unwrap();
        fs::write(folder.join("hooks"), "no folder").unwrap();
    }),
    // As lefthook does: the old one gets another name.
    ("hook_replaced", |_, _, folder| {
        mv(folder.join("hooks/pre-commit"), folder.join("hooks/pre-commit.old"));
        write_program(&folder.join("hooks/pre-commit"), "#!/bin/sh\nexit 0\n");
    }),
    // As pre-commit does: it calls the old one under its new name.
    ("hook_replaced", |_, _, folder| {
        mv(folder.join("hooks/pre-commit"), folder.join("hooks/pre-commit.legacy"));
        let text = "#!/bin/sh\nhere=$(dirname \"$0\")\n[ -x \"$here/pre-commit.legacy\" ] || exit 0\n\
                    exec \"$here/pre-commit.legacy\"\n";
        write_program(&folder.join("hooks/pre-commit"), text);
    }),
    ("hook_replaced", |_, _, folder| {
        let hook = folder.join("hooks/pre-commit");
        let text = fs::read_to_string(&hook).unwrap().replace('\n', "\r\n");
        write_program(&hook, &text);
    }),
    ("hook_replaced", |_, _, folder| {
        fs::remove_file(folder.join("hooks/pre-commit")).unwrap();
        fs::create_dir(folder.join("hooks/pre-commit")).unwrap();
    }),
    ("hook_not_executable", |_, _, folder| {
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(folder.join("hooks/pre-commit"), mode).unwrap();
    }),
    ("hooks_path", |_, worker, _| {
        worker.git(&["config", "--worktree", "--unset", "core.hooksPath"]);
    }),
    ("hooks_path", |_, worker, _| {
        worker.git(&["config", "--worktree", "core.hooksPath", ".husky/_"]);
    }),
    ("hooks_path", |_, worker, _| {
        worker.git(&["config", "--worktree", "--add", "core.hooksPath", "/dev/null"]);
    }),
    ("worktree_config", |repo, _, _| {
        repo.git(&["config", "extensions.worktreeConfig", "false"]);
    }),
    ("helper_gone", |_, _, folder| {
        fs::remove_file(folder.join("pw-worker")).unwrap();
        symlink("/nowhere/pw-worker", folder.join("pw-worker")).unwrap();
    }),
    ("launcher", |_, _, folder| fs::remove_file(folder.join("launch.sh")).unwrap()),
    ("launcher", |_, _, folder| fs::write(folder.join("launch.sh"), "exit 0\n").unwrap()),
    ("helper_gone", |_, _, folder| {
        fs::remove_file(folder.join("pw-worker")).unwrap();
        symlink("/bin/true", folder.join("pw-worker")).unwrap();
    }),
    ("helper_gone", |_, _, folder| {
        fs::remove_file(folder.join("pw-worker")).unwrap();
        write_program(&folder.join("pw-worker"), "#!/bin/sh\nexit 0\n");
    }),
    ("launcher", |_, _, folder| fs::write(folder.join("settings.json"), "{").unwrap()),
    ("launcher", |_, _, folder| {
        settings(folder, |all| all["permissions"]["deny"] = json!([]));
    }),
    ("launcher", |_, _, folder| settings(folder, |all| all["env"]["PW_WORKER"] = json!("task-2"))),
    ("launcher", |_, _, folder| settings(folder, |all| all["disableAllHooks"] = json!(true))),
    ("launcher", |_, _, folder| {
        settings(folder, |all| all["enabledPlugins"] = json!({"parallel-workflows@x": false}));
    }),
    ("hooks_path", |repo, worker, _| {
        fs::write(repo.beside("more"), "[core]\n\thooksPath = /dev/null\n").unwrap();
        worker.git(&["config", "--worktree", "include.path", "../../../../more"]);
    }),
    // It holds on some branch alone: there is no telling when.
    ("hooks_path", |_, worker, _| {
        worker.git(&["config", "--worktree", "includeIf.onbranch:any.path", "/nowhere"]);
    }),
];

/// Changes a worker's settings.
fn settings(folder: &Path, change: fn(&mut Value)) {
    let file = folder.join("settings.json");
    let mut all: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    change(&mut all);
    fs::write(&file, all.to_string()).unwrap();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn whatever_becomes_of_a_workers_hooks_is_said_and_one_command_puts_it_right() {
    let repo = created(THREE);
    let [users, posts] = ["task-1-users", "task-2-posts"].map(|label| repo.worker(label));
    let folder = ours(&repo, "task-1-users");
    for (number, (kind, harm)) in rows(HARMS).enumerate() {
        let place = || format!("harm {number}, {kind}");
        harm(&repo, &users, &folder);
        assert_eq!(gaps(&repo, 0), [*kind], "{}", place());
        if *kind != "worktree_config" {
            assert_eq!(gaps(&repo, 1), [""; 0], "{}", place());
            assert!(is_guarded(&repo, &posts.path), "{}", place());
        }
        let brief = users.pw(&["brief"]).data();
        assert_eq!(brief["gaps"][0]["kind"], *kind, "{}", place());
        assert_eq!(brief["next"][0]["command"], REPAIR, "{}", place());
        let next = repo.pw("pw-monitor status").data()["next"][0].clone();
        assert_eq!(next["action"], "repair", "{}", place());
        repo.follow(&next["command"]);
        assert_eq!((gaps(&repo, 0), gaps(&repo, 1)), (vec![], vec![]), "{}", place());
        assert!(is_guarded(&repo, &users.path), "{}", place());
    }
    let data = repo.pw(REPAIR).data();
    assert_eq!((&data["workers"], &data["left"]), (&json!([]), &json!([])), "{data:#}");
}

#[test]
fn what_a_user_adds_to_settings_is_no_gap_and_is_kept_when_they_are_made_anew() {
    let repo = created(THREE);
    let folder = ours(&repo, "task-1-users");
    settings(&folder, |all| all["model"] = json!("sonnet"));
    assert_eq!(gaps(&repo, 0), [""; 0]);
    settings(&folder, |all| all["permissions"] = json!({}));
    repo.pw(REPAIR).data();
    let kept = fs::read_to_string(folder.join("settings.old.json")).unwrap();
    assert!(kept.contains("sonnet"), "{kept}");
    // What the repository includes cannot switch the worktrees' settings off: git does not look there.
    fs::write(repo.beside("more"), "[extensions]\n\tworktreeConfig = false\n").unwrap();
    repo.git(&["config", "include.path", "../../more"]);
    assert_eq!(gaps(&repo, 0), [""; 0]);
    assert!(is_guarded(&repo, &repo.worker("task-1-users").path));
}

#[test]
fn what_cannot_be_put_right_is_named_and_the_others_are() {
    let repo = created(THREE);
    let lock = repo.root().join(".git/worktrees/task-1-users/config.worktree.lock");
    fs::write(&lock, "").unwrap();
    for label in ["task-1-users", "task-2-posts"] {
        let config = repo.root().join(format!(".git/worktrees/{label}/config.worktree"));
        fs::write(config, "[core]\n\thooksPath = /dev/null\n").unwrap();
    }
    let worker = worker(&repo, &repo.root(), 0);
    let said = worker["gaps"][0]["message"].as_str().unwrap();
    assert!(said.contains("/dev/null, in ") && said.ends_with("config.worktree"), "{said}");
    let data = repo.pw(REPAIR).data();
    assert_eq!(data["workers"][0]["worker"], "task-2", "{data:#}");
    assert_eq!(data["left"][0]["worker"], "task-1", "{data:#}");
    assert!(data["left"][0]["message"].as_str().unwrap().contains("config.worktree"), "{data:#}");
    fs::remove_file(lock).unwrap();
    repo.pw(REPAIR).data();
    assert_eq!((gaps(&repo, 0), gaps(&repo, 1)), (vec![], vec![]));
    // What is in the environment goes before every file, and repair cannot reach it.
    let mut status = repo.helper(&repo.root(), &["pw-monitor", "status"]);
    status.envs([("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "core.hooksPath")]);
    let status: Answer = status.env("GIT_CONFIG_VALUE_0", "/dev/null").output().unwrap().into();
    let said = status.data()["workers"][0]["gaps"][0]["message"].as_str().unwrap().to_owned();
    assert!(said.starts_with("GIT_CONFIG_KEY_0 in the environment"), "{said}");
}

#[test]
fn who_checkpoints_mends_the_hooks_on_the_way_and_is_told() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    let hooks = ours(&repo, "task-1-users").join("hooks");
    fs::remove_dir_all(&hooks).unwrap();
    users.write("api/users.py", "1");
    let data = users.pw(&["checkpoint", "one"]).data();
    assert_eq!(
        (&data["repaired"][0]["kind"], &data["gaps"]),
        (&json!("hook_missing"), &Value::Null)
    );
    assert!(is_guarded(&repo, &users.path));
    users.git(&["config", "--worktree", "--unset", "core.hooksPath"]);
    let data = users.pw(&["complete", "all"]).data();
    assert_eq!(data["repaired"][0]["kind"], "hooks_path");
    assert!(is_guarded(&repo, &users.path));
}

#[test]
fn what_a_hook_manager_wrote_is_kept_and_runs_beside_the_users_own() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    let log = repo.beside("log");
    let say = |what: &str| {
        format!(
            "#!/bin/sh\n{{ echo \"{what} ${{0##*/}}\"; case ${{0##*/}} in pre-push) cat;; esac; }} >> {}\n",
            log.display()
        )
    };
    let own = repo.root().join(".git/hooks");
    let hooks = ours(&repo, "task-1-users").join("hooks");
    for name in ["pre-commit", "pre-push", "post-commit"] {
        write_program(&own.join(name), &say("own"));
        write_program(&hooks.join(name), &say("manager"));
    }
    // The same as the user's own runs once.
    write_program(&hooks.join("post-commit"), &say("own"));
    repo.follow(&json!(REPAIR));
    users.write("api/users.py", "1");
    users.pw(&["checkpoint", "one"]).data();
    repo.git(&["init", "-q", "--bare", "../remote.git"]);
    users.git(&["push", "-q", "../../../remote.git", "HEAD"]);
    let said = fs::read_to_string(&log).unwrap();
    let (before, pushed) = said.split_at(said.find("manager pre-push").unwrap());
    assert_eq!(before, "manager pre-commit\nown pre-commit\nown post-commit\n");
    let pushed: Vec<&str> = pushed.lines().collect();
    assert_eq!((pushed.len(), pushed[1], pushed[2]), (4, pushed[3], "own pre-push"), "{said}");
    assert!(pushed[1].starts_with("HEAD "), "{said}");

    // A second manager's hook is kept, too, and the first one's is not lost.
    write_program(&hooks.join("pre-commit"), &say("second"));
    repo.follow(&json!(REPAIR));
    let kept = ours(&repo, "task-1-users").join("kept");
    let text = |name: &str| fs::read_to_string(kept.join(name)).unwrap();
    assert!(text("pre-commit").contains("second") && text("pre-commit.1").contains("manager"));
    // Where the repository itself names our folder, nothing runs in a circle.
    repo.git(&["config", "core.hooksPath", hooks.to_str().unwrap()]);
    assert!(is_guarded(&repo, &users.path));
    users.write("api/users.py", "2");
    users.pw(&["checkpoint", "two"]).data();
    assert!(
        fs::read_to_string(&log)
            .unwrap()
            .ends_with("second pre-commit\nown pre-commit\nown post-commit\n")
    );
}

#[test]
fn without_hooks_nothing_is_missed() {
    let repo = created(&format!("{THREE}git_hooks: false\n"));
    assert_eq!(gaps(&repo, 0), [""; 0]);
    assert!(!is_guarded(&repo, &repo.worker("task-1-users").path));
    assert_eq!(repo.pw(REPAIR).data()["workers"], json!([]));
}

#[test]
fn a_repository_that_was_renamed_is_recognised_and_repaired() {
    let mut repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "not committed");
    let new = repo.beside("new");
    mv(repo.root(), &new);
    let users = new.join("worktrees/task-1-users");
    let status = repo.pw_in(&new, &["pw-monitor", "status"]).data();
    assert!(reasons(&repo, &new).contains("worktree_moved"), "{status:#}");
    assert_eq!(status["next"], json!([{"action": "repair", "command": REPAIR}]), "{status:#}");
    let error = repo.pw_in(&new, &["pw-setup", "advance"]).error(3, "in_the_way");
    assert_eq!(error["next"], REPAIR);
    // In the worktree git finds no repository at all.
    let error = repo.pw_in(&users, &["pw-worker", "brief"]).error(3, "not_a_repository");
    assert!(!error["hint"].as_str().unwrap().contains("git init"), "{error:#}");
    let next = error["next"].as_str().unwrap().to_owned();
    assert!(repo.shell(&next).current_dir(&users).status().unwrap().success(), "{next}");

    let status = repo.pw_in(&new, &["pw-monitor", "status"]).data();
    assert_eq!(
        (&status["workers"][0]["gaps"], &status["workers"][0]["state"]),
        (&Value::Null, &json!("starting"))
    );
    assert_eq!(status["workers"][0]["uncommitted"], json!(["api/users.py"]));
    assert!(is_guarded(&repo, &users));
    let folder = new.join(".git/pw/rest-api/task-1-users");
    let settings = fs::read_to_string(folder.join("settings.json")).unwrap();
    let old = repo.root().to_string_lossy().into_owned();
    assert!(settings.contains(users.to_str().unwrap()) && !settings.contains(&format!("{old}/")));
    repo.shim("claude", "pwd > \"$HOME/seen\"");
    let line = format!("sh {}/launch.sh", folder.display());
    assert!(repo.shell(&line).current_dir("/").status().unwrap().success());
    assert_eq!(
        fs::read_to_string(repo.beside("seen")).unwrap().trim_end(),
        users.to_str().unwrap()
    );
}

#[test]
fn after_git_repaired_what_was_renamed_the_guard_is_there() {
    let repo = created(THREE);
    let new = repo.beside("new");
    mv(repo.root(), &new);
    let places = ["task-1-users", "task-2-posts", "task-3-docs"]
        .map(|label| new.join("worktrees").join(label));
    let words = places.iter().map(|path| path.to_str().unwrap());
    let words: Vec<&str> = ["worktree", "repair"].into_iter().chain(words).collect();
    repo.git_in(&new, &words);
    assert!(is_guarded(&repo, &places[0]));
    // The settings of its session name the old place.
    assert_eq!(worker(&repo, &new, 0)["gaps"][0]["kind"], "launcher");
    repo.pw_in(&new, &["pw-setup", "repair"]).data();
    assert_eq!(worker(&repo, &new, 0)["gaps"], Value::Null);
}

#[test]
fn a_copy_leaves_the_original_alone_and_can_be_made_its_own() {
    let mut repo = created(THREE);
    repo.shim("claude", "pwd >> \"$HOME/seen\"");
    let copy = repo.beside("copy");
    copy_all(&repo.root(), &copy);
    let users = copy.join("worktrees/task-1-users");
    // Git takes the copied worktree for the original's: nothing of ours goes on there.
    let commit = ["commit", "-q", "--allow-empty", "-m", "in a copy"];
    assert!(!repo.try_git(&users, &commit).status.success());
    let before = repo.fingerprint();
    let (launch, repair) =
        (copy.join(".git/pw/rest-api/task-1-users/launch.sh"), ["pw-setup", "repair"]);
    let start = || repo.shell(&format!("sh {}", launch.display())).status().unwrap().success();
    assert!(reasons(&repo, &copy).contains("worktree_moved"));
    assert!(!start());
    repo.pw_in(&users, &["pw-worker", "brief"]).error(3, "not_a_worker");
    repo.pw_in(&copy, &["pw-setup", "create", "plan.yaml"]).error(3, "in_the_way");
    repo.pw_in(&copy, &["pw-integrate", "cleanup"]).data();
    let data = repo.pw_in(&copy, &repair).data();
    assert_eq!(data["workers"].as_array().unwrap().len(), 3, "{data:#}");
    assert!(start());
    assert_eq!(
        fs::read_to_string(repo.beside("seen")).unwrap().trim_end(),
        users.to_str().unwrap()
    );
    fs::create_dir_all(users.join("api")).unwrap();
    fs::write(users.join("api/users.py"), "1").unwrap();
    repo.pw_in(&users, &["pw-worker", "checkpoint", "in the copy"]).data();
    assert!(is_guarded(&repo, &users));
    let changed: Vec<_> = repo
        .fingerprint()
        .into_iter()
        .filter(|(path, now)| before.get(path) != Some(now))
        .collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert_eq!(worker(&repo, &repo.root(), 0)["state"], "starting");
}

#[expect(clippy::disallowed_methods, reason = "copies links and modes")]
pub(crate) fn copy_all(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

#[test]
fn what_the_user_made_at_the_place_of_a_moved_worktree_is_the_users() {
    let repo = created(TWO);
    let place = repo.worker("a-x");
    let path = place.path.to_str().unwrap();
    repo.git(&["worktree", "unlock", path]);
    repo.git(&["worktree", "move", path, "../away"]);
    repo.git(&["worktree", "add", "-q", path, "-b", "own"]);
    place.pw(&["brief"]).error(3, "not_a_worker");
    let status = repo.pw("pw-monitor status").data();
    assert!(reasons(&repo, &repo.root()).contains("worktree_moved"), "{status:#}");
    assert!(!status["next"].to_string().contains("a-x/launch.sh"), "{status:#}");
    let repaired = repo.pw(REPAIR.replace("rest-api", "two").as_str()).data();
    assert!(repaired["left"].to_string().contains("worktrees/a-x"), "{repaired:#}");
    assert!(repo.try_git(&place.path, &["config", "core.hooksPath"]).stdout.is_empty());
}

#[test]
fn a_worktree_that_was_moved_is_found_and_brought_back() {
    let moves: &[fn(&TestRepo) -> &'static str] = &[
        |repo| {
            mv(repo.root().join("worktrees"), repo.root().join("elsewhere"));
            "elsewhere/a-x"
        },
        |repo| {
            mv(repo.root().join("worktrees"), repo.beside("outside"));
            "../outside/a-x"
        },
        |repo| {
            mv(repo.worker("a-x").path, repo.root().join("worktrees/other"));
            "worktrees/other"
        },
        |repo| {
            mv(repo.worker("a-x").path, repo.beside("alone"));
            "../alone"
        },
        |repo| {
            let path = repo.worker("a-x").path.to_str().unwrap().to_owned();
            repo.git(&["worktree", "unlock", &path]);
            repo.git(&["worktree", "move", &path, "../by-git"]);
            "../by-git"
        },
        |repo| {
            mv(repo.worker("a-x").path, repo.beside("repaired"));
            repo.git(&["worktree", "repair", "../repaired"]);
            "../repaired"
        },
    ];
    for (number, moved) in rows(moves).enumerate() {
        let repo = created(TWO);
        let place = repo.worker("a-x");
        place.write("a", "not committed");
        let there = repo.root().join(moved(&repo));
        // A session that works there is told, and held to nothing less.
        let error = repo.pw_in(&there, &["pw-worker", "brief"]).error(3, "not_a_worker");
        assert_eq!(error["next"], "pw-setup repair two", "{number}: {error:#}");
        // From another depth, git does not find its hooks: then the monitor alone says it.
        if number == 0 || number == 2 {
            assert!(is_guarded(&repo, &there), "{number}");
        }
        let status = repo.pw("pw-monitor status").data();
        assert!(reasons(&repo, &repo.root()).contains("worktree_moved"), "{number}: {status:#}");
        for command in ["pw-setup advance", "pw-setup create plan.yaml"] {
            let error = repo.pw(command).error(3, "in_the_way");
            assert_eq!(error["next"], "pw-setup repair two", "{number}: {error:#}");
        }
        repo.follow(&status["next"][0]["command"]);
        assert_eq!(repo.read("worktrees/a-x/a"), "not committed", "{number}");
        assert_eq!(worker(&repo, &repo.root(), 0)["gaps"], Value::Null, "{number}");
        place.pw(&["checkpoint", "one"]).data();
        assert!(is_guarded(&repo, &place.path), "{number}");
    }
}

#[test]
fn a_link_in_the_old_place_or_for_the_worktrees_changes_nothing() {
    let repo = created(TWO);
    let new = repo.beside("new");
    mv(repo.root(), &new);
    symlink(&new, repo.root()).unwrap();
    for root in [&new, &repo.beside("repo")] {
        let status = repo.pw_in(root, &["pw-monitor", "status"]).data();
        assert_eq!(status["workers"][0]["state"], "starting", "{status:#}");
        assert!(is_guarded(&repo, &root.join("worktrees/a-x")));
    }
    repo.pw_in(&new.join("worktrees/a-x"), &["pw-worker", "brief"]).data();

    let repo = created(TWO);
    mv(repo.root().join("worktrees"), repo.beside("disk"));
    symlink(repo.beside("disk"), repo.root().join("worktrees")).unwrap();
    repo.pw("pw-setup repair").data();
    assert_eq!(worker(&repo, &repo.root(), 0)["gaps"], Value::Null);
    assert!(is_guarded(&repo, &repo.worker("a-x").path));
}

#[test]
fn what_is_not_its_worktree_is_left_alone_and_said() {
    let repo = created(TWO);
    let place = repo.worker("a-x");
    fs::remove_dir_all(&place.path).unwrap();
    let data = repo.pw("pw-setup repair").data();
    assert!(
        data["left"][0]["message"].as_str().unwrap().contains("pw-setup advance two"),
        "{data:#}"
    );
    fs::create_dir(&place.path).unwrap();
    place.git(&["init", "-q"]);
    place.write("precious", "x");
    let data = repo.pw("pw-setup repair").data();
    assert!(data["left"][0]["message"].as_str().unwrap().contains("move it away"), "{data:#}");
    assert_eq!(repo.read("worktrees/a-x/precious"), "x");

    let repo = self::repo(TWO);
    repo.pw("pw-setup repair").error(3, "unknown_workflow");
}

#[test]
fn a_hooks_folder_that_is_a_link_is_replaced_and_what_it_led_to_stays() {
    for shared in [true, false] {
        let repo = created(THREE);
        let place = repo.worker("task-1-users").path;
        let theirs = match shared {
            true => repo.root().join(".git/hooks"),
            false => place.join("githooks"),
        };
        fs::create_dir_all(&theirs).unwrap();
        fs::write(theirs.join("pre-commit"), "#!/bin/sh\necho theirs\n").unwrap();
        let hooks = ours(&repo, "task-1-users").join("hooks");
        fs::remove_dir_all(&hooks).unwrap();
        std::os::unix::fs::symlink(&theirs, &hooks).unwrap();
        repo.pw("pw-setup repair").data();
        let kept: Vec<_> = fs::read_dir(&theirs).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(
            kept.iter().filter(|name| !name.to_str().unwrap().ends_with(".sample")).count(),
            1
        );
        assert_eq!(
            fs::read_to_string(theirs.join("pre-commit")).unwrap(),
            "#!/bin/sh\necho theirs\n"
        );
        assert!(is_guarded(&repo, &place) && !hooks.is_symlink());
    }
}
