//! The functions of `Math` from a small library. That of a static C library comes in several versions, one for each kind of
//! processor, and is a tenth of the binary.
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
