//! A search being planned: a DataFusion logical plan and the SPL kinds of its columns.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::{Column, DataFusionError, plan_datafusion_err, plan_err};
use datafusion::logical_expr::{Expr, Extension, Filter, Limit, LogicalPlan, Sort, SortExpr, lit};
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Demand, Field, Kind};
use spilltrail_spl::EvalExpr;

use crate::error::to_engine;
use crate::operators::{Compact, ComputeNode, Operator, OperatorNode, Ordered, Select, Source};
pub use crate::rows::arrow::{data_type, kind_of, schema_of};
pub use crate::rows::convert::column;
use crate::rows::styles::Styles;

/// The maximum depth of a plan, in nodes.
///
/// It allows [`MAX_COMMANDS`](spilltrail_spl::MAX_COMMANDS) commands, even of those that add the
/// most nodes, and fits the thread stacks that [`stack`](crate::stack) allocates.
pub const MAX_STEPS: usize = 6_000;

/// What stands in a format for the field that it shows; no field of a search has this name.
const OWN_FIELD: &str = "\u{1}own";

/// The plan of a search up to some command: ordered rows, and columns with SPL kinds.
///
/// Every column is nullable, unqualified, and named exactly as its field. Null means that the row
/// does not have the field.
#[derive(Debug, Clone)]
pub struct Plan {
    logical: LogicalPlan,
    /// The depth of the plan in nodes.
    steps: usize,
    fields: IndexMap<String, Kind>,
    /// Whether a transforming command produced the rows. They are then results, not events, and the
    /// output shows the columns in this order.
    pub transformed: bool,
    /// The delimiter with which `nomv` joins the values of a field, if a command set one.
    delimiters: IndexMap<String, String>,
    /// The expressions with which the output shows fields; commands see the fields themselves.
    formats: IndexMap<String, EvalExpr>,
}

/// What the rest of a pipeline needs from its input rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// The fields that it may read.
    pub fields: Demand,
    /// Whether its result may depend on the order of the rows.
    pub order: bool,
}

impl Needs {
    /// Returns the needs of the output: all fields, in order.
    #[must_use]
    pub fn everything() -> Self {
        Self { fields: Demand::all(), order: true }
    }

    /// Returns the needs with all fields added. Those that are needed by name stay so, since a field such
    /// as `tag` is computed only where it is named.
    #[must_use]
    pub fn and_all(mut self) -> Self {
        self.fields.extend(&Demand::all());
        self
    }

    /// Returns the needs with these fields added.
    #[must_use]
    pub fn and<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        for name in names {
            self.fields.add(name.as_ref());
        }
        self
    }

    /// Returns the needs without these fields, which the command overwrites.
    #[must_use]
    pub fn without<S: AsRef<str>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        for name in names {
            self.fields.names.remove(name.as_ref());
        }
        self
    }

    /// Returns the needs of a command that reads only these fields and ignores the order.
    pub fn only<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        Self { fields: Demand::of(names), order: false }
    }
}

impl Plan {
    /// Wraps a DataFusion plan, and reduces its columns to `fields`, without their qualifiers.
    ///
    /// # Errors
    /// Fails if the plan lacks a column with a field's name.
    pub fn new(logical: LogicalPlan, fields: Vec<Field>) -> Result<Self, DataFusionError> {
        let names = logical.schema().fields().iter().enumerate();
        let indices: HashMap<&str, usize> =
            names.map(|(index, field)| (field.name().as_str(), index)).collect();
        let columns = fields
            .iter()
            .map(|field| {
                let index = indices.get(field.name.as_str()).copied();
                let index = index.ok_or_else(|| plan_datafusion_err!("no `{}`", field.name))?;
                Ok((field.name.clone(), index))
            })
            .collect::<Result<Vec<_>, DataFusionError>>()?;
        let node = OperatorNode::new(Arc::new(Select { columns }), logical, &fields);
        let logical = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        let fields = fields.into_iter().map(|field| (field.name, field.kind)).collect();
        let (delimiters, formats) = (IndexMap::new(), IndexMap::new());
        Ok(Self { logical, steps: 2, fields, transformed: false, delimiters, formats })
    }

    /// Returns the DataFusion plan.
    #[must_use]
    pub fn logical(&self) -> &LogicalPlan {
        &self.logical
    }

    /// Returns the plan if its depth is at most [`MAX_STEPS`].
    ///
    /// # Errors
    /// Fails if the plan is deeper.
    pub(crate) fn within_limits(self) -> Result<Self, DataFusionError> {
        if self.steps <= MAX_STEPS {
            return Ok(self);
        }
        let message = format!("the search takes more than {MAX_STEPS} steps");
        let help = "end it before this command with `outputlookup`, and go on from `inputlookup` in a second search";
        Err(to_engine(Diagnostic::error(Code::TOO_DEEP, message).help(help)))
    }

    /// Returns the columns in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.fields.iter().map(|(name, kind)| (name.as_str(), *kind))
    }

    /// Returns the names of the columns in order.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.fields.keys().cloned().collect()
    }

    /// Returns the field's kind, or `None` if the plan has no such column.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<Kind> {
        self.fields.get(name).copied()
    }

    /// Returns the columns that a name or wildcard pattern matches, in column order.
    #[must_use]
    pub fn covered(&self, pattern: &str) -> Vec<String> {
        if pattern.contains('*') {
            let covers = spilltrail_event::fields::covers;
            self.fields.keys().filter(|name| covers(pattern, name)).cloned().collect()
        } else {
            self.fields.get_key_value(pattern).map(|(name, _)| name.clone()).into_iter().collect()
        }
    }

    /// Keeps the rows for which `condition` is true.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the plan.
    pub fn filter(mut self, condition: Expr) -> Result<Self, DataFusionError> {
        self.logical = LogicalPlan::Filter(Filter::try_new(condition, Arc::new(self.logical))?);
        self.steps += 1;
        self.within_limits()
    }

    /// Replaces all columns. Expressions that are just input columns are not computed, but copied.
    ///
    /// # Errors
    /// Fails if two columns have the same name.
    pub fn project(self, mut columns: Vec<(String, Expr, Kind)>) -> Result<Self, DataFusionError> {
        if columns.is_empty() {
            // A row without fields still counts as a row, but later operators need at least one
            // column to read its batches.
            columns.push(("_".to_owned(), null_text(), Kind::Text));
        }
        let delimiters = kept(&self.delimiters, &columns);
        let formats = kept(&self.formats, &columns);
        let mut kinds = IndexMap::with_capacity(columns.len());
        let (mut sources, mut expressions) = (Vec::new(), Vec::new());
        let mut indices = Vec::new();
        for (name, expr, kind) in columns {
            let input = self.input_column(&expr);
            match input {
                Some((index, _)) => {
                    sources.push(Source::Input(index));
                    indices.push((name.clone(), index));
                }
                None if is_absent(&expr) => sources.push(Source::Absent),
                None => {
                    sources.push(Source::Computed(expressions.len()));
                    expressions.push(expr);
                }
            }
            let kind = input.map_or(kind, |(_, kind)| kind);
            if let (index, Some(_)) = kinds.insert_full(name, kind) {
                let name = kinds.get_index(index).map_or("", |(name, _)| name.as_str());
                return plan_err!("the column `{name}` is made twice");
            }
        }
        // If every column is an input column, nothing has to be computed.
        if indices.len() == kinds.len() {
            let plan = self.operator(Arc::new(Select { columns: indices }));
            return Self { delimiters, formats, ..plan }.within_limits();
        }
        let fields = kinds.iter().map(|(name, kind)| Field::new(name, *kind)).collect();
        let node = ComputeNode::new(self.logical.clone(), sources, expressions, fields);
        let logical = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        Self { delimiters, formats, ..self.replaced(logical, kinds) }.within_limits()
    }

    /// Returns an input column's index and kind, or `None` if the expression is not a column.
    fn input_column(&self, expr: &Expr) -> Option<(usize, Kind)> {
        let Expr::Column(Column { relation: None, name, .. }) = expr else { return None };
        self.fields.get_full(name.as_str()).map(|(index, _, kind)| (index, *kind))
    }

    /// Sets columns. An existing column keeps its index; new columns are added at the end. A column
    /// that is set has no format, even if it is a copy of one that has.
    ///
    /// # Errors
    /// As [`Plan::project`].
    pub fn with_columns(self, columns: Vec<(String, Expr, Kind)>) -> Result<Self, DataFusionError> {
        if columns.is_empty() {
            return Ok(self);
        }
        let mut all: IndexMap<String, (Expr, Kind)> =
            self.fields.iter().map(|(name, kind)| (name.clone(), (column(name), *kind))).collect();
        let mut set = Vec::with_capacity(columns.len());
        for (name, expr, kind) in columns {
            set.push(name.clone());
            all.insert(name, (expr, kind));
        }
        let all = all.into_iter().map(|(name, (expr, kind))| (name, expr, kind)).collect();
        let mut plan = self.project(all)?;
        plan.formats.retain(|name, _| !set.contains(name));
        Ok(plan)
    }

    /// Keeps these columns, in this order; names without a column become columns of nulls.
    ///
    /// # Errors
    /// As [`Plan::project`].
    pub fn select(self, names: &[String]) -> Result<Self, DataFusionError> {
        let columns = names
            .iter()
            .map(|name| match self.kind(name) {
                Some(kind) => (name.clone(), column(name), kind),
                None => (name.clone(), null_text(), Kind::Text),
            })
            .collect();
        self.project(columns)
    }

    /// Sorts the rows; rows with equal keys may change their order.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the plan.
    pub fn sort(self, keys: Vec<SortExpr>) -> Result<Self, DataFusionError> {
        // `Compact` copies batches that share buffers, because the sort would count the buffers
        // again for each batch.
        let mut plan = self.operator(Arc::new(Compact));
        let input = Arc::new(plan.logical);
        plan.logical = LogicalPlan::Sort(Sort { expr: keys, input, fetch: None });
        plan.steps += 1;
        // Without `Ordered`, DataFusion would remove this sort if a later one follows.
        plan.operator(Arc::new(Ordered)).within_limits()
    }

    /// Keeps the first `count` rows.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the plan.
    pub fn limit(mut self, count: usize) -> Result<Self, DataFusionError> {
        let fetch = lit(i64::try_from(count).unwrap_or(i64::MAX));
        let (input, fetch) = (Arc::new(self.logical), Some(Box::new(fetch)));
        self.logical = LogicalPlan::Limit(Limit { skip: None, fetch, input });
        self.steps += 1;
        self.within_limits()
    }

    /// Replaces the DataFusion plan and its columns, and drops all delimiters and formats.
    #[must_use]
    pub fn replaced(self, logical: LogicalPlan, fields: IndexMap<String, Kind>) -> Self {
        let (delimiters, formats) = (IndexMap::new(), IndexMap::new());
        Self { logical, steps: self.steps + 1, fields, delimiters, formats, ..self }
    }

    /// Adds one of our own operators to the plan.
    ///
    /// A column keeps its format. It keeps its delimiter only if it can still have several values.
    /// Before adding an operator that overwrites a column, call [`Plan::forgetting`].
    #[must_use]
    pub fn operator(self, operator: Arc<dyn Operator>) -> Self {
        let input: Vec<Field> =
            self.fields.iter().map(|(name, kind)| Field::new(name, *kind)).collect();
        let output = operator.output(&input);
        let fields: IndexMap<String, Kind> =
            output.iter().map(|field| (field.name.clone(), field.kind)).collect();
        let node = OperatorNode::new(operator, self.logical, &output);
        let logical = LogicalPlan::Extension(Extension { node: Arc::new(node) });
        let (steps, mut delimiters) = (self.steps + 1, self.delimiters);
        delimiters.retain(|name, _| fields.get(name) == Some(&Kind::Multi));
        let mut formats = self.formats;
        formats.retain(|name, _| fields.contains_key(name));
        Self { logical, steps, fields, delimiters, formats, ..self }
    }

    /// Returns the delimiter that joins the field's values, if a command set one.
    #[must_use]
    pub fn delimiter(&self, name: &str) -> Option<&str> {
        self.delimiters.get(name).map(String::as_str)
    }

    /// Sets the expression with which the output shows the field.
    pub(crate) fn set_format(&mut self, name: &str, mut format: EvalExpr) {
        // The field may be renamed later.
        format.rename_field(name, OWN_FIELD);
        self.formats.insert(name.to_owned(), format);
    }

    /// Returns the plan without its formats, and the formats.
    pub(crate) fn without_formats(mut self) -> (Self, IndexMap<String, EvalExpr>) {
        let mut formats = std::mem::take(&mut self.formats);
        for (name, format) in &mut formats {
            format.rename_field(OWN_FIELD, name);
        }
        (self, formats)
    }

    /// Removes the delimiters and formats of fields that get new values.
    #[must_use]
    pub fn forgetting<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            self.delimiters.shift_remove(name);
            self.formats.shift_remove(name);
        }
        self
    }

    /// Returns how the output shows fields.
    pub(crate) fn styles(&self) -> Styles {
        Styles { delimiters: self.delimiters.clone(), formats: self.formats.clone() }
    }

    /// Sets how the output shows fields. Use it for a plan of rows that were computed by a plan with
    /// these styles.
    #[must_use]
    pub(crate) fn with_styles(self, styles: Styles) -> Self {
        let Styles { mut delimiters, mut formats } = styles;
        delimiters.retain(|name, _| self.fields.get(name) == Some(&Kind::Multi));
        formats.retain(|name, _| self.fields.contains_key(name));
        Self { delimiters, formats, ..self }
    }

    /// Sets the delimiter that joins the field's values.
    pub fn set_delimiter(&mut self, name: &str, delimiter: &str) {
        self.delimiters.insert(name.to_owned(), delimiter.to_owned());
    }
}

/// Returns the delimiters or formats of new columns. A column that is just an input column, with the
/// same or another name, has that of the input column; a computed column has none.
fn kept<T: Clone>(
    known: &IndexMap<String, T>,
    columns: &[(String, Expr, Kind)],
) -> IndexMap<String, T> {
    let kept = columns.iter().filter_map(|(name, expr, _)| {
        let Expr::Column(source) = expr else { return None };
        Some((name.clone(), known.get(&source.name)?.clone()))
    });
    kept.collect()
}

fn is_absent(expr: &Expr) -> bool {
    matches!(expr, Expr::Literal(value, _) if value.is_null())
}

/// Returns the expression of an absent field: a null of the text type.
#[must_use]
pub fn null_text() -> Expr {
    datafusion::logical_expr::lit(datafusion::common::ScalarValue::Utf8View(None))
}
