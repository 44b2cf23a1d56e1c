/** Servers whose tree has an interpreter or a loader of its own, where the machine has neither to offer. */
import assert from "node:assert/strict";
import { cpSync, existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { treeDigest } from "@cmcp/spawner/tree";
import { connectClient } from "./client.ts";
import { RUNNERS, open, serverOf, treeFolder } from "./fixture.ts";
import { Lines } from "./lines.ts";
import { layOut, selfContained } from "./self-contained.ts";

const PYTHON = "/usr/bin/python3.11";
const MODULES = "/usr/lib/python3.11";

/** An MCP server of one tool, in Python without any package. */
const SERVER = `
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "initialize":
        result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "python", "version": "1"}}
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": "where", "inputSchema": {"type": "object"}}]}
    else:
        result = {"content": [{"type": "text", "text": sys.executable + " " + json.__file__}]}
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\\n")
    sys.stdout.flush()
`;

for (const { by, skip } of RUNNERS) {
  test(`a tree's own loader runs its program with its libraries (spawner of ${by})`, { skip }, async (t) => {
    const own = selfContained(treeFolder(t));
    const { spawner } = await open(t, by, [
      serverOf(own.tree, join(own.tree, own.loader), own.args(own.tree), { digest: treeDigest(own.tree) }),
    ]);
    const channel = await spawner.start(0);
    assert.equal(await new Lines(channel).until(() => true), "self-contained");
    await channel.close();
  });

  test(`a tree with Python and its modules answers as an MCP server (spawner of ${by})`, {
    skip: skip !== false ? skip : !existsSync(PYTHON) && `${PYTHON} is not here`,
  }, async (t) => {
    const tree = treeFolder(t);
    const { loader } = layOut(tree, PYTHON);
    const left = /\/(__pycache__|test|tkinter|idlelib|lib2to3|ensurepip|dist-packages|config-[^/]*)$/;
    cpSync(MODULES, join(tree, "lib/python3.11"), {
      recursive: true,
      dereference: true,
      filter: (path) => !left.test(path) && existsSync(path),
    });
    writeFileSync(join(tree, "server.py"), SERVER);
    const args = ["--library-path", `${tree}/lib`, `${tree}/bin/python3.11`, "-I", "-S", "server.py"];
    const { spawner } = await open(t, by, [
      serverOf(tree, join(tree, loader), args, {
        digest: treeDigest(tree),
        environment: { HOME: "/tmp", PYTHONHOME: tree },
      }),
    ]);
    const client = await connectClient(await spawner.start(0));
    const { content } = await client.callTool({ name: "where", arguments: {} });
    assert.match(JSON.stringify(content), new RegExp(`${tree}/lib/python3.11/json`));
    await client.close();
  });
}
