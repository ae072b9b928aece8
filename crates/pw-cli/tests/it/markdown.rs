//! What Claude and people read is true: commands parse, fields exist, codes and states are complete, plans
//! are valid, links lead somewhere, the README's tour runs. No test quotes prose.

mod architecture;
mod page;
mod readme;

use std::collections::BTreeSet;

use clap::CommandFactory as _;
pub(crate) use page::root;
use page::{HELPERS, Page, pages};
use pw_core::failure::{Code, Failure};
use pw_core::plan::Plan;
use pw_core::remedy::{self, Topic};
use pw_core::signal::{self, Signal, Subject};
use pw_core::status::{ReasonKind, StallCause, State};
use schemars::JsonSchema;
use serde_json::Value;

use crate::contract::details;

#[test]
fn quoted_commands_parse() {
    for page in pages() {
        for (line, command) in page.commands() {
            let words = words(command);
            if let Some(helper) = helper(&words[0]) {
                let parsed = helper.try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{}:{line}: {}", page.name, parsed.unwrap_err());
            }
            for banned in ["&&", "|", "$", ";", "`"] {
                assert!(!command.contains(banned), "{}:{line}: {command}", page.name);
            }
        }
    }
}

#[test]
fn quoted_fields_are_in_the_schema() {
    for page in pages() {
        let mut schema = None;
        for (line, text) in page.code() {
            if let Some(answer) = answer_of(text, &format!("{}:{line}", page.name)) {
                schema = Some(answer);
            } else if let Some(path) = text.strip_prefix(".data.") {
                let schema = schema
                    .as_ref()
                    .unwrap_or_else(|| panic!("{}:{line}: no command above {text}", page.name));
                assert!(resolves(schema, path), "{}:{line}: no {text} in the answer", page.name);
            } else if let Some(path) = text.strip_prefix(".error.") {
                let known = match path.strip_prefix("details.") {
                    Some(path) => details().iter().any(|(_, told)| resolves(told, path)),
                    None => resolves(&schema_of::<Failure>(), path),
                };
                assert!(known, "{}:{line}: no {text} in a refusal", page.name);
            }
        }
    }
}

#[test]
fn tables_name_every_state_and_reason_and_only_real_codes() {
    let states = words_of(&schema_of::<State>());
    let reasons = words_of(&schema_of::<ReasonKind>());
    let causes = words_of(&schema_of::<StallCause>());
    let codes = words_of(&schema_of::<Code>());
    for page in pages() {
        for table in page.tables() {
            let named: BTreeSet<String> = table.iter().flat_map(|row| row.names(0)).collect();
            let at = format!("{}:{}", page.name, table[0].line);
            match table[0].cells[0].trim_matches('`') {
                "state" | ".data.workers[].state" => assert_eq!(named, states, "{at}"),
                ".data.workers[].stall.cause" => assert_eq!(named, causes, "{at}"),
                "reason" => assert_eq!(named, reasons, "{at}"),
                ".data.state" => assert!(named.is_subset(&states), "{at}: {named:?}"),
                "code" | ".error.code" => assert!(named.is_subset(&codes), "{at}: {named:?}"),
                _ => {}
            }
        }
    }
}

#[test]
fn quoted_plans_are_valid() {
    for page in pages() {
        for (line, text) in page.fences("yaml") {
            if let Err(failure) = Plan::parse(&text) {
                panic!("{}:{line}: {failure} {failure:?}", page.name);
            }
        }
    }
    let plan = std::fs::read_to_string(page::root().join("examples/parallel-workflows.yaml"));
    Plan::parse(&plan.unwrap()).unwrap();
}

#[test]
fn every_skill_and_agent_keeps_the_form() {
    for (name, words) in [
        ("parallel-orchestrator", &["parallel", "orchestrator", "split work", "worktrees"][..]),
        ("parallel-worker", &["worker", "checkpoint", "assigned scope"]),
        ("parallel-retrospective", &["retrospective", "review", "post-mortem"]),
    ] {
        let page = Page::read(&format!("skills/{name}/SKILL.md"));
        page.require_head(&["name", "description"], name, words, 200);
    }
    for (name, tools, words) in [
        ("parallel-setup", "Bash, Read, Write, Glob, Grep", "to split this into 3 workers"),
        ("parallel-monitor", "Bash, Read", "to check progress"),
        ("parallel-integrate", "Bash, Read, Edit", "to combine the work"),
    ] {
        let page = Page::read(&format!("agents/{name}.md"));
        let example = format!("Use the {name} agent {words}");
        let keys = ["name", "description", "tools", "model", "color"];
        page.require_head(&keys, name, &[&example], 120);
        // Said, since clients differ in what they take where nothing is; a smaller one was not tried.
        assert_eq!((page.head()["tools"], page.head()["model"]), (tools, "inherit"), "{name}");
    }
    let command = Page::read("commands/status.md");
    assert_eq!(command.head()["disable-model-invocation"], "true", "always-on text");
    assert!(command.text.len() <= 1_024, "{} bytes", command.text.len());
    let prompts = pages().into_iter().filter(|page| !page.name.starts_with("commands/"));
    let prompts = prompts.filter(|page| page.text.starts_with("---\n"));
    let prompts: Vec<Page> = prompts.collect();
    for page in &prompts {
        // Read once in every session: 4 KB of skill; an agent is called again and again.
        let limit = if page.name.starts_with("skills/") { 4_096 } else { 2_944 };
        let size = page.text.len();
        assert!(size <= limit, "{}: {size} bytes, and {limit} at most", page.name);
    }
    // Always in every session of the user, also when nothing is parallel.
    let always: usize = prompts.iter().map(|page| page.head()["description"].len()).sum();
    assert!(always < 2_400, "descriptions of {always} bytes");
    assert_eq!(prompts.len(), 6, "a skill or agent that no lint looks at");
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        for (line, target) in page.links() {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let path = page.folder().join(file);
            let path = if file.is_empty() { page::root().join(&page.name) } else { path };
            assert!(path.exists(), "{}:{line}: {target}", page.name);
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&path).unwrap();
                let slug = |line: &str| line.trim_start_matches(['#', ' ']).to_lowercase();
                let found =
                    text.lines().any(|l| l.starts_with('#') && slug(l).replace(' ', "-") == anchor);
                assert!(found, "{}:{line}: {target}", page.name);
            }
            let deep = page.name.contains("/references/") && target.contains('/');
            assert!(!deep, "{}:{line}: references are one level deep", page.name);
        }
    }
}

#[test]
fn generated_tables_are_current() {
    for page in pages() {
        page.regenerate(&|name| match name {
            "signals" => signals(),
            "near-misses" => near_misses(),
            "states" => remedies(Topic::State, "| state | what happened | action |"),
            "reasons" => remedies(Topic::Reason, "| reason | action |"),
            "codes" => remedies(Topic::Code, "| code | exit | action |"),
            "kept" => remedies(Topic::Kept, "| stays because of | action |"),
            _ => panic!("{}: no table is generated for {name:?}", page.name),
        });
    }
}

fn signals() -> String {
    let of = |text: &str| match signal::read(&text.replace(['<', '>'], "")) {
        Subject::Signal { signal, .. } => signal,
        other => panic!("{text} is {other:?}"),
    };
    let mut table = "| subject | meaning |\n|---|---|\n".to_owned();
    for text in [
        "[CHECKPOINT] text",
        "[BLOCKED:<reason>] text",
        "[NEEDS:<worker>/<item>] text",
        "[COMPLETE] text",
    ] {
        let meaning = match of(text) {
            Signal::Checkpoint => "a step is finished, the work goes on",
            Signal::Blocked { .. } => "cannot go on, and why",
            Signal::Needs { .. } => "needs an item of another worker",
            Signal::Complete => "all work is finished and committed",
        };
        table += &format!("| `{text}` | {meaning} |\n");
    }
    table
}

/// Returns the rows about a topic, of which `pw-setup explain` prints one.
fn remedies(topic: Topic, head: &str) -> String {
    let columns = head.matches('|').count() - 1;
    let mut table = format!("{head}\n|{}\n", "---|".repeat(columns));
    for row in remedy::all().into_iter().filter(|row| row.of == topic) {
        let exit = row.exit.map(|exit| exit.to_string());
        let cells = [Some(format!("`{}`", row.word)), row.meaning.map(str::to_owned), exit];
        let cells: Vec<String> =
            cells.into_iter().flatten().chain([row.action.to_owned()]).collect();
        table += &format!("| {} |\n", cells.join(" | "));
    }
    table
}

fn near_misses() -> String {
    let mut table = "| written | would have counted |\n|---|---|\n".to_owned();
    for text in [
        "[complete] done",
        "[DONE] done",
        "fix: [COMPLETE] done",
        "**[COMPLETE]** done",
        "[COMPLETE]: done",
        "[BLOCKED] no key",
        "[NEEDS:task-1] the model",
        "[CHECKPOINT] [COMPLETE] done",
    ] {
        let Subject::NearMiss { fix, .. } = signal::read(text) else { panic!("{text}") };
        table += &format!("| `{text}` | `{fix}` |\n");
    }
    table
}

/// Splits a quoted command as a shell would; `<worker>` and `WORKER` stand for values.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut open) = (vec![String::new()], None);
    for c in command.chars() {
        match (c, open) {
            ('"' | '\'', None) => open = Some(c),
            (quote, Some(q)) if quote == q => open = None,
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    assert!(open.is_none(), "unbalanced quotes: {command}");
    let placeholder = |word: String| match word.strip_prefix('<').and_then(|w| w.strip_suffix('>'))
    {
        Some(name) => name.to_owned(),
        None if word.chars().all(|c| c.is_ascii_uppercase()) => word.to_lowercase(),
        None => word,
    };
    words.into_iter().filter(|word| !word.is_empty()).map(placeholder).collect()
}

pub(crate) fn helper(name: &str) -> Option<clap::Command> {
    Some(match name {
        "pw-setup" => pw_cli::Setup::command(),
        "pw-monitor" => pw_cli::Monitor::command(),
        "pw-integrate" => pw_cli::Integrate::command(),
        "pw-worker" => pw_cli::WorkerCli::command(),
        "pw-retro" => pw_cli::RetroCli::command(),
        _ => return None,
    })
}

/// Returns the schema of what a quoted command answers, when it answers with a report.
fn answer_of(text: &str, at: &str) -> Option<Value> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [name, command, ..] = words[..] else { return None };
    // What explains a word stands between a command and the fields of its answer.
    if !HELPERS.contains(&name) || command.starts_with('-') || command == "explain" {
        return None;
    }
    assert!(helper(name)?.find_subcommand(command).is_some(), "{at}: no command `{text}`");
    let noun = match command {
        "advance" => "create",
        "continue" => "run",
        "checkpoint" | "blocked" | "needs" | "complete" => "commit",
        other => other,
    };
    pw_cli::schema::of(name).remove(format!("{name}.{noun}/1").as_str())
}

fn schema_of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// Returns whether a path like `workers[].launch.command` can occur.
fn resolves(root: &Value, path: &str) -> bool {
    let steps = path.replace("[]", ".[]");
    let mut places = vec![root];
    for step in steps.split('.') {
        places = places.into_iter().flat_map(|place| spread(root, place)).collect();
        places = places
            .into_iter()
            .filter_map(|place| match step {
                "[]" => place.get("items"),
                name => place.get("properties")?.get(name),
            })
            .collect();
    }
    !places.is_empty()
}

/// Returns a schema and everything it refers to or is made of.
fn spread<'a>(root: &'a Value, place: &'a Value) -> Vec<&'a Value> {
    let mut all = vec![place];
    if let Some(name) = place.get("$ref").and_then(Value::as_str) {
        let target = root.pointer(name.trim_start_matches('#')).unwrap();
        all.extend(spread(root, target));
    }
    for part in ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| place.get(key)?.as_array()) {
        all.extend(part.iter().flat_map(|part| spread(root, part)));
    }
    all
}

/// Returns the words of an enum's schema.
fn words_of(schema: &Value) -> BTreeSet<String> {
    let parts = spread(schema, schema);
    let single = parts.iter().filter_map(|part| part.get("const"));
    let listed = parts.iter().filter_map(|part| part.get("enum")?.as_array()).flatten();
    single.chain(listed).filter_map(Value::as_str).map(str::to_owned).collect()
}
