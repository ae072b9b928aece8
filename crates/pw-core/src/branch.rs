//! A branch, by the name people give it: `main`, `work/task-1-users`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use crate::id::Slug;

/// What the full names of branches begin with.
const HEADS: &str = "refs/heads/";

/// A branch's name without `refs/heads/`. Git's rules for names are not repeated here: names come
/// from git, or are made of a workflow's and a worker's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Branch(String);

impl Branch {
    /// Takes a name without `refs/heads/`.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Returns the branch on which the results of a workflow come together.
    pub fn integration(workflow: &Slug) -> Self {
        Self(format!("integration/{workflow}"))
    }

    /// Returns the branch of the worker with this label, `task-1-users`.
    pub fn of_worker(label: &str) -> Self {
        Self(format!("work/{label}"))
    }

    /// Returns the label of the worker whose branch it is called as.
    pub fn label(&self) -> Option<&str> {
        self.0.strip_prefix("work/")
    }

    /// Returns whether it is called as the branches of workflows are.
    pub fn is_called_as_ours(&self) -> bool {
        self.0.starts_with("work/") || self.0.starts_with("integration/")
    }

    /// Returns the branch that a ref is, by its full name; `None` when it is another kind of ref.
    pub fn of_ref(full: &str) -> Option<Self> {
        full.strip_prefix(HEADS).map(Self::new)
    }

    /// Returns the name without `refs/heads/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the full name of its ref, which no tag and no remote's branch can be taken for.
    pub fn full(&self) -> String {
        format!("{HEADS}{}", self.0)
    }
}

impl fmt::Display for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Branch {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<Branch> for String {
    fn from(branch: Branch) -> Self {
        branch.0
    }
}

/// In answers a branch is the text it always was.
impl JsonSchema for Branch {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_is_told_from_other_refs_by_its_full_name() {
        let branch = Branch::from("work/task-1-users");
        assert_eq!(branch.full(), "refs/heads/work/task-1-users");
        assert_eq!(Branch::of_ref(&branch.full()), Some(branch));
        assert_eq!(Branch::of_ref("refs/tags/v1"), None);
        assert_eq!(Branch::of_ref("main"), None);
    }
}
