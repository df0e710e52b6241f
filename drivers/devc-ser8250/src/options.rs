//! The command line: `devc-ser8250 [-e|-E] [-b baud] [port,irq ...] ...`, ports in hexadecimal.
//!
//! As on QNX an option counts for the ports behind it.

/// Ports that one driver serves; a PC has four, and their interrupts are shared beyond that.
pub const PORT_LIMIT: usize = 8;

/// One serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its first I/O port.
    pub base: u16,
    /// Its interrupt line.
    pub line: u32,
    /// Bits per second.
    pub baud: u32,
    /// How it starts.
    pub mode: Mode,
}

/// How a line starts; programs may change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// With line editing, echo and output processing (`-e`, the default).
    Edited,
    /// With none of these (`-E`): bytes go through as they are.
    Raw,
}

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    ports: [Option<Port>; PORT_LIMIT],
}

/// An argument that cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake<'a> {
    /// `-b` needs a number from 1 to 115,200.
    Baud,
    /// This is neither an option nor `port,irq`.
    Argument(&'a str),
    /// More ports than [`PORT_LIMIT`].
    TooMany,
}

/// What a PC has without being told.
const STANDARD: [&str; 2] = ["3f8,4", "2f8,3"];
/// The fastest that the divisor allows.
const BAUD_LIMIT: u32 = 115_200;

impl Options {
    /// Reads the arguments after the program's name; without ports, COM1 and COM2 are taken.
    ///
    /// # Errors
    /// A [`Mistake`] that names the argument.
    pub fn parse<'a>(arguments: impl Iterator<Item = &'a str>) -> Result<Self, Mistake<'a>> {
        let mut options = Self { ports: [None; PORT_LIMIT] };
        let (mut baud, mut mode) = (BAUD_LIMIT, Mode::Edited);
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            if let Some(attached) = argument.strip_prefix("-b") {
                let text = if attached.is_empty() { arguments.next() } else { Some(attached) };
                baud = text.and_then(parse_baud).ok_or(Mistake::Baud)?;
                continue;
            }
            match argument {
                "-e" => mode = Mode::Edited,
                "-E" => mode = Mode::Raw,
                // QNX's flow control options: programs set `CRTSCTS` themselves here.
                "-f" | "-F" => {}
                _ => {
                    let port = parse_port(argument, baud, mode);
                    options.add(port.ok_or(Mistake::Argument(argument))?)?;
                }
            }
        }
        if options.ports().next().is_none() {
            for port in STANDARD.iter().filter_map(|text| parse_port(text, baud, mode)) {
                options.add(port)?;
            }
        }
        Ok(options)
    }

    /// Gives the ports in the order of their names.
    pub fn ports(&self) -> impl Iterator<Item = Port> + '_ {
        self.ports.iter().flatten().copied()
    }

    fn add<'a>(&mut self, port: Port) -> Result<(), Mistake<'a>> {
        let free = self.ports.iter_mut().find(|slot| slot.is_none()).ok_or(Mistake::TooMany)?;
        *free = Some(port);
        Ok(())
    }
}

fn parse_baud(text: &str) -> Option<u32> {
    text.parse().ok().filter(|baud| (1..=BAUD_LIMIT).contains(baud))
}

fn parse_port(text: &str, baud: u32, mode: Mode) -> Option<Port> {
    let (base, line) = text.split_once(',')?;
    let digits = base.strip_prefix("0x").unwrap_or(base);
    let base = u16::from_str_radix(digits, 16).ok().filter(|base| *base <= 0xfff8)?;
    Some(Port { base, line: line.parse().ok()?, baud, mode })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(arguments: &[&'static str]) -> Result<[Option<Port>; 3], Mistake<'static>> {
        let options = Options::parse(arguments.iter().copied())?;
        let mut ports = options.ports();
        Ok([ports.next(), ports.next(), ports.next()])
    }

    const fn port(base: u16, line: u32, baud: u32, mode: Mode) -> Option<Port> {
        Some(Port { base, line, baud, mode })
    }

    #[test]
    fn without_ports_the_standard_ones_are_taken() {
        let standard =
            [port(0x3f8, 4, 115_200, Mode::Edited), port(0x2f8, 3, 115_200, Mode::Edited), None];
        assert_eq!(ports(&[]), Ok(standard));
    }

    #[test]
    fn options_count_for_the_ports_behind_them() {
        let expected =
            [port(0x3e8, 10, 115_200, Mode::Edited), port(0x2e8, 11, 9600, Mode::Raw), None];
        assert_eq!(ports(&["3e8,10", "-E", "-b", "9600", "0x2e8,11"]), Ok(expected));
        assert_eq!(ports(&["3e8,10", "-E", "-b9600", "2e8,11"]), Ok(expected));
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(ports(&["-b0"]), Err(Mistake::Baud));
        assert_eq!(ports(&["-b"]), Err(Mistake::Baud));
        assert_eq!(ports(&["3f8"]), Err(Mistake::Argument("3f8")));
        assert_eq!(ports(&["fffc,4"]), Err(Mistake::Argument("fffc,4")));
        assert_eq!(ports(&["1,1"; 9]), Err(Mistake::TooMany));
    }
}
