//! Compiles an eval expression and evaluates it: the expression up to an empty line, and then the
//! values of the fields `a`, `b` …, each on a line.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use spilltrail_eval::{EvalContext, Expression, limits};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::parse_eval;

use crate::{check, halves, text};

pub(crate) fn run(data: &[u8]) {
    let text = text(data);
    let (expression, values) = halves(&text, "\n\n");
    let Ok(tree) = parse_eval(expression) else { return };
    let fields = fields(values);
    let scope: Vec<Field> = fields.iter().map(|(field, _)| field.clone()).collect();
    let context = EvalContext::new(1.7e9, TimeZone::UTC);
    let compiled = match Expression::compile(&tree, &scope, &context) {
        Ok(compiled) => compiled,
        Err(errors) => {
            assert!(!errors.is_empty());
            return errors.iter().for_each(|diagnostic| check(diagnostic, expression));
        }
    };
    compiled.warnings().iter().for_each(|diagnostic| check(diagnostic, expression));
    let row: Vec<Value<'_>> = compiled
        .fields()
        .iter()
        .map(|name| fields.iter().find(|(field, _)| field.name == *name))
        .map(|found| found.map_or(Value::Null, |(_, value)| value.clone()))
        .collect();
    let size = limits::watch(|| limits::size(&compiled.evaluate(&row)));
    if let Ok(size) = size {
        // What a field holds is not the work of a function.
        assert!(size <= limits::MAX_VALUE + text.len(), "{size} bytes");
    }
    let _ = limits::watch(|| compiled.holds(&row));
}

/// Returns a field for each line: text, or a number, or a multivalue if it has tabs.
fn fields(values: &str) -> Vec<(Field, Value<'_>)> {
    let mut fields = Vec::new();
    for (name, line) in ('a'..='h').zip(values.split('\n')) {
        let (kind, value) = match line.parse::<f64>() {
            Ok(number) => (Kind::Number, Value::Number(number)),
            Err(_) if line.contains('\t') => {
                (Kind::Multi, Value::Multi(line.split('\t').map(Cow::Borrowed).collect()))
            }
            Err(_) => (Kind::Text, Value::text(line)),
        };
        fields.push((Field::new(name.to_string(), kind), value));
    }
    fields
}
