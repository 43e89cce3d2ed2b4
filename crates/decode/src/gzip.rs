//! Decompresses gzip and zlib with consecutive members, keeping all output that precedes damage.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

use crate::inflate::ReadFailure;
use crate::report::DamageKind;

/// What is around deflated data.
#[derive(Debug, Clone, Copy)]
enum Container {
    Gzip,
    Zlib,
}

impl Container {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
        }
    }

    /// Returns true if a member may begin with this byte.
    fn begins_with(self, byte: u8) -> bool {
        match self {
            Self::Gzip => byte == 0x1f,
            Self::Zlib => byte & 0x0f == 8,
        }
    }

    fn member(self) -> Decompress {
        match self {
            Self::Gzip => Decompress::new_gzip(15),
            Self::Zlib => Decompress::new(true),
        }
    }
}

/// Reads consecutive members of gzip or zlib; zeros after the last one are padding.
pub(crate) struct GzipReader<R> {
    source: R,
    container: Container,
    member: Option<Decompress>,
    failure: Option<(DamageKind, String)>,
    is_first: bool,
}

impl<R: BufRead> GzipReader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, container: Container::Gzip, member: None, failure: None, is_first: true }
    }

    /// Returns a reader of zlib streams.
    pub(crate) fn zlib(source: R) -> Self {
        Self { container: Container::Zlib, ..Self::new(source) }
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
                Some(byte) if self.container.begins_with(*byte) => {
                    self.member = Some(self.container.member());
                    self.is_first = false;
                    return Ok(true);
                }
                Some(_) => {
                    let name = self.container.name();
                    let message = format!("there is something else after the {name} data");
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
        let name = self.container.name();
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
                    let message = format!("the {name} data ends early");
                    self.failure = Some((DamageKind::TruncatedCompression, message));
                }
                Ok(_) if stuck => {
                    let message = format!("the {name} data is damaged");
                    self.failure = Some((DamageKind::CorruptCompression, message));
                }
                Ok(_) => {}
                Err(error) => {
                    let message = format!("the {name} data is damaged: {error}");
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
