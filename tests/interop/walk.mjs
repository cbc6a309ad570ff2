// One walk against one server: node walk.mjs WALK ORIGIN. Prints its steps as JSON.
//
// A walk is walks/WALK.mjs: an async function of a guide, whose steps call the official client.
import { createHmac } from "node:crypto";
import { createAuthClient } from "better-auth/client";
import { adminClient, organizationClient, twoFactorClient } from "better-auth/client/plugins";
import { anonymousClient, emailOTPClient, magicLinkClient } from "better-auth/client/plugins";
import { multiSessionClient, oneTimeTokenClient, usernameClient } from "better-auth/client/plugins";

const [walk, origin] = process.argv.slice(2);
const steps = [];
let cookiesSet = [];
let asked = [];

/** A fetch with a cookie jar, as a browser on the application's own pages has. */
function jar() {
  const cookies = new Map();
  return async (url, options = {}) => {
    const headers = new Headers(options.headers);
    headers.set("origin", origin);
    if (cookies.size) headers.set("cookie", [...cookies].map((c) => c.join("=")).join("; "));
    const response = await fetch(url, { ...options, headers });
    asked.push(`${options.method ?? "GET"} ${new URL(url).pathname}`);
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split("; ");
      const [, name, value] = pair.match(/^([^=]*)=(.*)$/);
      const fields = Object.fromEntries(
        attributes.map((text) => {
          const [key, content = true] = text.split("=");
          return [key.toLowerCase(), content];
        }),
      );
      if (fields["max-age"] === "0") cookies.delete(name);
      else cookies.set(name, value);
      cookiesSet.push({ name, isSet: fields["max-age"] !== "0", ...fields });
    }
    return response;
  };
}

/** A client as a page has it, with cookies of its own. */
function browser(options = {}) {
  const customFetchImpl = jar();
  const client = createAuthClient({
    baseURL: origin,
    plugins: [
      twoFactorClient(),
      adminClient(),
      organizationClient(),
      usernameClient(),
      anonymousClient(),
      oneTimeTokenClient(),
      magicLinkClient(),
      emailOTPClient(),
      multiSessionClient(),
    ],
    fetchOptions: { customFetchImpl, ...options },
  });
  return knowing(client, { fetch: (path, init) => customFetchImpl(origin + path, init) });
}

/** The client, which makes a path of every name it is asked for, with names of our own. */
function knowing(client, own) {
  return new Proxy(client, { get: (target, name) => (name in own ? own[name] : target[name]) });
}

/** Note what a call of the client was answered with, and which cookies came with it. */
async function step(name, calling) {
  cookiesSet = [];
  const { data, error } = await calling;
  steps.push({
    name,
    data: data ?? null,
    error: error && { status: error.status, code: error.code, hasMessage: Boolean(error.message) },
    cookies: cookiesSet,
    asked,
  });
  asked = [];
  return data;
}

/** Note anything else worth comparing. */
function note(name, data) {
  steps.push({ name, data, error: null, cookies: [], asked });
  [asked, cookiesSet] = [[], []];
}

/** The next code (or token, or id) that was sent to an address. */
const read = new Map();
async function sent(to) {
  const before = read.get(to) ?? 0;
  for (let patience = 100; patience > 0; patience--) {
    const outbox = await (await fetch(`${origin}/outbox`)).json();
    const messages = outbox.filter((message) => message.to === to);
    if (messages.length > before) {
      read.set(to, before + 1);
      return messages[before].code;
    }
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`nothing was sent to ${to}`);
}

/** Sign in at an OpenID provider, in whose browser nobody is; where it sends the browser back to. */
async function atProvider(url, login) {
  const cookies = new Map();
  let [at, init] = [new URL(url), {}];
  for (let patience = 12; patience > 0; patience--) {
    const cookie = [...cookies].map((c) => c.join("=")).join("; ");
    const response = await fetch(at, { ...init, headers: { cookie }, redirect: "manual" });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]*)=([^;]*)/);
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (location?.startsWith(origin)) return location.slice(origin.length);
    if (location) [at, init] = [new URL(location, at), {}];
    else {
      const page = await response.text();
      const body = new URLSearchParams({ login, password: "any" });
      for (const [, name, value] of page.matchAll(/<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"/g)) {
        body.set(name, value);
      }
      at = new URL(page.match(/<form[^>]*action="([^"]+)"/)[1], at);
      init = { method: "POST", body };
    }
  }
  throw new Error("the provider does not send the browser back");
}

/** The TOTP code of an otpauth URI, some time steps from now. */
function totp(uri, offset = 0) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...new URL(uri).searchParams.get("secret").replace(/=+$/, "")]
    .map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0"))
    .join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + offset));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac.at(-1) & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** Somebody new, signed up in a browser of their own. */
async function person(email, name = "Ada") {
  const client = browser();
  const { data, error } = await client.signUp.email({ email, name, password: PASSWORD });
  if (error) throw new Error(`${email}: ${error.code}`);
  return knowing(client, { user: data.user, email });
}

const PASSWORD = "correct horse battery";
const guide = { browser, step, note, sent, atProvider, totp, person, PASSWORD, origin };
try {
  await (await import(`./walks/${walk}.mjs`)).default(guide);
} catch (error) {
  console.error(`${origin} after`, JSON.stringify(steps.at(-1)));
  throw error;
}
console.log(JSON.stringify(steps));
