//! Structures of the ABI as bytes of user memory.
//!
//! The core may not reinterpret memory, so each structure is read and written member by member;
//! a constant assertion sees to it that the members fill it, so no padding byte can leak.

use neutrino_abi as abi;

/// A value that crosses the border.
pub(crate) trait Wire: Sized {
    /// Its size in bytes.
    const SIZE: usize;
    /// Takes it from the front of `bytes`; missing bytes are zero.
    fn load(bytes: &mut &[u8]) -> Self;
    /// Puts it at the front of `bytes`.
    fn store(&self, bytes: &mut &mut [u8]);
}

macro_rules! wire_number {
    ($($type:ty)+) => { $(impl Wire for $type {
        const SIZE: usize = size_of::<$type>();
        fn load(bytes: &mut &[u8]) -> Self {
            let Some((first, rest)) = bytes.split_first_chunk() else { return 0 };
            *bytes = rest;
            <$type>::from_le_bytes(*first)
        }
        fn store(&self, bytes: &mut &mut [u8]) {
            if let Some((first, rest)) = core::mem::take(bytes).split_first_chunk_mut() {
                *first = self.to_le_bytes();
                *bytes = rest;
            }
        }
    })+ };
}
wire_number!(u8 i8 u16 i16 u32 i32 u64 i64);

impl<T: Wire, const N: usize> Wire for [T; N] {
    const SIZE: usize = N.wrapping_mul(T::SIZE);
    fn load(bytes: &mut &[u8]) -> Self {
        core::array::from_fn(|_| T::load(bytes))
    }
    fn store(&self, bytes: &mut &mut [u8]) {
        for item in self {
            item.store(bytes);
        }
    }
}

macro_rules! wire_struct {
    ($($type:ty { $($member:ident: $of:ty),+ $(,)? })+) => { $(
        impl Wire for $type {
            const SIZE: usize = size_of::<$type>();
            fn load(bytes: &mut &[u8]) -> Self {
                Self { $($member: Wire::load(bytes)),+ }
            }
            fn store(&self, bytes: &mut &mut [u8]) {
                $(self.$member.store(bytes);)+
            }
        }
        const _: () = assert!(size_of::<$type>() == 0 $(+ size_of::<$of>())+);
        const _: () = assert!(size_of::<$type>() <= WIRE_MAX);
    )+ };
}

/// Largest structure in bytes.
pub(crate) const WIRE_MAX: usize = 160;

wire_struct! {
    abi::event::Event { notify: u32, target: u32, code: i32, priority: i32, value: u64 }
    abi::handle::PollEntry { coid: i32, events: i16, revents: i16 }
    abi::info::Framebuffer {
        width: u32, height: u32, pitch: u32, depth: u32,
        red: u8, green: u8, blue: u8, reserved: [u8; 5],
    }
    abi::info::HandleInfo {
        kind: u32, flags: u32, pid: u32, chid: u32, scoid: u32, ready: u32, badge: u64,
    }
    abi::info::ProcessInfo {
        pid: u32, pgrp: u32, session: u32, threads: u32, handles: u32, terminating: u32,
        ignored: u64, handled: u64, cpu_time: u64, mapped_bytes: u64, resident_pages: u64,
        fault: abi::signal::SignalInfo, fault_ip: u64, fault_sp: u64, fault_bp: u64,
        name: [u8; 16],
    }
    abi::info::SystemInfo {
        total_pages: u64, free_pages: u64, committed_pages: u64,
        threads: u32, processes: u32, channels: u32, connections: u32, objects: u32, spaces: u32,
        mappings: u32, timers: u32, cpus: u32, reserved: u32, uptime: u64, idle: u64,
        switches: u64, interrupts: u64, calls: u64, tsc_hz: u64, tsc_entry: u64,
    }
    abi::info::ThreadInfo {
        tid: u32, state: u32, blocked_on: u32, blocked_channel: u32, priority: u32,
        current_priority: u32, policy: u32, cpu: u32, cpu_time: u64, ip: u64, sp: u64,
        mask: u64, pending: u64, robust_list: u64, name: [u8; 16],
    }
    abi::memory::MapArgs {
        address: u64, length: u64, protection: u32, flags: u32, object: u32, reserved: u32,
        offset: u64,
    }
    abi::memory::MappingInfo {
        start: u64, end: u64, offset: u64, protection: u32, flags: u32, object: u32,
        resident_pages: u32,
    }
    abi::memory::ObjectInfo {
        size: u64, resident_pages: u64, physical: u64, kind: u32, identity: u32,
    }
    abi::memory::RemapArgs {
        address: u64, old_length: u64, new_length: u64, new_address: u64, flags: u32,
        reserved: u32,
    }
    abi::message::Iov { base: u64, length: u64 }
    abi::message::MsgInfo {
        pid: u32, tid: u32, chid: u32, scoid: u32, coid: u32, priority: u16, flags: u16,
        msglen: u64, srcmsglen: u64, dstmsglen: u64, badge: u64, euid: u32, egid: u32,
        pgrp: u32, session: u32, signals_held: u64, offered_count: u32, accepted_count: u32,
    }
    abi::message::ReceiveArgs { chid: u32, reserved: u32, message: u64, parts: i64, info: u64 }
    abi::message::SendExtra {
        offered: [u32; abi::message::OFFER_MAX], offered_count: u32, accepted_count: u32,
        accepted_minimum: u32, accepted_flags: u32,
    }
    abi::process::Credentials {
        ruid: u32, euid: u32, suid: u32, rgid: u32, egid: u32, sgid: u32, group_count: u32,
        groups: [u32; abi::process::GROUPS_MAX],
    }
    abi::process::ExecArgs { space: u32, tid: u32, entry: u64, stack: u64, argument: u64 }
    abi::process::ProcessArgs {
        pid: u32, space: u32, parent: u32, pgrp: u32, session: u32, reserved: u32,
        abilities: u64,
    }
    abi::process::ThreadArgs {
        entry: u64, stack: u64, argument: u64, fs_base: u64, gs_base: u64, signal_area: u64,
        clear_tid: u64, priority: u32, policy: u32, like_tid: u32, flags: u32,
    }
    abi::pulse::Pulse {
        kind: u16, subtype: u16, code: i8, zero: [u8; 3], value: u64, scoid: u32, count: u32,
    }
    abi::sched::SchedParam { policy: u32, priority: u32, current_priority: u32, reserved: u32 }
    abi::signal::Personality {
        system_call_entry: u64, signal_entry: u64, guard_start: u64, guard_end: u64,
        restart_start: u64, restart_end: u64, copy_start: u64, copy_end: u64, copy_fault: u64,
    }
    abi::signal::Registers {
        r8: u64, r9: u64, r10: u64, r11: u64, r12: u64, r13: u64, r14: u64, r15: u64,
        rdi: u64, rsi: u64, rbp: u64, rbx: u64, rdx: u64, rax: u64, rcx: u64, rsp: u64,
        rip: u64, rflags: u64,
    }
    abi::signal::SignalArea { pending: u32, diverted: u32, registers: abi::signal::Registers }
    abi::signal::SignalInfo {
        number: u32, code: i32, pid: u32, uid: u32, value: u64, status: u32, trap: u32,
    }
    abi::time::Itimer { nsec: u64, interval_nsec: u64 }
    abi::time::TimerInfo { remaining: abi::time::Itimer, overruns: u32, clock: u32 }
}
