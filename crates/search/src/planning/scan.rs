//! Plans that read events.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use spilltrail_event::{Demand, Field, Predicate, ScanRequest};

use crate::context::SearchContext;
use crate::operators::{CountAs, CountRows};
use crate::planning::classes::Classes;
use crate::planning::plan::Plan;
use crate::planning::predicate_udf;
use crate::planning::reserved;

/// Returns a plan that reads and counts the events matching `predicate`, in no particular order.
///
/// # Errors
/// Fails if the event source fails.
pub(crate) async fn scan(
    context: &SearchContext,
    predicate: Predicate,
    demand: &Demand,
) -> Result<Plan, DataFusionError> {
    let classes = Classes::of(demand, context)?;
    let inputs = classes.as_ref().map(|classes| classes.inputs(demand));
    let wanted = inputs.as_ref().unwrap_or(demand);
    let mut fields = context.events.fields(&predicate, wanted).await?;
    reserved::leave_out(&mut fields, |field| &field.name, context);
    let request = ScanRequest { predicate, fields: fields.clone() };
    let table = context.events.table(&request).await?;
    let plan = counted(context, scanned(table, fields)?)?;
    match classes {
        Some(classes) => classes.apply(plan, demand),
        None => Ok(plan),
    }
}

/// A superset of the wanted events, available before subsearches have run; see
/// [`EventSource::superset`](crate::events::EventSource).
pub(crate) struct Superset {
    table: Arc<dyn TableProvider>,
    fields: Vec<Field>,
}

impl Superset {
    /// Requests the events that match `predicate`.
    ///
    /// Returns `None` if the source does not offer supersets, or if the wanted fields are not all
    /// known by name.
    ///
    /// # Errors
    /// Fails if the event source fails.
    pub(crate) async fn of(
        context: &SearchContext,
        predicate: Predicate,
        demand: &Demand,
    ) -> Result<Option<Self>, DataFusionError> {
        if demand.is_open() || Classes::of(demand, context)?.is_some() {
            return Ok(None);
        }
        let fields = context.events.fields(&predicate, demand).await?;
        let request = ScanRequest { predicate, fields: fields.clone() };
        let table = context.events.superset(&request).await?;
        Ok(table.map(|table| Self { table, fields }))
    }

    /// Returns a plan of the events that also match `predicate`, or `None` if the predicate reads a
    /// field that was not requested.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the plan.
    pub(crate) fn narrowed(
        self,
        context: &SearchContext,
        predicate: Predicate,
        demand: &Demand,
    ) -> Result<Option<Plan>, DataFusionError> {
        let is_known = |name: &&str| self.fields.iter().any(|field| field.name == **name);
        if !predicate.fields().iter().all(is_known) {
            return Ok(None);
        }
        let names: Vec<String> = self
            .fields
            .iter()
            .filter(|field| demand.wants(&field.name))
            .map(|field| field.name.clone())
            .collect();
        let plan = scanned(self.table, self.fields)?;
        let condition = predicate_udf::condition(predicate, &plan);
        counted(context, plan.filter(condition)?.select(&names)?).map(Some)
    }
}

fn scanned(table: Arc<dyn TableProvider>, fields: Vec<Field>) -> Result<Plan, DataFusionError> {
    let logical = LogicalPlanBuilder::scan("events", provider_as_source(table), None)?.build()?;
    Plan::new(logical, fields)
}

fn counted(context: &SearchContext, plan: Plan) -> Result<Plan, DataFusionError> {
    context.observations.scan();
    Ok(plan.operator(Arc::new(CountRows { count_as: CountAs::Matched })))
}

#[cfg(test)]
mod tests {
    use crate::run;
    use crate::testing::{context, rows};

    /// A key of a log cannot be taken for a column of a command.
    #[tokio::test]
    async fn names_of_commands_are_reserved() {
        let event =
            r#"{"a":"1","\u0001transaction":"x","\u0001own":"y","\u0001count":"z","\u00020":"w"}"#;
        for search in [
            "* | transaction a",
            "* | table *",
            "* | stats count(*) by a",
            "* | eval {a}=1",
            "* | fillnull",
        ] {
            let context = context(rows(event), 64 << 20);
            let prepared = run::prepare(search, None, &context).await.unwrap();
            let found = prepared.collect(&context).await.unwrap();
            assert_eq!(found.iter().count(), 1, "{search}");
            let messages = context.observations.messages();
            let is_told = messages.iter().any(|message| message.message.contains("U+0001"));
            assert!(is_told, "{search}: {messages:?}");
        }
    }
}
