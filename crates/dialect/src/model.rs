//! The modules by name: dialect, limits, defaults, timing, boot reports.

/// One module type.
#[derive(Debug)]
pub struct Model {
    /// What a command line calls it: `air780ep`.
    pub name: &'static str,
    /// What the vendor calls it: `Air780EP`.
    pub title: &'static str,
}

/// Every model, in the order that they are listed to people.
pub const ALL: &[Model] = &[
    Model { name: "air780ep", title: "Air780EP" },
    Model { name: "air700eaq", title: "Air700EAQ" },
];

impl Model {
    /// The model called `name`, in any letter case.
    pub fn by_name(name: &str) -> Option<&'static Model> {
        ALL.iter().find(|model| model.name.eq_ignore_ascii_case(name))
    }
}
