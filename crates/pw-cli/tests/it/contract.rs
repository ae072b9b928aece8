//! The contract every helper keeps: one document, its schema, its exit code.

use std::collections::HashSet;

use jsonschema::validator_for;
use pw_testkit::plans::{THREE, TWO};
use pw_testkit::repo::{Answer, TestRepo};
use serde_json::Value;

use crate::created;
use crate::house::{modules, modules_below, root};

const HELPERS: [&str; 5] = ["pw-setup", "pw-monitor", "pw-integrate", "pw-worker", "pw-retro"];

/// Checks an answer of `helper` against the schema it promises.
fn keeps_schema(helper: &str, answer: &Answer) {
    let document = answer.json();
    let schema = document["schema"].as_str().unwrap();
    let schemas = pw_cli::schema::of(helper);
    let promised = schemas.get(schema).unwrap_or_else(|| panic!("{helper} promises no {schema}"));
    let part = if document["ok"] == true { &document["data"] } else { &document["error"] };
    let errors: Vec<String> =
        validator_for(promised).unwrap().iter_errors(part).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{helper} {schema}: {errors:?}\n{part:#}");
    assert_eq!(answer.stdout.lines().count(), 1, "one line, one document");
}

fn story() -> TestRepo {
    let repo = created(THREE);
    repo.worker("task-1-users").write("shared.txt", "a").write("junk", "").commit("[COMPLETE] a");
    repo.worker("task-2-posts")
        .write("shared.txt", "b")
        .commit("[BLOCKED:x] b")
        .commit("[complete]");
    repo.worker("task-3-docs").commit("[NEEDS:task-1/UserModel] c");
    repo
}

#[test]
fn every_answer_keeps_the_schema_it_names() {
    let repo = story();
    for command in [
        "pw-setup check plan.yaml",
        "pw-setup create plan.yaml",
        "pw-setup advance",
        "pw-setup launch",
        "pw-setup launch task-1 --with custom",
        "pw-setup list",
        "pw-setup analyze",
        "pw-setup doctor --verbose",
        "pw-setup check nothing.yaml",
        "pw-monitor status",
        "pw-monitor status --no-worktrees",
        "pw-monitor wait --timeout 0s",
        "pw-monitor nonsense",
        "pw-integrate check",
        "pw-integrate preview",
        "pw-integrate run",
        "pw-integrate continue",
        "pw-integrate cleanup --dry-run",
        "pw-integrate restore",
        "pw-integrate forget --all",
        "pw-retro report",
        "pw-retro report --verbose",
        "pw-retro remember",
        "pw-retro compare",
        "pw-retro forget --all",
        "pw-integrate run --without task-2 --without task-3 --allow-out-of-scope",
        "pw-worker brief",
    ] {
        keeps_schema(command.split(' ').next().unwrap(), &repo.pw(command));
    }
    let worker = repo.worker("task-3-docs");
    worker.write("docs/a", "");
    for words in [&["brief"][..], &["checkpoint", "x"], &["complete"], &["checkpoint", "x"]] {
        keeps_schema("pw-worker", &worker.pw(words));
    }
}

#[test]
fn schemas_are_printed_and_are_what_tests_check_against() {
    let repo = created(THREE);
    for helper in HELPERS {
        let printed = repo.pw(&format!("{helper} schema")).data();
        let known: Value = serde_json::to_value(pw_cli::schema::of(helper)).unwrap();
        assert_eq!(printed, known, "{helper}");
        assert!(
            printed
                .as_object()
                .unwrap()
                .keys()
                .all(|id| id.starts_with(helper) || id == "pw.error/1")
        );
    }
}

/// A change of this snapshot is a change of the contract: added fields are fine, others need a `/2`.
#[test]
fn the_contract_changes_only_on_purpose() {
    insta::assert_snapshot!(fields().join("\n"));
}

/// Every field of every answer and of every error, each with its way from the top.
fn fields() -> Vec<String> {
    let mut fields = Vec::new();
    for helper in HELPERS {
        for (id, schema) in
            pw_cli::schema::of(helper).into_iter().filter(|(id, _)| *id != "pw.error/1")
        {
            collect(&schema, &schema, &format!("{id} data"), &mut fields, 0);
        }
    }
    collect(
        &pw_cli::schema::of("")["pw.error/1"],
        &pw_cli::schema::of("")["pw.error/1"],
        "error",
        &mut fields,
        0,
    );
    for (codes, details) in details() {
        for code in codes {
            collect(&details, &details, &format!("error({code}).details"), &mut fields, 0);
        }
    }
    fields
}

/// A field that no answer has reads as `null`: a test that misspells one proves nothing.
#[test]
fn tests_read_only_fields_that_are_in_the_schema() {
    let envelope = ["schema", "ok", "data", "error"];
    let of_schemas = ["properties", "enum", "allOf", "if", "then"];
    let of_the_client =
        ["allow", "deny", "decision", "env", "model", "description", "tools", "version"];
    let of_its_hooks_and_evals = ["arms", "cases", "graders", "matcher", "passed", "turns", "with"];
    let of_engines =
        ["args", "completions", "containers", "metadata", "rules", "run", "spec", "template"];
    let fields = fields();
    let known = fields.iter().flat_map(|field| field.split(['.', '[', ']']));
    let known = known.chain(of_its_hooks_and_evals);
    let known: HashSet<&str> =
        known.chain(envelope).chain(of_schemas).chain(of_the_client).chain(of_engines).collect();
    let tests = root().join("crates/pw-cli/tests/it");
    let mut read = 0;
    for (module, text) in modules_below(&tests) {
        for name in indices(&text) {
            assert!(known.contains(name), "{module:?} reads {name}, which no answer has");
            read += 1;
        }
    }
    assert!(read > 1000, "only {read} are found");
}

/// The names in `value["name"]`.
fn indices(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("[\"").filter_map(|(at, _)| {
        let before = text[..at].chars().next_back()?;
        let is_index = before.is_alphanumeric() || [')', ']', '_'].contains(&before);
        let (name, _) = text[at + 2..].split_once("\"]").filter(|_| is_index)?;
        let is_name = |char: char| char.is_ascii_lowercase() || char == '_';
        (!name.is_empty() && name.chars().all(is_name)).then_some(name)
    })
}

/// What `error.details` can hold, by codes.
pub(crate) fn details() -> Vec<(Vec<String>, Value)> {
    let schema = &pw_cli::schema::of("")["pw.error/1"];
    let rule = |rule: &Value| {
        let codes = rule["if"]["properties"]["code"]["enum"].as_array().unwrap();
        let mut details = rule["then"]["properties"]["details"].clone();
        details["$defs"] = schema["$defs"].clone();
        let codes = codes.iter().map(|code| code.as_str().unwrap().to_owned());
        (codes.collect(), details)
    };
    schema["allOf"].as_array().unwrap().iter().map(rule).collect()
}

fn collect(root: &Value, node: &Value, path: &str, fields: &mut Vec<String>, depth: usize) {
    assert!(depth < 20, "the schema refers to itself at {path}");
    if let Some(name) = node["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return collect(root, &root["$defs"][name], path, fields, depth + 1);
    }
    for branch in
        ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| node[*key].as_array()).flatten()
    {
        collect(root, branch, path, fields, depth + 1);
    }
    if let Some(items) = node.get("items") {
        collect(root, items, &format!("{path}[]"), fields, depth + 1);
    }
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        fields.push(path.clone());
        collect(root, child, &path, fields, depth + 1);
    }
}

#[test]
fn all_that_refusals_tell_is_in_the_schema() {
    let defs = &pw_cli::schema::of("")["pw.error/1"]["$defs"];
    for (module, text) in ["pw-core", "pw-git", "pw-cli"].into_iter().flat_map(modules) {
        for kind in text.lines().filter_map(|line| line.strip_prefix("impl Details for ")) {
            let kind = kind.trim_end_matches(" {");
            assert!(defs.get(kind).is_some(), "{module:?}: schema.rs does not list {kind}");
        }
    }
}

#[test]
fn a_wrong_command_line_is_a_document_too() {
    let repo = created(THREE);
    let error = repo.pw("pw-monitor status --nonsense").error(2, "usage");
    assert_eq!(error["next"], "pw-monitor status --help");
    assert!(repo.pw("pw-monitor --help").stdout.contains("status"));
    assert!(repo.pw("pw-setup --version").stdout.starts_with("pw-setup "));
}

#[test]
fn people_get_a_table_and_errors_in_words() {
    let repo = story();
    let view = repo.pw("pw-monitor status --format human").stdout;
    assert!(
        view.contains("task-2-posts") && view.contains("blocked") && view.contains("Next"),
        "{view}"
    );
    let answer = repo.pw("pw-integrate run --format human");
    assert_eq!((answer.code, answer.stdout.as_str()), (Some(3), ""));
    assert!(
        answer.stderr.starts_with("error: ") && answer.stderr.contains("hint: "),
        "{}",
        answer.stderr
    );
    for command in [
        "pw-setup check plan.yaml",
        "pw-setup launch",
        "pw-setup list",
        "pw-integrate check",
        "pw-integrate preview",
        "pw-retro report",
    ] {
        assert_eq!(repo.pw(&format!("{command} --format human")).code, Some(0));
    }
}

#[test]
fn no_git_and_one_that_is_too_old_are_named() {
    let mut repo = created(TWO);
    repo.worker("a-x").write("a", "1").commit("[COMPLETE] a");
    let run = ["pw-integrate", "run", "--without", "b"];
    let nowhere = repo.beside("nowhere");
    let without: Answer =
        repo.helper(&repo.root(), &run).env("PATH", nowhere).output().unwrap().into();
    // As git 2.37 does, which merges only in a checkout.
    repo.shim_git(
        "case \"$*\" in *merge-tree*) echo usage >&2; exit 129 ;; esac; exec $GIT \"$@\"",
    );
    for answer in [without, repo.pw_in(&repo.root(), &run)] {
        let error = answer.error(3, "program_missing");
        assert!(error["hint"].as_str().unwrap().contains("install git 2.39"), "{error:#}");
        assert_eq!(repo.git(&["branch", "--list", "integration/*"]), "");
    }
    repo.unshim_git();
    repo.pw_in(&repo.root(), &run).data();
}

#[test]
fn every_code_is_listed_once() {
    let mut seen = std::collections::HashSet::new();
    assert!(pw_core::failure::Code::ALL.iter().all(|code| seen.insert(*code)));
    let schema = &pw_cli::schema::of("")["pw.error/1"]["$defs"]["Code"];
    assert_eq!(schema["oneOf"].as_array().unwrap().len(), seen.len(), "Code::ALL lists every code");
}
