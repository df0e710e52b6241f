//! Disk images to boot with, and what the guest has left on them.

use std::fs;
use std::path::Path;

const BLOCK: usize = 512;
const BLOCKS: usize = 65536;

/// First blocks of the partitions that tests look into.
const FIRST: usize = 2048;
const THIRD: usize = 16384;

fn put(disk: &mut [u8], at: usize, bytes: &[u8]) {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Puts an entry into the boot record of a block.
fn entry(disk: &mut [u8], block: usize, index: usize, (kind, first, count): (u8, usize, usize)) {
    let at = block * BLOCK + 446 + 16 * index;
    disk[at + 4] = kind;
    for (field, number) in [(8, first), (12, count)] {
        put(disk, at + field, &number.to_le_bytes()[..4]);
    }
    put(disk, block * BLOCK + 510, &[0x55, 0xaa]);
}

/// A disk with partitions 1, 3, a logical one, and number 2 beyond its end.
fn boot_record() -> Vec<u8> {
    let mut disk = vec![0; BLOCK * BLOCKS];
    entry(&mut disk, 0, 0, (0x83, FIRST, 8192));
    entry(&mut disk, 0, 1, (0x83, 60000, 60000));
    entry(&mut disk, 0, 2, (0x83, THIRD, 8192));
    entry(&mut disk, 0, 3, (0x05, 30000, 4096));
    entry(&mut disk, 30000, 0, (0x83, 16, 1000));
    put(&mut disk, FIRST * BLOCK, b"part one");
    disk
}

/// The checksum that a GUID partition table has (CRC-32).
fn sum(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 0 { sum >> 1 } else { sum >> 1 ^ 0xedb8_8320 }
        })
    };
    !bytes.iter().fold(u32::MAX, step)
}

/// A disk with a GUID partition table of numbers 1 and 4.
fn guid_table() -> Vec<u8> {
    let mut disk = vec![0; BLOCK * BLOCKS];
    entry(&mut disk, 0, 0, (0xee, 1, BLOCKS - 1));
    let mut entries = vec![0; 128 * 128];
    for (number, first, last) in [(1, 2048_u64, 4095_u64), (4, 8192, 9000)] {
        let at = (number - 1) * 128;
        put(&mut entries, at, &[0x11; 32]);
        put(&mut entries, at + 32, &first.to_le_bytes());
        put(&mut entries, at + 40, &last.to_le_bytes());
    }
    let mut header = [0; 92];
    put(&mut header, 0, b"EFI PART");
    for (at, value) in [(8, 0x1_0000_u32), (12, 92), (24, 1), (72, 2), (80, 128), (84, 128)] {
        put(&mut header, at, &value.to_le_bytes());
    }
    put(&mut header, 88, &sum(&entries).to_le_bytes());
    let of_header = sum(&header);
    put(&mut header, 16, &of_header.to_le_bytes());
    put(&mut disk, BLOCK, &header);
    put(&mut disk, 2 * BLOCK, &entries);
    put(&mut disk, 8192 * BLOCK, b"guid four");
    disk
}

/// Writes both images into a folder and returns their paths.
///
/// # Errors
/// A sentence about a file that cannot be written.
pub fn images(folder: &Path) -> Result<[String; 2], String> {
    let write = |name: &str, contents: Vec<u8>| {
        let path = folder.join(name);
        fs::write(&path, contents).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok::<_, String>(path.display().to_string())
    };
    Ok([write("boot-record.img", boot_record())?, write("guid.img", guid_table())?])
}

/// Whether the guest's last words are on the first disk.
///
/// # Errors
/// A sentence about what is there instead.
pub fn has_last_words(image: &str) -> Result<(), String> {
    const WORDS: &[u8] = b"written last";
    let disk = fs::read(image).map_err(|error| format!("{image}: {error}"))?;
    let found = &disk[THIRD * BLOCK..THIRD * BLOCK + WORDS.len()];
    if found == WORDS { Ok(()) } else { Err(format!("{:?}", String::from_utf8_lossy(found))) }
}
