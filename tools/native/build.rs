//! Links the tools as native programs.

fn main() {
    if let Ok(script) = std::env::var("DEP_NEUTRINO_RT_LINK_SCRIPT") {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
}
