//! Quoting: a text as one word of a POSIX shell command.

/// Returns `text` as one word of a POSIX shell command.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    let ordinary = !text.is_empty() && !text.starts_with('~') && text.chars().all(plain);
    if ordinary { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Returns bytes as one word of a POSIX shell command; a word can hold other than UTF-8 only by
/// what a command prints.
pub fn shell_bytes(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return shell_word(text);
    }
    // `$(…)` drops the newlines at the end.
    let last = bytes.iter().rposition(|byte| *byte != b'\n').map_or(0, |at| at + 1);
    let format = bytes[..last].iter().enumerate().map(|(at, byte)| match byte {
        b'%' => "%%".to_owned(),
        b'\\' => r"\\".to_owned(),
        // `printf` would read an option; the others end a text, or an interactive shell reads
        // them in quotes, too.
        b'-' if at == 0 => r"\055".to_owned(),
        b' '..=b'~' if !b"'!\"`".contains(byte) => char::from(*byte).to_string(),
        byte => format!("\\{byte:03o}"),
    });
    let format = format.collect::<String>();
    format!("\"$(printf '{format}'){}\"", "\n".repeat(bytes.len() - last))
}

#[cfg(test)]
mod tests {
    use super::{shell_bytes, shell_word};

    #[test]
    fn words_are_quoted_only_where_a_shell_would_read_more_into_them() {
        assert_eq!(shell_word("/a/b-c.sh"), "/a/b-c.sh");
        assert_eq!(shell_word("it's $(id)"), r"'it'\''s $(id)'");
        assert_eq!(shell_word(""), "''");
        // A program reads it as an option with quotes and without.
        assert_eq!(shell_word("--quiet"), "--quiet");
    }

    #[test]
    fn bytes_that_are_no_text_are_printed_into_the_word() {
        assert_eq!(shell_bytes("café".as_bytes()), "'café'");
        assert_eq!(shell_bytes(b"caf\xe9"), r#""$(printf 'caf\351')""#);
        assert_eq!(
            shell_bytes(b"-5%\\n'!\xe9\n\n"),
            "\"$(printf '\\0555%%\\\\n\\047\\041\\351')\n\n\""
        );
    }
}
