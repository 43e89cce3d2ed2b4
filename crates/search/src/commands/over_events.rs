//! Commands that stand for a search over the events, such as `eventcount`.

use std::borrow::Cow;

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::{Arguments, Pipeline, SearchExpr, parse as parse_search};

use super::{Command, Parts, Stage, pipeline, subsearch};
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan};

/// A command that stands for a search over the events.
#[derive(Debug)]
struct OverEvents {
    search: Pipeline,
    outputs: Vec<String>,
}

/// Returns the expression for the events of these indexes.
pub(super) fn of_indexes(indexes: &[String]) -> String {
    let compared = |index: &String| format!("index={}", subsearch::quoted(index));
    match indexes {
        [] => "*".to_owned(),
        indexes => format!("({})", indexes.iter().map(compared).collect::<Vec<_>>().join(" OR ")),
    }
}

/// Returns the command that stands for a search, whose text is not the user's.
pub(super) fn over_events(
    text: &str,
    outputs: &[&str],
    arguments: &Arguments<'_>,
) -> Box<dyn Command> {
    let (mut search, problems) = parse_search(text);
    debug_assert!(problems.is_empty(), "{text}: {problems:?}");
    let span = arguments.span();
    search.span = span;
    for command in &mut search.commands {
        command.name.span = span;
        command.arguments.span = span;
    }
    let outputs = outputs.iter().map(|name| (*name).to_owned()).collect();
    Box::new(OverEvents { search, outputs })
}

#[async_trait]
impl Command for OverEvents {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: vec![&self.search], ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(self.outputs.clone())
    }

    fn picks(&self) -> Option<Cow<'_, SearchExpr>> {
        pipeline::picks([&self.search])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        pipeline::plan_pipeline(&self.search, stage.context, stage.after.clone())
            .await
            .map_err(subsearch::first)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.follow(&self.search);
    }
}
