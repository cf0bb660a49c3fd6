//! Everything that speaks to a network.

pub mod imds;
pub mod imds;
mod io;
pub mod s3;
