// better-auth's own server, on SQLite in memory, with the plugins the walks use.
// Prints its origin when it listens; GET /outbox answers what it would have sent to people, GET
// /endpoints what may be asked. WALK names what walk it is for; without, it has every plugin.
import { createServer } from "node:http";
import Database from "better-sqlite3";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { admin, bearer, organization, twoFactor } from "better-auth/plugins";
import { anonymous, emailOTP, genericOAuth, magicLink } from "better-auth/plugins";
import { multiSession, oneTimeToken, username } from "better-auth/plugins";

const outbox = [];
const tell = (to, code) => void outbox.push({ to, code });
const appoint = async (user) => ({
  data: user.email.startsWith("admin") ? { ...user, role: "admin" } : user,
});

/** What only the walk of that name uses. */
const further = {
  "several-accounts": [multiSession()],
  "ways-in": [
    username(),
    anonymous(),
    oneTimeToken(),
    magicLink({ sendMagicLink: ({ email, token }) => tell(email, token) }),
    emailOTP({
      sendVerificationOTP: async ({ email, otp }) => tell(email, otp),
    }),
  ],
  provider: [
    genericOAuth({
      config: [
        {
          providerId: "acme",
          discoveryUrl: `${process.env.ISSUER}/.well-known/openid-configuration`,
          clientId: "app",
          clientSecret: "a secret: with + and %",
          scopes: ["openid", "email", "profile"],
          authentication: "basic",
          pkce: true,
        },
      ],
    }),
  ],
  "other-address": [
    emailOTP({
      sendVerificationOTP: async ({ email, otp }) => tell(email, otp),
      changeEmail: { enabled: true },
    }),
  ],
};

const everything = Object.entries(further).flatMap(([walk, plugins]) =>
  walk === "provider" ? [] : plugins,
);
const client = { clientId: "app", clientSecret: "a secret of the client's" };
const sendDeleteAccountVerification = async ({ user, token }) => tell(user.email, token);

/** What is set otherwise for the walk of that name. */
const settings = {
  deferred: { session: { deferSessionRefresh: true, updateAge: 0 } },
  leaving: { user: { deleteUser: { enabled: true, sendDeleteAccountVerification } } },
  social: {
    socialProviders: {
      ...Object.fromEntries(
        ["apple", "discord", "facebook", "github", "gitlab", "google", "linkedin", "microsoft"]
          .concat(["slack", "spotify", "twitch", "twitter"])
          .map((id) => [id, client]),
      ),
    },
  },
};

/** What clients may ask of this server: "POST /sign-out". */
function endpoints() {
  return Object.values(auth.api)
    .filter((one) => one.path && !one.options.metadata?.SERVER_ONLY)
    .flatMap(({ path, options }) => [options.method].flat().map((method) => `${method} ${path}`))
    .sort();
}

const server = createServer((request, response) => {
  if (request.url === "/outbox") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(outbox));
  } else if (request.url === "/endpoints") {
    response.end(JSON.stringify(endpoints()));
  } else handler(request, response);
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const origin = `http://127.0.0.1:${server.address().port}`;

const auth = betterAuth({
  baseURL: origin,
  secret: process.env.SECRET,
  database: new Database(":memory:"),
  emailAndPassword: {
    enabled: true,
    sendResetPassword: async ({ user, token }) => tell(user.email, token),
  },
  emailVerification: {
    sendVerificationEmail: async ({ user, token }) => tell(user.email, token),
  },
  user: { changeEmail: { enabled: true }, deleteUser: { enabled: true } },
  rateLimit: { enabled: false },
  databaseHooks: { user: { create: { before: appoint } } },
  ...settings[process.env.WALK],
  plugins: [
    twoFactor({
      issuer: "Interop",
      otpOptions: {
        sendOTP: async ({ user, otp }) => tell(user.email, otp),
      },
    }),
    admin(),
    organization({
      sendInvitationEmail: async ({ id, email }) => tell(email, id),
    }),
    bearer(),
    ...(process.env.WALK ? (further[process.env.WALK] ?? []) : everything),
  ],
});

await (await getMigrations(auth.options)).runMigrations();
const handler = toNodeHandler(auth);
console.log(origin);
