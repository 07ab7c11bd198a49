//! The module's flash: files and folders, with their limits.

use crate::flash::{Area, Changes, Flash, FlashItem};
use std::collections::BTreeMap;

/// The file system of a module. It lives as long as the module, reboots included.
#[derive(Debug)]
pub(crate) struct Files {
    /// By path from the root, without a slash before it; `None` is a folder.
    entries: BTreeMap<String, Option<Vec<u8>>>,
    capacity: usize,
    /// A fault: it takes nothing more.
    full: bool,
    pub(crate) changes: Changes,
}

/// Why something cannot be done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileError {
    /// There is no such file or folder.
    NotFound,
    /// It exists, or is of the other kind.
    Exists,
    /// The folder holds something.
    NotEmpty,
    /// The flash is full.
    Full,
    /// The path is none.
    Path,
}

impl std::fmt::Display for FileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file or folder",
            Self::Exists => "it exists already",
            Self::NotEmpty => "the folder is not empty",
            Self::Full => "the flash is full",
            Self::Path => "no path: 1 to 64 bytes, below / or C:/",
        })
    }
}

impl Files {
    /// An empty file system of so many bytes; `watched` when its changes will be asked for.
    pub(crate) fn new(capacity: usize, watched: bool) -> Self {
        Self {
            entries: BTreeMap::new(),
            capacity,
            full: false,
            changes: Changes::new(watched),
        }
    }

    /// Takes over what the flash holds at the start; returns what has no place.
    pub(crate) fn load(&mut self, flash: &Flash) -> Vec<(FlashItem, FileError)> {
        // Folders come before files, and each before what is in it: their names are in order.
        let entries = flash.0.iter().filter_map(|(item, content)| {
            let entry = match item.area {
                Area::Folder => None,
                Area::File => Some(content.0.clone()),
                Area::Certificate | Area::Setting => return None,
            };
            Some((item, entry))
        });
        let mut homeless = Vec::new();
        for (item, entry) in entries {
            let len = entry.as_ref().map_or(0, Vec::len);
            let fits = if len > self.free() || self.capacity == 0 {
                Err(FileError::Full)
            } else if normalise(item.name.as_bytes()).as_ref() == Ok(&item.name) {
                self.enter(&item.name, entry)
            } else {
                Err(FileError::Path)
            };
            homeless.extend(fits.err().map(|error| (item.clone(), error)));
        }
        homeless
    }

    /// What a changed file or folder is now: nothing, or its content.
    pub(crate) fn current(&self, item: &FlashItem) -> Option<Vec<u8>> {
        match (item.area, self.entries.get(&item.name)?) {
            (Area::Folder, None) => Some(Vec::new()),
            (Area::File, Some(content)) => Some(content.clone()),
            _ => None,
        }
    }

    /// Takes nothing more, whatever it holds; or what it has room for.
    pub(crate) fn set_full(&mut self, full: bool) {
        self.full = full;
    }

    pub(crate) fn create(&mut self, path: &[u8]) -> Result<(), FileError> {
        self.insert(path, Some(Vec::new()))
    }

    pub(crate) fn make_folder(&mut self, path: &[u8]) -> Result<(), FileError> {
        self.insert(path, None)
    }

    /// Writes from the beginning, in place of what was there, or at the end.
    pub(crate) fn write(
        &mut self,
        path: &[u8],
        append: bool,
        data: &[u8],
    ) -> Result<(), FileError> {
        let free = self.free();
        let path = normalise(path)?;
        let Some(Some(file)) = self.entries.get_mut(&path) else {
            return Err(FileError::NotFound);
        };
        let given_back = if append { 0 } else { file.len() };
        if data.len() > free + given_back {
            return Err(FileError::Full);
        }
        if !append {
            file.clear();
        }
        file.extend_from_slice(data);
        self.changes.push(Area::File, &path);
        Ok(())
    }

    pub(crate) fn read(&self, path: &[u8]) -> Result<&[u8], FileError> {
        match self.entries.get(&normalise(path)?) {
            Some(Some(file)) => Ok(file),
            _ => Err(FileError::NotFound),
        }
    }

    pub(crate) fn delete(&mut self, path: &[u8]) -> Result<(), FileError> {
        let path = normalise(path)?;
        match self.entries.get(&path) {
            Some(Some(_)) => {
                self.entries.remove(&path);
                self.changes.push(Area::File, &path);
                Ok(())
            }
            _ => Err(FileError::NotFound),
        }
    }

    pub(crate) fn remove_folder(&mut self, path: &[u8]) -> Result<(), FileError> {
        let path = normalise(path)?;
        if !matches!(self.entries.get(&path), Some(None)) {
            return Err(FileError::NotFound);
        }
        if self.children(&path).next().is_some() {
            return Err(FileError::NotEmpty);
        }
        self.entries.remove(&path);
        self.changes.push(Area::Folder, &path);
        Ok(())
    }

    /// What is in a folder: names, and whether each is a folder.
    pub(crate) fn list(&self, path: &[u8]) -> Result<Vec<(&str, bool)>, FileError> {
        let path = normalise_folder(path)?;
        if !path.is_empty() && !matches!(self.entries.get(&path), Some(None)) {
            return Err(FileError::NotFound);
        }
        Ok(self.children(&path).collect())
    }

    /// Every file by its path, with its size.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, usize)> {
        self.entries
            .iter()
            .filter_map(|(path, data)| Some((path.as_str(), data.as_ref()?.len())))
    }

    /// Bytes that are free.
    pub(crate) fn free(&self) -> usize {
        if self.full {
            return 0;
        }
        let used: usize = self.entries.values().flatten().map(Vec::len).sum();
        self.capacity.saturating_sub(used)
    }

    fn insert(&mut self, path: &[u8], entry: Option<Vec<u8>>) -> Result<(), FileError> {
        let path = normalise(path)?;
        let area = if entry.is_some() {
            Area::File
        } else {
            Area::Folder
        };
        self.enter(&path, entry)?;
        self.changes.push(area, &path);
        Ok(())
    }

    fn enter(&mut self, path: &str, entry: Option<Vec<u8>>) -> Result<(), FileError> {
        /// More than any module's table of contents holds.
        const ENTRIES_MAX: usize = 512;
        if self.entries.contains_key(path) {
            return Err(FileError::Exists);
        }
        if let Some((folder, _)) = path.rsplit_once('/')
            && !matches!(self.entries.get(folder), Some(None))
        {
            return Err(FileError::NotFound);
        }
        if self.full || self.entries.len() >= ENTRIES_MAX {
            return Err(FileError::Full);
        }
        self.entries.insert(path.into(), entry);
        Ok(())
    }

    fn children<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, bool)> {
        self.entries.iter().filter_map(move |(path, entry)| {
            let name = match folder {
                "" => path.as_str(),
                folder => path.strip_prefix(folder)?.strip_prefix('/')?,
            };
            (!name.contains('/')).then_some((name, entry.is_none()))
        })
    }
}

/// `ca.crt`, `/ca.crt` and `C:/ca.crt` are one file.
fn normalise(path: &[u8]) -> Result<String, FileError> {
    let path = normalise_folder(path)?;
    if path.is_empty() {
        Err(FileError::Path)
    } else {
        Ok(path)
    }
}

fn normalise_folder(path: &[u8]) -> Result<String, FileError> {
    let text = str::from_utf8(path).map_err(|_| FileError::Path)?;
    let text = text
        .strip_prefix("C:")
        .or(text.strip_prefix("c:"))
        .unwrap_or(text);
    let text = text.trim_matches('/');
    let broken = text
        .split('/')
        .any(|part| part.is_empty() || part == "." || part == "..")
        && !text.is_empty();
    if path.is_empty() || path.len() > 64 || broken {
        return Err(FileError::Path);
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_flash_takes_no_more() {
        let mut files = Files::new(10, false);
        assert_eq!(files.create(b"a"), Ok(()));
        assert_eq!(files.create(b"C:/a"), Err(FileError::Exists));
        assert_eq!(files.write(b"a", false, b"12345678"), Ok(()));
        assert_eq!(files.write(b"/a", true, b"901"), Err(FileError::Full));
        assert_eq!(files.write(b"a", false, b"1234567890"), Ok(()));
        assert_eq!(files.free(), 0);
        assert_eq!(files.read(b"a"), Ok(&b"1234567890"[..]));
    }

    #[test]
    fn a_flash_that_is_full_by_a_fault_keeps_what_it_holds() {
        let mut files = Files::new(10, false);
        assert_eq!(files.create(b"a"), Ok(()));
        assert_eq!(files.write(b"a", false, b"1234"), Ok(()));
        files.set_full(true);
        assert_eq!(files.create(b"b"), Err(FileError::Full));
        assert_eq!(files.write(b"a", true, b"5"), Err(FileError::Full));
        assert_eq!(files.read(b"a"), Ok(&b"1234"[..]));
        assert_eq!(files.delete(b"a"), Ok(()));
        assert_eq!(files.free(), 0);
        files.set_full(false);
        assert_eq!(files.create(b"b"), Ok(()));
    }

    #[test]
    fn folders_hold_files() {
        let mut files = Files::new(100, false);
        assert_eq!(files.create(b"/d/a"), Err(FileError::NotFound));
        assert_eq!(files.make_folder(b"/d"), Ok(()));
        assert_eq!(files.make_folder(b"/d/e"), Ok(()));
        assert_eq!(files.create(b"/d/a"), Ok(()));
        assert_eq!(files.list(b"/d"), Ok(vec![("a", false), ("e", true)]));
        assert_eq!(files.list(b"/"), Ok(vec![("d", true)]));
        assert_eq!(files.remove_folder(b"/d"), Err(FileError::NotEmpty));
        assert_eq!(files.delete(b"/d"), Err(FileError::NotFound));
        for bad in [&b"../x"[..], b"a//b", b"", b"\xff", &[b'a'; 65]] {
            assert_eq!(files.create(bad), Err(FileError::Path));
        }
    }
}
