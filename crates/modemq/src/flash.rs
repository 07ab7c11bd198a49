//! The flash of a module in a folder of this machine.
//!
//! A module's names come from its host, who may be hostile: `../../x`, `nul\0`, `CA.CRT` beside `ca.crt`. Each part of a name becomes
//! one name here: lower-case letters, digits, `-`, `_` and dots after the first byte stand for themselves, every other byte
//! is `%` and two lower-case digits. So no two names meet, on a disk that ignores case either, and none leads out of the folder.
//! Who puts a file there by hand may write its letters as they are.
//!
//! What is written takes the old one's place in one step, and nobody but the owner may read it: any of it may be a private key.

use module::{Area, Content, Flash, FlashItem};
use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file or folder under way to its name. Names that begin with a dot are nobody's.
const UNFINISHED: &str = ".unfinished";
/// More is no certificate and no setting.
const VALUE_MAX: u64 = 64 * 1024;

/// The folder of one module.
#[derive(Debug)]
pub struct FlashFolder {
    root: PathBuf,
    /// Names that somebody else gave.
    found: HashMap<FlashItem, PathBuf>,
    /// Held as long as this lives.
    _lock: File,
}

impl FlashFolder {
    /// Opens a folder, or makes it, and reads what is in it; `file_max` is the most that a file may hold, in bytes. Nobody
    /// else may open it meanwhile.
    ///
    /// # Errors
    /// What is wrong with it, with the path.
    pub fn open(root: &Path, file_max: usize) -> io::Result<(Self, Flash)> {
        make_folder(root)?;
        let lock = File::open(root).map_err(|error| at(root, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(at(root, &"another module runs with this flash"));
            }
            Err(TryLockError::Error(error)) => return Err(at(root, &error)),
        }
        let mut folder = Self {
            root: root.into(),
            found: HashMap::new(),
            _lock: lock,
        };
        let mut flash = Flash::default();
        let areas = [
            (Area::File, file_max as u64),
            (Area::Certificate, VALUE_MAX),
            (Area::Setting, VALUE_MAX),
        ];
        for (area, max) in areas {
            let path = root.join(folder_of(area));
            make_folder(&path)?;
            folder.read(&path, area, "", max, &mut flash)?;
        }
        Ok((folder, flash))
    }

    /// Does what [`module::Output::Flash`] says.
    ///
    /// # Errors
    /// The system's, with the path.
    pub fn apply(&mut self, item: &FlashItem, content: Option<&Content>) -> io::Result<()> {
        let path = self.path(item);
        let done = match (item.area, content) {
            (Area::Folder, Some(_)) => return make_folder(&path),
            (_, Some(content)) => write(&path, &content.0),
            (Area::Folder, None) => {
                let _ = fs::remove_file(path.join(UNFINISHED));
                fs::remove_dir(&path)
            }
            (_, None) => fs::remove_file(&path),
        };
        match done {
            Err(error) if content.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|error| at(&path, &error)),
        }
    }

    fn path(&self, item: &FlashItem) -> PathBuf {
        if let Some(path) = self.found.get(item) {
            return path.clone();
        }
        let above = match item.area {
            // A folder that somebody else has named keeps its name.
            Area::File | Area::Folder => item.name.rsplit_once('/'),
            Area::Certificate | Area::Setting => None,
        };
        match above {
            Some((above, name)) => {
                let (area, name_above) = (Area::Folder, above.to_string());
                let above = FlashItem {
                    area,
                    name: name_above,
                };
                self.path(&above).join(encode(name))
            }
            None => self
                .root
                .join(folder_of(item.area))
                .join(encode(&item.name)),
        }
    }

    /// Reads a folder, whose name on the module is `prefix`.
    fn read(
        &mut self,
        folder: &Path,
        area: Area,
        prefix: &str,
        max: u64,
        flash: &mut Flash,
    ) -> io::Result<()> {
        for entry in fs::read_dir(folder).map_err(|error| at(folder, &error))? {
            let entry = entry.map_err(|error| at(folder, &error))?;
            let path = entry.path();
            let own = entry.file_name();
            let own = own
                .to_str()
                .ok_or_else(|| at(&path, &"a name that is no UTF-8"))?;
            if own.starts_with('.') {
                continue;
            }
            let part = decode(own)
                .ok_or_else(|| at(&path, &"in a name, % stands before two hexadecimal digits"))?;
            let of_files = area == Area::File;
            if of_files && part.contains('/') {
                return Err(at(&path, &"a name with a slash"));
            }
            let name = format!("{prefix}{part}");
            // A folder that a link leads to could lead back here.
            let is_folder = entry
                .file_type()
                .map_err(|error| at(&path, &error))?
                .is_dir();
            let meta = fs::metadata(&path).map_err(|error| at(&path, &error))?;
            let (area, content) = if is_folder && of_files {
                self.read(&path, area, &format!("{name}/"), max, flash)?;
                (Area::Folder, Vec::new())
            } else if !meta.is_file() {
                return Err(at(&path, &"neither a file nor a folder of files"));
            } else if meta.len() > max {
                let text = format!("{} bytes, and {max} is the most here", meta.len());
                return Err(at(&path, &text));
            } else {
                (area, fs::read(&path).map_err(|error| at(&path, &error))?)
            };
            let item = FlashItem { area, name };
            if let Some(other) = self.found.insert(item.clone(), path.clone()) {
                let text = format!("the same name on the module as {}", other.display());
                return Err(at(&path, &text));
            }
            flash.0.insert(item, Content(content));
        }
        Ok(())
    }
}

fn folder_of(area: Area) -> &'static str {
    match area {
        Area::File | Area::Folder => "files",
        Area::Certificate => "certificates",
        Area::Setting => "settings",
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| at(path, &error))
}

fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_file_name(UNFINISHED);
    // One that was left behind may be anybody's: the new one is made anew, with its own rights.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(content)?;
    file.sync_data()?;
    fs::rename(&unfinished, path)
}

/// A part of a name of the module as a name here.
fn encode(part: &str) -> String {
    let mut name = String::with_capacity(part.len());
    for (index, byte) in part.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(byte.into()),
            b'.' if index > 0 => name.push('.'),
            _ => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

/// What [`encode`] made, or what somebody else called so.
fn decode(name: &str) -> Option<String> {
    let mut part = Vec::with_capacity(name.len());
    let mut bytes = name.bytes();
    while let Some(byte) = bytes.next() {
        part.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return None;
                }
                u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(part).ok()
}

fn at(path: &Path, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_and_no_two_names_meet() {
        let hostile = [
            "..",
            ".",
            "../x",
            "/etc/passwd",
            "a\0b",
            "CA.crt",
            "ca.crt",
            "Ca.crt",
            "%2e",
            "证书",
            ".hidden",
            "a b",
            "~",
            "%",
        ];
        let mut seen: Vec<String> = hostile.iter().map(|name| encode(name)).collect();
        for (name, encoded) in hostile.iter().zip(&seen) {
            let harmless = encoded
                .bytes()
                .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'%'));
            assert!(harmless && !encoded.starts_with('.'), "{encoded}");
            assert_eq!(decode(encoded).as_deref(), Some(*name));
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), hostile.len());
        assert_eq!(decode("Server.PEM").as_deref(), Some("Server.PEM"));
        for bad in ["%", "%4", "%zz", "%+1", "%ff"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
