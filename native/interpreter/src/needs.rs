//! What the engine needs of a C library beside c/ and `math.rs`: the clock, and numbers of texts.

use core::{
    ffi::{c_char, c_int, c_void},
    slice, str,
};

#[no_mangle]
unsafe extern "C" fn clock_gettime(clock: c_int, to: *mut libc::timespec) -> c_int {
    // SAFETY: there is room for the time.
    unsafe { sys!(SYS_clock_gettime, clock, to) }.map_or(-1, |_| 0)
}

#[no_mangle]
unsafe extern "C" fn gettimeofday(to: *mut libc::timeval, _zone: *mut c_void) -> c_int {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: there is room for the time.
    unsafe {
        let result = clock_gettime(libc::CLOCK_REALTIME, &mut time);
        *to = libc::timeval {
            tv_sec: time.tv_sec,
            tv_usec: time.tv_nsec / 1000,
        };
        result
    }
}

/// Every place has the time of Greenwich: programs write times with "Z" only (test/interpreter/binary.test.ts).
#[no_mangle]
unsafe extern "C" fn localtime_r(_time: *const libc::time_t, to: *mut libc::tm) -> *mut libc::tm {
    // SAFETY: there is room; the engine looks at the distance from Greenwich alone, and all zeros are valid.
    unsafe { to.write_bytes(0, 1) };
    to
}

/// The number of JSON at the beginning of a text. The engine has found its end already, and asks for none.
#[no_mangle]
unsafe extern "C" fn strtod(text: *const c_char, end: *mut *mut c_char) -> f64 {
    assert!(end.is_null());
    // SAFETY: the text ends in NUL, which is no part of a number.
    let bytes = unsafe {
        let byte = |at: usize| *text.add(at) as u8;
        let digits = |from: usize| {
            (from..)
                .find(|at| !byte(*at).is_ascii_digit())
                .unwrap_or(from)
        };
        let mut length = digits(usize::from(byte(0) == b'-'));
        if byte(length) == b'.' {
            length = digits(length + 1);
        }
        if matches!(byte(length), b'e' | b'E') {
            length = digits(length + 1 + usize::from(matches!(byte(length + 1), b'+' | b'-')));
        }
        slice::from_raw_parts(text.cast(), length)
    };
    let number = str::from_utf8(bytes)
        .ok()
        .and_then(|number| number.parse().ok());
    number.expect("a number of JSON")
}
