// Other ways to sign in, and several accounts in one browser.
export default async function ({ browser, step, note, sent, PASSWORD }) {
  // By username
  const ada = browser();
  const email = "ada@example.com";
  await step("available", ada.isUsernameAvailable({ username: "ada_l" }));
  await step("sign up", ada.signUp.email({ email, name: "Ada", password: PASSWORD, username: "Ada_L" }));
  await step("taken", ada.isUsernameAvailable({ username: "ADA_L" }));
  const taken = { email: "eve@example.com", name: "Eve", password: PASSWORD, username: "ada_l" };
  await step("sign up with it", browser().signUp.email(taken));
  await step("too short", browser().signUp.email({ ...taken, username: "x" }));
  await step("not one", browser().signUp.email({ ...taken, username: "a b c" }));
  await step("by username", browser().signIn.username({ username: "ADA_l", password: PASSWORD }));
  await step("wrong password", browser().signIn.username({ username: "ada_l", password: "wrong password" }));
  await step("unknown username", browser().signIn.username({ username: "nobody", password: PASSWORD }));

  // Several accounts
  const bob = { email: "bob@example.com", name: "Bob", password: PASSWORD };
  await step("a second account", ada.signUp.email(bob));
  const held = await step("accounts of this browser", ada.multiSession.listDeviceSessions());
  const first = held.find(({ user }) => user.email === email);
  await step("switch", ada.multiSession.setActive({ sessionToken: first.session.token }));
  note("switched", (await ada.getSession()).data.user.email);
  await step("switch to nothing", ada.multiSession.setActive({ sessionToken: "nothing" }));
  await step("leave one", ada.multiSession.revoke({ sessionToken: first.session.token }));
  note("the other is active", (await ada.getSession()).data?.user.email);
  await step("nobody's accounts", browser().multiSession.listDeviceSessions());

  // A token that hands the session over
  await step("nobody's token", browser().oneTimeToken.generate());
  const once = await step("token", ada.oneTimeToken.generate());
  const app = browser();
  await step("handed over", app.oneTimeToken.verify({ token: once.token }));
  await step("twice", browser().oneTimeToken.verify({ token: once.token }));
  await step("sign out of all", ada.signOut());
  await step("all are over", ada.multiSession.listDeviceSessions());

  // Without an account
  const guest = browser();
  await step("anonymous", guest.signIn.anonymous());
  await step("anonymous again", guest.signIn.anonymous());
  await step("delete", guest.deleteAnonymousUser());
  await step("deleted", guest.getSession());

  // By a link
  const link = browser();
  const cy = "cy@example.com";
  await step("send a link", link.signIn.magicLink({ email: cy, name: "Cy" }));
  const token = await sent(cy);
  await step("wrong link", link.magicLink.verify({ query: { token: "wrong" }, fetchOptions: { redirect: "manual" } }));
  await step("link", link.magicLink.verify({ query: { token } }));
  await step("signed in", link.getSession());

  // By a code
  const code = browser();
  const dee = "dee@example.com";
  await step("send a code", code.emailOtp.sendVerificationOtp({ email: dee, type: "sign-in" }));
  await step("wrong code", code.signIn.emailOtp({ email: dee, otp: "000000" }));
  await step("code", code.signIn.emailOtp({ email: dee, otp: await sent(dee) }));
  await step("code again", code.signIn.emailOtp({ email: dee, otp: "000000" }));
  await step("send a code to prove", code.emailOtp.sendVerificationOtp({ email: dee, type: "email-verification" }));
  await step("proven with it", code.emailOtp.verifyEmail({ email: dee, otp: await sent(dee) }));
}
