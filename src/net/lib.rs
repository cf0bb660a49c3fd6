//! Everything that speaks to a network.

pub mod fetch;
mod http;
pub mod imds;
mod io;
mod runtime;
pub mod s3;
