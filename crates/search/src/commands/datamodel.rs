//! `datamodel`: reads the events of a dataset of a data model.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::Predicate;
use spilltrail_spl::{Arguments, SearchExpr};

use super::dataset::{DatasetName, Naming, Reading};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::context::SearchContext;
use crate::planning::plan::{Needs, Plan};
use crate::planning::predicate::Position;

/// The reason reported for options about summaries, which have no effect.
const NO_SUMMARIES: &str = "there are no summaries, events are read";

static DOC: CommandDoc = CommandDoc {
    name: "datamodel",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Read the events of a dataset of a data model, with the fields of the model.",
    syntax: "datamodel <model> <dataset> (search | flat) [strict_fields=<bool>] [allow_old_summaries=<bool>] [summariesonly=<bool>]",
    arguments: &[
        Argument::positional("model", Takes::Text).doc("The data model."),
        Argument::positional("dataset", Takes::Text).doc("The dataset of the model."),
        Argument::positional("mode", Takes::OneOf(&["search", "flat"])).doc(
            "`search` names fields with the dataset that has them, as in `All_Changes.user`, and `flat` without it. `acceleration_search` is not supported.",
        ),
        Argument::option("strict_fields", Takes::Bool)
            .default("true")
            .doc("Whether to return the fields of the dataset only."),
        Argument::option("allow_old_summaries", Takes::Bool)
            .default("false")
            .doc("Whether to read summaries of an older data model. There are none, so that both values read the same events."),
        Argument::option("summariesonly", Takes::Bool)
            .default("false")
            .no_effect(NO_SUMMARIES)
            .doc("Whether to read only summaries."),
    ],
    examples: &[
        Example {
            title: "Fields named with their dataset; what a field lacks is `unknown`",
            events: r#"{"_time":10,"tag":"change","user":"ann","action":"created"}
{"_time":20,"tag":"change","user":"bob"}
{"_time":30,"user":"cid"}"#,
            search: "| datamodel Change All_Changes search | table All_Changes.user All_Changes.action",
            results: r#"{"All_Changes.user":"bob","All_Changes.action":"unknown"}
{"All_Changes.user":"ann","All_Changes.action":"created"}"#,
        },
        Example {
            title: "A part of a dataset, with plain names",
            events: r#"{"_time":10,"tag":["authentication","default"],"user":"ann","action":"success"}
{"_time":20,"tag":"authentication","user":"bob","action":"failure"}"#,
            search: "| datamodel Authentication Failed_Authentication flat | table user action",
            results: r#"{"user":"bob","action":"failure"}"#,
        },
    ],
    differs: &[
        "Without a mode, Splunk describes data models as JSON; this is not supported.",
        "A data model is read from the events themselves, never from summaries.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct ReadModel {
    name: DatasetName,
    naming: Naming,
    is_strict: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let (Some(model), Some(dataset)) = (arguments.word(), arguments.word()) else {
        return Err(undescribed(arguments));
    };
    arguments.options();
    let Some(mode) = arguments.word() else { return Err(undescribed(arguments)) };
    let naming = mode_of(&mode)?;
    arguments.options();
    arguments.finish()?;
    let is_strict = arguments.given("strict_fields").is_none_or(|strict| strict.value);
    Ok(Box::new(ReadModel {
        name: DatasetName { model, dataset: Some(dataset) },
        naming,
        is_strict,
    }))
}

fn undescribed(arguments: &Arguments<'_>) -> Diagnostic {
    let message = "descriptions of data models are not supported";
    Diagnostic::unsupported(Code::UNSUPPORTED_SYNTAX, message)
        .at(arguments.span())
        .help("to read events, write for example `datamodel Change All_Changes search`")
}

fn mode_of(mode: &Spanned<String>) -> Result<Naming, Diagnostic> {
    match mode.value.to_ascii_lowercase().as_str() {
        "search" => Ok(Naming::Qualified),
        "flat" => Ok(Naming::Plain),
        "acceleration_search" => {
            let message = "`acceleration_search` is not supported: there are no summaries";
            Err(Diagnostic::unsupported(Code::UNSUPPORTED_OPTION, message)
                .at(mode.span)
                .help("use `search`"))
        }
        other => {
            let message = format!("expected `search` or `flat`, found `{other}`");
            Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(mode.span))
        }
    }
}

#[async_trait]
impl Command for ReadModel {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    fn check(&self, context: &SearchContext) -> Vec<Diagnostic> {
        self.name.scope(&context.knowledge).err().into_iter().collect()
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let scope = &self.name.scope(&stage.context.knowledge)?;
        let condition: Predicate =
            subsearch::predicate(&SearchExpr::All, Position::Leading, stage.context).await?;
        let (naming, place) = (self.naming, self.name.place());
        let with_others = !self.is_strict;
        Reading { scope, naming, condition, with_others, place }.plan(stage).await
    }
}
