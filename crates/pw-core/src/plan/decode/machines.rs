//! What a plan says about the machines of engines.

use super::super::machines::is_plain;
use super::{EngineSettings, Fields, ProblemCode, Reader, field};
use crate::yaml::Node;

const ENGINE_KEYS: &[&str] = &["hosts", "folder", "path", "partition", "time"];

impl Reader<'_> {
    /// Returns what is said about the machines of engines.
    pub(super) fn engine(&mut self, fields: &Fields<'_>) -> Option<EngineSettings> {
        let node = field(fields, "engine")?;
        let fields = self.fields(node, "`engine`", ENGINE_KEYS)?;
        let hosts = self.strings(&fields, "hosts");
        let partition = self.text(&fields, "partition");
        let hosts_named = hosts.iter().map(|host| ("hosts", host));
        for (key, name) in hosts_named.chain(partition.iter().map(|name| ("partition", name))) {
            self.plain_name(node, key, name);
        }
        Some(EngineSettings {
            hosts,
            partition,
            folder: self.text(&fields, "folder"),
            path: self.text(&fields, "path"),
            time: self.duration(&fields, "time"),
        })
    }

    fn plain_name(&mut self, node: &Node, key: &str, name: &str) {
        if !is_plain(name) {
            let message = format!("{name:?} in `{key}` is no plain name");
            let hint = "use letters, digits and . _ - @ :";
            self.report(node.line, ProblemCode::WrongType, message, hint);
        }
    }
}
