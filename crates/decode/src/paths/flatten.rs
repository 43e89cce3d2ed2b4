//! Lists every value of a record with its name, for searches that want all fields.

use super::{Arrays, Span, is_scalar_array, scalar};
use crate::json::{for_each_member, skip_space, string_end, unescape, value_end};

/// Values with longer names (in bytes) are dropped when all fields are wanted.
const MAX_NAME: usize = 4096;

/// Calls `visit` with the name and the span of every value in a record, in the order of the text.
///
/// Empty objects and arrays give no field; `null` becomes the text `null`.
pub(crate) fn flatten(record: &str, arrays: Arrays, visit: &mut dyn FnMut(&str, Span)) {
    let mut name = String::new();
    let start = skip_space(record.as_bytes(), 0);
    flatten_object(record, start, Some(arrays), &mut name, visit);
}

/// Walks an object; `outermost` is the naming of arrays, set for the outermost object only.
fn flatten_object(
    record: &str,
    start: usize,
    outermost: Option<Arrays>,
    name: &mut String,
    visit: &mut dyn FnMut(&str, Span),
) -> usize {
    let mut last = start + 1;
    let outer = name.len();
    for_each_member(&record.as_bytes()[start..], |key, value| {
        if outermost.is_none() {
            name.push('.');
        }
        let key = record.get(start + key.start..start + key.end).unwrap_or_default();
        name.push_str(&unescape(key));
        let arrays = outermost.unwrap_or(Arrays::Braced);
        last = flatten_value(record, start + value, arrays, name, visit);
        name.truncate(outer);
        Some(last - start)
    });
    (skip_space(record.as_bytes(), last) + 1).min(record.len())
}

fn flatten_value(
    record: &str,
    at: usize,
    arrays: Arrays,
    name: &mut String,
    visit: &mut dyn FnMut(&str, Span),
) -> usize {
    let bytes = record.as_bytes();
    if name.len() > MAX_NAME {
        return value_end(bytes, at);
    }
    match bytes.get(at) {
        Some(b'{') => flatten_object(record, at, None, name, visit),
        Some(b'[') => {
            let outer = name.len();
            if arrays == Arrays::Braced || !is_scalar_array(bytes, at) {
                name.push_str("{}");
            }
            let mut at = skip_space(bytes, at + 1);
            while at < bytes.len() && bytes[at] != b']' {
                let end = flatten_value(record, at, Arrays::Braced, name, visit);
                at = skip_space(bytes, end.max(at + 1));
                if bytes.get(at) == Some(&b',') {
                    at = skip_space(bytes, at + 1);
                }
            }
            name.truncate(outer);
            (at + 1).min(bytes.len())
        }
        _ => {
            let string = (bytes.get(at) == Some(&b'"')).then(|| string_end(bytes, at + 1));
            let (span, end) = scalar(bytes, at, string);
            visit(name, span);
            end
        }
    }
}
