//! How configurations become one.

use contract::yaml::{Kind, Mapping, Value};

/// Lays `over` over `base`: what `over` says wins, mappings are joined key by key, lists are
/// replaced. Source: cloud-init, `cloudinit/util.py`, `mergemanydict`.
pub(crate) fn sources(base: &mut Mapping, over: Mapping) {
    for (key, value) in over {
        let old = base
            .iter_mut()
            .find(|(own, _)| **own == key)
            .map(|(_, value)| value);
        match (old, value) {
            (
                Some(Value {
                    kind: Kind::Map(below),
                    ..
                }),
                Value {
                    kind: Kind::Map(above),
                    ..
                },
            ) => {
                sources(below, above);
            }
            (Some(old), value) => *old = value,
            (None, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// Lays a later part of user data over earlier ones: each of its top-level keys is taken whole.
/// Source: cloud-init, `cloudinit/handlers/cloud_config.py`.
pub(crate) fn parts(earlier: &mut Mapping, later: Mapping) {
    for (key, value) in later {
        earlier.insert(key, value);
    }
}
