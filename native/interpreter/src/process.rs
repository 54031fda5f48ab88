//! The host's functions for what lasts: descriptors that are waited for, signals, processes, sockets and terminals.
use crate::{
    system::{answer, checked, part, with_path, Answer, Numbers},
    text::Bytes,
};
use libc::{c_char, c_int, c_short, pid_t};
use rquickjs::{function::Func, Ctx, Error, Object, Result, TypedArray};
use std::{ffi::CString, io, mem, ptr};

/// See `Host` in src/interpreter/host.ts.
pub fn add_functions(host: &Object) -> Result<()> {
    host.set("exit", Func::from(exit))?;
    host.set("now", Func::from(now))?;
    host.set("randomBytes", Func::from(random_bytes))?;
    host.set("umask", Func::from(umask))?;
    host.set("poll", Func::from(poll))?;
    host.set("closeOnExec", Func::from(close_on_exec))?;
    host.set("duplicate", Func::from(duplicate))?;
    host.set("socketPair", Func::from(socket_pair))?;
    host.set("connect", Func::from(connect))?;
    host.set("send", Func::from(send))?;
    host.set("shutdown", Func::from(shutdown))?;
    host.set("catchSignals", Func::from(catch_signals))?;
    host.set("defaultSignal", Func::from(default_signal))?;
    host.set("spawn", Func::from(spawn))?;
    host.set("wait", Func::from(wait))?;
    host.set("watcher", Func::from(watcher))?;
    host.set("watch", Func::from(watch))?;
    host.set("isTerminal", Func::from(is_terminal))?;
    host.set("terminalSize", Func::from(terminal_size))
}

fn exit(code: c_int) {
    // SAFETY: as at the end of `main`.
    unsafe { libc::_exit(code) }
}

/// Nanoseconds of CLOCK_MONOTONIC.
fn now() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists, and the structure is whole.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn random_bytes(to: TypedArray<u8>) -> Result<Answer<i64>> {
    let length = to.len();
    let start = part(&to, 0, length)?;
    // SAFETY: no JavaScript runs meanwhile, so that the array stays where it is.
    Ok(answer(
        unsafe { libc::getrandom(start.cast(), length, 0) } as i64
    ))
}

fn umask() -> i64 {
    // SAFETY: there is no other thread that could make a file meanwhile.
    unsafe {
        let mask = libc::umask(0o777);
        libc::umask(mask);
        mask.into()
    }
}

/// Of descriptors with the events of poll(2) to wait for: what has happened to each. A negative time is for ever.
fn poll<'js>(
    ctx: Ctx<'js>,
    descriptors: Vec<c_int>,
    events: Vec<c_short>,
    milliseconds: c_int,
) -> Numbers<'js> {
    let mut all: Vec<libc::pollfd> = descriptors
        .into_iter()
        .zip(events)
        .map(|(fd, events)| libc::pollfd {
            fd,
            events,
            revents: 0,
        })
        .collect();
    // SAFETY: as many structures as there are.
    let count = unsafe { libc::poll(all.as_mut_ptr(), all.len() as libc::nfds_t, milliseconds) };
    let happened: Vec<i64> = all.iter().map(|one| one.revents.into()).collect();
    Answer(checked(count.into()).map(|_| TypedArray::new_copy(ctx, happened)))
}

fn close_on_exec(fd: c_int) -> Answer<i64> {
    // SAFETY: it takes numbers.
    answer(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }.into())
}

/// The same as `fd` by a number that is not below `least`.
fn duplicate(fd: c_int, least: c_int) -> Answer<i64> {
    // SAFETY: it takes numbers.
    answer(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) }.into())
}

fn socket_pair() -> Answer<Vec<c_int>> {
    let mut pair = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: there is room for two.
    let result = unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) };
    Answer(checked(result.into()).map(|_| pair.to_vec()))
}

/// A unix socket that is connected to the one at a path.
fn connect(path: Bytes) -> Answer<i64> {
    // SAFETY: numbers, all of which may be 0.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.0.len() >= address.sun_path.len() {
        return Answer(Err(io::Error::from_raw_os_error(libc::EINVAL))); // as libuv has it
    }
    for (to, byte) in address.sun_path.iter_mut().zip(&path.0) {
        *to = *byte as c_char;
    }
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let size = mem::size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the address is whole, and its path ends in a NUL.
    unsafe {
        let fd = libc::socket(libc::AF_UNIX, kind, 0);
        if fd < 0 {
            return answer(fd.into());
        }
        let result = checked(libc::connect(fd, ptr::from_ref(&address).cast(), size).into());
        if result.is_err() {
            libc::close(fd);
        }
        Answer(result.map(|_| fd.into()))
    }
}

/// Writes to a socket what there is room for.
fn send(fd: c_int, from: TypedArray<u8>, offset: usize, length: usize) -> Result<Answer<i64>> {
    let start = part(&from, offset, length)?;
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: as of `random_bytes`.
    Ok(answer(
        unsafe { libc::send(fd, start.cast(), length, flags) } as i64,
    ))
}

/// The other side reads the end.
fn shutdown(fd: c_int) -> Answer<i64> {
    // SAFETY: it takes numbers.
    answer(unsafe { libc::shutdown(fd, libc::SHUT_WR) }.into())
}

fn set_of(signals: &[c_int]) -> libc::sigset_t {
    // SAFETY: the set is made empty before it is used.
    unsafe {
        let mut set = mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in signals {
            libc::sigaddset(&mut set, *signal);
        }
        set
    }
}

/// A descriptor from which the numbers of these signals are read, which do nothing else: signalfd(2). `fd` is one that is
/// there already, or -1.
fn catch_signals(fd: c_int, signals: Vec<c_int>) -> Answer<i64> {
    let set = set_of(&signals);
    // SAFETY: the set is whole.
    unsafe {
        let result = libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut());
        if result < 0 {
            return answer(result.into());
        }
        answer(libc::signalfd(fd, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK).into())
    }
}

/// A signal does what it does by default, also one that has come already.
fn default_signal(signal: c_int) -> Answer<i64> {
    let set = set_of(&[signal]);
    // SAFETY: the set is whole.
    unsafe {
        if libc::signal(signal, libc::SIG_DFL) == libc::SIG_ERR {
            return answer(-1);
        }
        answer(libc::sigprocmask(libc::SIG_UNBLOCK, &set, ptr::null_mut()).into())
    }
}

/// Texts for execve(2), which end with a null pointer.
struct Texts {
    _texts: Vec<CString>,
    pointers: Vec<*mut c_char>,
}

impl Texts {
    fn new(texts: Vec<Bytes>) -> Result<Self> {
        let texts: Vec<CString> = texts
            .into_iter()
            .map(|text| CString::new(text.0))
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| Error::new_from_js_message("text", "argument", "it has a NUL"))?;
        let pointers = texts
            .iter()
            .map(|text| text.as_ptr().cast_mut())
            .chain([ptr::null_mut()])
            .collect();
        Ok(Self {
            _texts: texts,
            pointers,
        })
    }
}

/// Starts a process by posix_spawn(3), whose signals are as by default: its pid. Its descriptors from 0 on are these of this
/// process; a negative one is closed. With a session of its own when it is detached.
fn spawn(
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
        let mut pid: pid_t = 0;
        // SAFETY: the structures are initialised before they are used, and all texts live longer.
        let error = unsafe {
            let mut actions = mem::zeroed();
            libc::posix_spawn_file_actions_init(&mut actions);
            for (fd, given) in (0..).zip(descriptors) {
                match given {
                    0.. => libc::posix_spawn_file_actions_adddup2(&mut actions, given, fd),
                    _ => libc::posix_spawn_file_actions_addclose(&mut actions, fd),
                };
            }
            if !directory.pointers[0].is_null() {
                libc::posix_spawn_file_actions_addchdir_np(&mut actions, directory.pointers[0]);
            }
            let mut attributes = mem::zeroed();
            libc::posix_spawnattr_init(&mut attributes);
            let session = if is_detached {
                libc::POSIX_SPAWN_SETSID
            } else {
                0
            };
            let signals = (libc::POSIX_SPAWN_SETSIGDEF | libc::POSIX_SPAWN_SETSIGMASK) as c_short;
            libc::posix_spawnattr_setflags(&mut attributes, signals | session);
            let mut all: libc::sigset_t = mem::zeroed();
            ptr::write_bytes(&mut all, 0xff, 1); // glibc ignores its own, which sigfillset(3) leaves out
            libc::posix_spawnattr_setsigdefault(&mut attributes, &all);
            libc::posix_spawnattr_setsigmask(&mut attributes, &set_of(&[]));
            let error = libc::posix_spawn(
                &mut pid,
                path,
                &actions,
                &attributes,
                arguments.pointers.as_ptr(),
                environment.pointers.as_ptr(),
            );
            libc::posix_spawn_file_actions_destroy(&mut actions);
            libc::posix_spawnattr_destroy(&mut attributes);
            error
        };
        match error {
            0 => Ok(pid.into()),
            _ => Err(io::Error::from_raw_os_error(error)),
        }
    }))
}

/// The status of a child that has ended, as wait(2) has it; EAGAIN while it goes on.
fn wait(pid: pid_t) -> Answer<i64> {
    let mut status = 0;
    // SAFETY: there is room for the number.
    match unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } {
        0 => Answer(Err(io::Error::from_raw_os_error(libc::EAGAIN))),
        1.. => answer(status.into()),
        error => answer(error.into()),
    }
}

/// A descriptor for `watch`: inotify(7).
fn watcher() -> Answer<i64> {
    // SAFETY: it takes a number.
    answer(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) }.into())
}

fn watch(fd: c_int, path: Bytes, events: u32) -> Answer<i64> {
    with_path(path, |path| {
        checked(unsafe { libc::inotify_add_watch(fd, path, events) }.into())
    })
}

fn is_terminal(fd: c_int) -> bool {
    // SAFETY: it takes a number.
    unsafe { libc::isatty(fd) == 1 }
}

/// Columns and rows.
fn terminal_size(fd: c_int) -> Answer<Vec<i64>> {
    // SAFETY: numbers, all of which may be 0.
    let mut size: libc::winsize = unsafe { mem::zeroed() };
    // SAFETY: there is room for the structure.
    let result = unsafe { libc::ioctl(fd, libc::TIOCGWINSZ, &mut size) };
    Answer(checked(result.into()).map(|_| vec![size.ws_col.into(), size.ws_row.into()]))
}
