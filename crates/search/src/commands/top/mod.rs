//! `top` and the shared part of `rare`: the most and the least frequent values of fields.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::Kind;
use spilltrail_spl::Arguments;

use self::operator::{First, Other};
use super::stats::{Key, groups};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Codec, Whole};
use crate::planning::aggregate::{self, Preparation};
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::sort_key::{SortAs, sort_key};
use crate::stats::PlannedAggregate;

static DOC: CommandDoc = CommandDoc {
    name: "top",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Return the most frequent values of fields, with their count and percentage.",
    syntax: "top [<count>] [limit=<int>] [countfield=<name>] [percentfield=<name>] [showcount=<bool>] [showperc=<bool>] [useother=<bool>] [otherstr=<text>] <field> … [BY <field> …]",
    arguments: ARGUMENTS,
    examples: &[
        Example {
            title: "The two most frequent actions",
            events: r#"{"action":"get"}
{"action":"get"}
{"action":"put"}
{"action":"list"}
{}"#,
            search: "| top 2 action",
            results: r#"{"action":"get","count":2,"percent":"50.000000"}
{"action":"put","count":1,"percent":"25.000000"}"#,
        },
        Example {
            title: "The most frequent action of each user, and all others together",
            events: r#"{"user":"ann","action":"get"}
{"user":"ann","action":"get"}
{"user":"ann","action":"put"}
{"user":"bob","action":"put"}"#,
            search: "| top limit=1 action by user useother=t showperc=f",
            results: r#"{"user":"ann","action":"get","count":2}
{"user":"ann","action":"OTHER","count":1}
{"user":"bob","action":"put","count":1}"#,
        },
    ],
    differs: DIFFERS,
};

pub(super) const ARGUMENTS: &[Argument] = &[
    Argument::positional("count", Takes::Count)
        .doc("The number of values to return, the same as `limit`."),
    Argument::option("limit", Takes::Count)
        .default("10")
        .doc("The number of values to return; with BY, for each group. 0 returns all."),
    Argument::option("countfield", Takes::Text)
        .default("count")
        .doc("The name of the field with the number of events."),
    Argument::option("percentfield", Takes::Text)
        .default("percent")
        .doc("The name of the field with the percentage, which has six decimals."),
    Argument::option("showcount", Takes::Bool)
        .default("true")
        .doc("Whether to return the number of events."),
    Argument::option("showperc", Takes::Bool)
        .default("true")
        .doc("Whether to return the percentage of the events that have the fields."),
    Argument::option("useother", Takes::Bool)
        .default("false")
        .doc("Whether to add a row for all values that `limit` leaves out."),
    Argument::option("otherstr", Takes::Text)
        .default("OTHER")
        .doc("The value of the fields in the row of `useother`."),
    Argument::positional("field", Takes::Fields)
        .doc("The fields; several are counted by the combination of their values."),
    Argument::keyword("BY", Takes::Fields).doc("The fields to group by."),
];

pub(super) const DIFFERS: &[&str] = &[
    "Of equally frequent values, the last in byte order comes first.",
    "The percentage is text, such as `50.000000`.",
];

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::gathering::<First>();

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    ranked(arguments, Rank::Frequent)
}

/// The values that come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rank {
    /// The most frequent ones.
    Frequent,
    /// The least frequent ones.
    Rare,
}

#[derive(Debug)]
struct Ranked {
    rank: Rank,
    limit: usize,
    fields: Vec<String>,
    by: Vec<String>,
    count: Option<String>,
    percent: Option<String>,
    other: Option<String>,
}

/// Parses the arguments that `top` and `rare` share.
pub(super) fn ranked(
    arguments: &mut Arguments<'_>,
    rank: Rank,
) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let count = arguments.count().map(|count| count.value);
    arguments.options();
    let fields = arguments.fields_until(&["by"])?;
    arguments.options();
    let by = match arguments.keyword("by") {
        Some(_) => arguments.fields()?,
        None => Vec::new(),
    };
    arguments.finish_with_options()?;
    aggregate::check_by(&fields, arguments);
    aggregate::check_by(&by, arguments);
    if count.is_some() {
        arguments.without_effect("limit", "the number of values is given without a name too");
    }
    arguments.each_once(fields.iter().chain(&by));
    let mut named: Vec<Spanned<String>> = fields.iter().chain(&by).cloned().collect();
    let mut made = |shown: &str, option: &str, why: &str| -> Option<String> {
        if !arguments.value::<bool>(shown) {
            arguments.without_effect(option, why);
            return None;
        }
        let name: String = arguments.value(option);
        if let Some(earlier) = named.iter().find(|earlier| earlier.value == name) {
            let message = format!("two fields of the result are named `{name}`");
            let place = arguments.given_at(option).unwrap_or(earlier.span);
            let help = format!("set another name with `{option}=`");
            arguments.report(twice(message, place, earlier.span).help(help));
        }
        let place = arguments.given_at(option).unwrap_or_else(|| arguments.span());
        named.push(Spanned::new(name.clone(), place));
        Some(name)
    };
    let counted = made("showcount", "countfield", "`showcount=f` leaves the field out");
    let percent = made("showperc", "percentfield", "`showperc=f` leaves the field out");
    let other: Option<String> =
        arguments.value::<bool>("useother").then(|| arguments.value("otherstr"));
    if other.is_none() {
        arguments.without_effect("otherstr", "without `useother=t` there is no such row");
    }
    let names = |fields: Vec<Spanned<String>>| fields.into_iter().map(|f| f.value).collect();
    Ok(Box::new(Ranked {
        rank,
        limit: count.unwrap_or_else(|| arguments.value("limit")),
        fields: names(fields),
        by: names(by),
        count: counted,
        percent,
        other,
    }))
}

fn twice(message: String, place: Span, earlier: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message).at(place);
    if place == earlier { diagnostic } else { diagnostic.label(earlier, "the name is taken here") }
}

/// The column with the number of events before it gets its name.
const COUNT: &str = "\u{1}count";

#[async_trait]
impl Command for Ranked {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only(self.by.iter().chain(&self.fields))
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        let made = self.count.iter().chain(&self.percent);
        Some(self.by.iter().chain(&self.fields).chain(made).cloned().collect())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let counted = PlannedAggregate::count(COUNT);
        let preparation = Preparation { plan: stage.input(input)?, aggregates: vec![counted] };
        let keys: Vec<Key> =
            self.by.iter().chain(&self.fields).map(|field| Key::of(field)).collect();
        let plan = groups(preparation, &keys, Whole::Members, stage)?;
        let key = |name: &String, sort_as| match (plan.kind(name), sort_as) {
            (Some(Kind::Number), SortAs::Auto) => column(name),
            _ => sort_key(column(name), sort_as),
        };
        let mut order: Vec<_> =
            self.by.iter().map(|name| key(name, SortAs::Auto).sort(true, false)).collect();
        order.push(column(COUNT).sort(self.rank == Rank::Rare, false));
        order.extend(self.fields.iter().map(|name| key(name, SortAs::Text).sort(false, false)));
        let mut plan = plan.sort(order).map_err(refused)?;
        plan = plan.operator(Arc::new(First {
            by: self.by.clone(),
            fields: self.fields.clone(),
            counts: COUNT.to_owned(),
            limit: self.limit,
            count: self.count.clone(),
            percent: self.percent.clone(),
            other: self.other.clone().map(Other),
        }));
        plan.transformed = true;
        Ok(plan)
    }

    fn grouping(&self) -> Option<Vec<String>> {
        // The row for other values has values that no event has.
        self.other.is_none().then(|| self.by.iter().chain(&self.fields).cloned().collect())
    }

    fn trace(&self, lineage: &mut Lineage) {
        let measures = self.count.iter().chain(&self.percent).cloned();
        lineage.group(self.by.iter().chain(&self.fields).cloned(), measures);
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn values_are_ranked() {
        let events = r#"{"f":"b","g":"1"}
{"f":"a","g":"2"}
{"f":["a","c"],"g":"1"}
{"g":"1"}"#;
        for (search, expected) in [
            // A multivalue counts for each of its values, and of equal values the last comes first.
            ("| top f", vec!["a 2 50.000000", "c 1 25.000000", "b 1 25.000000"]),
            ("| top limit=1 f", vec!["a 2 50.000000"]),
            ("| rare 2 f", vec!["c 1 25.000000", "b 1 25.000000"]),
            (
                "| top f g limit=2 useother=t otherstr=rest",
                vec!["c 1 1 25.000000", "b 1 1 25.000000", "rest rest 2 50.000000"],
            ),
            (
                "| top 0 f, g showcount=f",
                vec!["c 1 25.000000", "b 1 25.000000", "a 2 25.000000", "a 1 25.000000"],
            ),
            ("| top f BY g countfield=n showperc=false", vec!["1 c 1", "1 b 1", "1 a 1", "2 a 1"]),
            ("| top nosuch", vec![]),
        ] {
            let found = table(search, events).await.unwrap();
            assert_eq!(found[1..], expected, "{search}");
        }
    }

    #[tokio::test]
    async fn names_are_taken_only_once() {
        for search in [
            "| top f f",
            "| top f by f",
            "| top count",
            "| rare f countfield=f",
            "| top f countfield=x percentfield=x",
        ] {
            assert_eq!(table(search, "").await, Err(vec![Code::BAD_ARGUMENT]), "{search}");
        }
    }
}
