//! The interpreter of the runtime's TypeScript: QuickJS, and the system calls that the modules in `src/interpreter/` are made of.
//! It decides nothing. No module is found at run time but those that it is given.
#![no_std]

extern crate alloc;

#[macro_use]
pub mod sys;
mod directory;
mod elf;
pub mod engine;
pub mod files;
pub mod image;
mod keys;
mod math;
mod memory;
mod needs;
mod pack;
mod process;
mod spawn;
pub mod start;
mod system;
mod text;
