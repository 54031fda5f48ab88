//! The compiler of bundle-tool as one binary: what `bytecode` has made of it is in here.
use interpreter::engine::{self, Code};

/// The exit code of a fault, which the front does not know: it starts Node.js, and says so.
const FAULT: i32 = 70;

macro_rules! code {
    ($name:literal) => {
        Code {
            name: $name,
            bytes: include_bytes!(concat!(env!("BYTECODE_DIRECTORY"), "/", $name)),
        }
    };
}

static CODES: &[Code] = &[
    code!("main"),
    code!("errors"),
    code!("compiler"),
    code!("seccomp"),
];

fn main() {
    // SAFETY: the build has just made them.
    let code = unsafe { engine::run(CODES) }.unwrap_or_else(|error| {
        eprintln!("bundle-tool-interpreter: {error}");
        FAULT
    });
    // SAFETY: nothing is to be cleared away, and that would take longer than some programs.
    unsafe { libc::_exit(code) }
}
