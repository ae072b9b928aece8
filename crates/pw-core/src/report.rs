//! What every answer has: the id of its schema.

use schemars::JsonSchema;
use serde::Serialize;

/// An answer a helper can print; the text is the `schema` of its document.
pub trait Report: Serialize + JsonSchema {
    const SCHEMA: &'static str;
}
