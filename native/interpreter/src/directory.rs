//! Names in directories: listed, followed and resolved.
use crate::{
    sys::{Errno, Result as SysResult},
    system::{bytes_of, with_path, Answer, Names},
    text::Bytes,
};
use alloc::{ffi::CString, vec, vec::Vec};
use core::{
    ffi::{c_char, CStr},
    mem::{offset_of, zeroed},
};
use libc::{dirent64, AT_FDCWD};
use rquickjs::{Ctx, Result, TypedArray};

/// As long as the kernel lets a path be.
const PATH_SIZE: usize = libc::PATH_MAX as usize;
/// As many symbolic links may be in a path: as in the kernel.
const MOST_LINKS: usize = 40;

type Path<'js> = Answer<Result<TypedArray<'js, u8>>>;

pub fn current<'js>(ctx: Ctx<'js>) -> Path<'js> {
    Answer(current_path().map(|path| bytes_of(&ctx, path)))
}

/// The path of the directory of this process. The kernel knows none for one in another mount namespace: then the directories above
/// it are looked through, as getcwd(3) of glibc does. ENOENT: there is none.
fn current_path() -> SysResult<Vec<u8>> {
    let mut path = vec![0; PATH_SIZE];
    // SAFETY: there is room for as many bytes.
    let length = unsafe { sys!(SYS_getcwd, path.as_mut_ptr(), path.len())? };
    path.truncate(length as usize - 1);
    match path.first() {
        Some(b'/') => Ok(path),
        _ => found_path(),
    }
}

fn found_path() -> SysResult<Vec<u8>> {
    let is_same = |one: &libc::stat, other: &libc::stat| {
        (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
    };
    let root = status_of(AT_FDCWD.into(), c"/")?;
    let (mut path, mut up) = (Vec::new(), b"..".to_vec());
    let mut here = status_of(AT_FDCWD.into(), c".")?;
    while !is_same(&here, &root) {
        let name = CString::new(up.as_slice()).map_err(|_| Errno(libc::EINVAL))?;
        let parent = open_directory(name.as_ptr())?;
        let found = read_entries(parent).and_then(|entries| {
            let is_here =
                |name: &CStr| status_of(parent, name).is_ok_and(|status| is_same(&status, &here));
            let mut names = entries.into_iter().flat_map(|(name, _)| CString::new(name));
            let name = names
                .find(|name| is_here(name))
                .ok_or(Errno(libc::ENOENT))?;
            Ok((name, status_of(parent, c".")?))
        });
        // SAFETY: it takes a number.
        unsafe { sys!(SYS_close, parent)? };
        let (name, above) = found?;
        path.splice(0..0, [b"/", name.as_bytes()].concat());
        here = above;
        up.extend_from_slice(b"/..");
    }
    if path.is_empty() {
        path.push(b'/');
    }
    Ok(path)
}

fn target_of(path: *const c_char) -> SysResult<Vec<u8>> {
    let mut target = vec![0; PATH_SIZE];
    // SAFETY: the path is a text, and there is room for as many bytes.
    let length = unsafe {
        sys!(
            SYS_readlinkat,
            AT_FDCWD,
            path,
            target.as_mut_ptr(),
            target.len()
        )?
    };
    target.truncate(length as usize);
    Ok(target)
}

pub fn readlink<'js>(ctx: Ctx<'js>, path: Bytes) -> Path<'js> {
    with_path(path, |path| {
        target_of(path).map(|target| bytes_of(&ctx, target))
    })
}

/// The path of the same file from the root, without links, as realpath(3) has it.
pub fn realpath<'js>(ctx: Ctx<'js>, path: Bytes) -> Path<'js> {
    Answer(resolve(&path.0).map(|path| bytes_of(&ctx, path)))
}

fn resolve(path: &[u8]) -> SysResult<Vec<u8>> {
    if path.is_empty() {
        return Err(Errno(libc::ENOENT));
    }
    // The names that are left, the next one at the end; and the path up to here, without a slash at its end.
    let mut names = names_of(path);
    let mut walked = if path[0] == b'/' {
        Vec::new()
    } else {
        current_path()?
    };
    if walked == b"/" {
        walked.clear();
    }
    let mut links = 0;
    while let Some(name) = names.pop() {
        match name.as_slice() {
            b"." => must_be_directory(&walked)?,
            b".." => {
                must_be_directory(&walked)?;
                walked.truncate(walked.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
            }
            _ => {
                let length = walked.len();
                walked.push(b'/');
                walked.extend_from_slice(&name);
                let text = CString::new(walked.as_slice()).map_err(|_| Errno(libc::EINVAL))?;
                match target_of(text.as_ptr()) {
                    Ok(target) => {
                        links += 1;
                        if links > MOST_LINKS {
                            return Err(Errno(libc::ELOOP));
                        }
                        walked.truncate(if target.first() == Some(&b'/') {
                            0
                        } else {
                            length
                        });
                        names.append(&mut names_of(&target));
                    }
                    Err(Errno(libc::EINVAL)) if names.is_empty() => {} // no link
                    Err(Errno(libc::EINVAL)) => must_be_directory(&walked)?,
                    Err(error) => return Err(error),
                }
            }
        }
    }
    if walked.is_empty() {
        walked.push(b'/');
    }
    Ok(walked)
}

/// The names of a path, the first at the end. "." stands behind a slash at the path's end, since a directory must be there.
fn names_of(path: &[u8]) -> Vec<Vec<u8>> {
    let names = path
        .split(|byte| *byte == b'/')
        .filter(|name| !name.is_empty());
    let mut names: Vec<Vec<u8>> = names.map(Vec::from).collect();
    if path.ends_with(b"/") {
        names.push(b".".to_vec());
    }
    names.reverse();
    names
}

fn must_be_directory(path: &[u8]) -> SysResult<()> {
    let text = CString::new([path, b"/."].concat()).map_err(|_| Errno(libc::EINVAL))?;
    // SAFETY: the path is a text.
    unsafe { sys!(SYS_faccessat, AT_FDCWD, text.as_ptr(), libc::F_OK) }.map(|_| ())
}

/// In the order of their bytes.
pub fn names(path: Bytes) -> Answer<Names> {
    Answer(
        entries_of(path).map(|entries| Names(entries.into_iter().map(|(name, _)| name).collect())),
    )
}

/// The same names, behind each of them a byte with its type, as the bits of the mode have it above the twelve of permissions.
pub fn names_and_types(path: Bytes) -> Answer<Names> {
    Answer(entries_of(path).map(|entries| {
        let joined = |(mut name, kind): (Vec<u8>, u8)| {
            name.push(kind);
            name
        };
        Names(entries.into_iter().map(joined).collect())
    }))
}

fn entries_of(path: Bytes) -> SysResult<Vec<(Vec<u8>, u8)>> {
    with_path(path, |path| {
        let fd = open_directory(path)?;
        let entries = read_entries(fd);
        // SAFETY: it takes a number.
        unsafe { sys!(SYS_close, fd)? };
        entries.map(|mut entries| {
            entries.sort_unstable();
            entries
        })
    })
    .0
}

fn open_directory(path: *const c_char) -> SysResult<i64> {
    let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
    // SAFETY: the path is a text.
    unsafe { sys!(SYS_openat, AT_FDCWD, path, flags) }
}

fn read_entries(fd: i64) -> SysResult<Vec<(Vec<u8>, u8)>> {
    let mut entries = Vec::new();
    let mut bytes = vec![0u8; 32 << 10];
    loop {
        // SAFETY: there is room for as many bytes.
        let length = unsafe { sys!(SYS_getdents64, fd, bytes.as_mut_ptr(), bytes.len())? } as usize;
        if length == 0 {
            return Ok(entries);
        }
        let mut at = 0;
        while at < length {
            let entry = &bytes[at..];
            let size = offset_of!(dirent64, d_reclen);
            at += usize::from(u16::from_ne_bytes([entry[size], entry[size + 1]]));
            let name = CStr::from_bytes_until_nul(&entry[offset_of!(dirent64, d_name)..])
                .map_err(|_| Errno(libc::EIO))?;
            if name != c"." && name != c".." {
                let kind = match entry[offset_of!(dirent64, d_type)] {
                    libc::DT_UNKNOWN => (status_of(fd, name)?.st_mode >> 12) as u8, // some file systems do not say it
                    kind => kind,
                };
                entries.push((name.to_bytes().to_vec(), kind));
            }
        }
    }
}

/// Of a name in an open directory, without following a link.
fn status_of(directory: i64, name: &CStr) -> SysResult<libc::stat> {
    // SAFETY: numbers, all of which may be 0.
    let mut s: libc::stat = unsafe { zeroed() };
    let flags = libc::AT_SYMLINK_NOFOLLOW;
    // SAFETY: the name is a text, and the structure is the kernel's.
    unsafe { sys!(SYS_newfstatat, directory, name.as_ptr(), &raw mut s, flags)? };
    Ok(s)
}
