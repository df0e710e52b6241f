//! Third-party programs: runs `rootfs/recipes/NAME/build` when its result is out of date.
//!
//! A script gets a scratch folder (`RECIPE_WORK`), a folder for its files (`RECIPE_OUT`) and the
//! shared shell functions (`RECIPE_LIB`); it leaves `version` and `sha256` of what it fetched beside its
//! files. What was found is written to `target/recipes/NAME/record.toml`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::manifest;
use crate::progress::step;
use crate::shell;
use crate::workspace::{Workspace, write_file};

/// How many recipes run at once; each also compiles in parallel.
const WORKERS: usize = 2;

/// `recipe.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Recipe {
    /// The folder's name.
    pub(crate) name: String,
    /// Whether Debian's source is compiled or its binary taken.
    pub(crate) kind: Source,
    /// Debian's name for it.
    pub(crate) package: String,
    /// One line for people.
    pub(crate) description: String,
    /// What goes into the image.
    pub(crate) files: Vec<RecipeFile>,
}

/// Where a program comes from.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// Debian's source package.
    Source,
    /// Debian's binary package.
    Binary,
}

/// One file of a recipe.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecipeFile {
    /// Its name in the recipe's output folder.
    pub(crate) from: String,
    /// Its path in the image.
    pub(crate) to: String,
    /// Permissions, in octal.
    #[serde(deserialize_with = "manifest::octal")]
    pub(crate) mode: u32,
}

/// What a recipe found, for people and for reports.
#[derive(Debug, Serialize)]
struct Record<'a> {
    name: &'a str,
    description: &'a str,
    kind: Source,
    package: &'a str,
    version: String,
    fetched: Vec<Checksum>,
    built: Vec<Checksum>,
}

#[derive(Debug, Serialize)]
struct Checksum {
    file: String,
    sha256: String,
}

/// A recipe with its folders.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What `recipe.toml` says.
    pub(crate) recipe: Recipe,
    scripts: PathBuf,
    folder: PathBuf,
}

impl Prepared {
    /// The folder with the finished files.
    pub(crate) fn out(&self) -> PathBuf {
        self.folder.join("out")
    }
}

/// Brings the named recipes up to date.
///
/// # Errors
/// The first recipe that fails, after all that had begun have ended.
pub(crate) fn prepare(workspace: &Workspace, names: &[String]) -> Result<Vec<Prepared>> {
    let recipes = names.iter().map(|name| open(workspace, name)).collect::<Result<Vec<_>>>()?;
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(recipe) = recipes.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = bring_up_to_date(workspace, recipe)
                        && let Ok(mut failures) = failures.lock()
                    {
                        failures.push(error);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().map_err(|_| anyhow!("a recipe's thread died"))?;
    match failures.into_iter().next() {
        Some(error) => Err(error),
        None => Ok(recipes),
    }
}

fn open(workspace: &Workspace, name: &str) -> Result<Prepared> {
    let scripts = workspace.rootfs().join("recipes").join(name);
    let recipe: Recipe = manifest::read(&scripts.join("recipe.toml"))?;
    if recipe.name != name {
        bail!("{} calls itself `{}`", scripts.display(), recipe.name);
    }
    Ok(Prepared { recipe, scripts, folder: workspace.target.join("recipes").join(name) })
}

fn bring_up_to_date(workspace: &Workspace, prepared: &Prepared) -> Result<()> {
    let library = workspace.rootfs().join("recipes/lib.sh");
    let stamp = fingerprint(&prepared.scripts, &library)?;
    let stamp_file = prepared.folder.join("stamp");
    let has_files =
        prepared.recipe.files.iter().all(|file| prepared.out().join(&file.from).exists());
    if has_files && fs::read_to_string(&stamp_file).is_ok_and(|old| old == stamp) {
        return Ok(());
    }
    let name = &prepared.recipe.name;
    let work = prepared.folder.join("work");
    fs::create_dir_all(&work)?;
    fs::create_dir_all(prepared.out())?;
    let mut build = Command::new("sh");
    build.arg(prepared.scripts.join("build")).current_dir(&work);
    build.env("RECIPE_NAME", name).env("RECIPE_WORK", &work).env("RECIPE_OUT", prepared.out());
    build.env("RECIPE_LIB", &library);
    step(&format!("building {name}"), || shell::quiet(&mut build))
        .with_context(|| format!("recipe {name}"))?;
    write_file(&prepared.folder.join("record.toml"), record(prepared)?.as_bytes())?;
    write_file(&stamp_file, stamp.as_bytes())
}

/// A hash over all that a recipe's result depends on in this checkout.
fn fingerprint(scripts: &Path, library: &Path) -> Result<String> {
    let mut files = vec![library.to_owned()];
    for file in scripts.read_dir().with_context(|| format!("reading {}", scripts.display()))? {
        files.push(file?.path());
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files.iter().filter(|file| file.is_file()) {
        hash.update(file.file_name().unwrap_or_default().as_encoded_bytes());
        hash.update([0]);
        hash.update(sha256(file)?);
    }
    Ok(format!("{:x}\n", hash.finalize()))
}

fn record(prepared: &Prepared) -> Result<String> {
    let Recipe { name, kind, package, description, files } = &prepared.recipe;
    let out = prepared.out();
    let read = |file: &str| {
        fs::read_to_string(out.join(file))
            .with_context(|| format!("recipe {name} left no `{file}`"))
    };
    let fetched = read("sha256")?.lines().filter_map(checksum_line).collect();
    let checksum = |file: &RecipeFile| {
        Ok(Checksum { file: file.to.clone(), sha256: sha256(&out.join(&file.from))? })
    };
    let built = files.iter().map(checksum).collect::<Result<_>>()?;
    let version = read("version")?.trim().to_owned();
    let record = Record { name, description, kind: *kind, package, version, fetched, built };
    Ok(toml::to_string(&record)?)
}

/// Reads a line of `sha256sum`.
fn checksum_line(line: &str) -> Option<Checksum> {
    let (sha256, file) = line.split_once("  ")?;
    Some(Checksum { file: file.to_owned(), sha256: sha256.to_owned() })
}

fn sha256(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    Ok(format!("{:x}", Sha256::digest(bytes)))
}
