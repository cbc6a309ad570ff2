// Another address, confirmed by a code that is sent to it.
export default async function ({ browser, step, sent, person, PASSWORD }) {
  const ada = await person("ada@example.com");
  const bob = await person("bob@example.com", "Bob");
  const newEmail = "augusta@example.com";
  await step("nobody asks", browser().emailOtp.requestEmailChange({ newEmail }));
  await step("ask for none", ada.emailOtp.requestEmailChange({ newEmail: "nonsense" }));
  await step("ask for the same", ada.emailOtp.requestEmailChange({ newEmail: ada.email }));
  await step("ask for one that is taken", ada.emailOtp.requestEmailChange({ newEmail: bob.email }));
  await step("ask", ada.emailOtp.requestEmailChange({ newEmail }));
  const otp = await sent(newEmail);
  await step("another's code", bob.emailOtp.changeEmail({ newEmail, otp }));
  await step("wrong code", ada.emailOtp.changeEmail({ newEmail, otp: "nothing" }));
  await step("nobody changes", browser().emailOtp.changeEmail({ newEmail, otp }));
  await step("change", ada.emailOtp.changeEmail({ newEmail, otp }));
  await step("changed", ada.getSession());
  await step("the code again", ada.emailOtp.changeEmail({ newEmail: "third@example.com", otp }));
  await step("by the new one", browser().signIn.email({ email: newEmail, password: PASSWORD }));
  await step("by the old one", browser().signIn.email({ email: ada.email, password: PASSWORD }));
  await step("forgotten", browser().forgetPassword.emailOtp({ email: bob.email }));
  const reset = { email: bob.email, otp: await sent(bob.email), password: "another long passphrase" };
  await step("reset", browser().emailOtp.resetPassword(reset));
  await step("by the new password", browser().signIn.email({ email: bob.email, password: reset.password }));
}
