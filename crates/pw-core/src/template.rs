//! Shell commands of the plan with placeholders: a value becomes one word, whatever it holds.

use crate::shell_word::shell_word;

/// What is wrong with a template, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadTemplate {
    /// What it has that it must not have.
    pub message: String,
    /// The one thing to change.
    pub hint: String,
}

/// Puts values into a shell command, each as one word in place of `{name}`; `key` is the key of the plan that
/// has it.
///
/// # Errors
///
/// A placeholder that is unknown, or inside quotes, where a word's own quotes would not count.
pub fn fill(key: &str, template: &str, values: &[(&str, &str)]) -> Result<String, BadTemplate> {
    let mut out = String::new();
    let mut quote: Option<char> = None;
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        if let Some(name) = placeholder(rest).filter(|_| !out.ends_with('$')) {
            if quote.is_some() {
                return Err(BadTemplate {
                    message: format!("`{key}` in the plan has {{{name}}} inside quotes"),
                    hint: format!("write {{{name}}} without quotes; it becomes one word"),
                });
            }
            let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
                let known: Vec<String> =
                    values.iter().map(|(name, _)| format!("{{{name}}}")).collect();
                return Err(BadTemplate {
                    message: format!("`{key}` in the plan has the unknown placeholder {{{name}}}"),
                    hint: format!("use {}", known.join(", ")),
                });
            };
            out += &shell_word(value);
            rest = &rest[name.len() + 2..];
            continue;
        }
        let escapes = c == '\\' && quote != Some('\'');
        let taken: String = rest.chars().take(if escapes { 2 } else { 1 }).collect();
        quote = match quote {
            None if matches!(c, '\'' | '"') => Some(c),
            Some(open) if open == c => None,
            other => other,
        };
        out += &taken;
        rest = &rest[taken.len()..];
    }
    Ok(out)
}

/// Returns `name` when the text begins with `{name}`.
fn placeholder(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_reach_a_command_as_words() {
        let values = [("script", "/it's $(id)/x"), ("label", "a")];
        let filled = |template| fill("launch", template, &values).map_err(|bad| bad.message);
        assert_eq!(filled("sh {script} -t={label}").unwrap(), r"sh '/it'\''s $(id)/x' -t=a");
        let left = r#"{ echo "${home}" ${HOME} \" ; } # {}"#;
        assert_eq!(filled(left).unwrap(), left);
        assert!(filled("sh {nothing}").unwrap_err().contains("unknown placeholder {nothing}"));
        for quoted in ["sh '{script}'", "sh \"{script}\"", "sh \"\\\"{script}\"", "'\\'\"{label}\""]
        {
            assert!(filled(quoted).unwrap_err().contains("inside quotes"), "{quoted}");
        }
        assert_eq!(filled("'a' \"b\" {label}").unwrap(), "'a' \"b\" a");
    }
}
