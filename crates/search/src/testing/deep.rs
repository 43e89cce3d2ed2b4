//! Tests that long pipelines and deep nesting run, or are rejected with an error that states the
//! limit and marks the position.

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::{MAX_COMMANDS, MAX_SUBSEARCHES};

use super::{context, rows};
use crate::{run, stack};

/// Runs a search on a stack like the program's and returns the number of its rows, or its error.
fn outcome(search: String) -> Result<usize, Diagnostic> {
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let context = context(rows(r#"{"a":"1","b":"2"}"#), 64 << 20);
            let prepared = run::prepare(&search, None, &context).await.map_err(|mut all| {
                all.pop().unwrap_or_else(|| Diagnostic::bug("it was refused without a reason"))
            })?;
            Ok(prepared.collect(&context).await?.len())
        })
    };
    stack::call(work).unwrap()
}

fn pipeline(command: &str, times: usize) -> String {
    format!("| makeresults {}", format!("| {command} ").repeat(times))
}

#[test]
fn what_is_within_the_limits_runs() {
    let most = MAX_COMMANDS - 1;
    let chain = |operator: &str, count: usize| vec!["a"; count].join(operator);
    let nested = |open: &str, levels: usize| open.repeat(levels) + &"]".repeat(levels);
    for search in [
        pipeline("where _time>0", most),
        pipeline("eval a=1", most),
        pipeline("rename a as b", most),
        pipeline("streamstats count", most),
        // These commands add several plan nodes each, so planning more of them would take long.
        pipeline("sort - _time", 200),
        pipeline("stats count as n by _time count", 200),
        format!("| makeresults {}", nested("| append [| makeresults ", MAX_SUBSEARCHES)),
        format!("search a=1 {}", nested("[search a=1 ", MAX_SUBSEARCHES)),
        format!("* | where {}", vec!["a=1"; 9000].join(" OR ")),
        format!("* | eval x={}", chain("+", 190)),
        format!("* | eval {}", (0..2000).map(|n| format!("x{n}=a")).collect::<Vec<_>>().join(",")),
        format!("* | eval {}", vec!["a=a+1"; 300].join(",")),
    ] {
        let found = outcome(search.clone());
        assert!(found.is_ok(), "{}: {:?}", &search[..40], found.err());
    }
}

#[test]
fn what_is_beyond_them_is_refused() {
    let many = vec!["a=a+1"; 20_000].join(",");
    for (search, place, message) in [
        (pipeline("where a=1", 3000), 6002, "the search has more than 500 commands"),
        (pipeline("stats count", 3000), 7000, "the search has more than 500 commands"),
        (
            format!("* | append {}", "[append ".repeat(60)),
            411,
            "subsearches nest deeper than 50 levels",
        ),
        (format!("* | eval {many}"), 4, "the search takes more than 6000 steps"),
        (
            format!("* | eval x={}", vec!["a"; 5000].join(".")),
            412,
            "expression nests deeper than 200 levels",
        ),
        (
            format!("* | where {}a{}", "(".repeat(5000), ")".repeat(5000)),
            210,
            "expression nests deeper than 200 levels",
        ),
    ] {
        let refused = outcome(search.clone()).unwrap_err();
        let start = refused.span().map(|span| span.start);
        let found = (refused.code, refused.message.as_str(), start);
        assert_eq!(found, (Code::TOO_DEEP, message, Some(place)), "{}", &search[..40]);
        assert!(refused.help.is_some());
    }
}
