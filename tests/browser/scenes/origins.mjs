// A page of another origin that is trusted, and pages that are not.
export default async function (stage) {
  const { settings, device, note, listen, signUp, signIn, signOut, isIn } = stage;
  const email = "ada@example.com";
  const page = await device("page");
  const second = await device("second");
  await signUp(page, email);
  await signIn(second, email);
  await isIn(second);
  await page.getByRole("button", { name: "Refresh" }).click();
  await page.getByRole("listitem").nth(1).waitFor();
  note("two", await page.getByRole("listitem").allInnerTexts());
  await page.getByRole("button", { name: "Sign out of all other devices" }).click();
  await page.getByRole("listitem").nth(1).waitFor({ state: "detached" });
  await second.getByRole("button", { name: "Refresh" }).click();
  await second.getByRole("heading", { name: "Sign in" }).waitFor();
  note("cookies", await page.context().cookies());

  /** What a page at `url`, in the same browser, brings about with the user's cookies. */
  async function attacked(url) {
    const other = await page.context().newPage();
    await other.goto(url);
    const answers = [];
    other.on("response", (response) => {
      const { origin, pathname } = new URL(response.url());
      const isPost = response.request().method() === "POST";
      if (origin === settings.server && isPost) answers.push([pathname, response.status()]);
    });
    const read = await other.evaluate(async (server) => {
      const ask = async (path, options) => {
        try {
          const answer = await fetch(server + path, { credentials: "include", ...options });
          return await answer.text();
        } catch (error) {
          return error.name;
        }
      };
      const post = { method: "POST", mode: "no-cors" };
      const json = { "Content-Type": "application/json" };
      return {
        session: await ask("/api/auth/get-session"),
        sessions: await ask("/api/auth/list-sessions"),
        "sign-out": await ask("/api/auth/sign-out", { method: "POST", headers: json, body: "{}" }),
        "sign-out, unread": await ask("/api/auth/sign-out", post),
        "revoke, unread": await ask("/api/auth/revoke-sessions", { ...post, body: "{}" }),
        "native, unread": await ask("/auth/sign-out", post),
      };
    }, settings.server);
    const action = `${settings.server}/api/auth/sign-out`;
    await other.setContent(`<form method="post" action="${action}"><button>Win</button></form>`);
    await other.getByRole("button").click();
    await other.waitForURL(action);
    return { read, answers };
  }

  note("same site", await attacked(settings.sameSite));
  note("other site", await attacked(settings.otherSite));

  await page.reload();
  await isIn(page); // all of it was in vain
  listen("afterwards", page);
  await signOut(page);
}
