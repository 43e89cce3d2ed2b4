//! Extraction of values from XML documents: elements, attributes and texts. Namespaces and document
//! types are not interpreted.

use spilltrail_eval::functions::path::Step;
use std::ops::Range;

/// The maximum depth of nested elements; a deeper document is not well-formed here.
const MAX_DEPTH: usize = 128;

/// An element. The first element of a list is the document itself.
#[derive(Debug, Default)]
pub(in crate::commands) struct Element {
    pub(in crate::commands) name: String,
    pub(in crate::commands) attributes: Vec<(String, String)>,
    pub(in crate::commands) children: Vec<usize>,
    /// The byte range between its tags.
    inner: Range<usize>,
    /// The byte range with its tags.
    outer: Range<usize>,
    is_closed: bool,
}

/// Returns the values at a path: the text of an element, its inner XML if it has child elements,
/// or an attribute. Indices count from 1, as in Splunk for XML.
pub(super) fn at_path(document: &str, steps: &[Step]) -> Vec<String> {
    let (elements, true) = read(document) else { return Vec::new() };
    let mut found = vec![0];
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Key(key) => {
                if let Some(attribute) = attribute_name(key) {
                    return attributes(&elements, &found, attribute);
                }
                // An index applies to the preceding key and is counted within each parent.
                let index = match steps.get(number + 1) {
                    Some(Step::Index(index)) => Some(*index),
                    _ => None,
                };
                found =
                    found.iter().flat_map(|parent| named(&elements, *parent, key, index)).collect();
            }
            Step::Index(_) | Step::Each => {}
        }
    }
    found.retain(|element| *element != 0);
    found.into_iter().map(|element| content(document, &elements[element])).collect()
}

fn attribute_name(key: &str) -> Option<&str> {
    key.strip_prefix("{@")?.strip_suffix('}')
}

fn attributes(elements: &[Element], found: &[usize], name: &str) -> Vec<String> {
    found
        .iter()
        .filter_map(|element| elements[*element].attributes.iter().find(|(known, _)| known == name))
        .map(|(_, value)| value.clone())
        .collect()
}

fn named(elements: &[Element], parent: usize, name: &str, index: Option<usize>) -> Vec<usize> {
    let children = &elements[parent].children;
    let mut named = children.iter().copied().filter(|child| elements[*child].name == name);
    match index {
        None => named.collect(),
        Some(index) => index.checked_sub(1).and_then(|at| named.nth(at)).into_iter().collect(),
    }
}

/// Returns the text of an element, or its inner XML if it has child elements.
pub(in crate::commands) fn content(document: &str, element: &Element) -> String {
    let inner = document.get(element.inner.clone()).unwrap_or_default();
    if element.children.is_empty() { text(inner) } else { inner.trim().to_owned() }
}

/// Returns the texts between the tags of an element's children, without those that are blank, and
/// where each begins in the document.
pub(in crate::commands) fn own_texts(
    document: &str,
    elements: &[Element],
    element: &Element,
) -> Vec<(usize, String)> {
    let ends = element.children.iter().map(|child| elements[*child].outer.clone());
    let last = element.inner.end..element.inner.end;
    let mut start = element.inner.start;
    let mut texts = Vec::new();
    for next in ends.chain([last]) {
        let between = document.get(start..next.start).unwrap_or_default();
        texts.push((start, text(between)));
        start = next.end;
    }
    texts.retain(|(_, text)| !text.is_empty());
    texts
}

/// Returns the texts of elements without child elements, and all attributes, with their paths.
///
/// The path of an attribute is written `path{@name}`. A document that is cut off has the values
/// before the cut; a document that is not well-formed has none.
pub(super) fn leaves(document: &str, is_cut: bool) -> Vec<(String, String)> {
    let (elements, is_whole) = read(document);
    if !is_whole && !is_cut {
        return Vec::new();
    }
    let mut leaves = Vec::new();
    let mut names = vec![String::new(); elements.len()];
    // Elements are in document order, so a parent's path is known before its children's.
    for (number, element) in elements.iter().enumerate() {
        let name = names[number].clone();
        for (attribute, value) in &element.attributes {
            leaves.push((format!("{name}{{@{attribute}}}"), value.clone()));
        }
        for child in &element.children {
            let below = &elements[*child].name;
            names[*child] = if name.is_empty() { below.clone() } else { format!("{name}.{below}") };
        }
        if number > 0 && element.children.is_empty() && element.is_closed {
            let text = content(document, element);
            if !text.is_empty() {
                leaves.push((name, text));
            }
        }
    }
    leaves
}

/// Parses a document as far as it is well-formed; returns the elements, and whether all of it is.
pub(in crate::commands) fn read(document: &str) -> (Vec<Element>, bool) {
    let mut elements = vec![Element::default()];
    let mut open = vec![0];
    let mut at = 0;
    while let Some(start) = document.get(at..).and_then(|rest| rest.find('<')).map(|i| at + i) {
        let Some(next) = tag(document, start, &mut elements, &mut open) else {
            return (elements, false);
        };
        at = next;
    }
    let is_whole = open.len() == 1 && elements.len() > 1;
    (elements, is_whole)
}

/// Parses the tag, comment or other markup whose `<` is at `start`; returns the offset after its
/// end, or `None` if it is not well-formed.
fn tag(
    document: &str,
    start: usize,
    elements: &mut Vec<Element>,
    open: &mut Vec<usize>,
) -> Option<usize> {
    let rest = document.get(start..)?;
    // Comments, CDATA, processing instructions and document types contain no elements.
    for (begin, end) in [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">")] {
        if let Some(inside) = rest.strip_prefix(begin) {
            return Some(start + begin.len() + inside.find(end)? + end.len());
        }
    }
    let end = tag_end(rest)?;
    let inside = &rest[1..end];
    let next = start + end + 1;
    if let Some(name) = inside.strip_prefix('/') {
        let element = *open.last().filter(|element| **element != 0)?;
        if elements[element].name != name.trim() {
            return None;
        }
        elements[element].inner.end = start;
        elements[element].outer.end = next;
        elements[element].is_closed = true;
        open.pop();
        return Some(next);
    }
    let is_empty = inside.ends_with('/');
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    let (name, attributes) =
        inside.split_at(inside.find(char::is_whitespace).unwrap_or(inside.len()));
    if name.is_empty() || open.len() > MAX_DEPTH {
        return None;
    }
    let number = elements.len();
    let parent = *open.last()?;
    elements[parent].children.push(number);
    elements.push(Element {
        name: name.to_owned(),
        attributes: read_attributes(attributes)?,
        children: Vec::new(),
        inner: next..next,
        outer: start..next,
        is_closed: is_empty,
    });
    if !is_empty {
        open.push(number);
    }
    Some(next)
}

/// Returns the offset of the `>` that ends a tag, skipping any in quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '>') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

fn read_attributes(text: &str) -> Option<Vec<(String, String)>> {
    let mut attributes = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, after) = after[1..].split_once(quote)?;
        attributes.push((name.trim().to_owned(), entities(value)));
        rest = after.trim_start();
    }
    Some(attributes)
}

/// Returns the text of an element without child elements: comments are removed and entities are
/// replaced.
pub(in crate::commands) fn text(inner: &str) -> String {
    let mut result = String::new();
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('<') {
        result.push_str(&entities(before));
        if let Some(data) = after.strip_prefix("![CDATA[") {
            let (data, after) = data.split_once("]]>").unwrap_or((data, ""));
            result.push_str(data);
            rest = after;
        } else if after.starts_with("!--") {
            rest = after.split_once("-->").map_or("", |(_, after)| after);
        } else {
            rest = after.split_once('>').map_or("", |(_, after)| after);
        }
    }
    result.push_str(&entities(rest));
    result.trim().to_owned()
}

/// Returns the text with its entities replaced by their characters.
pub(in crate::commands) fn entities(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        result.push_str(before);
        let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'#';
        let end = after.bytes().position(|byte| !is_of_name(byte)).unwrap_or(after.len());
        let known =
            after[end..].strip_prefix(';').and_then(|rest| Some((entity(&after[..end])?, rest)));
        match known {
            Some((c, after)) => {
                result.push(c);
                rest = after;
            }
            None => {
                result.push('&');
                rest = after;
            }
        }
    }
    result.push_str(rest);
    result
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            // XML has no NUL.
            char::from_u32(code).filter(|c| *c != '\0')?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use spilltrail_eval::functions::path;

    const DOCUMENT: &str = r#"<?xml version="1.0"?><!-- users -->
<users of="a &amp; b"><user id="1>0"><name>ann &lt;x&gt;</name></user>
<user id='2'><name><![CDATA[b<b]]></name><empty/></user></users>"#;

    #[test]
    fn values_at_paths() {
        for (path, expected) in [
            ("users.user.name", "ann <x>|b<b"),
            ("users.user{2}.name", "b<b"),
            ("users.user{}{@id}", "1>0|2"),
            ("users{@of}", "a & b"),
            ("users.user{1}", "<name>ann &lt;x&gt;</name>"),
            ("users.none", ""),
            ("users.user{0}.name", ""),
        ] {
            assert_eq!(at_path(DOCUMENT, &path::parse(path)).join("|"), expected, "{path}");
        }
    }

    #[test]
    fn all_leaves() {
        let leaves = leaves(DOCUMENT, false);
        let shown: Vec<String> =
            leaves.iter().map(|(name, text)| format!("{name}={text}")).collect();
        let expected = [
            "users{@of}=a & b",
            "users.user{@id}=1>0",
            "users.user.name=ann <x>",
            "users.user{@id}=2",
            "users.user.name=b<b",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn documents_in_error_and_cut_off() {
        for document in ["<a>", "<a><b></a>", "<a x=1></a>", "</a>", "<", "<a"] {
            assert_eq!(leaves(document, false), [], "{document}");
        }
        let cut = leaves("<a><b>1</b><c>2", true);
        assert_eq!(cut, [("a.b".to_owned(), "1".to_owned())]);
        let deep = "<a>".repeat(10_000) + &"</a>".repeat(10_000);
        assert_eq!(leaves(&deep, false), []);
    }
}
