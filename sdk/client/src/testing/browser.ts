import type { Locks, Scope } from "../types.js";
import { type TestClock, TestMachine } from "./clock.js";
import type { TestServer } from "./server.js";

class Shelf implements Storage {
  readonly #items = new Map<string, string>();
  readonly #changed: (key: string | null) => void;
  /** Throws at each use, as storage does that is forbidden or full. */
  isBroken = false;

  constructor(changed: (key: string | null) => void) {
    this.#changed = changed;
  }

  get #open(): Map<string, string> {
    if (this.isBroken) throw new DOMException("no storage here", "SecurityError");
    return this.#items;
  }

  get length(): number {
    return this.#open.size;
  }
  key(at: number): string | null {
    return [...this.#open.keys()][at] ?? null;
  }
  getItem(key: string): string | null {
    return this.#open.get(key) ?? null;
  }
  setItem(key: string, value: string): void {
    this.#open.set(key, `${value}`);
    // As in browsers, where `Object.keys` are the storage's.
    Object.defineProperty(this, key, { value, enumerable: true, configurable: true });
    this.#changed(key);
  }
  removeItem(key: string): void {
    if (!this.#open.delete(key)) return;
    Reflect.deleteProperty(this, key);
    this.#changed(key);
  }
  clear(): void {
    for (const key of this.#open.keys()) Reflect.deleteProperty(this, key);
    this.#open.clear();
    this.#changed(null);
  }
  /** All there is, to look through. */
  get text(): string {
    return JSON.stringify([...this.#items]);
  }
}

export interface BrowserOptions {
  /** Has neither BroadcastChannel nor Web Locks. */
  isOld?: boolean;
}

/** A browser: tabs that share storage, messages, locks, cookies and the machine's clocks. */
export class TestBrowser {
  readonly machine: TestMachine;
  readonly server: TestServer;
  readonly isOld: boolean;
  readonly tabs: TestTab[] = [];
  readonly cookies = new Map<string, string>();
  /** Whether the network is there. */
  isOnline = true;
  readonly #locks = new Map<string, (() => void)[]>();

  constructor(server: TestServer, { isOld = false }: BrowserOptions = {}) {
    this.server = server;
    this.machine = new TestMachine(server.clock);
    this.isOld = isOld;
  }

  get clock(): TestClock {
    return this.server.clock;
  }

  readonly localStorage: Shelf = new Shelf(() => {});

  /** Opens a tab; as a copy of another one, with its sessionStorage, if one is given. */
  tab(href = "https://app.example.org/", copied?: TestTab): TestTab {
    const tab = new TestTab(this, href);
    for (let at = 0; copied && at < copied.sessionStorage.length; at++) {
      const key = copied.sessionStorage.key(at) as string;
      tab.sessionStorage.setItem(key, copied.sessionStorage.getItem(key) as string);
    }
    this.tabs.push(tab);
    return tab;
  }

  async setOnline(isOnline: boolean): Promise<void> {
    this.isOnline = isOnline;
    if (!isOnline) this.server.cut(this);
    for (const tab of this.tabs) tab.dispatch(isOnline ? "online" : "offline");
    await this.clock.advance(0);
  }

  /** @internal */
  async request<T>(tab: TestTab, name: string, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    const queue = this.#locks.get(name) ?? [];
    this.#locks.set(name, queue);
    const release = () => {
      queue.splice(queue.indexOf(begin), 1);
      queue[0]?.();
    };
    let begin = () => {};
    await new Promise<void>((resolve, reject) => {
      begin = resolve;
      signal.addEventListener("abort", () => {
        if (queue[0] !== begin) queue.splice(queue.indexOf(begin), 1);
        reject(new DOMException("given up", "AbortError"));
      });
      if (signal.aborted) reject(new DOMException("given up", "AbortError"));
      else if (queue.push(begin) === 1) resolve();
    });
    // Nothing of a page that is gone goes on.
    const gone = new Promise<"gone">((resolve) => tab.onGone(() => resolve("gone")));
    const running = run();
    const first = await Promise.race([running.then(release, release), gone]);
    if (first !== "gone") return running;
    release();
    return new Promise<never>(() => {});
  }
}

/** A tab: what is given to `createClient` as `window`. */
export class TestTab extends EventTarget {
  readonly browser: TestBrowser;
  readonly sessionStorage: Shelf = new Shelf(() => {});
  readonly localStorage: Storage;
  /** `base`: what `<base href>` has, if there is one. */
  readonly document: { hidden: boolean; base: string; readonly baseURI: string };
  readonly Date = { now: () => this.browser.machine.wall };
  readonly performance = { now: () => this.browser.machine.monotonic };
  readonly navigator: { locks?: Locks };
  readonly location: { href: string; readonly pathname: string; assign: (address: string) => void };
  /** Where it was sent. */
  readonly visited: string[] = [];
  readonly BroadcastChannel: Scope["BroadcastChannel"] & object;
  readonly #channels = new Set<{ name: string; onmessage: ((event: never) => void) | null }>();
  readonly #gone = new Set<() => void>();
  #frozen: (() => void)[] | null = null;
  isGone = false;

  constructor(browser: TestBrowser, href: string) {
    super();
    this.browser = browser;
    const { localStorage } = browser;
    const changed = (key: string | null) => {
      for (const tab of browser.tabs) if (tab !== this) tab.receive(() => tab.dispatch("storage", { key }));
    };
    this.localStorage = new Proxy(localStorage, {
      get(target, name) {
        const value = Reflect.get(target, name, target);
        if (typeof value !== "function") return value;
        return (...args: never[]) => {
          const before = target.text;
          const answer = value.apply(target, args);
          if (target.text !== before) changed((args[0] as string | undefined) ?? null);
          return answer;
        };
      },
    });
    this.location = {
      href,
      get pathname() {
        return new URL(this.href).pathname;
      },
      assign: (address) => {
        this.visited.push(address);
        this.location.href = new URL(address, href).href;
      },
    };
    const { location } = this;
    this.document = {
      hidden: false,
      base: "",
      get baseURI() {
        return new URL(this.base, location.href).href;
      },
    };
    this.navigator = browser.isOld
      ? {}
      : { locks: { request: (name, { signal }, run) => browser.request(this, name, signal, run) } };
    const channels = this.#channels;
    const post = (name: string, from: object, data: unknown) => {
      const copy = structuredClone(data);
      for (const tab of browser.tabs) {
        for (const to of tab.#channels) {
          if (to !== from && to.name === name) tab.receive(() => to.onmessage?.({ data: copy } as never));
        }
      }
    };
    this.BroadcastChannel = class {
      onmessage: ((event: never) => void) | null = null;
      readonly name: string;
      constructor(name: string) {
        this.name = name;
        channels.add(this);
      }
      postMessage(message: unknown) {
        post(this.name, this, message);
      }
      close() {
        channels.delete(this);
      }
    };
    if (browser.isOld) Object.assign(this, { BroadcastChannel: undefined });
  }

  /** What is given to `createClient`. */
  get window(): Scope {
    return this as never;
  }

  setTimeout(run: () => void, milliseconds: number): number {
    const { clock } = this.browser;
    // As in browsers, where it overflows.
    return clock.after(milliseconds > 2 ** 31 - 1 ? 1 : milliseconds, () => this.#whenAwake(run), this.browser.machine);
  }

  clearTimeout(timer: number | undefined): void {
    this.browser.clock.cancel(timer);
  }

  fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
    this.browser.server.fetch(
      this,
      new Request(
        new URL(typeof input === "object" && "url" in input ? input.url : input, this.document.baseURI),
        init,
      ),
      init,
    );

  /** An event of the browser's, such as `pointerdown` by which a person shows to be there. */
  dispatch(type: string, more: object = {}): void {
    if (!this.isGone) this.dispatchEvent(Object.assign(new Event(type), more));
  }

  setVisible(isVisible: boolean): void {
    this.document.hidden = !isVisible;
    this.dispatch("visibilitychange");
  }

  get isFrozen(): boolean {
    return this.#frozen !== null;
  }

  /** Nothing of the tab runs until it is thawed. */
  freeze(): void {
    this.#frozen ??= [];
  }

  thaw(): void {
    const waiting = this.#frozen ?? [];
    this.#frozen = null;
    for (const run of waiting) run();
    this.dispatch("pageshow");
  }

  /** Closes the tab, or leaves the page: what it held is let go of. */
  close(): void {
    this.dispatch("pagehide");
    this.isGone = true;
    this.#channels.clear();
    for (const run of this.#gone) run();
    this.browser.tabs.splice(this.browser.tabs.indexOf(this), 1);
  }

  /** @internal */
  onGone(run: () => void): void {
    this.#gone.add(run);
  }

  /** @internal Something that arrives a moment later. */
  receive(run: () => void): void {
    queueMicrotask(() => this.#whenAwake(run));
  }

  #whenAwake(run: () => void): void {
    if (this.isGone) return;
    if (this.#frozen) this.#frozen.push(run);
    else run();
  }
}
