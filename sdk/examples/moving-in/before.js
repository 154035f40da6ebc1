// An application as there are many: Express, jsonwebtoken, bcrypt and a table. Its logout ends nothing.
import bcrypt from "bcryptjs";
import express from "express";
import jwt from "jsonwebtoken";
import pg from "pg";
import { tasks } from "./tasks.js";

const { DATABASE_URL, JWT_SECRET, PORT = "3000" } = process.env;

const db = new pg.Pool({ connectionString: DATABASE_URL, max: 4 });
await db.query(`CREATE TABLE IF NOT EXISTS users (
  id SERIAL PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, password TEXT NOT NULL,
  role_id INTEGER NOT NULL DEFAULT 2, status TEXT NOT NULL DEFAULT 'active',
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(), last_session TIMESTAMPTZ)`);

const fail = (res, status, code, message) => res.status(status).json({ success: false, message, code });
const sign = (user) =>
  jwt.sign({ user_id: user.id, email: user.email, role_id: user.role_id, name: user.name }, JWT_SECRET, {
    expiresIn: "24h",
  });
const shown = ({ id, name, email, role_id, status }) => ({ user_id: id, name, email, role_id, status });

function authenticate(req, res, next) {
  const [, token] = (req.headers.authorization ?? "").split(" ");
  try {
    req.auth = jwt.verify(token, JWT_SECRET);
    next();
  } catch {
    fail(res, 401, "UNAUTHORIZED", "Token no proporcionado o inválido");
  }
}

const app = express();
app.use(express.json());

app.post("/api/auth/register", async (req, res) => {
  const { name, email, password } = req.body;
  const hash = await bcrypt.hash(password, 5);
  const { rows } = await db.query("INSERT INTO users (name, email, password) VALUES ($1, $2, $3) RETURNING *", [
    name,
    email.toLowerCase(),
    hash,
  ]);
  const message = "Usuario registrado exitosamente";
  res.status(201).json({ success: true, message, data: { user: shown(rows[0]), token: sign(rows[0]) } });
});

app.post("/api/auth/login", async (req, res) => {
  const { email, password } = req.body;
  const { rows } = await db.query("SELECT * FROM users WHERE email = $1", [email.toLowerCase()]);
  const [user] = rows;
  if (!user || !(await bcrypt.compare(password, user.password))) {
    return fail(res, 401, "INVALID_CREDENTIALS", "Credenciales inválidas");
  }
  if (user.status !== "active") return fail(res, 401, "UNAUTHORIZED", "Usuario inactivo o suspendido");
  await db.query("UPDATE users SET last_session = now() WHERE id = $1", [user.id]);
  res.json({
    success: true,
    message: "Inicio de sesión exitoso",
    data: { token: sign(user), user: shown(user) },
  });
});

app.post("/api/auth/logout", authenticate, (_req, res) => {
  res.json({ success: true, message: "Sesión cerrada exitosamente", data: null });
});

app.get("/api/auth/profile", authenticate, async (req, res) => {
  const { rows } = await db.query("SELECT * FROM users WHERE id = $1", [req.auth.user_id]);
  res.json({ success: true, message: "Perfil obtenido exitosamente", data: { user: shown(rows[0]) } });
});

app.use(
  "/api/tasks",
  authenticate,
  tasks((req) => req.auth.user_id),
);

const server = app.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
process.once("SIGTERM", () => {
  server.close();
  server.closeAllConnections();
  db.end();
});
