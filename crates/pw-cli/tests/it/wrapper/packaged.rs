//! A plugin folder with helpers in it, as `scripts/release` makes it: they are checked once, and run only when
//! they are what the release lists for this machine. Whatever else is there ends in a build, or in the one error.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use pw_testkit::repo::write_program;
use serde_json::json;

use super::{HELPER, Plugin, VERSION, guard_hook, refusal, session_start, stdout, worktree};

/// A release without cargo beside it.
fn release() -> Plugin {
    let plugin = Plugin::new();
    fs::rename(plugin.path("tools/cargo"), plugin.path("cargo")).unwrap();
    package(&plugin, &HELPER.replace("VERSION", VERSION));
    plugin
}

/// Packages a helper for this machine, and lists it.
fn package(plugin: &Plugin, helper: &str) {
    let folder = packaged(plugin);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    write_program(&folder.join("pw"), helper);
    for name in ["pw-setup", "pw-monitor", "pw-integrate", "pw-worker", "pw-retro"] {
        symlink("pw", folder.join(name)).unwrap();
    }
    let platform = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let listed = plugin
        .command("sh")
        .args(["-c", "sha256sum \"$1/pw\" 2>/dev/null || shasum -a 256 \"$1/pw\"", "sh", &platform])
        .current_dir(folder.parent().unwrap())
        .output()
        .unwrap();
    fs::write(folder.with_file_name("SHA256SUMS"), stdout(&listed)).unwrap();
}

/// Where a release has the helper for this machine.
fn packaged(plugin: &Plugin) -> PathBuf {
    let system = if cfg!(target_os = "macos") { "macos" } else { "linux" };
    plugin.root.join(format!("helpers/{system}-{}", std::env::consts::ARCH))
}

#[test]
fn a_packaged_helper_runs_at_once_and_nothing_is_said() {
    let plugin = release();
    assert_eq!(session_start(&plugin), None);
    for name in ["pw-setup", "pw-worker"] {
        let output = plugin.wrapper(name).args(["a b", "*"]).output().unwrap();
        assert_eq!(stdout(&output), format!("{name}\n<a b><*>"));
        assert!(output.stderr.is_empty(), "{output:?}");
    }
    let theirs = worktree(&plugin, "theirs", Some("pw shop task-1"));
    let asked = guard_hook(&plugin, &theirs).output().unwrap();
    assert_eq!(stdout(&asked), "pw-worker\n<guard><pre-tool-use>");
    let mode = fs::metadata(plugin.home().join("bin")).unwrap().permissions().mode();
    assert_eq!(mode & 0o022, 0);
}

#[test]
fn once_checked_a_release_starts_no_other_program() {
    let plugin = release();
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    // With no program on PATH but the shell that reads the wrapper and the helper.
    fs::create_dir(plugin.path("none")).unwrap();
    let mut wrapper = plugin.command("/bin/sh");
    wrapper.arg(plugin.root.join("bin/pw-setup")).arg("check").env("PATH", plugin.path("none"));
    assert_eq!(stdout(&wrapper.output().unwrap()), "pw-setup\n<check>");
}

/// How a release is made worse.
type Break = fn(&Plugin);

/// Everything that keeps a packaged helper from running, what is done to get there, and the word that tells it.
const WORSE: [(&str, Break, &str); 8] = [
    ("four bytes more", |plugin| append(&packaged(plugin).join("pw"), "\n#\n\n"), "damaged"),
    (
        "cut short",
        |plugin| fs::write(packaged(plugin).join("pw"), "#!/bin/sh\n").unwrap(),
        "damaged",
    ),
    ("absent", |plugin| fs::remove_dir_all(packaged(plugin)).unwrap(), "for this machine"),
    (
        "for other machines only",
        |plugin| {
            let (ours, theirs) = (packaged(plugin), packaged(plugin).with_file_name("beos-m68k"));
            fs::rename(&ours, theirs).unwrap();
            let sums = ours.with_file_name("SHA256SUMS");
            let ours = ours.file_name().unwrap().to_str().unwrap();
            let text = fs::read_to_string(&sums).unwrap().replace(ours, "beos-m68k");
            fs::write(sums, text).unwrap();
        },
        "for this machine",
    ),
    (
        "a program of another machine",
        |plugin| package(plugin, "\u{7f}ELF of another machine"),
        "do not start",
    ),
    (
        "of another version",
        |plugin| package(plugin, &HELPER.replace("VERSION", "0.0.1")),
        "of version 0.0.1, and the plugin of version",
    ),
    (
        "listed by nobody",
        |plugin| {
            fs::write(packaged(plugin).with_file_name("SHA256SUMS"), "").unwrap();
        },
        "for this machine",
    ),
    (
        "no list",
        |plugin| {
            fs::remove_file(packaged(plugin).with_file_name("SHA256SUMS")).unwrap();
        },
        "in this folder",
    ),
];

fn append(file: &std::path::Path, text: &str) {
    let old = fs::read_to_string(file).unwrap();
    fs::write(file, old + text).unwrap();
}

#[test]
#[ignore = "long; .ci/run runs it"]
fn a_worse_release_ends_in_a_build_or_in_the_one_error() {
    for (state, break_it, word) in WORSE {
        let plugin = release();
        break_it(&plugin);
        let said = session_start(&plugin).unwrap();
        assert!(said.contains(word) && said.contains("cargo was not found"), "{state}: {said}");
        let error = refusal(&plugin.wrapper("pw-setup").output().unwrap());
        assert_eq!(error["code"], "helper_not_built", "{state}");
        assert!(error["message"].as_str().unwrap().contains(word), "{state}: {error}");
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("a release") && hint.contains("rustup.rs"), "{state}: {hint}");
        let theirs = worktree(&plugin, "theirs", Some("pw shop task-1"));
        let denied = stdout(&guard_hook(&plugin, &theirs).output().unwrap()).to_owned();
        assert!(denied.contains("\"deny\"") && denied.contains(word), "{state}: {denied}");

        fs::rename(plugin.path("cargo"), plugin.path("tools/cargo")).unwrap();
        assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n", "{state}");
        assert_eq!(plugin.count("compiled"), 1, "{state}");
    }
}

#[test]
fn what_changes_after_the_check_is_checked_again() {
    let plugin = release();
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    // The copy in the cache is what runs.
    fs::write(packaged(&plugin).join("pw"), "#!/bin/sh\necho foreign\n").unwrap();
    assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
    // And that one was written to.
    append(&plugin.home().join("bin/pw"), "echo foreign\n");
    assert_eq!(refusal(&plugin.wrapper("pw-setup").output().unwrap())["code"], "helper_not_built");
    // Another release in the same folder, of the same version.
    package(
        &plugin,
        &HELPER.replace("VERSION", VERSION).replace("%s\\n' \"$name", "new %s\\n' \"$name"),
    );
    assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "new pw-setup\n");
}

#[test]
fn without_a_cache_the_packaged_helper_runs_where_it_lies_checked_each_time() {
    let plugin = release();
    plugin.write("da ta's", "no folder");
    assert_eq!(session_start(&plugin), None);
    for _ in 0..2 {
        assert_eq!(stdout(&plugin.wrapper("pw-retro").output().unwrap()), "pw-retro\n");
    }
    let theirs = worktree(&plugin, "theirs", Some("pw shop task-1"));
    let asked = guard_hook(&plugin, &theirs).output().unwrap();
    assert_eq!(stdout(&asked), "pw-worker\n<guard><pre-tool-use>");

    append(&packaged(&plugin).join("pw"), "echo foreign\n");
    fs::rename(plugin.path("cargo"), plugin.path("tools/cargo")).unwrap();
    let error = refusal(&plugin.wrapper("pw-retro").output().unwrap());
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("damaged") && message.contains("cache folder"), "{message}");
}

#[test]
fn a_cache_of_another_user_is_not_run() {
    let plugin = release();
    stdout(&plugin.wrapper("pw-setup").output().unwrap());
    write_program(&plugin.home().join("bin/pw"), "#!/bin/sh\necho foreign\n");
    let stamp = plugin.home().join("stamp");
    let listed = fs::read_to_string(&stamp).unwrap();
    fs::write(&stamp, listed).unwrap();
    let owner = |path: &str| std::os::unix::fs::chown(plugin.home().join(path), Some(65534), None);
    if owner("").is_err() {
        return; // Only root can give files away.
    }
    for path in ["bin", "bin/pw", "stamp"] {
        owner(path).unwrap();
    }
    assert_eq!(stdout(&plugin.wrapper("pw-setup").output().unwrap()), "pw-setup\n");
    fs::remove_dir_all(plugin.root.join("helpers")).unwrap();
    let error = refusal(&plugin.wrapper("pw-setup").output().unwrap());
    assert_eq!(error["details"], json!({}));
}
