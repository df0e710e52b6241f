//! Links the shim at its place in every foreign process (see `link.ld`).

use std::env::var;

fn main() {
    println!("cargo:rerun-if-changed=link.ld");
    println!("cargo:rerun-if-changed=build.rs");
    if var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let folder = var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let base = io_msg::start::SHIM_BASE;
    let vdso = io_msg::start::VDSO;
    for argument in [
        format!("-T{folder}/link.ld"),
        format!("--defsym=SHIM_BASE={base:#x}"),
        format!("--defsym=SHIM_VDSO={vdso:#x}"),
        "--no-pie".into(),
        "--gc-sections".into(),
        "-znorelro".into(),
        "-zmax-page-size=4096".into(),
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
