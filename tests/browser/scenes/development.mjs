// The page as Vite's development server serves it, its calls passed on to the server.
export default async function ({ device, note, signUp, signOut }) {
  const page = await device("page");
  await signUp(page, "ada@example.com");
  await page.getByRole("listitem").waitFor();
  note("one", await page.getByRole("listitem").allInnerTexts());
  await signOut(page);
}
