//! A Markdown file of the plugin, cut into what the tests look at.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const HELPERS: [&str; 5] =
    ["pw-setup", "pw-monitor", "pw-integrate", "pw-worker", "pw-retro"];

/// Longest description of a skill or agent, in characters.
const MAX_DESCRIPTION: usize = 500;

#[derive(Clone)]
pub(super) struct Page {
    /// Its path in the repository.
    pub(super) name: String,
    pub(super) text: String,
}

/// One row of a table; `cells` are trimmed.
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) cells: Vec<String>,
}

impl Row {
    /// Returns the snake_case words that a cell quotes.
    pub(super) fn names(&self, cell: usize) -> Vec<String> {
        let word = |text: &&str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let quoted = self.cells[cell].split('`').skip(1).step_by(2);
        quoted.filter(word).map(str::to_owned).collect()
    }
}

/// Returns the repository, which is the plugin.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Returns everything people and Claude read.
pub(super) fn pages() -> Vec<Page> {
    let names = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "crates/README.md"];
    let mut pages = names.map(Page::read).to_vec();
    let mut folders =
        ["skills", "agents", "commands", "docs"].map(|name| root().join(name)).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(Page::read(path.strip_prefix(root()).unwrap().to_str().unwrap()));
            }
        }
    }
    pages
}

impl Page {
    pub(super) fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name));
        let text = text.unwrap_or_else(|error| panic!("{name}: {error}"));
        Self { name: name.to_owned(), text }
    }

    pub(super) fn folder(&self) -> PathBuf {
        root().join(&self.name).parent().unwrap().to_owned()
    }

    /// Returns each line with its number and the language of the fence it stands in.
    fn lines(&self) -> impl Iterator<Item = (usize, Option<&str>, &str)> {
        let mut fence = None;
        self.text.lines().zip(1..).filter_map(move |(line, number)| {
            if let Some(language) = line.trim_start().strip_prefix("```") {
                fence = if fence.is_none() { Some(language) } else { None };
                return None;
            }
            Some((number, fence, line))
        })
    }

    /// Returns the lines of `bash` fences.
    pub(super) fn commands(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .filter(|(_, fence, line)| *fence == Some("bash") && !line.is_empty())
            .map(|(number, _, line)| (number, line))
    }

    /// Returns everything in code type, in order: code spans, and lines of `bash` fences.
    pub(super) fn code(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for (number, fence, line) in self.lines() {
            match fence {
                Some("bash") => found.push((number, line)),
                None => {
                    let parts: Vec<&str> = line.split('`').collect();
                    assert!(parts.len() % 2 == 1, "{}:{number}: a span goes on below", self.name);
                    found.extend(parts.into_iter().skip(1).step_by(2).map(|text| (number, text)));
                }
                _ => {}
            }
        }
        found
    }

    /// Returns the whole fences of a language, each with the number of its first line.
    pub(super) fn fences(&self, language: &str) -> Vec<(usize, String)> {
        let mut fences: Vec<(usize, usize, String)> = Vec::new();
        for (number, _, line) in self.lines().filter(|(_, fence, _)| *fence == Some(language)) {
            match fences.last_mut() {
                Some((_, last, text)) if *last + 1 == number => {
                    *last = number;
                    *text += &format!("{line}\n");
                }
                _ => fences.push((number, number, format!("{line}\n"))),
            }
        }
        fences.into_iter().map(|(first, _, text)| (first, text)).collect()
    }

    /// Returns the tables, head first, without the rule below the head.
    pub(super) fn tables(&self) -> Vec<Vec<Row>> {
        let mut tables: Vec<Vec<Row>> = Vec::new();
        let mut before = 0;
        for (line, _, text) in self.lines().filter(|(_, fence, _)| fence.is_none()) {
            let Some(inner) = text.strip_prefix('|').and_then(|t| t.strip_suffix('|')) else {
                continue;
            };
            let cells: Vec<String> = inner.split('|').map(|cell| cell.trim().to_owned()).collect();
            if before + 1 != line {
                tables.push(Vec::new());
            }
            before = line;
            if !cells.iter().all(|cell| cell.chars().all(|c| c == '-')) {
                tables.last_mut().unwrap().push(Row { line, cells });
            }
        }
        tables
    }

    /// Returns the relative targets of links.
    pub(super) fn links(&self) -> Vec<(usize, &str)> {
        let prose = self.lines().filter(|(_, fence, _)| fence.is_none());
        let targets = prose.flat_map(|(number, _, line)| {
            line.split("](").skip(1).map(move |rest| (number, rest.split(')').next().unwrap()))
        });
        targets.filter(|(_, target)| !target.contains("://")).collect()
    }

    /// Returns the frontmatter.
    pub(super) fn head(&self) -> BTreeMap<&str, &str> {
        let head = self.text.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0;
        head.lines().map(|line| line.split_once(": ").unwrap()).collect()
    }

    /// Requires these keys in this order, the name, words in the description, and a length.
    pub(super) fn require_head(&self, keys: &[&str], name: &str, words: &[&str], lines: usize) {
        let written = self.text.lines().skip(1).take_while(|line| *line != "---");
        let written: Vec<&str> = written.map(|line| line.split(':').next().unwrap()).collect();
        assert_eq!(written, keys, "{}", self.name);
        let head = self.head();
        assert_eq!(head["name"], name, "{}", self.name);
        let description = head["description"];
        for word in words {
            assert!(description.contains(word), "{}: not in the description: {word}", self.name);
        }
        let length = description.chars().count();
        assert!(length <= MAX_DESCRIPTION, "{}: description of {length}", self.name);
        // A plain YAML scalar must not hold these.
        assert!(!description.contains(": ") && !description.contains(" #"), "{}", self.name);
        let count = self.text.lines().count();
        assert!(count <= lines, "{}: {count} lines", self.name);
    }

    /// Compares every generated part with what `make` returns for its name; `UPDATE=1` rewrites it.
    pub(super) fn regenerate(&self, make: &dyn Fn(&str) -> String) {
        let mut new = String::new();
        let mut rest = self.text.as_str();
        while let Some((before, after)) = rest.split_once("\n<!-- generated: ") {
            let (name, after) = after.split_once(" -->\n").unwrap();
            let (_, after) = after.split_once("<!-- end -->").unwrap();
            new += &format!("{before}\n<!-- generated: {name} -->\n{}<!-- end -->", make(name));
            rest = after;
        }
        new += rest;
        if std::env::var_os("UPDATE").is_some() {
            fs::write(root().join(&self.name), new).unwrap();
        } else {
            assert_eq!(self.text, new, "{}: run again with UPDATE=1", self.name);
        }
    }
}
