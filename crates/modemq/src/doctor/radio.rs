//! What comes before the server: does a module answer, and has it SIM, signal, registration, an address and a clock?

use super::{Cause, Question, Report, lines};
use crate::conversation::{Answer, End, Modem};
use dialect::model::Bearer;
use std::io;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::time::Instant;

/// How long a question may take to be answered.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a module that was just powered on may take to find its network.
const SEARCH: Duration = Duration::from_secs(60);
/// How long between two questions whose answer is to change.
const AGAIN: Duration = Duration::from_millis(500);
/// Less than this of `+CSQ` makes connections break. Source: -95 dBm, where Quectel's hardware guides draw the line of a
/// weak signal; inferred for the others.
const WEAK: i64 = 9;

/// Looks at the module. False when it has no network.
///
/// # Errors
/// The line is broken.
pub async fn examine(
    question: &Question,
    modem: &mut Modem,
    report: &mut Report<'_>,
) -> io::Result<bool> {
    let mut ward = Ward {
        question,
        modem,
        report,
    };
    if !ward.answers().await? {
        return Ok(false);
    }
    match question.model.bearer {
        Bearer::WiFi => ward.station().await,
        Bearer::Cellular | Bearer::NbIot => {
            if !(ward.sim().await? && ward.signal().await? && ward.registration().await?) {
                return Ok(false);
            }
            if !ward.address().await? {
                return Ok(false);
            }
            ward.clock().await
        }
    }
}

struct Ward<'a, 'r, 'f> {
    question: &'a Question,
    modem: &'a mut Modem,
    report: &'r mut Report<'f>,
}

impl Ward<'_, '_, '_> {
    async fn ask(&mut self, line: &str) -> io::Result<Answer> {
        self.modem.ask(line, ANSWER).await
    }

    async fn answers(&mut self) -> io::Result<bool> {
        let step = "module";
        if !self.modem.synchronise().await? {
            self.report.bad(step, Cause::NoAnswer, "no answer to AT");
            return Ok(false);
        }
        let model = self.question.model;
        let line = if model.bearer == Bearer::WiFi {
            "AT+GMR"
        } else {
            "ATI"
        };
        let answer = self.ask(line).await?;
        let words: Vec<_> = answer
            .lines
            .iter()
            .filter(|line| *line != "OK")
            .cloned()
            .collect();
        let words = words.join(", ");
        // Inferred: ATI names the model, in whatever spelling.
        let title = model.title.to_ascii_lowercase();
        let known = words.to_ascii_lowercase().contains(&title)
            || model.firmware.lines().any(|line| words.contains(line));
        if known || model.bearer == Bearer::WiFi {
            self.report.good(step, words);
        } else {
            self.report.remark(
                step,
                None,
                format!(
                    "{words:?} is not what the {} says: its lines may differ",
                    model.title
                ),
            );
        }
        Ok(true)
    }

    async fn sim(&mut self) -> io::Result<bool> {
        let step = "SIM";
        let end = Instant::now() + ANSWER;
        loop {
            let answer = self.ask("AT+CPIN?").await?;
            let (cause, says) = match answer.after("+CPIN:") {
                Some("READY") => {
                    self.report.good(step, "READY");
                    return Ok(true);
                }
                Some(wants @ ("SIM PIN" | "SIM PUK" | "SIM PIN2" | "SIM PUK2")) => {
                    (Cause::SimLocked, wants.to_string())
                }
                // 14 is "SIM busy": it starts. Source: 3GPP TS 27.007 §9.2.
                _ if answer.words().contains("ERROR: 14") && Instant::now() < end => {
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
                _ => (Cause::SimAbsent, answer.words()),
            };
            self.report.bad(step, cause, says);
            return Ok(false);
        }
    }

    async fn signal(&mut self) -> io::Result<bool> {
        let step = "signal";
        let answer = self.ask("AT+CSQ").await?;
        let rssi = answer
            .after("+CSQ:")
            .and_then(|rest| rest.split(',').next()?.trim().parse::<i64>().ok());
        if let Some(rssi @ 0..=31) = rssi {
            // Source: 3GPP TS 27.007 §8.5.
            let words = format!("{rssi} of 31, {} dBm", 2 * rssi - 113);
            if rssi < WEAK {
                self.report.remark(step, Cause::WeakSignal, words);
            } else {
                self.report.good(step, words);
            }
            Ok(true)
        } else {
            self.report.bad(step, Cause::NoSignal, answer.words());
            Ok(false)
        }
    }

    /// `<stat>` of the circuit, packet and LTE domains.
    async fn stats(&mut self) -> io::Result<Vec<(&'static str, i64)>> {
        let mut stats = Vec::new();
        for (line, prefix) in [
            ("AT+CREG?", "+CREG:"),
            ("AT+CGREG?", "+CGREG:"),
            ("AT+CEREG?", "+CEREG:"),
        ] {
            let answer = self.ask(line).await?;
            let stat = answer
                .after(prefix)
                .and_then(|rest| rest.split(',').nth(1)?.trim().parse().ok());
            stats.extend(stat.map(|stat| (prefix, stat)));
        }
        Ok(stats)
    }

    async fn registration(&mut self) -> io::Result<bool> {
        let step = "registration";
        let end = Instant::now() + SEARCH;
        loop {
            let stats = self.stats().await?;
            let words: Vec<_> = stats
                .iter()
                .map(|(prefix, stat)| format!("{prefix} {stat} {}", stat_words(*stat)))
                .collect();
            let words = words.join(", ");
            let is = |wanted: &[i64], packet_only: bool| {
                stats.iter().any(|(prefix, stat)| {
                    wanted.contains(stat) && !(packet_only && *prefix == "+CREG:")
                })
            };
            // Source: 3GPP TS 27.007 §7.2: 1 home, 5 roaming; 3 denied; 2 searching.
            if is(&[1, 5], true) {
                self.report.good(step, words);
                return Ok(true);
            }
            // Source: tutorial §8.2 Q2.2: a SIM in arrears is refused by 4G, and 2G may still take it.
            if is(&[3], false) || is(&[1, 5], false) {
                self.report.bad(step, Cause::Arrears, words);
                return Ok(false);
            }
            if Instant::now() >= end || stats.is_empty() {
                self.report.bad(step, Cause::NotRegistered, words);
                return Ok(false);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Attach, and an address of the PDP context.
    async fn address(&mut self) -> io::Result<bool> {
        if let Some(apn) = self.question.apn.clone() {
            self.set_apn(&apn).await?;
        }
        let step = "PDP context";
        let end = Instant::now() + ANSWER;
        loop {
            let attached = self.ask("AT+CGATT?").await?;
            let address = self.ask("AT+CGPADDR=1").await?;
            let found = address
                .after("+CGPADDR: 1,")
                .map(|text| text.trim_matches('"').to_string());
            match (attached.after("+CGATT:"), found) {
                (Some("1"), Some(found)) if !matches!(found.as_str(), "" | "0.0.0.0") => {
                    self.report
                        .good(step, format!("attached, with the address {found}"));
                    return Ok(true);
                }
                _ if Instant::now() < end => tokio::time::sleep(AGAIN).await,
                (Some("1"), _) => {
                    self.report
                        .bad(step, Cause::Apn, "attached, and without an address");
                    return Ok(false);
                }
                _ => {
                    self.report.bad(step, Cause::Apn, "registered, and not attached to packet service: the network gives no context for this APN");
                    return Ok(false);
                }
            }
        }
    }

    /// What the conversation would set later, since without it there is no address.
    async fn set_apn(&mut self, apn: &str) -> io::Result<()> {
        let lines = match lines::set_apn(self.question.model, apn) {
            Ok(lines) => lines,
            Err(error) => {
                self.report.bad("APN", Cause::TooLongForModel, error);
                return Ok(());
            }
        };
        for line in lines {
            let answer = self.ask(&line).await?;
            if answer.end != End::Good {
                let says = format!("{line}: {}", answer.words());
                self.report.remark("APN", Cause::Apn, says);
            }
        }
        // It may have started again.
        self.modem.synchronise().await?;
        Ok(())
    }

    async fn clock(&mut self) -> io::Result<bool> {
        let step = "clock";
        let answer = self.ask("AT+CCLK?").await?;
        let Some(clock) = answer
            .after("+CCLK:")
            .and_then(|text| read_clock(text.trim_matches('"')))
        else {
            self.report.remark(step, None, answer.words());
            return Ok(true);
        };
        let now = OffsetDateTime::from(std::time::SystemTime::now());
        let off = (now - clock).abs();
        // The zone may be missing from what the module says, so half a day is no fault of the clock.
        if off < time::Duration::hours(15) {
            self.report.good(step, words(clock));
            return Ok(true);
        }
        let says = format!("{}, which is {} days off", words(clock), off.whole_days());
        if self.question.heeds_dates() {
            self.report.bad(
                step,
                Cause::ClockNotSet,
                format!("{says}: certificates will look out of date"),
            );
            return Ok(false);
        }
        self.report.remark(step, Cause::ClockNotSet, format!("{says}; it matters for the dates of certificates, which this module is not to check"));
        Ok(true)
    }

    /// Wi-Fi.
    async fn station(&mut self) -> io::Result<bool> {
        let step = "access point";
        if let Some((name, password)) = self.question.wifi.clone() {
            self.ask("AT+CWMODE=1").await?;
            let join = format!("AT+CWJAP=\"{name}\",\"{password}\"");
            let answer = self.modem.ask(&join, Duration::from_secs(30)).await?;
            if answer.end != End::Good {
                self.report.bad(
                    step,
                    Cause::NotAssociated,
                    format!("{name}: {}", answer.words()),
                );
                return Ok(false);
            }
        }
        let answer = self.ask("AT+CWJAP?").await?;
        let Some(joined) = answer.after("+CWJAP:") else {
            self.report.bad(step, Cause::NotAssociated, answer.words());
            return Ok(false);
        };
        // Source: ESP-AT Wi-Fi commands, CWJAP: name, BSSID, channel, RSSI in dBm.
        let mut parts = joined.split(',');
        let name = parts.next().unwrap_or_default().to_string();
        let rssi = parts.nth(2).and_then(|rssi| rssi.parse::<i64>().ok());
        match rssi {
            Some(rssi) if rssi < -80 => {
                self.report
                    .remark(step, Cause::WeakSignal, format!("{name}, {rssi} dBm"));
            }
            Some(rssi) => self.report.good(step, format!("{name}, {rssi} dBm")),
            None => self.report.good(step, name),
        }
        let address = self.ask("AT+CIFSR").await?;
        match address.after("+CIFSR:STAIP,") {
            Some(address) if address != "\"0.0.0.0\"" => {
                self.report.good("address", address.trim_matches('"'));
                Ok(true)
            }
            _ => {
                self.report
                    .bad("address", Cause::NotAssociated, address.words());
                Ok(false)
            }
        }
    }
}

fn words(clock: OffsetDateTime) -> String {
    let (date, (hour, minute, second)) = (clock.date(), clock.to_hms());
    format!("{date} {hour:02}:{minute:02}:{second:02} UTC")
}

fn stat_words(stat: i64) -> &'static str {
    match stat {
        0 => "not searching",
        1 => "home",
        2 => "searching",
        3 => "denied",
        5 => "roaming",
        _ => "unknown",
    }
}

/// `yy/MM/dd,hh:mm:ss±zz`, the zone in quarters of an hour; some modules leave it out, and some write four digits of the year.
fn read_clock(text: &str) -> Option<OffsetDateTime> {
    let (date, rest) = text.split_once(',')?;
    let mut date = date.split('/').map(str::parse::<i32>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let sign_at = rest.find(['+', '-']);
    let (clock, zone) = rest.split_at(sign_at.unwrap_or(rest.len()));
    let mut clock = clock.split(':').map(str::parse::<u8>);
    let (hour, minute, second) = (
        clock.next()?.ok()?,
        clock.next()?.ok()?,
        clock.next()?.ok()?,
    );
    let year = if year < 100 { 2000 + year } else { year };
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = time::Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()?;
    let local = date.with_hms(hour, minute, second).ok()?.assume_utc();
    let quarters: i64 = if zone.is_empty() {
        0
    } else {
        zone.parse().ok()?
    };
    Some(local - time::Duration::minutes(15 * quarters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_with_and_without_a_zone() {
        let read = |text| read_clock(text).map(OffsetDateTime::unix_timestamp);
        assert_eq!(read("24/10/11,15:38:35+32"), Some(1_728_632_315));
        assert_eq!(read("24/10/11,07:38:35"), Some(1_728_632_315));
        assert_eq!(read("2024/10/11,07:38:35+00"), Some(1_728_632_315));
        for bad in [
            "",
            "24/13/01,00:00:00",
            "24/10/11",
            "24/10/11,25:00:00",
            "24/10/11,00:00:00+x",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
