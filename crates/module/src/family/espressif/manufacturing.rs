//! SYSMFG and SYSFLASH: the partition with what a factory writes, certificates above all.
//!
//! It holds values by namespace and key. A return to factory settings leaves it as it is.
// Source: 3.3 documentation; of formats and order at_custom_partitions.c.obj of that release.

use super::PROMPT;
use crate::core::{Core, Outcome};
use crate::terminal::{DataEnd, DataMode};
use dialect::{Form, Statement, Value, espressif as esp};

/// Name, type, subtype, address and size of the partitions. Source: esp-at, module_esp32c3_default/at_customize.csv.
const PARTITIONS: [(&str, i64, i64, u32, u32); 2] = [
    (MANUFACTURING, 1, 2, 0x1f000, 0x1f000),
    ("fatfs", 1, 0x81, 0x47000, 0x19000),
];
const MANUFACTURING: &str = "mfg_nvs";
/// The most that all values may have in bytes.
// Inferred: the partition, without the page that NVS keeps free and the heads of its entries.
const ROOM: usize = 110_000;
/// Types of values: a string, and bytes.
const STRING: i64 = 7;
const BINARY: i64 = 8;

/// What waits for its data.
#[derive(Default)]
pub(super) struct Manufacturing(Option<Entry>);

/// A value of the partition.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    namespace: String,
    key: String,
    kind: i64,
}

/// The certificate or key with this index, of those that a namespace holds; a namespace of one has no index.
pub(super) fn certificate<'a>(core: &'a Core, namespace: &str, index: i64) -> Option<&'a [u8]> {
    let keys = [format!("{namespace}.{index}"), namespace.to_string()];
    let found = keys[..if index == 0 { 2 } else { 1 }]
        .iter()
        .find_map(|key| {
            let (_, value) = find(core, namespace, key)?;
            Some(value)
        });
    found.filter(|value| !value.is_empty())
}

impl Manufacturing {
    pub(super) fn execute(
        &mut self,
        core: &mut Core,
        statement: &Statement<'_>,
    ) -> Option<Outcome> {
        let read = statement.form == Form::Read;
        Some(match statement.command.name {
            "+SYSMFG" if read => {
                list_namespaces(core);
                Outcome::Ok
            }
            "+SYSMFG" => self.values(core, statement),
            "+SYSFLASH" if read => {
                for (name, kind, subtype, address, size) in PARTITIONS {
                    core.info_text(&format!(
                        "+SYSFLASH:\"{name}\",{kind},{subtype},{address:#x},{size:#x}"
                    ));
                }
                Outcome::Ok
            }
            "+SYSFLASH" => partition(core, statement),
            _ => return None,
        })
    }

    fn values(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let text = |index| String::from_utf8_lossy(values.text(index)).into_owned();
        let (namespace, key) = (text(1), text(2));
        let has_key = !key.is_empty();
        match values.int(0) {
            _ if namespace.is_empty() && values.len() > 1 => Outcome::Error,
            Some(0) if !namespace.is_empty() => erase(core, &namespace, has_key.then_some(&key)),
            Some(1) if namespace.is_empty() => {
                list_namespaces(core);
                Outcome::Ok
            }
            Some(1) if !has_key => {
                for entry in entries(core) {
                    if entry.namespace == namespace {
                        let Entry { key, kind, .. } = entry;
                        core.info_text(&format!("+SYSMFG:\"{namespace}\",\"{key}\",{kind}"));
                    }
                }
                Outcome::Ok
            }
            Some(1) => show(core, &namespace, &key, values.int(3), values.int(4)),
            Some(2) if has_key => match (values.int(3), values.int(4)) {
                (Some(kind), Some(value)) => {
                    let entry = Entry {
                        namespace,
                        key,
                        kind,
                    };
                    self.write(core, entry, value)
                }
                _ => Outcome::Error,
            },
            _ => Outcome::Error,
        }
    }

    fn write(&mut self, core: &mut Core, entry: Entry, value: i64) -> Outcome {
        let range = match entry.kind {
            1 => 0..=0xff,
            2 => -0x80..=0x7f,
            3 => 0..=0xffff,
            4 => -0x8000..=0x7fff,
            5 => 0..=0xffff_ffff,
            6 => -0x8000_0000..=0x7fff_ffff,
            STRING | BINARY => 1..=ROOM as i64,
            _ => return Outcome::Error,
        };
        // Inferred: a number that does not fit its type is refused.
        if !range.contains(&value) {
            core.note(|| format!("{value} is none of {range:?}"));
            return Outcome::Error;
        }
        if entry.kind < STRING {
            return entry.store(core, value.to_string().as_bytes());
        }
        let len = value as usize;
        let free = free(core);
        if len > free {
            core.note(|| format!("{free} bytes are free in {MANUFACTURING}"));
            return Outcome::Error;
        }
        self.0 = Some(entry);
        Outcome::Data(DataMode {
            prompt: PROMPT,
            len: Some(len),
            max: len,
            secret: true,
            ..DataMode::default()
        })
    }

    /// The data that a value waited for; `None` when it was another command that waited.
    pub(super) fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Option<Outcome> {
        let entry = self.0.take()?;
        if end != DataEnd::Length {
            return Some(Outcome::Error);
        }
        // Source: nvs_set_str: a string ends at its first NUL.
        let data = match entry.kind {
            STRING => data.split(|byte| *byte == 0).next().unwrap_or_default(),
            _ => data,
        };
        Some(entry.store(core, data))
    }
}

impl Entry {
    /// The name in the flash. No command line holds a NUL.
    fn name(&self) -> String {
        let Self {
            namespace,
            key,
            kind,
        } = self;
        format!("sysmfg\0{namespace}\0{key}\0{kind}")
    }

    fn from_name(name: &str) -> Option<Self> {
        let ["sysmfg", namespace, key, kind] = name.split('\0').collect::<Vec<_>>()[..] else {
            return None;
        };
        Some(Self {
            namespace: namespace.into(),
            key: key.into(),
            kind: kind.parse().ok()?,
        })
    }

    fn store(&self, core: &mut Core, value: &[u8]) -> Outcome {
        let before = find(core, &self.namespace, &self.key).map(|(entry, _)| entry);
        if let Some(before) = before.filter(|before| before != self) {
            core.certificates.remove(&before.name());
        }
        core.certificates.insert(&self.name(), value);
        Outcome::Ok
    }
}

/// All values, by namespace and key.
// Inferred: NVS has them in the order in which they were written.
fn entries(core: &Core) -> Vec<Entry> {
    let names = core.certificates.iter().map(|(name, _)| name);
    names.filter_map(Entry::from_name).collect()
}

fn find<'a>(core: &'a Core, namespace: &str, key: &str) -> Option<(Entry, &'a [u8])> {
    core.certificates.iter().find_map(|(name, value)| {
        let entry = Entry::from_name(name)?;
        let is_it = entry.namespace == namespace && entry.key == key;
        is_it.then_some((entry, value))
    })
}

fn free(core: &Core) -> usize {
    let used: usize = core.certificates.iter().map(|(_, value)| value.len()).sum();
    ROOM.saturating_sub(used)
}

fn list_namespaces(core: &mut Core) {
    let mut names: Vec<_> = entries(core)
        .into_iter()
        .map(|entry| entry.namespace)
        .collect();
    names.dedup();
    for name in names {
        core.info_text(&format!("+SYSMFG:\"{name}\""));
    }
}

/// A key that is not there is an error, a namespace that is not there is none.
// Source: at_nvs_key_erase: nvs_erase_key and nvs_erase_all.
fn erase(core: &mut Core, namespace: &str, key: Option<&String>) -> Outcome {
    let all = entries(core).into_iter();
    let found: Vec<_> = all
        .filter(|entry| entry.namespace == namespace && key.is_none_or(|key| *key == entry.key))
        .collect();
    for entry in &found {
        core.certificates.remove(&entry.name());
    }
    match (key, found.as_slice()) {
        (Some(_), []) => Outcome::Error,
        _ => Outcome::Ok,
    }
}

fn show(
    core: &mut Core,
    namespace: &str,
    key: &str,
    offset: Option<i64>,
    len: Option<i64>,
) -> Outcome {
    let Some((entry, value)) = find(core, namespace, key) else {
        return Outcome::Error;
    };
    let part = match (offset, len) {
        (None, None) => value,
        // Inferred: what is asked for beyond the end is left out.
        (Some(offset), Some(len)) => {
            let from = usize::try_from(offset)
                .unwrap_or(usize::MAX)
                .min(value.len());
            let len = usize::try_from(len).unwrap_or(0).min(value.len() - from);
            &value[from..from + len]
        }
        _ => return Outcome::Error,
    };
    let mut line = Vec::new();
    let values: [Value<'_>; 5] = [
        namespace.into(),
        key.into(),
        entry.kind.into(),
        (part.len() as i64).into(),
        part.into(),
    ];
    esp::SYSMFG.write(&values, &mut |part| line.extend_from_slice(part));
    core.info_secret(&line);
    Outcome::Ok
}

/// AT+SYSFLASH=…: what is in a partition, as bytes.
fn partition(core: &mut Core, statement: &Statement<'_>) -> Outcome {
    let values = &statement.values;
    let name = values.text(1);
    let is_manufacturing = name == MANUFACTURING.as_bytes();
    let known = PARTITIONS.iter().any(|(own, ..)| own.as_bytes() == name);
    match values.int(0) {
        Some(0) if values.len() == 2 && is_manufacturing => {
            for entry in entries(core) {
                core.certificates.remove(&entry.name());
            }
            Outcome::Ok
        }
        Some(0) if values.len() == 2 && known => Outcome::Ok,
        _ if known => {
            core.note(|| {
                "the bytes of a partition are not played; its values are: AT+SYSMFG".into()
            });
            Outcome::Error
        }
        _ => {
            core.note(|| "there is no partition of that name: AT+SYSFLASH? lists them".into());
            Outcome::Error
        }
    }
}
