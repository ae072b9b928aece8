//! A plan as a file, and as rules see it.

use std::path::Path;

use anyhow::Result;
use pw_core::failure::{Code, Failure};
use pw_core::next::Next;
use pw_core::plan::Plan;

use crate::shell::Context;

/// Plans above this size are not read; a plan is a page or two.
const MAX_PLAN: u64 = 1 << 20;

/// A plan as a file, and as rules see it.
pub(super) struct PlanFile {
    pub(super) text: String,
    pub(super) plan: Plan,
}

impl PlanFile {
    pub(super) fn read(context: &Context, path: &Path) -> Result<Self> {
        let full = context.directory.join(path);
        let unreadable = |message: String| {
            Failure::new(Code::PlanUnreadable, message)
                .hint("name a YAML file that exists and is UTF-8 text; the help shows one")
                .next(Next::Help { helper: "pw-setup", verb: Some("check") })
        };
        let failed = |error: std::io::Error| unreadable(format!("{}: {error}", path.display()));
        let about = std::fs::metadata(&full).map_err(failed)?;
        if !about.is_file() || about.len() > MAX_PLAN {
            let message = format!("{} is no file of at most {MAX_PLAN} bytes", path.display());
            return Err(unreadable(message).into());
        }
        let bytes = std::fs::read(&full).map_err(failed)?;
        let text = String::from_utf8(bytes)
            .map_err(|_| unreadable(format!("{} is not UTF-8", path.display())))?;
        let again = |failure: Failure| failure.next(Next::CheckPlan(path));
        let plan = Plan::parse(&text).map_err(again)?;
        Ok(Self { text, plan })
    }
}
