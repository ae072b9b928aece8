//! A shell command as words, as far as a guard needs to know it.
//!
//! Not a shell: expansions are not followed. A text that has any is not plain, and what stands in a
//! substitution is read as a command of its own.

/// A command line, cut into its simple commands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ShellText {
    pub(crate) commands: Vec<Vec<String>>,
    /// Files that output is redirected to, where they can be told without a shell.
    pub(crate) writes: Vec<String>,
    /// One simple command without expansion, redirection or background.
    pub(crate) is_plain: bool,
}

impl ShellText {
    pub(crate) fn read(text: &str) -> Self {
        let mut reader = Reader {
            commands: vec![Vec::new()],
            writes: Vec::new(),
            word: None,
            is_odd: false,
            is_target: false,
            is_plain: true,
            is_known: true,
            has_document: false,
            in_document: false,
        };
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
                            // Where those end is not known then, so neither is what is redirected.
                            '$' if rest.next_if_eq(&'(').is_some() => {
                                reader.is_known = false;
                                reader.cut();
                                break;
                            }
                            '`' => {
                                reader.is_known = false;
                                reader.cut();
                                break;
                            }
                            '$' => reader.odd(c),
                            _ => reader.push(c),
                        }
                    }
                }
                '\\' => {
                    reader.is_plain = false;
                    reader.push(rest.next().unwrap_or('\\'));
                }
                ' ' | '\t' => reader.end_word(),
                '#' if reader.word.is_none() => {
                    while rest.next_if(|c| *c != '\n').is_some() {}
                    reader.is_plain = false;
                }
                '<' if rest.next_if_eq(&'<').is_some() => {
                    reader.end_word();
                    (reader.is_plain, reader.has_document) = (false, true);
                }
                // Arithmetic compares.
                '(' if rest.next_if_eq(&'(').is_some() => {
                    reader.is_known = false;
                    reader.cut();
                }
                '>' => {
                    while rest.next_if(|c| matches!(c, '>' | '|')).is_some() {}
                    reader.redirect(rest.next_if_eq(&'&').is_none());
                }
                '\n' if reader.has_document => {
                    reader.cut();
                    reader.in_document = true;
                }
                '\n' | ';' | '&' | '|' | '(' | ')' | '`' => reader.cut(),
                '$' | '<' | '*' | '?' | '[' | '{' | '}' | '~' | '#' | '!' => reader.odd(c),
                _ => reader.push(c),
            }
        }
        reader.end_word();
        reader.commands.retain(|command| !command.is_empty());
        let is_plain = reader.is_plain && reader.commands.len() == 1;
        // In another folder a relative name is another file.
        let moves = |command: &Vec<String>| ["cd", "pushd", "[["].contains(&command[0].as_str());
        if !reader.is_known || reader.commands.iter().any(moves) {
            reader.writes.clear();
        }
        Self { commands: reader.commands, writes: reader.writes, is_plain }
    }
}

struct Reader {
    commands: Vec<Vec<String>>,
    writes: Vec<String>,
    word: Option<String>,
    /// The word is not what a shell would make of it.
    is_odd: bool,
    /// The word is a file that is redirected to.
    is_target: bool,
    is_plain: bool,
    /// Redirections can be told from other uses of `>`.
    is_known: bool,
    /// A here-document begins with the next line.
    has_document: bool,
    in_document: bool,
}

impl Reader {
    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    /// Takes a character whose effect in a shell is more than itself.
    fn odd(&mut self, c: char) {
        (self.is_plain, self.is_odd) = (false, true);
        self.push(c);
    }

    /// Takes a `>`; with `to_file`, its word names a file.
    fn redirect(&mut self, to_file: bool) {
        self.is_plain = false;
        // `2>` redirects what is numbered so; it is no word of the command.
        self.word.take_if(|word| word.chars().all(|c| c.is_ascii_digit()));
        self.end_word();
        self.is_target = to_file && !self.in_document;
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        let is_odd = std::mem::take(&mut self.is_odd);
        if !std::mem::take(&mut self.is_target) {
            self.commands.last_mut().expect("there is always one").push(word);
        } else if !is_odd {
            self.writes.push(word);
        }
    }

    fn cut(&mut self) {
        self.end_word();
        (self.is_plain, self.is_target) = (false, false);
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

    #[test]
    fn redirections_are_found_where_no_shell_is_needed() {
        let writes = |text| ShellText::read(text).writes;
        assert_eq!(writes("echo x > a"), ["a"]);
        assert_eq!(
            writes("echo x >>'a b'; make 2>log >|\"out\" && true &>both"),
            ["a b", "log", "out", "both"]
        );
        assert_eq!(writes("cat > page.html <<'EOF'\n<p>hello</p>\nEOF"), ["page.html"]);
        for text in [
            "make 2>&1",
            "echo 'a > b' \"c > d\" \\> e",
            "echo x > $OUT",
            "echo x > ~/a",
            "echo \"$(date) a > b\"",
            "cd sub && echo x > a",
            "[[ a > b ]]",
            "(( a > b ))",
            "diff <(a) >(b)",
            "ls # a > b",
            "cat <<EOF\n<p>\nEOF",
        ] {
            assert!(writes(text).is_empty(), "{text}");
        }
    }
}
