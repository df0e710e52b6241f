//! Programs that do what they must not; the shell says what they died of.

use super::{Test, same};
use boot_tests::console::{Console, SOON};

pub(crate) const TESTS: [Test; 1] =
    [("a_program_that_faults_dies_and_the_shell_says_so", a_program_that_faults_dies)];

/// What `faults` does, the exit status, and what dash says.
const DEEDS: [(&str, i32, &str); 11] = [
    ("read_null", 139, "Segmentation fault"),
    ("write_null", 139, "Segmentation fault"),
    ("call_null", 139, "Segmentation fault"),
    ("read_kernel", 139, "Segmentation fault"),
    ("write_kernel", 139, "Segmentation fault"),
    ("call_kernel", 139, "Segmentation fault"),
    ("call_non_canonical", 139, "Segmentation fault"),
    ("call_stack", 139, "Segmentation fault"),
    ("divide_by_zero", 136, "exception"),
    ("undefined_instruction", 132, "Illegal instruction"),
    ("call_abort", 134, "Aborted"),
];

fn a_program_that_faults_dies(console: &mut Console) -> Result<(), String> {
    for (deed, status, words) in DEEDS {
        let output = console.run(&format!("faults {deed}"), SOON)?;
        if output.status != status || !output.text.contains(words) {
            return Err(format!("{deed}: {output:?} and not {words:?} with {status}"));
        }
        same("the shell goes on", &console.succeed("echo on", SOON)?, "on")?;
    }
    if console.log().contains("faults (") {
        Ok(())
    } else {
        Err(format!("no record of the deaths in the log: {}", console.log()))
    }
}
