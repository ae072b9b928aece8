//! The JSON Schema of every answer a helper can print.

use std::collections::BTreeMap;

use anyhow::Result;
use pw_core::analyze::report::Analysis;
use pw_core::failure::Failure;
use pw_core::report::Report;
use pw_core::{
    cleanup, finish, gap, integration, launch, retro, setup, snapshot, status, stop, worker,
};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::shell::{Answer, Cli, ERROR_SCHEMA};

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
            vec![entry::<worker::Brief>(), entry::<worker::Committed>(), entry::<worker::Synced>()]
        }
        "pw-retro" => vec![
            entry::<retro::Retro>(),
            entry::<retro::past::Remembered>(),
            entry::<retro::past::Comparison>(),
            entry::<retro::past::Forgot>(),
        ],
        _ => Vec::new(),
    };
    schemas.push((ERROR_SCHEMA, schema::<Failure>()));
    schemas.into_iter().collect()
}

fn entry<R: Report>() -> (&'static str, Value) {
    (R::SCHEMA, schema::<R>())
}

fn schema<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// Answers a helper's `schema` command.
pub(crate) fn answer<C: Cli>() -> Result<Answer> {
    let data = serde_json::to_value(of(C::command().get_name()))?;
    Ok(Answer::document("pw.schema/1", data))
}
