// Several accounts in one browser: listed, switched between, ended.
export default async function ({ browser, step, note, PASSWORD }) {
  const shared = browser();
  const up = (email, name) => shared.signUp.email({ email, name, password: PASSWORD });
  await step("nobody's list", shared.multiSession.listDeviceSessions());
  const { token: first } = await step("one", up("a@example.com", "A"));
  await step("a list of one", shared.multiSession.listDeviceSessions());
  const { token: second } = await step("another", up("b@example.com", "B"));
  const both = await step("a list of two", shared.multiSession.listDeviceSessions());
  note("their names", both.map((entry) => entry.user.name).sort());
  await step("the other is active", shared.getSession());
  await step("back to the one", shared.multiSession.setActive({ sessionToken: first }));
  await step("the one is active", shared.getSession());
  await step("to nobody", shared.multiSession.setActive({ sessionToken: "nobody" }));
  await step("end nobody", shared.multiSession.revoke({ sessionToken: "nobody" }));
  const stranger = browser();
  await stranger.signUp.email({ email: "c@example.com", name: "C", password: PASSWORD });
  await step("end a stranger's", stranger.multiSession.revoke({ sessionToken: first }));
  await step("take a stranger's", stranger.multiSession.setActive({ sessionToken: first }));
  await step("end the active one", shared.multiSession.revoke({ sessionToken: first }));
  await step("the other took its place", shared.getSession());
  await step("the one again", shared.signIn.email({ email: "a@example.com", password: PASSWORD }));
  note("two again", (await shared.multiSession.listDeviceSessions()).data.length);
  await step("sign out", shared.signOut());
  await step("nobody left", shared.multiSession.listDeviceSessions());
  await step("not one", shared.getSession());
  const bearing = browser({ auth: { type: "Bearer", token: second } });
  await step("nor the other", bearing.getSession());
}
