import { ProtocolError } from "./protocol-error.js";

/** Status lists in memory: one bit a session, which is only ever set. */
export class List {
  readonly name: string;
  readonly capacity: number;
  retired = false;
  readonly #bits: Uint8Array;

  constructor(name: string, capacity: number) {
    this.name = name;
    this.capacity = capacity;
    this.#bits = new Uint8Array(Math.ceil(capacity / 8));
  }

  /** Whether the bit is set, the list retired, or the index none of this list's. */
  isOver(index: number): boolean {
    const byte = index < this.capacity ? this.#bits[index >>> 3] : undefined;
    return this.retired || byte === undefined || ((byte >>> (index & 7)) & 1) === 1;
  }

  /** For ever: nothing clears a bit. True: it was not set before. */
  end(index: number): boolean {
    const place = index >>> 3;
    const byte = index < this.capacity ? this.#bits[place] : undefined;
    if (byte === undefined) return false;
    this.#bits[place] = byte | (1 << (index & 7));
    return byte !== this.#bits[place];
  }

  /** Sets the bits that are set in `bytes`; answers the places of those that were not before. */
  merge(bytes: Uint8Array): number[] {
    const ended: number[] = [];
    for (let place = 0; place < Math.min(bytes.length, this.#bits.length); place++) {
      const fresh = (bytes[place] ?? 0) & ~(this.#bits[place] ?? 0);
      for (let bit = 0; fresh >>> bit !== 0; bit++) {
        const index = place * 8 + bit;
        if ((fresh >>> bit) & 1 && this.end(index)) ended.push(index);
      }
    }
    return ended;
  }
}

/** Endings of lists that nobody told of yet are kept up to this number, in all. */
const MOST_AWAITED = 1_000_000;

/** All lists by name. */
export class Lists {
  readonly #open = new Map<string, List>();
  /** For ever: a retired name is never opened again. */
  readonly #retired = new Set<string>();
  /** Endings that were told before their list was. */
  readonly #awaited = new Map<string, Set<number>>();
  #awaitedCount = 0;

  /** The list; `null`: retired; `undefined`: nobody told of it. */
  get(name: string): List | null | undefined {
    return this.#open.get(name) ?? (this.#retired.has(name) ? null : undefined);
  }

  get size(): number {
    return this.#open.size;
  }

  /** The names of all that are open. */
  names(): string[] {
    return [...this.#open.keys()];
  }

  /** Whoever looks a list up from now on is told of all that was kept for it. */
  forgetAllAwaited(): void {
    this.#awaited.clear();
    this.#awaitedCount = 0;
  }

  /** Opens the list if it is not known and sets these bits. Answers the places that an open list learned of by it. */
  open(name: string, capacity: number, bytes: Uint8Array): number[] {
    if (this.#retired.has(name)) return [];
    const known = this.#open.get(name);
    if (known) return known.merge(bytes);
    const list = new List(name, capacity);
    list.merge(bytes);
    for (const index of this.#awaited.get(name) ?? []) list.end(index);
    this.#forgetAwaited(name);
    this.#open.set(name, list);
    return [];
  }

  /** Sets the bit, or keeps the ending for when the list is opened. True: it was not known. */
  end(name: string, index: number): boolean {
    const list = this.get(name);
    if (list !== undefined) return list?.end(index) ?? false;
    const awaited = this.#awaited.get(name) ?? new Set();
    this.#awaited.set(name, awaited);
    if (awaited.has(index)) return false;
    if (this.#awaitedCount >= MOST_AWAITED) throw new ProtocolError("too many endings of lists that were not told of");
    awaited.add(index);
    this.#awaitedCount++;
    return true;
  }

  /** Refuses from now on, for ever, every session of this list, known or not. True: it was not retired before. */
  retire(name: string): boolean {
    if (this.#retired.has(name)) return false;
    this.#retired.add(name);
    const list = this.#open.get(name);
    // Tokens in the cache hold the list itself: they must learn of it too.
    if (list) list.retired = true;
    this.#open.delete(name);
    this.#forgetAwaited(name);
    return true;
  }

  #forgetAwaited(name: string): void {
    this.#awaitedCount -= this.#awaited.get(name)?.size ?? 0;
    this.#awaited.delete(name);
  }
}
