//! `join`: adds the fields of a subsearch's rows to the rows with the same keys.

mod indexed;
mod operator;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Demand, fields};
use spilltrail_spl::{Arguments, Pipeline};

use self::operator::{Join, Matching, Time};
use super::append::{SUBSEARCH, required};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::commands::subsearch::{self, MAX_APPENDED_ROWS};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan, column};

static DOC: CommandDoc = CommandDoc {
    name: "join",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Add the fields of a subsearch's rows to the rows with the same keys.",
    syntax: "join [type=inner|left|outer] [max=<int>] [overwrite=<bool>] [usetime=<bool>] [earlier=<bool>] [<field> …] [<subsearch>] | join [options] left=<alias> right=<alias> where <alias>.<field>=<alias>.<field> … [<subsearch>]",
    arguments: &[
        Argument::option("type", Takes::OneOf(&["inner", "left", "outer"]))
            .default("inner")
            .doc("`inner` removes rows without a match; `left` and `outer` keep them."),
        Argument::option("max", Takes::Count)
            .default("1")
            .doc("The number of matches to use for each row; 0 means all."),
        Argument::option("overwrite", Takes::Bool)
            .default("true")
            .doc("Whether the fields of the match replace existing fields."),
        Argument::option("usetime", Takes::Bool)
            .default("false")
            .doc("Whether a match must be earlier, or later, than the row."),
        Argument::option("earlier", Takes::Bool)
            .default("true")
            .doc("With `usetime`: whether a match must be earlier (true) or later (false)."),
        Argument::positional("field", Takes::Fields)
            .doc("The fields to compare. Default: all fields that both sides have."),
        Argument::option("left", Takes::Text)
            .doc("The alias of the results. Every field is then named `alias.field`."),
        Argument::option("right", Takes::Text).doc("The alias of the subsearch's rows."),
        Argument::keyword("WHERE", Takes::Condition)
            .doc("With aliases: which fields must be equal, such as `L.user=R.user`."),
        SUBSEARCH,
    ],
    examples: &[
        Example {
            title: "Only rows with a match",
            events: "{\"user\":\"ann\",\"n\":\"1\"}\n{\"user\":\"bob\",\"n\":\"2\"}",
            search: "| join user [| makeresults | eval user=\"bob\", team=\"red\" | table user team]",
            results: r#"{"user":"bob","n":"2","team":"red"}"#,
        },
        Example {
            title: "All rows, with or without a match",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| join type=left user [| makeresults | eval user=\"bob\", team=\"red\" | table user team]",
            results: "{\"user\":\"ann\"}\n{\"user\":\"bob\",\"team\":\"red\"}",
        },
        Example {
            title: "Keys with different names; all fields get the alias of their side",
            events: "{\"user\":\"ann\",\"n\":\"1\"}\n{\"user\":\"bob\",\"n\":\"2\"}",
            search: "| join left=L right=R where L.user=R.name [| makeresults | eval name=\"bob\", team=\"red\" | table name team]",
            results: r#"{"L.user":"bob","L.n":"2","R.name":"bob","R.team":"red"}"#,
        },
    ],
    differs: &[
        "A multivalue key matches a key with the same values in the same order.",
        "A row without one of the keys has no match.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<operator::Join>("join");

#[derive(Debug)]
struct JoinRows {
    matching: Matching,
    keys: Keys,
    subsearch: Pipeline,
}

/// The fields that must have the same value on both sides.
#[derive(Debug)]
enum Keys {
    /// Fields with the same name on both sides. If the list is empty, the keys are all fields that
    /// both sides have.
    Fields(Vec<String>),
    /// Pairs of a left and a right field, and the aliases that prefix every field of their side.
    Aliased { left: String, right: String, pairs: Vec<(String, String)> },
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut names: Vec<Spanned<String>> = Vec::new();
    let mut pairs = Vec::new();
    let mut subsearch = None;
    while arguments.more() {
        let has_aliases =
            arguments.given_at("left").is_some() && arguments.given_at("right").is_some();
        if subsearch.is_none()
            && let Some(pipeline) = arguments.subsearch()
        {
            subsearch = Some(pipeline?);
        } else if has_aliases && arguments.keyword("where").is_some() {
            pairs = conditions(arguments)?;
        } else {
            // `where` is a keyword only after both aliases; otherwise it is the name of a field.
            let stop: &[&str] = if has_aliases { &["where"] } else { &[] };
            names.extend(arguments.fields_until(stop)?);
        }
    }
    let subsearch = required(subsearch, arguments)?;
    let uses_time: bool = arguments.value("usetime");
    if !uses_time {
        arguments.without_effect("earlier", "it counts with `usetime=true` only");
    }
    let is_earlier: bool = arguments.value("earlier");
    let matching = Matching {
        keeps_all: arguments.value::<&str>("type") != "inner",
        max: arguments.value("max"),
        overwrites: arguments.value("overwrite"),
        time: uses_time.then_some(if is_earlier { Time::Earlier } else { Time::Later }),
    };
    let alias = |name| arguments.given::<String>(name).map(|alias| alias.value);
    let keys = match (alias("left"), alias("right")) {
        (Some(left), Some(right)) => {
            if let Some(field) = names.first() {
                let message = format!("expected `where` before the keys, found `{}`", field.value);
                return Err(Diagnostic::error(Code::EXPECTED, message)
                    .at(field.span)
                    .help("for example `join left=L right=R where L.user=R.user [ … ]`"));
            }
            aliased(left, right, pairs, arguments)?
        }
        (None, None) => Keys::Fields(names.into_iter().map(|field| field.value).collect()),
        _ => {
            return Err(Diagnostic::error(Code::BAD_OPTION, "`left` and `right` go together")
                .at(arguments.span()));
        }
    };
    Ok(Box::new(JoinRows { matching, keys, subsearch }))
}

/// Parses the conditions after `where`, such as `L.a=R.a L.b=R.b`; `and` between them is optional.
fn conditions(arguments: &mut Arguments<'_>) -> Result<Vec<(Spanned<String>, String)>, Diagnostic> {
    let mut pairs = Vec::new();
    while let Some((one, other)) = arguments.any_option() {
        pairs.push((one, other.value));
        arguments.keyword("and");
    }
    if pairs.is_empty() {
        return Err(Diagnostic::error(
            Code::MISSING_ARGUMENT,
            "expected `<alias>.<field>=<alias>.<field>`",
        )
        .at(arguments.span())
        .help("for example `join left=L right=R where L.user=R.user [ … ]`"));
    }
    Ok(pairs)
}

/// Returns the pairs of key fields without their aliases, each with the left field first.
fn aliased(
    left: String,
    right: String,
    pairs: Vec<(Spanned<String>, String)>,
    arguments: &Arguments<'_>,
) -> Result<Keys, Diagnostic> {
    let of = |alias: &str, name: &str| {
        name.strip_prefix(alias).and_then(|rest| rest.strip_prefix('.')).map(str::to_owned)
    };
    let pairs: Vec<(String, String)> = pairs
        .into_iter()
        .map(|(one, other)| {
            let straight = of(&left, &one.value).zip(of(&right, &other));
            straight.or_else(|| of(&left, &other).zip(of(&right, &one.value))).ok_or_else(|| {
                let message = format!("expected one field of `{left}` and one of `{right}`");
                Diagnostic::error(Code::BAD_ARGUMENT, message).at(one.span)
            })
        })
        .collect::<Result<_, _>>()?;
    if pairs.is_empty() {
        return Err(Diagnostic::error(
            Code::MISSING_ARGUMENT,
            "expected `where` and the fields to compare",
        )
        .at(arguments.span()));
    }
    Ok(Keys::Aliased { left, right, pairs })
}

/// Returns the demanded fields of one side: those with the prefix `alias.`, which is removed.
fn behind(alias: &str, demand: &Demand) -> Demand {
    let strip = |names: &BTreeSet<String>| -> Vec<String> {
        names
            .iter()
            .filter_map(|name| name.strip_prefix(alias)?.strip_prefix('.'))
            .map(str::to_owned)
            .collect()
    };
    if demand.is_open() { Demand::all() } else { Demand::of(strip(&demand.names)) }
}

impl JoinRows {
    /// Returns the fields and the order that the join needs from its left or its right input.
    fn side(&self, after: &Needs, is_left: bool) -> Needs {
        let mut needs = match &self.keys {
            Keys::Fields(names) if names.is_empty() => {
                Needs { order: true, ..after.clone().and_all() }
            }
            Keys::Fields(names) => after.clone().and(names),
            Keys::Aliased { left, right, pairs } => {
                let alias = if is_left { left } else { right };
                let keys = pairs.iter().map(|(l, r)| if is_left { l } else { r });
                Needs { fields: behind(alias, &after.fields), order: after.order }.and(keys)
            }
        };
        // Each row gets the first `max` partners, so the order of the subsearch's rows counts.
        needs.order |= !is_left;
        if self.matching.time.is_some() { needs.and([fields::TIME]) } else { needs }
    }

    /// Returns the names of the key columns of the left and of the right input.
    ///
    /// Without keys in the search, these are the fields of both sides that do not begin with `_`.
    fn key_names(&self, plan: &Plan, right: &[String]) -> (Vec<String>, Vec<String>) {
        match &self.keys {
            Keys::Fields(names) if names.is_empty() => {
                let is_common = |name: &&String| !name.starts_with('_') && right.contains(name);
                let common: Vec<String> = plan.names().iter().filter(is_common).cloned().collect();
                (common.clone(), common)
            }
            Keys::Fields(names) => (names.clone(), names.clone()),
            Keys::Aliased { left, right, pairs } => {
                pairs.iter().map(|(l, r)| (format!("{left}.{l}"), format!("{right}.{r}"))).unzip()
            }
        }
    }
}

#[async_trait]
impl Command for JoinRows {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: vec![&self.subsearch], ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        self.side(&after, true)
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        match self.keys {
            Keys::Fields(_) => super::pipeline::with_output_of(&self.subsearch, None, before),
            Keys::Aliased { .. } => None,
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut input = stage.input(input)?;
        let needs = self.side(stage.after, false);
        let mut rows =
            subsearch::run(&self.subsearch, stage.context, MAX_APPENDED_ROWS, needs).await?;
        if let Keys::Aliased { left, right, .. } = &self.keys {
            let columns = input
                .fields()
                .map(|(name, kind)| (format!("{left}.{name}"), column(name), kind))
                .collect();
            input = input.project(columns).map_err(|error| stage.refused(error))?;
            for field in &mut rows.fields {
                field.name = format!("{right}.{}", field.name);
            }
        }
        let right: Vec<String> = rows.fields.iter().map(|field| field.name.clone()).collect();
        let keys = self.key_names(&input, &right);
        if self.matching.overwrites {
            // A key has the same values on both sides.
            let set = right.iter().filter(|name| !keys.1.contains(name));
            input = input.forgetting(set.map(String::as_str));
        }
        let times = match &self.keys {
            Keys::Fields(_) => (fields::TIME.to_owned(), fields::TIME.to_owned()),
            Keys::Aliased { left, right, .. } => {
                (format!("{left}.{}", fields::TIME), format!("{right}.{}", fields::TIME))
            }
        };
        let join = Join::new(rows, keys, self.matching.clone(), times)
            .map_err(|error| stage.refused(error))?;
        Ok(input.operator(Arc::new(join)))
    }

    fn trace(&self, lineage: &mut Lineage) {
        let mut other = Lineage::default();
        other.follow(&self.subsearch);
        lineage.join(&other);
    }
}
