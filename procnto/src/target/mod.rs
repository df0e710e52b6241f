//! procnto's threads: workers on channel 1, and one for procnto's own nodes on channel 2.

mod first_program;
mod kernel;
mod links;
mod nodes;
mod procfs;
mod random;

use kernel::Kernel;
use neutrino_rt::abi::handle::{SIDE_CHANNEL, SYSMGR_CHID, SYSMGR_COID};
use neutrino_rt::abi::image::{Image, Kind};
use neutrino_rt::abi::memory::PAGE_SIZE;
use neutrino_rt::abi::message::{MsgInfo, chf};
use neutrino_rt::message::{self, Received};
use neutrino_rt::start::Arguments;
use neutrino_rt::sync::Mutex;
use neutrino_rt::{Errno, channel, log, manager, memory, thread};
use procnto::memory::boot_image::BootFile;
use procnto::memory::elf;
use procnto::memory::space::Pieces;
use procnto::process::{death, exec, shutdown};
use procnto::state::{Answer, Client, Job, Shared, State};
use procnto::{boot, server};

/// Threads that receive on channel 1. All but two may wait for other servers.
const WORKERS: usize = 6;
/// Where the personality lies in the boot image.
const SHIM: &[u8] = b"/lib/libc-shim";
/// Bytes of a message that are received at once.
const BUFFER_BYTES: usize = 512;

/// The state and its lock.
pub(crate) struct Locked(Mutex<Option<State>>);

pub(crate) static STATE: Locked = Locked(Mutex::new(None));

impl Shared for Locked {
    fn with<R>(&self, body: impl FnOnce(&mut State) -> R) -> R {
        body(self.0.lock().get_or_insert_with(State::default))
    }
}

pub(crate) fn main(_arguments: &Arguments) -> i32 {
    match start() {
        Ok(()) => work(),
        Err((what, errno)) => log!("procnto: cannot {what}: {errno}"),
    }
    1
}

/// Brings procnto up; the caller becomes the first worker.
fn start() -> Result<(), (&'static str, Errno)> {
    open_channel().map_err(|errno| ("open its channel", errno))?;
    let pieces = pieces().map_err(|errno| ("read the boot image", errno))?;
    STATE.with(|state| state.pieces = pieces);
    for _ in 1..WORKERS {
        thread::spawn(work).map_err(|errno| ("start its workers", errno))?;
    }
    for nodes in [nodes::serve, procfs::serve] {
        thread::spawn(nodes).map_err(|errno| ("start its nodes", errno))?;
    }
    STATE
        .with(|state| boot::start_first_server(state, &Kernel))
        .map_err(|errno| ("start the server of /", errno))?;
    Ok(())
}

/// Channel 1, and procnto's own connection to it where everybody has one.
fn open_channel() -> Result<(), Errno> {
    let chid = channel::create(chf::DISCONNECT | chf::UNBLOCK)?;
    if chid != SYSMGR_CHID {
        return Err(Errno::EBUSY);
    }
    manager::announce(chid)?;
    let own = channel::connect_self(chid, 0)?.into_raw();
    if own == SYSMGR_COID && own == SIDE_CHANNEL { Ok(()) } else { Err(Errno::EBUSY) }
}

/// What every program gets, out of the boot image.
fn pieces() -> Result<Pieces, Errno> {
    let (object, bytes) = memory::boot_image()?;
    let image = Image::new(bytes).map_err(|_| Errno::EIO)?;
    let find = |path: &[u8]| {
        let entry = image.lookup(path).filter(|entry| entry.kind() == Kind::File)?;
        Some(BootFile { offset: entry.data_offset(), size: entry.size() })
    };
    let link = image.lookup(boot::ROOT_SERVER).ok_or(Errno::ENOENT)?;
    let first_server_path = boot::follow(boot::ROOT_SERVER, link.data());
    let first_server = find(&first_server_path).ok_or(Errno::ENOENT)?;
    let time_page = manager::time_page()?;
    let time_page_handle = time_page.raw();
    let changes = memory::MemObject::anonymous(PAGE_SIZE)?;
    // What has never been asked for is out of date.
    changes.write(0, &[u32::MAX.to_le_bytes(); 2].concat())?;
    let shared_page = changes.raw();
    let boot_image = object.raw();
    // The objects stay open as long as procnto lives.
    let _for_ever = core::mem::ManuallyDrop::new((object, time_page, changes));
    let shim_file = find(SHIM).unwrap_or_default();
    let read = |offset: u64, buffer: &mut [u8]| {
        let n = neutrino_rt::manager::object_read(boot_image, shim_file.offset + offset, buffer)?;
        if n == buffer.len() { Ok(()) } else { Err(Errno::ENOEXEC) }
    };
    let shim = elf::parse(read, shim_file.size).ok();
    if shim.is_none() {
        log!("procnto: no personality at /lib/libc-shim: only native programs can run");
    }
    let time_page = time_page_handle;
    Ok(Pieces {
        boot_image,
        time_page,
        shared_page,
        shim,
        shim_file,
        first_server,
        first_server_path,
    })
}

/// A worker: receives, handles, takes on a job when one waits.
fn work() {
    let mut buffer = [0; BUFFER_BYTES];
    let mut received = message::receive(SYSMGR_CHID, &mut buffer);
    // Bound: none; this is what a server does.
    loop {
        received = match received {
            Ok(Received::Message { rcvid, head }) => {
                let length = usize::try_from(head.srcmsglen).unwrap_or(0).min(buffer.len());
                let gone = MsgInfo { euid: u32::MAX, ..MsgInfo::default() };
                let client = Client { rcvid, info: message::info(rcvid).unwrap_or(gone) };
                let handled =
                    STATE.with(|state| server::handle(state, &Kernel, &client, &buffer[..length]));
                answer(rcvid, handled, &mut buffer)
            }
            Ok(Received::Pulse(pulse)) => {
                STATE.with(|state| server::handle_pulse(state, &Kernel, &pulse));
                run_jobs();
                message::receive(SYSMGR_CHID, &mut buffer)
            }
            Err(Errno::EBADF) => return,
            Err(_) => message::receive(SYSMGR_CHID, &mut buffer),
        };
    }
}

fn answer(
    rcvid: u64,
    handled: Result<Answer, Errno>,
    buffer: &mut [u8],
) -> Result<Received, Errno> {
    let (status, data) = match handled {
        Ok(Answer::Status(status)) => (Ok(status), alloc::vec::Vec::new()),
        Ok(Answer::Data(status, data)) => (Ok(status), data),
        Err(errno) => (Err(errno), alloc::vec::Vec::new()),
        Ok(Answer::Later) => {
            run_jobs();
            return message::receive(SYSMGR_CHID, buffer);
        }
    };
    if STATE.with(|state| state.jobs.is_empty()) {
        return message::reply_receive(rcvid, status, &data, SYSMGR_CHID, buffer);
    }
    procnto::system::System::reply(&Kernel, rcvid, status, &data);
    run_jobs();
    message::receive(SYSMGR_CHID, buffer)
}

/// Runs jobs without the lock, as long as enough workers are left to receive.
fn run_jobs() {
    while let Some(job) = STATE.with(|state| state.take_job(WORKERS)) {
        run(job);
        STATE.with(State::job_done);
    }
}

fn run(job: Job) {
    match job {
        Job::Exec(client) => exec::run(&STATE, &Kernel, &client),
        Job::Report(obituary) => death::report(&Kernel, &obituary),
        Job::HangUp { session, terminal } => first_program::hang_up(session, &terminal),
        Job::Link(question) => links::answer(&question),
        Job::FirstProgram => {
            if let Err(errno) = first_program::start() {
                log!("procnto: cannot start the first program: {errno}");
            }
        }
        Job::FirstServer => {
            if let Err(errno) = STATE.with(|state| boot::start_first_server(state, &Kernel)) {
                log!("procnto: cannot start the server of / again: {errno}");
            }
        }
        Job::Shutdown(ending) => shutdown::run(&STATE, &Kernel, ending),
    }
}
