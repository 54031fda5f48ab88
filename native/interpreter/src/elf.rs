//! Executable files of 64 bits, as this one. @see elf(5)
use alloc::vec::Vec;

const PT_LOAD: usize = 1;
const FIRST_ENTRY: usize = 32;
const FIRST_SECTION: usize = 40;
const ENTRY_SIZE: usize = 54;
const ENTRIES: usize = 56;
/// The fields of a segment's entry.
const OFFSET: usize = 8;
const ADDRESS: usize = 16;
const SIZE_IN_FILE: usize = 32;
const SIZE_IN_MEMORY: usize = 40;

/// The file with `data` at an address for which it has no bytes, so that it begins as zeros. Nothing is left of the sections, which
/// nobody needs who executes the file. None: the address is not in the memory of the last segment.
pub fn with_data(mut file: Vec<u8>, address: usize, data: &[u8]) -> Option<Vec<u8>> {
    let (table, entry_size) = (word(&file, FIRST_ENTRY, 8)?, word(&file, ENTRY_SIZE, 2)?);
    let entries = (0..word(&file, ENTRIES, 2)?).map(|index| table + index * entry_size);
    let segments = entries.filter(|entry| word(&file, *entry, 4) == Some(PT_LOAD));
    let last = segments.max_by_key(|entry| word(&file, *entry + OFFSET, 8))?;
    let (start, size) = (
        word(&file, last + OFFSET, 8)?,
        word(&file, last + SIZE_IN_FILE, 8)?,
    );
    let place = address.checked_sub(word(&file, last + ADDRESS, 8)?)?;
    if place < size || place + data.len() > word(&file, last + SIZE_IN_MEMORY, 8)? {
        return None;
    }
    file.truncate(start + size);
    file.resize(start + place, 0);
    file.extend_from_slice(data);
    file[last + SIZE_IN_FILE..last + SIZE_IN_FILE + 8]
        .copy_from_slice(&(place + data.len()).to_le_bytes());
    file[FIRST_SECTION..FIRST_SECTION + 8].fill(0);
    file[ENTRIES + 2..ENTRIES + 8].fill(0); // the number of sections, and which has their names
    Some(file)
}

fn word(file: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = file.get(at..at + size)?.iter().rev();
    Some(bytes.fold(0, |value, byte| value << 8 | usize::from(*byte)))
}
