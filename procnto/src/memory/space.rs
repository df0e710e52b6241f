//! A new address space with a program in it, ready for its first instruction.

use crate::memory::boot_image::BootFile;
use crate::memory::elf::{self, Personality, Program, Segment};
use crate::memory::stack::{self, Stack, Strings, aux};
use crate::system::System;
use alloc::vec::Vec;
use io_msg::start::{
    SHARED_PAGE, STACK_SIZE, STACK_TOP, START_INFO, START_MAGIC, StartInfo, TIME_PAGE, VDSO,
};
use neutrino_abi::Errno;
use neutrino_abi::memory::{MapArgs, PAGE_SIZE, map, prot};
use zerocopy::IntoBytes;

/// Bytes that are written at once.
const CHUNK: usize = 64 * 1024;
/// Clock ticks a second, as programs are told (Linux: `USER_HZ`).
pub const CLOCK_TICKS: u64 = 100;
/// `AT_HWCAP`: the part of CPUID 1 EDX that every x86-64 CPU has.
const HARDWARE: u64 = 0x0783_fbff;

/// What every address space gets, besides its program.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    /// Object of the boot image.
    pub boot_image: u32,
    /// Object of the clock page.
    pub time_page: u32,
    /// Object of the page that procnto tells everybody something on; 0: none.
    pub shared_page: u32,
    /// The personality, if the image has one.
    pub shim: Option<Program>,
    /// Where the shim lies in the boot image.
    pub shim_file: BootFile,
    /// The first server of all.
    pub first_server: BootFile,
    /// Its path in the image.
    pub first_server_path: Vec<u8>,
}

/// A program's file.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Its memory object.
    pub object: u32,
    /// Where the file starts in it.
    pub offset: u64,
    /// Its size.
    pub size: u64,
}

/// A space that is ready.
#[derive(Debug)]
pub struct Ready {
    /// Handle of the space; the receiver closes it.
    pub space: u32,
    /// First instruction of all.
    pub entry: u64,
    /// Stack pointer.
    pub stack: u64,
    /// The program.
    pub program: Program,
}

/// How a program starts.
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// What is known already.
    pub info: StartInfo,
    /// Whether it gained rights.
    pub secure: Secure,
    /// Most bytes of its main stack (`RLIMIT_STACK`).
    pub stack: u64,
}

/// Builds the address space of a program.
///
/// # Errors
/// ENOEXEC, ENOMEM, E2BIG.
pub fn build(
    system: &impl System,
    pieces: &Pieces,
    source: Source,
    strings: &Strings,
    launch: &Launch,
) -> Result<Ready, Errno> {
    let read = |offset: u64, buffer: &mut [u8]| {
        let n = system.object_read(source.object, source.offset + offset, buffer)?;
        if n == buffer.len() { Ok(()) } else { Err(Errno::ENOEXEC) }
    };
    let program = elf::parse(read, source.size)?;
    if program.heap > elf::PROGRAM_END {
        return Err(Errno::ENOEXEC);
    }
    let mut random = [0; 16];
    system.random(&mut random);
    let Launch { info, secure, stack: stack_size } = *launch;
    let stack = stack::build(STACK_TOP, strings, &facts(&program, &info, secure), random);
    let stack_size = stack_size.min(STACK_SIZE).next_multiple_of(PAGE_SIZE);
    if stack.bytes.len() as u64 > stack_size / 4 {
        return Err(Errno::E2BIG);
    }
    let space = system.space_create()?;
    let info = StartInfo {
        magic: START_MAGIC,
        entry: program.entry,
        stack: stack.pointer,
        brk: program.heap,
        ..info
    };
    match fill(system, pieces, (space, source), &program, (&stack, &info, stack_size)) {
        Ok(entry) => Ok(Ready { space, entry, stack: stack.pointer, program }),
        Err(errno) => {
            system.close(space);
            Err(errno)
        }
    }
}

/// Whether a program gained rights by its file (`AT_SECURE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secure {
    /// No.
    No,
    /// Yes: the C library trusts its environment less.
    Yes,
}

fn facts(program: &Program, info: &StartInfo, secure: Secure) -> Vec<(u64, u64)> {
    let [uid, euid, gid, egid] = info.ids.map(u64::from);
    let vdso = match program.personality {
        Personality::Foreign => Some((aux::SYSINFO_EHDR, VDSO)),
        Personality::Native => None,
    };
    let facts = [
        (aux::HWCAP, HARDWARE),
        (aux::PAGESZ, PAGE_SIZE),
        (aux::CLKTCK, CLOCK_TICKS),
        (aux::PHDR, program.headers_address),
        (aux::PHENT, 56),
        (aux::PHNUM, program.header_count),
        (aux::BASE, 0),
        (aux::FLAGS, 0),
        (aux::ENTRY, program.entry),
        (aux::UID, uid),
        (aux::EUID, euid),
        (aux::GID, gid),
        (aux::EGID, egid),
        (aux::SECURE, u64::from(secure == Secure::Yes)),
        (aux::HWCAP2, 0),
    ];
    facts.into_iter().chain(vdso).collect()
}

/// Maps and writes everything; gives the first instruction.
fn fill(
    system: &impl System,
    pieces: &Pieces,
    (space, source): (u32, Source),
    program: &Program,
    (stack, info, stack_size): (&Stack, &StartInfo, u64),
) -> Result<u64, Errno> {
    for segment in &program.segments {
        map_segment(system, space, source, segment)?;
    }
    let mut entry = program.entry;
    if program.personality == Personality::Foreign {
        let shim = pieces.shim.as_ref().ok_or(Errno::ENOEXEC)?;
        let BootFile { offset, size } = pieces.shim_file;
        let file = Source { object: pieces.boot_image, offset, size };
        for segment in &shim.segments {
            map_segment(system, space, file, segment)?;
        }
        entry = shim.entry;
    }
    map_anonymous(system, space, (STACK_TOP - stack_size, stack_size), map::NORESERVE)?;
    map_anonymous(system, space, (START_INFO, PAGE_SIZE), 0)?;
    let clock = MapArgs {
        address: TIME_PAGE,
        length: PAGE_SIZE,
        protection: prot::READ,
        flags: map::SHARED | map::FIXED,
        object: pieces.time_page,
        ..MapArgs::default()
    };
    system.map(space, &clock)?;
    if pieces.shared_page != 0 {
        let shared = MapArgs { address: SHARED_PAGE, object: pieces.shared_page, ..clock };
        system.map(space, &shared)?;
    }
    write(system, space, stack.pointer, &stack.bytes)?;
    write(system, space, START_INFO, info.as_bytes())?;
    Ok(entry)
}

fn map_segment(
    system: &impl System,
    space: u32,
    source: Source,
    segment: &Segment,
) -> Result<(), Errno> {
    if segment.file_end > segment.start {
        let arguments = MapArgs {
            address: segment.start,
            length: segment.file_end - segment.start,
            protection: segment.protection,
            flags: map::PRIVATE | map::FIXED,
            object: source.object,
            reserved: 0,
            offset: source.offset + segment.file_offset,
        };
        system.map(space, &arguments)?;
    }
    if segment.zero_from < segment.file_end {
        let length = usize::try_from(segment.file_end - segment.zero_from).unwrap_or(0);
        write(system, space, segment.zero_from, &[0; 4096][..length.min(4096)])?;
    }
    if segment.end > segment.file_end {
        let arguments = MapArgs {
            address: segment.file_end,
            length: segment.end - segment.file_end,
            protection: segment.protection,
            flags: map::PRIVATE | map::FIXED | map::ANONYMOUS,
            ..MapArgs::default()
        };
        system.map(space, &arguments)?;
    }
    Ok(())
}

fn map_anonymous(
    system: &impl System,
    space: u32,
    (address, length): (u64, u64),
    flags: u32,
) -> Result<(), Errno> {
    let arguments = MapArgs {
        address,
        length,
        protection: prot::READ | prot::WRITE,
        flags: map::PRIVATE | map::FIXED | map::ANONYMOUS | flags,
        ..MapArgs::default()
    };
    system.map(space, &arguments).map(drop)
}

fn write(system: &impl System, space: u32, address: u64, bytes: &[u8]) -> Result<(), Errno> {
    let mut done = 0;
    for chunk in bytes.chunks(CHUNK) {
        let written = system.space_write(space, address + done, chunk)?;
        if written != chunk.len() {
            return Err(Errno::EFAULT);
        }
        done += chunk.len() as u64;
    }
    Ok(())
}
