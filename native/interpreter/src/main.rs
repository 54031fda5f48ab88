//! The runtime half of bundle-tool as one binary: an engine in which the compiler is loaded, and the command line as bytecode.
//!
//! Of a binary without one, the build makes that with one:
//!
//!   bundle-tool-interpreter BINARY NAME=FILE...    loads the modules, of which the files have the bytecode, and writes BINARY
use interpreter::{
    engine::{Code, Engine},
    image,
};
use std::{fs, os::unix::fs::PermissionsExt};

/// The exit code of a fault, which the front does not know: it starts Node.js, and says so.
const FAULT: i32 = 70;

fn main() {
    // SAFETY: `make` has filled the room.
    let outcome = match unsafe { image::root::<Engine>() } {
        Some(engine) => engine.run(),
        None => make(std::env::args().skip(1).collect()).map(|()| 0),
    };
    let code = outcome.unwrap_or_else(|error| {
        eprintln!("bundle-tool-interpreter: {error}");
        FAULT
    });
    // SAFETY: nothing is to be cleared away, and that would take longer than some programs.
    unsafe { libc::_exit(code) }
}

fn make(words: Vec<String>) -> Result<(), String> {
    let (binary, files) = words
        .split_first()
        .ok_or("the name of a binary is missing")?;
    let codes = files
        .iter()
        .map(|word| read_code(word))
        .collect::<Result<_, _>>()?;
    // SAFETY: the build has just made them.
    image::fill(|| unsafe { Engine::load(codes) })?;
    let write = || {
        fs::write(binary, image::binary()?)?;
        fs::set_permissions(binary, fs::Permissions::from_mode(0o755))
    };
    write().map_err(|error| format!("{binary}: {error}"))
}

fn read_code(word: &str) -> Result<Code, String> {
    let (name, path) = word.split_once('=').ok_or("NAME=FILE is wanted")?;
    let bytes = fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Code {
        name: name.to_owned(),
        bytes,
    })
}
