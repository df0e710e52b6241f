//! Random sequences of calls against the model.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{MapArgs, PAGE_SIZE, REMAP_FIXED, REMAP_MAYMOVE, RemapArgs, map, prot};
use neutrino_core::machine::{Place, SpaceSlot};
use neutrino_core::memory::ObjectId;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::model::{BYTES, Back, Bytes, Charge, Model, ModelPage, ModelSpace};
use super::scenario::{Scenario, at, run};
use super::steps::{Kind, OBJECT_PAGES, PAGES, Span, Step, step};

const DONTNEED: u32 = 4;

/// Whether a call may fail for want of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ram {
    Plenty,
    Scarce,
}

struct World {
    s: Scenario,
    model: Model,
    spaces: [Option<SpaceSlot>; 3],
    objects: Vec<ObjectId>,
    ram: Ram,
}

impl World {
    fn new(frames: u32, ram: Ram) -> Self {
        let mut s = Scenario::new(frames);
        let mut model = Model::default();
        let objects = (0..2).map(|_| s.object(OBJECT_PAGES)).collect();
        model.new_object(OBJECT_PAGES);
        model.new_object(OBJECT_PAGES);
        let first = s.space();
        model.spaces = vec![Some(ModelSpace::new()), None, None];
        Self { s, model, spaces: [Some(first), None, None], objects, ram }
    }

    /// Whether the call did what the model does; if it ran out of memory, the model does nothing.
    fn agree<T: PartialEq + std::fmt::Debug>(
        &mut self,
        got: Result<T, Errno>,
        expected: Result<T, Errno>,
        next: Model,
    ) {
        if self.ram == Ram::Scarce && got == Err(Errno::ENOMEM) {
            return;
        }
        assert_eq!(got, expected);
        if expected.is_ok() {
            self.model = next;
        }
    }

    fn pages(&self, space: usize) -> &ModelSpace {
        self.model.spaces[space].as_ref().unwrap()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Map { span, protection, kind, replace } => {
                self.map(span, protection, kind, replace);
            }
            Step::Unmap(span) => self.unmap(span),
            Step::Protect { span, protection } => self.protect(span, protection),
            Step::Discard(span) => self.discard(span),
            Step::Write { space, page, value } => self.write(space, page, [value; BYTES]),
            Step::Check { space, page } => self.check(space, page),
            Step::Copy { space, page, to_space, to } => self.copy((space, page), (to_space, to)),
            Step::Fork(space) => self.fork(space),
            Step::Release(space) => self.release(space),
            Step::Remap { span, new, to } => self.remap(span, new, to),
            Step::Resize { object, size } => self.resize(object, size),
            Step::WriteObject { object, page, space, from } => {
                self.write_object((object, page), (space, from));
            }
            Step::ReadObject { object, page, space, to } => {
                self.read_object((object, page), (space, to));
            }
        }
        for index in 0..3 {
            if let Some(slot) = self.spaces[index] {
                assert_eq!(self.s.layout(slot), Model::layout(self.pages(index)));
            }
        }
    }

    fn map(&mut self, span: Span, protection: u32, kind: Kind, replace: bool) {
        let Some(slot) = self.spaces[span.space] else { return };
        let place = if replace { map::FIXED } else { map::FIXED_NOREPLACE };
        let private = map::PRIVATE | map::ANONYMOUS;
        let (flags, object, offset) = match kind {
            Kind::Anonymous => (private, None, 0),
            Kind::NoReserve => (private | map::NORESERVE, None, 0),
            Kind::SharedAnonymous => (map::SHARED | map::ANONYMOUS, None, 0),
            Kind::Shared(object, page) => (map::SHARED, Some(object), page),
            Kind::Private(object, page) => (map::PRIVATE, Some(object), page),
        };
        let arguments = MapArgs {
            address: at(span.page),
            length: span.pages * PAGE_SIZE,
            protection,
            flags: flags | place,
            offset: offset * PAGE_SIZE,
            ..MapArgs::default()
        };
        let id = object.map(|object| self.objects[object]);
        let got = self.s.map(slot, &arguments, id);
        let mut next = self.model.clone();
        let lazy = if protection & prot::WRITE != 0 { Charge::Whole } else { Charge::Touched };
        let (back, charge) = match kind {
            Kind::Anonymous => (Back::Anonymous([0; BYTES]), lazy),
            Kind::NoReserve => (Back::Anonymous([0; BYTES]), Charge::NoReserve),
            Kind::SharedAnonymous => {
                let object = next.new_object(span.pages);
                (Back::Shared { object, page: 0 }, Charge::Object)
            }
            Kind::Shared(object, page) => (Back::Shared { object, page }, Charge::Object),
            Kind::Private(object, page) => (Back::Private { object, page, own: None }, lazy),
        };
        let pages = next.spaces[span.space].as_mut().unwrap();
        let numbers = span.page..span.page + span.pages;
        let is_used = pages.range(numbers.clone()).next().is_some();
        let mut page = ModelPage { protection, charge, back };
        for number in numbers {
            pages.insert(number, page.clone());
            page = page.next();
        }
        let expected = if is_used && !replace { Err(Errno::EEXIST) } else { Ok(at(span.page)) };
        self.agree(got, expected, next);
    }

    fn unmap(&mut self, span: Span) {
        let Some(slot) = self.spaces[span.space] else { return };
        let range = (at(span.page), span.pages * PAGE_SIZE);
        let got = self.s.through(range, |s, at, rest| s.memory.unmap(&mut s.m, slot, at, rest));
        let mut next = self.model.clone();
        let pages = next.spaces[span.space].as_mut().unwrap();
        pages.retain(|number, _| !(span.page..span.page + span.pages).contains(number));
        self.agree(got, Ok(()), next);
    }

    fn protect(&mut self, span: Span, protection: u32) {
        let Some(slot) = self.spaces[span.space] else { return };
        let got = self.s.protect(slot, (span.page, span.pages), protection);
        let mut next = self.model.clone();
        let pages = next.spaces[span.space].as_mut().unwrap();
        let mut expected = Ok(());
        for number in span.page..span.page + span.pages {
            let Some(page) = pages.get_mut(&number) else {
                expected = Err(Errno::ENOMEM);
                break;
            };
            page.protection = protection;
            if page.charge == Charge::Touched && protection & prot::WRITE != 0 {
                page.charge = Charge::Whole;
            }
        }
        self.agree(got, expected, next);
    }

    fn discard(&mut self, span: Span) {
        let Some(slot) = self.spaces[span.space] else { return };
        let range = (at(span.page), span.pages * PAGE_SIZE);
        let got = self
            .s
            .through(range, |s, at, rest| s.memory.advise(&mut s.m, slot, at, rest, DONTNEED));
        let mut next = self.model.clone();
        let pages = next.spaces[span.space].as_mut().unwrap();
        let mut expected = Ok(());
        for number in span.page..span.page + span.pages {
            match pages.get_mut(&number).map(|page| &mut page.back) {
                None => expected = Err(Errno::ENOMEM),
                Some(Back::Anonymous(bytes)) => *bytes = [0; BYTES],
                Some(Back::Private { own, .. }) => *own = None,
                Some(Back::Shared { .. }) => {}
            }
        }
        self.agree(got, expected, next);
    }

    fn write(&mut self, space: usize, page: u64, bytes: Bytes) {
        let Some(slot) = self.spaces[space] else { return };
        let place = Place { space: slot, address: at(page) };
        let got = self.s.memory.write(&mut self.s.m, place, &bytes);
        let mut next = self.model.clone();
        let expected = next.write(space, page, bytes);
        self.agree(got, expected, next);
    }

    fn check(&mut self, space: usize, page: u64) {
        let Some(slot) = self.spaces[space] else { return };
        let mut bytes = [0; BYTES];
        let place = Place { space: slot, address: at(page) };
        let got = self.s.memory.read(&mut self.s.m, place, &mut bytes).map(|()| bytes);
        let expected = self.model.read(self.pages(space), page);
        self.agree(got, expected, self.model.clone());
    }

    fn copy(&mut self, (space, page): (usize, u64), (to_space, to): (usize, u64)) {
        let (Some(from_slot), Some(to_slot)) = (self.spaces[space], self.spaces[to_space]) else {
            return;
        };
        let from = Place { space: from_slot, address: at(page) };
        let target = Place { space: to_slot, address: at(to) };
        let got = self.s.memory.copy(&mut self.s.m, from, target, BYTES as u64);
        let mut next = self.model.clone();
        let expected = match next.read(self.pages(space), page) {
            Ok(bytes) => next.write(to_space, to, bytes),
            Err(error) => Err(error),
        };
        match (got, expected) {
            (Err(_), Ok(())) => assert_eq!(self.ram, Ram::Scarce),
            (got, expected) => {
                self.agree(got.map(drop).map_err(|_| Errno::EFAULT), expected, next);
            }
        }
    }

    fn fork(&mut self, space: usize) {
        let (Some(slot), Some(child)) =
            (self.spaces[space], self.spaces.iter().position(Option::is_none))
        else {
            return;
        };
        match self.s.fork(slot) {
            Ok(new) => {
                self.spaces[child] = Some(new);
                self.model.spaces[child] = self.model.spaces[space].clone();
            }
            Err(error) => assert_eq!((error, self.ram), (Errno::ENOMEM, Ram::Scarce)),
        }
    }

    fn release(&mut self, space: usize) {
        if self.spaces.iter().flatten().count() < 2 {
            return;
        }
        if let Some(slot) = self.spaces[space].take() {
            self.s.release(slot);
            self.model.spaces[space] = None;
        }
    }

    fn remap(&mut self, span: Span, new: u64, to: Option<u64>) {
        let Some(slot) = self.spaces[span.space] else { return };
        let arguments = RemapArgs {
            address: at(span.page),
            old_length: span.pages * PAGE_SIZE,
            new_length: new * PAGE_SIZE,
            new_address: to.map_or(0, at),
            flags: if to.is_some() { REMAP_MAYMOVE | REMAP_FIXED } else { 0 },
            reserved: 0,
        };
        let got = self.s.memory.remap(&mut self.s.m, slot, &arguments);
        let mut next = self.model.clone();
        let pages = next.spaces[span.space].as_mut().unwrap();
        let expected = remap_model(pages, span, new, to);
        self.agree(got, expected, next);
    }

    fn resize(&mut self, object: usize, size: u64) {
        let got = self.s.resize(self.objects[object], size);
        let mut next = self.model.clone();
        next.resize(object, size);
        self.agree(got, Ok(()), next);
    }

    fn write_object(&mut self, (object, page): (usize, u64), (space, from): (usize, u64)) {
        let Some(slot) = self.spaces[space] else { return };
        let place = Place { space: slot, address: at(from) };
        let (id, offset) = (self.objects[object], page * PAGE_SIZE);
        let length = BYTES as u64;
        let got = self.s.memory.copy_to_object(&mut self.s.m, id, offset, place, length);
        let mut next = self.model.clone();
        let room = self.model.objects[object].size.saturating_sub(offset).min(length);
        let expected = if room == 0 {
            Ok(0)
        } else {
            self.model.read(self.pages(space), from).map(|bytes| {
                let held = next.objects[object].pages.entry(page).or_default();
                held[..room as usize].copy_from_slice(&bytes[..room as usize]);
                room
            })
        };
        self.agree(got, expected, next);
    }

    fn read_object(&mut self, (object, page): (usize, u64), (space, to): (usize, u64)) {
        let Some(slot) = self.spaces[space] else { return };
        let place = Place { space: slot, address: at(to) };
        let (id, offset) = (self.objects[object], page * PAGE_SIZE);
        let length = BYTES as u64;
        let mut next = self.model.clone();
        if next.objects[object].size.saturating_sub(offset) < length {
            return;
        }
        let got = self.s.memory.copy_from_object(&mut self.s.m, id, offset, place, length);
        let bytes = next.object_page(object, page).unwrap();
        let expected = next.write(space, to, bytes).map(|()| length);
        self.agree(got, expected, next);
    }

    /// Compares all bytes, lets everything go, and looks for leaks.
    fn end(mut self) {
        for space in 0..3 {
            for page in 0..PAGES + 8 {
                self.check(space, page);
            }
        }
        for slot in self.spaces.into_iter().flatten() {
            self.s.release(slot);
        }
        for object in self.objects {
            self.s.memory.object_release(&mut self.s.m, object);
        }
        self.s.is_clean();
    }
}

fn remap_model(
    pages: &mut ModelSpace,
    span: Span,
    new: u64,
    to: Option<u64>,
) -> Result<u64, Errno> {
    let layout = Model::layout(pages);
    let end = span.page + span.pages;
    let holds = |(first, count): &&(u64, u64)| *first <= span.page && end <= first + count;
    layout.iter().find(holds).ok_or(Errno::EFAULT)?;
    let mut moved: Vec<ModelPage> = (span.page..end).map(|number| pages[&number].clone()).collect();
    let (target, room) = match to {
        Some(to) if to < end && span.page < to + new => return Err(Errno::EINVAL),
        Some(to) => (to, true),
        None => (span.page, (end..span.page + new).all(|number| !pages.contains_key(&number))),
    };
    if !room {
        return Err(Errno::ENOMEM);
    }
    while (moved.len() as u64) < new {
        moved.push(moved.last().unwrap().next());
    }
    pages.retain(|number, _| !(span.page..end).contains(number));
    for (number, page) in (target..target + new).zip(moved) {
        pages.insert(number, page);
    }
    Ok(at(target))
}

fn agree_always(frames: u32, ram: Ram, cases: u32, part: u32) {
    run(move || {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let steps = prop::collection::vec(step(), 1..80);
        let result = TestRunner::new(config).run(&steps, |steps| {
            let mut world = World::new(frames, ram);
            for step in steps {
                world.s.in_parts_of(part);
                world.step(step);
            }
            world.end();
            Ok(())
        });
        if let Err(error) = result {
            panic!("{error}");
        }
    });
}

#[test]
fn random_calls_do_what_the_model_does() {
    agree_always(2048, Ram::Plenty, 400, u32::MAX);
}

#[test]
fn random_calls_in_parts_do_what_the_model_does() {
    agree_always(2048, Ram::Plenty, 400, 900);
}

#[test]
fn calls_that_run_out_of_memory_change_nothing() {
    agree_always(56, Ram::Scarce, 400, u32::MAX);
}
