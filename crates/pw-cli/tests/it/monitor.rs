//! `pw-monitor` against real git.

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::{START, TestRepo};
use serde_json::{Value, json};

use crate::{created, repo};

fn status(repo: &TestRepo) -> Value {
    repo.pw("pw-monitor status").data()
}

fn states(status: &Value) -> Vec<&str> {
    status["workers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|worker| worker["state"].as_str().unwrap())
        .collect()
}

#[test]
fn workers_are_watched_through_their_commit_subjects() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    assert_eq!(states(&status(&repo)), ["starting", "starting", "starting"]);

    users.write("api/users.py", "1").commit("[CHECKPOINT] model");
    posts.write("api/posts.py", "1").commit("[NEEDS:task-1/UserModel] for authors");
    repo.worker("task-3-docs").commit("[BLOCKED:no style guide] asked");
    let now = status(&repo);
    assert_eq!(states(&now), ["in_progress", "waiting", "blocked"]);
    assert_eq!(
        now["workers"][1]["waits_for"],
        json!({"worker": "task-1", "item": "UserModel", "satisfied": false})
    );
    assert_eq!(now["workers"][2]["signal"]["reason"], "no style guide");

    users.commit("[COMPLETE] all routes");
    let now = status(&repo);
    assert_eq!(states(&now), ["complete", "waiting", "blocked"]);
    assert_eq!(now["workers"][0]["ready"], true);
    assert_eq!(now["workers"][1]["waits_for"]["satisfied"], true);

    users.write("api/users.py", "2").commit("one more thing");
    assert_eq!(states(&status(&repo)), ["reopened", "waiting", "blocked"]);
}

#[test]
fn order_is_topology_and_ages_are_never_negative() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.git(&[
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "[COMPLETE] done",
        "--date",
        "2128-01-01T00:00:00Z",
    ]);
    let words = ["pw-monitor", "status", "--now", &START.to_string()];
    let early = repo.pw_in(&repo.root(), &words).data();
    assert_eq!(early["workers"][0]["signal"]["age_seconds"], 0);
    assert_eq!(states(&early), ["complete", "starting", "starting"]);
}

#[test]
fn who_shows_nothing_for_long_is_stalled_and_who_is_done_is_not() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    let posts = repo.worker("task-2-posts");
    posts.write("api/posts.py", "1").commit("[CHECKPOINT] posts");
    let at = |seconds: i64| {
        let created = repo.git(&["log", "-1", "--format=%ct", "refs/pw/rest-api/record"]);
        let now = created.parse::<i64>().unwrap() + seconds;
        let words = ["pw-monitor", "status", "--now", &now.to_string()];
        let workers = repo.pw_in(&repo.root(), &words).data()["workers"].clone();
        [0, 1].map(|worker| workers[worker]["stall"].clone())
    };
    assert_eq!(at(29 * 60), [Value::Null, Value::Null]);
    let [complete, stalled] = at(30 * 60);
    assert_eq!((complete, &stalled["cause"]), (Value::Null, &json!("unknown")));
    assert_eq!(stalled["since_seconds"], 30 * 60);
    assert_eq!(stalled["remedy"], "pw-setup launch task-2 --workflow rest-api");
}

#[test]
fn near_misses_are_listed_with_their_fix_and_never_count() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.commit("[complete] done").commit("fix: [BLOCKED:x] y");
    let worker = &status(&repo)["workers"][0];
    assert_eq!(worker["state"], "in_progress");
    let fixes: Vec<&Value> =
        worker["near_misses"].as_array().unwrap().iter().map(|miss| &miss["fix"]).collect();
    assert_eq!(fixes, ["[BLOCKED:x] y", "[COMPLETE] done"]);
    // A signal that counts settles what was meant before.
    users.commit("[CHECKPOINT] said properly").commit("[done] now?");
    let worker = status(&repo)["workers"][0].clone();
    assert_eq!(worker["near_misses"].as_array().unwrap().len(), 1, "{worker:#}");
}

#[test]
fn everything_that_keeps_a_complete_worker_from_merging_is_named() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").write("api/posts.py", "not mine").commit("[COMPLETE] done");
    users.write("api/users.py", "2").write("junk", "x");
    users.git(&["switch", "-q", "--detach"]);
    let worker = status(&repo)["workers"][0].clone();
    assert_eq!((&worker["state"], &worker["ready"]), (&json!("complete"), &json!(false)));
    assert_eq!(worker["uncommitted"], json!(["api/users.py", "junk"]));
    assert_eq!(worker["out_of_scope"], json!(["api/posts.py", "junk"]));
    let kinds: Vec<&Value> =
        worker["reasons"].as_array().unwrap().iter().map(|reason| &reason["kind"]).collect();
    assert_eq!(kinds, ["dirty_tree", "wrong_branch", "out_of_scope"]);
}

#[test]
fn files_in_new_folders_are_told_one_by_one_however_many_there_are() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.git(&["init", "-q", "new/own"]);
    users.write("new/own/x", "").write("new/a", "").write("api/users/[b] ?/c d", "");
    let open = json!(["api/users/[b] ?/c d", "new/a", "new/own/"]);
    assert_eq!(status(&repo)["workers"][0]["uncommitted"], open);

    // So many that the whole worktree is asked about again, and not all are told.
    for folder in 0..200 {
        users.write(&format!("{folder:03}/f"), "");
        repo.write(&format!("unseen/{folder:03}"), "");
    }
    let now = status(&repo);
    let worker = &now["workers"][0];
    let open = worker["uncommitted"].as_array().unwrap();
    assert_eq!((open.len(), &open[99], &worker["unlisted"]), (100, &json!("099/f"), &json!(206)));
    assert_eq!(worker["out_of_scope"].as_array().unwrap().len(), 100);
    assert_eq!((now["unseen"].as_array().unwrap().len(), &now["unlisted"]), (100, &json!(100)));
}

#[test]
fn a_change_outside_the_scope_that_is_undone_is_forgiven() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("stray", "x").commit("[CHECKPOINT] oops");
    assert_eq!(status(&repo)["workers"][0]["out_of_scope"], json!(["stray"]));
    users.git(&["rm", "-q", "stray"]);
    users.commit("[COMPLETE] removed again");
    let worker = &status(&repo)["workers"][0];
    assert_eq!((&worker["out_of_scope"], &worker["ready"]), (&json!([]), &json!(true)));
}

#[test]
fn what_a_worker_took_over_from_others_is_not_its_own() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    // Fast-forward inherits neither the files nor the signal, a merge neither.
    let posts = repo.worker("task-2-posts");
    posts.git(&["merge", "-q", "--ff-only", "work/task-1-users"]);
    let docs = repo.worker("task-3-docs");
    docs.write("docs/a", "1").commit("[CHECKPOINT] a");
    docs.git(&["merge", "-q", "--no-edit", "work/task-1-users"]);
    let now = status(&repo);
    assert_eq!(states(&now), ["complete", "starting", "in_progress"]);
    assert_eq!(now["workers"][1]["out_of_scope"], json!([]));
    assert_eq!(now["workers"][2]["out_of_scope"], json!([]));

    // What a merge changes on its own counts.
    docs.git(&["reset", "-q", "--hard", "HEAD~1"]);
    docs.git(&["merge", "-q", "--no-commit", "--no-ff", "work/task-1-users"]);
    docs.write("api/users.py", "evil").commit("Merge users");
    assert_eq!(status(&repo)["workers"][2]["out_of_scope"], json!(["api/users.py"]));
}

#[test]
fn operations_lost_folders_and_foreign_folders_are_seen() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").commit("[COMPLETE] done");
    users.git(&["commit", "-q", "--allow-empty", "--amend", "-m", "[COMPLETE] done"]);
    assert!(
        !repo.try_git(&users.path, &["rebase", "-q", "--exec", "false", "main"]).status.success()
    );
    let kinds = |status: &Value| -> Vec<String> {
        let reasons = status["workers"][0]["reasons"].as_array().unwrap().clone();
        reasons.iter().map(|reason| reason["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&status(&repo)), ["operation_in_progress", "wrong_branch"]);
    users.git(&["rebase", "--abort"]);

    // Without its `.git`, git would answer for the user's own checkout: clean.
    std::fs::remove_file(users.path.join(".git")).unwrap();
    let broken = status(&repo);
    assert_eq!(states(&broken)[0], "missing");
    assert_eq!(broken["next"][0]["action"], "repair");
    repo.follow(&broken["next"][0]["command"]);
    assert_eq!(states(&status(&repo))[0], "complete");
    std::fs::remove_dir_all(&repo.worker("task-2-posts").path).unwrap();
    assert_eq!(states(&status(&repo))[1], "missing");
}

#[test]
fn collisions_are_predicted_and_deadlocks_named() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("shared.txt", "users\n").commit("[NEEDS:task-2/x] a");
    repo.worker("task-2-posts").write("shared.txt", "posts\n").commit("[NEEDS:task-1/y] b");
    let now = status(&repo);
    let [conflict] = &now["conflicts"].as_array().unwrap()[..] else { panic!("{now:#}") };
    assert_eq!(
        (&conflict["workers"], &conflict["paths"]),
        (&json!(["task-1", "task-2"]), &json!(["shared.txt"]))
    );
    assert_eq!(now["deadlocks"], json!([["task-1", "task-2"]]));
}

/// Who waits, how that can end, and who has to move first.
fn waits(status: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let line = |wait: &Value| {
        let stuck: Vec<String> = wait["stuck_on"].as_array().unwrap().iter().map(word).collect();
        format!("{} {} {}", word(&wait["worker"]), word(&wait["outlook"]), stuck.join(","))
            .trim_end()
            .to_owned()
    };
    status["waiting"].as_array().unwrap().iter().map(line).collect()
}

#[test]
fn every_wait_says_how_it_can_end() {
    let repo = created(WAVES);
    let (base, side) = (repo.worker("base-model"), repo.worker("side-extra"));
    assert_eq!(waits(&status(&repo)), ["top moving"]);

    base.commit("[NEEDS:top/Page] what does it show?");
    let now = status(&repo);
    assert!(waits(&now).contains(&"base deadlock".to_owned()), "{now:#}");
    let next = now["next"].as_array().unwrap().iter();
    let decide: Vec<&Value> = next.filter(|step| step["action"] == "decide").collect();
    // The other has no branch yet, so there is nothing of it to read.
    assert_eq!((decide.len(), &decide[0]["worker"]), (1, &json!("base")), "{now:#}");
    base.commit("[CHECKPOINT] on");

    side.commit("[NEEDS:base/Model] for the colours");
    assert_eq!(waits(&status(&repo)), ["side moving", "top moving"]);

    base.commit("[BLOCKED:no schema] which database?");
    assert_eq!(waits(&status(&repo)), ["side stuck base", "top stuck base"]);

    base.commit("[NEEDS:side/Colours] to go on");
    assert_eq!(waits(&status(&repo)), ["base deadlock", "side deadlock", "top stuck base,side"]);

    side.commit("[NEEDS:nobody/Fonts] whoever that is");
    assert_eq!(waits(&status(&repo)), ["base stuck side", "side unknown_worker", "top stuck side"]);

    base.commit("[COMPLETE] without colours");
    side.commit("[NEEDS:base/Model] again");
    assert_eq!(waits(&status(&repo)), ["side satisfied", "top stuck side"]);

    side.commit("[COMPLETE] done");
    assert_eq!(waits(&status(&repo)), ["top satisfied"]);
}

#[test]
fn what_happens_outside_the_workers_is_told() {
    let repo = created(THREE);
    let now = status(&repo);
    assert_eq!(now["base"]["moved"], false);
    assert_eq!(now["unseen"], json!([]));

    repo.write("docs/guide.md", "main's own");
    repo.commit("main moves on");
    repo.write("api/users.py", "not committed");
    let now = status(&repo);
    assert_eq!(now["drift"]["commits"], 1);
    assert_eq!(now["drift"]["rewritten"], false);
    assert_eq!(now["drift"]["touches"], json!([{"worker": "task-3", "paths": ["docs/guide.md"]}]));
    assert_eq!(now["unseen"], json!(["api/users.py"]));
    assert!(repo.pw("pw-monitor status --no-worktrees").data().get("unseen").is_none());

    repo.git(&["commit", "--quiet", "--amend", "--message", "main"]);
    repo.git(&[
        "update-ref",
        "refs/heads/main",
        repo.git(&["commit-tree", "HEAD^{tree}", "-m", "x"]).trim(),
    ]);
    assert_eq!(status(&repo)["drift"]["rewritten"], true);
}

#[test]
fn paths_of_any_bytes_survive() {
    use std::os::unix::ffi::OsStrExt as _;
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    std::fs::write(users.path.join(std::ffi::OsStr::from_bytes(b"caf\xe9 \n\x1b")), "x").unwrap();
    let answer = repo.pw("pw-monitor status");
    assert_eq!(answer.data()["workers"][0]["uncommitted"], json!(["\"caf\\351 \\n\\033\""]));
    let view = repo.pw("pw-monitor status --format human").stdout;
    assert!(!view.contains('\u{1b}'), "{view:?}");
}

#[test]
fn looking_leaves_no_trace() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").write("shared.txt", "a").commit("[CHECKPOINT] a");
    repo.worker("task-2-posts").write("shared.txt", "b").commit("[COMPLETE] b");
    users.write("api/users.py", "2");
    let before = repo.fingerprint();
    for command in [
        "pw-monitor status",
        "pw-monitor wait --timeout 0s",
        "pw-integrate check",
        "pw-integrate preview",
        "pw-retro report",
        "pw-setup list",
    ] {
        repo.pw(command).data();
        assert!(repo.fingerprint() == before, "{command} changed something");
    }
    users.pw(&["brief"]).data();
    assert!(repo.fingerprint() == before, "brief changed something");
}

#[test]
fn what_a_merge_of_three_changes_on_its_own_counts() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    repo.worker("task-2-posts").write("api/posts.py", "1").commit("[COMPLETE] posts");
    let docs = repo.worker("task-3-docs");
    docs.write("docs/a", "1").commit("[CHECKPOINT] a");
    docs.git(&["merge", "-q", "-m", "three", "work/task-1-users", "work/task-2-posts"]);
    assert_eq!(status(&repo)["workers"][2]["out_of_scope"], json!([]));
    docs.write("api/users.py", "evil").write("docs/b", "1");
    docs.git(&["add", "--all"]);
    docs.git(&["commit", "-q", "--amend", "--no-edit", "--no-verify"]);
    assert_eq!(status(&repo)["workers"][2]["out_of_scope"], json!(["api/users.py"]));
}

#[test]
fn the_number_of_git_processes_depends_on_worktrees_alone() {
    let mut repo = repo(THREE);
    let log = repo.beside("calls");
    repo.pw("pw-setup create plan.yaml").data();
    repo.shim_git(&format!("echo call >> {}\nexec $GIT \"$@\"", log.display()));
    let count = |repo: &TestRepo, command: &str| {
        let _ = std::fs::remove_file(&log);
        repo.pw(command).data();
        std::fs::read_to_string(&log).unwrap().lines().count()
    };
    repo.commit("main moves on");
    let few = count(&repo, "pw-monitor status");
    for number in 0..20 {
        repo.worker("task-1-users")
            .write("api/users.py", &number.to_string())
            .commit("[CHECKPOINT] more");
        repo.commit("main moves on");
    }
    let many = count(&repo, "pw-monitor status");
    assert_eq!((few, many), (8 + 3, 8 + 3));
    assert_eq!(count(&repo, "pw-monitor status --no-worktrees"), 6);
    // Workers that could collide cost one process more, for all pairs together, and one to quote.
    repo.worker("task-1-users").write("shared.txt", "1").commit("a");
    repo.worker("task-2-posts").write("shared.txt", "2").commit("b");
    assert_eq!(count(&repo, "pw-monitor status"), 10 + 3);
    // A worker is told of itself; no process looks into the others' worktrees for that.
    assert_eq!(count(&repo, "pw-worker -C worktrees/task-1-users brief"), 7 + 1);
}

#[test]
fn a_hooks_environment_does_not_lead_git_astray() {
    let repo = created(THREE);
    let mut command = repo.helper(&repo.root(), &["pw-monitor", "status"]);
    command
        .env("GIT_DIR", "/nowhere")
        .env("GIT_INDEX_FILE", "/nowhere/index")
        .env("GIT_WORK_TREE", "/");
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "core.bare")
        .env("GIT_CONFIG_VALUE_0", "true");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn odd_configuration_changes_no_answer() {
    let repo = created(THREE);
    repo.worker("task-1-users")
        .write("api/users.py", "1")
        .commit("[COMPLETE] done")
        .write("junk", "");
    let plain = repo.pw("pw-monitor status --now 1750009999").data();
    for setting in [
        "status.showUntrackedFiles=no",
        "status.relativePaths=true",
        "diff.renames=copies",
        "diff.relative=true",
        "diff.orderFile=/missing",
        "log.showSignature=true",
        "format.pretty=oneline",
        "color.ui=always",
        "core.quotePath=true",
        "log.date=relative",
        "log.mailmap=true",
        "diff.noprefix=true",
        "merge.renames=false",
        "log.follow=true",
        "core.abbrev=4",
        "status.branch=true",
        "diff.ignoreSubmodules=all",
    ] {
        let (key, value) = setting.split_once('=').unwrap();
        repo.git(&["config", key, value]);
        assert_eq!(repo.pw("pw-monitor status --now 1750009999").data(), plain, "{setting}");
        repo.git(&["config", "--unset", key]);
    }
}

#[test]
fn nobody_is_complete_by_being_moved_onto_somebody_elses_signal() {
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    // Nothing but shared files and empty commits: the scopes cannot tell whose they are.
    users.write("shared.txt", "1").commit("[COMPLETE] users");
    posts.git(&["merge", "-q", "--ff-only", "work/task-1-users"]);
    let now = status(&repo);
    assert_eq!(
        (&now["workers"][1]["ready"], &now["workers"][1]["reasons"][0]["kind"]),
        (&json!(false), &json!("contested"))
    );

    // Where they can tell, the other may even have gone on since.
    let repo = created(THREE);
    let (users, posts) = (repo.worker("task-1-users"), repo.worker("task-2-posts"));
    users.write("api/users.py", "1").commit("[CHECKPOINT] users");
    posts.git(&["merge", "-q", "--ff-only", "work/task-1-users"]);
    posts.write("api/posts.py", "1").commit("[COMPLETE] posts");
    users.write("api/users.py", "2").commit("[COMPLETE] users");
    let now = status(&repo);
    assert_eq!(states(&now), ["complete", "complete", "starting"]);
    assert_eq!(
        (&now["workers"][0]["ready"], &now["workers"][1]["ready"]),
        (&json!(true), &json!(true))
    );
}

#[test]
fn work_that_somebody_landed_by_hand_is_integrated() {
    for how in ["--ff-only", "--no-ff"] {
        let repo = created(THREE);
        repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
        repo.git(&["merge", "-q", how, "--no-edit", "work/task-1-users"]);
        // Pulling that is not landing.
        repo.worker("task-2-posts").git(&["merge", "-q", "--ff-only", "main"]);
        let now = status(&repo);
        assert_eq!(states(&now)[0], "integrated", "{how}");
    }
}

#[test]
fn one_worker_without_a_common_history_keeps_nobody_else_from_being_seen() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("shared.txt", "1").commit("[COMPLETE] a");
    let posts = repo.worker("task-2-posts");
    posts.git(&["checkout", "-q", "--orphan", "other"]);
    posts.write("shared.txt", "2").commit("[COMPLETE] b");
    posts.git(&["branch", "-q", "-M", "work/task-2-posts"]);
    assert_eq!(status(&repo)["workers"][0]["ready"], true);
    repo.pw("pw-integrate preview").data();
    repo.pw("pw-retro report").data();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn people_see_what_a_worker_asks_and_what_stopped_an_integration() {
    let shown =
        |repo: &pw_testkit::repo::TestRepo| repo.pw("pw-monitor status --format human").stdout;
    let repo = created(THREE);
    repo.worker("task-2-posts").pw(&["blocked", "which database?", "both are configured"]).data();
    let text = shown(&repo);
    assert!(text.contains("task-2 asks: which database? \u{2013} both are configured"), "{text}");

    // A stopped merge: the folder and the files. It is known to agents, too.
    let repo = created(THREE);
    crate::complete_all(&repo);
    repo.worker("task-1-users").write("shared.txt", "a\n").commit("[COMPLETE] a");
    repo.worker("task-2-posts").write("shared.txt", "b\n").commit("[COMPLETE] b");
    repo.pw("pw-integrate run").error(4, "merge_conflict");
    let unresolved = repo.pw("pw-monitor status").data()["integration"]["unresolved"].clone();
    let worktree = unresolved["worktree"].as_str().unwrap();
    assert_eq!(unresolved["paths"], serde_json::json!(["shared.txt"]));
    assert!(repo.root().join(worktree).join("shared.txt").is_file());
    assert!(
        shown(&repo).contains(&format!("in {worktree}: resolve shared.txt")),
        "{}",
        shown(&repo)
    );
    repo.git_in(&repo.root().join(worktree), &["checkout", "--ours", "shared.txt"]);
    repo.git_in(&repo.root().join(worktree), &["add", "shared.txt"]);
    assert!(shown(&repo).contains("no file is unmerged any more"), "{}", shown(&repo));
    repo.git(&["worktree", "unlock", worktree]);
    repo.git(&["worktree", "remove", "--force", worktree]);
    assert!(shown(&repo).contains("its worktree is gone"), "{}", shown(&repo));

    // A red gate: the end of what it printed.
    let repo = created(&format!("{THREE}verify: \"seq 30; echo wrong; false\"\n"));
    crate::complete_all(&repo);
    repo.pw("pw-integrate run").error(4, "gate_failed");
    let text = shown(&repo);
    assert!(text.contains("does not pass") && text.contains("    | wrong\n"), "{text}");
    assert!(text.contains("| 25\n") && !text.contains("| 15\n"), "{text}");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_was_rewritten_after_it_was_merged_leads_to_what_it_adds() {
    let repo = created(THREE);
    for (label, file) in [
        ("task-1-users", "api/users.py"),
        ("task-2-posts", "api/posts.py"),
        ("task-3-docs", "docs/a"),
    ] {
        repo.worker(label).write(file, "1").commit("[CHECKPOINT] half");
        repo.worker(label).git(&["commit", "-q", "--allow-empty", "-m", "[COMPLETE] all"]);
    }
    repo.pw("pw-integrate run").data();
    let users = repo.worker("task-1-users");
    let adds = || {
        let look = repo.follow(&status(&repo)["next"][0]["command"]);
        String::from_utf8(look.stdout).unwrap()
    };
    users.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "[COMPLETE] other words"]);
    assert_eq!(adds(), "");
    users.write("api/users.py", "2").git(&["add", "api"]);
    users.git(&["commit", "-q", "--amend", "-m", "[COMPLETE] more"]);
    assert!(adds().ends_with("[COMPLETE] more\n") && adds().lines().count() == 1, "{}", adds());

    // Onto a base that the user rewrote, nothing lands by itself.
    users.git(&["reset", "-q", "--hard", "HEAD@{2}"]);
    let land = |repo: &TestRepo| status(repo)["next"][1].clone();
    assert_eq!(land(&repo)["action"], "land");
    repo.git(&["commit", "-q", "--amend", "-m", "rewritten"]);
    assert_eq!(land(&repo)["action"], "land by hand");
    repo.follow(&land(&repo)["command"]);
}
