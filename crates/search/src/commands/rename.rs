//! `rename`: renames fields.

use std::collections::HashSet;

use async_trait::async_trait;
use datafusion::logical_expr::{Expr, when};
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_event::fields::TIME;
use spilltrail_event::{Kind, wildcard_capture};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::convert;

static DOC: CommandDoc = CommandDoc {
    name: "rename",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Rename fields, one by one or with wildcards.",
    syntax: "rename <field> AS <field> [, <field> AS <field>] …",
    arguments: &[
        Argument::positional("field", Takes::Fields)
            .doc("The current name. A wildcard in it must also be in the new name."),
        Argument::keyword("AS", Takes::Field).doc("The new name."),
    ],
    examples: &[
        Example {
            title: "One field",
            events: r#"{"userIdentity.arn":"arn:aws:iam::1:user/ann"}"#,
            search: "| rename userIdentity.arn as arn",
            results: r#"{"arn":"arn:aws:iam::1:user/ann"}"#,
        },
        Example {
            title: "Remove a prefix",
            events: r#"{"requestParameters.name":"a","requestParameters.tag.k":"b"}"#,
            search: "| rename requestParameters.* as *",
            results: r#"{"name":"a","tag.k":"b"}"#,
        },
    ],
    differs: &[
        "If a wildcard renames a field to an existing name, rows without the renamed field keep the existing value.",
        "A wildcard never renames a field to `_time`.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Rename {
    pairs: Vec<Pair>,
}

#[derive(Debug)]
struct Pair {
    from: String,
    to: String,
    span: Span,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut pairs: Vec<Pair> = Vec::new();
    while !arguments.is_empty() {
        let mut from = arguments.field()?;
        // `tstats … by PREFIX(group=)` names a field `group=`.
        let sign = arguments.symbol("=");
        let is_part = sign.is_some_and(|sign| sign.start == from.span.end);
        if is_part {
            from.value.push('=');
        }
        if (sign.is_some() && !is_part) || arguments.keyword("as").is_none() {
            return Err(Diagnostic::error(
                Code::EXPECTED,
                format!("expected `AS` after `{}`", from.value),
            )
            .at(from.span)
            .help("for example `rename userIdentity.arn AS arn`"));
        }
        let to = arguments.field()?;
        arguments.symbol(",");
        let span = from.span.to(to.span);
        if from.value.matches('*').count() != to.value.matches('*').count() {
            let message = format!("`{}` and `{}` must have equally many `*`", from.value, to.value);
            arguments.report(Diagnostic::error(Code::BAD_ARGUMENT, message).at(span));
        }
        if pairs.iter().any(|pair| pair.to == to.value && pair.from != from.value) {
            let message = format!("two fields are renamed to `{}`", to.value);
            arguments.report(Diagnostic::error(Code::BAD_ARGUMENT, message).at(to.span));
        }
        pairs.push(Pair { from: from.value, to: to.value, span });
    }
    if pairs.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected `<field> AS <field>`")
            .at(arguments.span()));
    }
    Ok(Box::new(Rename { pairs }))
}

impl Pair {
    fn is_wild(&self) -> bool {
        self.from.contains('*')
    }

    /// Returns the new name of the field `name`, or `None` if the pair does not rename it.
    fn renamed(&self, name: &str) -> Option<String> {
        if !self.is_wild() {
            return (name == self.from).then(|| self.to.clone());
        }
        if name.starts_with('_') && !self.from.starts_with('_') {
            return None;
        }
        let parts = wildcard_capture(&self.from, name)?;
        Some(fill(&self.to, parts)).filter(|to| to != TIME)
    }

    /// Returns the field that the pair renames to `name`, or `None` if there is no such field.
    fn origin(&self, name: &str) -> Option<String> {
        if !self.is_wild() {
            return (name == self.to).then(|| self.from.clone());
        }
        // A wildcard never sets `_time`: a member of a document may be text, and `_time` must be
        // a number.
        if name == TIME {
            return None;
        }
        let parts = wildcard_capture(&self.to, name)?;
        Some(fill(&self.from, parts))
    }
}

/// Replaces each `*` of a template by the next part.
pub(super) fn fill(template: &str, parts: Vec<String>) -> String {
    let mut parts = parts.into_iter();
    let mut filled = String::new();
    for (index, piece) in template.split('*').enumerate() {
        if index > 0 {
            filled.push_str(&parts.next().unwrap_or_default());
        }
        filled.push_str(piece);
    }
    filled
}

#[async_trait]
impl Command for Rename {
    fn needs(&self, after: Needs) -> Needs {
        self.pairs.iter().rev().fold(after, |mut needs, pair| {
            let wanted: Vec<String> = needs.fields.names.iter().cloned().collect();
            for name in wanted {
                if let Some(origin) = pair.origin(&name) {
                    needs.fields.add(&origin);
                    if !pair.is_wild() {
                        needs.fields.names.remove(&name);
                        needs.fields.add(&origin);
                        // The target is still read: if the source is missing, an existing target is
                        // removed.
                        needs.fields.add(&name);
                    }
                }
            }
            if needs.fields.is_open() {
                needs.fields.add(&pair.from);
            }
            needs
        })
    }

    fn listed(&self) -> Vec<&str> {
        self.pairs.iter().map(|pair| pair.from.as_str()).collect()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let renamed = |name: String| {
            let new: Vec<String> =
                self.pairs.iter().filter_map(|pair| pair.renamed(&name)).collect();
            if new.is_empty() { vec![name] } else { new }
        };
        before.map(|names| names.into_iter().flat_map(renamed).collect())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?;
        for pair in &self.pairs {
            plan = rename(plan, pair)
                .map_err(|error| crate::error::from_engine(&error).at(pair.span))?;
        }
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        for pair in &self.pairs {
            lineage.rename(&pair.to, &|name| pair.renamed(name));
        }
    }
}

fn rename(plan: Plan, pair: &Pair) -> datafusion::common::Result<Plan> {
    let mut columns: IndexMap<String, (Expr, Kind)> = IndexMap::new();
    let fields: Vec<(String, Kind)> =
        plan.fields().map(|(name, kind)| (name.to_owned(), kind)).collect();
    let moved: IndexMap<String, String> = fields
        .iter()
        .filter_map(|(name, _)| Some((name.clone(), pair.renamed(name)?)))
        .filter(|(from, to)| from != to)
        .collect();
    if moved.is_empty() && !pair.is_wild() && pair.from != pair.to {
        // The source does not exist, so renaming it removes an existing field with the new name.
        let kept: Vec<String> =
            fields.into_iter().map(|(name, _)| name).filter(|name| *name != pair.to).collect();
        return plan.select(&kept);
    }
    let targets: HashSet<&String> = moved.values().collect();
    for (name, kind) in &fields {
        match moved.get(name) {
            Some(to) => {
                let under = plan.kind(to).filter(|_| pair.is_wild() && !moved.contains_key(to));
                columns.insert(to.clone(), overlaid(name, *kind, to, under)?);
            }
            None if targets.contains(&name) => {}
            None => {
                columns.insert(name.clone(), (column(name), *kind));
            }
        }
    }
    plan.project(columns.into_iter().map(|(name, (expr, kind))| (name, expr, kind)).collect())
}

/// Returns the value of a renamed field: `from`, or where that is absent, the old value of `to`.
///
/// `under` is the kind of `to`, or `None` if its old value is dropped, as it always is without a
/// wildcard.
fn overlaid(
    from: &str,
    kind: Kind,
    to: &str,
    under: Option<Kind>,
) -> datafusion::common::Result<(Expr, Kind)> {
    let Some(under) = under else { return Ok((column(from), kind)) };
    let wide = kind.or(under);
    let above = convert::to_kind(column(from), kind, wide);
    let below = convert::to_kind(column(to), under, wide);
    Ok((when(column(from).is_not_null(), above).otherwise(below)?, wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_moves_nothing_onto_the_time() {
        let pair = Pair { from: "a.*".to_owned(), to: "*".to_owned(), span: Span::default() };
        assert_eq!(pair.renamed("a.b").as_deref(), Some("b"));
        assert_eq!(pair.origin("b").as_deref(), Some("a.b"));
        assert_eq!((pair.renamed("a._time"), pair.origin("_time")), (None, None));
        let pair = Pair { from: "b".to_owned(), to: "_time".to_owned(), span: Span::default() };
        assert_eq!(pair.renamed("b").as_deref(), Some("_time"));
    }
}
