//! Files that git does not take into its index, and why: told from what it said, in the words of
//! the C locale.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Code, Details, Failure};
use crate::next::Next;
use crate::path::RepoPath;
use crate::system;

/// A file that git does not take as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unstageable {
    /// The file, relative to the worktree.
    pub path: RepoPath,
    /// Why git does not take it.
    pub why: UnstageableReason,
}

/// Why git does not take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnstageableReason {
    /// `core.safecrlf` forbids what would become of its line ends; those that git would write.
    LineEnds(&'static str),
    /// A clean filter that is `required` failed; its name.
    Filter(String),
    /// It is not in the encoding that its attribute `working-tree-encoding` names.
    Encoding(String),
    /// It cannot be read; what the system says.
    Unreadable(String),
    /// No file may have that name.
    Name,
    /// Any other message of git's.
    Other(String),
}

/// The text before and after a path in each of git's messages about one file, the most specific
/// first.
type Sentence = (&'static str, &'static str, fn(&str) -> UnstageableReason);

const SENTENCES: &[Sentence] = &[
    ("CRLF would be replaced by LF in ", "\n", |_| UnstageableReason::LineEnds("LF")),
    ("LF would be replaced by CRLF in ", "\n", |_| UnstageableReason::LineEnds("CRLF")),
    ("fatal: ", ": clean filter '", |rest| UnstageableReason::Filter(until(rest, "'"))),
    ("BOM is required in '", "' if encoded as ", |rest| {
        UnstageableReason::Encoding(until(rest, "\n"))
    }),
    ("BOM is prohibited in '", "' if encoded as ", |rest| {
        UnstageableReason::Encoding(until(rest, "\n"))
    }),
    ("failed to encode '", "' from ", |rest| UnstageableReason::Encoding(until(rest, " to "))),
    ("encoding '", "' from ", |rest| UnstageableReason::Encoding(until(rest, " to "))),
    ("error: open(\"", "\"): ", |rest| UnstageableReason::Unreadable(until(rest, "\n"))),
    ("error: readlink(\"", "\"): ", |rest| UnstageableReason::Unreadable(until(rest, "\n"))),
    ("error: ", ": ", |rest| UnstageableReason::Other(until(rest, "\n"))),
    ("error: '", "' ", |rest| UnstageableReason::Other(until(rest, "\n"))),
    ("Unable to process path ", "\n", |_| {
        UnstageableReason::Other("it does not say why".to_owned())
    }),
];

fn until(text: &str, end: &str) -> String {
    text.split(end).next().unwrap_or_default().trim_end().to_owned()
}

/// Returns the file, one of `paths`, that git named when it refused to go on; `None` when its
/// message is about the repository or the disk.
pub fn from_stderr(stderr: &str, paths: &[RepoPath]) -> Option<Unstageable> {
    let said = format!(
        "{stderr}
"
    );
    let about = |(before, after, why): &Sentence| {
        let rests = said.match_indices(before).filter_map(|(at, _)| said.get(at + before.len()..));
        let named = |rest: &str| {
            let after_it = |path| rest.strip_prefix(&shown(path))?.strip_prefix(after);
            let found = paths.iter().filter_map(|path| Some((path, after_it(path)?)));
            // Of two that fit, one is the beginning of the other.
            let (path, rest) = found.max_by_key(|(path, _)| path.as_bytes().len())?;
            Some(Unstageable { path: path.clone(), why: why(rest) })
        };
        rests.into_iter().find_map(named)
    };
    let unstageable = SENTENCES.iter().find_map(about)?;
    // A full disk is no fault of the file that was to be stored.
    let is_telling = !matches!(unstageable.why, UnstageableReason::Other(_));
    (is_telling || system::failure(&said).is_none()).then_some(unstageable)
}

/// Returns a path as git prints it in a message.
fn shown(path: &RepoPath) -> String {
    let text = String::from_utf8_lossy(path.as_bytes());
    let is_kept = |c: char| !c.is_ascii_control() || matches!(c, '\t' | '\n');
    text.chars().map(|c| if is_kept(c) { c } else { '?' }).collect()
}

impl Unstageable {
    /// Returns one clause about the file, with its path.
    pub fn message(&self) -> String {
        let path = &self.path;
        match &self.why {
            UnstageableReason::LineEnds(wanted) => format!(
                "core.safecrlf is set, and git would turn line ends of `{path}` into {wanted}"
            ),
            UnstageableReason::Filter(name) => {
                format!("the clean filter {name:?} fails for `{path}`")
            }
            UnstageableReason::Encoding(name) => format!(
                "`{path}` is not in the encoding {name}, which its attribute working-tree-encoding names"
            ),
            UnstageableReason::Unreadable(said) => format!("git cannot read `{path}`: {said}"),
            UnstageableReason::Name => format!("git takes no file of the name `{path}`"),
            UnstageableReason::Other(said) => format!("git does not take `{path}`: {said}"),
        }
    }

    /// The one action that leads on.
    pub fn hint(&self) -> String {
        let path = &self.path;
        let remedy = match &self.why {
            UnstageableReason::LineEnds(wanted) => {
                format!("end every line of {path} with {wanted}")
            }
            UnstageableReason::Filter(name) => format!(
                "see what filter.{name}.clean or filter.{name}.process runs, and correct that or the file"
            ),
            UnstageableReason::Encoding(name) => {
                format!("save {path} as {name}, or correct its line in .gitattributes")
            }
            UnstageableReason::Unreadable(_) => format!("make {path} readable, or remove it"),
            UnstageableReason::Name => format!("give {path} another name"),
            UnstageableReason::Other(_) => {
                format!("correct {path}, or move it out of the worktree")
            }
        };
        format!("{remedy}, then the same command again")
    }
}

/// Files that git does not take.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UnstageableFiles {
    /// The files, by path in the repository.
    pub paths: Vec<RepoPath>,
    /// Why, path by path.
    pub reasons: Vec<String>,
}

impl Details for UnstageableFiles {
    const CODES: &'static [Code] = &[Code::FileRefused, Code::ProgramFailed];
}

/// Returns the refusal of a commit with files that git does not take: `program_failed` when a clean
/// filter failed, else `file_refused`; `None` without any.
pub fn refusal(unstageable: &[Unstageable]) -> Option<Failure> {
    let first = unstageable.first()?;
    let code = match first.why {
        UnstageableReason::Filter(_) => Code::ProgramFailed,
        _ => Code::FileRefused,
    };
    let more = match unstageable.len() {
        1 => String::new(),
        n => format!(" ({} more like it)", n - 1),
    };
    let paths: Vec<RepoPath> =
        unstageable.iter().map(|unstageable| unstageable.path.clone()).collect();
    let reasons: Vec<String> = unstageable.iter().map(Unstageable::message).collect();
    let reason = format!("git does not take {}", first.path).replace([']', '\n'], "?");
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(120).collect();
    let failure = Failure::new(code, format!("{}{more}", first.message())).hint(first.hint());
    Some(
        failure
            .next(Next::Blocked { reason: &reason })
            .details(UnstageableFiles { paths, reasons }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_names_the_file() {
        let paths =
            ["a", "a/x", "a/x y", "a/it's: here", "a/\u{1}", "new\nline"].map(RepoPath::from);
        let told = |said: &str| {
            from_stderr(said, &paths)
                .map(|unstageable| (unstageable.path.to_string(), unstageable.why))
        };
        let x = |why| Some(("a/x".to_owned(), why));
        for (said, wanted) in [
            ("fatal: CRLF would be replaced by LF in a/x", x(UnstageableReason::LineEnds("LF"))),
            ("fatal: LF would be replaced by CRLF in a/x", x(UnstageableReason::LineEnds("CRLF"))),
            (
                "error: external filter 'false' failed 1\nfatal: a/x: clean filter 'lfs' failed",
                x(UnstageableReason::Filter("lfs".to_owned())),
            ),
            (
                "hint: The file 'a' is missing a byte order mark\nfatal: BOM is required in 'a/x' if encoded as UTF-16",
                x(UnstageableReason::Encoding("UTF-16".to_owned())),
            ),
            (
                "fatal: failed to encode 'a/x' from UTF-16LE-BOM to UTF-8",
                x(UnstageableReason::Encoding("UTF-16LE-BOM".to_owned())),
            ),
            (
                "error: open(\"a/x\"): Permission denied\nerror: unable to index file 'a/x'\nfatal: Unable to process path a/x",
                x(UnstageableReason::Unreadable("Permission denied".to_owned())),
            ),
            (
                "error: a/x: unsupported file type\nfatal: Unable to process path a/x",
                x(UnstageableReason::Other("unsupported file type".to_owned())),
            ),
            (
                "error: 'a/x' is beyond a symbolic link\nfatal: Unable to process path a/x",
                x(UnstageableReason::Other("is beyond a symbolic link".to_owned())),
            ),
            // Not of a file.
            (
                "error: file write error: No space left on device\nfatal: Unable to process path a/x",
                None,
            ),
            ("fatal: Unable to create '/r/.git/index.lock': File exists.", None),
            ("fatal: CRLF would be replaced by LF in a/z", None),
            ("", None),
        ] {
            assert_eq!(told(said), wanted, "{said}");
        }
        for (shown, path) in
            [("a/x y", "a/x y"), ("a/it's: here", "a/it's: here"), ("a/?", "\"a/\\001\"")]
        {
            let said = format!("fatal: CRLF would be replaced by LF in {shown}");
            // Its control characters quoted, as everywhere.
            let found = told(&said).map(|(path, _)| path);
            assert!(
                found.as_deref() == Some(path) || found.as_deref() == Some("a/\u{1}"),
                "{found:?}"
            );
        }
        let said = "fatal: CRLF would be replaced by LF in new\nline";
        assert_eq!(told(said).map(|(path, _)| path).as_deref(), Some("new\nline"));
    }
}
