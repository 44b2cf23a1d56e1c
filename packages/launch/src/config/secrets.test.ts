import assert from "node:assert/strict";
import { test } from "node:test";
import { CmcpError } from "@cmcp/boundary";
import { buildLaunchDocument } from "../document/document.ts";
import { parseConfig } from "./load.ts";

const env = { CMCP_DEV_MODE: "1" };
// Put together while it runs, so that this file holds none. They open nothing.
const fence = ["-----BEGIN", "PRIVATE", "KEY-----"].join(" ");
const [jwtPart, random] = ["eyJ", "a1B2c3D4e5F6a7B8"];

const configWith = (environment: Record<string, string>): string =>
  JSON.stringify({ enclave: { stdio: { servers: { notes: { environment } } } } });

function refusal(run: () => unknown): CmcpError {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof CmcpError) return thrown;
    throw thrown;
  }
  return assert.fail("accepted");
}

const SECRETS: readonly (readonly [string, string])[] = [
  ["API_KEY", random],
  ["apiKey", random],
  ["OPENAI_API_KEY", random],
  ["NOTES_TOKEN", random],
  ["DB_PASSWORD", "hunter2"],
  ["dbPassword", "x"],
  ["SMTP_PASS", "a b"],
  ["CLIENT_SECRET", "s"],
  ["AWS_SECRET_ACCESS_KEY", "aB3/".repeat(10)],
  ["SIGNING_KEY", random],
  ["SERVICE_CREDENTIAL", random],
  ["DATABASE_URL", `postgres://app:${random}@db.internal/notes`],
  ["EXTRA", `${fence}\nMIIE`],
  ["EXTRA", `${jwtPart}${random}.${jwtPart}${random}.${random}`],
  ["EXTRA", `Authorization: Bearer ${random}`],
  ["EXTRA", ["ghp", "a1B2".repeat(9)].join("_")],
  ["EXTRA", ["AKIA", "A1B2".repeat(4)].join("")],
  ["EXTRA", ["sk", "live", random].join("_")],
  ["EXTRA", ["sk", "a1B2".repeat(6)].join("-")],
];

const HONEST: readonly (readonly [string, string])[] = [
  ["LOG_LEVEL", "debug"],
  ["MAX_TOKENS", "4096"],
  ["MAX_TOKEN", "4096"],
  ["EOS_TOKEN", "<|endoftext|>"],
  ["PAD_TOKEN", "[PAD]"],
  ["API_KEY", ""],
  ["USE_TOKEN", "disabled"],
  ["API_KEY_FILE", "/run/secrets/key"],
  ["GOOGLE_APPLICATION_CREDENTIALS", "/tmp/credentials.json"],
  ["TOKEN", "https://login.example/token"],
  ["DB_PASSWORD", "/run/secrets/password"],
  ["PUBLIC_KEY", "A".repeat(43)],
  ["SORT_KEY", "created_at_descending"],
  ["KEYBOARD", "qwerty"],
  ["COMPASS", "north-north-west"],
  ["PWD", "/tmp/work-of-the-server"],
  ["DATABASE_URL", "postgres://db.internal:5432/notes"],
  ["UPSTREAM", "https://user@example.org/x"],
  ["DIGEST", "a".repeat(64)],
  ["PACKAGE", "task-sk-learn-service-with-a-long-name"],
  ["COMMIT", "0123456789abcdef0123456789abcdef01234567"],
];

test("a variable of a server that looks like a secret is refused by its key, and the value is not told", () => {
  for (const [name, value] of SECRETS) {
    const { code, message, detail } = refusal(() =>
      parseConfig(configWith({ [name]: value }), { env, file: "c.yaml" }),
    );
    const key = `enclave.stdio.servers.notes.environment.${name}`;
    assert.deepEqual([code, detail["key"]], ["CONFIG_SECRET", key], name);
    assert.ok(message.startsWith(`c.yaml: ${key}: looks like a secret`), message);
    if (value.length > 7) assert.ok(!message.includes(value), name);
  }
});

test("what is no secret is accepted", () => {
  for (const [name, value] of HONEST) {
    const { config } = parseConfig(configWith({ [name]: value }), { env });
    assert.equal(config.enclave.stdio?.servers["notes"]?.environment[name], value, name);
  }
});

const documentWith = (config: ReturnType<typeof parseConfig>["config"], catalog: object[]) =>
  buildLaunchDocument({
    v: 1,
    platform: config.attestation.provider,
    development: true,
    config,
    policy_bundle: {},
    catalog: JSON.parse(JSON.stringify(catalog)) as never,
    pins: {},
    trust_anchors: {},
  });

test("the enclave refuses the same, whoever made the document, and looks at the servers of the catalog", () => {
  const { config } = parseConfig("", { env });
  const { stdio } = parseConfig(configWith({}), { env }).config.enclave;
  const notes = stdio?.servers["notes"];
  assert.ok(stdio !== undefined && notes !== undefined);
  const servers = { notes: { ...notes, environment: { API_KEY: random } } };
  const changed = { ...config, enclave: { ...config.enclave, stdio: { ...stdio, servers } } };
  const ofConfig = refusal(() => documentWith(changed, []));
  assert.deepEqual(
    [ofConfig.code, ofConfig.detail["key"]],
    ["CONFIG_SECRET", "enclave.stdio.servers.notes.environment.API_KEY"],
  );
  const spawned = (...args: string[]): object => ({
    tool_name: "x",
    approved_definition: { description: `for example ${["ghp", "a1B2".repeat(9)].join("_")}` },
    server: { display_name: "notes", transport: "stdio", spawn: { command: "/bin/notes", args } },
  });
  for (const args of [[`--api-key=${random}`], ["--token", random], ["--password", "x"], [`-secret=${random}`]]) {
    const { code, message } = refusal(() => documentWith(config, [spawned("--quiet"), spawned("-v", ...args)]));
    assert.equal(code, "CONFIG_SECRET", args[0]);
    assert.match(message, /^launch document: catalog\.1\.server\.spawn\.args\.1: /);
  }
  for (const args of [
    ["--token-file", "/run/token"],
    ["--api-key"],
    ["--sort-key", "name-of-column"],
    ["--token", "--quiet"],
  ])
    assert.ok(documentWith(config, [spawned(...args)]).length > 0);
});
