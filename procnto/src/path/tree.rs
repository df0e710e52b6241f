//! The attachments, by prefix.
//!
//! A prefix has no slash at its end; the root's is empty. At one prefix there may be several
//! attachments; the first one owns the path.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use neutrino_abi::Errno;

/// One attachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Its number.
    pub id: u32,
    /// Its path, without a slash at the end.
    pub prefix: Vec<u8>,
    /// Handle of the connection that clients get a copy of; the tree's owner closes it.
    pub connection: u32,
    /// The server's process.
    pub pid: u32,
    /// Type and permissions, as a listing of the parent shows them.
    pub mode: u32,
    /// Whether it owns what is below.
    pub extent: Extent,
}

/// What an attachment owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Its path alone.
    Node,
    /// Its path and everything below.
    Tree,
}

/// Where an attachment goes among others at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Before them.
    Front,
    /// Behind them.
    Back,
}

/// The prefix tree.
#[derive(Debug, Default)]
pub struct Tree {
    by_prefix: BTreeMap<Vec<u8>, Vec<Attachment>>,
    last_id: u32,
    /// Changes whenever an attachment comes or goes.
    pub generation: u32,
}

/// What a path resolves to.
#[derive(Debug, PartialEq, Eq)]
pub struct Resolved<'a> {
    /// Who owns it.
    pub attachment: &'a Attachment,
    /// Bytes of the path that the prefix covers, with the slashes behind it.
    pub length: usize,
}

impl Tree {
    /// Adds an attachment; gives its id.
    pub fn attach(&mut self, new: Attachment, order: Order) -> u32 {
        self.last_id = self.last_id.wrapping_add(1) & 0x7fff_ffff;
        self.generation = self.generation.wrapping_add(1);
        let id = self.last_id;
        let list = self.by_prefix.entry(new.prefix.clone()).or_default();
        let at = if order == Order::Front { 0 } else { list.len() };
        list.insert(at, Attachment { id, ..new });
        id
    }

    /// Takes an attachment out.
    pub fn detach(&mut self, id: u32) -> Option<Attachment> {
        let prefix = self.get(id)?.prefix.clone();
        let list = self.by_prefix.get_mut(&prefix)?;
        let at = list.iter().position(|attachment| attachment.id == id)?;
        let gone = list.remove(at);
        if list.is_empty() {
            self.by_prefix.remove(&prefix);
        }
        self.generation = self.generation.wrapping_add(1);
        Some(gone)
    }

    /// The attachment with this id.
    #[must_use]
    pub fn get(&self, id: u32) -> Option<&Attachment> {
        self.iter().find(|attachment| attachment.id == id)
    }

    /// All attachments, by prefix.
    pub fn iter(&self) -> impl Iterator<Item = &Attachment> {
        self.by_prefix.values().flatten()
    }

    /// The owner of an absolute path: the longest prefix of its components. The walk stops at `..`,
    /// whose meaning only the server so far can know.
    ///
    /// # Errors
    /// EINVAL for a relative path, ENOENT if nobody owns it.
    pub fn resolve(&self, path: &[u8]) -> Result<Resolved<'_>, Errno> {
        if path.first() != Some(&b'/') {
            return Err(Errno::EINVAL);
        }
        let mut at = skip_slashes(path, 0);
        let mut best = self.owner(&[]).map(|attachment| Resolved { attachment, length: at });
        let mut prefix: Vec<u8> = Vec::new();
        while at < path.len() {
            let end =
                path[at..].iter().position(|&byte| byte == b'/').map_or(path.len(), |n| at + n);
            let component = &path[at..end];
            at = skip_slashes(path, end);
            if component == b"." {
                continue;
            }
            if component == b".." {
                break;
            }
            prefix.push(b'/');
            prefix.extend_from_slice(component);
            if let Some(attachment) = self.owner(&prefix) {
                best = Some(Resolved { attachment, length: at });
            }
        }
        best.ok_or(Errno::ENOENT)
    }

    /// The length of the shortest part of a path, of whole components and as long as the owner's
    /// prefix, at and below which there is no other attachment; 0 if there is none.
    #[must_use]
    pub fn scope(&self, path: &[u8], found: &Resolved<'_>) -> usize {
        let own = &found.attachment.prefix;
        if !path.starts_with(own) {
            return 0;
        }
        let ends = (own.len().max(1)..=path.len())
            .filter(|&end| path.get(end).is_none_or(|&byte| byte == b'/'));
        for end in ends {
            let place = &path[..end];
            let is_plain = place[own.len()..]
                .split(|&byte| byte == b'/')
                .skip(1)
                .all(|component| !component.is_empty() && component != b"." && component != b"..");
            if !is_plain {
                return 0;
            }
            let is_alone = |other: &Attachment| {
                !is_below(&other.prefix, place) && (other.prefix != place || other.prefix == *own)
            };
            if self.iter().all(is_alone) {
                return end;
            }
        }
        0
    }

    fn owner(&self, prefix: &[u8]) -> Option<&Attachment> {
        self.by_prefix.get(prefix)?.first()
    }

    /// The attachment that owns the path around a prefix, if that were not there.
    #[must_use]
    pub fn around(&self, prefix: &[u8]) -> Option<&Attachment> {
        let mut end = prefix.len();
        while let Some(slash) = prefix[..end].iter().rposition(|&byte| byte == b'/') {
            if let Some(owner) = self.owner(&prefix[..slash]) {
                return Some(owner);
            }
            end = slash;
        }
        None
    }

    /// The attachments below a prefix whose surroundings the attachment at that prefix owns.
    pub fn directly_below<'a>(&'a self, prefix: &'a [u8]) -> impl Iterator<Item = &'a Attachment> {
        self.iter().filter(move |attachment| {
            is_below(&attachment.prefix, prefix)
                && self.around(&attachment.prefix).is_some_and(|owner| owner.prefix == prefix)
        })
    }

    /// What a listing of a directory that nobody else keeps shows: name and mode of each child.
    #[must_use]
    pub fn children(&self, prefix: &[u8]) -> Vec<(Vec<u8>, u32)> {
        const DIRECTORY: u32 = io_msg::stat::mode::IFDIR | 0o755;
        let mut children: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
        for attachment in self.iter().filter(|a| is_below(&a.prefix, prefix)) {
            let rest = &attachment.prefix[prefix.len() + 1..];
            match rest.iter().position(|&byte| byte == b'/') {
                Some(end) => {
                    children.entry(rest[..end].to_vec()).or_insert(DIRECTORY);
                }
                None => {
                    children.insert(rest.to_vec(), attachment.mode);
                }
            }
        }
        children.into_iter().collect()
    }
}

fn skip_slashes(path: &[u8], from: usize) -> usize {
    let slashes = path[from..].iter().take_while(|&&byte| byte == b'/').count();
    from + slashes
}

fn is_below(path: &[u8], prefix: &[u8]) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.first() == Some(&b'/'))
}

/// A path as a prefix: absolute, no empty, `.` or `..` components, no slash at the end.
///
/// # Errors
/// EINVAL for anything that cannot be one.
pub fn prefix_of(path: &[u8]) -> Result<Vec<u8>, Errno> {
    if path.first() != Some(&b'/') || path.contains(&0) {
        return Err(Errno::EINVAL);
    }
    let mut prefix = Vec::new();
    for component in path.split(|&byte| byte == b'/').filter(|c| !c.is_empty() && *c != b".") {
        if component == b".." {
            return Err(Errno::EINVAL);
        }
        prefix.push(b'/');
        prefix.extend_from_slice(component);
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(prefixes: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for prefix in prefixes {
            let new = Attachment {
                id: 0,
                prefix: prefix_of(prefix.as_bytes()).unwrap(),
                connection: 7,
                pid: 5,
                mode: 0o20666,
                extent: Extent::Tree,
            };
            tree.attach(new, Order::Front);
        }
        tree
    }

    fn owner(tree: &Tree, path: &str) -> (std::string::String, usize) {
        let found = tree.resolve(path.as_bytes()).unwrap();
        (std::string::String::from_utf8(found.attachment.prefix.clone()).unwrap(), found.length)
    }

    #[test]
    fn the_longest_prefix_of_whole_components_owns_a_path() {
        let tree = tree(&["/", "/dev", "/dev/null"]);
        assert_eq!(owner(&tree, "/etc/rc"), ("".into(), 1));
        assert_eq!(owner(&tree, "/dev"), ("/dev".into(), 4));
        assert_eq!(owner(&tree, "/dev/nullify"), ("/dev".into(), 5));
        assert_eq!(owner(&tree, "//dev/./null"), ("/dev/null".into(), 12));
        assert_eq!(owner(&tree, "/bin/../dev/null"), ("".into(), 1));
    }

    #[test]
    fn the_scope_of_an_answer_ends_where_others_are_attached() {
        let tree = tree(&["/", "/dev", "/dev/null", "/tmp"]);
        let scope = |path: &'static str| {
            let length = tree.scope(path.as_bytes(), &tree.resolve(path.as_bytes()).unwrap());
            &path[..length]
        };
        assert_eq!(scope("/tmp/a/b"), "/tmp");
        assert_eq!(scope("/etc/rc"), "/etc");
        assert_eq!(scope("/dev/ttyS0"), "/dev/ttyS0");
        assert_eq!(scope("/dev/null"), "/dev/null");
        assert_eq!(scope("/dev"), "");
        assert_eq!(scope("/"), "");
        assert_eq!(scope("/./etc"), "");
        assert_eq!(scope("/../etc"), "");
        assert_eq!(scope("//etc"), "");
    }

    #[test]
    fn without_a_root_most_paths_have_no_owner() {
        assert_eq!(tree(&["/dev"]).resolve(b"/etc"), Err(Errno::ENOENT));
        assert_eq!(tree(&["/dev"]).resolve(b"dev"), Err(Errno::EINVAL));
    }

    #[test]
    fn an_attachment_is_below_the_nearest_one_around_it() {
        let tree = tree(&["/", "/dev", "/dev/pts", "/tmp"]);
        let below: Vec<&[u8]> = tree.directly_below(b"").map(|a| a.prefix.as_slice()).collect();
        assert_eq!(below, [b"/dev".as_slice(), b"/tmp"]);
        assert_eq!(tree.around(b"/dev/pts").unwrap().prefix, b"/dev");
    }

    #[test]
    fn a_listing_shows_each_component_once() {
        let tree = tree(&["/dev", "/dev/a", "/dev/b/c", "/dev/b/d"]);
        let names: Vec<Vec<u8>> =
            tree.children(b"/dev").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [b"a".to_vec(), b"b".to_vec()]);
    }
}
