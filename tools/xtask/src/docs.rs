//! `cargo xtask docs`: writes `docs/kernel-calls.md`, from the table of kernel calls and from the
//! functions of `libc-shim/qnx`.
//!
//! A doc line of such a function that starts with `Partial:` says what is missing.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::workspace::{Workspace, write_file};

const PAGE: &str = "docs/kernel-calls.md";

macro_rules! define_rows {
    ($($(#[doc = $doc:literal])+ $number:literal $name:ident { $($arg:ident: $ty:ty),* })+) => {
        /// Number, name, arguments and description of every kernel call.
        const ROWS: &[(u64, &str, &[&str], &[&str])] = &[
            $(($number, stringify!($name), &[$(stringify!($arg)),*], &[$($doc),+]),)+
        ];
    };
}
neutrino_abi::for_each_call!(define_rows);

/// A function of the C library.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Function {
    name: String,
    support: Support,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Support {
    Yes,
    Partial(String),
    /// Answers ENOSYS, for this reason.
    Refused(String),
}

/// Writes the page.
///
/// # Errors
/// When a file cannot be read or written.
pub(crate) fn command(workspace: &Workspace) -> Result<ExitCode> {
    write_file(&workspace.root.join(PAGE), page(&workspace.root)?.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn page(root: &Path) -> Result<String> {
    let functions = functions(root)?;
    let mut page = String::from(
        "# Kernel calls\n\nMade by `cargo xtask docs` of `neutrino/abi/src/calls.rs` and \
         `libc-shim/qnx/src`.\n\n## QNX's calls in C\n\nC programs reach them through \
         `libc-shim/cc`. Each has a twin `X_r` where QNX has one.\n",
    );
    let count =
        |wanted: fn(&Support) -> bool| functions.iter().filter(|f| wanted(&f.support)).count();
    writeln!(
        page,
        "{} are there, {} of them in part; {} answer ENOSYS.\n\n| call | support |\n| --- | --- |",
        count(|support| !matches!(support, Support::Refused(_))),
        count(|support| matches!(support, Support::Partial(_))),
        count(|support| matches!(support, Support::Refused(_))),
    )?;
    for Function { name, support } in &functions {
        match support {
            Support::Yes => writeln!(page, "| {name} | yes |")?,
            Support::Partial(what) => writeln!(page, "| {name} | {what} |")?,
            Support::Refused(why) => writeln!(page, "| {name} | ENOSYS: {why} |")?,
        }
    }
    page.push_str("\n## Native calls\n\n| number | call | what it does |\n| --- | --- | --- |\n");
    for (number, name, arguments, doc) in ROWS {
        let doc: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
        let (arguments, doc) = (arguments.join(", "), doc.join(" ").replace('|', "\\|"));
        writeln!(page, "| {number:#x} | {name}({arguments}) | {doc} |")?;
    }
    Ok(page)
}

fn functions(root: &Path) -> Result<Vec<Function>> {
    let folder = root.join("libc-shim/qnx/src");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        // The folders are the resource manager framework, of which docs/resource-managers.md tells.
        if path.is_dir() {
            continue;
        }
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let is_refused = path.file_stem().is_some_and(|stem| stem == "refused");
        if is_refused { refused(&text, &mut found) } else { present(&text, &mut found) }
    }
    found.sort();
    Ok(found)
}

/// Functions with a body.
fn present(text: &str, found: &mut Vec<Function>) {
    let mut partial = None;
    for line in text.lines().map(str::trim) {
        if let Some(doc) = line.strip_prefix("/// ") {
            if let Some(what) = doc.strip_prefix("Partial: ") {
                partial = Some(what.to_owned());
            }
            continue;
        }
        let name = ["value ", "status ", "single ", "pub extern \"C\" fn "]
            .iter()
            .find_map(|start| line.strip_prefix(start))
            .map(|rest| rest.split([' ', '(']).next().unwrap_or_default());
        if let Some(name) = name.filter(|name| !name.is_empty() && !name.starts_with(['_', '$'])) {
            let support = partial.take().map_or(Support::Yes, Support::Partial);
            found.push(Function { name: name.to_owned(), support });
        }
        if !line.starts_with('#') {
            partial = None;
        }
    }
}

/// Functions that are there in name only; the comment above a list says why.
fn refused(text: &str, found: &mut Vec<Function>) {
    let (mut why, mut is_inside) = ("", false);
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("// ") {
            why = comment;
        }
        match line {
            "refused! {" => is_inside = true,
            "}" => is_inside = false,
            names if is_inside => {
                let names = names.split_whitespace();
                found.extend(names.map(|name| Function {
                    name: name.to_owned(),
                    support: Support::Refused(why.to_owned()),
                }));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
    }

    #[test]
    fn the_page_of_kernel_calls_is_up_to_date() {
        let now = fs::read_to_string(root().join(PAGE)).unwrap_or_default();
        assert!(now == page(root()).unwrap(), "run `cargo xtask docs`");
    }

    #[test]
    fn functions_are_found_with_what_they_lack() {
        let mut found = Vec::new();
        let text = "functions! {\n    /// Does.\n    /// Partial: not at night\n    \
            value A [A_r] (x: c_int) -> c_int {\n    }\n    single B () -> c_int {\n";
        present(text, &mut found);
        let partial = Support::Partial("not at night".into());
        assert_eq!(found[0], Function { name: "A".into(), support: partial });
        assert_eq!(found[1], Function { name: "B".into(), support: Support::Yes });
    }

    #[test]
    fn every_declared_function_of_the_header_exists() {
        let header = fs::read_to_string(root().join("libc-shim/include/sys/neutrino.h")).unwrap();
        let names: Vec<String> = functions(root()).unwrap().into_iter().map(|f| f.name).collect();
        let declared = header.lines().filter_map(|line| {
            let rest = line.strip_prefix("__NEUTRINO_CALL(")?;
            rest.split(", ").nth(1).map(|name| name.trim_end_matches([')', ';']).to_owned())
        });
        for name in declared {
            assert!(names.contains(&name), "{name} is declared and not defined");
        }
    }
}
