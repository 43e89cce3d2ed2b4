//! Generates the reference of fields, the catalog of the built-in pack, and the members of the
//! objects that `hunt` prints.

use std::fmt::Write;

use serde_json::Value as Json;
use spilltrail_content::{BuiltinPack, ContentSet, Detection, attack};
use spilltrail_decode::{FieldDoc, field_docs};
use spilltrail_event::Kind;

/// Returns the derived fields of CloudTrail events: first those with a value of their own, then
/// other names for members.
pub(super) fn fields() -> String {
    let mut text = String::from("## Calculated fields\n\n| Field | Meaning |\n|---|---|\n");
    let docs = field_docs();
    for field in docs.iter().filter(|field| !field.is_alias) {
        let _ = writeln!(text, "| `{}` | {}{} |", field.name, field.meaning, notes(field));
    }
    text.push_str("\n## Other names for members\n\n| Field | Member | Meaning |\n|---|---|---|\n");
    for field in docs.iter().filter(|field| field.is_alias) {
        let member = field.members.join("`, `");
        let meaning = format!("{}{}", field.meaning, notes(field));
        let _ = writeln!(text, "| `{}` | `{member}` | {meaning} |", field.name);
    }
    text
}

/// Returns what is special about a field.
fn notes(field: &FieldDoc) -> String {
    let mut notes = String::new();
    if field.kind == Kind::Multi {
        notes.push_str(" Multivalue.");
    }
    if !field.in_ta70 {
        notes.push_str(" Not with `--profile ta-7.0`.");
    }
    notes
}

/// Returns the detections of the built-in pack by technique, then what each looks for.
pub(super) fn pack() -> String {
    let (content, _) = ContentSet::load(&[], BuiltinPack::Included);
    let mut detections: Vec<&Detection> = content.detections.iter().collect();
    detections.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = format!("{} detections.\n\n## By technique\n\n", detections.len());
    text.push_str("| Technique | Tactics | Detections |\n|---|---|---|\n");
    let mut techniques: Vec<&String> =
        detections.iter().flat_map(|detection| &detection.mitre_attack_id).collect();
    techniques.sort();
    techniques.dedup();
    for technique in techniques {
        let name = attack::name(technique).unwrap_or_default();
        let tactics: Vec<String> =
            attack::tactics(technique).iter().map(|tactic| tactic.title()).collect();
        let using: Vec<String> = detections
            .iter()
            .filter(|detection| detection.mitre_attack_id.contains(technique))
            .map(|detection| link(detection))
            .collect();
        let tactics = tactics.join(", ");
        let _ = writeln!(text, "| {technique} {name} | {tactics} | {} |", using.join("<br>"));
    }
    text.push_str("\n## The detections\n");
    for detection in detections {
        let _ = write!(text, "\n{}", entry(detection));
    }
    text
}

fn link(detection: &Detection) -> String {
    format!("[{}](#{})", detection.name, detection.name.to_lowercase().replace(' ', "-"))
}

fn entry(detection: &Detection) -> String {
    let mut text = format!("### {}\n\n{}\n\n", detection.name, detection.description.trim());
    let score = detection
        .risk
        .as_ref()
        .and_then(|risk| risk.risk_objects.iter().map(|object| object.score).max());
    let _ = write!(text, "- {}", detection.detection_type);
    if let Some(score) = score {
        let _ = write!(text, ", risk score {score}");
    }
    let techniques = detection.mitre_attack_id.join(", ");
    let _ = writeln!(text, "; {techniques}");
    let _ = writeln!(text, "- Reads: {}", detection.data_source.join(", "));
    let _ = writeln!(text, "- False positives: {}", detection.known_false_positives.trim());
    let _ = writeln!(text, "- Filter macro: `{}_filter`", detection.file_stem);
    text
}

/// Returns the members of the objects that `hunt` prints, as their schemas describe them.
pub(super) fn objects() -> String {
    let finding = include_str!("../../../docs/schema/finding.schema.json");
    let summary = include_str!("../../../docs/schema/summary.schema.json");
    let finding = serde_json::from_str(finding).expect("the schema is JSON");
    let summary = serde_json::from_str(summary).expect("the schema is JSON");
    let mut text = String::from("## A finding\n");
    members(&mut text, &finding);
    text.push_str(
        "\n## The summary\n\nThe last object of `--summary` has one member, `summary`:\n",
    );
    members(&mut text, &summary);
    text
}

fn members(text: &mut String, schema: &Json) {
    text.push_str("\n| Member | Type | Meaning |\n|---|---|---|\n");
    add_members(text, schema, schema, "");
}

/// Adds the members of an object, and those of objects and lists in it, by their paths.
fn add_members(text: &mut String, root: &Json, object: &Json, prefix: &str) {
    let required = object["required"].as_array();
    for (name, schema) in object["properties"].as_object().into_iter().flatten() {
        let described = schema["description"].as_str();
        let schema = resolved(root, schema);
        let path = format!("{prefix}{name}");
        let meaning = described.or(schema["description"].as_str()).unwrap_or_default();
        let is_optional = !required.is_some_and(|names| names.iter().any(|one| one == name));
        let optional = if is_optional { ", optional" } else { "" };
        let type_name = type_name(root, schema);
        let _ = writeln!(text, "| `{path}` | {type_name}{optional} | {meaning} |");
        add_members(text, root, schema, &format!("{path}."));
        add_members(text, root, &schema["items"], &format!("{path}[]."));
    }
}

/// Follows a reference of a schema.
fn resolved<'a>(root: &'a Json, schema: &'a Json) -> &'a Json {
    let pointer = schema["$ref"].as_str().and_then(|text| text.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

fn type_name(root: &Json, schema: &Json) -> String {
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(constant) = schema.get("const") {
        return format!("`{}`", text(constant));
    }
    if let Some(values) = schema["enum"].as_array() {
        return values
            .iter()
            .map(|value| format!("`{}`", text(value)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let types = match &schema["type"] {
        Json::Array(types) => types.iter().map(text).collect::<Vec<_>>().join(" or "),
        one => text(one),
    };
    match resolved(root, &schema["items"])["type"].as_str() {
        Some(item) if types == "array" => format!("array of {item}s"),
        _ => types,
    }
}
