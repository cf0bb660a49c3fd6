//! From bytes to a prepared boot, and through it: user data becomes a configuration, semaphores
//! tell what is due, the runner performs it and the report tells what happened.
//!
//! The machine is seen and changed only through [`contract::machine`].

pub mod cloud_init;
pub mod custom;
mod environment;
pub mod image;
mod jinja;
mod json;
pub mod json_patch;
pub mod kernel;
mod merge;
pub mod module_list;
mod near;
pub mod output;
mod overlap;
mod part_handlers;
mod perform;
mod prepare;
pub mod report_file;
pub mod runner;
pub mod semaphore;
pub mod settings;
pub mod store;
mod system_info;
mod template;
mod templates;
mod user_data;
pub mod validate;
mod vendor;

pub use prepare::{PartRow, Prepared, prepare, prepare_with};
pub use templates::render;
pub use user_data::{Reach, Surroundings, type_by_beginning};
