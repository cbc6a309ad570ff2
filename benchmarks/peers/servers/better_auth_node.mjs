// better-auth on Node: PORT, and SQLITE (a file) or POSTGRES (a URL), come by the environment.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";

async function openDatabase() {
  if (process.env.POSTGRES) {
    const { default: pg } = await import("pg");
    return new pg.Pool({ connectionString: process.env.POSTGRES });
  }
  try {
    const { default: Database } = await import("better-sqlite3");
    return new Database(process.env.SQLITE);
  } catch {
    const { DatabaseSync } = await import("node:sqlite");
    return new DatabaseSync(process.env.SQLITE);
  }
}

const port = Number(process.env.PORT);
const auth = betterAuth({
  baseURL: `http://127.0.0.1:${port}`,
  secret: "the benchmarks' own secret, 32 characters or more",
  database: await openDatabase(),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
});
await (await getMigrations(auth.options)).runMigrations();
createServer(toNodeHandler(auth)).listen(port, "127.0.0.1");
