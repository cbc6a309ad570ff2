// Signing in at a real provider and back; its accounts, linked and not, and what it gave.
export default async function ({ browser, step, note, atProvider, person, origin }) {
  const provider = "acme";
  const pages = { callbackURL: "/home", newUserCallbackURL: "/new", errorCallbackURL: "/oops" };
  const follow = async (client, location) => {
    const { status, headers } = await client.fetch(location, { redirect: "manual" });
    const to = new URL(headers.get("location"), origin);
    return [status, to.pathname, to.searchParams.get("error")];
  };
  const go = async (client, asking, login) => {
    const { data, error } = await asking({ provider, ...pages, disableRedirect: true });
    if (error) return { led: error.code };
    const location = await atProvider(data.url, login);
    return { location, led: await follow(client, location) };
  };
  const shape = ({ data, error }) => (error ? error.code : Object.keys(data).sort());

  const ada = browser();
  const first = await go(ada, ada.signIn.social, "ada");
  note("a new one is led", first.led);
  await step("in", ada.getSession());
  note("back once more", await follow(ada, first.location));
  const again = browser();
  note("one who is known is led", (await go(again, again.signIn.social, "ada")).led);
  const here = await step("the same", again.getSession());
  note("the same user", here.user.id === (await ada.getSession()).data.user.id);
  const { data: begun } = await browser().signIn.social({ provider, ...pages });
  note("in another's browser", await follow(browser(), await atProvider(begun.url, "ada")));

  const [account] = (await ada.listAccounts()).data;
  note("account", { ...account, scopes: [...account.scopes].sort() });
  const accountId = account.id;
  note("access token", shape(await ada.getAccessToken({ accountId })));
  note("refreshed", shape(await ada.refreshToken({ accountId })));
  const info = await ada.accountInfo({ query: { accountId } });
  note("info", shape(info));
  note("who it is", [info.data?.user?.email, info.data?.user?.emailVerified, info.data?.account?.providerId]);
  await step("unlink the last", ada.unlinkAccount({ accountId }));

  const bob = await person("bob@example.com", "Bob");
  const other = browser();
  note("an address that is not proven here", (await go(other, other.signIn.social, "bob")).led);
  await step("not in", other.getSession());
  note("link", (await go(bob, bob.linkSocial, "bob")).led);
  note("two ways in", (await bob.listAccounts()).data.map((one) => one.providerId).sort());
  note("in by the link", (await go(other, other.signIn.social, "bob")).led);
  await step("Bob", other.getSession());
  note("link another's", (await go(bob, bob.linkSocial, "ada")).led);
  const linked = (await other.listAccounts()).data.find((one) => one.providerId === provider);
  await step("unlink", other.unlinkAccount({ accountId: linked.id }));
  note("one way in", (await other.listAccounts()).data.map((one) => one.providerId));
  const stranger = browser();
  note("unverified there", (await go(stranger, stranger.signIn.social, "unverified-bob")).led);
  const eve = browser();
  note("a new one, unverified there", (await go(eve, eve.signIn.social, "unverified-eve")).led);
  await step("Eve", eve.getSession());
}
