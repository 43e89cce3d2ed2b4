//! Decompresses gzip with consecutive members, keeping all output that precedes damage.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::inflate::ReadFailure;
use crate::report::DamageKind;

/// Reads consecutive gzip members; zeros after the last one are padding.
pub(crate) struct GzipReader<R> {
    source: R,
    member: Option<Decompress>,
    failure: Option<(DamageKind, String)>,
    is_first: bool,
}

impl<R: BufRead> GzipReader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, member: None, failure: None, is_first: true }
    }

    /// Begins the next member; returns false at the end of the input.
    fn begin_member(&mut self) -> io::Result<bool> {
        loop {
            let buffered = self.source.fill_buf()?;
            match buffered.first() {
                None => return Ok(false),
                Some(0) if !self.is_first => {
                    let zeros = buffered.iter().take_while(|b| **b == 0).count();
                    self.source.consume(zeros);
                }
                Some(0x1f) => {
                    self.member = Some(Decompress::new_gzip(15));
                    self.is_first = false;
                    return Ok(true);
                }
                Some(_) => {
                    let message = "there is something else after the gzip data";
                    return Err(ReadFailure::error(DamageKind::CorruptCompression, message));
                }
            }
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if let Some((kind, message)) = &self.failure {
            return Err(ReadFailure::error(*kind, message.clone()));
        }
        loop {
            if self.member.is_none() && !self.begin_member()? {
                return Ok(0);
            }
            let Some(member) = &mut self.member else { return Ok(0) };
            let input = self.source.fill_buf()?;
            let at_end = input.is_empty();
            let (before_in, before_out) = (member.total_in(), member.total_out());
            let result = member.decompress(input, buffer, FlushDecompress::None);
            let used = usize::try_from(member.total_in() - before_in).unwrap_or(input.len());
            let made = usize::try_from(member.total_out() - before_out).unwrap_or(buffer.len());
            self.source.consume(used);
            let stuck = used == 0 && made == 0;
            match result {
                Ok(Status::StreamEnd) => self.member = None,
                Ok(_) if at_end && made == 0 => {
                    let message = "the gzip data ends early".to_owned();
                    self.failure = Some((DamageKind::TruncatedCompression, message));
                }
                Ok(_) if stuck => {
                    let message = "the gzip data is damaged".to_owned();
                    self.failure = Some((DamageKind::CorruptCompression, message));
                }
                Ok(_) => {}
                Err(error) => {
                    let message = format!("the gzip data is damaged: {error}");
                    self.failure = Some((DamageKind::CorruptCompression, message));
                }
            }
            if made > 0 {
                return Ok(made);
            }
            if let Some((kind, message)) = &self.failure {
                return Err(ReadFailure::error(*kind, message.clone()));
            }
        }
    }
}
