/** Pictures of every page that the tests see: `CERROJO_PICTURES=FOLDER npm run test:browser`. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";

const FOLDER = process.env.CERROJO_PICTURES;
/** Narrow pages are tested at 320 pixels and shown as on a telephone of today. */
const TELEPHONE = 360;
/** The highest picture, in pixels. */
const HIGHEST = 1400;

/** Takes one of the page as it is, unless there is one of such a page already; nothing if none are asked for. */
export async function takePicture(page: Page): Promise<void> {
  const size = page.viewportSize();
  if (!FOLDER || !size) return;
  mkdirSync(FOLDER, { recursive: true });
  const dark = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches");
  const width = Math.max(size.width, TELEPHONE);
  const file = join(FOLDER, `${await name(page)}-${dark ? "dark" : "light"}-${width}.webp`);
  if (existsSync(file)) return;
  await page.setViewportSize({ width, height: size.height });
  const high = (await page.evaluate("document.documentElement.scrollHeight")) as number;
  const clip = { x: 0, y: 0, width, height: Math.min(Math.max(high, size.height), HIGHEST) };
  const png = await page.screenshot({ fullPage: true, clip });
  await page.setViewportSize(size);
  writeFileSync(file, await asWebp(page, png));
}

/** What page it is, and in which state. */
async function name(page: Page): Promise<string> {
  const path = new URL(page.url()).pathname.slice(1) || "root";
  const plain = path.replaceAll(/\/\d+/g, "/one").replaceAll("/", "-");
  const refused = (await page.title()).startsWith("Error");
  const state = refused ? "refused" : (await page.locator(".told").count()) > 0 ? "told" : "";
  return state ? `${plain}-${state}` : plain;
}

/** Chromium writes PNG and JPEG; its canvas writes what is a fifth of them. */
async function asWebp(page: Page, png: Buffer): Promise<Buffer> {
  const blank = await page.context().newPage();
  try {
    const text = (await blank.evaluate(async (base64) => {
      const bytes = await (await fetch(`data:image/png;base64,${base64}`)).blob();
      const picture = await createImageBitmap(bytes);
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [picture.width, picture.height];
      canvas.getContext("2d")?.drawImage(picture, 0, 0);
      return canvas.toDataURL("image/webp", 0.6);
    }, png.toString("base64"))) as string;
    return Buffer.from(text.slice(text.indexOf(",") + 1), "base64");
  } finally {
    await blank.close();
  }
}
