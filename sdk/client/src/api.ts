// Written by tools/types.js from docs/openapi.json: npm run generate

/** How a session ended. */
export type EndedView = {
  ended_at?: string;
  /** `user`, `administrator`, `operator` or `server`; administrators see the number of the user as well (`administrator:7`). */
  ended_by?: string;
  /** The network address that asked for it, where one did. */
  ended_from?: string | null;
  /** `logout`, `idle`, `expired`, `password_changed`, … */
  ended_reason?: string;
};

/** Anything but a success. */
export type Failure = {
  /** For programs; stable. */
  code: string;
  /** What exactly is wrong with the input, for people. */
  errors?: string[];
  /** For people; the language is a setting of the server. */
  message: string;
  /** With the 401 for the token of a session that has ended: why, for programs. `logout`, `logout_elsewhere`, `password_changed`, `email_changed`, `account_inactive`, `account_suspended`, `account_deleted`, `admin`, `idle`, `expired`, `replaced`, `restored`, or `ended` where nothing better is known. */
  reason?: string;
  /** Always false. */
  success: boolean;
};

/** What signing in takes. */
export type Login = {
  /** True: the token is set as a cookie that scripts cannot read, and left out of the answer. The request has to come from the server's own pages or an origin of `cors.origins`. */
  cookie?: boolean;
  /** Case and surrounding white space do not matter. */
  email: string;
  password: string;
};

/** `data` with the caller's own account in it. */
export type OneUser = {
  /** The address that takes the place of the user's once it is confirmed; left out if there is none. */
  pending_email?: string;
  user: User;
};

/** What a change of the password takes. */
export type Password = {
  currentPassword: string;
  /** 8 to 256 characters, not a common one. */
  newPassword: string;
};

/** What a change of the profile takes: at least one of name and email. */
export type Profile = {
  /** Needed for a change of email if the server asks for reauthentication. */
  currentPassword?: string;
  email?: string;
  name?: string;
};

/** What registering takes. A `role` that is sent is ignored. */
export type Register = {
  /** True: the token is set as a cookie that scripts cannot read, and left out of the answer. The request has to come from the server's own pages or an origin of `cors.origins`. */
  cookie?: boolean;
  email: string;
  name: string;
  /** 8 to 256 characters, not a common one. */
  password: string;
};

/** A session. */
export type Session = Partial<EndedView> & {
  /** The network address that it was signed in from. */
  address: string;
  /** Whether it is the calling one. */
  current: boolean;
  /** What the client that signed in calls itself. */
  device: string;
  expires_at: string;
  /** The `sid` of its tokens. */
  id: string;
  last_seen_at: string;
  started_at: string;
};

/** `data` with sessions in it. */
export type Sessions = {
  sessions: Session[];
};

/** A session just born. */
export type SignedIn = {
  /** When the token expires. */
  expires_at: string;
  /** The role's name. */
  role: string;
  role_id: number;
  /** The bearer token: a JWT (RFC 9068). Left out where it was set as a cookie. */
  token?: string;
  user: User;
};

/** A user. */
export type User = {
  email: string;
  /** Whether it was confirmed that mail reaches the user. Left out while the server does not confirm addresses (`register.verification`). */
  email_verified?: boolean;
  /** The same number. */
  id: number;
  /** When the user last signed in. */
  last_session: string | null;
  name: string;
  registration_date: string;
  /** The role's name. */
  role: string;
  /** 1 is the administrator's. */
  role_id: number;
  /** The role's name. */
  role_name: string;
  /** `active`, `inactive` or `suspended`. */
  status: string;
  /** From 1, never used again. */
  user_id: number;
};

/** A registration whose address is to be confirmed. The same whether or not the address has an account. */
export type Waiting = {
  /** `null`: there is no session before the address was confirmed. */
  token: string | null;
  user: WaitingUser;
};

/** What was sent. */
export type WaitingUser = {
  email: string;
  /** Always false. */
  email_verified: boolean;
  name: string;
};
