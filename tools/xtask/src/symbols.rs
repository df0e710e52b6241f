//! Names of functions as people write them: in the symbol tables of the image's programs, for the
//! back-traces of faults, and as a text for the kernel's epitaph.

use std::fmt::Write;
use std::mem::offset_of;

use anyhow::{Context, Result};
use elf::ElfBytes;
use elf::abi::{SHT_SYMTAB, STT_FUNC};
use elf::endian::AnyEndian;
use elf::section::Elf64_Shdr;
use elf::symbol::Elf64_Sym;

/// Where the kernel looks for its own names.
pub(crate) const PATH: &str = "/boot/neutrino.map";

/// Lines of `address name`, ascending; empty if the kernel has no symbols.
///
/// # Errors
/// When it is no ELF file.
pub(crate) fn map(kernel: &[u8]) -> Result<Vec<u8>> {
    let file = ElfBytes::<AnyEndian>::minimal_parse(kernel).context("the kernel's ELF file")?;
    let Some((symbols, names)) = file.symbol_table().context("the kernel's symbols")? else {
        return Ok(Vec::new());
    };
    let mut functions: Vec<(u64, &str)> = symbols
        .iter()
        .filter(|symbol| symbol.st_symtype() == STT_FUNC)
        .filter_map(|symbol| Some((symbol.st_value, names.get(symbol.st_name as usize).ok()?)))
        .collect();
    functions.sort_unstable();
    let mut text = String::new();
    for (address, name) in functions {
        writeln!(text, "{address:016x} {}", readable(name))?;
    }
    Ok(text.into_bytes())
}

/// The program with readable names in its symbol table, which gets a new table of strings.
///
/// # Errors
/// When it is no 64-bit ELF file.
pub(crate) fn demangled(program: Vec<u8>) -> Result<Vec<u8>> {
    let (patches, strings) = renamed(&program)?;
    let mut bytes = program;
    for (at, value) in patches {
        let place = bytes.get_mut(at..).and_then(|rest| rest.get_mut(..value.len()));
        place.context("a symbol lies outside the file")?.copy_from_slice(&value);
    }
    bytes.extend(strings);
    Ok(bytes)
}

/// A place in a file, and what is to be there.
type Patch = (usize, Vec<u8>);

fn renamed(program: &[u8]) -> Result<(Vec<Patch>, Vec<u8>)> {
    let file = ElfBytes::<AnyEndian>::minimal_parse(program)?;
    let mut patches = Vec::new();
    let mut strings = vec![0];
    let sections = file.section_headers().context("a program without sections")?;
    let Some(table) = sections.iter().find(|section| section.sh_type == SHT_SYMTAB) else {
        return Ok((patches, Vec::new()));
    };
    let (symbols, names) = file.symbol_table()?.context("a symbol table")?;
    let first = usize::try_from(table.sh_offset)?;
    for (index, symbol) in symbols.iter().enumerate() {
        let at = first + index * size_of::<Elf64_Sym>() + offset_of!(Elf64_Sym, st_name);
        let name = readable(names.get(symbol.st_name as usize)?);
        let place = if name.is_empty() { 0 } else { u32::try_from(strings.len())? };
        patches.push((at, place.to_le_bytes().to_vec()));
        if !name.is_empty() {
            strings.extend(name.bytes().chain([0]));
        }
    }
    let header = usize::try_from(file.ehdr.e_shoff)?
        + table.sh_link as usize * size_of::<Elf64_Shdr>()
        + offset_of!(Elf64_Shdr, sh_offset);
    patches.push((header, (program.len() as u64).to_le_bytes().to_vec()));
    let size = header - offset_of!(Elf64_Shdr, sh_offset) + offset_of!(Elf64_Shdr, sh_size);
    patches.push((size, (strings.len() as u64).to_le_bytes().to_vec()));
    Ok((patches, strings))
}

/// Without the compiler's hash.
fn readable(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mangled_names_become_readable_and_others_stay() {
        let mangled = "_ZN8neutrino5power10debug_exit17h0123456789abcdefE";
        assert_eq!(readable(mangled), "neutrino::power::debug_exit");
        assert_eq!(readable("enter_call"), "enter_call");
    }

    #[test]
    fn this_very_program_keeps_its_functions_under_readable_names() {
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let before = map(&program).unwrap();
        let after = demangled(program).unwrap();
        let lines = |map: &[u8]| map.split(|&byte| byte == b'\n').count();
        assert_eq!(lines(&map(&after).unwrap()), lines(&before));
        let file = ElfBytes::<AnyEndian>::minimal_parse(&after).unwrap();
        let (symbols, names) = file.symbol_table().unwrap().unwrap();
        let is_readable = |name: &str| name == "xtask::symbols::tests::readable_marker";
        readable_marker();
        assert!(symbols.iter().any(|s| names.get(s.st_name as usize).is_ok_and(is_readable)));
    }

    #[inline(never)]
    fn readable_marker() {
        std::hint::black_box(());
    }
}
