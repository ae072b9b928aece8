//! Writes a file whole or not at all: who reads it meanwhile, or after a kill, finds the old one.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

/// Replaces a file, or makes it and its folder; one that is there keeps its permissions, a new one
/// gets `mode`.
pub(crate) fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let write = || {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(text.as_bytes())?;
        let permissions = std::fs::metadata(path).map(|known| known.permissions());
        let permissions = permissions.unwrap_or_else(|_| Permissions::from_mode(mode));
        file.as_file().set_permissions(permissions)?;
        file.persist(path).map_err(|error| error.error)
    };
    write().map(drop).with_context(|| format!("writing {}", path.display()))
}
