//! Installs a checkout the way users get it: cloned from its repository, run from the client's
//! copy.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{RealClient, read_json};
use crate::scripted_api::first_json;

/// A plugin that the client has installed.
pub struct Plugin {
    name: String,
    /// The client's copy, which is what runs.
    root: PathBuf,
    data: PathBuf,
}

impl Plugin {
    /// Returns the plugin's name, which prefixes its skills and agents.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the folder the plugin runs from.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns a copy of the plugin that lies elsewhere, to do harm to.
    #[must_use]
    pub fn moved(&self, root: &Path, data: &Path) -> Self {
        Self { name: self.name.clone(), root: root.to_owned(), data: data.to_owned() }
    }

    /// Returns the folder the client keeps for the plugin's own files.
    pub fn data(&self) -> &Path {
        &self.data
    }
}

impl RealClient<'_> {
    /// Publishes `checkout` and installs the plugin from there.
    #[track_caller]
    pub fn install_from_github(&self, checkout: &Path) -> Plugin {
        self.publish_on_github(checkout);
        self.install(checkout)
    }

    /// Publishes the tracked files of `checkout`, as they are on disk, at an `owner/<plugin>` that
    /// git itself redirects to a bare repository here. A new file belongs to it once it is in git's
    /// index.
    #[track_caller]
    pub fn publish_on_github(&self, checkout: &Path) {
        let market = read_json(&checkout.join(".claude-plugin/marketplace.json"));
        let name = market["plugins"][0]["name"].as_str().unwrap();
        let remote = self.publish(checkout);
        // What users install from, as the README has it.
        self.git_in(Path::new(&remote), ["branch", "release", "HEAD"]);
        let mut config =
            OpenOptions::new().append(true).open(self.home().join(".gitconfig")).unwrap();
        let (https, ssh) =
            (format!("https://github.com/owner/{name}"), format!("git@github.com:owner/{name}"));
        let file = remote.strip_suffix(".git").unwrap();
        writeln!(config, "[url \"file://{file}\"]\n insteadOf = {https}\n insteadOf = {ssh}")
            .unwrap();
    }

    /// Adds the marketplace that was published from `checkout`, and installs the plugin from it.
    #[track_caller]
    pub fn install(&self, checkout: &Path) -> Plugin {
        let market = read_json(&checkout.join(".claude-plugin/marketplace.json"));
        let market_name = market["name"].as_str().unwrap();
        let name = market["plugins"][0]["name"].as_str().unwrap().to_owned();
        self.claude(&["plugin", "marketplace", "add", &format!("owner/{name}")]);
        let id = format!("{name}@{market_name}");
        self.claude(&["plugin", "install", &id]);
        self.installed(&name, market_name)
    }

    /// Runs a line that a user types into a session, `/plugin install …`, from the command line.
    #[track_caller]
    pub fn plugin(&self, line: &str) {
        let words: Vec<&str> = line.trim_start_matches('/').split(' ').collect();
        self.claude(&words);
    }

    /// Returns the plugins that are installed, by `name@marketplace`.
    pub fn installed_plugins(&self) -> Vec<String> {
        let known = read_json(&self.home().join(".claude/plugins/installed_plugins.json"));
        known["plugins"].as_object().into_iter().flatten().map(|(id, _)| id.clone()).collect()
    }

    /// Publishes the plugin once more under another version of the same length, which packaged helpers then say of
    /// themselves, too, and updates it as users do; returns what new sessions run.
    #[track_caller]
    pub fn update(&self, plugin: &Plugin, version: &str) -> Plugin {
        let source = self.path("published");
        let manifest = source.join(".claude-plugin/plugin.json");
        let text = fs::read_to_string(&manifest).unwrap();
        let old = read_json(&manifest)["version"].as_str().unwrap().to_owned();
        let new = text.replacen(&format!("\"{old}\""), &format!("\"{version}\""), 1);
        fs::write(&manifest, new).unwrap();
        if source.join("helpers").exists() {
            self.repackage(&source.join("helpers"), &old, version);
        }
        self.git_in(&source, ["commit", "--quiet", "--all", "--message", version]);
        let remote = self.path("remote.git");
        self.git_in(&source, ["push", "--quiet", remote.to_str().unwrap(), "HEAD"]);
        let market = read_json(&source.join(".claude-plugin/marketplace.json"));
        let market_name = market["name"].as_str().unwrap();
        self.claude(&["plugin", "marketplace", "update", market_name]);
        self.claude(&["plugin", "update", &format!("{}@{market_name}", plugin.name)]);
        self.installed(&plugin.name, market_name)
    }

    /// Makes packaged helpers those of another version, as a build of that would be, and lists them.
    fn repackage(&self, helpers: &Path, old: &str, version: &str) {
        assert_eq!(old.len(), version.len(), "a program has no room for a longer version");
        let script = "set -e; cd \"$1\"; for pw in */pw; do \
            LC_ALL=C sed -i \"s/$(echo \"$2\" | sed 's/[.]/\\\\./g')/$3/g\" \"$pw\"; done; \
            sha256sum -- */pw >SHA256SUMS";
        let mut command = self.command("sh");
        command.args(["-c", script, "sh"]).arg(helpers).args([old, version]);
        let finished = self.finish(command, Duration::from_secs(60));
        assert!(finished.status.success(), "{}", finished.stderr);
    }

    fn installed(&self, name: &str, market_name: &str) -> Plugin {
        let (name, id) = (name.to_owned(), format!("{name}@{market_name}"));
        let plugins = self.home().join(".claude/plugins");
        let installed = read_json(&plugins.join("installed_plugins.json"));
        let root = PathBuf::from(installed["plugins"][&id][0]["installPath"].as_str().unwrap());
        Plugin { data: plugins.join("data").join(format!("{name}-{market_name}")), name, root }
    }

    /// Waits until the `helper` in the plugin's `bin/` answers `--version`: its first call builds
    /// it, and fails with `helper_building` when that takes long. Panics at any other failure.
    #[track_caller]
    pub fn wait_for_helper(&self, plugin: &Plugin, helper: &str, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let mut command = self.helper_command(plugin, helper);
            command.arg("--version");
            let finished = self.finish(command, deadline.saturating_duration_since(Instant::now()));
            if finished.status.success() {
                return;
            }
            let (stdout, stderr) = (finished.stdout, finished.stderr);
            let builds = first_json(&stdout)["error"]["code"] == "helper_building";
            let in_time = Instant::now() < deadline;
            assert!(
                builds && in_time,
                "{helper} does not run (limit {limit:?})\n{stdout}\n{stderr}"
            );
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Runs a helper that may fail; returns what it printed.
    #[track_caller]
    pub fn helper_output(&self, plugin: &Plugin, helper: &str, args: &[&str]) -> String {
        let mut command = self.helper_command(plugin, helper);
        command.args(args);
        self.finish(command, Duration::from_secs(60)).stdout
    }

    /// Runs a helper of the plugin in the project, as the client's Bash would; returns its answer.
    #[track_caller]
    pub fn helper(&self, plugin: &Plugin, helper: &str, args: &[&str]) -> Value {
        let mut command = self.helper_command(plugin, helper);
        command.args(args);
        first_json(&self.succeed(command, Duration::from_secs(60)))
    }

    fn helper_command(&self, plugin: &Plugin, helper: &str) -> Command {
        let mut command = self.command(plugin.root.join("bin").join(helper));
        command.env("CLAUDE_PLUGIN_ROOT", &plugin.root).env("CLAUDE_PLUGIN_DATA", &plugin.data);
        command
    }

    /// Returns the path of a bare repository that holds the tracked files of `checkout`, and
    /// nothing else.
    pub(super) fn publish(&self, checkout: &Path) -> String {
        let source = self.path("published");
        for file in self.git_in(checkout, ["ls-files", "-z"]).split_terminator('\0') {
            let (from, to) = (checkout.join(file), source.join(file));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            match fs::symlink_metadata(&from) {
                Ok(kind) if kind.is_symlink() => {
                    std::os::unix::fs::symlink(fs::read_link(&from).unwrap(), &to).unwrap();
                }
                Ok(_) => {
                    fs::copy(&from, &to).unwrap();
                }
                // Tracked, and removed in the checkout: it would not be published either.
                Err(_) => {}
            }
        }
        let remote = self.path("remote.git").to_str().unwrap().to_owned();
        self.git_in(&source, ["init", "--quiet"]);
        self.git_in(&source, ["add", "--all", "--force"]);
        self.git_in(&source, ["commit", "--quiet", "--message", "release"]);
        self.git_in(&source, ["clone", "--quiet", "--bare", ".", &remote]);
        remote
    }
}
