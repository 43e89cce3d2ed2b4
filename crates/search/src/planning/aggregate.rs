//! Plans the aggregates of a command: looks up functions, expands wildcards to columns, and adds a
//! column for each eval argument.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, when};
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_eval::ResultKind;
use spilltrail_event::{Kind, fields, wildcard_capture};
use spilltrail_spl::{Aggregate, AggregateArgument, Arguments, EvalExpr, StatsArguments};

use crate::operators::CutLists;
use crate::planning::eval;
use crate::planning::plan::{Needs, Plan, null_text};
use crate::planning::sparkline;
use crate::planning::stage::Stage;
use crate::stats::{Feed, LIST_LIMIT, PlannedAggregate, StatsFunction, functions};

/// Planned aggregates and the plan that provides their input columns.
#[derive(Debug)]
pub struct Preparation {
    /// The input plan, extended by a column for each argument that had none.
    pub plan: Plan,
    /// The aggregates, one per output column.
    pub aggregates: Vec<PlannedAggregate>,
}

/// Options common to all commands of the `stats` family.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grouping {
    /// `allnum=true`
    pub all_numbers: bool,
}

/// Parses aggregates and an optional `BY` clause, with options before, between and after them.
///
/// # Errors
/// Fails if an aggregate is missing or malformed. Other mistakes are reported through `arguments`.
pub fn arguments(arguments: &mut Arguments<'_>) -> Result<StatsArguments, Diagnostic> {
    arguments.options();
    let mut parsed = arguments.stats()?;
    arguments.options();
    if parsed.by.is_empty() && arguments.keyword("by").is_some() {
        parsed.by = arguments.fields()?;
        arguments.options();
    }
    check(&parsed.aggregates, &parsed.by, arguments);
    Ok(parsed)
}

/// Reports fields with wildcards among those that rows are grouped by.
pub fn check_by(by: &[Spanned<String>], arguments: &mut Arguments<'_>) {
    for field in by.iter().filter(|field| field.value.contains('*')) {
        let name = &arguments.command().name.value;
        let message = format!("`{name}` takes no wildcards in the fields to group by");
        let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message).at(field.span);
        arguments.report(diagnostic.help("name each field"));
    }
}

/// Reports unknown functions, surplus arguments, names that two output columns would share, and
/// wildcards among the fields to group by.
pub fn check(aggregates: &[Aggregate], by: &[Spanned<String>], arguments: &mut Arguments<'_>) {
    check_by(by, arguments);
    for (index, aggregate) in aggregates.iter().enumerate() {
        match lookup(aggregate) {
            Err(diagnostic) => arguments.report(diagnostic),
            Ok((function, _)) => {
                if let Some(sparkline) = sparkline::of(aggregate) {
                    if let Err(diagnostic) = sparkline {
                        arguments.report(diagnostic);
                    }
                } else if let Some(further) = aggregate.rest.first() {
                    let message = format!("`{}` takes one argument", function.name);
                    let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message);
                    arguments.report(diagnostic.at(further.span));
                }
            }
        }
        let output = &aggregate.output;
        if output.value.contains('*') {
            continue;
        }
        if let Some(field) = by.iter().find(|field| field.value == output.value) {
            let message = format!("`{}` is both a statistic and a BY field", output.value);
            arguments.report(named_twice(message, output.span, field.span));
        }
        let earlier =
            aggregates[..index].iter().find(|earlier| earlier.output.value == output.value);
        if let Some(earlier) = earlier
            && !is_same(earlier, aggregate)
        {
            let message = format!("two statistics are named `{}`", output.value);
            arguments.report(named_twice(message, output.span, earlier.output.span));
        }
    }
}

const NAME_OF_ITS_OWN: &str = "give it a name of its own with `AS`";

fn named_twice(message: String, place: Span, other: Span) -> Diagnostic {
    Diagnostic::error(Code::BAD_ARGUMENT, message)
        .at(place)
        .label(other, "the name is taken here")
        .help(NAME_OF_ITS_OWN)
}

/// Returns true if both aggregates compute the same value, so that one of them can be omitted.
fn is_same(one: &Aggregate, other: &Aggregate) -> bool {
    let field = |aggregate: &Aggregate| match &aggregate.argument {
        Some(AggregateArgument::Field(field)) => Some(field.value.clone()),
        _ => None,
    };
    let is_field =
        |aggregate: &Aggregate| !matches!(aggregate.argument, Some(AggregateArgument::Eval(_)));
    let function = |aggregate: &Aggregate| {
        functions::find(&aggregate.function.value).map(|(function, number)| (function.name, number))
    };
    is_field(one)
        && is_field(other)
        && field(one) == field(other)
        && function(one) == function(other)
}

/// Returns the eval expressions among the aggregates' arguments.
#[must_use]
pub fn expressions(aggregates: &[Aggregate]) -> Vec<&EvalExpr> {
    let mut expressions = Vec::new();
    for aggregate in aggregates {
        if let Some(AggregateArgument::Eval(expr)) = &aggregate.argument {
            expressions.push(expr);
        }
    }
    expressions
}

/// Returns what aggregates need from their input rows.
#[must_use]
pub fn needs(aggregates: &[Aggregate], by: &[String]) -> Needs {
    let mut needs = Needs::only(by);
    for aggregate in aggregates {
        let definition = functions::find(&aggregate.function.value).map(|(function, _)| function);
        if let Some(definition) = definition {
            needs.order |= definition.sees_order;
            if definition.feed == Feed::MembersWithTime {
                needs.fields.add(fields::TIME);
            }
        }
        if let Some(sparkline) = sparkline::of(aggregate) {
            // A mistake is reported where the aggregate is checked.
            let input = sparkline.ok().and_then(|sparkline| sparkline.input);
            input.iter().for_each(|input| needs.fields.add(input));
            continue;
        }
        match &aggregate.argument {
            Some(AggregateArgument::Field(field)) => needs.fields.add(&field.value),
            Some(AggregateArgument::Eval(expr)) => {
                eval::field_names(expr).iter().for_each(|name| needs.fields.add(name));
            }
            None if counts_rows(aggregate) => {}
            None => needs.fields.add("*"),
        }
    }
    needs
}

/// Returns what a command needs from its input rows if it keeps the rows and adds the aggregates to
/// them as fields.
#[must_use]
pub fn needs_beside(after: Needs, arguments: &StatsArguments) -> Needs {
    let own = needs(&arguments.aggregates, &names(&arguments.by));
    let outputs = arguments.aggregates.iter().map(|aggregate| &aggregate.output.value);
    let mut needs = after.without(outputs);
    needs.fields.extend(&own.fields);
    needs.order |= own.order;
    needs
}

/// Returns the names of fields.
#[must_use]
pub fn names(fields: &[Spanned<String>]) -> Vec<String> {
    fields.iter().map(|field| field.value.clone()).collect()
}

/// Returns the names and wildcard patterns of the aggregates' output columns.
pub fn outputs(aggregates: &[Aggregate]) -> Vec<String> {
    aggregates.iter().map(|aggregate| aggregate.output.value.clone()).collect()
}

/// Cuts the lists among the results of aggregates, and lets the user know.
pub fn cut_lists(plan: Plan, aggregates: &[PlannedAggregate], stage: &Stage<'_>) -> Plan {
    let is_list = |one: &&PlannedAggregate| one.function == "list" && one.spark.is_none();
    let lists = aggregates.iter().filter(is_list);
    let columns: Vec<String> = lists.map(|one| one.output.clone()).collect();
    if columns.is_empty() {
        return plan;
    }
    let at = (stage.span.start, stage.span.end);
    plan.operator(Arc::new(CutLists { columns, limit: LIST_LIMIT, at }))
}

/// Returns the names of the aggregates' output columns, or `None` if a wildcard makes them depend on the
/// rows.
pub fn output_names(aggregates: &[Aggregate]) -> Option<Vec<String>> {
    (!aggregates.iter().any(is_wild)).then(|| outputs(aggregates))
}

/// Returns true if an aggregate has a statistic for each of several fields.
pub fn is_wild(aggregate: &Aggregate) -> bool {
    match &aggregate.argument {
        Some(AggregateArgument::Field(field)) => field.value.contains('*'),
        Some(AggregateArgument::Eval(_)) => false,
        None => !counts_rows(aggregate),
    }
}

/// Returns the [`outputs`] whose values depend on which range of events is read. The outputs of
/// `values` and `list` are excluded, because they are values of the events themselves.
pub fn measures(aggregates: &[Aggregate]) -> Vec<String> {
    let moves =
        |aggregate: &&Aggregate| !matches!(aggregate.function.value.as_str(), "values" | "list");
    aggregates.iter().filter(moves).map(|aggregate| aggregate.output.value.clone()).collect()
}

/// Returns true if the function counts rows when it has no argument.
pub fn counts_rows(aggregate: &Aggregate) -> bool {
    matches!(aggregate.function.value.as_str(), "count" | "c" | "sparkline")
}

/// Plans aggregates over the columns of `input`.
///
/// Looks up functions, expands wildcards to columns, and adds a column for each argument that is an
/// expression or names an absent field.
///
/// # Errors
/// Fails if a function does not exist or cannot take its argument, if two outputs share a name, or
/// if `AS` has another number of wildcards than the argument.
pub fn prepare(
    input: Plan,
    written: &[Aggregate],
    by: &[String],
    grouping: Grouping,
    stage: &Stage<'_>,
) -> Result<Preparation, Diagnostic> {
    let mut columns: Vec<(String, Expr, Kind)> = Vec::new();
    let mut planned: IndexMap<String, PlannedAggregate> = IndexMap::new();
    for aggregate in written {
        let (function, parameter) = lookup(aggregate)?;
        let sparkline = sparkline::of(aggregate).transpose()?;
        let spark = sparkline.as_ref().map(|sparkline| sparkline.spark(stage.context));
        let mut add = |input: Option<String>, output: String, kind: Kind| {
            let planned_aggregate = PlannedAggregate {
                function: function.name.to_owned(),
                parameter,
                all_numbers: grouping.all_numbers,
                input,
                output: output.clone(),
                kind: (function.kind)(kind),
                spark: spark.clone(),
            };
            let is_wild = aggregate.output.value.contains('*');
            let is_named = |other: &Aggregate| other.output.value == output;
            let named = if is_wild { written.iter().find(|other| is_named(other)) } else { None };
            // `values(*) as *` means the other fields, so that BY fields and aggregates written
            // with one of the names take precedence. The same goes for names that nobody chose.
            let yields = aggregate.output.value == "*" || !aggregate.renamed;
            if by.contains(&output) && !yields {
                let message = format!("`{output}` is both a statistic and a BY field");
                let refused = Diagnostic::error(Code::BAD_ARGUMENT, message);
                return Err(refused.at(aggregate.output.span).help(NAME_OF_ITS_OWN));
            }
            if let Some(named) = named.filter(|_| !yields) {
                let message = format!("two statistics are named `{output}`");
                return Err(named_twice(message, aggregate.output.span, named.output.span));
            }
            if by.contains(&output) || named.is_some() {
                return Ok(());
            }
            if planned.get(&output).is_some_and(|earlier| *earlier != planned_aggregate) {
                let message = format!("two statistics are named `{output}`");
                return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                    .at(aggregate.output.span)
                    .help(NAME_OF_ITS_OWN));
            }
            planned.insert(output, planned_aggregate);
            Ok(())
        };
        if let Some(sparkline) = sparkline {
            if let Some(input_name) =
                sparkline.input.as_ref().filter(|name| input.kind(name).is_none())
            {
                columns.push((input_name.clone(), null_text(), Kind::Text));
            }
            add(sparkline.input, aggregate.output.value.clone(), Kind::Multi)?;
            continue;
        }
        match &aggregate.argument {
            None if counts_rows(aggregate) => {
                add(None, aggregate.output.value.clone(), Kind::Number)?;
            }
            Some(AggregateArgument::Field(field)) if !field.value.contains('*') => {
                let kind = input.kind(&field.value);
                // A field without a column is absent from every row.
                if kind.is_none() {
                    columns.push((field.value.clone(), null_text(), Kind::Text));
                }
                let kind = kind.unwrap_or(Kind::Text);
                add(Some(field.value.clone()), aggregate.output.value.clone(), kind)?;
            }
            Some(AggregateArgument::Eval(expr)) => {
                // The control character keeps the name distinct from the names of fields.
                let name = format!("\u{1}{}", columns.len());
                let (expr, kind) = argument(expr, function, &input, stage)?;
                columns.push((name.clone(), expr, kind));
                add(Some(name), aggregate.output.value.clone(), kind)?;
            }
            wild => {
                let pattern = match wild {
                    Some(AggregateArgument::Field(field)) => field.value.as_str(),
                    _ => "*",
                };
                for name in input.covered(pattern) {
                    if by.contains(&name) {
                        continue;
                    }
                    let kind = input.kind(&name).unwrap_or(Kind::Text);
                    let output = wild_output(aggregate, function, pattern, &name)?;
                    add(Some(name), output, kind)?;
                }
            }
        }
    }
    let plan = input.with_columns(columns).map_err(|error| stage.refused(error))?;
    Ok(Preparation { plan, aggregates: planned.into_values().collect() })
}

fn lookup(aggregate: &Aggregate) -> Result<(&'static StatsFunction, f64), Diagnostic> {
    let name = &aggregate.function.value;
    functions::find(name).ok_or_else(|| {
        functions::unknown(name, aggregate.argument.is_some(), aggregate.function.span)
    })
}

fn argument(
    expr: &spilltrail_spl::EvalExpr,
    function: &StatsFunction,
    input: &Plan,
    stage: &Stage<'_>,
) -> Result<(Expr, Kind), Diagnostic> {
    let compiled = eval::compile(expr, input, stage.context)?;
    match compiled.kind {
        // `count(eval(…))`, `sum(eval(…))` and `per_hour(eval(…))` count the rows for which the condition
        // is true: they get a 1, and other rows get null, which is not counted.
        ResultKind::Bool if matches!(function.name, "count" | "sum") => {
            let counted = when(compiled.expr, datafusion::logical_expr::lit(1.0))
                .end()
                .map_err(|error| stage.refused(error))?;
            Ok((counted, Kind::Number))
        }
        ResultKind::Bool => {
            let message = format!("`{}` cannot take a Boolean", function.name);
            Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(expr.span)
                .help("wrap it: `if(…, 1, 0)`"))
        }
        ResultKind::Number => Ok((compiled.expr, Kind::Number)),
        ResultKind::Text => Ok((compiled.expr, Kind::Text)),
        ResultKind::Multi => Ok((compiled.expr, Kind::Multi)),
    }
}

fn wild_output(
    aggregate: &Aggregate,
    function: &StatsFunction,
    pattern: &str,
    name: &str,
) -> Result<String, Diagnostic> {
    if !aggregate.renamed {
        return Ok(format!("{}({name})", aggregate.function.value));
    }
    let template = &aggregate.output.value;
    let captured = wildcard_capture(pattern, name).unwrap_or_default();
    if template.matches('*').count() != captured.len() {
        let message =
            format!("`{template}` must have as many `*` as `{}({pattern})`", function.name);
        return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(aggregate.output.span));
    }
    let mut parts = captured.into_iter();
    Ok(template
        .split('*')
        .enumerate()
        .map(|(index, piece)| {
            let before = if index == 0 { None } else { parts.next() };
            before.unwrap_or_default() + piece
        })
        .collect())
}
