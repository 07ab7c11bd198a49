//! Modules and brokers as JSON.

use super::fleet::Member;
use broker::{Client, Stats};
use dialect::Model;
use dialect::model::Bearer;
use module::{LinkState, Phase, Power, Protocol, State};
use serde_json::{Value, json};

/// A model.
pub(super) fn model(model: &Model) -> Value {
    json!({
        "name": model.name,
        "title": model.title,
        "family": format!("{:?}", model.family).to_lowercase(),
        "bearer": match model.bearer {
            Bearer::WiFi => "wifi",
            Bearer::Cellular => "cellular",
            Bearer::NbIot => "nb-iot",
        },
        "baud": model.defaults.baud,
    })
}

/// A module, without how it is now.
pub(super) fn member(member: &Member) -> Value {
    let (kind, address) = &member.port;
    json!({
        "id": member.id,
        "model": member.model.name,
        "port": { "kind": kind, "address": address },
        "imei": member.imei,
        "seed": member.seed,
    })
}

/// How a module is now.
pub(super) fn state(state: &State) -> Value {
    let pdp = state.pdp.iter().map(|pdp| {
        json!({
            "cid": pdp.cid,
            "type": pdp.kind,
            "apn": pdp.apn,
            "active": pdp.address.is_some(),
            "address": pdp.address,
        })
    });
    let wifi = state.wifi.as_ref();
    json!({
        "power": match state.power {
            Power::Off => "off",
            Power::Booting => "booting",
            Power::On => "on",
        },
        "functionality": state.functionality,
        "signal": state.rssi,
        "registration": state.registration.to_string(),
        "attached": state.attached,
        "sim": state.sim.as_ref().map(ToString::to_string),
        "unix_time": state.unix_time,
        "pdp": pdp.collect::<Vec<_>>(),
        "wifi": wifi.map(|wifi| json!({ "ssid": wifi.ssid, "has_address": wifi.has_address })),
        "links": state.links.iter().map(link).collect::<Vec<_>>(),
        "serial": {
            "baud": state.serial.baud,
            "from_host": state.serial.from_host,
            "to_host": state.serial.to_host,
            "lines": state.serial.lines,
            "waiting": state.serial.waiting,
        },
    })
}

fn link(link: &LinkState) -> Value {
    let session = link.session.as_ref().map(|session| {
        json!({
            "client_id": session.client_id,
            "clean_session": session.clean_session,
            "keep_alive": session.keep_alive,
            "subscriptions": subscriptions(&session.subscriptions),
            "in_flight": session.in_flight,
        })
    });
    json!({
        "index": link.index,
        "protocol": match link.protocol {
            Protocol::Mqtt => "mqtt",
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        },
        "host": link.host,
        "port": link.port,
        "tls": link.tls,
        "websocket": link.websocket,
        "phase": match link.phase {
            Phase::Closed => "closed",
            Phase::Opening => "opening",
            Phase::Open => "open",
            Phase::LoggingIn => "logging-in",
            Phase::Up => "connected",
            Phase::LoggedOut => "logged-out",
            Phase::Dead => "dead",
        },
        "session": session,
    })
}

fn subscriptions<S: AsRef<str>>(filters: &[(S, mqtt::QoS)]) -> Vec<Value> {
    let one =
        |(filter, qos): &(S, mqtt::QoS)| json!({ "filter": filter.as_ref(), "qos": qos.level() });
    filters.iter().map(one).collect()
}

/// A session at the broker.
pub(super) fn client(client: &Client<'_>) -> Value {
    json!({
        "client_id": client.client_id,
        "online": client.online,
        "subscriptions": subscriptions(client.subscriptions),
        "queued": client.queued,
    })
}

/// Numbers of the broker.
pub(super) fn stats(stats: &Stats) -> Value {
    json!({
        "connections": stats.connections,
        "sessions": stats.sessions,
        "retained": stats.retained,
        "accepted": stats.accepted,
        "refused": stats.refused,
        "timeouts": stats.timeouts,
        "violations": stats.violations,
        "published": stats.published,
        "delivered": stats.delivered,
        "dropped": stats.dropped,
    })
}
