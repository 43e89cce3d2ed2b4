//! `join`: adds the fields of a subsearch's rows with the same keys.

mod operator;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Demand, fields};
use spilltrail_spl::{Arguments, Pipeline};

use self::operator::{Join, Matching, Time};
use super::append::required;
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::commands::subsearch::{self, MAX_APPENDED_ROWS};
use crate::planning::plan::{Needs, Plan, column};

static DOC: CommandDoc = CommandDoc {
    name: "join",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Adds the fields of a subsearch's rows to the rows with the same keys.",
    syntax: "join [type=inner|left|outer] [max=<int>] [overwrite=<bool>] [usetime=<bool>] [earlier=<bool>] [<field> …] [<subsearch>] | join [options] left=<alias> right=<alias> where <alias>.<field>=<alias>.<field> … [<subsearch>]",
    arguments: &[
        (
            "type",
            "`inner`, the default, drops rows without a partner; `left` and `outer` keep them.",
        ),
        ("max", "How many partners a row gets; 0 is all. Default 1."),
        ("overwrite", "If false, fields that are there keep their values. Default true."),
        (
            "usetime",
            "If true, only partners that are earlier count; with `earlier=false`, later. Default false.",
        ),
        (
            "field",
            "The keys; without any, all fields that both sides have. Options may come after them.",
        ),
        ("left, right", "Aliases; every field is then named `alias.field`."),
    ],
    examples: &[
        Example {
            title: "Only rows with a partner",
            events: "{\"user\":\"ann\",\"n\":\"1\"}\n{\"user\":\"bob\",\"n\":\"2\"}",
            search: "| join user [| makeresults | eval user=\"bob\", team=\"red\" | table user team]",
            results: r#"{"user":"bob","n":"2","team":"red"}"#,
        },
        Example {
            title: "All rows",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| join type=left user [| makeresults | eval user=\"bob\", team=\"red\" | table user team]",
            results: "{\"user\":\"ann\"}\n{\"user\":\"bob\",\"team\":\"red\"}",
        },
    ],
    differs: &[
        "A multivalue key matches one with the same values in the same order.",
        "A row that lacks a key has no partner.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct JoinRows {
    matching: Matching,
    keys: Keys,
    subsearch: Pipeline,
}

/// What must be the same on both sides.
#[derive(Debug)]
enum Keys {
    /// These fields; none means all that both have.
    Fields(Vec<String>),
    /// Pairs of fields, and the aliases that all fields get.
    Aliased { left: String, right: String, pairs: Vec<(String, String)> },
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut matching = Matching { keeps_all: false, max: 1, overwrites: true, time: None };
    let (mut uses_time, mut earlier) = (false, true);
    let (mut left, mut right): (Option<String>, Option<String>) = (None, None);
    let mut names: Vec<String> = Vec::new();
    let mut pairs = Vec::new();
    let mut subsearch = None;
    while !arguments.is_empty() {
        if let Some(pipeline) = arguments.subsearch() {
            subsearch = Some(pipeline?);
        } else if left.is_some() && right.is_some() && arguments.keyword("where").is_some() {
            pairs = conditions(arguments)?;
        } else if let Some((name, value)) = arguments.any_option() {
            match name.value.to_ascii_lowercase().as_str() {
                "type" => matching.keeps_all = join_type(&value)?,
                "max" => matching.max = options::count(&value)?,
                "overwrite" => matching.overwrites = options::boolean(&value)?,
                "usetime" => uses_time = options::boolean(&value)?,
                "earlier" => earlier = options::boolean(&value)?,
                "left" => left = Some(value.value),
                "right" => right = Some(value.value),
                _ => return Err(options::unknown("join", &name)),
            }
        } else {
            names.extend(arguments.fields()?.into_iter().map(|field| field.value));
        }
    }
    if uses_time {
        matching.time = Some(if earlier { Time::Earlier } else { Time::Later });
    }
    let subsearch = required(subsearch, arguments)?;
    let keys = match (left, right) {
        (Some(left), Some(right)) => aliased(left, right, pairs, arguments)?,
        (None, None) => Keys::Fields(names),
        _ => {
            return Err(Diagnostic::error(Code::BAD_OPTION, "`left` and `right` go together")
                .at(arguments.span()));
        }
    };
    Ok(Box::new(JoinRows { matching, keys, subsearch }))
}

/// Returns whether rows without a partner are kept.
fn join_type(value: &Spanned<String>) -> Result<bool, Diagnostic> {
    match value.value.to_ascii_lowercase().as_str() {
        "inner" => Ok(false),
        "left" | "outer" => Ok(true),
        other => {
            let message = format!("expected `inner`, `left` or `outer`, found `{other}`");
            Err(Diagnostic::error(Code::BAD_OPTION, message).at(value.span))
        }
    }
}

/// Reads `L.a=R.a M.b=R.b …` after `where`.
fn conditions(arguments: &mut Arguments<'_>) -> Result<Vec<(Spanned<String>, String)>, Diagnostic> {
    let mut pairs = Vec::new();
    while let Some((one, other)) = arguments.any_option() {
        pairs.push((one, other.value));
        arguments.keyword("and");
    }
    if pairs.is_empty() {
        return Err(Diagnostic::error(Code::SYNTAX, "expected `<alias>.<field>=<alias>.<field>`")
            .at(arguments.span())
            .help("for example `join left=L right=R where L.user=R.user [ … ]`"));
    }
    Ok(pairs)
}

/// Returns the keys without their aliases, the left side's first.
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
        return Err(Diagnostic::error(Code::SYNTAX, "expected `where` and the fields to compare")
            .at(arguments.span()));
    }
    Ok(Keys::Aliased { left, right, pairs })
}

/// Returns what of the demand has the alias, without it.
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
    /// Returns what is needed of one side, `is_left` telling which.
    fn side(&self, after: &Needs, is_left: bool) -> Needs {
        let mut needs = match &self.keys {
            Keys::Fields(names) if names.is_empty() => Needs::everything(),
            Keys::Fields(names) => after.clone().and(names),
            Keys::Aliased { left, right, pairs } => {
                let alias = if is_left { left } else { right };
                let keys = pairs.iter().map(|(l, r)| if is_left { l } else { r });
                Needs { fields: behind(alias, &after.fields), order: after.order }.and(keys)
            }
        };
        needs.order |= !is_left;
        if self.matching.time.is_some() { needs.and([fields::TIME]) } else { needs }
    }

    /// Returns the keys as they are named on the left and on the right.
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
    fn needs(&self, after: Needs) -> Needs {
        self.side(&after, true)
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
        let times = match &self.keys {
            Keys::Fields(_) => (fields::TIME.to_owned(), fields::TIME.to_owned()),
            Keys::Aliased { left, right, .. } => {
                (format!("{left}.{}", fields::TIME), format!("{right}.{}", fields::TIME))
            }
        };
        let join = Join::new(&rows, keys, self.matching.clone(), times)
            .map_err(|error| stage.refused(error))?;
        Ok(input.operator(Arc::new(join)))
    }
}
