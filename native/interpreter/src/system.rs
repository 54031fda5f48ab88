//! The host's functions: one system call each, with the number of its error, negative, where it fails.
use crate::{
    directory, image, process, start,
    sys::{Errno, Result as SysResult},
    text::{encode, Bytes},
};
use alloc::{ffi::CString, string::String, vec::Vec};
use core::{
    ffi::{c_char, c_int, c_uint},
    mem, ptr,
};
use libc::AT_FDCWD;
use rquickjs::{
    function::Func, Ctx, Error, Exception, IntoJs, Object, Result, String as JsString, TypedArray,
    Value,
};

/// The answer of a system call, or the number of its error.
pub struct Answer<T>(pub SysResult<T>);

impl<'js, T: IntoJs<'js>> IntoJs<'js> for Answer<T> {
    fn into_js(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        match self.0 {
            Ok(value) => value.into_js(ctx),
            Err(Errno(number)) => (-number).into_js(ctx),
        }
    }
}

/// Names and values that the system gives, which need not be text.
pub struct Names(pub Vec<Vec<u8>>);

impl<'js> IntoJs<'js> for Names {
    fn into_js(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        let names = self.0.into_iter();
        let names: Vec<_> = names
            .map(|name| bytes_of(ctx, name))
            .collect::<Result<_>>()?;
        names.into_js(ctx)
    }
}

/// See `Host` in src/interpreter/host.ts.
pub fn functions<'js>(ctx: &Ctx<'js>) -> Result<Object<'js>> {
    let host = Object::new(ctx.clone())?;
    process::add_functions(&host)?;
    host.set("arguments", Func::from(arguments))?;
    host.set("environment", Func::from(environment))?;
    host.set("identity", Func::from(identity))?;
    host.set("directory", Func::from(directory::current))?;
    host.set("kill", Func::from(kill))?;
    host.set("random", Func::from(random))?;
    host.set("sleep", Func::from(sleep))?;
    host.set("open", Func::from(open))?;
    host.set("close", Func::from(close))?;
    host.set("read", Func::from(read))?;
    host.set("write", Func::from(write))?;
    host.set("stat", Func::from(stat))?;
    host.set("lstat", Func::from(lstat))?;
    host.set("fstat", Func::from(fstat))?;
    host.set("statfs", Func::from(statfs))?;
    host.set("access", Func::from(access))?;
    host.set("readlink", Func::from(directory::readlink))?;
    host.set("readdir", Func::from(directory::names))?;
    host.set("readdirTypes", Func::from(directory::names_and_types))?;
    host.set("mkdir", Func::from(mkdir))?;
    host.set("rmdir", Func::from(rmdir))?;
    host.set("unlink", Func::from(unlink))?;
    host.set("rename", Func::from(rename))?;
    host.set("chmod", Func::from(chmod))?;
    host.set("chown", Func::from(chown))?;
    host.set("fsync", Func::from(fsync))?;
    host.set("realpath", Func::from(directory::realpath))?;
    host.set("encode", Func::from(encoded))?;
    host.set("encodeInto", Func::from(encode_into))?;
    host.set("decode", Func::from(decode))?;
    Ok(host)
}

pub fn bytes_of<'js>(ctx: &Ctx<'js>, bytes: Vec<u8>) -> Result<TypedArray<'js, u8>> {
    TypedArray::new_copy(ctx.clone(), bytes)
}

/// With U+FFFD for what is no UTF-8, as in Node.js.
fn arguments() -> Vec<String> {
    let words = start::words();
    words
        .into_iter()
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}

/// An object without a prototype. The first value of a variable that occurs twice counts, as in getenv(3).
fn environment<'js>(ctx: Ctx<'js>) -> Result<Object<'js>> {
    let all = Object::new(ctx)?;
    all.set_prototype(None)?;
    for variable in start::variables() {
        let Some(end) = variable.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        let name = String::from_utf8_lossy(&variable[..end]);
        if !name.is_empty() && !all.contains_key(&*name)? {
            all.set(&*name, &*String::from_utf8_lossy(&variable[end + 1..]))?;
        }
    }
    Ok(all)
}

/// pid, ppid, effective uid and gid.
fn identity() -> Vec<i64> {
    // SAFETY: none of them can fail.
    unsafe {
        let calls = [
            sys!(SYS_getpid),
            sys!(SYS_getppid),
            sys!(SYS_geteuid),
            sys!(SYS_getegid),
        ];
        calls.into_iter().flatten().collect()
    }
}

fn kill(pid: i32, signal: c_int) -> Answer<i64> {
    // SAFETY: it takes numbers.
    Answer(unsafe { sys!(SYS_kill, pid, signal) })
}

/// A random number from 0 up to 1, of 53 bits: as many as a number of JavaScript has. The build gets none: all processes would
/// have the same.
fn random(ctx: Ctx) -> Result<f64> {
    if image::is_filling() {
        return Err(Exception::throw_message(
            &ctx,
            "a module takes a random number when it is loaded",
        ));
    }
    let mut bytes = [0; 8];
    // SAFETY: there is room for as many bytes.
    if unsafe { sys!(SYS_getrandom, bytes.as_mut_ptr(), bytes.len(), 0) } != Ok(8) {
        return Err(Exception::throw_message(
            &ctx,
            "the system has no random numbers",
        ));
    }
    Ok((u64::from_ne_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64)
}

fn sleep(milliseconds: f64) {
    let nanoseconds = (milliseconds.max(0.0) * 1e6) as i64;
    let mut left = libc::timespec {
        tv_sec: nanoseconds / 1_000_000_000,
        tv_nsec: nanoseconds % 1_000_000_000,
    };
    // SAFETY: the structure is whole, and gets what is left.
    while unsafe { sys!(SYS_nanosleep, &raw const left, &raw mut left) } == Err(Errno(libc::EINTR))
    {
    }
}

/// A call with one path.
pub fn with_path<T>(path: Bytes, call: impl FnOnce(*const c_char) -> SysResult<T>) -> Answer<T> {
    match CString::new(path.0) {
        Ok(path) => Answer(call(path.as_ptr())),
        Err(_) => Answer(Err(Errno(libc::EINVAL))), // the caller has refused it
    }
}

/// The descriptor is for this process alone.
fn open(path: Bytes, flags: c_int, mode: c_uint) -> Answer<i64> {
    with_path(path, |path| unsafe {
        sys!(SYS_openat, AT_FDCWD, path, flags | libc::O_CLOEXEC, mode)
    })
}

fn close(fd: c_int) -> Answer<i64> {
    // SAFETY: nothing here owns the descriptors of JavaScript.
    Answer(unsafe { sys!(SYS_close, fd) })
}

/// The part of an array that a call is for.
pub fn part(bytes: &TypedArray<u8>, offset: usize, length: usize) -> Result<*mut u8> {
    let all = bytes.as_raw().ok_or(Error::Unknown)?;
    if offset.checked_add(length).is_none_or(|end| end > all.len()) {
        return Err(Error::new_from_js_message(
            "bytes",
            "part",
            "it is longer than the array",
        ));
    }
    // SAFETY: it is in the array, or its end.
    Ok(unsafe { all.as_ptr().cast::<u8>().add(offset) })
}

/// `position` is negative for where the file is.
fn read(
    fd: c_int,
    to: TypedArray<u8>,
    offset: usize,
    length: usize,
    position: i64,
) -> Result<Answer<i64>> {
    let start = part(&to, offset, length)?;
    // SAFETY: no JavaScript runs meanwhile, so that the array stays where it is.
    Ok(Answer(unsafe {
        match position {
            0.. => sys!(SYS_pread64, fd, start, length, position),
            _ => sys!(SYS_read, fd, start, length),
        }
    }))
}

fn write(fd: c_int, from: TypedArray<u8>, offset: usize, length: usize) -> Result<Answer<i64>> {
    let start = part(&from, offset, length)?;
    // SAFETY: as of `read`.
    Ok(Answer(unsafe { sys!(SYS_write, fd, start, length) }))
}

pub type Numbers<'js> = Answer<Result<TypedArray<'js, i64>>>;

/// dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks, and the times in nanoseconds: atime, mtime, ctime.
fn stat_of<'js>(
    ctx: &Ctx<'js>,
    fd: c_int,
    path: *const c_char,
    flags: c_int,
) -> SysResult<Result<TypedArray<'js, i64>>> {
    // SAFETY: numbers, all of which may be 0.
    let mut s: libc::stat = unsafe { mem::zeroed() };
    // SAFETY: the path is a text, and the structure is the kernel's.
    unsafe { sys!(SYS_newfstatat, fd, path, &raw mut s, flags)? };
    let time = |seconds: i64, nanoseconds: i64| seconds * 1_000_000_000 + nanoseconds;
    let numbers = [
        s.st_dev as i64,
        s.st_ino as i64,
        s.st_mode.into(),
        s.st_nlink as i64,
        s.st_uid.into(),
        s.st_gid.into(),
        s.st_rdev as i64,
        s.st_size,
        s.st_blksize as i64,
        s.st_blocks,
        time(s.st_atime, s.st_atime_nsec),
        time(s.st_mtime, s.st_mtime_nsec),
        time(s.st_ctime, s.st_ctime_nsec),
    ];
    Ok(TypedArray::new_copy(ctx.clone(), numbers))
}

fn stat<'js>(ctx: Ctx<'js>, path: Bytes) -> Numbers<'js> {
    with_path(path, |path| stat_of(&ctx, AT_FDCWD, path, 0))
}

fn lstat<'js>(ctx: Ctx<'js>, path: Bytes) -> Numbers<'js> {
    with_path(path, |path| {
        stat_of(&ctx, AT_FDCWD, path, libc::AT_SYMLINK_NOFOLLOW)
    })
}

fn fstat<'js>(ctx: Ctx<'js>, fd: c_int) -> Numbers<'js> {
    Answer(stat_of(&ctx, fd, c"".as_ptr(), libc::AT_EMPTY_PATH))
}

/// type, bsize, blocks, bfree, bavail, files, ffree.
fn statfs<'js>(ctx: Ctx<'js>, path: Bytes) -> Numbers<'js> {
    with_path(path, |path| {
        // SAFETY: as of `stat_of`.
        let mut s: libc::statfs = unsafe { mem::zeroed() };
        unsafe { sys!(SYS_statfs, path, &raw mut s)? };
        let numbers = [
            s.f_type as i64,
            s.f_bsize as i64,
            s.f_blocks as i64,
            s.f_bfree as i64,
            s.f_bavail as i64,
            s.f_files as i64,
            s.f_ffree as i64,
        ];
        Ok(TypedArray::new_copy(ctx.clone(), numbers))
    })
}

fn access(path: Bytes, mode: c_int) -> Answer<i64> {
    with_path(path, |path| unsafe {
        sys!(SYS_faccessat, AT_FDCWD, path, mode)
    })
}

fn mkdir(path: Bytes, mode: c_uint) -> Answer<i64> {
    with_path(path, |path| unsafe {
        sys!(SYS_mkdirat, AT_FDCWD, path, mode)
    })
}

fn rmdir(path: Bytes) -> Answer<i64> {
    with_path(path, |path| unsafe {
        sys!(SYS_unlinkat, AT_FDCWD, path, libc::AT_REMOVEDIR)
    })
}

fn unlink(path: Bytes) -> Answer<i64> {
    with_path(path, |path| unsafe {
        sys!(SYS_unlinkat, AT_FDCWD, path, 0)
    })
}

fn rename(from: Bytes, to: Bytes) -> Answer<i64> {
    with_path(from, |from| {
        with_path(to, |to| unsafe {
            sys!(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0)
        })
        .0
    })
}

fn chmod(path: Bytes, mode: c_uint) -> Answer<i64> {
    with_path(path, |path| unsafe {
        sys!(SYS_fchmodat, AT_FDCWD, path, mode)
    })
}

fn chown(path: Bytes, uid: u32, gid: u32) -> Answer<i64> {
    with_path(path, |path| unsafe {
        sys!(SYS_fchownat, AT_FDCWD, path, uid, gid, 0)
    })
}

fn fsync(fd: c_int) -> Answer<i64> {
    // SAFETY: it takes a number.
    Answer(unsafe { sys!(SYS_fsync, fd) })
}

fn encoded<'js>(ctx: Ctx<'js>, text: JsString<'js>) -> Result<TypedArray<'js, u8>> {
    bytes_of(&ctx, encode(text)?)
}

/// How many bytes were written, or -1 when there is no room: then none are.
fn encode_into<'js>(text: JsString<'js>, to: TypedArray<'js, u8>) -> Result<i64> {
    let bytes = encode(text)?;
    let all = to.as_raw().ok_or(Error::Unknown)?;
    if bytes.len() > all.len() {
        return Ok(-1);
    }
    // SAFETY: there is room, and no JavaScript runs meanwhile.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), all.as_ptr().cast(), bytes.len()) };
    Ok(bytes.len() as i64)
}

/// With U+FFFD for what is no UTF-8 (WHATWG Encoding "UTF-8 decoder", which ignores no mark at the beginning here).
fn decode<'js>(ctx: Ctx<'js>, bytes: TypedArray<'js, u8>) -> Result<JsString<'js>> {
    // SAFETY: the string is made before any JavaScript runs.
    let bytes = unsafe { bytes.as_bytes() }.ok_or(Error::Unknown)?;
    JsString::from_str(ctx, &String::from_utf8_lossy(bytes))
}
