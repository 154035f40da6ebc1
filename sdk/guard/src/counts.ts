/** What a guard counts, from its beginning on. */
export interface Counts {
  accepted: number;
  refused: number;
  unavailable: number;
  /** Streams that were asked for, and those of them that made the guard fresh. */
  streamsAsked: number;
  streamsFollowed: number;
  polls: number;
  lookups: number;
  /** Tokens of another application that the server was asked about. */
  oldTokensAsked: number;
  /** Endings that this guard learnt of while it ran. */
  endings: number;
  /** Whatever {@link GuardOptions.onProblem} was told. */
  problems: number;
  activityReports: number;
}

export function noCounts(): Counts {
  return {
    accepted: 0,
    refused: 0,
    unavailable: 0,
    streamsAsked: 0,
    streamsFollowed: 0,
    polls: 0,
    lookups: 0,
    oldTokensAsked: 0,
    endings: 0,
    problems: 0,
    activityReports: 0,
  };
}
