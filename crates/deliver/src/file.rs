//! Files: a line of JSON for each message.
//!
//! The file is opened for each message, so that a program that rotates it by renaming needs no signal,
//! and is on the disk before a message counts as delivered. Lines are whole: messages of this process
//! take turns ([`Files`](crate::files::Files)), a lock keeps other programs of ours away, a write that
//! fails is taken back, and one that a stop cut short is ended before the next.

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
        let appended = clients.on_file(&self.path, move |path| append(path, &line)).await?;
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
    let Opened { mut file, is_locked } = open(path)?;
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
    let (written, result) = write(&mut file, &text);
    result.and_then(|()| file.sync_all()).map_err(|error| {
        if is_locked {
            take_back(&file, length, written);
        }
        error.into()
    })
}

/// Writes a text. Returns how many bytes of it were written, also if it fails.
fn write(file: &mut impl Write, text: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while written < text.len() {
        match file.write(&text[written..]) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(bytes) => written += bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Takes back what was written after `length`, as far as the disk lets it. If the file has another
/// length than that makes, another program wrote or removed something, and nothing is taken back: the
/// next attempt ends the line.
fn take_back(file: &File, length: u64, written: usize) {
    if file.metadata().is_ok_and(|metadata| metadata.len() == length + written as u64) {
        let _ = file.set_len(length);
    }
}

/// A file that is open.
struct Opened {
    file: File,
    /// False if the file system has no locks, so that others may write meanwhile.
    is_locked: bool,
}

/// Opens and locks the file that is at the path.
fn open(path: &Path) -> Result<Opened, Failure> {
    for _ in 0..MOST_OPENINGS {
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => {}
            // Opening a pipe would wait for whoever reads from it.
            Ok(_) => return Err(io::Error::other("it is not a regular file").into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let file = options().open(path)?;
        let is_locked = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(Failure::Locked),
            // Some network file systems have no locks. Then whoever shares the file takes care.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => false,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        };
        // A program that rotates may have moved the file away before it was locked.
        let opened = file.metadata()?;
        if std::fs::metadata(path).is_ok_and(|there| is_same(&there, &opened)) {
            return Ok(Opened { file, is_locked });
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
    use std::sync::Arc;

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
    async fn messages_at_once_take_turns() {
        let folder = tempfile::tempdir().unwrap();
        let output = Arc::new(FileOutput { path: folder.path().join("f") });
        let clients = Arc::new(Clients::for_tests(&[]));
        let messages: Vec<Message> = (0..50)
            .map(|id| Message {
                id: id.to_string(),
                description: id.to_string().repeat(10_000),
                ..example()
            })
            .collect();
        let mut tasks = tokio::task::JoinSet::new();
        for message in messages.clone() {
            let (output, clients) = (Arc::clone(&output), Arc::clone(&clients));
            tasks.spawn(async move { output.deliver(&message, &clients).await });
        }
        for result in tasks.join_all().await {
            result.unwrap();
        }
        let expected: Vec<String> = messages.iter().map(document).collect();
        assert!(lines(&output.path) == expected, "each once, whole, and in order");
    }

    #[test]
    fn only_what_was_written_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        // What is there after a write of `bb` to `aa\n` failed.
        for (there, written, expected) in [
            ("aa\nbb", 2, "aa\n"),
            ("aa\n", 0, "aa\n"),
            ("aa\nbbcc\n", 2, "aa\nbbcc\n"),
            ("aa\ncc\n", 0, "aa\ncc\n"),
            ("", 2, ""),
        ] {
            fs::write(&path, there).unwrap();
            take_back(&options().open(&path).unwrap(), 3, written);
            assert_eq!(fs::read_to_string(&path).unwrap(), expected, "{there:?}");
        }
    }

    #[test]
    fn it_is_known_how_much_was_written() {
        let mut room = [0; 4];
        let (written, result) = write(&mut &mut room[..], b"abcdef");
        assert_eq!((written, result.unwrap_err().kind()), (4, io::ErrorKind::WriteZero));
        let mut text = Vec::new();
        let (written, result) = write(&mut text, b"abc");
        result.unwrap();
        assert_eq!((written, text.as_slice()), (3, &b"abc"[..]));
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
            (locked, "is locked by another writer"),
        ] {
            let error = FileOutput { path }.deliver(&example(), &clients).await.unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.is_retry());
        }
    }
}
