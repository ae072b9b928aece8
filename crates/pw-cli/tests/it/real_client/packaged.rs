//! A user without Rust: how long it takes from the marketplace to the first answer, and what is said when the
//! release does not have what this machine needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pw_testkit::real_client::{Plugin, RealClient};
use pw_testkit::scripted_api::{ScriptedApi, Track, Turn};
use serde_json::{Value, json};

use super::bin;

/// What a user who only has git and the client does not have.
const MISSING: [&str; 4] = ["cargo", "rustc", "rustup", "npm"];

const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// A release: these tests are about nothing else.
fn release() -> PathBuf {
    let folder = std::env::var_os("PW_RELEASE");
    folder.expect("set PW_RELEASE to a folder that `scripts/release --to` made").into()
}

#[test]
#[ignore = "needs the real client and a release; .ci/run runs it"]
fn real_client_has_helpers_without_rust_in_ten_seconds() {
    let api = ScriptedApi::start([Track::when_user_says("hello").say("Hello.")]);
    let mut client = RealClient::new(bin(), &api);
    client.without(&MISSING);
    client.publish_on_github(&release());
    let start = Instant::now();
    let plugin = client.install(&release());
    let version = client.helper_output(&plugin, "pw-setup", &["--version"]);
    let took = start.elapsed();
    assert_eq!(version, format!("pw-setup {}\n", env!("CARGO_PKG_VERSION")));
    assert!(took <= FIRST_ANSWER, "{took:?} from the marketplace to the first answer");
    // Nothing to say at a session's start.
    let run = client.prompt("hello", &[]);
    let texts: String = run.hooks().iter().map(|hook| hook.output.clone()).collect();
    assert!(run.hooks().iter().all(|hook| hook.outcome == "success"), "{:#?}", run.hooks());
    assert!(!texts.contains("helpers"), "{texts}");

    // The client's copy comes to harm, and the cache with it.
    for (state, break_it, word) in HARM {
        let copy = Copy::of(&client, &plugin, state);
        break_it(&copy.root.join("helpers"));
        let printed = client.helper_output(&copy.plugin, "pw-setup", &["--version"]);
        let error = serde_json::from_str::<Value>(&printed).unwrap_or_default()["error"].clone();
        assert_eq!(error["code"], "helper_not_built", "{state}: {printed}");
        assert!(error["message"].as_str().unwrap().contains(word), "{state}: {error}");
        assert!(error["hint"].as_str().unwrap().contains("a release"), "{state}: {error}");
    }
    let copy = Copy::of(&client, &plugin, "no cache");
    fs::write(copy.plugin.data(), "no folder").unwrap();
    assert_eq!(client.helper_output(&copy.plugin, "pw-setup", &["--version"]), version);
}

#[test]
#[ignore = "needs the real client and a release; .ci/run runs it"]
fn real_client_takes_every_line_of_the_readme() {
    let api = ScriptedApi::start([Track::when_user_says("never asked").say("")]);
    let client = RealClient::new(bin(), &api);
    client.publish_on_github(&release());
    let readme = fs::read_to_string(super::root().join("README.md")).unwrap();
    let lines = readme.lines().filter(|line| line.starts_with("/plugin "));
    let lines: Vec<String> = lines.map(|line| line.replace("<owner>", "owner")).collect();
    let line = |words: &str| lines.iter().find(|line| line.contains(words)).expect(words).as_str();
    let (update, gone) =
        (["marketplace update", "plugin update"], ["uninstall", "marketplace remove"]);
    let (two, one) = (["marketplace add", "install parallel-workflows@"], ["--marketplace"]);
    let ways = [[&two[..], &update, &gone], [&one[..], &[], &gone]];
    let mut left: Vec<&str> = lines.iter().map(String::as_str).collect();
    for [install, update, gone] in ways {
        for words in install.iter().chain(update) {
            client.plugin(line(words));
            left.retain(|other| *other != line(words));
        }
        assert_eq!(client.installed_plugins().len(), 1, "{install:?}");
        for words in gone {
            client.plugin(line(words));
            left.retain(|other| *other != line(words));
        }
        assert_eq!(client.installed_plugins(), [""; 0], "{gone:?}");
    }
    assert_eq!(left, [""; 0], "lines of the README that nothing runs");
}

/// The installed plugin once more, with a cache of its own.
struct Copy {
    root: PathBuf,
    plugin: Plugin,
}

impl Copy {
    fn of(client: &RealClient<'_>, plugin: &Plugin, name: &str) -> Self {
        let root = client.home().join(name);
        copy(plugin.root(), &root);
        let data = client.home().join(format!("{name}'s data"));
        Self { plugin: plugin.moved(&root, &data), root }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy(&from, &to),
            kind if kind.is_symlink() => {
                std::os::unix::fs::symlink(fs::read_link(&from).unwrap(), &to).unwrap();
            }
            _ => drop(fs::copy(&from, &to).unwrap()),
        }
    }
}

/// How the packaged helpers come to harm.
type Break = fn(&Path);

/// What happens to the packaged helpers, and the word that tells it.
const HARM: [(&str, Break, &str); 3] = [
    (
        "tampered",
        |helpers| {
            for platform in platforms(helpers) {
                let mut bytes = fs::read(platform.join("pw")).unwrap();
                let end = bytes.len() - 4;
                bytes[end..].iter_mut().for_each(|byte| *byte ^= 0xff);
                fs::write(platform.join("pw"), bytes).unwrap();
            }
        },
        "damaged",
    ),
    ("absent", |helpers| fs::remove_dir_all(helpers).unwrap(), "in this folder"),
    (
        "of other machines",
        |helpers| platforms(helpers).for_each(|folder| fs::remove_dir_all(folder).unwrap()),
        "for this machine",
    ),
];

fn platforms(helpers: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(helpers).unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.is_dir())
}

#[test]
#[ignore = "needs the real client and a release; .ci/run runs it"]
fn real_client_tells_once_that_the_helpers_are_missing() {
    let api = ScriptedApi::start([
        Track::when_user_says("hello").sees_context("cargo was not found").say("Hello."),
        Track::when_user_says("again").say("Hello."),
    ]);
    let mut client = RealClient::new(bin(), &api);
    client.without(&MISSING);
    client.publish_on_github(&release());
    let plugin = client.install(&release());
    fs::remove_dir_all(plugin.root().join("helpers")).unwrap();
    let said = |text: &str| {
        let run = client.prompt(text, &[]);
        run.hooks().iter().filter(|hook| hook.output.contains("cargo was not found")).count()
    };
    assert_eq!((said("hello"), said("again")), (1, 0));
    api.verdict();
}

/// One worker, and a file that is not its own.
const PLAN: &str = "workflow: shop
goal: users
workers:
  - {id: task-1, name: users, owns: [users]}
  - {id: task-2, name: orders, owns: [orders]}
";

#[test]
#[ignore = "needs the real client and a release; .ci/run runs it"]
fn real_client_updates_the_plugin_while_a_worker_runs() {
    let home = tempfile::tempdir().unwrap();
    let flag = home.path().join("updated");
    let is_updated = flag.clone();
    let foreign = |turn: &Turn| turn.tool_failed() && turn.tool_result().contains("task-2");
    let api = ScriptedApi::start([
        // One session, from before the update until after it.
        Track::when_user_says("begin")
            .tool("Bash", json!({"command": "pw-worker blocked \"before the update\""}))
            .sees_ok()
            .tool_from("Write", move |_| {
                until(|| is_updated.exists());
                json!({"file_path": "orders", "content": "not mine"})
            })
            .sees(foreign)
            .tool("Bash", json!({"command": "pw-worker blocked \"after the update\""}))
            .sees_ok()
            .say("Half of it."),
        Track::when_user_says("hello").say("Hello."),
    ]);
    let client = RealClient::new(bin(), &api);
    fs::write(client.project().join("plan.yaml"), PLAN).unwrap();
    client.git(["init", "--quiet"]);
    client.git(["add", "--all"]);
    client.git(["commit", "--quiet", "--message", "start"]);
    client.publish_on_github(&release());
    let old = client.install(&release());
    client.helper(&old, "pw-setup", &["create", "plan.yaml"]);
    let worktree = client.project().join("worktrees/task-1-users");
    let says = |text: &str| client.git_in(&worktree, ["log", "-1", "--format=%s"]).contains(text);

    let session = client.begin(&worktree, "begin", &["--permission-mode", "acceptEdits"]);
    until(|| says("before the update"));
    let version = "9".repeat(env!("CARGO_PKG_VERSION").len());
    let new = client.update(&old, &version);
    assert_ne!(new.root(), old.root());
    // What a new session gets are the packaged helpers of the new version, at once and without a word.
    let said: String =
        client.prompt("hello", &[]).hooks().iter().map(|hook| &*hook.output).collect();
    assert!(!said.contains("helpers"), "{said}");
    let answer = client.helper_output(&new, "pw-setup", &["--version"]);
    assert_eq!(answer, format!("pw-setup {version}\n"));
    fs::write(&flag, "").unwrap();
    until(|| says("after the update"));
    drop(session);
    // Its git hooks hold, too, whoever commits.
    fs::write(worktree.join("orders"), "not mine").unwrap();
    client.git_in(&worktree, ["add", "orders"]);
    let by_hand = ["commit", "--quiet", "--message", "by hand"];
    assert!(!client.git_succeeds(&worktree, &by_hand), "the scope is not held any more");
    api.verdict_so_far();
}

fn until(is_so: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !is_so() {
        assert!(Instant::now() < end, "it never came");
        std::thread::sleep(Duration::from_millis(100));
    }
}
