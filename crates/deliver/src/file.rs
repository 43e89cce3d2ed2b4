//! Files: a line of JSON for each message.
//!
//! The file is opened for each message, so that a program that rotates it by renaming needs no signal,
//! and is on the disk before a message counts as delivered. Lines are whole: a lock keeps other writers
//! of ours away, a write that fails is taken back, and one that a stop cut short is ended before the
//! next.

use std::fs::{File, Metadata, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{DeliveryError, Reason};
use crate::output::Mistake;
use crate::{Clients, Message, Receipt, document};

/// How often the file is opened again because another program moved it away meanwhile.
const MOST_OPENINGS: usize = 5;

/// A file that gets a line for each message.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileOutput {
    /// The path, from the root. The folder must be there; the file is made when it is needed.
    pub path: PathBuf,
}

impl FileOutput {
    pub(crate) fn check(&self) -> Result<(), Mistake> {
        if self.path.is_absolute() && self.path.file_name().is_some() {
            return Ok(());
        }
        let help = "give a whole path, such as `/var/log/spilltrail/findings.ndjson`";
        Err(Mistake::of_key("path", "the path of a file, from the root", help))
    }

    pub(crate) async fn deliver(
        &self,
        message: &Message,
        clients: &Clients,
    ) -> Result<Receipt, DeliveryError> {
        let mut line = document::document(message);
        line.push(b'\n');
        let bytes = line.len();
        let path = self.path.clone();
        let task = tokio::task::spawn_blocking(move || append(&path, &line));
        // A file can be on a server that is gone.
        let appended = clients.within(async { Ok(task.await) }).await?;
        let appended = appended.unwrap_or_else(|error| Err(Failure::File(io::Error::other(error))));
        let path = self.path.clone();
        match appended {
            Ok(()) => Ok(Receipt { detail: format!("appended to `{}`", path.display()), bytes }),
            Err(Failure::Locked) => Err(DeliveryError::retry(Reason::Locked { path })),
            // Somebody can make room, or the folder.
            Err(Failure::File(source)) => Err(DeliveryError::retry(Reason::File { path, source })),
        }
    }
}

#[derive(Debug)]
enum Failure {
    Locked,
    File(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

/// Appends a line to the file, and waits until it is on the disk.
fn append(path: &Path, line: &[u8]) -> Result<(), Failure> {
    let mut file = open(path)?;
    let length = file.metadata()?.len();
    if length == 0 {
        // It may be new, or left by an attempt that ended here.
        sync_folder(path)?;
    }
    let mut text = Vec::with_capacity(line.len() + 1);
    if !ends_a_line(&mut file, length)? {
        text.push(b'\n');
    }
    text.extend_from_slice(line);
    let written = file.write_all(&text).and_then(|()| file.sync_all());
    if let Err(error) = written {
        // What was written of the line is taken back, as far as the disk lets it. If another program
        // made the file shorter, nothing is.
        if file.metadata().is_ok_and(|metadata| metadata.len() > length) {
            let _ = file.set_len(length);
        }
        return Err(error.into());
    }
    Ok(())
}

/// Opens and locks the file that is at the path.
fn open(path: &Path) -> Result<File, Failure> {
    for _ in 0..MOST_OPENINGS {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {}
            // Opening a pipe would wait for whoever reads from it.
            Ok(_) => return Err(io::Error::other("it is not a regular file").into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let file = options().open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Failure::Locked),
            // Some network file systems have no locks. Then whoever shares the file takes care.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // A program that rotates may have moved the file away before it was locked.
        let opened = file.metadata()?;
        if std::fs::metadata(path).is_ok_and(|there| is_same(&there, &opened)) {
            return Ok(file);
        }
    }
    Err(io::Error::other("it is moved away again and again").into())
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Findings are not for everybody on the machine.
        options.mode(0o640);
    }
    options
}

#[cfg(unix)]
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Where files have no numbers, one that is open cannot be moved away.
#[cfg(not(unix))]
fn is_same(_one: &Metadata, _other: &Metadata) -> bool {
    true
}

/// Returns true if the file is empty or its last line is whole.
fn ends_a_line(file: &mut File, length: u64) -> io::Result<bool> {
    if length == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::Start(length - 1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Waits until the name of a new file is on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix)
        && let Some(folder) = path.parent()
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::message::tests::example;

    fn lines(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    fn document(message: &Message) -> String {
        String::from_utf8(document::document(message)).unwrap()
    }

    #[tokio::test]
    async fn lines_are_appended_and_survive_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("findings.ndjson");
        let clients = Clients::for_tests(&[]);
        let old = folder.path().join("findings.ndjson.1");
        let output = FileOutput { path: path.clone() };
        let [one, two, three] = ["1", "2", "3"].map(|id| Message {
            id: id.to_owned(),
            description: "a\nb".to_owned(),
            ..example()
        });
        let receipt = output.deliver(&one, &clients).await.unwrap();
        assert_eq!(receipt.bytes as u64, fs::metadata(&path).unwrap().len());
        output.deliver(&two, &clients).await.unwrap();
        fs::rename(&path, &old).unwrap();
        output.deliver(&three, &clients).await.unwrap();
        assert_eq!(lines(&old), [document(&one), document(&two)]);
        assert_eq!(lines(&path), [document(&three)]);
        // A program that copies and empties the file instead.
        File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
        output.deliver(&one, &clients).await.unwrap();
        assert_eq!(lines(&path), [document(&one)]);
    }

    #[test]
    fn a_line_that_was_cut_short_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        for (before, after) in [("", "{}\n"), ("{}\n", "{}\n{}\n"), ("{\"a", "{\"a\n{}\n")] {
            fs::write(&path, before).unwrap();
            append(&path, b"{}\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
    }

    #[tokio::test]
    async fn many_writers_leave_whole_lines() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let line = format!("{}\n", thread.to_string().repeat(10_000));
                    let mut written = 0;
                    while written < 10 {
                        match append(&path, line.as_bytes()) {
                            Ok(()) => written += 1,
                            Err(Failure::Locked) => std::thread::yield_now(),
                            Err(Failure::File(error)) => panic!("{error}"),
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        let lines = lines(&path);
        assert_eq!(lines.len(), 40);
        assert!(lines.iter().all(|line| *line == line[..1].repeat(10_000)));
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let clients = Clients::for_tests(&[]);
        let locked = folder.path().join("locked");
        let holder = File::create(&locked).unwrap();
        holder.lock().unwrap();
        for (path, part) in [
            (folder.path().join("none/f"), "cannot be written"),
            (folder.path().to_owned(), "it is not a regular file"),
            (locked, "is locked by another program"),
        ] {
            let error = FileOutput { path }.deliver(&example(), &clients).await.unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.is_retry());
        }
    }
}
