import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { connect, type AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { identitySchema, type IssuerSettings } from "@cmcp/identity";
import { makeServerCertificate } from "../../../../test/servers/certificate.ts";
import { TestAuthority } from "../../../mcp/src/testing/certificate.ts";
import { publicJwk, testKey, type TestKey } from "../../../identity/src/testing/issuer.ts";
import { ServerRoots } from "./server-roots.ts";
import { FetchedIssuerKeys } from "./issuer-keys.ts";

const [OLD, NEW] = [testKey("ES256", "old"), testKey("ES256", "new")];
const OTHER_PIN = `SHA256:${Buffer.alloc(32, 7).toString("base64")}`;
const MINUTE = 60_000;
const corp = TestAuthority.root("Corp");
const lab = TestAuthority.root("Lab");

describe("keys of an issuer that the enclave fetches over TLS", () => {
  let url: string;
  let pin: string;
  let asked: IncomingMessage[] = [];
  let dialled = 0;
  let respond: (response: ServerResponse) => void;
  let close: () => Promise<unknown>;
  const serves = (...keys: readonly TestKey[]): void => {
    respond = (response) => void response.end(JSON.stringify({ keys: keys.map(publicJwk) }));
  };

  before(async () => {
    const certificate = await makeServerCertificate();
    pin = certificate.fingerprint;
    const server = createServer({ cert: certificate.cert, key: certificate.key }, (request, response) => {
      asked.push(request);
      respond(response);
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/keys?a=b`;
    close = async () => {
      server.closeAllConnections();
      server.close();
      return await once(server, "close");
    };
  });
  after(async () => await close());

  function settings(known: object, uri: string = url): IssuerSettings {
    const { jwt } = identitySchema.parse({
      resource: "https://gw.example/mcp",
      jwt: [
        {
          issuer: "https://login.example/",
          audience: ["https://gw.example/mcp"],
          algorithms: ["ES256"],
          jwks_uri: uri,
          jwks_fetch: { ...known, refresh_seconds: 60, max_age_seconds: 600 },
          any_subject: { prefix: "someone:" },
        },
      ],
    });
    const [issuer] = jwt;
    assert.ok(issuer !== undefined);
    return issuer;
  }

  function scene(known: object = { pins: [pin] }, { uri = url, wall = Date.now() } = {}) {
    let now = 0;
    asked = [];
    dialled = 0;
    const fetched = new FetchedIssuerKeys({
      dial: async (host, port) => {
        dialled += 1;
        const socket = connect(port, host);
        await once(socket, "connect");
        return socket;
      },
      roots: new ServerRoots({ corp: [corp.certificate], lab: [lab.certificate] }),
      now: () => wall,
      monotonic: () => now,
    });
    const keys = fetched.open(settings(known, uri));
    const ask = async (kid: string): Promise<unknown> =>
      await Promise.resolve(keys.select({ alg: "ES256", typ: "at+jwt", kid })).then(
        () => "verifies",
        ({ code }: { code: string }) => code,
      );
    return { ask, fetched, at: (ms: number) => void (now = ms) };
  }

  test("are those of the pinned server, and change with it", async () => {
    serves(OLD);
    const { ask, at, fetched } = scene();
    assert.deepEqual([await ask("old"), await ask("new")], ["verifies", "UNAUTHENTICATED"]);
    assert.deepEqual([asked[0]?.method, asked[0]?.url], ["GET", "/keys?a=b"]);
    serves(NEW);
    at(MINUTE);
    assert.deepEqual([await ask("new"), await ask("old")], ["verifies", "UNAUTHENTICATED"]);
    assert.equal(asked.length, 2);
    assert.deepEqual(
      fetched.states.map(({ issuer, set, failure }) => [issuer, set?.keys, failure]),
      [["https://login.example/", 1, null]],
    );
  });

  test("come from a server with any of the pinned keys, and another is asked nothing", async () => {
    serves(OLD);
    assert.equal(await scene({ pins: [OTHER_PIN, pin] }).ask("old"), "verifies");
    assert.equal(dialled, 2);
    const stranger = scene({ pins: [OTHER_PIN] });
    assert.equal(await stranger.ask("old"), "ISSUER_KEYS_UNAVAILABLE");
    assert.deepEqual([dialled, asked.length], [1, 0]);
  });

  test("do not come from a server whose certificate is for another time or name", async () => {
    serves(OLD);
    for (const wall of [Date.UTC(2020, 0), Date.UTC(2060, 0)])
      assert.equal(await scene({ pins: [pin] }, { wall }).ask("old"), "ISSUER_KEYS_UNAVAILABLE", String(wall));
    const alias = url.replace("127.0.0.1", "127.0.0.2");
    assert.equal(await scene({ pins: [pin] }, { uri: alias }).ask("old"), "ISSUER_KEYS_UNAVAILABLE");
    assert.equal(asked.length, 0);
  });

  test("come from a server that trusted authorities vouch for, and from no other", async () => {
    serves(OLD);
    const { cert, key } = corp.issue(["127.0.0.1"]);
    const vouched = createServer({ cert, key }, (request, response) => {
      asked.push(request);
      respond(response);
    }).listen(0, "127.0.0.1");
    await once(vouched, "listening");
    try {
      const uri = `https://127.0.0.1:${(vouched.address() as AddressInfo).port}/keys`;
      const authority = `SHA256:${corp.key.pin.toString("base64")}`;
      const ask = async (known: object): Promise<unknown> => await scene(known, { uri }).ask("old");
      const own = { trust: "private-ca", roots: ["corp"] };
      const first = scene(own, { uri });
      assert.equal(await first.ask("old"), "verifies", JSON.stringify(first.fetched.states));
      assert.equal(await ask({ ...own, issuer_pins: [OTHER_PIN, authority] }), "verifies");
      for (const known of [
        { ...own, roots: ["lab"] },
        { ...own, issuer_pins: [OTHER_PIN] },
        { trust: "webpki" },
        { pins: [authority] },
      ]) {
        assert.equal(await ask(known), "ISSUER_KEYS_UNAVAILABLE", JSON.stringify(known));
        assert.equal(asked.length, 0);
      }
      assert.throws(() => scene({ ...own, roots: ["nobody"] }), { code: "CONFIG_INVALID" });
    } finally {
      vouched.closeAllConnections();
      vouched.close();
    }
  });

  test("are not read from anything but a whole and small answer", async () => {
    const whole = JSON.stringify({ keys: [publicJwk(OLD)] });
    const answers: Record<string, (response: ServerResponse) => void> = {
      "an error": (response) => void response.writeHead(500).end(whole),
      "a redirection": (response) => void response.writeHead(302, { location: "/other" }).end(whole),
      "a coding": (response) => void response.writeHead(200, { "content-encoding": "gzip" }).end(whole),
      "a long body": (response) => void response.end(" ".repeat(300_000) + whole),
      "a cut body": (response) => {
        response.writeHead(200, { "content-length": String(whole.length) });
        response.write(whole.slice(0, 20), () => response.destroy());
      },
      "a private key": (response) =>
        void response.end(JSON.stringify({ keys: [{ ...OLD.privateKey.export({ format: "jwk" }), kid: "old" }] })),
      "a thousand keys": (response) =>
        void response.end(
          JSON.stringify({ keys: Array.from({ length: 1_000 }, (_, at) => ({ ...publicJwk(OLD), kid: `k${at}` })) }),
        ),
      nothing: (response) => void response.destroy(),
    };
    for (const [what, answer] of Object.entries(answers)) {
      respond = answer;
      const { ask, fetched } = scene();
      assert.equal(await ask("old"), "ISSUER_KEYS_UNAVAILABLE", what);
      assert.equal(asked.length, 1, what);
      assert.ok(fetched.states[0]?.failure, what);
    }
  });
});
