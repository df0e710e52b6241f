//! Connections to the servers of paths, which a thread keeps: with one, a path costs a message to its
//! server and none to the process manager.
//!
//! An answer of `PATH_RESOLVE` holds for all paths from its scope on until the name space changes,
//! which a counter on a shared page tells. Each thread has answers of its own, so that nobody else
//! closes a connection under it. A child has its parent's, as `fork` shares the connections; those of
//! its parent's other threads stay open in it, unused, until it execs or ends.

use crate::block::index;
use crate::sys;
use core::cell::Cell;
use core::ptr::with_exposed_provenance;
use core::sync::atomic::Ordering::Acquire;
use io_msg::proc::PathResolveReply;
use io_msg::start::{Changes, SHARED_PAGE};

/// Answers that a thread keeps.
const KEPT: usize = 4;
/// Longest scope that is kept.
const SCOPE_MAX: usize = 31;

/// What the process manager tells everybody.
pub(crate) fn changes() -> &'static Changes {
    // SAFETY: the process manager maps the page into every program, read-only and for good.
    unsafe { &*with_exposed_provenance::<Changes>(index(SHARED_PAGE)) }
}

/// One answer.
#[derive(Clone, Copy, Debug)]
struct Mount {
    coid: u32,
    /// Bytes of the prefix, without a slash behind it.
    prefix_length: u8,
    scope_length: u8,
    scope: [u8; SCOPE_MAX],
}

impl Mount {
    /// If the answer holds for a path: how much of it the connection covers.
    fn covered(&self, path: &[u8]) -> Option<usize> {
        let scope = self.scope.get(..usize::from(self.scope_length))?;
        let rest = path.strip_prefix(scope)?;
        if rest.first().is_some_and(|&byte| byte != b'/') {
            return None;
        }
        let end = usize::from(self.prefix_length);
        Some(end + usize::from(path.get(end) == Some(&b'/')))
    }
}

/// The answers of a thread.
#[derive(Debug)]
pub(crate) struct Mounts {
    generation: Cell<u32>,
    kept: [Cell<Option<Mount>>; KEPT],
    /// The one that was used last: the others go first.
    last: Cell<usize>,
}

impl Mounts {
    pub(crate) const fn new() -> Self {
        let kept = [const { Cell::new(None) }; KEPT];
        Self { generation: Cell::new(0), kept, last: Cell::new(0) }
    }

    /// The connection for a path, and how much of the path it covers.
    pub(crate) fn find(&self, path: &[u8]) -> Option<(u32, usize)> {
        if changes().paths.load(Acquire) != self.generation.get() {
            self.close();
            return None;
        }
        self.look_up(path)
    }

    fn look_up(&self, path: &[u8]) -> Option<(u32, usize)> {
        let found = self.kept.iter().enumerate().find_map(|(at, kept)| {
            let mount = kept.get()?;
            Some((at, mount.coid, mount.covered(path)?))
        });
        let (at, coid, covered) = found?;
        self.last.set(at);
        Some((coid, covered))
    }

    /// Keeps an answer for a path, whose connection is this thread's then; says whether it does.
    pub(crate) fn keep(&self, path: &[u8], answer: &PathResolveReply) -> bool {
        if answer.generation != self.generation.get() {
            self.close();
            self.generation.set(answer.generation);
        }
        let covered = path.get(..answer.prefix_length as usize).unwrap_or_default();
        let prefix = covered.strip_suffix(b"/").unwrap_or(covered);
        let scope = path.get(..answer.scope_length as usize).unwrap_or_default();
        if scope.is_empty() || scope.len() > SCOPE_MAX || prefix.len() > scope.len() {
            return false;
        }
        let (Ok(prefix_length), Ok(scope_length)) =
            (u8::try_from(prefix.len()), u8::try_from(scope.len()))
        else {
            return false;
        };
        let mut mount =
            Mount { coid: answer.coid, prefix_length, scope_length, scope: [0; SCOPE_MAX] };
        mount.scope[..scope.len()].copy_from_slice(scope);
        let at = (self.last.get() + 1) % KEPT;
        if let Some(old) = self.kept[at].replace(Some(mount)) {
            let _closed = sys::detach(old.coid);
        }
        self.last.set(at);
        true
    }

    /// Closes all connections.
    pub(crate) fn close(&self) {
        for old in self.kept.iter().filter_map(Cell::take) {
            let _closed = sys::detach(old.coid);
        }
    }

    /// Takes over those of a thread whose connections this one's process has, too.
    pub(crate) fn copy(&self, from: &Self) {
        self.generation.set(from.generation.get());
        self.last.set(from.last.get());
        for (to, from) in self.kept.iter().zip(&from.kept) {
            to.set(from.get());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mounts(answers: &[(&str, u32, u32, u32)]) -> Mounts {
        let mounts = Mounts::new();
        for &(path, coid, prefix_length, scope_length) in answers {
            let answer =
                PathResolveReply { coid, prefix_length, scope_length, ..Default::default() };
            assert!(mounts.keep(path.as_bytes(), &answer));
        }
        mounts
    }

    #[test]
    fn an_answer_holds_for_all_paths_from_its_scope_on() {
        let mounts = mounts(&[("/tmp/a", 7, 5, 4), ("/etc/rc", 8, 1, 4)]);
        assert_eq!(mounts.look_up(b"/tmp/b/c"), Some((7, 5)));
        assert_eq!(mounts.look_up(b"/tmp"), Some((7, 4)));
        assert_eq!(mounts.look_up(b"/etc/passwd"), Some((8, 1)));
    }

    #[test]
    fn it_holds_for_no_other_path() {
        let mounts = mounts(&[("/tmp/a", 7, 5, 4)]);
        assert_eq!(mounts.look_up(b"/tmpfile"), None);
        assert_eq!(mounts.look_up(b"/etc"), None);
        assert_eq!(mounts.look_up(b"/"), None);
    }

    #[test]
    fn an_answer_without_a_scope_is_not_kept() {
        let answer = PathResolveReply { coid: 7, prefix_length: 1, ..Default::default() };
        assert!(!Mounts::new().keep(b"/dev", &answer));
    }

    #[test]
    fn the_answer_that_was_used_last_stays_when_others_go() {
        let mounts = mounts(&[("/a/x", 1, 1, 2)]);
        for path in ["/b/x", "/c/x", "/d/x", "/e/x", "/f/x"] {
            assert_eq!(mounts.look_up(b"/a/y"), Some((1, 1)));
            let answer = PathResolveReply {
                coid: 9,
                prefix_length: 1,
                scope_length: 2,
                ..Default::default()
            };
            assert!(mounts.keep(path.as_bytes(), &answer));
        }
        assert_eq!(mounts.look_up(b"/a/y"), Some((1, 1)));
    }
}
