//! What answers each request.

use super::bench::Bench;
use super::condition::Condition;
use super::fleet::{Ask, Member, Refused};
use super::journal::Journal;
use super::{App, Json, Name, Names, Params, Refusal, json_response, view};
use crate::runtime::Gone;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use futures_util::stream;
use instant::Instant;
use iotda::Request as PlatformRequest;
use module::NetworkEvent;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use world::fault::{FaultError, WORDS};
use world::{FAULTS_MAX, Fault, FaultId, InjectError, Rig, TooMany, Weather};

type Answer = Result<Response, Refusal>;
type Routed = MethodRouter<Arc<App>>;

/// What there is, and what answers it.
#[allow(clippy::type_complexity)] // a table
pub(super) const ROUTES: &[(MethodFilter, &str, fn(MethodFilter) -> Routed)] = &[
    (MethodFilter::GET, "/", |m| on(m, root)),
    (MethodFilter::GET, "/openapi.json", |m| on(m, document)),
    (MethodFilter::GET, "/models", |m| on(m, models)),
    (MethodFilter::GET, "/faults", |m| on(m, vocabulary)),
    (MethodFilter::GET, "/modules", |m| on(m, modules)),
    (MethodFilter::POST, "/modules", |m| on(m, create)),
    (MethodFilter::GET, "/modules/{id}", |m| on(m, module)),
    (MethodFilter::PATCH, "/modules/{id}", |m| on(m, change)),
    (MethodFilter::DELETE, "/modules/{id}", |m| on(m, remove)),
    (MethodFilter::POST, "/modules/{id}/power", |m| on(m, power)),
    (MethodFilter::GET, "/modules/{id}/faults", |m| on(m, faults)),
    (MethodFilter::POST, "/modules/{id}/faults", |m| {
        on(m, inject)
    }),
    (MethodFilter::DELETE, "/modules/{id}/faults", |m| {
        on(m, clear_all)
    }),
    (MethodFilter::DELETE, "/modules/{id}/faults/{number}", |m| {
        on(m, clear)
    }),
    (MethodFilter::POST, "/modules/{id}/weather", |m| {
        on(m, weather)
    }),
    (MethodFilter::GET, "/modules/{id}/trace", |m| on(m, trace)),
    (MethodFilter::GET, "/modules/{id}/trace/events", |m| {
        on(m, trace_events)
    }),
    (MethodFilter::GET, "/modules/{id}/wait", |m| on(m, wait)),
    (MethodFilter::GET, "/broker", |m| on(m, broker)),
    (MethodFilter::GET, "/broker/clients", |m| on(m, clients)),
    (MethodFilter::DELETE, "/broker/clients/{client_id}", |m| {
        on(m, drop_client)
    }),
    (MethodFilter::POST, "/broker/messages", |m| on(m, publish)),
    (MethodFilter::GET, "/broker/trace", |m| on(m, broker_trace)),
    (MethodFilter::GET, "/broker/trace/events", |m| {
        on(m, broker_trace_events)
    }),
    (MethodFilter::GET, "/broker/wait", |m| on(m, broker_wait)),
    (MethodFilter::POST, "/broker/iotda", |m| on(m, ask_platform)),
];

/// The description of all this; the program's version and models come in as it is served.
const DOCUMENT: &str = include_str!("openapi.json");

#[allow(clippy::unnecessary_wraps)] // what handlers end with
fn ok(body: &Value) -> Answer {
    Ok(json_response(StatusCode::OK, body))
}

async fn root(State(app): State<Arc<App>>) -> Answer {
    ok(&json!({
        "name": "modemq",
        "version": env!("CARGO_PKG_VERSION"),
        "description": "/openapi.json",
        "modules": app.members.all().len(),
        "broker": app.bench.is_some(),
    }))
}

async fn document() -> Answer {
    let mut document: Value = serde_json::from_str(DOCUMENT).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    let models: Vec<&str> = dialect::model::ALL.iter().map(|model| model.name).collect();
    let new = &mut document["components"]["schemas"]["NewModule"]["properties"];
    new["model"] = json!({ "enum": models, "description": "Which." });
    ok(&document)
}

async fn models() -> Answer {
    let models: Vec<Value> = dialect::model::ALL.iter().map(view::model).collect();
    ok(&json!({ "models": models }))
}

async fn modules(State(app): State<Arc<App>>) -> Answer {
    let members = app.members.all();
    let modules: Vec<Value> = members.iter().map(|member| view::member(member)).collect();
    ok(&json!({ "modules": modules }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum NewPort {
    /// The name of a link in the folder for temporary files.
    Pty(String),
    /// An address.
    Tcp(String),
    /// An address.
    Rfc2217(String),
}

/// Options of `modemq module` that a module may have which is made here. Files, programs and devices of the machine are not
/// among them.
const OPTIONS: [&str; 17] = [
    "seed",
    "pace",
    "latency",
    "baud",
    "imei",
    "iccid",
    "imsi",
    "mac",
    "wifi",
    "signal",
    "operator",
    "registration",
    "sim",
    "apn",
    "apn_allow",
    "white_list",
    "clock",
];

/// Those of them that are numbers, and that may be given more than once.
const NUMBERS: [&str; 4] = ["seed", "latency", "baud", "signal"];
const LISTS: [&str; 3] = ["wifi", "apn_allow", "white_list"];

async fn create(State(app): State<Arc<App>>, Json(wanted): Json<Map<String, Value>>) -> Answer {
    let args = arguments(wanted)?;
    let (answer, made) = oneshot::channel();
    let gone = || Refusal::conflict("the program is about to end");
    app.asks.send(Ask { args, answer }).map_err(|_| gone())?;
    match made.await.map_err(|_| gone())? {
        Ok(member) => {
            let place = format!("/modules/{}", member.id);
            let response = json_response(StatusCode::CREATED, &view::member(&member));
            Ok(([(header::LOCATION, place)], response).into_response())
        }
        Err(Refused::Wrong(why)) => Err(Refusal::unprocessable(why)),
        Err(Refused::Taken(why)) => Err(Refusal::conflict(why)),
    }
}

/// The command line that makes the module.
fn arguments(wanted: Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let bad = |why: String| Refusal::new(StatusCode::BAD_REQUEST, why);
    let mut args = Vec::new();
    let mut model = None;
    for (name, value) in wanted {
        match (name.as_str(), value) {
            ("model", Value::String(name)) => model = Some(name),
            ("port", port) => {
                let port = serde_json::from_value::<NewPort>(port);
                match port.map_err(|error| bad(format!("port: {error}")))? {
                    NewPort::Tcp(address) => args.push(format!("--tcp={address}")),
                    NewPort::Rfc2217(address) => args.push(format!("--rfc2217={address}")),
                    NewPort::Pty(link) => args.push(format!("--pty={}", link_path(&link)?)),
                }
            }
            (option, value) if OPTIONS.contains(&option) => {
                let (lists, numbers) = (LISTS.contains(&option), NUMBERS.contains(&option));
                let values = match value {
                    Value::Array(values) if lists => values,
                    value if !lists => vec![value],
                    _ => return Err(bad(format!("{name} is a list of texts"))),
                };
                for value in values {
                    let value = match value {
                        Value::Number(number) if numbers => number.to_string(),
                        Value::String(text) if !numbers => text,
                        _ if numbers => return Err(bad(format!("{name} is a number"))),
                        _ => return Err(bad(format!("{name} is made of text"))),
                    };
                    let option = option.replace('_', "-");
                    args.push(format!("--{option}={value}"));
                }
            }
            ("model", _) => return Err(bad("model is a text".into())),
            _ => {
                return Err(bad(format!(
                    "{name:?} is none of model, port, {}",
                    OPTIONS.join(", ")
                )));
            }
        }
    }
    let model = model.ok_or_else(|| bad("model is wanted; /models lists them".into()))?;
    args.push("--".into());
    args.push(model);
    Ok(args)
}

/// A link that is asked for over the network stays in the folder for temporary files.
fn link_path(name: &str) -> Result<String, Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(plain) {
        return Err(Refusal::unprocessable(
            "a link is named by letters, digits, - _ and ., and is made in the folder for temporary files",
        ));
    }
    Ok(std::env::temp_dir().join(name).display().to_string())
}

fn find(app: &App, id: &str) -> Result<Arc<Member>, Refusal> {
    let member = id.parse().ok().and_then(|id| app.members.find(id));
    member.ok_or_else(|| no_module(id))
}

fn no_module(id: &str) -> Refusal {
    Refusal::not_found(format!("there is no module {id}; /modules lists them"))
}

async fn state_of(member: &Member) -> Result<module::State, Refusal> {
    let state = member.handle.ask(|rig, now| rig.module().state(now)).await;
    state.map_err(|Gone| no_module(&member.id.to_string()))
}

async fn module(State(app): State<Arc<App>>, Name(id): Name) -> Answer {
    let member = find(&app, &id)?;
    let cursor = member.journal.last();
    let state = state_of(&member).await?;
    let mut body = view::member(&member);
    body["state"] = view::state(&state);
    body["cursor"] = cursor.into();
    ok(&body)
}

async fn remove(State(app): State<Arc<App>>, Name(id): Name) -> Answer {
    let member = find(&app, &id)?;
    if app.members.remove(member.id) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(no_module(&id))
    }
}

/// What the world is like from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    #[serde(default, deserialize_with = "given")]
    signal: Option<u8>,
    #[serde(default, deserialize_with = "given")]
    sim: Option<String>,
    #[serde(default, deserialize_with = "given")]
    registration: Option<String>,
    #[serde(default, deserialize_with = "given")]
    unix_time: Option<i64>,
}

/// The last cursor that languages without larger integers can hold; no program lives so long.
const CURSOR_MAX: u64 = (1 << 53) - 1;

fn cursor<'de, D: Deserializer<'de>>(value: D) -> Result<Option<u64>, D::Error> {
    match u64::deserialize(value)? {
        cursor @ ..=CURSOR_MAX => Ok(Some(cursor)),
        _ => Err(D::Error::custom(format!("a cursor is 0 to {CURSOR_MAX}"))),
    }
}

/// What may be left out, and is no null when it is there.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// The last second of 2099: what `AT+CCLK` can show.
const CLOCK_MAX: i64 = 4_102_444_799;

impl Change {
    fn events(&self) -> Result<Vec<NetworkEvent>, String> {
        let mut events = Vec::new();
        if let Some(rssi) = self.signal {
            if !matches!(rssi, 0..=31 | 99) {
                return Err("signal is 0 to 31, or 99 for none".into());
            }
            events.push(NetworkEvent::Signal { rssi });
        }
        if let Some(sim) = &self.sim {
            let sim = sim.parse().map_err(|why| format!("sim is {why}"))?;
            events.push(NetworkEvent::Sim(sim));
        }
        if let Some(registration) = &self.registration {
            let found = registration.parse();
            let found = found.map_err(|why| format!("registration is {why}"))?;
            events.push(NetworkEvent::Registration(found));
        }
        if let Some(seconds) = self.unix_time {
            if !(0..=CLOCK_MAX).contains(&seconds) {
                return Err(format!("unix_time is 0 to {CLOCK_MAX}"));
            }
            events.push(NetworkEvent::ClockSet(seconds));
        }
        if events.is_empty() {
            return Err("signal, sim, registration or unix_time is wanted".into());
        }
        Ok(events)
    }
}

async fn change(State(app): State<Arc<App>>, Name(id): Name, Json(change): Json<Change>) -> Answer {
    let member = find(&app, &id)?;
    let cellular = change.sim.is_some() || change.registration.is_some();
    if cellular && member.model.bearer == dialect::model::Bearer::WiFi {
        let title = member.model.title;
        return Err(Refusal::conflict(format!(
            "sim and registration are for cellular modules, and the {title} is none"
        )));
    }
    let events = change.events().map_err(Refusal::unprocessable)?;
    do_to(&member, events).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    action: Action,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Action {
    /// The firmware crashes and starts again.
    Reboot,
    /// Power is cut and comes back; to a module that has none it comes.
    Cycle,
    /// Power is cut.
    Cut,
}

async fn power(State(app): State<Arc<App>>, Name(id): Name, Json(act): Json<Act>) -> Answer {
    let member = find(&app, &id)?;
    let event = match act.action {
        Action::Reboot => NetworkEvent::Crash,
        Action::Cycle => NetworkEvent::PowerCycle,
        Action::Cut => NetworkEvent::PowerCut,
    };
    do_to(&member, vec![event]).await
}

/// Does something to a module: the answer is how it is then, and the cursor from before.
async fn do_to(member: &Member, events: Vec<NetworkEvent>) -> Answer {
    let cursor = member.journal.last();
    let state = member.handle.ask(move |rig, now| {
        for event in events {
            rig.network(now, event);
        }
        rig.module().state(now)
    });
    let state = state.await;
    let state = state.map_err(|Gone| no_module(&member.id.to_string()))?;
    ok(&json!({ "cursor": cursor, "state": view::state(&state) }))
}

async fn vocabulary() -> Answer {
    let words = WORDS.iter().map(|word| {
        json!({
            "word": word.name,
            "arguments": word.args,
            "about": word.about,
            "example": word.example,
            "cellular": word.cellular,
        })
    });
    let weathers = world::weather::BUILT_IN.iter().map(|(name, text)| {
        let about = Weather::parse(text).map(|weather| weather.about);
        json!({ "name": name, "about": about.unwrap_or_default(), "lines": text })
    });
    ok(&json!({
        "words": words.collect::<Vec<_>>(),
        "weathers": weathers.collect::<Vec<_>>(),
    }))
}

async fn faults(State(app): State<Arc<App>>, Name(id): Name) -> Answer {
    let member = find(&app, &id)?;
    let listed = member.handle.ask(|rig, _| {
        let listed = rig.faults().map(|status| {
            json!({
                "id": status.id.0,
                "fault": status.fault.to_string(),
                "active": status.active,
                "strikes": status.strikes,
                "next_us": status.next.map(Instant::as_micros),
            })
        });
        listed.collect::<Vec<Value>>()
    });
    let listed = listed.await.map_err(|Gone| no_module(&id))?;
    ok(&json!({ "faults": listed }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Inject {
    fault: String,
}

async fn inject(State(app): State<Arc<App>>, Name(id): Name, Json(wanted): Json<Inject>) -> Answer {
    let member = find(&app, &id)?;
    let fault: Fault = wanted.fault.parse().map_err(|error: FaultError| {
        let line = &wanted.fault;
        Refusal::unprocessable(format!("{line:?}, {error}"))
    })?;
    let (cursor, injected) = inject_all(&member, vec![fault], true).await?;
    let mut body = injected.into_iter().next().unwrap_or_default();
    body["cursor"] = cursor.into();
    Ok(json_response(StatusCode::CREATED, &body))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Sky {
    /// A weather that has a name.
    Weather(String),
    /// One of the caller's own: lines, as in a file.
    Lines(String),
}

async fn weather(State(app): State<Arc<App>>, Name(id): Name, Json(sky): Json<Sky>) -> Answer {
    let member = find(&app, &id)?;
    let text = match &sky {
        Sky::Lines(lines) => lines,
        Sky::Weather(name) => Weather::text_of(name).ok_or_else(|| {
            Refusal::unprocessable(format!("there is no weather {name:?}; /faults lists them"))
        })?,
    };
    let weather = Weather::parse(text);
    let weather = weather.map_err(|error| Refusal::unprocessable(error.to_string()))?;
    let (cursor, injected) = inject_all(&member, weather.faults, false).await?;
    let body = json!({ "faults": injected, "cursor": cursor });
    Ok(json_response(StatusCode::CREATED, &body))
}

/// Injects faults; those that the model cannot have are left out, unless each of them is meant.
async fn inject_all(
    member: &Member,
    faults: Vec<Fault>,
    each: bool,
) -> Result<(u64, Vec<Value>), Refusal> {
    let cursor = member.journal.last();
    let injected = member.handle.ask(move |rig, now| {
        let mut injected = Vec::new();
        // All of them or none.
        if rig.faults().count() + faults.len() > FAULTS_MAX {
            return Err(TooMany.to_string());
        }
        for fault in faults {
            let line = fault.to_string();
            match rig.inject(now, fault) {
                Ok(id) => injected.push(json!({ "id": id.0, "fault": line })),
                Err(InjectError::NotHere(_)) if !each => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(injected)
    });
    let injected = injected.await;
    let injected = injected.map_err(|Gone| no_module(&member.id.to_string()))?;
    Ok((cursor, injected.map_err(Refusal::conflict)?))
}

async fn clear_all(State(app): State<Arc<App>>, Name(id): Name) -> Answer {
    let member = find(&app, &id)?;
    let cleared = member.handle.ask(Rig::clear_all).await;
    cleared.map_err(|Gone| no_module(&id))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn clear(State(app): State<Arc<App>>, Names((id, fault)): Names) -> Answer {
    let member = find(&app, &id)?;
    let cleared = match fault.parse() {
        Ok(number) => {
            let cleared = member
                .handle
                .ask(move |rig, now| rig.clear(now, FaultId(number)));
            cleared.await.map_err(|Gone| no_module(&id))?
        }
        Err(_) => false,
    };
    if cleared {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        let why = format!("module {id} has no fault {fault}, or none any more");
        Err(Refusal::not_found(why))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default, deserialize_with = "cursor")]
    since: Option<u64>,
    limit: Option<u32>,
}

const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 4_000;

/// A cursor that the journal may have given: one beyond its end is of a program that ran before, and nothing would ever meet it.
fn known(journal: &Journal, cursor: Option<u64>) -> Result<Option<u64>, Refusal> {
    let last = journal.last();
    match cursor {
        Some(cursor) if cursor > last => Err(Refusal::conflict(format!(
            "{cursor} is no cursor of this run, whose last entry is {last}: begin anew without one"
        ))),
        cursor => Ok(cursor),
    }
}

impl Page {
    fn of(&self, journal: &Journal) -> Answer {
        let limit = self.limit.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            let why = format!("limit is 1 to {LIMIT_MAX}");
            return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
        }
        let part = journal.part(known(journal, self.since)?, limit as usize);
        ok(&serde_json::to_value(&part).unwrap_or_default())
    }
}

async fn trace(State(app): State<Arc<App>>, Name(id): Name, Params(page): Params<Page>) -> Answer {
    page.of(&find(&app, &id)?.journal)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stream {
    #[serde(default, deserialize_with = "cursor")]
    since: Option<u64>,
    timeout_ms: Option<u64>,
}

/// The longest time that a wait or a stream may be given.
const TIMEOUT_MAX: u64 = 3_600_000;

fn span(timeout_ms: u64) -> Result<Duration, Refusal> {
    if timeout_ms > TIMEOUT_MAX {
        let why = format!("timeout_ms is 0 to {TIMEOUT_MAX}");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, why));
    }
    Ok(Duration::from_millis(timeout_ms))
}

impl Stream {
    fn of(&self, journal: &Arc<Journal>, headers: &HeaderMap) -> Answer {
        let deadline = match self.timeout_ms {
            Some(timeout) => Some(tokio::time::Instant::now() + span(timeout)?),
            None => None,
        };
        // A client that comes back says where it was.
        let last = match headers.get("last-event-id") {
            Some(last) => {
                let last = last.to_str().ok().and_then(|last| last.parse().ok());
                Some(last.filter(|last| *last <= CURSOR_MAX).ok_or_else(|| {
                    let why = format!("Last-Event-ID is 0 to {CURSOR_MAX}");
                    Refusal::new(StatusCode::BAD_REQUEST, why)
                })?)
            }
            None => None,
        };
        let cursor = known(journal, last.or(self.since))?.unwrap_or_else(|| journal.last());
        let start = (journal.clone(), cursor);
        let events = stream::unfold(start, move |(journal, cursor)| async move {
            let more = journal.more(cursor);
            let there = match deadline {
                Some(deadline) => tokio::time::timeout_at(deadline, more)
                    .await
                    .unwrap_or(false),
                None => more.await,
            };
            if !there {
                return None;
            }
            let part = journal.part(Some(cursor), 1);
            let entry = part.entries.first()?;
            let mut event = sse::Event::default().id(entry.id.to_string());
            if part.lost > 0 {
                event = event.comment(format!("{} lines are no longer kept", part.lost));
            }
            let event = event.data(serde_json::to_string(entry).unwrap_or_default());
            Some((Ok::<_, Infallible>(event), (journal, part.cursor)))
        });
        Ok(Sse::new(events)
            .keep_alive(KeepAlive::default())
            .into_response())
    }
}

async fn trace_events(
    State(app): State<Arc<App>>,
    Name(id): Name,
    Params(stream): Params<Stream>,
    headers: HeaderMap,
) -> Answer {
    stream.of(&find(&app, &id)?.journal, &headers)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    #[serde(rename = "for")]
    condition: String,
    #[serde(default, deserialize_with = "cursor")]
    since: Option<u64>,
    now: Option<bool>,
    timeout_ms: Option<u64>,
}

/// How long a wait takes that does not say.
const TIMEOUT: u64 = 10_000;

impl Wait {
    fn condition(&self) -> Result<Condition, Refusal> {
        self.condition.parse().map_err(Refusal::unprocessable)
    }

    /// Waits on a journal: for something after the cursor, and for what may be so already at this moment too when it is wanted.
    async fn on<F: Future<Output = Result<bool, Refusal>>>(
        &self,
        journal: &Journal,
        condition: &Condition,
        holds: impl FnOnce() -> F,
    ) -> Answer {
        let timeout = span(self.timeout_ms.unwrap_or(TIMEOUT))?;
        let is_state = condition.is_state();
        let last = journal.last();
        let since = known(journal, self.since)?;
        let start = since.unwrap_or(if is_state { last } else { 0 });
        if let Some(entry) = journal.find(start, condition) {
            return ok(&json!({ "cursor": entry.id, "entry": *entry }));
        }
        if is_state && self.now.unwrap_or(self.since.is_none()) && holds().await? {
            return ok(&json!({ "cursor": last, "entry": null }));
        }
        match tokio::time::timeout(timeout, journal.wait(start, condition)).await {
            Ok(Some(entry)) => ok(&json!({ "cursor": entry.id, "entry": *entry })),
            Ok(None) => Err(Refusal::not_found("the module was removed meanwhile")),
            Err(_) => {
                let millis = timeout.as_millis();
                let why = format!("not in {millis} ms: {condition}");
                let cursor = journal.last();
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, why).with("cursor", cursor))
            }
        }
    }
}

async fn wait(State(app): State<Arc<App>>, Name(id): Name, Params(wait): Params<Wait>) -> Answer {
    let member = find(&app, &id)?;
    let condition = wait.condition()?;
    let holds = async || Ok(condition.holds(&state_of(&member).await?));
    wait.on(&member.journal, &condition, holds).await
}

fn bench(app: &App) -> Result<&Bench, Refusal> {
    let none = || Refusal::not_found("there is no broker here: start the program with --broker");
    app.bench.as_deref().ok_or_else(none)
}

async fn broker(State(app): State<Arc<App>>) -> Answer {
    let bench = bench(&app)?;
    let addresses = bench.server.local_addrs();
    ok(&json!({
        "address": addresses.first().map(ToString::to_string),
        "iotda": bench.server.has_platform(),
        "cursor": bench.journal.last(),
        "stats": view::stats(&bench.server.stats()),
    }))
}

async fn clients(State(app): State<Arc<App>>) -> Answer {
    let found: Vec<Value> = bench(&app)?
        .server
        .with_clients(|clients| clients.map(|client| view::client(&client)).collect());
    ok(&json!({ "clients": found }))
}

async fn drop_client(State(app): State<Arc<App>>, Name(client_id): Name) -> Answer {
    if bench(&app)?.server.drop_client(&client_id) {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(Refusal::not_found(format!(
            "no client {client_id:?} is connected"
        )))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publish {
    topic: String,
    #[serde(default, deserialize_with = "given")]
    payload: Option<String>,
    #[serde(default, deserialize_with = "given")]
    payload_base64: Option<String>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
}

async fn publish(State(app): State<Arc<App>>, Json(message): Json<Publish>) -> Answer {
    let bench = bench(&app)?;
    let payload = match (message.payload, message.payload_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => openssl::base64::decode_block(&text)
            .map_err(|_| Refusal::unprocessable("payload_base64 is not base64"))?,
        (None, None) => Vec::new(),
        (Some(_), Some(_)) => {
            return Err(Refusal::unprocessable(
                "payload or payload_base64, not both",
            ));
        }
    };
    let qos = mqtt::QoS::try_from(message.qos);
    let qos = qos.map_err(|()| Refusal::unprocessable("qos is 0, 1 or 2"))?;
    let cursor = bench.journal.last();
    let topic = &message.topic;
    if !bench.server.publish(topic, &payload, qos, message.retain) {
        return Err(Refusal::unprocessable(
            if mqtt::topic_name_is_valid(topic) {
                format!(
                    "topic and payload, {} bytes, are more than the broker takes of a client",
                    topic.len() + payload.len()
                )
            } else {
                format!("{topic:?} is no topic to publish on")
            },
        ));
    }
    ok(&json!({ "cursor": cursor }))
}

async fn broker_trace(State(app): State<Arc<App>>, Params(page): Params<Page>) -> Answer {
    page.of(&bench(&app)?.journal)
}

async fn broker_trace_events(
    State(app): State<Arc<App>>,
    Params(stream): Params<Stream>,
    headers: HeaderMap,
) -> Answer {
    stream.of(&bench(&app)?.journal, &headers)
}

async fn broker_wait(State(app): State<Arc<App>>, Params(wait): Params<Wait>) -> Answer {
    let bench = bench(&app)?;
    let condition = wait.condition()?;
    if !condition.is_of_brokers() {
        return Err(Refusal::unprocessable(format!(
            "a broker is never {condition}: ask a module"
        )));
    }
    let holds = async || {
        let found = bench
            .server
            .with_clients(|clients| condition.holds_at_broker(clients));
        Ok(found)
    };
    wait.on(&bench.journal, &condition, holds).await
}

async fn ask_platform(State(app): State<Arc<App>>, Json(request): Json<PlatformRequest>) -> Answer {
    let bench = bench(&app)?;
    if !bench.server.has_platform() {
        return Err(Refusal::not_found(
            "the broker is no IoTDA: start the program with --iotda",
        ));
    }
    match bench.server.application().request(request).await {
        Ok(value) => ok(&json!({ "answer": value })),
        Err(failure) => {
            let refusal = Refusal::conflict(failure.text);
            Err(match failure.code {
                Some(code) => refusal.with("error_code", code),
                None => refusal,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_described_is_what_answers() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            let methods = item.as_object().unwrap().keys();
            for method in methods.filter(|name| *name != "parameters") {
                described.insert((path.clone(), method.to_uppercase()));
            }
        }
        let name = |method: MethodFilter| match method {
            MethodFilter::GET => "GET",
            MethodFilter::POST => "POST",
            MethodFilter::PATCH => "PATCH",
            MethodFilter::DELETE => "DELETE",
            other => panic!("{other:?}"),
        };
        let answers = ROUTES.iter();
        let answers: BTreeSet<_> = answers
            .map(|(method, path, _)| ((*path).to_string(), name(*method).to_string()))
            .collect();
        assert_eq!(described, answers);
    }

    #[test]
    fn what_a_module_may_be_made_with_is_described() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let described = &document["components"]["schemas"]["NewModule"]["properties"];
        let described: BTreeSet<_> = described.as_object().unwrap().keys().collect();
        let mut taken: BTreeSet<_> = OPTIONS.map(String::from).into();
        taken.extend(["model".into(), "port".into()]);
        assert_eq!(described, taken.iter().collect());
    }

    #[test]
    fn the_requests_of_the_platform_are_described() {
        let document: Value = serde_json::from_str(DOCUMENT).unwrap();
        let mut described = Vec::new();
        for form in document["components"]["schemas"]["PlatformRequest"]["oneOf"]
            .as_array()
            .unwrap()
        {
            let mut request = Map::new();
            for (name, schema) in form["properties"].as_object().unwrap() {
                let value = match (&schema["const"], &schema["type"]) {
                    (Value::Null, kind) if *kind == "object" => json!({}),
                    (Value::Null, kind) if kind.to_string().contains("integer") => json!(1),
                    (Value::Null, _) => json!("x"),
                    (name, _) => name.clone(),
                };
                request.insert(name.clone(), value);
            }
            described.push(form["properties"]["request"]["const"].clone());
            // What is described is taken, member by member, and what is taken is described.
            let read: PlatformRequest = serde_json::from_value(request.clone().into()).unwrap();
            let written = serde_json::to_value(read).unwrap();
            assert_eq!(written, Value::Object(request));
        }
        let none = serde_json::from_value::<PlatformRequest>(json!({"request": "none"}));
        let named = none.unwrap_err().to_string();
        for name in &described {
            assert!(
                named.contains(&format!("`{}`", name.as_str().unwrap())),
                "{named}"
            );
        }
        assert_eq!(
            named.matches('`').count() / 2,
            described.len() + 1,
            "{named}"
        );
    }

    #[test]
    fn a_link_stays_in_the_folder_for_temporary_files() {
        assert!(link_path("dut-1.pty").is_ok());
        for bad in ["", "../x", "/etc/x", ".x", "a b", "a\0b"] {
            assert!(link_path(bad).is_err(), "{bad}");
        }
    }
}
