//! `transaction`: groups events into transactions.
//!
//! One operator numbers the events of each transaction while it reads them, and keeps only the
//! values by which it recognizes the events of open transactions. The events are then sorted by
//! that number, and a second operator makes a row of the events of each.

mod assign;
mod combine;
mod grouping;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::logical_expr::when;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Kind, fields};
use spilltrail_spl::{Arguments, EvalExpr, SearchExpr, parse_eval, parse_search};

use self::assign::{Assign, IS_END, IS_START, NUMBER};
use self::combine::{Combine, Lists};
use self::grouping::Rules;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use super::{seconds, subsearch, table};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::order::stable_sort;
use crate::planning::plan::{Needs, Plan, column, null_text};
use crate::planning::predicate::Position;
use crate::planning::{eval, predicate_udf};
use crate::rows::convert;

static DOC: CommandDoc = CommandDoc {
    name: "transaction",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Group events into transactions: by the values of fields, by time, or by their first and last event.",
    syntax: "transaction [<field> …] [maxspan=<span>] [maxpause=<span>] [maxevents=<int>] [startswith=<condition>] [endswith=<condition>] [connected=<bool>] [unifyends=<bool>] [keeporphans=<bool>] [keepevicted=<bool>] [maxopentxn=<int>] [maxopenevents=<int>] [delim=<text>] [mvlist=<bool>|<field> …] [mvraw=<bool>] [nullstr=<text>]",
    arguments: &[
        Argument::positional("field", Takes::Fields).doc(
            "The fields that events of a transaction share. Events are related if they share a value of one of them and contradict each other in none.",
        ),
        Argument::option("name", Takes::Text)
            .refused("write the options of the transaction type here")
            .doc("The name of a transaction type."),
        Argument::option("maxspan", Takes::Text)
            .default("-1")
            .doc("The longest time from the first to the last event, as `30s`; a negative number means any."),
        Argument::option("maxpause", Takes::Text)
            .default("-1")
            .doc("The longest time between two events, as `30s`; a negative number means any."),
        Argument::option("maxevents", Takes::Text)
            .default("1000")
            .doc("The largest number of events; a negative number means any."),
        Argument::option("startswith", Takes::Text).doc(
            "What the first event satisfies: a search expression in quotes or parentheses, or `eval(<expression>)`.",
        ),
        Argument::option("endswith", Takes::Text).doc("What the last event satisfies."),
        Argument::option("connected", Takes::Bool).default("true").doc(
            "Whether an event whose fields no event of a transaction has, and that contradicts none, opens its own.",
        ),
        Argument::option("unifyends", Takes::Bool)
            .default("false")
            .doc("Whether the first and last events must share a field with the others, too."),
        Argument::option("keeporphans", Takes::Bool)
            .default("false")
            .doc("Whether to keep events without a transaction, with `_txn_orphan=1`."),
        Argument::option("keepevicted", Takes::Bool)
            .default("false")
            .doc("Whether to keep transactions that are not complete, with `closed_txn=0`."),
        Argument::option("maxopentxn", Takes::Count)
            .doc("The largest number of open transactions. Default: as many as memory allows."),
        Argument::option("maxopenevents", Takes::Count)
            .doc("The largest number of events in open transactions. Default: any number."),
        Argument::option("delim", Takes::Text)
            .default(" ")
            .doc("The text with which `nomv` joins the values of a field."),
        Argument::option("mvlist", Takes::Text).default("false").doc(
            "Whether fields keep all values in the order of the events, or which fields do. Others keep each value once, sorted.",
        ),
        Argument::option("mvraw", Takes::Bool)
            .default("false")
            .doc("Whether `_raw` is a multivalue; else its texts are lines."),
        Argument::option("nullstr", Takes::Text)
            .default("NULL")
            .doc("The value that stands in a list for a missing one."),
    ],
    examples: &[
        Example {
            title: "The events of each user, with pauses of at most a minute",
            events: r#"{"_time":300,"user":"ann","n":"3"}
{"_time":120,"user":"bob","n":"5"}
{"_time":100,"user":"ann","n":"2"}
{"_time":90,"user":"ann","n":"1"}"#,
            search: "| transaction user maxpause=1m maxspan=1h maxevents=100 | table user n duration eventcount",
            results: r#"{"user":"ann","n":"3","duration":0,"eventcount":1}
{"user":"bob","n":"5","duration":0,"eventcount":1}
{"user":"ann","n":["1","2"],"duration":10,"eventcount":2}"#,
        },
        Example {
            title: "From a first event to a last one",
            events: r#"{"_time":30,"user":"ann","what":"logout"}
{"_time":20,"user":"ann","what":"read"}
{"_time":10,"user":"ann","what":"login"}
{"_time":5,"user":"ann","what":"read"}"#,
            search: "| transaction user startswith=(what=login) endswith=eval(what=\"logout\") mvlist=t | table what duration closed_txn",
            results: r#"{"what":["login","read","logout"],"duration":20,"closed_txn":1}"#,
        },
        Example {
            title: "Lists that have a text for missing values",
            events: r#"{"_time":30,"ip":"10.0.0.1"}
{"_time":20,"ip":"10.0.0.1","user":"ann"}"#,
            search: "| transaction ip mvlist=\"user\" nullstr=none delim=\",\" | table user ip | nomv user",
            results: r#"{"user":"ann,none","ip":"10.0.0.1"}"#,
        },
    ],
    differs: &[
        "All open transactions are kept, unless `maxopentxn` or `maxopenevents` limit them. The values of their fields must fit into memory; their events need not.",
        "An event that has none of the fields belongs to no transaction, unless it is a first or last event and `unifyends` is false.",
        "If a first or last event is described, a transaction without it is not complete, even if `maxspan`, `maxpause` or `maxevents` ended it.",
        "Two events exactly `maxspan` or `maxpause` apart belong together.",
        "Transactions are in the order of their last events, newest first.",
        "`linecount` and `field_match_sum` are not set.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODECS: [Codec; 2] = [
    Codec::operator::<Assign>("transaction_assign"),
    Codec::operator::<Combine>("transaction_combine"),
];

#[derive(Debug)]
struct Transaction {
    assign: Assign,
    combine: Combine,
    start: Option<Filter>,
    end: Option<Filter>,
    delimiter: String,
}

/// What the first or the last event satisfies.
#[derive(Debug)]
enum Filter {
    Search(SearchExpr),
    Eval(EvalExpr),
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
    }
    let start = filter("startswith", arguments);
    let end = filter("endswith", arguments);
    if fields.is_empty() {
        for name in ["connected", "unifyends"] {
            arguments.without_effect(name, "there are no fields");
        }
    }
    let most =
        |name| arguments.given(name).map_or(usize::MAX, |most: Spanned<usize>| most.value.max(1));
    let (max_open, max_open_events) = (most("maxopentxn"), most("maxopenevents"));
    let rules = Rules {
        fields: fields.len(),
        max_span: seconds("maxspan", arguments),
        max_pause: seconds("maxpause", arguments),
        max_events: max_events(arguments),
        has_start: start.is_some(),
        has_end: end.is_some(),
        is_connected: arguments.value("connected"),
        unifies_ends: arguments.value("unifyends"),
        max_open,
        max_open_events,
    };
    let combine = Combine {
        lists: lists(arguments),
        null: arguments.value("nullstr"),
        raw_is_multiple: arguments.value("mvraw"),
        has_orphans: arguments.value("keeporphans"),
    };
    if combine.lists == Lists::All(false) {
        arguments.without_effect("nullstr", "without `mvlist` there are no lists");
    }
    let assign = Assign {
        fields,
        rules,
        keeps_evicted: arguments.value("keepevicted"),
        keeps_orphans: arguments.value("keeporphans"),
    };
    let delimiter = arguments.value("delim");
    Ok(Box::new(Transaction { assign, combine, start, end, delimiter }))
}

/// Returns the condition of an option; reports one that is not valid.
fn filter(name: &str, arguments: &mut Arguments<'_>) -> Option<Filter> {
    let text: Spanned<String> = arguments.given(name)?;
    let written = text.value.trim();
    let inner = written
        .get(..5)
        .filter(|start| start.eq_ignore_ascii_case("eval("))
        .and_then(|_| written[5..].strip_suffix(')'));
    let parsed = match inner {
        Some(expression) => parse_eval(expression).map(|mut expression| {
            expression.place(text.span);
            Filter::Eval(expression)
        }),
        None => parse_search(written).map(|mut expression| {
            expression.place(text.span);
            Filter::Search(expression)
        }),
    };
    match parsed {
        Ok(filter) => Some(filter),
        Err(diagnostic) => {
            let diagnostic = Diagnostic { labels: Vec::new(), ..diagnostic }.at(text.span);
            arguments.report(diagnostic.note(format!("in the condition `{written}`")));
            None
        }
    }
}

/// Returns the seconds of an option, which are infinite if it is negative or not given.
fn seconds(name: &str, arguments: &mut Arguments<'_>) -> f64 {
    seconds::of_option(name, arguments).filter(|seconds| *seconds >= 0.0).unwrap_or(f64::INFINITY)
}

fn max_events(arguments: &mut Arguments<'_>) -> usize {
    let text: String = arguments.value("maxevents");
    match (text.trim().parse::<i64>(), arguments.given_at("maxevents")) {
        (Ok(number), _) if number != 0 => usize::try_from(number).unwrap_or(usize::MAX),
        (_, span) => {
            let message =
                format!("expected a whole number other than 0 for `maxevents`, found `{text}`");
            let span = span.unwrap_or_else(|| arguments.span());
            arguments.report(Diagnostic::error(Code::BAD_OPTION, message).at(span));
            usize::MAX
        }
    }
}

/// Returns which fields are lists; reports patterns of fields.
fn lists(arguments: &mut Arguments<'_>) -> Lists {
    let text: String = arguments.value("mvlist");
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" => return Lists::All(true),
        "f" | "false" | "0" => return Lists::All(false),
        _ => {}
    }
    let names = text.split(|c: char| c == ',' || c.is_whitespace());
    let names: Vec<String> = names.filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if let Some(pattern) = names.iter().find(|name| name.contains('*')) {
        let message = format!("`mvlist` takes no wildcards, found `{pattern}`");
        let place = arguments.given_at("mvlist").unwrap_or_else(|| arguments.span());
        let error = Diagnostic::error(Code::BAD_OPTION, message).at(place);
        arguments.report(error.help("name each field, or write `mvlist=t` for all"));
    }
    Lists::Fields(names.into_iter().collect())
}

impl Transaction {
    fn filters(&self) -> impl Iterator<Item = &Filter> {
        self.start.iter().chain(&self.end)
    }

    /// Returns the names of the fields that a transaction gets.
    fn made() -> [&'static str; 4] {
        [combine::DURATION, combine::EVENT_COUNT, combine::CLOSED_TRANSACTION, combine::IS_ORPHAN]
    }

    /// Adds a column that has a value where a row satisfies a condition.
    async fn marked(
        plan: Plan,
        name: &str,
        filter: &Filter,
        stage: &Stage<'_>,
    ) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let condition = match filter {
            Filter::Search(expression) => {
                let predicate =
                    subsearch::predicate(expression, Position::Later, stage.context).await?;
                predicate_udf::condition(predicate, &plan)
            }
            Filter::Eval(expression) => {
                let expression =
                    subsearch::splice(expression, subsearch::Spliced::Condition, stage.context)
                        .await?;
                eval::condition(&expression, &plan, stage.context)?
            }
        };
        let mark = when(condition, convert::text("1")).otherwise(null_text()).map_err(refused)?;
        plan.with_columns(vec![(name.to_owned(), mark, Kind::Text)]).map_err(refused)
    }
}

#[async_trait]
impl Command for Transaction {
    fn parts(&self) -> Parts<'_> {
        let mut parts = Parts::default();
        for filter in self.filters() {
            match filter {
                Filter::Search(expression) => parts.searches.push(expression),
                Filter::Eval(expression) => parts.conditions.push(expression),
            }
        }
        parts
    }

    fn needs(&self, after: Needs) -> Needs {
        let mut needs = Needs { order: true, ..after.without(Self::made()) };
        needs = needs.and(&self.assign.fields).and([fields::TIME]);
        for filter in self.filters() {
            needs = needs.and(match filter {
                Filter::Search(expression) => subsearch::field_names(expression),
                Filter::Eval(expression) => eval::field_names(expression),
            });
        }
        needs
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(Self::made().map(str::to_owned));
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?;
        let refused = |error| stage.refused(error);
        let names = plan.names();
        for (name, filter) in [(IS_START, &self.start), (IS_END, &self.end)] {
            if let Some(filter) = filter {
                plan = Self::marked(plan, name, filter, stage).await?;
            }
        }
        let mut assign = self.assign.clone();
        let present = table::spread(&plan, &assign.fields);
        // If no field matches the patterns, they stay, as names that no event has: without fields,
        // all events would be one transaction.
        if !present.is_empty() {
            assign.fields = present;
        }
        assign.rules.fields = assign.fields.len();
        let plan = plan.operator(Arc::new(assign));
        let kept: Vec<String> =
            names.into_iter().chain([NUMBER, assign::ENDING].map(str::to_owned)).collect();
        let plan = plan.select(&kept).map_err(refused)?;
        let plan = stable_sort(plan, vec![column(NUMBER).sort(true, false)]).map_err(refused)?;
        let mut plan = plan.operator(Arc::new(self.combine.clone()));
        let multiple: Vec<String> = plan
            .fields()
            .filter(|(_, kind)| *kind == Kind::Multi)
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in multiple {
            plan.set_delimiter(&name, &self.delimiter);
        }
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(Self::made().map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_event::Value;

    use crate::run;
    use crate::testing::{context, rows};

    const ROWS: &str = r#"{"_time":50,"_raw":"e5 end","s":"1","a":"x"}
{"_time":40,"_raw":"e4","s":"1","a":"y","h":"u"}
{"_time":30,"_raw":"e3 begin","s":"1","a":"x"}
{"_time":20,"_raw":"e2","s":"2","a":"x"}
{"_time":10,"_raw":"e1","a":"z"}"#;

    async fn found(search: &str) -> String {
        let context = context(rows(ROWS), 64 << 20);
        let prepared = match run::prepare(search, None, &context).await {
            Err(diagnostics) => return diagnostics[0].message.clone(),
            Ok(prepared) => prepared,
        };
        match prepared.collect(&context).await {
            Err(diagnostic) => diagnostic.message,
            Ok(rows) => {
                let cell = |(name, value): (String, Value<'static>)| {
                    format!("{name}={}", value.members().join(","))
                };
                let row = |row: crate::rows::Row| row.into_iter().map(cell).collect::<Vec<_>>();
                rows.iter().map(|one| row(one).join(" ")).collect::<Vec<_>>().join("; ")
            }
        }
    }

    #[tokio::test]
    async fn transactions_are_rows() {
        for (search, expected) in [
            (
                "| transaction s | table _time s a h duration eventcount closed_txn",
                "_time=30 s=1 a=x,y h=u duration=20 eventcount=3 closed_txn=0; \
                 _time=20 s=2 a=x duration=0 eventcount=1 closed_txn=0",
            ),
            ("| transaction s mvlist=t | table a h", "a=x,y,x h=NULL,u,NULL; a=x"),
            ("| transaction s mvlist=a | table a h", "a=x,y,x h=u; a=x"),
            ("| transaction s | table _raw", "_raw=e3 begin\ne4\ne5 end; _raw=e2"),
            ("| transaction s mvraw=t | table _raw", "_raw=e3 begin,e4,e5 end; _raw=e2"),
            (
                "| transaction s keeporphans=t | table s eventcount _txn_orphan",
                "s=1 eventcount=3; s=2 eventcount=1; _txn_orphan=1",
            ),
            ("| transaction | table eventcount duration", "eventcount=5 duration=40"),
            (
                "| transaction maxspan=20s | table eventcount closed_txn",
                "eventcount=3 closed_txn=1; eventcount=2 closed_txn=0",
            ),
            (
                "| transaction maxevents=2 | table eventcount closed_txn",
                "eventcount=2 closed_txn=1; eventcount=2 closed_txn=1; eventcount=1 closed_txn=0",
            ),
            // The conditions: terms of the text, comparisons, expressions.
            (
                "| transaction s startswith=\"begin\" endswith=\"end\" | table eventcount closed_txn",
                "eventcount=3 closed_txn=1",
            ),
            ("| transaction s startswith=begin | table eventcount", "eventcount=3"),
            (
                "| transaction s startswith=(a=x OR a=q) endswith=eval(a=\"y\") | table eventcount",
                "eventcount=2",
            ),
            ("| transaction s startswith=\"nosuch\" | table eventcount", ""),
            (
                "| transaction s startswith=\"nosuch\" keepevicted=t | table eventcount closed_txn",
                "eventcount=3 closed_txn=0; eventcount=1 closed_txn=0",
            ),
            ("| transaction S nosuch", ""),
            ("| transaction zzz*", ""),
            (
                "| transaction zzz* keeporphans=t | table eventcount _txn_orphan",
                "_txn_orphan=1; _txn_orphan=1; _txn_orphan=1; _txn_orphan=1; _txn_orphan=1",
            ),
            ("| transaction s zzz* | table s eventcount", "s=1 eventcount=3; s=2 eventcount=1"),
            // What is wrong.
            (
                "| transaction maxspan=0s | table eventcount",
                "eventcount=1; eventcount=1; eventcount=1; eventcount=1; eventcount=1",
            ),
            ("| transaction maxspan=-1s maxpause=-5 | table eventcount", "eventcount=5"),
            ("| reverse | transaction s", "`transaction` needs rows with the newest first"),
            (
                "| transaction s maxspan=soon",
                "expected a span of time such as `5m` for `maxspan`, found `soon`",
            ),
            (
                "| transaction s maxpause=-m1",
                "expected a span of time such as `5m` for `maxpause`, found `-m1`",
            ),
            (
                "| transaction s maxevents=0",
                "expected a whole number other than 0 for `maxevents`, found `0`",
            ),
            ("| transaction s startswith=eval(foo(1))", "there is no eval function `foo`"),
            ("| transaction s startswith=(a=)", "expected a value to compare `a` with, found `)`"),
            ("| transaction name=web", "`transaction name=web` is not supported"),
            ("| transaction s mvlist=\"a*\"", "`mvlist` takes no wildcards, found `a*`"),
        ] {
            assert_eq!(found(search).await, expected, "{search}");
        }
    }
}
