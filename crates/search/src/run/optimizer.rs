//! The optimizer rules for plans: the DataFusion rules that apply to SPL, one of them restricted.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Filter, LogicalPlan};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use crate::operators::{Leading, OperatorExec};
use crate::rows::cut::BATCH_BYTES;

type Rule = Arc<dyn OptimizerRule + Send + Sync>;

/// The names of the DataFusion rules that can change plans of SPL. The other rules are for joins,
/// unions and subqueries of SQL, which plans of SPL do not contain. Searching plans for them would
/// take most of the planning time.
///
/// `eliminate_filter` is not among them: it takes away the scan below a condition that is always
/// false, and with it the count of the events that match.
const RULES: &[&str] = &[
    "simplify_expressions",
    "eliminate_limit",
    "propagate_empty_relation",
    "push_down_limit",
    "push_down_filter",
    "eliminate_group_by_constant",
    "optimize_projections",
];

/// Returns the optimizer rules in DataFusion's order.
pub(crate) fn rules() -> Vec<Rule> {
    let rules = Optimizer::new().rules.into_iter();
    rules
        .filter(|rule| RULES.contains(&rule.name()))
        .map(|rule| match rule.name() {
            "push_down_filter" => Arc::new(PushDownFilter(rule)) as Rule,
            _ => rule,
        })
        .collect()
}

/// DataFusion's rule that moves filter conditions toward the source, restricted for SPL.
///
/// DataFusion moves a condition without columns, such as the rest of `eval x=5 | where x=6`, below
/// any node, because a node without input rows usually returns no rows. Some nodes return rows even
/// then: statistics without BY fields, appended rows, a summary. A condition must stay above them.
#[derive(Debug)]
struct PushDownFilter(Rule);

impl OptimizerRule for PushDownFilter {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        if must_stay(&plan) { Ok(Transformed::no(plan)) } else { self.0.rewrite(plan, config) }
    }
}

fn must_stay(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = plan else { return false };
    let has_columns = |filter: &Filter| {
        split_conjunction(&filter.predicate).iter().all(|part| !part.column_refs().is_empty())
    };
    let mut all_have_columns = has_columns(filter);
    let mut input = filter.input.as_ref();
    // The rule moves a condition together with the conditions right below it.
    while let LogicalPlan::Filter(below) = input {
        all_have_columns &= has_columns(below);
        input = below.input.as_ref();
    }
    let may_give_rows_of_none = match input {
        LogicalPlan::Extension(_) => true,
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        _ => false,
    };
    may_give_rows_of_none && !all_have_columns
}

/// Makes filters return the remaining rows of each batch at once.
///
/// By default, the engine's filter collects rows until it has a full batch. The few collected rows
/// keep the text buffers of thousands of other rows alive, and no memory pool counts these: for
/// five million events, they took as much memory as the limit. The engine returns a batch at once
/// if it has more than half of the rows to collect, so collecting one row returns every batch at
/// once.
#[derive(Debug)]
pub(crate) struct FilterAtOnce;

impl PhysicalOptimizerRule for FilterAtOnce {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| match plan.downcast_ref::<FilterExec>() {
            Some(filter) => Ok(Transformed::yes(Arc::new(filter.with_batch_size(1)?) as _)),
            None => Ok(Transformed::no(plan)),
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "filter_at_once"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Makes sorts that keep many rows spill.
///
/// A sort with a limit keeps its first rows on a heap, with all of every batch that one of them is
/// from, and cannot spill. Above a number of rows it is therefore a sort without a limit, which
/// spills, between [`Leading`], which drops most of the rows, and the limit.
#[derive(Debug)]
pub(crate) struct SpillingSorts {
    /// The most rows that a sort may keep on a heap.
    most: usize,
}

impl SpillingSorts {
    /// Returns the rule for a limit on memory in bytes: half of it suffices for the heap.
    pub(crate) fn new(memory: usize) -> Self {
        Self { most: memory / 2 / BATCH_BYTES }
    }
}

impl PhysicalOptimizerRule for SpillingSorts {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let sort = plan.downcast_ref::<SortExec>();
            let fetch = sort.and_then(ExecutionPlan::fetch).filter(|fetch| *fetch > self.most);
            Ok(match (sort, fetch) {
                (Some(sort), Some(fetch)) => {
                    let (input, schema) = (sort.input().clone(), sort.schema());
                    let leading = Arc::new(Leading::new(sort.expr(), fetch));
                    let leading = Arc::new(OperatorExec::new(leading, input, schema));
                    let all = Arc::new(SortExec::new(sort.expr().clone(), leading));
                    Transformed::yes(Arc::new(GlobalLimitExec::new(all, 0, Some(fetch))) as _)
                }
                _ => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "spilling_sorts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{BooleanArray, RecordBatch};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::TaskContext;
    use datafusion::physical_expr::expressions::Column;
    use datafusion::physical_plan::collect;

    use super::*;

    #[test]
    fn a_condition_hands_on_what_is_left_of_a_batch() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Boolean, true)]));
        let batch = |values: Vec<bool>| {
            let column = Arc::new(BooleanArray::from(values));
            RecordBatch::try_new(schema.clone(), vec![column]).unwrap()
        };
        let batches = [batch(vec![true; 5]), batch(vec![false; 5]), batch(vec![true, false])];
        let table = MemorySourceConfig::try_new_exec(&[batches.to_vec()], schema.clone(), None);
        let filter = FilterExec::try_new(Arc::new(Column::new("a", 0)), table.unwrap()).unwrap();
        let plan = FilterAtOnce.optimize(Arc::new(filter), &ConfigOptions::new()).unwrap();
        let given = futures::executor::block_on(collect(plan, Arc::new(TaskContext::default())));
        let rows: Vec<usize> = given.unwrap().iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [5, 1]);
    }

    #[test]
    fn all_rules_are_there() {
        assert_eq!(rules().len(), RULES.len());
    }
}
