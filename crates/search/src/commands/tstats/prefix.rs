//! `PREFIX()` of `tstats`: the terms of an event's text that begin with a prefix.

use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::{Kind, Value, has_major_breaker, terms_after};
use spilltrail_spl::{Aggregate, AggregateArgument, Arguments};

use crate::rows::mapped::{Mapped, ValueFunction};
use crate::rows::state::FunctionCodec;

pub(in crate::commands) const FUNCTION: FunctionCodec =
    FunctionCodec::of::<Mapped<TermsAfter>>("terms_after");

/// The values of a prefix in an event: what follows it in the terms of `_raw`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TermsAfter {
    prefix: String,
}

impl TermsAfter {
    pub(super) fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }
}

impl ValueFunction for TermsAfter {
    fn name(&self) -> &'static str {
        "spilltrail_terms_after"
    }

    fn kind(&self, _: Kind) -> Kind {
        Kind::Multi
    }

    fn apply(&self, value: &Value<'_>) -> Value<'static> {
        let Some(text) = value.to_text() else { return Value::Null };
        Value::multi(terms_after(&self.prefix, &text).into_iter().map(Into::into).collect())
    }
}

/// Replaces each `PREFIX(x)` among the BY fields and in functions by a field with the name of the prefix,
/// and returns the prefixes.
pub(super) fn taken(
    aggregates: &mut [Aggregate],
    by: &mut [Spanned<String>],
    arguments: &mut Arguments<'_>,
) -> Vec<String> {
    let in_functions =
        aggregates.iter_mut().filter_map(|aggregate| match &mut aggregate.argument {
            Some(AggregateArgument::Field(field)) => Some(field),
            _ => None,
        });
    let mut found: Vec<String> = Vec::new();
    let mut places: Vec<Span> = Vec::new();
    for field in by.iter_mut().chain(in_functions) {
        let Some(prefix) = prefix_of(&field.value) else { continue };
        if prefix.is_empty() || has_major_breaker(prefix) {
            let message = "a prefix is a text without blanks, quotes, commas and brackets";
            let error = Diagnostic::error(Code::BAD_ARGUMENT, message).at(field.span);
            arguments.report(error.help("for example `PREFIX(user=)`"));
        }
        field.value = prefix.to_owned();
        if !found.contains(&field.value) {
            found.push(field.value.clone());
        }
        places.push(field.span);
    }
    report_fields(aggregates, by, &found, &places, arguments);
    found
}

/// Reports fields that are read beside a prefix of the same name, whose values would replace theirs.
fn report_fields(
    aggregates: &[Aggregate],
    by: &[Spanned<String>],
    prefixes: &[String],
    places: &[Span],
    arguments: &mut Arguments<'_>,
) {
    let in_functions = aggregates.iter().filter_map(|aggregate| match &aggregate.argument {
        Some(AggregateArgument::Field(field)) => Some(field),
        _ => None,
    });
    for field in by.iter().chain(in_functions) {
        if prefixes.contains(&field.value) && !places.contains(&field.span) {
            let message = format!("`{0}` is a field, and the prefix of `PREFIX({0})`", field.value);
            arguments.report(Diagnostic::error(Code::BAD_ARGUMENT, message).at(field.span));
        }
    }
}

fn prefix_of(field: &str) -> Option<&str> {
    let start = "prefix(";
    let is_prefix = field.get(..start.len())?.eq_ignore_ascii_case(start);
    is_prefix.then(|| field[start.len()..].strip_suffix(')'))?.map(|text| text.trim())
}
