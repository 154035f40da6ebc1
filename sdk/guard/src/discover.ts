import { ConnectError } from "./errors.js";
import type { Http } from "./http.js";
import { isObject } from "./keys.js";

const PATH = "/.well-known/oauth-authorization-server";

/** Where the guard endpoint of this issuer is (RFC 8414). A {@link ConnectError} is final; other errors may pass. */
export async function discover(issuer: string, http: Http): Promise<string> {
  const url = issuer + PATH;
  const answer = await http.withoutCredentials().call(url, { maxBytes: 64 * 1024, timeout: 5000 });
  if (answer.status >= 500 || answer.status === 429) throw new Error(`${url} answered ${answer.status}`);
  if (answer.status !== 200)
    throw new ConnectError(`${url} answered ${answer.status}: is this the address of a Cerrojo server?`);
  const metadata = parse(answer.text);
  if (!metadata) throw new ConnectError(`${url} is not the metadata of an authorization server`);
  if (metadata.issuer !== issuer) {
    throw new ConnectError(
      `the server at ${issuer} says that it is ${JSON.stringify(metadata.issuer)}: both must be the same`,
    );
  }
  const endpoint = metadata.cerrojo_guard_endpoint;
  if (typeof endpoint !== "string") throw new ConnectError(`the server at ${issuer} has no guard endpoint`);
  if (!URL.canParse(endpoint) || new URL(endpoint).origin !== new URL(issuer).origin) {
    throw new ConnectError(`the guard endpoint ${endpoint} is not of the same origin as ${issuer}`);
  }
  return endpoint.replace(/\/$/, "");
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
