//! A shell command as words, as far as a guard needs to know it.
//!
//! Not a shell: expansions are not followed. A text that has any is not plain, and what stands in a
//! substitution is read as a command of its own.

/// A command line, cut into its simple commands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ShellText {
    pub(crate) commands: Vec<Vec<String>>,
    /// One simple command without expansion, redirection or background.
    pub(crate) is_plain: bool,
}

impl ShellText {
    pub(crate) fn read(text: &str) -> Self {
        let mut reader = Reader { commands: vec![Vec::new()], word: None, is_plain: true };
        let mut rest = text.trim().chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\'' => {
                    let word = reader.word.get_or_insert_default();
                    word.extend(rest.by_ref().take_while(|c| *c != '\''));
                }
                '"' => {
                    reader.word.get_or_insert_default();
                    while let Some(c) = rest.next().filter(|c| *c != '"') {
                        match c {
                            '\\' => reader.push(rest.next().unwrap_or('\\')),
                            // A command in a substitution: read on as if there were no quotes.
                            '$' if rest.next_if_eq(&'(').is_some() => {
                                reader.cut();
                                break;
                            }
                            '`' => {
                                reader.cut();
                                break;
                            }
                            '$' => reader.odd(c),
                            _ => reader.push(c),
                        }
                    }
                }
                '\\' => reader.odd(rest.next().unwrap_or('\\')),
                ' ' | '\t' => reader.end_word(),
                '\n' | ';' | '&' | '|' | '(' | ')' | '`' => reader.cut(),
                '$' | '<' | '>' | '*' | '?' | '[' | '{' | '}' | '~' | '#' | '!' => reader.odd(c),
                _ => reader.push(c),
            }
        }
        reader.end_word();
        reader.commands.retain(|command| !command.is_empty());
        let is_plain = reader.is_plain && reader.commands.len() == 1;
        Self { commands: reader.commands, is_plain }
    }
}

struct Reader {
    commands: Vec<Vec<String>>,
    word: Option<String>,
    is_plain: bool,
}

impl Reader {
    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    /// Takes a character in whose effect in a shell is more than itself.
    fn odd(&mut self, c: char) {
        self.is_plain = false;
        self.push(c);
    }

    fn end_word(&mut self) {
        if let (Some(word), Some(command)) = (self.word.take(), self.commands.last_mut()) {
            command.push(word);
        }
    }

    fn cut(&mut self) {
        self.is_plain = false;
        self.end_word();
        self.commands.push(Vec::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_as_a_shell_would() {
        let read = |text| ShellText::read(text).commands;
        assert_eq!(
            read("pw-worker checkpoint \"it's \\\"done\\\"\" 'a b'"),
            [["pw-worker", "checkpoint", "it's \"done\"", "a b"]]
        );
        assert_eq!(
            read("cd x && git push; echo $(git stash)"),
            [vec!["cd", "x"], vec!["git", "push"], vec!["echo", "$"], vec!["git", "stash"],]
        );
        assert_eq!(read("echo \"$(git gc)\"")[1], ["git", "gc"]);
        assert!(ShellText::read("pw-worker complete \"all done\"").is_plain);
        for text in
            ["pw-worker complete \"$X\"", "a | b", "a > b", "a &", "a\nb", "a `b`", "a *", ""]
        {
            assert!(!ShellText::read(text).is_plain, "{text}");
        }
    }
}
