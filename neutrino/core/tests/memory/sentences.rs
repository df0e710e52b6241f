//! One sentence a test.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{
    MapArgs, PAGE_SIZE, REMAP_FIXED, REMAP_MAYMOVE, RemapArgs, USER_END, map, object, prot,
};
use neutrino_core::machine::{Access, CopyFault, Place};
use neutrino_core::memory::{BadAccess, FutexKey};

use super::machine::DEVICE_FRAME;
use super::scenario::{BASE, RW, Scenario, at, run};

const ANONYMOUS: u32 = map::PRIVATE | map::ANONYMOUS;

fn arguments(pages: u64, flags: u32) -> MapArgs {
    MapArgs { length: pages * PAGE_SIZE, protection: RW, flags, ..MapArgs::default() }
}

#[test]
fn anonymous_memory_is_zero_and_then_what_was_written() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 4);
        s.holds(space, at(1), "\0\0\0\0");
        s.write(space, at(1) - 2, "hello");
        s.holds(space, at(1) - 2, "hello\0");
        assert_eq!(s.memory.space_usage(space).mapped_bytes, 4 * PAGE_SIZE);
        assert_eq!(s.memory.space_usage(space).resident_pages, 2);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn neighbours_that_are_alike_are_one_mapping() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        for page in [0, 2, 1, 5, 4] {
            s.anonymous(space, page, 1);
        }
        assert_eq!(s.layout(space), [(0, 3), (4, 2)]);
        s.unmap(space, 1, 1);
        assert_eq!(s.layout(space), [(0, 1), (2, 1), (4, 2)]);
    });
}

#[test]
fn anywhere_is_the_highest_gap_that_is_large_enough() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let first = s.memory.map(&mut s.m, space, &arguments(4, ANONYMOUS), None).unwrap();
        assert_eq!(first, 0x7f00_0000_0000 - 4 * PAGE_SIZE);
        let second = s.memory.map(&mut s.m, space, &arguments(2, ANONYMOUS), None).unwrap();
        assert_eq!(second, first - 2 * PAGE_SIZE);
        s.memory.unmap(&mut s.m, space, first + PAGE_SIZE, 2 * PAGE_SIZE).unwrap();
        let third = s.memory.map(&mut s.m, space, &arguments(2, ANONYMOUS), None).unwrap();
        assert_eq!(third, first + PAGE_SIZE);
    });
}

#[test]
fn a_hint_is_taken_if_it_is_free() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let hinted = MapArgs { address: at(3) + 5, ..arguments(1, ANONYMOUS) };
        assert_eq!(s.memory.map(&mut s.m, space, &hinted, None), Ok(at(3)));
        assert_ne!(s.memory.map(&mut s.m, space, &hinted, None), Ok(at(3)));
    });
}

#[test]
fn fixed_replaces_and_noreplace_does_not() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 3);
        s.write(space, at(1), "old");
        let fixed = MapArgs {
            address: at(1),
            ..arguments(1, ANONYMOUS | map::FIXED | map::FIXED_NOREPLACE)
        };
        assert_eq!(s.memory.map(&mut s.m, space, &fixed, None), Err(Errno::EEXIST));
        s.holds(space, at(1), "old");
        s.anonymous(space, 1, 1);
        s.holds(space, at(1), "\0\0\0");
        assert_eq!(s.layout(space), [(0, 3)]);
    });
}

#[test]
fn bad_arguments_are_refused_and_change_nothing() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let before = s.memory.counts();
        let fixed = arguments(1, ANONYMOUS | map::FIXED);
        let cases = [
            (MapArgs { length: 0, ..fixed }, Errno::EINVAL),
            (MapArgs { address: at(0) + 1, ..fixed }, Errno::EINVAL),
            (MapArgs { address: 0, ..fixed }, Errno::ENOMEM),
            (MapArgs { address: USER_END, ..fixed }, Errno::ENOMEM),
            (MapArgs { length: u64::MAX, ..fixed }, Errno::ENOMEM),
            (MapArgs { length: USER_END, ..arguments(1, ANONYMOUS) }, Errno::ENOMEM),
            (MapArgs { address: at(0), protection: 8, ..fixed }, Errno::EINVAL),
            (MapArgs { flags: map::ANONYMOUS, ..fixed }, Errno::EINVAL),
            (MapArgs { flags: map::PRIVATE, ..fixed }, Errno::EBADF),
        ];
        for (case, error) in cases {
            assert_eq!(s.memory.map(&mut s.m, space, &case, None), Err(error), "{case:?}");
        }
        assert_eq!(s.memory.counts(), before);
        assert!(s.layout(space).is_empty());
    });
}

#[test]
fn what_is_not_mapped_or_not_allowed_is_told_apart() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 1);
        s.protect(space, (0, 1), prot::READ).unwrap();
        assert_eq!(s.touch(space, 0, Access::Read), Ok(()));
        assert_eq!(s.touch(space, 0, Access::Write), Err(BadAccess::Protection));
        assert_eq!(s.touch(space, 0, Access::Execute), Err(BadAccess::Protection));
        assert_eq!(s.touch(space, 1, Access::Read), Err(BadAccess::NotMapped));
    });
}

#[test]
fn memory_without_access_keeps_its_bytes() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 3);
        s.write(space, at(1), "kept");
        s.protect(space, (1, 1), prot::NONE).unwrap();
        let mut byte = [0];
        let place = Place { space, address: at(1) };
        assert_eq!(s.memory.read(&mut s.m, place, &mut byte), Err(Errno::EFAULT));
        assert_eq!(s.layout(space), [(0, 1), (1, 1), (2, 1)]);
        s.protect(space, (1, 1), RW).unwrap();
        s.holds(space, at(1), "kept");
        assert_eq!(s.layout(space), [(0, 3)]);
    });
}

#[test]
fn protecting_a_hole_changes_nothing() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 1);
        s.anonymous(space, 2, 1);
        assert_eq!(s.protect(space, (0, 3), prot::READ), Err(Errno::ENOMEM));
        assert_eq!(s.touch(space, 0, Access::Write), Ok(()));
    });
}

#[test]
fn a_forked_page_is_copied_by_whoever_writes_first() {
    run(|| {
        let mut s = Scenario::new(64);
        let parent = s.space();
        s.anonymous(parent, 0, 1);
        s.write(parent, at(0), "parent");
        let child = s.memory.space_fork(&mut s.m, parent).unwrap();
        let frame = s.m.page(parent, at(0)).unwrap().frame;
        assert_eq!(s.m.page(child, at(0)).unwrap().frame, frame);
        assert_eq!(s.m.references(frame), 2);
        s.write(child, at(0), "child!");
        s.holds(parent, at(0), "parent");
        assert_eq!(s.m.references(frame), 1);
        s.write(parent, at(0), "PARENT");
        assert_eq!(s.m.page(parent, at(0)).unwrap().frame, frame, "the last holder copies nothing");
        s.holds(child, at(0), "child!");
        s.memory.space_release(&mut s.m, parent);
        s.holds(child, at(0), "child!");
        s.memory.space_release(&mut s.m, child);
        s.is_clean();
    });
}

#[test]
fn a_shared_space_lives_until_the_last_holder_lets_go() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 1);
        s.memory.space_share(space);
        s.write(space, at(0), "x");
        s.memory.space_release(&mut s.m, space);
        s.holds(space, at(0), "x");
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn shared_anonymous_memory_stays_shared_over_a_fork() {
    run(|| {
        let mut s = Scenario::new(64);
        let parent = s.space();
        let shared =
            MapArgs { address: at(0), ..arguments(2, map::SHARED | map::ANONYMOUS | map::FIXED) };
        s.memory.map(&mut s.m, parent, &shared, None).unwrap();
        let child = s.memory.space_fork(&mut s.m, parent).unwrap();
        s.write(child, at(1), "from the child");
        s.holds(parent, at(1), "from the child");
        s.memory.space_release(&mut s.m, child);
        s.memory.space_release(&mut s.m, parent);
        s.is_clean();
    });
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
        s.memory.object_resize(&mut s.m, object, PAGE_SIZE + 6).unwrap();
        assert_eq!(s.touch(space, 2, Access::Read), Err(BadAccess::BeyondObject));
        assert_eq!(s.touch(space, 6, Access::Read), Err(BadAccess::BeyondObject));
        s.memory.object_resize(&mut s.m, object, 3 * PAGE_SIZE).unwrap();
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
        s.memory.object_resize(&mut s.m, object, 1024 * PAGE_SIZE).unwrap();
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
        s.memory.map(&mut s.m, space, &shared, Some(image)).unwrap();
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
        let address =
            s.memory.map_within(&mut s.m, space, &readable, Some(object), allowed).unwrap();
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
        s.memory.map(&mut s.m, space, &registers, Some(device)).unwrap();
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
fn promises_are_kept_and_not_exceeded() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 50);
        let more = arguments(20, ANONYMOUS);
        assert_eq!(s.memory.map(&mut s.m, space, &more, None), Err(Errno::ENOMEM));
        assert_eq!(s.memory.space_fork(&mut s.m, space), Err(Errno::ENOMEM));
        let lazy =
            MapArgs { address: at(60), ..arguments(20, ANONYMOUS | map::NORESERVE | map::FIXED) };
        s.memory.map(&mut s.m, space, &lazy, None).unwrap();
        let lazy_results: Vec<_> =
            (60..80).map(|page| s.touch(space, page, Access::Write)).collect();
        assert_eq!(lazy_results.last(), Some(&Err(BadAccess::NoMemory)));
        for page in 0..50 {
            assert_eq!(s.touch(space, page, Access::Write), Ok(()), "page {page}");
        }
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn reserved_addresses_are_charged_when_they_become_writable() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let reserve = MapArgs {
            protection: prot::NONE,
            address: at(0),
            ..arguments(100, ANONYMOUS | map::FIXED)
        };
        s.memory.map(&mut s.m, space, &reserve, None).unwrap();
        let before = s.memory.counts().committed;
        s.protect(space, (10, 4), RW).unwrap();
        assert_eq!(s.memory.counts().committed, before + 4);
        assert_eq!(s.protect(space, (20, 80), RW), Err(Errno::ENOMEM));
        assert_eq!(s.layout(space), [(0, 10), (10, 4), (14, 86)]);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn remapping_grows_in_place_if_it_can_and_moves_the_pages_if_not() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 2);
        s.write(space, at(1), "moves");
        assert_eq!(s.remap(space, 0, (2, 3), 0), Ok(at(0)));
        s.protect(space, (0, 3), prot::READ).unwrap();
        s.anonymous(space, 3, 1);
        assert_eq!(s.remap(space, 0, (3, 5), 0), Err(Errno::ENOMEM));
        let moved = s.remap(space, 0, (3, 5), REMAP_MAYMOVE).unwrap();
        s.holds(space, moved + PAGE_SIZE, "moves\0");
        assert_eq!(s.touch(space, 0, Access::Read), Err(BadAccess::NotMapped));
        let back = RemapArgs {
            address: moved,
            old_length: 5 * PAGE_SIZE,
            new_length: 2 * PAGE_SIZE,
            new_address: at(2),
            flags: REMAP_MAYMOVE | REMAP_FIXED,
            ..RemapArgs::default()
        };
        assert_eq!(s.memory.remap(&mut s.m, space, &back), Ok(at(2)));
        s.holds(space, at(3), "moves\0");
        assert_eq!(s.layout(space), [(2, 2)]);
        assert_eq!(s.remap(space, 2, (2, 1), 0), Ok(at(2)));
        assert_eq!(s.layout(space), [(2, 1)]);
        assert_eq!(s.remap(space, 2, (2, 1), 0), Err(Errno::EFAULT));
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}

#[test]
fn a_copy_says_which_side_failed_and_how_far_it_came() {
    run(|| {
        let mut s = Scenario::new(64);
        let (one, other) = (s.space(), s.space());
        s.anonymous(one, 0, 3);
        s.anonymous(other, 0, 2);
        s.write(one, at(0) + 100, "message");
        let from = Place { space: one, address: at(0) + 100 };
        let to = Place { space: other, address: at(1) - 3 };
        assert_eq!(s.memory.copy(&mut s.m, from, to, 7), Ok(()));
        s.holds(other, at(1) - 3, "message");
        let short = s.memory.copy(&mut s.m, from, to, 3 * PAGE_SIZE);
        assert_eq!(short, Err(CopyFault::Target { done: PAGE_SIZE + 3, address: at(2) }));
        let short = s.memory.copy(&mut s.m, Place { address: at(2), ..from }, to, PAGE_SIZE + 1);
        assert_eq!(short, Err(CopyFault::Source { done: PAGE_SIZE, address: at(3) }));
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

#[test]
fn populated_memory_is_present() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let flags = ANONYMOUS | map::POPULATE;
        s.memory.map(&mut s.m, space, &arguments(5, flags), None).unwrap();
        let info = s.memory.mapping_info(&mut s.m, space, 0).unwrap();
        assert_eq!((info.resident_pages, info.flags), (5, ANONYMOUS));
    });
}

#[test]
fn one_space_cannot_take_all_mappings() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let mut made = 0;
        let failed = loop {
            let fixed = MapArgs {
                address: at(2 * made),
                protection: prot::NONE,
                ..arguments(1, ANONYMOUS | map::FIXED)
            };
            match s.memory.map(&mut s.m, space, &fixed, None) {
                Ok(_) => made += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(failed, Errno::ENOMEM);
        assert!(made > 8000, "{made}");
        assert_eq!(s.layout(space).len() as u64, made);
        s.memory.space_release(&mut s.m, space);
        s.is_clean();
    });
}
