//! Collects the transcripts that `modemq demo` plays. It is also here for `openssl-src` in the build dependencies, whose
//! features the `openssl` crate's build shares.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../transcripts");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut list = String::from("&[\n");
    for folder in sorted(&root)?.iter().filter(|path| path.is_dir()) {
        for file in sorted(folder)? {
            let (Some(family), Some(stem)) = (folder.file_name(), file.file_stem()) else {
                continue;
            };
            let stem = stem.to_string_lossy();
            if ["demo", "tls-", "huawei", "as-written-huawei"]
                .iter()
                .any(|start| stem.starts_with(start))
            {
                let file = fs::canonicalize(&file)?;
                let file = file.to_string_lossy();
                let family = family.to_string_lossy();
                writeln!(list, "    ({family:?}, {stem:?}, include_str!({file:?})),")
                    .map_err(io::Error::other)?;
            }
        }
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?;
    fs::write(Path::new(&out).join("demos.rs"), list)
}

fn sorted(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}
