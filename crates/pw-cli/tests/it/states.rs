//! Every state of an own file that `git status` can show, crossed with every verb that commits it.

use std::path::Path;

use pw_core::id::Oid;
use pw_core::scope::Scope;
use pw_git::Repo;
use pw_testkit::plans::TWO;
use pw_testkit::repo::TestRepo;
use pw_testkit::rows::rows;
use serde_json::json;

use crate::repo;

/// The pairs of `git status --porcelain=v2`, index and worktree, and what leads to each; all in
/// `a/`, where the worker owns everything.
const STATES: &[(&str, &str)] = &[
    ("M.", "echo 2 >a/f; git add a/f"),
    (".M", "echo 2 >a/f"),
    ("MM", "echo 2 >a/f; git add a/f; echo 3 >a/f"),
    ("MM, back as it was", "echo 2 >a/f; git add a/f; echo f >a/f"),
    ("MT", "echo 2 >a/f; git add a/f; ln -sf g a/f"),
    ("MD", "echo 2 >a/f; git add a/f; rm a/f"),
    ("T.", "ln -sf g a/f; git add a/f"),
    (".T", "ln -sf g a/f"),
    ("TM", "ln -sf g a/f; git add a/f; ln -sf h a/f"),
    ("TT", "ln -sf g a/f; git add a/f; rm a/f; echo 2 >a/f"),
    ("TD", "ln -sf g a/f; git add a/f; rm a/f"),
    (".T, a link", "rm a/link; echo 2 >a/link"),
    ("A.", "echo 2 >a/new; git add a/new"),
    ("AM", "echo 2 >a/new; git add a/new; echo 3 >a/new"),
    ("AT", "echo 2 >a/new; git add a/new; ln -sf g a/new"),
    ("AD", "echo 2 >a/new; git add a/new; rm a/new"),
    ("D.", "git rm -q a/f"),
    ("D., all of a folder", "git rm -rq a/d"),
    (".D", "rm a/f"),
    (".D, all of a folder", "rm -r a/d"),
    ("D. and ?", "git rm -q --cached a/f"),
    ("D. and ?, changed", "git rm -q --cached a/f; echo 2 >a/f"),
    ("D. and !", "git rm -q --cached a/f; echo f >a/.gitignore"),
    ("R.", "git mv a/f a/r"),
    ("RM", "git mv a/f a/r; echo 2 >>a/r"),
    ("RT", "git mv a/f a/r; ln -sf g a/r"),
    ("RD", "git mv a/f a/r; rm a/r"),
    ("R., a folder", "git mv a/d a/moved"),
    ("R., there and back", "git mv a/f a/r; git mv a/r a/f; echo 2 >>a/f"),
    (".R", "mv a/f a/r; git add -N a/r"),
    (".D and ?, moved", "mv a/f a/r"),
    ("mv and add -A", "mv a/f a/r; git add -A"),
    ("C.", "cp a/f a/c; git add a/c"),
    ("CM", "cp a/f a/c; git add a/c; echo 2 >>a/c"),
    ("CD", "cp a/f a/c; git add a/c; rm a/c"),
    (".C", "cp a/f a/c; git add -N a/c"),
    (".A", "echo 2 >a/new; git add -N a/new"),
    (".A, gone", "echo 2 >a/new; git add -N a/new; rm a/new; echo 2 >a/f"),
    (".A, a folder now", "echo 2 >a/new; git add -N a/new; rm a/new; mkdir a/new; echo 2 >a/new/x"),
    ("?", "echo 2 >a/new"),
    ("?, a folder", "mkdir -p a/n/m; echo 2 >a/n/m/x; echo 3 >a/n/y"),
    ("?, a link", "ln -s ../a/g a/new"),
    ("? and !", "echo '*.o' >a/.gitignore; echo 2 >a/x.o"),
    (
        "!, added by force",
        "echo '*.o' >.git-exclude; git config core.excludesFile .git-exclude; rm .git-exclude; echo 2 >a/x.o; git add -f a/x.o",
    ),
    ("a mode", "chmod +x a/f"),
    ("a mode, staged", "chmod +x a/f; git add a/f"),
    ("a mode, in the index alone", "git update-index --chmod=+x a/f"),
    ("a folder in place of a file", "rm a/f; mkdir a/f; echo 2 >a/f/x"),
    ("a folder in place of a file, staged", "rm a/f; mkdir a/f; echo 2 >a/f/x; git add -A"),
    (
        "a folder in place of a staged file",
        "echo 2 >a/f; git add a/f; rm a/f; mkdir a/f; echo 2 >a/f/x",
    ),
    ("a file in place of a folder", "rm -r a/d; echo 2 >a/d"),
    ("a file in place of a folder, staged", "rm -r a/d; echo 2 >a/d; git add -A"),
    ("a link in place of a folder", "mv a/d a/e; ln -s e a/d"),
    ("a link in place of a folder, staged", "mv a/d a/e; ln -s e a/d; git add -A"),
    ("a folder in place of a link", "rm a/link; mkdir a/link; echo 2 >a/link/x"),
    ("another letter case", "git mv a/f a/F"),
    ("another letter case, by hand", "mv a/f a/F"),
    (
        "letter case is nothing to git",
        "git config core.ignoreCase true; git mv a/f a/F; echo 2 >>a/F",
    ),
    (
        "names that mean something to git",
        "cd a; for n in ':(top)x' '*' '[f]' '?' ':!f' '-x' ' x' '#x' '\"x' '\\x' '!x'; do echo \"$n\" >\"$n\"; done",
    ),
    (
        "such names, gone",
        "cd a; git mv f ':(top)f'; git commit -qnm x; git rm -q ':(top)f' || git --literal-pathspecs rm -q ':(top)f'",
    ),
    (
        "names of any bytes",
        "cd a; for n in 'x\ny' 'tab\tx' 'caf\\351' '\\001'; do printf x >\"$(printf \"$n\")\"; done",
    ),
    ("an empty file", ": >a/new"),
];

/// What a repository looks like to a reader.
fn picture(repo: &TestRepo, worktree: &Path) -> [String; 3] {
    [&["rev-parse", "HEAD"][..], &["status", "--porcelain=v2"], &["ls-files", "-s"]]
        .map(|words| repo.git_in(worktree, words))
}

/// The plan's first worker, with files to work on.
fn prepared() -> TestRepo {
    let repo = repo(TWO);
    for (path, text) in [("a/f", "f\n"), ("a/g", "g\n"), ("a/d/x", "x\n"), ("a/d/y", "y\n")] {
        repo.write(path, text);
    }
    repo.sh(&repo.root(), "ln -s g a/link");
    repo.git(&["config", "status.renames", "copies"]);
    repo.git(&["add", "a"]);
    repo.git(&["commit", "-q", "-m", "files"]);
    repo.pw("pw-setup create plan.yaml").data();
    repo
}

/// Returns the tree that git itself makes of everything there is.
fn everything(repo: &TestRepo, worktree: &Path) -> String {
    let index = repo.beside("index");
    let copy = "cp -p \"$(git rev-parse --git-dir)/index\" \"$0\"; export GIT_INDEX_FILE=\"$0\"; \
                git -c core.ignoreCase=false --literal-pathspecs add -A >&2 && git write-tree";
    let script = copy.replace("$0", index.to_str().unwrap());
    let output = repo.shell(&script).current_dir(worktree).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Commits every state, with a verb for each by its number.
fn each_state(verb: impl Fn(usize) -> (&'static [&'static str], &'static str)) {
    let repo = prepared();
    let worker = repo.worker("a-x");
    let start = worker.git(&["rev-parse", "HEAD"]);
    for (number, (state, script)) in rows(STATES).enumerate() {
        repo.sh(&worker.path, script);
        let (wanted, before) =
            (everything(&repo, &worker.path), worker.git(&["rev-parse", "HEAD"]));
        let (words, subject) = verb(number);
        if words[0] == "checkpoint" && wanted == worker.git(&["rev-parse", "HEAD^{tree}"]) {
            // All that was staged is as it was in the files.
            worker.pw(words).error(3, "nothing_to_commit");
            assert_eq!(worker.git(&["status", "--porcelain"]), "", "{state}");
            tidy(&repo, &worker.path, &start);
            continue;
        }
        let data = worker.pw(words).data();
        assert_eq!((&data["subject"], &data["left"]), (&json!(subject), &json!([])), "{state}");
        assert_eq!(
            worker.git(&["rev-parse", "HEAD^{tree}", "HEAD^"]),
            format!("{wanted}\n{before}"),
            "{state}"
        );
        assert_eq!(worker.git(&["status", "--porcelain"]), "", "{state}");
        tidy(&repo, &worker.path, &start);
    }
}

fn tidy(repo: &TestRepo, worktree: &Path, start: &str) {
    repo.sh(
        worktree,
        &format!(
            "git config --unset core.ignoreCase; git config --unset core.excludesFile; \
             git reset -q --hard {start} && git clean -qfdx"
        ),
    );
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_checkpoint_commits_every_state() {
    each_state(|_| (&["checkpoint", "x"], "[CHECKPOINT] x"));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_checkpoint_of_a_named_folder_commits_every_state() {
    each_state(|_| (&["checkpoint", "x", "--path", "a"], "[CHECKPOINT] x"));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn blocked_and_needs_commit_every_state() {
    each_state(|number| match number % 2 {
        0 => (&["blocked", "no network"], "[BLOCKED:no network]"),
        _ => (&["needs", "b", "it"], "[NEEDS:b/it]"),
    });
}

#[test]
fn complete_and_sync_wait_for_a_commit_in_every_state() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    let start = worker.git(&["rev-parse", "HEAD"]);
    for (number, (state, script)) in rows(STATES).enumerate() {
        repo.sh(&worker.path, script);
        let before = picture(&repo, &worker.path);
        let words = [&["complete", "all"][..], &["sync", "b"]][number % 2];
        let error = worker.pw(words).error(3, "dirty_tree");
        assert_eq!(error["next"], "pw-worker checkpoint \"what was done\"", "{state}");
        assert_eq!(picture(&repo, &worker.path), before, "{state}");
        tidy(&repo, &worker.path, &start);
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_part_is_committed_whatever_else_is_staged() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    let start = worker.git(&["rev-parse", "HEAD"]);
    // The user, or the worker's tools, staged a file that no worker owns and another own file.
    let others = "echo 9 >stray; echo 9 >a/g; git add stray a/g; git rm -q --cached README.md";
    let staged = "M\ta/g\nD\tREADME.md\nA\tstray";
    for (state, script) in rows(STATES).filter(|(_, script)| !script.contains("add -A")) {
        if script.contains("ignoreCase") || script.contains("cd a") || script.contains("mv a/d a/e")
        {
            continue;
        }
        repo.sh(&worker.path, script);
        // What the files come to by themselves, all of them but `a/g`.
        let wanted = everything(&repo, &worker.path);
        let before = worker.git(&["rev-parse", "HEAD"]);
        repo.sh(&worker.path, others);
        let mut words = vec!["checkpoint", "x"];
        let names = ["f", "d", "new", "r", "c", "F", "n", "moved", "link", "x.o", ".gitignore"];
        let names: Vec<String> = names.iter().map(|name| format!("a/{name}")).collect();
        let status = worker.git(&["status", "--porcelain", "-uall", "--no-renames"]);
        for name in names.iter().filter(|name| {
            status
                .lines()
                .any(|line| line[3..] == ***name || line[3..].starts_with(&format!("{name}/")))
        }) {
            words.extend(["--path", name]);
        }
        let answer = worker.pw(&words);
        if wanted == worker.git(&["rev-parse", &format!("{before}^{{tree}}")]) {
            answer.error(3, "nothing_to_commit");
        } else {
            answer.data();
        }
        assert_eq!(worker.git(&["rev-parse", "HEAD^{tree}"]), wanted, "{state}");
        let mut kept: Vec<String> = worker
            .git(&["diff", "--cached", "--name-status", "--no-renames"])
            .lines()
            .map(str::to_owned)
            .collect();
        let mut expected: Vec<&str> = staged.lines().collect();
        kept.sort();
        expected.sort_unstable();
        assert_eq!(kept, expected, "{state}");
        tidy(&repo, &worker.path, &start);
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_snapshot_brings_every_state_back() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    let start: Oid = worker.git(&["rev-parse", "HEAD"]).parse().unwrap();
    let back = repo.beside("back");
    let files = |folder: &Path| {
        // Sorted, since file systems list a folder in an order of their own.
        let list = "find . -path ./.git -prune -o \\( -type l -o -type f \\) -print0 | LC_ALL=C sort -z | \
                    tar --null --no-recursion --files-from=- --mtime=@0 --create";
        let output = repo.shell(list).current_dir(folder).output().unwrap();
        (output.status.success(), output.stdout)
    };
    for (state, script) in rows(STATES) {
        repo.sh(&worker.path, script);
        let head: Oid = worker.git(&["rev-parse", "HEAD"]).parse().unwrap();
        let ours = Repo::open(&repo.root()).unwrap();
        let survey = ours.survey(&worker.path, &Scope::default()).unwrap();
        let snapshot = ours.snapshot(&worker.path, &survey, "kept").unwrap();
        ours.restore_into(&back, &snapshot, &head, "a test").unwrap();
        // That a file which is gone again was only intended to be added, git does not tell.
        if !state.starts_with(".A, ") {
            assert_eq!(picture(&repo, &back), picture(&repo, &worker.path), "{state}");
        }
        assert_eq!(files(&back), files(&worker.path), "{state}");
        repo.git(&["worktree", "remove", "--force", back.to_str().unwrap()]);
        tidy(&repo, &worker.path, start.as_str());
    }
}

/// What one side did, what the other did, and what a merge of both leaves unmerged.
const UNMERGED: &[(&str, &str, &str, &str)] = &[
    ("UU", "echo 1 >a/f", "echo 2 >a/f", "git add a/f"),
    ("AA", "echo 1 >a/new", "echo 2 >a/new", "git add a/new"),
    ("UD", "echo 1 >a/f", "git rm -q a/f", "git rm -q a/f"),
    ("DU", "git rm -q a/f", "echo 2 >a/f", "git add a/f"),
    ("DD AU UA", "git mv a/f a/1", "git mv a/f a/2", "git rm -q a/f a/1; git add a/2"),
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_is_unmerged_waits_and_a_worker_that_is_stuck_there_gets_out() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    let start = worker.git(&["rev-parse", "HEAD"]);
    for (state, ours, theirs, resolve) in UNMERGED {
        worker.git(&["checkout", "-q", "--detach"]);
        repo.sh(&worker.path, &format!("{theirs}; git add -A; git commit -qnm theirs"));
        let other = worker.git(&["rev-parse", "HEAD"]);
        worker.git(&["checkout", "-q", "work/a-x"]);
        repo.sh(&worker.path, &format!("{ours}; git add -A; git commit -qnm ours"));
        repo.try_git(&worker.path, &["merge", "-q", &other]);
        let before = picture(&repo, &worker.path);
        for word in state.split(' ') {
            assert!(before[1].contains(&format!("u {word}")), "{state}: {}", before[1]);
        }
        for words in [&["checkpoint", "x"][..], &["complete"], &["sync", "b"]] {
            let error = worker.pw(words).error(3, "dirty_tree");
            assert!(error["hint"].as_str().unwrap().contains("resolve"), "{state}");
            assert_eq!(picture(&repo, &worker.path), before, "{state}");
        }
        let data = worker.pw(&["blocked", "which side"]).data();
        assert!(data["notes"][0].as_str().unwrap().contains("is unmerged"), "{data}");
        let after = picture(&repo, &worker.path);
        assert_eq!(after[1..], before[1..], "{state}");
        assert_eq!(repo.pw("pw-monitor status").data()["workers"][0]["state"], "blocked");

        repo.sh(&worker.path, resolve);
        let wanted = everything(&repo, &worker.path);
        worker.pw(&["checkpoint", "merged"]).data();
        assert_eq!(worker.git(&["rev-parse", "HEAD^{tree}"]), wanted, "{state}");
        assert_eq!(worker.git(&["rev-parse", "HEAD^2"]), other, "{state}");
        worker.git(&["reset", "-q", "--hard", &start]);
    }
}

#[test]
fn files_that_cross_the_scope_are_named() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    // Staged, another's path would be in the commit; blocked takes neither half, and says so.
    for script in ["mkdir b; git mv a/f b/f", "git mv README.md a/README"] {
        repo.sh(&worker.path, script);
        let before = picture(&repo, &worker.path);
        let error = worker.pw(&["checkpoint", "x"]).error(3, "out_of_scope");
        assert!(!error["hint"].as_str().unwrap().is_empty());
        assert_eq!(picture(&repo, &worker.path), before);
        let data = worker.pw(&["blocked", "where to"]).data();
        assert_eq!(data["left"].as_array().unwrap().len(), 2, "{data}");
        assert_eq!(data["paths"], json!([]), "{data}");
        assert!(data["notes"][0].as_str().unwrap().contains("was moved to"), "{data}");
        worker.git(&["reset", "-q", "--hard", "HEAD"]);
    }
}

#[test]
fn a_file_in_place_of_a_folder_does_not_delete_what_others_have_in_it() {
    let repo = repo(&TWO.replace("owns: [a]", "owns: [\"d*\"]"));
    repo.write("dir/theirs", "1");
    repo.git(&["add", "dir"]);
    repo.git(&["commit", "-q", "-m", "files"]);
    repo.pw("pw-setup create plan.yaml").data();
    let worker = repo.worker("a-x");
    repo.sh(&worker.path, "rm -r dir; echo 2 >dir; echo 2 >done");
    let before = picture(&repo, &worker.path);
    worker.pw(&["checkpoint", "x"]).error(3, "out_of_scope");
    assert_eq!(picture(&repo, &worker.path), before);
    let data = worker.pw(&["blocked", "a folder"]).data();
    assert_eq!(data["left"], json!(["dir", "dir/theirs", "done"]));
    assert_eq!(picture(&repo, &worker.path)[1..], before[1..]);
    assert_eq!(worker.pw(&["checkpoint", "x", "--path", "done"]).data()["paths"], json!(["done"]));
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_git_was_told_to_overlook_is_said() {
    let repo = prepared();
    let worker = repo.worker("a-x");
    for (flag, back) in
        [("assume-unchanged", "no-assume-unchanged"), ("skip-worktree", "no-skip-worktree")]
    {
        worker.git(&["update-index", &format!("--{flag}"), "a/f"]);
        worker.write("a/f", flag);
        let error = worker.pw(&["checkpoint", "x"]).error(3, "nothing_to_commit");
        assert!(
            error["hint"].as_str().unwrap().contains("overlook the change of `a/f`"),
            "{error}"
        );
        worker.write("a/g", flag);
        let data = worker.pw(&["checkpoint", "x"]).data();
        assert!(data["notes"][0].as_str().unwrap().contains("`a/f`"), "{data}");
        assert_eq!(data["paths"], json!(["a/g"]));
        worker.pw(&["complete"]).error(3, "dirty_tree");
        worker.git(&["update-index", &format!("--{back}"), "a/f"]);
        assert_eq!(worker.pw(&["checkpoint", "x"]).data()["paths"], json!(["a/f"]));
        worker.pw(&["complete"]).data();
    }
}
