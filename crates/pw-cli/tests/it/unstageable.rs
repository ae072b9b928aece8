//! Own files that a commit cannot take in as they are: each is named, with what leads on.

use std::path::Path;

use pw_testkit::plans::TWO;
use pw_testkit::repo::TestRepo;
use pw_testkit::rows::rows;
use serde_json::json;

use crate::{created, repo};

/// What makes git refuse `a/bad`, the code, words of the message, and what corrects it.
const UNSTAGEABLE: &[(&str, &str, &str, &str)] = &[
    (
        "git config core.safecrlf true; git config core.autocrlf input; printf 'a\\r\\nb\\n' >a/bad",
        "file_refused",
        "core.safecrlf",
        "printf 'a\\nb\\n' >a/bad",
    ),
    (
        "git config core.safecrlf true; echo 'bad text eol=crlf' >a/.gitattributes; \
         printf 'a\\r\\nb\\n' >a/bad",
        "file_refused",
        "into CRLF",
        "printf 'a\\r\\nb\\r\\n' >a/bad",
    ),
    (
        "git config filter.f.required true; git config filter.f.clean 'exit 3'; \
         echo 'bad filter=f' >a/.gitattributes; echo 1 >a/bad",
        "program_failed",
        "clean filter \"f\"",
        "git config filter.f.clean cat",
    ),
    (
        "git config filter.f.required true; git config filter.f.process no-such-program; \
         echo 'bad filter=f' >a/.gitattributes; echo 1 >a/bad",
        "program_failed",
        "clean filter \"f\"",
        "git config --unset filter.f.process; git config filter.f.clean cat",
    ),
    (
        "echo 'bad working-tree-encoding=UTF-16' >a/.gitattributes; printf plain >a/bad",
        "file_refused",
        "UTF-16",
        "rm a/.gitattributes",
    ),
    (
        "echo 'bad working-tree-encoding=UTF-16LE-BOM' >a/.gitattributes; printf plain >a/bad",
        "file_refused",
        "UTF-16LE-BOM",
        "rm a/.gitattributes",
    ),
    (
        "echo 'bad working-tree-encoding=no-such' >a/.gitattributes; printf plain >a/bad",
        "file_refused",
        "no-such",
        "rm a/.gitattributes",
    ),
    (
        "mkdir -p 'a/git~1'; echo 1 >'a/git~1/bad'",
        "file_refused",
        "a/git~1/bad",
        "mv 'a/git~1' a/dir",
    ),
    ("mkdir -p a/.GIT; echo 1 >a/.GIT/bad", "file_refused", "a/.GIT/bad", "mv a/.GIT a/dir"),
    ("ln -s f a/.gitmodules", "file_refused", "a/.gitmodules", "rm a/.gitmodules"),
];

/// A workflow whose first worker owns the tracked file `a/f`.
fn prepared() -> TestRepo {
    let repo = repo(TWO);
    repo.write("a/f", "f\n");
    repo.git(&["add", "a"]);
    repo.git(&["commit", "-q", "-m", "files"]);
    repo.pw("pw-setup create plan.yaml").data();
    repo
}

fn tidy(repo: &TestRepo, worktree: &Path, start: &str) {
    let settings = "for s in core.safecrlf core.autocrlf filter.f.required filter.f.clean filter.f.process; \
                    do git config --unset $s; done";
    repo.sh(worktree, &format!("{settings}; git reset -q --hard {start} && git clean -qffdx"));
}

#[test]
fn what_git_does_not_take_is_named_and_nothing_is_staged() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    let start = worker.git(&["rev-parse", "HEAD"]);
    for (script, code, words, correct) in rows(UNSTAGEABLE) {
        repo.sh(&worker.path, &format!("{script}; echo 2 >a/f; echo 2 >a/good"));
        let state = || worker.git(&["status", "--porcelain=v2", "--branch", "-uall"]);
        let before = state();
        let exit = if *code == "program_failed" { 1 } else { 3 };
        let error = worker.pw(&["checkpoint", "x"]).error(exit, code);
        assert!(error["message"].as_str().unwrap().contains(words), "{script}: {error}");
        let paths = error["details"]["paths"].as_array().unwrap();
        assert_eq!(paths.len(), 1, "{script}: {error}");
        let bad = paths[0].as_str().unwrap();
        assert!(error["hint"].as_str().unwrap().contains(bad) || exit == 1, "{script}: {error}");
        assert_eq!(state(), before, "{script}");
        // It holds up neither another file nor a worker that is stuck.
        let data = worker.pw(&["checkpoint", "x", "--path", "a/good"]).data();
        assert_eq!(data["paths"], json!(["a/good"]), "{script}");
        repo.follow(&json!(format!(
            "cd {} && {}",
            worker.path.display(),
            error["next"].as_str().unwrap()
        )));
        let left = worker.git(&["status", "--porcelain", "-uall"]);
        assert_eq!(left.lines().count(), 1, "{script}: {left}");
        assert!(left.contains(bad), "{script}: {left}");
        repo.sh(&worker.path, correct);
        if !worker.git(&["status", "--porcelain"]).is_empty() {
            worker.pw(&["checkpoint", "x"]).data();
        }
        worker.pw(&["complete", "x"]).data();
        tidy(&repo, &worker.path, &start);
    }
}

#[test]
fn all_files_that_git_does_not_take_are_named_at_once() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    worker.git(&["config", "core.safecrlf", "true"]);
    worker.git(&["config", "core.autocrlf", "input"]);
    for name in ["a/1", "a/10", "a/it's", "a/new\nline", "a/caf\u{e9}"] {
        worker.write(name, "1\r\n2\n");
    }
    worker.write("a/good", "1\n");
    let error = worker.pw(&["checkpoint", "x"]).error(3, "file_refused");
    assert_eq!(error["details"]["paths"].as_array().unwrap().len(), 5, "{error}");
    let data = worker.pw(&["needs", "b", "it"]).data();
    assert_eq!(data["paths"], json!(["a/good"]));
    assert_eq!(data["notes"].as_array().unwrap().len(), 5, "{data}");
}

/// What leaves the files as the last commit has them.
const WITHOUT_EFFECT: &[&str] = &[
    "git rm -q --cached a/f",
    "echo 2 >a/new; git add -N a/new; rm a/new",
    "echo 2 >a/f; git add a/f; echo f >a/f",
    "echo 2 >a/new; git add a/new; rm a/new",
    "git mv a/f a/r; mv a/r a/f",
    "git rm -q a/f; mkdir -p a; echo f >a/f",
    "git update-index --chmod=+x a/f",
    "ln -sf g a/f; git add a/f; rm a/f; echo f >a/f",
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_checkpoint_without_effect_makes_no_commit() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    let start = worker.git(&["rev-parse", "HEAD"]);
    for script in WITHOUT_EFFECT {
        repo.sh(&worker.path, script);
        worker.pw(&["checkpoint", "x"]).error(3, "nothing_to_commit");
        assert_eq!(worker.git(&["rev-parse", "HEAD"]), start, "{script}");
        // Nothing is left that would keep it from being complete.
        assert_eq!(worker.git(&["status", "--porcelain"]), "", "{script}");
        worker.pw(&["complete", "x"]).data();
        // A worker that is stuck says so all the same.
        repo.sh(&worker.path, script);
        worker.pw(&["blocked", "what now"]).data();
        assert_eq!(worker.git(&["log", "-1", "--format=%s"]), "[BLOCKED:what now]");
        tidy(&repo, &worker.path, &start);
    }
}

#[test]
fn what_was_taken_out_of_the_index_alone_is_said_to_stay() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    let take_out = || worker.git(&["rm", "-q", "--cached", "a/f"]);
    take_out();
    let alone = worker.pw(&["checkpoint", "x"]).error(3, "nothing_to_commit");
    assert!(alone["hint"].as_str().unwrap().contains("`a/f` stays in git"), "{alone:#}");
    take_out();
    let beside = worker.write("a/g", "g").pw(&["checkpoint", "x"]).data();
    assert_eq!(beside["paths"], json!(["a/g"]));
    assert!(beside["notes"].to_string().contains("`a/f` stays in git"), "{beside:#}");
    // As the note says: a .gitignore names it.
    worker.write("a/.gitignore", "f\n");
    take_out();
    let gone = worker.pw(&["checkpoint", "x"]).data();
    assert_eq!(gone["paths"], json!(["a/.gitignore", "a/f"]));
}

/// What a worker owns, what git ignores, what it writes there, and which path is named.
const IGNORED: &[(&str, &str, &str, &str)] = &[
    ("dist", "dist/", "dist/x", "dist"),
    ("dist", "/dist", "dist/x", "dist"),
    ("dist/**", "dist/", "dist/a/x", "dist"),
    ("dist/app.js", "dist/", "dist/app.js", "dist/app.js"),
    ("\"dist/*.js\"", "*.js", "dist/x.js", "dist"),
    ("\"a/**/*.gen\"", "*.gen", "a/x.gen", "a/x.gen"),
    ("out.log", "*.log", "out.log", "out.log"),
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn own_files_that_git_ignores_are_named_from_the_plan_to_the_end() {
    for (owns, pattern, file, named) in rows(IGNORED) {
        for exclude in [".gitignore", ".git/info/exclude"] {
            let repo = repo(&TWO.replace("owns: [a]", &format!("owns: [a/own, {owns}]")));
            repo.write("README.md", "more\n");
            let kept = if exclude == ".gitignore" { "" } else { "/worktrees/\n" };
            repo.write(exclude, &format!("{kept}{pattern}\n"));
            repo.commit("ignore");
            let check = repo.pw("pw-setup check plan.yaml").data();
            let glob = owns.trim_matches('"');
            let is_told = |warning: &&serde_json::Value| {
                let text = warning.as_str().unwrap();
                text.contains(&format!("`{glob}`"))
                    && text.contains(&format!("`{pattern}` in {exclude}"))
            };
            let warnings = check["warnings"].as_array().unwrap();
            assert_eq!(
                warnings.iter().filter(is_told).count(),
                1,
                "{owns} {pattern}: {warnings:?}"
            );
            assert!(!format!("{warnings:?}").contains("a/own"), "{warnings:?}");

            repo.pw("pw-setup create plan.yaml").data();
            let worker = repo.worker("a-x");
            worker.write(file, "1");
            let error = worker.pw(&["checkpoint", "x"]).error(3, "nothing_to_commit");
            assert!(
                error["hint"].as_str().unwrap().contains(&format!("`{named}")),
                "{owns}: {error}"
            );
            let data = worker.pw(&["complete", "x"]).data();
            let notes = data["notes"].to_string();
            assert!(notes.contains("no commit of yours changes a file"), "{owns}: {data}");
            assert!(notes.contains("git ignores 1 path"), "{owns}: {data}");
            let status = repo.pw("pw-monitor status").data();
            assert_eq!(status["workers"][0]["changes_nothing"], true, "{owns}");
            assert!(
                status["summary"].as_str().unwrap().contains("without a change: a"),
                "{status}"
            );
            worker.write("a/own", "1");
            let data = worker.pw(&["checkpoint", "x"]).data();
            assert!(data["notes"].to_string().contains("git add -f"), "{owns}: {data}");
            // As it says.
            worker.git(&["add", "-f", file]);
            let data = worker.pw(&["checkpoint", "x"]).data();
            assert_eq!((&data["paths"], data.get("notes")), (&json!([file]), None), "{owns}");
            let data = worker.pw(&["complete", "x"]).data();
            assert_eq!(data.get("notes"), None, "{owns}: {data}");
        }
    }
}

#[test]
fn ordinary_ignore_rules_warn_of_nothing() {
    let repo = repo(&TWO.replace("owns: [a]", "owns: [a, \"src/**/*.py\", docs/]"));
    repo.write(".gitignore", "*.pyc\n__pycache__/\nnode_modules\n/build\n!docs\n");
    let check = repo.pw("pw-setup check plan.yaml").data();
    assert!(!check["warnings"].to_string().contains("ignores"), "{check}");
}

#[test]
fn a_folder_that_git_cannot_look_into_is_said() {
    let repo = created(TWO);
    let worker = repo.worker("a-x");
    // Longer than any path may be, step by step.
    let deep = "n=$(printf %0250d 0); mkdir a; cd a; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; \
                do mkdir $n; cd $n; done; echo 1 >f";
    repo.sh(&worker.path, deep);
    worker.write("a/other", "1");
    let data = worker.pw(&["checkpoint", "x"]).data();
    assert!(data["notes"].to_string().contains("cannot look into `a/000"), "{data}");
    let data = worker.pw(&["complete", "x"]).data();
    assert!(data["notes"].to_string().contains("cannot look into `a/000"), "{data}");
}
