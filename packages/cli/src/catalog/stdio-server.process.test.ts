import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readStdioServer } from "./stdio-server.ts";

test("a server that writes without end, or no message, is stopped", async (t) => {
  const tree = await mkdtemp(join(tmpdir(), "cmcp-stdio-"));
  t.after(() => rm(tree, { recursive: true, force: true }));
  const read = async (script: string) => {
    await writeFile(join(tree, "server.js"), script);
    return await readStdioServer({
      name: "server",
      tree,
      command: "node",
      args: [join(tree, "server.js")],
      environment: {},
    });
  };
  await assert.rejects(read("const more = () => process.stdout.write('x'.repeat(65536), more); more();"), {
    code: "RESPONSE_SIZE_EXCEEDED",
    message: /larger than 4194304 bytes/,
  });
  await assert.rejects(read("console.log('hello')"), { code: "UPSTREAM_PROTOCOL_ERROR" });
  await assert.rejects(read("process.exit(3)"), { code: "UPSTREAM_UNAVAILABLE", message: /server ended before/ });
});
