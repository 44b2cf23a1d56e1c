/** The clock of the gateway as it is shipped, held to the times that witnesses sign. */
import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { temporaryDirectory } from "../../host-proxy/src/testing/temporary-directory.ts";
import { TestWitness } from "../../host-proxy/src/testing/witness-server.ts";
import { clientOf } from "../gateway/client.ts";
import { deployQuickstart, listenOnAnyPort } from "../gateway/deployment.ts";
import { receiptOf } from "../gateway/fixture.ts";
import { developmentEnvironment, startGateway } from "../gateway/gateway.ts";
import { AUDIENCE, makeIssuer } from "../gateway/issuer.ts";
import { startRecordsServer } from "../servers/records-server.ts";

/** A token that does not end. */
const TOKEN = "witnessed-clock-test-token-0123456789";
const ENVIRONMENT = developmentEnvironment(TOKEN);
/** Longer than a token of the issuer counts. */
const AHEAD_SECONDS = 3_600;
const MESSAGE = { to: "x", text: "x" };

/** A call with a token of ten minutes, where this many of three witnesses are ahead of the host's clock. Two are a quorum. */
async function called(t: TestContext, ahead: number, { seconds = AHEAD_SECONDS, endless = false } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const witnesses = await Promise.all([0, 1, 2].map((at) => TestWitness.start(t, `witness.example/w${at}`)));
  for (const [at, witness] of witnesses.entries()) witness.time = at < ahead ? now + seconds : now;
  const records = await startRecordsServer();
  t.after(() => records.close());
  const folder = join(temporaryDirectory(t), "deployment");
  const config = await deployQuickstart(folder, {
    everythingPort: 1,
    recordsPort: records.port,
    recordsFingerprint: records.fingerprint,
  });
  await listenOnAnyPort(config);
  const issuer = makeIssuer("https://login.bank.example/");
  const jwt = [issuer.settings({ subjects: [{ subject: "desk-7", principal: "default" }] })];
  const lines = witnesses.map((witness, at) => witness.line(`w${at}`).split(" ").slice(0, 3).join(" "));
  const log = { origin: "gateway.example/0", witnesses: [...lines, "group g 2 w0 w1 w2", "quorum g", ""].join("\n") };
  const settings = {
    log,
    witness_urls: Object.fromEntries(witnesses.map(({ url }, at) => [`w${at}`, url])),
    enclave: { identity: { resource: AUDIENCE, jwt } },
  };
  // JSON is YAML.
  const yaml = Object.entries(settings).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  await appendFile(config, yaml.join(""));
  const gateway = await startGateway(config, ENVIRONMENT);
  t.after(() => gateway.kill());
  const client = clientOf(gateway, endless ? TOKEN : await issuer.token("desk-7"));
  const call = async () => await client.call("send_message", "s", MESSAGE).catch(() => null);
  let reply = await call();
  // The first report is of before the clock was raised, and is replaced within a second or so.
  while (JSON.stringify(reply).includes("ATTESTATION_STALE")) reply = await call();
  return { reply, client, now, calls: records.calls.length };
}

test("a token that ended by the clocks of a quorum is refused, however far back the host's is", async (t) => {
  const { reply, calls } = await called(t, 3);
  assert.equal(reply?.status, 401);
  assert.equal(calls, 0);
});

test("a server's certificate that ended by the clocks of a quorum is refused", async (t) => {
  const { reply, calls } = await called(t, 3, { seconds: 100 * 366 * 86_400, endless: true });
  assert.match(JSON.stringify(reply?.body), /UPSTREAM_IDENTITY_MISMATCH/);
  assert.equal(calls, 0);
});

test("one witness whose clock is ahead ends no token, and moves no time of the record", async (t) => {
  const { reply, client, now } = await called(t, 1);
  assert.equal(reply?.status, 200);
  const { entries } = await client.export(receiptOf(reply.body).session_id);
  for (const { timestamp_utc: time } of entries) assert.ok(Date.parse(time) < (now + AHEAD_SECONDS / 2) * 1000, time);
});
