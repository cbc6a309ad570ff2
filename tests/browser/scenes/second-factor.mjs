// The second factor: turned on, asked for in each of its ways, and not asked on a trusted device.
import { readFile } from "node:fs/promises";
import { Secret, TOTP } from "otpauth";

export default async function ({ settings, device, note, picture, ...stage }) {
  const { signUp, signIn, signOut, isIn, PASSWORD } = stage;
  const email = "ada@example.com";
  const page = await device("page");
  const button = (name) => page.getByRole("button", { name });
  const asked = () => page.getByRole("heading", { name: "One more step" }).waitFor();

  async function answer(label, code) {
    await page.getByLabel(label).fill(code);
    await button(/Continue|Confirm/).click();
  }

  await signUp(page, email);
  await page.getByLabel("Your password").fill(PASSWORD);
  await button("Turn on").click();
  await page.getByText("Keep these backup codes").waitFor();
  const [secret, backupCodes] = await page.locator("code").allInnerTexts();
  await picture(page, "turning-on");
  const totp = new TOTP({ secret: Secret.fromBase32(secret) });
  await answer("Code from the app", totp.generate());
  await page.getByRole("heading", { name: "Two-step sign-in is on" }).waitFor();

  await signOut(page);
  await signIn(page, email);
  await asked();
  note("half-way", (await page.request.get(`${settings.page}/me`)).status());
  await picture(page, "asked");
  await answer("Code from your authenticator app", "000000");
  note("alert", await page.getByRole("alert").innerText());
  await button("Send me a code").click();
  await page.getByLabel("Code that was sent to you").waitFor();
  const lines = (await readFile(settings.outbox, "utf8")).trim().split("\n").map(JSON.parse);
  await answer("Code that was sent to you", lines.findLast(({ kind }) => kind === "otp").code);
  await isIn(page);

  await signOut(page);
  await signIn(page, email);
  await button("Use a backup code").click();
  await answer("Backup code", backupCodes.split(" ")[0]);
  await isIn(page);

  await signOut(page);
  await signIn(page, email);
  await asked();
  await page.getByLabel("Do not ask on this device").check();
  const next = totp.generate({ timestamp: Date.now() + 30_000 }); // a code serves once
  await answer("Code from your authenticator app", next);
  await isIn(page);

  await signOut(page);
  await signIn(page, email);
  await isIn(page); // trusted now
  note("cookies", await page.context().cookies());
  await page.getByLabel("Your password").fill(PASSWORD);
  await button("Turn off").click();
  await page.getByRole("heading", { name: "Two-step sign-in is off" }).waitFor();
}
