//! The kernel's code that is gone after boot (`.init.text`) may be called from `start` only.

use std::ops::Range;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use elf::ElfBytes;
use elf::endian::AnyEndian;

use crate::shell;

/// The one function that stays and calls what goes.
const CALLER: &str = "start";

/// Looks for calls of discarded code.
///
/// # Errors
/// When there is one, or the kernel cannot be read.
pub(crate) fn check(kernel: &Path) -> Result<()> {
    let bytes = std::fs::read(kernel).with_context(|| format!("reading {}", kernel.display()))?;
    let file = ElfBytes::<AnyEndian>::minimal_parse(&bytes)?;
    let section = file.section_header_by_name(".init.text")?.context("a kernel without boot")?;
    let gone = section.sh_addr..section.sh_addr + section.sh_size;
    let mut objdump = Command::new("objdump");
    objdump.args(["-d", "-C", "--no-show-raw-insn", "--section=.text"]).arg(kernel);
    let code = shell::output(&mut objdump)?;
    if let Some((caller, call)) = calls_into(&code, &gone).find(|(caller, _)| *caller != CALLER) {
        bail!("{caller} calls what is gone after boot (neutrino/arch/link.ld): {call}");
    }
    Ok(())
}

/// Functions in a disassembly that call or jump into a range, and the instruction.
fn calls_into<'a>(code: &'a str, to: &Range<u64>) -> impl Iterator<Item = (&'a str, &'a str)> {
    let mut function = "";
    code.lines().filter_map(move |line| {
        if let Some(head) = line.strip_suffix(">:") {
            function = head.split_once('<')?.1;
            return None;
        }
        let (_, instruction) = line.split_once(":\t")?;
        let mut words = instruction.split_whitespace();
        let is_jump = words.next().is_some_and(|word| word == "call" || word.starts_with('j'));
        let target = u64::from_str_radix(words.next()?, 16).ok()?;
        (is_jump && to.contains(&target)).then_some((function, instruction))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "\
ffffffff80106000 <start>:
ffffffff80106000:\tcall   ffffffff80101000 <boot>
ffffffff80106005:\tjmp    ffffffff80107000 <other>
ffffffff80107000 <<&T as Debug>::fmt>:
ffffffff80107000:\tjne    ffffffff80101008 <boot+0x8>
ffffffff80107002:\tlea    0x1(%rip),%rax        # ffffffff80101000 <boot>
";

    #[test]
    fn calls_and_jumps_into_the_range_are_found_with_their_function() {
        let found: Vec<&str> = calls_into(CODE, &(0xffff_ffff_8010_1000..0xffff_ffff_8010_2000))
            .map(|c| c.0)
            .collect();
        assert_eq!(found, ["start", "<&T as Debug>::fmt"]);
    }
}
