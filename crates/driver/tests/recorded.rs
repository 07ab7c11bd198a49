//! What real modules have said, as people recorded it: the driver on the one side, the recording's lines on the other.
//!
//! Each test names its recording. The lines of the module are the recording's; what the driver types is its own, so the recording's
//! question may be another one of the same kind. Where a recording shows lines without their ends, they are `\r\n` on both sides, as in
//! those that show bytes. Between the recorded lines the module answers as the table of its family says.

// clippy.toml allows unwrap in test functions; these helpers are called by nothing else.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Line, OPTIONS, answers};
use driver::{Options, QoS, Query, Stats};
use std::time::Duration;

const OK: &str = "\r\nOK\r\n";
const NOTHING: [&str; 0] = [];

/// A driver that was asked to connect and has typed, up to the line that begins so.
#[track_caller]
fn up_to(model: &str, beginning: &str) -> Line {
    let mut line = Line::new(model);
    line.driver.connect(line.now, OPTIONS).unwrap();
    line.answer_until(answers(model), beginning);
    assert_eq!(line.events(), NOTHING);
    line
}

/// Answers as the table says until it is connected, and returns what has happened besides.
#[track_caller]
fn connects(line: &mut Line, model: &str) -> Vec<String> {
    line.answer(answers(model));
    let mut events = line.events();
    let last = events.pop();
    assert!(
        matches!(last.as_deref(), Some("Connected" | "Recovered")),
        "{last:?}"
    );
    events
}

#[track_caller]
fn nothing_unknown(line: &Line) {
    let stats = line.stray();
    let expected = Stats {
        resyncs: stats.resyncs,
        ..Stats::default()
    };
    assert_eq!(stats, expected);
}

// --- Power-on and registration ---

/// An EC21-J whose supply gives way under load: it starts anew while it is asked, and answers the question afterwards, with echo.
/// SeeedJP/WioLTEforArduino issue 5, the log of 2017-10-30.
#[test]
fn ec21_restarts_under_a_question_and_answers_it_afterwards() {
    let mut line = up_to("ec20", "AT+CEREG?");
    line.say("\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n");
    line.say("\r\nRDY\r\n");
    let events = line.events();
    assert_eq!(events.len(), 1);
    assert!(
        events[0].contains("rung: Reopen, attempt: 1, why: Rebooted"),
        "{events:?}"
    );
    line.types("AT+IPR?\r");
    line.say("\r\n+CFUN: 1\r\n\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n");
    line.say("\r\n+QIND: SMS DONE\r\n\r\n+QIND: PB DONE\r\n");
    // The question was heard after the start. It is not the answer to what is asked now.
    line.say("AT+CEREG?\r\r\n+CEREG: 0,1\r\n\r\nOK\r\n");
    assert_eq!(line.events(), NOTHING);
    assert_eq!(line.stray().stray_results, 1);
    line.say("AT+IPR?\r\r\n+IPR: 115200\r\n\r\nOK\r\n");
    // Set up from its echo on.
    line.types("AT+IPR?\r");
    line.say("AT+IPR?\r\r\n+IPR: 115200\r\n\r\nOK\r\n");
    line.types("ATE0\r");
    line.say("ATE0\r\r\nOK\r\n");
    assert_eq!(connects(&mut line, "ec20"), NOTHING);
    assert_eq!(line.stray().timeouts, 0);
}

/// An EC21-J from its start: the SIM is not there at first, then busy, then ready, and says so by itself as well.
/// SeeedJP/WioLTEforArduino issue 5, the log of 2017-11-20.
#[test]
fn ec21_starts_with_a_sim_that_takes_its_time() {
    let mut line = Line::new("ec20");
    line.driver.connect(line.now, OPTIONS).unwrap();
    line.play(&[
        ("", "\r\nRDY\r\n"),
        ("AT+IPR?\r", "AT+IPR?\r\r\n+IPR: 115200\r\n\r\nOK\r\n"),
        ("ATE0\r", "ATE0\r\r\nOK\r\n"),
        ("AT+CMEE=1\r", OK),
        ("AT+CPIN?\r", "\r\n+CME ERROR: 10\r\n"),
        ("", "\r\n+CFUN: 1\r\n"),
        ("AT+CPIN?\r", "\r\n+CME ERROR: 10\r\n"),
        ("AT+CPIN?\r", "\r\n+CME ERROR: 14\r\n"),
        ("AT+CPIN?\r", "\r\n+CPIN: READY\r\n\r\nOK\r\n"),
        (
            "AT+CEREG?\r",
            "\r\n+CPIN: READY\r\n\r\n+QUSIM: 1\r\n\r\n+QIND: SMS DONE\r\n",
        ),
    ]);
    line.say("\r\n+CEREG: 0,1\r\n\r\nOK\r\n");
    assert_eq!(connects(&mut line, "ec20"), NOTHING);
    nothing_unknown(&line);
}

/// An EC21 that 4G does not take: `+CEREG: 0,2`, then `0,4`, for as long as it is asked.
/// SeeedJP/WioLTEforArduino issue 34, turn 4. That 3G takes it in the end is the test's own.
#[test]
fn ec21_is_registered_in_3g_alone() {
    let mut line = up_to("ec20", "AT+CEREG?");
    for (in_4g, in_3g) in [("0,2", "0,2"), ("0,4", "0,2"), ("0,4", "0,1")] {
        line.say(format!("\r\n+CEREG: {in_4g}\r\n\r\nOK\r\n"));
        line.types("AT+CGREG?\r");
        line.say(format!("\r\n+CGREG: {in_3g}\r\n\r\nOK\r\n"));
        if in_3g == "0,2" {
            line.types("AT+CEREG?\r");
        }
    }
    line.types("AT+CGATT?\r");
    line.say("\r\n+CGATT: 1\r\n\r\nOK\r\n");
    assert_eq!(connects(&mut line, "ec20"), NOTHING);
    nothing_unknown(&line);
}

/// An EC21 whose profile keeps `AT+CEREG=2`. The recording shows the bytes.
/// ARMmbed/mbed-os issue 12412, turn 9.
#[test]
fn ec21_answers_with_the_mode_that_it_was_left_in() {
    let mut line = up_to("ec20", "AT+CEREG?");
    line.say("\r\n+CEREG: 2,0\r\n\r\nOK\r\n");
    line.types("AT+CGREG?\r");
    line.say("\r\n+CGREG: 2,0\r\n\r\nOK\r\n");
    line.types("AT+CEREG?\r");
    // As 3GPP TS 27.007 §10.1.22 has it in that mode: a report, and then the answer.
    line.say("\r\n+CEREG: 1,\"1A2B\",\"01234567\",7\r\n");
    line.say("\r\n+CEREG: 2,1,\"1A2B\",\"01234567\",7\r\n\r\nOK\r\n");
    assert_eq!(connects(&mut line, "ec20"), NOTHING);
    line.ask(Query::Signal, "AT+CSQ");
    line.say("\r\n+CSQ: 30,99\r\n\r\nOK\r\n");
    assert_eq!(line.events(), ["Answer(Signal, Signal(30))"]);
    nothing_unknown(&line);
}

/// A BG96 that is told to start anew: it says that it is off and that its context is gone, hears nothing for three seconds, and has its
/// echo on again. vshymanskyy/TinyGSM issue 157, the log of 2019-07-15; that `APP RDY` follows `RDY`: zephyr pull request 93052.
#[test]
fn bg96_restarts_and_hears_nothing_for_three_seconds() {
    let mut line = Line::connected("bg95");
    line.run("AT+CFUN=1,1");
    line.say("\r\nOK\r\n");
    line.say("\r\nPOWERED DOWN\r\n");
    assert_eq!(line.events(), ["Done(Ok(()))"]);
    line.wait(Duration::from_secs(3));
    line.say("\r\n+QIURC: \"pdpdeact\",1\r\n");
    let events = line.events();
    assert_eq!(events[0], "Lost(BearerLost)");
    assert!(events[1].contains("rung: Reactivate"), "{events:?}");
    // Typed into the void.
    line.types("AT+QIDEACT=1\r");
    line.wait(Duration::from_secs(3));
    assert_eq!(line.typed(), "");
    line.say("\r\nRDY\r\n");
    let events = line.events();
    assert_eq!(events.len(), 1);
    assert!(events[0].contains("why: Rebooted"), "{events:?}");
    line.types("AT+IPR?\r");
    line.say("AT+IPR?\r\r\n+IPR: 115200\r\n\r\nOK\r\n");
    // The same start, and no other one.
    line.say("\r\nAPP RDY\r\n");
    line.types("AT+IPR?\r");
    line.say("AT+IPR?\r\r\n+IPR: 115200\r\n\r\nOK\r\n");
    line.types("ATE0\r");
    line.say("ATE0\r\r\nOK\r\n");
    assert_eq!(connects(&mut line, "bg95"), NOTHING);
    nothing_unknown(&line);
}

/// An Air780EP leaves flight mode. The recorder's reads cut a report in two, a context has no reason and the time no daylight saving.
/// openLuat/luatos-doc-pool, 780EP_AT_SIM应用指南.md.
#[test]
fn air780ep_tells_of_its_network() {
    let mut line = Line::connected("air780ep");
    let before = line.stray();
    line.say("\r\n^MODE: 17,17\r\n\r\n+E_UTRAN Service\r\n\r\n+CGEV");
    line.wait(Duration::from_millis(50));
    line.say(": ME PDN ACT 1\r\n");
    line.wait(Duration::from_millis(33));
    line.say("\r\n+NITZ: 24/08/22,07:00:02+32, \r\n");
    assert_eq!(line.events(), NOTHING);
    assert_eq!(line.stray(), before);
}

/// An Air780EP answers with a space behind the registration.
/// openLuat/luatos-doc-pool, 20240724_air780ep_at_tcp.md.
#[test]
fn air780ep_ends_an_answer_with_a_space() {
    let mut line = Line::new("air780ep");
    line.driver.connect(line.now, OPTIONS).unwrap();
    line.answer_until(answers("air780ep"), "AT+CPIN?");
    line.say("\r\n+CME ERROR: 10\r\n");
    line.types("AT+CPIN?\r");
    line.say("\r\n+CPIN: READY\r\n\r\nOK\r\n");
    line.types("AT+CEREG?\r");
    line.say("\r\n+CEREG: 0,1 \r\n\r\nOK\r\n");
    line.types("AT+CGATT?\r");
    line.say("\r\n+CGATT: 1\r\n\r\nOK\r\n");
    assert_eq!(connects(&mut line, "air780ep"), NOTHING);
    line.ask(Query::Registration, "AT+CEREG?");
    line.say("\r\n+CEREG: 0,1 \r\n\r\nOK\r\n");
    assert_eq!(line.events(), ["Answer(Registration, Registration(1))"]);
    nothing_unknown(&line);
}

/// What stands before the first line when a module gets power: 0xFF.
/// 256dpi/arduino-mqtt issue 188 (SIM800).
#[test]
fn noise_of_power_on_is_no_part_of_the_first_line() {
    let mut line = up_to("ec20", "AT+CEREG?");
    line.say(b"\xff\xffRDY\r\n");
    let events = line.events();
    assert!(events[0].contains("why: Rebooted"), "{events:?}");
    assert_eq!(line.stray().unknown_lines, 0);
}

/// An ESP8266 whose boot loader speaks at another rate, and then at this one, and that joins its access point by itself.
/// atlas-aero/rt-esp-at-nal, src/tests/urc.rs; the noise: luc-github/ESP3D issue 113, cesanta/mongoose-os issue 27.
#[test]
fn esp8266_boots_with_noise() {
    let mut line = Line::connected("esp8266");
    line.say(b"\xc3E\x9b?ab\x80C\x00D\xc7>h\xff\x8fb\x00tA\r\n");
    line.say("\r\nets Jan  8 2013,rst cause:1, boot mode:(3,7)\r\n\r\nload 0x40100000, len 2592, room 16 \r\ntail 0\r\n");
    assert_eq!(line.events(), NOTHING);
    line.say("\r\nready\r\nWIFI CONNECTED\r\n");
    let events = line.events();
    assert_eq!(events[0], "Lost(Rebooted)");
    line.say("WIFI GOT IP\r\n");
    assert_eq!(connects(&mut line, "esp8266"), NOTHING);
    assert_eq!(line.stray().damaged_bytes, 0);
}

// --- Opening and logging in ---

/// An EC25 without an active context, which is no error, and then a broker that its TLS does not reach.
/// forums.quectel.com, thread 3562 (EC25AFFAR07A08M4G).
#[test]
fn ec25_has_no_context_and_opens_nothing() {
    let mut line = up_to("ec20", "AT+QIACT?");
    line.say(OK);
    line.types("AT+QIACT=1\r");
    line.say(OK);
    line.answer_until(answers("ec20"), "AT+QMTOPEN=");
    line.say("\r\nOK\r\n\r\n+QMTOPEN: 0,-1\r\n");
    let events = line.events();
    assert_eq!(events.len(), 1);
    assert!(
        events[0].contains("rung: Reopen, attempt: 1, why: NotOpened"),
        "{events:?}"
    );
    assert_eq!(connects(&mut line, "ec20"), NOTHING);
    nothing_unknown(&line);
}

/// A BG95-M5 tells the failure first and then refuses the command, without an `OK`.
/// forums.quectel.com, thread 5965.
#[test]
fn bg95_tells_the_failure_and_refuses() {
    let mut line = up_to("bg95", "AT+QMTOPEN=");
    line.say("\r\n+QMTOPEN: 0,-1\r\n\r\nERROR\r\n");
    let events = line.events();
    assert_eq!(events.len(), 1);
    assert!(
        events[0].contains("rung: Reopen, attempt: 1, why: NotOpened"),
        "{events:?}"
    );
    assert_eq!(connects(&mut line, "bg95"), NOTHING);
    nothing_unknown(&line);
}

/// A BC26 that is not logged in within seconds is thrown out, and refuses the login.
/// it.cha138.com/nginx/show-147313.html, step 3; bbs.csdn.net/topics/619530568 for the refusal.
#[test]
fn bc26_is_thrown_out_before_it_logs_in() {
    let mut line = up_to("bc26", "AT+QMTCONN=");
    line.say("\r\n+QMTSTAT: 0,1\r\n\r\nERROR\r\n");
    let events = line.events();
    assert_eq!(events.len(), 1);
    assert!(
        events[0].contains("rung: Reopen, attempt: 1, why: NotLoggedIn"),
        "{events:?}"
    );
    line.types("AT+QMTCLOSE=0\r");
    line.say("\r\nERROR\r\n");
    assert_eq!(connects(&mut line, "bc26"), NOTHING);
    nothing_unknown(&line);
}

/// An EC800M with its times: each report some tenths of a second behind `OK`, a subscription with QoS 2 that the broker grants QoS 1.
/// A log that is found by its line `+QMTOPEN: 0,"iot-06z00i8mcbcop1x.mqtt.iothub.aliyuncs.com",1883`; the prompt has no space there.
#[test]
fn ec800m_takes_its_time_and_grants_less() {
    let mut line = Line::connected("ec20");
    line.driver
        .subscribe(line.now, "set", QoS::ExactlyOnce)
        .unwrap();
    line.types("AT+QMTSUB=0,1,\"set\",2\r");
    line.say(OK);
    line.wait(Duration::from_millis(170));
    line.say("\r\n+QMTSUB: 0,1,0,1\r\n");
    assert_eq!(line.events(), ["Subscribed(Token(1), Ok(()))"]);
    line.driver
        .publish(
            line.now,
            "post",
            b"{\r\n  \"id\": \"123\"\r\n}",
            QoS::AtMostOnce,
            false,
        )
        .unwrap();
    line.types("AT+QMTPUBEX=0,0,0,0,\"post\",19\r");
    line.say("\r\n>");
    line.types("{\r\n  \"id\": \"123\"\r\n}");
    line.wait(Duration::from_millis(8));
    line.say("\r\nOK\r\n\r\n+QMTPUBEX: 0,0,0\r\n");
    assert_eq!(line.events(), ["Published(Token(2), Sent)"]);
    nothing_unknown(&line);
}

/// An Air780E from the version to a message, whose clients' names stand without quotes there.
/// openLuat/luatos-doc-pool, docs/air780e/at/docs/app/command/mqtt/index.md §6.2 (AirM2M_780E_V1169_LTE_AT).
#[test]
fn air780e_subscribes_and_receives() {
    let mut line = up_to("air780e", "AT+MIPSTART=");
    line.say("\r\nOK\r\n\r\nCONNECT OK\r\n");
    line.types("AT+MCONNECT=1,60\r");
    line.say("\r\nOK\r\n\r\nCONNACK OK\r\n");
    line.driver
        .subscribe(line.now, "mqtt/pub", QoS::AtMostOnce)
        .unwrap();
    line.types("AT+MSUB=\"mqtt/pub\",0\r");
    line.say("\r\nOK\r\n\r\nSUBACK\r\n");
    line.wait(Duration::from_millis(20));
    line.driver
        .publish(
            line.now,
            "mqtt/sub",
            b"data from 4G module",
            QoS::AtMostOnce,
            false,
        )
        .unwrap();
    line.types("AT+MPUBEX=\"mqtt/sub\",0,0,19\r");
    line.say(">");
    line.types("data from 4G module");
    line.say("\r\nOK\r\n\r\n+MSUB: \"mqtt/pub\",20 byte,data from tcp server\r\n");
    assert_eq!(
        line.events(),
        [
            "Subscribed(Token(1), Ok(()))",
            "Connected",
            "Published(Token(2), Sent)",
            "message mqtt/pub data from tcp server",
        ]
    );
    nothing_unknown(&line);
}

/// An ESP32 at ThingsBoard, whose broker throws it out over a topic: the end of the connection first, then the refusal.
/// espressif/esp-at issue 478 (ESP32-WROOM-32_AT_Bin_V2.1.0.0).
#[test]
fn esp32_is_thrown_out_over_a_subscription() {
    let mut line = Line::connected("esp32c3");
    line.driver
        .subscribe(line.now, "v1/devices/me/telemetry", QoS::AtLeastOnce)
        .unwrap();
    line.types("AT+MQTTSUB=0,\"v1/devices/me/telemetry\",1\r\n");
    line.say("+MQTTDISCONNECTED:0\r\n\r\nERROR\r\n");
    let events = line.events();
    assert_eq!(events[0], "Lost(Closed)");
    assert!(
        events[1].contains("rung: Reopen, attempt: 1, why: Closed"),
        "{events:?}"
    );
    assert_eq!(
        connects(&mut line, "esp32c3"),
        ["Subscribed(Token(1), Ok(()))"]
    );
}

/// An ESP-AT leaves its network to join it again, and throws away what is typed meanwhile.
/// JAndrassy/WiFiEspAT issue 116, turn 0.
#[test]
fn esp_joins_again_and_is_busy() {
    let mut line = Line::new("esp8266");
    let options = Options {
        wifi: Some(driver::Wifi {
            ssid: "GAIA_GATEWAY",
            password: "secret",
        }),
        ..OPTIONS
    };
    line.driver.connect(line.now, options).unwrap();
    line.answer_until(answers("esp8266"), "AT+CWSTATE?");
    line.say("+CWSTATE:4,\"\"\r\n\r\nOK\r\n");
    line.types("AT+CWJAP=\"GAIA_GATEWAY\",\"secret\"\r\n");
    line.say("WIFI DISCONNECT\r\nbusy p...\r\n");
    // What was thrown away may be the command itself: it is asked what it hears.
    line.types("AT+UART_CUR?\r\n");
    line.say("WIFI CONNECTED\r\nbusy p...\r\nWIFI GOT IP\r\n\r\nOK\r\n");
    line.types("AT+UART_CUR?\r\n");
    line.say("+UART_CUR:115200,8,1,0,0\r\n\r\nOK\r\n");
    line.types("AT+CWSTATE?…");
    line.say("+CWSTATE:2,\"GAIA_GATEWAY\"\r\n\r\nOK\r\n");
    assert_eq!(connects(&mut line, "esp8266"), NOTHING);
}

// --- Messages ---

/// A message between the `OK` of a publish and its prompt.
/// espressif/esp-at issue 539 (ESP-WROOM-02D).
#[test]
fn esp8266_tells_of_a_message_before_the_prompt() {
    let mut line = Line::connected("esp8266");
    line.driver
        .publish(line.now, "up", b"hello", QoS::AtMostOnce, false)
        .unwrap();
    line.types("AT+MQTTPUBRAW=0,\"up\",5,0,0\r\n");
    line.say("\r\nOK\r\n+MQTTSUBRECV:0,\"down\",5,> \r\n>\r\n");
    assert_eq!(line.typed(), "");
    line.say("\r\n>");
    line.types("hello");
    line.say("+MQTTPUB:OK\r\n");
    assert_eq!(
        line.events(),
        [r"message down > \r\n>", "Published(Token(1), Sent)"]
    );
    nothing_unknown(&line);
}

/// A message that is longer than the module's buffer comes as two, and the second one begins in its midst.
/// espressif/esp-at issue 686 (ESP32-WROOM-32_AT_Bin_V2.4.0.0); its payload is shortened here.
#[test]
fn esp32_tells_of_a_long_message_in_parts() {
    let mut line = Line::connected("esp32c3");
    line.say("+MQTTSUBRECV:0,\"xx/0/1\",30,{\"TriggerList\":[{\"Length\":4096\r\n");
    line.say("+MQTTSUBRECV:0,\"xx/0/1\",20,,\"TriggerType\":1}]}\"\r\n");
    assert_eq!(
        line.events(),
        [
            "message xx/0/1 {\"TriggerList\":[{\"Length\":4096",
            "message xx/0/1 ,\"TriggerType\":1}]}\""
        ]
    );
    nothing_unknown(&line);
}

/// A message without a line end behind it: it is told when nothing follows, and at once when something does.
/// PontusO/EspATMQTT, src/EspATMQTT.cpp, process(). Firmware of other versions ends it.
#[test]
fn esp_tells_of_a_message_without_a_line_end() {
    let mut line = Line::connected("esp32c3");
    line.say("+MQTTSUBRECV:0,\"t\",5,hello");
    assert_eq!(line.events(), NOTHING);
    line.wait(Duration::from_millis(200));
    assert_eq!(line.events(), ["message t hello"]);
    // Where the line end was late, it is an empty line.
    line.say("\r\n");
    line.say("+MQTTSUBRECV:0,\"t\",5,again\r\nOK\r\n");
    assert_eq!(line.events(), ["message t again"]);
    // Two bytes are lost, and the line end stands in their place: that is no message.
    line.say("+MQTTSUBRECV:0,\"t\",5,hel\r\n");
    line.wait(Duration::from_millis(200));
    assert_eq!(line.events(), NOTHING);
    line.wait(Duration::from_secs(2));
    assert_eq!(line.events(), ["Damaged(26)"]);
}

/// An ESP8266 says nothing to a question until something is typed again, and then that it was busy, and is not connected.
/// espressif/esp-at issue 531 (v2.1.0.0_esp8266).
#[test]
fn esp8266_hangs_until_something_is_typed() {
    let mut line = Line::connected("esp8266");
    line.types("AT+MQTTCONN?\r\n");
    line.types("AT+UART_CUR?\r\n");
    line.say("busy p...\r\n+MQTTDISCONNECTED:0\r\n\r\nERROR\r\n");
    let events = line.events();
    assert_eq!(events[0], "Lost(Closed)");
    assert_eq!(connects(&mut line, "esp8266"), NOTHING);
}

/// An EC25 or BG96 that was not told to leaves the length out of its report. Its end cannot be told from what it holds: that message
/// is given up with all that follows it without a pause, and the setting is read back before each login.
/// sixfab/pico_lte_micropython-sdk, tests/test_modules_mqtt.py.
#[test]
fn bg95_leaves_the_length_out() {
    let mut line = Line::connected("bg95");
    line.say("\r\n+QMTRECV: 0,51,\"channel\",\"message\"\r\n\r\nRDY\r\n");
    assert_eq!(line.events(), NOTHING);
    line.wait(Duration::from_secs(2));
    assert_eq!(line.events(), ["Damaged(43)"]);
    line.say("\r\n+QMTRECV: 0,51,\"channel\",7,\"message\"\r\n");
    assert_eq!(line.events(), ["message channel message"]);

    let mut line = Line::new("bg95");
    line.driver.connect(line.now, OPTIONS).unwrap();
    line.answer_until(answers("bg95"), "AT+QMTCFG=\"recv/mode\",0,0,1");
    line.say(OK);
    line.types("AT+QMTCFG=\"recv/mode\",0\r");
    line.say("\r\n+QMTCFG: \"recv/mode\",0,0\r\n\r\nOK\r\n");
    assert!(line.events()[0].contains("rung: Reopen, attempt: 1, why: Configuration"));
}

/// EC616 firmware connects again by itself when its link breaks, and prints both reports together; packet numbers of messages with
/// QoS 0 are whatever stood in its memory.
/// The message: a client of an Air302 that is found by its comment `+ECMTRECV: 0,987,"/***",hello`; the rest: EC616S firmware, tangjcc/EC616S_OPEN_SDK.
#[test]
fn ec616_connects_again_by_itself() {
    let mut line = Line::connected("nt35e");
    line.driver
        .subscribe(line.now, "down", QoS::AtMostOnce)
        .unwrap();
    line.types("AT+ECMTSUB=0,1,\"down\",0\r");
    line.say("\r\nOK\r\n\r\n+ECMTSUB: 0,1,0,1\r\n");
    line.say("\r\n+ECMTRECV: 0,987,\"down\",hello\r\n");
    assert_eq!(
        line.events(),
        ["Subscribed(Token(1), Ok(()))", "message down hello"]
    );
    line.say("\r\n+ECMTSTAT: 0,1\r\n\r\n+ECMTCONN: 0,0,0\r\n");
    let events = line.events();
    assert_eq!(events[0], "Lost(Closed)");
    // Its connection is not trusted: closed, opened and subscribed anew.
    line.types("AT+ECMTCLOSE=0\r");
    line.say("\r\nOK\r\n\r\n+ECMTCLOSE: 0,0\r\n");
    line.answer_until(answers("nt35e"), "AT+ECMTSUB=0,2,\"down\",0");
    line.say("\r\nOK\r\n\r\n+ECMTSUB: 0,2,0,1\r\n");
    line.wait(Duration::from_millis(20));
    assert_eq!(line.events(), ["Recovered"]);
    nothing_unknown(&line);
}

/// Nothing is open, and the question for it is answered by `OK` alone; no report has told of the end.
/// forums.quectel.com, thread 3562, of `AT+QMTOPEN?`; BG95 MQTT AN §3.2.4 has the same of `AT+QMTCONN?`.
#[test]
fn a_connection_that_ended_in_silence_is_found_by_asking() {
    let mut line = Line::connected("bg95");
    line.types("AT+QMTCONN?\r");
    line.say(OK);
    // The answer may have been lost on the line: it is asked once more.
    assert_eq!(line.events(), NOTHING);
    let asked = line.now;
    line.types("AT+QMTCONN?\r");
    assert_eq!(line.now - asked, Duration::from_secs(1));
    line.say(OK);
    let events = line.events();
    assert_eq!(events[0], "Lost(NotConnected)");
    assert!(events[1].contains("rung: Reopen"), "{events:?}");
    assert_eq!(connects(&mut line, "bg95"), NOTHING);
    nothing_unknown(&line);
}

// --- Other emulators ---

/// A modem that knows nothing of the driver's question, and refuses it each time: go4retro/tcpser as it was tried, which refuses all
/// of 27.007 with echo, and AaBgHhIu/AT-emulator, which ends some lines with CR or LF alone and echoes nothing.
#[test]
fn an_emulator_of_another_modem_is_told_from_a_silent_one() {
    for echo in [true, false] {
        let mut line = Line::new("ec20");
        line.driver.connect(line.now, OPTIONS).unwrap();
        for _ in 0..8 {
            line.types("AT+IPR?\r");
            let echo = if echo { "AT+IPR?\r\r\n" } else { "" };
            line.say(format!("{echo}ERROR\r\n"));
            assert_eq!(line.events(), NOTHING);
        }
        line.wait(Duration::from_secs(10));
        let events = line.events();
        assert_eq!(events.len(), 1);
        assert!(
            events[0].contains("rung: Reset, attempt: 1, why: NotUnderstood"),
            "{events:?}"
        );
        assert_eq!(line.stray().unknown_lines, 0);
    }
}

/// AaBgHhIu/AT-emulator, as it was tried: information that ends with CR or LF alone, and a final result behind it.
#[test]
fn an_emulator_ends_lines_with_one_byte() {
    let mut line = Line::new("ec20");
    for (command, said, told) in [
        ("AT+CPIN?", "+CPIN: READY\rOK\r\n", "line +CPIN: READY"),
        ("AT+CREG?", "+CREG: 0,1\nOK\r\n", "line +CREG: 0,1"),
        ("AT+QICLOSE", "CLOSED\r\nOK\r\n", "line CLOSED"),
    ] {
        line.run(command);
        line.say(said);
        assert_eq!(line.events(), [told, "Done(Ok(()))"]);
    }
    // go4retro/tcpser.
    line.run("ATDT127.0.0.1:1");
    line.say("ATDT127.0.0.1:1\r\r\nNO CARRIER\r\n");
    assert_eq!(
        line.events(),
        ["line NO CARRIER", "Done(Err(Refused(None)))"]
    );
    nothing_unknown(&line);
}

/// Renode's Quectel modems leave the registration out of its answer, which is a report then, and have no `AT+CGATT?`: each stage fails
/// by its name. renode/renode-infrastructure, AtCommandModem.cs and QuectelModem.cs: what they print, empty lines and all.
#[test]
fn renode_never_says_that_it_is_registered() {
    const RENODE: &[(&str, &str)] = &[
        ("AT+IPR?", "\r\n+IPR: 115200\r\n\r\nOK\r\n\r\n\r\n"),
        ("ATE0", "\r\n\r\n\r\nOK\r\n\r\n\r\n"),
        ("AT+CMEE=1", "\r\n\r\n\r\nOK\r\n\r\n\r\n"),
        ("AT+CPIN?", "\r\n+CPIN: READY\r\n\r\nOK\r\n\r\n\r\n"),
        ("AT+CEREG?", "\r\n+CEREG: 0\r\n\r\nOK\r\n\r\n\r\n"),
    ];
    let mut line = Line::new("bc26");
    line.driver.connect(line.now, OPTIONS).unwrap();
    line.answer_until(RENODE, "AT+CEREG?");
    let begun = line.now;
    for _ in 0..90 {
        line.say(RENODE[4].1);
        assert_eq!(line.events(), NOTHING);
        line.types("AT+CEREG?\r");
    }
    let asked = (line.now - begun).as_secs();
    assert!((180..185).contains(&asked), "{asked} s");
    line.say(RENODE[4].1);
    line.wait(Duration::from_millis(20));
    let events = line.events();
    assert_eq!(events.len(), 1);
    assert!(
        events[0].contains("rung: Radio, attempt: 1, why: NotRegistered"),
        "{events:?}"
    );
    nothing_unknown(&line);
}
