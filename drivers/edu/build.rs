//! Links the server as a native program.

fn main() {
    let is_bare = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "none");
    if let (true, Ok(script)) = (is_bare, std::env::var("DEP_NEUTRINO_RT_LINK_SCRIPT")) {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
}
