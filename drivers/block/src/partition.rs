//! Partition tables: MBR with logical partitions, and GPT (UEFI 2.10, chapter 5).
//!
//! Everything in them is believed only as far as it lies within the disk; what does not is left out,
//! with a [`Complaint`].

use alloc::vec::Vec;
use core::fmt;

use gpt_disk_types::{
    BlockSize, GptHeader, GptPartitionEntry, GptPartitionEntryArray, MasterBootRecord,
    MbrPartitionRecord,
};
use neutrino_rt::Errno;

/// Most partitions of a disk.
const MOST: u32 = 128;
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const GPT: u8 = 0xee;

/// A partition: its number in the table, counted from 1, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number.
    pub number: u32,
    /// Its first byte on the disk.
    pub first: u64,
    /// Bytes.
    pub bytes: u64,
}

/// What is wrong with a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// A partition does not lie within the disk.
    Outside {
        /// Its number.
        number: u32,
        /// Its first block.
        first: u64,
        /// Its last block.
        last: u64,
        /// Blocks of the disk.
        blocks: u64,
    },
    /// The chain of logical partitions leads out of the disk, or has no end.
    Chain,
    /// The GUID partition table and its copy are damaged.
    Damaged,
    /// The disk could not be read.
    Unreadable(Errno),
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside { number, first, last, blocks } => write!(
                f,
                "partition {number} (blocks {first} to {last}) is not within the disk's {blocks} \
                 blocks: it is left out"
            ),
            Self::Chain => write!(
                f,
                "the chain of logical partitions is damaged: those behind the damage are left out"
            ),
            Self::Damaged => {
                write!(f, "the GUID partition table and its copy are damaged: all are left out")
            }
            Self::Unreadable(errno) => write!(f, "the partition table cannot be read: {errno}"),
        }
    }
}

/// A disk that is looked at.
struct Table<R> {
    read: R,
    block_bytes: u64,
    blocks: u64,
    found: Vec<Partition>,
    complaints: Vec<Complaint>,
}

/// Finds the partitions of a disk of `bytes` with blocks of `block_bytes`; `read` gets an offset.
pub fn partitions(
    bytes: u64,
    block_bytes: u32,
    read: impl FnMut(u64, &mut [u8]) -> Result<(), Errno>,
) -> (Vec<Partition>, Vec<Complaint>) {
    let block_bytes = u64::from(block_bytes);
    let blocks = bytes / block_bytes;
    let (found, complaints) = (Vec::new(), Vec::new());
    let mut table = Table { read, block_bytes, blocks, found, complaints };
    if let Err(errno) = table.look() {
        table.complaints.push(Complaint::Unreadable(errno));
    }
    (table.found, table.complaints)
}

impl<R: FnMut(u64, &mut [u8]) -> Result<(), Errno>> Table<R> {
    fn look(&mut self) -> Result<(), Errno> {
        let Some(record) = self.boot_record(0)? else { return Ok(()) };
        if record.partitions.iter().any(|partition| partition.os_indicator == GPT) {
            return self.guid_table();
        }
        for (number, partition) in (1..).zip(record.partitions) {
            let (first, blocks) = place(&partition);
            if partition.os_indicator == 0 || blocks == 0 {
                continue;
            }
            if EXTENDED.contains(&partition.os_indicator) {
                self.logical(first)?;
            } else {
                self.add(number, first, blocks);
            }
        }
        self.found.sort_unstable_by_key(|partition| partition.number);
        Ok(())
    }

    /// The boot record in a block; nothing if there is none.
    fn boot_record(&mut self, block: u64) -> Result<Option<MasterBootRecord>, Errno> {
        const SIGNATURE: [u8; 2] = [0x55, 0xaa];
        if block >= self.blocks {
            return Ok(None);
        }
        let mut bytes = [0; size_of::<MasterBootRecord>()];
        (self.read)(block * self.block_bytes, &mut bytes)?;
        let record: MasterBootRecord = bytemuck::pod_read_unaligned(&bytes);
        Ok((record.signature == SIGNATURE).then_some(record))
    }

    fn add(&mut self, number: u32, first: u64, blocks: u64) {
        let last = first.saturating_add(blocks) - 1;
        if first == 0 || last >= self.blocks {
            let blocks = self.blocks;
            self.complaints.push(Complaint::Outside { number, first, last, blocks });
            return;
        }
        let (first, bytes) = (first * self.block_bytes, blocks * self.block_bytes);
        self.found.push(Partition { number, first, bytes });
    }

    /// Logical partitions: each has a boot record of its own, which tells where the next one is.
    fn logical(&mut self, start: u64) -> Result<(), Errno> {
        const FIRST: u32 = 5;
        let mut at = start;
        for number in FIRST..MOST {
            let Some(record) = self.boot_record(at)? else {
                self.complaints.push(Complaint::Chain);
                return Ok(());
            };
            let [own, next, ..] = record.partitions;
            let (first, blocks) = place(&own);
            if own.os_indicator != 0 && blocks != 0 {
                self.add(number, at.saturating_add(first), blocks);
            }
            if next.os_indicator == 0 {
                return Ok(());
            }
            at = start.saturating_add(place(&next).0);
        }
        self.complaints.push(Complaint::Chain);
        Ok(())
    }

    fn guid_table(&mut self) -> Result<(), Errno> {
        let copy = self.blocks.saturating_sub(1);
        for block in [1, copy] {
            if let Some((header, entries)) = self.guid_entries(block)? {
                self.add_entries(&header, &entries);
                return Ok(());
            }
        }
        self.complaints.push(Complaint::Damaged);
        Ok(())
    }

    /// The header in a block and its entries, if both are sound.
    fn guid_entries(&mut self, block: u64) -> Result<Option<(GptHeader, Vec<u8>)>, Errno> {
        let mut bytes = [0; size_of::<GptHeader>()];
        if block == 0 || block >= self.blocks {
            return Ok(None);
        }
        (self.read)(block * self.block_bytes, &mut bytes)?;
        let header: GptHeader = bytemuck::pod_read_unaligned(&bytes);
        let (count, size) =
            (header.number_of_partition_entries.to_u32(), header.size_of_partition_entry.to_u32());
        let is_sound = header.is_signature_valid()
            && header.header_size.to_u32() as usize == bytes.len()
            && header.header_crc32 == header.calculate_header_crc32()
            && { header.my_lba }.to_u64() == block
            && size as usize == size_of::<GptPartitionEntry>()
            && count <= 8 * MOST;
        let first = { header.partition_entry_lba }.to_u64();
        let length = u64::from(count) * u64::from(size);
        let blocks = length.div_ceil(self.block_bytes);
        if !is_sound || first == 0 || first.saturating_add(blocks) > self.blocks {
            return Ok(None);
        }
        let mut entries = alloc::vec![0; (blocks * self.block_bytes) as usize];
        (self.read)(first * self.block_bytes, &mut entries)?;
        let sum = { header.partition_entry_array_crc32 };
        let block_size = BlockSize::new(self.block_bytes as u32);
        let array = header.get_partition_entry_array_layout().ok().zip(block_size).and_then(
            |(layout, size)| GptPartitionEntryArray::new(layout, size, &mut entries).ok(),
        );
        let is_sound = array.is_some_and(|array| array.calculate_crc32() == sum);
        Ok(is_sound.then_some((header, entries)))
    }

    fn add_entries(&mut self, header: &GptHeader, entries: &[u8]) {
        let count = header.number_of_partition_entries.to_u32().min(MOST);
        for (number, bytes) in (1..=count).zip(entries.chunks_exact(size_of::<GptPartitionEntry>()))
        {
            let entry: GptPartitionEntry = bytemuck::pod_read_unaligned(bytes);
            if !entry.is_used() {
                continue;
            }
            let (first, last) = ({ entry.starting_lba }.to_u64(), { entry.ending_lba }.to_u64());
            match last.checked_sub(first).and_then(|blocks| blocks.checked_add(1)) {
                Some(blocks) => self.add(number, first, blocks),
                None => {
                    let blocks = self.blocks;
                    self.complaints.push(Complaint::Outside { number, first, last, blocks });
                }
            }
        }
    }
}

/// First block and number of blocks of an entry.
fn place(partition: &MbrPartitionRecord) -> (u64, u64) {
    (partition.starting_lba.to_u32().into(), partition.size_in_lba.to_u32().into())
}
