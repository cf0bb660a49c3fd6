//! How the program that is shipped is linked, by the linker that Rust brings along for this target, LLD.

fn main() {
    println!("cargo::rerun-if-changed=src/agent/layout.ld");
    let says = |name: &str, value: &str| std::env::var(name).as_deref() == Ok(value);
    if says("OPT_LEVEL", "z") && says("TARGET", "x86_64-unknown-linux-gnu") {
        let layout = concat!(env!("CARGO_MANIFEST_DIR"), "/src/agent/layout.ld");
        println!("cargo::rustc-link-arg-bins=-Wl,--script={layout}");
    }
}
