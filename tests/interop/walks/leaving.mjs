// Deleting oneself by a link in mail.
export default async function ({ browser, step, note, sent, person, PASSWORD, origin }) {
  const follow = async (client, query) => {
    const path = `/api/auth/delete-user/callback?${new URLSearchParams(query)}`;
    const { status, headers } = await client.fetch(path, { redirect: "manual" });
    const to = headers.get("location");
    return [status, to && new URL(to, origin).pathname];
  };
  const ada = await person("ada@example.com");
  const bob = await person("bob@example.com", "Bob");
  await step("ask", ada.deleteUser());
  const token = await sent(ada.email);
  await step("ask, not knowing", ada.deleteUser({ password: "wrong password" }));
  await step("ask, to elsewhere", ada.deleteUser({ callbackURL: "https://evil.example/x" }));
  note("nobody follows", (await follow(browser(), { token }))[0] >= 400);
  note("a bad link", await follow(ada, { token: "nonsense" }));
  await step("still there", ada.getSession());
  note("follow", await follow(ada, { token, callbackURL: "/bye" }));
  await step("gone", ada.getSession());
  await step("not let in", browser().signIn.email({ email: ada.email, password: PASSWORD }));
  await step("the other stays", bob.getSession());
  const carol = await person("carol@example.com", "Carol");
  await step("another asks", carol.deleteUser());
  note("another's link", await follow(bob, { token: await sent(carol.email) }));
  await step("ask with a password", bob.deleteUser({ password: PASSWORD }));
  await step("by the token", bob.deleteUser({ token: await sent(bob.email) }));
  await step("gone, too", bob.getSession());
}
