//! Facts about a search that are known before it runs; each command adds its own.

use std::collections::{BTreeMap, BTreeSet};

use spilltrail_diagnostic::{Span, Spanned};
use spilltrail_eval::dotted_names;
use spilltrail_eval::functions::{self, Asks};
use spilltrail_event::fields;
use spilltrail_spl::time::{self, Modifier, parse_modifier};
use spilltrail_spl::{
    CompareOp, EvalExpr, EvalNode, Pipeline, SearchExpr, SearchLiteral, parse_search,
};

use crate::planning::predicate::{self, Position, conjuncts};
use crate::planning::stand_in::{as_written, is_filled_in};
use crate::planning::{classes, index};

/// Fields that say what an event is, where it is from, or how Splunk's configuration classifies it.
const ORIGINS: &[&str] = &[
    fields::INDEX,
    fields::SOURCETYPE,
    fields::SOURCE,
    fields::HOST,
    "eventName",
    "eventSource",
    "eventtype",
    "tag",
];

/// Facts about a search and its subsearches that are known before it runs.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The values with which leading searches compare `index`, `sourcetype` and `eventName`, by
    /// field, in lower case and with wildcards as written. Comparisons under a `NOT` are omitted.
    pub names: BTreeMap<String, BTreeSet<String>>,
    /// The comparisons of leading searches with a log index, as in `index=aws`, without those that
    /// hold for every index.
    pub log_indexes: BTreeSet<String>,
    /// The values with which leading searches compare fields that say what an event is, where it is
    /// from, or how Splunk classifies it, as written, by field. Comparisons under a `NOT` are omitted.
    pub origins: BTreeMap<String, BTreeSet<String>>,
    /// Names such as `a.b` in eval expressions, without quotes: they join the fields `a` and `b`.
    pub dotted: Vec<Spanned<String>>,
    /// The fields that leading searches compare.
    pub fields: BTreeSet<String>,
    /// The time bounds of leading searches, which override the time range of the run.
    pub times: Vec<OwnTime>,
    /// The parts, as written in SPL, that make the result depend on the current time.
    pub present: BTreeSet<String>,
    /// The names of the lookups that the search reads.
    pub lookups_read: BTreeSet<String>,
    /// The columns of lookups that the search names, with the name of each lookup.
    pub columns_read: Vec<(String, Spanned<String>)>,
    /// The names of the lookups that the search writes.
    pub lookups_written: BTreeSet<String>,
    /// The names of those of them that keep the rows that they have.
    pub lookups_extended: BTreeSet<String>,
    /// The outputs of other searches that this search reads: an index of findings, or a command
    /// with its arguments.
    pub other_outputs: BTreeSet<String>,
    /// The data models that the search reads, with the dataset of each if it names one.
    pub data_models: BTreeSet<(String, Option<String>)>,
    /// Whether a leading search asks for more than risk events, or a command reads events without
    /// one.
    pub reads_logs: bool,
    /// The depth of nested subsearches; 0 if the search has none.
    pub nesting: usize,
    /// The comparisons with event types and tags in searches that filter rows, and in expressions.
    pub(crate) classes: Vec<SearchExpr>,
    position: Position,
    nested: Vec<Nested>,
    templates: Vec<Template>,
}

/// A time bound of a leading search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnTime {
    /// A bound written in the search.
    Written {
        /// The modifier's name in lower case, such as `earliest`.
        bound: String,
        /// The modifier's value.
        modifier: String,
    },
    /// A bound that a subsearch may return.
    Returned,
}

/// A pipeline inside a command: a subsearch, or a pipeline over the rows of the outer search.
#[derive(Debug, Clone)]
pub(crate) struct Nested {
    pub(crate) pipeline: Pipeline,
    pub(crate) role: Role,
    /// The place of the quoted text that the pipeline is a part of. The pipeline's own places are those
    /// in that text.
    pub(crate) within: Option<Span>,
}

/// A text in quotes that a command runs as a search, with macros that the command expands itself.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// The text, and its place in the search.
    pub(crate) text: Spanned<String>,
    /// Reads the text without its macros, as far as that is possible before the search runs.
    pub(crate) read: fn(&str) -> Option<Pipeline>,
}

/// How the outer search uses the rows of a nested pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The rows become part of a search expression in this position.
    Expression(Position),
    /// The rows become rows or a text of the outer search.
    Rows,
    /// The pipeline takes the rows of the outer search as its input, so its first command does not
    /// search for events.
    Piped,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            fields: BTreeSet::new(),
            log_indexes: BTreeSet::new(),
            origins: BTreeMap::new(),
            dotted: Vec::new(),
            names: BTreeMap::new(),
            times: Vec::new(),
            present: BTreeSet::new(),
            lookups_read: BTreeSet::new(),
            columns_read: Vec::new(),
            lookups_written: BTreeSet::new(),
            lookups_extended: BTreeSet::new(),
            other_outputs: BTreeSet::new(),
            data_models: BTreeSet::new(),
            reads_logs: false,
            nesting: 0,
            classes: Vec::new(),
            position: Position::Later,
            nested: Vec::new(),
            templates: Vec::new(),
        }
    }
}

impl Facts {
    /// Returns true if the result may depend on the time at which the search runs.
    #[must_use]
    pub fn asks_for_present(&self) -> bool {
        !self.present.is_empty()
    }

    /// Returns true if a leading search has time bounds of its own or may get them from a
    /// subsearch. The time range of the run then does not determine which events it finds.
    #[must_use]
    pub fn has_own_times(&self) -> bool {
        !self.times.is_empty()
    }

    /// Returns the position of the command that is adding its facts.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Sets the position of the command that adds its facts next.
    pub(crate) fn stand(&mut self, position: Position) {
        self.position = position;
    }

    /// Adds a part of the search that depends on the current time.
    pub(crate) fn present(&mut self, by: impl Into<String>) {
        self.present.insert(by.into());
    }

    /// Adds a pipeline inside the command.
    pub(crate) fn nested(&mut self, pipeline: &Pipeline, role: Role) {
        self.nested.push(Nested { pipeline: pipeline.clone(), role, within: None });
    }

    /// Returns the nested pipelines that commands added since the last call.
    pub(crate) fn take_nested(&mut self) -> Vec<Nested> {
        std::mem::take(&mut self.nested)
    }

    /// Adds the pipeline of a text in quotes.
    pub(crate) fn quoted(&mut self, pipeline: Pipeline, within: Span) {
        self.nested.push(Nested { pipeline, role: Role::Rows, within: Some(within) });
    }

    /// Returns how many facts have a place so far.
    pub(crate) fn placed(&self) -> (usize, usize) {
        (self.dotted.len(), self.columns_read.len())
    }

    /// Moves the facts since `before` to the quoted text that they are in.
    pub(crate) fn place_within(&mut self, span: Span, before: (usize, usize)) {
        self.dotted[before.0..].iter_mut().for_each(|name| name.span = span);
        self.columns_read[before.1..].iter_mut().for_each(|(_, column)| column.span = span);
        self.nested.iter_mut().for_each(|nested| nested.within = Some(span));
        self.templates.iter_mut().for_each(|template| template.text.span = span);
    }

    /// Adds a text that the command runs as a search.
    pub(crate) fn template(&mut self, text: &Spanned<String>, read: fn(&str) -> Option<Pipeline>) {
        self.templates.push(Template { text: text.clone(), read });
    }

    /// Returns the texts that commands added since the last call.
    pub(crate) fn take_templates(&mut self) -> Vec<Template> {
        std::mem::take(&mut self.templates)
    }

    /// Adds that a command reads events of which nothing is known before it runs.
    pub(crate) fn unknown_events(&mut self, command: &str) {
        self.reads_logs = true;
        self.present(command);
        self.times.push(OwnTime::Returned);
    }

    /// Adds the facts of a search expression.
    pub(crate) fn search(&mut self, expression: &SearchExpr, position: Position) {
        self.times_of(expression, position);
        if position == Position::Leading {
            self.names_of(expression);
            self.reads_logs |= !index::asks_for_risk(expression);
        } else {
            self.classes.extend(classes::compared(expression));
        }
        expression.walk(&mut |part| match part {
            SearchExpr::Subsearch { value_of: Some(compared), pipeline } => {
                self.nested(pipeline, Role::Rows);
                let is_field = position == Position::Leading && !predicate::sets_bound(compared);
                self.fields.extend(is_field.then(|| compared.field.value.clone()));
            }
            SearchExpr::Subsearch { value_of: None, pipeline } => {
                self.nested(pipeline, Role::Expression(position));
            }
            SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. }
                if position == Position::Leading =>
            {
                self.fields.insert(field.value.clone());
                self.index_of(part);
            }
            _ => {}
        });
    }

    /// Adds the time bounds and subsearches of a leading expression whose fields are not those of
    /// events.
    pub(crate) fn bounds(&mut self, expression: &SearchExpr) {
        self.times_of(expression, Position::Leading);
        expression.walk(&mut |part| {
            if let SearchExpr::Subsearch { value_of, pipeline } = part {
                let role = match value_of {
                    Some(_) => Role::Rows,
                    None => Role::Expression(Position::Leading),
                };
                self.nested(pipeline, role);
            }
        });
    }

    /// Adds the facts of an eval expression.
    pub(crate) fn eval(&mut self, expr: &EvalExpr) {
        self.dotted.extend(dotted_names(expr));
        self.classes.extend(classes::compared_in_eval(expr));
        expr.walk(&mut |part| match &part.node {
            EvalNode::Subsearch(pipeline) => self.nested(pipeline, Role::Rows),
            EvalNode::Call { name, arguments } => self.call(&name.value, arguments, part.span),
            _ => {}
        });
    }

    fn call(&mut self, name: &str, arguments: &[EvalExpr], span: Span) {
        let Some(function) = functions::find(name) else { return };
        let text = match arguments.first().map(|argument| &argument.node) {
            Some(EvalNode::Text(text)) => Some(text),
            _ => None,
        };
        match (function.asks, text) {
            (Asks::Present, _) => self.present(format!("{}()", function.doc.name)),
            (Asks::Lookup, Some(table)) => {
                self.lookups_read.insert(table.clone());
            }
            (Asks::Search, Some(text)) => {
                if let Ok(expression) = parse_search(text) {
                    let before = self.classes.len();
                    self.search(&expression, Position::Later);
                    // The text of the search is not a part of this one.
                    self.classes[before..].iter_mut().for_each(|part| classes::put(part, span));
                }
            }
            // Compiling the expression fails if these have no literal argument.
            (Asks::Lookup | Asks::Search, None) | (Asks::Nothing, _) => {}
        }
    }

    /// Adds a comparison of `index` with the name or pattern of log indexes.
    fn index_of(&mut self, comparison: &SearchExpr) {
        let (field, op, values) = match comparison {
            SearchExpr::Compare { field, op, value } => (field, *op, std::slice::from_ref(value)),
            SearchExpr::In { field, values } => (field, CompareOp::Eq, values.as_slice()),
            _ => return,
        };
        if field.value != fields::INDEX {
            return;
        }
        let sign = if op == CompareOp::Ne { "!=" } else { "=" };
        for value in values {
            let name = &value.value.text;
            if !index::is_splunks_own(name) && name.bytes().any(|byte| byte != b'*') {
                self.log_indexes.insert(format!("index{sign}{name}"));
            }
        }
    }

    /// Adds the values with which the expression compares `index`, `sourcetype` and `eventName`.
    fn names_of(&mut self, expression: &SearchExpr) {
        match expression {
            SearchExpr::Not(_) => {}
            SearchExpr::Compare { field, op: CompareOp::Eq, value } => {
                self.name(&field.value, std::slice::from_ref(value));
            }
            SearchExpr::In { field, values } => self.name(&field.value, values),
            other => other.children().iter().for_each(|child| self.names_of(child)),
        }
    }

    fn name(&mut self, field: &str, values: &[Spanned<SearchLiteral>]) {
        // The rows may have any value.
        if values.iter().any(|value| is_filled_in(&value.value.text)) {
            return;
        }
        if ORIGINS.contains(&field) {
            let written = values.iter().map(|value| value.value.text.clone());
            self.origins.entry(field.to_owned()).or_default().extend(written);
        }
        if !["index", "sourcetype", "eventName"].contains(&field) {
            return;
        }
        for value in values {
            let value = value.value.text.to_ascii_lowercase();
            if field == "index" && index::OF_FINDINGS.contains(&value.as_str()) {
                self.other_outputs.insert(format!("index={value}"));
            }
            self.names.entry(field.to_owned()).or_default().insert(value);
        }
    }

    /// Adds the time bounds; the bounds in one conjunction form one range.
    fn times_of(&mut self, expression: &SearchExpr, position: Position) {
        let single = [expression];
        let parts = match expression {
            SearchExpr::And(parts) => conjuncts(parts),
            _ => single.to_vec(),
        };
        let (mut starts, mut ends) = (false, false);
        for part in parts {
            match part {
                SearchExpr::Time { bound, modifier } => {
                    let (bound, modifier) = (&bound.value, &modifier.value);
                    match self.bound(bound, modifier) {
                        Some(true) => starts = true,
                        Some(false) => ends = true,
                        None => {}
                    }
                    if position == Position::Leading {
                        let (bound, modifier) = (bound.clone(), as_written(modifier));
                        self.times.push(OwnTime::Written { bound, modifier });
                    }
                }
                other => other.children().iter().for_each(|child| self.times_of(child, position)),
            }
        }
        if starts && !ends {
            // Without `latest`, the range ends at the current time.
            self.present("`earliest` without `latest`");
        }
    }

    /// Adds a time bound. Returns true for an earliest bound, false for a latest one, and `None` if
    /// the modifier sets no bound.
    fn bound(&mut self, bound: &str, modifier: &str) -> Option<bool> {
        let written = format!("{bound}={modifier}");
        if let Some(end) = ["earliest", "latest"].iter().find(|end| bound.ends_with(**end)) {
            match parse_modifier(modifier) {
                Ok(Modifier::Unbounded) | Err(_) => return None,
                Ok(Modifier::Now | Modifier::Relative(_)) => self.present(written),
                Ok(Modifier::Epoch(_) | Modifier::Local(_)) => {}
            }
            return Some(*end == "earliest");
        }
        let (is_earliest, instant) = time::deprecated(bound, modifier, 0.0)?;
        // If another `now` gives another instant, the modifier depends on the current time.
        if time::deprecated(bound, modifier, 1.0) != Some((is_earliest, instant)) {
            self.present(written);
        }
        Some(is_earliest)
    }
}
