//! Stores what has to be read from its end and comes from a stream or an archive.

use std::io::{self, Read};
use std::ops::ControlFlow;

use super::{BUFFER, Layer, Parts, damage, damage_of};
use crate::report::DamageKind;

/// Stores a Parquet file, and hands it over.
pub(super) fn table(layer: Layer<'_>, reader: impl Read, parts: &mut dyn Parts) -> ControlFlow<()> {
    let most = parts.max_table();
    let mut held = parts.scratch();
    let copied = copy(&mut reader.take(most + 1), &mut held);
    if let Some(error) = copied.failure {
        // Without its end, nothing of the file can be read.
        parts.damage(layer.name, damage_of(&error));
        return ControlFlow::Continue(());
    }
    if copied.length > most {
        let most = most / 1024 / 1024;
        let message = format!(
            "a Parquet file of more than {most} MiB cannot be read from a stream or an archive"
        );
        parts.damage(layer.name, damage(DamageKind::UnreadableEntry, message));
        return ControlFlow::Continue(());
    }
    // The bytes were counted as they were stored.
    let (flow, _) = parts.table(layer.name, Box::new(held));
    flow
}

/// What a copy came to, since what precedes a failure is of use.
pub(super) struct Copied {
    pub(super) length: u64,
    pub(super) failure: Option<io::Error>,
}

pub(super) fn copy(from: &mut impl Read, to: &mut impl io::Write) -> Copied {
    let mut buffer = vec![0; BUFFER];
    let mut length = 0;
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => return Copied { length, failure: None },
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Copied { length, failure: Some(error) },
        };
        if let Err(error) = to.write_all(&buffer[..count]) {
            return Copied { length, failure: Some(error) };
        }
        length += count as u64;
    }
}
