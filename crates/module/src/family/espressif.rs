//! Espressif: ESP8266 and ESP32-C3 with ESP-AT.
//!
//! The sources of each behaviour stand in the command's item in `dialect::espressif`.

mod manufacturing;
mod mqtt;
mod sockets;

use super::ping::{Pinged, Pinger};
use super::{Accepted, Family};
use crate::Reboot;
use crate::api::{LinkEvent, LinkId, NetError, Output, QueryId};
use crate::core::{Core, Outcome};
use crate::radio::Change;
use crate::state::{Event, LinkState, WifiState};
use crate::terminal::DataEnd;
use crate::tls::{MBEDTLS_INTERMEDIATES, Tls};
use crate::wifi::{News, State, Station, Target, bssid};
use dialect::espressif::{self as esp, mqtt_error};
use dialect::{Form, Model, ParseError, Statement, Value};
use instant::Instant;
use manufacturing::Manufacturing;
use mqtt::Mqtt;
use sockets::{Sockets, Wifi};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The prompt of every command that takes data. Source: 2.2 documentation; MAME's esp8266_at.
const PROMPT: &[u8] = b"\r\nOK\r\n\r\n>";
/// How long AT+CWLAP looks around. Source: MAME's esp8266_at: 2050 ms.
const SCAN: Duration = Duration::from_millis(2050);
/// How long AT+PING and AT+CIPDOMAIN wait. Source: MAME's esp8266_at for the ping. Inferred for the name.
const PING: Duration = Duration::from_secs(1);
const LOOK_UP: Duration = Duration::from_secs(10);
/// From AT+CIPSNTPCFG to the answer of a server. Inferred.
const SNTP: Duration = Duration::from_secs(1);

/// What is typed while a command runs and taken for one event.
// Source: esp-at, at_uart_task.c: the buffer of the UART.
const TYPED_MAX: usize = 2048;

pub(crate) struct Espressif {
    model: &'static Model,
    station: Station,
    mqtt: Mqtt,
    sockets: Sockets,
    manufacturing: Manufacturing,
    accepted: Accepted,
    syslog: bool,
    /// Settings are kept over a restart.
    store: bool,
    mode: u8,
    /// What the command that runs waits for.
    task: Option<Task>,
    sntp: Option<[String; 4]>,
    /// When the time comes from a server.
    time_at: Option<Instant>,
    /// What was typed while a command ran, and when its end is taken for reached.
    typed: Vec<u8>,
    typed_until: Option<Instant>,
}

/// What a command of Wi-Fi, names or pings waits for.
enum Task {
    Join,
    Scan(Instant, Option<String>),
    LookUp(QueryId, Instant),
    Ping(Pinger),
}

impl Espressif {
    pub(crate) fn new(model: &'static Model) -> Self {
        Self {
            model,
            station: Station::new(),
            mqtt: Mqtt::new(model),
            sockets: Sockets::default(),
            manufacturing: Manufacturing::default(),
            accepted: Accepted::default(),
            syslog: false,
            store: true,
            mode: 1,
            task: None,
            sntp: None,
            time_at: None,
            typed: Vec::new(),
            typed_until: None,
        }
    }

    fn wifi(&self) -> Wifi {
        match self.station.state {
            _ if self.mode & 1 == 0 => Wifi::Off,
            State::Idle => Wifi::Idle,
            State::Ready => Wifi::Ready,
            State::Joining | State::Associated | State::Disconnected => Wifi::Away,
        }
    }

    /// ERROR, with its code before it after AT+SYSLOG=1.
    fn error(&self, core: &mut Core, code: u32) -> Outcome {
        if self.syslog {
            core.info_text(&format!("ERR CODE:0x{code:08x}"));
        }
        Outcome::Error
    }

    /// What an MQTT command has come to.
    fn conclude(&self, core: &mut Core, result: Result<Outcome, u16>) -> Outcome {
        match result {
            Ok(outcome) => outcome,
            Err(code) => {
                core.note(|| {
                    let words = dialect::reply::meaning(esp::MQTT_ERRORS, code);
                    format!("0x{code:04x}: {}", words.unwrap_or("an MQTT error"))
                });
                self.error(core, mqtt_error(code))
            }
        }
    }

    /// Is it a release that has what came after the ESP8266's last one?
    fn is_late(&self) -> bool {
        dialect::command::find(self.model.commands, b"+MQTTALPN").is_some()
    }

    fn keep(&self, core: &mut Core, name: &str, value: &str) {
        if self.store {
            core.kept.insert(name, value);
        }
    }

    /// Takes up what was kept, as after power-on.
    fn restore(&mut self, core: &mut Core) {
        if let Some(mode) = core.kept.text("CWMODE").and_then(|mode| mode.parse().ok()) {
            self.mode = mode;
        }
        let fixed = core.kept.text("CIPSTA").and_then(|kept| {
            let found: Vec<Ipv4Addr> = kept.split(',').map_while(|one| one.parse().ok()).collect();
            found.try_into().ok()
        });
        self.station.fixed = fixed;
        let rate = core
            .kept
            .text("UART")
            .and_then(|kept| kept.split(',').next()?.parse().ok());
        if let Some(rate) = rate {
            core.set_rate(rate);
        }
        let target = core.kept.text("CWJAP").and_then(|kept| {
            let (ssid, password) = kept.split_once('\0')?;
            Some(Target {
                ssid: ssid.into(),
                password: password.into(),
            })
        });
        self.station.target = target;
        let by_itself = core.kept.text("CWAUTOCONN").is_none_or(|on| on == "1");
        if by_itself && self.mode & 1 == 1 {
            self.join(core, false);
        }
    }

    fn join(&mut self, core: &mut Core, once: bool) {
        let (world, timing, pace) = (&core.radio.world, &core.model.timing, core.config.pace);
        if once {
            self.station.join_once(core.now, world, timing, pace);
        } else {
            self.station.join(core.now, world, timing, pace);
        }
    }

    /// The association is over: so is all that ran over it.
    fn lost_wifi(&mut self, core: &mut Core) {
        core.report(&esp::WIFI_DISCONNECT, &[]);
        core.event(|| Event::Unregistered);
        core.state(|| "access point lost".into());
        self.mqtt.cut(core);
        self.sockets.cut(core);
    }

    fn cwjap(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        match statement.form {
            Form::Read => {
                let Some(target) = self.station.joined().cloned() else {
                    core.info(&esp::NO_AP, &[]);
                    return Outcome::Ok;
                };
                let mac = bssid(&target.ssid);
                let values: [Value<'_>; 9] = [
                    target.ssid.as_str().into(),
                    mac.as_str().into(),
                    1.into(),
                    dbm(core).into(),
                    0.into(),
                    i64::from(self.station.interval).into(),
                    3.into(),
                    0.into(),
                    0.into(),
                ];
                core.info(&esp::CWJAP, &values);
                return Outcome::Ok;
            }
            _ if self.mode & 1 == 0 => {
                core.note(|| "AT+CWJAP needs station mode: AT+CWMODE=1 or 3".into());
                return Outcome::Error;
            }
            Form::Execute if self.station.is_ready() => return Outcome::Ok,
            Form::Set if values.has(0) => {
                let text = |index| String::from_utf8_lossy(values.text(index)).into_owned();
                let target = Target {
                    ssid: text(0),
                    password: text(1),
                };
                if target.ssid.is_empty() {
                    return Outcome::Error;
                }
                let kept = format!("{}\0{}", target.ssid, target.password);
                self.keep(core, "CWJAP", &kept);
                self.station.target = Some(target);
                // Source: 2.2 documentation: left out, it is 1.
                self.station.interval = values.int(4).unwrap_or(1) as u16;
                self.station.patience =
                    Duration::from_secs(values.int(7).unwrap_or(15).unsigned_abs());
            }
            _ => {}
        }
        if self.station.target.is_none() {
            return Outcome::Error;
        }
        if self.station.leave() {
            core.progress(&esp::WIFI_DISCONNECT, &[]);
            core.event(|| Event::Unregistered);
            self.mqtt.cut(core);
            self.sockets.cut(core);
        }
        self.join(core, true);
        self.task = Some(Task::Join);
        Outcome::Later
    }

    /// What the station has found.
    fn station_news(&mut self, core: &mut Core, news: News) {
        let awaited = matches!(self.task, Some(Task::Join));
        let line = match news {
            News::Associated => &esp::WIFI_CONNECTED,
            News::GotAddress => &esp::WIFI_GOT_IP,
            News::Failed(code) if awaited => {
                self.task = None;
                core.note(|| {
                    let why = match code {
                        2 => "wrong password",
                        3 => "no access point of that name is in reach",
                        _ => "no access point answers",
                    };
                    why.into()
                });
                core.info(&esp::CWJAP_FAILED, &[code.into()]);
                core.completed = Some(Outcome::Error);
                return;
            }
            // Nobody asked.
            News::Failed(_) => return,
        };
        core.state(|| line.name.to_lowercase());
        if awaited {
            core.progress(line, &[]);
        } else {
            core.report(line, &[]);
        }
        if news == News::GotAddress {
            core.event(|| Event::Registered);
            if awaited {
                self.task = None;
                core.completed = Some(Outcome::Ok);
            }
            if self.sntp.is_some() && self.time_at.is_none() {
                self.time_at = Some(core.now + core.span(SNTP));
            }
        }
    }

    fn scan(&mut self, core: &mut Core, wanted: Option<&str>) {
        let near = core.radio.world.rssi != 99;
        let points = core.radio.world.access_points.clone();
        let mut found: Vec<(String, bool)> = points
            .into_iter()
            .map(|point| (point.ssid, point.password.is_empty()))
            .collect();
        if found.is_empty() {
            // There is an access point of every name: the one that was asked for is shown.
            let known = self
                .station
                .target
                .as_ref()
                .map(|target| target.ssid.clone());
            let ssid = wanted.map(str::to_string).or(known);
            found.push((ssid.unwrap_or_else(|| "modemq".into()), false));
        }
        for (ssid, open) in found
            .iter()
            .filter(|(ssid, _)| near && wanted.is_none_or(|wanted| wanted == ssid))
        {
            let ecn = if *open { 0 } else { 3 };
            let (rssi, mac) = (dbm(core), bssid(ssid));
            core.info_text(&format!(
                "+CWLAP:({ecn},\"{ssid}\",{rssi},\"{mac}\",1,-1,-1,4,4,7,0)"
            ));
        }
    }

    /// Address, gateway and netmask of the station; zeros without an address.
    fn addresses(&self, core: &Core) -> [Ipv4Addr; 3] {
        if let Some(fixed) = self.station.fixed {
            return fixed;
        }
        if !self.station.is_ready() {
            return [Ipv4Addr::UNSPECIFIED; 3];
        }
        let own = core.radio.world.station_address;
        let [a, b, c, _] = own.octets();
        [
            own,
            Ipv4Addr::new(a, b, c, 1),
            Ipv4Addr::new(255, 255, 255, 0),
        ]
    }

    fn cipsta(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        if statement.form == Form::Read {
            let addresses = self.addresses(core);
            for (which, address) in ["ip", "gateway", "netmask"].into_iter().zip(addresses) {
                core.info_text(&format!("+CIPSTA:{which}:\"{address}\""));
            }
            return Outcome::Ok;
        }
        let address = |index: usize| -> Option<Ipv4Addr> {
            str::from_utf8(values.text(index)).ok()?.parse().ok()
        };
        let Some(own) = address(0) else {
            return Outcome::Error;
        };
        // Source: MAME's esp8266_at: what is left out follows from the address.
        let [a, b, c, _] = own.octets();
        self.station.fixed = Some([
            own,
            address(1).unwrap_or(Ipv4Addr::new(a, b, c, 1)),
            address(2).unwrap_or(Ipv4Addr::new(255, 255, 255, 0)),
        ]);
        self.keep_addresses(core);
        Outcome::Ok
    }

    /// Source: 2.2 documentation, CIPSTA: kept with AT+SYSSTORE=1.
    fn keep_addresses(&self, core: &mut Core) {
        let fixed = self.station.fixed.iter().flatten();
        let fixed: Vec<_> = fixed.map(ToString::to_string).collect();
        self.keep(core, "CIPSTA", &fixed.join(","));
    }

    fn sntp(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        if statement.form == Form::Read {
            let text = match &self.sntp {
                None => "+CIPSNTPCFG:0".into(),
                Some([zone, servers @ ..]) => {
                    let mut text = format!("+CIPSNTPCFG:1,{zone}");
                    for server in servers.iter().filter(|server| !server.is_empty()) {
                        text.push_str(&format!(",\"{server}\""));
                    }
                    text
                }
            };
            core.info_text(&text);
            return Outcome::Ok;
        }
        if values.int(0) == Some(0) {
            self.sntp = None;
            self.time_at = None;
            return Outcome::Ok;
        }
        let Some(zone) = values.int(1) else {
            return Outcome::Error;
        };
        let mut servers =
            [2, 3, 4].map(|index| String::from_utf8_lossy(values.text(index)).into_owned());
        if servers.iter().all(String::is_empty) {
            // Source: 2.2 documentation.
            servers = ["cn.ntp.org.cn", "ntp.sjtu.edu.cn", "us.pool.ntp.org"].map(Into::into);
        }
        let [first, second, third] = servers;
        self.sntp = Some([zone.to_string(), first, second, third]);
        if self.station.is_ready() {
            self.time_at = Some(core.now + core.span(SNTP));
        }
        Outcome::Ok
    }

    /// Minutes east of UTC, from both forms of the time zone: hours, or hours and minutes as `[hh]mm`.
    fn zone(&self) -> i64 {
        let zone = self.sntp.as_ref().and_then(|[zone, ..]| zone.parse().ok());
        match zone.unwrap_or(0_i64) {
            hours @ -12..=14 => hours * 60,
            both => both / 100 * 60 + both % 100,
        }
    }

    fn look_up(&mut self, core: &mut Core, name: &[u8], network: Option<i64>) -> Outcome {
        let name = String::from_utf8_lossy(name).into_owned();
        if name.parse::<Ipv4Addr>().is_ok() {
            core.info(&esp::CIPDOMAIN, &[name.as_str().into()]);
            return Outcome::Ok;
        }
        // Inferred: there is no IPv6 in the default build, so that a look-up of nothing else fails.
        if name.is_empty() || !self.station.is_ready() || network == Some(3) {
            return Outcome::Error;
        }
        let query = core.new_query();
        core.out.push_back(Output::Resolve { query, host: name });
        self.task = Some(Task::LookUp(query, core.now + LOOK_UP));
        Outcome::Later
    }

    fn ping(&mut self, core: &mut Core, host: &[u8]) -> Outcome {
        if !self.station.is_ready() || host.is_empty() {
            return Outcome::Error;
        }
        let host = String::from_utf8_lossy(host);
        self.task = Some(Task::Ping(Pinger::start(core, &host, 1, PING)));
        Outcome::Later
    }

    fn pinged(&mut self, core: &mut Core, pinged: &[Pinged]) {
        let Some(first) = pinged.first() else {
            return;
        };
        self.task = None;
        // Source: MAME's esp8266_at: 0 ms is taken for a failure, so that it never stands there.
        if let Pinged::Reply(millis) = *first {
            core.info(&esp::PING, &[i64::from(millis).into()]);
            core.completed = Some(Outcome::Ok);
        } else {
            core.info(&esp::PING_TIMEOUT, &[]);
            core.completed = Some(Outcome::Error);
        }
    }

    fn uart(core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let (name, values) = (statement.command.name, &statement.values);
        let kept = core.kept.text("UART").map(str::to_string);
        if statement.form == Form::Read {
            let settings = match kept {
                Some(kept) if name != "+UART_CUR" => kept,
                _ => format!("{},8,1,0,0", core.baud()),
            };
            core.info_text(&format!("{name}:{settings}"));
            return Outcome::Ok;
        }
        let rate = values.int(0).unwrap_or(115_200);
        if name != "+UART_CUR" {
            let settings: Vec<_> = (0..5)
                .map(|index| values.int(index).unwrap_or(0).to_string())
                .collect();
            core.kept.insert("UART", settings.join(","));
        }
        core.set_rate(rate as u32);
        Outcome::Ok
    }

    fn versions(&self, core: &mut Core) {
        let lines: &[&str] = if self.is_late() {
            &[
                "AT version:3.3.0.0(3b13d04 - ESP32C3 - May  8 2024 08:21:54)",
                "SDK version:v5.0.6-dirty",
                "compile time(be332568):May  8 2024 08:51:33",
            ]
        } else {
            &[
                "AT version:2.2.0.0(s-b097cdf - ESP8266 - Jun 17 2021 12:58:29)",
                "SDK version:v3.4-22-g967752e2",
                "compile time(6800286):Jul 11 2021 11:09:32",
            ]
        };
        for line in lines {
            core.info_text(line);
        }
        core.info_text(&format!("Bin version:{}", self.model.firmware));
    }

    fn commands(&self, core: &mut Core) {
        core.info_text("+CMD:0,\"AT\",0,0,0,1");
        let commands = self.model.commands.iter().flat_map(|table| table.iter());
        for (index, command) in commands.enumerate() {
            let has = |form| u8::from(command.has(form));
            core.info_text(&format!(
                "+CMD:{},\"AT{}\",{},{},{},{}",
                index + 1,
                command.name,
                has(Form::Test),
                has(Form::Read),
                has(Form::Set),
                has(Form::Execute)
            ));
        }
    }

    /// A number that is read and set; `open` where the firmware prints it without the line's end.
    fn number(core: &mut Core, statement: &Statement<'_>, value: &mut u8, open: bool) -> Outcome {
        if statement.form == Form::Read {
            let text = format!("{}:{value}", statement.command.name);
            if open {
                core.info_open(&text);
            } else {
                core.info_text(&text);
            }
        } else {
            *value = statement.values.int(0).unwrap_or(0) as u8;
        }
        Outcome::Ok
    }

    /// What was typed while a command ran.
    fn too_early(&mut self, core: &mut Core) {
        let bytes = std::mem::take(&mut self.typed);
        self.typed_until = None;
        // Source: MAME's esp8266_at: a restart is never too late.
        if bytes
            .windows(8)
            .any(|window| window.eq_ignore_ascii_case(b"AT+RST\r\n"))
        {
            core.stream(b"\r\nWill force to restart!!!\r\n\r\nOK\r\n");
            core.reboot(Reboot::Command);
            return;
        }
        let text = core.typed(&bytes);
        core.note(|| format!("a command runs: {text} is thrown away"));
        if self.syslog {
            let text = format!("ERR CODE:0x{:08x}\r\n", esp::BUSY_CODE);
            core.stream(text.as_bytes());
        }
        core.progress(&esp::BUSY, &[]);
    }
}

impl Family for Espressif {
    fn execute(&mut self, core: &mut Core, statement: &Statement<'_>) -> Option<Outcome> {
        let values = &statement.values;
        let read = statement.form == Form::Read;
        let name = statement.command.name;
        if name.starts_with("+MQTT") {
            let online = self.station.is_ready();
            let result = self.mqtt.execute(core, statement, online);
            return Some(self.conclude(core, result));
        }
        let wifi = self.wifi();
        if let Some(outcome) = self.sockets.execute(core, statement, wifi) {
            return Some(outcome);
        }
        if let Some(outcome) = self.manufacturing.execute(core, statement) {
            return Some(outcome);
        }
        Some(match name {
            "+RST" | "+RESTORE" => {
                core.reboot(if name == "+RST" {
                    Reboot::Command
                } else {
                    Reboot::Factory
                });
                Outcome::Ok
            }
            "+GMR" => {
                self.versions(core);
                Outcome::Ok
            }
            "+CMD" => {
                self.commands(core);
                Outcome::Ok
            }
            "+UART" | "+UART_CUR" | "+UART_DEF" => Self::uart(core, statement),
            "+SYSLOG" => {
                let mut value = u8::from(self.syslog);
                let outcome = Self::number(core, statement, &mut value, false);
                self.syslog = value == 1;
                outcome
            }
            "+SYSSTORE" => {
                let mut value = u8::from(self.store);
                let outcome = Self::number(core, statement, &mut value, false);
                self.store = value == 1;
                outcome
            }
            "+SYSMSG" => Self::number(core, statement, &mut self.sockets.messages, true),
            "+SYSRAM" => {
                core.info_open("+SYSRAM:49216,49216");
                Outcome::Ok
            }
            "+SYSTIMESTAMP" if read => {
                let seconds = core.clock.unix(core.now);
                core.info_open(&format!("+SYSTIMESTAMP:{seconds}"));
                Outcome::Ok
            }
            "+SYSTIMESTAMP" => {
                core.clock
                    .set_unix(core.now, values.int(0).unwrap_or_default());
                Outcome::Ok
            }
            "+CWMODE" => {
                let before = self.mode;
                let outcome = Self::number(core, statement, &mut self.mode, false);
                if !read {
                    self.keep(core, "CWMODE", &self.mode.to_string());
                    if self.mode & 1 == 0 && self.station.leave() {
                        self.lost_wifi(core);
                    } else if self.mode & 1 == 1 && before & 1 == 0 && values.int(1) != Some(0) {
                        self.join(core, false);
                    }
                }
                outcome
            }
            "+CWSTATE" => {
                let state: u8 = match self.station.state {
                    State::Idle => 0,
                    State::Associated => 1,
                    State::Ready => 2,
                    State::Joining => 3,
                    State::Disconnected => 4,
                };
                let target = self.station.target.clone().unwrap_or_default();
                core.info(&esp::CWSTATE, &[state.into(), target.ssid.as_str().into()]);
                Outcome::Ok
            }
            "+CWJAP" => self.cwjap(core, statement),
            "+CWQAP" => {
                if self.mode & 1 == 0 {
                    return Some(Outcome::Error);
                }
                if self.station.leave() {
                    self.lost_wifi(core);
                }
                Outcome::Ok
            }
            "+CWRECONNCFG" if read => {
                let (interval, repeat) = (self.station.interval, self.station.repeat);
                core.info_text(&format!("+CWRECONNCFG:{interval},{repeat}"));
                Outcome::Ok
            }
            "+CWRECONNCFG" => {
                self.station.interval = values.int(0).unwrap_or(1) as u16;
                self.station.repeat = values.int(1).unwrap_or(0) as u16;
                Outcome::Ok
            }
            "+CWLAP" if self.mode & 1 == 0 => Outcome::Error,
            "+CWLAP" => {
                let wanted = values
                    .has(0)
                    .then(|| String::from_utf8_lossy(values.text(0)).into_owned());
                self.task = Some(Task::Scan(core.now + core.span(SCAN), wanted));
                Outcome::Later
            }
            "+CWAUTOCONN" if read => {
                let on = core.kept.text("CWAUTOCONN").unwrap_or("1");
                let text = format!("+CWAUTOCONN:{on}");
                core.info_text(&text);
                Outcome::Ok
            }
            "+CWAUTOCONN" => {
                let on = values.int(0).unwrap_or(1).to_string();
                core.kept.insert("CWAUTOCONN", on);
                Outcome::Ok
            }
            "+CIPSTAMAC" if !read => {
                let text = String::from_utf8_lossy(values.text(0)).to_lowercase();
                let octets: Vec<_> = text.split(':').collect();
                let is_octet =
                    |text: &&str| text.len() == 2 && u8::from_str_radix(text, 16).is_ok();
                let first = octets
                    .first()
                    .and_then(|text| u8::from_str_radix(text, 16).ok());
                // Source: 2.2 documentation: bit 0 of the first octet must be 0.
                if octets.len() != 6
                    || !octets.iter().all(is_octet)
                    || first.is_none_or(|octet| octet & 1 == 1)
                {
                    return Some(Outcome::Error);
                }
                core.config.identity.mac = text;
                Outcome::Ok
            }
            "+CIPSTAMAC" => {
                let text = format!("+CIPSTAMAC:\"{}\"", core.config.identity.mac);
                core.info_text(&text);
                Outcome::Ok
            }
            "+CIPSTA" => self.cipsta(core, statement),
            "+CIFSR" => {
                let [own, ..] = self.addresses(core);
                let mac = core.config.identity.mac.clone();
                core.info_text(&format!("+CIFSR:STAIP,\"{own}\""));
                core.info_text(&format!("+CIFSR:STAMAC,\"{mac}\""));
                Outcome::Ok
            }
            "+CIPDOMAIN" => self.look_up(core, values.text(0), values.int(1)),
            "+PING" => self.ping(core, values.text(0)),
            "+CIPSNTPCFG" => self.sntp(core, statement),
            "+CIPSNTPTIME" => {
                let time = core.clock.asctime(core.now, self.zone());
                core.info_open(&format!("+CIPSNTPTIME:{time}"));
                Outcome::Ok
            }
            "+CWDHCP" if read => {
                let state = u8::from(self.station.fixed.is_none());
                core.info_open(&format!("+CWDHCP:{state}"));
                Outcome::Ok
            }
            "+CWDHCP" => {
                if values.int(1).is_some_and(|mode| mode & 1 == 1) {
                    // Inferred: without DHCP the station keeps the address that it has.
                    let off = values.int(0) == Some(0);
                    self.station.fixed = off.then(|| self.addresses(core));
                    self.keep_addresses(core);
                }
                Outcome::Ok
            }
            "+CWLAPOPT" => Outcome::Ok,
            name @ ("+SLEEP" | "+CWHOSTNAME" | "+CIPDNS" | "+CWCOUNTRY" | "+CWSTAPROTO"
            | "+RFPOWER" | "+CIPSNTPINTV") => {
                let default = match name {
                    "+CWHOSTNAME" => "ESP_80AA01",
                    "+CWCOUNTRY" => "0,\"CN\",1,13",
                    "+CWSTAPROTO" => "7",
                    "+RFPOWER" => "78",
                    "+CIPSNTPINTV" => "3600",
                    _ => "0",
                };
                let quote = if name == "+CWHOSTNAME" { "" } else { "\"" };
                self.accepted
                    .execute_as(core, name, statement, default, (":", quote));
                Outcome::Ok
            }
            _ => return None,
        })
    }

    fn as_written(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        if statement.command.name == "+CIPRXGET" {
            return Outcome::Ok;
        }
        let online = self.station.is_ready();
        let result = self.mqtt.as_written(core, statement, online);
        self.conclude(core, result)
    }

    fn refuse(&mut self, core: &mut Core, error: &ParseError) -> Outcome {
        if self.syslog {
            for code in esp::error_codes(error).into_iter().flatten() {
                core.info_text(&format!("ERR CODE:0x{code:08x}"));
            }
        }
        Outcome::Error
    }

    fn busy(&mut self, core: &mut Core, bytes: &[u8]) -> bool {
        // Source: esp-at, at_uart_task.c: what comes with less than ten characters between is one event.
        let pause = Duration::from_micros(100_000_000 / u64::from(core.baud().max(1)));
        let pause = core.span(pause);
        self.typed.extend_from_slice(bytes);
        self.typed_until = Some(core.now + pause);
        if pause.is_zero() || self.typed.len() > TYPED_MAX {
            self.too_early(core);
        }
        true
    }

    fn stream(&mut self, core: &mut Core, bytes: &[u8]) {
        self.sockets.stream(core, bytes);
    }

    fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Outcome {
        if let Some(outcome) = self.sockets.data(core, data, end) {
            return outcome;
        }
        if let Some(outcome) = self.manufacturing.data(core, data, end) {
            return outcome;
        }
        let result = self.mqtt.data(core, data, end);
        self.conclude(core, result)
    }

    fn link(&mut self, core: &mut Core, link: LinkId, event: LinkEvent<'_>) {
        if let Some(Task::Ping(pinger)) = &mut self.task {
            let pinged = pinger.link(core, link, &event);
            self.pinged(core, &pinged);
        }
        if self.sockets.link(core, link, &event) {
            return;
        }
        if let Some(result) = self.mqtt.link(core, link, event) {
            core.completed = Some(self.conclude(core, result));
        }
    }

    fn takes_data(&self, core: &Core, link: LinkId) -> bool {
        self.sockets.takes_data(core, link)
    }

    fn resolved(&mut self, core: &mut Core, query: QueryId, answer: Result<&[IpAddr], NetError>) {
        match &self.task {
            Some(Task::LookUp(own, _)) if *own == query => {}
            _ => return,
        }
        self.task = None;
        let first = answer
            .ok()
            .and_then(|found| found.iter().find(|address| address.is_ipv4()));
        core.completed = Some(match first {
            Some(address) => {
                let text = address.to_string();
                core.info(&esp::CIPDOMAIN, &[text.as_str().into()]);
                Outcome::Ok
            }
            None => Outcome::Error,
        });
    }

    fn network(&mut self, core: &mut Core, change: &Change) {
        match change {
            Change::Booted => {
                for line in self.model.boot {
                    core.report(line, &[]);
                }
                self.restore(core);
            }
            // Source: lwIP, tcp_netif_ip_addr_changed: connections of the address that is gone are aborted.
            // Inferred: that the firmware tells of the new one as of the first.
            Change::Address if self.station.is_ready() => {
                self.mqtt.cut(core);
                self.sockets.cut(core);
                core.state(|| "another address".into());
                core.report(&esp::WIFI_GOT_IP, &[]);
            }
            Change::AccessPoints { in_reach } if self.station.reach(core.now, *in_reach) => {
                self.lost_wifi(core);
            }
            _ => {}
        }
    }

    fn advance(&mut self, core: &mut Core) {
        let now = core.now;
        while let Some(news) =
            self.station
                .advance(now, &core.radio.world, &core.model.timing, core.config.pace)
        {
            self.station_news(core, news);
        }
        match &mut self.task {
            Some(Task::Scan(at, _)) if *at <= now => {
                if let Some(Task::Scan(_, wanted)) = self.task.take() {
                    self.scan(core, wanted.as_deref());
                    core.completed = Some(Outcome::Ok);
                }
            }
            Some(Task::LookUp(_, at)) if *at <= now => {
                self.task = None;
                core.completed = Some(Outcome::Error);
            }
            Some(Task::Ping(pinger)) => {
                let pinged = pinger.advance(core);
                self.pinged(core, &pinged);
            }
            _ => {}
        }
        if self.time_at.is_some_and(|at| at <= now) {
            self.time_at = None;
            if core.clock.set_from_network(now) && self.is_late() {
                core.report(&esp::TIME_UPDATED, &[]);
            }
        }
        if self.typed_until.is_some_and(|at| at <= now) {
            self.too_early(core);
        }
        self.sockets.advance(core);
        let online = self.station.is_ready();
        if let Some(result) = self.mqtt.advance(core, online) {
            core.completed = Some(self.conclude(core, result));
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let task = match &self.task {
            Some(Task::Scan(at, _) | Task::LookUp(_, at)) => Some(*at),
            Some(Task::Ping(pinger)) => pinger.next_deadline(),
            _ => None,
        };
        [
            task,
            self.time_at,
            self.typed_until,
            self.station.next_deadline(),
            self.sockets.next_deadline(),
            self.mqtt.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn links(&self) -> Vec<LinkState> {
        let mut links: Vec<_> = self.mqtt.link_state().into_iter().collect();
        links.extend(self.sockets.state());
        links
    }

    fn wifi(&self) -> Option<WifiState> {
        self.station.joined().map(|target| WifiState {
            ssid: target.ssid.clone(),
            has_address: self.station.is_ready(),
        })
    }

    fn power_off(&mut self, core: &mut Core) {
        self.mqtt.cut(core);
        self.sockets.cut(core);
    }
}

/// What `rssi` of `+CSQ` is in dBm. Source: 3GPP TS 27.007 §8.5.
fn dbm(core: &Core) -> i64 {
    i64::from(core.radio.world.rssi) * 2 - 113
}

/// What a handshake shows and checks: the server's certificate by those of a CA and by the clock, when there is one.
// Inferred: the versions that the build of ESP-IDF has. Source: esp-at, sdkconfig: MBEDTLS_HAVE_TIME_DATE.
fn tls(core: &Core, authorities: Option<Vec<u8>>, identity: Option<(Vec<u8>, Vec<u8>)>) -> Tls {
    Tls {
        suites: core.model.suites.to_vec(),
        time: authorities.is_some().then(|| core.clock.unix(core.now)),
        authorities,
        identity,
        checks_addresses: false,
        intermediates: MBEDTLS_INTERMEDIATES,
        ..Tls::default()
    }
}
