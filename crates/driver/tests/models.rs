//! Each model has a name of its own in the driver.

#[test]
fn every_model_can_be_named() {
    let named: Vec<_> = driver::models::ALL
        .iter()
        .map(|module| module.model().name)
        .collect();
    let known: Vec<_> = dialect::model::ALL.iter().map(|model| model.name).collect();
    assert_eq!(named, known);
}
