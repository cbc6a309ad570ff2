// `node postgres.mjs make|drop`: the database that POSTGRES, a URL, names.
import pg from "pg";

const url = new URL(process.env.POSTGRES);
const name = pg.escapeIdentifier(url.pathname.slice(1));
url.pathname = "/postgres";
const client = new pg.Client({ connectionString: url.href });
await client.connect();
await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
if (process.argv[2] === "make") await client.query(`CREATE DATABASE ${name}`);
await client.end();
