//! Validates JSON against the schemas in `docs/schema`. It supports only the keywords they use.

use serde_json::Value as Json;

/// Returns the violations in a value, and the members that the schema does not describe.
pub(crate) fn problems(schema: &Json, value: &Json) -> Vec<String> {
    let mut problems = Vec::new();
    check(schema, schema, value, "$", &mut problems);
    problems
}

fn check(root: &Json, schema: &Json, value: &Json, path: &str, problems: &mut Vec<String>) {
    let mut wrong = |what: String| problems.push(format!("{path}: {what}"));
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let pointer = rule.as_str().and_then(|text| text.strip_prefix('#')).unwrap();
                let target = root.pointer(pointer).expect("a reference leads somewhere");
                check(root, target, value, path, problems);
                return;
            }
            "type" => {
                let types: Vec<&Json> = rule.as_array().map_or(vec![rule], |t| t.iter().collect());
                if !types.iter().any(|name| is_of_type(value, name.as_str().unwrap())) {
                    wrong(format!("{value} is not {rule}"));
                }
            }
            "const" if value != rule => wrong(format!("{value} is not {rule}")),
            "enum" if !rule.as_array().unwrap().contains(value) => {
                wrong(format!("{value} is not one of {rule}"));
            }
            "minimum" if value.as_f64().is_some_and(|number| number < rule.as_f64().unwrap()) => {
                wrong(format!("{value} is below {rule}"));
            }
            "pattern" if value.as_str().is_some_and(|text| !is_like(rule, text)) => {
                wrong(format!("{value} is not like {rule}"));
            }
            "required" => {
                for name in rule.as_array().unwrap().iter().filter(|name| lacks(value, name)) {
                    wrong(format!("{name} is missing"));
                }
            }
            "dependentRequired" => {
                for (name, others) in rule.as_object().unwrap() {
                    let is_there = value.get(name).is_some();
                    let mut others = others.as_array().unwrap().iter();
                    if others.any(|other| is_there == lacks(value, other)) {
                        wrong(format!("`{name}` and {rule} go together"));
                    }
                }
            }
            "const"
            | "enum"
            | "minimum"
            | "pattern"
            | "properties"
            | "additionalProperties"
            | "items" => {}
            other => panic!("the checker does not know `{other}`"),
        }
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        check(root, &schema["items"], item, &format!("{path}[{number}]"), problems);
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let described =
            schema["properties"].get(name).or_else(|| schema.get("additionalProperties"));
        match described {
            Some(described) => check(root, described, member, &path, problems),
            None => problems.push(format!("{path}: not described")),
        }
    }
}

fn lacks(value: &Json, name: &Json) -> bool {
    value.get(name.as_str().unwrap()).is_none()
}

fn is_of_type(value: &Json, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("`{other}` is not a type"),
    }
}

/// Returns true if `text` matches a pattern; only the patterns of the schemas are supported.
fn is_like(pattern: &Json, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match pattern.as_str().unwrap() {
        "^[0-9a-f]{32}(-[0-9]+)?$" => {
            let (id, number) = text.split_once('-').unwrap_or((text, "0"));
            let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            id.len() == 32 && id.bytes().all(is_hex) && digits(number)
        }
        "^SPL[0-9]{4}$" => text.strip_prefix("SPL").is_some_and(|n| n.len() == 4 && digits(n)),
        other => panic!("the checker does not know `{other}`"),
    }
}
