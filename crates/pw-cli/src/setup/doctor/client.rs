//! What the client's own files say of this repository: whether it trusts it, whether the guard runs,
//! and which commands it runs without a question. Those last the user may have written here.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::diagnosis::{self, Client, Diagnosis};
use pw_core::failure::{Code, Failure};
use pw_core::gate::Gate;
use pw_core::permissions::orchestrator::{Allowed, FILE, missing, with_rules};
use pw_core::permissions::switches_guard_off;
use pw_core::shell_word::shell_word;
use pw_core::time::Seconds;
use pw_git::Repo;
use serde_json::Value;

use crate::command;
use crate::output::Output;
use crate::session;
use crate::whole_file;

/// Settings of a project that all who work on it share.
const SHARED: &str = ".claude/settings.json";
/// The largest file of settings that is read.
const MAX_SIZE: u64 = 16 << 20;
/// How long the client may take to say its version.
const PATIENCE: Seconds = 10;

/// Returns what is to be said of the client, and of it in a repository where there is one.
pub(super) fn diagnoses(repo: Option<&Repo>) -> Vec<Diagnosis> {
    let is_off = |text: &String| {
        serde_json::from_str(text).is_ok_and(|settings: Value| switches_guard_off(&settings))
    };
    let program = session::client();
    let client = Client {
        is_there: program.is_some(),
        version: program.and_then(|client| version(&client)),
        trusts: repo.is_some_and(|repo| trusts(checkout(repo))),
        is_guard_off: repo.is_some_and(|repo| settings(repo).iter().any(is_off)),
    };
    let trust = repo.and_then(|_| diagnosis::trust(client));
    [diagnosis::installed(client)].into_iter().chain(trust).collect()
}

/// Asks a client for its version; nothing when it does not answer in time.
fn version(client: &Path) -> Option<[u32; 3]> {
    let folder = tempfile::tempdir().ok()?;
    let command = format!("{} --version", shell_word(client.to_str()?));
    let gate = Gate { timeout_seconds: PATIENCE, ..Gate::only(command)? };
    let log = folder.path().join("version");
    let (end, _) = command::run_gate(&gate, folder.path(), &log, [], None, &mut |_| ()).ok()?;
    diagnosis::client_version(&Output::of(&log).tail).filter(|_| end.passed())
}

/// Returns the checkout that the user's sessions are started in.
fn checkout(repo: &Repo) -> &Path {
    repo.main_checkout().unwrap_or(repo.root())
}

/// Returns whether the user told the client to trust a folder, or one above it.
fn trusts(folder: &Path) -> bool {
    let known = session::client_file(".claude.json").and_then(|path| text_of(&path));
    let known: Option<Value> = known.and_then(|text| serde_json::from_str(&text).ok());
    let Some(known) = known else { return false };
    folder.ancestors().any(|folder| {
        let project = known["projects"].get(&*folder.to_string_lossy());
        project.is_some_and(|project| project["hasTrustDialogAccepted"] == Value::Bool(true))
    })
}

/// Returns all settings of the client that count in a repository.
fn settings(repo: &Repo) -> Vec<String> {
    let users = session::client_home().map(|home| home.join("settings.json"));
    let own = [SHARED, FILE].map(|name| checkout(repo).join(name));
    users.into_iter().chain(own).filter_map(|path| text_of(&path)).collect()
}

/// Returns what a file holds; nothing when it is none, or absurdly large.
fn text_of(path: &Path) -> Option<String> {
    let about = path.metadata().ok()?;
    (about.is_file() && about.len() <= MAX_SIZE).then(|| std::fs::read_to_string(path).ok())?
}

/// Returns which rules are missing.
pub(super) fn allowed(repo: &Repo) -> Allowed {
    Allowed { file: FILE.to_owned(), missing: missing(&settings(repo)), written: Vec::new() }
}

/// Writes the missing rules; what the file has stays in it.
pub(super) fn allow(repo: &Repo, allowed: &mut Allowed) -> Result<()> {
    if allowed.missing.is_empty() {
        return Ok(());
    }
    let path = checkout(repo).join(FILE);
    let old = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(Failure::new(Code::SettingsUnreadable, format!("{FILE}: {error}"))
                .hint("correct that file, or move it away; nothing was written")
                .into());
        }
    };
    let new = with_rules(FILE, old.as_deref(), &allowed.missing)?;
    whole_file::write(&target(&path)?, &new, 0o600)?;
    allowed.written = std::mem::take(&mut allowed.missing);
    let left = missing(&settings(repo));
    match left.first() {
        Some(rule) => {
            let message = format!("{FILE} was written, and has no {rule} now");
            let hint = "another process writes it: run the same command again";
            Err(Failure::new(Code::CannotWrite, message).hint(hint).into())
        }
        None => Ok(()),
    }
}

/// Returns the file itself where the user has a link to it.
fn target(path: &Path) -> Result<PathBuf> {
    match path.is_symlink() {
        true => path.canonicalize().with_context(|| format!("following {}", path.display())),
        false => Ok(path.to_owned()),
    }
}
