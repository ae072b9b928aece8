//! The client reads every eval of the plugin; what Claude makes of them needs an account.

use std::path::Path;

use pw_testkit::real_client::RealClient;
use pw_testkit::scripted_api::{ScriptedApi, Track};

use super::{bin, root};
use crate::evals::cases;

/// What a plugin is made of, for the client.
const PARTS: [&str; 8] =
    [".claude-plugin", "agents", "bin", "commands", "evals", "hooks", "scripts", "skills"];

/// What the page of the evals says to grant.
const GRANTS: [&str; 4] = ["--allow-tools", "Bash(pw-*)", "Bash(git *)", "Edit"];

#[test]
#[ignore = "needs the real client; .ci/run runs it"]
fn real_client_reads_every_eval() {
    let api = ScriptedApi::start([Track::when_user_says("never asked").say("")]);
    let client = RealClient::new(bin(), &api);
    let plugin = client.home().join("plugin");
    // Not the checkout itself: a build has files of two names, which the client does not take.
    PARTS.iter().for_each(|part| copy(&root().join(part), &plugin.join(part)));
    // The ceiling ends it before the first paid request, when all cases are read.
    let read = |plugin: &Path| {
        let ceiling = ["--scaffold", "--max-cost-usd", "0"];
        client.evals(plugin, &[&GRANTS[..], &ceiling].concat())
    };
    let said = read(&plugin);
    assert!(said.contains("cost ceiling"), "{said}");
    for odd in ["Couldn't load", "cannot pass"] {
        assert!(!said.contains(odd), "{said}");
    }
    // It would say so.
    let case = plugin.join("evals").join(cases()[0].file_name().unwrap()).join("case.yaml");
    std::fs::write(&case, "schema_version: \"1.0\"\nname: x\n").unwrap();
    assert!(read(&plugin).contains("Couldn't load 1 case"), "{}", read(&plugin));
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        std::fs::copy(from, to).unwrap();
        return;
    }
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}
