/** A number that is not written as an integer (`1.0`, `1e0`, `-0`). */
export class Fraction {
  constructor(readonly text: string) {}
}

/** A value read strictly. Objects are maps, so that no member's name means anything to the language. */
export type Json = null | boolean | number | string | Fraction | Json[] | JsonObject;
export type JsonObject = Map<string, Json>;

const MAX_DEPTH = 32;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ESCAPES: Record<string, string> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
const ZERO = 0x30;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** What lies below may not stand in a string. */
const SPACE = 0x20;

/**
 * Reads exactly one JSON object so that no two readers can understand it differently (RFC 8259, sections 4, 8 and 9; RFC
 * 8725, section 2.7): UTF-8, no member named twice, no lone surrogate, no U+0000, 32 levels at most. `null` otherwise.
 */
export function strictObject(bytes: Uint8Array): JsonObject | null {
  try {
    const value = new Reader(UTF8.decode(bytes)).whole();
    return value instanceof Map ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): Json {
    const value = this.#value(MAX_DEPTH);
    this.#space();
    if (this.#at !== this.#text.length) this.#wrong();
    return value;
  }

  #wrong(): never {
    throw new SyntaxError("not strict JSON");
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== SPACE && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  /** Steps over this character if it comes next, spaces aside. */
  #takes(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #value(levels: number): Json {
    this.#space();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(levels - 1);
      case "[":
        return this.#array(levels - 1);
      case '"':
        return this.#string();
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default:
        return this.#number();
    }
  }

  #word(word: string, value: Json): Json {
    if (!this.#text.startsWith(word, this.#at)) this.#wrong();
    this.#at += word.length;
    return value;
  }

  #number(): Json {
    return this.#plainNumber() ?? this.#anyNumber();
  }

  /** A number of nothing but digits, and not many; `null`, and nothing read: it is not as plain as that. */
  #plainNumber(): number | null {
    let number = 0;
    let at = this.#at;
    for (;;) {
      const digit = this.#text.charCodeAt(at) - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      number = number * 10 + digit;
      at++;
    }
    const length = at - this.#at;
    const next = this.#text.charCodeAt(at);
    const isMore = next === 0x2e || next === 0x65 || next === 0x45;
    if (length === 0 || length > 15 || isMore || (length > 1 && this.#text.charCodeAt(this.#at) === ZERO)) return null;
    this.#at = at;
    return number;
  }

  #anyNumber(): Json {
    NUMBER.lastIndex = this.#at;
    const found = NUMBER.exec(this.#text);
    if (!found) this.#wrong();
    this.#at = NUMBER.lastIndex;
    const number = Number(found[0]);
    if (!Number.isFinite(number)) this.#wrong();
    const isInteger = found[1] === undefined && found[2] === undefined && !Object.is(number, -0);
    return isInteger ? number : new Fraction(found[0]);
  }

  #object(levels: number): JsonObject {
    if (levels < 0) this.#wrong();
    this.#at++;
    const object: JsonObject = new Map();
    if (this.#takes("}")) return object;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#wrong();
      const name = this.#string();
      if (object.has(name) || !this.#takes(":")) this.#wrong();
      object.set(name, this.#value(levels));
    } while (this.#takes(","));
    if (!this.#takes("}")) this.#wrong();
    return object;
  }

  #array(levels: number): Json[] {
    if (levels < 0) this.#wrong();
    this.#at++;
    const array: Json[] = [];
    if (this.#takes("]")) return array;
    do array.push(this.#value(levels));
    while (this.#takes(","));
    if (!this.#takes("]")) this.#wrong();
    return array;
  }

  #string(): string {
    const text = this.#text;
    const start = this.#at + 1;
    let at = start;
    let code = text.charCodeAt(at);
    // NaN, at the end of the text, is none of these.
    while (code >= SPACE && code !== QUOTE && code !== BACKSLASH) code = text.charCodeAt(++at);
    this.#at = at;
    if (code === BACKSLASH) return this.#escaped(start);
    if (code !== QUOTE) this.#wrong();
    this.#at++;
    return text.slice(start, at);
  }

  /** A string in which something is escaped; the first of it is at the reader's place. */
  #escaped(start: number): string {
    let text = this.#text.slice(start, this.#at);
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (!(code >= SPACE)) this.#wrong();
      const character = this.#text.charAt(this.#at++);
      if (code === QUOTE) break;
      text += code === BACKSLASH ? this.#escape() : character;
    }
    // Bytes that are UTF-8 hold no lone surrogates: only an escape can make one.
    if (/[\ud800-\udfff]/u.test(text) || text.includes("\0")) this.#wrong();
    return text;
  }

  #escape(): string {
    const letter = this.#text.charAt(this.#at++);
    const plain = ESCAPES[letter];
    if (plain !== undefined) return plain;
    const digits = this.#text.slice(this.#at, this.#at + 4);
    if (letter !== "u" || !/^[\da-fA-F]{4}$/.test(digits)) this.#wrong();
    this.#at += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }
}
