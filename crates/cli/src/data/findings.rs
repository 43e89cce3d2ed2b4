//! The `findings` command: lists findings, shows one, and says what became of them.

use std::borrow::Cow;
use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Value as Json, json};
use spilltrail_diagnostic::visible;
use spilltrail_event::Value;
use spilltrail_search::rows::Row;
use spilltrail_store::{
    Change, Details, Filter, FindingState, Level, Listed, Span, StoreReader, Suppressed,
    TriageStatus,
};

use super::{desk, doubt_server, moment, now, optional, reader, row, shown, shown_seconds, who};
use crate::arguments::{
    AssignOptions, ChangedOptions, CloseOptions, CommentOptions, FindingsCommand,
    FindingsListOptions, FindingsShowOptions, Format, OwnUrgency, ReopenOptions, SetOptions,
    ShowFormat,
};
use crate::lines::wrap;
use crate::{json as json_output, output, report, screen, table};

/// The columns of the list.
const COLUMNS: &[&str] = &[
    "id",
    "title",
    "entity",
    "urgency",
    "status",
    "time",
    "owner",
    "score",
    "detection",
    "found",
    "state",
];

/// How many characters of an id a table shows. They can be given in its place.
const SHORT: usize = 8;

/// The width of the names of facts.
const FACT: usize = 14;

/// The least width of their values, on however narrow a screen.
const LEAST_ROOM: usize = 30;

/// The most characters of a value that are shown to people.
const LONGEST_FACT: usize = 2000;

pub(crate) fn run(command: &FindingsCommand) -> Result<ExitCode> {
    match command {
        FindingsCommand::List(options) => list(options),
        FindingsCommand::Show(options) => show(options),
        FindingsCommand::Assign(AssignOptions { changed, to, comment }) => {
            let owner = if to == "-" { String::new() } else { to.clone() };
            let status = (!owner.is_empty()).then_some(TriageStatus::InProgress);
            let change = Change {
                owner: Some(owner),
                status,
                comment: comment.clone(),
                ..Change::default()
            };
            self::change(changed, &change, "assigned")
        }
        FindingsCommand::Close(CloseOptions { changed, disposition, comment }) => {
            let change = Change {
                status: Some(TriageStatus::Closed),
                disposition: *disposition,
                comment: comment.clone(),
                ..Change::default()
            };
            self::change(changed, &change, "closed")
        }
        FindingsCommand::Reopen(ReopenOptions { changed, comment }) => {
            let change = Change {
                status: Some(TriageStatus::InProgress),
                comment: comment.clone(),
                ..Change::default()
            };
            self::change(changed, &change, "opened again")
        }
        FindingsCommand::Set(SetOptions { changed, status, urgency, disposition, comment }) => {
            let change = Change {
                status: *status,
                urgency: urgency.map(|OwnUrgency(urgency)| urgency),
                disposition: *disposition,
                comment: comment.clone(),
                ..Change::default()
            };
            self::change(changed, &change, "changed")
        }
        FindingsCommand::Comment(CommentOptions { changed, message }) => {
            let change = Change { comment: Some(message.clone()), ..Change::default() };
            self::change(changed, &change, "commented on")
        }
    }
}

fn list(options: &FindingsListOptions) -> Result<ExitCode> {
    let folder = options.data.folder()?;
    let reader = reader(&folder)?;
    let time =
        |name, text: &Option<String>| text.as_deref().map(|text| moment(name, text)).transpose();
    let mut filter = Filter {
        is_all: options.all,
        statuses: options.status.clone(),
        owner: options.owner.clone().map(|owner| if owner == "-" { String::new() } else { owner }),
        detection: options.detection.clone(),
        urgency: options.urgency,
        severity: None,
        entity: options.entity.clone(),
        happened: Span {
            since: time("since", &options.since)?,
            until: time("until", &options.until)?,
        },
        found: Span::default(),
        has_withdrawn: options.withdrawn,
        suppressed: if options.hidden { Suppressed::Show } else { Suppressed::Hide },
        text: options.text.clone(),
    };
    // Tables show what an ARN names; who writes that means the ARN.
    if let Some(entity) = options.entity.as_deref().filter(|entity| is_short_name(entity))
        && any(&reader, &filter)? == 0
    {
        filter.entity = Some(format!("arn:*:{entity}"));
    }
    let format = options.format.unwrap_or_else(output::default_format);
    let most = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let (mut rows, mut cursor, mut total) = (Vec::new(), None, 0);
    while rows.len() < most {
        let page = reader.list(&filter, cursor.as_ref(), most - rows.len())?;
        total = page.total;
        rows.extend(page.rows.iter().map(|listed| of(listed, format)));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    if !table::print(COLUMNS, &rows, Some(format))? {
        return Ok(ExitCode::SUCCESS);
    }
    doubt_server(&folder);
    let count = rows.len() as u64;
    if total == 0 {
        report::line(format_args!("note: {}", nothing(&reader, &filter)?));
    } else if cursor.is_some() {
        report::line(format_args!(
            "note: {count} of {total} findings; `--limit {total}` lists all"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says what there is if a list has nothing.
fn nothing(reader: &StoreReader, filter: &Filter) -> Result<String> {
    if !reader.has_runs()? {
        return Ok("no detection has run yet".to_owned());
    }
    if *filter == Filter::default() {
        return Ok("no notable is open; `--all` lists other findings, too, and `--status closed` closed ones"
            .to_owned());
    }
    match any(reader, filter)? {
        0 => {}
        1 => return Ok(OTHER_THAN_OPEN.replace("{}", "one other finding is")),
        other => return Ok(OTHER_THAN_OPEN.replace("{}", &format!("{other} other findings are"))),
    }
    if let Some(name) = &filter.detection
        && any(reader, &Filter { detection: Some(name.clone()), ..Filter::default() })? == 0
    {
        return Ok(format!(
            "no finding is of a detection called `{name}`; `*` stands for any characters of a name"
        ));
    }
    Ok("no finding is like that".to_owned())
}

/// Returns how many findings there are like a filter, whatever became of them.
fn any(reader: &StoreReader, filter: &Filter) -> Result<u64> {
    let all = Filter {
        is_all: true,
        statuses: TriageStatus::ALL.to_vec(),
        has_withdrawn: true,
        suppressed: Suppressed::Show,
        ..filter.clone()
    };
    Ok(reader.list(&all, None, 1)?.total)
}

/// What is said if a list has nothing, and would have something with other options.
const OTHER_THAN_OPEN: &str = "no open notable is like that, and {}: `--all` lists findings without a \
     notable, `--status closed` closed ones, `--hidden` hidden ones, `--withdrawn` withdrawn ones";

/// Returns true for a text that may be the end of an ARN, as tables show it.
pub(super) fn is_short_name(entity: &str) -> bool {
    !entity.contains('*') && !entity.starts_with("arn:")
}

fn of(listed: &Listed, format: Format) -> Row {
    let Listed { triage, .. } = listed;
    let is_table = format == Format::Table;
    let id = if is_table { short(&listed.id) } else { &listed.id };
    // What is the same for all of an account leaves no room for the rest.
    let entity =
        listed.entity.as_deref().map(|entity| if is_table { of_arn(entity) } else { entity });
    let status = if listed.changed_since {
        format!("{} (found again)", triage.status.name())
    } else {
        triage.status.name().to_owned()
    };
    let state = match (listed.suppressed_by, listed.state) {
        (Some(entry), _) => format!("hidden by entry {entry}"),
        (None, state) => state.name().to_owned(),
    };
    row(
        COLUMNS,
        [
            Value::text(id.to_owned()),
            Value::text(listed.title.clone()),
            optional(entity),
            Value::text(listed.urgency.name().to_owned()),
            Value::text(status),
            listed.time.map_or(Value::Null, shown_seconds),
            optional(triage.owner.as_deref()),
            listed.score.map_or(Value::Null, Value::Number),
            Value::text(listed.name.clone()),
            shown(listed.nominal),
            Value::text(state),
        ],
    )
}

/// Returns what an ARN names, without the partition, the service and the account in front.
fn of_arn(text: &str) -> &str {
    let mut parts = text.splitn(6, ':');
    match (parts.next(), parts.nth(4)) {
        (Some("arn"), Some(resource)) if !resource.is_empty() => resource,
        _ => text,
    }
}

/// Returns the first characters of an id.
fn short(id: &str) -> &str {
    id.get(..SHORT).unwrap_or(id)
}

/// Returns the whole id of a finding.
fn whole(reader: &StoreReader, id: &str) -> Result<String> {
    reader.resolve(id).with_context(|| format!("`{id}` names no finding"))
}

fn change(changed: &ChangedOptions, change: &Change, what: &str) -> Result<ExitCode> {
    let mut desk = desk(&changed.data.folder()?)?;
    let ids = changed.ids.iter().map(|id| whole(desk.reader(), id));
    let ids = ids.collect::<Result<Vec<String>>>()?;
    let count = desk.change(&ids, change, &who(changed.who.as_deref()), now())?;
    match count {
        0 => report::line(format_args!("note: they were like that already")),
        count => {
            let findings = report::counted(count as u64, "finding");
            report::line(format_args!("note: {findings} {what}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(options: &FindingsShowOptions) -> Result<ExitCode> {
    let reader = reader(&options.data.folder()?)?;
    let id = whole(&reader, &options.id)?;
    let details =
        reader.finding(&id)?.with_context(|| format!("there is no finding with the id {id}"))?;
    match options.format {
        ShowFormat::Text => output::print(&described(&details))?,
        ShowFormat::Json => output::print(&json_output::text(&object(&details))?)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns a finding as one object: what the run said, and what became of it.
fn object(details: &Details) -> Json {
    let body: Json = serde_json::from_str(&details.newest.finding.body).unwrap_or_default();
    json!({
        "finding": body,
        "listed": details.listed,
        "sightings": details.sightings,
        "history": details.history,
        "deliveries": details.deliveries,
        "more": details.more,
    })
}

/// Returns a value that fills no screen. `--format json` has all of it.
fn shortened(value: &str) -> Cow<'_, str> {
    match value.char_indices().nth(LONGEST_FACT) {
        Some((end, _)) => {
            let more = value[end..].chars().count();
            format!("{}… ({more} more characters; `--format json` has all)", &value[..end]).into()
        }
        None => value.into(),
    }
}

fn described(details: &Details) -> String {
    let Details { listed, newest, sightings, history, more, .. } = details;
    let mut text = String::new();
    let room = screen::width().saturating_sub(FACT).max(LEAST_ROOM);
    let mut fact = |name: &str, value: &str| {
        if value.is_empty() {
            return;
        }
        let mut name = name;
        for line in wrap(&visible(&shortened(value)), room) {
            let _ = writeln!(text, "{name:FACT$}{line}");
            name = "";
        }
    };
    let body: Json = serde_json::from_str(&newest.finding.body).unwrap_or_default();
    let of_body = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    fact("title", &listed.title);
    fact("id", &listed.id);
    let [urgency, severity, priority] =
        [listed.urgency, listed.severity, listed.priority].map(Level::name);
    fact("urgency", &format!("{urgency} (severity {severity}, priority {priority})"));
    let owner = listed.triage.owner.as_deref().unwrap_or("nobody");
    fact("status", &format!("{}, owner: {owner}", listed.triage.status.label()));
    fact("disposition", listed.triage.disposition.label());
    if listed.changed_since {
        fact("", "found with other contents since somebody looked at it");
    }
    if let Some(entry) = listed.suppressed_by {
        let by = match entry {
            0 => "by an entry of the configuration file".to_owned(),
            entry => format!("by entry {entry} of the allow-list"),
        };
        fact("hidden", &by);
    }
    if listed.state == FindingState::Withdrawn {
        fact("withdrawn", "the run that found it ran again, and did not");
    }
    fact("detection", &listed.name);
    fact("message", &of_body("risk_message"));
    fact("description", &of_body("rule_description"));
    fact("entity", listed.entity.as_deref().unwrap_or_default());
    if let Some(score) = listed.score {
        fact("risk score", &score.to_string());
    }
    if let Some(time) = listed.time.and_then(spilltrail_schedule::Moment::of_seconds) {
        fact("time", &time.to_string());
    }
    let techniques = body["annotations"]["mitre_attack"].as_array();
    let techniques = techniques.into_iter().flatten().filter_map(Json::as_str);
    fact("ATT&CK", &techniques.collect::<Vec<_>>().join(", "));
    for (name, value) in body["result"].as_object().into_iter().flatten() {
        let value = match value {
            Json::String(value) => value.clone(),
            other => other.to_string(),
        };
        fact("result", &format!("{name} = {value}"));
    }
    let one_line = |search: &str| search.split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
    fact("events", &one_line(body["evidence"]["search"].as_str().unwrap_or_default()));
    for drilldown in body["drilldowns"].as_array().into_iter().flatten() {
        let of = |key: &str| drilldown[key].as_str().unwrap_or_default();
        fact("drilldown", &format!("{}: {}", of("name"), one_line(of("search"))));
    }
    for sighting in sightings.iter().take(5) {
        fact("found", &format!("{} ({})", sighting.nominal, sighting.state.name()));
    }
    if sightings.len() > 5 {
        let (earlier, or_more) =
            (sightings.len() - 5, if more.sightings { " or more" } else { "" });
        fact("", &format!("and by {earlier}{or_more} earlier runs"));
    }
    for entry in history {
        let mut parts: Vec<String> = Vec::new();
        for step in &entry.steps {
            let none = "nothing".to_owned();
            let what = format!("{:?}", step.what).to_lowercase();
            let (from, to) =
                (step.from.as_ref().unwrap_or(&none), step.to.as_ref().unwrap_or(&none));
            parts.push(format!("{what} from {from} to {to}"));
        }
        parts.extend(entry.comment.iter().map(|comment| format!("\"{comment}\"")));
        fact("history", &format!("{} {}: {}", entry.time, entry.who, parts.join(", ")));
    }
    if more.history {
        fact("", "and earlier ones, which the API has");
    }
    text
}
