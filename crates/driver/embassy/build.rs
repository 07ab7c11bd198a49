//! Where the board's memory is, for cortex-m-rt's linker script.

use std::path::PathBuf;

/// Source: nRF52840 product specification, memory layout.
const NRF52840: &str = "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 1024K  RAM : ORIGIN = 0x20000000, LENGTH = 256K }";
/// Source: Arm application note 386, memory map: ZBT SSRAM 1, and 2 and 3.
const MPS2: &str =
    "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 4M  RAM : ORIGIN = 0x20000000, LENGTH = 4M }";

fn main() {
    let memory = if std::env::var_os("CARGO_FEATURE_NRF52840").is_some() {
        NRF52840
    } else {
        MPS2
    };
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    std::fs::write(folder.join("memory.x"), memory).unwrap();
    println!("cargo::rustc-link-search={}", folder.display());
    println!("cargo::rustc-link-arg-bins=--nmagic");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
}
