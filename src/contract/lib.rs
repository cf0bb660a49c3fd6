//! The words that every part of firstlight speaks, and no I/O.
//!
//! The flow they describe: a [`datasource`] says who this [`instance`] is; its [`user_data`]
//! becomes a [`config`] whose every value knows its [`place`]; a [`module`] turns both into a
//! [`plan`] of [`effect`]s; a [`machine`] performs them; a [`report`] tells what happened.

pub mod account;
pub mod base64;
pub mod block;
pub mod calendar;
mod command;
pub mod config;
pub mod content;
pub mod custom;
pub mod datasource;
pub mod effect;
pub mod error;
pub mod fetch;
pub mod file;
pub mod gzip;
pub mod hex;
pub mod instance;
pub mod items;
pub mod keys;
pub mod machine;
pub mod module;
pub mod name;
pub mod output;
pub mod package;
pub mod params;
pub mod part_handler;
pub mod place;
pub mod plan;
pub mod post;
pub mod power;
pub mod public_key;
pub mod report;
pub mod schema;
pub mod secret;
pub mod sshd;
pub mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod tool;
pub mod user_data;
pub mod write;
pub mod yaml;
