//! Everything that speaks to a network.

pub mod imds;
mod io;
pub mod s3;
