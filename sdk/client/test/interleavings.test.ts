/** Tabs, networks and servers that do what they like, in any order: whoever is out stays out, and in the end all agree. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ANA, EMAIL, MINUTE, type Page, Scene, SECOND } from "./support/scene.js";

const SEEDS = Number(process.env.CERROJO_SEEDS ?? 20);

/** Numbers from 0 to 1 that a seed says (mulberry32). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

for (const storage of ["local", "cookie"] as const) {
  for (const isOld of [false, true]) {
    test(`${storage}${isOld ? ", without channels and locks" : ""}: any order of things`, async (context) => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        const scene = new Scene(context, { isOld, ttl: 60 * MINUTE, idleTimeout: 20 * MINUTE });
        const chance = random(seed);
        const pages: Page[] = [];
        const over = new Set<string>();
        const open = () => {
          const page = scene.open({ storage });
          page.client.on("session.started", ({ session }) => {
            assert.ok(!over.has(session ?? ""), `seed ${seed}: a session that was over is back`);
          });
          page.client.on("session.ended", ({ session }) => over.add(session));
          pages.push(page);
        };
        open();
        open();
        const acts: ((page: Page) => unknown)[] = [
          ({ client }) => void client.login(ANA).catch(() => {}),
          ({ client }) => void client.login(ANA).catch(() => {}),
          ({ client }) => void client.logout().catch(() => {}),
          ({ client }) => void client.logout({ scope: "all" }).catch(() => {}),
          ({ client }) => void client.profile().catch(() => {}),
          ({ tab }) => tab.dispatch("pointermove"),
          // The server's own page signs in and out, which no tab is told of.
          ({ tab }) =>
            storage === "cookie" &&
            void tab
              .fetch(`${scene.server.origin}/api/auth/login`, {
                method: "POST",
                body: JSON.stringify({ ...ANA, cookie: true }),
                credentials: "include",
              })
              .catch(() => {}),
          ({ tab }) => tab.freeze(),
          ({ tab }) => tab.thaw(),
          () => pages.length < 4 && open(),
          (page) => {
            if (pages.length < 2) return;
            pages.splice(pages.indexOf(page), 1);
            page.tab.close();
            page.client.close();
          },
          () => scene.browser.setOnline(false),
          () => scene.browser.setOnline(true),
          () => scene.server.end(EMAIL, "admin"),
          () => Object.assign(scene.server, { state: "hanging" }),
          () => Object.assign(scene.server, { state: 503 }),
          () => Object.assign(scene.server, { state: "up" }),
          () => scene.clock.advance(Math.floor(chance() * 3) * 10),
          () => scene.clock.advance(chance() * 20 * SECOND),
        ];
        for (let step = 0; step < 40; step++) {
          const page = pages[Math.floor(chance() * pages.length)] as Page;
          await acts[Math.floor(chance() * acts.length)]?.(page);
        }
        scene.server.state = "up";
        await scene.browser.setOnline(true);
        for (const { tab } of pages) tab.thaw();
        await scene.clock.advance(3 * MINUTE);
        const states = new Set(pages.map(({ client }) => client.state.session));
        assert.equal(states.size, 1, `seed ${seed}: they do not agree`);
        const [session] = states;
        const live = scene.server.live.map(({ token }) => token);
        // A cookie that was overwritten is out of everybody's reach: its session ends by itself.
        if (storage === "cookie")
          assert.ok(!session || live.includes(scene.browser.cookies.get(scene.server.origin) ?? ""), `seed ${seed}`);
        else assert.equal(live.length, session ? 1 : 0, `seed ${seed}: ${session ?? "nobody"} here, not at the server`);
        for (const page of pages) {
          const isKept = scene.stored(page).includes("token-of");
          assert.equal(isKept, storage === "local" && session !== null, `seed ${seed}: a token is left`);
          page.client.close();
        }
      }
    });
  }
}
