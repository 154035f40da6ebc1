import type { Client } from "./client.js";
import type { State } from "./types.js";

/** The client's state as a Svelte store (`$session`): it has what Svelte asks of one, in any version. */
export function sessionStore(client: Client): { subscribe(run: (state: State) => void): () => void } {
  return {
    subscribe(run) {
      run(client.state);
      return client.on("change", run);
    },
  };
}
