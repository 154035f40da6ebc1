//! The Prometheus text format 0.0.4, read strictly: whatever another reader might stumble over fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// What was exposed.
#[derive(Debug)]
pub struct Exposition {
    /// By name of the family.
    families: BTreeMap<String, Exposed>,
}

/// One family.
#[derive(Debug)]
pub struct Exposed {
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// What it is said to be.
    pub help: String,
    /// The names of its labels, those that every histogram has left out.
    pub labels: BTreeSet<String>,
    /// By name and labels as written.
    series: BTreeMap<String, f64>,
}

impl Exposition {
    /// Reads all of it.
    ///
    /// # Panics
    /// If anything of it is not as the format has it: every family has its HELP, then its TYPE, then its series, together;
    /// no series is there twice; histograms' buckets ascend to `+Inf`, which is the count.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line has no end");
        let mut families: BTreeMap<String, Exposed> = BTreeMap::new();
        let mut current = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                let kind =
                    lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} "))).map(str::to_owned);
                let kind = kind.unwrap_or_else(|| panic!("no TYPE after the HELP of {name}"));
                assert!(["counter", "gauge", "histogram"].contains(&&*kind), "{name}: {kind}");
                assert!(!help.is_empty() && is_name(name), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
                let (help, series) = (help.to_owned(), BTreeMap::new());
                let known = families.insert(name.to_owned(), Exposed { kind, help, labels: BTreeSet::new(), series });
                assert!(known.is_none(), "{name} is there twice");
                name.clone_into(&mut current);
                continue;
            }
            let family = families.get_mut(&current).unwrap_or_else(|| panic!("a series before any family: {line}"));
            family.take(&current, line);
        }
        for (name, family) in &families {
            family.check(name);
        }
        Self { families }
    }

    /// The names of all families.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// A family.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn family(&self, name: &str) -> &Exposed {
        self.families.get(name).unwrap_or_else(|| panic!("no {name}"))
    }

    /// The value of a series, as written in the format: `name` or `name{label="value"}`.
    ///
    /// # Panics
    /// If it is not there.
    #[must_use]
    pub fn value(&self, series: &str) -> f64 {
        self.find(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.families.keys()))
    }

    /// The same, if it is there.
    #[must_use]
    pub fn find(&self, series: &str) -> Option<f64> {
        self.families.values().find_map(|family| family.series.get(series)).copied()
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.families.values().map(|family| family.series.len()).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The whole series of a family, as written.
    pub fn series(&self, name: &str) -> impl Iterator<Item = &str> {
        self.family(name).series.keys().map(String::as_str)
    }
}

impl Exposed {
    fn take(&mut self, family: &str, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let (name, labels) = series.split_once('{').map_or((series, ""), |(name, labels)| {
            (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("labels without an end: {line}")))
        });
        let suffix = name.strip_prefix(family).unwrap_or_else(|| panic!("{name} among the series of {family}"));
        let suffixes: &[&str] = if self.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
        assert!(suffixes.contains(&suffix), "{line}");
        let mut known = BTreeSet::new();
        for (label, value) in pairs(labels) {
            assert!(is_name(label) && known.insert(label), "{line}");
            let plain = |c: char| c.is_ascii_graphic() && !['"', '\\'].contains(&c);
            assert!(!value.is_empty() && value.chars().all(plain), "{line}");
            if label != "le" {
                self.labels.insert(label.to_owned());
            }
        }
        assert_eq!(suffix == "_bucket", known.contains("le"), "{line}");
        let value: f64 = value.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(value.is_finite() && (value >= 0.0 || self.kind == "gauge"), "{line}");
        assert!(self.series.insert(series.to_owned(), value).is_none(), "twice: {line}");
    }

    fn check(&self, name: &str) {
        if self.kind != "histogram" {
            return;
        }
        for (series, count) in self.series.iter().filter(|(series, _)| series.starts_with(&format!("{name}_count"))) {
            let labels = series.strip_prefix(&format!("{name}_count")).unwrap_or_default().trim_matches(['{', '}']);
            let prefix = if labels.is_empty() {
                format!("{name}_bucket{{le=\"")
            } else {
                format!("{name}_bucket{{{labels},le=\"")
            };
            let mut buckets: Vec<(f64, f64)> = self
                .series
                .iter()
                .filter_map(|(series, value)| {
                    let bound = series.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                    Some((bound.parse().unwrap_or_else(|error| panic!("{series}: {error}")), *value))
                })
                .collect();
            buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
            assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{series}: buckets do not ascend");
            assert_eq!(buckets.last(), Some(&(f64::INFINITY, *count)), "{series}");
            assert!(self.series.contains_key(&series.replacen("_count", "_sum", 1)), "{series} has no sum");
        }
    }
}

/// Labels without their braces; none of their values holds a comma or a quote here.
fn pairs(labels: &str) -> impl Iterator<Item = (&str, &str)> {
    labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let pair = pair.split_once("=\"").and_then(|(label, value)| Some((label, value.strip_suffix('"')?)));
        pair.expect("a label is written label=\"value\"")
    })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}
