//! Reads the three schemas of detection files into [`Detection`].
//!
//! The 2024 schema has risk in `tags` (impact, confidence, message, observable), the 2025 schema in
//! `rba`, and the 2026 schema in `finding`, with all keys of `tags` moved to the top level. A file
//! may mix them; the newest form wins.

use std::path::Path;

use serde::Deserialize;
use spilltrail_diagnostic::{Code, Diagnostic, Few};

use crate::deployment::RawDeployment;
use crate::detection::{
    AttackData, Detection, DetectionTest, DetectionType, Expectation, Status, TestType, Throttling,
    derived,
};
use crate::drilldown::Drilldown;
use crate::risk::{
    FindingKeys, ObservableObject, Risk, RiskObject, ThreatObject, observable_object, score,
};
use crate::schedule::RawSchedule;
use crate::template::Template;
use crate::yaml::{self, Count, Percentage, Text, Texts};
use crate::{keys, tokens, values};

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a detection")]
struct RawDetection {
    name: Option<Text>,
    id: Option<Text>,
    version: Option<Count>,
    author: Option<Text>,
    date: Option<Text>,
    creation_date: Option<Text>,
    modification_date: Option<Text>,
    #[serde(rename = "type")]
    detection_type: Option<Text>,
    status: Option<Text>,
    description: Option<Text>,
    search: Option<Text>,
    how_to_implement: Option<Text>,
    known_false_positives: Option<Text>,
    #[serde(default)]
    references: Texts,
    #[serde(default)]
    data_source: Texts,
    rba: Option<RawRba>,
    finding: Option<RawFinding>,
    intermediate_findings: Option<RawFinding>,
    #[serde(default)]
    threat_objects: Vec<RawObject>,
    #[serde(default)]
    drilldown_searches: Vec<RawDrilldown>,
    #[serde(default)]
    tests: Vec<RawTest>,
    deployment: Option<RawDeployment>,
    tags: Option<RawTags>,
    // The 2026 schema moved these five keys here from `tags`. Flattening one struct into both
    // levels would lose the location of errors.
    #[serde(default)]
    analytic_story: Texts,
    #[serde(default)]
    mitre_attack_id: Texts,
    asset_type: Option<Text>,
    security_domain: Option<Text>,
    throttling: Option<RawThrottling>,
    manual_test: Option<Text>,
    #[serde(default)]
    cve: Texts,
    schedule: Option<Text>,
    custom_schedule: Option<RawSchedule>,
    #[serde(default)]
    baselines: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(expecting = "keys such as `message` and `analytic_story`")]
struct RawTags {
    #[serde(default)]
    analytic_story: Texts,
    #[serde(default)]
    mitre_attack_id: Texts,
    asset_type: Option<Text>,
    security_domain: Option<Text>,
    throttling: Option<RawThrottling>,
    message: Option<Text>,
    impact: Option<Percentage>,
    confidence: Option<Percentage>,
    risk_score: Option<Percentage>,
    #[serde(default)]
    observable: Vec<RawObservable>,
    manual_test: Option<Text>,
    #[serde(default)]
    cve: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an observable: `name`, `type`, `role`")]
struct RawObservable {
    name: Text,
    #[serde(rename = "type")]
    observable_type: Text,
    #[serde(default)]
    role: Texts,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "`message`, `risk_objects` and `threat_objects`")]
struct RawRba {
    message: Option<Text>,
    #[serde(default)]
    risk_objects: Vec<RawObject>,
    #[serde(default)]
    threat_objects: Vec<RawObject>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "`title` and `entity`")]
struct RawFinding {
    title: Option<Text>,
    entity: Option<RawObject>,
    #[serde(default)]
    entities: Vec<RawObject>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object: `field`, `type` and perhaps `score`")]
struct RawObject {
    field: Text,
    #[serde(rename = "type")]
    object_type: Text,
    score: Option<Percentage>,
    /// The message of the entity, which only the 2026 schema has.
    message: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a drilldown: `name`, `search` and offsets")]
struct RawDrilldown {
    #[serde(default)]
    name: Text,
    search: Text,
    #[serde(default)]
    earliest_offset: Text,
    #[serde(default)]
    latest_offset: Text,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a test: `name` and `attack_data`")]
struct RawTest {
    #[serde(default)]
    name: Text,
    #[serde(default)]
    attack_data: Vec<RawAttackData>,
    expect: Option<RawExpectation>,
    expected_results: Option<Count>,
    test_type: Option<Text>,
    description: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawExpectation {
    Results,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "test data: `data`, `source`, `sourcetype`")]
struct RawAttackData {
    data: Text,
    source: Option<Text>,
    sourcetype: Option<Text>,
    custom_index: Option<Text>,
    index: Option<Text>,
    host: Option<Text>,
    update_timestamp: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "`fields` and `period`")]
struct RawThrottling {
    #[serde(default)]
    fields: Texts,
    period: Text,
}

/// Reads a detection file, and adds warnings about it.
pub(crate) fn read(
    text: &str,
    path: &Path,
    root: Option<&Path>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Detection, Diagnostic> {
    let mut raw: RawDetection = keys::read(text, keys::DETECTION, warnings)?;
    let file_stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = required(raw.name.take(), text, "name", "name the detection")?;
    let search = required(raw.search.take(), text, "search", "write the detection's SPL here")?;
    let id = optional(raw.id.take()).map(|id| id.to_lowercase()).unwrap_or_else(|| {
        warnings.push(assumed(text, "id", &file_stem));
        file_stem.clone()
    });
    let detection_type = optional(raw.detection_type.take()).unwrap_or_else(|| {
        // Baselines of the 2026 schema have no type: their folder says what they are.
        if path.strip_prefix(root.unwrap_or(path)).is_ok_and(|path| path.starts_with("baselines")) {
            return "Baseline".to_owned();
        }
        warnings.push(assumed(text, "type", "TTP"));
        "TTP".to_owned()
    });
    let detection_type = DetectionType::parse(&detection_type);
    let data = raw.tests.iter().flat_map(|test| &test.attack_data);
    let written = data.filter_map(|data| data.update_timestamp.as_ref());
    let mut few = Few::new("values of `update_timestamp` that count as `false`");
    written
        .filter(|written| flag(written).is_none())
        .for_each(|written| few.add(|| unknown_flag(written, text)));
    warnings.extend(few.into_vec());
    let mut tags = raw.tags.take().unwrap_or_default();
    lift(&mut raw, &mut tags);
    let throttling = raw.throttling.take().map(|raw| throttling(raw, text)).transpose()?;
    let security_domain = optional(raw.security_domain.take()).unwrap_or_else(|| "threat".into());
    let mitre_attack_id = std::mem::take(&mut raw.mitre_attack_id.0);
    let (nist, cis20, kill_chain_phases) =
        derived(&detection_type, &security_domain, &mitre_attack_id);
    let only_intermediate = raw.finding.is_none() && raw.intermediate_findings.is_some();
    let finding = raw.finding.as_ref().map(finding_keys);
    let risk = risk(&mut raw, tags, &name);
    let detection = Detection {
        id,
        name,
        version: raw.version.map_or(1, |version| version.0),
        author: optional(raw.author).unwrap_or_default(),
        created: optional(raw.creation_date),
        modified: optional(raw.modification_date).or(optional(raw.date)),
        detection_type,
        status: Status::parse(&optional(raw.status).unwrap_or_default()),
        description: optional(raw.description).unwrap_or_default(),
        search,
        how_to_implement: optional(raw.how_to_implement).unwrap_or_default(),
        known_false_positives: optional(raw.known_false_positives).unwrap_or_default(),
        references: raw.references.0,
        data_source: raw.data_source.0,
        risk,
        finding,
        only_intermediate,
        mitre_attack_id,
        analytic_story: raw.analytic_story.0,
        asset_type: optional(raw.asset_type).unwrap_or_default(),
        security_domain,
        nist,
        cis20,
        kill_chain_phases,
        cve: raw.cve.0,
        drilldowns: raw.drilldown_searches.into_iter().map(drilldown).collect(),
        tests: raw.tests.into_iter().map(test).collect(),
        manual_test: optional(raw.manual_test),
        throttling,
        deployment: raw.deployment.map(RawDeployment::into_deployment),
        schedule: optional(raw.schedule),
        custom_schedule: raw.custom_schedule.map(RawSchedule::into_scheduling),
        baselines: raw.baselines.0,
        path: path.to_owned(),
        root: root.map(Path::to_owned),
        file_stem,
    };
    warnings.extend(values::warnings(&detection, text));
    warnings.extend(tokens::warnings(&detection, text));
    Ok(detection)
}

fn optional(text: Option<Text>) -> Option<String> {
    text.map(|text| text.0).filter(|text| !text.is_empty())
}

fn required(value: Option<Text>, text: &str, key: &str, help: &str) -> Result<String, Diagnostic> {
    optional(value).ok_or_else(|| yaml::missing_key(text, key, help))
}

fn assumed(text: &str, key: &str, value: &str) -> Diagnostic {
    let mut diagnostic = yaml::missing_key(text, key, &format!("add `{key}:` to the file"));
    diagnostic.severity = spilltrail_diagnostic::Severity::Warning;
    diagnostic.note(format!("`{value}` is taken for it"))
}

/// Moves keys from `tags` to the top level, unless the top level has them already.
fn lift(raw: &mut RawDetection, tags: &mut RawTags) {
    for (top, below) in [
        (&mut raw.analytic_story, &mut tags.analytic_story),
        (&mut raw.mitre_attack_id, &mut tags.mitre_attack_id),
        (&mut raw.cve, &mut tags.cve),
    ] {
        if top.0.is_empty() {
            top.0 = std::mem::take(&mut below.0);
        }
    }
    raw.asset_type = raw.asset_type.take().or(tags.asset_type.take());
    raw.security_domain = raw.security_domain.take().or(tags.security_domain.take());
    raw.throttling = raw.throttling.take().or(tags.throttling.take());
    raw.manual_test = raw.manual_test.take().or(tags.manual_test.take());
}

fn risk(raw: &mut RawDetection, tags: RawTags, name: &str) -> Option<Risk> {
    // The forms are tried from newest to oldest.
    let findings: Vec<RawFinding> =
        raw.finding.take().into_iter().chain(raw.intermediate_findings.take()).collect();
    if !findings.is_empty() {
        let threat_objects = std::mem::take(&mut raw.threat_objects);
        return Some(finding_risk(findings, threat_objects, name));
    }
    if let Some(rba) = raw.rba.take() {
        return Some(Risk {
            message: Template::parse(&optional(rba.message).unwrap_or_else(|| name.to_owned())),
            risk_objects: risk_objects(rba.risk_objects),
            threat_objects: threat_objects(rba.threat_objects),
        });
    }
    observable_risk(tags, name)
}

/// Returns what a finding says of notables.
fn finding_keys(finding: &RawFinding) -> FindingKeys {
    let entities = finding.entity.iter().chain(&finding.entities).cloned();
    FindingKeys {
        title: optional(finding.title.clone()).map(|title| Template::parse(&title)),
        entities: risk_objects(entities.collect()),
    }
}

/// Converts findings of the 2026 schema: the title is the message, and each entity is a risk object
/// with a message of its own. Without a title, the first entity's message is that of the detection.
fn finding_risk(findings: Vec<RawFinding>, threats: Vec<RawObject>, name: &str) -> Risk {
    let mut message = None;
    let mut objects: Vec<RawObject> = Vec::new();
    for mut finding in findings {
        let entities = finding.entity.take().into_iter().chain(finding.entities);
        message = message.or(optional(finding.title));
        for entity in entities {
            message = message.or(optional(entity.message.clone()));
            let is_same = |known: &RawObject| {
                known.field == entity.field && known.object_type == entity.object_type
            };
            if !objects.iter().any(is_same) {
                objects.push(entity);
            }
        }
    }
    Risk {
        message: Template::parse(&message.unwrap_or_else(|| name.to_owned())),
        risk_objects: risk_objects(objects),
        threat_objects: threat_objects(threats),
    }
}

/// Converts observables of the 2024 schema, which all have the same score.
fn observable_risk(tags: RawTags, name: &str) -> Option<Risk> {
    if tags.observable.is_empty() && tags.message.is_none() {
        return None;
    }
    let score = match (tags.impact, tags.confidence) {
        (Some(impact), Some(confidence)) => score(impact.0, confidence.0),
        _ => tags.risk_score.map_or(0, |score| score.0),
    };
    let mut risk = Risk {
        message: Template::parse(&optional(tags.message).unwrap_or_else(|| name.to_owned())),
        risk_objects: Vec::new(),
        threat_objects: Vec::new(),
    };
    for observable in tags.observable {
        let field = observable.name.0;
        match observable_object(&observable.observable_type.0, &observable.role.0) {
            ObservableObject::Risk(object_type) => {
                let object_type = object_type.to_owned();
                risk.risk_objects.push(RiskObject { field, object_type, score, message: None });
            }
            ObservableObject::Threat(object_type) => {
                risk.threat_objects.push(ThreatObject { field, object_type });
            }
        }
    }
    Some(risk)
}

fn risk_objects(raw: Vec<RawObject>) -> Vec<RiskObject> {
    raw.into_iter()
        .map(|object| RiskObject {
            field: object.field.0,
            object_type: object.object_type.0,
            score: object.score.map_or(0, |score| score.0),
            message: optional(object.message).map(|message| Template::parse(&message)),
        })
        .collect()
}

fn threat_objects(raw: Vec<RawObject>) -> Vec<ThreatObject> {
    raw.into_iter()
        .map(|object| ThreatObject { field: object.field.0, object_type: object.object_type.0 })
        .collect()
}

fn drilldown(raw: RawDrilldown) -> Drilldown {
    Drilldown {
        name: Template::parse(&raw.name.0),
        search: raw.search.0,
        earliest_offset: raw.earliest_offset.0,
        latest_offset: raw.latest_offset.0,
    }
}

fn test(raw: RawTest) -> DetectionTest {
    let attack_data = raw.attack_data.into_iter().map(|data| AttackData {
        data: data.data.0,
        source: optional(data.source),
        sourcetype: optional(data.sourcetype),
        custom_index: optional(data.index).or(optional(data.custom_index)),
        host: optional(data.host),
        update_timestamp: data.update_timestamp.as_ref().and_then(flag).unwrap_or(false),
    });
    DetectionTest {
        name: raw.name.0,
        attack_data: attack_data.collect(),
        expect: match (raw.expected_results.map(|count| count.0), raw.expect) {
            (Some(0), _) | (None, Some(RawExpectation::None)) => Expectation::None,
            (Some(count), _) => Expectation::Count(count),
            (None, Some(RawExpectation::Results) | None) => Expectation::Results,
        },
        test_type: TestType::parse(&optional(raw.test_type).unwrap_or_default()),
        description: optional(raw.description).unwrap_or_default(),
    }
}

/// Returns what a flag says that tests have. A wrong one is no reason not to use a detection.
fn flag(text: &Text) -> Option<bool> {
    match text.0.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" | "" => Some(false),
        _ => None,
    }
}

fn unknown_flag(written: &Text, text: &str) -> Diagnostic {
    let message = format!("`update_timestamp` is `{}`: it counts as `false`", written.0);
    let warning = Diagnostic::warning(Code::UNKNOWN_VALUE, message);
    let warning = warning.help("expected `true` or `false`");
    match yaml::value_span(text, "update_timestamp", &written.0) {
        Some(span) => warning.at(span),
        None => warning,
    }
}

fn throttling(raw: RawThrottling, text: &str) -> Result<Throttling, Diagnostic> {
    let period = raw.period.0;
    let (digits, unit) = period.split_at(period.len() - usize::from(period.ends_with(is_unit)));
    let factor = match unit {
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => 1,
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    match seconds {
        Some(period_seconds) => Ok(Throttling { fields: raw.fields.0, period, period_seconds }),
        None => {
            let message = format!("expected a period such as `60m`, found `{period}`");
            let diagnostic = Diagnostic::error(Code::YAML, message);
            Err(match yaml::key_span(text, "period") {
                Some(span) => diagnostic.at(span),
                None => diagnostic,
            })
        }
    }
}

fn is_unit(c: char) -> bool {
    matches!(c, 's' | 'm' | 'h' | 'd')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::Deployments;

    const HEAD: &str =
        "name: Watch\nid: AB-1\nversion: 3\ntype: ttp\nsearch: 'x=1 | stats count'\n";

    fn load(rest: &str) -> Detection {
        let path = Path::new("detections/cloud/watch.yml");
        read(&format!("{HEAD}{rest}"), path, None, &mut Vec::new()).unwrap()
    }

    fn fails(text: &str) -> Diagnostic {
        read(text, Path::new("x.yml"), None, &mut Vec::new()).unwrap_err()
    }

    #[test]
    fn a_baseline_needs_no_type() {
        let mut warnings = Vec::new();
        let path = Path::new("pack/baselines/b.yml");
        let text = "name: x\nid: i\nsearch: y\n";
        let detection = read(text, path, Some(Path::new("pack")), &mut warnings).unwrap();
        assert_eq!(detection.detection_type, DetectionType::Baseline);
        assert_eq!(warnings, []);
    }

    #[test]
    fn the_schema_of_2024() {
        let detection = load(
            "date: '2024-05-06'\ntags:\n  impact: 90\n  confidence: 70\n  message: $u$ at $ip$\n  \
             risk_score: 1\n  mitre_attack_id: [T1537]\n  security_domain: network\n  \
             analytic_story: [S]\n  observable:\n  - {name: u, type: User, role: [Victim]}\n  \
             - {name: ip, type: IP Address, role: [Attacker]}\n",
        );
        let risk = detection.risk.as_ref().unwrap();
        assert_eq!(risk.message.fields(), ["u", "ip"]);
        assert_eq!(
            risk.risk_objects,
            [RiskObject {
                field: "u".into(),
                object_type: "user".into(),
                score: 63,
                message: None
            }]
        );
        assert_eq!(
            risk.threat_objects,
            [ThreatObject { field: "ip".into(), object_type: "ip_address".into() }]
        );
        assert_eq!(detection.id, "ab-1");
        assert_eq!(detection.modified.as_deref(), Some("2024-05-06"));
        assert_eq!((&*detection.nist[0], &*detection.cis20[0]), ("DE.CM", "CIS 13"));
        assert_eq!(detection.kill_chain_phases, ["Actions on Objectives"]);
        assert_eq!(detection.severity().to_string(), "high");
        assert_eq!(detection.filter_macro(), "watch_filter");
    }

    #[test]
    fn the_schema_of_2025() {
        let detection = load(
            "rba:\n  message: m\n  risk_objects: [{field: u, type: user, score: 30}, {field: h, type: \
             system, score: 50}]\n  threat_objects: []\ntags: {throttling: {fields: [u], period: \
             2h}}\ntests:\n- name: t\n  attack_data: [{data: a.json, sourcetype: s}]\n- name: n\n  \
             expect: none\n  attack_data: []\n",
        );
        assert_eq!(detection.risk.as_ref().unwrap().score(), Some(50));
        assert_eq!(detection.throttling.as_ref().unwrap().period_seconds, 7200);
        assert_eq!(detection.tests[0].attack_data[0].data, "a.json");
        assert_eq!(detection.tests[0].expect, Expectation::Results);
        assert_eq!(detection.tests[1].expect, Expectation::None);
        assert_eq!(detection.security_domain, "threat");
    }

    #[test]
    fn the_schema_of_2026() {
        let detection = load(
            "creation_date: '2026-01-02'\nmodification_date: '2026-02-03'\nfinding:\n  title: by \
             $u$\n  entity: {field: u, type: user, score: 50}\nthreat_objects:\n- {field: src, type: \
             ip_address}\nanalytic_story: [A, B]\nmitre_attack_id: [T1119]\nsecurity_domain: \
             access\ndrilldown_searches:\n- {name: n, search: s, earliest_offset: 7d, \
             latest_offset: 0}\n",
        );
        let risk = detection.risk.as_ref().unwrap();
        assert_eq!(risk.message.to_string(), "by $u$");
        assert_eq!((risk.risk_objects.len(), risk.threat_objects.len()), (1, 1));
        assert_eq!(detection.created.as_deref(), Some("2026-01-02"));
        assert_eq!(detection.analytic_story, ["A", "B"]);
        assert_eq!(detection.drilldowns[0].latest_offset, "0");
    }

    #[test]
    fn a_finding_titles_the_notable_and_intermediate_findings_make_none() {
        let finding =
            "finding:\n  title: by $Src Host$\n  entity: {field: u, type: user, score: 20}\n";
        let intermediate = "intermediate_findings:\n  entities:\n  - {field: u, type: user, score: \
             90, message: of $u$}\n  - {field: u, type: system, score: 10, message: at $u$}\n";
        let deployments = Deployments::default();
        // The type, the keys, whether there is a notable, its title, its severity, and the messages.
        let both = format!("{finding}{intermediate}");
        type Case<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>, &'a [Option<&'a str>]);
        let cases: [Case<'_>; 6] = [
            ("TTP", finding, Some(("by $Src Host$", "informational")), &[None]),
            ("Anomaly", finding, Some(("by $Src Host$", "informational")), &[None]),
            ("Correlation", finding, Some(("by $Src Host$", "informational")), &[None]),
            ("Anomaly", intermediate, None, &[Some("of $u$"), Some("at $u$")]),
            ("TTP", intermediate, None, &[Some("of $u$"), Some("at $u$")]),
            ("TTP", &both, Some(("by $Src Host$", "informational")), &[None, Some("at $u$")]),
        ];
        for (detection_type, keys, notable, messages) in cases {
            let text = format!("name: n\nid: i\ntype: {detection_type}\nsearch: x\n{keys}");
            let detection = read(&text, Path::new("n.yml"), None, &mut Vec::new()).unwrap();
            let found = detection.notable(&deployments);
            let found_text = found
                .as_ref()
                .map(|found| (found.rule_title.source().to_owned(), found.severity.to_string()));
            let expected = notable.map(|(title, severity)| (title.to_owned(), severity.to_owned()));
            assert_eq!(found_text, expected, "{text}");
            assert_eq!(detection.outcome(&deployments).notable, notable.is_some(), "{text}");
            if let Some(found) = found {
                assert_eq!(found.entities[0].field, "u", "{text}");
            }
            let objects = &detection.risk.as_ref().unwrap().risk_objects;
            let own = objects.iter().map(|object| object.message.as_ref().map(Template::source));
            assert_eq!(own.collect::<Vec<_>>(), messages, "{text}");
        }
        // A deployment in the file decides.
        let own = load(&format!("{finding}deployment: {{alert_action: {{}}}}\n"));
        assert!(!own.outcome(&deployments).notable);
    }

    #[test]
    fn a_test_says_what_it_expects_and_whether_it_runs_by_itself() {
        let detection = load(
            "manual_test: by hand\ncve: [CVE-2021-44228]\nbaselines: [Seen]\ntests:\n- name: a\n  \
             test_type: unit\n  expected_results: 0\n  attack_data:\n  - {data: a.json, index: web, \
             update_timestamp: true}\n- name: b\n  expected_results: 3\n  test_type: Experimental\n  \
             description: later\n  attack_data: [{data: b.json, custom_index: web}]\n- {name: c, \
             test_type: manual}\n- {name: d, test_type: unti}\n",
        );
        let expected: Vec<_> = detection.tests.iter().map(|test| test.expect).collect();
        use Expectation::{Count, None, Results};
        assert_eq!(expected, [None, Count(3), Results, Results]);
        let types: Vec<_> = detection.tests.iter().map(|test| test.test_type.clone()).collect();
        use TestType::{Experimental, Manual, Other, Unit};
        assert_eq!(types, [Unit, Experimental, Manual, Other("unti".to_owned())]);
        let data = |test: usize| &detection.tests[test].attack_data[0];
        assert_eq!(data(0).custom_index.as_deref(), Some("web"));
        assert!(data(0).update_timestamp && !data(1).update_timestamp);
        assert_eq!(data(1).custom_index.as_deref(), Some("web"));
        assert_eq!(detection.tests[1].description, "later");
        assert_eq!(detection.manual_test.as_deref(), Some("by hand"));
        assert_eq!(detection.annotations().cve, ["CVE-2021-44228"]);
        assert_eq!(detection.baselines, ["Seen"]);
    }

    #[test]
    fn a_wrong_flag_of_a_test_is_a_warning() {
        let mut warnings = Vec::new();
        let text = format!(
            "{HEAD}tests:\n- attack_data:\n  - data: a.json\n    update_timestamp: trues\n"
        );
        let detection = read(&text, Path::new("n.yml"), None, &mut warnings).unwrap();
        assert!(!detection.tests[0].attack_data[0].update_timestamp);
        assert_eq!(warnings[0].message, "`update_timestamp` is `trues`: it counts as `false`");
        let span = warnings[0].span().unwrap();
        assert_eq!(&text[span.start..span.end], "trues");
    }

    #[test]
    fn a_detection_without_risk() {
        let detection = load("");
        assert_eq!(detection.risk, None);
        let outcome = detection.outcome(&Deployments::default());
        assert!(outcome.notable && !outcome.risk);
    }

    #[test]
    fn type_and_deployment_decide_the_outcome() {
        let tail = "rba: {message: m, risk_objects: [{field: u, type: user, score: 1}]}\n";
        let cases = [("TTP", true, true), ("Anomaly", false, true), ("Hunting", false, false)];
        let deployments = Deployments::default();
        for (name, notable, risk) in cases.into_iter().chain([("Correlation", true, false)]) {
            let text = format!("name: 100% %name%\nid: 1\ntype: {name}\nsearch: x\n{tail}");
            let detection = read(&text, Path::new("x.yml"), None, &mut Vec::new()).unwrap();
            let outcome = detection.outcome(&deployments);
            assert_eq!((outcome.notable, outcome.risk), (notable, risk), "{name}");
            assert_eq!(detection.notable(&deployments).is_some(), notable);
            if name == "Correlation" {
                let title = detection.notable(&deployments).unwrap().rule_title;
                assert_eq!(title.to_string(), "RBA: 100% %name%");
            }
        }
        let own =
            load(&format!("{tail}deployment: {{alert_action: {{rba: {{enabled: true}}}}}}\n"));
        let outcome = own.outcome(&deployments);
        assert!(!outcome.notable && outcome.risk);
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = fails("name: x\ntype: TTP\n");
        assert_eq!(missing.message, "missing key `search`");
        assert!(missing.span().is_some());
        assert_eq!(fails("search: x\n").message, "missing key `name`");
        assert_eq!(fails("name: ''\nsearch: x\n").message, "missing key `name`");
        assert!(fails("- 1\n").message.contains("invalid type"));
        assert!(fails("").message.contains("missing key"), "{}", fails("").message);
        let period = fails("name: x\nsearch: y\nthrottling: {fields: [a], period: soon}\n");
        assert!(period.message.contains("`soon`"));
        let mut warnings = Vec::new();
        let path = Path::new("a/b.yml");
        let detection = read("name: x\nsearch: y\n", path, None, &mut warnings).unwrap();
        assert_eq!(detection.id, "b");
        assert_eq!(warnings.len(), 2);
    }
}
