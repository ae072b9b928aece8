//! The message of the one commit that lands: the user's own words, past their own hooks.

use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::failure::{Code, Failure};
use pw_git::Repo;
use tempfile::TempDir;

use crate::command;

/// Returns the message of these paragraphs.
pub(super) fn given(repo: &Repo, paragraphs: &[String]) -> Result<String> {
    require_text(repo.clean_message(&paragraphs.join("\n\n"), false)?)
}

/// Returns the message that the user writes in their editor.
pub(super) fn edited(repo: &Repo, draft: &str) -> Result<String> {
    let folder = TempDir::with_prefix("pw-message-").context("making a temporary folder")?;
    let file = folder.path().join("COMMIT_EDITMSG");
    std::fs::write(&file, draft).context("writing the message")?;
    let editor = repo.editor()?;
    if !command::edit(&editor, &file)? {
        return Err(Failure::new(Code::Usage, format!("the editor `{editor}` failed"))
            .hint("nothing has landed; give the message with -m")
            .into());
    }
    let text = std::fs::read_to_string(&file).context("reading the message")?;
    require_text(repo.clean_message(&text, true)?)
}

/// Returns what the base's message hooks make of it.
pub(super) fn passed(repo: &Repo, folder: &Path, message: &str) -> Result<String> {
    let passed = repo.message_through_hooks(folder, message);
    let passed = passed.map_err(|error| match error.downcast::<Failure>() {
        // What the refusal names is a worker's way out.
        Ok(mut failure) if failure.code == Code::HookRefused => {
            "nothing has landed: give it a message with -m that the hook takes"
                .clone_into(&mut failure.hint);
            failure.next = None;
            failure.into()
        }
        Ok(failure) => failure.into(),
        Err(error) => error,
    })?;
    require_text(passed)
}

fn require_text(message: String) -> Result<String> {
    match message.trim().is_empty() {
        false => Ok(message),
        true => Err(Failure::new(Code::Usage, "the message is empty")
            .hint("nothing has landed; say with -m what it is")
            .into()),
    }
}
