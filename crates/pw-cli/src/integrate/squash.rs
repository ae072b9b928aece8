//! The message of the one commit that lands: the user's own words, past their own hooks.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pw_core::branch::Branch;
use pw_core::failure::{Code, Failure};
use pw_core::finish::Share;
use pw_core::squash_draft::Draft;
use pw_git::Repo;

use crate::workflow::Workflow;
use crate::{command, whole_file};

/// Returns the message of these paragraphs.
pub(super) fn given(repo: &Repo, paragraphs: &[String]) -> Result<String> {
    require_text(repo.clean_message(&paragraphs.join("\n\n"))?)
}

/// Returns the message that the user writes in their editor. The file stays until that has landed:
/// a hook or a gate may refuse, and what was written is not to be written again.
pub(super) fn edited(workflow: &Workflow, base: &Branch, shares: &[Share<'_>]) -> Result<String> {
    let Workflow { repo, plan, .. } = workflow;
    let file = file(workflow);
    let written = std::fs::read_to_string(&file).ok();
    let draft = Draft::new(plan, base, shares, written.as_deref(), &repo.settings()?);
    whole_file::write(&file, &draft.text, 0o644)?;
    let editor = repo.editor()?;
    if !command::edit(&editor, &file)? {
        return Err(Failure::new(Code::Usage, format!("the editor `{editor}` failed"))
            .hint("nothing has landed; give the message with -m")
            .into());
    }
    let text = std::fs::read(&file).context("reading the message")?;
    let message = draft.message(&String::from_utf8_lossy(&text));
    require_text(repo.clean_message(&message)?)
}

/// Removes what the user wrote, which has landed.
pub(super) fn forget(workflow: &Workflow) {
    // What stays goes with the workflow's other files.
    let _ = std::fs::remove_file(file(workflow));
}

/// Editors know the name.
fn file(workflow: &Workflow) -> PathBuf {
    let name = workflow.plan.workflow.as_str();
    workflow.repo.common().join("pw").join(name).join("COMMIT_EDITMSG")
}

/// Returns what the base's message hooks make of it.
pub(super) fn passed(repo: &Repo, folder: &Path, message: &str, is_edited: bool) -> Result<String> {
    let passed = repo.message_through_hooks(folder, message);
    let passed = passed.map_err(|error| match error.downcast::<Failure>() {
        // What the refusal names is a worker's way out.
        Ok(mut failure) if failure.code == Code::HookRefused => {
            failure.hint = match is_edited {
                true => "nothing has landed: finish again, the editor begins with what was written",
                false => "nothing has landed: give it a message with -m that the hook takes",
            }
            .to_owned();
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
