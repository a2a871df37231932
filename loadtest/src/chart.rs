//! Charts as SVG: lines over an axis, events as rules across. No script, no style of their own but classes.

use crate::timeline::Event;

/// How large a chart is drawn: its own units, which the page scales to the width that it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    pub(crate) name: &'static str,
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// Marks of an axis at most.
    pub(crate) ticks: usize,
}

/// On a wide page, and on a narrow one, where the same letters take more of it.
pub(crate) const SIZES: [Size; 2] = [
    Size { name: "wide", width: 960.0, height: 300.0, ticks: 10 },
    Size { name: "narrow", width: 360.0, height: 260.0, ticks: 5 },
];

const LEFT: f64 = 62.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 50.0;
/// Signs that are nearer to each other stand in two rows; where neither has room the rule alone is drawn.
const SIGN: f64 = 24.0;
const BOTTOM: f64 = 40.0;

/// What stands along a side.
pub(crate) struct Axis {
    pub(crate) label: &'static str,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// Where there is a mark, and what it says.
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to a round number, so many marks at most.
    pub(crate) fn linear(label: &'static str, max: f64, ticks: usize) -> Self {
        let rough = (max / ticks as f64).max(1e-9);
        let base = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|of| of * base).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let count = (max / step).ceil().max(1.0);
        let marks = (0..=ticks + 1).map(|nth| nth as f64).take_while(|nth| *nth <= count);
        let ticks = marks.map(|nth| (nth * step, number(nth * step))).collect();
        Self { label, min: 0.0, max: count * step, ticks }
    }

    /// Powers of ten, each a mark; the values are their logarithms.
    pub(crate) fn decades(label: &'static str, (least, most): (f64, f64), tell: fn(f64) -> String) -> Self {
        let min = least.max(1e-9).log10().floor();
        let max = most.max(1e-9).log10().ceil().max(min + 1.0);
        let marks = (0..40).map(|nth| min + f64::from(nth)).take_while(|at| *at <= max);
        let ticks = marks.map(|at| (at, tell(10_f64.powf(at)))).collect();
        Self { label, min, max, ticks }
    }

    fn part(&self, value: f64) -> f64 {
        ((value - self.min) / (self.max - self.min).max(1e-9)).clamp(0.0, 1.0)
    }
}

/// One line.
pub(crate) struct Series {
    /// Its class, which gives it a colour and a pattern.
    pub(crate) class: &'static str,
    /// Its points; a gap where there is no number.
    pub(crate) points: Vec<(f64, f64)>,
}

/// A chart.
pub(crate) struct Chart<'a> {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// The same in words, for whoever does not see it.
    pub(crate) told: String,
    pub(crate) x: &'a Axis,
    pub(crate) y: &'a Axis,
    pub(crate) series: &'a [Series],
    /// Events by their place on the x axis, each with its sign.
    pub(crate) marks: &'a [(f64, Event, String)],
}

impl Chart<'_> {
    pub(crate) fn svg(&self, size: Size) -> String {
        let (id, name) = (self.id, size.name);
        let mut out = format!(
            "<svg class=\"chart {name}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-labelledby=\"{id}-{name}-title {id}-{name}-told\">\n<title id=\"{id}-{name}-title\">{}</title>\n<desc id=\"{id}-{name}-told\">{}</desc>\n",
            size.width,
            size.height,
            escape(self.title),
            escape(&self.told)
        );
        self.axes(size, &mut out);
        let mut last = [f64::NEG_INFINITY; 2];
        for (at, event, sign) in self.marks {
            let (x, kind) = (self.across(size, *at), event.name());
            let [low, high] = last;
            let written =
                |row: f64| format!("<text x=\"{x:.1}\" y=\"{:.1}\">{}</text>", TOP - 6.0 - row, escape(sign));
            let (text, now) = match (x - low >= SIGN, x - high >= SIGN) {
                (true, _) => (written(0.0), [x, high]),
                (false, true) => (written(13.0), [low, x]),
                (false, false) => (String::new(), last),
            };
            last = now;
            out.push_str(&format!(
                "<g class=\"mark {kind}\"><line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>{text}</g>\n",
                size.height - BOTTOM
            ));
        }
        // Above the rules, which may be many.
        for series in self.series {
            out.push_str(&self.line(size, series));
        }
        out.push_str("</svg>\n");
        out
    }

    fn across(&self, size: Size, value: f64) -> f64 {
        LEFT + self.x.part(value) * (size.width - LEFT - RIGHT)
    }

    fn up(&self, size: Size, value: f64) -> f64 {
        size.height - BOTTOM - self.y.part(value) * (size.height - TOP - BOTTOM)
    }

    fn axes(&self, size: Size, out: &mut String) {
        let (end, low) = (size.width - RIGHT, size.height - BOTTOM);
        for (value, text) in &self.y.ticks {
            let y = self.up(size, *value);
            out.push_str(&format!(
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"tick y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\n",
                LEFT - 6.0,
                y + 4.0,
                escape(text)
            ));
        }
        // Every so many of them where all would touch each other.
        let every = self.x.ticks.len().div_ceil(size.ticks).max(1);
        for (value, text) in self.x.ticks.iter().step_by(every) {
            let x = self.across(size, *value);
            // The last one stays within the picture.
            let class = if end - x < 20.0 { "tick last" } else { "tick x" };
            let at = if end - x < 20.0 { size.width - 2.0 } else { x };
            out.push_str(&format!(
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{low}\"/><text class=\"{class}\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>\n",
                low + 16.0,
                escape(text)
            ));
        }
        out.push_str(&format!(
            "<text class=\"label\" x=\"{end}\" y=\"{:.1}\" text-anchor=\"end\">{}</text><text class=\"label\" x=\"2\" y=\"12\">{}</text>\n",
            size.height - 4.0,
            escape(self.x.label),
            escape(self.y.label)
        ));
    }

    fn line(&self, size: Size, series: &Series) -> String {
        let (mut path, mut pen) = (String::new(), 'M');
        for (x, y) in &series.points {
            if !y.is_finite() {
                pen = 'M';
                continue;
            }
            path.push_str(&format!("{pen}{:.1} {:.1}", self.across(size, *x), self.up(size, *y)));
            if pen == 'M' {
                // A point between two gaps is seen, too.
                path.push_str("h0.1");
            }
            pen = 'L';
        }
        format!("<path class=\"line {}\" d=\"{path}\"/>\n", series.class)
    }
}

/// A number with commas between thousands; small ones with a digit behind the point.
pub(crate) fn number(value: f64) -> String {
    if value < 10.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 && digit != '-' {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A latency in a unit that reads well.
pub(crate) fn micros(value: f64) -> String {
    let (value, unit) = match value {
        value if value < 1_000.0 => (value, "us"),
        value if value < 1_000_000.0 => (value / 1_000.0, "ms"),
        value => (value / 1_000_000.0, "s"),
    };
    let text = if value < 10.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

/// A text as HTML and XML read it.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            letter if letter.is_control() && letter != '\n' && letter != '\t' => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PROPERTY: numbers read as people write them, and axes hold what they show with few, round marks.
    #[test]
    fn numbers_and_axes_read_well() {
        for (value, right) in
            [(0.0, "0"), (1.5, "1.5"), (999.0, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567")]
        {
            assert_eq!(number(value), right);
        }
        for (value, right) in
            [(1.0, "1 us"), (10.0, "10 us"), (1_500.0, "1.5 ms"), (120_000.0, "120 ms"), (2e6, "2 s")]
        {
            assert_eq!(micros(value), right);
        }
        for max in [0.0, 0.7, 9.0, 10.0, 11.0, 12_345.0, 1e7] {
            let axis = Axis::linear("x", max, 5);
            assert!(axis.max >= max && axis.ticks.len() <= 7, "{max}: {:?}", axis.ticks);
            assert_eq!(axis.ticks.last().map(|(at, _)| *at >= max), Some(true), "{max}: {:?}", axis.ticks);
        }
        let axis = Axis::decades("x", (35.0, 120_000.0), micros);
        let texts: Vec<&str> = axis.ticks.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(texts, ["10 us", "100 us", "1 ms", "10 ms", "100 ms", "1 s"]);
        assert_eq!(escape("<a href=\"x\">&'\u{0}"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{fffd}");
    }
}
