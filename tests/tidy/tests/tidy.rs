//! The rules of the tree that no compiler checks. Each failure lists every place.
#![allow(clippy::panic, clippy::expect_used, reason = "test code may fail loudly")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Code lines (neither empty nor comment) that a file may have.
const CODE_LINES: usize = 600;
/// How far above an unsafe block its reason may stand.
const REASON_LINES: usize = 5;
/// Where `unsafe` may be used.
const UNSAFE_FOLDERS: [&str; 3] = ["neutrino/arch/", "resmgr/rt/", "libc-shim/"];

/// One file of the tree: its path from the root, and its text.
struct File {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text file below the root that is not built.
fn files() -> Vec<File> {
    let mut found = Vec::new();
    collect(&root(), "", &mut found);
    assert!(found.len() > 100, "the tree was not found");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(folder: &Path, prefix: &str, found: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("a readable folder");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("a readable folder");
        let path = format!("{prefix}{name}");
        if kind.is_dir() && !name.starts_with('.') && name != "target" {
            collect(&entry.path(), &format!("{path}/"), found);
        } else if kind.is_file()
            && let Ok(text) = std::fs::read_to_string(entry.path())
        {
            found.push(File { path, text });
        }
    }
}

fn sources() -> Vec<File> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

/// A line of Rust without its comment and the contents of its strings.
fn code(line: &str) -> String {
    let (mut bare, mut is_quoted, mut escaped) = (String::new(), false, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if is_quoted {
            is_quoted = c != '"' || escaped;
            escaped = c == '\\' && !escaped;
        } else if c == '/' && chars.peek() == Some(&'/') {
            break;
        } else if c == '\'' {
            // A quote as a character is not the start of a string.
            let rest: String = chars.clone().take(2).collect();
            if rest == "\"'" {
                chars.nth(1);
            }
        } else {
            is_quoted = c == '"';
            bare.push(c);
        }
    }
    bare
}

/// Whether a line of code has this word.
fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.split(|c| !is_part(c)).any(|part| part == word)
}

fn none(places: &[String], rule: &str) {
    assert!(places.is_empty(), "{rule}:\n  {}", places.join("\n  "));
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let long = sources().into_iter().filter_map(|file| {
        let count = file.text.lines().filter(is_code).count();
        (count > CODE_LINES).then(|| format!("{}: {count} code lines", file.path))
    });
    none(&long.collect::<Vec<_>>(), "files are too long");
}

#[test]
fn unsafe_stays_in_the_crates_that_may_use_it() {
    let mut places = Vec::new();
    for file in sources() {
        if UNSAFE_FOLDERS.iter().any(|folder| file.path.starts_with(folder)) {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            if has_word(&code(line), "unsafe") {
                places.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    none(&places, "unsafe outside its crates");
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let (mut places, mut blocks) = (Vec::new(), 0);
    for file in sources() {
        let lines: Vec<&str> = file.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let bare = code(line);
            let is_block = bare.contains("unsafe {") || bare.contains("unsafe impl");
            let above = lines.iter().take(index + 1).rev().take(REASON_LINES + 1);
            blocks += usize::from(is_block);
            if is_block && !above.into_iter().any(|line| line.contains("SAFETY:")) {
                places.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    assert!(blocks > 50, "only {blocks} unsafe blocks were found");
    none(&places, "unsafe without SAFETY: within five lines above");
}

#[test]
fn nothing_is_left_to_be_done_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut places = Vec::new();
    for file in files() {
        for (index, line) in file.text.lines().enumerate() {
            if marks.iter().any(|mark| has_word(line, mark)) {
                places.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    none(&places, "notes of unfinished work");
}

/// Which crate needs which to be built, by folder; needs of tests do not count.
fn needs() -> BTreeMap<String, Vec<String>> {
    let mut needs = BTreeMap::new();
    for file in files() {
        if let Some(folder) = file.path.strip_suffix("/Cargo.toml") {
            needs.insert(folder.to_owned(), dependencies(&file.text));
        }
    }
    assert!(needs.len() > 10, "the manifests were not found");
    needs
}

fn dependencies(manifest: &str) -> Vec<String> {
    let mut section = "";
    let mut names = Vec::new();
    for line in manifest.lines().map(str::trim) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            let table = section.rsplit_once("dependencies.").map(|(_, name)| name.to_owned());
            names.extend(table.filter(|_| !section.contains("dev-dependencies")));
        } else if section.ends_with("dependencies")
            && !section.ends_with("dev-dependencies")
            && !line.starts_with('#')
            && let Some((name, _)) = line.split_once(['.', '=', ' '])
        {
            names.push(name.to_owned());
        }
    }
    names
}

#[test]
fn the_core_depends_on_the_abi_only() {
    let needs = needs();
    assert_eq!(needs["neutrino/core"], ["neutrino-abi"]);
}

#[test]
fn drivers_depend_neither_on_procnto_nor_on_the_kernel() {
    let bad = ["procnto", "neutrino", "neutrino-core"];
    let needs = needs();
    let drivers = needs.iter().filter(|(folder, _)| folder.starts_with("drivers/"));
    assert!(drivers.clone().count() > 3, "the drivers were not found");
    let places: Vec<String> = drivers
        .flat_map(|(folder, names)| names.iter().map(move |name| (folder, name)))
        .filter(|(_, name)| bad.contains(&name.as_str()))
        .map(|(folder, name)| format!("{folder} needs {name}"))
        .collect();
    none(&places, "drivers that need what they should not");
}

#[test]
fn procnto_names_no_driver() {
    let needs = needs();
    let drivers: Vec<&str> =
        needs.keys().filter_map(|folder| folder.strip_prefix("drivers/")).collect();
    let mut places: Vec<String> = needs["procnto"]
        .iter()
        .filter(|name| drivers.contains(&name.as_str()))
        .map(|name| format!("procnto/Cargo.toml needs {name}"))
        .collect();
    for file in sources().into_iter().filter(|file| file.path.starts_with("procnto/")) {
        for (index, line) in file.text.lines().enumerate() {
            // `pipe` is also an ordinary word; as a crate it is `pipe::`.
            let line = code(line);
            let named = drivers.iter().any(|name| {
                let path = format!("{}::", name.replace('-', "_"));
                line.split(|c: char| c.is_whitespace() || "(<&,".contains(c))
                    .any(|part| part.starts_with(&path))
                    || (name.contains('-')
                        && file.text.lines().nth(index).is_some_and(|raw| {
                            !raw.trim_start().starts_with("//") && raw.contains(name)
                        }))
            });
            if named {
                places.push(format!("{}:{}", file.path, index + 1));
            }
        }
    }
    none(&places, "procnto names drivers");
}

#[test]
fn a_reader_of_lines_sees_code_and_not_comments_or_strings() {
    assert!(has_word(&code("let x = unsafe { y };"), "unsafe"));
    assert!(!has_word(&code("// unsafe"), "unsafe"));
    assert!(!has_word(&code("let s = \"\\\" unsafe\";"), "unsafe"));
    assert!(!has_word(&code("#![forbid(unsafe_code)]"), "unsafe"));
}
