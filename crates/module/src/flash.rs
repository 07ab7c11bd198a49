//! What a module keeps without power: its files, and by name the settings and certificates that are in no file.

use crate::files::Files;
use dialect::Model;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;

/// What a kind of flash is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// A folder of the file system: it has no content.
    Folder,
    /// A file of the file system.
    File,
    /// A certificate or key that is in no file, and what else a factory writes: a return to factory settings leaves it.
    Certificate,
    /// A setting: gone with a return to factory settings.
    Setting,
}

/// Something in the flash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlashItem {
    /// What it is.
    pub area: Area,
    /// Of files and folders the path from the root, without a slash before it; of the others any text that the host may have
    /// had a part in. Unique in its area, and case matters.
    pub name: String,
}

/// Bytes of the flash: they may be a private key, so that [`fmt::Debug`] tells their number alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Content(pub Vec<u8>);

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// All that the flash holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flash(pub BTreeMap<FlashItem, Content>);

impl Flash {
    /// Whether a module of this model can have it.
    ///
    /// # Errors
    /// Which item it cannot have, and why.
    pub fn check(&self, model: &Model) -> Result<(), (FlashItem, String)> {
        let mut files = Files::new(model.limits.flash, false);
        match files.load(self).into_iter().next() {
            Some((item, error)) => Err((item, error.to_string())),
            None => Ok(()),
        }
    }

    /// What is in an area.
    pub(crate) fn area(&self, area: Area) -> impl Iterator<Item = (&str, &[u8])> {
        let items = self.0.iter().filter(move |(item, _)| item.area == area);
        items.map(|(item, content)| (item.name.as_str(), content.0.as_slice()))
    }
}

/// Names of what has changed since it was last asked for.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Somebody asks for them.
    wanted: bool,
    items: VecDeque<FlashItem>,
}

impl Changes {
    pub(crate) fn new(wanted: bool) -> Self {
        Self {
            wanted,
            items: VecDeque::new(),
        }
    }

    pub(crate) fn push(&mut self, area: Area, name: &str) {
        let name = name.to_string();
        let item = FlashItem { area, name };
        if self.wanted && self.items.back() != Some(&item) {
            self.items.push_back(item);
        }
    }

    pub(crate) fn pop(&mut self) -> Option<FlashItem> {
        self.items.pop_front()
    }
}

/// Values by name in one area of the flash.
#[derive(Debug)]
pub(crate) struct Kept {
    area: Area,
    values: BTreeMap<String, Content>,
    pub(crate) changes: Changes,
}

impl Kept {
    /// What the flash holds at the start.
    pub(crate) fn new(area: Area, flash: Option<&Flash>) -> Self {
        let given = flash.into_iter().flat_map(|flash| flash.area(area));
        Self {
            area,
            values: given
                .map(|(name, value)| (name.into(), Content(value.into())))
                .collect(),
            changes: Changes::new(flash.is_some()),
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        self.values.get(name).map(|value| value.0.as_slice())
    }

    /// A value that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.get(name)?).ok()
    }

    /// Names and values, in the order of the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let values = self.values.iter();
        values.map(|(name, value)| (name.as_str(), value.0.as_slice()))
    }

    pub(crate) fn insert(&mut self, name: &str, value: impl Into<Vec<u8>>) {
        let value = Content(value.into());
        let before = self.values.insert(name.into(), value);
        if before.as_ref() != self.values.get(name) {
            self.changes.push(self.area, name);
        }
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, name: &str) -> bool {
        let was = self.values.remove(name).is_some();
        if was {
            self.changes.push(self.area, name);
        }
        was
    }

    pub(crate) fn clear(&mut self) {
        for (name, _) in std::mem::take(&mut self.values) {
            self.changes.push(self.area, &name);
        }
    }
}
