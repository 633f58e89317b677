//! The figures, for people and for machines.

use std::fmt;

use hdrhistogram::Histogram;
use serde::Serialize;

/// One figure.
#[derive(Serialize)]
pub(crate) struct Figure {
    /// What was measured.
    pub(crate) name: &'static str,
    /// How much of it.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
    /// What it is measured against, and the ratio to that.
    pub(crate) against: Option<(&'static str, f64)>,
    /// The ratio to reach.
    pub(crate) reach: Option<f64>,
    /// 50th, 95th and 99th percentile of the latency, in milliseconds.
    pub(crate) percentiles_ms: Option<[f64; 3]>,
}

impl Figure {
    /// A figure by itself.
    pub(crate) const fn new(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            name,
            value,
            unit,
            against: None,
            reach: None,
            percentiles_ms: None,
        }
    }

    /// With what it is measured against.
    pub(crate) fn against(mut self, other: &Self, reach: Option<f64>) -> Self {
        self.against = Some((other.name, self.value / other.value));
        self.reach = reach;
        self
    }

    /// With latencies, which are in microseconds.
    pub(crate) fn latencies(mut self, histogram: &Histogram<u64>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a measurement")]
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        self.percentiles_ms = Some([ms(0.50), ms(0.95), ms(0.99)]);
        self
    }
}

/// All of them, in the order they were measured.
#[derive(Default)]
pub(crate) struct Table(Vec<Figure>);

impl Table {
    /// Adds one and hands it back, to measure others against it.
    pub(crate) fn add(&mut self, figure: Figure) -> &Figure {
        self.0.push(figure);
        &self.0[self.0.len() - 1]
    }

    /// For machines.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| figure | measured | against | ratio | reach | p50 / p95 / p99 ms |"
        )?;
        writeln!(f, "| --- | ---: | --- | ---: | ---: | ---: |")?;
        for figure in &self.0 {
            let (against, ratio) = figure
                .against
                .map_or((String::new(), String::new()), |(name, ratio)| {
                    (name.to_owned(), format!("{ratio:.2}"))
                });
            let reach = figure
                .reach
                .map_or(String::new(), |reach| format!("{reach:.2}"));
            let percentiles = figure
                .percentiles_ms
                .map_or(String::new(), |[p50, p95, p99]| {
                    format!("{p50:.2} / {p95:.2} / {p99:.2}")
                });
            let Figure {
                name, value, unit, ..
            } = figure;
            writeln!(
                f,
                "| {name} | {value:.0} {unit} | {against} | {ratio} | {reach} | {percentiles} |"
            )?;
        }
        Ok(())
    }
}
