//! What a driver takes and what it refuses before anything is typed.

mod common;

use common::{Line, OPTIONS};
use driver::{ConnectError, Options, PublishError, QoS, SubscribeError, Will};
use std::time::Duration;

const MODELS: [&str; 5] = ["ec20", "bc26", "nt35e", "air780ep", "esp8266"];

#[test]
fn topics_that_are_none_are_not_typed() {
    for model in MODELS {
        let mut line = Line::connected(model);
        for topic in ["", "a/+", "a/#", "#", "a\"b", "a\r\nb", "a\0"] {
            let published = line
                .driver
                .publish(line.now, topic, b"x", QoS::AtLeastOnce, false);
            assert_eq!(published, Err(PublishError::Topic), "{model} {topic:?}");
        }
        for filter in ["", "a/#/b", "a+", "a/b#", "+a", "a\"b", "\x7f"] {
            let subscribed = line.driver.subscribe(line.now, filter, QoS::AtMostOnce);
            assert_eq!(subscribed, Err(SubscribeError::Topic), "{model} {filter:?}");
        }
        assert_eq!(line.typed(), "");
        for filter in ["#", "+", "+/a/#", "/", "a//b"] {
            line.driver
                .subscribe(line.now, filter, QoS::AtMostOnce)
                .unwrap();
        }
    }
}

/// The module's line is 256 bytes long, and each backslash takes two: it was told as `ERROR` of the module, which had seen nothing.
#[test]
fn a_line_that_the_model_cannot_take_is_refused_before() {
    let mut line = Line::connected("esp8266");
    let topic = "\\".repeat(120);
    assert_eq!(
        line.driver
            .publish(line.now, &topic, b"x", QoS::AtMostOnce, false),
        Err(PublishError::Topic)
    );
    assert_eq!(
        line.driver.subscribe(line.now, &topic, QoS::AtMostOnce),
        Err(SubscribeError::Topic)
    );
}

#[test]
fn options_that_no_server_takes_are_refused() {
    let will = |topic| Will {
        topic,
        payload: "gone",
        qos: QoS::AtMostOnce,
        retain: false,
    };
    let wrong = [
        Options {
            host: "",
            ..OPTIONS
        },
        Options {
            password: Some("secret"),
            ..OPTIONS
        },
        Options {
            will: Some(will("a/#")),
            ..OPTIONS
        },
        Options {
            client_id: "a\rb",
            ..OPTIONS
        },
    ];
    for model in MODELS {
        for options in wrong {
            let mut line = Line::new(model);
            assert_eq!(
                line.driver.connect(line.now, options),
                Err(ConnectError::Options),
                "{model}"
            );
            assert_eq!(line.driver.poll_transmit(), None);
        }
    }
    let mut line = Line::new("ec20");
    let options = Options {
        pin: Some("123456789"),
        ..OPTIONS
    };
    assert_eq!(
        line.driver.connect(line.now, options),
        Err(ConnectError::Options)
    );
}

#[test]
fn without_a_connection_a_subscription_ends_at_once() {
    let mut line = Line::new("ec20");
    for round in 0..20 {
        let topic = format!("{round}/a/topic/of/some/length");
        line.driver
            .subscribe(line.now, &topic, QoS::AtMostOnce)
            .unwrap();
        line.driver.unsubscribe(line.now, &topic).unwrap();
        line.wait(Duration::ZERO);
        assert_eq!(
            line.events(),
            [format!("Unsubscribed(Token({}), Ok(()))", 2 * round + 2)]
        );
    }
    line.driver.connect(line.now, OPTIONS).unwrap();
    line.answer_until(common::answers("ec20"), "AT+QMTUNS");
    assert_eq!(line.events(), ["Connected"]);
}

/// An acknowledgement of the first that was credited to the second, since Luat's has no identifier.
#[test]
fn the_acknowledgement_of_another_quality_is_none() {
    for (qos, other, own) in [
        (QoS::AtLeastOnce, "PUBCOMP", "PUBACK"),
        (QoS::ExactlyOnce, "PUBACK", "PUBCOMP"),
    ] {
        let mut line = Line::connected("air780ep");
        line.driver
            .publish(line.now, "t", b"hello", qos, false)
            .unwrap();
        line.types("AT+MPUBEX=…");
        line.say(">");
        line.types("hello");
        line.say(format!("\r\nOK\r\n\r\n{other}\r\n"));
        assert_eq!(line.events(), [""; 0]);
        line.say(format!("\r\n{own}\r\n"));
        assert_eq!(line.events(), ["Published(Token(1), Delivered)"]);
    }
}

/// `1` tells of a repetition. It was taken for the end.
#[test]
fn a_packet_that_is_sent_again_is_waited_for() {
    for (model, name) in [
        ("ec20", "+QMTPUBEX"),
        ("bc26", "+QMTPUB"),
        ("nt35e", "+ECMTPUB"),
    ] {
        let mut line = Line::connected(model);
        line.driver
            .publish(line.now, "t", b"hello", QoS::AtLeastOnce, false)
            .unwrap();
        line.answer_until(common::answers(model), &format!("AT{name}="));
        line.say("\r\n> ");
        line.typed();
        line.say("\r\nOK\r\n");
        line.say(format!("\r\n{name}: 0,1,1\r\n"));
        line.say(format!("\r\n{name}: 3,1,0\r\n"));
        assert_eq!(line.events(), [""; 0], "{model}");
        line.say(format!("\r\n{name}: 0,1,0\r\n"));
        assert_eq!(line.events(), ["Published(Token(1), Delivered)"], "{model}");
    }
}

#[test]
fn no_secret_is_shown() {
    let options = Options {
        password: Some("SECRET"),
        pin: Some("4711"),
        apn: Some(driver::Apn {
            name: "iot",
            username: "user",
            password: "SECRET",
        }),
        wifi: Some(driver::Wifi {
            ssid: "home",
            password: "SECRET",
        }),
        ..OPTIONS
    };
    let shown = format!("{options:?}");
    assert!(
        !shown.contains("SECRET") && !shown.contains("4711"),
        "{shown}"
    );
    assert!(shown.contains("iot") && shown.contains("home"));
}
