//! The figures, for people and for machines.

use std::borrow::Cow;
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::Seen;

/// One figure.
#[derive(Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: Cow<'static, str>,
    /// How much of it.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
    /// What it is measured against, and the ratio to that.
    pub(crate) against: Option<(Cow<'static, str>, f64)>,
    /// What to reach.
    pub(crate) reach: Option<Reach>,
    /// Whether that is reached.
    pub(crate) reached: Option<bool>,
    /// Requests that were not answered as they should be; with any, nothing is reached.
    pub(crate) failed: u32,
    /// 50th, 95th and 99th percentile of the latency, in milliseconds.
    pub(crate) percentiles_ms: Option<[f64; 3]>,
}

/// What a figure shall be: its ratio where it is measured against another one, else its value.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reach {
    /// No less.
    AtLeast(f64),
    /// No more.
    AtMost(f64),
}

impl Figure {
    /// A figure by itself.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            against: None,
            reach: None,
            reached: None,
            failed: 0,
            percentiles_ms: None,
        }
    }

    /// How often a second something succeeded.
    pub(crate) fn rate(
        name: impl Into<Cow<'static, str>>,
        seen: &Seen,
        unit: &'static str,
    ) -> Self {
        Self {
            failed: seen.failed,
            ..Self::new(name, seen.per_second, unit)
        }
    }

    /// With what it is measured against, and the least ratio to reach.
    pub(crate) fn against(self, other: &Self, reach: Option<f64>) -> Self {
        let figure = self.beside(other);
        match reach {
            Some(least) => figure.reach(Reach::AtLeast(least)),
            None => figure,
        }
    }

    /// With what it is measured against.
    pub(crate) fn beside(mut self, other: &Self) -> Self {
        self.against = Some((other.name.clone(), self.value / other.value));
        self
    }

    /// With what to reach.
    pub(crate) fn reach(mut self, reach: Reach) -> Self {
        let seen = self
            .against
            .as_ref()
            .map_or(self.value, |(_, ratio)| *ratio);
        let reached = match reach {
            Reach::AtLeast(least) => seen >= least,
            Reach::AtMost(most) => seen <= most,
        };
        self.reached = Some(reached && self.failed == 0);
        self.reach = Some(reach);
        self
    }

    /// With latencies, which are in microseconds.
    pub(crate) fn latencies(mut self, histogram: &Histogram<u64>) -> Self {
        self.percentiles_ms = Some([0.50, 0.95, 0.99].map(|at| quantile_ms(histogram, at)));
        self
    }
}

/// In milliseconds, of microseconds.
#[expect(clippy::cast_precision_loss, reason = "a measurement")]
pub(crate) fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1_000.0
}

/// All of them, in the order they were measured.
#[derive(Default, Serialize)]
pub(crate) struct Table(Vec<Figure>);

impl Table {
    /// Adds one and hands it back, to measure others against it.
    pub(crate) fn add(&mut self, figure: Figure) -> &Figure {
        self.0.push(figure);
        &self.0[self.0.len() - 1]
    }

    /// How many figures are not what they should be.
    pub(crate) fn misses(&self) -> usize {
        let missed = |figure: &&Figure| figure.reached == Some(false);
        self.0.iter().filter(missed).count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| figure | measured | against | ratio | reach | | p50 / p95 / p99 ms |"
        )?;
        writeln!(f, "| --- | ---: | --- | ---: | ---: | --- | ---: |")?;
        self.0.iter().try_for_each(|figure| figure.write(f))
    }
}

impl Figure {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name, value, unit, ..
        } = self;
        let (against, ratio) = self
            .against
            .as_ref()
            .map_or((String::new(), String::new()), |(name, ratio)| {
                (name.to_string(), format!("{ratio:.2}"))
            });
        let reach = match self.reach {
            Some(Reach::AtLeast(least)) => format!("≥ {least}"),
            Some(Reach::AtMost(most)) => format!("≤ {most}"),
            None => String::new(),
        };
        let mark = match self.reached {
            Some(true) => "ok",
            Some(false) => "MISS",
            None => "",
        };
        let percentiles = self
            .percentiles_ms
            .map_or(String::new(), |[p50, p95, p99]| {
                format!("{p50:.2} / {p95:.2} / {p99:.2}")
            });
        // Small ones would lose too much.
        let digits = usize::from(*value < 100.0);
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        writeln!(
            f,
            "| {name} | {value:.digits$} {unit}{failed} | {against} | {ratio} | {reach} | {mark} | {percentiles} |"
        )
    }
}
