//! Tests that events come out of a table of stored events as they come out of files.

use std::collections::BTreeSet;

use parquet::file::reader::{FileReader, SerializedFileReader};
use spilltrail_event::{Keyword, KeywordKind, fields, stored};

use super::pruned::{logs, searches};
use super::*;

/// A row of a table: the text, its format, and what the row says of the origin.
#[derive(Clone, Default)]
pub(super) struct Row {
    pub(super) text: String,
    pub(super) format: &'static str,
    pub(super) source: Option<&'static str>,
    pub(super) host: Option<&'static str>,
    pub(super) sourcetype: Option<&'static str>,
    /// What the sender gives beside the text: a time in microseconds, and fields.
    pub(super) time: Option<i64>,
    pub(super) fields: Option<&'static str>,
}

fn rows_of(lines: &str) -> Vec<Row> {
    let row = |line: &str| Row {
        text: line.to_owned(),
        format: stored::WITH_LEADS,
        source: Some("f"),
        host: Some("localhost"),
        ..Row::default()
    };
    lines.lines().map(row).collect()
}

/// What has columns of its own: the time, and the fields by which searches pick events.
type Found = (Option<i64>, [Option<String>; stored::LEADS.len()]);

/// Returns what is found in each event, by the rules by which events are put into a lake.
fn found_in(rows: &[Row]) -> Vec<Found> {
    let texts = stored::LEADS.map(|name| Field::new(name, Kind::Text));
    let fields = std::iter::once(Field::new("_time", Kind::Number)).chain(texts).collect();
    let all = ScanRequest { predicate: Predicate::All, fields };
    let mut decoder = Decoder::new(&DecodeOptions::new([all]));
    let mut found = Vec::new();
    let mut sink = |_, batch: Rows| {
        let batch = batch.into_batch().unwrap();
        for row in 0..batch.num_rows() {
            let value = |column: usize| {
                batch.column(column).is_valid(row).then(|| cell(batch.column(column), row))
            };
            let time = value(0).map(|time| (time.parse::<f64>().unwrap() * 1e6).round() as i64);
            found.push((time, std::array::from_fn(|lead| value(lead + 1))));
        }
        ControlFlow::Continue(())
    };
    for Row { text, format, .. } in rows {
        let format = Format::named(format).unwrap_or(Format::Json);
        let record = RawRecord { text, offset: 0, format };
        assert!(decoder.decode_event(&record, &Origin::new("f"), &mut sink).is_continue());
    }
    assert!(decoder.finish(&mut sink).is_continue());
    found
}

pub(super) fn table_of(rows: &[Row], group: usize) -> Vec<u8> {
    let column = |values: Vec<Option<String>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let texts = |value: fn(&Row) -> Option<&str>| {
        column(rows.iter().map(|row| value(row).map(str::to_owned)).collect())
    };
    let found = found_in(rows);
    let times = rows.iter().zip(&found).map(|(row, (time, _))| match row.format {
        stored::WITH_LEADS => time.or(row.time),
        _ => row.time.or(*time),
    });
    let times: Vec<_> = times.collect();
    let times = TimestampMicrosecondArray::from(times).with_timezone("UTC");
    let arrived = TimestampMicrosecondArray::from(vec![0; rows.len()]).with_timezone("UTC");
    let mut columns: Columns<'_> = vec![
        (stored::TIME, Arc::new(times)),
        (stored::INDEX_TIME, Arc::new(arrived)),
        (stored::SOURCE, texts(|row| row.source)),
        (stored::SOURCETYPE, texts(|row| row.sourcetype)),
        (stored::HOST, texts(|row| row.host)),
        (stored::FORMAT, texts(|row| Some(row.format))),
        (stored::FIELDS, texts(|row| row.fields)),
        (stored::RAW, texts(|row| Some(&row.text))),
    ];
    for (place, lead) in stored::LEADS.into_iter().enumerate() {
        let values = rows.iter().zip(&found).map(|(row, (_, leads))| {
            leads[place].clone().filter(|_| row.format == stored::WITH_LEADS)
        });
        columns.push((lead, column(values.collect())));
    }
    // Small pages, so that some are skipped.
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group))
        .set_data_page_row_count_limit(16)
        .set_write_batch_size(8)
        .build();
    table_with(columns, properties)
}

pub(super) fn decode_stored(options: &DecodeOptions, bytes: Vec<u8>) -> (Vec<String>, FileReport) {
    let mut decoder = Decoder::new(options);
    let mut rows = Vec::new();
    let origin =
        Origin { index: Some("aws".into()), is_stored: true, ..Origin::new("table.parquet") };
    let mut sink = |_, found: Rows| {
        rows.extend(printed(&found.into_batch().unwrap()));
        ControlFlow::Continue(())
    };
    let report = decoder.decode(seekable(bytes), &origin, &mut sink);
    assert!(decoder.finish(&mut sink).is_continue());
    (rows, report)
}

/// What is said of a file, whether or not all of its events were read.
pub(super) fn told(report: &FileReport) -> impl PartialEq + std::fmt::Debug {
    let FileReport { events, rows, matched, oldest, newest, untimed, damage_count, .. } = report;
    (*events, *rows, *matched, *oldest, *newest, untimed.events, *damage_count)
}

#[test]
fn a_search_finds_the_same_in_stored_events_as_in_lines() {
    for is_sorted in [true, false] {
        let (_, lines) = logs(|index| if is_sorted { index } else { index * 7 % 600 }, false);
        let of_host = |host: &str| request(equals("host", host), &["host", "eventName"]);
        let searches = || searches().into_iter().chain([of_host("localhost"), of_host("another")]);
        for group in [50, 600] {
            let bytes = table_of(&rows_of(&lines), group);
            for requests in searches().map(|one| vec![one]).chain([searches().collect()]) {
                let options = DecodeOptions::new(requests.clone());
                let expected = decode(&options, seekable(lines.clone().into_bytes()));
                let found = decode_stored(&options, bytes.clone());
                assert_eq!(found.0, expected.0, "{requests:?}");
                assert_eq!(told(&found.1), told(&expected.1), "{requests:?}");
            }
        }
    }
}

#[test]
fn texts_that_no_search_matches_are_not_read() {
    let (_, lines) = logs(|index| index, false);
    let bytes = table_of(&rows_of(&lines), 200);
    let read = |predicate| {
        let options = DecodeOptions::new([request(predicate, &["_raw"])]);
        let (rows, report) = decode_stored(&options, bytes.clone());
        assert_eq!(report.events, 600);
        (rows.len(), report.bytes_read, report.bytes_inflated)
    };
    let (all, of_all, text_of_all) = read(Predicate::All);
    let (some, of_some, text_of_some) = read(equals("eventID", "id-301"));
    let (none, of_none, _) = read(equals("eventName", "zzz"));
    assert_eq!((all, some, none), (600, 1, 0));
    assert!(of_all > of_some && of_some > of_none, "{of_all} {of_some} {of_none}");
    // A text without a word that is looked for is searched, and not taken apart.
    let word = |text: &str| Keyword::new(text, KeywordKind::Plain, CaseRule::Ignore);
    for (text, expected) in [("ID-301", (1, of_all, text_of_some)), ("id-6301", (0, of_all, 0))] {
        assert_eq!(read(Predicate::Keyword(word(text))), expected, "{text}");
    }
    assert!(text_of_all > 500 * text_of_some, "{text_of_all} {text_of_some}");
    // Whether an event would match that may lack what is compared is not known from its text.
    let (none, _, looked_at) = read(equals("requestParameters.bucketName", "nosuchbucket"));
    assert_eq!((none, looked_at), (0, text_of_all));
    // Whatever is compared has a column here, is read from the text, or depends on the row.
    let compared: BTreeSet<&str> = stored::LEADS.into_iter().collect();
    for profile in [Profile::Superset, Profile::Ta70] {
        let derived: Vec<&str> = crate::cloudtrail::derived_fields(profile)
            .iter()
            .map(|field| field.name)
            .filter(|name| compared.contains(name))
            .collect();
        assert_eq!(derived, [""; 0], "a column has what stands in the text: {profile:?}");
    }
}

#[test]
fn each_row_has_its_own_origin_and_format() {
    let row = |text: &str, format, source, sourcetype| Row {
        text: text.to_owned(),
        format,
        source,
        host: Some("h"),
        sourcetype,
        ..Row::default()
    };
    let rows = [
        row(&event("A"), "cloudtrail", Some("one"), None),
        row(&event("A"), "cloudtrail", Some("one"), Some("aws:cloudtrail")),
        row(&event("A"), "cloudtrail", None, Some("vendor:rows")),
        row(r#"{"eventName":"A","tags":["x","y"]}"#, "json", Some("two"), None),
        row(r#"{"eventName":"A","source":"own"}"#, "json", Some("two"), None),
        row(&event("B"), "cloudtrail", Some("three"), None),
    ];
    let names = ["source", "host", "index", "sourcetype", "tags", "action"];
    let expected = [
        "one,h,aws,aws:cloudtrail,-,-",
        "one,h,aws,aws:cloudtrail,-,-",
        "table.parquet,h,aws,vendor:rows,-,-",
        "two,h,aws,json,y,-",
        "own,h,aws,json,-,-",
    ];
    for predicate in [equals("eventName", "a"), equals("eventName", "A*"), {
        Predicate::And(vec![equals("host", "h"), equals("eventName", "A")])
    }] {
        let mut one = request(predicate, &names);
        one.fields[5].kind = Kind::Text;
        let (found, report) = decode_stored(&DecodeOptions::new([one]), table_of(&rows, 4));
        assert_eq!(found, expected);
        assert_eq!((report.events, report.matched, report.damage_count), (6, 5, 0));
    }
    // An event that is kept whole is read again as it was.
    let whole = [fields::EVENT_TEXT, fields::EVENT_FORMAT, fields::EVENT_SOURCE];
    let options = DecodeOptions::new([request(Predicate::All, &whole)]);
    let mut kept = Vec::new();
    let mut decoder = Decoder::new(&options);
    let table =
        Origin { index: Some("aws".into()), is_stored: true, ..Origin::new("table.parquet") };
    let mut sink = |_, found: Rows| {
        let batch = found.into_batch().unwrap();
        for row in 0..batch.num_rows() {
            kept.push([0, 1, 2].map(|column| cell(batch.column(column), row)));
        }
        ControlFlow::Continue(())
    };
    decoder.decode(seekable(table_of(&rows, 4)), &table, &mut sink);
    assert!(decoder.finish(&mut sink).is_continue());
    let mut again =
        Decoder::new(&DecodeOptions::new([request(equals("eventName", "a"), &names[..4])]));
    let mut found = Vec::new();
    let mut sink = |_, rows: Rows| {
        found.extend(printed(&rows.into_batch().unwrap()));
        ControlFlow::Continue(())
    };
    for [text, format, key] in &kept {
        let (_, own) = Origin::parts_of_key(key).unwrap();
        let record = RawRecord { text, offset: 0, format: Format::named(format).unwrap() };
        assert!(again.decode_event(&record, &table.of_event(own), &mut sink).is_continue());
    }
    assert!(again.finish(&mut sink).is_continue());
    let shown = expected.map(|row| row.rsplitn(3, ',').nth(2).unwrap().to_owned());
    assert_eq!(found, shown);
}

/// Returns the table with a column destroyed in its second row group.
pub(super) fn without_column(bytes: &[u8], name: &str) -> Vec<u8> {
    let mut damaged = bytes.to_vec();
    let reader = SerializedFileReader::new(bytes::Bytes::from(damaged.clone())).unwrap();
    let group = reader.metadata().row_group(1);
    let column = group.columns().iter().find(|one| one.column_path().string() == name).unwrap();
    let (start, length) = column.byte_range();
    damaged[start as usize..(start + length) as usize].fill(0xff);
    damaged
}

#[test]
fn a_column_that_is_damaged_costs_what_is_in_it() {
    let (_, lines) = logs(|index| index, false);
    let bytes = table_of(&rows_of(&lines), 200);
    let options = || DecodeOptions::new([request(equals("eventID", "id-301"), &["eventID"])]);
    let read = |name| {
        let (found, report) = decode_stored(&options(), without_column(&bytes, name));
        let told = report.damages.iter().map(|one| one.message.clone()).collect::<Vec<_>>();
        (found.join(","), told.join(","))
    };
    // The texts tell what a column for searches does not.
    assert_eq!(read("eventID"), ("id-301".to_owned(), String::new()));
    let (found, told) = read("_raw");
    assert_eq!(found, "");
    assert!(told.starts_with("row group 2: it is damaged: "), "{told}");
    assert!(told.ends_with("; 1 event is not read"), "{told}");
}

#[test]
fn a_damaged_table_is_told() {
    let (_, lines) = logs(|index| index, false);
    let bytes = table_of(&rows_of(&lines), 50);
    let options = || DecodeOptions::new([request(equals("eventName", "createuser"), &["eventID"])]);
    let (whole, _) = decode_stored(&options(), bytes.clone());
    let mut random = fastrand::Rng::with_seed(7);
    let mut told = 0;
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        match random.u8(0..3) {
            0 => damaged.truncate(random.usize(0..bytes.len())),
            _ => damaged[random.usize(0..bytes.len())] ^= 1 << random.u8(0..8),
        }
        let (found, report) = decode_stored(&options(), damaged);
        told += u64::from(report.damage_count > 0);
        assert!(report.damage_count > 0 || found.len() <= whole.len());
    }
    assert!(told > 100, "{told}");
    let unknown = [Row { format: "of the future", ..rows_of(&lines)[0].clone() }];
    let (found, report) = decode_stored(&options(), table_of(&unknown, 4));
    assert_eq!((found.len(), report.damage_count), (0, 1));
    assert!(report.damages[0].message.contains("a format that this version does not know"));
    // A table of something else is no table of stored events.
    let (_, report) = decode_stored(&options(), table(athena()));
    assert_eq!(report.damage_count, 0);
}

/// Texts that are no JSON, or have been damaged.
fn texts_of_any_kind() -> impl Strategy<Value = String> {
    let damaged = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<char>());
    let damaged = damaged.prop_map(|(from, to, c)| {
        let mut text: Vec<char> = r#"{"eventVersion":"1","eventSource":"s","eventName":"A",
            "eventTime":"2026-03-17T10:00:00Z","userIdentity":{"type":"IAMUser","arn":"a:\u0062"},
            "resources":[{"ARN":"x"},[1]],"n":-1.5e3}"#
            .chars()
            .collect();
        let (from, to) = (from.index(text.len()), to.index(text.len()));
        text.splice(from.min(to)..from.max(to), [c]);
        text.into_iter().collect()
    });
    prop_oneof![any::<String>(), damaged, "[\\[\\]{}\",:\\\\a1 ]{0,40}"]
}

proptest! {
    /// A stored text is read as it is, whatever became of it: it gives one row or a value, and no panic.
    #[test]
    fn a_stored_text_of_any_kind_is_harmless(text in texts_of_any_kind(), format in 0..7_usize) {
        let names = ["_time", "_raw", "eventName", "user", "resources{}.ARN", "userIdentity.arn", "n"];
        let requests = [
            request(Predicate::All, &names),
            request(equals("eventName", "a*"), &["src_ip", "action", "date_hour"]),
        ];
        let mut decoder = Decoder::new(&DecodeOptions::new(requests));
        let record = RawRecord { text: &text, offset: 0, format: Format::ALL[format] };
        let (mut all, origin) = (0, Origin::new("f"));
        let mut sink = |request, rows: Rows| {
            all += if request == 0 { rows.into_batch().unwrap().num_rows() } else { 0 };
            ControlFlow::Continue(())
        };
        prop_assert!(decoder.decode_event(&record, &origin, &mut sink).is_continue());
        prop_assert!(decoder.finish(&mut sink).is_continue());
        prop_assert_eq!(all, 1);
        let mut discovery = discovery(&Predicate::All, &Demand::all());
        discovery.see_event(&record, &origin);
    }
}
