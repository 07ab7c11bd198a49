//! The driver for C.
//!
//! The rule is the same: after each call write what `modemq_poll_transmit` gives, read `modemq_poll_event` until it is false, and call
//! `modemq_advance` when `modemq_next_deadline` has come. Times are microseconds from any epoch.

#![no_std]
#![allow(non_camel_case_types)]

use core::ffi::{CStr, c_char};
use core::mem::{align_of, size_of};
use core::panic::PanicInfo;
use core::slice;
use core::time::Duration;
use driver::{
    Apn, ConnectError, Driver, Event, Lack, Memory, Options, Outcome, PublishError, QoS, Refusal,
    Rung, SubscribeError, Why, Wifi,
};
use instant::Instant;

/// A driver. Its memory is the caller's.
pub struct modemq {
    driver: Driver<'static>,
}

/// What a driver works in. All of it must stay where it is as long as the driver is used.
#[repr(C)]
pub struct modemq_memory {
    /// The line that is being received: the longest message, its topic and 32 bytes more.
    pub line: *mut u8,
    pub line_size: usize,
    /// The command line that is being sent.
    pub command: *mut u8,
    pub command_size: usize,
    /// The message that is being published, with its topic.
    pub outbox: *mut u8,
    pub outbox_size: usize,
    /// The topics that are subscribed to, each with 6 bytes more.
    pub topics: *mut u8,
    pub topics_size: usize,
}

/// Where to connect, and as whom. Strings end with NUL and must stay where they are; those that may be left out may be NULL.
#[repr(C)]
pub struct modemq_options {
    pub host: *const c_char,
    pub port: u16,
    pub client_id: *const c_char,
    /// May be NULL.
    pub username: *const c_char,
    /// May be NULL.
    pub password: *const c_char,
    /// In seconds.
    pub keep_alive: u16,
    pub clean_session: bool,
    /// The PIN of the SIM; may be NULL.
    pub pin: *const c_char,
    /// May be NULL: what the operator gives.
    pub apn: *const c_char,
    /// May be NULL: what the module joins by itself.
    pub wifi_ssid: *const c_char,
    pub wifi_password: *const c_char,
    /// MODEMQ_EVENT_KIND_RESET is answered.
    pub reset_pin: bool,
}

/// What became of a call.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_status {
    Ok = 0,
    /// A pointer is NULL, a string is not UTF-8, or a number is out of range.
    Invalid,
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
    /// The memory is too small.
    Memory,
    /// The model cannot write these options.
    Options,
    /// There is nothing like that.
    Nothing,
}

/// What has happened.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_event_kind {
    /// A message: topic, payload, missing.
    Message = 0,
    Connected,
    Disconnected,
    /// The connection is lost: why. The driver recovers by itself.
    Lost,
    /// The driver is about to do something: rung, attempt, why, wait_ms.
    Recovering,
    Recovered,
    /// What became of a message: token, outcome.
    Published,
    /// What became of a subscription: token, outcome (DELIVERED or REFUSED).
    Subscribed,
    /// A subscription has ended: token.
    Unsubscribed,
    /// Pull the reset pin now.
    Reset,
    /// Something on the serial line was not to be understood.
    Damaged,
    /// Something else.
    Other,
}

/// What became of a message.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_outcome {
    /// The broker has acknowledged it.
    Delivered = 0,
    /// QoS 0: handed over to the network.
    Sent,
    /// The broker does not have it: code.
    Refused,
    /// Nobody knows. With QoS 1 and 2 `modemq_republish` sends it again.
    Unknown,
}

/// Why there is no connection.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_why {
    Silent = 0,
    Rebooted,
    Sim,
    SimLocked,
    NotRegistered,
    NoBearer,
    BearerLost,
    NotOpened,
    Closed,
    NotLoggedIn,
    /// By the broker: code.
    Refused,
    Unanswered,
    NotConnected,
    Configuration,
}

/// What the driver does to recover.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum modemq_rung {
    Resubscribe = 0,
    Reconnect,
    Reopen,
    Reactivate,
    Radio,
    Reset,
}

/// What has happened. Which fields count stands at each kind; pointers are good until the next call.
#[repr(C)]
pub struct modemq_event {
    pub kind: modemq_event_kind,
    pub token: u16,
    pub outcome: modemq_outcome,
    pub why: modemq_why,
    pub rung: modemq_rung,
    pub attempt: u8,
    /// The code of a refusal: of CONNACK, of +CME ERROR, 128 of SUBACK; 0: none.
    pub code: u16,
    pub wait_ms: u32,
    pub topic: *const u8,
    pub topic_len: usize,
    pub payload: *const u8,
    pub payload_len: usize,
    /// Bytes of the payload for which there was no room.
    pub missing: usize,
}

/// How many bytes a driver itself takes.
#[unsafe(no_mangle)]
pub extern "C" fn modemq_size() -> usize {
    size_of::<modemq>()
}

/// How they must be aligned.
#[unsafe(no_mangle)]
pub extern "C" fn modemq_align() -> usize {
    align_of::<modemq>()
}

/// Makes a driver of a model (`ec20`) in `place`, which has `modemq_size()` bytes, aligned. NULL: no such model, or a pointer is NULL.
///
/// # Safety
/// The pointers are NULL or point to what they say, which nobody else uses as long as the driver is used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_init(
    place: *mut u8,
    model: *const c_char,
    memory: *const modemq_memory,
    seed: u64,
) -> *mut modemq {
    // SAFETY: the caller's promise.
    let (model, memory) = unsafe { (text(model), memory.as_ref()) };
    let (Some(Some(model)), Some(memory)) = (model.map(dialect::Model::by_name), memory) else {
        return core::ptr::null_mut();
    };
    let place = place.cast::<modemq>();
    if place.is_null() || !place.is_aligned() {
        return core::ptr::null_mut();
    }
    // SAFETY: the caller's promise: each is NULL, or has so many bytes that nobody else uses.
    let memory = unsafe {
        Memory {
            line: room(memory.line, memory.line_size),
            command: room(memory.command, memory.command_size),
            outbox: room(memory.outbox, memory.outbox_size),
            topics: room(memory.topics, memory.topics_size),
        }
    };
    let driver = Driver::new(model, memory, seed);
    // SAFETY: aligned, as was asked above, and large enough, by the caller's promise.
    unsafe { place.write(modemq { driver }) };
    place
}

/// Connects, and keeps the connection.
///
/// # Safety
/// `modem` is of `modemq_init`; `options` and its strings are what they say, and the strings stay.
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
    let [host, id, user, password, pin, apn, ssid, key] = [
        given.host,
        given.client_id,
        given.username,
        given.password,
        given.pin,
        given.apn,
        given.wifi_ssid,
        given.wifi_password,
    ]
    .map(|string| unsafe { text(string) });
    let (Some(host), Some(client_id)) = (host, id) else {
        return modemq_status::Invalid;
    };
    let options = Options {
        host,
        port: given.port,
        client_id,
        username: user,
        password,
        keep_alive: given.keep_alive,
        clean_session: given.clean_session,
        pin,
        apn: apn.map(|name| Apn {
            name,
            username: "",
            password: "",
        }),
        wifi: ssid.map(|ssid| Wifi {
            ssid,
            password: key.unwrap_or(""),
        }),
        reset_pin: given.reset_pin,
        ..Options::default()
    };
    match modem.driver.connect(Instant::from_micros(now), options) {
        Ok(()) => modemq_status::Ok,
        Err(ConnectError::Busy) => modemq_status::Busy,
        Err(ConnectError::Options | ConnectError::Tls(_)) => modemq_status::Options,
        Err(ConnectError::Memory) => modemq_status::Memory,
    }
}

/// Logs out.
///
/// # Safety
/// `modem` is of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_disconnect(modem: *mut modemq, now: u64) {
    // SAFETY: the caller's promise.
    if let Some(modem) = unsafe { modem.as_mut() } {
        modem.driver.disconnect(Instant::from_micros(now));
    }
}

/// Subscribes, now or once connected, and again after each loss.
///
/// # Safety
/// `modem` is of `modemq_init`, `topic` a string, `token` NULL or a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_subscribe(
    modem: *mut modemq,
    now: u64,
    topic: *const c_char,
    qos: u8,
    token: *mut u16,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let (modem, topic, token) = unsafe { (modem.as_mut(), text(topic), token.as_mut()) };
    let (Some(modem), Some(topic), Some(qos)) = (modem, topic, QoS::from_level(qos)) else {
        return modemq_status::Invalid;
    };
    let subscribed = modem
        .driver
        .subscribe(Instant::from_micros(now), topic, qos);
    match subscribed {
        Ok(own) => {
            token.into_iter().for_each(|token| *token = own.0);
            modemq_status::Ok
        }
        Err(SubscribeError::Topic) => modemq_status::Topic,
        Err(SubscribeError::Memory) => modemq_status::Memory,
        Err(SubscribeError::Unknown) => modemq_status::Nothing,
    }
}

/// Ends a subscription.
///
/// # Safety
/// `modem` is of `modemq_init`, `topic` a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_unsubscribe(
    modem: *mut modemq,
    now: u64,
    topic: *const c_char,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let (Some(modem), Some(topic)) = (unsafe { (modem.as_mut(), text(topic)) }) else {
        return modemq_status::Invalid;
    };
    match modem.driver.unsubscribe(Instant::from_micros(now), topic) {
        Ok(_) => modemq_status::Ok,
        Err(_) => modemq_status::Nothing,
    }
}

/// Publishes `len` bytes, any of them. One message is on its way at a time.
///
/// # Safety
/// `modem` is of `modemq_init`, `topic` a string, `payload` has `len` bytes, `token` is NULL or a place for one.
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
    let (modem, topic, token) = unsafe { (modem.as_mut(), text(topic), token.as_mut()) };
    let (Some(modem), Some(topic), Some(qos)) = (modem, topic, QoS::from_level(qos)) else {
        return modemq_status::Invalid;
    };
    // SAFETY: the caller's promise.
    let payload = unsafe { bytes(payload, len) };
    let now = Instant::from_micros(now);
    published(modem.driver.publish(now, topic, payload, qos, retain), token)
}

/// Publishes once more the message whose outcome is unknown.
///
/// # Safety
/// `modem` is of `modemq_init`, `token` is NULL or a place for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_republish(
    modem: *mut modemq,
    now: u64,
    token: *mut u16,
) -> modemq_status {
    // SAFETY: the caller's promise.
    let (Some(modem), token) = (unsafe { (modem.as_mut(), token.as_mut()) }) else {
        return modemq_status::Invalid;
    };
    published(modem.driver.republish(Instant::from_micros(now)), token)
}

/// Bytes of the serial port, up to the first event; returns how many were taken. Read the events, and give it the rest.
///
/// # Safety
/// `modem` is of `modemq_init`, `input` has `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_receive(
    modem: *mut modemq,
    now: u64,
    input: *const u8,
    len: usize,
) -> usize {
    // SAFETY: the caller's promise.
    let (modem, input) = unsafe { (modem.as_mut(), bytes(input, len)) };
    modem.map_or(0, |modem| {
        modem.driver.receive(Instant::from_micros(now), input)
    })
}

/// Time has come.
///
/// # Safety
/// `modem` is of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_advance(modem: *mut modemq, now: u64) {
    // SAFETY: the caller's promise.
    if let Some(modem) = unsafe { modem.as_mut() } {
        modem.driver.advance(Instant::from_micros(now));
    }
}

/// When `modemq_advance` is due; UINT64_MAX: only after other calls.
///
/// # Safety
/// `modem` is of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_next_deadline(modem: *const modemq) -> u64 {
    // SAFETY: the caller's promise.
    let deadline = unsafe { modem.as_ref() }.and_then(|modem| modem.driver.next_deadline());
    deadline.map_or(u64::MAX, Instant::as_micros)
}

/// What is to be written to the serial port: `len` bytes; NULL: nothing. Good until the next call.
///
/// # Safety
/// `modem` is of `modemq_init`, `len` a place for a length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_poll_transmit(
    modem: *const modemq,
    len: *mut usize,
) -> *const u8 {
    // SAFETY: the caller's promise.
    let (modem, len) = unsafe { (modem.as_ref(), len.as_mut()) };
    match (modem.and_then(|modem| modem.driver.poll_transmit()), len) {
        (Some(bytes), Some(len)) => {
            *len = bytes.len();
            bytes.as_ptr()
        }
        _ => core::ptr::null(),
    }
}

/// So many bytes of them were written.
///
/// # Safety
/// `modem` is of `modemq_init`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn modemq_transmitted(modem: *mut modemq, now: u64, len: usize) {
    // SAFETY: the caller's promise.
    if let Some(modem) = unsafe { modem.as_mut() } {
        modem.driver.transmitted(Instant::from_micros(now), len);
    }
}

/// What has happened; false when nothing has.
///
/// # Safety
/// `modem` is of `modemq_init`, `event` a place for one.
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
        unsafe { event.write(of(happened)) };
    }
    true
}

fn of(happened: Event<'_>) -> modemq_event {
    let mut event = modemq_event {
        kind: modemq_event_kind::Other,
        token: 0,
        outcome: modemq_outcome::Unknown,
        why: modemq_why::Silent,
        rung: modemq_rung::Resubscribe,
        attempt: 0,
        code: 0,
        wait_ms: 0,
        topic: core::ptr::null(),
        topic_len: 0,
        payload: core::ptr::null(),
        payload_len: 0,
        missing: 0,
    };
    event.kind = match happened {
        Event::Message(message) => {
            event.topic = message.topic.as_ptr();
            event.topic_len = message.topic.len();
            event.payload = message.payload.as_ptr();
            event.payload_len = message.payload.len();
            if let Lack::Bytes(missing) = message.lack {
                event.missing = missing;
            }
            modemq_event_kind::Message
        }
        Event::Connected => modemq_event_kind::Connected,
        Event::Disconnected => modemq_event_kind::Disconnected,
        Event::Lost(why) => {
            (event.why, event.code) = reason(why);
            modemq_event_kind::Lost
        }
        Event::Recovering(recovery) => {
            (event.why, event.code) = reason(recovery.why);
            event.rung = rung(recovery.rung);
            event.attempt = recovery.attempt;
            event.wait_ms = millis(recovery.wait);
            modemq_event_kind::Recovering
        }
        Event::Recovered => modemq_event_kind::Recovered,
        Event::Published(token, outcome) => {
            event.token = token.0;
            event.outcome = match outcome {
                Outcome::Delivered => modemq_outcome::Delivered,
                Outcome::Sent => modemq_outcome::Sent,
                Outcome::Refused(refusal) => {
                    event.code = code(refusal);
                    modemq_outcome::Refused
                }
                Outcome::Unknown => modemq_outcome::Unknown,
            };
            modemq_event_kind::Published
        }
        Event::Subscribed(token, result) => {
            event.token = token.0;
            event.outcome = match result {
                Ok(()) => modemq_outcome::Delivered,
                Err(refusal) => {
                    event.code = code(refusal);
                    modemq_outcome::Refused
                }
            };
            modemq_event_kind::Subscribed
        }
        Event::Unsubscribed(token) => {
            event.token = token.0;
            modemq_event_kind::Unsubscribed
        }
        Event::Reset => modemq_event_kind::Reset,
        Event::Damaged(_) => modemq_event_kind::Damaged,
        _ => modemq_event_kind::Other,
    };
    event
}

fn published(
    result: Result<driver::Token, PublishError>,
    token: Option<&mut u16>,
) -> modemq_status {
    match result {
        Ok(own) => {
            token.into_iter().for_each(|token| *token = own.0);
            modemq_status::Ok
        }
        Err(PublishError::NotConnected) => modemq_status::NotConnected,
        Err(PublishError::Busy) => modemq_status::Busy,
        Err(PublishError::TooLong(_)) => modemq_status::TooLong,
        Err(PublishError::Bytes) => modemq_status::Bytes,
        Err(PublishError::Topic) => modemq_status::Topic,
        Err(PublishError::Memory) => modemq_status::Memory,
        Err(PublishError::Nothing) => modemq_status::Nothing,
    }
}

fn code(refusal: Refusal) -> u16 {
    match refusal {
        Refusal::Module(code) => code.unwrap_or(0),
        Refusal::Broker(code) => code.into(),
        Refusal::NotConnected => 0,
    }
}

fn reason(why: Why) -> (modemq_why, u16) {
    let own = match why {
        Why::Silent => modemq_why::Silent,
        Why::Rebooted => modemq_why::Rebooted,
        Why::Sim => modemq_why::Sim,
        Why::SimLocked => modemq_why::SimLocked,
        Why::NotRegistered => modemq_why::NotRegistered,
        Why::NoBearer => modemq_why::NoBearer,
        Why::BearerLost => modemq_why::BearerLost,
        Why::NotOpened => modemq_why::NotOpened,
        Why::Closed => modemq_why::Closed,
        Why::NotLoggedIn => modemq_why::NotLoggedIn,
        Why::Refused(code) => return (modemq_why::Refused, code.into()),
        Why::Unanswered => modemq_why::Unanswered,
        Why::NotConnected => modemq_why::NotConnected,
        Why::Configuration => modemq_why::Configuration,
    };
    (own, 0)
}

fn rung(rung: Rung) -> modemq_rung {
    match rung {
        Rung::Resubscribe => modemq_rung::Resubscribe,
        Rung::Reconnect => modemq_rung::Reconnect,
        Rung::Reopen => modemq_rung::Reopen,
        Rung::Reactivate => modemq_rung::Reactivate,
        Rung::Radio => modemq_rung::Radio,
        Rung::Reset => modemq_rung::Reset,
    }
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// # Safety
/// NULL, or a string that stays.
unsafe fn text(string: *const c_char) -> Option<&'static str> {
    if string.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_str().ok()
}

/// # Safety
/// NULL, or so many bytes.
unsafe fn bytes<'a>(bytes: *const u8, len: usize) -> &'a [u8] {
    if bytes.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts(bytes, len) }
}

/// # Safety
/// NULL, or so many bytes that nobody else uses.
unsafe fn room(bytes: *mut u8, len: usize) -> &'static mut [u8] {
    if bytes.is_null() {
        return &mut [];
    }
    // SAFETY: the caller's promise.
    unsafe { slice::from_raw_parts_mut(bytes, len) }
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
