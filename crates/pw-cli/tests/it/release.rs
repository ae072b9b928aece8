//! `scripts/release`: the tree that users install, made from this one and from helpers that other machines built.

#![cfg(test)] // lets clippy see that the fixture, too, may unwrap

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// How programs begin, and for which platform they then are.
const PROGRAMS: [(&[u8], &str); 4] = [
    (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0", "linux-x86_64"),
    (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0", "linux-aarch64"),
    (b"\xcf\xfa\xed\xfe\x07\0\0\x01\x03\0\0\0\x02\0\0\0\0\0\0\0", "macos-x86_64"),
    (b"\xcf\xfa\xed\xfe\x0c\0\0\x01\0\0\0\0\x02\0\0\0\0\0\0\0", "macos-aarch64"),
];

#[test]
fn the_packaged_program_is_the_helper_it_is_called_as() {
    let folder = TempDir::new().unwrap();
    let run = |name: &str, args: &[&str]| {
        let link = folder.path().join(name);
        let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_pw"), &link);
        start(&link, args)
    };
    for (name, itself) in [
        ("pw-setup", env!("CARGO_BIN_EXE_pw-setup")),
        ("pw-monitor", env!("CARGO_BIN_EXE_pw-monitor")),
        ("pw-integrate", env!("CARGO_BIN_EXE_pw-integrate")),
        ("pw-worker", env!("CARGO_BIN_EXE_pw-worker")),
        ("pw-retro", env!("CARGO_BIN_EXE_pw-retro")),
    ] {
        for args in [&["--version"][..], &["--help"], &["schema"], &["no-such-command"], &[]] {
            assert_eq!(run(name, args), start(Path::new(itself), args), "{name} {args:?}");
        }
    }
    let other = run("pw-other", &["--version"]);
    assert_eq!(other.status.code(), Some(2), "{other:?}");
    assert!(String::from_utf8_lossy(&other.stdout).contains("pw-setup, pw-monitor"), "{other:?}");
}

#[expect(clippy::disallowed_methods, reason = "a test: starts the program by a name of its own")]
fn start(program: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).output().unwrap()
}

/// A clone of this repository, and helpers beside it.
struct Source {
    folder: TempDir,
}

impl Source {
    /// Returns none where this is no repository, as in the copy that a client makes of a plugin.
    fn new() -> Option<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        if !here.join(".git").exists() {
            return None;
        }
        let source = Self { folder: TempDir::new().unwrap() };
        let here = here.canonicalize().unwrap();
        source.git(&["clone", "--quiet", "--shared", here.to_str().unwrap(), "source"]);
        for script in ["scripts/release", "CHANGELOG.md"] {
            fs::copy(here.join(script), source.path("source").join(script)).unwrap();
        }
        for (bytes, platform) in PROGRAMS {
            fs::write(source.path(platform), bytes).unwrap();
        }
        Some(source)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a test: starts the script, and git as a maintainer"
    )]
    fn command(&self, program: impl AsRef<std::ffi::OsStr>, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", self.folder.path());
        command.envs([("GIT_AUTHOR_NAME", "Ada"), ("GIT_AUTHOR_EMAIL", "ada@example.com")]);
        command.envs([("GIT_COMMITTER_NAME", "Ada"), ("GIT_COMMITTER_EMAIL", "ada@example.com")]);
        command.output().unwrap()
    }

    fn git(&self, args: &[&str]) -> String {
        done(&self.command("git", args))
    }

    fn release(&self, args: &[&str]) -> Output {
        let absolute = |word: &&str| match word.starts_with("--") {
            true => (*word).to_owned(),
            false => self.path(word).to_str().unwrap().to_owned(),
        };
        let args: Vec<String> = args.iter().map(absolute).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        self.command(self.path("source/scripts/release"), &args)
    }
}

fn done(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_release_to_try_out_holds_the_helpers_by_platform_and_leaves_no_trace() {
    let Some(source) = Source::new() else { return };
    let objects = || source.git(&["-C", "source", "count-objects", "-v"]);
    let before = objects();
    let helpers = PROGRAMS.map(|(_, platform)| platform);
    let made =
        |folder| done(&source.release(&[&["--helper"], &helpers[..], &["--to", folder]].concat()));
    // The same source and helpers are the same commit.
    assert_eq!(made("first"), made("second"));
    assert_eq!(objects(), before);
    let tree = source.path("first");
    let sums = fs::read_to_string(tree.join("helpers/SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), 4);
    for (bytes, platform) in PROGRAMS {
        assert!(sums.contains(&format!("  {platform}/pw\n")), "{sums}");
        assert_eq!(fs::read(tree.join("helpers").join(platform).join("pw-worker")).unwrap(), bytes);
    }
    assert_eq!(source.git(&["-C", "first", "status", "--porcelain"]), "");
    assert!(tree.join("Cargo.lock").exists(), "a machine without a packaged helper builds it");
}

#[test]
fn what_is_no_helper_is_not_packaged() {
    let Some(source) = Source::new() else { return };
    fs::write(source.path("script"), "#!/bin/sh\necho pw-setup 0.1.0\n").unwrap();
    fs::write(source.path("old"), [PROGRAMS[0].0, &[0]].concat()).unwrap();
    for (helpers, word) in [
        (&["script"][..], "no platform"),
        (&["linux-x86_64", "old"], "two helpers for linux-x86_64"),
        (&["absent"], "absent"),
        (&[], "at least one"),
    ] {
        let args = [&["--helper"], helpers, &["--to", "tree"]].concat();
        let said = refused(&source.release(&args));
        assert!(said.contains(word), "{helpers:?}: {said}");
        assert!(!source.path("tree").exists(), "{helpers:?}");
    }
    let plugin = source.path("source/.claude-plugin/plugin.json");
    let text = fs::read_to_string(&plugin).unwrap();
    fs::write(&plugin, text.replace(env!("CARGO_PKG_VERSION"), "9.9.9")).unwrap();
    assert!(
        refused(&source.release(&["--helper", "linux-x86_64"])).contains("plugin.json says 9.9.9")
    );
}

/// What was built before the version went up, and lies there still.
#[test]
#[ignore = "long; .ci/run runs it"]
fn a_helper_of_another_version_is_not_packaged() {
    let Some(source) = Source::new() else { return };
    if cfg!(target_os = "macos") {
        return; // The signature of a program that was changed does not fit, and macOS ends it.
    }
    let program = fs::read(env!("CARGO_BIN_EXE_pw")).unwrap();
    let other = "9".repeat(env!("CARGO_PKG_VERSION").len());
    fs::write(source.path("old"), replaced(program, env!("CARGO_PKG_VERSION"), &other)).unwrap();
    let mode = fs::metadata(env!("CARGO_BIN_EXE_pw")).unwrap().permissions();
    fs::set_permissions(source.path("old"), mode).unwrap();
    let said = refused(&source.release(&["--helper", "old", "--to", "tree"]));
    assert!(said.contains(&format!("says pw-setup {other}, plugin.json")), "{said}");
    assert!(!source.path("tree").exists());
}

/// Puts one text in the place of another of its length, wherever that stands.
fn replaced(mut bytes: Vec<u8>, old: &str, new: &str) -> Vec<u8> {
    let first = old.as_bytes()[0];
    for at in 0..bytes.len() - old.len() {
        if bytes[at] == first && bytes[at..].starts_with(old.as_bytes()) {
            bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        }
    }
    bytes
}

#[test]
fn releases_follow_each_other_on_the_branch_that_users_install() {
    let Some(source) = Source::new() else { return };
    let release = || source.release(&["--helper", "linux-x86_64", "macos-aarch64"]);
    fs::write(source.path("source/README.md"), "half an edit").unwrap();
    assert!(refused(&release()).contains("git status"));
    source.git(&["-C", "source", "checkout", "--quiet", "README.md"]);
    let changes = source.path("source/CHANGELOG.md");
    let (text, heading) =
        (fs::read_to_string(&changes).unwrap(), format!("## [{}]", env!("CARGO_PKG_VERSION")));
    fs::write(&changes, text.replace(&heading, "")).unwrap();
    let commit = || {
        source.git(&[
            "-C",
            "source",
            "commit",
            "--quiet",
            "--all",
            "--allow-empty",
            "--message",
            "next",
        ])
    };
    commit();
    assert!(refused(&release()).contains("no heading"));
    fs::write(&changes, format!("{heading}\n")).unwrap();
    commit();
    let first = done(&release());
    commit();
    let second = done(&release());
    let line = |from: &str| source.git(&["-C", "source", "rev-list", "--first-parent", from]);
    assert_eq!(line("release"), format!("{second}\n{first}"));
}

/// A release whose parts name different versions is refused by `scripts/release`; this tells it when it is made.
#[test]
fn the_version_is_one_and_the_changelog_has_it() {
    let read = |name: &str| fs::read_to_string(crate::markdown::root().join(name)).unwrap();
    let plugin: serde_json::Value =
        serde_json::from_str(&read(".claude-plugin/plugin.json")).unwrap();
    let version = plugin["version"].as_str().unwrap();
    assert_eq!(version, env!("CARGO_PKG_VERSION"), "plugin.json and Cargo.toml");
    let changes = read("CHANGELOG.md");
    let heads: Vec<&str> = changes.lines().filter_map(|line| line.strip_prefix("## [")).collect();
    assert!(heads.first().is_some_and(|head| head.starts_with("Unreleased")), "{heads:?}");
    // The first version has no heading before it is released.
    let is_named = heads.iter().any(|head| head.starts_with(&format!("{version}]")));
    assert!(is_named || heads.len() == 1, "{version} is not in {heads:?}");
}
