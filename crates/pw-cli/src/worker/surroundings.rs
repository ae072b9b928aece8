//! What the guard's rules ask about the file system, git and the environment.

use std::cell::OnceCell;
use std::path::{Component, Path, PathBuf};

use pw_core::guard::{Surroundings, Target};
use pw_core::path::RepoPath;
use pw_core::scope::Scope;
use pw_git::Repo;

use super::ground::Ground;

/// Most links that lead to one file, as in the kernel.
const MAX_LINKS: usize = 40;
/// Longest path that is looked at; the kernel takes less.
const MAX_PATH: usize = 16 << 10;
/// Most files that a pattern is followed to.
const MAX_MATCHES: usize = 1_000;

/// What is around a tool call of a worker's session.
pub(super) struct Around<'a> {
    repo: &'a Repo,
    worktree: PathBuf,
    folder: &'a Path,
    roots: OnceCell<Roots>,
}

/// The folders that the guard compares paths with, links followed.
struct Roots {
    worktree: PathBuf,
    common: PathBuf,
    others: Vec<PathBuf>,
    temporary: PathBuf,
}

impl<'a> Around<'a> {
    pub(super) fn new(ground: &'a Ground, folder: &'a Path) -> Self {
        let Ground { repo, plan, worker, .. } = ground;
        let worktree = repo.root().join(plan.worktree(worker));
        Self { repo, worktree, folder, roots: OnceCell::new() }
    }

    fn roots(&self) -> &Roots {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let repo = self.repo;
        self.roots.get_or_init(|| Roots {
            worktree: real(&self.worktree),
            common: real(repo.common()),
            others: repo.worktrees().iter().map(|worktree| real(&worktree.path)).collect(),
            temporary: real(&std::env::temp_dir()),
        })
    }
}

impl Surroundings for Around<'_> {
    fn folder(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }

    fn worktree(&self) -> String {
        self.worktree.to_string_lossy().into_owned()
    }

    fn is_folder(&self, path: &str) -> bool {
        self.folder.join(path).is_dir()
    }

    fn target(&self, path: &str) -> Target {
        let shown = path.to_owned();
        let Some(real) = real_path(&self.folder.join(path)) else { return Target::Unclear(shown) };
        let roots = self.roots();
        let in_git = |part: Component<'_>| part.as_os_str().eq_ignore_ascii_case(".git");
        if let Ok(inside) = real.strip_prefix(&roots.worktree) {
            if inside.components().any(in_git) {
                return Target::Git;
            }
            return Target::Inside(RepoPath::new(inside.as_os_str().as_encoded_bytes()));
        }
        if real.starts_with(&roots.common) {
            return Target::Git;
        }
        // A folder above holds them, too.
        if roots.others.iter().any(|root| real.starts_with(root) || root.starts_with(&real)) {
            return Target::Elsewhere(shown);
        }
        match real.starts_with(&roots.temporary) {
            true => Target::Temporary,
            false => Target::Outside(shown),
        }
    }

    fn exists(&self, path: &RepoPath) -> bool {
        self.worktree.join(path.to_path()).symlink_metadata().is_ok()
    }

    // Where git cannot tell, the path counts as not ignored.
    fn is_ignored(&self, path: &RepoPath) -> bool {
        self.repo.ignores(&self.worktree, path).unwrap_or(false)
    }

    fn is_tracked(&self, path: &RepoPath) -> bool {
        self.repo.tracks(&self.worktree, path).unwrap_or(true)
    }

    fn names_commit(&self, word: &str) -> bool {
        let repo = self.repo;
        let is_there = self.folder.join(word).symlink_metadata().is_ok();
        // `git checkout x` also makes a branch of `origin/x`, unless there is a file.
        let remote = || !is_there && !matches!(repo.resolve(&format!("origin/{word}")), Ok(None));
        !matches!(repo.resolve(word), Ok(None)) || remote()
    }

    fn alias(&self, verb: &str) -> Option<String> {
        self.repo.alias(&self.worktree, verb).ok().flatten()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn matching(&self, pattern: &str) -> Vec<String> {
        let mut found = vec![PathBuf::from("/")];
        for segment in pattern.split('/').filter(|segment| !matches!(*segment, "" | ".")) {
            let Some(names) = Names::read(segment) else { return Vec::new() };
            found =
                found.iter().flat_map(|folder| names.in_folder(folder)).take(MAX_MATCHES).collect();
        }
        found.iter().map(|path| path.to_string_lossy().into_owned()).collect()
    }
}

/// One segment of a shell's pattern.
enum Names {
    Literal(String),
    Pattern { scope: Scope, hidden: bool },
}

impl Names {
    fn read(segment: &str) -> Option<Self> {
        let mut literal = String::new();
        let (mut is_pattern, mut rest) = (false, segment.chars());
        while let Some(c) = rest.next() {
            is_pattern |= "*?[".contains(c);
            literal.push(if c == '\\' { rest.next()? } else { c });
        }
        if !is_pattern {
            return Some(Self::Literal(literal));
        }
        let scope = Scope::parse(&[segment.replace("**", "*")]).ok()?;
        Some(Self::Pattern { scope, hidden: segment.starts_with('.') })
    }

    fn in_folder(&self, folder: &Path) -> Vec<PathBuf> {
        let (scope, hidden) = match self {
            Self::Literal(name) => return vec![folder.join(name)],
            Self::Pattern { scope, hidden } => (scope, *hidden),
        };
        let entries = folder.read_dir().into_iter().flatten().flatten().take(10 * MAX_MATCHES);
        let names = entries.map(|entry| entry.file_name()).filter(|name| {
            let bytes = name.as_encoded_bytes();
            bytes.starts_with(b".") == hidden && scope.owns(&RepoPath::new(bytes))
        });
        let mut found: Vec<PathBuf> = names.map(|name| folder.join(name)).collect();
        found.sort();
        found
    }
}

/// Returns where a file really lies, as far as its folders exist; the rest of the path is taken as
/// it is. `None` for links in a circle and for paths that are too long.
pub(super) fn real_path(path: &Path) -> Option<PathBuf> {
    if path.as_os_str().len() > MAX_PATH {
        return None;
    }
    let mut links = 0;
    let mut real = PathBuf::from("/");
    let mut open: Vec<PathBuf> = segments(path);
    while let Some(segment) = open.pop() {
        if segment.as_os_str() == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&segment);
        let Ok(to) = next.read_link() else {
            real = next;
            continue;
        };
        // A link to nowhere is written through, too.
        links += 1;
        if links > MAX_LINKS {
            return None;
        }
        if to.is_absolute() {
            real = PathBuf::from("/");
        }
        open.extend(segments(&to));
    }
    Some(real)
}

/// Returns the names in a path, the last first, without those that lead nowhere.
fn segments(path: &Path) -> Vec<PathBuf> {
    let named = path
        .components()
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
    named.map(|part| PathBuf::from(part.as_os_str())).rev().collect()
}
