//! `pw-setup launch` against real shells, a real tmux, and a client made of a few lines of shell.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use pw_testkit::plans::{THREE, WAVES};
use pw_testkit::repo::{Answer, TestRepo, write_program};
use serde_json::{Value, json};

use crate::created;

/// A folder name that a shell must not read, and a note that must stay one.
const AWKWARD: &str = "it's \"my\" $(touch hacked) `id`; #{repo}";
const NOTE: &str = r#""it's \"x\" $(touch hacked) `id`\n'; touch hacked; echo '""#;

fn hostile(more: &str) -> TestRepo {
    let helpers = Path::new(env!("CARGO_BIN_EXE_pw-setup")).parent().unwrap();
    let repo = TestRepo::named(helpers, AWKWARD);
    let size = "    size: M\n";
    repo.write(
        "plan.yaml",
        &format!("{more}{}", THREE.replace(size, &format!("    notes: {NOTE}\n"))),
    );
    repo.pw("pw-setup create plan.yaml").data();
    repo
}

/// Where the fake client writes what it was started with, a line for each thing.
const FAKE: &str = "{ pwd; echo \"$PW_WORKER $PW_WORKFLOW $PW_PORT $CLAUDECODE\"; printf '<%s>\\n' \"$@\"; } >> \"$HOME/seen\"";

fn seen(repo: &TestRepo) -> String {
    std::fs::read_to_string(repo.beside("seen")).unwrap_or_default()
}

/// Waits without sleeping for what another process is about to do.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "it never came to this: {what}");
        std::thread::yield_now();
    }
}

fn launch(repo: &TestRepo, words: &str, env: &[(&str, &str)]) -> Answer {
    let words: Vec<&str> =
        ["pw-setup", "launch"].into_iter().chain(words.split_whitespace()).collect();
    repo.helper(&repo.root(), &words).envs(env.iter().copied()).output().unwrap().into()
}

fn ours(repo: &TestRepo, label: &str, file: &str) -> PathBuf {
    repo.root().join(".git/pw/rest-api").join(label).join(file)
}

fn record(repo: &TestRepo) -> String {
    repo.git(&["log", "--format=%s", "refs/pw/rest-api/record"])
}

/// A session that runs until the test ends it, or its client of two minutes ends.
struct Session(Child);

impl Session {
    fn start(repo: &TestRepo, label: &str) -> Self {
        let line = format!("sh '.git/pw/rest-api/{label}/launch.sh'");
        let session = Self(repo.shell(&format!("exec {line}")).spawn().unwrap());
        until("the launcher leaves a note of its process", || {
            std::fs::read_to_string(ours(repo, label, "session"))
                .is_ok_and(|text| text.starts_with(&format!("{} ", session.0.id())))
        });
        session
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A search path on which nothing is but what launching needs, and these.
fn tools(repo: &TestRepo, more: &[&str]) -> String {
    let folder = repo.beside("tools");
    std::fs::create_dir_all(&folder).unwrap();
    let system = std::env::var_os("PATH").unwrap();
    for name in ["git", "sh", "cat", "ps", "mv"].iter().chain(more) {
        let found = std::env::split_paths(&system).map(|f| f.join(name)).find(|p| p.is_file());
        let _ = std::os::unix::fs::symlink(found.unwrap(), folder.join(name));
    }
    folder.to_string_lossy().into_owned()
}

#[test]
fn a_record_without_ports_is_still_read() {
    let repo = created(THREE);
    let base = repo.git(&["rev-parse", "main"]);
    let tree = repo.git(&["rev-parse", "refs/pw/rest-api/record^{tree}"]);
    let mut parents: Vec<String> = Vec::new();
    for subject in [format!("planned {base} main"), format!("created task-1 {base}")] {
        let parent = parents.iter().flat_map(|parent| ["-p", parent]);
        let words: Vec<&str> =
            ["commit-tree", &tree, "-m", &subject].into_iter().chain(parent).collect();
        parents = vec![repo.git(&words)];
    }
    repo.git(&["update-ref", "refs/pw/rest-api/record", &parents[0]]);
    let data = repo.pw("pw-setup launch task-1").data();
    assert_eq!(data["workers"][0]["status"], "printed");
}

#[test]
fn print_says_what_to_run_and_changes_nothing() {
    let mut repo = hostile("");
    repo.shim("claude", FAKE);
    let before = repo.fingerprint();
    let data = launch(&repo, "", &[]).data();
    assert!(repo.fingerprint() == before, "print wrote to the repository");
    let workers = data["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 3);
    assert_eq!((&workers[0]["how"], &workers[0]["status"]), (&json!("print"), &json!("printed")));
    let shown = repo.pw("pw-setup launch --format human").stdout;
    assert!(shown.starts_with("task-1 (run this in a terminal of its own)\n  sh "), "{shown}");

    for (label, worker) in ["task-1-users", "task-2-posts", "task-3-docs"].iter().zip(workers) {
        let command = worker["command"].as_str().unwrap();
        assert!(
            repo.shell(&format!("CLAUDECODE=1 {command} --model opus")).status().unwrap().success()
        );
        let script = ours(&repo, label, "launch.sh");
        let line = format!("sh -n {}", pw_core::shell_word::shell_word(&script.to_string_lossy()));
        assert!(repo.shell(&line).status().unwrap().success(), "{line}");
    }
    let port = repo.pw("pw-setup check plan.yaml").data()["workers"][0]["port"].to_string();
    let path = repo.root().join("worktrees/task-1-users").to_string_lossy().into_owned();
    let prompt = std::fs::read_to_string(ours(&repo, "task-1-users", "prompt.md")).unwrap();
    let expected = format!(
        "{path}\ntask-1 rest-api {port} \n<--settings>\n<{}>\n<--model>\n<opus>\n<-->\n<{}>\n",
        ours(&repo, "task-1-users", "settings.json").to_string_lossy(),
        prompt.trim_end()
    );
    assert!(seen(&repo).starts_with(&expected), "{}\n{expected}", seen(&repo));
    assert!(!prompt.contains("hacked"), "{prompt}");
    assert!(!repo.fingerprint().keys().any(|path| path.ends_with("hacked")));
    assert!(!repo.beside("hacked").exists());
}

#[test]
fn settings_beside_the_launcher_and_unchecked_sessions_reach_the_client() {
    let mut repo = hostile("permissions: dangerously-skip-permissions\n");
    repo.shim("claude", FAKE);
    let settings = ours(&repo, "task-1-users", "settings.json");
    let text: Value = serde_json::from_str(&std::fs::read_to_string(&settings).unwrap()).unwrap();
    assert_eq!(
        (&text["env"]["PW_WORKER"], &text["env"]["PW_WORKFLOW"]),
        (&json!("task-1"), &json!("rest-api"))
    );
    let data = launch(&repo, "task-1", &[]).data();
    let command = data["workers"][0]["command"].as_str().unwrap();
    assert!(repo.shell(command).status().unwrap().success());
    let expected = format!(
        "<--dangerously-skip-permissions>\n<--settings>\n<{}>\n<-->\n",
        settings.to_string_lossy()
    );
    assert!(seen(&repo).contains(&expected), "{}", seen(&repo));
}

#[test]
fn the_client_we_were_called_from_is_used_while_it_is_there() {
    let mut repo = created(THREE);
    repo.shim("claude", "echo path >> \"$HOME/seen\"");
    let calling = repo.beside("calling");
    write_program(&calling, "#!/bin/sh\necho calling >> \"$HOME/seen\"\n");
    let line = "sh .git/pw/rest-api/task-1-users/launch.sh";
    for (path, expected) in [
        (calling.as_path(), "calling\n"),
        (Path::new("/gone"), "path\n"),
        (Path::new("/"), "path\n"),
    ] {
        let mut shell = repo.shell(line);
        assert!(shell.env("CLAUDE_CODE_EXECPATH", path).status().unwrap().success());
        assert!(seen(&repo).ends_with(expected), "{path:?}: {}", seen(&repo));
    }
}

#[test]
fn a_worker_with_a_living_session_is_not_started_again() {
    let mut repo = created(THREE);
    repo.shim("claude", "[ \"$1\" = agents ] && echo '[]' && exit\nexec sleep 120");
    let session = Session::start(&repo, "task-1-users");
    for words in [
        "task-1",
        "task-2 task-1",
        "task-1 --with tmux",
        "task-1 --with background",
        "task-1 --with custom",
    ] {
        let error = launch(&repo, words, &[]).error(3, "session_alive");
        assert_eq!(error["details"]["sessions"][0]["pid"], session.0.id(), "{error:#}");
        assert!(error["message"].as_str().unwrap().contains(&session.0.id().to_string()));
        assert!(error["hint"].as_str().unwrap().contains("terminal"), "{error:#}");
    }
    let data = launch(&repo, "", &[]).data();
    assert_eq!(data["skipped"][0]["reason"], "session_alive");
    assert_eq!(data["workers"].as_array().unwrap().len(), 2);
    drop(session);
    assert_eq!(launch(&repo, "task-1", &[]).data()["workers"][0]["status"], "printed");

    // Another process with the same number is not the session; neither is a number alone.
    let note = ours(&repo, "task-1-users", "session");
    let mine = std::process::id();
    std::fs::write(&note, format!("{mine} Sun Nov  2 11:06:25 2025\n")).unwrap();
    assert_eq!(launch(&repo, "task-1", &[]).data()["notes"], json!([]));
    std::fs::write(&note, format!("{mine} \n")).unwrap();
    let data = launch(&repo, "task-1", &[]).data();
    assert_eq!(data["notes"], json!([format!("process {mine} may be a living session of task-1")]));
    std::fs::write(&note, "nonsense\n").unwrap();
    launch(&repo, "task-1", &[]).data();
}

#[test]
fn who_is_done_or_not_there_is_left_alone() {
    let repo = created(WAVES);
    repo.worker("base-model").write("model/a", "1").commit("[COMPLETE] model");
    let data = launch(&repo, "", &[]).data();
    assert_eq!(
        (&data["workers"][0]["worker"], data["workers"].as_array().unwrap().len()),
        (&json!("side"), 1)
    );
    let reasons: Vec<&Value> =
        data["skipped"].as_array().unwrap().iter().map(|s| &s["reason"]).collect();
    assert_eq!(reasons, ["complete", "not_created"]);
    let error = launch(&repo, "top", &[]).error(3, "not_created");
    assert_eq!(error["next"], "pw-setup advance waves");
    launch(&repo, "nobody", &[]).error(3, "unknown_worker");
    launch(&repo, "--with rocket", &[]).error(2, "usage");
    std::fs::remove_dir_all(&repo.worker("side-extra").path).unwrap();
    assert_eq!(launch(&repo, "", &[]).data()["workers"], json!([]));
}

#[test]
fn a_background_session_is_started_once_and_recorded() {
    let mut repo = hostile("");
    let fake = format!(
        "if [ \"$1\" = agents ]; then cat \"$HOME/agents\"; exit; fi\n{FAKE}\n\
         echo Starting background service… >&2\necho \"backgrounded · 134cae30 · $5\"\necho '  claude attach 134cae30'"
    );
    repo.shim("claude", &fake);
    let list = |json: &str| std::fs::write(repo.beside("agents"), json).unwrap();
    list("[]");
    let data = launch(&repo, "task-1 --with background", &[("CLAUDECODE", "1")]).data();
    assert_eq!(
        (&data["workers"][0]["id"], &data["workers"][0]["status"]),
        (&json!("134cae30"), &json!("started"))
    );
    assert_eq!(data["next"][0]["command"], "claude attach 134cae30");
    let expected = "settings.json>\n<--bg>\n<-n>\n<task-1-users>\n<--permission-mode>\n<dontAsk>\n<-->\n<You are worker task-1";
    assert!(seen(&repo).contains(expected), "{}", seen(&repo));
    assert!(record(&repo).starts_with("launched task-1 background 134cae30\n"));

    list(
        r#"[{"id": "134cae30", "kind": "background", "state": "working", "name": "x", "cwd": "/x"}]"#,
    );
    for words in ["task-1", "task-1 --with background"] {
        let error = launch(&repo, words, &[]).error(3, "session_alive");
        assert_eq!(error["next"], "claude attach 134cae30", "{error:#}");
    }
    list(r#"[{"id": "134cae30", "kind": "background", "state": "done"}]"#);
    launch(&repo, "task-1", &[]).data();
    // A kill between start and record: the client still knows whose session it is.
    let path = repo.root().join("worktrees/task-2-posts");
    list(
        &json!([{"id": "99", "name": "task-2-posts", "cwd": path, "state": "working"}]).to_string(),
    );
    launch(&repo, "task-2 --with background", &[]).error(3, "session_alive");
    // A client that does not answer is no reason to refuse.
    list("oops");
    let data = launch(&repo, "task-1", &[]).data();
    assert!(data["notes"][0].as_str().unwrap().contains("did not answer"), "{data:#}");
}

#[test]
fn a_background_session_that_does_not_begin_is_a_failure_with_a_way_out() {
    let mut repo = created(THREE);
    repo.shim(
        "claude",
        "[ \"$1\" = agents ] && echo '[]' && exit\necho 'Workspace not trusted.' >&2\nexit 1",
    );
    let error = launch(&repo, "--with background", &[]).error(4, "launch_failed");
    assert_eq!(
        (&error["details"]["worker"], &error["details"]["exit_code"]),
        (&json!("task-1"), &json!(1))
    );
    assert_eq!(error["details"]["output_tail"], "Workspace not trusted.");
    assert!(error["hint"].as_str().unwrap().contains("accept the trust question"), "{error:#}");
    repo.shim(
        "claude",
        "[ \"$1\" = agents ] && echo '[]' && exit\necho 'backgrounded · $(id) · x'",
    );
    launch(&repo, "--with background", &[]).error(4, "launch_failed");
    assert!(!record(&repo).contains("launched"));
}

#[test]
fn the_plans_command_gets_words_and_runs_once_for_each_worker() {
    let repo =
        hostile("launch: printf '<%s>' {script} {worktree} {label} {port} >> \"$HOME/seen\"\n");
    let data = launch(&repo, "--with custom", &[]).data();
    assert_eq!(data["workers"].as_array().unwrap().len(), 3);
    let port = repo.pw("pw-setup check plan.yaml").data()["workers"][0]["port"].to_string();
    let script = ours(&repo, "task-1-users", "launch.sh");
    let worktree = repo.root().join("worktrees/task-1-users");
    let expected = format!("<{}><{}><task-1-users><{port}>", script.display(), worktree.display());
    assert!(seen(&repo).starts_with(&expected), "{}\n{expected}", seen(&repo));
    assert!(record(&repo).starts_with("launched task-3 custom\nlaunched task-2 custom\n"));
    assert!(!repo.fingerprint().keys().any(|path| path.ends_with("hacked")));
}

#[test]
fn a_plans_command_that_cannot_be_right_starts_nothing() {
    let none = created(THREE);
    none.pw("pw-setup launch --with custom").error(2, "usage");
    for (line, message) in
        [("run {scirpt}", "unknown placeholder {scirpt}"), ("sh -c \"{script}\"", "inside quotes")]
    {
        let repo = created(&format!("launch: {}\n{THREE}", json!(line)));
        let error = repo.pw("pw-setup launch --with custom").error(2, "usage");
        assert!(error["message"].as_str().unwrap().contains(message), "{error:#}");
        assert!(!record(&repo).contains("launched"));
    }
    let failing = created(&format!("launch: echo no terminal; exit 3\n{THREE}"));
    let error = failing.pw("pw-setup launch --with custom").error(4, "launch_failed");
    assert_eq!(error["details"]["output_tail"], "no terminal");
}

#[test]
fn what_is_not_installed_is_named() {
    let repo = created(THREE);
    let path = tools(&repo, &[]);
    let error = launch(&repo, "--with background", &[("PATH", &path)]).error(3, "program_missing");
    assert!(error["hint"].as_str().unwrap().contains("@anthropic-ai/claude-code"), "{error:#}");
    launch(&repo, "--with tmux", &[("PATH", &path)]).error(3, "program_missing");
    let mut shell = repo.shell("exec /bin/sh .git/pw/rest-api/task-1-users/launch.sh");
    let answer: Answer = shell.env("PATH", &path).output().unwrap().into();
    assert_eq!(answer.code, Some(127));
    assert_eq!(answer.stderr.lines().count(), 1, "{answer:?}");
    assert!(answer.stderr.contains("@anthropic-ai/claude-code"), "{answer:?}");

    write_program(&Path::new(&path).join("claude"), "#!/bin/sh\n");
    let error = launch(&repo, "--with tmux", &[("PATH", &path)]).error(3, "program_missing");
    assert!(error["hint"].as_str().unwrap().contains("--with print"), "{error:#}");
}

/// A tmux server of the test's own, ended with it.
struct Server<'a> {
    repo: &'a TestRepo,
    folder: PathBuf,
}

impl Server<'_> {
    fn tmux(&self, args: &str) -> String {
        let mut tmux = self.repo.shell(&format!("tmux {args}"));
        let answer: Answer = tmux.env("TMUX_TMPDIR", &self.folder).output().unwrap().into();
        answer.stdout
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        self.tmux("kill-server");
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "says why nothing was tested")]
fn tmux_has_a_window_for_each_worker_and_one_for_the_monitor() {
    let mut repo = hostile("");
    if !repo.shell("command -v tmux").output().unwrap().status.success() {
        eprintln!("skipped: tmux is not installed");
        return;
    }
    repo.shim("claude", &format!("{FAKE}\nexec sleep 120"));
    // Socket names are short, and the temporary folder's path may not be.
    let folder = tempfile::Builder::new().prefix("pw").tempdir_in("/tmp").unwrap();
    let server = Server { repo: &repo, folder: folder.path().to_owned() };
    let env = [("TMUX_TMPDIR", folder.path().to_str().unwrap()), ("CLAUDECODE", "1")];
    let data = launch(&repo, "task-1 --with tmux", &env).data();
    assert_eq!(
        (&data["attach"], &data["workers"][0]["status"]),
        (&json!("tmux attach -t pw-rest-api"), &json!("started"))
    );
    let windows = || server.tmux("list-windows -t =pw-rest-api -F '#{window_name}'");
    assert_eq!(windows(), "monitor\ntask-1-users\n");
    until("the client runs", || seen(&repo).ends_with(">\n"));
    let expected = format!("{}\ntask-1 rest-api ", repo.worker("task-1-users").path.display());
    assert!(seen(&repo).starts_with(&expected), "{}", seen(&repo));
    until("the monitor shows the workflow", || {
        server.tmux("capture-pane -p -t =pw-rest-api:monitor").contains("task-2-posts")
    });
    assert!(!server.tmux("show-environment -g").contains("CLAUDECODE"));

    let error = launch(&repo, "task-1 --with tmux", &env).error(3, "session_alive");
    assert_eq!(error["next"], "tmux attach -t pw-rest-api:task-1-users");
    let data = launch(&repo, "--with tmux", &env).data();
    assert_eq!(data["skipped"][0]["worker"], "task-1");
    assert_eq!(windows(), "monitor\ntask-1-users\ntask-2-posts\ntask-3-docs\n");

    // A window in which nothing lives yet, or something else, is not made a second time.
    let before = record(&repo);
    std::fs::remove_file(ours(&repo, "task-1-users", "session")).unwrap();
    let data = launch(&repo, "task-1 --with tmux", &env).data();
    assert_eq!(data["workers"][0]["status"], "exists");
    assert_eq!((windows().lines().count(), record(&repo)), (4, before));
    assert!(!repo.fingerprint().keys().any(|path| path.ends_with("hacked")));
}

/// One program for all helpers lies where its package put it, links to it where the user's `PATH`
/// leads: a worker's hooks ask it, too.
#[test]
fn links_to_the_one_program_may_lie_anywhere() {
    let repo = crate::repo(THREE);
    let [package, links] = ["package", "links"].map(|name| repo.beside(name));
    std::fs::create_dir(&package).unwrap();
    std::fs::create_dir(&links).unwrap();
    let program = package.join("pw-1.2");
    std::fs::copy(env!("CARGO_BIN_EXE_pw"), &program).unwrap();
    for name in ["pw-setup", "pw-monitor", "pw-worker"] {
        std::os::unix::fs::symlink(&program, links.join(name)).unwrap();
    }
    let run =
        |line: &str| repo.sh(&repo.root(), &format!("PATH={}:$PATH; {line}", links.display()));
    run("pw-setup create plan.yaml --no-trial");
    run("pw-monitor status | grep -q '\"gaps\"' && exit 1; true");
    let worker = repo.worker("task-1-users");
    worker.write("docs/a.md", "another worker's");
    let commit = ["commit", "-q", "-m", "[CHECKPOINT] docs"];
    worker.git(&["add", "docs/a.md"]);
    let refused = repo.try_git(&worker.path, &commit);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("docs/a.md"), "{said}");
    assert!(!said.contains("is gone"), "{said}");
    worker.git(&["rm", "-q", "--cached", "docs/a.md"]);
    worker.write("api/users.py", "1").git(&["add", "api/users.py"]);
    assert!(repo.try_git(&worker.path, &commit).status.success());
}
