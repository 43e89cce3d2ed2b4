//! Time: modifiers, calendar steps, formats.
use jiff::tz::TimeZone;

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Milliseconds and smaller: count of microseconds.
    Microsecond,
    /// Milliseconds.
    Millisecond,
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Calendar days.
    Day,
    /// Calendar weeks.
    Week,
    /// Calendar months.
    Month,
    /// Calendar quarters.
    Quarter,
    /// Calendar years.
    Year,
}

/// A length of time such as `10m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// How many units; at least one.
    pub count: u32,
    /// The unit.
    pub unit: Unit,
}

/// A parsed time modifier.
#[derive(Debug, Clone, PartialEq)]
pub struct Modifier(String);

/// Why a time modifier cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no time modifier")]
pub struct TimeError {
    /// The modifier.
    pub text: String,
}

/// Parses a time modifier.
///
/// # Errors
/// The text is none.
pub fn parse_modifier(text: &str) -> Result<Modifier, TimeError> {
    Err(TimeError { text: text.to_owned() })
}
/// Resolves a modifier.
///
/// # Errors
/// The text is none.
pub fn resolve(modifier: &str, _now: f64, _zone: &TimeZone) -> Result<Option<f64>, TimeError> {
    Err(TimeError { text: modifier.to_owned() })
}
/// Resolves a relative modifier.
#[must_use]
pub fn relative_time(_now: f64, _modifier: &str, _zone: &TimeZone) -> Option<f64> {
    None
}
/// Parses `10m`.
#[must_use]
pub fn parse_span(_text: &str) -> Option<Span> {
    None
}
/// Rounds down.
#[must_use]
pub fn floor(time: f64, _span: Span, _zone: &TimeZone) -> f64 {
    time
}
/// Adds.
#[must_use]
pub fn add(time: f64, _count: i64, _unit: Unit, _zone: &TimeZone) -> f64 {
    time
}
/// Formats.
#[must_use]
pub fn strftime(_time: f64, format: &str, _zone: &TimeZone) -> String {
    format.to_owned()
}
/// Parses.
#[must_use]
pub fn strptime(_text: &str, _format: &str, _zone: &TimeZone) -> Option<f64> {
    None
}
/// Deprecated modifiers.
#[must_use]
pub fn deprecated(_bound: &str, _value: &str, _now: f64) -> Option<(bool, f64)> {
    None
}
