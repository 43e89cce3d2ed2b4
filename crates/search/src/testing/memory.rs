//! What holds rows says so when there is no memory for them.

use spilltrail_diagnostic::Code;

use super::{context, rows};
use crate::run;

/// Rows with a document each, some kilobytes long.
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
        ("| streamstats window=2000 values(doc) as docs | stats count", Some("`streamstats`")),
    ] {
        // Whatever can spill completes from 32 MiB on; of the others, some rows fit and all do not.
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
