//! Commands that make a field of each key that they find in a text, such as `xmlkv`.

use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::fields::{RAW, TIME};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::is_reserved;

use super::{Stage, subsearch};
use crate::operators::{Derive, RowFunction};
use crate::planning::plan::Plan;
use crate::planning::reserved;
use crate::rows::arrow::ColumnReader;
use crate::rows::state::state_of;

/// The maximum number of fields that a command makes of the keys in texts.
pub(super) const MAX_FIELDS: usize = 10_000;

/// What happens to the value that a row has of a field that is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Existing {
    /// The found values replace it.
    Replaced,
    /// It stays.
    Kept,
    /// The found values are added to it.
    Extended,
}

/// Finds keys with values in a text.
pub(super) trait Extractor:
    Debug + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// The name of the operator.
    const NAME: &'static str;

    /// Returns the keys with their values, in the order of the text; a key may occur again.
    fn pairs(&self, text: &str) -> Vec<(String, String)>;

    /// Returns what happens to the value that a row has already.
    fn existing(&self) -> Existing {
        Existing::Replaced
    }
}

/// Sets the fields `names` to the values that the extractor finds for them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "E: Extractor")]
pub(super) struct Extracted<E> {
    names: Vec<String>,
    extractor: Arc<E>,
}

/// Adds the fields that `extractor` finds in the texts of `field`.
///
/// If later commands need all fields, the plan so far runs now, because only the texts tell the
/// names.
///
/// # Errors
/// Fails if the rows so far cannot be computed, or if the texts have too many keys.
pub(super) async fn plan<E: Extractor>(
    plan: Plan,
    field: &str,
    extractor: E,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    let extractor = Arc::new(extractor);
    let inputs = vec![field.to_owned()];
    if !stage.after.fields.is_open() {
        let names = demanded(stage);
        let outputs: Vec<Field> = names.iter().map(|name| Field::new(name, Kind::Multi)).collect();
        return Ok(Derive::on(plan, inputs, outputs, Arc::new(Extracted { names, extractor })));
    }
    let refused = |error| stage.refused(error);
    let rows = subsearch::collect(plan, stage.context, None).await.map_err(refused)?;
    let mut kinds: IndexMap<String, Kind> = IndexMap::new();
    for batch in rows.batches().map_err(refused)? {
        let batch = batch.map_err(refused)?;
        let Some(column) = batch.column_by_name(field) else { continue };
        let column = ColumnReader::new(column).map_err(refused)?;
        for row in 0..batch.num_rows() {
            for (name, values) in found(extractor.as_ref(), &column.value(row)) {
                let is_multi = values.len() > 1 || extractor.existing() == Existing::Extended;
                let kind = if is_multi { Kind::Multi } else { Kind::Text };
                kinds.entry(name).and_modify(|known| *known = known.or(kind)).or_insert(kind);
            }
        }
        if kinds.len() > MAX_FIELDS {
            return Err(too_many(stage));
        }
    }
    let outputs = kinds.into_iter().map(|(name, kind)| Field::new(name, kind));
    let mut outputs: Vec<Field> = outputs.collect();
    reserved::leave_out(&mut outputs, |field| &field.name, stage.context);
    let names = outputs.iter().map(|field| field.name.clone()).collect();
    let plan = rows.into_plan().map_err(refused)?;
    Ok(Derive::on(plan, inputs, outputs, Arc::new(Extracted { names, extractor })))
}

fn too_many(stage: &Stage<'_>) -> Diagnostic {
    let message = format!("the texts have more than {MAX_FIELDS} different keys");
    Diagnostic::error(Code::TOO_LARGE, message)
        .at(stage.span)
        .help("name the fields that you need in a later command such as `table`")
}

/// Returns the fields that later commands name and that keys in a text may set.
pub(super) fn demanded(stage: &Stage<'_>) -> Vec<String> {
    let names = stage.after.fields.names.iter();
    names.filter(|name| may_be_set(name) && !is_reserved(name)).cloned().collect()
}

/// Returns false for `_time` and `_raw`, which keys in a text must not replace.
pub(super) fn may_be_set(name: &str) -> bool {
    name != TIME && name != RAW
}

/// Returns the values of each key in the texts of a value.
fn found<E: Extractor>(extractor: &E, texts: &Value<'_>) -> IndexMap<String, Vec<String>> {
    let mut values: IndexMap<String, Vec<String>> = IndexMap::new();
    for text in texts.members() {
        for (name, value) in extractor.pairs(&text) {
            if may_be_set(&name) && !name.is_empty() {
                values.entry(name).or_default().push(value);
            }
        }
    }
    values
}

impl<E: Extractor> RowFunction for Extracted<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let mut values = found(self.extractor.as_ref(), &inputs[0]);
        for (name, output) in self.names.iter().zip(outputs) {
            let Some(members) = values.swap_remove(name) else { continue };
            let members = members.into_iter().map(Cow::Owned);
            match self.extractor.existing() {
                Existing::Kept if !output.is_null() => {}
                Existing::Extended => {
                    let own = std::mem::replace(output, Value::Null).into_members().into_iter();
                    *output = Value::multi(own.chain(members).collect());
                }
                Existing::Kept | Existing::Replaced => *output = Value::multi(members.collect()),
            }
        }
    }
}
