//! Reads the arguments of the statistics function `sparkline`: another statistics function and a
//! span of time.

use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_spl::time::{Span, Unit, parse_span};
use spilltrail_spl::{Aggregate, AggregateArgument};

use crate::context::SearchContext;
use crate::stats::functions;
use crate::stats::functions::sparkline::{SPARKLINE, Spark};

/// What a written sparkline consists of.
#[derive(Debug)]
pub(super) struct Written {
    function: String,
    parameter: f64,
    span: Option<Span>,
    /// The field whose values its function takes.
    pub(super) input: Option<String>,
}

impl Written {
    /// Returns the sparkline over the time range of a search.
    pub(super) fn spark(&self, context: &SearchContext) -> Spark {
        Spark {
            function: self.function.clone(),
            parameter: self.parameter,
            span: self.span.unwrap_or(Span { count: 1, unit: Unit::Second }),
            earliest: context.range.earliest,
            latest: context.range.latest,
            zone: context.zone.clone(),
        }
    }
}

const HELP: &str = "for example `sparkline(count, 1h)` or `sparkline(avg(bytes))`";

/// Returns what an aggregate consists of, or `None` if it is no sparkline.
pub(super) fn of(aggregate: &Aggregate) -> Option<Result<Written, Diagnostic>> {
    (aggregate.function.value == SPARKLINE.name).then(|| written(aggregate))
}

fn written(aggregate: &Aggregate) -> Result<Written, Diagnostic> {
    let (function, input, place) = match &aggregate.argument {
        None => ("count".to_owned(), None, aggregate.function.span),
        Some(AggregateArgument::Field(field)) => {
            let (function, input) = call(field);
            (function, input, field.span)
        }
        Some(AggregateArgument::Eval(expr)) => {
            return Err(Diagnostic::error(
                Code::BAD_ARGUMENT,
                "`sparkline` takes a statistics function, not an expression",
            )
            .at(expr.span)
            .help(HELP));
        }
    };
    let found = functions::find(&function);
    let Some((found, parameter)) = found.filter(|(found, _)| found.name != SPARKLINE.name) else {
        // A name without parentheses is meant as a field.
        let is_call = input.is_some() && function != SPARKLINE.name;
        let diagnostic = if is_call {
            functions::unknown(&function, true, place)
        } else {
            let message = format!("expected a statistics function, found `{function}`");
            Diagnostic::error(Code::BAD_ARGUMENT, message).at(place).help(HELP)
        };
        return Err(diagnostic);
    };
    if input.is_none() && found.name != "count" {
        let message = format!("`{function}` needs a field");
        return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(place).help(HELP));
    }
    let span = match aggregate.rest.as_slice() {
        [] => None,
        [text] => Some(parse_span(&text.value).ok_or_else(|| {
            let message = format!("`{}` is not a span", text.value);
            Diagnostic::error(Code::BAD_ARGUMENT, message).at(text.span).help(HELP)
        })?),
        [_, further, ..] => {
            let message = "`sparkline` takes a statistics function and a span";
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(further.span).help(HELP));
        }
    };
    Ok(Written { function: found.name.to_owned(), parameter, span, input })
}

/// Returns the function and the field of `avg(bytes)`.
fn call(text: &Spanned<String>) -> (String, Option<String>) {
    let Some((function, rest)) = text.value.split_once('(') else {
        return (text.value.to_ascii_lowercase(), None);
    };
    let field = rest.strip_suffix(')').unwrap_or(rest).trim();
    let field = field.trim_matches(['"', '\'']);
    let field = (!field.is_empty()).then(|| field.to_owned());
    (function.trim().to_ascii_lowercase(), field)
}
