//! Partition tables, sound ones and others.

use alloc::vec::Vec;

use gpt_disk_types::{
    BlockSize, GptHeader, GptPartitionEntry, GptPartitionEntryArray, GptPartitionType, LbaLe, U32Le,
};
use neutrino_rt::Errno;

use crate::partition::{Complaint, Partition, partitions};

const BLOCK: usize = 512;
const BLOCKS: usize = 4096;

fn look(disk: &[u8]) -> (Vec<Partition>, Vec<Complaint>) {
    let read = |offset: u64, into: &mut [u8]| {
        let from = disk.get(offset as usize..offset as usize + into.len()).ok_or(Errno::EIO)?;
        into.copy_from_slice(from);
        Ok(())
    };
    partitions(disk.len() as u64, BLOCK as u32, read)
}

fn empty() -> Vec<u8> {
    alloc::vec![0; BLOCK * BLOCKS]
}

/// Puts an entry into the boot record of a block.
fn entry(disk: &mut [u8], block: usize, index: usize, (kind, first, count): (u8, u32, u32)) {
    let record = &mut disk[block * BLOCK..(block + 1) * BLOCK];
    let at = 446 + 16 * index;
    record[at + 4] = kind;
    record[at + 8..at + 12].copy_from_slice(&first.to_le_bytes());
    record[at + 12..at + 16].copy_from_slice(&count.to_le_bytes());
    record[510..].copy_from_slice(&[0x55, 0xaa]);
}

fn part(number: u32, first: usize, count: usize) -> Partition {
    Partition { number, first: (first * BLOCK) as u64, bytes: (count * BLOCK) as u64 }
}

#[test]
fn primary_and_logical_partitions_are_numbered_as_everywhere() {
    let mut disk = empty();
    entry(&mut disk, 0, 0, (0x83, 64, 1000));
    entry(&mut disk, 0, 2, (0x05, 2000, 2000));
    entry(&mut disk, 2000, 0, (0x83, 8, 100));
    entry(&mut disk, 2000, 1, (0x05, 500, 200));
    entry(&mut disk, 2500, 0, (0x83, 8, 90));
    let expected = [part(1, 64, 1000), part(5, 2008, 100), part(6, 2508, 90)];
    assert_eq!(look(&disk), (expected.to_vec(), Vec::new()));
}

#[test]
fn a_disk_without_a_table_has_no_partitions() {
    assert_eq!(look(&empty()), (Vec::new(), Vec::new()));
    assert_eq!(look(&[]), (Vec::new(), Vec::new()));
}

#[test]
fn a_partition_outside_the_disk_is_left_out_with_a_complaint() {
    let mut disk = empty();
    entry(&mut disk, 0, 0, (0x83, 64, 100));
    entry(&mut disk, 0, 1, (0x83, 4000, 97));
    entry(&mut disk, 0, 2, (0x83, u32::MAX, u32::MAX));
    let (found, complaints) = look(&disk);
    assert_eq!(found, [part(1, 64, 100)]);
    let outside = Complaint::Outside { number: 2, first: 4000, last: 4096, blocks: 4096 };
    assert_eq!(complaints.len(), 2);
    assert_eq!(complaints[0], outside);
    let text = alloc::format!("{outside}");
    assert!(text.starts_with("partition 2 (blocks 4000 to 4096) is not within"), "{text}");
}

#[test]
fn a_chain_of_logical_partitions_that_goes_round_ends() {
    let mut disk = empty();
    entry(&mut disk, 0, 0, (0x0f, 2000, 2000));
    entry(&mut disk, 2000, 0, (0x83, 8, 100));
    entry(&mut disk, 2000, 1, (0x05, 0, 200));
    let (found, complaints) = look(&disk);
    assert!(found.len() <= 128);
    assert_eq!(complaints, [Complaint::Chain]);
}

/// A disk with a GPT of these partitions (number, first and last block).
fn guid(partitions: &[(usize, u64, u64)]) -> Vec<u8> {
    let mut disk = empty();
    entry(&mut disk, 0, 0, (0xee, 1, BLOCKS as u32 - 1));
    for (header_at, entries_at) in [(1, 2), (BLOCKS - 1, BLOCKS - 33)] {
        let mut entries = alloc::vec![0; 32 * BLOCK];
        for (number, first, last) in partitions {
            let entry = GptPartitionEntry {
                partition_type_guid: GptPartitionType::BASIC_DATA,
                starting_lba: LbaLe::from_u64(*first),
                ending_lba: LbaLe::from_u64(*last),
                ..GptPartitionEntry::default()
            };
            let at = (number - 1) * 128;
            entries[at..at + 128].copy_from_slice(bytemuck::bytes_of(&entry));
        }
        let mut header = GptHeader {
            my_lba: LbaLe::from_u64(header_at as u64),
            partition_entry_lba: LbaLe::from_u64(entries_at as u64),
            number_of_partition_entries: U32Le::from_u32(128),
            ..GptHeader::default()
        };
        let layout = header.get_partition_entry_array_layout().unwrap();
        let size = BlockSize::new(BLOCK as u32).unwrap();
        let array = GptPartitionEntryArray::new(layout, size, &mut entries).unwrap();
        header.partition_entry_array_crc32 = array.calculate_crc32();
        header.update_header_crc32();
        let place = header_at * BLOCK;
        disk[place..place + 92].copy_from_slice(bytemuck::bytes_of(&header));
        disk[entries_at * BLOCK..(entries_at + 32) * BLOCK].copy_from_slice(&entries);
    }
    disk
}

#[test]
fn a_guid_table_is_read_and_its_copy_where_it_is_damaged() {
    let mut disk = guid(&[(1, 64, 127), (3, 200, 299), (4, 300, 299), (5, 4000, 5000)]);
    let expected = [part(1, 64, 64), part(3, 200, 100)];
    let (found, complaints) = look(&disk);
    assert_eq!(found, expected);
    assert_eq!(complaints.len(), 2);
    disk[2 * BLOCK + 40] ^= 1;
    assert_eq!(look(&disk).0, expected, "by the copy");
    disk[BLOCK * (BLOCKS - 1)] ^= 1;
    assert_eq!(look(&disk), (Vec::new(), alloc::vec![Complaint::Damaged]));
}

/// Damage at every byte of every structure, and at random ones at once: nothing out of the disk, ever.
#[test]
fn damaged_tables_never_lead_out_of_the_disk() {
    let mut mbr = empty();
    entry(&mut mbr, 0, 0, (0x83, 64, 1000));
    entry(&mut mbr, 0, 2, (0x05, 2000, 2000));
    entry(&mut mbr, 2000, 0, (0x83, 8, 100));
    let gpt = guid(&[(1, 64, 127), (2, 200, 299)]);
    let mut dice = 12345_u64;
    for sound in [mbr, gpt] {
        for round in 0..1000 {
            let mut disk = sound.clone();
            for _ in 0..=round % 4 {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let block = [0, 1, 2, 2000][(dice >> 60) as usize % 4];
                disk[block * BLOCK + (dice >> 33) as usize % BLOCK] = (dice >> 20) as u8;
            }
            let (found, _) = look(&disk);
            let size = disk.len() as u64;
            assert!(found.iter().all(|p| p.bytes > 0 && p.first + p.bytes <= size));
        }
    }
}
