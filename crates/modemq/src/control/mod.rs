//! The control API: what a test in any language asks of the modules and the broker of a program, as HTTP and JSON.
//!
//! `openapi.json` beside this file describes it, and `ROUTES` in `routes.rs` is what answers; a test holds them together.
//! A request comes in through `guard`, its handler in `routes.rs` asks the module's task by its [`Handle`](crate::runtime::Handle)
//! or the broker, and waits and streams read a [`Journal`](journal::Journal).

pub mod bench;
pub mod condition;
pub mod fleet;
pub mod journal;
mod routes;
mod view;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use bench::Bench;
use credentials::Secret;
use fleet::{Asks, Members};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Bytes of a request's body: a message of the broker's largest size, escaped.
const BODY_MAX: usize = 4 << 20;

/// What the control API reaches.
#[derive(Debug)]
pub struct App {
    /// The modules.
    pub members: Members,
    /// Where one more is asked for.
    pub asks: Asks,
    /// The broker beside them.
    pub bench: Option<Arc<Bench>>,
}

/// Who may use it.
#[derive(Debug)]
struct Door {
    token: Option<Secret>,
}

/// The control API, listening. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl Server {
    /// Listens; port 0 is any free one. Without a token on this machine only.
    ///
    /// # Errors
    /// The system's, with the address; or that a token is wanted.
    pub async fn start(address: SocketAddr, token: Option<Secret>, app: App) -> io::Result<Self> {
        let fail = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
        if !address.ip().is_loopback() && token.is_none() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "--control {address} is open to others: it needs --control-token-file, --control-token or $MODEMQ_CONTROL_TOKEN"
                ),
            ));
        }
        let listener = TcpListener::bind(address).await.map_err(fail)?;
        let address = listener.local_addr()?;
        let router = router(app, Door { token });
        let mut task = JoinSet::new();
        task.spawn(async move {
            // It serves until it is dropped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            _task: task,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }
}

fn router(app: App, door: Door) -> Router {
    let mut router = Router::new();
    for (method, path, handler) in routes::ROUTES {
        router = router.route(path, handler(*method));
    }
    router
        .fallback(async |uri: Uri| {
            let path = uri.path();
            Refusal::not_found(format!(
                "there is nothing at {path}; /openapi.json says what there is"
            ))
        })
        .method_not_allowed_fallback(async |uri: Uri| {
            let path = uri.path();
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                format!("{path} has no such method"),
            )
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(middleware::from_fn_with_state(Arc::new(door), guard))
        .with_state(Arc::new(app))
}

/// Lets in who may: with a token who has it, and without one programs of this machine, but no page in a browser. A page of
/// another origin sends its `Origin`, and one whose name was made to lead here (DNS rebinding) has that name as `Host`.
async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    match admit(&door, request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn admit(door: &Door, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(token) = &door.token {
        let given = headers
            .get(header::AUTHORIZATION)
            .map(HeaderValue::as_bytes);
        let given = given.and_then(|given| {
            let (scheme, token) = given.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
        });
        return match given {
            Some(given) if token.is(given) => Ok(()),
            _ => Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "the token is wanted: Authorization: Bearer TOKEN",
            )),
        };
    }
    let text = |name: HeaderName| {
        let value = headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    // RFC 9112 §3.2: more than one Host is a bad request, and the name in an absolute target stands above it.
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "a request has one Host",
        ));
    }
    let host = text(header::HOST).unwrap_or_default();
    let named = uri.authority().map(Authority::as_str);
    if let Some(stranger) = [Some(host.as_str()), named]
        .into_iter()
        .flatten()
        .find(|name| !is_here(name))
    {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!(
                "{stranger:?} is not the name of this machine's loopback: ask localhost, 127.0.0.1 or [::1]"
            ),
        ));
    }
    match text(header::ORIGIN) {
        Some(origin) if origin.strip_prefix("http://") != Some(&host) => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!("a page of {origin} may not ask here"),
        )),
        _ => Ok(()),
    }
}

/// Whether a `Host` names the loopback.
fn is_here(host: &str) -> bool {
    let (name, port) = match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => (&host[..at], &host[at + 1..]),
        _ => (host, "0"),
    };
    let named = ["localhost", "[::1]"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own));
    let address = name.parse::<std::net::Ipv4Addr>();
    port.parse::<u16>().is_ok() && (named || address.is_ok_and(|address| address.is_loopback()))
}

/// Why a request is not answered, as `{"error": "…"}`.
#[derive(Debug)]
struct Refusal {
    status: StatusCode,
    body: Value,
}

impl Refusal {
    fn new(status: StatusCode, why: impl Into<String>) -> Self {
        Self {
            status,
            body: json!({ "error": why.into() }),
        }
    }

    fn not_found(why: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, why)
    }

    /// It is what was described, and means nothing here.
    fn unprocessable(why: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, why)
    }

    /// It cannot be now.
    fn conflict(why: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, why)
    }

    /// With one more thing to tell.
    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.body[name] = value.into();
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = json_response(self.status, &self.body);
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

fn json_response(status: StatusCode, body: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, format!("{body}\n")).into_response()
}

/// A body of JSON. It must say that it is JSON, which a page of another origin cannot do unasked.
struct Json<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the body is JSON, and says so: Content-Type: application/json",
            ));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| {
                let status = rejection.status();
                let why = match status {
                    StatusCode::PAYLOAD_TOO_LARGE => format!("a body has {BODY_MAX} bytes at most"),
                    _ => rejection.body_text(),
                };
                Refusal::new(status, why)
            })?;
        let bad =
            |error: serde_json::Error| Refusal::new(StatusCode::BAD_REQUEST, error.to_string());
        let mut value: Value = serde_json::from_slice(&body).map_err(bad)?;
        whole_numbers(&mut value);
        T::deserialize(value).map(Self).map_err(bad)
    }
}

/// The two parts of a path that name something.
struct Names((String, String));

impl<S: Send + Sync> FromRequestParts<S> for Names {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(error) => Err(Refusal::not_found(error.body_text())),
        }
    }
}

/// 20.0 is an integer to JSON Schema, and to languages that know no other numbers.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            // Up to there a double has every integer.
            let exact = |number: &f64| number.fract() == 0.0 && number.abs() < 9.0e15;
            if let Some(whole) = number.as_f64().filter(exact) {
                *value = (whole as i64).into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(whole_numbers),
        Value::Object(members) => members.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

/// The part of a path that names something.
struct Name(String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(Refusal::not_found(error.body_text())),
        }
    }
}

/// The part of an address behind its `?`.
struct Params<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(error) => Err(Refusal::new(StatusCode::BAD_REQUEST, error.body_text())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(door: &Door, headers: &[(HeaderName, &str)]) -> u16 {
        asks_of(door, "/modules", headers)
    }

    fn asks_of(door: &Door, target: &str, headers: &[(HeaderName, &str)]) -> u16 {
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_str(value).unwrap();
            (name.clone(), value)
        });
        match admit(door, &target.parse().unwrap(), &headers.collect()) {
            Ok(()) => 200,
            Err(refusal) => refusal.status.as_u16(),
        }
    }

    #[test]
    fn a_browser_may_not_ask_in_somebody_elses_name() {
        let door = Door { token: None };
        for (host, wanted) in [
            ("localhost:8000", 200),
            ("LOCALHOST", 200),
            ("127.0.0.1:8000", 200),
            ("127.1.2.3", 200),
            ("[::1]:8000", 200),
            ("[::1]", 200),
            ("", 403),
            ("evil.example:8000", 403),
            ("localhost.evil.example", 403),
            ("127.0.0.1.evil.example", 403),
            ("localhost:8000:8000", 403),
            ("192.168.1.2:8000", 403),
        ] {
            assert_eq!(asks(&door, &[(header::HOST, host)]), wanted, "{host}");
        }
        for (origin, wanted) in [
            ("http://localhost:8000", 200),
            ("http://localhost:8001", 403),
            ("https://evil.example", 403),
            ("null", 403),
        ] {
            let headers = [(header::HOST, "localhost:8000"), (header::ORIGIN, origin)];
            assert_eq!(asks(&door, &headers), wanted, "{origin}");
        }
    }

    #[test]
    fn a_name_in_the_target_and_a_second_host_let_nobody_in() {
        let door = Door { token: None };
        let here = (header::HOST, "localhost");
        for (target, wanted) in [
            ("http://localhost:8000/modules", 200),
            ("http://evil.example/modules", 403),
            ("http://localhost@evil.example/modules", 403),
        ] {
            assert_eq!(
                asks_of(&door, target, std::slice::from_ref(&here)),
                wanted,
                "{target}"
            );
        }
        let twice = [here.clone(), here];
        assert_eq!(asks(&door, &twice), 400);
    }

    #[test]
    fn a_token_is_asked_for_whoever_asks() {
        let door = Door {
            token: Some("secret".into()),
        };
        for (given, wanted) in [
            ("Bearer secret", 200),
            ("bearer secret", 200),
            ("Bearer secre", 401),
            ("Bearer secret1", 401),
            ("Bearer", 401),
            ("Basic secret", 401),
            ("", 401),
        ] {
            let headers = [
                (header::HOST, "bench.example"),
                (header::AUTHORIZATION, given),
            ];
            assert_eq!(asks(&door, &headers), wanted, "{given}");
        }
        assert_eq!(asks(&door, &[(header::HOST, "localhost")]), 401);
    }
}
