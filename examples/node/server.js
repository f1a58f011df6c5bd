// A shop: says its version, and whether it is well, on the port in PORT.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url)));

export const server = createServer((request, response) => {
  response.end(request.url === "/healthz" ? "ok" : version);
});

if (process.env.PORT) {
  server.listen(Number(process.env.PORT), "127.0.0.1");
  // What is under way is answered; connections that wait for more are closed.
  process.on("SIGTERM", () => {
    server.close();
    server.closeIdleConnections();
  });
}
