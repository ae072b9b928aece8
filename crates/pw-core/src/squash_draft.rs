//! The message of the one commit that lands, as it is written in an editor: what that begins with,
//! and what of it is the message.

use crate::branch::Branch;
use crate::diagnosis::settings::Setting;
use crate::finish::{Share, merge_message, one_line};
use crate::plan::Plan;

/// What git chooses a comment character from, in its order.
const MARKS: &str = "#;@!$%^&|:";
/// Behind the comment character, the line above which the message stands: git-commit(1),
/// `--cleanup=scissors`.
const SCISSORS: &str = " ------------------------ >8 ------------------------";

/// What an editor begins with.
#[derive(Debug, PartialEq, Eq)]
pub struct Draft {
    /// The file's text.
    pub text: String,
    mark: String,
    strips: bool,
}

impl Draft {
    /// Returns the draft: what the user wrote before, or the goal, and under a line to cut at what
    /// the workers say of their work. `settings` are the user's, of which those of `git commit`
    /// count here, too; `commit.template` does not, as after `git merge --squash`.
    pub fn new(
        plan: &Plan,
        base: &Branch,
        shares: &[Share<'_>],
        written: Option<&str>,
        settings: &[Setting],
    ) -> Self {
        let written = written.map(above_scissors).filter(|text| !text.trim().is_empty());
        let begin = written.map_or_else(|| one_line(&plan.goal), |text| text.trim_end().to_owned());
        let last = |names: &[&str]| {
            let named = |(name, _): &&Setting| names.contains(&name.as_str());
            settings.iter().rev().find(named).map(|(_, value)| value.as_str())
        };
        let mark = last(&["core.commentchar", "core.commentstring"]);
        let mark = mark.filter(|mark| !["", "auto"].contains(mark)).map(str::to_owned);
        let mark = mark.unwrap_or_else(|| unused_mark(&begin));
        let strips =
            !matches!(last(&["commit.cleanup"]), Some("scissors" | "whitespace" | "verbatim"));
        let also =
            if strips { format!(", and no line that begins with {mark}") } else { String::new() };
        let about = format!(
            "The message of the one commit that lands on {base}. Nothing from the line above on is\n\
             part of it{also}. An empty message lands nothing.\n\n{}",
            merge_message(plan, base, shares)
        );
        let about = about.lines().map(|line| format!("{mark} {line}").trim_end().to_owned() + "\n");
        let about: String = about.collect();
        Self { text: format!("{begin}\n\n{mark}{SCISSORS}\n{about}"), mark, strips }
    }

    /// Returns the message in what the editor left.
    pub fn message(&self, edited: &str) -> String {
        let is_kept = |line: &&str| !(self.strips && line.starts_with(&self.mark));
        above_scissors(edited).split_inclusive('\n').filter(is_kept).collect()
    }
}

/// Whatever the comment character was when the line was written.
fn above_scissors(text: &str) -> &str {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end().ends_with(SCISSORS) {
            return &text[..end];
        }
        end += line.len();
    }
    text
}

/// Returns the first comment character that begins no line: a goal may begin with `#12`.
fn unused_mark(text: &str) -> String {
    let is_unused = |mark: &char| text.lines().all(|line| !line.starts_with(*mark));
    MARKS.chars().find(is_unused).unwrap_or('#').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(goal: &str, written: Option<&str>, settings: &[(&str, &str)]) -> Draft {
        let plan =
            format!("workflow: w\ngoal: '{goal}'\nworkers:\n  - {{id: a, name: x, owns: [a]}}\n");
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let settings: Vec<Setting> = settings.iter().map(owned).collect();
        Draft::new(&Plan::parse(&plan).unwrap(), &Branch::new("main"), &[], written, &settings)
    }

    /// The goal, what the user wrote before, the settings; what the editor adds in front; the message.
    type Row = (
        &'static str,
        Option<&'static str>,
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );

    #[test]
    fn the_message_is_what_git_commit_would_take() {
        let rows: &[Row] = &[
            ("an api", None, &[], "", "an api"),
            ("an api", Some("feat: x\n\nwhy\n"), &[], "", "feat: x\n\nwhy"),
            ("an api", Some(" \n"), &[], "", "an api"),
            ("#12 an api", None, &[], "# more\n", "# more\n#12 an api"),
            ("an api", None, &[], "# no\n#no\nyes\n", "yes\nan api"),
            ("an api", None, &[("core.commentchar", ";")], "# yes\n; no\n", "# yes\nan api"),
            ("an api", None, &[("core.commentchar", "auto")], "# no\n", "an api"),
            ("# an api", None, &[("core.commentchar", "auto")], "; no\n", "# an api"),
            ("an api", None, &[("core.commentstring", "//")], "/yes\n// no\n", "/yes\nan api"),
            ("an api", None, &[("commit.cleanup", "scissors")], "# yes\n", "# yes\nan api"),
            ("an api", None, &[("commit.cleanup", "verbatim")], "# yes\n", "# yes\nan api"),
            (
                "an api",
                None,
                &[("commit.cleanup", "scissors"), ("commit.cleanup", "strip")],
                "# no\n",
                "an api",
            ),
        ];
        for (goal, written, settings, added, message) in rows {
            let draft = draft(goal, *written, settings);
            let edited = format!("{added}{}", draft.text);
            assert_eq!(
                draft.message(&edited).trim_end(),
                *message,
                "{goal} {settings:?} {added:?}"
            );
        }
    }

    #[test]
    fn what_was_written_before_is_found_under_another_comment_character() {
        let before = draft("an api", None, &[("core.commentchar", ";")]);
        let edited = before.text.replace("an api", "feat: the api");
        let after = draft("an api", Some(&edited), &[]);
        assert_eq!(after.message(&after.text).trim_end(), "feat: the api");
        // An editor that ends its lines as Windows does.
        assert_eq!(after.message(&after.text.replace('\n', "\r\n")).trim_end(), "feat: the api");
    }
}
