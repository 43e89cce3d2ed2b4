//! The assignments of a `foreach`, run one after another on each row.
//!
//! They are one step of the plan: as an `eval` each, a thousand fields would be a thousand steps.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_eval::functions::digits;
use spilltrail_eval::{Row, Scope, limits};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Assignment;

use super::template::{ITEM, ITER};
use crate::context::SearchContext;
use crate::operators::RowFunction;
use crate::planning::eval;
use crate::planning::expression::CarriedExpression;
use crate::planning::plan::Plan;
use crate::rows::state::state_of;

/// The values of a field over which a program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Collection {
    /// The members of a multivalue.
    Members,
    /// The elements of a JSON array.
    Elements,
    /// The elements of a JSON array, or else the members.
    Either,
}

/// Assignments that run on each row: once, or once for each value of a field.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Program {
    steps: Vec<Step>,
    /// How the values of the first input are listed; `None` to run once.
    over: Option<Collection>,
    is_volatile: bool,
}

/// An assignment: the index of the output that it sets, and where its expression reads.
#[derive(Debug, Serialize, Deserialize)]
struct Step {
    target: usize,
    expression: CarriedExpression,
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Slot {
    Input(usize),
    Output(usize),
    Item,
    Iter,
}

/// A program with the columns that it reads and sets.
pub(super) struct Compiled {
    pub(super) program: Program,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<Field>,
}

/// The fields that an assignment can read: columns, fields set by earlier assignments, and the
/// value of a collection.
struct Known<'a> {
    plan: &'a Plan,
    set: IndexMap<String, Kind>,
    has_item: bool,
}

impl Scope for Known<'_> {
    fn kind(&self, field: &str) -> Option<Kind> {
        match field {
            ITEM if self.has_item => Some(Kind::Text),
            ITER if self.has_item => Some(Kind::Number),
            _ => self.set.get(field).copied().or_else(|| self.plan.kind(field)),
        }
    }
}

/// Compiles assignments over the columns of a plan. `over` is the field whose values they run over.
///
/// # Errors
/// Fails if an expression is not valid, or if its result cannot be stored in a field.
pub(super) fn compile(
    assignments: &[Assignment],
    over: Option<(&str, Collection)>,
    plan: &Plan,
    context: &SearchContext,
) -> Result<Compiled, Diagnostic> {
    let mut known = Known { plan, set: IndexMap::new(), has_item: over.is_some() };
    let mut expressions = Vec::new();
    loop {
        let before = known.set.clone();
        expressions.clear();
        for Assignment { target, value } in assignments {
            let expression = eval::expression(value, &known, context)?;
            let mut kind = expression.storable()?;
            if over.is_some() {
                // The field also has its old value, or that of the round before.
                kind = known.kind(&target.value).map_or(kind, |old| old.or(kind));
            }
            known.set.insert(target.value.clone(), kind);
            expressions.push(expression);
        }
        // What a round sets the next one reads. A kind only widens, so this ends.
        if over.is_none() || known.set == before {
            break;
        }
    }
    let targets: HashMap<&str, usize> =
        known.set.keys().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut inputs: IndexMap<String, ()> = IndexMap::new();
    if let Some((field, _)) = over {
        inputs.insert(field.to_owned(), ());
    }
    let mut steps = Vec::new();
    for (Assignment { target, .. }, expression) in assignments.iter().zip(expressions) {
        let slot = |name: &String| match (name.as_str(), targets.get(name.as_str())) {
            (ITEM, _) => Slot::Item,
            (ITER, _) => Slot::Iter,
            (_, Some(index)) => Slot::Output(*index),
            (_, None) => Slot::Input(inputs.insert_full(name.clone(), ()).0),
        };
        let slots = expression.fields().iter().map(slot).collect();
        let target = targets[target.value.as_str()];
        steps.push(Step { target, expression: CarriedExpression::from(expression), slots });
    }
    let is_volatile = steps.iter().any(|step| step.expression.is_volatile());
    Ok(Compiled {
        program: Program { steps, over: over.map(|(_, how)| how), is_volatile },
        inputs: inputs.into_keys().collect(),
        outputs: known.set.iter().map(|(name, kind)| Field::new(name, *kind)).collect(),
    })
}

/// What an expression reads while it runs.
struct Here<'h, 'a> {
    slots: &'h [Slot],
    inputs: &'h [Value<'a>],
    outputs: &'h [Value<'a>],
    item: &'h Value<'a>,
    round: f64,
}

impl Row for Here<'_, '_> {
    fn value(&self, slot: usize) -> Value<'_> {
        match self.slots.get(slot) {
            Some(Slot::Input(index)) => self.inputs.value(*index),
            Some(Slot::Output(index)) => self.outputs.value(*index),
            Some(Slot::Item) => std::slice::from_ref(self.item).value(0),
            Some(Slot::Iter) => Value::Number(self.round),
            None => Value::Null,
        }
    }
}

impl Program {
    fn run<'a>(
        &'a self,
        inputs: &[Value<'a>],
        outputs: &mut [Value<'a>],
        item: &Value<'a>,
        round: f64,
    ) {
        for step in &self.steps {
            let here = Here { slots: &step.slots, inputs, outputs, item, round };
            let value = step.expression.evaluate(&here).into_owned();
            outputs[step.target] = limits::bounded("foreach", value);
        }
    }
}

impl RowFunction for Program {
    fn name(&self) -> &'static str {
        "foreach"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn identity(&self) -> String {
        let step = |step: &Step| {
            format!("{} {} {:?}", step.target, step.expression.identity(), step.slots)
        };
        format!("{:?} {:?}", self.over, self.steps.iter().map(step).collect::<Vec<_>>())
    }

    fn is_volatile(&self) -> bool {
        self.is_volatile
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let Some(over) = self.over else {
            return self.run(inputs, outputs, &Value::Null, 0.0);
        };
        let collection = inputs.first().cloned().unwrap_or(Value::Null);
        let mut round = 0.0;
        for item in items(collection, over) {
            if limits::is_refused() {
                return;
            }
            self.run(inputs, outputs, &item, round);
            round += 1.0;
        }
    }
}

/// Returns the values of a collection.
fn items(collection: Value<'_>, over: Collection) -> Vec<Value<'_>> {
    if over != Collection::Members
        && let Some(elements) = elements(&collection)
    {
        return elements;
    }
    match over {
        // A value that is no array has no elements.
        Collection::Elements => Vec::new(),
        _ => collection.into_members().into_iter().map(Value::Text).collect(),
    }
}

/// Returns the elements of a JSON array, or `None` for any other value.
fn elements(value: &Value<'_>) -> Option<Vec<Value<'static>>> {
    let Value::Text(text) = value else { return None };
    if !text.trim_start().starts_with('[') {
        return None;
    }
    let serde_json::Value::Array(elements) = digits::parsed(text)? else { return None };
    // As the members of a multivalue, numbers are texts and keep their digits.
    let value = |element| digits::native(element).map_or(Value::Null, Value::text);
    Some(elements.iter().map(value).collect())
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    #[test]
    fn collections_are_multivalues_or_arrays() {
        let multi = Value::multi(["a", "b"].map(Cow::Borrowed).to_vec());
        for (value, over, expected) in [
            (multi.clone(), Collection::Members, "a|b"),
            (multi.clone(), Collection::Elements, ""),
            (multi, Collection::Either, "a|b"),
            (Value::text("[1,\"x\",[2],null]"), Collection::Elements, "1|x|[2]|-"),
            (Value::text("[1,2]"), Collection::Either, "1|2"),
            (Value::text("[1,2]"), Collection::Members, "[1,2]"),
            (Value::text("[1,"), Collection::Either, "[1,"),
            (Value::text("{\"a\":1}"), Collection::Elements, ""),
            (Value::text("[12345678901234567890]"), Collection::Elements, "12345678901234567890"),
            (
                Value::text("[123456789012345678901, 1.10, 1e400]"),
                Collection::Either,
                "123456789012345678901|1.10|1e400",
            ),
            (Value::Null, Collection::Either, ""),
            (Value::Number(5.0), Collection::Members, "5"),
        ] {
            let shown =
                |item: &Value<'_>| item.to_text().map_or("-".to_owned(), |t| t.into_owned());
            let found: Vec<String> = items(value.clone(), over).iter().map(shown).collect();
            assert_eq!(found.join("|"), expected, "{value:?} {over:?}");
        }
    }
}
