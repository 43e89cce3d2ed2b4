//! Tests that a command that cannot spill its rows reports when memory is exhausted, and other
//! tests of commands that hold rows.

use spilltrail_diagnostic::Code;

use super::{context, rows};
use crate::run;

/// Returns rows as JSON lines, each with a JSON document of about three kilobytes in the field
/// `doc`.
fn documents(count: usize) -> String {
    let row = |number: usize| {
        let pad = format!("{number:05}").repeat(600);
        format!(
            "{{\"_time\":{number},\"doc\":\"{{\\\"a\\\":{number},\\\"pad\\\":\\\"{pad}\\\"}}\"}}\n"
        )
    };
    (0..count).map(row).collect()
}

#[tokio::test]
async fn what_does_not_fit_is_told() {
    let lines = documents(2000);
    for (search, who) in [
        ("| spath input=doc", None),
        ("| appendpipe [stats count]", None),
        ("| append [search * | head 1500]", None),
        ("| stats values(doc) as docs", Some("computing `values`")),
        ("| eventstats values(doc) as docs | stats count", Some("`eventstats`")),
        ("| transpose 0", Some("`transpose`")),
        ("| streamstats window=2000 values(doc) as docs | stats count", Some("`streamstats`")),
    ] {
        // A search that can spill must complete with 32 MiB. For the others, the lower limit has
        // room for some rows, but not for all.
        let least = if who.is_some() { 5 << 20 } else { 32 << 20 };
        for (memory, is_refused) in [(256 << 20, false), (least, true)] {
            let context = context(rows(&lines), memory);
            let outcome = match run::prepare(search, None, &context).await {
                Ok(prepared) => prepared.collect(&context).await.map(drop).err(),
                Err(mut diagnostics) => Some(diagnostics.remove(0)),
            };
            match (outcome, who.filter(|_| is_refused)) {
                (None, None) => {}
                (Some(failure), Some(who)) => {
                    let message = &failure.message;
                    assert_eq!(failure.code, Code::MEMORY_LIMIT, "{search}: {message}");
                    assert!(message.contains("5 MiB") && message.contains(who), "{message}");
                }
                (outcome, want) => panic!("{search}: {outcome:?}, {want:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_condition_that_cannot_be_computed_is_no_answer() {
    let long = "a".repeat(10_000);
    let lines = format!("{{\"n\":\"1\",\"long\":\"{long}\"}}\n{{\"n\":\"2\",\"long\":\"a\"}}\n");
    for (option, code) in [
        ("reset_before=(isnull(replace(long,\"a\",long)))", Some(Code::TOO_LARGE)),
        ("reset_after=(isnull(replace(long,\"a\",long)))", Some(Code::TOO_LARGE)),
        ("reset_before=(isnull(replace(long,\"a\",n)))", None),
    ] {
        let search = format!("* | streamstats {option} count | table n count");
        let context = context(rows(&lines), 256 << 20);
        let prepared = run::prepare(&search, None, &context).await.unwrap();
        let failure = prepared.collect(&context).await.err();
        assert_eq!(failure.map(|failure| failure.code), code, "{search}");
    }
}

/// Tests that `_time` is checked in row order, also for rows that are held on disk.
#[tokio::test]
async fn times_out_of_order_are_refused_under_any_limit() {
    let pad = "pad ".repeat(200);
    let search = format!(
        "| makeresults count=20000 | streamstats count as n \
         | eval s=\"{pad}\".n, _time=if(n=19000,1,1000+n) \
         | streamstats time_window=10s count by s"
    );
    for memory in [4 << 20, 1 << 30] {
        let context = context(Vec::new(), memory);
        let prepared = run::prepare(&search, None, &context).await.unwrap();
        let failure = prepared.collect(&context).await.err();
        assert_eq!(failure.map(|failure| failure.code), Some(Code::UNORDERED), "{memory}");
    }
}

#[tokio::test]
async fn fields_of_documents_are_those_of_any_row() {
    let lines = r#"{"doc":"{\"a\":1,\"b\":[1,2]}","a":"kept"}
{"doc":"{\"c\":{\"d\":\"x\"},\"b\":[3]}","a":"kept"}
{"doc":"no document","a":"kept"}"#;
    let context = context(rows(lines), 64 << 20);
    let prepared = run::prepare("| spath input=doc | fields - doc", None, &context).await.unwrap();
    let found: Vec<String> = prepared
        .collect(&context)
        .await
        .unwrap()
        .iter()
        .map(|row| {
            let cell = |(name, value): (&String, &spilltrail_event::Value<'_>)| {
                format!("{name}={}", value.members().join("+"))
            };
            row.iter().map(cell).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(found, ["a=1 b{}=1+2", "a=kept b{}=3 c.d=x", "a=kept"]);
}
