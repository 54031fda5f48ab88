//! System calls without a C library, whose start takes longer than that of the engine.
use core::{arch::asm, fmt};
use libc::c_long;

/// The number of an error.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl fmt::Display for Errno {
    fn fmt(&self, to: &mut fmt::Formatter) -> fmt::Result {
        write!(to, "error {}", self.0)
    }
}

pub type Result<T> = core::result::Result<T, Errno>;

/// # Safety
/// As of the system call.
#[cfg(target_arch = "x86_64")]
#[inline]
pub unsafe fn syscall(number: c_long, words: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: as of this function; the kernel keeps all other registers.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") words[0], in("rsi") words[1], in("rdx") words[2],
            in("r10") words[3], in("r8") words[4], in("r9") words[5], lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

/// # Safety
/// As of the system call.
#[cfg(target_arch = "aarch64")]
#[inline]
pub unsafe fn syscall(number: c_long, words: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: as of this function; the kernel keeps all other registers.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") words[0] as isize => result, in("x1") words[1], in("x2") words[2],
            in("x3") words[3], in("x4") words[4], in("x5") words[5], options(nostack));
    }
    result
}

/// `sys!(SYS_close, fd)`: a call by its name in the crate `libc`, and its answer as a `Result<i64>`. It is unsafe as the call is.
macro_rules! sys {
    ($name:ident $(, $word:expr)*) => {
        $crate::sys::checked($crate::sys::syscall(libc::$name, $crate::sys::six(&[$($word as usize),*])))
    };
}

#[inline]
pub fn six(words: &[usize]) -> [usize; 6] {
    let mut all = [0; 6];
    all[..words.len()].copy_from_slice(words);
    all
}

#[inline]
pub fn checked(result: isize) -> Result<i64> {
    match result {
        -4095..0 => Err(Errno(-result as i32)),
        _ => Ok(result as i64),
    }
}

/// The exit code is for the caller of this process.
pub fn exit(code: i32) -> ! {
    loop {
        // SAFETY: it takes a number, and does not return.
        unsafe { syscall(libc::SYS_exit_group, six(&[code as usize])) };
    }
}

/// The size of a set of signals.
pub const SET_SIZE: usize = size_of::<u64>();

/// Has a signal do what it does by default, `SIG_DFL`, or nothing, `SIG_IGN`.
pub fn set_action(signal: i32, action: libc::sighandler_t) -> Result<i64> {
    // The handler, flags, what restores the registers, and the mask.
    let action = [action, 0, 0, 0];
    // SAFETY: the structure is whole, and this process has no handlers.
    unsafe { sys!(SYS_rt_sigaction, signal, action.as_ptr(), 0, SET_SIZE) }
}

/// No signal waits any longer.
pub fn unblock_all() -> Result<i64> {
    let none = 0u64;
    // SAFETY: the set is whole.
    unsafe {
        sys!(
            SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const none,
            0,
            SET_SIZE
        )
    }
}

/// Writes all to standard error; nobody can be told that it cannot be written.
pub fn say(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        // SAFETY: the bytes are there.
        match unsafe { sys!(SYS_write, 2, bytes.as_ptr(), bytes.len()) } {
            Ok(count @ 1..) => bytes = &bytes[count as usize..],
            Err(Errno(libc::EINTR)) => {}
            _ => return,
        }
    }
}

/// The same of a text that is made meanwhile, which takes no memory.
pub fn say_formatted(text: fmt::Arguments) {
    struct StandardError;
    impl fmt::Write for StandardError {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            say(text.as_bytes());
            Ok(())
        }
    }
    let _ = fmt::write(&mut StandardError, text); // which never fails
}

/// Ends the process as a fault does.
pub fn abort() -> ! {
    // SAFETY: they take numbers.
    let _ = unsafe {
        set_action(libc::SIGABRT, libc::SIG_DFL)
            .and_then(|_| unblock_all())
            .and_then(|_| sys!(SYS_getpid))
            .and_then(|pid| sys!(SYS_kill, pid, libc::SIGABRT))
    };
    exit(128 + libc::SIGABRT)
}
