import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { CmcpError, untrusted, type JsonObject, type JsonValue } from "@cmcp/boundary";
import { DEFAULT_PRINCIPAL, launchDigest, MAX_BUNDLE_FILE, parseLaunchDocument, type Environment } from "../index.ts";
import { parseProvision } from "@cmcp/provision/message";
import {
  catalogDestinations,
  readBundleFolder,
  readCatalogFile,
  readConfigFile,
  readLaunchInputs,
  stdioTrees,
} from "./index.ts";

const DEVELOPMENT: Environment = { CMCP_DEV_MODE: "1" };
const HASH = `sha256:${"0f".repeat(32)}`;
let root = "";
let folder = "";
let count = 0;

const put = async (path: string, content: string | Uint8Array): Promise<void> => {
  await mkdir(join(folder, path, ".."), { recursive: true });
  await writeFile(join(folder, path), content);
};
const at = (path: string): string => join(folder, path);
const refused = (work: Promise<unknown>, code: string, message: RegExp): Promise<void> =>
  assert.rejects(work, (thrown) => thrown instanceof CmcpError && thrown.code === code && message.test(thrown.message));

before(async () => {
  root = await mkdtemp(join(tmpdir(), "cmcp-launch-"));
});
after(async () => {
  await rm(root, { recursive: true });
});
beforeEach(async () => {
  count += 1;
  folder = join(root, `case-${count}`);
  await put("cmcp-config.yaml", "");
  await put("policies/manifest.json", '{"version":"1"}');
  await put("policies/schema.cedarschema", "");
  await put("policies/a.cedar", "permit(principal, action, resource);");
  await put("policies/deep/b.cedar", "\ufeffforbid(principal, action, resource);\r\n");
  await put("catalog.json", '{"entries":[{"tool_name":"t","server":{"url":"https://tools.example/mcp"}}]}');
});

void describe("what a launch reads", () => {
  void it("becomes a document, its digest, a provision message and the host's own settings", async () => {
    const inputs = await readLaunchInputs(at("cmcp-config.yaml"), { ...DEVELOPMENT, CMCP_CATALOG_HASH: HASH });
    const document = parseLaunchDocument(untrusted(inputs.document));
    assert.deepEqual(document.policy_bundle, {
      "manifest.json": '{"version":"1"}',
      "schema.cedarschema": "",
      "a.cedar": "permit(principal, action, resource);",
      "deep/b.cedar": "\ufeffforbid(principal, action, resource);\r\n",
    });
    assert.deepEqual(document.catalog, { entries: [{ tool_name: "t", server: { url: "https://tools.example/mcp" } }] });
    assert.deepEqual(document.pins, { catalog_hash: HASH });
    assert.deepEqual(document.trust_anchors, {});
    assert.equal(inputs.digest, launchDigest(inputs.document));
    assert.deepEqual(parseProvision(untrusted(inputs.provision ?? assert.fail())), {
      v: 1,
      tokens: [],
      tokenless: true,
    });
    assert.deepEqual(inputs.egressTargets, [{ host: "tools.example", port: 443 }]);
    assert.equal(inputs.paths.auditDb, at("audit.db"));
  });

  void it("holds the token's hash in the provision message and the token nowhere", async () => {
    const token = "correct-horse-battery-staple-0123456789";
    const inputs = await readLaunchInputs(at("cmcp-config.yaml"), { ...DEVELOPMENT, CMCP_BEARER_TOKEN: token });
    const hash = createHash("sha256").update(token).digest("hex");
    assert.deepEqual(parseProvision(untrusted(inputs.provision ?? assert.fail())).tokens, [
      { principal: DEFAULT_PRINCIPAL, sha256: hash },
    ]);
    for (const bytes of [inputs.document, inputs.provision ?? assert.fail()])
      assert.equal(Buffer.from(bytes).includes(token), false);
    assert.equal(Buffer.from(inputs.document).includes(hash), false);
  });

  void it("has a digest that moving files does not change and changing them does", async () => {
    const { digest } = await readLaunchInputs(at("cmcp-config.yaml"), DEVELOPMENT);
    await put("cmcp-config.yaml", "catalog_path: other/c.json\nlisten_addr: 127.0.0.1:1\naudit_db_path: x.db\n");
    await put("other/c.json", '{ "entries": [{"tool_name":"t", "server":{"url":"https://tools.example/mcp"}}]}');
    assert.equal((await readLaunchInputs(at("cmcp-config.yaml"), DEVELOPMENT)).digest, digest);
    await put("policies/a.cedar", "permit(principal, action, resource) ;");
    assert.notEqual((await readLaunchInputs(at("cmcp-config.yaml"), DEVELOPMENT)).digest, digest);
  });

  void it("lets the enclave reach where issuers' keys are fetched from", async () => {
    const issuer = (name: string, uri: string): object => ({
      issuer: name,
      audience: ["https://gw.example/mcp"],
      algorithms: ["ES256"],
      jwks_uri: uri,
      jwks_fetch: { pins: [`SHA256:${Buffer.alloc(32).toString("base64")}`] },
      any_subject: { prefix: `${name}:` },
    });
    const jwt = [issuer("a", "https://login.example/keys"), issuer("b", "https://[::1]:8444/keys")];
    const identity = { resource: "https://gw.example/mcp", jwt };
    const config = await readFile(at("cmcp-config.yaml"), "utf8");
    await put("cmcp-config.yaml", `${config}\nenclave: ${JSON.stringify({ identity })}\n`);
    assert.deepEqual((await readLaunchInputs(at("cmcp-config.yaml"), DEVELOPMENT)).egressTargets, [
      { host: "tools.example", port: 443 },
      { host: "login.example", port: 443 },
      { host: "::1", port: 8444 },
    ]);
  });

  void it("takes the operator's list of destinations over the catalog's", async () => {
    await put("cmcp-config.yaml", "enclave: {egress_allow: ['10.0.0.1:1']}");
    assert.deepEqual((await readLaunchInputs(at("cmcp-config.yaml"), DEVELOPMENT)).egressTargets, [
      { host: "10.0.0.1", port: 1 },
    ]);
  });

  void it("lets the enclave reach the receiver of notices, beside the catalog's servers", async () => {
    const webhook = `{url: "https://hook.example/", tls_fingerprint: "SHA256:${Buffer.alloc(32, 1).toString("base64")}"}`;
    const alice = `{id: alice, ed25519: ${generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }).x}}`;
    await put("cmcp-config.yaml", `enclave: {approvers: [${alice}], approval_webhook: ${webhook}}`);
    assert.deepEqual((await readLaunchInputs(at("cmcp-config.yaml"), DEVELOPMENT)).egressTargets, [
      { host: "tools.example", port: 443 },
      { host: "hook.example", port: 443 },
    ]);
  });

  void it("warns that software attestation proves nothing, where it is named outside development", async () => {
    await put("cmcp-config.yaml", "attestation: {provider: software-only}");
    const { warnings } = await readLaunchInputs(at("cmcp-config.yaml"), { CMCP_BEARER_TOKEN: "x".repeat(40) });
    assert.ok(warnings.some((warning) => warning.startsWith("attestation.provider is software-only: no hardware")));
  });
});

void describe("files that cannot be used", () => {
  void it("are named", async () => {
    await refused(
      readConfigFile(at("none.yaml"), DEVELOPMENT),
      "CONFIG_INVALID",
      /none\.yaml: the configuration does not exist/,
    );
    await refused(readConfigFile(folder, DEVELOPMENT), "CONFIG_INVALID", /not a regular file|is a folder/);
    await put("cmcp-config.yaml", "policy_bundle_path: none\n");
    await refused(
      readLaunchInputs(at("cmcp-config.yaml"), DEVELOPMENT),
      "POLICY_BUNDLE_INVALID",
      /none: the policy bundle folder does not exist/,
    );
    await put("cmcp-config.yaml", "catalog_path: none.json\n");
    await refused(
      readLaunchInputs(at("cmcp-config.yaml"), DEVELOPMENT),
      "CATALOG_INVALID",
      /none\.json: the catalog does not exist/,
    );
  });

  void it("are refused when not UTF-8 or not JSON", async () => {
    await put("cmcp-config.yaml", Uint8Array.of(0xff));
    await refused(readConfigFile(at("cmcp-config.yaml"), DEVELOPMENT), "CONFIG_INVALID", /not valid UTF-8/);
    await put("policies/a.cedar", Uint8Array.of(0xc3));
    await refused(readBundleFolder(at("policies")), "POLICY_BUNDLE_INVALID", /a\.cedar: .*not valid UTF-8/);
    await put("catalog.json", '{"entries":[],"entries":[]}');
    await refused(readCatalogFile(at("catalog.json")), "CATALOG_INVALID", /catalog\.json: duplicate key/);
  });

  void it("are refused when larger than their limit", async () => {
    await put("policies/a.cedar", "x".repeat(MAX_BUNDLE_FILE + 1));
    await refused(readBundleFolder(at("policies")), "POLICY_BUNDLE_INVALID", /larger than/);
    await put("catalog.json", " ".repeat(8 * 1024 * 1024 + 1));
    await refused(readCatalogFile(at("catalog.json")), "CATALOG_INVALID", /larger than/);
  });
});

void describe("the policy bundle folder", () => {
  void it("gives only what belongs to a bundle", async () => {
    await put("policies/README.md", "not part");
    await put("policies/deep/manifest.json", "not part");
    assert.deepEqual(Object.keys(await readBundleFolder(at("policies"))), [
      "a.cedar",
      "deep/b.cedar",
      "manifest.json",
      "schema.cedarschema",
    ]);
  });

  void it("may be a link itself and hold links to its own files", async () => {
    await symlink(at("policies/a.cedar"), at("policies/link.cedar"));
    await symlink(at("policies"), at("elsewhere"));
    assert.equal((await readBundleFolder(at("elsewhere")))["link.cedar"], "permit(principal, action, resource);");
  });

  void it("is refused with a link that leads out, to a folder or nowhere", async () => {
    await put("outside/c.cedar", "permit(principal, action, resource);");
    for (const [target, code] of [
      [at("outside/c.cedar"), /leads out/],
      [at("policies-beside.cedar"), /leads out/],
      [at("policies/deep"), /not a regular file/],
      [at("nowhere"), /does not exist/],
    ] as const) {
      await put("policies-beside.cedar", "");
      await symlink(target, at("policies/bad.cedar"));
      await refused(readBundleFolder(at("policies")), "POLICY_BUNDLE_INVALID", code);
      await rm(at("policies/bad.cedar"));
    }
  });

  void it("does not follow linked folders", async () => {
    await put("outside/c.cedar", "permit(principal, action, resource);");
    await symlink(at("outside"), at("policies/linked"));
    assert.equal("linked/c.cedar" in (await readBundleFolder(at("policies"))), false);
  });

  void it("is refused with a named pipe in it, without waiting for a writer", async () => {
    execFileSync("mkfifo", [at("policies/pipe.cedar")]);
    await refused(readBundleFolder(at("policies")), "POLICY_BUNDLE_INVALID", /pipe\.cedar: .*not a regular file/);
  });

  void it("is bounded in files and entries", async () => {
    const fill = async (prefix: string, suffix: string, files: number): Promise<void> => {
      await Promise.all(
        Array.from({ length: files }, (_, index) => writeFile(at(`policies/${prefix}${index}${suffix}`), "")),
      );
    };
    await fill("f", ".cedar", 1000);
    await refused(readBundleFolder(at("policies")), "POLICY_BUNDLE_INVALID", /at most 1000 files/);
    await fill("n", ".txt", 3100);
    await refused(readBundleFolder(at("policies")), "POLICY_BUNDLE_INVALID", /at most 4000 entries/);
  });

  void it("is bounded in depth", async () => {
    await put(`policies/${"d/".repeat(20)}x.cedar`, "");
    await refused(readBundleFolder(at("policies")), "POLICY_BUNDLE_INVALID", /nests at most/);
  });
});

void describe("destinations of a catalog", () => {
  void it("have beside them where the files of stdio servers are, each path once", () => {
    const stdio = (spawn: JsonValue): JsonObject => ({ server: { transport: "stdio", spawn } });
    const entries = [
      stdio({ command: "node", measure_target: "/srv/a" }),
      stdio({ command: "node", measure_target: "/srv/a" }),
      stdio({ command: "/srv/b", measure_target: null }),
      stdio({ command: 7 }),
      stdio(null),
      { server: { url: "https://a.example", spawn: { command: "/srv/c" } } },
    ];
    assert.deepEqual(stdioTrees(entries), ["/srv/a", "/srv/b"]);
  });
  void it("are host and port of each server once, in either file form", () => {
    const entries = [
      "https://a.example/x",
      "https://a.example:443/y",
      "http://127.0.0.1:3000/mcp",
      "https://[::1]/",
      "ftp://no.example/",
    ].map((url) => ({ server: { url } }));
    const expected = [
      { host: "a.example", port: 443 },
      { host: "127.0.0.1", port: 3000 },
      { host: "::1", port: 443 },
    ];
    assert.deepEqual(catalogDestinations(entries), expected);
    assert.deepEqual(catalogDestinations({ entries }), expected);
    const authorization = {
      issuers: [{ issuer: "https://login.example/tenant" }, { issuer: 7 }, null],
      login: { issuer: "https://staff.example" },
    };
    const named = [
      { name: "a", url: "https://a.example/mcp", authorization },
      { name: "b", authorization: { issuers: {} } },
    ];
    assert.deepEqual(catalogDestinations({ entries: [], servers: named }), [
      { host: "a.example", port: 443 },
      { host: "login.example", port: 443 },
      { host: "staff.example", port: 443 },
    ]);
  });

  void it("are also what its stdio servers may reach", () => {
    const egress = [
      { host: "api.example", port: 443 },
      { host: "::1", port: 8443 },
      { host: "api.example" },
      { port: 1 },
      null,
    ];
    const server = { transport: "stdio", spawn: { command: "node", egress } };
    const expected = [
      { host: "api.example", port: 443 },
      { host: "::1", port: 8443 },
    ];
    assert.deepEqual(catalogDestinations([{ server }]), expected);
    assert.deepEqual(catalogDestinations({ entries: [{ server }], servers: [{ name: "s", ...server }] }), expected);
    assert.deepEqual(catalogDestinations([{ server: { spawn: { egress: {} } } }]), []);
  });

  void it("are none for what is not a catalog", () => {
    for (const raw of [null, 1, "x", [], {}, [1], [{ server: 1 }], [{ server: { url: "::" } }], { entries: {} }])
      assert.deepEqual(catalogDestinations(raw), []);
  });
});
