//! The guard where it is made hard: sessions that went elsewhere, unforeseen input.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use pw_testkit::plans::THREE;
use pw_testkit::repo::{Answer, TestRepo};
use pw_testkit::rows::rows;
use serde_json::json;

use crate::created;

/// What is in the environment of a worker's session.
fn session_of(worker: &str) -> [(&'static str, String); 2] {
    [("PW_WORKFLOW", "rest-api".to_owned()), ("PW_WORKER", worker.to_owned())]
}

/// What the guard answers to these bytes on its stdin, as the client's hook in a folder.
fn hook(repo: &TestRepo, at: &Path, environment: &[(&str, String)], bytes: &[u8]) -> Answer {
    let mut command = repo.helper(at, &["pw-worker", "guard", "pre-tool-use"]);
    command.envs(environment.iter().cloned());
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap();
    // A guard that knows enough need not read to the end.
    let _ = child.stdin.take().unwrap().write_all(bytes);
    child.wait_with_output().unwrap().into()
}

/// The verdict about a command run in `cwd`, `silent` when nothing is said.
fn verdict(repo: &TestRepo, cwd: &Path, environment: &[(&str, String)], command: &str) -> String {
    let asked = json!({"cwd": cwd, "tool_name": "Bash", "tool_input": {"command": command}});
    word(&hook(repo, cwd, environment, asked.to_string().as_bytes()))
}

fn word(answer: &Answer) -> String {
    assert_eq!(answer.code, Some(0), "{answer:?}");
    if answer.stdout.is_empty() {
        return "silent".to_owned();
    }
    answer.json()["hookSpecificOutput"]["permissionDecision"].as_str().unwrap().to_owned()
}

/// The agent that merges runs in the user's own session, beside all that the user has.
#[test]
fn the_agent_that_merges_edits_only_where_a_merge_is_resolved() {
    let repo = created(THREE);
    for label in ["task-1-users", "task-2-posts"] {
        let worker = repo.worker(label);
        worker.write("shared.txt", label);
        worker.git(&["add", "shared.txt"]);
        worker.git(&["commit", "-qm", "[COMPLETE] named"]);
    }
    let stopped = repo.pw("pw-integrate run --without task-3").error(4, "merge_conflict");
    let there = repo.root().join(stopped["details"]["worktree"].as_str().unwrap());
    repo.write("link-target", "mine\n");
    std::os::unix::fs::symlink(repo.root().join("link-target"), there.join("out")).unwrap();
    let asks = |agent: &str, tool: &str, file: &Path| {
        let asked = json!({"cwd": repo.root(), "agent_type": agent, "agent_id": "a", "tool_name": tool,
            "tool_input": {"file_path": file}});
        word(&hook(&repo, &repo.root(), &[], asked.to_string().as_bytes()))
    };
    let integrate = "parallel-workflows:parallel-integrate";
    for (file, expected) in [
        (there.join("shared.txt"), "silent"),
        (there.join("new/file"), "silent"),
        (there.join(".git"), "deny"),
        (there.join("out"), "deny"),
        (there.join("../../README.md"), "deny"),
        (repo.root().join("README.md"), "deny"),
        (repo.root().join("new"), "deny"),
        (repo.root().join(".git/config"), "deny"),
        (repo.worker("task-1-users").path.join("shared.txt"), "deny"),
        (repo.beside("elsewhere"), "deny"),
    ] {
        assert_eq!(asks(integrate, "Edit", &file), expected, "{}", file.display());
        assert_eq!(asks(integrate, "Write", &file), expected, "{}", file.display());
        // Another agent of the user's, and the user's session, are not ours to hold.
        assert_eq!(asks("general-purpose", "Edit", &file), "silent", "{}", file.display());
    }
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_session_signals_commits_and_syncs_as_itself_alone() {
    let repo = created(THREE);
    let posts = repo.worker("task-2-posts");
    posts.write("api/posts.py", "1");
    let before = posts.git(&["rev-parse", "HEAD"]);
    for environment in [
        session_of("task-1").to_vec(),
        vec![("PW_WORKER", "task-1".to_owned())],
        vec![("PW_WORKFLOW", "another".to_owned())],
        vec![("PW_WORKFLOW", "another".to_owned()), ("PW_WORKER", "task-2".to_owned())],
    ] {
        for words in [
            &["checkpoint", "x"][..],
            &["blocked", "x"],
            &["needs", "task-1", "UserModel"],
            &["complete", "x"],
            &["sync", "task-1"],
        ] {
            let words = [&["pw-worker"], words].concat();
            for (folder, more) in [
                (posts.path.clone(), vec![]),
                (repo.worker("task-1-users").path, vec!["-C", "../task-2-posts"]),
            ] {
                let mut command = repo.helper(&folder, &[&words[..], &more].concat());
                let answer: Answer =
                    command.envs(environment.iter().cloned()).output().unwrap().into();
                answer.error(3, "other_worker");
            }
        }
        let line = format!(
            "cd '{}' && git add api && {{ git commit -qm x || git commit -qm '[COMPLETE] x'; }}",
            posts.path.display()
        );
        let output = repo.shell(&line).envs(environment.iter().cloned()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("this session is that of"), "{said}");
        // Reading is for every session.
        let mut brief = repo.helper(&posts.path, &["pw-worker", "brief"]);
        let brief: Answer = brief.envs(environment).output().unwrap().into();
        assert_eq!(brief.data()["worker"], "task-2");
    }
    assert_eq!(posts.git(&["rev-parse", "HEAD"]), before);
    let mut own = repo.helper(&posts.path, &["pw-worker", "checkpoint", "x"]);
    let own: Answer = own.envs(session_of("task-2")).output().unwrap().into();
    own.data();
}

/// What git does to a branch: for a person and the worker's own session, not for another's. `SIDE`
/// is another worker's branch, `START` where the worker's begins, `PATCH` a patch.
const MOVING: &[&str] = &[
    "git commit -q --allow-empty -m x",
    "git commit -q --allow-empty --no-verify -m x",
    "git commit -q --amend -m x",
    "git cherry-pick SIDE",
    "git cherry-pick --ff SIDE~",
    "git revert --no-edit HEAD",
    "git rebase -q SIDE",
    "git rebase -q --apply SIDE",
    "git rebase -q --no-verify SIDE",
    "git pull -q --rebase . SIDE",
    "git pull -q --no-rebase --no-edit . SIDE",
    "git am -q PATCH",
    "git am -q --no-verify PATCH",
    "git merge -q --no-edit SIDE",
    "git merge -q --no-verify --no-edit SIDE",
    "git merge -q --no-commit SIDE; git commit -q --no-verify -m x",
    "git reset -q START && git merge -q --ff-only SIDE",
    "git reset -q --soft START",
    "git reset -q --hard START",
    "git update-ref HEAD START",
    "git update-ref refs/heads/work/task-2-posts START",
    "git commit-tree -m x HEAD^{tree} | xargs git reset -q --soft",
    "git switch -q -C work/task-2-posts START",
];

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_branch_is_moved_by_its_own_session_and_by_people_alone() {
    let repo = created(THREE);
    let posts = repo.worker("task-2-posts");
    let start = posts.git(&["rev-parse", "HEAD"]);
    repo.worker("task-3-docs")
        .write("docs/one", "one")
        .commit("one")
        .write("docs/two", "two")
        .commit("two");
    let side = repo.worker("task-3-docs").git(&["rev-parse", "HEAD"]);
    let patch = repo.beside("patch");
    std::fs::write(&patch, posts.git(&["format-patch", "--stdout", "-1", &side]) + "\n").unwrap();
    let tip = posts
        .write("api/posts.py", "all else")
        .commit("[CHECKPOINT] one")
        .git(&["rev-parse", "HEAD"]);
    let run = |words: &str, environment: &[(&str, String)]| {
        let line = words.replace("SIDE", &side).replace("START", &start);
        let line = line.replace("PATCH", &patch.display().to_string());
        let mut command = repo.shell(&line);
        let output = command.current_dir(&posts.path).envs(environment.iter().cloned()).output();
        String::from_utf8_lossy(&output.unwrap().stderr).into_owned()
    };
    let clean = "for verb in rebase am cherry-pick revert merge; do git $verb --abort 2>/dev/null; done; \
                 git reset -q --hard";
    for verb in rows(MOVING) {
        for (session, may) in [
            (vec![], true),
            (session_of("task-2").to_vec(), true),
            (session_of("task-1").to_vec(), false),
            (
                vec![("PW_WORKFLOW", "another".to_owned()), ("PW_WORKER", "task-2".to_owned())],
                false,
            ),
        ] {
            let said = run(verb, &session);
            let branch = posts.git(&["rev-parse", "refs/heads/work/task-2-posts"]);
            assert_eq!(branch != tip, may, "{verb} as {session:?}: {said}");
            assert_eq!(
                !said.contains("this session is that of"),
                may,
                "{verb} as {session:?}: {said}"
            );
            if !may {
                // Nothing is left half-way that the other session itself could not take back.
                run(clean, &session);
                assert_eq!(posts.git(&["rev-parse", "HEAD"]), tip, "{verb}");
                assert_eq!(posts.git(&["status", "--porcelain"]), "", "{verb}");
                assert_eq!(
                    posts.git(&["symbolic-ref", "HEAD"]),
                    "refs/heads/work/task-2-posts",
                    "{verb}"
                );
            }
            run(clean, &[]);
            posts.git(&["reset", "-q", "--hard", &tip]);
        }
    }
    // Nor are others' branches, or new ones, moved from a session's own worktree.
    for verb in [
        "git branch -f elsewhere START",
        "git branch elsewhere START",
        "git update-ref refs/heads/work/task-1-users SIDE",
        "git fetch -q . SIDE:refs/heads/elsewhere",
        "git update-ref -d refs/heads/main",
    ] {
        let refs = || repo.git(&["for-each-ref", "refs/heads", "HEAD"]);
        let before = refs();
        let said = run(verb, &session_of("task-2"));
        assert_eq!(refs(), before, "{verb}: {said}");
        assert!(said.contains("belong to the workflow"), "{verb}: {said}");
    }
    run("git branch elsewhere START && git branch -D elsewhere", &[]);
    // Packing moves none, with what the worker's session does every day it begins by itself.
    let refs = || repo.git(&["for-each-ref", "refs"]);
    let before = refs();
    for verb in ["git pack-refs --all", "git -c gc.auto=1 gc", "git pack-refs --all"] {
        run("git branch fresh START", &[]);
        let said = run(verb, &session_of("task-2"));
        assert!(!said.contains("belong to the workflow"), "{verb}: {said}");
        assert!(!repo.root().join(".git/refs/heads/fresh").exists(), "{verb}: {said}");
        let said = run("git branch -D fresh", &session_of("task-2"));
        assert!(said.contains("belong to the workflow"), "a packed branch goes: {said}");
        run("git branch -D fresh", &[]);
    }
    assert_eq!(refs(), before);
}

#[test]
fn a_session_is_held_to_its_scope_wherever_it_went() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    let outside = tempfile::tempdir().unwrap();
    let mut own = session_of("task-1").to_vec();
    own.push(("CLAUDE_PROJECT_DIR", users.path.display().to_string()));
    let file = users.path.join("api/posts.py");
    let write = format!("echo x > {}", file.display());
    for cwd in [&users.path, &repo.worker("task-2-posts").path, &repo.root(), outside.path()] {
        assert_eq!(verdict(&repo, cwd, &own, &write), "deny", "{}", cwd.display());
        assert_eq!(verdict(&repo, cwd, &own, "git push"), "deny", "{}", cwd.display());
        let back = format!("cd {}", users.path.display());
        assert_eq!(verdict(&repo, cwd, &own, &back), "allow", "{}", cwd.display());
    }
    // The other's own file is not this session's, though the worktree around it is the other's.
    let posts = repo.worker("task-2-posts").path;
    assert_eq!(verdict(&repo, &posts, &own, "echo x > api/posts.py"), "deny");
    assert_eq!(verdict(&repo, &posts, &[], "echo x > api/posts.py"), "silent");
    // Where it belongs cannot be told.
    for environment in
        [&session_of("task-1")[..], &session_of("task-9"), &session_of("task-1")[1..]]
    {
        assert_eq!(verdict(&repo, outside.path(), environment, "true"), "deny");
    }
    assert_eq!(
        verdict(&repo, outside.path(), &[("PW_WORKER", String::new())], "git push"),
        "silent"
    );
}

#[test]
fn a_repository_inside_a_worktree_is_no_way_out() {
    let repo = created(THREE);
    let users = repo.worker("task-1-users");
    std::fs::create_dir_all(users.path.join("tests/users/inner/deep")).unwrap();
    repo.git_in(&users.path.join("tests/users/inner"), &["init", "-q"]);
    repo.git(&["init", "-q", "../lib"]);
    repo.git_in(&repo.beside("lib"), &["commit", "-q", "--allow-empty", "-m", "x"]);
    let lib = repo.beside("lib").display().to_string();
    users.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &lib,
        "tests/users/sub",
    ]);
    for inside in ["tests/users/inner", "tests/users/inner/deep", "tests/users/sub"] {
        let cwd = users.path.join(inside);
        for command in
            ["git stash", "git push", "echo x > ../../../api/posts.py; rm -rf ../../../../../api"]
        {
            assert_eq!(verdict(&repo, &cwd, &[], command), "deny", "{command} in {inside}");
        }
        let asked = json!({"cwd": cwd, "tool_name": "Write", "tool_input": {"file_path": users.path.join("api/posts.py")}});
        assert_eq!(word(&hook(&repo, &cwd, &[], asked.to_string().as_bytes())), "deny");
    }
}

/// Unforeseen input, whatever the folder.
fn odd_input(cwd: &Path) -> Vec<(&'static str, Vec<u8>)> {
    let cwd = serde_json::to_string(cwd).unwrap();
    let ask = |rest: &str| format!("{{\"cwd\":{cwd},{rest}}}").into_bytes();
    let bash = |command: &str| {
        ask(&format!("\"tool_name\":\"Bash\",\"tool_input\":{{\"command\":{command}}}"))
    };
    let write = |path: &str| {
        ask(&format!("\"tool_name\":\"Write\",\"tool_input\":{{\"file_path\":{path}}}"))
    };
    let deep = |times| "[".repeat(times) + &"]".repeat(times);
    vec![
        ("nothing", Vec::new()),
        ("no JSON", b"{".to_vec()),
        ("another JSON", b"[1]".to_vec()),
        ("null", b"null".to_vec()),
        ("not UTF-8", [b"{\"cwd\":\"".to_vec(), vec![0xff, 0xfe], b"\"}".to_vec()].concat()),
        ("NULs", vec![0; 1000]),
        ("deep JSON", deep(100_000).into_bytes()),
        ("no tool", ask("\"x\":1")),
        ("a tool that is a number", ask("\"tool_name\":5,\"tool_input\":{}")),
        ("no input", ask("\"tool_name\":\"Bash\"")),
        ("an input that is a list", ask("\"tool_name\":\"Bash\",\"tool_input\":[]")),
        (
            "deep input",
            ask(&format!("\"tool_name\":\"Bash\",\"tool_input\":{{\"command\":{}}}", deep(10_000))),
        ),
        ("no command", ask("\"tool_name\":\"Bash\",\"tool_input\":{}")),
        ("a command that is null", bash("null")),
        ("a command that is a number", bash("7")),
        ("a lone surrogate", bash("\"echo \\ud800\"")),
        (
            "a command twice",
            ask(
                "\"tool_name\":\"Bash\",\"tool_input\":{\"command\":\"ls\",\"command\":\"git push\"}",
            ),
        ),
        ("a long command", bash(&format!("\"{}\"", "echo x; ".repeat(200_000)))),
        ("an endless nest", bash(&format!("\"{}\"", "$(".repeat(50_000)))),
        (
            "brackets the parser tries in every way",
            bash(&format!("\"echo {}\"", "$((".repeat(30) + &"))".repeat(30))),
        ),
        (
            "a tilde that the parser takes for a number",
            bash("\"echo x > ~99999999999999999999999/x\""),
        ),
        ("half a command", bash("\"echo 'x\"")),
        ("a NUL", bash("\"ls \\u0000; git push\"")),
        ("no file", write("\"\"")),
        ("a file that is a list", write("[]")),
        ("a file with a lone surrogate", write("\"\\udc00\"")),
        ("a long file name", write(&format!("\"{}\"", "a/".repeat(50_000)))),
        ("a circle of links", write("\"tests/users/loop/x\"")),
        ("a circle of two links", bash("\"echo x > tests/users/two/x\"")),
        ("a circle in a folder", bash("\"cd tests/users/loop; echo x > y\"")),
    ]
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn what_cannot_be_judged_is_denied_to_a_worker_and_let_pass_for_others() {
    let repo = created(THREE);
    repo.git(&["worktree", "add", "-q", "../mine", "HEAD"]);
    let users = repo.worker("task-1-users").path;
    std::fs::create_dir_all(users.join("tests/users")).unwrap();
    for (link, to) in [("loop", "loop"), ("two", "three"), ("three", "two")] {
        std::os::unix::fs::symlink(to, users.join("tests/users").join(link)).unwrap();
    }
    for (folder, expected) in
        [(users, "deny"), (repo.root(), "silent"), (repo.beside("mine"), "silent")]
    {
        for (what, bytes) in odd_input(&folder) {
            let start = Instant::now();
            let said = word(&hook(&repo, &folder, &[], &bytes));
            let could_pass = what.starts_with("brackets");
            assert!(said == expected || could_pass, "{what}: {said} in {}", folder.display());
            assert!(start.elapsed() < Duration::from_secs(10), "{what}: {:?}", start.elapsed());
        }
    }
}

#[test]
fn a_marker_that_is_no_file_keeps_nobody_waiting() {
    let repo = created(THREE);
    let folder = repo.beside("odd");
    std::fs::create_dir(&folder).unwrap();
    let marker = folder.join(".git");
    assert!(repo.shell(&format!("mkfifo '{}'", marker.display())).status().unwrap().success());
    assert_eq!(verdict(&repo, &folder, &[], "git push"), "silent");
    std::fs::remove_file(&marker).unwrap();
    for odd in
        [&b""[..], b"gitdir: ", b"gitdir: \xff/a/b\n", b"gitdir: /nowhere/x/y", &[b'x'; 100_000]]
    {
        std::fs::write(&marker, odd).unwrap();
        assert_eq!(verdict(&repo, &folder, &[], "git push"), "silent", "{odd:?}");
    }
}

#[test]
fn a_worktree_whose_git_is_broken_is_held_and_the_users_own_is_not() {
    let mut repo = created(THREE);
    repo.git(&["worktree", "add", "-q", "../mine", "HEAD"]);
    let (users, mine) = (repo.worker("task-1-users").path, repo.beside("mine"));
    repo.shim_git("echo broken >&2; exit 128");
    assert_eq!(verdict(&repo, &users, &[], "ls"), "deny");
    assert_eq!(verdict(&repo, &mine, &[], "ls"), "silent");
    assert_eq!(verdict(&repo, &repo.root(), &[], "ls"), "silent");
}

#[test]
fn ignored_and_untracked_files_are_in_nobodys_way() {
    let repo = crate::repo(THREE);
    repo.write(".gitignore", "target/\n*.log\nmine\n");
    repo.git(&["add", ".gitignore"]);
    repo.git(&["commit", "-q", "-m", "ignore"]);
    repo.write("kept.log", "x");
    repo.git(&["add", "-f", "kept.log"]);
    repo.git(&["commit", "-q", "-m", "tracked though ignored"]);
    repo.pw("pw-setup create plan.yaml").data();
    let users = repo.worker("task-1-users");
    users.write("stray.tmp", "").write("target/x", "");
    for (command, expected) in [
        ("make > target/deep/log", "silent"),
        ("make > build.log", "silent"),
        ("make > kept.log", "deny"),
        ("make > build.txt", "deny"),
        ("make > ':(top)mine'", "deny"),
        ("rm stray.tmp", "silent"),
        ("rm -rf target", "silent"),
        ("rm kept.log", "deny"),
        ("rm README.md missing", "deny"),
        ("git checkout README.md", "silent"),
        ("git checkout main", "deny"),
        ("git restore README.md", "allow"),
        ("git restore api/users.py", "allow"),
        ("git log --oneline", "allow"),
        ("git log --output=README.md", "deny"),
    ] {
        assert_eq!(verdict(&repo, &users.path, &[], command), expected, "{command}");
    }
    users.git(&["config", "alias.ship", "push"]);
    assert_eq!(verdict(&repo, &users.path, &[], "git ship"), "deny");
    let said =
        json!({"cwd": users.path, "tool_name": "Write", "tool_input": {"file_path": "target/x"}});
    assert_eq!(word(&hook(&repo, &users.path, &[], said.to_string().as_bytes())), "silent");
}
