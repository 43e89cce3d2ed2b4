//! The `risk` command: what has the most risk, and what raised it.

use std::process::ExitCode;

use anyhow::Result;
use spilltrail_event::Value;
use spilltrail_search::rows::Row;
use spilltrail_store::{ObjectRisk, RiskEvent, RiskFilter};

use super::findings::is_short_name;
use super::{doubt_server, moment, now, reader, row, shown_seconds};
use crate::arguments::RiskOptions;
use crate::{report, table};

/// The columns of entities.
const ENTITIES: &[&str] =
    &["entity", "score", "events", "detections", "tactics", "type", "last", "first"];
/// The columns of what raised the risk of an entity.
const EVENTS: &[&str] =
    &["time", "score", "detection", "title", "tactics", "techniques", "finding"];

pub(crate) fn run(options: &RiskOptions) -> Result<ExitCode> {
    let folder = options.data.folder()?;
    let reader = reader(&folder)?;
    let since = moment("since", &options.since)?;
    let most = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let (columns, rows, more): (_, Vec<Row>, _) = match &options.entity {
        Some(entity) => {
            let mut events = reader.risk_of(entity, since, most)?;
            // Tables show what an ARN names.
            if events.rows.is_empty() && is_short_name(entity) {
                let object = Some(format!("arn:*:{entity}"));
                let filter = RiskFilter { object, ..RiskFilter::default() };
                let like = reader.risk(since, now().plus(1), &filter, 2)?.rows;
                if let [one] = like.as_slice() {
                    events = reader.risk_of(&one.object, since, most)?;
                }
            }
            (EVENTS, events.rows.iter().map(event).collect(), events.more)
        }
        None => {
            let least = options.min_score.map(f64::from);
            let filter = RiskFilter { least, ..RiskFilter::default() };
            let objects = reader.risk(since, now().plus(1), &filter, most)?;
            (ENTITIES, objects.rows.iter().map(object).collect(), objects.more)
        }
    };
    table::print(columns, &rows, options.format)?;
    doubt_server(&folder);
    if rows.is_empty() {
        let of = options.entity.as_ref().map(|entity| format!(" of `{entity}`"));
        let of = of.unwrap_or_default();
        report::line(format_args!(
            "note: there is no risk{of} since {since}; `--since` looks farther back"
        ));
    } else if more {
        let shown = rows.len();
        report::line(format_args!("note: these are the first {shown}; `--limit` lists more"));
    }
    Ok(ExitCode::SUCCESS)
}

fn object(object: &ObjectRisk) -> Row {
    let values = [
        Value::text(object.object.clone()),
        Value::Number(object.score),
        Value::Number(object.events as f64),
        Value::Number(object.detections as f64),
        Value::Number(object.tactics as f64),
        Value::text(object.object_type.clone()),
        shown_seconds(object.last),
        shown_seconds(object.first),
    ];
    row(ENTITIES, values)
}

fn event(event: &RiskEvent) -> Row {
    let many = |values: &[String]| Value::multi(values.iter().cloned().map(Into::into).collect());
    let values = [
        shown_seconds(event.time),
        Value::Number(event.risk.score),
        Value::text(event.name.clone()),
        Value::text(event.title.clone()),
        many(&event.risk.tactics),
        many(&event.risk.techniques),
        Value::text(event.finding.clone()),
    ];
    row(EVENTS, values)
}
