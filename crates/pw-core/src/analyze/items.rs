//! Work items out of Markdown documents: what is to be done, in which files, after what, and what
//! the document leaves open.
//!
//! Nothing is guessed in silence: a name that could mean two files, a dependency that no item is,
//! an item that names no file: each is said in `needs_clarification`.

mod dependencies;
mod document;
mod resolve;
mod sections;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::document::Document;
use self::resolve::Found;
pub use self::resolve::Tracked;
use self::sections::{Draft, Work};
pub use self::words::Priority;
use super::kinds::Kind;
use super::probable::ProbableFile;
use crate::graph;
use crate::path::RepoPath;
use crate::plan::Size;
use crate::text::{bounded, counted};

/// More items than this are no task for a handful of workers.
const MAX_ITEMS: usize = 200;

/// How many identifiers are looked up.
const MAX_IDENTIFIERS: usize = 100;

/// Characters of an item, or of a step of it, that are read.
const MAX_TEXT: usize = 2_000;

/// Steps and code spans of an item that are read.
const MAX_STEPS: usize = 60;

/// Characters of an item's words that are told.
const MAX_ACTION: usize = 160;

/// One piece of work that a document asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorkItem {
    /// `item-1` and so on, in the order of the documents; items that are done have none.
    pub id: String,
    /// What is to be done, in the document's words.
    pub action: String,
    /// The document, as it was named.
    pub document: String,
    /// Its line there, counted from 1.
    pub line: usize,
    /// How urgent the document says it is; absent when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// How much work the document says it is; absent when it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<Size>,
    /// The files and folders it names, and those that define what it names.
    pub files: Vec<ItemFile>,
    /// Of one that names none, the files that it probably changes, the likeliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probable_files: Vec<ProbableFile>,
    /// Items that it comes after, by id.
    pub after: Vec<String>,
    /// What is to be asked before anybody starts on it, one text each.
    pub needs_clarification: Vec<String>,
}

/// A file or folder that an item changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ItemFile {
    /// Where it is, or will be.
    pub path: RepoPath,
    /// Whether it is not there yet.
    #[serde(rename = "new", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_new: bool,
    /// Whether it is a folder with all that lies in it.
    #[serde(rename = "folder", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_folder: bool,
}

/// Documents that were read, before their names are looked up.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// All drafts, those that are done, too: others may come after them.
    drafts: Vec<Draft>,
    names: Vec<String>,
    notes: Vec<String>,
}

impl Reading {
    /// Reads documents, each with its name.
    pub fn of(documents: &[(String, String)]) -> Self {
        let mut reading = Self::default();
        for (at, (name, text)) in documents.iter().enumerate() {
            let document = Document::read(text);
            let mut work = Work::of(&document);
            work.drafts.iter_mut().for_each(|draft| draft.bound(at));
            if work.drafts.is_empty() {
                reading.notes.push(format!("{name} names nothing to do"));
            }
            if document.tables > 0 {
                reading.notes.push(format!("{} of {name} not read", tables(document.tables)));
            }
            if !work.background.is_empty() {
                let titles: Vec<String> =
                    work.background.iter().take(5).map(|title| bounded(title, 40)).collect();
                reading.notes.push(format!("taken as background in {name}: {}", titles.join(", ")));
            }
            reading.drafts.extend(work.drafts);
            reading.names.push(name.clone());
        }
        let open = reading.drafts.iter().filter(|draft| !draft.is_done).count();
        let done = reading.drafts.len() - open;
        if done > 0 {
            reading.notes.push(format!("{} done already", counted(done, "item")));
        }
        if open > MAX_ITEMS {
            reading.notes.push(format!("of {open} items the first {MAX_ITEMS} are told"));
        }
        let mut kept = (0, 0);
        reading.drafts.retain(|draft| {
            let kept = if draft.is_done { &mut kept.0 } else { &mut kept.1 };
            *kept += 1;
            *kept <= MAX_ITEMS
        });
        reading
    }

    /// Returns the names to look for in the repository: what defines them is what an item changes.
    pub fn identifiers(&self, tracked: &Tracked) -> Vec<String> {
        let mut found = BTreeSet::new();
        for draft in self.open() {
            for span in &draft.spans {
                if let Found::Identifier(name) = tracked.find(span, false) {
                    found.insert(name);
                }
            }
        }
        found.into_iter().take(MAX_IDENTIFIERS).collect()
    }

    /// Returns the items, and what is to be said of the documents; `definitions` are the files that
    /// define each identifier.
    pub fn items(
        self,
        tracked: &Tracked,
        definitions: &BTreeMap<String, Vec<RepoPath>>,
    ) -> (Vec<WorkItem>, Vec<String>) {
        let mut places: Vec<usize> = (0..self.drafts.len()).collect();
        places.retain(|at| !self.drafts[*at].is_done);
        let id = |at: usize| {
            let place = places.binary_search(&at).ok()?;
            Some(format!("item-{}", place + 1))
        };
        let (edges, mut unknown) = self.waits(&places);
        let items = places.iter().map(|at| {
            let draft = &self.drafts[*at];
            let (files, mut unclear) = files(draft, tracked, definitions);
            unclear.append(&mut unknown[*at]);
            let size = draft.said(words::size);
            unclear.extend(open_words(draft, size));
            WorkItem {
                id: id(*at).unwrap_or_default(),
                action: bounded(&draft.text, MAX_ACTION),
                document: self.names[draft.document].clone(),
                line: draft.line,
                priority: draft.said(words::priority).or_else(|| draft.inherited(words::priority)),
                size,
                files,
                probable_files: Vec::new(),
                after: edges[*at].iter().filter_map(|other| id(*other)).collect(),
                needs_clarification: unclear,
            }
        });
        (items.collect(), self.notes)
    }

    fn open(&self) -> impl Iterator<Item = &Draft> {
        self.drafts.iter().filter(|draft| !draft.is_done)
    }

    /// Returns what each draft waits for, without circles, and what is unclear about that.
    fn waits(&self, open: &[usize]) -> (Vec<Vec<usize>>, Vec<Vec<String>>) {
        let mut on: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); self.drafts.len()];
        let mut unclear: Vec<Vec<String>> = vec![Vec::new(); self.drafts.len()];
        for at in open {
            let waits = dependencies::waits(&self.drafts, *at);
            for other in &waits.blocks {
                on[*other].insert(*at);
            }
            on[*at].extend(waits.on);
            let unknown = waits.unknown.iter();
            unclear[*at].extend(
                unknown.map(|what| format!("it comes after “{what}”, which is no item here")),
            );
        }
        let mut edges: Vec<Vec<usize>> =
            on.into_iter().map(|on| on.into_iter().collect()).collect();
        for circle in graph::cycles(&edges) {
            for at in &circle {
                edges[*at].retain(|other| !circle.contains(other));
                unclear[*at].push("it waits for an item that waits for it".to_owned());
            }
        }
        (edges, unclear)
    }
}

impl Draft {
    /// Leaves of an endless item what can be one, and says which document it stands in.
    fn bound(&mut self, document: usize) {
        self.document = document;
        self.text = bounded(&self.text, MAX_TEXT);
        self.steps.truncate(MAX_STEPS);
        self.steps.iter_mut().for_each(|step| *step = bounded(step, MAX_TEXT));
        self.spans.truncate(MAX_STEPS);
    }

    /// Returns what its own words or those nested in it say.
    fn said<T>(&self, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        std::iter::once(&self.text).chain(&self.steps).find_map(|text| read(text))
    }

    /// Returns what the nearest heading that says anything says.
    fn inherited<T>(&self, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.context.iter().rev().find_map(|title| read(title))
    }
}

fn tables(number: usize) -> String {
    if number == 1 { "1 table".to_owned() } else { format!("{number} tables") }
}

/// Returns the files that a draft names, and what is not sure about them.
fn files(
    draft: &Draft,
    tracked: &Tracked,
    definitions: &BTreeMap<String, Vec<RepoPath>>,
) -> (Vec<ItemFile>, Vec<String>) {
    let makes = resolve::makes(&draft.text);
    let (mut files, mut unclear) = (BTreeSet::new(), Vec::new());
    let mut names = Vec::new();
    for span in &draft.spans {
        let shown = bounded(span, 60);
        match tracked.find(span, makes) {
            Found::Files(found) => files.extend(found),
            Found::Several(paths) => unclear.push(format!("`{shown}` can be {}", some(&paths))),
            Found::NoFile => unclear.push(format!("`{shown}` is no tracked file")),
            Found::Identifier(name) => names.push((name, span)),
            Found::Nothing => {}
        }
    }
    for text in std::iter::once(&draft.text).chain(&draft.steps) {
        files.extend(text.split_whitespace().filter_map(|word| tracked.word(word)));
    }
    for (name, span) in names {
        let defined = definitions.get(&name).map(Vec::as_slice).unwrap_or_default();
        let is_here = |path: &&RepoPath| files.iter().any(|file: &ItemFile| file.covers(path));
        if defined.iter().any(|path| is_here(&path)) {
            continue;
        }
        let sources: Vec<&RepoPath> =
            defined.iter().filter(|path| Kind::of(path.as_bytes()) != Kind::Test).collect();
        let one = if sources.len() == 1 { Some(sources[0]) } else { defined.first() };
        match one.filter(|_| sources.len() == 1 || defined.len() == 1) {
            Some(path) => {
                files.insert(ItemFile { path: path.clone(), is_new: false, is_folder: false });
            }
            None if !defined.is_empty() => {
                unclear.push(format!("`{name}` is defined in {}", some(defined)));
            }
            None if resolve::is_surely_code(span) && !makes => {
                unclear.push(format!("`{name}` is defined nowhere"));
            }
            None => {}
        }
    }
    let inner = |file: &ItemFile| {
        files.iter().any(|other| other.is_folder && other.path.contains(&file.path))
    };
    let files: Vec<ItemFile> = files.iter().filter(|file| !inner(file)).cloned().collect();
    if files.is_empty() && unclear.is_empty() {
        unclear.push("it names no file".to_owned());
    }
    (files, unclear)
}

impl ItemFile {
    /// Returns whether this is the path, or a folder above it.
    pub fn covers(&self, path: &RepoPath) -> bool {
        self.path == *path || (self.is_folder && self.path.contains(path))
    }

    /// Returns whether two items that change these meet in a file.
    pub fn meets(&self, other: &Self) -> bool {
        self.covers(&other.path) || other.covers(&self.path)
    }
}

fn some(paths: &[RepoPath]) -> String {
    let listed: Vec<String> = paths.iter().take(3).map(ToString::to_string).collect();
    let more = paths.len().saturating_sub(3);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    listed.join(", ") + &more
}

fn open_words(draft: &Draft, size: Option<Size>) -> Vec<String> {
    let open =
        words::left_open(&draft.text).map(|words| format!("its words leave it open: {words}"));
    let large = (size == Some(Size::Xl)).then(|| "it is XL: to be split".to_owned());
    open.into_iter().chain(large).collect()
}
