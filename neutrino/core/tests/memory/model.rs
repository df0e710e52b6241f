//! What memory shall do, page by page: each page of a space knows what is behind it, and an object
//! is a vector of pages. Of each page only the first bytes are modelled.

use std::collections::BTreeMap;

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{PAGE_SIZE, prot};

/// Bytes of a page that are modelled.
pub(crate) const BYTES: usize = 8;
/// Those bytes.
pub(crate) type Bytes = [u8; BYTES];

/// When pages are charged; different kinds do not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charge {
    Object,
    Whole,
    Touched,
    NoReserve,
}

/// What is behind a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Back {
    Anonymous(Bytes),
    Shared { object: usize, page: u64 },
    Private { object: usize, page: u64, own: Option<Bytes> },
}

/// A mapped page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelPage {
    pub(crate) protection: u32,
    pub(crate) charge: Charge,
    pub(crate) back: Back,
}

/// An object.
#[derive(Clone, Debug)]
pub(crate) struct ModelObject {
    pub(crate) size: u64,
    pub(crate) pages: BTreeMap<u64, Bytes>,
}

/// A space.
pub(crate) type ModelSpace = BTreeMap<u64, ModelPage>;

/// Spaces and objects.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    pub(crate) spaces: Vec<Option<ModelSpace>>,
    pub(crate) objects: Vec<ModelObject>,
}

impl ModelPage {
    /// The page that follows it in the same mapping.
    pub(crate) fn next(&self) -> Self {
        let back = match self.back {
            Back::Anonymous(_) => Back::Anonymous([0; BYTES]),
            Back::Shared { object, page } => Back::Shared { object, page: page + 1 },
            Back::Private { object, page, .. } => {
                Back::Private { object, page: page + 1, own: None }
            }
        };
        Self { back, ..self.clone() }
    }

    fn is_followed_by(&self, other: &Self) -> bool {
        let mut bare = other.clone();
        match &mut bare.back {
            Back::Anonymous(bytes) => *bytes = [0; BYTES],
            Back::Private { own, .. } => *own = None,
            Back::Shared { .. } => {}
        }
        self.next() == bare
    }
}

impl Model {
    pub(crate) fn new_object(&mut self, pages: u64) -> usize {
        self.objects.push(ModelObject { size: pages * PAGE_SIZE, pages: BTreeMap::new() });
        self.objects.len() - 1
    }

    /// Mappings as (first page, pages).
    pub(crate) fn layout(space: &ModelSpace) -> Vec<(u64, u64)> {
        let mut found: Vec<(u64, u64)> = Vec::new();
        let mut last: Option<(u64, &ModelPage)> = None;
        for (number, page) in space {
            match last {
                Some((before, previous))
                    if before + 1 == *number && previous.is_followed_by(page) =>
                {
                    found.last_mut().unwrap().1 += 1;
                }
                _ => found.push((*number, 1)),
            }
            last = Some((*number, page));
        }
        found
    }

    /// The bytes that a page shows.
    pub(crate) fn read(&self, space: &ModelSpace, number: u64) -> Result<Bytes, Errno> {
        let page = space.get(&number).ok_or(Errno::EFAULT)?;
        if page.protection == prot::NONE {
            return Err(Errno::EFAULT);
        }
        match page.back {
            Back::Anonymous(bytes) => Ok(bytes),
            Back::Shared { object, page } => self.object_page(object, page),
            Back::Private { object, page, own } => {
                let original = self.object_page(object, page)?;
                Ok(own.unwrap_or(original))
            }
        }
    }

    pub(crate) fn write(&mut self, space: usize, number: u64, new: Bytes) -> Result<(), Errno> {
        let Some(Some(pages)) = self.spaces.get_mut(space) else { return Err(Errno::EFAULT) };
        let page = pages.get_mut(&number).ok_or(Errno::EFAULT)?;
        if page.protection & prot::WRITE == 0 {
            return Err(Errno::EFAULT);
        }
        let (Back::Shared { object, page: index } | Back::Private { object, page: index, .. }) =
            page.back
        else {
            page.back = Back::Anonymous(new);
            return Ok(());
        };
        let held = &mut self.objects[object];
        if index >= held.size.div_ceil(PAGE_SIZE) {
            return Err(Errno::EFAULT);
        }
        match &mut page.back {
            Back::Private { own, .. } => *own = Some(new),
            Back::Shared { .. } | Back::Anonymous(_) => {
                held.pages.insert(index, new);
            }
        }
        Ok(())
    }

    pub(crate) fn object_page(&self, object: usize, page: u64) -> Result<Bytes, Errno> {
        let held = &self.objects[object];
        if page >= held.size.div_ceil(PAGE_SIZE) {
            return Err(Errno::EFAULT);
        }
        Ok(held.pages.get(&page).copied().unwrap_or([0; BYTES]))
    }

    pub(crate) fn resize(&mut self, object: usize, size: u64) {
        let held = &mut self.objects[object];
        let pages = size.div_ceil(PAGE_SIZE);
        let end = size.min(held.size);
        held.size = size;
        held.pages.retain(|page, _| *page < pages);
        if let Some(bytes) = held.pages.get_mut(&(end / PAGE_SIZE)) {
            let kept = usize::try_from(end % PAGE_SIZE).unwrap();
            if kept != 0 && kept < BYTES {
                bytes[kept..].fill(0);
            }
        }
        for space in self.spaces.iter_mut().flatten() {
            for page in space.values_mut() {
                if let Back::Private { object: which, page: index, own } = &mut page.back
                    && *which == object
                    && *index >= pages
                {
                    *own = None;
                }
            }
        }
    }
}
