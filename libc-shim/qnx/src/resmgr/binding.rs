//! Open files: which OCB and which functions belong to a connection.

use crate::kernel::call;
use crate::memory::{Address, view};
use crate::resmgr::dispatch::Dispatch;
use crate::resmgr::layout::{IoFunc, IoFuncs, IoHandler};
use crate::resmgr::path::Mount;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use neutrino_abi::Errno;
use neutrino_abi::calls::Call;

/// What `resmgr_open_bind` ties together.
pub(crate) struct Binding {
    pub(crate) ocb: Address<c_void>,
    pub(crate) funcs: Address<IoFuncs>,
    pub(crate) mount: Arc<Mount>,
    /// Path below the attachment that it was opened by.
    pub(crate) path: Vec<u8>,
    pub(crate) dispatch: Address<Dispatch>,
    /// Its name on the connection; 0 while it has none.
    pub(crate) badge: AtomicU64,
    scoid: AtomicU32,
    /// Readiness that the kernel was told last.
    ready: AtomicU32,
}

impl Binding {
    /// A function of the open file's table.
    pub(crate) fn func(&self, which: IoFunc) -> IoHandler {
        view(self.funcs.0)?.get(which)
    }

    /// An open file that no client has yet.
    pub(crate) fn new(
        dispatch: *const Dispatch,
        (ocb, funcs): (*mut c_void, *mut IoFuncs),
        (mount, path): (Arc<Mount>, Vec<u8>),
    ) -> Self {
        let dispatch = Address(dispatch.cast_mut());
        let (ocb, funcs) = (Address(ocb), Address(funcs));
        let badge = AtomicU64::new(0);
        let (scoid, ready) = (AtomicU32::new(0), AtomicU32::new(0));
        Self { ocb, funcs, mount, path, dispatch, badge, scoid, ready }
    }

    /// Its name on the connection.
    pub(crate) fn badge(&self) -> u64 {
        self.badge.load(Ordering::Acquire)
    }

    /// Gives the client that waits a connection; returns its number there.
    ///
    /// # Errors
    /// EMFILE, EAGAIN, ESRCH.
    pub(crate) fn grant(self: &Arc<Self>, rcvid: c_int) -> Result<i32, Errno> {
        let dispatch = view(self.dispatch.0).ok_or(Errno::EBADF)?;
        let rcvid = crate::receive::rcvid(rcvid)?;
        self.name(dispatch);
        let (badge, bits) = (self.badge(), self.ready.load(Ordering::Acquire));
        let granted = call(Call::MsgGrant { rcvid, badge, bits });
        if granted.is_err() {
            dispatch.state.lock().bindings.close(badge);
        }
        let both = granted?.cast_unsigned();
        self.scoid.store((both >> 32) as u32, Ordering::Release);
        // What has changed since is told now.
        let now = self.ready.load(Ordering::Acquire);
        if now != bits {
            self.ready.store(bits, Ordering::Release);
            self.set_ready(now);
        }
        Ok(both as i32)
    }

    /// Gives the open file its name on the connection that a client is about to get.
    pub(crate) fn name(self: &Arc<Self>, dispatch: &Dispatch) {
        let mut state = dispatch.state.lock();
        if self.badge() == 0 {
            self.badge.store(state.bindings.next_badge(), Ordering::Release);
            state.bindings.insert(Arc::clone(self));
        }
    }

    /// Tells the kernel, and so whoever polls, what the open file is ready for.
    pub(crate) fn set_ready(&self, bits: u32) {
        let (scoid, badge) = (self.scoid.load(Ordering::Acquire), self.badge());
        if self.ready.swap(bits, Ordering::AcqRel) != bits && scoid != 0 {
            // A connection that is closing needs no readiness.
            let _gone = call(Call::ConnectReady { scoid, badge, bits });
        }
    }

    /// As [`Binding::set_ready`], beside what it is ready for already.
    pub(crate) fn add_ready(&self, bits: u32) {
        self.set_ready(self.ready.load(Ordering::Acquire) | bits);
    }
}

enum Slot {
    Free,
    Open {
        binding: Arc<Binding>,
        users: u32,
    },
    /// Closed by the client, while others still work on it.
    Closing {
        binding: Arc<Binding>,
        users: u32,
    },
}

/// All open files of a dispatch structure, by badge.
#[derive(Default)]
pub(crate) struct Bindings {
    slots: Vec<Slot>,
    generation: u32,
}

impl Bindings {
    /// The badge that the next open file will have.
    pub(crate) fn next_badge(&mut self) -> u64 {
        let free = self.slots.iter().position(|slot| matches!(slot, Slot::Free));
        let index = free.unwrap_or(self.slots.len());
        self.generation = self.generation.wrapping_add(1) & 0x3fff_ffff;
        u64::from(self.generation) << 32 | (index as u64 + 1)
    }

    /// Adds an open file under the badge that [`Bindings::next_badge`] told.
    pub(crate) fn insert(&mut self, binding: Arc<Binding>) {
        let index = index(binding.badge());
        if index == self.slots.len() {
            self.slots.push(Slot::Free);
        }
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Slot::Open { binding, users: 0 };
        }
    }

    /// Begins to work on an open file.
    pub(crate) fn enter(&mut self, badge: u64) -> Option<Arc<Binding>> {
        match self.slots.get_mut(index(badge))? {
            Slot::Open { binding, users } if binding.badge() == badge => {
                *users += 1;
                Some(Arc::clone(binding))
            }
            Slot::Open { .. } | Slot::Closing { .. } | Slot::Free => None,
        }
    }

    /// Ends it; gives the open file back if it is to be closed now.
    pub(crate) fn leave(&mut self, badge: u64) -> Option<Arc<Binding>> {
        let slot = self.slots.get_mut(index(badge))?;
        match slot {
            Slot::Open { binding, users } if binding.badge() == badge => {
                *users = users.saturating_sub(1);
                None
            }
            Slot::Closing { binding, users } if binding.badge() == badge => {
                *users = users.saturating_sub(1);
                if *users > 0 {
                    return None;
                }
                let binding = Arc::clone(binding);
                *slot = Slot::Free;
                Some(binding)
            }
            Slot::Open { .. } | Slot::Closing { .. } | Slot::Free => None,
        }
    }

    /// The client has closed an open file; gives it back if it is to be closed now.
    pub(crate) fn close(&mut self, badge: u64) -> Option<Arc<Binding>> {
        let slot = self.slots.get_mut(index(badge))?;
        let Slot::Open { binding, users } = slot else { return None };
        if binding.badge() != badge {
            return None;
        }
        let (binding, users) = (Arc::clone(binding), *users);
        *slot = if users == 0 {
            Slot::Free
        } else {
            Slot::Closing { binding: Arc::clone(&binding), users }
        };
        (users == 0).then_some(binding)
    }

    /// The open file with this badge.
    pub(crate) fn find(&self, badge: u64) -> Option<&Arc<Binding>> {
        self.iter().find(|binding| binding.badge() == badge)
    }

    /// The badges of those that are open.
    pub(crate) fn badges(&self) -> Vec<u64> {
        self.iter().map(|binding| binding.badge()).collect()
    }

    /// Those that are open.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Binding>> {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Open { binding, .. } => Some(binding),
            Slot::Closing { .. } | Slot::Free => None,
        })
    }
}

fn index(badge: u64) -> usize {
    ((badge & 0xffff_ffff) as usize).wrapping_sub(1)
}
