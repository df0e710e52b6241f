//! `cargo xtask sizes`: how large the kernel is, against its budget.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::compile::compile;
use crate::members::folders;
use crate::system;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// All that runs in ring 0, beside crates of others.
const RING_0: [&str; 3] = ["neutrino-abi", "neutrino-core", "neutrino"];
/// The invariants as functions, which only tests call; no kernel holds them.
const CHECKS: &str = "check";
/// Lines of code for everything planned.
const LINES_BUDGET: usize = 13_000;
/// Bytes of machine code.
const TEXT_BUDGET: u64 = 100 * 1024;

/// Prints the table; fails past the budget.
///
/// # Errors
/// When the kernel cannot be built or read.
pub(crate) fn command(workspace: &Workspace) -> Result<ExitCode> {
    let mut total = 0;
    println!("{:<16} {:>8}", "crate", "lines");
    for (name, folder) in folders(workspace, &RING_0)? {
        let lines = lines_below(&folder.join("src"))?;
        println!("{name:<16} {lines:>8}");
        total += lines;
        let checks = folder.join("src").join(CHECKS);
        if checks.is_dir() {
            println!("{CHECKS:<16} {:>8}  not in the kernel, not counted", lines_below(&checks)?);
        }
    }
    println!("{:<16} {total:>8}  of {LINES_BUDGET}", "kernel");
    let manifest = system::manifest(workspace)?;
    let toolchain = Toolchain::find(workspace)?;
    let compiled = compile(workspace, &toolchain, &manifest)?;
    let kernel = compiled.with_debug(&manifest.kernel.package);
    let text = section_bytes(&kernel, ".text")?;
    let boot = section_bytes(&kernel, ".init.text")?;
    println!("{:<16} {text:>8}  of {TEXT_BUDGET}", ".text bytes");
    println!("{:<16} {boot:>8}  given back after boot", ".init.text bytes");
    let fits = total <= LINES_BUDGET && text <= TEXT_BUDGET;
    Ok(if fits { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn lines_below(folder: &Path) -> Result<usize> {
    let mut lines = 0;
    for entry in folder.read_dir().with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_source = name.ends_with(".rs") || name.ends_with(".s");
        let is_test = name.ends_with("tests.rs") || name == "tests" || name == CHECKS;
        if path.is_dir() && !is_test {
            lines += lines_below(&path)?;
        } else if is_source && !is_test {
            lines += code_lines(&fs::read_to_string(&path)?);
        }
    }
    Ok(lines)
}

/// Lines that are neither blank nor comment; a file's test module is its end.
fn code_lines(source: &str) -> usize {
    let lines = source.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]");
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with("# "))
        .count()
}

fn section_bytes(kernel: &Path, name: &str) -> Result<u64> {
    let bytes = fs::read(kernel).with_context(|| format!("reading {}", kernel.display()))?;
    let file = elf::ElfBytes::<elf::endian::AnyEndian>::minimal_parse(&bytes)?;
    let (sections, names) = file.section_headers_with_strtab()?;
    let sections = sections.context("the kernel has no sections")?;
    let names = names.context("the kernel's sections have no names")?;
    let is_meant = |at: u32| names.get(at as usize).is_ok_and(|found| found == name);
    Ok(sections.iter().filter(|s| is_meant(s.sh_name)).map(|s| s.sh_size).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_tests_are_no_code() {
        let source = "//! doc\n\nfn f() {} // said\n    // why\n#[cfg(test)]\nmod tests {}\n";
        assert_eq!(code_lines(source), 1);
    }
}
