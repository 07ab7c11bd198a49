//! The reference pages are what the command items say.

#[test]
fn the_pages_are_printed_from_the_items() {
    for family in dialect::Family::ALL {
        let path = format!(
            "{}/../../docs/reference/{}.md",
            env!("CARGO_MANIFEST_DIR"),
            family.name()
        );
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == modemq::reference::page(*family),
            "{path} is stale: cargo run -p modemq -- reference {name} > docs/reference/{name}.md",
            name = family.name()
        );
    }
}
