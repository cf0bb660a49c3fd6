//! Everything that speaks to a network.

mod http;
pub mod imds;
mod io;
mod runtime;
pub mod s3;
