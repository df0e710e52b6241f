//! Lays a [`Tree`] out as the boot image that `neutrino_abi::image` describes and reads.

use anyhow::{Context, Result, bail};
use neutrino_abi::image::{Header, Image, Kind, MAGIC, PAGE, RawEntry, VERSION};
use zerocopy::IntoBytes;

use crate::tree::{Content, Node, Tree};

/// What an image says about itself beside its files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label<'a> {
    /// The path of procnto in the image.
    pub(crate) procnto: &'a str,
    /// Seconds since 1970; also every file's time of modification.
    pub(crate) build_time: u64,
}

/// Makes the image. The same tree and label give the same bytes.
///
/// # Errors
/// When a host file cannot be read, or there is no procnto.
pub(crate) fn build(tree: &Tree, label: Label<'_>) -> Result<Vec<u8>> {
    let mut layout = Layout::default();
    layout.add("", &tree.root, label.build_time)?;
    // Breadth first: a directory's children are neighbours. Bound: each entry is visited once.
    let mut index = 0;
    let mut nodes = vec![&tree.root];
    while let Some(node) = nodes.get(index).copied() {
        if let Content::Directory(children) = &node.content {
            let first = u32::try_from(nodes.len())?;
            for (name, child) in children {
                nodes.push(child);
                let raw = layout.add(name, child, label.build_time)?;
                raw.parent = u32::try_from(index)?.into();
            }
            if !children.is_empty() {
                layout.entries[index].first_child = first.into();
                layout.entries[index].child_count = u32::try_from(children.len())?.into();
            }
        }
        index += 1;
    }
    let bytes = layout.finish(label)?;
    check(bytes, label.procnto)
}

/// The parts of the image as they grow. Offsets of data are relative to the part until the end.
#[derive(Default)]
struct Layout {
    entries: Vec<RawEntry>,
    names: Vec<u8>,
    data: Vec<u8>,
}

impl Layout {
    fn add(&mut self, name: &str, node: &Node, time: u64) -> Result<&mut RawEntry> {
        let name_offset = u32::try_from(self.names.len())?;
        self.names.extend_from_slice(name.as_bytes());
        let (kind, offset, size) = self.add_content(&node.content)?;
        self.entries.push(RawEntry {
            name_offset: name_offset.into(),
            name_size: u32::try_from(name.len())?.into(),
            parent: 0.into(),
            first_child: 0.into(),
            child_count: 0.into(),
            mode: (kind.mode_bits() | node.mode).into(),
            uid: 0.into(),
            gid: 0.into(),
            mtime: time.into(),
            size: to_u64(size).into(),
            data_offset: to_u64(offset).into(),
            reserved: 0.into(),
        });
        self.entries.last_mut().context("an entry was just added")
    }

    fn add_content(&mut self, content: &Content) -> Result<(Kind, usize, usize)> {
        let what = || match content {
            Content::Host(path) => format!("reading {}", path.display()),
            Content::Directory(_) | Content::Bytes(_) | Content::Symlink(_) => String::new(),
        };
        let bytes = content.read().with_context(what)?;
        match content {
            Content::Directory(_) => Ok((Kind::Directory, 0, 0)),
            Content::Symlink(_) => {
                let offset = self.names.len();
                self.names.extend_from_slice(&bytes);
                Ok((Kind::Symlink, offset, bytes.len()))
            }
            Content::Host(_) | Content::Bytes(_) => {
                let offset = self.data.len();
                self.data.extend_from_slice(&bytes);
                self.data.resize(to_page(self.data.len()), 0);
                Ok((Kind::File, offset, bytes.len()))
            }
        }
    }

    fn finish(mut self, label: Label<'_>) -> Result<Vec<u8>> {
        let entries_offset = size_of::<Header>();
        let names_offset = entries_offset + size_of::<RawEntry>() * self.entries.len();
        let data_offset = to_page(names_offset + self.names.len());
        for entry in &mut self.entries {
            let base = match Kind::from_mode(entry.mode.get()) {
                Some(Kind::File) => data_offset,
                Some(Kind::Symlink) => names_offset,
                Some(Kind::Directory) | None => 0,
            };
            entry.data_offset += to_u64(base);
        }
        let mut header = Header {
            magic: MAGIC,
            version: VERSION.into(),
            entry_count: u32::try_from(self.entries.len())?.into(),
            entries_offset: to_u64(entries_offset).into(),
            names_offset: to_u64(names_offset).into(),
            names_size: to_u64(self.names.len()).into(),
            total_size: to_u64(data_offset + self.data.len()).into(),
            procnto: 0.into(),
            reserved: 0.into(),
            build_time: label.build_time.into(),
        };
        let mut bytes = header.as_bytes().to_vec();
        for entry in &self.entries {
            bytes.extend_from_slice(entry.as_bytes());
        }
        bytes.extend_from_slice(&self.names);
        bytes.resize(data_offset, 0);
        bytes.append(&mut self.data);
        let procnto = Image::new(&bytes)?.lookup(label.procnto.as_bytes());
        header.procnto =
            procnto.with_context(|| format!("no {} in it", label.procnto))?.index().into();
        bytes[..entries_offset].copy_from_slice(header.as_bytes());
        Ok(bytes)
    }
}

/// The last word belongs to the reader that the system uses.
fn check(bytes: Vec<u8>, procnto: &str) -> Result<Vec<u8>> {
    if Image::new(&bytes)?.procnto().is_none() {
        bail!("{procnto} is not a file");
    }
    Ok(bytes)
}

fn to_page(size: usize) -> usize {
    size.next_multiple_of(usize::try_from(PAGE).unwrap_or(usize::MAX))
}

fn to_u64(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABEL: Label<'static> = Label { procnto: "/sbin/procnto", build_time: 5 };

    fn sample() -> Tree {
        let mut tree = Tree::new();
        tree.add("/sbin/procnto", 0o755, Content::Bytes(b"ELF".to_vec())).unwrap();
        tree.add("/etc/rc", 0o700, Content::Bytes(vec![7; 5000])).unwrap();
        tree.add("/etc/empty", 0o644, Content::Bytes(vec![])).unwrap();
        tree.add("/bin/sh", 0o777, Content::Symlink("dash".into())).unwrap();
        tree.add_directory("/dev").unwrap();
        tree
    }

    #[test]
    fn the_reader_finds_everything_that_was_put_in() {
        let bytes = build(&sample(), LABEL).unwrap();
        let image = Image::new(&bytes).unwrap();
        assert_eq!(image.procnto().unwrap().data(), b"ELF");
        let rc = image.lookup(b"/etc/rc").unwrap();
        assert_eq!((rc.data(), rc.mode(), rc.mtime()), (&[7; 5000][..], 0o100_700, 5));
        assert_eq!(rc.data_offset() % PAGE, 0);
        assert!(image.lookup(b"/etc/empty").unwrap().data().is_empty());
        assert_eq!(image.lookup(b"/bin/sh").unwrap().data(), b"dash");
        assert_eq!(image.lookup(b"/dev").unwrap().kind(), Kind::Directory);
    }

    #[test]
    fn the_same_tree_gives_the_same_bytes() {
        assert_eq!(build(&sample(), LABEL).unwrap(), build(&sample(), LABEL).unwrap());
    }

    #[test]
    fn an_image_without_procnto_is_refused() {
        let label = Label { procnto: "/sbin/init", build_time: 5 };
        assert!(build(&sample(), label).unwrap_err().to_string().contains("/sbin/init"));
    }
}
