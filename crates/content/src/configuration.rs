//! The form of Splunk's configuration files: sections with settings.

use std::borrow::Cow;

use spilltrail_diagnostic::{Code, Diagnostic, Span};

/// A section of a configuration file.
pub(crate) struct Section<'a> {
    pub(crate) name: &'a str,
    /// The line with the name.
    pub(crate) span: Span,
    pub(crate) settings: Vec<Setting<'a>>,
}

/// A line `key = value` of a section.
pub(crate) struct Setting<'a> {
    pub(crate) key: &'a str,
    /// The value, as long as it is in the file: where it goes on in the next line, a blank replaces
    /// the backslash.
    pub(crate) value: Cow<'a, str>,
    /// The offset of the value in the file.
    pub(crate) start: usize,
}

impl<'a> Section<'a> {
    /// Returns the last setting with this key, which is the one that Splunk uses.
    pub(crate) fn setting(&self, key: &str) -> Option<&Setting<'a>> {
        self.settings.iter().rev().find(|setting| setting.key == key)
    }
}

/// Reads the sections of a file. Settings before the first section are those of a section `default`.
/// A line that is none of this is reported, because what it was to say is lost.
pub(crate) fn sections<'a>(text: &'a str, problems: &mut Vec<Diagnostic>) -> Vec<Section<'a>> {
    let mut sections: Vec<Section<'a>> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let offset = text.len() - rest.len();
        let trimmed = rest.trim_start();
        // A comment and a name do not go on in the next line.
        let is_setting = !trimmed.starts_with(['#', '[']);
        let length = if is_setting { setting_length(rest) } else { line_length(rest) };
        let (line, after) = rest.split_at(length);
        rest = after;
        let trimmed = line.trim();
        let start = offset + (line.len() - line.trim_start().len());
        let span = Span::new(start, start + trimmed.len());
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            sections.push(Section { name, span, settings: Vec::new() });
        } else if let Some((key, value)) = trimmed.split_once('=') {
            if sections.is_empty() {
                let span = Span::new(0, 0);
                sections.push(Section { name: "default", span, settings: Vec::new() });
            }
            let section = sections.last_mut().expect("there is a section");
            let start = span.end - value.trim_start().len();
            section.settings.push(Setting { key: key.trim(), value: joined(value.trim()), start });
        } else {
            let message = "expected `[name]` or `key = value`";
            problems.push(
                Diagnostic::warning(Code::UNKNOWN_KEY, message)
                    .at(span)
                    .help("end the line before it with `\\` if its value goes on here"),
            );
        }
    }
    sections
}

fn line_length(text: &str) -> usize {
    text.find('\n').map_or(text.len(), |end| end + 1)
}

/// Returns the length of a line with the lines on which it goes on.
fn setting_length(text: &str) -> usize {
    let mut length = 0;
    for line in text.split_inclusive('\n') {
        length += line.len();
        if !without_end(line).ends_with('\\') {
            break;
        }
    }
    length
}

fn without_end(line: &str) -> &str {
    line.trim_end_matches(['\n', '\r'])
}

/// Puts blanks in place of the backslashes at the ends of lines.
fn joined(value: &str) -> Cow<'_, str> {
    if !value.contains('\n') {
        return Cow::Borrowed(value);
    }
    let mut text = String::with_capacity(value.len());
    for line in value.split_inclusive('\n') {
        match without_end(line).strip_suffix('\\') {
            Some(kept) => {
                text.push_str(kept);
                text.push(' ');
                text.push_str(&line[kept.len() + 1..]);
            }
            None => text.push_str(line),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_settings() {
        for (text, expected, told) in [
            ("a = 1\n[b]\nc=d = e \n", "default: a=1; b: c=d = e", None),
            ("# x = 1 \\\n[b]\r\nc = d \\\r\n  e\\\r\nf\r\ng=h", "b: c=d  \r\n  e \r\nf g=h", None),
            ("[b]\n\n \\\nc=d\\", "b: \\\nc=d\\", None),
            ("[b]\nc = d\n  e\n", "b: c=d", Some("e")),
            ("[b\nc = d\n", "default: c=d", Some("[b")),
            ("[é]\nö = ü\\\nß\n\tx y\n", "é: ö=ü \nß", Some("x y")),
        ] {
            let mut problems = Vec::new();
            let found = sections(text, &mut problems);
            let shown = found.iter().map(|section| {
                let settings = section.settings.iter();
                let shown = settings.map(|setting| format!(" {}={}", setting.key, setting.value));
                format!("{}:{}", section.name, shown.collect::<String>())
            });
            assert_eq!(shown.collect::<Vec<_>>().join("; "), expected, "{text:?}");
            let place = problems.first().and_then(Diagnostic::span);
            assert_eq!(place.map(|span| &text[span.start..span.end]), told, "{text:?}");
            for setting in found.iter().flat_map(|section| &section.settings) {
                let place = &text[setting.start..setting.start + setting.value.len()];
                assert_eq!(joined(place), setting.value, "{text:?}");
            }
        }
    }
}
