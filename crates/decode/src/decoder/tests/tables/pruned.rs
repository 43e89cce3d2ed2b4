//! Tests that leaving out columns and row groups changes no answer.

use super::*;

/// Events of a few days with values that repeat, as rows of a table and as lines of JSON.
///
/// With zones, the table has times that are written as CloudTrail does, and the lines have not.
pub(super) fn logs(
    order: impl Fn(usize) -> usize,
    has_zones: bool,
) -> (Vec<Vec<Option<String>>>, String) {
    let names = ["GetObject", "CreateUser", "DeleteTrail", "ListBuckets", "AssumeRole"];
    let mut rows = Vec::new();
    let mut lines = String::new();
    for index in (0..600).map(order) {
        let (day, second) = (1 + index / 100, index % 60);
        let time = match index % 97 {
            0 if has_zones => format!("2026-03-{day:02} 23:30:{second:02}-05:00"),
            0 => format!("2026-03-{day:02}T23:30:{second:02}.250Z"),
            1 => "not a time".to_owned(),
            _ => format!("2026-03-{day:02}T10:00:{second:02}Z"),
        };
        let row = [
            ("eventVersion", Some("1.08".to_owned())),
            ("eventName", (index % 31 != 0).then(|| names[index / 120].to_owned())),
            ("eventTime", (index % 89 != 0).then_some(time)),
            ("eventSource", Some(format!("s{}.amazonaws.com", index % 3))),
            ("eventID", Some(format!("id-{index}"))),
            ("errorCode", (index > 550).then(|| "AccessDenied".to_owned())),
            ("userAgent", Some("aws-cli/2 \"quoted\"".to_owned())),
        ];
        let object: serde_json::Map<String, serde_json::Value> = row
            .iter()
            .filter_map(|(name, value)| Some(((*name).to_owned(), value.clone()?.into())))
            .collect();
        lines += &serde_json::Value::from(object).to_string();
        lines.push('\n');
        rows.push(row.map(|(_, value)| value).to_vec());
    }
    (rows, lines)
}

const NAMES: [&str; 7] =
    ["eventVersion", "eventName", "eventTime", "eventSource", "eventID", "errorCode", "userAgent"];

fn table_of(rows: &[Vec<Option<String>>], group: usize) -> Vec<u8> {
    let columns = NAMES.iter().enumerate().map(|(index, name)| {
        let values: StringArray = rows.iter().map(|row| row[index].clone()).collect();
        (*name, Arc::new(values) as ArrayRef)
    });
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(group)).build();
    table_with(columns.collect(), properties)
}

pub(super) fn searches() -> Vec<ScanRequest> {
    let time = |earliest, latest| Predicate::Time(TimeBounds { earliest, latest });
    let not = |part: Predicate| Predicate::Not(Box::new(part));
    let fields = ["eventName", "eventID"];
    // 2026-03-04T00:00:00Z
    let day = 1_772_582_400.0;
    let many = ["createuser", "DELETETRAIL", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8"];
    vec![
        request(equals("eventName", "createuser"), &fields),
        request(equals("eventName", "Nothing"), &fields),
        request(equals("eventName", "*Trail"), &fields),
        request(equals("eventName", "Li*"), &["eventSource", "user_agent"]),
        request(not(equals("eventName", "GetObject")), &fields),
        request(Predicate::Exists("errorCode".to_owned()), &fields),
        request(equals("errorCode", "AccessDenied"), &["eventName", "_raw"]),
        request(Predicate::any(many.map(|name| equals("eventName", name)).to_vec()), &fields),
        request(
            Predicate::And(vec![
                equals("eventSource", "s1*"),
                time(Some(day), Some(day + 86400.0)),
            ]),
            &["eventName", "date_mday"],
        ),
        request(time(Some(day + 86400.0), None), &["_time"]),
        request(time(None, Some(day - 86400.0)), &["_time"]),
        request(Predicate::Nothing, &fields),
        request(equals("sourcetype", "aws:asl"), &fields),
        request(equals("action", "success"), &["action", "app", "signature"]),
        request(Predicate::All, &["host", "linecount"]),
    ]
}

/// What is said of a file that does not depend on its format.
fn told(report: &FileReport) -> impl PartialEq + std::fmt::Debug {
    let FileReport { events, rows, matched, oldest, newest, beyond, .. } = report.clone();
    (events, rows, matched, oldest, newest, beyond, report.untimed.clone(), report.damage_count)
}

#[test]
fn a_search_finds_the_same_in_a_table_as_in_lines() {
    for is_sorted in [true, false] {
        let (rows, lines) = logs(|index| if is_sorted { index } else { index * 7 % 600 }, false);
        for group in [50, 600] {
            let bytes = table_of(&rows, group);
            let together: Vec<ScanRequest> = searches();
            for requests in searches().into_iter().map(|one| vec![one]).chain([together]) {
                let options = DecodeOptions::new(requests.clone());
                let expected = decode(&options, seekable(lines.clone().into_bytes()));
                let found = decode(&options, seekable(bytes.clone()));
                assert_eq!(found.0.len(), expected.0.len(), "{requests:?}");
                let same = |text: &str| {
                    serde_json::from_str(text).unwrap_or(serde_json::Value::from(text))
                };
                for (found, expected) in found.0.iter().zip(&expected.0) {
                    assert_eq!(same(found), same(expected), "{requests:?}");
                }
                assert_eq!(told(&found.1), told(&expected.1), "{requests:?}");
            }
        }
    }
}

#[test]
fn a_search_finds_the_same_whether_or_not_all_is_read() {
    let (rows, _) = logs(|index| index, true);
    let bytes = table_of(&rows, 20);
    for one in searches() {
        let options = DecodeOptions::new([one]);
        let found = decode(&options, seekable(bytes.clone()));
        // Nothing is left out where duplicates are dropped, of which there are none.
        let options = DecodeOptions { seen: Some(Arc::default()), ..options };
        let expected = decode(&options, seekable(bytes.clone()));
        assert_eq!(found.0, expected.0, "{:?}", options.requests);
        assert_eq!(told(&found.1), told(&expected.1), "{:?}", options.requests);
    }
}

#[test]
fn what_is_not_needed_is_not_read() {
    let (rows, _) = logs(|index| index, false);
    let bytes = table_of(&rows, 50);
    let read = |predicate, fields: &[&str]| {
        let options = DecodeOptions::new([request(predicate, fields)]);
        decode(&options, seekable(bytes.clone())).1.bytes_read
    };
    let all = read(Predicate::All, &["_raw"]);
    let columns = read(Predicate::All, &["eventName"]);
    let groups = read(equals("eventName", "DeleteTrail"), &["eventName", "eventID", "eventSource"]);
    let nothing = read(Predicate::Nothing, &[]);
    assert!(all > columns && all > groups && columns > nothing && groups > nothing);
}
