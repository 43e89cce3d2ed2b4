//! Lists: what filters let pass, and that pages have each finding once.

use std::collections::BTreeSet;

use spilltrail_schedule::Moment;

use super::{file, finding, finish, store};
use crate::*;

fn ids(reader: &StoreReader, filter: &Filter) -> String {
    let page = reader.list(filter, None, 100).unwrap();
    assert_eq!(page.rows.len() as u64, page.total);
    page.rows.into_iter().map(|row| row.id).collect::<Vec<_>>().join(" ")
}

#[test]
fn filters() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let found = |id: &str, time: f64, severity: Level| FindingRecord {
        time: Some(time),
        severity,
        ..finding(id, "1")
    };
    let b = FindingRecord {
        name: "100% Sure".into(),
        title: "C:\\path was_here".into(),
        entity: Some("Bob".into()),
        risks: vec![],
        ..found("b", 90.0, Level::Critical)
    };
    let risk = FindingRecord { is_notable: false, ..found("risk", 80.0, Level::Low) };
    let hidden = FindingRecord { suppressed_by: Some(7), ..found("hidden", 70.0, Level::Low) };
    let none = FindingRecord { time: None, entity: None, ..found("none", 0.0, Level::Unknown) };
    let gone = finding("gone", "1");
    let first =
        [found("a", 100.0, Level::Medium), b, risk, hidden, gone, none, finding("over", "1")];
    finish(&mut store, 3600, 1, &first);
    finish(&mut store, 3600, 2, &[&first[..4], &first[5..]].concat());
    // The newest run decides about the place, though what it found happened earlier.
    finish(&mut store, 7200, 1, &[found("a", 50.0, Level::Medium)]);
    let mut change = |id: &str, change: Change| {
        desk.change(&[id], &change, "ann", Moment(1)).unwrap();
    };
    let status = Some(TriageStatus::Closed);
    change("over", Change { status, ..Change::default() });
    change("b", Change { owner: Some("ann".into()), ..Change::default() });
    change("none", Change { urgency: Some(Some(Level::Critical)), ..Change::default() });
    let all = || Filter { is_all: true, ..Filter::default() };
    let span = |since: Option<i64>, until: Option<i64>| Span {
        since: since.map(Moment),
        until: until.map(Moment),
    };
    let text = |text: &str| Some(text.to_owned());
    for (filter, expected) in [
        (Filter::default(), "a none b"),
        (all(), "a none b risk"),
        (Filter { statuses: vec![TriageStatus::Closed], ..all() }, "over"),
        (Filter { statuses: TriageStatus::ALL.to_vec(), ..all() }, "a none b risk over"),
        (Filter { owner: text("ann"), ..all() }, "b"),
        (Filter { owner: text(""), ..all() }, "a none risk"),
        (Filter { detection: text("A"), ..all() }, "a none b risk"),
        (Filter { detection: text("100%*"), ..all() }, "b"),
        (Filter { detection: text("100_ *"), ..all() }, ""),
        (Filter { detection: text("list*buck*"), ..all() }, "a none risk"),
        (Filter { detection: text("listing"), ..all() }, ""),
        (Filter { urgency: Some(Level::High), ..all() }, "none b"),
        (Filter { severity: Some(Level::Medium), ..all() }, "a b"),
        (Filter { severity: Some(Level::Unknown), ..all() }, "a none b risk"),
        (Filter { entity: text("bo*"), ..all() }, "b"),
        // One is about nothing, but adds to the risk of this one.
        (Filter { entity: text("ALICE"), ..all() }, "a none risk"),
        (Filter { happened: span(Some(90), Some(91)), ..all() }, "b"),
        (Filter { happened: span(None, Some(90)), ..all() }, "a risk"),
        (Filter { happened: span(Some(3600), None), ..all() }, "none"),
        (Filter { found: span(Some(3601), None), ..all() }, "a"),
        (Filter { found: span(None, Some(7200)), ..all() }, "none b risk"),
        (Filter { has_withdrawn: true, ..Filter::default() }, "a none b gone"),
        (Filter { suppressed: Suppressed::Show, ..all() }, "a none b risk hidden"),
        (Filter { suppressed: Suppressed::Only, ..all() }, "hidden"),
        (Filter { text: text(":\\PATH was_"), ..all() }, "b"),
        (Filter { text: text("path*"), ..all() }, ""),
        (Filter { text: text("' OR 1"), ..all() }, ""),
    ] {
        assert_eq!(ids(store.reader(), &filter), expected, "{filter:?}");
    }
    let row = &store.reader().list(&Filter::default(), None, 1).unwrap().rows[0];
    assert_eq!((row.first, row.nominal, row.runs), (Moment(3600), Moment(7200), 2));
    let wild = Filter { entity: text("*a*b*c*d*"), ..all() };
    let error = store.reader().list(&wild, None, 1).unwrap_err().to_string();
    assert_eq!(error, "the pattern `*a*b*c*d*` has more than 4 wildcards");
}

#[test]
fn places_in_lists_are_texts() {
    for text in ["3600.3ff8000000000000.a.b", "-1.0000000000000000.", "0.bff0000000000000.é"] {
        assert_eq!(text.parse::<Cursor>().unwrap().to_string(), text);
    }
    // The last one is no number.
    for text in ["", "a", "1.2", "1.x.a", "x.3ff8000000000000.a", "1.7ff8000000000000.a"] {
        let error = text.parse::<Cursor>().unwrap_err().to_string();
        assert!(error.starts_with(&format!("`{text}` is no place in a list")), "{error}");
    }
}

/// Runs overlap, run again and hide what they find; whatever the filter and the pages are, each finding
/// is on one page, in order, as a plain reading of all rows has it.
#[test]
fn pages_have_each_finding_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    let mut random = fastrand::Rng::with_seed(9);
    for round in 0..120 {
        let nominal = random.i64(1..40) * 3600;
        let attempt = store.reader().next_attempt("a", Moment(nominal)).unwrap();
        let mut found = Vec::new();
        for number in 0..60 {
            if random.u32(0..5) == 0 {
                found.push(FindingRecord {
                    is_notable: random.bool(),
                    time: [None, Some(0.25), Some(f64::from(random.u32(0..9)) / 3.0)]
                        [random.usize(0..3)],
                    severity: Level::ALL[random.usize(0..6)],
                    suppressed_by: [None, None, Some(1)][random.usize(0..3)],
                    ..finding(&format!("finding {number}"), &random.u32(0..3).to_string())
                });
            }
        }
        finish(&mut store, nominal, attempt, &found);
        if let Some(row) = found.first().filter(|_| round % 3 == 0) {
            let status = Some(TriageStatus::ALL[random.usize(0..5)]);
            let change = Change { status, ..Change::default() };
            desk.change(&[&row.id], &change, "ann", Moment(round)).unwrap();
        }
    }
    let rows = store.reader().findings(Moment(0)).unwrap();
    for _ in 0..60 {
        let filter = Filter {
            is_all: random.bool(),
            statuses: TriageStatus::ALL.into_iter().filter(|_| random.u32(0..3) == 0).collect(),
            severity: Some(Level::ALL[random.usize(0..6)]).filter(|_| random.bool()),
            has_withdrawn: random.bool(),
            suppressed: [Suppressed::Hide, Suppressed::Show, Suppressed::Only][random.usize(0..3)],
            ..Filter::default()
        };
        let (mut seen, mut from, most) = (Vec::new(), None, random.usize(1..9));
        loop {
            let page = store.reader().list(&filter, from.as_ref(), most).unwrap();
            let place: Option<Cursor> = page.next.map(|next| next.to_string().parse().unwrap());
            assert!(place.is_none() || page.rows.len() == most);
            seen.extend(page.rows);
            if place.is_none() {
                assert_eq!(page.total, seen.len() as u64, "{filter:?}");
                break;
            }
            from = place;
        }
        let age =
            |row: &Listed| (row.nominal, row.time.unwrap_or(row.nominal.0 as f64), row.id.clone());
        assert!(seen.is_sorted_by(|a, b| age(a) > age(b)), "{filter:?}");
        let found: BTreeSet<(&str, Moment)> =
            seen.iter().map(|row| (row.id.as_str(), row.nominal)).collect();
        assert_eq!(found, expected(&rows, &filter, store.reader()), "{filter:?}");
    }
}

/// Returns the ids and nominal times that a list should have.
fn expected<'a>(
    rows: &'a [StoredFinding],
    filter: &Filter,
    reader: &StoreReader,
) -> BTreeSet<(&'a str, Moment)> {
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.finding.id.as_str()).collect();
    let of = |id: &str| {
        let rank = |row: &&StoredFinding| {
            let is_found = row.state != FindingState::Withdrawn;
            (is_found && row.finding.suppressed_by.is_none(), is_found, row.nominal)
        };
        rows.iter().filter(|row| row.finding.id == id).max_by_key(rank).unwrap()
    };
    let heads = ids.into_iter().map(of).filter(|head| {
        let status = reader.finding(&head.finding.id).unwrap().unwrap().listed.triage.status;
        let is_hidden = head.finding.suppressed_by.is_some();
        (filter.is_all || head.finding.is_notable)
            && (filter.has_withdrawn || head.state != FindingState::Withdrawn)
            && filter.severity.is_none_or(|least| head.finding.severity >= least)
            && match filter.suppressed {
                Suppressed::Hide => !is_hidden,
                Suppressed::Show => true,
                Suppressed::Only => is_hidden,
            }
            && match filter.statuses.as_slice() {
                [] => status != TriageStatus::Closed,
                statuses => statuses.contains(&status),
            }
    });
    heads.map(|head| (head.finding.id.as_str(), head.nominal)).collect()
}
