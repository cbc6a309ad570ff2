// Further ways in: by username, without a name, by a one-time token, a link or a code in mail.
export default async function ({ browser, step, note, sent, PASSWORD, origin }) {
  const ada = browser();
  const up = { email: "ada@example.com", name: "Ada", password: PASSWORD };
  const to = (email) => ({ ...up, email });
  await step("a free name", ada.isUsernameAvailable({ username: "Ada.L" }));
  await step("sign up with a name", ada.signUp.email({ ...up, username: "Ada.L" }));
  await step("a name that is taken", ada.isUsernameAvailable({ username: "ada.l" }));
  await step("no name", ada.isUsernameAvailable({ username: "a b c" }));
  await step("sign up with a short name", browser().signUp.email({ ...to("x@example.com"), username: "x" }));
  await step("sign up with her name", browser().signUp.email({ ...to("x@example.com"), username: "ADA.L" }));
  const named = browser();
  await step("by name", named.signIn.username({ username: "ADA.L", password: PASSWORD }));
  await step("who it is", named.getSession());
  await step("by name, wrong password", browser().signIn.username({ username: "ada.l", password: "wrong password" }));
  await step("by nobody's name", browser().signIn.username({ username: "nobody", password: PASSWORD }));
  await step("by no name", browser().signIn.username({ username: "a b", password: PASSWORD }));

  await step("another name", named.updateUser({ username: "Lovelace", displayUsername: "Lady L." }));
  await step("named so", named.getSession());
  await step("by the new name", browser().signIn.username({ username: "lovelace", password: PASSWORD }));
  await step("by the old name", browser().signIn.username({ username: "ada.l", password: PASSWORD }));
  await step("no such name", named.updateUser({ username: "a b" }));

  const guest = browser();
  await step("without a name", guest.signIn.anonymous());
  await step("twice without a name", guest.signIn.anonymous());
  await step("sign up after all", guest.signUp.email(to("guest@example.com")));
  await step("a guest no longer", guest.deleteAnonymousUser());
  const passing = browser();
  await passing.signIn.anonymous();
  await step("leave again", passing.deleteAnonymousUser());
  await step("gone", passing.getSession());

  await step("nobody's one-time token", browser().oneTimeToken.generate());
  const { token } = await step("a one-time token", named.oneTimeToken.generate());
  const carried = browser();
  const there = await step("carry the session", carried.oneTimeToken.verify({ token }));
  note("the same session", there.session.token === (await named.getSession()).data.session.token);
  await step("carried", carried.getSession());
  await step("carry it again", browser().oneTimeToken.verify({ token }));

  const linked = browser();
  const email = "link@example.com";
  await step("ask for a link", linked.signIn.magicLink({ email, name: "Link", callbackURL: "/home" }));
  const link = await sent(email);
  await step("follow it", linked.magicLink.verify({ query: { token: link } }));
  await step("in by it", linked.getSession());
  const led = async (query) => {
    const path = `/api/auth/magic-link/verify?${new URLSearchParams(query)}`;
    const { status, headers } = await browser().fetch(path, { redirect: "manual" });
    const to = new URL(headers.get("location"), origin);
    return [status, to.pathname, to.searchParams.get("error")];
  };
  const pages = { callbackURL: "/home", newUserCallbackURL: "/new", errorCallbackURL: "/oops" };
  await step("a link for a new one", browser().signIn.magicLink({ email: "new@example.com", ...pages }));
  note("leads them on", await led({ token: await sent("new@example.com"), ...pages }));
  await step("a link once more", browser().signIn.magicLink({ email: "new@example.com", ...pages }));
  note("leads them home", await led({ token: await sent("new@example.com"), ...pages }));
  note("no link", await led({ token: "nonsense", ...pages }));
  const elsewhere = { email, callbackURL: "https://evil.example/x" };
  await step("a link elsewhere", linked.signIn.magicLink(elsewhere));

  const coded = browser();
  const address = "code@example.com";
  const ask = (type) => coded.emailOtp.sendVerificationOtp({ email: address, type });
  await step("ask for a code", ask("sign-in"));
  const otp = await sent(address);
  await step("wrong code", coded.signIn.emailOtp({ email: address, otp: "nothing" }));
  await step("right code", coded.signIn.emailOtp({ email: address, otp, name: "Code" }));
  await step("in by code", coded.getSession());
  await step("the code again", coded.signIn.emailOtp({ email: address, otp }));
  await step("ask to verify", ask("email-verification"));
  const proof = await sent(address);
  await step("look at it", coded.emailOtp.checkVerificationOtp({ email: address, type: "email-verification", otp: proof }));
  await step("verify", coded.emailOtp.verifyEmail({ email: address, otp: proof }));
  await step("ask to reset", coded.emailOtp.requestPasswordReset({ email: address }));
  const reset = { email: address, otp: await sent(address) };
  await step("reset to a short one", coded.emailOtp.resetPassword({ ...reset, password: "x" }));
  await step("reset", coded.emailOtp.resetPassword({ ...reset, password: PASSWORD }));
  await step("in by the new password", browser().signIn.email({ email: address, password: PASSWORD }));
  await step("a code for nobody", browser().emailOtp.requestPasswordReset({ email: "no@example.com" }));
  await step("change by code", coded.emailOtp.sendVerificationOtp({ email: address, type: "change-email" }));
  await step("another's code", browser().emailOtp.sendVerificationOtp({ email: "ada@example.com", type: "sign-in" }));
  note("sent", (await sent("ada@example.com")).length);
  for (const attempt of [1, 2, 3]) {
    await step(`guess ${attempt}`, browser().signIn.emailOtp({ email: "ada@example.com", otp: "nothing" }));
  }
  await step("one guess too many", browser().signIn.emailOtp({ email: "ada@example.com", otp: "nothing" }));
}
