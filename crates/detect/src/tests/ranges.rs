//! Runs over several time ranges, which must assign the same ids to the same things.

use std::collections::BTreeMap;

use spilltrail_event::TimeBounds;

use super::{Ran, Written, context};

/// Returns the events of one day: one per minute, from a few users and accounts.
fn events() -> String {
    (0..300)
        .map(|n| {
            format!(
                "{{\"_time\":{},\"eventID\":\"e{n}\",\"eventName\":\"Get\",\"user\":\"u{}\",\
                 \"account\":\"{}\",\"country\":\"c{}\",\"tag\":[\"a\",\"t{}\"]}}\n",
                n * 60,
                n / 20 % 7,
                n / 50,
                n % 3,
                n % 2,
            )
        })
        .collect()
}

/// Runs a search over the events of a range of minutes, as a source would limit them.
fn found(search: &'static str, minutes: std::ops::Range<usize>) -> Ran {
    let lines: Vec<String> = events().lines().map(str::to_owned).collect();
    let mut context = context(&lines[minutes.clone()].join("\n"));
    let time = |minute: usize| Some(u32::try_from(minute * 60).unwrap().into());
    context.range = TimeBounds { earliest: time(minutes.start), latest: time(minutes.end) };
    Written { search, ..Written::default() }.run_in(&context)
}

/// Returns the ids of findings, keyed by the values of the fields `subject`.
fn ids(run: &Ran, subject: &[&str]) -> BTreeMap<Vec<String>, String> {
    let mut ids = BTreeMap::new();
    for finding in &run.findings {
        let values = subject.iter().map(|name| format!("{:?}", finding.result.get(*name)));
        let clash = ids.insert(values.collect::<Vec<_>>(), finding.id.clone());
        assert_eq!(clash, None, "two findings about {:?}", finding.result);
    }
    ids
}

#[test]
fn overlapping_runs_share_the_ids_of_what_both_find() {
    for (search, subject) in [
        ("eventName=Get | stats count min(_time) as firstTime by account", &["account"][..]),
        ("eventName=Get | stats count as country by account", &["account"]),
        ("eventName=Get | stats max(_time) as account by country", &["country"]),
        ("eventName=Get | stats count by user country | rename user as who", &["who", "country"]),
        ("eventName=Get | bin _time span=10m | stats count by _time user", &["_time", "user"]),
        ("eventName=Get | stats values(tag) as tag by user | mvexpand tag", &["user", "tag"]),
        ("eventName=Get | stats count by user | eventstats avg(count) as mean", &["user"]),
        ("eventName=Get | dedup user | table user account", &["user"]),
        ("eventName=Get", &["eventID"]),
        ("eventName=Get | fields - eventID", &["_time"]),
        ("eventName=Get | streamstats count as n by user", &["eventID"]),
        ("eventName=Get | mvexpand tag", &["eventID", "tag"]),
        ("eventName=Get | table _time user country", &["_time", "user", "country"]),
        ("| tstats count where eventName=Get by user account", &["user", "account"]),
        (
            "eventName=Get | stats count by user | append [search eventName=Get | stats count by account]",
            &["user", "account"],
        ),
    ] {
        let (early, late) = (found(search, 0..200), found(search, 100..300));
        let (early, late) = (ids(&early, subject), ids(&late, subject));
        let mut shared = 0;
        for (what, id) in &early {
            match late.get(what) {
                Some(again) => {
                    assert_eq!(again, id, "{search}: {what:?}");
                    shared += 1;
                }
                None => assert!(late.values().all(|other| other != id), "{search}: {what:?}"),
            }
        }
        assert!(shared > 0, "{search}");
        let distinct: std::collections::BTreeSet<_> = early.values().collect();
        assert_eq!(distinct.len(), early.len(), "{search}");
    }
}

#[test]
fn the_times_and_the_number_of_events_are_those_of_the_events() {
    for (search, events, first, last) in [
        ("eventName=Get user=u1 | stats count by user", Some(40), Some(1200.0), Some(10_740.0)),
        (
            "eventName=Get user=u1 | stats count values(tag) as tag by user account",
            Some(20),
            Some(1200.0),
            Some(2340.0),
        ),
        (
            "eventName=Get user=u1 | mvexpand tag | stats count by user",
            Some(40),
            Some(1200.0),
            Some(10_740.0),
        ),
        ("eventName=Get user=u1 eventID=e21", Some(1), Some(1260.0), Some(1260.0)),
        (
            "| tstats count min(_time) as firstTime max(_time) as lastTime where user=u1 by user",
            None,
            Some(1200.0),
            Some(10_740.0),
        ),
        ("| tstats count where user=u1 by user", None, None, None),
    ] {
        let run = found(search, 0..300);
        let finding = &run.findings[0];
        assert_eq!(finding.evidence.events, events, "{search}");
        assert_eq!((finding.first_seen, finding.last_seen), (first, last), "{search}");
        assert!(finding.evidence.event_ids.len() <= 20, "{search}");
    }
}

#[test]
fn many_findings_are_sent_in_the_order_of_their_rows() {
    // The search returns more rows than one batch of the gatherer.
    let search = "| makeresults count=5000 | streamstats count as n | stats count by n";
    let run = Written { search, ..Written::default() }.run("");
    let numbers: Vec<f64> =
        run.findings.iter().filter_map(|finding| finding.result["n"].as_number()).collect();
    assert_eq!(numbers.len(), 5000);
    assert!(numbers.is_sorted());
}
