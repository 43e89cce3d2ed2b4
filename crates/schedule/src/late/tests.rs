//! Tables, and a slow second answer.

use super::*;

fn interval(from: i64, to: i64) -> Interval {
    Interval { from: Moment(from), to: Moment(to) }
}

fn covered(schedule: &str, nominal: i64, from: i64, to: i64, seen: u64) -> Covered {
    let schedule = schedule.to_owned();
    Covered {
        schedule,
        nominal: Moment(nominal),
        interval: interval(from, to),
        indexes: vec![],
        seen,
    }
}

fn arrival(batch: u64, index: &str, spans: &[(i64, i64)]) -> Arrival {
    let spans = spans.iter().map(|(from, to)| interval(*from, *to)).collect();
    Arrival { batch, index: index.to_owned(), spans }
}

/// Returns the runs that run again and those that are too long ago, as `schedule nominal last`.
fn found(covered: &[Covered], arrivals: &[Arrival], look_back: i64) -> (Vec<String>, Vec<String>) {
    let late = late(Moment(10_000), covered, arrivals, look_back);
    let names = |list: &[Again]| {
        let name = |one: &Again| format!("{} {} {}", one.run.schedule, one.run.nominal.0, one.last);
        list.iter().map(name).collect()
    };
    (names(&late.again), names(&late.beyond))
}

#[test]
fn batches_are_late_for_what_has_not_seen_them() {
    let runs = [
        covered("a", 4200, 0, 3600, 5),
        covered("a", 7800, 3600, 7200, 8),
        covered("b", 4200, 0, 3600, 5),
    ];
    for (arrivals, expected) in [
        (vec![arrival(5, "i", &[(60, 120)])], vec![]),
        (vec![arrival(6, "i", &[(60, 120)])], vec!["a 4200 6", "b 4200 6"]),
        // The end of an interval is not in it.
        (vec![arrival(6, "i", &[(3600, 3660)])], vec![]),
        (vec![arrival(9, "i", &[(3600, 3660)])], vec!["a 7800 9"]),
        (vec![arrival(9, "i", &[(3540, 3660)])], vec!["a 4200 9", "b 4200 9", "a 7800 9"]),
        // Once each, whatever is late.
        (
            vec![arrival(7, "i", &[(0, 60)]), arrival(6, "i", &[(60, 120), (600, 660)])],
            vec!["a 4200 7", "b 4200 7"],
        ),
        (vec![arrival(9, "i", &[(7200, 7260), (-60, 0)])], vec![]),
        (vec![], vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        assert_eq!(found(&runs, &arrivals, 10_000), (expected, vec![]), "{arrivals:?}");
    }
}

#[test]
fn what_ran_again_has_seen_more() {
    let runs = [covered("a", 4200, 0, 3600, 5), covered("a", 4200, 0, 3600, 9)];
    assert_eq!(found(&runs, &[arrival(9, "i", &[(0, 60)])], 10_000).0, [""; 0]);
    assert_eq!(found(&runs, &[arrival(10, "i", &[(0, 60)])], 10_000).0, ["a 4200 10"]);
}

#[test]
fn what_is_too_long_ago_is_told() {
    let runs = [covered("a", 4200, 0, 3600, 5), covered("a", 7800, 3600, 7200, 5)];
    let arrivals = [arrival(6, "i", &[(0, 7200)])];
    let (again, beyond) = found(&runs, &arrivals, 5000);
    assert_eq!((again, beyond), (vec!["a 7800 6".to_owned()], vec!["a 4200 6".to_owned()]));
}

#[test]
fn other_indexes_are_not_late() {
    let mut run = covered("a", 4200, 0, 3600, 5);
    run.indexes = vec!["i".to_owned(), "j".to_owned()];
    for (index, expected) in [("i", 1), ("j", 1), ("k", 0)] {
        let arrivals = [arrival(6, index, &[(0, 60)])];
        assert_eq!(found(&[run.clone()], &arrivals, 10_000).0.len(), expected, "{index}");
    }
}

#[test]
fn comparing_all_with_all_agrees() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..300 {
        let mut some = |most: usize| random.usize(0..most);
        let runs: Vec<Covered> = (0..some(12))
            .map(|number| {
                let from = some(50) as i64 * 60;
                let to = from + 60 + some(20) as i64 * 60;
                covered(&format!("s{number}"), to, from, to, some(10) as u64)
            })
            .collect();
        let arrivals: Vec<Arrival> = (0..some(12))
            .map(|_| {
                let from = some(80) as i64 * 60 - 300;
                arrival(some(12) as u64, "i", &[(from, from + 60 + some(10) as i64 * 60)])
            })
            .collect();
        let mut expected: Vec<(Moment, String, u64)> = Vec::new();
        for run in &runs {
            let is_late = |arrival: &&Arrival| {
                arrival.batch > run.seen && arrival.spans[0].overlaps(run.interval)
            };
            if let Some(last) = arrivals.iter().filter(is_late).map(|one| one.batch).max() {
                expected.push((run.nominal, run.schedule.clone(), last));
            }
        }
        expected.sort();
        let late = late(Moment(10_000), &runs, &arrivals, 10_000);
        let found: Vec<(Moment, String, u64)> = late
            .again
            .into_iter()
            .map(|one| (one.run.nominal, one.run.schedule, one.last))
            .collect();
        assert_eq!(found, expected, "{runs:?} {arrivals:?}");
    }
}
