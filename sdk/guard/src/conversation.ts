import type { Follower } from "./follower.js";
import { isObject } from "./keys.js";
import {
  type Entries,
  readElapsed,
  readEntries,
  readGreeting,
  readList,
  readMembers,
  readPosition,
  readRetry,
  readSnapshotEnd,
  type SnapshotEnd,
} from "./messages.js";
import { ProtocolError } from "./protocol-error.js";
import { EventReader, type StreamEvent } from "./sse.js";

type Members = Record<string, unknown>;

/** A snapshot that is coming in: what it may retire, and what it told of so far. */
interface Snapshot {
  readonly knownLists: readonly string[];
  readonly knownKeys: readonly string[];
  readonly told: Set<string>;
}

/** One request and everything that the server says to it. */
export class Conversation {
  /** Where the request goes on from. */
  readonly position: string | null;
  readonly #follower: Follower;
  readonly #asked: number;
  readonly #reader = new EventReader();
  readonly #knownLists: readonly string[];
  /** Keys that were known before the request, and those that came by it: a set that it brings may retire these. */
  readonly #knownKeys: Set<string>;
  #greeted = false;
  /** Whether the guard has, by this conversation, all that it stands for: from then on it makes the guard fresh. */
  #isComplete = false;
  #hasBegun = false;
  #snapshot: Snapshot | null = null;
  #goodbye: number | null = null;
  #fresh = false;

  constructor(follower: Follower) {
    this.#follower = follower;
    this.#asked = follower.clock.elapsed();
    this.position = follower.position;
    this.#knownLists = follower.lists.names();
    this.#knownKeys = new Set(follower.keys.names());
  }

  /** Whether it made the guard fresh at least once. */
  get isFresh(): boolean {
    return this.#fresh;
  }

  /** When the server said goodbye: how long it asks to be left alone at most. */
  get goodbye(): number | null {
    return this.#goodbye;
  }

  /** Takes bytes of the event stream. Throws {@link ProtocolError}, and then nothing more of it is to be believed. */
  receive(bytes: Uint8Array): void {
    for (const event of this.#reader.read(bytes)) this.#take(event);
  }

  /** Takes the answer to a request for entries. */
  receiveAnswer(text: string): void {
    const members = readMembers(text);
    const position = readPosition(members.position);
    const elapsed = readElapsed(members);
    this.#greet(members);
    if (members.snapshot !== undefined) {
      const { keys, lists } = isObject(members.snapshot) ? members.snapshot : { keys: null, lists: null };
      if (!Array.isArray(lists)) throw new ProtocolError("the server sent no proper snapshot");
      this.#startSnapshot();
      for (const list of lists) this.#list(list);
      const names = lists.map((list) => (isObject(list) ? list.name : null));
      this.#endSnapshot(readSnapshotEnd({ keys, lists: names }));
    } else {
      this.#entries(readEntries(members));
    }
    this.#applied(elapsed, position);
  }

  #take(event: StreamEvent): void {
    if (event.type === "hello") {
      this.#greet(readMembers(event.data));
    } else if (event.type === "list") {
      this.#expectGreeting();
      this.#startSnapshot();
      this.#list(readMembers(event.data));
    } else if (event.type === "snapshot") {
      this.#expectGreeting();
      const members = readMembers(event.data);
      const [end, elapsed, position] = [readSnapshotEnd(members), readElapsed(members), readPosition(event.id)];
      this.#startSnapshot();
      this.#endSnapshot(end);
      this.#applied(elapsed, position);
    } else if (event.type === "entries") {
      this.#expectGreeting();
      const members = readMembers(event.data);
      const [entries, elapsed, position] = [readEntries(members), readElapsed(members), readPosition(event.id)];
      this.#entries(entries);
      this.#applied(elapsed, position);
    } else if (event.type === "heartbeat") {
      this.#expectGreeting();
      this.#applied(readElapsed(readMembers(event.data)), null);
    } else if (event.type === "goodbye") {
      this.#goodbye = readRetry(readMembers(event.data));
    }
  }

  #greet(members: Members): void {
    if (this.#greeted) throw new ProtocolError("the server said hello twice");
    this.#follower.greet(readGreeting(members));
    this.#greeted = true;
  }

  #expectGreeting(): void {
    if (!this.#greeted) throw new ProtocolError("the server did not begin with hello");
  }

  #startSnapshot(): void {
    if (this.#snapshot) return;
    const { lists, keys } = this.#follower;
    // The first one may retire what was known before the request, a later one what is known before its first list.
    this.#snapshot = {
      knownLists: this.#hasBegun ? lists.names() : this.#knownLists,
      knownKeys: this.#hasBegun ? keys.names() : [...this.#knownKeys],
      told: new Set(),
    };
  }

  #list(value: unknown): void {
    const list = readList(value);
    this.#snapshot?.told.add(list.name);
    this.#follower.openList(list);
  }

  #endSnapshot({ keys, lists }: SnapshotEnd): void {
    const { knownLists, knownKeys, told } = this.#snapshot ?? { knownLists: [], knownKeys: [], told: new Set() };
    const untold = lists.find((name) => !told.has(name) && this.#follower.lists.get(name));
    if (untold !== undefined) throw new ProtocolError(`the snapshot names the list ${untold} without its bits`);
    const named = new Set(lists);
    for (const list of knownLists) if (!named.has(list)) this.#follower.retireList(list);
    this.#follower.retireKeysMissingFrom(keys.names, knownKeys);
    this.#addKeys(keys);
    this.#snapshot = null;
    this.#isComplete = true;
  }

  #entries({ ended, retiredLists, retiredKeys, keys }: Entries): void {
    for (const [list, indexes] of ended) for (const index of indexes) this.#follower.end(list, index);
    for (const list of retiredLists) this.#follower.retireList(list);
    for (const key of retiredKeys) this.#follower.retireKey(key);
    if (keys) {
      this.#follower.retireKeysMissingFrom(keys.names, this.#knownKeys);
      this.#addKeys(keys);
    }
    // Going on from a position they bring all that was missed; without one, what was before them is not known.
    if (this.position !== null) this.#isComplete = true;
  }

  #addKeys({ usable }: SnapshotEnd["keys"]): void {
    for (const key of usable) {
      this.#follower.keys.add(key);
      this.#knownKeys.add(key.id);
    }
  }

  /** Inside a snapshot, or before the first one that was needed, nothing is known as of now. */
  #applied(elapsed: number, position: string | null): void {
    this.#hasBegun = true;
    if (!this.#isComplete || this.#snapshot) return;
    this.#follower.applied(this.#asked, elapsed, position);
    this.#fresh = true;
  }
}
