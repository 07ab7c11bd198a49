//! The reference pages are what the command items say.

#[test]
fn the_pages_are_printed_from_the_items() {
    for model in dialect::model::ALL {
        let name = model.name;
        let path = format!(
            "{}/../../docs/reference/{name}.md",
            env!("CARGO_MANIFEST_DIR")
        );
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == modemq::reference::page(model),
            "{path} is stale: cargo run -p modemq -- reference {name} > docs/reference/{name}.md"
        );
    }
}
