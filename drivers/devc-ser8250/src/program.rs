//! Start-up, and the server of all ports.

use alloc::format;
use alloc::vec::Vec;

use devc_ser8250::{Mistake, Options};
use line_discipline::server::Tty;
use neutrino_rt::abi::message::chf;
use neutrino_rt::abi::pulse::Pulse;
use neutrino_rt::channel::Handle;
use neutrino_rt::clock::Timer;
use neutrino_rt::start::Arguments;
use neutrino_rt::{Errno, channel, eprintln};
use resmgr::{
    Attributes, Change, DataAt, Engine, Node, Ocb, Ocbs, Opening, Outcome, Request, Server, serve,
};

use crate::port::Port;

/// Pulse of a port's interrupt; the value is the port's place.
pub(crate) const INTERRUPT: i8 = 1;
/// Pulse of the timer for `VTIME`.
const TIMER: i8 = 2;

/// All ports.
struct Ports {
    ports: Vec<Port>,
    timer: Timer,
    armed: Option<u64>,
    _pulses: Handle,
}

impl Ports {
    /// Gives a port by its node: its place, counted from 1.
    fn port(&mut self, node: Node) -> Result<&mut Port, Errno> {
        let place = usize::try_from(node).ok().and_then(|node| node.checked_sub(1));
        place.and_then(|place| self.ports.get_mut(place)).ok_or(Errno::ENOENT)
    }

    fn tty(&mut self, node: Node) -> Result<&mut Tty, Errno> {
        self.port(node).map(|port| &mut port.tty)
    }
}

impl Server for Ports {
    fn attributes(&self, node: Node) -> Result<Attributes, Errno> {
        let place = usize::try_from(node).ok().and_then(|node| node.checked_sub(1));
        let port = place.and_then(|place| self.ports.get(place)).ok_or(Errno::ENOENT)?;
        Ok(port.tty.attributes)
    }

    fn change(&mut self, node: Node, change: &Change) -> Result<(), Errno> {
        change.apply(&mut self.tty(node)?.attributes);
        Ok(())
    }

    fn open(&mut self, _: &Request<'_>, node: Node, _ioflag: u32) -> Result<Opening, Errno> {
        Ok(Opening::Open(node, self.tty(node)?.terminal.readiness()))
    }

    fn opened(&mut self, request: &Request<'_>, ocb: &mut Ocb) {
        if let Ok(tty) = self.tty(ocb.node) {
            tty.opened(request, ocb);
        }
    }

    fn read(&mut self, request: &mut Request<'_>, ocb: &mut Ocb, _: u64, length: usize) -> Outcome {
        match self.tty(ocb.node) {
            Ok(tty) => tty.read(request, ocb, length),
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    fn write(&mut self, request: &mut Request<'_>, ocb: &mut Ocb, _: u64, data: DataAt) -> Outcome {
        match self.tty(ocb.node) {
            Ok(tty) => tty.write(request, ocb, data),
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    fn devctl(
        &mut self,
        request: &mut Request<'_>,
        ocb: &mut Ocb,
        dcmd: u32,
        data: &[u8],
    ) -> Outcome {
        match self.port(ocb.node) {
            Ok(port) => port.devctl(request, dcmd, data),
            Err(errno) => Outcome::Reply(Err(errno)),
        }
    }

    fn unblock(&mut self, rcvid: u64) {
        let _found = self.ports.iter_mut().any(|port| port.tty.unblock(rcvid));
    }

    fn pulse(&mut self, pulse: &Pulse, _ocbs: &mut Ocbs) {
        // The timer's pulse needs nothing: `idle` serves who waits.
        if pulse.code == INTERRUPT {
            let place = usize::try_from(pulse.value).unwrap_or(usize::MAX);
            if let Some(port) = self.ports.get_mut(place) {
                port.interrupt();
            }
        }
    }

    fn idle(&mut self, ocbs: &mut Ocbs) {
        for (place, port) in (1..).zip(&mut self.ports) {
            port.settle(place, ocbs);
        }
        let deadline = self.ports.iter().filter_map(|port| port.tty.terminal.deadline()).min();
        if deadline != self.armed {
            self.armed = deadline;
            self.timer.arm_at(deadline.unwrap_or(0));
        }
    }
}

fn start(options: &Options) -> Result<(), Errno> {
    let chid = channel::create(chf::DISCONNECT | chf::UNBLOCK)?;
    let pulses = channel::connect_self(chid, 0)?;
    let timer = Timer::create(pulses.raw(), TIMER, 0)?;
    let mut found = Vec::new();
    let mut ports = Vec::new();
    for (number, place) in (1..).zip(options.ports()) {
        match Port::open(number, place, (pulses.raw(), ports.len() as u64)) {
            Ok(Some(port)) => {
                found.push(number);
                ports.push(port);
            }
            Ok(None) => {}
            Err(errno) => eprintln!("devc-ser8250: port {:x}: {errno}", place.base),
        }
    }
    let mut engine = Engine::new(Ports { ports, timer, armed: None, _pulses: pulses });
    for (node, number) in (1..).zip(&found) {
        engine.attach(chid, &format!("/dev/ser{number}"), node, 0)?;
    }
    if found.is_empty() {
        return Err(Errno::ENODEV);
    }
    Err(serve(&mut engine, chid))
}

fn main(arguments: &Arguments) -> i32 {
    let failure = match Options::parse(arguments.rest()) {
        Ok(options) => start(&options).err(),
        Err(mistake) => {
            explain(mistake);
            return 2;
        }
    };
    if let Some(errno) = failure {
        eprintln!("devc-ser8250: cannot serve /dev/ser*: {errno}");
    }
    1
}

fn explain(mistake: Mistake<'_>) {
    match mistake {
        Mistake::Baud => eprintln!("devc-ser8250: -b needs a number from 1 to 115200"),
        Mistake::Argument(argument) => {
            eprintln!("devc-ser8250: {argument}: not `port,irq` (such as 3f8,4)");
        }
        Mistake::TooMany => {
            eprintln!("devc-ser8250: at most {} ports", devc_ser8250::PORT_LIMIT);
        }
    }
}

neutrino_rt::entry!(main);
