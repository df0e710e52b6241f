//! An executable's headers: what to map where, and who is to run it.
//!
//! Only static programs are taken: `PT_INTERP` is ENOEXEC. A note "Neutrino" of type 1 marks a
//! native program; everything else is for the personality.

use alloc::vec;
use alloc::vec::Vec;
use elf::abi::{
    EM_X86_64, ET_DYN, ET_EXEC, PF_R, PF_W, PF_X, PT_INTERP, PT_LOAD, PT_NOTE, PT_PHDR,
};
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::note::{Note, NoteIterator};
use elf::parse::ParseAt;
use elf::segment::ProgramHeader;
use io_msg::start::PIE_BASE;
use neutrino_abi::Errno;
use neutrino_abi::memory::{PAGE_SIZE, USER_END, USER_START, prot};

/// Most program headers.
const HEADERS_MAX: u64 = 64;
/// Longest note segment that is looked at.
const NOTES_MAX: u64 = 4096;
/// Programs end below this; only the personality lies above.
pub const PROGRAM_END: u64 = 0x7e00_0000_0000;
/// Bytes of an ELF file header.
const FILE_HEADER: usize = 64;
/// Bytes of a program header.
const PROGRAM_HEADER: u64 = 56;

/// Who runs a program's system calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Personality {
    /// The kernel: it is linked with the native runtime.
    Native,
    /// The shim, mapped beside it.
    Foreign,
}

/// One part of a program in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First page.
    pub start: u64,
    /// Behind the last page that comes from the file; equal to `start` if none does.
    pub file_end: u64,
    /// Where the file's pages start in the file.
    pub file_offset: u64,
    /// First byte of the last file page that is to be zero; equal to `file_end` if none is.
    pub zero_from: u64,
    /// Behind the last page; pages from `file_end` on are zero-filled.
    pub end: u64,
    /// Protection.
    pub protection: u32,
}

/// A program, as its headers describe it; addresses are final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// First instruction.
    pub entry: u64,
    /// What to map.
    pub segments: Vec<Segment>,
    /// Where the program headers lie in memory (`AT_PHDR`), or 0.
    pub headers_address: u64,
    /// How many there are.
    pub header_count: u64,
    /// Where its heap may start.
    pub heap: u64,
    /// What was added to the file's addresses.
    pub load_bias: u64,
    /// Who runs its system calls.
    pub personality: Personality,
}

/// Reads the headers through `read(offset, buffer)`, which fills the whole buffer or fails.
///
/// # Errors
/// ENOEXEC for anything but a static x86-64 program; what `read` gives.
pub fn parse(
    mut read: impl FnMut(u64, &mut [u8]) -> Result<(), Errno>,
    size: u64,
) -> Result<Program, Errno> {
    if size < FILE_HEADER as u64 {
        return Err(Errno::ENOEXEC);
    }
    let mut bytes = [0; FILE_HEADER];
    read(0, &mut bytes)?;
    let header = file_header(&bytes)?;
    let count = u64::from(header.e_phnum);
    if u64::from(header.e_phentsize) != PROGRAM_HEADER || count == 0 || count > HEADERS_MAX {
        return Err(Errno::ENOEXEC);
    }
    let length = usize::try_from(count * PROGRAM_HEADER).map_err(|_| Errno::ENOEXEC)?;
    let mut table = vec![0; length];
    if header.e_phoff.checked_add(length as u64).is_none_or(|end| end > size) {
        return Err(Errno::ENOEXEC);
    }
    read(header.e_phoff, &mut table)?;
    let headers = program_headers(&table)?;
    if headers.iter().any(|header| header.p_type == PT_INTERP) {
        return Err(Errno::ENOEXEC);
    }
    let load_bias = if header.e_type == ET_DYN { PIE_BASE } else { 0 };
    let mut program = Program {
        entry: header.e_entry.checked_add(load_bias).ok_or(Errno::ENOEXEC)?,
        segments: segments(&headers, load_bias, size)?,
        headers_address: headers_address(&headers, header.e_phoff, load_bias),
        header_count: count,
        heap: 0,
        load_bias,
        personality: personality(&headers, size, &mut read)?,
    };
    program.heap = program.segments.iter().map(|s| s.end).max().ok_or(Errno::ENOEXEC)?;
    Ok(program)
}

fn file_header(bytes: &[u8; FILE_HEADER]) -> Result<FileHeader<LittleEndian>, Errno> {
    let ident = parse_ident::<LittleEndian>(&bytes[..16]).map_err(|_| Errno::ENOEXEC)?;
    let header = FileHeader::parse_tail(ident, &bytes[16..]).map_err(|_| Errno::ENOEXEC)?;
    let is_ours = header.class == Class::ELF64
        && header.e_machine == EM_X86_64
        && matches!(header.e_type, ET_EXEC | ET_DYN);
    if is_ours { Ok(header) } else { Err(Errno::ENOEXEC) }
}

fn program_headers(table: &[u8]) -> Result<Vec<ProgramHeader>, Errno> {
    let mut offset = 0;
    let mut headers = Vec::new();
    while offset < table.len() {
        let header = ProgramHeader::parse_at(LittleEndian, Class::ELF64, &mut offset, table);
        headers.push(header.map_err(|_| Errno::ENOEXEC)?);
    }
    Ok(headers)
}

fn segments(headers: &[ProgramHeader], bias: u64, size: u64) -> Result<Vec<Segment>, Errno> {
    let mut segments: Vec<Segment> = Vec::new();
    for header in headers.iter().filter(|h| h.p_type == PT_LOAD && h.p_memsz > 0) {
        let segment = segment(header, bias, size).ok_or(Errno::ENOEXEC)?;
        if segments.last().is_some_and(|before| before.end > segment.start) {
            return Err(Errno::ENOEXEC);
        }
        segments.push(segment);
    }
    Ok(segments)
}

fn segment(header: &ProgramHeader, bias: u64, size: u64) -> Option<Segment> {
    let address = header.p_vaddr.checked_add(bias)?;
    let memory_end = address.checked_add(header.p_memsz)?;
    let file_bytes_end = header.p_offset.checked_add(header.p_filesz)?;
    let is_sound = header.p_filesz <= header.p_memsz
        && file_bytes_end <= size
        && address % PAGE_SIZE == header.p_offset % PAGE_SIZE
        && address >= USER_START
        && memory_end <= USER_END;
    if !is_sound {
        return None;
    }
    let start = address - address % PAGE_SIZE;
    let data_end = address + header.p_filesz;
    let file_end = if header.p_filesz == 0 { start } else { data_end.next_multiple_of(PAGE_SIZE) };
    let has_zeroes = header.p_memsz > header.p_filesz && header.p_filesz > 0;
    Some(Segment {
        start,
        file_end,
        file_offset: header.p_offset - header.p_offset % PAGE_SIZE,
        zero_from: if has_zeroes { data_end } else { file_end },
        end: memory_end.next_multiple_of(PAGE_SIZE),
        protection: protection(header.p_flags),
    })
}

fn protection(flags: u32) -> u32 {
    [(PF_R, prot::READ), (PF_W, prot::WRITE), (PF_X, prot::EXEC)]
        .iter()
        .filter(|(flag, _)| flags & flag != 0)
        .fold(0, |bits, (_, bit)| bits | bit)
}

fn headers_address(headers: &[ProgramHeader], offset: u64, bias: u64) -> u64 {
    if let Some(own) = headers.iter().find(|header| header.p_type == PT_PHDR) {
        return own.p_vaddr.wrapping_add(bias);
    }
    let holds = |h: &&ProgramHeader| {
        h.p_type == PT_LOAD && offset >= h.p_offset && offset - h.p_offset < h.p_filesz
    };
    let place = |h: &ProgramHeader| h.p_vaddr.wrapping_add(offset - h.p_offset).wrapping_add(bias);
    headers.iter().find(holds).map_or(0, place)
}

fn personality(
    headers: &[ProgramHeader],
    size: u64,
    read: &mut impl FnMut(u64, &mut [u8]) -> Result<(), Errno>,
) -> Result<Personality, Errno> {
    for header in headers.iter().filter(|h| h.p_type == PT_NOTE && h.p_filesz <= NOTES_MAX) {
        if header.p_offset.checked_add(header.p_filesz).is_none_or(|end| end > size) {
            return Err(Errno::ENOEXEC);
        }
        let mut bytes = vec![0; usize::try_from(header.p_filesz).unwrap_or(0)];
        read(header.p_offset, &mut bytes)?;
        let align = usize::try_from(header.p_align).unwrap_or(4).max(1);
        let mut notes = NoteIterator::new(LittleEndian, Class::ELF64, align, &bytes);
        if notes.any(|note| is_native_mark(&note)) {
            return Ok(Personality::Native);
        }
    }
    Ok(Personality::Foreign)
}

fn is_native_mark(note: &Note<'_>) -> bool {
    match note {
        Note::Unknown(any) => {
            any.n_type == 1 && any.name_str().is_ok_and(|name| name == "Neutrino")
        }
        Note::GnuAbiTag(_) | Note::GnuBuildId(_) => false,
    }
}
