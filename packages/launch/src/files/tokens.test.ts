import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CmcpError, untrusted } from "@cmcp/boundary";
import { parseProvision, type Provision } from "@cmcp/provision/message";
import { parseConfig } from "../index.ts";
import { readProvision } from "./index.ts";

const A = hash("sha256", "a");
const B = hash("sha256", "b");
let folder = "";
let path = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "cmcp-tokens-"));
  path = join(folder, "tokens");
});
after(async () => {
  await rm(folder, { recursive: true });
});

const read = async (
  text: string,
  { mode = 0o600, bearer }: { mode?: number; bearer?: string } = {},
): Promise<Provision> => {
  await writeFile(path, text);
  await chmod(path, mode);
  const env = { CMCP_DEV_MODE: "1", ...(bearer === undefined ? {} : { CMCP_BEARER_TOKEN: bearer }) };
  const loaded = parseConfig("enclave: {principals: [{id: default}, {id: billing}], token_file: tokens}", { env });
  const paths = { tokenFile: path, credentialsFile: null };
  return parseProvision(untrusted((await readProvision({ ...loaded, paths })) ?? assert.fail("the host gives none")));
};
const refused = async (text: string, why: RegExp, options: { mode?: number } = {}): Promise<void> =>
  await assert.rejects(
    read(text, options),
    (thrown) => thrown instanceof CmcpError && thrown.code === "CONFIG_INVALID" && why.test(thrown.message),
    text,
  );

void describe("the token file", () => {
  void it("gives every principal its tokens, several if it has them, beside the environment's", async () => {
    const text = `# agents\n\nbilling sha256:${A}\r\n  billing\tsha256:${B}  \n`;
    assert.deepEqual((await read(text)).tokens, [
      { principal: "billing", sha256: A },
      { principal: "billing", sha256: B },
    ]);
    assert.deepEqual((await read(text, { bearer: "x" })).tokens.at(-1), {
      principal: "default",
      sha256: hash("sha256", "x"),
    });
  });

  void it("may say which workflows a token is for", async () => {
    assert.deepEqual((await read(`billing sha256:${A} settle  other\nbilling sha256:${B}\n`)).tokens, [
      { principal: "billing", sha256: A, workflows: ["settle", "other"] },
      { principal: "billing", sha256: B },
    ]);
    await refused(`billing sha256:${A} ${"w".repeat(129)}`, /line 1: a workflow's name is/);
    await refused(`billing sha256:${A} sét`, /line 1: a workflow's name is/);
    await refused(`billing sha256:${A} ${"w ".repeat(257)}`, /line 1: more than 256 workflows/);
  });

  void it("may be empty: then nobody may call, and it is not tokenless", async () => {
    assert.deepEqual(await read("# none yet\n"), { v: 1, tokens: [] });
  });

  void it("is not needed where JWTs are accepted, and that is not tokenless either", async () => {
    const keys = [{ kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid: "k" }];
    const issuer = {
      issuer: "https://login.example/",
      audience: ["here"],
      jwks: { keys },
      algorithms: ["EdDSA"],
      subjects: [{ subject: "x", principal: "default" }],
    };
    const identity = { resource: "https://gw.example/mcp", jwt: [issuer] };
    const loaded = parseConfig(`enclave: ${JSON.stringify({ identity })}`, { env: {} });
    const paths = { tokenFile: null, credentialsFile: null };
    const given = (await readProvision({ ...loaded, paths })) ?? assert.fail("the host gives none");
    assert.deepEqual(parseProvision(untrusted(given)), { v: 1, tokens: [] });
    const statements = parseConfig(`enclave: {provisioning_keys: [${"A".repeat(43)}]}`, { env: {} });
    assert.equal(await readProvision({ ...statements, paths }), null, "where statements bring them");
  });

  void it("is refused when others than its owner have any access to it", async () => {
    for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
      await refused(`billing sha256:${A}\n`, /tokens: the token file is accessible to group or others/, { mode });
    await read(`billing sha256:${A}\n`, { mode: 0o400 });
  });

  void it("is refused with file and line, and never with what stands there", async () => {
    const secret = "a-token-in-the-clear-0123456789";
    await refused(`billing ${secret}\n`, /^(?!.*a-token-in-the-clear).*tokens: line 1: must be a principal's id/);
    await refused(`billing sha256:${A}more\n`, /line 1/);
    await refused(`\nbilling sha256:${A.toUpperCase()}\n`, /line 2/);
    await refused(`billing\n`, /line 1/);
    await refused(`other sha256:${A}\n`, /line 1: the principal is not in enclave\.principals/);
    await refused(`billing sha256:${A}\ndefault sha256:${A}\n`, /line 2: duplicate token/);
    await refused(
      Array.from({ length: 4001 }, (_, index) => `billing sha256:${index.toString(16).padStart(64, "0")}`).join("\n"),
      /line 4001: more than 4000 tokens/,
    );
  });

  void it("and the environment must not give one token to two principals", async () => {
    await assert.rejects(read(`billing sha256:${A}\n`, { bearer: "a" }), { code: "CONFIG_INVALID" });
  });
});
