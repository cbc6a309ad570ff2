// Reading that extends nothing: the client is told when to ask for a longer life.
export default async function ({ browser, step, note, person }) {
  const ada = await person("ada@example.com");
  const before = await step("read", ada.getSession());
  note("time to refresh", before.needsRefresh);
  await step("refresh", ada.$fetch("/get-session", { method: "POST", body: {} }));
  await step("read, asking for no refresh", ada.getSession({ query: { disableRefresh: true } }));
  await step("nobody reads", browser().getSession());
  await step("nobody refreshes", browser().$fetch("/get-session", { method: "POST", body: {} }));
  await step("list", ada.listSessions());
}
