//! Makes bytecode of modules, for the build; and runs a program from source, for tests.
//!
//!   bytecode write DIRECTORY NAME=FILE...    writes the bytecode of each module to DIRECTORY/NAME
//!   bytecode run NAME=FILE... -- WORD...     runs the module `main` as the interpreter would
use interpreter::engine::{self, Code, Engine};
use rquickjs::{context::intrinsic, CatchResultExt, Ctx, Module, Result, WriteOptions};
use std::process::ExitCode;

type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match perform(&words) {
        Ok(code) => ExitCode::from(code as u8),
        Err(error) => {
            eprintln!("bytecode: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(words: &[String]) -> Outcome<i32> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["write", directory, files @ ..] => {
            for Code { name, bytes } in compile(files)? {
                std::fs::write(std::path::Path::new(directory).join(name), bytes)?;
            }
            Ok(0)
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
        _ => {
            Err("usage: bytecode write DIRECTORY NAME=FILE... | run NAME=FILE... -- WORD...".into())
        }
    }
}

fn compile(files: &[&str]) -> Outcome<Vec<Code>> {
    let context = engine::context_of::<intrinsic::All>()?;
    files
        .iter()
        .map(|file| {
            let (name, path) = file.split_once('=').ok_or("NAME=FILE is wanted")?;
            let source =
                std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
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
