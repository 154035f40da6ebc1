import { LIST_NAME } from "./claims.js";
import { isObject, readJwks } from "./keys.js";
import { ProtocolError } from "./protocol-error.js";
import { decodeList } from "./status-list.js";

/** What `hello` says, and each answer to polling. */
export interface Greeting {
  readonly issuer: string;
  readonly audience: string;
  readonly incarnation: string | null;
  /** How often something comes at least, in milliseconds. */
  readonly heartbeat: number | null;
  /** How often activity is to be sent at the latest; `null`: never. */
  readonly report: number | null;
}

export interface ListMessage {
  readonly name: string;
  readonly capacity: number;
  readonly bytes: Uint8Array;
}

export interface SnapshotEnd {
  readonly incarnation: string | null;
  readonly keys: NonNullable<ReturnType<typeof readJwks>>;
  /** Those whose absence from `keys` says nothing. */
  readonly retiredKeys: readonly string[];
  readonly lists: readonly string[];
}

export interface Entries {
  readonly ended: readonly (readonly [list: string, indexes: readonly number[]])[];
  readonly retiredLists: readonly string[];
  readonly retiredKeys: readonly string[];
  /** The whole set as of now, when a key was added or retired. */
  readonly keys: NonNullable<ReturnType<typeof readJwks>> | null;
}

type Members = Record<string, unknown>;

/** 2 MiB as a bitmap; the server's have 16 KiB. */
const LARGEST_CAPACITY = 2 ** 24;
const LAST_INDEX = 2 ** 32 - 1;
const POSITION = /^[\x21-\x7e]{1,128}$/;

function broken(what: string): never {
  throw new ProtocolError(`the server sent no proper ${what}`);
}

export function readMembers(text: string): Members {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Not JSON is no object either.
  }
  return broken("JSON object");
}

export function readElapsed(members: Members): number {
  return isNumber(members.elapsed) ? members.elapsed : broken("elapsed");
}

export function readPosition(id: unknown): string {
  return typeof id === "string" && POSITION.test(id) ? id : broken("position");
}

export function readGreeting(members: Members): Greeting {
  const { issuer, audience, incarnation, heartbeat, report } = members;
  return {
    // Who does not say who it is may be anybody.
    issuer: typeof issuer === "string" ? issuer : broken("issuer"),
    audience: typeof audience === "string" && audience !== "" ? audience : broken("audience"),
    // Without one every history would look like the one before.
    incarnation: readIncarnation(incarnation) ?? broken("incarnation"),
    heartbeat: isNumber(heartbeat) && heartbeat > 0 ? heartbeat : null,
    report: isNumber(report) && report > 0 ? report : null,
  };
}

export function readList(value: unknown): ListMessage {
  const { name, capacity, lst } = isObject(value) ? value : broken("list");
  if (!isListName(name) || typeof lst !== "string") return broken("list");
  if (!isIndex(capacity) || capacity < 1 || capacity > LARGEST_CAPACITY) return broken("capacity");
  const length = Math.ceil(capacity / 8);
  const bytes = decodeList(lst, length);
  // Bits that were left out would read as sessions that go on.
  return bytes?.length === length ? { name, capacity, bytes } : broken("bitmap");
}

export function readSnapshotEnd(members: Members): SnapshotEnd {
  return {
    incarnation: readIncarnation(members.incarnation),
    keys: readJwks(members.keys) ?? broken("JWK set"),
    retiredKeys: names(members.retired_keys ?? []),
    lists: listNames(members.lists),
  };
}

export function readEntries(members: Members): Entries {
  const ended = members.ended ?? {};
  if (!isObject(ended)) return broken("ended");
  return {
    ended: Object.entries(ended).map(([list, indexes]) => {
      if (!isListName(list)) return broken("name of a list");
      return [list, indexesOf(indexes)] as const;
    }),
    retiredLists: listNames(members.retired_lists ?? []),
    retiredKeys: names(members.retired_keys ?? []),
    keys: members.keys === undefined ? null : (readJwks(members.keys) ?? broken("JWK set")),
  };
}

/** It is compared and nothing else, whatever it is. */
function readIncarnation(value: unknown): string | null {
  return value === undefined || value === null ? null : JSON.stringify(value);
}

/** How long a server that says goodbye asks to be left alone at most. */
export function readRetry(members: Members): number {
  return isNumber(members.retry) ? members.retry : 0;
}

function names(value: unknown): string[] {
  if (!Array.isArray(value) || !value.every((name) => typeof name === "string")) return broken("names");
  return value;
}

function listNames(value: unknown): string[] {
  const all = names(value);
  return all.every(isListName) ? all : broken("name of a list");
}

function isListName(value: unknown): value is string {
  return typeof value === "string" && LIST_NAME.test(value);
}

function indexesOf(value: unknown): number[] {
  return Array.isArray(value) && value.every(isIndex) ? value : broken("indexes");
}

function isIndex(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LAST_INDEX;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
