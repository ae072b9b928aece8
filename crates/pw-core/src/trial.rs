//! What a fresh worktree of the base came to before any worker started: whether the command that says
//! so works there, and which ignored files it lacks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gate::End;
use crate::path::RepoPath;
use crate::plan::Plan;
use crate::text::counted;

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

/// Says what a worker would stumble over, with the plan's key that helps.
pub fn warning(trial: &Trial) -> Option<String> {
    let command = &trial.command;
    let list = |paths: &[RepoPath]| {
        let shown = paths.iter().take(MAX_NAMED).map(|path| format!("{:?}", path.to_string()));
        shown.collect::<Vec<_>>().join(", ")
    };
    let more = match trial.copy.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {}", counted(more, "more file")),
    };
    match trial.outcome {
        Outcome::Passed => None,
        Outcome::LacksFiles => Some(format!(
            "`{command}` fails in a fresh worktree and passes with ignored files of your checkout: write \
             `copy: [{}]`{more} into the plan, then pw-setup create again",
            list(&trial.copy)
        )),
        Outcome::Failed if !trial.made.is_empty() => Some(format!(
            "`{command}` fails in a fresh worktree, where {} of your checkout is not: if that is why, name \
             the command that makes it as `setup`",
            list(&trial.made)
        )),
        Outcome::Failed => Some(format!(
            "`{command}` fails in a fresh worktree of the base, for a reason that no ignored file of your \
             checkout explains: details in `trial.output_tail`"
        )),
        Outcome::SetupFailed => {
            Some(format!("the setup command `{command}` fails in a fresh worktree of the base"))
        }
        Outcome::TimedOut => Some(format!(
            "`{command}` did not end in time in a fresh worktree, so whether it works there is not known; \
             name a quick one as `smoke`, or leave it out with --no-trial"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn each_outcome_that_is_not_good_says_what_helps() {
        let mut trial = Trial::of("make", End::Exit(2), "no".to_owned());
        assert!(warning(&trial).unwrap().contains("no ignored file"));
        trial.made = vec!["node_modules".into()];
        assert!(warning(&trial).unwrap().contains("as `setup`"));
        (trial.outcome, trial.copy) = (Outcome::LacksFiles, vec![".env".into()]);
        assert!(warning(&trial).unwrap().contains("`copy: [\".env\"]`"));
        assert!(
            warning(&Trial::of("make", End::Timeout, String::new())).unwrap().contains("smoke")
        );
        assert_eq!(warning(&Trial::of("make", End::Exit(0), String::new())), None);
    }
}
