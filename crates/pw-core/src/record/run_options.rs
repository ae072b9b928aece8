//! What an integration was asked for, and goes on with after a stop.

use std::fmt;

use crate::gate::GateMode;
use crate::id::WorkerId;
use crate::next::Options;

/// Which workers an integration leaves out, and how it is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunOptions {
    /// Workers left out.
    pub without: Vec<WorkerId>,
    /// Whether changes outside a scope are merged, too.
    pub allow_out_of_scope: bool,
    /// When the gates run, if it was said.
    pub gate: Option<GateMode>,
    /// The command to run instead of the plan's gates.
    pub verify: Option<String>,
    /// Whether what gates said before is forgotten; for one run alone, so it is not recorded.
    pub retest: bool,
}

impl RunOptions {
    pub(super) fn parse(words: &[&str]) -> Option<Self> {
        let mut options = Self::default();
        for word in words {
            match word.split_once('=') {
                Some(("without", id)) => options.without.push(id.parse().ok()?),
                Some(("gate", mode)) => options.gate = Some(GateMode::parse(mode)?),
                Some(("verify", json)) => options.verify = Some(serde_json::from_str(json).ok()?),
                None if *word == "out-of-scope" => options.allow_out_of_scope = true,
                _ => return None,
            }
        }
        Some(options)
    }

    /// Returns the options that ask for it again.
    pub fn options(&self) -> Options<'_> {
        Options {
            without: &self.without,
            allow_out_of_scope: self.allow_out_of_scope,
            no_gate: self.gate == Some(GateMode::None),
            gate: self.gate.filter(|mode| *mode != GateMode::None).map(GateMode::word),
            verify: self.verify.as_deref(),
        }
    }

    /// Returns both choices together; what `other` says of the gates counts.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut without = self.without.clone();
        without.extend(other.without.iter().filter(|id| !self.without.contains(id)).cloned());
        Self {
            without,
            allow_out_of_scope: self.allow_out_of_scope || other.allow_out_of_scope,
            gate: other.gate.or(self.gate),
            verify: other.verify.clone().or_else(|| self.verify.clone()),
            retest: self.retest || other.retest,
        }
    }
}

impl fmt::Display for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.allow_out_of_scope {
            f.write_str(" out-of-scope")?;
        }
        self.without.iter().try_for_each(|id| write!(f, " without={id}"))?;
        if let Some(mode) = self.gate {
            write!(f, " gate={}", mode.word())?;
        }
        // Quoted as JSON, the command is one word on one line.
        let json = self.verify.as_ref().map(|command| serde_json::json!(command).to_string());
        json.map_or(Ok(()), |json| write!(f, " verify={}", json.replace(' ', "\\u0020")))
    }
}
