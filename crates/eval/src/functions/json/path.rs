//! Paths into JSON documents, such as `a.b`, `a{}`, `a{0}` or `{}.b`. Dots always separate keys.

use serde_json::{Map, Value as Json};

/// One step of a path, from a value to its children.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The value of this key of an object.
    Key(String),
    /// The element of an array at this index.
    Index(usize),
    /// Every element of an array.
    Each,
}

impl Step {
    /// Returns the key, if it can be written in a path between dots.
    pub fn plain_key(&self) -> Option<&str> {
        match self {
            Self::Key(key) if !key.contains(['.', '(', ')', '{', '*']) => Some(key),
            _ => None,
        }
    }
}

/// Maximum depth to which a document is extended. JSON parsers stop at a depth of 128.
const DEEPEST: usize = 100;

/// Returns the steps of a path. The empty path has no steps. Braces around text that is not a
/// number are a key, including the braces.
pub fn parse(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (key, mut rest) = part.find('{').map_or((part, ""), |at| part.split_at(at));
        if !key.is_empty() {
            steps.push(Step::Key(key.to_owned()));
        }
        while let Some((inside, after)) =
            rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        {
            steps.push(match inside {
                "" => Step::Each,
                number => match number.parse() {
                    Ok(index) => Step::Index(index),
                    Err(_) => Step::Key(format!("{{{inside}}}")),
                },
            });
            rest = after;
        }
    }
    steps
}

/// Returns every value that the steps select.
pub fn find<'a>(json: &'a Json, steps: &[Step]) -> Vec<&'a Json> {
    walk(json, steps, false)
}

/// Returns every value that the steps select by the rules of `spath`: `{}` applied to a value that
/// is not an array selects the value itself.
pub fn find_in_document<'a>(json: &'a Json, steps: &[Step]) -> Vec<&'a Json> {
    walk(json, steps, true)
}

fn walk<'a>(json: &'a Json, steps: &[Step], each_of_single: bool) -> Vec<&'a Json> {
    let mut found = vec![json];
    for step in steps {
        found = found
            .into_iter()
            .flat_map(|json| match (step, json) {
                (Step::Key(key), Json::Object(object)) => object.get(key).into_iter().collect(),
                (Step::Index(index), Json::Array(array)) => array.get(*index).into_iter().collect(),
                (Step::Each, Json::Array(array)) => array.iter().collect(),
                (Step::Each, single) if each_of_single => vec![single],
                _ => Vec::new(),
            })
            .collect();
    }
    found
}

/// Calls `change` with every value that the steps select.
pub fn each_mut(json: &mut Json, steps: &[Step], change: &mut dyn FnMut(&mut Json)) {
    let Some((step, rest)) = steps.split_first() else { return change(json) };
    match (step, json) {
        (Step::Key(key), Json::Object(object)) => {
            if let Some(inner) = object.get_mut(key) {
                each_mut(inner, rest, change);
            }
        }
        (Step::Index(index), Json::Array(array)) => {
            if let Some(inner) = array.get_mut(*index) {
                each_mut(inner, rest, change);
            }
        }
        (Step::Each, Json::Array(array)) => {
            array.iter_mut().for_each(|inner| each_mut(inner, rest, change));
        }
        _ => {}
    }
}

/// Sets the value that the steps select, and creates missing keys.
///
/// Changes nothing if a step does not fit the type of a value, an element does not exist, or the
/// path has more than 100 steps.
pub fn set(json: &mut Json, steps: &[Step], value: &Json) {
    if steps.len() > DEEPEST {
        return;
    }
    let Some((step, rest)) = steps.split_first() else {
        *json = value.clone();
        return;
    };
    match (step, json) {
        (Step::Key(key), Json::Object(object)) => {
            if let Some(inner) = object.get_mut(key) {
                set(inner, rest, value);
            } else if let Some(chain) = chain(rest, value) {
                object.insert(key.clone(), chain);
            }
        }
        (Step::Index(index), Json::Array(array)) => {
            if let Some(inner) = array.get_mut(*index) {
                set(inner, rest, value);
            }
        }
        (Step::Each, Json::Array(array)) => {
            array.iter_mut().for_each(|inner| set(inner, rest, value));
        }
        _ => {}
    }
}

/// Returns nested objects that contain the value; `None` if a step is not a key.
fn chain(steps: &[Step], value: &Json) -> Option<Json> {
    steps.iter().rev().try_fold(value.clone(), |inner, step| match step {
        Step::Key(key) => Some(Json::Object(Map::from_iter([(key.clone(), inner)]))),
        _ => None,
    })
}

/// Removes the value that the keys select.
pub fn delete(json: &mut Json, steps: &[Step]) {
    let Some((Step::Key(last), parents)) = steps.split_last() else { return };
    each_mut(json, parents, &mut |parent| {
        if let Json::Object(object) = parent {
            object.shift_remove(last);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn steps() {
        let key = |key: &str| Step::Key(key.to_owned());
        for (path, steps) in [
            ("", vec![]),
            ("a.b", vec![key("a"), key("b")]),
            ("a{}.b{2}", vec![key("a"), Step::Each, key("b"), Step::Index(2)]),
            ("{}", vec![Step::Each]),
            ("a{@id}", vec![key("a"), key("{@id}")]),
            ("a{", vec![key("a")]),
        ] {
            assert_eq!(parse(path), steps, "{path}");
        }
    }

    #[test]
    fn values_are_found() {
        let document = json!({"a": [{"b": 1}, {"b": 2}, 3], "c.d": 4});
        for (path, values) in
            [("a{}.b", json!([1, 2])), ("a{2}", json!([3])), ("a.b", json!([])), ("c.d", json!([]))]
        {
            let found: Json = find(&document, &parse(path)).into_iter().cloned().collect();
            assert_eq!(found, values, "{path}");
        }
    }

    #[test]
    fn values_are_set_and_deleted() {
        for (path, result) in [
            ("a", json!({"a": 0, "b": {"c": 2}})),
            ("b.d.e", json!({"a": 1, "b": {"c": 2, "d": {"e": 0}}})),
            ("a.x", json!({"a": 1, "b": {"c": 2}})),
            ("n{}.x", json!({"a": 1, "b": {"c": 2}})),
        ] {
            let mut document = json!({"a": 1, "b": {"c": 2}});
            set(&mut document, &parse(path), &json!(0));
            assert_eq!(document, result, "{path}");
        }
        let mut document = json!({"a": 1, "b": {"c": 2}});
        delete(&mut document, &parse("b.c"));
        delete(&mut document, &parse("x.y"));
        assert_eq!(document, json!({"a": 1, "b": {}}));
    }
}
