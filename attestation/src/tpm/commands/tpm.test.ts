import assert from "node:assert/strict";
import { test } from "node:test";
import { answering, response, scriptedTpm, sessionResponse } from "../transport/testing/scripted-tpm.ts";
import { bareResponseCode } from "./codes.ts";
import { TpmResponseError } from "./tpm.ts";

const COMMAND = { name: "TPM2_Test", code: 0x199 } as const;

test("a command is its header, handles, authorisation and parameters", async () => {
  const sent = async (command: object): Promise<string> => {
    const { tpm, asked } = answering("authorization" in command ? sessionResponse([]) : response(0));
    await tpm.run({ ...COMMAND, ...command });
    return asked[0]?.bytes.toString("hex") ?? "";
  };
  assert.equal(await sent({}), "80010000000a00000199");
  assert.equal(
    await sent({ handles: [1, 0x81000003], parameters: Uint8Array.of(7) }),
    "80010000001300000199000000018100000307",
  );
  const session = (handle: string): string => `00000009${handle}0000010000`;
  assert.equal(await sent({ authorization: "password" }), `80020000001700000199${session("40000009")}`);
  assert.equal(
    await sent({ handles: [0x80000001], authorization: 0x03000000 }),
    `80020000001b0000019980000001${session("03000000")}`,
  );
});

test("a response gives the handle it made, zero where it makes none, and its parameters without the session's", async () => {
  const run = async (answer: Uint8Array, command: object) =>
    await answering(answer).tpm.run({ ...COMMAND, ...command });
  assert.deepEqual(await run(response(0, [1, 2]), {}), { handle: 0, parameters: Uint8Array.of(1, 2) });
  assert.deepEqual(await run(response(0, [0x80, 0, 0, 1, 2]), { makesHandle: true }), {
    handle: 0x80000001,
    parameters: Uint8Array.of(2),
  });
  assert.deepEqual(await run(sessionResponse([5], 0x80000002), { authorization: "password", makesHandle: true }), {
    handle: 0x80000002,
    parameters: Uint8Array.of(5),
  });
  for (const [answer, command] of [
    [response(0, [], 0x8002), {}],
    [response(0), { authorization: "password" }],
    [response(0).with(5, 11), {}],
    [response(0).subarray(0, 9), {}],
    [response(0, [0, 0, 0, 9], 0x8002), { authorization: "password" }],
  ] as const)
    await assert.rejects(run(answer, command), { code: "ATTESTATION_REPORT_UNAVAILABLE", message: /TPM2_Test/ });
});

test("a TPM without time is asked again, and one that refuses is not", async () => {
  for (const busy of [0x908, 0x90a, 0x920, 0x922]) {
    const { tpm, asked } = answering(response(busy), response(0, [1]));
    assert.deepEqual((await tpm.run(COMMAND)).parameters, Uint8Array.of(1));
    assert.equal(asked.length, 2, `0x${busy.toString(16)}`);
  }
  for (const code of [0x101, 0x907, 0x909, 0x921, 0x923]) {
    const { tpm, asked } = answering(response(code), response(0));
    await assert.rejects(
      tpm.run(COMMAND),
      (thrown) =>
        thrown instanceof TpmResponseError && thrown.message.endsWith(`TPM2_Test with 0x${code.toString(16)}`),
    );
    assert.equal(asked.length, 1);
  }
});

test("commands are sent one after another, also behind one that failed", async () => {
  const { tpm, asked } = scriptedTpm((_asked, turn) => (turn === 0 ? response(0x101) : response(0, [turn])));
  const [first, second, third] = [tpm.run(COMMAND), tpm.run({ ...COMMAND, code: 2 }), tpm.run({ ...COMMAND, code: 3 })];
  await assert.rejects(first, TpmResponseError);
  assert.deepEqual([(await second).parameters, (await third).parameters], [Uint8Array.of(1), Uint8Array.of(2)]);
  assert.deepEqual(
    asked.map(({ code }) => code),
    [COMMAND.code, 2, 3],
  );
});

test("a code of format one loses its position, another one stays as it is", () => {
  for (const [code, bare] of [
    [0x1c4, 0x084],
    [0x9a2, 0x0a2],
    [0x99d, 0x09d],
    [0xfff, 0x0bf],
    [0x101, 0x101],
    [0x922, 0x922],
    [0x000, 0x000],
  ] as const)
    assert.equal(bareResponseCode(code), bare, `0x${code.toString(16)}`);
});
