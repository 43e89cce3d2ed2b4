//! Finds a key that a map has twice.

use spilltrail_diagnostic::Span;

/// Returns the place of the second `key` of the map that begins at `start`, to the end of its line.
pub(super) fn place(text: &str, start: usize, key: &str) -> Option<Span> {
    let map = text.get(start..)?;
    let found = if map.starts_with('{') {
        in_braces(map, key)
    } else {
        let line = text[..start].rfind('\n').map_or(0, |end| end + 1);
        in_lines(map, text[line..start].chars().count(), key)
    };
    let found = start + found?;
    let end = text[found..].find('\n').map_or(text.len(), |length| found + length);
    Some(Span::new(found, found + text[found..end].trim_end().len()))
}

/// Returns the second offset of a key in a map of lines with this indentation. That of the first line
/// is not a part of `map`.
fn in_lines(map: &str, indentation: usize, key: &str) -> Option<usize> {
    let mut offset = 0;
    let mut is_known = false;
    for (number, line) in map.split_inclusive('\n').enumerate() {
        let content = line.trim_start_matches(' ');
        let indent = if number == 0 { indentation } else { line.len() - content.len() };
        let is_blank = content.trim().is_empty() || content.starts_with('#');
        if indent < indentation && !is_blank {
            return None;
        }
        if indent == indentation && is_key(content, key) {
            if is_known {
                return Some(offset + (line.len() - content.len()));
            }
            is_known = true;
        }
        offset += line.len();
    }
    None
}

/// Returns the second offset of a key in a map in braces, but not in maps inside it.
fn in_braces(map: &str, key: &str) -> Option<usize> {
    let (mut depth, mut quote, mut is_known) = (0usize, None, false);
    // Whether a key may begin here.
    let mut begins = false;
    for (offset, c) in map.char_indices() {
        let is_blank = c.is_whitespace();
        if begins && !is_blank && depth == 1 && is_key(&map[offset..], key) {
            if is_known {
                return Some(offset);
            }
            is_known = true;
        }
        begins = begins && is_blank;
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']') => depth = depth.checked_sub(1).filter(|depth| *depth > 0)?,
            (None, _) => {}
        }
        begins |= quote.is_none() && matches!(c, '{' | ',');
    }
    None
}

/// Returns true if a text begins with a key and its colon.
fn is_key(text: &str, key: &str) -> bool {
    let text = text.trim_start_matches(['"', '\'']);
    let rest = text.strip_prefix(key).map(|rest| rest.trim_start_matches(['"', '\'']));
    rest.is_some_and(|rest| rest.trim_start_matches(' ').starts_with(':'))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use crate::yaml::read;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "only its key is read")]
        name: Option<String>,
        #[expect(dead_code, reason = "only its key is read")]
        inner: Option<Vec<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "only its key is read")]
        name: Option<String>,
    }

    #[test]
    fn a_key_is_told_where_it_is_repeated() {
        for (text, expected) in [
            ("name: a\nname: b \n", "2:1 the key `name` is there twice"),
            (
                "# x\n\nname: |-\n  a\n  name: a\n# y\n\n\"name\": b\n",
                "8:1 the key `name` is there twice",
            ),
            (
                "name: a\ninner:\n- name: b\n- name: c\n  # d\n  name : d\n",
                "6:3 inner[1]: the key `name` is there twice",
            ),
            (
                "{x: {name: a, name: b}, name: ',name: c', \"inner\": [{name: d}],\n 'name': e}\n",
                "2:2 the key `name` is there twice",
            ),
            (
                "inner:\n  - {name: a, name: b}\nname: c\n",
                "2:15 inner[0]: the key `name` is there twice",
            ),
        ] {
            let error = read::<Outer>(text).unwrap_err();
            let before = &text[..error.span().unwrap().start];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            assert_eq!(format!("{line}:{column} {}", error.message), expected, "{text}");
        }
    }
}
