import { twoFactorClient } from "better-auth/client/plugins";
import { createAuthClient } from "better-auth/react";

export const auth = createAuthClient({
  // Where the server is, if it is not where the page comes from: https://auth.example.com
  baseURL: import.meta.env.VITE_AUTH_URL,
  plugins: [twoFactorClient()],
});

export type Session = typeof auth.$Infer.Session;
