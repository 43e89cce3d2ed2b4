//! Compiles a search expression into a predicate: literals become patterns, and time modifiers
//! become instants. Subsearches have already run; [`crate::commands`] replaces them with their
//! results.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::tz::TimeZone;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_eval::CompileSearch;
use spilltrail_event::{
    CaseRule, Comparison, Keyword, KeywordKind, Pattern, Predicate, TimeBounds, fields,
};
use spilltrail_knowledge::{Budget, Expanded};
use spilltrail_spl::{
    CompareOp, Compared, Pipeline, SearchExpr, SearchLiteral, TermForm, is_time_bound,
    parse_search, time,
};

use crate::context::SearchContext;
use crate::planning::index;
use crate::planning::worlds::{self, World};

/// The position of a search expression in its pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// The expression finds events. The search's time range applies, unless the expression has its
    /// own time bounds.
    Leading,
    /// The expression is the rest of a leading search and filters the events that its first part
    /// found, which has applied the time range.
    Narrowing,
    /// The expression filters rows.
    Later,
}

/// Returns the predicate of an expression without subsearches.
///
/// If the expression has time modifiers, written or returned by a subsearch, the search's time
/// range does not apply.
///
/// # Errors
/// Fails if a time modifier is not valid, or if the expression has a subsearch.
pub(crate) fn compile(
    expression: &SearchExpr,
    position: Position,
    context: &SearchContext,
) -> Result<Predicate, Diagnostic> {
    if position != Position::Later && context.events.indexed_fields().is_some() {
        let undefined = context.knowledge.undefined(expression);
        undefined.into_iter().for_each(|warning| context.observations.message(warning));
    }
    let (expression, warnings) = expanded(expression, position, context, &mut Budget::default());
    warnings.into_iter().for_each(|warning| context.observations.message(warning));
    compile_expanded(&expression, position, context)
}

/// Returns the predicate of an expression as [`compile`] does, of one that is not the user's: an event
/// type or tag that nothing defines is no mistake of the search. Other warnings are returned; their
/// places are not in the search. Expressions with the same `budget` have the limit of event types together.
///
/// # Errors
/// Fails as [`compile`] does.
pub(crate) fn compile_known(
    expression: &SearchExpr,
    position: Position,
    context: &SearchContext,
    budget: &mut Budget,
) -> Result<(Predicate, Vec<Diagnostic>), Diagnostic> {
    let (expression, warnings) = expanded(expression, position, context, budget);
    Ok((compile_expanded(&expression, position, context)?, warnings))
}

/// Replaces event types and tags by searches where events are found. Rows have the fields `eventtype`
/// and `tag`.
fn expanded<'e>(
    expression: &'e SearchExpr,
    position: Position,
    context: &SearchContext,
    budget: &mut Budget,
) -> (Cow<'e, SearchExpr>, Vec<Diagnostic>) {
    match position {
        Position::Later => (Cow::Borrowed(expression), Vec::new()),
        Position::Leading | Position::Narrowing => {
            let Expanded { expression, warnings } =
                context.knowledge.expand_within(expression, budget);
            (Cow::Owned(expression), warnings)
        }
    }
}

fn compile_expanded(
    expression: &SearchExpr,
    position: Position,
    context: &SearchContext,
) -> Result<Predicate, Diagnostic> {
    let predicate = Compiler::new(context.now, &context.zone, position).whole(expression)?;
    let range = context.range;
    if position != Position::Leading || range == TimeBounds::default() || has_bounds(expression) {
        return Ok(predicate);
    }
    Ok(Predicate::and(vec![Predicate::Time(range), predicate]))
}

/// Returns the diagnostic of a time modifier, or `None` if it is valid.
pub(crate) fn wrong_time(modifier: &SearchExpr, context: &SearchContext) -> Option<Diagnostic> {
    let (now, zone) = (context.now, &context.zone);
    Compiler::new(now, zone, Position::Later).bounds(&[modifier]).err()
}

/// Returns the names of the fields that an expression reads.
///
/// `output` returns the fields that the rows of a subsearch can have, or `None` if they are
/// unknown; that counts as `*`.
#[must_use]
pub(crate) fn field_names(
    expression: &SearchExpr,
    output: &dyn Fn(&Pipeline) -> Option<Vec<String>>,
) -> Vec<String> {
    let mut names = Vec::new();
    expression.walk(&mut |part| match part {
        SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } => {
            names.push(field.value.clone());
        }
        SearchExpr::Term { text, .. } if text.value != "*" => names.push(fields::RAW.to_owned()),
        SearchExpr::Time { .. } => names.push(fields::TIME.to_owned()),
        SearchExpr::Subsearch { value_of: Some(compared), .. } => {
            let is_bound = sets_bound(compared);
            names.push(if is_bound {
                fields::TIME.to_owned()
            } else {
                compared.field.value.clone()
            });
        }
        SearchExpr::Subsearch { value_of: None, pipeline } => match output(pipeline) {
            Some(output) => names.extend(output),
            None => names.push("*".to_owned()),
        },
        _ => {}
    });
    names
}

/// Returns true if a comparison with the value of a subsearch is a time modifier.
pub(super) fn sets_bound(compared: &Compared) -> bool {
    compared.op == CompareOp::Eq && is_time_bound(&compared.field.value)
}

/// Splits a conjunction into its parts without subsearches and its parts with subsearches.
///
/// Returns `None` if one of them is empty. It also returns `None` if the parts with subsearches
/// have time modifiers, or `may_bound` reports that a subsearch may return some, because time
/// modifiers apply to the whole conjunction. So do comparisons of `index` of which some ask for an
/// index and others exclude one.
pub(crate) fn split(
    expression: &SearchExpr,
    may_bound: &dyn Fn(&Pipeline) -> bool,
) -> Option<(SearchExpr, SearchExpr)> {
    let SearchExpr::And(parts) = expression else { return None };
    let (later, certain): (Vec<_>, Vec<_>) = parts.iter().cloned().partition(has_subsearch);
    let bounds = |part: &SearchExpr| match part {
        SearchExpr::Time { .. } => true,
        SearchExpr::Subsearch { value_of: Some(compared), .. } => sets_bound(compared),
        SearchExpr::Subsearch { value_of: None, pipeline } => may_bound(pipeline),
        _ => false,
    };
    let has_both =
        !later.is_empty() && !certain.is_empty() && !later.iter().any(|part| part.any(&bounds));
    (has_both && !worlds::are_mixed(expression))
        .then_some((SearchExpr::And(certain), SearchExpr::And(later)))
}

/// Returns the parts of a conjunction in order, with nested conjunctions flattened.
pub(crate) fn conjuncts(parts: &[SearchExpr]) -> Vec<&SearchExpr> {
    let mut found = Vec::new();
    for part in parts {
        match part {
            SearchExpr::And(parts) => found.extend(conjuncts(parts)),
            other => found.push(other),
        }
    }
    found
}

/// Returns true if an expression has time modifiers.
fn has_bounds(expression: &SearchExpr) -> bool {
    expression.any(&|part| matches!(part, SearchExpr::Time { .. }))
}

/// Returns the compiler of `searchmatch()`'s argument, a search expression without subsearches.
pub(crate) fn searchmatch(now: f64, zone: TimeZone) -> Arc<CompileSearch> {
    Arc::new(move |text: &str| {
        let expression = parse_search(text)?;
        if has_subsearch(&expression) {
            let message = "searchmatch() cannot run a subsearch";
            return Err(Diagnostic::unsupported(Code::UNSUPPORTED_FUNCTION, message));
        }
        let compiler = Compiler::new(now, &zone, Position::Later);
        compiler.compile(&expression, Polarity::Wanted)
    })
}

fn has_subsearch(expression: &SearchExpr) -> bool {
    expression.any(&|part| matches!(part, SearchExpr::Subsearch { .. }))
}

struct Compiler<'a> {
    now: f64,
    zone: &'a TimeZone,
    position: Position,
    indexes: Indexes,
}

/// The events for which comparisons of `index` in a leading search are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Indexes {
    /// All: those without an index answer so that they match.
    All,
    /// Those that have an index.
    Own,
    /// Those without an index, taken to be in this one.
    In(World),
}

/// Whether events that satisfy a part of an expression are wanted, or are excluded by a `NOT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polarity {
    Wanted,
    Excluded,
}

impl Polarity {
    fn reversed(self) -> Self {
        match self {
            Self::Wanted => Self::Excluded,
            Self::Excluded => Self::Wanted,
        }
    }
}

impl<'a> Compiler<'a> {
    fn new(now: f64, zone: &'a TimeZone, position: Position) -> Self {
        Self { now, zone, position, indexes: Indexes::All }
    }

    fn finds_events(&self) -> bool {
        matches!(self.position, Position::Leading | Position::Narrowing)
    }

    /// Returns the predicate of a whole expression.
    fn whole(&self, expression: &SearchExpr) -> Result<Predicate, Diagnostic> {
        if !self.finds_events() || !worlds::are_mixed(expression) {
            return self.compile(expression, Polarity::Wanted);
        }
        let Some(indexes) = worlds::of(expression) else {
            let message = format!(
                "a search that asks for an index and excludes another names more than {} indexes",
                worlds::MOST
            );
            return Err(Diagnostic::unsupported(Code::UNSUPPORTED_OPTION, message)
                .help("leave out the indexes: files have none"));
        };
        let compile = |indexes: Indexes| {
            let compiler =
                Compiler { now: self.now, zone: self.zone, position: self.position, indexes };
            compiler.compile(expression, Polarity::Wanted)
        };
        let mut without = Vec::new();
        for index in indexes {
            let predicate = compile(Indexes::In(index))?;
            if !without.contains(&predicate) {
                without.push(predicate);
            }
        }
        let has_index = || Predicate::Exists(fields::INDEX.to_owned());
        let own = worlds::all(vec![has_index(), compile(Indexes::Own)?]);
        let without = worlds::all(vec![worlds::not(has_index()), worlds::any(without)]);
        Ok(worlds::any(vec![own, without]))
    }

    fn compile(
        &self,
        expression: &SearchExpr,
        polarity: Polarity,
    ) -> Result<Predicate, Diagnostic> {
        Ok(match expression {
            SearchExpr::All => Predicate::All,
            SearchExpr::And(parts) => {
                let (times, others): (Vec<_>, Vec<_>) = conjuncts(parts)
                    .into_iter()
                    .partition(|part| matches!(part, SearchExpr::Time { .. }));
                let mut compiled = Vec::new();
                if !times.is_empty() {
                    compiled.push(self.bounds(&times)?);
                }
                for part in others {
                    compiled.push(self.compile(part, polarity)?);
                }
                match self.indexes {
                    Indexes::In(_) => worlds::all(compiled),
                    _ => Predicate::and(compiled),
                }
            }
            SearchExpr::Or(parts) => self.any(
                parts.iter().map(|part| self.compile(part, polarity)).collect::<Result<_, _>>()?,
            ),
            SearchExpr::Not(part) => {
                let part = self.compile(part, polarity.reversed())?;
                match self.indexes {
                    Indexes::In(_) => worlds::not(part),
                    _ => Predicate::Not(Box::new(part)),
                }
            }
            SearchExpr::Compare { field, op, value } => {
                self.compare(&field.value, *op, &value.value, polarity)
            }
            SearchExpr::In { field, values } => self.any(
                values
                    .iter()
                    .map(|value| self.compare(&field.value, CompareOp::Eq, &value.value, polarity))
                    .collect(),
            ),
            SearchExpr::Term { text, form } => term(&text.value, *form),
            SearchExpr::Time { .. } => self.bounds(&[expression])?,
            SearchExpr::Subsearch { pipeline, .. } => {
                let message = "a subsearch cannot be run here";
                return Err(
                    Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message).at(pipeline.span)
                );
            }
        })
    }

    fn any(&self, parts: Vec<Predicate>) -> Predicate {
        match self.indexes {
            Indexes::In(_) => worlds::any(parts),
            _ => Predicate::any(parts),
        }
    }

    /// Returns the predicate of a comparison.
    ///
    /// An event without an index, as those of files are, may be in any log index: wherever a
    /// leading search asks for its index, the answer is the one with which the event matches. See
    /// [`worlds`] for searches in which no single answer does.
    fn compare(
        &self,
        field: &str,
        op: CompareOp,
        literal: &SearchLiteral,
        polarity: Polarity,
    ) -> Predicate {
        let mut compared = comparison(field, op, literal);
        if field != fields::INDEX || !self.finds_events() {
            return compared;
        }
        // As in Splunk, a pattern names internal indexes only if it begins as they do.
        let is_pattern = op == CompareOp::Eq && literal.text.starts_with('*');
        if is_pattern && self.indexes != Indexes::All {
            compared = without_internal(compared);
        }
        match &self.indexes {
            Indexes::All => {}
            Indexes::Own => return compared,
            Indexes::In(index) => return index.outcome(&compared),
        }
        let has_none = || Predicate::Not(Box::new(Predicate::Exists(field.to_owned())));
        let is_own = index::is_splunks_own(&literal.text);
        match (op, &compared) {
            // All events, and what tells it from a search that names no index.
            (CompareOp::Eq, Predicate::Exists(_)) => {
                Predicate::any(vec![has_none(), without_internal(compared)])
            }
            _ if is_pattern => Predicate::any(vec![has_none(), without_internal(compared)]),
            (CompareOp::Ne, Predicate::Nothing) => compared,
            (CompareOp::Ne, _) if is_own => Predicate::any(vec![has_none(), compared]),
            _ if is_own || polarity == Polarity::Excluded => compared,
            _ => Predicate::any(vec![has_none(), compared]),
        }
    }

    /// Returns the time range that the modifiers of one conjunction set. If only the earliest bound
    /// is set, the range ends now (Splunk's Search Reference, "Time modifiers").
    fn bounds(&self, times: &[&SearchExpr]) -> Result<Predicate, Diagnostic> {
        let mut bounds = TimeBounds::default();
        for expression in times {
            let SearchExpr::Time { bound, modifier } = expression else { continue };
            let now = self.now;
            match bound.value.as_str() {
                "earliest" => bounds.earliest = self.instant(modifier)?,
                "latest" => bounds.latest = self.instant(modifier)?,
                other => match time::deprecated(other, &modifier.value, now) {
                    Some((true, instant)) => bounds.earliest = Some(instant),
                    Some((false, instant)) => bounds.latest = Some(instant),
                    None => {
                        return Err(Diagnostic::unsupported(
                            Code::UNSUPPORTED_OPTION,
                            format!("the time modifier `{other}` is not supported"),
                        )
                        .at(bound.span)
                        .help("use `earliest` and `latest`"));
                    }
                },
            }
        }
        if let (Some(earliest), Some(latest)) = (bounds.earliest, bounds.latest)
            && earliest > latest
        {
            return Err(reversed(times));
        }
        if bounds.latest.is_none() && bounds.earliest.is_some() {
            bounds.latest = Some(self.now);
        }
        Ok(Predicate::Time(bounds))
    }

    fn instant(&self, modifier: &Spanned<String>) -> Result<Option<f64>, Diagnostic> {
        time::resolve(&modifier.value, self.now, self.zone).map_err(|error| {
            Diagnostic::error(Code::BAD_TIME_MODIFIER, error.to_string())
                .at(modifier.span)
                .help("examples: `-24h@h`, `@d`, `now`, `1700000000`, `10/19/2026:00:00:00`")
        })
    }
}

/// Leaves events in internal indexes, whose names begin with `_`, out of a predicate.
fn without_internal(predicate: Predicate) -> Predicate {
    let internal = Predicate::Compare {
        field: fields::INDEX.to_owned(),
        op: Comparison::Eq,
        value: Pattern::new("_*", CaseRule::Ignore),
    };
    Predicate::and(vec![predicate, Predicate::Not(Box::new(internal))])
}

/// Returns the error of a time range that ends before it begins.
fn reversed(times: &[&SearchExpr]) -> Diagnostic {
    let places = times.iter().filter_map(|expression| match expression {
        SearchExpr::Time { bound, modifier } => Some(bound.span.to(modifier.span)),
        _ => None,
    });
    let message = "the time range ends before it begins";
    let error = Diagnostic::error(Code::BAD_TIME_MODIFIER, message)
        .help("`earliest` must not be after `latest`");
    places.fold(error, Diagnostic::at)
}

fn comparison(field: &str, op: CompareOp, literal: &SearchLiteral) -> Predicate {
    let is_star = !literal.text.is_empty() && literal.text.bytes().all(|byte| byte == b'*');
    // `field=*` matches the rows that have the field, and `field!=*` matches none.
    let op = match op {
        CompareOp::Eq if is_star => return Predicate::Exists(field.to_owned()),
        CompareOp::Ne if is_star => return Predicate::Nothing,
        CompareOp::Eq => Comparison::Eq,
        CompareOp::Ne => Comparison::Ne,
        CompareOp::Lt => Comparison::Lt,
        CompareOp::Le => Comparison::Le,
        CompareOp::Gt => Comparison::Gt,
        CompareOp::Ge => Comparison::Ge,
    };
    let case = if literal.exact_case { CaseRule::Exact } else { CaseRule::Ignore };
    Predicate::Compare {
        field: field.to_owned(),
        op,
        value: Pattern::new(literal.text.as_str(), case),
    }
}

fn term(text: &str, form: TermForm) -> Predicate {
    if !text.is_empty() && text.bytes().all(|byte| byte == b'*') {
        return Predicate::All;
    }
    let (kind, case) = match form {
        TermForm::Word | TermForm::Phrase => (KeywordKind::Plain, CaseRule::Ignore),
        TermForm::Term => (KeywordKind::Term, CaseRule::Ignore),
        TermForm::Case => (KeywordKind::Plain, CaseRule::Exact),
    };
    Predicate::Keyword(Keyword::new(text, kind, case))
}
