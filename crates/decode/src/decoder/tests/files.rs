//! Tests that it does not matter how events are spread over files.

use super::*;

/// Writes records as a file of lines, packed in one of several ways.
fn file(records: &[String], packing: usize) -> Vec<u8> {
    let lines = records.join("\n").into_bytes();
    match packing {
        0 => lines,
        1 => gzip(&lines),
        2 => zstd::encode_all(lines.as_slice(), 1).unwrap(),
        _ => zip_of(&[("a.json", &lines)]),
    }
}

proptest! {
    /// One decoder for all files gives the rows of one file with all events, in the same order.
    #[test]
    fn events_can_be_spread_over_files(
        records in prop::collection::vec(record(), 0..8),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..4usize), 0..4),
    ) {
        let options = DecodeOptions::new(requests());
        let (whole, _) = decode_whole(&options, file(&records, 0));
        let mut places: Vec<_> =
            cuts.iter().map(|(at, packing)| (at.index(records.len() + 1), *packing)).collect();
        places.sort_unstable();
        places.push((records.len(), 0));
        let mut rows = vec![Vec::new(); options.requests.len()];
        let mut decoder = Decoder::new(&options);
        let mut sink = |request: usize, found: Rows| {
            rows[request].extend(printed(&found.into_batch().unwrap()));
            ControlFlow::Continue(())
        };
        let mut start = 0;
        for (end, packing) in places {
            let mut bytes = file(&records[start..end], packing);
            decoder.decode_whole(&mut bytes, &Origin::new("f"), &mut sink);
            start = end;
        }
        prop_assert!(decoder.finish(&mut sink).is_continue());
        prop_assert_eq!(rows, whole);
    }
}
