//! Replaces a kept lookup as a whole, so that a reader sees the old rows or the new ones.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::Path;

use spilltrail_search::context::TableRows;

use crate::whole_file;

/// Writes rows to a CSV file. Creates its folder if there is none.
///
/// If anything fails, the file keeps its old rows.
///
/// # Errors
/// Fails if the file cannot be written, or if it is a symbolic link: the file that it leads to may
/// belong to something else.
pub(crate) fn replace(path: &Path, columns: &[String], rows: &TableRows) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    match fs::symlink_metadata(path) {
        Ok(existing) if !existing.is_file() => {
            let reason = "expected a file to replace, found a link, a folder or a device";
            return Err(io::Error::other(reason));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    keep_version(path)?;
    whole_file::replace(path, |file| {
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        writer.write_record(columns)?;
        for row in rows.iter() {
            writer.write_record(row)?;
        }
        writer.flush()
    })?;
    sync_folder(folder);
    Ok(())
}

/// The folder beside lookups that has their earlier versions. Whoever makes it wants them.
pub(crate) const VERSIONS: &str = ".versions";

/// The earlier versions of a lookup that are kept.
const MOST_VERSIONS: usize = 10;

/// Keeps a file, which is about to be replaced, under its name and the time of its rows, if its folder has a
/// place for that. Deletes the oldest ones beyond the most that are kept.
fn keep_version(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new(".")).join(VERSIONS);
    let (Ok(old), true) = (fs::metadata(path), folder.is_dir()) else { return Ok(()) };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let time = jiff::Timestamp::try_from(old.modified()?).map_err(io::Error::other)?;
    // Names are in the order of their times.
    let version = folder.join(format!("{name}.{}", time.strftime("%Y%m%dT%H%M%S.%6fZ")));
    match fs::hard_link(path, &version) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            fs::copy(path, &version).map(drop)?;
        }
        _ => {}
    }
    let mut kept = Vec::new();
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let other = entry.file_name();
        let is_of_lookup = other.to_str().and_then(|other| other.strip_prefix(&*name));
        if is_of_lookup.is_some_and(|rest| rest.starts_with(".2") || rest.starts_with(".1")) {
            kept.push(entry.path());
        }
    }
    kept.sort_unstable();
    let more = kept.len().saturating_sub(MOST_VERSIONS);
    kept.into_iter().take(more).try_for_each(fs::remove_file)
}

/// Makes a rename last, so that later runs know what this one learned. The file is replaced already, and
/// not every file system can do more.
fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn earlier_versions_are_kept_where_there_is_a_place_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seen.csv");
        let columns = ["a".to_owned()];
        let write = |value: &str| {
            let rows: TableRows = vec![row(&[value])].into();
            replace(&path, &columns, &rows).unwrap();
        };
        write("0");
        write("1");
        let versions = folder.path().join(VERSIONS);
        fs::create_dir(&versions).unwrap();
        for number in 2..15 {
            let time =
                std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000 + number);
            File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            write(&number.to_string());
        }
        fs::write(versions.join("seen.csv.old"), "").unwrap();
        let mut kept: Vec<_> =
            fs::read_dir(&versions).unwrap().map(|one| one.unwrap().path()).collect();
        kept.sort();
        assert_eq!(kept.len(), MOST_VERSIONS + 1);
        // The last of them is what was there before the last write.
        assert_eq!(fs::read_to_string(&kept[MOST_VERSIONS - 1]).unwrap(), "a\n13\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n14\n");
    }

    #[test]
    fn the_folder_is_made_and_the_file_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/kept.csv");
        for value in ["1", "2"] {
            replace(&path, &row(&["a", "b"]), &vec![row(&[value, "x,y"])].into()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("a,b\n{value},\"x,y\"\n"));
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_keeps_the_old_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.csv");
        replace(&path, &row(&["a"]), &vec![row(&["1"])].into()).unwrap();
        // Rows must have as many cells as there are columns.
        assert!(replace(&path, &row(&["a"]), &vec![row(&["1", "2"])].into()).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n1\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    #[cfg(unix)]
    fn a_link_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let (target, path) = (folder.path().join("precious"), folder.path().join("kept.csv"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        let error = replace(&path, &row(&["a"]), &TableRows::default()).unwrap_err();
        assert!(error.to_string().contains("found a link"), "{error}");
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    }
}
