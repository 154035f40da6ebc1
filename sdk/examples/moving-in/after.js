// The same application with Cerrojo: sign-in, profile and passwords are Cerrojo's, the check of tokens is a guard's.
import { Guard } from "@cerrojo/guard";
import { protect } from "@cerrojo/guard/express";
import express from "express";
import { createProxyMiddleware } from "http-proxy-middleware";
import { tasks } from "./tasks.js";

const { CERROJO_ISSUER = "http://127.0.0.1:4000", CERROJO_SECRET, JWT_SECRET, PORT = "3000" } = process.env;

const guard = await Guard.connect(CERROJO_ISSUER, {
  credentials: { name: "tasks", secret: CERROJO_SECRET },
  // Tokens of before are good until they expire. When the last of them has, this line goes.
  oldTokens: { secret: JWT_SECRET },
  onProblem: (problem) => console.warn(problem.message),
});

const app = express();

// Clients find everything where it was.
const pathFilter = ["/api/auth", "/api/admin"];
app.use(createProxyMiddleware({ target: CERROJO_ISSUER, pathFilter, xfwd: true }));

app.use(
  "/api/tasks",
  protect(guard),
  tasks((req) => req.auth.userId),
);

const server = app.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
process.once("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  guard.close();
});
