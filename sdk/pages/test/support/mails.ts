/** Mails that an installation writes into a folder. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { until } from "../../../guard/test/support/until.js";

export class Outbox {
  readonly folder = mkdtempSync(join(tmpdir(), "cerrojo-mails-"));

  constructor(context: TestContext) {
    context.after(() => rmSync(this.folder, { recursive: true }));
  }

  /** The path of the newest link to this page that was mailed to somebody, when it has come. */
  async link(to: string, page: string): Promise<string> {
    let found: string | undefined;
    await until(`a mail to ${to} has a link to ${page}`, () => {
      const texts = readdirSync(this.folder)
        .filter((name) => name.endsWith(".eml"))
        .sort()
        .map((name) =>
          readFileSync(join(this.folder, name), "utf8")
            .replace(/=\r?\n/g, "")
            .replaceAll("=3D", "="),
        );
      const mine = texts.filter((text) => text.includes(`To: ${to}`));
      found = mine.map((text) => new RegExp(`${page}\\?token=[\\w-]+`).exec(text)?.[0]).findLast(Boolean);
      return found !== undefined;
    });
    return found ?? "";
  }
}
