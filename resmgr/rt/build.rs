//! Tells dependents where the link script of native programs is (`DEP_NEUTRINO_RT_LINK_SCRIPT`).

fn main() {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("link.ld");
    println!("cargo::rerun-if-changed={}", script.display());
    println!("cargo::metadata=link_script={}", script.display());
}
