//! Start-up, and the server of the console.

use devc_con::{CELL_HEIGHT, CELL_WIDTH, Emulator, Keyboard, Renderer};
use line_discipline::server::Tty;
use line_discipline::{InputFlags, NoDevice, Termios, WindowSize};
use neutrino_rt::abi::message::chf;
use neutrino_rt::abi::pulse::Pulse;
use neutrino_rt::channel::Handle;
use neutrino_rt::clock::Timer;
use neutrino_rt::start::Arguments;
use neutrino_rt::{Errno, channel, clock, eprintln};
use resmgr::{
    Attributes, Change, DataAt, Engine, Node, Ocb, Ocbs, Opening, Outcome, Request, Server, serve,
};

use crate::i8042::Controller;
use crate::picture::Picture;

/// Pulse of the keyboard's interrupt.
const KEYBOARD: i8 = 1;
/// Pulse of the timer, for `VTIME` and for the next picture.
const TIMER: i8 = 2;
/// Nanoseconds between two pictures: 50 a second are enough for a reader.
const FRAME: u64 = 20_000_000;
/// The only node.
const NODE: Node = 1;
/// Linux's number of the first virtual console.
const DEVICE: u32 = 4 << 8 | 1;
/// Output shown before other messages get their turn.
const OUTPUT_LIMIT: usize = 16 * 1024;

/// Whether the picture shows all that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    All,
    NotYet,
}

/// The console.
struct Console {
    tty: Tty,
    emulator: Emulator,
    renderer: Renderer,
    picture: Picture,
    keyboard: Keyboard,
    controller: Option<Controller>,
    shown: Shown,
    drawn_at: u64,
    timer: Timer,
    armed: Option<u64>,
    _pulses: Handle,
}

impl Console {
    fn new(picture: Picture, pulses: Handle) -> Result<Self, Errno> {
        let (width, height) = picture.size();
        let (rows, columns) = Renderer::fit(width, height);
        let number = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        let size = WindowSize {
            rows: number(rows),
            columns: number(columns),
            width: number(columns * CELL_WIDTH),
            height: number(rows * CELL_HEIGHT),
        };
        let cooked = Termios::default();
        let termios = Termios { input: cooked.input | InputFlags::IUTF8, ..cooked };
        let controller = Controller::open(pulses.raw(), KEYBOARD);
        if let Err(errno) = &controller {
            eprintln!("devc-con: no keyboard: {errno}");
        }
        Ok(Self {
            tty: Tty::new("/dev/con1", (NODE, DEVICE), termios, size),
            emulator: Emulator::new(rows, columns),
            renderer: Renderer::new(rows, columns),
            picture,
            keyboard: Keyboard::default(),
            controller: controller.ok(),
            shown: Shown::NotYet,
            drawn_at: 0,
            timer: Timer::create(pulses.raw(), TIMER, 0)?,
            armed: None,
            _pulses: pulses,
        })
    }

    fn keys(&mut self) {
        let Self { controller, keyboard, emulator, tty, .. } = self;
        let Some(controller) = controller else { return };
        let modes = emulator.screen().modes();
        let Tty { terminal, manager, .. } = tty;
        controller.interrupt(|code| {
            if let Some(typed) = keyboard.scan(code, modes) {
                typed.as_bytes().iter().for_each(|byte| terminal.input(*byte, manager));
            }
        });
    }

    /// Moves output to the screen; answers of the terminal go where keys go.
    fn show(&mut self) {
        let mut buffer = [0; 1024];
        for _ in 0..OUTPUT_LIMIT / buffer.len() {
            let count = self.tty.terminal.next_output(&mut buffer);
            if count == 0 {
                return;
            }
            self.emulator.feed(buffer.get(..count).unwrap_or(&[]));
            self.shown = Shown::NotYet;
            for byte in self.emulator.take_answers() {
                self.tty.terminal.input(byte, &mut self.tty.manager);
            }
        }
    }

    /// Draws if it is time to; gives when it will be, if there is something to draw.
    fn draw(&mut self) -> Option<u64> {
        if self.shown == Shown::All {
            return None;
        }
        let (now, due) = (clock::monotonic(), self.drawn_at + FRAME);
        if now < due {
            return Some(due);
        }
        self.renderer.draw(self.emulator.screen(), &mut self.picture);
        self.drawn_at = now;
        self.shown = Shown::All;
        None
    }
}

impl Server for Console {
    fn attributes(&self, _node: Node) -> Result<Attributes, Errno> {
        Ok(self.tty.attributes)
    }

    fn change(&mut self, _node: Node, change: &Change) -> Result<(), Errno> {
        change.apply(&mut self.tty.attributes);
        Ok(())
    }

    fn open(&mut self, _: &Request<'_>, node: Node, _ioflag: u32) -> Result<Opening, Errno> {
        Ok(Opening::Open(node, self.tty.terminal.readiness()))
    }

    fn opened(&mut self, request: &Request<'_>, ocb: &mut Ocb) {
        self.tty.opened(request, ocb);
    }

    fn read(&mut self, request: &mut Request<'_>, ocb: &mut Ocb, _: u64, length: usize) -> Outcome {
        self.tty.read(request, ocb, length)
    }

    fn write(&mut self, request: &mut Request<'_>, ocb: &mut Ocb, _: u64, data: DataAt) -> Outcome {
        self.tty.write(request, ocb, data)
    }

    fn devctl(
        &mut self,
        request: &mut Request<'_>,
        _ocb: &mut Ocb,
        dcmd: u32,
        data: &[u8],
    ) -> Outcome {
        self.tty.devctl(request, (dcmd, data), &mut NoDevice)
    }

    fn unblock(&mut self, rcvid: u64) {
        let _found = self.tty.unblock(rcvid);
    }

    fn pulse(&mut self, pulse: &Pulse, _ocbs: &mut Ocbs) {
        // The timer's pulse needs nothing: `idle` serves who waits, and draws.
        if pulse.code == KEYBOARD {
            self.keys();
        }
    }

    fn idle(&mut self, ocbs: &mut Ocbs) {
        self.tty.settle(NODE, ocbs, &mut NoDevice);
        // Bound: each turn shows bytes that clients have written, 64 KiB at most each.
        while self.tty.terminal.line().has_output() {
            self.show();
            self.tty.settle(NODE, ocbs, &mut NoDevice);
        }
        let deadline = [self.draw(), self.tty.terminal.deadline()].into_iter().flatten().min();
        if deadline != self.armed {
            self.armed = deadline;
            self.timer.arm_at(deadline.unwrap_or(0));
        }
    }
}

fn start() -> Result<(), Errno> {
    let picture = Picture::open()?;
    let chid = channel::create(chf::DISCONNECT | chf::UNBLOCK)?;
    let pulses = channel::connect_self(chid, 0)?;
    let mut engine = Engine::new(Console::new(picture, pulses)?);
    engine.attach(chid, "/dev/con1", NODE, 0)?;
    Err(serve(&mut engine, chid))
}

fn main(_arguments: &Arguments) -> i32 {
    match start() {
        Ok(()) => 0,
        Err(Errno::ENODEV) => {
            eprintln!("devc-con: the boot loader left no framebuffer of 32 bits per pixel");
            1
        }
        Err(errno) => {
            eprintln!("devc-con: cannot serve /dev/con1: {errno}");
            1
        }
    }
}

neutrino_rt::entry!(main);
