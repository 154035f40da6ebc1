/** The package: its size, its types, and that a server can import it. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { createClient } from "@cerrojo/client";
import { explain } from "@cerrojo/client/reasons";
import { sessionStore } from "@cerrojo/client/svelte";
import { useSession } from "@cerrojo/client/vue";
import { build } from "esbuild";
import { effectScope } from "vue";
import { Scene } from "./support/scene.js";

const here = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

test("the core is at most 6,000 bytes, minified and gzipped, and needs nothing at run time", async (context) => {
  const { outputFiles, metafile } = await build({
    entryPoints: [here("dist/index.js")],
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    metafile: true,
  });
  const size = gzipSync(outputFiles[0]?.contents ?? "", { level: 9 }).length;
  context.diagnostic(`${size} bytes`);
  assert.ok(size > 0 && size <= 6000, `${size} bytes`);
  for (const file of Object.keys(metafile.inputs)) assert.ok(!file.includes("node_modules"), file);
});

test("the types are those of docs/openapi.json", () => {
  const now = execFileSync(process.execPath, [here("tools/types.js")], { encoding: "utf8" });
  assert.equal(readFileSync(here("src/api.ts"), "utf8"), now, "npm run generate");
});

test("what is packed has all that it names: entries, their types, and what its maps refer to", () => {
  const pack = ["pack", "--dry-run", "--json", "--ignore-scripts"];
  const [{ files }] = JSON.parse(execFileSync("npm", pack, { cwd: here("."), encoding: "utf8" }));
  const paths: string[] = files.map((it: { path: string }) => `./${it.path}`);
  const { exports, main, types } = JSON.parse(readFileSync(here("package.json"), "utf8"));
  const entries = Object.values<string>(exports);
  for (const it of [main, types, ...entries, ...entries.map((it) => it.replace(/js$/, "d.ts"))])
    assert.ok(paths.includes(it), it);
  for (const it of paths.filter((it) => it.endsWith(".js.map")))
    assert.ok(JSON.parse(readFileSync(here(it), "utf8")).sourcesContent, `${it} has no source with it`);
});

test("where there is no window it does nothing, and says so", async () => {
  const client = createClient({ server: "https://auth.example.org" });
  assert.equal(client.state.status, "loading");
  await assert.rejects(client.login({ email: "a@b.example", password: "x" }), { code: "NO_BROWSER" });
  await assert.rejects(client.forgotPassword({ email: "a@b.example" }), { code: "NO_BROWSER" });
  await client.stayActive();
  client.close();
});

test("every reason has words in both languages, also one that is not known yet", () => {
  assert.equal(explain("idle", "es-MX"), "La sesión se ha cerrado por inactividad.");
  assert.equal(explain("logout_elsewhere", "en-GB"), "You ended this session from another device.");
  assert.equal(explain("of a later server", "en"), "The session is over.");
  assert.equal(explain("constructor", "es"), "La sesión ha terminado.");
});

test("the entries for Vue and Svelte follow the state, and let go of it", async (context) => {
  const scene = new Scene(context);
  const { client } = scene.open();
  const scope = effectScope();
  const state = scope.run(() => useSession(client));
  const told: string[] = [];
  const stop = sessionStore(client).subscribe((it) => told.push(it.status));
  assert.equal(state?.value.status, "signed-out");
  await client.login({ email: "ana@example.org", password: "una contraseña larga y propia 7" });
  assert.equal(state?.value.status, "signed-in");
  scope.stop();
  stop();
  await client.logout();
  assert.equal(state?.value.status, "signed-in", "it was let go of");
  assert.deepEqual([told[0], told.at(-1)], ["signed-out", "signed-in"]);
});
