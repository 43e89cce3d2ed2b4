//! Tests that searches with small inputs and large results return small batches, or fail with an
//! error that names the cause.

use futures::StreamExt;
use spilltrail_diagnostic::{Code, Diagnostic};

use super::context;
use crate::rows::batch_rows;
use crate::run;

/// The size in bytes that every batch must stay below.
const LARGE_BATCH: usize = 16 << 20;

/// Returns the value of the field `x` in the only row, or the search's error.
async fn cell(search: &str) -> Result<String, Diagnostic> {
    let context = context(Vec::new(), 64 << 20);
    let prepared = run::prepare(search, None, &context).await.map_err(|mut all| all.remove(0))?;
    let mut stream = prepared.stream(&context).await?;
    let mut cells = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| crate::error::from_engine(&error))?;
        let size = batch.get_array_memory_size();
        assert!(
            size < LARGE_BATCH,
            "a batch of {} rows and {size} bytes: {search}",
            batch.num_rows()
        );
        cells.extend(batch_rows(&batch).map(|row| row["x"].members().join(" ")));
    }
    assert_eq!(cells.len(), 1, "{search}");
    Ok(cells.remove(0))
}

fn repeated(command: &str, times: usize) -> String {
    [command].repeat(times).join(" | ")
}

#[tokio::test]
async fn values_that_would_be_too_large_are_refused_by_name() {
    let arrays = "eval a=mvrange(0,200), b=a, c=mvrange(0,200)";
    let combinations = "8000000 combinations";
    let digits = "eval x=mvjoin(mvrange(0,80000),\"\")";
    for (commands, words) in [
        (format!("{arrays} | stats count as x by a b c"), combinations),
        (format!("{arrays} | eventstats count as x by a b c"), combinations),
        (format!("{arrays} | streamstats count as x by a b c"), combinations),
        (format!("eval x=\"a\" | {}", repeated("eval x=x.x", 34)), "`.`"),
        (
            format!("eval x=mvrange(0,1000) | {}", repeated("eval x=mvappend(x,x)", 14)),
            "`mvappend`",
        ),
        (format!("{digits} | eval x=replace(x,\"\\d\",x)"), "`replace`"),
        (format!("{digits} | eval x=mvjoin(mvrange(0,1000),x)"), "`mvjoin`"),
        (format!("{digits} | eval y=mvmap(mvrange(0,1000),x), x=y"), "`mvmap`"),
        (format!("{digits} | eval x=split(x.x.x.x.x.x,\"\")"), "`split`"),
        (
            format!("{digits} | eval a=mvmap(mvrange(0,200),substr(x,1,50000)), x=mvzip(a,a)"),
            "`mvzip`",
        ),
        (
            format!("{digits} | eval x=json_set(mv_to_json_array(mvrange(0,1000)),\"{{}}\",x)"),
            "`json_set`",
        ),
        (format!("{digits} | rex mode=sed field=x \"s/\\d/{}/g\"", "x".repeat(100)), "`rex`"),
        (format!("{digits} | rex field=x max_match=0 \"(?=(?<y>.*))\""), "`rex`"),
    ] {
        let refused = cell(&format!("| makeresults | {commands}")).await;
        let Err(refused) = refused else { panic!("{commands}: {refused:?}") };
        let is_named = refused.message.contains(words);
        assert!(refused.code == Code::TOO_LARGE && is_named, "{commands}: {refused:?}");
    }
}

#[tokio::test]
async fn many_values_come_in_small_batches() {
    for (commands, want) in [
        ("eval a=mvrange(0,100000) | mvexpand a | stats count as x", "100000"),
        (
            "eval a=mvrange(0,300), b=a | mvexpand a | mvexpand b | stats count as x dc(b) as d",
            "90000",
        ),
        ("eval a=mvrange(0,300), b=a | stats count by a b | stats count as x", "90000"),
        (
            "eval a=mvrange(0,200), b=a, c=mvrange(0,2) | stats count by a b c | stats count as x",
            "80000",
        ),
    ] {
        let search = format!("| makeresults | {commands}");
        assert_eq!(cell(&search).await.as_deref(), Ok(want), "{search}");
    }
    for commands in [
        "eval a=mvrange(0,20000) | eval n=mvcount(a) | stats sum(n) as x",
        "eval a=mvrange(0,20000) | sort 0 - a | eval n=mvcount(a) | stats sum(n) as x",
        "eval a=mvjoin(mvrange(0,20000),\"-\") | makemv delim=\"-\" a | eval n=mvcount(a) | stats sum(n) as x",
        "streamstats count as i | eval a=mvrange(i,i+20000) | eval n=mvcount(a) | stats sum(n) as x",
    ] {
        let search = format!("| makeresults count=200 | {commands}");
        assert_eq!(cell(&search).await.as_deref(), Ok("4000000"), "{search}");
    }
}
