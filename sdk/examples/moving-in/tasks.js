// What the application is for. Moving in changes nothing of it.
import express from "express";

export function tasks(userOf) {
  const all = new Map();
  const of = (req) => all.get(userOf(req)) ?? [];
  const router = express.Router();
  router.use(express.json());
  router.get("/", (req, res) => res.json({ of: userOf(req), tasks: of(req) }));
  router.post("/", (req, res) => {
    all.set(userOf(req), [...of(req), String(req.body.title)]);
    res.status(201).json({ of: userOf(req), tasks: of(req) });
  });
  return router;
}
