/** Debian's Chromium, and what no page of the server's may do in it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { TestContext } from "node:test";
import type { AxeResults } from "axe-core";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { takePicture } from "./pictures.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Both languages and both themes, at the narrowest and at a wide width. */
export const WAYS = [
  { locale: "es-MX", colorScheme: "light", viewport: { width: 320, height: 640 } },
  { locale: "es-ES", colorScheme: "dark", viewport: { width: 1280, height: 800 } },
  { locale: "en-GB", colorScheme: "dark", viewport: { width: 320, height: 640 } },
  { locale: "en-US", colorScheme: "light", viewport: { width: 1280, height: 800 } },
] as const;

export async function launch(context: TestContext): Promise<Browser> {
  const executablePath = process.env.CERROJO_CHROMIUM ?? "/usr/bin/chromium";
  // As root, as in the gate, Chromium starts in no sandbox.
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  context.after(() => browser.close());
  return browser;
}

/** A page that takes note of whatever goes wrong in it. */
export class Watched {
  readonly page: Page;
  readonly #origin: string;
  readonly #wrong: string[] = [];

  private constructor(page: Page, origin: string) {
    this.page = page;
    this.#origin = origin;
  }

  static async open(browser: Browser, address: string, options: BrowserContextOptions = {}): Promise<Watched> {
    const page = await (await browser.newContext(options)).newPage();
    const watched = new Watched(page, new URL(address).origin);
    page.on("pageerror", (error) => watched.#wrong.push(`a script failed: ${error.message}`));
    page.on("console", (message) => {
      // An answer that is no success is none of the page's errors.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
        watched.#wrong.push(`in the console: ${message.text()}`);
      }
    });
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== "data:" && origin !== watched.#origin) watched.#wrong.push(`asked ${request.url()}`);
    });
    const answer = await page.goto(address);
    assert.equal(answer?.status(), 200);
    return watched;
  }

  /** Nothing in the console, nothing from elsewhere. For pages without scripts, in which axe does not run. */
  assertNothingWrong(): void {
    assert.deepEqual(this.#wrong, []);
  }

  /** What axe has to say by WCAG 2.2 A and AA, and whatever else went wrong. */
  async assertClean(): Promise<void> {
    // Through the debugger, which no policy of the page keeps out.
    await this.page.evaluate(AXE);
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const found = (await this.page.evaluate(`axe.run({ runOnly: ${JSON.stringify(tags)} })`)) as AxeResults;
    const said = found.violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0]?.html} (${nodes.length})`);
    assert.deepEqual([...this.#wrong, ...said], []);
    const wide = await this.page.evaluate("document.documentElement.scrollWidth - innerWidth");
    assert.ok((wide as number) <= 0, "it scrolls sideways");
    await takePicture(this.page);
  }
}
