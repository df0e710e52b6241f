//! One sentence a test.

use neutrino_abi::errno::Errno;
use neutrino_abi::memory::{
    MapArgs, PAGE_SIZE, REMAP_FIXED, REMAP_MAYMOVE, RemapArgs, USER_END, map, prot,
};
use neutrino_core::machine::{Access, CopyFault, Place};
use neutrino_core::memory::BadAccess;

use super::scenario::{RW, Scenario, at, run};

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
        let first = s.map(space, &arguments(4, ANONYMOUS), None).unwrap();
        assert_eq!(first, 0x7f00_0000_0000 - 4 * PAGE_SIZE);
        let second = s.map(space, &arguments(2, ANONYMOUS), None).unwrap();
        assert_eq!(second, first - 2 * PAGE_SIZE);
        s.memory.unmap(&mut s.m, space, first + PAGE_SIZE, 2 * PAGE_SIZE).unwrap();
        let third = s.map(space, &arguments(2, ANONYMOUS), None).unwrap();
        assert_eq!(third, first + PAGE_SIZE);
    });
}

#[test]
fn a_hint_is_taken_if_it_is_free() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let hinted = MapArgs { address: at(3) + 5, ..arguments(1, ANONYMOUS) };
        assert_eq!(s.map(space, &hinted, None), Ok(at(3)));
        assert_ne!(s.map(space, &hinted, None), Ok(at(3)));
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
        assert_eq!(s.map(space, &fixed, None), Err(Errno::EEXIST));
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
            assert_eq!(s.map(space, &case, None), Err(error), "{case:?}");
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
        let child = s.fork(parent).unwrap();
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
fn a_parent_that_writes_first_leaves_its_child_the_old_page() {
    run(|| {
        let mut s = Scenario::new(64);
        let parent = s.space();
        s.anonymous(parent, 0, 1);
        s.write(parent, at(0), "before");
        let child = s.fork(parent).unwrap();
        s.write(parent, at(0), "after.");
        s.holds(child, at(0), "before");
        let grandchild = s.fork(child).unwrap();
        s.write(child, at(0), "third.");
        s.holds(grandchild, at(0), "before");
    });
}

#[test]
fn a_mapping_stays_where_it_is_if_there_are_no_frames_for_new_page_tables() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        s.anonymous(space, 0, 50);
        for page in 0..50 {
            s.write(space, at(page), "here");
        }
        let lazy =
            MapArgs { address: at(60), ..arguments(20, ANONYMOUS | map::NORESERVE | map::FIXED) };
        s.map(space, &lazy, None).unwrap();
        while (60..80).any(|page| {
            s.m.page(space, at(page)).is_none() && s.touch(space, page, Access::Write).is_ok()
        }) {}
        let far = RemapArgs {
            address: at(0),
            old_length: 50 * PAGE_SIZE,
            new_length: 50 * PAGE_SIZE,
            new_address: 0x6000_0000_0000,
            flags: REMAP_MAYMOVE | REMAP_FIXED,
            ..RemapArgs::default()
        };
        assert_eq!(s.memory.remap(&mut s.m, space, &far), Err(Errno::ENOMEM));
        s.holds(space, at(49), "here");
        s.memory.space_release(&mut s.m, space);
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
        s.map(parent, &shared, None).unwrap();
        let child = s.fork(parent).unwrap();
        s.write(child, at(1), "from the child");
        s.holds(parent, at(1), "from the child");
        s.memory.space_release(&mut s.m, child);
        s.memory.space_release(&mut s.m, parent);
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
        assert_eq!(s.map(space, &more, None), Err(Errno::ENOMEM));
        assert_eq!(s.fork(space), Err(Errno::ENOMEM));
        let lazy =
            MapArgs { address: at(60), ..arguments(20, ANONYMOUS | map::NORESERVE | map::FIXED) };
        s.map(space, &lazy, None).unwrap();
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
        s.map(space, &reserve, None).unwrap();
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
        assert_eq!(s.memory.copy(&mut s.m, from, to, 7), Ok(7));
        s.holds(other, at(1) - 3, "message");
        let short = s.memory.copy(&mut s.m, from, to, 3 * PAGE_SIZE);
        assert_eq!(short, Err(CopyFault::Target { done: PAGE_SIZE + 3, address: at(2) }));
        let short = s.memory.copy(&mut s.m, Place { address: at(2), ..from }, to, PAGE_SIZE + 1);
        assert_eq!(short, Err(CopyFault::Source { done: PAGE_SIZE, address: at(3) }));
    });
}

#[test]
fn populated_memory_is_present() {
    run(|| {
        let mut s = Scenario::new(64);
        let space = s.space();
        let flags = ANONYMOUS | map::POPULATE;
        s.map(space, &arguments(5, flags), None).unwrap();
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
            match s.map(space, &fixed, None) {
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
