//! What was measured, as Markdown for people and as JSON for programs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

use crate::failure::Outcome;
use crate::figures::{Figures, median, median_of};
use crate::options::Options;
use crate::place::Build;
use crate::threads;

/// Everything that a run showed.
#[derive(Serialize)]
pub(crate) struct Report {
    commit: String,
    processors: usize,
    quick: bool,
    load_before: String,
    requests: Vec<Requests>,
    judged: Vec<Judged>,
}

#[derive(Serialize)]
struct Requests {
    what: &'static str,
    build: String,
    measured: Figures,
    floor: Option<Figures>,
}

/// A figure and what it has to be.
#[derive(Serialize)]
pub(crate) struct Judged {
    what: &'static str,
    build: String,
    unit: &'static str,
    value: f64,
    beside: Option<f64>,
    ratio: Option<f64>,
    target: Option<String>,
    met: Option<bool>,
}

/// What a figure has to be.
#[derive(Clone, Copy)]
pub(crate) struct Target(Option<(Bound, f64)>);

#[derive(Clone, Copy)]
enum Bound {
    AtMost,
    AtLeast,
    Below,
}

impl Target {
    /// Only reported.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// This or less.
    pub(crate) fn at_most(bound: f64) -> Self {
        Self(Some((Bound::AtMost, bound)))
    }

    /// This or more.
    pub(crate) fn at_least(bound: f64) -> Self {
        Self(Some((Bound::AtLeast, bound)))
    }

    /// Less than this.
    pub(crate) fn below(bound: f64) -> Self {
        Self(Some((Bound::Below, bound)))
    }

    /// Judges the median of what each round's value is beside the other of the same round: whatever else the machine did
    /// then met both.
    pub(crate) fn of_ratio(self, unit: &'static str, values: &[f64], beside: &[f64]) -> Judged {
        let ratio = median(values.iter().zip(beside).map(|(value, beside)| value / beside).collect());
        let (value, beside) = (median(values.to_vec()), median(beside.to_vec()));
        let (met, target) = (self.met(ratio), self.words(""));
        Judged { ratio: Some(ratio), met, target, ..shown(unit, value, Some(beside)) }
    }

    /// Judges `value`.
    pub(crate) fn of_value(self, unit: &'static str, value: f64) -> Judged {
        Judged { met: self.met(value), target: self.words(unit), ..shown(unit, value, None) }
    }

    /// Judges `value` and shows `beside` beside it.
    pub(crate) fn beside(self, unit: &'static str, value: f64, beside: f64) -> Judged {
        Judged { met: self.met(value), target: self.words(unit), ..shown(unit, value, Some(beside)) }
    }

    fn met(self, figure: f64) -> Option<bool> {
        self.0.map(|(bound, limit)| match bound {
            Bound::AtMost => figure <= limit,
            Bound::AtLeast => figure >= limit,
            Bound::Below => figure < limit,
        })
    }

    fn words(self, unit: &str) -> Option<String> {
        self.0.map(|(bound, limit)| {
            let sign = match bound {
                Bound::AtMost => "≤",
                Bound::AtLeast => "≥",
                Bound::Below => "<",
            };
            format!("{sign} {limit} {unit}").trim_end().to_owned()
        })
    }
}

fn shown(unit: &'static str, value: f64, beside: Option<f64>) -> Judged {
    let ratio = beside.map(|beside| value / beside);
    Judged { what: "", build: String::new(), unit, value, beside, ratio, target: None, met: None }
}

impl Report {
    /// Nothing yet.
    pub(crate) fn begin(options: &Options) -> Self {
        let described = Command::new("git").args(["describe", "--always", "--dirty"]).output();
        let commit = described.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).unwrap_or_default();
        let load_before = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load_before = load_before.split(' ').take(1).collect();
        let (requests, judged) = (Vec::new(), Vec::new());
        Self { commit, processors: threads(), quick: options.quick, load_before, requests, judged }
    }

    /// Adds the figures of a load, with its floor's.
    pub(crate) fn add(&mut self, what: &'static str, build: &Build, (rounds, floor): (&[Figures], Option<&[Figures]>)) {
        let (measured, floor) = (median_of(rounds), floor.map(median_of));
        self.requests.push(Requests { what, build: build.name.clone(), measured, floor });
    }

    /// Adds a figure that is judged.
    pub(crate) fn judge(&mut self, what: &'static str, build: &Build, judged: Judged) {
        self.judged.push(Judged { what, build: build.name.clone(), ..judged });
    }

    /// The tables.
    pub(crate) fn markdown(&self) -> String {
        let Self { commit, processors, load_before, .. } = self;
        let quick = if self.quick { ", quick: the figures decide nothing" } else { "" };
        let mut text = format!("\nCommit {commit}, {processors} processors, load before {load_before}{quick}.\n\n");
        self.write_requests(&mut text);
        self.write_judged(&mut text);
        text
    }

    fn write_requests(&self, text: &mut String) {
        if self.requests.is_empty() {
            return;
        }
        text.push_str(
            "| load | build | answers/s | p50 µs | p99 µs | CPU µs | floor: answers/s | p50 µs | p99 µs | CPU µs | CPU ratio |\n\
             | --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |\n",
        );
        for Requests { what, build, measured, floor } in &self.requests {
            // Of some floors the processor time is not known.
            let floor_cpu = floor.filter(|floor| floor.cpu > 0.0).map(|floor| measured.cpu / floor.cpu);
            let ratio = floor_cpu.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2}"));
            let floor = floor.map_or_else(|| "– | – | – | –".to_owned(), cells);
            let _ = writeln!(text, "| {what} | {build} | {} | {floor} | {ratio} |", cells(*measured));
        }
        text.push('\n');
    }

    fn write_judged(&self, text: &mut String) {
        if self.judged.is_empty() {
            return;
        }
        text.push_str(
            "| what | build | value | beside | ratio | target | met |\n| --- | --- | --: | --: | --: | --: | --- |\n",
        );
        for Judged { what, build, unit, value, beside, ratio, target, met } in &self.judged {
            let or_none = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
            let beside = or_none(beside.map(|beside| format!("{beside:.1} {unit}")));
            let ratio = or_none(ratio.map(|ratio| format!("{ratio:.2}")));
            let target = or_none(target.clone());
            let met = met.map_or("–", |met| if met { "yes" } else { "**no**" });
            let _ = writeln!(text, "| {what} | {build} | {value:.1} {unit} | {beside} | {ratio} | {target} | {met} |");
        }
    }

    /// Writes the same as JSON.
    pub(crate) fn write_json(&self, path: &Path) -> Outcome<()> {
        Ok(std::fs::write(path, serde_json::to_vec_pretty(self)?)?)
    }
}

fn cells(figures: Figures) -> String {
    let Figures { rate, p50, p99, cpu } = figures;
    let cpu = if cpu > 0.0 { format!("{cpu:.1}") } else { "–".to_owned() };
    format!("{rate:.0} | {p50:.0} | {p99:.0} | {cpu}")
}
