//! Everything that speaks to a network.

pub mod s3;
