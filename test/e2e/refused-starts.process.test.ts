/** Configurations, bundles and catalogs that must not start, each refused through the shipped command with its code and an action. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { cmcp } from "../gateway/cli.ts";
import { ALLOW_ALL, deploy } from "../gateway/deployment.ts";
import { newOperator } from "../gateway/operator.ts";
import { BundleShelf, signingKey } from "../gateway/signed-bundle.ts";

const DEVELOPMENT = { CMCP_DEV_MODE: "1" };
const URL_A = "http://127.0.0.1:9001/mcp";
const URL_B = "http://127.0.0.1:9002/mcp";
const WRONG_HASH = `sha256:${"0".repeat(64)}`;

describe("starts that are refused", () => {
  let root: string;
  let count = 0;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "cmcp-refused-"));
  });
  after(async () => {
    await rm(root, { recursive: true, force: true });
  });

  const folder = (): string => join(root, String((count += 1)));
  const good = (parts: Partial<Parameters<typeof deploy>[1]> = {}): Promise<string> =>
    deploy(folder(), { tools: [{ name: "echo", url: URL_A }], policies: ALLOW_ALL, ...parts });

  /** `start` refuses with this code, and an action. */
  const startRefused = async (
    config: string,
    code: string,
    env: Record<string, string> = DEVELOPMENT,
    says?: RegExp,
  ): Promise<void> => {
    const run = await cmcp(["start", "--config", config, "--json"], env);
    assert.equal(run.code, 10, run.stdout + run.stderr);
    const { error } = JSON.parse(run.stdout) as { error: { code: string; message: string; action: string } };
    assert.equal(error.code, code, error.message);
    assert.ok(error.action.length > 0);
    if (says !== undefined) assert.match(error.message, says);
  };
  /** `start` and `validate-config` both refuse, with the same code. */
  const refused = async (
    config: string,
    code: string,
    env: Record<string, string> = DEVELOPMENT,
    says?: RegExp,
  ): Promise<void> => {
    await startRefused(config, code, env, says);
    const checked = await cmcp(["validate-config", "--config", config], env);
    assert.equal(checked.code, 10, checked.stdout + checked.stderr);
    assert.match(checked.stderr, new RegExp(`^${code}: [^]*what to do:`));
  };

  test("an unknown key, named with the nearest known one", async () => {
    await refused(await good({ config: "catalogue_path: x.json\n" }), "CONFIG_INVALID", DEVELOPMENT, /catalog_path/);
  });
  test("a path with ..", async () => {
    await refused(
      await good({ config: "audit_db_path: ../audit.db\n" }),
      "CONFIG_INVALID",
      DEVELOPMENT,
      /audit_db_path/,
    );
  });
  test("a workflow's tool that the catalog does not have", async () => {
    const config = "enclave: {workflow_tools: {default: [echo, nope]}}\n";
    await refused(await good({ config }), "CONFIG_INVALID", DEVELOPMENT, /enclave\.workflow_tools: default has "nope"/);
  });
  test("a malformed pinned hash", async () => {
    await refused(await good(), "CONFIG_INVALID", { ...DEVELOPMENT, CMCP_POLICY_HASH: "sha256:zz" });
  });
  test("another policy bundle than the pinned one, refused by the enclave", async () => {
    await refused(await good(), "POLICY_HASH_MISMATCH", { ...DEVELOPMENT, CMCP_POLICY_HASH: WRONG_HASH });
  });
  test("another catalog than the pinned one, refused by the enclave", async () => {
    await refused(await good(), "CATALOG_HASH_MISMATCH", { ...DEVELOPMENT, CMCP_CATALOG_HASH: WRONG_HASH });
  });
  test("an address other machines can reach, without a token", async () => {
    const config = await good();
    await writeFile(config, "listen_addr: 0.0.0.0:0\n");
    await refused(config, "LISTEN_ADDRESS_REFUSED");
  });
  test("software attestation outside development", async () => {
    await startRefused(await good(), "ATTESTATION_PROVIDER_UNSUPPORTED", { CMCP_BEARER_TOKEN: "x".repeat(40) });
  });
  for (const [key, code] of [
    ["agent_manifest.path", "CONFIG_NOT_SUPPORTED"],
    ["catalog_reload_path", "CATALOG_RESTART_REQUIRED"],
  ] as const) {
    test(`${key}, which is not built, by name`, async () => {
      const written = key.replace(".", ":\n  ");
      await refused(await good({ config: `${written}: sample\n` }), code, DEVELOPMENT, new RegExp(`: ${key}: `));
    });
  }
  test("a conformance profile whose conditions are not met", async () => {
    const config = await good({ config: "conformance_profile: aarm\n" });
    await refused(
      config,
      "CONFORMANCE_PROFILE_UNSATISFIED",
      DEVELOPMENT,
      /: conformance_profile: aarm needs agent_manifest/,
    );
  });
  test("hardware that this machine does not have, by name", async () => {
    await startRefused(
      await good({ config: "attestation:\n  provider: azure-cvm\n" }),
      "ATTESTATION_PROVIDER_UNSUPPORTED",
    );
  });
  test("an unsigned policy bundle where a signing key is pinned, refused by the enclave", async () => {
    await refused(await good(), "POLICY_SIGNATURE_INVALID", {
      ...DEVELOPMENT,
      CMCP_POLICY_SIGNING_KEY: signingKey().publicKey,
    });
  });
  test("a reload that a pinned hash would never let load anything", async () => {
    await refused(await good({ config: "policy_reload_interval_seconds: 5\n" }), "POLICY_RELOAD_PINNED_HASH", {
      ...DEVELOPMENT,
      CMCP_POLICY_HASH: WRONG_HASH,
    });
  });
  test("a reload without a key that says who made a bundle", async () => {
    await refused(
      await good({ config: "policy_reload_interval_seconds: 5\n" }),
      "CONFIG_INVALID",
      DEVELOPMENT,
      /CMCP_POLICY_SIGNING_KEY/,
    );
  });
  test("a bundle whose version has no order, where another may follow", async () => {
    const { key, publicKey } = signingKey();
    const config = await good({ config: "policy_reload_interval_seconds: 5\n" });
    const policies = join(dirname(config), "policies");
    await rm(policies, { recursive: true });
    await new BundleShelf(folder(), policies).place({ version: "1.0-beta", rules: ALLOW_ALL, key });
    await refused(config, "POLICY_BUNDLE_INVALID", { ...DEVELOPMENT, CMCP_POLICY_SIGNING_KEY: publicKey }, /version/);
  });
  test("an epoch of the log that no statement of an operator opens, refused by the enclave", async () => {
    const [operator, other] = [newOperator(), newOperator()];
    const statement = {
      v: 1,
      purpose: "lost-store",
      origin: "gateway.example/0",
      last: "unknown",
      reason: "disk lost",
    };
    const signed = operator.sign(statement);
    for (const [origin, lost_store, code] of [
      ["gateway.example/1", undefined, "CONFIG_INVALID"],
      ["gateway.example/2", signed, "CONFIG_INVALID"],
      ["gateway.example/0", signed, "CONFIG_INVALID"],
      ["other.example/1", signed, "CONFIG_INVALID"],
      ["gateway.example/1", { ...signed, statement: { ...statement, more: 1 } }, "CONFIG_INVALID"],
      ["gateway.example/1", other.sign(statement), "OPERATOR_STATEMENT_INVALID"],
      ["gateway.example/1", { ...signed, statement: { ...statement, reason: "x" } }, "OPERATOR_STATEMENT_INVALID"],
    ] as const) {
      const log = { origin, ...(lost_store === undefined ? {} : { lost_store }) };
      const enclave = { operator_keys: [operator.publicKey] };
      const config = await good({ config: `log: ${JSON.stringify(log)}\nenclave: ${JSON.stringify(enclave)}\n` });
      await refused(config, code, DEVELOPMENT, /log\.lost_store/);
    }
  });
  test("a sensitivity label that would change a built-in one, refused by the enclave", async () => {
    await refused(
      await good({ config: "sensitivity:\n  vocabulary:\n    pii: 9\n" }),
      "CONFIG_INVALID",
      DEVELOPMENT,
      /pii is built in/,
    );
  });
  test("a policy with a syntax error, naming the file", async () => {
    await refused(
      await good({ policies: "permit (principal, action, resource" }),
      "POLICY_BUNDLE_INVALID",
      DEVELOPMENT,
      /rules\.cedar/,
    );
  });
  test("a policy nested 500 deep", async () => {
    await refused(
      await good({
        policies: `permit (principal, action, resource) when { ${"(".repeat(500)}true${")".repeat(500)} };`,
      }),
      "POLICY_BUNDLE_INVALID",
    );
  });
  test("an empty bundle folder", async () => {
    const config = await good();
    await rm(join(config, "../policies"), { recursive: true });
    await refused(config, "POLICY_BUNDLE_INVALID");
  });
  test("a bundle without policies", async () => {
    const config = await good();
    await rm(join(config, "../policies/rules.cedar"));
    await refused(config, "POLICY_BUNDLE_INVALID");
  });
  test("two owners of one tool name, naming both", async () => {
    const tools = [
      { name: "echo", url: URL_A },
      { name: "echo", url: URL_B },
    ];
    await refused(await good({ tools }), "CATALOG_TOOL_NAME_COLLISION", DEVELOPMENT, /9001[^]*9002/);
  });
  test("two tools that give one action name", async () => {
    await refused(
      await good({
        tools: [
          { name: "read_file", url: URL_A },
          { name: "ReadFile", url: URL_B },
        ],
      }),
      "CATALOG_TOOL_NAME_COLLISION",
    );
  });
  test("a catalog entry whose definition was changed after approval", async () => {
    const config = await good();
    const path = join(config, "../catalog.json");
    await writeFile(path, (await readFile(path, "utf8")).replace('"description":"echo."', '"description":"echo!"'));
    await refused(config, "CATALOG_INVALID");
  });
  test("a schema that would be fetched from a network", async () => {
    await refused(
      await good({ tools: [{ name: "echo", url: URL_A, inputSchema: { $ref: "https://example.org/schema.json" } }] }),
      "CATALOG_INVALID",
    );
  });
  test("settings of a stdio server that the catalog does not have, refused by the enclave", async () => {
    await refused(
      await good({ config: "enclave: {stdio: {servers: {nope: {tasks: 3}}}}\n" }),
      "CONFIG_INVALID",
      DEVELOPMENT,
      /no stdio server nope/,
    );
  });
  test("a stdio server whose program is an interpreter and whose files nobody names, refused by the enclave", async () => {
    const config = await good();
    const path = join(config, "../catalog.json");
    const [entry] = JSON.parse(await readFile(path, "utf8")) as object[];
    await writeFile(
      path,
      JSON.stringify([
        {
          ...entry,
          server: {
            display_name: "files",
            transport: "stdio",
            spawn: { command: "node", args: ["server.js"], binary_digest: WRONG_HASH },
          },
        },
      ]),
    );
    await refused(config, "CATALOG_INVALID", DEVELOPMENT, /measure_target/);
  });
  test("a credential that the catalog names and nobody gave, and one that no server is sent, refused by the enclave", async () => {
    await refused(
      await good({ servers: [{ name: "echo", url: URL_A, credential: "ledger-token" }] }),
      "CREDENTIAL_NOT_PROVISIONED",
      DEVELOPMENT,
      /ledger-token/,
    );
    const config = await good({ config: "enclave: {credentials_file: credentials}\n" });
    await writeFile(join(dirname(config), "credentials"), "ledger-token abcdefgh\n", { mode: 0o600 });
    await refused(
      config,
      "CONFIG_INVALID",
      DEVELOPMENT,
      /no server of the catalog is sent the credential ledger-token/,
    );
  });
  test("a missing file is named", async () => {
    await refused(join(root, "nowhere.yaml"), "CONFIG_INVALID", DEVELOPMENT, /nowhere\.yaml/);
  });
});

describe("checks without starting", () => {
  let root: string;
  let config: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), "cmcp-checks-"));
    config = await deploy(root, { tools: [{ name: "echo", url: URL_A }], policies: ALLOW_ALL });
  });
  after(async () => {
    await rm(root, { recursive: true, force: true });
  });

  for (const [launcher, yaml] of [
    ["qemu", "attestation: {provider: tpm}\nlauncher: qemu\nqemu: {image: image}\n"],
    ["vsock", "attestation: {provider: tpm}\nlauncher: vsock\nvsock: {cid: 7}\n"],
    ["process", ""],
  ] as const) {
    test(`validate-config takes stdio servers in launcher ${launcher}`, async () => {
      const deployed = await deploy(join(root, launcher), {
        tools: [{ name: "echo", url: URL_A }],
        policies: ALLOW_ALL,
        config: yaml,
      });
      const path = join(dirname(deployed), "catalog.json");
      const [entry] = JSON.parse(await readFile(path, "utf8")) as object[];
      assert.equal((await cmcp(["validate-config", "--config", deployed], DEVELOPMENT)).code, 0, "without them");
      await writeFile(
        path,
        JSON.stringify([
          {
            ...entry,
            server: {
              display_name: "files",
              transport: "stdio",
              spawn: { command: "node", measure_target: "/srv/files", binary_digest: WRONG_HASH },
            },
          },
        ]),
      );
      const run = await cmcp(["validate-config", "--config", deployed, "--json"], DEVELOPMENT);
      assert.equal(run.code, 0, run.stdout);
    });
  }

  test("validate-config prints the digests a deployment pins, equal to policy hash and catalog hash", async () => {
    const run = await cmcp(["validate-config", "--config", config, "--json"], DEVELOPMENT);
    assert.equal(run.code, 0, run.stdout);
    const facts = JSON.parse(run.stdout) as { policy_hash: string; catalog_hash: string };
    assert.equal((await cmcp(["policy", "hash", join(root, "policies")])).stdout.trim(), facts.policy_hash);
    assert.equal((await cmcp(["catalog", "hash", join(root, "catalog.json")])).stdout.trim(), facts.catalog_hash);
    assert.equal(
      (await cmcp(["validate-bundle", "--bundle-path", join(root, "policies"), "--expected-hash", facts.policy_hash]))
        .code,
      0,
    );
    assert.equal(
      (await cmcp(["validate-bundle", "--bundle-path", join(root, "policies"), "--expected-hash", WRONG_HASH])).code,
      10,
    );
  });
});
