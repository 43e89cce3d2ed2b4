//! `geostats`: statistics of places on a map, for each level of zoom.

mod places;

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_spl::{Aggregate, Arguments};

use self::places::{Grid, Located, Placed};
use super::stats::{Key, grouped, sparklines};
use super::{
    Argument, Codec, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes, chart,
};
use crate::lineage::Lineage;
use crate::operators::Whole;
use crate::planning::aggregate::{self, Grouping};
use crate::planning::plan::{Needs, Plan, column};

/// The column with the places of a row, one for each level of zoom.
const PLACE: &str = "\u{1}place";

/// The field that names the place.
const GEOBIN: &str = "geobin";

static DOC: CommandDoc = CommandDoc {
    name: "geostats",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Compute statistics of the places on a map, for each level of zoom.",
    syntax: "geostats [translatetoxy=<bool>] [latfield=<field>] [longfield=<field>] [globallimit=<int>] [locallimit=<int>] [outputlatfield=<field>] [outputlongfield=<field>] [binspanlat=<num>] [binspanlong=<num>] [maxzoomlevel=<int>] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field>]",
    arguments: &[
        Argument::option("translatetoxy", Takes::Bool).default("true").doc(
            "Whether the values of the BY field become columns. Otherwise each of them has a row for each place.",
        ),
        Argument::option("latfield", Takes::Field)
            .default("lat")
            .doc("The field with the latitude in degrees, from -90 to 90."),
        Argument::option("longfield", Takes::Field)
            .default("lon")
            .doc("The field with the longitude in degrees, from -180 to 180."),
        Argument::option("globallimit", Takes::Count)
            .default("10")
            .doc("How many values of the BY field have a column of their own; the others have the column `OTHER`. 0 for all, whatever `locallimit` is."),
        Argument::option("locallimit", Takes::Count)
            .default("10")
            .doc("As `globallimit`; the smaller number counts. With 0, only `globallimit` counts."),
        Argument::option("outputlatfield", Takes::Field)
            .default("latitude")
            .doc("The name of the field with the latitude of a place."),
        Argument::option("outputlongfield", Takes::Field)
            .default("longitude")
            .doc("The name of the field with the longitude of a place."),
        Argument::option("binspanlat", Takes::Number)
            .default("22.5")
            .at_least("0.001")
            .doc("The height of places at the lowest level of zoom, in degrees. It halves with each level."),
        Argument::option("binspanlong", Takes::Number)
            .default("45.0")
            .at_least("0.001")
            .doc("The width of places at the lowest level of zoom, in degrees. It halves with each level."),
        Argument::option("maxzoomlevel", Takes::Count)
            .default("9")
            .between(0, 20)
            .doc("The highest level of zoom; the lowest is 0."),
        Argument::positional("function", Takes::Statistics)
            .doc("The statistics, each with an optional name after `AS`."),
        Argument::keyword("BY", Takes::Fields)
            .doc("The field to group by; with `translatetoxy=f`, one or more."),
    ],
    examples: &[
        Example {
            title: "Events by place, at the lowest level of zoom",
            events: r#"{"lat":"48.2","lon":"16.4"}
{"lat":"48.0","lon":"16.0"}
{"lat":"-33.9","lon":"18.4"}"#,
            search: "| geostats maxzoomlevel=0 count",
            results: r#"{"geobin":"bin_id_zl_0_y_2_x_4","count":1,"latitude":-33.9,"longitude":18.4}
{"geobin":"bin_id_zl_0_y_6_x_4","count":2,"latitude":48.1,"longitude":16.2}"#,
        },
        Example {
            title: "A column for each user, at two levels of zoom",
            events: r#"{"src_lat":"10","src_lon":"10","user":"ann"}
{"src_lat":"20","src_lon":"30","user":"bob"}"#,
            search: "| geostats latfield=src_lat longfield=src_lon maxzoomlevel=1 count by user",
            results: r#"{"geobin":"bin_id_zl_0_y_4_x_4","ann":1,"bob":1,"latitude":15,"longitude":20}
{"geobin":"bin_id_zl_1_y_8_x_8","ann":1,"bob":0,"latitude":10,"longitude":10}
{"geobin":"bin_id_zl_1_y_9_x_9","ann":0,"bob":1,"latitude":20,"longitude":30}"#,
        },
    ],
    differs: &[
        "A place is named by its level of zoom and its numbers from the south and from the west, as in `bin_id_zl_0_y_6_x_4`. Its latitude and longitude are the means of those of its events.",
        "Rows without a latitude and a longitude on the map are left out, and so are rows without the BY field.",
        "`locallimit` and `globallimit` both limit the columns of the whole result, by the sums of their values, and what they leave out is in `OTHER`. In Splunk, `globallimit` is about each chart of a place, and `locallimit` makes no `OTHER`.",
        "Rows are sorted by the name of the place. A column with the name of a field of places begins with `VALUE_`.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODECS: [Codec; 2] =
    [Codec::gathering::<Located>(), Codec::operator::<Placed>("geostats_placed")];

#[derive(Debug)]
struct GeoStats {
    grid: Grid,
    aggregates: Vec<Aggregate>,
    by: Vec<Spanned<String>>,
    /// The number of series, if the values of the BY field become columns; 0 for all.
    series: Option<usize>,
    latitude: String,
    longitude: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let parsed = aggregate::arguments(arguments)?;
    arguments.finish()?;
    let is_split = arguments.value("translatetoxy") && !parsed.by.is_empty();
    if let [_, second, ..] = parsed.by.as_slice()
        && is_split
    {
        let message = "`geostats` makes columns of one BY field, found several";
        let error = Diagnostic::error(Code::BAD_ARGUMENT, message).at(second.span);
        arguments.report(error.help("with `translatetoxy=f`, rows have the values of each field"));
    }
    if parsed.by.is_empty() {
        arguments.without_effect("translatetoxy", "there is no BY field");
    }
    if !is_split {
        for name in ["globallimit", "locallimit"] {
            arguments.without_effect(name, "no values become columns");
        }
    }
    let (all, local): (usize, usize) =
        (arguments.value("globallimit"), arguments.value("locallimit"));
    let limit = if all == 0 || local == 0 { all } else { all.min(local) };
    let grid = Grid {
        latitude: arguments.value("latfield"),
        longitude: arguments.value("longfield"),
        height: arguments.value("binspanlat"),
        width: arguments.value("binspanlong"),
        levels: arguments.value::<usize>("maxzoomlevel") + 1,
    };
    let outputs = ["outputlatfield", "outputlongfield"];
    let [latitude, longitude] = outputs.map(|name| arguments.value::<String>(name));
    for (option, name, others) in [
        (outputs[0], &latitude, vec![GEOBIN]),
        (outputs[1], &longitude, vec![GEOBIN, latitude.as_str()]),
    ] {
        if others.contains(&name.as_str()) {
            let place = arguments.given_at(option).unwrap_or_else(|| arguments.span());
            let message = format!("two fields of the result are named `{name}`");
            let error = Diagnostic::error(Code::BAD_OPTION, message).at(place);
            arguments.report(error.help(format!("set another name with `{option}=`")));
        }
    }
    Ok(Box::new(GeoStats {
        grid,
        aggregates: parsed.aggregates,
        by: parsed.by,
        series: is_split.then_some(limit),
        latitude,
        longitude,
    }))
}

#[async_trait]
impl Command for GeoStats {
    fn parts(&self) -> Parts<'_> {
        Parts { operands: aggregate::expressions(&self.aggregates), ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        let needs = aggregate::needs(&self.aggregates, &aggregate::names(&self.by));
        needs.and([&self.grid.latitude, &self.grid.longitude])
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        if self.series.is_some() {
            return None;
        }
        let mut names = vec![GEOBIN.to_owned()];
        names.extend(aggregate::names(&self.by));
        names.extend(aggregate::output_names(&self.aggregates)?);
        names.extend([self.latitude.clone(), self.longitude.clone()]);
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let located = Located { grid: self.grid.clone(), output: PLACE.to_owned() };
        let mut plan = stage.input(input)?;
        // The means of a place are those of the rows that are counted.
        for name in aggregate::names(&self.by) {
            if plan.kind(&name).is_some() {
                plan = plan.filter(column(&name).is_not_null()).map_err(refused)?;
            }
        }
        let plan = plan.operator(Arc::new(located));
        let plan = plan.filter(column(PLACE).is_not_null()).map_err(refused)?;
        let plan = match (self.series, self.by.first()) {
            (Some(limit), Some(by)) => {
                let row = Spanned::new(PLACE.to_owned(), stage.span);
                let aggregates = &self.aggregates;
                chart::rows_and_columns(aggregates, row, by.clone(), limit, plan, stage).await?
            }
            _ => {
                let names = aggregate::names(&self.by);
                let by: Vec<String> =
                    std::iter::once(PLACE.to_owned()).chain(names.iter().cloned()).collect();
                let grouping = Grouping::default();
                let preparation =
                    sparklines::prepared(plan, &self.aggregates, &by, grouping, stage).await?;
                let place = Key { field: self.grid.latitude.clone(), ..Key::of(PLACE) };
                let keys = std::iter::once(place).chain(names.iter().map(|name| Key::of(name)));
                grouped(preparation, keys, Whole::Members, stage)?
            }
        };
        let placed = Placed {
            place: PLACE.to_owned(),
            name: GEOBIN.to_owned(),
            latitude: self.latitude.clone(),
            longitude: self.longitude.clone(),
        };
        let mut plan = plan.operator(Arc::new(placed));
        plan.transformed = true;
        Ok(plan)
    }

    fn trace(&self, lineage: &mut Lineage) {
        let mut by = vec![GEOBIN.to_owned()];
        if self.series.is_none() {
            by.extend(aggregate::names(&self.by));
        }
        lineage.group(by, ["*".to_owned()]);
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    const ROWS: &str = r#"{"lat":"90","lon":"180","u":"a","n":"1"}
{"lat":"89","lon":"179","u":"b","n":"2"}
{"lat":"-90","lon":"-180","u":["a","c"],"n":"4"}
{"lat":"-89","lon":"-179","n":"8"}
{"lat":"91","lon":"0","u":"a","n":"16"}
{"lat":"x","lon":"0","u":"a","n":"32"}
{"lon":"0","u":"a","n":"64"}"#;

    #[tokio::test]
    async fn places_have_statistics() {
        for (search, expected) in [
            (
                "| geostats maxzoomlevel=0 sum(n) as s",
                vec![
                    "geobin | s | latitude | longitude",
                    "bin_id_zl_0_y_0_x_0 12 -89.5 -179.5",
                    "bin_id_zl_0_y_7_x_7 3 89.5 179.5",
                ],
            ),
            (
                "| geostats maxzoomlevel=0 count by u",
                vec![
                    "geobin | a | b | c | latitude | longitude",
                    "bin_id_zl_0_y_0_x_0 1 0 1 -90 -180",
                    "bin_id_zl_0_y_7_x_7 1 1 0 89.5 179.5",
                ],
            ),
            (
                "| geostats maxzoomlevel=0 globallimit=1 sum(n) by u",
                vec![
                    "geobin | a | OTHER | latitude | longitude",
                    "bin_id_zl_0_y_0_x_0 4 4 -90 -180",
                    "bin_id_zl_0_y_7_x_7 1 2 89.5 179.5",
                ],
            ),
            (
                "| geostats maxzoomlevel=0 globallimit=2 locallimit=1 sum(n) by u | fields - l*",
                vec!["geobin | a | OTHER", "bin_id_zl_0_y_0_x_0 4 4", "bin_id_zl_0_y_7_x_7 1 2"],
            ),
            // Search Reference: `globallimit=0` removes all limits.
            (
                "| geostats maxzoomlevel=0 globallimit=0 locallimit=1 count by u | fields - l*",
                vec![
                    "geobin | a | b | c",
                    "bin_id_zl_0_y_0_x_0 1 0 1",
                    "bin_id_zl_0_y_7_x_7 1 1 0",
                ],
            ),
            (
                "| geostats maxzoomlevel=0 translatetoxy=f count by u n",
                vec![
                    "geobin | u | n | count | latitude | longitude",
                    "bin_id_zl_0_y_0_x_0 a 4 1 -90 -180",
                    "bin_id_zl_0_y_0_x_0 c 4 1 -90 -180",
                    "bin_id_zl_0_y_7_x_7 a 1 1 89.5 179.5",
                    "bin_id_zl_0_y_7_x_7 b 2 1 89.5 179.5",
                ],
            ),
            (
                "| geostats maxzoomlevel=1 binspanlat=180 binspanlong=360 count outputlatfield=y outputlongfield=x",
                vec![
                    "geobin | count | y | x",
                    "bin_id_zl_0_y_0_x_0 4 0 0",
                    "bin_id_zl_1_y_0_x_0 2 -89.5 -179.5",
                    "bin_id_zl_1_y_1_x_1 2 89.5 179.5",
                ],
            ),
            ("| geostats latfield=nosuch count", vec!["geobin | count | latitude | longitude"]),
            ("| geostats count | stats count", vec!["count", "30"]),
            (
                "| eval u=\"latitude\" | geostats maxzoomlevel=0 count by u | fields - lon*",
                vec![
                    "geobin | VALUE_latitude | latitude",
                    "bin_id_zl_0_y_0_x_0 2 -89.5",
                    "bin_id_zl_0_y_7_x_7 2 89.5",
                ],
            ),
            (
                "| fields lat lon n | geostats maxzoomlevel=0 max(*) as * | fields geobin n",
                vec!["geobin | n", "bin_id_zl_0_y_0_x_0 8", "bin_id_zl_0_y_7_x_7 2"],
            ),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, ROWS).await, Ok(expected), "{search}");
        }
    }

    #[tokio::test]
    async fn mistakes() {
        for (search, code) in [
            ("| geostats", Code::UNEXPECTED_END),
            ("| geostats count by u n", Code::BAD_ARGUMENT),
            ("| geostats binspanlat=0 count", Code::BAD_OPTION),
            ("| geostats binspanlong=-45 count", Code::BAD_OPTION),
            ("| geostats maxzoomlevel=21 count", Code::BAD_OPTION),
            ("| geostats outputlatfield=geobin count", Code::BAD_OPTION),
            ("| geostats outputlatfield=longitude count", Code::BAD_OPTION),
            ("| geostats nosuch(n)", Code::UNKNOWN_FUNCTION),
        ] {
            assert_eq!(table(search, ROWS).await, Err(vec![code]), "{search}");
        }
    }
}
