//! Moves datasets in time: those that a test wants to be recent end when the newest of the test ends.
//!
//! The present of a test is just after its newest event, so a test with a single dataset needs no
//! move.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use spilltrail_decode::shifted;
use spilltrail_source::{Dataset, DatasetBytes, Logs};

/// The largest dataset that is moved, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Returns the datasets with those moved that `moving` marks, and warnings about those that could not
/// be moved. `open` opens datasets as logs.
pub(super) fn align(
    datasets: Vec<Dataset>,
    moving: &[bool],
    open: impl Fn(Vec<Dataset>) -> Arc<Logs>,
) -> (Vec<Dataset>, Vec<String>) {
    if datasets.len() < 2 || !moving.contains(&true) {
        return (datasets, Vec::new());
    }
    let newest = |dataset: &Dataset| open(vec![dataset.clone()]).newest_event(f64::INFINITY).time;
    let times: Vec<Option<f64>> = datasets.iter().map(newest).collect();
    let Some(last) = times.iter().flatten().copied().reduce(f64::max) else {
        return (datasets, Vec::new());
    };
    let mut warnings = Vec::new();
    let mut aligned = Vec::new();
    for ((dataset, time), is_moving) in datasets.into_iter().zip(times).zip(moving) {
        let seconds = time.map_or(0, |time| (last - time).floor() as i64);
        if !is_moving || seconds == 0 {
            aligned.push(dataset);
            continue;
        }
        match text_of(&dataset) {
            Ok(text) => {
                let sourcetype = dataset.labels.sourcetype.as_deref().unwrap_or_default();
                let lines = text.split_inclusive('\n');
                let moved: String = lines.map(|line| shifted(line, sourcetype, seconds)).collect();
                let bytes = DatasetBytes::Memory(moved.into_bytes().into());
                aligned.push(Dataset { bytes, ..dataset });
            }
            Err(reason) => {
                warnings.push(format!("`{}` is not moved in time: {reason}", dataset.name));
                aligned.push(dataset);
            }
        }
    }
    (aligned, warnings)
}

/// Returns the text of a dataset.
fn text_of(dataset: &Dataset) -> Result<String, String> {
    let bytes = match &dataset.bytes {
        DatasetBytes::Memory(bytes) => bytes.to_vec(),
        DatasetBytes::File(path) => {
            let mut bytes = Vec::new();
            let read =
                File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
            read.map_err(|error| error.to_string())?;
            bytes
        }
    };
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("it has more than {} MiB", MAX_BYTES >> 20));
    }
    String::from_utf8(bytes).map_err(|_| "it is not text".to_owned())
}

#[cfg(test)]
mod tests {
    use spilltrail_source::{Labels, ReadOptions};

    use super::*;

    #[test]
    fn only_what_is_to_move_ends_with_the_newest() {
        let dataset = |day: u32| {
            let text = format!(
                "{{\"eventVersion\":\"1\",\"eventName\":\"A\",\"eventTime\":\"2026-03-{day:02}T00:00:00Z\"}}\n"
            );
            Dataset {
                name: format!("{day}").into(),
                bytes: DatasetBytes::Memory(text.into_bytes().into()),
                labels: Labels { sourcetype: Some("aws:cloudtrail".into()), ..Labels::default() },
            }
        };
        let open = |datasets| Arc::new(Logs::of_datasets(datasets, ReadOptions::default()));
        let days = |moving: &[bool], days: &[u32]| -> Vec<String> {
            let datasets = days.iter().map(|day| dataset(*day)).collect();
            let (aligned, warnings) = align(datasets, moving, open);
            assert_eq!(warnings, Vec::<String>::new());
            let day = |dataset: &Dataset| {
                text_of(dataset).unwrap().split('-').nth(2).unwrap()[..2].to_owned()
            };
            aligned.iter().map(day).collect()
        };
        assert_eq!(days(&[true, false], &[1, 9]), ["09", "09"]);
        assert_eq!(days(&[false, true], &[1, 9]), ["01", "09"]);
        assert_eq!(days(&[true, true, false], &[1, 9, 5]), ["09", "09", "05"]);
        assert_eq!(days(&[true], &[1]), ["01"]);
    }
}
