//! What a plan says about the machines of engines.

use super::super::machines::is_plain;
use super::{EngineSettings, Fields, ProblemCode, Reader, field};
use crate::yaml::Node;

const ENGINE_KEYS: &[&str] = &[
    "hosts",
    "folder",
    "path",
    "partition",
    "time",
    "prepare",
    "advance",
    "image",
    "namespace",
    "secret",
    "runner",
    "environment",
];
/// Those of which each is a plain name.
const NAMES: [&str; 6] = ["partition", "image", "namespace", "secret", "runner", "environment"];

impl Reader<'_> {
    /// Returns what is said about the machines of engines.
    pub(super) fn engine(&mut self, fields: &Fields<'_>) -> Option<EngineSettings> {
        let node = field(fields, "engine")?;
        let fields = self.fields(node, "`engine`", ENGINE_KEYS)?;
        let hosts = self.strings(&fields, "hosts");
        hosts.iter().for_each(|host| self.plain_name(node, "hosts", host));
        let [partition, image, namespace, secret, runner, environment] = NAMES.map(|key| {
            let name = self.text(&fields, key);
            name.iter().for_each(|name| self.plain_name(node, key, name));
            name
        });
        Some(EngineSettings {
            hosts,
            partition,
            image,
            namespace,
            secret,
            runner,
            environment,
            folder: self.text(&fields, "folder"),
            path: self.text(&fields, "path"),
            time: self.duration(&fields, "time"),
            prepare: self.text(&fields, "prepare"),
            advance: self.flag(&fields, "advance"),
        })
    }

    fn plain_name(&mut self, node: &Node, key: &str, name: &str) {
        if !is_plain(name) {
            let message = format!("{name:?} in `{key}` is no plain name");
            let hint = "use letters, digits and . _ - @ : /";
            self.report(node.line, ProblemCode::WrongType, message, hint);
        }
    }
}
