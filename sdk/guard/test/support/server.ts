import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { FakeClock } from "./clock.js";
import { AUDIENCE, bitmap, claimsAt, lst, type Members, Signer } from "./signer.js";

/** How an endpoint behaves: as it should; with a status; or it takes the request and says nothing. */
export type Behaviour = "serve" | "hang" | { status: number; retryAfter?: number };

const CAPACITY = 64;

/** A stream that the server holds open. */
export class FakeStream {
  readonly lastEventId: string | null;
  readonly authorization: string | undefined;
  readonly #response: ServerResponse;
  readonly #clock: FakeClock;
  readonly #arrived: number;
  isOpen = true;
  /** Nothing more is sent on it. */
  isOver = false;
  /** Bytes. */
  written = 0;

  constructor(request: IncomingMessage, response: ServerResponse, clock: FakeClock) {
    this.lastEventId = (request.headers["last-event-id"] as string | undefined) ?? null;
    this.authorization = request.headers.authorization;
    this.#response = response;
    this.#clock = clock;
    this.#arrived = clock.elapsed();
    response.on("close", () => {
      this.isOpen = false;
    });
  }

  /** Time since the request arrived. */
  get elapsed(): number {
    return this.#clock.elapsed() - this.#arrived;
  }

  send(type: string, data: Members, id?: string): void {
    this.write(`event: ${type}\ndata: ${JSON.stringify(data)}\n${id === undefined ? "" : `id: ${id}\n`}\n`);
  }

  write(bytes: string | Buffer): void {
    if (!this.isOpen || this.isOver) return;
    this.written += Buffer.byteLength(bytes);
    this.#response.write(bytes);
  }

  heartbeat(): void {
    this.send("heartbeat", { elapsed: this.elapsed });
  }

  end(): void {
    this.isOver = true;
    this.#response.end();
  }

  /** Cuts the connection. */
  cut(): void {
    this.isOver = true;
    this.#response.destroy();
  }
}

/** A server of the protocol, in process, that does whatever a test says. */
export class FakeServer {
  readonly signer = Signer.es256("k1");
  readonly streams: FakeStream[] = [];
  /** Requests that were taken and are not answered. */
  hanging = 0;
  readonly requests: { method: string; url: string; authorization: string | undefined; body: string }[] = [];
  readonly lists = new Map<string, Set<number>>([["list", new Set()]]);
  /** Lists that are in no snapshot: they were made since. */
  readonly newLists = new Map<string, Set<number>>();
  metadata: Members = {};
  greeting: Members = {};
  events: Behaviour | "silent" | "html" = "serve";
  entries: Behaviour = "serve";
  listLookups: Behaviour = "serve";
  activity: Behaviour = "serve";
  discovery: Behaviour = "serve";
  introspection: Behaviour = "serve";
  /** What tokens of another application stand for. */
  readonly oldTokens = new Map<string, Members>();
  /** What ended since each position; the position is a place in this. */
  readonly log: { list: string; index: number }[] = [];
  /** Before any of these the server cannot go on. */
  oldest = 0;
  readonly #server: Server;
  readonly #clock: FakeClock;

  private constructor(server: Server, clock: FakeClock) {
    this.#server = server;
    this.#clock = clock;
  }

  static async start(clock: FakeClock): Promise<FakeServer> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const fake = new FakeServer(server, clock);
    server.on("request", (request, response) => void fake.#answer(request, response));
    return fake;
  }

  get issuer(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get stream(): FakeStream {
    const last = this.streams.at(-1);
    if (!last) throw new Error("no stream was asked for");
    return last;
  }

  token(index: number, list = "list", more: Members = {}): string {
    return this.signer.token(claimsAt(list, index, more, this.issuer));
  }

  /** Ends a session and says so on the stream, if one is open. */
  end(index: number, list = "list"): void {
    (this.lists.get(list) ?? this.newLists.get(list))?.add(index);
    this.log.push({ list, index });
    const stream = this.streams.at(-1);
    if (stream?.isOpen) stream.send("entries", { elapsed: stream.elapsed, ended: { [list]: [index] } }, this.position);
  }

  get position(): string {
    return `p${this.log.length}`;
  }

  list(name: string, ended: Iterable<number> = this.lists.get(name) ?? []): Members {
    return { name, capacity: CAPACITY, lst: lst(bitmap(CAPACITY, [...ended])) };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  count(path: string): number {
    return this.requests.filter(({ url }) => url.startsWith(path)).length;
  }

  hello(): Members {
    return {
      issuer: this.issuer,
      audience: AUDIENCE,
      heartbeat: 1000,
      report: null,
      incarnation: "i",
      ...this.greeting,
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const piece of request) body += piece;
    const url = request.url ?? "";
    this.requests.push({ method: request.method ?? "", url, authorization: request.headers.authorization, body });
    const serve = (behaviour: Behaviour, how: () => unknown) => {
      if (behaviour === "serve") return how();
      if (behaviour === "hang") return this.#hang(response);
      if (behaviour.retryAfter !== undefined) response.setHeader("retry-after", behaviour.retryAfter);
      return json(response, { success: false }, behaviour.status);
    };
    if (url === "/.well-known/oauth-authorization-server") {
      const metadata = { issuer: this.issuer, cerrojo_guard_endpoint: `${this.issuer}/api/guards`, ...this.metadata };
      return void serve(this.discovery, () => json(response, metadata));
    }
    if (url === "/api/guards/events") return this.#events(request, response, serve);
    if (url.startsWith("/api/guards/entries")) return void serve(this.entries, () => this.#entries(url, response));
    if (url.startsWith("/api/guards/lists/")) return void serve(this.listLookups, () => this.#list(url, response));
    if (url === "/api/auth/introspect") {
      const told = this.oldTokens.get(new URLSearchParams(body).get("token") ?? "") ?? { active: false };
      return void serve(this.introspection, () => json(response, told));
    }
    if (url === "/api/guards/activity") return void serve(this.activity, () => json(response, {}));
    json(response, {}, 404);
  }

  #events(
    request: IncomingMessage,
    response: ServerResponse,
    serve: (b: Behaviour, how: () => unknown) => unknown,
  ): void {
    if (this.events === "html") return void response.writeHead(200, { "content-type": "text/html" }).end("<p>");
    if (this.events !== "silent") return void serve(this.events, () => this.#begin(request, response));
    this.#open(request, response);
    response.flushHeaders();
  }

  /** The stream that says so of itself. */
  streamBy(number: string | null): FakeStream | undefined {
    return number === null ? undefined : this.streams[Number(number)];
  }

  #open(request: IncomingMessage, response: ServerResponse): FakeStream {
    response.writeHead(200, { "content-type": "text/event-stream", "x-stream": this.streams.length });
    const stream = new FakeStream(request, response, this.#clock);
    this.streams.push(stream);
    return stream;
  }

  #hang(response: ServerResponse): void {
    this.hanging++;
    response.on("close", () => this.hanging--);
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    const stream = this.#open(request, response);
    stream.send("hello", this.hello());
    const since = this.#since(stream.lastEventId);
    if (since) stream.send("entries", { elapsed: stream.elapsed, ended: since }, this.position);
    else {
      for (const name of this.lists.keys()) stream.send("list", this.list(name));
      const end = { elapsed: stream.elapsed, keys: { keys: [this.signer.jwk] }, lists: [...this.lists.keys()] };
      stream.send("snapshot", end, this.position);
    }
  }

  #since(position: string | null): Record<string, number[]> | null {
    const from = position === null ? -1 : Number(position.slice(1));
    if (from < this.oldest) return null;
    const ended: Record<string, number[]> = {};
    for (const { list, index } of this.log.slice(from)) ended[list] = [...(ended[list] ?? []), index];
    return ended;
  }

  #entries(url: string, response: ServerResponse): void {
    const common = { elapsed: 0, position: this.position, ...this.hello(), heartbeat: undefined };
    const since = this.#since(new URL(url, this.issuer).searchParams.get("after"));
    const lists = [...this.lists.keys()].map((name) => this.list(name));
    json(
      response,
      since ? { ...common, ended: since } : { ...common, snapshot: { keys: { keys: [this.signer.jwk] }, lists } },
    );
  }

  #list(url: string, response: ServerResponse): void {
    const name = url.slice("/api/guards/lists/".length);
    const ended = this.lists.get(name) ?? this.newLists.get(name);
    json(response, ended ? this.list(name, ended) : {}, ended ? 200 : 404);
  }
}

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
