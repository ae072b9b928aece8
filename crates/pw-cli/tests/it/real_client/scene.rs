//! A repository with two workers as users have it, and what sessions in it do.

use std::fs;
use std::path::{Path, PathBuf};

use pw_testkit::real_client::{Plugin, RealClient, Run};
use pw_testkit::scripted_api::{ScriptedApi, Turn};
use serde_json::{Value, json};

use super::{BUILD_LIMIT, bin, release};

const PLAN: &str = r#"workflow: shop
goal: users and orders
verify: awk 'END{print NR}' users/list.txt
workers:
  - {id: task-1, name: users, owns: [users], tasks: [list the users]}
  - {id: task-2, name: orders, owns: [orders], tasks: [list the orders]}
"#;

/// A repository with two workers, and the plugin as users have it.
pub(super) struct Scene<'a> {
    pub(super) client: RealClient<'a>,
    pub(super) plugin: Plugin,
}

impl<'a> Scene<'a> {
    pub(super) fn new(api: &'a ScriptedApi) -> Self {
        let client = RealClient::new(bin(), api);
        let project = client.project();
        for (path, text) in
            [("README.md", "# shop\n"), ("orders/list.txt", "none\n"), ("plan.yaml", PLAN)]
        {
            fs::create_dir_all(project.join(path).parent().unwrap()).unwrap();
            fs::write(project.join(path), text).unwrap();
        }
        client.git(["init", "--quiet"]);
        client.git(["add", "--all"]);
        client.git(["commit", "--quiet", "--message", "start"]);
        let plugin = client.install_from_github(&release());
        client.wait_for_helper(&plugin, "pw-setup", BUILD_LIMIT);
        let created = client.helper(&plugin, "pw-setup", &["create", "plan.yaml"]);
        assert_eq!(created["ok"], true, "{created:#}");
        Self { client, plugin }
    }

    pub(super) fn worktree(&self, label: &str) -> PathBuf {
        self.client.project().join("worktrees").join(label)
    }

    /// Returns a file that `create` made for a worker.
    pub(super) fn made(&self, label: &str, name: &str) -> PathBuf {
        self.client.project().join(".git/pw/shop").join(label).join(name)
    }

    pub(super) fn kickoff(&self, label: &str) -> String {
        fs::read_to_string(self.made(label, "prompt.md")).unwrap()
    }

    /// Sends a prompt to a worker's session, which runs by itself within the permissions made for it.
    pub(super) fn work(&self, label: &str, text: &str, more: &[&str]) -> Run {
        let settings = self.made(label, "settings.json");
        let args = unattended(&settings);
        self.client.prompt_in(&self.worktree(label), text, &[&args, more].concat())
    }

    /// Writes the worker's settings with every hook switched off; returns the file.
    pub(super) fn settings_without_hooks(&self, label: &str) -> PathBuf {
        let text = fs::read(self.made(label, "settings.json")).unwrap();
        let mut settings: Value = serde_json::from_slice(&text).unwrap();
        settings["disableAllHooks"] = json!(true);
        // A hook tells Bash where the helpers were built.
        settings["env"] = json!({"CLAUDE_PLUGIN_DATA": self.plugin.data()});
        let path = self.client.home().join("settings-without-hooks.json");
        fs::write(&path, settings.to_string()).unwrap();
        path
    }

    /// Returns the files that a worker's commits changed, when nothing else is changed in its worktree.
    pub(super) fn changed(&self, label: &str) -> String {
        assert_eq!(self.git(label, &["status", "--porcelain"]), "");
        self.git(label, &["diff", "--name-only", "main", "HEAD"])
    }

    pub(super) fn git(&self, label: &str, args: &[&str]) -> String {
        self.client.git_in(&self.worktree(label), args)
    }
}

/// How an unattended session is started.
pub(super) fn unattended(settings: &Path) -> [&str; 4] {
    ["--settings", settings.to_str().unwrap(), "--permission-mode", "dontAsk"]
}

pub(super) fn write(path: &str, content: &str) -> Value {
    json!({"file_path": path, "content": content})
}

pub(super) fn replace(path: &str, old: &str, new: &str) -> Value {
    json!({"file_path": path, "old_string": old, "new_string": new})
}

pub(super) fn bash(command: &str) -> Value {
    json!({"command": command})
}

/// A command that runs beside the session, which is told its lines.
pub(super) fn monitor(command: &str) -> Value {
    json!({"command": command, "description": "watch", "timeout_ms": 5000})
}

/// Returns whether a tool call was refused with these words.
pub(super) fn refused(words: &'static str) -> impl Fn(&Turn) -> bool + Send + Sync {
    move |turn| turn.tool_failed() && turn.tool_result().contains(words)
}

pub(super) fn done(turn: &Turn) -> bool {
    !turn.tool_failed()
}
