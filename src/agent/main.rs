//! firstlight
fn main() {}
