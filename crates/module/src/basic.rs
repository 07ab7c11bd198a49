//! V.250 commands.

use crate::core::{Core, Outcome};
use dialect::{Form, Statement, basic};

/// Runs a V.250 command; `None` when it is none.
pub(crate) fn execute(core: &mut Core, statement: &Statement<'_>) -> Option<Outcome> {
    let number = statement.values.int(0).unwrap_or(0);
    let read = statement.form == Form::Read;
    match statement.command.name {
        "E" => core.settings.echo = number == 1,
        "Q" => core.settings.quiet = number == 1,
        "V" => core.settings.verbose = number == 1,
        "Z" => core.restore_settings(),
        "&F" => core.factory_settings(),
        "&W" => core.save_settings(),
        "&C" => core.settings.dcd_always = number == 0,
        // DTR hangs up or ends the data mode of a call, which no model here has.
        "X" | "&D" => {}
        "S3" | "S4" | "S5" if read => {
            let value = match statement.command.name {
                "S3" => 13,
                "S4" => 10,
                _ => 8,
            };
            core.info(&basic::REGISTER, &[value.into()]);
        }
        "S3" | "S4" | "S5" => {}
        "+CMEE" if read => core.info(&basic::CMEE_READ, &[core.settings.cmee.into()]),
        "+CMEE" => core.settings.cmee = number as u8,
        "+IPR" if read => core.info(&basic::IPR_READ, &[i64::from(core.settings.rate).into()]),
        "+IPR" => core.set_rate(number as u32),
        _ => return None,
    }
    Some(Outcome::Ok)
}
