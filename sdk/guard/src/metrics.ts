import type { Counts } from "./counts.js";

export interface Metrics extends Counts {
  cacheHits: number;
  cached: number;
  keys: number;
  lists: number;
  watchers: number;
  /** Milliseconds; infinite before the first snapshot. */
  staleness: number;
}

type Row = readonly [name: string, type: "counter" | "gauge", help: string, value: (metrics: Metrics) => number];

const ROWS: readonly Row[] = [
  ["cache_hits_total", "counter", "Checks that found the token among those verified", (m) => m.cacheHits],
  ["cached_tokens", "gauge", "Verified tokens that are remembered", (m) => m.cached],
  ["keys", "gauge", "Keys in use", (m) => m.keys],
  ["lists", "gauge", "Status lists in use", (m) => m.lists],
  ["watchers", "gauge", "Sessions that somebody watches", (m) => m.watchers],
  ["staleness_seconds", "gauge", "How old what the guard knows may be", (m) => m.staleness / 1000],
  ["streams_asked_total", "counter", "Streams asked for", (m) => m.streamsAsked],
  ["streams_followed_total", "counter", "Streams that made the guard current", (m) => m.streamsFollowed],
  ["polls_total", "counter", "Times the guard asked without a stream", (m) => m.polls],
  ["lookups_total", "counter", "Lists looked up", (m) => m.lookups],
  [
    "old_tokens_asked_total",
    "counter",
    "Another application's tokens that the server was asked about",
    (m) => m.oldTokensAsked,
  ],
  ["endings_total", "counter", "Endings learnt of", (m) => m.endings],
  ["activity_reports_total", "counter", "Reports of activity that the server took", (m) => m.activityReports],
  ["problems_total", "counter", "What went wrong and was tried again", (m) => m.problems],
];

/** In the text format of Prometheus. */
export function metricsText(metrics: Metrics): string {
  const lines = [
    "# HELP cerrojo_guard_checks_total Tokens checked",
    "# TYPE cerrojo_guard_checks_total counter",
    ...(["accepted", "refused", "unavailable"] as const).map(
      (outcome) => `cerrojo_guard_checks_total{outcome="${outcome}"} ${metrics[outcome]}`,
    ),
  ];
  for (const [name, type, help, value] of ROWS) {
    const number = value(metrics);
    lines.push(`# HELP cerrojo_guard_${name} ${help}`, `# TYPE cerrojo_guard_${name} ${type}`);
    lines.push(`cerrojo_guard_${name} ${Number.isFinite(number) ? number : "+Inf"}`);
  }
  return `${lines.join("\n")}\n`;
}
