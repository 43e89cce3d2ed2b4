//! Plans that read a dataset of a data model.
//!
//! The dataset's search, with the event types that its tags stand for, becomes the predicate of the
//! scan, together with what a condition says about fields that are taken from events as they are, or
//! with a fixed text where they have none. Only fields that the pipeline wants are read.

use std::borrow::Cow;
use std::collections::BTreeSet;

use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{Expr, lit, when};
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::{CaseRule, Comparison, Demand, Kind, Pattern, Predicate, compare, fields};
use spilltrail_knowledge::{Budget, EVERY_EVENT_HAS, FieldValue, Knowledge, Scope, ScopedField};
use spilltrail_spl::SearchExpr;

use super::{Stage, search};
use crate::context::SearchContext;
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan, column};
use crate::planning::predicate::{self, Position};
use crate::planning::{eval, eval_udf, predicate_udf};

/// The pseudo field that names the dataset within the one that is read.
pub(super) const NODE: &str = "nodename";

/// The names of a data model and one of its datasets, as a search writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatasetName {
    /// The data model.
    pub(super) model: Spanned<String>,
    /// The dataset; `None` for all.
    pub(super) dataset: Option<Spanned<String>>,
}

impl DatasetName {
    /// Reads `Model` or `Model.Dataset`.
    pub(super) fn new(written: &Spanned<String>) -> Self {
        let text = written.value.trim();
        let at = |value: &str| Spanned::new(value.to_owned(), written.span);
        match text.split_once('.') {
            Some((model, dataset)) => Self { model: at(model), dataset: Some(at(dataset)) },
            None => Self { model: at(text), dataset: None },
        }
    }

    /// Returns where the search names the dataset.
    pub(super) fn place(&self) -> Span {
        self.dataset.as_ref().map_or(self.model.span, |dataset| self.model.span.to(dataset.span))
    }

    /// Adds to the facts that a command reads the dataset.
    pub(super) fn add_facts(&self, facts: &mut Facts) {
        let dataset = self.dataset.as_ref().map(|dataset| dataset.value.clone());
        facts.data_models.insert((self.model.value.clone(), dataset));
    }

    /// Returns what the search reads.
    ///
    /// # Errors
    /// Fails if there is no such model or dataset.
    pub(super) fn scope(&self, knowledge: &Knowledge) -> Result<Scope, Diagnostic> {
        knowledge.scope(&self.model, self.dataset.as_ref())
    }
}

/// How columns are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// With the dataset that has the field, as in `All_Changes.user`.
    Qualified,
    /// Without it.
    Plain,
}

/// What is read from a dataset.
pub(super) struct Reading<'a> {
    pub(super) scope: &'a Scope,
    pub(super) naming: Naming,
    /// A condition on the fields, by their qualified names.
    pub(super) condition: Predicate,
    /// Whether fields that the dataset does not have are read from the events, too.
    pub(super) with_others: bool,
    /// Where the search names the dataset, which is the place of what its own searches raise.
    pub(super) place: Span,
}

/// A field that is read, and the name of its column.
struct Wanted<'a> {
    column: String,
    field: Cow<'a, ScopedField>,
}

impl Reading<'_> {
    /// Warns if no event type has the tags by which the model picks its events.
    fn warn_of_nothing(&self, context: &SearchContext) {
        let has_logs = context.events.indexed_fields().is_some();
        if !has_logs || context.knowledge.may_match(&self.scope.search) {
            return;
        }
        let title = self.scope.title();
        let message = format!("no event type here feeds the data model `{title}`");
        let help = "define event types with its tags in the content's `event_types/`; only events \
                    that have such a field `tag` themselves are in it";
        let warning = Diagnostic::warning(Code::NOT_FED, message).at(self.place).help(help);
        context.observations.message(warning);
    }

    /// Plans the reading of the fields that the rest of the pipeline needs.
    ///
    /// # Errors
    /// Fails if an expression of the model cannot be compiled, or if the source fails.
    pub(super) async fn plan(self, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error: DataFusionError| stage.refused(error);
        let place = self.place;
        let model = Translator { scope: self.scope, context: stage.context, place };
        self.warn_of_nothing(stage.context);
        let mut found = vec![compiled(&self.scope.search, place, stage.context)?];
        let mut later = Vec::new();
        for part in conjuncts(self.condition.clone()) {
            match model.translate(&part)? {
                Some(part) => found.push(part),
                None => later.push(part),
            }
        }
        let later = Predicate::and(later);
        let wanted = self.wanted(&stage.after.fields, &later);
        let mut inputs = self.inputs(&wanted, stage)?;
        if stage.after.order {
            inputs.add(fields::TIME);
        }
        let needs = Needs { fields: inputs, order: stage.after.order };
        let scanning = Stage { context: stage.context, after: &needs, span: stage.span };
        let plan = search::find(Predicate::and(found), &scanning).await?;

        let mut columns = Vec::new();
        let mut names = Vec::new();
        for name in plan.names() {
            let is_own = EVERY_EVENT_HAS.contains(&name.as_str()) || self.with_others;
            if is_own && stage.after.fields.wants(&name) {
                let kind = plan.kind(&name).unwrap_or(Kind::Text);
                columns.push((name.clone(), column(&name), kind));
                names.push(name);
            }
        }
        for Wanted { column: name, field } in &wanted {
            let (expr, kind) = value(field, place, &plan, stage)?;
            columns.retain(|(other, ..): &(String, Expr, Kind)| other != name);
            names.retain(|other| other != name);
            columns.push((name.clone(), expr, kind));
            if stage.after.fields.wants(name) {
                names.push(name.clone());
            }
        }
        let plan = plan.project(columns).map_err(refused)?;
        if later == Predicate::All {
            return Ok(plan);
        }
        let condition = predicate_udf::condition(later, &plan);
        plan.filter(condition).and_then(|plan| plan.select(&names)).map_err(refused)
    }

    /// Returns the fields of the dataset that the rest of the pipeline or the condition read.
    fn wanted(&self, demand: &Demand, later: &Predicate) -> Vec<Wanted<'_>> {
        let compared = later.fields();
        let fields = self.scope.fields.iter().filter_map(|(qualified, field)| {
            let column = match self.naming {
                Naming::Qualified => qualified.clone(),
                Naming::Plain => field.name.clone(),
            };
            let is_wanted = demand.wants(&column) || compared.contains(qualified.as_str());
            is_wanted.then_some(Wanted { column, field: Cow::Borrowed(field) })
        });
        let mut wanted: Vec<Wanted<'_>> = fields.collect();
        // A name may lead through a part to a field that the part has from its parent.
        let through = |name: &str| match self.naming {
            Naming::Qualified if !self.scope.fields.contains_key(name) => self.scope.field(name),
            _ => None,
        };
        let named = demand.names.iter().map(String::as_str).chain(compared);
        for name in named {
            if let Some(field) = through(name)
                && wanted.iter().all(|known| known.column != name)
            {
                wanted.push(Wanted { column: name.to_owned(), field });
            }
        }
        wanted
    }

    /// Returns the fields of events from which the wanted ones are made.
    fn inputs(&self, wanted: &[Wanted<'_>], stage: &Stage<'_>) -> Result<Demand, Diagnostic> {
        let demand = &stage.after.fields;
        let own = EVERY_EVENT_HAS.iter().filter(|name| demand.names.contains(**name));
        let mut inputs = Demand::of(own);
        if demand.is_matched(fields::RAW) {
            inputs.add(fields::RAW);
        }
        if demand.is_open() {
            inputs.extend(&Demand::of([fields::TIME, fields::HOST, fields::SOURCE]));
            inputs.add(fields::SOURCETYPE);
        }
        if self.with_others {
            inputs.extend(demand);
        }
        for Wanted { field, .. } in wanted {
            match &field.value {
                FieldValue::AsIs | FieldValue::Default { .. } => inputs.add(&field.name),
                FieldValue::Calculated(expr) => {
                    eval::field_names(expr).iter().for_each(|name| inputs.add(name));
                }
            }
            let within = compiled(&field.within, self.place, stage.context)?;
            within.fields().iter().for_each(|name| inputs.add(name));
        }
        Ok(inputs)
    }
}

/// Returns the value of a field of the dataset, and its kind.
fn value(
    field: &ScopedField,
    place: Span,
    plan: &Plan,
    stage: &Stage<'_>,
) -> Result<(Expr, Kind), Diagnostic> {
    let refused = |error: DataFusionError| stage.refused(error);
    let own = || match plan.kind(&field.name) {
        Some(kind) => (column(&field.name), kind),
        None => (text(None), Kind::Text),
    };
    let (expr, kind) = match &field.value {
        FieldValue::AsIs => own(),
        FieldValue::Default { text: default, blanks } => match own() {
            (own, Kind::Text) => {
                let blank = blanks.iter().fold(own.clone().is_null(), |found, blank| {
                    found.or(own.clone().eq(text(Some(blank))))
                });
                let expr = when(blank, text(Some(default))).otherwise(own).map_err(refused)?;
                (expr, Kind::Text)
            }
            _ => super::fillnull::filled(plan, &field.name, default).map_err(refused)?,
        },
        FieldValue::Calculated(expr) => {
            let mut expr = expr.as_ref().clone();
            expr.place(place);
            let expression = eval::expression(&expr, plan, stage.context)?;
            let kind = expression.storable()?;
            (eval_udf::into_expr(expression), kind)
        }
    };
    if field.within == SearchExpr::All {
        return Ok((expr, kind));
    }
    let within = compiled(&field.within, place, stage.context)?;
    let condition = predicate_udf::condition(within, plan);
    Ok((when(condition, expr).end().map_err(refused)?, kind))
}

fn text(value: Option<&str>) -> Expr {
    lit(ScalarValue::Utf8View(value.map(str::to_owned)))
}

/// Compiles a search of a data model, for a dataset that the search names at `place`.
fn compiled(
    search: &SearchExpr,
    place: Span,
    context: &SearchContext,
) -> Result<Predicate, Diagnostic> {
    let mut search = search.clone();
    search.place(place);
    let (predicate, warnings) =
        predicate::compile_known(&search, Position::Narrowing, context, &mut Budget::default())?;
    warnings.into_iter().for_each(|warning| context.observations.message(warning));
    Ok(predicate)
}

fn conjuncts(predicate: Predicate) -> Vec<Predicate> {
    match predicate {
        Predicate::And(parts) => parts.into_iter().flat_map(conjuncts).collect(),
        Predicate::All => Vec::new(),
        other => vec![other],
    }
}

/// Turns conditions on the fields of a dataset into conditions on the fields of events.
struct Translator<'a> {
    scope: &'a Scope,
    context: &'a SearchContext,
    place: Span,
}

impl Translator<'_> {
    /// Returns a predicate of events that holds for the same events, or `None` if the condition
    /// reads a field that must be calculated first.
    fn translate(&self, predicate: &Predicate) -> Result<Option<Predicate>, Diagnostic> {
        let all = |parts: &[Predicate]| -> Result<Option<Vec<Predicate>>, Diagnostic> {
            parts.iter().map(|part| self.translate(part)).collect::<Result<Option<Vec<_>>, _>>()
        };
        Ok(match predicate {
            Predicate::And(parts) => all(parts)?.map(Predicate::and),
            Predicate::Or(parts) => all(parts)?.map(Predicate::any),
            Predicate::Not(part) => self.translate(part)?.map(|p| Predicate::Not(Box::new(p))),
            Predicate::Exists(field) => {
                let exists = |name: &str| Predicate::Exists(name.to_owned());
                self.leaf(field, &|_| true, &exists)?
            }
            Predicate::Compare { field, op, value } => {
                let compared = |name: &str| Predicate::Compare {
                    field: name.to_owned(),
                    op: *op,
                    value: value.clone(),
                };
                self.leaf(field, &|text| compare(text, *op, value), &compared)?
            }
            Predicate::In { field, values } => {
                let among =
                    |name: &str| Predicate::In { field: name.to_owned(), values: values.clone() };
                self.leaf(field, &|text| values.matches(text), &among)?
            }
            // The cases of a field are alternatives, each with its own condition.
            Predicate::Cases { field, cases } => {
                let alternatives = cases.all().iter().map(|(value, condition)| {
                    let (field, value) = (field.clone(), value.clone());
                    let equal = Predicate::Compare { field, op: Comparison::Eq, value };
                    Predicate::And(vec![equal, condition.clone()])
                });
                let alternatives: Vec<Predicate> = alternatives.collect();
                all(&alternatives)?.map(Predicate::any)
            }
            Predicate::All | Predicate::Nothing | Predicate::Keyword(_) | Predicate::Time(_) => {
                Some(predicate.clone())
            }
        })
    }

    /// Translates a condition on one field. `holds` says whether a text satisfies it, and `on` makes
    /// it a condition on a field of events.
    fn leaf(
        &self,
        field: &str,
        holds: &dyn Fn(&str) -> bool,
        on: &dyn Fn(&str) -> Predicate,
    ) -> Result<Option<Predicate>, Diagnostic> {
        if field == NODE {
            let nodes = self.scope.nodes.iter().filter(|(path, _)| holds(path));
            let within = nodes.map(|(_, within)| compiled(within, self.place, self.context));
            return Ok(Some(Predicate::any(within.collect::<Result<_, _>>()?)));
        }
        let Some(scoped) = self.scope.field(field) else { return Ok(Some(on(field))) };
        let name = scoped.name.as_str();
        let found = match &scoped.value {
            // An event has the tags of its event types, besides those that it names itself.
            FieldValue::AsIs if name == "tag" => {
                let types = self.context.knowledge.event_types().iter();
                let tagged = types.filter(|known| known.tags.iter().any(|tag| holds(tag)));
                let mut found = vec![on(name)];
                for known in tagged {
                    found.push(compiled(&known.search, self.place, self.context)?);
                }
                Predicate::any(found)
            }
            FieldValue::AsIs => on(name),
            FieldValue::Default { text, blanks } => {
                let filled = Predicate::and(blanks.iter().map(|b| differs(name, b)).collect());
                match (holds(text), blanks.iter().any(|blank| holds(blank))) {
                    (true, _) => Predicate::any(vec![on(name), Predicate::Not(Box::new(filled))]),
                    (false, true) => Predicate::and(vec![on(name), filled]),
                    (false, false) => on(name),
                }
            }
            FieldValue::Calculated(_) => return Ok(None),
        };
        let within = compiled(&scoped.within, self.place, self.context)?;
        Ok(Some(Predicate::and(vec![within, found])))
    }
}

fn differs(field: &str, text: &str) -> Predicate {
    let value = Pattern::new(text, CaseRule::Exact);
    Predicate::Compare { field: field.to_owned(), op: Comparison::Ne, value }
}

/// Returns the errors about names in a search of a dataset that are no fields of it.
pub(super) fn unknown_fields<'n>(
    scope: &Scope,
    names: impl IntoIterator<Item = &'n Spanned<String>>,
) -> Vec<Diagnostic> {
    let mut told = BTreeSet::new();
    let names = names.into_iter().filter(|name| !scope.has(&name.value) && name.value != NODE);
    names
        .filter(|name| told.insert(name.value.clone()))
        .map(|name| scope.unknown_field(name))
        .collect()
}
