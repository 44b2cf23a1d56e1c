import { randomUUID } from "node:crypto";
import type { RequestListener } from "node:http";
import { createServer } from "node:https";
import { mcpAuthMetadataRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { createLocalJWKSet, jwtVerify, type JWK } from "jose";
// @ts-expect-error express has no types here.
import expressUntyped from "express";
import { makeServerCertificate } from "./certificate.ts";
import { listening } from "./authorization-server.ts";
import { recordingRelay, type RecordingRelay } from "./recording-relay.ts";

/** What of express is used. */
type App = RequestListener & {
  use(...handlers: readonly unknown[]): void;
  all(path: string, ...handlers: readonly unknown[]): void;
};
const express = expressUntyped as (() => App) & { json(): unknown };

/** Who gives the tokens that a server takes. */
export interface TrustedIssuer {
  readonly issuer: string;
  readonly jwks: { readonly keys: readonly JWK[] };
}

/** A tool server behind the SDK's bearer authentication, which a relay records. */
export interface ProtectedServer {
  readonly url: string;
  readonly fingerprint: string;
  /** The token of every request, `null` for none. */
  readonly tokens: readonly (string | null)[];
  /** Calls that it ran. */
  calls(): number;
  readonly wire: RecordingRelay;
  /** Takes tokens of this issuer from now on, and publishes it. */
  trust(issuer: TrustedIssuer): void;
  /** Refuses this token from now on. */
  revoke(token: string): void;
  close(): Promise<void>;
}

/** Starts a server with one tool, `ledger`, and the SDK's own metadata router and bearer authentication. */
export async function startProtectedServer(scope: string): Promise<ProtectedServer> {
  const certificate = await makeServerCertificate();
  const tokens: (string | null)[] = [];
  const revoked = new Set<string>();
  let calls = 0;
  let handle: RequestListener = (_, response) => response.destroy();
  const server = createServer({ cert: certificate.cert, key: certificate.key }, (request, response) => {
    const { authorization } = request.headers;
    if (request.url === "/mcp") tokens.push(authorization?.slice("Bearer ".length) ?? null);
    handle(request, response);
  });
  const wire = await recordingRelay(await listening(server));
  const url = new URL(`https://127.0.0.1:${wire.port}/mcp`);
  const mcp = async (): Promise<StreamableHTTPServerTransport> => {
    const offered = new Server({ name: "ledger", version: "1.0.0" }, { capabilities: { tools: {} } });
    const tools = [{ name: "ledger", description: "ledger.", inputSchema: { type: "object" as const } }];
    offered.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
    offered.setRequestHandler(CallToolRequestSchema, () => {
      calls += 1;
      return { content: [{ type: "text", text: "found" }] };
    });
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID });
    await offered.connect(transport);
    return transport;
  };
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const serve: RequestListener = (request, response) => {
    const known = transports.get(String(request.headers["mcp-session-id"]));
    const body = (request as { body?: unknown }).body;
    void (async () => {
      const transport = known ?? (await mcp());
      await transport.handleRequest(request, response, body);
      if (transport.sessionId !== undefined) transports.set(transport.sessionId, transport);
    })();
  };
  return {
    url: url.href,
    fingerprint: certificate.fingerprint,
    tokens,
    calls: () => calls,
    wire,
    trust: ({ issuer, jwks }) => {
      const keys = createLocalJWKSet({ keys: [...jwks.keys] });
      const verifyAccessToken = async (token: string) => {
        if (revoked.has(token)) throw new InvalidTokenError("revoked");
        const { payload } = await jwtVerify(token, keys, { issuer, audience: url.href }).catch(() => {
          throw new InvalidTokenError("not valid");
        });
        return {
          token,
          clientId: String(payload["client_id"]),
          scopes: String(payload["scope"]).split(" "),
          expiresAt: payload.exp ?? 0,
        };
      };
      const app = express();
      const oauthMetadata = {
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        response_types_supported: ["code"],
      };
      app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl: url, scopesSupported: [scope] }));
      const resourceMetadataUrl = `${url.origin}/.well-known/oauth-protected-resource/mcp`;
      app.all(
        "/mcp",
        requireBearerAuth({ verifier: { verifyAccessToken }, requiredScopes: [scope], resourceMetadataUrl }),
        express.json(),
        serve,
      );
      handle = app;
    },
    revoke: (token) => void revoked.add(token),
    close: async () => {
      await wire.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
