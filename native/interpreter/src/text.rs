//! Strings of JavaScript as bytes, and the other way round, as Node.js does it.
use alloc::vec::Vec;
use core::slice;
use rquickjs::{Ctx, Error, FromJs, Result, String as JsString, TypedArray, Value};

/// A path, or another text for the system: the UTF-8 of a string, or bytes as they are.
pub struct Bytes(pub Vec<u8>);

impl<'js> FromJs<'js> for Bytes {
    fn from_js(ctx: &Ctx<'js>, value: Value<'js>) -> Result<Self> {
        if value.is_string() {
            return Ok(Self(encode(JsString::from_js(ctx, value)?)?));
        }
        let bytes = TypedArray::<u8>::from_value(value)?;
        // SAFETY: no JavaScript runs before they are copied.
        let bytes = unsafe { bytes.as_bytes() }.ok_or(Error::Unknown)?;
        Ok(Self(bytes.to_vec()))
    }
}

/// The UTF-8 of a string, with U+FFFD for each half of a character.
pub fn encode(text: JsString) -> Result<Vec<u8>> {
    let text = text.to_cstring()?;
    // SAFETY: the bytes are there for as long as `text`. They are no `str`: QuickJS has three bytes for half a character.
    let bytes = unsafe { slice::from_raw_parts(text.as_ptr().cast::<u8>(), text.len()) };
    let mut encoded = bytes.to_vec();
    if encoded.is_ascii() {
        return Ok(encoded);
    }
    for at in 0..encoded.len().saturating_sub(2) {
        if encoded[at] == 0xed && encoded[at + 1] >= 0xa0 {
            encoded[at..at + 3].copy_from_slice("\u{fffd}".as_bytes());
        }
    }
    Ok(encoded)
}
