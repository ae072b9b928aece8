//! The wrappers in `bin/`: they take the packaged helpers or build them once, run exactly the right ones, and
//! never get in the way. Cargo is a script here that takes its lock and compiles only what has changed, as the
//! real one does; the helpers are scripts that tell what reached them.

#![cfg(test)] // lets clippy see that the fixture, too, may unwrap

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant, SystemTime};

use pw_testkit::repo::write_program;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::terminal::at_terminal;

mod packaged;
mod unbuilt;

/// Builds helpers that show what reached them. Beside it, `compiled` gets a line per compilation, `calls` one per
/// call and `environment` its environment; the file `broken` fails it with what it says, and while there is a file
/// `hold` it does not end. The file `version` is what it says of itself.
const CARGO: &str = r#"#!/bin/sh
here=${0%/*}
if [ "$1" = --version ]; then
  if [ -e "$here/version" ]; then cat "$here/version" && exit; fi
  echo 'cargo 1.95.0 (f2d3ce0bd 2026-03-21)' && exit
fi
echo "$PWD $*" >>"$here/calls"
env >"$here/environment"
while [ $# -gt 0 ]; do
  case $1 in --target-dir) target=$2 ;; --manifest-path) manifest=$2 ;; esac
  shift
done
printf '    Building [==>   ] 38/150: serde     \r' >&2
while [ -e "$here/hold" ]; do sleep 0.05; done
mkdir -p "$target/plugin"
until mkdir "$target/lock" 2>/dev/null; do sleep 0.05; done
trap 'rmdir "$target/lock"' EXIT
if [ -e "$here/broken" ]; then
  cat "$here/broken" >&2
  exit 101
fi
newer=$(find "${manifest%/*}/crates" -newer "$target/built" 2>&1)
[ -n "$newer" ] || [ "$(cat "$target/built")" != "$manifest" ] || exit 0
echo "$manifest" >>"$here/compiled"
cp "$here/helper" "$target/plugin/pw"
echo "$manifest" >"$target/built"
"#;

/// All helpers in one, as the real one.
const HELPER: &str = r#"#!/bin/sh
name=${0##*/}
if [ "$1" = --version ]; then echo "$name VERSION" && exit; fi
printf '%s\n' "$name"
for arg; do printf '<%s>' "$arg"; done
if [ "$1" = stdin ]; then cat; exit 7; fi
"#;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A copy of the plugin's shell side, a cache and a fake cargo, all in folders with awkward names.
struct Plugin {
    tmp: TempDir,
    root: PathBuf,
}

impl Plugin {
    fn new() -> Self {
        let tmp = TempDir::new().unwrap();
        let root = tmp.path().join("plug in's $HOME \"1\"");
        let plugin = Self { tmp, root };
        plugin.populate(&plugin.root);
        fs::create_dir(plugin.path("tools")).unwrap();
        write_program(&plugin.path("tools/cargo"), CARGO);
        write_program(&plugin.path("tools/helper"), &HELPER.replace("VERSION", VERSION));
        plugin
    }

    /// Fills a plugin folder whose sources are older than anything built in this test.
    fn populate(&self, root: &Path) {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for folder in ["bin", "scripts", ".claude-plugin", "crates/pw-cli"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for helper in ["pw-setup", "pw-monitor", "pw-integrate", "pw-worker", "pw-retro"] {
            let wrapper = fs::read_to_string(repository.join("bin").join(helper)).unwrap();
            write_program(&root.join("bin").join(helper), &wrapper);
        }
        for file in [
            "scripts/helper.sh",
            "scripts/provide.sh",
            "scripts/demo",
            ".claude-plugin/plugin.json",
            "Cargo.toml",
        ] {
            fs::copy(repository.join(file), root.join(file)).unwrap();
        }
        for source in
            ["Cargo.toml", "Cargo.lock", "crates/pw-cli/lib.rs", "crates/pw-cli", "crates"]
        {
            let path = root.join(source);
            if !path.exists() {
                fs::write(&path, "").unwrap();
            }
            let before = SystemTime::now() - Duration::from_secs(60);
            File::open(&path).unwrap().set_modified(before).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.tmp.path().join(name)
    }

    /// Where the cache has the helpers of this version.
    fn home(&self) -> PathBuf {
        self.path("da ta's").join(VERSION)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    #[expect(clippy::disallowed_methods, reason = "starts the wrappers the way a shell would")]
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.path("tools").display());
        command.env_clear().env("PATH", path).env("HOME", self.path("home"));
        command.env("CLAUDE_PLUGIN_DATA", self.path("da ta's"));
        command.current_dir(self.tmp.path()).stdin(Stdio::null());
        command
    }

    fn wrapper(&self, name: &str) -> Command {
        self.command(self.root.join("bin").join(name))
    }

    /// Names a script of the plugin's as a shell takes it.
    fn quoted(&self, script: &str) -> String {
        let path = self.root.join(script).to_str().unwrap().replace('\'', r"'\''");
        format!("sh '{path}'")
    }

    /// How many lines the fake cargo wrote to `calls` or `compiled`.
    fn count(&self, file: &str) -> usize {
        fs::read_to_string(self.path("tools").join(file)).unwrap_or_default().lines().count()
    }

    /// Lets held builds end once cargo was called that often.
    fn release_after(&self, calls: usize) {
        self.until_called(calls);
        fs::remove_file(self.path("tools/hold")).unwrap();
    }

    /// Waits until cargo has said how far it is, for the last of that many calls.
    fn until_called(&self, calls: usize) {
        let start = Instant::now();
        let log = self.home().join("build.log");
        while self.count("calls") < calls || fs::read(&log).is_ok_and(|log| log.is_empty()) {
            assert!(start.elapsed() < Duration::from_secs(60), "cargo was not called");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).unwrap()
}

/// The error of a wrapper that could not run its helper.
fn refusal(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["schema"], &document["ok"]), (&json!("pw.error/1"), &json!(false)));
    document["error"].clone()
}

#[test]
fn first_use_builds_and_later_uses_do_not() {
    let plugin = Plugin::new();
    let first = plugin.wrapper("pw-setup").output().unwrap();
    assert_eq!(stdout(&first), "pw-setup\n");
    assert!(String::from_utf8_lossy(&first.stderr).contains("building the helpers"));

    let second = plugin.wrapper("pw-retro").output().unwrap();
    assert_eq!(stdout(&second), "pw-retro\n");
    assert!(second.stderr.is_empty());

    assert_eq!(plugin.count("calls"), 1);
}

#[test]
fn what_a_project_sets_for_its_own_builds_does_not_reach_ours() {
    let plugin = Plugin::new();
    let theirs = [
        ("RUSTC_WRAPPER", "theirs"),
        ("RUSTFLAGS", "--theirs"),
        ("CARGO_BUILD_TARGET", "theirs"),
        ("CARGO_TARGET_DIR", "theirs"),
        ("CARGO_ENCODED_RUSTFLAGS", "--theirs"),
        ("RUSTUP_TOOLCHAIN", "theirs"),
        ("CDPATH", "theirs"),
        ("CARGO_HOME", "theirs"),
    ];
    let kept = [("HTTPS_PROXY", "a proxy"), ("RUSTUP_HOME", "/a b"), ("SSL_CERT_FILE", "/c")];
    stdout(&plugin.wrapper("pw-setup").envs(theirs).envs(kept).output().unwrap());
    let environment = fs::read_to_string(plugin.path("tools/environment")).unwrap();
    assert!(!environment.contains("theirs"), "{environment}");
    for (name, value) in kept {
        assert!(environment.contains(&format!("{name}={value}\n")), "{environment}");
    }
    // Nor do its .cargo/config.toml and rust-toolchain.toml, which are looked for from here upwards.
    let calls = fs::read_to_string(plugin.path("tools/calls")).unwrap();
    assert!(calls.starts_with("/ build "), "{calls}");
}

#[test]
fn a_relative_cache_is_none() {
    let plugin = Plugin::new();
    for names in [&["CLAUDE_PLUGIN_DATA"][..], &["CLAUDE_PLUGIN_DATA", "XDG_CACHE_HOME"]] {
        let mut wrapper = plugin.wrapper("pw-setup");
        wrapper.envs(names.iter().map(|name| (name, "here")));
        stdout(&wrapper.output().unwrap());
        assert!(!plugin.path("here").exists(), "{names:?}");
    }
    let cache = plugin.path("home/.cache/parallel-workflows").join(VERSION);
    assert!(cache.join("bin/pw-setup").exists());
    // Without any folder of the user's there is nowhere to build.
    let mut wrapper = plugin.wrapper("pw-setup");
    wrapper.env_remove("CLAUDE_PLUGIN_DATA").env_remove("HOME");
    assert_eq!(refusal(&wrapper.output().unwrap())["code"], "helper_not_built");
}

#[test]
fn a_changed_source_another_folder_or_a_lost_helper_rebuild() {
    let plugin = Plugin::new();
    plugin.wrapper("pw-setup").output().unwrap();
    fs::write(plugin.root.join("crates/pw-cli/lib.rs"), "// changed").unwrap();
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    assert_eq!(plugin.count("compiled"), 2);

    let other = plugin.path("other");
    plugin.populate(&other);
    stdout(&plugin.command(other.join("bin/pw-setup")).output().unwrap());
    assert_eq!(plugin.count("compiled"), 3);

    fs::remove_dir_all(plugin.home().join("bin")).unwrap();
    stdout(&plugin.command(other.join("bin/pw-setup")).output().unwrap());
}

#[test]
fn two_at_once_share_one_compilation() {
    let plugin = Plugin::new();
    plugin.write("tools/hold", "");
    let both = ["pw-setup", "pw-monitor"].map(|name| {
        plugin.wrapper(name).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    });
    plugin.release_after(1);
    let answers = both.map(|child| stdout(&child.wait_with_output().unwrap()).to_owned());
    assert_eq!(answers, ["pw-setup\n", "pw-monitor\n"]);
    assert_eq!((plugin.count("compiled"), plugin.count("calls")), (1, 1));
}

/// A caller may look for the helpers before the builder is done, and for the builder after that.
#[test]
fn a_builder_that_comes_after_another_finds_its_work_done() {
    let plugin = Plugin::new();
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    let mut late = plugin.command("sh");
    let late = late.arg(plugin.root.join("scripts/helper.sh")).arg("build").output().unwrap();
    assert!(late.status.success(), "{late:?}");
    assert_eq!(plugin.count("calls"), 1);
    assert!(!plugin.home().join("builder").exists());
    assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
}

#[test]
fn arguments_stdin_and_exit_code_pass_through() {
    let plugin = Plugin::new();
    let mut child = plugin.wrapper("pw-worker");
    child.args(["stdin", "a  b", "'\"\\$(x)`", "", "two\nlines\n", "*"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"event\0bytes").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(
        output.stdout,
        b"pw-worker\n<stdin><a  b><'\"\\$(x)`><><two\nlines\n><*>event\0bytes"
    );
}

#[test]
fn links_and_relative_calls_find_the_plugin() {
    let plugin = Plugin::new();
    symlink(plugin.root.join("bin/pw-setup"), plugin.path("far")).unwrap();
    symlink("far", plugin.path("my setup")).unwrap();
    assert_eq!(stdout(&plugin.command(plugin.path("my setup")).output().unwrap()), "pw-setup\n");

    let mut relative = plugin.command("sh");
    let relative = relative.arg("pw-monitor").current_dir(plugin.root.join("bin"));
    assert_eq!(stdout(&relative.output().unwrap()), "pw-monitor\n");
    assert_eq!(plugin.count("calls"), 1);
}

#[test]
fn without_cargo_the_answer_says_what_to_install() {
    let plugin = Plugin::new();
    fs::remove_file(plugin.path("tools/cargo")).unwrap();
    let error = refusal(&plugin.wrapper("pw-setup").args(["check", "plan.yaml"]).output().unwrap());
    assert_eq!(error["code"], "helper_not_built");
    assert!(error["hint"].as_str().unwrap().contains("rustup.rs"));
    assert_eq!(error["next"], "pw-setup check plan.yaml");
}

#[test]
fn the_demo_says_in_words_why_it_cannot_begin_and_leaves_nothing() {
    let plugin = Plugin::new();
    fs::remove_file(plugin.path("tools/cargo")).unwrap();
    fs::create_dir(plugin.path("passing")).unwrap();
    let passing = plugin.path("passing").to_str().unwrap().to_owned();
    let demo = format!("{} --keep", plugin.quoted("scripts/demo"));
    let told = at_terminal(&plugin.command("sh"), 80, &[("TMPDIR", &passing)], &demo);
    assert!(told.contains("cargo was not found") && told.contains("branch release"), "{told}");
    assert_eq!(fs::read_dir(plugin.path("passing")).unwrap().count(), 0);
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_person_at_a_terminal_waits_to_the_end_and_sees_it_count_on_one_line() {
    let plugin = Plugin::new();
    plugin.write("tools/hold", "");
    // Time flies: the build ends after more waiting than the client's tool would allow.
    let sleep = "#!/bin/sh\n[ \"$1\" = 0.2 ] || exec /bin/sleep \"$1\"\necho x >>\"${0%/*}/slept\"\n\
                 [ $(wc -l <\"${0%/*}/slept\") -lt 700 ] || rm -f \"${0%/*}/hold\"\n";
    write_program(&plugin.path("tools/sleep"), sleep);
    let told = at_terminal(
        &plugin.wrapper("pw-setup"),
        80,
        &[],
        &format!("{} there", plugin.quoted("bin/pw-setup")),
    );
    assert!(told.ends_with("pw-setup\n<there>") && plugin.count("slept") >= 700, "{told}");
    let counted: Vec<&str> = told.lines().filter(|line| line.contains("built 38 of 150")).collect();
    assert!(counted.len() == 1 && counted[0].matches('\r').count() > 1, "{told:?}");
}

#[test]
fn who_stops_waiting_is_told_that_the_build_goes_on() {
    let plugin = Plugin::new();
    plugin.write("tools/hold", "");
    // As if the user pressed Ctrl-C while the wrapper sleeps.
    let sleep = "#!/bin/sh\n[ \"$1\" != 0.2 ] || kill -INT \"$PPID\"\nexec /bin/sleep \"$1\"\n";
    write_program(&plugin.path("tools/sleep"), sleep);
    let line = format!("{}; echo \"exit $?\"", plugin.quoted("bin/pw-setup"));
    let told = at_terminal(&plugin.wrapper("pw-setup"), 80, &[], &line);
    assert!(told.contains("the build goes on\nexit 130\n"), "{told}");
    plugin.release_after(1);
    fs::remove_file(plugin.path("tools/sleep")).unwrap();
    assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
    assert_eq!(plugin.count("compiled"), 1);
}

#[test]
fn a_failed_build_shows_the_end_of_its_log() {
    let plugin = Plugin::new();
    let last = "error: a \"quoted\" \\ thing\tin \u{1b}[1mbold\u{1b}[0m\nerror: could not compile";
    plugin.write("tools/broken", last);
    let error = refusal(&plugin.wrapper("pw-retro").args(["report", "a b"]).output().unwrap());
    assert_eq!((&error["code"], &error["next"]), (&json!("helper_not_built"), &json!("pw-retro")));
    assert_eq!(error["details"]["log_tail"], last);
    assert!(Path::new(error["details"]["log"].as_str().unwrap()).is_file());

    fs::remove_file(plugin.path("tools/broken")).unwrap();
    stdout(&plugin.wrapper("pw-retro").output().unwrap());
}

#[test]
fn a_caller_that_may_not_wait_is_told_to_come_back() {
    let plugin = Plugin::new();
    plugin.write("tools/hold", "");
    let error = refusal(&plugin.wrapper("pw-setup").env("PW_BUILD_WAIT", "0").output().unwrap());
    assert_eq!(error["code"], "helper_building");
    plugin.until_called(1);
    let error = refusal(&plugin.wrapper("pw-setup").env("PW_BUILD_WAIT", "0").output().unwrap());
    assert_eq!(error["message"], "the helpers are still being built (38 of 150)");
    fs::remove_file(plugin.path("tools/hold")).unwrap();
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    assert_eq!((plugin.count("compiled"), plugin.count("calls")), (1, 1));
}

#[test]
fn a_builder_that_was_killed_keeps_nobody_from_building() {
    // A number that no process has, one that another program has got since, and what a full disk leaves.
    for builder in ["999999999\n", &format!("{}\n", std::process::id()), ""] {
        let plugin = Plugin::new();
        fs::create_dir_all(plugin.home()).unwrap();
        fs::write(plugin.home().join("builder"), builder).unwrap();
        assert_eq!(
            stdout(&plugin.wrapper("pw-setup").output().unwrap()),
            "pw-setup\n",
            "{builder}"
        );
        assert!(!plugin.home().join("builder").exists());
    }
}

/// Runs the hook of a session's start; returns what it says to the user and to the model, which is the same.
fn session_start(plugin: &Plugin) -> Option<String> {
    let mut hook = plugin.command("sh");
    hook.arg(plugin.root.join("scripts/helper.sh")).arg("session-start");
    let output = hook.env("CLAUDE_ENV_FILE", plugin.path("env")).output().unwrap();
    assert!(output.stderr.is_empty(), "{output:?}");
    if stdout(&output).is_empty() {
        return None;
    }
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["systemMessage"], said["hookSpecificOutput"]["additionalContext"]);
    Some(said["systemMessage"].as_str().unwrap().to_owned())
}

#[test]
fn session_start_builds_ahead_says_so_once_and_tells_bash_where() {
    let plugin = Plugin::new();
    plugin.write("tools/hold", "");
    let said = session_start(&plugin).unwrap();
    assert!(said.contains("are being built") && said.contains("minutes"), "{said}");
    assert_eq!(session_start(&plugin), None);

    let echo = plugin
        .command("sh")
        .args(["-c", ". ./env; printf %s \"$CLAUDE_PLUGIN_DATA\""])
        .output()
        .unwrap();
    assert_eq!(stdout(&echo), plugin.path("da ta's").to_str().unwrap());

    plugin.release_after(1);
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    assert_eq!((plugin.count("compiled"), plugin.count("calls")), (1, 1));
    assert_eq!(session_start(&plugin), None);
}

#[test]
fn session_start_says_once_that_there_is_no_way_to_the_helpers() {
    let plugin = Plugin::new();
    fs::remove_file(plugin.path("tools/cargo")).unwrap();
    let said = session_start(&plugin).unwrap();
    assert!(said.contains("cargo was not found") && said.contains("rustup.rs"), "{said}");
    assert_eq!(session_start(&plugin), None);
}

/// The guard's hook for tool calls as the client starts it, in a folder.
fn guard_hook(plugin: &Plugin, folder: &Path) -> Command {
    let hooks: Value = serde_json::from_str(include_str!("../../../../hooks/hooks.json")).unwrap();
    let hook = &hooks["hooks"]["PreToolUse"][0]["hooks"][0];
    assert_eq!((&hook["onFailure"], &hook["command"]), (&json!("block"), &json!("sh")));
    let root = plugin.root.to_str().unwrap();
    let words: Vec<String> = serde_json::from_value(hook["args"].clone()).unwrap();
    let mut command = plugin.command("sh");
    command.args(words.iter().map(|word| word.replace("${CLAUDE_PLUGIN_ROOT}", root)));
    command.current_dir(folder);
    command
}

/// A linked worktree as git leaves it: `.git` names a folder in the repository's own, locked with
/// this reason. Returns it.
fn worktree(plugin: &Plugin, name: &str, reason: Option<&str>) -> PathBuf {
    let folder = plugin.path("project").join(name);
    let own = plugin.path("project/.git/worktrees").join(name);
    fs::create_dir_all(folder.join("deep/nested/.git")).unwrap();
    fs::create_dir_all(&own).unwrap();
    fs::create_dir_all(plugin.path("project/.git/pw")).unwrap();
    fs::write(folder.join(".git"), format!("gitdir: {}\n", own.display())).unwrap();
    if let Some(reason) = reason {
        fs::write(own.join("locked"), reason).unwrap();
    }
    folder
}

/// How a plugin gets into a state.
type Break = fn(&Plugin);

/// Every state in which there is no helper to ask: what is done to get there.
const WITHOUT_HELPERS: [(&str, Break); 6] = [
    ("no cargo", |plugin| fs::remove_file(plugin.path("tools/cargo")).unwrap()),
    ("a build that lasts", |plugin| plugin.write("tools/hold", "")),
    ("a build that fails", |plugin| plugin.write("tools/broken", "")),
    ("a cache that is no folder", |plugin| plugin.write("da ta's", "")),
    ("a manifest that is gone", |plugin| {
        fs::remove_file(plugin.root.join(".claude-plugin/plugin.json")).unwrap();
    }),
    ("a plugin that is gone", |plugin| fs::remove_dir_all(&plugin.root).unwrap()),
];

#[test]
fn without_helpers_a_worker_changes_nothing_and_nobody_else_notices() {
    for (state, break_it) in WITHOUT_HELPERS {
        let plugin = Plugin::new();
        let (mine, theirs) =
            (worktree(&plugin, "mine", None), worktree(&plugin, "theirs", Some("pw shop task-1")));
        let on_a_stick = worktree(&plugin, "stick", Some("on a stick"));
        break_it(&plugin);
        let start = Instant::now();
        for folder in [
            plugin.tmp.path(),
            &plugin.path("project"),
            &mine,
            &mine.join("deep/nested"),
            &on_a_stick,
        ] {
            let output = guard_hook(&plugin, folder).output().unwrap();
            assert_eq!(
                (stdout(&output), &output.stderr[..]),
                ("", &b""[..]),
                "{state}: {}",
                folder.display()
            );
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{state}");
        let launched = |folder: &Path| {
            guard_hook(&plugin, folder).env("PW_WORKER", "task-1").output().unwrap()
        };
        let mut held = vec![launched(plugin.tmp.path())];
        if plugin.root.exists() {
            let of_worktree = [&theirs, &theirs.join("deep/nested")];
            held.extend(of_worktree.map(|folder| guard_hook(&plugin, folder).output().unwrap()));
        }
        for output in held {
            let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
            let is_denied = said["hookSpecificOutput"]["permissionDecision"] == "deny";
            assert!(is_denied || output.status.code() == Some(2), "{state}: {output:?}");
        }
        let _ = fs::remove_file(plugin.path("tools/hold"));
    }
}

#[test]
fn a_workers_session_and_tool_calls_beside_a_workflow_start_the_guard() {
    let plugin = Plugin::new();
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    let (mine, theirs) =
        (worktree(&plugin, "mine", None), worktree(&plugin, "theirs", Some("pw shop task-1")));
    let asked = |folder: &Path| stdout(&guard_hook(&plugin, folder).output().unwrap()).to_owned();
    assert_eq!(asked(&theirs), "pw-worker\n<guard><pre-tool-use>");
    // The agent that merges may be at work there.
    assert_eq!(asked(&mine), "pw-worker\n<guard><pre-tool-use>");
    assert_eq!(asked(&plugin.path("project")), "pw-worker\n<guard><pre-tool-use>");
    let mut stop = plugin.command("sh");
    stop.arg(plugin.root.join("scripts/helper.sh")).args(["guard", "stop"]).current_dir(&mine);
    assert_eq!(stdout(&stop.output().unwrap()), "");
    fs::remove_dir(plugin.path("project/.git/pw")).unwrap();
    assert_eq!(asked(&mine), "");
    assert_eq!(asked(&plugin.path("project")), "");
    // Neither a FIFO nor a circle of links where git's file would be keeps the wrapper waiting.
    let odd = plugin.path("odd");
    fs::create_dir(&odd).unwrap();
    symlink(".git", odd.join(".git")).unwrap();
    assert_eq!(asked(&odd), "");
    fs::remove_file(odd.join(".git")).unwrap();
    assert!(plugin.command("mkfifo").arg(odd.join(".git")).status().unwrap().success());
    assert_eq!(asked(&odd), "");
}

#[test]
fn asking_often_starts_one_build() {
    let plugin = Plugin::new();
    plugin.write("tools/hold", "");
    let theirs = worktree(&plugin, "theirs", Some("pw shop task-1"));
    for _ in 0..3 {
        stdout(&guard_hook(&plugin, &theirs).output().unwrap());
    }
    plugin.until_called(1);
    let denied = stdout(&guard_hook(&plugin, &theirs).output().unwrap()).to_owned();
    assert!(denied.contains("being built (38 of 150)"), "{denied}");
    plugin.release_after(1);
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    assert_eq!(plugin.count("calls"), 1);
}
