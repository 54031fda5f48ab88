//! The memory of a process, whose blocks dlmalloc keeps.

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    ptr::null_mut,
};
use dlmalloc::{Allocator, Dlmalloc};

/// What one thread has, and changes.
pub struct Shared<T>(pub UnsafeCell<T>);
// SAFETY: there is one thread.
unsafe impl<T> Sync for Shared<T> {}

/// As much is taken of the system at once, so that it is seldom called.
const PIECE: usize = 512 << 10;
/// dlmalloc's flag for memory that it must not give back.
const LENT: u32 = 1;

struct Pages;
// SAFETY: it has nothing.
unsafe impl Send for Pages {}

// SAFETY: as of mmap(2), mremap(2) and munmap(2).
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        // SAFETY: there is one thread.
        let spare = unsafe { &mut *SPARE.0.get() };
        if let Some((start, spare_size)) = spare.take_if(|(_, spare_size)| size <= *spare_size) {
            return (start, spare_size, LENT);
        }
        let size = size.max(PIECE);
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
        );
        // SAFETY: new memory, wherever there is room.
        let start = unsafe { sys!(SYS_mmap, 0, size, access, kind, -1isize, 0) };
        start.map_or((null_mut(), 0, 0), |start| (start as *mut u8, size, 0))
    }

    fn remap(&self, start: *mut u8, size: usize, new_size: usize, can_move: bool) -> *mut u8 {
        let flags = if can_move { libc::MREMAP_MAYMOVE } else { 0 };
        // SAFETY: the caller has got this memory here.
        unsafe { sys!(SYS_mremap, start, size, new_size, flags) }
            .map_or(null_mut(), |start| start as *mut u8)
    }

    fn free_part(&self, start: *mut u8, size: usize, new_size: usize) -> bool {
        // SAFETY: as of `remap`.
        unsafe { sys!(SYS_munmap, start.add(new_size), size - new_size) }.is_ok()
    }

    fn free(&self, start: *mut u8, size: usize) -> bool {
        // SAFETY: as of `remap`.
        unsafe { sys!(SYS_munmap, start, size) }.is_ok()
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        4096
    }
}

static BLOCKS: Shared<Dlmalloc<Pages>> =
    Shared(UnsafeCell::new(Dlmalloc::new_with_allocator(Pages)));

static SPARE: Shared<Option<(*mut u8, usize)>> = Shared(UnsafeCell::new(None));

/// Has the first blocks lie in memory that is there already, and zero.
///
/// # Safety
/// Nobody else uses it.
pub unsafe fn lend(start: *mut u8, size: usize) {
    // SAFETY: there is one thread.
    unsafe { *SPARE.0.get() = Some((start, size)) };
}

/// Memory of the system.
pub struct System;

// SAFETY: one thread calls it, and dlmalloc keeps the rules.
unsafe impl GlobalAlloc for System {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as of this implementation.
        unsafe { (*BLOCKS.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as of this implementation.
        unsafe { (*BLOCKS.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as of this implementation.
        unsafe { (*BLOCKS.0.get()).free(block, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as of this implementation.
        unsafe { (*BLOCKS.0.get()).realloc(block, layout.size(), layout.align(), size) }
    }
}

/// For C, whose blocks have sizes of their own.
#[no_mangle]
unsafe extern "C" fn malloc(size: usize) -> *mut u8 {
    // SAFETY: as of `System`.
    unsafe { (*BLOCKS.0.get()).c_malloc(size) }
}

#[no_mangle]
unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut u8 {
    let Some(size) = count.checked_mul(size) else {
        return null_mut();
    };
    // SAFETY: there is room for as many bytes.
    unsafe {
        let block = malloc(size);
        if !block.is_null() {
            block.write_bytes(0, size);
        }
        block
    }
}

#[no_mangle]
unsafe extern "C" fn realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: as of `System`.
    unsafe { (*BLOCKS.0.get()).c_realloc(block, size) }
}

#[no_mangle]
unsafe extern "C" fn free(block: *mut u8) {
    // SAFETY: as of `System`.
    unsafe { (*BLOCKS.0.get()).c_free(block) }
}
