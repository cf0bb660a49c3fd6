//! Amazon S3, and stores that speak as it does: what is signed, and what is answered.

pub mod list;
pub mod sign;
