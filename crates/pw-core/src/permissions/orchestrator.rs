//! What the user's own session may run without a question, once the user wants that: rules for the
//! project's settings of the client. What lands on a branch of the user's, or throws a snapshot or
//! a past run away, is not among them.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::rule;
use crate::diagnosis::{About, Diagnosis};
use crate::failure::{Code, Failure};
use crate::next::Next;
use crate::text::counted;

/// Commands that change no branch and no worktree.
pub const READERS: &[&str] = &[
    "pw-monitor status",
    "pw-monitor status *",
    "pw-retro report",
    "pw-retro report *",
    "pw-retro compare",
    "pw-retro compare *",
    "pw-setup list",
    "pw-setup doctor",
    "pw-setup check *",
    "pw-setup explain *",
    "pw-setup analyze",
    "pw-setup analyze *",
    "pw-integrate check",
    "pw-integrate check *",
    "pw-integrate preview",
    "pw-integrate preview *",
];

/// Commands that make, start, merge and remove what belongs to a workflow. They run the commands of
/// its plan.
pub const WRITERS: &[&str] = &[
    "pw-monitor wait",
    "pw-monitor wait *",
    "pw-setup create *",
    "pw-setup advance",
    "pw-setup advance *",
    "pw-setup launch",
    "pw-setup launch *",
    "pw-setup join *",
    "pw-setup repair",
    "pw-setup repair *",
    "pw-integrate run",
    "pw-integrate run *",
    "pw-integrate continue",
    "pw-integrate continue *",
    "pw-integrate abort",
    "pw-integrate abort *",
    "pw-integrate cleanup",
    "pw-integrate cleanup *",
];

/// The file they are written to, from the top of the checkout that sessions are started in.
pub const FILE: &str = ".claude/settings.local.json";

/// What the client runs without a question, of what it could.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Allowed {
    /// The settings that `--fix-permissions` writes to.
    pub file: String,
    /// The rules that none of the client's settings has: those would be written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Those that were written now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<String>,
}

impl Allowed {
    /// Returns what to say about it.
    pub fn diagnosis(&self) -> Diagnosis {
        let rules = |rules: &[String]| counted(rules.len(), "rule");
        if !self.written.is_empty() {
            return About::Permissions.ok(format!(
                "{} written to {}",
                rules(&self.written),
                self.file
            ));
        }
        if self.missing.is_empty() {
            return About::Permissions.ok("sessions run the helpers without a question");
        }
        About::Permissions
            .note(format!(
                "sessions here ask before they run a helper; {} would allow it",
                rules(&self.missing)
            ))
            .remedy(
                "if no questions are wanted, not even before a plan's own commands run (--verbose lists the rules)",
            )
            .command(Next::FixPermissions)
    }
}

/// Returns the rules that settings lack; text that is no JSON allows nothing.
pub fn missing(settings: &[String]) -> Vec<String> {
    let known: Vec<Value> =
        settings.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let known: Vec<&str> = known
        .iter()
        .filter_map(|settings| settings["permissions"]["allow"].as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let is_missing = |command: &&&str| !known.iter().any(|rule| covers(rule, command));
    let commands = READERS.iter().chain(WRITERS).filter(is_missing);
    commands.map(|command| rule("Bash", command)).collect()
}

/// Returns whether a rule of the user's allows a command of ours, or more.
fn covers(rule: &str, command: &str) -> bool {
    let Some(content) = rule.strip_prefix("Bash(").and_then(|rule| rule.strip_suffix(')')) else {
        return rule == "Bash";
    };
    if let Some(words) = content.strip_suffix(":*") {
        return command
            .strip_prefix(words)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    }
    content == command || content.strip_suffix('*').is_some_and(|begin| command.starts_with(begin))
}

/// Returns the text of a settings file with these rules added; everything else stays in it, in its
/// order. `None`: there is no such file.
///
/// # Errors
///
/// `settings_unreadable`, when it is no JSON object, or has something else where the rules go.
pub fn with_rules(file: &str, text: Option<&str>, rules: &[String]) -> Result<String, Failure> {
    let unreadable = |what: String| {
        Failure::new(Code::SettingsUnreadable, format!("{file}: {what}"))
            .hint("correct that file, or move it away; nothing was written")
    };
    let parsed = match text.filter(|text| !text.trim().is_empty()) {
        Some(text) => serde_json::from_str(text),
        None => Ok(json!({})),
    };
    let mut settings: Value =
        parsed.map_err(|error| unreadable(format!("it is no JSON: {error}")))?;
    let object = settings.as_object_mut();
    let object = object.ok_or_else(|| unreadable("it is no JSON object".to_owned()))?;
    let permissions = object.entry("permissions").or_insert_with(|| json!({})).as_object_mut();
    let permissions =
        permissions.ok_or_else(|| unreadable("`permissions` is no object".to_owned()))?;
    let allow = permissions.entry("allow").or_insert_with(|| json!([])).as_array_mut();
    let allow = allow.ok_or_else(|| unreadable("`permissions.allow` is no list".to_owned()))?;
    for rule in rules.iter().map(|rule| json!(rule)) {
        if !allow.contains(&rule) {
            allow.push(rule);
        }
    }
    let text = serde_json::to_string_pretty(&settings).map_err(|error| {
        Failure::new(Code::Internal, format!("writing {file}: {error}")).hint("report this")
    })?;
    Ok(text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_allows_already_is_not_asked_for_again() {
        let all = missing(&[]);
        assert_eq!(all.len(), READERS.len() + WRITERS.len());
        let of = |rules: &str| missing(&[format!("{{\"permissions\":{{\"allow\":{rules}}}}}")]);
        for (rules, left) in [
            (json!(all), 0),
            (json!(["Bash"]), 0),
            (json!(["Bash(*)"]), 0),
            (json!(["Bash(pw-*)"]), 0),
            (json!(["Bash(pw-setup:*)", "Bash(pw-integrate *)", "Bash(pw-retro *)"]), 4),
            (json!(["Bash(pw-monitor status)", "Read(*)", 7]), all.len() - 1),
            (json!("Bash"), all.len()),
        ] {
            assert_eq!(of(&rules.to_string()).len(), left, "{rules}");
        }
        assert_eq!(missing(&["// no JSON".to_owned()]), all);
    }

    #[test]
    fn rules_are_added_and_everything_else_stays() {
        let rules = missing(&[]);
        for text in [
            None,
            Some(""),
            Some("{}"),
            Some(r#"{"permissions":{}}"#),
            Some(
                r#"{"z":1,"a":{"b":[null,"ü"]},"permissions":{"deny":["Bash(x)"],"allow":["Read(y)","Bash(pw-setup list)"]}}"#,
            ),
        ] {
            let new = with_rules(FILE, text, &rules).unwrap();
            assert_eq!(missing(std::slice::from_ref(&new)), [""; 0]);
            assert_eq!(with_rules(FILE, Some(&new), &rules).unwrap(), new, "twice is once");
            let (old, mut new): (Value, Value) = (
                serde_json::from_str(text.filter(|t| !t.is_empty()).unwrap_or("{}")).unwrap(),
                serde_json::from_str(&new).unwrap(),
            );
            let allow = new["permissions"]["allow"].as_array_mut().unwrap();
            let before = old["permissions"]["allow"].as_array().cloned().unwrap_or_default();
            assert_eq!(allow[..before.len()], before);
            allow.truncate(before.len());
            let keys =
                |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert!(keys(&new).starts_with(&keys(&old)));
            for key in keys(&old).iter().filter(|key| *key != "permissions") {
                assert_eq!(new[key], old[key]);
            }
            assert_eq!(new["permissions"]["deny"], old["permissions"]["deny"]);
        }
        for text in ["// a", "[]", "{", r#"{"permissions":[]}"#, r#"{"permissions":{"allow":{}}}"#]
        {
            let refused = with_rules(FILE, Some(text), &rules).unwrap_err();
            assert_eq!(refused.code, Code::SettingsUnreadable, "{text}");
        }
    }

    #[test]
    fn nothing_that_lands_or_forgets_is_allowed() {
        for command in READERS.iter().chain(WRITERS) {
            let risky = ["finish", "forget", "restore", "remember", "--fix-permissions"];
            assert!(!risky.iter().any(|verb| command.contains(verb)), "{command}");
            // No rule that the user did not see takes verbs of later versions along.
            assert!(!command.ends_with(" *") || command.split(' ').count() == 3, "{command}");
        }
    }
}
