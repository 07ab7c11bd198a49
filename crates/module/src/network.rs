//! 27.007 commands.

use crate::Reboot;
use crate::api::{Registration, Sim};
use crate::core::{Core, Outcome};
use crate::radio::{Change, Context};
use dialect::model::Bearer;
use dialect::{Form, Statement, Value, network};

/// CME errors of 3GPP TS 27.007 §9.2.1 that are given here.
mod cme {
    pub(super) const NOT_ALLOWED: u16 = 3;
    pub(super) const SIM_NOT_INSERTED: u16 = 10;
    pub(super) const SIM_PIN_REQUIRED: u16 = 11;
    pub(super) const SIM_BUSY: u16 = 14;
    pub(super) const INCORRECT_PASSWORD: u16 = 16;
    pub(super) const NO_SERVICE: u16 = 30;
    pub(super) const UNSPECIFIED_GPRS: u16 = 148;
}

/// `<AcT>`: E-UTRAN, or E-UTRAN in NB-S1 mode.
fn access_technology(core: &Core) -> i64 {
    match core.model.bearer {
        Bearer::NbIot => 9,
        Bearer::Cellular | Bearer::WiFi => 7,
    }
}

/// Runs a 27.007 command; `None` when it is none.
pub(crate) fn execute(core: &mut Core, statement: &Statement<'_>) -> Option<Outcome> {
    let values = &statement.values;
    let timing = &core.model.timing;
    let pace = core.config.pace;
    Some(match (statement.command.name, statement.form) {
        ("+CPIN", Form::Read) => return Some(read_pin(core)),
        ("+CPIN", _) => enter_pin(core, values.text(0)),
        ("+CSQ", _) => {
            // A bit error rate exists only during a call: 0 as the manual's example has it, 99 without a signal.
            let rssi = core.rssi();
            let ber = if rssi == 99 { 99_u8 } else { 0 };
            core.info(&network::CSQ, &[rssi.into(), ber.into()]);
            Outcome::Ok
        }
        ("+CESQ", _) => {
            // The same signal in the LTE fields; RSRP is some 25 dB below RSSI on 50 resource blocks. Inferred.
            let (rsrq, rsrp) = match core.rssi() {
                99 => (255, 255),
                rssi => (20, (i64::from(rssi) * 2 - 113 - 25 + 141).clamp(0, 97)),
            };
            let fields = [99, 99, 255, 255, rsrq, rsrp].map(Value::Int);
            core.info(&network::CESQ, &fields);
            Outcome::Ok
        }
        ("+CREG" | "+CGREG" | "+CEREG", Form::Read) => {
            let which = registration_index(statement.command.name);
            let n = core.radio.reporting[which];
            let text = format!(
                "{}: {n},{}",
                statement.command.name,
                registration_fields(core, n)
            );
            core.info_text(&text);
            Outcome::Ok
        }
        ("+CREG" | "+CGREG" | "+CEREG", _) => {
            let which = registration_index(statement.command.name);
            core.radio.reporting[which] = values.int(0).unwrap_or(0) as u8;
            Outcome::Ok
        }
        ("+CGATT", Form::Read) => {
            // What a module with a private network's SIM shows before its APN is right: tutorial §7.
            let attached = core.radio.attached;
            core.info(&network::CGATT, &[u8::from(attached).into()]);
            Outcome::Ok
        }
        ("+CGATT", _) => {
            let attach = values.int(0) == Some(1);
            let done = core.radio.set_attached(core.now, attach, timing, pace);
            if done {
                Outcome::Ok
            } else {
                Outcome::Cme(cme::NO_SERVICE)
            }
        }
        ("+CGDCONT", Form::Read) => {
            let contexts = core.radio.contexts.clone();
            for context in contexts {
                let text = context_line(core, &context);
                core.info_text(&text);
            }
            Outcome::Ok
        }
        ("+CGDCONT", _) => define_context(core, statement),
        ("+CGACT", Form::Read) => {
            let states: Vec<_> = core
                .radio
                .contexts
                .iter()
                .map(|c| (c.cid, u8::from(c.active)))
                .collect();
            for (cid, state) in states {
                core.info(&network::CGACT, &[cid.into(), state.into()]);
            }
            Outcome::Ok
        }
        ("+CGACT", _) => activate(core, values.int(0) == Some(1), values.int(1)),
        ("+CGPADDR", _) => {
            let cids: Vec<u8> = core
                .radio
                .contexts
                .iter()
                .filter(|c| c.active)
                .map(|c| c.cid)
                .collect();
            for cid in cids
                .into_iter()
                .filter(|cid| values.int(0).is_none_or(|asked| asked == i64::from(*cid)))
            {
                let address = core.radio.address(cid).to_string();
                core.info(&network::CGPADDR, &[cid.into(), address.as_str().into()]);
            }
            Outcome::Ok
        }
        ("+CGCONTRDP", _) => {
            let cids: Vec<u8> = core
                .radio
                .contexts
                .iter()
                .filter(|c| c.active)
                .map(|c| c.cid)
                .collect();
            for cid in cids
                .into_iter()
                .filter(|cid| values.int(0).is_none_or(|asked| asked == i64::from(*cid)))
            {
                let radio = &core.radio;
                let text = format!(
                    "+CGCONTRDP: {cid},{},\"{}\",\"{}\",\"\",,\"{}\",\"{}\"",
                    cid + 4,
                    radio.apn_of(cid),
                    radio.address(cid),
                    radio.world.dns[0],
                    radio.world.dns[1],
                );
                core.info_text(&text);
            }
            Outcome::Ok
        }
        ("+CGAUTH", Form::Read) => Outcome::Ok,
        ("+CGAUTH", _) => Outcome::Ok,
        ("+CGEREP", Form::Read) => {
            let text = format!("+CGEREP: {},0", core.radio.event_reporting);
            core.info_text(&text);
            Outcome::Ok
        }
        ("+CGEREP", _) => {
            core.radio.event_reporting = values.int(0).unwrap_or(0) as u8;
            Outcome::Ok
        }
        ("+COPS", Form::Read) => {
            read_operator(core);
            Outcome::Ok
        }
        ("+COPS", _) => set_operator(core, statement),
        ("+CFUN", Form::Read) => {
            core.info(&network::CFUN, &[core.radio.fun.into()]);
            Outcome::Ok
        }
        ("+CFUN", _) => {
            if values.int(1).is_some_and(|reset| reset > 0) {
                core.reboot(Reboot::Command);
            } else {
                let fun = match values.int(0) {
                    // The BC26's number for the radio off and the SIM with it.
                    Some(7) => 4,
                    fun => fun.unwrap_or(1) as u8,
                };
                core.radio.set_fun(core.now, fun, timing, pace);
            }
            Outcome::Ok
        }
        ("+CCLK", Form::Read) => {
            let time = core.clock.cclk(core.now);
            core.info(&network::CCLK, &[time.as_str().into()]);
            Outcome::Ok
        }
        ("+CCLK", _) => {
            let set = core.clock.set(core.now, values.text(0));
            if set { Outcome::Ok } else { Outcome::BAD_VALUE }
        }
        ("+CIMI", _) => {
            if let Some(error) = sim_error(core) {
                error
            } else {
                let imsi = core.config.identity.imsi.clone();
                core.info(&network::DIGITS, &[imsi.as_str().into()]);
                Outcome::Ok
            }
        }
        ("+CGSN" | "+GSN", _) => {
            let imei = core.config.identity.imei.clone();
            core.info(&network::DIGITS, &[imei.as_str().into()]);
            Outcome::Ok
        }
        _ => return None,
    })
}

/// Prints the reports of 27.007 that a change calls for.
pub(crate) fn report(core: &mut Core, change: &Change) {
    if *change != Change::Registration {
        return;
    }
    core.state(|| "registration changed".into());
    for (which, name) in ["+CREG", "+CGREG", "+CEREG"].into_iter().enumerate() {
        let n = core.radio.reporting[which];
        if n > 0 {
            let text = format!("{name}: {}", registration_fields(core, n));
            core.report_text(text.as_bytes());
        }
    }
}

/// Why the SIM cannot be used, when it cannot.
pub(crate) fn sim_error(core: &mut Core) -> Option<Outcome> {
    match &core.radio.world.sim {
        Sim::Ready => None,
        Sim::Pin(_) => Some(Outcome::Cme(cme::SIM_PIN_REQUIRED)),
        Sim::Absent => Some(Outcome::Cme(cme::SIM_NOT_INSERTED)),
        Sim::Busy => {
            let (timing, pace) = (&core.model.timing, core.config.pace);
            core.radio.asked_for_sim(core.now, timing, pace);
            Some(Outcome::Cme(cme::SIM_BUSY))
        }
    }
}

/// What `+CPIN:` says of the SIM.
pub(crate) fn sim_code(sim: &Sim) -> Option<&'static str> {
    match sim {
        Sim::Ready => Some("READY"),
        Sim::Pin(_) => Some("SIM PIN"),
        Sim::Absent | Sim::Busy => None,
    }
}

fn read_pin(core: &mut Core) -> Outcome {
    match sim_code(&core.radio.world.sim) {
        Some(code) => {
            core.info(&network::CPIN, &[code.into()]);
            Outcome::Ok
        }
        None => sim_error(core).unwrap_or(Outcome::Ok),
    }
}

fn enter_pin(core: &mut Core, pin: &[u8]) -> Outcome {
    match &core.radio.world.sim {
        Sim::Pin(wanted) if wanted.as_bytes() == pin => {
            let event = crate::NetworkEvent::Sim(Sim::Ready);
            core.radio
                .event(core.now, &core.model.timing, core.config.pace, event);
            Outcome::Ok
        }
        Sim::Pin(_) => Outcome::Cme(cme::INCORRECT_PASSWORD),
        Sim::Ready => Outcome::Cme(cme::NOT_ALLOWED),
        Sim::Absent | Sim::Busy => sim_error(core).unwrap_or(Outcome::Ok),
    }
}

fn registration_index(name: &str) -> usize {
    match name {
        "+CREG" => 0,
        "+CGREG" => 1,
        _ => 2,
    }
}

/// `1` or, from `n` 2 on and with service, `1,"1863","00a2c315",7`.
fn registration_fields(core: &Core, n: u8) -> String {
    let radio = &core.radio;
    let stat = radio.stat.stat();
    if n < 2 || !radio.stat.has_service() {
        return stat.to_string();
    }
    let place = format!(
        "{stat},\"{}\",\"{}\",{}",
        radio.world.tac,
        radio.world.cell,
        access_technology(core)
    );
    // 3GPP TS 27.007 §10.1.22: from 4 on with what the network gave for power saving.
    match &radio.power_saving {
        Some([active, tau]) if n >= 4 => format!("{place},,,\"{active}\",\"{tau}\""),
        _ => place,
    }
}

fn context_line(core: &Core, context: &Context) -> String {
    let form = core.model.defaults.cgdcont;
    let address = match form.address {
        Some(address) => address.into(),
        None if context.active => core.radio.address(context.cid).to_string(),
        None => String::new(),
    };
    let apn = core.radio.apn_of(context.cid);
    format!(
        "+CGDCONT: {},\"{}\",\"{apn}\",\"{address}\"{}",
        context.cid, context.kind, form.tail
    )
}

fn define_context(core: &mut Core, statement: &Statement<'_>) -> Outcome {
    let values = &statement.values;
    let cid = values.int(0).unwrap_or(1) as u8;
    if core.radio.is_active(cid) && values.len() == 1 {
        return Outcome::Cme(cme::NOT_ALLOWED);
    }
    let contexts = &mut core.radio.contexts;
    if values.len() == 1 {
        contexts.retain(|context| context.cid != cid);
        return Outcome::Ok;
    }
    let kind = match values.text(1).to_ascii_uppercase().as_slice() {
        b"" | b"IP" => "IP",
        b"IPV6" => "IPV6",
        b"IPV4V6" => "IPV4V6",
        b"PPP" => "PPP",
        b"NON-IP" => "Non-IP",
        _ => return Outcome::BAD_VALUE,
    };
    let apn = String::from_utf8_lossy(values.text(2)).into_owned();
    match contexts.iter_mut().find(|context| context.cid == cid) {
        Some(context) => {
            context.kind = kind.into();
            context.apn = apn;
        }
        None => contexts.push(Context {
            cid,
            kind: kind.into(),
            apn,
            active: false,
        }),
    }
    contexts.sort_by_key(|context| context.cid);
    Outcome::Ok
}

fn activate(core: &mut Core, activate: bool, cid: Option<i64>) -> Outcome {
    let cids: Vec<u8> = match cid {
        Some(cid) => vec![cid as u8],
        None => core
            .radio
            .contexts
            .iter()
            .map(|context| context.cid)
            .collect(),
    };
    for cid in cids {
        if core.radio.context(cid).is_none() {
            return Outcome::BAD_VALUE;
        }
        if !activate {
            core.radio.deactivate(cid, false);
        } else if !core.radio.activate(cid) {
            let apn = core.radio.apn_of(cid);
            core.note(|| format!("the network gives no PDP context for the APN \"{apn}\""));
            return Outcome::Cme(cme::UNSPECIFIED_GPRS);
        }
    }
    Outcome::Ok
}

fn read_operator(core: &mut Core) {
    let (mode, format) = core.radio.cops;
    if !core.radio.stat.has_service() {
        core.info(&network::COPS_NONE, &[mode.into()]);
        return;
    }
    let world = &core.radio.world;
    let operator = match format {
        0 => &world.operator,
        1 => &world.operator_short,
        _ => &world.plmn,
    }
    .clone();
    core.info(
        &network::COPS,
        &[
            mode.into(),
            format.into(),
            operator.as_str().into(),
            access_technology(core).into(),
        ],
    );
}

fn set_operator(core: &mut Core, statement: &Statement<'_>) -> Outcome {
    let values = &statement.values;
    let mode = values.int(0).unwrap_or(0) as u8;
    let timing = &core.model.timing;
    if let Some(format) = values.int(1) {
        core.radio.cops.1 = format as u8;
    }
    match mode {
        0 => {
            core.radio.cops.0 = 0;
            core.radio.search(core.now, timing, core.config.pace);
        }
        1 | 4 => {
            let world = &core.radio.world;
            let asked = values.text(2);
            let known = [&world.operator, &world.operator_short, &world.plmn]
                .iter()
                .any(|name| name.as_bytes() == asked);
            if !known && mode == 1 {
                return Outcome::Cme(cme::NO_SERVICE);
            }
            core.radio.cops.0 = if known { mode } else { 0 };
            core.radio.search(core.now, timing, core.config.pace);
        }
        2 => {
            core.radio.cops.0 = 2;
            let event = crate::NetworkEvent::Registration(Registration::NotRegistered);
            let target = core.radio.world.registration;
            core.radio.event(core.now, timing, core.config.pace, event);
            core.radio.world.registration = target;
        }
        _ => {}
    }
    Outcome::Ok
}
