//! Real servers for tests.
//!
//! A crate of its own, because the tests of more than one crate link it, and none of what is in it
//! may get into the binary that is shipped.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's server that cannot go on fails its test"
)]

mod imds;
mod s3;

use std::net::{SocketAddr, TcpListener};

pub use imds::{Asked, Imds, LOOPBACK, Mood, Setup, UnknownMood};
pub use s3::{S3, program};

/// The metadata of one instance, with every category that AWS's own mock of the service has.
#[must_use]
pub fn aws_mock() -> serde_json::Value {
    serde_json::from_str(include_str!("../trees/aws-mock.json")).unwrap()
}

/// A free port of the IPv6 loopback to listen on, or `None` after having said that the test is
/// skipped, on a machine that has none.
#[must_use]
#[allow(
    clippy::print_stderr,
    reason = "whoever runs the tests reads why one did nothing"
)]
pub fn ipv6_loopback() -> Option<SocketAddr> {
    let address = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0));
    if let Err(error) = TcpListener::bind(address) {
        eprintln!("skipped: {address}: {error}");
        return None;
    }
    Some(address)
}
