// One's own account: password, address, name, accounts, the end of it.
export default async function ({ browser, step, note, sent, person, PASSWORD }) {
  const email = "ada@example.com";
  const ada = await person(email);
  const nobody = browser();
  const newPassword = "another battery staple";

  await step("ask for a proof", ada.sendVerificationEmail({ email, callbackURL: "/" }));
  const proof = await sent(email);
  await step("wrong proof", nobody.verifyEmail({ query: { token: "wrong" } }));
  await step("prove", ada.verifyEmail({ query: { token: proof } }));
  note("proven", (await ada.getSession()).data.user.emailVerified);

  await step("nobody changes", nobody.changePassword({ currentPassword: PASSWORD, newPassword }));
  await step("wrong old password", ada.changePassword({ currentPassword: "wrong password", newPassword }));
  await step("too short", ada.changePassword({ currentPassword: PASSWORD, newPassword: "x" }));
  await step("change", ada.changePassword({ currentPassword: PASSWORD, newPassword }));
  await step("the old one serves no longer", browser().signIn.email({ email, password: PASSWORD }));
  const second = browser();
  await second.signIn.email({ email, password: newPassword });
  const revoking = { currentPassword: newPassword, newPassword: PASSWORD, revokeOtherSessions: true };
  await step("change and revoke", ada.changePassword(revoking));
  await step("the others are over", second.getSession());
  await step("own goes on", ada.getSession());

  await step("forgotten", nobody.requestPasswordReset({ email, redirectTo: "/reset" }));
  await step("forgotten by nobody", nobody.requestPasswordReset({ email: "no@example.com", redirectTo: "/reset" }));
  const token = await sent(email);
  await step("reset, wrong token", nobody.resetPassword({ newPassword, token: "wrong" }));
  await step("reset, too short", nobody.resetPassword({ newPassword: "x", token }));
  await step("reset", nobody.resetPassword({ newPassword, token }));
  await step("reset again", nobody.resetPassword({ newPassword, token }));
  await step("sign in with it", ada.signIn.email({ email, password: newPassword }));

  await step("update", ada.updateUser({ name: "Ada L." }));
  note("updated", (await ada.getSession()).data.user.name);
  await step("nobody updates", nobody.updateUser({ name: "X" }));
  const [account] = await step("accounts", ada.listAccounts());
  await step("nobody's accounts", nobody.listAccounts());
  await step("unlink the last", ada.unlinkAccount({ providerId: "credential", accountId: account.accountId }));
  await step("unlink what is not there", ada.unlinkAccount({ providerId: "github", accountId: "1" }));
  await step("delete, not enabled", ada.deleteUser({ password: newPassword }));
}
