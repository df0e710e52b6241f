//! From a file to a program: ELF, the first stack, a new space.

use crate::fake::Fake;
use crate::memory::elf::{self, Personality};
use crate::memory::space::{self, Launch, Pieces, Secure, Source};
use crate::memory::stack::{self, Strings};
use alloc::vec;
use alloc::vec::Vec;
use io_msg::start::{STACK_SIZE, STACK_TOP, StartInfo};
use neutrino_abi::Errno;

/// An ELF file with one program header for each (type, flags, offset, address, sizes).
fn elf_file(kind: u16, headers: &[(u32, u32, u64, u64, u64, u64)], size: usize) -> Vec<u8> {
    let mut file = vec![0_u8; size];
    file[..8].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    let count = u16::try_from(headers.len()).unwrap();
    let halves = [(16, kind), (18, 62), (52, 64), (54, 56), (56, count), (58, 64)];
    for (at, value) in halves {
        file[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    file[20..24].copy_from_slice(&1_u32.to_le_bytes());
    file[24..32].copy_from_slice(&0x40_1000_u64.to_le_bytes());
    file[32..40].copy_from_slice(&64_u64.to_le_bytes());
    for (index, &(kind, flags, offset, address, file_size, memory_size)) in
        headers.iter().enumerate()
    {
        let at = 64 + index * 56;
        file[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        file[at + 4..at + 8].copy_from_slice(&flags.to_le_bytes());
        let words = [offset, address, address, file_size, memory_size, 0x1000];
        for (number, word) in words.iter().enumerate() {
            let place = at + 8 + number * 8;
            file[place..place + 8].copy_from_slice(&word.to_le_bytes());
        }
    }
    file
}

fn parse(file: &[u8]) -> Result<elf::Program, Errno> {
    let read = |offset: u64, buffer: &mut [u8]| {
        let start = usize::try_from(offset).unwrap();
        let part = file.get(start..start + buffer.len()).ok_or(Errno::EIO)?;
        buffer.copy_from_slice(part);
        Ok(())
    };
    elf::parse(read, file.len() as u64)
}

#[test]
fn a_static_program_is_mapped_as_its_headers_say() {
    let text = (1, 5, 0, 0x40_0000, 0x1800, 0x1800);
    let data = (1, 6, 0x1f00, 0x40_2f00, 0x80, 0x2000);
    let program = parse(&elf_file(2, &[text, data], 0x2000)).unwrap();
    assert_eq!(program.entry, 0x40_1000);
    assert_eq!(program.personality, Personality::Foreign);
    assert_eq!(program.headers_address, 0x40_0040);
    assert_eq!(program.heap, 0x40_5000);
    let data = program.segments[1];
    assert_eq!((data.start, data.file_end, data.end), (0x40_2000, 0x40_3000, 0x40_5000));
    assert_eq!((data.file_offset, data.zero_from), (0x1000, 0x40_2f80));
}

#[test]
fn what_is_no_static_program_is_refused() {
    let text = (1, 5, 0, 0x40_0000, 0x1800, 0x1800);
    let interpreter = (3, 4, 0x200, 0, 8, 8);
    assert_eq!(parse(&elf_file(2, &[text, interpreter], 0x2000)), Err(Errno::ENOEXEC));
    assert_eq!(parse(&elf_file(1, &[text], 0x2000)), Err(Errno::ENOEXEC));
    assert_eq!(parse(b"#!/bin/sh\n"), Err(Errno::ENOEXEC));
    let outside = (1, 5, 0, 0x40_0000, 0x9000, 0x9000);
    assert_eq!(parse(&elf_file(2, &[outside], 0x2000)), Err(Errno::ENOEXEC));
    let in_the_kernel = (1, 5, 0, 0xffff_8000_0000_0000, 0x1000, 0x1000);
    assert_eq!(parse(&elf_file(2, &[in_the_kernel], 0x2000)), Err(Errno::ENOEXEC));
    let overlaps = (1, 6, 0, 0x40_0000, 0x1000, 0x1000);
    assert_eq!(parse(&elf_file(2, &[text, overlaps], 0x2000)), Err(Errno::ENOEXEC));
}

#[test]
fn any_bytes_at_all_are_parsed_without_a_panic() {
    let good = elf_file(2, &[(1, 5, 0, 0x40_0000, 0x1000, 0x1000)], 0x1000);
    for at in 0..120 {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] = value;
            drop(parse(&bad));
        }
    }
}

#[test]
fn the_stack_holds_what_the_abi_says() {
    let strings = Strings::new(b"/bin/ls\0ls\0-l\0A=1\0".to_vec(), 2, 1).unwrap();
    let stack = stack::build(STACK_TOP, &strings, &[(6, 4096)], [9; 16]);
    assert_eq!(stack.pointer % 16, 0);
    assert!(stack.pointer + stack.bytes.len() as u64 <= STACK_TOP);
    let word = |n: usize| u64::from_le_bytes(stack.bytes[n * 8..n * 8 + 8].try_into().unwrap());
    let text = |address: u64| {
        let rest = &stack.bytes[usize::try_from(address - stack.pointer).unwrap()..];
        rest.split(|&byte| byte == 0).next().unwrap().to_vec()
    };
    assert_eq!(word(0), 2);
    assert_eq!(text(word(1)), b"ls");
    assert_eq!(text(word(2)), b"-l");
    assert_eq!(word(3), 0);
    assert_eq!(text(word(4)), b"A=1");
    assert_eq!((word(5), word(6), word(7)), (0, 6, 4096));
    assert_eq!(strings.arguments(), b"ls\0-l\0");
    assert_eq!(strings.path(), b"/bin/ls");
}

#[test]
fn strings_that_are_not_as_many_as_was_said_are_refused() {
    assert_eq!(Strings::new(b"/bin/ls\0ls\0".to_vec(), 2, 0), Err(Errno::EINVAL));
    assert_eq!(Strings::new(b"/bin/ls\0ls".to_vec(), 1, 0), Err(Errno::EINVAL));
    assert_eq!(Strings::new(Vec::new(), 0, 0), Err(Errno::EINVAL));
}

#[test]
fn a_space_whose_program_cannot_be_run_is_closed_again() {
    let fake = Fake::default();
    *fake.file.borrow_mut() = elf_file(2, &[(1, 5, 0, 0x40_0000, 0x1000, 0x1000)], 0x1000);
    let strings = Strings::new(b"x\0x\0".to_vec(), 1, 0).unwrap();
    let source = Source { object: 1, offset: 0, size: 0x1000 };
    let launch = Launch { info: StartInfo::default(), secure: Secure::No, stack: STACK_SIZE };
    // A foreign program, and no shim.
    let built = space::build(&fake, &Pieces::default(), source, &strings, &launch);
    assert_eq!(built.map(|ready| ready.entry), Err(Errno::ENOEXEC));
    assert!(fake.open.borrow().is_empty());
}

#[test]
fn a_stack_is_as_large_as_its_limit_and_holds_a_quarter_of_arguments() {
    let fake = Fake::default();
    *fake.file.borrow_mut() = elf_file(2, &[(1, 5, 0, 0x40_0000, 0x1000, 0x1000)], 0x1000);
    let source = Source { object: 1, offset: 0, size: 0x1000 };
    let shim = parse(&fake.file.borrow()).ok();
    let pieces = Pieces { shim, ..Pieces::default() };
    let launch = Launch { info: StartInfo::default(), secure: Secure::No, stack: 0x1_0001 };
    let strings = Strings::new(b"x\0x\0".to_vec(), 1, 0).unwrap();
    space::build(&fake, &pieces, source, &strings, &launch).unwrap();
    let mappings = fake.mappings.borrow();
    let stack = mappings.iter().find(|map| map.address + map.length == STACK_TOP).unwrap();
    assert_eq!(stack.length, 0x1_1000);
    let long = Strings::new([b"x\0", &[b'a'; 0x4400][..], b"\0"].concat(), 1, 0).unwrap();
    let built = space::build(&fake, &pieces, source, &long, &launch);
    assert_eq!(built.map(|ready| ready.stack), Err(Errno::E2BIG));
}
