//! The host's functions: one system call each, with the number of its error, negative, where it fails.
use crate::{
    image, process,
    text::{encode, Bytes},
};
use libc::{c_char, c_int, c_uint};
use rquickjs::{
    function::Func, Ctx, Error, Exception, IntoJs, Object, Result, String as JsString, TypedArray,
    Value,
};
use std::{
    ffi::{CString, OsStr},
    io, mem,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::FileTypeExt,
    },
    ptr,
};

/// The answer of a system call, or the number of its error.
pub struct Answer<T>(pub io::Result<T>);

impl<'js, T: IntoJs<'js>> IntoJs<'js> for Answer<T> {
    fn into_js(self, ctx: &Ctx<'js>) -> Result<Value<'js>> {
        match self.0 {
            Ok(value) => value.into_js(ctx),
            Err(error) => (-error.raw_os_error().unwrap_or(libc::EINVAL)).into_js(ctx),
        }
    }
}

/// Names and values that the system gives, which need not be text.
struct Names(Vec<Vec<u8>>);

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
    host.set("directory", Func::from(directory))?;
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
    host.set("readlink", Func::from(readlink))?;
    host.set("readdir", Func::from(readdir))?;
    host.set("readdirTypes", Func::from(readdir_types))?;
    host.set("mkdir", Func::from(mkdir))?;
    host.set("rmdir", Func::from(rmdir))?;
    host.set("unlink", Func::from(unlink))?;
    host.set("rename", Func::from(rename))?;
    host.set("chmod", Func::from(chmod))?;
    host.set("chown", Func::from(chown))?;
    host.set("fsync", Func::from(fsync))?;
    host.set("realpath", Func::from(realpath))?;
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
    std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect()
}

/// An object without a prototype. The first value of a variable that occurs twice counts, as in getenv(3).
fn environment<'js>(ctx: Ctx<'js>) -> Result<Object<'js>> {
    let all = Object::new(ctx)?;
    all.set_prototype(None)?;
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if !name.starts_with('=') && !all.contains_key(&*name)? {
            all.set(&*name, &*value.to_string_lossy())?;
        }
    }
    Ok(all)
}

/// pid, ppid, effective uid and gid.
fn identity() -> Vec<i64> {
    // SAFETY: none of them can fail.
    unsafe {
        vec![
            libc::getpid().into(),
            libc::getppid().into(),
            libc::geteuid().into(),
            libc::getegid().into(),
        ]
    }
}

fn directory(ctx: Ctx) -> Answer<Result<TypedArray<u8>>> {
    Answer(std::env::current_dir().map(|path| bytes_of(&ctx, path.into_os_string().into_vec())))
}

fn kill(pid: i32, signal: c_int) -> Answer<i64> {
    // SAFETY: it takes numbers.
    answer(unsafe { libc::kill(pid, signal) }.into())
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
    if unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } != 8 {
        return Err(Exception::throw_message(
            &ctx,
            "the system has no random numbers",
        ));
    }
    Ok((u64::from_ne_bytes(bytes) >> 11) as f64 / (1u64 << 53) as f64)
}

fn sleep(milliseconds: f64) {
    std::thread::sleep(std::time::Duration::from_secs_f64(
        milliseconds.max(0.0) / 1000.0,
    ));
}

pub fn answer(result: i64) -> Answer<i64> {
    Answer(checked(result))
}

pub fn checked(result: i64) -> io::Result<i64> {
    match result {
        0.. => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A call with one path.
pub fn with_path<T>(path: Bytes, call: impl FnOnce(*const c_char) -> io::Result<T>) -> Answer<T> {
    match CString::new(path.0) {
        Ok(path) => Answer(call(path.as_ptr())),
        Err(_) => Answer(Err(io::Error::from_raw_os_error(libc::EINVAL))), // the caller has refused it
    }
}

/// The descriptor is for this process alone.
fn open(path: Bytes, flags: c_int, mode: c_uint) -> Answer<i64> {
    with_path(path, |path| {
        checked(unsafe { libc::open(path, flags | libc::O_CLOEXEC, mode) }.into())
    })
}

fn close(fd: c_int) -> Answer<i64> {
    // SAFETY: nothing here owns the descriptors of JavaScript.
    answer(unsafe { libc::close(fd) }.into())
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
    let start = part(&to, offset, length)?.cast();
    // SAFETY: no JavaScript runs meanwhile, so that the array stays where it is.
    let count = unsafe {
        match position {
            0.. => libc::pread(fd, start, length, position),
            _ => libc::read(fd, start, length),
        }
    };
    Ok(answer(count as i64))
}

fn write(fd: c_int, from: TypedArray<u8>, offset: usize, length: usize) -> Result<Answer<i64>> {
    let start = part(&from, offset, length)?;
    // SAFETY: as of `read`.
    Ok(answer(
        unsafe { libc::write(fd, start.cast(), length) } as i64
    ))
}

pub type Numbers<'js> = Answer<Result<TypedArray<'js, i64>>>;

/// dev, ino, mode, nlink, uid, gid, rdev, size, blksize, blocks, and the times in nanoseconds: atime, mtime, ctime.
fn stat_by<'js>(
    ctx: &Ctx<'js>,
    call: impl FnOnce(*mut libc::stat) -> c_int,
) -> io::Result<Result<TypedArray<'js, i64>>> {
    // SAFETY: numbers, all of which may be 0.
    let mut s: libc::stat = unsafe { mem::zeroed() };
    checked(call(&mut s).into())?;
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
    with_path(path, |path| {
        stat_by(&ctx, |to| unsafe { libc::stat(path, to) })
    })
}

fn lstat<'js>(ctx: Ctx<'js>, path: Bytes) -> Numbers<'js> {
    with_path(path, |path| {
        stat_by(&ctx, |to| unsafe { libc::lstat(path, to) })
    })
}

fn fstat<'js>(ctx: Ctx<'js>, fd: c_int) -> Numbers<'js> {
    Answer(stat_by(&ctx, |to| unsafe { libc::fstat(fd, to) }))
}

/// type, bsize, blocks, bfree, bavail, files, ffree.
fn statfs<'js>(ctx: Ctx<'js>, path: Bytes) -> Numbers<'js> {
    with_path(path, |path| {
        // SAFETY: as of `stat_by`.
        let mut s: libc::statfs = unsafe { mem::zeroed() };
        checked(unsafe { libc::statfs(path, &mut s) }.into())?;
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
    with_path(path, |path| {
        checked(unsafe { libc::access(path, mode) }.into())
    })
}

fn readlink<'js>(ctx: Ctx<'js>, path: Bytes) -> Answer<Result<TypedArray<'js, u8>>> {
    let target = std::fs::read_link(OsStr::from_bytes(&path.0));
    Answer(target.map(|target| bytes_of(&ctx, target.into_os_string().into_vec())))
}

/// In the order of their bytes.
fn readdir(path: Bytes) -> Answer<Names> {
    Answer(entries_of(&path, |entry| Ok(entry.file_name().into_vec())))
}

/// The same names, behind each of them a byte with its type, as the bits of the mode have it above the twelve of permissions.
fn readdir_types(path: Bytes) -> Answer<Names> {
    Answer(entries_of(&path, |entry| {
        let kind = entry.file_type()?;
        let bits = [
            (libc::S_IFDIR, kind.is_dir()),
            (libc::S_IFLNK, kind.is_symlink()),
            (libc::S_IFREG, kind.is_file()),
            (libc::S_IFIFO, kind.is_fifo()),
            (libc::S_IFSOCK, kind.is_socket()),
            (libc::S_IFBLK, kind.is_block_device()),
            (libc::S_IFCHR, kind.is_char_device()),
        ];
        let mode = bits.iter().find(|(_, is_it)| *is_it);
        let byte = mode.map_or(0, |(mode, _)| (mode >> 12) as u8);
        Ok([entry.file_name().as_bytes(), &[byte]].concat())
    }))
}

fn entries_of(
    path: &Bytes,
    mut name: impl FnMut(&std::fs::DirEntry) -> io::Result<Vec<u8>>,
) -> io::Result<Names> {
    let entries = std::fs::read_dir(OsStr::from_bytes(&path.0))?;
    let mut names = entries
        .map(|entry| {
            let entry = entry?;
            Ok((entry.file_name(), name(&entry)?))
        })
        .collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(Names(names.into_iter().map(|(_, name)| name).collect()))
}

fn mkdir(path: Bytes, mode: c_uint) -> Answer<i64> {
    with_path(path, |path| {
        checked(unsafe { libc::mkdir(path, mode) }.into())
    })
}

fn rmdir(path: Bytes) -> Answer<i64> {
    with_path(path, |path| checked(unsafe { libc::rmdir(path) }.into()))
}

fn unlink(path: Bytes) -> Answer<i64> {
    with_path(path, |path| checked(unsafe { libc::unlink(path) }.into()))
}

fn rename(from: Bytes, to: Bytes) -> Answer<i64> {
    with_path(from, |from| {
        with_path(to, |to| checked(unsafe { libc::rename(from, to) }.into())).0
    })
}

fn chmod(path: Bytes, mode: c_uint) -> Answer<i64> {
    with_path(path, |path| {
        checked(unsafe { libc::chmod(path, mode) }.into())
    })
}

fn chown(path: Bytes, uid: u32, gid: u32) -> Answer<i64> {
    with_path(path, |path| {
        checked(unsafe { libc::chown(path, uid, gid) }.into())
    })
}

fn fsync(fd: c_int) -> Answer<i64> {
    // SAFETY: it takes a number.
    answer(unsafe { libc::fsync(fd) }.into())
}

fn realpath<'js>(ctx: Ctx<'js>, path: Bytes) -> Answer<Result<TypedArray<'js, u8>>> {
    let real = std::fs::canonicalize(OsStr::from_bytes(&path.0));
    Answer(real.map(|real| bytes_of(&ctx, real.into_os_string().into_vec())))
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
