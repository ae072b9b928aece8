//! What a worker's worktree has of a large repository: the folders of its scope, of files that all
//! share, and of what the plan says it reads.

use super::{Plan, Worker};
use crate::path::RepoPath;

impl Plan {
    /// Returns the folders that a worker's worktree is made of, besides the files at the top and
    /// beside them, as git's cone has it. `None` where it has every file: the plan does not say what
    /// the worker reads, or what it owns, shares or reads may be anywhere.
    pub fn folders_of(&self, worker: &Worker) -> Option<Vec<RepoPath>> {
        let reads = [self.reads.as_ref(), worker.reads.as_ref()];
        reads.iter().flatten().next()?;
        let scopes = reads.into_iter().flatten().chain([&worker.owns, &self.shared]);
        let folders: Option<Vec<Vec<RepoPath>>> = scopes.map(|scope| scope.folders()).collect();
        let mut folders = folders?.concat();
        folders.sort();
        folders.dedup();
        Some(folders)
    }

    /// Returns a warning for each worker whose worktree cannot be made of folders.
    pub(crate) fn whole_in_spite_of_reads(&self) -> impl Iterator<Item = String> {
        let is_whole = |worker: &&Worker| {
            (self.reads.is_some() || worker.reads.is_some()) && self.folders_of(worker).is_none()
        };
        self.workers.iter().filter(is_whole).map(|worker| {
            let id = &worker.id;
            format!(
                "{id} gets every file: what it owns, shares or `reads` has a glob that begins with a \
                 wildcard; name folders instead"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(all: &str, own: &str, owns: &str) -> Plan {
        let text =
            format!("workflow: w\n{all}\nworkers: [{{id: a, name: a, owns: [{owns}]{own}}}]\n");
        Plan::parse(&text).unwrap()
    }

    #[test]
    fn a_worktree_is_narrowed_only_where_the_plan_says_what_is_read() {
        let table: &[(&str, &str, &str, Option<&[&str]>)] = &[
            ("", "", "api/**", None),
            ("reads: []", "", "api/**", Some(&["api"])),
            ("reads: [docs]", "", "api/**", Some(&["api", "docs"])),
            ("", ", reads: ['lib/core/*.rs']", "api/x.py", Some(&["api/x.py", "lib/core"])),
            (
                "reads: [docs]\nshared: [Cargo.lock, in/s]",
                ", reads: [docs]",
                "a",
                Some(&["a", "docs", "in/s"]),
            ),
            ("reads: [docs]", "", "'**/*.md'", None),
            ("reads: ['*/x']", "", "a", None),
        ];
        for (all, own, owns, expected) in table {
            let plan = plan(all, own, owns);
            let folders = plan.folders_of(&plan.workers[0]);
            let mut expected: Option<Vec<RepoPath>> =
                expected.map(|names| names.iter().map(|name| (*name).into()).collect());
            if all.contains("Cargo.lock") {
                expected.as_mut().unwrap().insert(0, "Cargo.lock".into());
            }
            assert_eq!(folders, expected, "{all} {own} {owns}");
            let is_told = plan.whole_in_spite_of_reads().count() == 1;
            let is_asked = all.contains("reads") || own.contains("reads");
            assert_eq!(is_told, is_asked && expected.is_none(), "{all} {own} {owns}");
        }
    }
}
