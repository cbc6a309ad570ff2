// Where each provider's sign-in begins, and what is refused on the way there and back.
export default async function ({ browser, step, note, person, origin }) {
  const providers = ["apple", "discord", "facebook", "github", "gitlab", "google", "linkedin"]
    .concat(["microsoft", "slack", "spotify", "twitch", "twitter"]);
  const parts = (data) => {
    const { origin, pathname, searchParams } = new URL(data.url);
    const given = Object.fromEntries(searchParams);
    const { scope, redirect_uri, response_type, response_mode, client_id } = given;
    return {
      page: origin + pathname,
      parameters: Object.keys(given).filter((name) => name !== "nonce").sort(),
      nonce: "nonce" in given,
      scope: scope?.split(/[ ,]/).sort(),
      redirect: new URL(redirect_uri).pathname,
      response_type, response_mode, client_id,
    };
  };
  const leading = async (name, calling) => {
    const { data, error } = await calling;
    note(name, error ? error.code : parts(data));
    note(`${name}, sent on`, data?.redirect);
  };
  const nobody = browser();
  for (const provider of providers) {
    await leading(`by ${provider}`, nobody.signIn.social({ provider, disableRedirect: true }));
  }
  const asked = { provider: "google", callbackURL: "/in", newUserCallbackURL: "/new", errorCallbackURL: "/error" };
  const more = { ...asked, scopes: ["calendar"], loginHint: "ada@example.com", requestSignUp: true };
  await leading("with more", nobody.signIn.social({ ...more, additionalParams: { prompt: "login" } }));
  await step("of our own making", nobody.signIn.social({ ...asked, additionalParams: { state: "x" } }));
  await step("by nobody", nobody.signIn.social({ provider: "nobody" }));
  await step("to elsewhere", nobody.signIn.social({ provider: "google", callbackURL: "https://evil.example/x" }));
  await step("a new user elsewhere", nobody.signIn.social({ ...asked, newUserCallbackURL: "https://evil.example/x" }));
  await step("an error elsewhere", nobody.signIn.social({ ...asked, errorCallbackURL: "https://evil.example/x" }));
  await step("by a token of none", nobody.signIn.social({ provider: "github", idToken: { token: "x" } }));

  const led = async (path, init = {}) => {
    const { status, headers } = await browser().fetch(`/api/auth${path}`, { redirect: "manual", ...init });
    const to = headers.get("location");
    return [status, to && new URL(to, origin).searchParams.get("error")];
  };
  note("back with nothing", await led("/callback/google"));
  note("back with a state of nobody's", await led("/callback/google?state=nonsense&code=x"));
  note("back from nobody", await led("/callback/nobody?state=nonsense&code=x"));

  const ada = await person("ada@example.com");
  await step("nobody links", nobody.linkSocial({ provider: "google" }));
  await leading("link", ada.linkSocial({ provider: "google", disableRedirect: true }));
  await step("link nobody", ada.linkSocial({ provider: "nobody" }));
  await step("link, to elsewhere", ada.linkSocial({ provider: "google", callbackURL: "https://evil.example/x" }));
  const [{ id: accountId }] = (await ada.listAccounts()).data;
  await step("nobody's token", nobody.getAccessToken({ accountId }));
  await step("a token of a password", ada.getAccessToken({ accountId }));
  await step("a token of nothing", ada.getAccessToken({ accountId: "nothing" }));
  await step("by the provider's name", ada.getAccessToken({ providerId: "google" }));
  await step("nobody refreshes", nobody.refreshToken({ accountId }));
  await step("refresh a password", ada.refreshToken({ accountId }));
  await step("refresh nothing", ada.refreshToken({ accountId: "nothing" }));
  await step("nobody's info", nobody.accountInfo({ query: { accountId } }));
  await step("info of a password", ada.accountInfo({ query: { accountId } }));
  await step("info of nothing", ada.accountInfo({ query: { accountId: "nothing" } }));
}
