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
    let common = common(finding, now);
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
/// detection says of it.
#[must_use]
pub fn notable_event(finding: &Finding) -> Option<Row> {
    let text = finding.notable_text.as_ref()?;
    let mut event = common(finding, 0.0);
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
        ("risk_score", score.as_deref()),
        ("risk_message", finding.risk_message.as_deref()),
        ("contributing_events_search", Some(finding.evidence.search.as_str())),
    ];
    for (name, value) in own.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        event.insert(name.to_owned(), Value::text(value.to_owned()));
    }
    let drilldowns = || text.drilldowns.iter();
    for (name, values) in [
        ("nes_fields", texts(text.nes_fields.iter().map(String::as_str))),
        ("drilldown_name", texts(drilldowns().map(|drilldown| drilldown.name.as_str()))),
        ("drilldown_search", texts(drilldowns().map(|drilldown| drilldown.search.as_str()))),
        ("orig_event_id", texts(finding.evidence.event_ids.iter().map(String::as_str))),
    ] {
        if !values.is_null() {
            event.insert(name.to_owned(), values);
        }
    }
    Some(event)
}

/// Returns what the risk events of a finding have in common.
fn common(finding: &Finding, now: f64) -> Row {
    let mut common = Row::default();
    let mut add = |name: &str, value: Value<'static>| {
        if !value.is_null() {
            common.insert(name.to_owned(), value);
        }
    };
    for (name, value) in &finding.result {
        add(&own_name(name), value.clone());
    }
    let name = finding.detection.name.as_str();
    add(fields::TIME, Value::Number(finding.last_seen.or(finding.time).unwrap_or(now)));
    for (name, value) in [
        (fields::INDEX, OF_RISK),
        (fields::SOURCETYPE, STASH),
        (fields::SOURCE, name),
        ("search_name", name),
        ("risk_event_id", finding.id.as_str()),
    ] {
        add(name, texts([value].into_iter()));
    }
    let threats = &finding.threat_objects;
    add("threat_object", texts(threats.iter().map(|threat| threat.value.as_str())));
    add("threat_object_type", texts(threats.iter().map(|threat| threat.object_type.as_str())));

    let annotations = &finding.annotations;
    let techniques = || annotations.mitre_attack.iter().map(String::as_str);
    let mut tactics: Vec<Tactic> = Vec::new();
    for tactic in techniques().flat_map(attack::tactics) {
        if !tactics.contains(tactic) {
            tactics.push(*tactic);
        }
    }
    let attack = "annotations.mitre_attack";
    add(attack, texts(techniques()));
    add(&format!("{attack}.mitre_technique_id"), texts(techniques()));
    add(&format!("{attack}.mitre_technique"), texts(techniques().filter_map(attack::name)));
    add(&format!("{attack}.mitre_tactic_id"), texts(tactics.iter().map(|tactic| tactic.id())));
    add(&format!("{attack}.mitre_tactic"), texts(tactics.iter().map(|tactic| tactic.name())));
    let lists = [
        ("annotations.analytic_story", &annotations.analytic_story),
        ("analyticstories", &annotations.analytic_story),
        ("annotations.kill_chain_phases", &annotations.kill_chain_phases),
        ("annotations.nist", &annotations.nist),
        ("annotations.cis20", &annotations.cis20),
    ];
    for (name, values) in lists {
        add(name, texts(values.iter().map(String::as_str)));
    }
    common
}

/// Returns the name in a risk event of a field of the finding's row.
fn own_name(name: &str) -> String {
    let describes_event = [fields::INDEX, fields::SOURCE, fields::SOURCETYPE, fields::HOST];
    let is_taken = describes_event.contains(&name)
        || name.starts_with('_')
        || ["risk_", "annotations", "threat_object"].iter().any(|own| name.starts_with(own));
    if is_taken { format!("orig_{}", name.trim_start_matches('_')) } else { name.to_owned() }
}

/// Returns one text, or several values.
fn texts<'t>(values: impl Iterator<Item = &'t str>) -> Value<'static> {
    Value::multi(values.map(|value| value.to_owned().into()).collect())
}
