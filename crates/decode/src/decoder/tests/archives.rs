//! Tests archives and compressions: nested, damaged, hostile.

use super::*;
use crate::NAMED_ENTRIES;

pub(crate) fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, text) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        builder.append_data(&mut header, name, *text).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Returns an archive of entries of any kind, whose data is said to have a size of its own.
fn tar_of_kinds(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, kind, data) in entries {
        let mut header = tar::Header::new_ustar();
        header.as_ustar_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_size(data.len() as u64);
        header.set_cksum();
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(data);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.extend_from_slice(&[0; 1024]);
    archive
}

fn bzip2(text: &[u8]) -> Vec<u8> {
    let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    ::zstd::encode_all(text, 1).unwrap()
}

/// Returns the names and sources of the events in a file, and its report.
fn sources_in(bytes: Vec<u8>) -> (Vec<String>, FileReport) {
    let options = DecodeOptions::new([request(Predicate::All, &["eventName", "source"])]);
    decode(&options, seekable(bytes))
}

/// Returns `A` and `B`, plain, in UTF-16 of both orders, and without a mark.
fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn layers() {
    let text = events(&["A", "B"]);
    let plain = text.as_bytes();
    let mixed: &[(&str, &[u8])] = &[
        ("d/a.json", event("A").as_bytes()),
        ("d/b.json.gz", &gzip(event("B").as_bytes())),
        ("d/c.gz", &gzip(&gzip(event("C").as_bytes()))),
        ("README.md", b"no json"),
    ]
    .map(|(name, bytes)| (name, &*bytes.to_vec().leak()));
    let old = {
        let mut header = tar::Header::new_old();
        header.set_path("[x].json").unwrap();
        header.set_size(plain.len() as u64);
        header.set_cksum();
        let mut archive = [&header.as_bytes()[..], plain].concat();
        archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
        archive
    };
    for (what, bytes, names) in [
        ("bzip2", bzip2(plain), "A B"),
        ("bzip2 twice", [bzip2(plain), bzip2(plain)].concat(), "A B A B"),
        ("xz", xz(plain), "A B"),
        ("xz twice", [xz(plain), xz(plain)].concat(), "A B A B"),
        ("tar", tar_of(mixed), "A B C"),
        ("old tar", old, "A B"),
        ("two tars", [tar_of(&mixed[..1]), tar_of(&mixed[1..])].concat(), "A B C"),
        ("tar.gz", gzip(&tar_of(mixed)), "A B C"),
        ("tar.zst", zstd(&tar_of(mixed)), "A B C"),
        ("tar.bz2", bzip2(&tar_of(mixed)), "A B C"),
        ("tar.xz", xz(&tar_of(mixed)), "A B C"),
        ("zip", zip_of(mixed), "A B C"),
        ("tar in zip", zip_of(&[("a.tar", &tar_of(mixed)), ("x", plain)]), "A B C A B"),
        ("tar.gz in zip", zip_of(&[("a.tgz", &gzip(&tar_of(mixed)))]), "A B C"),
        ("zip in tar", tar_of(&[("a.zip", &zip_of(mixed)), ("x", plain)]), "A B C A B"),
        ("zip in tar.gz", gzip(&tar_of(&[("a.zip", &zip_of(mixed))])), "A B C"),
        (
            "zip of every kind",
            zip_of(&[
                ("1", &bzip2(plain)),
                ("2", &xz(plain)),
                ("3", &zstd(plain)),
                ("4", &gzip(plain)),
            ]),
            "A B A B A B A B",
        ),
        ("UTF-16LE", utf16(&text, u16::to_le_bytes), "A B"),
        ("UTF-16BE", utf16(&text, u16::to_be_bytes), "A B"),
        ("UTF-16 in gzip", gzip(&utf16(&format!("\r\n[{}]", event("A")), u16::to_le_bytes)), "A"),
    ] {
        for input in [seekable(bytes.clone()), stream(bytes.clone())] {
            let (found, report) = names_in(input);
            assert_eq!((found.as_str(), report.damage_count), (names, 0), "{what}: {report:?}");
        }
    }
}

#[test]
fn entries_are_named_by_all_that_is_around_them() {
    let inner = zip_of(&[("c.json.gz", &gzip(event("C").as_bytes()))]);
    let long = format!("{}/a.json", "d".repeat(300));
    let archive = tar_of(&[
        ("./a.json", event("A").as_bytes()),
        (&long, event("L").as_bytes()),
        ("b.zip", &inner),
    ]);
    let (rows, _) = sources_in(gzip(&archive));
    let long = format!("L,f:{long}");
    assert_eq!(rows, ["A,f:a.json", &long, "C,f:b.zip:c.json.gz"]);

    let records = |name: &str| {
        let record = format!("path={name}\n");
        let length = record.len() + 3;
        format!("{length} {record}").into_bytes()
    };
    let archive = tar_of_kinds(&[
        ("ext", tar::EntryType::XHeader, &records("été/of/pax.json")),
        ("cut", tar::EntryType::Regular, event("P").as_bytes()),
    ]);
    let (rows, report) = sources_in(archive);
    assert_eq!((rows, report.damage_count), (vec!["P,f:été/of/pax.json".to_owned()], 0));
}

#[test]
fn what_is_no_file_is_skipped() {
    use tar::EntryType;
    let mut text = event("A").into_bytes();
    text.resize(512, b' ');
    let archive = tar_of_kinds(&[
        ("folder/", EntryType::Directory, b""),
        ("link", EntryType::Symlink, b""),
        ("hard", EntryType::Link, b""),
        ("device", EntryType::Char, b""),
        ("pipe", EntryType::Fifo, b""),
        ("pax_global_header", EntryType::XGlobalHeader, b"13 comment=a\n"),
        ("label", EntryType::new(b'V'), b""),
        ("a.json", EntryType::Regular, &text),
        ("unknown", EntryType::new(b'Z'), event("B").as_bytes()),
    ]);
    let (found, report) = names_in(seekable(archive));
    assert_eq!((found.as_str(), report.damage_count, report.foreign_entries), ("A B", 0, 0));
    let sparse = tar_of_kinds(&[
        ("sparse", EntryType::GNUSparse, &text),
        ("b.json", EntryType::Regular, event("B").as_bytes()),
    ]);
    let (found, report) = names_in(seekable(sparse));
    assert_eq!((found.as_str(), report.damages[0].kind), ("B", DamageKind::UnreadableEntry));
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.add_directory("folder", options).unwrap();
    writer.add_symlink("link", "/etc/passwd", options).unwrap();
    let (_, report) = names_in(seekable(writer.finish().unwrap().into_inner()));
    assert_eq!((report.events, report.damage_count, report.foreign_entries), (0, 0, 1));
}

/// Numbers that no archive has make no sum that overflows.
#[test]
fn sizes_and_offsets_of_a_zip_may_be_anything() {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().large_file(true);
    writer.start_file("a", options).unwrap();
    writer.write_all(event("A").as_bytes()).unwrap();
    let whole = writer.finish().unwrap().into_inner();
    let header = memchr::memmem::rfind(&whole, b"PK\x01\x02").unwrap();
    for at in header..whole.len() {
        let mut bytes = whole.clone();
        let end = (at + 8).min(bytes.len());
        bytes[at..end].fill(0xff);
        let (_, report) = names_in(seekable(bytes));
        assert!(report.events + report.damage_count > 0, "{at} {report:?}");
    }
}

#[test]
fn names_of_entries_never_reach_a_message_as_they_are() {
    let hostile = "\u{1b}[31m\nerror: forged\u{202e}\u{9b}";
    for archive in [
        zip_of(&[(hostile, b"7z\xbc\xaf\x27\x1c"), ("a", event("A").as_bytes())]),
        tar_of(&[(hostile, b"7z\xbc\xaf\x27\x1c"), ("a", event("A").as_bytes())]),
        tar_of(&[(hostile, b"no json"), ("a", event("A").as_bytes()), ("b", b"{\"a\":")]),
    ] {
        let (found, report) = names_in(seekable(archive));
        assert_eq!((found.as_str(), report.damage_count), ("A", 1), "{report:?}");
        let mut messages = report.foreign_names.clone();
        messages.extend(report.damages.iter().map(ToString::to_string));
        for message in messages {
            assert!(!message.contains(|c: char| c.is_control() || c == '\u{202e}'), "{message:?}");
        }
    }
    let (rows, _) = sources_in(zip_of(&[("a\u{1b}b", event("A").as_bytes())]));
    assert_eq!(rows, ["A,f:a\u{1b}b"]);
}

#[test]
fn entries_without_json_are_counted_and_the_first_are_named() {
    let binary = [0, 5, 0x16, 7, 0, 2, 0, 0];
    let archive = tar_of(&[
        ("._a.json", &binary),
        ("a.json", event("A").as_bytes()),
        ("__MACOSX/._b", &binary),
        ("1.md", b"text"),
        ("2.md", b"text"),
        ("empty", b""),
        ("3.md", b"text"),
        ("4.md", b"text"),
    ]);
    let (found, report) = names_in(seekable(archive));
    assert_eq!((found.as_str(), report.damage_count, report.foreign_entries), ("A", 0, 6));
    assert_eq!(report.foreign_names, ["1.md", "2.md", "3.md"]);
    assert_eq!(report.foreign_names.len(), NAMED_ENTRIES);
    let (_, report) = names_in(seekable(b"plain text".to_vec()));
    assert_eq!((report.skipped[&SkipKind::NotJson], report.foreign_entries), (1, 0));
}

#[test]
fn formats_that_are_not_read_are_refused_by_name() {
    let formats: [(&[u8], &str); 3] = [
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7-Zip archive"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"\x04\x22\x4d\x18d@", "compressed with LZ4"),
    ];
    for (bytes, name) in formats {
        for (bytes, entry) in [
            (bytes.to_vec(), ""),
            (gzip(bytes), ""),
            (gzip(&tar_of(&[("x/y", bytes)])), "x/y: "),
            (zip_of(&[("z.zip", &zip_of(&[("x", bytes)]))]), "z.zip:x: "),
        ] {
            let (_, report) = names_in(seekable(bytes));
            let expected = format!("{entry}nothing was read: this is {name}; unpack it first");
            assert_eq!(report.damages[0].message, expected);
            assert_eq!(report.damages[0].kind, DamageKind::UnknownArchive);
        }
    }
}

#[test]
fn layers_are_limited() {
    let text = event("A").into_bytes();
    let layers = |count: usize| (0..count).fold(text.clone(), |inner, _| gzip(&inner));
    let (found, report) = names_in(seekable(layers(6)));
    assert_eq!((found.as_str(), report.damage_count), ("A", 0));
    let archive = tar_of(&[("deep", &layers(6)), ("b", event("B").as_bytes())]);
    let (found, report) = names_in(seekable(archive));
    assert_eq!((found.as_str(), report.damage_count), ("B", 1));
    let message = &report.damages[0].message;
    assert!(message.starts_with("deep: nothing was read: this is compressed with gzip inside 6"));
}

#[test]
fn damage_to_an_entry_costs_only_itself() {
    let big = events(&vec!["N"; 300]);
    let parts: [&[u8]; 3] = [event("A").as_bytes(), &gzip(big.as_bytes()), event("B").as_bytes()]
        .map(|b| &*b.to_vec().leak());
    let mut archive = tar_of(&[("a", parts[0]), ("n.gz", parts[1]), ("b", parts[2])]);
    let sound = archive.clone();
    // The data of the second entry.
    archive[512 + 512 + 512 + 200] ^= 0xff;
    let (found, report) = names_in(seekable(archive));
    assert!(found.starts_with('A') && found.ends_with('B'), "{found}");
    assert!(report.damages[0].message.starts_with("n.gz: "), "{report:?}");
    // The header of the second entry.
    let mut archive = sound.clone();
    archive[1024 + 3] ^= 0xff;
    let (found, report) = names_in(seekable(archive));
    assert_eq!((found.as_str(), report.damage_count), ("A B", 1), "{report:?}");
    // The header of the first entry.
    let mut archive = sound.clone();
    archive[3] ^= 0xff;
    let (found, report) = names_in(seekable(archive));
    assert!(found.ends_with("N B") && report.damage_count == 1, "{report:?}");
    // A size that no archive has.
    let mut archive = sound;
    archive[1024 + 124..1024 + 136].copy_from_slice(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    let (found, report) = names_in(seekable(archive));
    assert!(found.starts_with('A') && report.damage_count > 0, "{report:?}");
}

#[test]
fn an_archive_that_ends_early_gives_what_came_before() {
    let texts: Vec<Vec<u8>> = (0..50).map(|n| event(&format!("N{n}")).into_bytes()).collect();
    let names: Vec<String> = (0..50).map(|n| format!("n{n}.json")).collect();
    let entries: Vec<(&str, &[u8])> =
        names.iter().zip(&texts).map(|(name, text)| (name.as_str(), &text[..])).collect();
    let (tar, zip) = (tar_of(&entries), zip_of(&entries));
    for (what, whole) in
        [("tar", tar.clone()), ("zip", zip), ("tar.gz", gzip(&tar)), ("tar.xz", xz(&tar))]
    {
        let (_, report) = names_in(seekable(whole.clone()));
        assert_eq!((report.events, report.damage_count), (50, 0), "{what}");
        let half = whole[..whole.len() * 2 / 3].to_vec();
        for input in [seekable(half.clone()), stream(half)] {
            let (found, report) = names_in(input);
            assert!(found.starts_with("N0 N1 N2 "), "{what}: {found} {report:?}");
            assert!(report.damage_count > 0, "{what}");
        }
    }
    // Where the cut falls between two entries, nothing but the missing end tells.
    let (found, report) = names_in(seekable(tar[..1024 * 3].to_vec()));
    assert_eq!((found.as_str(), report.damage_count), ("N0 N1 N2", 1));
    assert_eq!(report.damages[0].kind, DamageKind::TruncatedCompression);
}

#[test]
fn entries_of_a_zip_with_the_same_name_are_all_read() {
    let mut bytes = zip_of(&[("a", event("A").as_bytes()), ("b", event("B").as_bytes())]);
    for at in 0..bytes.len() - 4 {
        let is_header = bytes[at..].starts_with(b"PK\x03\x04");
        let name = at + if is_header { 30 } else { 46 };
        if is_header || bytes[at..].starts_with(b"PK\x01\x02") {
            bytes[name] = b'a';
        }
    }
    let (rows, report) = sources_in(bytes);
    assert_eq!((rows.join(" "), report.damage_count), ("A,f:a B,f:a".to_owned(), 0));
}

#[test]
fn entries_that_the_directory_of_a_zip_lacks_are_found() {
    let names = ["A", "B", "C", "D"].map(|name| (name, event(name)));
    let entries: Vec<(&str, &[u8])> =
        names.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    let whole = zip_of(&entries);
    let find = |magic: &[u8]| memchr::memmem::rfind(&whole, magic).unwrap();
    let (end, header) = (find(b"PK\x05\x06"), find(b"PK\x01\x02"));
    let (mut counted, mut damaged) = (whole.clone(), whole.clone());
    (counted[end + 8], counted[end + 10]) = (2, 2);
    damaged[header] = b'x';
    for (bytes, message) in [
        (counted, "the zip archive has more entries than its directory counts"),
        (damaged, "the directory of the zip archive is damaged"),
    ] {
        let (found, report) = names_in(seekable(bytes));
        assert_eq!((found.as_str(), report.damage_count), ("A B C D", 1), "{report:?}");
        assert!(report.damages[0].message.starts_with(message), "{report:?}");
    }
}

#[test]
fn entries_that_overlap_are_not_followed() {
    // Does not shrink, so that the archive is hardly larger than its entry.
    let noise: Vec<u8> =
        std::iter::successors(Some(1_u32), |n| Some(n.wrapping_mul(1_664_525).wrapping_add(99)))
            .map(|n| (n >> 24) as u8)
            .take(10_000)
            .collect();
    let mut bytes = zip_of(&[("a", &noise), ("b", b"")]);
    let sizes = |bytes: &[u8], from: usize| memchr::memmem::find(&bytes[from..], b"PK\x01\x02");
    let first = sizes(&bytes, 0).unwrap();
    let second = first + 4 + sizes(&bytes, first + 4).unwrap();
    let copied = bytes[first + 10..first + 46].to_vec();
    bytes[second + 10..second + 46].copy_from_slice(&copied);
    let (_, report) = names_in(seekable(bytes));
    assert_eq!(report.damages.last().unwrap().message, "b: the entries of the zip archive overlap");
}

#[test]
fn bombs_of_many_small_layers_are_stopped() {
    // Each entry stays below the limit of a layer.
    let blanks = gzip(&vec![b' '; 48 << 20]);
    let names: Vec<String> = (0..40).map(|n| format!("{n}")).collect();
    let mut entries: Vec<(&str, &[u8])> = vec![("first", event("A").leak().as_bytes())];
    entries.extend(names.iter().map(|name| (name.as_str(), &blanks[..])));
    let (found, report) = names_in(seekable(zstd(&tar_of(&entries))));
    assert_eq!((found.as_str(), report.damage_count), ("A", 1), "{report:?}");
    assert_eq!(report.damages[0].kind, DamageKind::DecompressionBomb);
    assert!(report.bytes_inflated < 800 << 20, "{}", report.bytes_inflated);
}

#[test]
fn a_bomb_in_an_archive_costs_only_itself() {
    let blanks = gzip(&vec![b' '; 80 << 20]);
    let archive = zip_of(&[("bomb", &blanks), ("a", event("A").as_bytes())]);
    let (found, report) = names_in(seekable(archive));
    assert_eq!((found.as_str(), report.damages[0].kind), ("A", DamageKind::DecompressionBomb));
    assert!(report.damages[0].message.starts_with("bomb: more than 250 bytes"));
}

/// Archives with the events `E0` to `E5`, for tests that damage them.
fn archives() -> Vec<Vec<u8>> {
    let texts: Vec<Vec<u8>> = (0..6).map(|n| event(&format!("E{n}")).into_bytes()).collect();
    let packed =
        [texts[0].clone(), gzip(&texts[1]), bzip2(&texts[2]), xz(&texts[3]), zstd(&texts[4])];
    let mut entries: Vec<(String, Vec<u8>)> =
        packed.into_iter().enumerate().map(|(n, text)| (format!("e{n}"), text)).collect();
    entries.push(("in.zip".to_owned(), zip_of(&[("e5", &texts[5])])));
    let entries: Vec<(&str, &[u8])> =
        entries.iter().map(|(name, text)| (name.as_str(), &text[..])).collect();
    let tar = tar_of(&entries);
    vec![
        zip_of(&entries),
        gzip(&tar),
        bzip2(&tar),
        xz(&tar),
        zstd(&tar),
        zip_of(&[("t", &tar)]),
        tar,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// However an archive is cut or changed, decoding ends, and an event is lost only with a report.
    #[test]
    fn damaged_archives_are_reported(
        which in 0_usize..7,
        cut in prop::option::of(any::<prop::sample::Index>()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..4),
        is_stream in any::<bool>(),
    ) {
        let mut bytes = archives().swap_remove(which);
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        for (at, mask) in flips {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] ^= mask;
            }
        }
        let is_empty = bytes.is_empty();
        let (_, report) = names_in(if is_stream { stream(bytes) } else { seekable(bytes) });
        let is_reported = report.damage_count > 0 || !report.skipped.is_empty();
        prop_assert!(report.events == 6 || is_reported || is_empty, "{report:?}");
    }

    #[test]
    fn any_bytes_after_the_first_ones_of_a_format_are_read_to_an_end(
        magic in prop::sample::select(vec![
            &b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"BZh91AY&SY", b"\xfd7zXZ\0\0\x04",
            b"PK\x03\x04", b"PK\x05\x06", b"",
        ]),
        rest in prop::collection::vec(any::<u8>(), 0..2000),
        as_tar in any::<bool>(),
    ) {
        let mut bytes = [magic, &rest].concat();
        if as_tar && bytes.len() > 512 {
            bytes[257..263].copy_from_slice(b"ustar\0");
        }
        let _ = names_in(seekable(bytes.clone()));
        let _ = names_in(stream(bytes));
    }
}

/// One line says that entries are encrypted, however many there are, and others are read.
#[test]
fn encrypted_entries_are_reported_once() {
    // The first bit of the flags, after these bytes of each header, says that the data is encrypted.
    let encrypt = |bytes: &[u8], is_wanted: fn(&[u8]) -> bool| {
        let mut bytes = bytes.to_vec();
        for (magic, flags, name) in [(b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)] {
            for at in 0..bytes.len() - name {
                if bytes[at..].starts_with(magic) && is_wanted(&bytes[at + name..]) {
                    bytes[at + flags] |= 1;
                }
            }
        }
        bytes
    };
    let plain = zip_of(&[
        ("a.json", event("A").as_bytes()),
        ("b.json", event("B").as_bytes()),
        ("c.json", event("C").as_bytes()),
    ]);
    let advice = "unpack the archive with its password first";
    for (bytes, events, message) in [
        (
            encrypt(&plain, |_| true),
            0,
            format!("3 entries are encrypted (the first is `a.json`); {advice}"),
        ),
        (
            encrypt(&plain, |name| name.starts_with(b"b")),
            2,
            format!("an entry is encrypted (`b.json`); {advice}"),
        ),
    ] {
        let (found, report) = sources_in(bytes.clone());
        assert_eq!(found.len(), events);
        let messages: Vec<&str> = report.damages.iter().map(|d| d.message.as_str()).collect();
        assert_eq!((messages.as_slice(), report.damage_count), (&[message.as_str()][..], 1));
        // Without the directory, the entries tell it themselves.
        let directory = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        let (_, report) = sources_in(bytes[..directory].to_vec());
        assert!(report.damages.iter().any(|damage| damage.message == message), "{report:?}");
    }
}
