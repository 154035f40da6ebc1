/** The example applications, as their page says to start them. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { addressOf, ended, Installation } from "../../../guard/test/support/installation.js";
import { launch } from "../../../pages/test/support/browser.js";

const FOLDER = fileURLToPath(new URL("../../../../../examples/client/", import.meta.url));

test("they sign in and out, together", async (context) => {
  const here = await Installation.start(context);
  const env = { ...process.env, CERROJO: here.address, PORT: "0" };
  const child = spawn(process.execPath, ["serve.js"], { cwd: FOLDER, env, stdio: ["ignore", "pipe", "inherit"] });
  context.after(() => ended(child));
  const address = await addressOf(child.stdout);
  const device = await (await launch(context)).newContext({ locale: "en-GB" });
  const wrong: string[] = [];
  device.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
  });
  const [plain, react] = [await device.newPage(), await device.newPage()];
  await plain.goto(`${address}/plain/`);
  await react.goto(`${address}/react/`);
  await plain.locator("[name=name]").fill("Ana");
  await plain.locator("[name=email]").fill("ana@example.org");
  await plain.locator("[name=password]").fill("una contraseña larga y propia 7");
  await plain.getByRole("button", { name: "Register" }).click();
  for (const page of [plain, react]) await page.locator("#who").getByText("Ana").waitFor();
  await react.locator("#logout").click();
  for (const page of [plain, react]) await page.getByText("You have signed out.").waitFor();
  await react.locator("[name=email]").fill("ana@example.org");
  await react.locator("[name=password]").fill("no es esta");
  await react.getByRole("button", { name: "Sign in" }).click();
  await react.getByText("Credenciales inválidas").waitFor();
  await react.locator("[name=password]").fill("una contraseña larga y propia 7");
  await react.getByRole("button", { name: "Sign in" }).click();
  await plain.locator("#who").getByText("Ana").waitFor();
  await plain.locator("#everywhere").click();
  await react.locator("#enter").waitFor();
  assert.deepEqual(wrong, []);
});
