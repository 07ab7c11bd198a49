//! The modules by name: dialect, limits, defaults, timing.

use crate::command::{Syntax, Tables};
use crate::reply::{Line, Meaning};
use crate::with_words;
use crate::{basic, eigencomm, espressif, luat, network, quectel};
use core::time::Duration;

/// One module type.
#[derive(Debug)]
pub struct Model {
    /// What a command line calls it: `air780ep`.
    pub name: &'static str,
    /// What the vendor calls it, and `AT+CGMM` answers: `Air780EP`.
    pub title: &'static str,
    /// Who makes it, as `AT+CGMI` answers.
    pub vendor: &'static str,
    /// The firmware that is played, as `ATI` answers.
    pub firmware: &'static str,
    /// Which language it speaks.
    pub family: Family,
    /// How its command lines are written.
    pub syntax: Syntax,
    /// What carries it.
    pub bearer: Bearer,
    /// Its commands, in the order of look-up.
    pub commands: Tables,
    /// Forms that a tutorial prints and the firmware refuses, each with the form that works as its title.
    pub as_written: Tables,
    /// What its firmware has and modemq has not, a sentence each.
    pub gaps: &'static [&'static str],
    /// The cipher suites that its TLS knows, by IANA's numbers, as it offers them; none: it has no TLS here.
    pub suites: &'static [u16],
    /// The words of its error codes: those of `+CME ERROR`, or ESP-AT's of MQTT.
    pub cme: &'static [Meaning],
    /// What it says after power-on, before it knows its SIM.
    pub boot: &'static [&'static Line],
    /// What it says once the SIM is ready, after `+CPIN`.
    pub sim_ready: &'static [&'static Line],
    /// What it holds.
    pub limits: Limits,
    /// How it comes out of the box.
    pub defaults: Defaults,
    /// How long it takes.
    pub timing: Timing,
}

/// What carries a module's IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bearer {
    /// LTE: a SIM, a registration, PDP contexts.
    Cellular,
    /// The same on NB-IoT.
    NbIot,
    /// An access point.
    WiFi,
}

/// Modules that share a language, and so the code that answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Luat (AirM2M): `MCONFIG`, `MIPSTART`, `MCONNECT` …
    Luat,
    /// EigenComm: `ECMTOPEN`, `ECMTCONN`, `ECMTPUB` …
    EigenComm,
    /// Quectel: `QMTOPEN`, `QMTCONN`, `QMTPUB` …
    Quectel,
    /// Espressif's ESP-AT: `MQTTUSERCFG`, `MQTTCONN`, `MQTTPUB` …
    Espressif,
}

impl Family {
    /// Every family.
    pub const ALL: &[Family] = &[Self::Luat, Self::EigenComm, Self::Quectel, Self::Espressif];

    /// What its folder of transcripts is called: `luat`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Luat => "luat",
            Self::EigenComm => "eigencomm",
            Self::Quectel => "quectel",
            Self::Espressif => "espressif",
        }
    }
}

/// What a model holds, in bytes unless said otherwise.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A command line, without its CR.
    pub line: usize,
    /// The message of an inline publish.
    pub publish: usize,
    /// The message of a publish after the prompt.
    pub publish_data: usize,
    /// A message that is reported at once. What is longer is cut.
    pub report: usize,
    /// A message that is kept for the host. What is longer is cut.
    pub cached: usize,
    /// Kept messages.
    pub slots: usize,
    /// The file system.
    pub flash: usize,
}

/// How a model comes out of the box.
#[derive(Clone, Copy, Debug)]
pub struct Defaults {
    /// Bits per second.
    pub baud: u32,
    /// After power-on the first line is used up to find the rate of the host, unless a rate was set.
    pub autobaud: bool,
    /// `ATE`
    pub echo: bool,
    /// Whether the echo of a command line holds its CR.
    pub echoes_cr: bool,
    /// `AT+CMEE`
    pub cmee: u8,
    /// `AT+CGEREP`: whether `+CGEV` is reported.
    pub cgerep: u8,
    /// `AT+COPS`: 0 the operator's long name, 1 the short one, 2 its number.
    pub cops_format: u8,
    /// How `AT+CGDCONT?` shows a context.
    pub cgdcont: ContextForm,
}

/// What stands behind the APN in `+CGDCONT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContextForm {
    /// In place of the address, when the firmware does not show the one that the network gave.
    pub address: Option<&'static str>,
    /// Behind the address.
    pub tail: &'static str,
}

/// How long a model takes with [pace real]; with pace fast all of these are nothing.
///
/// [pace real]: the option `--pace real` of the command
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From the end of a command to its reply.
    pub reply: Duration,
    /// A report never follows a reply sooner.
    pub report: Duration,
    /// From power-on to the first boot report.
    pub boot: Duration,
    /// From there to a usable SIM.
    pub sim: Duration,
    /// From there to registration; with Wi-Fi, from AT+CWJAP to an association.
    pub registration: Duration,
    /// From registration to an active PDP context; with Wi-Fi, from the association to an address.
    pub pdp: Duration,
    /// From the request for a TCP connection to its end, besides what the real network takes.
    pub connect: Duration,
    /// From a packet to its answer, besides what the real network takes.
    pub round_trip: Duration,
}

/// Every model, in the order that they are listed to people.
pub const ALL: &[Model] = &[
    AIR780EP, AIR700EAQ, AIR780E, NT35E, BC26, EC20, BG95, ESP8266, ESP32C3,
];

/// Is there a family or a model called so?
pub fn is_family_or_model(name: &str) -> bool {
    ALL.iter()
        .any(|model| model.name == name || model.family.name() == name)
}

/// The 4G module of the vendor's MQTT guide.
pub const AIR780EP: Model = Model {
    name: "air780ep",
    title: "Air780EP",
    vendor: "AirM2M",
    firmware: "AirM2M_780EP_V1007_LTE_AT",
    family: Family::Luat,
    syntax: Syntax::V250,
    bearer: Bearer::Cellular,
    commands: &[luat::COMMANDS, network::COMMANDS, basic::COMMANDS],
    as_written: &[],
    gaps: with_words(&[
        "Sockets of the host's own: `AT+CIPSTART`, `AT+CIPSEND`, `AT+CIPMUX=1`",
        "HTTP, FTP, SMS, voice, positioning, sound and pins",
    ]),
    // Source: tutorial §8.2 Q7; manual, SSLCFG. Inferred: their order.
    suites: &[0x003d, 0x0035, 0x002f, 0x000a, 0x0005, 0x0004],
    cme: with_words(luat::CME),
    boot: with_words(&[&luat::RDY]),
    sim_ready: &[],
    limits: Limits {
        // Inferred: room for the longest message with each byte escaped, and the command around it.
        line: 3 * 4100 + 1024,
        // Source: guide, FAQ 6 and 7.
        publish: 4100,
        publish_data: 4100,
        report: 4100,
        cached: 4096,
        slots: 4,
        // Source: manual, FS, the example of FSMEM.
        flash: 1_304_000,
    },
    defaults: Defaults {
        baud: 115_200,
        autobaud: false,
        echo: true,
        echoes_cr: true,
        // Source: guide, passive disconnection: `+CME ERROR: 767` without AT+CMEE before it.
        cmee: 1,
        // Source: the tutorials' +CGEV reports come without AT+CGEREP before them.
        cgerep: 1,
        cops_format: 2,
        // Source: Luat AT manual, TCPIP/CPNETAPN: `+CGDCONT: 1,"IP","jscmiot","10.67.64.153",,,,,,,,,,,,`.
        cgdcont: ContextForm {
            address: None,
            tail: ",,,,,,,,,,,,",
        },
    },
    timing: Timing {
        // Source: the vendor's log of an MQTTS session at 115200: OK 3 to 5 ms after each command.
        reply: Duration::from_millis(4),
        // Inferred: no log shows a report within a serial frame of the reply.
        report: Duration::from_millis(20),
        // Inferred, as are the three below: field clients wait 3 to 30 s after power-on.
        boot: Duration::from_millis(800),
        sim: Duration::from_millis(400),
        registration: Duration::from_millis(2300),
        // The default bearer comes with the attach (3GPP TS 24.301 §5.5.1): there is an address once registration is reported.
        pdp: Duration::ZERO,
        // Source: the vendor's log of an MQTTS session: CONNACK after 250 ms, SUBACK and PUBACK after 300 ms. Inferred for the
        // connection: the log's has TLS in it.
        connect: Duration::from_millis(300),
        round_trip: Duration::from_millis(250),
    },
};

/// The 4G module of the tutorial; differs from the Air780EP where their documents do.
pub const AIR700EAQ: Model = Model {
    name: "air700eaq",
    title: "Air700EAQ",
    firmware: "AirM2M_700EAQ_V2019_LTE_AT",
    limits: Limits {
        // Source: tutorial §8.2 Q14 and Q15.
        publish: 2384,
        report: 1360,
        ..AIR780EP.limits
    },
    ..AIR780EP
};

/// The 4G module that most clients in the field were written for.
pub const AIR780E: Model = Model {
    name: "air780e",
    title: "Air780E",
    // Source: the vendor's list of releases.
    firmware: "AirM2M_780E_LTE_AT_V1108",
    // Source: the vendor's MQTT FAQ for the reports. Inferred for the rest.
    limits: AIR700EAQ.limits,
    ..AIR780EP
};

/// The Cat.1 module of the third tutorial.
pub const NT35E: Model = Model {
    name: "nt35e",
    title: "NT35E",
    vendor: "Neoway",
    // Inferred: no page shows its version.
    firmware: "NT35E-R01-STD",
    family: Family::EigenComm,
    syntax: Syntax::V250,
    bearer: Bearer::Cellular,
    commands: &[eigencomm::COMMANDS, network::COMMANDS, basic::COMMANDS],
    as_written: &[],
    gaps: with_words(&[
        "Of TLS: the firmware's limit of 4096 bytes to a record; suites with static ECDH",
        "Credentials of Alibaba's cloud: `\"cloud\"` and `\"aliauth\"` are stored, and nothing is computed from them",
        "`AT+CPSMS`, `AT+CEDRXS`, `AT+ECURC` and the sleep modes: the module never sleeps",
        "Sockets of the host's own, HTTP, CoAP and LwM2M",
    ]),
    // Source: firmware, config_ec_ssl_mqtt.h and the order of mbedTLS 2.6.
    suites: &[
        0xc02c, 0xc030, 0x009f, 0xc0ad, 0xc09f, 0xc024, 0xc028, 0x006b, 0xc00a, 0xc014, 0x0039,
        0xc0af, 0xc0a3, 0xc02b, 0xc02f, 0x009e, 0xc0ac, 0xc09e, 0xc023, 0xc027, 0x0067, 0xc009,
        0xc013, 0x0033, 0xc0ae, 0xc0a2, 0xc008, 0xc012, 0x0016, 0x009d, 0xc09d, 0x003d, 0x0035,
        0xc032, 0xc02a, 0xc00f, 0xc02e, 0xc026, 0xc005, 0xc0a1, 0x009c, 0xc09c, 0x003c, 0x002f,
        0xc031, 0xc029, 0xc00e, 0xc02d, 0xc025, 0xc004, 0xc0a0, 0x000a, 0xc00d, 0xc003,
    ],
    cme: with_words(eigencomm::CME),
    // It tells why it starts: that is the family's business.
    boot: &[],
    sim_ready: &[],
    limits: Limits {
        // Source: firmware, the input queue.
        line: 4096,
        publish: 1024,
        publish_data: 1024,
        // Source: firmware, the receive buffer with topic and header.
        report: 1024,
        cached: 0,
        slots: 0,
        flash: 0,
    },
    defaults: Defaults {
        // Inferred: the EC616 has 9600, a Cat.1 module 115200.
        baud: 115_200,
        autobaud: false,
        // Inferred: the firmware's default is off, and nearly all clients send ATE0.
        echo: true,
        // Source: firmware, atcEchoString: bytes 0x20 to 0x7f only; a client looks for the line that follows.
        echoes_cr: false,
        cmee: 1,
        cgerep: 0,
        cops_format: 2,
        cgdcont: AIR780EP.defaults.cgdcont,
    },
    timing: AIR780EP.timing,
};

/// The NB-IoT module of the fourth tutorial.
pub const BC26: Model = Model {
    name: "bc26",
    title: "BC26",
    vendor: "Quectel",
    // Source: the image whose strings were read; the application note describes a later one.
    firmware: "BC26NBR01A03",
    family: Family::Quectel,
    syntax: Syntax::V250,
    bearer: Bearer::NbIot,
    commands: &[
        quectel::BC26,
        quectel::COMMON,
        network::COMMANDS,
        basic::COMMANDS,
    ],
    as_written: with_words(&[quectel::BC26_AS_WRITTEN]),
    gaps: with_words(&[
        "Of `AT+QSSLCFG`: DTLS; sockets with TLS (`AT+QSSLOPEN`)",
        "Credentials of Alibaba's cloud: `\"aliauth\"` is stored, and nothing is computed from it",
        "Sleep: power saving is reported, and the serial line listens all the same",
        "Sockets of the host's own (`AT+QIOPEN`), CoAP, LwM2M and positioning",
    ]),
    // Source: BC660K SSL, table 2. Inferred for the BC26, and the order.
    suites: &[0x0035, 0x002f, 0x000a],
    cme: with_words(quectel::CME),
    // Source: BC26 AT §5.1: the boot loader's lines, which are no frames, and then +CPIN.
    boot: &[],
    sim_ready: &[],
    limits: Limits {
        // Inferred: room for the longest inline publish.
        line: 1500,
        // Source: BC26 AN §3.2.8.
        publish: 700,
        publish_data: 1024,
        // Inferred: as long as what can be sent.
        report: 1024,
        cached: 0,
        slots: 0,
        flash: 0,
    },
    defaults: Defaults {
        baud: 115_200,
        // Source: BC26 AT, its log of a start: AT goes unanswered at first. Inferred: one line.
        autobaud: true,
        echo: true,
        echoes_cr: true,
        // Source: BC26 AT §3.21.
        cmee: 0,
        cgerep: 0,
        // Source: BC26 AT §3.14, §3.16.
        cops_format: 2,
        cgdcont: ContextForm {
            address: Some(""),
            tail: ",0,0,0,,,,,,0,,0",
        },
    },
    timing: Timing {
        // Inferred: a second and more is what NB-IoT takes in normal coverage.
        connect: Duration::from_millis(1500),
        round_trip: Duration::from_millis(800),
        ..AIR780EP.timing
    },
};

/// The LTE module of the fourth tutorial.
pub const EC20: Model = Model {
    name: "ec20",
    title: "EC20",
    // Inferred: a version of the series.
    firmware: "EC20CEFAGR06A15M4G",
    commands: &[
        quectel::EC20,
        quectel::LTE,
        quectel::COMMON,
        network::COMMANDS,
        basic::COMMANDS,
    ],
    as_written: with_words(&[quectel::EC20_AS_WRITTEN]),
    gaps: with_words(&[
        "Of `AT+QSSLCFG`: TLS-PSK, DTLS, a password of the key",
        "Credentials of Alibaba's cloud: `\"aliauth\"` is stored, and nothing is computed from it",
        "Files beyond upload, list and delete: `AT+QFOPEN`, `AT+QFREAD`, `AT+QFWRITE`",
        "Sockets of the host's own (`AT+QIOPEN`), HTTP, FTP, SMS, voice and positioning",
    ]),
    bearer: Bearer::Cellular,
    // Source: the list of an EG25-G. Inferred for the EC20, and the order.
    suites: &[
        0xc030, 0xc02f, 0xc028, 0xc027, 0xc024, 0xc023, 0xc014, 0xc013, 0xc00a, 0xc009, 0xc012,
        0xc008, 0xc02a, 0xc029, 0xc026, 0xc025, 0xc00f, 0xc00e, 0xc005, 0xc004, 0xc00d, 0xc003,
        0x003d, 0x0035, 0x002f, 0x000a, 0x0005,
    ],
    // Source: EC2x AT, table 24; field for +QUSIM.
    boot: with_words(&[&quectel::RDY, &quectel::FULL]),
    sim_ready: with_words(&[&quectel::QUSIM, &quectel::SMS_DONE, &quectel::PB_DONE]),
    limits: Limits {
        line: 2048,
        publish: 0,
        // Inferred from the BG96: 1548 bytes.
        publish_data: 1548,
        report: 4096,
        cached: 4096,
        slots: 5,
        // Inferred: the order of size of an EC2x.
        flash: 5_000_000,
    },
    defaults: Defaults {
        autobaud: false,
        // Source: EC2x AT, table 21.
        cmee: 1,
        // Source: EC2x AT §6.1.
        cops_format: 0,
        // Inferred: as an EC25 in the field shows a context whose address is asked for elsewhere.
        cgdcont: ContextForm {
            address: Some("0.0.0.0"),
            tail: ",0,0,0,0",
        },
        ..BC26.defaults
    },
    timing: AIR780EP.timing,
    ..BC26
};

/// An LTE-M and NB-IoT module: QMTPUB takes a length, QMTPUBEX the message itself.
pub const BG95: Model = Model {
    name: "bg95",
    title: "BG95",
    // Source: the log of a BG95-M3.
    firmware: "BG95M3LAR02A03_A0.300",
    commands: &[
        quectel::BG95,
        quectel::LTE,
        quectel::COMMON,
        network::COMMANDS,
        basic::COMMANDS,
    ],
    as_written: &[],
    gaps: with_words(&[
        "Of `AT+QSSLCFG`: TLS-PSK, DTLS, a password of the key",
        "Files beyond upload, list and delete: `AT+QFOPEN`, `AT+QFREAD`, `AT+QFWRITE`",
        "MQTT 5: `\"version\"` takes 3 and 4",
        "Sockets of the host's own (`AT+QIOPEN`), HTTP, FTP, SMS and positioning",
    ]),
    // Source: the list of a BG95-M3. Inferred: the order.
    suites: &[
        0xc02f, 0xc02b, 0xc028, 0xc027, 0xc024, 0xc023, 0xc014, 0xc013, 0xc00a, 0xc009, 0xc012,
        0xc008, 0xc011, 0xc007, 0xc02a, 0xc029, 0xc026, 0xc025, 0xc00f, 0xc00e, 0xc005, 0xc004,
        0xc00d, 0xc003, 0xc00c, 0xc002, 0x003d, 0x0035, 0x002f, 0x000a, 0x0005, 0x0004,
    ],
    // Source: clients; inferred: the order.
    boot: with_words(&[&quectel::APP_RDY, &quectel::FULL]),
    limits: Limits {
        publish: 560,
        // Source: BG95 AN §3.2.8.
        publish_data: 4096,
        ..EC20.limits
    },
    ..EC20
};

/// The Wi-Fi module of the fourth tutorial.
pub const ESP8266: Model = Model {
    name: "esp8266",
    title: "ESP8266",
    vendor: "Espressif",
    // Source: field logs of the last release for it.
    firmware: "2.2.0(ESP8266_1MB)",
    family: Family::Espressif,
    syntax: Syntax::EspAt,
    bearer: Bearer::WiFi,
    commands: &[espressif::ESP8266, espressif::COMMON],
    as_written: with_words(&[espressif::AS_WRITTEN]),
    gaps: with_words(&[
        "`AT+CIPSTART` with SSL: the handshake fails; UDP is refused",
        "Servers of the module's own: `AT+CIPSERVER`, the access point (`AT+CWSAP`, `AT+CIPAP`), mDNS, SmartConfig, WPS",
        "`AT+CIPSENDEX`, `AT+SAVETRANSLINK`, `AT+CIPTCPOPT`",
        "HTTP, file system, pins, updates and the sleep modes",
    ]),
    suites: &[],
    cme: with_words(espressif::MQTT_ERRORS),
    boot: with_words(&[&espressif::READY]),
    sim_ready: &[],
    limits: Limits {
        // Source: ESP-AT 2.2 documentation: 256 bytes with CR LF.
        line: 254,
        publish: 256,
        // Source: ESP-AT 2.2 documentation, MQTTPUBRAW: MQTT_BUFFER_SIZE_BYTE, header included.
        publish_data: 512,
        report: 512,
        cached: 0,
        slots: 0,
        flash: 0,
    },
    defaults: Defaults {
        baud: 115_200,
        autobaud: false,
        echo: true,
        echoes_cr: true,
        cmee: 0,
        cgerep: 0,
        cops_format: 2,
        cgdcont: AIR780EP.defaults.cgdcont,
    },
    timing: Timing {
        // Source: esp-at, at_uart_task.c hands a whole burst over. Inferred: the reply is ready before its echo is out, so that
        // drivers that wait for the line to fall silent see both in one.
        reply: Duration::from_micros(300),
        report: Duration::from_millis(5),
        // Source: MAME's esp8266_at: 300 ms to `ready`, 3 s for AT+CWJAP.
        boot: Duration::from_millis(300),
        sim: Duration::ZERO,
        registration: Duration::from_millis(1500),
        pdp: Duration::from_millis(1500),
        // Inferred: an access point and a wire.
        connect: Duration::from_millis(60),
        round_trip: Duration::from_millis(30),
    },
};

/// The Wi-Fi module that took its place, with a later firmware.
pub const ESP32C3: Model = Model {
    name: "esp32c3",
    title: "ESP32-C3",
    // Source: ESP-AT documentation of that release, AT+GMR.
    firmware: "v3.3.0.0(MINI-1)",
    commands: &[espressif::ESP32C3, espressif::COMMON],
    as_written: &[],
    gaps: with_words(&[
        "What a factory has written: there are no certificates and no `factory_param` until `AT+SYSMFG` writes them, and the latter changes nothing",
        "The bytes of a partition: of `AT+SYSFLASH` the list and erasing `mfg_nvs`",
        "UDP: `AT+CIPSTART` refuses it",
        "Servers of the module's own: `AT+CIPSERVER`, the access point (`AT+CWSAP`, `AT+CIPAP`), mDNS, SmartConfig, WPS",
        "`AT+CIPSENDEX`, `AT+SAVETRANSLINK`, `AT+CIPTCPOPT`",
        "Bluetooth, HTTP, file system, pins, updates and the sleep modes",
    ]),
    // Inferred: what mbedTLS offers in an ESP-IDF build.
    suites: &[
        0xc02c, 0xc030, 0xc02b, 0xc02f, 0xc024, 0xc028, 0xc023, 0xc027, 0xc00a, 0xc014, 0xc009,
        0xc013, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f,
    ],
    limits: Limits {
        // Source: ESP-AT documentation, MQTTPUBRAW and MQTTSUB: memory; 1024 bytes with the header. Inferred: 64 KiB.
        publish_data: 65_535,
        report: 1024,
        ..ESP8266.limits
    },
    ..ESP8266
};

impl Model {
    /// The model called `name`, in any letter case.
    pub fn by_name(name: &str) -> Option<&'static Model> {
        ALL.iter()
            .find(|model| model.name.eq_ignore_ascii_case(name))
    }
}
