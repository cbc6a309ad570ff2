// Administration of users and their sessions, bans, impersonation.
export default async function ({ browser, step, note, person, PASSWORD }) {
  const ada = await person("admin@example.com", "Admin");
  const bob = await person("bob@example.com", "Bob");
  const userId = bob.user.id;
  const nobody = browser();

  await step("nobody lists", nobody.admin.listUsers({ query: {} }));
  await step("a user lists", bob.admin.listUsers({ query: {} }));
  await step("a user bans", bob.admin.banUser({ userId: ada.user.id }));
  await step("a user sets a role", bob.admin.setRole({ userId, role: "admin" }));
  await step("a user creates", bob.admin.createUser({ name: "C", email: "c@example.com", password: PASSWORD }));
  await step("a user removes", bob.admin.removeUser({ userId: ada.user.id }));
  await step("a user lists sessions", bob.admin.listUserSessions({ userId: ada.user.id }));
  await step("a user revokes", bob.admin.revokeUserSessions({ userId: ada.user.id }));
  await step("a user impersonates", bob.admin.impersonateUser({ userId: ada.user.id }));
  await step("a user sets a password", bob.admin.setUserPassword({ userId: ada.user.id, newPassword: PASSWORD }));
  await step("a user updates", bob.admin.updateUser({ userId: ada.user.id, data: { name: "X" } }));
  await step("a user gets", bob.admin.getUser({ query: { id: ada.user.id } }));

  await step("list", ada.admin.listUsers({ query: {} }));
  const paged = { limit: 1, offset: 1, sortBy: "email", sortDirection: "desc" };
  await step("a page", ada.admin.listUsers({ query: paged }));
  const searched = { searchValue: "bob", searchField: "email", searchOperator: "starts_with" };
  await step("search", ada.admin.listUsers({ query: searched }));
  const filtered = { filterField: "role", filterValue: "admin", filterOperator: "eq" };
  await step("filter", ada.admin.listUsers({ query: filtered }));
  const sorted = { sortBy: "name", sortDirection: "asc", limit: 10 };
  await step("sorted", ada.admin.listUsers({ query: sorted }));
  await step("search by name", ada.admin.listUsers({ query: { searchValue: "ob", searchField: "name" } }));
  const ending = { searchValue: "example.com", searchField: "email", searchOperator: "ends_with" };
  await step("search by the end", ada.admin.listUsers({ query: ending }));
  const not = { filterField: "role", filterValue: "admin", filterOperator: "ne" };
  await step("filter out", ada.admin.listUsers({ query: not }));
  await step("beyond the end", ada.admin.listUsers({ query: { limit: 5, offset: 50 } }));
  await step("get", ada.admin.getUser({ query: { id: userId } }));
  await step("get nobody", ada.admin.getUser({ query: { id: "nobody" } }));
  const carol = await step(
    "create",
    ada.admin.createUser({ name: "Carol", email: "carol@example.com", password: PASSWORD, role: "user" }),
  );
  await step("create again", ada.admin.createUser({ name: "Carol", email: "carol@example.com", password: PASSWORD }));
  const unknown = { name: "D", email: "d@example.com", password: PASSWORD, role: "king" };
  await step("create with an unknown role", ada.admin.createUser(unknown));
  await step("created can sign in", browser().signIn.email({ email: "carol@example.com", password: PASSWORD }));
  await step("update", ada.admin.updateUser({ userId, data: { name: "Robert" } }));
  await step("update nothing", ada.admin.updateUser({ userId, data: {} }));
  await step("update nobody", ada.admin.updateUser({ userId: "nobody", data: { name: "X" } }));
  await step("an unknown role", ada.admin.setRole({ userId: carol.user.id, role: "king" }));
  await step("a role for nobody", ada.admin.setRole({ userId: "nobody", role: "admin" }));
  await step("may create", ada.admin.hasPermission({ permissions: { user: ["create"] } }));
  await step("a user may not", bob.admin.hasPermission({ permissions: { user: ["create"] } }));

  const { sessions } = await step("sessions", ada.admin.listUserSessions({ userId }));
  await step("end one", ada.admin.revokeUserSession({ sessionToken: sessions[0].token }));
  await step("it is over", bob.getSession());
  await step("end what is not there", ada.admin.revokeUserSession({ sessionToken: "not-there" }));
  await bob.signIn.email({ email: bob.email, password: PASSWORD });
  await step("end all", ada.admin.revokeUserSessions({ userId }));
  await step("all are over", bob.getSession());

  await step("ban", ada.admin.banUser({ userId, banReason: "spam", banExpiresIn: 3600 }));
  await step("banned", bob.signIn.email({ email: bob.email, password: PASSWORD }));
  await step("the ban shows", ada.admin.getUser({ query: { id: userId } }));
  await step("ban again, for good", ada.admin.banUser({ userId }));
  await step("banned for good", bob.signIn.email({ email: bob.email, password: PASSWORD }));
  await step("unban nobody", ada.admin.unbanUser({ userId: "nobody" }));
  await step("ban oneself", ada.admin.banUser({ userId: ada.user.id }));
  await step("ban nobody", ada.admin.banUser({ userId: "nobody" }));
  await step("unban", ada.admin.unbanUser({ userId }));
  await step("let in again", bob.signIn.email({ email: bob.email, password: PASSWORD }));
  await step("set a password", ada.admin.setUserPassword({ userId, newPassword: "another password" }));
  await step("too short", ada.admin.setUserPassword({ userId, newPassword: "x" }));
  await step("the new one serves", bob.signIn.email({ email: bob.email, password: "another password" }));

  await step("stop what has not begun", ada.admin.stopImpersonating());
  await step("impersonate nobody", ada.admin.impersonateUser({ userId: "nobody" }));
  await step("impersonate", ada.admin.impersonateUser({ userId }));
  const inside = await step("somebody else", ada.getSession());
  await step("who one is", bob.getSession());
  note("unseen", (await bob.listSessions()).data.every((session) => !session.impersonatedBy));
  await step("no admin meanwhile", ada.admin.listUsers({ query: {} }));
  note("with a name behind it", inside.session.impersonatedBy === ada.user.id);
  await step("stop", ada.admin.stopImpersonating());
  const back = await step("oneself again", ada.getSession());
  note("as before", back.user.id === ada.user.id);
  const admin2 = await person("admin-2@example.com", "Second");
  await step("impersonate an admin", ada.admin.impersonateUser({ userId: admin2.user.id }));

  await step("make an admin", ada.admin.setRole({ userId, role: "admin" }));
  await step("remove oneself", ada.admin.removeUser({ userId: ada.user.id }));
  await step("remove nobody", ada.admin.removeUser({ userId: "nobody" }));
  await step("remove", ada.admin.removeUser({ userId: carol.user.id }));
  await step("removed", ada.admin.getUser({ query: { id: carol.user.id } }));
}
