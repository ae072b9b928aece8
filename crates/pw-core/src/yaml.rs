//! YAML as plain nodes with line numbers. The only file that names the YAML crate.
//!
//! Strict on purpose: anchors, aliases and tags are refused (a plan needs none, and an unquoted
//! glob is one by accident), one document, bounded size and depth.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{DuplicateKeyPolicy, MergeKeyPolicy, Spanned, Tagged};

/// Plans above this size are refused unread.
pub(crate) const MAX_BYTES: usize = 1 << 20;

const QUOTE_GLOBS: &str = "quote every glob: \"*.rs\", \"!docs/**\"";

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) line: u32,
    pub(crate) value: Value,
    pub(crate) tag: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    /// Entries in the order of the file, duplicates included.
    Map(Vec<(String, u32, Node)>),
}

impl Value {
    /// Returns what this is, in words for a message.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a yes/no value",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// Why a text is not readable as one plain YAML document.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) line: Option<u32>,
    pub(crate) message: String,
    pub(crate) hint: &'static str,
}

/// Reads one YAML document.
pub(crate) fn read(text: &str) -> Result<Node, Unreadable> {
    if text.len() > MAX_BYTES {
        return Err(Unreadable {
            line: None,
            message: format!("the plan is {} bytes, more than {MAX_BYTES}", text.len()),
            hint: "a plan is a page or two; keep documents beside it",
        });
    }
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_anchors: 0, max_aliases: 0, max_merge_keys: 0, max_documents: 1,
            max_depth: 16, max_nodes: 250_000,
        },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
    };
    serde_yaml::from_str_with_options::<Node>(text, options).map_err(|error| {
        let message = error.without_snippet().to_string();
        let globs = message.contains("alias") || message.contains("nchor");
        Unreadable {
            line: error.location().map(|location| small(location.line())),
            message: message.lines().next().unwrap_or_default().to_owned(),
            hint: if globs { QUOTE_GLOBS } else { "correct the YAML on this line" },
        }
    })
}

impl Node {
    /// Returns the hint for a tagged node: usually a glob that begins with `!`.
    pub(crate) fn tag_hint() -> &'static str {
        QUOTE_GLOBS
    }
}

fn small(line: u64) -> u32 {
    u32::try_from(line).unwrap_or(u32::MAX)
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(spanned, tag) = Tagged::<Spanned<Value>>::deserialize(deserializer)?;
        Ok(Self { line: small(spanned.referenced.line()), value: spanned.value, tag })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number.to_string()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            map.push((key.value, small(key.referenced.line()), entries.next_value()?));
        }
        Ok(Value::Map(map))
    }
}
