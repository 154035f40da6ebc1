/** A session whose token was found good. What it says is trusted. */
export interface Session {
  /** `sid`: the session's name. */
  readonly id: string;
  /** `user_id`, equal to `sub`. */
  readonly userId: number;
  /** `email`, as it was at the sign-in. */
  readonly email: string;
  /** `name`, as it was at the sign-in. */
  readonly name: string;
  /** `role_id`. */
  readonly roleId: number;
  /** `exp` in unix milliseconds: from this time on the token is refused. */
  readonly expiresAt: number;
  /** `kid`: the key that signed the token. */
  readonly key: string;
  /** The status list that holds the session's bit. */
  readonly list: string;
  /** The session's place in that list. */
  readonly index: number;
}

/** Something that ended sessions: one of them, or all of a list or of a key. */
export type Ending =
  | { readonly kind: "session"; readonly list: string; readonly index: number }
  | { readonly kind: "list"; readonly list: string }
  | { readonly kind: "key"; readonly key: string };

/** Whether this session is over by that ending. */
export function isEndedBy(session: Pick<Session, "key" | "list" | "index">, ending: Ending): boolean {
  switch (ending.kind) {
    case "session":
      return session.list === ending.list && session.index === ending.index;
    case "list":
      return session.list === ending.list;
    case "key":
      return session.key === ending.key;
  }
}
