//! What a fresh worktree of the base came to before any worker started: whether the command that says
//! so works there, and which ignored files it lacks.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::End;
use crate::path::RepoPath;
use crate::plan::Plan;
use crate::scope::Scope;
use crate::setup::spelling::literal;

/// How many ignored files are tried as what is missing, and how many of them an answer names.
const MAX_TRIED: usize = 500;
const MAX_NAMED: usize = 20;
/// The largest file that is tried, in bytes: caches and builds are no sources.
const MAX_SIZE: u64 = 1 << 20;
/// Folders that a command makes and that no plan copies, by name.
const MADE: [&str; 12] = [
    "node_modules",
    "target",
    "build",
    "dist",
    ".venv",
    "venv",
    "vendor",
    "__pycache__",
    ".tox",
    ".pytest_cache",
    ".mypy_cache",
    ".gradle",
];

/// What became of the command in a fresh worktree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// The first command that did not pass; the last one where all did.
    pub command: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code; `null` when its time was over or a signal ended it.
    pub exit_code: Option<i32>,
    /// The end of what it printed; absent when it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tail: Option<String>,
    /// The ignored files of the user's checkout with which it passes, as far as `copy` can name
    /// them; absent when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copy: Vec<RepoPath>,
    /// Ignored folders there that a command makes: `setup` has to, if they are needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<RepoPath>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It works in a fresh worktree.
    Passed,
    /// It fails in a fresh worktree, and passes with the files in `copy`.
    LacksFiles,
    /// It fails there, and no ignored file that was tried helps.
    Failed,
    /// The plan's `setup` failed there.
    SetupFailed,
    /// It took longer than it may before any worker starts.
    TimedOut,
}

/// The ignored files of a checkout, as far as the trial looks at them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// Files that may be copied.
    pub files: Vec<RepoPath>,
    /// Folders that a command makes.
    pub made: Vec<RepoPath>,
    /// There are more files than are tried.
    pub too_many: bool,
}

/// Sorts ignored files: those that may be copied, and folders that a command makes. `size` returns
/// nothing for what is no file.
pub fn candidates(
    plan: &Plan,
    ignored: &[RepoPath],
    size: &dyn Fn(&RepoPath) -> Option<u64>,
) -> Candidates {
    let worktrees = RepoPath::from(plan.worktrees.as_str());
    let mut found = Candidates::default();
    for path in ignored {
        let bytes = path.as_bytes();
        let parts: Vec<&[u8]> = bytes.split(|byte| *byte == b'/').collect();
        let at = parts[..parts.len().saturating_sub(1)]
            .iter()
            .position(|part| MADE.iter().any(|name| name.as_bytes() == *part));
        if let Some(at) = at {
            let folder = RepoPath::new(parts[..=at].join(&b'/'));
            if !found.made.contains(&folder) {
                found.made.push(folder);
            }
            continue;
        }
        let is_disposable = plan.disposable.owns(path) || worktrees.contains(path);
        if is_disposable || size(path).is_none_or(|size| size > MAX_SIZE) {
            continue;
        }
        found.files.push(path.clone());
    }
    found.too_many = found.files.len() > MAX_TRIED;
    found.files.truncate(MAX_TRIED);
    found
}

/// Returns those files whose name, or module, the output of the failed command names.
pub fn named_in(output: &str, files: &[RepoPath]) -> Vec<RepoPath> {
    let is_named = |path: &&RepoPath| {
        let name = path.to_string();
        let name = name.rsplit('/').next().unwrap_or_default();
        let stem = name.trim_start_matches('.').split('.').next().unwrap_or_default();
        (!name.is_empty() && output.contains(name)) || (stem.len() > 3 && output.contains(stem))
    };
    files.iter().filter(is_named).cloned().collect()
}

impl Trial {
    /// Returns what is known after the first run of a command in a fresh worktree.
    pub fn of(command: &str, end: End, output: String) -> Self {
        let outcome = match end {
            End::Exit(0) => Outcome::Passed,
            End::Timeout => Outcome::TimedOut,
            _ => Outcome::Failed,
        };
        let output_tail = (outcome != Outcome::Passed).then_some(output);
        let (copy, made) = (Vec::new(), Vec::new());
        Self {
            command: command.to_owned(),
            outcome,
            exit_code: end.code(),
            output_tail,
            copy,
            made,
        }
    }
}

/// A link that `setup` or `copy` made at the top of a fresh worktree, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OddLink {
    /// It leads nowhere: a path from one worktree to the checkout is none from another.
    Dangling {
        /// The link's name.
        name: String,
        /// Where it leads, as written.
        target: String,
    },
    /// It leads to a folder of the user's checkout that itself leads to sources there, as an
    /// editable install or a linked package does: tests in the worktree test the checkout.
    Borrowed {
        /// The link's name.
        name: String,
        /// What of the checkout it brings in.
        source: String,
    },
}

impl OddLink {
    /// Returns whether a command that runs there may change what the user's checkout leads to.
    pub fn may_change_checkout(&self) -> bool {
        matches!(self, Self::Borrowed { .. })
    }

    /// Says what comes of it, and what to write instead.
    pub fn warning(&self) -> String {
        match self {
            Self::Dangling { name, target } => {
                let rest = target.trim_start_matches("../");
                format!(
                    "`{name}` in a fresh worktree leads nowhere: `{target}` is a way from a worker's \
                     worktree, and gates run in another folder; in `setup` write \
                     \"$PW_CHECKOUT/{rest}\", which holds in both"
                )
            }
            Self::Borrowed { name, source } => format!(
                "`{name}` in a fresh worktree is that of your checkout and leads to `{source}` of your \
                 checkout: what is tested with it may be your files, not the worker's, and a package \
                 manager that mends it there turns it away from your checkout, so nothing was tried; \
                 have `setup` make one in each worktree, or name the worktree's sources first \
                 (PYTHONPATH, for example)"
            ),
        }
    }
}

/// Returns globs for `copy` that have these ignored files: where there are many, folders and names
/// that are in many places, as builds leave them.
fn globs(files: &[RepoPath]) -> Vec<String> {
    let text = |path: &RepoPath| literal(&path.to_string());
    if files.len() <= MAX_NAMED {
        return files.iter().map(text).collect();
    }
    let (mut left, mut globs) = (files.iter().map(text).collect::<Vec<_>>(), Vec::new());
    while globs.len() < MAX_NAMED && !left.is_empty() {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for path in &left {
            let mut names = path.rsplit('/');
            let file = names.next().unwrap_or_default();
            *counts.entry(format!("**/{file}")).or_default() += 1;
            for folder in names.collect::<BTreeSet<_>>() {
                *counts.entry(format!("**/{folder}/**")).or_default() += 1;
            }
        }
        // Of equals the deepest, which brings least else: a folder above all has as many.
        let depth = |glob: &str| {
            let name = glob.trim_start_matches("**/").trim_end_matches("/**");
            left.iter().filter_map(|path| path.split('/').position(|part| part == name)).min()
        };
        let best = counts.into_iter().filter(|(glob, _)| depth(glob) > Some(0));
        let Some((glob, _)) = best.max_by_key(|(glob, count)| (*count, depth(glob))) else { break };
        let scope = Scope::parse(&[&glob]).unwrap_or_default();
        left.retain(|path| !scope.owns(&path.as_str().into()));
        globs.push(glob);
    }
    globs.extend(left);
    globs
}

/// How much of what a command said last is told, in characters.
const MAX_SAID: usize = 120;

/// Returns the last line that says what went wrong, or else one that counts it; where none is seen
/// to, the last one.
fn reason(output: &str) -> Option<String> {
    let words = ["error", "fail", "not found", "no such", "cannot"];
    let is_telling = |line: &&str| {
        let line = line.to_lowercase();
        words.iter().any(|word| line.contains(word))
    };
    // `2 failed, 199 passed in 0.67s`
    let counts = |line: &str| {
        let line = line.to_lowercase();
        let words =
            line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<&str> = words.collect();
        words.windows(2).any(|pair| {
            let is_number = pair[0].bytes().all(|byte| byte.is_ascii_digit());
            is_number && ["fail", "error", "pass"].iter().any(|word| pair[1].starts_with(word))
        })
    };
    let lines = || output.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines()
        .rfind(|line| is_telling(line) && !counts(line))
        .or_else(|| lines().rfind(is_telling))
        .or_else(|| lines().next_back())?;
    Some(line.chars().take(MAX_SAID).collect())
}

/// Says what a worker would stumble over, with the plan's key that helps.
pub fn warning(trial: &Trial, uncommitted: &[RepoPath]) -> Option<String> {
    let said = trial.output_tail.as_deref().and_then(reason);
    let command = match said {
        Some(said) => format!("`{}` ({said:?})", trial.command),
        None => format!("`{}`", trial.command),
    };
    let list = |paths: &[String]| {
        let shown = paths.iter().take(MAX_NAMED).map(|path| format!("{path:?}"));
        shown.collect::<Vec<_>>().join(", ")
    };
    let names = |paths: &[RepoPath]| paths.iter().map(RepoPath::to_string).collect::<Vec<_>>();
    let output = trial.output_tail.as_deref().unwrap_or_default();
    let is_named = |path: &&RepoPath| {
        let path = path.to_string();
        let name = path.rsplit('/').next().unwrap_or_default();
        name.contains('.') && [&trial.command, output].iter().any(|text| text.contains(name))
    };
    let named = uncommitted.iter().find(is_named);
    match trial.outcome {
        Outcome::Passed => None,
        Outcome::LacksFiles => Some(format!(
            "{command} fails in a fresh worktree and passes with ignored files of your checkout: write \
             `copy: [{}]` into the plan, then pw-setup create again{}",
            list(&globs(&trial.copy)),
            if trial.copy.len() > MAX_NAMED { "; or build them in `setup`" } else { "" }
        )),
        Outcome::Failed if named.is_some() => Some(format!(
            "{command} fails in a fresh worktree of the base, where {} is not as in your checkout: commit that \
             first if it is needed",
            list(&names(named.map(std::slice::from_ref).unwrap_or_default()))
        )),
        Outcome::Failed if !trial.made.is_empty() => Some(format!(
            "{command} fails in a fresh worktree, where {} of your checkout is not: if that is why, name \
             the command that makes it as `setup`",
            list(&names(&trial.made))
        )),
        Outcome::Failed => Some(format!(
            "{command} fails in a fresh worktree of the base, for a reason that no ignored file of your \
             checkout of up to 1 MiB explains: details in `trial.output_tail`"
        )),
        Outcome::SetupFailed => {
            Some(format!("the setup command {command} fails in a fresh worktree of the base"))
        }
        Outcome::TimedOut => Some(format!(
            "{command} did not end in time in a fresh worktree, so whether it works there is not known; \
             name a quick one as `smoke`, or leave it out with --no-trial"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_why_is_told_rather_than_the_one_that_counts() {
        for (output, said) in [
            (
                "FAILED tests/test_x.py::test_y - AssertionError\n1 failed, 199 passed in 0.67s\n",
                "FAILED tests",
            ),
            (
                "Error: Failed to load url x\n\n Test Files  2 failed | 16 passed (18)\n",
                "Error: Failed",
            ),
            ("ran 3\n2 errors\ndone\n", "2 errors"),
            ("sh: 1: pnpm: not found\n", "sh: 1: pnpm"),
            ("one\ntwo\n", "two"),
        ] {
            assert!(reason(output).unwrap().starts_with(said), "{output}: {:?}", reason(output));
        }
    }

    #[test]
    fn ignored_files_are_tried_unless_a_command_makes_them() {
        let text = "workflow: w\ndisposable: [tmp]\nworkers: [{id: a, name: b, owns: [c]}]\n";
        let plan = Plan::parse(text).unwrap();
        let size = |path: &RepoPath| match path.to_string().as_str() {
            "big.bin" => Some(1 << 30),
            "nested/" => None,
            _ => Some(10),
        };
        let ignored = [
            ".env",
            "src/_version.py",
            "node_modules/a/b.js",
            "web/node_modules/c.js",
            "node_modules/d.js",
            "tmp/x",
            "big.bin",
            "nested/",
            "worktrees/a-b/x",
            "target.txt",
        ];
        let found = candidates(&plan, &ignored.map(RepoPath::from), &size);
        assert_eq!(found.files, [".env", "src/_version.py", "target.txt"].map(RepoPath::from));
        assert_eq!(found.made, ["node_modules", "web/node_modules"].map(RepoPath::from));
        let named = named_in("ModuleNotFoundError: No module named 'src._version'", &found.files);
        assert_eq!(named, ["src/_version.py"].map(RepoPath::from));
    }

    #[test]
    fn what_a_build_left_in_many_places_is_named_in_few_globs() {
        let packages = (0..30).flat_map(|n| {
            let file = move |name: &str| RepoPath::from(format!("@shop/p{n}/{name}").as_str());
            ["lib/a.js", "lib/rules/b.js", "tsconfig.tsbuildinfo"].map(file)
        });
        let files: Vec<RepoPath> = packages.chain(["one/.env".into()]).collect();
        let named = globs(&files);
        assert_eq!(named, ["**/lib/**", "**/tsconfig.tsbuildinfo", "**/.env"]);
        let scope = Scope::parse(&named).unwrap();
        assert!(files.iter().all(|path| scope.owns(path)));
    }

    #[test]
    fn what_is_to_be_copied_is_spelled_as_a_glob_of_that_file() {
        let files = ["conf/[env].json", "a/{x}/.env"].map(RepoPath::from);
        let scope = Scope::parse(&globs(&files)).unwrap();
        assert!(files.iter().all(|path| scope.owns(path)) && !scope.owns(&"conf/e.json".into()));
    }

    #[test]
    fn each_outcome_that_is_not_good_says_what_helps() {
        let mut trial = Trial::of("make", End::Exit(2), "no".to_owned());
        assert!(warning(&trial, &[]).unwrap().contains("no ignored file"));
        trial.output_tail = Some("cannot find fix.py".to_owned());
        let uncommitted = ["plan.yaml", "lib/fix.py"].map(RepoPath::from);
        assert!(warning(&trial, &uncommitted).unwrap().contains("\"lib/fix.py\" is not as in"));
        trial.made = vec!["node_modules".into()];
        assert!(warning(&trial, &[]).unwrap().contains("as `setup`"));
        (trial.outcome, trial.copy) = (Outcome::LacksFiles, vec![".env".into()]);
        assert!(warning(&trial, &[]).unwrap().contains("`copy: [\".env\"]`"));
        assert!(
            warning(&Trial::of("make", End::Timeout, String::new()), &[])
                .unwrap()
                .contains("smoke")
        );
        assert_eq!(warning(&Trial::of("make", End::Exit(0), String::new()), &[]), None);
    }
}
