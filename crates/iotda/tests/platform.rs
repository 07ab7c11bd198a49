//! The platform behind a broker in virtual time, with devices that are nothing but bytes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use broker::{Broker, CloseReason, ConnId, Output};
use credentials::{Credentials, Secret, SignType};
use instant::Instant;
use iotda::{Config, Device, Failure, Outcome, Platform, Product, Request, broker_config};
use mqtt::{Connect, Packet, PacketId, Publish, QoS, Subscribe, TopicFilters, Version, Will};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// 2025-04-14 01:30:00 UTC.
const UNIX_MS: u64 = 1_744_594_200_000;
const SECRET: &str = "12345678";
const ACCEPTED: &str = "CONNACK 0";

struct Bench {
    broker: Broker<Platform>,
    now: Instant,
    received: BTreeMap<ConnId, Vec<u8>>,
    closed: BTreeMap<ConnId, CloseReason>,
}

fn device(id: &str) -> Device {
    Device {
        id: id.into(),
        secret: SECRET.into(),
        product: None,
        frozen: false,
    }
}

fn config() -> Config {
    let lamp = json!({
        "product_id": "lamp",
        "service_capabilities": [{
            "service_id": "stm32",
            "properties": [
                {"property_name": "LED1", "data_type": "int", "method": "RW"},
                {"property_name": "T", "data_type": "int", "method": "R"},
            ],
            "commands": [{"command_name": "light", "paras": [{"para_name": "on", "data_type": "int"}]}],
        }],
        "custom_topics": ["$oc/devices/{device_id}/user/alarm"],
        "allowed_topics": ["lamps/*"],
    });
    Config {
        devices: vec![
            device("dev1"),
            device("dev2"),
            Device {
                product: Some("lamp".into()),
                ..device("lamp1")
            },
            Device {
                frozen: true,
                ..device("ice")
            },
        ],
        products: vec![serde_json::from_value::<Product>(lamp).unwrap()],
        unix_ms: UNIX_MS,
        news: true,
    }
}

impl Bench {
    fn new() -> Self {
        let now = Instant::from_millis(1_000);
        let platform = Platform::new(now, config()).unwrap();
        Self {
            broker: Broker::under(broker_config(broker::Config::default()), Some(platform)),
            now,
            received: BTreeMap::new(),
            closed: BTreeMap::new(),
        }
    }

    fn send(&mut self, conn: ConnId, packet: &Packet<'_>) {
        let mut bytes = Vec::new();
        packet.append_to(&mut bytes).unwrap();
        self.broker.receive(self.now, conn, &bytes);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            let conn = match output {
                Output::Transmit(conn) | Output::Close(conn, _) => conn,
                Output::Read(_) | Output::Event(_) => continue,
            };
            let bytes = self.broker.outgoing(conn).to_vec();
            self.broker.sent(conn, bytes.len());
            self.received.entry(conn).or_default().extend(bytes);
            if let Output::Close(conn, reason) = output {
                self.closed.insert(conn, reason);
                self.broker.link_closed(conn);
            }
        }
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(at) = self.broker.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.broker.advance(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// A device's CONNECT, and the answer.
    fn log_in(&mut self, connect: &Connect<'_>) -> (ConnId, String) {
        let conn = self.broker.accept(self.now);
        self.send(conn, &Packet::Connect(*connect));
        let first = self.packets(conn).into_iter().next();
        (conn, first.unwrap_or_default())
    }

    /// A device that is online; what it is told when it comes stays to be taken.
    fn online(&mut self, id: &str) -> ConnId {
        let login = login(id, SignType::Checked, "2025041401");
        let conn = self.broker.accept(self.now);
        self.send(conn, &Packet::Connect(connect(&login.0, id, &login.1)));
        let bytes = self.received.get_mut(&conn).unwrap();
        assert_eq!(bytes.drain(..4).collect::<Vec<_>>(), [0x20, 2, 0, 0]);
        self.news();
        conn
    }

    fn publish(&mut self, conn: ConnId, topic: &str, payload: &str) {
        self.publish_as(conn, topic, payload, QoS::AtMostOnce, false);
    }

    fn publish_as(&mut self, conn: ConnId, topic: &str, payload: &str, qos: QoS, retain: bool) {
        let id = (qos != QoS::AtMostOnce).then_some(PacketId::FIRST);
        self.send(
            conn,
            &Packet::Publish(Publish {
                dup: false,
                qos,
                retain,
                topic,
                id,
                payload: payload.as_bytes(),
            }),
        );
    }

    fn subscribe(&mut self, conn: ConnId, filter: &str, qos: QoS) -> String {
        let filters = [(filter, qos)];
        self.send(
            conn,
            &Packet::Subscribe(Subscribe {
                id: PacketId::FIRST,
                filters: TopicFilters::List(&filters),
            }),
        );
        self.packets(conn).join("\n")
    }

    /// What a device received, one line for each packet.
    fn packets(&mut self, conn: ConnId) -> Vec<String> {
        let bytes = self.received.remove(&conn).unwrap_or_default();
        let mut rest = bytes.as_slice();
        let mut lines = Vec::new();
        while !rest.is_empty() {
            let length = mqtt::frame_length(rest).unwrap().unwrap().total();
            let (frame, after) = rest.split_at(length);
            lines.push(match Packet::decode_as(Version::V311, frame).unwrap() {
                Packet::Connack(connack) => format!("CONNACK {}", connack.code.code()),
                Packet::Suback(suback) => format!("SUBACK {:02x?}", suback.codes),
                Packet::Publish(publish) => format!(
                    "q{} {} {}",
                    publish.qos.level(),
                    publish.topic,
                    String::from_utf8_lossy(publish.payload)
                ),
                packet => packet.name().into(),
            });
            rest = after;
        }
        lines
    }

    fn news(&mut self) -> Vec<String> {
        self.broker
            .with_policy(|platform| {
                std::iter::from_fn(|| platform.poll_news())
                    .map(|news| news.to_string())
                    .collect()
            })
            .unwrap()
    }

    fn request(&mut self, request: &str) -> Result<Outcome, Failure> {
        let now = self.now;
        let request: Request = request.parse().unwrap();
        let result = self
            .broker
            .with_policy(|platform| platform.request(now, request))
            .unwrap();
        self.settle();
        result
    }

    fn done(&mut self, request: &str) -> Value {
        match self.request(request).unwrap() {
            Outcome::Done(value) => value,
            Outcome::Asked(id) => panic!("{request} asked {id}"),
        }
    }

    /// The identifier of a request that a device has to answer.
    fn asked(&mut self, request: &str) -> String {
        match self.request(request).unwrap() {
            Outcome::Asked(id) => id,
            Outcome::Done(value) => panic!("{request} is done: {value}"),
        }
    }

    fn answer(&mut self) -> Option<(String, Result<Value, Failure>)> {
        self.broker.with_policy(Platform::poll_answer).unwrap()
    }
}

fn login(id: &str, sign_type: SignType, hour: &str) -> (String, String) {
    let secret = Secret::from(SECRET);
    let login = Credentials::new(id, &secret, sign_type, hour.parse().unwrap()).unwrap();
    (login.client_id.to_string(), login.password)
}

fn connect<'a>(client_id: &'a str, username: &'a str, password: &'a str) -> Connect<'a> {
    Connect {
        clean_session: true,
        keep_alive: 120,
        client_id,
        username: Some(username),
        password: Some(password.as_bytes()),
        ..Connect::default()
    }
}

#[test]
fn a_device_logs_in_with_either_signature_type() {
    for (sign_type, hour) in [
        (SignType::Unchecked, "2023030206"),
        // Nobody looks whether this is an hour.
        (SignType::Unchecked, "2023993299"),
        (SignType::Checked, "2025041401"),
        (SignType::Checked, "2025041402"),
    ] {
        let mut bench = Bench::new();
        let (id, password) = login("dev1", sign_type, hour);
        let (_, answer) = bench.log_in(&connect(&id, "dev1", &password));
        assert_eq!(answer, ACCEPTED, "{id}");
        assert_eq!(bench.news(), ["dev1: online"]);
    }
}

#[test]
fn both_protocol_versions_are_taken() {
    let mut bench = Bench::new();
    let (id, password) = login("dev1", SignType::Unchecked, "2023030206");
    let v31 = Connect {
        version: Version::V31,
        ..connect(&id, "dev1", &password)
    };
    assert_eq!(bench.log_in(&v31).1, ACCEPTED);
}

#[test]
fn what_is_wrong_with_a_login_is_told_by_the_code_and_in_the_news() {
    let (good, password) = login("dev1", SignType::Unchecked, "2023030206");
    let (checked, late) = login("dev1", SignType::Checked, "2025041400");
    let (ahead, early) = login("dev1", SignType::Checked, "2025041403");
    let (no_hour, never) = login("dev1", SignType::Checked, "2025043101");
    let (ice, frozen) = login("ice", SignType::Unchecked, "2023030206");
    let (nobody, unknown) = login("nobody", SignType::Unchecked, "2023030206");
    let short = Connect {
        keep_alive: 29,
        ..connect(&good, "dev1", &password)
    };
    let long = Connect {
        keep_alive: 1201,
        ..short
    };
    let anonymous = Connect {
        username: None,
        password: None,
        ..connect(&good, "", "")
    };
    let no_password = Connect {
        password: None,
        ..connect(&good, "dev1", "")
    };
    let upper = password.to_uppercase();
    for (connect, code, why) in [
        (
            connect("", "dev1", &password),
            2,
            "a client id has four parts",
        ),
        (
            connect("dev1", "dev1", &password),
            2,
            "a client id has four parts",
        ),
        (
            connect("dev1_0_2_2023030206", "dev1", &password),
            2,
            "the signature type is \"2\"",
        ),
        (
            connect("dev1_0_0_230302", "dev1", &password),
            2,
            "the timestamp is \"230302\"",
        ),
        (
            short,
            2,
            "the keep alive is 29 s, and 30 to 1200 s are taken",
        ),
        (long, 2, "the keep alive is 1201 s"),
        (anonymous, 4, "there is no user name"),
        (no_password, 4, "there is no password"),
        (
            connect(&good, "dev2", &password),
            4,
            "the user name dev2 is not the device id of the client id, dev1",
        ),
        (
            connect(&nobody, "nobody", &unknown),
            4,
            "there is no device nobody",
        ),
        (
            connect(&good, "dev1", SECRET),
            4,
            "the password is not the HMAC-SHA256",
        ),
        (
            connect(&good, "dev1", &upper),
            4,
            "the password is not the HMAC-SHA256",
        ),
        (
            connect(&checked, "dev1", &late),
            4,
            "the timestamp 2025041400 is more than an hour behind the platform's clock, 20250414T013000Z",
        ),
        (
            connect(&ahead, "dev1", &early),
            4,
            "the timestamp 2025041403 is more than an hour ahead",
        ),
        (connect(&no_hour, "dev1", &never), 4, "is no hour"),
        (connect(&ice, "ice", &frozen), 5, "the device is frozen"),
    ] {
        let mut bench = Bench::new();
        let (conn, answer) = bench.log_in(&connect);
        assert_eq!(answer, format!("CONNACK {code}"), "{why}");
        assert_eq!(bench.closed[&conn], CloseReason::Refused);
        let news = bench.news().join("\n");
        let start = format!("{}: refused with CONNACK {code}: ", connect.client_id);
        assert!(news.starts_with(&start) && news.contains(why), "{news}");
        // What was wrong with a password is told without the right one.
        assert!(
            !news.contains(&password) && !news.contains(SECRET),
            "{news}"
        );
    }
}

#[test]
fn the_window_of_a_checked_timestamp_moves_with_the_clock() {
    let mut bench = Bench::new();
    let (id, password) = login("dev1", SignType::Checked, "2025041401");
    for (wait, wanted) in [(0, ACCEPTED), (30, ACCEPTED), (1, "CONNACK 4")] {
        bench.wait(Duration::from_secs(60 * wait));
        let (_, answer) = bench.log_in(&connect(&id, "dev1", &password));
        assert_eq!(answer, wanted, "{}", bench.now);
    }
}

#[test]
fn a_device_has_one_connection_whatever_its_timestamps() {
    let mut bench = Bench::new();
    let first = bench.online("dev1");
    let (id, password) = login("dev1", SignType::Unchecked, "2023030206");
    let (second, answer) = bench.log_in(&connect(&id, "dev1", &password));
    assert_eq!(answer, ACCEPTED);
    assert_eq!(bench.closed[&first], CloseReason::TakenOver);
    assert_eq!(bench.news(), ["dev1: offline", "dev1: online"]);
    assert_eq!(bench.done("devices")["devices"][0]["status"], "ONLINE");
    assert!(!bench.closed.contains_key(&second));
}

#[test]
fn reported_properties_are_kept_in_the_shadow() {
    let mut bench = Bench::new();
    let conn = bench.online("dev1");
    let topic = "$oc/devices/dev1/sys/properties/report";
    // The fourth tutorial's report.
    bench.publish(
        conn,
        topic,
        r#"{"services": [{"service_id": "stm32","properties":{"DHT11_T":18,"LED1":0}}]}"#,
    );
    bench.publish(conn, topic, r#"{"services":[{"service_id":"stm32","properties":{"LED1":1},"event_time":"20251231T235959Z"}]}"#);
    assert_eq!(
        bench.news(),
        [
            r#"dev1: reported stm32 at 20250414T013000Z: {"DHT11_T":18,"LED1":0}"#,
            r#"dev1: reported stm32 at 20251231T235959Z: {"LED1":1}"#,
        ]
    );
    assert_eq!(
        bench.done("shadow dev1"),
        json!({"device_id": "dev1", "shadow": [{
            "service_id": "stm32",
            "desired": {"properties": {}, "event_time": null},
            "reported": {"properties": {"DHT11_T": 18, "LED1": 1}, "event_time": "20251231T235959Z"},
            "version": 2,
        }]})
    );
    // The device gets the same.
    bench.publish(conn, "$oc/devices/dev1/sys/shadow/get/request_id=7", "{}");
    assert_eq!(
        bench.packets(conn),
        [
            r#"q0 $oc/devices/dev1/sys/shadow/get/response/request_id=7 {"object_device_id":"dev1","shadow":[{"service_id":"stm32","desired":{"properties":{},"event_time":null},"reported":{"properties":{"DHT11_T":18,"LED1":1},"event_time":"20251231T235959Z"},"version":2}]}"#
        ]
    );
}

#[test]
fn payloads_that_the_platform_rejects_are_explained() {
    let mut bench = Bench::new();
    let conn = bench.online("lamp1");
    let report = "properties/report";
    for (topic, payload, why) in [
        (
            report,
            "",
            "no JSON: EOF while parsing a value at line 1 column 0",
        ),
        (
            report,
            r#"{"services":[{"service_id":"stm32""#,
            "no JSON: EOF while parsing an object at line 1 column 34",
        ),
        (report, "[]", "no JSON object"),
        (report, "{}", "there is no \"services\""),
        (report, r#"{"services":{}}"#, "\"services\" is no array"),
        (
            report,
            r#"{"services":[{"properties":{}}]}"#,
            "services[0]: there is no \"service_id\"",
        ),
        (
            report,
            r#"{"services":[{"service_id":"stm32"}]}"#,
            "services[0]: there is no \"properties\"",
        ),
        (
            report,
            r#"{"services":[{"service_id":"stm33","properties":{"T":1}}]}"#,
            "services[0]: the product lamp has no service \"stm33\"; it has stm32",
        ),
        (
            report,
            r#"{"services":[{"service_id":"stm32","properties":{"T":"18"}}]}"#,
            "T: \"18\" is no int",
        ),
        (
            report,
            r#"{"services":[{"service_id":"stm32","properties":{"U":1}}]}"#,
            "the service stm32 has no property \"U\"; it has LED1, T",
        ),
        ("events/up", "{}", "there is no \"services\""),
        (
            "commands/response/request_id=9",
            "{}",
            "nobody waits for an answer to 9",
        ),
        (
            "gateway/sub_devices/properties/report",
            r#"{"devices":[{"device_id":"x"}]}"#,
            "there is no device x",
        ),
        ("bootstrap/up", "{}", "not played here"),
    ] {
        let topic = format!("$oc/devices/lamp1/sys/{topic}");
        bench.publish_as(conn, &topic, payload, QoS::AtLeastOnce, false);
        // MQTT 3.1.1 has no other answer.
        assert_eq!(bench.packets(conn), ["PUBACK"], "{payload}");
        let news = bench.news().join("\n");
        let start = format!("lamp1: {topic} rejected: ");
        assert!(news.starts_with(&start) && news.contains(why), "{news}");
    }
    assert_eq!(bench.done("shadow lamp1")["shadow"], json!([]));
}

#[test]
fn commands_are_answered_or_time_out() {
    let mut bench = Bench::new();
    assert_eq!(
        bench
            .request("command dev1 stm32 light")
            .unwrap_err()
            .to_string(),
        "IOTDA.014016: The device is not online."
    );
    let conn = bench.online("dev1");
    let id = bench.asked(r#"command dev1 stm32 light {"on":1}"#);
    // Without a subscription: a device has one to the platform's topics, with QoS 0.
    assert_eq!(
        bench.packets(conn),
        [format!(
            r#"q0 $oc/devices/dev1/sys/commands/request_id={id} {{"object_device_id":"dev1","command_name":"light","service_id":"stm32","paras":{{"on":1}}}}"#
        )]
    );
    let response = format!("$oc/devices/dev1/sys/commands/response/request_id={id}");
    let answer =
        r#"{"result_code":0,"response_name":"COMMAND_RESPONSE","paras":{"result":"success"}}"#;
    bench.publish(conn, &response, answer);
    let wanted: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(bench.answer(), Some((id.clone(), Ok(wanted))));
    // Once is enough.
    bench.publish(conn, &response, answer);
    assert_eq!(bench.answer(), None);
    let news = bench.news().pop().unwrap();
    assert!(news.contains("nobody waits for an answer"), "{news}");

    let late = bench.asked("command dev1 stm32 light");
    bench.wait(Duration::from_millis(19_999));
    assert_eq!(bench.answer(), None);
    bench.wait(Duration::from_millis(1));
    let (id, result) = bench.answer().unwrap();
    assert_eq!(id, late);
    assert!(
        result
            .unwrap_err()
            .to_string()
            .starts_with("IOTDA.014111: ")
    );
    bench.publish(
        conn,
        &format!("$oc/devices/dev1/sys/commands/response/request_id={late}"),
        answer,
    );
    assert_eq!(bench.answer(), None, "a late answer is nobody's");
}

#[test]
fn another_device_cannot_answer() {
    let mut bench = Bench::new();
    bench.online("dev1");
    let other = bench.online("dev2");
    let id = bench.asked("command dev1 stm32 light");
    for device in ["dev1", "dev2"] {
        let topic = format!("$oc/devices/{device}/sys/commands/response/request_id={id}");
        bench.publish(other, &topic, r#"{"result_code":0}"#);
    }
    assert_eq!(bench.answer(), None);
}

#[test]
fn commands_that_the_model_has_not_are_not_sent() {
    let mut bench = Bench::new();
    let conn = bench.online("lamp1");
    for (request, why) in [
        ("command lamp1 stm33 light", "has no service \"stm33\""),
        ("command lamp1 stm32 dim", "has no command \"dim\""),
        (
            r#"command lamp1 stm32 light {"on":"1"}"#,
            "on: \"1\" is no int",
        ),
        (r#"set lamp1 stm32 {"T":1}"#, "T cannot be set"),
        (r#"desire lamp1 stm32 {"X":1}"#, "has no property \"X\""),
        ("get lamp1 stm33", "has no service"),
        ("shadow lamp2", "there is no device \"lamp2\""),
    ] {
        let error = bench.request(request).unwrap_err().to_string();
        assert!(error.contains(why), "{request}: {error}");
    }
    assert_eq!(bench.packets(conn), [""; 0]);
}

#[test]
fn properties_are_set_and_asked_for() {
    let mut bench = Bench::new();
    let conn = bench.online("dev1");
    bench.subscribe(conn, "$oc/devices/dev1/sys/properties/#", QoS::AtLeastOnce);
    let set = bench.asked(r#"set dev1 stm32 {"LED1":1}"#);
    // With a subscription of QoS 1 it comes with QoS 1.
    assert_eq!(
        bench.packets(conn),
        [format!(
            r#"q1 $oc/devices/dev1/sys/properties/set/request_id={set} {{"object_device_id":"dev1","services":[{{"service_id":"stm32","properties":{{"LED1":1}}}}]}}"#
        )]
    );
    bench.publish(
        conn,
        &format!("$oc/devices/dev1/sys/properties/set/response/request_id={set}"),
        r#"{"result_code":0,"result_desc":"success"}"#,
    );
    assert_eq!(
        bench.answer(),
        Some((set, Ok(json!({"result_code": 0, "result_desc": "success"}))))
    );

    let get = bench.asked("get dev1 stm32");
    assert_eq!(
        bench.packets(conn),
        [format!(
            r#"q1 $oc/devices/dev1/sys/properties/get/request_id={get} {{"object_device_id":"dev1","service_id":"stm32"}}"#
        )]
    );
    let services = json!({"services": [{"service_id": "stm32", "properties": {"LED1": 1}}]});
    bench.publish(
        conn,
        &format!("$oc/devices/dev1/sys/properties/get/response/request_id={get}"),
        &services.to_string(),
    );
    assert_eq!(bench.answer(), Some((get, Ok(services))));
    let shadow = bench.done("shadow dev1");
    assert_eq!(
        shadow["shadow"][0]["reported"]["properties"],
        json!({"LED1": 1})
    );
}

#[test]
fn messages_wait_for_a_device_that_is_away() {
    let mut bench = Bench::new();
    for number in 0..22 {
        let answer = bench.done(&format!("message dev1 {number}"));
        assert_eq!(answer["status"], "PENDING");
    }
    let conn = bench.online("dev1");
    let packets = bench.packets(conn);
    assert_eq!(packets.len(), 20, "the newest take the place of the oldest");
    assert_eq!(
        packets[0],
        r#"q0 $oc/devices/dev1/sys/messages/down {"object_device_id":"dev1","id":"00000000-0000-4000-8000-000000000003","content":"2"}"#
    );
    assert_eq!(bench.done(r#"message dev1 {"a":1}"#)["status"], "DELIVERED");
    let packet = bench.packets(conn).pop().unwrap();
    assert!(packet.ends_with(r#","content":{"a":1}}"#), "{packet}");

    bench.broker.link_closed(conn);
    bench.done("message dev1 old");
    bench.wait(Duration::from_secs(24 * 60 * 60 + 1));
    // The hour of the timestamp is over, but it is not checked.
    let (id, password) = login("dev1", SignType::Unchecked, "2025041401");
    let conn = bench.broker.accept(bench.now);
    bench.send(conn, &Packet::Connect(connect(&id, "dev1", &password)));
    assert_eq!(bench.packets(conn), [ACCEPTED], "it waits a day");
}

#[test]
fn messages_come_on_topics_of_the_products_too() {
    let mut bench = Bench::new();
    let conn = bench.online("lamp1");
    let mut send = |topic: &str| {
        let now = bench.now;
        let request = Request::Message {
            device: "lamp1".into(),
            content: "bare".into(),
            name: None,
            topic: Some(topic.into()),
        };
        let result = bench
            .broker
            .with_policy(|platform| platform.request(now, request))
            .unwrap();
        bench.settle();
        (
            result.map_err(|failure| failure.to_string()),
            bench.packets(conn),
        )
    };
    let alarm = "$oc/devices/lamp1/user/alarm";
    assert_eq!(send(alarm).1, [format!("q0 {alarm} bare")]);
    for (topic, why) in [
        ("$oc/devices/lamp1/user/other", "does not define this topic"),
        ("$oc/devices/dev1/user/alarm", "a device reaches only"),
        (
            "$oc/devices/lamp1/sys/messages/down",
            "is the platform's own",
        ),
        ("mqtt/pub", "does not allow this topic"),
        ("lamps/#", "is no topic"),
    ] {
        let (result, packets) = send(topic);
        assert!(result.unwrap_err().contains(why), "{topic}");
        assert!(packets.is_empty(), "{packets:?}");
    }
}

#[test]
fn events_are_sent() {
    let mut bench = Bench::new();
    let request = r#"event dev1 $ota version_query {"a":1}"#;
    let away = bench.request(request).unwrap_err().to_string();
    assert!(away.starts_with("IOTDA.014016"), "{away}");
    let conn = bench.online("dev1");
    bench.done(request);
    assert_eq!(
        bench.packets(conn),
        [
            r#"q0 $oc/devices/dev1/sys/events/down {"object_device_id":"dev1","services":[{"service_id":"$ota","event_type":"version_query","event_time":"20250414T013000Z","paras":{"a":1}}]}"#
        ]
    );
}

#[test]
fn what_is_desired_is_told_until_it_is_so() {
    let mut bench = Bench::new();
    bench.done(r#"desire lamp1 stm32 {"LED1":1}"#);
    let conn = bench.online("lamp1");
    let told = bench.packets(conn);
    assert_eq!(told.len(), 1);
    let (topic, payload) = told[0].trim_start_matches("q0 ").split_once(' ').unwrap();
    let id = topic
        .strip_prefix("$oc/devices/lamp1/sys/properties/set/request_id=")
        .unwrap();
    assert_eq!(
        payload,
        r#"{"object_device_id":"lamp1","services":[{"service_id":"stm32","properties":{"LED1":1}}]}"#
    );
    let report = |led: u8| {
        format!(r#"{{"services":[{{"service_id":"stm32","properties":{{"LED1":{led}}}}}]}}"#)
    };
    let topic = "$oc/devices/lamp1/sys/properties/report";
    bench.publish(conn, topic, &report(0));
    assert_eq!(
        bench.packets(conn),
        [""; 0],
        "who has not answered is left alone"
    );
    bench.publish(
        conn,
        &format!("$oc/devices/lamp1/sys/properties/set/response/request_id={id}"),
        r#"{"result_code":0}"#,
    );
    bench.publish(conn, topic, &report(0));
    assert_eq!(bench.packets(conn).len(), 1, "it is told again");
    bench.publish(conn, topic, &report(1));
    bench.wait(Duration::from_secs(600));
    let shadow = bench.done("shadow lamp1");
    assert_eq!(shadow["shadow"][0]["desired"]["properties"], json!({}));
}

#[test]
fn the_time_is_told() {
    let mut bench = Bench::new();
    let conn = bench.online("dev1");
    bench.wait(Duration::from_millis(1500));
    bench.publish(
        conn,
        "$oc/devices/dev1/sys/events/up",
        r#"{"object_device_id":"dev1","services":[{"service_id":"$time_sync","event_type":"time_sync_request","event_time":"20250414T013000Z","paras":{"device_send_time":1582685678789}}]}"#,
    );
    let packet = bench.packets(conn).pop().unwrap();
    let payload: Value = serde_json::from_str(packet.splitn(3, ' ').nth(2).unwrap()).unwrap();
    assert!(
        packet.starts_with("q0 $oc/devices/dev1/sys/events/down "),
        "{packet}"
    );
    assert_eq!(
        payload["services"][0],
        json!({
            "service_id": "$time_sync",
            "event_type": "time_sync_response",
            "event_time": "20250414T013001Z",
            "paras": {
                "device_send_time": 1_582_685_678_789_u64,
                "server_recv_time": UNIX_MS + 1500,
                "server_send_time": UNIX_MS + 1500,
            },
        })
    );
}

#[test]
fn a_device_reaches_its_own_topics_and_the_products() {
    let mut bench = Bench::new();
    let conn = bench.online("lamp1");
    for (filter, qos, wanted) in [
        (
            "$oc/devices/lamp1/sys/messages/down",
            QoS::AtMostOnce,
            "[00]",
        ),
        ("$oc/devices/lamp1/sys/commands/#", QoS::AtLeastOnce, "[01]"),
        // The tutorial asks for this.
        ("$oc/devices/lamp1/#", QoS::ExactlyOnce, "[01]"),
        ("$oc/devices/lamp1/user/alarm", QoS::AtMostOnce, "[00]"),
        ("$oc/devices/lamp1/user/other", QoS::AtMostOnce, "[80]"),
        ("$oc/broadcast/all", QoS::AtMostOnce, "[00]"),
        (
            "$oc/devices/dev1/sys/messages/down",
            QoS::AtMostOnce,
            "[80]",
        ),
        ("$oc/devices/+/sys/messages/down", QoS::AtMostOnce, "[80]"),
        ("$oc/#", QoS::AtMostOnce, "[80]"),
        ("lamps/7/on", QoS::AtMostOnce, "[00]"),
        ("mqtt/pub", QoS::AtMostOnce, "[80]"),
        ("#", QoS::AtMostOnce, "[80]"),
    ] {
        let suback = bench.subscribe(conn, filter, qos);
        assert_eq!(suback, format!("SUBACK {wanted}"), "{filter}");
    }
    // Of a product that says nothing of topics: all that are not the platform's.
    let plain = bench.online("dev1");
    assert_eq!(
        bench.subscribe(plain, "lamps/#", QoS::AtLeastOnce),
        "SUBACK [01]"
    );
    let long = "x".repeat(129);
    assert_eq!(
        bench.subscribe(plain, &long, QoS::AtMostOnce),
        "SUBACK [80]"
    );

    bench.news();
    bench.publish_as(conn, "lamps/7/on", "1", QoS::AtLeastOnce, true);
    bench.publish(conn, "mqtt/pub", "1");
    bench.publish(conn, "$oc/devices/dev1/sys/messages/up", "1");
    assert_eq!(bench.packets(plain), ["q1 lamps/7/on 1"]);
    assert_eq!(
        bench.news(),
        [
            "lamp1: the platform retains no messages: the flag is ignored",
            "lamp1: message on lamps/7/on: 1",
            "lamp1: mqtt/pub rejected: the product lamp does not allow this topic",
            "lamp1: $oc/devices/dev1/sys/messages/up rejected: a device reaches only $oc/devices/lamp1/…",
        ]
    );
    let again = bench.online("dev2");
    assert_eq!(
        bench.subscribe(again, "lamps/#", QoS::AtMostOnce),
        "SUBACK [00]",
        "and nothing retained"
    );
}

#[test]
fn qos_2_ends_the_connection() {
    let mut bench = Bench::new();
    let conn = bench.online("dev1");
    bench.publish_as(
        conn,
        "$oc/devices/dev1/sys/messages/up",
        "x",
        QoS::ExactlyOnce,
        false,
    );
    assert_eq!(bench.closed[&conn], CloseReason::NotAllowed);
    assert_eq!(
        bench.news(),
        [
            "dev1: $oc/devices/dev1/sys/messages/up rejected: the platform takes QoS 0 and 1: it closes the connection",
            "dev1: offline",
        ]
    );
}

#[test]
fn a_will_is_taken_and_never_published() {
    let mut bench = Bench::new();
    let listener = bench.online("dev2");
    bench.subscribe(listener, "wills", QoS::AtMostOnce);
    let (id, password) = login("dev1", SignType::Unchecked, "2023030206");
    let with_will = Connect {
        will: Some(Will {
            topic: "wills",
            payload: b"gone",
            qos: QoS::AtMostOnce,
            retain: false,
        }),
        ..connect(&id, "dev1", &password)
    };
    let (conn, answer) = bench.log_in(&with_will);
    assert_eq!(answer, ACCEPTED);
    bench.broker.link_closed(conn);
    bench.settle();
    assert_eq!(bench.packets(listener), [""; 0]);
    let news = bench.news();
    assert!(news.contains(&"dev1: the platform knows no wills: it is never published".into()));
}

#[test]
fn too_much_is_dropped() {
    let mut bench = Bench::new();
    let conn = bench.online("dev1");
    let topic = "$oc/devices/dev1/sys/messages/up";
    for _ in 0..51 {
        bench.publish(conn, topic, "x");
    }
    let news = bench.news();
    assert_eq!(news.len(), 51);
    assert_eq!(news[49], format!("dev1: message on {topic}: x"));
    assert_eq!(
        news[50],
        format!("dev1: {topic} rejected: more than 50 messages in a second")
    );
    bench.wait(Duration::from_secs(1));
    bench.publish(conn, topic, "x");
    assert_eq!(bench.news(), [format!("dev1: message on {topic}: x")]);

    bench.wait(Duration::from_secs(1));
    let large = "x".repeat((1 << 20) + 1);
    bench.publish(conn, topic, &large);
    assert_eq!(
        bench.news(),
        [format!(
            "dev1: {topic} rejected: the message has 1048577 bytes, and 1048576 are the most"
        )]
    );
    for number in 0..101 {
        let suback = bench.subscribe(conn, &format!("t/{number}"), QoS::AtMostOnce);
        let wanted = if number < 100 {
            "SUBACK [00]"
        } else {
            "SUBACK [80]"
        };
        assert_eq!(suback, wanted, "{number}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let config = config();
    let shown = format!("{config:?}");
    let platform = Platform::new(Instant::ZERO, config).unwrap();
    let shown = format!("{shown} {platform:?}");
    assert!(!shown.contains(SECRET), "{shown}");
}

#[test]
fn a_registry_that_contradicts_itself_is_refused() {
    let two = |devices: Vec<Device>| Config {
        devices,
        ..Config::default()
    };
    for (config, why) in [
        (
            two(vec![device("a"), device("a")]),
            "the device a is there twice",
        ),
        (two(vec![device("a b")]), "the device id \"a b\" is not"),
        (
            two(vec![Device {
                product: Some("p".into()),
                ..device("a")
            }]),
            "the device a is of a product p that is not there",
        ),
    ] {
        let error = Platform::new(Instant::ZERO, config).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
