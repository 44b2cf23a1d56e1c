import type { EgressTarget } from "@cmcp/mcp";

/** Bytes of a request and its headers; the headers are dropped. */
export const MAX_HEAD_BYTES = 8_192;

/** A method, as far as it is there. */
const BEGINNING = /^[A-Z]{0,16}(?: |$)/;

/** What stands at the beginning of a server's connection to its proxy. */
export type ConnectRequest =
  | { readonly kind: "incomplete" }
  /** The status of HTTP that it is answered with. */
  | { readonly kind: "refused"; readonly status: 400 | 405 | 431 }
  | { readonly kind: "connect"; readonly target: EgressTarget; readonly rest: Uint8Array };

const END = "\r\n\r\n";
/** RFC 9112, section 3.2.3: the authority form, with a port. */
const REQUEST = /^CONNECT (?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5}) HTTP\/1\.1$/;
const HEADER = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*$/;
/** A request in another form: another method, or an absolute URL. */
const OTHER_METHOD = /^(?!CONNECT )[A-Z]{1,16} \S{1,8192} HTTP\/1\.1$/;

/**
 * Reads the bytes so far of a server's connection: `CONNECT host:port HTTP/1.1` and headers, nothing else. The bytes are the server's.
 * What follows the head belongs to the tunnel.
 */
export function readConnect(bytes: Uint8Array): ConnectRequest {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, MAX_HEAD_BYTES)).toString(
    "latin1",
  );
  const end = text.indexOf(END);
  if (end < 0) return bytes.byteLength >= MAX_HEAD_BYTES ? { kind: "refused", status: 431 } : incomplete(text);
  const [request = "", ...headers] = text.slice(0, end).split("\r\n");
  const found = REQUEST.exec(request);
  if (found === null || !headers.every((header) => HEADER.test(header)))
    return { kind: "refused", status: OTHER_METHOD.test(request) ? 405 : 400 };
  const [, address, name = "", digits] = found;
  const port = Number(digits);
  if (port < 1 || port > 65_535) return { kind: "refused", status: 400 };
  const target = { host: (address ?? name).toLowerCase(), port };
  return { kind: "connect", target, rest: bytes.subarray(end + END.length) };
}

/** What cannot become a request any more is not waited for. */
function incomplete(text: string): ConnectRequest {
  return BEGINNING.test(text) ? { kind: "incomplete" } : { kind: "refused", status: 400 };
}
