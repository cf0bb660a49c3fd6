//! The seeds of the fuzz targets, and what once went wrong with one of them, taken by the ordinary
//! build: no input makes it panic, hang or hold more memory than it may.

#[cfg(test)]
#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::path::Path;

#[test]
fn every_seed_of_the_fuzz_targets_is_taken() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, run) in targets::ALL {
        let files = std::fs::read_dir(seeds.join(name)).unwrap();
        let mut taken = 0;
        for file in files {
            let path = file.unwrap().path();
            // Shown when the test fails: which one it was.
            println!("{}", path.display());
            run(&std::fs::read(&path).unwrap());
            taken += 1;
        }
        assert!(taken > 0, "{name} has no seeds");
    }
}
