//! The host's functions for what lasts: descriptors that are waited for, signals, processes, sockets and terminals.
use crate::{
    spawn::spawn,
    sys::{self, Errno, SET_SIZE},
    system::{part, with_path, Answer, Numbers},
    text::Bytes,
};
use alloc::{vec, vec::Vec};
use core::{
    ffi::{c_int, c_short},
    mem, ptr,
};
use libc::pid_t;
use rquickjs::{function::Func, Ctx, Object, Result, TypedArray};

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
    sys::exit(code)
}

/// Nanoseconds of CLOCK_MONOTONIC.
fn now() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the clock exists, and the structure is whole.
    let result = unsafe { sys!(SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut time) };
    debug_assert!(result.is_ok());
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn random_bytes(to: TypedArray<u8>) -> Result<Answer<i64>> {
    let length = to.len();
    let start = part(&to, 0, length)?;
    // SAFETY: no JavaScript runs meanwhile, so that the array stays where it is.
    Ok(Answer(unsafe { sys!(SYS_getrandom, start, length, 0) }))
}

fn umask() -> Answer<i64> {
    // SAFETY: there is no other thread that could make a file meanwhile.
    Answer(unsafe {
        let mask = sys!(SYS_umask, 0o777);
        mask.and_then(|mask| sys!(SYS_umask, mask).map(|_| mask))
    })
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
    let time = libc::timespec {
        tv_sec: (milliseconds / 1000).into(),
        tv_nsec: i64::from(milliseconds % 1000) * 1_000_000,
    };
    let time = if milliseconds < 0 {
        ptr::null()
    } else {
        &raw const time
    };
    // SAFETY: as many structures as there are.
    let count = unsafe { sys!(SYS_ppoll, all.as_mut_ptr(), all.len(), time, 0, 0) };
    let happened: Vec<i64> = all.iter().map(|one| one.revents.into()).collect();
    Answer(count.map(|_| TypedArray::new_copy(ctx, happened)))
}

fn close_on_exec(fd: c_int) -> Answer<i64> {
    // SAFETY: it takes numbers.
    Answer(unsafe { sys!(SYS_fcntl, fd, libc::F_SETFD, libc::FD_CLOEXEC) })
}

/// The same as `fd` by a number that is not below `least`.
fn duplicate(fd: c_int, least: c_int) -> Answer<i64> {
    // SAFETY: it takes numbers.
    Answer(unsafe { sys!(SYS_fcntl, fd, libc::F_DUPFD_CLOEXEC, least) })
}

fn socket_pair() -> Answer<Vec<c_int>> {
    let mut pair: [c_int; 2] = [0; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: there is room for two.
    let result = unsafe { sys!(SYS_socketpair, libc::AF_UNIX, kind, 0, pair.as_mut_ptr()) };
    Answer(result.map(|_| pair.to_vec()))
}

/// A unix socket that is connected to the one at a path.
fn connect(path: Bytes) -> Answer<i64> {
    // SAFETY: numbers, all of which may be 0.
    let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
    address.sun_family = libc::AF_UNIX as libc::sa_family_t;
    if path.0.len() >= address.sun_path.len() {
        return Answer(Err(Errno(libc::EINVAL))); // as libuv has it
    }
    for (to, byte) in address.sun_path.iter_mut().zip(&path.0) {
        *to = *byte as _;
    }
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let size = mem::size_of::<libc::sockaddr_un>();
    // SAFETY: the address is whole, and its path ends in a NUL.
    let connect = || unsafe {
        let fd = sys!(SYS_socket, libc::AF_UNIX, kind, 0)?;
        let result = sys!(SYS_connect, fd, &raw const address, size);
        if result.is_err() {
            sys!(SYS_close, fd)?;
        }
        result.map(|_| fd)
    };
    Answer(connect())
}

/// Writes to a socket what there is room for.
fn send(fd: c_int, from: TypedArray<u8>, offset: usize, length: usize) -> Result<Answer<i64>> {
    let start = part(&from, offset, length)?;
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: as of `random_bytes`.
    Ok(Answer(unsafe {
        sys!(SYS_sendto, fd, start, length, flags, 0, 0)
    }))
}

/// The other side reads the end.
fn shutdown(fd: c_int) -> Answer<i64> {
    // SAFETY: it takes numbers.
    Answer(unsafe { sys!(SYS_shutdown, fd, libc::SHUT_WR) })
}

/// A set as the kernel has it: a bit for each signal, that of the first is the lowest.
fn set_of(signals: &[c_int]) -> u64 {
    let bits = signals.iter().filter(|signal| (1..=64).contains(*signal));
    bits.fold(0, |set, signal| set | 1 << (signal - 1))
}

/// A descriptor from which the numbers of these signals are read, which do nothing else: signalfd(2). `fd` is one that is
/// there already, or -1.
fn catch_signals(fd: c_int, signals: Vec<c_int>) -> Answer<i64> {
    let set = set_of(&signals);
    let set = &raw const set;
    // SAFETY: the set is whole.
    Answer(unsafe {
        sys!(SYS_rt_sigprocmask, libc::SIG_BLOCK, set, 0, SET_SIZE).and_then(|_| {
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            sys!(SYS_signalfd4, fd, set, SET_SIZE, flags)
        })
    })
}

/// A signal does what it does by default, also one that has come already.
fn default_signal(signal: c_int) -> Answer<i64> {
    let set = set_of(&[signal]);
    // SAFETY: the set and the structure are whole.
    Answer(unsafe {
        sys::set_action(signal, libc::SIG_DFL).and_then(|_| {
            sys!(
                SYS_rt_sigprocmask,
                libc::SIG_UNBLOCK,
                &raw const set,
                0,
                SET_SIZE
            )
        })
    })
}

/// The status of a child that has ended, as wait(2) has it; EAGAIN while it goes on.
fn wait(pid: pid_t) -> Answer<i64> {
    let mut status: c_int = 0;
    // SAFETY: there is room for the number.
    let result = unsafe { sys!(SYS_wait4, pid, &raw mut status, libc::WNOHANG, 0) };
    Answer(result.and_then(|pid| match pid {
        0 => Err(Errno(libc::EAGAIN)),
        _ => Ok(status.into()),
    }))
}

/// A descriptor for `watch`: inotify(7).
fn watcher() -> Answer<i64> {
    // SAFETY: it takes a number.
    Answer(unsafe { sys!(SYS_inotify_init1, libc::IN_CLOEXEC | libc::IN_NONBLOCK) })
}

fn watch(fd: c_int, path: Bytes, events: u32) -> Answer<i64> {
    with_path(path, |path| unsafe {
        sys!(SYS_inotify_add_watch, fd, path, events)
    })
}

fn is_terminal(fd: c_int) -> bool {
    // SAFETY: room for what the kernel has, `termios2`, which is smaller.
    unsafe {
        let mut settings: libc::termios = mem::zeroed();
        sys!(SYS_ioctl, fd, libc::TCGETS, &raw mut settings).is_ok()
    }
}

/// Columns and rows.
fn terminal_size(fd: c_int) -> Answer<Vec<i64>> {
    // SAFETY: numbers, all of which may be 0.
    let mut size: libc::winsize = unsafe { mem::zeroed() };
    // SAFETY: there is room for the structure.
    let result = unsafe { sys!(SYS_ioctl, fd, libc::TIOCGWINSZ, &raw mut size) };
    Answer(result.map(|_| vec![size.ws_col.into(), size.ws_row.into()]))
}
