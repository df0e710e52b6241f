//! The loop of `/proc`, whose links to what others have open are asked for by workers meanwhile.
//!
//! A request that needs such a link is put aside; when the answer is there it is handled again from
//! the start, and finds the answer. So nothing here waits for anybody.

use super::STATE;
use super::kernel::Kernel;
use super::procfs::ProcFs;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};
use neutrino_rt::abi::handle::SYSMGR_COID;
use neutrino_rt::abi::message::Head;
use neutrino_rt::message::{self, Received};
use neutrino_rt::{Errno, channel};
use procnto::builtin::link::{Found, Link, Question, ask, check};
use procnto::state::{Job, Shared};
use procnto::system::System;
use resmgr::{Aside, Engine, Outcome, Request};

/// To the workers: a job is in the queue. To the thread of `/proc`: an answer is.
const PULSE_LINK: i8 = 1;
/// Bytes of a message that are received at once.
const BUFFER_BYTES: usize = 20 * 1024;

/// The thread of `/proc`'s connection to itself, for workers; 0 before it runs.
static ANSWERS: AtomicU32 = AtomicU32::new(0);

/// Links that workers ask for.
#[derive(Debug, Default)]
pub(super) struct Links {
    waiting: Aside,
    /// What the request in hand turned out to need.
    wanted: Cell<Option<Question>>,
    /// What a worker found out for the request in hand.
    found: Option<Found>,
}

impl Links {
    /// The target of a link to what a process has open, or EAGAIN: the request is to be put aside.
    pub(super) fn target(
        &self,
        request: &Request<'_>,
        pid: u32,
        link: Link,
    ) -> Result<Vec<u8>, Errno> {
        STATE.with(|state| {
            let process = state.processes.get(pid).map_err(|_| Errno::ENOENT)?;
            check(request.info(), process)
        })?;
        let question = Question { pid, link, rcvid: request.rcvid };
        match &self.found {
            Some(found) if found.question == question => found.target.clone(),
            Some(_) | None => {
                self.wanted.set(Some(question));
                Err(Errno::EAGAIN)
            }
        }
    }

    /// A client does not wait any more.
    pub(super) fn forget(&mut self, rcvid: u64) {
        self.waiting.unblock(rcvid);
    }
}

/// A worker asks, and tells the thread of `/proc`.
pub(super) fn answer(question: &Question) {
    let found = ask(&STATE, &Kernel, question);
    STATE.with(|state| state.links.push(found));
    Kernel.pulse(ANSWERS.load(Ordering::Relaxed), PULSE_LINK, 0);
}

/// Receives and answers for ever; returns only if the channel is gone.
pub(super) fn serve(engine: &mut Engine<ProcFs>, chid: u32) -> Errno {
    match channel::connect_self(chid, 0) {
        Ok(own) => ANSWERS.store(own.into_raw(), Ordering::Relaxed),
        Err(errno) => return errno,
    }
    let mut buffer = vec![0; BUFFER_BYTES];
    // Bound: none; this is what a server does.
    loop {
        match message::receive(chid, &mut buffer) {
            Ok(Received::Message { rcvid, head }) => handle(engine, rcvid, &head, &buffer),
            Ok(Received::Pulse(pulse)) if pulse.code == PULSE_LINK => go_on(engine),
            Ok(Received::Pulse(pulse)) => engine.pulse(&pulse),
            Err(Errno::EINTR | Errno::ETIMEDOUT | Errno::EFAULT) => {}
            Err(errno) => return errno,
        }
    }
}

fn handle(engine: &mut Engine<ProcFs>, rcvid: u64, head: &Head, buffer: &[u8]) {
    let (outcome, data) = engine.handle(rcvid, head, buffer);
    if let Some(question) = engine.server.links.wanted.take() {
        engine.server.links.waiting.put(rcvid, head, buffer);
        STATE.with(|state| state.jobs.push_back(Job::Link(question)));
        Kernel.pulse(SYSMGR_COID, PULSE_LINK, 0);
    } else if let Outcome::Reply(answer) = outcome {
        Kernel.reply(rcvid, answer, &data);
    }
}

/// Takes up the requests that have their answers.
fn go_on(engine: &mut Engine<ProcFs>) {
    while let Some(found) = STATE.with(|state| state.links.pop()) {
        let Some(waiting) = engine.server.links.waiting.take(found.question.rcvid) else {
            continue;
        };
        engine.server.links.found = Some(found);
        handle(engine, waiting.rcvid, &waiting.head, &waiting.bytes);
        engine.server.links.found = None;
    }
}
