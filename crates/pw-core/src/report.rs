//! What every answer has: the id of its schema.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// An answer a helper can print; the text is the `schema` of its document.
pub trait Report: Serialize + JsonSchema {
    /// The `schema` of the document, `pw-monitor.status/1` for example.
    const SCHEMA: &'static str;

    /// Takes out of `data` what the reader need not know while it is as it should be: an agent
    /// pays for every byte. `--verbose` leaves it in.
    fn shorten(_data: &mut Value) {}
}

/// How many workers an answer tells of in full, also when nothing is wrong with them.
pub(crate) const IN_FULL: usize = 10;

/// Of what is shortened, every field may be absent.
pub(crate) fn requires_nothing(schema: &mut schemars::Schema) {
    schema.remove("required");
}

/// Removes fields of an object; the others keep their order.
pub(crate) fn leave_out(object: &mut Value, names: &[&str]) {
    if let Some(fields) = object.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
    }
}

/// Removes all but these fields of an object. A name with dots is a field of a field, of each entry where
/// that is a list.
pub fn keep(object: &mut Value, names: &[&str]) {
    match object {
        Value::Array(list) => list.iter_mut().for_each(|entry| keep(entry, names)),
        Value::Object(fields) => fields.retain(|name, value| {
            let inner = |wanted: &&&str| wanted.split_once('.').is_some_and(|(top, _)| top == name);
            let inner: Vec<&str> =
                names.iter().filter(inner).map(|wanted| &wanted[name.len() + 1..]).collect();
            let is_whole = names.contains(&name.as_str());
            if !is_whole && !inner.is_empty() {
                keep(value, &inner);
            }
            is_whole || !inner.is_empty()
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns whether there is nothing in a value.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns the list in a field; an empty one where there is none.
pub(crate) fn list<'a>(object: &'a mut Value, name: &str) -> &'a mut [Value] {
    object.get_mut(name).and_then(Value::as_array_mut).map(Vec::as_mut_slice).unwrap_or_default()
}

/// Cuts the list in a field to `limit`; returns how many that leaves out.
pub(crate) fn cut(object: &mut Value, name: &str, limit: usize) -> usize {
    let Some(list) = object.get_mut(name).and_then(Value::as_array_mut) else { return 0 };
    let left = list.len().saturating_sub(limit);
    list.truncate(limit);
    left
}

/// How many entries of one list are told: a folder can have thousands of files.
pub const LISTED: usize = 100;

/// Lists that grow with the repository or with a mistake, and not with the plan.
const GROWING: [&str; 9] = [
    "conflicts",
    "files",
    "findings",
    "left",
    "out_of_scope",
    "paths",
    "problems",
    "uncommitted",
    "unseen",
];

/// Cuts such lists, at any depth. What had one says in `unlisted` how many entries are left out.
pub fn bound(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(bound),
        Value::Object(fields) => {
            fields.values_mut().for_each(bound);
            let left: usize = GROWING.iter().map(|name| cut(value, name, LISTED)).sum();
            if left > 0 {
                let known =
                    value["unlisted"].as_u64().and_then(|known| usize::try_from(known).ok());
                value["unlisted"] = (known.unwrap_or_default() + left).into();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_may_stand_deep() {
        let all = json!({ "a": { "b": 1, "c": 2 }, "list": [{ "b": 3, "c": 4 }], "d": 5 });
        let kept = |names: &[&str]| {
            let mut value = all.clone();
            keep(&mut value, names);
            value
        };
        assert_eq!(kept(&["a.b", "list.c"]), json!({ "a": { "b": 1 }, "list": [{ "c": 4 }] }));
        assert_eq!(kept(&["a.b", "a", "d.x"]), json!({ "a": { "b": 1, "c": 2 }, "d": 5 }));
    }

    #[test]
    fn lists_are_cut_wherever_they_are_and_what_is_left_out_is_counted() {
        let many: Vec<usize> = (0..250).collect();
        let mut value = json!({
            "workers": [{ "reasons": [{ "paths": many }], "left": many, "unlisted": 7 }],
            "order": many,
            "paths": ["one"],
        });
        bound(&mut value);
        let worker = &value["workers"][0];
        assert_eq!(worker["reasons"][0]["paths"].as_array().unwrap().len(), LISTED);
        assert_eq!(
            (&worker["reasons"][0]["unlisted"], &worker["unlisted"]),
            (&json!(150), &json!(157))
        );
        assert_eq!(value["order"].as_array().unwrap().len(), 250);
        assert_eq!(value.get("unlisted"), None);
    }
}
