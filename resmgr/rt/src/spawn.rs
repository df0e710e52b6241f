//! Starting another program: a copy of this one that becomes it.

use crate::memory;
use crate::message;
#[cfg(target_os = "none")]
use crate::process;
use crate::sys::address_of;
use crate::thread;
use alloc::boxed::Box;
use alloc::vec::Vec;
use io_msg::kind;
use io_msg::proc::{Fork, WEXITED, Wait, WaitReply};
use neutrino_abi::Errno;
use neutrino_abi::handle::SYSMGR_COID;
use zerocopy::IntoBytes;

const STACK_BYTES: u64 = 64 * 1024;
const SIGCHLD: u32 = 17;

#[cfg_attr(not(target_os = "none"), allow(dead_code, reason = "only the copy reads them"))]
struct Program {
    path: Vec<u8>,
    arguments: Vec<Vec<u8>>,
}

/// Starts a program; returns its process id.
///
/// # Errors
/// EAGAIN, ENOMEM. That the program cannot be run shows as its exit status, 127.
pub fn spawn(path: &str, arguments: &[&str]) -> Result<u32, Errno> {
    let program = Box::new(Program {
        path: Vec::from(path.as_bytes()),
        arguments: arguments.iter().map(|text| Vec::from(text.as_bytes())).collect(),
    });
    let stack = memory::map_anonymous(STACK_BYTES)?;
    let request = Fork {
        kind: kind::PROC_FORK,
        entry: entry_address(),
        // As after a call: 8 below a multiple of 16.
        stack: stack + STACK_BYTES - 8,
        argument: address_of(&*program),
        fs_base: thread::block_address(),
        exit_signal: SIGCHLD,
        ..Fork::default()
    };
    let pid = message::send(SYSMGR_COID, request.as_bytes(), &mut [])?;
    u32::try_from(pid).map_err(|_| Errno::EIO)
}

/// Waits for a child to end; returns its wait status.
///
/// # Errors
/// ECHILD, EINTR.
pub fn wait(pid: u32) -> Result<u32, Errno> {
    let pid = i32::try_from(pid).map_err(|_| Errno::EINVAL)?;
    let request = Wait { kind: kind::PROC_WAIT, pid, options: WEXITED, ..Wait::default() };
    let mut reply = WaitReply::default();
    message::send(SYSMGR_COID, request.as_bytes(), reply.as_mut_bytes())?;
    Ok(reply.status)
}

#[cfg(target_os = "none")]
fn entry_address() -> u64 {
    child as *const () as usize as u64
}

#[cfg(not(target_os = "none"))]
fn entry_address() -> u64 {
    0
}

/// First code of the copy.
#[cfg(target_os = "none")]
extern "C" fn child(program: &Program) -> ! {
    let arguments: Vec<&[u8]> = program.arguments.iter().map(Vec::as_slice).collect();
    let errno = process::exec(&program.path, &arguments, &[]);
    let shown = core::str::from_utf8(&program.path).unwrap_or("?");
    crate::log!("cannot run {shown}: {errno}");
    process::exit(127)
}
