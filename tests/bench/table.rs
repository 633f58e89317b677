//! The table of all figures, printed as Markdown and written as JSON.

use std::borrow::Cow;
use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::load::Measured;

/// One figure.
#[derive(Clone, Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: Cow<'static, str>,
    /// The measured value, in [`Self::unit`].
    pub(crate) value: f64,
    /// The unit of the value.
    pub(crate) unit: &'static str,
    /// What the figure is measured against.
    pub(crate) baseline: Option<Baseline>,
    /// What the ratio to the baseline, or else the value, should be.
    pub(crate) target: Option<Target>,
    /// Whether it is so.
    pub(crate) is_met: Option<bool>,
    /// Requests that were not answered as expected. With any, no target is met.
    pub(crate) failed: u32,
    /// The 50th, 95th and 99th percentiles of the latency, in milliseconds.
    pub(crate) percentiles_ms: Option<[f64; 3]>,
}

/// Another figure of the same run, which shows what the machine can do at best.
#[derive(Clone, Serialize)]
pub(crate) struct Baseline {
    /// The name of that figure.
    name: Cow<'static, str>,
    /// This figure divided by that one.
    ratio: f64,
}

/// What a figure should be.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Figure {
    /// A figure without a baseline or target.
    pub(crate) fn new(name: impl Into<Cow<'static, str>>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value,
            unit,
            baseline: None,
            target: None,
            is_met: None,
            failed: 0,
            percentiles_ms: None,
        }
    }

    /// A figure that is a rate: how many requests succeeded per second.
    pub(crate) fn rate(
        name: impl Into<Cow<'static, str>>,
        measured: &Measured,
        unit: &'static str,
    ) -> Self {
        Self {
            failed: measured.failed,
            ..Self::new(name, measured.per_second, unit)
        }
    }

    /// A figure that is the 99th percentile of latencies, which are in microseconds.
    pub(crate) fn p99(name: impl Into<Cow<'static, str>>, latencies: &Histogram<u64>) -> Self {
        Self::new(name, quantile_ms(latencies, 0.99), "ms").with_latencies(latencies)
    }

    /// Adds the baseline.
    pub(crate) fn against(mut self, other: &Self) -> Self {
        self.baseline = Some(Baseline {
            name: other.name.clone(),
            ratio: self.value / other.value,
        });
        self
    }

    /// Adds the target of the ratio to the baseline or, without one, of the value.
    pub(crate) fn target(mut self, target: Target) -> Self {
        let baseline = self.baseline.as_ref();
        let compared = baseline.map_or(self.value, |baseline| baseline.ratio);
        let is_met = match target {
            Target::AtLeast(least) => compared >= least,
            Target::AtMost(most) => compared <= most,
        };
        self.is_met = Some(is_met && self.failed == 0);
        self.target = Some(target);
        self
    }

    /// Adds latencies, which are in microseconds.
    pub(crate) fn with_latencies(mut self, histogram: &Histogram<u64>) -> Self {
        self.percentiles_ms = Some([0.50, 0.95, 0.99].map(|at| quantile_ms(histogram, at)));
        self
    }
}

/// A quantile, between 0 and 1, in milliseconds, of latencies in microseconds.
#[expect(clippy::cast_precision_loss, reason = "a measurement")]
pub(crate) fn quantile_ms(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1_000.0
}

/// All figures, in the order in which they were measured.
#[derive(Default, Serialize)]
pub(crate) struct Table(Vec<Figure>);

impl Table {
    /// Adds a figure and returns it, to measure others against it.
    pub(crate) fn add(&mut self, figure: Figure) -> &Figure {
        self.0.push(figure);
        &self.0[self.0.len() - 1]
    }

    /// How many figures miss their targets.
    pub(crate) fn misses(&self) -> usize {
        let missed = |figure: &&Figure| figure.is_met == Some(false);
        self.0.iter().filter(missed).count()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| figure | measured | measured against | ratio | target | | p50 / p95 / p99 in ms |"
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
        let (baseline, ratio) = match &self.baseline {
            Some(Baseline { name, ratio }) => (name.as_ref(), format!("{ratio:.2}")),
            None => ("", String::new()),
        };
        let target = match self.target {
            Some(Target::AtLeast(least)) => format!("≥ {least}"),
            Some(Target::AtMost(most)) => format!("≤ {most}"),
            None => String::new(),
        };
        let mark = match self.is_met {
            Some(true) => "ok",
            Some(false) => "MISS",
            None => "",
        };
        let percentiles = self
            .percentiles_ms
            .map_or(String::new(), |[p50, p95, p99]| {
                format!("{p50:.2} / {p95:.2} / {p99:.2}")
            });
        // Without a decimal, small values would lose too much.
        let digits = usize::from(*value < 100.0);
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        writeln!(
            f,
            "| {name} | {value:.digits$} {unit}{failed} | {baseline} | {ratio} | {target} | {mark} | {percentiles} |"
        )
    }
}
