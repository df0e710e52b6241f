//! Start-up of a native program.

use alloc::vec::Vec;

/// What a program is started with.
#[derive(Debug)]
pub struct Arguments {
    /// `argv`.
    pub arguments: Vec<&'static [u8]>,
    /// The environment, as `NAME=value`.
    pub environment: Vec<&'static [u8]>,
}

impl Arguments {
    /// Argument `index` as text; `None` if it is missing or not UTF-8.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'static str> {
        core::str::from_utf8(self.arguments.get(index)?).ok()
    }

    /// The arguments behind the name, as text; those that are not UTF-8 are left out.
    pub fn rest(&self) -> impl Iterator<Item = &'static str> {
        self.arguments.iter().skip(1).filter_map(|bytes| core::str::from_utf8(bytes).ok())
    }
}

/// Makes `$main` (`fn(&Arguments) -> i32`, the exit status) the program.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        #[cfg(target_os = "none")]
        #[unsafe(no_mangle)]
        fn neutrino_main(arguments: &$crate::start::Arguments) -> i32 {
            let main: fn(&$crate::start::Arguments) -> i32 = $main;
            main(arguments)
        }
    };
}

#[cfg(target_os = "none")]
core::arch::global_asm!(
    // The mark by which the process manager knows a native program.
    ".pushsection .note.neutrino,\"a\",@note",
    ".align 4",
    ".long 9, 4, 1",
    ".asciz \"Neutrino\"",
    ".align 4",
    ".long 1",
    ".popsection",
    // rdi: StartInfo; rsp: argc.
    ".globl _start",
    ".type _start, @function",
    "_start:",
    "xor ebp, ebp",
    "mov rsi, rsp",
    "and rsp, -16",
    "call {first}",
    "ud2",
    ".size _start, . - _start",
    first = sym first,
);

#[cfg(target_os = "none")]
extern "C" fn first(info: *const io_msg::start::StartInfo, stack: *const u64) -> ! {
    crate::thread::adopt(&MAIN_BLOCK);
    // SAFETY: the process manager put the structure there, or 0 for the very first program.
    if let Some(info) = unsafe { info.as_ref() } {
        crate::process::adopt(info);
        crate::clock::adopt();
    }
    let arguments = parse(stack);
    unsafe extern "Rust" {
        fn neutrino_main(arguments: &Arguments) -> i32;
    }
    // SAFETY: `entry!` defines the function with this signature.
    let status = unsafe { neutrino_main(&arguments) };
    crate::process::exit(status)
}

#[cfg(target_os = "none")]
static MAIN_BLOCK: core::sync::atomic::AtomicU64 = core::sync::atomic::AtomicU64::new(0);

#[cfg(target_os = "none")]
fn parse(stack: *const u64) -> Arguments {
    let mut parsed = Arguments { arguments: Vec::new(), environment: Vec::new() };
    if stack.is_null() {
        return parsed;
    }
    // SAFETY: the process manager built the stack: argc, argv, 0, environment, 0.
    let argc = unsafe { stack.read() } as usize;
    parsed.arguments = strings(stack.wrapping_add(1));
    parsed.environment = strings(stack.wrapping_add(argc + 2));
    parsed
}

#[cfg(target_os = "none")]
fn strings(mut list: *const u64) -> Vec<&'static [u8]> {
    let mut found = Vec::new();
    // Bound: the list ends with a null pointer; the process manager limits its length.
    loop {
        // SAFETY: the list lies on the initial stack, which is never unmapped, and ends with 0.
        let address = unsafe { list.read() };
        if address == 0 {
            return found;
        }
        let text = core::ptr::with_exposed_provenance::<core::ffi::c_char>(address as usize);
        // SAFETY: each pointer leads to a NUL-terminated string on the initial stack.
        found.push(unsafe { core::ffi::CStr::from_ptr(text) }.to_bytes());
        list = list.wrapping_add(1);
    }
}

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    crate::stdio::print_to(crate::stdio::Log, format_args!("{info}\n"));
    crate::process::abort()
}
