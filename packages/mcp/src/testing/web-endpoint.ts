import {
  createMcpEndpoint,
  type Caller,
  type HttpRequest,
  type HttpResponse,
  type IngressLimits,
  type McpPorts,
} from "../index.ts";

/** An answer as web code reads one. */
export function asResponse({ status, headers, body }: HttpResponse): Response {
  return new Response(body === null || typeof body === "string" ? body : ReadableStream.from(body), {
    status,
    headers,
  });
}

/** The endpoint as a handler of web requests. */
export type WebEndpoint = (request: HttpRequest, caller: Caller) => Promise<Response>;

export function webEndpoint<Session extends object>(ports: McpPorts<Session>, limits?: IngressLimits): WebEndpoint {
  const endpoint = createMcpEndpoint(ports, limits);
  return async (request, caller) => asResponse(await endpoint(request, caller));
}
