//! Links the server as a native program.

fn main() {
    if let Ok(script) = std::env::var("DEP_NEUTRINO_RT_LINK_SCRIPT") {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
}
