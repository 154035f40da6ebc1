import { useCallback, useSyncExternalStore } from "react";
import type { Client } from "./client.js";
import type { State } from "./types.js";

const LOADING: State = { status: "loading", session: null, user: null, ended: null, warning: null };

/** The client's state; the component is drawn anew whenever it changes. `loading` where pages are rendered on a server. */
export function useSession(client: Client): State {
  return useSyncExternalStore(
    useCallback((run) => client.on("change", run), [client]),
    () => client.state,
    () => LOADING,
  );
}
