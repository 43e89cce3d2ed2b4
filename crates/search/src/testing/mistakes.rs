//! Tests that every mistake in a search is reported, with the text it refers to marked.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Value;

use super::{context, rows};
use crate::run;

const MEMORY: usize = 64 << 20;

/// The code, the marked text and the start of the message of a diagnostic.
type Said<'a> = (&'a str, &'a str, &'a str);

/// Searches with all diagnostics reported for each.
const CASES: &[(&str, &[Said<'_>])] = &[
    // A nonexistent option is not parsed as a condition or as a field.
    ("| head limt=2", &[("SPL2004", "limt", "`head` has no option `limt`")]),
    ("| head n=3", &[("SPL2004", "n", "`head` has no option `n`")]),
    ("| stats count vals=x by u", &[("SPL2004", "vals", "`stats` has no option `vals`")]),
    ("| lookup t u updat=t", &[("SPL2004", "updat", "`lookup` has no option `updat`")]),
    // The number of rows is limited, both as a named and as an unnamed argument.
    (
        "| makeresults count=1000001",
        &[(
            "SPL2004",
            "1000001",
            "expected a whole number from 0 to 1000000 for `count`, found `1000001`",
        )],
    ),
    (
        "| makeresults 1000001",
        &[("SPL2005", "1000001", "expected a number from 0 to 1000000, found `1000001`")],
    ),
    // The argument of `head` is a number or a condition in parentheses.
    (
        "| head foo",
        &[("SPL1008", "foo", "expected a number or a condition in parentheses, found `foo`")],
    ),
    (
        "| head 5 foo",
        &[("SPL1008", "foo", "expected a number or a condition in parentheses, found `foo`")],
    ),
    (
        "| head n<3",
        &[("SPL1008", "n<3", "expected a number or a condition in parentheses, found `n<3`")],
    ),
    // Several mistakes in one command.
    (
        "| eval a=foo(1), b=bar(2)",
        &[
            ("SPL2033", "foo", "there is no eval function `foo`"),
            ("SPL2033", "bar", "there is no eval function `bar`"),
        ],
    ),
    (
        "| eval a=1+, b=max(\",\", 2), c=*2, d=3",
        &[("SPL1008", ",", "expected "), ("SPL1008", "*", "expected ")],
    ),
    (
        "| eval a=foo(bar(1)) + round(1, 2, 3, 4)",
        &[
            ("SPL2033", "foo", "there is no eval function `foo`"),
            ("SPL2005", "round(1, 2, 3, 4)", "wrong number of arguments for `round`"),
        ],
    ),
    (
        "| dedup 0 u keepempt=t keepevents=maybe",
        &[
            ("SPL2005", "0", "expected a number greater than 0, found `0`"),
            ("SPL2004", "keepempt", "`dedup` has no option `keepempt`"),
            ("SPL2004", "maybe", "expected `true` or `false` for `keepevents`, found `maybe`"),
        ],
    ),
    (
        "| rename a as b, c* as d, e as b",
        &[
            ("SPL2005", "c* as d", "`c*` and `d` must have equally many `*`"),
            ("SPL2005", "b", "two fields are renamed to `b`"),
        ],
    ),
    (
        "| stats nosuch(a) other(b) by u",
        &[
            ("SPL2033", "nosuch", "there is no statistics function `nosuch`"),
            ("SPL2033", "other", "there is no statistics function `other`"),
        ],
    ),
    // Mistakes in several commands, including commands of subsearches.
    (
        "| eval a=foo(1) | where match(a, \"(\") | nosuch | stats sum(eval(bar(n))) | sort limit=x a",
        &[
            ("SPL2033", "foo", "there is no eval function `foo`"),
            ("SPL2007", "\"(\"", "invalid regular expression"),
            ("SPL2001", "nosuch", "the command `nosuch` is not supported"),
            ("SPL2033", "bar", "there is no eval function `bar`"),
            ("SPL2004", "x", "expected a whole number for `limit`, found `x`"),
        ],
    ),
    (
        "search earliest=soon [search latest=late | eval a=foo(1)] | append [| nosuch] | where x",
        &[
            ("SPL1004", "soon", "`soon` is not a time modifier"),
            ("SPL1004", "late", "`late` is not a time modifier"),
            ("SPL2033", "foo", "there is no eval function `foo`"),
            ("SPL2001", "nosuch", "the command `nosuch` is not supported"),
        ],
    ),
    (
        "search earliest=-1h latest=-2h | append [search earliest=@d latest=@d]",
        &[("SPL1004", "earliest=-1h", "the time range ends before it begins")],
    ),
    (
        "| streamstats count reset_before=(foo(a)) reset_after=\"(bar(b))\"",
        &[
            ("SPL2033", "foo", "there is no eval function `foo`"),
            ("SPL2033", "bar", "there is no eval function `bar`"),
        ],
    ),
    (
        "| where \"a\" | eval b=isnull(c)",
        &[
            ("SPL2005", "\"a\"", "the expression is not a condition"),
            ("SPL2005", "isnull(c)", "a field cannot hold a Boolean"),
        ],
    ),
    (
        "| | where nosuch(1)",
        &[
            ("SPL1003", "|", "expected a command, found nothing"),
            ("SPL2033", "nosuch", "there is no eval function `nosuch`"),
        ],
    ),
    // Two columns with the same name.
    ("| stats sum(n) as u by u", &[("SPL2005", "u", "`u` is both a statistic and a BY field")]),
    ("| eventstats count as u by u", &[("SPL2005", "u", "`u` is both a statistic and a BY field")]),
    (
        "| streamstats count as u by u",
        &[("SPL2005", "u", "`u` is both a statistic and a BY field")],
    ),
    (
        "| tstats count as host by host",
        &[("SPL2005", "host", "`host` is both a statistic and a BY field")],
    ),
    ("| stats values(u) as x values(v) as x", &[("SPL2005", "x", "two statistics are named `x`")]),
    ("| eventstats dc(u) as x dc(v) as x", &[("SPL2005", "x", "two statistics are named `x`")]),
    ("| streamstats sum(u) as x avg(u) as x", &[("SPL2005", "x", "two statistics are named `x`")]),
    ("| stats values(n*) as x* max(n) as x", &[("SPL2005", "x*", "two statistics are named `x`")]),
    (
        "| eventstats values(n*) as x* max(n) as x",
        &[("SPL2005", "x*", "two statistics are named `x`")],
    ),
    (
        "| streamstats values(n*) as u* by u",
        &[("SPL2005", "u*", "`u` is both a statistic and a BY field")],
    ),
    // A second operator is not a value.
    ("search a = = 1", &[("SPL1008", "=", "expected a value to compare `a` with, found `=`")]),
    ("search a > = 1", &[("SPL1008", "=", "expected a value to compare `a` with, found `=`")]),
    ("search a<>1", &[("SPL1008", ">", "expected a value to compare `a` with, found `>`")]),
    ("search a IN (=, b)", &[("SPL1008", "=", "expected a value, found `=`")]),
    (
        "| where [| makeresults | eval \"it's\"=1 | fields - _time]",
        &[(
            "SPL2005",
            "| makeresults | eval \"it's\"=1 | fields - _time",
            "no expression can name the field `it's`",
        )],
    ),
    (
        "| foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [eval b=1]]]]]]]]]]",
        &[(
            "SPL1005",
            "foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [foreach a [eval b=1]]]]]]]]]",
            "`foreach` has more than 8 others inside",
        )],
    ),
    (
        "a=[| makeresults | table _time]",
        &[(
            "SPL2005",
            "| makeresults | table _time",
            "the subsearch returns no text to compare `a`",
        )],
    ),
    (
        "a=[| makeresults | eval search=\"b c\" | table search]",
        &[(
            "SPL2005",
            "| makeresults | eval search=\"b c\" | table search",
            "the subsearch returns `b c`, which is not one value",
        )],
    ),
    (
        "a=[| makeresults count=2 | eval b=1 | return 2 $b]",
        &[("SPL1008", "", "expected a value to compare `a` with, found `(`")],
    ),
    // Commands that work row by row.
    ("| accum", &[("SPL1006", "", "expected a field")]),
    ("| addinfo x", &[("SPL1007", "x", "expected the end of the command, found `x`")]),
    (
        "| delta n p=0",
        &[("SPL2004", "0", "expected a whole number from 1 to 10000 for `p`, found `0`")],
    ),
    (
        "| autoregress n AS m p=1-2",
        &[("SPL2005", "m", "a range of rows needs a field for each, so `AS` cannot name one")],
    ),
    ("| filldown a=1", &[("SPL1008", "a", "expected a field, found `a`")]),
    ("| strcat a", &[("SPL2012", "a", "expected fields or texts to join, and a field")]),
    ("| rangemap low=1-2", &[("SPL2012", "low=1-2", "expected `field=`")]),
    (
        "| reltime timefield=\"\"",
        &[("SPL2004", "timefield=\"\"", "expected a field for `timefield`")],
    ),
    ("| extract my_rule", &[("SPL2011", "my_rule", "there is no configured extraction `my_rule`")]),
    ("| tojson text(a)", &[("SPL2005", "text", "`tojson` has no function `text`")]),
    ("| xmlkv a b", &[("SPL1007", "b", "expected the end of the command, found `b`")]),
    ("| fieldsummary maxvals=x", &[("SPL2004", "x", "expected a whole number for `maxvals`")]),
    ("| xpath \"count(//a)\"", &[("SPL2011", "\"count(//a)\"", "this XPath expression is not")]),
    ("| xpath //a", &[("SPL1007", "/", "expected the end of the command, found `/`")]),
    (
        "| multikv nosuch",
        &[("SPL1007", "nosuch", "expected the end of the command, found `nosuch`")],
    ),
    // Commands that find what is unusual.
    ("| cluster t=2", &[("SPL2004", "t=2", "expected a number between 0 and 1 for `t`")]),
    ("| cluster x", &[("SPL1007", "x", "expected the end of the command, found `x`")]),
    (
        "| anomalies by a*",
        &[("SPL2005", "a*", "`anomalies` takes no wildcards in the fields to group by")],
    ),
    ("| associate a*", &[("SPL2005", "a*", "`associate` takes no wildcard here")]),
    (
        "| anomalousvalue pthresh=2",
        &[("SPL2004", "2", "expected a number from 0 to 1 for `pthresh`, found `2`")],
    ),
    ("| correlate a", &[("SPL1007", "a", "expected the end of the command, found `a`")]),
    (
        "| predict n algorithm=BiLL",
        &[("SPL2003", "algorithm=BiLL", "`predict algorithm=BiLL` is not supported")],
    ),
    ("| predict n upper95=", &[("SPL2004", "upper95=", "expected a percentage and a name")]),
    ("| mstats count", &[("SPL2005", "count", "`count` needs a metric")]),
    ("| stats count by a*", &[("SPL2005", "a*", "`stats` takes no wildcards in the fields to")]),
    ("| top a*", &[("SPL2005", "a*", "`top` takes no wildcards in the fields to group by")]),
    (
        "| chart count over a by b*",
        &[("SPL2005", "b*", "`chart` takes no wildcards in the fields to group by")],
    ),
    (
        "| savedsearch nosuch",
        &[("SPL2005", "savedsearch nosuch", "there is no saved search `nosuch`")],
    ),
    ("| savedsearch", &[("SPL2012", "savedsearch", "expected the name of a search")]),
    // Commands that take datasets and searches.
    ("| union nosuch", &[("SPL1008", "nosuch", "expected a type and a name, found `nosuch`")]),
    (
        "| tstats count dc(Web.x) from datamodel=Web where Web.y=1 OR Web.Proxy.url=a by web.url _time host",
        &[
            ("SPL2031", "Web.x", "the data model `Web` has no field `Web.x`"),
            ("SPL2031", "Web.y", "the data model `Web` has no field `Web.y`"),
            ("SPL2031", "web.url", "the data model `Web` has no field `web.url`"),
        ],
    ),
    (
        "| tstats count from datamodel=Wbe.Web | append [| datamodel Change All search]",
        &[
            ("SPL2031", "Wbe.Web", "there is no data model `Wbe`"),
            ("SPL2031", "All", "the data model `Change` has no dataset `All`"),
        ],
    ),
    (
        "| tstats count from datamodel=Change by nodename",
        &[("SPL2003", "nodename", "`nodename` cannot be grouped by")],
    ),
    (
        "| datamodel Change All_Changes acceleration_search",
        &[("SPL2003", "acceleration_search", "`acceleration_search` is not supported")],
    ),
    (
        "| from datamodel:Risk.All",
        &[("SPL2031", "All", "the data model `Risk` has no dataset `All`")],
    ),
    (
        "| multisearch [search a=1]",
        &[("SPL2012", "[search a=1]", "expected at least two searches")],
    ),
    (
        "| multisearch [search a=1] [search b=1 | stats count]",
        &[("SPL2005", "stats", "`stats` cannot be in a search of `multisearch`")],
    ),
    ("| collect", &[("SPL2012", "collect", "expected `index=`")]),
    (
        "| metadata type=users",
        &[("SPL2004", "users", "expected `hosts`, `sources` or `sourcetypes`")],
    ),
    (
        "| eventcount report_size=t",
        &[("SPL2003", "report_size=t", "`eventcount report_size=t` is not supported")],
    ),
    // Ranges of rows.
    (
        "| autoregress n p=2-1002",
        &[("SPL2004", "p=2-1002", "a range has at most 1000 numbers, and `2-1002` has more")],
    ),
    (
        "| autoregress n p=50001",
        &[("SPL2004", "p=50001", "expected a number from 1 to 50000 or a range")],
    ),
    // One field is named without a wildcard.
    ("| accum n*", &[("SPL2005", "n*", "`accum` takes no wildcard here")]),
    ("| accum n AS m*", &[("SPL2005", "m*", "`accum` takes no wildcard here")]),
    ("| delta n*", &[("SPL2005", "n*", "`delta` takes no wildcard here")]),
    ("| autoregress n*", &[("SPL2005", "n*", "`autoregress` takes no wildcard here")]),
    ("| fromjson k*", &[("SPL2005", "k*", "`fromjson` takes no wildcard here")]),
    ("| reltime timefield=x*", &[("SPL2005", "timefield=x*", "`reltime` takes no wildcard here")]),
    ("| rangemap field=n* low=1-2", &[("SPL2005", "n*", "`rangemap` takes no wildcard here")]),
    ("| contingency k* u", &[("SPL2005", "k*", "`contingency` takes no wildcard here")]),
    ("| xyseries u* k n", &[("SPL2005", "u*", "`xyseries` takes no wildcard here")]),
    (
        "| untable u k* v*",
        &[
            ("SPL2005", "k*", "`untable` takes no wildcard here"),
            ("SPL2005", "v*", "`untable` takes no wildcard here"),
        ],
    ),
    ("| makecontinuous n*", &[("SPL2005", "n*", "`makecontinuous` takes no wildcard here")]),
    ("| mvcombine n*", &[("SPL2005", "n*", "`mvcombine` takes no wildcard here")]),
    ("| mvexpand n*", &[("SPL2005", "n*", "`mvexpand` takes no wildcard here")]),
    ("| nomv n*", &[("SPL2005", "n*", "`nomv` takes no wildcard here")]),
    ("| makemv n*", &[("SPL2005", "n*", "`makemv` takes no wildcard here")]),
    ("| bin n* span=5", &[("SPL2005", "n*", "`bin` takes no wildcard here")]),
    ("| strcat a* b c", &[("SPL2005", "a*", "`strcat` takes no wildcard here")]),
    ("| regex a*=\"x\"", &[("SPL2005", "a*", "`regex` takes no wildcard here")]),
    ("| trendline sma2(n*)", &[("SPL2005", "n*", "`trendline` takes no wildcard here")]),
    ("| iplocation ip*", &[("SPL2005", "ip*", "`iplocation` takes no wildcard here")]),
    ("| xmlkv a*", &[("SPL2005", "a*", "`xmlkv` takes no wildcard here")]),
    ("| rex field=a* \"(?<b>x)\"", &[("SPL2005", "a*", "`field` takes no wildcard")]),
    ("| spath input=a* output=b path=c", &[("SPL2005", "a*", "`input` takes no wildcard")]),
    // Unsupported options and misplaced arguments.
    ("| makemv setsv=t a", &[("SPL2003", "setsv=t", "`makemv setsv=t` is not supported")]),
    (
        "| join left=L right=R a where L.a=R.a [| makeresults]",
        &[("SPL1008", "a", "expected `where` before the keys, found `a`")],
    ),
];

/// Returns the code, the marked text and the message of each diagnostic.
fn shown(search: &str, diagnostics: &[Diagnostic]) -> Vec<(String, String, String)> {
    let one = |diagnostic: &Diagnostic| {
        let span = diagnostic.span().unwrap_or_default();
        let marked = search.get(span.start..span.end).unwrap_or("nothing").to_owned();
        (diagnostic.code.to_string(), marked, diagnostic.message.clone())
    };
    diagnostics.iter().map(one).collect()
}

#[tokio::test]
async fn every_mistake_is_found_at_its_place() {
    let mut failures = Vec::new();
    for (search, wanted) in CASES {
        let context = context(rows("{\"n\":\"1\",\"u\":\"a\",\"_time\":5}"), MEMORY);
        let found = match run::prepare(search, None, &context).await {
            Ok(_) => Vec::new(),
            Err(diagnostics) => shown(search, &diagnostics),
        };
        let wanted: Vec<_> = wanted
            .iter()
            .map(|(code, marked, message)| {
                ((*code).to_owned(), (*marked).to_owned(), (*message).to_owned())
            })
            .collect();
        // Some messages end with text from another library, so only the start is compared.
        let is_same = found.len() == wanted.len()
            && found.iter().zip(&wanted).all(|(found, wanted)| {
                found.0 == wanted.0 && found.1 == wanted.1 && found.2.starts_with(&wanted.2)
            });
        if !is_same {
            failures.push(format!("{search}\n    gives {found:#?}\n    not {wanted:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[tokio::test]
async fn what_changes_nothing_is_a_warning() {
    for (search, marked) in [
        ("| append maxtime=5 [| makeresults]", "maxtime=5"),
        ("| stats partitions=4 count", "partitions=4"),
        ("| head 5 keeplast=t", "keeplast=t"),
        ("| makeresults 3 format=csv data=\"a\n1\"", "3"),
        ("| bin n span=10 bins=5", "bins=5"),
        ("| bin _time span=1d aligntime=latest", "aligntime=latest"),
        ("| rex mode=sed field=n max_match=2 \"s/a/b/\"", "max_match=2"),
        ("| streamstats count global=f", "global=f"),
        ("| append [| appendcols timeout=7 [| makeresults]]", "timeout=7"),
        ("| collect index=summary", "index=summary"),
        ("| extract segment=t", "segment=t"),
        ("| eventcount list_federated_remote=t", "list_federated_remote=t"),
        ("| transaction connected=f", "connected=f"),
        ("| foreach mode=multivalue n matchstr=x [eval a=<<ITEM>>]", "matchstr=x"),
        ("| map search=\"search x\" [| makeresults]", "search=\"search x\""),
    ] {
        let context = context(rows("{\"n\":\"1\",\"_time\":5}"), MEMORY);
        let prepared = run::prepare(search, None, &context).await;
        assert!(prepared.is_ok(), "{search}: {prepared:?}");
        let messages = shown(search, &context.observations.messages());
        assert!(
            messages.iter().any(|(code, text, _)| code == "SPL2010" && text == marked),
            "{search}: {messages:?}"
        );
    }
}

#[tokio::test]
async fn spans_of_time_for_other_fields_are_doubted() {
    for (search, marked) in [
        ("| bin n span=1h", "span=1h"),
        ("| bin n span=1h as m", "span=1h"),
        ("| chart count over n span=1h", "n"),
        ("| chart count over u by n span=1h", "n"),
        ("| makecontinuous n span=1h", "n"),
        ("| bin n span=10", ""),
        ("| bin _time span=1h", ""),
        ("| bin firstTime span=1h", ""),
        ("| timechart span=1h count by n span=10", ""),
        ("| chart count over _time span=1h", ""),
    ] {
        let context = context(rows("{\"n\":\"1\",\"u\":\"a\",\"_time\":5}"), MEMORY);
        let prepared = run::prepare(search, None, &context).await;
        assert!(prepared.is_ok(), "{search}: {prepared:?}");
        let found = shown(search, &context.observations.messages());
        let found: Vec<(&str, &str)> =
            found.iter().map(|(code, text, _)| (code.as_str(), text.as_str())).collect();
        let wanted: &[(&str, &str)] = if marked.is_empty() { &[] } else { &[("SPL2004", marked)] };
        assert_eq!(found, wanted, "{search}");
    }
}

#[tokio::test]
async fn a_search_stops_only_at_a_command_that_it_has() {
    let context = context(rows("{\"n\":\"1\"}"), MEMORY);
    let search = "* | bucket n span=10 | stats count by n | bucket n span=5";
    for (until, n) in [("stats", "0-10"), ("STATS", "0-10"), ("bucket", "1"), ("bin", "1")] {
        let prepared = run::prepare(search, Some(until), &context).await.unwrap();
        let found = prepared.collect(&context).await.unwrap();
        let row = found.iter().next().unwrap();
        assert_eq!((&row["n"], row.contains_key("count")), (&Value::text(n), false), "{until}");
    }
    // No command remains before the first one.
    let nothing = run::prepare("| bucket n span=10", Some("bin"), &context).await.err();
    assert_eq!(nothing.expect("no command is left")[0].message, "the search is empty");
    let diagnostics = run::prepare(search, Some("nosuch"), &context).await.err();
    let diagnostic = &diagnostics.expect("no such command")[0];
    assert_eq!(diagnostic.message, "the search has no command `nosuch` to stop at");
    assert_eq!(diagnostic.help.as_deref(), Some("its commands are `search`, `bucket`, `stats`"));
}
