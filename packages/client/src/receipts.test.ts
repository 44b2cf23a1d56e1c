import assert from "node:assert/strict";
import { randomUUID, webcrypto } from "node:crypto";
import { test } from "node:test";
import { preset } from "@cmcp/appraise";
import type { Receipt } from "@cmcp/audit";
import type { JsonObject } from "@cmcp/boundary";
import { connect } from "./connect.ts";
import { attached, events, json, ScriptedEnclave, type Answer } from "./testing/scripted-enclave.ts";

const EXPECTED = { allowSoftwareOnly: true, appraisal: preset("strict") } as const;
const call = (text = "hi", id = 1): JsonObject => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name: "echo", arguments: { text }, _meta: { progressToken: 1 }, _cmcp: { session_id: "s" } },
});
const answerTo = (message: JsonObject, content: readonly string[] = []): JsonObject => ({
  jsonrpc: "2.0",
  id: message["id"] ?? null,
  result: { content: [...content] },
});

/** A client of an enclave, and the receipts that it kept. */
async function start(enclave = new ScriptedEnclave()) {
  const kept: Receipt[] = [];
  const connection = await connect(enclave.url, EXPECTED, {
    crypto: webcrypto,
    fetch: enclave.fetch,
    onReceipt: (receipt) => kept.push(receipt),
  });
  const ask = async (message: JsonObject = call()): Promise<string> => {
    const reply = await connection.fetch(enclave.endpoint, { method: "POST", body: JSON.stringify(message) });
    return await reply.text();
  };
  return { enclave, kept, ask };
}

/** The code that a call fails with, whether its answer or the stream of it does. */
async function codeOf(asking: Promise<unknown>): Promise<string> {
  try {
    await asking;
    return "none";
  } catch (thrown) {
    return String((thrown as { readonly code?: unknown }).code);
  }
}

test("each receipt is kept, and an answer is handed on as it came", async () => {
  const { enclave, kept, ask } = await start();
  const given: string[] = [];
  enclave.answer = (message) => {
    const answer = enclave.echo(message);
    given.push(answer.body);
    return answer;
  };
  assert.deepEqual([await ask(), await ask()], given);
  assert.deepEqual(
    kept.map(({ log }) => log.index),
    [1, 2],
  );
});

test("a stream is handed on message by message, and its receipt covers each of them", async () => {
  const { enclave, ask } = await start();
  const said = [
    { jsonrpc: "2.0", method: "notifications/progress", params: { progress: 1, progressToken: 1 } },
    { jsonrpc: "2.0", id: "q", method: "elicitation/create", params: { message: "m" } },
    { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: "q" } },
  ];
  enclave.answer = (message) => {
    const last = answerTo(message);
    const counted = said.filter(({ method }) => method !== "notifications/cancelled");
    return events(...said, attached(enclave.record(message, [...counted, last]), last));
  };
  const text = await ask();
  for (const message of said) assert.ok(text.includes(JSON.stringify(message)), JSON.stringify(message));
  assert.ok(text.startsWith(":\n\n"), "what keeps a connection open passes");
  enclave.answer = (message) => {
    const last = answerTo(message);
    return events(...said.slice(0, 1), attached(enclave.record(message, [last]), last));
  };
  assert.equal(await codeOf(ask()), "COMMITMENT_MISMATCH");
});

test("an error and a refused call are held to their receipts as results are", async () => {
  const { enclave, ask, kept } = await start();
  const error = { jsonrpc: "2.0", id: 1, error: { code: -32_000, message: "no", data: { error_code: "POLICY_DENY" } } };
  const refused = {
    jsonrpc: "2.0",
    id: 1,
    result: { content: [], isError: true, _meta: { "cmcp.gateway/error": { code: "POLICY_DENY", advice: "give-up" } } },
  };
  for (const answer of [error, refused]) {
    enclave.answer = (message) => json(attached(enclave.record(message, [answer], { decision: "deny" }), answer));
    assert.equal(await codeOf(ask()), "none");
    enclave.answer = (message) => json(attached(enclave.record(message, [answerTo(message)]), answer));
    assert.equal(await codeOf(ask()), "COMMITMENT_MISMATCH");
  }
  assert.equal(kept.length, 4, "a receipt that does not fit is evidence");
});

test("an answer without a receipt passes only where the gateway refused before it decided", async () => {
  const { enclave, ask } = await start();
  const refusal = { "cmcp.gateway/error": { code: "OVERLOADED", advice: "retry" } };
  const cases: readonly (readonly [JsonObject, string])[] = [
    [{ jsonrpc: "2.0", id: 1, result: { content: [] } }, "RECEIPT_MISSING"],
    [{ jsonrpc: "2.0", id: 1, result: { content: [], _meta: {} } }, "RECEIPT_MISSING"],
    [
      {
        jsonrpc: "2.0",
        id: 1,
        error: { code: -32_602, message: "theirs", data: { error_code: "UPSTREAM_CALL_REFUSED" } },
      },
      "RECEIPT_MISSING",
    ],
    [{ jsonrpc: "2.0", id: 1 }, "RECEIPT_MISSING"],
    [{ jsonrpc: "2.0", id: 1, result: { content: [], isError: true, _meta: refusal } }, "none"],
    [{ jsonrpc: "2.0", id: 1, error: { code: -32_602, message: "no", data: {} } }, "none"],
    [{ error: { code: "OVERLOADED", message: "later" } }, "none"],
  ];
  for (const [answer, code] of cases) {
    enclave.answer = () => json(answer);
    assert.equal(await codeOf(ask()), code, JSON.stringify(answer));
  }
  enclave.answer = () => json({ jsonrpc: "2.0", id: 1, result: { tools: [] } });
  assert.equal(await codeOf(ask({ jsonrpc: "2.0", id: 1, method: "tools/list" })), "none", "a list reaches no server");
});

test("a receipt of another call, session order, channel, instance or log is found", async () => {
  const last = answerTo(call());
  const other = new ScriptedEnclave();
  const earlier: string[] = [];
  const lies: readonly (readonly [string, string, (enclave: ScriptedEnclave, message: JsonObject) => Answer])[] = [
    [
      "another request",
      "COMMITMENT_MISMATCH",
      (enclave) => json(attached(enclave.record(call("other"), [last]), last)),
    ],
    [
      "another answer",
      "COMMITMENT_MISMATCH",
      (enclave, message) => json(attached(enclave.record(message, [answerTo(message, ["other"])]), last)),
    ],
    [
      "no salts",
      "COMMITMENT_MISMATCH",
      (enclave, message) => json(attached({ ...enclave.record(message, [last]), salts: {} }, last)),
    ],
    [
      "a plain call",
      "RECEIPT_INVALID",
      (enclave, message) => json(attached(enclave.record(message, [last], { channel: "plain" }), last)),
    ],
    ["the answer of before", "LOG_MISMATCH", () => ({ body: earlier[0] ?? assert.fail() })],
    [
      "the answer of before under the newest head",
      "RECEIPT_INVALID",
      (enclave, message) => {
        const recorded = enclave.record(message, [last]);
        const log = enclave.placeOf(1);
        const before = JSON.parse(earlier[0] ?? "") as { result: { _meta: Record<string, JsonObject> } };
        const receipt = { ...before.result._meta["cmcp.gateway/receipt"], log } as unknown as Receipt;
        return json(attached({ receipt, salts: before.result._meta["cmcp.gateway/salts"] ?? recorded.salts }, last));
      },
    ],
    [
      "a record of before the call",
      "RECEIPT_INVALID",
      (enclave, message) => {
        const others = enclave.record(message, [last]);
        enclave.answer = () =>
          json(
            attached(
              { ...others, receipt: { ...others.receipt, log: enclave.placeOf(others.receipt.log.index) } },
              last,
            ),
          );
        return enclave.echo(message);
      },
    ],
    [
      "a log of another name",
      "LOG_MISMATCH",
      (enclave, message) => {
        enclave.origin = "log.example/1";
        return enclave.echo(message);
      },
    ],
    [
      "another instance's name",
      "RECEIPT_INVALID",
      (enclave, message) => json(attached(enclave.record(message, [last], { instance: other.instance.name }), last)),
    ],
    ["another instance", "RECEIPT_INVALID", (_, message) => json(attached(other.record(message, [last]), last))],
    [
      "a number that goes back",
      "RECEIPT_INVALID",
      (enclave, message) => json(attached(enclave.record(message, [last], { sequence_number: 1 }), last)),
    ],
    [
      "a shorter log",
      "LOG_MISMATCH",
      (enclave, message) => {
        enclave.leaves.length = 1;
        return json(attached(enclave.record(message, [last]), last));
      },
    ],
    [
      "another decision than was signed",
      "RECEIPT_INVALID",
      (enclave, message) => {
        const { receipt, salts } = enclave.record(message, [last]);
        return json(attached({ receipt: { ...receipt, decision: "deny" }, salts }, last));
      },
    ],
    [
      "no receipt at all",
      "RECEIPT_MALFORMED",
      (enclave, message) => {
        const answer = attached(enclave.record(message, [last]), last);
        return json(JSON.parse(JSON.stringify(answer).replace("cmcp-receipt-v3", "cmcp-receipt-v9")) as JsonObject);
      },
    ],
  ];
  for (const [what, code, lie] of lies) {
    const { enclave, ask } = await start();
    earlier.length = 0;
    enclave.answer = (message) => {
      const answer = enclave.echo(message);
      earlier.push(answer.body);
      return answer;
    };
    for (let before = 0; before < 3; before += 1) await ask();
    enclave.answer = (message) => lie(enclave, message);
    // Some lies need a truth before them.
    const codes = [await codeOf(ask()), await codeOf(ask())];
    assert.equal(
      codes.find((found) => found !== "none"),
      code,
      what,
    );
  }
});

test("two logs of one size are found", async () => {
  const { enclave, ask } = await start();
  await ask();
  const waiting: PromiseWithResolvers<void>[] = [Promise.withResolvers(), Promise.withResolvers()];
  const leaves = [...enclave.leaves];
  enclave.answer = async (message) => {
    enclave.leaves.splice(0, Infinity, ...leaves);
    const answer = enclave.echo({ ...message });
    await waiting.shift()?.promise;
    return answer;
  };
  const [one, two] = waiting;
  const asking = [ask(call("a")), ask(call("b"))];
  one?.resolve();
  two?.resolve();
  assert.deepEqual((await Promise.all(asking.map(codeOf))).toSorted(), ["LOG_MISMATCH", "none"]);
});

test("answers that overtake each other are taken, and a receipt counts once", async () => {
  const { enclave, ask } = await start();
  await ask();
  const first = Promise.withResolvers<void>();
  const bodies: Answer[] = [];
  enclave.answer = async (message) => {
    const answer = enclave.echo(message);
    bodies.push(answer);
    if (bodies.length === 1) await first.promise;
    return answer;
  };
  const slow = ask(call("a"));
  await ask(call("b"));
  // A third, sent before either was answered, is given the second's receipt.
  first.resolve();
  assert.equal(await codeOf(slow), "none");
  const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let given: Answer | null = null;
  let asked = 0;
  enclave.answer = async (message) => {
    given ??= enclave.echo(message);
    asked += 1;
    if (asked === 2) for (const gate of gates) gate.resolve();
    await Promise.all(gates.map(({ promise }) => promise));
    return given;
  };
  const same = await Promise.all([codeOf(ask()), codeOf(ask())]);
  assert.deepEqual(same.toSorted(), ["RECEIPT_INVALID", "none"]);
});

test("what went on of an agent's answers may be less than it wrote, and nothing else", async () => {
  const { enclave, ask } = await start();
  const message = (inputResponses: JsonObject): JsonObject => ({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      name: "echo",
      arguments: {},
      inputResponses,
      requestState: "s",
      _meta: {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  });
  const wrote = { q: { action: "accept", content: { a: [1, { b: 2 }] }, more: 1 }, unasked: { action: "decline" } };
  const went: readonly (readonly [JsonObject, string])[] = [
    [{ q: { action: "accept", content: { a: [1, { b: 2 }] } } }, "none"],
    [{}, "none"],
    [{ q: { action: "decline" } }, "COMMITMENT_MISMATCH"],
    [{ q: { action: "accept", content: { a: [1] } } }, "COMMITMENT_MISMATCH"],
    [{ q: { action: "accept", invented: 1 } }, "COMMITMENT_MISMATCH"],
    [{ other: { action: "decline" } }, "COMMITMENT_MISMATCH"],
  ];
  for (const [inputResponses, code] of went) {
    enclave.answer = (asked) => {
      const last = answerTo(asked);
      const sent = Object.keys(inputResponses).length === 0 ? message({}) : message(inputResponses);
      const params = sent["params"] as JsonObject;
      const { inputResponses: _, ...rest } = params;
      const left = { ...sent, params: Object.keys(inputResponses).length === 0 ? rest : params };
      const recorded = enclave.record(left, [last]);
      return json(attached({ ...recorded, salts: { ...recorded.salts, inputResponses } }, last));
    };
    assert.equal(await codeOf(ask(message(wrote))), code, JSON.stringify(inputResponses));
  }
});

test("what cannot be read is not handed on, nor is a message behind the last", async () => {
  const { enclave, ask } = await start();
  for (const answer of [
    { body: "no json" },
    { body: "[]" },
    { body: '{"a":1,"a":2}' },
    { type: "text/event-stream", body: "data: no json\n\n" },
  ]) {
    enclave.answer = () => answer;
    assert.equal(await codeOf(ask()), "GATEWAY_ANSWER_INVALID", answer.body);
  }
  enclave.answer = (message) => {
    const last = answerTo(message);
    return events(attached(enclave.record(message, [last]), last), {
      jsonrpc: "2.0",
      method: "notifications/message",
      params: {},
    });
  };
  assert.equal(await codeOf(ask()), "GATEWAY_ANSWER_INVALID");
});

test("a request that the gateway would refuse, or cannot be read, is not answered with a receipt", async () => {
  const { enclave, ask } = await start();
  const last = answerTo({ id: 1 });
  enclave.answer = () => json(attached(enclave.record(call(), [last]), last));
  assert.equal(await codeOf(ask({ ...call(), params: { name: "echo", more: 1 } })), "COMMITMENT_MISMATCH");
  enclave.answer = () => json(attached(enclave.record(call(), [last], { session_id: randomUUID() }), last));
  const connection = await connect(enclave.url, EXPECTED, { crypto: webcrypto, fetch: enclave.fetch });
  const body = JSON.stringify(call()).replace('"id"', '"id":1,"id"');
  assert.equal(
    await codeOf(connection.fetch(enclave.endpoint, { method: "POST", body })),
    "COMMITMENT_MISMATCH",
    "two readers of it could differ",
  );
});
