import { CmcpError } from "@cmcp/boundary";

/** Longest wait for an answer, in milliseconds. */
const ANSWER_MS = 60_000;

/**
 * Gets a file over https, or over http of this machine.
 * @param maxBytes more is refused
 * @throws CmcpError `PACKAGE_UNAVAILABLE`; `USAGE` for another URL
 */
export async function download(url: URL, maxBytes: number): Promise<Uint8Array> {
  const isLocal = url.protocol === "http:" && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  if ((url.protocol !== "https:" && !isLocal) || url.username !== "" || url.password !== "")
    throw new CmcpError("USAGE", `${url.origin} is not reached over https`);
  const unavailable = (why: string, cause?: unknown): CmcpError =>
    new CmcpError("PACKAGE_UNAVAILABLE", `${url.origin}${url.pathname} ${why}`, { cause });
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) throw unavailable(`answered HTTP ${response.status}`);
    for await (const chunk of response.body ?? []) {
      size += chunk.byteLength;
      if (size > maxBytes) throw unavailable(`is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (thrown) {
    throw thrown instanceof CmcpError ? thrown : unavailable("cannot be reached", thrown);
  }
  return Buffer.concat(chunks);
}
