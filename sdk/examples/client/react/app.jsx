import { createClient } from "@cerrojo/client";
import { useSession } from "@cerrojo/client/react";
import { explain } from "@cerrojo/client/reasons";
import { useState } from "react";
import { createRoot } from "react-dom/client";

// One for the application, outside of any component. serve.js puts the address in.
const client = createClient({ server: CERROJO, storage: "cookie" });

function App() {
  const { status, user, ended, warning } = useSession(client);
  if (status === "loading") return <p>…</p>;
  if (status === "signed-out") return <Enter message={ended && explain(ended.reason, navigator.language)} />;
  return (
    <main>
      <h1>Cerrojo, React</h1>
      <p>
        Signed in as <strong id="who">{user?.name}</strong>.
      </p>
      {warning && (
        <p>
          You will be signed out soon.{" "}
          <button type="button" onClick={() => client.stayActive()}>
            Stay
          </button>
        </p>
      )}
      <button type="button" id="logout" onClick={() => client.logout()}>
        Sign out
      </button>
    </main>
  );
}

function Enter({ message }) {
  const [error, setError] = useState(null);
  async function submit(event) {
    event.preventDefault();
    const body = Object.fromEntries(new FormData(event.target));
    try {
      await client.login(body);
    } catch (problem) {
      setError(problem.message);
    }
  }
  return (
    <form id="enter" onSubmit={submit}>
      <h1>Cerrojo, React</h1>
      <p role="status">{error ?? message}</p>
      <label>
        E-mail <input name="email" type="email" autoComplete="username" required />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>
      <button type="submit">Sign in</button>
    </form>
  );
}

createRoot(document.getElementById("root")).render(<App />);
