//! The functions of `Math`, from a small library.
use core::ffi::c_int;
use libc::c_long;

macro_rules! functions {
    ($($name:ident($($number:ident),*))*) => {
        $(#[no_mangle]
        extern "C" fn $name($($number: f64),*) -> f64 {
            libm::$name($($number),*)
        })*
    };
}

functions! {
    acos(x)
    acosh(x)
    asin(x)
    asinh(x)
    atan(x)
    atanh(x)
    ceil(x)
    floor(x)
    round(x)
    sqrt(x)
    trunc(x)
    cbrt(x)
    cos(x)
    cosh(x)
    exp(x)
    expm1(x)
    log(x)
    log10(x)
    log1p(x)
    log2(x)
    sin(x)
    sinh(x)
    tan(x)
    tanh(x)
    atan2(y, x)
    fmod(x, y)
    hypot(x, y)
    pow(x, y)
}

#[no_mangle]
unsafe extern "C" fn frexp(x: f64, exponent: *mut c_int) -> f64 {
    let (fraction, power) = libm::frexp(x);
    // SAFETY: there is room for the number.
    unsafe { *exponent = power };
    fraction
}

#[no_mangle]
unsafe extern "C" fn modf(x: f64, whole: *mut f64) -> f64 {
    let (fraction, rest) = libm::modf(x);
    // SAFETY: as of `frexp`.
    unsafe { *whole = rest };
    fraction
}

#[no_mangle]
extern "C" fn scalbn(x: f64, power: c_int) -> f64 {
    libm::scalbn(x, power)
}

/// The nearest whole number, and of two the even one.
#[no_mangle]
extern "C" fn lrint(x: f64) -> c_long {
    libm::rint(x) as c_long
}
