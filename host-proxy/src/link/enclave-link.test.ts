import assert from "node:assert/strict";
import { once } from "node:events";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { listenUnix, serveStream, unixDialer, type IncomingExchange } from "@cmcp/wire";
import { bodyText } from "../testing/front-harness.ts";
import { temporaryDirectory } from "../testing/temporary-directory.ts";
import { CONTROL_REPLY_BYTES, EnclaveLink, LINK_LIMITS } from "./enclave-link.ts";

async function link(t: TestContext, accept: (exchange: IncomingExchange) => Promise<void>): Promise<EnclaveLink> {
  const path = join(temporaryDirectory(t), "enclave.sock");
  const listener = await listenUnix(path, (stream) => serveStream(stream, accept));
  const made = new EnclaveLink(unixDialer(path), { ...LINK_LIMITS, launchMs: 100 });
  t.after(async () => {
    await made.lost();
    await listener.close();
  });
  return made;
}

const request = { t: "request", method: "GET", path: "/mcp", headers: {} } as const;
const { signal } = new AbortController();

test("control messages carry their document and return the answer", async (t) => {
  const made = await link(t, async (exchange) => {
    const body = await bodyText(exchange);
    await exchange.respond({ status: 200, headers: {} });
    await exchange.write(Buffer.from(`${exchange.opening.t}:${body.length}`));
    await exchange.end();
  });
  made.started();
  assert.equal(Buffer.from(await made.launch(new Uint8Array(200_000))).toString(), "launch:200000");
  assert.equal(Buffer.from(await made.provision(Buffer.from("abc"))).toString(), "provision:3");
});

test("what the enclave could not close is in its answer to drain; an answer that does not say is a fault", async (t) => {
  let answer = "";
  const made = await link(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    if (answer !== "") await exchange.write(Buffer.from(answer));
    await exchange.end();
  });
  made.started();
  for (const count of [0, 2]) {
    answer = `${JSON.stringify({ unclosed_sessions: count })}\n`;
    assert.equal(await made.drain(), count);
  }
  for (answer of [
    "",
    "{}",
    "[]",
    "2",
    '{"unclosed_sessions":-1}',
    '{"unclosed_sessions":0.5}',
    '{"unclosed_sessions":"0"}',
    '{"open_sessions":1}',
    '{"unclosed_sessions":0}\n{"open_sessions":1}',
    '{"unclosed_sessions":0}\n{"unclosed_sessions":0}',
    '{"open_sessions":-1}\n{"unclosed_sessions":0}',
    `{"open_sessions":1${" ".repeat(2_000)}}`,
  ].map((line) => `${line}\n`))
    await assert.rejects(made.drain(), { code: "TEE_FAULT" }, answer);
});

test("draining may take as long as the number of open sessions falls, and no longer without that", async (t) => {
  const ended = Promise.withResolvers<void>();
  const path = join(temporaryDirectory(t), "enclave.sock");
  let lines = 0;
  const listener = await listenUnix(path, (stream) =>
    serveStream(stream, async (exchange) => {
      await exchange.respond({ status: 200, headers: {} });
      for (let open = lines; open > 0; open -= 1) {
        const line = `{"open_sessions":${open}}\n`;
        // In two frames, as a line can come.
        await exchange.write(Buffer.from(line.slice(0, 5)));
        await new Promise((resolve) => setTimeout(resolve, 100));
        await exchange.write(Buffer.from(line.slice(5)));
      }
      if (lines === 0) await ended.promise;
      await exchange.write(Buffer.from('{"unclosed_sessions":3}\n'));
      await exchange.end();
    }),
  );
  const made = new EnclaveLink(unixDialer(path), { ...LINK_LIMITS, drainMs: 1_000 });
  t.after(async () => {
    ended.resolve();
    await made.lost();
    await listener.close();
  });
  made.started();
  lines = 20;
  const heard: number[] = [];
  assert.equal(
    await made.drain((open) => void heard.push(open)),
    3,
    "two seconds, where one without progress is too long",
  );
  assert.deepEqual(
    heard,
    Array.from({ length: 20 }, (_, index) => 20 - index),
  );
  lines = 0;
  await assert.rejects(made.drain(), { code: "ENCLAVE_UNAVAILABLE", message: /drain within 1000 ms/ });
});

test("the enclave's refusal passes with its own code, even before it has read the document", async (t) => {
  const made = await link(t, async (exchange) => {
    await exchange.fail("LAUNCH_DOCUMENT_INVALID", "not canonical");
  });
  made.started();
  await assert.rejects(made.launch(new Uint8Array(3_000_000)), {
    code: "LAUNCH_DOCUMENT_INVALID",
    message: "not canonical",
  });
});

for (const code of ["WIRE_EXCHANGE_TOO_LARGE", "WIRE_FRAME_TOO_LARGE"] as const) {
  test(`a launch document or reload message that is too large is refused for what it is: ${code}`, async (t) => {
    const made = await link(t, async (exchange) => {
      await exchange.fail(code, "a control message is larger than 9 bytes");
    });
    made.started();
    await assert.rejects(made.launch(new Uint8Array(3_000_000)), {
      code: "LAUNCH_DOCUMENT_INVALID",
      message: "the launch document is too large",
    });
    await assert.rejects(made.reload(new Uint8Array(3_000_000)), {
      code: "RELOAD_INVALID",
      message: "the reload message is too large",
    });
  });
}

test("an answer of another status, or without bound, is a fault; no answer is the enclave not being there", async (t) => {
  const made = await link(t, async (exchange) => {
    const wanted = await bodyText(exchange);
    if (wanted === "silent") {
      await once(exchange.signal, "abort");
      return;
    }
    await exchange.respond({ status: wanted === "status" ? 201 : 200, headers: {} });
    await exchange.write(new Uint8Array(CONTROL_REPLY_BYTES + 1));
    await exchange.end();
  });
  made.started();
  await assert.rejects(made.launch(Buffer.from("status")), {
    code: "TEE_FAULT",
    message: "the enclave answered launch with status 201",
  });
  await assert.rejects(made.launch(Buffer.from("endless")), { code: "TEE_FAULT" });
  await assert.rejects(made.launch(Buffer.from("silent")), {
    code: "ENCLAVE_UNAVAILABLE",
    message: "the enclave did not answer launch within 100 ms",
  });
});

test("requests are opened only while the link is up", async (t) => {
  const made = await link(t, async (exchange) => {
    await exchange.respond({ status: 200, headers: {} });
    await exchange.end();
  });
  await assert.rejects(made.open(request, signal), { code: "ENCLAVE_UNAVAILABLE", message: "the enclave is down" });
  await assert.rejects(made.launch(new Uint8Array(1)), { code: "ENCLAVE_UNAVAILABLE" });
  made.started();
  await assert.rejects(made.open(request, signal), { message: "the enclave is launching" });
  made.ready();
  assert.equal((await (await made.open(request, signal)).head).status, 200);
  made.refuseNew();
  await assert.rejects(made.open(request, signal), { message: "the enclave is draining" });
  await made.lost();
  assert.equal(made.state, "down");
});

test("losing the enclave fails what is in flight, and the next process is reached", async (t) => {
  const made = await link(t, async (exchange) => {
    if ((await bodyText(exchange)) === "hang") {
      await once(exchange.signal, "abort");
      return;
    }
    await exchange.respond({ status: 200, headers: {} });
    await exchange.end();
  });
  made.started();
  made.ready();
  const hanging = await made.open(request, signal);
  await hanging.write(Buffer.from("hang"));
  await hanging.end();
  await made.lost();
  await assert.rejects(hanging.head);
  made.started();
  made.ready();
  const next = await made.open(request, signal);
  await next.end();
  assert.equal((await next.head).status, 200);
});
