//! The reader of configuration space, with sound devices and with such as answer anything.

use core::cell::RefCell;

use crate::config::{Bar, Config, MessageTable, bars, capabilities};

/// A function of 64 registers, of which only the bits in `writable` change.
struct Fake {
    registers: RefCell<[u32; 64]>,
    writable: [u32; 64],
}

impl Fake {
    fn new() -> Self {
        let mut writable = [0; 64];
        writable[1] = 0xffff;
        Self { registers: RefCell::new([0; 64]), writable }
    }

    fn set(&mut self, offset: usize, value: u32, writable: u32) {
        self.registers.borrow_mut()[offset / 4] = value;
        self.writable[offset / 4] = writable;
    }
}

impl Config for Fake {
    fn read(&self, offset: u16) -> u32 {
        self.registers.borrow()[usize::from(offset) / 4]
    }

    fn write(&self, offset: u16, value: u32) {
        let at = usize::from(offset) / 4;
        let old = self.registers.borrow()[at];
        self.registers.borrow_mut()[at] = old & !self.writable[at] | value & self.writable[at];
    }
}

#[test]
fn base_address_registers_tell_address_and_size_and_stay_as_they_were() {
    let mut fake = Fake::new();
    fake.set(0x04, 7, 0xffff);
    fake.set(0x10, 0xfebf_0000, 0xffff_f000);
    fake.set(0x14, 0xc041, 0xffe0);
    fake.set(0x18, 0xc, 0xffff_c000);
    fake.set(0x1c, 0x8, u32::MAX);
    let before = *fake.registers.borrow();
    let expected = [
        Bar::Memory { address: 0xfebf_0000, length: 0x1000 },
        Bar::Ports { base: 0xc040, count: 0x20 },
        Bar::Memory { address: 0x8_0000_0000, length: 0x4000 },
        Bar::None,
        Bar::None,
        Bar::None,
    ];
    assert_eq!(bars(&fake), expected);
    assert_eq!(*fake.registers.borrow(), before);
}

#[test]
fn registers_full_of_nonsense_are_no_ranges() {
    let mut fake = Fake::new();
    // A reserved type; a size that is no power of two; half of 64 bits at the end.
    fake.set(0x10, 0x2, 0xffff_f000);
    fake.set(0x14, 0, 0x00ff_0f00);
    fake.set(0x18, 1, 0);
    fake.set(0x24, 0x4, 0xffff_f000);
    assert_eq!(bars(&fake), [Bar::None; 6]);
    let mut ones = Fake::new();
    (0x10..0x28).step_by(4).for_each(|at| ones.set(at, u32::MAX, 0));
    assert!(bars(&ones).iter().all(|bar| !matches!(bar, Bar::Memory { .. })));
}

#[test]
fn a_list_of_capabilities_that_bites_its_tail_ends() {
    let mut fake = Fake::new();
    fake.set(0x04, 1 << 20, 0);
    fake.set(0x34, 0x40, 0);
    fake.set(0x40, 0x5011, 0);
    fake.set(0x50, 0x4009, 0);
    assert_eq!(capabilities(&fake), [(0x11, 0x40), (0x09, 0x50)]);
    fake.set(0x50, 0x0409, 0);
    assert_eq!(capabilities(&fake), [(0x11, 0x40), (0x09, 0x50)], "a pointer into the header");
    fake.set(0x04, 0, 0);
    assert_eq!(capabilities(&fake), []);
}

#[test]
fn pages_with_the_table_of_messages_are_not_handed_out() {
    let mut fake = Fake::new();
    fake.set(0x40, 0x0003_0011, 0);
    fake.set(0x44, 0x2004, 0);
    fake.set(0x48, 0x1804, 0);
    let table = MessageTable::read(&fake, 0x40);
    assert_eq!((table.entries, table.table, table.pending), (4, (4, 0x2000), (4, 0x1800)));
    assert_eq!(table.limit(4, 0x4000), 0x1000);
    assert_eq!(table.limit(1, 0x4000), 0x4000);
}
