//! Globs of a plan that match no file of the base where a neighbour of theirs would: usually a
//! plan that was written in a subfolder, a letter in the other case, or a bracket of a file's name
//! that is read as a class. A glob may also stand for files that are still to be made, so all of
//! this is advice.

use std::collections::BTreeSet;

use strsim::osa_distance;
use unicode_normalization::UnicodeNormalization as _;

use crate::path::RepoPath;
use crate::plan::Plan;
use crate::scope::{Scope, folded};
use crate::text::counted;

/// How many files are held against globs in all: a plan of thousands of globs for a large
/// repository is not read this closely.
const BUDGET: usize = 5_000_000;
/// How many folders are named in which a glob would match.
const MAX_FOLDERS: usize = 3;

/// Returns a warning for each glob of a scope, of `shared` and of `union` that another spelling
/// would serve better. `files`: those of the base commit, sorted.
pub fn warnings(plan: &Plan, files: &[RepoPath]) -> Vec<String> {
    let tree = Tree::of(files);
    let workers = plan.workers.iter().map(|worker| (worker.id.to_string(), &worker.owns));
    let all = [("shared".to_owned(), &plan.shared), ("union".to_owned(), &plan.union)];
    let is_taken = |path: &RepoPath| plan.workers.iter().any(|worker| worker.owns.owns(path));
    let globs = workers.chain(all).flat_map(|(who, scope)| {
        let globs = scope.globs().filter(|glob| !glob.starts_with('!'));
        globs.map(move |glob| (who.clone(), glob.to_owned())).collect::<Vec<_>>()
    });
    let read: Vec<_> = globs
        .take(BUDGET / files.len().max(1))
        .map(|(who, glob)| (who, tree.first(&glob), glob))
        .collect();
    let is_lost = read.iter().all(|(_, found, _)| found.is_none());
    let mut warnings: Vec<String> = Vec::new();
    for (who, found, glob) in &read {
        if let Some(advice) = tree.advice(glob, *found, is_lost, &is_taken) {
            let verb = if who == "shared" || who == "union" { "has" } else { "owns" };
            let warning = format!("{who} {verb} `{glob}`, {advice}");
            warnings.extend((!warnings.contains(&warning)).then_some(warning));
        }
    }
    warnings
}

/// Returns a warning for each glob of `copy` that brings nothing, or another file than the one that is called
/// like it. `ignored` and `uncommitted`: such files of the checkout.
pub fn uncopied(plan: &Plan, ignored: &[RepoPath], uncommitted: &[RepoPath]) -> Vec<String> {
    let (ignored, uncommitted) = (Tree::of(ignored), Tree::of(uncommitted));
    let advice = |glob: &str| {
        if let Some((spelled, file)) = ignored.taken_literally(glob) {
            return Some(format!(
                "in which brackets and braces are a pattern, and a file is called `{file}`: write `{spelled}` for that"
            ));
        }
        if ignored.first(glob).is_some() {
            return None;
        }
        Some(match uncommitted.first(glob) {
            Some(file) => {
                format!("and only ignored files are copied: commit `{file}`, or have git ignore it")
            }
            None => {
                "which matches no ignored file of the checkout: nothing is copied for it".to_owned()
            }
        })
    };
    let globs = plan.copy.globs().filter(|glob| !glob.starts_with('!'));
    globs.filter_map(|glob| Some(format!("copy has `{glob}`, {}", advice(glob)?))).collect()
}

/// The files of a commit, and the folders they lie in.
struct Tree<'a> {
    files: &'a [RepoPath],
    folders: BTreeSet<&'a [u8]>,
}

impl<'a> Tree<'a> {
    fn of(files: &'a [RepoPath]) -> Self {
        Self { files, folders: files.iter().flat_map(RepoPath::ancestors).collect() }
    }

    fn first(&self, glob: &str) -> Option<&'a RepoPath> {
        let scope = Scope::parse(&[glob]).ok()?;
        self.files.iter().find(|path| scope.owns(path))
    }

    /// Returns what could be meant by a glob, which matches `found` first. `is_lost`: no glob of the plan
    /// matches anything, as in one that was written in a subfolder.
    fn advice(
        &self,
        glob: &str,
        found: Option<&RepoPath>,
        is_lost: bool,
        is_taken: &dyn Fn(&RepoPath) -> bool,
    ) -> Option<String> {
        if let Some((spelled, file)) = self.taken_literally(glob)
            && found != Some(file)
        {
            let pattern = match glob.contains(['[', '?']) {
                true => "brackets stand for one letter",
                false => "braces hold a choice",
            };
            return Some(format!(
                "in which {pattern}, and a file is called `{file}`: write `{spelled}` for that"
            ));
        }
        if found.is_some() {
            return None;
        }
        if let Some(other) = self.without_blanks(glob).or_else(|| self.in_another_case(glob)) {
            let form = if other.nfc().eq(glob.nfc()) { " in another Unicode form" } else { "" };
            return Some(format!("which matches nothing, and `{other}`{form} would"));
        }
        if let Some(other) = self.misspelt(glob, is_taken) {
            return Some(format!(
                "which matches nothing, and `{other}` would; leave it if it is to be new"
            ));
        }
        // A name alone is one that many folders have, and where the rest of the plan is right, a new one.
        let is_name = !glob.trim_end_matches("/**").trim_end_matches('/').contains('/');
        if is_name && !is_lost {
            return None;
        }
        let below = self.below(glob)?;
        let named: Vec<String> =
            below.iter().take(MAX_FOLDERS).map(|folder| format!("`{folder}/{glob}`")).collect();
        let more = match below.len().saturating_sub(MAX_FOLDERS) {
            0 => String::new(),
            more => format!(" and {}", counted(more, "more")),
        };
        Some(format!(
            "which matches nothing: globs begin at the repository's root, where {}{more} would match",
            named.join(", ")
        ))
    }

    /// Returns the glob with its brackets and braces as letters, if a file is called like that.
    fn taken_literally(&self, glob: &str) -> Option<(String, &'a RepoPath)> {
        let spelled = literal(glob);
        let file = (spelled != glob).then(|| self.first(&spelled)).flatten()?;
        Some((spelled, file))
    }

    fn without_blanks(&self, glob: &str) -> Option<String> {
        let trimmed: Vec<&str> = glob.split('/').map(str::trim).collect();
        Some(trimmed.join("/")).filter(|trimmed| trimmed != glob && self.first(trimmed).is_some())
    }

    /// Returns the glob as a file's path writes it that differs in letter case or Unicode form.
    fn in_another_case(&self, glob: &str) -> Option<String> {
        let scope = Scope::parse(&[folded(glob)]).ok()?;
        let text = |path: &RepoPath| String::from_utf8(path.as_bytes().to_vec()).ok();
        let matching = |path: &&RepoPath| {
            text(path).is_some_and(|path| scope.owns(&folded(&path).as_str().into()))
        };
        let path = text(self.files.iter().find(matching)?)?;
        let mut names = path.split('/');
        let mut open = false;
        let spelled = glob.split('/').map(|part| {
            open |= part == "**";
            let name = names.next().filter(|name| !open && folded(name) == folded(part));
            name.unwrap_or(part)
        });
        let spelled = spelled.collect::<Vec<_>>().join("/");
        Some(spelled).filter(|spelled| spelled != glob && self.first(spelled).is_some())
    }

    /// Returns the glob with its first unknown folder called like one that is there, and whose files
    /// no worker has.
    fn misspelt(&self, glob: &str, is_taken: &dyn Fn(&RepoPath) -> bool) -> Option<String> {
        let parts: Vec<&str> = glob.split('/').collect();
        let is_known = |upto: usize| self.folders.contains(parts[..upto].join("/").as_bytes());
        // Behind `**/` any folder may have the name.
        let (at, parent) = match parts[0] {
            "**" => (1, None),
            _ => {
                let at = (1..=parts.len()).find(|upto| !is_known(*upto))? - 1;
                (at, Some(parts[..at].join("/")))
            }
        };
        let wanted = parts.get(at).filter(|name| !name.contains(['*', '?', '[', '{']))?;
        let names: BTreeSet<&str> = self
            .folders
            .iter()
            .filter_map(|folder| {
                let folder = std::str::from_utf8(folder).ok()?;
                let (above, name) = folder.rsplit_once('/').unwrap_or(("", folder));
                parent.as_deref().is_none_or(|parent| parent == above).then_some(name)
            })
            .collect();
        if parent.is_none() && names.contains(wanted) {
            return None;
        }
        // Names of three letters differ in one letter all the time.
        let limit = (wanted.chars().count() / 3).min(2);
        // `v2` beside `v1` is the next one, and not misspelt.
        let letters = |name: &str| name.replace(|c: char| c.is_ascii_digit(), "");
        let is_near = |name: &&str| {
            (1..=limit).contains(&osa_distance(name, wanted)) && letters(name) != letters(wanted)
        };
        let near = names.into_iter().filter(is_near);
        let spelled = near.map(|name| {
            let mut parts = parts.clone();
            parts[at] = name;
            parts.join("/")
        });
        spelled.into_iter().find(|spelled| self.first(spelled).is_some_and(|path| !is_taken(path)))
    }

    /// Returns the folders below which the glob would match; nothing for one file's name, of which
    /// every folder may have one.
    fn below(&self, glob: &str) -> Option<Vec<String>> {
        let is_file = !glob.contains(['/', '*']) && !self.is_name_of_folder(glob);
        if is_file || glob.starts_with("**") {
            return None;
        }
        let scope = Scope::parse(&[glob]).ok()?;
        let anywhere = Scope::parse(&[format!("*/**/{glob}"), format!("*/**/{glob}/**")]).ok()?;
        let mut folders: Vec<String> = Vec::new();
        for path in self.files.iter().filter(|path| anywhere.owns(path)) {
            let Ok(text) = std::str::from_utf8(path.as_bytes()) else { continue };
            let cuts = text.match_indices('/').map(|(at, _)| at);
            let fits = |at: &usize| scope.owns(&text[at + 1..].into());
            if let Some(at) = cuts.into_iter().find(fits)
                && !folders.iter().any(|folder| folder == &text[..at])
            {
                folders.push(text[..at].to_owned());
            }
        }
        (!folders.is_empty()).then_some(folders)
    }

    fn is_name_of_folder(&self, name: &str) -> bool {
        self.folders
            .iter()
            .any(|folder| folder.rsplit(|b| *b == b'/').next() == Some(name.as_bytes()))
    }
}

/// Returns the glob that means the text letter by letter, stars apart.
pub fn literal(glob: &str) -> String {
    let spell = |letter: char| match letter {
        '[' | '?' => format!("[{letter}]"),
        // Braces are read first, in brackets too.
        '{' | '}' => "?".to_owned(),
        letter => letter.to_string(),
    };
    glob.chars().map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: &[&str] = &[
        "Lib/x.py",
        "README.md",
        "api/src/main.rs",
        "app/(auth)/page.tsx",
        "app/[...all]/page.tsx",
        "app/[[...slug]]/page.tsx",
        "app/[id]/page.tsx",
        "app/i/page.tsx",
        "caf\u{e9}/x",
        "docs/a.md",
        "packages/ui/README.md",
        "templates/{{name}}/x.py",
        "users/model.rs",
        "web/src/a.ts",
        "web/src/deep/b.ts",
    ];

    fn advice(globs: &str) -> Vec<String> {
        let text = format!("workflow: w\nworkers:\n  - {{id: a, name: x, owns: [{globs}]}}\n");
        let files: Vec<RepoPath> = FILES.iter().map(|path| (*path).into()).collect();
        warnings(&Plan::parse(&text).unwrap(), &files)
    }

    #[test]
    fn what_matches_nothing_is_told_with_the_spelling_that_would() {
        for (glob, expected) in [
            ("src/deep/**", "`web/src/deep/**`"),
            ("deep", "`web/src/deep`"),
            ("src/*.ts", "`web/src/*.ts`"),
            ("src/**", "`api/src/**`, `web/src/**`"),
            ("src/", "`api/src/`, `web/src/`"),
            ("lib/**", "`Lib/**`"),
            ("LIB", "`Lib`"),
            ("WEB/SRC/*.ts", "`web/src/*.ts`"),
            ("web/SRC/**/b.ts", "`web/src/**/b.ts`"),
            ("\"cafe\u{301}\"", "`caf\u{e9}`"),
            ("web/scr/**", "`web/src/**`"),
            ("user/**", "`users/**`"),
            ("\"**/user/*\"", "`**/users/*`"),
            ("\"**/depe/**\"", "`**/deep/**`"),
            ("\"web/src /**\"", "`web/src/**`"),
            ("\"app/[id]/page.tsx\"", "`app/[[]id]/page.tsx`"),
            ("\"app/[id]\"", "`app/[[]id]`"),
            ("\"app/[id]/**\"", "`app/[[]id]/**`"),
            ("\"app/[...all]/**\"", "`app/[[]...all]/**`"),
            ("\"app/[[...slug]]/page.tsx\"", "`app/[[][[]...slug]]/page.tsx`"),
            (
                "\"templates/{{name}}/**\"",
                "braces hold a choice, and a file is called `templates/{{name}}/x.py`: write `templates/??name??/**`",
            ),
        ] {
            let said = advice(glob);
            assert!(said.len() == 1 && said[0].contains(expected), "{glob}: {said:?}");
        }
    }

    #[test]
    fn what_copy_does_not_bring_is_told() {
        let plan = |glob: &str| {
            let text = format!(
                "workflow: w\ncopy: [{glob}]\nworkers:\n  - {{id: a, name: x, owns: [y]}}\n"
            );
            Plan::parse(&text).unwrap()
        };
        let ignored = [".env", "conf/[env].json", "conf/e.json"].map(RepoPath::from);
        let uncommitted = ["loose"].map(RepoPath::from);
        for (glob, expected) in [
            (".envs", "matches no ignored file"),
            ("loose", "commit `loose`"),
            ("\"conf/[env].json\"", "write `conf/[[]env].json`"),
        ] {
            let said = uncopied(&plan(glob), &ignored, &uncommitted);
            assert!(said.len() == 1 && said[0].contains(expected), "{glob}: {said:?}");
        }
        for glob in [".env", "conf", "\"conf/[[]env].json\"", "\"**/*.json\""] {
            assert_eq!(uncopied(&plan(glob), &ignored, &uncommitted), [""; 0], "{glob}");
        }
    }

    #[test]
    fn the_spelling_that_is_told_matches() {
        let files: Vec<RepoPath> = FILES.iter().map(|path| (*path).into()).collect();
        let tree = Tree::of(&files);
        for file in FILES {
            assert_eq!(tree.first(&literal(file)), Some(&RepoPath::from(*file)), "{file}");
        }
    }

    #[test]
    fn what_matches_or_is_to_be_made_is_not_told_of() {
        for glob in [
            "web/src/**",
            "\"app/(auth)/**\"",
            "\"app/[[]id]/**\"",
            "\"web/src/{a,b}.ts\"",
            "\"**/*.rs\"",
            "\"**/src/*.py\"",
            "\"**/use*/**\"",
            "web/src/c.ts",
            "api/orders/**",
            "CHANGELOG.md",
            "model.rs",
            "tests/**",
            "new",
            "uses/**, users/**",
            "deep/**, users/**",
            "src, users",
            "packages/ui2/**",
        ] {
            assert_eq!(advice(glob), [""; 0], "{glob}");
        }
    }
}
