//! The boot image: one file that holds every file of the root file system.
//!
//! `xtask` writes it, the boot loader puts it in memory, the kernel looks for procnto's ELF in it, and
//! the boot file system serves it at `/`. [`Image::new`] checks every offset once; after that no lookup
//! can leave the bytes, so a corrupt image is an [`ImageError`] at boot and never a fault later.
//!
//! ```text
//! header | entries, breadth first | names and symlink targets | file data, each from a page boundary
//! ```
//!
//! Entry 0 is the root directory. The children of a directory are neighbours, sorted by name, and come
//! after it: a search is a binary search and there can be no cycle. All numbers are little-endian and
//! nothing needs alignment but file data, which the boot file system maps page by page.

use core::mem::size_of;
use core::ops::Range;

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The first eight bytes of a boot image.
pub const MAGIC: [u8; 8] = *b"NTRN-IMG";

/// The layout that this file describes.
pub const VERSION: u32 = 1;

/// File data start at multiples of this, in bytes; the rest of a last page is zero.
pub const PAGE: u64 = 4096;

/// The longest name of one entry, in bytes (POSIX: `NAME_MAX`).
pub const NAME_MAX: u32 = 255;

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

/// The start of the image. Offsets count from the first byte of the image.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: U32,
    /// How many [`RawEntry`] there are, the root included.
    pub entry_count: U32,
    /// Where the entries start.
    pub entries_offset: U64,
    /// Where the names start.
    pub names_offset: U64,
    /// Length of the names, in bytes.
    pub names_size: U64,
    /// Length of the whole image, in bytes.
    pub total_size: U64,
    /// Which entry is procnto's ELF file; 0 if none is.
    pub procnto: U32,
    /// Zero.
    pub reserved: U32,
    /// When the image was built, in seconds since 1970.
    pub build_time: U64,
}

/// One file, directory or symbolic link as it is stored.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct RawEntry {
    /// Where the name starts, counted from the start of the names.
    pub name_offset: U32,
    /// Length of the name, in bytes; 0 for the root only.
    pub name_size: U32,
    /// The directory that holds this entry; the root's parent is the root.
    pub parent: U32,
    /// A directory's first child; 0 otherwise.
    pub first_child: U32,
    /// How many children a directory has; 0 otherwise.
    pub child_count: U32,
    /// Type and permissions, as in `st_mode`.
    pub mode: U32,
    /// Owner.
    pub uid: U32,
    /// Group.
    pub gid: U32,
    /// Last modification, in seconds since 1970.
    pub mtime: U64,
    /// Length of the data, in bytes; 0 for a directory.
    pub size: U64,
    /// Where the data start, counted from the start of the image; 0 for a directory.
    pub data_offset: U64,
    /// Zero.
    pub reserved: U64,
}

const _: () = assert!(size_of::<Header>() == 64);
const _: () = assert!(size_of::<RawEntry>() == 64);

/// What an entry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A regular file.
    File,
    /// A symbolic link; its target is its data.
    Symlink,
}

impl Kind {
    /// Reads the type out of a `st_mode` value, if it is one that an image can hold.
    #[must_use]
    pub const fn from_mode(mode: u32) -> Option<Self> {
        match mode & S_IFMT {
            S_IFDIR => Some(Self::Directory),
            S_IFREG => Some(Self::File),
            S_IFLNK => Some(Self::Symlink),
            _ => None,
        }
    }

    /// The type bits of `st_mode` for this kind.
    #[must_use]
    pub const fn mode_bits(self) -> u32 {
        match self {
            Self::Directory => S_IFDIR,
            Self::File => S_IFREG,
            Self::Symlink => S_IFLNK,
        }
    }
}

/// Why bytes are not a boot image. The number is the entry at fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ImageError {
    /// Too short for a header, or shorter than the header says.
    Truncated,
    /// The first bytes are not [`MAGIC`].
    Magic,
    /// Another version than [`VERSION`].
    Version(u32),
    /// The entries or the names are not inside the image.
    Table,
    /// Entry 0 is missing or is not a nameless directory.
    Root,
    /// The header's procnto is not a regular file.
    Procnto,
    /// A name is outside the names, empty, too long, or holds `/` or NUL.
    Name(u32),
    /// The type is none of [`Kind`].
    Mode(u32),
    /// Data are outside the image, or not where their kind must be.
    Data(u32),
    /// A directory's children are not inside the table, behind it, and sorted.
    Children(u32),
    /// An entry is not among its parent's children.
    Parent(u32),
}

impl ImageError {
    /// What is wrong, without the number.
    #[must_use]
    pub const fn sentence(&self) -> &'static str {
        match self {
            Self::Truncated => "boot image is cut short",
            Self::Magic => "not a boot image",
            Self::Version(_) => "boot image has an unknown version",
            Self::Table => "boot image: entries or names lie outside",
            Self::Root => "boot image: entry 0 is not the root directory",
            Self::Procnto => "boot image: procnto is not a file in it",
            Self::Name(_) => "boot image: an entry has a bad name",
            Self::Mode(_) => "boot image: an entry has a bad type",
            Self::Data(_) => "boot image: an entry has bad data",
            Self::Children(_) => "boot image: an entry has bad children",
            Self::Parent(_) => "boot image: an entry has a bad parent",
        }
    }
}

impl core::fmt::Display for ImageError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.sentence())?;
        match self {
            Self::Truncated | Self::Magic | Self::Table | Self::Root | Self::Procnto => Ok(()),
            Self::Version(number)
            | Self::Name(number)
            | Self::Mode(number)
            | Self::Data(number)
            | Self::Children(number)
            | Self::Parent(number) => write!(f, " ({number})"),
        }
    }
}

impl core::error::Error for ImageError {}

/// A checked boot image.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    bytes: &'a [u8],
    header: Header,
    entries: &'a [RawEntry],
    names: &'a [u8],
}

impl core::fmt::Debug for Image<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Image").field("header", &self.header).finish_non_exhaustive()
    }
}

impl<'a> Image<'a> {
    /// Checks `bytes` and wraps them. Bytes after the image's own end are ignored.
    ///
    /// # Errors
    /// The first thing found that is not as this module describes.
    pub fn new(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let (header, _) = Header::read_from_prefix(bytes).map_err(|_| ImageError::Truncated)?;
        if header.magic != MAGIC {
            return Err(ImageError::Magic);
        }
        if header.version.get() != VERSION {
            return Err(ImageError::Version(header.version.get()));
        }
        let total = usize::try_from(header.total_size.get()).map_err(|_| ImageError::Truncated)?;
        let bytes = bytes.get(..total).ok_or(ImageError::Truncated)?;
        let count = usize::try_from(header.entry_count.get()).map_err(|_| ImageError::Table)?;
        let table = from(bytes, header.entries_offset.get()).ok_or(ImageError::Table)?;
        let (entries, _) = <[RawEntry]>::ref_from_prefix_with_elems(table, count)
            .map_err(|_| ImageError::Table)?;
        let names = part(bytes, header.names_offset.get(), header.names_size.get())
            .ok_or(ImageError::Table)?;
        let image = Self { bytes, header, entries, names };
        image.check()?;
        Ok(image)
    }

    /// When the image was built, in seconds since 1970.
    #[must_use]
    pub fn build_time(&self) -> u64 {
        self.header.build_time.get()
    }

    /// How many entries there are; their numbers are 0 up to this.
    #[must_use]
    pub fn entry_count(&self) -> u32 {
        self.header.entry_count.get()
    }

    /// The length of the image, in bytes.
    #[must_use]
    pub fn total_size(&self) -> u64 {
        self.header.total_size.get()
    }

    /// procnto's ELF file, if the image has one.
    #[must_use]
    pub fn procnto(&self) -> Option<Entry<'a>> {
        self.entry(self.header.procnto.get()).filter(|entry| entry.kind() == Kind::File)
    }

    /// The entry with number `index`, if there is one.
    #[must_use]
    pub fn entry(&self, index: u32) -> Option<Entry<'a>> {
        let raw = self.raw(index)?;
        let kind = Kind::from_mode(raw.mode.get())?;
        let name = part(self.names, raw.name_offset.get().into(), raw.name_size.get().into())?;
        let data = part(self.bytes, raw.data_offset.get(), raw.size.get())?;
        Some(Entry { index, raw, kind, name, data })
    }

    /// The entry called `name` in the directory with number `directory`.
    #[must_use]
    pub fn child(&self, directory: u32, name: &[u8]) -> Option<Entry<'a>> {
        let Range { start: mut low, end: mut high } = self.raw(directory).map(children)?;
        // Bound: the range halves, 32 turns.
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entry(middle)?;
            match entry.name().cmp(name) {
                core::cmp::Ordering::Equal => return Some(entry),
                core::cmp::Ordering::Less => low = middle.checked_add(1)?,
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Follows `path` from the root, without regard to symbolic links, `.` and `..`.
    #[must_use]
    pub fn lookup(&self, path: &[u8]) -> Option<Entry<'a>> {
        let mut parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty());
        parts.try_fold(self.entry(0)?, |directory, part| self.child(directory.index, part))
    }

    fn raw(&self, index: u32) -> Option<&'a RawEntry> {
        self.entries.get(usize::try_from(index).ok()?)
    }

    fn check(&self) -> Result<(), ImageError> {
        let root = self.raw(0).ok_or(ImageError::Root)?;
        let is_directory = Kind::from_mode(root.mode.get()) == Some(Kind::Directory);
        if !is_directory || root.name_size.get() != 0 || root.parent.get() != 0 {
            return Err(ImageError::Root);
        }
        for (index, raw) in (0..).zip(self.entries) {
            self.check_name(index, raw)?;
            self.check_data(index, raw)?;
        }
        for (index, raw) in (0..).zip(self.entries) {
            self.check_children(index, raw)?;
            self.check_parent(index, raw)?;
        }
        let procnto = self.header.procnto.get();
        if procnto != 0 && self.procnto().is_none() {
            return Err(ImageError::Procnto);
        }
        Ok(())
    }

    fn name(&self, raw: &RawEntry) -> Option<&'a [u8]> {
        part(self.names, raw.name_offset.get().into(), raw.name_size.get().into())
    }

    fn check_name(&self, index: u32, raw: &RawEntry) -> Result<(), ImageError> {
        let name = self.name(raw).ok_or(ImageError::Name(index))?;
        let has_bad_length = (index != 0) == name.is_empty() || raw.name_size.get() > NAME_MAX;
        let has_bad_bytes = name.iter().any(|&byte| byte == b'/' || byte == 0);
        if has_bad_length || has_bad_bytes || name == b"." || name == b".." {
            return Err(ImageError::Name(index));
        }
        Ok(())
    }

    fn check_data(&self, index: u32, raw: &RawEntry) -> Result<(), ImageError> {
        let kind = Kind::from_mode(raw.mode.get()).ok_or(ImageError::Mode(index))?;
        let offset = raw.data_offset.get();
        let data = part(self.bytes, offset, raw.size.get()).ok_or(ImageError::Data(index))?;
        let is_good = match kind {
            Kind::Directory => data.is_empty() && offset == 0,
            Kind::File => offset.is_multiple_of(PAGE),
            Kind::Symlink => !data.is_empty() && !data.contains(&0),
        };
        if is_good { Ok(()) } else { Err(ImageError::Data(index)) }
    }

    fn check_parent(&self, index: u32, raw: &RawEntry) -> Result<(), ImageError> {
        let parent = self.raw(raw.parent.get()).ok_or(ImageError::Parent(index))?;
        if index != 0 && !children(parent).contains(&index) {
            return Err(ImageError::Parent(index));
        }
        Ok(())
    }

    fn check_children(&self, index: u32, raw: &RawEntry) -> Result<(), ImageError> {
        let bad = ImageError::Children(index);
        let (first, count) = (raw.first_child.get(), raw.child_count.get());
        if count == 0 {
            return if first == 0 { Ok(()) } else { Err(bad) };
        }
        let end = first.checked_add(count).ok_or(bad)?;
        let is_directory = Kind::from_mode(raw.mode.get()) == Some(Kind::Directory);
        if !is_directory || first <= index || end > self.entry_count() {
            return Err(bad);
        }
        let mut previous: &[u8] = &[];
        // Bound: the children of all directories together are the entries of the image.
        for child in children(raw) {
            let child = self.raw(child).ok_or(bad)?;
            let name = self.name(child).ok_or(bad)?;
            if child.parent.get() != index || name <= previous {
                return Err(bad);
            }
            previous = name;
        }
        Ok(())
    }
}

/// One file, directory or symbolic link of a checked [`Image`].
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    index: u32,
    raw: &'a RawEntry,
    kind: Kind,
    name: &'a [u8],
    data: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Its number in the image; a good inode number, plus one.
    #[must_use]
    pub const fn index(&self) -> u32 {
        self.index
    }

    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Its last path component; empty for the root.
    #[must_use]
    pub const fn name(&self) -> &'a [u8] {
        self.name
    }

    /// A file's contents or a symbolic link's target; empty for a directory.
    #[must_use]
    pub const fn data(&self) -> &'a [u8] {
        self.data
    }

    /// Where the data start in the image, in bytes; a multiple of [`PAGE`] for a file.
    #[must_use]
    pub fn data_offset(&self) -> u64 {
        self.raw.data_offset.get()
    }

    /// Length of the data, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.raw.size.get()
    }

    /// Type and permissions, as in `st_mode`.
    #[must_use]
    pub fn mode(&self) -> u32 {
        self.raw.mode.get()
    }

    /// Owner.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.raw.uid.get()
    }

    /// Group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.raw.gid.get()
    }

    /// Last modification, in seconds since 1970.
    #[must_use]
    pub fn mtime(&self) -> u64 {
        self.raw.mtime.get()
    }

    /// The number of the directory that holds it; the root's is the root.
    #[must_use]
    pub fn parent(&self) -> u32 {
        self.raw.parent.get()
    }

    /// The numbers of a directory's children, sorted by name; empty for anything else.
    #[must_use]
    pub fn children(&self) -> Range<u32> {
        children(self.raw)
    }
}

fn children(raw: &RawEntry) -> Range<u32> {
    let first = raw.first_child.get();
    first..first.saturating_add(raw.child_count.get())
}

fn from(bytes: &[u8], offset: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(offset).ok()?..)
}

fn part(bytes: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    from(bytes, offset)?.get(..usize::try_from(size).ok()?)
}

#[cfg(test)]
#[path = "image_tests.rs"]
mod tests;
