//! How a value with its place gets through serde's data model, which has no room for places.
//!
//! The types ask for a newtype struct of a name of ours. Our deserializer knows the name and lays
//! the thing down here for the visitor, which takes it up at once; other deserializers do not know
//! the name and give the plain content.

use std::cell::Cell;

use crate::place::Place;

use super::value::Value;

/// The name by which a [`Value`] asks for itself.
pub(super) const VALUE: &str = "firstlight::yaml::Value";
/// The name by which a type asks for its place beside its content.
pub(super) const PLACED: &str = "firstlight::yaml::Placed";

/// A value and the path that leads to it.
pub(super) struct Found {
    pub(super) value: Value,
    pub(super) path: String,
}

thread_local! {
    static FOUND: Cell<Option<Found>> = const { Cell::new(None) };
    static PLACE: Cell<Option<Place>> = const { Cell::new(None) };
}

/// Runs `visit` with the value laid down, and leaves nothing behind.
pub(super) fn with_value<T>(found: Found, visit: impl FnOnce() -> T) -> T {
    FOUND.set(Some(found));
    let result = visit();
    FOUND.set(None);
    result
}

/// Runs `visit` with the place laid down, and leaves nothing behind.
pub(super) fn with_place<T>(place: Place, visit: impl FnOnce() -> T) -> T {
    PLACE.set(Some(place));
    let result = visit();
    PLACE.set(None);
    result
}

/// Takes up the value, if our deserializer is the one that calls.
pub(super) fn take_value() -> Option<Found> {
    FOUND.take()
}

/// Takes up the place, if our deserializer is the one that calls.
pub(super) fn take_place() -> Option<Place> {
    PLACE.take()
}

/// The place of what came from a format without places.
pub(super) fn nowhere() -> Place {
    Place::whole("data")
}
