//! The function lookup: returns rows of a lookup table as JSON.

use serde_json::Value as Json;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_event::Value;

use super::Category::Conditional;
use super::{Arity, Asks, EvalFunction, digits, doc, returns};
use crate::{CallContext, Constants, Preparation};

pub(super) static LOOKUP: EvalFunction = EvalFunction::row(
    doc(
        "lookup",
        Conditional,
        "Return a JSON object of the output columns of the matching rows of a lookup table.",
        "lookup(<table>, json_object(<column>, <value>, …), json_array(<output column>, …))",
        &[],
    ),
    Arity::Exactly(3),
    returns::string,
    lookup,
)
.prepared(prepare)
.asks(Asks::Lookup);

fn prepare(preparation: &mut Preparation<'_>) -> Result<Constants, Diagnostic> {
    let Some((table, span)) = preparation.literal_text(0) else {
        return Err(preparation.refuse(0, "expected the name of a lookup in double quotes"));
    };
    let missing = match &preparation.context.lookups {
        Some(lookups) => (!lookups.contains(table)).then(|| missing_lookup(table, span)),
        None => {
            return Err(Diagnostic::unsupported(
                Code::UNSUPPORTED_FUNCTION,
                "the eval function `lookup` is not supported here",
            )
            .at(span)
            .help("use the `lookup` command"));
        }
    };
    if let Some(warning) = missing {
        preparation.warn(warning);
    }
    Ok(Constants::Nothing)
}

fn missing_lookup(table: &str, span: Span) -> Diagnostic {
    Diagnostic::warning(Code::MISSING_LOOKUP, format!("there is no lookup `{table}`"))
        .label(span, "reads as a lookup without rows")
        .help("put the CSV file and its definition into the content folder's `lookups/`")
}

fn lookup<'a>(context: &CallContext<'a>, arguments: &mut [Value<'a>]) -> Value<'a> {
    let found = || {
        let table = arguments[0].to_text()?;
        let Json::Object(input) = digits::parsed(&arguments[1].to_text()?)? else { return None };
        let output: Vec<String> = serde_json::from_str(&arguments[2].to_text()?).ok()?;
        let text = |value: &Json| match value {
            Json::String(text) => digits::unmarked(text).to_owned(),
            other => digits::written(other),
        };
        let input: Vec<_> = input.into_iter().map(|(key, value)| (key, text(&value))).collect();
        let rows = context.runtime.lookups.as_ref()?.rows(&table, &input, &output);
        (!rows.is_empty()).then(|| object(&output, &rows))
    };
    found().map_or(Value::Null, |object| Value::text(object.to_string()))
}

/// Returns an object with the columns as keys: each value is a string for one row, otherwise an
/// array.
fn object(output: &[String], rows: &[Vec<Option<String>>]) -> Json {
    let column = |index: usize| {
        let cell = |row: &Vec<Option<String>>| row.get(index).cloned().flatten();
        match rows {
            [row] => cell(row).map_or(Json::Null, Json::String),
            rows => rows.iter().map(cell).collect(),
        }
    };
    Json::Object(output.iter().enumerate().map(|(i, name)| (name.clone(), column(i))).collect())
}
