//! A trace as a picture: the conversation of host, module and broker as a sequence chart in SVG.

use crate::trace::{Kind, Line};
use instant::Instant;
use std::fmt::Write;

/// Where the lifelines stand, in pixels from the left.
const HOST: u32 = 150;
const MODULE: u32 = 600;
const BROKER: u32 = 1050;
const WIDTH: u32 = 1200;
/// Where the times end.
const TIMES: u32 = 82;

const HEADER: u32 = 52;
const ROW: u32 = 30;
/// What a pause adds.
const PAUSE: u32 = 18;
/// A pause that is worth telling, in microseconds.
const LONG: u64 = 1_000_000;

/// The width of a character of 12 pixels, in tenths of pixels: the widest of the usual monospaced fonts has 72 to 73.
const CHARACTER: u32 = 73;
/// Columns of text that an arrow has room for.
const ARROW: usize = 58;
/// Columns of text that a box has room for.
const BOX: usize = 112;

/// Classes instead of custom properties: not every program that shows SVG knows those.
const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328;white-space:pre}
.paper{fill:#fff}.head{font-weight:bold}.life{stroke:#d0d7de;stroke-width:2}.card{fill:#f6f8fa;stroke:#d0d7de}
.time,.pause{fill:#59636e}.host{stroke:#0969da}.mqtt{stroke:#8250df}.tip{stroke:none}.host.tip{fill:#0969da}.mqtt.tip{fill:#8250df}
.state{fill:#ddf4ff;stroke:#54aeff}.note{fill:#fff8c5;stroke:#d4a72c}.left{fill:#ffebe9;stroke:#ff8182}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.paper{fill:#0d1117}.life{stroke:#3d444d}.card{fill:#151b23;stroke:#3d444d}
.time,.pause{fill:#9198a1}.host{stroke:#4493f8}.mqtt{stroke:#ab7df8}.host.tip{fill:#4493f8}.mqtt.tip{fill:#ab7df8}
.state{fill:#0c2d52;stroke:#1f6feb}.note{fill:#3a2c05;stroke:#9e6a03}.left{fill:#4b1113;stroke:#da3633}
}
";

/// Draws the lines. `module` is what stands above the middle one, and `left_out` is told at the end.
pub fn svg(lines: &[Line], module: &str, left_out: Option<&str>) -> String {
    let mut drawing = Drawing {
        body: String::new(),
        y: HEADER,
        before: None,
    };
    for line in lines {
        drawing.line(line);
    }
    if let Some(text) = left_out {
        drawing.boxed("left", text);
    }
    let height = drawing.y + 14;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\">\n\
         <title>Conversation of host, {} and broker</title>\n\
         <style>\n{STYLE}</style>\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>\n",
        escaped(module)
    );
    for x in [HOST, MODULE, BROKER] {
        let end = height - 8;
        put(
            &mut svg,
            format_args!("<path class=\"life\" d=\"M{x} 38V{end}\"/>\n"),
        );
    }
    for (x, name) in [(HOST, "host"), (MODULE, module), (BROKER, "broker")] {
        let (shown, _) = cut(name, 40);
        let width = (columns(&shown) * CHARACTER / 10 + 24).max(80);
        let left = x - width / 2;
        put(
            &mut svg,
            format_args!(
                "<rect class=\"card\" x=\"{left}\" y=\"10\" width=\"{width}\" height=\"28\" rx=\"4\"/>\
                 <text class=\"head\" x=\"{x}\" y=\"28\" text-anchor=\"middle\">{}</text>\n",
                escaped(&shown)
            ),
        );
    }
    svg.push_str(&drawing.body);
    svg.push_str("</svg>\n");
    svg
}

struct Drawing {
    body: String,
    /// Where the next row begins.
    y: u32,
    /// When the row before it was.
    before: Option<u64>,
}

impl Drawing {
    fn line(&mut self, line: &Line) {
        self.time(line.micros);
        let text = line.printable();
        match line.kind {
            Kind::FromHost => self.arrow("host", HOST, MODULE, &text),
            Kind::ToHost => self.arrow("host", MODULE, HOST, &text),
            Kind::ToBroker => self.arrow("mqtt", MODULE, BROKER, &text),
            Kind::FromBroker => self.arrow("mqtt", BROKER, MODULE, &text),
            Kind::State | Kind::Event => self.boxed("state", &text),
            Kind::Note => self.boxed("note", &text),
        }
    }

    /// Writes the time at the side, unless it is that of the row before.
    fn time(&mut self, micros: u64) {
        let now = Instant::from_micros(micros);
        if let Some(before) = self.before.replace(micros) {
            let pause = micros.saturating_sub(before);
            if pause >= LONG {
                let y = self.y + 12;
                let pause = Instant::from_micros(pause);
                self.put(format_args!(
                    "<text class=\"pause\" x=\"{TIMES}\" y=\"{y}\" text-anchor=\"end\">+{pause}</text>\n"
                ));
                self.y += PAUSE;
            }
            if Instant::from_micros(before).to_string() == now.to_string() {
                return;
            }
        }
        let y = self.y + 22;
        self.put(format_args!(
            "<text class=\"time\" x=\"{TIMES}\" y=\"{y}\" text-anchor=\"end\">{now}</text>\n"
        ));
    }

    /// An arrow, with its text at the end of whoever speaks.
    fn arrow(&mut self, class: &str, from: u32, to: u32, text: &str) {
        let (shown, is_cut) = cut(text, ARROW);
        let (baseline, y) = (self.y + 15, self.y + 22);
        let (at, anchor, tip) = if from < to {
            (from + 12, "start", "l-9 -4v8z")
        } else {
            (from - 12, "end", "l9 -4v8z")
        };
        self.group(text, is_cut, |body| {
            put(
                body,
                format_args!(
                    "<path class=\"{class}\" d=\"M{from} {y}H{to}\"/>\
                     <path class=\"{class} tip\" d=\"M{to} {y}{tip}\"/>\
                     <text x=\"{at}\" y=\"{baseline}\" text-anchor=\"{anchor}\">{}</text>",
                    escaped(&shown)
                ),
            );
        });
    }

    fn boxed(&mut self, class: &str, text: &str) {
        let (shown, is_cut) = cut(text, BOX);
        let width = columns(&shown) * CHARACTER / 10 + 20;
        let (left, top, baseline) = (MODULE - width / 2, self.y + 6, self.y + 22);
        self.group(text, is_cut, |body| {
            put(
                body,
                format_args!(
                    "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"22\" rx=\"4\"/>\
                     <text x=\"{MODULE}\" y=\"{baseline}\" text-anchor=\"middle\">{}</text>",
                    escaped(&shown)
                ),
            );
        });
    }

    /// A row, which tells its whole text under the pointer when it shows less of it.
    fn group(&mut self, text: &str, is_cut: bool, draw: impl FnOnce(&mut String)) {
        self.body.push_str("<g>");
        if is_cut {
            self.put(format_args!("<title>{}</title>", escaped(text)));
        }
        draw(&mut self.body);
        self.body.push_str("</g>\n");
        self.y += ROW;
    }

    fn put(&mut self, what: std::fmt::Arguments<'_>) {
        put(&mut self.body, what);
    }
}

fn put(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // A string takes everything.
    let _ = svg.write_fmt(what);
}

/// As much of a text as so many columns show, and whether that is less than all.
fn cut(text: &str, room: usize) -> (String, bool) {
    if columns(text) as usize <= room {
        return (text.into(), false);
    }
    let mut shown = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += width(character) as usize;
        if used > room {
            break;
        }
        shown.push(character);
    }
    shown.push('…');
    (shown, true)
}

fn columns(text: &str) -> u32 {
    text.chars().map(width).sum()
}

/// Two columns from the first East Asian block on: too wide for some, never too narrow for any.
fn width(character: char) -> u32 {
    if character < '\u{1100}' { 1 } else { 2 }
}

/// Text for XML, which [`Line::printable`] has freed of what XML cannot hold.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            other => escaped.push(other),
        }
    }
    escaped
}
