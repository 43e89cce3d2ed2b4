//! Generates the table of what runs of Splunk's search language, what differs, and what does not run.

use std::fmt::Write;

use spilltrail_eval::functions::{self, FunctionDoc};
use spilltrail_search::commands::{self, COMMANDS, CommandDoc, Form, Support};
use spilltrail_search::stats;

/// The commands that Splunk documents, by name, with the other names that their pages give.
const COMMANDS_OF_SPLUNK: &[&str] = &[
    "abstract",
    "accum",
    "addcoltotals",
    "addinfo",
    "addtotals",
    "analyzefields",
    "anomalies",
    "anomalousvalue",
    "anomalydetection",
    "append",
    "appendcols",
    "appendpipe",
    "arules",
    "associate",
    "autoregress",
    "bin",
    "bucket",
    "bucketdir",
    "chart",
    "cluster",
    "cofilter",
    "collect",
    "concurrency",
    "contingency",
    "convert",
    "correlate",
    "datamodel",
    "dbinspect",
    "dedup",
    "delete",
    "delta",
    "diff",
    "erex",
    "eval",
    "eventcount",
    "eventstats",
    "extract",
    "fieldformat",
    "fields",
    "fieldsummary",
    "filldown",
    "fillnull",
    "findtypes",
    "folderize",
    "foreach",
    "format",
    "from",
    "fromjson",
    "gauge",
    "gentimes",
    "geom",
    "geomfilter",
    "geostats",
    "head",
    "highlight",
    "history",
    "iconify",
    "inputcsv",
    "inputintelligence",
    "inputlookup",
    "iplocation",
    "join",
    "kmeans",
    "kv",
    "kvform",
    "loadjob",
    "localize",
    "localop",
    "lookup",
    "makecontinuous",
    "makemv",
    "makeresults",
    "map",
    "mcatalog",
    "mcollect",
    "metadata",
    "metasearch",
    "meventcollect",
    "mpreview",
    "msearch",
    "mstats",
    "multikv",
    "multisearch",
    "mvcombine",
    "mvexpand",
    "nomv",
    "noop",
    "outlier",
    "outputcsv",
    "outputlookup",
    "outputtext",
    "overlap",
    "pivot",
    "predict",
    "rangemap",
    "rare",
    "redistribute",
    "regex",
    "relevancy",
    "reltime",
    "rename",
    "replace",
    "require",
    "rest",
    "return",
    "reverse",
    "rex",
    "rtorder",
    "run",
    "savedsearch",
    "script",
    "scrub",
    "search",
    "searchtxn",
    "selfjoin",
    "sendalert",
    "sendemail",
    "set",
    "setfields",
    "sichart",
    "sirare",
    "sistats",
    "sitimechart",
    "sitop",
    "sort",
    "spath",
    "stats",
    "strcat",
    "streamstats",
    "table",
    "tags",
    "tail",
    "timechart",
    "timewrap",
    "tojson",
    "top",
    "transaction",
    "transpose",
    "trendline",
    "tscollect",
    "tstats",
    "typeahead",
    "typelearner",
    "typer",
    "union",
    "uniq",
    "untable",
    "walklex",
    "where",
    "x11",
    "xmlkv",
    "xmlunescape",
    "xpath",
    "xyseries",
];

/// Further names that Splunk takes for commands, of which no page is.
const UNLISTED_COMMANDS: &[&str] =
    &["af", "counttable", "ctable", "discretize", "dump", "maketable", "slc", "stash"];

/// The eval functions that Splunk documents, by name.
const EVAL: &[&str] = &[
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "avg",
    "bit_and",
    "bit_not",
    "bit_or",
    "bit_shift_left",
    "bit_shift_right",
    "bit_xor",
    "case",
    "ceiling",
    "cidrmatch",
    "coalesce",
    "commands",
    "cos",
    "cosh",
    "exact",
    "exp",
    "false",
    "floor",
    "hypot",
    "if",
    "in",
    "ipmask",
    "isarray",
    "isbool",
    "isdouble",
    "isint",
    "ismv",
    "isnotnull",
    "isnull",
    "isnum",
    "isobject",
    "isstr",
    "json",
    "json_append",
    "json_array",
    "json_array_to_mv",
    "json_delete",
    "json_entries",
    "json_extend",
    "json_extract",
    "json_extract_exact",
    "json_has_key_exact",
    "json_keys",
    "json_object",
    "json_set",
    "json_set_exact",
    "json_valid",
    "len",
    "like",
    "ln",
    "log",
    "lookup",
    "lower",
    "ltrim",
    "match",
    "max",
    "md5",
    "min",
    "mv_to_json_array",
    "mvappend",
    "mvcount",
    "mvdedup",
    "mvfilter",
    "mvfind",
    "mvindex",
    "mvjoin",
    "mvmap",
    "mvrange",
    "mvreverse",
    "mvsort",
    "mvzip",
    "now",
    "null",
    "nullif",
    "pi",
    "pow",
    "printf",
    "random",
    "relative_time",
    "replace",
    "round",
    "rtrim",
    "searchmatch",
    "sha1",
    "sha256",
    "sha512",
    "sigfig",
    "sin",
    "sinh",
    "spath",
    "split",
    "sqrt",
    "strftime",
    "strptime",
    "substr",
    "sum",
    "tan",
    "tanh",
    "time",
    "toarray",
    "tobool",
    "todouble",
    "toint",
    "tomv",
    "tonumber",
    "toobject",
    "tostring",
    "trim",
    "true",
    "typeof",
    "upper",
    "urldecode",
    "validate",
];

/// The statistics functions that Splunk documents, by name.
const STATISTICS: &[&str] = &[
    "avg",
    "count",
    "dc",
    "distinct_count",
    "earliest",
    "earliest_time",
    "estdc",
    "estdc_error",
    "exactperc",
    "first",
    "last",
    "latest",
    "latest_time",
    "list",
    "max",
    "mean",
    "median",
    "min",
    "mode",
    "per_day",
    "per_hour",
    "per_minute",
    "per_second",
    "perc",
    "range",
    "rate",
    "rate_avg",
    "rate_sum",
    "sparkline",
    "stdev",
    "stdevp",
    "sum",
    "sumsq",
    "upperperc",
    "values",
    "var",
    "varp",
];

/// The statistics functions that `timechart` computes from a sum and the width of its bins.
const OF_TIMECHART: &[&str] = &["per_day", "per_hour", "per_minute", "per_second"];

/// Commands of Splunk's apps that published searches use.
const OF_APPS: &[(&str, &str)] = &[
    ("apply", "Machine Learning Toolkit"),
    ("cyberchef", "CyberChef for Splunk"),
    ("fit", "Machine Learning Toolkit"),
    ("score", "Machine Learning Toolkit"),
    ("summary", "Machine Learning Toolkit"),
];

/// How far something of Splunk's runs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Runs,
    Differs,
    Missing,
}

/// A line of a table.
struct Line {
    name: String,
    link: Option<String>,
    state: State,
    note: String,
}

/// Returns the page.
pub(super) fn page() -> String {
    let commands = commands();
    let functions = eval();
    let statistics = statistics();
    let mut text = String::from(
        "# What runs\n\n\
         These tables have every command and function of Splunk's search language. *Runs* means with \
         everything that Splunk documents, *differs* that something of it is refused, has no effect or gives \
         another result, and *does not run* that a search with it is refused by name. No option is ignored in \
         silence.\n\n| | Runs | Differs | Does not run |\n|---|---:|---:|---:|\n",
    );
    for (title, lines) in [
        ("Commands", &commands),
        ("Eval functions", &functions),
        ("Statistics functions", &statistics),
    ] {
        let count = |state| lines.iter().filter(|line| line.state == state).count();
        let (runs, differs, missing) =
            (count(State::Runs), count(State::Differs), count(State::Missing));
        let _ = writeln!(text, "| {title} | {runs} | {differs} | {missing} |");
    }
    table(&mut text, "Commands", "Command", &commands);
    table(&mut text, "Commands of apps", "Command", &of_apps());
    table(&mut text, "Eval functions", "Function", &functions);
    table(&mut text, "Statistics functions", "Function", &statistics);
    text
}

fn table(text: &mut String, title: &str, kind: &str, lines: &[Line]) {
    let _ = write!(text, "\n## {title}\n\n| {kind} | State | What differs |\n|---|---|---|\n");
    for Line { name, link, state, note } in lines {
        let name = match link {
            Some(link) => format!("[`{name}`]({link})"),
            None => format!("`{name}`"),
        };
        let state = match state {
            State::Runs => "runs",
            State::Differs => "differs",
            State::Missing => "**does not run**",
        };
        let _ = writeln!(text, "| {name} | {state} | {} |", note.replace('|', "\\|"));
    }
}

fn commands() -> Vec<Line> {
    let mut lines: Vec<Line> = COMMANDS.iter().flat_map(|entry| command(entry.doc)).collect();
    let is_of_app = |name: &str| OF_APPS.iter().any(|(of_app, _)| *of_app == name);
    lines.extend(commands::unsupported().filter(|name| !is_of_app(name)).map(missing));
    lines.sort_by(|one, other| one.name.cmp(&other.name));
    lines
}

/// Returns the lines of a command and its other names.
fn command(doc: &CommandDoc) -> Vec<Line> {
    let link = Some(format!("commands/{}.md", doc.name));
    let options = |has: fn(&Support) -> bool| -> Vec<String> {
        let arguments = doc.arguments.iter().filter(|argument| has(&argument.support));
        let shown = arguments.map(|argument| match argument.form {
            Form::Option => format!("`{}=`", argument.name),
            _ => format!("`{}`", argument.name),
        });
        shown.collect()
    };
    let mut notes = Vec::new();
    for (has, what) in [
        ((|support| matches!(support, Support::Refused(_))) as fn(&Support) -> bool, "Refused"),
        (|support| matches!(support, Support::NoEffect(_)), "Without effect"),
    ] {
        let options = options(has);
        if !options.is_empty() {
            notes.push(format!("{what}: {}.", options.join(", ")));
        }
    }
    let page = format!("commands/{}.md#where-it-differs-from-splunk", doc.name);
    match doc.differs {
        [] => {}
        [only] => notes.push((*only).to_owned()),
        several => notes.push(format!("[{} differences]({page}).", several.len())),
    }
    let state = if notes.is_empty() { State::Runs } else { State::Differs };
    let own = Line { name: doc.name.to_owned(), link: link.clone(), state, note: notes.join(" ") };
    let alias = |alias: &&str| Line {
        name: (*alias).to_owned(),
        link: link.clone(),
        state,
        note: format!("As `{}`.", doc.name),
    };
    std::iter::once(own).chain(doc.aliases.iter().map(alias)).collect()
}

fn missing(name: &str) -> Line {
    let note = match commands::reason_of(name) {
        Some(reason) => format!("{}{}.", reason[..1].to_uppercase(), &reason[1..]),
        None => String::new(),
    };
    Line { name: name.to_owned(), link: None, state: State::Missing, note }
}

fn of_apps() -> Vec<Line> {
    let line = |(name, app): &(&str, &str)| match commands::command(name) {
        Some(entry) => command(entry.doc).swap_remove(0),
        None => {
            let line = missing(name);
            Line { note: format!("{app}. {}", line.note).trim_end().to_owned(), ..line }
        }
    };
    OF_APPS.iter().map(line).collect()
}

fn eval() -> Vec<Line> {
    let line = |name: &&str| match functions::find(name) {
        Some(function) => eval_function(name, &function.doc),
        None => missing(name),
    };
    EVAL.iter().map(line).collect()
}

fn eval_function(name: &str, doc: &FunctionDoc) -> Line {
    function(name, doc.name, "functions", doc.differs)
}

fn statistics() -> Vec<Line> {
    let line = |name: &&str| match stats::named(name) {
        Some(found) => function(name, found.name, "statistics", found.differs),
        None if OF_TIMECHART.contains(name) => Line {
            name: (*name).to_owned(),
            link: Some("commands/timechart.md".to_owned()),
            state: State::Runs,
            note: String::new(),
        },
        None => missing(name),
    };
    STATISTICS.iter().map(line).collect()
}

fn function(name: &str, own_name: &str, folder: &str, differs: &[&str]) -> Line {
    let state = if differs.is_empty() { State::Runs } else { State::Differs };
    let note = match (name == own_name, differs) {
        (true, differs) => differs.join(" "),
        (false, _) => format!("As `{own_name}`."),
    };
    Line { name: name.to_owned(), link: Some(format!("{folder}/{own_name}.md")), state, note }
}

#[test]
fn the_lists_are_complete() {
    assert!(EVAL.is_sorted() && STATISTICS.is_sorted() && OF_APPS.is_sorted());
    // Whatever runs here is Splunk's.
    for function in functions::FUNCTIONS {
        assert!(EVAL.contains(&function.doc.name), "{}", function.doc.name);
    }
    for function in stats::FUNCTIONS {
        assert!(STATISTICS.contains(&function.name), "{}", function.name);
    }
    let lines = commands();
    let listed = || COMMANDS_OF_SPLUNK.iter().chain(UNLISTED_COMMANDS);
    for list in [COMMANDS_OF_SPLUNK, UNLISTED_COMMANDS] {
        assert!(list.is_sorted_by(|one, next| one < next));
    }
    for line in &lines {
        assert!(listed().any(|name| *name == line.name), "{} is not Splunk's", line.name);
        assert!(OF_APPS.iter().all(|(name, _)| *name != line.name), "{} is of an app", line.name);
    }
    for name in listed() {
        assert!(
            lines.iter().any(|line| line.name == *name),
            "nothing says that `{name}` is missing"
        );
    }
    let duplicates = lines.windows(2).find(|pair| pair[0].name == pair[1].name);
    assert!(duplicates.is_none(), "{:?}", duplicates.map(|pair| &pair[0].name));
}
