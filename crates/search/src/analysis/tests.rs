//! Tests of the facts about searches.

use spilltrail_spl::{MacroDefinition, MacroSet};

use super::*;

fn analyzed(search: &str) -> Analysis {
    analyze(search, &MacroSet::builtin())
}

#[test]
fn what_depends_on_the_present() {
    for (search, reasons) in [
        ("x | where _time > now()", "now()"),
        ("x | eval age=Time ( )-_time", "time()"),
        ("x earliest=-1h", "`earliest` without `latest`, earliest=-1h"),
        ("x latest = @d", "latest=@d"),
        ("x earliest=150", "`earliest` without `latest`"),
        ("x earliest=150 latest=6000", ""),
        ("x (earliest=150 (latest=6000 y))", ""),
        ("x (earliest=150 OR latest=6000)", "`earliest` without `latest`"),
        ("x starttime=01/02/2024:00:00:00", ""),
        ("x _index_earliest=-1h latest=9", "_index_earliest=-1h"),
        ("x starthoursago=24 latest=9", "starthoursago=24"),
        ("x starttimeu=24 endtimeu=25", ""),
        ("x | search earliest=-1h latest=9", "earliest=-1h"),
        ("x | where searchmatch(\"earliest=-1h latest=9\")", "earliest=-1h"),
        ("| tstats count where earliest=-1h latest=9 by host", "earliest=-1h"),
        ("| makeresults | eval a=1", "makeresults"),
        ("| makeresults format=csv data=\"a\n1\"", ""),
        ("x | append [| makeresults | eval a=1]", "makeresults"),
        ("x | appendpipe [where _time > now()]", "now()"),
        ("x | eval a=relative_time(now(),\"-1d\")", "now()"),
        ("x | stats count(eval(_time>now())) as n", "now()"),
        ("x | eventstats sum(eval(_time-now())) as n", "now()"),
        ("x | streamstats reset_before=\"(_time>now())\" count", "now()"),
        ("x | head (_time > now())", "now()"),
        ("x | bin _time span=1h aligntime=-30m", "aligntime=-30m"),
        ("x | bin _time span=1h aligntime=@d+3h", "aligntime=@d+3h"),
        ("x | bin _time span=1h aligntime=1700000000", ""),
        // This aligns to the time range of the run, which the caller sets.
        ("x | bin _time span=1h aligntime=earliest", ""),
        ("x | bin bytes span=10 aligntime=-30m", ""),
        ("x | stats min(_time) as firstTime max(_time) as t", ""),
        ("x | convert timeformat=\"%Y\" ctime(firstTime)", ""),
        ("x | eval a=strftime(_time,\"%H\"), b=relative_time(_time,\"@d\")", ""),
        ("x | stats earliest(a) latest ( b ) earliest_time(c)", ""),
        ("x user=\"known user\" | rename a.now as latest_time", ""),
        ("x \"now()\" | eval a=\"earliest=-1h\"", ""),
    ] {
        let facts = analyzed(search).facts;
        let found: Vec<&str> = facts.present.iter().map(String::as_str).collect();
        assert_eq!(found.join(", "), reasons, "{search}");
        assert_eq!(facts.asks_for_present(), !reasons.is_empty(), "{search}");
    }
}

#[test]
fn what_a_subsearch_may_return() {
    for (subsearch, may_bound) in [
        ("| makeresults | eval earliest=150, latest=6000 | fields earliest latest", true),
        ("| inputlookup t | rename a as Earliest | table Earliest", true),
        ("| inputlookup t", true),
        ("| inputlookup t | fields user", false),
        ("search x | stats count by user", false),
        ("search x | stats min(_time) as earliest by user", true),
        ("search x | stats values(*) as * by user", true),
        ("search x | fields user | dedup user | sort user | head 3", false),
        ("search x | table user latest | format", true),
        ("search x | table user | format", false),
        ("search x | table user | format emptystr=\"earliest=1\"", true),
        ("search x | return 5 user", false),
        ("search x | return earliest=_time", true),
        ("search x | return $user", true),
        ("search x | eval search=\"earliest=1\" | fields search", true),
    ] {
        let analysis = analyzed(&format!("a=b [{subsearch}]"));
        assert_eq!(analysis.facts.has_own_times(), may_bound, "{subsearch}");
        let reason = "a subsearch that may return bounds of time";
        assert_eq!(analysis.facts.present.contains(reason), may_bound, "{subsearch}");
        let later = analyzed(&format!("a=b | search [{subsearch}]"));
        assert!(!later.facts.has_own_times(), "{subsearch}");
    }
}

#[test]
fn times_of_its_own() {
    let macros = MacroSet::builtin();
    for (search, times) in [
        ("eventName=CreateTask | stats count latest(x)", ""),
        ("earliest=-7d eventName=CreateTask", "earliest=-7d"),
        ("eventName=a OR [search EARLIEST = 0 b=1 | fields c]", "earliest=0"),
        ("starttimeu=0", "starttimeu=0"),
        ("daysago=3", "daysago=3"),
        ("x | append [search latest=now y]", "latest=now"),
        ("x | where a=[search latest=5 y | return $a]", "latest=5"),
        ("| tstats count where latest=5", "latest=5"),
        ("x | map search=\"search latest=$t$ eventName=$e$\"", "latest=$t$"),
        // A later time bound only removes rows; it does not change which events are read.
        ("x | search earliest=-7d", ""),
        ("x | appendpipe [search earliest=-7d]", ""),
        ("x \"earliest=1\"", ""),
    ] {
        let facts = analyze(search, &macros).facts;
        let found: Vec<String> = facts
            .times
            .iter()
            .map(|time| match time {
                OwnTime::Written { bound, modifier } => format!("{bound}={modifier}"),
                OwnTime::Returned => "returned".to_owned(),
            })
            .collect();
        assert_eq!(found.join(", "), times, "{search}");
    }
}

#[test]
fn lookups_and_outputs() {
    let join = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    for (search, read, written, outputs) in [
        ("a=b | outputlookup seen.csv", "", "seen.csv", ""),
        ("a=b [search c | OUTPUTLOOKUP append=t \"seen\" | fields c] | d", "", "seen", ""),
        ("a=b | outputlookup unseen | lookup seen x", "seen", "unseen", ""),
        ("a=b | lookup seen x OUTPUT y", "seen", "", ""),
        ("a=b | outputlookup create_empty=false seen|table x", "", "seen", ""),
        ("a=\"| outputlookup seen\"", "", "", ""),
        ("NOT [| inputlookup known where a=b | fields c]", "known", "", ""),
        ("x | eval a=lookup(\"t\", json_object(\"a\", b), json_array(\"c\"))", "t", "", ""),
        ("index=Risk a=b OR index IN (notable, main)", "", "", "index=notable, index=risk"),
        ("NOT index=risk", "", "", ""),
        ("x | append [| loadjob 5]", "", "", "loadjob 5"),
        ("x | append [| from datamodel:Risk]", "", "", "from datamodel:Risk"),
    ] {
        let facts = analyzed(search).facts;
        let found =
            (join(&facts.lookups_read), join(&facts.lookups_written), join(&facts.other_outputs));
        assert_eq!(found, (read.to_owned(), written.to_owned(), outputs.to_owned()), "{search}");
    }
}

#[test]
fn the_shape_of_a_search() {
    for (search, leading, rows, generating, transforming, nesting) in [
        ("a=b c", Some("a=b c"), Origin::Events, false, false, 0),
        ("a | eval x=1", Some("a"), Origin::Events, false, false, 0),
        ("a | stats count by b c", Some("a"), grouped(&["b", "c"]), false, true, 0),
        ("a | stats count", Some("a"), grouped(&[]), false, true, 0),
        ("a | table b | stats count by b", Some("a"), grouped(&["b"]), false, true, 0),
        ("a | format", Some("a"), Origin::Unknown, false, true, 0),
        ("| makeresults | stats count", None, grouped(&[]), true, true, 0),
        (
            "a [search b [search c | fields d] | fields e] | append [search f]",
            Some("a [search b [search c | fields d] | fields e]"),
            Origin::Events,
            false,
            false,
            2,
        ),
        ("a | stats bogus=1 count", Some("a"), Origin::Unknown, false, true, 0),
    ] {
        let analysis = analyzed(search);
        assert_eq!(analysis.leading.as_deref(), leading, "{search}");
        assert_eq!(analysis.rows, rows, "{search}");
        assert_eq!(analysis.is_generating, generating, "{search}");
        assert_eq!(analysis.is_transforming, transforming, "{search}");
        assert_eq!(analysis.facts.nesting, nesting, "{search}");
    }
}

fn grouped(names: &[&str]) -> Origin {
    Origin::Groups(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn names_of_events_and_fields() {
    let search = "index=Main sourcetype IN (aws:*, x) eventName=A NOT eventName=B | where a>b | stats count by c";
    let analysis = analyzed(search);
    let names = |field: &str| analysis.facts.names[field].iter().cloned().collect::<Vec<_>>();
    assert_eq!(names("index"), ["main"]);
    assert_eq!(names("sourcetype"), ["aws:*", "x"]);
    assert_eq!(names("eventName"), ["a"]);
    assert_eq!(analysis.demand, Demand::of(["a", "b", "c"]));
}

#[test]
fn what_cannot_be_read_hides_nothing_else() {
    let mut macros = MacroSet::builtin();
    macros.insert(MacroDefinition {
        name: "recent".to_owned(),
        arguments: Vec::new(),
        definition: "earliest=-1h".to_owned(),
        is_eval: false,
        validation: None,
        error_message: None,
        origin: "test".to_owned(),
    });
    let search = "`recent` | frobnicate | outputlookup seen | eval =1";
    let analysis = analyze(search, &macros);
    assert!(analysis.facts.present.contains("earliest=-1h"));
    assert!(analysis.facts.lookups_written.contains("seen"));
    let diagnostics = analysis.diagnostics();
    assert_eq!(diagnostics.len(), 2, "{diagnostics:?}");
    assert!(diagnostics[0].message.contains("frobnicate"));
    let analysis = analyze("`unknown_macro` | outputlookup seen", &macros);
    assert_eq!(analysis.diagnostics().len(), 1);
    assert!(analysis.facts.lookups_written.contains("seen"));
}

#[test]
fn what_matters_without_events() {
    for (search, expected) in [
        ("a=1 HERE | stats count", true),
        ("a=1 [search HERE] | stats count", true),
        ("a=1 | search HERE", false),
        ("a=1 | join type=outer user [search HERE]", false),
        ("a=1 | append [search HERE]", true),
        ("| union [search HERE] [search b=1]", true),
        ("a=1 | stats count | appendpipe [search HERE]", true),
    ] {
        let at = search.find("HERE").unwrap();
        let found = analyzed(search).matters_without_events(Span::new(at, at + 4));
        assert_eq!(found, expected, "{search}");
    }
}
