/** `cmcp server add` of MCP bundles and entries of a registry: what is unpacked, followed and refused. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { readFile, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import {
  deployment,
  add,
  added,
  errorOf,
  agentOf,
  called,
  folderOf,
  serverFile,
  LOOKUP,
} from "../gateway/added-server.ts";

/** An MCP bundle with that server, packed by Python. */
async function bundleOf(folder: string, entries: readonly (readonly [string, string])[]): Promise<string> {
  const path = join(folder, "lookups.mcpb");
  const script =
    "import json, sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED) as out:\n  for name, text in json.load(sys.stdin): out.writestr(name, text)\n";
  execFileSync("python3", ["-c", script, path], { input: JSON.stringify(entries) });
  return path;
}

describe("bundles and registries", () => {
  const manifest = {
    manifest_version: "0.3",
    name: "lookups",
    version: "1.0.0",
    server: {
      type: "node",
      entry_point: "server/index.mjs",
      mcp_config: {
        command: "node",
        args: ["${__dirname}/server/index.mjs"],
        env: { LOOKUP_KEY: "${user_config.key}" },
      },
    },
  };
  const good = [
    ["manifest.json", JSON.stringify(manifest)],
    ["server/index.mjs", serverFile([LOOKUP])],
  ] as const;

  test("a bundle is unpacked, measured and served; one with a path that leads out writes nothing", async (t) => {
    const folder = await folderOf(t);
    const config = await deployment(folder);
    const outside = await bundleOf(folder, [...good, ["../outside", "x"]]);
    const refused = await errorOf(add(config, outside));
    assert.deepEqual([refused.code, refused.exit], ["BUNDLE_REFUSED", 10]);
    assert.match(refused.message, /"\.\.\/outside"/);
    assert.deepEqual((await readdir(folder)).toSorted(), ["gateway", "lookups.mcpb"]);
    const python = { ...manifest, server: { ...manifest.server, type: "python" } };
    const other = await errorOf(add(config, await bundleOf(folder, [["manifest.json", JSON.stringify(python)]])));
    assert.match(other.message, /uvx:NAME/);
    const one = await added(config, await bundleOf(folder, good), "--read", "lookup");
    assert.deepEqual(
      one.packages.map(({ name, version }) => [name, version]),
      [["lookups", "1.0.0"]],
    );
    const client = await agentOf(t, config);
    assert.equal(await called(client, "lookup", { at: { x: 1 } }), 'called lookup {"at":{"x":1}}');
  });

  test("a registry's entry is followed, and a package that changed since is refused", async (t) => {
    const folder = await folderOf(t);
    const config = await deployment(folder);
    const bundle = await readFile(await bundleOf(folder, good));
    let digest = createHash("sha256").update(bundle).digest("hex");
    const server = createServer((request, response) => {
      if (request.url === "/lookups.mcpb") return void response.end(bundle);
      if (request.url !== "/v0/servers/io.example%2Flookups/versions/1.0.0") return void response.writeHead(404).end();
      const { port } = server.address() as AddressInfo;
      const packages = [
        { registryType: "mcpb", identifier: `http://127.0.0.1:${port}/lookups.mcpb`, fileSha256: digest },
      ];
      return void response.end(JSON.stringify({ server: { name: "io.example/lookups", version: "1.0.0", packages } }));
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    t.after(() => void server.close());
    const registry = ["--registry", `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
    const { others } = await added(config, "registry:io.example/lookups@1.0.0", ...registry);
    assert.deepEqual(others, ["lookup"]);
    digest = digest.replaceAll(/[0-9]/g, "0");
    const changed = await errorOf(add(config, "registry:io.example/lookups@1.0.0", ...registry, "--name", "again"));
    assert.deepEqual([changed.code, changed.exit], ["PACKAGE_REFUSED", 10]);
    assert.match(changed.message, /changed since its registry entry/);
    const unknown = await errorOf(add(config, "registry:io.example/none", ...registry));
    assert.equal(unknown.code, "PACKAGE_UNAVAILABLE");
    assert.deepEqual(await readdir(join(dirname(config), "servers")), ["lookups"]);
  });
});
