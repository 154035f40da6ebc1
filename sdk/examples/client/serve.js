// Serves both applications of this folder, bundled: /plain/ and /react/.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const { CERROJO = "http://127.0.0.1:4000", PORT = "3000" } = process.env;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const { outputFiles } = await build({
  entryPoints: { "plain/app": here("plain/app.js"), "react/app": here("react/app.jsx") },
  bundle: true,
  minify: true,
  format: "esm",
  jsx: "automatic",
  define: { CERROJO: JSON.stringify(CERROJO), "process.env.NODE_ENV": '"production"' },
  outdir: here("."),
  write: false,
});
const files = new Map(outputFiles.map(({ path, contents }) => [path.slice(here(".").length - 1), contents]));

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const script = files.get(pathname);
  if (script) return response.writeHead(200, { "content-type": "text/javascript" }).end(script);
  const [, name] = /^\/(plain|react)\/$/.exec(pathname) ?? [];
  if (!name) return response.writeHead(302, { location: "/plain/" }).end();
  response.writeHead(200, {
    "content-type": "text/html; charset=utf-8",
    // Whatever gets into the page runs no script of its own.
    "content-security-policy": `default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ${CERROJO}; img-src data:`,
  });
  response.end(await readFile(here(`${name}/index.html`)));
});
server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
