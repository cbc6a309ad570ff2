// better-auth's own server on the database that the URL in DATABASE names; prints its origin when
// it listens.
// With PLUGINS=1: the plugins that bring columns and tables. POST /migrate runs its migrations
// once more and answers what they would have been.
import { createServer } from "node:http";
import Database from "better-sqlite3";
import mysql from "mysql2/promise";
import pg from "pg";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { admin, organization, twoFactor } from "better-auth/plugins";

const server = createServer(async (request, response) => {
  if (request.url === "/migrate") {
    const again = await getMigrations(auth.options);
    const statements = await again.compileMigrations();
    await again.runMigrations();
    response.end(statements);
  } else handler(request, response);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${server.address().port}`;

function database(url) {
  if (url.startsWith("sqlite:///")) return new Database(url.slice("sqlite:///".length));
  const { searchParams, pathname, hostname, port, username, password } = new URL(url);
  const where = {
    host: hostname,
    port: port || undefined,
    user: username,
    password: decodeURIComponent(password),
    database: pathname.slice(1),
  };
  if (url.startsWith("mysql:")) return mysql.createPool({ ...where, timezone: "Z" });
  return new pg.Pool({ ...where, options: `-c search_path=${searchParams.get("search_path")}` });
}

const auth = betterAuth({
  baseURL: origin,
  secret: process.env.SECRET,
  database: database(process.env.DATABASE),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  plugins: process.env.PLUGINS ? [twoFactor(), admin(), organization()] : [],
});
if (!process.env.LATER) await (await getMigrations(auth.options)).runMigrations();
const handler = toNodeHandler(auth);
console.log(origin);
