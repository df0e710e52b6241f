//! Says to `neutrino_core::limits` that this build of the core is the explored one.

fn main() {
    println!("cargo::rustc-env=NEUTRINO_TABLES_FOR_MODEL=1");
    println!("cargo::rerun-if-changed=build.rs");
}
