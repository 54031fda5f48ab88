//! Makes bytecode of modules, for the build; and runs a program from source, for tests.
//!
//!   bytecode write DIRECTORY NAME=FILE...    writes the bytecode of each module to DIRECTORY/NAME
//!   bytecode pack BINARY IMAGE FILE          writes the binary to FILE with an image that the same binary has made
//!   bytecode run NAME=FILE... -- WORD...     runs the module `main` as the interpreter would
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{borrow::ToOwned, boxed::Box, format, string::String, vec::Vec};
use interpreter::{
    engine::{self, Code, Engine},
    files::{read_file, write_file},
    image, start, sys,
};
use rquickjs::{context::intrinsic, CatchResultExt, Ctx, Module, Result, WriteOptions};

type Outcome<T> = core::result::Result<T, String>;

#[no_mangle]
fn bundle_tool_main() -> i32 {
    perform().unwrap_or_else(|error| {
        sys::say_formatted(format_args!("bytecode: {error}\n"));
        1
    })
}

fn perform() -> Outcome<i32> {
    let words: Vec<String> = start::words()
        .into_iter()
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match &words[1..] {
        ["write", directory, files @ ..] => {
            for Code { name, bytes } in compile(files)? {
                write_file(format!("{directory}/{name}").as_bytes(), &bytes)?;
            }
            Ok(0)
        }
        ["pack", binary, contents, file] => {
            let read = |path: &str| read_file(path.as_bytes());
            let packed = image::packed_into(read(binary)?, &read(contents)?)?;
            write_file(file.as_bytes(), &packed).map(|()| 0)
        }
        ["run", words @ ..] => {
            let end = words
                .iter()
                .position(|word| *word == "--")
                .unwrap_or(words.len());
            // SAFETY: they were made by this process.
            let engine = Box::new(unsafe { Engine::load(compile(&words[..end])?) }?);
            Ok(Box::leak(engine).run()?)
        }
        _ => Err(
            "usage: bytecode write DIRECTORY NAME=FILE... | pack BINARY IMAGE FILE | run NAME=FILE... -- WORD...".to_owned(),
        ),
    }
}

fn compile(files: &[&str]) -> Outcome<Vec<Code>> {
    let context = engine::context_of::<intrinsic::All>().map_err(|error| format!("{error}"))?;
    files
        .iter()
        .map(|file| {
            let (name, path) = file.split_once('=').ok_or("NAME=FILE is wanted")?;
            let source = String::from_utf8(read_file(path.as_bytes())?)
                .map_err(|error| format!("{path}: {error}"))?;
            let bytes = context.with(|ctx| {
                compile_module(&ctx, name, source)
                    .catch(&ctx)
                    .map_err(|error| format!("{path}: {error}"))
            })?;
            Ok(Code {
                name: name.to_owned(),
                bytes,
            })
        })
        .collect()
}

/// Positions stay in it, for the stack of a fault.
fn compile_module(ctx: &Ctx, name: &str, source: String) -> Result<Vec<u8>> {
    Module::declare(ctx.clone(), format!("{name}.js"), source)?.write(WriteOptions {
        strip_source: true,
        ..Default::default()
    })
}
