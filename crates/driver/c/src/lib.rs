//! The driver for C.
//!
//! The rule is the same: after each call write what `modemq_poll_transmit` gives, read `modemq_poll_event` until it is false, and call
//! `modemq_advance` when `modemq_next_deadline` has come.
//!
//! What C hands over is checked as far as C allows: NULL, sizes, alignment, UTF-8, the range of numbers. No type of Rust that has
//! values of which C may write others (`enum`, `bool` in memory that C fills) is read before that.

#![no_std]
#![allow(non_camel_case_types)]

mod event;
mod words;

use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem::{align_of, size_of};
use core::panic::PanicInfo;
use core::slice;
use core::time::Duration;
use driver::{
    Apn, CommandError, ConnectError, Driver, Memory, Module, Options, Patience, PublishError, QoS,
    Query, SubscribeError, Tls, TlsError, Token, Wifi, Will, models,
};
pub use event::*;
use instant::Instant;
pub use words::*;

/// What a driver itself takes at most, in bytes: `static uint64_t place[MODEMQ_PLACE_SIZE / 8];`
pub const MODEMQ_PLACE_SIZE: usize = 1280;

const _: () = assert!(size_of::<modemq>() <= MODEMQ_PLACE_SIZE && align_of::<modemq>() <= 8);

/// A driver. It lives in the caller's memory, and needs no end: when it is not used any more, so may its memory be.
///
/// One thread at a time may use it. Other drivers are not concerned.
pub struct modemq {
    driver: Driver<'static>,
}

/// What a driver works in: four places that do not overlap. They are the driver's, and stay where they are, as long as it is used;
/// this structure itself need not.
#[repr(C)]
pub struct modemq_memory {
    /// The line that is being received: the longest message, its topic and 32 bytes more (twice the message on a BC26). What is
    /// longer is cut, and `missing` of its event says so.
    pub line: *mut u8,
    pub line_size: usize,
    /// The command line that is being sent: 256 bytes, or client id, user name and password together and 32 more; on an NT35E the
    /// Base64 of `ca` and 32 more.
    pub command: *mut u8,
    pub command_size: usize,
    /// The message that is being published, with its topic (twice the message on a BC26).
    pub outbox: *mut u8,
    pub outbox_size: usize,
    /// The topics that are subscribed to, each with 6 bytes more.
    pub topics: *mut u8,
    pub topics_size: usize,
}

/// Where to connect, and as whom: begin with `{0}`. Strings are UTF-8, end with NUL, and **stay where they are, unchanged, until
/// MODEMQ_EVENT_KIND_DISCONNECTED**; this structure itself need not. A string that may be NULL is then not there.
#[repr(C)]
pub struct modemq_options {
    /// Name or address.
    pub host: *const c_char,
    /// 0: 1883, with TLS 8883.
    pub port: u16,
    pub client_id: *const c_char,
    /// May be NULL.
    pub username: *const c_char,
    /// May be NULL.
    pub password: *const c_char,
    /// In seconds, 1 to 3600; 0: 60.
    pub keep_alive: u16,
    /// 1: the broker forgets the client when the connection ends. 0: it keeps subscriptions and messages.
    pub clean_session: u8,

    /// Last will; NULL: none.
    pub will_topic: *const c_char,
    /// Its message; NULL: empty.
    pub will_payload: *const c_char,
    /// 0 to 2.
    pub will_qos: u8,
    /// 0 or 1.
    pub will_retain: u8,

    /// The PIN of the SIM, typed when it asks for one; one that the SIM has not taken is not typed again before the next connect.
    /// May be NULL.
    pub pin: *const c_char,
    /// The access point of the mobile network; NULL: what the operator gives.
    pub apn: *const c_char,
    /// May be NULL.
    pub apn_username: *const c_char,
    /// May be NULL.
    pub apn_password: *const c_char,
    /// The Wi-Fi access point; NULL: what the module joins by itself.
    pub wifi_ssid: *const c_char,
    /// NULL or empty: an open one.
    pub wifi_password: *const c_char,

    /// 1: TLS. What a model lacks of it is MODEMQ_STATUS_TLS_….
    pub tls: u8,
    /// The authority that the server's certificate must be of, PEM; NULL: the server is not checked.
    pub ca: *const c_char,
    /// The client's certificate, PEM, with its key; both or none.
    pub certificate: *const c_char,
    pub key: *const c_char,
    /// 1: certificates that are not valid by the module's clock are taken all the same, where the model can be told so.
    pub any_date: u8,

    /// 1: MODEMQ_EVENT_KIND_RESET is answered by a pulse on the module's reset pin.
    pub reset_pin: u8,
    /// How long to wait before the second attempt to recover, in milliseconds; 0: 1000. Each further wait is twice as long.
    pub first_wait_ms: u32,
    /// The longest wait between two attempts; 0: 60,000.
    pub longest_wait_ms: u32,
    /// How often an idle module is asked whether it is still logged in; 0: 60,000.
    pub check_ms: u32,
    /// Nothing is typed so long after a final result; 0: 20.
    pub gap_ms: u32,
}

/// What became of a call. What is not MODEMQ_STATUS_OK has done nothing. `modemq_status_words` has words for each.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_status {
    Ok = 0,
    /// A pointer is NULL, a place misaligned, a string not UTF-8, or a number out of range.
    Invalid,
    /// No model is called so, or its family is not in this build of the library.
    NoSuchModel,
    /// Something else runs.
    Busy,
    /// There is no connection.
    NotConnected,
    /// The model takes no message of that length.
    TooLong,
    /// The model cannot carry these bytes.
    Bytes,
    /// The model cannot write this topic.
    Topic,
    /// Memory, of `place` or of `modemq_memory`, is too small.
    Memory,
    /// The model cannot write these options.
    Options,
    /// There is no message whose outcome is unknown, or no such subscription.
    Nothing,
    /// The model has nothing that answers this.
    NotOnThisModel,
    /// The line is too long, or holds a line end.
    Line,
    /// The model has no TLS.
    TlsNotOnThisModel,
    /// The model has no place for a certificate of the client's.
    TlsNoIdentity,
    /// A certificate or a key is not PEM.
    TlsNotPem,
    /// `ca` holds more than one certificate, and the model takes one.
    TlsOneAuthority,
    /// The certificate is longer than the model takes.
    TlsTooLong,
}

/// What was seen on the serial line that belongs to nothing. Counted, never credited.
#[repr(C)]
pub struct modemq_counters {
    /// Final results when no command ran.
    pub stray_results: u32,
    /// Lines that are neither an answer nor a known report.
    pub unknown_lines: u32,
    /// Bytes that were not to be understood.
    pub damaged_bytes: u32,
    /// Commands whose final result did not come in time.
    pub timeouts: u32,
    /// Questions that were typed to find out what the module hears.
    pub resyncs: u32,
}

/// How many bytes a driver itself takes here: MODEMQ_PLACE_SIZE at most.
#[unsafe(no_mangle)]
pub extern "C" fn modemq_size() -> usize {
    size_of::<modemq>()
}

/// Makes a driver of a model (`"ec20"`) in `place`, which has `size` bytes, aligned for `uint64_t`. Nothing is typed before the first
/// request. `seed` makes its waits differ from those of another driver: a serial number will do.
///
/// # Safety
/// The pointers are NULL or point to what they say. `place`, and what `memory` names, are the driver's alone as long as it is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_init(
    place: *mut c_void,
    size: usize,
    model: *const c_char,
    memory: *const modemq_memory,
    seed: u64,
    modem: *mut *mut modemq,
) -> modemq_status {
    let place = place.cast::<modemq>();
    if place.is_null() || !place.is_aligned() || modem.is_null() {
        return modemq_status::Invalid;
    }
    if size < size_of::<modemq>() {
        return modemq_status::Memory;
    }
    // SAFETY: the caller's promise.
    let (model, memory) = unsafe { (text(model), memory.as_ref()) };
    let (Ok(Some(model)), Some(memory)) = (model, memory) else {
        return modemq_status::Invalid;
    };
    let named = |module: &&Module| module.model().name.eq_ignore_ascii_case(model);
    let Some(module) = MODULES.iter().find(named) else {
        return modemq_status::NoSuchModel;
    };
    // SAFETY: the caller's promise: each is NULL, or has so many bytes that nobody else uses.
    let rooms = unsafe {
        [
            room(memory.line, memory.line_size),
            room(memory.command, memory.command_size),
            room(memory.outbox, memory.outbox_size),
            room(memory.topics, memory.topics_size),
        ]
    };
    let [Some(line), Some(command), Some(outbox), Some(topics)] = rooms else {
        return modemq_status::Invalid;
    };
    let memory = Memory {
        line,
        command,
        outbox,
        topics,
    };
    let driver = Driver::new(*module, memory, seed);
    // SAFETY: aligned and large enough, as was asked above.
    unsafe { place.write(modemq { driver }) };
    // SAFETY: not NULL, as was asked above, and by the caller's promise a place for a pointer.
    unsafe { modem.write(place) };
    modemq_status::Ok
}

/// Connects, and keeps the connection until `modemq_disconnect`: MODEMQ_EVENT_KIND_CONNECTED follows, or
/// MODEMQ_EVENT_KIND_RECOVERING until it does. `now` is in microseconds from any epoch, here and everywhere.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`; `options` and its strings are NULL or what they say, and the strings stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_connect(
    modem: *mut modemq,
    now: u64,
    options: *const modemq_options,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let (Some(modem), Some(given)) = (unsafe { (modem.as_mut(), options.as_ref()) }) else {
        return modemq_status::Invalid;
    };
    // SAFETY: the caller's promise.
    let Some(options) = (unsafe { options_of(given) }) else {
        return modemq_status::Invalid;
    };
    match modem.driver.connect(Instant::from_micros(now), options) {
        Ok(()) => modemq_status::Ok,
        Err(ConnectError::Busy) => modemq_status::Busy,
        Err(ConnectError::Options) => modemq_status::Options,
        Err(ConnectError::Memory) => modemq_status::Memory,
        Err(ConnectError::Tls(error)) => match error {
            TlsError::NotOnThisModel => modemq_status::TlsNotOnThisModel,
            TlsError::NoIdentity => modemq_status::TlsNoIdentity,
            TlsError::NotPem => modemq_status::TlsNotPem,
            TlsError::OneAuthority => modemq_status::TlsOneAuthority,
            TlsError::TooLong(_) => modemq_status::TlsTooLong,
        },
    }
}

/// Logs out: MODEMQ_EVENT_KIND_DISCONNECTED follows. NULL does nothing.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_disconnect(modem: *mut modemq, now: u64) {
    // SAFETY: the caller's promise.
    if let Some(modem) = unsafe { modem.as_mut() } {
        modem.driver.disconnect(Instant::from_micros(now));
    }
}

/// Logged in, and subscribed to everything?
///
/// # Safety
/// `modem` is NULL or of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_is_connected(modem: *const modemq) -> bool {
    // SAFETY: the caller's promise.
    unsafe { modem.as_ref() }.is_some_and(|modem| modem.driver.is_connected())
}

/// May a message be published now? One is on its way at a time.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_can_publish(modem: *const modemq) -> bool {
    // SAFETY: the caller's promise.
    unsafe { modem.as_ref() }.is_some_and(|modem| modem.driver.can_publish())
}

/// Subscribes, now or once connected, and again after each loss: MODEMQ_EVENT_KIND_SUBSCRIBED with this token tells of the first
/// time, and of a broker that refuses it later. `topic` is copied. `qos` is 0 to 2; `token` may be NULL.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `topic` NULL or a string, `token` NULL or a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_subscribe(
    modem: *mut modemq,
    now: u64,
    topic: *const c_char,
    qos: u8,
    token: *mut u16,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let (modem, topic) = unsafe { (modem.as_mut(), text(topic)) };
    let (Some(modem), Ok(Some(topic)), Some(qos)) = (modem, topic, QoS::from_level(qos)) else {
        return modemq_status::Invalid;
    };
    let now = Instant::from_micros(now);
    // SAFETY: the caller's promise.
    unsafe { subscribed(modem.driver.subscribe(now, topic, qos), token) }
}

/// Ends a subscription: MODEMQ_EVENT_KIND_UNSUBSCRIBED with this token follows. `token` may be NULL.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `topic` NULL or a string, `token` NULL or a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_unsubscribe(
    modem: *mut modemq,
    now: u64,
    topic: *const c_char,
    token: *mut u16,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let (Some(modem), Ok(Some(topic))) = (unsafe { (modem.as_mut(), text(topic)) }) else {
        return modemq_status::Invalid;
    };
    let now = Instant::from_micros(now);
    // SAFETY: the caller's promise.
    unsafe { subscribed(modem.driver.unsubscribe(now, topic), token) }
}

/// Publishes `len` bytes, any of them: MODEMQ_EVENT_KIND_PUBLISHED with this token tells what became of them. Topic and payload are
/// copied. `qos` is 0 to 2; `token` may be NULL; `payload` may be NULL when `len` is 0.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `topic` NULL or a string, `payload` has `len` bytes, `token` is NULL or a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_publish(
    modem: *mut modemq,
    now: u64,
    topic: *const c_char,
    payload: *const u8,
    len: usize,
    qos: u8,
    retain: bool,
    token: *mut u16,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let (modem, topic, payload) = unsafe { (modem.as_mut(), text(topic), bytes(payload, len)) };
    let (Some(modem), Ok(Some(topic)), Some(payload), Some(qos)) =
        (modem, topic, payload, QoS::from_level(qos))
    else {
        return modemq_status::Invalid;
    };
    let now = Instant::from_micros(now);
    let result = modem.driver.publish(now, topic, payload, qos, retain);
    // SAFETY: the caller's promise.
    unsafe { published(result, token) }
}

/// Publishes once more the message whose outcome is MODEMQ_OUTCOME_UNKNOWN. The broker may then have it twice.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `token` is NULL or a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_republish(
    modem: *mut modemq,
    now: u64,
    token: *mut u16,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let Some(modem) = (unsafe { modem.as_mut() }) else {
        return modemq_status::Invalid;
    };
    let result = modem.driver.republish(Instant::from_micros(now));
    // SAFETY: the caller's promise.
    unsafe { published(result, token) }
}

/// Asks the module a MODEMQ_QUERY_…: MODEMQ_EVENT_KIND_ANSWER or MODEMQ_EVENT_KIND_UNANSWERED follows.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_query(modem: *mut modemq, now: u64, query: c_int) -> modemq_status {
    const ALL: [(modemq_query_kind, Query); 7] = [
        (modemq_query_kind::Signal, Query::Signal),
        (modemq_query_kind::Registration, Query::Registration),
        (modemq_query_kind::Iccid, Query::Iccid),
        (modemq_query_kind::Imei, Query::Imei),
        (modemq_query_kind::Firmware, Query::Firmware),
        (modemq_query_kind::Model, Query::Model),
        (modemq_query_kind::Time, Query::Time),
    ];
    let found = ALL.iter().find(|(own, _)| *own as c_int == query);
    // SAFETY: the caller's promise.
    let (Some(modem), Some((_, query))) = (unsafe { modem.as_mut() }, found) else {
        return modemq_status::Invalid;
    };
    commanded(modem.driver.query(Instant::from_micros(now), *query))
}

/// Types a command line of the caller's, without its end: MODEMQ_EVENT_KIND_LINE for each line of its answer, and
/// MODEMQ_EVENT_KIND_DONE at its end, or after `patience_ms` milliseconds. What it changes in the module is the caller's business.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `line` NULL or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_command(
    modem: *mut modemq,
    now: u64,
    line: *const c_char,
    patience_ms: u32,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let (Some(modem), Ok(Some(line))) = (unsafe { (modem.as_mut(), text(line)) }) else {
        return modemq_status::Invalid;
    };
    let patience = Duration::from_millis(patience_ms.into());
    commanded(
        modem
            .driver
            .command(Instant::from_micros(now), line, patience),
    )
}

/// What was seen that belongs to nothing.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `counters` NULL or a place for them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_stats(
    modem: *const modemq,
    counters: *mut modemq_counters,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let Some(modem) = (unsafe { modem.as_ref() }) else {
        return modemq_status::Invalid;
    };
    if counters.is_null() {
        return modemq_status::Invalid;
    }
    let own = modem.driver.stats();
    let own = modemq_counters {
        stray_results: own.stray_results,
        unknown_lines: own.unknown_lines,
        damaged_bytes: own.damaged_bytes,
        timeouts: own.timeouts,
        resyncs: own.resyncs,
    };
    // SAFETY: not NULL, and the caller's promise.
    unsafe { counters.write(own) };
    modemq_status::Ok
}

/// Bytes of the serial port, up to the first event; returns how many were taken. **Read the events, and give it the rest.** NULL is
/// no bytes.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `input` has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_receive(
    modem: *mut modemq,
    now: u64,
    input: *const u8,
    len: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let (Some(modem), Some(input)) = (unsafe { (modem.as_mut(), bytes(input, len)) }) else {
        return 0;
    };
    modem.driver.receive(Instant::from_micros(now), input)
}

/// Time has come. It may be called at any other time as well.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_advance(modem: *mut modemq, now: u64) {
    // SAFETY: the caller's promise.
    if let Some(modem) = unsafe { modem.as_mut() } {
        modem.driver.advance(Instant::from_micros(now));
    }
}

/// When `modemq_advance` is due, in microseconds; UINT64_MAX: only after other calls.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_next_deadline(modem: *const modemq) -> u64 {
    // SAFETY: the caller's promise.
    let deadline = unsafe { modem.as_ref() }.and_then(|modem| modem.driver.next_deadline());
    deadline.map_or(u64::MAX, Instant::as_micros)
}

/// What is to be written to the serial port: `*len` bytes; NULL: nothing. Good until the next call with this driver.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `len` NULL or a place for a length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_poll_transmit(modem: *const modemq, len: *mut usize) -> *const u8 {
    // SAFETY: the caller's promise.
    let modem = unsafe { modem.as_ref() };
    let bytes = modem.and_then(|modem| modem.driver.poll_transmit());
    let (Some(bytes), false) = (bytes, len.is_null()) else {
        return core::ptr::null();
    };
    // SAFETY: not NULL, and the caller's promise.
    unsafe { len.write(bytes.len()) };
    bytes.as_ptr()
}

/// So many bytes of what `modemq_poll_transmit` gave were written.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_transmitted(modem: *mut modemq, now: u64, len: usize) {
    // SAFETY: the caller's promise.
    if let Some(modem) = unsafe { modem.as_mut() } {
        modem.driver.transmitted(Instant::from_micros(now), len);
    }
}

/// What has happened; false when nothing has. With `event` NULL it is passed over.
///
/// # Safety
/// `modem` is NULL or of `modemq_init`, `event` NULL or a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_poll_event(modem: *mut modemq, event: *mut modemq_event) -> bool {
    // SAFETY: the caller's promise.
    let Some(modem) = (unsafe { modem.as_mut() }) else {
        return false;
    };
    let Some(happened) = modem.driver.poll_event() else {
        return false;
    };
    if !event.is_null() {
        // SAFETY: the caller's promise; it need not hold anything yet.
        unsafe { event.write(happened.into()) };
    }
    true
}

/// What `modemq_init` finds: a build without a feature has none of its family's code.
const MODULES: &[Module] = &[
    #[cfg(feature = "luat")]
    models::AIR780EP,
    #[cfg(feature = "luat")]
    models::AIR700EAQ,
    #[cfg(feature = "luat")]
    models::AIR780E,
    #[cfg(feature = "eigencomm")]
    models::NT35E,
    #[cfg(feature = "quectel")]
    models::BC26,
    #[cfg(feature = "quectel")]
    models::EC20,
    #[cfg(feature = "quectel")]
    models::BG95,
    #[cfg(feature = "espressif")]
    models::ESP8266,
    #[cfg(feature = "espressif")]
    models::ESP32C3,
];

/// `None`: a string is not UTF-8, one that must be there is NULL, or a number is out of range.
///
/// # Safety
/// The strings are NULL or strings that stay.
unsafe fn options_of(given: &modemq_options) -> Option<Options<'static>> {
    // SAFETY: the caller's promise.
    let read = |string| unsafe { text(string) }.ok();
    let flag = |flag: u8| (flag <= 1).then_some(flag == 1);
    let tls = flag(given.tls)?;
    let identity = match (read(given.certificate)?, read(given.key)?) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        _ => return None,
    };
    let own = Patience::default();
    let wait = |own: Duration, millis: u32| match millis {
        0 => own,
        _ => Duration::from_millis(millis.into()),
    };
    let will = match read(given.will_topic)? {
        Some(topic) => Some(Will {
            topic,
            payload: read(given.will_payload)?.unwrap_or(""),
            qos: QoS::from_level(given.will_qos)?,
            retain: flag(given.will_retain)?,
        }),
        None => None,
    };
    let apn = match read(given.apn)? {
        Some(name) => Some(Apn {
            name,
            username: read(given.apn_username)?.unwrap_or(""),
            password: read(given.apn_password)?.unwrap_or(""),
        }),
        None => None,
    };
    let wifi = match read(given.wifi_ssid)? {
        Some(ssid) => Some(Wifi {
            ssid,
            password: read(given.wifi_password)?.unwrap_or(""),
        }),
        None => None,
    };
    Some(Options {
        host: read(given.host)??,
        port: match given.port {
            0 if tls => 8883,
            0 => 1883,
            port => port,
        },
        client_id: read(given.client_id)??,
        username: read(given.username)?,
        password: read(given.password)?,
        keep_alive: match given.keep_alive {
            0 => 60,
            seconds => seconds,
        },
        clean_session: flag(given.clean_session)?,
        will,
        pin: read(given.pin)?,
        apn,
        wifi,
        tls: tls.then_some(Tls {
            ca: read(given.ca)?,
            identity,
            dates: !flag(given.any_date)?,
        }),
        reset_pin: flag(given.reset_pin)?,
        patience: Patience {
            first_wait: wait(own.first_wait, given.first_wait_ms),
            longest_wait: wait(own.longest_wait, given.longest_wait_ms),
            check: wait(own.check, given.check_ms),
            gap: wait(own.gap, given.gap_ms),
        },
    })
}

/// # Safety
/// `token` is NULL or a place for one.
unsafe fn subscribed(result: Result<Token, SubscribeError>, token: *mut u16) -> modemq_status {
    match result {
        // SAFETY: the caller's promise.
        Ok(own) => unsafe { tell(own, token) },
        Err(SubscribeError::Topic) => modemq_status::Topic,
        Err(SubscribeError::Memory) => modemq_status::Memory,
        Err(SubscribeError::Unknown) => modemq_status::Nothing,
    }
}

/// # Safety
/// `token` is NULL or a place for one.
unsafe fn published(result: Result<Token, PublishError>, token: *mut u16) -> modemq_status {
    match result {
        // SAFETY: the caller's promise.
        Ok(own) => unsafe { tell(own, token) },
        Err(PublishError::NotConnected) => modemq_status::NotConnected,
        Err(PublishError::Busy) => modemq_status::Busy,
        Err(PublishError::TooLong(_)) => modemq_status::TooLong,
        Err(PublishError::Bytes) => modemq_status::Bytes,
        Err(PublishError::Topic) => modemq_status::Topic,
        Err(PublishError::Memory) => modemq_status::Memory,
        Err(PublishError::Nothing) => modemq_status::Nothing,
    }
}

/// # Safety
/// `token` is NULL or a place for one.
unsafe fn tell(own: Token, token: *mut u16) -> modemq_status {
    if !token.is_null() {
        // SAFETY: not NULL, and the caller's promise.
        unsafe { token.write(own.0) };
    }
    modemq_status::Ok
}

fn commanded(result: Result<(), CommandError>) -> modemq_status {
    match result {
        Ok(()) => modemq_status::Ok,
        Err(CommandError::Busy) => modemq_status::Busy,
        Err(CommandError::NotOnThisModel) => modemq_status::NotOnThisModel,
        Err(CommandError::Line) => modemq_status::Line,
    }
}

/// `Err`: it is not UTF-8.
///
/// # Safety
/// NULL, or a string that stays.
unsafe fn text(string: *const c_char) -> Result<Option<&'static str>, ()> {
    if string.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    let string = unsafe { CStr::from_ptr(string) };
    string.to_str().map(Some).map_err(|_| ())
}

/// `None`: NULL that is to have bytes, or more of them than there can be.
///
/// # Safety
/// NULL, or so many bytes.
unsafe fn bytes<'a>(bytes: *const u8, len: usize) -> Option<&'a [u8]> {
    match (bytes.is_null(), len) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // SAFETY: the caller's promise.
        _ => (isize::try_from(len).is_ok()).then(|| unsafe { slice::from_raw_parts(bytes, len) }),
    }
}

/// # Safety
/// NULL, or so many bytes that nobody else uses.
unsafe fn room(bytes: *mut u8, len: usize) -> Option<&'static mut [u8]> {
    match (bytes.is_null(), len) {
        (_, 0) => Some(&mut []),
        (true, _) => None,
        // SAFETY: the caller's promise.
        _ => isize::try_from(len)
            .is_ok()
            .then(|| unsafe { slice::from_raw_parts_mut(bytes, len) }),
    }
}

/// The driver does not panic. If it does all the same, it stops here, for a watchdog to find.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
