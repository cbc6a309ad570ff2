// A second factor: set up, asked for at sign-in, by each kind of code, trusted devices, taken off.
export default async function ({ browser, step, note, sent, totp, person, PASSWORD }) {
  const email = "ada@example.com";
  const ada = await person(email);
  await step("enable, wrong password", ada.twoFactor.enable({ password: "wrong password" }));
  await step("disable what is not on", ada.twoFactor.disable({ password: PASSWORD }));
  await step("URI of what is not on", ada.twoFactor.getTotpUri({ password: PASSWORD }));
  await step("codes of what is not on", ada.twoFactor.generateBackupCodes({ password: PASSWORD }));
  const set = await step("enable", ada.twoFactor.enable({ password: PASSWORD }));
  await step("not yet", browser().signIn.email({ email, password: PASSWORD }));
  await step("confirm, wrong code", ada.twoFactor.verifyTotp({ code: "000000" }));
  const before = (await ada.getSession()).data.session.token;
  await step("confirm", ada.twoFactor.verifyTotp({ code: totp(set.totpURI, -1) }));
  const after = await step("its own session stays", ada.getSession());
  note("under a new token", after.session.token !== before);
  await step("URI", ada.twoFactor.getTotpUri({ password: PASSWORD }));
  await step("URI, wrong password", ada.twoFactor.getTotpUri({ password: "wrong password" }));

  const second = browser();
  await step("nobody's code", second.twoFactor.verifyTotp({ code: "000000" }));
  await step("nobody's backup code", second.twoFactor.verifyBackupCode({ code: "00000-00000" }));
  await step("a code for nobody", second.twoFactor.sendOtp());
  await step("sign in", second.signIn.email({ email, password: PASSWORD }));
  await step("no session yet", second.getSession());
  await step("wrong code", second.twoFactor.verifyTotp({ code: "000000" }));
  await step("right code", second.twoFactor.verifyTotp({ code: totp(set.totpURI) }));
  await step("signed in", second.getSession());

  const third = browser();
  await step("sign in for a code", third.signIn.email({ email, password: PASSWORD, rememberMe: false }));
  await step("send", third.twoFactor.sendOtp());
  await step("wrong sent code", third.twoFactor.verifyOtp({ code: "000000" }));
  const otp = await sent(email);
  await step("sent code", third.twoFactor.verifyOtp({ code: otp, trustDevice: true }));
  await step("sign out", third.signOut());
  await step("a trusted device", third.signIn.email({ email, password: PASSWORD }));

  const fourth = browser();
  const [first, next] = set.backupCodes;
  await step("sign in for a backup code", fourth.signIn.email({ email, password: PASSWORD }));
  await step("wrong backup code", fourth.twoFactor.verifyBackupCode({ code: "AAAAA-AAAAA" }));
  await step("backup code", fourth.twoFactor.verifyBackupCode({ code: first }));
  await fourth.signOut();
  await fourth.signIn.email({ email, password: PASSWORD });
  await step("backup code again", fourth.twoFactor.verifyBackupCode({ code: first }));
  await step("no session, only a code", fourth.twoFactor.verifyBackupCode({ code: next, disableSession: true }));

  const fifth = browser();
  await fifth.signIn.email({ email, password: PASSWORD });
  for (const attempt of [1, 2, 3, 4, 5]) {
    await step(`guess ${attempt}`, fifth.twoFactor.verifyTotp({ code: "000000" }));
  }
  await step("one guess too many", fifth.twoFactor.verifyTotp({ code: "000000" }));
  await step("the challenge is over", fifth.twoFactor.verifyTotp({ code: totp(set.totpURI, 1) }));

  await step("new backup codes", ada.twoFactor.generateBackupCodes({ password: PASSWORD }));
  await step("disable, wrong password", ada.twoFactor.disable({ password: "wrong password" }));
  await step("disable", ada.twoFactor.disable({ password: PASSWORD }));
  await step("a session still", ada.getSession());
  await step("no second factor", browser().signIn.email({ email, password: PASSWORD }));
}
