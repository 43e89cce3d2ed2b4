//! Commands that prepare rows for a later command of the stats family, such as `sistats` for `stats`.

use async_trait::async_trait;
use datafusion::logical_expr::{Expr, lit};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Demand, Kind};

use super::tstats::EVENTS_BEHIND;
use super::{Command, Parts, Stage};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan, column};

/// The difference of all these commands.
pub(super) const A_ROW_FOR_EACH_EVENT: &str = "There is a row for each event, with the fields that the later command reads, and not one for each group. The later command gives the same as over the events, unless a wildcard in it, as in `max(*)`, also means `psrsvd_gc`, the number of events behind a row.";

/// The rows from which a command of the stats family computes its results.
#[derive(Debug)]
struct ForLater {
    /// The later command.
    command: Box<dyn Command>,
}

/// Returns the command that prepares the rows for `command`.
pub(super) fn for_later(command: Box<dyn Command>) -> Box<dyn Command> {
    Box::new(ForLater { command })
}

impl ForLater {
    /// Returns the fields that the later command reads.
    fn read(&self) -> Demand {
        self.command.needs(Needs::everything()).fields
    }
}

#[async_trait]
impl Command for ForLater {
    fn parts(&self) -> Parts<'_> {
        self.command.parts()
    }

    fn needs(&self, after: Needs) -> Needs {
        let needs = self.command.needs(after.clone());
        Needs { order: needs.order || after.order, ..needs }
    }

    fn check(&self, context: &SearchContext) -> Vec<Diagnostic> {
        self.command.check(context)
    }

    fn facts(&self, facts: &mut Facts) {
        self.command.facts(facts);
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let read = self.read();
        let mut names: Vec<String> = if read.is_open() {
            before?.into_iter().filter(|name| read.wants(name)).collect()
        } else {
            read.names.into_iter().collect()
        };
        names.push(EVENTS_BEHIND.to_owned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let mut plan = stage.input(input)?;
        // The later command counts no rows without its BY fields, and neither does any other then.
        for name in self.command.grouping().unwrap_or_default() {
            let is_present = match plan.kind(&name) {
                Some(_) => column(&name).is_not_null(),
                None => lit(false),
            };
            plan = plan.filter(is_present).map_err(refused)?;
        }
        let read = self.read();
        let mut columns: Vec<(String, Expr, Kind)> = plan
            .fields()
            .filter(|(name, _)| *name != EVENTS_BEHIND && read.wants(name))
            .map(|(name, kind)| (name.to_owned(), column(name), kind))
            .collect();
        columns.push((EVENTS_BEHIND.to_owned(), lit(1.0), Kind::Number));
        let mut plan = plan.project(columns).map_err(refused)?;
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        let read = self.read();
        lineage.retain(|name| read.wants(name));
        lineage.measure([EVENTS_BEHIND.to_owned()]);
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    const ROWS: &str = r#"{"_time":1000,"u":"a","k":"x","n":"1"}
{"_time":1000,"u":"a","k":"y","n":"5"}
{"_time":1130,"u":"b","k":["x","z"],"n":"10"}
{"_time":1130,"u":"b","n":"20"}
{"_time":1135,"k":"y","n":"2"}"#;

    /// The rows give what the events give.
    #[tokio::test]
    async fn a_later_command_gives_the_same() {
        for command in [
            "stats count by u",
            "stats count sum(n) avg(n) stdev(n) p50(n) dc(k) values(k) list(n) by u k",
            "stats first(n) last(n) earliest(n) latest(n) rate(n)",
            "stats count(eval(n>3)) as many sum(eval(n*2)) as twice by k",
            "stats max(n*) by u",
            "stats sparkline(count, 1m) as line by u",
            "stats allnum=t avg(k) count by u",
            "stats count by nosuch",
            "stats count",
            "stats sum(nosuch) count",
            "chart count over u by k",
            "chart avg(n) over u by k limit=1",
            "chart count by n span=5",
            "chart eval(sum(n)/count) as mean over u",
            "timechart span=1m count by u",
            "timechart span=1m sum(n) avg(n)",
            "timechart bins=3 per_minute(n) by k usenull=f",
            "top k",
            "top limit=1 k by u useother=t",
            "top k u showperc=f",
            "rare limit=2 k countfield=c",
        ] {
            let twice = format!("| si{command} | {command}");
            let (found, wanted) =
                (table(&twice, ROWS).await, table(&format!("| {command}"), ROWS).await);
            assert!(wanted.is_ok(), "{command}: {wanted:?}");
            assert_eq!(found, wanted, "{command}");
        }
    }

    #[tokio::test]
    async fn rows_have_what_is_read_and_the_events_behind_them() {
        for (search, expected) in [
            (
                "| sistats count sum(n) by u",
                vec!["u | n | psrsvd_gc", "a 1 1", "a 5 1", "b 10 1", "b 20 1"],
            ),
            ("| sistats count", vec!["psrsvd_gc", "1", "1", "1", "1", "1"]),
            ("| sistats count by nosuch", vec!["psrsvd_gc"]),
            ("| sitop k by u | stats sum(psrsvd_gc) as n", vec!["n", "3"]),
            ("| eval psrsvd_gc=7 | sistats sum(psrsvd_gc) | head 1", vec!["psrsvd_gc", "1"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, ROWS).await, Ok(expected), "{search}");
        }
    }

    #[tokio::test]
    async fn mistakes_are_those_of_the_later_command() {
        for (search, code) in [
            ("| sistats", Code::UNEXPECTED_END),
            ("| sistats nosuch(n)", Code::UNKNOWN_FUNCTION),
            ("| sichart max(u) by u", Code::BAD_ARGUMENT),
            ("| sitimechart count by u k", Code::TRAILING_TEXT),
            ("| sitop f f", Code::BAD_ARGUMENT),
            ("| sirare limit=x f", Code::BAD_OPTION),
        ] {
            assert_eq!(table(search, ROWS).await, Err(vec![code]), "{search}");
        }
    }
}
