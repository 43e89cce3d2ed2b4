//! Checks that the results of a detection make what it promises: risk events with all their objects
//! and a complete message, and a notable with a complete text.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use spilltrail_content::{ContentSet, Detection, NotableText, Template, is_of_the_finding};
use spilltrail_detect::Finding;
use spilltrail_event::Value;

/// The text that Splunk gives for a missing value in some fields.
const NULL: &str = "null";

/// The checks of one detection, and what they have found so far.
pub(super) struct Checks<'a> {
    detection: &'a Detection,
    raises_risk: bool,
    notable: Option<NotableText>,
    /// The fields that every result must have, by what needs them.
    required: Vec<(&'static str, String)>,
    /// The number of results that lack each of them.
    lacking: IndexMap<(&'static str, String), u64>,
    /// The threat objects that no result had so far.
    absent_threats: BTreeSet<String>,
    /// The fields of drilldowns that a result lacks.
    drilldown_fields: BTreeSet<String>,
    lacking_drilldown_fields: BTreeSet<String>,
    results: u64,
    notables: u64,
}

impl<'a> Checks<'a> {
    pub(super) fn new(detection: &'a Detection, set: &ContentSet) -> Self {
        let outcome = detection.outcome(&set.deployments);
        let notable = detection.notable(&set.deployments);
        let mut required = Vec::new();
        let mut absent_threats = BTreeSet::new();
        if let Some(risk) = detection.risk.as_ref().filter(|_| outcome.risk) {
            let objects = risk.risk_objects.iter();
            required.extend(objects.map(|object| ("risk object", object.field.clone())));
            required.extend(tokens("risk message", &risk.message));
            let own = risk.risk_objects.iter().filter_map(|object| object.message.as_ref());
            required.extend(own.flat_map(|message| tokens("risk message", message)));
            let threats = risk.threat_objects.iter();
            absent_threats.extend(threats.map(|object| object.field.clone()));
        }
        if let Some(notable) = &notable {
            required.extend(tokens("title of the notable", &notable.rule_title));
            required.extend(tokens("description of the notable", &notable.rule_description));
            let entities = notable.entities.iter();
            required.extend(entities.map(|entity| ("finding's entity", entity.field.clone())));
        }
        let mut drilldown_fields = BTreeSet::new();
        if notable.is_some() {
            for drilldown in &detection.drilldowns {
                let search = Template::parse(&drilldown.search);
                let fields = drilldown.name.fields().into_iter().chain(search.fields());
                let fields = fields.filter(|field| !is_of_the_finding(field));
                drilldown_fields.extend(fields.map(str::to_owned));
            }
        }
        // The title of a finding is its message, and its entity a risk object: one place is enough.
        let mut fields = BTreeSet::new();
        required.retain(|(_, field)| fields.insert(field.clone()));
        Self {
            detection,
            raises_risk: outcome.risk,
            notable,
            required,
            lacking: IndexMap::new(),
            absent_threats,
            drilldown_fields,
            lacking_drilldown_fields: BTreeSet::new(),
            results: 0,
            notables: 0,
        }
    }

    /// Checks one result.
    pub(super) fn add(&mut self, finding: &Finding) {
        self.results += 1;
        self.notables += u64::from(finding.notable);
        let has = |field: &str| has_value(finding.result.get(field));
        for required in self.required.iter().filter(|(_, field)| !has(field)) {
            *self.lacking.entry(required.clone()).or_default() += 1;
        }
        self.absent_threats.retain(|field| !has(field));
        let lacking = self.drilldown_fields.iter().filter(|field| !has(field));
        self.lacking_drilldown_fields.extend(lacking.cloned());
    }

    /// Returns the failures, and what is only doubtful.
    pub(super) fn finish(self) -> (Vec<String>, Vec<String>) {
        let (mut failures, mut warnings) = (Vec::new(), Vec::new());
        if self.results == 0 {
            return (failures, warnings);
        }
        for ((what, field), count) in &self.lacking {
            let which = match (*count == self.results, self.results) {
                (true, 1) => "the result lacks".to_owned(),
                (true, results) => format!("all {results} results lack"),
                (false, results) if *count == 1 => format!("1 of {results} results lacks"),
                (false, results) => format!("{count} of {results} results lack"),
            };
            let similar = self.detection.similar_field(field).filter(|_| *count == self.results);
            let help = similar.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            failures.push(format!("{which} `{field}` of the {what}{help}"));
        }
        for field in &self.absent_threats {
            failures.push(format!("no result has the threat object `{field}`"));
        }
        // A detection without risk objects raises no risk, whatever its type promises.
        if self.raises_risk && self.detection.risk.is_none() {
            failures.push("the detection should raise risk and has no risk object".to_owned());
        }
        if let Some(notable) = &self.notable {
            failures.extend(self.notable_failures(notable));
        }
        for field in &self.lacking_drilldown_fields {
            warnings.push(format!("a drilldown names `{field}`, which a result lacks"));
        }
        (failures, warnings)
    }

    fn notable_failures(&self, notable: &NotableText) -> Vec<String> {
        let mut failures = Vec::new();
        if self.notables < self.results {
            failures.push(format!(
                "{} of {} results make no notable",
                self.results - self.notables,
                self.results
            ));
        }
        for (what, text) in
            [("title", &notable.rule_title), ("description", &notable.rule_description)]
        {
            if text.source().trim().is_empty() {
                failures.push(format!("the notable has no {what}"));
            }
        }
        if !SECURITY_DOMAINS.contains(&notable.security_domain.as_str()) {
            let domain = &notable.security_domain;
            failures.push(format!(
                "the notable's security domain is `{domain}`, expected one of {}",
                SECURITY_DOMAINS.join(", ")
            ));
        }
        failures
    }
}

/// The security domains that Enterprise Security has.
const SECURITY_DOMAINS: &[&str] = &["access", "endpoint", "network", "threat", "identity", "audit"];

/// Returns the fields whose values a text needs.
fn tokens(what: &'static str, text: &Template) -> Vec<(&'static str, String)> {
    let fields = text.fields().into_iter().filter(|field| !is_of_the_finding(field));
    fields.map(|field| (what, field.to_owned())).collect()
}

fn has_value(value: Option<&Value<'_>>) -> bool {
    let members = value.map(Value::members).unwrap_or_default();
    members.iter().any(|member| !member.is_empty() && member != NULL)
}
