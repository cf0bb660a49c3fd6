//! libFuzzer on one target: `FUZZ_TARGET=yaml cargo run --release -- corpus/yaml seeds/yaml`.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

mod targets;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    match targets::ALL.iter().find(|(name, _)| *name == wanted) {
        Some((_, run)) => *run,
        None => {
            let names = targets::ALL.map(|(name, _)| name).join(", ");
            eprintln!("FUZZ_TARGET names what to fuzz, one of: {names}");
            std::process::exit(64);
        }
    }
});

fuzz_target!(|data: &[u8]| TARGET(data));
