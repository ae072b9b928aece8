//! What is known while a script is read: the shell it would run in, and the first refusal.

use std::collections::BTreeMap;

use brush_parser::{ParserOptions, ast};

use super::arguments::{ANY_BELOW, UNKNOWN, Word};
use super::arrays::{Array, Place};
use super::call::Call;
use super::decide::{self, Change};
use super::session;
use super::surroundings::{Surroundings, Target};
use crate::plan::{Plan, Worker};

/// What the shell puts in the place of `<(…)`.
pub(super) const STREAM: &str = "/dev/fd/63";
/// Deepest scripts inside of scripts.
const MAX_SCRIPTS: usize = 12;
/// Most commands that are judged, a loop's counted each time.
const MAX_COMMANDS: usize = 5_000;

/// A variable outside a function, which has one of the same name.
#[derive(Clone, Debug)]
pub(super) struct Hidden {
    name: String,
    value: Option<Option<String>>,
    array: Option<Array>,
}

/// What the script has set so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Shell {
    /// `None` when it cannot be told.
    pub(super) folder: Option<String>,
    pub(super) before: Option<String>,
    /// Variables the script sets, `None` where the value cannot be told.
    pub(super) variables: BTreeMap<String, Option<String>>,
    /// What `local` hides, until the function returns.
    pub(super) hidden: Vec<Hidden>,
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) functions: BTreeMap<String, ast::FunctionBody>,
    pub(super) positional: Option<Vec<String>>,
    /// `$0` of a script that `sh -c` is given.
    pub(super) zero: Option<String>,
    /// The words of variables that hold several, as far as they are known.
    pub(super) arrays: BTreeMap<String, Array>,
    /// Links that the script makes, absolute, and where they lead.
    pub(super) links: Vec<(String, String)>,
    /// What the next command reads, where that is known.
    pub(super) stdin: Option<String>,
    /// Whether the session's environment is taken away, as by `env -i`.
    pub(super) is_bare: bool,
}

/// Reads one script. The first refusal is the answer.
pub(super) struct Judge<'a> {
    pub(super) plan: &'a Plan,
    pub(super) worker: &'a Worker,
    pub(super) around: &'a dyn Surroundings,
    pub(super) options: ParserOptions,
    pub(super) shell: Shell,
    rules: Rules,
    denied: Option<String>,
    depth: usize,
    left: usize,
}

/// How scripts and simple commands are judged. Each leads to the other, so neither names it.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) script: fn(&mut Judge<'_>, &str) -> Option<String>,
    /// A command by its name alone.
    pub(super) command: fn(&mut Judge<'_>, &Call) -> Option<String>,
    /// The same, or what the script calls by that name.
    pub(super) call: fn(&mut Judge<'_>, &Call) -> Option<String>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        worker: &'a Worker,
        around: &'a dyn Surroundings,
        rules: Rules,
    ) -> Self {
        let shell = Shell { folder: Some(around.folder()), ..Shell::default() };
        let options = ParserOptions::default();
        Self {
            plan,
            worker,
            around,
            options,
            shell,
            rules,
            denied: None,
            depth: 0,
            left: MAX_COMMANDS,
        }
    }

    /// Returns why the script is refused, if it is.
    pub(super) fn read(mut self, script: &str) -> Option<String> {
        self.script(script);
        self.denied
    }

    pub(super) fn deny(&mut self, reason: impl Into<String>) {
        self.denied.get_or_insert_with(|| reason.into());
    }

    pub(super) fn give_up(&mut self, reason: &str) {
        self.deny(format!(
            "the guard cannot read this command: {reason}. Write it more simply, one command at a time"
        ));
    }

    /// Returns the value of a variable, if it is known before the script runs.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        match (self.shell.variables.get(name), name) {
            (Some(value), _) => value.clone(),
            (None, "PWD") => self.shell.folder.clone(),
            (None, "OLDPWD") => self.shell.before.clone(),
            (None, "IFS") => Some(" \t\n".to_owned()),
            (None, _) => self.around.variable(name),
        }
    }

    /// Sets a variable of the shell or, as in `x[1]`, an element; `None` where the value cannot be
    /// told.
    pub(super) fn set(&mut self, name: &str, value: Option<String>) {
        if let Some((name, index)) = element(name) {
            let mut array = self.array(name).unwrap_or_default();
            array.set(self.place(&array, index), value.unwrap_or_else(|| UNKNOWN.to_string()));
            return self.set_array(name, array);
        }
        self.names(name);
        // Without an index, the first is meant.
        if let Some(array) = self.shell.arrays.get_mut(name) {
            let first = if array.has_keys { Place::Key("0".to_owned()) } else { Place::Index(0) };
            array.set(Some(first), value.clone().unwrap_or_else(|| UNKNOWN.to_string()));
        }
        self.shell.variables.insert(name.to_owned(), value);
    }

    /// Begins a variable of a function's own.
    pub(super) fn hide(&mut self, name: &str) {
        let value = self.shell.variables.insert(name.to_owned(), None);
        let array = self.shell.arrays.remove(name);
        self.shell.hidden.push(Hidden { name: name.to_owned(), value, array });
    }

    /// Ends the variables of a function's own, down to those of its caller.
    pub(super) fn show(&mut self, callers: usize) {
        let callers = callers.min(self.shell.hidden.len());
        for Hidden { name, value, array } in self.shell.hidden.split_off(callers).into_iter().rev()
        {
            match value {
                Some(value) => drop(self.shell.variables.insert(name.clone(), value)),
                None => drop(self.shell.variables.remove(&name)),
            }
            match array {
                Some(array) => drop(self.shell.arrays.insert(name, array)),
                None => drop(self.shell.arrays.remove(&name)),
            }
        }
    }

    /// Sets all elements of a variable.
    pub(super) fn set_array(&mut self, name: &str, array: Array) {
        self.names(name);
        let first = self.place(&array, "0");
        let first = array.get(first.as_ref()).filter(|text| Word::is_told(text));
        self.shell.variables.insert(name.to_owned(), first.map(str::to_owned));
        self.shell.arrays.insert(name.to_owned(), array);
    }

    /// Takes a variable or an element away.
    pub(super) fn unset(&mut self, name: &str) {
        if let Some((name, index)) = element(name) {
            if let Some(mut array) = self.array(name) {
                array.unset(self.place(&array, index).as_ref());
                self.set_array(name, array);
            }
            return;
        }
        self.names(name);
        self.shell.arrays.remove(name);
        self.shell.variables.insert(name.to_owned(), Some(String::new()));
    }

    /// Returns the elements of a variable, if anything is known of it.
    pub(super) fn array(&self, name: &str) -> Option<Array> {
        if let Some(array) = self.shell.arrays.get(name) {
            return Some(array.clone());
        }
        let is_set = self.shell.variables.contains_key(name);
        let only = self.variable(name).or(is_set.then(|| UNKNOWN.to_string()))?;
        Some(Array::new(Some(only).filter(|only| !only.is_empty())))
    }

    /// Returns what an index of an array means, once it is expanded.
    pub(super) fn place(&self, array: &Array, index: &str) -> Option<Place> {
        array.place(index, |name| self.variable(name))
    }

    /// Refuses what sets or unsets a variable that says which worker the session is.
    pub(super) fn names(&mut self, variable: &str) {
        if session::is_name(variable) {
            self.deny(format!(
                "{variable} says which worker this session is ({}), and the session cannot change that: \
                 leave it as it is",
                self.worker.id
            ));
        }
    }

    /// Judges a script in this shell; returns what it prints, where that is known.
    pub(super) fn script(&mut self, text: &str) -> Option<String> {
        if self.denied.is_some() {
            return None;
        }
        self.deeper(|judge| (judge.rules.script)(judge, text))
    }

    /// Judges a script in a shell of its own; returns what it prints.
    pub(super) fn subshell(&mut self, text: &str) -> Option<String> {
        let shell = self.shell.clone();
        let printed = self.script(text);
        self.shell = shell;
        printed
    }

    /// The same for `$(…)`, which drops the newlines at the end.
    pub(super) fn substitution(&mut self, text: &str) -> Option<String> {
        let printed = self.subshell(text)?;
        Some(printed.trim_end_matches('\n').to_owned())
    }

    /// Judges a simple command; returns what it prints, where that is known.
    pub(super) fn call(&mut self, call: &Call) -> Option<String> {
        if self.denied.is_some() { None } else { (self.rules.call)(self, call) }
    }

    /// Judges a command whose name the script gave no other meaning.
    pub(super) fn program(&mut self, call: &Call) -> Option<String> {
        (self.rules.command)(self, call)
    }

    /// Returns whether one more command can be judged, and counts it.
    pub(super) fn goes_on(&mut self) -> bool {
        if self.denied.is_none() && self.left == 0 {
            self.give_up("it is too long");
        }
        self.left = self.left.saturating_sub(1);
        self.denied.is_none()
    }

    /// Goes one level deeper for as long as `judge` lasts; too deep is left out.
    pub(super) fn deeper<T>(&mut self, judge: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth >= MAX_SCRIPTS {
            self.give_up("too many scripts inside of scripts");
            return None;
        }
        self.depth += 1;
        let found = judge(self);
        self.depth -= 1;
        found
    }

    /// Returns the files a word stands for: itself, or what it matches.
    pub(super) fn files(&self, word: &Word) -> Vec<Word> {
        let Some(pattern) = word.pattern.as_ref().filter(|_| word.is_known()) else {
            return vec![word.clone()];
        };
        let Some(pattern) = self.absolute(pattern) else { return vec![word.clone()] };
        let found = self.around.matching(&pattern);
        if found.is_empty() {
            vec![word.clone()]
        } else {
            found.into_iter().map(Word::new).collect()
        }
    }

    /// Returns a path as it is from anywhere, if the folder is known.
    pub(super) fn absolute(&self, path: &str) -> Option<String> {
        if path.starts_with('/') {
            return Some(path.to_owned());
        }
        Some(format!("{}/{path}", self.shell.folder.as_ref()?))
    }

    /// Returns where a word names a file, or the folder of it as far as it is known.
    pub(super) fn target(&self, word: &str) -> Option<(bool, Target)> {
        if known(word).is_empty() {
            return None;
        }
        self.reached(&self.through_links(&self.absolute(word)?))
    }

    fn reached(&self, path: &str) -> Option<(bool, Target)> {
        Some((!path.contains(UNKNOWN), self.around.target(known(path))))
    }

    /// Notes a link that the script makes.
    pub(super) fn links_to(&mut self, link: &str, to: &str) {
        if let (Some(link), Some(to)) = (self.absolute(link), self.absolute(to)) {
            self.shell.links.push((straight(&link), to));
        }
    }

    /// Returns where a path leads by the links that the script made; the last one counts.
    fn through_links(&self, path: &str) -> String {
        let mut path = straight(path);
        for (link, to) in self.shell.links.iter().rev() {
            let below = path.strip_prefix(link.as_str());
            if let Some(below) = below.filter(|below| below.is_empty() || below.starts_with('/')) {
                path = straight(&format!("{to}{below}"));
            }
        }
        path
    }

    /// Returns whether a path is a folder that exists.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        let path = (!path.contains(UNKNOWN)).then(|| self.absolute(path)).flatten();
        path.is_some_and(|path| self.around.is_folder(&path))
    }

    /// Returns whether a text names a file of the worktree that git tracks.
    pub(super) fn is_tracked(&self, text: &str) -> bool {
        let target = self.target(text);
        matches!(target, Some((true, Target::Inside(path))) if self.around.is_tracked(&path))
    }

    /// Judges a change of the files that a word names.
    pub(super) fn changes(&mut self, change: Change, word: &Word) {
        for file in self.files(word) {
            // A link that goes takes nothing with it, and a new one replaces it.
            let link = self.absolute(&file.text).filter(|path| {
                let is_itself = matches!(change, Change::Removal | Change::Link);
                is_itself && self.shell.links.iter().any(|(link, _)| *link == straight(path))
            });
            let found = match link {
                Some(link) => self.reached(&link),
                None => self.target(&file.text),
            };
            let Some((is_whole, target)) = found else { continue };
            let is_any = self.absolute(&file.text).is_some_and(|path| path.contains(ANY_BELOW));
            let change = match change {
                Change::Content | Change::Link if is_any => Change::Deep,
                change if is_any || is_whole => change,
                Change::Folder => Change::Folder,
                Change::Removal => Change::RemovalWithin,
                _ => Change::Within,
            };
            let reason = decide::change(self.plan, self.worker, self.around, change, &target);
            if let Some(reason) = reason {
                self.deny(reason);
            }
        }
    }
}

/// Takes the name of an element, `x[1]`, apart.
fn element(name: &str) -> Option<(&str, &str)> {
    name.strip_suffix(']')?.split_once('[')
}

/// Returns a path without the names that lead nowhere. What `..` leaves could be a link: it stays.
fn straight(path: &str) -> String {
    let end = if path.len() > 1 && path.ends_with('/') { "/" } else { "" };
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    let names: Vec<&str> = names.collect();
    format!("/{}{}", names.join("/"), if names.is_empty() { "" } else { end })
}

/// Returns the part of a path up to the folder in which it cannot be told any more.
fn known(path: &str) -> &str {
    match path.find(UNKNOWN) {
        None => path,
        Some(at) => &path[..path[..at].rfind('/').map_or(0, |slash| slash + 1)],
    }
}
