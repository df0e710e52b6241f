//! `cargo xtask`: builds the system, boots it in QEMU, tests it and measures it.
//!
//! `cli` says what can be asked for; each subcommand is one module. What is missing on the machine is
//! found and installed by `packages` and `toolchain`, always after saying so. Nothing but a command's
//! own result goes to standard output; progress and complaints go to standard error.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a host tool: a panic here ends a build, not a system"
)]

mod bench;
mod check;
mod cli;
mod compile;
mod console;
mod discarded;
mod docs;
mod exec;
mod guest;
mod image;
mod inversion;
mod iso;
mod library;
mod manifest;
mod members;
mod mutants;
mod packages;
mod progress;
mod qemu;
mod qmp;
mod recipe;
mod run;
mod setup;
mod shell;
mod sizes;
mod symbols;
mod sysroot;
mod system;
mod test;
mod toolchain;
mod trace;
mod tree;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::workspace::Workspace;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(exec::EXIT_XTASK_FAILED)
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::open(cli.toolchain, &cli.manifest)?;
    match cli.command {
        Command::Iso(options) => iso::command(&workspace, &options),
        Command::Run(options) => run::command(&workspace, &options),
        Command::Test(options) => test::command(&workspace, &options),
        Command::Campaign(options) => test::campaign(&workspace, &options),
        Command::Mutants(options) => mutants::command(&workspace, &options),
        Command::Check => check::command(&workspace),
        Command::Docs => docs::command(&workspace),
        Command::Library => library::command(&workspace),
        Command::Sizes => sizes::command(&workspace),
        Command::Bench(options) => bench::command(&workspace, &options),
        Command::Trace(options) => trace::command(&workspace, &options),
        Command::Inversion(options) => inversion::command(&workspace, &options),
        Command::Setup => setup::command(&workspace),
        Command::Screendump(options) => qmp::screendump(&workspace, &options),
    }
}
