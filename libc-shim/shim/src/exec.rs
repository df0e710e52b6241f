//! `execve`: opens the program, follows `#!`, gathers the strings, and asks the process manager.

use crate::block::{PathBuffer, index, low};
use crate::copy;
use crate::dispatch::{Args, Caller};
use crate::open;
use crate::path::{self, Base};
use crate::sys::{self, Errno, Outcome, Short, part, room, user};
use core::sync::atomic::Ordering::Relaxed;
use io_msg::connect::FLAG_EXECUTE;
use io_msg::io::{Transfer, XTYPE_OFFSET};
use io_msg::kind;
use io_msg::proc::{EXEC_STRINGS_MAX, Exec};
use io_msg::start::{INHERITED_MAGIC, Inherited};
use neutrino_abi::handle::{COF_CLOEXEC, SIDE_CHANNEL, SYSMGR_COID};
use neutrino_abi::message::{SendExtra, WORDS_BYTES};
use neutrino_abi::time::TimerInfo;

/// Interpreters of interpreters (Linux: 4).
const DEPTH_MAX: u32 = 4;
/// Bytes of a file that are looked at for `#!` (Linux: `BINPRM_BUF_SIZE`).
const HEAD: usize = 256;

/// `execve(path, arguments, environment)`.
pub(crate) fn execve(caller: &mut Caller<'_>, [name, argv, envp, ..]: Args) -> Outcome {
    path::load(caller.scratch, 0, name)?;
    let PathBuffer { length, bytes } = &caller.scratch.paths[0];
    let (length, bytes) = (*length, *bytes);
    caller.scratch.paths[1].set(&bytes[..length])?;
    let coid = open::open_side(caller, Base::Cwd, 0, FLAG_EXECUTE)?;
    execute(caller, coid, [argv, envp])
}

/// `execveat(directory, path, arguments, environment, flags)`.
pub(crate) fn execveat(
    caller: &mut Caller<'_>,
    [from, name, argv, envp, flags, _]: Args,
) -> Outcome {
    let from = path::base(from);
    let is_empty = path::load_or_empty(caller.scratch, name)?;
    if is_empty {
        if low(flags) & linux_raw_sys::general::AT_EMPTY_PATH == 0 {
            return Err(Errno::ENOENT);
        }
        let fd = from.coid(caller)?;
        let length = path::path_of(caller, fd)?;
        let path = &caller.scratch.reply[..length];
        caller.scratch.paths[1].set(path)?;
        let coid = low(sys::duplicate(fd, SIDE_CHANNEL, COF_CLOEXEC)?);
        return execute(caller, coid, [argv, envp]);
    }
    let bytes = caller.scratch.paths[0].bytes;
    let length = caller.scratch.paths[0].length;
    caller.scratch.paths[1].set(&bytes[..length])?;
    let coid = open::open_side(caller, from, 0, FLAG_EXECUTE)?;
    execute(caller, coid, [argv, envp])
}

/// Runs what is open as `coid`, whose name is in buffer 1.
fn execute(caller: &mut Caller<'_>, coid: u32, vectors: [u64; 2]) -> Outcome {
    let mut coid = coid;
    let outcome = try_execute(caller, &mut coid, vectors);
    caller.process.release_exec_strings();
    let _closed = sys::detach(coid);
    outcome
}

fn try_execute(caller: &mut Caller<'_>, coid: &mut u32, [argv, envp]: [u64; 2]) -> Outcome {
    caller.process.map_exec_strings()?;
    // Who knows how much, if something fails on the way.
    caller.process.exec_used.store(u64::MAX, Relaxed);
    let (start, size) = caller.process.exec_strings();
    let mut strings =
        Strings { start, end: start, limit: start + size.min(EXEC_STRINGS_MAX.into()) };
    strings.push(caller.scratch.paths[1].get())?;
    let prefix = interpret(caller, coid)?;
    let mut argc = 0;
    if prefix > 0 {
        // What the interpreters prepended, and the script's name instead of argument 0.
        strings.push_raw(&caller.scratch.reply[..prefix])?;
        argc = low(caller.scratch.reply[..prefix].iter().filter(|&&byte| byte == 0).count() as u64);
    }
    argc += strings.push_vector(argv, u64::from(prefix > 0))?;
    let envc = strings.push_vector(envp, 0)?;
    caller.process.exec_used.store(strings.end - start, Relaxed);
    let message = Exec {
        kind: kind::PROC_EXEC,
        argc,
        envc,
        strings_length: low(strings.end - start),
        fd: *coid,
        inherited: inherited(caller),
        ..Exec::default()
    };
    let extra = SendExtra { offered: [*coid, 0, 0, 0], offered_count: 1, ..SendExtra::default() };
    let parts = [part(&message), user(start, strings.end - start)];
    caller.send(SYSMGR_COID, &parts, &[], Some(&extra))
}

/// State that the shim hands to itself in the new program.
fn inherited(caller: &Caller<'_>) -> Inherited {
    let timer = caller.process.alarm.load(Relaxed);
    let mut info = TimerInfo::default();
    let alarm = match sys::timer_info(timer, &mut info) {
        Ok(_) if timer != 0 && info.remaining.nsec != 0 => {
            crate::time::monotonic().saturating_add(info.remaining.nsec)
        }
        _ => 0,
    };
    Inherited {
        magic: INHERITED_MAGIC,
        cwd: caller.process.cwd.load(Relaxed),
        umask: caller.process.umask.load(Relaxed),
        alarm,
        mask: sys::signal_mask(),
        reserved: [0; 4],
    }
}

/// The strings of the new program, in the exec buffer.
struct Strings {
    start: u64,
    end: u64,
    limit: u64,
}

impl Strings {
    /// Appends a string and its NUL.
    fn push(&mut self, text: &[u8]) -> Result<(), Errno> {
        self.push_raw(text)?;
        self.push_raw(&[0])
    }

    fn push_raw(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let end = self.end + bytes.len() as u64;
        if end > self.limit {
            return Err(Errno::E2BIG);
        }
        copy::write_slice(self.end, bytes)?;
        self.end = end;
        Ok(())
    }

    /// Appends the strings of a vector of the program's, from number `first` on; returns how many.
    fn push_vector(&mut self, vector: u64, first: u64) -> Result<u32, Errno> {
        let mut count = 0;
        if vector == 0 {
            return Ok(0);
        }
        let mut at = vector;
        for number in 0.. {
            let string: u64 = copy::read(at)?;
            if string == 0 {
                break;
            }
            at += 8;
            if number >= first {
                let length = copy::move_string(self.end, string, self.limit - self.end)?;
                self.end += length + 1;
                count += 1;
            }
        }
        debug_assert!(self.start <= self.end);
        Ok(count)
    }
}

/// While the file is a script, opens its interpreter instead. Returns how many bytes of strings
/// (in `Scratch::reply`) come before the program's own arguments.
fn interpret(caller: &mut Caller<'_>, coid: &mut u32) -> Result<usize, Errno> {
    // Most files are none: this much comes in registers.
    let mut head = [0_u8; index(WORDS_BYTES)];
    read_head(caller, *coid, &mut head)?;
    if head.starts_with(b"#!") { interpret_script(caller, coid) } else { Ok(0) }
}

fn interpret_script(caller: &mut Caller<'_>, coid: &mut u32) -> Result<usize, Errno> {
    let mut prefix = PathBuffer { length: 0, bytes: [0; io_msg::connect::PATH_MAX] };
    for _ in 0..=DEPTH_MAX {
        let mut head = [0_u8; HEAD];
        let read = read_head(caller, *coid, &mut head)?;
        let Some((interpreter, argument)) = parse_script(&head[..index(read).min(HEAD)])? else {
            caller.scratch.reply[..prefix.length].copy_from_slice(prefix.get());
            return Ok(prefix.length);
        };
        if prefix.length == 0 {
            prefix.set(caller.scratch.paths[1].get())?;
            prefix.push(&[0])?;
        }
        prepend(&mut prefix, argument)?;
        prepend(&mut prefix, interpreter)?;
        caller.scratch.paths[0].set(interpreter)?;
        let opened = open::open_side(caller, Base::Cwd, 0, FLAG_EXECUTE)?;
        let _closed = sys::detach(core::mem::replace(coid, opened));
    }
    Err(Errno::ELOOP)
}

/// Reads the beginning of a file.
fn read_head(caller: &Caller<'_>, coid: u32, head: &mut [u8]) -> Outcome {
    let nbytes = head.len() as u64;
    let header =
        Transfer { kind: kind::IO_READ, xtype: XTYPE_OFFSET, nbytes, ..Transfer::default() };
    caller.send_short(coid, &Short::of(&header), room(head))
}

/// Puts a string with its NUL before the others; an empty one is none.
fn prepend(prefix: &mut PathBuffer, text: &[u8]) -> Result<(), Errno> {
    if text.is_empty() {
        return Ok(());
    }
    let shift = text.len() + 1;
    if prefix.length + shift > prefix.bytes.len() {
        return Err(Errno::E2BIG);
    }
    prefix.bytes.copy_within(..prefix.length, shift);
    prefix.bytes[..text.len()].copy_from_slice(text);
    prefix.bytes[text.len()] = 0;
    prefix.length += shift;
    Ok(())
}

/// Interpreter and argument (perhaps empty) of a script.
type Script<'a> = (&'a [u8], &'a [u8]);

/// What the `#!` line says, if the file starts with one.
fn parse_script(head: &[u8]) -> Result<Option<Script<'_>>, Errno> {
    let Some(rest) = head.strip_prefix(b"#!") else { return Ok(None) };
    let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    let line = rest[..end].trim_ascii();
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let split = line.iter().position(is_space).unwrap_or(line.len());
    let (interpreter, argument) = line.split_at(split);
    if interpreter.is_empty() {
        Err(Errno::ENOEXEC)
    } else {
        Ok(Some((interpreter, argument.trim_ascii())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_its_interpreter_and_at_most_one_argument() {
        let parsed = parse_script(b"#! /bin/sh -e -x \nrest").unwrap();
        assert_eq!(parsed, Some((&b"/bin/sh"[..], &b"-e -x"[..])));
        assert_eq!(parse_script(b"#!/bin/sh\n").unwrap(), Some((&b"/bin/sh"[..], &b""[..])));
        assert_eq!(parse_script(b"\x7fELF").unwrap(), None);
        assert_eq!(parse_script(b"#!\n"), Err(Errno::ENOEXEC));
    }

    #[test]
    fn interpreters_come_before_the_script() {
        let mut prefix = PathBuffer { length: 0, bytes: [0; io_msg::connect::PATH_MAX] };
        prefix.set(b"/x\0").unwrap();
        prepend(&mut prefix, b"-e").unwrap();
        prepend(&mut prefix, b"/bin/sh").unwrap();
        assert_eq!(prefix.get(), b"/bin/sh\0-e\0/x\0");
    }
}
