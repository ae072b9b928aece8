//! One commit that lands with the user's own message, and what is left of a workflow afterwards.

use pw_testkit::plans::{THREE, TWO, WAVES};
use pw_testkit::repo::{TestRepo, write_program};
use serde_json::json;

use crate::created;
use crate::terminal::shown;

/// All three workers are integrated, one of them by another author.
fn integrated(plan: &str) -> TestRepo {
    let repo = created(plan);
    crate::complete_all(&repo);
    let author = "--author=Ann <ann@example.com>";
    repo.worker("task-2-posts").git(&[
        "commit",
        "-q",
        "--amend",
        "--no-verify",
        author,
        "-m",
        "[COMPLETE] posts",
    ]);
    repo.pw("pw-integrate run").data();
    repo
}

fn squash(repo: &TestRepo, messages: &[&str]) -> pw_testkit::repo::Answer {
    let mut words = vec!["pw-integrate", "finish", "--squash"];
    words.extend(messages.iter().flat_map(|text| ["-m", text]));
    repo.pw_in(&repo.root(), &words)
}

#[test]
fn a_squash_lands_one_commit_once_with_the_users_message_and_closes() {
    for moved in [false, true] {
        let repo = integrated(THREE);
        if moved {
            repo.write("other.txt", "1");
            repo.git(&["add", "other.txt"]);
            repo.git(&["commit", "-q", "-m", "the base goes on"]);
        }
        let before = repo.git(&["rev-parse", "main"]);
        let result = repo.git(&["rev-parse", "integration/rest-api"]);
        let data = squash(&repo, &["feat: the api", "Three parts."]).data();
        assert_eq!(
            (&data["landed"], &data["before"]),
            (&json!("squash"), &json!(before)),
            "{data}"
        );
        assert_eq!(repo.git(&["rev-parse", "main^"]), before);
        assert_eq!(
            repo.git(&["log", "-1", "--format=%B", "main"]),
            format!(
                "feat: the api\n\nThree parts.\n\nCo-authored-by: Ann <ann@example.com>\n\
                 Pw-Workflow: rest-api\nPw-Result: {result}"
            )
        );
        assert_eq!(repo.read("docs/a.md"), "task-3-docs");
        assert_eq!(repo.git(&["status", "--porcelain"]), "?? plan.yaml");
        let status = || repo.pw("pw-monitor status").data();
        assert_eq!(status()["integration"]["landed"], true);
        let refs = repo.git(&["for-each-ref"]);
        let again = squash(&repo, &["feat: the api"]).data();
        assert_eq!((&again["landed"], &again["commit"]), (&json!("already"), &data["commit"]));
        assert_eq!(repo.pw("pw-integrate finish").data()["landed"], "already");
        assert_eq!(repo.git(&["for-each-ref"]), refs);

        let report = repo.pw("pw-retro report").data();
        let data = repo.pw("pw-integrate cleanup").data();
        assert_eq!((&data["closed"], &data["kept"]), (&json!(true), &json!([])), "{data}");
        assert_eq!(
            repo.git(&["for-each-ref", "--format=%(refname)", "refs/heads"]),
            "refs/heads/main"
        );
        assert_eq!(status()["integration"]["landed"], true);
        assert!(status()["workers"].as_array().unwrap().iter().all(|w| w["state"] == "integrated"));
        assert_eq!(
            repo.pw("pw-retro report").data()["workers"][0]["commits"],
            report["workers"][0]["commits"]
        );
        assert_eq!(squash(&repo, &["feat: the api"]).data()["landed"], "already");
    }
}

#[test]
fn a_squash_is_tested_and_its_message_passes_the_hooks_of_the_base() {
    let repo = integrated(&format!("verify: test -e README.md\n{THREE}"));
    let hook = repo.root().join(".git/hooks/commit-msg");
    let rule = "grep -q '^feat: ' \"$1\" || { echo 'say what type' >&2; exit 1; }; sed -i '1s/$/ (#7)/' \"$1\"";
    write_program(&hook, &format!("#!/bin/sh\n{rule}\n"));
    let before = repo.git(&["for-each-ref"]);
    let error = squash(&repo, &["the api"]).error(1, "hook_refused");
    assert_eq!(error["details"]["hook"], "commit-msg");
    assert!(error["hint"].as_str().unwrap().contains("-m") && error["next"].is_null(), "{error}");
    assert_eq!(repo.git(&["for-each-ref"]), before);
    // Without a message and without a terminal nothing can be asked.
    assert!(squash(&repo, &[]).error(2, "usage")["hint"].as_str().unwrap().contains("-m"));
    squash(&repo, &[" \n"]).error(2, "usage");
    let data = squash(&repo, &["feat: the api"]).data();
    assert_eq!(data["gate"]["gates"][0]["name"], "verify");
    assert_eq!(repo.git(&["log", "-1", "--format=%s"]), "feat: the api (#7)");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_message_is_written_in_an_editor_and_written_once() {
    let repo = integrated(THREE);
    let hook = repo.root().join(".git/hooks/commit-msg");
    write_program(&hook, "#!/bin/sh\ngrep -q 'feat: ' \"$1\"\n");
    let before = repo.git(&["for-each-ref"]);
    let finish = |editor: &str| {
        let line = "pw-integrate finish --squash; echo \"exit $?\"";
        shown(&repo, 200, &[("GIT_EDITOR", editor)], line)
    };
    for (editor, said, code) in [
        (": >", "the message is empty", 2),
        // Only the comments are left, or another one.
        ("sed -i '/^[^#]/d'", "the message is empty", 2),
        ("echo '# wip' >", "the message is empty", 2),
        ("false", "the editor `false` failed", 2),
        ("/no/such/editor", "the editor `/no/such/editor` failed", 2),
        // What a hook refuses stands there again, as after a failure of the editor's.
        ("sed -i '1i the api'", "commit-msg", 1),
        ("test -z", "the editor `test -z` failed", 2),
    ] {
        let shown = finish(editor);
        assert!(shown.contains(said) && shown.contains("nothing has landed"), "{editor}: {shown}");
        assert!(shown.contains(&format!("exit {code}\n")), "{editor}: {shown}");
        assert_eq!(repo.git(&["for-each-ref"]), before, "{editor}");
    }
    let file = ".git/pw/rest-api/COMMIT_EDITMSG";
    assert!(repo.read(file).starts_with("the api\n"), "{}", repo.read(file));
    // As in `git commit` after `git merge --squash`, a template does not count.
    repo.git(&["config", "commit.template", "/no/such/template"]);
    repo.git(&["config", "core.commentChar", ";"]);
    let shown = finish("sed -i -e '1s/.*/#12 feat: the api/' -e '2i ; no' -e '$a more'");
    assert!(shown.contains("exit 0\n"), "{shown}");
    let message = repo.git(&["log", "-1", "--format=%B", "main"]);
    let (text, trailers) = message.rsplit_once("\n\n").unwrap();
    assert!(text.starts_with("#12 feat: the api\n") && !text.contains(';'), "{message}");
    assert!(!text.contains("more") && !text.contains(">8"), "{message}");
    assert!(trailers.contains("Pw-Workflow: rest-api\n"), "{message}");
    assert!(!repo.root().join(file).exists());
}

#[test]
fn a_squash_that_the_gate_refuses_does_not_land() {
    let repo = integrated(THREE);
    repo.write("plan.yaml", &format!("verify: test ! -e docs/a.md\n{THREE}"));
    repo.pw("pw-setup create plan.yaml").data();
    let before = repo.git(&["rev-parse", "main"]);
    squash(&repo, &["feat: the api"]).error(4, "gate_failed");
    assert_eq!(repo.git(&["rev-parse", "main"]), before);
}

#[test]
fn all_that_stands_in_the_way_of_landing_is_told_at_once() {
    let repo = created(THREE);
    for (label, path) in [("task-1-users", "api/users.py"), ("task-2-posts", "api/posts.py")] {
        repo.worker(label).write(path, label).commit("[COMPLETE] it");
    }
    repo.pw("pw-integrate run --without task-3").data();
    repo.write("README.md", "moved\n");
    repo.git(&["commit", "-q", "-am", "the base goes on"]);
    repo.write("README.md", "at work\n");
    let error = repo.pw("pw-integrate finish").error(3, "not_ready");
    let codes: Vec<&str> = error["details"]["obstacles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|obstacle| obstacle["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["not_ready", "base_moved", "dirty_tree"], "{error:#}");
    for words in ["task-3", "README.md", "fast-forward"] {
        assert!(error["message"].as_str().unwrap().contains(words), "{error}");
    }
    // One alone is told as before.
    repo.git(&["checkout", "-q", "README.md"]);
    let error = repo.pw("pw-integrate finish --without task-3").error(3, "base_moved");
    assert!(error["details"]["obstacles"].is_null());
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn cleanup_of_what_has_landed_leaves_what_it_names_and_nothing_else() {
    let config = |repo: &TestRepo| repo.read(".git/config");
    let untouched = crate::repo(THREE);
    let plain = config(&untouched);
    let repo = integrated(THREE);
    assert!(config(&repo).contains("worktreeConfig"));
    // Not landed: the integration branch is all there is of it.
    let data = repo.pw("pw-integrate cleanup rest-api task-1 task-2 task-3").data();
    assert_eq!(data["closed"], false);
    assert_eq!(data["stays"][0]["what"], "integration/rest-api");
    assert!(data["stays"][0]["why"].as_str().unwrap().contains("pw-integrate finish"), "{data}");
    repo.pw("pw-integrate finish").data();
    let dry = repo.pw("pw-integrate cleanup --dry-run").data();
    assert_eq!(dry["closed"], false);
    let data = repo.pw("pw-integrate cleanup").data();
    let stays: Vec<&str> =
        data["stays"].as_array().unwrap().iter().map(|s| s["what"].as_str().unwrap()).collect();
    assert_eq!((&data["closed"], stays), (&json!(true), vec!["refs/pw/rest-api"]), "{data}");
    assert_eq!(config(&repo), plain);
    assert!(!repo.root().join(".git/pw/rest-api").exists());
    assert_eq!(repo.git(&["for-each-ref", "--format=%(refname)", "refs/heads"]), "refs/heads/main");
    // Twice is once, and what is kept of it may go without opening it again.
    assert_eq!(repo.pw("pw-integrate cleanup").data()["closed"], true);
    assert_eq!(repo.pw("pw-setup list").data()["workflows"][0]["closed"], true);
    repo.pw("pw-integrate forget --all").data();
    assert_eq!(repo.pw("pw-setup list").data()["workflows"][0]["closed"], true);

    // The only open workflow is meant.
    repo.write("two.yaml", TWO);
    repo.pw("pw-setup create two.yaml").data();
    assert_eq!(repo.pw("pw-monitor status").data()["workflow"], "two");
    repo.pw("pw-monitor status rest-api").data();
}

#[test]
fn what_the_user_has_made_of_it_stays_and_is_named() {
    let repo = integrated(THREE);
    repo.pw("pw-integrate finish").data();
    repo.git(&["config", "--worktree", "user.name", "Me"]);
    repo.write(".git/pw/rest-api/mine", "x");
    repo.git(&["worktree", "add", "-q", "--no-checkout", "--detach", "../elsewhere"]);
    repo.git_in(&repo.beside("elsewhere"), &["switch", "-q", "integration/rest-api"]);
    let data = repo.pw("pw-integrate cleanup").data();
    let stays = data["stays"].to_string();
    assert_eq!(data["closed"], true, "{data}");
    for words in ["it is checked out in", "config.worktree", ".git/pw/rest-api"] {
        assert!(stays.contains(words), "{words}: {stays}");
    }
    assert_eq!(repo.git(&["config", "user.name"]), "Me");
    assert_eq!(repo.read(".git/pw/rest-api/mine"), "x");
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_workflow_with_a_worker_to_come_stays_open() {
    let repo = created(WAVES);
    for (label, path) in [("base-model", "model"), ("side-extra", "extra")] {
        repo.worker(label).write(path, label).commit("[COMPLETE] it");
    }
    repo.pw("pw-integrate run --without top").data();
    repo.pw("pw-integrate finish --without top").data();
    let data = repo.pw("pw-integrate cleanup").data();
    assert_eq!(data["closed"], false);
    assert!(data["stays"][0]["why"].as_str().unwrap().contains("top is still to come"), "{data}");
    repo.pw("pw-setup advance").data();
    repo.worker("top-api").write("api", "1").commit("[COMPLETE] it");
    repo.pw("pw-integrate run").data();
    repo.pw("pw-integrate finish").data();
    assert_eq!(repo.pw("pw-integrate cleanup").data()["closed"], true);
}
