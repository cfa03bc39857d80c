//! Keeps the database file private: it contains decisions and the hashes of tokens.

use super::StoreError;
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Only the owner may read and write.
const PRIVATE: u32 = 0o600;

/// Creates the file with private permissions from the start, or restricts those of a file that an earlier release created. `SQLite`
/// gives its other files (`-wal`, `-shm`) the same permissions.
pub(super) fn keep_private(file: &Path) -> Result<(), StoreError> {
    // a database in memory is refused later, because it would lose acknowledged commits
    if file.as_os_str().is_empty() || file.to_string_lossy().starts_with("file:") {
        return Ok(());
    }
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(file);
    match created {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(StoreError::CannotOpen(format!(
                "the database file {} cannot be created: {error}; create its folder, or correct DATABASE_URL",
                file.display()
            )));
        }
    }
    for one in beside(file) {
        tighten(&one);
    }
    Ok(())
}

/// Identifies the file that was opened. Commits into a file that was moved or deleted meanwhile would be lost.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    file: PathBuf,
    /// Device and inode.
    identity: Option<(u64, u64)>,
}

impl Opened {
    /// The file as it is now.
    pub(super) fn now(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            identity: identity(file),
        }
    }

    /// Checks that the path still leads to the file that was opened.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.identity == identity(&self.file) {
            return Ok(());
        }
        Err(StoreError::NotWritable(format!(
            "the file {} was moved, deleted or replaced while it was open; put it back, or restart Countersign",
            self.file.display()
        )))
    }
}

fn identity(file: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(file).ok()?;
    Some((found.dev(), found.ino()))
}

/// The database file and the files that `SQLite` creates next to it.
fn beside(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        PathBuf::from(name)
    })
}

/// The permissions of another user's file cannot be changed; `countersign doctor` reports it.
fn tighten(file: &Path) {
    if !is_open_to_others(file) {
        return;
    }
    let path = file.display();
    match std::fs::set_permissions(file, Permissions::from_mode(PRIVATE)) {
        Ok(()) => {
            tracing::warn!(file = %path, "the database file was open to other users; it is private now");
        }
        Err(error) => {
            tracing::warn!(file = %path, %error, "the database file is open to other users");
        }
    }
}

fn is_open_to_others(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

/// The files of a database that other users of the machine can read.
pub(super) fn open_to_others(file: &Path) -> Vec<PathBuf> {
    let mut files = beside(file).to_vec();
    files.retain(|one| is_open_to_others(one));
    files
}
