//! `foreach`: runs a template of commands for each of several fields, or for each value of a field.

mod program;
mod template;

use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_spl::{Arguments, Assignment, EvalNode, MAX_COMMANDS, Pipeline};

use self::program::{Collection, Program};
use self::template::{ITEM, ITER, Texts, Tokens};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use super::{pipeline, subsearch};
use crate::lineage::Lineage;
use crate::operators::{Codec, Derive};
use crate::planning::eval;
use crate::planning::facts::{Facts, Role};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "foreach",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Run commands for each of several fields, or for each value of one field.",
    syntax: "foreach [mode=multifield|multivalue|json_array|auto_collections] <field> … [fieldstr=<text>] [matchstr=<text>] [matchseg1=<text>] [matchseg2=<text>] [matchseg3=<text>] [itemstr=<text>] [iterstr=<text>] [<commands>]",
    arguments: &[
        Argument::option(
            "mode",
            Takes::OneOf(&["multifield", "multivalue", "json_array", "auto_collections"]),
        )
        .default("multifield")
        .doc("What to repeat the commands for: each field (`multifield`), each member of a multivalue, each element of a JSON array, or each value of either (`auto_collections`)."),
        Argument::positional("field", Takes::Fields).doc(
            "The fields; names may have wildcards, and names without wildcards need not exist. In the modes for values: one field.",
        ),
        Argument::option("fieldstr", Takes::Text)
            .default("<<FIELD>>")
            .doc("The text that stands for the name of the field."),
        Argument::option("matchstr", Takes::Text)
            .default("<<MATCHSTR>>")
            .doc("The text that stands for what the wildcards match."),
        Argument::option("matchseg1", Takes::Text)
            .default("<<MATCHSEG1>>")
            .doc("The text that stands for what the first wildcard matches."),
        Argument::option("matchseg2", Takes::Text)
            .default("<<MATCHSEG2>>")
            .doc("The text that stands for what the second wildcard matches."),
        Argument::option("matchseg3", Takes::Text)
            .default("<<MATCHSEG3>>")
            .doc("The text that stands for what the third wildcard matches."),
        Argument::option("itemstr", Takes::Text)
            .default("<<ITEM>>")
            .doc("The text that stands for the value."),
        Argument::option("iterstr", Takes::Text)
            .default("<<ITER>>")
            .doc("The text that stands for the index of the value, from 0."),
        Argument::positional("commands", Takes::Subsearch).doc(
            "The commands: streaming ones such as `eval`, and one `eval` in the modes for values.",
        ),
    ],
    examples: &[
        Example {
            title: "The total of some fields",
            events: r#"{"in_a":"1","in_b":"2","out":"9"}"#,
            search: "| eval total=0 | foreach in_* [eval total=total+'<<FIELD>>'] | table total",
            results: r#"{"total":3}"#,
        },
        Example {
            title: "A new field for each pair of fields",
            events: r#"{"now_cpu":"90","was_cpu":"30"}"#,
            search: "| foreach now_* [eval more_<<MATCHSTR>>='<<FIELD>>'-'was_<<MATCHSTR>>'] | table more_*",
            results: r#"{"more_cpu":60}"#,
        },
        Example {
            title: "Other words for the name and its parts",
            events: r#"{"a1b2":"5"}"#,
            search: "| foreach a*b* fieldstr=NAME matchstr=BOTH matchseg1=ONE matchseg2=TWO matchseg3=REST [eval NAME=NAME.\"-ONE-TWO-BOTHREST\"]",
            results: r#"{"a1b2":"5-1-2-12"}"#,
        },
        Example {
            title: "Each member of a multivalue",
            events: r#"{"size":["5","15"]}"#,
            search: "| foreach mode=multivalue size itemstr=ONE iterstr=AT [eval last=ONE, place=AT]",
            results: r#"{"size":["5","15"],"last":"15","place":1}"#,
        },
        Example {
            title: "Each element of a JSON array",
            events: r#"{"sizes":"[1,2,4]"}"#,
            search: "| eval total=0 | foreach sizes mode=json_array [eval total=total+<<ITEM>>] | table total",
            results: r#"{"total":7}"#,
        },
    ],
    differs: &[
        "A field that matches several names of the list is used once.",
        "A wildcard at the beginning does not match fields whose name begins with `_`.",
        "What several wildcards match is joined for `<<MATCHSTR>>`.",
        "A name that is filled in stays a name, whatever characters it has: outside of quotes, too, `<<FIELD>>` is the field `a.b` or `a b`. In templates with other commands than `eval`, a field whose name needs quotes is left out with a warning if the token has none.",
        "In quotes, `<<ITEM>>` is the text of the value; it cannot be a part of a field's name.",
        "In the mode `json_array`, a value that is no array has no elements.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Program>("foreach");

#[derive(Debug)]
enum ForEach {
    /// For each field.
    Fields(Box<Fields>),
    /// For each value of a field.
    Values { field: String, over: Collection, assignments: Vec<Assignment> },
}

/// A template for each of several fields.
#[derive(Debug)]
struct Fields {
    /// The names and patterns in the list.
    patterns: Vec<String>,
    tokens: Tokens,
    template: Spanned<String>,
    /// The template for a field that the first name or pattern may match.
    sample: Pipeline,
    /// The assignments of the template with markers for its tokens, if it has no other commands than
    /// `eval`.
    assignments: Option<Vec<Assignment>>,
}

/// The options with the tokens for a field's name and its parts.
const NAME_TOKENS: [&str; 5] = ["fieldstr", "matchstr", "matchseg1", "matchseg2", "matchseg3"];
/// The options with the tokens for a value and its place.
const VALUE_TOKENS: [&str; 2] = ["itemstr", "iterstr"];

/// How many `foreach` may be inside one.
const MOST_INSIDE: usize = 8;

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields: Vec<Spanned<String>> = Vec::new();
    let mut template: Option<Spanned<String>> = None;
    while arguments.more() {
        if template.is_some() {
            arguments.finish()?;
        }
        match arguments.bracketed() {
            Some(text) => {
                template = Some(text.map(|it| Spanned::new(it.value.to_owned(), it.span))?);
            }
            None => fields.extend(arguments.fields()?),
        }
    }
    let missing = |what: &str| {
        Diagnostic::error(Code::MISSING_ARGUMENT, format!("expected {what}"))
            .at(arguments.span())
            .help("for example `foreach bytes_* [eval total=total+'<<FIELD>>']`")
    };
    let first = fields.first().ok_or_else(|| missing("a field"))?.clone();
    let template = template.ok_or_else(|| missing("commands in square brackets"))?;
    // Each level is read for the levels around it, too.
    if template.value.matches("foreach").count() > MOST_INSIDE {
        let message = format!("`foreach` has more than {MOST_INSIDE} others inside");
        return Err(Diagnostic::error(Code::TOO_DEEP, message).at(template.span));
    }
    for argument in NAME_TOKENS.into_iter().chain(VALUE_TOKENS) {
        let Some(given) = arguments.given::<String>(argument) else { continue };
        if given.value.is_empty() {
            let message = format!("expected a text for `{argument}`, found none");
            let error = Diagnostic::error(Code::BAD_OPTION, message).at(given.span);
            return Err(
                error.help("for example `itemstr=ITEM`; leave the option out for its default")
            );
        }
    }
    let text = |name| arguments.value::<String>(name);
    let tokens = Tokens { name: NAME_TOKENS.map(text), value: VALUE_TOKENS.map(text) };
    let over = match arguments.value("mode") {
        "multivalue" => Some(Collection::Members),
        "json_array" => Some(Collection::Elements),
        "auto_collections" => Some(Collection::Either),
        _ => None,
    };
    let Some(over) = over else {
        for name in VALUE_TOKENS {
            arguments.without_effect(name, "it is about the values of a field");
        }
        let patterns = fields.into_iter().map(|field| field.value).collect();
        return Ok(Box::new(ForEach::Fields(Box::new(Fields::new(patterns, tokens, template)?))));
    };
    for name in NAME_TOKENS {
        arguments.without_effect(name, "the mode is about the values of one field");
    }
    if let Some(second) = fields.get(1) {
        let message = format!("expected one field for this mode, found `{}` too", second.value);
        arguments.report(
            Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(second.span)
                .help("use one `foreach` for each field"),
        );
    }
    let assignments = tokens.assignments(&template)?;
    Ok(Box::new(ForEach::Values { field: first.value, over, assignments }))
}

impl Fields {
    fn new(
        patterns: Vec<String>,
        tokens: Tokens,
        template: Spanned<String>,
    ) -> Result<Self, Diagnostic> {
        let first = patterns.first().cloned().unwrap_or_default();
        let texts = Texts::sample(&first);
        // The name that the list begins with may be odd; another one then shows what the template is.
        let text = tokens
            .filled(&template.value, &texts)
            .or_else(|| tokens.filled(&template.value, &Texts::sample("*")));
        let text = text.unwrap_or_default();
        let sample = template::parsed(&text, template.span)?;
        for written in &sample.commands {
            let Some(entry) = super::command(&written.name.value) else {
                return Err(super::unknown(&written.name.value, template.span));
            };
            let kind = entry.doc.kind;
            if kind != CommandKind::DistributableStreaming
                && kind != CommandKind::CentralizedStreaming
            {
                return Err(not_streaming(&written.name.value, template.span));
            }
            let (_, reported) = entry.read(written);
            if let Some(wrong) = reported
                .into_iter()
                .find(|one| one.severity > spilltrail_diagnostic::Severity::Warning)
            {
                return Err(template::within(wrong, &text, template.span));
            }
        }
        let assignments = match assignments(&sample, template.span)? {
            Some(_) => template::parsed(&tokens.marked(&template.value), template.span)
                .and_then(|marked| assignments(&marked, template.span))
                .unwrap_or_default(),
            None => None,
        };
        Ok(Self { patterns, tokens, template, sample, assignments })
    }

    /// Returns the template for one field, or `None` if its name would add to the commands.
    fn filled(&self, texts: &Texts) -> Option<Pipeline> {
        let text = self.tokens.filled(&self.template.value, texts)?;
        let filled = template::parsed(&text, self.template.span).ok()?;
        let names = |pipeline: &Pipeline| -> Vec<String> {
            pipeline.commands.iter().map(|command| command.name.value.clone()).collect()
        };
        (names(&filled) == names(&self.sample)).then_some(filled)
    }

    /// Returns the names of the fields that the template reads for the fields that match a pattern,
    /// as patterns where they depend on the field.
    fn reads(&self, pattern: &str, after: &Needs) -> Vec<String> {
        let names: Vec<String> = match &self.assignments {
            Some(assignments) => {
                assignments.iter().flat_map(|one| eval::field_names(&one.value)).collect()
            }
            None => {
                let marked = self.tokens.marked(&self.template.value);
                let marked = template::parsed(&marked, self.template.span);
                let Ok(marked) = marked else { return Vec::new() };
                match pipeline::needs_of(&marked, after.clone()) {
                    Ok(needs) => {
                        needs.fields.names.into_iter().chain(needs.fields.patterns).collect()
                    }
                    Err(_) => Vec::new(),
                }
            }
        };
        names.iter().map(|name| template::unmarked(name, pattern)).collect()
    }

    fn needs(&self, after: Needs) -> Needs {
        let mut needs = after.clone().and(&self.patterns);
        for pattern in &self.patterns {
            needs = needs.and(self.reads(pattern, &after));
        }
        if self.assignments.is_none() {
            let order = pipeline::needs_of(&self.sample, after).map(|needs| needs.order);
            needs.order |= order.unwrap_or(true);
        }
        needs
    }

    /// Returns the fields of the list, each with the pattern that it matches.
    fn fields<'a>(&'a self, plan: &Plan) -> IndexMap<String, &'a str> {
        let mut fields: IndexMap<String, &str> = IndexMap::new();
        for pattern in &self.patterns {
            let names =
                if pattern.contains('*') { plan.covered(pattern) } else { vec![pattern.clone()] };
            for name in names {
                fields.entry(name).or_insert(pattern);
            }
        }
        fields
    }

    async fn plan(&self, mut plan: Plan, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let fields = self.fields(&plan);
        let fields = fields.iter().map(|(name, pattern)| Texts::of(pattern, name));
        if let Some(marked) = &self.assignments {
            let mut all = Vec::new();
            for texts in fields {
                all.extend(texts.assignments(marked, self.template.span)?);
            }
            return planned(plan, &all, None, stage).await;
        }
        let mut pipelines = Vec::new();
        for texts in fields {
            match self.filled(&texts) {
                Some(filled) => pipelines.push(filled),
                None => stage.context.observations.message(self.left_out(texts.name())),
            }
        }
        let commands: usize = pipelines.iter().map(|pipeline| pipeline.commands.len()).sum();
        if commands > MAX_COMMANDS {
            let message = format!(
                "`foreach` becomes {commands} commands for {} fields; at most {MAX_COMMANDS} are supported",
                pipelines.len()
            );
            return Err(Diagnostic::error(Code::TOO_DEEP, message)
                .at(stage.span)
                .help("name fewer fields, or use only `eval` in the template"));
        }
        let needs = self.needs(stage.after.clone());
        for pipeline in &pipelines {
            plan = pipeline::plan_on(plan, pipeline, stage.context, needs.clone())
                .await
                .map_err(subsearch::first)
                .map_err(|diagnostic| template::within(diagnostic, "", self.template.span))?;
        }
        Ok(plan)
    }

    /// Returns the warning about a field whose name cannot be filled in.
    fn left_out(&self, name: &str) -> Diagnostic {
        let shown: String = name.chars().take(80).collect();
        let message = format!("`foreach` leaves out the field `{shown}`, whose name needs quotes");
        Diagnostic::warning(Code::LEFT_OUT, message)
            .at(self.template.span)
            .help("put the token in quotes: `'<<FIELD>>'` in conditions, `\"<<FIELD>>\"` elsewhere")
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        let marked = self.assignments.as_ref()?;
        let covers = spilltrail_event::fields::covers;
        for pattern in &self.patterns {
            let matched: Vec<String> = if pattern.contains('*') {
                names.iter().filter(|name| covers(pattern, name)).cloned().collect()
            } else {
                vec![pattern.clone()]
            };
            for name in matched {
                let texts = Texts::of(pattern, &name);
                let assignments = texts.assignments(marked, self.template.span).ok()?;
                names.extend(assignments.into_iter().map(|assignment| assignment.target.value));
            }
        }
        Some(names)
    }

    fn trace(&self, lineage: &mut Lineage) {
        let Some(assignments) = &self.assignments else { return };
        for pattern in &self.patterns {
            for Assignment { target, value } in assignments {
                let target = template::unmarked(&target.value, pattern);
                let reads = eval::field_names(value);
                let reads: Vec<String> =
                    reads.iter().map(|name| template::unmarked(name, pattern)).collect();
                // A field that is computed from itself stays what it was.
                let others = reads.iter().filter(|read| **read != target);
                let is_measured = eval::differs_between_runs(value)
                    || others.clone().any(|read| read.contains('*') || lineage.is_measure(read));
                if is_measured {
                    lineage.measure([target]);
                } else if !target.contains('*') {
                    lineage.assign(&target, &reads);
                }
            }
        }
    }
}

/// Returns the assignments of a template that has only `eval`, without subsearches, each to a field
/// whose name does not depend on a value.
fn assignments(pipeline: &Pipeline, span: Span) -> Result<Option<Vec<Assignment>>, Diagnostic> {
    let mut all = Vec::new();
    for written in &pipeline.commands {
        if written.name.value != "eval" {
            return Ok(None);
        }
        all.extend(template::assigned(written, span)?);
    }
    let is_plain = |Assignment { target, value }: &Assignment| {
        let mut has_subsearch = false;
        value.walk(&mut |expr| has_subsearch |= matches!(expr.node, EvalNode::Subsearch(_)));
        !target.value.contains('{') && !has_subsearch
    };
    Ok(all.iter().all(is_plain).then_some(all))
}

fn not_streaming(name: &str, span: Span) -> Diagnostic {
    let message = format!("`{name}` cannot be in a template of `foreach`");
    Diagnostic::error(Code::BAD_ARGUMENT, message).at(span).help(
        "a template has commands that pass rows on one by one, such as `eval`, `rex` and `where`",
    )
}

/// Adds the assignments to a plan as one step.
async fn planned(
    plan: Plan,
    assignments: &[Assignment],
    over: Option<(&str, Collection)>,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    let mut spliced = Vec::with_capacity(assignments.len());
    for Assignment { target, value } in assignments {
        let mut has_subsearch = false;
        value.walk(&mut |expr| has_subsearch |= matches!(expr.node, EvalNode::Subsearch(_)));
        let value = if has_subsearch {
            subsearch::splice(value, subsearch::Spliced::Value, stage.context).await?
        } else {
            value.clone()
        };
        spliced.push(Assignment { target: target.clone(), value });
    }
    if spliced.is_empty() {
        return Ok(plan);
    }
    let compiled = program::compile(&spliced, over, &plan, stage.context)?;
    Ok(Derive::on(plan, compiled.inputs, compiled.outputs, Arc::new(compiled.program)))
}

/// Returns the names that the assignments read, without those that stand for a value.
fn read_by(assignments: &[Assignment]) -> impl Iterator<Item = String> {
    let names = assignments.iter().flat_map(|assignment| eval::field_names(&assignment.value));
    names.filter(|name| name != ITEM && name != ITER)
}

#[async_trait]
impl Command for ForEach {
    fn parts(&self) -> Parts<'_> {
        let assignments = match self {
            Self::Fields(fields) => match &fields.assignments {
                Some(assignments) => assignments,
                None => {
                    return Parts { pipelines: vec![&fields.sample], ..Parts::default() };
                }
            },
            Self::Values { assignments, .. } => assignments,
        };
        let values = assignments.iter().map(|assignment| &assignment.value).collect();
        Parts { values, ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        match self {
            Self::Fields(fields) => fields.needs(after),
            Self::Values { field, assignments, .. } => after.and([field]).and(read_by(assignments)),
        }
    }

    fn facts(&self, facts: &mut Facts) {
        match self {
            Self::Fields(fields) if fields.assignments.is_none() => {
                facts.nested(&fields.sample, Role::Piped);
            }
            _ => self.parts().add_facts(facts),
        }
    }

    fn reads(&self) -> Vec<String> {
        match self {
            Self::Fields(_) => Vec::new(),
            Self::Values { field, .. } => vec![field.clone()],
        }
    }

    fn listed(&self) -> Vec<&str> {
        match self {
            Self::Fields(fields) => fields.patterns.iter().map(String::as_str).collect(),
            Self::Values { .. } => Vec::new(),
        }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        match self {
            Self::Fields(fields) => fields.output(before),
            Self::Values { assignments, .. } => {
                let mut names = before?;
                names.extend(assignments.iter().map(|assignment| assignment.target.value.clone()));
                Some(names)
            }
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        match self {
            Self::Fields(fields) => fields.plan(input, stage).await,
            Self::Values { field, over, assignments } => {
                planned(input, assignments, Some((field, *over)), stage).await
            }
        }
    }

    fn trace(&self, lineage: &mut Lineage) {
        match self {
            Self::Fields(fields) => fields.trace(lineage),
            Self::Values { field, assignments, .. } => {
                for Assignment { target, value } in assignments {
                    if eval::differs_between_runs(value) {
                        lineage.measure([target.value.clone()]);
                        continue;
                    }
                    let reads: Vec<String> = read_by(std::slice::from_ref(&Assignment {
                        target: target.clone(),
                        value: value.clone(),
                    }))
                    .chain([field.clone()])
                    .collect();
                    lineage.assign(&target.value, &reads);
                }
            }
        }
    }
}
