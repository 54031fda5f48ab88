//! An engine with its program loaded, as data of this binary: a process finds it in its memory, and loads nothing.
//!
//! What is allocated while `fill` runs lies in `ROOM`. The build does that once, and writes a copy of the binary that has the room
//! as it is then, packed. A process unpacks it first. Pointers into the room, the code and the constants stay right, because the
//! binary is not position independent.
use crate::{
    elf,
    memory::{self, Shared, System},
    pack::pack,
};
use alloc::{borrow::ToOwned, boxed::Box, string::String, vec::Vec};
use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    ffi::c_int,
    mem::{offset_of, size_of},
    ptr, slice,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};
use lz4_sys::LZ4_decompress_safe;

/// As much of the room can be used.
const ROOM_SIZE: usize = 8 << 20;
const PACKED_SIZE: usize = 4 << 20;
/// Of blocks in the room, which are as aligned as that.
const UNIT: usize = size_of::<Hole>();
/// Of the pages that the kernel is asked to make the room of: one is made in the time of some hundred small ones.
const LARGE_PAGE: usize = 2 << 20;

#[repr(C, align(4096))]
struct Packed {
    /// The size of the bytes, 0 in a binary that the compiler has made, and of the room that they are.
    sizes: [usize; 2],
    bytes: [u8; PACKED_SIZE],
}

#[repr(C)]
struct Room {
    /// What `fill` has made.
    root: *const (),
    /// Where the part begins that was never used.
    end: usize,
    /// Blocks that were freed, by their addresses, no two of them adjacent.
    holes: *mut Hole,
    bytes: [u8; ROOM_SIZE],
}

/// In this order: the file has what is packed, and not the space behind it, where the room begins with a large page.
#[repr(C)]
struct Image {
    packed: Packed,
    space: [u8; LARGE_PAGE + size_of::<Room>()],
}

#[repr(C, align(16))]
struct Hole {
    size: usize,
    next: *mut Hole,
}

/// All zero, as `Room` is in the beginning.
static IMAGE: Shared<Image> = Shared(UnsafeCell::new(Image {
    packed: Packed {
        sizes: [0; 2],
        bytes: [0; PACKED_SIZE],
    },
    space: [0; LARGE_PAGE + size_of::<Room>()],
}));

fn room() -> *mut Room {
    // SAFETY: a place in the static.
    let space = unsafe { &raw mut (*IMAGE.0.get()).space };
    (space as usize).next_multiple_of(LARGE_PAGE) as *mut Room
}

static IS_FILLING: AtomicBool = AtomicBool::new(false);

#[global_allocator]
static MEMORY: Memory = Memory;

/// The system's memory, or the room while it is filled. Later nothing in the room is used again.
struct Memory;

// SAFETY: blocks do not overlap, and each goes back to where it is from.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as of this function; one thread fills the room.
        match IS_FILLING.load(Relaxed) {
            true => unsafe { take(layout) },
            false => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as of `alloc`.
        match IS_FILLING.load(Relaxed) {
            true => unsafe { take(layout) },
            false => unsafe { System.alloc_zeroed(layout) },
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as of `alloc`.
        match (is_in_room(block), IS_FILLING.load(Relaxed)) {
            (false, _) => unsafe { System.dealloc(block, layout) },
            (true, true) => unsafe { give_back(block, layout) },
            (true, false) => {}
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the rules of `realloc`.
        unsafe {
            if !is_in_room(block) && !IS_FILLING.load(Relaxed) {
                return System.realloc(block, layout, size);
            }
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                self.dealloc(block, layout);
            }
            moved
        }
    }
}

fn is_in_room(block: *const u8) -> bool {
    // SAFETY: one thread moves the end.
    (block as usize).wrapping_sub(room() as usize) < unsafe { (*room()).end }
}

/// Takes the first hole that is large enough, or from the end. The block is zero.
unsafe fn take(layout: Layout) -> *mut u8 {
    let size = layout.size().next_multiple_of(UNIT);
    // SAFETY: one thread fills the room, and holes are in it.
    unsafe {
        let place = room();
        let room = &mut *place;
        let mut link = &raw mut room.holes;
        while !(*link).is_null() && (**link).size < size {
            link = &raw mut (**link).next;
        }
        let hole = *link;
        if !hole.is_null() {
            (*hole).size -= size;
            let block = hole.cast::<u8>().add((*hole).size);
            if (*hole).size == 0 {
                *link = (*hole).next;
            }
            ptr::write_bytes(block, 0, size);
            return block;
        }
        let start = room.end.max(offset_of!(Room, bytes)).next_multiple_of(UNIT);
        if layout.align() > UNIT || start + size > size_of::<Room>() {
            return ptr::null_mut();
        }
        room.end = start + size;
        place.cast::<u8>().add(start)
    }
}

unsafe fn give_back(block: *mut u8, layout: Layout) {
    let size = layout.size().next_multiple_of(UNIT);
    // SAFETY: as of `take`.
    unsafe {
        ptr::write_bytes(block, 0, size);
        let mut link = &raw mut (*room()).holes;
        let mut before = ptr::null_mut::<Hole>();
        while !(*link).is_null() && (*link).cast() < block {
            before = *link;
            link = &raw mut (**link).next;
        }
        let hole = block.cast::<Hole>();
        hole.write(Hole { size, next: *link });
        *link = hole;
        join_next(hole);
        if !before.is_null() {
            join_next(before);
        }
    }
}

unsafe fn join_next(hole: *mut Hole) {
    // SAFETY: as of `take`.
    unsafe {
        let next = (*hole).next;
        if !next.is_null() && hole.cast::<u8>().add((*hole).size) == next.cast() {
            (*hole).size += (*next).size;
            (*hole).next = (*next).next;
            ptr::write_bytes(next, 0, 1);
        }
    }
}

/// Runs `make` in the room, and keeps its result there. No other thread may run.
pub fn fill<T, E>(make: impl FnOnce() -> Result<T, E>) -> Result<(), E> {
    IS_FILLING.store(true, Relaxed);
    let made = make().map(Box::new);
    IS_FILLING.store(false, Relaxed);
    // SAFETY: nobody reads it meanwhile.
    made.map(|root| unsafe { (*room()).root = Box::into_raw(root).cast() })
}

pub fn is_filling() -> bool {
    IS_FILLING.load(Relaxed)
}

/// The result in the room, if this binary has one. It is unpacked first.
///
/// # Safety
/// `fill` has got it with the same type.
pub unsafe fn root<T>() -> Option<&'static T> {
    // SAFETY: as of this function.
    unsafe {
        let Packed { sizes, bytes } = &(*IMAGE.0.get()).packed;
        if sizes[0] > 0 {
            unpack(&bytes[..sizes[0]], sizes[1]);
        }
        (*room()).root.cast::<T>().as_ref()
    }
}

unsafe fn unpack(packed: &[u8], size: usize) {
    let pages = size.next_multiple_of(LARGE_PAGE);
    // SAFETY: as much was packed of the room, and nobody has used it.
    let result = unsafe {
        let _ = sys!(SYS_madvise, room(), pages, libc::MADV_HUGEPAGE); // a kernel without them has small ones
        let (from, length) = (packed.as_ptr().cast(), packed.len() as c_int);
        LZ4_decompress_safe(from, room().cast(), length, size as c_int)
    };
    assert_eq!(result, size as c_int, "the binary is not whole");
    let used = size.next_multiple_of(UNIT);
    // SAFETY: the rest of the last page is nobody's.
    unsafe { memory::lend(room().cast::<u8>().add(used), pages - used) };
}

/// The room as it is now, for `packed_into` of another process. It begins with the place that the packed room has.
pub fn contents() -> Vec<u8> {
    // SAFETY: nothing fills the room now.
    let used = unsafe { slice::from_raw_parts(room().cast::<u8>(), (*room()).end) };
    [&(IMAGE.0.get() as usize).to_ne_bytes(), used].concat()
}

/// The file `binary`, with what `contents` has given in a process that executes it.
pub fn packed_into(binary: Vec<u8>, contents: &[u8]) -> Result<Vec<u8>, String> {
    let (place, used) = contents
        .split_first_chunk()
        .ok_or("there is nothing to be packed")?;
    let bytes = pack(used)
        .filter(|bytes| bytes.len() <= PACKED_SIZE)
        .ok_or("there is too much to be packed")?;
    let sizes = [bytes.len(), used.len()].map(usize::to_ne_bytes).concat();
    elf::with_data(
        binary,
        usize::from_ne_bytes(*place),
        &[sizes, bytes].concat(),
    )
    .ok_or_else(|| "the linker has not put the room into the last segment".to_owned())
}
