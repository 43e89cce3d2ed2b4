//! Tests damaged and hostile Parquet files.

use super::*;

fn large() -> Vec<u8> {
    let count = 3000;
    let column = |value: &dyn Fn(usize) -> String| {
        Arc::new(StringArray::from_iter_values((0..count).map(value))) as ArrayRef
    };
    let columns = vec![
        ("eventName", column(&|index| format!("Name{}", index % 7))),
        ("eventSource", column(&|_| "s3.amazonaws.com".to_owned())),
        ("eventID", column(&|index| format!("{:x}", index * 7_919_993))),
        ("requestParameters", column(&|index| format!(r#"{{"key":"k{index}"}}"#))),
    ];
    let properties = WriterProperties::builder()
        .set_compression(Codec::SNAPPY)
        .set_max_row_group_row_count(Some(1000))
        .build();
    table_with(columns, properties)
}

#[test]
fn what_cannot_be_read_is_named() {
    let whole = table(athena());
    let early = "the Parquet file ends early, without the footer that says what is in it; nothing \
                 in it was read";
    for (bytes, message) in [
        (whole[..whole.len() - 1].to_vec(), early),
        (whole[..60].to_vec(), early),
        (b"PAR1".to_vec(), early),
        (b"PARE".to_vec(), "nothing was read: this is an encrypted Parquet file; decrypt it first"),
        (
            [&b"PAR1"[..], &[0xff, 0xff, 0xff, 0], b"PAR1"].concat(),
            "the Parquet file cannot be read: its footer is damaged",
        ),
        (
            [&b"PAR1"[..], &[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 7], &[7, 0, 0, 0], b"PAR1"]
                .concat(),
            "the Parquet file cannot be read: its footer is damaged",
        ),
        (
            [&b"PAR1"[..], &vec![0; 17 << 20], &(17_u32 << 20).to_le_bytes(), b"PAR1"].concat(),
            "the Parquet file cannot be read: what its footer says of its row groups is larger than \
             16 MiB; write it anew with fewer of them",
        ),
        (
            [&b"PAR1"[..], &[0x8c, 0, 0], &[3, 0, 0, 0], b"PAR1"].concat(),
            "the Parquet file cannot be read: its columns are encrypted",
        ),
    ] {
        let archive = tar_of(&[("bad", &bytes), ("b", event("B").as_bytes())]);
        let (found, report) = raw(archive);
        assert_eq!((found.len(), report.damages.len()), (1, 1));
        assert_eq!(report.damages[0].message, format!("bad: {message}"));
        let (_, report) = raw(bytes);
        assert_eq!((report.damages[0].message.as_str(), report.events), (message, 0));
    }
}

#[test]
fn files_after_one_another_are_not_taken_for_one() {
    let one = table(athena());
    let other = table(vec![("eventName", text("A")), ("eventSource", text("s"))]);
    let (_, report) = raw(one.clone());
    assert_eq!(report.damage_count, 0);
    let none = table_with(
        vec![("eventName", texts([])), ("eventSource", texts([]))],
        WriterProperties::new(),
    );
    for files in [[&one, &one], [&one, &other], [&other, &one], [&one, &none]] {
        let (_, report) = raw(files.map(|file| &file[..]).concat());
        let message = format!(
            "this is one Parquet file after another, the last of which begins at byte {}, and not \
             all of their rows are read; split them into files of their own",
            files[0].len()
        );
        assert!(report.damages.iter().any(|damage| damage.message == message), "{report:?}");
    }
    let bloom = WriterProperties::builder().set_bloom_filter_enabled(true).build();
    let (_, report) = raw(table_with(athena(), bloom));
    assert_eq!(report.damage_count, 0, "{report:?}");
}

#[test]
fn a_damaged_row_group_costs_its_own_rows() {
    let mut bytes = large();
    // The first bytes are the header of a page, with its sizes.
    bytes[4..40].fill(0xff);
    let (rows, report) = raw(bytes);
    assert_eq!((rows.len(), report.events), (2000, 2000));
    assert_eq!(report.damages.len(), 1);
    let message = &report.damages[0].message;
    assert!(message.starts_with("row group 1: it is damaged: "), "{message}");
    assert!(message.ends_with("; 1000 rows are not read"), "{message}");
}

#[test]
fn a_text_that_is_not_utf8_costs_nothing() {
    let mut bytes = table(vec![("eventName", text("MARK")), ("eventSource", text("s"))]);
    let places: Vec<usize> = memchr::memmem::find_iter(&bytes, b"MARK").collect();
    places.into_iter().for_each(|at| bytes[at] = 0xff);
    let (rows, report) = raw(bytes);
    assert!(rows[0].contains("\u{fffd}ARK"), "{rows:?}");
    let message = "row group 1: the text is not UTF-8; the event is kept";
    assert_eq!(
        (report.damages[0].kind, report.damages[0].message.as_str()),
        (DamageKind::InvalidUtf8, message)
    );
}

#[test]
fn rows_that_expand_without_bound_are_limited() {
    // All rows repeat one text, so that far more text comes out than went in.
    let long = "x".repeat(32 * 1024);
    let values = std::iter::repeat_n(long.as_str(), 3_000);
    let keys = Arc::new(StringArray::from_iter_values(std::iter::repeat_n("A", 3_000)));
    let columns = vec![
        ("eventName", keys.clone() as ArrayRef),
        ("eventSource", keys),
        ("userAgent", Arc::new(StringArray::from_iter_values(values))),
    ];
    let properties = WriterProperties::builder().set_compression(Codec::SNAPPY).build();
    let bytes = table_with(columns, properties);
    assert!(bytes.len() < 60_000);
    let options = DecodeOptions::new([request(equals("eventName", "B*"), &["userAgent"])]);
    let (_, report) = decode(&options, seekable(bytes.clone()));
    assert_eq!((report.damage_count, report.events), (0, 3_000));
    let options = DecodeOptions::new([request(equals("userAgent", "*y"), &["userAgent"])]);
    let (_, report) = decode(&options, seekable(bytes));
    assert_eq!(report.damages[0].kind, DamageKind::DecompressionBomb);
    assert!(report.events < 2_500);
    // A row that is too large is left out, and the others are kept.
    let large = "y".repeat(crate::MAX_RECORD);
    let columns = vec![
        ("eventName", texts([Some("A"), Some("B")])),
        ("eventSource", texts([Some("s"), Some(&large)])),
    ];
    let (rows, report) = raw(table(columns));
    assert_eq!((rows.len(), report.damages[0].kind), (1, DamageKind::RecordTooLarge));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever bytes are wrong, nothing panics, and rows that are not read are reported.
    #[test]
    fn no_bytes_cause_a_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        is_in_footer in any::<bool>(),
    ) {
        static WHOLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(large);
        let mut bytes = WHOLE.clone();
        for (place, byte) in changes {
            let at = if is_in_footer {
                let start = bytes.len() - 3000;
                start + place.index(2992)
            } else {
                4 + place.index(bytes.len() - 12)
            };
            bytes[at] = byte;
        }
        let (rows, report) = raw(bytes);
        prop_assert!(rows.len() == 3000 || report.damage_count > 0, "{} rows", rows.len());
    }
}
