//! The reader on a small image, whole and broken in every way it guards against.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test's numbers are small"
)]

extern crate std;

use std::vec;
use std::vec::Vec;

use super::*;

/// A small image: `/bin/sh` (file), `/etc` (empty), `/link` -> `bin`. procnto is `/bin/sh`.
struct Sample {
    header: Header,
    entries: Vec<RawEntry>,
    names: Vec<u8>,
}

const ROOT: usize = 0;
const BIN: usize = 1;
const ETC: usize = 2;
const LINK: usize = 3;
const SHELL: usize = 4;

fn raw(name: (u32, u32), parent: u32, mode: u32) -> RawEntry {
    RawEntry {
        name_offset: name.0.into(),
        name_size: name.1.into(),
        parent: parent.into(),
        first_child: 0.into(),
        child_count: 0.into(),
        mode: mode.into(),
        uid: 0.into(),
        gid: 0.into(),
        mtime: 7.into(),
        size: 0.into(),
        data_offset: 0.into(),
        reserved: 0.into(),
    }
}

impl Sample {
    fn new() -> Self {
        let names = b"binetclinksh".to_vec();
        let mut entries = vec![
            raw((0, 0), 0, S_IFDIR | 0o755),
            raw((0, 3), 0, S_IFDIR | 0o755),
            raw((3, 3), 0, S_IFDIR | 0o755),
            raw((6, 4), 0, S_IFLNK | 0o777),
            raw((10, 2), 1, S_IFREG | 0o555),
        ];
        entries[ROOT].first_child = 1.into();
        entries[ROOT].child_count = 3.into();
        entries[BIN].first_child = 4.into();
        entries[BIN].child_count = 1.into();
        let names_offset = 64 + 64 * entries.len() as u64;
        entries[LINK].data_offset = names_offset.into();
        entries[LINK].size = 3.into();
        entries[SHELL].data_offset = PAGE.into();
        entries[SHELL].size = 5.into();
        let header = Header {
            magic: MAGIC,
            version: VERSION.into(),
            entry_count: 5.into(),
            entries_offset: 64.into(),
            names_offset: names_offset.into(),
            names_size: (names.len() as u64).into(),
            total_size: (2 * PAGE).into(),
            procnto: 4.into(),
            reserved: 0.into(),
            build_time: 99.into(),
        };
        Self { header, entries, names }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.as_bytes().to_vec();
        for entry in &self.entries {
            bytes.extend_from_slice(entry.as_bytes());
        }
        bytes.extend_from_slice(&self.names);
        bytes.resize(PAGE as usize, 0);
        bytes.extend_from_slice(b"hello");
        bytes.resize(2 * PAGE as usize, 0);
        bytes
    }
}

/// Breaks the sample with `spoil` and returns what the reader says.
fn error_after(spoil: impl FnOnce(&mut Sample)) -> ImageError {
    let mut sample = Sample::new();
    spoil(&mut sample);
    Image::new(&sample.bytes()).unwrap_err()
}

#[test]
fn a_good_image_is_read_as_it_was_written() {
    let bytes = Sample::new().bytes();
    let image = Image::new(&bytes).unwrap();
    let shell = image.lookup(b"/bin/sh").unwrap();
    assert_eq!(shell.data(), b"hello");
    assert_eq!((shell.index(), shell.parent(), shell.mtime()), (4, 1, 7));
    assert_eq!((shell.kind(), shell.mode() & 0o7777), (Kind::File, 0o555));
    assert_eq!(image.lookup(b"link").unwrap().data(), b"bin");
    assert_eq!(image.lookup(b"/").unwrap().children(), 1..4);
    assert_eq!(image.procnto().unwrap().index(), 4);
    assert_eq!(image.build_time(), 99);
}

#[test]
fn a_name_that_is_not_there_is_not_found() {
    let bytes = Sample::new().bytes();
    let image = Image::new(&bytes).unwrap();
    for path in ["/bin/s", "/bin/shh", "/a", "/zzz", "/bin/sh/x", "/etc/x"] {
        assert!(image.lookup(path.as_bytes()).is_none(), "{path}");
    }
    assert!(image.entry(5).is_none());
    assert!(image.child(u32::MAX, b"x").is_none());
}

#[test]
fn a_bad_header_is_refused() {
    assert_eq!(Image::new(&[]).unwrap_err(), ImageError::Truncated);
    assert_eq!(Image::new(&Sample::new().bytes()[..5000]).unwrap_err(), ImageError::Truncated);
    assert_eq!(error_after(|s| s.header.magic[0] = 0), ImageError::Magic);
    assert_eq!(error_after(|s| s.header.version = 2.into()), ImageError::Version(2));
    assert_eq!(error_after(|s| s.header.total_size = u64::MAX.into()), ImageError::Truncated);
    assert_eq!(error_after(|s| s.header.entry_count = u32::MAX.into()), ImageError::Table);
    assert_eq!(error_after(|s| s.header.entries_offset = u64::MAX.into()), ImageError::Table);
    assert_eq!(error_after(|s| s.header.names_offset = u64::MAX.into()), ImageError::Table);
    assert_eq!(error_after(|s| s.header.names_size = 9000.into()), ImageError::Table);
    assert_eq!(error_after(|s| s.header.procnto = 1.into()), ImageError::Procnto);
    assert_eq!(error_after(|s| s.header.procnto = 77.into()), ImageError::Procnto);
}

#[test]
fn an_image_without_procnto_is_still_an_image() {
    let mut sample = Sample::new();
    sample.header.procnto = 0.into();
    assert!(Image::new(&sample.bytes()).unwrap().procnto().is_none());
}

#[test]
fn a_bad_root_is_refused() {
    assert_eq!(error_after(|s| s.header.entry_count = 0.into()), ImageError::Root);
    assert_eq!(error_after(|s| s.entries[ROOT].mode = S_IFREG.into()), ImageError::Root);
    assert_eq!(error_after(|s| s.entries[ROOT].name_size = 1.into()), ImageError::Root);
    assert_eq!(error_after(|s| s.entries[ROOT].parent = 1.into()), ImageError::Root);
}

#[test]
fn a_bad_name_is_refused() {
    assert_eq!(error_after(|s| s.entries[ETC].name_offset = 99.into()), ImageError::Name(2));
    assert_eq!(error_after(|s| s.entries[ETC].name_size = 0.into()), ImageError::Name(2));
    assert_eq!(error_after(|s| s.names[0] = b'/'), ImageError::Name(1));
    assert_eq!(error_after(|s| s.names[0] = 0), ImageError::Name(1));
    assert_eq!(error_after(|s| s.names[10..].fill(b'.')), ImageError::Name(4));
}

#[test]
fn bad_data_are_refused() {
    let page = U64::from(PAGE);
    assert_eq!(error_after(|s| s.entries[SHELL].size = u64::MAX.into()), ImageError::Data(4));
    assert_eq!(error_after(|s| s.entries[SHELL].data_offset = 4097.into()), ImageError::Data(4));
    assert_eq!(error_after(|s| s.entries[LINK].size = 0.into()), ImageError::Data(3));
    assert_eq!(
        error_after(|s| s.entries[LINK].data_offset = (PAGE + 4).into()),
        ImageError::Data(3)
    );
    assert_eq!(error_after(|s| s.entries[ETC].data_offset = page), ImageError::Data(2));
    assert_eq!(error_after(|s| s.entries[SHELL].mode = 0o020_000.into()), ImageError::Mode(4));
}

#[test]
fn a_bad_tree_is_refused() {
    assert_eq!(error_after(|s| s.entries[SHELL].parent = 0.into()), ImageError::Children(1));
    assert_eq!(error_after(|s| s.entries[SHELL].parent = 9.into()), ImageError::Children(1));
    assert_eq!(error_after(|s| s.entries[ROOT].child_count = 4.into()), ImageError::Children(0));
    assert_eq!(error_after(|s| s.entries[ROOT].child_count = 2.into()), ImageError::Parent(3));
    assert_eq!(error_after(|s| s.entries[BIN].first_child = 1.into()), ImageError::Children(1));
    assert_eq!(error_after(|s| s.entries[ETC].first_child = 4.into()), ImageError::Children(2));
    assert_eq!(error_after(|s| s.entries[SHELL].child_count = 1.into()), ImageError::Children(4));
    assert_eq!(
        error_after(|s| s.entries[BIN].child_count = u32::MAX.into()),
        ImageError::Children(1)
    );
    assert_eq!(error_after(|s| s.names[0..3].fill(b'x')), ImageError::Children(0));
}

#[test]
fn no_single_broken_byte_makes_the_reader_panic() {
    let good = Sample::new().bytes();
    for position in 0..500 {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = good.clone();
            bytes[position] = value;
            if let Ok(image) = Image::new(&bytes) {
                let count = (0..image.entry_count()).filter_map(|index| image.entry(index)).count();
                assert_eq!(count, image.entry_count() as usize);
            }
        }
    }
}
