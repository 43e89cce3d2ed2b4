//! Tests of compressed files: each compression, damage, and bombs.

use super::*;

#[test]
fn compressions() {
    let text = events(&["A", "B"]).into_bytes();
    let twice = [gzip(&text), gzip(&text)].concat();
    let mut padded = gzip(&text);
    padded.extend_from_slice(&[0; 100]);
    let utf16: Vec<u8> = format!("\u{feff}{}", events(&["A", "B"]))
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let nested = zip_of(&[("a.json.gz", &gzip(&text)), ("d/", b""), ("b.txt", b"no json")]);
    for (bytes, names) in [
        (text.clone(), "A B"),
        (gzip(&text), "A B"),
        (twice, "A B A B"),
        (padded, "A B"),
        (gzip(&gzip(&text)), "A B"),
        (zstd::encode_all(&text[..], 1).unwrap(), "A B"),
        (zip_of(&[("x", &text), ("y", &text)]), "A B A B"),
        (nested, "A B"),
        (gzip(&zip_of(&[("x", &text)])), "A B"),
        (utf16, "A B"),
        (Vec::new(), ""),
    ] {
        let length = bytes.len() as u64;
        for input in [seekable(bytes.clone()), stream(bytes.clone())] {
            let (found, report) = names_in(input);
            assert_eq!((found.as_str(), report.damage_count), (names, 0), "{report:?}");
            assert!(report.bytes_read >= length.min(1), "{report:?}");
        }
    }
}

#[test]
fn entries_of_archives_have_their_own_source() {
    let options = DecodeOptions::new([request(Predicate::All, &["source", "index", "sourcetype"])]);
    let (rows, _) = decode(&options, seekable(zip_of(&[("x/y", event("A").as_bytes())])));
    assert_eq!(rows, ["f:x/y,-,aws:cloudtrail"]);
}

#[test]
fn damaged_compression_keeps_what_came_before() {
    let many: Vec<_> = (0..2000).map(|n| format!("N{n}")).collect();
    let text = many.iter().map(|name| event(name) + "\n").collect::<String>();
    let whole = gzip(text.as_bytes());
    let (found, report) = names_in(seekable(whole[..whole.len() / 2].to_vec()));
    assert!(found.starts_with("N0 N1 N2 ") && report.events > 900, "{}", report.events);
    assert_eq!(report.damages[0].kind, DamageKind::TruncatedCompression);
    assert_eq!(report.damage_count, 1);

    let mut wrong = whole.clone();
    let middle = wrong.len() / 2;
    wrong[middle..middle + 64].fill(0xff);
    let (found, report) = names_in(seekable(wrong));
    assert!(found.starts_with("N0 N1 N2 ") && report.events > 900, "{}", report.events);
    assert_eq!(report.damages[0].kind, DamageKind::CorruptCompression);

    let mut checksum = whole.clone();
    let at = checksum.len() - 6;
    checksum[at] ^= 0xff;
    let (_, report) = names_in(seekable(checksum));
    assert_eq!((report.events, report.damage_count), (2000, 1));

    let trailing = [whole, b"trailing".to_vec()].concat();
    let (_, report) = names_in(seekable(trailing));
    assert_eq!((report.events, report.damages[0].kind), (2000, DamageKind::CorruptCompression));

    let mut archive = zip_of(&[("a", event("A").as_bytes()), ("b", event("B").as_bytes())]);
    archive[31] ^= 0xff;
    let (found, report) = names_in(seekable(archive));
    assert!(found.ends_with('B') && report.damage_count == 1, "{found} {report:?}");
    assert!(report.damages[0].message.starts_with("a: "), "{report:?}");
}

#[test]
fn bombs_are_not_followed() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(event("A").as_bytes()).unwrap();
    let blanks = vec![b' '; 1 << 20];
    for _ in 0..100 {
        encoder.write_all(&blanks).unwrap();
    }
    let (found, report) = names_in(seekable(encoder.finish().unwrap()));
    assert_eq!(found, "A");
    assert_eq!(report.damages[0].kind, DamageKind::DecompressionBomb);
    assert!(report.bytes_inflated < 80 << 20, "{}", report.bytes_inflated);
}
