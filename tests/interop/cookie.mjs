// The signed cookie of each argument, as better-auth's own server would set it.
import { serializeSignedCookie } from "better-call";

for (const value of process.argv.slice(2)) {
  console.log(await serializeSignedCookie("c", value, process.env.SECRET));
}
