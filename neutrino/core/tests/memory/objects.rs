//! Sentences about memory objects, one a test.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{MapArgs, PAGE_SIZE, map, object, prot};
use neutrino_core::machine::{Access, Place};
use neutrino_core::memory::{BadAccess, FutexKey, Mapped};

use super::machine::DEVICE_FRAME;
use super::scenario::{BASE, RW, Scenario, at, run};

fn arguments(pages: u64, flags: u32) -> MapArgs {
    MapArgs { length: pages * PAGE_SIZE, protection: RW, flags, ..MapArgs::default() }
}

#[test]
fn a_private_mapping_shows_the_object_until_it_is_written() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let object = s.object(2);
        s.window(space, (0, 2), object, map::SHARED).unwrap();
        s.window(space, (4, 2), object, map::PRIVATE).unwrap();
        s.holds(space, at(4), "\0\0\0\0\0\0");
        s.write(space, at(0), "object");
        s.holds(space, at(4), "object");
        s.write(space, at(4), "mine..");
        s.write(space, at(0), "theirs");
        s.holds(space, at(4), "mine..");
        s.memory.advise(&mut s.m, space, at(4), PAGE_SIZE, 4).unwrap();
        s.holds(space, at(4), "theirs");
        s.memory.object_release(&mut s.m, object);
        s.holds(space, at(0), "theirs");
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn a_truncated_object_leaves_every_mapping_and_grows_with_zeroes() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let object = s.object(3);
        s.window(space, (0, 3), object, map::SHARED).unwrap();
        s.window(space, (4, 3), object, map::PRIVATE).unwrap();
        s.write(space, at(1), "shared page");
        s.write(space, at(2), "gone");
        s.write(space, at(6), "private copy");
        s.resize(object, PAGE_SIZE + 6).unwrap();
        assert_eq!(s.touch(space, 2, Access::Read), Err(BadAccess::BeyondObject));
        assert_eq!(s.touch(space, 6, Access::Read), Err(BadAccess::BeyondObject));
        s.resize(object, 3 * PAGE_SIZE).unwrap();
        s.holds(space, at(1), "shared\0\0\0\0\0");
        s.holds(space, at(2), "\0\0\0\0");
        s.holds(space, at(6), "\0\0\0\0");
        s.memory.object_release(&mut s.m, object);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn a_large_object_is_sparse_and_its_tables_are_freed() {
    run(|| {
        let mut s = Scenario::new(4096);
        let space = s.space();
        let object = s.object(3000);
        let place = Place { space, address: at(0) };
        s.anonymous(space, 0, 1);
        s.write(space, at(0), "bytes");
        for page in [0, 1023, 1024, 2999] {
            let offset = page * PAGE_SIZE;
            assert_eq!(s.memory.copy_to_object(&mut s.m, object, offset, place, 5), Ok(5));
        }
        assert_eq!(s.memory.object_info(&mut s.m, object).resident_pages, 4);
        s.resize(object, 1025 * PAGE_SIZE).unwrap();
        assert_eq!(s.memory.object_info(&mut s.m, object).resident_pages, 3);
        s.resize(object, 1024 * PAGE_SIZE).unwrap();
        assert_eq!(s.memory.object_info(&mut s.m, object).resident_pages, 2);
        let offset = 1023 * PAGE_SIZE;
        let to = Place { space, address: at(0) + 64 };
        assert_eq!(s.memory.copy_from_object(&mut s.m, object, offset, to, 9), Ok(9));
        s.holds(space, at(0) + 64, "bytes\0\0\0\0");
        s.memory.object_release(&mut s.m, object);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn a_sparse_object_costs_what_is_written_and_no_more() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 1);
        s.write(space, at(0), "x");
        let before = s.memory.counts().committed;
        let size = 1000 * PAGE_SIZE;
        let object = s.memory.object_create(&mut s.m, object::SPARSE, size, 0).unwrap();
        assert_eq!(s.memory.counts().committed, before);
        let from = Place { space, address: at(0) };
        assert_eq!(s.memory.copy_to_object(&mut s.m, object, size - 1, from, 1), Ok(1));
        assert_eq!(s.memory.copy_to_object(&mut s.m, object, size - 1, from, 1), Ok(1));
        // The page, and the table that leads to it.
        assert_eq!(s.memory.counts().committed, before + 2);
        s.resize(object, 2000 * PAGE_SIZE).unwrap();
        s.resize(object, PAGE_SIZE).unwrap();
        assert_eq!(s.memory.object_info(&mut s.m, object).kind, object::SPARSE);
        s.memory.object_release(&mut s.m, object);
        assert_eq!(s.memory.counts().committed, before);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn a_hole_that_no_memory_is_left_for_is_enomem_or_a_bus_error() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 1);
        s.write(space, at(0), "x");
        let size = 100 * PAGE_SIZE;
        let object = s.memory.object_create(&mut s.m, object::SPARSE, size, 0).unwrap();
        s.window(space, (2, 100), object, map::SHARED).unwrap();
        let from = Place { space, address: at(0) };
        let mut page = 0;
        let failed = loop {
            let offset = page * PAGE_SIZE;
            match s.memory.copy_to_object(&mut s.m, object, offset, from, 1) {
                Ok(1) => page += 1,
                other => break other,
            }
        };
        assert_eq!(failed, Err(Errno::ENOMEM));
        assert!((32..62).contains(&page), "{page} pages");
        assert_eq!(s.touch(space, 2 + page, Access::Write), Err(BadAccess::NoMemory));
        assert_eq!(s.memory.copy_to_object(&mut s.m, object, 0, from, 1), Ok(1));
        s.memory.object_release(&mut s.m, object);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn reading_an_absent_page_of_an_object_allocates_nothing() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let object = s.object(4);
        s.anonymous(space, 0, 4);
        s.write(space, at(0), "xxxxxxxx");
        let to = Place { space, address: at(0) + 1 };
        assert_eq!(
            s.memory.copy_from_object(&mut s.m, object, 10, to, u64::MAX),
            Ok(4 * PAGE_SIZE - 10)
        );
        s.holds(space, at(0), "x\0\0\0");
        assert_eq!(s.memory.object_info(&mut s.m, object).resident_pages, 0);
        assert_eq!(s.memory.copy_from_object(&mut s.m, object, 4 * PAGE_SIZE, to, 1), Ok(0));
        let bad = Place { space, address: at(9) };
        let failed = s.memory.copy_to_object(&mut s.m, object, 0, bad, 1);
        assert_eq!(failed, Err(Errno::EFAULT));
    });
}

#[test]
fn read_only_objects_cannot_be_mapped_writable_and_shared() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let image = s.memory.object_create(&mut s.m, object::BOOT_IMAGE, 0, 0).unwrap();
        assert_eq!(s.memory.object_info(&mut s.m, image).size, 5016);
        assert_eq!(s.window(space, (0, 1), image, map::SHARED), Err(Errno::EACCES));
        s.window(space, (0, 2), image, map::PRIVATE).unwrap();
        s.holds(space, at(0) + 16, "boot");
        s.write(space, at(0) + 16, "mine");
        let shared = MapArgs {
            address: at(8),
            protection: prot::READ,
            ..arguments(2, map::SHARED | map::FIXED)
        };
        s.map(space, &shared, Some(image)).unwrap();
        s.holds(space, at(8) + 16, "boot");
        assert_eq!(s.protect(space, (8, 1), RW), Err(Errno::EACCES));
        let place = Place { space, address: at(0) };
        let refused = s.memory.copy_to_object(&mut s.m, image, 0, place, 1);
        assert_eq!(refused, Err(Errno::EACCES));
        s.memory.object_release(&mut s.m, image);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn a_mapping_never_gets_more_than_its_handle_allowed() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let object = s.object(1);
        let writable = arguments(1, map::SHARED);
        let allowed = prot::READ | prot::EXEC;
        let refused = s.memory.map_within(&mut s.m, space, &writable, Some(object), allowed);
        assert_eq!(refused, Err(Errno::EACCES));
        let readable = MapArgs { protection: prot::READ, ..writable };
        let mapped =
            s.memory.map_within(&mut s.m, space, &readable, Some(object), allowed).unwrap();
        let Mapped::At(address) = mapped else { panic!("not yet") };
        let refused = s.memory.protect(&mut s.m, space, address, PAGE_SIZE, RW);
        assert_eq!(refused, Err(Errno::EACCES));
    });
}

#[test]
fn device_memory_is_mapped_uncached_and_never_copied() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let physical = u64::from(DEVICE_FRAME) * PAGE_SIZE;
        let refused = s.memory.object_create(&mut s.m, object::PHYSICAL, PAGE_SIZE, 0x20_000);
        assert_eq!(refused, Err(Errno::EPERM));
        let device =
            s.memory.object_create(&mut s.m, object::PHYSICAL, 2 * PAGE_SIZE, physical).unwrap();
        assert_eq!(s.window(space, (0, 1), device, map::PRIVATE), Err(Errno::EACCES));
        let registers = MapArgs {
            address: at(0),
            protection: RW | prot::NOCACHE,
            offset: PAGE_SIZE,
            ..arguments(1, map::SHARED | map::FIXED)
        };
        s.map(space, &registers, Some(device)).unwrap();
        s.write(space, at(0), "on");
        let page = s.m.page(space, at(0)).unwrap();
        assert_eq!((page.frame.0, page.rights.uncached), (DEVICE_FRAME + 1, true));
        let place = Place { space, address: at(0) };
        let refused = s.memory.copy_from_object(&mut s.m, device, 0, place, 1);
        assert_eq!(refused, Err(Errno::EINVAL));
        s.memory.object_release(&mut s.m, device);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn contiguous_memory_is_clear_and_comes_from_freed_frames_when_fresh_ones_are_gone() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 52);
        for page in 0..52 {
            s.write(space, at(page), "used");
        }
        s.unmap(space, 10, 25);
        let run = s.memory.object_create(&mut s.m, object::CONTIGUOUS, 12 * PAGE_SIZE, 0).unwrap();
        s.anonymous(space, 60, 8);
        for page in 60..68 {
            s.write(space, at(page), "more");
        }
        s.window(space, (80, 12), run, map::SHARED).unwrap();
        let first = s.memory.object_info(&mut s.m, run).physical / PAGE_SIZE;
        for page in 0..12 {
            s.holds(space, at(80 + page), "\0\0\0\0");
            let frame = s.m.page(space, at(80 + page)).unwrap().frame;
            assert_eq!(u64::from(frame.0), first + page);
        }
        s.memory.object_release(&mut s.m, run);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn a_forced_write_breaks_copy_on_write_and_keeps_the_protection() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let object = s.object(2);
        s.window(space, (0, 2), object, map::PRIVATE).unwrap();
        s.window(space, (4, 1), object, map::SHARED).unwrap();
        s.protect(space, (0, 2), prot::READ | prot::EXEC).unwrap();
        s.protect(space, (4, 1), prot::READ).unwrap();
        let place = Place { space, address: at(1) - 2 };
        assert_eq!(s.memory.write(&mut s.m, place, b"trap"), Err(Errno::EFAULT));
        s.memory.write_forced(&mut s.m, place, b"trap").unwrap();
        s.holds(space, at(1) - 2, "trap");
        assert_eq!(s.touch(space, 0, Access::Write), Err(BadAccess::Protection));
        assert!(!s.m.page(space, at(0)).unwrap().rights.write);
        let shared = Place { space, address: at(4) };
        assert_eq!(s.memory.write_forced(&mut s.m, shared, b"x"), Err(Errno::EFAULT));
        s.holds(space, at(4), "\0");
        let loader = s.space();
        s.anonymous(loader, 0, 1);
        let from = Place { space: loader, address: at(0) };
        s.memory.write(&mut s.m, from, b"code").unwrap();
        s.memory.copy_forced(&mut s.m, from, place, 4).unwrap();
        s.holds(space, at(1) - 2, "code");
        assert!(!s.m.page(space, at(1)).unwrap().rights.write);
        assert_eq!(s.memory.copy_forced(&mut s.m, from, shared, 1), Err(Errno::EFAULT));
        let nowhere = Place { space: loader, address: at(9) };
        assert_eq!(s.memory.copy_forced(&mut s.m, nowhere, place, 1), Err(Errno::EFAULT));
    });
}

#[test]
fn a_futex_in_a_shared_object_has_one_name_everywhere() {
    run(|| {
        let mut s = Scenario::new(64);
        let (one, other) = (s.space(), s.space());
        let object = s.object(3);
        s.window(one, (0, 3), object, map::SHARED).unwrap();
        s.window(other, (7, 3), object, map::SHARED).unwrap();
        s.anonymous(one, 9, 1);
        s.unmap(one, 0, 1);
        let first = Place { space: one, address: at(2) + 8 };
        let second = Place { space: other, address: at(9) + 8 };
        let name = FutexKey::Shared { object, offset: 2 * PAGE_SIZE + 8 };
        assert_eq!(s.memory.futex_key(&mut s.m, first, true), Ok(name));
        assert_eq!(s.memory.futex_key(&mut s.m, second, true), Ok(name));
        let private = Place { space: one, address: at(9) };
        let name = FutexKey::Private { space: one, address: at(9) };
        assert_eq!(s.memory.futex_key(&mut s.m, private, true), Ok(name));
        let odd = Place { space: one, address: BASE + 1 };
        assert_eq!(s.memory.futex_key(&mut s.m, odd, false), Err(Errno::EINVAL));
        assert_eq!(s.memory.compare_exchange(&mut s.m, first, 0, 7), Ok(0));
        assert_eq!(s.memory.compare_exchange(&mut s.m, second, 0, 8), Ok(7));
    });
}
