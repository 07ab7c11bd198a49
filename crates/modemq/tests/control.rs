//! The control API of `modemq module --control`, over HTTP. Every answer is compared with `/openapi.json`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Folder, Host, Running, modemq, temporary};
use proptest::prelude::*;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

/// A program with a control API.
struct Bench {
    program: Running,
    lines: Vec<String>,
    control: SocketAddr,
    document: Value,
    headers: String,
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Bench {
    fn start(args: &[&str]) -> Self {
        let program = common::start(&[&["module"], args, &["--control", "0"]].concat());
        Self::of(program, "")
    }

    fn of(mut program: Running, headers: &str) -> Self {
        let mut lines = Vec::new();
        let control = loop {
            let line = program.line();
            assert!(!line.is_empty(), "{lines:?}");
            if let Some(address) = line.strip_prefix("control on http://") {
                break address.parse().unwrap();
            }
            lines.push(line);
        };
        let mut bench = Self {
            program,
            lines,
            control,
            document: Value::Null,
            headers: headers.into(),
        };
        bench.document = bench.raw("GET", "/openapi.json", "", "").body;
        bench
    }

    /// A module without delays on a TCP port, a broker, and a host on the line.
    fn with_host(model: &str) -> (Self, Host) {
        let bench = Self::start(&[model, "--tcp", "0", "--pace", "fast", "--broker", "0"]);
        let host = Host::connect(common::address_of(&bench.lines[0]));
        (bench, host)
    }

    fn raw(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let own = &self.headers;
        let len = body.len();
        self.exchange(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len}\r\n{own}{headers}\r\n{body}"
        ))
    }

    fn exchange(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.control).unwrap();
        stream.set_read_timeout(Some(common::GUARD)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.into(),
            body: if head.contains("content-type: application/json") {
                serde_json::from_str(body).unwrap()
            } else {
                Value::Null
            },
        }
    }

    /// Asks, and holds the answer against the document.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let text = body.map(Value::to_string).unwrap_or_default();
        let answer = self.raw(method, path, "Content-Type: application/json\r\n", &text);
        self.check(method, path, &answer);
        (answer.status, answer.body)
    }

    fn check(&self, method: &str, path: &str, answer: &Answer) {
        let Some(operation) = self.operation(method, path) else {
            assert!(
                matches!(answer.status, 404 | 405),
                "{method} {path}: {}",
                answer.head
            );
            assert!(answer.body["error"].is_string(), "{method} {path}");
            return;
        };
        let responses = &operation["responses"];
        let described = &responses[answer.status.to_string()];
        assert!(
            described.is_object(),
            "{method} {path}: {} is not described: {}",
            answer.status,
            answer.body
        );
        let schema = &described["content"]["application/json"]["schema"];
        match schema {
            Value::Null => assert_eq!(answer.body, Value::Null, "{method} {path}"),
            schema => {
                if let Err(why) = fits(&self.document, schema, &answer.body) {
                    panic!("{method} {path}, {}: {why}\n{}", answer.status, answer.body);
                }
            }
        }
    }

    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap();
        let paths = self.document["paths"].as_object().unwrap();
        let found = paths.iter().find(|(template, _)| {
            let parts = |text: &str| text.split('/').map(String::from).collect::<Vec<_>>();
            let (template, path) = (parts(template), parts(path));
            template.len() == path.len()
                && template
                    .iter()
                    .zip(&path)
                    .all(|(own, part)| own.starts_with('{') || own == part)
        })?;
        found.1.get(method.to_lowercase())
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask("POST", path, Some(body));
        assert!(matches!(status, 200 | 201), "{path}: {answer}");
        answer
    }

    /// Logs the host's module in at the broker beside it.
    fn log_in(&self, host: &mut Host) {
        self.get("/modules/0/wait?for=pdp-up");
        host.synchronise();
        host.command("AT+MCONFIG=\"dev1\"", &["OK"]);
        host.command("AT+MIPSTART=\"broker.test\",1883", &["OK", "CONNECT OK"]);
        host.command("AT+MCONNECT=1,60", &["OK", "CONNACK OK"]);
    }
}

/// Whether a value fits a schema, in the words that this document uses; others are an error.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let all = |word: &str, test: &dyn Fn(&Value) -> bool| match schema.get(word) {
        Some(bound) if !test(bound) => Err(format!("{word} {bound}: {value}")),
        _ => Ok(()),
    };
    for word in schema.as_object().ok_or("no schema")?.keys() {
        match word.as_str() {
            "description" | "default" | "examples" | "contentEncoding" => {}
            "$ref" => {
                let name = schema["$ref"].as_str().unwrap().trim_start_matches('#');
                fits(
                    document,
                    document.pointer(name).ok_or("no such schema")?,
                    value,
                )?;
            }
            "type" => all(word, &|kind| {
                let kinds = match kind {
                    Value::Array(kinds) => kinds.clone(),
                    kind => vec![kind.clone()],
                };
                kinds.iter().any(|kind| match kind.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    other => panic!("{other}"),
                })
            })?,
            "enum" => all(word, &|values| values.as_array().unwrap().contains(value))?,
            "const" => all(word, &|wanted| wanted == value)?,
            "minimum" => all(word, &|least| {
                integer(value).is_none_or(|n| n >= integer(least).unwrap())
            })?,
            "maximum" => all(word, &|most| {
                integer(value).is_none_or(|n| n <= integer(most).unwrap())
            })?,
            "pattern" | "not" | "minProperties" => {} // of requests
            "oneOf" => all(word, &|some| {
                let fitting = some.as_array().unwrap().iter();
                fitting
                    .filter(|schema| fits(document, schema, value).is_ok())
                    .count()
                    == 1
            })?,
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    fits(document, &schema["items"], item)?;
                }
            }
            "required" if !value.is_object() => {}
            "required" => all(word, &|names| {
                let mut names = names.as_array().unwrap().iter();
                names.all(|name| value.get(name.as_str().unwrap()).is_some())
            })?,
            "properties" => {
                for (name, member) in value.as_object().into_iter().flatten() {
                    if let Some(schema) = schema["properties"].get(name) {
                        fits(document, schema, member).map_err(|why| format!("{name}: {why}"))?;
                    }
                }
            }
            "additionalProperties" => all(word, &|_| {
                let mut names = value
                    .as_object()
                    .into_iter()
                    .flat_map(serde_json::Map::keys);
                names.all(|name| schema["properties"].get(name).is_some())
            })?,
            other => return Err(format!("this test does not know {other}")),
        }
    }
    Ok(())
}

fn integer(value: &Value) -> Option<i128> {
    let negative = value.as_i64().map(i128::from);
    value.as_u64().map(i128::from).or(negative)
}

#[test]
fn a_test_starts_acts_waits_and_asserts() {
    let (bench, mut host) = Bench::with_host("air780ep");
    bench.log_in(&mut host);
    bench.get("/modules/0/wait?for=connected%20dev1");
    host.command("AT+MSUB=\"a/+\",1", &["OK", "SUBACK"]);
    bench.get("/broker/wait?for=subscribed%20a/b");
    bench.get("/modules/0/wait?for=subscribed%20a/b");

    let sent = json!({"topic": "a/b", "payload": "hello", "qos": 1});
    bench.post("/broker/messages", &sent);
    host.expect("\r\n+MSUB: \"a/b\",5 byte,hello\r\n");
    // It came before the wait.
    let found = bench.get("/modules/0/wait?for=message%20on%20a/%23");
    assert_eq!(found["entry"]["event"]["payload"], "hello");
    let any = json!({"topic": "a/b", "payload_base64": "AP8="});
    bench.post("/broker/messages", &any);
    for (refused, why) in [
        (json!({"topic": "a/+"}), "no topic to publish on"),
        (
            json!({"topic": "a/b", "payload": "x".repeat(1 << 20)}),
            "1048579 bytes, are more than the broker takes",
        ),
    ] {
        let (status, answer) = bench.ask("POST", "/broker/messages", Some(&refused));
        assert_eq!(status, 422);
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(why), "{error}");
    }
    let since = &found["cursor"];
    let found = bench.get(&format!(
        "/modules/0/wait?for=message%20on%20a/b&since={since}"
    ));
    assert_eq!(found["entry"]["event"]["payload_base64"], "AP8=");
    assert_eq!(found["entry"]["event"]["payload"], Value::Null);

    host.wait_for("+MSUB: \"a/b\",2 byte,");
    host.send(b"AT+MPUB=\"up\",1,0,\"data\"\r");
    let found = bench.get("/broker/wait?for=message%20on%20up");
    assert_eq!(found["entry"]["event"]["client_id"], "dev1");
    assert_eq!(found["entry"]["event"]["payload"], "data");

    let now = bench.get("/modules/0");
    assert_eq!(now["state"]["links"][0]["phase"], "connected");
    assert_eq!(
        now["state"]["links"][0]["session"]["subscriptions"],
        json!([{"filter": "a/+", "qos": 1}])
    );
    assert_eq!(
        bench.get("/broker/clients")["clients"][0]["client_id"],
        "dev1"
    );

    let (status, _) = bench.ask("DELETE", "/broker/clients/dev1", None);
    assert_eq!(status, 204);
    bench.get("/modules/0/wait?for=disconnected");
    let (status, late) = bench.ask("GET", "/modules/0/wait?for=connected&timeout_ms=1", None);
    assert_eq!(
        (status, &late["error"]),
        (408, &json!("not in 1 ms: connected"))
    );
}

#[test]
fn the_world_changes_when_it_is_told_to() {
    let (bench, mut host) = Bench::with_host("air780ep");
    bench.log_in(&mut host);
    let changed = json!({"registration": "denied", "signal": 3, "unix_time": 1_700_000_000});
    let (status, answer) = bench.ask("PATCH", "/modules/0", Some(&changed));
    assert_eq!(
        (status, &answer["state"]["registration"]),
        (200, &json!("denied"))
    );
    assert_eq!(answer["state"]["unix_time"], 1_700_000_000);
    let since = &answer["cursor"];
    bench.get(&format!("/modules/0/wait?for=disconnected&since={since}"));
    bench.get(&format!("/modules/0/wait?for=pdp-down&since={since}"));
    host.wait_for("+CGEV: ME PDN DEACT 1");
    host.wait_for("\r\n");
    host.command("AT+CSQ", &["+CSQ: 3,0", "OK"]);
    host.command("AT+CCLK?", &["+CCLK: \"23/11/14,22:13:20+00\"", "OK"]);

    let (_, answer) = bench.ask(
        "PATCH",
        "/modules/0",
        Some(&json!({"registration": "home"})),
    );
    let since = &answer["cursor"];
    bench.get(&format!("/modules/0/wait?for=registered&since={since}"));
    let answer = bench.post("/modules/0/power", &json!({"action": "cycle"}));
    let since = &answer["cursor"];
    bench.get(&format!("/modules/0/wait?for=power-off&since={since}"));
    bench.get(&format!("/modules/0/wait?for=booted&since={since}"));
    bench.get(&format!("/modules/0/wait?for=trace%20RDY&since={since}"));

    let answer = bench.post("/modules/0/power", &json!({"action": "cut"}));
    assert_eq!(answer["state"]["power"], "off");
    let answer = bench.post("/modules/0/power", &json!({"action": "cycle"}));
    let since = &answer["cursor"];
    bench.get(&format!("/modules/0/wait?for=booted&since={since}"));
    let answer = bench.post("/modules/0/power", &json!({"action": "reboot"}));
    let since = &answer["cursor"];
    bench.get(&format!("/modules/0/wait?for=booted&since={since}"));

    for (change, status) in [
        (json!({}), 422),
        (json!({"signal": 32}), 422),
        (json!({"signal": "3"}), 400),
        (json!({"signal": null}), 400),
        (json!({"signal": 3.0}), 200),
        (json!({"sim": "pin:x"}), 422),
        (json!({"mood": 1}), 400),
    ] {
        assert_eq!(
            bench.ask("PATCH", "/modules/0", Some(&change)).0,
            status,
            "{change}"
        );
    }
}

#[test]
fn faults_come_and_go() {
    let (bench, mut host) = Bench::with_host("air780ep");
    bench.log_in(&mut host);
    let made = bench.post("/modules/0/faults", &json!({"fault": "pdp-deact times 1"}));
    assert_eq!(made["fault"], "pdp-deact times 1");
    let since = &made["cursor"];
    bench.get(&format!("/modules/0/wait?for=disconnected&since={since}"));
    let line = bench.get(&format!(
        "/modules/0/wait?for=trace%20NW%20PDN%20DEACT&since={since}"
    ));
    assert_eq!(line["entry"]["kind"], "host <-");
    host.wait_for("+CGEV: NW PDN DEACT 1\r\n");

    let stuck = bench.post("/modules/0/faults", &json!({"fault": "stuck"}));
    let later = bench.post("/modules/0/faults", &json!({"fault": "reboot every 1h"}));
    let listed = bench.get("/modules/0/faults");
    let active: Vec<_> = listed["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| &fault["active"])
        .collect();
    assert_eq!(active, [&json!(true), &json!(false)]);
    let path = |made: &Value| format!("/modules/0/faults/{}", made["id"]);
    assert_eq!(bench.ask("DELETE", &path(&stuck), None).0, 204);
    assert_eq!(bench.ask("DELETE", &path(&stuck), None).0, 404);
    host.command("AT", &["OK"]);
    assert_eq!(bench.ask("DELETE", "/modules/0/faults", None).0, 204);
    assert_eq!(bench.ask("DELETE", &path(&later), None).0, 404);

    let sky = bench.post("/modules/0/weather", &json!({"weather": "night-train"}));
    assert!(!sky["faults"].as_array().unwrap().is_empty());
    let sky = bench.post(
        "/modules/0/weather",
        &json!({"lines": "# mine\nreboot every 1h"}),
    );
    assert_eq!(sky["faults"][0]["fault"], "reboot every 1h");
    for (path, wanted, status, why) in [
        (
            "faults",
            json!({"fault": "pdp-deactt"}),
            422,
            "did you mean \"pdp-deact\"?",
        ),
        ("faults", json!({"fault": 1}), 400, "expected a string"),
        (
            "weather",
            json!({"weather": "/etc/passwd"}),
            422,
            "/faults lists them",
        ),
        ("weather", json!({"lines": "reboot\nx"}), 422, "line 2"),
        ("weather", json!({}), 400, "expected"),
    ] {
        let (got, answer) = bench.ask("POST", &format!("/modules/0/{path}"), Some(&wanted));
        let error = answer["error"].as_str().unwrap();
        assert!(
            got == status && error.contains(why),
            "{wanted}: {got} {error}"
        );
    }
    let many = json!({"lines": "reboot every 1h\n".repeat(999)});
    assert_eq!(bench.ask("POST", "/modules/0/weather", Some(&many)).0, 409);
    let station = bench.post("/modules", &json!({"model": "esp8266", "seed": 7}));
    assert_eq!(station["seed"], 7);
    let (status, _) = bench.ask(
        "POST",
        "/modules/1/faults",
        Some(&json!({"fault": "pdp-deact"})),
    );
    assert_eq!(status, 409);
    // A weather is for every model: what it cannot have is left out.
    bench.post("/modules/1/weather", &json!({"weather": "night-train"}));
    let words = bench.get("/faults");
    for word in words["words"].as_array().unwrap() {
        let fault = json!({"fault": word["example"]});
        bench.post("/modules/0/faults", &fault);
    }
}

#[test]
fn modules_are_made_and_removed_while_it_runs() {
    let bench = Bench::start(&["air780ep", "--tcp", "0", "--pace", "fast"]);
    let made = bench.post(
        "/modules",
        &json!({"model": "ec20", "port": {"tcp": "127.0.0.1:0"}, "sim": "absent"}),
    );
    assert_eq!((&made["id"], &made["model"]), (&json!(1), &json!("ec20")));
    // Each has its own number, as with --count.
    assert_ne!(made["imei"], bench.get("/modules/0")["imei"]);
    let mut host = Host::connect(made["port"]["address"].as_str().unwrap().parse().unwrap());
    bench.get("/modules/1/wait?for=booted");
    host.send(b"ATE0\rAT+CPIN?\r");
    host.wait_for("+CME ERROR: 10\r\n");
    assert_eq!(
        bench.get("/modules")["modules"].as_array().unwrap().len(),
        2
    );

    let link = temporary("made");
    let name = link.file_name().unwrap().to_str().unwrap();
    let made = bench.post(
        "/modules",
        &json!({"model": "esp8266", "port": {"pty": name}}),
    );
    assert_eq!(made["port"]["address"], link.to_str().unwrap());
    assert!(link.is_symlink());
    let taken = json!({"model": "esp8266", "port": {"pty": name}});
    assert_eq!(bench.ask("POST", "/modules", Some(&taken)).0, 409);
    assert_eq!(bench.ask("DELETE", "/modules/2", None).0, 204);
    let end = Instant::now() + common::GUARD;
    while link.is_symlink() {
        assert!(Instant::now() < end);
        std::thread::yield_now();
    }
    let made = bench.post(
        "/modules",
        &json!({"model": "ec20", "port": {"rfc2217": "127.0.0.1:0"}}),
    );
    assert_eq!(made["port"]["kind"], "rfc2217");
    for (wanted, status, why) in [
        (json!({"model": "ec21"}), 422, "no such model"),
        (json!({"model": "ec20", "imei": "12"}), 422, "15 digits"),
        (
            json!({"model": "ec20", "wifi": ["a"]}),
            422,
            "--wifi is for Wi-Fi modules",
        ),
        (
            json!({"model": "esp8266", "apn": "a"}),
            422,
            "--apn is for cellular modules",
        ),
        (
            json!({"model": "ec20", "port": {"tcp": "here"}}),
            422,
            "no address and port",
        ),
        (
            json!({"model": "ec20", "port": {"pty": "/etc/x"}}),
            422,
            "temporary files",
        ),
        (
            json!({"model": "ec20", "port": {"serial": "/dev/ttyS0"}}),
            400,
            "port: unknown variant",
        ),
        (
            json!({"model": "ec20", "apn_allow": [1]}),
            400,
            "made of text",
        ),
        (
            json!({"model": "ec20", "apn_allow": "a"}),
            400,
            "list of texts",
        ),
        (json!({"model": "ec20", "signal": "3"}), 400, "is a number"),
        (
            json!({"model": "ec20", "signal": 40}),
            422,
            "0 to 31, or 99",
        ),
        (
            json!({"model": "ec20", "log": "/tmp/x"}),
            400,
            "is none of model, port",
        ),
        (json!({"model": "--help"}), 422, "no such model"),
        (json!({}), 400, "model is wanted"),
        (json!([]), 400, "invalid type"),
    ] {
        let (got, answer) = bench.ask("POST", "/modules", Some(&wanted));
        let error = answer["error"].as_str().unwrap();
        assert!(
            got == status && error.contains(why),
            "{wanted}: {got} {error}"
        );
    }
}

#[test]
fn a_stream_goes_on_where_it_was() {
    let bench = Bench::start(&["air780ep", "--tcp", "0", "--pace", "fast"]);
    bench.get("/modules/0/wait?for=trace%20NITZ");
    let all = bench.get("/modules/0/trace?since=0");
    let entries = all["entries"].as_array().unwrap();
    let read = |query: &str, headers: &str, count: usize| {
        let mut stream = TcpStream::connect(bench.control).unwrap();
        stream.set_read_timeout(Some(common::GUARD)).unwrap();
        let path = format!("/modules/0/trace/events{query}");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
        )
        .unwrap();
        let mut lines = BufReader::new(stream).lines();
        let mut found = Vec::new();
        while found.len() < count {
            let line = lines.next().unwrap().unwrap();
            if let Some(data) = line.strip_prefix("data: ") {
                found.push(serde_json::from_str::<Value>(data).unwrap());
            }
        }
        found
    };
    assert_eq!(read("?since=0", "", 5), entries[..5]);
    assert_eq!(read("?since=0", "Last-Event-ID: 5\r\n", 3), entries[5..8]);
}

#[test]
fn bodies_are_limited_and_requests_checked() {
    let bench = Bench::start(&["air780ep", "--tcp", "0", "--pace", "fast"]);
    let large = format!("{{\"model\":\"{}\"}}", "x".repeat(5 << 20));
    let json = "Content-Type: application/json\r\n";
    for (method, path, headers, body, status) in [
        ("POST", "/modules", json, large.as_str(), 413),
        ("POST", "/modules", json, "{", 400),
        ("POST", "/modules", json, "", 400),
        ("POST", "/modules", "", "{}", 415),
        (
            "POST",
            "/modules",
            "Content-Type: text/plain\r\n",
            "{}",
            415,
        ),
        (
            "GET",
            "/modules",
            "Origin: http://evil.example\r\n",
            "",
            403,
        ),
        ("GET", "/modules", "Origin: null\r\n", "", 403),
        ("PUT", "/modules", json, "{}", 405),
        ("TRACE", "/", "", "", 405),
        ("GET", "/nothing", "", "", 404),
        ("GET", "/modules/1", "", "", 404),
        ("GET", "/modules/x", "", "", 404),
        ("GET", "/modules/%ff", "", "", 404),
        ("GET", "/modules/99999999999999999999", "", "", 404),
        ("GET", "/modules/0/trace?since=-1", "", "", 400),
        ("GET", "/modules/0/trace?limit=0", "", "", 400),
        ("GET", "/modules/0/trace?since=1000000", "", "", 409),
        ("GET", "/modules/0/trace/events?since=1000000", "", "", 409),
        (
            "GET",
            "/modules/0/trace/events",
            "Last-Event-ID: 1000000\r\n",
            "",
            409,
        ),
        (
            "GET",
            "/modules/0/wait?for=booted&since=1000000",
            "",
            "",
            409,
        ),
        ("GET", "/modules/0/trace?from=1", "", "", 400),
        ("GET", "/modules/0/wait", "", "", 400),
        ("GET", "/modules/0/wait?for=tea", "", "", 422),
        (
            "GET",
            "/modules/0/wait?for=booted&timeout_ms=3600001",
            "",
            "",
            400,
        ),
        ("GET", "/broker", "", "", 404),
        ("GET", "/broker/wait?for=connected", "", "", 404),
    ] {
        let answer = bench.raw(method, path, headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.head);
        bench.check(method, path, &answer);
    }
    let rebound =
        bench.exchange("GET /modules HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(rebound.status, 403);
}

#[test]
fn a_token_is_wanted_when_there_is_one_and_beyond_this_machine() {
    let folder = Folder::new("token");
    let file = folder.0.join("token");
    std::fs::write(&file, "secret\n").unwrap();
    let file = file.to_str().unwrap();
    let args = ["module", "air780ep", "--tcp", "0"];
    let alone = common::run(&[&args[..], &["--control", "0.0.0.0:0"]].concat(), b"");
    let error = String::from_utf8(alone.stderr).unwrap();
    assert!(
        !alone.status.success() && error.contains("--control-token-file"),
        "{error}"
    );

    let program = common::start(
        &[
            &args[..],
            &["--control", "127.0.0.1:0", "--control-token-file", file],
        ]
        .concat(),
    );
    let bench = Bench::of(program, "Authorization: Bearer secret\r\n");
    bench.get("/modules");
    let without = Bench {
        headers: String::new(),
        ..bench
    };
    let answer = without.raw("GET", "/modules", "", "");
    assert_eq!(answer.status, 401);
    assert!(
        answer.head.contains("www-authenticate: Bearer"),
        "{}",
        answer.head
    );
    without.check("GET", "/modules", &answer);
}

/// Signals come in the middle of all: a wait, a stream, a session, a host on the line.
#[test]
fn a_signal_in_the_middle_leaves_everything_clean() {
    for signal in [Signal::TERM, Signal::KILL] {
        let link = temporary("signal");
        let path = link.to_str().unwrap();
        let free = || {
            TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .to_string()
        };
        let (broker, control) = (free(), free());
        let args = [
            "module",
            "air780ep",
            "--pty",
            path,
            "--pace",
            "fast",
            "--broker",
            &broker,
            "--control",
            &control,
        ];
        for round in 0..2 {
            let mut bench = Bench::of(common::start(&args), "");
            bench.get("/modules/0/wait?for=registered");
            let mut line = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(Path::new(path))
                .unwrap();
            line.write_all(b"AT+MCONFIG=\"dev1\"\rAT+MIPSTART=\"broker.test\",1883\r")
                .unwrap();
            bench.get("/modules/0/wait?for=trace%20CONNECT%20OK");
            line.write_all(b"AT+MCONNECT=1,60\r").unwrap();
            bench.get("/broker/wait?for=connected%20dev1");
            let sky = json!({"lines": "latency 200ms\nstall every 10ms for 5ms\nslicer 1"});
            bench.post("/modules/0/weather", &sky);
            let mut open = Vec::new();
            for path in [
                "/modules/0/wait?for=power-off&timeout_ms=60000",
                "/modules/0/trace/events?since=0",
            ] {
                let mut stream = TcpStream::connect(bench.control).unwrap();
                write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
                open.push(stream);
            }
            open[1].read_exact(&mut [0; 64]).unwrap();
            bench.program.signal(signal);
            let status = bench.program.wait();
            assert_eq!(
                status.success(),
                signal == Signal::TERM,
                "round {round}: {status}"
            );
            // A program that was killed leaves a link behind, which the next one takes over.
            assert_eq!(link.is_symlink(), signal == Signal::KILL);
        }
        let _ = std::fs::remove_file(&link);
    }
}

#[test]
fn it_stops_with_its_standard_input() {
    let mut child = modemq(&[
        "module",
        "air780ep",
        "--tcp",
        "0",
        "--control",
        "0",
        "--stop-on-eof",
    ])
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut line = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    lines.read_line(&mut line).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn the_platform_behind_the_broker_is_asked_too() {
    let folder = Folder::new("devices");
    let file = folder.0.join("devices.toml");
    std::fs::write(&file, "[[device]]\nid = \"dev1\"\nsecret = \"12345678\"\n").unwrap();
    let file = file.to_str().unwrap();
    let bench = Bench::start(&["air780ep", "--tcp", "0", "--broker", "0", "--iotda", file]);
    assert_eq!(bench.get("/broker")["iotda"], true);
    let answer = bench.post("/broker/iotda", &json!({"request": "devices"}));
    assert!(answer.to_string().contains("dev1"), "{answer}");
    bench.post(
        "/broker/iotda",
        &json!({"request": "shadow", "device": "dev1"}),
    );
    let command = json!({"request": "command", "device": "dev1", "service": "s", "name": "n"});
    let (status, answer) = bench.ask("POST", "/broker/iotda", Some(&command));
    assert_eq!(
        (status, &answer["error_code"]),
        (409, &json!("IOTDA.014016"))
    );
    let other = Bench::start(&["air780ep", "--tcp", "0", "--broker", "0"]);
    assert_eq!(other.ask("POST", "/broker/iotda", Some(&command)).0, 404);
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-200..400_i64).prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "air780ep",
            "cycle",
            "a/b",
            "home",
            "ready",
            "127.0.0.1:0",
            "devices"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 6, |inner| {
        let name = prop_oneof![
            prop::sample::select(vec![
                "model",
                "port",
                "tcp",
                "pty",
                "signal",
                "sim",
                "registration",
                "unix_time",
                "action",
                "topic",
                "payload",
                "payload_base64",
                "qos",
                "retain",
                "request",
                "device",
                "fault",
                "faults",
                "weather",
                "imei",
            ])
            .prop_map(String::from),
            "[a-z]{0,6}",
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Whatever is asked is answered as the document says, and the program is well afterwards.
#[test]
fn any_request_is_answered_as_described() {
    let bench = Bench::start(&["air780ep", "--tcp", "0", "--pace", "fast", "--broker", "0"]);
    let paths: Vec<String> = bench.document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    let request = (
        prop::sample::select(vec!["GET", "POST", "PATCH", "DELETE", "PUT"]),
        prop::sample::select(paths),
        prop_oneof!["0", "1", "[0-9]{1,12}", "[a-z%/]{0,6}"],
        prop_oneof![
            Just(String::new()),
            Just("?timeout_ms=1".into()),
            "\\?for=[a-z%# ]{0,9}&timeout_ms=1"
                .prop_map(|query| query.replace(' ', "%20").replace('#', "%23")),
            "\\?since=[0-9]{1,21}&timeout_ms=1",
        ],
        anything(),
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 600,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&request, |(method, path, id, query, body)| {
            let stream = path.ends_with("/events") && method == "GET";
            prop_assume!(!stream || query.contains("timeout_ms"));
            // The module that the test talks to stays.
            prop_assume!(method != "DELETE" || id != "0");
            let path = path
                .replace("{id}", &id)
                .replace("{client_id}", &id)
                .replace("{number}", &id);
            let body = body.to_string();
            let answer = bench.raw(
                method,
                &format!("{path}{query}"),
                "Content-Type: application/json\r\n",
                &body,
            );
            prop_assert!(
                answer.status < 500,
                "{method} {path}{query} {body}: {}",
                answer.head
            );
            bench.check(method, &path, &answer);
            Ok(())
        })
        .unwrap();
    bench.get("/modules/0/wait?for=booted");
}
