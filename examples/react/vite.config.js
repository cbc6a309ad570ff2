import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// In development the page and the server look like one origin: Vite passes on what is the server's,
// under the host it was asked for (changeOrigin: false), as whose own the server takes the page.
const target = process.env.AUTH_SERVER ?? "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/api/auth": { target, changeOrigin: false } } },
});
