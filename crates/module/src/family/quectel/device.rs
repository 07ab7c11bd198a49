//! What Quectel's modules have besides MQTT: identification, network, files, power saving.

use super::super::Accepted;
use super::super::ping::{Pinged, Pinger};
use super::typed::{Place, Typed};
use crate::Reboot;
use crate::api::{LinkEvent, LinkId, NetError, Output, QueryId, Sim};
use crate::core::{Core, Outcome};
use crate::files::FileError;
use crate::network::sim_error;
use crate::radio::DEFAULT_CID;
use crate::terminal::{DataEnd, DataMode};
use crate::tls::{self, Tls};
use dialect::model::Bearer;
use dialect::{Form, Line, Statement, Value, quectel as q};
use instant::Instant;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// The boot loader of the BC26, which ends lines with LF CR. Source: BC26 AT §5.1.
pub(super) const BROM: &[u8] = b"F1: 0000 0000\n\rV0: 0000 0000 [0001]\n\r00: 0006 000C\n\r01: 0000 0000\n\rU0: 0000 0001 [0000]\n\rT0: 0000 00B4\n\rLeaving the BROM\n\r";
/// `QFUPL` without a size. Source: BG96 FILE.
const UPLOAD_DEFAULT: usize = 10_240;
/// The codes of the file commands. Source: BG96 FILE.
mod cme {
    pub(super) const DRIVE_FULL: u16 = 403;
    pub(super) const NOT_FOUND: u16 = 405;
    pub(super) const INVALID_NAME: u16 = 406;
    pub(super) const EXISTS: u16 = 407;
}

#[derive(Default)]
pub(super) struct Device {
    accepted: Accepted,
    /// AT+QIACT: whether the host has activated the context.
    pub(super) active: bool,
    /// AT+QICSGP
    apn: [String; 3],
    /// AT+QICSGP: 0 none, 1 PAP, 2 CHAP.
    authentication: i64,
    /// AT+QSSLCFG, by context and option.
    tls: BTreeMap<(i64, &'static str), String>,
    typed: Typed,
    upload: Option<Upload>,
    names: Option<QueryId>,
    pinger: Option<Pinger>,
    saving: Saving,
}

struct Upload {
    name: Vec<u8>,
}

/// Power saving on NB-IoT.
#[derive(Default)]
struct Saving {
    on: bool,
    tau: String,
    active: String,
    event: bool,
    wake_up: bool,
    asleep: bool,
    /// When it falls asleep.
    sleep_at: Option<Instant>,
    /// AT+CEDRXS: mode and value.
    edrx: Option<(i64, String)>,
}

impl Device {
    pub(super) fn execute(
        &mut self,
        core: &mut Core,
        statement: &Statement<'_>,
        links_open: bool,
    ) -> Option<Outcome> {
        let values = &statement.values;
        let is_nb = core.model.bearer == Bearer::NbIot;
        let read = statement.form == Form::Read;
        let name = statement.command.name;
        let done = match name {
            "+CGPADDR" => {
                if core.radio.is_active(DEFAULT_CID) {
                    let address = core.radio.address(DEFAULT_CID).to_string();
                    core.info(&q::CGPADDR, &[DEFAULT_CID.into(), address.as_str().into()]);
                }
                Outcome::Ok
            }
            "I" | "+CGMI" | "+CGMM" | "+CGMR" | "+GMI" | "+GMM" | "+GMR" => {
                identify(core, name, is_nb);
                Outcome::Ok
            }
            "+CGSN" if is_nb => {
                serial_number(core, values.int(0).unwrap_or(0));
                Outcome::Ok
            }
            "+QCCID" => {
                if let Some(error) = sim_error(core) {
                    return Some(error);
                }
                let iccid = core.config.identity.iccid.clone();
                core.info(&q::QCCID, &[iccid.as_str().into()]);
                Outcome::Ok
            }
            "+QNWINFO" => {
                network_information(core);
                Outcome::Ok
            }
            "+QICSGP" => self.context(core, statement),
            "+QIACT" | "+QIDEACT" => self.activate(core, statement),
            "+QGACT" => activate_pdn(core, statement),
            "+QRST" => {
                core.reboot(Reboot::Command);
                Outcome::Ok
            }
            "+QPOWD" => {
                if !is_nb {
                    core.report(&q::POWERED_DOWN, &[]);
                }
                core.reboot(Reboot::Off);
                Outcome::Ok
            }
            "+QCFG=\"nwscanmode\"" if values.is_empty() => {
                core.info_text("+QCFG: \"nwscanmode\",0");
                Outcome::Ok
            }
            "+QURCCFG=\"urcport\"" if values.is_empty() => {
                core.info_text("+QURCCFG: \"urcport\",\"uart1\"");
                Outcome::Ok
            }
            "+QCFG=\"nwscanmode\"" | "+QURCCFG=\"urcport\"" => Outcome::Ok,
            "+QCGDEFCONT" => default_context(core, statement),
            "+CSCON" if read => {
                let n = self.accepted.value("+CSCON").unwrap_or("0").to_string();
                core.info_text(&format!("+CSCON: {n},{}", u8::from(links_open)));
                Outcome::Ok
            }
            "+CBC" => {
                core.info(&q::CBC, &[0.into(), 0.into(), 3368.into()]);
                Outcome::Ok
            }
            "+CEER" | "+QRELLOCK" => Outcome::Ok,
            "+QBAND" if read => {
                core.info(&q::QBAND, &[5.into()]);
                Outcome::Ok
            }
            "+QBAND" => Outcome::Ok,
            "+QCSEARFCN" => {
                core.info_text("+QCSEARFCN: 0");
                Outcome::Ok
            }
            "+QENG" => engineering(core, values.int(0) == Some(1)),
            "+CPSMS" | "+CEDRXS" | "+CEDRXRDP" | "+QNBIOTEVENT" | "+QATWAKEUP" => {
                self.saving.execute(core, statement)
            }
            "+QNTP" => {
                core.clock.set_from_network(core.now);
                // Source: tutorials show the zone in quarters of an hour.
                let time = core.clock.cclk(core.now);
                core.report(&q::QNTP, &[0.into(), format!("20{time}").as_str().into()]);
                Outcome::Ok
            }
            "+QIDNSGIP" => {
                let query = core.new_query();
                let host = String::from_utf8_lossy(values.text(1)).into_owned();
                core.out.push_back(Output::Resolve { query, host });
                self.names = Some(query);
                Outcome::Ok
            }
            "+QPING" => {
                if self.pinger.is_some() {
                    return Some(Outcome::Error);
                }
                let host = String::from_utf8_lossy(values.text(1)).into_owned();
                let timeout = Duration::from_secs(values.int(2).unwrap_or(4) as u64);
                let count = values.int(3).unwrap_or(4) as u32;
                self.pinger = Some(Pinger::start(core, &host, count, timeout));
                Outcome::Ok
            }
            "+QFUPL" => self.upload(core, statement),
            "+QFLST" | "+QFDEL" | "+QFLDS" => files(core, statement),
            "+CTZR" | "+CTZU" | "+CIPCA" | "+QNBIOTRAI" | "+QSCLK" | "+CSCON" => {
                let default = if name == "+CIPCA" { "3,0" } else { "0" };
                self.accepted.execute(core, name, statement, default);
                Outcome::Ok
            }
            "+QSSLCFG" => self.typed.execute(core, statement),
            _ if name.starts_with("+QSSLCFG=") => self.tls(core, statement),
            _ => return None,
        };
        Some(done)
    }

    fn context(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        if values.len() == 1 {
            let [apn, user, password] = &self.apn;
            let values: [Value<'_>; 5] = [
                1.into(),
                apn.as_str().into(),
                user.as_str().into(),
                password.as_str().into(),
                self.authentication.into(),
            ];
            core.info(&q::QICSGP, &values);
            return Outcome::Ok;
        }
        self.authentication = values.int(5).unwrap_or(0);
        self.apn = [2, 3, 4].map(|place| String::from_utf8_lossy(values.text(place)).into_owned());
        if let Some(context) = core
            .radio
            .contexts
            .iter_mut()
            .find(|context| context.cid == DEFAULT_CID)
        {
            context.apn.clone_from(&self.apn[0]);
        }
        Outcome::Ok
    }

    fn activate(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        if statement.form == Form::Read {
            if self.active {
                let address = core.radio.address(DEFAULT_CID).to_string();
                let values: [Value<'_>; 4] =
                    [1.into(), 1.into(), 1.into(), address.as_str().into()];
                core.info(&q::QIACT, &values);
            }
            return Outcome::Ok;
        }
        let up = statement.command.name == "+QIACT";
        if up && self.active {
            core.note(|| "the context is active already".into());
            return Outcome::Error;
        }
        if up && !core.radio.is_active(DEFAULT_CID) && !core.radio.activate(DEFAULT_CID) {
            return Outcome::Error;
        }
        self.active = up;
        Outcome::Ok
    }

    /// AT+QSSLCFG: kept as it was written, for the handshakes to come.
    fn tls(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let option = statement.command.name.split('"').nth(1).unwrap_or_default();
        let context = values.int(0).unwrap_or(0);
        if values.len() == 1 {
            let kept = self.tls.get(&(context, option));
            let default = match option {
                "sslversion" => "4",
                "ciphersuite" => "0XFFFF",
                "negotiatetime" => "300",
                "cacert" | "clientcert" | "clientkey" => "\"\"",
                "ignorelocaltime" => "1",
                _ => "0",
            };
            let value = kept.map_or(default, String::as_str);
            core.info_text(&format!("+QSSLCFG: \"{option}\",{context},{value}"));
            return Outcome::Ok;
        }
        let quoted = matches!(option, "cacert" | "clientcert" | "clientkey");
        let fields: Vec<String> = values.as_slice()[1..]
            .iter()
            .map(|value| match value {
                Value::Int(number) => number.to_string(),
                value if quoted => format!("\"{}\"", String::from_utf8_lossy(value.text())),
                value => String::from_utf8_lossy(value.text()).into_owned(),
            })
            .collect();
        self.tls.insert((context, option), fields.join(","));
        Outcome::Ok
    }

    /// What the handshake of a connection with this context will be.
    pub(super) fn handshake(&self, core: &Core, place: Place, host: &str) -> Result<Tls, String> {
        let (context, _) = place;
        if core.model.bearer == Bearer::NbIot {
            return self.typed.handshake(core, place, host);
        }
        let setting = |name: &str| {
            let mut settings = self.tls.iter();
            let found = settings.find(|((own, option), _)| *own == context && *option == name);
            let value = plain_name(found?.1.trim_matches('"').as_bytes());
            Some(String::from_utf8_lossy(value).into_owned())
        };
        tls::handshake(core, host, setting, |name| {
            tls::file(core, name, &setting(name).unwrap_or_default())
        })
    }

    fn upload(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let name = plain_name(values.text(0)).to_vec();
        if name.is_empty() {
            return Outcome::Cme(cme::INVALID_NAME);
        }
        if core.files.read(&name).is_ok() {
            return Outcome::Cme(cme::EXISTS);
        }
        let size = values.int(1).map_or(UPLOAD_DEFAULT, |size| size as usize);
        if size > core.files.free() {
            return Outcome::Cme(cme::DRIVE_FULL);
        }
        self.upload = Some(Upload { name });
        Outcome::Data(DataMode {
            prompt: b"\r\nCONNECT\r\n",
            len: Some(size),
            cancel: true,
            max: size,
            secret: true,
            idle: Some(Duration::from_secs(values.int(2).unwrap_or(5) as u64)),
            // Source: BG96 FILE, ackmode.
            acknowledge: (values.int(3) == Some(1)).then_some(1024),
            ..DataMode::default()
        })
    }

    /// The bytes of an upload or of a certificate; `None` when it was another command that waited.
    pub(super) fn data(&mut self, core: &mut Core, data: &[u8], end: DataEnd) -> Option<Outcome> {
        let Some(upload) = self.upload.take() else {
            return self.typed.data(core, data, end);
        };
        if end == DataEnd::Cancelled {
            return Some(Outcome::Ok);
        }
        let stored = core
            .files
            .create(&upload.name)
            .and_then(|()| core.files.write(&upload.name, false, data));
        Some(match stored {
            Ok(()) => {
                let sum = format!("{:x}", q::checksum(data));
                core.info(
                    &q::QFUPL,
                    &[(data.len() as i64).into(), sum.as_str().into()],
                );
                Outcome::Ok
            }
            Err(error) => Outcome::Cme(file_code(error)),
        })
    }

    pub(super) fn link(&mut self, core: &mut Core, link: LinkId, event: &LinkEvent<'_>) {
        if let Some(pinger) = &mut self.pinger {
            let pinged = pinger.link(core, link, event);
            self.tell_pings(core, &pinged);
        }
    }

    fn tell_pings(&mut self, core: &mut Core, pinged: &[Pinged]) {
        let Some(host) = self.pinger.as_ref().map(|pinger| pinger.host.clone()) else {
            return;
        };
        for one in pinged {
            match *one {
                Pinged::Reply(millis) => {
                    let values: [Value<'_>; 5] = [
                        0.into(),
                        host.as_str().into(),
                        32.into(),
                        i64::from(millis).into(),
                        255.into(),
                    ];
                    core.report(&q::QPING, &values);
                }
                Pinged::Lost => core.report(&q::QPING_FAILED, &[569.into()]),
                Pinged::NoName => core.report(&q::QPING_FAILED, &[565.into()]),
                Pinged::Done(summary) => {
                    let [least, mean, greatest] = summary.times;
                    let lost = summary.sent - summary.received;
                    let numbers = [
                        0,
                        summary.sent,
                        summary.received,
                        lost,
                        least,
                        greatest,
                        mean,
                    ];
                    core.report(
                        &q::QPING_DONE,
                        &numbers.map(|number| i64::from(number).into()),
                    );
                }
            }
            if matches!(one, Pinged::NoName | Pinged::Done(_)) {
                self.pinger = None;
                return;
            }
        }
    }

    pub(super) fn resolved(
        &mut self,
        core: &mut Core,
        query: QueryId,
        answer: Result<&[IpAddr], NetError>,
    ) {
        if self.names != Some(query) {
            return;
        }
        self.names = None;
        match answer {
            Ok(addresses) if !addresses.is_empty() => {
                let count = addresses.len() as i64;
                core.report(&q::DNSGIP, &[count.into(), 600.into()]);
                for address in addresses {
                    let text = address.to_string();
                    core.report(&q::DNSGIP_ADDRESS, &[text.as_str().into()]);
                }
            }
            _ => core.report(&q::DNSGIP_FAILED, &[]),
        }
    }

    /// Something was typed or heard: the module is awake.
    pub(super) fn stir(&mut self, core: &mut Core) {
        self.saving.stir(core);
    }

    pub(super) fn advance(&mut self, core: &mut Core) {
        if let Some(pinger) = &mut self.pinger {
            let pinged = pinger.advance(core);
            self.tell_pings(core, &pinged);
        }
        self.saving.advance(core);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let pinger = self.pinger.as_ref().and_then(Pinger::next_deadline);
        [pinger, self.saving.sleep_at].into_iter().flatten().min()
    }

    /// What QCGDEFCONT has left for this start.
    pub(super) fn boot(core: &mut Core) {
        if let Some(apn) = core.kept.text("QCGDEFCONT").and_then(|kept| {
            let (_, rest) = kept.split_once('\0')?;
            Some(rest.split('\0').next()?.to_string())
        }) && let Some(context) = core.radio.contexts.first_mut()
        {
            context.apn = apn;
        }
    }
}

impl Saving {
    fn execute(&mut self, core: &mut Core, statement: &Statement<'_>) -> Outcome {
        let values = &statement.values;
        let read = statement.form == Form::Read;
        let text = |index: usize| String::from_utf8_lossy(values.text(index)).into_owned();
        match statement.command.name {
            "+CPSMS" if read => {
                if self.on {
                    let (tau, active) = (self.tau.as_str(), self.active.as_str());
                    core.info(&q::CPSMS, &[1.into(), tau.into(), active.into()]);
                } else {
                    core.info(&q::CPSMS_OFF, &[]);
                }
            }
            "+CPSMS" => {
                let is_bits = |bits: &str| {
                    bits.is_empty()
                        || (bits.len() == 8 && bits.bytes().all(|bit| matches!(bit, b'0' | b'1')))
                };
                let (tau, active) = (text(3), text(4));
                if !is_bits(&tau) || !is_bits(&active) {
                    return Outcome::Error;
                }
                self.on = values.int(0) == Some(1);
                if self.on {
                    // Inferred: without values the network chooses these.
                    let or = |bits: String, other: &str| {
                        if bits.is_empty() { other.into() } else { bits }
                    };
                    self.tau = or(tau, "01000111");
                    self.active = or(active, "00000101");
                }
                let given = [self.active.clone(), self.tau.clone()];
                core.radio.power_saving = self.on.then_some(given);
                self.stir(core);
            }
            "+CEDRXS" if read => {
                if let Some((_, value)) = &self.edrx {
                    core.info(&q::CEDRXS, &[5.into(), value.as_str().into()]);
                }
            }
            "+CEDRXS" => {
                let mode = values.int(0).unwrap_or(0);
                let value = if values.has(2) {
                    text(2)
                } else {
                    "0101".into()
                };
                self.edrx = matches!(mode, 1 | 2).then_some((mode, value));
                if mode == 2 {
                    self.tell_edrx(core, &q::CEDRXP, true);
                }
            }
            "+CEDRXRDP" => self.tell_edrx(core, &q::CEDRXRDP, false),
            "+QNBIOTEVENT" => {
                if !read {
                    self.event = values.int(0) == Some(1);
                }
            }
            _ if read => {
                core.info_text(&format!("+QATWAKEUP: {}", u8::from(self.wake_up)));
            }
            _ => self.wake_up = values.int(0) == Some(1),
        }
        Outcome::Ok
    }

    fn tell_edrx(&self, core: &mut Core, line: &'static Line, unasked: bool) {
        let Some((_, value)) = &self.edrx else {
            core.info_text("+CEDRXRDP: 0");
            return;
        };
        let value = value.as_str();
        let values: [Value<'_>; 4] = [5.into(), value.into(), value.into(), "0011".into()];
        if unasked {
            core.report(line, &values);
        } else {
            core.info(line, &values);
        }
    }

    fn stir(&mut self, core: &mut Core) {
        if self.asleep {
            self.asleep = false;
            core.state(|| "awake".into());
            if self.event {
                core.report(&q::QNBIOTEVENT, &["EXIT PSM".into()]);
            }
            if self.wake_up {
                core.report(&q::QATWAKEUP, &[]);
            }
        }
        self.sleep_at = match active_time(&self.active) {
            Some(span) if self.on => Some(core.now + span),
            _ => None,
        };
    }

    fn advance(&mut self, core: &mut Core) {
        if self.sleep_at.is_some_and(|at| at <= core.now) {
            self.sleep_at = None;
            self.asleep = true;
            core.state(|| "asleep: power saving mode".into());
            if self.event {
                core.report(&q::QNBIOTEVENT, &["ENTER PSM".into()]);
            }
        }
    }
}

/// T3324 as GPRS timer 2. Source: 3GPP TS 24.008, table 10.5.163.
fn active_time(bits: &str) -> Option<Duration> {
    let byte = u8::from_str_radix(bits, 2).ok()?;
    let value = u64::from(byte & 31);
    let seconds = match byte >> 5 {
        0 => value * 2,
        2 => value * 360,
        7 => return None,
        _ => value * 60,
    };
    Some(Duration::from_secs(seconds))
}

fn identify(core: &mut Core, name: &str, is_nb: bool) {
    let model = core.model;
    let revision = format!("Revision: {}", model.firmware);
    // Source: BC26 AT §3.1, §3.5 to §3.7; EC2x AT §2.1 to §2.5.
    let device = if is_nb {
        format!("Quectel_{}", model.title)
    } else {
        model.title.to_string()
    };
    let lines: Vec<&str> = match (name, is_nb) {
        ("I", true) => vec!["Quectel_Ltd", &device, &revision],
        ("I", false) => vec!["Quectel", &device, &revision],
        ("+CGMI" | "+GMI", true) => vec!["Quectel_Ltd", &device, "Revision: MTK_2625"],
        ("+CGMI" | "+GMI", false) => vec!["Quectel"],
        ("+CGMM" | "+GMM", _) => vec![&device],
        (_, true) => vec![&revision],
        (_, false) => vec![model.firmware],
    };
    for line in lines {
        core.info_text(line);
    }
}

fn serial_number(core: &mut Core, which: i64) {
    let imei = core.config.identity.imei.clone();
    // Inferred: the software version is 00, and stands where the check digit of the IMEI does.
    let version = "00";
    match which {
        0 => core.info_text(&imei),
        1 => core.info(&q::CGSN, &[imei.as_str().into()]),
        2 => {
            let text = format!("{}{version}", &imei[..imei.len().min(14)]);
            core.info(&q::CGSN, &[text.as_str().into()]);
        }
        _ => core.info(&q::CGSN, &[version.into()]),
    }
}

fn network_information(core: &mut Core) {
    if !core.radio.stat.has_service() {
        // Inferred.
        core.info_text("+QNWINFO: No Service");
        return;
    }
    let operator = core.radio.world.plmn.clone();
    let values: [Value<'_>; 4] = [
        "FDD LTE".into(),
        operator.as_str().into(),
        "LTE BAND 3".into(),
        1650.into(),
    ];
    core.info(&q::QNWINFO, &values);
}

/// AT+QGACT, whose result comes at once when there is nothing to do.
fn activate_pdn(core: &mut Core, statement: &Statement<'_>) -> Outcome {
    let values = &statement.values;
    let up = values.int(0) == Some(1);
    let cid = DEFAULT_CID;
    if up && !values.has(2) {
        return Outcome::Error;
    }
    let already = core.radio.is_active(cid) == up;
    let done = if up {
        core.radio.activate(cid)
    } else {
        core.radio.deactivate(cid, false);
        true
    };
    let result = match (up, done) {
        (true, true) => "1,1".to_string(),
        (_, done) => u8::from(done).to_string(),
    };
    let fields: [Value<'_>; 3] = [cid.into(), u8::from(up).into(), result.as_str().into()];
    if already {
        core.info(&q::QGACT_RESULT, &fields);
    } else {
        core.info(&q::QGACT, &[cid.into()]);
        core.report(&q::QGACT_RESULT, &fields);
    }
    Outcome::Ok
}

/// AT+QCGDEFCONT: for the next start.
fn default_context(core: &mut Core, statement: &Statement<'_>) -> Outcome {
    let values = &statement.values;
    if statement.form == Form::Read {
        let kept = core.kept.text("QCGDEFCONT").unwrap_or("IP\0\0\0");
        let fields: Vec<_> = kept
            .split('\0')
            .map(|field| format!("\"{field}\""))
            .collect();
        core.info_text(&format!("+QCGDEFCONT: {}", fields.join(",")));
        return Outcome::Ok;
    }
    let fields = [0, 1, 2, 3].map(|index| String::from_utf8_lossy(values.text(index)).into_owned());
    core.kept.insert("QCGDEFCONT", fields.join("\0"));
    Outcome::Ok
}

fn engineering(core: &mut Core, transfer: bool) -> Outcome {
    if transfer || core.radio.world.sim != Sim::Ready {
        return Outcome::Error;
    }
    let world = &core.radio.world;
    let rssi = i64::from(world.rssi) * 2 - 113;
    let text = format!(
        "+QENG: 0,2506,2,251,\"{}\",{},-8,{rssi},12,5,\"{}\",0,-96",
        world.cell.to_ascii_uppercase(),
        rssi - 10,
        world.tac
    );
    core.info_text(&text);
    Outcome::Ok
}

fn files(core: &mut Core, statement: &Statement<'_>) -> Outcome {
    let values = &statement.values;
    let pattern = plain_name(values.text(0)).to_vec();
    let all = pattern.is_empty() || pattern == b"*";
    match statement.command.name {
        "+QFLDS" => {
            let (free, total) = (core.files.free(), core.model.limits.flash);
            core.info(&q::QFLDS, &[(free as i64).into(), (total as i64).into()]);
        }
        "+QFLST" => {
            let found: Vec<_> = core
                .files
                .files()
                .filter(|(name, _)| all || name.as_bytes() == pattern)
                .map(|(name, size)| (name.to_string(), size))
                .collect();
            if found.is_empty() && !all {
                return Outcome::Cme(cme::NOT_FOUND);
            }
            for (name, size) in found {
                core.info(&q::QFLST, &[name.as_str().into(), (size as i64).into()]);
            }
        }
        _ if all => {
            let names: Vec<_> = core
                .files
                .files()
                .map(|(name, _)| name.to_string())
                .collect();
            for name in names {
                let _ = core.files.delete(name.as_bytes());
            }
        }
        _ => {
            if let Err(error) = core.files.delete(&pattern) {
                return Outcome::Cme(file_code(error));
            }
        }
    }
    Outcome::Ok
}

/// A name without the storage before it: `UFS:` is the default, `RAM:` is the same here.
fn plain_name(name: &[u8]) -> &[u8] {
    let name = name.strip_prefix(b"UFS:").unwrap_or(name);
    name.strip_prefix(b"RAM:").unwrap_or(name)
}

fn file_code(error: FileError) -> u16 {
    match error {
        FileError::NotFound | FileError::NotEmpty => cme::NOT_FOUND,
        FileError::Exists => cme::EXISTS,
        FileError::Full => cme::DRIVE_FULL,
        FileError::Path => cme::INVALID_NAME,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_of_24_008() {
        for (bits, seconds) in [("00000101", 10), ("00100100", 240), ("01000001", 360)] {
            assert_eq!(active_time(bits), Some(Duration::from_secs(seconds)));
        }
        assert_eq!(active_time("11100000"), None);
    }
}
