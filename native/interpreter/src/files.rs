//! Whole files, for the build.
use crate::sys::{self, Result};
use alloc::{ffi::CString, format, string::String, vec::Vec};

fn describe<T>(path: &[u8], result: Result<T>) -> core::result::Result<T, String> {
    result.map_err(|error| format!("{}: {error}", String::from_utf8_lossy(path)))
}

fn open(path: &[u8], flags: i32) -> Result<i64> {
    let name = CString::new(path).map_err(|_| sys::Errno(libc::EINVAL))?;
    // SAFETY: the name is a text.
    unsafe {
        sys!(
            SYS_openat,
            libc::AT_FDCWD,
            name.as_ptr(),
            flags | libc::O_CLOEXEC,
            0o755
        )
    }
}

pub fn read_file(path: &[u8]) -> core::result::Result<Vec<u8>, String> {
    let read = || {
        let fd = open(path, libc::O_RDONLY)?;
        let mut bytes = Vec::new();
        loop {
            bytes.reserve(1 << 20);
            let room = bytes.spare_capacity_mut();
            // SAFETY: there is room for as many bytes, and as many are there as were read.
            unsafe {
                let count = sys!(SYS_read, fd, room.as_mut_ptr(), room.len())?;
                bytes.set_len(bytes.len() + count as usize);
                if count == 0 {
                    sys!(SYS_close, fd)?;
                    return Ok(bytes);
                }
            }
        }
    };
    describe(path, read())
}

/// An executable file with these bytes alone.
pub fn write_file(path: &[u8], mut bytes: &[u8]) -> core::result::Result<(), String> {
    let mut write = || {
        let fd = open(path, libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC)?;
        while !bytes.is_empty() {
            // SAFETY: the bytes are there.
            let count = unsafe { sys!(SYS_write, fd, bytes.as_ptr(), bytes.len()) }?;
            bytes = &bytes[count as usize..];
        }
        // SAFETY: they take numbers.
        unsafe {
            sys!(SYS_fchmod, fd, 0o755)?;
            sys!(SYS_close, fd).map(|_| ())
        }
    };
    describe(path, write())
}
