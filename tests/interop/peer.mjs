// better-auth's own server, on SQLite in memory, with the plugins the walks use.
// Prints its origin when it listens; GET /outbox answers what it would have sent to people.
import { createServer } from "node:http";
import Database from "better-sqlite3";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import {
  admin,
  anonymous,
  bearer,
  emailOTP,
  magicLink,
  multiSession,
  oneTimeToken,
  organization,
  twoFactor,
  username,
} from "better-auth/plugins";

const outbox = [];
const tell = (to, code) => void outbox.push({ to, code });
const appoint = async (user) => ({
  data: user.email.startsWith("admin") ? { ...user, role: "admin" } : user,
});

const server = createServer((request, response) => {
  if (request.url === "/outbox") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(outbox));
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
  rateLimit: { enabled: false },
  databaseHooks: { user: { create: { before: appoint } } },
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
    ...(process.env.SIGN_IN ? others() : []),
  ],
});
function others() {
  return [
    username(),
    multiSession(),
    anonymous(),
    oneTimeToken(),
    magicLink({ sendMagicLink: async ({ email, token }) => tell(email, token) }),
    emailOTP({ sendVerificationOTP: async ({ email, otp }) => tell(email, otp) }),
  ];
}

await (await getMigrations(auth.options)).runMigrations();
const handler = toNodeHandler(auth);
console.log(origin);
