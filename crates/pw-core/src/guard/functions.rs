//! The functions that code calls, with the texts they are given, as far as these are written out.
//!
//! One reader for Python, JavaScript, Ruby, Perl and PHP: names, strings, brackets and assignments
//! look alike in all of them. What it cannot follow has no text.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use super::arguments::{ANY_BELOW, UNKNOWN};

/// Most calls that are looked at.
const MAX_CALLS: usize = 500;
/// Deepest brackets that are followed.
const MAX_DEPTH: usize = 60;

/// What an argument can be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// Each text that it can be, or the items of a list.
    pub(super) texts: Vec<String>,
    pub(super) is_list: bool,
    /// Whether code made a path of it, which has methods of its own.
    pub(super) is_path: bool,
    /// The parameter it is given for by name.
    pub(super) keyword: Option<String>,
    /// The name it was read from.
    pub(super) name: String,
}

/// One call of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Function {
    /// `os.remove`; of a method of a value `.unlink`.
    pub(super) name: String,
    pub(super) receiver: Value,
    pub(super) arguments: Vec<Value>,
}

/// What is open: a bracket, or a statement.
#[derive(Default)]
struct Frame {
    function: Function,
    /// The bracket that closes it; `None` of the outermost statement.
    close: Option<char>,
    current: Value,
    /// What joins the next text to the current one: `+`, `/`.
    joins: Option<char>,
    /// The variable that the statement sets.
    sets: Option<String>,
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    frames: Vec<Frame>,
    variables: BTreeMap<String, Value>,
    words: &'a [String],
    found: Vec<Function>,
}

/// Returns the calls in a piece of code, given the words behind it.
pub(super) fn functions(code: &str, words: &[String]) -> Vec<Function> {
    let mut reader = Reader {
        rest: code.chars().peekable(),
        frames: vec![Frame::default()],
        variables: BTreeMap::new(),
        words,
        found: Vec::new(),
    };
    while reader.found.len() < MAX_CALLS && reader.frames.len() < MAX_DEPTH {
        let Some(c) = reader.rest.next() else { break };
        reader.read(c);
    }
    while reader.frames.len() > 1 {
        reader.close();
    }
    reader.end();
    reader.found
}

impl Reader<'_> {
    fn read(&mut self, c: char) {
        match c {
            '\'' | '"' | '`' => {
                let text = self.string(c);
                self.put(Value { texts: vec![text], ..Value::default() });
            }
            '#' => while self.rest.next_if(|c| *c != '\n').is_some() {},
            '(' => self.open(Function::default(), ')'),
            '[' => self.open(Function::default(), ']'),
            '{' => self.open(Function::default(), '}'),
            ')' | ']' | '}' if self.frames.len() > 1 => self.close(),
            ',' => self.argument(),
            ';' => self.end(),
            '\n' | ':' if self.frame().close.is_none_or(|close| close == '}') => self.end(),
            '=' => self.equals(),
            '/' if self.rest.peek() == Some(&'/') => {
                while self.rest.next_if(|c| *c != '\n').is_some() {}
            }
            '+' | '/' => self.frame().joins = Some(c),
            '.' if self.rest.peek().is_some_and(|c| is_part(*c)) => self.method(),
            c if is_part(c) || matches!(c, '$' | '@') => self.name(c),
            _ => {}
        }
    }

    fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn open(&mut self, function: Function, close: char) {
        self.frames.push(Frame { function, close: Some(close), ..Frame::default() });
    }

    /// Adds a value to what is written so far of the argument.
    fn put(&mut self, value: Value) {
        let frame = self.frame();
        let joins = frame.joins.take();
        let keyword = frame.current.keyword.take();
        let before = std::mem::take(&mut frame.current);
        frame.current = match joins {
            Some(sign) if !before.texts.is_empty() || before.is_path => {
                let between = if sign == '/' { "/" } else { "" };
                let more = value.texts.first().cloned().unwrap_or_else(|| UNKNOWN.to_string());
                let texts =
                    before.texts.iter().map(|text| format!("{text}{between}{more}")).collect();
                Value { texts, ..before }
            }
            // `"file" or die`.
            None if !before.texts.is_empty() && value.texts.is_empty() => before,
            _ => value,
        };
        frame.current.keyword = keyword;
    }

    fn argument(&mut self) {
        let frame = self.frame();
        let value = std::mem::take(&mut frame.current);
        frame.joins = None;
        frame.function.arguments.push(value);
    }

    /// Ends a statement.
    fn end(&mut self) {
        self.argument();
        let frame = self.frame();
        let function = std::mem::take(&mut frame.function);
        if let Some(name) = frame.sets.take()
            && let Some(value) = function.arguments.first().filter(|value| !value.texts.is_empty())
        {
            self.variables.insert(name, value.clone());
        }
        if !function.name.is_empty() {
            self.found.push(function);
        }
    }

    fn close(&mut self) {
        let is_block = self.frame().close == Some('}');
        if is_block {
            self.end();
        }
        self.argument();
        let Some(frame) = self.frames.pop() else { return };
        let function = frame.function;
        let value = match frame.close {
            Some('}') => Value::default(),
            Some(']') if function.name.is_empty() => Value {
                texts: function.arguments.iter().flat_map(|value| value.texts.clone()).collect(),
                is_list: true,
                ..Value::default()
            },
            Some(']') => return,
            _ if function.name.is_empty() => {
                function.arguments.first().cloned().unwrap_or_default()
            }
            _ => {
                let value = result(&function);
                self.found.push(function);
                value
            }
        };
        if !is_block {
            self.put(Value { keyword: None, ..value });
        }
    }

    fn equals(&mut self) {
        if self.rest.next_if(|c| matches!(c, '=' | '>' | '~')).is_some() {
            return;
        }
        let frame = self.frame();
        let name = std::mem::take(&mut frame.current.name);
        frame.current = Value::default();
        if frame.close == Some(')') {
            frame.current.keyword = Some(name);
        } else {
            // `const p = …`: the last name before the sign.
            let first = std::mem::take(&mut frame.function.name);
            frame.sets = Some(if name.is_empty() { first } else { name });
        }
    }

    /// Reads a name; a call, when a bracket follows.
    fn name(&mut self, first: char) {
        let mut name = if is_part(first) { String::from(first) } else { String::new() };
        loop {
            let more = self.rest.next_if(|c| is_part(*c) || *c == '.' || *c == '$');
            match more {
                Some(c) => name.push(c),
                None if self.rest.peek() == Some(&':') && self.after_is(':') => {
                    self.rest.next();
                    self.rest.next();
                    name.push('.');
                }
                None => break,
            }
        }
        if matches!(name.as_str(), "f" | "r" | "b" | "rb" | "u" | "fr" | "rf") && self.is_string() {
            let quote = self.rest.next().unwrap_or('"');
            let text = self.string(quote);
            let text = if name.contains('f') { unknown_in_braces(&text) } else { text };
            return self.put(Value { texts: vec![text], ..Value::default() });
        }
        let (receiver, name) = self.received(name);
        while self.rest.next_if(|c| *c == ' ').is_some() {}
        if self.rest.next_if(|c| *c == '(').is_some() {
            let function = Function { name, receiver, arguments: Vec::new() };
            return self.open(function, ')');
        }
        if name == "in" || name == "of" {
            // `for f in …`: what is looped over.
            let frame = self.frame();
            let before = std::mem::take(&mut frame.current.name);
            frame.function = Function::default();
            frame.sets = Some(before);
            return;
        }
        let frame = self.frame();
        if frame.function.name.is_empty()
            && frame.function.arguments.is_empty()
            && frame.sets.is_none()
            && frame.close.is_none_or(|close| close == '}')
            && frame.current == Value::default()
        {
            frame.function.name = name.clone();
            frame.function.receiver = receiver;
            // Only a name; as a value, when it is the first word of a longer statement.
            return;
        }
        let value = self.read_variable(&name);
        self.put(Value { name, ..value });
    }

    fn read_variable(&mut self, name: &str) -> Value {
        let last = name.rsplit('.').next().unwrap_or(name);
        if !matches!(last, "argv" | "ARGV") {
            return self.variables.get(name).cloned().unwrap_or_default();
        }
        let mut number = String::new();
        if self.rest.next_if(|c| *c == '[').is_some() {
            while let Some(c) = self.rest.next_if(|c| *c != ']') {
                number.push(c);
            }
            self.rest.next();
        }
        let at = number.parse::<usize>().ok();
        let at = if last == "ARGV" { at } else { at.and_then(|at| at.checked_sub(1)) };
        let word = at.and_then(|at| self.words.get(at)).cloned();
        Value { texts: word.into_iter().collect(), ..Value::default() }
    }

    /// Takes a variable that is known from the front of a name: `p.unlink`.
    fn received(&self, name: String) -> (Value, String) {
        let found = name.split_once('.').and_then(|(first, method)| {
            Some((self.variables.get(first)?.clone(), format!(".{method}")))
        });
        match found {
            // `const fs = require('fs')`.
            Some((module, method)) if !module.is_path && module.name == "require" => {
                (Value::default(), format!("{}{method}", module.texts.concat()))
            }
            Some((value, method)) if !method.ends_with("argv") => (value, method),
            _ => (Value::default(), name),
        }
    }

    /// Reads `.method`, of the value in front of it.
    fn method(&mut self) {
        let mut name = String::from(".");
        while let Some(c) = self.rest.next_if(|c| is_part(*c) || *c == '.') {
            name.push(c);
        }
        let receiver = std::mem::take(&mut self.frame().current);
        if receiver.name == "require" {
            name = format!("{}{name}", receiver.texts.concat());
        }
        while self.rest.next_if(|c| *c == ' ').is_some() {}
        if self.rest.next_if(|c| *c == '(').is_some() {
            self.open(Function { name, receiver, arguments: Vec::new() }, ')');
        }
    }

    fn string(&mut self, quote: char) -> String {
        let mut text = String::new();
        let is_long = self.rest.peek() == Some(&quote) && self.after_is(quote);
        if is_long {
            self.rest.next();
            self.rest.next();
        }
        while let Some(c) = self.rest.next() {
            match c {
                '\\' => text.extend(self.rest.next().map(|c| if c == 'n' { '\n' } else { c })),
                c if c == quote && !is_long => break,
                c if c == quote && self.rest.peek() == Some(&quote) && self.after_is(quote) => {
                    self.rest.next();
                    self.rest.next();
                    break;
                }
                '$' | '#' if quote != '\'' && self.rest.peek() == Some(&'{') => {
                    while self.rest.next_if(|c| *c != '}').is_some() {}
                    self.rest.next();
                    text.push(UNKNOWN);
                }
                c => text.push(c),
            }
        }
        text
    }

    fn is_string(&mut self) -> bool {
        self.rest.peek().is_some_and(|c| matches!(c, '\'' | '"'))
    }

    /// Returns whether this follows what is next.
    fn after_is(&self, expected: char) -> bool {
        let mut rest = self.rest.clone();
        rest.next();
        rest.next() == Some(expected)
    }
}

/// Returns what a call returns, where that is a path or a list of paths.
fn result(function: &Function) -> Value {
    let first = || function.arguments.first().cloned().unwrap_or_default();
    let last = function.name.rsplit('.').next().unwrap_or_default();
    match last {
        "require" => Value { name: "require".to_owned(), ..first() },
        "Path" | "PosixPath" | "PurePath" | "Pathname" | "abspath" | "realpath" | "resolve"
        | "join" | "joinpath" => {
            let parts = [&function.receiver].into_iter().filter(|value| value.is_path);
            let parts = parts.chain(&function.arguments);
            let texts = parts
                .map(|value| value.texts.first().cloned().unwrap_or_else(|| UNKNOWN.to_string()));
            let text = texts.collect::<Vec<_>>().join("/");
            // `os.path.join` makes a string.
            let is_path = last.contains("Path") || last == "Pathname" || function.receiver.is_path;
            Value { texts: vec![text], is_path, ..Value::default() }
        }
        "glob" | "rglob" | "iterdir" if function.receiver.is_path => {
            let below = |text: &String| format!("{text}/{ANY_BELOW}");
            let texts = function.receiver.texts.iter().map(below).collect();
            Value { texts, is_path: true, ..Value::default() }
        }
        "glob" | "iglob" | "str" | "fspath" | "String" => first(),
        _ => Value::default(),
    }
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == UNKNOWN
}

fn unknown_in_braces(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '{' {
            rest.by_ref().find(|c| *c == '}');
            found.push(UNKNOWN);
        } else {
            found.push(c);
        }
    }
    found
}
