export type { Login, OneUser, Password, Profile, Register, Session, User } from "./api.js";
export { type Client, createClient } from "./client.js";
export { CerrojoError, type ErrorCode } from "./errors.js";
export type {
  Ended,
  EndReason,
  Events,
  LoggedOut,
  Logout,
  Options,
  Reach,
  Scope,
  State,
  StorageMode,
  Warning,
} from "./types.js";
