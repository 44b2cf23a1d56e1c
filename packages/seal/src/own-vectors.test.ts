/** A whole exchange of each suite, as any version of this package has to read it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex, untrusted } from "@cmcp/boundary";
import { readRequest, readResponse } from "./binary-http/read.ts";
import { SUITES } from "./hpke/suite.ts";
import { openRequest, sealRequest } from "./ohttp/exchange.ts";
import { chooseKey, encodeKeyConfigs, parseKeyConfigs } from "./ohttp/key-config.ts";
import { OWN_REQUEST, ownResponse, type OwnExchange } from "./testing/own-exchange.ts";
import { bytesOf, streamOf } from "./testing/streams.ts";
import { hex, vectors } from "./testing/vectors.ts";

const { cases } = vectors("exchange") as { readonly cases: readonly OwnExchange[] };
const LIMITS = { contentBytes: 1_000, paddingBytes: 1_000 };

test("the file has every suite", () => {
  assert.deepEqual(
    cases.map(({ suite }) => suite),
    SUITES.map(({ kem }) => kem.name),
  );
});

for (const one of cases)
  test(`${one.suite}: the gateway's side, byte for byte, and the client's where it is not random`, async () => {
    const configs = parseKeyConfigs(untrusted(hex(one.key_configurations)));
    assert.equal(toHex(encodeKeyConfigs(configs)), one.key_configurations);
    const chosen = chooseKey(configs);
    const key = chosen.suite.kem.keyOf(hex(one.private_key));
    assert.deepEqual([chosen.id, chosen.publicKey], [one.key_id, key.publicKey]);

    const opened = await openRequest(streamOf(hex(one.encapsulated_request)), (id) =>
      id === one.key_id ? { suite: chosen.suite, key } : null,
    );
    const message = await bytesOf(opened.message);
    assert.deepEqual([toHex(message), message], [one.request, OWN_REQUEST]);
    const { head } = await readRequest(streamOf(message), LIMITS);
    assert.deepEqual([head.method, head.authority, head.path], ["POST", "gateway.example", "/mcp"]);

    const response = await bytesOf(ownResponse());
    assert.deepEqual([toHex(response), response.length], [one.response, 512]);
    const answer = await bytesOf(opened.sealAnswer(ownResponse(), hex(one.response_nonce)));
    assert.equal(toHex(answer), one.encapsulated_response);

    if (one.ephemeral_private_key === undefined) return;
    const client = sealRequest(chosen, streamOf(OWN_REQUEST), hex(one.ephemeral_private_key));
    assert.equal(toHex(await bytesOf(client.bytes)), one.encapsulated_request);
    const read = await readResponse(client.openAnswer(streamOf(hex(one.encapsulated_response))), LIMITS);
    assert.match(Buffer.from(await bytesOf(read.content)).toString(), /^data: .+\n\ndata: .+\n\n$/);
  });
