//! `datamodel`: reads the events of a dataset of a data model.

use async_trait::async_trait;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::fields::RAW;
use spilltrail_event::{Field, Kind, Predicate, Value};
use spilltrail_knowledge::{DataModel, FieldValue, Knowledge};
use spilltrail_spl::{Arguments, SearchExpr};

use super::dataset::{DatasetName, Naming, Reading};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::context::SearchContext;
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::planning::predicate::Position;
use crate::rows::Rows;

/// The reason reported for options about summaries, which have no effect.
const NO_SUMMARIES: &str = "there are no summaries, events are read";

static DOC: CommandDoc = CommandDoc {
    name: "datamodel",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Read the events of a dataset of a data model, or describe data models.",
    syntax: "datamodel [<model> [<dataset> [search | flat]]] [strict_fields=<bool>] [allow_old_summaries=<bool>] [summariesonly=<bool>]",
    arguments: &[
        Argument::positional("model", Takes::Text).doc("The data model. Default: all of them."),
        Argument::positional("dataset", Takes::Text)
            .doc("The dataset of the model. Default: all of them."),
        Argument::positional("mode", Takes::OneOf(&["search", "flat"])).doc(
            "`search` names fields with the dataset that has them, as in `All_Changes.user`, and `flat` without it. `acceleration_search` is not supported. Without a mode, models are described as JSON, each in the text `_raw` of a row.",
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
        Example {
            title: "The data models about changes",
            events: "",
            search: "| datamodel | spath output=model path=modelName | search model=Change* | table model",
            results: r#"{"model":"Change"}
{"model":"Change_Analysis"}"#,
        },
    ],
    differs: &[
        "A description has the names of a model, its datasets, their parents and their fields; not their searches, nor settings that there are not here.",
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
    let mut words = Vec::new();
    while words.len() < 3 && arguments.more() {
        let Some(word) = arguments.word() else { break };
        words.push(word);
    }
    let mut words = words.into_iter();
    let (model, dataset, mode) = (words.next(), words.next(), words.next());
    let (Some(model), Some(dataset), Some(mode)) = (model.clone(), dataset.clone(), mode) else {
        arguments.finish_with_options()?;
        for name in ["strict_fields", "allow_old_summaries"] {
            arguments.without_effect(name, "without a mode, no events are read");
        }
        let name = model.map(|model| DatasetName { model, dataset });
        return Ok(Box::new(DescribeModels { name }));
    };
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

    fn facts(&self, facts: &mut Facts) {
        self.name.add_facts(facts);
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

/// Describes one data model or dataset, or all data models.
#[derive(Debug)]
struct DescribeModels {
    name: Option<DatasetName>,
}

impl DescribeModels {
    /// Returns the descriptions as JSON.
    ///
    /// # Errors
    /// Fails if there is no such model or dataset.
    fn descriptions(&self, knowledge: &Knowledge) -> Result<Vec<Json>, Diagnostic> {
        let Some(name) = &self.name else {
            return Ok(knowledge.models().map(description).collect());
        };
        let scope = name.scope(knowledge)?;
        let models = knowledge.models().filter(|model| model.name == scope.model);
        let described = models.map(|model| match &name.dataset {
            None => description(model),
            Some(dataset) => {
                let found = model.dataset(&dataset.value).map(|index| of_dataset(model, index));
                found.unwrap_or(Json::Null)
            }
        });
        Ok(described.collect())
    }
}

/// Describes a model with the keys that Splunk has for it.
fn description(model: &DataModel) -> Json {
    let objects = (0..model.datasets.len()).map(|index| of_dataset(model, index));
    json!({
        "modelName": model.name,
        "displayName": model.name,
        "description": model.description,
        "objects": objects.collect::<Vec<Json>>(),
    })
}

fn of_dataset(model: &DataModel, index: usize) -> Json {
    let dataset = &model.datasets[index];
    let parent = dataset.parent.map_or("BaseEvent", |parent| model.datasets[parent].name.as_str());
    let path = model.path(index);
    let is_calculated = |value: &FieldValue| matches!(value, FieldValue::Calculated(_));
    let of_kind = |calculated: bool| -> Vec<Json> {
        let fields = dataset.fields.iter();
        let fields = fields.filter(|(_, value)| is_calculated(value) == calculated);
        fields
            .map(|(name, _)| json!({"fieldName": name, "displayName": name, "owner": path}))
            .collect()
    };
    let calculations: Vec<Json> = of_kind(true)
        .into_iter()
        .map(|field| json!({"calculationType": "Eval", "owner": path, "outputFields": [field]}))
        .collect();
    json!({
        "objectName": dataset.name,
        "displayName": dataset.name,
        "parentName": parent,
        "lineage": path,
        "fields": of_kind(false),
        "calculations": calculations,
    })
}

#[async_trait]
impl Command for DescribeModels {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        // The text is JSON, from which later commands extract fields.
        None
    }

    fn check(&self, context: &SearchContext) -> Vec<Diagnostic> {
        self.descriptions(&context.knowledge).err().into_iter().collect()
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let described = self.descriptions(&stage.context.knowledge)?;
        let record = |json: Json| IndexMap::from([(RAW.to_owned(), Value::text(json.to_string()))]);
        let records: Vec<IndexMap<String, Value<'_>>> = described.into_iter().map(record).collect();
        let rows = Rows::with_fields(vec![Field::new(RAW, Kind::Text)], &records);
        rows.into_plan().map_err(|error| stage.refused(error))
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn models_and_datasets_are_described() {
        for (search, expected) in [
            (
                "| datamodel Authentication | spath output=n path=objects{}.objectName | eval n=mvindex(n, 0) | table n",
                "Authentication",
            ),
            (
                "| datamodel Authentication Failed_Authentication | spath output=p path=lineage | table p",
                "Authentication.Failed_Authentication",
            ),
            (
                "| datamodel Authentication Failed_Authentication | spath output=p path=parentName | table p",
                "Authentication",
            ),
            (
                "| datamodel Change All_Changes | spath output=f path=fields{}.fieldName | eval f=mvfilter(f=\"user\") | table f",
                "user",
            ),
            (
                "| datamodel strict_fields=f Change | spath | eval d=if(isnotnull(description), 1, 0) | table d",
                "1",
            ),
        ] {
            let found = table(search, "").await.unwrap();
            assert_eq!(found[1..], [expected], "{search}");
        }
        for (search, code) in [
            ("| datamodel nosuch", Code::UNKNOWN_MODEL),
            ("| datamodel Change nosuch", Code::UNKNOWN_MODEL),
            ("| datamodel Change All_Changes nosuch", Code::BAD_ARGUMENT),
            ("| datamodel Change All_Changes flat x", Code::TRAILING_TEXT),
            ("* | datamodel", Code::NOT_GENERATING),
        ] {
            assert_eq!(table(search, "").await, Err(vec![code]), "{search}");
        }
    }
}
