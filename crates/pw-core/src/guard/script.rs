//! Reads a shell script the way a shell would run it, and asks of every command what it changes.
//!
//! Not a shell: nothing runs, and a branch is read whether it would be taken or not. Folders,
//! variables, functions and aliases are followed as far as the script itself sets them.

use brush_parser::ast::{self, CommandPrefixOrSuffixItem as Item, CompoundCommand};
use brush_parser::{ParserOptions, Token, parse_tokens, uncached_tokenize_str};

use super::arguments::{UNKNOWN, Word};
use super::arrays::{Array, Place};
use super::call::Call;
use super::decide::Change;
use super::expansion;
use super::judge::{Judge, STREAM};
use crate::shell_word::shell_word;

/// Longest script that is read, in bytes.
const MAX_LENGTH: usize = 256 << 10;
/// Deepest brackets of any kind in a script: the parser recurses, and on some of them its time
/// doubles with each level.
const MAX_BRACKETS: usize = 40;
const MAX_NESTING: usize = 16;
/// Most values that a loop is tried with.
const MAX_VALUES: usize = 64;

/// Judges a script in the judge's shell; returns what it prints, where that is known.
pub(super) fn judge(judge: &mut Judge<'_>, text: &str) -> Option<String> {
    let program = match parse(text, &judge.options) {
        Ok(program) => program,
        Err(reason) => {
            judge.give_up(reason);
            return None;
        }
    };
    let mut printed = None;
    for list in &program.complete_commands {
        printed = judge.list(list);
    }
    printed.filter(|_| program.complete_commands.len() == 1)
}

/// Judges a simple command, or the function or alias of that name.
pub(super) fn call(judge: &mut Judge<'_>, call: &Call) -> Option<String> {
    let (first, rest) = call.words.split_first()?;
    if let Some(body) = judge.shell.functions.get(&first.text).cloned() {
        let positional = rest.iter().map(|word| word.text.clone()).collect();
        judge.function(&body, Some(positional));
        return None;
    }
    if let Some(alias) = judge.shell.aliases.remove(&first.text) {
        let words = rest.iter().map(|word| shell_word(&word.text));
        let script: Vec<String> = std::iter::once(alias.clone()).chain(words).collect();
        let printed = judge.script(&script.join(" "));
        judge.shell.aliases.insert(first.text.clone(), alias);
        return printed;
    }
    judge.program(call)
}

/// What an assignment sets.
struct Assigned {
    name: String,
    value: Value,
}

enum Value {
    /// `None` where it cannot be told.
    Text(Option<String>),
    Elements(Array),
}

impl Assigned {
    fn into_text(self) -> (String, String) {
        let text = match self.value {
            Value::Text(text) => text,
            Value::Elements(_) => None,
        };
        (self.name, text.unwrap_or_else(|| UNKNOWN.to_string()))
    }
}

impl Judge<'_> {
    fn list(&mut self, list: &ast::CompoundList) -> Option<String> {
        let mut printed = None;
        for ast::CompoundListItem(item, _) in &list.0 {
            printed = self.pipeline(&item.first);
            for next in &item.additional {
                let (ast::AndOr::And(next) | ast::AndOr::Or(next)) = next;
                self.pipeline(next);
                printed = None;
            }
        }
        printed.filter(|_| list.0.len() == 1)
    }

    fn pipeline(&mut self, pipeline: &ast::Pipeline) -> Option<String> {
        if let [command] = &pipeline.seq[..] {
            return self.command(command);
        }
        let shell = self.shell.clone();
        let mut printed = None;
        for command in &pipeline.seq {
            self.shell = shell.clone();
            self.shell.stdin = printed.take();
            printed = self.command(command);
        }
        self.shell = shell;
        printed
    }

    fn command(&mut self, command: &ast::Command) -> Option<String> {
        if !self.goes_on() {
            return None;
        }
        match command {
            ast::Command::Simple(simple) => return self.simple(simple),
            ast::Command::Compound(compound, redirects) => {
                self.redirects(redirects.as_ref());
                return self.compound(compound);
            }
            ast::Command::Function(function) => {
                let name = function.fname.value.clone();
                self.shell.functions.insert(name, function.body.clone());
                // Judged for any caller and any arguments.
                self.function(&function.body, None);
            }
            ast::Command::ExtendedTest(test, redirects) => {
                self.redirects(redirects.as_ref());
                self.test(&test.expr);
            }
        }
        None
    }

    fn compound(&mut self, compound: &CompoundCommand) -> Option<String> {
        match compound {
            CompoundCommand::BraceGroup(group) => return self.list(&group.list),
            CompoundCommand::Subshell(subshell) => return self.nested(&subshell.list),
            CompoundCommand::Coprocess(coprocess) => {
                coprocess.name.iter().for_each(|name| self.names(&name.value));
                let shell = self.shell.clone();
                self.command(&coprocess.body);
                self.shell = shell;
            }
            CompoundCommand::Arithmetic(command) => expansion::arithmetic(self, &command.expr),
            CompoundCommand::ArithmeticForClause(clause) => {
                let parts = [&clause.initializer, &clause.condition, &clause.updater];
                for part in parts.into_iter().flatten() {
                    expansion::arithmetic(self, part);
                }
                self.list(&clause.body.list);
            }
            CompoundCommand::ForClause(clause) => self.for_each(clause),
            CompoundCommand::CaseClause(clause) => {
                expansion::text(self, &clause.value.value);
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        expansion::text(self, &pattern.value);
                    }
                    case.cmd.as_ref().map(|list| self.list(list));
                }
            }
            CompoundCommand::IfClause(clause) => {
                self.list(&clause.condition);
                self.list(&clause.then);
                for other in clause.elses.iter().flatten() {
                    other.condition.as_ref().map(|list| self.list(list));
                    self.list(&other.body);
                }
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0);
                self.list(&clause.1.list);
            }
        }
        None
    }

    /// Judges a list in a shell of its own.
    fn nested(&mut self, list: &ast::CompoundList) -> Option<String> {
        let shell = self.shell.clone();
        let printed = self.list(list);
        self.shell = shell;
        printed
    }

    /// Tries the body with each value that is known.
    fn for_each(&mut self, clause: &ast::ForClauseCommand) {
        let values: Vec<Word> = match &clause.values {
            Some(values) => {
                values.iter().flat_map(|word| expansion::words(self, &word.value)).collect()
            }
            None => match &self.shell.positional {
                Some(words) => words.iter().map(Word::new).collect(),
                None => vec![Word::new(UNKNOWN)],
            },
        };
        let mut values: Vec<Word> = values.iter().flat_map(|word| self.files(word)).collect();
        if values.len() > MAX_VALUES {
            values = vec![Word::new(UNKNOWN)];
        }
        for value in values {
            let known = Some(value.text).filter(|text| Word::is_told(text));
            self.set(&clause.variable_name, known);
            self.list(&clause.body.list);
        }
    }

    fn test(&mut self, test: &ast::ExtendedTestExpr) {
        use ast::ExtendedTestExpr as Test;
        match test {
            Test::And(one, other) | Test::Or(one, other) => {
                self.test(one);
                self.test(other);
            }
            Test::Not(inner) | Test::Parenthesized(inner) => self.test(inner),
            Test::UnaryTest(_, operand) => drop(expansion::text(self, &operand.value)),
            Test::BinaryTest(_, one, other) => {
                expansion::text(self, &one.value);
                expansion::text(self, &other.value);
            }
        }
    }

    fn function(&mut self, body: &ast::FunctionBody, positional: Option<Vec<String>>) {
        self.deeper(|judge| {
            let before = std::mem::replace(&mut judge.shell.positional, positional);
            let callers = judge.shell.hidden.len();
            judge.redirects(body.1.as_ref());
            judge.compound(&body.0);
            judge.show(callers);
            judge.shell.positional = before;
            None::<()>
        });
    }

    fn simple(&mut self, simple: &ast::SimpleCommand) -> Option<String> {
        let mut call = Call { stdin: self.shell.stdin.take(), ..Call::default() };
        let mut assigned = Vec::new();
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            match item {
                Item::AssignmentWord(assignment, _) => {
                    assigned.push(self.assignment(assignment, false));
                }
                item => self.item(item, &mut call),
            }
        }
        if let Some(name) = &simple.word_or_name {
            call.words.extend(expansion::words(self, &name.value));
        }
        let mut declared = Vec::new();
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                // `declare -a x=(…)`
                Item::AssignmentWord(assignment, _)
                    if matches!(assignment.value, ast::AssignmentValue::Array(_)) =>
                {
                    let given = call.words.iter().map(|word| word.text.as_str());
                    let has_keys = given.skip(1).any(|it| it.starts_with('-') && it.contains('A'));
                    let assigned = self.assignment(assignment, has_keys);
                    call.words.push(Word::new(&assigned.name));
                    declared.push(assigned);
                }
                item => self.item(item, &mut call),
            }
        }
        if call.words.is_empty() {
            assigned.into_iter().for_each(|assigned| self.assign(assigned));
            return None;
        }
        assigned.iter().for_each(|assigned| self.names(&assigned.name));
        call.assigned = assigned.into_iter().map(Assigned::into_text).collect();
        let printed = self.call(&call);
        declared.into_iter().for_each(|assigned| self.assign(assigned));
        printed
    }

    fn item(&mut self, item: &Item, call: &mut Call) {
        match item {
            Item::IoRedirect(redirect) => {
                if let Some(text) = self.redirect(redirect) {
                    call.stdin = Some(text);
                }
            }
            Item::Word(word) | Item::AssignmentWord(_, word) => {
                call.words.extend(expansion::words(self, &word.value));
            }
            Item::ProcessSubstitution(_, subshell) => {
                call.stdin = self.nested(&subshell.list).or(call.stdin.take());
                call.words.push(Word::new(STREAM));
            }
        }
    }

    /// Returns what an assignment sets; nothing is set yet.
    fn assignment(&mut self, assignment: &ast::Assignment, has_keys: bool) -> Assigned {
        let (ast::AssignmentName::VariableName(name)
        | ast::AssignmentName::ArrayElementName(name, _)) = &assignment.name;
        let index = match &assignment.name {
            ast::AssignmentName::ArrayElementName(_, index) => Some(expansion::text(self, index)),
            ast::AssignmentName::VariableName(_) => None,
        };
        let value = match (&assignment.value, index) {
            (ast::AssignmentValue::Scalar(value), None) => {
                let value = expansion::text(self, &value.value);
                Value::Text(Some(value).filter(|it| Word::is_told(it) && !assignment.append))
            }
            (ast::AssignmentValue::Scalar(value), Some(index)) => {
                let value = match expansion::text(self, &value.value) {
                    _ if assignment.append => UNKNOWN.to_string(),
                    value => value,
                };
                let mut array = self.array(name).unwrap_or_default();
                array.set(self.place(&array, &index), value);
                Value::Elements(array)
            }
            (ast::AssignmentValue::Array(values), _) => {
                Value::Elements(self.elements(name, values, assignment.append, has_keys))
            }
        };
        Assigned { name: name.clone(), value }
    }

    /// Returns the elements of `(…)`, behind those that a variable has when they are appended.
    fn elements(
        &mut self,
        name: &str,
        values: &[(Option<ast::Word>, ast::Word)],
        appends: bool,
        has_keys: bool,
    ) -> Array {
        let before = self.array(name).unwrap_or_default();
        let has_keys = has_keys || before.has_keys;
        let mut array = match (appends, has_keys) {
            (true, _) => before,
            (false, true) => Array::with_keys(),
            (false, false) => Array::default(),
        };
        // Words without an index follow the one before them.
        let mut next = None;
        for (index, value) in values {
            match index {
                Some(index) => {
                    let index = expansion::text(self, &index.value);
                    let value = expansion::text(self, &value.value);
                    let place = self.place(&array, &index);
                    next = place.as_ref().and_then(Place::next);
                    array.set(place, value);
                }
                None => {
                    let words = expansion::words(self, &value.value);
                    for word in words.iter().flat_map(|word| self.files(word)) {
                        match next.take() {
                            Some(place) => {
                                next = place.next();
                                array.set(Some(place), word.text);
                            }
                            None => array.push(word.text),
                        }
                    }
                }
            }
        }
        array
    }

    fn assign(&mut self, Assigned { name, value }: Assigned) {
        match value {
            Value::Text(text) => self.set(&name, text),
            Value::Elements(array) => self.set_array(&name, array),
        }
    }

    fn redirects(&mut self, redirects: Option<&ast::RedirectList>) {
        for redirect in redirects.iter().flat_map(|list| &list.0) {
            let text = self.redirect(redirect);
            self.shell.stdin = text.or(self.shell.stdin.take());
        }
    }

    /// Judges a redirection; returns the text that it makes stdin, if it does.
    fn redirect(&mut self, redirect: &ast::IoRedirect) -> Option<String> {
        use ast::{IoFileRedirectKind as Kind, IoFileRedirectTarget as To};
        match redirect {
            ast::IoRedirect::File(_, kind, To::Filename(file) | To::Duplicate(file)) => {
                let words = expansion::words(self, &file.value);
                let is_fd = |word: &Word| word.text.chars().all(|c| c.is_ascii_digit() || c == '-');
                let writes = match kind {
                    Kind::Read | Kind::DuplicateInput => false,
                    Kind::DuplicateOutput => !words.iter().all(is_fd),
                    _ => true,
                };
                for word in words.iter().filter(|_| writes) {
                    self.changes(Change::Content, word);
                }
            }
            ast::IoRedirect::File(_, kind, To::ProcessSubstitution(_, subshell)) => {
                let printed = self.nested(&subshell.list);
                return printed.filter(|_| matches!(kind, Kind::Read));
            }
            ast::IoRedirect::File(_, _, To::Fd(_)) => {}
            ast::IoRedirect::OutputAndError(file, _) => {
                for word in expansion::words(self, &file.value) {
                    self.changes(Change::Content, &word);
                }
            }
            ast::IoRedirect::HereDocument(_, document) => {
                let text = &document.doc.value;
                return Some(match document.requires_expansion {
                    true if text.contains(['$', '`']) => expansion::text_of_document(self, text),
                    _ => text.clone(),
                });
            }
            ast::IoRedirect::HereString(_, text) => {
                return Some(expansion::text(self, &text.value) + "\n");
            }
        }
        None
    }
}

/// Reads a script, or says why it cannot be read.
pub(super) fn parse(text: &str, options: &ParserOptions) -> Result<ast::Program, &'static str> {
    if text.len() > MAX_LENGTH {
        return Err("it is too long; write long files with the Write tool");
    }
    if text.contains('\0') {
        return Err("it holds a NUL");
    }
    if deepest(text.chars().map(|c| (matches!(c, '(' | '{'), matches!(c, ')' | '}'))))
        > MAX_BRACKETS
    {
        return Err("its brackets are too deep");
    }
    let tokens = uncached_tokenize_str(text, &options.tokenizer_options())
        .map_err(|_| "it is no complete shell command")?;
    let nesting = tokens.iter().map(|token| match token {
        Token::Operator(text, _) | Token::Word(text, _) => (
            matches!(text.as_str(), "(" | "((" | "{" | "if" | "for" | "while" | "until" | "case"),
            matches!(text.as_str(), ")" | "}" | "fi" | "done" | "esac"),
        ),
    });
    if deepest(nesting) > MAX_NESTING {
        return Err("it is nested too deeply");
    }
    if has_large_number(&tokens) {
        return Err("a number in it is too large");
    }
    parse_tokens(&tokens, options).map_err(|_| "it is no shell command")
}

/// Returns whether the parser would have a number that it cannot hold: of a file in `9>file`, of a
/// range in `{1..9}`, of a folder in `~9`.
fn has_large_number(tokens: &[Token]) -> bool {
    let is_file = |pair: &[Token]| match pair {
        [Token::Word(word, at), Token::Operator(operator, next)] => {
            operator.starts_with(['<', '>'])
                && at.end.index == next.start.index
                && word.chars().all(|c| c.is_ascii_digit())
                && word.parse::<i32>().is_err()
        }
        _ => false,
    };
    let is_other = |token: &Token| match token {
        Token::Word(word, _) if word.contains("..") || word.contains('~') => {
            let numbers = word.split(|c: char| !c.is_ascii_digit());
            numbers.filter(|it| !it.is_empty()).any(|it| it.parse::<i64>().is_err())
        }
        _ => false,
    };
    tokens.windows(2).any(is_file) || tokens.iter().any(is_other)
}

/// Returns how deep it goes, of steps that open and close.
fn deepest(steps: impl Iterator<Item = (bool, bool)>) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for (opens, closes) in steps {
        depth += usize::from(opens);
        depth = depth.saturating_sub(usize::from(closes));
        deepest = deepest.max(depth);
    }
    deepest
}
