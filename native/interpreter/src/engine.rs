//! One JavaScript engine, which runs one program and ends with its process.
use crate::system;
use rquickjs::{
    context::intrinsic, function::Func, qjs, CatchResultExt, Context, Ctx, Function, Module,
    Promise, Result, Runtime,
};

/// A configuration of 128 KiB, the most that the front lets it read, needs a tenth of it.
const MEMORY_LIMIT: usize = 512 << 20;
/// JSON of 128 KiB that is nothing but brackets nests 131,072 deep.
const STACK_LIMIT: libc::rlim_t = 96 << 20;
/// The part of the stack that is left for callers of the engine and for the functions that it calls.
const STACK_RESERVE: libc::rlim_t = 1 << 20;

/// All that programs are made of, without what compiles JavaScript: `eval` and `Function` throw.
pub type Intrinsics = (
    intrinsic::Date,
    intrinsic::RegExpCompiler,
    intrinsic::RegExp,
    intrinsic::Json,
    intrinsic::Proxy,
    intrinsic::MapSet,
    intrinsic::TypedArrays,
    intrinsic::Promise,
    intrinsic::WeakRef,
);

/// The bytecode of a module whose default export is a function. `main` may ask for the others by their names.
pub struct Code {
    pub name: &'static str,
    pub bytes: &'static [u8],
}

/// Runs the module `main`: calls the function that it exports with the host's functions, and returns the exit code that the
/// function promises.
///
/// # Safety
/// The bytecode is from `bytecode` of the same build: QuickJS does not check it.
pub unsafe fn run(codes: &'static [Code]) -> std::result::Result<i32, String> {
    let context = context_of::<Intrinsics>().map_err(|error| error.to_string())?;
    context.with(|ctx| {
        // SAFETY: as of this function.
        unsafe { start(&ctx, codes) }
            .catch(&ctx)
            .map_err(|error| error.to_string())
    })
}

/// An engine with its limits.
pub fn context_of<I: rquickjs::context::Intrinsic>() -> Result<Context> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(MEMORY_LIMIT);
    runtime.set_gc_threshold(usize::MAX); // it lives for milliseconds
    let context = Context::custom::<I>(&runtime)?;
    // SAFETY: the stack is larger than that. `Runtime::set_max_stack_size` takes more than 16 MiB for no limit at all.
    unsafe { qjs::JS_SetMaxStackSize(context.get_runtime_ptr(), raise_stack_limit()) };
    Ok(context)
}

/// The kernel lets the main thread's stack grow to the limit of the moment.
fn raise_stack_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit(2) and setrlimit(2) with a whole structure.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_STACK, &mut limit) < 0 {
            return 4 * STACK_RESERVE;
        }
        let given = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max.min(STACK_LIMIT).max(given);
        if libc::setrlimit(libc::RLIMIT_STACK, &limit) < 0 {
            limit.rlim_cur = given;
        }
    }
    let size = limit.rlim_cur.min(STACK_LIMIT);
    size.saturating_sub(STACK_RESERVE).max(size / 2)
}

unsafe fn start<'js>(ctx: &Ctx<'js>, codes: &'static [Code]) -> Result<i32> {
    let host = system::functions(ctx)?;
    let load_other = move |ctx: Ctx<'js>, name: String| unsafe { load(&ctx, codes, &name) };
    host.set("load", Func::from(load_other))?;
    // SAFETY: as of this function.
    let main = unsafe { load(ctx, codes, "main")? };
    main.call::<_, Promise>((host,))?.finish()
}

unsafe fn load<'js>(ctx: &Ctx<'js>, codes: &'static [Code], name: &str) -> Result<Function<'js>> {
    let Some(code) = codes.iter().find(|code| code.name == name) else {
        return Err(rquickjs::Exception::throw_message(
            ctx,
            &format!("the interpreter has no module \"{name}\""),
        ));
    };
    // SAFETY: as of `run`.
    let (module, done) = unsafe { Module::load(ctx.clone(), code.bytes)? }.eval()?;
    done.finish::<()>()?;
    module.get("default")
}
