//! Input that can be read only once: standard input, named pipes, process substitution of a shell.
//!
//! Bytes are read on demand and copied to a temporary file, because logs may be read several times:
//! for their fields, for the newest event, for a subsearch.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Input that can be read only once, with a copy of the bytes read so far.
#[derive(Debug)]
pub(crate) struct Pipe(Mutex<State>);

struct State {
    source: Source,
    /// The copy of the bytes read so far. The file is unnamed, so it is deleted when the program
    /// ends.
    kept: Option<File>,
    length: u64,
}

enum Source {
    /// Opened on the first read, since opening a named pipe blocks until a writer opens it.
    Path(PathBuf),
    Open(Box<dyn Read + Send>),
    Ended,
    Failed(String),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Pipe {
    /// Returns a pipe that reads the file at `path`.
    pub(crate) fn at(path: &Path) -> Arc<Self> {
        Self::new(Source::Path(path.to_owned()))
    }

    /// Returns a pipe that reads from `reader`.
    pub(crate) fn of(reader: Box<dyn Read + Send>) -> Arc<Self> {
        Self::new(Source::Open(reader))
    }

    fn new(source: Source) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { source, kept: None, length: 0 })))
    }

    /// Returns a reader that starts at the first byte.
    pub(crate) fn reader(self: &Arc<Self>) -> PipeReader {
        PipeReader { pipe: self.clone(), position: 0 }
    }
}

impl State {
    /// Reads into `buffer` at `position`, which is at most the number of bytes read so far.
    fn read(&mut self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if position < self.length {
            let Some(kept) = &mut self.kept else { return Ok(0) };
            kept.seek(SeekFrom::Start(position))?;
            let rest = usize::try_from(self.length - position).unwrap_or(usize::MAX);
            let end = buffer.len().min(rest);
            return kept.read(&mut buffer[..end]);
        }
        match self.read_on(buffer) {
            Ok(count) => Ok(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                // Later reads fail with the same error.
                self.source = Source::Failed(error.to_string());
                Err(error)
            }
        }
    }

    /// Reads new bytes from the source and copies them to the temporary file.
    fn read_on(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Source::Path(path) = &self.source {
            self.source = Source::Open(Box::new(File::open(path)?));
        }
        let count = match &mut self.source {
            Source::Open(reader) => reader.read(buffer)?,
            Source::Failed(message) => return Err(io::Error::other(message.clone())),
            Source::Path(_) | Source::Ended => 0,
        };
        if count == 0 && !buffer.is_empty() {
            self.source = Source::Ended;
        }
        self.keep(&buffer[..count]).map_err(|error| {
            let folder = std::env::temp_dir();
            io::Error::other(format!(
                "cannot keep a copy in {}: {error}; let `TMPDIR` name a folder that has more room",
                folder.display()
            ))
        })?;
        Ok(count)
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.kept.is_none() {
            self.kept = Some(tempfile::tempfile()?);
        }
        if let Some(kept) = &mut self.kept {
            kept.seek(SeekFrom::Start(self.length))?;
            kept.write_all(bytes)?;
        }
        self.length += bytes.len() as u64;
        Ok(())
    }
}

/// A reader of all bytes of a pipe, including those that other readers have read.
#[derive(Debug)]
pub(crate) struct PipeReader {
    pipe: Arc<Pipe>,
    position: u64,
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.pipe.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = state.read(self.position, buffer)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for PipeReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => {
                // The length is known only after everything was read.
                io::copy(self, &mut io::sink())?;
                self.position.checked_add_signed(by)
            }
        };
        let position = position.ok_or(io::ErrorKind::InvalidInput)?;
        if position > self.position {
            // Skipped bytes are read too, because other readers need the copy.
            let skipped = position - self.position;
            io::copy(&mut self.by_ref().take(skipped), &mut io::sink())?;
        }
        self.position = position;
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Returns one byte per read and counts the reads.
    struct Slow(Vec<u8>, Arc<AtomicUsize>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1.fetch_add(1, Ordering::Relaxed);
            if self.0.is_empty() {
                return Ok(0);
            }
            buffer[0] = self.0.remove(0);
            Ok(1)
        }
    }

    #[test]
    fn bytes_are_read_once_and_only_as_they_are_wanted() {
        let asked = Arc::new(AtomicUsize::new(0));
        let pipe = Pipe::of(Box::new(Slow(b"abcdef".to_vec(), asked.clone())));
        let read = |reader: &mut PipeReader, count: usize| {
            let mut bytes = vec![0; count];
            reader.read_exact(&mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let (mut one, mut other) = (pipe.reader(), pipe.reader());
        assert_eq!(read(&mut one, 2), "ab");
        assert_eq!((asked.load(Ordering::Relaxed), read(&mut other, 3)), (2, "abc".to_owned()));
        assert_eq!(one.seek(SeekFrom::End(-2)).unwrap(), 4);
        assert_eq!((read(&mut one, 2), read(&mut other, 3)), ("ef".to_owned(), "def".to_owned()));
        assert_eq!(other.seek(SeekFrom::Start(1)).unwrap(), 1);
        assert_eq!(read(&mut other, 5), "bcdef");
        let mut rest = Vec::new();
        pipe.reader().read_to_end(&mut rest).unwrap();
        assert_eq!((rest.as_slice(), asked.load(Ordering::Relaxed)), (&b"abcdef"[..], 7));
    }

    #[test]
    fn what_failed_fails_again_after_what_came_before() {
        struct Broken(bool);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if std::mem::replace(&mut self.0, true) {
                    return Err(io::Error::other("the disk is gone"));
                }
                buffer[0] = b'a';
                Ok(1)
            }
        }
        let pipe = Pipe::of(Box::new(Broken(false)));
        for _ in 0..2 {
            let mut bytes = Vec::new();
            let error = pipe.reader().read_to_end(&mut bytes).unwrap_err();
            assert_eq!(
                (bytes.as_slice(), error.to_string().as_str()),
                (&b"a"[..], "the disk is gone")
            );
        }
    }
}
