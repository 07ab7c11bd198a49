//! What a device shows its cloud when it logs in: the client identifier, user name and password of Huawei Cloud IoTDA.
//!
//! A module that logs in by itself, a server that checks it, and the command that prints the three share this; they must not know
//! each other.
//!
//! ```
//! use credentials::{Credentials, Secret, SignType};
//!
//! let login = Credentials::new("dev1", &Secret::from("12345678"), SignType::Unchecked, "2025041401".parse()?)?;
//! assert_eq!(login.client_id.to_string(), "dev1_0_0_2025041401");
//! assert_eq!(login.password, "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
// Source: Huawei, "Device Connection Authentication" (api-iothub/iot_06_v5_3009), and iot_device_sdk_python/utils/iot_util.py.

#![forbid(unsafe_code)]

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt::{self, Write};
use std::str::FromStr;
use time::{Date, Month, OffsetDateTime, Time};

/// The longest client identifier, user name or password, in characters.
pub const MAX_LEN: usize = 256;
/// The longest device identifier, in characters.
// Source: Huawei, "Authenticating a Device" (api-iothub/iot_06_v5_7008): letters, digits, underscores and hyphens.
pub const MAX_DEVICE_ID: usize = 128;

/// What a device logs in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Also names the device: that is the user name.
    pub client_id: ClientId,
    /// 64 lower-case hexadecimal digits.
    pub password: String,
}

impl Credentials {
    /// Those of a device at a time.
    ///
    /// # Errors
    /// The device identifier is none.
    pub fn new(
        device_id: &str,
        secret: &Secret,
        sign_type: SignType,
        timestamp: Timestamp,
    ) -> Result<Self, ClientIdError> {
        Ok(Self {
            client_id: ClientId::new(device_id, sign_type, timestamp)?,
            password: secret.password(timestamp),
        })
    }

    /// The user name.
    pub fn username(&self) -> &str {
        &self.client_id.device_id
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// A device's secret. It is in no log: [`fmt::Debug`] does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The password at a time: HMAC-SHA256 of the secret, with the timestamp as the key.
    pub fn password(&self, timestamp: Timestamp) -> String {
        hex(&self.mac(timestamp).finalize().into_bytes())
    }

    /// Whether a password is this secret's at a time, found out in a time that does not tell how much of it is right.
    pub fn verifies(&self, password: &[u8], timestamp: Timestamp) -> bool {
        unhex(password).is_some_and(|mac| self.mac(timestamp).verify_slice(&mac).is_ok())
    }

    /// Whether somebody has given the secret itself, found out in a time that does not tell how much of it is right.
    pub fn is(&self, given: &[u8]) -> bool {
        let mac = |text: &[u8]| {
            let mut mac =
                <Hmac<Sha256> as Mac>::new_from_slice(&[]).expect("HMAC takes keys of any length");
            mac.update(text);
            mac
        };
        let given = mac(given).finalize().into_bytes();
        mac(self.0.as_bytes()).verify(&given).is_ok()
    }

    fn mac(&self, timestamp: Timestamp) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&timestamp.0)
            .expect("HMAC takes keys of any length");
        mac.update(self.0.as_bytes());
        mac
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whether the server compares the timestamp with its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignType {
    /// `0`: the timestamp is only the password's key.
    #[default]
    Unchecked,
    /// `1`: the timestamp must also be the server's.
    Checked,
}

/// An hour in UTC, `YYYYMMDDHH`. Ten digits: what they say may be no time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timestamp([u8; 10]);

impl Timestamp {
    /// The hour of a time in seconds since 1970; `None` beyond the years that four digits hold.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?;
        format!(
            "{:04}{:02}{:02}{:02}",
            time.year(),
            u8::from(time.month()),
            time.day(),
            time.hour()
        )
        .parse()
        .ok()
    }

    /// Its first second since 1970; `None` when there is no such hour.
    pub fn unix(self) -> Option<i64> {
        let number = |digits: &[u8]| {
            digits
                .iter()
                .fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0'))
        };
        let month = Month::try_from(number(&self.0[4..6]) as u8).ok()?;
        let date =
            Date::from_calendar_date(number(&self.0[..4]), month, number(&self.0[6..8]) as u8)
                .ok()?;
        let time = Time::from_hms(number(&self.0[8..]) as u8, 0, 0).ok()?;
        Some(date.with_time(time).assume_utc().unix_timestamp())
    }
}

/// 1970.
impl Default for Timestamp {
    fn default() -> Self {
        Self(*b"1970010100")
    }
}

impl FromStr for Timestamp {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        text.as_bytes()
            .try_into()
            .ok()
            .filter(|digits: &[u8; 10]| digits.iter().all(u8::is_ascii_digit))
            .map(Self)
            .ok_or_else(|| ClientIdError::Timestamp(text.into()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|&digit| f.write_char(digit.into()))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `{device_id}_0_{sign_type}_{timestamp}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientId {
    /// Who: letters, digits, `_` and `-`.
    pub device_id: String,
    /// What the server checks.
    pub sign_type: SignType,
    /// The password's key.
    pub timestamp: Timestamp,
}

impl ClientId {
    fn new(
        device_id: &str,
        sign_type: SignType,
        timestamp: Timestamp,
    ) -> Result<Self, ClientIdError> {
        if device_id_is_valid(device_id) {
            Ok(Self {
                device_id: device_id.into(),
                sign_type,
                timestamp,
            })
        } else {
            Err(ClientIdError::DeviceId(device_id.into()))
        }
    }
}

impl FromStr for ClientId {
    type Err = ClientIdError;

    fn from_str(text: &str) -> Result<Self, ClientIdError> {
        // A device identifier has underscores of its own, so the parts are counted from the end.
        let mut parts = text.rsplitn(4, '_');
        let (Some(timestamp), Some(sign), Some(kind), Some(device_id)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ClientIdError::Parts);
        };
        let timestamp = timestamp.parse()?;
        let sign_type = match sign {
            "0" => SignType::Unchecked,
            "1" => SignType::Checked,
            _ => return Err(ClientIdError::SignType(sign.into())),
        };
        if kind != "0" {
            return Err(ClientIdError::Kind(kind.into()));
        }
        Self::new(device_id, sign_type, timestamp)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            device_id,
            sign_type,
            timestamp,
        } = self;
        write!(f, "{device_id}_0_{}_{timestamp}", *sign_type as u8)
    }
}

/// What is wrong with a client identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientIdError {
    /// It has not the four parts.
    Parts,
    /// No device identifier.
    DeviceId(String),
    /// The second part is not 0.
    Kind(String),
    /// Neither 0 nor 1.
    SignType(String),
    /// Not ten digits.
    Timestamp(String),
}

impl fmt::Display for ClientIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parts => f.write_str(
                "a client id has four parts, DEVICE_0_SIGN_YYYYMMDDHH, such as dev1_0_0_2025041401",
            ),
            Self::DeviceId(id) => write!(
                f,
                "the device id {id:?} is not 1 to {MAX_DEVICE_ID} letters, digits, _ and -"
            ),
            Self::Kind(kind) => write!(
                f,
                "the part behind the device id is {kind:?}, and only 0 is taken"
            ),
            Self::SignType(sign) => write!(
                f,
                "the signature type is {sign:?}: 0 leaves the time unchecked, 1 has it checked"
            ),
            Self::Timestamp(text) => write!(
                f,
                "the timestamp is {text:?} and not YYYYMMDDHH in UTC, such as 2025041401"
            ),
        }
    }
}

impl std::error::Error for ClientIdError {}

/// Whether a text can be a device identifier.
pub fn device_id_is_valid(text: &str) -> bool {
    (1..=MAX_DEVICE_ID).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of lower-case hexadecimal digits.
fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: Huawei, "Device Connection Authentication".
    const PASSWORD: &str = "c75150e6cb841417396819e4d2ee4358a416344a03a083e3a8567074ddec820a";

    #[test]
    fn the_published_vector() {
        let secret = Secret::from("12345678");
        let timestamp = "2025041401".parse().unwrap();
        assert_eq!(secret.password(timestamp), PASSWORD);
        assert!(secret.verifies(PASSWORD.as_bytes(), timestamp));
        for wrong in ["", "c7", &PASSWORD[..63], &PASSWORD.to_uppercase()] {
            assert!(!secret.verifies(wrong.as_bytes(), timestamp), "{wrong}");
        }
        assert!(!secret.verifies(PASSWORD.as_bytes(), "2025041402".parse().unwrap()));
    }

    #[test]
    fn the_fourth_tutorial_has_this_secret() {
        assert_eq!(
            Secret::from("12345678").password("2023030206".parse().unwrap()),
            "a695af9883c5d0e3817bc6971beeecadf8c7c595677c461b1fe75882ed2bf449"
        );
    }

    #[test]
    fn client_ids_are_read_as_they_are_written() {
        // Source: the fourth tutorial.
        for text in [
            "64000697352830580e48df07_dev1_0_0_2023030206",
            "a_0_1_2018072417",
        ] {
            let id: ClientId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
        }
        let id: ClientId = "p_n_0_1_2018072417".parse().unwrap();
        assert_eq!(id.device_id, "p_n");
        assert_eq!(id.sign_type, SignType::Checked);
    }

    #[test]
    fn what_is_no_client_id_says_why() {
        for (text, why) in [
            ("", "four parts"),
            ("dev1", "four parts"),
            ("0_0_2023030206", "four parts"),
            ("dev1_0_0_20230302", "the timestamp is \"20230302\""),
            (
                "dev1_0_0_2023-03-02T06",
                "the timestamp is \"2023-03-02T06\"",
            ),
            ("dev1_0_2_2023030206", "the signature type is \"2\""),
            (
                "dev1_2_0_2023030206",
                "the part behind the device id is \"2\"",
            ),
            ("_0_0_2023030206", "the device id \"\""),
            ("dev 1_0_0_2023030206", "the device id \"dev 1\""),
        ] {
            let error = text.parse::<ClientId>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_timestamp_is_an_hour_of_utc() {
        // Source: Huawei, "Device Connection Authentication": 2018/7/24 17:56:20.
        let seconds = 1_532_454_980;
        let hour = Timestamp::from_unix(seconds).unwrap();
        assert_eq!(hour.to_string(), "2018072417");
        assert_eq!(hour.unix(), Some(seconds / 3600 * 3600));
        assert_eq!("2023023006".parse::<Timestamp>().unwrap().unix(), None);
    }

    #[test]
    fn secrets_are_not_shown() {
        let secret = Secret::from("12345678");
        let login = Credentials::new(
            "dev1",
            &secret,
            SignType::Unchecked,
            "2025041401".parse().unwrap(),
        );
        let shown = format!("{secret:?} {login:?}");
        assert!(
            !shown.contains("12345678") && !shown.contains(PASSWORD),
            "{shown}"
        );
    }
}
