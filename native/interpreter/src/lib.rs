//! The interpreter of the runtime's TypeScript: QuickJS, and the system calls that the modules in `src/interpreter/` are made of.
//! It decides nothing. No module is found at run time but those that it is given.
mod elf;
pub mod engine;
pub mod image;
mod keys;
mod math;
mod process;
mod system;
mod text;
