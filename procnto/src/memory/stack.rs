//! The bytes of a program's first stack, as the System V ABI for x86-64 lays them out (3.4.1):
//! argc, argv, environment, auxiliary vector, then the strings.

use alloc::vec::Vec;
use neutrino_abi::Errno;

/// Keys of the auxiliary vector (Linux `<elf.h>`).
pub mod aux {
    #![allow(missing_docs, reason = "these are the names of the System V ABI and Linux")]
    pub const NULL: u64 = 0;
    pub const PHDR: u64 = 3;
    pub const PHENT: u64 = 4;
    pub const PHNUM: u64 = 5;
    pub const PAGESZ: u64 = 6;
    pub const BASE: u64 = 7;
    pub const FLAGS: u64 = 8;
    pub const ENTRY: u64 = 9;
    pub const UID: u64 = 11;
    pub const EUID: u64 = 12;
    pub const GID: u64 = 13;
    pub const EGID: u64 = 14;
    pub const PLATFORM: u64 = 15;
    pub const HWCAP: u64 = 16;
    pub const CLKTCK: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const RANDOM: u64 = 25;
    pub const HWCAP2: u64 = 26;
    pub const EXECFN: u64 = 31;
    pub const SYSINFO_EHDR: u64 = 33;
}

/// The strings of an exec: path, arguments, environment, each with its NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strings {
    bytes: Vec<u8>,
    argc: usize,
    envc: usize,
}

impl Strings {
    /// Checks that `bytes` are the path, `argc` arguments and `envc` variables.
    ///
    /// # Errors
    /// EINVAL if they are not.
    pub fn new(bytes: Vec<u8>, argc: u32, envc: u32) -> Result<Self, Errno> {
        let ends = bytes.iter().filter(|&&byte| byte == 0).count();
        let (argc, envc) = (argc as usize, envc as usize);
        let wanted = argc.checked_add(envc).and_then(|n| n.checked_add(1));
        if bytes.last() != Some(&0) || Some(ends) != wanted {
            return Err(Errno::EINVAL);
        }
        Ok(Self { bytes, argc, envc })
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        self.bytes.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// The arguments, each with its NUL.
    #[must_use]
    pub fn arguments(&self) -> &[u8] {
        let starts = self.starts();
        let end = starts.get(self.argc + 1).copied().unwrap_or(self.bytes.len());
        &self.bytes[starts.get(1).copied().unwrap_or(end)..end]
    }

    /// Where each string starts.
    fn starts(&self) -> Vec<usize> {
        let after_nul = self.bytes.iter().enumerate().filter(|(_, byte)| **byte == 0);
        let mut starts: Vec<usize> =
            core::iter::once(0).chain(after_nul.map(|(at, _)| at + 1)).collect();
        starts.pop();
        starts
    }
}

/// A finished stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Where argc lies: the stack pointer at the first instruction, and where `bytes` go.
    pub pointer: u64,
    /// What lies there, up to the top.
    pub bytes: Vec<u8>,
}

/// Builds the stack that ends at `top`. `facts` are auxiliary entries that need no string.
#[must_use]
pub fn build(top: u64, strings: &Strings, facts: &[(u64, u64)], random: [u8; 16]) -> Stack {
    const PLATFORM: &[u8] = b"x86_64\0";
    let starts = strings.starts();
    let mut area = strings.bytes.clone();
    let platform_at = area.len();
    area.extend_from_slice(PLATFORM);
    let random_at = area.len();
    area.extend_from_slice(&random);
    let area_start = (top - 16 - area.len() as u64) & !15;
    let address = |offset: usize| area_start + offset as u64;

    let mut words: Vec<u64> = Vec::new();
    words.push(strings.argc as u64);
    words.extend(starts.iter().skip(1).take(strings.argc).map(|&at| address(at)));
    words.push(0);
    let variables = starts.iter().skip(1 + strings.argc).take(strings.envc);
    words.extend(variables.map(|&at| address(at)));
    words.push(0);
    for &(key, value) in facts {
        words.extend([key, value]);
    }
    words.extend([aux::PLATFORM, address(platform_at), aux::RANDOM, address(random_at)]);
    words.extend([aux::EXECFN, area_start, aux::NULL, 0]);

    let pointer = (area_start - words.len() as u64 * 8) & !15;
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.resize(usize::try_from(area_start - pointer).unwrap_or(bytes.len()), 0);
    bytes.extend_from_slice(&area);
    Stack { pointer, bytes }
}
