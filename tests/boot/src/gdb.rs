//! Asks QEMU's debugger stub where the processor is, and at which privilege level.
//!
//! What the guest says of itself plays no part: the registers come from the emulated processor.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where `rip` and `cs` lie among the registers of an x86-64 (`g` of the remote protocol).
const RIP: std::ops::Range<usize> = 128..136;
const CS: std::ops::Range<usize> = 140..144;

/// Bytes of a program that are compared to tell which one runs.
const COMPARED: usize = 512;

/// The processor when it stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Instruction pointer.
    pub rip: u64,
    /// Code segment selector; its two lowest bits are the privilege level.
    pub cs: u32,
}

/// A connection to the stub. The machine stands still whenever the debugger does not let it run.
#[derive(Debug)]
pub struct Debugger {
    stream: UnixStream,
    pending: Vec<u8>,
}

impl Debugger {
    /// Connects; the machine stops.
    ///
    /// # Errors
    /// A sentence.
    pub fn attach(socket: &Path) -> Result<Self, String> {
        let stream = UnixStream::connect(socket).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(Duration::from_millis(100))).map_err(|e| e.to_string())?;
        let mut debugger = Self { stream, pending: Vec::new() };
        debugger.ask("QStartNoAckMode")?;
        debugger.ask("?")?;
        Ok(debugger)
    }

    fn write(&mut self, packet: &str) -> Result<(), String> {
        let sum = packet.bytes().fold(0_u8, u8::wrapping_add);
        let framed = format!("${packet}#{sum:02x}");
        self.stream.write_all(framed.as_bytes()).map_err(|error| format!("gdb stub: {error}"))
    }

    /// The next packet, or nothing when the time is up.
    fn packet(&mut self, limit: Duration) -> Result<Option<String>, String> {
        let end = Instant::now() + limit;
        loop {
            if let Some(start) = self.pending.iter().position(|&byte| byte == b'$')
                && let Some(length) = self.pending[start..].iter().position(|&byte| byte == b'#')
                && self.pending.len() >= start + length + 3
            {
                let text = String::from_utf8_lossy(&self.pending[start + 1..start + length]);
                let text = text.into_owned();
                self.pending.drain(..start + length + 3);
                return Ok(Some(text));
            }
            if Instant::now() > end {
                return Ok(None);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("the machine is gone".into()),
                Ok(count) => self.pending.extend_from_slice(&buffer[..count]),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(format!("gdb stub: {error}")),
            }
        }
    }

    fn ask(&mut self, question: &str) -> Result<String, String> {
        self.write(question)?;
        let answer = self.packet(Duration::from_secs(20))?;
        answer.ok_or_else(|| format!("gdb stub: no answer to {question}"))
    }

    /// Lets the machine run until it stops at a breakpoint, or until the time is up: then it is
    /// stopped wherever it is.
    fn resume(&mut self, limit: Duration) -> Result<Stop, String> {
        self.write("c")?;
        if self.packet(limit)?.is_none() {
            self.stream.write_all(&[3]).map_err(|error| error.to_string())?;
            self.packet(Duration::from_secs(20))?.ok_or("the machine does not stop")?;
        }
        self.stop()
    }

    fn stop(&mut self) -> Result<Stop, String> {
        let registers = bytes(&self.ask("g")?);
        let number = |range: std::ops::Range<usize>| {
            let part = registers.get(range).unwrap_or(&[]);
            part.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte))
        };
        let cs = u32::try_from(number(CS)).map_err(|_| "no cs among the registers")?;
        Ok(Stop { rip: number(RIP), cs })
    }

    fn memory(&mut self, address: u64, length: usize) -> Result<Vec<u8>, String> {
        Ok(bytes(&self.ask(&format!("m{address:x},{length:x}"))?))
    }

    /// Leaves a breakpoint behind: with it in place the machine would not get on.
    fn step_over(&mut self, address: u64) -> Result<(), String> {
        self.ask(&format!("z0,{address:x},1"))?;
        self.ask("s")?;
        self.ask(&format!("Z0,{address:x},1")).map(drop)
    }

    /// Lets the machine run for `limit` in steps, and stops it at random moments.
    ///
    /// # Errors
    /// A sentence.
    pub fn sample(&mut self, count: u32, pause: Duration) -> Result<Vec<Stop>, String> {
        (0..count).map(|_| self.resume(pause)).collect()
    }

    /// Lets the machine run until the processor is about to make a system call within this very
    /// program, told by its own bytes at the instruction pointer; other programs have code at the
    /// same addresses.
    ///
    /// # Errors
    /// If that does not happen in time.
    pub fn catch(&mut self, program: &Program, limit: Duration) -> Result<Stop, String> {
        for address in &program.calls {
            self.ask(&format!("Z0,{address:x},1"))?;
        }
        let end = Instant::now() + limit;
        let mut found = Err(format!("{} made no system call in {limit:?}", program.name));
        while found.is_err() && Instant::now() < end {
            let stop = self.resume(Duration::from_secs(2))?;
            if !program.calls.contains(&stop.rip) {
                continue;
            }
            if program.matches(stop.rip, &self.memory(program.page_of(stop.rip), COMPARED)?) {
                found = Ok(stop);
            } else {
                self.step_over(stop.rip)?;
            }
        }
        for address in &program.calls {
            self.ask(&format!("z0,{address:x},1"))?;
        }
        found
    }

    /// Lets the machine run on for good.
    ///
    /// # Errors
    /// A sentence.
    pub fn detach(mut self) -> Result<(), String> {
        self.ask("D").map(drop)
    }
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = hexadecimal.as_bytes().chunks_exact(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.map_while(byte).collect()
}

/// The code of a program, as its file has it.
#[derive(Debug)]
pub struct Program {
    name: String,
    base: u64,
    code: Vec<u8>,
    /// Addresses of `syscall` instructions.
    calls: BTreeSet<u64>,
}

impl Program {
    /// Reads an ELF file with one executable segment at a fixed address.
    ///
    /// # Errors
    /// If it is none.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let number = |at: usize, size: usize| -> usize {
            let part = file.get(at..at + size).unwrap_or(&[]);
            part.iter().rev().fold(0, |number, &byte| number << 8 | usize::from(byte))
        };
        let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
        let header = (0..count)
            .map(|index| headers + index * size)
            // PT_LOAD and PF_X.
            .find(|&at| number(at, 4) == 1 && number(at + 4, 4) & 1 != 0)
            .ok_or_else(|| format!("{}: no code", path.display()))?;
        let (offset, length) = (number(header + 8, 8), number(header + 32, 8));
        let base = number(header + 16, 8) as u64;
        let code = file.get(offset..offset + length).unwrap_or(&[]).to_vec();
        let pairs = (0_u64..).zip(code.windows(2));
        let calls = pairs.filter(|(_, pair)| *pair == [0x0f, 0x05]).map(|(at, _)| base + at);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, base, calls: calls.collect(), code })
    }

    /// Where the bytes begin that are compared for an address.
    fn page_of(&self, address: u64) -> u64 {
        address.saturating_sub(COMPARED as u64 / 2).max(self.base)
    }

    fn matches(&self, address: u64, bytes: &[u8]) -> bool {
        let at = usize::try_from(self.page_of(address) - self.base).unwrap_or(usize::MAX);
        let own = self.code.get(at..).unwrap_or(&[]);
        let length = COMPARED.min(own.len());
        length > 0 && bytes.get(..length) == own.get(..length)
    }

    /// Whether the code of another program could be taken for this one's.
    #[must_use]
    pub fn resembles(&self, other: &Self) -> bool {
        self.calls.intersection(&other.calls).any(|&address| {
            let at = usize::try_from(other.page_of(address) - other.base).unwrap_or(usize::MAX);
            let bytes = other.code.get(at..).unwrap_or(&[]);
            self.page_of(address) == other.page_of(address) && self.matches(address, bytes)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_becomes_bytes_until_it_ends() {
        assert_eq!(bytes("00ff10"), [0, 255, 16]);
        assert_eq!(bytes("0fxx"), [15]);
    }
}
