// Passwords, addresses, accounts; changing oneself, and leaving.
export default async function ({ browser, step, note, sent, person, PASSWORD, origin }) {
  const NEW = "another long passphrase";
  const ada = await person("ada@example.com");
  const { email } = ada;
  const redirectTo = "/choose";

  await step("ask for a reset", browser().requestPasswordReset({ email, redirectTo }));
  const unknown = { email: "nobody@example.com", redirectTo };
  await step("ask for nobody", browser().requestPasswordReset(unknown));
  const elsewhere = { email, redirectTo: "https://evil.example/x" };
  await step("a page elsewhere", browser().requestPasswordReset(elsewhere));
  const token = await sent(email);
  const led = async (path) => {
    const { status, headers } = await browser().fetch(`/api/auth${path}`, { redirect: "manual" });
    const { pathname, searchParams } = new URL(headers.get("location"), origin);
    return [status, pathname, [...searchParams.keys()], searchParams.get("error")];
  };
  note("where the link leads", await led(`/reset-password/${token}?callbackURL=/choose`));
  note("where another leads", await led("/reset-password/nonsense?callbackURL=/choose"));
  await step("too short", browser().resetPassword({ newPassword: "short", token }));
  await step("a bad token", browser().resetPassword({ newPassword: NEW, token: "nonsense" }));
  await step("reset", browser().resetPassword({ newPassword: NEW, token }));
  await step("reset again", browser().resetPassword({ newPassword: NEW, token }));
  await step("after the reset", ada.getSession());
  await step("the old password", browser().signIn.email({ email, password: PASSWORD }));
  await step("the new password", ada.signIn.email({ email, password: NEW }));

  await step("prove it", ada.verifyPassword({ password: NEW }));
  await step("prove another", ada.verifyPassword({ password: PASSWORD }));
  const change = { currentPassword: NEW, newPassword: PASSWORD };
  await step("nobody changes", browser().changePassword(change));
  await step("not knowing", ada.changePassword({ ...change, currentPassword: "wrong password" }));
  await step("change, too short", ada.changePassword({ ...change, newPassword: "short" }));
  const other = browser();
  await other.signIn.email({ email, password: NEW });
  await step("change, ending others", ada.changePassword({ ...change, revokeOtherSessions: true }));
  await step("the other is over", other.getSession());
  await step("this is not", ada.getSession());

  await step("rename", ada.updateUser({ name: "Augusta", image: "https://a.example/a.png" }));
  await step("renamed", ada.getSession());
  await step("an address that way", ada.updateUser({ email: "new@example.com" }));
  await step("verified that way", ada.updateUser({ emailVerified: true }));
  await step("another's session", ada.updateSession({ userId: "x" }));
  await step("an organization that way", ada.updateSession({ activeOrganizationId: "x" }));
  await step("nobody updates", browser().updateUser({ name: "x" }));

  const listed = await step("accounts", ada.listAccounts());
  await step("unlink the last", ada.unlinkAccount({ accountId: listed[0].id }));
  await step("unlink what is not there", ada.unlinkAccount({ accountId: "nonsense" }));
  await step("nobody's accounts", browser().listAccounts());

  const bob = await person("bob@example.com", "Bob");
  await step("verify nobody", browser().sendVerificationEmail({ email: "nobody@example.com" }));
  await step("verify another", bob.sendVerificationEmail({ email }));
  await step("verify", bob.sendVerificationEmail({ email: bob.email }));
  const proof = await sent(bob.email);
  await step("follow", bob.verifyEmail({ query: { token: proof } }));
  await step("follow again", bob.verifyEmail({ query: { token: proof } }));
  await step("follow another", bob.verifyEmail({ query: { token: "nonsense" } }));
  note("to a page", await led("/verify-email?token=nonsense&callbackURL=/page"));
  await step("verified", bob.getSession());
  await step("verify again", bob.sendVerificationEmail({ email: bob.email }));

  await step("change address", bob.changeEmail({ newEmail: "robert@example.com" }));
  await step("to the same", bob.changeEmail({ newEmail: bob.email }));
  await step("to none", bob.changeEmail({ newEmail: "nonsense" }));
  await step("to one that is taken", bob.changeEmail({ newEmail: email }));
  await step("not yet", bob.getSession());
  const confirmed = { query: { token: await sent("robert@example.com") } };
  await step("confirm", bob.verifyEmail(confirmed));
  await step("changed", bob.getSession());

  await step("nobody leaves", browser().deleteUser({ password: PASSWORD }));
  await step("leave, not knowing", bob.deleteUser({ password: "wrong password" }));
  await step("leave, bad token", bob.deleteUser({ token: "nonsense" }));
  await step("leave", bob.deleteUser({ password: PASSWORD }));
  await step("gone", bob.getSession());
}
