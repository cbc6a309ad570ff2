// Signing up, in and out; the current session, all of them, and their ends.
export default async function ({ browser, step, note, PASSWORD }) {
  const ada = browser();
  const email = "ada@example.com";
  await step("nobody's session", ada.getSession());
  await step("nobody's sessions", ada.listSessions());
  await step("nobody signs out", ada.signOut());
  await step("nobody revokes", ada.revokeSessions());
  const up = await step("sign up", ada.signUp.email({ email, name: "Ada", password: PASSWORD }));
  const own = await step("own session", ada.getSession());
  note("the token is the session's", own.session.token === up.token);
  await step("own session, cache off", ada.getSession({ query: { disableCookieCache: true } }));
  await step("own session, no refresh", ada.getSession({ query: { disableRefresh: true } }));
  const other = browser();
  await step("sign up again", other.signUp.email({ email, name: "Eve", password: PASSWORD }));
  await step("no address", other.signUp.email({ email: "no", name: "Eve", password: PASSWORD }));
  await step("short", other.signUp.email({ email: "eve@example.com", name: "Eve", password: "x" }));
  const long = "x".repeat(129);
  await step("long", other.signUp.email({ email: "eve@example.com", name: "Eve", password: long }));
  await step("wrong password", other.signIn.email({ email, password: "wrong password" }));
  await step("unknown", other.signIn.email({ email: "no@example.com", password: PASSWORD }));
  await step("bad address", other.signIn.email({ email: "no", password: PASSWORD }));
  await step("sign in", other.signIn.email({ email, password: PASSWORD }));
  const short = browser();
  await step("not to be remembered", short.signIn.email({ email, password: PASSWORD, rememberMe: false }));
  await step("read when not remembered", short.getSession());
  const asked = { email, password: PASSWORD, callbackURL: "/dashboard" };
  await step("sign in with a callback", browser().signIn.email(asked));
  const foreign = { email, password: PASSWORD, callbackURL: "https://evil.example/x" };
  await step("callback elsewhere", browser().signIn.email(foreign));

  const listed = await step("list", ada.listSessions());
  note("how many", listed.length);
  const third = listed.find((session) => session.token !== own.session.token);
  await step("revoke one", ada.revokeSession({ token: third.token }));
  note("one fewer", (await ada.listSessions()).data.length);
  await step("revoke what is not there", ada.revokeSession({ token: "not-there" }));
  await step("revoke the others", ada.revokeOtherSessions());
  note("alone", (await ada.listSessions()).data.length);
  await step("the other's session is over", other.getSession());
  await step("the other cannot list", other.listSessions());
  await step("own is not", ada.getSession());
  await step("sign out", ada.signOut());
  await step("after signing out", ada.getSession());
  await step("back", ada.signIn.email({ email, password: PASSWORD }));
  await step("revoke all", ada.revokeSessions());
  await step("after revoking all", ada.getSession());

  let header = null;
  const program = browser({ onSuccess: ({ response }) => (header ??= response.headers.get("set-auth-token")) });
  const signed = await program.signIn.email({ email, password: PASSWORD });
  note("a token for programs comes", header?.split(".")[0] === signed.data.token);
  const bearing = (token) => browser({ auth: { type: "Bearer", token } });
  await step("by raw Bearer", bearing(signed.data.token).getSession());
  await step("by signed Bearer", bearing(header).getSession());
  await step("by encoded Bearer", bearing(encodeURIComponent(header)).getSession());
  await step("by forged Bearer", bearing(`${signed.data.token}.${"A".repeat(43)}=`).getSession());
  await step("by unknown Bearer", bearing("unknown").getSession());
}
