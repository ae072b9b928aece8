//! Hollow entries: names in a tree whose content no commit holds. Merged, they would land as a
//! name with nothing behind it.

use std::collections::{BTreeMap, BTreeSet};

use crate::blob::{Blob, FileMode};
use crate::details::Files;
use crate::facts::{SpecialEntries, TreeState};
use crate::failure::{Code, Failure};
use crate::history::{Change, Content};
use crate::id::Oid;
use crate::path::RepoPath;
use crate::text::counted;

/// What a worktree holds at a path that git reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorktreeEntry {
    /// An ordinary file.
    File,
    /// A symbolic link.
    Link {
        /// What it says.
        target: Vec<u8>,
        /// Where that leads; `None` when it leads out of the repository.
        end: Option<RepoPath>,
    },
    /// A folder with a `.git` of its own.
    Repository {
        /// Whether it has a commit checked out.
        born: bool,
    },
    /// A pipe, a socket or a device.
    Special,
}

/// One entry, and why it would be hollow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hollow {
    /// The entry's path.
    pub path: RepoPath,
    /// Why no commit holds its content.
    pub why: HollowReason,
}

/// Why an entry is hollow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HollowReason {
    /// A repository of its own, which `.gitmodules` does not name.
    Repository {
        /// Whether the index has it.
        tracked: bool,
    },
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
            HollowReason::Repository { .. } => {
                format!("`{path}` is a repository of its own: a commit would hold its name alone")
            }
            HollowReason::Unborn => format!("the repository in `{path}` has no commit yet"),
            HollowReason::Open => {
                format!("`{path}` is a submodule with changes that it has not committed")
            }
            HollowReason::Leads(target) => {
                format!("the link `{path}` leads to `{target}`, which is not in the repository")
            }
            HollowReason::Special => format!("`{path}` is neither a file nor a link"),
        }
    }

    /// The one action that leads on.
    pub fn hint(&self) -> String {
        let path = &self.path;
        match &self.why {
            HollowReason::Repository { tracked: false } => format!(
                "remove {path}/.git, then checkpoint; its history goes with it: if that matters, move the repository out of the worktree instead"
            ),
            HollowReason::Repository { tracked: true } => format!(
                "run git rm -f --cached {path} and remove {path}/.git, or name it in .gitmodules, then checkpoint; its history goes with the .git: if that matters, move the repository out of the worktree instead"
            ),
            HollowReason::Unborn => {
                format!("commit in {path} first, or move it out, then checkpoint")
            }
            HollowReason::Open => {
                format!("commit in {path}, or undo its changes there, then checkpoint")
            }
            HollowReason::Leads(_) => {
                format!(
                    "replace {path} by a file, or by a link to a file of the repository, then checkpoint"
                )
            }
            HollowReason::Special => format!("remove {path}, or put a file there, then checkpoint"),
        }
    }
}

/// Returns those of the files to be committed that would be hollow. `modules` are the paths that
/// the commit's own `.gitmodules` names.
pub fn among(
    tree: &TreeState,
    held: &BTreeMap<RepoPath, WorktreeEntry>,
    modules: &BTreeSet<RepoPath>,
) -> Vec<Hollow> {
    let why = |path: &RepoPath, held: &WorktreeEntry| match held {
        WorktreeEntry::File => None,
        WorktreeEntry::Special => Some(HollowReason::Special),
        WorktreeEntry::Link { target, end } => end.is_none().then(|| HollowReason::leads(target)),
        WorktreeEntry::Repository { .. } if !modules.contains(&path.without_slash()) => {
            Some(HollowReason::Repository { tracked: tree.gitlinks.contains(path) })
        }
        WorktreeEntry::Repository { born: false } => Some(HollowReason::Unborn),
        WorktreeEntry::Repository { .. } => tree.open.contains(path).then_some(HollowReason::Open),
    };
    let hollow = |(path, held)| Some(Hollow { why: why(path, held)?, path: path.without_slash() });
    held.iter().filter_map(hollow).collect()
}

impl HollowReason {
    fn leads(target: &[u8]) -> Self {
        Self::Leads(String::from_utf8_lossy(target).into_owned())
    }
}

/// Returns those of a worker's changes that are hollow in its commit `tip`.
pub fn committed(changes: &[Change], tip: &Oid, behind: &SpecialEntries) -> Vec<Hollow> {
    let was_there = |content: &Content| changes.iter().any(|c| c.old.as_ref() == Some(content));
    let entries = behind.entries.get(tip);
    let link_at = |path: &RepoPath| {
        let blob = entries?.get(path).filter(|blob| blob.mode == FileMode::LINK)?;
        behind.links.get(&blob.oid).cloned()
    };
    let is_named = |path: &RepoPath| behind.modules.get(tip).is_none_or(|m| m.contains(path));
    let repository = || HollowReason::Repository { tracked: true };
    let hollow = |change: &Change| {
        let content = change.new.as_ref()?;
        let Blob { mode, oid } = content.blob()?;
        let path = &change.path;
        let why = match *mode {
            FileMode::SUBMODULE => (!is_named(path)).then(repository),
            // A link that only got another name was there before.
            FileMode::LINK if !was_there(content) => {
                let target = behind.links.get(oid)?;
                end(path, target, &link_at).is_none().then(|| HollowReason::leads(target))
            }
            _ => None,
        };
        Some(Hollow { path: path.clone(), why: why? })
    };
    // What lost its name, and was not touched itself.
    let named_before = behind.named_before.get(tip).into_iter().flatten();
    let is_submodule = |blob: &Blob| blob.mode == FileMode::SUBMODULE;
    let is_left = |path: &&RepoPath| {
        entries.and_then(|entries| entries.get(path)).is_some_and(is_submodule)
            && !is_named(path)
            && !changes.iter().any(|change| change.path == **path)
    };
    let lost = named_before.filter(is_left);
    let lost = lost.map(|path| Hollow { path: path.clone(), why: repository() });
    changes.iter().filter_map(hollow).chain(lost).collect()
}

/// Returns the refusal of a commit with hollow entries, `hollow_entry`; `None` without any.
pub fn refusal(hollow: &[Hollow]) -> Option<Failure> {
    let first = hollow.first()?;
    let more = match hollow.len() {
        1 => String::new(),
        n => format!(" ({} more like it)", n - 1),
    };
    let files: Files = hollow.iter().map(|hollow| &hollow.path).collect();
    let failure = Failure::new(Code::HollowEntry, format!("{}{more}", first.message()));
    Some(failure.hint(first.hint()).details(files))
}

/// Says that a link leads to what no commit has.
pub fn leads_to_ignored(path: &RepoPath, end: &RepoPath) -> String {
    format!("the link `{path}` leads to `{end}`, which git ignores: others have nothing there")
}

/// Says that no other clone can fetch the commit that a submodule's entry names.
pub fn unpublished(path: &RepoPath) -> String {
    format!(
        "no remote branch has the commit of the submodule `{path}`: push it from {path}, else no other clone can check it out"
    )
}

/// Says what is against merging hollow entries.
pub fn reason(hollow: &[Hollow]) -> String {
    let first = hollow.first().map(Hollow::message).unwrap_or_default();
    format!("{} without content: {first}", counted(hollow.len(), "name"))
}

/// How many links one way is followed through; git and the system follow as many.
const MAX_LINKS: usize = 40;

/// Returns where a link at `path` leads, through other links as `link_at` knows them; `None` when
/// that is out of the repository, or among git's own files.
pub fn end(
    path: &RepoPath,
    target: &[u8],
    link_at: &dyn Fn(&RepoPath) -> Option<Vec<u8>>,
) -> Option<RepoPath> {
    let steps_of = |target: &[u8]| -> Option<Vec<Vec<u8>>> {
        let steps = target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec);
        (!target.starts_with(b"/")).then(|| steps.collect())
    };
    let mut place: Vec<Vec<u8>> = path.segments().map(<[u8]>::to_vec).collect();
    place.pop();
    let (mut steps, mut followed) = (steps_of(target)?, 0);
    while let Some(step) = steps.pop() {
        match &step[..] {
            b"" | b"." => {}
            b".." => drop(place.pop()?),
            name if name.eq_ignore_ascii_case(b".git") => return None,
            _ => {
                place.push(step);
                let here = RepoPath::new(place.join(&b'/'));
                if let Some(target) = link_at(&here).filter(|_| followed < MAX_LINKS) {
                    followed += 1;
                    place.pop();
                    steps.extend(steps_of(&target)?);
                }
            }
        }
    }
    Some(RepoPath::new(place.join(&b'/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_in_the_repository_or_leads_out() {
        let links =
            [("up", ".."), ("a/up", ".."), ("a/abs", "/etc"), ("a/loop", "loop"), ("a/in", "b")];
        let link_at = |path: &RepoPath| {
            let target = links.iter().find(|(link, _)| RepoPath::from(*link) == *path);
            target.map(|(_, target)| target.as_bytes().to_vec())
        };
        let out =
            |path: &str, target: &str| end(&path.into(), target.as_bytes(), &link_at).is_none();
        for (path, target) in [
            ("l", "a"),
            ("l", "a/../b"),
            ("a/l", "../b"),
            ("a/b/l", "../../c"),
            ("a/b/l", ".././/x"),
            ("a/l", ".gitignore"),
            ("a/l", ".."),
            ("l", "..."),
            ("a/l", "up/a/f"),
            ("a/l", "loop/x"),
            ("a/l", "in/../f"),
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
            ("a/l", "up/../../etc/x"),
            ("a/l", "up/.."),
            ("b/l", "../up/x"),
            ("b/l", "../a/abs/passwd"),
            ("a/l", "up/.git/config"),
        ] {
            assert!(out(path, target), "{path} -> {target}");
        }
    }

    #[test]
    fn a_committed_entry_is_hollow_unless_something_stands_behind_it() {
        let [tip, one, two] = ["a", "b", "c"].map(|c| c.repeat(40).parse::<Oid>().unwrap());
        let change = |path: &str, old: Option<Content>, new: Option<Content>| Change {
            path: path.into(),
            old,
            new,
        };
        let entry = |mode, oid: &Oid| Some(Content::Committed(Blob { oid: oid.clone(), mode }));
        let link = |oid: &Oid| entry(FileMode::LINK, oid);
        let module = entry(FileMode::SUBMODULE, &one);
        let changes = [
            change("app", None, module.clone()),
            change("lib", None, module.clone()),
            change("gone", module, None),
            change("out", None, link(&one)),
            change("in", None, link(&two)),
            change("file", None, entry(FileMode::FILE, &one)),
        ];
        let behind = SpecialEntries {
            links: [(one.clone(), b"/x".to_vec()), (two, b"file".to_vec())].into(),
            modules: [(tip.clone(), ["lib".into()].into())].into(),
            ..SpecialEntries::default()
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
            ("a", WorktreeEntry::File),
            ("app/", WorktreeEntry::Repository { born: true }),
            ("lib", WorktreeEntry::Repository { born: true }),
            ("new/", WorktreeEntry::Repository { born: false }),
            ("open", WorktreeEntry::Repository { born: true }),
            ("in", WorktreeEntry::Link { target: b"a".to_vec(), end: Some("a".into()) }),
            ("out", WorktreeEntry::Link { target: b"/x".to_vec(), end: None }),
            ("pipe", WorktreeEntry::Special),
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
        let found: Vec<(String, &HollowReason)> =
            found.iter().map(|hollow| (hollow.path.to_string(), &hollow.why)).collect();
        assert_eq!(
            found,
            [
                ("app".to_owned(), &HollowReason::Repository { tracked: false }),
                ("new".to_owned(), &HollowReason::Unborn),
                ("open".to_owned(), &HollowReason::Open),
                ("out".to_owned(), &HollowReason::Leads("/x".to_owned())),
                ("pipe".to_owned(), &HollowReason::Special),
            ]
        );
    }
}
