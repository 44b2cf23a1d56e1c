import { invalidRequest } from "./refusal.ts";
import type { RequestHeaders } from "./http-request.ts";

/** `type/subtype` of a media type, lowercased, without parameters. */
function mediaType(value: string): string {
  return (value.split(";", 1)[0] ?? "").trim().toLowerCase();
}

/**
 * JSON only. 415, because the message is fine and its envelope is not, and because a browser can send any
 * other type across origins without asking first (Fetch, "CORS-safelisted request-header").
 */
function checkContentType(headers: RequestHeaders): void {
  const value = headers.get("content-type") ?? "";
  if (mediaType(value) !== "application/json") throw invalidRequest("Content-Type must be application/json", 415);
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(value)?.[1];
  if (charset !== undefined && charset.toLowerCase() !== "utf-8")
    throw invalidRequest("the charset of JSON is utf-8", 415);
  if ((headers.get("content-encoding") ?? "identity") !== "identity")
    throw invalidRequest("Content-Encoding is not supported", 415);
}

/**
 * MCP (Transports, "Sending Messages to the Server") has clients accept both JSON and event streams. Every
 * answer here is JSON, so that is what must be acceptable; single-POST clients that send no Accept take anything.
 */
function checkAccept(headers: RequestHeaders): void {
  const accept = headers.get("accept");
  if (accept === null) return;
  const acceptable = accept.split(",").some((range) => {
    const refused = /;\s*q\s*=\s*0(?:\.0*)?\s*(?:;|$)/i.test(range);
    return !refused && ["application/json", "application/*", "*/*"].includes(mediaType(range));
  });
  if (!acceptable) throw invalidRequest("Accept must allow application/json", 406);
}

/** Checks the HTTP envelope of a POST. Throws -32600 with 415 or 406. */
export function checkPostHeaders(headers: RequestHeaders): void {
  checkContentType(headers);
  checkAccept(headers);
}
