/** A way to a server that can be shut: what comes meanwhile waits, and is gone if whoever sent it gives up. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { TestContext } from "node:test";

export class Gate {
  readonly address: string;
  /** Who is there, and what of theirs waits. */
  readonly #waiting = new Map<Socket, [upstream: Socket, bytes: Buffer[]]>();
  #isShut = false;

  private constructor(address: string) {
    this.address = address;
  }

  static async start(context: TestContext, to: string): Promise<Gate> {
    const { hostname, port } = new URL(to);
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      const held: Buffer[] = [];
      gate.#waiting.set(client, [upstream, held]);
      client.on("data", (bytes) => (gate.#isShut ? held.push(bytes) : upstream.write(bytes)));
      upstream.on("data", (bytes) => client.write(bytes));
      for (const [one, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        one.on("error", () => {});
        one.on("close", () => {
          gate.#waiting.delete(client);
          other.destroy();
        });
      }
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const gate = new Gate(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    context.after(() => {
      for (const client of gate.#waiting.keys()) client.destroy();
      server.close();
    });
    return gate;
  }

  shut(): void {
    this.#isShut = true;
  }

  open(): void {
    this.#isShut = false;
    for (const [upstream, held] of this.#waiting.values()) for (const bytes of held.splice(0)) upstream.write(bytes);
  }
}
