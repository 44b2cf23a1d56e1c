import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { PassThrough } from "node:stream";
import { test, type TestContext } from "node:test";
import type { Receipt } from "@cmcp/audit/schema";
import { ask, TOKEN_VARIABLE } from "./gateway-client.ts";
import { sessionClose } from "./session-close.ts";
import { sessionReset } from "./session-reset.ts";

const SESSION = "11111111-1111-4111-8111-111111111111";
const [HASH, NAME] = ["0".repeat(64), "A".repeat(43)];
const RECEIPT: Receipt = {
  v: "cmcp-receipt-v3",
  kind: "entry",
  instance: NAME,
  seq: 1,
  session_id: SESSION,
  sequence_number: 1,
  entry_hash: HASH,
  prev_entry_hash: HASH,
  call_id: "1",
  decision: "allow",
  policy_hash: `sha256:${HASH}`,
  channel: "plain",
  time: "2026-01-01T00:00:00.000Z",
  time_source: "host-asserted",
  log: { index: 0, path: [], note: "" },
};

/** Something that answers as told; the result is its URL. */
async function answering(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const NO_GATEWAYS: Readonly<Record<string, readonly [number, string]>> = {
  "a page": [200, "<!doctype html><title>Sign in</title>"],
  "nothing at all": [404, ""],
  "a page of an error": [502, "<html>Bad Gateway</html>"],
  "a list": [200, "[]"],
  "an error of another service": [404, '{"error":"not found"}'],
  "an error with a code of another service": [404, '{"error":{"code":"no_such_thing","message":"gone"}}'],
  "an error with a name that every object has": [404, '{"error":{"code":"constructor","message":"gone"}}'],
};

for (const [what, [status, text]] of Object.entries(NO_GATEWAYS)) {
  test(`${what} is no gateway's answer, and the error says what to check`, async (t) => {
    const url = await answering(t, (_, response) => response.writeHead(status).end(text));
    await assert.rejects(
      ask(url, "/x", { method: "POST" }),
      (thrown: { code?: string; message?: string; action?: string }) =>
        thrown.code === "GATEWAY_ANSWER_INVALID" &&
        (thrown.message ?? "").startsWith(`${url} answered, but not as a gateway does: with status ${status}`) &&
        /check the URL/.test(thrown.action ?? ""),
    );
  });
}

test("a gateway's own error stays what it is, without control characters", async (t) => {
  const url = await answering(t, (_, response) =>
    response
      .writeHead(404)
      .end(JSON.stringify({ error: { code: "NOT_FOUND", message: "no such\u001b[2J session", action: "check" } })),
  );
  await assert.rejects(ask(url, "/x", {}), { code: "NOT_FOUND", message: "no such?[2J session" });
});

test("a redirect is not followed: the token stays here", async (t) => {
  let led = 0;
  const elsewhere = await answering(t, (_, response) => {
    led += 1;
    response.end("{}");
  });
  const url = await answering(t, (_, response) => response.writeHead(307, { location: elsewhere }).end());
  await assert.rejects(ask(url, "/x", { token: "secret" }), {
    code: "GATEWAY_ANSWER_INVALID",
    message: /with status 307/,
  });
  assert.equal(led, 0);
});

test("an answer without end is left", { timeout: 30_000 }, async (t) => {
  const piece = Buffer.alloc(1024 * 1024, " ");
  const url = await answering(t, (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
      response.once("drain", more);
    };
    more();
  });
  await assert.rejects(ask(url, "/x", {}), { code: "GATEWAY_ANSWER_INVALID", message: /more than/ });
});

test("a claim that cannot be written is asked for again: the reason is said, and that the session is closed", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-claim-"));
  process.env[TOKEN_VARIABLE] = "t".repeat(40);
  t.after(async () => {
    delete process.env[TOKEN_VARIABLE];
    await rm(folder, { recursive: true });
  });
  const url = await answering(t, (_, response) =>
    response.end(
      JSON.stringify({ trace: { runtime: { platform: "software-only" } }, gateway: { session_id: SESSION } }),
    ),
  );
  const terminal = { out: new PassThrough(), err: new PassThrough(), colour: false };
  await assert.rejects(sessionClose.run(["--url", url, "--session", SESSION, "--out", folder], terminal), {
    code: "USAGE",
    message:
      /^the session is closed, but cannot write .*: it is not a regular file; run again with --session [0-9a-f-]{36} and another --out$/,
  });
});

test("a session is closed by its label or handle, and its files carry the session_id of the claim", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-label-"));
  const asked: string[] = [];
  process.env[TOKEN_VARIABLE] = "t".repeat(40);
  t.after(async () => {
    delete process.env[TOKEN_VARIABLE];
    await rm(folder, { recursive: true });
  });
  let answer: object = { trace: { runtime: { platform: "sev-snp" } }, gateway: { session_id: SESSION } };
  const url = await answering(t, (request, response) => {
    asked.push(request.url ?? "");
    response.end(JSON.stringify(answer));
  });
  const out = new PassThrough();
  const files = ["--out", join(folder, "claim.json"), "--evidence-out", join(folder, "evidence.json")];
  const close = (name: string): Promise<number> =>
    sessionClose.run(["--url", url, "--session", name, "--json", ...files], { out, err: out, colour: false });
  assert.equal(await close("first"), 0);
  assert.deepEqual(asked, ["/sessions/first/close", `/sessions/${SESSION}/evidence`]);
  assert.match(String(out.read()), new RegExp(`"session":"${SESSION}"`));

  answer = { trace: {}, gateway: { session_id: "../elsewhere" } };
  await assert.rejects(close("first"), { code: "GATEWAY_ANSWER_INVALID" });
  for (const name of ["", "a/b", "..", "two words", "a".repeat(65)])
    await assert.rejects(close(name), { code: "USAGE", message: /--session/ });
  assert.equal(asked.length, 3);
});

test("a token that no header can carry is named, and nobody is asked", async (t) => {
  let asked = 0;
  const url = await answering(t, (_, response) => {
    asked += 1;
    response.end("{}");
  });
  t.after(() => delete process.env[TOKEN_VARIABLE]);
  const terminal = { out: new PassThrough(), err: new PassThrough(), colour: false };
  for (const token of ["secret\n", "two words", "secret\u20ac"]) {
    process.env[TOKEN_VARIABLE] = token;
    await assert.rejects(
      sessionClose.run(["--url", url, "--session", SESSION], terminal),
      (thrown: { code?: string; message?: string }) =>
        thrown.code === "USAGE" &&
        (thrown.message ?? "").startsWith("CMCP_BEARER_TOKEN holds no bearer token") &&
        !(thrown.message ?? "").includes("secret"),
    );
  }
  assert.equal(asked, 0);
});

test("neither a claim nor a reset is taken from what is no gateway", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "cmcp-no-gateway-"));
  process.env[TOKEN_VARIABLE] = "t".repeat(40);
  t.after(async () => {
    delete process.env[TOKEN_VARIABLE];
    await rm(folder, { recursive: true });
  });
  const [out, key] = [join(folder, "claim.json"), join(folder, "operator.pem")];
  await writeFile(key, generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }));
  const terminal = { out: new PassThrough(), err: new PassThrough(), colour: false };
  for (const answer of [
    {},
    { trace: {}, gateway: {} },
    { trace: {}, gateway: { session_id: "22222222-2222-4222-8222-222222222222" } },
  ]) {
    const url = await answering(t, (_, response) => response.end(JSON.stringify(answer)));
    await assert.rejects(sessionClose.run(["--url", url, "--session", SESSION, "--out", out], terminal), {
      code: "GATEWAY_ANSWER_INVALID",
    });
    assert.equal(existsSync(out), false);
    await assert.rejects(
      sessionReset.run(
        ["--url", url, "--session", SESSION, "--token-env", TOKEN_VARIABLE, "--key", key, "--reason", "test"],
        terminal,
      ),
      { code: "GATEWAY_ANSWER_INVALID", message: /no claim/ },
    );
  }
  const receipt = join(folder, "receipt.json");
  await writeFile(receipt, JSON.stringify(RECEIPT));
  const url = await answering(t, (_, response) => response.end("{}"));
  await assert.rejects(
    sessionReset.run(["--url", url, "--receipt", receipt, "--key", key, "--reason", "test"], terminal),
    { code: "GATEWAY_ANSWER_INVALID", message: /no entry/ },
  );
});
