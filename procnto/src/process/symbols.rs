//! Names of functions in an executable, from its symbol table, if it was not stripped.

use crate::process::table::Executable;
use crate::system::System;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use elf::abi::{SHT_SYMTAB, STT_FUNC};
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::parse::ParseAt;
use elf::section::SectionHeader;
use elf::symbol::Symbol;

/// Largest table that is read.
const TABLE_MAX: u64 = 4 << 20;
/// Longest name that is told.
const NAME_MAX: usize = 128;

/// The function that holds an address, and the distance from its start.
#[must_use]
pub fn name_of(system: &impl System, file: &Executable, address: u64) -> Option<(String, u64)> {
    let address = address.checked_sub(file.load_bias)?;
    let sections = sections(system, file)?;
    let table = sections.iter().find(|section| section.sh_type == SHT_SYMTAB)?;
    let names = sections.get(usize::try_from(table.sh_link).ok()?)?;
    let symbols = part(system, file, table.sh_offset, table.sh_size)?;
    let mut offset = 0;
    while offset < symbols.len() {
        let symbol = Symbol::parse_at(LittleEndian, Class::ELF64, &mut offset, &symbols).ok()?;
        let holds = address >= symbol.st_value && address - symbol.st_value < symbol.st_size;
        if symbol.st_symtype() == STT_FUNC && holds {
            let at = names.sh_offset.checked_add(u64::from(symbol.st_name))?;
            let longest = (NAME_MAX as u64).min(file.size.checked_sub(at)?);
            let bytes = part(system, file, at, longest)?;
            let name = bytes.split(|&byte| byte == 0).next()?;
            return Some((String::from_utf8_lossy(name).into_owned(), address - symbol.st_value));
        }
    }
    None
}

fn sections(system: &impl System, file: &Executable) -> Option<Vec<SectionHeader>> {
    let head = part(system, file, 0, 64)?;
    let ident = parse_ident::<LittleEndian>(&head[..16]).ok()?;
    let header = FileHeader::parse_tail(ident, &head[16..]).ok()?;
    let length = u64::from(header.e_shnum) * 64;
    let table = part(system, file, header.e_shoff, length)?;
    let mut offset = 0;
    let mut sections = Vec::new();
    while offset < table.len() {
        let section = SectionHeader::parse_at(LittleEndian, Class::ELF64, &mut offset, &table);
        sections.push(section.ok()?);
    }
    Some(sections)
}

fn part(system: &impl System, file: &Executable, at: u64, length: u64) -> Option<Vec<u8>> {
    if length > TABLE_MAX || at.checked_add(length)? > file.size {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(length).ok()?];
    let n = system.object_read(file.object, file.offset + at, &mut bytes).ok()?;
    (n == bytes.len()).then_some(bytes)
}
