//! The beginning of a process, and its end by a fault.
use crate::{
    memory::Shared,
    sys::{self, abort, exit, say},
};
use alloc::vec::Vec;
use core::{
    arch::global_asm,
    cell::UnsafeCell,
    ffi::{c_char, CStr},
    panic::PanicInfo,
    ptr,
};

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    begin = sym begin
);
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "b {begin}",
    begin = sym begin
);

extern "Rust" {
    /// The program: its exit code.
    fn bundle_tool_main() -> i32;
}

/// What the kernel has laid down: the number of words, the words, null, the variables, null.
static STACK: Shared<*const usize> = Shared(UnsafeCell::new(ptr::null()));

unsafe extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: nobody else runs, and the binary has the function.
    unsafe {
        *STACK.0.get() = stack;
        settle();
        exit(bundle_tool_main())
    }
}

/// A write to a pipe that nobody reads is an error, and no file gets the number of a standard stream.
unsafe fn settle() {
    let _ = sys::set_action(libc::SIGPIPE, libc::SIG_IGN); // which never fails
                                                           // SAFETY: the path is a text.
    unsafe {
        for fd in 0..3 {
            if sys!(SYS_fcntl, fd, libc::F_GETFD).is_err()
                && sys!(
                    SYS_openat,
                    libc::AT_FDCWD,
                    c"/dev/null".as_ptr(),
                    libc::O_RDWR
                )
                .is_err()
            {
                abort();
            }
        }
    }
}

fn texts_at(start: *const usize) -> Vec<&'static [u8]> {
    // SAFETY: texts that end in NUL, the last of which is null, and which stay where they are.
    unsafe {
        let pointers = (0..).map(|index| *start.add(index) as *const c_char);
        pointers
            .take_while(|text| !text.is_null())
            .map(|text| CStr::from_ptr(text).to_bytes())
            .collect()
    }
}

/// The words of this process, of which the first is its name.
pub fn words() -> Vec<&'static [u8]> {
    // SAFETY: it is written in the beginning only.
    texts_at(unsafe { (*STACK.0.get()).add(1) })
}

/// "NAME=value", each as the caller has given it.
pub fn variables() -> Vec<&'static [u8]> {
    // SAFETY: as of `words`.
    unsafe {
        let stack = *STACK.0.get();
        texts_at(stack.add(2 + *stack))
    }
}

#[panic_handler]
fn on_panic(info: &PanicInfo) -> ! {
    sys::say_formatted(format_args!("bundle-tool-interpreter: {info}\n"));
    abort()
}

/// Says a text of C.
///
/// # Safety
/// It ends in NUL.
#[no_mangle]
unsafe extern "C" fn say_text(text: *const c_char) {
    // SAFETY: as of this function.
    say(unsafe { CStr::from_ptr(text) }.to_bytes());
}

/// Says a fault of the engine, and ends.
///
/// # Safety
/// The text ends in NUL.
#[no_mangle]
unsafe extern "C" fn stop(text: *const c_char) -> ! {
    say(b"bundle-tool-interpreter: ");
    // SAFETY: as of this function.
    unsafe { say_text(text) };
    say(b"\n");
    abort()
}

/// What Rust's own libraries name for a stack that is unwound, which a panic here never does.
#[no_mangle]
extern "C" fn rust_eh_personality() -> ! {
    abort()
}

#[no_mangle]
extern "C" fn _Unwind_Resume() -> ! {
    abort()
}
