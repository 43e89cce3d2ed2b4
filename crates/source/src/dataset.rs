//! Data whose origin is known from elsewhere: the logs of a detection's test, or a dataset to replay.

use std::path::PathBuf;
use std::sync::Arc;

use spilltrail_decode::Origin;

use crate::inputs::{InputProblem, LogFile, Place};
use crate::logs::{Logs, ReadOptions};

/// The key of a dataset's events begins with this, which no path contains.
const DATASET_KEY: char = '\0';

/// A file, or bytes in memory, with what its events have besides their text.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The name in messages; also the `source` of events that [`Labels::source`] does not give one.
    pub name: Arc<str>,
    /// Where the bytes are.
    pub bytes: DatasetBytes,
    /// The fields of all events that do not come from their text.
    pub labels: Labels,
}

/// Where the bytes of a dataset are.
#[derive(Debug, Clone)]
pub enum DatasetBytes {
    /// In a file on disk.
    File(PathBuf),
    /// In memory.
    Memory(Arc<[u8]>),
}

/// Fields of events that do not come from their text. What is `None` is as for any other file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Labels {
    /// The `source`.
    pub source: Option<Arc<str>>,
    /// The `sourcetype`, by which the format of the events is chosen, too.
    pub sourcetype: Option<Arc<str>>,
    /// The `host`.
    pub host: Option<Arc<str>>,
    /// The `index`.
    pub index: Option<Arc<str>>,
}

impl Logs {
    /// Creates logs from datasets, whose events get the fields that their labels give.
    ///
    /// A file that cannot be found is one of [`Logs::problems`].
    #[must_use]
    pub fn of_datasets(datasets: Vec<Dataset>, options: ReadOptions) -> Self {
        let (mut files, mut labels, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for Dataset { name, bytes, labels: of_file } in datasets {
            let (place, size) = match bytes {
                DatasetBytes::Memory(bytes) => {
                    let size = bytes.len() as u64;
                    (Place::Memory(bytes), size)
                }
                DatasetBytes::File(path) => match path.metadata() {
                    Ok(metadata) => (Place::Disk(path.into()), metadata.len()),
                    Err(error) => {
                        problems.push(InputProblem::new(&*name, error));
                        continue;
                    }
                },
            };
            files.push(LogFile { place, name, size, is_named: true });
            labels.push(of_file);
        }
        Self::labeled(files, labels, problems, options)
    }

    pub(crate) fn origin(&self, index: usize) -> Origin {
        let origin = self.origin_of(self.files()[index].name.clone());
        let Some(labels) = self.labels.get(index) else { return origin };
        Origin {
            source: labels.source.clone().unwrap_or(origin.source),
            host: labels.host.clone().unwrap_or(origin.host),
            index: labels.index.clone().or(origin.index),
            sourcetype: labels.sourcetype.clone(),
            key: Some(format!("{DATASET_KEY}{index}").into()),
            is_stored: !self.stored.is_empty(),
            given: origin.given,
        }
    }

    /// Returns the origin of events that were kept whole with this key.
    pub(crate) fn origin_of_key(&self, key: &str) -> Origin {
        if let Some((table, own)) = Origin::parts_of_key(key).filter(|_| !self.stored.is_empty()) {
            return self.origin_of_key(table).of_event(own);
        }
        let dataset = key.strip_prefix(DATASET_KEY).filter(|_| self.has_labels());
        match dataset.and_then(|index| index.parse().ok()) {
            Some(index) => self.origin(index),
            None => self.origin_of(key),
        }
    }

    /// Returns the sourcetype that was named for the events of a file.
    pub(crate) fn sourcetype_of(&self, index: usize) -> Option<&str> {
        let labels = self.labels.get(index).and_then(|labels| labels.sourcetype.as_deref());
        labels.or(self.options().sourcetype.as_deref())
    }

    /// Returns true if the origin of the events is known from elsewhere than the files.
    pub(crate) fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_event::StopToken;

    use super::*;

    #[test]
    fn datasets_have_the_origin_of_their_labels() {
        let dataset = |name: &str, labels| Dataset {
            name: name.into(),
            bytes: DatasetBytes::Memory(b"{}".as_slice().into()),
            labels,
        };
        let labels = Labels {
            source: Some("trail".into()),
            sourcetype: Some("vendor:rows".into()),
            host: Some("h".into()),
            index: Some("aws".into()),
        };
        let gone = Dataset {
            bytes: DatasetBytes::File("/does/not/exist".into()),
            ..dataset("gone", Labels::default())
        };
        let datasets = vec![dataset("a", labels.clone()), gone, dataset("b", Labels::default())];
        let options = ReadOptions { stop: StopToken::new(), ..ReadOptions::default() };
        let logs = Logs::of_datasets(datasets, options);
        assert_eq!((logs.files().len(), logs.problems().len()), (2, 1));
        assert!(logs.problems()[0].to_string().starts_with("gone: "));
        let first = logs.origin(0);
        let of = |origin: &Origin| {
            let Origin { source, host, index, sourcetype, .. } = origin.clone();
            (source.to_string(), host.to_string(), index, sourcetype)
        };
        let (index, sourcetype) = (labels.index, labels.sourcetype);
        assert_eq!(of(&first), ("trail".to_owned(), "h".to_owned(), index, sourcetype));
        assert_eq!(of(&logs.origin(1)), ("b".to_owned(), "localhost".to_owned(), None, None));
        // What is kept beside whole events leads back to it.
        assert_eq!(logs.origin_of_key(first.key.as_deref().unwrap()), first);
        assert_eq!(logs.sourcetype_of(0), Some("vendor:rows"));
        assert_eq!(logs.sourcetype_of(1), None);
    }
}
