//! Hollow entries: names in a tree whose content no commit holds. Merged, they would land as a
//! name with nothing behind it.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{Behind, TreeState};
use crate::failure::{Code, Failure};
use crate::history::Change;
use crate::id::Oid;
use crate::path::RepoPath;
use crate::report::counted;

/// What stands in a worktree at a path that git reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    File,
    /// What the link says.
    Link(Vec<u8>),
    /// A folder with a `.git` of its own; whether it has a commit checked out.
    Repository {
        born: bool,
    },
    /// A pipe, a socket or a device.
    Special,
}

/// One entry, and why it would be hollow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hollow {
    pub path: RepoPath,
    pub why: Why,
}

/// Why an entry is hollow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// A repository of its own, which `.gitmodules` does not name. `tracked` when the index has it.
    Repository { tracked: bool },
    /// A submodule without a commit that an entry could name.
    Unborn,
    /// A submodule whose files changed, and not its commit.
    Open,
    /// A link that leads out of the repository, or into git's own folder.
    Leads(String),
    /// Nothing that git can keep.
    Special,
}

impl Hollow {
    /// Says what it is, for a sentence about one commit.
    pub fn message(&self) -> String {
        let path = &self.path;
        match &self.why {
            Why::Repository { .. } => {
                format!("`{path}` is a repository of its own: a commit would hold its name alone")
            }
            Why::Unborn => format!("the repository in `{path}` has no commit yet"),
            Why::Open => format!("`{path}` is a submodule with changes that it has not committed"),
            Why::Leads(target) => {
                format!("the link `{path}` leads to `{target}`, which is not in the repository")
            }
            Why::Special => format!("`{path}` is neither a file nor a link"),
        }
    }

    /// The one action that leads on.
    pub fn hint(&self) -> String {
        let path = &self.path;
        match &self.why {
            Why::Repository { tracked: false } => format!(
                "remove {path}/.git, then checkpoint; its history goes with it: if that matters, move the repository out of the worktree instead"
            ),
            Why::Repository { tracked: true } => format!(
                "run git rm -f --cached {path} and remove {path}/.git, or name it in .gitmodules, then checkpoint; its history goes with the .git: if that matters, move the repository out of the worktree instead"
            ),
            Why::Unborn => format!("commit in {path} first, or move it out, then checkpoint"),
            Why::Open => format!("commit in {path}, or undo its changes there, then checkpoint"),
            Why::Leads(_) => {
                format!(
                    "replace {path} by a file, or by a link to a file of the repository, then checkpoint"
                )
            }
            Why::Special => format!("remove {path}, or put a file there, then checkpoint"),
        }
    }
}

/// Returns those of the files to be committed that would be hollow. `modules` are the paths that
/// the commit's own `.gitmodules` names.
pub fn among(
    tree: &TreeState,
    held: &BTreeMap<RepoPath, Held>,
    modules: &BTreeSet<RepoPath>,
) -> Vec<Hollow> {
    let why = |path: &RepoPath, held: &Held| match held {
        Held::File => None,
        Held::Special => Some(Why::Special),
        Held::Link(target) => leads_out(path, target).then(|| Why::leads(target)),
        Held::Repository { .. } if !modules.contains(&path.without_slash()) => {
            Some(Why::Repository { tracked: tree.gitlinks.contains(path) })
        }
        Held::Repository { born: false } => Some(Why::Unborn),
        Held::Repository { .. } => tree.open.contains(path).then_some(Why::Open),
    };
    let hollow = |(path, held)| Some(Hollow { why: why(path, held)?, path: path.without_slash() });
    held.iter().filter_map(hollow).collect()
}

impl Why {
    fn leads(target: &[u8]) -> Self {
        Self::Leads(String::from_utf8_lossy(target).into_owned())
    }
}

/// Returns those of a worker's changes that are hollow in its commit `tip`.
pub fn committed(changes: &[Change], tip: &Oid, behind: &Behind) -> Vec<Hollow> {
    let was_there = |content: &str| changes.iter().any(|c| c.old.as_deref() == Some(content));
    let hollow = |change: &Change| {
        let content = change.new.as_deref()?;
        let (mode, id) = content.split_once(' ')?;
        let path = &change.path;
        let why = match mode {
            "160000" => {
                let is_named = behind.modules.get(tip)?.contains(path);
                (!is_named).then_some(Why::Repository { tracked: true })
            }
            // A link that only got another name was there before.
            "120000" if !was_there(content) => {
                let target = behind.links.get(&id.parse::<Oid>().ok()?)?;
                leads_out(path, target).then(|| Why::leads(target))
            }
            _ => None,
        };
        Some(Hollow { path: path.clone(), why: why? })
    };
    changes.iter().filter_map(hollow).collect()
}

/// Returns the refusal of a commit with hollow entries.
pub fn refusal(hollow: &[Hollow]) -> Option<Failure> {
    let first = hollow.first()?;
    let more = match hollow.len() {
        1 => String::new(),
        n => format!(" ({} more like it)", n - 1),
    };
    let paths: Vec<&RepoPath> = hollow.iter().map(|hollow| &hollow.path).collect();
    let failure = Failure::new(Code::HollowEntry, format!("{}{more}", first.message()));
    Some(failure.hint(first.hint()).details(serde_json::json!({ "paths": paths })))
}

/// Says what is against merging hollow entries.
pub fn reason(hollow: &[Hollow]) -> String {
    let first = hollow.first().map(Hollow::message).unwrap_or_default();
    format!("{} without content: {first}", counted(hollow.len(), "name"))
}

/// Returns whether a link at `path` leads out of the repository, or to git's own files.
fn leads_out(path: &RepoPath, target: &[u8]) -> bool {
    let mut depth = path.ancestors().count();
    let steps = target.split(|byte| *byte == b'/');
    target.starts_with(b"/")
        || steps.into_iter().any(|step| match step {
            b"" | b"." => false,
            b".." => match depth.checked_sub(1) {
                Some(above) => {
                    depth = above;
                    false
                }
                None => true,
            },
            name => {
                depth += 1;
                name.eq_ignore_ascii_case(b".git")
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_in_the_repository_or_leads_out() {
        let out = |path: &str, target: &str| leads_out(&path.into(), target.as_bytes());
        for (path, target) in [
            ("l", "a"),
            ("l", "a/../b"),
            ("a/l", "../b"),
            ("a/b/l", "../../c"),
            ("a/b/l", ".././/x"),
            ("a/l", ".gitignore"),
            ("a/l", ".."),
            ("l", "..."),
        ] {
            assert!(!out(path, target), "{path} -> {target}");
        }
        for (path, target) in [
            ("l", "/etc/passwd"),
            ("l", ".."),
            ("l", "../x"),
            ("a/l", "../../x"),
            ("a/l", "b/../../../x"),
            ("a/l", "../.git/config"),
            ("l", ".GIT/hooks"),
            ("l", "lib/.git"),
        ] {
            assert!(out(path, target), "{path} -> {target}");
        }
    }

    #[test]
    fn a_committed_entry_is_hollow_unless_something_stands_behind_it() {
        let [tip, one, two] = ["a", "b", "c"].map(|c| c.repeat(40).parse::<Oid>().unwrap());
        let change = |path: &str, old: Option<String>, new: Option<String>| Change {
            path: path.into(),
            old,
            new,
        };
        let link = |oid: &Oid| Some(format!("120000 {oid}"));
        let module = Some(format!("160000 {one}"));
        let changes = [
            change("app", None, module.clone()),
            change("lib", None, module.clone()),
            change("gone", module, None),
            change("out", None, link(&one)),
            change("in", None, link(&two)),
            change("file", None, Some(format!("100644 {one}"))),
        ];
        let behind = Behind {
            links: [(one.clone(), b"/x".to_vec()), (two, b"file".to_vec())].into(),
            modules: [(tip.clone(), ["lib".into()].into())].into(),
        };
        let paths = |changes: &[Change]| -> Vec<String> {
            committed(changes, &tip, &behind).iter().map(|h| h.path.to_string()).collect()
        };
        assert_eq!(paths(&changes), ["app", "out"]);
        // A link that was there before may be renamed.
        let moved = [change("old", link(&one), None), change("new", None, link(&one))];
        assert_eq!(paths(&moved), [""; 0]);
    }

    #[test]
    fn a_file_to_be_committed_is_hollow_unless_git_keeps_what_is_there() {
        let held = [
            ("a", Held::File),
            ("app/", Held::Repository { born: true }),
            ("lib", Held::Repository { born: true }),
            ("new/", Held::Repository { born: false }),
            ("open", Held::Repository { born: true }),
            ("out", Held::Link(b"/x".to_vec())),
            ("pipe", Held::Special),
        ];
        let held = held.into_iter().map(|(path, held)| (path.into(), held)).collect();
        let modules = ["lib", "new", "open"].map(RepoPath::from).into();
        let [lib, open] = ["lib", "open"].map(RepoPath::from);
        let tree = TreeState {
            gitlinks: vec![lib, open.clone()],
            open: vec![open],
            ..TreeState::default()
        };
        let found = among(&tree, &held, &modules);
        let found: Vec<(String, &Why)> =
            found.iter().map(|hollow| (hollow.path.to_string(), &hollow.why)).collect();
        assert_eq!(
            found,
            [
                ("app".to_owned(), &Why::Repository { tracked: false }),
                ("new".to_owned(), &Why::Unborn),
                ("open".to_owned(), &Why::Open),
                ("out".to_owned(), &Why::Leads("/x".to_owned())),
                ("pipe".to_owned(), &Why::Special),
            ]
        );
    }
}
