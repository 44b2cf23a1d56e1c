/** What a page of a web browser is answered, whichever origin it is of. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HttpResponse } from "@cmcp/mcp";
import * as fc from "fast-check";
import { emptyGateway } from "../testing/empty-gateway.ts";
import { preflight } from "./cross-origin.ts";
import type { Handler } from "./router.ts";

const LISTED = "https://app.example";
const SECOND = "http://localhost:6274";
const configuration = `enclave: {allowed_origins: ["${LISTED}", "${SECOND}"]}`;
const UNLISTED = [
  "https://evil.example",
  "https://app.example.evil.example",
  "https://app.example:8443",
  "http://app.example",
  "HTTPS://APP.EXAMPLE",
  `${LISTED}, ${SECOND}`,
  "null",
  "*",
  "",
];
const ASKS = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type",
};
const READABLE = (origin: string): Record<string, string> => ({
  "access-control-allow-origin": origin,
  "access-control-expose-headers": "mcp-session-id, www-authenticate, dpop-nonce, allow",
  vary: "Origin",
});

async function ask(
  handler: Handler,
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<HttpResponse> {
  return await handler({
    method,
    url: `http://enclave.invalid${path}`,
    headers: { get: (name) => headers[name] ?? null },
    body: null,
    signal: new AbortController().signal,
  });
}

function withoutReadable({ headers, ...answer }: HttpResponse): object {
  const {
    "access-control-allow-origin": _origin,
    "access-control-expose-headers": _exposed,
    vary: _vary,
    ...rest
  } = headers;
  return { ...answer, headers: rest };
}

describe("a preflight", () => {
  const strangers = emptyGateway({ configuration, known: false });

  test("from a listed origin is answered before authentication, with the methods of the path", async () => {
    for (const origin of [LISTED, SECOND]) {
      const { status, headers, body } = await ask(strangers, "OPTIONS", "/mcp", { origin, ...ASKS });
      assert.deepEqual([status, body], [204, null]);
      assert.deepEqual(headers, {
        ...READABLE(origin),
        "access-control-allow-methods": "POST, GET, DELETE",
        "access-control-allow-headers":
          "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, " +
          "mcp-name, x-mcp-workflow-id, dpop",
        "access-control-max-age": "7200",
      });
    }
    for (const [path, methods] of [
      ["/sessions/x/close", "POST"],
      ["/sessions/x/trace-claim", "GET"],
      ["/v1/status", "GET"],
      ["/attestation", "GET"],
      ["/audit/export", "GET"],
    ] as const) {
      const { status, headers } = await ask(strangers, "OPTIONS", path, { origin: LISTED, ...ASKS });
      assert.deepEqual([status, headers["access-control-allow-methods"]], [204, methods], path);
    }
  });

  test("to a path that agents do not use is refused like any other request there", async () => {
    const codes = async (path: string): Promise<number> =>
      (await ask(strangers, "OPTIONS", path, { origin: LISTED, ...ASKS })).status;
    assert.deepEqual(
      [
        await codes("/nowhere"),
        await codes("/sessions/00000000-0000-4000-8000-000000000000/reset"),
        await codes("/.well-known/oauth-protected-resource"),
      ],
      [401, 405, 401],
    );
  });

  test("from any other origin is refused, without a header that allows anything", async () => {
    for (const origin of UNLISTED) {
      const { status, headers, body } = await ask(strangers, "OPTIONS", "/mcp", { origin, ...ASKS });
      assert.deepEqual(
        [status, headers],
        [403, { "content-type": "application/json", "cache-control": "no-store" }],
        origin,
      );
      assert.ok(typeof body === "string" && body.includes('"ORIGIN_NOT_ALLOWED"'));
    }
  });

  test("is one only with an origin and a method that is asked for", async () => {
    const plain = await ask(strangers, "OPTIONS", "/mcp", { origin: LISTED });
    assert.equal(plain.status, 401);
    assert.deepEqual(await ask(strangers, "OPTIONS", "/mcp", ASKS), withoutReadable(plain));
    assert.equal((await ask(strangers, "POST", "/mcp", { origin: LISTED, ...ASKS })).status, 401);
  });

  test("to a gateway that stops is refused as any other request", async () => {
    const { status, headers } = await ask(emptyGateway({ configuration, draining: true }), "OPTIONS", "/mcp", {
      origin: LISTED,
      ...ASKS,
    });
    assert.deepEqual(
      [status, headers["access-control-allow-origin"], headers["access-control-allow-methods"]],
      [409, LISTED, undefined],
    );
  });

  const named = (asked: string | null): string[] =>
    (
      preflight(
        { method: "OPTIONS", url: "", headers: { get: () => asked }, body: null, signal: new AbortController().signal },
        ["POST"],
      ).headers["access-control-allow-headers"] ?? ""
    ).split(", ");

  test("names 32 parameters' headers and no more, of 64 characters after the prefix and no longer ones", () => {
    const always = named(null);
    const many = Array.from({ length: 40 }, (_, index) => `mcp-param-${index}`);
    assert.deepEqual(named(many.join(", ")), [...always, ...many.slice(0, 32)]);
    const longest = `mcp-param-${"a".repeat(64)}`;
    assert.deepEqual(named(`${longest}a,${longest}`), [...always, longest]);
  });

  test("property: of the headers that are asked for, parameters' alone are named again", () => {
    const token = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9a-z-]{1,70}$/);
    const name = fc.oneof(
      token.map((rest) => `mcp-param-${rest}`),
      token.map((rest) => `Mcp-Param-${rest.toUpperCase()}`),
      token,
      fc.constantFrom(
        "cookie",
        "*",
        "mcp-param-",
        "mcp-param-a b",
        "mcp-param-a\r\nset-cookie: x",
        "x-mcp-param-a",
        "authorization",
      ),
    );
    const always = named(null);
    fc.assert(
      fc.property(fc.array(name, { maxLength: 60 }), (asked) => {
        const expected = asked
          .map((text) => text.toLowerCase())
          .filter((text) => /^mcp-param-[^ \r\n]{1,64}$/.test(text));
        assert.deepEqual(named(asked.join(",")), [...always, ...expected.slice(0, 32)]);
      }),
    );
  });
});

describe("an answer", () => {
  const REFUSED = [
    ["401", emptyGateway({ configuration, known: false }), "POST", "/mcp"],
    ["404", emptyGateway({ configuration }), "GET", "/sessions/unknown/trace-claim"],
    ["405", emptyGateway({ configuration }), "DELETE", "/v1/status"],
    ["409", emptyGateway({ configuration, draining: true }), "POST", "/mcp"],
    ["200", emptyGateway({ configuration, known: false }), "GET", "/readyz"],
  ] as const;

  for (const [status, handler, method, path] of REFUSED) {
    test(`of ${status} can be read by a listed origin's page, and is otherwise what everybody gets`, async () => {
      const everybody = await ask(handler, method, path, {});
      assert.equal(String(everybody.status), status);
      assert.deepEqual(withoutReadable(everybody), everybody, "without Origin nothing is said of origins");
      for (const origin of [LISTED, SECOND])
        assert.deepEqual(await ask(handler, method, path, { origin }), {
          ...everybody,
          headers: { ...everybody.headers, ...READABLE(origin) },
        });
      for (const origin of UNLISTED)
        assert.deepEqual(
          withoutReadable(await ask(handler, method, path, { origin })),
          await ask(handler, method, path, { origin }),
          origin,
        );
    });
  }

  test("to an origin that is not listed is a refusal before anybody is authenticated, and where none is listed to every origin", async () => {
    for (const origin of UNLISTED)
      assert.equal(
        (await ask(emptyGateway({ configuration, known: false }), "POST", "/mcp", { origin })).status,
        403,
        origin,
      );
    for (const method of ["POST", "OPTIONS"])
      assert.equal((await ask(emptyGateway(), method, "/mcp", { origin: LISTED, ...ASKS })).status, 403);
  });
});
