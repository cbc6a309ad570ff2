// What a server that renders pages asks with a browser's cookie: node rendering.mjs ORIGIN COOKIE.
import { createAuthClient } from "better-auth/client";

const [origin, cookie] = process.argv.slice(2);
const client = createAuthClient({ baseURL: origin });
let cookiesSet;
const onResponse = ({ response }) => void (cookiesSet = response.headers.getSetCookie().length);
const asked = (more) => ({ fetchOptions: { headers: { cookie, ...more }, onResponse } });

const seen = {};
async function note(name, calling) {
  const { data, error } = await calling;
  seen[name] = { email: data?.user?.email ?? null, code: error?.code ?? null, cookiesSet };
}
await note("nobody", client.getSession({ fetchOptions: { onResponse } }));
await note("unextended", client.getSession({ query: { disableRefresh: true }, ...asked() }));
await note("extended", client.getSession(asked()));
await note("sign out", client.signOut(asked()));
await note("sign out, said from where", client.signOut(asked({ origin })));
await note("afterwards", client.getSession(asked()));
console.log(JSON.stringify(seen));
