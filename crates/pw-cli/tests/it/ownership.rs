//! What a branch holds is told from its commits: whose they are, who said what, and what would land
//! with them.

use pw_testkit::plans::{TWO, WAVES};
use pw_testkit::repo::TestRepo;
use serde_json::{Value, json};

use crate::{created, repo};

fn workers(repo: &TestRepo) -> Vec<Value> {
    repo.pw("pw-monitor status").data()["workers"].as_array().unwrap().clone()
}

fn states(repo: &TestRepo) -> Vec<String> {
    workers(repo).iter().map(|worker| worker["state"].as_str().unwrap().to_owned()).collect()
}

fn reasons(worker: &Value) -> Vec<&str> {
    let reasons = worker["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["kind"].as_str().unwrap()).collect()
}

fn land(repo: &TestRepo, how: &str, branch: &str) {
    match how {
        "squash" => {
            repo.git(&["merge", "-q", "--squash", branch]);
            repo.git(&["commit", "-q", "--allow-empty", "-m", "landed"]);
        }
        "pick" => {
            let range = format!("main..{branch}");
            let list = repo.git(&["rev-list", "--reverse", "--no-merges", &range]);
            for commit in list.lines() {
                repo.git(&["cherry-pick", "--allow-empty", "--keep-redundant-commits", commit]);
            }
        }
        how => drop(repo.git(&["merge", "-q", how, "--no-edit", branch])),
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_the_user_merges_by_hand_is_finished_only_when_its_worker_said_so() {
    // Every newest signal, with and without a file, merged in every way.
    for (subject, state) in [
        ("plain", "in_progress"),
        ("[CHECKPOINT] half", "in_progress"),
        ("[BLOCKED:key] which?", "blocked"),
        ("[NEEDS:b/Item] please", "waiting"),
        ("[COMPLETE] all", "integrated"),
        ("[COMPLETE] all, then more", "reopened"),
    ] {
        let signals = subject.starts_with("[BLOCKED") || state == "integrated";
        let ways =
            if signals { ["--ff", "--no-ff", "squash", "pick"].as_slice() } else { &["--ff"] };
        for how in ways.iter().copied() {
            let repo = created(TWO);
            let a = repo.worker("a-x");
            a.write("a", "1").commit(subject);
            if state == "reopened" {
                a.write("a", "2").commit("more");
            }
            land(&repo, how, "work/a-x");
            // The other worker brings itself up to date, having done nothing.
            repo.worker("b-y").git(&["merge", "-q", "--ff", "main"]);
            // Without a signal, a commit that became the base's own could as well be the user's.
            let is_anyones = subject == "plain" && how == "--ff";
            let state = if is_anyones { "starting" } else { state };
            let expected = vec![state.to_owned(), "starting".to_owned()];
            assert_eq!(states(&repo), expected, "{subject}, {how}");
            if state == "integrated" || is_anyones {
                continue;
            }
            let cleanup = repo.pw("pw-integrate cleanup two a").data();
            assert_eq!(cleanup["removed"], json!([]), "{subject}, {how}");
            repo.pw("pw-integrate run --without b").error(3, "not_ready");
            assert!(a.path.is_dir());
        }
    }
}

#[test]
fn a_question_that_was_merged_stays_a_question() {
    let repo = created(TWO);
    repo.worker("a-x").commit("[BLOCKED:key] which?");
    repo.git(&["merge", "-q", "--ff-only", "work/a-x"]);
    assert_eq!(states(&repo), ["blocked", "starting"]);
    let changes = repo.pw("pw-monitor wait --timeout 1s").data()["changes"].clone();
    assert_eq!(changes[0]["kind"], "blocked", "{changes:#}");
}

#[test]
fn nobody_inherits_a_complete_from_the_branch_it_went_forward_to() {
    let repo = created(TWO);
    repo.worker("a-x").write("a", "1").commit("[COMPLETE] a");
    repo.worker("b-y").git(&["merge", "-q", "--ff-only", "work/a-x"]);
    assert_eq!(states(&repo), ["complete", "starting"]);
    repo.git(&["merge", "-q", "--ff-only", "work/a-x"]);
    assert_eq!(states(&repo), ["integrated", "starting"]);
    let cleanup = repo.pw("pw-integrate cleanup").data();
    assert_eq!(cleanup["kept"][0]["reasons"][0]["kind"], "not_begun");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn commits_of_another_worker_are_known_wherever_they_matter() {
    let repo = created(TWO);
    let (a, b) = (repo.worker("a-x"), repo.worker("b-y"));
    a.write("a", "1").commit("[COMPLETE] a");
    b.write("b", "1").commit("[CHECKPOINT] b");
    b.pw(&["sync", "a"]).data();
    b.commit("[COMPLETE] b");
    assert_eq!(workers(&repo)[1]["holds"], json!(["a"]));
    let preview = repo.pw("pw-integrate preview").data();
    assert_eq!(preview["turns"][1]["after"], json!(["a"]));
    assert_eq!(preview["steps"][1]["holds"], json!(["a"]));
    let error = repo.pw("pw-integrate run --without a").error(3, "not_ready");
    assert_eq!(error["message"], "b holds commits of a, which is left out");
    let error = repo.pw("pw-integrate run --verify 'test!-e'").error(4, "gate_failed");
    assert_eq!(error["details"]["workers"], json!([]), "it fails without any worker");
    repo.pw("pw-integrate abort").data();

    // Who brings the culprit's commits along is not at fault.
    repo.write("gate.sh", "test ! -e a\n");
    let gate = format!("sh {}", repo.root().join("gate.sh").display());
    let words = ["pw-integrate", "run", "--verify", &gate];
    let error = repo.pw_in(&repo.root(), &words).error(4, "gate_failed");
    assert_eq!(error["details"]["workers"], json!(["a"]), "{error:#}");
    repo.pw("pw-integrate abort").data();

    // What lies on the integration branch by hand is told by its commits, too.
    repo.pw("pw-integrate run").data();
    let error = repo.pw("pw-integrate finish --without a").error(3, "not_ready");
    assert_eq!(error["message"], "integration/two holds commits of a, which is left out");
    repo.pw("pw-integrate finish").data();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_a_provider_dropped_does_not_land_unseen() {
    let dropped = |by_sync: bool| {
        let repo = repo(if by_sync { TWO } else { WAVES });
        repo.pw("pw-setup create plan.yaml").data();
        let (provider, file) = if by_sync { ("a-x", "a") } else { ("base-model", "model") };
        let worker = repo.worker(provider);
        worker.write(&format!("{file}/kept"), "1").commit("[CHECKPOINT] kept");
        worker.write(&format!("{file}/secret"), "1").commit("[COMPLETE] with a secret");
        if by_sync {
            repo.worker("b-y").write("b", "1").commit("b");
            repo.worker("b-y").pw(&["sync", "a"]).data();
            repo.worker("b-y").commit("[COMPLETE] b");
        } else {
            repo.worker("side-extra").write("extra", "1").commit("[COMPLETE] extra");
            repo.pw("pw-setup advance").data();
            repo.worker("top-api").write("api", "1").commit("[COMPLETE] api");
        }
        repo.worker(provider).git(&["reset", "-q", "--hard", "HEAD~1"]);
        repo.worker(provider).commit("[COMPLETE] without it");
        (repo, file)
    };
    for by_sync in [true, false] {
        let (repo, file) = dropped(by_sync);
        let all = workers(&repo);
        let consumer = all.last().unwrap();
        assert_eq!(reasons(consumer), ["unclaimed_commits"], "{consumer:#}");
        let secret = format!("{file}/secret");
        assert_eq!(consumer["reasons"][0]["paths"], json!([secret]));
        assert!(consumer["reasons"][0]["message"].as_str().unwrap().contains("with a secret"));
        let error = repo.pw("pw-integrate run").error(3, "out_of_scope");
        assert!(error["message"].as_str().unwrap().contains("with a secret"), "{error:#}");
        let steps = repo.pw("pw-integrate preview").data()["steps"].clone();
        assert_eq!(steps.as_array().unwrap().last().unwrap()["ready"], false);
        // With the user's consent it lands, and the merge says so.
        let data = repo.pw("pw-integrate run --allow-out-of-scope").data();
        let commit = data["commit"].as_str().unwrap();
        assert!(repo.git(&["log", "-1", "--format=%B", commit]).contains(&secret));
    }
}

#[test]
fn a_worker_that_went_forward_to_what_others_landed_has_done_nothing() {
    let repo = created(TWO);
    repo.write("mine.txt", "1");
    repo.git(&["add", "mine.txt"]);
    // As a worker of another workflow, rebased onto the base, or as the user writes.
    repo.git(&["commit", "-q", "-m", "[CHECKPOINT] half"]);
    repo.git(&["commit", "-q", "--allow-empty", "-m", "[COMPLETE] mine"]);
    let a = repo.worker("a-x");
    a.git(&["merge", "-q", "--ff-only", "main"]);
    let worker = || repo.pw("pw-monitor status --verbose").data()["workers"][0].clone();
    assert_eq!((&worker()["state"], &worker()["commits"]), (&json!("starting"), &json!(0)));
    assert_eq!(repo.pw("pw-integrate cleanup").data()["removed"], json!([]));
    a.write("a", "1").pw(&["checkpoint", "x"]).data();
    assert_eq!(worker()["out_of_scope"], json!([]));
    a.pw(&["complete", "x"]).data();
    assert_eq!(worker()["ready"], true);
}

#[test]
fn what_a_provider_rewrote_comes_back_only_in_a_conflict_or_with_consent() {
    let lines = |changed: &[usize]| -> String {
        (0..40)
            .map(|n| format!("{n}{}\n", if changed.contains(&n) { " new" } else { "" }))
            .collect()
    };
    let repo = repo(TWO);
    repo.write("a/file", &lines(&[]));
    repo.commit("file");
    repo.pw("pw-setup create plan.yaml").data();
    let (a, b) = (repo.worker("a-x"), repo.worker("b-y"));
    a.write("a/file", &lines(&[3])).commit("[CHECKPOINT] one");
    a.write("a/file", &lines(&[3, 30])).commit("[COMPLETE] two");
    b.write("b", "1").commit("b");
    b.pw(&["sync", "a"]).data();
    b.commit("[COMPLETE] b");
    // Only the message is another one: nothing to tell.
    a.git(&["commit", "-q", "--no-verify", "--amend", "-m", "[COMPLETE] two, amended"]);
    assert_eq!(reasons(&workers(&repo)[1]), [""; 0]);
    // The second change is dropped; git would merge it back without a word.
    a.git(&["reset", "-q", "--hard", "HEAD~1"]);
    a.commit("[COMPLETE] one is enough");
    let known = workers(&repo)[1].clone();
    assert_eq!(reasons(&known), ["outdated_commits"], "{known:#}");
    let error = repo.pw("pw-integrate run").error(3, "out_of_scope");
    assert!(error["message"].as_str().unwrap().contains("a/file"), "{error:#}");
    assert!(!repo.git(&["branch"]).contains("integration/"));
    // Rewritten in another way, it conflicts for all of them.
    a.write("a/file", &lines(&[3, 30]).replace("30 new", "30 newer")).commit("[COMPLETE] newer");
    let status = repo.pw("pw-monitor status").data();
    assert_eq!(status["conflicts"][0]["workers"], json!(["a", "b"]));
    repo.follow(&status["next"].as_array().unwrap().last().unwrap()["command"]);
    assert_eq!(repo.pw("pw-integrate preview").data()["clean"], false);
    repo.pw("pw-integrate run").error(4, "merge_conflict");
}

#[test]
fn what_came_from_a_branch_of_the_users_is_told_unless_the_base_has_it() {
    let repo = created(TWO);
    repo.git(&["switch", "-q", "-c", "feature"]);
    repo.write("feature", "1");
    repo.git(&["add", "feature"]);
    repo.git(&["commit", "-q", "-m", "a feature"]);
    repo.git(&["switch", "-q", "main"]);
    let b = repo.worker("b-y");
    b.write("b", "1").commit("b");
    b.git(&["merge", "-q", "--no-edit", "feature"]);
    b.commit("[COMPLETE] b");
    let known = workers(&repo)[1].clone();
    assert_eq!(reasons(&known), ["unclaimed_commits"], "{known:#}");
    repo.pw("pw-integrate run --without a").error(3, "out_of_scope");
    repo.git(&["merge", "-q", "feature"]);
    assert_eq!(reasons(&workers(&repo)[1]), [""; 0]);
    repo.pw("pw-integrate run --without a").data();
}

#[test]
fn a_merge_that_the_user_undid_on_the_integration_branch_is_no_merge() {
    let repo = created(TWO);
    repo.worker("a-x").write("a", "1").commit("[COMPLETE] a");
    repo.worker("b-y").write("b", "1").commit("[COMPLETE] b");
    repo.pw("pw-integrate run").data();
    assert_eq!(states(&repo), ["integrated", "integrated"]);
    repo.git(&["branch", "-f", "integration/two", "integration/two~1"]);
    assert_eq!(states(&repo), ["integrated", "complete"]);
    let status = repo.pw("pw-monitor status").data();
    assert!(!status["next"].to_string().contains("finish"), "{:#}", status["next"]);
    repo.pw("pw-integrate run").error(3, "integration_moved");
}
