//! The runtime half of bundle-tool as one binary: an engine in which the compiler is loaded, and the command line as bytecode.
//!
//! A binary without one makes what `bytecode pack` then packs into it:
//!
//!   bundle-tool-interpreter IMAGE NAME=FILE...    loads the modules, of which the files have the bytecode, and writes IMAGE
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use interpreter::{
    engine::{Code, Engine},
    files::{read_file, write_file},
    image, start, sys,
};

/// The exit code of a fault, which the front does not know: it starts Node.js, and says so.
const FAULT: i32 = 70;

#[no_mangle]
fn bundle_tool_main() -> i32 {
    // SAFETY: `make` has filled the room.
    let outcome = match unsafe { image::root::<Engine>() } {
        Some(engine) => engine.run(),
        None => make(&start::words()).map(|()| 0),
    };
    // Nothing is cleared away: that would take longer than some programs.
    outcome.unwrap_or_else(|error| {
        sys::say_formatted(format_args!("bundle-tool-interpreter: {error}\n"));
        FAULT
    })
}

fn make(words: &[&[u8]]) -> Result<(), String> {
    let [_, name, files @ ..] = words else {
        return Err("the name of a file is missing".to_owned());
    };
    let codes = files
        .iter()
        .map(|word| read_code(word))
        .collect::<Result<Vec<_>, _>>()?;
    // SAFETY: the build has just made them.
    image::fill(|| unsafe { Engine::load(codes) })?;
    write_file(name, &image::contents())
}

fn read_code(word: &[u8]) -> Result<Code, String> {
    let end = word.iter().position(|byte| *byte == b'=');
    let (name, path) = word.split_at(end.ok_or("NAME=FILE is wanted")?);
    Ok(Code {
        name: String::from_utf8_lossy(name).into_owned(),
        bytes: read_file(&path[1..])?,
    })
}
