//! Everything that speaks to a network.

pub mod fetch;
mod http;
pub mod imds;
pub mod io;
mod route;
mod runtime;
pub mod s3;
