import { createClient } from "@cerrojo/client";
import { explain } from "@cerrojo/client/reasons";

const client = createClient({
  server: CERROJO, // "https://auth.example.org"; serve.js puts it in
  storage: "cookie",
  clear: () => console.info("here the application forgets what it knows of the person"),
});
const $ = (id) => document.getElementById(id);

function show({ status, user, ended, warning }) {
  $("enter").hidden = status !== "signed-out";
  $("inside").hidden = status !== "signed-in";
  $("warning").hidden = !warning;
  $("who").textContent = user?.name ?? "";
  $("message").textContent = status === "signed-out" && ended ? explain(ended.reason, navigator.language) : "";
}
client.on("change", show);
show(client.state);

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = Object.fromEntries(new FormData(event.target));
  try {
    const user = await client[event.submitter.value](body);
    if (!user) $("message").textContent = "Look into your mail: the address has to be confirmed.";
    event.target.reset();
  } catch (error) {
    $("message").textContent = [error.message, ...error.errors].join(" · ");
  }
});
$("logout").addEventListener("click", () => client.logout());
$("everywhere").addEventListener("click", () => client.logout({ scope: "all" }));
$("stay").addEventListener("click", () => client.stayActive());
