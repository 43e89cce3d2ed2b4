//! Tests that rows with thousands of fields need no lookup by name for each field.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;
use spilltrail_event::Value;

use super::{context, rows};
use crate::run;

const COLUMNS: usize = 3000;

/// Returns two equal rows as JSON lines, with `_time` and `columns` fields: the value of `k0` is
/// `a`, and the value of each other field is its number.
fn events(columns: usize) -> String {
    let field = |number: usize| format!(",\"k{number}\":{number}");
    let row =
        format!("{{\"_time\":1,\"k0\":\"a\"{}}}\n", (1..columns).map(field).collect::<String>());
    row.repeat(2)
}

/// Returns the number of expressions in all nodes of a plan.
///
/// Each expression costs planning time in proportion to the number of columns.
fn expressions(plan: &LogicalPlan) -> usize {
    let mut count = 0;
    let walk = plan.apply(|node| {
        count += node.expressions().len();
        Ok(TreeNodeRecursion::Continue)
    });
    walk.unwrap();
    count
}

/// The name and value of a field of the first row.
type Field = (&'static str, &'static str);

/// Returns the number of fields of the first row for the number of columns in the input.
type Count = fn(usize) -> usize;

/// Searches, the number of fields in their first row, and one of these fields.
const SEARCHES: &[(&str, Count, Field)] = &[
    ("* | stats sum(*)", |columns| columns - 1, ("sum(k7)", "14")),
    ("* | stats values(*) as *", |columns| columns, ("k2999", "2999")),
    ("* | stats max(*) as m* count by k0 k1", |columns| columns + 1, ("mk7", "7")),
    ("* | stats count max(k7) by k1 k0 k1", |_| 4, ("k0", "a")),
    ("* | stats sum(*) as * | stats count sum(*)", |columns| columns, ("sum(k7)", "14")),
    ("* | eventstats sum(*)", |columns| 2 * columns, ("sum(k7)", "14")),
    ("* | streamstats sum(*) as s*", |columns| 2 * columns, ("sk7", "7")),
    ("* | table *", |columns| columns, ("k2999", "2999")),
    ("* | fields - k1 _*", |columns| columns - 1, ("k7", "7")),
    ("* | rename k* as j*", |columns| columns + 1, ("j7", "7")),
    ("* | eval x=k1+k2 | where x=3 | sort 0 - k7", |columns| columns + 2, ("x", "3")),
    ("* | dedup k1 | head 1 | fillnull value=none", |columns| columns + 1, ("k7", "7")),
    ("* | append [search * | rename k* as j*]", |columns| columns + 1, ("k7", "7")),
    ("* | convert auto(k*)", |columns| columns + 1, ("k7", "7")),
    ("* | foreach k* [eval <<FIELD>>=upper(<<FIELD>>)]", |columns| columns + 1, ("k0", "A")),
    ("* | filldown | tojson output_field=j | fields - j", |columns| columns + 1, ("k7", "7")),
];

#[tokio::test]
async fn thousands_of_columns_are_none_of_the_planner_s_business() {
    for (search, fields, (name, value)) in SEARCHES {
        let mut counts = Vec::new();
        for columns in [10, COLUMNS] {
            let context = context(rows(&events(columns)), 512 << 20);
            let prepared = run::prepare(search, None, &context).await.unwrap();
            counts.push(expressions(prepared.plan.logical()));
            if columns == COLUMNS {
                let found = prepared.collect(&context).await.unwrap();
                let row = found.iter().next().unwrap();
                assert_eq!(row.len(), fields(columns), "{search}");
                let found = row.get(*name).and_then(Value::to_text);
                assert_eq!(found.as_deref(), Some(*value), "{search}");
            }
        }
        assert_eq!(counts[0], counts[1], "{search} names its columns one by one");
    }
}
