import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { examine, untrusted } from "@cmcp/boundary";
import { decodeFrame, encodeMap, Framer, type Opening, type WireMap } from "@cmcp/wire";
import { makeServerCertificate } from "../../servers/certificate.ts";
import { startRecordsServer } from "../../servers/records-server.ts";
import { serveComposed } from "./composed-host.ts";
import { decisions } from "./decisions.ts";
import { deployRecords, showClientCertificate, TOKEN } from "./deployment.ts";
import { verifiedInstance } from "./verified-instance.ts";
import type { Place, Target } from "./target.ts";

const HEADERS = {
  authorization: `Bearer ${TOKEN}`,
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
} as const;
const REQUEST = { t: "request", x: 1, method: "POST", path: "/mcp", headers: HEADERS } as const;
/** What an enclave might be told by a host that wishes to decide. */
const CLAIMED_DECISION = { decision: "allow", policy_decision: "allow", "x-cmcp-decision": "allow" } as const;

/** Milliseconds within which a stream that breaks the protocol is closed. */
const REFUSED_MS = 60_000;

/** A call that the policy forbids once the principal has seen a record. */
const denied = (session: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: {
        name: "send_message",
        arguments: { to: "a@example.org", text: "smuggled" },
        _cmcp: { session_id: session },
      },
    }),
  );

function frame(map: WireMap): Buffer {
  const body = encodeMap(map);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** Sends bytes on a stream of their own; the error frame's code they are answered with, once the enclave has closed the stream. */
async function refusalOf(place: Place, bytes: Uint8Array): Promise<string> {
  const stream = await place.dialer.dial(AbortSignal.timeout(REFUSED_MS));
  const codes: string[] = [];
  const framer = new Framer();
  stream.on("data", (chunk: Uint8Array) =>
    framer.push(untrusted(chunk), (payload) => {
      const answer = decodeFrame(payload);
      codes.push(answer.t === "error" ? answer.code : answer.t);
    }),
  );
  stream.on("error", () => undefined);
  stream.write(bytes);
  await once(stream, "close", { signal: AbortSignal.timeout(REFUSED_MS) });
  return codes.join();
}

/** POLICY-TEE-004: a deny cannot be bypassed by the host. */
export function policyTee004(target: Target): void {
  test(`POLICY-TEE-004 (${target.name}): a host that forges, replays and rewrites gets no denied call to the server`, async (t) => {
    const place = await target.open(t);
    if (place === null) return;
    const folder = await mkdtemp(join(tmpdir(), "cmcp-tee4-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const records = await startRecordsServer();
    t.after(() => records.close());
    const host = await serveComposed(t, place, await deployRecords(join(folder, "deployment"), records, "tpm"));
    assert.deepEqual((await decisions(host.mcp)).decided, [true, true, false]);
    const reached = records.calls.length;

    /** An agent's request as this host chooses to forward it. */
    const forwarded = async (
      opening: Extract<Opening, { t: "request" }>,
      body: Uint8Array,
    ): Promise<{ status: number; text: string }> => {
      const exchange = await host.pool.open(opening);
      await exchange.write(body);
      await exchange.end();
      const { status } = await exchange.head;
      const parts: Uint8Array[] = [];
      for await (const part of exchange.body) parts.push(examine(part));
      return { status, text: Buffer.concat(parts).toString() };
    };

    await t.test("a frame that claims a decision, or is one, is rejected and its stream closed", async () => {
      for (const [name, value] of Object.entries(CLAIMED_DECISION))
        assert.match(await refusalOf(place, frame({ ...REQUEST, [name]: value })), /^WIRE_/, name);
      for (const kind of ["decision", "allow", "response"])
        assert.match(await refusalOf(place, frame({ t: kind, x: 1, status: 200, headers: {} })), /^WIRE_/, kind);
    });
    await t.test("headers of its own change nothing", async () => {
      const { text } = await forwarded(
        {
          ...REQUEST,
          headers: {
            ...HEADERS,
            "x-cmcp-decision": "allow",
            "x-cmcp-principal": "admin",
            "x-forwarded-user": "admin",
            "cmcp-policy": "permit",
          },
        },
        denied("s1"),
      );
      assert.match(text, /POLICY_DENY/);
    });
    await t.test("a denied request sent again and again is denied again and again, each with an entry", async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => forwarded(REQUEST, denied("s1"))));
      for (const { text } of answers) assert.match(text, /POLICY_DENY/);
      assert.equal(
        new Set(answers.map(({ text }) => /"entry_hash":"([0-9a-f]{64})"/.exec(text)?.[1])).size,
        answers.length,
        "each has a receipt of its own",
      );
    });
    await t.test("an allowed request rewritten into a denied one is decided as what it is", async () => {
      const allowed = Buffer.from(
        JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "tools/call",
          params: { name: "get_patient_record", arguments: { patient_id: "P-1001" }, _cmcp: { session_id: "s2" } },
        }),
      );
      const rewritten = Buffer.from(
        allowed
          .toString()
          .replace("get_patient_record", "send_message")
          .replace('"patient_id":"P-1001"', '"to":"a@example.org","text":"smuggled"'),
      );
      assert.match((await forwarded(REQUEST, rewritten)).text, /POLICY_DENY/);
    });
    await t.test("what only the enclave may ask of the host, the host cannot ask of the enclave", async () => {
      for (const opening of [
        { t: "egress", host: "127.0.0.1", port: records.port },
        { t: "append", first: 0 },
        { t: "scan" },
        { t: "head" },
        { t: "range", size: 1 },
        { t: "prove", index: 0, size: 1 },
      ] as const satisfies readonly Opening[]) {
        await assert.rejects(
          async () => await (await host.pool.open(opening)).head,
          { code: "WIRE_UNEXPECTED_FRAME" },
          opening.t,
        );
      }
    });
    await t.test("agents cannot reach the egress relay", async () => {
      for (const path of ["/egress", `/egress?host=127.0.0.1&port=${records.port}`, "/append", "/scan", "/head"]) {
        const reply = await fetch(`${host.url}${path}`, { method: "POST", headers: HEADERS, body: "{}" });
        assert.equal(reply.status, 404, path);
      }
    });
    assert.equal(records.calls.length, reached, "nothing of this reached the server");
  });
}

/** POLICY-TEE-004, the way round: a server that authenticates the enclave serves nobody else, so a deny cannot be gone round. */
export function policyTee004Server(target: Target): void {
  test(`POLICY-TEE-004 (${target.name}): a server that authenticates the enclave serves neither its host nor a caller's own connection`, async (t) => {
    const place = await target.open(t);
    if (place === null) return;
    const folder = await mkdtemp(join(tmpdir(), "cmcp-tee4-server-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const asking: (string | null)[] = [];
    let admitted: string | undefined;
    const records = await startRecordsServer(0, (key) => {
      asking.push(key);
      return key !== null && key === admitted;
    });
    t.after(() => records.close());
    const config = await deployRecords(join(folder, "deployment"), records, "tpm");
    await showClientCertificate(config);
    const host = await serveComposed(t, place, config);
    /** What anybody gets, without a token. */
    const report = Buffer.from(await (await fetch(`${host.url}/attestation`)).arrayBuffer());

    await t.test("before it knows the enclave, it serves nobody", async () => {
      assert.deepEqual((await decisions(host.mcp)).decided, [false, false, false]);
      assert.deepEqual([new Set(asking).size, asking.includes(null), records.calls.length], [1, false, 0]);
    });
    await t.test("it learns the enclave's key from evidence that it verifies, whoever brings it", async () => {
      const verdict = await verifiedInstance(target, report, host.document);
      assert.deepEqual(
        verdict.checks.filter(({ status }) => status === "failed"),
        [],
      );
      admitted = verdict.keys?.["tls"];
      assert.deepEqual([...new Set(asking)], [admitted]);
      const forged = JSON.parse(report.toString()) as { binding: { keys: Record<string, string> } };
      forged.binding.keys["tls"] = hash("sha256", "the host's own key", "base64url");
      const refused = await verifiedInstance(target, Buffer.from(JSON.stringify(forged)), host.document);
      assert.deepEqual([refused.outcome, refused.keys], ["rejected", null]);
    });
    await t.test("the enclave's calls arrive as policy decides", async () => {
      assert.deepEqual((await decisions(host.mcp)).decided, [true, true, false]);
      assert.deepEqual(
        records.calls.map(({ tool }) => tool),
        ["send_message", "get_patient_record"],
      );
    });
    await t.test("the host's own connections are refused, with a certificate of its own as without one", async () => {
      const reached = records.calls.length;
      const own = await makeServerCertificate();
      for (const shown of [{}, { cert: own.cert, key: own.key }])
        assert.equal(await statusOf(records.port, shown), 403);
      assert.equal(records.calls.length, reached);
    });
  });
}

/** A denied call, made past the gateway; the status of the server's answer. */
async function statusOf(port: number, shown: { readonly cert?: string; readonly key?: string }): Promise<number> {
  const options = { host: "127.0.0.1", port, path: "/mcp", method: "POST", rejectUnauthorized: false, agent: false };
  const asking = request({ ...options, ...shown, headers: HEADERS }).end(denied("s1"));
  const [answer] = (await once(asking, "response")) as [IncomingMessage];
  answer.resume();
  return answer.statusCode ?? 0;
}
