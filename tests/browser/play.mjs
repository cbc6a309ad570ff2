// One scene in Chromium: node play.mjs SCENE, whose settings (origins and so on) are the JSON in
// the variable SETTINGS. Prints what was seen as JSON, by name.
//
// A scene is scenes/SCENE.mjs: an async function of a stage, that does what people do.
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

const [scene] = process.argv.slice(2);
const settings = JSON.parse(process.env.SETTINGS);
const seen = { console: {} };

const browser = await chromium.launch({
  executablePath: settings.chromium,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
});

/** A device of its own: cookies that no other has, and a page at `url`. */
async function device(name, { url = settings.page, userAgent } = {}) {
  const context = await browser.newContext({ userAgent });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  listen(name, page);
  await page.goto(url);
  return page;
}

/** Keep what a page complains of. */
function listen(name, page) {
  const complaints = (seen.console[name] ??= []);
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    const isBad = ["error", "warning"].includes(message.type());
    if (isBad) complaints.push(`${message.text()} ${message.location().url}`);
  });
}

/** Note what was seen. */
function note(name, value) {
  seen[name] = value;
}

/** A picture of the page, where somebody wants to look: the variable SCREENSHOTS names a folder. */
async function picture(page, name) {
  const folder = process.env.SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${scene}-${name}.png`, fullPage: true });
}

const PASSWORD = "correct horse battery";

/** Sign up by the page's form. */
async function signUp(page, email, name = "Ada") {
  await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("heading", { name }).waitFor();
}

/** Fill in the sign-in form and send it. */
async function signIn(page, email, password = PASSWORD) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** Wait for what somebody sees who is signed in, or who is not. */
const isIn = (page) => page.getByRole("heading", { name: "Your devices" }).waitFor();
const isOut = (page) => page.getByRole("heading", { name: "Sign in" }).waitFor();

/** Sign out by the button of this device. */
async function signOut(page) {
  await page.getByRole("button", { name: "Sign out", exact: true }).click();
  await isOut(page);
}

const stage = {
  ...{ settings, device, listen, note, picture, PASSWORD },
  ...{ signUp, signIn, signOut, isIn, isOut },
};
try {
  await (await import(`./scenes/${scene}.mjs`)).default(stage);
} catch (error) {
  console.error("seen before:", JSON.stringify(seen));
  throw error;
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
