// better-auth's own server on the SQLite file in DATABASE; prints its origin when it listens.
// With PLUGINS=1: the plugins that bring columns and tables. POST /migrate runs its migrations
// once more and answers what they would have been.
import { createServer } from "node:http";
import Database from "better-sqlite3";
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

const auth = betterAuth({
  baseURL: origin,
  secret: process.env.SECRET,
  database: new Database(process.env.DATABASE),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  plugins: process.env.PLUGINS ? [twoFactor(), admin(), organization()] : [],
});
if (!process.env.LATER) await (await getMigrations(auth.options)).runMigrations();
const handler = toNodeHandler(auth);
console.log(origin);
