//! Hooks that settings of git name, as git 2.54 and later run them beside those in the folder of hooks.

use crate::diagnosis::settings::{Setting, is_off};

/// Since when git runs them.
const SINCE: (u32, u32) = (2, 54);

/// What is known of them.
#[derive(Clone, Copy, Debug)]
pub struct ConfiguredHooks<'a> {
    /// The user's settings, as git lists them.
    pub settings: &'a [Setting],
    /// The version of git, where it could be read.
    pub git: Option<(u32, u32)>,
}

impl ConfiguredHooks<'_> {
    /// Returns the commands for an event such as `commit-msg`, in the order in which git runs them:
    /// before the hook of that name in the folder. Source: git-hook(1) and git-config(1).
    pub fn commands(&self, event: &str) -> Vec<String> {
        if self.git.is_none_or(|git| git < SINCE) || self.is_switched_off(event) {
            return Vec::new();
        }
        let mut names: Vec<&str> = Vec::new();
        for (name, key, value) in self.settings.iter().filter_map(parts) {
            match (key, value) {
                // An empty one takes back all events that were named before.
                ("event", "") => names.retain(|known| *known != name),
                // Named once more, it runs at that later turn.
                ("event", value) if value == event => {
                    names.retain(|known| *known != name);
                    names.push(name);
                }
                _ => {}
            }
        }
        names.retain(|name| !self.is_switched_off(name));
        names.into_iter().filter_map(|name| self.last(name, "command")).map(str::to_owned).collect()
    }

    /// Returns whether a hook, or an event with all its hooks, is switched off.
    fn is_switched_off(&self, name: &str) -> bool {
        self.last(name, "enabled").is_some_and(is_off)
    }

    /// Returns the value that counts.
    fn last(&self, name: &str, key: &str) -> Option<&str> {
        let mut backwards = self.settings.iter().rev().filter_map(parts);
        backwards.find(|one| (one.0, one.1) == (name, key)).map(|one| one.2)
    }
}

/// Splits `hook.<name>.<key>`; the name may hold dots.
fn parts(setting: &Setting) -> Option<(&str, &str, &str)> {
    let (name, key) = setting.0.strip_prefix("hook.")?.rsplit_once('.')?;
    Some((name, key, &setting.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_would_run_is_known() {
        let of = |listed: &str, git: (u32, u32)| -> String {
            let setting = |line: &str| -> Setting {
                let (name, value) = line.split_once('=').unwrap();
                (name.to_owned(), value.to_owned())
            };
            let settings: Vec<Setting> = listed.split(';').map(setting).collect();
            let hooks = ConfiguredHooks { settings: &settings, git: Some(git) };
            hooks.commands("commit-msg").join(" then ")
        };
        let both = "hook.a.b.command=one;hook.a.b.event=commit-msg;hook.c.event=pre-commit;\
                    hook.c.event=commit-msg;hook.c.command=none;hook.c.command=two";
        for (more, git, expected) in [
            ("", (2, 55), "one then two"),
            ("", (2, 53), ""),
            (";hook.c.event=", (2, 54), "one"),
            (";hook.c.event=;hook.c.event=commit-msg", (2, 54), "one then two"),
            (";hook.a.b.event=commit-msg", (2, 55), "two then one"),
            (";hook.a.b.enabled=false", (3, 0), "two"),
            (";hook.a.b.enabled=false;hook.a.b.enabled=true", (3, 0), "one then two"),
            (";hook.commit-msg.enabled=no", (2, 55), ""),
            (";hook.pre-commit.enabled=no", (2, 55), "one then two"),
        ] {
            assert_eq!(of(&format!("{both}{more}"), git), expected, "{more}");
        }
    }
}
