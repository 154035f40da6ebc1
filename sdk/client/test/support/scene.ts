import type { TestContext } from "node:test";
import { type Client, createClient, type Ended, type Options } from "@cerrojo/client";
import {
  type BrowserOptions,
  type ServerOptions,
  TestBrowser,
  TestServer,
  type TestTab,
} from "@cerrojo/client/testing";

export const EMAIL = "ana@example.org";
export const PASSWORD = "una contraseña larga y propia 7";
export const ANA = { email: EMAIL, password: PASSWORD };
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;

export interface Page {
  readonly tab: TestTab;
  readonly client: Client;
  /** Every end that this page was told of. */
  readonly ends: Ended[];
  readonly cleared: string[];
  readonly went: string[];
}

/** A server in memory, and browsers of it. */
export class Scene {
  readonly server: TestServer;
  readonly browser: TestBrowser;
  readonly #clients: Client[] = [];

  constructor(context: TestContext, options: ServerOptions & BrowserOptions = {}) {
    this.server = new TestServer(options);
    this.server.addUser(EMAIL, PASSWORD);
    this.browser = new TestBrowser(this.server, options);
    context.after(() => {
      for (const client of this.#clients) client.close();
    });
  }

  get clock() {
    return this.server.clock;
  }

  open(options: Options = {}, tab = this.browser.tab()): Page {
    const ends: Ended[] = [];
    const cleared: string[] = [];
    const went: string[] = [];
    const client = createClient({
      server: this.server.origin,
      storage: "local",
      clear: ({ reason }) => cleared.push(reason),
      navigate: ({ reason }) => went.push(reason),
      ...options,
      window: tab.window,
    });
    client.on("session.ended", (ended) => ends.push(ended));
    this.#clients.push(client);
    return { tab, client, ends, cleared, went };
  }

  /** One with somebody signed in. */
  async signedIn(options: Options = {}, tab = this.browser.tab()): Promise<Page> {
    const page = this.open(options, tab);
    await page.client.login(ANA);
    await this.clock.advance(0);
    return page;
  }

  /** The page is loaded again. */
  async reload(page: Page, options: Options = {}): Promise<Page> {
    const copy = this.browser.tab(page.tab.location.href, page.tab);
    page.tab.close();
    page.client.close();
    const again = this.open(options, copy);
    await this.clock.advance(0);
    return again;
  }

  /** All that lies in storage. */
  stored(page: Page): string {
    return this.browser.localStorage.text + page.tab.sessionStorage.text;
  }
}
