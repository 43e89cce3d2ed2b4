//! Tests that what should change no row changes none: the optimizer's rules, the omission of fields
//! that no later command reads, and how rows are cut into batches.

use std::sync::Arc;

use datafusion::execution::context::SessionContext;
use datafusion::execution::session_state::SessionStateBuilder;
use proptest::prelude::*;
use proptest::sample::select;
use spilltrail_event::Value;

use super::context;
use crate::context::SearchContext;
use crate::events::memory::MemoryEvents;
use crate::rows::Row;
use crate::run;

const MEMORY: usize = 64 << 20;

/// Commands over the fields `_time`, `a`, `b` and `c` and the fields that the commands add.
const COMMANDS: &[&str] = &[
    "search a=1",
    "search NOT b=x",
    "search a>1 OR b=y c=*",
    "where a>1",
    "where isnotnull(b) AND NOT c=\"p\"",
    "where d=1 OR isnull(n)",
    "eval d=a+1",
    "eval a=if(b=\"x\",null(),a), d=coalesce(c,b)",
    "eval b=upper(b).a",
    "eval c=mvappend(c,b)",
    "stats count by b",
    "stats sum(a) as a, values(b) as b, list(a) as d by c",
    "stats first(b) as b last(a) as a count as n",
    "eventstats count as n by b",
    "eventstats max(a) as m, dc(c) as d",
    "streamstats count as n",
    "streamstats sum(a) as d current=f by b",
    "streamstats window=2 max(a) as m first(b) as b",
    "sort a",
    "sort -b, c",
    "sort 3 -a",
    "dedup b",
    "dedup 2 b c keepempty=t",
    "dedup a sortby -_time",
    "head 3",
    "head (a<3)",
    "tail 2",
    "reverse",
    "fields a b",
    "fields - b",
    "table b a n d",
    "rename a as z, b as a",
    "rename * as *_x",
    "rename *_x as *",
    "fillnull",
    "fillnull value=7 a n",
    "mvexpand c",
    "mvcombine b",
    "bin a span=2",
    "bin _time span=10s",
    "rex field=b \"(?<f>.)\"",
    "replace x with y in b",
    "regex b=\"[xy]\"",
    "append [| makeresults | eval b=\"x\", a=9]",
    "appendpipe [stats sum(a) as a by b]",
    "appendcols [| makeresults count=2 | eval e=5]",
    "join type=left b [| makeresults count=2 | streamstats count as k | eval b=if(k=1,\"x\",\"z\") | fields b k]",
    "join b [| makeresults | eval b=\"y\", a=4 | fields - _time]",
    "convert num(b) as f",
    "trendline sma2(a) as t",
    "anomalydetection b action=annotate",
    "makemv delim=\"p\" c",
    "makemv tokenizer=\"(.)\" b",
    "eval k=5, n=null()",
    "where k=5",
    "search k=6 OR n=1",
    "where a>1 AND k=5",
    "eval a=_time, _time=_time+5",
    "where _time>10",
    "search _time>=5 a=*",
    "stats count",
    "stats count as n by _time b",
    "stats dc(b) as b by a | where b>1",
    "sort 0 _time",
    "sort 2 b | search a=*",
    "head 2 | where isnotnull(b)",
    "table *",
    "fields n a c",
    "fields - _time",
    "search NOT [| makeresults | eval b=\"x\" | fields b]",
    "eval a=case(a>3,\"big\",a>1,\"mid\"), b=coalesce(a,b)",
    "eval b=mvindex(c,0), c=null()",
    "eval c=split(b.\"-\".a,\"-\")",
    "where b IN (\"x\",\"z\") OR match(c,\"q\")",
    "streamstats reset_on_change=true count as n by b",
    "eventstats first(a) as f last(b) as l",
    "outlier action=rm a",
    "anomalydetection a action=summary",
    "trendline wma3(a) as t",
    "tail 3 | fields a b _time",
    "mvexpand c limit=1",
    "nomv c",
    "spath input=b",
    "iplocation b",
    "appendpipe [where a>1 | eval b=\"p\"]",
    "append [| makeresults | eval k=5]",
    "appendcols override=t [| makeresults | eval a=7]",
    "join a max=0 [| makeresults count=2 | eval a=1 | streamstats count as m | fields a m]",
    "convert ctime(_time) as s",
    "bin bins=3 a as g",
    "rex field=b mode=sed \"s/x/y/\"",
    "format",
    "return 2 a b",
    "foreach a b [eval <<FIELD>>=coalesce(<<FIELD>>,\"z\")]",
    "foreach * [eval d=mvappend(d,'<<FIELD>>')]",
    "foreach a* [where isnotnull('<<FIELD>>')]",
    "foreach mode=multivalue c [eval n=mvappend(n,<<ITEM>>.<<ITER>>)]",
    "foreach mode=auto_collections b [eval b=<<ITEM>>.\"s\"]",
    "accum a AS n",
    "accum a",
    "delta a AS d p=2",
    "autoregress b AS d",
    "filldown",
    "filldown a n",
    "strcat a \"-\" b d",
    "strcat allrequired=t b c n",
    "rangemap field=a low=0-2 high=3-9",
    "rangemap field=a low=0-2 | eval n=range",
    "eval d=\"{\\\"n\\\":\\\"\".b.\"\\\"}\" | fromjson d",
    "tojson output_field=d a b",
    "tojson output_field=n",
    "addinfo | eval d=info_max_time",
    "eval b=\"<n>\".a.\"</n>\" | xmlkv b",
    "sort 0 - _time | transaction b | eval d=eventcount",
    "sort 0 - _time | transaction startswith=eval(a=1) keepevicted=t mvlist=t",
    "union [| makeresults | eval a=3] [| makeresults | eval n=4]",
    "fieldsummary a b | eval a=field, n=count, d=values",
];

const NUMBERS: &[&str] = &["", "1", "2", "10", "3.5", "word"];
const WORDS: &[&str] = &["", "x", "y", "z", "X"];
const MEMBERS: &[&[&str]] = &[&[], &["p"], &["q", "p"], &["p", "p"], &["r"]];
/// Starts of a search: rows in input order, or events, which are sorted newest first.
const BEGINNINGS: &[&str] = &["| ", "search * | "];

/// The fields that are compared if only some fields are.
const SHOWN: [&str; 4] = ["a", "b", "n", "d"];

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let row =
        (0u32..30, select(NUMBERS), select(WORDS), select(MEMBERS)).prop_map(|(time, a, b, c)| {
            let mut row = Row::from([("_time".to_owned(), Value::Number(f64::from(time)))]);
            for (name, text) in [("a", a), ("b", b)] {
                if !text.is_empty() {
                    row.insert(name.to_owned(), Value::text(text));
                }
            }
            if !c.is_empty() {
                row.insert("c".to_owned(), Value::multi(c.iter().map(|m| (*m).into()).collect()));
            }
            row
        });
    prop::collection::vec(row, 0..12)
}

fn search() -> impl Strategy<Value = String> {
    let commands = prop::collection::vec(select(COMMANDS), 1..6);
    (select(BEGINNINGS), commands)
        .prop_map(|(begin, commands)| format!("{begin}{}", commands.join(" | ")))
}

/// Returns the context without DataFusion's logical and physical optimizer rules.
fn unoptimized(context: &SearchContext) -> SearchContext {
    let state = SessionStateBuilder::new_from_existing(context.session.state())
        .with_optimizer_rules(Vec::new())
        .with_physical_optimizer_rules(Vec::new())
        .build();
    SearchContext { session: SessionContext::new_with_state(state), ..context.clone() }
}

/// Returns the rows of a search, or its error.
async fn outcome(search: &str, context: &SearchContext) -> Result<Vec<Row>, String> {
    let failed = |diagnostics: Vec<_>| format!("{diagnostics:?}");
    let prepared = run::prepare(search, None, context).await.map_err(failed)?;
    let rows = prepared.collect(context).await.map_err(|failure| failure.message)?;
    Ok(rows.iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn optimizing_changes_no_row(rows in rows(), search in search()) {
        let context = context(rows, MEMORY);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let optimized = runtime.block_on(outcome(&search, &context));
        let plain = runtime.block_on(outcome(&search, &unoptimized(&context)));
        prop_assert_eq!(format!("{optimized:?}"), format!("{plain:?}"), "{}", search);
        // A failing pipeline would prove nothing.
        prop_assert!(optimized.is_ok(), "{}: {:?}", search, optimized);
    }

    #[test]
    fn batches_change_no_row(rows in rows(), search in search(), size in 1_usize..4) {
        let context = context(rows.clone(), MEMORY);
        let events = MemoryEvents::new(rows).in_batches_of(size);
        let cut = SearchContext { events: Arc::new(events), ..context.clone() };
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let whole = runtime.block_on(outcome(&search, &context));
        let parts = runtime.block_on(outcome(&search, &cut));
        prop_assert_eq!(format!("{whole:?}"), format!("{parts:?}"), "{} in batches of {}", search, size);
    }

    #[test]
    fn what_is_not_shown_changes_nothing(rows in rows(), search in search()) {
        let context = context(rows, MEMORY);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let shown = |rows: Vec<Row>| -> Vec<String> {
            let value = |row: &Row, name: &str| format!("{:?}", row.get(name).map(Value::members));
            rows.iter().map(|row| SHOWN.map(|name| value(row, name)).join(" ")).collect()
        };
        let table = format!("{search} | table {}", SHOWN.join(" "));
        let whole = runtime.block_on(outcome(&search, &context)).map(shown);
        let part = runtime.block_on(outcome(&table, &context)).map(shown);
        prop_assert_eq!(whole, part, "{}", search);
    }
}
