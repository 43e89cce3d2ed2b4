//! The form of Splunk's configuration files: sections with settings.

use std::borrow::Cow;

use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Span};

/// The section whose settings are those of all others that do not have them.
const DEFAULT: &str = "default";

/// The sections of a configuration file, in order.
pub(crate) struct Configuration<'a> {
    /// By their names, each once.
    sections: IndexMap<&'a str, Section<'a>>,
}

/// A section of a configuration file.
pub(crate) struct Section<'a> {
    pub(crate) name: &'a str,
    /// The line with the name.
    pub(crate) span: Span,
    settings: Vec<Setting<'a>>,
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

impl<'a> Configuration<'a> {
    /// Returns the sections that define something, which `default` does not.
    pub(crate) fn sections(&self) -> impl Iterator<Item = &Section<'a>> {
        self.sections.values().filter(|section| section.name != DEFAULT)
    }

    /// Returns all settings of a section by their keys, with those that all sections have.
    pub(crate) fn settings<'s>(
        &'s self,
        section: &'s Section<'a>,
    ) -> IndexMap<&'a str, &'s Setting<'a>> {
        let mut settings = section.settings();
        for (key, setting) in self.sections.get(DEFAULT).into_iter().flat_map(Section::settings) {
            settings.entry(key).or_insert(setting);
        }
        settings
    }

    /// Returns the setting of a section with this key, or the one that all sections have.
    pub(crate) fn setting<'s>(
        &'s self,
        section: &'s Section<'a>,
        key: &str,
    ) -> Option<&'s Setting<'a>> {
        let default = self.sections.get(DEFAULT);
        std::iter::once(section).chain(default).find_map(|section| section.setting(key))
    }
}

impl<'a> Section<'a> {
    /// Returns the settings by their keys. Of those with the same key, Splunk uses the last.
    pub(crate) fn settings(&self) -> IndexMap<&'a str, &Setting<'a>> {
        self.settings.iter().map(|setting| (setting.key, setting)).collect()
    }

    /// Returns the last setting with this key.
    fn setting(&self, key: &str) -> Option<&Setting<'a>> {
        self.settings.iter().rev().find(|setting| setting.key == key)
    }
}

/// Reads the sections of a file. Settings before the first section are those of a section `default`,
/// and those of sections with the same name are in one.
/// A line that is none of this is reported, because what it was to say is lost.
pub(crate) fn read<'a>(text: &'a str, problems: &mut Vec<Diagnostic>) -> Configuration<'a> {
    let mut sections = IndexMap::new();
    let mut current = DEFAULT;
    let mut rest = text;
    while !rest.is_empty() {
        let offset = text.len() - rest.len();
        let first = &rest[..line_length(rest)];
        // A comment and a name do not go on in the next line.
        let is_setting = !first.trim_start().starts_with(['#', '[']);
        let length = if is_setting { setting_length(rest) } else { first.len() };
        let (line, after) = rest.split_at(length);
        rest = after;
        let trimmed = line.trim();
        let start = offset + (line.len() - line.trim_start().len());
        let span = Span::new(start, start + trimmed.len());
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name;
            sections.entry(name).or_insert(Section { name, span, settings: Vec::new() });
        } else if let Some((key, value)) = trimmed.split_once('=') {
            let unnamed = Span::new(0, 0);
            let section = sections.entry(current).or_insert(Section {
                name: current,
                span: unnamed,
                settings: Vec::new(),
            });
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
    Configuration { sections }
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
            let found = read(text, &mut problems).sections;
            let shown = found.values().map(|section| {
                let settings = section.settings.iter();
                let shown = settings.map(|setting| format!(" {}={}", setting.key, setting.value));
                format!("{}:{}", section.name, shown.collect::<String>())
            });
            assert_eq!(shown.collect::<Vec<_>>().join("; "), expected, "{text:?}");
            let place = problems.first().and_then(Diagnostic::span);
            assert_eq!(place.map(|span| &text[span.start..span.end]), told, "{text:?}");
            for setting in found.values().flat_map(|section| &section.settings) {
                let place = &text[setting.start..setting.start + setting.value.len()];
                assert_eq!(joined(place), setting.value, "{text:?}");
            }
        }
    }

    #[test]
    fn settings_of_all_sections() {
        let text =
            "a = 0\n[x]\nb = 1\n[default]\na = 2\nc = 3\n[y]\na = 5\nb =\n[x]\nb = 6\n[y]\na = 4\n";
        let configuration = read(text, &mut Vec::new());
        let shown = configuration.sections().map(|section| {
            let shown = ["a", "b", "c", "d"].map(|key| {
                configuration.setting(section, key).map_or("-", |setting| setting.value.as_ref())
            });
            format!("{}: {}", section.name, shown.join(" "))
        });
        assert_eq!(shown.collect::<Vec<_>>(), ["x: 2 6 3 -", "y: 4  3 -"]);
    }

    #[test]
    fn empty_lines_are_read_once() {
        let text = format!("{}[a]\nb = c{}", "\n".repeat(2_000_000), " \n".repeat(1_000_000));
        let start = std::time::Instant::now();
        assert_eq!(read(&text, &mut Vec::new()).sections.len(), 1);
        // With each line looking through all that follow, it takes an hour.
        assert!(start.elapsed().as_secs() < 30);
    }
}
