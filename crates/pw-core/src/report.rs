//! What every answer has: the id of its schema.

use schemars::JsonSchema;
use serde::Serialize;

/// An answer a helper can print; the text is the `schema` of its document.
pub trait Report: Serialize + JsonSchema {
    /// The `schema` of the document, `pw-monitor.status/1` for example.
    const SCHEMA: &'static str;
}
