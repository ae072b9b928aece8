//! Own files that git is told to ignore: no `git status` shows them, so no commit takes them in.

use crate::cache;
use crate::path::RepoPath;
use crate::plan::{Plan, Worker};
use crate::text::counted;

/// The line of an ignore file that makes git ignore a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// The file, as git names it.
    pub source: String,
    /// The number of the line in that file, from 1.
    pub line: String,
    /// The pattern itself.
    pub text: String,
}

/// The paths that a worker's glob means.
#[derive(Clone, Debug)]
pub struct Example<'a> {
    /// Whose glob it is.
    pub worker: &'a Worker,
    /// The glob, as the plan has it.
    pub glob: &'a str,
    /// A path that the glob matches; the file need not exist.
    pub path: RepoPath,
}

/// Returns a path or two for every glob of every worker.
pub fn examples<'a>(plan: &'a Plan) -> Vec<Example<'a>> {
    let of = |worker: &'a Worker| {
        worker.owns.examples().into_iter().map(move |(glob, path)| Example { worker, glob, path })
    };
    plan.workers.iter().flat_map(of).collect()
}

/// Says which globs stand for files that git ignores, and where that is written.
pub fn warnings(examples: &[Example<'_>], patterns: &[Option<Pattern>]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (example, pattern) in examples.iter().zip(patterns) {
        let Some(Pattern { source, line, text }) = pattern else { continue };
        let warning = format!(
            "{} owns `{}`, and git ignores what is new there: `{text}` in {source}, line {line}; take that line away, or have the worker run git add -f",
            example.worker.id, example.glob
        );
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
}

/// Returns those of a worktree's ignored files that could be the worker's work; a folder stands for
/// everything in it.
pub fn own(plan: &Plan, worker: &Worker, ignored: &[RepoPath]) -> Vec<RepoPath> {
    let folders = worker.owns.folders().unwrap_or_default();
    let is_cache = |path: &RepoPath| cache::is_cache(path) || cache::is_installed(path);
    // git names a folder, too, when all that is in it is ignored, and then what is in it.
    let is_above = |path: &RepoPath| {
        ignored.iter().any(|other| path.contains(other) && other.without_slash() != *path)
    };
    let own = |path: &RepoPath| {
        let path = path.without_slash();
        if is_cache(&path) || plan.disposable.owns(&path) || is_above(&path) {
            return Vec::new();
        }
        match worker.owns.owns(&path) {
            true => vec![path],
            false => folders.iter().filter(|f| path == **f || path.contains(f)).cloned().collect(),
        }
    };
    let mut own: Vec<RepoPath> = ignored.iter().flat_map(own).collect();
    own.sort();
    own.dedup();
    own
}

/// What `git status` does not show of a worktree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// A folder stands for everything in it.
    pub ignored: Vec<RepoPath>,
    /// Folders that git could not look into.
    pub unopened: Vec<RepoPath>,
}

/// Says that git cannot look into folders of a worker's scope, so that their content is unknown.
pub fn unopened(worker: &Worker, folders: &[RepoPath]) -> Option<String> {
    let scope = worker.owns.folders();
    let could_hold = |folder: &RepoPath| {
        let inside = RepoPath::new([folder.as_bytes(), b"/x"].concat());
        let is_above =
            |own: &RepoPath| own == folder || folder.contains(own) || own.contains(folder);
        worker.owns.owns(&inside) || scope.as_ref().is_none_or(|scope| scope.iter().any(is_above))
    };
    let mut own = folders.iter().map(RepoPath::without_slash).filter(could_hold);
    let first: String = own.next()?.to_string().chars().take(MAX_SHOWN).collect();
    let more = match own.count() {
        0 => String::new(),
        n => format!(" ({n} more like it)"),
    };
    Some(format!(
        "git cannot look into `{first}`{more}, so no commit has what is in there: make it readable, or its path shorter"
    ))
}

/// How much of a path that is too long is shown, in characters.
const MAX_SHOWN: usize = 200;

/// Says that there are such files, and what to do about them.
pub fn note(paths: &[RepoPath]) -> Option<String> {
    let first = paths.first()?;
    let count = counted(paths.len(), "path");
    Some(format!(
        "git ignores {count} of your scope, `{first}` first, so no commit has them: run git add -f for what belongs to the work, then checkpoint"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Plan;

    fn plan(owns: &str) -> Plan {
        Plan::parse(&format!(
            "workflow: w\ngoal: g\ndisposable: [target]\nworkers:\n  - {{id: a, name: x, owns: {owns}}}\n"
        ))
        .unwrap()
    }

    #[test]
    fn every_glob_has_examples_that_it_owns() {
        for (owns, wanted) in [
            ("[dist]", &["dist", "dist/x"][..]),
            ("[dist/**]", &["dist/x"]),
            ("[dist/]", &["dist/x"]),
            ("[\"{one,two}/a.py\"]", &["one/a.py", "two/a.py"]),
        ] {
            let plan = plan(owns);
            let examples = examples(&plan);
            let paths: Vec<String> = examples.iter().map(|e| e.path.to_string()).collect();
            assert!(
                examples.iter().all(|e| plan.workers[0].owns.owns(&e.path)),
                "{owns}: {paths:?}"
            );
            for path in wanted {
                assert!(paths.iter().any(|found| found == path), "{owns}: {paths:?}");
            }
        }
    }

    #[test]
    fn ignored_files_of_the_scope_are_named_and_caches_are_not() {
        for (owns, ignored, wanted) in [
            ("[users]", &["users/lib/", "users/x.log"][..], &["users/lib", "users/x.log"][..]),
            ("[users]", &["users/", "users/lib/"], &["users/lib"]),
            ("[users]", &["posts/lib/", "x.log"], &[]),
            ("[users]", &["users/__pycache__/", "users/target/", "users/a.pyc"], &[]),
            ("[\"dist/*.js\"]", &["dist/"], &["dist"]),
            ("[dist/app/main.js]", &["dist/"], &["dist/app/main.js"]),
            ("[\"**/*.gen\"]", &["a/x.gen", "a/y"], &["a/x.gen"]),
        ] {
            let plan = plan(owns);
            let ignored: Vec<RepoPath> = ignored.iter().map(|path| RepoPath::from(*path)).collect();
            let found = own(&plan, &plan.workers[0], &ignored);
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, wanted, "{owns}");
        }
    }
}
