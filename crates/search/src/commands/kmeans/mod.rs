//! `kmeans`: groups rows by how near their numbers are.

mod clusters;

use async_trait::async_trait;
use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::common::Result as EngineResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_eval::limits;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use self::clusters::{Clusters, Distance, Points, Settings, clusters};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::{KeptRows, gather};
use crate::planning::order;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::arrow::{ColumnBuilder, schema_of};

/// The maximum number of clusters (limits.conf `[kmeans] maxkvalue`).
const MAX_CLUSTERS: usize = 1_000;

static DOC: CommandDoc = CommandDoc {
    name: "kmeans",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Group rows into clusters around means of their numbers.",
    syntax: "kmeans [reps=<int>] [maxiters=<int>] [t=<num>] [k=<int>] [cfield=<field>] [dt=<distance>] [showcentroid=<bool>] [<field> …]",
    arguments: &[
        Argument::option("reps", Takes::Count)
            .default("10")
            .between(1, 1_000)
            .doc("From how many starts the clusters are searched; the best ones count."),
        Argument::option("maxiters", Takes::Count)
            .default("10000")
            .between(1, 1_000_000)
            .doc("How many times the means are computed from one start at most."),
        Argument::option("t", Takes::Number)
            .default("0")
            .at_least("0")
            .doc("How much better a round must be for another one to follow."),
        Argument::option("k", Takes::Text)
            .default("2")
            .doc("The number of clusters: from 2 to 1000. A range such as `2-5` is not supported."),
        Argument::option("cfield", Takes::Field)
            .default("CLUSTERNUM")
            .doc("The field for the number of the cluster."),
        Argument::option(
            "dt",
            Takes::OneOf(&[
                "l1", "l1norm", "cityblock", "cb", "l2", "l2norm", "sq", "sqeuclidean", "cos",
                "cosine",
            ]),
        )
        .default("sqeuclidean")
        .doc("The distance: of the city block (`l1`, `l1norm`, `cb`), the square of Euclid's (`l2`, `l2norm`, `sq`), or that of the cosine (`cos`)."),
        Argument::option("showcentroid", Takes::Bool)
            .default("true")
            .doc("Whether to add the mean of the cluster, as `centroid_<field>`."),
        Argument::positional("field", Takes::Fields)
            .doc("The fields with the numbers. Default: all fields that have a number in every row."),
    ],
    examples: &[
        Example {
            title: "Users with few and with many calls",
            events: r#"{"user":"ann","calls":"3"}
{"user":"bob","calls":"90"}
{"user":"eve","calls":"5"}"#,
            search: "| kmeans calls",
            results: r#"{"user":"ann","calls":"3","CLUSTERNUM":1,"centroid_calls":4}
{"user":"eve","calls":"5","CLUSTERNUM":1,"centroid_calls":4}
{"user":"bob","calls":"90","CLUSTERNUM":2,"centroid_calls":90}"#,
        },
        Example {
            title: "Three clusters by two fields, without the means",
            events: r#"{"x":"0","y":"0"}
{"x":"9","y":"9"}
{"x":"0","y":"9"}
{"x":"1","y":"0"}"#,
            search: "| kmeans k=3 showcentroid=f cfield=group x y",
            results: r#"{"x":"0","y":"9","group":1}
{"x":"0","y":"0","group":2}
{"x":"1","y":"0","group":2}
{"x":"9","y":"9","group":3}"#,
        },
    ],
    differs: &[
        "The starts are not random: the same rows have the same clusters in every run.",
        "Clusters are numbered from 1, in the order of their means. There are no more clusters than different rows.",
        "Rows without a number in one of the fields are left out.",
        "A range for `k` is an error.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct KMeans {
    /// The fields; all that have numbers if there are none.
    fields: Vec<String>,
    label: String,
    has_centers: bool,
    settings: Settings,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?);
    }
    arguments.each_is_one_field(&fields);
    arguments.each_once(&fields);
    let distance = match arguments.value("dt") {
        "l1" | "l1norm" | "cityblock" | "cb" => Distance::CityBlock,
        "cos" | "cosine" => Distance::Cosine,
        _ => Distance::SquaredEuclidean,
    };
    let settings = Settings {
        count: count(arguments),
        starts: arguments.value("reps"),
        rounds: arguments.value("maxiters"),
        tolerance: arguments.value("t"),
        distance,
    };
    Ok(Box::new(KMeans {
        fields: fields.into_iter().map(|field| field.value).collect(),
        label: arguments.value("cfield"),
        has_centers: arguments.value("showcentroid"),
        settings,
    }))
}

/// Returns the number of clusters, and reports a wrong one.
fn count(arguments: &mut Arguments<'_>) -> usize {
    let written: String = arguments.value("k");
    let count = written.parse().ok().filter(|count| (2..=MAX_CLUSTERS).contains(count));
    if let Some(count) = count {
        return count;
    }
    let place = arguments.given_at("k").unwrap_or_else(|| arguments.span());
    let ends = written.split_once('-');
    let is_range = ends
        .is_some_and(|(one, other)| one.parse::<usize>().is_ok() && other.parse::<usize>().is_ok());
    arguments.report(if is_range {
        let message = "a range for `k` is not supported";
        Diagnostic::unsupported(Code::UNSUPPORTED_OPTION, message)
            .at(place)
            .help("run the search once for each number of clusters")
    } else {
        let message =
            format!("expected a number from 2 to {MAX_CLUSTERS} for `k`, found `{written}`");
        Diagnostic::error(Code::BAD_OPTION, message).at(place)
    });
    2
}

fn center_of(field: &str) -> String {
    format!("centroid_{field}")
}

#[async_trait]
impl Command for KMeans {
    fn needs(&self, after: Needs) -> Needs {
        if self.fields.is_empty() {
            return Needs { order: true, ..after.and_all() };
        }
        let made = self.fields.iter().map(|field| center_of(field)).chain([self.label.clone()]);
        Needs { order: true, ..after.without(made) }.and(&self.fields)
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        let fields = if self.fields.is_empty() { names.clone() } else { self.fields.clone() };
        names.push(self.label.clone());
        names.extend(fields.iter().filter(|_| self.has_centers).map(|field| center_of(field)));
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let input = stage.input(input)?;
        let styles = input.styles();
        let rows = subsearch::collect(input, stage.context, None).await.map_err(refused)?;
        let fields = match self.fields.as_slice() {
            [] => numeric(&rows).map_err(refused)?,
            fields => fields.to_vec(),
        };
        if fields.is_empty() && rows.len() > 0 {
            let message = "no field has a number in every row";
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(stage.span)
                .help("name the fields: rows without a number are then left out"));
        }
        if self.has_centers && fields.iter().any(|field| center_of(field) == self.label) {
            let message = format!("`{}` is the name of a mean, too", self.label);
            return Err(Diagnostic::error(Code::BAD_OPTION, message)
                .at(stage.span)
                .help("choose another `cfield`"));
        }
        let environment = stage.context.session.runtime_env();
        let memory = MemoryConsumer::new("kmeans").register(&environment.memory_pool);
        let points = points(&rows, &fields, &memory).map_err(refused)?;
        let found = stage.context.cancel.during(|| clusters(&points, self.settings));
        let found = found.ok_or_else(limits::canceled)?;
        let labeled = self.labeled(&rows, &fields, &found, stage.context).map_err(refused)?;
        let plan = labeled.into_plan().map_err(refused)?.with_styles(styles);
        let made: Vec<String> = fields.iter().map(|field| center_of(field)).collect();
        let made = made.iter().map(String::as_str).chain([self.label.as_str()]);
        let plan = plan.forgetting(made);
        let key = column(&self.label).sort(true, false);
        order::stable_sort(plan, vec![key]).map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure([self.label.clone(), center_of("*")]);
    }
}

/// Returns the fields that have a number in every row.
fn numeric(rows: &KeptRows) -> EngineResult<Vec<String>> {
    let is_shown = |name: &String| !name.starts_with('_');
    let mut names: Vec<String> =
        rows.fields.iter().map(|field| field.name.clone()).filter(is_shown).collect();
    for batch in rows.batches()? {
        let batch = batch?;
        let mut numeric = Vec::new();
        for name in names {
            let reader = gather::reader(&batch, &name)?;
            let is_number = |row: usize| {
                let number = reader.as_ref().and_then(|reader| reader.value(row).as_number());
                number.is_some_and(f64::is_finite)
            };
            if (0..batch.num_rows()).all(is_number) {
                numeric.push(name);
            }
        }
        names = numeric;
    }
    Ok(names)
}

/// Returns the numbers of each row of a batch, if it has all of them.
fn numbers(batch: &RecordBatch, fields: &[String]) -> EngineResult<Vec<Option<Vec<f64>>>> {
    let readers: Vec<_> =
        fields.iter().map(|name| gather::reader(batch, name)).collect::<EngineResult<_>>()?;
    let of_row = |row: usize| {
        let number = |reader: &Option<crate::rows::arrow::ColumnReader>| {
            let number = reader.as_ref()?.value(row).as_number();
            number.filter(|number| number.is_finite())
        };
        readers.iter().map(number).collect::<Option<Vec<f64>>>()
    };
    Ok((0..batch.num_rows()).map(of_row).collect())
}

fn points(rows: &KeptRows, fields: &[String], memory: &MemoryReservation) -> EngineResult<Points> {
    let mut points = Points { dimensions: fields.len(), coordinates: Vec::new() };
    for batch in rows.batches()? {
        for point in numbers(&batch?, fields)?.into_iter().flatten() {
            // A point also has a label and a place in the order of the start.
            memory.try_grow((2 * point.len() + 4) * size_of::<f64>())?;
            points.coordinates.extend(point);
        }
    }
    Ok(points)
}

impl KMeans {
    /// Returns the rows that have a cluster, with its number and its center.
    fn labeled(
        &self,
        rows: &KeptRows,
        fields: &[String],
        found: &Clusters,
        context: &SearchContext,
    ) -> EngineResult<KeptRows> {
        let mut set = vec![Field::new(&self.label, Kind::Number)];
        if self.has_centers {
            let centers = fields.iter().map(|field| Field::new(center_of(field), Kind::Number));
            set.extend(centers);
        }
        let output = gather::fields_with(&rows.fields, &set);
        let schema = schema_of(output.iter().map(|field| (field.name.as_str(), field.kind)));
        let mut labeled = KeptRows::new(output, rows.transformed, &context.session.runtime_env());
        let mut labels = found.labels.iter();
        for batch in rows.batches()? {
            let batch = batch?;
            let is_point: Vec<bool> =
                numbers(&batch, fields)?.iter().map(Option::is_some).collect();
            let batch = filter_record_batch(&batch, &BooleanArray::from(is_point))?;
            let mut columns: Vec<ColumnBuilder> =
                set.iter().map(|field| ColumnBuilder::new(field.kind)).collect();
            for label in labels.by_ref().take(batch.num_rows()) {
                #[expect(clippy::cast_precision_loss, reason = "clusters are few")]
                let number = (*label + 1) as f64;
                let values = std::iter::once(number).chain(found.centers[*label].iter().copied());
                columns.iter_mut().zip(values).for_each(|(column, value)| {
                    column.push(Value::Number(value));
                });
            }
            let names = set.iter().map(|field| field.name.clone());
            let columns: Vec<_> =
                names.zip(columns.into_iter().map(ColumnBuilder::finish)).collect();
            labeled.push(&gather::batch_with(&batch, &schema, &columns)?)?;
        }
        Ok(labeled)
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    const ROWS: &str = r#"{"n":"90","m":"1","u":"a"}
{"n":"1","m":"1","u":"b"}
{"n":"x","m":"1","u":"c"}
{"n":"80","m":"1","u":"d"}
{"n":"3","m":"9","u":"e"}"#;

    #[tokio::test]
    async fn rows_of_a_cluster_follow_each_other() {
        for (search, expected) in [
            (
                "| kmeans n | table u CLUSTERNUM centroid_n",
                vec!["u | CLUSTERNUM | centroid_n", "b 1 2", "e 1 2", "a 2 85", "d 2 85"],
            ),
            // Without fields, those count that have a number in every row.
            (
                "| table n m u | kmeans",
                vec![
                    "n | m | u | CLUSTERNUM | centroid_m",
                    "90 1 a 1 1",
                    "1 1 b 1 1",
                    "x 1 c 1 1",
                    "80 1 d 1 1",
                    "3 9 e 2 9",
                ],
            ),
            (
                "| kmeans showcentroid=f cfield=u dt=cb n m | table n u centroid_n",
                vec!["n | u | centroid_n", "1 1 -", "3 1 -", "90 2 -", "80 2 -"],
            ),
            ("| where u=\"z\" | kmeans n | table n", vec!["n"]),
            ("| where u=\"z\" | kmeans | table n", vec!["n"]),
            ("| kmeans nosuch | table n", vec!["n"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, ROWS).await, Ok(expected), "{search}");
        }
        for (options, code) in [
            ("t=-1 n", Code::BAD_OPTION),
            ("cfield=centroid_n n", Code::BAD_OPTION),
            ("k=1 n", Code::BAD_OPTION),
            ("k=1001 n", Code::BAD_OPTION),
            ("k=x n", Code::BAD_OPTION),
            ("k=2-5 n", Code::UNSUPPORTED_OPTION),
            ("reps=0 n", Code::BAD_OPTION),
            ("dt=near n", Code::BAD_OPTION),
            ("n*", Code::BAD_ARGUMENT),
            ("n n", Code::BAD_ARGUMENT),
        ] {
            let search = format!("| kmeans {options}");
            assert_eq!(table(&search, ROWS).await, Err(vec![code]), "{options}");
        }
        let texts = table("| table u | kmeans", ROWS).await;
        assert_eq!(texts, Err(vec![Code::BAD_ARGUMENT]));
    }
}
