//! What is made of the command line's own help and of the modules' facts: pages of docs/, and, by
//! `firstlight documents DIR`, the manual pages and the completions, for whoever makes packages. The
//! command is there in a build with the feature `documents` alone, so what is shipped does not carry it.

#[cfg(feature = "documents")]
mod command;
#[cfg(feature = "documents")]
mod configuration;
mod keys;
mod markdown;
#[cfg(feature = "documents")]
mod pages;

#[cfg(feature = "documents")]
pub(crate) use command::main;
