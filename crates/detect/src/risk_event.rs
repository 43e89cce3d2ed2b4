//! Risk events: what a finding adds to the risk of each of its objects, in the form in which Splunk
//! Enterprise Security writes it to the index `risk`.

use spilltrail_content::attack::{self, Tactic};
use spilltrail_event::{Value, fields};
use spilltrail_search::analysis::OF_RISK;
use spilltrail_search::rows::Row;

use crate::Finding;

/// The sourcetype of what Splunk itself writes: findings and summaries.
pub const STASH: &str = "stash";

/// Returns a risk event for each risk object of a finding. `now` is the time of a finding that has no
/// time of its own.
///
/// An event has the fields of the finding's row, too. Those that describe the event itself, such as
/// `source`, get the prefix `orig_`.
#[must_use]
pub fn risk_events(finding: &Finding, now: f64) -> Vec<Row> {
    // Most findings of a hunt raise no risk, and what events have in common is the whole row.
    if finding.risk_objects.is_empty() {
        return Vec::new();
    }
    let mut common = common(finding, name_in_risk_event);
    let time = finding.last_seen.or(finding.time).unwrap_or(now);
    common.insert(fields::TIME.to_owned(), Value::Number(time));
    add(&mut common, "risk_event_id", texts([finding.id.as_str()]));
    for (name, value) in [
        (fields::INDEX, OF_RISK),
        (fields::SOURCETYPE, STASH),
        (fields::SOURCE, finding.detection.name.as_str()),
    ] {
        add(&mut common, name, texts([value]));
    }
    let events = finding.risk_objects.iter().map(|object| {
        let mut event = common.clone();
        let message = object.message.as_ref().or(finding.risk_message.as_ref());
        let score = object.score.to_string();
        let own = [
            ("risk_object", object.value.as_str()),
            ("normalized_risk_object", object.value.as_str()),
            ("risk_object_type", object.object_type.as_str()),
            ("risk_score", score.as_str()),
            ("calculated_risk_score", score.as_str()),
        ];
        let message = message.map(|message| ("risk_message", message.as_str()));
        for (name, value) in own.into_iter().chain(message) {
            event.insert(name.to_owned(), Value::text(value.to_owned()));
        }
        event
    });
    events.collect()
}

/// Returns the notable event of a finding; `None` if it is none.
///
/// As Splunk Enterprise Security writes it to the index `notable`: the fields of the row, and what the
/// detection says of it. Fields of the row that are called like these get the prefix `orig_`.
#[must_use]
pub fn notable_event(finding: &Finding) -> Option<Row> {
    let text = finding.notable_text.as_ref()?;
    let mut event = common(finding, name_in_notable);
    let severity = text.severity.to_string();
    let score = finding.risk_score.map(|score| score.to_string());
    let own = [
        ("event_id", Some(finding.id.as_str())),
        ("rule_id", Some(finding.id.as_str())),
        ("rule_name", Some(finding.detection.name.as_str())),
        ("rule_title", Some(text.rule_title.as_str())),
        ("rule_description", Some(text.rule_description.as_str())),
        ("security_domain", Some(text.security_domain.as_str())),
        ("severity", Some(severity.as_str())),
        ("risk_message", finding.risk_message.as_deref()),
        ("contributing_events_search", Some(finding.evidence.search.as_str())),
    ];
    for (name, value) in own.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        event.insert(name.to_owned(), Value::text(value.to_owned()));
    }
    // A row about risk has a score of its own.
    if let Some(score) = score.filter(|_| !event.contains_key("risk_score")) {
        event.insert("risk_score".to_owned(), Value::text(score));
    }
    let drilldowns = || text.drilldowns.iter();
    let bound = |time: Option<i64>| time.map_or_else(String::new, |time| time.to_string());
    let earliest = drilldowns().map(|drilldown| bound(drilldown.earliest));
    let latest = drilldowns().map(|drilldown| bound(drilldown.latest));
    for (name, values) in [
        ("nes_fields", texts(text.nes_fields.iter().map(String::as_str))),
        ("drilldown_name", texts(drilldowns().map(|drilldown| drilldown.name.as_str()))),
        ("drilldown_search", texts(drilldowns().map(|drilldown| drilldown.search.as_str()))),
        ("drilldown_earliest", texts(earliest)),
        ("drilldown_latest", texts(latest)),
        ("orig_event_id", texts(finding.evidence.event_ids.iter().map(String::as_str))),
    ] {
        add(&mut event, name, values);
    }
    Some(event)
}

/// Adds a field that has a value.
fn add(event: &mut Row, name: &str, value: Value<'static>) {
    if !value.is_null() {
        event.insert(name.to_owned(), value);
    }
}

/// Returns what the events of a finding have in common: the fields of its row, by the names that `name`
/// gives them, and what its detection says.
fn common(finding: &Finding, name: fn(&str) -> String) -> Row {
    let mut common = Row::default();
    let mut add = |name: &str, value| add(&mut common, name, value);
    for (field, value) in &finding.result {
        add(&name(field), value.clone());
    }
    add("search_name", texts([finding.detection.name.as_str()]));
    let threats = &finding.threat_objects;
    add("threat_object", texts(threats.iter().map(|threat| threat.value.as_str())));
    add("threat_object_type", texts(threats.iter().map(|threat| threat.object_type.as_str())));

    let annotations = &finding.annotations;
    add("analyticstories", texts(annotations.analytic_story.iter().map(String::as_str)));
    let frameworks = [
        ("mitre_attack", &annotations.mitre_attack),
        ("analytic_story", &annotations.analytic_story),
        ("kill_chain_phases", &annotations.kill_chain_phases),
        ("nist", &annotations.nist),
        ("cis20", &annotations.cis20),
        ("cve", &annotations.cve),
        ("data_source", &annotations.data_source),
    ];
    let frameworks = || frameworks.iter().filter(|(_, values)| !values.is_empty());
    for (name, values) in frameworks() {
        add(&format!("annotations.{name}"), texts(values.iter().map(String::as_str)));
    }
    let all = frameworks().flat_map(|(_, values)| values.iter());
    add("annotations._all", texts(all.map(String::as_str)));
    add("annotations._frameworks", texts(frameworks().map(|(name, _)| *name)));
    // Names of details come after the name that they begin with, as a reader of JSON expects them.
    let techniques = || annotations.mitre_attack.iter().map(String::as_str);
    let mut tactics: Vec<Tactic> = Vec::new();
    for tactic in techniques().flat_map(attack::tactics) {
        if !tactics.contains(tactic) {
            tactics.push(*tactic);
        }
    }
    let attack = "annotations.mitre_attack";
    add(&format!("{attack}.mitre_technique_id"), texts(techniques()));
    add(&format!("{attack}.mitre_technique"), texts(techniques().filter_map(attack::name)));
    add(&format!("{attack}.mitre_tactic_id"), texts(tactics.iter().map(|tactic| tactic.id())));
    add(&format!("{attack}.mitre_tactic"), texts(tactics.iter().map(|tactic| tactic.name())));
    common
}

/// Fields that say what an event is, which those of a row do not replace.
const OF_EVENTS: [&str; 12] = [
    fields::INDEX,
    fields::SOURCE,
    fields::SOURCETYPE,
    fields::HOST,
    "splunk_server",
    "linecount",
    "eventtype",
    "tag",
    "search_name",
    "event_hash",
    "event_id",
    "info_search_time",
];

/// Fields that say what a notable is, and how far somebody has come with it.
const OF_NOTABLES: [&str; 22] = [
    "rule_id",
    "rule_name",
    "rule_title",
    "rule_description",
    "security_domain",
    "severity",
    "urgency",
    "priority",
    "nes_fields",
    "drilldown_name",
    "drilldown_search",
    "drilldown_earliest",
    "drilldown_latest",
    "contributing_events_search",
    "governance",
    "control",
    "status",
    "status_label",
    "owner",
    "disposition_label",
    "next_steps",
    "recommended_actions",
];

/// Returns the name in a risk event of a field of the finding's row.
fn name_in_risk_event(name: &str) -> String {
    let is_taken =
        ["risk_", "annotations", "threat_object"].iter().any(|own| name.starts_with(own));
    renamed(name, is_taken)
}

/// Returns the name in a notable event of a field of the finding's row. What a row says of risk is the
/// notable's own.
fn name_in_notable(name: &str) -> String {
    renamed(name, OF_NOTABLES.contains(&name))
}

fn renamed(name: &str, is_taken: bool) -> String {
    if is_taken || OF_EVENTS.contains(&name) || name.starts_with('_') {
        format!("orig_{}", name.trim_start_matches('_'))
    } else {
        name.to_owned()
    }
}

/// Returns one text, or several values.
fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> Value<'static> {
    Value::multi(values.into_iter().map(|value| value.as_ref().to_owned().into()).collect())
}
