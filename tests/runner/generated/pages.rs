//! Generates Markdown from the registries of commands, functions and diagnostics.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;

use spilltrail_diagnostic::{Class, Entry, REGISTRY};
use spilltrail_eval::functions::{self, Category, FunctionDoc};
use spilltrail_search::commands::{COMMANDS, CommandDoc, CommandKind, Example};
use spilltrail_search::stats::{self, StatsFunction};

use super::{Content, coverage, reference};

/// Returns all pages by their paths relative to the repository.
pub(super) fn all() -> BTreeMap<PathBuf, Content> {
    let mut pages = BTreeMap::new();
    let mut whole = |path: String, text: String| {
        pages.insert(PathBuf::from(path), Content::Whole(format!("{}\n", text.trim_end())));
    };
    for entry in COMMANDS {
        let path = format!("docs/src/reference/commands/{}.md", entry.doc.name);
        whole(path, command(entry.doc));
    }
    for function in functions::FUNCTIONS {
        let path = format!("docs/src/reference/functions/{}.md", function.doc.name);
        whole(path, eval_function(&function.doc));
    }
    for function in stats::FUNCTIONS {
        let path = format!("docs/src/reference/statistics/{}.md", function.name);
        whole(path, statistics_function(function));
    }
    whole("docs/src/reference/coverage.md".to_owned(), coverage::page());
    whole("docs/src/reference/commands.md".to_owned(), command_list());
    whole("docs/src/reference/eval-functions.md".to_owned(), eval_functions());
    whole("docs/src/reference/statistics-functions.md".to_owned(), statistics_functions());
    let mut part = |path: &str, text: String| {
        pages.insert(PathBuf::from(path), Content::Part(text));
    };
    part("docs/src/reference/fields.md", reference::fields());
    part("docs/src/reference/pack.md", reference::pack());
    part("docs/src/reference/findings.md", reference::objects());
    part("docs/src/reference/diagnostics.md", diagnostics());
    part("README.md", counts());
    part("docs/src/SUMMARY.md", summary());
    part("docs/compatibility.md", differences());
    pages
}

/// Returns the numbers of commands and functions, and the names of the commands.
fn counts() -> String {
    let commands: Vec<&str> = COMMANDS.iter().map(|entry| entry.doc.name).collect();
    format!(
        "- [What runs, what differs and what does not](docs/src/reference/coverage.md), for all of Splunk's\n  commands and functions\n\
         - {} [commands](docs/src/reference/commands.md): {}\n\
         - {} [eval functions](docs/src/reference/eval-functions.md)\n\
         - {} [statistics functions](docs/src/reference/statistics-functions.md)\n",
        commands.len(),
        quoted(&commands),
        functions::FUNCTIONS.len(),
        stats::FUNCTIONS.len(),
    )
}

fn command(doc: &CommandDoc) -> String {
    let mut text = format!("# {}\n\n{}\n\n", doc.name, doc.summary);
    let _ = writeln!(text, "```text\n{}\n```\n", doc.syntax);
    if doc.name == "search" {
        text.push_str("[Search syntax](../search-syntax.md) explains what you can write.\n\n");
    }
    let _ = writeln!(text, "Class: {}.", class(doc.kind));
    add_aliases(&mut text, doc.aliases);
    if !doc.arguments.is_empty() {
        text.push_str("\n## Arguments\n\n");
        for argument in doc.arguments {
            let _ = writeln!(text, "- `{}`: {}", argument.shown(), argument.meaning());
        }
    }
    text.push_str("\n## Examples\n");
    for example in doc.examples {
        text.push_str(&command_example(example));
    }
    add_differences(&mut text, doc.differs);
    text
}

fn command_example(example: &Example) -> String {
    let mut text = format!("\n### {}\n\n```spl\n{}\n```\n", example.title, example.search.trim());
    if !example.events.trim().is_empty() {
        let _ = write!(text, "\nOver these rows:\n\n```json\n{}\n```\n", example.events.trim());
    }
    let results = match example.results.trim() {
        "" => "\nNo rows.\n".to_owned(),
        rows => format!("\nResult:\n\n```json\n{rows}\n```\n"),
    };
    text + &results
}

fn class(kind: CommandKind) -> &'static str {
    match kind {
        CommandKind::Generating => "generating; it must be the first command",
        CommandKind::DistributableStreaming => "distributable streaming; it processes row by row",
        CommandKind::CentralizedStreaming => {
            "centralized streaming; it processes row by row, in order"
        }
        CommandKind::Transforming => "transforming; it turns rows into a table",
        CommandKind::Dataset => "dataset processing; it returns rows only after it has read all",
    }
}

fn command_list() -> String {
    let mut text = String::from("# Commands\n\n");
    for entry in COMMANDS {
        let doc = entry.doc;
        let _ = writeln!(text, "- [`{}`](commands/{}.md): {}", doc.name, doc.name, doc.summary);
    }
    text
}

fn eval_functions() -> String {
    let mut chapters: BTreeMap<Category, Vec<&FunctionDoc>> = BTreeMap::new();
    for function in functions::FUNCTIONS {
        chapters.entry(function.doc.category).or_default().push(&function.doc);
    }
    let mut text = String::from(
        "# Eval functions\n\nUse these functions in `eval`, `where`, and wherever a command takes an expression.\n",
    );
    for (category, functions) in chapters {
        let _ = write!(text, "\n## {}\n\n", chapter(category));
        for doc in functions {
            let _ = writeln!(text, "- [`{0}`](functions/{0}.md): {1}", doc.name, doc.summary);
        }
    }
    text
}

fn eval_function(doc: &FunctionDoc) -> String {
    let mut text = format!("# {}\n\n{}\n\n`{}`\n", doc.name, doc.summary, doc.syntax);
    add_aliases(&mut text, doc.aliases);
    if !doc.examples.is_empty() {
        text.push_str("\n## Examples\n\n```text\n");
        for (expression, result) in doc.examples {
            let _ = writeln!(text, "{expression}  →  {result}");
        }
        text.push_str("```\n");
    }
    add_differences(&mut text, doc.differs);
    text
}

fn add_aliases(text: &mut String, aliases: &[&str]) {
    if !aliases.is_empty() {
        let _ = write!(text, "\nAlso written {}.\n", quoted(aliases));
    }
}

fn add_differences(text: &mut String, differs: &[&str]) {
    if !differs.is_empty() {
        text.push_str("\n## Where it differs from Splunk\n\n");
        for difference in differs {
            let _ = writeln!(text, "- {difference}");
        }
    }
}

fn chapter(category: Category) -> &'static str {
    match category {
        Category::Bitwise => "Bits",
        Category::Conditional => "Comparison and conditions",
        Category::Conversion => "Conversion",
        Category::Cryptographic => "Hashes",
        Category::DateTime => "Date and time",
        Category::Informational => "What a value is",
        Category::Json => "JSON",
        Category::Mathematical => "Mathematics",
        Category::Multivalue => "Several values",
        Category::Statistical => "Statistics over the arguments",
        Category::Text => "Text",
        Category::Trigonometric => "Trigonometry",
    }
}

fn statistics_functions() -> String {
    let mut text = String::from(
        "# Statistics functions\n\n\
         Use these functions with `stats`, `eventstats`, `streamstats` and `tstats`. A function with a \
         number in its name, such as `perc95`, is listed without the number.\n\n",
    );
    for function in stats::FUNCTIONS {
        let (shown, summary) = (statistic(function), function.summary);
        let _ = writeln!(text, "- [{shown}](statistics/{}.md): {summary}", function.name);
    }
    text
}

fn statistics_function(function: &StatsFunction) -> String {
    let mut text = format!("# {}\n\n{}\n", statistic(function), function.summary);
    add_aliases(&mut text, function.aliases);
    let mut shown = "";
    text.push_str("\n## Examples\n\n```text\n");
    for (rows, call, result) in function.examples {
        if *rows != shown {
            let _ = writeln!(text, "{rows}");
            shown = rows;
        }
        let _ = writeln!(text, "stats {call}  →  {result}");
    }
    text.push_str("```\n");
    add_differences(&mut text, function.differs);
    text
}

fn statistic(function: &StatsFunction) -> String {
    format!("`{}`", function.shown())
}

/// The topics of codes by their first digit.
const TOPICS: &[(char, &str)] = &[
    ('1', "Reading the search"),
    ('2', "Commands, functions and options"),
    ('3', "Running the search"),
    ('4', "Content and configuration"),
    ('5', "Reading logs and files"),
    ('6', "Findings"),
];

/// Returns the classes, and the codes of each topic.
fn diagnostics() -> String {
    let mut text = String::from("## Classes\n\n| Class | What to do |\n|---|---|\n");
    for class in [
        Class::User,
        Class::Unsupported,
        Class::Data,
        Class::Environment,
        Class::Internal,
        Class::Canceled,
    ] {
        let (name, action) = class.meaning();
        let _ = writeln!(text, "| {name} | {action} |");
    }
    for (digit, topic) in TOPICS {
        let _ =
            write!(text, "\n## {digit}xxx: {topic}\n\n| Code | Problem | Class |\n|---|---|---|\n");
        for Entry { code, title, class, .. } in REGISTRY {
            if code.to_string().starts_with(&format!("SPL{digit}")) {
                let _ = writeln!(text, "| [{code}](../errors/{code}.md) | {title} | {class} |");
            }
        }
    }
    text
}

fn summary() -> String {
    let mut text = String::from("- [What runs](reference/coverage.md)\n");
    text.push_str("- [Commands](reference/commands.md)\n");
    for entry in COMMANDS {
        let _ = writeln!(text, "  - [{0}](reference/commands/{0}.md)", entry.doc.name);
    }
    text.push_str("- [Eval functions](reference/eval-functions.md)\n");
    for function in functions::FUNCTIONS {
        let _ = writeln!(text, "  - [{0}](reference/functions/{0}.md)", function.doc.name);
    }
    text.push_str("- [Statistics functions](reference/statistics-functions.md)\n");
    for function in stats::FUNCTIONS {
        let _ = writeln!(text, "  - [{0}](reference/statistics/{0}.md)", function.name);
    }
    text.push_str("- [Diagnostics](reference/diagnostics.md)\n");
    for Entry { code, title, .. } in REGISTRY {
        let _ = writeln!(text, "  - [{code}: {title}](errors/{code}.md)");
    }
    text
}

/// Returns every documented difference from Splunk.
fn differences() -> String {
    let mut text = String::new();
    let mut add = |name: &str, differs: &[&str]| {
        for difference in differs {
            let _ = writeln!(text, "- `{name}`: {difference}");
        }
    };
    COMMANDS.iter().for_each(|entry| add(entry.doc.name, entry.doc.differs));
    for function in functions::FUNCTIONS {
        add(&format!("{}()", function.doc.name), function.doc.differs);
    }
    for function in stats::FUNCTIONS {
        add(&format!("stats {}", function.name), function.differs);
    }
    text
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
