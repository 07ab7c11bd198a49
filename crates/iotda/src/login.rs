//! Who is let in.
// Source: Huawei, "Device Connection Authentication" (api-iothub/iot_06_v5_3009).

use crate::{Platform, event_time};
use credentials::{ClientId, MAX_LEN, SignType};
use instant::Instant;
use mqtt::{Connect, ConnectCode};
use std::ops::RangeInclusive;

/// The keep alive, in seconds. Source: productdesc-iothub/iot_04_0010: a connection with another one is refused.
const KEEP_ALIVE: RangeInclusive<u16> = 30..=1200;
/// How far a checked timestamp may be from the platform's clock.
// Source: usermanual-iothub/iot_01_0215, whose example is the platform's own rule: refused when the timestamp and an hour are less than
// the platform's time. Inferred: as far in the other direction.
const WINDOW_SECONDS: i64 = 3600;

impl Platform {
    pub(crate) fn check_login(
        &self,
        now: Instant,
        connect: &Connect<'_>,
    ) -> Result<String, (ConnectCode, String)> {
        let id = |why: String| (ConnectCode::IdentifierRejected, why);
        let credentials = |why: String| (ConnectCode::BadCredentials, why);
        if connect.client_id.chars().count() > MAX_LEN {
            return Err(id(format!(
                "the client id is longer than {MAX_LEN} characters"
            )));
        }
        let client: ClientId = connect
            .client_id
            .parse()
            .map_err(|error: credentials::ClientIdError| id(error.to_string()))?;
        if !KEEP_ALIVE.contains(&connect.keep_alive) {
            return Err(id(format!(
                "the keep alive is {} s, and {} to {} s are taken",
                connect.keep_alive,
                KEEP_ALIVE.start(),
                KEEP_ALIVE.end()
            )));
        }
        let username = connect
            .username
            .ok_or_else(|| credentials("there is no user name: it is the device id".into()))?;
        if username != client.device_id {
            return Err(credentials(format!(
                "the user name {username} is not the device id of the client id, {}",
                client.device_id
            )));
        }
        // Inferred: which code an unknown device gets.
        let twin = self
            .devices
            .get(username)
            .ok_or_else(|| credentials(format!("there is no device {username}")))?;
        let password = connect
            .password
            .ok_or_else(|| credentials("there is no password".into()))?;
        if client.sign_type == SignType::Checked {
            self.check_timestamp(now, &client).map_err(credentials)?;
        }
        if !twin.secret.verifies(password, client.timestamp) {
            return Err(credentials(format!(
                "the password is not the HMAC-SHA256 of the device's secret, in lower-case hexadecimal digits, with {} as the key",
                client.timestamp
            )));
        }
        if twin.frozen {
            // Inferred: the code. Source: api-iothub, "Freezing a Device": it cannot log in.
            return Err((ConnectCode::NotAuthorized, "the device is frozen".into()));
        }
        Ok(client.device_id)
    }

    fn check_timestamp(&self, now: Instant, client: &ClientId) -> Result<(), String> {
        let clock = (self.unix_ms(now) / 1000).cast_signed();
        let shown = event_time(self.unix_ms(now));
        let hour = client
            .timestamp
            .unix()
            .ok_or_else(|| format!("the timestamp {} is no hour", client.timestamp))?;
        if hour + WINDOW_SECONDS < clock {
            Err(format!(
                "the timestamp {} is more than an hour behind the platform's clock, {shown}: it is UTC",
                client.timestamp
            ))
        } else if hour - WINDOW_SECONDS > clock {
            Err(format!(
                "the timestamp {} is more than an hour ahead of the platform's clock, {shown}: it is UTC",
                client.timestamp
            ))
        } else {
            Ok(())
        }
    }
}
