//! The command line. Names and defaults here are used by scripts: add, do not change.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::bench::Suite;

/// Builds the system, boots it in QEMU, tests it and measures it.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    /// Where the compiler for the bare-metal target comes from
    #[arg(long, global = true, value_enum, env = "XTASK_TOOLCHAIN", default_value_t)]
    pub(crate) toolchain: ToolchainChoice,

    /// What goes into the image
    #[arg(long, global = true, value_name = "FILE", default_value = "rootfs/image.toml")]
    pub(crate) manifest: PathBuf,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which compiler builds for the bare-metal target.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum ToolchainChoice {
    /// rustup's if it has or can get the target, else Debian's
    #[default]
    Auto,
    /// The tool chain that `cargo` came from; fails without the target
    Rustup,
    /// Debian's rustc-web, with core built from its source once
    Debian,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build everything and write the bootable ISO
    Iso(ContentOptions),
    /// Build everything and boot it in QEMU; the terminal is the serial console
    Run(RunOptions),
    /// Run every test; the last line says "N passed, N failed"
    Test(TestOptions),
    /// Explore the kernel's core further than the tests do (docs/invariants.md has the last result)
    Campaign(CampaignOptions),
    /// Change the kernel's core in small ways and see whether the model checker notices each
    Mutants(MutantsOptions),
    /// Check formatting and lints of all crates, host and bare metal; warnings are errors
    Check,
    /// Write docs/kernel-calls.md from the table of kernel calls
    Docs,
    /// Build libneutrino.a, QNX's kernel calls for C programs, and print where it is
    Library,
    /// Print the size of the kernel: lines of code and bytes of .text
    Sizes,
    /// Measure, in instructions: everything beside Linux in the same emulator, or one suite
    Bench(BenchOptions),
    /// Trace what the kernel does for a command, for Perfetto, and count its messages
    Trace(TraceOptions),
    /// Play scenarios of priority inversion without and with inheritance; write target/inversion/index.html
    Inversion(InversionOptions),
    /// Install what building and running need, and build what is built once
    Setup,
    /// Save a picture of the display of a `run --display` without a window
    Screendump(ScreendumpOptions),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct BenchOptions {
    /// What to measure; without it everything, and Linux and Linux PREEMPT_RT too
    #[arg(value_enum)]
    pub(crate) suite: Option<Suite>,

    /// Compare with the recorded figures of Linux (tests/bench/peers.toml) instead of running it
    #[arg(long)]
    pub(crate) no_linux: bool,

    /// Put the results into the repository: docs/benchmarks.md, its plots, and the ledger
    #[arg(long)]
    pub(crate) record: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct InversionOptions {
    /// Scenario files; without any, all of tests/scenario
    #[arg(value_name = "SCENARIO.toml")]
    pub(crate) scenario: Vec<PathBuf>,
}

/// What goes into the image of this boot beside `rootfs/image.toml`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ContentOptions {
    /// Put a file into the image; without GUESTPATH a program goes to /bin, any other file to /opt
    #[arg(long, value_name = "HOSTFILE[:GUESTPATH]")]
    pub(crate) add: Vec<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) content: ContentOptions,

    #[command(flatten)]
    pub(crate) machine: MachineOptions,

    /// Boot, run CMD in the shell, print its output, power off and exit with its status
    #[arg(long, value_name = "CMD")]
    pub(crate) exec: Option<String>,

    /// With --exec: give up after this many seconds (exit status 124); 0 means never
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) timeout: u64,

    /// Print the QEMU command line and stop
    #[arg(long)]
    pub(crate) show_command: bool,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct TraceOptions {
    #[command(flatten)]
    pub(crate) content: ContentOptions,

    /// Run CMD in the shell and trace everything meanwhile; exit with its status
    #[arg(long, value_name = "CMD")]
    pub(crate) exec: String,

    /// The JSON file to write, which ui.perfetto.dev and chrome://tracing open
    #[arg(short, long, value_name = "FILE", default_value = "trace.json")]
    pub(crate) output: PathBuf,

    /// Keep the trace as tracelogger wrote it, too
    #[arg(long, value_name = "FILE")]
    pub(crate) raw: Option<PathBuf>,

    /// Give up after this many seconds; 0 means never
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub(crate) timeout: u64,
}

/// The machine that QEMU emulates.
#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one flag of the command line")]
pub(crate) struct MachineOptions {
    /// Number of CPUs
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) smp: u32,

    /// Memory, as QEMU writes it
    #[arg(long, value_name = "M", default_value = "512M")]
    pub(crate) memory: String,

    /// Count instructions: one instruction is one nanosecond and every run is the same
    #[arg(long)]
    pub(crate) icount: bool,

    /// Show the display in a window, or without one keep it for `cargo xtask screendump`
    #[arg(long)]
    pub(crate) display: bool,

    /// Boot the ISO under UEFI (OVMF) instead of BIOS
    #[arg(long, conflicts_with = "direct")]
    pub(crate) uefi: bool,

    /// Attach a disk image (raw, or qcow2 by its name) as a virtio block device
    #[arg(long, value_name = "IMG")]
    pub(crate) disk: Vec<PathBuf>,

    /// Let QEMU load the kernel instead of GRUB
    #[arg(long)]
    pub(crate) direct: bool,

    /// What runs the guest's instructions
    #[arg(long, value_enum, default_value_t)]
    pub(crate) accel: Accel,

    /// Arguments passed on to QEMU
    #[arg(last = true, value_name = "QEMU ARGUMENT")]
    pub(crate) qemu: Vec<String>,
}

/// QEMU's accelerators.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Accel {
    /// Emulation; works everywhere
    #[default]
    Tcg,
    /// The host's virtualisation
    Kvm,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct TestOptions {
    /// Run only the rings with these names (see --list)
    #[arg(long, value_name = "NAME")]
    pub(crate) ring: Vec<String>,

    /// List the rings and stop
    #[arg(long)]
    pub(crate) list: bool,

    /// Run only tests whose name contains this
    pub(crate) filter: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct CampaignOptions {
    /// Begin no longer sequences of moves in a configuration that has so many states
    #[arg(long, value_name = "N", default_value_t = 20_000_000)]
    pub(crate) states: u64,

    /// Only these configurations
    pub(crate) name: Vec<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct MutantsOptions {
    /// Only one of N parts, the K-th from 0 on
    #[arg(long, value_name = "K/N")]
    pub(crate) shard: Option<String>,

    /// Only what changed since a revision
    #[arg(long, value_name = "REVISION")]
    pub(crate) since: Option<String>,

    /// Only in these files (patterns, as neutrino/core/src/priority.rs)
    #[arg(long, value_name = "PATTERN")]
    pub(crate) file: Vec<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ScreendumpOptions {
    /// The PNG file to write
    #[arg(short, long, value_name = "FILE", default_value = "screen.png")]
    pub(crate) output: PathBuf,

    /// Type this on the keyboard first (a line end for each \n)
    #[arg(long = "type", value_name = "TEXT")]
    pub(crate) keys: Option<String>,
}
