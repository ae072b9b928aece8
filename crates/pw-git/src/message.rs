//! The message of a commit that is written for the user: their editor, their message hooks, who
//! else wrote what it holds.

use std::path::Path;

use anyhow::{Context as _, Result};
use pw_core::id::Oid;
use tempfile::TempDir;

use crate::process::GitError;
use crate::{Repo, hook_trace};

impl Repo {
    /// Returns the shell command of the user's editor.
    pub fn editor(&self) -> Result<String> {
        if let Ok(editor) = std::env::var("GIT_EDITOR") {
            return Ok(editor);
        }
        self.git.at(self.place()).user(["var", "GIT_EDITOR"]).without("GIT_EDITOR").line()
    }

    /// Returns a message without blanks that git would not commit.
    pub fn clean_message(&self, message: &str) -> Result<String> {
        let call = self.git.plumbing(["stripspace"]).input(message);
        Ok(String::from_utf8_lossy(&call.bytes()?).into_owned())
    }

    /// Returns what the user's message hooks make of a message in a folder of the repository, as
    /// `git commit -m` runs them.
    ///
    /// # Errors
    ///
    /// `hook_refused`, which says which hook it was.
    pub fn message_through_hooks(&self, folder: &Path, message: &str) -> Result<String> {
        let home = TempDir::with_prefix("pw-message-").context("making a temporary folder")?;
        let file = home.path().join("COMMIT_EDITMSG");
        std::fs::write(&file, message).context("writing the message")?;
        let name = file.to_str().context("the temporary folder has no name in UTF-8")?;
        for words in
            [&["prepare-commit-msg", "--", name, "message"][..], &["commit-msg", "--", name]]
        {
            let args = ["hook", "run", "--ignore-missing"].into_iter().chain(words.iter().copied());
            let call = self.git.at(folder).user(args).env("GIT_LITERAL_PATHSPECS", "0");
            call.run().map_err(|error| match error.downcast_ref::<GitError>() {
                Some(git) => hook_trace::refused(words[0], &git.stderr).into(),
                None => error,
            })?;
        }
        let bytes = std::fs::read(&file).context("reading the message")?;
        self.clean_message(&String::from_utf8_lossy(&bytes))
    }

    /// Returns who wrote the commits that one commit has and another has not, `Name <address>`, the
    /// user who commits here left out.
    pub fn co_authors(&self, since: &Oid, tip: &Oid) -> Result<Vec<String>> {
        let format = "--format=%aN <%aE>%n%(trailers:key=Co-authored-by,valueonly)";
        let range = format!("{since}..{tip}");
        let args = ["log", "--no-merges", "--reverse", format, &range, "--"];
        let answer = self.git.user(args).reader().bytes()?;
        let me = self.author()?.email;
        Ok(authors(&String::from_utf8_lossy(&answer), &me))
    }
}

fn authors(listed: &str, me: &str) -> Vec<String> {
    let address = |line: &str| Some(line.split_once('<')?.1.trim_end_matches('>').to_lowercase());
    let (mut known, mut found) = (vec![me.to_lowercase()], Vec::new());
    for line in listed.lines().map(str::trim).filter(|line| line.ends_with('>')) {
        if let Some(address) = address(line).filter(|address| !known.contains(address)) {
            known.push(address);
            found.push(line.to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_other_author_is_named_once() {
        let listed = "Me <me@x>\n\nA B <a@x>\nC <c@x>\n\nA <A@X>\n\nno address\n";
        assert_eq!(authors(listed, "Me@x"), ["A B <a@x>", "C <c@x>"]);
        assert_eq!(authors("", "me@x"), [""; 0]);
    }
}
