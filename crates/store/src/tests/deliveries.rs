//! Deliveries: queued once, tried until they are over, and made again.

use spilltrail_schedule::Moment;

use super::{file, finding, finish, store};
use crate::*;

/// Returns the deliveries as `output seq state attempts next status error`.
fn shown(reader: &StoreReader, filter: &DeliveryFilter, most: usize) -> Vec<String> {
    let line = |delivery: Delivery| {
        let Delivery { output, seq, state, attempts, next, status, error, .. } = delivery;
        let status = status.map_or("-".to_owned(), |status| status.to_string());
        let error = error.unwrap_or_else(|| "-".into());
        format!("{output} {seq} {} {attempts} {} {status} {error}", state.name(), next.0)
    };
    reader.deliveries(filter, most).unwrap().rows.into_iter().map(line).collect()
}

fn due(reader: &StoreReader, output: &str, now: i64, most: usize) -> Vec<u64> {
    let due = reader.due(output, Moment(now), most).unwrap();
    for delivery in &due {
        let entry = reader.outbox_entry(delivery.seq).unwrap().unwrap();
        assert_eq!((entry.seq, &entry.finding.id), (delivery.seq, &delivery.id));
    }
    due.into_iter().map(|delivery| delivery.seq).collect()
}

fn attempt(time: i64, status: Option<u16>, end: AttemptEnd) -> Attempt {
    Attempt { time: Moment(time), status, end }
}

/// Returns a store whose outbox has the entries 1 to 4, of the findings `1` to `4`.
fn four(folder: &tempfile::TempDir) -> Store {
    let mut store = store(folder);
    finish(&mut store, 3600, 1, &["1", "2", "3", "4"].map(|id| finding(id, "1")));
    store
}

#[test]
fn deliveries_are_queued_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = four(&folder);
    assert!(store.queue("hook", 3, &[1, 3], Moment(10)).unwrap());
    // Whoever does not know whether it was stored does it again.
    assert!(!store.queue("hook", 3, &[1, 3], Moment(11)).unwrap());
    assert!(store.queue("mail", 4, &[], Moment(10)).unwrap());
    for (up_to, entries, expected) in [
        (4, &[3][..], "the outbox has no entry 3 after 3 and up to 4"),
        (4, &[2], "the outbox has no entry 2 after 3 and up to 4"),
        (5, &[4, 6], "the outbox has no entry 6 after 3 and up to 5"),
        (4, &[4, 5], "the outbox has no entry 5 after 3 and up to 4"),
        (9, &[4, 9], "the outbox has no entry 9 after 3 and up to 9"),
    ] {
        let error = store.queue("hook", up_to, entries, Moment(12)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let positions = [("hook".to_owned(), 3), ("mail".to_owned(), 4)];
    assert_eq!(store.reader().outputs().unwrap(), positions);
    let expected = ["hook 3 waiting 0 10 - -", "hook 1 waiting 0 10 - -"];
    assert_eq!(shown(store.reader(), &DeliveryFilter::default(), 9), expected);
    // One that is missing is removed only after a while.
    assert_eq!(store.keep_outputs(&["mail"], Moment(30), Moment(10)).unwrap(), []);
    let gone = store.keep_outputs(&["mail"], Moment(30), Moment(11)).unwrap();
    assert_eq!(gone, [("hook".to_owned(), 2)]);
    assert_eq!(store.reader().outputs().unwrap(), positions[1..]);
    assert_eq!(shown(store.reader(), &DeliveryFilter::default(), 9), [""; 0]);
}

#[test]
fn attempts_go_on_until_a_delivery_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = four(&folder);
    store.queue("hook", 4, &[1, 2, 3, 4], Moment(10)).unwrap();
    store.queue("mail", 4, &[2], Moment(5)).unwrap();
    let all = |pairs: &[(&str, u64)]| -> Vec<(String, u64)> {
        pairs.iter().map(|(output, seq)| ((*output).to_owned(), *seq)).collect()
    };
    assert_eq!(
        (due(store.reader(), "hook", 9, 9), due(store.reader(), "mail", 4, 9)),
        (vec![], vec![])
    );
    assert_eq!(due(store.reader(), "hook", 10, 3), [1, 2, 3]);
    assert_eq!(due(store.reader(), "mail", 10, 3), [2]);
    // A clock that ran ahead does not hold them back for longer than any wait.
    assert_eq!(due(store.reader(), "mail", 5 - 2 * 86_400 - 1, 3), [2]);
    let again = AttemptEnd::Again { next: Moment(70), error: "refused".into() };
    let dead = AttemptEnd::GivenUp { error: "gone".into() };
    for (seq, attempt, expected) in [
        (1, attempt(11, Some(200), AttemptEnd::Done), true),
        (2, attempt(11, None, again.clone()), true),
        (3, attempt(11, Some(503), again), true),
        (3, attempt(70, Some(410), dead.clone()), true),
        // What is over is over, and what is not there is not made.
        (1, attempt(12, Some(410), dead.clone()), false),
        (9, attempt(12, Some(410), dead), false),
    ] {
        // What is begun is not due again at once, even if nothing is heard of it.
        let (next, now) = (Moment(5000), attempt.time);
        assert_eq!(store.begin_attempt("hook", seq, next, now).unwrap(), expected);
        assert!(!due(store.reader(), "hook", 4999, 9).contains(&seq));
        assert_eq!(store.record_attempt("hook", seq, &attempt).unwrap(), expected, "{attempt:?}");
    }
    assert_eq!(due(store.reader(), "hook", 69, 9), [4]);
    let of = |state, after| DeliveryFilter {
        output: Some("hook".into()),
        state,
        after,
        ..DeliveryFilter::default()
    };
    let expected = [
        "hook 4 waiting 0 10 - -",
        "hook 3 dead 2 5000 410 gone",
        "hook 2 waiting 1 70 - refused",
        "hook 1 done 1 5000 200 -",
    ];
    assert_eq!(shown(store.reader(), &of(None, None), 9), expected);
    assert_eq!(shown(store.reader(), &of(Some(DeliveryState::Dead), None), 9), expected[1..2]);
    let of_finding = DeliveryFilter { finding: Some("3".into()), ..DeliveryFilter::default() };
    assert_eq!(shown(store.reader(), &of_finding, 9), expected[1..2]);
    let details = store.reader().finding("3").unwrap().unwrap();
    assert_eq!((details.deliveries.len(), details.deliveries[0].attempts), (1, 2));
    // Pages have each delivery once, also where several outputs get the same entry.
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = store
            .reader()
            .deliveries(&DeliveryFilter { after, ..DeliveryFilter::default() }, 1)
            .unwrap();
        let last = &page.rows[0];
        after = Some((last.seq, last.output.clone()));
        paged.push((last.output.clone(), last.seq));
        if !page.more {
            break;
        }
    }
    let expected = [("hook", 4), ("hook", 3), ("hook", 2), ("mail", 2), ("hook", 1)];
    assert_eq!(paged, all(&expected));
}

#[test]
fn deliveries_are_repeated_while_there_is_something_to_deliver() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = four(&folder);
    let mut desk = Desk::open(&file(&folder)).unwrap();
    store.queue("hook", 4, &[1, 2, 3], Moment(10)).unwrap();
    let dead = AttemptEnd::GivenUp { error: "gone".into() };
    store.record_attempt("hook", 1, &attempt(11, Some(200), AttemptEnd::Done)).unwrap();
    store.record_attempt("hook", 2, &attempt(11, Some(410), dead)).unwrap();
    // 3 waits, and nobody wants 4.
    assert_eq!(store.forget_outbox(4).unwrap(), 2);
    desk.repeat("hook", 2, Moment(20)).unwrap();
    assert_eq!(due(store.reader(), "hook", 20, 9), [3, 2]);
    let expected = "hook 2 waiting 0 20 410 gone";
    assert_eq!(shown(store.reader(), &DeliveryFilter::default(), 9)[1], expected);
    for seq in [1, 4] {
        let error = desk.repeat("hook", seq, Moment(20)).unwrap_err().to_string();
        let expected = "to `hook` any more that could be repeated";
        assert_eq!(error, format!("there is no delivery {seq} {expected}"));
    }
    // What waits is kept, however old it is.
    store.record_attempt("hook", 3, &attempt(21, Some(200), AttemptEnd::Done)).unwrap();
    store.remove_before(Moment(9000)).unwrap();
    assert_eq!(due(store.reader(), "hook", 9000, 9), [2]);
    assert_eq!(store.reader().outbox_after(0, 9).unwrap().len(), 1);
    assert_eq!(store.reader().outputs().unwrap(), [("hook".to_owned(), 4)]);
}

/// The message that takes a finding back is the last one, also if the first one is repeated.
#[test]
fn what_is_repeated_is_told_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    finish(&mut store, 3600, 1, &[finding("1", "1"), finding("2", "1")]);
    finish(&mut store, 3600, 2, &[finding("2", "1")]);
    let entries = store.reader().outbox_after(0, 9).unwrap();
    let told: Vec<_> = entries.iter().map(|entry| (entry.seq, entry.id.as_str())).collect();
    assert_eq!(told, [(1, "1"), (2, "2"), (3, "1")]);
    store.queue("hook", 3, &[1, 2, 3], Moment(10)).unwrap();
    assert_eq!(due(store.reader(), "hook", 10, 9), [1, 2], "the withdrawal waits");
    let dead = AttemptEnd::GivenUp { error: "gone".into() };
    store.record_attempt("hook", 1, &attempt(11, None, dead)).unwrap();
    store.record_attempt("hook", 2, &attempt(11, None, AttemptEnd::Done)).unwrap();
    assert_eq!(due(store.reader(), "hook", 12, 9), [3]);
    store.record_attempt("hook", 3, &attempt(12, None, AttemptEnd::Done)).unwrap();
    let mut desk = Desk::open(&file(&folder)).unwrap();
    desk.repeat("hook", 1, Moment(20)).unwrap();
    assert_eq!(due(store.reader(), "hook", 20, 9), [1]);
    store.record_attempt("hook", 1, &attempt(21, None, AttemptEnd::Done)).unwrap();
    assert_eq!(due(store.reader(), "hook", 22, 9), [3]);
}
