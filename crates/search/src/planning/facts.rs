//! What is known of a search before it runs: each command adds what it knows.

use std::collections::{BTreeMap, BTreeSet};

use spilltrail_diagnostic::Spanned;
use spilltrail_eval::functions::{self, Asks};
use spilltrail_spl::time::{self, Modifier, parse_modifier};
use spilltrail_spl::{
    CompareOp, EvalExpr, EvalNode, Pipeline, SearchExpr, SearchLiteral, parse_search,
};

use crate::planning::predicate::{Position, conjuncts};

/// Indexes that hold what other searches found.
const INDEXES_OF_FINDINGS: &[&str] = &["risk", "notable"];

/// What is known of a search before it runs, its subsearches included.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What the leading searches compare `index`, `sourcetype` and `eventName` with, in lower case,
    /// wildcards as written; not what stands under a `NOT`.
    pub names: BTreeMap<String, BTreeSet<String>>,
    /// The bounds of time that leading searches have, which go before the range of the run.
    pub times: Vec<OwnTime>,
    /// What makes the result depend on the present, as a user would write it.
    pub present: BTreeSet<String>,
    /// Lookups that are read, as they are named.
    pub lookups_read: BTreeSet<String>,
    /// Lookups that are written, as they are named.
    pub lookups_written: BTreeSet<String>,
    /// Outputs of other searches that are read: an index of findings, or what a command names.
    pub other_outputs: BTreeSet<String>,
    /// How deep subsearches are nested; 0 without any.
    pub nesting: usize,
    position: Position,
    nested: Vec<Nested>,
}

/// A bound of time that a leading search has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnTime {
    /// One that is written.
    Written {
        /// The modifier's name in lower case, such as `earliest`.
        bound: String,
        /// Its value.
        modifier: String,
    },
    /// One that a subsearch may return.
    Returned,
}

/// A subsearch, or a pipeline on rows that are there.
#[derive(Debug, Clone)]
pub(crate) struct Nested {
    pub(crate) pipeline: Pipeline,
    pub(crate) role: Role,
}

/// What becomes of the rows of a nested pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// They become an expression of a search in this position.
    Expression(Position),
    /// They become rows or a text of the search around.
    Rows,
    /// They are made of the rows of the search around: the pipeline does not begin by finding events.
    Piped,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            names: BTreeMap::new(),
            times: Vec::new(),
            present: BTreeSet::new(),
            lookups_read: BTreeSet::new(),
            lookups_written: BTreeSet::new(),
            other_outputs: BTreeSet::new(),
            nesting: 0,
            position: Position::Later,
            nested: Vec::new(),
        }
    }
}

impl Facts {
    /// Returns true if the result may depend on when the search runs.
    #[must_use]
    pub fn asks_for_present(&self) -> bool {
        !self.present.is_empty()
    }

    /// Returns true if a leading search has, or may get, bounds of time of its own, so that the range
    /// of the run does not say which events it finds.
    #[must_use]
    pub fn has_own_times(&self) -> bool {
        !self.times.is_empty()
    }

    /// Returns where the command that adds its facts stands.
    pub(crate) fn position(&self) -> Position {
        self.position
    }

    /// Says where the command stands that adds its facts next.
    pub(crate) fn stand(&mut self, position: Position) {
        self.position = position;
    }

    /// Adds something that depends on the present.
    pub(crate) fn present(&mut self, by: impl Into<String>) {
        self.present.insert(by.into());
    }

    /// Adds a pipeline inside the command.
    pub(crate) fn nested(&mut self, pipeline: &Pipeline, role: Role) {
        self.nested.push(Nested { pipeline: pipeline.clone(), role });
    }

    /// Returns the pipelines that commands added since this was called last.
    pub(crate) fn take_nested(&mut self) -> Vec<Nested> {
        std::mem::take(&mut self.nested)
    }

    /// Adds what is known of a search expression.
    pub(crate) fn search(&mut self, expression: &SearchExpr, position: Position) {
        self.times_of(expression, position);
        if position == Position::Leading {
            self.names_of(expression);
        }
        expression.walk(&mut |part| {
            if let SearchExpr::Subsearch(pipeline) = part {
                self.nested(pipeline, Role::Expression(position));
            }
        });
    }

    /// Adds what is known of an eval expression.
    pub(crate) fn eval(&mut self, expr: &EvalExpr) {
        expr.walk(&mut |part| match &part.node {
            EvalNode::Subsearch(pipeline) => self.nested(pipeline, Role::Rows),
            EvalNode::Call { name, arguments } => self.call(&name.value, arguments),
            _ => {}
        });
    }

    fn call(&mut self, name: &str, arguments: &[EvalExpr]) {
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
                    self.search(&expression, Position::Later);
                }
            }
            // Without a literal these are refused when the expression is compiled.
            (Asks::Lookup | Asks::Search, None) | (Asks::Nothing, _) => {}
        }
    }

    /// Adds the values of the fields that say where events come from and what they are.
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
        if !["index", "sourcetype", "eventName"].contains(&field) {
            return;
        }
        for value in values {
            let value = value.value.text.to_ascii_lowercase();
            if field == "index" && INDEXES_OF_FINDINGS.contains(&value.as_str()) {
                self.other_outputs.insert(format!("index={value}"));
            }
            self.names.entry(field.to_owned()).or_default().insert(value);
        }
    }

    /// Adds the bounds of time; those of one conjunction belong together.
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
                        let (bound, modifier) = (bound.clone(), modifier.clone());
                        self.times.push(OwnTime::Written { bound, modifier });
                    }
                }
                other => other.children().iter().for_each(|child| self.times_of(child, position)),
            }
        }
        if starts && !ends {
            // Such a search ends now.
            self.present("`earliest` without `latest`");
        }
    }

    /// Adds a bound of time, and returns whether it is the earliest; `None` if it sets no bound.
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
        // Those that count back from now move with it.
        if time::deprecated(bound, modifier, 1.0) != Some((is_earliest, instant)) {
            self.present(written);
        }
        Some(is_earliest)
    }
}
