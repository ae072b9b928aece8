//! Which paths a worker owns, and whether two workers could ever own the same one.
//!
//! A scope is a list of globs: `*` and `?` stay within a segment, `**` is any number of segments,
//! `[a-z]` and `{a,b}` as in a shell, `!glob` takes paths away again. A pattern whose last segment
//! is literal (`docs`, `src/api`) owns that path and everything below it, unless it has a `**`; a
//! trailing `/` owns everything below. [`Scope::owns`] compares exact bytes. [`overlaps`] decides
//! overlap on the globs themselves, not on the files that exist today, and ignores letter case and
//! Unicode form, since a clone on another system cannot tell such files apart. A wildcard's names
//! are spelled as the other scope spells them, so an exclusion holds for the spelling it names.

mod automaton;
mod fold;
mod glob;
mod name;
mod overlap;
mod parse;
mod subtract;
mod wildcards;

pub use fold::folded;
use glob::Pattern;
pub use overlap::{Meeting, first_overlaps, overlaps};
pub use parse::BadGlob;

use crate::path::RepoPath;

/// Most globs one worker may list.
pub const MAX_GLOBS: usize = 200;

/// The paths a worker owns.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    owned: Vec<Glob>,
    excluded: Vec<Glob>,
}

/// One glob as written, without empty segments and `.`, and the patterns its braces stand for.
#[derive(Clone, Debug)]
struct Glob {
    text: String,
    patterns: Vec<Pattern>,
}

impl Scope {
    /// Reads globs; returns every one that cannot be used, with its index.
    pub fn parse<S: AsRef<str>>(globs: &[S]) -> Result<Self, Vec<(usize, BadGlob)>> {
        let mut scope = Self::default();
        let (mut bad, mut room) = (Vec::new(), parse::MAX_PATTERNS);
        for (index, text) in globs.iter().enumerate() {
            let text = text.as_ref();
            let (list, not, body) = match text.strip_prefix('!') {
                Some(body) => (&mut scope.excluded, "!", body),
                None => (&mut scope.owned, "", text),
            };
            let body = parse::tidied(body);
            match parse::parse(&body, room) {
                Ok(patterns) => {
                    room -= patterns.len();
                    list.push(Glob { text: format!("{not}{body}"), patterns });
                }
                Err(error) => bad.push((index, error)),
            }
        }
        if bad.is_empty() { Ok(scope) } else { Err(bad) }
    }

    /// Returns whether `path` belongs to this scope, byte for byte.
    pub fn owns(&self, path: &RepoPath) -> bool {
        let segments: Vec<_> = path.segments().map(glob::symbols).collect();
        let any = |globs: &[Glob]| {
            globs.iter().flat_map(|glob| &glob.patterns).any(|pattern| pattern.matches(&segments))
        };
        any(&self.owned) && !any(&self.excluded)
    }

    /// Returns the globs as they were written.
    pub fn globs(&self) -> impl Iterator<Item = &str> {
        self.owned.iter().chain(&self.excluded).map(|glob| glob.text.as_str())
    }

    /// Returns the owned and the excluded paths as plain globs for another program: no braces, no
    /// `!`, the tree below a literal path said outright.
    pub fn spelled_out(&self) -> (Vec<String>, Vec<String>) {
        let spell = |globs: &[Glob]| {
            globs.iter().flat_map(|glob| &glob.patterns).flat_map(Pattern::spelled_out).collect()
        };
        (spell(&self.owned), spell(&self.excluded))
    }

    /// Returns folders below which, or as which, lies all that is owned and not at the top; `None`
    /// when it may be anywhere.
    pub fn folders(&self) -> Option<Vec<RepoPath>> {
        let folders = self.owned.iter().flat_map(|glob| &glob.patterns).map(Pattern::folder);
        let folders: Vec<String> = folders.collect::<Option<_>>()?;
        let named = folders.iter().filter(|folder| !folder.is_empty());
        Some(named.map(|folder| folder.as_str().into()).collect())
    }

    /// Returns the scope that owns the same in every folder, with all that lies below it.
    #[must_use]
    pub fn anywhere(&self) -> Self {
        let widen = |glob: &str| {
            let (not, body) = glob.strip_prefix('!').map_or(("", glob), |body| ("!", body));
            let body = body.trim_end_matches('/');
            [format!("{not}**/{body}"), format!("{not}**/{body}/**")]
        };
        let globs: Vec<String> = self.globs().flat_map(widen).collect();
        Self::parse(&globs).unwrap_or_default()
    }

    /// Returns the scope that owns and excludes what either does.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.owned.extend(other.owned.iter().cloned());
        self.excluded.extend(other.excluded.iter().cloned());
        self
    }

    /// Returns whether the scope owns nothing at all.
    pub fn is_empty(&self) -> bool {
        self.owned.is_empty()
    }

    /// Returns the globs that match entries of a folder but nothing below them, like `src/*`,
    /// usually `src/*/**` was meant.
    pub fn shallow(&self) -> impl Iterator<Item = &str> {
        let shallow = |glob: &&Glob| glob.patterns.iter().any(Pattern::is_shallow);
        self.owned.iter().filter(shallow).map(|glob| glob.text.as_str())
    }
}

#[cfg(test)]
mod tests;
