//! What the core asks for, on real hardware: this file only forwards.

use neutrino_abi::info::Framebuffer;
use neutrino_abi::message::{Head, Words};
use neutrino_abi::signal::{Registers, SignalInfo};
use neutrino_abi::time::TimePage;
use neutrino_abi::trace::Record;
use neutrino_core::limits::{CPUS, MESSAGE_LINES};
use neutrino_core::machine::{
    CallUnderWay, CopyFault, Devices, Fault, FrameNumber, FrameRecord, Looked, Page, PageTables,
    PhysicalRange, Place, SpaceSlot, StartRegisters, ThreadContexts, ThreadSlot, TraceCounts,
    UserMemory, WhenFull,
};
use x86_64::instructions::port::Port;

use crate::boot::memory_map::{MemoryMap, Range};
use crate::clock::Clock;
use crate::cpu::fpu::{self, Floats, Method};
use crate::cpu::percpu::{self, Canonical};
use crate::cpu::remote;
use crate::entry::context::{Context, Contexts, Home, Rest};
use crate::irq::ioapic::Router;
use crate::irq::local::Local;
use crate::irq::{self, ipi};
use crate::log;
use crate::mmu::direct_map::{self, PAGE};
use crate::mmu::records::Records;
use crate::mmu::space::Spaces;
use crate::mmu::user_copy::FramePart;
use crate::power::Power;
use crate::timer::Timer;
use crate::trace::Rings;

/// The slot that no thread has.
pub(crate) const NOBODY: ThreadSlot = ThreadSlot(0);

/// The machine; inside the kernel lock.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) contexts: Contexts,
    pub(crate) fpu: Method,
    /// The CPU that is in the kernel.
    pub(crate) cpu: usize,
    /// How many CPUs run.
    pub(crate) online: usize,
    pub(crate) own: [Own; CPUS],
    pub(crate) spaces: Spaces,
    pub(crate) records: Records,
    pub(crate) clock: Clock,
    pub(crate) timer: Timer,
    pub(crate) local: Local,
    pub(crate) router: Router,
    pub(crate) power: Power,
    pub(crate) ram: MemoryMap,
    pub(crate) image: PhysicalRange,
    pub(crate) framebuffer: Option<(PhysicalRange, Framebuffer)>,
    pub(crate) rings: Rings,
}

/// What one CPU holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own {
    /// Whose registers (FPU, FS and GS bases). With several CPUs that is the thread that runs there,
    /// or nobody: what a thread had is in its context when it may run elsewhere.
    loaded: ThreadSlot,
    /// Whether floating-point registers hold more than their first values; if not, CR0.TS is set.
    floats: Floats,
    /// Whether it holds floating-point state, or a GS base other than 0.
    rest: Rest,
}

impl Own {
    /// A CPU that ran nobody yet.
    pub(crate) const NOTHING: Self =
        Self { loaded: NOBODY, floats: Floats::Used, rest: Rest::Used };
}

#[inline(always)]
#[expect(clippy::indexing_slicing, reason = "the mask keeps the index below CPUS")]
fn own(all: &mut [Own; CPUS], cpu: usize) -> &mut Own {
    &mut all[cpu & (CPUS - 1)]
}

impl Machine {
    /// Tells which CPU is in the kernel.
    pub(crate) fn set_cpu(&mut self, cpu: usize) {
        self.cpu = cpu;
        self.spaces.set_cpu(cpu);
    }

    /// One more CPU runs.
    pub(crate) fn add_cpu(&mut self) {
        self.online = self.online.saturating_add(1);
        self.spaces.add_cpu();
    }

    /// Leaves the CPU without a thread.
    pub(crate) fn rest(&mut self, cpu: usize) {
        if self.online == 1 {
            return;
        }
        let own = own(&mut self.own, cpu);
        let loaded = core::mem::replace(&mut own.loaded, NOBODY);
        if loaded != NOBODY && own.floats == Floats::Used {
            self.fpu.save(&mut self.contexts.get_mut(loaded).area);
        }
        self.spaces.rest(cpu);
    }

    /// Makes another CPU enter the kernel and give up what it holds of its thread; it loads that
    /// again on its way back.
    fn recall(&mut self, cpu: usize) {
        let own = own(&mut self.own, cpu);
        let loaded = core::mem::replace(&mut own.loaded, NOBODY);
        if loaded != NOBODY {
            match own.floats {
                Floats::Used => {
                    remote::leave_thread(cpu, &mut self.contexts.get_mut(loaded).area);
                }
                Floats::Never => remote::leave_space(1 << cpu),
            }
            self.spaces.set_left(cpu);
        }
    }

    /// The same, if a CPU other than this one holds a thread's registers.
    fn recall_thread(&mut self, thread: ThreadSlot) {
        // Bound: CPUS.
        for cpu in 0..self.online {
            if cpu != self.cpu && own(&mut self.own, cpu).loaded == thread {
                self.recall(cpu);
            }
        }
    }

    /// What this CPU holds, if it holds a thread's registers.
    fn holds(&mut self, thread: ThreadSlot) -> Option<&mut Own> {
        let own = own(&mut self.own, self.cpu);
        if own.loaded == thread { Some(own) } else { None }
    }

    /// Gives the CPU to a thread and tells where its registers are.
    #[inline(always)]
    pub(crate) fn switch(&mut self, cpu: usize, thread: ThreadSlot) -> u64 {
        if own(&mut self.own, cpu).loaded == thread {
            let context = self.contexts.get(thread);
            self.spaces.activate(cpu, context.home.root);
            context.address()
        } else {
            self.switch_to_other(cpu, thread)
        }
    }

    /// The same to a thread whose registers the CPU does not hold.
    #[inline(always)]
    pub(crate) fn switch_to_other(&mut self, cpu: usize, thread: ThreadSlot) -> u64 {
        let context = self.contexts.get(thread);
        self.spaces.activate(cpu, context.home.root);
        if own(&mut self.own, cpu).rest == Rest::Used || context.rest == Rest::Used {
            self.switch_rest(cpu, thread);
        }
        own(&mut self.own, cpu).loaded = thread;
        let context = self.contexts.get(thread);
        // Even if it seems to be the same: user code makes it 0 when it loads a selector.
        percpu::set_fs_base(context.fs_base);
        percpu::set_context_top(context.top());
        percpu::set_foreign_entry(context.home.foreign_entry);
        context.address()
    }

    /// Saves and loads what most servers do not use: floating-point state and the GS base.
    #[inline(never)]
    fn switch_rest(&mut self, cpu: usize, thread: ThreadSlot) {
        let own = own(&mut self.own, cpu);
        let context = self.contexts.get(thread);
        let next = context.floats;
        percpu::set_user_gs_base(context.gs_base);
        own.rest = context.rest;
        if own.floats == Floats::Never && next == Floats::Never {
            return;
        }
        match own.floats {
            Floats::Never => fpu::allow(),
            Floats::Used if own.loaded == NOBODY => {}
            Floats::Used => self.fpu.save(&mut self.contexts.get_mut(own.loaded).area),
        }
        own.floats = next;
        self.fpu.load(&self.contexts.get(thread).area);
        if next == Floats::Never {
            fpu::forbid();
        }
    }

    /// The thread on a CPU uses floating point for the first time.
    pub(crate) fn start_floats(&mut self, cpu: usize) {
        let own = own(&mut self.own, cpu);
        // Another CPU may have taken the thread off this one meanwhile: it will trap again.
        if own.loaded != NOBODY && own.floats == Floats::Never {
            let context = self.contexts.get_mut(own.loaded);
            context.set_floats(Floats::Used);
            (own.floats, own.rest) = (Floats::Used, Rest::Used);
            fpu::allow();
            self.fpu.load(&context.area);
        }
    }
}

impl ThreadContexts for Machine {
    fn thread_start(&mut self, thread: ThreadSlot, start: &StartRegisters) {
        if let Some(own) = self.holds(thread) {
            own.loaded = NOBODY;
        }
        self.contexts.get_mut(thread).start(start);
    }

    fn set_home(&mut self, thread: ThreadSlot, space: SpaceSlot, foreign_entry: u64) {
        let root = self.spaces.root_address(space);
        let foreign_entry = Canonical::new(foreign_entry);
        self.recall_thread(thread);
        *self.contexts.home(thread) = Home { root, foreign_entry };
        if self.holds(thread).is_some() {
            percpu::set_foreign_entry(foreign_entry);
        }
    }

    fn set_result(&mut self, thread: ThreadSlot, value: i64) {
        self.contexts.get_mut(thread).set_result(value);
    }

    #[inline(always)]
    fn words(&self, thread: ThreadSlot) -> Words {
        self.contexts.get(thread).words()
    }

    #[inline(always)]
    fn set_words(&mut self, thread: ThreadSlot, words: &Words) {
        self.contexts.get_mut(thread).set_words(words);
    }

    #[inline(always)]
    fn move_words(&mut self, from: ThreadSlot, to: ThreadSlot) {
        self.contexts.move_words(from, to);
    }

    #[inline(always)]
    fn set_answer_length(&mut self, thread: ThreadSlot, bytes: u64) {
        self.contexts.get_mut(thread).set_answer_length(bytes);
    }

    #[inline(always)]
    fn set_head(&mut self, thread: ThreadSlot, head: &Head) {
        self.contexts.get_mut(thread).set_head(head);
    }

    fn registers(&self, thread: ThreadSlot) -> Registers {
        self.contexts.get(thread).registers()
    }

    fn set_registers(&mut self, thread: ThreadSlot, registers: &Registers) {
        self.contexts.get_mut(thread).set_registers(registers);
    }

    fn set_fs_base(&mut self, thread: ThreadSlot, address: u64) {
        let base = Canonical::new(address);
        self.recall_thread(thread);
        self.contexts.get_mut(thread).fs_base = base;
        if self.holds(thread).is_some() {
            percpu::set_fs_base(base);
        }
    }

    fn fs_base(&self, thread: ThreadSlot) -> u64 {
        self.contexts.get(thread).fs_base.address()
    }

    fn set_gs_base(&mut self, thread: ThreadSlot, address: u64) {
        let base = Canonical::new(address);
        self.recall_thread(thread);
        let context = self.contexts.get_mut(thread);
        context.set_gs_base(base);
        let rest = context.rest;
        if let Some(own) = self.holds(thread) {
            own.rest = rest;
            percpu::set_user_gs_base(base);
        }
    }

    fn copy_fpu(&mut self, from: ThreadSlot, to: ThreadSlot) {
        self.recall_thread(from);
        self.recall_thread(to);
        if self.holds(from).is_some_and(|own| own.floats == Floats::Used) {
            self.fpu.save(&mut self.contexts.get_mut(from).area);
        }
        if let Some(own) = self.holds(to) {
            own.loaded = NOBODY;
        }
        let Context { area, floats, .. } = *self.contexts.get(from);
        let copy = self.contexts.get_mut(to);
        copy.area = area;
        copy.set_floats(floats);
    }
}

impl UserMemory for Machine {
    fn read(&mut self, place: Place, bytes: &mut [u8]) -> Result<(), Fault> {
        self.spaces.read(place, bytes)
    }

    fn write(&mut self, place: Place, bytes: &[u8]) -> Result<(), Fault> {
        self.spaces.write(place, bytes)
    }

    fn copy(&mut self, from: Place, to: Place, length: u64) -> Result<(), CopyFault> {
        self.spaces.copy(from, to, length)
    }

    fn compare_exchange(&mut self, place: Place, expected: u32, new: u32) -> Result<u32, Fault> {
        self.spaces.compare_exchange(place, expected, new)
    }

    fn copy_from_frame(
        &mut self,
        frame: FrameNumber,
        offset: u32,
        to: Place,
        length: u32,
    ) -> Result<(), Fault> {
        self.spaces.copy_from_frame(FramePart::new(frame, offset, length), to)
    }

    fn copy_to_frame(
        &mut self,
        from: Place,
        frame: FrameNumber,
        offset: u32,
        length: u32,
    ) -> Result<(), Fault> {
        self.spaces.settle();
        self.spaces.copy_to_frame(from, FramePart::new(frame, offset, length))
    }
}

impl PageTables for Machine {
    fn frame(&mut self, frame: FrameNumber) -> &mut FrameRecord {
        self.records.get(frame)
    }

    fn clear_frame(&mut self, frame: FrameNumber) {
        self.spaces.settle();
        direct_map::clear(frame, 0, PAGE);
    }

    fn clear_part(&mut self, frame: FrameNumber, offset: u32, length: u32) {
        self.spaces.settle();
        direct_map::clear(frame, offset.into(), length.into());
    }

    fn copy_frame(&mut self, from: FrameNumber, to: FrameNumber) {
        self.spaces.settle();
        direct_map::copy_frame(from, to);
    }

    fn table_word(&self, frame: FrameNumber, index: usize) -> u32 {
        direct_map::read_half(frame, index)
    }

    fn set_table_word(&mut self, frame: FrameNumber, index: usize, word: u32) {
        self.spaces.settle();
        direct_map::write_half(frame, index, word);
    }

    fn table_frames(&self) -> usize {
        self.spaces.stored()
    }

    fn add_table_frame(&mut self, frame: FrameNumber) {
        self.spaces.settle();
        self.spaces.store(frame);
    }

    fn remove_table_frame(&mut self) -> Option<FrameNumber> {
        self.spaces.take()
    }

    fn space_create(&mut self, space: SpaceSlot) {
        self.spaces.create(space);
    }

    fn space_destroy(&mut self, space: SpaceSlot) {
        self.spaces.destroy(space);
    }

    fn map(&mut self, space: SpaceSlot, page: Page) {
        self.spaces.map(space, &page);
    }

    fn map_absent(&mut self, space: SpaceSlot, pages: &[Page]) -> u64 {
        self.spaces.map_absent(space, pages)
    }

    fn unmap(&mut self, space: SpaceSlot, address: u64) -> Option<Page> {
        self.spaces.unmap(space, address)
    }

    fn lookup(&self, space: SpaceSlot, address: u64) -> Option<Page> {
        self.spaces.lookup(space, address)
    }

    fn next_pages(&self, space: SpaceSlot, from: u64, end: u64, into: &mut [Page]) -> Looked {
        self.spaces.next_pages(space, from, end, into)
    }

    fn map_pages(&mut self, space: SpaceSlot, pages: &[Page]) {
        self.spaces.map_pages(space, pages);
    }

    fn unmap_pages(&mut self, space: SpaceSlot, pages: &[Page]) {
        self.spaces.unmap_pages(space, pages);
    }
}

impl Devices for Machine {
    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn arm_timer(&mut self, deadline: u64) {
        self.timer.arm(self.cpu, deadline, &self.clock, &mut self.local);
    }

    fn reschedule(&mut self, cpu: usize) {
        ipi::reschedule(cpu);
    }

    fn stop_cpu(&mut self, cpu: usize, call: CallUnderWay) -> Option<SignalInfo> {
        let thread = own(&mut self.own, cpu).loaded;
        self.recall(cpu);
        match call {
            CallUnderWay::New => self.contexts.get_mut(thread).call_again(),
            CallUnderWay::Begun => None,
        }
    }

    fn mask_line(&mut self, line: u32) {
        self.router.mask(line);
    }

    fn unmask_line(&mut self, line: u32) {
        self.router.unmask(line);
    }

    fn has_line(&self, line: u32) -> bool {
        MESSAGE_LINES.contains(&line) || self.router.has(line)
    }

    fn line_message(&self, line: u32) -> u64 {
        if MESSAGE_LINES.contains(&line) { irq::message(line, ipi::first_id()) } else { 0 }
    }

    fn port_read(&mut self, port: u16, width: u32) -> u32 {
        match width {
            // SAFETY: the core hands on accesses of ports that a process was given.
            1 => unsafe { Port::<u8>::new(port).read() }.into(),
            // SAFETY: as above.
            2 => unsafe { Port::<u16>::new(port).read() }.into(),
            // SAFETY: as above.
            _ => unsafe { Port::<u32>::new(port).read() },
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "the port takes the low bits")]
    fn port_write(&mut self, port: u16, width: u32, value: u32) {
        match width {
            // SAFETY: the core hands on accesses of ports that a process was given.
            1 => unsafe { Port::<u8>::new(port).write(value as u8) },
            // SAFETY: as above.
            2 => unsafe { Port::<u16>::new(port).write(value as u16) },
            // SAFETY: as above.
            _ => unsafe { Port::<u32>::new(port).write(value) },
        }
    }

    fn power_off(&mut self, status: u64) {
        self.power.off(status);
    }

    fn reset(&mut self) {
        self.power.restart();
    }

    fn log(&mut self, bytes: &[u8]) {
        log::write(bytes);
    }

    fn boot_image(&self) -> PhysicalRange {
        self.image
    }

    fn framebuffer(&self) -> Option<(PhysicalRange, Framebuffer)> {
        self.framebuffer
    }

    fn is_device_memory(&self, range: PhysicalRange) -> bool {
        let range = Range { start: range.address, end: range.address.saturating_add(range.length) };
        !self.ram.overlaps(&range)
    }

    fn time_page(&self) -> FrameNumber {
        Clock::frame()
    }

    fn time(&self) -> TimePage {
        self.clock.page()
    }

    fn set_realtime_offset(&mut self, offset: i64) {
        self.clock.set_realtime_offset(offset);
    }

    fn tsc(&self) -> (u64, u64) {
        let page = self.clock.page();
        (page.tsc_hz, page.tsc_base)
    }

    fn trace(&mut self, record: &Record) {
        self.rings.put(record);
    }

    fn trace_reset(&mut self, when_full: WhenFull) {
        self.rings.reset(when_full);
    }

    fn trace_read(&mut self, cpu: usize, into: &mut [Record]) -> usize {
        self.rings.peek(cpu, into)
    }

    fn trace_drop(&mut self, cpu: usize, count: usize) {
        self.rings.drop_oldest(cpu, count);
    }

    fn trace_counts(&self) -> TraceCounts {
        self.rings.counts()
    }
}
