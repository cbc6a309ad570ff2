// Two devices, then three; one signs the others out.
const WINDOWS =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 " +
  "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

export default async function (stage) {
  const { settings, device, note, picture, signUp, signIn, signOut, isIn, isOut } = stage;
  const email = "boss@example.com";
  const api = async (page) => (await page.request.get(`${settings.page}/me`)).status();
  const rows = (page) => page.getByRole("listitem").allInnerTexts();
  const look = (page) => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));

  /** Ask for the list anew, until it is `count` long. */
  async function refreshed(page, count) {
    await page.getByRole("button", { name: "Refresh" }).click();
    await page.getByRole("listitem").nth(count - 1).waitFor();
    return rows(page);
  }

  const laptop = await device("laptop", { userAgent: WINDOWS });
  await picture(laptop, "sign-in");
  await signUp(laptop, email, "Ada Lovelace");
  const own = await laptop.request.get(`${settings.page}/api/auth/get-session`);
  note("user", (await own.json()).user);

  const phone = await device("phone", { userAgent: PHONE });
  await signIn(phone, email, "wrong password");
  note("alert", await phone.getByRole("alert").innerText());
  await signIn(phone, email);
  await isIn(phone);
  await phone.reload();
  await isIn(phone);

  note("cookies", await laptop.context().cookies());
  note("cookies for scripts", await laptop.evaluate(() => document.cookie));
  const kept = () => JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage });
  note("kept by scripts", await laptop.evaluate(kept));
  note("two", await refreshed(laptop, 2));
  await picture(laptop, "devices");

  note("before", await api(phone));
  await laptop.getByRole("button", { name: "Sign out Safari on iOS" }).click();
  await laptop.getByRole("listitem").nth(1).waitFor({ state: "detached" });
  note("at once", await api(phone));
  note("one", await rows(laptop));
  note("page not asked yet", await phone.getByRole("heading", { name: "Ada" }).isVisible());
  await look(phone);
  await isOut(phone);
  await picture(phone, "signed-out");
  note("the other is in", await api(laptop));

  const tablet = await device("tablet");
  for (const page of [phone, tablet]) {
    await signIn(page, email);
    await isIn(page);
  }
  note("three", (await refreshed(laptop, 3)).length);
  await laptop.getByRole("button", { name: "Sign out of all other devices" }).click();
  await laptop.getByRole("listitem").nth(1).waitFor({ state: "detached" });
  note("all others", [await api(phone), await api(tablet), await api(laptop)]);
  await phone.getByRole("button", { name: "Refresh" }).click();
  await isOut(phone);
  await tablet.reload();
  await isOut(tablet);

  // Two tabs of one browser: what ends in one is over in the other.
  const tab = await laptop.context().newPage();
  stage.listen("tab", tab);
  await tab.goto(settings.page);
  await isIn(tab);
  await signOut(laptop);
  await isOut(tab);
  note("after signing out", await api(laptop));
  note("cookies left", await laptop.context().cookies());
}
