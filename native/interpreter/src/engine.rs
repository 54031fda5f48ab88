//! One JavaScript engine, which runs one program and ends with its process.
use crate::{keys, system};
use alloc::{
    boxed::Box,
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::RefCell;
use rquickjs::{
    allocator::RustAllocator, context::intrinsic, function::Func, qjs, runtime::RejectionTracker,
    CatchResultExt, Context, Ctx, Function, Module, Object, Persistent, Result, Runtime,
};

/// A configuration of 128 KiB, the most that the front lets it read, needs a tenth of it.
const MEMORY_LIMIT: usize = 512 << 20;
/// Most programs live for milliseconds, and garbage is never collected; some wait for a container for days.
const COLLECT_AT: u64 = 64 << 20;
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

/// The bytecode of a module whose default export is a function. `main` may load the others by their names.
#[derive(Clone)]
pub struct Code {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// An engine in which a program is loaded.
pub struct Engine {
    context: Context,
    start: Persistent<Function<'static>>,
}

type Outcome<T> = core::result::Result<T, String>;

impl Engine {
    /// Loads the module `main`: calls the function that it exports with the host's functions, which loads other modules, and
    /// returns `start`, the function that starts the program, and `onRejection`, which learns of rejected promises. Modules that it leaves are loaded when the program asks for them.
    ///
    /// # Safety
    /// The bytecode is from `bytecode` of the same build: QuickJS does not check it.
    pub unsafe fn load(codes: Vec<Code>) -> Outcome<Self> {
        let context = context_of::<Intrinsics>().map_err(|error| error.to_string())?;
        // SAFETY: as of this function.
        let [start, on_rejection] = in_context(&context, |ctx| unsafe { load_main(ctx, codes) })?;
        let track: RejectionTracker = Box::new(move |ctx, promise, reason, is_handled| {
            let tracked = on_rejection.clone().restore(&ctx);
            tracked
                .and_then(|track| track.call::<_, ()>((promise, reason, is_handled)))
                .expect("a rejected promise is noted");
        });
        let runtime = context.runtime();
        runtime.set_host_promise_rejection_tracker(Some(track));
        Ok(Self { context, start })
    }

    /// Starts the program, and calls the function that it returns again and again, each time when no promise has anything left to
    /// do; the first number that this returns is the exit code. The process may be another one than that which has loaded it.
    pub fn run(&self) -> Outcome<i32> {
        // SAFETY: the stack is larger than that. `Runtime::set_max_stack_size` takes more than 16 MiB for no limit at all.
        unsafe {
            let runtime = self.context.get_runtime_ptr();
            qjs::JS_UpdateStackTop(runtime);
            qjs::JS_SetMaxStackSize(runtime, raise_stack_limit());
            qjs::JS_SetGCThreshold(runtime, COLLECT_AT);
        }
        in_context(&self.context, |ctx| {
            let turn: Function = self.start.clone().restore(ctx)?.call(())?;
            loop {
                while ctx.execute_pending_job() {}
                if let Some(code) = turn.call::<_, Option<i32>>(())? {
                    return Ok(code);
                }
            }
        })
    }
}

fn in_context<T>(context: &Context, call: impl FnOnce(&Ctx) -> Result<T>) -> Outcome<T> {
    context.with(|ctx| call(&ctx).catch(&ctx).map_err(|error| error.to_string()))
}

/// An engine with its limits.
pub fn context_of<I: rquickjs::context::Intrinsic>() -> Result<Context> {
    let runtime = Runtime::new_with_alloc(RustAllocator)?;
    runtime.set_memory_limit(MEMORY_LIMIT);
    runtime.set_gc_threshold(usize::MAX); // while it is loaded
    Context::custom::<I>(&runtime)
}

/// The kernel lets the main thread's stack grow to the limit of the moment.
fn raise_stack_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    let none = core::ptr::null::<libc::rlimit>();
    // SAFETY: prlimit(2) of this process, with a whole structure.
    unsafe {
        if sys!(SYS_prlimit64, 0, libc::RLIMIT_STACK, none, &raw mut limit).is_err() {
            return 4 * STACK_RESERVE;
        }
        let given = limit.rlim_cur;
        limit.rlim_cur = limit.rlim_max.min(STACK_LIMIT).max(given);
        if sys!(SYS_prlimit64, 0, libc::RLIMIT_STACK, &raw const limit, none).is_err() {
            limit.rlim_cur = given;
        }
    }
    let size = limit.rlim_cur.min(STACK_LIMIT);
    size.saturating_sub(STACK_RESERVE).max(size / 2)
}

unsafe fn load_main<'js>(
    ctx: &Ctx<'js>,
    codes: Vec<Code>,
) -> Result<[Persistent<Function<'static>>; 2]> {
    keys::mend(ctx)?;
    let host = system::functions(ctx)?;
    let codes = Rc::new(RefCell::new(codes));
    let others = Rc::clone(&codes);
    // SAFETY: as of this function.
    let load_other = move |ctx: Ctx<'js>, name: String| unsafe { load(&ctx, &others, &name) };
    host.set("load", Func::from(load_other))?;
    // SAFETY: as of this function.
    let main = unsafe { load(ctx, &codes, "main")? };
    let names: Vec<String> = codes
        .borrow()
        .iter()
        .map(|code| code.name.clone())
        .collect();
    host.set("modules", names)?;
    let program = main.call::<_, Object>((host,))?;
    let function = |name: &str| {
        program
            .get::<_, Function>(name)
            .map(|f| Persistent::save(ctx, f))
    };
    let left = codes.borrow().clone(); // which lies where the engine does
    codes.replace(left);
    Ok([function("start")?, function("onRejection")?])
}

unsafe fn load<'js>(
    ctx: &Ctx<'js>,
    codes: &RefCell<Vec<Code>>,
    name: &str,
) -> Result<Function<'js>> {
    let place = codes.borrow().iter().position(|code| code.name == name);
    let Some(place) = place else {
        return Err(rquickjs::Exception::throw_message(
            ctx,
            &format!("the interpreter has no module \"{name}\""),
        ));
    };
    let code = codes.borrow_mut().swap_remove(place);
    // SAFETY: as of `Engine::load`.
    let (module, done) = unsafe { Module::load(ctx.clone(), &code.bytes)? }.eval()?;
    done.finish::<()>()?;
    module.get("default")
}
