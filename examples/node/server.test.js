import assert from "node:assert/strict";
import { once } from "node:events";
import test from "node:test";

import { server } from "./server.js";

test("answers", async (t) => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/healthz`);
  assert.equal(await answer.text(), "ok");
});
