//! The command line: `devc-ser8250 [-b baud] [port,irq ...]`, ports in hexadecimal as on QNX.

/// Ports that one driver serves; a PC has four, and their interrupts are shared beyond that.
pub const PORT_LIMIT: usize = 8;

/// One serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its first I/O port.
    pub base: u16,
    /// Its interrupt line.
    pub line: u32,
}

/// What the command line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bits per second.
    pub baud: u32,
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
const STANDARD: [Port; 2] = [Port { base: 0x3f8, line: 4 }, Port { base: 0x2f8, line: 3 }];
/// The fastest that the divisor allows.
const BAUD_LIMIT: u32 = 115_200;

impl Options {
    /// Reads the arguments after the program's name; without ports, COM1 and COM2 are taken.
    ///
    /// # Errors
    /// A [`Mistake`] that names the argument.
    pub fn parse<'a>(arguments: impl Iterator<Item = &'a str>) -> Result<Self, Mistake<'a>> {
        let mut options = Self { baud: BAUD_LIMIT, ports: [None; PORT_LIMIT] };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            if let Some(attached) = argument.strip_prefix("-b") {
                let text = if attached.is_empty() { arguments.next() } else { Some(attached) };
                options.baud = text.and_then(parse_baud).ok_or(Mistake::Baud)?;
            } else if matches!(argument, "-e" | "-E" | "-f" | "-F") {
                // QNX's edited, raw and flow control modes: programs set these themselves here.
            } else {
                let port = parse_port(argument).ok_or(Mistake::Argument(argument))?;
                options.add(port)?;
            }
        }
        if options.ports().next().is_none() {
            for port in STANDARD {
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

fn parse_port(text: &str) -> Option<Port> {
    let (base, line) = text.split_once(',')?;
    let digits = base.strip_prefix("0x").unwrap_or(base);
    let base = u16::from_str_radix(digits, 16).ok().filter(|base| *base <= 0xfff8)?;
    Some(Port { base, line: line.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(arguments: &[&'static str]) -> Result<[Option<Port>; 3], Mistake<'static>> {
        let options = Options::parse(arguments.iter().copied())?;
        let mut ports = options.ports();
        Ok([ports.next(), ports.next(), ports.next()])
    }

    #[test]
    fn without_ports_the_standard_ones_are_taken() {
        assert_eq!(ports(&[]), Ok([Some(STANDARD[0]), Some(STANDARD[1]), None]));
    }

    #[test]
    fn ports_are_hexadecimal_and_lines_decimal() {
        let port = Port { base: 0x3e8, line: 10 };
        assert_eq!(ports(&["-b9600", "3e8,10"]), Ok([Some(port), None, None]));
        assert_eq!(ports(&["-b", "9600", "0x3e8,10"]), Ok([Some(port), None, None]));
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
