//! The JSON Schema of every answer a helper can print.

use std::collections::BTreeMap;

use pw_core::analyze::report::Analysis;
use pw_core::failure::{Code, Details as _, Failure, Obstacles};
use pw_core::gate_report::GateStop;
use pw_core::plan::Problems;
use pw_core::report::Report;
use pw_core::{
    cleanup, details, doctor, engine, finish, gap, integration, launch, lock, remedy, retro, setup,
    snapshot, status, stop, unstageable, worker,
};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

/// The schema of every refusal.
pub(crate) const ERROR_SCHEMA: &str = "pw.error/1";

/// Returns `data` schemas by `schema` id, and that of `error` under its own.
pub fn of(helper: &str) -> BTreeMap<&'static str, Value> {
    let mut schemas = match helper {
        "pw-setup" => {
            vec![
                entry::<setup::Check>(),
                entry::<setup::Created>(),
                entry::<launch::Launched>(),
                entry::<gap::Repaired>(),
                entry::<Analysis>(),
                entry::<setup::List>(),
                entry::<remedy::Explained>(),
                entry::<doctor::Doctor>(),
            ]
        }
        "pw-monitor" => vec![entry::<status::Status>(), entry::<status::Waited>()],
        "pw-integrate" => vec![
            entry::<integration::Check>(),
            entry::<integration::Preview>(),
            entry::<integration::Integrated>(),
            entry::<integration::Aborted>(),
            entry::<stop::Stop>(),
            entry::<finish::Finished>(),
            entry::<cleanup::Cleanup>(),
            entry::<snapshot::Restore>(),
            entry::<snapshot::Forgotten>(),
        ],
        "pw-worker" => {
            vec![
                entry::<worker::Brief>(),
                entry::<worker::Committed>(),
                entry::<worker::Ran>(),
                entry::<worker::Undone>(),
                entry::<worker::Synced>(),
            ]
        }
        "pw-retro" => vec![
            entry::<retro::Retro>(),
            entry::<retro::past::Remembered>(),
            entry::<retro::past::Comparison>(),
            entry::<retro::past::Forgot>(),
        ],
        _ => Vec::new(),
    };
    schemas.push((ERROR_SCHEMA, refusal()));
    schemas.into_iter().collect()
}

fn entry<R: Report>() -> (&'static str, Value) {
    (R::SCHEMA, schema::<R>())
}

fn schema<T: JsonSchema>() -> Value {
    generator().into_root_schema_for::<T>().to_value()
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

/// Returns the schema of a refusal: for each code, what its `details` hold when they hold anything.
fn refusal() -> Value {
    let mut schemas = generator();
    let mut kinds: Vec<(&[Code], Value)> = Vec::new();
    macro_rules! kinds {
        ($($kind:ty),* $(,)?) => {
            $(kinds.push((<$kind>::CODES, schemas.subschema_for::<$kind>().to_value()));)*
        };
    }
    kinds![
        details::Build,
        details::Conflicts,
        details::Contradictions,
        details::DependencyConflicts,
        details::Ended,
        engine::RepositoryFile,
        details::Files,
        details::ForeignFiles,
        details::GitCall,
        details::GitSaid,
        details::HookSaid,
        details::LeftFiles,
        lock::LockFile,
        details::LostSignal,
        details::Misplaced,
        details::NotCreated,
        details::Present,
        details::Provided,
        details::RemoteSaid,
        details::Unclean,
        details::Usage,
        details::Workflows,
        GateStop,
        integration::Returned,
        integration::Unready,
        launch::Sessions,
        lock::Holder,
        Obstacles,
        Problems,
        stop::Stop,
        unstageable::UnstageableFiles,
    ];
    let mut told: Vec<(Vec<Code>, Vec<&Value>)> = Vec::new();
    for code in Code::ALL {
        let its = kinds.iter().filter(|(codes, _)| codes.contains(code)).map(|(_, kind)| kind);
        let its: Vec<&Value> = its.collect();
        match told.iter_mut().find(|(_, kinds)| *kinds == its) {
            Some((codes, _)) => codes.push(*code),
            None => told.push((vec![*code], its)),
        }
    }
    let nothing = json!({ "type": "object", "maxProperties": 0 });
    let rule = |(codes, kinds): &(Vec<Code>, Vec<&Value>)| {
        let any: Vec<&Value> = kinds.iter().copied().chain([&nothing]).collect();
        json!({
            "if": { "properties": { "code": { "enum": codes } } },
            "then": { "properties": { "details": { "anyOf": any } } },
        })
    };
    let rules: Vec<Value> = told.iter().map(rule).collect();
    let mut schema = schemas.into_root_schema_for::<Failure>();
    schema.insert("allOf".to_owned(), Value::Array(rules));
    schema.to_value()
}

/// Returns whether an answer of this helper can have a field of this name; `trial.copy` is one of a field.
pub(crate) fn has(helper: &str, field: &str) -> bool {
    let mut schemas = of(helper).into_iter().filter(|(id, _)| *id != ERROR_SCHEMA);
    let names: Vec<&str> = field.split('.').collect();
    schemas.any(|(_, schema)| has_below(&schema, &schema, &names))
}

/// Follows references, alternatives and lists of a schema down to the fields that they lead to.
fn has_below(root: &Value, schema: &Value, names: &[&str]) -> bool {
    let Some((name, rest)) = names.split_first() else { return true };
    let referred = schema["$ref"].as_str().and_then(|to| root.pointer(to.strip_prefix('#')?));
    let choices = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema[key].as_array());
    schema["properties"].get(name).is_some_and(|field| has_below(root, field, rest))
        || referred.is_some_and(|schema| has_below(root, schema, names))
        || choices.flatten().any(|schema| has_below(root, schema, names))
        || schema.get("items").is_some_and(|schema| has_below(root, schema, names))
}
