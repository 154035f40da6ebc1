import { onScopeDispose, readonly, type ShallowRef, shallowRef } from "vue";
import type { Client } from "./client.js";
import type { State } from "./types.js";

/** The client's state as a ref, for as long as the component or scope is there. */
export function useSession(client: Client): Readonly<ShallowRef<State>> {
  const state = shallowRef(client.state);
  onScopeDispose(
    client.on("change", (now) => {
      state.value = now;
    }),
  );
  return readonly(state) as Readonly<ShallowRef<State>>;
}
