//! Lookups: how fields are matched and where the rows are. Rows are read only when a search needs
//! them.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, similar};
use spilltrail_knowledge::TableRows;

use crate::files::read_bounded;
use crate::keys;
use crate::set::ContentProblem;
use crate::table::{self, TableProblem};
use crate::yaml::{self, Count, Flag, MAX_YAML_BYTES, Text, Texts};

/// Maximum size of a CSV file, in bytes.
pub const MAX_CSV_BYTES: u64 = 64 << 20;

/// A lookup definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The name in searches; a CSV file without a definition has the name of the file.
    pub name: String,
    /// The description of the lookup.
    pub description: String,
    /// The location of the rows.
    pub source: LookupSource,
    /// The fields in the definition, which are the fields of a collection.
    pub fields: Vec<String>,
    /// How fields are matched; fields that are not listed are matched exactly.
    pub match_type: IndexMap<String, MatchType>,
    /// Whether matching is case-sensitive, which is the default.
    pub case_sensitive_match: bool,
    /// Minimum number of matches; with fewer, `default_match` is used.
    pub min_matches: Option<u64>,
    /// Maximum number of matches per event.
    pub max_matches: Option<u64>,
    /// The value of the output fields if the event has too few matches.
    pub default_match: Option<String>,
    /// The path of the file with the definition.
    pub path: PathBuf,
}

/// Returns the name of a lookup without the extension of its file: searches write it either way.
#[must_use]
pub fn lookup_stem(name: &str) -> &str {
    name.strip_suffix(".csv").unwrap_or(name)
}

/// The location of a lookup's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupSource {
    /// A CSV file.
    File(PathBuf),
    /// A CSV file embedded in the program.
    Embedded(&'static str),
    /// A collection with this name, initially empty.
    Collection(String),
    /// A file that is named in content but missing; it reads as empty.
    Missing(String),
}

/// How the values of a field are matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MatchType {
    /// The values are equal.
    Exact,
    /// The value in the table is a pattern with `*`.
    Wildcard,
    /// The value in the table is a CIDR block.
    Cidr,
}

/// The rows of a lookup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookupRows {
    /// Names of the columns, in order.
    pub fields: Vec<String>,
    /// The rows; each has one cell per column.
    pub rows: TableRows,
    /// What is wrong with the text of the table.
    pub problems: Vec<TableProblem>,
}

impl LookupRows {
    /// Returns true if the rows lack some of the text of the table, which is lost if they replace it.
    #[must_use]
    pub fn loses_text(&self) -> bool {
        self.problems.iter().any(|problem| problem.loses_text)
    }

    #[cfg(test)]
    pub(crate) fn cells(&self) -> Vec<Vec<&str>> {
        self.rows.iter().map(Iterator::collect).collect()
    }
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a lookup")]
struct RawLookup {
    name: Option<Text>,
    #[serde(default)]
    description: Text,
    filename: Option<Text>,
    collection: Option<Text>,
    lookup_type: Option<Text>,
    #[serde(default, alias = "fields")]
    fields_list: Texts,
    #[serde(default)]
    match_type: Texts,
    case_sensitive_match: Option<Flag>,
    min_matches: Option<Count>,
    max_matches: Option<Count>,
    default_match: Option<Text>,
}

impl Lookup {
    /// Creates the lookup for a CSV file without a definition.
    #[must_use]
    pub fn of_csv(name: &str, source: LookupSource, path: &Path) -> Self {
        Self {
            name: name.to_owned(),
            description: String::new(),
            source,
            fields: Vec::new(),
            match_type: IndexMap::new(),
            case_sensitive_match: true,
            min_matches: None,
            max_matches: None,
            default_match: None,
            path: path.to_owned(),
        }
    }

    /// Returns how the values of a field are matched.
    #[must_use]
    pub fn match_type(&self, field: &str) -> MatchType {
        self.match_type.get(field).copied().unwrap_or(MatchType::Exact)
    }

    /// Reads the rows. A collection or a lookup without data has no rows.
    ///
    /// Short rows are padded with empty cells, and long rows are truncated. Bytes that are not
    /// UTF-8 are replaced. The diagnostic is an error: the file could not be read, or it is larger
    /// than [`MAX_CSV_BYTES`].
    pub fn rows(&self) -> Result<LookupRows, Diagnostic> {
        match &self.source {
            LookupSource::Embedded(text) => self.parsed(text.as_bytes()),
            LookupSource::File(path) => self.parsed(&read_bounded(path, MAX_CSV_BYTES)?),
            LookupSource::Collection(_) | LookupSource::Missing(_) => {
                Ok(LookupRows { fields: self.fields.clone(), ..LookupRows::default() })
            }
        }
    }

    fn parsed(&self, bytes: &[u8]) -> Result<LookupRows, Diagnostic> {
        table::read(bytes).map_err(|error| unreadable(&self.name, &error))
    }

    /// Returns what is wrong with the table and with what the definition says of it. The table is read
    /// for this.
    #[must_use]
    pub fn problems(&self) -> Vec<ContentProblem> {
        let LookupSource::File(path) = &self.source else { return Vec::new() };
        let of_table = |diagnostic: Diagnostic, source_text: &Arc<str>| ContentProblem {
            path: path.clone(),
            diagnostic,
            source_text: Arc::clone(source_text),
        };
        let bytes = match read_bounded(path, MAX_CSV_BYTES) {
            Ok(bytes) => bytes,
            Err(error) => return vec![of_table(error, &Arc::default())],
        };
        let rows = match self.parsed(&bytes) {
            Ok(rows) => rows,
            Err(error) => return vec![of_table(error, &Arc::default())],
        };
        let text: Arc<str> =
            if rows.problems.is_empty() { Arc::default() } else { table::text(&bytes).into() };
        let mut found: Vec<ContentProblem> =
            rows.problems.iter().map(|problem| of_table(problem.diagnostic(), &text)).collect();
        if let Some(diagnostic) = self.unknown_column(&rows) {
            let text = read_bounded(&self.path, MAX_YAML_BYTES).unwrap_or_default();
            let text: Arc<str> = table::text(&text).into();
            let diagnostic = match yaml::key_span(&text, "match_type") {
                Some(span) => diagnostic.at(span),
                None => diagnostic,
            };
            found.push(ContentProblem { path: self.path.clone(), diagnostic, source_text: text });
        }
        found
    }

    /// Returns what makes the results of searches wrong that use these rows, with the place in the
    /// file.
    #[must_use]
    pub fn doubts(&self, rows: &LookupRows) -> Vec<String> {
        let LookupSource::File(path) = &self.source else { return Vec::new() };
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let of_rows = rows.problems.iter();
        let of_rows =
            of_rows.map(|problem| format!("{file}:{}: {}", problem.line, problem.message));
        let of_match = self.unknown_column(rows).map(|told| told.message);
        of_rows.chain(of_match).collect()
    }

    /// Returns the warning about the first column in `match_type` that the table lacks.
    fn unknown_column(&self, rows: &LookupRows) -> Option<Diagnostic> {
        let columns = &rows.fields;
        let mut names = self.match_type.keys();
        // A table without columns is told by itself.
        let name = names.find(|name| !columns.is_empty() && !columns.contains(name))?;
        let message = format!("`match_type` names the column `{name}`, which the table lacks");
        let help = match similar(name, columns.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("the columns are `{}`", columns.join("`, `")),
        };
        Some(Diagnostic::warning(Code::DAMAGED_TABLE, message).help(help))
    }
}

/// Returns the error of a table that is no CSV.
fn unreadable(name: &str, error: &csv::Error) -> Diagnostic {
    Diagnostic::error(Code::UNREADABLE, format!("lookup `{name}`: {error}"))
}

/// Reads a lookup definition, and adds warnings about it. `find` returns the CSV with a file name in
/// the definition's folder.
pub(crate) fn read(
    text: &str,
    path: &Path,
    find: impl Fn(&str) -> Option<LookupSource>,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Lookup, Diagnostic> {
    let raw: RawLookup = keys::read(text, keys::LOOKUP, warnings)?;
    let filled = |text: Option<Text>| text.map(|text| text.0).filter(|text| !text.is_empty());
    let Some(name) = filled(raw.name) else {
        return Err(yaml::missing_key(text, "name", "name the lookup"));
    };
    let collection = filled(raw.collection);
    let is_collection = raw.lookup_type.is_some_and(|kind| kind.0.eq_ignore_ascii_case("kvstore"));
    let beside = format!("{}.csv", path.file_stem().unwrap_or_default().to_string_lossy());
    let source = match (collection, filled(raw.filename)) {
        (Some(collection), _) => LookupSource::Collection(collection),
        (None, _) if is_collection => LookupSource::Collection(name.clone()),
        (None, Some(file)) if is_plain(&file) => find(&file).unwrap_or(LookupSource::Missing(file)),
        (None, Some(file)) => LookupSource::Missing(file),
        (None, None) => find(&beside).unwrap_or(LookupSource::Missing(beside)),
    };
    if let LookupSource::Missing(file) = &source {
        warnings.push(missing(&name, file, text));
    }
    let fields = raw.fields_list.0.iter().flat_map(|list| list.split(','));
    // A name that is written twice is one field.
    let fields: IndexSet<String> = fields.map(|field| field.trim().to_owned()).collect();
    let lookup = Lookup {
        name,
        description: raw.description.0,
        source,
        fields: fields.into_iter().collect(),
        match_type: match_types(&raw.match_type.0, text)?,
        case_sensitive_match: raw.case_sensitive_match.is_none_or(|flag| flag.0),
        min_matches: raw.min_matches.map(|count| count.0),
        max_matches: raw.max_matches.map(|count| count.0),
        default_match: filled(raw.default_match),
        path: path.to_owned(),
    };
    Ok(lookup)
}

/// Returns true if the name cannot lead out of the folder that contains the definition.
fn is_plain(file: &str) -> bool {
    Path::new(file).components().all(|part| matches!(part, Component::Normal(_)))
}

fn missing(name: &str, file: &str, text: &str) -> Diagnostic {
    let message = format!("lookup `{name}` has no data: there is no `{file}` beside it");
    let diagnostic = Diagnostic::warning(Code::MISSING_LOOKUP, message)
        .help("searches that use it see an empty table");
    let place = ["filename", "name"].into_iter().find_map(|key| yaml::key_span(text, key));
    match place {
        Some(span) => diagnostic.at(span),
        None => diagnostic,
    }
}

/// Parses match types such as `WILDCARD(a), CIDR(b)`, in a single text or a list.
fn match_types(texts: &[String], source: &str) -> Result<IndexMap<String, MatchType>, Diagnostic> {
    let mut types = IndexMap::new();
    for part in texts.iter().flat_map(|text| text.split(',')).map(str::trim) {
        if part.is_empty() {
            continue;
        }
        let pair = part.strip_suffix(')').and_then(|rest| rest.split_once('('));
        let parsed = pair.and_then(|(kind, field)| {
            let kind = match kind.trim().to_ascii_uppercase().as_str() {
                "EXACT" => MatchType::Exact,
                "WILDCARD" => MatchType::Wildcard,
                "CIDR" => MatchType::Cidr,
                _ => return None,
            };
            Some((field.trim().to_owned(), kind))
        });
        let Some((field, kind)) = parsed else {
            let message = format!("match_type: expected `WILDCARD(field)`, found `{part}`");
            let diagnostic = Diagnostic::error(Code::YAML, message)
                .help("the kinds are `EXACT`, `WILDCARD` and `CIDR`");
            return Err(match yaml::key_span(source, "match_type") {
                Some(span) => diagnostic.at(span),
                None => diagnostic,
            });
        };
        types.insert(field, kind);
    }
    Ok(types)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_folder::TestFolder;
    use crate::{BuiltinPack, ContentSet};

    fn load(text: &str) -> (Lookup, Option<Diagnostic>) {
        let find = |file: &str| {
            (file == "here.csv").then_some(LookupSource::Embedded("a,b\n1,2\n3\n4,5,6\n"))
        };
        let mut warnings = Vec::new();
        let lookup = read(text, Path::new("lookups/here.yml"), find, &mut warnings).unwrap();
        (lookup, warnings.pop())
    }

    #[test]
    fn a_definition_with_its_options() {
        let (lookup, warning) = load(
            "name: l\nfilename: here.csv\nmatch_type: WILDCARD(a), cidr(b)\n\
             case_sensitive_match: 'false'\nmin_matches: 1\ndefault_match: false\n",
        );
        assert_eq!(warning, None);
        assert_eq!(lookup.match_type("a"), MatchType::Wildcard);
        assert_eq!(lookup.match_type("b"), MatchType::Cidr);
        assert_eq!(lookup.match_type("c"), MatchType::Exact);
        assert!(!lookup.case_sensitive_match);
        assert_eq!((lookup.min_matches, lookup.default_match.as_deref()), (Some(1), Some("false")));
        let rows = lookup.rows().unwrap();
        assert_eq!(rows.fields, ["a", "b"]);
        assert_eq!(rows.cells(), [["1", "2"], ["3", ""], ["4", "5"]]);
    }

    #[test]
    fn where_the_rows_come_from() {
        assert!(matches!(load("name: l\n").0.source, LookupSource::Embedded(_)));
        let (collection, _) = load("name: l\ncollection: c\nfields_list: _key, a, a\n");
        assert_eq!(collection.rows().unwrap().fields, ["_key", "a"]);
        let (listed, _) = load("name: l\nlookup_type: kvstore\nfields: [x, y]\n");
        assert_eq!(listed.fields, ["x", "y"]);
        for file in ["gone.csv", "../here.csv", "/here.csv"] {
            let (lookup, warning) = load(&format!("name: l\nfilename: {file}\n"));
            assert_eq!(lookup.source, LookupSource::Missing(file.into()));
            assert_eq!(warning.unwrap().code, Code::MISSING_LOOKUP);
            assert!(lookup.rows().unwrap().rows.is_empty());
        }
    }

    #[test]
    fn match_type_as_a_list_and_in_error() {
        let (lookup, _) = load("name: l\nmatch_type:\n- CIDR(a)\n- EXACT(b)\n");
        assert_eq!(lookup.match_type.len(), 2);
        let bad =
            read("name: l\nmatch_type: FUZZY(a)\n", Path::new("x.yml"), |_| None, &mut Vec::new());
        assert!(bad.unwrap_err().message.contains("`FUZZY(a)`"));
    }

    #[test]
    fn a_match_type_of_a_column_that_is_not_there() {
        for (column, told) in [("aa", Some("did you mean `a`?")), ("a", None)] {
            let definition = format!("name: l\nfilename: t.csv\nmatch_type: WILDCARD({column})\n");
            let folder = TestFolder::new(
                "columns",
                &[("lookups/l.yml", &definition), ("lookups/t.csv", "a\n1\n")],
            );
            let (set, problems) =
                ContentSet::load(std::slice::from_ref(&folder.0), BuiltinPack::LeftOut);
            assert_eq!(problems, []);
            let lookup = set.lookup("l").unwrap();
            let found = lookup.problems();
            let help = found.first().and_then(|problem| problem.diagnostic.help.as_deref());
            assert_eq!((help, found.len()), (told, usize::from(told.is_some())));
            if let Some(problem) = found.first() {
                assert_eq!(problem.place(), Some((3, 1)));
                assert!(problem.path.ends_with("lookups/l.yml"));
            }
            let doubts = lookup.doubts(&lookup.rows().unwrap());
            let message = "`match_type` names the column `aa`, which the table lacks".to_owned();
            assert_eq!(doubts, told.map(|_| message).into_iter().collect::<Vec<_>>());
        }
    }
}
