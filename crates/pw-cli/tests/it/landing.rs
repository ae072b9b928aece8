//! Is it in already? However the user took the result, it is landed once.

use std::path::Path;

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::TestRepo;
use pw_testkit::rows::rows;
use serde_json::json;

use crate::created;

/// All three workers are integrated, one of them in a file that is there already.
fn integrated() -> TestRepo {
    let repo = crate::repo(THREE);
    repo.write("api/users.py", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    repo.commit("users");
    repo.pw("pw-setup create plan.yaml").data();
    repo.worker("task-1-users").write("api/users.py", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n");
    repo.worker("task-2-posts").write("api/posts.py", "posts\n");
    repo.worker("task-3-docs").write("docs/a.md", "docs\n");
    for label in ["task-1-users", "task-2-posts", "task-3-docs"] {
        repo.worker(label).commit("[CHECKPOINT] half").commit("[COMPLETE] all");
    }
    repo.pw("pw-integrate run").data();
    repo
}

/// The user takes the result into the base branch in one of many ways.
fn take(repo: &TestRepo, how: &str) {
    let pick = || {
        let range = ["rev-list", "--reverse", "--no-merges", "main..integration/rest-api"];
        for commit in repo.git(&range).lines() {
            repo.git(&["cherry-pick", "--allow-empty", "--keep-redundant-commits", commit]);
        }
    };
    let squash = || {
        repo.git(&["merge", "-q", "--squash", "integration/rest-api"]);
        repo.git(&["commit", "-q", "-m", "rest api (#1)"]);
    };
    let commit = |path: &str, text: &str| {
        repo.write(path, text);
        repo.git(&["add", path]);
        repo.git(&["commit", "-q", "-m", path]);
    };
    match how {
        "squash" => squash(),
        "squash after others' commits" => {
            commit("other", "1");
            squash();
        }
        "squash, then changes of the same lines" => {
            squash();
            commit("api/users.py", "1\n2\n3\n4\nFIVE\n6\n7\n8\n9\n");
            commit("docs/a.md", "rewritten\n");
        }
        "squash, then a renamed file" => {
            squash();
            repo.git(&["mv", "api/posts.py", "api/articles.py"]);
            repo.git(&["commit", "-q", "-m", "renamed"]);
        }
        "pick" => pick(),
        "pick with commits between, then changes of the same lines" => {
            commit("other", "1");
            pick();
            commit("api/users.py", "1\n2\n3\n4\nFIVE\n6\n7\n8\n9\n");
        }
        "merge" => drop(repo.git(&["merge", "-q", "--no-ff", "--no-edit", "integration/rest-api"])),
        "squash on a renamed base" => {
            squash();
            repo.git(&["branch", "-q", "-m", "main", "trunk"]);
        }
        how => panic!("{how}"),
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_result_that_is_in_the_base_is_landed_and_never_lands_twice() {
    for how in rows(&[
        "squash",
        "squash after others' commits",
        "squash, then changes of the same lines",
        "squash, then a renamed file",
        "pick",
        "pick with commits between, then changes of the same lines",
        "squash on a renamed base",
    ]) {
        let repo = integrated();
        take(&repo, how);
        let head = repo.git(&["rev-parse", "HEAD"]);
        let status = repo.pw("pw-monitor status").data();
        assert_eq!(status["integration"]["landed"], true, "{how}: {:#}", status["next"]);
        assert!(!status["next"].to_string().contains("finish"), "{how}");
        let options =
            if *how == "squash" { [" --merge", " --ff-only", " --pr"].as_slice() } else { &[""] };
        for option in options {
            let error =
                repo.pw(&format!("pw-integrate finish{option}")).error(3, "nothing_to_land");
            repo.follow(&json!(format!("{} --dry-run", error["next"].as_str().unwrap())));
        }
        assert_eq!(repo.git(&["rev-parse", "HEAD"]), head, "{how}");
        assert_eq!(repo.pw("pw-integrate run").data()["newer"], json!([]), "{how}");
        let cleanup = repo.pw("pw-integrate cleanup").data();
        assert_eq!(cleanup["kept"], json!([]), "{how}");
        // From here on the record tells.
        repo.pw("pw-integrate finish").error(3, "nothing_to_land");
        let status = repo.pw("pw-monitor status").data();
        assert_eq!(status["integration"]["landed"], true, "{how}");
    }
}

#[test]
fn a_result_of_which_only_a_part_is_in_the_base_still_lands() {
    let repo = integrated();
    repo.git(&["checkout", "-q", "integration/rest-api", "--", "api/posts.py", "docs"]);
    repo.git(&["commit", "-q", "-m", "two of three"]);
    assert_eq!(repo.pw("pw-monitor status").data()["integration"]["landed"], false);
    assert_eq!(repo.pw("pw-integrate finish --merge").data()["landed"], "merge");
    assert!(repo.read("api/users.py").contains("five"));
    // What was landed and then taken back by the user lands anew.
    repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(repo.pw("pw-monitor status").data()["integration"]["landed"], false);
    assert_eq!(repo.pw("pw-integrate finish --merge").data()["landed"], "merge");
}

#[test]
fn a_renamed_base_is_followed() {
    let repo = integrated();
    repo.git(&["branch", "-q", "-m", "main", "trunk"]);
    assert_eq!(repo.pw("pw-monitor status").data()["base"]["branch"], "trunk");
    let data = repo.pw("pw-integrate finish").data();
    assert_eq!((&data["base"], &data["landed"]), (&json!("trunk"), &json!("fast_forward")));
    assert_eq!(repo.pw("pw-integrate finish").data()["landed"], "already");
}

#[test]
fn a_worker_whose_branch_the_user_squashed_is_not_merged_again() {
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    repo.worker("task-2-posts").write("api/posts.py", "1").commit("[CHECKPOINT] half");
    for branch in ["work/task-1-users", "work/task-2-posts"] {
        repo.git(&["merge", "-q", "--squash", branch]);
        repo.git(&["commit", "-q", "-m", "squashed"]);
    }
    repo.write("api/users.py", "2");
    repo.git(&["commit", "-q", "-am", "the same line"]);
    let status = repo.pw("pw-monitor status").data();
    let state = |at: usize| status["workers"][at]["state"].clone();
    assert_eq!((state(0), state(1)), (json!("integrated"), json!("in_progress")));
    let cleanup = repo.pw("pw-integrate cleanup").data();
    let removed = cleanup["removed"].as_array().unwrap();
    assert_eq!((removed.len(), &removed[0]["worker"]), (1, &json!("task-1")), "{cleanup:#}");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_the_base_had_and_took_back_is_not_in_it_and_does_not_come_back_without_a_word() {
    let repo = integrated();
    take(&repo, "squash");
    let landed = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["revert", "--no-edit", "HEAD"]);
    let integration = repo.pw("pw-monitor status").data()["integration"].clone();
    assert_eq!(integration["landed"], false);
    let by = repo.git(&["rev-parse", "HEAD"]);
    assert_eq!(integration["reverted"], json!({ "landed": landed, "by": by }));
    let finished = repo.pw("pw-integrate finish --merge").data();
    assert_eq!(finished["landed"], "merge");
    assert!(finished["notes"].to_string().contains("took it back in"), "{finished:#}");

    // One worker's branch alone, which another one has taken in.
    let repo = created(THREE);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    repo.git(&["merge", "-q", "--squash", "work/task-1-users"]);
    repo.git(&["commit", "-q", "-m", "users (#1)"]);
    repo.git(&["revert", "--no-edit", "HEAD"]);
    let docs = repo.worker("task-3-docs");
    docs.git(&["merge", "-q", "--no-edit", "work/task-1-users"]);
    docs.write("docs/a.md", "docs").commit("[COMPLETE] docs");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0]["state"], "complete");
    assert_eq!(status["workers"][0]["reverted"]["by"], json!(repo.git(&["rev-parse", "HEAD"])));
    let run = repo.pw("pw-integrate run --without task-2").data();
    assert!(run["notes"].to_string().contains("what task-1 did"), "{run:#}");
    let finished = repo.pw("pw-integrate finish --merge --without task-2").data();
    assert!(finished["notes"].to_string().contains("what task-1 did"), "{finished:#}");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_a_branch_contains_and_took_back_is_said_wherever_somebody_looks() {
    let revert = |repo: &TestRepo, folder: &Path, subject: &str| {
        let commit = repo.git_in(folder, &["log", "--format=%H", "-1", "--grep", subject]);
        let parents = repo.git_in(folder, &["rev-list", "--parents", "-1", &commit]);
        let mainline: &[&str] = if parents.split(' ').count() > 2 { &["-m", "1"] } else { &[] };
        let args = [&["revert", "--no-edit"], mainline, &[commit.as_str()]].concat();
        repo.git_in(folder, &args);
        json!({
            "landed": commit, "by": repo.git_in(folder, &["rev-parse", "HEAD"]), "contained": true
        })
    };
    // One worker of a result that landed, then what landed as a whole.
    let repo = integrated();
    repo.pw("pw-integrate finish").data();
    let reverted = revert(&repo, &repo.root(), "Merge task-1");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0]["reverted"], reverted);
    assert_eq!(status["workers"][1].get("reverted"), None);
    assert_eq!(status["integration"].get("reverted"), None);
    let again = repo.pw("pw-integrate finish").data();
    assert!(again["notes"].to_string().contains("no merge brings it back"), "{again:#}");
    let repo = integrated();
    repo.write("later.txt", "the base moved");
    repo.git(&["add", "later.txt"]);
    repo.git(&["commit", "-qm", "later"]);
    repo.pw("pw-integrate finish --merge").data();
    let reverted = revert(&repo, &repo.root(), "Merge integration/rest-api");
    assert_eq!(repo.pw("pw-monitor status").data()["integration"]["reverted"], reverted);
    repo.git(&["revert", "--no-edit", "HEAD"]);
    let status = repo.pw("pw-monitor status").data();
    assert!(!status.to_string().contains("reverted"), "brought back: {status:#}");

    // On the integration branch, before it landed.
    let repo = integrated();
    let side = repo.beside("side");
    repo.git(&["worktree", "add", "-q", side.to_str().unwrap(), "integration/rest-api"]);
    let reverted = revert(&repo, &side, "Merge task-1");
    repo.git_in(&side, &["switch", "-q", "--detach"]);
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["reverted"], reverted);
    let run = repo.pw("pw-integrate run").data();
    assert!(run["notes"].to_string().contains("what task-1 did"), "{run:#}");
    let finished = repo.pw("pw-integrate finish").data();
    assert!(finished["notes"].to_string().contains("what task-1 did"), "{finished:#}");

    // Another merge on top changes nothing of that, and what the worker does since brings nothing back.
    let repo = integrated();
    let side = repo.beside("side");
    repo.git(&["worktree", "add", "-q", side.to_str().unwrap(), "integration/rest-api"]);
    let reverted = revert(&repo, &side, "Merge task-1");
    repo.git_in(&side, &["switch", "-q", "--detach"]);
    repo.worker("task-2-posts").write("api/posts.py", "more\n").commit("[COMPLETE] more");
    repo.pw("pw-integrate run").data();
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["reverted"], reverted);
    repo.worker("task-1-users").write("tests/users/new", "more\n").commit("[COMPLETE] more");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0]["reverted"], reverted, "{status:#}");
    let run = repo.pw("pw-integrate run").data();
    assert!(run["notes"].to_string().contains("what task-1 did"), "{run:#}");

    // A rename, whose revert is one too.
    let repo = created(THREE);
    repo.worker("task-2-posts").git(&["commit", "-q", "--allow-empty", "-m", "[CHECKPOINT] x"]);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1\n2\n3\n").commit("[COMPLETE] users");
    repo.git(&["merge", "-q", "--no-ff", "-m", "Take one", "work/task-1-users"]);
    users.git(&["merge", "-q", "--ff-only", "main"]);
    std::fs::create_dir_all(users.path.join("tests/users")).unwrap();
    users.git(&["mv", "api/users.py", "tests/users/moved"]);
    users.commit("[COMPLETE] moved");
    repo.git(&["merge", "-q", "--no-ff", "-m", "Take two", "work/task-1-users"]);
    let by = revert(&repo, &repo.root(), "Take two")["by"].clone();
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["reverted"]["by"], by);

    // A branch that the user merged by fast-forward, whose newest commit changes nothing.
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    users.write("api/users.py", "1").commit("[CHECKPOINT] users");
    users.git(&["commit", "-q", "--allow-empty", "-m", "[COMPLETE] users"]);
    repo.git(&["merge", "-q", "--ff-only", "work/task-1-users"]);
    let by = revert(&repo, &repo.root(), "CHECKPOINT")["by"].clone();
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["reverted"]["by"], by);
}

#[test]
fn a_merge_that_drops_what_it_merges_and_files_that_are_gone_again_are_said() {
    // The user merged the branch and kept none of it; then one file of two is taken away.
    let repo = integrated();
    repo.worker("task-2-posts").write("tests/posts/new", "1").commit("[COMPLETE] more");
    repo.git(&["merge", "-q", "-s", "ours", "-m", "Not now", "work/task-1-users"]);
    repo.git(&["merge", "-q", "--no-edit", "work/task-2-posts"]);
    repo.git(&["rm", "-q", "api/posts.py"]);
    repo.git(&["commit", "-q", "-m", "gone"]);
    let status = repo.pw("pw-monitor status").data();
    let [not_now, gone] = ["Not now", "gone"]
        .map(|subject| repo.git(&["log", "--format=%H", "-1", "--grep", subject]));
    let users = &status["workers"][0];
    assert_eq!(users["reverted"], json!({"landed": not_now, "by": not_now, "contained": true}));
    let posts = &status["workers"][1];
    assert_eq!(posts["reverted"]["by"], gone, "{posts:#}");
    assert_eq!(
        posts["reverted"]["partly"],
        json!({"count": 1, "paths": ["api/posts.py"]}),
        "{posts:#}"
    );
    let view = repo.pw("pw-monitor status --format human").stdout;
    assert!(view.contains("task-1: ") && view.contains("without its changes"), "{view}");
    assert!(view.contains("part of it (1 file: \"api/posts.py\")"), "{view}");

    let again = repo.pw("pw-integrate finish --merge").data();
    assert!(again["notes"].to_string().contains("task-1"), "{again:#}");

    // A folder that the base renamed has the files under another name.
    let repo = crate::repo(THREE);
    repo.write("tests/users/a", "1\n2\n3\n4\n");
    repo.commit("a test");
    repo.pw("pw-setup create plan.yaml").data();
    repo.worker("task-1-users").write("tests/users/b", "new\n").commit("[COMPLETE] users");
    repo.git(&["mv", "tests/users", "tests/people"]);
    repo.git(&["commit", "-q", "-m", "people"]);
    let merge = ["-c", "merge.directoryRenames=true", "merge", "-q", "--no-edit"];
    repo.git(&[&merge[..], &["work/task-1-users"]].concat());
    assert_eq!(repo.read("tests/people/b"), "new\n");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["workers"][0].get("reverted"), None, "{status:#}");
}

/// The base branch goes on for a long time, as fast-import writes it.
fn many_commits(repo: &TestRepo) {
    let tip = repo.git(&["rev-parse", "main"]);
    let mut stream = String::new();
    for number in 0..600 {
        let from = if number == 0 { format!("from {tip}\n") } else { String::new() };
        let who = "committer A <a@example.com> 1800000000 +0000";
        let change = format!("M 644 inline log.txt\ndata 3\n{number:03}\n");
        stream += &format!("commit refs/heads/main\n{who}\ndata 4\nlog\n{from}{change}\n");
    }
    repo.write("stream", &stream);
    repo.sh(
        &repo.root(),
        "git fast-import --quiet --force <stream && rm stream && git reset -q --hard",
    );
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_landed_long_ago_is_landed_and_what_was_taken_back_is_said_for_ever() {
    let repo = integrated();
    take(&repo, "squash");
    many_commits(&repo);
    assert_eq!(repo.pw("pw-monitor status").data()["integration"]["landed"], true);
    repo.pw("pw-integrate finish --merge").error(3, "nothing_to_land");
    repo.git(&["rm", "-q", "api/posts.py"]);
    repo.git(&["commit", "-q", "-m", "not wanted"]);
    many_commits(&repo);
    let error = repo.pw("pw-integrate finish --merge").error(3, "nothing_to_land");
    assert!(error["hint"].as_str().unwrap().contains("what task-2 did"), "{error:#}");

    let repo = integrated();
    many_commits(&repo);
    repo.pw("pw-integrate finish --merge").data();
    let merge = repo.git(&["rev-parse", "HEAD"]);
    many_commits(&repo);
    repo.git(&["revert", "--no-edit", "-m", "1", &merge]);
    let by = repo.git(&["rev-parse", "HEAD"]);
    many_commits(&repo);
    let reverted = json!({"landed": merge, "by": by, "contained": true});
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["integration"]["reverted"], reverted, "{status:#}");
}

#[test]
fn what_the_user_tried_and_took_back_before_the_worker_made_it_is_nothing_to_mention() {
    let repo = created(THREE);
    repo.write("api/users.py", "1");
    repo.git(&["add", "api"]);
    repo.git(&["commit", "-q", "-m", "a try"]);
    repo.git(&["revert", "--no-edit", "HEAD"]);
    repo.worker("task-1-users").write("api/users.py", "1").commit("[COMPLETE] users");
    assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["state"], "complete");
    repo.pw("pw-integrate run --without task-2 --without task-3").data();
    repo.pw("pw-integrate finish --merge --without task-2 --without task-3").data();
    assert_eq!(repo.read("api/users.py"), "1");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_second_round_after_a_squash_lands_what_is_new_and_nothing_else() {
    type Round = (&'static str, &'static str, fn(&TestRepo));
    let rounds: [Round; 3] = [
        ("newer lines", "newer", |repo| {
            repo.worker("task-2-posts").write("api/posts.py", "newer").commit("[COMPLETE] newer");
        }),
        ("taken back", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", |repo| {
            let users = repo.worker("task-1-users");
            users.write("api/users.py", "1\n2\n3\n4\n5\n6\n7\n8\n9\n").commit("[COMPLETE] back");
        }),
        ("begun anew from the base", "anew", |repo| {
            let docs = repo.worker("task-3-docs");
            docs.git(&["reset", "-q", "--hard", "main"]);
            docs.write("docs/b.md", "anew").commit("[COMPLETE] anew");
        }),
    ];
    for (what, wanted, go_on) in rounds {
        let repo = integrated();
        take(&repo, "squash");
        go_on(&repo);
        let error = repo.pw("pw-integrate finish").error(3, "nothing_to_land");
        repo.follow(&error["next"]);
        let status = repo.pw("pw-monitor status").data();
        assert_eq!(status["integration"]["landed"], false, "{what}: {status:#}");
        assert_eq!(repo.pw("pw-integrate finish --merge").data()["landed"], "merge", "{what}");
        let files = ["api/posts.py", "api/users.py", "docs/b.md"];
        let texts = files.map(|file| std::fs::read_to_string(repo.root().join(file)));
        assert!(texts.iter().flatten().any(|text| text == wanted), "{what}: {texts:?}");
        assert_eq!(repo.pw("pw-monitor status").data()["integration"]["landed"], true, "{what}");
    }
}

#[test]
fn a_later_worker_starts_from_the_base_that_has_what_it_builds_upon() {
    let repo = created(WAVES);
    repo.worker("base-model").write("model/a", "1\n").commit("[COMPLETE] model");
    repo.worker("side-extra").write("extra/a", "1\n").commit("[COMPLETE] extra");
    for branch in ["work/base-model", "work/side-extra"] {
        repo.git(&["merge", "-q", "--squash", branch]);
        repo.git(&["commit", "-q", "-m", branch]);
    }
    repo.write("model/a", "1\nreviewed\n");
    repo.git(&["commit", "-q", "-am", "reviewed"]);
    repo.pw("pw-setup advance").data();
    assert_eq!(repo.read("worktrees/top-api/model/a"), "1\nreviewed\n");
}

#[test]
fn a_base_that_stands_for_another_branch_lands_where_that_is_checked_out() {
    let repo = crate::repo(&format!("{}base: main\n", pw_testkit::plans::TWO));
    repo.git(&["branch", "-q", "-m", "main", "master"]);
    repo.git(&["symbolic-ref", "refs/heads/main", "refs/heads/master"]);
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    for (label, file) in [("a-x", "a"), ("b-y", "b")] {
        repo.worker(label).write(file, "1\n").commit("[COMPLETE] done");
    }
    repo.pw("pw-integrate run").data();
    repo.pw("pw-integrate finish").data();
    assert_eq!(
        (repo.read("a"), repo.git(&["status", "--porcelain"])),
        ("1\n".into(), "?? plan.yaml".into())
    );
}

#[test]
fn onto_a_base_that_was_rewritten_the_user_picks_what_was_merged() {
    let repo = crate::repo(pw_testkit::plans::TWO);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "of the user's own"]);
    repo.pw("pw-setup create plan.yaml --no-trial").data();
    for (label, file) in [("a-x", "a"), ("b-y", "b")] {
        repo.worker(label).write(file, "1\n").commit("[COMPLETE] done");
    }
    // As `git pull --rebase` does it, too.
    repo.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "said better"]);
    let run = repo.pw("pw-integrate run").data();
    assert_eq!(run["next"][1]["action"], "land by hand", "{run:#}");
    let error = repo.pw("pw-integrate finish").error(3, "no_base");
    repo.sh(&repo.root(), error["next"].as_str().unwrap());
    assert_eq!((repo.read("a"), repo.read("b")), ("1\n".into(), "1\n".into()));
    assert!(!repo.git(&["log", "--format=%s", "main"]).contains("own"), "it came back");
    assert_eq!(repo.pw("pw-monitor status").data()["integration"]["landed"], true);
    assert_eq!(repo.pw("pw-integrate cleanup").data()["closed"], true);
}
