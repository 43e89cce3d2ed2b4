//! Tests that every command that holds rows or state per key returns the same rows with little
//! memory as with much.
//!
//! The default test uses low memory limits and few rows. With `SPILLTRAIL_MEMORY_MATRIX=1`, another
//! test uses the promised memory limits and data of up to twenty times the limit; it takes an hour
//! in a build without optimizations.

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::StreamExt;

use super::context;
use crate::rows::batch_rows;
use crate::run;

/// Commands over the rows of [`generator`].
///
/// Each row has a unique number `n`, a unique number `k` in another order, a text `s` that two rows
/// share, a number `g` from 0 to 52, and a text `pad` that is short or long.
const SEARCHES: &[&str] = &[
    "sort 0 s",
    "sort 0 - k",
    "sort 5000 - k",
    "sort 700 - k",
    "sort 12 k",
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
    "join s [| makeresults count=2000 | streamstats count as m | eval s=\"user/\".m.\"/of/some/length\" | fields - _time]",
    "join type=left max=0 g [| makeresults count=300 | streamstats count as m | eval g=m%53 | fields - _time]",
    "append [| makeresults count=3000 | streamstats count as n | eval s=\"appended\" | fields - _time]",
    "appendcols [| makeresults count=3000 | streamstats count as m]",
    "appendpipe [stats count by g]",
    "appendpipe [where n>10] | stats count by s",
    "union [| makeresults count=3000 | streamstats count as n | fields - _time]",
    "map maxsearches=3 search=\"| makeresults count=2000 | streamstats count as m | eval n=$n$\"",
    "eval _time=100000000-n | transaction s maxpause=100 | fields - _time",
    "eval _time=100000000-n | transaction g maxevents=40 mvlist=n | fields - _time",
    "eval _time=100000000-n | transaction pad startswith=eval(n%5=1) keepevicted=t | fields n duration",
    "fieldsummary maxvals=20 s g pad",
    "eval run=if(n%7=0,n,null()) | filldown run | accum g | delta k AS d | autoregress s p=1-2",
    "foreach g k [eval total=coalesce(total,0)+<<FIELD>>]",
    "head 3000 | fields n g | outputlookup kept | stats count",
    "anomalydetection g action=annotate",
    "outlier n",
    "anomalousvalue action=annotate g",
    "eval m=\"got \".g.\" of some\" | cluster field=m showcount=t t=0.9",
    "anomalies field=s threshold=0 | stats count",
    "correlate",
    "associate supcnt=0 supfreq=0.018 improv=0 g s",
    "eval _time=n | predict g algorithm=LLT future_timespan=3 | tail 5",
    "eval item=n%40 | cofilter g item",
    "eval lat=n%90, lon=k%180 | geostats maxzoomlevel=2 sum(n) by g",
    "eval _time=100000000-n*7 | localize maxpause=6s timeafter=0s | fields count",
    "sistats sum(n) by s | stats sum(n) by s",
    "bin n bins=7",
    "fillnull value=none missing",
    "convert auto(s) | fillnull",
    "sort 0 s | eventstats count by g | dedup s | sort 0 - n",
    "stats count by s | sort 0 - count, s | streamstats count as rank by count",
];

/// Returns the search that generates `rows` rows, a multiple of ten; a wide row takes 3 kB.
fn generator(rows: usize, is_wide: bool) -> String {
    let pad = "pad ".repeat(if is_wide { 700 } else { 1 });
    // `makeresults` generates at most a million rows, so each is expanded into ten. 7919 is prime
    // and does not divide `rows`, so `k` takes each value once, in no simple order.
    format!(
        "| makeresults count={} | eval n=mvrange(0,10) | mvexpand n | streamstats count as n \
         | eval k=(n*7919)%{rows}, s=\"user/\".floor(k/2).\"/of/some/length\", g=k%53, \
         pad=\"{pad}\".floor(k/5) | fields - _time",
        rows / 10
    )
}

/// The number and the hash of a search's rows.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    rows: usize,
    /// A hash of all rows in order and of the lookup that the search writes.
    hash: u64,
}

/// Runs a search with a memory limit and returns its outcome or its error.
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

/// Runs all commands over `rows` rows with the memory limit `limit` and with a limit that is never
/// reached, and returns a description of each difference.
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

/// Sorts that fit in memory just so: their rows must not need more once they are sorted.
#[tokio::test]
async fn sorts_near_their_share_of_the_limit_give_the_same_rows() {
    let rows = "| makeresults count=150000 | streamstats count as n \
        | eval s=\"in/tiny/\".(n%1000).\"/\".n.\".json\"";
    let mut found = Vec::new();
    for search in ["fields s | stats count by s | stats count", "sort 0 - n | fields n"] {
        let search = format!("{rows} | {search}");
        let want = outcome(&search, 1 << 40).await;
        assert!(want.is_ok(), "{want:?}");
        for limit in [56, 72, 96] {
            let got = outcome(&search, limit << 20).await;
            if got != want {
                found.push(format!("{limit} MiB: {search}: {got:?} instead of {want:?}"));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn the_promised_limits_give_the_same_rows() {
    if std::env::var_os("SPILLTRAIL_MEMORY_MATRIX").is_none() {
        return;
    }
    // A row takes about 100 bytes, a wide row 3 kB. The data is half of the limit, or about five or
    // twenty times the limit.
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
