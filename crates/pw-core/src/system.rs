//! Errors of git and of the system that have a name. The words are those of the C locale.

use crate::failure::{Code, Failure};
use crate::lock;
use crate::next::CommandLine;

/// Returns what an error of git or of the system is about, when that has a name.
pub fn failure(text: &str) -> Option<Failure> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let again = lock::AGAIN;
    if let Some(lock) = lock::of_git(text) {
        return Some(lock::taken(lock));
    }
    if says(&["lazy fetching disabled"]) {
        let what = "this clone lacks the content of some files, and no helper fetches";
        let fetch = CommandLine::of("git fetch --refetch --no-filter");
        let hint = format!("fetch it with {fetch}, {again}");
        return Some(Failure::new(Code::ObjectsMissing, what).hint(hint).next(fetch));
    }
    let lacking = text.split_once("fatal: bad object ");
    if let Some(commit) = lacking.and_then(|(_, rest)| rest.split_whitespace().next()) {
        let what = format!("this clone lacks commit {commit}, which the workflow rests on");
        let hint = "fetch the branches of the repository where the workflow was made (git fetch --all, \
                    and --unshallow in a shallow clone), then run the same command again";
        return Some(Failure::new(Code::ObjectsMissing, what).hint(hint));
    }
    let (code, what, remedy) = if says(&["making a temporary folder"]) {
        let remedy = "have TMPDIR name a folder that may be written";
        (Code::CannotWrite, "no temporary folder can be made", remedy)
    } else if says(&["smudge filter", "clean filter", "external filter"]) {
        (Code::ProgramFailed, "a filter of this repository does not work", "repair it")
    } else if says(&["failed to sign the data"]) {
        let remedy = "make the key available, or have the user turn signing off";
        (Code::ProgramFailed, "the commit cannot be signed", remedy)
    } else if says(&["Author identity unknown", "Committer identity unknown", "empty ident name"]) {
        let remedy =
            "have the user run git config user.name NAME and git config user.email ADDRESS";
        (Code::NoIdentity, "git does not know who commits here", remedy)
    } else if says(&["refusing to merge unrelated histories"]) {
        let remedy = "tell the user, who decides what these branches should hold";
        (Code::NoMergeBase, "the commits to merge have no history in common", remedy)
    } else if says(&["No space left", "quota exceeded", "File too large"]) {
        (Code::CannotWrite, "the disk is full", "make room")
    } else if says(&["unable to write file"]) {
        let remedy = "see whether the disk is full";
        (Code::CannotWrite, "a file cannot be written", remedy)
    } else if says(&["Read-only file system", "Permission denied", "insufficient permission"]) {
        (
            Code::CannotWrite,
            "the repository may not be written",
            "give this user the right to write to it",
        )
    } else {
        return None;
    };
    Some(Failure::new(code, what).hint(format!("{remedy}, {again}")))
}

/// Returns what helps where git failed for a reason that has no name.
pub fn hint(text: &str) -> &'static str {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["fatal: bad config"]) {
        "have the user correct the setting that details.git names, then run the same command again"
    } else if says(&["index file corrupt", "index file smaller than expected", "bad index file"]) {
        "git's index of a worktree is damaged: remove that file (git rev-parse --git-path index names it), run \
         git reset there, which leaves all files as they are, then run the same command again"
    } else {
        "read details.git; nothing else was done after this"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::LockFile;

    #[test]
    fn what_the_system_refuses_has_a_name() {
        let of = |text: &str| failure(text).map(|named| named.code);
        let left = "fatal: Unable to create '/r/it's/.git/index.lock': File exists.\n\nAnother git";
        assert_eq!(of(left), Some(Code::Locked));
        let temporary = failure("making a temporary folder: Permission denied at path \"/x\"");
        assert!(temporary.unwrap().hint.contains("TMPDIR"));
        assert_eq!(of("error: No space left on device"), Some(Code::CannotWrite));
        assert_eq!(of("writing /r/.git/pw/lock: Permission denied"), Some(Code::CannotWrite));
        let objects = "error: insufficient permission for adding an object to repository database";
        assert_eq!(of(objects), Some(Code::CannotWrite));
        assert_eq!(of("error: unable to write file big"), Some(Code::CannotWrite));
        let damaged = "error: bad signature 0x6b6e756a\nfatal: index file corrupt";
        assert!(failure(damaged).is_none() && hint(damaged).contains("git reset"));
        assert_eq!(of("fatal: a.bin: smudge filter lfs failed"), Some(Code::ProgramFailed));
        assert_eq!(of("error: gpg failed to sign the data:"), Some(Code::ProgramFailed));
        assert_eq!(of("Author identity unknown\n\n*** Please"), Some(Code::NoIdentity));
        let unrelated = "fatal: refusing to merge unrelated histories";
        assert_eq!(of(unrelated), Some(Code::NoMergeBase));
        assert_eq!(of("fatal: bad revision"), None);
        let told = failure(left).and_then(|named| named.told::<LockFile>());
        assert_eq!(told.unwrap().lock, "/r/it's/.git/index.lock");
    }
}
