//! Who this machine is: one file for each data source, and the order in which they are asked.
//!
//! A data source reads the machine through [`contract::machine::Probe`] and speaks to a network
//! through `net`; it changes nothing. To add one: a file, its `mod` line, and its line in the
//! table.

mod choice;
pub mod ec2;
mod fields;
mod keys;
mod layout;
mod nocloud;
mod seed;

use contract::datasource::Datasource;

pub use choice::{Choice, choose, named};
pub use ec2::Ec2;
pub use keys::KEYS;
pub use nocloud::NoCloud;
pub use seed::{Seed, metadata_file};

static TABLE: [&dyn Datasource; 2] = [&Ec2, &NoCloud];

/// The data sources of this build, in the order in which they are asked.
#[must_use]
pub fn table() -> &'static [&'static dyn Datasource] {
    &TABLE
}
