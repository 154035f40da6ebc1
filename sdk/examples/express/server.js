import { Guard } from "@cerrojo/guard";
import { protect } from "@cerrojo/guard/express";
import express from "express";

const { CERROJO_ISSUER = "http://127.0.0.1:4000", PORT = "3000" } = process.env;

const guard = await Guard.connect(CERROJO_ISSUER, { onProblem: (problem) => console.warn(problem.message) });

const app = express();

app.get("/", (_req, res) => {
  res.json({ message: "anybody may read this" });
});

app.get("/metrics", (_req, res) => {
  res.type("text/plain").send(guard.prometheus());
});

// Whatever comes after this line is for live sessions only.
app.use(protect(guard));

app.get("/orders", (req, res) => {
  res.json({ of: req.auth.name, orders: [] });
});

const server = app.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    server.close();
    guard.close();
  });
}
