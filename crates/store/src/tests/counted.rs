//! Findings that count: when they are told, whatever became of their runs.

use rusqlite::Connection;
use rusqlite_migration::Migrations;
use spilltrail_schedule::{Interval, Moment};

use super::{file, finding, run, store};
use crate::steps::STEPS;
use crate::*;

/// When a finding is told, from its run.
const TOLD: &str = "CASE WHEN runs.status = 'late' THEN runs.started ELSE findings.nominal END";

/// The findings that may count, with their runs.
const MAY_COUNT: &str = "findings JOIN runs ON runs.schedule = findings.detection
         AND runs.nominal = findings.nominal AND runs.attempt = findings.attempt
     WHERE findings.state <> 'withdrawn' AND findings.suppressed_by IS NULL";

/// A finding that counts: when it is told, its nominal time and its id.
type Line = (i64, i64, String);

/// Returns the findings that count, from what their runs say.
fn expected(connection: &Connection, from: i64, to: i64) -> Vec<Line> {
    let sql = format!(
        "SELECT {TOLD} AS told, findings.nominal, findings.id FROM {MAY_COUNT}
             AND NOT EXISTS (
                 SELECT 1 FROM findings AS other
                 JOIN runs AS its ON its.schedule = other.detection
                     AND its.nominal = other.nominal AND its.attempt = other.attempt
                 WHERE other.id = findings.id AND other.hash = findings.hash
                     AND other.detection = findings.detection AND other.nominal < findings.nominal
                     AND other.state <> 'withdrawn' AND other.suppressed_by IS NULL
                     AND its.covers_to > runs.covers_from)
             AND told >= ?1 AND told < ?2 ORDER BY told, findings.detection, findings.id"
    );
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map((from, to), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn expected_days(connection: &Connection) -> Vec<(Moment, u64)> {
    let sql = format!("SELECT ({TOLD}) / 86400 AS day, count(*) FROM {MAY_COUNT} GROUP BY day");
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement.query_map([], |row| {
        let day: i64 = row.get(0)?;
        Ok((Moment(day * 86_400), row.get(1)?))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

fn counted(reader: &StoreReader, from: i64, to: i64) -> Vec<Line> {
    let line = |one: Counted| (one.told.0, one.finding.nominal.0, one.finding.finding.id);
    super::counted(reader, from, to).into_iter().map(line).collect()
}

#[test]
fn findings_are_told_as_their_runs_say() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let plain = Connection::open(file(&folder)).unwrap();
    let mut random = fastrand::Rng::with_seed(17);
    let (mut late, mut oldest, mut several) = (0, 0, 0);
    for round in 0..200 {
        let nominal = random.i64(oldest + 1..oldest + 60) * 3600;
        let attempt = store.reader().next_attempt("a", Moment(nominal)).unwrap();
        let status = if attempt == 1 { Status::Done } else { Status::Late };
        let from = Moment(nominal - (nominal / 3600 % 4 + 1) * 3600);
        let run = RunRecord {
            interval: Interval { from, to: Moment(nominal - nominal / 3600 % 3 * 600) },
            started: Moment(nominal + random.i64(0..200_000)),
            ..run(nominal, attempt, status)
        };
        let ids: Vec<u32> = (0..6).filter(|_| random.bool()).collect();
        let found: Vec<FindingRecord> = ids
            .into_iter()
            .map(|id| FindingRecord {
                suppressed_by: [None, None, None, Some(1)][random.usize(0..4)],
                ..finding(&format!("{id}"), &random.u32(0..2).to_string())
            })
            .collect();
        let outcome = Outcome { run: &run, findings: &found, throttle: None, hits: &[] };
        store.finish_run(&outcome).unwrap();
        if round % 40 == 39 {
            // Findings that nobody has closed stay, and their runs do not.
            oldest += 12;
            store.remove_before(Moment(oldest * 3600)).unwrap();
        }
        let reader = store.reader();
        let all = counted(reader, i64::MIN, i64::MAX);
        assert_eq!(all, expected(&plain, i64::MIN, i64::MAX));
        late += all.iter().filter(|(told, nominal, _)| told != nominal).count();
        let from = random.i64(0..300_000);
        let to = from + random.i64(0..100_000);
        assert_eq!(counted(reader, from, to), expected(&plain, from, to));
        let days = reader.counted_days().unwrap();
        assert_eq!(days, expected_days(&plain));
        several += usize::from(days.len() > 2);
    }
    assert!(late > 1000 && several > 50, "{late} {several}");
}

#[test]
fn a_visitor_reads_meanwhile_and_may_fail() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = store(&folder);
    let found = [finding("x", "1"), finding("y", "1"), finding("z", "1")];
    super::finish(&mut store, 3600, 1, &found);
    let reader = StoreReader::open(&file(&folder)).unwrap();
    let mut seen = Vec::new();
    let visit = |one: Counted| {
        let details = reader.finding(&one.finding.finding.id)?.unwrap();
        // What a run stores meanwhile is not seen.
        super::finish(&mut store, 3600, seen.len() as u32 + 2, &[]);
        seen.push((one.finding.finding.hash, details.listed.state));
        Ok::<_, StoreError>(())
    };
    reader.counted_each(Moment(0), Moment(9999), visit).unwrap();
    assert_eq!(seen, vec![("1".to_owned(), FindingState::New); 3]);
    super::finish(&mut store, 7200, 1, &found);
    let mut visits = 0;
    let visit = |_: Counted| {
        visits += 1;
        Err::<(), Box<dyn std::error::Error>>("enough".into())
    };
    let error = reader.counted_each(Moment(0), Moment(9999), visit).unwrap_err();
    assert_eq!((error.to_string().as_str(), visits), ("enough", 1));
}

/// The form before findings said when they are told.
const BEFORE: usize = 8;

#[test]
fn a_file_of_before_says_when_its_findings_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut plain = Connection::open(file(&folder)).unwrap();
    plain.pragma_update(None, "application_id", 0x5370_5374).unwrap();
    plain.pragma_update(None, "journal_mode", "wal").unwrap();
    Migrations::from_slice(&STEPS[..BEFORE]).to_latest(&mut plain).unwrap();
    let mut random = fastrand::Rng::with_seed(3);
    for number in 1..=60 {
        let (nominal, id) = (number % 20 * 3600, format!("{}", number % 7));
        let (attempt, name) = (random.u32(1..3), format!("name {number}"));
        let state = ["new", "changed", "withdrawn"][random.usize(0..3)];
        plain
            .execute(
                "INSERT OR REPLACE INTO findings (number, detection, nominal, id, attempt, time, entity,
                     score, severity, hash, state, body, name, title, is_notable, priority, urgency,
                     suppressed_by, is_head)
                 VALUES (?1, 'a', ?2, ?3, ?4, ?1 + 0.5, ?5, ?1 * 2.0, 'high', 'h', ?6, '{}', ?5,
                     'title ' || ?1, ?1 % 2, 'low', ?1 % 4, iif(?1 % 5 = 0, ?1, NULL), 0)",
                (number, nominal, id, attempt, name, state),
            )
            .unwrap();
        plain
            .execute(
                "INSERT INTO risks (finding, object, object_type, score, time, tactics, techniques)
                 VALUES (?1, 'ann', 'user', 1, 1, '[]', '[]')",
                [number],
            )
            .unwrap();
        // Runs of three days are no longer there.
        if nominal > 3 * 3600 {
            for (attempt, status) in [(1, "done"), (2, "late")] {
                plain
                    .execute(
                        "INSERT OR IGNORE INTO runs (schedule, nominal, attempt, first, firings, status,
                             covers_from, covers_to, indexes, seen, started)
                         VALUES ('a', ?1, ?2, ?1, 1, ?3, ?1 - 3600, ?1, '[]', 1, ?1 + 50000)",
                        (nominal, attempt, status),
                    )
                    .unwrap();
            }
        }
    }
    plain
        .execute(
            "UPDATE findings SET is_head = 1 WHERE number IN (SELECT max(number) FROM findings GROUP BY id)",
            [],
        )
        .unwrap();
    let all = "SELECT json_array(number, detection, nominal, id, attempt, time, entity, score, severity,
                   hash, state, body, name, title, is_notable, priority, urgency, suppressed_by, is_head)
               FROM findings ORDER BY number";
    let rows = |connection: &Connection| -> Vec<String> {
        let mut statement = connection.prepare(all).unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let (before, counts) = (rows(&plain), expected(&plain, i64::MIN, i64::MAX));
    let is_late = |(told, nominal, _): &Line| told != nominal;
    assert!(counts.iter().any(is_late) && !counts.iter().all(is_late), "{counts:?}");
    drop(plain);
    let store = Store::open(&file(&folder)).unwrap();
    let plain = Connection::open(file(&folder)).unwrap();
    assert_eq!(rows(&plain), before);
    assert_eq!(counted(store.reader(), i64::MIN, i64::MAX), counts);
    assert_eq!(store.reader().counted_days().unwrap(), expected_days(&plain));
    // What a finding adds to risk still goes with it.
    let risks = "SELECT count(*) FROM risks WHERE finding = ?1";
    let count = |number: i64| plain.query_row(risks, [number], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count(60), 1);
    plain.execute("DELETE FROM findings WHERE number = 60", []).unwrap();
    assert_eq!(count(60), 0);
}
