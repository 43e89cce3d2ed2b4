//! Every command that holds rows or knows of keys gives the same rows however little memory it has.
//!
//! The test as it always runs has little memory and few rows. `SPILLTRAIL_MEMORY_MATRIX=1` has it run with
//! the limits that are promised, and up to twenty times as much data; that takes an hour without
//! optimizations.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::StreamExt;

use super::context;
use crate::rows::batch_rows;
use crate::run;

/// Commands over rows with a number `n`, a text `s` that two rows have each, a number `g` out of 53, and a
/// text `pad` that is short or long.
const SEARCHES: &[&str] = &[
    "sort 0 s",
    "sort 0 - k",
    "sort 5000 - k",
    "reverse",
    "tail 3000",
    "stats count by s",
    "stats count sum(n) avg(n) first(n) last(n) by s g",
    "stats values(n) as v list(n) as l dc(n) as d by s",
    "stats dc(n) as d list(n) as l by g",
    "stats count by pad",
    "eventstats count by s",
    "eventstats dc(n) as d values(g) as v by s",
    "eventstats avg(n) as mean",
    "streamstats count by s",
    "streamstats list(n) as l dc(g) as d current=f by s",
    "streamstats window=3 global=f sum(n) as total by s",
    "eval _time=n | streamstats time_window=900s sum(k) as total by s | fields - _time",
    "dedup s",
    "dedup pad | stats count",
    "dedup 2 g keepevents=t",
    "eval run=floor(n/7)%53 | dedup run consecutive=t",
    "dedup s sortby - k",
    "fields s g n | mvcombine n",
    "fields s pad | mvcombine s",
    "makemv delim=\"/\" s | mvexpand s",
    "makemv delim=\"/\" s | stats count by s",
    "join s [| makeresults count=2000 | streamstats count as m | eval s=\"user/\".m.\"/of/some/length\"]",
    "join type=left max=0 g [| makeresults count=300 | streamstats count as m | eval g=m%53]",
    "append [| makeresults count=3000 | streamstats count as n | eval s=\"appended\"]",
    "appendcols [| makeresults count=3000 | streamstats count as m]",
    "appendpipe [stats count by g]",
    "appendpipe [where n>10] | stats count by s",
    "head 3000 | fields n g | outputlookup kept | stats count",
    "anomalydetection g action=annotate",
    "outlier n",
    "bin n bins=7",
    "fillnull value=none missing",
    "convert auto(s) | fillnull",
    "sort 0 s | eventstats count by g | dedup s | sort 0 - n",
    "stats count by s | sort 0 - count, s | streamstats count as rank by count",
];

/// Returns the search that makes so many rows, a multiple of ten; those that are wide take 3 kB each.
fn generator(rows: usize, is_wide: bool) -> String {
    let pad = "pad ".repeat(if is_wide { 700 } else { 1 });
    // `makeresults` makes a million rows at most. 7919 is prime, so that the numbers come in no order and
    // each once.
    format!(
        "| makeresults count={} | eval n=mvrange(0,10) | mvexpand n | streamstats count as n \
         | eval k=(n*7919)%{rows}, s=\"user/\".floor(k/2).\"/of/some/length\", g=k%53, \
         pad=\"{pad}\".floor(k/5) | fields - _time",
        rows / 10
    )
}

/// What a search gives.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    rows: usize,
    /// A hash of all rows in order, and of the lookup that the search writes.
    hash: u64,
}

/// Returns what a search gives, or what it fails with.
async fn outcome(search: &str, memory: usize) -> Result<Outcome, String> {
    let context = &context(Vec::new(), memory);
    let prepared = run::prepare(search, None, context).await.map_err(|e| format!("{e:?}"))?;
    let mut stream = prepared.stream(context).await.map_err(|e| format!("{e:?}"))?;
    let mut hasher = DefaultHasher::new();
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|error| error.to_string())?;
        for row in batch_rows(&batch) {
            rows += 1;
            for (name, value) in &row {
                name.hash(&mut hasher);
                value.members().hash(&mut hasher);
            }
        }
    }
    if let Some(kept) = context.lookups.read("kept")? {
        (&kept.columns, &kept.rows).hash(&mut hasher);
    }
    Ok(Outcome { rows, hash: hasher.finish() })
}

/// Compares what all commands give over `rows` rows under a limit and without one; returns what differs.
async fn differences(rows: usize, is_wide: bool, limit: usize) -> Vec<String> {
    let mut differences = Vec::new();
    for command in SEARCHES {
        let search = format!("{} | {command}", generator(rows, is_wide));
        let want = outcome(&search, 1 << 40).await;
        let got = outcome(&search, limit).await;
        if got != want || !want.as_ref().is_ok_and(|want| want.rows > 0) {
            let data = format!("{rows} rows, wide: {is_wide}, {limit} bytes");
            differences.push(format!("{data}: {command}: {got:?} instead of {want:?}"));
        }
    }
    differences
}

#[tokio::test]
async fn little_memory_gives_the_same_rows() {
    let mut found = differences(15_000, false, 4 << 20).await;
    found.extend(differences(1_000, true, 8 << 20).await);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn the_promised_limits_give_the_same_rows() {
    if std::env::var_os("SPILLTRAIL_MEMORY_MATRIX").is_none() {
        return;
    }
    // Rows take about 100 bytes, or 3 kB: half of the limit, five and twenty times as much.
    let mut found = Vec::new();
    for (limit, rows, is_wide) in [
        (32 << 20, 160_000, false),
        (32 << 20, 1_600_000, false),
        (32 << 20, 5_000, true),
        (32 << 20, 50_000, true),
        (32 << 20, 200_000, true),
        (128 << 20, 200_000, true),
        (256 << 20, 400_000, true),
    ] {
        found.extend(differences(rows, is_wide, limit).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
