//! An engine with its program loaded, as data of this binary: a process finds it in its memory, and loads nothing.
//!
//! What is allocated while `fill` runs lies in `ROOM`. The build does that once, and writes a copy of the binary in which the
//! room is as it is then. Pointers into the room, the code and the constants stay right, because the binary is not position
//! independent.
use crate::{
    elf,
    files::read_file,
    memory::{Shared, System},
};
use alloc::{borrow::ToOwned, boxed::Box, string::String, vec::Vec};
use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    mem::{offset_of, size_of},
    ptr, slice,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

/// The file has the part that is used.
const ROOM_SIZE: usize = 16 << 20;
/// Of blocks in the room, which are as aligned as that.
const UNIT: usize = size_of::<Hole>();

#[repr(C, align(4096))]
struct Room {
    /// What `fill` has made; null in a binary that the compiler has made.
    root: *const (),
    /// Where the part begins that was never used.
    end: usize,
    /// Blocks that were freed, by their addresses, no two of them adjacent.
    holes: *mut Hole,
    bytes: [u8; ROOM_SIZE - 3 * size_of::<usize>()],
}

#[repr(C, align(16))]
struct Hole {
    size: usize,
    next: *mut Hole,
}

static ROOM: Shared<Room> = Shared(UnsafeCell::new(Room {
    root: ptr::null(),
    end: 0,
    holes: ptr::null_mut(),
    bytes: [0; ROOM_SIZE - 3 * size_of::<usize>()],
}));

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
    (block as usize).wrapping_sub(ROOM.0.get() as usize) < size_of::<Room>()
}

/// Takes the first hole that is large enough, or from the end. The block is zero.
unsafe fn take(layout: Layout) -> *mut u8 {
    let size = layout.size().next_multiple_of(UNIT);
    // SAFETY: one thread fills the room, and holes are in it.
    unsafe {
        let room = &mut *ROOM.0.get();
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
        ROOM.0.get().cast::<u8>().add(start)
    }
}

unsafe fn give_back(block: *mut u8, layout: Layout) {
    let size = layout.size().next_multiple_of(UNIT);
    // SAFETY: as of `take`.
    unsafe {
        ptr::write_bytes(block, 0, size);
        let mut link = &raw mut (*ROOM.0.get()).holes;
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
    made.map(|root| unsafe { (*ROOM.0.get()).root = Box::into_raw(root).cast() })
}

pub fn is_filling() -> bool {
    IS_FILLING.load(Relaxed)
}

/// The result in the room, if this binary has one.
///
/// # Safety
/// `fill` has got it with the same type.
pub unsafe fn root<T>() -> Option<&'static T> {
    // SAFETY: as of this function.
    unsafe { (*ROOM.0.get()).root.cast::<T>().as_ref() }
}

/// The file of this binary, with the room as it is now.
pub fn binary() -> Result<Vec<u8>, String> {
    let file = read_file(b"/proc/self/exe")?;
    // SAFETY: nothing fills the room now.
    let used = unsafe { slice::from_raw_parts(ROOM.0.get().cast::<u8>(), (*ROOM.0.get()).end) };
    elf::with_data(file, used.as_ptr() as usize, used)
        .ok_or_else(|| "the linker has not put the room into the last segment".to_owned())
}
