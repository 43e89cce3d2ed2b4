//! What commands do to fields, as far as their text tells.

use spilltrail_diagnostic::{Span, Spanned};

use crate::{
    Aggregate, AggregateArgument, Arguments, Command, CompareOp, EvalExpr, EvalNode, Pipeline,
    SearchExpr,
};

/// A field that a command reads or makes, with its place.
pub(super) type Place = Spanned<String>;

/// What a command does to fields.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// The fields that it reads.
    pub(super) reads: Vec<Place>,
    /// The fields that it makes, with the expressions that they get.
    pub(super) makes: Vec<(Place, Option<EvalExpr>)>,
    /// The fields that it renames, with their new names.
    pub(super) renames: Vec<(Place, Place)>,
    /// Whether its rows have only the fields that it makes.
    pub(super) closes: bool,
    /// Whether it may do more than this tells.
    pub(super) is_unknown: bool,
}

/// Commands that neither make nor remove fields, and whose reads are of no interest.
const QUIET: &[&str] = &[
    "bin",
    "bucket",
    "convert",
    "fieldformat",
    "head",
    "makemv",
    "mvcombine",
    "mvexpand",
    "nomv",
    "outputlookup",
    "regex",
    "replace",
    "reverse",
    "tail",
];

impl Effect {
    /// Returns the effect of a command. One that cannot be read may do anything.
    pub(super) fn of(command: &Command) -> Self {
        Self::read(command).unwrap_or(Self { is_unknown: true, ..Self::default() })
    }

    fn read(command: &Command) -> Option<Self> {
        let mut arguments = Arguments::new(command);
        let mut effect = Self::default();
        match command.name.value.as_str() {
            "search" => effect.reads_search(&arguments.search().ok()?),
            "where" => effect.reads_eval(&arguments.eval().ok()?),
            "eval" => {
                for assigned in arguments.assignments().ok()? {
                    effect.reads_eval_beside(&assigned.value);
                    effect.is_unknown |= assigned.target.value.contains('{');
                    effect.makes.push((assigned.target, Some(assigned.value)));
                }
            }
            "rename" => effect.renames = renames(&mut arguments)?,
            "fields" | "table" => {
                if arguments.symbol("-").is_some() {
                    return None;
                }
                arguments.symbol("+");
                let listed = arguments.fields().ok()?;
                effect.is_unknown = listed.iter().any(|field| field.value.contains('*'));
                effect.reads.clone_from(&listed);
            }
            "dedup" => {
                arguments.integer();
                let fields = arguments.fields_until(&["sortby"]).ok()?;
                effect.reads = fields.into_iter().filter(|f| !f.value.contains('=')).collect();
            }
            "stats" | "eventstats" | "streamstats" => {
                while arguments.any_option().is_some() {}
                let stats = arguments.stats().ok()?;
                effect.closes = command.name.value == "stats";
                stats.aggregates.iter().for_each(|aggregate| effect.aggregate(aggregate));
                effect.reads.extend(stats.by.iter().cloned());
                if effect.closes {
                    effect.makes.extend(stats.by.into_iter().map(|field| (field, None)));
                }
            }
            name if QUIET.contains(&name) => {}
            _ => return None,
        }
        Some(effect)
    }

    fn aggregate(&mut self, aggregate: &Aggregate) {
        match &aggregate.argument {
            Some(AggregateArgument::Field(field)) => {
                self.is_unknown |= field.value.contains('*');
                self.reads.push(field.clone());
            }
            Some(AggregateArgument::Eval(expression)) => self.reads_eval(expression),
            None => {}
        }
        self.makes.push((aggregate.output.clone(), None));
    }

    fn reads_search(&mut self, expression: &SearchExpr) {
        expression.walk(&mut |part| {
            if let SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } = part {
                self.reads.push(field.clone());
            }
        });
    }

    fn reads_eval(&mut self, expression: &EvalExpr) {
        self.reads.extend(fields_of(expression));
    }

    /// Adds the fields of an expression that no assignment before it makes.
    fn reads_eval_beside(&mut self, expression: &EvalExpr) {
        let is_made = |field: &Place| self.makes.iter().any(|(made, _)| made.value == field.value);
        let read: Vec<Place> = fields_of(expression).into_iter().filter(|f| !is_made(f)).collect();
        self.reads.extend(read);
    }
}

/// Returns the fields that an expression reads, with their places.
fn fields_of(expression: &EvalExpr) -> Vec<Place> {
    let mut fields = Vec::new();
    expression.walk(&mut |part| {
        if let EvalNode::Field(name) = &part.node {
            fields.push(Spanned::new(name.clone(), part.span));
        }
    });
    fields
}

/// Returns the pairs of a `rename`; `None` with a wildcard, which can rename any field.
fn renames(arguments: &mut Arguments<'_>) -> Option<Vec<(Place, Place)>> {
    let mut pairs = Vec::new();
    while !arguments.is_empty() {
        let from = arguments.field().ok()?;
        arguments.keyword("as")?;
        let to = arguments.field().ok()?;
        arguments.symbol(",");
        if from.value.contains('*') {
            return None;
        }
        pairs.push((from, to));
    }
    Some(pairs)
}

/// Returns the expression of the leading search of a pipeline.
pub(super) fn leading(pipeline: &Pipeline) -> Option<SearchExpr> {
    let first = pipeline.commands.first().filter(|_| !pipeline.leading_pipe)?;
    (first.name.value == "search").then(|| Arguments::new(first).search().ok())?
}

/// Returns true if an expression picks events of CloudTrail.
pub(super) fn is_of_cloudtrail(expression: &SearchExpr) -> bool {
    expression.any(&|part| match part {
        SearchExpr::Compare { field, op: CompareOp::Eq, value } => {
            let value = value.value.text.to_ascii_lowercase();
            match field.value.as_str() {
                "sourcetype" => value.starts_with("aws:cloudtrail"),
                "eventSource" => value.ends_with(".amazonaws.com"),
                _ => false,
            }
        }
        _ => false,
    })
}

/// Returns the parts that an expression joins by AND, without those in other brackets.
pub(super) fn conjuncts(expression: &SearchExpr) -> Vec<&SearchExpr> {
    let mut parts = Vec::new();
    let mut waiting = vec![expression];
    while let Some(part) = waiting.pop() {
        match part {
            SearchExpr::And(inner) => waiting.extend(inner.iter().rev()),
            part => parts.push(part),
        }
    }
    parts
}

/// Returns the values of which a part requires one in a field, with the place of the first.
pub(super) fn values<'a>(part: &'a SearchExpr, name: &str) -> Option<(Vec<&'a str>, Span)> {
    match part {
        SearchExpr::Compare { field, op: CompareOp::Eq, value } if field.value == name => {
            Some((vec![value.value.text.as_str()], value.span))
        }
        SearchExpr::In { field, values } if field.value == name => {
            let span = values.first().map_or(field.span, |value| value.span);
            Some((values.iter().map(|value| value.value.text.as_str()).collect(), span))
        }
        SearchExpr::Or(parts) => {
            let mut all = Vec::new();
            let mut first = None;
            for part in parts {
                let (found, span) = values_of(part, name)?;
                all.extend(found);
                first.get_or_insert(span);
            }
            Some((all, first?))
        }
        _ => None,
    }
}

fn values_of<'a>(part: &'a SearchExpr, name: &str) -> Option<(Vec<&'a str>, Span)> {
    match part {
        SearchExpr::And(parts) => parts.iter().find_map(|part| values(part, name)),
        part => values(part, name),
    }
}
