//! How a process is started: as posix_spawn(3) does it.
use crate::{
    sys::{self, checked, exit, six, syscall, Errno, Result as SysResult},
    system::{with_path, Answer},
    text::Bytes,
};
use alloc::{ffi::CString, vec, vec::Vec};
use core::{
    arch::asm,
    ffi::{c_char, c_int},
    ptr,
};
use rquickjs::{Error, Result};

/// The new process has this stack until it executes its file: the memory is that of this process, which waits meanwhile.
const STACK_SIZE: usize = 64 << 10;
const FLAGS: i32 = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
const LAST_SIGNAL: i32 = 64;

/// Texts for execve(2), which end with a null pointer.
struct Texts {
    _texts: Vec<CString>,
    pointers: Vec<*const c_char>,
}

impl Texts {
    fn new(texts: Vec<Bytes>) -> Result<Self> {
        let texts: Vec<CString> = texts
            .into_iter()
            .map(|text| CString::new(text.0))
            .collect::<core::result::Result<_, _>>()
            .map_err(|_| Error::new_from_js_message("text", "argument", "it has a NUL"))?;
        let pointers = texts
            .iter()
            .map(|text| text.as_ptr())
            .chain([ptr::null()])
            .collect();
        Ok(Self {
            _texts: texts,
            pointers,
        })
    }
}

struct Plan<'a> {
    path: *const c_char,
    arguments: *const *const c_char,
    environment: *const *const c_char,
    directory: *const c_char,
    descriptors: &'a [c_int],
    is_detached: bool,
    /// The error of the new process.
    error: Option<Errno>,
}

/// Starts a process whose signals are as by default: its pid. Its descriptors from 0 on are these of this process; a negative
/// one is closed. With a session of its own when it is detached.
pub fn spawn(
    path: Bytes,
    arguments: Vec<Bytes>,
    environment: Vec<Bytes>,
    directory: Option<Bytes>,
    descriptors: Vec<c_int>,
    is_detached: bool,
) -> Result<Answer<i64>> {
    let arguments = Texts::new(arguments)?;
    let environment = Texts::new(environment)?;
    let directory = Texts::new(directory.into_iter().collect())?;
    Ok(with_path(path, |path| {
        let mut plan = Plan {
            path,
            arguments: arguments.pointers.as_ptr(),
            environment: environment.pointers.as_ptr(),
            directory: directory.pointers[0],
            descriptors: &descriptors,
            is_detached,
            error: None,
        };
        let mut stack = vec![0u128; STACK_SIZE / size_of::<u128>()];
        // SAFETY: the plan and the stack live until the new process has ended or executes its file.
        let pid =
            checked(unsafe { clone_onto(stack.as_mut_ptr_range().end.cast(), &raw mut plan) })?;
        match plan.error {
            None => Ok(pid),
            Some(error) => {
                // SAFETY: the process has ended, and is nobody's yet.
                unsafe { sys!(SYS_wait4, pid, 0, 0, 0)? };
                Err(error)
            }
        }
    }))
}

/// Has a new process call `become_program`, and returns its pid when that has executed its file or has ended.
#[cfg(target_arch = "x86_64")]
unsafe fn clone_onto(stack: *mut u8, plan: *mut Plan) -> isize {
    let result: isize;
    // SAFETY: as of `spawn`. The new process never returns from the block.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone as isize => result, in("rdi") FLAGS as usize, in("rsi") stack, in("rdx") 0, in("r10") 0,
            in("r8") 0, in("r12") plan, in("r13") become_program as unsafe extern "C" fn(*mut Plan) -> !, lateout("rcx") _, lateout("r11") _
        );
    }
    result
}

/// Has a new process call `become_program`, and returns its pid when that has executed its file or has ended.
#[cfg(target_arch = "aarch64")]
unsafe fn clone_onto(stack: *mut u8, plan: *mut Plan) -> isize {
    let result: isize;
    // SAFETY: as of `spawn`. The new process never returns from the block.
    unsafe {
        asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, #0",
            "mov x0, x20",
            "blr x21",
            "brk #1",
            "2:",
            in("x8") libc::SYS_clone, inlateout("x0") FLAGS as isize => result, in("x1") stack, in("x2") 0, in("x3") 0, in("x4") 0,
            in("x20") plan, in("x21") become_program as unsafe extern "C" fn(*mut Plan) -> !, lateout("x30") _
        );
    }
    result
}

unsafe extern "C" fn become_program(plan: *mut Plan) -> ! {
    // SAFETY: the process that waits has made it, and looks at it later.
    unsafe {
        let plan = &mut *plan;
        plan.error = execute(plan).err();
    }
    exit(127)
}

/// Returns only with an error.
unsafe fn execute(plan: &Plan) -> SysResult<()> {
    // SAFETY: all texts end in NUL, and this process is the caller's.
    unsafe {
        for signal in 1..=LAST_SIGNAL {
            if signal != libc::SIGKILL && signal != libc::SIGSTOP {
                sys::set_action(signal, libc::SIG_DFL)?;
            }
        }
        sys::unblock_all()?;
        if plan.is_detached {
            sys!(SYS_setsid)?;
        }
        for (fd, given) in (0..).zip(plan.descriptors) {
            place(fd, *given)?;
        }
        if !plan.directory.is_null() {
            sys!(SYS_chdir, plan.directory)?;
        }
        sys!(SYS_execve, plan.path, plan.arguments, plan.environment).map(|_| ())
    }
}

/// Puts a descriptor of the caller at a number. One that is there already only stays open.
unsafe fn place(fd: c_int, given: c_int) -> SysResult<()> {
    // SAFETY: they take numbers.
    unsafe {
        if given < 0 {
            syscall(libc::SYS_close, six(&[fd as usize])); // which may be none
            return Ok(());
        }
        let result = match given == fd {
            true => sys!(SYS_fcntl, fd, libc::F_SETFD, 0),
            false => sys!(SYS_dup3, given, fd, 0),
        };
        result.map(|_| ())
    }
}
