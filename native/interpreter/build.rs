//! Compiles what the engine needs of a C library (c/), and has the binaries linked without one.
use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=c");
    cc::Build::new()
        .files(["c/memory.c", "c/format.c", "c/rest.c"])
        .std("gnu11")
        .opt_level(2)
        .flag("-ffreestanding")
        .flag("-fno-builtin")
        // A loop of memcpy must not become a call of memcpy.
        .flag_if_supported("-fno-tree-loop-distribute-patterns")
        .warnings_into_errors(true)
        .extra_warnings(true)
        .compile("engine-needs");
    // The crate libc asks for these libraries, from which nothing may come: what is missing is an error of the linker.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for name in ["c", "m", "rt", "pthread", "util", "dl"] {
        fs::write(out.join(format!("lib{name}.a")), "!<arch>\n")?;
    }
    println!("cargo:rustc-link-search=native={}", out.display());
    println!("cargo:rustc-link-arg-bins=-nostartfiles");
    Ok(())
}
