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
