//! Nothing to do: it is here for `openssl-src` in the build dependencies, whose features the `openssl` crate's build shares.

fn main() {}
