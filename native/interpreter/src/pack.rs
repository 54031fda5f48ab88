//! Packs memory, for the build: as LZ4, with fewer and longer copies than its own library makes.
//! @see LZ4 doc/lz4_Block_format.md
use alloc::{vec, vec::Vec};
use core::ffi::c_int;
use lz4_sys::LZ4_compress_HC;

/// The best that LZ4 has: it takes the build a second.
const LEVEL: c_int = 12;
/// Shorter copies are undone: each takes the time of some thirty bytes. With a number less the binary is a tenth of a megabyte
/// smaller, and a process unpacks it more slowly.
const LEAST: usize = 9;
/// The shortest copy that can be.
const SHORTEST: usize = 4;
/// The bits of a length in the first byte of a sequence. Where all of them are set, more bytes follow.
const SHORT: usize = 15;

/// None for what is larger than LZ4 takes.
pub fn pack(memory: &[u8]) -> Option<Vec<u8>> {
    let mut packed = vec![0; memory.len() + memory.len() / 255 + 16];
    // SAFETY: there is room for as many bytes.
    let size = unsafe {
        let (from, size) = (memory.as_ptr().cast(), memory.len() as c_int);
        let (to, room) = (packed.as_mut_ptr().cast(), packed.len() as c_int);
        LZ4_compress_HC(from, to, size, room, LEVEL)
    };
    packed.truncate(usize::try_from(size).ok().filter(|size| *size > 0)?);
    Some(without_short_copies(&packed, memory))
}

fn without_short_copies(packed: &[u8], memory: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(packed.len() * 2);
    let (mut from, mut at, mut written) = (0, 0, 0);
    loop {
        let token = usize::from(packed[from]);
        from += 1;
        let literals = read_length(packed, &mut from, token >> 4);
        from += literals;
        at += literals;
        if from == packed.len() {
            add(&mut result, &memory[written..at], None);
            return result;
        }
        let distance = [packed[from], packed[from + 1]];
        from += distance.len();
        let length = SHORTEST + read_length(packed, &mut from, token & SHORT);
        if length >= LEAST {
            add(&mut result, &memory[written..at], Some((distance, length)));
            written = at + length;
        }
        at += length;
    }
}

fn read_length(packed: &[u8], from: &mut usize, short: usize) -> usize {
    let mut length = short;
    let mut last = if short == SHORT { u8::MAX } else { 0 };
    while last == u8::MAX {
        last = packed[*from];
        *from += 1;
        length += usize::from(last);
    }
    length
}

/// A sequence: bytes, and a copy of what lies before; the last one has none.
fn add(to: &mut Vec<u8>, literals: &[u8], copy: Option<([u8; 2], usize)>) {
    let length = copy.map_or(0, |(_, length)| length - SHORTEST);
    to.push((literals.len().min(SHORT) << 4 | length.min(SHORT)) as u8);
    add_length(to, literals.len());
    to.extend_from_slice(literals);
    if let Some((distance, _)) = copy {
        to.extend_from_slice(&distance);
        add_length(to, length);
    }
}

fn add_length(to: &mut Vec<u8>, length: usize) {
    if let Some(mut left) = length.checked_sub(SHORT) {
        while left >= usize::from(u8::MAX) {
            to.push(u8::MAX);
            left -= usize::from(u8::MAX);
        }
        to.push(left as u8);
    }
}
