//! Words for what C gets as numbers: those of the driver's own `Display`, which need an allocator or a formatter to become C's
//! strings. A test holds the two together.

use core::ffi::{CStr, c_char, c_int};

/// Words for a MODEMQ_STATUS_…. Never NULL, and never freed.
#[unsafe(no_mangle)]
pub extern "C" fn modemq_status_words(status: c_int) -> *const c_char {
    of(&[
        c"done",
        c"a pointer is NULL, a place misaligned, a string not UTF-8, or a number out of range",
        c"no such model",
        c"something else runs",
        c"not connected",
        c"the model takes no message of that length",
        c"the model cannot carry these bytes",
        c"the model cannot write this topic",
        c"the memory is too small",
        c"the model cannot write these options",
        c"nothing of that kind",
        c"the model has nothing that answers this",
        c"the line is too long, or holds a line end",
        c"no TLS on this model",
        c"the model has no place for a client's certificate: it can check the server, and no more",
        c"a certificate or key is not PEM",
        c"the model takes the certificate of one authority",
        c"the certificate is longer than the model takes",
    ], status)
}

/// Words for a MODEMQ_OUTCOME_…. Of a refusal `modemq_refusal_words` says more.
#[unsafe(no_mangle)]
pub extern "C" fn modemq_outcome_words(outcome: c_int) -> *const c_char {
    of(
        &[
            c"delivered",
            c"sent",
            c"refused",
            c"nobody knows whether the message arrived",
        ],
        outcome,
    )
}

/// Words for a refusal: a MODEMQ_REFUSER_… and its code.
#[unsafe(no_mangle)]
pub extern "C" fn modemq_refusal_words(refuser: c_int, code: u16) -> *const c_char {
    let words = match (refuser, code) {
        (0, 0) => c"the module answered ERROR",
        (0, _) => c"the module answered +CME ERROR with this code",
        (1, 1) => c"the broker does not speak this version of MQTT",
        (1, 2) => c"the broker refused the client identifier",
        (1, 3) => c"the broker's service is unavailable",
        (1, 4) => c"the broker refused user name or password",
        (1, 5) => c"the broker did not authorize the client",
        (1, 128) => c"the broker refused the subscription",
        (1, _) => c"the broker refused with this code",
        (2, _) => c"the link was lost before it was typed",
        _ => UNKNOWN,
    };
    words.as_ptr()
}

/// Words for a MODEMQ_WHY_…. Of MODEMQ_WHY_REFUSED `modemq_refusal_words(MODEMQ_REFUSER_BROKER, code)` says more.
#[unsafe(no_mangle)]
pub extern "C" fn modemq_why_words(why: c_int) -> *const c_char {
    of(
        &[
            c"the module does not answer",
            c"the module started anew",
            c"the SIM is not usable",
            c"the SIM is locked: it wants its PIN or PUK",
            c"not registered with the network",
            c"no packet service, PDP context or Wi-Fi",
            c"the network took the PDP context or the Wi-Fi away",
            c"the broker cannot be reached",
            c"the connection was closed",
            c"the broker did not answer the login",
            c"the broker refused the login",
            c"the broker did not acknowledge in time",
            c"the module says that it is not logged in",
            c"the module refused a setting",
        ],
        why,
    )
}

/// Words for a MODEMQ_RUNG_….
#[unsafe(no_mangle)]
pub extern "C" fn modemq_rung_words(rung: c_int) -> *const c_char {
    of(
        &[
            c"subscribe again",
            c"log in again",
            c"open the connection again",
            c"activate the bearer again",
            c"switch the radio off and on",
            c"reset the module",
        ],
        rung,
    )
}

/// Words for a MODEMQ_FAILURE_….
#[unsafe(no_mangle)]
pub extern "C" fn modemq_failure_words(failure: c_int) -> *const c_char {
    of(
        &[
            c"done",
            c"the module answered ERROR",
            c"no final result in time",
            c"the module started anew meanwhile",
            c"it wants data, and a raw command has none",
        ],
        failure,
    )
}

const UNKNOWN: &CStr = c"no such number";

fn of(words: &[&'static CStr], number: c_int) -> *const c_char {
    let at = usize::try_from(number).unwrap_or(usize::MAX);
    words.get(at).unwrap_or(&UNKNOWN).as_ptr()
}
