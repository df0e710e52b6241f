//! The files of an image before they are laid out: a tree by name, with what each file will hold.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

use anyhow::{Context, Result, bail};

/// A directory's children by name; sorted by bytes, as the image wants them.
pub(crate) type Children = BTreeMap<String, Node>;

/// One file, directory or symbolic link.
#[derive(Debug)]
pub(crate) struct Node {
    /// Permissions without the type.
    pub(crate) mode: u32,
    /// What it is and holds.
    pub(crate) content: Content,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Content {
    /// A directory.
    Directory(Children),
    /// A file with the bytes of a file on the host.
    Host(PathBuf),
    /// A file with these bytes.
    Bytes(Vec<u8>),
    /// A symbolic link.
    Symlink(String),
}

impl Content {
    /// The bytes that a file or a link will have in the image.
    ///
    /// # Errors
    /// When the host's file cannot be read.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Directory(_) => Ok(Vec::new()),
            Self::Host(path) => fs::read(path),
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::Symlink(target) => Ok(target.clone().into_bytes()),
        }
    }
}

/// A root directory and all that is below it.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The root.
    pub(crate) root: Node,
}

impl Tree {
    /// A tree with nothing in it.
    pub(crate) fn new() -> Self {
        Self { root: directory() }
    }

    /// Puts a directory at `path`, and above it those that are missing.
    ///
    /// # Errors
    /// When something else is in the way.
    pub(crate) fn add_directory(&mut self, path: &str) -> Result<()> {
        self.children_of(path).map(|_| ())
    }

    /// Puts a file or link at `path`, in place of a file or link that is there.
    ///
    /// # Errors
    /// When a directory is there, or something else is in the way.
    pub(crate) fn add(&mut self, path: &str, mode: u32, content: Content) -> Result<()> {
        let (folder, name) = split(path)?;
        let children = self.children_of(folder)?;
        if let Some(Node { content: Content::Directory(_), .. }) = children.get(name) {
            bail!("{path} is a directory in the image");
        }
        children.insert(name.to_owned(), Node { mode, content });
        Ok(())
    }

    /// What is at `path`, symbolic links not followed.
    pub(crate) fn find(&self, path: &str) -> Option<&Node> {
        components(path).try_fold(&self.root, |node, name| match &node.content {
            Content::Directory(children) => children.get(name),
            Content::Host(_) | Content::Bytes(_) | Content::Symlink(_) => None,
        })
    }

    fn children_of(&mut self, path: &str) -> Result<&mut Children> {
        if !path.starts_with('/') {
            bail!("{path}: a path in the image starts with /");
        }
        let mut node = &mut self.root;
        for name in components(path) {
            if name == "." || name == ".." || name.len() > 255 {
                bail!("{path}: `{name}` cannot be a name in the image");
            }
            let Content::Directory(children) = &mut node.content else {
                bail!("{path}: something above `{name}` is not a directory in the image");
            };
            node = children.entry(name.to_owned()).or_insert_with(directory);
        }
        match &mut node.content {
            Content::Directory(children) => Ok(children),
            Content::Host(_) | Content::Bytes(_) | Content::Symlink(_) => {
                bail!("{path} is not a directory in the image")
            }
        }
    }
}

fn directory() -> Node {
    Node { mode: 0o755, content: Content::Directory(Children::new()) }
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty())
}

fn split(path: &str) -> Result<(&str, &str)> {
    let (folder, name) = path.rsplit_once('/').with_context(|| format!("{path}: no / in it"))?;
    if name.is_empty() || name == "." || name == ".." || name.len() > 255 {
        bail!("{path}: not the path of a file");
    }
    Ok((if folder.is_empty() { "/" } else { folder }, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_parents_are_made() {
        let mut tree = Tree::new();
        tree.add("/a/b/c", 0o644, Content::Bytes(vec![1])).unwrap();
        assert!(matches!(tree.find("/a/b").unwrap().content, Content::Directory(_)));
        assert_eq!(tree.find("/a/b/c").unwrap().content.read().unwrap(), [1]);
    }

    #[test]
    fn a_file_takes_the_place_of_a_file_but_not_of_a_directory() {
        let mut tree = Tree::new();
        tree.add("/a/b", 0o644, Content::Bytes(vec![1])).unwrap();
        tree.add("/a/b", 0o755, Content::Symlink("x".into())).unwrap();
        assert_eq!(tree.find("/a/b").unwrap().mode, 0o755);
        assert!(tree.add("/a", 0o644, Content::Bytes(vec![])).is_err());
        assert!(tree.add("/a/b/c", 0o644, Content::Bytes(vec![])).is_err());
    }

    #[test]
    fn a_path_that_cannot_be_is_refused() {
        let mut tree = Tree::new();
        for path in ["a", "/", "/a/", "/a/..", "/../a", ""] {
            assert!(tree.add(path, 0o644, Content::Bytes(vec![])).is_err(), "{path}");
        }
    }
}
