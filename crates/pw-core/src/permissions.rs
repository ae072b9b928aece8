//! The client's own permissions for a worker's session, made from its scope.

pub mod orchestrator;

use serde_json::{Value, json};

use crate::plan::{Plan, Worker};
use crate::session::environment::environment;

/// Commands that cannot write outside the scope with any arguments: a session's helper refuses to
/// work in another worker's worktree, and `git status` only reads. `git log`, `diff` and `show`
/// write with `--output=FILE`, `git rm` and `git restore` change any file: those the guard allows,
/// which reads them.
const COMMANDS: &[&str] = &[
    "pw-worker brief",
    "pw-worker brief *",
    "pw-worker checkpoint *",
    "pw-worker blocked *",
    "pw-worker needs *",
    "pw-worker complete",
    "pw-worker complete *",
    "pw-worker undo",
    "pw-worker undo *",
    "pw-worker sync",
    "pw-worker sync *",
    "pw-worker run",
    "pw-setup explain *",
    "pw-setup repair",
    "pw-monitor status",
    "pw-monitor status *",
    "git status",
    "git status *",
    "git diff",
    "git log",
];

/// Commands that reach other workers or remotes.
const DENIED: &[&str] = &[
    "git push",
    "git push *",
    "git stash",
    "git stash push *",
    "git stash save *",
    "git stash -*",
    "git stash pop *",
    "git stash apply *",
    "git stash drop *",
    "git stash clear",
    "git stash branch *",
    "git worktree add *",
    "git worktree move *",
    "git worktree prune *",
    "git worktree remove *",
    "git gc",
    "git gc *",
    "git prune *",
];

/// Returns the settings file of a worker's session.
///
/// `root` is the main checkout, `worktree` the worker's; both absolute. File rules are absolute,
/// because a pattern without a slash would match at any depth.
pub fn settings(
    plan: &Plan,
    worker: &Worker,
    root: &str,
    worktree: &str,
    port: Option<u16>,
) -> Value {
    let edit = |folder: &str, glob: &str| rule("Edit", &format!("/{}/{glob}", literal(folder)));
    let (mut owned, excluded) = worker.owns.spelled_out();
    let (shared, unshared) = plan.shared.spelled_out();
    owned.extend(shared);
    let bash = |command: &&str| rule("Bash", command);
    let mut allow: Vec<String> = owned.iter().map(|glob| edit(worktree, glob)).collect();
    allow.extend(COMMANDS.iter().map(bash));
    let gates = plan.verify.iter().map(|gate| gate.command.as_str());
    let gates = gates.filter(|command| is_exact(command));
    allow.extend(gates.flat_map(|command| {
        [command.to_owned(), format!("pw-worker run -- {command}")]
            .map(|command| rule("Bash", &command))
    }));
    let mut deny: Vec<String> = DENIED.iter().map(bash).collect();
    deny.extend(excluded.iter().chain(&unshared).map(|glob| edit(worktree, glob)));
    let others = plan.workers.iter().filter(|other| other.id != worker.id);
    deny.extend(others.map(|other| edit(root, &format!("{}/**", literal(&plan.worktree(other))))));
    let environment = environment(plan, worker, port);
    json!({ "permissions": { "allow": allow, "deny": deny }, "env": environment })
}

/// Returns what a settings file lacks of these settings, or does against them; what a user adds to
/// it is the user's.
pub fn lost(ours: &Value, text: &str) -> Option<&'static str> {
    let Ok(theirs) = serde_json::from_str::<Value>(text) else {
        return Some("the settings of its session cannot be read");
    };
    if switches_guard_off(&theirs) {
        return Some("the settings of its session switch the guard off");
    }
    let has = |list: &Value, rule: &Value| list.as_array().is_some_and(|list| list.contains(rule));
    let holds = |key: &str| {
        let mut rules = ours["permissions"][key].as_array().into_iter().flatten();
        rules.all(|rule| has(&theirs["permissions"][key], rule))
    };
    let names = || ours["env"].as_object().into_iter().flatten();
    let is_whole = holds("allow")
        && holds("deny")
        && names().all(|(name, value)| theirs["env"].get(name) == Some(value));
    (!is_whole).then_some("of the settings of its session, rules or variables are gone")
}

/// Returns whether settings of the client keep the guard's hooks from running.
pub fn switches_guard_off(settings: &Value) -> bool {
    settings["disableAllHooks"] == json!(true)
        || settings["enabledPlugins"].as_object().is_some_and(|plugins| {
            plugins.iter().any(|(name, is_on)| {
                name.starts_with("parallel-workflows") && *is_on == json!(false)
            })
        })
}

/// Returns a rule of the client; it reads `\\(`, `\\)` and `\\\\` in one as the characters
/// themselves.
fn rule(tool: &str, content: &str) -> String {
    let content = content.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
    format!("{tool}({content})")
}

/// Returns a path as a pattern of the client that matches it alone. The client knows no way to take
/// the meaning from a `?`, which matches itself, too.
fn literal(path: &str) -> String {
    let mut pattern = String::new();
    for c in path.chars() {
        if "\\[]()|+^$*".contains(c) {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Returns whether a rule can name this command and no other: a `*` is any text in a rule, `:*` at
/// the end any words. What a rule cannot name, the guard allows.
fn is_exact(command: &str) -> bool {
    !command.contains(['*', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings_of(root: &str, more: &str) -> Value {
        let text = format!(
            "workflow: w\nworkers:\n  - {{id: task-1, name: a, owns: [\"app/(auth)/**\", \"x/[ab]*\"]}}\n\
             \x20 - {{id: task-2, name: b, owns: [b]}}\n{more}"
        );
        let plan = Plan::parse(&text).unwrap();
        settings(&plan, &plan.workers[0], root, &format!("{root}/worktrees/task-1-a"), None)
    }

    fn rules(settings: &Value, kind: &str) -> Vec<String> {
        serde_json::from_value(settings["permissions"][kind].clone()).unwrap()
    }

    #[test]
    fn no_rule_lets_a_command_write_where_it_likes() {
        for rule in rules(&settings_of("/r", ""), "allow") {
            let open = rule.strip_prefix("Bash(").and_then(|rule| rule.strip_suffix(" *)"));
            let harmless = ["pw-worker ", "pw-monitor status", "pw-setup explain", "git status"];
            assert!(open.is_none_or(|verb| harmless.iter().any(|h| verb.starts_with(h))), "{rule}");
        }
    }

    #[test]
    fn names_with_a_meaning_in_rules_are_themselves() {
        let settings = settings_of(r"/a [x] (y)*\z", "");
        let allow = rules(&settings, "allow");
        let at = r"Edit(//a \\[x\\] \\\(y\\\)\\*\\\\z/worktrees/task-1-a";
        assert!(allow.contains(&format!(r"{at}/app/\(auth\)/**)")), "{allow:#?}");
        assert!(allow.contains(&format!("{at}/x/[ab]*)")), "{allow:#?}");
        let deny = rules(&settings, "deny");
        let other = at.replace("task-1-a", "task-2-b/**)");
        assert!(deny.contains(&other), "{deny:#?}");
    }

    #[test]
    fn a_gate_is_named_exactly_or_left_to_the_guard() {
        for (gate, expected) in [
            ("make check", Some("Bash(make check)")),
            ("(cd a && make)", Some(r"Bash(\(cd a && make\))")),
            (r"grep 'a\.b' x", Some(r"Bash(grep 'a\\.b' x)")),
            ("test *", None),
            ("make:*", None),
        ] {
            let allow = rules(&settings_of("/r", &format!("verify: {}\n", json!(gate))), "allow");
            let gates: Vec<&String> = allow
                .iter()
                .filter(|rule| {
                    rule.starts_with("Bash(") && !COMMANDS.iter().any(|c| rule[5..].starts_with(c))
                })
                .collect();
            assert_eq!(gates, expected.iter().collect::<Vec<_>>(), "{gate}");
        }
    }
}
