import type { Follower } from "./follower.js";
import { isObject } from "./keys.js";
import {
  type Entries,
  type Greeting,
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

/** One request and everything that the server says to it. */
export class Conversation {
  /** Where the request goes on from. */
  readonly position: string | null;
  readonly #follower: Follower;
  readonly #asked: number;
  readonly #reader = new EventReader();
  /** What was known before the request, and what came by it: older, for certain, than whatever comes by it next. */
  readonly #older: { readonly lists: Set<string>; readonly keys: Set<string> };
  #greeted = false;
  /** Whether the guard has, by this conversation, all that it stands for: from then on it makes the guard fresh. */
  #isComplete = false;
  /** The lists that a snapshot which is coming in has told of so far. */
  #told: Set<string> | null = null;
  #goodbye: number | null = null;
  #fresh = false;

  constructor(follower: Follower) {
    this.#follower = follower;
    this.#asked = follower.clock.elapsed();
    this.position = follower.position;
    this.#older = { lists: new Set(follower.lists.names()), keys: new Set(follower.keys.names()) };
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
    this.#greet(readGreeting(members));
    if (members.snapshot !== undefined) {
      const { keys, retired_keys, lists } = isObject(members.snapshot)
        ? members.snapshot
        : ({} as Record<string, unknown>);
      if (!Array.isArray(lists)) throw new ProtocolError("the server sent no proper snapshot");
      for (const list of lists) this.#list(list);
      const names = lists.map((list) => (isObject(list) ? list.name : null));
      this.#endSnapshot(readSnapshotEnd({ keys, retired_keys, lists: names, incarnation: members.incarnation }));
    } else {
      this.#entries(readEntries(members));
    }
    this.#applied(elapsed, position);
  }

  #take(event: StreamEvent): void {
    if (event.type === "hello") {
      this.#greet(readGreeting(readMembers(event.data)));
    } else if (event.type === "list") {
      this.#expectGreeting();
      this.#list(readMembers(event.data));
    } else if (event.type === "snapshot") {
      this.#expectGreeting();
      const members = readMembers(event.data);
      const [end, elapsed, position] = [readSnapshotEnd(members), readElapsed(members), readPosition(event.id)];
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

  #greet(greeting: Greeting): void {
    if (this.#greeted) throw new ProtocolError("the server said hello twice");
    const goesOn = this.#follower.greet(greeting);
    this.#greeted = true;
    // In another history nobody goes on from the old position, whatever the server believes: a snapshot must come.
    this.#isComplete = goesOn && this.position !== null;
  }

  #expectGreeting(): void {
    if (!this.#greeted) throw new ProtocolError("the server did not begin with hello");
  }

  #list(value: unknown): void {
    this.#told ??= new Set();
    const list = readList(value);
    this.#told.add(list.name);
    this.#follower.openList(list);
  }

  #endSnapshot({ keys, retiredKeys, lists, incarnation }: SnapshotEnd): void {
    const told = this.#told ?? new Set();
    const untold = lists.find((name) => !told.has(name) && this.#follower.lists.get(name));
    if (untold !== undefined) throw new ProtocolError(`the snapshot names the list ${untold} without its bits`);
    for (const name of told) this.#older.lists.add(name);
    for (const key of retiredKeys) this.#follower.retireKey(key);
    const present = { lists: new Set(lists), keys: keys.names };
    if (this.#follower.retireMissing(present, (kind, name) => this.#older[kind].has(name))) {
      throw new ProtocolError(
        "what came from elsewhere may be older or newer than the snapshot: it is asked for again",
      );
    }
    this.#addKeys(keys);
    // It may be of another history than the greeting was.
    if (incarnation !== null) this.#follower.setIncarnation(incarnation);
    this.#told = null;
    this.#isComplete = true;
  }

  #entries({ ended, retiredLists, retiredKeys, keys }: Entries): void {
    for (const [list, indexes] of ended) for (const index of indexes) this.#follower.end(list, index);
    for (const list of retiredLists) this.#follower.retireList(list);
    for (const key of retiredKeys) this.#follower.retireKey(key);
    if (!keys) return;
    this.#follower.retireKeysMissingFrom(keys.names, this.#older.keys);
    this.#addKeys(keys);
  }

  #addKeys({ usable }: SnapshotEnd["keys"]): void {
    for (const key of usable) {
      this.#follower.keys.add(key);
      this.#older.keys.add(key.id);
    }
  }

  /** Inside a snapshot, or before the first one that was needed, nothing is known as of now. */
  #applied(elapsed: number, position: string | null): void {
    if (!this.#isComplete || this.#told) return;
    this.#follower.applied(this.#asked, elapsed, position);
    this.#fresh = true;
  }
}
