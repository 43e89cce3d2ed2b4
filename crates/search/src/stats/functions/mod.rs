//! The statistics functions: one file per family, and one line per function in [`FUNCTIONS`].

mod count;
mod distinct;
mod distinct_groups;
mod extremes;
pub(crate) mod lists;
mod moments;
mod order;
pub mod percentiles;
pub mod sparkline;

use spilltrail_diagnostic::{Code, Diagnostic, Span, similar};

use super::StatsFunction;

/// The rows of examples about numbers.
const BYTES: &str = r#"{"bytes":"2"}
{"bytes":"4"}
{"bytes":"4"}
{"bytes":"10"}"#;

/// The rows of examples about order and time, newest first as events are.
const CALLS: &str = r#"{"_time":30,"ip":"192.0.2.9"}
{"_time":20,"ip":"192.0.2.1"}
{"_time":10}"#;

/// The rows of the example about a counter.
const COUNTER: &str = r#"{"_time":20,"bytes":"50"}
{"_time":10,"bytes":"20"}"#;

/// Every statistics function, sorted by name.
pub static FUNCTIONS: &[&StatsFunction] = &[
    &moments::AVG,
    &count::COUNT,
    &distinct::DC,
    &order::EARLIEST,
    &order::EARLIEST_TIME,
    &distinct::ESTDC,
    &distinct::ESTDC_ERROR,
    &percentiles::EXACTPERC,
    &order::FIRST,
    &order::LAST,
    &order::LATEST,
    &order::LATEST_TIME,
    &lists::LIST,
    &extremes::MAX,
    &percentiles::MEDIAN,
    &extremes::MIN,
    &distinct::MODE,
    &percentiles::PERC,
    &extremes::RANGE,
    &order::RATE,
    &sparkline::SPARKLINE,
    &moments::STDEV,
    &moments::STDEVP,
    &moments::SUM,
    &moments::SUMSQ,
    &percentiles::UPPERPERC,
    &lists::VALUES,
    &moments::VAR,
    &moments::VARP,
];

/// The functions of Splunk that are not here: of metrics, and those that `timechart` alone computes.
const UNSUPPORTED: [&str; 6] =
    ["per_day", "per_hour", "per_minute", "per_second", "rate_avg", "rate_sum"];

/// Returns the diagnostic for a name that [`find`] does not know: an error, except for a function that
/// Splunk has. A name that is not called may be the field that a function in front of it was meant to read.
pub(crate) fn unknown(name: &str, is_called: bool, span: Span) -> Diagnostic {
    if UNSUPPORTED.contains(&name) {
        let message = format!("the statistics function `{name}` is not supported");
        return Diagnostic::unsupported(Code::UNSUPPORTED_FUNCTION, message).at(span);
    }
    let message = format!("there is no statistics function `{name}`");
    let error = Diagnostic::error(Code::UNKNOWN_FUNCTION, message).at(span);
    match similar(name, FUNCTIONS.iter().map(|function| function.name)) {
        Some(similar) => error.help(format!("did you mean `{similar}`?")),
        None if is_called => error.help("`spilltrail help` lists the statistics functions"),
        None => {
            error.help(format!("write a field into the parentheses of a function: `sum({name})`"))
        }
    }
}

/// Returns the function that `name` refers to and the number in the name, or 0 if it has none.
///
/// The number must be from 0 to 100. A function that needs a number is not found without one.
#[must_use]
pub fn find(name: &str) -> Option<(&'static StatsFunction, f64)> {
    let named = |wanted: &str, with_parameter: bool| {
        FUNCTIONS.iter().copied().find(|function| {
            function.has_parameter == with_parameter
                && (function.name == wanted || function.aliases.contains(&wanted))
        })
    };
    if let Some(function) = named(name, false) {
        return Some((function, 0.0));
    }
    let digits = name.find(|c: char| c.is_ascii_digit())?;
    let (stem, number) = name.split_at(digits);
    let number: f64 = number.parse().ok().filter(|number| (0.0..=100.0).contains(number))?;
    named(stem, true).map(|function| (function, number))
}

/// Returns the function that `name` refers to in documentation.
///
/// A function that needs a number is also found by its name alone (`perc`) or with a placeholder
/// for the number (`p<N>`).
#[must_use]
pub fn named(name: &str) -> Option<&'static StatsFunction> {
    let stem = name.split_once('<').map_or(name, |(stem, _)| stem);
    let is_named =
        |function: &&&StatsFunction| function.name == stem || function.aliases.contains(&stem);
    find(name).map(|(function, _)| function).or_else(|| FUNCTIONS.iter().find(is_named).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_found() {
        assert!(FUNCTIONS.is_sorted_by(|a, b| a.name < b.name));
        assert_eq!(find("p99.9").map(|(f, n)| (f.name, n)), Some(("perc", 99.9)));
        assert_eq!(find("distinct_count").map(|(f, _)| f.name), Some("dc"));
        for (name, listed) in [
            ("p95", "perc"),
            ("perc", "perc"),
            ("p<N>", "perc"),
            ("exactperc99.9", "exactperc"),
            ("upperperc<N>", "upperperc"),
            ("mean", "avg"),
            ("dc", "dc"),
        ] {
            assert_eq!(named(name).map(|function| function.name), Some(listed), "{name}");
        }
        assert!(named("nosuch").is_none());
        assert!(find("perc101").is_none() && find("nosuch").is_none() && find("perc").is_none());
    }
}
