//! Map and Set of quickjs-ng 0.16, mended: a string in pieces, as concatenation leaves a long one, has another hash there than
//! the same string in one piece, so that each is a key of its own.
use core::ffi::c_int;
use rquickjs::{
    object::Property,
    qjs::{self, JSContext, JSValue},
    Ctx, Object, Result, Value,
};

/// Puts functions before those that take a key.
pub fn mend(ctx: &Ctx) -> Result<()> {
    mend_class(ctx, "Map", &["get", "set", "has", "delete"])?;
    mend_class(ctx, "Set", &["add", "has", "delete"])
}

fn mend_class(ctx: &Ctx, class: &str, methods: &[&str]) -> Result<()> {
    let prototype: Object = ctx.globals().get::<_, Object>(class)?.get("prototype")?;
    for name in methods {
        let original: Object = prototype.get(*name)?;
        let length: c_int = original.get("length")?;
        let mut data = [original.as_value().as_raw()];
        // SAFETY: the engine keeps the value that it is given, and the new one has an owner at once.
        let mended = unsafe {
            let context = ctx.as_raw().as_ptr();
            let function =
                qjs::JS_NewCFunctionData(context, Some(call), length, 0, 1, data.as_mut_ptr());
            Value::from_raw(ctx.clone(), function)
        };
        prototype.prop(*name, Property::from(mended).writable().configurable())?;
    }
    Ok(())
}

/// Calls the original with the key in one piece.
unsafe extern "C" fn call(
    context: *mut JSContext,
    this: JSValue,
    count: c_int,
    words: *mut JSValue,
    _magic: c_int,
    original: *mut JSValue,
) -> JSValue {
    // SAFETY: the engine calls this with as many words as `count`; those that are made here are freed here.
    unsafe {
        if count == 0 || qjs::JS_VALUE_GET_TAG(*words) != qjs::JS_TAG_STRING_ROPE {
            return qjs::JS_Call(context, *original, this, count, words);
        }
        let name = qjs::JS_ValueToAtom(context, *words);
        let key = qjs::JS_AtomToString(context, name);
        let value = if count > 1 {
            *words.add(1)
        } else {
            qjs::JS_UNDEFINED
        };
        let result = qjs::JS_Call(
            context,
            *original,
            this,
            count.min(2),
            [key, value].as_mut_ptr(),
        );
        qjs::JS_FreeValue(context, key);
        qjs::JS_FreeAtom(context, name);
        result
    }
}
