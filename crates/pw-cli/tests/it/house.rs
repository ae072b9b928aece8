//! The house: the map leads to each file, and the files of a crate point one way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The path of a module within its crate, `["status", "derive"]`.
pub(crate) type Module = Vec<String>;

pub(crate) fn root() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect()
}

/// Every source file of a crate by its module, tests left out.
pub(crate) fn modules(crate_name: &str) -> BTreeMap<Module, String> {
    modules_below(&root().join("crates").join(crate_name).join("src"))
}

pub(crate) fn modules_below(src: &Path) -> BTreeMap<Module, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![src.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap();
            if path.is_dir() && name != "bin" {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == "rs") && name != "tests" {
                let module = path.strip_prefix(src).unwrap().with_extension("");
                let module = module.iter().map(|part| part.to_str().unwrap().to_owned());
                found.insert(module.collect(), fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The code of a file: without comments and without the tests at its end.
pub(crate) fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
    text.lines().map(|line| line.split("//").next().unwrap().to_owned() + "\n").collect()
}

/// The paths that a tree of a `use` line stands for, braces spelt out.
fn spelt_out(tree: &str) -> Vec<String> {
    let Some(open) = tree.find('{') else { return vec![tree.trim().to_owned()] };
    let (prefix, rest) = (tree[..open].trim(), &tree[open + 1..tree.rfind('}').unwrap()]);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in rest.chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => parts.push(String::new()),
            c => parts.last_mut().unwrap().push(c),
        }
    }
    let inner = parts.iter().filter(|part| !part.trim().is_empty());
    inner.flat_map(|part| spelt_out(part)).map(|path| format!("{prefix}{path}")).collect()
}

/// Every path to a module of the same crate that a file names, in `use` lines or in place.
fn named(module: &Module, code: &str) -> Vec<Module> {
    // What `pub use` passes on is gathered for others: it is no need of this file's own.
    let (mut paths, mut rest) = (Vec::new(), String::new());
    for statement in code.split_inclusive(';') {
        let line = statement.trim_start_matches(|c: char| c.is_whitespace() || c == '}');
        match line.strip_prefix("use ") {
            Some(tree) => paths.extend(spelt_out(tree.trim_end_matches(';'))),
            None if line.starts_with("pub") && line.contains(" use ") => {}
            None => rest += statement,
        }
    }
    let code = rest.as_str();
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    paths.extend(code.split(|c| !word(c)).filter(|text| text.contains("::")).map(str::to_owned));
    let children = code.lines().filter_map(|line| {
        let line = line.trim().strip_suffix(';')?;
        line.strip_prefix("mod ").or(line.split_once(" mod ").map(|(_, name)| name))
    });
    let children: BTreeSet<&str> = children.collect();
    let absolute = |path: &String| {
        let mut parts = path.split("::").map(str::trim).peekable();
        let mut at = match *parts.peek()? {
            "crate" => Vec::new(),
            "self" | "super" => module.clone(),
            child if children.contains(child) => {
                return Some([module.clone(), parts.map(str::to_owned).collect()].concat());
            }
            _ => return None,
        };
        for part in parts {
            match part {
                "crate" | "self" => {}
                "super" => drop(at.pop()),
                part => at.push(part.to_owned()),
            }
        }
        Some(at)
    };
    paths.iter().filter_map(absolute).collect()
}

/// Which files each file of a crate names; the crate's root only gathers them.
fn arrows(crate_name: &str) -> BTreeMap<Module, BTreeSet<Module>> {
    let mut modules = modules(crate_name);
    modules.remove(&vec!["lib".to_owned()]);
    let arrow = |(module, text): (&Module, &String)| {
        let file = |mut path: Module| {
            while !path.is_empty() && !modules.contains_key(&path) {
                path.pop();
            }
            (!path.is_empty() && path != *module).then_some(path)
        };
        (module.clone(), named(module, &code(text)).into_iter().filter_map(file).collect())
    };
    modules.iter().map(arrow).collect()
}

/// A way from a file back to itself.
fn circle(arrows: &BTreeMap<Module, BTreeSet<Module>>) -> Option<Vec<String>> {
    for start in arrows.keys() {
        let (mut ways, mut seen) = (vec![vec![start]], BTreeSet::new());
        while let Some(way) = ways.pop() {
            for next in &arrows[way[way.len() - 1]] {
                if next == start {
                    return Some(way.iter().map(|module| module.join("/")).collect());
                }
                if seen.insert(next) {
                    ways.push([way.clone(), vec![next]].concat());
                }
            }
        }
    }
    None
}

#[test]
fn no_crate_has_a_circle_of_files() {
    for name in ["pw-core", "pw-git", "pw-cli", "pw-testkit"] {
        let arrows = arrows(name);
        assert!(arrows.values().any(|named| named.len() > 1), "{name}: nothing was read");
        assert_eq!(circle(&arrows), None, "{name}");
    }
}

#[test]
fn a_circle_would_be_found() {
    let way = |module: &str, code: &str| named(&vec![module.to_owned()], code);
    assert_eq!(
        spelt_out("crate::{b::{self, C}, d}"),
        ["crate::b::self", "crate::b::C", "crate::d"]
    );
    assert_eq!(way("a", "use super::b;"), [["b"]]);
    assert_eq!(way("a", "mod kid;\nfn f() { kid::run() }"), [["a", "kid", "run"]]);
    assert_eq!(way("a", "fn f() { crate::b::g() }"), [["b", "g"]]);
    let module = |name: &str| vec![name.to_owned()];
    let arrows = [("a", "b"), ("b", "c"), ("c", "b")];
    let arrows = arrows.map(|(from, to)| (module(from), BTreeSet::from([module(to)])));
    assert!(circle(&arrows.into()).is_some());
}

#[test]
fn no_file_is_longer_than_six_hundred_lines() {
    for name in ["pw-core", "pw-git", "pw-cli", "pw-testkit"] {
        for (module, text) in modules(name) {
            let lines = text.lines().count();
            assert!(lines <= 600, "{name}: {} has {lines} lines", module.join("/"));
        }
    }
}

/// The names of one row of the map, `a b/{c,d} e/*`, which end at two spaces.
fn row(line: &str, there: &BTreeSet<String>) -> Vec<String> {
    let names = line.trim_start().split("  ").next().unwrap().split(' ');
    let spread = |name: &str| match (name.split_once('{'), name.strip_suffix('*')) {
        (Some((folder, list)), _) => {
            let list = list.trim_end_matches('}').split(',');
            list.map(|file| format!("{folder}{file}")).collect()
        }
        (_, Some(folder)) => {
            let inside =
                |file: &&String| file.strip_prefix(folder).is_some_and(|rest| !rest.contains('/'));
            there.iter().filter(inside).cloned().collect()
        }
        _ => vec![name.to_owned()],
    };
    names.flat_map(spread).collect()
}

#[test]
fn every_file_stands_once_on_the_map() {
    let text = fs::read_to_string(root().join("crates/README.md")).unwrap();
    let map = text.split("```").nth(1).unwrap();
    for name in ["pw-core", "pw-git", "pw-cli"] {
        let rows = map.lines().skip_while(|line| !line.starts_with(name)).skip(1);
        let rows = rows.take_while(|line| line.starts_with(' '));
        // What a row has no room for goes on below its text.
        let rows = rows.filter(|line| !line.starts_with("   "));
        let there: BTreeSet<String> =
            modules(name).keys().map(|module| module.join("/")).filter(|m| m != "lib").collect();
        let mut named: Vec<String> = rows.flat_map(|line| row(line, &there)).collect();
        named.sort();
        assert_eq!(named, Vec::from_iter(there), "{name}");
    }
}

/// Why a test is left out of `cargo test`, and the step of `.ci/run` that runs it.
const LEFT_OUT: &[(&str, &str)] = &[
    ("long; .ci/run runs it", "step 'long stories'"),
    ("needs the real client; .ci/run runs it", "step 'real client'"),
    ("needs the real client and a release; .ci/run runs it", "step 'first command'"),
    ("needs hook managers; .ci/run brings them", "step 'hook managers'"),
    ("a minute of measuring; .ci/run asks for it", "step 'benchmarks'"),
    ("as long as one likes: PW_SOAK=300 PW_SOAK_WORKERS=64", ""),
];

#[test]
fn what_cargo_test_leaves_out_is_run_by_a_step() {
    let steps = fs::read_to_string(root().join(".ci/run")).unwrap();
    // The workflow for macOS has the long stories without `.ci/run`, and leaves out the same.
    let elsewhere = steps.split("ELSEWHERE=(").nth(1).unwrap().split(')').next().unwrap();
    let workflow = fs::read_to_string(root().join(".github/workflows/ci.yml")).unwrap();
    assert!(workflow.contains(&format!("--ignored {elsewhere}\n")), "{elsewhere}");
    let stories = modules_below(&root().join("crates/pw-cli/tests/it"));
    let mark = ["#[ignore", " = \""].concat();
    for (module, text) in &stories {
        for reason in text.split(&mark).skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let known = LEFT_OUT.iter().find(|(known, _)| *known == reason);
            let (_, step) = known.unwrap_or_else(|| panic!("{module:?} is left out: {reason}"));
            assert!(steps.contains(step), "no {step}");
        }
    }
}
