//! The epitaph: what happened, the registers, a back-trace; then the end. The other CPUs are stopped
//! by NMI first, wherever they are.
//!
//! It takes no lock and assumes nothing about GS. Names come from the boot image's file
//! `boot/neutrino.map` (lines of `address name`, ascending), which works for every boot loader;
//! without it there are addresses, for `cargo xtask why`.

use core::arch::x86_64::__cpuid;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use neutrino_abi::image::Image;
use neutrino_abi::wire::Wire;
use neutrino_core::machine::PhysicalRange;
use x86_64::instructions::{hlt, interrupts};
use x86_64::registers::control::{Cr2, Cr3};

use crate::boot;
use crate::boot::memory_map::Range;
use crate::entry::context::Frame;
use crate::irq::ipi;
use crate::log::Log;
use crate::power;

const SYMBOLS: &[u8] = b"boot/neutrino.map";
/// The order of `Registers`.
const REGISTERS: &[u8] = b"r8 r9 r10r11r12r13r14r15rdirsirbprbxrdxraxrcxrspripfl ";
const FRAMES: usize = 32;
/// Exit status of QEMU: 2 x 50 + 1.
const FAILURE: u32 = 50;

/// One more than the local APIC of the CPU that panics; 0 while none does.
static PANICKING: AtomicU32 = AtomicU32::new(0);
static IMAGE_ADDRESS: AtomicU64 = AtomicU64::new(0);
static IMAGE_LENGTH: AtomicU64 = AtomicU64::new(0);
static TEXT_START: AtomicU64 = AtomicU64::new(0);
static TEXT_END: AtomicU64 = AtomicU64::new(0);

/// Keeps what an epitaph needs.
pub(crate) fn remember(image: PhysicalRange, text: Range) {
    IMAGE_ADDRESS.store(image.address, Ordering::Relaxed);
    IMAGE_LENGTH.store(image.length, Ordering::Relaxed);
    TEXT_START.store(text.start, Ordering::Relaxed);
    TEXT_END.store(text.end, Ordering::Relaxed);
}

/// What boot cannot go on without.
///
/// # Panics
/// With `sentence`, if it is not there.
pub(crate) fn needed<T>(value: Option<T>, sentence: &str) -> T {
    match value {
        Some(value) => value,
        None => stop(sentence),
    }
}

/// Ends with a sentence that a user can act on.
#[cold]
#[inline(never)]
pub(crate) fn stop(sentence: &str) -> ! {
    begin().text("\nneutrino: ").text(sentence).text("\n");
    back_trace(frame_pointer());
    end()
}

/// A panic in kernel code.
#[panic_handler]
fn panicked(info: &PanicInfo<'_>) -> ! {
    let log = begin();
    log.text("\nneutrino: panic");
    if let Some(location) = info.location() {
        log.text(" at ").text(location.file()).text(":").decimal(location.line().into());
    }
    log.text(": ");
    // What has numbers in it would need `core::fmt`; the place tells as much.
    log.text(info.message().as_str().unwrap_or("an index or a value is out of range")).text("\n");
    back_trace(frame_pointer());
    end()
}

#[inline(always)]
fn frame_pointer() -> u64 {
    let frame: u64;
    // SAFETY: reads a register.
    unsafe { core::arch::asm!("mov {}, rbp", out(reg) frame, options(nomem, nostack)) };
    frame
}

/// An exception in kernel code, or one that nothing survives.
#[unsafe(no_mangle)]
extern "C" fn fatal_trap(frame: &Frame) -> ! {
    let log = begin();
    let r = frame.registers();
    let whose = if frame.is_user() { " in user code" } else { " in kernel code" };
    log.text("\nneutrino: exception ").decimal(frame.vector()).text(whose);
    log.text(", error ").hex(frame.error()).text("\n");
    let cr3 = Cr3::read().0.start_address().as_u64();
    log.text("cr2 ").hex(Cr2::read_raw()).text(" cr3 ").hex(cr3).text("\n");
    for (name, value) in REGISTERS.chunks_exact(3).zip(r.bytes().chunks_exact(8)) {
        let value = value.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        log.text(core::str::from_utf8(name).unwrap_or_default()).text(" ").hex(value).text("\n");
    }
    if !frame.is_user() {
        print_address(r.rip);
        back_trace(frame.frame_pointer());
    }
    end()
}

/// A panic inside a panic ends at once, and another CPU's never begins.
fn begin() -> Log {
    interrupts::disable();
    // GS may be the user's here: CPUID knows the CPU without it.
    let own = (__cpuid(1).ebx >> 24).wrapping_add(1);
    match PANICKING.compare_exchange(0, own, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => ipi::stop_others(),
        Err(other) if other == own => end(),
        Err(_) => rest(),
    }
    Log::Epitaph
}

fn rest() -> ! {
    loop {
        hlt();
    }
}

fn end() -> ! {
    power::debug_exit(FAILURE);
    rest()
}

fn back_trace(first: u64) {
    let is_text = |address: u64| {
        (TEXT_START.load(Ordering::Relaxed)..TEXT_END.load(Ordering::Relaxed)).contains(&address)
    };
    let mut frame = first;
    // Bound: FRAMES.
    for _ in 0..FRAMES {
        // Kernel stacks are in the image or in its static tables.
        if frame < 0xffff_ffff_8000_0000 || !frame.is_multiple_of(8) {
            return;
        }
        let words = core::ptr::with_exposed_provenance::<u64>(frame as usize);
        // SAFETY: an aligned address in the kernel's image; if it is no frame after all, the fault
        // ends the epitaph.
        let next = unsafe { words.read_volatile() };
        // SAFETY: as above.
        let caller = unsafe { words.wrapping_add(1).read_volatile() };
        if !is_text(caller) {
            return;
        }
        print_address(caller);
        if next <= frame {
            return;
        }
        frame = next;
    }
}

fn print_address(address: u64) {
    let name = symbol(address).unwrap_or_default();
    Log::Epitaph.text("  ").hex(address).text(" ").text(name).text("\n");
}

fn symbol(address: u64) -> Option<&'static str> {
    let (start, length) =
        (IMAGE_ADDRESS.load(Ordering::Relaxed), IMAGE_LENGTH.load(Ordering::Relaxed));
    if length == 0 {
        return None;
    }
    let bytes = boot::image(PhysicalRange { address: start, length });
    let map = core::str::from_utf8(Image::new(bytes).ok()?.lookup(SYMBOLS)?.data()).ok()?;
    let mut best = None;
    // Bound: lines of the file.
    for line in map.lines() {
        let (at, name) = line.split_once(' ')?;
        if u64::from_str_radix(at, 16).ok()? > address {
            break;
        }
        best = Some(name);
    }
    best
}
