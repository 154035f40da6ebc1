/** The token is not valid, or not any more: answer 401. */
export class TokenRefused extends Error {
  override readonly name = "TokenRefused";
  readonly status = 401;

  constructor() {
    super("the token is not valid (any more)");
  }
}

/** The guard cannot show that it is current, and without that yes would be a guess: answer 503. */
export class GuardUnavailable extends Error {
  override readonly name = "GuardUnavailable";
  readonly status = 503;

  constructor() {
    super("the guard cannot show that it is current");
  }
}

/** The guard could not begin, and why. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
}
