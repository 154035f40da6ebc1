/** An application's pages, and people in them, in Chromium. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import type { Client, Ended, Options, State } from "@cerrojo/client";
import { build } from "esbuild";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { Installation } from "../../../../guard/test/support/installation.js";
import { launch } from "../../../../pages/test/support/browser.js";

export const PASSWORD = "una contraseña larga y propia 7";
const CORE = fileURLToPath(new URL("../../../../../dist/index.js", import.meta.url));

/** What a page of it has in its window. */
interface Inside {
  client: Client;
  ends: (Ended & { seen: number })[];
  cleared: string[];
  warned: number;
  withdrawn: number;
}
declare const window: Window & typeof globalThis & Inside;

/** Serves pages that make a client by what stands in their address. */
async function serve(context: TestContext): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [CORE],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  const core = outputFiles[0]?.text ?? "";
  const page = `<!doctype html><link rel="icon" href="data:,"><title>an application</title><p id="status"></p><script type="module">
    import { createClient } from "/core.js";
    const options = JSON.parse(new URLSearchParams(location.search).get("options"));
    Object.assign(window, { ends: [], cleared: [], warned: 0, withdrawn: 0 });
    const client = createClient({ ...options, clear: ({ reason }) => void window.cleared.push(reason) });
    client.on("session.ended", (ended) => window.ends.push({ ...ended, seen: Date.now() }));
    client.on("session.idle-warning", () => window.warned++);
    client.on("session.active", () => window.withdrawn++);
    const show = ({ status }) => { document.getElementById("status").textContent = status; };
    client.on("change", show);
    show(client.state);
    window.client = client;
  </script>`;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    if (pathname === "/core.js") response.writeHead(200, { "content-type": "text/javascript" }).end(core);
    else if (pathname.startsWith("/to/")) {
      response.writeHead(302, { location: decodeURIComponent(pathname.slice(4)) }).end();
    } else response.writeHead(200, { "content-type": "text/html" }).end(page);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export class Application {
  readonly server: Installation;
  readonly browser: Browser;
  readonly origin: string;
  /** What went wrong in any page. */
  readonly wrong: string[] = [];

  private constructor(server: Installation, browser: Browser, origin: string) {
    this.server = server;
    this.browser = browser;
    this.origin = origin;
  }

  static async start(context: TestContext, settings: Record<string, string> = {}): Promise<Application> {
    const server = await Installation.start(context, settings);
    const it = new Application(server, await launch(context), await serve(context));
    context.after(() => assert.deepEqual(it.wrong, []));
    return it;
  }

  async device(): Promise<BrowserContext> {
    const context = await this.browser.newContext();
    context.setDefaultTimeout(20_000);
    return context;
  }

  /** A tab of the device with a client in it. */
  async open(device: BrowserContext, options: Options = {}, path = "/"): Promise<Page> {
    const page = await device.newPage();
    page.on("pageerror", (error) => this.wrong.push(`a script failed: ${error.message}`));
    page.on("console", (message) => {
      // An answer that is no success is none of the page's errors, and neither is a network that is not there.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource"))
        this.wrong.push(message.text());
    });
    const all = { server: this.server.address, ...options };
    await page.goto(`${this.origin}${path}?options=${encodeURIComponent(JSON.stringify(all))}`);
    return page;
  }

  /** Signs somebody of the server's in. */
  async login(page: Page, email: string): Promise<void> {
    await page.evaluate((body) => window.client.login(body).then(() => {}), { email, password: PASSWORD });
  }
}

export const state = (page: Page): Promise<State> => page.evaluate(() => window.client.state);
export const ends = (page: Page) => page.evaluate(() => window.ends);
export const warnings = (page: Page) => page.evaluate(() => [window.warned, window.withdrawn]);

/** Waits until the page shows that status. */
export async function shows(page: Page, status: State["status"], timeout = 20_000): Promise<void> {
  await page.locator("#status").getByText(status, { exact: true }).waitFor({ timeout });
}

/** Waits until the page was sent to the login page, and shows nobody. */
export async function isOut(page: Page): Promise<void> {
  await page.waitForURL("**/login");
}
